// SPDX-License-Identifier: GPL-2.0-only
/* The keyed table (src/table/table.c), one step at a time. */

#include <kunit/test.h>
#include <linux/slab.h>

#include "prng.h"
#include "table_fixture.h"
#include "table/table.h"

#define LATER	BIT_ULL(40)	/* idle in eighteen minutes */

/* Keys of every length, each a prefix of the next one, are different keys. */
static void table_every_length(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 256);
	u8 bytes[WEIR_KEY_MAX] = {};
	struct weir_entry *e;
	struct weir_key key;
	unsigned int len;
	u64 word;

	for (len = 0; len <= WEIR_KEY_MAX; len++) {
		fixture_key(f, &key, bytes, len);
		KUNIT_ASSERT_FALSE(test, fixture_has(f, &key));
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, LATER + len));
	}
	KUNIT_EXPECT_EQ(test, 256, weir_table_keys(&f->t));
	for (len = 0; len <= WEIR_KEY_MAX; len++) {
		fixture_key(f, &key, bytes, len);
		rcu_read_lock();
		e = weir_table_find(&f->t, &key);
		KUNIT_EXPECT_TRUE(test, e && e->key_len == len);
		if (e && weir_table_lock(&f->t, e, &word)) {
			weir_table_unlock(&f->t, e, word);
			KUNIT_EXPECT_EQ(test, fixture_word(LATER + len), word);
		}
		rcu_read_unlock();
	}
}

/**
 * struct class_row - the length of a key, and its expected slab class
 * @len: bytes
 * @class: number of the class
 */
struct class_row {
	unsigned int len;
	unsigned int class;
};

static const struct class_row class_rows[] = {
	{ 0, 0 }, { 1, 0 }, { 4, 0 }, { 15, 0 }, { 16, 0 },
	{ 17, 1 }, { 80, 1 }, { 81, 2 }, { 254, 2 }, { 255, 2 },
};

static void class_describe(const struct class_row *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes", row->len);
}

KUNIT_ARRAY_PARAM(class, class_rows, class_describe);

/* A key of each length goes into the smallest class that holds it, and all its bytes are stored. */
static void table_slab_class(struct kunit *test)
{
	const struct class_row *row = test->param_value;
	struct fixture *f = fixture_new(test, 64);
	u8 bytes[WEIR_KEY_MAX];
	struct weir_entry *e;
	struct weir_key key;

	memset(bytes, 0xa5, sizeof(bytes));
	fixture_key(f, &key, bytes, row->len);
	KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, LATER));
	rcu_read_lock();
	e = weir_table_find(&f->t, &key);
	KUNIT_EXPECT_PTR_EQ(test, fake_caches[row->class], fake_cache_used);
	KUNIT_EXPECT_EQ(test, 0, memcmp(e->key, bytes, row->len));
	rcu_read_unlock();
	/* a key that is one byte shorter, or has another last byte, is another key */
	if (!row->len)
		return;
	fixture_key(f, &key, bytes, row->len - 1);
	KUNIT_EXPECT_FALSE(test, fixture_has(f, &key));
	bytes[row->len - 1] ^= 1;
	fixture_key(f, &key, bytes, row->len);
	KUNIT_EXPECT_FALSE(test, fixture_has(f, &key));
}

static void table_insert_twice(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	struct weir_entry *first, *second;
	struct weir_key key;
	bool created;
	u64 word;

	fixture_key_u64(f, &key, 7);
	first = fixture_insert(f, &key, 20, &word, &created);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	KUNIT_EXPECT_TRUE(test, created);
	KUNIT_EXPECT_EQ(test, 20, word);
	weir_table_unlock(&f->t, first, 22);
	rcu_read_unlock();
	second = fixture_insert(f, &key, 40, &word, &created);
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	KUNIT_EXPECT_FALSE(test, created);
	KUNIT_EXPECT_EQ(test, 22, word);
	weir_table_unlock(&f->t, second, word);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake_live));
}

