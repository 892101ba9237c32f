// SPDX-License-Identifier: GPL-2.0-only
/*
 * A debugger kept its attachments in one map that all processes read, changed and wrote back
 * whole. The last writer won, and the other attachments were lost. Breakpoints were overwritten
 * in the same way.
 *
 * Here 100 processes attach and detach, each with another key, and at the end exactly the right
 * ones are attached. Then all 100 set breakpoints in one value. An update of an old version fails,
 * no successful update is lost, and the versions count the updates.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER		"scenario-05-attachments"
#define BREAKPOINTS	"scenario-05-breakpoints"
#define MAX		100

static unsigned int rounds;

/* ---- the broken pattern: one map, read, changed and written back ------------------ */

struct map {
	uint8_t attached[MAX];
};

static int change_the_map(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile struct map *map = arg;
	struct map mine;

	(void)crowd;
	mine = *map;
	gap();
	mine.attached[me] = 1;
	*map = mine;
	return 0;
}

static void show_the_lost(unsigned int processes)
{
	struct map *map = shared_memory(sizeof(*map));
	struct crowd *crowd = crowd_make(processes);
	unsigned int attached = 0;

	crowd_run(crowd, change_the_map, map);
	for (unsigned int i = 0; i < processes; i++)
		attached += map->attached[i];
	tap_note("one map, read and written back: %u of %u attachments were lost",
		 processes - attached, processes);
	crowd_free(crowd);
}

/* ---- attach and detach ------------------------------------------------------------ */

/* Members with an odd number are detached at the end. */
static bool stays(unsigned int member)
{
	return member % 2 == 0;
}

/*
 * Attachments are detached leases: the process that attaches may end before the process that
 * detaches.
 */
static int attach_and_detach(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct weir_op op;
	uint32_t value;
	char key[32];

	(void)arg;
	snprintf(key, sizeof(key), "session-%u", me);
	for (unsigned int i = 0; i < rounds; i++) {
		value = me * rounds + i;
		if (lease_post(&r, key, &value, sizeof(value), 0, &op))
			return 1;
		if (lease_post(&r, key, &value, sizeof(value), 0, NULL) != -EEXIST)
			return 2;
		crowd->seat[me].tally[0] = op.version;
		crowd->seat[me].done++;
		if (stays(me) && i == rounds - 1)
			break;
		/* every other time by version, which is all that the process knows */
		if (lease_remove(&r, key, i % 2 ? op.version : 0))
			return 3;
	}
	return 0;
}

/* The number of listed attachments that are as their member left them; others count as -1. */
static int attachments_good(const struct roster *r, const struct crowd *crowd)
{
	static struct roster_list list;
	const struct weir_lease_info *info;
	unsigned int member;
	uint32_t value;
	char key[32];
	int good = 0;

	roster_list_begin(&list, r);
	while ((info = roster_list_next(&list))) {
		snprintf(key, sizeof(key), "%.*s", info->key_len, (const char *)info->data);
		member = atoi(key + strlen("session-"));
		memcpy(&value, lease_value(info), sizeof(value));
		if (member >= crowd->size || !stays(member) ||
		    value != member * rounds + rounds - 1 ||
		    info->version != crowd->seat[member].tally[0])
			return -1;
		good++;
	}
	return good;
}

static void right_set(unsigned int processes)
{
	struct roster r = roster_make(ROSTER, MAX, 0);
	struct crowd *crowd = crowd_make(processes);
	struct weir_roster_stats stats;
	const unsigned int left = (processes + 1) / 2;

	tap_is(crowd_run(crowd, attach_and_detach, NULL), 0,
	       "%u processes attach and detach %u times", processes, rounds);
	tap_is(attachments_good(&r, crowd), left,
	       "exactly the %u are attached that did not detach", left);
	stats = roster_stats(&r);
	tap_is(stats.members, left, "the totals of the roster say so");
	tap_is(stats.claimed, crowd_done(crowd), "every attachment was counted");
	tap_is(stats.removed, crowd_done(crowd) - left, "every detachment was counted");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(crowd);
}

/* ---- breakpoints in one value ----------------------------------------------------- */

struct breakpoints {
	uint16_t set[MAX];	/* breakpoints by member */
};

/* Read, change, write back. Start again if another process was first. */
static int set_breakpoints(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(BREAKPOINTS);
	struct seat *seat = &crowd->seat[me];
	struct breakpoints all;
	struct weir_op op, after;

	(void)arg;
	while (seat->done < rounds) {
		if (lease_get(&r, "all", &all, sizeof(all), &op))
			return 1;
		if (all.set[me] != seat->done)
			return 2;	/* one breakpoint of this process is lost */
		all.set[me]++;
		switch (lease_replace(&r, "all", &all, sizeof(all), op.version, &after)) {
		case 0:
			if (after.version <= op.version)
				return 3;
			seat->done++;
			break;
		case -ESTALE:
			/* the answer has the present version */
			if (after.version <= op.version)
				return 4;
			seat->tally[0]++;
			break;
		default:
			return 5;
		}
	}
	return 0;
}

static void no_success_lost(unsigned int processes)
{
	const uint64_t successes = (uint64_t)processes * rounds;
	struct roster r = roster_make(BREAKPOINTS, 1, 0);
	struct crowd *crowd = crowd_make(processes);
	struct breakpoints all = { 0 };
	unsigned int wrong = 0;
	struct weir_op first, last;

	if (lease_post(&r, "all", &all, sizeof(all), 0, &first))
		tap_bail("cannot post the breakpoints");
	tap_is(crowd_run(crowd, set_breakpoints, NULL), 0,
	       "%u processes set %u breakpoints in one value", processes, rounds);
	if (lease_get(&r, "all", &all, sizeof(all), &last))
		tap_bail("cannot read the breakpoints");
	for (unsigned int i = 0; i < processes; i++)
		wrong += all.set[i] != rounds;
	tap_note("%llu updates named an old version and failed",
		 (unsigned long long)crowd_tally(crowd, 0));
	tap_is(wrong, 0, "no success was lost");
	tap_is(last.version - first.version, successes, "the versions count the successes");
	tap_is(roster_stats(&r).replaced, successes, "so do the totals");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(crowd);
}

int main(void)
{
	const unsigned int processes = tap_scaled(MAX, 5);

	tap_begin("one shared map: read, change and write back; then weir");
	rounds = tap_scaled(100, 5);
	show_the_lost(processes);
	right_set(processes);
	no_success_lost(processes);
	return tap_end();
}
