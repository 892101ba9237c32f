// SPDX-License-Identifier: GPL-2.0-only
/* gate_poll - waiting for permits with poll() instead of sleeping */
#include "harness.h"

#include <linux/aio_abi.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "gate_poll.h"
#include "verdict.h"

/* ------------------------------------------------------------ the answers */

TEST_F(gate_poll, at_once)
{
	struct weir_op op;

	ASSERT_EQ(0, queue_run(self->me, &op, self->mine, NULL, 4, WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 6, 0, 4));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(-EAGAIN, collect(self->me));
	ASSERT_EQ(0, queue_run(self->me, &op, self->mine, NULL, 4, WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 2, 0, 8));
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	/* with a deadline that has passed, it is refused like a request that does not queue */
	ASSERT_EQ(0, queue_run(self->me, &op, self->mine, NULL, 3, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 2, 0, 8));
	EXPECT_EQ(WEIR_LIMITED, queue(self->me, self->mine, NULL, 3,
				      later(self, 0) - 1));
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	EXPECT_EQ(-E2BIG, mine(self, PERMITS + 1));
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).refused);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).timeouts);
}

TEST_F(gate_poll, in_turn)
{
	struct weir_gate_stats stats;
	struct weir_op op;

	take(self, PERMITS);
	ASSERT_EQ(0, queue_run(self->me, &op, self->mine, NULL, 4, WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_QUEUED, PERMITS, 0, 0, 0));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(1, waiting(self));
	give(self, 3);
	/* one that waits is enough */
	EXPECT_EQ(-EEXIST, mine(self, 4));
	EXPECT_EQ(-EEXIST, mine(self, PERMITS + 1));
	EXPECT_EQ(-EAGAIN, collect(self->me));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(1, waiting(self));
	give(self, 1);
	EXPECT_EQ(0, waiting(self));
	EXPECT_TRUE(told(self->me));
	/* the permits are held, whether the request is collected or not */
	EXPECT_EQ(4, gate_state(self->me, self->mine, NULL).held);
	EXPECT_TRUE(told(self->me));
	ASSERT_EQ(1, collect_run(self->me, &op, 1));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 0, 0, 4));
	EXPECT_EQ(0, op.result);
	EXPECT_EQ(WEIR_OP_ACQUIRE, op.opcode);
	EXPECT_EQ(self->mine, op.handle);
	EXPECT_EQ(4, op.n);
	EXPECT_EQ(WEIR_NEVER, op.arg);
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(-EAGAIN, collect(self->me));
	EXPECT_EQ(WEIR_QUEUED, mine(self, 4));
	EXPECT_FALSE(told(self->me));
	stats = gate_stats(self->fd, self->gate);
	EXPECT_EQ(2, stats.acquired);
	EXPECT_EQ(0, stats.refused);
	EXPECT_EQ(10, stats.in_use);
}

/* A holder may release permits before it has collected the request. */
TEST_F(gate_poll, released_before_it_is_collected)
{
	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 4));
	give(self, PERMITS);
	EXPECT_EQ(0, gate_release(self->me, self->mine, NULL, 4));
	EXPECT_EQ(-ENOENT, gate_release(self->me, self->mine, NULL, 1));
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
}

TEST_F(gate_poll, flags)
{
	static const __u16 others[] = { WEIR_OP_RELEASE, WEIR_OP_CANCEL,
					WEIR_OP_GATE_STATE };
	static const __u16 known = WEIR_OP_ASYNC | WEIR_OP_PTR | WEIR_OP_RELATIVE |
				   WEIR_OP_NOWAIT;
	struct weir_op op;

	for (int bit = 0; bit < 16; bit++) {
		op = op_make(WEIR_OP_ACQUIRE, self->gate, 1);
		op.flags = 1U << bit;
		if (!(op.flags & known))
			EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
		op = op_make(WEIR_OP_ACQUIRE, self->gate, 1);
		op.flags = WEIR_OP_ASYNC | 1U << bit;
		if (op.flags & ~known)
			EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	for (int i = 0; i < 3; i++) {
		op = op_make(others[i], self->gate, others[i] == WEIR_OP_RELEASE);
		op.flags = WEIR_OP_ASYNC;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	EXPECT_EQ(-EINVAL, gate_run(self->fd, &op, WEIR_OP_CANCEL, self->gate, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, gate_run(self->fd, &op, WEIR_OP_CANCEL, self->gate, NULL, 0, 1));
	EXPECT_EQ(-EINVAL, queue(self->fd, self->gate, NULL, 0, WEIR_NEVER));
	EXPECT_EQ(-EINVAL, queue(self->fd, self->gate, &(__u64){ 1 }, 1, WEIR_NEVER));
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).acquired);
}

TEST_F(gate_poll, rights)
{
	__u32 seen;

	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "gate",
				 WEIR_RIGHT_OBSERVE, &seen));
	EXPECT_EQ(-EACCES, queue(self->me, seen, NULL, 1, WEIR_NEVER));
	EXPECT_EQ(-EACCES, queue_cancel(self->me, seen, NULL));
}

