// SPDX-License-Identifier: GPL-2.0-only
/*
 * breaker_race - exactly the configured number of probes, while processes ask, report and die
 *
 * In each round many processes ask a half-open breaker, and some are killed with their probes. The
 * results of all must add up.
 */
#include "harness.h"

#include <signal.h>

#include "breaker.h"

#define CROWD	12
#define PROBES	3

struct account {
	_Atomic int granted, good, failed, late, unknown, odd;
	_Atomic int asked;
};

FIXTURE(breaker_race) {
	int fd;
	__u32 b;
	struct account *account;
	struct crowd *crowd;
	int rounds;
};

FIXTURE_SETUP(breaker_race)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);

	self->rounds = is_small() ? 10 : 60;
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.probes = PROBES;
	config.probe_within = WEIR_NEVER;
	ASSERT_EQ(0, breaker_create(self->fd, OURS "race", &config, &self->b));
	self->account = shared_memory(sizeof(*self->account));
}

FIXTURE_TEARDOWN(breaker_race)
{
	close(self->fd);
	objects_wipe();
}

static int own_file(__u32 *b)
{
	int fd = client_open(O_RDWR);

	if (fd < 0 || object_open(fd, WEIR_KIND_BREAKER, OURS "race", WEIR_RIGHT_ALL, b))
		_exit(9);
	return fd;
}

/* Ask, wait until all have asked, and report the probes as successes. */
static int prober(struct crowd *crowd, unsigned int me, void *arg)
{
	struct account *account = arg;
	__s64 ticket;
	__u32 b;
	int fd = own_file(&b), ret;

	(void)me;
	ticket = breaker_allow(fd, b, NULL);
	if (ticket < 0)
		return 1;
	account->granted += ticket > 0;
	account->asked++;
	while (account->asked < (int)crowd->size)
		sched_yield();
	if (!ticket)
		return 0;
	ret = breaker_report(fd, b, NULL, ticket, WEIR_CALL_OK);
	account->good += ret == 0;
	return ret != 0;
}

/* In each round exactly PROBES probes are admitted, and the last success closes the breaker. */
TEST_F(breaker_race, exactly_the_probes)
{
	struct weir_op op;

	for (int i = 0; i < self->rounds; i++) {
		struct crowd *crowd = crowd_make(CROWD);

		memset(self->account, 0, sizeof(*self->account));
		ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
		ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
		ASSERT_EQ(0, crowd_run(crowd, prober, self->account));
		ASSERT_EQ(PROBES, self->account->granted);
		ASSERT_EQ(PROBES, self->account->good);
		ASSERT_EQ(WEIR_CLOSED, breaker_state(self->fd, self->b, NULL));
		crowd_free(crowd);
	}
	EXPECT_EQ(PROBES * self->rounds, breaker_stats(self->fd, self->b).succeeded);
	EXPECT_EQ(0, breaker_stats(self->fd, self->b).failed);
	EXPECT_EQ(0, breaker_stats(self->fd, self->b).lost);
	EXPECT_EQ(self->rounds, breaker_stats(self->fd, self->b).opened);
}

/* One process with a probe dies; the others report before or after that. */
static int mortal(struct crowd *crowd, unsigned int me, void *arg)
{
	struct account *account = arg;
	__s64 ticket;
	__u32 b;
	int fd = own_file(&b), ret;

	(void)me;
	(void)crowd;
	ticket = breaker_allow(fd, b, NULL);
	if (ticket < 0)
		return 1;
	account->asked++;
	if (!ticket)
		return 0;
	if (account->granted++ == 0)
		raise(SIGKILL);
	ret = breaker_report(fd, b, NULL, ticket, WEIR_CALL_OK);
	account->good += ret == 0;
	account->late += ret == 1;
	return ret != 0 && ret != 1;
}

TEST_F(breaker_race, a_prober_dies)
{
	struct weir_breaker_stats s;
	long good = 0, late = 0;
	struct weir_op op;

	for (int i = 0; i < self->rounds; i++) {
		struct crowd *crowd = crowd_make(CROWD);

		memset(self->account, 0, sizeof(*self->account));
		ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
		ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
		/* all processes but the killed one have ended well */
		ASSERT_EQ(1, crowd_run(crowd, mortal, self->account));
		ASSERT_LE(1, self->account->granted);
		ASSERT_GE(PROBES, self->account->granted);
		/* without three successes it never closes, and the lost probe opens it */
		ASSERT_EQ(WEIR_OPEN, breaker_state(self->fd, self->b, NULL));
		ASSERT_EQ(self->account->granted, self->account->good +
						  self->account->late + 1);
		good += self->account->good;
		late += self->account->late;
		crowd_free(crowd);
	}
	s = breaker_stats(self->fd, self->b);
	EXPECT_EQ(self->rounds, s.lost);
	EXPECT_EQ(self->rounds, s.failed);
	EXPECT_EQ(good, s.succeeded);
	EXPECT_EQ(late, s.late);
	EXPECT_EQ(2 * self->rounds, s.opened);
}

