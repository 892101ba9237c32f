// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_poll_owner - requests whose holder, handle or gate goes or changes
 *
 * The file of the test holds the other permits and created the gate; "me" is another client.
 * Permits of a dead process are back before waitpid() returns.
 */
#include "harness.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "asleep.h"
#include "descriptor.h"
#include "queued.h"

#define PERMITS	10

FIXTURE(poll_owner) {
	int fd, me;
	__u32 gate, mine;
	struct visitors *all;
	int pair[2];		/* files sent here stay in flight */
};

FIXTURE_VARIANT(poll_owner)
{
	bool granted;
};

FIXTURE_VARIANT_ADD(poll_owner, waiting)
{
	.granted = false,
};

FIXTURE_VARIANT_ADD(poll_owner, granted)
{
	.granted = true,
};

FIXTURE_SETUP(poll_owner)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	self->me = gate_enter(&self->mine);
	self->all = shared_memory(sizeof(*self->all));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair));
}

FIXTURE_TEARDOWN(poll_owner)
{
	for (int i = 0; i < 64; i++)
		if (self->all->visitor[i].pid)
			visitor_kill(self->all, i);
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->me);
	close(self->fd);
	objects_wipe();
}

static void give(FIXTURE_DATA(poll_owner) *self, __s64 n)
{
	if (gate_release(self->fd, self->gate, NULL, n))
		abort();
}

static int mine(FIXTURE_DATA(poll_owner) *self, __s64 n)
{
	return queue(self->me, self->mine, NULL, n, WEIR_NEVER);
}

static __u32 waiting(FIXTURE_DATA(poll_owner) *self)
{
	__u32 n = gate_state(self->fd, self->gate, NULL).waiting;

	return n == gate_stats(self->fd, self->gate).waiting ? n : ~0U;
}

/*
 * Hold all permits but one. @fd queues for 4, and a sleeper behind it wants 1. If the request is
 * granted, so is the sleeper, and no other permits are held.
 */
static void arrange(FIXTURE_DATA(poll_owner) *self, int fd, __u32 gate, bool granted)
{
	gate_take(self->fd, self->gate, PERMITS - 1);
	if (queue(fd, gate, NULL, 4, WEIR_NEVER) != WEIR_QUEUED)
		abort();
	visitor_wait(self->all, 0, self->fd, self->gate, NULL, 1);
	if (granted)
		give(self, PERMITS - 1);
}

/* The holder is gone: nothing of its request is left, and the waiter behind it was granted. */
static void undone(struct __test_metadata *_metadata, FIXTURE_DATA(poll_owner) *self,
		   bool granted)
{
	struct weir_gate_stats s = gate_stats(self->fd, self->gate);

	EXPECT_EQ(0, visitor_served(self->all, 0)->result);
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(granted ? 4 : 0, s.reclaimed);
	EXPECT_EQ(granted ? 3 : 2, s.acquired);
	EXPECT_EQ(granted ? 1 : PERMITS, gate_in_use(self->fd, self->gate));
	visitor_kill(self->all, 0);
	self->all->visitor[0].pid = 0;
	if (!granted)
		give(self, PERMITS - 1);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
}

/* ------------------------------------------------------------ descriptors */

TEST_F(poll_owner, close)
{
	arrange(self, self->me, self->mine, variant->granted);
	EXPECT_EQ(variant->granted, told(self->me));
	EXPECT_EQ(0, close(self->me));
	undone(_metadata, self, variant->granted);
	self->me = -1;
}

/* A message in flight keeps the file and its queued request. */
TEST_F(poll_owner, close_with_a_message_under_way)
{
	arrange(self, self->me, self->mine, variant->granted);
	fd_send(self->pair[0], self->me);
	close(self->me);
	self->me = fd_receive(self->pair[1]);
	EXPECT_EQ(variant->granted, told(self->me));
	EXPECT_EQ(variant->granted ? 0 : 2, waiting(self));
	EXPECT_EQ(variant->granted ? WEIR_ALLOWED : -EAGAIN, collect(self->me));
	close(self->me);
	undone(_metadata, self, variant->granted);
	self->me = -1;
}

