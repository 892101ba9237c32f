// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys cut anew (src/limiter/limiter_prefix.c, src/limiter/limiter_merge.c): what a merged entry refuses,
 * and operations that were held up while the prefix changed.
 */

#include "limiter_copy.h"

#include <linux/workqueue.h>

#include "prng.h"
#include "suites.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define ROUNDS	300

/* 10/s, at most 20 at once; three strikes within 10 s: 20 s, then a minute, then two */
static const struct weir_limiter_config plain = {
	.algorithm = WEIR_ALGORITHM_BUCKET,
	.key_type = WEIR_KEY_IP,
	.tokens = 10,
	.period = NSEC_PER_SEC,
	.burst = 20,
	.max_keys = 100,
	.strikes = 3,
	.within = 10 * SECOND,
	.forget_after = 100 * SECOND,
	.nbans = 3,
	.ban = { 20 * SECOND, 60 * SECOND, 120 * SECOND },
};

/**
 * struct state - an entry that is in no table
 * @word: its word
 * @e: it, all but the key
 */
struct state {
	u64 word;
	struct weir_entry e;
};

static void state_draw(struct prng *p, const struct weir_policy *policy, u64 now,
		       struct state *s)
{
	u64 at = now - min(now, prng_magnitude(p, 200 * SECOND));
	struct weir_decision d;
	int i;

	*s = (struct state){ .word = weir_rate_fresh(&policy->rate, at) };
	for (i = prng_below(p, 4); i; i--) {
		at += prng_below(p, now - at + 1);
		weir_rate_decide(&policy->rate, s->word, at,
				 prng_magnitude(p, policy->rate.limit), &d);
		s->word = d.word;
		if (prng_chance(p, 1, 2))
			s->e.score = weir_score_add(&policy->score, s->e.score, at,
						    prng_between(p, 1, 4));
	}
	if (prng_chance(p, 1, 2)) {
		s->e.ban_until = now + prng_magnitude(p, 200 * SECOND);
		s->e.ban_until -= min(s->e.ban_until, prng_magnitude(p, 200 * SECOND));
		s->e.bans = prng_below(p, 4);
	}
}

static struct weir_op state_peek_at(const struct weir_policy *p, const struct state *s,
				    u64 at, u64 cost)
{
	struct weir_op op = {};

	weir_limiter_state(p, &s->e, s->word, at, cost, &op);
	return op;
}

/* Strike a copy: when it is banned until then. */
static u64 struck(struct weir_limiter *l, const struct state *s, u64 at, u32 weight)
{
	struct state copy = *s;
	struct weir_op op = { .opcode = WEIR_OP_STRIKE, .n = weight };
	struct weir_key key = {};
	struct weir_limiter_call call = { .l = l, .op = &op, .key = &key, .now = at };

	rcu_read_lock();
	call.p = rcu_dereference(l->policy);
	weir_limiter_strike(&call, &copy.e, weight);
	rcu_read_unlock();
	return copy.e.ban_until;
}

/* At a time from the merge on: what one of them refuses the merged one refuses. */
static void check_stricter(struct kunit *test, struct weir_limiter *l,
			   const struct weir_policy *p, const struct state *one,
			   const struct state *both, u64 at, u64 cost, u32 weight)
{
	struct weir_op a = state_peek_at(p, one, at, cost);
	struct weir_op m = state_peek_at(p, both, at, cost);

	if (a.verdict != WEIR_ALLOWED)
		KUNIT_ASSERT_NE(test, WEIR_ALLOWED, m.verdict);
	KUNIT_ASSERT_LE(test, m.remaining, a.remaining);
	KUNIT_ASSERT_GE(test, m.banned_for, a.banned_for);
	KUNIT_ASSERT_GE(test, m.retry_after, a.retry_after);
	/* who is banned collects no strikes */
	if (!m.banned_for) {
		KUNIT_ASSERT_GE(test, m.strikes, a.strikes);
		KUNIT_ASSERT_GE(test, struck(l, both, at, weight),
				struck(l, one, at, weight));
	}
}

