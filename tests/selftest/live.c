// SPDX-License-Identifier: GPL-2.0-only
/*
 * live - the state that WEIR_IOC_SET keeps, member by member
 *
 * Each test checks a sentence of &struct weir_set. Tokens come back so slowly that none does during
 * a test.
 */
#include "harness.h"

#include <sys/wait.h>

#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define MS	1000000ULL
#define TENTH	(DAY / 10)	/* time in which one of ten tokens a day comes back */

FIXTURE(live) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
	__u64 since;
};

static int create(FIXTURE_DATA(live) *self, const char *name)
{
	return limiter_create(self->fd, name, &self->config, &self->l);
}

FIXTURE_SETUP(live)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.burst = 10;
	self->config.strikes = 5;
	self->config.within = HOUR;
	self->config.nbans = 2;
	self->config.ban[0] = HOUR;
	self->config.ban[1] = 2 * HOUR;
	self->config.forget_after = DAY;
	self->since = now_ns();
	ASSERT_EQ(0, create(self, OURS "live"));
}

FIXTURE_TEARDOWN(live)
{
	close(self->fd);
	objects_wipe();
}

static int set(FIXTURE_DATA(live) *self, __u64 mask)
{
	return limiter_set(self->fd, self->l, mask, &self->config);
}

static int run(FIXTURE_DATA(live) *self, struct weir_op *op, __u16 opcode,
	       __s64 n, __u64 key)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

static void must(FIXTURE_DATA(live) *self, __u16 opcode, __s64 n, __u64 key)
{
	struct weir_op op;
	int ret = run(self, &op, opcode, n, key);

	if (ret || (opcode == WEIR_OP_CHECK && op.verdict != WEIR_ALLOWED)) {
		printf("# opcode %u of key %llu: %d\n", opcode,
		       (unsigned long long)key, ret);
		abort();
	}
}

/* The answer to a check of key 1, without a charge. */
static struct weir_op peek(FIXTURE_DATA(live) *self, __s64 n)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_PEEK, n, 1))
		abort();
	return op;
}

static __u64 keys(FIXTURE_DATA(live) *self)
{
	struct weir_limiter_stats stats;

	return stats_get(self->fd, self->l, &stats) ? WEIR_NEVER : stats.keys;
}

/* Key 1 has @remaining of @limit tokens, and needs @reset until it is full. */
static bool stands(FIXTURE_DATA(live) *self, __u64 limit, __u64 remaining,
		   __u64 reset)
{
	struct weir_op op = peek(self, 1);

	return answers(&op, remaining ? WEIR_ALLOWED : WEIR_LIMITED, 0, limit,
		       remaining, 0, 0) &&
	       lasts("reset", op.reset_after, reset, self->since);
}

/* A bucket keeps the time until it is full, although each token takes another time now. */
TEST_F(live, rate)
{
	struct weir_op op;

	must(self, WEIR_OP_CHECK, 4, 1);
	EXPECT_TRUE(stands(self, 10, 6, 4 * TENTH));
	self->config.tokens = 20;	/* 0.4 days are 8 tokens at 20 a day */
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 2, 4 * TENTH));
	op = peek(self, 3);
	EXPECT_TRUE(lasts("retry", op.retry_after, DAY / 20, self->since));
	self->config.tokens = 5;	/* 0.4 days are 2 tokens at 5 a day */
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 8, 4 * TENTH));
	self->config.tokens = 10;
	self->config.period = 2 * DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 8, 4 * TENTH));
	self->config.tokens = 100;	/* 0.4 days are more than all its tokens */
	self->config.period = DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 0, 4 * TENTH));
	op = peek(self, 1);
	EXPECT_TRUE(lasts("retry", op.retry_after, 4 * TENTH - 9 * DAY / 100,
			  self->since));
	self->config.tokens = 10;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 6, 4 * TENTH));
}

