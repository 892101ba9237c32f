// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a check with few keys, with ten million, and with a full table; and how long the CPU
 * is held while ten million keys are dropped. The figures are means, not minima, because chains
 * differ.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir.h>

#include "bench.h"

#define SECOND	1000000000ULL
#define DEBT	(3600 * SECOND)	/* time of one token: no token comes back during the measurement */
#define SAMPLE	5000	/* number of single checks for the mean */

struct scale {
	struct weir *weir;
	struct weir_limiter *limiter;
	uint32_t keys;
};

static void key_make(struct weir_key *key, uint32_t number)
{
	key->type = WEIR_KEY_IP;
	key->len = sizeof(number);
	memcpy(key->bytes, &number, sizeof(number));
}

static void fill(struct scale *s, uint32_t from, uint32_t to)
{
	static struct weir_op ops[WEIR_BATCH_MAX];
	struct weir_key key;
	unsigned int n = 0;

	for (uint32_t i = from; i < to; i++) {
		key_make(&key, i);
		weir_op_limiter(&ops[n++], s->limiter, WEIR_OP_CHECK, &key, 1);
		if (n < WEIR_BATCH_MAX && i + 1 < to)
			continue;
		if (weir_submit(s->weir, ops, n) != (int)n ||
		    ops[n - 1].verdict != WEIR_ALLOWED)
			bench_die("not all were let in");
		n = 0;
	}
}

/* Mean cost of SAMPLE checks of keys from @first on, @step apart. */
static double mean(struct scale *s, uint32_t first, uint32_t step, int wanted)
{
	struct weir_answer answer;
	struct weir_key key;
	uint64_t since = bench_now();

	for (uint32_t i = 0; i < SAMPLE; i++) {
		key_make(&key, first + i * step);
		if (weir_limiter_check(s->limiter, &key, 1, &answer) != wanted)
			bench_die("not the verdict of this row");
	}
	return (double)(bench_now() - since) / SAMPLE;
}

static void row(const char *what, uint32_t keys, double cost)
{
	printf("scale|%s, %u keys|%.0f\n", what, keys, cost);
	fflush(stdout);
}

static void size_measure(struct scale *s, uint32_t keys)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 1, .period = DEBT,
		.burst = 4, .max_keys = keys,
	};

	s->keys = keys;
	s->limiter = weir_limiter_create(s->weir, "bench-scale", &config, 0600);
	if (!s->limiter)
		bench_die("bench-scale");
	fill(s, 0, keys - SAMPLE);
	row("check, new key", keys, mean(s, keys - SAMPLE, 1, WEIR_ALLOWED));
	row("check, known key, allowed", keys,
	    mean(s, 0, (keys - SAMPLE) / SAMPLE, WEIR_ALLOWED));
	row("check, new key, table full of debtors", keys,
	    mean(s, keys, 1, WEIR_FULL));
}

static atomic_bool gone;

/* The longest delay of a thread that has priority over all others. */
static void *watch(void *arg)
{
	const struct sched_param priority = { .sched_priority = 50 };
	uint64_t *longest = arg, due, seen;
	struct timespec t;

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority))
		bench_die("SCHED_FIFO");
	while (!gone) {
		due = bench_now() + SECOND / 2000;
		t.tv_sec = (time_t)(due / SECOND);
		t.tv_nsec = (long)(due % SECOND);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		seen = bench_now();
		if (seen - due > *longest)
			*longest = seen - due;
	}
	return NULL;
}

/* @begun: when the first key was charged */
static void expiry_measure(struct scale *s, uint64_t begun)
{
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	uint64_t longest = 0;
	pthread_t watcher;

	sleep((unsigned int)((begun + DEBT - bench_now()) / SECOND));
	if (pthread_create(&watcher, NULL, watch, &longest))
		bench_die("watcher");
	do {
		sleep(1);
		if (weir_limiter_get_stats(s->limiter, &stats) < 0)
			bench_die("stats");
	} while (stats.keys > 2 * SAMPLE);	/* the remaining keys owe more */
	gone = true;
	pthread_join(watcher, NULL);
	printf("scale|longest hold of the processor while %u idle keys go|%llu in a row\n",
	       s->keys, (unsigned long long)longest);
}

static void end(struct scale *s)
{
	weir_limiter_delete(s->limiter);
	weir_limiter_close(s->limiter);
}

void bench_scale(void)
{
	struct scale s = { .weir = weir_open(0) };
	uint64_t begun;

	if (!s.weir)
		bench_die("weir");
	size_measure(&s, 10000);
	end(&s);
	size_measure(&s, 1000000);
	end(&s);
	begun = bench_now();
	size_measure(&s, 10000000);
	expiry_measure(&s, begun);
	end(&s);
	weir_close(s.weir);
}
