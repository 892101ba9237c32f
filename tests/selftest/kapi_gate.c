// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi_gate - gates and counters used by other modules, in process and softirq context
 *
 * tests/kmod/sample.c is such a module; see gate_kapi.c. Its permits stay held until it releases
 * them, whichever processes end.
 */
#include "harness.h"

#include "queued.h"
#include "sample.h"

#define NAME	OURS "gate"
#define PERMITS	7

FIXTURE(kapi_gate) {
	int fd;
	__u32 gate;
	struct weir_gate_config config;
	bool ready;
	long cpus;
};

FIXTURE_SETUP(kapi_gate)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = gate_config(WEIR_KEY_U64, PERMITS);
	self->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	self->ready = getenv("WEIR_MODULES");
}

FIXTURE_TEARDOWN(kapi_gate)
{
	if (self->ready)
		EXPECT_EQ(0, sample_reset());
	close(self->fd);
	objects_wipe();
}

static int gate_make(FIXTURE_DATA(kapi_gate) *self)
{
	return gate_create(self->fd, NAME, &self->config, &self->gate) ?:
	       sample_get("gate", NAME);
}

/* Perform the operation @what once in the module, on key 0. */
static struct sums once(const char *what, __u32 n)
{
	if (sample_do(what, "here", 0, 1, 1, n))
		abort();
	return sums_get();
}

/* Take permits of key 0 one by one, on all CPUs. Return: how many were taken. */
static unsigned long long take(unsigned int rounds)
{
	if (sample_do("take", "both", 0, 1, rounds, 1))
		abort();
	return sums_get().allowed;
}

TEST_F(kapi_gate, names)
{
	__u32 other;

	NEEDS_MODULE();
	EXPECT_EQ(-ENOENT, sample_get("gate", NAME));
	EXPECT_EQ(-EINVAL, sample_get("gate", "-" NAME));
	/* a counter is not a gate, and a gate is not a counter */
	ASSERT_EQ(0, sum_create(self->fd, NAME, 1, &other));
	EXPECT_EQ(-ENOENT, sample_get("gate", NAME));
	EXPECT_EQ(0, sample_get("counter", NAME));
	EXPECT_EQ(-ENOENT, sample_do("take", "both", 0, 1, 1, 1));
}

/* All CPUs take the permits of new keys in both contexts, and give them back. */
TEST_F(kapi_gate, permits_are_exact)
{
	enum { KEYS = 100, ROUNDS = 5 };
	unsigned long long calls = 2 * KEYS * ROUNDS * self->cpus;
	struct weir_gate_stats stats;
	struct sums s;

	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	ASSERT_EQ(0, sample_do("take", "both", 0, KEYS, ROUNDS, 1));
	s = sums_get();
	stats = gate_stats(self->fd, self->gate);
	EXPECT_EQ(KEYS * PERMITS, s.allowed);
	EXPECT_EQ(calls - KEYS * PERMITS, s.limited);
	EXPECT_EQ(calls / 2, s.in_softirq);
	EXPECT_EQ(KEYS * PERMITS, stats.in_use);
	EXPECT_EQ(KEYS * PERMITS, stats.acquired);
	EXPECT_EQ(s.limited, stats.refused);
	EXPECT_EQ(KEYS, stats.keys);
	ASSERT_EQ(0, sample_do("give", "both", 0, KEYS, ROUNDS, 1));
	s = sums_get();
	stats = gate_stats(self->fd, self->gate);
	EXPECT_EQ(KEYS * PERMITS, s.done);
	EXPECT_EQ(calls - KEYS * PERMITS, s.enoent);
	EXPECT_EQ(0, stats.in_use);
	EXPECT_EQ(0, stats.reclaimed);
}

/* Never more permits are held than there are. Each is released in the context that acquired it. */
TEST_F(kapi_gate, turns)
{
	enum { ROUNDS = 5000 };
	struct weir_gate_stats stats;
	struct sums s;

	NEEDS_MODULE();
	self->config = gate_config(WEIR_KEY_NONE, 2);
	ASSERT_EQ(0, gate_make(self));
	ASSERT_EQ(0, sample_do("plain", "both", 0, 1, scaled(ROUNDS), 1));
	s = sums_get();
	stats = gate_stats(self->fd, self->gate);
	EXPECT_LT(0, s.most_held);
	EXPECT_GE(2, s.most_held);
	EXPECT_EQ(2 * self->cpus * scaled(ROUNDS), s.allowed + s.limited);
	EXPECT_EQ(0, s.other);
	EXPECT_EQ(s.allowed, stats.acquired);
	EXPECT_EQ(0, stats.in_use);
}

