// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers, durations, rates, prefixes and ladders: each valid form, and invalid ones. */

#include <errno.h>
#include <string.h>

#include "tap.h"
#include "weir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define S 1000000000ULL
#define UNTOUCHED 12345ULL

static const struct {
	const char *text;
	uint64_t number;
	int error;
} u64s[] = {
	{ "0", 0, 0 },
	{ "18446744073709551615", UINT64_MAX, 0 },
	{ "007", 7, 0 },
	{ "18446744073709551616", 0, ERANGE },
	{ "99999999999999999999999999", 0, ERANGE },
	{ "", 0, EINVAL },
	{ "-1", 0, EINVAL },
	{ "+1", 0, EINVAL },
	{ " 1", 0, EINVAL },
	{ "1 ", 0, EINVAL },
	{ "1x", 0, EINVAL },
	{ "0x10", 0, EINVAL },
	{ "1e3", 0, EINVAL },
	{ "99999999999999999999999999x", 0, EINVAL },
};

static const struct {
	const char *text;
	int64_t number;
	int error;
} s64s[] = {
	{ "-1", -1, 0 },
	{ "-0", 0, 0 },
	{ "9223372036854775807", INT64_MAX, 0 },
	{ "-9223372036854775808", INT64_MIN, 0 },
	{ "9223372036854775808", 0, ERANGE },
	{ "-9223372036854775809", 0, ERANGE },
	{ "--1", 0, EINVAL },
	{ "-", 0, EINVAL },
	{ "- 1", 0, EINVAL },
};

static const struct {
	const char *text;
	uint64_t ns;
	int error;
} durations[] = {
	{ "250ms", 250000000, 0 },
	{ "5s", 5 * S, 0 },
	{ "10m", 600 * S, 0 },
	{ "24h", 86400 * S, 0 },
	{ "7d", 604800 * S, 0 },
	{ "1h30m", 5400 * S, 0 },
	{ "1d2h3m4s5ms6us7ns", 93784 * S + 5006007, 0 },
	{ "0s", 0, 0 },
	{ "213503d", 213503ULL * 86400 * S, 0 },
	{ "213504d", 0, ERANGE },
	{ "18446744073709551614ns", UINT64_MAX - 1, 0 },
	{ "18446744073709551615ns", 0, ERANGE },
	{ "18446744073709551616ns", 0, ERANGE },
	{ "213503d24h", 0, ERANGE },
	{ "5", 0, EINVAL },
	{ "", 0, EINVAL },
	{ "s", 0, EINVAL },
	{ "5S", 0, EINVAL },
	{ "5 s", 0, EINVAL },
	{ "5s ", 0, EINVAL },
	{ "-5s", 0, EINVAL },
	{ "1.5s", 0, EINVAL },
	{ "30m1h", 0, EINVAL },
	{ "1m1m", 0, EINVAL },
	{ "5w", 0, EINVAL },
	{ "5sx", 0, EINVAL },
	{ "5,", 0, EINVAL },
	{ "never", 0, EINVAL },
};

static const struct {
	const char *text;
	uint64_t tokens, period;
	int error;
	const char *shown;
} rates[] = {
	{ "5/s", 5, S, 0, "5/s" },
	{ "100/m", 100, 60 * S, 0, "100/m" },
	{ "30/60s", 30, 60 * S, 0, "30/m" },
	{ "3/1h30m", 3, 5400 * S, 0, "3/1h30m" },
	{ "10/250ms", 10, 250000000, 0, "10/250ms" },
	{ "1/1d", 1, 86400 * S, 0, "1/d" },
	{ "0/s", 0, 0, EINVAL, NULL },
	{ "5/0s", 0, 0, EINVAL, NULL },
	{ "5", 0, 0, EINVAL, NULL },
	{ "5/", 0, 0, EINVAL, NULL },
	{ "/s", 0, 0, EINVAL, NULL },
	{ "5/60", 0, 0, EINVAL, NULL },
	{ "5/sx", 0, 0, EINVAL, NULL },
	{ "5/s/s", 0, 0, EINVAL, NULL },
	{ "5 /s", 0, 0, EINVAL, NULL },
	{ "-5/s", 0, 0, EINVAL, NULL },
	{ "99999999999999999999/s", 0, 0, ERANGE, NULL },
	{ "5/999999999999d", 0, 0, ERANGE, NULL },
};

