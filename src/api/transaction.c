// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_SUBMIT_ALL: several ops, all or none. The kind decides whether they are performed, and
 * performs them; see table/transaction.h.
 *
 * All keys are locked meanwhile (multi_lock.h), so observers see all of it or nothing. If memory or
 * room for new entries is missing, the locks are released, memory is allocated or room is made, and
 * the transaction starts again.
 *
 * Cost with known keys, in addition to the operations themselves: two copies to and from the user
 * per op, one lock and one unlock per key; no allocation up to four ops.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "api/kinds.h"
#include "api/ops.h"
#include "core/handle.h"
#include "table/transaction.h"

#define TX_TRIES	8	/* searches for room for one key: others may take the slots found */
#define TX_SMALL	4	/* number of ops up to which nothing is allocated for them */

/* The failed op says why; the others were not performed because of it. */
static void fail(struct weir_tx *tx, int err)
{
	struct weir_tx_item *it;

	weir_tx_for_each(it, tx)
		weir_op_fail(&it->run, it == &tx->items[tx->failed] ? err : -ECANCELED);
}

/*
 * Find the object of an op. If its storage is held since an earlier attempt, only check that it is
 * still alive.
 */
static int item_locate(struct weir_tx *tx, struct weir_tx_item *it)
{
	struct weir_object *o;

	if (tx->held)
		return weir_object_alive(it->o) ? 0 : -ENODEV;
	o = weir_op_object(weir_handle_find(tx->client, it->run.op.handle), &it->run);
	if (IS_ERR(o))
		return PTR_ERR(o);
	it->o = o;
	return it->decides ? 0 : o->ops->join_check(&it->run, o);
}

static int item_hold(struct weir_tx *tx, struct weir_tx_item *it)
{
	it->held = weir_object_live_get(it->o);
	return it->held ? 0 : -ENODEV;
}

/* Hold the storage of all objects beyond this RCU read side. Return: WEIR_TX_AGAIN or an errno. */
static int hold(struct weir_tx *tx)
{
	if (tx->held)
		return WEIR_TX_AGAIN;
	tx->held = true;
	return weir_tx_each(tx, item_hold) ?: WEIR_TX_AGAIN;
}

/* Return: 0, WEIR_TX_AGAIN, or an errno, the result of @tx->failed. Context: RCU read side. */
static int attempt(struct weir_tx *tx)
{
	struct weir_tx_item *it;
	int err = weir_tx_each(tx, item_locate);

	if (err)
		return err;
	if (tx->ops) {
		err = INDIRECT_CALL_1(tx->ops->attempt, weir_limiter_transact, tx);
		return err == WEIR_TX_AGAIN ? hold(tx) : err;
	}
	weir_tx_for_each(it, tx)
		weir_tx_join(tx, it);
	return 0;
}

/* Allocate the memory that the last attempt lacked. Return: 0 or -ENOMEM. */
static int item_prepare(struct weir_tx *tx, struct weir_tx_item *it)
{
	struct weir_multi_key *k = it->k;

	cond_resched();
	if (k && k->wanted && !k->new) {
		k->new = weir_entry_alloc(k->t->memcg, k->key, GFP_KERNEL);
		if (!k->new)
			return -ENOMEM;
	}
	return tx->ops->prepare ? tx->ops->prepare(tx, it) : 0;
}

/* Find the room, or allocate the memory, that the last attempt lacked. */
static int prepare(struct weir_tx *tx)
{
	struct weir_multi_key *k = tx->lock.roomless;

	if (!k)
		return weir_tx_each(tx, item_prepare);
	if (k->tries++ < TX_TRIES && weir_table_room(k->t, tx->lock.room))
		return 0;
	return tx->ops->no_room(tx);
}

