// SPDX-License-Identifier: GPL-2.0-only
/*
 * starved - answers to tasks that are preempted in the middle of an operation
 *
 * Several threads of the lowest priority share one CPU with a thread of real-time priority that
 * wakes at arbitrary moments. With preempt=full it interrupts them anywhere, also between two reads
 * in one operation. All parts of an answer must be true at the same moment.
 */
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "client.h"
#include "random.h"
#include "roster.h"
#include "verdict.h"

#define MS		1000000ULL
#define THREADS		4
#define ROUNDS		800
#define INTERVAL	(4 * MS)	/* time of one token */

/* Shared with the threads of the lowest priority. */
struct starved {
	__u16 opcode;
	__u32 handle;
	_Atomic __u64 key;		/* 0: there is none yet */
	_Atomic bool over;
	_Atomic __u32 wrong[ROUNDS + 1];	/* by key */
	_Atomic __u64 calls;
	_Atomic int failed;
	int fd;
};

/* Sleep for @least..2 * @least ns. */
static void nap(__u64 least)
{
	static __u64 state = 1;
	struct timespec t = { .tv_nsec = least };

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	t.tv_nsec += (state >> 33) % least;
	nanosleep(&t, NULL);
}

static void cpu_set(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) ||
	    pthread_setschedparam(pthread_self(), policy, &param)) {
		printf("# cannot schedule\n");
		abort();
	}
}

static bool is_wrong(const struct weir_op *op, int ret)
{
	if (op->opcode == WEIR_OP_LEASE_GET)
		return !ret && op->left > HOUR;
	return op->verdict == WEIR_ALLOWED;
}

static void *starve(void *arg)
{
	struct starved *s = arg;
	struct weir_op op;
	__u64 key;
	int ret;

	cpu_set(SCHED_IDLE, 0);
	while (!s->over) {
		key = s->key;
		if (!key)
			continue;
		ret = number_run(s->fd, &op, s->opcode, s->handle, &key,
				 s->opcode != WEIR_OP_LEASE_GET, 0);
		s->calls++;
		if (ret)
			s->failed = ret;
		if (is_wrong(&op, ret))
			s->wrong[key]++;
	}
	return NULL;
}

FIXTURE(starved) {
	struct starved *s;
	pthread_t thread[THREADS];
};

FIXTURE_VARIANT(starved) {
	__u16 opcode;
};

FIXTURE_VARIANT_ADD(starved, check) {
	.opcode = WEIR_OP_CHECK,
};

FIXTURE_VARIANT_ADD(starved, peek) {
	.opcode = WEIR_OP_PEEK,
};

FIXTURE_SETUP(starved)
{
	objects_wipe();
	self->s = calloc(1, sizeof(*self->s));
	ASSERT_NE(NULL, self->s);
	self->s->opcode = variant->opcode;
	self->s->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->s->fd);
}

FIXTURE_TEARDOWN(starved)
{
	close(self->s->fd);
	objects_wipe();
	free(self->s);
}

static void begin(struct starved *s, pthread_t *thread)
{
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, starve, s))
			abort();
	cpu_set(SCHED_FIFO, 10);
}

static void end(struct starved *s, pthread_t *thread)
{
	s->over = true;
	cpu_set(SCHED_OTHER, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("# %llu calls\n", (unsigned long long)s->calls);
}

/*
 * Spend the only token of a key, and ban the key before the next token comes. Return: false if the
 * machine stalled for longer than that, so that the key proves nothing.
 */
static bool key_use_up(struct starved *s, __u64 key)
{
	struct weir_op op;
	__u64 start = now_ns();
	bool in_time;

	if (number_run(s->fd, &op, WEIR_OP_CHECK, s->handle, &key, 1, 0) ||
	    op.verdict != WEIR_ALLOWED)
		s->failed = -EPROTO;
	s->key = key;
	nap(MS / 2);
	if (number_run(s->fd, &op, WEIR_OP_BAN, s->handle, &key, 0, HOUR))
		s->failed = -EPROTO;
	in_time = now_ns() < start + INTERVAL;
	/* the token comes while the key is banned */
	nap(INTERVAL);
	return in_time;
}

/* The key has a token only while it is banned, so no check may be allowed. */
TEST_F(starved, nothing_for_a_banned_key)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct starved *s = self->s;
	__u64 rounds = is_small() ? ROUNDS / 5 : ROUNDS;
	__u32 counted = 0, wrong = 0;

	config.tokens = 1;
	config.period = INTERVAL;
	ASSERT_EQ(0, limiter_create(s->fd, OURS "starved", &config, &s->handle));
	begin(s, self->thread);
	bool *in_time = calloc(rounds + 1, sizeof(*in_time));

	for (__u64 key = 1; key <= rounds; key++)
		in_time[key] = key_use_up(s, key);
	end(s, self->thread);
	for (__u64 key = 1; key <= rounds; key++) {
		counted += in_time[key];
		wrong += in_time[key] && s->wrong[key];
	}
	printf("# %u of %u keys\n", wrong, counted);
	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, wrong);
	/* if fewer keys count, the machine is too slow for this test to prove anything */
	EXPECT_LT(rounds / 4, counted);
	free(in_time);
}

FIXTURE(starved_lease) {
	struct starved *s;
	pthread_t thread[THREADS];
};

FIXTURE_SETUP(starved_lease)
{
	objects_wipe();
	self->s = calloc(1, sizeof(*self->s));
	ASSERT_NE(NULL, self->s);
	self->s->opcode = WEIR_OP_LEASE_GET;
	self->s->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->s->fd);
}

FIXTURE_TEARDOWN(starved_lease)
{
	close(self->s->fd);
	objects_wipe();
	free(self->s);
}

/* A lease whose TTL of one hour is restarted repeatedly never has more than an hour left. */
TEST_F(starved_lease, no_longer_than_it_lasts)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_U64, 10);
	struct starved *s = self->s;
	struct weir_op op;
	__u64 key = 1;

	ASSERT_EQ(0, roster_create(s->fd, OURS "starved", &config, &s->handle));
	ASSERT_EQ(0, number_run(s->fd, &op, WEIR_OP_CLAIM, s->handle, &key, 0, HOUR));
	begin(s, self->thread);
	s->key = key;
	for (int i = 0; i < scaled(4 * ROUNDS); i++) {
		nap(MS / 5);
		if (number_run(s->fd, &op, WEIR_OP_TOUCH, s->handle, &key, 0, HOUR))
			s->failed = -EPROTO;
	}
	end(s, self->thread);
	printf("# %u answers\n", (unsigned int)s->wrong[key]);
	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, s->wrong[key]);
}

TEST_HARNESS_MAIN
