// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache compared its size with the maximum, then inserted: two callers did so
 * at once, and it held 101 of at most 100.
 *
 * Here 64 processes bring 10,000 distinct keys to a limiter of at most 100, and a
 * reader looks all the while. Then keys come and go, so that the last place is
 * taken and given back again and again.
 */

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-07-sessions"
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

static int insert(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_limiter *sessions;
	struct weir_key key;

	(void)arg;
	if (!weir)
		return 1;
	sessions = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_USE);
	if (!sessions)
		return 2;
	for (unsigned int i = me; i < keys; i += PROCESSES) {
		weir_key_u64(&key, i);
		switch (weir_limiter_check(sessions, &key, 1, NULL)) {
		case WEIR_ALLOWED:
			seat->done++;
			break;
		case WEIR_FULL:
			seat->tally[0]++;
			break;
		default:
			return 3;
		}
	}
	return 0;
}

#define HELD	3	/* by each process: 192 in all, did they fit */

/* Let go of the key held longest, bring a new one, and look how many there are. */
static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_limiter *sessions;
	struct weir_key key[HELD];
	bool held[HELD] = { false };

	(void)arg;
	if (!weir)
		return 1;
	sessions = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
	if (!sessions)
		return 2;
	for (unsigned int i = 0; i < keys / PROCESSES; i++) {
		unsigned int at = i % HELD;
		uint64_t now;

		if (held[at] && weir_limiter_forget(sessions, &key[at]))
			return 3;
		weir_key_u64(&key[at], i * PROCESSES + me);
		held[at] = weir_limiter_check(sessions, &key[at], 1, NULL) ==
			   WEIR_ALLOWED;
		if (!held[at])
			continue;
		now = limiter_stats(sessions).keys;
		if (now > seat->tally[0])
			seat->tally[0] = now;
	}
	for (unsigned int at = 0; at < HELD; at++)
		seat->done += held[at];
	return 0;
}

static void last_place_again_and_again(struct weir_limiter *sessions)
{
	struct crowd *crowd = crowd_make(PROCESSES);
	uint64_t most = 0;

	crowd_spawn(crowd, come_and_go, NULL);
	crowd_start(crowd);
	tap_is(crowd_wait(crowd), 0, "keys come and go");
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (crowd->seat[i].tally[0] > most)
			most = crowd->seat[i].tally[0];
	tap_is(most, MAX, "the table was full, and never fuller than that");
	tap_is(limiter_stats(sessions).keys, crowd_done(crowd),
	       "what is in it is what they hold");
	crowd_free(crowd);
}

/* The most keys anybody ever saw while the crowd was at work. */
static uint64_t most_seen(struct weir_limiter *sessions, struct crowd *crowd)
{
	uint64_t most = 0;

	do {
		uint64_t now = limiter_stats(sessions).keys;

		if (now > most)
			most = now;
	} while (crowd_done(crowd) + crowd_tally(crowd, 0) < keys);
	return most;
}

int main(void)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 10, .period = DAY,
		.max_keys = MAX,
	};
	const struct weir_entry *entry;
	struct weir_limiter *sessions;
	struct weir_limiter_stats stats;
	struct weir_entries *entries;
	struct crowd *crowd;
	struct weir *weir;
	unsigned int listed = 0;

	tap_begin("at most 100 is at most 100: compare-then-insert against weir");
	weir = service_connect();
	keys = tap_scaled(10000, 4);
	show_the_overflow();
	tap_note("%u processes bring %u keys to a table of %u", PROCESSES, keys,
		 MAX);
	sessions = service_limiter(weir, LIMITER, &config);
	crowd = crowd_make(PROCESSES);
	crowd_spawn(crowd, insert, NULL);
	crowd_start(crowd);
	tap_ok(most_seen(sessions, crowd) <= MAX, "nobody ever saw more than %u",
	       MAX);
	tap_is(crowd_wait(crowd), 0, "every key got an answer");
	tap_is(crowd_done(crowd), MAX, "%u keys were let in", MAX);
	tap_is(crowd_tally(crowd, 0), keys - MAX, "all others were refused");
	stats = limiter_stats(sessions);
	tap_is(stats.full, keys - MAX, "and every refusal was counted");
	tap_is(stats.keys, MAX, "the table says so");
	entries = weir_entries_open(sessions, 0);
	while (entries && weir_entries_next(entries, &entry) == 1)
		listed++;
	tap_is(listed, MAX, "so does its list");
	weir_entries_close(entries);
	while (keys--) {
		struct weir_key key;

		weir_key_u64(&key, keys);
		weir_limiter_forget(sessions, &key);
	}
	tap_is(limiter_stats(sessions).keys, 0, "it can be emptied");
	keys = tap_scaled(10000, 4);
	last_place_again_and_again(sessions);
	tap_ok(limiter_end(sessions), "the limiter is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
