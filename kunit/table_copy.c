// SPDX-License-Identifier: GPL-2.0-only
/* The table under test, and what tests do with it again and again. */

#include "table_copy.h"

#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

atomic_t copy_live;
atomic_t copy_fail_in;
long copy_sweep_delay = -1;
struct points copy_points, copy_alloc_points;

static void *counted_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *p;

	point_pass(&copy_alloc_points);
	if (atomic_read(&copy_fail_in) && atomic_dec_and_test(&copy_fail_in))
		return NULL;
	p = kmem_cache_alloc(cache, gfp);
	if (p)
		atomic_inc(&copy_live);
	return p;
}

static void counted_free(struct kmem_cache *cache, void *p)
{
	atomic_dec(&copy_live);
	kmem_cache_free(cache, p);
}

/* weir.ko may be loaded at the same time; its caches have those names. */
static struct kmem_cache *renamed_cache(const char *name, unsigned int size,
					unsigned int align, slab_flags_t flags,
					unsigned int offset, unsigned int length,
					void (*ctor)(void *object))
{
	static const char *const names[] = {
		"weir_kunit_64", "weir_kunit_128", "weir_kunit_320",
	};

	return kmem_cache_create_usercopy(names[(size > 64) + (size > 128)], size,
					  align, flags, offset, length, ctor);
}

static bool sweep_asked(struct workqueue_struct *queue, struct delayed_work *work,
			unsigned long delay)
{
	WRITE_ONCE(copy_sweep_delay, delay);
	return true;
}

#undef atomic64_read
#undef atomic64_try_cmpxchg
#define atomic64_read(v)		point_read(&copy_points, v)
#define atomic64_try_cmpxchg(v, old, new)	point_try_cmpxchg(&copy_points, v, old, new)
#undef kmem_cache_alloc
#undef kmem_cache_free
#undef kmem_cache_create_usercopy
#undef mod_delayed_work
#undef queue_delayed_work
#define kmem_cache_alloc		counted_alloc
#define kmem_cache_free			counted_free
#define kmem_cache_create_usercopy	renamed_cache
#define mod_delayed_work		sweep_asked
#define queue_delayed_work		sweep_asked

#include "../src/table/entry.c"
#include "../src/table/table.c"
#include "../src/table/sweep.c"

struct kmem_cache *copy_cache(unsigned int class)
{
	return caches[class];
}

struct kmem_cache *copy_cache_of(const struct weir_entry *e)
{
	return cache_for(e->key_len);
}

void copy_sweep_run(struct weir_table *t)
{
	copy_sweep_delay = -1;
	sweep_work(&t->sweep.work);
}

/* Drop the idle entries of a group, whatever its bound says. */
void copy_scan(struct weir_table *t, unsigned int group)
{
	struct scan scan = { .t = t };

	group_scan(&scan, group, 0);
}

static u64 fixture_idle_at(struct weir_table *t, const struct weir_entry *e,
			   u64 word, u64 now)
{
	struct fixture *f = container_of(t, struct fixture, t);

	if (f->tick)
		atomic64_add(f->tick, &kunit_clock);
	f->examined++;
	f->word = word >> 1;
	if (f->harvest)
		return now;
	return max(now, word >> 1);
}

static void fixture_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
	struct fixture *f = container_of(t, struct fixture, t);

	atomic_add(n, for_room ? &f->evicted : &f->expired);
}

/* The word that it was idle by. */
static void fixture_dropped(struct weir_table *t, struct weir_entry *e)
{
	struct fixture *f = container_of(t, struct fixture, t);

	atomic64_add(f->word, &f->harvested);
}

static const struct weir_table_ops fixture_ops = {
	.idle_at = fixture_idle_at,
	.dropped = fixture_dropped,
	.evicted = fixture_evicted,
};

struct fixture *fixture_new(struct kunit *test, u64 max_keys)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_EQ(test, 0, weir_table_init(&f->t, max_keys, &fixture_ops));
	test->priv = f;
	return f;
}

int fixture_suite_init(struct kunit_suite *suite)
{
	return weir_entry_mod_init();
}

void fixture_suite_exit(struct kunit_suite *suite)
{
	weir_entry_mod_exit();
}

int fixture_init(struct kunit *test)
{
	test->priv = NULL;
	atomic64_set(&kunit_clock, 1000000);
	atomic_set(&copy_fail_in, 0);
	copy_sweep_delay = -1;
	return 0;
}

/* Nothing of a test may be left. */
void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f)
		weir_table_destroy(&f->t);
	test->priv = NULL;
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&copy_live));
}

/* As weir_limiter_key() does it. */
void fixture_key(const struct fixture *f, struct weir_key *key, const void *bytes,
		 unsigned int len)
{
	memset(key, 0, sizeof(*key));
	key->len = len;
	key->data = bytes;
	if (len <= WEIR_KEY_INLINE) {
		memcpy(key->words, bytes, len);
		key->data = (const u8 *)key->words;
	}
	weir_key_hash(&f->t, key);
}

void fixture_key_u64(const struct fixture *f, struct weir_key *key, u64 n)
{
	fixture_key(f, key, &n, sizeof(n));
}

/* The entry of a key, new or not, locked and in an RCU read side; or ERR_PTR(). */
struct weir_entry *fixture_insert(struct fixture *f, const struct weir_key *key,
				  u64 fresh, u64 *word, bool *created)
{
	struct weir_entry *e, *new;

	do {
		new = weir_table_new(&f->t, key, GFP_KERNEL);
		if (IS_ERR(new))
			return new;
		rcu_read_lock();
		e = weir_table_link(&f->t, key, new, fresh, word);
		if (!e) {
			rcu_read_unlock();
			weir_entry_free(new);
		}
	} while (!e);
	*created = e == new;
	return e;
}

/* Insert, or find, an entry that is idle at @idle_at: 1 new, 0 not, or -errno. */
int fixture_add(struct fixture *f, const struct weir_key *key, u64 idle_at)
{
	struct weir_entry *e;
	bool created;
	u64 word;

	e = fixture_insert(f, key, 0, &word, &created);
	if (IS_ERR(e))
		return PTR_ERR(e);
	weir_table_unlock(&f->t, e, fixture_word(idle_at));
	rcu_read_unlock();
	weir_table_update_expiry(&f->t, key->hash, idle_at);
	return created;
}

bool fixture_has(struct fixture *f, const struct weir_key *key)
{
	bool found;

	rcu_read_lock();
	found = weir_table_find(&f->t, key);
	rcu_read_unlock();
	return found;
}
