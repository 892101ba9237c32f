// SPDX-License-Identifier: GPL-2.0-only
/* Checks of operations on keys for which the object is not needed. See op.h. */

#include <linux/string.h>
#include <linux/uaccess.h>

#include "table/op.h"

static __always_inline bool tail_zero(const struct weir_op *op, size_t used)
{
	const u64 *words = (const u64 *)op->key;
	u32 half[2];
	u64 any = 0;
	size_t i;

	if (used % sizeof(u32))
		return !memchr_inv(op->key + used, 0, sizeof(op->key) - used);
	/* no call for numbers and addresses */
	if (used % sizeof(u64)) {
		memcpy(half, &words[used / sizeof(u64)], sizeof(half));
		any = half[1];
	}
	for (i = DIV_ROUND_UP(used, sizeof(u64)); i < ARRAY_SIZE(op->values); i++)
		any |= words[i];
	return !any;
}

/* Whether all bytes of the op's inline data after the first @used are zero. */
bool weir_op_tail_zero(const struct weir_op *op, size_t used)
{
	return tail_zero(op, used);
}

/* Copy in the key of an op with WEIR_OP_PTR. */
static noinline int key_get(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;

	if (op->key_len > WEIR_KEY_MAX || !tail_zero(op, sizeof(op->ptr)))
		return -EINVAL;
	return copy_from_user(r->data->bytes, u64_to_user_ptr(op->ptr), op->key_len) ?
	       -EFAULT : 0;
}

/**
 * weir_op_check_key - &weir_kind_ops.check of kinds whose operations have a key
 * @r: the op; with WEIR_OP_PTR the key is copied in
 *
 * Context: may sleep.
 *
 * Return: 0, -EINVAL, -EFAULT.
 */
int weir_op_check_key(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;

	if (op->flags & WEIR_OP_PTR)
		return key_get(r);
	return op->key_len <= sizeof(op->key) && tail_zero(op, op->key_len) ? 0 : -EINVAL;
}
