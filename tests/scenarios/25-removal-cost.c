// SPDX-License-Identifier: GPL-2.0-only
/*
 * To remove an agent, four lists were searched from their beginning. The more agents there were,
 * the longer this took.
 *
 * Here one lease among a thousand is removed, and one among a million. An agent with four leases
 * ends among the same numbers. Exactly the right leases end, and the cost is the same.
 *
 * The cost is the number of instructions of the whole machine. A machine started with "tests/vm/run
 * --icount" (which sets WEIR_ICOUNT) has a clock that advances by a nanosecond for each
 * instruction, so runs are reproducible. On other machines the scenario checks no cost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-25-agents"
#define FEW	1000
#define MANY	1000000
#define SOME	50000	/* for machines where the cost is not checked */
#define SAMPLE	301
#define PARTS	4
#define WITHIN	20	/* per cent */

/* ---- the broken pattern: search ------------------------------------------------------ */

/* Entries examined to find one agent in four lists, each in another order. */
static unsigned int looked_at(unsigned int agent, unsigned int agents)
{
	static const unsigned int strides[PARTS] = { 7, 11, 13, 17 };
	unsigned int looks = 0;

	for (unsigned int index = 0; index < PARTS; index++)
		for (uint64_t i = 0;; i++) {
			looks++;
			if (i * strides[index] % agents == agent)
				break;
		}
	return looks;
}

static unsigned int search_takes(unsigned int agents)
{
	uint64_t looks = 0;

	for (unsigned int i = 0; i < 10; i++)
		looks += looked_at(agents / 10 * i + 1, agents);
	return looks / 10;
}

static void show_the_search(void)
{
	tap_note("search four lists: %u entries examined among %u agents, %u among %u",
		 search_takes(FEW), FEW, search_takes(MANY), MANY);
}

/* ---- measuring ---------------------------------------------------------------------- */

static bool clock_counts(void)
{
	const char *icount = getenv("WEIR_ICOUNT");

	return icount && !strcmp(icount, "1");
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median, because chains differ, and a timer interrupts some measurements. */
static uint64_t middle(uint64_t *took)
{
	qsort(took, SAMPLE, sizeof(*took), compare);
	return took[SAMPLE / 2];
}

/* The cost of reading the clock. */
static uint64_t nothing_takes(void)
{
	uint64_t took[SAMPLE];

	for (unsigned int i = 0; i < SAMPLE; i++) {
		took[i] = now_ns();
		took[i] = now_ns() - took[i];
	}
	return middle(took);
}

/* ---- agents ----------------------------------------------------------------------- */

static void key_make(char *key, size_t size, unsigned int i)
{
	snprintf(key, size, "agent-%u", i);
}

static void fill(const struct roster *r, unsigned int count)
{
	char key[32];

	for (unsigned int i = 0; i < count; i++) {
		key_make(key, sizeof(key), i);
		if (lease_claim(r, key, &i, sizeof(i), 0, NULL))
			tap_bail("cannot claim %s", key);
	}
}

/* Remove SAMPLE of @count leases, spread over all of them. */
static uint64_t removal_takes(const struct roster *r, unsigned int count, unsigned int *wrong)
{
	const uint64_t members = roster_stats(r).members;
	const unsigned int step = count / SAMPLE;
	uint64_t took[SAMPLE];
	char key[32];

	for (unsigned int i = 0; i < SAMPLE; i++) {
		key_make(key, sizeof(key), i * step);
		took[i] = now_ns();
		*wrong += lease_remove(r, key, 0) != 0;
		took[i] = now_ns() - took[i];
		*wrong += lease_get(r, key, NULL, 0, NULL) != -ENOENT;
		key_make(key, sizeof(key), i * step + 1);
		*wrong += lease_get(r, key, NULL, 0, NULL) != 0;
	}
	*wrong += roster_stats(r).members != members - SAMPLE;
	return middle(took);
}

/* An agent claims name, configuration and two groups, and ends. */
static uint64_t end_takes(const struct roster *r, unsigned int *wrong)
{
	const struct weir_roster_stats before = roster_stats(r);
	struct claim claims[PARTS] = {
		{ .key = "name" }, { .key = "config" }, { .key = "group-a" },
		{ .key = "group-b" },
	};
	uint64_t took[SAMPLE];

	for (unsigned int i = 0; i < SAMPLE; i++) {
		struct roster agent = roster_enter(ROSTER);

		*wrong += leases_claim(&agent, claims, PARTS, NULL) != 0;
		took[i] = now_ns();
		roster_leave(&agent);
		took[i] = now_ns() - took[i];
		for (unsigned int part = 0; part < PARTS; part++)
			*wrong += lease_get(r, claims[part].key, NULL, 0, NULL) != -ENOENT;
	}
	*wrong += roster_stats(r).members != before.members;
	*wrong += roster_stats(r).lost != before.lost + SAMPLE * PARTS;
	return middle(took);
}

struct cost {
	uint64_t removal, end;
};

static struct cost costs(unsigned int count)
{
	const uint64_t nothing = nothing_takes();
	struct roster r = roster_make(ROSTER, count + PARTS, 0);
	unsigned int wrong = 0;
	struct cost cost;

	fill(&r, count);
	cost.removal = removal_takes(&r, count, &wrong) - nothing;
	tap_is(wrong, 0, "of %u, %u are removed: each is gone and no other", count, SAMPLE);
	cost.end = end_takes(&r, &wrong) - nothing;
	tap_is(wrong, 0, "%u agents with %u leases end, and all their leases are gone",
	       SAMPLE, PARTS);
	tap_ok(roster_end(&r), "the roster is gone");
	return cost;
}

static void is_the_same(uint64_t few, uint64_t many, unsigned int count, const char *what)
{
	if (!clock_counts()) {
		tap_skip("this machine's clock counts no instructions", what);
		return;
	}
	tap_note("%s: %llu instructions of %u, %llu of %u", what,
		 (unsigned long long)few, FEW, (unsigned long long)many, count);
	tap_ok(100 * many <= (100 + WITHIN) * few, "%s: the same, within %u %%", what, WITHIN);
}

int main(void)
{
	const unsigned int count = clock_counts() ? MANY : SOME;
	struct cost few, many;

	tap_begin("one lease of a thousand is removed, and one of a million");
	deadline(300);
	show_the_search();
	few = costs(FEW);
	many = costs(count);
	is_the_same(few.removal, many.removal, count, "to remove one lease");
	is_the_same(few.end, many.end, count, "to end an agent with four leases");
	return tap_end();
}
