// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verdicts and keys (src/limiter/limiter.c, src/limiter/limiter_dump.c), with a clock that the test
 * moves.
 */

#include <kunit/test.h>

#include "crowd.h"
#include "limiter_fixture.h"
#include "prng.h"
#include "table/dump.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define MEMBERS	4

/* 10/s, burst 20 */
static const struct weir_limiter_config plain = {
	.algorithm = WEIR_ALGORITHM_BUCKET,
	.key_type = WEIR_KEY_U64,
	.tokens = 10,
	.period = NSEC_PER_SEC,
	.burst = 20,
	.max_keys = 100,
};

static struct weir_limiter *limiter_of_type(struct kunit *test, u32 key_type,
					    u8 prefix4, u8 prefix6)
{
	struct weir_limiter_config config = plain;

	config.key_type = key_type;
	config.prefix4 = prefix4;
	config.prefix6 = prefix6;
	if (key_type == WEIR_KEY_NONE)
		config.max_keys = 1;
	return limiter_new(test, &config);
}

static void check_verdict(struct kunit *test, const struct weir_op *op, u32 verdict,
			  u64 remaining, u64 retry_after, u64 reset_after)
{
	KUNIT_EXPECT_EQ(test, verdict, op->verdict);
	KUNIT_EXPECT_EQ(test, 20, op->limit);
	KUNIT_EXPECT_EQ(test, remaining, op->remaining);
	KUNIT_EXPECT_EQ(test, retry_after, op->retry_after);
	KUNIT_EXPECT_EQ(test, reset_after, op->reset_after);
}

/* A SET that can make entries idle sooner resets the expiry bounds; any other SET does not. */
static void limiter_set_and_bounds(struct kunit *test)
{
	static const u64 sooner = WEIR_SET_RATE | WEIR_SET_BURST | WEIR_SET_WITHIN |
				  WEIR_SET_FORGET_AFTER;
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_limiter_config config = plain;
	struct weir_op op;
	u64 bit, bound;

	for (bit = WEIR_SET_RATE; bit <= WEIR_SET_BAN_JITTER; bit <<= 1) {
		if (bit == 0x200)
			continue;
		KUNIT_ASSERT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, bit, 1));
		/* each step raises the bounds to the idle times of the entries */
		while (weir_table_step(&l->table))
			;
		bound = weir_expiry_root(&l->table.expiry);
		KUNIT_ASSERT_NE(test, 0, bound);
		KUNIT_ASSERT_EQ(test, 0, limiter_set_config(l, &config, bit));
		KUNIT_EXPECT_EQ_MSG(test, bit & sooner ? 0 : bound,
				    weir_expiry_root(&l->table.expiry), "bit %#llx", bit);
	}
}

static void limiter_verdicts(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_op op;

	/* PEEK creates no entry */
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_PEEK, 1, 1));
	check_verdict(test, &op, WEIR_ALLOWED, 20, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 21));
	check_verdict(test, &op, WEIR_LIMITED, 20, WEIR_NEVER, 0);
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&l->table));
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 15));
	check_verdict(test, &op, WEIR_ALLOWED, 5, 0, 1500 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&l->table));
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_PEEK, 1, 5));
	check_verdict(test, &op, WEIR_ALLOWED, 5, 0, 1500 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 6));
	check_verdict(test, &op, WEIR_LIMITED, 5, 100 * NSEC_PER_MSEC, 1500 * NSEC_PER_MSEC);
	clock_forward(100 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 6));
	check_verdict(test, &op, WEIR_ALLOWED, 0, 0, 2 * SECOND);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_REFUND, 1, 4));
	check_verdict(test, &op, WEIR_ALLOWED, 4, 0, 1600 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_REFUND, 1, U32_MAX));
	check_verdict(test, &op, WEIR_ALLOWED, 20, 0, 0);
	/* another key has its own tokens */
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 2, 20));
	check_verdict(test, &op, WEIR_ALLOWED, 0, 0, 2 * SECOND);
}

