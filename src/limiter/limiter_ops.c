// SPDX-License-Identifier: GPL-2.0-only
/* Operations of limiters: the rows of their opcodes, and how they are dispatched. */

#include <linux/gfp.h>

#include "limiter/candidate.h"
#include "limiter/limiter.h"
#include "limiter/reserve.h"

#define STRIKE_MAX	BIT(20)

/* &weir_kind_ops.key */
int weir_limiter_op_key(struct weir_object *o, struct weir_op_run *r)
{
	return weir_limiter_key(weir_limiter(o), weir_op_key_bytes(r), r->op.key_len,
				&r->key);
}

/* &weir_kind_ops.try */
int weir_limiter_op_try(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r)
{
	return weir_limiter_op(weir_limiter(o), &r->op, &r->key);
}

/* &weir_kind_ops.run */
int weir_limiter_op_run(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r)
{
	struct weir_limiter *l = weir_limiter(o);
	gfp_t gfp = weir_op_gfp(&r->op);

	switch (r->op.opcode) {
	case WEIR_OP_RESERVE:
		return weir_candidate_mirror(l, &r->op, &r->key, gfp,
					     weir_reserve_run(c, l, &r->op, &r->key));
	case WEIR_OP_RESERVE_CANCEL:
		return weir_reserve_cancel(c, l, &r->op, &r->key);
	default:
		return weir_limiter_op_slow(l, &r->op, &r->key, gfp);
	}
}

const struct weir_op_desc weir_limiter_opcodes[] = {
	{ &weir_limiter_ops, WEIR_OP_CHECK, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_DECIDES,
	  1, U32_MAX, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_PEEK, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR, 0,
	  1, U32_MAX, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_REFUND, WEIR_RIGHT_USE, WEIR_OP_PTR, 0,
	  1, U32_MAX, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_STRIKE, WEIR_RIGHT_USE, WEIR_OP_PTR, 0,
	  1, STRIKE_MAX, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_FORGIVE, WEIR_RIGHT_USE, WEIR_OP_PTR, 0, 0, 0, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_BAN, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0,
	  0, 0, 1, WEIR_BAN_MAX },
	{ &weir_limiter_ops, WEIR_OP_LIFT, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0, 0, 0, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_FORGET, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0, 0, 0, 0, 0 },
	{ &weir_limiter_ops, WEIR_OP_RESERVE, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_ASYNC | WEIR_OP_RELATIVE, WEIR_OPF_TAG | WEIR_OPF_ALONE,
	  1, U32_MAX, 1, U64_MAX },
	{ &weir_limiter_ops, WEIR_OP_RESERVE_CANCEL, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  0, 0, 0, 0 },
	{}
};
