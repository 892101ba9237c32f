// SPDX-License-Identifier: GPL-2.0-only
/* Strikes, bans and the ladder (src/limiter/limiter.c), with a clock that the test moves. */

#include <kunit/test.h>

#include "crowd.h"
#include "limiter_fixture.h"
#include "lib/jitter.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define MEMBERS	4
#define KEY	7

/* 1/s; three strikes within 10 s: 20 s, then 60 s; the ladder is forgotten after 100 s */
static const struct weir_limiter_config ladder = {
	.algorithm = WEIR_ALGORITHM_BUCKET,
	.key_type = WEIR_KEY_U64,
	.tokens = 1,
	.period = NSEC_PER_SEC,
	.burst = 1,
	.max_keys = 100,
	.strikes = 3,
	.within = 10ULL * NSEC_PER_SEC,
	.forget_after = 100ULL * NSEC_PER_SEC,
	.nbans = 2,
	.ban = { 20ULL * NSEC_PER_SEC, 60ULL * NSEC_PER_SEC },
};

static unsigned int bans_told(void)
{
	return atomic_read(&fake_events.count[WEIR_EVENT_BANNED]);
}

static bool exists(struct weir_limiter *l)
{
	return weir_table_keys(&l->table);
}

/* The call that causes the third strike bans the key and reports the ban. */
static void ban_in_the_same_call(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;
	int i;

	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	for (i = 1; i <= 2; i++) {
		limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
		KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
		KUNIT_EXPECT_EQ(test, i, op.strikes);
		KUNIT_EXPECT_EQ(test, 0, op.out_flags);
	}
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, WEIR_OUT_BANNED_NOW, op.out_flags);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, op.banned_for);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, op.retry_after);
	KUNIT_EXPECT_EQ(test, 1, op.bans);
	KUNIT_EXPECT_EQ(test, 0, op.strikes);
	KUNIT_EXPECT_EQ(test, 1, bans_told());
	KUNIT_EXPECT_EQ(test, 20 * SECOND, fake_events.value);
	KUNIT_EXPECT_EQ(test, 3, fake_events.more);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, op.out_flags);
	KUNIT_EXPECT_EQ(test, 1, bans_told());
}

/* The ban ends to the ns: the key is banned before retry_after and admitted at it. */
static void ban_ends_on_the_dot(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 3);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	clock_forward(20 * SECOND - 1);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, op.retry_after);
	clock_forward(1);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, op.bans);
}

/* Tokens come back later than the ban ends: retry_after is the later of the two times. */
static void ban_shorter_than_refill(struct kunit *test)
{
	struct weir_limiter_config config = ladder;
	struct weir_limiter *l;
	struct weir_op op;

	config.period = 30 * SECOND;
	l = limiter_new(test, &config);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 3);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, op.banned_for);
	KUNIT_EXPECT_EQ(test, 30 * SECOND, op.retry_after);
	clock_forward(30 * SECOND - 1);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
	clock_forward(1);
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
}

/* Add strikes until the next ban. Return: its length. */
static u64 next_ban(struct weir_limiter *l)
{
	struct weir_op op;

	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 3);
	return op.out_flags & WEIR_OUT_BANNED_NOW ? op.banned_for : 0;
}

static void ban_ladder(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);

	KUNIT_EXPECT_EQ(test, 20 * SECOND, next_ban(l));
	KUNIT_EXPECT_EQ(test, 0, next_ban(l));
	clock_forward(20 * SECOND);
	KUNIT_EXPECT_EQ(test, 60 * SECOND, next_ban(l));
	clock_forward(60 * SECOND);
	KUNIT_EXPECT_EQ(test, 60 * SECOND, next_ban(l));
	/* the ladder is remembered for forget_after, counted from the end of the ban */
	clock_forward((60 + 100) * SECOND);
	KUNIT_EXPECT_EQ(test, 60 * SECOND, next_ban(l));
	clock_forward((60 + 100) * SECOND + 1);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, next_ban(l));
}

/* Jitter for the least and the greatest random number, and for the longest ban. */
static void ban_jitter_ends(struct kunit *test)
{
	const u64 longest = 10 * WEIR_NSEC_PER_YEAR;

	KUNIT_EXPECT_EQ(test, 20ULL, weir_jitter_add(20, 0, 0));
	KUNIT_EXPECT_EQ(test, 20ULL, weir_jitter_add(20, 0, U64_MAX));
	KUNIT_EXPECT_EQ(test, 20ULL, weir_jitter_add(20, 1, U64_MAX >> 1));
	KUNIT_EXPECT_EQ(test, 21ULL, weir_jitter_add(20, 1, 1ULL << 63));
	KUNIT_EXPECT_EQ(test, longest, weir_jitter_add(longest, WEIR_JITTER_MAX, 0));
	KUNIT_EXPECT_EQ(test, 11 * WEIR_NSEC_PER_YEAR,
			weir_jitter_add(longest, WEIR_JITTER_MAX, U64_MAX));
}

