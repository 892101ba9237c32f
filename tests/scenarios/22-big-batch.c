// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thousands of entries were registered in one go. With one lock, all other calls waited for it.
 * Without a lock, a failure in the middle left the earlier entries behind.
 *
 * Here BATCH leases are claimed in one submission. If one of the keys is taken, or there is no
 * room, none is made. Two other processes use other keys of the same roster meanwhile, on the other
 * CPU. If they had to wait for a batch, each would complete one call during it. The first part
 * shows this with a lock around all calls. Their longest call is printed but not checked, because
 * the machine may be shared.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-22-agents"
#define BATCH	WEIR_CLAIMS_MAX
#define OTHERS	2
#define MAX	65536
#define KEYS	512	/* keys of each of the others, used in turn */

/* ---- the broken pattern: one by one ----------------------------------------------- */

static void show_the_rest(void)
{
	uint8_t *there = shared_memory(BATCH);
	unsigned int left = 0;

	there[BATCH / 2] = 1;
	for (unsigned int i = 0; i < BATCH && !there[i]; i++)
		there[i] = 1;
	for (unsigned int i = 0; i < BATCH; i++)
		left += there[i];
	tap_note("one by one, and one of %u was taken: %u were left behind", BATCH, left - 1);
}

/* ---- all or none ------------------------------------------------------------------ */

static struct claim claims[BATCH];

static void claims_make(void)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		snprintf(claims[i].key, sizeof(claims[i].key), "agent-%u", i);
		claims[i].value = claims[i].key;
		claims[i].length = strlen(claims[i].key);
	}
}

static unsigned int found(const struct roster *r)
{
	unsigned int good = 0;
	char value[64];

	for (unsigned int i = 0; i < BATCH; i++)
		good += !lease_get(r, claims[i].key, value, sizeof(value), NULL) &&
			!memcmp(value, claims[i].key, claims[i].length);
	return good;
}

static void remove_all(const struct roster *r)
{
	for (unsigned int i = 0; i < BATCH; i++)
		lease_remove(r, claims[i].key, 0);
}

static void one_is_taken(void)
{
	static const unsigned int members[] = { 0, 1, BATCH / 3, BATCH / 2, BATCH - 1 };
	const unsigned int tries = sizeof(members) / sizeof(members[0]);
	struct roster r = roster_make(ROSTER, MAX, 0), other = roster_enter(ROSTER);
	unsigned int right = 0, left = 0, which;

	for (unsigned int k = 0; k < tries; k++) {
		const unsigned int i = members[k];

		if (lease_claim(&other, claims[i].key, NULL, 0, 0, NULL))
			tap_bail("cannot claim %s", claims[i].key);
		which = BATCH;
		right += leases_claim(&r, claims, BATCH, &which) == -EEXIST && which == i;
		left += roster_stats(&r).members - 1 + found(&r);
		lease_remove(&other, claims[i].key, 0);
	}
	tap_is(right, tries, "%u of them are taken in turn, and the error names it", tries);
	tap_is(left, 0, "none of the others was made");
	tap_is(leases_claim(&r, claims, BATCH, NULL), 0,
	       "when none is taken, all %u are made", BATCH);
	tap_is(found(&r), BATCH, "each has its value");
	tap_is(roster_stats(&r).members, BATCH, "and there are no other leases");
	remove_all(&r);
	tap_is(roster_stats(&r).members, 0, "they can be removed");
	roster_leave(&other);
	roster_end(&r);
}

static void no_room(void)
{
	struct roster r = roster_make(ROSTER, BATCH - 1, 0);

	tap_is(-leases_claim(&r, claims, BATCH, NULL), ENOSPC, "there is room for all but one");
	tap_is(roster_stats(&r).members, 0, "no lease was made");
	roster_end(&r);
}

/* A lock around all calls in the first part; later NULL. */
static pthread_mutex_t *lock;

static void lock_make(void)
{
	pthread_mutexattr_t attr;

	lock = shared_memory(sizeof(*lock));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(lock, &attr);
}

static void enter(void)
{
	if (lock)
		pthread_mutex_lock(lock);
}

static void leave(void)
{
	if (lock)
		pthread_mutex_unlock(lock);
}

static void stay_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("cannot stay on processor %u", cpu);
}

