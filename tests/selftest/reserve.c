// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve - WEIR_OP_RESERVE: waiting for tokens, the order, and all ends of a wait
 *
 * Tokens come back once a day, so waiters wait until a test serves them.
 */
#include "harness.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "asleep.h"
#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define KEY	7
#define MS	1000000ULL
#define BURST	10	/* one token a day */
#define NO_RESULT 99	/* exit status: the call itself failed */

/* Results that a waiter sends to its parent. */
struct told {
	_Atomic int ready, done;
	int call, result;
	__u32 verdict;
	__u64 remaining, when;
	int turn;		/* position in the order of service */
	long sleeps;		/* voluntary context switches while it waited */
};

struct shared {
	_Atomic int turns;
	struct told told[64];
};

FIXTURE(reserve) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
	struct shared *shared;
	pid_t pid[64];
};

FIXTURE_SETUP(reserve)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.tokens = 1;
	self->config.burst = BURST;
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "reserve", &self->config,
				    &self->l));
}

FIXTURE_TEARDOWN(reserve)
{
	close(self->fd);
	objects_wipe();
}

static int run(FIXTURE_DATA(reserve) *self, struct weir_op *op, __u16 opcode,
	       __s64 n)
{
	__u64 key = KEY;

	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

static int reserve(FIXTURE_DATA(reserve) *self, struct weir_op *op, __s64 n,
		   __u64 wait)
{
	__u64 key = KEY;

	*op = op_make(WEIR_OP_RESERVE, self->l, n);
	op_key(op, &key, sizeof(key));
	op->arg = info_get(self->fd).now + wait;
	return op_run(self->fd, op);
}

static __u64 left(FIXTURE_DATA(reserve) *self)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_PEEK, 1))
		abort();
	return op.remaining;
}

static void spend(FIXTURE_DATA(reserve) *self, __s64 n)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_CHECK, n) || op.verdict != WEIR_ALLOWED)
		abort();
}

static void on_signal(int sig)
{
	(void)sig;
}

static void waiter(FIXTURE_DATA(reserve) *self, int i, __s64 n, __u64 wait)
{
	struct told *told = &self->shared->told[i];
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct rusage before, after;
	struct weir_op op;

	sigaction(SIGUSR1, &action, NULL);
	getrusage(RUSAGE_SELF, &before);
	told->ready = 1;
	told->call = reserve(self, &op, n, wait);
	told->when = now_ns();
	getrusage(RUSAGE_SELF, &after);
	told->sleeps = after.ru_nvcsw - before.ru_nvcsw;
	told->result = told->call ? NO_RESULT : op.result;
	told->verdict = op.verdict;
	told->remaining = op.remaining;
	told->turn = self->shared->turns++;
	told->done = 1;
	_exit(0);
}

static void start(FIXTURE_DATA(reserve) *self, int i, __s64 n, __u64 wait)
{
	self->pid[i] = fork();
	if (!self->pid[i])
		waiter(self, i, n, wait);
	while (!self->shared->told[i].ready)
		usleep(100);
	until_asleep(self->pid[i]);
}

static struct told *finish(FIXTURE_DATA(reserve) *self, int i)
{
	waitpid(self->pid[i], NULL, 0);
	return &self->shared->told[i];
}

static void refund(FIXTURE_DATA(reserve) *self, __s64 n)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_REFUND, n))
		abort();
}

TEST_F(reserve, there_already)
{
	struct weir_op op;

	ASSERT_EQ(0, reserve(self, &op, 3, DAY));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, BURST, 7, 0, 0));
	EXPECT_EQ(7, left(self));
	/* a deadline that has passed: like CHECK */
	op = op_make(WEIR_OP_RESERVE, self->l, 3);
	op_key(&op, &(__u64){ KEY }, 8);
	op.arg = 1;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	op.arg = 0;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	EXPECT_EQ(4, left(self));
}

