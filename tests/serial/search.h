/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * search - whether some serial order explains a history
 *
 * An order explains it if each operation stands at one moment within its own duration, the
 * moments have that order, and the model gives every answer, number by number. The search
 * is that of Wing and Gong, with Lowe's memory of states that lead nowhere.
 */
#ifndef _WEIR_SERIAL_SEARCH_H
#define _WEIR_SERIAL_SEARCH_H

#include "model.h"

enum serial_found {
	SERIAL_EXPLAINED,
	SERIAL_UNEXPLAINED,
	SERIAL_GAVE_UP,		/* too many states */
};

/**
 * struct serial_history - what happened to one key
 * @policy: of the limiter
 * @start: the key's state before it
 * @slack: ns by which the times of @start may be off
 * @n: operations
 * @ops: in any order
 * @best: out: the most operations that an order explains
 * @stuck: out: which operations that order leaves over, a bit each
 * @states: out: states that were looked at
 */
struct serial_history {
	struct serial_policy policy;
	struct serial_state start;
	u64 slack;
	u32 n;
	struct serial_op ops[HISTORY_MAX];
	u32 best;
	u32 stuck;
	u64 states;
};

enum serial_found serial_search(struct serial_history *h);
void serial_print(const struct serial_history *h);

#endif /* _WEIR_SERIAL_SEARCH_H */
