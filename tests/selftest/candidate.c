// SPDX-License-Identifier: GPL-2.0-only
/*
 * candidate - another limiter that sees the operations of the live one
 *
 * The live limiter has ten tokens a day and the candidate four, unless a test changes this. No
 * token comes back during a test, so all counts are exact.
 */
#include "harness.h"

#include <signal.h>
#include <sys/wait.h>

#include "client.h"
#include "person.h"
#include "verdict.h"

#define LIVE	OURS "live"
#define NAME	OURS "candidate"
#define SOMEONE	1234

static const __u64 key = 7;

FIXTURE(candidate) {
	int fd;
	__u32 live, its;	/* the live limiter and its candidate */
	struct weir_limiter_config config;
};

FIXTURE_SETUP(candidate)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.burst = 10;
}

FIXTURE_TEARDOWN(candidate)
{
	close(self->fd);
	objects_wipe();
}

/* Make @name the candidate of @live; NULL: remove the candidate. */
static int link_to(FIXTURE_DATA(candidate) *self, __u32 live, const char *name)
{
	struct weir_limiter_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	snprintf(config.candidate, sizeof(config.candidate), "%s", name);
	return limiter_set(self->fd, live, WEIR_SET_CANDIDATE, &config);
}

/* Create the live limiter with self->config, and its candidate with @burst. */
static int pair(FIXTURE_DATA(candidate) *self, __u64 burst)
{
	struct weir_limiter_config config = self->config;

	config.burst = burst;
	return limiter_create(self->fd, LIVE, &self->config, &self->live) ?:
	       limiter_create(self->fd, NAME, &config, &self->its) ?:
	       link_to(self, self->live, NAME);
}

static struct weir_limiter_stats totals(FIXTURE_DATA(candidate) *self, __u32 l)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, l, &stats))
		abort();
	return stats;
}

static bool counts(FIXTURE_DATA(candidate) *self, __u32 l, __u64 allowed,
		   __u64 limited, __u64 stricter, __u64 looser)
{
	struct weir_limiter_stats s = totals(self, l);

	if (s.allowed == allowed && s.limited == limited && !s.missed &&
	    s.stricter == stricter && s.looser == looser)
		return true;
	printf("# allowed %llu limited %llu stricter %llu looser %llu missed %llu\n",
	       (unsigned long long)s.allowed, (unsigned long long)s.limited,
	       (unsigned long long)s.stricter, (unsigned long long)s.looser,
	       (unsigned long long)s.missed);
	return false;
}

static int run(FIXTURE_DATA(candidate) *self, struct weir_op *op, __u16 opcode,
	       __u32 l, __s64 n)
{
	return key_run(self->fd, op, opcode, l, n, &key, sizeof(key));
}

static struct weir_op peek(FIXTURE_DATA(candidate) *self, __u32 l)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_PEEK, l, 1))
		abort();
	return op;
}

static int reserve(FIXTURE_DATA(candidate) *self, struct weir_op *op, __s64 n,
		   __u64 until)
{
	*op = op_make(WEIR_OP_RESERVE, self->live, n);
	op_key(op, &key, sizeof(key));
	op->arg = until;
	return op_run(self->fd, op);
}

TEST_F(candidate, stricter)
{
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 4));
	for (int i = 1; i <= 12; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
		EXPECT_TRUE(answers(&op, i > 10 ? WEIR_LIMITED : WEIR_ALLOWED,
				    i > 4 && i <= 10 ? WEIR_OUT_CANDIDATE : 0, 10,
				    i > 10 ? 0 : 10 - i, 0, 0));
	}
	EXPECT_TRUE(counts(self, self->live, 10, 2, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 4, 8, 6, 0));
}