/* Return: 0, and the results are complete; or -ERESTARTSYS, and nothing happened. */
static int perform(struct weir_tx *tx)
{
	int err;

	for (;;) {
		rcu_read_lock();
		err = attempt(tx);
		rcu_read_unlock();
		if (err == WEIR_TX_AGAIN)
			err = prepare(tx) ?: WEIR_TX_AGAIN;
		if (err != WEIR_TX_AGAIN)
			break;
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
	if (err)
		fail(tx, err);
	return 0;
}

static int item_get(struct weir_tx_item *it, struct weir_op __user *user)
{
	/* only these: the many other members are set before they are read */
	it->run.data = NULL;
	it->k = NULL;
	it->held = false;
	if (weir_op_get(&it->run, user))
		return -EFAULT;
	weir_op_clear(&it->run);
	if (!(it->run.op.flags & WEIR_OP_PTR))
		return 0;
	it->run.data = kmalloc(sizeof(*it->run.data), GFP_KERNEL_ACCOUNT);
	return it->run.data ? 0 : -ENOMEM;
}

/* Check whether the op can be part of it, as far as that is possible without its object. */
static int item_check(struct weir_tx *tx, struct weir_tx_item *it)
{
	int err = weir_op_check(&it->run);

	if (err)
		return err;
	if (it->run.op.flags & WEIR_OP_NOWAIT)
		return -EINVAL;
	it->decides = it->run.desc->traits & WEIR_OPF_DECIDES;
	if (!it->decides)
		return it->run.desc->traits & WEIR_OPF_JOIN ? 0 : -EINVAL;
	if (!tx->deciding++)
		tx->ops = it->run.desc->kind->tx;
	return tx->ops == it->run.desc->kind->tx ? 0 : -EINVAL;
}

static bool too_many(const struct weir_tx *tx)
{
	if (!tx->ops)
		return tx->count > WEIR_TRANSACTION_MAX;
	return tx->count > tx->ops->max_ops || tx->deciding > tx->ops->max;
}

/* Release everything before user memory is written: a user can delay the write for any time. */
static void release(struct weir_tx *tx, unsigned int got)
{
	struct weir_tx_item *it;

	if (unlikely(tx->finish))
		tx->ops->finish(tx);
	if (tx->held)
		weir_multi_discard(&tx->lock);
	for (it = tx->items; it < tx->items + got; it++) {
		if (it->held)
			weir_object_live_put(it->o);
		kfree(it->run.data);
	}
}

static int run(struct weir_tx *tx, struct weir_op __user *ops)
{
	unsigned int i, got;
	int err = 0, invalid;

	tx->end = tx->items + tx->count;
	for (got = 0; got < tx->count && !err; got++)
		err = item_get(&tx->items[got], ops + got);
	if (!err) {
		invalid = weir_tx_each(tx, item_check);
		if (invalid)
			fail(tx, invalid);
		else
			err = too_many(tx) ? -EINVAL : perform(tx);
	}
	release(tx, got);
	for (i = 0; i < got && !err; i++)
		err = weir_op_put(&tx->items[i].run, ops + i);
	return err ?: tx->count;
}

/* A separate function, so that other callers do not need its stack. */
static noinline int run_small(struct weir_tx *tx, struct weir_op __user *ops)
{
	struct weir_tx_item items[TX_SMALL];
	struct weir_multi_key keys[TX_SMALL];

	tx->items = items;
	weir_multi_init(&tx->lock, keys);
	return run(tx, ops);
}

static int run_large(struct weir_tx *tx, struct weir_op __user *ops)
{
	struct weir_multi_key *keys;
	int ret;

	tx->items = kvmalloc_array(tx->count, sizeof(*tx->items) + sizeof(*keys),
				   GFP_KERNEL_ACCOUNT);
	if (!tx->items)
		return -ENOMEM;
	keys = (struct weir_multi_key *)(tx->items + tx->count);
	weir_multi_init(&tx->lock, keys);
	ret = run(tx, ops);
	kvfree(tx->items);
	return ret;
}

/**
 * weir_transaction_run - perform ops, all or none
 * @c: the client
 * @ops: the user's ops
 * @count: their number, 1 or more
 *
 * Context: may sleep.
 * Return: @count; -EINVAL: too many, or too many that decide; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int weir_transaction_run(struct weir_client *c, struct weir_op __user *ops,
			 u32 count)
{
	struct weir_tx tx;

	if (count > WEIR_MULTI_MAX)
		return -EINVAL;
	tx.ops = NULL;
	tx.client = c;
	tx.count = count;
	tx.deciding = 0;
	tx.held = false;
	tx.finish = false;
	return count <= TX_SMALL ? run_small(&tx, ops) : run_large(&tx, ops);
}
