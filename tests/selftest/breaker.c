// SPDX-License-Identifier: GPL-2.0-only
/*
 * breaker - circuit breakers: configuration, every state change, every errno, holders of probes
 *
 * KUnit (circuit_kunit.c) tests the decisions with its own clock; these tests are about the module.
 */
#include "harness.h"

#include <poll.h>
#include <signal.h>

#include "breaker.h"
#include "person.h"

FIXTURE(breaker) {
	int fd;
	__u32 b;		/* without keys */
	__u32 keyed;		/* keys are numbers, at most 3 */
};

FIXTURE_SETUP(breaker)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, breaker_create(self->fd, OURS "breaker", &config, &self->b));
	config = breaker_config(WEIR_KEY_U64);
	config.max_keys = 3;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "keyed", &config, &self->keyed));
}

FIXTURE_TEARDOWN(breaker)
{
	close(self->fd);
	objects_wipe();
}

static const __u64 A = 1, B = 2, C = 3, D = 4;

/* ------------------------------------------------------------ configuration */

TEST_F(breaker, defaults)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_IP), seen;
	__u32 b;

	EXPECT_TRUE(info_get(self->fd).features & WEIR_FEATURE_BREAKER);
	ASSERT_EQ(0, breaker_create(self->fd, OURS "ip", &config, &b));
	ASSERT_EQ(0, breaker_get(self->fd, b, &seen));
	config.probes = 1;
	config.successes = 1;
	config.probe_within = 60 * SECOND;
	config.lapse = HOUR;
	config.max_keys = 65536;
	config.prefix4 = 32;
	config.prefix6 = 64;
	EXPECT_EQ(0, memcmp(&seen, &config, sizeof(config)));

	config = breaker_config(WEIR_KEY_NONE);
	config.failures = 0;
	config.percent = 50;
	config.probes = 4;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "percent", &config, &b));
	ASSERT_EQ(0, breaker_get(self->fd, b, &seen));
	config.minimum = 10;
	config.successes = 4;
	config.probe_within = 60 * SECOND;
	config.lapse = WEIR_NEVER;
	config.max_keys = 1;
	EXPECT_EQ(0, memcmp(&seen, &config, sizeof(config)));
}

TEST_F(breaker, config_refused)
{
	struct weir_breaker_config good = breaker_config(WEIR_KEY_NONE), bad;
	const __u64 years = 3650 * DAY;
	__u32 b;

#define REFUSED(change)							\
	do {								\
		bad = good;						\
		change;							\
		EXPECT_EQ(-EINVAL, breaker_create(self->fd, OURS "bad", &bad, &b)) \
			TH_LOG("%s", #change);				\
	} while (0)
	REFUSED(bad.failures = 0);
	REFUSED(bad.failures = 65536);
	REFUSED(bad.percent = 50);
	REFUSED(bad.minimum = 1);
	REFUSED(bad.within = 0);
	REFUSED(bad.within = 100 * DAY + 1);
	REFUSED(bad.nopen = 0);
	REFUSED(bad.nopen = 9);
	REFUSED(bad.nopen = 2);
	REFUSED(bad.open[1] = 1);
	REFUSED(bad.open[7] = 1);
	REFUSED(bad.open[0] = 0);
	REFUSED(bad.open[0] = years + 1);
	REFUSED(bad.open[0] = WEIR_NEVER);
	REFUSED(bad.probes = (1U << 30) + 1);
	REFUSED(bad.successes = 2);
	REFUSED(bad.forget_after = years + 1);
	REFUSED(bad.slow = years + 1);
	REFUSED(bad.probe_within = years + 1);
	REFUSED(bad.lapse = years + 1);
	REFUSED(bad.key_type = 4);
	REFUSED(bad.max_keys = 2);
	REFUSED(bad.prefix4 = 24);
	REFUSED(bad.reserved[0] = 1);
	REFUSED(bad.reserved[5] = 1);
	REFUSED(bad.size = sizeof(bad) - 1);
	REFUSED(bad.size = 0);
	good.failures = 0;
	good.percent = 100;
	REFUSED(bad.percent = 101);
	REFUSED(bad.percent = 0);
	REFUSED(bad.minimum = 1048577);
	EXPECT_EQ(-EFAULT, breaker_create(self->fd, OURS "bad", NULL, &b));
	/* the ends of the ranges */
	good.minimum = 1048576;
	good.within = 100 * DAY;
	good.nopen = 8;
	for (int i = 0; i < 8; i++)
		good.open[i] = years;
	good.probes = 1U << 30;
	good.forget_after = years;
	good.slow = years;
	good.probe_within = WEIR_NEVER;
	good.lapse = 1;
	EXPECT_EQ(0, breaker_create(self->fd, OURS "bad", &good, &b));
}

/* ------------------------------------------------------------ state changes */

TEST_F(breaker, by_number)
{
	struct weir_op op = breaker_look(self->fd, self->b, NULL);
	__s64 first = breaker_allow(self->fd, self->b, NULL), ticket;

	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 0, 0));
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_LT(0, first);
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, first, WEIR_CALL_FAILED));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, first, WEIR_CALL_OK));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, 0, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, self->b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 2, 0));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, first, WEIR_CALL_WITHDRAWN));
	ticket = breaker_allow(self->fd, self->b, NULL);
	ASSERT_LT(first, ticket);
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, self->b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_OPEN, 0, 0, 1));
	EXPECT_LT(HOUR - 100 * SECOND, op.retry_after);
	EXPECT_GE(HOUR, op.retry_after);
	/* open: no call is admitted, and reports are late */
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 0, 0));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_OPEN, op.state);
	EXPECT_LT(HOUR - 100 * SECOND, op.retry_after);
	EXPECT_GE(HOUR, op.retry_after);
	EXPECT_EQ(1, breaker_report(self->fd, self->b, NULL, first, WEIR_CALL_OK));
	EXPECT_EQ(1, breaker_report(self->fd, self->b, NULL, 0, WEIR_CALL_FAILED));
}

