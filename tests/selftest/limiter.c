// SPDX-License-Identifier: GPL-2.0-only
/* limiter - checks, peeks and refunds; all members of the answers */
#include "harness.h"

#include "client.h"
#include "verdict.h"

/* limiter_config() gives ten tokens a day */
#define TOKEN	(DAY / 10)

static const __u64 key = 4711;

FIXTURE(limiter) {
	int fd;
	__u32 l;
	__u64 since;
};

FIXTURE_SETUP(limiter)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "limiter", &config,
				    &self->l));
}

FIXTURE_TEARDOWN(limiter)
{
	close(self->fd);
	objects_wipe();
}

static int run(FIXTURE_DATA(limiter) *self, struct weir_op *op, __u16 opcode,
	       __s64 n)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

static bool totals_are(FIXTURE_DATA(limiter) *self, __u64 keys, __u64 allowed,
		       __u64 limited)
{
	struct weir_limiter_stats s;

	if (stats_get(self->fd, self->l, &s))
		return false;
	if (s.keys == keys && s.allowed == allowed && s.limited == limited &&
	    !s.banned && !s.strikes && !s.bans && !s.full && !s.evicted)
		return true;
	printf("# keys %llu allowed %llu limited %llu\n",
	       (unsigned long long)s.keys, (unsigned long long)s.allowed,
	       (unsigned long long)s.limited);
	return false;
}

TEST_F(limiter, bucket_from_full_to_empty)
{
	struct weir_op op;

	EXPECT_TRUE(totals_are(self, 0, 0, 0));
	for (__u64 i = 1; i <= 10; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10 - i, 0, 0));
		EXPECT_EQ(0, op.retry_after);
		EXPECT_EQ(0, op.banned_for);
		EXPECT_TRUE(lasts("reset", op.reset_after, i * TOKEN,
				  self->since));
	}
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 0, 0));
		EXPECT_TRUE(lasts("retry", op.retry_after, TOKEN, self->since));
		EXPECT_TRUE(lasts("reset", op.reset_after, DAY, self->since));
		EXPECT_EQ(0, op.banned_for);
	}
	EXPECT_TRUE(totals_are(self, 1, 10, 3));
}

/* No time has passed at the first charge of a key, so the answer is exact. */
TEST_F(limiter, first_charge_to_the_nanosecond)
{
	struct weir_op op;

	for (__u64 k = 0; k < 10; k++) {
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l,
				     k + 1, &k, sizeof(k)));
		EXPECT_EQ((k + 1) * TOKEN, op.reset_after);
	}
}

TEST_F(limiter, cost)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 7));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 3, 0, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 4));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 3, 0, 0));
	EXPECT_TRUE(lasts("retry", op.retry_after, TOKEN, self->since));
	EXPECT_TRUE(lasts("reset", op.reset_after, 7 * TOKEN, self->since));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 10));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 3, 0, 0));
	EXPECT_TRUE(lasts("retry", op.retry_after, 7 * TOKEN, self->since));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 3));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 0, 0, 0));
}

TEST_F(limiter, cost_above_the_limit)
{
	static const __s64 costs[] = { 11, 1000, 0xffffffff };
	struct weir_op op;

	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, costs[i]));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 10, 0, 0));
		EXPECT_EQ(WEIR_NEVER, op.retry_after);
		EXPECT_EQ(0, op.reset_after);
	}
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 2));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 11));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 8, 0, 0));
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	EXPECT_TRUE(totals_are(self, 1, 1, 4));
}

TEST_F(limiter, numbers_out_of_range)
{
	static const __u16 opcodes[] = { WEIR_OP_CHECK, WEIR_OP_PEEK,
					 WEIR_OP_REFUND };
	static const __s64 bad[] = { 0, -1, 1LL << 32, 1LL << 62,
				     (__s64)(1ULL << 63) };
	struct weir_op op;

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			EXPECT_EQ(-EINVAL, run(self, &op, opcodes[i], bad[j])) {
				TH_LOG("opcode %#x n %lld", opcodes[i],
				       (long long)bad[j]);
			}
		}
		EXPECT_EQ(0, run(self, &op, opcodes[i], 0xffffffff));
	}
	EXPECT_TRUE(totals_are(self, 0, 0, 1));
}