/* The tokens spent are kept; tokens above the new burst are owed. */
TEST_F(live, burst)
{
	struct weir_op op;

	must(self, WEIR_OP_CHECK, 4, 1);
	self->config.burst = 20;
	ASSERT_EQ(0, set(self, WEIR_SET_BURST));
	EXPECT_TRUE(stands(self, 20, 16, 4 * TENTH));
	self->config.burst = 5;
	ASSERT_EQ(0, set(self, WEIR_SET_BURST));
	EXPECT_TRUE(stands(self, 5, 1, 4 * TENTH));
	self->config.burst = 3;
	ASSERT_EQ(0, set(self, WEIR_SET_BURST));
	EXPECT_TRUE(stands(self, 3, 0, 4 * TENTH));
	op = peek(self, 1);
	EXPECT_TRUE(lasts("retry", op.retry_after, 2 * TENTH, self->since));
	self->config.burst = 10;
	ASSERT_EQ(0, set(self, WEIR_SET_BURST));
	EXPECT_TRUE(stands(self, 10, 6, 4 * TENTH));
}

/* The count is kept, unless the period changes: then all windows start again. */
static void windows(struct __test_metadata *_metadata, FIXTURE_DATA(live) *self,
		    __u32 algorithm, __u64 reset)
{
	self->config.algorithm = algorithm;
	self->config.burst = 0;
	self->config.period = 100 * DAY;
	self->since = now_ns();
	ASSERT_EQ(0, create(self, OURS "window"));
	must(self, WEIR_OP_CHECK, 4, 1);
	EXPECT_TRUE(stands(self, 10, 6, reset * 100 * DAY));
	self->config.tokens = 20;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 20, 16, reset * 100 * DAY));
	self->config.tokens = 3;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 3, 0, reset * 100 * DAY));
	self->config.tokens = 10;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 6, reset * 100 * DAY));
	/* a window's burst must equal its tokens */
	self->config.burst = 10;
	ASSERT_EQ(0, set(self, WEIR_SET_BURST));
	EXPECT_TRUE(stands(self, 10, 6, reset * 100 * DAY));
	self->config.period = 99 * DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 10, 0));
	/* the old window does not return */
	self->config.period = 100 * DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_RATE));
	EXPECT_TRUE(stands(self, 10, 10, 0));
}

TEST_F(live, rate_of_window)
{
	windows(_metadata, self, WEIR_ALGORITHM_WINDOW, 1);
}

/* Tokens spent in the old period count in the new one. */
TEST_F(live, rate_of_sliding)
{
	windows(_metadata, self, WEIR_ALGORITHM_SLIDING, 2);
}

/* All entries are kept. New keys get exactly the room that is left. */
TEST_F(live, max_keys)
{
	struct weir_op op;

	self->config.max_keys = 4;
	ASSERT_EQ(0, create(self, OURS "small"));
	for (__u64 key = 1; key <= 4; key++)
		must(self, WEIR_OP_CHECK, key, key);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 5));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	self->config.max_keys = 6;
	ASSERT_EQ(0, set(self, WEIR_SET_MAX_KEYS));
	must(self, WEIR_OP_CHECK, 5, 5);
	must(self, WEIR_OP_CHECK, 6, 6);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 7));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	self->config.max_keys = 3;
	ASSERT_EQ(0, set(self, WEIR_SET_MAX_KEYS));
	EXPECT_EQ(6, keys(self));
	for (__u64 key = 1; key <= 6; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, key));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9 - key, 0, 0));
	}
	/* the entries above the cap go one by one; after the fourth there is room for one key */
	for (__u64 key = 1; key <= 4; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 7));
		EXPECT_EQ(WEIR_FULL, op.verdict);
		must(self, WEIR_OP_FORGET, 0, key);
	}
	must(self, WEIR_OP_CHECK, 7, 7);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 8));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	EXPECT_EQ(3, keys(self));
	/* the small table cannot hold more; a refused SET changes nothing */
	self->config.max_keys = 513;
	EXPECT_EQ(-ERANGE, set(self, WEIR_SET_MAX_KEYS));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1, 8));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	self->config.max_keys = 512;
	ASSERT_EQ(0, set(self, WEIR_SET_MAX_KEYS));
	for (__u64 key = 5; key <= 7; key++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1, key));
		EXPECT_EQ(key == 7 ? 3 : 9 - key, op.remaining);
	}
	for (__u64 key = 8; key < 8 + 512 - 3; key++)
		must(self, WEIR_OP_CHECK, 1, key);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 8 + 512 - 3));
	EXPECT_EQ(WEIR_FULL, op.verdict);
}

