// SPDX-License-Identifier: GPL-2.0-only
/* Operations of counters: the rows of their opcodes, and how each is performed. */

#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "counter/counter.h"

#define NEXT_MAX	BIT_ULL(32)
#define TIMES_MAX	BIT_ULL(32)

/* &weir_kind_ops.check: check the members for which the row of the op has no rule */
int weir_counter_op_check(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;
	size_t used = 0;

	if (op->key_len)
		return -EINVAL;
	if (op->flags & WEIR_OP_PTR)
		used = sizeof(op->ptr);
	else if (op->opcode == WEIR_OP_ADD && hweight64(op->arg) > 1)
		used = min_t(size_t, sizeof(op->values),
			     hweight64(op->arg) * sizeof(s64));
	if (!weir_op_tail_zero(op, used))
		return -EINVAL;
	if (op->opcode == WEIR_OP_ADD && op->flags & WEIR_OP_PTR &&
	    copy_from_user(r->data->values, u64_to_user_ptr(op->ptr),
			   hweight64(op->arg) * sizeof(s64)))
		return -EFAULT;
	return 0;
}

/* Read or take all values. Return: 0 or -ENODEV. */
static int values_get(struct weir_counter *c, bool take, void *values)
{
	if (!weir_object_live_get(&c->obj))
		return -ENODEV;
	if (take)
		weir_counter_take(c, values, true);
	else if (c->obj.type == WEIR_COUNTER_SEQUENCE)
		*(u64 *)values = weir_counter_read_one(c, 0);
	else
		weir_counter_read(c, values, true);
	weir_object_live_put(&c->obj);
	return 0;
}

/* Load back what was taken, unless the counter is gone. */
static void values_back(struct weir_counter *c, const void *values)
{
	if (!weir_object_live_get(&c->obj))
		return;
	weir_counter_merge(c, values);
	weir_object_live_put(&c->obj);
}

static int read_one(struct weir_op_run *r, struct weir_counter *c)
{
	struct weir_op *op = &r->op;
	u64 value;

	if (op->n || op->arg >= c->nfields)
		return -EINVAL;
	if (op->opcode == WEIR_OP_TAKE) {
		if (op->arg)
			return -EINVAL;
		if (c->nfields > 1)
			return -EMSGSIZE;
		weir_counter_take(c, &value, false);
	} else {
		value = weir_counter_read_one(c, array_index_nospec(op->arg,
								    c->nfields));
	}
	op->value = value;
	return 0;
}

/* With one field the amount is @n. With several, the amounts are in the op, or at its pointer. */
static bool add_is_one(const struct weir_op *op)
{
	return !(op->flags & WEIR_OP_PTR) && !(op->arg & (op->arg - 1));
}

/* &weir_kind_ops.join_check: whether the counter accepts this WEIR_OP_ADD */
int weir_counter_op_add_check(const struct weir_op_run *r, struct weir_object *o)
{
	const struct weir_counter *c = weir_counter(o);
	const struct weir_op *op = &r->op;

	if (o->type != WEIR_COUNTER_SUM)
		return -EOPNOTSUPP;
	if (!op->arg || (c->nfields < 64 && op->arg >> c->nfields))
		return -EINVAL;
	if (add_is_one(op))
		return 0;
	if (op->n || (!(op->flags & WEIR_OP_PTR) &&
		      hweight64(op->arg) > ARRAY_SIZE(op->values)))
		return -EINVAL;
	return 0;
}

/* &weir_kind_ops.join: an op that passed weir_counter_op_add_check() */
void weir_counter_op_add(const struct weir_op_run *r, struct weir_object *o)
{
	struct weir_counter *c = weir_counter(o);
	const struct weir_op *op = &r->op;

	if (add_is_one(op))
		weir_counter_add_one(c, __ffs64(op->arg), op->n);
	else
		weir_counter_add_many(c, op->arg, op->flags & WEIR_OP_PTR ?
				      r->data->values : op->values);
}

