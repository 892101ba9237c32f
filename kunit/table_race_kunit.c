// SPDX-License-Identifier: GPL-2.0-only
/* The keyed table (src/table/table.c), used by several CPUs at once. */

#include <kunit/test.h>
#include <linux/slab.h>

#include "crowd.h"
#include "prng.h"
#include "table_fixture.h"

#define MEMBERS	4
#define LATER	BIT_ULL(40)

/**
 * struct race - data shared by the threads, and their results
 * @f: the table
 * @keys: number of keys, or of rounds that remain
 * @created: entries created, by thread
 * @refused: calls that found no room, by thread
 * @wrong: violations, by thread
 */
struct race {
	struct fixture *f;
	unsigned int keys;
	unsigned int created[MEMBERS];
	unsigned int refused[MEMBERS];
	unsigned int wrong[MEMBERS];
};

static struct race *race_new(struct kunit *test, u64 max_keys, unsigned int keys)
{
	struct race *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->f = fixture_new(test, max_keys);
	r->keys = keys;
	return r;
}

static unsigned int sum(const unsigned int *of)
{
	unsigned int i, n = 0;

	for (i = 0; i < MEMBERS; i++)
		n += of[i];
	return n;
}

static void race_add(struct race *r, unsigned int index, u64 n, u64 idle_at)
{
	struct weir_key key;
	int ret;

	fixture_key_u64(r->f, &key, n);
	ret = fixture_add(r->f, &key, idle_at);
	if (ret == 1)
		r->created[index]++;
	else if (ret == -ENOSPC)
		r->refused[index]++;
	else if (ret < 0)
		r->wrong[index]++;
}

/* Number of entries found for keys 0 to @keys - 1. */
static unsigned int race_count(struct race *r)
{
	struct weir_key key;
	unsigned int i, n = 0;

	for (i = 0; i < r->keys; i++) {
		fixture_key_u64(r->f, &key, i);
		n += fixture_has(r->f, &key);
	}
	return n;
}

static void winner_work(unsigned int index, void *arg)
{
	struct race *r = arg;
	unsigned int i;

	for (i = 0; i < r->keys; i++)
		race_add(r, index, i, LATER);
}

/* All threads insert the same keys in the same order: each entry is created once. */
static void race_one_winner(struct kunit *test)
{
	struct race *r = race_new(test, 4096, 3000);

	crowd_run(test, MEMBERS, winner_work, r);
	KUNIT_EXPECT_EQ(test, r->keys, sum(r->created));
	KUNIT_EXPECT_EQ(test, 0, sum(r->refused));
	KUNIT_EXPECT_EQ(test, 0, sum(r->wrong));
	KUNIT_EXPECT_EQ(test, r->keys, weir_table_keys(&r->f->t));
	KUNIT_EXPECT_EQ(test, r->keys, race_count(r));
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, r->keys, atomic_read(&fake_live));
}

static void cap_work(unsigned int index, void *arg)
{
	struct race *r = arg;
	unsigned int i;

	for (i = index; i < r->keys; i += MEMBERS)
		race_add(r, index, i, LATER);
}

/* All threads insert different keys, more than there is room for. */
static void race_exact_cap(struct kunit *test)
{
	struct race *r = race_new(test, 777, 3000);

	crowd_run(test, MEMBERS, cap_work, r);
	KUNIT_EXPECT_EQ(test, 777, sum(r->created));
	KUNIT_EXPECT_EQ(test, r->keys - 777, sum(r->refused));
	KUNIT_EXPECT_EQ(test, 0, sum(r->wrong));
	KUNIT_EXPECT_EQ(test, 777, race_count(r));
}

static void churn_work(unsigned int index, void *arg)
{
	struct race *r = arg;
	struct prng p = { .state = index };
	struct weir_key key;
	unsigned int i;

	for (i = 0; i < 4000; i++) {
		if (prng_chance(&p, 1, 2)) {
			race_add(r, index, prng_below(&p, r->keys), LATER);
		} else {
			fixture_key_u64(r->f, &key, prng_below(&p, r->keys));
			fixture_remove(r->f, &key);
		}
		if (weir_table_keys(&r->f->t) > r->f->t.max_keys)
			r->wrong[index]++;
	}
}

