// SPDX-License-Identifier: GPL-2.0-only
/* Operations of breakers: what their opcodes take. */

#include "breaker/breaker.h"

/* &weir_kind_ops.try */
int weir_breaker_op_try(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r)
{
	return weir_breaker_try(o, &r->op, weir_op_key_bytes(r));
}

/* &weir_kind_ops.run */
int weir_breaker_op_run(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r)
{
	return weir_breaker_op(c, o, &r->op, weir_op_key_bytes(r));
}

const struct weir_op_desc weir_breaker_opcodes[] = {
	{ &weir_breaker_ops, WEIR_OP_ALLOW, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  0, 0, 0, WEIR_ALLOW_DETACHED },
	{ &weir_breaker_ops, WEIR_OP_REPORT, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  1, WEIR_CALL_WITHDRAWN, 0, U64_MAX },
	{ &weir_breaker_ops, WEIR_OP_TRIP, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0,
	  0, 0, 0, U64_MAX },
	{ &weir_breaker_ops, WEIR_OP_RESET, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0, 0, 0, 0, 0 },
	{ &weir_breaker_ops, WEIR_OP_BREAKER_STATE, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR, 0,
	  0, 0, 0, 0 },
	{}
};
