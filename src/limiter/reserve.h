/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting until a limiter's key has tokens: strictly in order of arrival, with one timer for each
 * key that has waiters.
 */
#ifndef _WEIR_RESERVE_H
#define _WEIR_RESERVE_H

#include <linux/types.h>

struct weir_entry;
struct weir_key;
struct weir_limiter;
struct weir_op;

int weir_reserve_run(struct weir_limiter *l, struct weir_op *op, struct weir_key *key);
void weir_reserve_kick(const struct weir_entry *e);
void weir_reserve_kick_all(struct weir_limiter *l);
u64 weir_reserve_tokens(const struct weir_entry *e);

int weir_reserve_mod_init(void);
void weir_reserve_mod_exit(void);

#endif /* _WEIR_RESERVE_H */