TEST_F(breaker, probe_closes)
{
	struct weir_op op;
	__s64 ticket;

	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 0, 0));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_EQ(WEIR_OUT_PROBE, op.out_flags);
	EXPECT_EQ(WEIR_HALF_OPEN, op.state);
	ticket = op.ticket;
	op = breaker_look(self->fd, self->b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_HALF_OPEN, 1, 0, 0));
	/* one probe is admitted, and no other until its outcome is reported */
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 0, 0));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_GE(60 * SECOND, op.retry_after);
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_OK));
	op = breaker_look(self->fd, self->b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 0, 0));
	/* a probe cannot be reported twice */
	EXPECT_EQ(1, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_FAILED));
}

TEST_F(breaker, probe_reopens)
{
	__s64 ticket, again;

	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	ticket = breaker_allow(self->fd, self->b, NULL);
	ASSERT_LT(0, ticket);
	/* withdrawn: another probe is admitted */
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_WITHDRAWN));
	EXPECT_EQ(-ENOENT, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_OK));
	again = breaker_allow(self->fd, self->b, NULL);
	ASSERT_LT(0, again);
	EXPECT_EQ(0, breaker_allow(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, again, WEIR_CALL_FAILED));
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(1, breaker_look(self->fd, self->b, NULL).step);
}

TEST_F(breaker, ladder)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);
	struct weir_op op;
	__u32 b;

	config.failures = 1;
	config.nopen = 3;
	config.open[0] = 1;
	config.open[1] = 1;
	config.open[2] = HOUR;
	config.forget_after = HOUR;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "ladder", &config, &b));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_HALF_OPEN, 0, 0, 1));
	/* it closes; the step of the ladder is remembered for some time */
	ASSERT_LT(0, breaker_allow(self->fd, b, NULL));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_OK));
	op = breaker_look(self->fd, b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 0, 1));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_HALF_OPEN, 0, 0, 2));
	/* a failed probe takes the next step */
	ASSERT_LT(0, breaker_allow(self->fd, b, NULL));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_OPEN, 0, 0, 3));
	EXPECT_GE(HOUR, op.retry_after);
	EXPECT_LT(HOUR - 100 * SECOND, op.retry_after);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, b, NULL, 0, 0));
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 0, 0));
}

