// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi - calls by other kernel modules, in process and softirq context
 *
 * tests/kmod/sample.c is such a module. In a run every CPU checks the same keys, and the sums of
 * the answers must be exact.
 */
#include "harness.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"
#include "gate.h"
#include "person.h"
#include "sample.h"
#include "slab.h"

#define NAME		OURS "kapi"
#define BURST		10	/* the burst in limiter_config() */
/* one character too long */
#define LONG_NAME	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

FIXTURE(kapi) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
	bool ready;
	long cpus;
};

static unsigned long long number_read(const char *path)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "r");

	if (!file || fscanf(file, "%llu", &number) != 1) {
		printf("# cannot read %s\n", path);
		abort();
	}
	fclose(file);
	return number;
}

static int limiter_make(FIXTURE_DATA(kapi) *self)
{
	return limiter_create(self->fd, NAME, &self->config, &self->l) ?:
	       sample_get("limiter", NAME);
}

FIXTURE_SETUP(kapi)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	self->ready = getenv("WEIR_MODULES");
}

FIXTURE_TEARDOWN(kapi)
{
	if (self->ready)
		EXPECT_EQ(0, sample_reset());
	close(self->fd);
	objects_wipe();
}

static struct weir_limiter_stats totals(FIXTURE_DATA(kapi) *self)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, self->l, &stats))
		abort();
	return stats;
}

/* The totals of the limiter equal the verdicts that the module got. */
static bool agree(const struct sums *s, const struct weir_limiter_stats *stats)
{
	return s->allowed == stats->allowed && s->limited == stats->limited &&
	       s->banned == stats->banned && s->full == stats->full;
}

TEST_F(kapi, names)
{
	char name[WEIR_NAME_SIZE];

	NEEDS_MODULE();
	EXPECT_EQ(-ENOENT, sample_get("limiter", NAME));
	EXPECT_EQ(-EINVAL, sample_get("limiter", "-" NAME));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	EXPECT_EQ(-ENOENT, sample_get("limiter", name));
	EXPECT_EQ(-EINVAL, sample_get("limiter", LONG_NAME));
	ASSERT_EQ(0, limiter_create(self->fd, name, &self->config, &self->l));
	EXPECT_EQ(0, sample_get("limiter", name));
	EXPECT_EQ(0, object_delete(self->fd, self->l));
	/* a counter of that name is not a limiter */
	ASSERT_EQ(0, sum_create(self->fd, NAME, 1, &self->l));
	EXPECT_EQ(-ENOENT, sample_get("limiter", NAME));
}

#define USER	4601

/* Create one object of each kind that modules can use, as the current user. */
static int one_of_each(void *arg)
{
	struct weir_limiter_config limiter = limiter_config(WEIR_KEY_U64);
	struct weir_gate_config gate = gate_config(WEIR_KEY_U64, 100);
	int fd = client_open(O_RDWR);
	__u32 handle;

	(void)arg;
	limiter.burst = limiter.tokens = 100;
	gate.max_keys = 100;
	return limiter_create(fd, NAME, &limiter, &handle) ?:
	       gate_create(fd, NAME, &gate, &handle) ?: sum_create(fd, NAME, 1, &handle);
}

static __u64 allowed_of(int fd, __u32 owner)
{
	struct weir_limiter_stats stats;
	__u32 handle;

	if (object_open_of(fd, owner, WEIR_KIND_LIMITER, NAME, WEIR_RIGHT_OBSERVE, &handle) ||
	    stats_get(fd, handle, &stats))
		abort();
	return stats.allowed;
}

/* A module does not find an object of another user, and such an object does not hide root's. */
TEST_F(kapi, roots_objects_only)
{
	static const char *const kinds[] = { "limiter", "gate", "counter" };
	mode_t device = device_chmod(0666);

	NEEDS_MODULE();
	EXPECT_EQ(0, person_run(USER, USER, one_of_each, NULL));
	device_chmod(device);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(-ENOENT, sample_get(kinds[i], NAME));
	ASSERT_EQ(0, one_of_each(NULL));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(0, sample_get(kinds[i], NAME));
	ASSERT_EQ(0, sample_run("process", 0, 1, 10, 1));
	EXPECT_EQ(10 * self->cpus, sums_get().allowed);
	EXPECT_EQ(10 * self->cpus, allowed_of(self->fd, 0));
	EXPECT_EQ(0, allowed_of(self->fd, USER));
	/* after root's object is deleted, the name is not found */
	EXPECT_EQ(0, object_remove(self->fd, WEIR_KIND_LIMITER, NAME));
	EXPECT_EQ(-ENOENT, sample_get("limiter", NAME));
	EXPECT_EQ(0, allowed_of(self->fd, USER));
}

