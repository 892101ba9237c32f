// SPDX-License-Identifier: GPL-2.0-only
/*
 * shutdown - WEIR_IOC_SHUTDOWN: calls that sleep in the open file end with EBADF, and later ones are
 * refused
 */
#include "harness.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "queued.h"
#include "verdict.h"

#define PERMITS		4
#define THREADS		8
#define ROUNDS		scaled(200)

FIXTURE(shutdown) {
	int fd;			/* the client of the test */
	int shut;		/* the client that is shut down */
	__u32 gate, there;	/* the gate, and its handle in @shut */
	__u32 limiter, limiter_there;
};

static int client_shutdown(int fd)
{
	struct weir_shutdown args = { .size = sizeof(args) };

	return call(fd, WEIR_IOC_SHUTDOWN, &args);
}

FIXTURE_SETUP(shutdown)
{
	struct weir_limiter_config limits = limiter_config(WEIR_KEY_U64);
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	self->shut = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->shut);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "limiter", &limits, &self->limiter));
	ASSERT_EQ(0, object_open(self->shut, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_USE,
				 &self->there));
	ASSERT_EQ(0, object_open(self->shut, WEIR_KIND_LIMITER, OURS "limiter",
				 WEIR_RIGHT_USE, &self->limiter_there));
}

FIXTURE_TEARDOWN(shutdown)
{
	close(self->shut);
	close(self->fd);
	objects_wipe();
}

/**
 * struct sleeper - a thread in a call that sleeps
 * @run: makes the call
 * @result: 0 or a negative errno
 */
struct sleeper {
	int fd;
	__u32 handle;
	int (*run)(struct sleeper *s);
	_Atomic pid_t tid;
	pthread_t thread;
	int result;
};

static int sleep_in_acquire(struct sleeper *s)
{
	return gate_get_as(s->fd, 1, s->handle, NULL, 1, WEIR_NEVER);
}

static int sleep_in_reserve(struct sleeper *s)
{
	struct weir_op op;
	__u64 key = 7;

	return number_run(s->fd, &op, WEIR_OP_RESERVE, s->handle, &key, 1, WEIR_NEVER);
}

static int sleep_in_read(struct sleeper *s)
{
	char buffer[WEIR_EVENT_SIZE_MAX];

	while (read(s->fd, buffer, sizeof(buffer)) > 0)
		;
	return -errno;
}

static int sleep_in_poll(struct sleeper *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	return poll(&p, 1, -1) == 1 ? p.revents : -errno;
}

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	s->tid = syscall(SYS_gettid);
	s->result = s->run(s);
	return NULL;
}

static void sleeper_start(struct sleeper *s, int fd, __u32 handle,
			  int (*run)(struct sleeper *s))
{
	*s = (struct sleeper){ .fd = fd, .handle = handle, .run = run };
	if (pthread_create(&s->thread, NULL, sleeper_run, s))
		abort();
	while (!s->tid)
		usleep(100);
	until_asleep(s->tid);
}

static int sleeper_end(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	return s->result;
}

static void ban(FIXTURE_DATA(shutdown) *self)
{
	struct weir_op op;
	__u64 key = 7;

	if (number_run(self->fd, &op, WEIR_OP_BAN, self->limiter, &key, 0, HOUR))
		abort();
}

/* Every kind of sleep ends. A waiter of another client keeps its place, and is served. */
TEST_F(shutdown, sleepers_end)
{
	int (*const runs[])(struct sleeper *s) = {
		sleep_in_acquire, sleep_in_acquire, sleep_in_reserve, sleep_in_reserve,
		sleep_in_read, sleep_in_poll,
	};
	struct sleeper all[6], other;

	ban(self);
	gate_take(self->fd, self->gate, PERMITS);
	for (int i = 0; i < 6; i++)
		sleeper_start(&all[i], self->shut,
			      i < 2 ? self->there : self->limiter_there, runs[i]);
	sleeper_start(&other, self->fd, self->gate, sleep_in_acquire);
	EXPECT_EQ(3, gate_state(self->fd, self->gate, NULL).waiting);
	EXPECT_EQ(0, client_shutdown(self->shut));
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(-EBADF, sleeper_end(&all[i]));
	EXPECT_EQ(POLLHUP, sleeper_end(&all[5]));
	EXPECT_EQ(1, gate_state(self->fd, self->gate, NULL).waiting);
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(WEIR_ALLOWED, sleeper_end(&other));
	EXPECT_EQ(0, gate_state(self->fd, self->gate, NULL).waiting);
}

