// SPDX-License-Identifier: GPL-2.0-only
/* Operations of gates: what their opcodes take. */

#include "gate/gate.h"

#define COLLECTS	(WEIR_OPF_TAG | WEIR_OPF_ALONE | WEIR_OPF_COLLECT)

/* &weir_kind_ops.run */
int weir_gate_op_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r)
{
	return weir_gate_op(c, o, &r->op, weir_op_key_bytes(r));
}

const struct weir_op_desc weir_gate_opcodes[] = {
	{ &weir_gate_ops, WEIR_OP_ACQUIRE, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_QUEUE | WEIR_OP_RELATIVE, COLLECTS,
	  1, U32_MAX, 0, U64_MAX },
	{ &weir_gate_ops, WEIR_OP_RELEASE, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  1, U32_MAX, 0, 0 },
	{ &weir_gate_ops, WEIR_OP_CANCEL, WEIR_RIGHT_USE, WEIR_OP_PTR, COLLECTS,
	  0, 0, 0, 0 },
	{ &weir_gate_ops, WEIR_OP_GATE_STATE, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR,
	  WEIR_OPF_TAG, 0, 0, 0, 0 },
	{}
};
