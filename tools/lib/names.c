// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names of objects, and words for the numbers of the ABI. */

#include <errno.h>
#include <string.h>

#include "internal.h"

WEIR_API int weir_name_valid(const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strspn(name, letters);

	return length && length < WEIR_NAME_SIZE && !name[length] &&
	       !strchr("._-", name[0]);
}

static const char *const kinds[] = {
	[WEIR_KIND_COUNTER] = "counter",
	[WEIR_KIND_LIMITER] = "limiter",
	[WEIR_KIND_GATE] = "gate",
	[WEIR_KIND_BREAKER] = "breaker",
	[WEIR_KIND_ROSTER] = "roster",
};

static const char *const counter_types[] = {
	[WEIR_COUNTER_SUM] = "sum",
	[WEIR_COUNTER_SEQUENCE] = "sequence",
	[WEIR_COUNTER_HISTOGRAM] = "histogram",
};

static const char *const algorithms[] = {
	[WEIR_ALGORITHM_BUCKET] = "bucket",
	[WEIR_ALGORITHM_WINDOW] = "window",
	[WEIR_ALGORITHM_SLIDING] = "sliding",
};

static const char *const key_types[] = {
	[WEIR_KEY_NONE] = "none",
	[WEIR_KEY_U64] = "u64",
	[WEIR_KEY_IP] = "ip",
	[WEIR_KEY_TEXT] = "text",
};

static const char *const when_fulls[] = {
	[WEIR_FULL_REFUSE] = "refuse",
	[WEIR_FULL_ALLOW] = "allow",
};

static const char *const verdicts[] = {
	[WEIR_NONE] = "none",
	[WEIR_ALLOWED] = "allowed",
	[WEIR_LIMITED] = "limited",
	[WEIR_BANNED] = "banned",
	[WEIR_FULL] = "full",
	[WEIR_QUEUED] = "queued",
};

static const char *const breaker_states[] = {
	[WEIR_CLOSED] = "closed",
	[WEIR_OPEN] = "open",
	[WEIR_HALF_OPEN] = "half-open",
};

static const char *const calls[] = {
	[WEIR_CALL_OK] = "ok",
	[WEIR_CALL_FAILED] = "failed",
	[WEIR_CALL_WITHDRAWN] = "withdrawn",
};

static const char *const event_types[] = {
	[WEIR_EVENT_LOST] = "lost",
	[WEIR_EVENT_CREATED] = "created",
	[WEIR_EVENT_CHANGED] = "changed",
	[WEIR_EVENT_DELETED] = "deleted",
	[WEIR_EVENT_BANNED] = "banned",
	[WEIR_EVENT_LIFTED] = "lifted",
	[WEIR_EVENT_TABLE_FULL] = "table-full",
	[WEIR_EVENT_RECORD] = "record",
	[WEIR_EVENT_OPENED] = "opened",
	[WEIR_EVENT_HALF_OPEN] = "half-open",
	[WEIR_EVENT_CLOSED] = "closed",
	[WEIR_EVENT_LEASE_LOST] = "lease-lost",
};

static const char *word(const char *const *words, size_t count, int number)
{
	return number >= 0 && (size_t)number < count ? words[number] : NULL;
}

static int number(const char *const *words, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (words[i] && !strcmp(words[i], name))
			return (int)i;
	errno = EINVAL;
	return -1;
}

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

#define NAME(noun, words)						\
	WEIR_API const char *weir_##noun##_name(int value)		\
	{								\
		return word(words, COUNT(words), value);		\
	}

#define PARSE(noun, words)						\
	WEIR_API int weir_parse_##noun(const char *name)		\
	{								\
		return number(words, COUNT(words), name);		\
	}

NAME(kind, kinds)
NAME(counter_type, counter_types)
NAME(algorithm, algorithms)
NAME(key_type, key_types)
NAME(when_full, when_fulls)
NAME(verdict, verdicts)
NAME(breaker_state, breaker_states)
NAME(event_type, event_types)

PARSE(kind, kinds)
PARSE(counter_type, counter_types)
PARSE(algorithm, algorithms)
PARSE(key_type, key_types)
PARSE(when_full, when_fulls)
PARSE(call, calls)