TEST_F(candidate, looser)
{
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 12));
	for (int i = 1; i <= 14; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
		EXPECT_TRUE(answers(&op, i > 10 ? WEIR_LIMITED : WEIR_ALLOWED,
				    i == 11 || i == 12 ? WEIR_OUT_CANDIDATE : 0, 10,
				    i > 10 ? 0 : 10 - i, 0, 0));
	}
	EXPECT_TRUE(counts(self, self->live, 10, 4, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 12, 2, 0, 2));
}

TEST_F(candidate, cost_refund_strike_forgive)
{
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 8));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 7));
	EXPECT_EQ(1, peek(self, self->its).remaining);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, self->live, 3));
	EXPECT_EQ(4, peek(self, self->its).remaining);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, self->live, 5));
	EXPECT_EQ(5, peek(self, self->its).strikes);
	EXPECT_EQ(5, totals(self, self->its).strikes);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGIVE, self->live, 0));
	EXPECT_EQ(0, peek(self, self->its).strikes);
	EXPECT_TRUE(counts(self, self->its, 1, 0, 0, 0));
	/* a strike creates an entry in the candidate too */
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->live, 2,
			     &(__u64){ 8 }, 8));
	EXPECT_EQ(2, totals(self, self->its).keys);
}

/* The candidate works for a key for which the live limiter has no entry or no room. */
TEST_F(candidate, goes_on_without_the_live_one)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	self->config.max_keys = 1;
	ASSERT_EQ(0, pair(self, 4));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, self->its, 3));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGIVE, self->live, 0));
	EXPECT_EQ(0, peek(self, self->its).strikes);
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1,
			     &(__u64){ 8 }, 8));
	EXPECT_EQ(-ENOSPC, run(self, &op, WEIR_OP_STRIKE, self->live, 3));
	stats = totals(self, self->its);
	EXPECT_EQ(3 + 0, stats.strikes);
	EXPECT_EQ(1, stats.keys);
}

TEST_F(candidate, not_mirrored)
{
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump), .buffer = address(buffer),
				  .length = sizeof(buffer) };
	struct weir_load load = { .size = sizeof(load), .buffer = address(buffer) };
	struct weir_limiter_stats before, after;
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 8));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 2));
	before = totals(self, self->its);
	dump.handle = load.handle = self->live;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, self->live, 1));
	op = op_make(WEIR_OP_BAN, self->live, 0);
	op.arg = HOUR;
	op_key(&op, &key, sizeof(key));
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(0, peek(self, self->its).banned_for);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, self->live, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, self->live, 0));
	load.length = dump.length;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_LOAD, &load));
	after = totals(self, self->its);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	EXPECT_EQ(6, peek(self, self->its).remaining);
	/* a ban of the candidate does not affect the live limiter */
	op = op_make(WEIR_OP_BAN, self->its, 0);
	op.arg = HOUR;
	op_key(&op, &key, sizeof(key));
	ASSERT_EQ(0, op_run(self->fd, &op));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_CANDIDATE, 10, 7, 0, 0));
	EXPECT_EQ(1, totals(self, self->its).banned);
}

static int rule_set(FIXTURE_DATA(candidate) *self, __u32 l, __u8 last, __u8 action)
{
	struct weir_rule rule = { .addr = { 10, 0, 0, last }, .addr_len = 4,
				  .prefix = 32, .action = action };
	struct weir_rules rules = { .size = sizeof(rules), .handle = l, .count = 1,
				    .rules = address(&rule) };

	return call(self->fd, WEIR_IOC_RULES, &rules);
}

