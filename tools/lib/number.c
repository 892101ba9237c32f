// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Parsing numbers, durations and rates from user input, and formatting them.
 *
 * strtoull() accepts blanks, signs, other bases and trailing characters, so it is not used
 * here.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static int fail(int error)
{
	errno = error;
	return -1;
}

/*
 * Parse the digits at *@text and move past them. A number that is too large is read to its end,
 * so that an invalid character after it is reported first (EINVAL).
 */
static int digits(const char **text, uint64_t *number, int *too_large)
{
	const char *at = *text;
	uint64_t value = 0;

	if (*at < '0' || *at > '9')
		return fail(EINVAL);
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (unsigned int)(*at - '0'),
					   &value))
			*too_large = 1;
	*text = at;
	*number = value;
	return 0;
}

WEIR_API int weir_parse_u64(const char *text, uint64_t *number)
{
	int too_large = 0;
	uint64_t value;

	if (digits(&text, &value, &too_large) < 0)
		return -1;
	if (*text)
		return fail(EINVAL);
	if (too_large)
		return fail(ERANGE);
	*number = value;
	return 0;
}

WEIR_API int weir_parse_s64(const char *text, int64_t *number)
{
	int negative = *text == '-';
	uint64_t limit = (uint64_t)INT64_MAX + (unsigned int)negative;
	uint64_t value;

	if (weir_parse_u64(text + negative, &value) < 0)
		return -1;
	if (value > limit)
		return fail(ERANGE);
	*number = (int64_t)(negative ? 0 - value : value);
	return 0;
}

static const struct unit {
	char name[3];
	uint64_t ns;
} units[] = {
	{ "d", 86400000000000 },
	{ "h", 3600000000000 },
	{ "m", 60000000000 },
	{ "s", 1000000000 },
	{ "ms", 1000000 },
	{ "us", 1000 },
	{ "ns", 1 },
};

#define NUNITS (sizeof(units) / sizeof(units[0]))

/* Parse the unit at *@text and move past it; NUNITS if there is none. */
static size_t unit_take(const char **text)
{
	size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyz");
	size_t i;

	for (i = 0; i < NUNITS; i++)
		if (strlen(units[i].name) == length &&
		    !strncmp(*text, units[i].name, length)) {
			*text += length;
			break;
		}
	return i;
}

/* Parse a duration that ends at @stop or at the end of the string. */
static int duration_take(const char **text, char stop, uint64_t *ns)
{
	const char *at = *text;
	uint64_t sum = 0;
	size_t smallest = 0;
	int too_large = 0;

	do {
		uint64_t value;
		size_t unit;

		if (digits(&at, &value, &too_large) < 0)
			return -1;
		unit = unit_take(&at);
		if (unit == NUNITS || unit < smallest)
			return fail(EINVAL);
		smallest = unit + 1;
		if (__builtin_mul_overflow(value, units[unit].ns, &value) ||
		    __builtin_add_overflow(sum, value, &sum))
			too_large = 1;
	} while (*at && *at != stop);
	/* the largest number means "never" and cannot be entered as a number */
	if (too_large || sum == WEIR_NEVER)
		return fail(ERANGE);
	*text = at;
	*ns = sum;
	return 0;
}

WEIR_API int weir_parse_duration(const char *text, uint64_t *ns)
{
	uint64_t value;

	if (duration_take(&text, '\0', &value) < 0)
		return -1;
	*ns = value;
	return 0;
}

WEIR_API int weir_format_duration(uint64_t ns, char *buffer, size_t size)
{
	char text[WEIR_TEXT_MAX] = "0s";
	int length = 2;
	size_t i;

	if (ns == WEIR_NEVER) {
		length = snprintf(text, sizeof(text), "never");
	} else if (ns) {
		length = 0;
		for (i = 0; i < NUNITS; i++) {
			uint64_t count = ns / units[i].ns;

			ns %= units[i].ns;
			if (count)
				length += snprintf(text + length,
						   sizeof(text) - (size_t)length,
						   "%llu%s",
						   (unsigned long long)count,
						   units[i].name);
		}
	}
	if ((size_t)length >= size)
		return fail(EMSGSIZE);
	memcpy(buffer, text, (size_t)length + 1);
	return length;
}

WEIR_API int weir_parse_rate(const char *text,
			     struct weir_limiter_config *config)
{
	uint64_t count, ns;
	int too_large = 0;
	size_t unit;

	if (digits(&text, &count, &too_large) < 0)
		return -1;
	if (*text++ != '/')
		return fail(EINVAL);
	if (*text >= '0' && *text <= '9') {
		if (weir_parse_duration(text, &ns) < 0)
			return -1;
	} else {
		unit = unit_take(&text);
		if (unit == NUNITS || *text)
			return fail(EINVAL);
		ns = units[unit].ns;
	}
	if (too_large)
		return fail(ERANGE);
	if (!count || !ns)
		return fail(EINVAL);
	config->tokens = count;
	config->period = ns;
	return 0;
}

WEIR_API int weir_format_rate(uint64_t tokens, uint64_t period, char *buffer,
			      size_t size)
{
	char text[WEIR_TEXT_MAX];
	const char *shown = text;
	int length;
	size_t i;

	weir_format_duration(period, text, sizeof(text));
	/* "5/s", not "5/1s" */
	for (i = 0; i < NUNITS; i++)
		if (period == units[i].ns)
			shown = units[i].name;
	length = snprintf(buffer, size, "%llu/%s", (unsigned long long)tokens,
			  shown);
	return (size_t)length < size ? length : fail(EMSGSIZE);
}

static int prefix_take(const char **text, uint64_t most, uint64_t *bits)
{
	int too_large = 0;

	if (digits(text, bits, &too_large) < 0)
		return -1;
	return too_large || *bits > most || !*bits ? fail(ERANGE) : 0;
}

WEIR_API int weir_parse_prefixes(const char *text,
				 struct weir_limiter_config *config)
{
	uint64_t four, six = 0;

	if (prefix_take(&text, 32, &four) < 0)
		return -1;
	if (*text == ',') {
		text++;
		if (prefix_take(&text, 128, &six) < 0)
			return -1;
	}
	if (*text)
		return fail(EINVAL);
	config->prefix4 = (uint8_t)four;
	config->prefix6 = (uint8_t)six;
	return 0;
}

WEIR_API int weir_parse_ladder(const char *text,
			       struct weir_limiter_config *config)
{
	uint64_t steps[WEIR_LADDER_MAX] = { 0 };
	uint32_t count = 0;

	for (;;) {
		if (count == WEIR_LADDER_MAX)
			return fail(ERANGE);
		if (duration_take(&text, ',', &steps[count]) < 0)
			return -1;
		count++;
		if (!*text)
			break;
		text++;
	}
	/* the kernel requires unused steps to be zero */
	memcpy(config->ban, steps, sizeof(steps));
	config->nbans = count;
	return 0;
}
