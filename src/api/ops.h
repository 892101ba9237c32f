/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations under way: what submit.c (each by itself) and transaction.c (all or none)
 * have in common.
 */
#ifndef _WEIR_OPS_H
#define _WEIR_OPS_H

#include "counter/counter.h"
#include "table/table.h"

struct weir_client;
struct weir_handle;
struct weir_object;

/* What comes from the user, and what goes to him. */
#define WEIR_OP_IN	offsetof(struct weir_op, result)
#define WEIR_OP_OUT	(sizeof(struct weir_op) - WEIR_OP_IN)

/**
 * struct weir_op_desc - what an opcode needs
 * @kind: enum weir_kind
 * @right: WEIR_RIGHT_*
 * @n_max: @n is 1 to this; 0: @n must be 0
 * @arg_max: @arg is 1 to this; 0: @arg must be 0
 * @arg_zero: @arg may be 0 as well
 * @n_zero: @n may be 0 as well
 * @flags: that it takes, beside WEIR_OP_PTR
 */
struct weir_op_desc {
	u32 kind;
	u32 right;
	u64 n_max;
	u64 arg_max;
	bool arg_zero;
	bool n_zero;
	u16 flags;
};

/**
 * struct weir_op_lease - what came, or goes, by a &struct weir_lease
 * @key: its bytes
 * @value: the new value, or of GET the one there is
 * @length: its bytes; of GET the room for it
 * @to: GET: where it goes
 */
struct weir_op_lease {
	u8 key[ALIGN(WEIR_KEY_MAX, 8)];
	u8 value[ALIGN(WEIR_VALUE_MAX, 8)];
	u32 length;
	u64 to;
};

/**
 * union weir_op_data - what came, or goes, by the op's pointer
 * @bytes: of a key
 * @values: a counter's
 * @lease: a roster's; begins with the key
 */
union weir_op_data {
	u8 bytes[ALIGN(WEIR_KEY_MAX, 8)];
	s64 values[WEIR_FIELDS_MAX];
	struct weir_op_lease lease;
};

/**
 * struct weir_op_run - one operation under way
 * @op: the kernel's copy
 * @desc: of its opcode
 * @key: limiters: the key
 * @data: with WEIR_OP_PTR; else NULL
 */
struct weir_op_run {
	struct weir_op op;
	const struct weir_op_desc *desc;
	struct weir_key key;
	union weir_op_data *data;
};

int weir_op_get(struct weir_op_run *r, struct weir_op __user *user);
int weir_op_put(const struct weir_op_run *r, struct weir_op __user *user);
int weir_op_check(struct weir_op_run *r);
struct weir_object *weir_op_object(const struct weir_handle *h,
				   struct weir_op_run *r);
const u8 *weir_op_key_bytes(const struct weir_op_run *r);
int weir_op_quick(struct weir_client *c, struct weir_op_run *r, struct weir_object *o);
int weir_op_dispatch(struct weir_client *c, struct weir_op_run *r);
int weir_op_lease_put(const struct weir_op_run *r);
int weir_op_add_check(const struct weir_op_run *r, const struct weir_counter *c);
void weir_op_add(const struct weir_op_run *r, struct weir_counter *c);

/* An op comes with its first half alone. */
static inline void weir_op_clear(struct weir_op_run *r)
{
	u64 *words = (u64 *)&r->op.result;
	unsigned int i;

	/* eight stores: where memset() is tuned for size, it is a call */
#pragma GCC unroll 8
	for (i = 0; i < WEIR_OP_OUT / sizeof(u64); i++)
		words[i] = 0;
}

/* Nothing happened: an errno, and zeros behind it, or who has the lease. */
static inline void weir_op_fail(struct weir_op_run *r, int err)
{
	if (err != -EEXIST && err != -ESTALE)
		weir_op_clear(r);
	r->op.result = err;
}

int weir_transaction_run(struct weir_client *c, struct weir_op __user *ops,
			 u32 count);

#endif /* _WEIR_OPS_H */