/* Submit one op for each length of key. Return: how many had @verdict. */
static int batch(int fd, __u32 gate, __u16 opcode, __u32 verdict)
{
	static const __u16 lengths[] = { 1, 16, 17, 32, 33, 255 };
	static char text[WEIR_KEY_MAX] = "x";
	struct weir_op ops[6];
	__u32 done;
	int n = 0;

	for (int i = 0; i < 6; i++) {
		ops[i] = op_make(opcode, gate, opcode != WEIR_OP_CANCEL);
		if (opcode == WEIR_OP_ACQUIRE) {
			ops[i].arg = WEIR_NEVER;
			ops[i].flags = WEIR_OP_ASYNC;
		}
		op_key(&ops[i], text, lengths[i]);
	}
	if (submit(fd, ops, 6, &done))
		return -1;
	for (__u32 i = 0; i < done; i++)
		n += !ops[i].result && ops[i].verdict == verdict &&
		     ops[i].decided == (verdict ? i : 0);
	return n;
}

TEST_F(gate_poll, keys_of_all_lengths)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_TEXT, 1);
	__u32 gate, other;

	ASSERT_EQ(0, gate_create(self->fd, OURS "text", &config, &gate));
	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "text", WEIR_RIGHT_ALL,
				 &other));
	EXPECT_EQ(6, batch(self->fd, gate, WEIR_OP_ACQUIRE, WEIR_ALLOWED));
	EXPECT_EQ(6, batch(self->me, other, WEIR_OP_ACQUIRE, WEIR_QUEUED));
	EXPECT_EQ(6, batch(self->me, other, WEIR_OP_CANCEL, WEIR_NONE));
	EXPECT_EQ(6, batch(self->me, other, WEIR_OP_ACQUIRE, WEIR_QUEUED));
	EXPECT_EQ(6, batch(self->fd, gate, WEIR_OP_RELEASE, WEIR_NONE));
	EXPECT_TRUE(told(self->me));
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(6, batch(self->me, other, WEIR_OP_RELEASE, WEIR_NONE));
	EXPECT_EQ(0, gate_stats(self->fd, gate).waiting);
}

/* ------------------------------------------------------------ the queue */

static bool is_asleep(FIXTURE_DATA(gate_poll) *self, int i)
{
	until_asleep(self->all->visitor[i].pid);
	return !self->all->visitor[i].done;
}

static void leave(FIXTURE_DATA(gate_poll) *self, int i)
{
	visitor_end(self->all, i);
	self->all->visitor[i].pid = 0;
}

/*
 * Permits are granted in order of arrival, to sleeping and queued callers. A large request at the
 * head is not overtaken.
 */
