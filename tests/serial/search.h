/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * search - whether some serial order explains a history
 *
 * An order explains it if each operation, a transaction as a whole, stands at one moment within
 * its own duration, the moments have that order, and the model gives every answer, number by
 * number. The search is that of Wing and Gong, with Lowe's memory of states that lead nowhere.
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
 * struct serial_history - what happened to a few keys
 * @config: of the limiters
 * @start: the state before it
 * @slack: ns by which the times of @start may be too early
 * @states_max: after so many states the search ends, without a result; 0: STATES_MAX
 * @n: operations
 * @ops: in any order
 * @best: out: the most operations that an order explains
 * @stuck: out: which operations that order leaves over, a bit each
 * @states: out: states that were looked at
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