/* Each limiter cuts addresses to its own prefix and has its own rules. */
TEST_F(candidate, prefix_and_rules)
{
	struct weir_limiter_config config;
	struct weir_op op;

	self->config.key_type = WEIR_KEY_IP;
	config = self->config;
	config.prefix4 = 24;
	config.burst = 4;
	ASSERT_EQ(0, limiter_create(self->fd, LIVE, &self->config, &self->live));
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &config, &self->its));
	ASSERT_EQ(0, link_to(self, self->live, NAME));
	for (__u8 i = 1; i <= 6; i++) {
		/* every other address is IPv4-mapped IPv6 */
		__u8 addr[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, i };

		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1,
				     i % 2 ? addr : addr + 12, i % 2 ? 16 : 4));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, i > 4 ? WEIR_OUT_CANDIDATE : 0,
				    10, 9, 0, 0));
	}
	EXPECT_TRUE(counts(self, self->its, 4, 2, 2, 0));
	EXPECT_EQ(6, totals(self, self->live).keys);
	EXPECT_EQ(1, totals(self, self->its).keys);
	/* the candidate also gets a check that is decided by a rule of the live limiter */
	ASSERT_EQ(0, rule_set(self, self->live, 1, WEIR_RULE_DENY));
	ASSERT_EQ(0, rule_set(self, self->its, 1, WEIR_RULE_ALLOW));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1,
			     (__u8[]){ 10, 0, 0, 1 }, 4));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	EXPECT_EQ(WEIR_OUT_RULE | WEIR_OUT_CANDIDATE, op.out_flags);
	EXPECT_TRUE(counts(self, self->its, 5, 2, 2, 1));
}

TEST_F(candidate, full)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 10));
	self->config.max_keys = 1;
	ASSERT_EQ(0, limiter_set(self->fd, self->its, WEIR_SET_MAX_KEYS,
				 &self->config));
	for (__u64 k = 1; k <= 3; k++) {
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1, &k,
				     sizeof(k)));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, k > 1 ? WEIR_OUT_CANDIDATE : 0,
				    10, 9, 0, 0));
	}
	EXPECT_TRUE(counts(self, self->its, 1, 0, 2, 0));
	stats = totals(self, self->its);
	EXPECT_EQ(2, stats.full);
	EXPECT_EQ(1, stats.keys);
}

/* Differences are counted between the decisions without shadow mode. */
TEST_F(candidate, shadow)
{
	struct weir_op op;

	self->config.flags = WEIR_LIMITER_SHADOW;
	ASSERT_EQ(0, pair(self, 12));
	for (int i = 1; i <= 14; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
		EXPECT_EQ(WEIR_ALLOWED, op.verdict);
		EXPECT_EQ((i > 10 ? WEIR_OUT_SHADOW : 0) |
			  (i == 11 || i == 12 ? WEIR_OUT_CANDIDATE : 0),
			  op.out_flags);
	}
	EXPECT_TRUE(counts(self, self->its, 12, 2, 0, 2));
}

TEST_F(candidate, batch)
{
	struct weir_op ops[12];
	__u32 done;

	ASSERT_EQ(0, pair(self, 4));
	for (int i = 0; i < 12; i++) {
		ops[i] = op_make(WEIR_OP_CHECK, self->live, 1);
		op_key(&ops[i], &key, sizeof(key));
	}
	ASSERT_EQ(0, submit(self->fd, ops, 12, &done));
	ASSERT_EQ(12, done);
	for (int i = 0; i < 12; i++) {
		EXPECT_EQ(i < 10 ? WEIR_ALLOWED : WEIR_LIMITED, ops[i].verdict);
		EXPECT_EQ(i >= 4 && i < 10 ? WEIR_OUT_CANDIDATE : 0,
			  ops[i].out_flags);
	}
	EXPECT_TRUE(counts(self, self->live, 10, 2, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 4, 8, 6, 0));
}

