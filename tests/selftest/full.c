// SPDX-License-Identifier: GPL-2.0-only
/* full - a full table, and the keys that are still accepted */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define MAX	4

FIXTURE(full) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
};

FIXTURE_VARIANT(full) {
	__u32 when_full;
};

FIXTURE_VARIANT_ADD(full, refuse) { .when_full = WEIR_FULL_REFUSE };
FIXTURE_VARIANT_ADD(full, allow) { .when_full = WEIR_FULL_ALLOW };

static int run(FIXTURE_DATA(full) *self, struct weir_op *op, __u16 opcode,
	       __s64 n, __u64 key)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

FIXTURE_SETUP(full)
{
	struct weir_op op;

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.max_keys = MAX;
	self->config.when_full = variant->when_full;
	self->config.strikes = 3;
	self->config.nbans = 1;
	self->config.ban[0] = DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "full", &self->config,
				    &self->l));
	for (__u64 key = 0; key < MAX; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, key));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9, 0, 0));
	}
}

FIXTURE_TEARDOWN(full)
{
	close(self->fd);
	objects_wipe();
}

static struct weir_limiter_stats totals(FIXTURE_DATA(full) *self)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, self->l, &stats))
		abort();
	return stats;
}

/* Check a key for which there is no room, and compare the answer. */
static bool finds_no_room(FIXTURE_DATA(full) *self,
			  const FIXTURE_VARIANT(full) *variant, __u16 opcode,
			  __u64 key)
{
	struct weir_op op;

	if (run(self, &op, opcode, 1, key))
		return false;
	if (variant->when_full == WEIR_FULL_ALLOW)
		return op.verdict == WEIR_ALLOWED &&
		       op.out_flags == WEIR_OUT_UNTRACKED && op.limit == 10 &&
		       !op.retry_after;
	return op.verdict == WEIR_FULL && !op.out_flags && op.limit == 10 &&
	       !op.banned_for && !op.strikes;
}

TEST_F(full, new_keys)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	for (__u64 key = 100; key < 120; key++)
		EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, key));
	/* the answer is the same each time, because nothing is stored for the key */
	for (int i = 0; i < 20; i++)
		EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 100));
	stats = totals(self);
	EXPECT_EQ(MAX, stats.keys);
	EXPECT_EQ(MAX, stats.max_keys);
	EXPECT_EQ(40, stats.full);
	EXPECT_EQ(0, stats.evicted);
	EXPECT_EQ(0, stats.limited);
	EXPECT_EQ(variant->when_full ? MAX + 40 : MAX, stats.allowed);
	/* keys with an entry are served */
	for (__u64 key = 0; key < MAX; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, key));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 8, 0, 0));
	}
}

/* A peek has the verdict of the check, and is not counted. */
TEST_F(full, peek)
{
	struct weir_limiter_stats before = totals(self), after;

	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_PEEK, 100));
	after = totals(self);
	EXPECT_EQ(before.allowed, after.allowed);
	EXPECT_EQ(MAX, after.keys);
}

/* Operations that need an entry fail if there is no room, whatever when_full is. */
TEST_F(full, strikes_and_bans)
{
	struct weir_limiter_stats stats;
	struct weir_op op = op_make(WEIR_OP_BAN, self->l, 0);
	__u64 key = 100;

	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	EXPECT_EQ(-ENOSPC, op_run(self->fd, &op));
	EXPECT_EQ(-ENOSPC, run(self, &op, WEIR_OP_STRIKE, 1, key));
	stats = totals(self);
	EXPECT_EQ(0, stats.strikes);
	EXPECT_EQ(0, stats.bans);
	EXPECT_EQ(2, stats.full);
	EXPECT_EQ(MAX, stats.keys);
	/* a key with an entry can get strikes */
	EXPECT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1, 0));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0, key));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGIVE, 0, key));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGET, 0, key));
}

TEST_F(full, forget_makes_room_for_one)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0, 2));
	EXPECT_EQ(MAX - 1, totals(self).keys);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 100));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9, 0, 0));
	EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 2));
	EXPECT_EQ(MAX, totals(self).keys);
}