static unsigned int processors(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

/* results of the others, in their tally: ns of their longest call */
enum { LONGEST };
/* results of the process with the batches */
enum { MEANWHILE, LONGEST_BATCH };

static int work_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	uint64_t begun = 0, took;
	char key[32];
	int ret = 0;

	(void)arg;
	stay_on(1);
	for (unsigned int i = 0; !crowd->flag && !ret; i++) {
		snprintf(key, sizeof(key), "other-%u-%u", me, i / 3 % KEYS);
		begun = now_ns();
		enter();
		if (i % 3 == 0)
			ret = lease_claim(&r, key, NULL, 0, 0, NULL);
		else if (i % 3 == 1)
			ret = lease_get(&r, key, NULL, 0, NULL);
		else
			ret = lease_remove(&r, key, 0);
		leave();
		seat->done++;
		took = now_ns() - begun;
		if (took > seat->tally[LONGEST])
			seat->tally[LONGEST] = took;
	}
	return ret ? 1 : 0;
}

/* Claim batch after batch. Count the calls that the others complete during one. */
static int claim_batches(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct crowd *others = arg;
	struct seat *seat = &crowd->seat[me];
	struct roster r = roster_enter(ROSTER);
	uint64_t before, begun, took;

	stay_on(0);
	while (seat->done < crowd->flag) {
		enter();
		before = crowd_done(others);
		begun = now_ns();
		if (leases_claim(&r, claims, BATCH, NULL))
			return 1;
		took = now_ns() - begun;
		seat->tally[MEANWHILE] += crowd_done(others) - before;
		leave();
		if (took > seat->tally[LONGEST_BATCH])
			seat->tally[LONGEST_BATCH] = took;
		remove_all(&r);
		seat->done++;
	}
	return 0;
}

struct outcome {
	unsigned int failed;
	uint64_t meanwhile, others, longest_batch, longest;
};

static struct outcome race(unsigned int batches)
{
	struct crowd *others = crowd_make(OTHERS), *one = crowd_make(1);
	struct outcome o = { 0 };

	one->flag = batches;
	crowd_spawn(others, work_on, NULL);
	crowd_start(others);
	o.failed = crowd_run(one, claim_batches, others);
	others->flag = 1;
	o.failed += crowd_wait(others);
	o.meanwhile = one->seat[0].tally[MEANWHILE];
	o.longest_batch = one->seat[0].tally[LONGEST_BATCH];
	for (unsigned int i = 0; i < OTHERS; i++) {
		o.others += others->seat[i].done;
		if (others->seat[i].tally[LONGEST] > o.longest)
			o.longest = others->seat[i].tally[LONGEST];
	}
	crowd_free(others);
	crowd_free(one);
	return o;
}

static void show_the_lock(unsigned int batches)
{
	struct roster r = roster_make(ROSTER, MAX, 0);
	struct outcome o;

	lock_make();
	o = race(batches);
	lock = NULL;
	tap_note("behind one lock: %.1f calls of others done in a batch, the longest took %llu us",
		 (double)o.meanwhile / batches, (unsigned long long)o.longest / 1000);
	roster_end(&r);
}

static void others_go_on(unsigned int batches)
{
	struct roster r = roster_make(ROSTER, MAX, 0);
	struct outcome o = race(batches);

	tap_is(o.failed, 0, "%u batches, while two others claim, read and remove",
	       batches);
	tap_note("the longest batch took %llu us; the longest of %llu other calls %llu us",
		 (unsigned long long)o.longest_batch / 1000, (unsigned long long)o.others,
		 (unsigned long long)o.longest / 1000);
	tap_note("they completed %.1f calls in a batch", (double)o.meanwhile / batches);
	tap_ok(o.meanwhile > (uint64_t)batches * OTHERS,
	       "more than one each during a batch: they do not wait for its end");
	tap_is(roster_stats(&r).refused, 0, "nothing was refused");
	tap_ok(roster_end(&r), "the roster is gone");
}

int main(void)
{
	const unsigned int batches = tap_scaled(200, 20);

	tap_begin("many at once: all or none, and other callers do not wait");
	tap_note("batches of %u", BATCH);
	claims_make();
	show_the_rest();
	one_is_taken();
	no_room();
	if (processors() > 1) {
		show_the_lock(batches);
		others_go_on(batches);
	} else {
		tap_skip("there is one processor", "the others need another CPU");
	}
	return tap_end();
}