/* If all checks are allowed, the candidates see all of them; otherwise only the deciding one. */
TEST_F(candidate, transaction)
{
	struct weir_limiter_config config = self->config;
	struct weir_submit submit = { .size = sizeof(submit), .count = 2,
				      .flags = WEIR_SUBMIT_ALL };
	struct weir_op ops[2];
	__u32 other, others;

	ASSERT_EQ(0, pair(self, 1));
	config.burst = 2;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "other", &config, &other));
	config.burst = 10;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "others", &config, &others));
	ASSERT_EQ(0, link_to(self, other, OURS "others"));
	submit.ops = address(ops);
	for (int i = 1; i <= 3; i++) {
		for (int k = 0; k < 2; k++) {
			ops[k] = op_make(WEIR_OP_CHECK, k ? other : self->live, 1);
			op_key(&ops[k], &key, sizeof(key));
		}
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
		EXPECT_EQ(i > 2 ? WEIR_LIMITED : WEIR_ALLOWED, ops[0].verdict);
		EXPECT_EQ(i == 2 ? WEIR_OUT_CANDIDATE : 0, ops[0].out_flags);
		EXPECT_EQ(i == 3 ? WEIR_OUT_CANDIDATE : 0, ops[1].out_flags);
	}
	EXPECT_TRUE(counts(self, self->live, 2, 0, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 1, 1, 1, 0));
	EXPECT_TRUE(counts(self, other, 2, 1, 0, 0));
	EXPECT_TRUE(counts(self, others, 3, 0, 0, 1));
	/* a candidate in shadow mode sees the check too */
	config.flags = WEIR_LIMITER_SHADOW;
	ASSERT_EQ(0, limiter_set(self->fd, other, WEIR_SET_FLAGS, &config));
	for (int k = 0; k < 2; k++) {
		ops[k] = op_make(WEIR_OP_CHECK, k ? other : self->live, 1);
		op_key(&ops[k], &key, sizeof(key));
	}
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(WEIR_OUT_CANDIDATE, ops[0].out_flags);
	EXPECT_EQ(WEIR_OUT_SHADOW | WEIR_OUT_CANDIDATE, ops[1].out_flags);
	EXPECT_TRUE(counts(self, self->its, 1, 2, 2, 0));
	EXPECT_TRUE(counts(self, others, 4, 0, 0, 2));
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A child that reserves @n with a deadline in a day. Its exit status is the verdict, or 100. */
static pid_t waiter(FIXTURE_DATA(candidate) *self, __s64 n)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct weir_op op;
	pid_t pid = fork();

	if (pid)
		return pid;
	sigaction(SIGUSR1, &action, NULL);
	_exit(reserve(self, &op, n, now_ns() + DAY) ? 100 : op.verdict);
}

static int status_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The candidate sees a RESERVE once, when its answer is known; not if a signal ends it. */
TEST_F(candidate, reserve)
{
	struct weir_op op;
	pid_t pid;

	/* with a burst of 9 the order of the refund and of the waiter's check does not matter */
	ASSERT_EQ(0, pair(self, 9));
	ASSERT_EQ(0, reserve(self, &op, 6, now_ns() + DAY));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 4, 0, 0));
	/* 6 of 9 are spent: 4 more are too many for the candidate, which does not wait */
	ASSERT_EQ(0, reserve(self, &op, 4, now_ns() + DAY));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_CANDIDATE, 10, 0, 0, 0));
	ASSERT_EQ(0, reserve(self, &op, 2, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_CANDIDATE, 10, 0, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 2, 1, 1, 1));

	pid = waiter(self, 1);
	while (!(peek(self, self->live).out_flags & WEIR_OUT_QUEUED))
		usleep(1000);
	EXPECT_TRUE(counts(self, self->its, 2, 1, 1, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, self->live, 1));
	EXPECT_EQ(WEIR_ALLOWED, status_of(pid));
	EXPECT_TRUE(counts(self, self->its, 3, 1, 1, 1));

	pid = waiter(self, 1);
	while (!(peek(self, self->live).out_flags & WEIR_OUT_QUEUED))
		usleep(1000);
	kill(pid, SIGUSR1);
	EXPECT_EQ(100, status_of(pid));
	EXPECT_TRUE(counts(self, self->its, 3, 1, 1, 1));
}

