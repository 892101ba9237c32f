// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakers, through libweir as programs use it. A key without a failure has no entry, so each key
 * has failed once here, and its entry is found.
 */

#include <weir.h>

#include "bench.h"

#define DAY	86400000000000ULL
#define GROUP	"weir"
#define KNOWN	1024

struct bench {
	struct weir *weir;
	struct weir_breaker *plain, *by_key, *percent, *open;
	struct weir_key keys[KNOWN];
};

static void succeed(struct weir_breaker *breaker, const struct weir_key *key)
{
	struct weir_breaker_answer answer;

	if (weir_breaker_allow(breaker, key, 0, &answer) != WEIR_ALLOWED ||
	    weir_breaker_report(breaker, key, answer.ticket, WEIR_CALL_OK, NULL))
		bench_die("breaker");
}

static void succeed_plain(void *arg, uint64_t i)
{
	(void)i;
	succeed(((struct bench *)arg)->plain, NULL);
}

static void succeed_by_key(void *arg, uint64_t i)
{
	struct bench *b = arg;

	succeed(b->by_key, &b->keys[i % KNOWN]);
}

static void succeed_percent(void *arg, uint64_t i)
{
	struct bench *b = arg;

	succeed(b->percent, &b->keys[i % KNOWN]);
}

static void refused(void *arg, uint64_t i)
{
	struct weir_breaker_answer answer;
	struct bench *b = arg;

	if (weir_breaker_allow(b->open, &b->keys[i % KNOWN], 0, &answer) != WEIR_LIMITED)
		bench_die("not the verdict of this row");
}

/* @failures: 0: by percentage */
static struct weir_breaker *breaker_make(struct weir *weir, const char *name,
					 enum weir_key_type type, uint32_t failures)
{
	const struct weir_breaker_config config = {
		.size = sizeof(config), .key_type = type, .failures = failures,
		.percent = failures ? 0 : 50, .within = DAY, .open = { DAY },
		.nopen = 1, .max_keys = type == WEIR_KEY_NONE ? 1 : 1 << 20,
	};
	struct weir_breaker *breaker = weir_breaker_create(weir, name, &config, 0600);

	if (!breaker)
		bench_die(name);
	return breaker;
}

static void fail_once(struct weir_breaker *breaker, const struct weir_key *key)
{
	if (weir_breaker_report(breaker, key, 0, WEIR_CALL_FAILED, NULL))
		bench_die("report");
}

static void setup(struct bench *b)
{
	b->weir = weir_open(0);
	if (!b->weir)
		bench_die("weir");
	b->plain = breaker_make(b->weir, "bench", WEIR_KEY_NONE, 100);
	b->by_key = breaker_make(b->weir, "bench-key", WEIR_KEY_U64, 100);
	b->percent = breaker_make(b->weir, "bench-percent", WEIR_KEY_U64, 0);
	b->open = breaker_make(b->weir, "bench-open", WEIR_KEY_U64, 1);
	fail_once(b->plain, NULL);
	for (unsigned int i = 0; i < KNOWN; i++) {
		weir_key_u64(&b->keys[i], i);
		fail_once(b->by_key, &b->keys[i]);
		fail_once(b->percent, &b->keys[i]);
		fail_once(b->open, &b->keys[i]);
	}
}

/* All keys must still have entries; otherwise the rows measured something else. */
static void known_still(struct weir_breaker *breaker)
{
	struct weir_breaker_stats stats = { .size = sizeof(stats) };

	if (weir_breaker_get_stats(breaker, &stats) < 0 || stats.keys != KNOWN)
		bench_die("keys of a breaker went");
}

void bench_breakers(void)
{
	struct bench b;

	setup(&b);
	bench_row(GROUP, "breaker allow and report, closed, two calls", succeed_plain, &b,
		  1);
	bench_row(GROUP, "breaker by key, the same", succeed_by_key, &b, 1);
	bench_row(GROUP, "breaker by key, by percentage, the same", succeed_percent, &b, 1);
	bench_row(GROUP, "breaker allow, known key, open (refused)", refused, &b, 1);
	known_still(b.by_key);
	known_still(b.percent);
	known_still(b.open);
	weir_close(b.weir);
}
