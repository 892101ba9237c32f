// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session's record was read, its last access was changed, and it was written back over a newer
 * record. A session in use expired, and a session that had ended came back when another process
 * wrote it.
 *
 * Here processes touch sessions that are about to expire, while others drop all expired sessions. A
 * session that was touched does not vanish before its new TTL has passed. Other processes end
 * sessions while some touch versions that they know: an ended session does not come back. Each part
 * runs for tap_seconds().
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

#define ROSTER	"scenario-08-sessions"
#define TOUCHERS 4
#define ENDERS	2
#define BUSYBODIES 2	/* for each process that ends sessions */
#define BRIEF	(2 * MS)

/* ---- the broken pattern: read, change, write back --------------------------------- */

struct record {
	uint32_t access, ended;
};

static int write_back(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile struct record *session = arg;

	for (unsigned int i = 0; i < 2000; i++) {
		struct record mine = *session;

		mine.access++;
		gap();
		crowd->seat[me].tally[0] += session->access >= mine.access;
		crowd->seat[me].tally[1] += session->ended && !mine.ended;
		*session = mine;
		if (i % 100 == me)
			session->ended ^= 1;
	}
	return 0;
}

static void show_the_write_back(void)
{
	struct record *session = shared_memory(sizeof(*session));
	struct crowd *crowd = crowd_make(TOUCHERS);

	crowd_run(crowd, write_back, session);
	tap_note("read, then write back: %llu of %u went over a newer one, %llu came back",
		 (unsigned long long)crowd_tally(crowd, 0), 2000 * TOUCHERS,
		 (unsigned long long)crowd_tally(crowd, 1));
	crowd_free(crowd);
}

/* ---- touch when the TTL is about to end --------------------------------------------- */

/* results of a process that touches, in its tally */
enum { VANISHED, ODD, LATE, BACK };

/* Pause for about the TTL of a session, so that touch and expiry are close. */
static void nearly(unsigned int *seed)
{
	uint64_t until = now_ns() + BRIEF * (rand_r(seed) % 110) / 100;

	if (rand_r(seed) % 4)
		return;
	if (rand_r(seed) % 2)
		usleep((until - now_ns()) / 1000 % 5000);
	else
		while (now_ns() < until)
			;
}

/*
 * A session was put or touched at @from or later: it exists, or its TTL has passed. The clock is
 * read after the answer, so that a slow answer is not counted as wrong.
 */
static void must_last(const struct roster *r, struct seat *seat, const char *key,
		      uint64_t from, uint64_t version)
{
	const uint64_t since = now_ns();
	struct weir_op op;
	int ret = lease_get(r, key, NULL, 0, &op);

	if (ret == -ENOENT)
		seat->tally[VANISHED] += now_ns() < from + BRIEF;
	else if (ret || op.version != version || !op.left ||
		 op.left > BRIEF + now_ns() - since)
		seat->tally[ODD]++;
}

static int touch_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	uint64_t from = 0, begun, version = 0;
	unsigned int seed = me + 1;
	struct weir_op op;
	char key[32];

	(void)arg;
	snprintf(key, sizeof(key), "touched-%u", me);
	while (!crowd->flag) {
		begun = now_ns();
		switch (version ? lease_touch(&r, key, version, BRIEF, &op) : -ENOENT) {
		case 0:
			seat->done++;
			from = begun;
			break;
		case -ENOENT:
			/* from its expiry on the session may be absent, and must stay absent */
			seat->tally[VANISHED] += version && now_ns() < from + BRIEF;
			seat->tally[BACK] += lease_get(&r, key, NULL, 0, NULL) != -ENOENT;
			seat->tally[LATE] += version != 0;
			from = now_ns();
			if (lease_claim(&r, key, NULL, 0, BRIEF, &op))
				return 1;
			if (op.version <= version)
				return 2;
			version = op.version;
			break;
		default:
			return 3;
		}
		must_last(&r, seat, key, from, version);
		nearly(&seed);
	}
	return 0;
}

/* ---- sessions end while others touch them ------------------------------------------- */

/* Versions of the sessions to be touched, written by other processes. */
struct known {
	_Atomic uint64_t version[ENDERS];
};

enum { STALE, TOUCHED };