TEST_F(poll_owner, dup)
{
	int copy = dup(self->me);

	arrange(self, self->me, self->mine, variant->granted);
	EXPECT_EQ(0, close(self->me));
	/* one holder, whichever descriptor is used */
	EXPECT_EQ(variant->granted, told(copy));
	EXPECT_EQ(variant->granted ? 0 : 2, waiting(self));
	EXPECT_EQ(variant->granted ? 4 : 0, gate_state(copy, self->mine, NULL).held);
	EXPECT_EQ(0, close(copy));
	undone(_metadata, self, variant->granted);
	self->me = -1;
}

TEST_F(poll_owner, dup2_over)
{
	arrange(self, self->me, self->mine, variant->granted);
	EXPECT_EQ(self->me, dup2(self->me, self->me));
	EXPECT_EQ(variant->granted, told(self->me));
	EXPECT_EQ(self->me, dup2(self->pair[0], self->me));
	undone(_metadata, self, variant->granted);
}

/* ------------------------------------------------------------ processes */

/* A process that queues as its own client, and then sleeps. */
static pid_t queued_child(FIXTURE_DATA(poll_owner) *self, bool dup)
{
	struct visitor *v = &self->all->visitor[9];
	pid_t pid;

	v->ready = 0;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		__u32 gate = self->mine;
		int fd = dup ? client_alone(self->me) : gate_enter(&gate);

		v->result = queue(fd, gate, NULL, 4, WEIR_NEVER);
		v->ready = 1;
		for (;;)
			pause();
	}
	while (!v->ready)
		usleep(100);
	if (v->result != WEIR_QUEUED)
		abort();
	return pid;
}

/* Killed by any signal. */
TEST_F(poll_owner, killed)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV };

	for (int i = 0; i < 6; i++) {
		pid_t pid;

		gate_take(self->fd, self->gate, PERMITS);
		pid = queued_child(self, i % 2);
		visitor_wait(self->all, 0, self->fd, self->gate, NULL, 3);
		EXPECT_EQ(2, waiting(self));
		give(self, variant->granted ? 4 : 3);
		EXPECT_EQ(variant->granted ? 1 : 2, waiting(self));
		kill(pid, signals[i / 2]);
		waitpid(pid, NULL, 0);
		/* the sleeper is granted at once */
		EXPECT_EQ(0, waiting(self));
		EXPECT_EQ(variant->granted ? 9 : 10, gate_in_use(self->fd, self->gate));
		EXPECT_EQ(0, visitor_served(self->all, 0)->result);
		EXPECT_FALSE(told(self->me));
		visitor_kill(self->all, 0);
		self->all->visitor[0].pid = 0;
		give(self, variant->granted ? 6 : 7);
	}
	/* the sleeper's permits come back when it dies */
	EXPECT_EQ(6 * ((variant->granted ? 4 : 0) + 3),
		  gate_stats(self->fd, self->gate).reclaimed);
}

/* A duplicate has no requests of the original, and poll() does not report those. */
static int duplicate_looks(FIXTURE_DATA(poll_owner) *self, int copy, bool granted)
{
	if (told(copy) || gate_state(copy, self->mine, NULL).held)
		return 1;
	if (queue_cancel(copy, self->mine, NULL) != -ENOENT)
		return 2;
	if (queue(copy, self->mine, NULL, granted ? PERMITS : 5, WEIR_NEVER) != WEIR_QUEUED)
		return 3;
	return told(copy) ? 4 : 0;
}

TEST_F(poll_owner, dup_client)
{
	int copy;

	arrange(self, self->me, self->mine, variant->granted);
	copy = client_dup(self->me, 0);
	EXPECT_EQ(0, duplicate_looks(self, copy, variant->granted));
	close(copy);
	EXPECT_EQ(variant->granted, told(self->me));
	EXPECT_EQ(variant->granted ? 0 : 2, waiting(self));
	EXPECT_EQ(variant->granted ? WEIR_ALLOWED : -EAGAIN, collect(self->me));
	close(self->me);
	undone(_metadata, self, variant->granted);
	self->me = -1;
}

