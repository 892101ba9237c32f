// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_owner - holders of permits: permits come back exactly once, and in time
 *
 * A holder is an open file and a tag. When the last process that has the file dies, its permits are
 * back before waitpid() returns. So the tests need no sleep.
 */
#include "harness.h"

#include <linux/io_uring.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "descriptor.h"
#include "gate.h"

#define PERMITS	10
#define ROUNDS	scaled(200)

FIXTURE(owner) {
	int fd;
	__u32 gate;
	struct visitors *all;
	int pair[2];		/* files sent here stay in flight */
	int end[2];		/* the test closes the read end when it is over */
};

FIXTURE_SETUP(owner)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	self->all = shared_memory(sizeof(*self->all));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair));
	ASSERT_EQ(0, pipe2(self->end, O_CLOEXEC));
}

FIXTURE_TEARDOWN(owner)
{
	close(self->end[0]);
	close(self->end[1]);
	close(self->fd);
	objects_wipe();
}

/* ------------------------------------------------------------ processes that die */

/* A child that shares its parent's open file until the test is over. */
static void leave_a_child(FIXTURE_DATA(owner) *self)
{
	char byte;

	if (fork())
		return;
	close(self->end[1]);
	_exit(read(self->end[0], &byte, 1));
}

static bool have_uring(void)
{
	struct io_uring_params params;
	int ring;

	memset(&params, 0, sizeof(params));
	ring = syscall(__NR_io_uring_setup, 2, &params);
	if (ring >= 0)
		close(ring);
	return ring >= 0;
}

static void leave_in_uring(int fd)
{
	struct io_uring_params params;
	int ring;

	memset(&params, 0, sizeof(params));
	ring = syscall(__NR_io_uring_setup, 2, &params);
	if (ring < 0 || syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		abort();
}

enum how { ALONE, WITH_CHILD, IN_SOCKET, IN_URING };

static void hold_until_killed(FIXTURE_DATA(owner) *self, enum how how)
{
	__u32 gate;
	int fd = gate_enter(&gate);

	gate_take(fd, gate, 1);
	gate_take(fd, gate, 2);
	if (how == WITH_CHILD)
		leave_a_child(self);
	if (how == IN_SOCKET)
		fd_send(self->pair[0], fd);
	if (how == IN_URING)
		leave_in_uring(fd);
	self->all->visitor[0].ready = 1;
	for (;;)
		pause();
}

static void begin(FIXTURE_DATA(owner) *self, enum how how)
{
	struct visitor *v = &self->all->visitor[0];
	pid_t pid;

	v->ready = 0;
	fflush(NULL);
	pid = fork();
	if (!pid)
		hold_until_killed(self, how);
	v->pid = pid;
	while (!v->ready)
		usleep(50);
}

/* The process is the only one that has the file. */
TEST_F(owner, killed)
{
	for (int i = 0; i < ROUNDS; i++) {
		begin(self, ALONE);
		ASSERT_EQ(3, gate_in_use(self->fd, self->gate));
		visitor_kill(self->all, 0);
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate)) {
			TH_LOG("round %d", i);
		}
	}
	EXPECT_EQ(3 * ROUNDS, gate_stats(self->fd, self->gate).reclaimed);
	EXPECT_EQ(2 * ROUNDS, gate_stats(self->fd, self->gate).acquired);
}

