// SPDX-License-Identifier: GPL-2.0-only
/* A table for tests. The word of an entry is twice the time at which the entry becomes idle. */

#include "table_fixture.h"

void fixture_sweep(struct weir_table *t)
{
	fake_sweep_delay = -1;
	t->sweep.work.func(&t->sweep.work);
}

/* Examine a group and drop its idle entries, without regard to its bound. */
void fixture_scan(struct weir_table *t, unsigned int group)
{
	weir_expiry_lower(&t->expiry, group << WEIR_GROUP_BITS, 0);
	weir_table_step(t);
}

static u64 fixture_idle_at(struct weir_table *t, const struct weir_entry *e,
			   u64 word, u64 now)
{
	struct fixture *f = container_of(t, struct fixture, t);

	if (f->tick)
		atomic64_add(f->tick, &fake_clock);
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

/* f->word is the value for which fixture_idle_at() found the entry idle. */
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
	fakes_reset();
	return 0;
}

/* A test must leave nothing behind. */
void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f)
		weir_table_destroy(&f->t);
	test->priv = NULL;
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_live));
}

/* Like weir_limiter_key(). */
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

/* Find or insert the entry of a key. Return: the entry, locked and under RCU; or ERR_PTR(). */
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
		if (!e)
			rcu_read_unlock();
	} while (!e);
	*created = e == new;
	return e;
}

/* Find or insert an entry that becomes idle at @idle_at. Return: 1 inserted, 0 found, or -errno. */
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

/* Drop the entry of a key. Return: false if there is none. */
bool fixture_remove(struct fixture *f, const struct weir_key *key)
{
	struct weir_entry *e;
	u64 word;

	rcu_read_lock();
	e = weir_table_find_locked(&f->t, key, &word);
	if (e)
		weir_table_drop(&f->t, e);
	rcu_read_unlock();
	return e;
}

bool fixture_has(struct fixture *f, const struct weir_key *key)
{
	bool found;

	rcu_read_lock();
	found = weir_table_find(&f->t, key);
	rcu_read_unlock();
	return found;
}
