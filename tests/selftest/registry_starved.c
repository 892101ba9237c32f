// SPDX-License-Identifier: GPL-2.0-only
/*
 * registry_starved - users that get no CPU time delay no open(), CREATE or DELETE of others
 *
 * Processes of other users open the device, create and delete objects, each in a cgroup that may
 * run for 1 ms per second. They are throttled anywhere; with preempt=full also while they hold a
 * lock that all users take. With a mutex there, which one throttled waiter handed to the next, one
 * CREATE took 29 s; with that of misc devices, one open() took 6 s.
 */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"
#include "person.h"
#include "verdict.h"

#define GROUP		"/sys/fs/cgroup/weir-registry-%d"
#define OTHERS		24
#define FIRST_USER	4700
#define SECONDS		8
#define PERIOD		SECOND	/* period of the cgroups */

FIXTURE(registry_starved) {
	mode_t device;
	pid_t pid[OTHERS];
};

static int group_put(int i, const char *file, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), GROUP "/%s", i, file);
	f = fopen(path, "w");
	if (!f)
		return -1;
	return (fputs(text, f) < 0) | fclose(f);
}

static __u64 longer(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* Perform open(), CREATE, DELETE and close(). Return: the longest time of the first three. */
static __u64 object_cycle(const char *name)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SEQUENCE };
	__u64 begun = now_ns(), opened, created, deleted;
	int fd = client_open(O_RDWR);
	__u32 handle;

	opened = now_ns();
	if (fd < 0 || object_create(fd, WEIR_KIND_COUNTER, name, &config, &handle))
		abort();
	created = now_ns();
	if (object_delete(fd, handle))
		abort();
	deleted = now_ns();
	close(fd);
	return longer(opened - begun, longer(created - opened, deleted - created));
}

static void other_run(int i)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", getpid());
	if (group_put(i, "cgroup.procs", text) ||
	    person_become(FIRST_USER + i, FIRST_USER + i))
		abort();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		object_cycle(OURS "other");
}

FIXTURE_SETUP(registry_starved)
{
	FILE *control = fopen("/sys/fs/cgroup/cgroup.subtree_control", "w");
	char path[128];

	objects_wipe();
	if (control && (fputs("+cpu", control) < 0) | fclose(control))
		SKIP(return, "no cpu cgroups");
	for (int i = 0; i < OTHERS; i++) {
		snprintf(path, sizeof(path), GROUP, i);
		rmdir(path);
		if (mkdir(path, 0755) || group_put(i, "cpu.max", "1000 1000000"))
			SKIP(return, "no cpu cgroups");
	}
	self->device = device_chmod(0666);
	for (int i = 0; i < OTHERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			other_run(i);
	}
}

FIXTURE_TEARDOWN(registry_starved)
{
	char path[128];

	for (int i = 0; i < OTHERS; i++) {
		/* without a limit the process dies sooner */
		group_put(i, "cpu.max", "max");
		if (self->pid[i] > 0)
			kill(self->pid[i], SIGKILL);
	}
	for (int i = 0; i < OTHERS; i++) {
		if (self->pid[i] > 0)
			waitpid(self->pid[i], NULL, 0);
		snprintf(path, sizeof(path), GROUP, i);
		rmdir(path);
	}
	if (self->device)
		device_chmod(self->device);
	objects_wipe();
}

static void creates_in_time(struct __test_metadata *_metadata)
{
	__u64 until = now_ns() + SECONDS * SECOND, longest = 0;
	unsigned int cycles = 0;

	for (; now_ns() < until; cycles++) {
		longest = longer(longest, object_cycle(OURS "mine"));
		usleep(1000);
	}
	TH_LOG("%u cycles, longest %llu us", cycles, (unsigned long long)longest / 1000);
	EXPECT_LT(0, cycles);
	EXPECT_GT(PERIOD, longest);
}

/* Starved users do not delay the open(), CREATE and DELETE of another user... */
TEST_F(registry_starved, another_user)
{
	ASSERT_EQ(0, syscall(SYS_setresuid, -1, FIRST_USER - 1, -1));
	creates_in_time(_metadata);
	ASSERT_EQ(0, syscall(SYS_setresuid, -1, 0, -1));
}

/* ...nor those of root, whose objects have sysfs folders too. */
TEST_F(registry_starved, root)
{
	creates_in_time(_metadata);
}

TEST_HARNESS_MAIN
