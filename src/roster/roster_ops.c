// SPDX-License-Identifier: GPL-2.0-only
/* Operations of rosters: the rows of their opcodes, and the copies of a struct weir_lease. */

#include <linux/uaccess.h>

#include "core/uaccess.h"
#include "roster/roster.h"

/* Copy in the key and the value of &struct weir_lease. */
static int lease_get(struct weir_op_run *r)
{
	struct weir_op_lease *to = &r->data->lease;
	struct weir_op *op = &r->op;
	struct weir_lease lease;
	int err;

	err = weir_user_get(&lease, sizeof(lease), op->ptr,
			    offsetofend(struct weir_lease, value));
	if (err)
		return err;
	to->length = lease.value_len;
	to->to = lease.value;
	if (copy_from_user(to->key, u64_to_user_ptr(lease.key), op->key_len))
		return -EFAULT;
	switch (op->opcode) {
	case WEIR_OP_LEASE_GET:
		return 0;
	case WEIR_OP_TOUCH:
	case WEIR_OP_REMOVE:
		return to->length ? -EINVAL : 0;
	}
	if (to->length > WEIR_VALUE_MAX)
		return -EINVAL;
	return copy_from_user(to->value, u64_to_user_ptr(lease.value), to->length) ?
	       -EFAULT : 0;
}

/* &weir_kind_ops.check */
int weir_roster_op_check(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;

	if (op->arg > WEIR_TTL_MAX && op->arg != WEIR_NEVER)
		return -EINVAL;
	if (!(op->flags & WEIR_OP_PTR))
		return weir_op_check_key(r);
	if (op->key_len > WEIR_KEY_MAX || !weir_op_tail_zero(op, sizeof(op->ptr)))
		return -EINVAL;
	return lease_get(r);
}

/* &weir_kind_ops.put: copy out the value that GET found */
int weir_roster_op_put(const struct weir_op_run *r)
{
	const struct weir_op_lease *from = &r->data->lease;

	if (r->op.opcode != WEIR_OP_LEASE_GET || !from->length)
		return 0;
	return copy_to_user(u64_to_user_ptr(from->to), from->value, r->op.length) ?
	       -EFAULT : 0;
}

const struct weir_op_desc weir_roster_opcodes[] = {
	{ &weir_roster_ops, WEIR_OP_CLAIM, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_DETACHED, WEIR_OPF_TAG | WEIR_OPF_DECIDES,
	  0, 0, 0, U64_MAX },
	{ &weir_roster_ops, WEIR_OP_PUT, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_DETACHED, WEIR_OPF_TAG, 0, 0, 0, U64_MAX },
	{ &weir_roster_ops, WEIR_OP_LEASE_GET, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR,
	  WEIR_OPF_TAG, 0, 0, 0, 0 },
	{ &weir_roster_ops, WEIR_OP_REPLACE, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  1, S64_MAX, 0, 0 },
	{ &weir_roster_ops, WEIR_OP_TOUCH, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  0, S64_MAX, 0, U64_MAX },
	{ &weir_roster_ops, WEIR_OP_REMOVE, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  0, S64_MAX, 0, 0 },
	{}
};