/* A RESERVE that cannot be due before its deadline is refused at once, without a charge. */
TEST_F(reserve, hopeless)
{
	__u64 since = now_ns();
	struct weir_op op;

	ASSERT_EQ(0, reserve(self, &op, BURST + 1, 10 * DAY));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	spend(self, BURST);
	ASSERT_EQ(0, reserve(self, &op, 2, 2 * DAY - HOUR));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(0, op.remaining);
	EXPECT_TRUE(lasts("retry", op.retry_after, 2 * DAY, since));
	EXPECT_GT(HOUR, now_ns() - since);
	EXPECT_EQ(0, left(self));
}

/* The tokens of a RESERVE are charged exactly at the time that retry_after has named. */
TEST_F(reserve, due)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u64 since;

	config.tokens = 5;	/* one token in 200 ms */
	config.period = SECOND;
	config.burst = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "fast", &config, &self->l));
	since = now_ns();
	spend(self, 1);
	for (int i = 1; i <= 3; i++) {
		ASSERT_EQ(0, reserve(self, &op, 1, 10 * SECOND));
		EXPECT_EQ(WEIR_ALLOWED, op.verdict);
		EXPECT_LE(since + i * 200 * MS, now_ns());
	}
}

TEST_F(reserve, sliding_and_window)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;

	for (__u32 a = WEIR_ALGORITHM_WINDOW; a <= WEIR_ALGORITHM_SLIDING; a++) {
		config.algorithm = a;
		config.tokens = 4;
		config.period = 300 * MS;
		ASSERT_EQ(0, limiter_create(self->fd, a == WEIR_ALGORITHM_WINDOW ?
					    OURS "window" : OURS "sliding",
					    &config, &self->l));
		spend(self, 4);
		for (int i = 0; i < 8; i++) {
			ASSERT_EQ(0, reserve(self, &op, 1, 60 * SECOND));
			EXPECT_EQ(WEIR_ALLOWED, op.verdict);
		}
		ASSERT_EQ(0, reserve(self, &op, 5, 60 * SECOND));
		EXPECT_EQ(WEIR_NEVER, op.retry_after);
	}
}

/* At the deadline, and not earlier, it is refused without a charge. */
TEST_F(reserve, time_is_up)
{
	__u64 since, key = KEY;
	struct weir_op op;

	/* a wait for a ban may exceed the deadline, because a ban may be lifted */
	op = op_make(WEIR_OP_BAN, self->l, 0);
	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	ASSERT_EQ(0, op_run(self->fd, &op));
	since = now_ns();
	ASSERT_EQ(0, reserve(self, &op, 1, 100 * MS));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	EXPECT_LE(100 * MS, now_ns() - since);
	EXPECT_EQ(BURST, left(self));
}

/* Waiters are served in order of arrival. No other check of the key is allowed meanwhile. */
TEST_F(reserve, order)
{
	struct weir_op op;
	struct told *told;

	spend(self, BURST);
	for (int i = 0; i < 5; i++)
		start(self, i, 1 + i % 2, 20 * DAY);
	/* a token that comes back is for the waiters */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_QUEUED, BURST, 0, 0, 0));
	/* 7 tokens are waited for, and one more */
	EXPECT_LT(8 * DAY - HOUR, op.retry_after);
	EXPECT_GE(8 * DAY, op.retry_after);
	for (int i = 0; i < 5; i++) {
		refund(self, 1 + i % 2);
		told = finish(self, i);
		EXPECT_EQ(0, told->call);
		EXPECT_EQ(WEIR_ALLOWED, told->verdict);
		EXPECT_EQ(i, told->turn);
		/* one wake-up to become first, and one to be served */
		EXPECT_GE(4, told->sleeps);
	}
	EXPECT_EQ(0, left(self));
	refund(self, 3);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 3));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
}

/* A large request at the head is not overtaken by small ones that would fit. */
TEST_F(reserve, no_overtaking)
{
	struct weir_op op;

	spend(self, BURST);
	start(self, 0, 5, 20 * DAY);
	start(self, 1, 1, 20 * DAY);
	refund(self, 4);
	usleep(20000);
	EXPECT_EQ(0, self->shared->told[1].done);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_QUEUED, BURST, 0, 0, 0));
	/* a cost above the limit is not refused because of the queue */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, BURST + 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, BURST, 4, 0, 0));
	ASSERT_EQ(0, reserve(self, &op, 1, HOUR));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	EXPECT_EQ(0, self->shared->told[1].done);
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 1)->verdict);
	EXPECT_EQ(0, left(self));
}

