// SPDX-License-Identifier: GPL-2.0-only
/* Counters (src/counter/counter.c), used by one CPU, and by all CPUs and contexts at once. */

#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "crowd.h"
#include "point.h"

static struct points points;

/* a reader can be interrupted after each value that it reads */
#undef READ_ONCE
#define READ_ONCE(x)					\
({							\
	__auto_type _read = (x);			\
							\
	barrier();					\
	point_pass(&points);				\
	_read;						\
})

#include "../src/counter/counter.c"

#include "prng.h"

#define MEMBERS	4
#define ROUNDS	2000

static struct weir_counter *counter_new(struct kunit *test, u32 type,
					unsigned int nfields)
{
	struct weir_counter *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	test->priv = c;
	c->obj.type = type;
	c->nfields = nfields;
	KUNIT_ASSERT_EQ(test, 0, weir_counter_build(&c->obj));
	return c;
}

static int counter_kunit_init(struct kunit *test)
{
	test->priv = NULL;
	return 0;
}

static void counter_kunit_exit(struct kunit *test)
{
	struct weir_counter *c = test->priv;

	if (c)
		weir_counter_release(&c->obj);
	test->priv = NULL;
}

static void counter_starts_at_zero(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, WEIR_FIELDS_MAX);
	u64 *values = kunit_kcalloc(test, WEIR_FIELDS_MAX, sizeof(*values), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, values);
	memset(values, 0xff, WEIR_FIELDS_MAX * sizeof(*values));
	weir_counter_read(c, values, false);
	for (i = 0; i < WEIR_FIELDS_MAX; i++) {
		KUNIT_EXPECT_EQ(test, 0, values[i]);
		KUNIT_EXPECT_EQ(test, 0, weir_counter_read_one(c, i));
	}
}

/* The amounts go to the fields in the mask, in ascending order. */
static void counter_mask_chooses_fields(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, WEIR_FIELDS_MAX);
	struct prng p = prng_seed(test, 0x5eed0801);
	s64 *amounts, *wanted;
	unsigned int i, n;
	int round;
	u64 mask;

	amounts = kunit_kcalloc(test, 2 * WEIR_FIELDS_MAX, sizeof(*amounts), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, amounts);
	wanted = amounts + WEIR_FIELDS_MAX;
	for (round = 0; round < 200; round++) {
		mask = prng_next(&p) & prng_next(&p);
		for (i = n = 0; i < WEIR_FIELDS_MAX; i++) {
			if (!(mask & BIT_ULL(i)))
				continue;
			amounts[n] = prng_next(&p);
			wanted[i] += amounts[n++];
		}
		weir_counter_add_many(c, mask, amounts);
		i = prng_below(&p, WEIR_FIELDS_MAX);
		weir_counter_add_one(c, i, -5);
		wanted[i] -= 5;
	}
	weir_counter_read(c, (u64 *)amounts, false);
	for (i = 0; i < WEIR_FIELDS_MAX; i++) {
		KUNIT_ASSERT_EQ(test, wanted[i], amounts[i]);
		KUNIT_ASSERT_EQ(test, wanted[i], (s64)weir_counter_read_one(c, i));
	}
}

/* Fields are signed and wrap modulo 2^64, also when they are taken. */
static void counter_wraps(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, 1);
	u64 value;

	weir_counter_add_one(c, 0, S64_MAX);
	weir_counter_add_one(c, 0, 2);
	KUNIT_EXPECT_EQ(test, S64_MIN + 1, (s64)weir_counter_read_one(c, 0));
	weir_counter_take(c, &value, false);
	KUNIT_EXPECT_EQ(test, S64_MIN + 1, (s64)value);
	KUNIT_EXPECT_EQ(test, 0, weir_counter_read_one(c, 0));
	weir_counter_add_one(c, 0, -7);
	KUNIT_EXPECT_EQ(test, -7, (s64)weir_counter_read_one(c, 0));
	weir_counter_take(c, &value, false);
	KUNIT_EXPECT_EQ(test, -7, (s64)value);
	weir_counter_take(c, &value, false);
	KUNIT_EXPECT_EQ(test, 0, value);
}