/* A task that found an entry before it was dropped sees that the entry is dead. */
static void table_dead_is_told(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	struct weir_entry *e, *again;
	struct weir_key key;
	u64 word;

	fixture_key_u64(f, &key, 7);
	fixture_add(f, &key, LATER);
	rcu_read_lock();
	e = weir_table_find(&f->t, &key);
	KUNIT_EXPECT_TRUE(test, fixture_remove(f, &key));
	KUNIT_EXPECT_FALSE(test, weir_table_lock(&f->t, e, &word));
	KUNIT_EXPECT_EQ(test, WEIR_ENTRY_DEAD, (u64)atomic64_read(&e->word));
	KUNIT_EXPECT_NULL(test, weir_table_find(&f->t, &key));
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, fixture_remove(f, &key));
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&f->t));
	KUNIT_EXPECT_EQ(test, 1, fixture_add(f, &key, LATER));
	rcu_read_lock();
	again = weir_table_find(&f->t, &key);
	KUNIT_EXPECT_NOT_NULL(test, again);
	KUNIT_EXPECT_TRUE(test, weir_table_lock(&f->t, again, &word));
	weir_table_unlock(&f->t, again, word);
	rcu_read_unlock();
}

/* The cap is the requested number, not the next power of two. */
static void table_cap_is_exact(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 100);
	struct weir_key key;
	u64 i;

	for (i = 0; i < 100; i++) {
		fixture_key_u64(f, &key, i);
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, LATER));
	}
	fixture_key_u64(f, &key, 100);
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &key, LATER));
	KUNIT_EXPECT_FALSE(test, fixture_has(f, &key));
	KUNIT_EXPECT_EQ(test, 100, weir_table_keys(&f->t));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->evicted));
	fixture_key_u64(f, &key, 50);
	KUNIT_EXPECT_TRUE(test, fixture_remove(f, &key));
	fixture_key_u64(f, &key, 100);
	KUNIT_EXPECT_EQ(test, 1, fixture_add(f, &key, LATER));
	/* a cap below the number of entries drops nothing, but refuses new keys */
	WRITE_ONCE(f->t.max_keys, 10);
	fixture_key_u64(f, &key, 101);
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &key, LATER));
	KUNIT_EXPECT_EQ(test, 100, weir_table_keys(&f->t));
}

/* Room is made by dropping idle entries only. */
static void table_evicts_idle_only(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 1000);
	u64 now = weir_table_now(&f->t), i;
	struct weir_key key;

	for (i = 0; i < 1000; i++) {
		fixture_key_u64(f, &key, i);
		fixture_add(f, &key, now + (i % 10 ? LATER : 5));
	}
	fixture_key_u64(f, &key, 1000);
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &key, LATER));
	atomic64_add(4, &fake_clock);
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &key, LATER));
	atomic64_add(1, &fake_clock);
	for (i = 1000; i < 1100; i++) {
		fixture_key_u64(f, &key, i);
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, now + LATER));
	}
	KUNIT_EXPECT_EQ(test, 100, atomic_read(&f->evicted));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->expired));
	KUNIT_EXPECT_EQ(test, 1000, weir_table_keys(&f->t));
	fixture_key_u64(f, &key, 1100);
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &key, LATER));
	for (i = 0; i < 1100; i++) {
		fixture_key_u64(f, &key, i);
		KUNIT_ASSERT_EQ(test, i >= 1000 || i % 10, fixture_has(f, &key));
	}
}

/*
 * A search for an idle entry examines a bounded number of entries. The next search continues after
 * them.
 */