TEST_F(kapi_gate, refused)
{
	NEEDS_MODULE();
	self->config.max_keys = 3;
	ASSERT_EQ(0, gate_make(self));
	EXPECT_EQ(1, once("take", 0).einval);
	EXPECT_EQ(1, once("give", 0).einval);
	EXPECT_EQ(1, once("take", PERMITS + 1).e2big);
	EXPECT_EQ(1, once("plain", 1).einval);
	EXPECT_EQ(1, once("give", 1).enoent);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).keys);
	ASSERT_EQ(0, sample_do("take", "softirq", 0, 10, 1, 1));
	EXPECT_EQ(3 * self->cpus, sums_get().allowed);
	EXPECT_EQ(7 * self->cpus, sums_get().full);
	EXPECT_EQ(7 * self->cpus, gate_stats(self->fd, self->gate).full);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).keys);
}

/* A client cannot release permits of modules, and modules cannot release permits of a client. */
TEST_F(kapi_gate, belongs_to_no_client)
{
	const __u64 key = 0;
	__u32 handle;
	int fd;

	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	EXPECT_EQ(1, once("take", 3).allowed);
	EXPECT_EQ(-ENOENT, gate_release(self->fd, self->gate, &key, 1));
	EXPECT_EQ(0, gate_state(self->fd, self->gate, &key).held);
	fd = client_open(O_RDWR);
	ASSERT_EQ(0, object_open(fd, WEIR_KIND_GATE, NAME, WEIR_RIGHT_ALL, &handle));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(fd, handle, &key, 4));
	EXPECT_EQ(1, once("take", 1).limited);
	EXPECT_EQ(1, once("give", 4).enoent);
	close(fd);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).in_use);
	EXPECT_EQ(4, gate_stats(self->fd, self->gate).reclaimed);
	/* dropping the reference does not release them either */
	ASSERT_EQ(0, sample_get("gate", ""));
	EXPECT_EQ(4, gate_free(self->fd, self->gate, &key));
	ASSERT_EQ(0, sample_get("gate", NAME));
	EXPECT_EQ(1, once("give", 3).done);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).in_use);
}

/* A release in softirq context serves waiters. Modules never overtake a waiter. */
TEST_F(kapi_gate, hands_on)
{
	struct visitors *all = shared_memory(sizeof(*all));
	const __u64 key = 0;

	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	ASSERT_EQ(PERMITS, take(PERMITS));
	visitor_wait(all, 0, self->fd, self->gate, &key, 3);
	visitor_wait(all, 1, self->fd, self->gate, &key, 1);
	EXPECT_EQ(1, once("give", 2).done);
	EXPECT_EQ(2, gate_free(self->fd, self->gate, &key));
	EXPECT_EQ(1, once("take", 1).limited);
	ASSERT_EQ(0, sample_do("give", "softirq", 0, 1, 1, 1));
	EXPECT_EQ(self->cpus, sums_get().done);
	EXPECT_EQ(0, visitor_served(all, 0)->result);
	if (self->cpus < 2)
		EXPECT_EQ(1, once("give", 1).done);
	EXPECT_EQ(0, visitor_served(all, 1)->result);
	EXPECT_EQ(WEIR_ALLOWED, all->visitor[0].op.verdict);
	EXPECT_EQ(1, all->visitor[1].op.held);
	visitor_end(all, 0);
	visitor_kill(all, 1);
	EXPECT_EQ(4, gate_stats(self->fd, self->gate).reclaimed);
}