/* All CPUs check new keys in both contexts: together they get exactly the burst of each key. */
TEST_F(kapi, burst_is_exact)
{
	enum { KEYS = 200, ROUNDS = 10 };
	struct weir_limiter_stats stats;
	struct sums s;

	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, sample_run("both", 0, KEYS, ROUNDS, 1));
	s = sums_get();
	stats = totals(self);
	EXPECT_EQ(KEYS * BURST, s.allowed);
	EXPECT_EQ(KEYS * (2 * self->cpus * ROUNDS - BURST), s.limited);
	EXPECT_EQ(KEYS * ROUNDS * self->cpus, s.in_softirq);
	EXPECT_EQ(0, s.other);
	EXPECT_EQ(KEYS, stats.keys);
	EXPECT_TRUE(agree(&s, &stats));
}

/* The candidate sees checks by modules, and creates its entries in softirq context too. */
TEST_F(kapi, candidate)
{
	enum { KEYS = 200, ROUNDS = 10, HALF = 4 };
	struct weir_limiter_config config = self->config;
	struct weir_limiter_stats stats;
	struct sums s;
	__u32 its;

	NEEDS_MODULE();
	config.burst = HALF;
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, limiter_create(self->fd, NAME "-candidate", &config, &its));
	strcpy(config.candidate, NAME "-candidate");
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_CANDIDATE, &config));
	ASSERT_EQ(0, sample_run("both", 0, KEYS, ROUNDS, 1));
	s = sums_get();
	EXPECT_EQ(KEYS * BURST, s.allowed);
	EXPECT_EQ(KEYS * (2 * self->cpus * ROUNDS - BURST), s.limited);
	EXPECT_EQ(0, s.other);
	ASSERT_EQ(0, stats_get(self->fd, its, &stats));
	EXPECT_EQ(KEYS * HALF, stats.allowed);
	EXPECT_EQ(2 * KEYS * ROUNDS * self->cpus,
		  stats.allowed + stats.limited + stats.missed);
	EXPECT_EQ(KEYS, stats.keys);
	/* without a comparison for each check, the flags prove nothing */
	if (!stats.missed)
		EXPECT_EQ(KEYS * (BURST - HALF), stats.stricter - stats.looser);
}

TEST_F(kapi, cost)
{
	struct sums s;

	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, sample_run("both", 0, 100, 5, 3));
	s = sums_get();
	EXPECT_EQ(100 * (BURST / 3), s.allowed);
	ASSERT_EQ(0, sample_run("both", 0, 100, 5, 0));
	s = sums_get();
	EXPECT_EQ(100 * 5 * 2 * self->cpus, s.einval);
	ASSERT_EQ(0, sample_run("softirq", 500, 100, 1, BURST + 1));
	s = sums_get();
	EXPECT_EQ(100 * self->cpus, s.limited);
	EXPECT_EQ(100, totals(self).keys);
}

/* Softirqs create entries, up to the cap and not one more. */
TEST_F(kapi, cap_is_exact)
{
	struct weir_limiter_stats stats;
	struct sums s;

	NEEDS_MODULE();
	self->config.max_keys = 100;
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, sample_run("softirq", 0, 300, 20, 1));
	s = sums_get();
	stats = totals(self);
	EXPECT_EQ(100, stats.keys);
	EXPECT_EQ(100 * BURST, s.allowed);
	EXPECT_EQ(100 * (20 * self->cpus - BURST), s.limited);
	EXPECT_EQ(200 * 20 * self->cpus, s.full);
	EXPECT_TRUE(agree(&s, &stats));
}

