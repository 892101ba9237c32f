/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting until a limiter's key has tokens: strictly in order of arrival, with one timer for
 * the first waiter of each key, without polling.
 */
#ifndef _WEIR_WAIT_H
#define _WEIR_WAIT_H

#include <linux/types.h>

struct weir_entry;
struct weir_key;
struct weir_limiter;
struct weir_op;

int weir_wait_run(struct weir_limiter *l, struct weir_op *op,
		  struct weir_key *key);
void weir_wait_kick(const struct weir_entry *e);
u64 weir_wait_tokens(const struct weir_entry *e);
void weir_wait_kick_all(struct weir_limiter *l);

int weir_wait_mod_init(void);
void weir_wait_mod_exit(void);

#endif /* _WEIR_WAIT_H */
