// SPDX-License-Identifier: GPL-2.0-only
/* timens - times are those of the caller's time namespace, and deadlines can be relative */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/time.h>

#include "queued.h"
#include "verdict.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x00000080
#endif

#define WAIT	(200 * MS)	/* deadline of a wait, from now */
#define LATEST	10000		/* ms after which a call that should end by itself is interrupted */
#define SOON	300		/* ms after which a call that should not end is interrupted */

FIXTURE(timens) {
	int fd;
	__u32 gate, limiter;
};

FIXTURE_VARIANT(timens) {
	const char *offset;
};

FIXTURE_VARIANT_ADD(timens, host) { .offset = NULL, };
FIXTURE_VARIANT_ADD(timens, ahead) { .offset = "boottime 864000 5", };
FIXTURE_VARIANT_ADD(timens, behind) { .offset = "boottime -1 0", };

/* Enter a new time namespace with that offset. Return: 0 or an error. */
static int namespace_enter(const char *offset)
{
	int fd, err = 0;

	if (unshare(CLONE_NEWTIME))
		return -errno;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, offset, strlen(offset)) != (ssize_t)strlen(offset))
		err = -errno;
	close(fd);
	fd = open("/proc/self/ns/time_for_children", O_RDONLY);
	if (!err && setns(fd, CLONE_NEWTIME))
		err = -errno;
	close(fd);
	return err;
}

static void interrupt(int sig)
{
	(void)sig;
}

FIXTURE_SETUP(timens)
{
	struct weir_limiter_config limiter = limiter_config(WEIR_KEY_NONE);
	struct weir_gate_config gate = gate_config(WEIR_KEY_NONE, 1);
	struct sigaction action = { .sa_handler = interrupt };
	struct weir_op op;

	objects_wipe();
	if (variant->offset)
		ASSERT_EQ(0, namespace_enter(variant->offset));
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "timens", &gate, &self->gate));
	ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 0, self->gate, NULL, 1, 0));
	/* one token a day, and it is spent */
	limiter.burst = limiter.tokens = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "timens", &limiter, &self->limiter));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1, NULL, 0));
	ASSERT_EQ(WEIR_ALLOWED, op.verdict);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
}

FIXTURE_TEARDOWN(timens)
{
	close(self->fd);
	objects_wipe();
}

/* Interrupt this process after @ms, repeatedly; 0: stop. */
static void interrupt_after(unsigned int ms)
{
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct itimerval timer = { .it_value = t, .it_interval = t };

	if (setitimer(ITIMER_REAL, &timer, NULL))
		abort();
}

/* Wait with this deadline. Return: the verdict, -EINTR after @ms, or another error. */
static int wait_for(FIXTURE_DATA(timens) *self, __u16 opcode, __u16 flags, __u64 until,
		    unsigned int ms)
{
	struct weir_op op = op_make(opcode, opcode == WEIR_OP_ACQUIRE ? self->gate :
						     self->limiter, 1);
	__u32 done;
	int ret;

	op.flags = flags;
	op.arg = until;
	interrupt_after(ms);
	ret = submit(self->fd, &op, 1, &done);
	interrupt_after(0);
	return ret ?: op.result ?: (int)op.verdict;
}

static int acquire(FIXTURE_DATA(timens) *self, __u16 flags, __u64 until)
{
	return wait_for(self, WEIR_OP_ACQUIRE, flags, until, LATEST);
}

/* Sleep in an acquisition until a signal arrives. */
static bool acquire_waits(FIXTURE_DATA(timens) *self, __u16 flags, __u64 until)
{
	return wait_for(self, WEIR_OP_ACQUIRE, flags, until, SOON) == -EINTR;
}

static int reserve(FIXTURE_DATA(timens) *self, __u16 flags, __u64 until)
{
	return wait_for(self, WEIR_OP_RESERVE, flags, until, LATEST);
}

static bool reserve_waits(FIXTURE_DATA(timens) *self, __u16 flags, __u64 until)
{
	return wait_for(self, WEIR_OP_RESERVE, flags, until, SOON) == -EINTR;
}

static int ban(FIXTURE_DATA(timens) *self)
{
	struct weir_op op = op_make(WEIR_OP_BAN, self->limiter, 0);

	op.arg = DAY;
	return op_run(self->fd, &op);
}

/* ------------------------------------------------------------ deadlines */

TEST_F(timens, acquire)
{
	__u64 since = now_ns();

	EXPECT_EQ(WEIR_LIMITED, acquire(self, 0, since + WAIT));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).timeouts);
	/* a past deadline and "never" mean the same in every namespace */
	EXPECT_EQ(WEIR_LIMITED, acquire(self, 0, now_ns()));
	EXPECT_EQ(WEIR_LIMITED, acquire(self, 0, 1));
	EXPECT_EQ(WEIR_LIMITED, acquire(self, 0, 0));
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).timeouts);
	EXPECT_TRUE(acquire_waits(self, 0, WEIR_NEVER));
	EXPECT_TRUE(acquire_waits(self, 0, WEIR_NEVER - 1));
}