/* An operation passed to a candidate is not passed on to the candidate's own candidate. */
TEST_F(candidate, each_other)
{
	struct weir_op op;

	ASSERT_EQ(0, pair(self, 10));
	ASSERT_EQ(0, link_to(self, self->its, LIVE));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, self->live, 1, 0, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 1, 0, 0, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->its, 1));
	EXPECT_TRUE(counts(self, self->live, 2, 0, 0, 0));
	EXPECT_TRUE(counts(self, self->its, 2, 0, 0, 0));
	ASSERT_EQ(0, object_delete(self->fd, self->its));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, self->live, 3, 0, 0, 0));
}

/*
 * GET returns the candidate's name until the candidate is deleted. A new limiter with that name is
 * not the candidate.
 */
TEST_F(candidate, told)
{
	struct weir_limiter_config seen;
	struct weir_op op;
	__u32 again;

	ASSERT_EQ(0, pair(self, 4));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ(NAME, seen.candidate);
	ASSERT_EQ(0, limiter_get(self->fd, self->its, &seen));
	EXPECT_STREQ("", seen.candidate);
	/* a SET of another member keeps it */
	ASSERT_EQ(0, limiter_set(self->fd, self->live, WEIR_SET_BURST, &self->config));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ(NAME, seen.candidate);
	ASSERT_EQ(0, object_delete(self->fd, self->its));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ("", seen.candidate);
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &self->config, &again));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ("", seen.candidate);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, again, 0, 0, 0, 0));
	ASSERT_EQ(0, link_to(self, self->live, NAME));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, again, 1, 0, 0, 0));
	ASSERT_EQ(0, link_to(self, self->live, ""));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ("", seen.candidate);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, again, 1, 0, 0, 0));
}

TEST_F(candidate, created_with)
{
	struct weir_limiter_config seen;
	struct weir_info before;
	struct weir_op op;

	before = info_get(self->fd);
	strcpy(self->config.candidate, NAME);
	EXPECT_EQ(-ENOENT, limiter_create(self->fd, LIVE, &self->config, &self->live));
	memset(self->config.candidate, 0, WEIR_NAME_SIZE);
	strcpy(self->config.candidate, LIVE);
	EXPECT_EQ(-ENOENT, limiter_create(self->fd, LIVE, &self->config, &self->live));
	EXPECT_EQ(before.event_next, info_get(self->fd).event_next);
	memset(self->config.candidate, 0, WEIR_NAME_SIZE);
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &self->config, &self->its));
	strcpy(self->config.candidate, NAME);
	self->config.key_type = WEIR_KEY_TEXT;
	EXPECT_EQ(-EINVAL, limiter_create(self->fd, LIVE, &self->config, &self->live));
	self->config.key_type = WEIR_KEY_U64;
	ASSERT_EQ(0, limiter_create(self->fd, LIVE, &self->config, &self->live));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ(NAME, seen.candidate);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, self->live, 1));
	EXPECT_TRUE(counts(self, self->its, 1, 0, 0, 0));
}

/* A refused SET changes nothing and emits no event. */
TEST_F(candidate, refused)
{
	struct weir_limiter_config bad, seen;
	struct weir_info before;
	__u32 text;

	ASSERT_EQ(0, pair(self, 4));
	bad = self->config;
	bad.key_type = WEIR_KEY_TEXT;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "text", &bad, &text));
	before = info_get(self->fd);
	EXPECT_EQ(-EINVAL, link_to(self, self->live, LIVE));
	EXPECT_EQ(-EINVAL, link_to(self, self->live, OURS "text"));
	EXPECT_EQ(-EINVAL, link_to(self, self->live, "-"));
	EXPECT_EQ(-ENOENT, link_to(self, self->live, OURS "none"));
	memset(bad.candidate, 'n', WEIR_NAME_SIZE);
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->live, WEIR_SET_CANDIDATE, &bad));
	memset(bad.candidate, 0, WEIR_NAME_SIZE);
	bad.candidate[WEIR_NAME_SIZE - 1] = 'x';
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->live, WEIR_SET_CANDIDATE, &bad));
	/* one of two members is invalid */
	memset(bad.candidate, 0, WEIR_NAME_SIZE);
	strcpy(bad.candidate, OURS "none");
	EXPECT_EQ(-ENOENT, limiter_set(self->fd, self->live,
				       WEIR_SET_CANDIDATE | WEIR_SET_BURST, &bad));
	memset(bad.candidate, 0, WEIR_NAME_SIZE);
	bad.tokens = 0;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->live,
				       WEIR_SET_CANDIDATE | WEIR_SET_RATE, &bad));
	EXPECT_EQ(before.event_next, info_get(self->fd).event_next);
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ(NAME, seen.candidate);
	/* members outside the mask are ignored */
	memset(bad.candidate, 'n', WEIR_NAME_SIZE);
	EXPECT_EQ(0, limiter_set(self->fd, self->live, WEIR_SET_BURST, &bad));
	/* a struct from before candidates existed */
	bad.size = offsetof(struct weir_limiter_config, ban_jitter);
	EXPECT_EQ(0, limiter_set(self->fd, self->live, WEIR_SET_BURST, &bad));
	ASSERT_EQ(0, limiter_get(self->fd, self->live, &seen));
	EXPECT_STREQ(NAME, seen.candidate);
}