/* All later calls are refused. What the client has comes back only when it is closed. */
TEST_F(shutdown, later_calls_are_refused)
{
	struct pollfd p = { .fd = self->shut, .events = POLLIN | POLLOUT };
	struct weir_submit submit = {};
	char buffer[WEIR_EVENT_SIZE_MAX];
	struct weir_op op;
	int copy;

	gate_take(self->fd, self->gate, PERMITS - 1);
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->shut, self->there, NULL, 1));
	ASSERT_EQ(WEIR_QUEUED, queue_as(self->shut, 3, self->there, NULL, 1, WEIR_NEVER));
	copy = client_dup(self->shut, 0);
	ASSERT_LE(0, copy);
	EXPECT_EQ(0, client_shutdown(self->shut));
	for (unsigned int nr = 0; nr < 256; nr++)
		EXPECT_EQ(-EBADF, call(self->shut, _IO(WEIR_IOC_MAGIC, nr), &submit));
	EXPECT_EQ(-EBADF, gate_run(self->shut, &op, WEIR_OP_RELEASE, self->there, NULL, 1, 0));
	EXPECT_EQ(-1, read(self->shut, buffer, sizeof(buffer)));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, lseek(self->shut, 0, SEEK_SET));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(1, poll(&p, 1, -1));
	EXPECT_EQ(POLLHUP, p.revents & (POLLHUP | POLLERR | POLLNVAL));
	EXPECT_EQ(PERMITS, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(1, gate_state(self->fd, self->gate, NULL).waiting);
	/* the duplicate is another client */
	EXPECT_EQ(WEIR_LIMITED, gate_try(copy, self->there, NULL, 1));
	close(copy);
	close(self->shut);
	self->shut = client_open(O_RDWR);
	EXPECT_EQ(PERMITS - 1, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(0, gate_state(self->fd, self->gate, NULL).waiting);
}

/* A batch ends with the op that SHUTDOWN ended: the next one would take a permit. */
static int sleep_in_batch(struct sleeper *s)
{
	struct weir_op ops[2] = { op_make(WEIR_OP_ACQUIRE, s->handle, PERMITS),
				  op_make(WEIR_OP_ACQUIRE, s->handle, 1) };
	__u32 done;

	ops[0].arg = WEIR_NEVER;
	return submit(s->fd, ops, 2, &done) ?: done == 1 ? ops[0].result : -EPROTO;
}

TEST_F(shutdown, batch_ends)
{
	struct sleeper s;

	gate_take(self->fd, self->gate, 1);
	sleeper_start(&s, self->shut, self->there, sleep_in_batch);
	EXPECT_EQ(0, client_shutdown(self->shut));
	EXPECT_EQ(-EBADF, sleeper_end(&s));
	EXPECT_EQ(1, gate_in_use(self->fd, self->gate));
}

TEST_F(shutdown, malformed)
{
	struct weir_shutdown args = { .size = sizeof(args), .reserved = 1 };

	EXPECT_EQ(-EINVAL, call(self->shut, WEIR_IOC_SHUTDOWN, &args));
	args = (struct weir_shutdown){ .size = 0 };
	EXPECT_EQ(-EINVAL, call(self->shut, WEIR_IOC_SHUTDOWN, &args));
	EXPECT_EQ(-EFAULT, call(self->shut, WEIR_IOC_SHUTDOWN, NULL));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->shut, self->there, NULL, 1));
}

/* Acquire and release until the client is shut down; 0: only EBADF ended it. */
static int acquire_often(struct sleeper *s)
{
	int ret;

	do {
		ret = gate_get_as(s->fd, s->tid, s->handle, NULL, 1, WEIR_NEVER);
		if (ret == WEIR_ALLOWED)
			ret = gate_release_as(s->fd, s->tid, s->handle, NULL, 1);
	} while (!ret);
	return ret == -EBADF ? 0 : ret;
}

/* Threads acquire while the client is shut down: each of them ends, and no permit is lost. */
TEST_F(shutdown, race)
{
	struct sleeper all[THREADS];
	int fd, failed = 0;
	__u32 gate;

	for (int round = 0; round < ROUNDS; round++) {
		fd = client_open(O_RDWR);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, object_open(fd, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_USE, &gate));
		for (int i = 0; i < THREADS; i++) {
			all[i] = (struct sleeper){ .fd = fd, .handle = gate,
						   .run = acquire_often };
			ASSERT_EQ(0, pthread_create(&all[i].thread, NULL, sleeper_run, &all[i]));
		}
		usleep(round % 20 * 100);
		ASSERT_EQ(0, client_shutdown(fd));
		for (int i = 0; i < THREADS; i++)
			failed += !!sleeper_end(&all[i]);
		close(fd);
		failed += gate_in_use(self->fd, self->gate) != 0;
		failed += gate_state(self->fd, self->gate, NULL).waiting != 0;
	}
	EXPECT_EQ(0, failed);
}

TEST_HARNESS_MAIN
