// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve_starved - a waiter that gets no CPU time delays no other waiter
 *
 * One process waits for the same key as others. It is in a cgroup that may use 0.2 % of a CPU, all
 * of which another process there uses up. The tokens that the key gives, and their order, must not
 * depend on it.
 */
#include "harness.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "asleep.h"
#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define MS		1000000ULL
#define GROUP		"/sys/fs/cgroup/weir-starved"
#define OTHERS		4
#define RATE		100	/* tokens per second */
#define SECONDS		5

struct shared {
	_Atomic bool over;
	_Atomic __u64 served[OTHERS + 1];	/* the last element is the starved process */
	_Atomic __u64 longest;			/* longest wait of another process, ns */
	_Atomic int failed;
	__u64 remaining[OTHERS + 1];
	long sleeps[OTHERS + 1];
};

FIXTURE(reserve_starved) {
	int fd;
	__u32 l;
	struct shared *shared;
	pid_t pid[OTHERS + 1];
	pid_t burner;
};

static int text_put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -1;
	return (fputs(text, file) < 0) | fclose(file);
}

static void starve(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	if (text_put(GROUP "/cgroup.procs", text)) {
		printf("# cannot enter the cgroup\n");
		abort();
	}
}

FIXTURE_SETUP(reserve_starved)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->shared = shared_memory(sizeof(*self->shared));
	text_put("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	rmdir(GROUP);
	if (mkdir(GROUP, 0755) || text_put(GROUP "/cpu.max", "1000 500000"))
		SKIP(return, "no cpu cgroups");
	self->burner = fork();
	if (!self->burner) {
		starve(getpid());
		for (;;)
			;
	}
}

FIXTURE_TEARDOWN(reserve_starved)
{
	if (self->burner > 0) {
		kill(self->burner, SIGKILL);
		waitpid(self->burner, NULL, 0);
	}
	rmdir(GROUP);
	close(self->fd);
	objects_wipe();
}

static int reserve(int fd, __u32 l, struct weir_op *op, __u64 wait)
{
	__u64 key = 1;

	return number_run(fd, op, WEIR_OP_RESERVE, l, &key, 1, now_ns() + wait);
}

static void serve_loop(FIXTURE_DATA(reserve_starved) *self, int me)
{
	struct shared *s = self->shared;
	struct weir_op op;
	__u64 since, took;

	if (me == OTHERS)
		starve(getpid());
	while (!s->over) {
		since = now_ns();
		if (reserve(self->fd, self->l, &op, 60 * SECOND) ||
		    op.verdict != WEIR_ALLOWED)
			s->failed = 1;
		s->served[me]++;
		took = now_ns() - since;
		if (me != OTHERS && took > s->longest)
			s->longest = took;
	}
	_exit(0);
}

static __u64 allowed(FIXTURE_DATA(reserve_starved) *self)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, self->l, &stats))
		abort();
	return stats.allowed;
}

/* As many are served as the rate allows, or one fewer. */
TEST_F(reserve_starved, full_rate)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u64 key = 1, before, after, begun, ended;

	config.tokens = RATE;
	config.period = SECOND;
	/* the machine may stall for that long without losing tokens */
	config.burst = RATE;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "starved", &config, &self->l));
	ASSERT_EQ(0, number_run(self->fd, &op, WEIR_OP_CHECK, self->l, &key, RATE, 0));
	for (int i = 0; i <= OTHERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			serve_loop(self, i);
	}
	sleep(1);
	begun = now_ns();
	before = allowed(self);
	sleep(SECONDS);
	after = allowed(self);
	ended = now_ns();
	self->shared->over = true;
	for (int i = 0; i <= OTHERS; i++)
		waitpid(self->pid[i], NULL, 0);
	__u64 due = (ended - begun) * RATE / SECOND;

	printf("# %llu served, %llu due; starved one %llu; longest wait of others %llu ms\n",
	       (unsigned long long)(after - before), (unsigned long long)due,
	       (unsigned long long)self->shared->served[OTHERS],
	       (unsigned long long)(self->shared->longest / MS));
	EXPECT_EQ(0, self->shared->failed);
	EXPECT_LE(due - 1, after - before);
	EXPECT_GE(due + 1, after - before);
	EXPECT_LT(0, self->shared->served[OTHERS]);
}

static void wait_once(FIXTURE_DATA(reserve_starved) *self, int me)
{
	struct rusage was, is;
	struct weir_op op;

	getrusage(RUSAGE_SELF, &was);
	if (reserve(self->fd, self->l, &op, 60 * SECOND) || op.verdict != WEIR_ALLOWED)
		self->shared->failed = 1;
	getrusage(RUSAGE_SELF, &is);
	self->shared->remaining[me] = op.remaining;
	self->shared->sleeps[me] = is.ru_nvcsw - was.ru_nvcsw;
	_exit(0);
}

/* The starved waiter came first and is served first. Each waiter is woken once. */
TEST_F(reserve_starved, order)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u64 key = 1;

	config.algorithm = WEIR_ALGORITHM_WINDOW;
	config.tokens = 10;
	config.period = 4 * SECOND;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "starved", &config, &self->l));
	ASSERT_EQ(0, number_run(self->fd, &op, WEIR_OP_CHECK, self->l, &key, 10, 0));
	for (int i = 0; i <= OTHERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			wait_once(self, i);
		until_asleep(self->pid[i]);
		if (!i)
			starve(self->pid[i]);
	}
	for (int i = OTHERS; i >= 0; i--) {
		waitpid(self->pid[i], NULL, 0);
		if (i == 1)
			kill(self->burner, SIGKILL);
	}
	EXPECT_EQ(0, self->shared->failed);
	for (int i = 0; i <= OTHERS; i++) {
		EXPECT_EQ(9 - i, self->shared->remaining[i]);
		EXPECT_EQ(1, self->shared->sleeps[i]);
	}
}

TEST_HARNESS_MAIN
