/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of object, and calls of their functions.
 *
 * Checks of limiters are the most frequent operations, and an indirect call through a retpoline
 * costs half as much as a check. So the limiter's functions are called directly, and those of other
 * kinds after one comparison.
 */
#ifndef _WEIR_KINDS_H
#define _WEIR_KINDS_H

#include <linux/indirect_call_wrapper.h>

#include "table/transaction.h"

struct weir_client;

INDIRECT_CALLABLE_DECLARE(int weir_limiter_op_key(struct weir_object *o,
						  struct weir_op_run *r));
INDIRECT_CALLABLE_DECLARE(void weir_limiter_op_prefetch(struct weir_object *o,
							const struct weir_op_run *r,
							bool entry));
INDIRECT_CALLABLE_DECLARE(int weir_limiter_op_try(struct weir_client *c,
						  struct weir_object *o,
						  struct weir_op_run *r));
INDIRECT_CALLABLE_DECLARE(int weir_limiter_transact(struct weir_tx *tx));

const struct weir_kind_ops *weir_kind_find(u32 kind);

int weir_kinds_mod_init(void);

static __always_inline int weir_kind_check(const struct weir_kind_ops *kind,
					   struct weir_op_run *r)
{
	return INDIRECT_CALL_1(kind->check, weir_op_check_key, r);
}

static __always_inline int weir_kind_key(const struct weir_kind_ops *kind,
					 struct weir_object *o, struct weir_op_run *r)
{
	return INDIRECT_CALL_1(kind->key, weir_limiter_op_key, o, r);
}

static __always_inline void weir_kind_prefetch(struct weir_object *o,
					       const struct weir_op_run *r, bool entry)
{
	if (o->ops->prefetch)
		INDIRECT_CALL_1(o->ops->prefetch, weir_limiter_op_prefetch, o, r, entry);
}

static __always_inline int weir_kind_try(struct weir_client *c, struct weir_object *o,
					 struct weir_op_run *r)
{
	return INDIRECT_CALL_1(o->ops->try, weir_limiter_op_try, c, o, r);
}

static __always_inline int weir_tx_attempt(struct weir_tx *tx)
{
	return INDIRECT_CALL_1(tx->ops->attempt, weir_limiter_transact, tx);
}

#endif /* _WEIR_KINDS_H */
