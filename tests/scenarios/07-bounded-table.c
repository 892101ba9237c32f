// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache compared its size with the maximum, then inserted. Two callers did this at the same time,
 * and the cache held 101 entries of at most 100.
 *
 * Here 64 processes use 10,000 different keys with a limiter of at most 100, while a reader reads
 * its totals. Then keys are added and removed, so that the last slot is taken and released
 * repeatedly. The same is done with a roster of at most 100.
 */

#include <errno.h>
#include <stdio.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-07-sessions"
#define ROSTER	"scenario-07-cache"
#define MAX	100
#define PROCESSES 64

static unsigned int keys;

static int compare_then_insert(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile uint32_t *size = arg;

	(void)me;
	for (unsigned int key = 0; key < keys / PROCESSES; key++) {
		if (*size >= MAX)
			continue;
		gap();
		__atomic_add_fetch(size, 1, __ATOMIC_RELAXED);
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_overflow(void)
{
	uint32_t *size = shared_memory(sizeof(*size));
	struct crowd *crowd = crowd_make(PROCESSES);

	crowd_run(crowd, compare_then_insert, size);
	tap_note("compare, then insert: %u entries of at most %u", *size, MAX);
	crowd_free(crowd);
}

/* ---- a table of either kind -------------------------------------------------------- */

struct table {
	bool leased;
	struct weir *weir;
	struct weir_limiter *limiter;
	struct roster roster;
};

static bool table_enter(struct table *t, bool leased)
{
	*t = (struct table){ .leased = leased };
	if (leased) {
		t->roster = roster_enter(ROSTER);
		return t->roster.fd >= 0;
	}
	t->weir = weir_open(0);
	t->limiter = t->weir ? weir_limiter_open(t->weir, LIMITER, WEIR_RIGHT_ALL) : NULL;
	return t->limiter;
}

static void table_leave(struct table *t)
{
	if (t->leased) {
		roster_leave(&t->roster);
		return;
	}
	weir_limiter_close(t->limiter);
	weir_close(t->weir);
}

enum brought { IN, REFUSED, NEITHER };

static void lease_key(char *key, size_t size, uint64_t number)
{
	snprintf(key, size, "entry-%llu", (unsigned long long)number);
}

/* A detached lease stays when the process that made it ends. */
static enum brought bring_lease(struct table *t, uint64_t number)
{
	char key[32];
	int ret;

	lease_key(key, sizeof(key), number);
	ret = lease_post(&t->roster, key, &number, sizeof(number), 0, NULL);
	return !ret ? IN : ret == -ENOSPC ? REFUSED : NEITHER;
}

static enum brought bring(struct table *t, uint64_t number)
{
	struct weir_key key;

	if (t->leased)
		return bring_lease(t, number);
	weir_key_u64(&key, number);
	switch (weir_limiter_check(t->limiter, &key, 1, NULL)) {
	case WEIR_ALLOWED:
		return IN;
	case WEIR_FULL:
		return REFUSED;
	default:
		return NEITHER;
	}
}

static bool drop(struct table *t, uint64_t number)
{
	struct weir_key key;
	char text[32];

	if (t->leased) {
		lease_key(text, sizeof(text), number);
		return !lease_remove(&t->roster, text, 0);
	}
	weir_key_u64(&key, number);
	return !weir_limiter_forget(t->limiter, &key);
}

static uint64_t size_of(struct table *t)
{
	return t->leased ? roster_stats(&t->roster).members : limiter_stats(t->limiter).keys;
}

static uint64_t refusals(struct table *t)
{
	return t->leased ? roster_stats(&t->roster).full : limiter_stats(t->limiter).full;
}

static unsigned int listed(struct table *t)
{
	static struct roster_list list;
	const struct weir_entry *entry;
	struct weir_entries *entries;
	unsigned int count = 0;

	if (t->leased) {
		roster_list_begin(&list, &t->roster);
		while (roster_list_next(&list))
			count++;
		return count;
	}
	entries = weir_entries_open(t->limiter, 0);
	while (entries && weir_entries_next(entries, &entry) == 1)
		count++;
	weir_entries_close(entries);
	return count;
}

/* ---- many keys at once ------------------------------------------------------------ */

static int insert(struct crowd *crowd, unsigned int me, void *arg)
{
	const bool *leased = arg;
	struct seat *seat = &crowd->seat[me];
	struct table t;

	if (!table_enter(&t, *leased))
		return 1;
	for (unsigned int i = me; i < keys; i += PROCESSES) {
		enum brought brought = bring(&t, i);

		if (brought == NEITHER)
			return 2;
		seat->done += brought == IN;
		seat->tally[0] += brought == REFUSED;
	}
	return 0;
}

/* The highest number of keys seen during the run. */
static uint64_t most_seen(struct table *t, struct crowd *crowd)
{
	uint64_t most = 0;

	do {
		uint64_t now = size_of(t);

		if (now > most)
			most = now;
	} while (crowd_done(crowd) + crowd_tally(crowd, 0) < keys);
	return most;
}

static void more_than_fit(struct table *t)
{
	struct crowd *crowd = crowd_make(PROCESSES);
	unsigned int dropped = 0;

	crowd_spawn(crowd, insert, &t->leased);
	crowd_start(crowd);
	tap_ok(most_seen(t, crowd) <= MAX, "no reader saw more than %u", MAX);
	tap_is(crowd_wait(crowd), 0, "every call was answered");
	tap_is(crowd_done(crowd), MAX, "%u keys were accepted", MAX);
	tap_is(crowd_tally(crowd, 0), keys - MAX, "all others were refused");
	tap_is(refusals(t), keys - MAX, "and every refusal was counted");
	tap_is(size_of(t), MAX, "the totals say so");
	tap_is(listed(t), MAX, "the list says so");
	for (unsigned int i = 0; i < keys; i++)
		dropped += drop(t, i);
	tap_is(dropped, MAX, "they can be dropped");
	tap_is(size_of(t), 0, "all of them were dropped");
	crowd_free(crowd);
}

/* ---- the last slot ----------------------------------------------------------------- */

#define HELD	3	/* by each process: 192 in all, if they fitted */

/* Release the oldest key, add a new one, and read the number of keys. */
static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	const bool *leased = arg;
	struct seat *seat = &crowd->seat[me];
	bool held[HELD] = { false };
	uint64_t key[HELD] = { 0 };
	struct table t;

	if (!table_enter(&t, *leased))
		return 1;
	for (unsigned int i = 0; i < keys / PROCESSES; i++) {
		unsigned int at = i % HELD;
		uint64_t now;

		if (held[at] && !drop(&t, key[at]))
			return 2;
		key[at] = i * PROCESSES + me;
		held[at] = bring(&t, key[at]) == IN;
		if (!held[at])
			continue;
		now = size_of(&t);
		if (now > seat->tally[0])
			seat->tally[0] = now;
	}
	for (unsigned int at = 0; at < HELD; at++)
		seat->done += held[at];
	return 0;
}

static void last_place_again_and_again(struct table *t)
{
	struct crowd *crowd = crowd_make(PROCESSES);
	uint64_t most = 0;

	tap_is(crowd_run(crowd, come_and_go, &t->leased), 0, "keys come and go");
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (crowd->seat[i].tally[0] > most)
			most = crowd->seat[i].tally[0];
	tap_is(most, MAX, "the table was full, and never had more");
	tap_is(size_of(t), crowd_done(crowd), "it contains what the processes hold");
	crowd_free(crowd);
}

static void at_most_100(bool leased)
{
	struct table t;

	if (!table_enter(&t, leased))
		tap_bail("cannot open the objects");
	tap_note("%u processes use %u keys with a %s of at most %u", PROCESSES, keys,
		 leased ? "roster" : "limiter", MAX);
	more_than_fit(&t);
	last_place_again_and_again(&t);
	table_leave(&t);
}

int main(void)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 10, .period = DAY,
		.max_keys = MAX,
	};
	struct weir_limiter *sessions;
	struct roster cache;
	struct weir *weir;

	tap_begin("at most 100 is at most 100: compare-then-insert against weir");
	weir = service_connect();
	keys = tap_scaled(10000, 4);
	show_the_overflow();
	sessions = service_limiter(weir, LIMITER, &config);
	at_most_100(false);
	tap_ok(limiter_end(sessions), "the limiter is gone");
	cache = roster_make(ROSTER, MAX, 0);
	at_most_100(true);
	tap_ok(roster_end(&cache), "the roster is gone");
	weir_close(weir);
	return tap_end();
}