/* A release in softirq context wakes pollers, once there are enough permits. */
TEST_F(kapi_gate, wakes_who_polls)
{
	const __u64 key = 0;

	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	ASSERT_EQ(PERMITS, take(PERMITS));
	ASSERT_EQ(WEIR_QUEUED, queue(self->fd, self->gate, &key, self->cpus + 1, WEIR_NEVER));
	EXPECT_EQ(1, once("give", 1).done);
	EXPECT_EQ(1, once("take", 1).limited);
	EXPECT_FALSE(told(self->fd));
	ASSERT_EQ(0, sample_do("give", "softirq", 0, 1, 1, 1));
	EXPECT_EQ(self->cpus, sums_get().done);
	EXPECT_TRUE(told(self->fd));
	EXPECT_EQ(WEIR_ALLOWED, collect(self->fd));
	EXPECT_EQ(PERMITS, gate_stats(self->fd, self->gate).in_use);
}

TEST_F(kapi_gate, deleted)
{
	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	EXPECT_EQ(1, once("take", 2).allowed);
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	EXPECT_EQ(1, once("take", 1).enodev);
	EXPECT_EQ(1, once("give", 2).enodev);
	/* a new gate with the same name has no permits held */
	ASSERT_EQ(0, gate_create(self->fd, NAME, &self->config, &self->gate));
	EXPECT_EQ(1, once("give", 2).enodev);
	ASSERT_EQ(0, sample_get("gate", NAME));
	EXPECT_EQ(1, once("give", 2).enoent);
	EXPECT_EQ(PERMITS, take(PERMITS));
}

/* Modules and processes use a gate with few keys: no wake-up is lost, and no permit stays held. */
static int visit(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(kapi_gate) *self = arg;
	struct weir_op op;

	(void)crowd;
	for (int i = 0; i < scaled(800); i++) {
		__u64 key = i % 2;
		__s64 n = 1 + (i + me) % PERMITS;

		if (gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, &key, n,
			     WEIR_NEVER) || op.verdict != WEIR_ALLOWED ||
		    gate_release(self->fd, self->gate, &key, n))
			return 1;
	}
	return 0;
}

TEST_F(kapi_gate, among_processes)
{
	struct crowd *crowd = crowd_make(6);
	struct weir_gate_stats stats;
	unsigned long long allowed = 0;

	NEEDS_MODULE();
	ASSERT_EQ(0, gate_make(self));
	crowd_spawn(crowd, visit, self);
	crowd_start(crowd);
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, sample_do("turn", "both", 0, 2, scaled(400), 2));
		EXPECT_EQ(0, sums_get().other);
		EXPECT_EQ(0, sums_get().full);
		allowed += sums_get().allowed;
	}
	EXPECT_EQ(0, crowd_wait(crowd));
	stats = gate_stats(self->fd, self->gate);
	EXPECT_EQ(0, stats.in_use);
	EXPECT_EQ(0, stats.waiting);
	EXPECT_EQ(allowed + 6 * scaled(800), stats.acquired);
	TH_LOG("%llu taken by the module", allowed);
	crowd_free(crowd);
}

/* ------------------------------------------------------------ counters */

TEST_F(kapi_gate, counter)
{
	enum { ROUNDS = 5000 };
	__u32 sum, sequence, other;
	__s64 value;

	NEEDS_MODULE();
	ASSERT_EQ(0, sum_create(self->fd, NAME "-sum", 0, &sum));
	ASSERT_EQ(0, sample_get("counter", NAME "-sum"));
	ASSERT_EQ(0, sample_do("add", "both", 0, 1, ROUNDS, 3));
	EXPECT_EQ(2 * self->cpus * ROUNDS, sums_get().done);
	ASSERT_EQ(0, counter_read(self->fd, sum, 0, &value));
	EXPECT_EQ(3 * 2 * self->cpus * ROUNDS, value);
	ASSERT_EQ(0, object_delete(self->fd, sum));
	EXPECT_EQ(1, once("add", 1).enodev);
	/* the other counter's field has another name */
	ASSERT_EQ(0, sum_create(self->fd, NAME "-one", 1, &other));
	ASSERT_EQ(0, sample_get("counter", NAME "-one"));
	EXPECT_EQ(1, once("add", 1).einval);
	ASSERT_EQ(0, counter_create(self->fd, NAME "-sequence", WEIR_COUNTER_SEQUENCE, 0,
				    &sequence));
	ASSERT_EQ(0, sample_get("counter", NAME "-sequence"));
	EXPECT_EQ(1, once("add", 1).other);
}

SAMPLE_HARNESS_MAIN
