/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations: shared by submit.c (each op on its own) and transaction.c (all or none).
 */
#ifndef _WEIR_OPS_H
#define _WEIR_OPS_H

#include <linux/nospec.h>

#include "table/op.h"

struct weir_client;
struct weir_handle;
struct weir_object;

#define WEIR_OPCODES	128	/* greater than every opcode */

/* The row of each opcode; filled in when the module is loaded. */
extern const struct weir_op_desc *weir_op_descs[WEIR_OPCODES];

/* op_user.c */
int weir_op_get(struct weir_op_run *r, struct weir_op __user *user);
int weir_op_put(const struct weir_op_run *r, struct weir_op __user *user);
unsigned int weir_op_get_group(struct weir_op_run *r, struct weir_op __user *user,
			       unsigned int count);
int weir_op_put_group(const struct weir_op_run *r, struct weir_op __user *user,
		      unsigned int count);

/* ops.c */
void weir_ops_add(const struct weir_kind_ops *kind);
int weir_op_check(struct weir_op_run *r);
struct weir_object *weir_op_object(const struct weir_handle *h, struct weir_op_run *r);
int weir_op_try(struct weir_client *c, struct weir_op_run *r, struct weir_object *o);
int weir_op_dispatch(struct weir_client *c, struct weir_op_run *r);

int weir_transaction_run(struct weir_client *c, struct weir_op __user *ops, u32 count);

/* The row of an opcode, or NULL. */
static __always_inline const struct weir_op_desc *weir_op_desc(unsigned int opcode)
{
	if (opcode >= WEIR_OPCODES)
		return NULL;
	/*
	 * an index would need a function call for its check, and no function may be called while
	 * user memory is open
	 */
	return *(weir_op_descs + array_index_nospec(opcode, WEIR_OPCODES));
}

#endif /* _WEIR_OPS_H */