TEST_F(breaker, trip_and_reset)
{
	__s64 before = breaker_allow(self->fd, self->b, NULL);
	struct weir_op op;

	ASSERT_LT(0, before);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_TRIP, self->b, NULL, 0, DAY));
	EXPECT_EQ(WEIR_NONE, op.verdict);
	EXPECT_TRUE(looks(&op, WEIR_OPEN, 0, 0, 0));
	EXPECT_EQ(DAY, op.retry_after);
	/* it is kept open for longer, never shortened */
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_TRIP, self->b, NULL, 0, HOUR));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_LT(HOUR, op.retry_after);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_TRIP, self->b, NULL, 0, WEIR_NEVER));
	EXPECT_EQ(WEIR_NONE, op.verdict);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 0, 0));
	EXPECT_EQ(WEIR_LIMITED, op.verdict);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 0, 0, 0));
	EXPECT_EQ(1, breaker_report(self->fd, self->b, NULL, before, WEIR_CALL_FAILED));
	/* a reset makes earlier calls late, also of a key that had no entry */
	before = breaker_allow(self->fd, self->keyed, &A);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->keyed, &A, 0, 0));
	EXPECT_EQ(1, breaker_report(self->fd, self->keyed, &A, before, WEIR_CALL_FAILED));
}

TEST_F(breaker, by_percentage)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);
	struct weir_op op;
	__u32 b;

	config.failures = 0;
	config.percent = 50;
	config.minimum = 4;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "percent", &config, &b));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_OK));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_OK));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_OK));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	op = breaker_look(self->fd, b, NULL);
	EXPECT_TRUE(looks(&op, WEIR_CLOSED, 5, 2, 0));
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, b, NULL));
}

TEST_F(breaker, slow_calls)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);
	__s64 ticket;
	__u32 b;

	config.failures = 1;
	config.slow = 1000;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "slow", &config, &b));
	ticket = breaker_allow(self->fd, b, NULL);
	ASSERT_LT(0, ticket);
	usleep(1000);
	EXPECT_EQ(0, breaker_report(self->fd, b, NULL, ticket, WEIR_CALL_OK));
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, b, NULL));
	EXPECT_EQ(1, breaker_stats(self->fd, b).failed);
	EXPECT_EQ(0, breaker_stats(self->fd, b).succeeded);
}

/* ------------------------------------------------------------ keys, totals, errors */

