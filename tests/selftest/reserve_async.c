// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve_async - WEIR_OP_RESERVE with WEIR_OP_ASYNC: the order of service, and the ways in which a
 * wait ends
 *
 * Tokens come back once a day, so requests wait until a test serves them.
 */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>

#include "queued.h"
#include "verdict.h"

#define KEY	7
#define BURST	10	/* one token a day */

FIXTURE(reserve_async) {
	int fd, other;
	__u32 l, others;
	struct weir_limiter_config config;
};

FIXTURE_SETUP(reserve_async)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	self->other = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.tokens = 1;
	self->config.burst = BURST;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "async", &self->config, &self->l));
	ASSERT_EQ(0, object_open(self->other, WEIR_KIND_LIMITER, OURS "async", WEIR_RIGHT_USE,
				 &self->others));
}

FIXTURE_TEARDOWN(reserve_async)
{
	close(self->fd);
	close(self->other);
	objects_wipe();
}

/* Return: the verdict; or a negative errno. */
static int reserve_key(int fd, __u32 l, struct weir_op *op, __u32 tag, __s64 n, __u64 until,
		       __u64 key)
{
	int ret;

	*op = op_make(WEIR_OP_RESERVE, l, n);
	op->tag = tag;
	op->flags = WEIR_OP_ASYNC;
	op->arg = until;
	op_key(op, &key, sizeof(key));
	ret = op_run(fd, op);
	return ret ?: (int)op->verdict;
}

static int reserve(FIXTURE_DATA(reserve_async) *self, __u32 tag, __s64 n)
{
	struct weir_op op;

	return reserve_key(self->fd, self->l, &op, tag, n, WEIR_NEVER, KEY);
}

static int cancel(FIXTURE_DATA(reserve_async) *self, __u32 tag)
{
	struct weir_op op = op_make(WEIR_OP_RESERVE_CANCEL, self->l, 0);
	__u64 key = KEY;
	int ret;

	op.tag = tag;
	op_key(&op, &key, sizeof(key));
	ret = op_run(self->fd, &op);
	return ret ?: (int)op.verdict;
}

static int run(FIXTURE_DATA(reserve_async) *self, struct weir_op *op, __u16 opcode, __s64 n)
{
	__u64 key = KEY;

	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

static void spend(FIXTURE_DATA(reserve_async) *self, __s64 n)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_CHECK, n) || op.verdict != WEIR_ALLOWED)
		abort();
}

static void refund(FIXTURE_DATA(reserve_async) *self, __s64 n)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_REFUND, n))
		abort();
}

static __u64 left(FIXTURE_DATA(reserve_async) *self)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_PEEK, 1))
		abort();
	return op.remaining;
}

static int ban(FIXTURE_DATA(reserve_async) *self)
{
	struct weir_op op = op_make(WEIR_OP_BAN, self->l, 0);
	__u64 key = KEY;

	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	return op_run(self->fd, &op);
}

/* Wait for the next request that ends, which must be that of @tag. Return: its verdict or errno. */
static int ended(FIXTURE_DATA(reserve_async) *self, __u32 tag)
{
	told_wait(self->fd);
	return collect_tag(self->fd, tag);
}

TEST_F(reserve_async, there_already)
{
	struct weir_op op;

	ASSERT_EQ(WEIR_ALLOWED, reserve_key(self->fd, self->l, &op, 1, 3, WEIR_NEVER, KEY));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, BURST, 7, 0, 0));
	EXPECT_FALSE(told(self->fd));
	EXPECT_EQ(-EAGAIN, collect(self->fd));
	EXPECT_EQ(-ENOENT, cancel(self, 1));
	/* a request that can never be served, or not in time, is refused at once */
	EXPECT_EQ(WEIR_LIMITED, reserve(self, 1, BURST + 1));
	EXPECT_EQ(WEIR_LIMITED, reserve_key(self->fd, self->l, &op, 1, BURST, 1, KEY));
	EXPECT_EQ(-EINVAL, reserve_key(self->fd, self->l, &op, 1, 1, 0, KEY));
	EXPECT_FALSE(told(self->fd));
	EXPECT_EQ(7, left(self));
}