/* Touch known versions. A success would make the session last for ever. */
static int touch_others(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	struct known *known = arg;
	char key[32];

	snprintf(key, sizeof(key), "ended-%u", me % ENDERS);
	while (!crowd->flag) {
		uint64_t version = known->version[me % ENDERS];

		switch (version ? lease_touch(&r, key, version, HOUR, NULL) : -ENOENT) {
		case 0:
			seat->tally[TOUCHED]++;
			break;
		case -ESTALE:
		case -ENOENT:
			seat->tally[STALE]++;
			break;
		default:
			return 1;
		}
	}
	return 0;
}

/* Make sessions and end them, and check that ended sessions stay absent. */
static int end_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	struct known *known = arg;
	struct weir_op op;
	char key[32];

	snprintf(key, sizeof(key), "ended-%u", me);
	while (!crowd->flag) {
		if (lease_claim(&r, key, NULL, 0, HOUR, &op))
			return 1;
		known->version[me] = op.version;
		if (seat->done % 2)
			gap();
		if (lease_remove(&r, key, seat->done % 3 ? 0 : op.version))
			return 2;
		for (int i = 0; i < 3; i++)
			seat->tally[BACK] += lease_get(&r, key, NULL, 0, NULL) != -ENOENT;
		seat->done++;
	}
	return 0;
}

/*
 * The table is full of leases that are about to expire: each claim searches for an expired lease
 * and drops it.
 */
static int push_out(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	char key[32];

	(void)arg;
	for (unsigned int i = 0; !crowd->flag; i++) {
		int ret;

		snprintf(key, sizeof(key), "passing-%u-%u", me, i);
		ret = lease_post(&r, key, NULL, 0, 1000, NULL);
		if (ret && ret != -ENOSPC)
			return 1;
		seat->done++;
	}
	return 0;
}

/* ---- all together ------------------------------------------------------------------- */

static void judge(const struct crowd *touchers, const struct crowd *enders,
		  const struct crowd *others, const struct crowd *pushers)
{
	tap_note("%llu touches in time, %llu too late; %llu other leases made",
		 (unsigned long long)crowd_done(touchers),
		 (unsigned long long)crowd_tally(touchers, LATE),
		 (unsigned long long)crowd_done(pushers));
	tap_is(crowd_tally(touchers, VANISHED), 0,
	       "no session vanished before the TTL of its last touch had passed");
	tap_is(crowd_tally(touchers, ODD), 0, "and none was replaced or lasted longer");
	tap_is(crowd_tally(touchers, BACK), 0, "no expired session came back");
	tap_ok(crowd_done(touchers) && crowd_tally(touchers, LATE),
	       "some were touched in time, some were not");
	tap_note("%llu sessions ended; others touched them %llu times, and %llu times too late",
		 (unsigned long long)crowd_done(enders),
		 (unsigned long long)crowd_tally(others, TOUCHED),
		 (unsigned long long)crowd_tally(others, STALE));
	tap_is(crowd_tally(enders, BACK), 0, "no ended session came back");
	tap_ok(crowd_tally(others, TOUCHED) && crowd_tally(others, STALE),
	       "some were touched before they ended, some after");
}

static unsigned int stop(struct crowd *crowd)
{
	crowd->flag = 1;
	return crowd_wait(crowd);
}

int main(void)
{
	struct crowd *touchers = crowd_make(TOUCHERS), *enders = crowd_make(ENDERS);
	struct crowd *others = crowd_make(ENDERS * BUSYBODIES), *pushers = crowd_make(1);
	struct known *known = shared_memory(sizeof(*known));
	const unsigned int seconds = tap_seconds();
	struct weir_roster_stats stats;
	struct roster r;

	tap_begin("sessions: touched, they last; ended, they stay so");
	show_the_write_back();
	r = roster_make(ROSTER, TOUCHERS + ENDERS + 16, 0);
	tap_note("for %u s", seconds);
	crowd_spawn(touchers, touch_on, NULL);
	crowd_start(touchers);
	crowd_spawn(enders, end_on, known);
	crowd_start(enders);
	crowd_spawn(others, touch_others, known);
	crowd_start(others);
	crowd_spawn(pushers, push_out, NULL);
	crowd_start(pushers);
	sleep(seconds);
	tap_is(stop(touchers) + stop(enders) + stop(others) + stop(pushers), 0,
	       "all processes did their work");
	judge(touchers, enders, others, pushers);
	stats = roster_stats(&r);
	tap_is(stats.claimed, stats.removed + stats.lost + stats.members,
	       "each session ended once: removed or lost");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(touchers);
	crowd_free(enders);
	crowd_free(others);
	crowd_free(pushers);
	return tap_end();
}