TEST_F(gate_poll, order)
{
	int fd[6];
	__u32 gate[6];

	take(self, PERMITS);
	for (int i = 0; i < 6; i += 2)
		fd[i] = gate_enter(&gate[i]);
	/* 3, 10 (asleep), 1, 2 (asleep), 7, 1 (asleep) */
	ASSERT_EQ(WEIR_QUEUED, queue(fd[0], gate[0], NULL, 3, WEIR_NEVER));
	sleeper(self, 1, 10);
	ASSERT_EQ(WEIR_QUEUED, queue(fd[2], gate[2], NULL, 1, WEIR_NEVER));
	sleeper(self, 3, 2);
	ASSERT_EQ(WEIR_QUEUED, queue(fd[4], gate[4], NULL, 7, WEIR_NEVER));
	sleeper(self, 5, 1);
	EXPECT_EQ(6, waiting(self));
	give(self, 2);
	EXPECT_FALSE(told(fd[0]));
	EXPECT_EQ(6, waiting(self));
	give(self, 1);
	EXPECT_TRUE(told(fd[0]));
	EXPECT_EQ(5, waiting(self));
	EXPECT_EQ(0, gate_release(fd[0], gate[0], NULL, 3));
	/* 3 are free: enough for the third and the fourth request, but they are not first */
	EXPECT_FALSE(told(fd[2]));
	EXPECT_EQ(WEIR_LIMITED, queue(self->me, self->mine, NULL, 1, 0));
	EXPECT_EQ(3, gate_free(self->fd, self->gate, NULL));
	give(self, 7);
	EXPECT_EQ(0, visitor_served(self->all, 1)->result);
	EXPECT_FALSE(told(fd[2]));
	EXPECT_TRUE(is_asleep(self, 3));
	leave(self, 1);
	/* 1, 2 and 7 are granted at once; the last 1 continues to wait */
	EXPECT_TRUE(told(fd[2]));
	EXPECT_EQ(0, visitor_served(self->all, 3)->result);
	EXPECT_TRUE(told(fd[4]));
	EXPECT_TRUE(is_asleep(self, 5));
	EXPECT_EQ(0, gate_free(self->fd, self->gate, NULL));
	close(fd[2]);
	EXPECT_EQ(0, visitor_served(self->all, 5)->result);
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(7, gate_stats(self->fd, self->gate).acquired);
	close(fd[0]);
	close(fd[4]);
}

TEST_F(gate_poll, queue_max)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);
	__u32 gate;
	int fd = gate_enter(&gate);

	config.queue_max = 1;
	ASSERT_EQ(0, gate_set(self->fd, self->gate, WEIR_SET_QUEUE_MAX, &config));
	take(self, PERMITS);
	EXPECT_EQ(WEIR_QUEUED, mine(self, 1));
	EXPECT_EQ(WEIR_LIMITED, queue(fd, gate, NULL, 1, WEIR_NEVER));
	EXPECT_FALSE(told(fd));
	EXPECT_EQ(WEIR_NONE, queue_cancel(self->me, self->mine, NULL));
	EXPECT_EQ(WEIR_QUEUED, queue(fd, gate, NULL, 1, WEIR_NEVER));
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).refused);
	close(fd);
}

TEST_F(gate_poll, by_aio)
{
	struct timespec limit = { .tv_sec = 30 };
	struct iocb poll = {
		.aio_fildes = self->me, .aio_lio_opcode = IOCB_CMD_POLL,
		.aio_buf = WRITABLE,
	}, *all = &poll;
	struct weir_emit emit = { .size = sizeof(emit), .length = 1, .data = address("x") };
	struct io_event event = { .res = 0 };
	aio_context_t aio = 0;

	if (syscall(SYS_io_setup, 2, &aio))
		SKIP(return, "io_setup: %s", strerror(errno));
	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 1));
	ASSERT_EQ(1, syscall(SYS_io_submit, aio, 1, &all));
	give(self, 1);
	ASSERT_EQ(1, syscall(SYS_io_getevents, aio, 1, 1, &event, &limit));
	EXPECT_EQ(WRITABLE, event.res);
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	/* for events as well */
	poll.aio_buf = POLLIN;
	ASSERT_EQ(1, syscall(SYS_io_submit, aio, 1, &all));
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_EMIT, &emit));
	ASSERT_EQ(1, syscall(SYS_io_getevents, aio, 1, 1, &event, &limit));
	EXPECT_EQ(POLLIN, event.res & POLLIN);
	syscall(SYS_io_destroy, aio);
}

/* A queued request never sleeps; with O_NONBLOCK other requests do not sleep either. */
TEST_F(gate_poll, nonblock)
{
	struct weir_op op;

	take(self, PERMITS);
	ASSERT_EQ(0, fcntl(self->me, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, gate_run(self->me, &op, WEIR_OP_ACQUIRE, self->mine, NULL, 1,
			      WEIR_NEVER));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_QUEUED, mine(self, 1));
	EXPECT_EQ(-EAGAIN, collect(self->me));
	give(self, 1);
	told_wait(self->me);
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
}