/* All processes report failures to a closed breaker: it opens once. */
static int failing(struct crowd *crowd, unsigned int me, void *arg)
{
	struct account *account = arg;
	__s64 ticket;
	__u32 b;
	int fd = own_file(&b), ret;

	(void)me;
	(void)crowd;
	for (int i = 0; i < 20; i++) {
		ticket = breaker_allow(fd, b, NULL);
		if (ticket < 0)
			return 1;
		if (!ticket)
			continue;
		account->granted++;
		ret = breaker_report(fd, b, NULL, ticket, WEIR_CALL_FAILED);
		account->failed += ret == 0;
		account->late += ret == 1;
		account->odd += ret != 0 && ret != 1;
	}
	return 0;
}

TEST_F(breaker_race, opens_once)
{
	struct weir_breaker_stats before, s;
	struct weir_op op;

	for (int i = 0; i < self->rounds; i++) {
		struct crowd *crowd = crowd_make(CROWD);

		memset(self->account, 0, sizeof(*self->account));
		ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
		before = breaker_stats(self->fd, self->b);
		ASSERT_EQ(0, crowd_run(crowd, failing, self->account));
		s = breaker_stats(self->fd, self->b);
		ASSERT_EQ(0, self->account->odd);
		/* three failures count; later reports are late */
		ASSERT_EQ(3, self->account->failed);
		ASSERT_EQ(self->account->granted, self->account->failed +
						  self->account->late);
		ASSERT_EQ(1, s.opened - before.opened);
		ASSERT_EQ(20 * CROWD, s.allowed + s.rejected - before.allowed -
				      before.rejected);
		ASSERT_EQ(self->account->granted, s.allowed - before.allowed);
		crowd_free(crowd);
	}
}

/*
 * At the same time, files are closed, members are killed, and the breaker is tripped and reset. At
 * the end no probe belongs to a dead process.
 */
static int stormy(struct crowd *crowd, unsigned int me, void *arg)
{
	unsigned int seed = me + 1;
	struct weir_op op;
	__u32 b;
	int fd = own_file(&b);

	(void)arg;
	for (int i = 0; i < 200; i++) {
		__s64 ticket;
		int ret = 0;

		seed = seed * 1103515245 + 12345;
		switch (seed >> 16 & 7) {
		case 0:
			ret = breaker_run(fd, &op, WEIR_OP_RESET, b, NULL, 0, 0);
			break;
		case 1:
		case 2:
			ret = breaker_half_open(fd, b, NULL);
			break;
		case 3:
			close(fd);
			fd = own_file(&b);
			break;
		default:
			ticket = breaker_allow(fd, b, NULL);
			ret = ticket < 0 ? ticket : 0;
			if (ticket > 0 && seed >> 20 & 3)
				ret = breaker_report(fd, b, NULL, ticket,
						     1 + (seed >> 22) % 3);
			if (ret == 1 || ret == -ENOENT)
				ret = 0;
		}
		if (ret)
			return 1;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(breaker_race, storm)
{
	struct crowd *crowd = crowd_make(CROWD);
	struct weir_op op;

	crowd_spawn(crowd, stormy, NULL);
	crowd_start(crowd);
	for (unsigned int i = 0; i < CROWD / 2; i++) {
		usleep(2000);
		crowd_kill(crowd, i);
	}
	ASSERT_GE(CROWD / 2, crowd_wait(crowd));
	for (unsigned int i = CROWD / 2; i < CROWD; i++)
		EXPECT_EQ(0, crowd->seat[i].status);
	crowd_free(crowd);
	ASSERT_EQ(0, breaker_run(self->fd, &op, WEIR_OP_RESET, self->b, NULL, 0, 0));
	ASSERT_EQ(0, breaker_half_open(self->fd, self->b, NULL));
	for (int i = 0; i < PROBES; i++)
		EXPECT_LT(0, breaker_allow(self->fd, self->b, NULL));
	EXPECT_EQ(0, breaker_allow(self->fd, self->b, NULL));
	for (int i = 0; i < PROBES; i++)
		EXPECT_EQ(0, breaker_report(self->fd, self->b, NULL, 0, WEIR_CALL_OK));
	EXPECT_EQ(WEIR_CLOSED, breaker_state(self->fd, self->b, NULL));
}

TEST_HARNESS_MAIN
