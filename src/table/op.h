/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations in progress, and the description of each opcode. The dispatch is in api/ops.c; the
 * rows are in the folder of each kind.
 */
#ifndef _WEIR_OP_H
#define _WEIR_OP_H

#include <linux/gfp.h>

#include "core/object.h"
#include "core/user_time.h"
#include "table/table.h"

/* the half that is copied in, and the half that is copied out */
#define WEIR_OP_IN	offsetof(struct weir_op, result)
#define WEIR_OP_OUT	(sizeof(struct weir_op) - WEIR_OP_IN)

/* &weir_op_desc.traits */
#define WEIR_OPF_DECIDES 0x1	/* WEIR_SUBMIT_ALL: see &weir_kind_ops.tx */
#define WEIR_OPF_ALONE	0x2	/* may wait, so it cannot share an RCU read side in a batch */
#define WEIR_OPF_TAG	0x4	/* is about what a holder has, so it has a tag */
#define WEIR_OPF_JOIN	0x8	/* WEIR_SUBMIT_ALL: can join these, see &weir_kind_ops.join */

/**
 * struct weir_op_desc - an opcode
 * @kind: kind of object
 * @opcode: enum weir_opcode
 * @right: WEIR_RIGHT_* required
 * @flags: WEIR_OP_* accepted
 * @traits: WEIR_OPF_*
 * @n_min: the least @n
 * @n_max: the greatest @n
 * @arg_min: the least @arg
 * @arg_max: the greatest @arg
 */
struct weir_op_desc {
	const struct weir_kind_ops *kind;
	u16 opcode;
	u16 right;
	u16 flags;
	u16 traits;
	s64 n_min;
	s64 n_max;
	u64 arg_min;
	u64 arg_max;
};

/**
 * struct weir_op_lease - the data of a &struct weir_lease
 * @key: bytes of the key
 * @value: the new value; GET: the value found
 * @length: length of the value; GET: the room for it
 * @to: GET: the user's address for the value
 */
struct weir_op_lease {
	u8 key[ALIGN(WEIR_KEY_MAX, 8)];
	u8 value[ALIGN(WEIR_VALUE_MAX, 8)];
	u32 length;
	u64 to;
};

/**
 * union weir_op_data - the data at the op's pointer
 * @bytes: bytes of a key
 * @values: amounts or values of a counter
 * @lease: lease of a roster; begins with the key
 */
union weir_op_data {
	u8 bytes[ALIGN(WEIR_KEY_MAX, 8)];
	s64 values[WEIR_FIELDS_MAX];
	struct weir_op_lease lease;
};

/**
 * struct weir_op_run - one operation in progress
 * @op: the kernel's copy
 * @desc: the row of its opcode
 * @key: the key, for kinds that have &weir_kind_ops.key
 * @data: the data at the op's pointer; NULL without WEIR_OP_PTR
 */
struct weir_op_run {
	struct weir_op op;
	const struct weir_op_desc *desc;
	struct weir_key key;
	union weir_op_data *data;
};

int weir_op_check_key(struct weir_op_run *r);
bool weir_op_tail_zero(const struct weir_op *op, size_t used);

static inline const u8 *weir_op_key_bytes(const struct weir_op_run *r)
{
	return r->data ? r->data->bytes : r->op.key;
}

/* How to allocate memory for an op. */
static inline gfp_t weir_op_gfp(const struct weir_op *op)
{
	return op->flags & WEIR_OP_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_KERNEL;
}

/* The deadline of an op that may wait, CLOCK_BOOTTIME; 0: it may not. */
static inline u64 weir_op_deadline(const struct weir_op *op)
{
	if (op->flags & WEIR_OP_NOWAIT && !(op->flags & WEIR_OP_ASYNC))
		return 0;
	return weir_user_deadline(op->arg, op->flags & WEIR_OP_RELATIVE);
}

/* Clear the second half of an op; only the first half was copied in. */
static inline void weir_op_clear(struct weir_op_run *r)
{
	u64 *words = (u64 *)&r->op.result;
	unsigned int i;

	/* eight stores: where memset() is optimised for size, it is a call */
#pragma GCC unroll 8
	for (i = 0; i < WEIR_OP_OUT / sizeof(u64); i++)
		words[i] = 0;
}

/* Fill in the result of an op that was not performed: an errno, and zeros or the present lease. */
static inline void weir_op_fail(struct weir_op_run *r, int err)
{
	if (err != -EEXIST && err != -ESTALE)
		weir_op_clear(r);
	r->op.result = err;
}

#endif /* _WEIR_OP_H */
