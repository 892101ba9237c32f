// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_owner - who holds a permit, and that it comes back: once, and in time
 *
 * A holder is an open file in one table of descriptors. What one has that dies is back
 * when waitpid() returns: so it is looked at right after that, without any sleep.
 */
#include "harness.h"

#include <linux/io_uring.h>
#include <sched.h>
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
	int pair[2];		/* what is sent here stays under way */
	int end[2];		/* read end: closed by the test when it is over */
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

/* ------------------------------------------------------------ death */

/* A child that lives until the test is over, with all the files there are. */
static void leave_a_child(FIXTURE_DATA(owner) *self)
{
	char byte;

	if (fork())
		return;
	close(self->end[1]);
	_exit(read(self->end[0], &byte, 1));
}

static void leave_in_socket(FIXTURE_DATA(owner) *self, int fd)
{
	fd_send(self->pair[0], fd);
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

static void leave_in_uring(FIXTURE_DATA(owner) *self, int fd)
{
	struct io_uring_params params;
	int ring;

	(void)self;
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
		leave_in_socket(self, fd);
	if (how == IN_URING)
		leave_in_uring(self, fd);
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

static void die(struct __test_metadata *_metadata, FIXTURE_DATA(owner) *self, enum how how,
		int rounds)
{
	for (int i = 0; i < rounds; i++) {
		char byte;

		begin(self, how);
		ASSERT_EQ(3, gate_in_use(self->fd, self->gate));
		visitor_kill(self->all, 0);
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate)) {
			TH_LOG("round %d", i);
		}
		/* what was left comes, and changes nothing */
		if (how == IN_SOCKET)
			ASSERT_EQ(1, recv(self->pair[1], &byte, 1, 0));
	}
	EXPECT_EQ(3 * rounds, gate_stats(self->fd, self->gate).reclaimed);
	EXPECT_EQ(2 * rounds, gate_stats(self->fd, self->gate).acquired);
}

TEST_F(owner, killed)
{
	die(_metadata, self, ALONE, ROUNDS);
}

TEST_F(owner, killed_with_a_child)
{
	die(_metadata, self, WITH_CHILD, ROUNDS);
}

TEST_F(owner, killed_with_a_message_under_way)
{
	die(_metadata, self, IN_SOCKET, ROUNDS);
}

TEST_F(owner, killed_with_io_uring)
{
	if (!have_uring())
		SKIP(return, "no io_uring");
	die(_metadata, self, IN_URING, ROUNDS);
}

/* Nor is anything given back twice when the last reference goes, much later. */
TEST_F(owner, once)
{
	int fd;

	begin(self, IN_SOCKET);
	visitor_kill(self->all, 0);
	/* the very file, in another table, whose holder has nothing */
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(-ENOENT, gate_release(fd, 1, NULL, 1));
	gate_take(fd, 1, 4);
	EXPECT_EQ(4, gate_in_use(self->fd, self->gate));
	close(fd);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(7, gate_stats(self->fd, self->gate).reclaimed);
}

/* Waiting or holding, by whatever signal, and by exit as well. */
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
		/* at once the other's */
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
	/* one holder, whichever descriptor he uses */
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
	/* onto itself: nothing */
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

/* The file is still under way in a message: only the table counts. */
TEST_F(owner, close_with_a_message_under_way)
{
	__u32 gate;
	int fd = gate_enter(&gate);

	fd_send(self->pair[0], fd);
	gate_take(fd, gate, 3);
	close(fd);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(-ENOENT, gate_release(fd, gate, NULL, 1));
	gate_take(fd, gate, 2);
	EXPECT_EQ(0, gate_release(fd, gate, NULL, 2));
	close(fd);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

/* A child has the file, and nothing of what its parent holds. */
TEST_F(owner, fork)
{
	int status;
	pid_t pid;

	gate_take(self->fd, self->gate, 4);
	pid = fork();
	if (!pid) {
		if (gate_release(self->fd, self->gate, NULL, 1) != -ENOENT)
			_exit(1);
		gate_take(self->fd, self->gate, 2);
		if (gate_state(self->fd, self->gate, NULL).held != 2)
			_exit(2);
		close(self->fd);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(4, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(4, gate_state(self->fd, self->gate, NULL).held);
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).reclaimed);
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 4));
}

/* ------------------------------------------------------------ exec */

/* A program that has permits as it begins; @keep: the file stays open in it. */
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

/* ------------------------------------------------------------ one table, several tasks */

/* A process that shares its parent's table, and no memory. */
static pid_t clone_files(void)
{
	return syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
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
			/* one holder: what the one took the other gives back */
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
	/* the table lives on in the child */
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	kill(v[1].pid, SIGKILL);
	/* it is not ours to wait for */
	while (gate_in_use(self->fd, self->gate))
		usleep(1000);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

TEST_HARNESS_MAIN