/* PEEK has the verdict of a check, and charges nothing. */
TEST_F(limiter, peek)
{
	struct weir_op op;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10, 0, 0));
		EXPECT_EQ(0, op.retry_after);
		EXPECT_EQ(0, op.reset_after);
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 11));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 10, 0, 0));
		EXPECT_EQ(WEIR_NEVER, op.retry_after);
	}
	EXPECT_TRUE(totals_are(self, 0, 0, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 3));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 7, 0, 0));
		EXPECT_TRUE(lasts("reset", op.reset_after, 3 * TOKEN,
				  self->since));
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 7));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 7, 0, 0));
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 8));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 7, 0, 0));
		EXPECT_TRUE(lasts("retry", op.retry_after, TOKEN, self->since));
	}
	EXPECT_TRUE(totals_are(self, 1, 1, 0));
}

TEST_F(limiter, refund)
{
	struct weir_op op;

	/* refund to a key without an entry: it is full already */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 5));
	EXPECT_EQ(10, op.remaining);
	EXPECT_TRUE(totals_are(self, 0, 0, 0));

	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 6));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 2));
	EXPECT_EQ(10, op.limit);
	EXPECT_EQ(6, op.remaining);
	EXPECT_TRUE(lasts("reset", op.reset_after, 4 * TOKEN, self->since));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 6));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 0, 0, 0));

	/* a refund never raises the tokens above full */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 0xffffffff));
	EXPECT_EQ(10, op.remaining);
	EXPECT_EQ(0, op.reset_after);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 10));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
}

FIXTURE(window) {
	int fd;
	__u32 l;
	__u64 since;
};

FIXTURE_SETUP(window)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.algorithm = WEIR_ALGORITHM_WINDOW;
	config.period = 100 * DAY;
	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "window", &config, &self->l));
}

FIXTURE_TEARDOWN(window)
{
	close(self->fd);
	objects_wipe();
}

static int wrun(FIXTURE_DATA(window) *self, struct weir_op *op, __u16 opcode,
		__s64 n)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

/* The window began with the limiter. It ends for all keys at the same time. */
TEST_F(window, from_full_to_empty)
{
	struct weir_op op;

	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10, 0, 0));
	EXPECT_EQ(0, op.reset_after);
	for (__u64 i = 1; i <= 10; i++) {
		ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10 - i, 0, 0));
		EXPECT_EQ(0, op.retry_after);
		EXPECT_TRUE(lasts("reset", op.reset_after, 100 * DAY,
				  self->since));
	}
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 0, 0));
	EXPECT_TRUE(lasts("retry", op.retry_after, 100 * DAY, self->since));
	EXPECT_EQ(op.retry_after, op.reset_after);
}

TEST_F(window, cost_and_refund)
{
	struct weir_op op;

	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 8));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 2, 0, 0));
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 3));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 2, 0, 0));
	EXPECT_NE(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 11));
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_REFUND, 3));
	EXPECT_EQ(5, op.remaining);
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_PEEK, 5));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 5, 0, 0));
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_REFUND, 0xffffffff));
	EXPECT_EQ(10, op.remaining);
	EXPECT_EQ(0, op.reset_after);
}

/* A changed period starts a new window; a changed limit keeps the count. */
TEST_F(window, set_while_in_use)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u64 since;

	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 8));
	config.tokens = 20;
	config.period = 100 * DAY;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_RATE, &config));
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 20, 12, 0, 0));
	config.tokens = 5;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_RATE, &config));
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 5, 0, 0, 0));
	config.period = 50 * DAY;
	since = now_ns();
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_RATE, &config));
	ASSERT_EQ(0, wrun(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 5, 4, 0, 0));
	EXPECT_TRUE(lasts("reset", op.reset_after, 50 * DAY, since));
}