/* A full table of idle keys has room for new keys, in softirq context too. */
TEST_F(kapi, idle_keys_make_room)
{
	enum { KEYS = 64 };

	NEEDS_MODULE();
	self->config.max_keys = KEYS;
	self->config.tokens = 1000;
	self->config.period = SECOND;
	ASSERT_EQ(0, limiter_make(self));
	for (__u64 turn = 0; turn < 5; turn++) {
		struct sums s;

		ASSERT_EQ(0, sample_run("softirq", turn * KEYS, KEYS, 1, 1));
		s = sums_get();
		EXPECT_EQ(KEYS * self->cpus, s.allowed);
		EXPECT_EQ(0, s.full);
		usleep(1000 * self->cpus + 20000);
	}
	EXPECT_GE(KEYS, totals(self).keys);
}

/* One ban for each key, with one event, which wakes a sleeping reader. */
TEST_F(kapi, one_ban_a_key)
{
	enum { KEYS = 50 };
	char buffer[WEIR_EVENT_SIZE_MAX * 8] __attribute__((aligned(8)));
	struct pollfd reader = { .events = POLLIN };
	unsigned int bans = 0;
	struct sums s;
	ssize_t got;
	pid_t child;

	NEEDS_MODULE();
	self->config.strikes = 3;
	self->config.nbans = 1;
	self->config.ban[0] = DAY;
	ASSERT_EQ(0, limiter_make(self));
	reader.fd = client_open(O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, reader.fd);
	child = fork();
	if (!child)
		_exit(-sample_run("both", 0, KEYS, 20, 1));
	while (bans < KEYS && poll(&reader, 1, 20000) == 1) {
		got = read(reader.fd, buffer, sizeof(buffer));
		for (ssize_t at = 0; at < got;) {
			struct weir_event *e = (void *)(buffer + at);

			bans += e->type == WEIR_EVENT_BANNED;
			at += e->size;
		}
	}
	EXPECT_EQ(0, waitpid(child, NULL, 0) != child);
	s = sums_get();
	EXPECT_EQ(KEYS, bans);
	EXPECT_EQ(KEYS, s.banned_now);
	EXPECT_EQ(KEYS * BURST, s.allowed);
	EXPECT_EQ(KEYS * (2 * self->cpus * 20), s.allowed + s.limited + s.banned);
	EXPECT_EQ(-1, read(reader.fd, buffer, sizeof(buffer)));
	close(reader.fd);
}

TEST_F(kapi, not_its_key)
{
	NEEDS_MODULE();
	self->config.key_type = WEIR_KEY_IP;
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, sample_run("both", 0, 10, 1, 1));
	EXPECT_EQ(10 * 2 * self->cpus, sums_get().einval);
	EXPECT_EQ(0, totals(self).keys);
}

/* A reference to a deleted object stays dead, even if a new object has the same name. */
TEST_F(kapi, deleted)
{
	struct sums s;

	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	ASSERT_EQ(0, sample_run("both", 0, 10, 1, 1));
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	ASSERT_EQ(0, sample_run("both", 0, 10, 1, 1));
	EXPECT_EQ(10 * 2 * self->cpus, sums_get().enodev);
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &self->config, &self->l));
	ASSERT_EQ(0, sample_run("both", 0, 10, 1, 1));
	EXPECT_EQ(10 * 2 * self->cpus, sums_get().enodev);
	EXPECT_EQ(0, totals(self).allowed);
	ASSERT_EQ(0, sample_get("limiter", NAME));
	ASSERT_EQ(0, sample_run("both", 0, 10, 1, 1));
	s = sums_get();
	EXPECT_EQ(0, s.enodev);
	EXPECT_EQ(10 * 2 * self->cpus, s.allowed + s.limited);
}

/*
 * The limiter is deleted while checks create entries: each check is answered, and all memory is
 * freed.
 */
TEST_F(kapi, deleted_meanwhile)
{
	enum { KEYS = 20000 };
	bool told = slab_is_told();
	long before = slab_objects();
	struct sums s;
	pid_t child;

	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	child = fork();
	if (!child)
		_exit(-sample_run("both", 0, KEYS, 1, 1));
	while (totals(self).keys < 100)
		usleep(100);
	EXPECT_EQ(0, object_delete(self->fd, self->l));
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	s = sums_get();
	EXPECT_EQ(0, s.other);
	EXPECT_EQ(KEYS * 2 * self->cpus, s.allowed + s.limited + s.enodev);
	EXPECT_LT(0, s.enodev);
	for (int tries = 0; told && slab_objects() > before + SLAB_SLACK; tries++) {
		ASSERT_GT(100, tries);
		usleep(100000);
	}
}