static int add(struct weir_op_run *r, struct weir_object *o)
{
	int err = weir_counter_op_add_check(r, o);

	if (!err)
		weir_counter_op_add(r, o);
	return err;
}

/* &weir_kind_ops.try: ops that need no user memory */
int weir_counter_op_try(struct weir_client *client, struct weir_object *o,
			struct weir_op_run *r)
{
	struct weir_counter *c = weir_counter(o);
	bool sequence = c->obj.type == WEIR_COUNTER_SEQUENCE;
	bool histogram = weir_counter_is_histogram(c);

	switch (r->op.opcode) {
	case WEIR_OP_ADD:
		return add(r, o);
	case WEIR_OP_OBSERVE:
		if (!histogram)
			return -EOPNOTSUPP;
		weir_counter_observe(c, r->op.n, r->op.arg ?: 1);
		return 0;
	case WEIR_OP_NEXT:
		return sequence ? weir_counter_next(c, r->op.n, (u64 *)&r->op.value) : -EOPNOTSUPP;
	case WEIR_OP_TAKE:
		if (sequence)
			return -EOPNOTSUPP;
		fallthrough;
	default:
		if (r->op.flags & WEIR_OP_PTR)
			return WEIR_OP_MUST_SLEEP;
		return histogram ? -EMSGSIZE : read_one(r, c);
	}
}

/* &weir_kind_ops.run: READ and TAKE of all values to the op's pointer. The header is held. */
int weir_counter_op_run(struct weir_client *client, struct weir_object *o,
			struct weir_op_run *r)
{
	struct weir_counter *c = weir_counter(o);
	struct weir_op *op = &r->op;
	bool histogram = weir_counter_is_histogram(c);
	bool take = op->opcode == WEIR_OP_TAKE;
	u32 words = weir_counter_words(c);
	size_t size = words * sizeof(s64);
	void __user *to = u64_to_user_ptr(op->ptr);
	void *values = r->data->values;
	int err;

	BUILD_BUG_ON(WEIR_HISTOGRAM_WORDS * sizeof(s64) != sizeof(struct weir_histogram));
	if (take && c->obj.type == WEIR_COUNTER_SEQUENCE)
		return -EOPNOTSUPP;
	if (op->arg)
		return -EINVAL;
	if (op->n < words)
		return -EMSGSIZE;
	if (!weir_object_alive(&c->obj))
		return -ENODEV;
	/* a take must not happen if its result cannot be written */
	if (take && clear_user(to, size))
		return -EFAULT;
	if (histogram)
		values = kmalloc(size, weir_op_gfp(op) | __GFP_ACCOUNT);
	if (!values)
		return -ENOMEM;
	err = values_get(c, take, values);
	if (!err && copy_to_user(to, values, size)) {
		/* another thread has unmapped the memory just now */
		if (take)
			values_back(c, values);
		err = -EFAULT;
	}
	if (histogram)
		kfree(values);
	op->value = words;
	return err;
}

const struct weir_op_desc weir_counter_opcodes[] = {
	{ &weir_counter_ops, WEIR_OP_ADD, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_JOIN,
	  S64_MIN, S64_MAX, 0, U64_MAX },
	{ &weir_counter_ops, WEIR_OP_READ, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR, 0,
	  S64_MIN, S64_MAX, 0, U64_MAX },
	{ &weir_counter_ops, WEIR_OP_TAKE, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0,
	  S64_MIN, S64_MAX, 0, U64_MAX },
	{ &weir_counter_ops, WEIR_OP_NEXT, WEIR_RIGHT_USE, 0, 0, 1, NEXT_MAX, 0, 0 },
	{ &weir_counter_ops, WEIR_OP_OBSERVE, WEIR_RIGHT_USE, 0, 0,
	  0, S64_MAX, 0, TIMES_MAX },
	{}
};