static void limiter_absent_key(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_op op;

	KUNIT_EXPECT_EQ(test, -ENOENT, limiter_op(l, &op, WEIR_OP_FORGIVE, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENOENT, limiter_op(l, &op, WEIR_OP_LIFT, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENOENT, limiter_op(l, &op, WEIR_OP_FORGET, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_REFUND, 1, 5));
	check_verdict(test, &op, WEIR_ALLOWED, 20, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&l->table));
	limiter_op(l, &op, WEIR_OP_CHECK, 1, 20);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_FORGET, 1, 0));
	limiter_op(l, &op, WEIR_OP_CHECK, 1, 20);
	check_verdict(test, &op, WEIR_ALLOWED, 0, 0, 2 * SECOND);
}

static void limiter_totals(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	struct weir_op op;
	int i;

	for (i = 0; i < 25; i++)
		limiter_op(l, &op, WEIR_OP_CHECK, 1, 1);
	limiter_op(l, &op, WEIR_OP_PEEK, 1, 1);
	limiter_op(l, &op, WEIR_OP_STRIKE, 1, 7);
	limiter_ban(l, &op, 1, SECOND);
	limiter_op(l, &op, WEIR_OP_CHECK, 1, 1);
	weir_keyed_stats_read(&l->obj, &stats);
	KUNIT_EXPECT_EQ(test, 20, stats.allowed);
	KUNIT_EXPECT_EQ(test, 5, stats.limited);
	KUNIT_EXPECT_EQ(test, 1, stats.banned);
	KUNIT_EXPECT_EQ(test, 7, stats.strikes);
	KUNIT_EXPECT_EQ(test, 1, stats.bans);
	KUNIT_EXPECT_EQ(test, 1, stats.keys);
	KUNIT_EXPECT_EQ(test, 100, stats.max_keys);
}

/* Fill the table with keys that are not idle. */
static void fill(struct weir_limiter *l)
{
	struct weir_op op;
	u64 i;

	for (i = 0; i < 100; i++)
		limiter_op(l, &op, WEIR_OP_CHECK, 1000 + i, 20);
}

static void limiter_full(struct kunit *test)
{
	struct weir_limiter *l = limiter_new(test, &plain);
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	struct weir_op op;

	fill(l);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 1));
	KUNIT_EXPECT_EQ(test, WEIR_FULL, op.verdict);
	KUNIT_EXPECT_EQ(test, -ENOSPC, limiter_op(l, &op, WEIR_OP_STRIKE, 1, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, limiter_ban(l, &op, 1, SECOND));
	/* PEEK returns the verdict of a check and counts nothing */
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_PEEK, 1, 1));
	KUNIT_EXPECT_EQ(test, WEIR_FULL, op.verdict);
	/* keys with an entry are served as usual */
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1000, 1));
	KUNIT_EXPECT_EQ(test, WEIR_LIMITED, op.verdict);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake_events.count[WEIR_EVENT_TABLE_FULL]));
	weir_keyed_stats_read(&l->obj, &stats);
	KUNIT_EXPECT_EQ(test, 3, stats.full);
	KUNIT_EXPECT_EQ(test, 100, stats.keys);
	/* two seconds later all entries are idle: there is room for a hundred others */
	clock_forward(2 * SECOND);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 1));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	weir_keyed_stats_read(&l->obj, &stats);
	KUNIT_EXPECT_GT(test, stats.evicted, 0);
	fill(l);
	limiter_op(l, &op, WEIR_OP_CHECK, 2, 1);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&fake_events.count[WEIR_EVENT_TABLE_FULL]));
}

