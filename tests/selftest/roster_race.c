// SPDX-License-Identifier: GPL-2.0-only
/*
 * roster_race - many processes use one key or one roster at the same time
 *
 * One of several concurrent claims succeeds. The maximum is never exceeded. Of a submission all
 * leases exist or none. An expiry and a touch happen one before the other.
 */
#include "harness.h"

#include <signal.h>
#include <sys/wait.h>

#include "random.h"
#include "roster.h"

#define CROWD	8

struct shared {
	_Atomic long winners, losers, bad, gone, full, expired;
	_Atomic long holder;
	_Atomic unsigned int round;
	_Atomic unsigned long version;
	_Atomic long error;	/* one of the errors that must not occur */
};

FIXTURE(race) {
	int fd;
	__u32 r;
	struct shared *s;
};

FIXTURE_SETUP(race)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 8);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, roster_create(self->fd, OURS "race", &config, &self->r));
	self->s = shared_memory(sizeof(*self->s));
}

FIXTURE_TEARDOWN(race)
{
	close(self->fd);
	objects_wipe();
}

/* ------------------------------------------------------------ one claim succeeds */

/* The owner of the lease sets a flag and clears it. No other process may do so meanwhile. */
static int claim_and_leave(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct shared *s = self->s;
	unsigned long version = 0;
	unsigned int seed = me + 1;
	struct weir_op op;
	__u32 r;
	int fd = roster_enter(OURS "race", &r);

	(void)crowd;
	for (int i = 0; i < scaled(4000); i++) {
		int ret = lease_run(fd, &op, WEIR_OP_CLAIM, r, "one", 0, 0);

		if (ret == -EEXIST) {
			s->losers++;
			/*
			 * the answer names a member as owner, with a version not lower than
			 * before
			 */
			if (!op.pid || op.version < version || op.out_flags)
				s->bad++;
			version = op.version;
			continue;
		}
		if (ret || op.version <= version || s->holder++)
			s->bad++;
		version = op.version;
		s->winners++;
		if (next(&seed) % 4 == 0)
			sched_yield();
		s->holder--;
		/* it ends by a REMOVE, or with its owner */
		if (i % 2) {
			if (lease_remove(fd, r, "one"))
				s->bad++;
		} else {
			close(fd);
			fd = roster_enter(OURS "race", &r);
		}
	}
	return 0;
}

TEST_F_TIMEOUT(race, one_winner, 400)
{
	struct crowd *crowd = crowd_make(CROWD);
	struct weir_roster_stats stats;

	EXPECT_EQ(0, crowd_run(crowd, claim_and_leave, self));
	stats = roster_stats(self->fd, self->r);
	EXPECT_EQ(0, self->s->bad);
	EXPECT_LT(0, self->s->winners);
	EXPECT_EQ(self->s->winners, stats.claimed);
	EXPECT_EQ(self->s->losers, stats.refused);
	EXPECT_EQ(stats.claimed, stats.removed + stats.lost);
	EXPECT_EQ(0, stats.members);
	TH_LOG("%ld won, %ld lost", (long)self->s->winners, (long)self->s->losers);
	crowd_free(crowd);
}

/* ------------------------------------------------------------ replace */

static int count_up(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	unsigned long value = 0;
	struct weir_op op;

	(void)crowd;
	(void)me;
	for (int i = 0; i < scaled(1000);) {
		if (lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "n", &value,
				    sizeof(value), 0, 0))
			return 1;
		value++;
		switch (lease_run_value(self->fd, &op, WEIR_OP_REPLACE, self->r, "n", &value,
					sizeof(value), op.version, 0)) {
		case 0:
			i++;
		case -ESTALE:
			break;
		default:
			return 2;
		}
	}
	return 0;
}

/* No success is lost: the number of versions equals that of successes. */
TEST_F_TIMEOUT(race, replace, 400)
{
	struct crowd *crowd = crowd_make(CROWD);
	unsigned long value = 0, all = CROWD * scaled(1000);
	struct weir_op op;

	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, "n", &value,
				     sizeof(value), 0, 0));
	EXPECT_EQ(0, crowd_run(crowd, count_up, self));
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "n", &value,
				     sizeof(value), 0, 0));
	EXPECT_EQ(all, value);
	EXPECT_EQ(1 + all, op.version);
	crowd_free(crowd);
}

