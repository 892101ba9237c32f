// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_serve - long queues that one event serves
 *
 * The kernel grants to 64 places in one step and continues later, whatever made the permits free.
 * All are granted in order of arrival, and none is overtaken.
 */
#include "harness.h"

#include <pthread.h>

#include "queued.h"
#include "verdict.h"

#define WAITERS	1000
#define STEP	64

FIXTURE(serve) {
	int fd, first, late;
	__u32 gate, mine, later;
	int waiter[WAITERS];
	__u32 handle[WAITERS];
};

FIXTURE_SETUP(serve)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, WAITERS);
	struct rlimit files = { 2 * WAITERS, 2 * WAITERS };

	objects_wipe();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	self->first = gate_enter(&self->mine);
	self->late = gate_enter(&self->later);
	for (int i = 0; i < WAITERS; i++)
		self->waiter[i] = gate_enter(&self->handle[i]);
}

FIXTURE_TEARDOWN(serve)
{
	for (int i = 0; i < WAITERS && self->waiter[i]; i++)
		close(self->waiter[i]);
	close(self->first);
	close(self->late);
	close(self->fd);
	objects_wipe();
}

static void all_queue(FIXTURE_DATA(serve) *self)
{
	for (int i = 0; i < WAITERS; i++)
		if (queue(self->waiter[i], self->handle[i], NULL, 1, WEIR_NEVER) != WEIR_QUEUED)
			abort();
}

/*
 * Each waiter is granted. A caller that joins meanwhile gets nothing, because the permits are just
 * enough for the earlier ones.
 */
static bool all_granted(FIXTURE_DATA(serve) *self)
{
	bool queued = queue(self->late, self->later, NULL, 1, WEIR_NEVER) == WEIR_QUEUED;
	int granted = 0;

	for (int i = 0; i < WAITERS; i++) {
		told_wait(self->waiter[i]);
		granted += collect(self->waiter[i]) == WEIR_ALLOWED;
	}
	return queued && granted == WAITERS && !told(self->late) &&
	       gate_state(self->fd, self->gate, NULL).waiting == 1 &&
	       gate_stats(self->fd, self->gate).waiting == 1 &&
	       gate_in_use(self->fd, self->gate) == WAITERS;
}

TEST_F(serve, release)
{
	gate_take(self->fd, self->gate, WAITERS);
	all_queue(self);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, WAITERS));
	EXPECT_TRUE(all_granted(self));
}

/* RELEASE returns after the first step. The permits of the other waiters are free then. */
TEST_F(serve, in_steps)
{
	struct weir_op op;

	gate_take(self->fd, self->gate, WAITERS);
	all_queue(self);
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_RELEASE, self->gate, NULL, WAITERS, 0));
	EXPECT_EQ(WAITERS - STEP, op.remaining);
	EXPECT_TRUE(all_granted(self));
}

TEST_F(serve, more_permits)
{
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 1));
	gate_take(self->fd, self->gate, 1);
	all_queue(self);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, WAITERS));
	EXPECT_TRUE(all_granted(self));
}

/* The holder closes its file. */
TEST_F(serve, close)
{
	ASSERT_EQ(WEIR_ALLOWED, queue(self->first, self->mine, NULL, WAITERS, WEIR_NEVER));
	all_queue(self);
	close(self->first);
	EXPECT_TRUE(all_granted(self));
}

/* The first place requests more than is free, and is cancelled. */
TEST_F(serve, cancel)
{
	gate_take(self->fd, self->gate, 1);
	ASSERT_EQ(WEIR_QUEUED, queue(self->first, self->mine, NULL, WAITERS, WEIR_NEVER));
	all_queue(self);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	/* it was first, so it has all permits now */
	told_wait(self->first);
	ASSERT_EQ(WEIR_ALLOWED, collect(self->first));
	ASSERT_EQ(0, gate_release(self->first, self->mine, NULL, WAITERS));
	EXPECT_TRUE(all_granted(self));
}

/* The first place requests more than is free, and reaches its deadline. */
TEST_F(serve, deadline)
{
	gate_take(self->fd, self->gate, 1);
	ASSERT_EQ(WEIR_QUEUED, queue(self->first, self->mine, NULL, WAITERS,
				     info_get(self->fd).now + 2000 * MS));
	all_queue(self);
	EXPECT_EQ(1 + WAITERS, gate_state(self->fd, self->gate, NULL).waiting);
	told_wait(self->first);
	EXPECT_EQ(WEIR_LIMITED, collect(self->first));
	/* one permit is still out, and the last waiter waits for it */
	told_wait(self->waiter[WAITERS - 2]);
	EXPECT_FALSE(told(self->waiter[WAITERS - 1]));
	EXPECT_EQ(1, gate_state(self->fd, self->gate, NULL).waiting);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	EXPECT_TRUE(all_granted(self));
}

/* The gate is deleted while its queue is served: each request ends with ENODEV. */
TEST_F(serve, deletion)
{
	int ret;

	gate_take(self->fd, self->gate, WAITERS);
	all_queue(self);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, WAITERS));
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	for (int i = 0; i < WAITERS; i++) {
		told_wait(self->waiter[i]);
		ret = collect(self->waiter[i]);
		EXPECT_TRUE(ret == WEIR_ALLOWED || ret == -ENODEV);
	}
}

/* Return: @arg on an error. */
static void *sleeper(void *arg)
{
	__u32 gate;
	int fd = gate_enter(&gate);
	int ret = gate_get_as(fd, 0, gate, NULL, 1, WEIR_NEVER);

	return ret == WEIR_ALLOWED && !gate_release(fd, gate, NULL, 1) ? NULL : arg;
}

/* More sleeping callers than one step can serve are granted by one RELEASE. */
TEST_F(serve, sleepers)
{
	pthread_t thread[200];
	void *bad;

	gate_take(self->fd, self->gate, WAITERS);
	for (int i = 0; i < 200; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, sleeper, self));
	while (gate_state(self->fd, self->gate, NULL).waiting < 200)
		usleep(1000);
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, WAITERS));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &bad));
		EXPECT_EQ(NULL, bad);
	}
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(0, gate_state(self->fd, self->gate, NULL).waiting);
}

TEST_HARNESS_MAIN
