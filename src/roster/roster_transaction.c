// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several CLAIMs, of one roster or of several, all or none. See table/transaction.h.
 *
 * Everything that the leases need is allocated before the keys are locked. No reader sees only some
 * of the leases: a reader that has found one finds the others, or waits for their entries. A
 * submission that fails has reserved no slot.
 */

#include <linux/sched.h>

#include "roster/roster.h"
#include "table/transaction.h"

static struct weir_claim *claim_of(struct weir_tx_item *it)
{
	BUILD_BUG_ON(sizeof(struct weir_claim) > sizeof(it->private));
	return (struct weir_claim *)it->private;
}

/* The key has a lease: fill in its owner. */
static int item_taken(struct weir_tx *tx, struct weir_tx_item *it,
		      const struct weir_roster_lease *l)
{
	struct weir_claim *claim = claim_of(it);

	weir_lease_answer(claim->op, l, claim->now, tx->client);
	this_cpu_inc(claim->r->totals->refused);
	return weir_tx_fail(tx, it, -EEXIST);
}

/* Begin one claim. No two ops may have the same key, and no other ops may join them. */
static int claim_begin(struct weir_tx *tx, struct weir_tx_item *it)
{
	unsigned int before = tx->lock.count;
	struct weir_claim *claim = claim_of(it);

	if (!it->decides)
		return -EINVAL;
	*claim = (struct weir_claim){
		.r = weir_roster(it->o), .op = &it->run.op, .c = tx->client, .key = &it->run.key,
	};
	it->k = weir_multi_add(&tx->lock, &claim->r->table, &it->run.key);
	it->k->wanted = true;
	return tx->lock.count == before ? -EINVAL : 0;
}

static int claims_begin(struct weir_tx *tx)
{
	int err = weir_tx_each(tx, claim_begin);

	tx->finish = !err;
	return err;
}

/* Whether a claim is refused. Such a claim needs neither memory nor locks. */
static int claims_glance(struct weir_tx *tx)
{
	struct weir_tx_item *it;
	struct weir_claim *claim;
	struct weir_roster_lease *l;
	struct weir_entry *e;

	weir_tx_for_each(it, tx) {
		claim = claim_of(it);
		/* the clock is read before the lease: see lease_read() */
		claim->now = weir_table_now(&claim->r->table);
		smp_rmb();	/* the same */
		e = weir_table_find(&claim->r->table, claim->key);
		/* pairs with the release in lease_put() */
		l = e ? smp_load_acquire(&e->lease) : NULL;
		if (weir_lease_is_live(l, claim->now))
			return item_taken(tx, it, l);
	}
	return WEIR_TX_AGAIN;
}

/* The first claim whose key has a lease has failed. Return: 0 or -EEXIST. All keys are locked. */
static int claims_check(struct weir_tx *tx)
{
	u64 now = ktime_get_boottime_ns();
	struct weir_tx_item *it;
	struct weir_claim *claim;
	struct weir_roster_lease *l;

	weir_tx_for_each(it, tx) {
		claim = claim_of(it);
		claim->now = now - claim->r->table.epoch;
		l = it->k->e ? it->k->e->lease : NULL;
		if (weir_lease_is_live(l, claim->now))
			return item_taken(tx, it, l);
	}
	return 0;
}

/* All keys are locked. */
static int claims_make(struct weir_tx *tx)
{
	struct weir_tx_item *it;
	int err = claims_check(tx);

	if (err)
		return err;
	weir_tx_for_each(it, tx) {
		it->k->wanted = !it->k->e;
		if (it->k->wanted)
			it->k->word = 0;
	}
	if (!weir_multi_link(&tx->lock))
		return WEIR_TX_AGAIN;
	weir_tx_for_each(it, tx)
		weir_claim_make(claim_of(it), it->k->e, it->k->linked);
	return 0;
}

/* &weir_tx_ops.attempt */
static int claims_attempt(struct weir_tx *tx)
{
	int err;

	if (!tx->held)
		return claims_begin(tx) ?: claims_glance(tx);
	weir_multi_lock(&tx->lock);
	err = claims_make(tx);
	weir_multi_unlock(&tx->lock);
	return err;
}

/* &weir_tx_ops.prepare */
static int claim_prepare(struct weir_tx *tx, struct weir_tx_item *it)
{
	struct weir_claim *claim = claim_of(it);

	return claim->new ? 0 : weir_claim_prepare(claim, it->run.data ?
						   &it->run.data->lease : NULL);
}

/* &weir_tx_ops.no_room */
static int no_room(struct weir_tx *tx)
{
	struct weir_tx_item *it = tx->items;

	while (it->k != tx->lock.roomless)
		it++;
	this_cpu_inc(claim_of(it)->r->totals->full);
	return weir_tx_fail(tx, it, -ENOSPC);
}

/* &weir_tx_ops.finish */
static void claims_finish(struct weir_tx *tx)
{
	struct weir_tx_item *it;

	weir_tx_for_each(it, tx) {
		weir_claim_discard(claim_of(it));
		cond_resched();
	}
}

const struct weir_tx_ops weir_roster_tx = {
	.max		= WEIR_CLAIMS_MAX,
	.max_ops	= WEIR_CLAIMS_MAX,
	.attempt	= claims_attempt,
	.prepare	= claim_prepare,
	.no_room	= no_room,
	.finish		= claims_finish,
};