/* ------------------------------------------------------------ max */

/* Hold up to two lasting leases at a time, and make some that expire soon. */
static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct shared *s = self->s;
	unsigned int seed = me + 1, have = 0;
	struct weir_op op;
	char key[2][32];
	__u32 r;
	int fd = roster_enter(OURS "race", &r), ret;

	(void)crowd;
	for (int i = 0; i < scaled(5000); i++) {
		snprintf(key[have], sizeof(key[0]), "%u-%d", me, i % 5);
		if (next(&seed) % 3 == 0) {
			ret = lease_run(fd, &op, WEIR_OP_CLAIM, r, key[have], 0, 1000);
		} else {
			ret = lease_claim(fd, r, key[have]);
			have += !ret;
			s->winners += !ret;
			/* there are never nine live leases */
			if (!ret && ++s->holder > 8)
				s->bad++;
		}
		if (ret == -ENOSPC)
			s->full++;
		else if (ret && ret != -EEXIST)
			s->bad++;
		if (have < 2)
			continue;
		sched_yield();
		while (have) {
			s->holder--;
			if (lease_remove(fd, r, key[--have]))
				s->bad++;
		}
	}
	s->holder -= have;
	return 0;
}

static int look(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;

	(void)me;
	while (!crowd->flag)
		if (roster_stats(self->fd, self->r).members > 8)
			self->s->bad++;
	return 0;
}

TEST_F_TIMEOUT(race, max, 400)
{
	struct crowd *crowd = crowd_make(12), *reader = crowd_make(1);

	crowd_spawn(reader, look, self);
	crowd_start(reader);
	EXPECT_EQ(0, crowd_run(crowd, come_and_go, self));
	reader->flag = 1;
	EXPECT_EQ(0, crowd_wait(reader));
	EXPECT_EQ(0, self->s->bad);
	EXPECT_LT(0, self->s->winners);
	EXPECT_LT(0, self->s->full);
	EXPECT_EQ(self->s->full, roster_stats(self->fd, self->r).full);
	TH_LOG("%ld claims, %ld refused", (long)self->s->winners, (long)self->s->full);
	crowd_free(crowd);
	crowd_free(reader);
}

/* ------------------------------------------------------------ expiry */

#define BRIEF	300000ULL

/*
 * One process extends a lease that is about to expire, repeatedly, or finds it expired and makes
 * another. A lease must not end before the reported time.
 */
static int keep_alive(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct shared *s = self->s;
	unsigned int seed = me + 1;
	struct weir_op op, seen;
	char key[8];
	int ret;

	(void)crowd;
	snprintf(key, sizeof(key), "k%u", me);
	for (int i = 0; i < scaled(3000); i++) {
		__u64 begun = info_get(self->fd).now;

		ret = lease_run(self->fd, &op, i % 2 ? WEIR_OP_TOUCH : WEIR_OP_PUT, self->r, key,
				0, BRIEF);
		if (ret == -ENOENT && i % 2) {
			s->gone++;
			continue;
		}
		if (ret) {
			s->bad++;
			continue;
		}
		ret = lease_run(self->fd, &seen, WEIR_OP_LEASE_GET, self->r, key, 0, 0);
		/* the lease may be gone after its TTL, and not before */
		if (ret == -ENOENT && info_get(self->fd).now >= begun + BRIEF)
			s->expired++;
		else if (ret || seen.version != op.version || seen.left > BRIEF || !seen.left)
			s->bad++;
		if (next(&seed) % 2)
			usleep(next(&seed) % 500);
	}
	return 0;
}