TEST_F(breaker, keys_by_themselves)
{
	struct weir_breaker_stats s;

	/* a key without failures needs no entry */
	for (__u64 key = 0; key < 100; key++) {
		EXPECT_LT(0, breaker_allow(self->fd, self->keyed, &key));
		EXPECT_EQ(0, breaker_report(self->fd, self->keyed, &key, 0, WEIR_CALL_OK));
	}
	EXPECT_EQ(0, breaker_stats(self->fd, self->keyed).keys);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, breaker_report(self->fd, self->keyed, &A, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, self->keyed, &A));
	EXPECT_EQ(WEIR_CLOSED, breaker_state(self->fd, self->keyed, &B));
	EXPECT_EQ(0, breaker_allow(self->fd, self->keyed, &A));
	EXPECT_EQ(0, breaker_report(self->fd, self->keyed, &B, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(0, breaker_half_open(self->fd, self->keyed, &C));
	EXPECT_EQ(-ENOSPC, breaker_report(self->fd, self->keyed, &D, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(-ENOSPC, breaker_half_open(self->fd, self->keyed, &D));
	EXPECT_LT(0, breaker_allow(self->fd, self->keyed, &D));
	s = breaker_stats(self->fd, self->keyed);
	EXPECT_EQ(101, s.allowed);
	EXPECT_EQ(1, s.rejected);
	EXPECT_EQ(100, s.succeeded);
	EXPECT_EQ(4, s.failed);
	EXPECT_EQ(2, s.opened);
	EXPECT_EQ(2, s.full);
	EXPECT_EQ(0, s.late);
	EXPECT_EQ(0, s.lost);
	EXPECT_EQ(3, s.keys);
	EXPECT_EQ(3, s.max_keys);
}

TEST_F(breaker, errors)
{
	__u64 far = info_get(self->fd).now + 100 * DAY;
	struct weir_op op;
	__u32 use, gone;

	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, NULL, 0, 2));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->b, &A, 0, 0));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->keyed, NULL, 0, 0));
	EXPECT_EQ(-EINVAL, breaker_report(self->fd, self->b, NULL, 0, 0));
	EXPECT_EQ(-EINVAL, breaker_report(self->fd, self->b, NULL, 0, 4));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_TRIP, self->b, NULL, 0,
				       3650 * DAY + 1));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 1));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, breaker_run(self->fd, &op, WEIR_OP_BREAKER_STATE, self->b, NULL,
				       0, 1));
	/* a ticket of the future was never given */
	EXPECT_EQ(-ENOENT, breaker_report(self->fd, self->b, NULL, far, WEIR_CALL_FAILED));
	EXPECT_EQ(0, breaker_look(self->fd, self->b, NULL).failures);
	EXPECT_EQ(-ENOENT, breaker_report(self->fd, self->keyed, &A, far, WEIR_CALL_FAILED));
	EXPECT_EQ(-ENOENT, breaker_report(self->fd, self->keyed, &A, far, WEIR_CALL_OK));
	EXPECT_EQ(0, breaker_stats(self->fd, self->keyed).keys);
	EXPECT_EQ(-EOPNOTSUPP, breaker_run(self->fd, &op, WEIR_OP_CHECK, self->b, NULL, 1, 0));
	EXPECT_EQ(-EBADF, breaker_run(self->fd, &op, WEIR_OP_ALLOW, 12345, NULL, 0, 0));

	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_BREAKER, OURS "breaker",
				 WEIR_RIGHT_USE, &use));
	EXPECT_LT(0, breaker_allow(self->fd, use, NULL));
	EXPECT_EQ(-EACCES, breaker_run(self->fd, &op, WEIR_OP_TRIP, use, NULL, 0, 0));
	EXPECT_EQ(-EACCES, breaker_run(self->fd, &op, WEIR_OP_RESET, use, NULL, 0, 0));
	EXPECT_EQ(-EACCES, breaker_run(self->fd, &op, WEIR_OP_BREAKER_STATE, use, NULL, 0, 0));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_BREAKER, OURS "breaker",
				 WEIR_RIGHT_OBSERVE, &gone));
	EXPECT_EQ(-EACCES, breaker_allow(self->fd, gone, NULL));
	EXPECT_EQ(-EACCES, breaker_report(self->fd, gone, NULL, 0, WEIR_CALL_OK));
	ASSERT_EQ(0, object_delete(self->fd, self->b));
	EXPECT_EQ(-ENODEV, breaker_allow(self->fd, use, NULL));
	EXPECT_EQ(-ENODEV, breaker_report(self->fd, use, NULL, 0, WEIR_CALL_FAILED));
}

/* One event for each state change, in order. */
TEST_F(breaker, events)
{
	const __u32 wanted[] = { WEIR_EVENT_OPENED, WEIR_EVENT_HALF_OPEN,
				 WEIR_EVENT_OPENED, WEIR_EVENT_CLOSED };
	char buffer[8 * WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	int reader = client_open(O_RDONLY | O_NONBLOCK);
	struct weir_op op;
	ssize_t got;
	char *at;

	ASSERT_EQ(0, breaker_half_open(self->fd, self->keyed, &A));
	ASSERT_LT(0, breaker_allow(self->fd, self->keyed, &A));
	ASSERT_EQ(0, breaker_report(self->fd, self->keyed, &A, 0, WEIR_CALL_FAILED));
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->keyed, &A, 0, 0));
	got = read(reader, buffer, sizeof(buffer));
	at = buffer;
	for (unsigned int i = 0; i < 4; i++) {
		struct weir_event *e = (void *)at;

		ASSERT_GT(buffer + got, at);
		EXPECT_EQ(wanted[i], e->type);
		EXPECT_EQ(WEIR_KIND_BREAKER, e->kind);
		EXPECT_EQ(WEIR_KEY_U64, e->key_type);
		EXPECT_EQ(0, memcmp(at + sizeof(*e), &A, sizeof(A)));
		EXPECT_EQ(0, strcmp(e->name, OURS "keyed"));
		if (i == 0)
			EXPECT_EQ(1, e->value);
		if (i == 2)
			EXPECT_EQ(HOUR, e->value);
		at += e->size;
	}
	EXPECT_EQ(buffer + got, at);
	close(reader);
}

/* ------------------------------------------------------------ holders of probes */