/* Run as a user that owns the live limiter but has no right to the other one. */
static int set_as_someone(void *arg)
{
	const char *name = arg;
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int fd = client_open(O_RDWR), ret;
	__u32 l;

	ret = fd < 0 ? fd : object_open(fd, WEIR_KIND_LIMITER, OURS "mine",
					WEIR_RIGHT_ADMIN, &l);
	if (ret == -ENOENT)
		ret = limiter_create(fd, OURS "mine", &config, &l);
	strcpy(config.candidate, name);
	return ret ?: limiter_set(fd, l, WEIR_SET_CANDIDATE, &config);
}

TEST_F(candidate, rights)
{
	struct weir_create create;
	mode_t device = device_chmod(0666);

	/* the right to observe is not enough; the right to use is */
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &self->config, &self->its));
	EXPECT_EQ(-EACCES, person_run(SOMEONE, SOMEONE, set_as_someone, NAME));
	create = create_make(WEIR_KIND_LIMITER, OURS "seen", &self->config);
	create.mode = 0604;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	EXPECT_EQ(-EACCES, person_run(SOMEONE, SOMEONE, set_as_someone, OURS "seen"));
	create = create_make(WEIR_KIND_LIMITER, OURS "used", &self->config);
	create.mode = 0602;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	EXPECT_EQ(0, person_run(SOMEONE, SOMEONE, set_as_someone, OURS "used"));
	device_chmod(device);
}

/* The verdict of a RESERVE for 10.0.0.1 that does not wait. */
static int reserve_now(FIXTURE_DATA(candidate) *self)
{
	struct weir_op op = op_make(WEIR_OP_RESERVE, self->live, 1);

	op.arg = 1;
	op_key(&op, (__u8[]){ 10, 0, 0, 1 }, 4);
	return op_run(self->fd, &op) ?: (int)op.verdict;
}

/* A RESERVE that a rule decides needs no entry, and no room for one. */
TEST_F(candidate, rule_decides_a_reserve)
{
	struct weir_op op;

	self->config.key_type = WEIR_KEY_IP;
	self->config.max_keys = 1;
	self->config.when_full = WEIR_FULL_ALLOW;
	ASSERT_EQ(0, pair(self, 5));
	ASSERT_EQ(0, rule_set(self, self->live, 1, WEIR_RULE_DENY));
	EXPECT_EQ(WEIR_BANNED, reserve_now(self));
	EXPECT_EQ(0, totals(self, self->live).keys);
	/* the one entry that there may be is in use */
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->live, 1,
			     (__u8[]){ 10, 0, 0, 9 }, 4));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_EQ(WEIR_BANNED, reserve_now(self));
	EXPECT_EQ(0, totals(self, self->live).full);
}

TEST_HARNESS_MAIN
