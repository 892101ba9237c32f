// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_SUBMIT_ALL: several CLAIMs, of one roster or of several, all or none.
 *
 * Everything that the leases need is allocated first; then all keys are locked (multi_lock.h)
 * and the decision is made. No reader sees only some of the leases: after finding one it finds
 * the others, or waits for their entries. A submission that fails has held no slot.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/handle.h"
#include "api/ops.h"
#include "roster/roster.h"
#include "table/multi_lock.h"

#define AGAIN	1	/* there is room now */
#define TRIES	8	/* to reserve slots that other callers take first */

/**
 * struct claims_item - one op
 * @run: the op
 * @claim: the lease it is going to make; its roster's storage is held
 */
struct claims_item {
	struct weir_op_run	run;
	struct weir_claim	claim;
};

/**
 * struct claims - all of them
 * @client: the client that claims
 * @count: of @items
 * @lock: their keys, one each
 * @roomless: the key of a table without room for all, or NULL
 * @keys: of @lock, in the order of @items
 * @items: the ops
 */
struct claims {
	struct weir_client	*client;
	unsigned int		count;
	struct weir_multi_lock	lock;
	struct weir_multi_key	*roomless;
	struct weir_multi_key	keys[WEIR_CLAIMS_MAX];
	struct claims_item	items[];
};

/* The failed op says why; the others were not performed because of it. */
static int fail(struct claims *cs, unsigned int which, int err)
{
	unsigned int i;

	for (i = 0; i < cs->count; i++)
		weir_op_fail(&cs->items[i].run, i == which ? err : -ECANCELED);
	return err;
}

/* The key has a lease: fill in its owner. */
static int item_taken(struct claims *cs, unsigned int which,
		      const struct weir_roster_lease *l)
{
	struct weir_claim *claim = &cs->items[which].claim;

	weir_lease_answer(claim->op, l, claim->now, cs->client);
	this_cpu_inc(claim->r->totals->refused);
	return fail(cs, which, -EEXIST);
}

/* ------------------------------------------------------------ what they take */

static int item_get(struct claims_item *it, struct weir_op __user *user)
{
	if (weir_op_get(&it->run, user))
		return -EFAULT;
	weir_op_clear(&it->run);
	if (!(it->run.op.flags & WEIR_OP_PTR))
		return 0;
	it->run.data = kmalloc(sizeof(*it->run.data), GFP_KERNEL_ACCOUNT);
	return it->run.data ? 0 : -ENOMEM;
}

/* Its roster, held from now on. */
static int item_find(struct claims *cs, struct claims_item *it)
{
	struct weir_object *o;
	int err = 0;

	rcu_read_lock();
	o = weir_op_object(weir_handle_find(cs->client, it->run.op.handle), &it->run);
	if (IS_ERR(o))
		err = PTR_ERR(o);
	else if (!weir_object_live_get(o))
		err = -ENODEV;
	rcu_read_unlock();
	if (!err)
		it->claim.r = weir_roster(o);
	return err;
}

/* Reads user memory, so the caller holds nothing. */
static int item_check(struct claims_item *it)
{
	int err = weir_op_check(&it->run);

	return !err && !(it->run.desc->traits & WEIR_OPF_CLAIM) ? -EINVAL : err;
}

/* No two ops may be about one key. */
static int item_key(struct claims *cs, struct claims_item *it)
{
	unsigned int before = cs->lock.count;
	int err = item_find(cs, it);

	if (!err)
		err = weir_roster_key(it->claim.r, &it->run, &it->claim.key);
	if (err)
		return err;
	it->claim.op = &it->run.op;
	it->claim.c = cs->client;
	weir_multi_add(&cs->lock, &it->claim.r->table, &it->claim.key);
	return cs->lock.count == before ? -EINVAL : 0;
}

static int item_prepare(struct claims *cs, struct claims_item *it)
{
	struct weir_multi_key *k = &cs->keys[it - cs->items];
	struct weir_claim *claim = &it->claim;

	k->new = weir_entry_alloc(k->t->memcg, k->key, GFP_KERNEL);
	if (!k->new)
		return -ENOMEM;
	return weir_claim_prepare(claim, it->run.data ? &it->run.data->lease : NULL);
}

static int items_check(struct claims *cs)
{
	unsigned int i;
	int err;

	for (i = 0; i < cs->count; i++) {
		err = item_check(&cs->items[i]);
		if (err)
			return fail(cs, i, err);
	}
	for (i = 0; i < cs->count; i++) {
		err = item_key(cs, &cs->items[i]);
		if (err)
			return fail(cs, i, err);
	}
	return 0;
}

/* A claim that will be refused needs neither memory nor locks. */
static int items_free(struct claims *cs)
{
	struct weir_claim *claim;
	struct weir_entry *e;
	struct weir_roster_lease *l;
	unsigned int i;
	int err = 0;

	rcu_read_lock();
	for (i = 0; i < cs->count && !err; i++) {
		claim = &cs->items[i].claim;
		/* before it is looked for: see lease_read() */
		claim->now = weir_table_now(&claim->r->table);
		smp_rmb();	/* the same */
		e = weir_table_find(&claim->r->table, &claim->key);
		/* pairs with the release in weir_lease_put() */
		l = e ? smp_load_acquire(&e->lease) : NULL;
		if (weir_lease_is_live(l, claim->now))
			err = item_taken(cs, i, l);
	}
	rcu_read_unlock();
	return err;
}