/* Other processes claim expired leases, and no others. */
static int take_over(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	unsigned int seed = me + 99;
	struct weir_op op;
	char key[8];
	__u32 r;
	int fd = roster_enter(OURS "race", &r);

	while (!crowd->flag) {
		__u64 begun = info_get(fd).now;

		snprintf(key, sizeof(key), "k%u", next(&seed) % 4);
		/* the lease may have been made after the clock was read */
		if (lease_run(fd, &op, WEIR_OP_LEASE_GET, r, key, 0, 0) == 0 &&
		    (!op.left || op.left > BRIEF + info_get(fd).now - begun))
			self->s->bad++;
		roster_stats(fd, r);
	}
	return 0;
}

TEST_F_TIMEOUT(race, expiry, 400)
{
	struct crowd *crowd = crowd_make(4), *others = crowd_make(3);
	struct weir_roster_stats stats;
	int events = client_open(O_RDONLY);

	fcntl(events, F_SETFL, O_NONBLOCK);
	crowd_spawn(others, take_over, self);
	crowd_start(others);
	EXPECT_EQ(0, crowd_run(crowd, keep_alive, self));
	others->flag = 1;
	EXPECT_EQ(0, crowd_wait(others));
	stats = roster_stats(self->fd, self->r);
	EXPECT_EQ(0, self->s->bad);
	EXPECT_LT(0, self->s->gone);
	/* each lease was lost once; the last ones may still exist */
	EXPECT_EQ(stats.claimed, stats.lost + stats.members);
	TH_LOG("%ld gone before they were touched, %ld before they were seen",
	       (long)self->s->gone, (long)self->s->expired);
	close(events);
	crowd_free(crowd);
	crowd_free(others);
}

/* ------------------------------------------------------------ several claims at once */

#define KEYS 5

static const char *const names[KEYS] = { "name", "config", "group1", "group2", "group3" };

/*
 * Claim all five keys in one submission, in random order. On success, check that this process has
 * all of them.
 */
static int claim_all(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct shared *s = self->s;
	struct weir_op ops[KEYS];
	unsigned int seed = me + 1;
	__u32 r;
	int fd = roster_enter(OURS "race", &r);

	(void)crowd;
	for (int i = 0; i < scaled(3000); i++) {
		unsigned int from = next(&seed) % KEYS, n = 2 + next(&seed) % 4;
		int ret;

		for (unsigned int k = 0; k < n; k++)
			ops[k] = lease_make(WEIR_OP_CLAIM, r, names[(from + k) % KEYS], 0, 0);
		ret = claims_run(fd, ops, n);
		if (ret == -EEXIST) {
			s->losers++;
			continue;
		}
		if (ret) {
			s->bad++;
			continue;
		}
		s->winners++;
		for (unsigned int k = 0; k < n; k++)
			if (lease_remove(fd, r, names[(from + k) % KEYS]))
				s->bad++;
	}
	return 0;
}

TEST_F_TIMEOUT(race, claims, 400)
{
	struct crowd *crowd = crowd_make(CROWD);
	struct weir_roster_stats stats;

	EXPECT_EQ(0, crowd_run(crowd, claim_all, self));
	stats = roster_stats(self->fd, self->r);
	EXPECT_EQ(0, self->s->bad);
	EXPECT_LT(0, self->s->winners);
	EXPECT_LT(0, self->s->losers);
	EXPECT_EQ(stats.claimed, stats.removed);
	EXPECT_EQ(0, stats.members);
	TH_LOG("%ld made, %ld not", (long)self->s->winners, (long)self->s->losers);
	crowd_free(crowd);
}

/* Claim and end two keys only together: a reader that sees the first sees the second. */
static int pair_maker(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;

	(void)crowd;
	(void)me;
	for (int i = 0; i < scaled(20000); i++) {
		struct weir_op ops[2];
		char first[32], second[32];
		__u64 ttl = 2000000;

		snprintf(first, sizeof(first), "a%d", i % 4);
		snprintf(second, sizeof(second), "b%d", i % 4);
		ops[0] = lease_make_detached(WEIR_OP_CLAIM, self->r, first, ttl);
		ops[1] = lease_make_detached(WEIR_OP_CLAIM, self->r, second, ttl);
		if (claims_run(self->fd, ops, 2) == 0)
			self->s->winners++;
	}
	return 0;
}

/*
 * Both leases expire at the same moment. If the first one still has time left after the second was
 * looked for, the second must have been found, from the same submission or a later one.
 */