/* A bucket keeps the time a key still needs to be full again. */
TEST_F(limiter, set_while_in_use)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 5));
	config.tokens = 20;
	config.burst = 20;
	ASSERT_EQ(0, limiter_set(self->fd, self->l,
				 WEIR_SET_RATE | WEIR_SET_BURST, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 20, 9, 0, 0));
	EXPECT_TRUE(lasts("reset", op.reset_after, 5 * TOKEN + TOKEN / 2,
			  self->since));
	/* a burst below the debt: nothing is allowed until the difference has flowed in */
	config.burst = 5;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BURST, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 5, 0, 0, 0));
	EXPECT_TRUE(lasts("retry", op.retry_after, 7 * TOKEN / 2, self->since));
	EXPECT_TRUE(lasts("reset", op.reset_after, 11 * TOKEN / 2,
			  self->since));
}

TEST_F(limiter, keys_do_not_touch_each_other)
{
	struct weir_op op;

	for (__u64 round = 0; round < 10; round++) {
		for (__u64 k = 0; k < 500; k++) {
			ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK,
					     self->l, 1, &k, sizeof(k)));
			ASSERT_EQ(WEIR_ALLOWED, op.verdict);
			ASSERT_EQ(9 - round, op.remaining);
		}
	}
	EXPECT_TRUE(totals_are(self, 500, 5000, 0));
}

TEST_F(limiter, ops_of_other_kinds)
{
	for (__u16 opcode = WEIR_OP_ADD; opcode <= WEIR_OP_NEXT; opcode++) {
		struct weir_op op = op_make(opcode, self->l, 1);

		op.arg = opcode != WEIR_OP_NEXT;	/* must be zero */
		EXPECT_EQ(-EOPNOTSUPP, op_run(self->fd, &op));
	}
}

/* Each op of a batch has its own answer. */
TEST_F(limiter, batch_in_order)
{
	struct weir_op ops[15];
	__u32 done;

	for (int i = 0; i < 15; i++) {
		ops[i] = op_make(WEIR_OP_CHECK, self->l, 1);
		op_key(&ops[i], &key, sizeof(key));
	}
	ASSERT_EQ(0, submit(self->fd, ops, 15, &done));
	EXPECT_EQ(15, done);
	for (__u32 i = 0; i < 15; i++) {
		EXPECT_EQ(0, ops[i].result);
		EXPECT_EQ(i < 10 ? WEIR_ALLOWED : WEIR_LIMITED, ops[i].verdict);
		EXPECT_EQ(i < 10 ? 9 - i : 0, ops[i].remaining);
		EXPECT_EQ(i, ops[i].decided);
	}
}

/* A sliding window from full to empty, and the times in its answers. */
TEST(sliding)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	/* with a period of 100 days, time is weighted in units of 2^22 ns */
	const __u64 period = 100 * DAY, units = (period + (1 << 22) - 1) >> 22;
	const __u64 fades = (units - units * 9 / 10) << 22;
	int fd = client_open(O_RDWR);
	struct weir_op op;
	__u64 since;
	__u32 l;

	objects_wipe();
	config.algorithm = WEIR_ALGORITHM_SLIDING;
	config.period = period;
	since = now_ns();
	ASSERT_EQ(0, limiter_create(fd, OURS "sliding", &config, &l));
	for (__u64 i = 1; i <= 10; i++) {
		ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key,
				     sizeof(key)));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10 - i, 0, 0));
		EXPECT_TRUE(lasts("reset", op.reset_after, 2 * period, since));
	}
	/* one of ten must have faded from the previous window by then */
	ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key, sizeof(key)));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 0, 0));
	EXPECT_TRUE(lasts("retry", op.retry_after, period + fades, since));
	ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_PEEK, l, 10, &key, sizeof(key)));
	EXPECT_TRUE(lasts("retry", op.retry_after, 2 * period, since));
	ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_CHECK, l, 11, &key, sizeof(key)));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_REFUND, l, 100, &key, sizeof(key)));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10, 0, 0));
	EXPECT_EQ(0, op.reset_after);
	close(fd);
	objects_wipe();
}

TEST_HARNESS_MAIN