/* The entries are kept; untracked keys have no entry. */
TEST_F(live, when_full)
{
	struct weir_op op;

	self->config.max_keys = 1;
	ASSERT_EQ(0, create(self, OURS "small"));
	must(self, WEIR_OP_CHECK, 4, 1);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 10, 2));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	self->config.when_full = WEIR_FULL_ALLOW;
	ASSERT_EQ(0, set(self, WEIR_SET_WHEN_FULL));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 10, 2));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_UNTRACKED, 10, 10,
				    0, 0));
	}
	self->config.when_full = WEIR_FULL_REFUSE;
	ASSERT_EQ(0, set(self, WEIR_SET_WHEN_FULL));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 2));
	EXPECT_EQ(WEIR_FULL, op.verdict);
	EXPECT_EQ(1, keys(self));
	EXPECT_TRUE(stands(self, 10, 6, 4 * TENTH));
}

static struct weir_op strike(FIXTURE_DATA(live) *self, __s64 n, __u64 key)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_STRIKE, n, key))
		abort();
	return op;
}

/* The strikes are kept. The change itself bans no key. */
TEST_F(live, strikes)
{
	struct weir_limiter_config no_bans = self->config;
	struct weir_op op;

	for (__u64 key = 1; key <= 3; key++)
		strike(self, 3, key);
	self->config.strikes = 10;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	op = strike(self, 6, 1);
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 10, 9, 0));
	op = strike(self, 1, 1);
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 10, 10, 0, 1));

	/* fewer strikes than the key has: its next strike bans it */
	self->config.strikes = 2;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 2));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 9, 3, 0));
	op = strike(self, 1, 2);
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 10, 9, 0, 1));

	/* strikes 0: bans and strikes stay, and a refused check is no strike */
	no_bans.strikes = 0;
	no_bans.nbans = 0;
	memset(no_bans.ban, 0, sizeof(no_bans.ban));
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES, &no_bans));
	EXPECT_EQ(WEIR_BANNED, peek(self, 1).verdict);
	must(self, WEIR_OP_CHECK, 10, 3);
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 3));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 3, 0));
	}
	op = strike(self, 1, 3);
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 4, 0));
	self->config.strikes = 5;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 3));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 10, 0, 0, 1));
}

/* The ban and the step are kept: the next ban takes the next step of the new ladder. */
TEST_F(live, ladder)
{
	static const __u64 steps[] = { 3 * HOUR, 4 * HOUR, 5 * HOUR };
	struct weir_op op;

	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_TRUE(lasts("first", op.banned_for, HOUR, self->since));
	memcpy(self->config.ban, steps, sizeof(steps));
	self->config.nbans = 3;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	op = peek(self, 1);
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 10, 0, 1));
	EXPECT_TRUE(lasts("first", op.banned_for, HOUR, self->since));
	must(self, WEIR_OP_LIFT, 0, 1);
	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_EQ(2, op.bans);
	EXPECT_TRUE(lasts("second of three", op.banned_for, 4 * HOUR, self->since));
	/* a step beyond the end of a shorter ladder is its last step */
	must(self, WEIR_OP_LIFT, 0, 1);
	self->config.ban[0] = 6 * HOUR;
	self->config.ban[1] = 0;
	self->config.ban[2] = 0;
	self->config.nbans = 1;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_EQ(3, op.bans);
	EXPECT_TRUE(lasts("only", op.banned_for, 6 * HOUR, self->since));
	must(self, WEIR_OP_LIFT, 0, 1);
	memcpy(self->config.ban, (__u64[4]){ HOUR, HOUR, HOUR, 7 * HOUR },
	       4 * sizeof(__u64));
	self->config.nbans = 4;
	ASSERT_EQ(0, set(self, WEIR_SET_STRIKES));
	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_EQ(4, op.bans);
	EXPECT_TRUE(lasts("fourth", op.banned_for, 7 * HOUR, self->since));
}