/* Entries come and go: there are never more than the cap, and the count of keys is exact. */
static void race_churn(struct kunit *test)
{
	struct race *r = race_new(test, 32, 128);

	crowd_run(test, MEMBERS, churn_work, r);
	KUNIT_EXPECT_EQ(test, 0, sum(r->wrong));
	KUNIT_EXPECT_EQ(test, weir_table_keys(&r->f->t), race_count(r));
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, weir_table_keys(&r->f->t), atomic_read(&fake_live));
}

static void evict_work(unsigned int index, void *arg)
{
	struct race *r = arg;
	unsigned int i;

	for (i = 0; i < r->keys; i++)
		race_add(r, index, i * MEMBERS + index, 1);
}

/* A table full of idle entries has room for every caller. */
static void race_evicts(struct kunit *test)
{
	struct race *r = race_new(test, 50, 3000);

	atomic64_set(&fake_clock, r->f->t.epoch + 1000);
	crowd_run(test, MEMBERS, evict_work, r);
	KUNIT_EXPECT_EQ(test, 0, sum(r->refused));
	KUNIT_EXPECT_EQ(test, 0, sum(r->wrong));
	KUNIT_EXPECT_EQ(test, MEMBERS * r->keys, sum(r->created));
	KUNIT_EXPECT_EQ(test, sum(r->created) - weir_table_keys(&r->f->t),
			atomic_read(&r->f->evicted));
	KUNIT_EXPECT_LE(test, weir_table_keys(&r->f->t), 50);
}

/* Like a check: an entry that is dead is looked up again. */
static void entry_increment(struct fixture *f, const struct weir_key *key)
{
	struct weir_entry *e;
	bool created;
	u64 word;

	rcu_read_lock();
	while ((e = weir_table_find(&f->t, key)))
		if (weir_table_lock(&f->t, e, &word)) {
			weir_table_unlock(&f->t, e, word + 2);
			break;
		}
	rcu_read_unlock();
	if (e)
		return;
	e = fixture_insert(f, key, 0, &word, &created);
	if (IS_ERR(e))
		return;
	weir_table_unlock(&f->t, e, word + 2);
	rcu_read_unlock();
}

static void harvest_work(unsigned int index, void *arg)
{
	struct race *r = arg;
	struct prng p = { .state = index };
	unsigned int i;
	struct weir_key key;

	for (i = 0; i < r->keys; i++) {
		if (index == MEMBERS - 1) {
			fixture_scan(&r->f->t, i % (r->f->t.nbuckets / WEIR_GROUP_SIZE));
			continue;
		}
		fixture_key_u64(r->f, &key, prng_below(&p, 8));
		entry_increment(r->f, &key);
		r->created[index]++;
	}
}

/*
 * Entries are dropped while threads count in them. The words of dropped entries and of remaining
 * ones add up to all counts. So no thread wrote to a dead entry, and no count was lost.
 */
static void race_no_update_is_lost(struct kunit *test)
{
	struct race *r = race_new(test, 128, 20000);
	unsigned int i;

	r->f->harvest = true;
	crowd_run(test, MEMBERS, harvest_work, r);
	for (i = 0; i < r->f->t.nbuckets / WEIR_GROUP_SIZE; i++)
		fixture_scan(&r->f->t, i);
	KUNIT_EXPECT_EQ(test, sum(r->created), (u64)atomic64_read(&r->f->harvested));
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&r->f->t));
}

static struct kunit_case table_race_cases[] = {
	KUNIT_CASE(race_one_winner),
	KUNIT_CASE(race_exact_cap),
	KUNIT_CASE(race_churn),
	KUNIT_CASE(race_evicts),
	KUNIT_CASE(race_no_update_is_lost),
	{}
};

static struct kunit_suite weir_table_race_suite = {
	.name = "weir_table_race",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = table_race_cases,
};

kunit_test_suite(weir_table_race_suite);