static void limiter_full_allows(struct kunit *test)
{
	struct weir_limiter_config config = plain;
	struct weir_limiter *l;
	struct weir_op op;

	config.when_full = WEIR_FULL_ALLOW;
	l = limiter_new(test, &config);
	fill(l);
	KUNIT_EXPECT_EQ(test, 0, limiter_op(l, &op, WEIR_OP_CHECK, 1, 1));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, WEIR_OUT_UNTRACKED, op.out_flags);
	KUNIT_EXPECT_EQ(test, 100, weir_table_keys(&l->table));
	KUNIT_EXPECT_EQ(test, -ENOSPC, limiter_op(l, &op, WEIR_OP_STRIKE, 1, 1));
}

/**
 * struct key_row - two addresses, and whether they make the same key
 * @name: name of the row
 * @prefix4: prefix of IPv4 addresses
 * @prefix6: prefix of IPv6 addresses
 * @a: bytes of the first address
 * @b: bytes of the second address
 * @alen: length of @a
 * @blen: length of @b
 * @same: both make the same key
 */
struct key_row {
	const char *name;
	u8 prefix4;
	u8 prefix6;
	u8 alen;
	u8 blen;
	bool same;
	u8 a[16];
	u8 b[16];
};

static const struct key_row key_rows[] = {
	{ "the same", 32, 64, 4, 4, true, { 1, 2, 3, 4 }, { 1, 2, 3, 4 } },
	{ "another", 32, 64, 4, 4, false, { 1, 2, 3, 4 }, { 1, 2, 3, 5 } },
	{ "one net", 24, 64, 4, 4, true, { 1, 2, 3, 4 }, { 1, 2, 3, 5 } },
	{ "two nets", 24, 64, 4, 4, false, { 1, 2, 3, 4 }, { 1, 2, 4, 4 } },
	{ "31 bits, one", 31, 64, 4, 4, true, { 1, 2, 3, 4 }, { 1, 2, 3, 5 } },
	{ "31 bits, two", 31, 64, 4, 4, false, { 1, 2, 3, 5 }, { 1, 2, 3, 6 } },
	{ "1 bit, one", 1, 64, 4, 4, true, { 1, 2, 3, 4 }, { 127, 9, 9, 9 } },
	{ "1 bit, two", 1, 64, 4, 4, false, { 1, 2, 3, 4 }, { 128, 2, 3, 4 } },
	{ "mapped", 32, 64, 4, 16, true, { 1, 2, 3, 4 }, { [10] = 0xff, 0xff, 1, 2, 3, 4 } },
	{ "mapped, another", 32, 64, 4, 16, false,
	  { 1, 2, 3, 4 }, { [10] = 0xff, 0xff, 1, 2, 3, 5 } },
	{ "mapped, one net", 24, 128, 16, 16, true,
	  { [10] = 0xff, 0xff, 1, 2, 3, 4 }, { [10] = 0xff, 0xff, 1, 2, 3, 5 } },
	{ "not mapped", 32, 128, 4, 16, false, { 0 }, { 0 } },
	{ "v6 that begins like v4", 32, 64, 4, 16, false,
	  { 1, 2, 3, 4 }, { 1, 2, 3, 4 } },
	{ "v6, one net", 32, 64, 16, 16, true,
	  { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { 1, 2, 3, 4, 5, 6, 7, 8, 8 } },
	{ "v6, two nets", 32, 64, 16, 16, false,
	  { 1, 2, 3, 4, 5, 6, 7, 8 }, { 1, 2, 3, 4, 5, 6, 7, 9 } },
	{ "v6, 65 bits", 32, 65, 16, 16, false,
	  { 1, 2, 3, 4, 5, 6, 7, 8, 0x80 }, { 1, 2, 3, 4, 5, 6, 7, 8, 0x7f } },
	{ "v6, 128 bits", 32, 128, 16, 16, false,
	  { [15] = 1 }, { [15] = 2 } },
	{ "v6, 127 bits", 32, 127, 16, 16, true,
	  { [0] = 9, [15] = 2 }, { [0] = 9, [15] = 3 } },
};

static void key_describe(const struct key_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(key, key_rows, key_describe);

static void limiter_addresses(struct kunit *test)
{
	const struct key_row *row = test->param_value;
	struct weir_limiter *l = limiter_of_type(test, WEIR_KEY_IP, row->prefix4,
						 row->prefix6);
	struct weir_op op = { .opcode = WEIR_OP_CHECK, .n = 20 };

	KUNIT_EXPECT_EQ(test, 0, limiter_do(l, &op, row->a, row->alen));
	KUNIT_EXPECT_EQ(test, WEIR_ALLOWED, op.verdict);
	KUNIT_EXPECT_EQ(test, 0, limiter_do(l, &op, row->b, row->blen));
	KUNIT_EXPECT_EQ(test, row->same ? WEIR_LIMITED : WEIR_ALLOWED, op.verdict);
}

static void limiter_key_lengths(struct kunit *test)
{
	static const u32 types[] = {
		WEIR_KEY_NONE, WEIR_KEY_U64, WEIR_KEY_IP, WEIR_KEY_TEXT,
	};
	static const u8 bytes[300] = { 1 };
	unsigned int i, len;
	bool valid;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct weir_limiter *l = limiter_of_type(test, types[i], 0, 0);

		for (len = 0; len < sizeof(bytes); len++) {
			struct weir_op op = { .opcode = WEIR_OP_PEEK, .n = 1 };

			valid = types[i] == WEIR_KEY_NONE ? !len :
				types[i] == WEIR_KEY_U64 ? len == 8 :
				types[i] == WEIR_KEY_IP ? len == 4 || len == 16 :
				len && len <= WEIR_KEY_MAX;
			KUNIT_ASSERT_EQ(test, valid ? 0 : -EINVAL,
					limiter_do(l, &op, bytes, len));
		}
	}
}

/* Number of entries that a dump into buffers of @length bytes returns; -1: an error. */
static int dump_count(struct kunit *test, struct weir_limiter *l, u8 *buffer,
		      u64 length)
{
	struct weir_dump args = { .buffer = (uintptr_t)buffer };
	int n = 0;

	while (args.cursor != WEIR_NEVER) {
		args.length = length;
		if (weir_dump_run(&l->obj, &args) || args.length > length)
			return -1;
		n += args.count;
	}
	return n;
}

/*
 * With buffers of any size, a dump returns each key once, including keys that differ in length
 * only.
 */
static void limiter_dumps_each_once(struct kunit *test)
{
	struct weir_limiter *l = limiter_of_type(test, WEIR_KEY_TEXT, 0, 0);
	struct weir_op op = { .opcode = WEIR_OP_CHECK, .n = 1 };
	u8 bytes[WEIR_KEY_MAX] = { 'a' };
	u8 *buffer = kunit_kzalloc(test, 16384, GFP_KERNEL);
	unsigned int len;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	for (len = 1; len <= 90; len++)
		KUNIT_ASSERT_EQ(test, 0, limiter_do(l, &op, bytes, len));
	KUNIT_EXPECT_EQ(test, 90, dump_count(test, l, buffer, 16384));
	KUNIT_EXPECT_EQ(test, 90, dump_count(test, l, buffer, 512));
}

/**
 * struct spenders - a crowd that spends the tokens of one key
 * @l: the limiter
 * @spent: tokens admitted, by member
 * @wrong: impossible answers, by member
 */
struct spenders {
	struct weir_limiter *l;
	u64 spent[MEMBERS];
	unsigned int wrong[MEMBERS];
};

static void spend_work(unsigned int index, void *arg)
{
	struct spenders *s = arg;
	struct prng p = { .state = index };
	struct weir_op op;
	u64 cost;
	int i;

	for (i = 0; i < 3000; i++) {
		cost = prng_between(&p, 1, 3);
		if (limiter_op(s->l, &op, WEIR_OP_CHECK, 1, cost))
			s->wrong[index]++;
		if (op.verdict == WEIR_ALLOWED)
			s->spent[index] += cost;
		else
			s->wrong[index] += op.verdict != WEIR_LIMITED ||
					   op.remaining >= cost;
		if (prng_chance(&p, 1, 20) && s->spent[index] > 2) {
			limiter_op(s->l, &op, WEIR_OP_REFUND, 1, 2);
			s->spent[index] -= 2;
		}
	}
}

/* While the clock stands still, all members together get exactly the burst. */
static void limiter_crowd_gets_the_burst(struct kunit *test)
{
	struct spenders *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct weir_limiter_config config = plain;
	struct weir_op op;
	u64 spent = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	config.burst = 5000;
	s->l = limiter_new(test, &config);
	crowd_run(test, MEMBERS, spend_work, s);
	limiter_op(s->l, &op, WEIR_OP_PEEK, 1, 1);
	for (i = 0; i < MEMBERS; i++) {
		spent += s->spent[i];
		KUNIT_EXPECT_EQ(test, 0, s->wrong[i]);
	}
	KUNIT_EXPECT_EQ(test, 5000, spent + op.remaining);
}

/**
 * struct late - a delayed caller
 * @l: the limiter
 * @key: the key
 * @others: tokens that other callers spend meanwhile
 */
struct late {
	struct weir_limiter *l;
	struct weir_key key;
	u64 others;
};

/*
 * Two seconds pass. If the key has no entry, other callers can spend all of its 20 tokens before
 * the entry is idle again and dropped. If the key has an entry, they cannot.
 */
static void hold_up(void *arg)
{
	struct late *late = arg;

	rcu_read_lock();
	if (!weir_table_find(&late->l->table, &late->key))
		late->others += 20;
	rcu_read_unlock();
	clock_forward(2 * SECOND);
}

/* Continue with a key that has no entry. */
static void late_for(struct late *late, u64 number)
{
	rcu_read_lock();
	weir_limiter_key(late->l, (u8 *)&number, sizeof(number), &late->key);
	rcu_read_unlock();
	late->others = 0;
}

/*
 * The caller is delayed at any reading of the clock. No more is admitted than the burst of 20 and
 * what comes back in 2 s at 10/s.
 */
static void limiter_late_caller(struct kunit *test)
{
	struct late late = { .l = limiter_new(test, &plain) };
	u64 number, admitted;
	struct weir_op op;
	int n, left = 0;

	fake_clock_points.work = hold_up;
	fake_clock_points.arg = &late;
	for (n = 1; !left; n++) {
		number = n;
		late_for(&late, number);
		fake_clock_points.left = n;
		KUNIT_ASSERT_EQ(test, 0, limiter_op(late.l, &op, WEIR_OP_CHECK, number, 20));
		left = fake_clock_points.left;
		fake_clock_points.left = 0;
		admitted = late.others + (op.verdict == WEIR_ALLOWED ? 20 : 0);
		limiter_op(late.l, &op, WEIR_OP_CHECK, number, 20);
		admitted += op.verdict == WEIR_ALLOWED ? 20 : 0;
		KUNIT_EXPECT_LE(test, admitted, 40);
	}
	KUNIT_EXPECT_GT(test, n, 2);
}

static struct kunit_case limiter_cases[] = {
	KUNIT_CASE(limiter_set_and_bounds),
	KUNIT_CASE(limiter_verdicts),
	KUNIT_CASE(limiter_absent_key),
	KUNIT_CASE(limiter_totals),
	KUNIT_CASE(limiter_full),
	KUNIT_CASE(limiter_full_allows),
	KUNIT_CASE_PARAM(limiter_addresses, key_gen_params),
	KUNIT_CASE(limiter_key_lengths),
	KUNIT_CASE(limiter_dumps_each_once),
	KUNIT_CASE(limiter_crowd_gets_the_burst),
	KUNIT_CASE(limiter_late_caller),
	{}
};

static struct kunit_suite weir_limiter_suite = {
	.name = "weir_limiter",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = limiter_fixture_init,
	.exit = limiter_fixture_exit,
	.test_cases = limiter_cases,
};

kunit_test_suite(weir_limiter_suite);