/* Only entries that equal fresh ones are dropped, and they are dropped first. */
TEST_F(full, idle_entries_make_room)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	/* keys 0 and 1 are full again; 1 has a strike, so its entry stays */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 1, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 1, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 100));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9, 0, 0));
	EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 101));
	stats = totals(self);
	EXPECT_EQ(MAX, stats.keys);
	/* one entry was dropped, for the new key or earlier by the sweep */
	EXPECT_EQ(1, stats.evicted + stats.expired);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1, 1));
	EXPECT_EQ(1, op.strikes);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGIVE, 0, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 101));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9, 0, 0));
	EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 102));
	stats = totals(self);
	EXPECT_EQ(2, stats.evicted + stats.expired);
}

TEST_F(full, cap_changed_while_in_use)
{
	struct weir_op op;

	self->config.max_keys = 2;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_MAX_KEYS,
				 &self->config));
	EXPECT_EQ(MAX, totals(self).keys);
	EXPECT_EQ(2, totals(self).max_keys);
	for (__u64 key = 0; key < 2; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0, key));
		EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 100));
	}
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0, 2));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 100));
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 101));
	/* a small table may be raised to 512, and not to one more */
	self->config.max_keys = 513;
	EXPECT_EQ(-ERANGE, limiter_set(self->fd, self->l, WEIR_SET_MAX_KEYS,
				       &self->config));
	self->config.max_keys = 512;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_MAX_KEYS,
				 &self->config));
	for (__u64 key = 1000; key < 1510; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, key));
		ASSERT_EQ(WEIR_ALLOWED, op.verdict);
		ASSERT_EQ(0, op.out_flags);
	}
	EXPECT_EQ(512, totals(self).keys);
	EXPECT_TRUE(finds_no_room(self, variant, WEIR_OP_CHECK, 101));
}

#define CALLERS	4
#define ROUNDS	150

/*
 * Several callers check the same new key at once while there is room for it: no check may be
 * answered "full". After each round the key is forgotten. The callers wait in shared memory for the
 * start of the next round.
 */
struct same_key {
	__u32 type, max, distinct;
};

static __u16 same_key_length(const struct same_key *same)
{
	return same->type == WEIR_KEY_NONE ? 0 : sizeof(__u64);
}

static int same_key_check(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct same_key *same = arg;
	int fd = client_open(O_RDWR);
	__u64 key = me % same->distinct;
	struct weir_op op;
	__u32 handle;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "full-same",
			WEIR_RIGHT_USE, &handle))
		return 1;
	for (__u32 round = 1; round <= ROUNDS; round++) {
		while (crowd->flag < round)
			sched_yield();
		if (key_run(fd, &op, WEIR_OP_CHECK, handle, 1, &key,
			    same_key_length(same)))
			return 2;
		crowd->seat[me].done += op.verdict == WEIR_ALLOWED &&
					!op.out_flags;
		crowd->seat[me].begun = round;
	}
	return 0;
}

static void same_key_race(struct __test_metadata *_metadata, int fd,
			  struct same_key *same)
{
	struct weir_limiter_config config = limiter_config(same->type);
	struct crowd *crowd = crowd_make(CALLERS);
	struct weir_op op;
	__u32 handle;

	config.tokens = 100;
	config.max_keys = same->max;
	ASSERT_EQ(0, limiter_create(fd, OURS "full-same", &config, &handle));
	crowd_spawn(crowd, same_key_check, same);
	crowd_start(crowd);
	for (__u32 round = 1; round <= ROUNDS; round++) {
		crowd->flag = round;
		for (int i = 0; i < CALLERS; i++)
			while (crowd->seat[i].begun < round)
				sched_yield();
		ASSERT_EQ(CALLERS * round, crowd_done(crowd));
		for (__u64 key = 0; key < same->distinct; key++)
			ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_FORGET, handle, 0,
					     &key, same_key_length(same)));
	}
	EXPECT_EQ(0, crowd_wait(crowd));
	crowd_free(crowd);
}

FIXTURE(room) {
	int fd;
};

FIXTURE_SETUP(room)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(room)
{
	close(self->fd);
	objects_wipe();
}

TEST_F(room, for_no_key_at_all)
{
	struct same_key same = { WEIR_KEY_NONE, 1, 1 };

	same_key_race(_metadata, self->fd, &same);
}

TEST_F(room, for_one_key)
{
	struct same_key same = { WEIR_KEY_U64, 1, 1 };

	same_key_race(_metadata, self->fd, &same);
}

TEST_F(room, for_two_keys)
{
	struct same_key same = { WEIR_KEY_U64, 2, 2 };

	same_key_race(_metadata, self->fd, &same);
}

TEST_HARNESS_MAIN