static void merge_with(struct kunit *test, u32 algorithm, u64 seed)
{
	struct weir_limiter_config config = plain;
	struct prng p = prng_seed(test, seed);
	const struct weir_policy *policy;
	struct state a, b, both;
	struct weir_limiter *l;
	u64 now, at;
	int i, j;

	config.algorithm = algorithm;
	if (algorithm != WEIR_ALGORITHM_BUCKET) {
		config.period = 30 * SECOND;
		config.burst = 0;
	}
	l = limiter_new(test, &config);
	policy = rcu_dereference_protected(l->policy, true);
	for (i = 0; i < ROUNDS; i++) {
		now = prng_magnitude(&p, 1000 * SECOND);
		state_draw(&p, policy, now, &a);
		state_draw(&p, policy, now, &b);
		both = a;
		both.word = weir_limiter_merge(policy, &both.e, a.word, &b.e, b.word, now);
		/* now it is just as strict as that one of them, in each member */
		KUNIT_ASSERT_EQ(test, max(a.e.ban_until, b.e.ban_until), both.e.ban_until);
		KUNIT_ASSERT_EQ(test, weir_limiter_strikes(policy, &both.e, now),
				max(weir_limiter_strikes(policy, &a.e, now),
				    weir_limiter_strikes(policy, &b.e, now)));
		KUNIT_ASSERT_LE(test, both.e.bans, max(a.e.bans, b.e.bans));
		for (j = 0, at = now; j < 10; j++) {
			u64 cost = prng_magnitude(&p, policy->rate.limit);
			u32 weight = prng_between(&p, 1, 3);

			check_stricter(test, l, policy, &a, &both, at, cost, weight);
			check_stricter(test, l, policy, &b, &both, at, cost, weight);
			at += prng_magnitude(&p, 30 * SECOND) - 1;
		}
		/* with one that nothing is known of it is as it was */
		both = a;
		b = (struct state){ .word = weir_rate_fresh(&policy->rate, now) };
		both.word = weir_limiter_merge(policy, &both.e, a.word, &b.e, b.word, now);
		check_stricter(test, l, policy, &both, &a, now, 1, 1);
		check_stricter(test, l, policy, &a, &both, now, 1, 1);
	}
}

static void merge_buckets(struct kunit *test)
{
	merge_with(test, WEIR_ALGORITHM_BUCKET, 0x5eed0b01);
}

static void merge_windows(struct kunit *test)
{
	merge_with(test, WEIR_ALGORITHM_WINDOW, 0x5eed0b02);
}

static void merge_sliding_windows(struct kunit *test)
{
	merge_with(test, WEIR_ALGORITHM_SLIDING, 0x5eed0b03);
}

static int spend(struct weir_limiter *l, struct weir_op *op, u16 opcode, u8 host, s64 n)
{
	const u8 ip[4] = { 10, 0, 0, host };

	*op = (struct weir_op){ .opcode = opcode, .n = n, .arg = opcode == WEIR_OP_RESERVE };
	return limiter_do(l, op, ip, sizeof(ip));
}

/* While somebody asks for memory: the prefix becomes the shorter one. */
static void shorten(void *arg)
{
	struct weir_limiter_config config = { .prefix4 = 24 };

	limiter_set_config(arg, &config, WEIR_SET_PREFIX);
}

/* The other way, and back: the key is as it was, but there is nothing left. */
static void shorten_and_back(void *arg)
{
	struct weir_limiter_config config = { .prefix4 = 32 };

	shorten(arg);
	limiter_set_config(arg, &config, WEIR_SET_PREFIX);
}

/* Have @work done when the next entry is asked for. */
static void hold_up(struct weir_limiter *l, void (*work)(void *arg))
{
	copy_alloc_points.work = work;
	copy_alloc_points.arg = l;
	copy_alloc_points.left = 1;
}

/* Who had his key cut before finds the merged one, in which nothing is left. */
static void prefix_held_up(struct kunit *test, u16 opcode)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_op op;

	KUNIT_ASSERT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 1, 20));
	hold_up(l, shorten);
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, opcode, 2, 20));
	KUNIT_EXPECT_EQ(test, 0, copy_alloc_points.left);
	KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&l->table));
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 2, 1));
	KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
	/* and back: all of it is forgotten, so who comes then is the first */
	limiter_set_config(l, &plain, WEIR_SET_PREFIX);
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&l->table));
	hold_up(l, shorten);
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, opcode, 3, 20));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 4, 1));
	KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&l->table));
}

static void prefix_check_held_up(struct kunit *test)
{
	prefix_held_up(test, WEIR_OP_CHECK);
}