/* ------------------------------------------------------------ tags */

static int mine_as(FIXTURE_DATA(poll_owner) *self, __u32 tag, __s64 n)
{
	return queue_as(self->me, tag, self->mine, NULL, n, WEIR_NEVER);
}

/* Several tags of one client queue for one key, in order. */
TEST_F(poll_owner, tags)
{
	gate_take(self->fd, self->gate, PERMITS);
	for (__u32 tag = 1; tag <= 5; tag++)
		ASSERT_EQ(WEIR_QUEUED, mine_as(self, tag, 2));
	EXPECT_EQ(5, waiting(self));
	ASSERT_EQ(-EEXIST, mine_as(self, 3, 2));
	EXPECT_EQ(5, waiting(self));
	EXPECT_FALSE(told(self->me));
	give(self, 4);
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(-EEXIST, mine_as(self, 3, 2));
	/* dropped: one that was granted and not collected, one that waits */
	EXPECT_EQ(0, tag_drop(self->me, variant->granted ? 1 : 4));
	EXPECT_TRUE(told(self->me));
	if (!variant->granted)
		EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 1));
	EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 2));
	EXPECT_EQ(2, waiting(self));
	if (variant->granted)
		EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 3));
	EXPECT_EQ(-EAGAIN, collect(self->me));
	EXPECT_EQ(2, gate_held_as(self->me, 2, self->mine, NULL));
	EXPECT_EQ(-ENOENT, gate_release_as(self->me, 4, self->mine, NULL, 1));
	close(self->me);
	self->me = -1;
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(6, gate_in_use(self->fd, self->gate));
}

/* A tag that holds too many permits for its request fails with EDEADLK; tag 0 does not. */
TEST_F(poll_owner, tag_would_wait_for_itself)
{
	ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->me, 7, self->mine, NULL, 6, 0));
	EXPECT_EQ(-EDEADLK, mine_as(self, 7, 5));
	EXPECT_EQ(WEIR_QUEUED, mine_as(self, 8, 5));
	EXPECT_EQ(WEIR_QUEUED, mine_as(self, 7, 4));
	/* 6 held and 4 wanted can never be granted */
	EXPECT_EQ(-EDEADLK, gate_get_as(self->me, 7, self->mine, NULL, 1, WEIR_NEVER));
	EXPECT_EQ(2, waiting(self));
	/* fewer permits: with 6 held, 3 are left */
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 9));
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(-EDEADLK, collect_tag(self->me, 7));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(-EEXIST, mine_as(self, 8, 5));
	ASSERT_EQ(0, gate_release_as(self->me, 7, self->mine, NULL, 2));
	EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 8));
}

/* The number of uncollected requests of a client is limited, over all tags and keys. */
TEST_F(poll_owner, cap)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);
	static const __u64 key[2] = { 1, 2 };
	__u32 gate, other;

	if (variant->granted)
		SKIP(return, "the same");
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &gate));
	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
				 &other));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &key[i], 1));
	for (__u32 tag = 0; tag < WEIR_REQUESTS_MAX; tag++)
		ASSERT_EQ(WEIR_QUEUED, queue_as(self->me, tag / 2, other, &key[tag % 2], 1,
						WEIR_NEVER));
	EXPECT_EQ(-EMFILE, queue_as(self->me, 9999, other, &key[0], 1, WEIR_NEVER));
	EXPECT_EQ(-EEXIST, queue_as(self->me, 5, other, &key[0], 1, WEIR_NEVER));
	/* a tag has one at each key */
	EXPECT_EQ(0, tag_drop(self->me, 5));
	EXPECT_EQ(WEIR_QUEUED, queue_as(self->me, 9998, other, &key[0], 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_QUEUED, queue_as(self->me, 9999, other, &key[0], 1, WEIR_NEVER));
	EXPECT_EQ(-EMFILE, queue_as(self->me, 5, other, &key[0], 1, WEIR_NEVER));
	ASSERT_EQ(0, gate_release(self->fd, gate, &key[0], 1));
	/* an ended request counts until it is collected */
	EXPECT_EQ(-EMFILE, queue_as(self->me, 5, other, &key[0], 1, WEIR_NEVER));
	EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 0));
	EXPECT_EQ(WEIR_QUEUED, queue_as(self->me, 5, other, &key[0], 1, WEIR_NEVER));
}

