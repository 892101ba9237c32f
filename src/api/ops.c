// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations: each is dispatched to the kind that has its opcode. Callers are submit.c, for single
 * ops and batches, and transaction.c, for several ops at a time, all or none.
 */

#include <linux/err.h>

#include "api/kinds.h"
#include "api/ops.h"
#include "core/handle.h"
#include "table/keyed.h"

const struct weir_op_desc *weir_op_descs[WEIR_OPCODES] __ro_after_init;

/* Register the opcodes of a kind. Context: module init. */
void weir_ops_add(const struct weir_kind_ops *kind)
{
	const struct weir_op_desc *desc;

	for (desc = kind->opcodes; desc->opcode; desc++)
		if (!WARN_ON(desc->opcode >= WEIR_OPCODES || weir_op_descs[desc->opcode]))
			weir_op_descs[desc->opcode] = desc;
}

/**
 * weir_op_check - check an op without its object
 * @r: the op; with WEIR_OP_PTR the data it points to is copied in
 *
 * Context: may sleep.
 *
 * Return: 0, -EINVAL, -EFAULT.
 */
int weir_op_check(struct weir_op_run *r)
{
	const struct weir_op_desc *desc = weir_op_desc(r->op.opcode);
	struct weir_op *op = &r->op;

	r->desc = desc;
	if (!desc || op->flags & ~(desc->flags | WEIR_OP_NOWAIT) || op->plan ||
	    (op->tag && !(desc->traits & WEIR_OPF_TAG)))
		return -EINVAL;
	if (op->n < desc->n_min || op->n > desc->n_max ||
	    op->arg < desc->arg_min || op->arg > desc->arg_max)
		return -EINVAL;
	return INDIRECT_CALL_1(desc->kind->check, weir_op_check_key, r);
}

/**
 * weir_op_object - the object of an op, if the op is allowed on it
 * @h: its handle, or NULL
 * @r: checked; the key is set, for kinds with keys
 *
 * Context: RCU read side, which keeps the object.
 * Return: the object, or ERR_PTR(): -EBADF, -EOPNOTSUPP, -EACCES, -ENODEV, -EINVAL.
 */
struct weir_object *weir_op_object(const struct weir_handle *h, struct weir_op_run *r)
{
	const struct weir_kind_ops *kind = r->desc->kind;
	int err = 0;

	if (!h)
		return ERR_PTR(-EBADF);
	if (h->object->ops != kind)
		return ERR_PTR(-EOPNOTSUPP);
	if (!(READ_ONCE(h->rights) & r->desc->right))
		return ERR_PTR(-EACCES);
	if (!weir_object_alive(h->object))
		return ERR_PTR(-ENODEV);
	if (kind->key)
		err = INDIRECT_CALL_2(kind->key, weir_limiter_op_key, weir_keyed_op_key,
				      h->object, r);
	return err ? ERR_PTR(err) : h->object;
}

/*
 * Perform an op without sleeping on an object from weir_op_object(). Return: WEIR_OP_MUST_SLEEP:
 * nothing was done; call weir_op_dispatch(). Context: the RCU read side in which the object was
 * found.
 */
int weir_op_try(struct weir_client *c, struct weir_op_run *r, struct weir_object *o)
{
	if (!o->ops->try)
		return WEIR_OP_MUST_SLEEP;
	return INDIRECT_CALL_1(o->ops->try, weir_limiter_op_try, c, o, r);
}

/* Hold the object for op_run(). Return: WEIR_OP_MUST_SLEEP, or an error if the object is gone. */
static int op_hold(struct weir_object *o)
{
	if (o->ops->run_holds_header)
		return kref_get_unless_zero(&o->ref) ? WEIR_OP_MUST_SLEEP : -EBADF;
	return weir_object_live_get(o) ? WEIR_OP_MUST_SLEEP : -ENODEV;
}

/*
 * Perform an op that may sleep: for user memory (counters), for kernel memory, or to wait for
 * others.
 */
static int op_run(struct weir_client *c, struct weir_op_run *r, struct weir_object *o)
{
	int err = o->ops->run(c, o, r);

	if (o->ops->run_holds_header)
		weir_object_put(o);
	else
		weir_object_live_put(o);
	return err;
}

/* Find the object and perform the op, under RCU alone if it need not sleep. */
int weir_op_dispatch(struct weir_client *c, struct weir_op_run *r)
{
	struct weir_object *o;
	int err;

	rcu_read_lock();
	o = weir_op_object(weir_handle_find(c, r->op.handle), r);
	err = IS_ERR(o) ? PTR_ERR(o) : weir_op_try(c, r, o);
	if (err == WEIR_OP_MUST_SLEEP)
		err = op_hold(o);
	rcu_read_unlock();
	if (err == WEIR_OP_MUST_SLEEP)
		err = op_run(c, r, o);
	return err == -ENOMEM && r->op.flags & WEIR_OP_NOWAIT ? -EAGAIN : err;
}