/* A child has the same file, so it is the same holder, until it ends too. */
TEST_F(owner, killed_with_a_child)
{
	begin(self, WITH_CHILD);
	visitor_kill(self->all, 0);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	close(self->end[1]);
	self->end[1] = -1;
	/* this is not our child: poll for its end */
	while (gate_in_use(self->fd, self->gate))
		usleep(1000);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* A message in flight keeps the file, and its receiver is the same holder. */
TEST_F(owner, killed_with_a_message_under_way)
{
	int fd;

	begin(self, IN_SOCKET);
	visitor_kill(self->all, 0);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(0, gate_release(fd, 1, NULL, 1));
	EXPECT_EQ(2, gate_in_use(self->fd, self->gate));
	gate_take(fd, 1, 4);
	EXPECT_EQ(6, gate_in_use(self->fd, self->gate));
	close(fd);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(6, gate_stats(self->fd, self->gate).reclaimed);
}

/* A message that is never received is freed with its socket. */
TEST_F(owner, message_never_received)
{
	begin(self, IN_SOCKET);
	visitor_kill(self->all, 0);
	close(self->pair[1]);
	close(self->pair[0]);
	self->pair[0] = -1;
	self->pair[1] = -1;
	/* sockets that still have files in flight are collected by a worker */
	while (gate_in_use(self->fd, self->gate))
		usleep(1000);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* The ring ends some time after its process and keeps the file until then. */
TEST_F(owner, killed_with_io_uring)
{
	if (!have_uring())
		SKIP(return, "no io_uring");
	begin(self, IN_URING);
	visitor_kill(self->all, 0);
	while (gate_in_use(self->fd, self->gate))
		usleep(1000);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* Killed by any signal, or ended by exit, while another process waits. */
TEST_F(owner, other_deaths)
{
	static const int signals[] = { SIGTERM, SIGSEGV, SIGABRT, 0 };
	struct visitor *v = &self->all->visitor[0];

	for (unsigned int i = 0; i < 4; i++) {
		visitor_begin(self->all, 0, self->fd, self->gate, NULL, 7, WEIR_NEVER);
		visitor_served(self->all, 0);
		visitor_wait(self->all, 1, self->fd, self->gate, NULL, 5);
		EXPECT_EQ(7, gate_in_use(self->fd, self->gate));
		if (signals[i])
			kill(v->pid, signals[i]);
		v->leave = 1;
		waitpid(v->pid, NULL, 0);
		/* the waiter has them at once */
		EXPECT_EQ(5, gate_in_use(self->fd, self->gate));
		EXPECT_EQ(0, gate_state(self->fd, self->gate, NULL).waiting);
		visitor_kill(self->all, 1);
		EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	}
}

/* ------------------------------------------------------------ descriptors */

TEST_F(owner, dup)
{
	__u32 gate;
	int fd = gate_enter(&gate), copy = dup(fd);

	gate_take(fd, gate, 3);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	/* one holder, whichever descriptor is used */
	EXPECT_EQ(0, gate_release(copy, gate, NULL, 1));
	EXPECT_EQ(2, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(0, close(copy));
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).reclaimed);
}

TEST_F(owner, dup2_over)
{
	__u32 gate;
	int fd = gate_enter(&gate);

	gate_take(fd, gate, 3);
	/* dup2() of a descriptor to itself changes nothing */
	EXPECT_EQ(fd, dup2(fd, fd));
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(fd, dup2(self->pair[0], fd));
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	close(fd);
}

TEST_F(owner, close_range)
{
	__u32 gate;
	int fd = gate_enter(&gate);

	gate_take(fd, gate, 3);
	ASSERT_EQ(0, syscall(__NR_close_range, fd, fd, 0));
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* The last descriptor is closed, but a message in flight has the file. */
TEST_F(owner, close_with_a_message_under_way)
{
	__u32 gate;
	int fd = gate_enter(&gate);

	fd_send(self->pair[0], fd);
	gate_take(fd, gate, 3);
	close(fd);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(0, gate_release(fd, gate, NULL, 1));
	close(fd);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).reclaimed);
}

/* A child that was made without the C library shares the holder: its descriptors are copies. */
TEST_F(owner, raw_fork)
{
	int status, fd;
	__u32 gate;
	pid_t pid;

	fd = gate_enter(&gate);
	gate_take(fd, gate, 4);
	pid = syscall(__NR_clone3, &(struct clone_args){ .exit_signal = SIGCHLD },
		      sizeof(struct clone_args));
	if (!pid) {
		if (gate_release(fd, gate, NULL, 1))
			_exit(1);
		gate_take(fd, gate, 2);
		_exit(gate_state(fd, gate, NULL).held != 5);
	}
	ASSERT_LT(0, pid);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(5, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(5, gate_state(fd, gate, NULL).held);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).reclaimed);
	close(fd);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(5, gate_stats(self->fd, self->gate).reclaimed);
}

/* ------------------------------------------------------------ tags */