/* ------------------------------------------------------------ a shared file */

/*
 * A child that shares the file and sleeps in its own epoll. EPOLLEXCLUSIVE asks the kernel to wake
 * one waiter at a time.
 */
static pid_t exclusive_child(FIXTURE_DATA(poll_owner) *self)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int epoll = epoll_make();

		epoll_join(epoll, self->me, EPOLLOUT | EPOLLEXCLUSIVE);
		_exit(epoll_told(epoll, 100000) == self->me ? 42 : 2);
	}
	until_asleep(pid);
	return pid;
}

/* Every process that polls the file is woken, even if all use EPOLLEXCLUSIVE. */
TEST_F(poll_owner, exclusively)
{
	pid_t first, second;
	int status[2];

	gate_take(self->fd, self->gate, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine_as(self, 1, 1));
	first = exclusive_child(self);
	second = exclusive_child(self);
	give(self, 1);
	waitpid(first, &status[0], 0);
	waitpid(second, &status[1], 0);
	EXPECT_EQ(42 << 8, status[0]);
	EXPECT_EQ(42 << 8, status[1]);
	EXPECT_EQ(WEIR_ALLOWED, collect_tag(self->me, 1));
}

/* A program that has queued a request when it starts; @keep: it inherits the file. */
static pid_t run_program(FIXTURE_DATA(poll_owner) *self, bool keep)
{
	struct visitor *v = &self->all->visitor[9];
	pid_t pid;

	v->ready = 0;
	v->leave = 0;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		__u32 gate;
		int fd = gate_enter(&gate);

		if (queue(fd, gate, NULL, 4, WEIR_NEVER) != WEIR_QUEUED)
			abort();
		v->ready = 1;
		while (!v->leave)
			usleep(100);
		program_become(self->pair[0], fd, keep);
	}
	while (!v->ready)
		usleep(100);
	return pid;
}

static void exec_one(struct __test_metadata *_metadata, FIXTURE_DATA(poll_owner) *self,
		     bool granted, bool keep)
{
	__u64 before = gate_stats(self->fd, self->gate).reclaimed;
	pid_t pid;

	gate_take(self->fd, self->gate, PERMITS);
	pid = run_program(self, keep);
	EXPECT_EQ(1, waiting(self));
	if (granted)
		give(self, 4);
	self->all->visitor[9].leave = 1;
	program_begun(self->pair[1]);
	EXPECT_EQ(keep && !granted, waiting(self));
	EXPECT_EQ(granted && !keep ? PERMITS - 4 : PERMITS,
		  gate_in_use(self->fd, self->gate));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(granted ? PERMITS - 4 : PERMITS, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(before + (granted ? 4 : 0), gate_stats(self->fd, self->gate).reclaimed);
	give(self, granted ? PERMITS - 4 : PERMITS);
}

TEST_F(poll_owner, exec)
{
	exec_one(_metadata, self, variant->granted, false);
	exec_one(_metadata, self, variant->granted, true);
}

/* ------------------------------------------------------------ changes of the gate */

/* Requests that wait end with ENODEV; those that have ended keep their answer. */
TEST_F(poll_owner, deletion)
{
	__u32 other;
	int second = gate_enter(&other);

	gate_take(self->fd, self->gate, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 4));
	ASSERT_EQ(WEIR_QUEUED, queue(second, other, NULL, 1,
				     info_get(self->fd).now + HOUR));
	if (variant->granted) {
		give(self, 4);
		ASSERT_TRUE(told(self->me));
	}
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	EXPECT_TRUE(told(self->me));
	EXPECT_TRUE(told(second));
	EXPECT_EQ(-ENODEV, gate_release(second, other, NULL, 1));
	EXPECT_EQ(-ENODEV, queue_cancel(second, other, NULL));
	EXPECT_EQ(-ENODEV, mine(self, 4));
	EXPECT_EQ(variant->granted ? WEIR_ALLOWED : -ENODEV, collect(self->me));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(0, handle_close(second, other));
	EXPECT_EQ(-ENODEV, collect(second));
	EXPECT_FALSE(told(second));
	close(second);
}