/* A waiter that leaves, by a signal or by its death, does not change the order of the others. */
TEST_F(reserve, signals)
{
	struct told *told;

	spend(self, BURST);
	for (int i = 0; i < 4; i++)
		start(self, i, 2, 20 * DAY);
	kill(self->pid[1], SIGUSR1);
	told = finish(self, 1);
	EXPECT_EQ(-EINTR, told->call);
	kill(self->pid[0], SIGKILL);	/* the first waiter */
	finish(self, 0);
	refund(self, 3);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 2)->verdict);
	usleep(20000);
	EXPECT_EQ(0, self->shared->told[3].done);
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 3)->verdict);
	/* the tokens of the two that left were never charged */
	refund(self, 6);
	EXPECT_EQ(6, left(self));
}

TEST_F(reserve, lift)
{
	__u64 key = KEY, since;
	struct weir_op op;
	struct told *told;

	op = op_make(WEIR_OP_BAN, self->l, 0);
	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	ASSERT_EQ(0, op_run(self->fd, &op));
	for (int i = 0; i < 3; i++)
		start(self, i, 1, 20 * DAY);
	since = now_ns();
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	for (int i = 0; i < 3; i++) {
		told = finish(self, i);
		EXPECT_EQ(WEIR_ALLOWED, told->verdict);
		EXPECT_LE(since, told->when);
	}
	EXPECT_EQ(BURST - 3, left(self));
}

/* A ban that comes while they wait is waited for too. */
TEST_F(reserve, ban)
{
	__u64 key = KEY;
	struct weir_op op;

	spend(self, BURST);
	start(self, 0, 1, 20 * DAY);
	op = op_make(WEIR_OP_BAN, self->l, 0);
	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	ASSERT_EQ(0, op_run(self->fd, &op));
	refund(self, 5);
	usleep(20000);
	EXPECT_EQ(0, self->shared->told[0].done);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	EXPECT_EQ(4, left(self));
}

/* A change of the limiter takes effect at once. */
TEST_F(reserve, set)
{
	struct weir_limiter_config config = self->config;

	spend(self, BURST);
	start(self, 0, 1, 20 * DAY);
	start(self, 1, 9, 20 * DAY);
	config.burst = BURST + 2;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BURST, &config));
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	/* a limit below the cost makes the request impossible */
	config.burst = 5;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BURST, &config));
	EXPECT_EQ(WEIR_LIMITED, finish(self, 1)->verdict);
}

TEST_F(reserve, forget)
{
	struct weir_op op;

	spend(self, BURST);
	start(self, 0, 4, 20 * DAY);
	start(self, 1, 5, 20 * DAY);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0));
	/* no other check is served in between, although the key equals a fresh one */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, BURST));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 1)->verdict);
	EXPECT_EQ(1, left(self));
}

TEST_F(reserve, deletion)
{
	spend(self, BURST);
	for (int i = 0; i < 3; i++)
		start(self, i, 1, 20 * DAY);
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENODEV, finish(self, i)->call);
}

TEST_F(reserve, queue_max)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;
	__u64 other = 8;

	config.queue_max = 4;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_QUEUE_MAX, &config));
	spend(self, BURST);
	start(self, 0, 3, 20 * DAY);
	ASSERT_EQ(0, reserve(self, &op, 2, 20 * DAY));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	start(self, 1, 1, 20 * DAY);
	/* for each key */
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, BURST, &other,
			     sizeof(other)));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	refund(self, 3);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 1)->verdict);
	EXPECT_EQ(0, left(self));
}

/* A transaction does not overtake waiters either. */
TEST_F(reserve, transaction)
{
	struct weir_submit submit = { .size = sizeof(submit), .count = 1,
				      .flags = WEIR_SUBMIT_ALL };
	struct weir_op op = op_make(WEIR_OP_CHECK, self->l, 1);
	__u64 key = KEY;

	spend(self, BURST);
	start(self, 0, 5, 20 * DAY);
	refund(self, 4);
	op_key(&op, &key, sizeof(key));
	submit.ops = address(&op);
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, WEIR_OUT_QUEUED, BURST, 0, 0, 0));
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
	/* the flag is clear when there are no waiters */
	refund(self, 2);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, BURST, 1, 0, 0));
}