TEST_F(timens, acquire_queued)
{
	__u64 since = now_ns();

	EXPECT_EQ(WEIR_QUEUED, acquire(self, WEIR_OP_ASYNC, since + WAIT));
	EXPECT_TRUE(told_in(self->fd, LATEST));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(WEIR_LIMITED, collect(self->fd));
	EXPECT_EQ(WEIR_LIMITED, acquire(self, WEIR_OP_ASYNC, now_ns()));
	EXPECT_EQ(WEIR_QUEUED, acquire(self, WEIR_OP_ASYNC, WEIR_NEVER - 1));
	EXPECT_EQ(WEIR_NONE, queue_cancel(self->fd, self->gate, NULL));
}

TEST_F(timens, reserve)
{
	__u64 since = now_ns();

	/* the token is due in a day: after the first deadline, and before the second */
	EXPECT_EQ(WEIR_LIMITED, reserve(self, 0, since + DAY / 2));
	EXPECT_TRUE(reserve_waits(self, 0, since + 2 * DAY));
	/* a ban may be lifted, so the call waits for it */
	ASSERT_EQ(0, ban(self));
	since = now_ns();
	EXPECT_EQ(WEIR_BANNED, reserve(self, 0, since + WAIT));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(WEIR_BANNED, reserve(self, 0, 1));
	EXPECT_TRUE(reserve_waits(self, 0, WEIR_NEVER));
}

/* ------------------------------------------------------------ relative deadlines */

TEST_F(timens, acquire_relative)
{
	__u64 since = now_ns();

	EXPECT_EQ(WEIR_LIMITED, acquire(self, WEIR_OP_RELATIVE, WAIT));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(WEIR_LIMITED, acquire(self, WEIR_OP_RELATIVE, 0));
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).timeouts);
	EXPECT_TRUE(acquire_waits(self, WEIR_OP_RELATIVE, WEIR_NEVER));
	EXPECT_TRUE(acquire_waits(self, WEIR_OP_RELATIVE, WEIR_NEVER - 1));
	since = now_ns();
	EXPECT_EQ(WEIR_QUEUED, acquire(self, WEIR_OP_ASYNC | WEIR_OP_RELATIVE, WAIT));
	EXPECT_TRUE(told_in(self->fd, LATEST));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(WEIR_LIMITED, collect(self->fd));
}

TEST_F(timens, reserve_relative)
{
	__u64 since;

	EXPECT_EQ(WEIR_LIMITED, reserve(self, WEIR_OP_RELATIVE, DAY / 2));
	EXPECT_TRUE(reserve_waits(self, WEIR_OP_RELATIVE, 2 * DAY));
	ASSERT_EQ(0, ban(self));
	since = now_ns();
	EXPECT_EQ(WEIR_BANNED, reserve(self, WEIR_OP_RELATIVE, WAIT));
	EXPECT_LE(since + WAIT, now_ns());
	EXPECT_EQ(-EINVAL, reserve(self, WEIR_OP_RELATIVE, 0));
	EXPECT_TRUE(reserve_waits(self, WEIR_OP_RELATIVE, WEIR_NEVER));
}

/* WEIR_OP_RELATIVE is refused for operations without a deadline. */
TEST_F(timens, relative_refused)
{
	static const __u16 limiter[] = { WEIR_OP_CHECK, WEIR_OP_PEEK, WEIR_OP_REFUND,
					 WEIR_OP_STRIKE };
	struct weir_op op;

	for (size_t i = 0; i < ARRAY_SIZE(limiter); i++) {
		op = op_make(limiter[i], self->limiter, 1);
		op.flags = WEIR_OP_RELATIVE;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	op = op_make(WEIR_OP_BAN, self->limiter, 0);
	op.arg = DAY;
	op.flags = WEIR_OP_RELATIVE;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	op = op_make(WEIR_OP_RELEASE, self->gate, 1);
	op.flags = WEIR_OP_RELATIVE;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
}

/* ------------------------------------------------------------ times in answers */

TEST_F(timens, info)
{
	__u64 since = now_ns(), seen = info_get(self->fd).now;

	EXPECT_LE(since, seen);
	EXPECT_GE(now_ns(), seen);
}

static int event_next(int fd, struct weir_event *event)
{
	__u8 buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));

	if (read(fd, buffer, sizeof(buffer)) < (ssize_t)sizeof(*event))
		return -errno;
	memcpy(event, buffer, sizeof(*event));
	return 0;
}

TEST_F(timens, events)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 1, .data = address("x") };
	int fd = client_open(O_RDONLY | O_NONBLOCK);
	struct weir_event event;
	__u64 since = now_ns();

	ASSERT_EQ(0, call(self->fd, WEIR_IOC_EMIT, &emit));
	ASSERT_EQ(0, event_next(fd, &event));
	EXPECT_EQ(WEIR_EVENT_RECORD, event.type);
	EXPECT_LE(since, event.time);
	EXPECT_GE(now_ns(), event.time);
	for (int i = 0; i < 1025; i++)
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_EMIT, &emit));
	since = now_ns();
	ASSERT_EQ(0, event_next(fd, &event));
	EXPECT_EQ(WEIR_EVENT_LOST, event.type);
	EXPECT_EQ(1, event.value);
	EXPECT_LE(since, event.time);
	EXPECT_GE(now_ns(), event.time);
	close(fd);
}

TEST_HARNESS_MAIN