static void prefix_reserve_held_up(struct kunit *test)
{
	prefix_held_up(test, WEIR_OP_RESERVE);
}

/* Two changes while he was held up: there is room again where he had found none. */
static void prefix_two_changes(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_op op;

	KUNIT_ASSERT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 1, 20));
	hold_up(l, shorten_and_back);
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 2, 20));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&l->table));
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 1, 20));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
}

/* Meanwhile nothing is done to any key; who cannot wait is told so. */
static void prefix_nothing_meanwhile(struct kunit *test)
{
	static const u8 ip[4] = { 10, 0, 0, 1 };
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_key key;
	struct weir_op op;
	u16 opcode;

	KUNIT_ASSERT_EQ(test, 0, spend(l, &op, WEIR_OP_CHECK, 1, 20));
	rcu_assign_pointer(l->rules, &weir_rules_moving);
	for (opcode = WEIR_OP_CHECK; opcode <= WEIR_OP_RESERVE; opcode++) {
		op = (struct weir_op){ .opcode = opcode, .n = 1 };
		rcu_read_lock();
		KUNIT_EXPECT_EQ(test, 0, weir_limiter_key(l, ip, sizeof(ip), &key));
		KUNIT_EXPECT_EQ(test, WEIR_OP_SLOW, weir_limiter_op(l, &op, &key));
		if (opcode != WEIR_OP_RESERVE)
			KUNIT_EXPECT_EQ(test, -EBUSY,
					weir_limiter_op_slow(l, &op, &key, GFP_NOWAIT));
		rcu_read_unlock();
		KUNIT_EXPECT_EQ(test, 0, op.verdict);
	}
	RCU_INIT_POINTER(l->rules, NULL);
	KUNIT_EXPECT_EQ(test, 0, spend(l, &op, WEIR_OP_PEEK, 1, 1));
	KUNIT_EXPECT_EQ(test, 0, op.remaining);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&l->table));
}

/**
 * struct change - of a prefix, whose end comes by itself
 * @l: the limiter
 * @end: brings it
 * @over: it has come
 */
struct change {
	struct weir_limiter *l;
	struct delayed_work end;
	bool over;
};

static void change_end(struct work_struct *work)
{
	struct change *c = container_of(to_delayed_work(work), struct change, end);

	WRITE_ONCE(c->over, true);
	/* a release: who finds the rules sees that it is over */
	rcu_assign_pointer(c->l->rules, NULL);
	wake_up_all(&c->l->rest);
}

/* While entries may stand elsewhere, none is shown: a dump begins when they do not. */
static void prefix_dump_waits(struct kunit *test)
{
	struct change c = { .l = limiter_new(test, &plain) };
	u64 buffer[512 / sizeof(u64)];
	struct weir_dump args = { .buffer = (uintptr_t)buffer, .length = sizeof(buffer) };
	struct weir_op op;

	KUNIT_ASSERT_EQ(test, 0, spend(c.l, &op, WEIR_OP_CHECK, 1, 20));
	INIT_DELAYED_WORK_ONSTACK(&c.end, change_end);
	rcu_assign_pointer(c.l->rules, &weir_rules_moving);
	schedule_delayed_work(&c.end, HZ / 5);
	KUNIT_EXPECT_EQ(test, 0, weir_limiter_dump(&c.l->obj, &args));
	KUNIT_EXPECT_TRUE(test, READ_ONCE(c.over));
	KUNIT_EXPECT_EQ(test, 1, args.count);
	flush_delayed_work(&c.end);
	destroy_delayed_work_on_stack(&c.end);
}

static struct kunit_case prefix_cases[] = {
	KUNIT_CASE(merge_buckets),
	KUNIT_CASE(merge_windows),
	KUNIT_CASE(merge_sliding_windows),
	KUNIT_CASE(prefix_check_held_up),
	KUNIT_CASE(prefix_reserve_held_up),
	KUNIT_CASE(prefix_two_changes),
	KUNIT_CASE(prefix_nothing_meanwhile),
	KUNIT_CASE(prefix_dump_waits),
	{}
};

struct kunit_suite weir_limiter_prefix_suite = {
	.name = "weir_limiter_prefix",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = limiter_copy_init,
	.exit = limiter_copy_exit,
	.test_cases = prefix_cases,
};
