// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_race - a limiter changes between two configurations while others check
 *
 * The limit in an answer shows which of the configurations decided. So the tokens charged to each
 * key by each configuration are known exactly, and the maximum that may have been charged too.
 * Tokens come back so slowly that none does meanwhile; the elapsed time is taken into account
 * anyway.
 */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define CHECKERS 4
#define KEYS_MAX 512

/* Shared by all members of the crowd. */
struct race {
	struct weir_limiter_config config[2];
	unsigned int keys, changes;
	_Atomic int over;
	_Atomic __u64 spent[KEYS_MAX][2];	/* tokens of each key, by configuration */
};

FIXTURE(live_race) {
	int fd;
	__u32 l;
	struct race *race;
	__u64 since;
};

FIXTURE_SETUP(live_race)
{
	bool small = is_small();

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->race = shared_memory(sizeof(*self->race));
	self->race->keys = small ? 64 : KEYS_MAX;
	self->race->changes = small ? 60 : 200;
	for (int i = 0; i < 2; i++) {
		self->race->config[i] = limiter_config(WEIR_KEY_U64);
		self->race->config[i].tokens = 10;
		self->race->config[i].burst = 100;
	}
}

FIXTURE_TEARDOWN(live_race)
{
	close(self->fd);
	objects_wipe();
}

/* One check. Its cost is counted for the configuration that decided. */
static int check(struct race *race, int fd, __u32 l, __u64 key, __s64 cost,
		 struct weir_op *op)
{
	int which;

	if (key_run(fd, op, WEIR_OP_CHECK, l, cost, &key, sizeof(key)))
		return -1;
	which = op->limit == race->config[1].burst;
	if (op->limit != race->config[which].burst)
		return -1;
	if (op->verdict == WEIR_ALLOWED)
		race->spent[key][which] += cost;
	else if (op->verdict != WEIR_LIMITED || op->remaining >= (__u64)cost)
		return -1;
	return op->verdict;
}

/* The last member changes the limiter. The others check until it has finished. */
static int member(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd = client_open(O_RDWR), ret;
	struct weir_op op;
	__u32 l;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "live", WEIR_RIGHT_ALL, &l))
		return 1;
	if (me == CHECKERS) {
		for (unsigned int i = 1; i <= race->changes; i++)
			if (limiter_set(fd, l, WEIR_SET_RATE | WEIR_SET_BURST,
					&race->config[i % 2]))
				return 2;
		race->over = 1;
		return 0;
	}
	for (__u64 i = me; !race->over; i += 1 + me) {
		ret = check(race, fd, l, i % race->keys, 1 + i % 3, &op);
		if (ret < 0)
			return 3;
		crowd->seat[me].done += ret == WEIR_ALLOWED;
	}
	return 0;
}

/* time in ns in which one token of a bucket comes back */
static __u64 interval(const struct weir_limiter_config *config)
{
	return config->period / config->tokens;
}

/* The time in which all tokens that a key has spent come back. */
static __u64 debt(const struct race *race, __u64 key)
{
	return race->spent[key][0] * interval(&race->config[0]) +
	       race->spent[key][1] * interval(&race->config[1]);
}

/* Spend the remaining tokens of a key, under config[0]. Return: 0, or the step that failed. */
static int drain(FIXTURE_DATA(live_race) *self, __u64 key, unsigned int *allowed)
{
	struct race *race = self->race;
	struct weir_op op;

	if (key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, &key, sizeof(key)))
		return 1;
	if (op.remaining) {
		if (check(race, self->fd, self->l, key, op.remaining, &op) !=
		    WEIR_ALLOWED)
			return 2;
		++*allowed;
	}
	return check(race, self->fd, self->l, key, 1, &op) == WEIR_LIMITED ? 0 : 3;
}

