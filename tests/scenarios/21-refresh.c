// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache compared an entry's time with the clock, then deleted it. The entry had been
 * refreshed in between, and the new value was lost. Other readers got a value whose time was
 * over.
 *
 * Here entries are refreshed just when they expire, for as long as tap_seconds() says; rivals
 * claim them as soon as they have expired, and readers read them. Each records its answers,
 * with the earliest and the latest possible end: no reader gets an expired value or an older
 * one than the present one, and no refresh is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-21-cache"
#define KEYS	3
#define BRIEF	(2 * MS)
#define NOTES	1024

/* ---- the broken pattern: is it over? then delete it ------------------------------- */

struct entry {
	volatile uint32_t there, time, clock, deleting;
};

static int delete_what_is_over(struct crowd *crowd, unsigned int me, void *arg)
{
	struct entry *entry = arg;

	(void)me;
	while (!crowd->flag) {
		if (!entry->there || entry->time > entry->clock)
			continue;
		gap();
		entry->there = 0;
	}
	return 0;
}

static void show_the_lost(unsigned int refreshes)
{
	struct entry *entry = shared_memory(sizeof(*entry));
	struct crowd *crowd = crowd_make(2);
	unsigned int lost = 0;

	crowd_spawn(crowd, delete_what_is_over, entry);
	crowd_start(crowd);
	for (unsigned int i = 0; i < refreshes; i++) {
		/* its time is up, and it is refreshed */
		entry->clock++;
		gap();
		entry->time = entry->clock + 1;
		entry->there = 1;
		gap();
		lost += !entry->there;
	}
	crowd->flag = 1;
	crowd_wait(crowd);
	tap_note("is it over? then delete it: %u of %u refreshes were lost", lost, refreshes);
	crowd_free(crowd);
}

/* ---- what is known of each value -------------------------------------------------- */

/* Written when the call has returned that put it there. */
struct note {
	_Atomic uint64_t version;	/* 0: being written */
	_Atomic uint64_t least;		/* it lasts until then, */
	_Atomic uint64_t most;		/* and no longer than until then */
};

struct known {
	_Atomic uint64_t newest;	/* version; later ones may be there, earlier ones not */
	struct note notes[NOTES];
};

struct value {
	uint64_t key, serial, check;
};

static void note_down(struct known *known, uint64_t version, uint64_t begun)
{
	struct note *note = &known->notes[version % NOTES];
	uint64_t newest = known->newest;

	note->version = 0;
	note->least = begun + BRIEF;
	note->most = now_ns() + BRIEF;
	note->version = version;
	while (newest < version &&
	       !atomic_compare_exchange_weak(&known->newest, &newest, version))
		;
}

/* Until when it lasts. Return: false if that is not recorded, or no longer. */
static bool look_up(struct known *known, uint64_t version, uint64_t *least, uint64_t *most)
{
	struct note *note = &known->notes[version % NOTES];

	if (!version || note->version != version)
		return false;
	*least = note->least;
	*most = note->most;
	return note->version == version;
}

/* ---- readers ----------------------------------------------------------------------- */

enum { STALE, LOST, ODD, SEEN };

/* One look at a key, at which what is known before must not be undone. */
static void look(const struct roster *r, struct seat *seat, struct known *known,
		 unsigned int number)
{
	uint64_t newest = known->newest, before = now_ns(), least, most;
	struct value value;
	struct weir_op op;
	char key[16];
	int ret;

	snprintf(key, sizeof(key), "entry-%u", number);
	ret = lease_get(r, key, &value, sizeof(value), &op);
	if (ret == -ENOENT) {
		/* then the newest that was there is over, by the clock read after that */
		if (look_up(known, newest, &least, &most) && now_ns() < least)
			seat->tally[LOST]++;
		return;
	}
	seat->tally[SEEN]++;
	if (ret || op.length != sizeof(value) || value.key != number ||
	    value.check != (value.serial ^ number) || !op.left ||
	    op.left > BRIEF + now_ns() - before)
		seat->tally[ODD]++;
	else if (op.version < newest)
		seat->tally[STALE]++;
	else if (look_up(known, op.version, &least, &most) && before > most)
		seat->tally[STALE]++;
}

static int look_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct known *known = arg;

	for (unsigned int i = 0; !crowd->flag; i++) {
		look(&r, &crowd->seat[me], &known[i % KEYS], i % KEYS);
		/* the totals make what is over go */
		if (i % 256 == 0)
			roster_stats(&r);
	}
	return 0;
}

/* ---- refreshers, and rivals -------------------------------------------------------- */

static void value_make(struct value *value, unsigned int key, uint64_t serial)
{
	*value = (struct value){ .key = key, .serial = serial, .check = serial ^ key };
}