/* A child with its own open file gets a probe and ends as @end says. */
static int child_probe(__u16 flags, int end)
{
	pid_t pid;
	__u32 b;
	int status, fd;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		fd = client_open(O_RDWR);
		if (object_open(fd, WEIR_KIND_BREAKER, OURS "breaker", WEIR_RIGHT_ALL, &b) ||
		    breaker_ask(fd, b, NULL, flags) <= 0)
			_exit(9);
		if (end)
			raise(end);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

TEST_F(breaker, prober_dies)
{
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	EXPECT_EQ(SIGKILL, child_probe(0, SIGKILL));
	/* the holder is gone as soon as the parent can reap it */
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(1, breaker_stats(self->fd, self->b).lost);
	EXPECT_EQ(1, breaker_stats(self->fd, self->b).failed);
}

TEST_F(breaker, prober_ends)
{
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	EXPECT_EQ(0, child_probe(0, 0));
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, self->b, NULL));
}

/* A detached probe has no holder, and any client may report it. */
TEST_F(breaker, detached)
{
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	EXPECT_EQ(SIGKILL, child_probe(WEIR_OP_DETACHED, SIGKILL));
	EXPECT_EQ(WEIR_HALF_OPEN, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_allow(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, 0, WEIR_CALL_OK));
	EXPECT_EQ(WEIR_CLOSED, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_stats(self->fd, self->b).lost);
}

/* Only the holder of a probe can report it, and only that holder's end fails it. */
TEST_F(breaker, of_another)
{
	int fd = client_open(O_RDWR);
	__s64 ticket;
	__u32 b;

	ASSERT_EQ(0, object_open(fd, WEIR_KIND_BREAKER, OURS "breaker", WEIR_RIGHT_ALL, &b));
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	ticket = breaker_allow(self->fd, self->b, NULL);
	ASSERT_LT(0, ticket);
	EXPECT_EQ(-ENOENT, breaker_report(fd, b, NULL, ticket, WEIR_CALL_OK));
	EXPECT_EQ(-ENOENT, breaker_report(fd, b, NULL, 0, WEIR_CALL_FAILED));
	EXPECT_EQ(0, breaker_allow(fd, b, NULL));
	close(fd);
	EXPECT_EQ(WEIR_HALF_OPEN, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, ticket, WEIR_CALL_OK));
	EXPECT_EQ(WEIR_CLOSED, breaker_state(self->fd, self->b, NULL));
}

/* If a holder with a probe of an earlier generation ends, nothing changes. */
TEST_F(breaker, late_prober)
{
	int fd = client_open(O_RDWR);
	struct weir_op op;
	__u32 b;

	ASSERT_EQ(0, object_open(fd, WEIR_KIND_BREAKER, OURS "breaker", WEIR_RIGHT_ALL, &b));
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	ASSERT_LT(0, breaker_allow(fd, b, NULL));
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	EXPECT_EQ(WEIR_HALF_OPEN, breaker_state(self->fd, self->b, NULL));
	close(fd);
	EXPECT_EQ(WEIR_HALF_OPEN, breaker_state(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_stats(self->fd, self->b).lost);
	EXPECT_LT(0, breaker_allow(self->fd, self->b, NULL));
}

/* A probe that is not reported within probe_within has failed. */
TEST_F(breaker, probe_within)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);
	__u32 b;

	config.probe_within = 1000;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "within", &config, &b));
	ASSERT_EQ(0, breaker_half_open(self->fd, b, NULL));
	ASSERT_LT(0, breaker_allow(self->fd, b, NULL));
	usleep(1000);
	EXPECT_EQ(WEIR_OPEN, breaker_state(self->fd, b, NULL));
	EXPECT_EQ(1, breaker_report(self->fd, b, NULL, 0, WEIR_CALL_OK));
}

/* A breaker is deleted while probes are not reported: nothing is left of either. */
TEST_F(breaker, deleted_with_probes)
{
	int fd = client_open(O_RDWR);
	__u32 b;

	ASSERT_EQ(0, object_open(fd, WEIR_KIND_BREAKER, OURS "breaker", WEIR_RIGHT_ALL, &b));
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	ASSERT_LT(0, breaker_allow(fd, b, NULL));
	ASSERT_EQ(0, object_delete(self->fd, self->b));
	close(fd);
}

TEST_HARNESS_MAIN