static void table_bounded_search(struct kunit *test)
{
	unsigned int i, keys = 32 * WEIR_GROUP_SIZE, group[32] = {}, most = 0, calls = 0;
	struct fixture *f = fixture_new(test, keys);
	u64 now = weir_table_now(&f->t), word, idle_at;
	struct weir_entry *e;
	struct weir_key key;
	bool created, idle = false;

	for (i = 0; i < keys; i++) {
		fixture_key_u64(f, &key, i);
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, now + 5));
		most = max(most, ++group[weir_table_bucket(&f->t, key.hash) >> WEIR_GROUP_BITS]);
	}
	/* charge all entries except one in the second half; the bounds do not show this */
	for (i = 0; i < keys; i++) {
		fixture_key_u64(f, &key, i);
		idle_at = now + LATER;
		if (!idle && weir_table_bucket(&f->t, key.hash) >= keys / 2) {
			idle_at = now + 5;
			idle = true;
		}
		e = fixture_insert(f, &key, 0, &word, &created);
		KUNIT_ASSERT_FALSE(test, IS_ERR(e));
		weir_table_unlock(&f->t, e, fixture_word(idle_at));
		rcu_read_unlock();
	}
	atomic64_add(5, &fake_clock);
	fixture_key_u64(f, &key, keys);
	do {
		KUNIT_ASSERT_LT(test, calls++, 33);
		f->examined = 0;
		e = weir_table_new(&f->t, &key, GFP_NOWAIT);
		KUNIT_EXPECT_LE(test, f->examined, WEIR_ROOM_ENTRIES - 1 + most);
	} while (IS_ERR(e));
	KUNIT_EXPECT_GT(test, calls, 4);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&f->evicted));
	weir_entry_free(e);
}

/**
 * struct rival - a caller on another CPU that takes a slot at the same time
 * @f: the table
 * @key: key of that caller
 * @entry: new entry of that caller; NULL once it is linked or freed
 */
struct rival {
	struct fixture *f;
	struct weir_key key;
	struct weir_entry *entry;
};

/* Stands for another CPU. On this CPU lockdep would report a second lock of the same class. */
static void rival_links(void *arg)
{
	struct rival *r = arg;
	struct weir_entry *e;
	u64 word;

	lockdep_off();
	rcu_read_lock();
	e = weir_table_link(&r->f->t, &r->key, r->entry, 0, &word);
	if (e)
		weir_table_unlock(&r->f->t, e, fixture_word(LATER));
	r->entry = NULL;
	rcu_read_unlock();
	lockdep_on();
}

/* Two callers compete for the last slot: exactly one gets it. */
static void table_last_place(struct kunit *test)
{
	struct rival r = { .f = fixture_new(test, 1) };
	struct weir_key key;
	int n, left = 0, mine;
	u64 i = 1;

	fixture_key_u64(r.f, &key, 0);
	/* the rival's key must not be in the bucket that is locked */
	do
		fixture_key_u64(r.f, &r.key, i++);
	while (weir_table_bucket(&r.f->t, r.key.hash) ==
	       weir_table_bucket(&r.f->t, key.hash));
	fake_points.work = rival_links;
	fake_points.arg = &r;
	for (n = 1; !left; n++) {
		r.entry = weir_table_new(&r.f->t, &r.key, GFP_KERNEL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(r.entry));
		fake_points.left = n;
		mine = fixture_add(r.f, &key, LATER);
		left = fake_points.left;
		fake_points.left = 0;
		if (r.entry)
			weir_entry_free(r.entry);
		KUNIT_ASSERT_TRUE(test, mine == 1 || mine == -ENOSPC);
		KUNIT_ASSERT_EQ(test, mine == 1, fixture_has(r.f, &key));
		KUNIT_ASSERT_EQ(test, mine != 1, fixture_has(r.f, &r.key));
		KUNIT_ASSERT_EQ(test, 1, weir_table_keys(&r.f->t));
		fixture_remove(r.f, &key);
		fixture_remove(r.f, &r.key);
	}
	KUNIT_EXPECT_GT(test, n, 4);
}

/* A key is refused if it has no entry and none can be made. */
static void table_refuses(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 2);
	u64 now = weir_table_now(&f->t);
	struct weir_key key, other;

	fixture_key_u64(f, &key, 1);
	fixture_key_u64(f, &other, 2);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, weir_table_refuses(&f->t, &key));
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &other, now + LATER));
	fixture_key_u64(f, &other, 3);
	KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &other, now + 5));
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, weir_table_refuses(&f->t, &key));
	KUNIT_EXPECT_FALSE(test, weir_table_refuses(&f->t, &other));
	atomic64_add(5, &fake_clock);
	KUNIT_EXPECT_FALSE(test, weir_table_refuses(&f->t, &key));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
}

