// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder_cost - the cost of clients that hold something, for others and at their end
 *
 * A cost is a ratio of CPU time: of four times as many clients, or of as many open files of another
 * kind. A quadratic cost would show as a ratio of 16 and more. With WEIR_ICOUNT=1 the machine's
 * clock counts instructions, and so does CPU time. Otherwise the cases that compare costs are
 * skipped.
 */
#include "harness.h"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "gate.h"
#include "person.h"
#include "queued.h"
#include "verdict.h"

#define FEW	2000
#define MANY	(4 * FEW)
#define CYCLES	5000
#define OPENS	200
#define CROWD	4711	/* a user */
#define LATE	500000	/* ns: some runs of a timer that ends 64 requests each */

FIXTURE(cost) {
	int fd;
	__u32 gate;
};

FIXTURE_SETUP(cost)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1000000);
	struct rlimit files = { MANY + 100, MANY + 100 };

	objects_wipe();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
}

FIXTURE_TEARDOWN(cost)
{
	close(self->fd);
	objects_wipe();
}

static bool clock_counts(void)
{
	const char *icount = getenv("WEIR_ICOUNT");

	return icount && !strcmp(icount, "1");
}

/* CPU time of this process, or of its children that were waited for. */
static __u64 cpu_time(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (usage.ru_stime.tv_sec + usage.ru_utime.tv_sec) * 1000000ULL +
	       usage.ru_stime.tv_usec + usage.ru_utime.tv_usec;
}

/* Open @n clients that hold a permit each. Return: the descriptor of the first. */
static int holders(int n)
{
	int first = -1;

	for (int i = 0; i < n; i++) {
		__u32 gate;
		int fd = gate_enter(&gate);

		gate_take(fd, gate, 1);
		if (first < 0)
			first = fd;
	}
	return first;
}

static void close_all(int first, int n)
{
	if (syscall(SYS_close_range, first, first + n - 1, 0))
		abort();
}

/* Microseconds to close @n clients; the best of three runs. */
static __u64 closing(FIXTURE_DATA(cost) *self, int n)
{
	__u64 best = ~0ULL;

	for (int i = 0; i < 3; i++) {
		int first = holders(n);
		__u64 before = cpu_time(RUSAGE_SELF);

		close_all(first, n);
		before = cpu_time(RUSAGE_SELF) - before;
		best = before < best ? before : best;
		if (gate_in_use(self->fd, self->gate))
			abort();
	}
	return best + 1;
}

TEST_F_TIMEOUT(cost, closing_is_linear, 300)
{
	__u64 few, many;

	if (!clock_counts())
		SKIP(return, "the clock does not count instructions");
	few = closing(self, FEW);
	many = closing(self, MANY);
	TH_LOG("%d clients: %llu us, %d clients: %llu us", FEW, (unsigned long long)few,
	       MANY, (unsigned long long)many);
	EXPECT_GT(9 * few, many);
}

/* Microseconds of children that have all descriptors until they execute another program. */
static __u64 spawning(void)
{
	static char *const command[] = { "/bin/true", NULL };
	__u64 best = ~0ULL;

	for (int i = 0; i < 5; i++) {
		__u64 before = cpu_time(RUSAGE_CHILDREN);
		pid_t pid;

		if (posix_spawn(&pid, command[0], NULL, NULL, command, NULL))
			abort();
		waitpid(pid, NULL, 0);
		before = cpu_time(RUSAGE_CHILDREN) - before;
		best = before < best ? before : best;
	}
	return best + 1;
}

/* Starting a program costs the same with many clients open as with other files open. */
TEST_F_TIMEOUT(cost, spawn_beside_holders, 300)
{
	__u64 beside_files, beside_clients;
	int first;

	if (!clock_counts())
		SKIP(return, "the clock does not count instructions");
	first = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 1; i < MANY; i++)
		ASSERT_LE(0, open("/dev/null", O_RDONLY | O_CLOEXEC));
	beside_files = spawning();
	close_all(first, MANY);
	first = holders(MANY);
	beside_clients = spawning();
	TH_LOG("beside %d files: %llu us, beside %d clients: %llu us", MANY,
	       (unsigned long long)beside_files, MANY, (unsigned long long)beside_clients);
	EXPECT_EQ(MANY, gate_in_use(self->fd, self->gate));
	close_all(first, MANY);
	EXPECT_GT(4 * beside_files, beside_clients);
}

/* Microseconds to open and close the device many times; the best of three runs. */
static __u64 opening(void)
{
	__u64 best = ~0ULL;

	for (int i = 0; i < 3; i++) {
		__u64 before = cpu_time(RUSAGE_SELF);

		for (int n = 0; n < OPENS; n++)
			close(client_open(O_RDWR));
		before = cpu_time(RUSAGE_SELF) - before;
		best = before < best ? before : best;
	}
	return best + 1;
}