TEST_F(owner, tags)
{
	/* each tag holds its own permits and can release only those */
	EXPECT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 1, self->gate, NULL, 3, 0));
	EXPECT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, ~0U, self->gate, NULL, 2, 0));
	gate_take(self->fd, self->gate, 1);
	EXPECT_EQ(3, gate_held_as(self->fd, 1, self->gate, NULL));
	EXPECT_EQ(2, gate_held_as(self->fd, ~0U, self->gate, NULL));
	EXPECT_EQ(0, gate_held_as(self->fd, 2, self->gate, NULL));
	EXPECT_EQ(-ENOENT, gate_release_as(self->fd, 2, self->gate, NULL, 1));
	EXPECT_EQ(-ENOENT, gate_release(self->fd, self->gate, NULL, 2));
	EXPECT_EQ(0, gate_release_as(self->fd, 1, self->gate, NULL, 1));
	EXPECT_EQ(5, gate_in_use(self->fd, self->gate));
	/* the tags are dropped one by one; dropping a tag that has nothing is no error */
	EXPECT_EQ(0, tag_drop(self->fd, 2));
	EXPECT_EQ(0, tag_drop(self->fd, 1));
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(0, tag_drop(self->fd, 1));
	EXPECT_EQ(0, tag_drop(self->fd, 0));
	EXPECT_EQ(2, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(2, gate_held_as(self->fd, ~0U, self->gate, NULL));
	EXPECT_EQ(0, tag_drop(self->fd, ~0U));
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(5, gate_stats(self->fd, self->gate).reclaimed);
}

/* Dropping a tag releases its permits of all keys and objects, and none of other tags. */
TEST_F(owner, drop_of_many)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 3);
	__u32 keyed[2];

	config.max_keys = 100;
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed0", &config, &keyed[0]));
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed1", &config, &keyed[1]));
	for (__u64 key = 0; key < 100; key++)
		for (__u32 tag = 1; tag <= 3; tag++)
			for (int i = 0; i < 2; i++)
				ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, tag, keyed[i],
								    &key, 1, 0));
	EXPECT_EQ(0, tag_drop(self->fd, 2));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(200, gate_stats(self->fd, keyed[i]).in_use);
		EXPECT_EQ(100, gate_stats(self->fd, keyed[i]).reclaimed);
	}
	for (__u64 key = 0; key < 100; key++)
		ASSERT_EQ(-ENOENT, gate_release_as(self->fd, 2, keyed[0], &key, 1));
	EXPECT_EQ(0, tag_drop(self->fd, 3));
	EXPECT_EQ(100, gate_stats(self->fd, keyed[1]).in_use);
	EXPECT_EQ(0, gate_release_as(self->fd, 1, keyed[1], &(__u64){ 7 }, 1));
}

/* ------------------------------------------------------------ a duplicate of the client */

