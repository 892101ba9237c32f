// SPDX-License-Identifier: GPL-2.0-only
/*
 * prefix_race - a limiter's prefix changes back and forth while others are at work
 *
 * Each address has one token, and it comes back once in a hundred days. So the account
 * is exact: by /32 every address of the block is admitted once at most after a split;
 * once the block is merged, whoever was admitted has spent its token, and nobody is
 * admitted until the next split.
 */
#include "harness.h"

#include <signal.h>
#include <sys/time.h>

#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define CHECKERS	4
#define HOSTS		256
#define FIXED		200	/* IPv6 keys, whose prefix nobody changes */

/* What the crowd knows, and what it writes. */
struct race {
	unsigned int changes;
	_Atomic int over;
	_Atomic __u32 admitted[HOSTS];	/* of each address, so often */
	_Atomic __u64 rounds[CHECKERS];	/* ops of each member that are told */
	_Atomic __u64 signals;
};

FIXTURE(prefix_race) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
	struct race *race;
	bool small;
};

FIXTURE_SETUP(prefix_race)
{
	self->small = is_small();
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->race = shared_memory(sizeof(*self->race));
	self->race->changes = self->small ? 20 : 100;
	self->config = limiter_config(WEIR_KEY_IP);
	self->config.tokens = 1;
	self->config.period = 100 * DAY;
	self->config.burst = 1;
	self->config.prefix4 = 24;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "prefix", &self->config, &self->l));
}

FIXTURE_TEARDOWN(prefix_race)
{
	close(self->fd);
	objects_wipe();
}

static int set(int fd, __u32 l, __u8 prefix4)
{
	struct weir_limiter_config config = { .size = sizeof(config), .prefix4 = prefix4 };

	return limiter_set(fd, l, WEIR_SET_PREFIX, &config);
}

static struct weir_op check_of(__u32 l, __u16 opcode, unsigned int host)
{
	const __u8 ip[4] = { 10, 0, 0, host };
	struct weir_op op = op_make(opcode, l, 1);

	op_key(&op, ip, sizeof(ip));
	return op;
}

static void admit(struct race *race, unsigned int host, const struct weir_op *op)
{
	if (op->verdict == WEIR_ALLOWED)
		race->admitted[host % HOSTS]++;
}

/* One after the other. */
static int single(struct race *race, int fd, __u32 l, unsigned int host)
{
	struct weir_op op = check_of(l, WEIR_OP_CHECK, host);
	int ret = op_run(fd, &op);

	if (!ret)
		admit(race, host, &op);
	else if (ret == -EINTR)
		race->signals++;
	return ret == -EINTR ? 0 : ret;
}

/* Many in one submission; a signal ends it early, and what was done is told. */
static int batch(struct race *race, int fd, __u32 l, unsigned int host)
{
	struct weir_op ops[20];
	__u32 done;
	int ret;

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = check_of(l, WEIR_OP_CHECK, host + i);
	ret = submit(fd, ops, ARRAY_SIZE(ops), &done);
	if (ret == -EINTR)
		done = 0;
	else if (ret)
		return ret;
	race->signals += done < ARRAY_SIZE(ops);
	for (__u32 i = 0; i < done; i++) {
		if (ops[i].result)
			return ops[i].result;
		admit(race, host + i, &ops[i]);
	}
	return 0;
}

/* Two addresses, both or none: never both when they are one key. */
static int two(struct race *race, int fd, __u32 l, unsigned int host)
{
	struct weir_op ops[2] = { check_of(l, WEIR_OP_CHECK, host),
				  check_of(l, WEIR_OP_CHECK, host + 1) };
	struct weir_submit submit = { .size = sizeof(submit), .count = 2,
				      .flags = WEIR_SUBMIT_ALL, .ops = address(ops) };
	int ret = call(fd, WEIR_IOC_SUBMIT, &submit);

	if (ret == -EINTR) {
		race->signals++;
		return 0;
	}
	if (ret)
		return ret;
	for (int i = 0; i < 2; i++) {
		if (ops[i].result)
			return ops[i].result;
		admit(race, host + i, &ops[i]);
	}
	return 0;
}

/* In the queue until a signal comes, so that some are moved to another one. */
static int waiting(struct race *race, int fd, __u32 l, unsigned int host)
{
	struct weir_op op = check_of(l, WEIR_OP_RESERVE, host);
	int ret;

	op.arg = now_ns() + 101 * DAY;
	ret = op_run(fd, &op);
	if (!ret)
		admit(race, host, &op);
	else if (ret == -EINTR)
		race->signals++;
	return ret == -EINTR ? 0 : ret;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal every few ms, at whatever is done just then. */
static void signals_start(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static int (*const ways[CHECKERS])(struct race *race, int fd, __u32 l,
				   unsigned int host) = { single, batch, two, waiting };

static int member(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd = client_open(O_RDWR), ret;
	__u32 l;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "prefix", WEIR_RIGHT_ALL, &l))
		return 1;
	/* who waits needs them to wait no longer */
	if (me)
		signals_start();
	for (unsigned int host = me; !race->over; host += 1 + me) {
		ret = ways[me](race, fd, l, host);
		if (ret) {
			printf("# checker %u: %d\n", me, ret);
			return 2;
		}
		race->rounds[me]++;
		crowd->seat[me].done++;
	}
	return 0;
}

