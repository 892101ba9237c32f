// SPDX-License-Identifier: LGPL-2.1-or-later
/* Clients of the library across fork(), and in any order of closing. */

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define PERMITS	10

static struct weir *own;
static struct weir_gate *gate;

static uint32_t held(void)
{
	struct weir_gate_answer answer;

	return weir_gate_state(gate, NULL, &answer) < 0 ? 99 : answer.held;
}

static uint64_t in_use(void)
{
	struct weir_gate_stats stats = { .size = sizeof(stats) };

	return weir_gate_get_stats(gate, &stats) < 0 ? 99 : stats.in_use;
}

/* Run @life in a child. Return: its exit status. */
static int in_child(int (*life)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(life());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The child has the handle under the same number, and holds nothing. */
static int looks(void)
{
	if (held() != 0 || weir_gate_release(gate, NULL, 1, NULL) == 0 || errno != ENOENT)
		return 1;
	if (weir_gate_try(gate, NULL, 2, NULL) != WEIR_ALLOWED || held() != 2)
		return 2;
	if (!(fcntl(weir_fd(own), F_GETFD) & FD_CLOEXEC))
		return 3;
	return in_use() == 5 ? 42 : 4;
}

/* A child of the child is a client too. */
static int looks_by_a_child(void)
{
	if (weir_gate_try(gate, NULL, 3, NULL) != WEIR_ALLOWED)
		return 1;
	/* 3 held by the first client, 3 by this one, and 2 by its child */
	return in_child(looks) == 4 && held() == 3 && in_use() == 6 ? 42 : 2;
}

/* If the child cannot duplicate the client, calls fail with EBADF in the child. */
static int has_no_room(void)
{
	if (weir_gate_state(gate, NULL, NULL) == 0 || errno != EBADF)
		return 1;
	if (weir_gate_release(gate, NULL, 1, NULL) == 0 || errno != EBADF)
		return 2;
	return weir_fd(own) == -1 ? 42 : 3;
}

static int in_child_without_room(void)
{
	struct rlimit before, none;
	int ret;

	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	ret = in_child(has_no_room);
	setrlimit(RLIMIT_NOFILE, &before);
	return ret;
}

/* A child that outlives its parent does not keep the permits of the parent's client. */
static void test_survivor(void)
{
	struct weir *other = weir_open(0);
	struct weir_gate *same = weir_gate_open(other, "lib.fork", WEIR_RIGHT_USE);
	int end[2];
	pid_t pid;

	if (pipe(end))
		return;
	ok(weir_gate_try(same, NULL, 4, NULL) == WEIR_ALLOWED && in_use() == 7,
	   "another client acquires permits");
	pid = fork();
	if (!pid) {
		char byte;

		close(end[1]);
		_exit(read(end[0], &byte, 1));
	}
	weir_gate_close(same);
	weir_close(other);
	ok(in_use() == 3, "its permits come back when it is closed, although a child continues");
	close(end[1]);
	close(end[0]);
	waitpid(pid, NULL, 0);
}

static void test_tags(void)
{
	ok(weir_tag_set(7) == 0 && held() == 0, "another tag holds nothing");
	ok(weir_gate_try(gate, NULL, 5, NULL) == WEIR_ALLOWED && held() == 5,
	   "another tag acquires permits of its own");
	ok(weir_gate_acquire(gate, NULL, 6, WEIR_NEVER, NULL) < 0 && errno == EDEADLK,
	   "a request that would wait for its own holder fails with EDEADLK");
	ok(weir_tag_set(0) == 7 && held() == 3, "the first tag still has its permits");
	ok(weir_tag_drop(own, 7) == 0 && in_use() == 3, "dropping the tag releases its permits");
}

/* Close the client before its object. Another file gets the client's descriptor number. */
static void test_order(void)
{
	struct weir *first = weir_open(0), *second;
	struct weir_gate *of_first = weir_gate_open(first, "lib.fork", WEIR_RIGHT_ALL);
	struct weir_gate *of_second;

	weir_close(first);
	second = weir_open(0);
	of_second = weir_gate_open(second, "lib.fork", WEIR_RIGHT_ALL);
	ok(weir_gate_state(of_first, NULL, NULL) == 0, "an object outlives weir_close()");
	weir_gate_close(of_first);
	ok(weir_gate_state(of_second, NULL, NULL) == 0,
	   "closing an object does not close a handle of another client");
	weir_close(second);
	weir_gate_close(of_second);
}

void test_fork(void)
{
	struct weir_gate_config config = { .size = sizeof(config), .permits = PERMITS };

	own = weir_open(0);
	gate = weir_gate_create(own, "lib.fork", &config, 0600);
	ok(gate && weir_gate_try(gate, NULL, 3, NULL) == WEIR_ALLOWED,
	   "a gate is created and acquired");
	ok(in_child(looks) == 42, "a child of fork() is a client of its own");
	ok(held() == 3 && in_use() == 3, "the child's permits come back, and the parent's stay");
	ok(in_child(looks_by_a_child) == 42, "a child of a child is a client of its own");
	ok(held() == 3 && in_use() == 3, "the permits of both children come back");
	ok(in_child_without_room() == 42, "without free descriptors a child has no client");
	ok(held() == 3 && in_use() == 3, "the parent keeps its permits");
	test_survivor();
	test_tags();
	test_order();
	ok(weir_gate_delete(gate) == 0, "the gate is deleted");
	weir_close(own);
	weir_gate_close(gate);
}
