// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies of ops from and to user memory, word by word in one access window. For so few bytes this
 * costs half as much as copy_from_user() and copy_to_user().
 */

#include <linux/uaccess.h>

#include "api/ops.h"

#define WORDS(bytes)	((bytes) / sizeof(u64))

static __always_inline int op_read(struct weir_op_run *r, struct weir_op __user *user)
{
	const u64 __user *from = (const u64 __user *)user;
	u64 *to = (u64 *)&r->op;
	unsigned int i;

	r->data = NULL;
#pragma GCC unroll 8
	for (i = 0; i < WORDS(WEIR_OP_IN); i++)
		unsafe_get_user(to[i], &from[i], fault);
	return 0;
fault:
	return -EFAULT;
}

/*
 * Prove that the result can be written, by writing its first and its last word: a result is in at
 * most two pages.
 */
static __always_inline int op_prove(struct weir_op __user *user)
{
	unsafe_put_user(0, &user->result, fault);
	unsafe_put_user(0, &user->bans, fault);
	return 0;
fault:
	return -EFAULT;
}

static __always_inline int op_write(const struct weir_op_run *r,
				    struct weir_op __user *user)
{
	const u64 *from = (const u64 *)&r->op.result;
	u64 __user *to = (u64 __user *)&user->result;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < WORDS(WEIR_OP_OUT); i++)
		unsafe_put_user(from[i], &to[i], fault);
	return 0;
fault:
	return -EFAULT;
}

/* Copy an op in, and check that its result can be copied out. Return: 0 or -EFAULT. */
int weir_op_get(struct weir_op_run *r, struct weir_op __user *user)
{
	int err;

	if (!user_access_begin(user, sizeof(*user)))
		return -EFAULT;
	err = op_read(r, user) ?: op_prove(user);
	user_access_end();
	return err;
}

int weir_op_put(const struct weir_op_run *r, struct weir_op __user *user)
{
	int err;

	if (!user_write_access_begin(user, sizeof(*user)))
		return -EFAULT;
	err = op_write(r, user);
	user_write_access_end();
	return err;
}

/* Whether an op cannot be in a group: it points to more user memory, or may wait. */
static __always_inline bool goes_alone(const struct weir_op *op)
{
	const struct weir_op_desc *desc = weir_op_desc(op->opcode);

	return op->flags & WEIR_OP_PTR || (desc && desc->traits & WEIR_OPF_ALONE);
}

/*
 * Copy in the next ops that can form a group, at most @count, up to the first one that cannot be
 * read. Return: their number.
 */
unsigned int weir_op_get_group(struct weir_op_run *r, struct weir_op __user *user,
			       unsigned int count)
{
	unsigned int n = 0;

	if (!user_access_begin(user, count * sizeof(*user)))
		return 0;
	while (n < count && !op_read(&r[n], &user[n]) && !goes_alone(&r[n].op) &&
	       !op_prove(&user[n]))
		n++;
	user_access_end();
	return n;
}

/* Copy out the results of @count ops. Return: the number of results written, or -EFAULT. */
int weir_op_put_group(const struct weir_op_run *r, struct weir_op __user *user,
		      unsigned int count)
{
	unsigned int n = 0;

	if (!user_write_access_begin(user, count * sizeof(*user)))
		return -EFAULT;
	while (n < count && !op_write(&r[n], &user[n]))
		n++;
	user_write_access_end();
	return n ?: -EFAULT;
}