/* Another CPU inserts the same key into the last slot during the check: the key is not refused. */
static void table_refuses_no_twin(struct kunit *test)
{
	struct rival r = { .f = fixture_new(test, 1) };

	fixture_key_u64(r.f, &r.key, 0);
	r.entry = weir_table_new(&r.f->t, &r.key, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(r.entry));
	fake_points.work = rival_links;
	fake_points.arg = &r;
	fake_points.left = 1;
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, weir_table_refuses(&r.f->t, &r.key));
	KUNIT_EXPECT_FALSE(test, weir_table_refuses(&r.f->t, &r.key));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 0, fake_points.left);
	KUNIT_EXPECT_NULL(test, r.entry);
}

/* A failed allocation leaves no entry and reserves no slot. */
static void table_out_of_memory(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 1);
	struct weir_key key;

	fixture_key_u64(f, &key, 1);
	atomic_set(&fake_fail_in, 1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, fixture_add(f, &key, LATER));
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&f->t));
	KUNIT_EXPECT_FALSE(test, fixture_has(f, &key));
	KUNIT_EXPECT_EQ(test, 1, fixture_add(f, &key, LATER));
}

#define CHAIN	12

/* Make @n keys that fall into bucket 0. */
static void chain_make(struct fixture *f, struct weir_key *key, unsigned int n)
{
	u64 i;

	for (i = 0; n; i++) {
		fixture_key_u64(f, key, i);
		if (!weir_table_bucket(&f->t, key->hash)) {
			key++;
			n--;
		}
	}
}

/* A chain has a maximum length. One key more is refused; keys of other chains are not. */
static void table_longest_chain(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	struct weir_key *keys, other;
	unsigned int i;

	WRITE_ONCE(f->t.max_keys, 512);
	keys = kunit_kcalloc(test, WEIR_CHAIN_MAX + 1, sizeof(*keys), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, keys);
	chain_make(f, keys, WEIR_CHAIN_MAX + 1);
	for (i = 0; i < WEIR_CHAIN_MAX; i++)
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &keys[i], LATER));
	KUNIT_EXPECT_EQ(test, -ENOSPC, fixture_add(f, &keys[i], LATER));
	KUNIT_EXPECT_FALSE(test, fixture_has(f, &keys[i]));
	KUNIT_EXPECT_EQ(test, 0, fixture_add(f, &keys[i - 1], LATER));
	for (i = 1000000; fixture_key_u64(f, &other, i), !weir_table_bucket(&f->t, other.hash); i++)
		;
	KUNIT_EXPECT_EQ(test, 1, fixture_add(f, &other, LATER));
	KUNIT_EXPECT_TRUE(test, fixture_remove(f, &keys[0]));
	KUNIT_EXPECT_EQ(test, 1, fixture_add(f, &keys[WEIR_CHAIN_MAX], LATER));
}

static void chain_check(struct kunit *test, struct fixture *f,
			const struct weir_key *keys, unsigned long present)
{
	unsigned int i;

	for (i = 0; i < CHAIN; i++)
		KUNIT_ASSERT_EQ(test, !!(present & BIT(i)),
				fixture_has(f, &keys[i]));
}

/* All keys are in one bucket: each is found, and can be removed from any place in the chain. */
static void table_collisions(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	struct prng p = prng_seed(test, 0x5eed0701);
	unsigned long present = 0;
	struct weir_key *keys;
	unsigned int i;
	int round;

	keys = kunit_kcalloc(test, CHAIN, sizeof(*keys), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, keys);
	chain_make(f, keys, CHAIN);
	for (round = 0; round < 500; round++) {
		i = prng_below(&p, CHAIN);
		if (present & BIT(i))
			KUNIT_ASSERT_TRUE(test, fixture_remove(f, &keys[i]));
		else
			KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &keys[i], LATER));
		present ^= BIT(i);
		chain_check(test, f, keys, present);
	}
	KUNIT_EXPECT_EQ(test, hweight_long(present), weir_table_keys(&f->t));
}

