// SPDX-License-Identifier: GPL-2.0-only
/* Permits of other modules: they have no grant, and the functions do not sleep. See kapi.h. */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>

#include <linux/weir.h>

#include "core/kapi.h"
#include "gate/gate.h"

/* A caller that may not sleep gets "full" after it has lost the last slot this often. */
#define ATOMIC_TRIES	4

/*
 * Find the entry of a key, and lock it. If there is none, create it, without sleeping. The caller
 * must hold rcu_read_lock(). Return: the entry; -ENOMEM; -ENOSPC, also if other keys took the last
 * slot too often.
 */
static struct weir_entry *entry_get(struct weir_gate *g, const struct weir_key *key,
				    u64 *word)
{
	struct weir_table *t = &g->table;
	struct weir_entry *new, *e;
	unsigned int tries = 0;

	do {
		e = weir_table_find_locked(t, key, word);
		if (e)
			return e;
		new = weir_table_new(t, key, GFP_NOWAIT);
		if (IS_ERR(new))
			return new;
		e = weir_table_link(t, key, new, 0, word);
		if (e == new)
			weir_gate_queue_init(&e->queue);
		if (e)
			return e;
	} while (++tries < ATOMIC_TRIES);
	return ERR_PTR(-ENOSPC);
}

/* Take @n permits. Check again what may have changed since the look-up. Needs the entry locked. */
static int take_locked(struct weir_gate *g, struct weir_entry *e, u32 n)
{
	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	if (!weir_gate_queue_take(&e->queue, READ_ONCE(g->permits), n))
		return WEIR_LIMITED;
	weir_gate_account_grant(g, n);
	e->module_permits += n;
	return WEIR_ALLOWED;
}

/* Take permits, under RCU. Return: WEIR_ALLOWED, _LIMITED, _FULL; -E2BIG, -ENODEV, -ENOMEM. */
static int take(struct weir_gate *g, const struct weir_key *key, u32 n)
{
	struct weir_entry *e;
	u64 word;
	int ret;

	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	e = entry_get(g, key, &word);
	if (!IS_ERR(e)) {
		ret = take_locked(g, e, n);
		weir_gate_unlock(g, e, key->hash, word);
	} else if (PTR_ERR(e) == -ENOSPC) {
		this_cpu_inc(g->totals->full);
		ret = WEIR_FULL;
	} else {
		ret = PTR_ERR(e);
	}
	if (ret == WEIR_LIMITED || ret == WEIR_FULL)
		this_cpu_inc(g->totals->refused);
	return ret;
}

/* Give permits back, under RCU. Return: 0; -ENOENT: modules hold fewer of the key. */
static int give(struct weir_gate *g, const struct weir_key *key, u32 n)
{
	struct weir_entry *e;
	int err = -ENOENT;
	u64 word;

	e = weir_table_find_locked(&g->table, key, &word);
	if (!e)
		return err;
	if (e->module_permits >= n) {
		e->module_permits -= n;
		weir_gate_release_locked(g, e, n);
		err = 0;
	}
	weir_gate_unlock(g, e, key->hash, word);
	return err;
}

struct weir_gate *weir_gate_get(const char *name)
{
	struct weir_object *o = weir_kapi_get(WEIR_KIND_GATE, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_gate(o);
}
EXPORT_SYMBOL_GPL(weir_gate_get);

void weir_gate_put(struct weir_gate *gate)
{
	if (!IS_ERR_OR_NULL(gate))
		weir_kapi_put(&gate->obj);
}
EXPORT_SYMBOL_GPL(weir_gate_put);

/* Perform @act on the key, under RCU. */
static __always_inline int gate_op(struct weir_gate *g, const void *bytes,
				   unsigned int len, u32 permits,
				   int (*act)(struct weir_gate *g,
					      const struct weir_key *key, u32 n))
{
	struct weir_key key;
	int ret = -ENODEV;

	if (!permits)
		return -EINVAL;
	rcu_read_lock();
	if (weir_object_alive(&g->obj))
		ret = weir_key_make(&g->spec, &g->table, bytes, len, &key) ?:
		      act(g, &key, permits);
	rcu_read_unlock();
	return ret;
}

int weir_gate_try_acquire(struct weir_gate *gate, const void *key,
			  unsigned int key_len, u32 permits)
{
	return gate_op(gate, key, key_len, permits, take);
}
EXPORT_SYMBOL_GPL(weir_gate_try_acquire);

int weir_gate_release(struct weir_gate *gate, const void *key, unsigned int key_len,
		      u32 permits)
{
	return gate_op(gate, key, key_len, permits, give);
}
EXPORT_SYMBOL_GPL(weir_gate_release);
