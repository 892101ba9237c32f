// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client stored the time until which it had to back off. A later answer with a shorter time
 * overwrote it. Other clients continued to sleep after it was cleared, or used an outdated copy.
 *
 * Here many processes ban one key for different times at the same time, and the longest ban
 * stays. When the ban is lifted, each process sees that with its next check, and sleepers wake
 * and check again.
 */

#include <sys/resource.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-12-back-off"

struct until {
	volatile uint64_t hours;
};

static int overwrite(struct crowd *crowd, unsigned int me, void *arg)
{
	struct until *until = arg;

	(void)crowd;
	/* comparing and writing are two steps */
	if (me + 1 > until->hours) {
		gap();
		until->hours = me + 1;
	}
	return 0;
}

static void show_the_overwrite(unsigned int processes)
{
	struct until *until = shared_memory(sizeof(*until));
	unsigned int wrong = 0;

	for (int i = 0; i < 10; i++) {
		struct crowd *crowd = crowd_make(processes);

		until->hours = 0;
		crowd_run(crowd, overwrite, until);
		wrong += until->hours != processes;
		crowd_free(crowd);
	}
	tap_note("compare, then write: the longest was lost in %u of 10 rounds",
		 wrong);
}

static struct weir_limiter *join(struct weir_key *key)
{
	struct weir *weir = weir_open(0);

	if (!weir || weir_key_ip(key, "2001:db8::1"))
		return NULL;
	return weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
}

/* Member n bans for n hours. The lengths come in no particular order. */
static int ban(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir_answer answer;
	struct weir_key key;
	struct weir_limiter *limiter = join(&key);
	const uint64_t hours = (me * 37 + 11) % crowd->size + 1;

	(void)arg;
	if (!limiter)
		return 1;
	seat->tally[0] = hours;
	if (weir_limiter_ban(limiter, &key, hours * HOUR, &answer))
		return 2;
	/* by now the ban is at least as long as this process requested */
	if (answer.banned_for < hours * HOUR)
		return 3;
	seat->done += !!(answer.flags & WEIR_OUT_BANNED_NOW);
	return weir_limiter_check(limiter, &key, 1, NULL) == WEIR_BANNED ? 0 : 4;
}

static void bans_race(struct weir_limiter *limiter, const struct weir_key *key,
		      unsigned int processes)
{
	struct crowd *crowd = crowd_make(processes);
	const uint64_t bans = limiter_stats(limiter).bans;
	const uint64_t longest = processes * HOUR;
	struct weir_answer answer = { 0 };
	uint64_t since = now_ns(), passed;

	tap_is(crowd_run(crowd, ban, NULL), 0,
	       "each ban lasts at least as long as requested, and takes effect at once");
	weir_limiter_peek(limiter, key, 1, &answer);
	passed = now_ns() - since;
	tap_ok(answer.banned_for <= longest &&
	       answer.banned_for >= longest - passed,
	       "the longest ban stays");
	tap_ok(crowd_done(crowd) >= 1, "one process caused it");
	tap_is(limiter_stats(limiter).bans - bans, crowd_done(crowd),
	       "only bans that made it longer were counted");
	crowd_free(crowd);
}

/* Check until told to stop. The last answer must be from after the ban was lifted. */
static int watch(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir_key key;
	struct weir_limiter *limiter = join(&key);
	int before, verdict;

	(void)arg;
	if (!limiter)
		return 1;
	do {
		/* read the flag first, so that the check is after it was set */
		before = crowd->flag;
		verdict = weir_limiter_peek(limiter, &key, 1, NULL);
		seat->done++;
		if (!before && verdict == WEIR_ALLOWED)
			seat->tally[0]++;	/* answered between the lift and the flag */
		if (before && verdict != WEIR_ALLOWED)
			return 2;
	} while (!before);
	return weir_limiter_check(limiter, &key, 1, NULL) == WEIR_ALLOWED ? 0 : 3;
}