/* There is no room for the key, so there is nothing to wait for. */
TEST_F(reserve, full)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;
	__u64 other = 8;

	config.max_keys = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &config, &self->l));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 1, &other,
			     sizeof(other)));
	ASSERT_EQ(0, reserve(self, &op, 1, DAY));
	EXPECT_EQ(WEIR_FULL, op.verdict);
}

/* Waiters are re-evaluated when rules change. */
TEST_F(reserve, rules)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_IP);
	struct weir_rule rules[2] = {
		{ .addr = { 10 }, .addr_len = 4, .prefix = 32,
		  .action = WEIR_RULE_ALLOW },
		{ .addr = { 11 }, .addr_len = 4, .prefix = 32,
		  .action = WEIR_RULE_DENY },
	};
	struct weir_rules args = { .size = sizeof(args), .count = 2,
				   .rules = address(rules) };
	pid_t pids[2];
	int status;

	config.tokens = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "ip", &config, &self->l));
	args.handle = self->l;
	for (int i = 0; i < 2; i++) {
		struct weir_op op;

		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 1,
				     rules[i].addr, 4));
		pids[i] = fork();
		if (!pids[i]) {
			op = op_make(WEIR_OP_RESERVE, self->l, 1);
			op_key(&op, rules[i].addr, 4);
			op.arg = ~0ULL;
			_exit(op_run(self->fd, &op) || op.out_flags != WEIR_OUT_RULE ?
			      9 : op.verdict);
		}
		until_asleep(pids[i]);
	}
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &args));
	waitpid(pids[0], &status, 0);
	EXPECT_EQ(WEIR_ALLOWED, WEXITSTATUS(status));
	waitpid(pids[1], &status, 0);
	EXPECT_EQ(WEIR_BANNED, WEXITSTATUS(status));
}

/* A waiter that is stopped and continued keeps waiting. */
TEST_F(reserve, stopped)
{
	spend(self, BURST);
	start(self, 0, 1, 20 * DAY);
	kill(self->pid[0], SIGSTOP);
	waitpid(self->pid[0], NULL, WUNTRACED);
	kill(self->pid[0], SIGCONT);
	until_asleep(self->pid[0]);
	EXPECT_EQ(0, self->shared->told[0].done);
	refund(self, 1);
	EXPECT_EQ(WEIR_ALLOWED, finish(self, 0)->verdict);
}

/* Many processes wait, some are killed. The tokens spent equal those that there were. */
static int storm(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(reserve) *self = arg;
	struct weir_op op;

	for (int i = 0; i < 200; i++) {
		crowd->seat[me].begun++;
		if (reserve(self, &op, 1 + me % 3, 100 * DAY))
			return 1;
		if (op.verdict != WEIR_ALLOWED)
			return 2;
		crowd->seat[me].done++;
		refund(self, 1 + me % 3);
		crowd->seat[me].tally[0]++;
	}
	return 0;
}

TEST_F(reserve, storm)
{
	struct crowd *crowd = crowd_make(12);
	struct weir_limiter_stats stats;
	__u64 lost = 0;

	crowd_spawn(crowd, storm, self);
	crowd_start(crowd);
	for (unsigned int i = 0; i < 12; i += 3) {
		while (crowd->seat[i].done < 10)
			usleep(100);
		crowd_kill(crowd, i);
	}
	EXPECT_GE(4, crowd_wait(crowd));
	for (unsigned int i = 0; i < 12; i++) {
		if (i % 3)
			EXPECT_EQ(200, crowd->seat[i].done);
		lost += crowd->seat[i].begun - crowd->seat[i].tally[0];
	}
	/* each killed process may have been charged without giving the token back */
	EXPECT_GE(4, lost);
	EXPECT_GE(BURST, left(self));
	EXPECT_LE(BURST, left(self) + lost);
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_LE(crowd_done(crowd), stats.allowed);
	EXPECT_GE(crowd_done(crowd) + 4, stats.allowed);
	EXPECT_EQ(0, stats.limited);
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
