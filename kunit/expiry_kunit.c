// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of expiry bounds (src/table/expiry.c), compared with a plain list of all entries and the
 * times at which they become idle.
 */

#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "point.h"

static struct points points;

#undef atomic64_read
#undef atomic64_xchg
#undef atomic64_try_cmpxchg
#define atomic64_read(v)		point_read(&points, v)
#define atomic64_xchg(v, new)		point_xchg(&points, v, new)
#define atomic64_try_cmpxchg(v, old, new)	point_try_cmpxchg(&points, v, old, new)

#include "../src/table/expiry.c"
#include "crowd.h"
#include "prng.h"

#define ENTRIES	256

/**
 * struct entries - the entries of an imagined table
 * @bucket: bucket of each entry
 * @idle_at: time at which the entry becomes idle; 0: there is no entry
 * @n: size of the arrays
 * @expiry: the bounds under test
 * @scans: number of groups examined
 * @dropped: number of entries dropped
 * @late: the root's bound was too high after an entry was added
 */
struct entries {
	unsigned int bucket[ENTRIES];
	atomic64_t idle_at[ENTRIES];
	unsigned int n;
	struct weir_expiry expiry;
	unsigned int scans;
	unsigned int dropped;
	bool late;
};

/* the scan callback, as the table implements it */
static u64 entries_scan(void *arg, unsigned int group, u64 now)
{
	struct entries *s = arg;
	u64 least = WEIR_EXPIRY_NEVER;
	unsigned int i;
	s64 t;

	s->scans++;
	for (i = 0; i < s->n; i++) {
		if (s->bucket[i] >> WEIR_GROUP_BITS != group)
			continue;
		t = atomic64_read(&s->idle_at[i]);
		if (t && t <= now && atomic64_try_cmpxchg(&s->idle_at[i], &t, 0)) {
			s->dropped++;
			continue;
		}
		if (t)
			least = min_t(u64, least, t);
	}
	return least;
}

static struct entries *entries_new(struct kunit *test, unsigned int nbuckets)
{
	struct entries *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->n = ENTRIES;
	KUNIT_ASSERT_EQ(test, 0, weir_expiry_init(&s->expiry, nbuckets));
	test->priv = s;
	return s;
}

static void expiry_exit(struct kunit *test)
{
	struct entries *s = test->priv;

	if (s)
		weir_expiry_destroy(&s->expiry);
	test->priv = NULL;
}

/* Every bound is at most the least idle time of the entries below it. */
static const char *bounds_flaw(const struct entries *s)
{
	const struct weir_expiry *x = &s->expiry;
	unsigned int i, level, at;
	u64 t, bound, below;

	for (i = 0; i < s->n; i++) {
		t = atomic64_read(&s->idle_at[i]);
		if (!t)
			continue;
		at = s->bucket[i] >> WEIR_GROUP_BITS;
		below = t;
		for (level = 0; level < x->nlevels; level++) {
			bound = atomic64_read(&x->level[level][at]);
			if (bound > below)
				return level ? "an inner bound is too high" :
					       "a group's bound is too high";
			below = bound;
			at >>= WEIR_GROUP_BITS;
		}
	}
	return NULL;
}

static void check_bounds(struct kunit *test, const struct entries *s)
{
	const char *flaw = bounds_flaw(s);

	KUNIT_ASSERT_TRUE_MSG(test, !flaw, "%s", flaw);
}

/* Step until nothing is due at @now. Return: number of entries dropped. */
static unsigned int entries_expire(struct entries *s, u64 now)
{
	unsigned int before = s->dropped;

	while (weir_expiry_step(&s->expiry, now, entries_scan, s))
		;
	return s->dropped - before;
}

static unsigned int entries_idle(const struct entries *s, u64 now)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n; i++) {
		u64 t = atomic64_read(&s->idle_at[i]);

		n += t && t <= now;
	}
	return n;
}

static void entry_set(struct entries *s, unsigned int i, unsigned int bucket,
		      u64 idle_at)
{
	s->bucket[i] = bucket;
	atomic64_set(&s->idle_at[i], idle_at);
	weir_expiry_lower(&s->expiry, bucket, idle_at);
}

/**
 * struct size_row - a table's size
 * @name: name of the row
 * @nbuckets: buckets of the table
 * @nlevels: expected number of levels
 * @ngroups: expected number of groups
 */
struct size_row {
	const char *name;
	unsigned int nbuckets;
	unsigned int nlevels;
	unsigned int ngroups;
};

