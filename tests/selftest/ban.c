// SPDX-License-Identifier: GPL-2.0-only
/* ban - strikes, the call in which they cause a ban, the ladder, and how bans end */
#include "harness.h"

#include "client.h"
#include "verdict.h"

#define MS	1000000ULL
#define YEAR	(365 * DAY)

static const __u64 key = 4711;

/* Three strikes cause a ban: of one day, then of two days, then of four days each time. */
FIXTURE(ban) {
	int fd;
	__u32 l;
	__u64 since;
	struct weir_limiter_config config;
};

FIXTURE_SETUP(ban)
{
	struct weir_limiter_config *config = &self->config;

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	*config = limiter_config(WEIR_KEY_U64);
	config->tokens = 1;
	config->strikes = 3;
	config->within = 10 * DAY;
	config->nbans = 3;
	config->ban[0] = DAY;
	config->ban[1] = 2 * DAY;
	config->ban[2] = 4 * DAY;
	config->forget_after = 100 * DAY;
	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "ban", config, &self->l));
}

FIXTURE_TEARDOWN(ban)
{
	close(self->fd);
	objects_wipe();
}

static int run(FIXTURE_DATA(ban) *self, struct weir_op *op, __u16 opcode,
	       __s64 n)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

static int ban_for(FIXTURE_DATA(ban) *self, struct weir_op *op, __u64 ns)
{
	*op = op_make(WEIR_OP_BAN, self->l, 0);
	op->arg = ns;
	op_key(op, &key, sizeof(key));
	return op_run(self->fd, op);
}

static bool totals_are(FIXTURE_DATA(ban) *self, __u64 allowed, __u64 limited,
		       __u64 banned, __u64 strikes, __u64 bans)
{
	struct weir_limiter_stats s;

	if (stats_get(self->fd, self->l, &s))
		return false;
	if (s.allowed == allowed && s.limited == limited &&
	    s.banned == banned && s.strikes == strikes && s.bans == bans)
		return true;
	printf("# allowed %llu limited %llu banned %llu strikes %llu bans %llu\n",
	       (unsigned long long)s.allowed, (unsigned long long)s.limited,
	       (unsigned long long)s.banned, (unsigned long long)s.strikes,
	       (unsigned long long)s.bans);
	return false;
}

TEST_F(ban, limited_checks_strike)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 1, 0, 0, 0));
	for (__u32 i = 1; i < 3; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 1, 0, i, 0));
		EXPECT_EQ(0, op.banned_for);
	}
	EXPECT_TRUE(totals_are(self, 1, 2, 0, 2, 0));
	/* the third strike: banned in the same call, for exactly the first step */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 1, 0, 0, 1));
	EXPECT_EQ(DAY, op.banned_for);
	EXPECT_TRUE(totals_are(self, 1, 2, 1, 3, 1));
	/* later checks are answered "banned" and add no strike */
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 1, 0, 0, 1));
		EXPECT_TRUE(lasts("ban", op.banned_for, DAY, self->since));
		EXPECT_TRUE(lasts("retry", op.retry_after, DAY, self->since));
	}
	EXPECT_TRUE(totals_are(self, 1, 2, 11, 3, 1));
}

/* A check of a banned key is not charged, and the answer shows no charge. */
TEST_F(ban, charges_nothing)
{
	struct weir_op op;

	ASSERT_EQ(0, ban_for(self, &op, DAY));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
		EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 1, 1, 0, 0));
		EXPECT_EQ(0, op.reset_after);
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
		EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 1, 1, 0, 0));
		EXPECT_EQ(0, op.reset_after);
	}
	/* more than the key could ever have, so WEIR_NEVER, whether it is banned or not */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 2));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 1, 0, 0, 0));
}

TEST_F(ban, explicit_strikes)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	EXPECT_EQ(2, op.strikes);
	EXPECT_EQ(0, op.bans);
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(1, op.limit);
	EXPECT_EQ(1, op.remaining);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(DAY, op.banned_for);
	EXPECT_EQ(0, op.strikes);
	EXPECT_EQ(1, op.bans);
	/* while the key is banned, strikes count in the total only */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1000));
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(0, op.strikes);
	EXPECT_EQ(1, op.bans);
	EXPECT_TRUE(lasts("ban", op.banned_for, DAY, self->since));
	EXPECT_TRUE(totals_are(self, 0, 0, 0, 1003, 1));
	/* one strike of weight 3 equals three strikes */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1 << 20));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(DAY, op.banned_for);
}

TEST_F(ban, strikes_and_checks_add_up)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 1, 0, 1, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 1, 0, 2, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 1, 0, 2, 0));
	/* a check with a cost above the limit is answered "limited" */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 5));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 1, 0, 0, 1));
}