/* Until all have begun, after this, something that is told by now. */
static void until_all_told(struct race *race)
{
	__u64 before[CHECKERS];

	for (int i = 0; i < CHECKERS; i++)
		before[i] = race->rounds[i];
	for (int i = 0; i < CHECKERS; i++)
		while (race->rounds[i] < before[i] + 2)
			usleep(100);
}

static __u64 admitted_all(const struct race *race)
{
	__u64 sum = 0;

	for (int i = 0; i < HOSTS; i++)
		sum += race->admitted[i];
	return sum;
}

static __u64 keys(int fd, __u32 l)
{
	struct weir_limiter_stats stats;

	return stats_get(fd, l, &stats) ? WEIR_NEVER : stats.keys;
}

/* Addresses admitted since @before. */
static unsigned int admitted_since(const struct race *race, const __u32 *before)
{
	unsigned int n = 0;

	for (int i = 0; i < HOSTS; i++)
		n += race->admitted[i] != before[i];
	return n;
}

/* From a split on: each at most once. Then merged: one key, and nobody at all. */
static void split_and_merge(struct __test_metadata *_metadata,
			    FIXTURE_DATA(prefix_race) *self, unsigned int round)
{
	struct race *race = self->race;
	__u32 before[HOSTS];
	__u64 merged;

	for (int i = 0; i < HOSTS; i++)
		before[i] = race->admitted[i];
	ASSERT_EQ(0, set(self->fd, self->l, 32));
	/* now and then all of them, else the few that come in time */
	while (admitted_since(race, before) < (round % 4 ? 1 + round % 8 : HOSTS))
		usleep(100);
	ASSERT_EQ(0, set(self->fd, self->l, 24));
	until_all_told(race);
	EXPECT_EQ(1, keys(self->fd, self->l));
	for (int i = 0; i < HOSTS; i++) {
		EXPECT_GE(1, race->admitted[i] - before[i]);
		if (round % 4 == 0)
			EXPECT_EQ(1, race->admitted[i] - before[i]);
	}
	merged = admitted_all(race);
	until_all_told(race);
	/* a key that was cut before the change would have a token of its own */
	EXPECT_EQ(merged, admitted_all(race));
	EXPECT_EQ(1, keys(self->fd, self->l));
}

TEST_F(prefix_race, split_and_merge)
{
	struct crowd *crowd = crowd_make(CHECKERS);

	crowd_spawn(crowd, member, self->race);
	crowd_start(crowd);
	for (unsigned int i = 0; i < self->race->changes / 2; i++)
		split_and_merge(_metadata, self, i);
	self->race->over = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	printf("# admitted %llu, signals %llu\n",
	       (unsigned long long)admitted_all(self->race),
	       (unsigned long long)self->race->signals);
	crowd_free(crowd);
}

/* ---- others than checks -------------------------------------------------------- */

/* One token of an IPv6 key whose prefix stays. */
static int fixed_spend(int fd, __u32 l, __u8 net)
{
	const __u8 ip[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, net };
	struct weir_op op;

	return key_run(fd, &op, WEIR_OP_CHECK, l, 1, ip, sizeof(ip));
}

/* Flips until it is over, or there is nothing left to flip. */
static int flip(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd = client_open(O_RDWR), ret;
	__u32 l;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "prefix", WEIR_RIGHT_ALL, &l))
		return 1;
	for (unsigned int i = 0; !race->over; i++) {
		ret = set(fd, l, i % 2 ? 24 - i % 5 : 32);
		if (ret)
			return ret == -ENODEV ? 0 : 2;
		crowd->seat[me].done++;
	}
	return 0;
}

static int check_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct race *race = arg;
	int fd = client_open(O_RDWR), ret;
	struct weir_op op;
	__u32 l;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "prefix", WEIR_RIGHT_ALL, &l))
		return 1;
	for (unsigned int host = me; !race->over; host++) {
		/* now and then one is forgotten, were it just then on its way */
		op = check_of(l, host % HOSTS ? WEIR_OP_CHECK : WEIR_OP_FORGET, host);
		if (op.opcode == WEIR_OP_FORGET)
			op.n = 0;
		ret = op_run(fd, &op);
		if (ret && ret != -ENOENT)
			return ret == -ENODEV ? 0 : 2;
		crowd->seat[me].done++;
	}
	return 0;
}