static int items_prepare(struct claims *cs)
{
	unsigned int i;
	int err = items_check(cs) ?: items_free(cs);

	for (i = 0; i < cs->count && !err; i++) {
		err = item_prepare(cs, &cs->items[i]);
		if (err)
			fail(cs, i, err);
		cond_resched();
	}
	return err;
}

static void item_discard(struct claims *cs, struct claims_item *it)
{
	weir_claim_discard(&it->claim);
	if (it->claim.r)
		weir_object_live_put(&it->claim.r->obj);
	kfree(it->run.data);
}

/* ------------------------------------------------------------ with all keys locked */

/* The first that is taken has failed. 0 or -EEXIST. */
static int taken(struct claims *cs)
{
	u64 now = ktime_get_boottime_ns();
	struct claims_item *it;
	struct weir_roster_lease *l;
	struct weir_entry *e;
	unsigned int i;

	for (i = 0; i < cs->count; i++) {
		it = &cs->items[i];
		e = cs->keys[i].e;
		l = e ? weir_lease_locked(e) : NULL;
		it->claim.now = now - it->claim.r->table.epoch;
		if (weir_lease_is_live(l, it->claim.now))
			return item_taken(cs, i, l);
	}
	return 0;
}

static int decide(struct claims *cs)
{
	struct weir_multi_key *k;
	unsigned int i;
	int err = taken(cs);

	if (err)
		return err;
	for (k = cs->keys; k < cs->keys + cs->count; k++) {
		k->wanted = !k->e;
		if (k->wanted && k->chain >= WEIR_CHAIN_MAX)
			cs->roomless = k;
	}
	cs->roomless = cs->roomless ?: weir_multi_reserve(&cs->lock);
	if (cs->roomless)
		return -ENOSPC;
	for (i = 0, k = cs->keys; i < cs->count; i++, k++) {
		if (k->wanted) {
			k->word = 0;
			weir_multi_link(k);
		}
		weir_claim_make(&cs->items[i].claim, k->e, k->linked);
	}
	return 0;
}

/* One attempt under RCU. -ENOSPC is not reported yet. */
static int attempt(struct claims *cs)
{
	unsigned int i;
	int err;

	for (i = 0; i < cs->count; i++)
		if (!weir_object_alive(&cs->items[i].claim.r->obj))
			return fail(cs, i, -ENODEV);
	cs->roomless = NULL;
	weir_multi_lock(&cs->lock);
	err = decide(cs);
	weir_multi_unlock(&cs->lock);
	return err;
}

/* ------------------------------------------------------------ all of it */

/*
 * There was no room. Return: AGAIN if there is room now; otherwise the first op without room
 * has failed.
 */
static int room(struct claims *cs, unsigned int tries)
{
	struct weir_multi_key *k = cs->roomless;
	unsigned int i = k - cs->keys;

	if (k->chain < WEIR_CHAIN_MAX && tries < TRIES &&
	    weir_table_room(k->t, weir_multi_wanted(&cs->lock, k->t)))
		return AGAIN;
	this_cpu_inc(cs->items[i].claim.r->totals->full);
	return fail(cs, i, -ENOSPC);
}

/* Return: 0, and the results are complete; or -ERESTARTSYS, and nothing happened. */
static int perform(struct claims *cs)
{
	unsigned int tries = 0;
	int err;

	do {
		rcu_read_lock();
		err = attempt(cs);
		rcu_read_unlock();
		if (err == -ENOSPC)
			err = room(cs, tries++);
		if (err == AGAIN && signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	} while (err == AGAIN);
	return 0;
}

static int run(struct claims *cs, struct weir_op __user *ops)
{
	unsigned int i, got;
	int err = 0;

	for (got = 0; got < cs->count && !err; got++)
		err = item_get(&cs->items[got], ops + got);
	if (!err && !items_prepare(cs))
		err = perform(cs);
	weir_multi_discard(&cs->lock);
	/* before user memory is written, which may take as long as its owner likes */
	for (i = 0; i < got; i++) {
		item_discard(cs, &cs->items[i]);
		cond_resched();
	}
	for (i = 0; i < got && !err; i++)
		err = weir_op_put(&cs->items[i].run, ops + i);
	return err ?: cs->count;
}

/**
 * weir_claims_run - perform CLAIMs, all or none
 * @c: the client
 * @ops: the user's ops
 * @count: their number
 *
 * Context: may sleep.
 * Return: @count; -EINVAL: too many; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int weir_claims_run(struct weir_client *c, struct weir_op __user *ops, u32 count)
{
	struct claims *cs;
	int ret;

	BUILD_BUG_ON(WEIR_CLAIMS_MAX > WEIR_MULTI_MAX);
	if (count > WEIR_CLAIMS_MAX)
		return -EINVAL;
	cs = kvzalloc(struct_size(cs, items, count), GFP_KERNEL_ACCOUNT);
	if (!cs)
		return -ENOMEM;
	cs->client = c;
	cs->count = count;
	weir_multi_init(&cs->lock, cs->keys);
	ret = run(cs, ops);
	kvfree(cs);
	return ret;
}
