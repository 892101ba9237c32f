// SPDX-License-Identifier: GPL-2.0-only
/* charge - memory that the kernel keeps for a user is charged to the user's memory cgroup */
#include "harness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "person.h"
#include "sample.h"

#define CGROUP	"/sys/fs/cgroup/weir-charge"
#define USER	4601
#define MANY	1000
#define KIB	1024LL
/* statistics are not current, and other tasks allocate memory too */
#define SLACK	(1024 * KIB)

FIXTURE(charge) {
	mode_t device;
	bool ready;
};

FIXTURE_SETUP(charge)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->ready = !text_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory") &&
		      (!mkdir(CGROUP, 0755) || errno == EEXIST);
}

FIXTURE_TEARDOWN(charge)
{
	objects_wipe();
	device_chmod(self->device);
	for (int tries = 0; self->ready && rmdir(CGROUP) && tries < 100; tries++)
		usleep(100000);
}

/* The number after @name in a file with lines "NAME NUMBER". */
static long long number_of(const char *path, const char *name)
{
	FILE *file = fopen(path, "r");
	long long number, found = -1;
	char line[64];

	while (file && found < 0 && fscanf(file, "%63s %lld%*[^\n]", line, &number) == 2)
		if (!strcmp(line, name))
			found = number;
	if (file)
		fclose(file);
	if (found < 0)
		abort();
	return found;
}

/* Bytes of the machine's memory in kernel objects and per-CPU data. */
static long long in_machine(void)
{
	return KIB * (number_of("/proc/meminfo", "Slab:") +
		      number_of("/proc/meminfo", "Percpu:"));
}

static long long in_cgroup(void)
{
	/* statistics are flushed every two seconds */
	sleep(3);
	return number_of(CGROUP "/memory.stat", "kernel");
}

/* Make counters with the maximum number of fields. */
static int make_counters(void *arg)
{
	int fd = client_open(O_RDWR);
	__u32 handle;
	int ret = 0;

	(void)arg;
	for (int i = 0; i < MANY && !ret; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "charge-%d", i);
		ret = sum_create(fd, name, WEIR_FIELDS_MAX, &handle) ?:
		      handle_close(fd, handle);
	}
	return ret;
}

static int make_in_cgroup(uid_t uid)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (text_write(CGROUP "/cgroup.procs", "0") || person_become(uid, uid))
			_exit(1);
		_exit(-make_counters(NULL));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(charge, counters)
{
	long long machine, cgroup;

	if (!self->ready)
		SKIP(return, "no memory cgroups");
	/* KASAN keeps freed objects, and its records of allocations are charged to no cgroup */
	if (getenv("WEIR_KERNEL") && !strcmp(getenv("WEIR_KERNEL"), "debug"))
		SKIP(return, "memory use cannot be measured with KASAN");
	/* allocations that are made once, at first use */
	ASSERT_EQ(0, person_run(USER, USER, make_counters, NULL));
	objects_wipe();
	cgroup = in_cgroup();
	machine = in_machine();
	ASSERT_EQ(0, make_in_cgroup(USER));
	cgroup = in_cgroup() - cgroup;
	machine = in_machine() - machine;
	printf("# %lld KiB are charged of %lld KiB that the machine has less\n", cgroup / KIB,
	       machine / KIB);
	/* at least the names and values of 64 fields each */
	EXPECT_LE(MANY * WEIR_FIELDS_MAX * 8, cgroup);
	EXPECT_LE(machine - SLACK, cgroup);
	/* these counters have no files in sysfs */
	EXPECT_NE(0, access("/sys/kernel/weir/counters/" OURS "charge-0", F_OK));
}

TEST_HARNESS_MAIN
