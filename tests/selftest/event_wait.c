// SPDX-License-Identifier: GPL-2.0-only
/* event_wait - waiting for the next event: poll, a blocking read, and what ends them */
#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "asleep.h"
#include "event.h"

TEST_F(event, poll)
{
	struct pollfd p = { .fd = self->reader, .events = POLLIN };
	struct record r;
	__u32 handle;

	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, sum_create(self->fd, OURS "event-q", 1, &handle));
	EXPECT_EQ(1, poll(&p, 1, -1));
	EXPECT_EQ(POLLIN, p.revents);
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_EQ(0, poll(&p, 1, 0));
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

/* Fork a child that reads one event, blocking; its exit status says which. */
static pid_t reader_fork_with(int fd, int sa_flags)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = sa_flags };
	struct record r;
	pid_t pid = fork();
	int ret;

	if (pid)
		return pid;
	sigaction(SIGUSR1, &action, NULL);
	ret = record_read(fd, &r);
	_exit(ret ? -ret : 128 + (int)r.event.type);
}

static pid_t reader_fork(int sa_flags)
{
	int fd = client_open(O_RDONLY);
	pid_t pid = reader_fork_with(fd, sa_flags);

	close(fd);
	return pid;
}

TEST_F(event, blocking_read_is_woken)
{
	__u32 handle;
	int status;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		pid = reader_fork(0);
		/* every other time it may not be asleep yet */
		if (i % 2)
			until_asleep(pid);
		ASSERT_EQ(0, sum_create(self->fd, OURS "event-w", 1, &handle));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(128 + WEIR_EVENT_CREATED, WEXITSTATUS(status));
		ASSERT_EQ(0, object_delete(self->fd, handle));
	}
}

TEST_F(event, blocking_read_and_signals)
{
	__u32 handle;
	int status;
	pid_t pid = reader_fork(0);

	until_asleep(pid);
	kill(pid, SIGUSR1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EINTR, WEXITSTATUS(status));

	/* with SA_RESTART it keeps waiting */
	pid = reader_fork(SA_RESTART);
	until_asleep(pid);
	kill(pid, SIGUSR1);
	until_asleep(pid);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(0, sum_create(self->fd, OURS "event-w", 1, &handle));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(128 + WEIR_EVENT_CREATED, WEXITSTATUS(status));

	/* and SIGKILL ends it */
	pid = reader_fork(0);
	until_asleep(pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

/* A reader that sleeps gets old events when another process seeks the file back. */
TEST_F(event, seek_wakes_a_reader)
{
	int fd = client_open(O_RDONLY), status;
	__u32 handle;
	pid_t pid;

	ASSERT_EQ(0, sum_create(self->fd, OURS "event-s", 1, &handle));
	ASSERT_LE(0, lseek(fd, info_get(fd).event_next, SEEK_SET));
	pid = reader_fork_with(fd, 0);
	until_asleep(pid);
	ASSERT_EQ((off_t)self->from, lseek(fd, self->from, SEEK_SET));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(128 + WEIR_EVENT_CREATED, WEXITSTATUS(status));
	close(fd);
}

TEST_HARNESS_MAIN