/* With tag 0 a request may queue, or sleep, for permits that the file itself holds. */
TEST_F(gate_poll, no_deadlock)
{
	struct weir_op op;

	gate_take(self->me, self->mine, 8);
	EXPECT_EQ(WEIR_QUEUED, mine(self, 5));
	/*
	 * with 8 held and 5 wanted it could never be granted, but other users of the file may
	 * release
	 */
	EXPECT_EQ(0, gate_run(self->me, &op, WEIR_OP_ACQUIRE, self->mine, NULL, 1,
			      later(self, 20 * MS)));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(0, gate_release(self->me, self->mine, NULL, 4));
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(9, gate_state(self->me, self->mine, NULL).held);
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	EXPECT_EQ(0, gate_release(self->me, self->mine, NULL, 9));
	/* with 3 held and 5 queued, 2 are left when the other holder is gone */
	gate_take(self->me, self->mine, 3);
	take(self, 5);
	EXPECT_EQ(WEIR_QUEUED, mine(self, 5));
	EXPECT_EQ(0, gate_run(self->me, &op, WEIR_OP_ACQUIRE, self->mine, NULL, 3,
			      later(self, 20 * MS)));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(0, gate_run(self->me, &op, WEIR_OP_ACQUIRE, self->mine, NULL, 2,
			      later(self, 20 * MS)));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(1, waiting(self));
}

/* ------------------------------------------------------------ poll */

/* A thread that polls, and how often it went to sleep. */
struct poller {
	int fd;
	short events, revents;
	_Atomic pid_t tid;
	_Atomic int over;
	pthread_t thread;
};

static void *poller_run(void *arg)
{
	struct poller *p = arg;
	struct pollfd one = { .fd = p->fd, .events = p->events };

	p->tid = syscall(SYS_gettid);
	if (poll(&one, 1, -1) != 1)
		abort();
	p->revents = one.revents;
	p->over = 1;
	return NULL;
}

static void poller_begin(struct poller *p, int fd, short events)
{
	*p = (struct poller){ .fd = fd, .events = events };
	if (pthread_create(&p->thread, NULL, poller_run, p))
		abort();
	while (!p->tid)
		usleep(100);
	until_asleep(p->tid);
}

/* Only the client whose request was granted is woken, not other clients or readers of events. */
TEST_F(gate_poll, wakes_one)
{
	struct poller granted, other, events;
	long others, readers;
	__u32 gate;
	int fd = gate_enter(&gate);

	take(self, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 2));
	ASSERT_EQ(WEIR_QUEUED, queue(fd, gate, NULL, 1, WEIR_NEVER));
	poller_begin(&granted, self->me, POLLOUT);
	poller_begin(&other, fd, POLLOUT | POLLWRNORM);
	poller_begin(&events, self->me, POLLIN);
	give(self, 1);
	until_asleep(granted.tid);
	EXPECT_EQ(0, granted.over);
	others = sleep_count(other.tid);
	readers = sleep_count(events.tid);
	ASSERT_LE(0, others);
	give(self, 1);
	pthread_join(granted.thread, NULL);
	EXPECT_EQ(POLLOUT, granted.revents);
	until_asleep(other.tid);
	until_asleep(events.tid);
	EXPECT_EQ(others, sleep_count(other.tid));
	EXPECT_EQ(readers, sleep_count(events.tid));
	EXPECT_EQ(0, other.over);
	EXPECT_EQ(0, events.over);
	give(self, 1);
	pthread_join(other.thread, NULL);
	EXPECT_EQ(WRITABLE, other.revents);
	/* an event wakes readers of events only */
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, PERMITS));
	pthread_join(events.thread, NULL);
	EXPECT_EQ(POLLIN, events.revents);
	close(fd);
}

/* Each grant is an edge, collected or not, and is reported once. */
TEST_F(gate_poll, edges)
{
	static const __u64 keys[] = { 1, 2, 3 };
	int epoll = epoll_make(), level = epoll_make();
	__u32 gate, other;

	ASSERT_EQ(0, keyed_make(self, 1, 0, &gate, &other));
	epoll_join(epoll, self->me, EPOLLOUT | EPOLLET);
	epoll_join(level, self->me, EPOLLOUT);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &keys[i], 1));
		ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &keys[i], 1, WEIR_NEVER));
	}
	EXPECT_EQ(-1, epoll_told(epoll, 0));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, gate_release(self->fd, gate, &keys[i], 1));
		EXPECT_EQ(self->me, epoll_told(epoll, 10000));
		EXPECT_EQ(-1, epoll_told(epoll, 0));
		EXPECT_EQ(self->me, epoll_told(level, 0));
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(self->me, epoll_told(level, 0));
		EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	}
	EXPECT_EQ(-1, epoll_told(level, 0));
	EXPECT_EQ(-1, epoll_told(epoll, 0));
	close(epoll);
	close(level);
}

TEST_HARNESS_MAIN