TEST_F(owner, dup_client)
{
	int one, two, status = fcntl(self->fd, F_GETFL);
	__u32 other;

	gate_take(self->fd, self->gate, 4);
	one = client_dup(self->fd, 0);
	two = client_dup(self->fd, WEIR_DUP_CLOEXEC);
	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	EXPECT_EQ(0, fcntl(one, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(two, F_GETFD));
	EXPECT_EQ(status, fcntl(one, F_GETFL));
	EXPECT_EQ(-EINVAL, client_dup(self->fd, 2));
	EXPECT_EQ(-EINVAL, client_dup(self->fd, O_CLOEXEC));
	/* the duplicate has the same handle and holds nothing */
	EXPECT_EQ(0, gate_state(one, self->gate, NULL).held);
	EXPECT_EQ(-ENOENT, gate_release(one, self->gate, NULL, 1));
	gate_take(one, self->gate, 1);
	gate_take(two, self->gate, 2);
	close(one);
	EXPECT_EQ(6, gate_in_use(self->fd, self->gate));
	/* the clients have separate handles, and numbering continues */
	ASSERT_EQ(0, object_open(two, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_USE, &other));
	EXPECT_EQ(-EBADF, gate_try(self->fd, other, NULL, 1));
	EXPECT_EQ(0, handle_close(two, self->gate));
	EXPECT_EQ(4, gate_state(self->fd, self->gate, NULL).held);
	close(two);
	EXPECT_EQ(4, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* Rights, mode and position in the event stream are those of the original client. */
TEST_F(owner, dup_client_is_no_more)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	int reader = client_open(O_RDONLY | O_NONBLOCK), copy;
	__u32 seen, made;
	off_t at;

	ASSERT_EQ(0, object_open(reader, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_OBSERVE,
				 &seen));
	at = lseek(reader, 0, SEEK_CUR);
	ASSERT_EQ(0, gate_create(self->fd, OURS "later", &config, &made));
	copy = client_dup(reader, 0);
	ASSERT_LE(0, copy);
	EXPECT_EQ(O_RDONLY | O_NONBLOCK, fcntl(copy, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(at, lseek(copy, 0, SEEK_CUR));
	EXPECT_EQ(-EACCES, gate_try(copy, seen, NULL, 1));
	EXPECT_EQ(-EACCES, gate_create(copy, OURS "not", &config, &made));
	EXPECT_EQ(0, gate_state(copy, seen, NULL).held);
	close(copy);
	close(reader);
}

TEST_F(owner, dup_client_of_many)
{
	enum { MANY = 1000 };
	static __u32 handle[MANY];
	int copy;

	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_GATE, OURS "gate",
					 i % 2 ? WEIR_RIGHT_USE : WEIR_RIGHT_OBSERVE,
					 &handle[i]));
	for (int i = 0; i < MANY; i += 10)
		ASSERT_EQ(0, handle_close(self->fd, handle[i]));
	copy = client_dup(self->fd, 0);
	ASSERT_LE(0, copy);
	close(self->fd);
	self->fd = copy;
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(i % 10 == 0 ? -EBADF : i % 2 ? -ENOENT : -EACCES,
			  gate_release(copy, handle[i], NULL, 1)) {
			TH_LOG("handle %d", i);
		}
	}
}

/* Without a free descriptor the call fails before it does anything. */
TEST_F(owner, dup_client_without_room)
{
	struct rlimit full, before;
	int top = dup(self->fd);

	close(top);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	full = before;
	full.rlim_cur = top;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &full));
	EXPECT_EQ(-EMFILE, client_dup(self->fd, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
}

/* ------------------------------------------------------------ exec */

/* A program that has permits when it starts; @keep: it inherits the file. */
static pid_t run_program(FIXTURE_DATA(owner) *self, bool keep)
{
	pid_t pid = fork();

	if (!pid) {
		__u32 gate;
		int fd = gate_enter(&gate);

		gate_take(fd, gate, 3);
		program_become(self->pair[0], fd, keep);
	}
	program_begun(self->pair[1]);
	return pid;
}

TEST_F(owner, exec)
{
	pid_t pid = run_program(self, false);

	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);

	pid = run_program(self, true);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(6, gate_stats(self->fd, self->gate).reclaimed);
}

/* ------------------------------------------------------------ shared descriptor table */

/* A process that shares its parent's descriptor table, but not its memory. */
static pid_t clone_files(void)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };

	return syscall(__NR_clone3, &args, sizeof(args));
}

TEST_F(owner, shared_table)
{
	struct visitor *v = self->all->visitor;
	pid_t parent = fork(), child;

	if (!parent) {
		__u32 gate;
		int fd = gate_enter(&gate);

		gate_take(fd, gate, 4);
		child = clone_files();
		if (!child) {
			/* one holder: each task can release what the other acquired */
			v[1].result = gate_release(fd, gate, NULL, 1);
			v[1].ready = 1;
			for (;;)
				pause();
		}
		v[1].pid = child;
		v[0].ready = 1;
		for (;;)
			pause();
	}
	while (!v[0].ready || !v[1].ready)
		usleep(100);
	EXPECT_EQ(0, v[1].result);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	/* the descriptor table stays, because the child has it */
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	kill(v[1].pid, SIGKILL);
	/* this is not our child: poll for its end */
	while (gate_in_use(self->fd, self->gate))
		usleep(1000);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

TEST_HARNESS_MAIN