/* The strikes and their times are kept. From then on they fade by the new time. */
TEST_F(live, within)
{
	struct weir_op op;

	must(self, WEIR_OP_CHECK, 1, 1);	/* so that the entry is not dropped */
	strike(self, 4, 1);
	self->config.within = 100 * DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_WITHIN));
	EXPECT_EQ(4, peek(self, 1).strikes);
	self->config.within = MS;
	ASSERT_EQ(0, set(self, WEIR_SET_WITHIN));
	usleep(2 * 1000 + 1);
	EXPECT_EQ(0, peek(self, 1).strikes);
	/* without a strike or a check in between, no strike was forgotten */
	self->config.within = HOUR;
	ASSERT_EQ(0, set(self, WEIR_SET_WITHIN));
	EXPECT_EQ(4, peek(self, 1).strikes);
	op = strike(self, 1, 1);
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 10, 9, 0, 1));
	/* the length of a ban does not change */
	self->config.within = MS;
	ASSERT_EQ(0, set(self, WEIR_SET_WITHIN));
	EXPECT_TRUE(lasts("ban", peek(self, 1).banned_for, HOUR, self->since));
}

/* The time of the last ban's end is kept. The next ban applies the new forget_after. */
TEST_F(live, forget_after)
{
	struct weir_op op;

	must(self, WEIR_OP_CHECK, 1, 1);
	strike(self, 5, 1);
	must(self, WEIR_OP_LIFT, 0, 1);
	self->config.forget_after = 1;
	ASSERT_EQ(0, set(self, WEIR_SET_FORGET_AFTER));
	usleep(1000);
	EXPECT_EQ(1, peek(self, 1).bans);
	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_EQ(1, op.bans);
	EXPECT_TRUE(lasts("first again", op.banned_for, HOUR, self->since));
	must(self, WEIR_OP_LIFT, 0, 1);
	self->config.forget_after = 3650 * DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_FORGET_AFTER));
	self->since = now_ns();
	op = strike(self, 5, 1);
	EXPECT_EQ(2, op.bans);
	EXPECT_TRUE(lasts("second", op.banned_for, 2 * HOUR, self->since));
}

/* A child that waits for @n tokens of key 1. Its exit status is the verdict. */
static pid_t waiter(FIXTURE_DATA(live) *self, __s64 n)
{
	struct weir_op op = op_make(WEIR_OP_RESERVE, self->l, n);
	pid_t pid = fork();

	if (pid)
		return pid;
	op_key(&op, &(__u64){ 1 }, 8);
	op.arg = now_ns() + 50 * DAY;
	_exit(op_run(self->fd, &op) ? 99 : op.verdict | op.out_flags << 4);
}

static int verdict_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : -1;
}

/* Wait until RESERVEs for @n tokens are queued. A peek shows this. */
static void until_queued(FIXTURE_DATA(live) *self, unsigned int n)
{
	while (peek(self, 1).retry_after < (n + 1) * TENTH - HOUR)
		usleep(1000);
}

/* Present waiters stay queued. */
TEST_F(live, queue_max)
{
	struct weir_op op;
	pid_t first, second;

	must(self, WEIR_OP_CHECK, 10, 1);
	first = waiter(self, 3);
	until_queued(self, 3);
	second = waiter(self, 4);
	until_queued(self, 7);
	self->config.queue_max = 2;
	ASSERT_EQ(0, set(self, WEIR_SET_QUEUE_MAX));
	op = op_make(WEIR_OP_RESERVE, self->l, 1);
	op_key(&op, &(__u64){ 1 }, 8);
	op.arg = now_ns() + 50 * DAY;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_QUEUED, 10, 0, 1, 0));
	op = peek(self, 1);
	EXPECT_TRUE(lasts("turn", op.retry_after, 8 * TENTH, self->since));
	must(self, WEIR_OP_REFUND, 7, 1);
	EXPECT_EQ(WEIR_ALLOWED, verdict_of(first));
	EXPECT_EQ(WEIR_ALLOWED, verdict_of(second));
	op = peek(self, 1);
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 1, 0));
}

