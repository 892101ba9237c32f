// SPDX-License-Identifier: GPL-2.0-only
/* gate_poll_end - queued requests that time out, are cancelled, or keep their key */
#include "harness.h"

#include "gate_poll.h"
#include "verdict.h"

/* ------------------------------------------------------------ deadlines */

TEST_F(gate_poll, deadline)
{
	__u64 since = now_ns();
	struct weir_gate_stats s;
	struct weir_op op;

	take(self, 4);
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, self->mine, NULL, 7,
				     later(self, 300 * MS)));
	/* a waiter behind it, for which there are enough permits */
	sleeper(self, 0, 6);
	told_wait(self->me);
	EXPECT_LE(300 * MS, now_ns() - since);
	EXPECT_EQ(0, visitor_served(self->all, 0)->result);
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(1, s.timeouts);
	EXPECT_EQ(1, s.refused);
	EXPECT_EQ(0, s.waiting);
	EXPECT_EQ(10, s.in_use);
	ASSERT_EQ(0, queue_run(self->me, &op, self->mine, NULL, 7, WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 0, 0, 0));
	EXPECT_FALSE(told(self->me));
	/* it was counted at its deadline, not when it was collected */
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(1, s.timeouts);
	EXPECT_EQ(1, s.refused);
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
}

/* A new request has the first deadline. Requests that are gone have no effect. */
TEST_F(gate_poll, deadlines)
{
	static const __u64 keys[] = { 1, 2, 3, 4 };
	static const __u64 after[] = { HOUR, 2500 * MS, 200 * MS, 100 * MS };
	__u64 since = now_ns();
	__u32 gate, other;

	ASSERT_EQ(0, keyed_make(self, 1, 0, &gate, &other));
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &keys[i], 1));
		ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &keys[i], 1,
					     later(self, after[i])));
	}
	EXPECT_EQ(WEIR_NONE, queue_cancel(self->me, other, &keys[3]));
	told_wait(self->me);
	EXPECT_LE(200 * MS, now_ns() - since);
	EXPECT_EQ(WEIR_LIMITED, queue(self->me, other, &keys[2], 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_QUEUED, queue(self->me, other, &keys[1], 1, WEIR_NEVER));
	EXPECT_FALSE(told(self->me));
	told_wait(self->me);
	EXPECT_LE(2500 * MS, now_ns() - since);
	EXPECT_EQ(WEIR_LIMITED, queue(self->me, other, &keys[1], 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_QUEUED, queue(self->me, other, &keys[0], 1, WEIR_NEVER));
	/* granted: the deadline does not matter any more */
	ASSERT_EQ(0, gate_release(self->fd, gate, &keys[0], 1));
	EXPECT_EQ(WEIR_ALLOWED, queue(self->me, other, &keys[0], 1, WEIR_NEVER));
	EXPECT_EQ(2, gate_stats(self->fd, gate).timeouts);
	EXPECT_EQ(0, gate_stats(self->fd, gate).waiting);
}

/* ------------------------------------------------------------ cancel */

TEST_F(gate_poll, cancel)
{
	struct weir_gate_stats before;
	struct weir_op op;

	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	take(self, 9);
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	/* the permits are held, and nothing is queued */
	EXPECT_EQ(-ENOENT, queue_cancel(self->fd, self->gate, NULL));
	ASSERT_EQ(WEIR_QUEUED, mine(self, 2));
	sleeper(self, 0, 1);
	before = gate_stats(self->fd, self->gate);
	ASSERT_EQ(0, gate_run(self->me, &op, WEIR_OP_CANCEL, self->mine, NULL, 0, 0));
	/* the waiter behind it gets the free permits */
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, 0, 0, 0));
	EXPECT_EQ(0, visitor_served(self->all, 0)->result);
	EXPECT_EQ(0, waiting(self));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(before.refused, gate_stats(self->fd, self->gate).refused);
	EXPECT_EQ(before.acquired + 1, gate_stats(self->fd, self->gate).acquired);
	give(self, 9);
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(9, gate_free(self->fd, self->gate, NULL));
}

/* Too late to cancel: the request was granted, and the answer says so. */
TEST_F(gate_poll, cancel_too_late)
{
	struct weir_op op;

	take(self, 9);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 2));
	give(self, 9);
	ASSERT_EQ(0, gate_run(self->me, &op, WEIR_OP_CANCEL, self->mine, NULL, 0, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 8, 0, 2));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	EXPECT_EQ(0, gate_release(self->me, self->mine, NULL, 2));
	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, self->mine, NULL, 2, later(self, 200 * MS)));
	told_wait(self->me);
	EXPECT_EQ(WEIR_LIMITED, queue_cancel(self->me, self->mine, NULL));
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
}

/* ------------------------------------------------------------ entries of keys */

/* An uncollected request keeps the entry of its key, granted or not; a collected one does not. */
TEST_F(gate_poll, keeps_its_key)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);
	static const __u64 a = 1, b = 2;
	struct weir_op op;
	__u32 gate, other;

	config.max_keys = 1;
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &gate));
	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
				 &other));
	/* the request has timed out */
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &a, 1));
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &a, 1, info_get(self->fd).now + 200 * MS));
	told_wait(self->me);
	ASSERT_EQ(0, gate_release(self->fd, gate, &a, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &b, 1));
	EXPECT_EQ(WEIR_FULL, queue(self->me, other, &b, 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_LIMITED, queue(self->me, other, &a, 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &b, 1));
	/* granted, and released before it is collected */
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &b, 1, WEIR_NEVER));
	ASSERT_EQ(0, gate_release(self->fd, gate, &b, 1));
	ASSERT_EQ(0, gate_release(self->me, other, &b, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &a, 1));
	ASSERT_EQ(0, gate_run(self->me, &op, WEIR_OP_CANCEL, other, &b, 0, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, 1, 1, 0, 0));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &a, 1));
	/* a cancelled request keeps no entry, nor does one whose holder is gone */
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &a, 1, WEIR_NEVER));
	ASSERT_EQ(0, gate_release(self->fd, gate, &a, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &b, 1));
	close(self->me);
	self->me = -1;
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &b, 1));
	ASSERT_EQ(0, gate_release(self->fd, gate, &b, 1));
	/* the last entry is dropped later by the sweep */
	while (gate_stats(self->fd, gate).keys)
		usleep(50000);
}

TEST_HARNESS_MAIN