/* Requests of several tags and clients are served in order of arrival. */
TEST_F(reserve_async, order)
{
	struct weir_op op;

	spend(self, BURST);
	ASSERT_EQ(WEIR_QUEUED, reserve_key(self->fd, self->l, &op, 1, 2, WEIR_NEVER, KEY));
	/* the time until it is served if nothing changes */
	EXPECT_LT(2 * DAY - HOUR, op.retry_after);
	EXPECT_GE(2 * DAY, op.retry_after);
	EXPECT_EQ(0, op.remaining);
	ASSERT_EQ(WEIR_QUEUED, reserve_key(self->other, self->others, &op, 1, 1, WEIR_NEVER,
					   KEY));
	EXPECT_EQ(WEIR_OUT_QUEUED, op.out_flags);
	EXPECT_LT(3 * DAY - HOUR, op.retry_after);
	EXPECT_GE(3 * DAY, op.retry_after);
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 2, 1));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 0, 1));
	EXPECT_EQ(-EEXIST, reserve(self, 2, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_QUEUED, BURST, 0, 0, 0));
	refund(self, 1);
	EXPECT_FALSE(told_in(self->fd, 50));
	refund(self, 1);
	told_wait(self->fd);
	ASSERT_EQ(1, collect_run(self->fd, &op, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, BURST, 0, 0, 0));
	EXPECT_EQ(0, op.result);
	EXPECT_EQ(WEIR_OP_RESERVE, op.opcode);
	EXPECT_EQ(self->l, op.handle);
	EXPECT_EQ(1, op.tag);
	EXPECT_EQ(2, op.n);
	EXPECT_EQ(WEIR_NEVER, op.arg);
	EXPECT_FALSE(told(self->other));
	refund(self, 1);
	told_wait(self->other);
	EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->other, 1));
	EXPECT_FALSE(told(self->fd));
	refund(self, 2);
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 2));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 0));
	EXPECT_FALSE(told(self->fd));
	EXPECT_EQ(0, left(self));
	refund(self, 1);
	EXPECT_EQ(1, left(self));
}

struct sleeper {
	int fd;
	__u32 l;
	_Atomic int verdict;
};

static void *sleep_for_one(void *arg)
{
	struct sleeper *s = arg;
	struct weir_op op = op_make(WEIR_OP_RESERVE, s->l, 1);
	__u64 key = KEY;

	op.arg = WEIR_NEVER;
	op_key(&op, &key, sizeof(key));
	s->verdict = op_run(s->fd, &op) ?: (int)op.verdict;
	return NULL;
}

/* Requests wait in the same queue as sleeping callers. */
TEST_F(reserve_async, among_sleepers)
{
	struct sleeper s = { .fd = self->other, .l = self->others, .verdict = -EPROTO };
	struct weir_op op;
	pthread_t thread;

	spend(self, BURST);
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 1, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_for_one, &s));
	/* wait until two tokens are waited for */
	do {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
	} while (op.retry_after < 3 * DAY - HOUR);
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 2, 1));
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 1));
	EXPECT_EQ(-EPROTO, s.verdict);
	refund(self, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(WEIR_ALLOWED, s.verdict);
	EXPECT_FALSE(told(self->fd));
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 2));
}

/* When a request leaves the queue from any place, the others move up. */
TEST_F(reserve_async, cancel)
{
	spend(self, BURST);
	for (int tag = 1; tag <= 4; tag++)
		ASSERT_EQ(WEIR_QUEUED, reserve(self, tag, tag == 1 ? 9 : 1));
	EXPECT_EQ(-ENOENT, cancel(self, 5));
	EXPECT_EQ(WEIR_NONE, cancel(self, 3));
	EXPECT_EQ(-ENOENT, cancel(self, 3));
	refund(self, 2);
	EXPECT_FALSE(told_in(self->fd, 50));
	/* the first request wants more tokens than there are; the others do not */
	EXPECT_EQ(WEIR_NONE, cancel(self, 1));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 2));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 4));
	EXPECT_EQ(-ENOENT, cancel(self, 4));
	EXPECT_EQ(-EAGAIN, collect(self->fd));
	EXPECT_EQ(0, left(self));
	refund(self, 1);
	EXPECT_EQ(1, left(self));
}

TEST_F(reserve_async, deadline)
{
	__u64 until = info_get(self->fd).now + 200 * MS;
	struct weir_limiter_stats stats;
	struct weir_op op;

	/* a ban may be lifted, so a request that waits for its end is not refused */
	ASSERT_EQ(0, ban(self));
	ASSERT_EQ(WEIR_QUEUED, reserve_key(self->fd, self->l, &op, 1, 1, until, KEY));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 2, 1));
	told_wait(self->fd);
	EXPECT_LE(until, info_get(self->fd).now);
	EXPECT_EQ(WEIR_BANNED, collect_tag(self->fd, 1));
	EXPECT_FALSE(told(self->fd));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(1, stats.banned);
	EXPECT_EQ(0, stats.allowed);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 2));
	EXPECT_EQ(BURST - 1, left(self));
	/* a relative deadline: a token is back in time, but earlier waiters get it */
	spend(self, BURST - 1);
	op = op_make(WEIR_OP_RESERVE, self->l, 1);
	op_key(&op, &(__u64){ KEY }, 8);
	op.flags = WEIR_OP_ASYNC | WEIR_OP_RELATIVE;
	op.arg = DAY;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_QUEUED, op.verdict);
	op.tag = 1;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
}

TEST_F(reserve_async, forget_and_set)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;

	spend(self, BURST);
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 1, 4));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 2, 7));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 3, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 1));
	EXPECT_FALSE(told_in(self->fd, 50));
	/* a burst that is too small makes a request impossible */
	config.burst = 6;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BURST, &config));
	EXPECT_EQ(WEIR_LIMITED, ended(self, 2));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 3));
	EXPECT_EQ(-EAGAIN, collect(self->fd));
}

