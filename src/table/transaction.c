// SPDX-License-Identifier: GPL-2.0-only
/* See transaction.h. */

#include "table/transaction.h"

/**
 * weir_tx_link - link new entries for the keys that are wanted, for all or for none
 * @tx: its keys are locked
 *
 * Return: 0, or WEIR_TX_AGAIN.
 */
int weir_tx_link(struct weir_tx *tx)
{
	struct weir_multi_key *k;

	weir_tx_for_each_key(k, tx)
		if (k->wanted && !k->new)
			return WEIR_TX_AGAIN;
	tx->roomless = weir_multi_reserve(&tx->lock);
	if (tx->roomless) {
		tx->room = weir_multi_wanted(&tx->lock, tx->roomless->t);
		return WEIR_TX_AGAIN;
	}
	weir_tx_for_each_key(k, tx)
		if (k->wanted)
			weir_multi_link(k);
	return 0;
}
