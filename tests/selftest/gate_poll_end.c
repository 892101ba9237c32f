// SPDX-License-Identifier: GPL-2.0-only
/* gate_poll_end - requests that time out, are cancelled, or collected */
#include "harness.h"

#include <sys/mman.h>

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
	ASSERT_EQ(1, collect_run(self->me, &op, 1));
	EXPECT_EQ(7, op.n);
	/* as it was when the request ended */
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 6, 0, 0));
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
	EXPECT_EQ(WEIR_LIMITED, collect_key(self->me, keys[2]));
	EXPECT_FALSE(told(self->me));
	told_wait(self->me);
	EXPECT_LE(2500 * MS, now_ns() - since);
	EXPECT_EQ(WEIR_LIMITED, collect_key(self->me, keys[1]));
	/* granted: then there is no deadline any more */
	ASSERT_EQ(0, gate_release(self->fd, gate, &keys[0], 1));
	EXPECT_EQ(WEIR_ALLOWED, collect_key(self->me, keys[0]));
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

/* Too late to cancel: it has ended, and its answer is to be collected. */
TEST_F(gate_poll, cancel_too_late)
{
	take(self, 9);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 2));
	give(self, 9);
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	EXPECT_EQ(0, gate_release(self->me, self->mine, NULL, 2));
	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, self->mine, NULL, 2, later(self, 200 * MS)));
	told_wait(self->me);
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	EXPECT_EQ(WEIR_LIMITED, collect(self->me));
}

/* ------------------------------------------------------------ collect */

/* In the order in which they ended, as many as there is room for, each once. */
TEST_F(gate_poll, collect_many)
{
	struct weir_op ops[10];
	int n;

	take(self, PERMITS);
	for (__u32 tag = 1; tag <= PERMITS; tag++)
		ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, tag, self->mine, NULL, 1, WEIR_NEVER));
	give(self, PERMITS);
	ASSERT_EQ(3, collect_run(self->me, ops, 3));
	n = collect_run(self->me, ops + 3, 10 - 3);
	ASSERT_EQ(7, n);
	for (__u32 i = 0; i < PERMITS; i++) {
		EXPECT_EQ(i + 1, ops[i].tag);
		EXPECT_EQ(WEIR_ALLOWED, ops[i].verdict);
		EXPECT_EQ(0, ops[i].result);
	}
	EXPECT_EQ(0, collect_run(self->me, ops, 10));
	EXPECT_FALSE(told(self->me));
}

TEST_F(gate_poll, collect_malformed)
{
	struct weir_op ops[2];
	struct weir_collect c = { .size = sizeof(c), .count = 2, .ops = address(ops) }, bad;

	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 1, self->mine, NULL, 1, WEIR_NEVER));
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 2, self->mine, NULL, 1, WEIR_NEVER));
	give(self, 2);
	bad = c;
	bad.count = 0;
	EXPECT_EQ(-EINVAL, call(self->me, WEIR_IOC_COLLECT, &bad));
	bad = c;
	bad.count = WEIR_BATCH_MAX + 1;
	EXPECT_EQ(-EINVAL, call(self->me, WEIR_IOC_COLLECT, &bad));
	bad = c;
	bad.ops += 4;
	EXPECT_EQ(-EINVAL, call(self->me, WEIR_IOC_COLLECT, &bad));
	bad = c;
	bad.size = sizeof(c) - 1;
	EXPECT_EQ(-EINVAL, call(self->me, WEIR_IOC_COLLECT, &bad));
	bad = c;
	bad.ops = 8;
	EXPECT_EQ(-EFAULT, call(self->me, WEIR_IOC_COLLECT, &bad));
	/* nothing is lost by that, and the order stays */
	EXPECT_TRUE(told(self->me));
	ASSERT_EQ(0, call(self->me, WEIR_IOC_COLLECT, &c));
	ASSERT_EQ(2, c.count);
	EXPECT_EQ(1, ops[0].tag);
	EXPECT_EQ(2, ops[1].tag);
}

/* What could be written was collected, and the rest was not. */
TEST_F(gate_poll, collect_half)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct weir_op *ops = (void *)(memory + page) - sizeof(struct weir_op);

	ASSERT_EQ(0, munmap(memory + page, page));
	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 1, self->mine, NULL, 1, WEIR_NEVER));
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 2, self->mine, NULL, 1, WEIR_NEVER));
	give(self, 2);
	ASSERT_EQ(1, collect_run(self->me, ops, 2));
	EXPECT_EQ(1, ops->tag);
	EXPECT_TRUE(told(self->me));
	ASSERT_EQ(1, collect_run(self->me, ops, 1));
	EXPECT_EQ(2, ops->tag);
	EXPECT_FALSE(told(self->me));
	munmap(memory, page);
}

/* A dropped tag leaves nothing to collect, and the others' answers stay. */
TEST_F(gate_poll, dropped_tag)
{
	struct weir_drop drop = { .size = sizeof(drop), .tag = 2 };
	struct weir_op ops[4];

	take(self, PERMITS);
	for (__u32 tag = 1; tag <= 3; tag++)
		ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, tag, self->mine, NULL, 1, WEIR_NEVER));
	give(self, 2);
	ASSERT_EQ(0, call(self->me, WEIR_IOC_DROP, &drop));
	/* the permit went to the third */
	EXPECT_EQ(2, collect_run(self->me, ops, 4));
	EXPECT_EQ(1, ops[0].tag);
	EXPECT_EQ(3, ops[1].tag);
	EXPECT_EQ(10, gate_in_use(self->fd, self->gate));
}

/* The answer outlives the gate and its handle. */
TEST_F(gate_poll, collected_after_the_gate)
{
	struct weir_op ops[3];

	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 1, self->mine, NULL, 1, WEIR_NEVER));
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, 2, self->mine, NULL, 1, WEIR_NEVER));
	give(self, 1);
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	ASSERT_EQ(0, handle_close(self->me, self->mine));
	ASSERT_EQ(2, collect_run(self->me, ops, 3));
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(-ENODEV, ops[1].result);
	EXPECT_EQ(2, ops[1].tag);
	EXPECT_FALSE(told(self->me));
}

/* ------------------------------------------------------------ entries of keys */

/* A request that waits keeps its key; one that has ended does not. */
TEST_F(gate_poll, keeps_its_key)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);
	static const __u64 a = 1, b = 2;
	__u32 gate, other;

	config.max_keys = 1;
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &gate));
	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
				 &other));
	/* the request has timed out */
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &a, 1));
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &a, 1, info_get(self->fd).now + 200 * MS));
	told_wait(self->me);
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &b, 1));
	EXPECT_EQ(WEIR_FULL, queue(self->me, other, &b, 1, WEIR_NEVER));
	ASSERT_EQ(0, gate_release(self->fd, gate, &a, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &b, 1));
	/* granted, and released before it is collected */
	ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &b, 1, WEIR_NEVER));
	ASSERT_EQ(0, gate_release(self->fd, gate, &b, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &a, 1));
	ASSERT_EQ(0, gate_release(self->me, other, &b, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &a, 1));
	/* or whose holder is gone */
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