static const struct size_row size_rows[] = {
	{ "one group", 1 << 6, 1, 1 },
	{ "two groups", 1 << 7, 2, 2 },
	{ "two levels, full", 1 << 12, 2, 1 << 6 },
	{ "three levels", 1 << 13, 3, 1 << 7 },
	{ "three levels, full", 1 << 18, 3, 1 << 12 },
	{ "four levels, full", 1 << 24, 4, 1 << 18 },
};

static void size_describe(const struct size_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(size, size_rows, size_describe);

static void expiry_empty(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct entries *s = entries_new(test, row->nbuckets);

	KUNIT_EXPECT_EQ(test, row->nlevels, s->expiry.nlevels);
	KUNIT_EXPECT_EQ(test, row->ngroups, s->expiry.ngroups);
	KUNIT_EXPECT_EQ(test, WEIR_EXPIRY_NEVER, weir_expiry_root(&s->expiry));
	KUNIT_EXPECT_EQ(test, 0, entries_expire(s, WEIR_EXPIRY_NEVER - 1));
	KUNIT_EXPECT_EQ(test, 0, s->scans);
}

/* One entry, in the first and in the last bucket: one scan finds it exactly when it is idle. */
static void expiry_on_the_dot(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct entries *s = entries_new(test, row->nbuckets);
	unsigned int bucket = 0;
	int i;

	for (i = 0; i < 2; i++, bucket = row->nbuckets - 1) {
		s->scans = 0;
		s->bucket[0] = bucket;
		atomic64_set(&s->idle_at[0], 1000);
		KUNIT_EXPECT_TRUE(test, weir_expiry_lower(&s->expiry, bucket, 1000));
		KUNIT_EXPECT_FALSE(test, weir_expiry_lower(&s->expiry, bucket, 1000));
		KUNIT_EXPECT_FALSE(test, weir_expiry_lower(&s->expiry, bucket, 1001));
		KUNIT_EXPECT_EQ(test, 1000, weir_expiry_root(&s->expiry));
		KUNIT_EXPECT_EQ(test, 0, entries_expire(s, 999));
		KUNIT_EXPECT_EQ(test, 0, s->scans);
		KUNIT_EXPECT_EQ(test, 1, entries_expire(s, 1000));
		KUNIT_EXPECT_EQ(test, 1, s->scans);
		KUNIT_EXPECT_EQ(test, WEIR_EXPIRY_NEVER, weir_expiry_root(&s->expiry));
	}
}

/* Make one random change to the entries. */
static void entries_change(struct entries *s, struct prng *p,
			   unsigned int nbuckets, u64 now)
{
	unsigned int i = prng_below(p, s->n);
	u64 t = atomic64_read(&s->idle_at[i]);

	if (!t) {	/* a new entry, probably near others */
		entry_set(s, i, prng_chance(p, 1, 2) ? prng_below(p, nbuckets) :
			  prng_below(p, min(nbuckets, 200U)),
			  now + prng_magnitude(p, 1 << 20));
		return;
	}
	switch (prng_below(p, 4)) {
	case 0:		/* becomes idle sooner, as after a refund */
		entry_set(s, i, s->bucket[i], now + (t > now ? (t - now) / 2 : 0));
		break;
	case 1:		/* removed */
		atomic64_set(&s->idle_at[i], 0);
		break;
	default:	/* charged: no bound changes */
		atomic64_set(&s->idle_at[i], t + prng_magnitude(p, 1 << 20));
		break;
	}
}

static void expiry_agrees_with_model(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct entries *s = entries_new(test, row->nbuckets);
	struct prng p = prng_seed(test, 0x5eed0601 + row->nlevels);
	unsigned int idle;
	u64 now = 1;
	int i;

	for (i = 0; i < 3000; i++) {
		entries_change(s, &p, row->nbuckets, now);
		if (prng_chance(&p, 1, 16))
			check_bounds(test, s);
		if (!prng_chance(&p, 1, 8))
			continue;
		now += prng_magnitude(&p, 1 << 18);
		idle = entries_idle(s, now);
		KUNIT_ASSERT_EQ(test, idle, entries_expire(s, now));
		KUNIT_ASSERT_GT(test, weir_expiry_root(&s->expiry), now);
		check_bounds(test, s);
	}
	now = WEIR_EXPIRY_NEVER - 1;
	idle = entries_idle(s, now);
	KUNIT_ASSERT_EQ(test, idle, entries_expire(s, now));
	KUNIT_ASSERT_EQ(test, WEIR_EXPIRY_NEVER, weir_expiry_root(&s->expiry));
}

/* However many entries were charged meanwhile, a group is examined once. */
static void expiry_scans_once(struct kunit *test)
{
	struct entries *s = entries_new(test, 1 << 12);
	unsigned int i;

	for (i = 0; i < s->n; i++)
		entry_set(s, i, (i % 64) << WEIR_GROUP_BITS, 100);
	for (i = 0; i < s->n; i++)
		atomic64_set(&s->idle_at[i], 5000);
	KUNIT_EXPECT_EQ(test, 0, entries_expire(s, 100));
	KUNIT_EXPECT_EQ(test, 64, s->scans);
	KUNIT_EXPECT_EQ(test, 0, entries_expire(s, 4999));
	KUNIT_EXPECT_EQ(test, 64, s->scans);
	KUNIT_EXPECT_EQ(test, s->n, entries_expire(s, 5000));
	KUNIT_EXPECT_EQ(test, 128, s->scans);
}

/* A reset makes every group be examined, and the bounds are right afterwards. */
static void expiry_reset_forgets(struct kunit *test)
{
	struct entries *s = entries_new(test, 1 << 13);
	unsigned int i;

	for (i = 0; i < s->n; i++)
		entry_set(s, i, i * 32, 1000);
	for (i = 0; i < s->n; i += 2)
		atomic64_set(&s->idle_at[i], 10);
	weir_expiry_reset(&s->expiry);
	KUNIT_EXPECT_EQ(test, 0, weir_expiry_root(&s->expiry));
	KUNIT_EXPECT_EQ(test, s->n / 2, entries_expire(s, 10));
	KUNIT_EXPECT_EQ(test, s->expiry.ngroups, s->scans);
	KUNIT_EXPECT_EQ(test, 1000, weir_expiry_root(&s->expiry));
	check_bounds(test, s);
}

/* If a bound is lowered while its group is scanned, the lower bound stays. */
static u64 scan_that_is_overtaken(void *arg, unsigned int group, u64 now)
{
	struct entries *s = arg;
	u64 least = entries_scan(arg, group, now);

	if (s->scans == 1)
		entry_set(s, 1, group << WEIR_GROUP_BITS, now + 1);
	return least;
}

static void expiry_scan_overtaken(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct entries *s = entries_new(test, row->nbuckets);

	entry_set(s, 0, row->nbuckets - 1, 100);
	KUNIT_EXPECT_TRUE(test, weir_expiry_step(&s->expiry, 100,
						 scan_that_is_overtaken, s));
	KUNIT_EXPECT_EQ(test, 1, s->dropped);
	KUNIT_EXPECT_EQ(test, 101, weir_expiry_root(&s->expiry));
	check_bounds(test, s);
	KUNIT_EXPECT_EQ(test, 1, entries_expire(s, 101));
}

/* Four entries, spread over the table. The first becomes idle at 100. */
static void few_entries(struct kunit *test, struct entries *s, unsigned int nbuckets)
{
	static const u64 idle_at[] = { 100, 200, 300, 400 };
	unsigned int i;

	points.left = 0;
	weir_expiry_destroy(&s->expiry);
	KUNIT_ASSERT_EQ(test, 0, weir_expiry_init(&s->expiry, nbuckets));
	memset(s->idle_at, 0, sizeof(s->idle_at));
	for (i = 0; i < ARRAY_SIZE(idle_at); i++)
		entry_set(s, i, (nbuckets - 1) / 3 * i, idle_at[i]);
}

/* Check the bounds, and that each entry is dropped when it is idle. */
static void few_entries_end(struct kunit *test, struct entries *s)
{
	unsigned int idle;
	u64 now;

	points.left = 0;
	check_bounds(test, s);
	for (now = 100; now <= 500; now += 50) {
		idle = entries_idle(s, now);
		KUNIT_ASSERT_EQ(test, idle, entries_expire(s, now));
	}
}

static void bring_entry(void *arg)
{
	struct entries *s = arg;

	entry_set(s, 10, s->bucket[10], 150);
}

/* An entry that is added anywhere in the table, at any point of a step, is not missed. */
static void expiry_step_interrupted(struct kunit *test)
{
	const unsigned int nbuckets = 1 << 13;
	struct entries *s = entries_new(test, nbuckets);
	unsigned int bucket;
	int n, left = 0;

	points.work = bring_entry;
	points.arg = s;
	for (bucket = 0; bucket < nbuckets; bucket += nbuckets / 4 - 5) {
		for (n = 1; !left; n++) {
			few_entries(test, s, nbuckets);
			s->bucket[10] = bucket;
			points.left = n;
			weir_expiry_step(&s->expiry, 100, entries_scan, s);
			left = points.left;
			few_entries_end(test, s);
		}
		KUNIT_EXPECT_GT(test, n, 100);
		left = 0;
	}
}

static void expire_some(void *arg)
{
	entries_expire(arg, 120);
}

/* Entries expire at any point of the insertion of another one: the new one is not missed. */
static void expiry_lower_interrupted(struct kunit *test)
{
	const unsigned int nbuckets = 1 << 13;
	struct entries *s = entries_new(test, nbuckets);
	unsigned int bucket;
	int n, left = 0;

	points.work = expire_some;
	points.arg = s;
	for (bucket = 0; bucket < nbuckets; bucket += nbuckets / 4 - 5) {
		for (n = 1; !left; n++) {
			few_entries(test, s, nbuckets);
			s->bucket[10] = bucket;
			points.left = n;
			bring_entry(s);
			left = points.left;
			few_entries_end(test, s);
		}
		KUNIT_EXPECT_GT(test, n, 4);
		left = 0;
	}
}

/* Add another entry to the group while the bound of the first is being passed to the root. */
static void bring_neighbour(void *arg)
{
	struct entries *s = arg;

	entry_set(s, 11, s->bucket[10], 150);
	/* the bound must be visible at once, even if other CPUs are slow */
	s->late |= weir_expiry_root(&s->expiry) > 150;
}

static void expiry_lower_overlapped(struct kunit *test)
{
	struct entries *s = entries_new(test, 1 << 13);
	int n, left = 0;

	points.work = bring_neighbour;
	points.arg = s;
	for (n = 1; !left; n++) {
		few_entries(test, s, 1 << 13);
		/* the bounds above the new one have to be lowered */
		entries_expire(s, 400);
		s->bucket[10] = 5000;
		points.left = n;
		bring_entry(s);
		left = points.left;
		few_entries_end(test, s);
	}
	KUNIT_EXPECT_GT(test, n, 4);
	KUNIT_EXPECT_FALSE(test, s->late);
}

#define ROUNDS	4000

/* Members with an even number add entries, the others expire them, all the time. */
static void race_work(unsigned int index, void *arg)
{
	struct entries *s = arg;
	struct prng p = { .state = index };
	unsigned int i;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		if (index & 1) {
			weir_expiry_step(&s->expiry, prng_below(&p, 1000),
					 entries_scan, s);
			continue;
		}
		/* each entry belongs to one thread, which may therefore choose its bucket */
		i = prng_below(&p, ENTRIES / 2) * 2 + (index / 2) % 2;
		if (!atomic64_read(&s->idle_at[i]))
			entry_set(s, i, s->bucket[i], prng_between(&p, 1, 1000));
	}
}