TEST_F(ban, numbers_out_of_range)
{
	static const __s64 strikes[] = { 0, -1, (1 << 20) + 1, 1LL << 40 };
	static const __u64 bans[] = { 0, 10 * YEAR + 1, WEIR_NEVER };
	struct weir_limiter_stats stats;
	struct weir_op op;

	for (size_t i = 0; i < ARRAY_SIZE(strikes); i++)
		EXPECT_EQ(-EINVAL, run(self, &op, WEIR_OP_STRIKE, strikes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bans); i++)
		EXPECT_EQ(-EINVAL, ban_for(self, &op, bans[i]));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(0, stats.keys);
	EXPECT_TRUE(totals_are(self, 0, 0, 0, 0, 0));
	EXPECT_EQ(0, ban_for(self, &op, 10 * YEAR));
	EXPECT_EQ(10 * YEAR, op.banned_for);
}

/* Each ban takes the next step; a ban that was lifted has taken its step too. */
TEST_F(ban, ladder)
{
	static const __u64 wanted[] = { DAY, 2 * DAY, 4 * DAY, 4 * DAY, 4 * DAY };
	struct weir_op op;

	for (__u32 i = 0; i < ARRAY_SIZE(wanted); i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
		EXPECT_EQ(0, op.banned_for);
		EXPECT_EQ(2, op.strikes);
		ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
		EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
		EXPECT_EQ(wanted[i], op.banned_for);
		if (i < 3)
			EXPECT_EQ(i + 1, op.bans);
		ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
		EXPECT_EQ(0, op.banned_for);
		EXPECT_EQ(0, op.strikes);
	}
	EXPECT_TRUE(totals_are(self, 0, 0, 0, 15, 5));
}

/*
 * 64 keys: each ban is at least as long as its step, and at most by the jitter longer. Not all have
 * the same length; the probability of that is 1 in (3.6 * 10^12)^63. A ban by hand has no jitter.
 */
TEST_F(ban, jitter)
{
	__u64 least = WEIR_NEVER, most = 0;
	struct weir_op op;

	self->config.ban_jitter = HOUR;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BAN_JITTER,
				 &self->config));
	for (__u64 k = 0; k < 64; k++) {
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->l, 3, &k,
				     sizeof(k)));
		EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
		EXPECT_LE(DAY, op.banned_for);
		EXPECT_GE(DAY + HOUR, op.banned_for);
		least = op.banned_for < least ? op.banned_for : least;
		most = op.banned_for > most ? op.banned_for : most;
	}
	EXPECT_LT(least, most);
	ASSERT_EQ(0, ban_for(self, &op, DAY));
	EXPECT_EQ(DAY, op.banned_for);
	self->config.ban_jitter = 0;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BAN_JITTER,
				 &self->config));
	for (__u64 k = 64; k < 128; k++) {
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->l, 3, &k,
				     sizeof(k)));
		EXPECT_EQ(DAY, op.banned_for);
	}
}

/* The longest jitter is reported, saved and restored exactly. */
TEST_F(ban, jitter_longest)
{
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->l,
				  .buffer = address(buffer),
				  .length = sizeof(buffer) };
	struct weir_load load = { .size = sizeof(load), .handle = self->l,
				  .buffer = address(buffer) };
	struct weir_limiter_config *c = &self->config;
	struct weir_op op;
	__u64 length;

	c->ban[0] = c->ban[1] = c->ban[2] = 10 * YEAR;
	c->ban_jitter = YEAR;
	ASSERT_EQ(0, limiter_set(self->fd, self->l,
				 WEIR_SET_STRIKES | WEIR_SET_BAN_JITTER, c));
	do {	/* until a jitter is at least half of the maximum */
		run(self, &op, WEIR_OP_FORGET, 0);
		ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
		length = op.banned_for;
		EXPECT_LE(10 * YEAR, length);
		EXPECT_GE(11 * YEAR, length);
	} while (length < 10 * YEAR + YEAR / 2);
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	ASSERT_EQ(1, dump.count);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0));
	load.length = dump.length;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_LOAD, &load));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_TRUE(lasts("ban", op.banned_for, length, self->since));
	/* a record with a longer ban is refused */
	((struct weir_entry_info *)buffer)->banned_for = 11 * YEAR + 1;
	load.length = dump.length;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LOAD, &load));
}

TEST_F(ban, forgive)
{
	struct weir_op op;

	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGIVE, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGIVE, 0));
	EXPECT_EQ(0, op.strikes);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	EXPECT_EQ(2, op.strikes);
	EXPECT_EQ(0, op.out_flags);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
	EXPECT_EQ(DAY, op.banned_for);
	/* the ban stays, and the ladder is reset */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGIVE, 0));
	EXPECT_EQ(0, op.bans);
	EXPECT_TRUE(lasts("ban", op.banned_for, DAY, self->since));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
	EXPECT_EQ(DAY, op.banned_for);
	EXPECT_EQ(1, op.bans);
}