/**
 * struct tally - what the members of a crowd added and read
 * @c: the counter
 * @added: amount added to field 0, by member
 * @taken: amount taken from field 0, by member
 * @wrong: impossible snapshots, by member
 */
struct tally {
	struct weir_counter *c;
	u64 added[MEMBERS];
	u64 taken[MEMBERS];
	unsigned int wrong[MEMBERS];
};

static struct tally *tally_new(struct kunit *test, unsigned int nfields)
{
	struct tally *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->c = counter_new(test, WEIR_COUNTER_SUM, nfields);
	return t;
}

static u64 tally_sum(const u64 *of)
{
	u64 n = 0;
	int i;

	for (i = 0; i < MEMBERS; i++)
		n += of[i];
	return n;
}

static unsigned int tally_wrong(const struct tally *t)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < MEMBERS; i++)
		n += t->wrong[i];
	return n;
}

static void add_work(unsigned int index, void *arg)
{
	struct tally *t = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		weir_counter_add_one(t->c, 0, i);
		t->added[index] += i;
	}
}

static void counter_loses_no_add(struct kunit *test)
{
	struct tally *t = tally_new(test, 1);

	crowd_run(test, MEMBERS, add_work, t);
	KUNIT_EXPECT_EQ(test, tally_sum(t->added), weir_counter_read_one(t->c, 0));
}

#define FIELDS	5

/* Every add adds 1, 10, 100... to the fields, so the fields of every snapshot have that ratio. */
static bool in_proportion(const u64 *values)
{
	u64 factor = 10;
	int i;

	for (i = 1; i < FIELDS; i++, factor *= 10)
		if (values[i] != values[0] * factor)
			return false;
	return true;
}

static void add_in_proportion(struct weir_counter *c, s64 n)
{
	s64 amounts[FIELDS] = { n, n * 10, n * 100, n * 1000, n * 10000 };

	weir_counter_add_many(c, GENMASK_ULL(FIELDS - 1, 0), amounts);
}

/* Member 0 reads, member 1 takes and reads, the others add. */
static void snapshot_work(unsigned int index, void *arg)
{
	struct tally *t = arg;
	u64 values[FIELDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (index == 0) {
			weir_counter_read(t->c, values, false);
			t->wrong[index] += !in_proportion(values);
		} else if (index == 1) {
			weir_counter_take(t->c, values, false);
			t->wrong[index] += !in_proportion(values);
			t->taken[index] += values[0];
		} else {
			add_in_proportion(t->c, i);
			t->added[index] += i;
		}
	}
}

static void check_nothing_lost(struct kunit *test, struct tally *t)
{
	u64 values[FIELDS];

	weir_counter_read(t->c, values, false);
	KUNIT_EXPECT_TRUE(test, in_proportion(values));
	KUNIT_EXPECT_EQ(test, tally_sum(t->added), tally_sum(t->taken) + values[0]);
	KUNIT_EXPECT_EQ(test, 0, tally_wrong(t));
}

static void counter_snapshots_are_whole(struct kunit *test)
{
	struct tally *t = tally_new(test, FIELDS);

	crowd_run(test, MEMBERS, snapshot_work, t);
	check_nothing_lost(test, t);
}

static void add_at_point(void *arg)
{
	add_in_proportion(arg, 1);
}

static void take_at_point(void *arg)
{
	u64 values[FIELDS];

	weir_counter_take(arg, values, false);
}

/* An add interrupts a read at any point: it is in the result as a whole or not at all. */
static void counter_read_interrupted_by_add(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, FIELDS);
	u64 values[FIELDS];
	int n, left = 0;

	points.work = add_at_point;
	points.arg = c;
	for (n = 1; !left; n++) {
		points.left = n;
		weir_counter_read(c, values, false);
		left = points.left;
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, in_proportion(values));
		KUNIT_ASSERT_GE(test, values[0], n - 1);
		KUNIT_ASSERT_LE(test, values[0], n);
	}
	KUNIT_EXPECT_GT(test, n, 2 * FIELDS);
}

