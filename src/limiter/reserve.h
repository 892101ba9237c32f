/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for the tokens of a limiter's key, strictly in order of arrival. */
#ifndef _WEIR_RESERVE_H
#define _WEIR_RESERVE_H

#include <linux/types.h>

struct weir_client;
struct weir_entry;
struct weir_grant;
struct weir_key;
struct weir_limiter;
struct weir_object;
struct weir_op;

int weir_reserve_run(struct weir_client *c, struct weir_limiter *l, struct weir_op *op,
		     struct weir_key *key);
int weir_reserve_cancel(struct weir_client *c, struct weir_limiter *l, struct weir_op *op,
			struct weir_key *key);
void weir_reserve_give_back(struct weir_object *o, struct weir_grant *g);
void weir_reserve_kick(const struct weir_entry *e);
void weir_reserve_kick_all(struct weir_limiter *l);
u64 weir_reserve_tokens(const struct weir_entry *e);

int weir_reserve_mod_init(void);
void weir_reserve_mod_exit(void);

#endif /* _WEIR_RESERVE_H */