/* Until a moment about which the entry runs out. */
static void nearly(unsigned int *seed)
{
	const uint64_t until = now_ns() + BRIEF * (90 + rand_r(seed) % 15) / 100;

	if (rand_r(seed) % 3 == 0)
		usleep(rand_r(seed) % (2 * BRIEF / 1000));
	else
		while (now_ns() < until)
			gap();
}

static int refresh(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct known *known = (struct known *)arg + me;
	struct seat *seat = &crowd->seat[me];
	unsigned int seed = me + 1;
	struct value value;
	struct weir_op op;
	char key[16];

	snprintf(key, sizeof(key), "entry-%u", me);
	for (uint64_t serial = 1; !crowd->flag; serial++) {
		uint64_t begun = now_ns();
		int ret;

		value_make(&value, me, serial);
		ret = lease_put(&r, key, &value, sizeof(value), BRIEF, &op);
		if (!ret) {
			note_down(known, op.version, begun);
			seat->done++;
			look(&r, seat, known, me);
		} else if (ret != -EEXIST) {
			return 1;
		}
		nearly(&seed);
	}
	return 0;
}

enum { TOO_EARLY = LOST, FOUND_THERE = SEEN };

/* Claim what has expired, and nothing that was refreshed. */
static int take_over(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	uint64_t newest, begun, least, most;
	struct known *known;
	struct value value;
	struct weir_op op;
	char key[16];

	for (uint64_t serial = 1; !crowd->flag; serial++) {
		unsigned int number = serial % KEYS;

		known = (struct known *)arg + number;
		snprintf(key, sizeof(key), "entry-%u", number);
		value_make(&value, number, serial);
		newest = known->newest;
		begun = now_ns();
		switch (lease_claim(&r, key, &value, sizeof(value), BRIEF, &op)) {
		case 0:
			if (look_up(known, newest, &least, &most) && now_ns() < least)
				seat->tally[TOO_EARLY]++;
			note_down(known, op.version, begun);
			seat->done++;
			break;
		case -EEXIST:
			seat->tally[FOUND_THERE]++;
			break;
		default:
			return 1;
		}
		/* so that the other one gets it back some day */
		if (serial % 1000 == 0)
			usleep(3 * BRIEF / 1000);
	}
	return 0;
}

/* ---- all of it -------------------------------------------------------------------- */

static unsigned int stop(struct crowd *crowd)
{
	crowd->flag = 1;
	return crowd_wait(crowd);
}

static void judge(const struct crowd *owners, const struct crowd *rivals,
		  const struct crowd *readers)
{
	tap_note("%llu refreshes, %llu taken over, %llu values read",
		 (unsigned long long)crowd_done(owners),
		 (unsigned long long)crowd_done(rivals),
		 (unsigned long long)crowd_tally(readers, SEEN));
	tap_is(crowd_tally(readers, STALE) + crowd_tally(owners, STALE), 0,
	       "no reader got an expired value, or an older one than the present");
	tap_is(crowd_tally(readers, LOST) + crowd_tally(owners, LOST), 0,
	       "no refreshed value was gone before its time was up");
	tap_is(crowd_tally(rivals, TOO_EARLY), 0, "none was taken over before that");
	tap_is(crowd_tally(readers, ODD) + crowd_tally(owners, ODD), 0, "each was whole");
	tap_ok(crowd_done(owners) && crowd_done(rivals) && crowd_tally(readers, SEEN) &&
	       crowd_tally(rivals, FOUND_THERE), "all kinds of processes succeeded");
}

int main(void)
{
	struct crowd *owners = crowd_make(KEYS), *rivals = crowd_make(1);
	struct crowd *readers = crowd_make(2);
	struct known *known = shared_memory(KEYS * sizeof(*known));
	const unsigned int seconds = tap_seconds();
	struct weir_roster_stats stats;
	struct roster r;

	tap_begin("an entry is over or refreshed, nothing in between");
	show_the_lost(tap_scaled(2000, 10));
	r = roster_make(ROSTER, KEYS, 0);
	tap_note("for %u s", seconds);
	crowd_spawn(owners, refresh, known);
	crowd_start(owners);
	crowd_spawn(rivals, take_over, known);
	crowd_start(rivals);
	crowd_spawn(readers, look_on, known);
	crowd_start(readers);
	sleep(seconds);
	/* the leases of an owner end with it, so that owners end last */
	tap_is(stop(readers) + stop(rivals) + stop(owners), 0, "all processes did their work");
	judge(owners, rivals, readers);
	stats = roster_stats(&r);
	tap_is(stats.claimed + stats.replaced, crowd_done(owners) + crowd_done(rivals),
	       "each value was counted");
	tap_is(stats.claimed, stats.lost + stats.members, "and each end");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(owners);
	crowd_free(rivals);
	crowd_free(readers);
	return tap_end();
}
