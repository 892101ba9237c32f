/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of object.
 *
 * Checks of limiters are the most frequent operations, and an indirect call through a retpoline
 * costs half as much as a check. So the limiter's functions are called directly
 * (INDIRECT_CALL_1()), and those of other kinds after one comparison.
 */
#ifndef _WEIR_KINDS_H
#define _WEIR_KINDS_H

#include <linux/indirect_call_wrapper.h>

#include "table/transaction.h"

struct weir_client;

INDIRECT_CALLABLE_DECLARE(int weir_limiter_op_key(struct weir_object *o,
						  struct weir_op_run *r));
INDIRECT_CALLABLE_DECLARE(int weir_limiter_op_try(struct weir_client *c,
						  struct weir_object *o,
						  struct weir_op_run *r));
INDIRECT_CALLABLE_DECLARE(int weir_limiter_transact(struct weir_tx *tx));

const struct weir_kind_ops *weir_kind_find(u32 kind);

int weir_kinds_mod_init(void);

#endif /* _WEIR_KINDS_H */
