// SPDX-License-Identifier: GPL-2.0-only
/*
 * roster_owner - the owner of a lease: the lease ends with it, once, and in time
 *
 * The leases of a dead process have ended when waitpid() returns. The tests check this right after
 * waitpid(), without a sleep, and the next claim succeeds.
 */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "descriptor.h"
#include "roster.h"

#define ROUNDS	scaled(200)

struct child {
	_Atomic int ready;
	_Atomic int result;
};

FIXTURE(owner) {
	int fd, events;
	__u32 r;
	struct child *child;
	int pair[2];		/* files sent here stay in flight */
};

FIXTURE_SETUP(owner)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, roster_create(self->fd, OURS "owner", &config, &self->r));
	self->events = client_open(O_RDONLY);
	self->child = shared_memory(sizeof(*self->child));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair));
}

FIXTURE_TEARDOWN(owner)
{
	close(self->events);
	close(self->fd);
	objects_wipe();
}

/* ------------------------------------------------------------ processes that die */

static void hold_until_killed(FIXTURE_DATA(owner) *self)
{
	struct weir_op ops[2], op;
	__u32 r;
	int fd = roster_enter(OURS "owner", &r);

	ops[0] = lease_make(WEIR_OP_CLAIM, r, "b", 0, 0);
	ops[1] = lease_make(WEIR_OP_CLAIM, r, "c", 0, HOUR);
	if (lease_claim(fd, r, "a") || claims_run(fd, ops, 2) ||
	    lease_run(fd, &op, WEIR_OP_PUT, r, "a", 0, 0) ||
	    lease_run_detached(fd, &op, WEIR_OP_PUT, r, "stays", 0))
		_exit(1);
	self->child->ready = 1;
	for (;;)
		pause();
}

static pid_t begin(FIXTURE_DATA(owner) *self)
{
	pid_t pid;

	self->child->ready = 0;
	fflush(NULL);
	pid = fork();
	if (!pid)
		hold_until_killed(self);
	while (!self->child->ready)
		usleep(50);
	return pid;
}

TEST_F(owner, killed)
{
	struct weir_op op;

	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = begin(self);

		ASSERT_EQ(-EEXIST, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "b", 0, 0));
		ASSERT_EQ(pid, op.pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		ASSERT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
		ASSERT_EQ(-ENOENT, lease_find(self->fd, self->r, "b"));
		ASSERT_EQ(0, lease_claim(self->fd, self->r, "c"));
		ASSERT_EQ(0, lease_find(self->fd, self->r, "stays"));
		ASSERT_EQ(2, roster_stats(self->fd, self->r).members);
		ASSERT_EQ(0, lease_remove(self->fd, self->r, "c"));
	}
	EXPECT_EQ(3 * ROUNDS, leases_lost(self->events, "", WEIR_LOST_HOLDER));
	EXPECT_EQ(3 * ROUNDS, roster_stats(self->fd, self->r).lost);
	EXPECT_EQ(0, roster_stats(self->fd, self->r).expired);
}

/* However a lease ended, a new lease of the key belongs to its new holder. */
TEST_F(owner, successor)
{
	struct weir_op op;
	__u32 r;
	int fd = roster_enter(OURS "owner", &r);

	/* removed by another client, detached by its owner, or replaced by another client */
	ASSERT_EQ(0, lease_run(fd, &op, WEIR_OP_CLAIM, r, "a", 0, 0));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_REMOVE, self->r, "a", op.version, 0));
	ASSERT_EQ(0, lease_claim(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_claim(fd, r, "b"));
	ASSERT_EQ(0, lease_run_detached(fd, &op, WEIR_OP_PUT, r, "b", 0));
	ASSERT_EQ(0, lease_run(fd, &op, WEIR_OP_CLAIM, r, "c", 0, 0));
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_REPLACE, self->r, "c", "v", 1,
				     op.version, 0));
	/* its own lease, many times */
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, lease_claim(fd, r, "d"));
		ASSERT_EQ(0, lease_remove(fd, r, "d"));
	}
	close(fd);
	EXPECT_EQ(0, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(0, lease_find(self->fd, self->r, "b"));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "c"));
	EXPECT_EQ(1, leases_lost(self->events, "", 0));
}

/* ------------------------------------------------------------ descriptors */

TEST_F(owner, dup)
{
	struct weir_op op;
	__u32 r;
	int fd = roster_enter(OURS "owner", &r), copy = dup(fd);

	ASSERT_EQ(0, lease_claim(fd, r, "a"));
	EXPECT_EQ(0, close(fd));
	/* one holder, whichever descriptor is used */
	EXPECT_EQ(0, lease_run(copy, &op, WEIR_OP_TOUCH, r, "a", 0, HOUR));
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	EXPECT_EQ(0, close(copy));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
}