static int pair_looker(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct weir_op a, b;
	char key[8];

	for (unsigned int i = me; !crowd->flag; i++) {
		__u64 begun = info_get(self->fd).now;
		bool flip = i / 4 % 2;

		snprintf(key, sizeof(key), "%c%d", flip ? 'a' : 'b', i % 4);
		if (lease_run(self->fd, &a, WEIR_OP_LEASE_GET, self->r, key, 0, 0))
			continue;
		snprintf(key, sizeof(key), "%c%d", flip ? 'b' : 'a', i % 4);
		if (!lease_run(self->fd, &b, WEIR_OP_LEASE_GET, self->r, key, 0, 0)) {
			self->s->losers++;
			continue;
		}
		if (info_get(self->fd).now < begun + a.left)
			self->s->bad++;
	}
	return 0;
}

TEST_F_TIMEOUT(race, pairs, 400)
{
	struct crowd *makers = crowd_make(2), *lookers = crowd_make(3);

	crowd_spawn(lookers, pair_looker, self);
	crowd_start(lookers);
	EXPECT_EQ(0, crowd_run(makers, pair_maker, self));
	lookers->flag = 1;
	EXPECT_EQ(0, crowd_wait(lookers));
	EXPECT_EQ(0, self->s->bad);
	EXPECT_LT(0, self->s->winners);
	EXPECT_LT(0, self->s->losers);
	TH_LOG("%ld pairs made, %ld seen", (long)self->s->winners, (long)self->s->losers);
	crowd_free(makers);
	crowd_free(lookers);
}

/* ------------------------------------------------------------ delete during all other calls */

static int anything(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	static const __u16 opcodes[] = { WEIR_OP_CLAIM, WEIR_OP_PUT, WEIR_OP_TOUCH,
					 WEIR_OP_REMOVE, WEIR_OP_LEASE_GET, WEIR_OP_CLAIM };
	unsigned int seed = me + 1;
	struct weir_op op, ops[2];
	__u32 r = 0;
	int fd = -1;

	while (!crowd->flag) {
		const char *key = names[next(&seed) % KEYS];
		int ret;

		if (fd < 0 || next(&seed) % 64 == 0) {
			if (fd >= 0)
				close(fd);
			fd = client_open(O_RDWR);
			r = 0;
		}
		if (!r && object_open(fd, WEIR_KIND_ROSTER, OURS "mortal", WEIR_RIGHT_ALL, &r)) {
			r = 0;
			continue;
		}
		if (next(&seed) % 4) {
			ret = lease_run(fd, &op, opcodes[next(&seed) % 6], r, key, 0,
					0);
		} else {
			ops[0] = lease_make(WEIR_OP_CLAIM, r, names[0], 0, 100000);
			ops[1] = lease_make(WEIR_OP_CLAIM, r, names[1], 0, 0);
			ret = claims_run(fd, ops, 2);
		}
		if (ret == -ENODEV) {
			/* closing the handle frees the grants of the deleted roster */
			handle_close(fd, r);
			r = 0;
			self->s->gone++;
		} else if (ret && ret != -EEXIST && ret != -ENOENT) {
			self->s->error = ret;
			self->s->bad++;
		} else {
			self->s->winners++;
		}
	}
	return 0;
}

TEST_F_TIMEOUT(race, delete, 400)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 8);
	struct crowd *crowd = crowd_make(CROWD);
	__u32 r;

	config.ttl = 200000;
	crowd_spawn(crowd, anything, self);
	crowd_start(crowd);
	for (int i = 0; i < scaled(1000); i++) {
		ASSERT_EQ(0, roster_create(self->fd, OURS "mortal", &config, &r));
		usleep(i % 8 * 200);
		ASSERT_EQ(0, object_delete(self->fd, r));
		ASSERT_EQ(0, handle_close(self->fd, r));
	}
	crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	EXPECT_EQ(0, self->s->bad) {
		TH_LOG("errno %ld", (long)self->s->error);
	}
	EXPECT_LT(0, self->s->gone);
	EXPECT_LT(0, self->s->winners);
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
