// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs all measurements and prints one table: "group|name|instructions per operation"; or the
 * time measurements, each by itself: "group|name|least|median|most", in ns.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS	20
#define CALLS	200	/* calls in a round */
#define MEAN_CALLS 20000
#define TIMED_ROUND 2000000	/* minimum duration of a round in ns, where time is measured */

/* measure time, on a CPU that has other work too */
static bool timed;

uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t calls_take(bench_call call, void *arg, uint64_t *i, uint64_t calls)
{
	uint64_t since = bench_now();

	while (calls--)
		call(arg, (*i)++);
	return bench_now() - since;
}

/* Undo the effect of a round, and wait until memory that this frees is freed. */
static void calls_undo(bench_call undo, void *arg, uint64_t i, uint64_t until)
{
	while (i < until)
		undo(arg, i++);
	sleep(1);
}

/* The cost of one call, in rounds of @calls calls. */
static double cost(bench_call call, bench_call undo, void *arg, unsigned int calls)
{
	uint64_t least = UINT64_MAX, i = 0, took;

	for (int round = 0; round <= ROUNDS; round++) {
		took = calls_take(call, arg, &i, calls);
		if (round && took < least)	/* the first round warms up */
			least = took;
		if (undo)
			calls_undo(undo, arg, i - calls, i);
	}
	return (double)least / calls;
}

double bench_cost(bench_call call, void *arg, unsigned int ops)
{
	return cost(call, NULL, arg, CALLS) / ops;
}

void bench_figure(const char *group, const char *name, double figure)
{
	printf("%s|%s|%.0f\n", group, name, figure);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void bench_spread(const char *group, const char *name, double *values,
		  unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	bench_three(group, name, values[0], values[count / 2], values[count - 1]);
}

void bench_three(const char *group, const char *name, double least, double median,
		 double most)
{
	const double shown[] = { least, median, most };

	printf("%s|%s", group, name);
	for (int i = 0; i < 3; i++)
		printf("|%.*f", shown[i] < 10 ? 2 : shown[i] < 100 ? 1 : 0, shown[i]);
	printf("\n");
	fflush(stdout);
}

static void timed_row(const char *group, const char *name, bench_call call, void *arg,
		      unsigned int ops)
{
	double values[BENCH_TIMED_ROUNDS];
	uint64_t calls = 1, i = 0;

	while (calls_take(call, arg, &i, calls) < TIMED_ROUND)
		calls *= 2;
	for (int round = 0; round < BENCH_TIMED_ROUNDS; round++)
		values[round] = (double)calls_take(call, arg, &i, calls) /
				(double)calls / ops;
	bench_spread(group, name, values, BENCH_TIMED_ROUNDS);
}

void bench_row(const char *group, const char *name, bench_call call, void *arg,
	       unsigned int ops)
{
	if (timed)
		timed_row(group, name, call, arg, ops);
	else
		bench_figure(group, name, bench_cost(call, arg, ops));
}

void bench_row_undone(const char *group, const char *name, bench_call call,
		      bench_call undo, void *arg, unsigned int ops)
{
	bench_figure(group, name, cost(call, undo, arg, BENCH_UNDONE / ops) / ops);
}

void bench_row_mean(const char *group, const char *name, bench_call call, void *arg)
{
	uint64_t i = 0;

	calls_take(call, arg, &i, MEAN_CALLS);
	bench_figure(group, name,
		     (double)calls_take(call, arg, &i, MEAN_CALLS) / MEAN_CALLS);
}

void bench_missing(const char *group, const char *name, const char *why)
{
	printf("%s|%s|- (%s)\n", group, name, why);
}

void bench_die(const char *what)
{
	perror(what);
	exit(2);
}

static const struct {
	const char *name;
	void (*measure)(void);
	bool timed;	/* run only if it is named, because it needs another machine */
} areas[] = {
	{ "kernel", bench_kernel, false }, { "weir", bench_weir, false },
	{ "weir", bench_breakers, false }, { "weir", bench_rosters, false },
	{ "peer", bench_peers, false }, { "peer", bench_lock_files, false },
	{ "packet", bench_packet, false }, { "redis", bench_redis, false },
	{ "redis", bench_redis_lock, false }, { "memory", bench_memory, false },
	{ "scale", bench_scale, false }, { "time-um", bench_time_um, true },
	{ "time-native", bench_time_native, true },
};

/* Run all areas except those of time, or the areas named on the command line. */
int main(int argc, char **argv)
{
	for (unsigned int i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		bool wanted = argc < 2 && !areas[i].timed;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], areas[i].name);
		timed = areas[i].timed;
		if (wanted)
			areas[i].measure();
	}
	return 0;
}