/* Only the idle entries of a chain are dropped. */
static void table_expires_from_chain(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	u64 now = weir_table_now(&f->t);
	struct weir_key *keys;
	unsigned long idle;
	unsigned int i;

	keys = kunit_kcalloc(test, CHAIN, sizeof(*keys), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, keys);
	chain_make(f, keys, CHAIN);
	for (idle = 0; idle < BIT(CHAIN); idle += 37) {
		for (i = 0; i < CHAIN; i++)
			fixture_add(f, &keys[i],
				    idle & BIT(i) ? now + 10 : now + LATER);
		atomic64_add(10, &fake_clock);
		fixture_sweep(&f->t);
		chain_check(test, f, keys, ~idle);
		for (i = 0; i < CHAIN; i++)
			fixture_remove(f, &keys[i]);
		now = weir_table_now(&f->t);
	}
}

/*
 * Keys that differ only in trailing zeros ("a" and "a\0", or an IPv4 address and the IPv6 address
 * that begins with it) are all in a dump.
 */
static void table_tells_lengths_apart(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	u8 bytes[16] = { 'a' };
	struct weir_key key;
	unsigned int len, i;
	u64 hash[16];

	for (len = 1; len <= 16; len++) {
		fixture_key(f, &key, bytes, len);
		for (i = 0; i < len - 1; i++)
			KUNIT_EXPECT_NE(test, hash[i], key.hash);
		hash[len - 1] = key.hash;
		KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, LATER));
	}
	KUNIT_EXPECT_EQ(test, 16, weir_table_keys(&f->t));
}

/*
 * The hash of a key differs from the hash of any words that its padding and length could be
 * mistaken for.
 */
static void table_no_twins(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 100);
	u8 bytes[24] = "abcdefghijklmnop";
	struct weir_key key, twin;
	unsigned int len;
	__le64 words[3];
	u32 first;

	for (len = 0; len <= WEIR_KEY_INLINE; len++) {
		fixture_key(f, &key, bytes, len);
		memset(words, 0, sizeof(words));
		memcpy(words, bytes, len);
		words[2] = cpu_to_le64(len);
		fixture_key(f, &twin, words, sizeof(words));
		KUNIT_EXPECT_NE_MSG(test, key.hash, twin.hash, "%u and 24 bytes", len);
		memcpy(&first, bytes, sizeof(first));
		words[0] = cpu_to_le64((u64)first << 32 | len);
		fixture_key(f, &twin, words, sizeof(words[0]));
		if (len != sizeof(words[0]))
			KUNIT_EXPECT_NE_MSG(test, key.hash, twin.hash, "%u and 8 bytes",
					    len);
	}
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(table_no_twins),
	KUNIT_CASE(table_every_length),
	KUNIT_CASE_PARAM(table_slab_class, class_gen_params),
	KUNIT_CASE(table_insert_twice),
	KUNIT_CASE(table_dead_is_told),
	KUNIT_CASE(table_cap_is_exact),
	KUNIT_CASE(table_bounded_search),
	KUNIT_CASE(table_last_place),
	KUNIT_CASE(table_refuses),
	KUNIT_CASE(table_longest_chain),
	KUNIT_CASE(table_refuses_no_twin),
	KUNIT_CASE(table_evicts_idle_only),
	KUNIT_CASE(table_out_of_memory),
	KUNIT_CASE(table_collisions),
	KUNIT_CASE(table_expires_from_chain),
	KUNIT_CASE(table_tells_lengths_apart),
	{}
};

static struct kunit_suite weir_table_suite = {
	.name = "weir_table",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = table_cases,
};

kunit_test_suite(weir_table_suite);
