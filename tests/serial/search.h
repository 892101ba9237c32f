/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * search - whether some serial order explains a history
 *
 * An order explains a history if each operation (a transaction as a whole) has a moment within its
 * own duration, the moments are in that order, and the model gives every answer, number by number.
 * The search is that of Wing and Gong, with Lowe's memory of states that do not lead to a solution.
 */
#ifndef _WEIR_SERIAL_SEARCH_H
#define _WEIR_SERIAL_SEARCH_H

#include "model.h"

enum serial_found {
	SERIAL_EXPLAINED,
	SERIAL_UNEXPLAINED,
	SERIAL_UNDECIDED,	/* too many states */
};

#define STATES_MAX	400000ULL

/**
 * struct serial_history - the operations on a few keys
 * @config: configuration of the limiters
 * @start: the state before the history
 * @slack: ns by which the times of @start may be too early
 * @states_max: the search ends without a result after this number of states; 0: STATES_MAX
 * @n: operations
 * @ops: in any order
 * @best: result: the maximum number of operations that an order explains
 * @stuck: result: a bit for each operation that this order does not explain
 * @states: result: number of states examined
 */
struct serial_history {
	struct serial_config config;
	struct serial_state start;
	u64 slack;
	u64 states_max;
	u32 n;
	struct serial_op ops[HISTORY_MAX];
	u32 best;
	u32 stuck;
	u64 states;
};

enum serial_found serial_search(struct serial_history *h);
void serial_print(const struct serial_history *h);

#endif /* _WEIR_SERIAL_SEARCH_H */