static void test_numbers(void)
{
	size_t i;

	for (i = 0; i < COUNT(u64s); i++) {
		uint64_t number = UNTOUCHED;
		int ret = weir_parse_u64(u64s[i].text, &number);

		if (u64s[i].error)
			ok(ret == -1 && errno == u64s[i].error &&
			   number == UNTOUCHED, "u64 '%s' is refused",
			   u64s[i].text);
		else
			ok(!ret && number == u64s[i].number, "u64 '%s'",
			   u64s[i].text);
	}
	for (i = 0; i < COUNT(s64s); i++) {
		int64_t number = UNTOUCHED;
		int ret = weir_parse_s64(s64s[i].text, &number);

		if (s64s[i].error)
			ok(ret == -1 && errno == s64s[i].error &&
			   number == UNTOUCHED, "s64 '%s' is refused",
			   s64s[i].text);
		else
			ok(!ret && number == s64s[i].number, "s64 '%s'",
			   s64s[i].text);
	}
}

static void test_durations(void)
{
	char shown[WEIR_TEXT_MAX];
	size_t i;

	for (i = 0; i < COUNT(durations); i++) {
		uint64_t ns = UNTOUCHED, again = 0;
		int ret = weir_parse_duration(durations[i].text, &ns);

		if (durations[i].error) {
			ok(ret == -1 && errno == durations[i].error &&
			   ns == UNTOUCHED, "duration '%s' is refused",
			   durations[i].text);
			continue;
		}
		ok(!ret && ns == durations[i].ns, "duration '%s'",
		   durations[i].text);
		weir_format_duration(ns, shown, sizeof(shown));
		ok(!weir_parse_duration(shown, &again) && again == ns,
		   "'%s' comes back as '%s'", durations[i].text, shown);
	}
	ok(weir_format_duration(WEIR_NEVER, shown, sizeof(shown)) == 5 &&
	   !strcmp(shown, "never"), "WEIR_NEVER is printed as never");
	ok(weir_format_duration(5400 * S, shown, 5) == -1 &&
	   errno == EMSGSIZE, "five bytes are too few for 1h30m");
	ok(weir_format_duration(5400 * S, shown, 6) == 5, "six bytes are enough for 1h30m");
}

static void test_rates(void)
{
	char shown[WEIR_TEXT_MAX];
	size_t i;

	for (i = 0; i < COUNT(rates); i++) {
		struct weir_limiter_config config = {
			.tokens = UNTOUCHED, .period = UNTOUCHED,
		};
		int ret = weir_parse_rate(rates[i].text, &config);

		if (rates[i].error) {
			ok(ret == -1 && errno == rates[i].error &&
			   config.tokens == UNTOUCHED &&
			   config.period == UNTOUCHED, "rate '%s' is refused",
			   rates[i].text);
			continue;
		}
		ok(!ret && config.tokens == rates[i].tokens &&
		   config.period == rates[i].period, "rate '%s'",
		   rates[i].text);
		weir_format_rate(config.tokens, config.period, shown,
				 sizeof(shown));
		ok(!strcmp(shown, rates[i].shown), "'%s' is shown as '%s'",
		   rates[i].text, shown);
	}
}

static int prefixes(const char *text, int ipv4, int ipv6)
{
	struct weir_limiter_config config = { .prefix4 = 99, .prefix6 = 99 };

	if (weir_parse_prefixes(text, &config) < 0)
		return config.prefix4 == 99 && config.prefix6 == 99 ? -errno :
		       0;
	return config.prefix4 == ipv4 && config.prefix6 == ipv6;
}

