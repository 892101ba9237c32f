// SPDX-License-Identifier: GPL-2.0-only
/* prefix_wait - WEIR_SET_PREFIX: what becomes of those who wait for a key cut anew */
#include "prefix.h"

#include <signal.h>
#include <sys/wait.h>

#define WAIT	(50 * DAY)	/* longer than any test */

/* A child that waits for @n tokens; its exit status is the verdict, 99 without one. */
static pid_t waiter(FIXTURE_DATA(prefix) *self, __s64 n, struct ip ip)
{
	struct weir_op op = op_make(WEIR_OP_RESERVE, self->l, n);
	pid_t pid = fork();

	if (pid)
		return pid;
	op_key(&op, ip.bytes, ip.len);
	op.arg = now_ns() + WAIT;
	_exit(op_run(self->fd, &op) ? 99 : (int)op.verdict);
}

static int verdict_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until @n tokens of a key that has none are waited for: they and one more take long. */
static void until_queued(FIXTURE_DATA(prefix) *self, unsigned int n, struct ip ip)
{
	while (peek(self, ip).retry_after < (n + 1) * TENTH - HOUR)
		usleep(1000);
}

/* Who waits comes back at the end of the queue of what is his key then. */
TEST_F(prefix, waiters_wait_for_the_merged_key)
{
	pid_t pid[4], other;

	for (__u8 host = 0; host < 4; host++) {
		spend(self, 10, v4(1, host));
		pid[host] = waiter(self, 1, v4(1, host));
		until_queued(self, 1, v4(1, host));
	}
	spend(self, 10, v6(1, 1, 1));
	other = waiter(self, 2, v6(1, 1, 1));
	until_queued(self, 2, v6(1, 1, 1));
	ASSERT_EQ(0, set(self, 24, 64));
	until_queued(self, 4, v4(1, 99));
	until_queued(self, 2, v6(1, 1, 1));
	EXPECT_EQ(2, keys(self));
	/* tokens of any address of the block are theirs, each gets one */
	run(self, WEIR_OP_REFUND, 4, v4(1, 200));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(WEIR_ALLOWED, verdict_of(pid[i]));
	EXPECT_TRUE(has(self, v4(1, 1), 0, 0, 0));
	run(self, WEIR_OP_REFUND, 3, v6(1, 1, 1));
	EXPECT_EQ(WEIR_ALLOWED, verdict_of(other));
	EXPECT_TRUE(has(self, v6(1, 1, 1), 1, 0, 0));
}

/* A key that is forgotten has all its tokens: who waited for it has waited enough. */
TEST_F(prefix, waiters_of_a_split_key_are_served)
{
	struct weir_op op;
	pid_t pid[3];

	ASSERT_EQ(0, set(self, 24, 64));
	spend(self, 10, v4(1, 1));
	for (int i = 0; i < 3; i++) {
		pid[i] = waiter(self, 4, v4(1, i));
		until_queued(self, 4 * (i + 1), v4(1, 1));
	}
	ASSERT_EQ(0, set(self, 32, 64));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(WEIR_ALLOWED, verdict_of(pid[i]));
	for (int i = 0; i < 3; i++) {
		op = peek(self, v4(1, i));
		EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 6, 0, 0));
	}
	EXPECT_EQ(3, keys(self));
}

/* Killed after it has moved to another queue: that is as short as it was. */
TEST_F(prefix, moved_waiters_can_be_killed)
{
	pid_t pid[3];

	for (int round = 0; round < 3; round++) {
		spend(self, 10, v4(1, 1));
		for (int i = 0; i < 3; i++) {
			pid[i] = waiter(self, 2, v4(1, 1));
			until_queued(self, 2 * (i + 1), v4(1, 1));
		}
		ASSERT_EQ(0, set(self, 24, 64));
		until_queued(self, 6, v4(1, 2));
		/* the one that came first, who made the queue, and so on */
		kill(pid[round], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, verdict_of(pid[round]));
		while (peek(self, v4(1, 1)).retry_after > 6 * TENTH)
			usleep(1000);
		run(self, WEIR_OP_REFUND, 10, v4(1, 2));
		for (int i = 0; i < 3; i++)
			if (i != round)
				EXPECT_EQ(WEIR_ALLOWED, verdict_of(pid[i]));
		EXPECT_TRUE(has(self, v4(1, 1), 6, 0, 0));
		ASSERT_EQ(0, set(self, 32, 64));
		EXPECT_EQ(0, keys(self));
	}
}

TEST_HARNESS_MAIN
