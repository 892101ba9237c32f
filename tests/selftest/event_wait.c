// SPDX-License-Identifier: GPL-2.0-only
/* event_wait - waiting for the next event: poll, a blocking read, and how they end */
#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
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

/* Fork a child that reads one event, blocking. Its exit status is the outcome. */
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
		/* in every other round the reader may not sleep yet */
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

	/* with SA_RESTART it continues to wait */
	pid = reader_fork(SA_RESTART);
	until_asleep(pid);
	kill(pid, SIGUSR1);
	until_asleep(pid);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(0, sum_create(self->fd, OURS "event-w", 1, &handle));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(128 + WEIR_EVENT_CREATED, WEXITSTATUS(status));

	/* SIGKILL ends it */
	pid = reader_fork(0);
	until_asleep(pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

/* A reader that sleeps gets old events when another process moves the file back with lseek(). */
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

/* lseek() wakes readers of the same file and no others. */
TEST_F(event, seek_wakes_no_other)
{
	int status;
	long before;
	__u32 handle;
	pid_t pid = reader_fork(0);

	until_asleep(pid);
	before = sleep_count(pid);
	ASSERT_LT(0, before);
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ((off_t)self->from, lseek(self->reader, self->from, SEEK_SET));
		until_asleep(pid);
	}
	EXPECT_EQ(before, sleep_count(pid));
	ASSERT_EQ(0, sum_create(self->fd, OURS "event-n", 1, &handle));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(128 + WEIR_EVENT_CREATED, WEXITSTATUS(status));
}

static bool trace_write(const char *file, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/%s", file);
	fd = open(path, O_WRONLY | O_APPEND);
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret == (int)strlen(text);
}

/* How often epoll was called back since the probe was set. */
static long wakes_counted(void)
{
	FILE *file = fopen("/sys/kernel/tracing/kprobe_profile", "r");
	char name[64];
	long hits, missed, found = -1;

	while (file && fscanf(file, "%63s %ld %ld", name, &hits, &missed) == 3)
		if (!strcmp(name, "wakes"))
			found = hits + missed;
	if (file)
		fclose(file);
	return found;
}

/*
 * The option record-cmd is off so that only ep_poll_callback is patched. With it, an enabled event
 * patches the scheduler too, and an emulated CPU that runs that code may take an int3 that is gone
 * by then.
 */
static bool wakes_count(void)
{
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	return trace_write("options/record-cmd", "0") &&
	       trace_write("kprobe_events", "p:weir/wakes ep_poll_callback") &&
	       trace_write("events/weir/wakes/enable", "1");
}

static void wakes_count_no_more(void)
{
	trace_write("events/weir/wakes/enable", "0");
	trace_write("kprobe_events", "-:weir/wakes");
}

#define POLLERS	1000
#define EMITS	1000

static int emit_one(int fd)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 1, .data = address("x") };

	return call(fd, WEIR_IOC_EMIT, &emit);
}

/* A client that polls for output only is not called for events until it polls for input. */
TEST_F(event, output_pollers_are_not_called)
{
	struct epoll_event ev = { .events = EPOLLOUT };
	struct rlimit limit = { 2 * POLLERS, 2 * POLLERS };
	int set = epoll_create1(0), fd[POLLERS];

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < POLLERS; i++) {
		fd[i] = client_open(O_RDWR);
		ASSERT_LE(0, fd[i]);
		ev.data.u32 = i;
		ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, fd[i], &ev));
	}
	EXPECT_EQ(0, epoll_wait(set, &ev, 1, 0));
	if (!wakes_count())
		SKIP(return, "no kprobes in this kernel");
	for (int i = 0; i < EMITS; i++)
		ASSERT_EQ(0, emit_one(self->fd));
	EXPECT_EQ(0, epoll_wait(set, &ev, 1, 300));
	EXPECT_EQ(0, wakes_counted());
	/* after EPOLL_CTL_MOD the reader is woken for earlier and for later events */
	ev.events = EPOLLIN;
	ev.data.u32 = 7;
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_MOD, fd[7], &ev));
	EXPECT_EQ(1, epoll_wait(set, &ev, 1, 0));
	EXPECT_EQ(7, ev.data.u32);
	ASSERT_EQ((off_t)info_get(fd[7]).event_next,
		  lseek(fd[7], info_get(fd[7]).event_next, SEEK_SET));
	EXPECT_EQ(0, epoll_wait(set, &ev, 1, 0));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, emit_one(self->fd));
		EXPECT_EQ(1, epoll_wait(set, &ev, 1, -1));
		EXPECT_EQ(7, ev.data.u32);
		lseek(fd[7], info_get(fd[7]).event_next, SEEK_SET);
		EXPECT_EQ(0, epoll_wait(set, &ev, 1, 0));
	}
	/* lseek() wakes too: two wake-ups for each round, and one for the first */
	EXPECT_GE(7, wakes_counted());
	wakes_count_no_more();
	for (int i = 0; i < POLLERS; i++)
		close(fd[i]);
	close(set);
}

/* Edge-triggered: each event is reported once, although the reader has not polled in between. */
TEST_F(event, edge_triggered)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int set = epoll_create1(0);
	struct record r;

	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, self->reader, &ev));
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, emit_one(self->fd));
		ASSERT_EQ(1, epoll_wait(set, &ev, 1, 10000));
		EXPECT_EQ(EPOLLIN, ev.events);
		/* leave every other event unread: the next one is reported all the same */
		if (i % 2)
			continue;
		while (!record_read(self->reader, &r))
			;
	}
	close(set);
}

TEST_HARNESS_MAIN
