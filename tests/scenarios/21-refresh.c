// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache compared an entry's expiry time with the clock, then deleted the entry. The entry had
 * been refreshed in between, and the new value was lost. Other readers got an expired value.
 *
 * Here entries are refreshed just when they expire. Other processes claim them as soon as they have
 * expired, and readers read them. Each process records its answers, with the earliest and the
 * latest possible end of a value. No reader gets an expired value or one older than the present
 * value, and no refresh is lost. This runs for tap_seconds().
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

/* ---- the broken pattern: has it expired? then delete it ----------------------------- */

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
		/* it expires, and is refreshed */
		entry->clock++;
		gap();
		entry->time = entry->clock + 1;
		entry->there = 1;
		gap();
		lost += !entry->there;
	}
	crowd->flag = 1;
	crowd_wait(crowd);
	tap_note("has it expired? then delete it: %u of %u refreshes were lost", lost, refreshes);
	crowd_free(crowd);
}

/* ---- the record of each value -------------------------------------------------------- */

/*
 * What is known of a value that was set. The writer fills it in after the call has returned, so
 * readers may see the value before its note.
 */
struct note {
	_Atomic uint64_t version;	/* 0: being written */
	_Atomic uint64_t least;		/* the value lasts at least until this time */
	_Atomic uint64_t most;		/* and at most until this time */
};

struct known {
	_Atomic uint64_t newest;	/* newest known version; earlier ones are gone */
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

/* Until when a version lasts. Return: false if this is not recorded, or no longer. */
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

/* Read a key. The answer must agree with all versions recorded before. */
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
		/* then the newest version has expired by the clock, which is read after that */
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
		/* reading the totals drops expired leases */
		if (i % 256 == 0)
			roster_stats(&r);
	}
	return 0;
}

/* ---- processes that refresh, and processes that take over ---------------------------- */

static void value_make(struct value *value, unsigned int key, uint64_t serial)
{
	*value = (struct value){ .key = key, .serial = serial, .check = serial ^ key };
}

/* Wait until about the time at which the entry expires. */
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

/* Claim keys whose lease has expired, and none that was refreshed. */
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
		/* let the lease expire, so that the other process gets the key */
		if (serial % 1000 == 0)
			usleep(3 * BRIEF / 1000);
	}
	return 0;
}

/* ---- all together ------------------------------------------------------------------- */

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
	       "no reader got an expired value, or one older than the present value");
	tap_is(crowd_tally(readers, LOST) + crowd_tally(owners, LOST), 0,
	       "no refreshed value was gone before its TTL had passed");
	tap_is(crowd_tally(rivals, TOO_EARLY), 0, "none was taken over before its TTL had passed");
	tap_is(crowd_tally(readers, ODD) + crowd_tally(owners, ODD), 0, "each value was whole");
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

	tap_begin("an entry has expired or is refreshed, nothing in between");
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
	/* the leases of an owner end with it, so the owners end last */
	tap_is(stop(readers) + stop(rivals) + stop(owners), 0, "all processes did their work");
	judge(owners, rivals, readers);
	stats = roster_stats(&r);
	tap_is(stats.claimed + stats.replaced, crowd_done(owners) + crowd_done(rivals),
	       "each value was counted");
	tap_is(stats.claimed, stats.lost + stats.members, "and each end was counted");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(owners);
	crowd_free(rivals);
	crowd_free(readers);
	return tap_end();
}
