// SPDX-License-Identifier: GPL-2.0-only
/*
 * candidate_race - a limiter is checked while its candidate is set, removed and deleted
 *
 * Four processes check. The totals of the live limiter must be the same as without a candidate. The
 * totals of the candidate must have each check once or not at all.
 */
#include "harness.h"

#include "client.h"
#include "crowd.h"

#define CHECKERS	4
#define KEYS		64
#define BURST		10
#define HALF		4	/* burst of the candidate */

#define LIVE	OURS "live"
#define NAME	OURS "candidate"

/* Shared by all members of the crowd. */
struct race {
	unsigned int rounds;		/* checks of each member, or changes of the last member */
	bool until_over;		/* check until the last member sets @over */
	bool until_gone;		/* check until the live limiter is deleted */
	_Atomic int over;
};

FIXTURE(candidate_race) {
	int fd;
	__u32 live, its;
	struct race *race;
	unsigned int changes;
};

static int link_to(int fd, __u32 live, const char *name)
{
	struct weir_limiter_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	snprintf(config.candidate, sizeof(config.candidate), "%s", name);
	return limiter_set(fd, live, WEIR_SET_CANDIDATE, &config);
}

static int candidate_create(int fd, __u32 *handle)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	config.burst = HALF;
	return limiter_create(fd, NAME, &config, handle);
}

FIXTURE_SETUP(candidate_race)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->race = shared_memory(sizeof(*self->race));
	self->race->rounds = is_small() ? 2000 : 20000;
	self->changes = is_small() ? 40 : 200;
	config.burst = BURST;
	ASSERT_EQ(0, limiter_create(self->fd, LIVE, &config, &self->live));
	ASSERT_EQ(0, candidate_create(self->fd, &self->its));
}

FIXTURE_TEARDOWN(candidate_race)
{
	close(self->fd);
	objects_wipe();
}

/*
 * Check. seat->done counts answers, tally[0] allowed checks, tally[1] answers with
 * WEIR_OUT_CANDIDATE.
 */
static int checker(struct race *race, struct seat *seat, unsigned int me)
{
	int fd = client_open(O_RDWR), ret;
	struct weir_op op;
	__u32 l;

	ret = object_open(fd, WEIR_KIND_LIMITER, LIVE, WEIR_RIGHT_USE, &l);
	if (ret)
		return ret == -ENOENT && race->until_gone ? 0 : 1;
	for (__u64 i = me; race->until_over ? !race->over : i < race->rounds + me; i++) {
		__u64 key = i * (1 + me) % KEYS;

		ret = key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key, sizeof(key));
		if (ret == -ENODEV && race->until_gone)
			return 0;
		if (ret || (op.verdict != WEIR_ALLOWED && op.verdict != WEIR_LIMITED) ||
		    op.limit != BURST || op.out_flags & ~WEIR_OUT_CANDIDATE)
			return 2;
		seat->done++;
		seat->tally[0] += op.verdict == WEIR_ALLOWED;
		seat->tally[1] += op.out_flags == WEIR_OUT_CANDIDATE;
	}
	return 0;
}

static int check(struct crowd *crowd, unsigned int me, void *arg)
{
	return checker(arg, &crowd->seat[me], me);
}

static struct weir_limiter_stats totals(int fd, __u32 l)
{
	struct weir_limiter_stats stats;

	if (stats_get(fd, l, &stats))
		abort();
	return stats;
}

static __u64 asked(const struct weir_limiter_stats *s)
{
	return s->allowed + s->limited + s->banned + s->full + s->missed;
}

/*
 * The live limiter works as without a candidate: each answer is counted, and the tokens left of
 * each key are exact.
 */
static bool live_is_exact(FIXTURE_DATA(candidate_race) *self,
			  const struct crowd *crowd)
{
	struct weir_limiter_stats s = totals(self->fd, self->live);
	unsigned int left = 0;
	struct weir_op op;

	printf("# %llu checks, %llu allowed, %llu flags\n",
	       (unsigned long long)crowd_done(crowd), (unsigned long long)s.allowed,
	       (unsigned long long)crowd_tally(crowd, 1));
	for (__u64 i = 0; i < KEYS * (BURST + 1); i++) {
		__u64 key = i % KEYS;

		if (key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1, &key,
			    sizeof(key)))
			return false;
		left += op.verdict == WEIR_ALLOWED;
	}
	return s.allowed + s.limited == crowd_done(crowd) &&
	       s.allowed == crowd_tally(crowd, 0) &&
	       s.allowed + left == KEYS * BURST &&
	       !s.banned && !s.full && !s.stricter && !s.looser && !s.missed;
}