/* Run the race, and then spend the remaining tokens of every key under config[0]. */
static void run_all(struct __test_metadata *_metadata,
		    FIXTURE_DATA(live_race) *self)
{
	struct crowd *crowd = crowd_make(CHECKERS + 1);
	struct weir_limiter_stats stats;
	unsigned int drained = 0;

	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "live", self->race->config,
				    &self->l));
	EXPECT_EQ(0, crowd_run(crowd, member, self->race));
	ASSERT_EQ(0, self->race->changes % 2);
	for (__u64 key = 0; key < self->race->keys; key++)
		EXPECT_EQ(0, drain(self, key, &drained));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(crowd_done(crowd) + drained, stats.allowed);
	crowd_free(crowd);
}

/*
 * A bucket: every token that was spent is owed as the time in which it comes back. No charge is
 * lost or made twice, and no more is admitted than the larger bucket holds.
 */
static void run_buckets(struct __test_metadata *_metadata,
			FIXTURE_DATA(live_race) *self)
{
	const struct weir_limiter_config *c = self->race->config;
	__u64 tau0 = c[0].burst * interval(&c[0]);
	__u64 tau1 = c[1].burst * interval(&c[1]);
	__u64 most = tau0 > tau1 ? tau0 : tau1, by[2] = { 0 };
	struct weir_op op;

	run_all(_metadata, self);
	for (__u64 key = 0; key < self->race->keys; key++) {
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, &key,
				     sizeof(key)));
		EXPECT_TRUE(lasts("owed", op.reset_after, debt(self->race, key),
				  self->since));
		EXPECT_GE(most + now_ns() - self->since, debt(self->race, key));
		/* no check was refused that config[0] would have allowed */
		EXPECT_LT(tau0 - interval(&c[0]), debt(self->race, key));
		by[0] += self->race->spent[key][0];
		by[1] += self->race->spent[key][1];
	}
	printf("# admitted by one configuration: %llu, by the other: %llu\n",
	       (unsigned long long)by[0], (unsigned long long)by[1]);
}

/* One configuration allows more in every respect: no key gets more than with that one alone. */
TEST_F(live_race, more_and_less)
{
	struct weir_limiter_config *c = self->race->config;

	c[0].tokens = 20;	/* burst 400; one token in 72 minutes */
	c[0].burst = 400;
	run_buckets(_metadata, self);
	/* the test was too short for a token to come back */
	ASSERT_GT(interval(&c[0]), now_ns() - self->since);
	for (__u64 key = 0; key < self->race->keys; key++)
		EXPECT_GE(400, self->race->spent[key][0] +
			       self->race->spent[key][1]);
}

/* One configuration is faster, the other has the larger burst. */
TEST_F(live_race, crossed)
{
	struct weir_limiter_config *c = self->race->config;

	c[0].burst = 400;	/* 40 days until full */
	c[1].tokens = 40;	/* less than three days until full */
	run_buckets(_metadata, self);
}

/* Windows count tokens; the present limit does not matter. */
static void run_windows(struct __test_metadata *_metadata,
			FIXTURE_DATA(live_race) *self, __u32 algorithm)
{
	struct weir_limiter_config *c = self->race->config;
	struct weir_op op;

	for (int i = 0; i < 2; i++) {
		c[i].algorithm = algorithm;
		c[i].period = 100 * DAY;
		c[i].tokens = i ? 100 : 400;
		c[i].burst = c[i].tokens;
	}
	run_all(_metadata, self);
	for (__u64 key = 0; key < self->race->keys; key++) {
		EXPECT_EQ(400, self->race->spent[key][0] +
			       self->race->spent[key][1]);
		EXPECT_GE(100, self->race->spent[key][1]);
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, &key,
				     sizeof(key)));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 400, 0, 0, 0));
	}
}

TEST_F(live_race, window)
{
	run_windows(_metadata, self, WEIR_ALGORITHM_WINDOW);
}

TEST_F(live_race, sliding)
{
	run_windows(_metadata, self, WEIR_ALGORITHM_SLIDING);
}

TEST_HARNESS_MAIN