/* The present ban keeps its length; the next one may be longer. */
TEST_F(live, ban_jitter)
{
	struct weir_op op;

	strike(self, 5, 1);
	self->config.ban_jitter = DAY;
	ASSERT_EQ(0, set(self, WEIR_SET_BAN_JITTER));
	op = peek(self, 1);
	EXPECT_TRUE(lasts("ban", op.banned_for, HOUR, self->since));
	must(self, WEIR_OP_LIFT, 0, 1);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 5, 1));
	EXPECT_LE(2 * HOUR, op.banned_for);
	EXPECT_GE(2 * HOUR + DAY, op.banned_for);
	self->config.ban_jitter = 0;
	ASSERT_EQ(0, set(self, WEIR_SET_BAN_JITTER));
	must(self, WEIR_OP_LIFT, 0, 1);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 5, 1));
	EXPECT_EQ(2 * HOUR, op.banned_for);
}

/* All state is kept: shadow mode, on or off, charges tokens, counts strikes and makes bans. */
TEST_F(live, shadow)
{
	const __u32 shadow = WEIR_OUT_SHADOW;
	struct weir_limiter_stats stats;
	struct weir_op op;
	pid_t pid;

	must(self, WEIR_OP_CHECK, 10, 1);
	strike(self, 1, 1);
	pid = waiter(self, 1);
	until_queued(self, 1);
	self->config.flags = WEIR_LIMITER_SHADOW;
	ASSERT_EQ(0, set(self, WEIR_SET_FLAGS));
	/* a waiter is allowed at once and not charged, and it counts as a strike */
	EXPECT_EQ(WEIR_ALLOWED | shadow << 4, verdict_of(pid));
	op = peek(self, 1);
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, shadow, 10, 0, 2, 0));
	EXPECT_TRUE(lasts("reset", op.reset_after, DAY, self->since));
	for (__u32 strikes = 3; strikes <= 4; strikes++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 1));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, shadow, 10, 0, strikes, 0));
	}
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, shadow | WEIR_OUT_BANNED_NOW, 10, 0,
			    0, 1));
	self->config.flags = 0;
	ASSERT_EQ(0, set(self, WEIR_SET_FLAGS));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 0, 0, 1));
	EXPECT_TRUE(lasts("ban", op.banned_for, HOUR, self->since));
	EXPECT_TRUE(lasts("reset", op.reset_after, DAY, self->since));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(1, stats.allowed);
	EXPECT_EQ(3, stats.limited);
	EXPECT_EQ(2, stats.banned);
	EXPECT_EQ(5, stats.strikes);
	EXPECT_EQ(1, stats.bans);
}

/* Setting the present values changes nothing: neither keys nor totals nor rules. */
TEST_F(live, all_else)
{
	struct weir_rule rule = { .addr = { 10 }, .addr_len = 4, .prefix = 8,
				  .action = WEIR_RULE_DENY };
	struct weir_rules rules = { .size = sizeof(rules), .count = 1,
				    .rules = address(&rule) };
	struct weir_limiter_stats before, after;
	struct weir_op op;

	self->config.key_type = WEIR_KEY_IP;
	ASSERT_EQ(0, create(self, OURS "ip"));
	rules.handle = self->l;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
	self->config.max_keys = 65536;
	for (__u64 bit = 1; bit <= SET_KNOWN; bit <<= 1) {
		const __u8 denied[4] = { 10, 9, 8, 7 };
		__u8 spent[4] = { 192, 0, 2, (__u8)__builtin_ctzll(bit) };
		__u8 struck[4] = { 192, 0, 3, (__u8)__builtin_ctzll(bit) };

		if (!(bit & SET_KNOWN))
			continue;
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 4,
				     spent, 4));
		for (int i = 0; i < 2; i++)
			ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE,
					     self->l, 4, struck, 4));
		ASSERT_EQ(0, stats_get(self->fd, self->l, &before));
		ASSERT_EQ(0, set(self, bit));
		ASSERT_EQ(0, stats_get(self->fd, self->l, &after));
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1,
				     spent, 4));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 6, 0, 0));
		EXPECT_TRUE(lasts("reset", op.reset_after, 4 * TENTH, self->since));
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1,
				     struck, 4));
		EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 10, 0, 1));
		EXPECT_TRUE(lasts("ban", op.banned_for, HOUR, self->since));
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1,
				     denied, 4));
		EXPECT_EQ(WEIR_BANNED, op.verdict);
		EXPECT_EQ(WEIR_OUT_RULE, op.out_flags);
	}
}

TEST_HARNESS_MAIN