TEST_F(kapi, keeps_the_module)
{
	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	close(self->fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("weir"));
	/* the module that has the reference can be unloaded, because it drops the reference */
	EXPECT_EQ(0, sample_get("limiter", ""));
	EXPECT_EQ(-EWOULDBLOCK, module_unload("weir"));
	EXPECT_EQ(-ENOENT, sample_run("both", 0, 1, 1, 1));
	self->fd = client_open(O_RDWR);
	EXPECT_EQ(0, sample_get("limiter", NAME));
}

/*
 * Keys made in softirq context are charged to the cgroup of the limiter's creator, and do not
 * exceed its limit, as atomic allocations could.
 */
#define CGROUP	"/sys/fs/cgroup/weir-kapi"

static int make_in_cgroup(FIXTURE_DATA(kapi) *self)
{
	if (text_write(CGROUP "/cgroup.procs", "0"))
		return 1;
	return limiter_create(self->fd, NAME, &self->config, &self->l) != 0;
}

TEST_F(kapi, cgroup_limit)
{
	enum { KEYS = 25000, ROOM = 1 << 20 };
	unsigned long long most;
	struct sums s;
	char text[32];
	int status = 1;
	pid_t child;

	NEEDS_MODULE();
	if (text_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory") ||
	    (mkdir(CGROUP, 0755) && errno != EEXIST))
		SKIP(return, "no memory cgroups");
	child = fork();
	if (!child)
		_exit(make_in_cgroup(self));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, sample_get("limiter", NAME));
	most = number_read(CGROUP "/memory.current") + ROOM;
	snprintf(text, sizeof(text), "%llu", most);
	ASSERT_EQ(0, text_write(CGROUP "/memory.max", text));

	ASSERT_EQ(0, sample_run("softirq", 0, KEYS, 1, 1));
	s = sums_get();
	EXPECT_LT(0, s.enomem);
	EXPECT_LT(0, s.allowed);
	EXPECT_EQ(KEYS * self->cpus, s.allowed + s.enomem);
	EXPECT_GE(most, number_read(CGROUP "/memory.current"));

	EXPECT_EQ(0, object_remove(self->fd, WEIR_KIND_LIMITER, NAME));
	EXPECT_EQ(0, sample_get("limiter", ""));
	for (int tries = 0; rmdir(CGROUP) && tries < 100; tries++)
		usleep(100000);
}

/*
 * Allocations fail: the check returns an error, creates no entry and is not counted. Afterwards all
 * works as before.
 */
TEST_F(kapi, no_memory)
{
	static const char *const knobs[][2] = {
		{ "/sys/kernel/debug/failslab/cache-filter", "Y" },
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/failslab/times", "-1" },
		{ "/sys/kernel/debug/failslab/probability", "100" },
		{ "/sys/kernel/slab/weir_entry_64/failslab", "1" },
	};
	struct weir_limiter_stats stats;
	unsigned int i;
	int err = 0;

	NEEDS_MODULE();
	ASSERT_EQ(0, limiter_make(self));
	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]) && !err; i++)
		err = text_write(knobs[i][0], knobs[i][1]);
	if (err)
		SKIP(return, "no fault injection in this kernel");
	err = sample_run("both", 0, 100, 2, 1);
	text_write("/sys/kernel/slab/weir_entry_64/failslab", "0");
	text_write("/sys/kernel/debug/failslab/probability", "0");
	text_write("/sys/kernel/debug/failslab/cache-filter", "N");
	ASSERT_EQ(0, err);
	EXPECT_EQ(100 * 2 * 2 * self->cpus, sums_get().enomem);
	stats = totals(self);
	EXPECT_EQ(0, stats.keys);
	EXPECT_EQ(0, stats.allowed + stats.limited + stats.full);
	ASSERT_EQ(0, sample_run("both", 0, 100, BURST, 1));
	EXPECT_EQ(100 * BURST, sums_get().allowed);
}

SAMPLE_HARNESS_MAIN