/* The requests of all keys, in one call. */
TEST_F(poll_owner, deletion_with_keys)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);
	struct weir_op ops[21];
	__u32 gate, other;

	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &gate));
	ASSERT_EQ(0, object_open(self->me, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
				 &other));
	for (__u64 key = 0; key < 20; key++) {
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &key, 1));
		ASSERT_EQ(WEIR_QUEUED, queue(self->me, other, &key, 1, WEIR_NEVER));
		if (variant->granted && key % 2)
			ASSERT_EQ(0, gate_release(self->fd, gate, &key, 1));
	}
	ASSERT_EQ(0, object_delete(self->fd, gate));
	ASSERT_EQ(20, collect_run(self->me, ops, 21));
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(variant->granted && i < 10 ? 0 : -ENODEV, ops[i].result);
	EXPECT_FALSE(told(self->me));
}

/* A request belongs to the client: it does not need the handle any more. */
TEST_F(poll_owner, handle_closed)
{
	gate_take(self->fd, self->gate, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 4));
	ASSERT_EQ(0, handle_close(self->me, self->mine));
	EXPECT_EQ(1, waiting(self));
	if (variant->granted) {
		give(self, 4);
		EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	}
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	EXPECT_EQ(variant->granted ? -EAGAIN : -ENODEV, collect(self->me));
}

/* More permits: all requests that now fit are granted. */
TEST_F(poll_owner, more_permits)
{
	__u32 other;
	int second = gate_enter(&other);

	gate_take(self->fd, self->gate, PERMITS);
	ASSERT_EQ(WEIR_QUEUED, mine(self, 4));
	ASSERT_EQ(WEIR_QUEUED, queue(second, other, NULL, 2, WEIR_NEVER));
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, PERMITS + 3));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(2, waiting(self));
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, PERMITS + 5 + variant->granted));
	EXPECT_TRUE(told(self->me));
	EXPECT_EQ(variant->granted, told(second));
	EXPECT_EQ(!variant->granted, waiting(self));
	EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
	EXPECT_EQ(variant->granted ? WEIR_ALLOWED : -EAGAIN, collect(second));
	close(second);
}

/* Too few permits for the request: it fails, and the waiter behind it does not wait for it. */
TEST_F(poll_owner, fewer_permits)
{
	struct weir_gate_stats s;

	arrange(self, self->me, self->mine, variant->granted);
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 3));
	EXPECT_TRUE(told(self->me));
	if (variant->granted) {
		/* held permits stay held */
		EXPECT_EQ(WEIR_ALLOWED, collect(self->me));
		EXPECT_EQ(4, gate_state(self->me, self->mine, NULL).held);
		EXPECT_FALSE(told(self->me));
		return;
	}
	EXPECT_EQ(1, waiting(self));
	EXPECT_EQ(-E2BIG, collect(self->me));
	EXPECT_FALSE(told(self->me));
	EXPECT_EQ(-ENOENT, queue_cancel(self->me, self->mine, NULL));
	give(self, 7);
	EXPECT_EQ(0, visitor_served(self->all, 0)->result);
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(0, s.refused);
	EXPECT_EQ(0, s.timeouts);
	EXPECT_EQ(3, s.in_use);
}

TEST_HARNESS_MAIN