TEST_F(reserve_async, rules)
{
	struct weir_rule rule = { .addr = { 10, 0, 0, 9 }, .addr_len = 4, .prefix = 32,
				  .action = WEIR_RULE_ALLOW };
	struct weir_rules rules = { .size = sizeof(rules), .count = 1,
				    .rules = address(&rule) };
	struct weir_limiter_config config = limiter_config(WEIR_KEY_IP);
	static const __u8 in_one_entry[2][4] = { { 10, 0, 0, 8 }, { 10, 0, 0, 9 } };
	struct weir_op op;

	config.tokens = 1;
	config.burst = 1;
	config.prefix4 = 24;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "ip", &config, &self->l));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 1, in_one_entry[0], 4));
	for (int i = 0; i < 2; i++) {
		op = op_make(WEIR_OP_RESERVE, self->l, 1);
		op.tag = i;
		op.flags = WEIR_OP_ASYNC;
		op.arg = WEIR_NEVER;
		op_key(&op, in_one_entry[i], 4);
		ASSERT_EQ(0, op_run(self->fd, &op));
		ASSERT_EQ(WEIR_QUEUED, op.verdict);
	}
	/* a rule for an address within the prefix of the entry */
	rules.handle = self->l;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
	told_wait(self->fd);
	ASSERT_EQ(1, collect_run(self->fd, &op, 1));
	EXPECT_EQ(1, op.tag);
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_RULE, 1, 1, 0, 0));
	EXPECT_FALSE(told(self->fd));
}

TEST_F(reserve_async, deletion)
{
	spend(self, BURST);
	for (int tag = 1; tag <= 100; tag++)
		ASSERT_EQ(WEIR_QUEUED, reserve(self, tag, 1));
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	for (int tag = 1; tag <= 100; tag++)
		EXPECT_EQ(-ENODEV, collect_tag(self->fd, tag));
	EXPECT_FALSE(told(self->fd));
	EXPECT_EQ(-ENODEV, cancel(self, 1));
}

/* Requests end with their tag or client, whether they are collected or not. */
TEST_F(reserve_async, tag_and_client_end)
{
	int third = client_open(O_RDWR);
	__u32 thirds;
	struct weir_op op;

	ASSERT_LE(0, third);
	ASSERT_EQ(0, object_open(third, WEIR_KIND_LIMITER, OURS "async", WEIR_RIGHT_USE,
				 &thirds));
	spend(self, BURST);
	ASSERT_EQ(WEIR_QUEUED, reserve_key(third, thirds, &op, 0, 9, WEIR_NEVER, KEY));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 1, 9));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 2, 1));
	ASSERT_EQ(WEIR_QUEUED, reserve(self, 3, 1));
	refund(self, 2);
	EXPECT_FALSE(told_in(self->fd, 50));
	close(third);
	EXPECT_FALSE(told_in(self->fd, 50));
	ASSERT_EQ(0, tag_drop(self->fd, 1));
	told_wait(self->fd);
	while (left(self))
		usleep(1000);
	/* requests 2 and 3 have ended; that of tag 2 is discarded */
	ASSERT_EQ(0, tag_drop(self->fd, 2));
	EXPECT_EQ(WEIR_ALLOWED, ended(self, 3));
	EXPECT_FALSE(told(self->fd));
	EXPECT_EQ(-EAGAIN, collect(self->fd));
	EXPECT_EQ(0, left(self));
}

/* A waiting request does not use the caller's bytes of a long key. */
TEST_F(reserve_async, long_keys)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_TEXT);
	char text[WEIR_KEY_MAX], copy[WEIR_KEY_MAX];
	struct weir_op op;

	config.tokens = 1;
	config.burst = 1;
	config.strikes = 1;
	config.nbans = 1;
	config.ban[0] = DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "text", &config, &self->l));
	memset(text, 'k', sizeof(text));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 1, text, sizeof(text)));
	op = op_make(WEIR_OP_RESERVE, self->l, 1);
	memcpy(copy, text, sizeof(text));
	op_key(&op, copy, sizeof(copy));
	op.flags |= WEIR_OP_ASYNC;
	op.arg = WEIR_NEVER;
	ASSERT_EQ(0, op_run(self->fd, &op));
	ASSERT_EQ(WEIR_QUEUED, op.verdict);
	memset(copy, 'x', sizeof(copy));
	/* shadow mode ends the wait: the refusal is a strike, and causes a ban */
	config.flags = WEIR_LIMITER_SHADOW;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_FLAGS, &config));
	told_wait(self->fd);
	ASSERT_EQ(1, collect_run(self->fd, &op, 1));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_EQ(WEIR_OUT_SHADOW | WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(address(copy), op.ptr);
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, text, sizeof(text)));
	EXPECT_LT(DAY - HOUR, op.banned_for);
}

TEST_HARNESS_MAIN