/* The candidate is not changed: both limiters see each check, and the counts are exact. */
TEST_F(candidate_race, throughout)
{
	struct crowd *crowd = crowd_make(CHECKERS);
	struct weir_limiter_stats s;

	ASSERT_EQ(0, link_to(self->fd, self->live, NAME));
	EXPECT_EQ(0, crowd_run(crowd, check, self->race));
	EXPECT_EQ(CHECKERS * self->race->rounds, crowd_done(crowd));
	EXPECT_EQ(KEYS * BURST, totals(self->fd, self->live).allowed);
	s = totals(self->fd, self->its);
	EXPECT_EQ(crowd_done(crowd), asked(&s));
	EXPECT_EQ(KEYS * HALF, s.allowed);
	EXPECT_EQ(KEYS, s.keys);
	EXPECT_EQ(0, s.missed);
	EXPECT_EQ(KEYS * (BURST - HALF), s.stricter - s.looser);
	EXPECT_EQ(crowd_tally(crowd, 1), s.stricter + s.looser);
	EXPECT_TRUE(live_is_exact(self, crowd));
	crowd_free(crowd);
}

/* The last member sets and removes the candidate in turn. The others check. */
static int check_or_set(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd;
	__u32 l;

	if (me < CHECKERS)
		return checker(race, &crowd->seat[me], me);
	fd = client_open(O_RDWR);
	if (object_open(fd, WEIR_KIND_LIMITER, LIVE, WEIR_RIGHT_ADMIN, &l))
		return 1;
	for (unsigned int i = 0; i < race->rounds; i++)
		if (link_to(fd, l, i % 2 ? "" : NAME))
			return 2;
	race->over = 1;
	return 0;
}

TEST_F(candidate_race, back_and_forth)
{
	struct crowd *crowd = crowd_make(CHECKERS + 1);
	struct weir_limiter_stats before, after;
	struct weir_op op;

	self->race->until_over = true;
	self->race->rounds = self->changes;
	EXPECT_EQ(0, crowd_run(crowd, check_or_set, self->race));
	EXPECT_TRUE(live_is_exact(self, crowd));
	before = totals(self->fd, self->its);
	EXPECT_GE(crowd_done(crowd), asked(&before));
	EXPECT_LT(0, asked(&before));
	EXPECT_EQ(crowd_tally(crowd, 1), before.stricter + before.looser);
	/* the first half of the checks is without the candidate, the second half with it */
	for (__u64 k = 0; k < 2 * KEYS; k++) {
		if (k == KEYS)
			ASSERT_EQ(0, link_to(self->fd, self->live, NAME));
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1, &k,
				     sizeof(k)));
	}
	after = totals(self->fd, self->its);
	EXPECT_EQ(asked(&before) + KEYS, asked(&after));
	crowd_free(crowd);
}

/* The last member deletes the candidate and makes another, in turn. */
static int check_or_delete(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	__u32 l, its;
	int fd;

	if (me < CHECKERS)
		return checker(race, &crowd->seat[me], me);
	fd = client_open(O_RDWR);
	if (object_open(fd, WEIR_KIND_LIMITER, LIVE, WEIR_RIGHT_ADMIN, &l))
		return 1;
	for (unsigned int i = 0; i < race->rounds; i++) {
		struct weir_limiter_stats s;
		__u64 enough = 50 + i;

		if (candidate_create(fd, &its) || link_to(fd, l, NAME))
			return 2;
		do {	/* until checks have reached it */
			if (stats_get(fd, its, &s))
				return 3;
		} while (asked(&s) < enough);
		if (s.missed || object_delete(fd, its) || handle_close(fd, its))
			return 4;
	}
	race->over = 1;
	return 0;
}

TEST_F(candidate_race, candidate_dies)
{
	struct crowd *crowd = crowd_make(CHECKERS + 1);

	ASSERT_EQ(0, object_delete(self->fd, self->its));
	self->race->until_over = true;
	self->race->rounds = self->changes;
	EXPECT_EQ(0, crowd_run(crowd, check_or_delete, self->race));
	EXPECT_TRUE(live_is_exact(self, crowd));
	EXPECT_LT(0, crowd_tally(crowd, 1));
	crowd_free(crowd);
}

/* The last member deletes the live limiter while it is used. */
static int check_or_end(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd;

	if (me < CHECKERS)
		return checker(race, &crowd->seat[me], me);
	fd = client_open(O_RDWR);
	while (crowd_done(crowd) < 500)
		sched_yield();
	return -object_remove(fd, WEIR_KIND_LIMITER, LIVE);
}

/* The candidate has seen all checks before the deletion and none after it. */
TEST_F(candidate_race, live_one_dies)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_stats before = { 0 }, after;

	config.burst = BURST;
	self->race->until_over = true;
	self->race->until_gone = true;
	for (unsigned int i = 0; i < self->changes / 10; i++) {
		struct crowd *crowd = crowd_make(CHECKERS + 1);

		ASSERT_EQ(0, link_to(self->fd, self->live, NAME));
		EXPECT_EQ(0, crowd_run(crowd, check_or_end, self->race));
		after = totals(self->fd, self->its);
		EXPECT_EQ(asked(&before) + crowd_done(crowd), asked(&after));
		EXPECT_EQ(0, after.missed);
		before = after;
		crowd_free(crowd);
		handle_close(self->fd, self->live);
		ASSERT_EQ(0, limiter_create(self->fd, LIVE, &config, &self->live));
	}
	EXPECT_GE(KEYS * HALF, after.allowed);
}

TEST_HARNESS_MAIN