/* A duplicate of the client has none of the leases of the original. */
TEST_F(owner, dup_client)
{
	struct weir_op op;
	int copy;

	ASSERT_EQ(0, lease_claim(self->fd, self->r, "a"));
	copy = client_dup(self->fd, 0);
	ASSERT_LE(0, copy);
	EXPECT_EQ(-EEXIST, lease_remove(copy, self->r, "a"));
	EXPECT_EQ(-EEXIST, lease_run(copy, &op, WEIR_OP_PUT, self->r, "a", 0, 0));
	EXPECT_EQ(0, lease_claim(copy, self->r, "b"));
	EXPECT_EQ(0, lease_run(copy, &op, WEIR_OP_LEASE_GET, self->r, "a", 0, 0));
	EXPECT_EQ(0, op.out_flags);
	close(copy);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "b"));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "a", 0, 0));
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	EXPECT_EQ(1, leases_lost(self->events, "", WEIR_LOST_HOLDER));
}

static int lease_run_as(int fd, __u32 tag, struct weir_op *op, __u16 opcode, __u32 r,
			const char *key)
{
	*op = lease_make(opcode, r, key, 0, 0);
	op->tag = tag;
	return lease_op(fd, op);
}

/* The tag is part of the owner and is reported. */
TEST_F(owner, tags)
{
	struct weir_op op;

	ASSERT_EQ(0, lease_run_as(self->fd, 1, &op, WEIR_OP_CLAIM, self->r, "a"));
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	EXPECT_EQ(1, op.owner_tag);
	ASSERT_EQ(0, lease_run_as(self->fd, 2, &op, WEIR_OP_CLAIM, self->r, "b"));
	EXPECT_EQ(-EEXIST, lease_run_as(self->fd, 2, &op, WEIR_OP_CLAIM, self->r, "a"));
	EXPECT_EQ(1, op.owner_tag);
	EXPECT_EQ(-EEXIST, lease_run_as(self->fd, 2, &op, WEIR_OP_PUT, self->r, "a"));
	EXPECT_EQ(-EEXIST, lease_run_as(self->fd, 0, &op, WEIR_OP_REMOVE, self->r, "a"));
	EXPECT_EQ(0, lease_run_as(self->fd, 1, &op, WEIR_OP_PUT, self->r, "a"));
	EXPECT_EQ(0, lease_run_as(self->fd, 2, &op, WEIR_OP_LEASE_GET, self->r, "a"));
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(1, op.owner_tag);
	EXPECT_EQ(0, tag_drop(self->fd, 1));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(0, lease_find(self->fd, self->r, "b"));
	EXPECT_EQ(1, leases_lost(self->events, "", WEIR_LOST_HOLDER));
}

/* A receiver of the file has the same open file, so it is the same holder. */
TEST_F(owner, passed)
{
	__u32 r;
	int fd = roster_enter(OURS "owner", &r);

	ASSERT_EQ(0, lease_claim(fd, r, "a"));
	fd_send(self->pair[0], fd);
	close(fd);
	EXPECT_EQ(0, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(-EEXIST, lease_claim(self->fd, self->r, "a"));
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(0, lease_remove(fd, r, "a"));
	EXPECT_EQ(0, lease_claim(fd, r, "a"));
	close(fd);
	EXPECT_EQ(0, lease_claim(self->fd, self->r, "a"));
	EXPECT_EQ(1, leases_lost(self->events, "", WEIR_LOST_HOLDER));
}

/* A program that has a lease when it starts; @keep: it inherits the file. */
static pid_t run_program(FIXTURE_DATA(owner) *self, bool keep)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		__u32 r;
		int fd = roster_enter(OURS "owner", &r);

		if (lease_claim(fd, r, "a"))
			_exit(1);
		program_become(self->pair[0], fd, keep);
	}
	program_begun(self->pair[1]);
	return pid;
}

TEST_F(owner, exec)
{
	pid_t pid = run_program(self, false);

	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = run_program(self, true);
	EXPECT_EQ(0, lease_find(self->fd, self->r, "a"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(2, leases_lost(self->events, "", WEIR_LOST_HOLDER));
}

/* The roster is deleted before the owner ends, or after; the handle is closed in between. */
TEST_F(owner, deleted)
{
	pid_t pid = begin(self);

	ASSERT_EQ(0, object_delete(self->fd, self->r));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, leases_lost(self->events, "", 0));
}

/* Expired leases leave nothing with a holder that continues: many are made and expire. */
TEST_F(owner, holds_end)
{
	struct weir_op op;
	char key[32];

	for (int i = 0; i < scaled(5000); i++) {
		snprintf(key, sizeof(key), "key%d", i);
		ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, key, 0, 1)) {
			TH_LOG("claim %d", i);
		}
	}
	EXPECT_EQ(0, roster_stats(self->fd, self->r).members);
	EXPECT_EQ(scaled(5000), roster_stats(self->fd, self->r).expired);
	close(self->fd);
	self->fd = client_open(O_RDWR);
}

TEST_HARNESS_MAIN