/* The upper bits of hash_32(): a table with 256 chains would have all these owners in one chain. */
static bool shares_roots_chain(__u32 owner)
{
	return !(owner * 0x61C88647U >> 24);
}

/* Open files keep the namespaces of many owners. This must not make another open() slower. */
TEST_F_TIMEOUT(cost, opening_beside_namespaces, 300)
{
	__u64 before, after;
	int first = -1, n = 0;

	if (!clock_counts())
		SKIP(return, "the clock does not count instructions");
	before = opening();
	for (__u32 owner = 1; n < MANY; owner++) {
		int fd;

		if (!shares_roots_chain(owner))
			continue;
		fd = client_open(O_RDWR);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, stream_choose(fd, owner));
		first = n++ ? first : fd;
	}
	after = opening();
	TH_LOG("%d opens: %llu us, beside %d namespaces: %llu us", OPENS,
	       (unsigned long long)before, MANY, (unsigned long long)after);
	close_all(first, MANY);
	EXPECT_GT(2 * before, after);
}

/* A file and a gate of another user. */
static int crowd_open(__u32 *busy)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	mode_t mode = device_chmod(0666);
	int fd;

	if (seteuid(CROWD))
		abort();
	fd = client_open(O_RDWR);
	if (seteuid(0) || fd < 0 || gate_create(fd, OURS "busy", &config, busy))
		abort();
	device_chmod(mode);
	gate_take(fd, *busy, 1);
	return fd;
}

/*
 * ns after its deadline at which a request is told, while @others of another user end, too. The
 * requests of one user have one timer.
 */
static __u64 deadline_late(FIXTURE_DATA(cost) *self, __u32 others)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	__u64 until = now_ns() + 10 * SECOND, told;
	__u32 busy, gate, handle;
	int fd = crowd_open(&busy), mine = client_open(O_RDWR);

	if (gate_create(self->fd, OURS "quiet", &config, &gate))
		abort();
	gate_take(self->fd, gate, 1);
	for (__u32 tag = 1; tag <= others; tag++)
		if (queue_as(fd, tag, busy, NULL, 1, until) != WEIR_QUEUED)
			abort();
	if (object_open(mine, WEIR_KIND_GATE, OURS "quiet", WEIR_RIGHT_USE, &handle) ||
	    queue(mine, handle, NULL, 1, until) != WEIR_QUEUED || !told_in(mine, 60000))
		abort();
	told = now_ns();
	if (collect(mine) != WEIR_LIMITED)
		abort();
	close(mine);
	if (object_delete(fd, busy) || object_delete(self->fd, gate) ||
	    handle_close(self->fd, gate))
		abort();
	close(fd);
	return told - until;
}

/* A request is reported in time, even if many requests of others end at the same moment. */
TEST_F_TIMEOUT(cost, deadlines_of_others, 300)
{
	__u64 alone, beside;

	if (!clock_counts())
		SKIP(return, "the clock does not count instructions");
	alone = deadline_late(self, 0);
	beside = deadline_late(self, MANY);
	TH_LOG("late by %llu ns, beside %d requests by %llu ns", (unsigned long long)alone,
	       MANY, (unsigned long long)beside);
	EXPECT_GT(alone + LATE, beside);
}

/* kB of slab memory that the kernel cannot reclaim. */
static long slab(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (fgets(line, sizeof(line), file))
		sscanf(line, "SUnreclaim: %ld", &kb);
	fclose(file);
	return kb;
}

static void make_use_and_delete(FIXTURE_DATA(cost) *self, int client)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	__u32 gate, mine;

	if (gate_create(self->fd, OURS "brief", &config, &gate) ||
	    object_open(client, WEIR_KIND_GATE, OURS "brief", WEIR_RIGHT_USE, &mine))
		abort();
	gate_take(client, mine, 1);
	/* the holder has closed its handle before the gate is deleted */
	if (handle_close(client, mine) || object_delete(self->fd, gate) ||
	    handle_close(self->fd, gate))
		abort();
}

/* A client that uses objects that are then deleted keeps no memory for them. */
TEST_F_TIMEOUT(cost, deleted_objects_leave_nothing, 300)
{
	const char *kernel = getenv("WEIR_KERNEL");
	long before, after = 0;
	int client = client_open(O_RDWR);

	if (kernel && !strcmp(kernel, "debug"))
		SKIP(return, "what is freed stays in quarantine");
	for (int i = 0; i < CYCLES / 10; i++)
		make_use_and_delete(self, client);
	sleep(2);
	before = slab();
	for (int i = 0; i < CYCLES; i++)
		make_use_and_delete(self, client);
	/* a worker frees them */
	for (int i = 0; i < 40; i++) {
		usleep(250000);
		after = slab();
		if (after - before < 2048)
			break;
	}
	TH_LOG("%ld kB before, %ld kB after %d gates", before, after, CYCLES);
	EXPECT_GT(2048, after - before);
	close(client);
}

TEST_HARNESS_MAIN
