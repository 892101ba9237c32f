// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve_race - waiters leave queues while timers and other tasks use the queues
 *
 * Each thread waits for another key, so a queue is freed whenever a thread leaves. Another task
 * changes the rules and the rate all the time, which wakes all waiters and starts the timers of
 * their queues.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "client.h"
#include "harness.h"

#define WAITERS		40
#define MS		1000000ULL

static int fd;
static __u32 limiter;
static _Atomic bool over;
static _Atomic unsigned long allowed, refused, other;

static __u8 address_of[WAITERS][4];

static void *waiter_run(void *arg)
{
	const __u8 *key = arg;
	unsigned int n = 0;

	while (!over) {
		struct weir_op op = op_make(WEIR_OP_RESERVE, limiter, 1);
		int ret;

		op.flags = WEIR_OP_RELATIVE;
		op.arg = (++n % 4) * 10 * MS + key[3] * 100000;
		op_key(&op, key, 4);
		ret = op_run(fd, &op);
		if (!ret && op.verdict == WEIR_ALLOWED)
			allowed++;
		else if (!ret && op.verdict == WEIR_LIMITED)
			refused++;
		else
			other++;
	}
	return NULL;
}

static int all_allow(bool allow)
{
	struct weir_rule rule = { .addr_len = 4, .action = WEIR_RULE_ALLOW };
	struct weir_rules rules = { .size = sizeof(rules), .handle = limiter,
				    .flags = allow ? 0 : WEIR_RULES_CLEAR,
				    .count = allow, .rules = allow ? address(&rule) : 0 };

	return call(fd, WEIR_IOC_RULES, &rules);
}

FIXTURE(reserve_race) {
	struct weir_limiter_config config;
};

FIXTURE_SETUP(reserve_race)
{
	objects_wipe();
	self->config = limiter_config(WEIR_KEY_IP);
	self->config.tokens = 20;
	self->config.period = SECOND;
	self->config.burst = 1;
	self->config.max_keys = 64;
	fd = client_open(O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, limiter_create(fd, OURS "race", &self->config, &limiter));
	over = false;
	allowed = 0;
	refused = 0;
	other = 0;
}

FIXTURE_TEARDOWN(reserve_race)
{
	objects_wipe();
	close(fd);
}

TEST_F(reserve_race, rules_and_rates_change)
{
	struct weir_limiter_stats stats;
	pthread_t thread[WAITERS];
	time_t until = time(NULL) + 8;

	for (int i = 0; i < WAITERS; i++) {
		memcpy(address_of[i], (__u8[]){ 10, 0, 0, i + 1 }, 4);
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, waiter_run, address_of[i]));
	}
	for (int i = 0; time(NULL) < until; i++) {
		if (all_allow(i % 2))
			other++;
		self->config.tokens = 20 + i % 3;
		if (limiter_set(fd, limiter, WEIR_SET_RATE, &self->config))
			other++;
		usleep(i % 5 * 500);
	}
	ASSERT_EQ(0, all_allow(false));
	over = true;
	for (int i = 0; i < WAITERS; i++)
		pthread_join(thread[i], NULL);
	printf("# allowed %lu refused %lu\n", allowed, refused);
	EXPECT_EQ(0, other);
	ASSERT_EQ(0, stats_get(fd, limiter, &stats));
	EXPECT_EQ(allowed, stats.allowed);
	EXPECT_EQ(refused, stats.limited);
	for (int i = 0; i < WAITERS; i++) {
		struct weir_op op;

		ASSERT_EQ(0, key_run(fd, &op, WEIR_OP_PEEK, limiter, 1, address_of[i], 4));
		EXPECT_EQ(0, op.out_flags);
	}
	/* timers of queues that were left expire in this time */
	sleep(1);
}

TEST_HARNESS_MAIN