static void lift_is_seen(struct weir_limiter *limiter,
			 const struct weir_key *key, unsigned int processes)
{
	struct crowd *crowd = crowd_make(processes);

	crowd_spawn(crowd, watch, NULL);
	crowd_start(crowd);
	for (unsigned int i = 0; i < processes; i++)
		while (!crowd->seat[i].done)
			;
	tap_ok(!weir_limiter_lift(limiter, key, NULL), "the ban is lifted");
	crowd->flag = 1;
	tap_is(crowd_wait(crowd), 0, "%u processes saw this with their next check",
	       processes);
	tap_is(weir_limiter_lift(limiter, key, NULL), (uint64_t)-1,
	       "there is no ban left to lift");
	weir_limiter_forget(limiter, key);
	crowd_free(crowd);
}

/* Sleep until the ban is over, for a day at most. */
static int sleep_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct rusage before, after;
	struct weir_key key;
	struct weir_limiter *limiter = join(&key);
	int verdict;

	(void)arg;
	if (!limiter)
		return 1;
	getrusage(RUSAGE_SELF, &before);
	seat->begun++;
	verdict = weir_limiter_wait(limiter, &key, 1, 24 * HOUR, NULL);
	getrusage(RUSAGE_SELF, &after);
	seat->tally[0] = crowd->flag;
	seat->tally[1] = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	return verdict == WEIR_ALLOWED ? 0 : 2;
}

static void sleepers_wake(struct weir_limiter *limiter,
			  const struct weir_key *key, unsigned int processes)
{
	struct crowd *crowd = crowd_make(processes);
	const uint64_t allowed = limiter_stats(limiter).allowed;
	struct weir_answer answer;
	uint64_t most = 0;

	weir_limiter_ban(limiter, key, HOUR, NULL);
	crowd_spawn(crowd, sleep_on, NULL);
	crowd_start(crowd);
	/* all of them are in the queue when this number of tokens is waited for */
	do {
		weir_limiter_peek(limiter, key, 1, &answer);
		sched_yield();
	} while (crowd_begun(crowd) < processes || answer.remaining);
	tap_is(limiter_stats(limiter).allowed, allowed,
	       "no sleeper woke before the end of the ban");
	crowd->flag = 1;
	tap_ok(!weir_limiter_lift(limiter, key, NULL), "the ban is lifted");
	tap_is(crowd_wait(crowd), 0, "%u sleepers woke, and were allowed",
	       processes);
	tap_is(crowd_tally(crowd, 0), processes, "all of them after the lift");
	for (unsigned int i = 0; i < processes; i++)
		if (crowd->seat[i].tally[1] > most)
			most = crowd->seat[i].tally[1];
	tap_note("the busiest of them slept %llu times",
		 (unsigned long long)most);
	tap_ok(most <= 4,
	       "no polling: at most one sleep until it is first, one until tokens are due");
	crowd_free(crowd);
}

int main(void)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 1000, .period = SECOND,
	};
	const unsigned int processes = tap_scaled(100, 4);
	const unsigned int rounds = tap_scaled(5, 2);
	struct weir_limiter *limiter;
	struct weir_key key;
	struct weir *weir;

	tap_begin("the longest ban stays, and its end is seen at once");
	weir = service_connect();
	limiter = service_limiter(weir, LIMITER, &config);
	weir_key_ip(&key, "2001:db8::1");
	show_the_overwrite(processes);
	tap_note("%u processes ban one key for 1 to %u hours, %u times",
		 processes, processes, rounds);
	for (unsigned int i = 0; i < rounds; i++) {
		bans_race(limiter, &key, processes);
		lift_is_seen(limiter, &key, 8);
	}
	sleepers_wake(limiter, &key, processes);
	tap_ok(limiter_end(limiter), "the limiter is gone");
	weir_close(weir);
	return tap_end();
}