/* The longest possible ban: it ends to the ns, and the ladder is remembered from its end. */
static void ban_jitter_longest(struct kunit *test)
{
	struct weir_limiter_config config = ladder;
	struct weir_limiter *l;
	struct weir_op op;
	u64 length;

	config.ban[0] = 10 * WEIR_NSEC_PER_YEAR;
	config.ban[1] = config.ban[0];
	config.forget_after = 10 * WEIR_NSEC_PER_YEAR;
	config.ban_jitter = WEIR_JITTER_MAX;
	l = limiter_new(test, &config);
	length = next_ban(l);
	KUNIT_EXPECT_GE(test, length, 10 * WEIR_NSEC_PER_YEAR);
	KUNIT_EXPECT_LE(test, length, 11 * WEIR_NSEC_PER_YEAR);
	KUNIT_EXPECT_EQ(test, (s64)length, fake_events.value);
	clock_forward(length - 1);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, op.banned_for);
	clock_forward(1);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	/* the second step is remembered until ten years after that end */
	clock_forward(10 * WEIR_NSEC_PER_YEAR);
	next_ban(l);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, 2, op.bans);
}

/* A banned key collects no strikes towards its next ban; the total counts them. */
static void ban_collects_no_strikes(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	struct weir_op op;

	next_ban(l);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 100);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, op.strikes);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, op.banned_for);
	clock_forward(20 * SECOND);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 2);
	KUNIT_EXPECT_NE(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 2, op.strikes);
	weir_keyed_stats_read(&l->obj, &stats);
	KUNIT_EXPECT_EQ(test, 105, stats.strikes);
	KUNIT_EXPECT_EQ(test, 1, stats.bans);
}

static void ban_strikes_fade(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 2);
	clock_forward(15 * SECOND);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, 1, op.strikes);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 1);
	KUNIT_EXPECT_EQ(test, 2, op.strikes);
	clock_forward(20 * SECOND);
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, 0, op.strikes);
	KUNIT_EXPECT_EQ(test, 0, bans_told());
}

/* A ban by hand can be made longer, never shorter. It is no step of the ladder. */
static void ban_by_hand(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	KUNIT_EXPECT_EQ(test, 0, limiter_ban(l, &op, KEY, 50 * SECOND));
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, WEIR_OUT_BANNED_NOW, op.out_flags);
	KUNIT_EXPECT_EQ(test, 0, op.bans);
	KUNIT_EXPECT_EQ(test, 0, fake_events.more);
	KUNIT_EXPECT_EQ(test, 0, limiter_ban(l, &op, KEY, 10 * SECOND));
	KUNIT_EXPECT_EQ(test, 50 * SECOND, op.banned_for);
	KUNIT_EXPECT_EQ(test, 0, op.out_flags);
	KUNIT_EXPECT_EQ(test, 1, bans_told());
	clock_forward(45 * SECOND);
	KUNIT_EXPECT_EQ(test, 0, limiter_ban(l, &op, KEY, 10 * SECOND));
	KUNIT_EXPECT_EQ(test, 10 * SECOND, op.banned_for);
	KUNIT_EXPECT_EQ(test, 2, bans_told());
	clock_forward(10 * SECOND);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, next_ban(l));
}

static void ban_lifted(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	next_ban(l);
	clock_forward(5 * SECOND);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_LIFT, KEY, 0));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, op.banned_for);
	KUNIT_EXPECT_EQ(test, WEIR_EVENT_LIFTED, fake_events.type);
	KUNIT_EXPECT_EQ(test, 15 * SECOND, fake_events.value);
	KUNIT_EXPECT_EQ(test, -ENOENT, limiter_op(l, &op, WEIR_OP_LIFT, KEY, 0));
	/* the ladder is remembered from now on */
	KUNIT_EXPECT_EQ(test, 60 * SECOND, next_ban(l));
}

/* FORGIVE forgets strikes and ladder; a ban stays. */
static void ban_forgiven(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 2);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_FORGIVE, KEY, 0));
	KUNIT_EXPECT_EQ(test, 0, op.strikes);
	next_ban(l);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_FORGIVE, KEY, 0));
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, op.bans);
	clock_forward(20 * SECOND);
	KUNIT_EXPECT_EQ(test, 20 * SECOND, next_ban(l));
}

