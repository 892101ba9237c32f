/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transactions: the ops of a WEIR_SUBMIT_ALL, which take effect together or not at all.
 *
 * api/transaction.c gets the ops from the user, and finds their objects and the memory. In a
 * transaction, the ops that decide (WEIR_OPF_DECIDES) are of one kind, and that kind decides: see
 * &struct weir_tx_ops. Ops of other kinds may join them (WEIR_OPF_JOIN).
 */
#ifndef _WEIR_TRANSACTION_H
#define _WEIR_TRANSACTION_H

#include "table/multi_lock.h"
#include "table/op.h"

#define WEIR_TX_AGAIN	1	/* nothing was done: an entry needs memory or room */
#define WEIR_TX_WORDS	16	/* u64 words of private data of the kind, per op */

struct weir_tx;
struct weir_tx_item;

/**
 * struct weir_tx_ops - a kind whose ops decide together
 * @max: maximum number of these ops in one transaction
 * @max_ops: maximum number of all ops
 * @attempt: decide and perform all ops. Returns 0; an errno, the result of the op @tx->failed; or
 *	WEIR_TX_AGAIN, and nothing was done: @tx->lock.roomless is the key without room or, if it
 *	is NULL, the wanted keys need memory. Context: RCU read side, in which all objects are
 *	alive.
 * @prepare: allocate what the next attempt needs for one op besides its entry; NULL: nothing.
 *	Returns 0 or an errno. May sleep.
 * @no_room: no room was found for @tx->lock.roomless. Returns 0: attempt again; or an errno as
 *	@attempt does.
 * @finish: called last, if @tx->finish is set: frees what @prepare allocated. The objects are
 *	held. May sleep.
 */
struct weir_tx_ops {
	u8	max;
	u8	max_ops;
	int	(*attempt)(struct weir_tx *tx);
	int	(*prepare)(struct weir_tx *tx, struct weir_tx_item *it);
	int	(*no_room)(struct weir_tx *tx);
	void	(*finish)(struct weir_tx *tx);
};

/**
 * struct weir_tx_item - one op
 * @run: the op
 * @o: its object
 * @k: its key; NULL for an op that joins
 * @decides: it has WEIR_OPF_DECIDES
 * @held: the storage of @o is held
 * @private: for the kind
 */
struct weir_tx_item {
	struct weir_op_run	run;
	struct weir_object	*o;
	struct weir_multi_key	*k;
	bool			decides;
	bool			held;
	u64			private[WEIR_TX_WORDS];
};

/**
 * struct weir_tx - all ops of a submission
 * @ops: functions of the kind that decides; NULL if all ops join
 * @client: the caller's client
 * @items: the ops
 * @end: the end of the ops
 * @count: their number
 * @deciding: number of ops that decide
 * @failed: index of the op because of which none is performed
 * @lock: the keys, each once
 * @held: the storage of all objects is held, from the second attempt on
 * @finish: &weir_tx_ops.finish must be called
 */
struct weir_tx {
	const struct weir_tx_ops *ops;
	struct weir_client	*client;
	struct weir_tx_item	*items;
	struct weir_tx_item	*end;
	unsigned int		count;
	unsigned int		deciding;
	unsigned int		failed;
	struct weir_multi_lock	lock;
	bool			held;
	bool			finish;
};

#define weir_tx_for_each(it, tx)					\
	for (it = (tx)->items; it < (tx)->end; it++)

#define weir_tx_for_each_key(k, tx)					\
	for (k = (tx)->lock.keys; k < (tx)->lock.keys + (tx)->lock.count; k++)

/* Record the op because of which none is performed. Return: @err. */
static inline int weir_tx_fail(struct weir_tx *tx, const struct weir_tx_item *it, int err)
{
	tx->failed = it - tx->items;
	return err;
}

/* Call @act for each op, until one fails. Return: 0, or the errno of the op @tx->failed. */
static __always_inline int weir_tx_each(struct weir_tx *tx,
					int (*act)(struct weir_tx *tx, struct weir_tx_item *it))
{
	struct weir_tx_item *it;
	int err;

	weir_tx_for_each(it, tx) {
		err = act(tx, it);
		if (err)
			return weir_tx_fail(tx, it, err);
	}
	return 0;
}

/* Perform an op that joins the others, after these were performed. Context: as @attempt. */
static inline void weir_tx_join(struct weir_tx *tx, struct weir_tx_item *it)
{
	it->o->ops->join(&it->run, it->o);
	it->run.op.verdict = WEIR_ALLOWED;
	it->run.op.decided = it - tx->items;
}

#endif /* _WEIR_TRANSACTION_H */