static int wait_on(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd = client_open(O_RDWR), ret;
	struct weir_op op;
	__u32 l;

	(void)arg;
	if (object_open(fd, WEIR_KIND_LIMITER, OURS "prefix", WEIR_RIGHT_ALL, &l))
		return 1;
	for (;;) {
		op = check_of(l, WEIR_OP_RESERVE, me);
		op.arg = now_ns() + 101 * DAY;
		ret = op_run(fd, &op);
		if (ret)
			return ret == -ENODEV ? 0 : 2;
		crowd->seat[me].done++;
	}
}

static int crowd_member(struct crowd *crowd, unsigned int me, void *arg)
{
	static const crowd_work works[] = { flip, check_on, check_on, wait_on, wait_on };

	return works[me](crowd, me, arg);
}

static bool fixed_once_each(int fd, __u32 l)
{
	__u64 buffer[512 / 8];	/* so that one DUMP takes many calls */
	struct weir_dump dump = { .size = sizeof(dump), .handle = l,
				  .buffer = address(buffer) };
	unsigned int seen[FIXED] = { 0 };

	while (dump.cursor != WEIR_NEVER) {
		const char *at = (const char *)buffer, *end;

		dump.length = sizeof(buffer);
		if (call(fd, WEIR_IOC_DUMP, &dump))
			return false;
		for (end = at + dump.length; at < end;) {
			const struct weir_entry_info *info = (const void *)at;

			if (info->key_len == 16)
				seen[info->key[7]]++;
			at += info->size;
		}
	}
	for (int i = 0; i < FIXED; i++)
		if (seen[i] != 1) {
			printf("# key %d: %u times\n", i, seen[i]);
			return false;
		}
	return true;
}

/* A dump shows once each key that stays, whatever is cut anew around it. */
TEST_F(prefix_race, dump)
{
	struct crowd *crowd = crowd_make(3);

	self->config.max_keys = 512;	/* of which many share a bucket */
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "prefix", &self->config, &self->l));
	for (int net = 0; net < FIXED; net++)
		ASSERT_EQ(0, fixed_spend(self->fd, self->l, net));
	crowd_spawn(crowd, crowd_member, self->race);
	crowd_start(crowd);
	while (crowd->seat[0].done < self->race->changes) {
		bool right = fixed_once_each(self->fd, self->l);

		EXPECT_TRUE(right);
		if (!right)
			break;
	}
	self->race->over = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	EXPECT_LE(FIXED, keys(self->fd, self->l));
	crowd_free(crowd);
}

/* Deleted at any moment of a change: all who are at work on it are told so. */
TEST_F(prefix_race, deletion)
{
	for (int round = 0; round < (self->small ? 5 : 20); round++) {
		struct crowd *crowd = crowd_make(5);

		crowd_spawn(crowd, crowd_member, self->race);
		crowd_start(crowd);
		while (crowd->seat[0].done < 3)
			usleep(100);
		usleep(1000 * round);
		ASSERT_EQ(0, object_delete(self->fd, self->l));
		EXPECT_EQ(0, crowd_wait(crowd));
		crowd_free(crowd);
		handle_close(self->fd, self->l);
		ASSERT_EQ(0, limiter_create(self->fd, OURS "prefix", &self->config,
					    &self->l));
	}
}

/* All rest while it happens, so it must not take long; and not one key is lost. */
TEST_F(prefix_race, many)
{
	const __u32 blocks = self->small ? 128 : 4096, all = blocks * 256;
	struct weir_op ops[256];
	__u32 done;
	__u64 began;

	self->config.max_keys = all;
	self->config.tokens = 1000;
	self->config.burst = 1000;
	self->config.prefix4 = 32;
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "prefix", &self->config, &self->l));
	for (__u32 block = 0; block < blocks; block++) {
		for (int host = 0; host < 256; host++) {
			const __u8 ip[4] = { 11, block >> 8, block, host };

			/* the least that one of them has left differs by block */
			ops[host] = op_make(WEIR_OP_CHECK, self->l,
					    1 + (host + block) % 256 + block % 7);
			op_key(&ops[host], ip, sizeof(ip));
		}
		ASSERT_EQ(0, submit(self->fd, ops, 256, &done));
		ASSERT_EQ(256, done);
	}
	ASSERT_EQ(all, keys(self->fd, self->l));
	began = now_ns();
	ASSERT_EQ(0, set(self->fd, self->l, 24));
	printf("# %u keys merged into %u in %llu ms\n", all, blocks,
	       (unsigned long long)((now_ns() - began) / 1000000));
	EXPECT_EQ(blocks, keys(self->fd, self->l));
	for (__u32 block = 0; block < blocks; block++) {
		const __u8 ip[4] = { 11, block >> 8, block, 255 };
		struct weir_op op;

		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, ip, 4));
		ASSERT_EQ(1000 - 256 - block % 7, op.remaining);
	}
	began = now_ns();
	ASSERT_EQ(0, set(self->fd, self->l, 32));
	printf("# and those dropped in %llu ms\n",
	       (unsigned long long)((now_ns() - began) / 1000000));
	EXPECT_EQ(0, keys(self->fd, self->l));
}

TEST_HARNESS_MAIN