/* The entry is dropped when no ban, strike or ladder step matters any more, and not before. */
static void ban_entry_stays_in_time(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;

	/* banned by strikes: the entry stays until the ladder is forgotten */
	next_ban(l);
	clock_forward(120 * SECOND);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_TRUE(test, exists(l));
	clock_forward(1);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_FALSE(test, exists(l));
	/* one strike: until the strike has faded */
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 1);
	clock_forward(20 * SECOND - 1);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_TRUE(test, exists(l));
	clock_forward(1);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_FALSE(test, exists(l));
	/* banned by hand: until the ban ends */
	limiter_ban(l, &op, KEY, 50 * SECOND);
	clock_forward(50 * SECOND - 1);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_TRUE(test, exists(l));
	clock_forward(1);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_FALSE(test, exists(l));
	/* forgiven and lifted: dropped at once */
	next_ban(l);
	limiter_op(l, &op, WEIR_OP_FORGIVE, KEY, 0);
	limiter_op(l, &op, WEIR_OP_LIFT, KEY, 0);
	fixture_sweep(&l->table);
	KUNIT_EXPECT_FALSE(test, exists(l));
}

/* The entry of a banned key is never dropped to make room. */
static void ban_outlives_a_flood(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_op op;
	u64 i;

	next_ban(l);
	for (i = 100; i < 1100; i++) {
		clock_forward(SECOND / 50);
		limiter_op(l, &op, WEIR_OP_CHECK, i, 1);
		KUNIT_ASSERT_EQ(test, WEIR_ALLOWED, op.verdict);
	}
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, 1, op.bans);
}

static void ban_live_change(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &ladder);
	struct weir_limiter_config config = ladder;
	struct weir_op op;

	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 2);
	config.strikes = 2;
	KUNIT_EXPECT_EQ(test, 0, limiter_set_config(l, &config, WEIR_SET_STRIKES));
	/* the strikes are kept, and the next one is judged by the new number */
	limiter_op(l, &op, WEIR_OP_PEEK, KEY, 1);
	KUNIT_EXPECT_EQ(test, 2, op.strikes);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	config.strikes = 0;
	config.nbans = 0;
	memset(config.ban, 0, sizeof(config.ban));
	KUNIT_EXPECT_EQ(test, 0, limiter_set_config(l, &config, WEIR_SET_STRIKES));
	limiter_op(l, &op, WEIR_OP_CHECK, KEY, 1);
	KUNIT_EXPECT_EQ(test, WEIR_BANNED, op.verdict);
	clock_forward(20 * SECOND);
	limiter_op(l, &op, WEIR_OP_STRIKE, KEY, 1000);
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1000, op.strikes);
}

/**
 * struct strikers - threads that cause strikes of the same keys
 * @l: the limiter
 * @laid: bans that each member caused
 */
struct strikers {
	struct weir_limiter *l;
	unsigned int laid[MEMBERS];
};

static void strike_work(unsigned int index, void *arg)
{
	struct strikers *s = arg;
	struct weir_op op;
	u64 key;

	for (key = 0; key < 90; key++) {
		/* checks and STRIKE operations in any order */
		limiter_op(s->l, &op, index & 1 ? WEIR_OP_STRIKE : WEIR_OP_CHECK, key, 1);
		s->laid[index] += !!(op.out_flags & WEIR_OUT_BANNED_NOW);
		limiter_op(s->l, &op, WEIR_OP_CHECK, key, 1);
		s->laid[index] += !!(op.out_flags & WEIR_OUT_BANNED_NOW);
	}
}

/* However many threads cause strikes, each key is banned once, by one of them. */
static void ban_has_one_winner(struct kunit *test)
{
	struct strikers *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	unsigned int laid = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->l = limiter_new(test, &ladder);
	crowd_run(test, MEMBERS, strike_work, s);
	for (i = 0; i < MEMBERS; i++)
		laid += s->laid[i];
	weir_keyed_stats_read(&s->l->obj, &stats);
	/*
	 * 8 checks or strikes for each of 90 keys: one check is allowed, three strikes cause the
	 * ban
	 */
	KUNIT_EXPECT_EQ(test, 90, laid);
	KUNIT_EXPECT_EQ(test, 90, stats.bans);
	KUNIT_EXPECT_EQ(test, 90, bans_told());
}

static struct kunit_case ban_cases[] = {
	KUNIT_CASE(ban_in_the_same_call),
	KUNIT_CASE(ban_ends_on_the_dot),
	KUNIT_CASE(ban_shorter_than_refill),
	KUNIT_CASE(ban_ladder),
	KUNIT_CASE(ban_jitter_ends),
	KUNIT_CASE(ban_jitter_longest),
	KUNIT_CASE(ban_collects_no_strikes),
	KUNIT_CASE(ban_strikes_fade),
	KUNIT_CASE(ban_by_hand),
	KUNIT_CASE(ban_lifted),
	KUNIT_CASE(ban_forgiven),
	KUNIT_CASE(ban_entry_stays_in_time),
	KUNIT_CASE(ban_outlives_a_flood),
	KUNIT_CASE(ban_live_change),
	KUNIT_CASE(ban_has_one_winner),
	{}
};

static struct kunit_suite weir_ban_suite = {
	.name = "weir_ban",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = limiter_fixture_init,
	.exit = limiter_fixture_exit,
	.test_cases = ban_cases,
};

kunit_test_suite(weir_ban_suite);