static int ladder(const char *text, unsigned int steps, uint64_t last)
{
	struct weir_limiter_config config = { .nbans = 99 };

	config.ban[7] = 99;
	if (weir_parse_ladder(text, &config) < 0)
		return config.nbans == 99 ? -errno : 0;
	return config.nbans == steps && config.ban[steps - 1] == last &&
	       (steps == 8 || !config.ban[7]);
}

static void test_lists(void)
{
	ok(prefixes("24", 24, 0) == 1, "prefix 24");
	ok(prefixes("32,64", 32, 64) == 1, "prefix 32,64");
	ok(prefixes("1,128", 1, 128) == 1, "prefix 1,128");
	ok(prefixes("0", 0, 0) == -ERANGE, "prefix 0 is refused");
	ok(prefixes("33", 0, 0) == -ERANGE, "prefix 33 is refused");
	ok(prefixes("32,129", 0, 0) == -ERANGE, "prefix 32,129 is refused");
	ok(prefixes("32,", 0, 0) == -EINVAL, "prefix '32,' is refused");
	ok(prefixes("/32", 0, 0) == -EINVAL, "prefix /32 is refused");
	ok(prefixes("32,64,1", 0, 0) == -EINVAL, "prefix 32,64,1 is refused");
	ok(ladder("10m", 1, 600 * S) == 1, "ladder 10m");
	ok(ladder("10m,1h30m,24h", 3, 86400 * S) == 1, "ladder of three");
	ok(ladder("1s,2s,3s,4s,5s,6s,7s,8s", 8, 8 * S) == 1, "ladder of eight");
	ok(ladder("1s,2s,3s,4s,5s,6s,7s,8s,9s", 0, 0) == -ERANGE,
	   "ladder of nine is refused");
	ok(ladder("", 0, 0) == -EINVAL, "ladder '' is refused");
	ok(ladder("10m,", 0, 0) == -EINVAL, "ladder '10m,' is refused");
	ok(ladder(",10m", 0, 0) == -EINVAL, "ladder ',10m' is refused");
	ok(ladder("10m 1h", 0, 0) == -EINVAL, "ladder '10m 1h' is refused");
}

static void test_names(void)
{
	char longest[65];

	memset(longest, 'a', 64);
	longest[64] = '\0';
	ok(!weir_name_valid(longest), "64 letters are not a name");
	longest[63] = '\0';
	ok(weir_name_valid(longest), "63 letters are a name");
	ok(weir_name_valid("0"), "a digit is a name");
	ok(weir_name_valid("a.b_c-D9"), "a.b_c-D9 is a name");
	ok(!weir_name_valid(""), "an empty text is not a name");
	ok(!weir_name_valid(".a"), ".a is not a name");
	ok(!weir_name_valid("-a"), "-a is not a name");
	ok(!weir_name_valid("a/b"), "a/b is not a name");
	ok(!weir_name_valid("a b"), "'a b' is not a name");
	ok(!weir_name_valid("\xc3\xa9"), "a letter beyond ASCII is not a name");
	ok(weir_parse_kind("limiter") == WEIR_KIND_LIMITER, "limiter is a kind");
	ok(weir_parse_kind("limit") == -1 && errno == EINVAL,
	   "limit is not a kind");
	ok(weir_parse_kind("") == -1, "an empty text is not a kind");
	ok(!weir_kind_name(0) && !weir_kind_name(-1) && !weir_kind_name(99),
	   "unknown numbers have no name");
	ok(weir_parse_key_type("none") == WEIR_KEY_NONE, "none is a key type");
	ok(!strcmp(weir_verdict_name(WEIR_FULL), "full"), "full is a verdict");
	ok(!strcmp(weir_verdict_name(WEIR_QUEUED), "queued"), "queued is a verdict");
}

int main(void)
{
	test_numbers();
	test_durations();
	test_rates();
	test_lists();
	test_names();
	return tap_done();
}
