// SPDX-License-Identifier: GPL-2.0-only
/* Runs all measurements and prints one table: "group|name|instructions per operation". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define ROUNDS	20
#define CALLS	200	/* in a round */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

double bench_cost(bench_call call, void *arg, unsigned int ops)
{
	uint64_t least = UINT64_MAX, i = 0, since, took;

	for (int round = 0; round <= ROUNDS; round++) {
		since = now();
		for (int n = 0; n < CALLS; n++)
			call(arg, i++);
		took = now() - since;
		if (round && took < least)	/* the first one warms up */
			least = took;
	}
	return (double)least / CALLS / ops;
}

void bench_figure(const char *group, const char *name, double figure)
{
	printf("%s|%s|%.0f\n", group, name, figure);
	fflush(stdout);
}

void bench_row(const char *group, const char *name, bench_call call, void *arg,
	       unsigned int ops)
{
	bench_figure(group, name, bench_cost(call, arg, ops));
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
} areas[] = {
	{ "kernel", bench_kernel }, { "weir", bench_weir }, { "peer", bench_peers },
	{ "packet", bench_packet }, { "redis", bench_redis }, { "memory", bench_memory },
	{ "scale", bench_scale },
};

/* All areas, or those that are named. */
int main(int argc, char **argv)
{
	for (unsigned int i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		bool wanted = argc < 2;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], areas[i].name);
		if (wanted)
			areas[i].measure();
	}
	return 0;
}