TEST_F(ban, lift)
{
	struct weir_op op;

	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
	EXPECT_EQ(1, op.strikes);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	EXPECT_EQ(0, op.strikes);
	EXPECT_EQ(1, op.bans);
	EXPECT_EQ(0, op.banned_for);
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
}

TEST_F(ban, forget)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGET, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_FORGET, 0));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(0, stats.keys);
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_FORGET, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 1, 0, 0, 0));
}

/* A ban can be made longer, not shorter. Only a call that makes it longer counts as a ban. */
TEST_F(ban, the_longest_stands)
{
	struct weir_op op;

	ASSERT_EQ(0, ban_for(self, &op, 5 * DAY));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(5 * DAY, op.banned_for);
	EXPECT_EQ(0, op.bans);
	ASSERT_EQ(0, ban_for(self, &op, DAY));
	EXPECT_EQ(0, op.out_flags);
	EXPECT_TRUE(lasts("ban", op.banned_for, 5 * DAY, self->since));
	EXPECT_TRUE(totals_are(self, 0, 0, 0, 0, 1));
	ASSERT_EQ(0, ban_for(self, &op, 6 * DAY));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(6 * DAY, op.banned_for);
	EXPECT_TRUE(totals_are(self, 0, 0, 0, 0, 2));
}

/* A ban by hand takes no step of the ladder. */
TEST_F(ban, by_hand_climbs_nothing)
{
	struct weir_op op;

	ASSERT_EQ(0, ban_for(self, &op, DAY));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
	EXPECT_EQ(DAY, op.banned_for);
	EXPECT_EQ(1, op.bans);
}

/* If strikes is 0, nothing is banned, and a refused check is no strike. */
TEST_F(ban, not_configured)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u32 l;

	config.tokens = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "ban-none", &config, &l));
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, &key,
				     sizeof(key)));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 1, 0, 0, 0));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, l, 1000, &key,
			     sizeof(key)));
	EXPECT_EQ(1000, op.strikes);
	EXPECT_EQ(0, op.banned_for);
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, &key,
			     sizeof(key)));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 1, 0, 1000, 0));
}

/* A live change keeps the strikes and the bans. */
TEST_F(ban, set_while_in_use)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	config.strikes = 5;
	config.ban[0] = 7 * DAY;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2));
	EXPECT_EQ(4, op.strikes);
	EXPECT_EQ(0, op.out_flags);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	EXPECT_EQ(7 * DAY, op.banned_for);
	config.strikes = 0;
	config.nbans = 0;
	memset(config.ban, 0, sizeof(config.ban));
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	EXPECT_TRUE(lasts("ban", op.banned_for, 7 * DAY, self->since));
}

/* Wait until time has ended the ban. The harness has a deadline. */
static void wait_for_no_ban(FIXTURE_DATA(ban) *self)
{
	struct weir_op op;

	do {
		if (run(self, &op, WEIR_OP_PEEK, 1))
			abort();
	} while (op.verdict == WEIR_BANNED);
}

/* Long after a ban, the next ban takes the first step again... */
TEST_F(ban, ladder_is_forgotten)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;

	config.ban[0] = MS;
	config.forget_after = 1;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES |
				 WEIR_SET_FORGET_AFTER, &config));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
		EXPECT_EQ(MS, op.banned_for);
		EXPECT_EQ(1, op.bans);
		wait_for_no_ban(self);
		/* wait for a later clock reading: the ladder is forgotten 1 ns after the end */
		wait_for_no_ban(self);
	}
}

/* ... before that it takes the next step, although the last ban has ended. */
TEST_F(ban, ladder_is_remembered)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;

	config.ban[0] = MS;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
	EXPECT_EQ(MS, op.banned_for);
	wait_for_no_ban(self);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_EQ(1, op.bans);
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 3));
	EXPECT_EQ(2 * DAY, op.banned_for);
	EXPECT_EQ(2, op.bans);
}

/* Strikes only decrease with time, finally to 0. */
TEST_F(ban, strikes_fade)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;
	__u32 last = 1000;

	config.strikes = 2000;
	config.within = 20 * MS;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_STRIKES |
				 WEIR_SET_WITHIN, &config));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 1000));
	EXPECT_EQ(1000, op.strikes);
	do {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 1));
		ASSERT_LE(op.strikes, last);
		last = op.strikes;
	} while (op.strikes);
	EXPECT_EQ(0, op.banned_for);
}

TEST_HARNESS_MAIN