/*
 * After the race every bound is at most the idle times below it, and every entry is dropped in the
 * end.
 */
static void expiry_races(struct kunit *test)
{
	struct entries *s = entries_new(test, 1 << 13);
	unsigned int i, idle;
	int round;

	for (i = 0; i < s->n; i++)
		s->bucket[i] = (i * 37) % (1 << 13);
	for (round = 0; round < 5; round++) {
		crowd_run(test, 4, race_work, s);
		check_bounds(test, s);
		idle = entries_idle(s, 1000);
		KUNIT_ASSERT_EQ(test, idle, entries_expire(s, 1000));
		KUNIT_ASSERT_EQ(test, 0, entries_idle(s, WEIR_EXPIRY_NEVER - 1));
	}
}

static struct kunit_case expiry_cases[] = {
	KUNIT_CASE_PARAM(expiry_empty, size_gen_params),
	KUNIT_CASE_PARAM(expiry_on_the_dot, size_gen_params),
	KUNIT_CASE_PARAM(expiry_agrees_with_model, size_gen_params),
	KUNIT_CASE(expiry_scans_once),
	KUNIT_CASE(expiry_reset_forgets),
	KUNIT_CASE_PARAM(expiry_scan_overtaken, size_gen_params),
	KUNIT_CASE(expiry_step_interrupted),
	KUNIT_CASE(expiry_lower_interrupted),
	KUNIT_CASE(expiry_lower_overlapped),
	KUNIT_CASE(expiry_races),
	{}
};

static struct kunit_suite weir_expiry_suite = {
	.name = "weir_expiry",
	.exit = expiry_exit,
	.test_cases = expiry_cases,
};

kunit_test_suite(weir_expiry_suite);