/* A take interrupts a read at any point: the read returns the values before or after the take. */
static void counter_read_interrupted_by_take(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, FIELDS);
	u64 values[FIELDS];
	int n, left = 0;

	points.work = take_at_point;
	points.arg = c;
	for (n = 1; !left; n++) {
		take_at_point(c);
		add_in_proportion(c, 7);
		points.left = n;
		weir_counter_read(c, values, false);
		left = points.left;
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, in_proportion(values));
		KUNIT_ASSERT_TRUE(test, values[0] == 0 || values[0] == 7);
		take_at_point(c);
		add_in_proportion(c, 7);
		points.left = n;
		values[0] = weir_counter_read_one(c, 0);
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, values[0] == 0 || values[0] == 7);
	}
	KUNIT_EXPECT_GT(test, n, 2 * FIELDS);
}

/* An add interrupts a take at any point: it is in the result or still in the counter. */
static void counter_take_interrupted_by_add(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SUM, FIELDS);
	u64 taken[FIELDS], rest[FIELDS];
	int n, left = 0;

	points.work = add_at_point;
	points.arg = c;
	for (n = 1; !left; n++) {
		add_in_proportion(c, 7);
		points.left = n;
		weir_counter_take(c, taken, false);
		left = points.left;
		points.left = 0;
		weir_counter_take(c, rest, false);
		KUNIT_ASSERT_TRUE(test, in_proportion(taken));
		KUNIT_ASSERT_TRUE(test, in_proportion(rest));
		KUNIT_ASSERT_EQ(test, left ? 7 : 8, taken[0] + rest[0]);
	}
	KUNIT_EXPECT_GT(test, n, FIELDS);
}

/* All members add and take: each gets different numbers, and nothing is left over. */
static void take_work(unsigned int index, void *arg)
{
	struct tally *t = arg;
	u64 values[FIELDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		add_in_proportion(t->c, 1);
		t->added[index]++;
		if (i % 4)
			continue;
		weir_counter_take(t->c, values, false);
		t->wrong[index] += !in_proportion(values);
		t->taken[index] += values[0];
	}
}

static void counter_takes_lose_nothing(struct kunit *test)
{
	struct tally *t = tally_new(test, FIELDS);

	crowd_run(test, MEMBERS, take_work, t);
	check_nothing_lost(test, t);
}

/**
 * struct softirq_adder - a tasklet that adds
 * @tasklet: the tasklet
 * @c: the counter
 * @runs: number of runs
 */
struct softirq_adder {
	struct tasklet_struct tasklet;
	struct weir_counter *c;
	atomic_t runs;
};

static void softirq_add(struct tasklet_struct *tasklet)
{
	struct softirq_adder *a = container_of(tasklet, struct softirq_adder, tasklet);

	add_in_proportion(a->c, 3);
	atomic_inc(&a->runs);
}

struct contexts {
	struct tally *t;
	struct softirq_adder adder[MEMBERS];
	atomic_t ipis;
};

/* A hard interrupt may add to one field: the last one, which in_proportion() does not check. */
static void hardirq_add(void *arg)
{
	struct contexts *x = arg;

	weir_counter_add_one(x->t->c, FIELDS, 1);
	atomic_inc(&x->ipis);
}

static void contexts_work(unsigned int index, void *arg)
{
	struct contexts *x = arg;
	struct weir_counter *c = x->t->c;
	u64 values[FIELDS + 1];
	int i;

	for (i = 0; i < ROUNDS / 10; i++) {
		tasklet_schedule(&x->adder[index].tasklet);
		add_in_proportion(c, 1);
		x->t->added[index]++;
		smp_call_function_single(crowd_cpu(index + 1), hardirq_add, x, 1);
		weir_counter_read(c, values, false);
		x->t->wrong[index] += !in_proportion(values);
	}
}

/* A task, a tasklet and a hard interrupt add to the same counter on the same CPU. */
static void counter_any_context(struct kunit *test)
{
	struct contexts *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	unsigned int i, runs = 0;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->t = tally_new(test, FIELDS + 1);
	for (i = 0; i < MEMBERS; i++) {
		x->adder[i].c = x->t->c;
		tasklet_setup(&x->adder[i].tasklet, softirq_add);
	}
	crowd_run(test, MEMBERS, contexts_work, x);
	for (i = 0; i < MEMBERS; i++) {
		tasklet_kill(&x->adder[i].tasklet);
		runs += atomic_read(&x->adder[i].runs);
	}
	KUNIT_EXPECT_GT(test, runs, 0);
	KUNIT_EXPECT_EQ(test, tally_sum(x->t->added) + 3 * runs,
			weir_counter_read_one(x->t->c, 0));
	KUNIT_EXPECT_EQ(test, atomic_read(&x->ipis),
			weir_counter_read_one(x->t->c, FIELDS));
	KUNIT_EXPECT_EQ(test, 0, tally_wrong(x->t));
}

