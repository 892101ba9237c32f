// SPDX-License-Identifier: GPL-2.0-only
/*
 * failnth_nowait - ops with WEIR_OP_NOWAIT: failed allocations are EAGAIN, and no op waits for its
 * turn
 */
#include "failnth.h"

#include "queued.h"

/* Perform an op with NOWAIT. Return: ENOMEM in place of EAGAIN, for sweep_run(); never an ENOMEM. */
static int nowait_run(FIXTURE_DATA(failnth) *self, struct weir_op *op)
{
	int ret;

	op->flags |= WEIR_OP_NOWAIT;
	ret = op_run(self->fd, op);
	if (ret == -ENOMEM)
		return -EPROTO;
	return ret == -EAGAIN ? -ENOMEM : ret;
}

static const __u64 new_key = 77;

static struct weir_op op_for(__u16 opcode, __u32 handle, __s64 n)
{
	struct weir_op op = op_make(opcode, handle, n);

	op_key(&op, &new_key, sizeof(new_key));
	return op;
}

static int forget(int fd, __u32 limiter)
{
	struct weir_op op = op_for(WEIR_OP_FORGET, limiter, 0);

	return op_run(fd, &op);
}

static int check(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op = op_for(WEIR_OP_CHECK, self->limiter, 1);

	return op_outcome(self, nowait_run(self, &op), forget, self->limiter);
}

static int reserve(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op = op_for(WEIR_OP_RESERVE, self->limiter, 1);

	op.arg = WEIR_NEVER;
	return op_outcome(self, nowait_run(self, &op), forget, self->limiter);
}

static int give_back(int fd, __u32 gate)
{
	return gate_release(fd, gate, &new_key, 1);
}

static int acquire(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op = op_for(WEIR_OP_ACQUIRE, self->gate, 1);

	return op_outcome(self, nowait_run(self, &op), give_back, self->gate);
}

static int remove_new(int fd, __u32 roster)
{
	return lease_remove(fd, roster, "new");
}

static int claim(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op = lease_make(WEIR_OP_CLAIM, self->roster, "new", 0, 0);

	return op_outcome(self, nowait_run(self, &op), remove_new, self->roster);
}

static int read_histogram(FIXTURE_DATA(failnth) *self)
{
	static struct weir_histogram to;
	struct weir_op op = op_make(WEIR_OP_READ, self->histogram, WEIR_HISTOGRAM_WORDS);

	op.flags = WEIR_OP_PTR;
	op.ptr = address(&to);
	return nowait_run(self, &op);
}

static const struct {
	const char *name;
	int (*call)(FIXTURE_DATA(failnth) *self);
} calls[] = {
	{ "CHECK", check }, { "RESERVE", reserve }, { "ACQUIRE", acquire }, { "CLAIM", claim },
	{ "READ", read_histogram },
};

TEST_F(failnth, nowait_is_eagain)
{
	NEEDS_INJECTION();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct sweep sweep = { .call = calls[i].call, .times = 5 };

		TH_LOG("%s", calls[i].name);
		sweep_run(_metadata, self, &sweep);
		EXPECT_LT(0, sweep.no_memory);
	}
}

/* An op that would wait for its turn is answered at once, or becomes a request. */
TEST_F(failnth, nowait_does_not_wait)
{
	struct weir_op op = op_for(WEIR_OP_ACQUIRE, self->gate, 1);

	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &new_key, 5));
	op.arg = WEIR_NEVER;
	op.flags = WEIR_OP_NOWAIT;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	op.flags = WEIR_OP_NOWAIT | WEIR_OP_ASYNC;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_QUEUED, op.verdict);
	EXPECT_EQ(0, queue_cancel(self->fd, self->gate, &new_key));
	op = op_for(WEIR_OP_CHECK, self->limiter, 10);
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	op = op_for(WEIR_OP_RESERVE, self->limiter, 1);
	op.arg = WEIR_NEVER;
	op.flags = WEIR_OP_NOWAIT;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
}

/* A transaction allocates memory for all its ops, so a flag of one op makes no sense. */
TEST_F(failnth, nowait_in_a_transaction)
{
	struct weir_op op = op_for(WEIR_OP_CHECK, self->limiter, 1);

	op.flags = WEIR_OP_NOWAIT;
	EXPECT_EQ(-EINVAL, claims_run(self->fd, &op, 1));
	op.flags = 0;
	EXPECT_EQ(0, claims_run(self->fd, &op, 1));
}

TEST_HARNESS_MAIN