/**
 * struct numbers - a sequence, and the numbers handed out
 * @c: the sequence
 * @seen: a bit for each number, set when it is handed out
 * @total: how many were handed out
 * @twice: how many were handed out more than once
 */
struct numbers {
	struct weir_counter *c;
	unsigned long *seen;
	atomic64_t total;
	atomic_t twice;
};

#define NUMBERS_MAX	(MEMBERS * ROUNDS * 5)

static void next_work(unsigned int index, void *arg)
{
	struct numbers *s = arg;
	struct prng p = { .state = index };
	u64 first, n, i;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		n = prng_between(&p, 1, 5);
		if (weir_counter_next(s->c, n, &first))
			continue;
		atomic64_add(n, &s->total);
		for (i = first; i < first + n; i++)
			if (i > NUMBERS_MAX || test_and_set_bit(i, s->seen))
				atomic_inc(&s->twice);
	}
}

/* No number is handed out twice, and none is left out. */
static void counter_sequence_has_no_gap(struct kunit *test)
{
	struct numbers *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u64 last;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->seen = kunit_kcalloc(test, BITS_TO_LONGS(NUMBERS_MAX + 1), sizeof(long),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->seen);
	s->c = counter_new(test, WEIR_COUNTER_SEQUENCE, 1);
	KUNIT_EXPECT_EQ(test, 0, weir_counter_read_one(s->c, 0));
	crowd_run(test, MEMBERS, next_work, s);
	last = weir_counter_read_one(s->c, 0);
	KUNIT_EXPECT_EQ(test, last, (u64)atomic64_read(&s->total));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&s->twice));
	KUNIT_EXPECT_EQ(test, last + 1, find_next_zero_bit(s->seen, NUMBERS_MAX, 1));
}

static void counter_sequence_ends(struct kunit *test)
{
	struct weir_counter *c = counter_new(test, WEIR_COUNTER_SEQUENCE, 1);
	u64 first = 0;

	KUNIT_EXPECT_EQ(test, 0, weir_counter_next(c, S64_MAX - 2, &first));
	KUNIT_EXPECT_EQ(test, 1, first);
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, weir_counter_next(c, 3, &first));
	KUNIT_EXPECT_EQ(test, 0, weir_counter_next(c, 2, &first));
	KUNIT_EXPECT_EQ(test, S64_MAX - 1, (s64)first);
	KUNIT_EXPECT_EQ(test, S64_MAX, (s64)weir_counter_read_one(c, 0));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, weir_counter_next(c, 1, &first));
	KUNIT_EXPECT_EQ(test, S64_MAX, (s64)weir_counter_read_one(c, 0));
}

static struct kunit_case counter_cases[] = {
	KUNIT_CASE(counter_starts_at_zero),
	KUNIT_CASE(counter_mask_chooses_fields),
	KUNIT_CASE(counter_wraps),
	KUNIT_CASE(counter_loses_no_add),
	KUNIT_CASE(counter_snapshots_are_whole),
	KUNIT_CASE(counter_read_interrupted_by_add),
	KUNIT_CASE(counter_read_interrupted_by_take),
	KUNIT_CASE(counter_take_interrupted_by_add),
	KUNIT_CASE(counter_takes_lose_nothing),
	KUNIT_CASE(counter_any_context),
	KUNIT_CASE(counter_sequence_has_no_gap),
	KUNIT_CASE(counter_sequence_ends),
	{}
};

static struct kunit_suite weir_counter_suite = {
	.name = "weir_counter",
	.init = counter_kunit_init,
	.exit = counter_kunit_exit,
	.test_cases = counter_cases,
};

kunit_test_suite(weir_counter_suite);
