// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an operation takes, and to which object it goes. submit.c has them from the
 * user, one or many; transaction.c several at a time, all or none.
 */

#include <linux/err.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/client.h"
#include "counter/counter.h"
#include "limiter/limiter.h"
#include "api/ops.h"
#include "roster/roster.h"
#include "core/user.h"

#define STRIKE_MAX	BIT(20)
#define NEXT_MAX	BIT_ULL(32)
#define TIMES_MAX	BIT_ULL(32)
#define BAN_MAX		(10 * WEIR_NSEC_PER_YEAR)

static const struct weir_op_desc descs[] = {
	[WEIR_OP_ADD]	= { WEIR_KIND_COUNTER, WEIR_RIGHT_USE, 0, U64_MAX },
	[WEIR_OP_READ]	= { WEIR_KIND_COUNTER, WEIR_RIGHT_OBSERVE, 0, U64_MAX },
	[WEIR_OP_TAKE]	= { WEIR_KIND_COUNTER, WEIR_RIGHT_ADMIN, 0, 0 },
	[WEIR_OP_NEXT]	= { WEIR_KIND_COUNTER, WEIR_RIGHT_USE, NEXT_MAX, 0 },
	[WEIR_OP_OBSERVE] = { WEIR_KIND_COUNTER, WEIR_RIGHT_USE, S64_MAX, TIMES_MAX },
	[WEIR_OP_CHECK]	= { WEIR_KIND_LIMITER, WEIR_RIGHT_USE, U32_MAX, 0 },
	[WEIR_OP_PEEK]	= { WEIR_KIND_LIMITER, WEIR_RIGHT_OBSERVE, U32_MAX, 0 },
	[WEIR_OP_REFUND] = { WEIR_KIND_LIMITER, WEIR_RIGHT_USE, U32_MAX, 0 },
	[WEIR_OP_STRIKE] = { WEIR_KIND_LIMITER, WEIR_RIGHT_USE, STRIKE_MAX, 0 },
	[WEIR_OP_FORGIVE] = { WEIR_KIND_LIMITER, WEIR_RIGHT_USE, 0, 0 },
	[WEIR_OP_BAN]	= { WEIR_KIND_LIMITER, WEIR_RIGHT_ADMIN, 0, BAN_MAX },
	[WEIR_OP_LIFT]	= { WEIR_KIND_LIMITER, WEIR_RIGHT_ADMIN, 0, 0 },
	[WEIR_OP_FORGET] = { WEIR_KIND_LIMITER, WEIR_RIGHT_ADMIN, 0, 0 },
	[WEIR_OP_RESERVE] = { WEIR_KIND_LIMITER, WEIR_RIGHT_USE, U32_MAX, U64_MAX },
	[WEIR_OP_ACQUIRE] = { WEIR_KIND_GATE, WEIR_RIGHT_USE, U32_MAX, U64_MAX, true,
			      .flags = WEIR_OP_QUEUE },
	[WEIR_OP_RELEASE] = { WEIR_KIND_GATE, WEIR_RIGHT_USE, U32_MAX, 0 },
	[WEIR_OP_CANCEL] = { WEIR_KIND_GATE, WEIR_RIGHT_USE, 0, 0 },
	[WEIR_OP_GATE_STATE] = { WEIR_KIND_GATE, WEIR_RIGHT_OBSERVE, 0, 0 },
	[WEIR_OP_ALLOW] = { WEIR_KIND_BREAKER, WEIR_RIGHT_USE, 0, WEIR_ALLOW_DETACHED,
			    true },
	[WEIR_OP_REPORT] = { WEIR_KIND_BREAKER, WEIR_RIGHT_USE, WEIR_CALL_WITHDRAWN,
			     U64_MAX, true },
	[WEIR_OP_TRIP] = { WEIR_KIND_BREAKER, WEIR_RIGHT_ADMIN, 0, U64_MAX, true },
	[WEIR_OP_RESET] = { WEIR_KIND_BREAKER, WEIR_RIGHT_ADMIN, 0, 0 },
	[WEIR_OP_BREAKER_STATE] = { WEIR_KIND_BREAKER, WEIR_RIGHT_OBSERVE, 0, 0 },
	[WEIR_OP_CLAIM] = { WEIR_KIND_ROSTER, WEIR_RIGHT_USE, WEIR_LEASE_DETACHED, U64_MAX,
			    true, true },
	[WEIR_OP_PUT] = { WEIR_KIND_ROSTER, WEIR_RIGHT_USE, WEIR_LEASE_DETACHED, U64_MAX,
			  true, true },
	[WEIR_OP_LEASE_GET] = { WEIR_KIND_ROSTER, WEIR_RIGHT_OBSERVE, 0, 0 },
	[WEIR_OP_REPLACE] = { WEIR_KIND_ROSTER, WEIR_RIGHT_USE, S64_MAX, 0 },
	[WEIR_OP_TOUCH] = { WEIR_KIND_ROSTER, WEIR_RIGHT_USE, S64_MAX, U64_MAX, true, true },
	[WEIR_OP_REMOVE] = { WEIR_KIND_ROSTER, WEIR_RIGHT_USE, S64_MAX, 0, true, true },
};

static const struct weir_op_desc *desc_find(unsigned int opcode)
{
	const struct weir_op_desc *desc;

	if (opcode >= ARRAY_SIZE(descs))
		return NULL;
	desc = &descs[array_index_nospec(opcode, ARRAY_SIZE(descs))];
	return desc->kind ? desc : NULL;
}

static __always_inline bool inline_tail_zero(const struct weir_op *op, size_t used)
{
	const u64 *words = (const u64 *)op->key;
	u32 half[2];
	u64 any = 0;
	size_t i;

	if (used % sizeof(u32))
		return !memchr_inv(op->key + used, 0, sizeof(op->key) - used);
	/* numbers, addresses: without a call */
	if (used % sizeof(u64)) {
		memcpy(half, &words[used / sizeof(u64)], sizeof(half));
		any = half[1];
	}
	for (i = DIV_ROUND_UP(used, sizeof(u64)); i < ARRAY_SIZE(op->values); i++)
		any |= words[i];
	return !any;
}

/* The key and the value that &struct weir_lease leads to. */
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

/* The value that GET found, to the user: 0 or -EFAULT. */
int weir_op_lease_put(const struct weir_op_run *r)
{
	const struct weir_op_lease *from = &r->data->lease;

	if (!from->length)
		return 0;
	return copy_to_user(u64_to_user_ptr(from->to), from->value, r->op.length) ?
	       -EFAULT : 0;
}

static bool n_valid(const struct weir_op_desc *desc, s64 n)
{
	if (!n)
		return !desc->n_max || desc->n_zero;
	return n > 0 && (u64)n <= desc->n_max;
}

/* What the opcode alone decides. Counters say themselves what else they take. */
static int keyed_op_check(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;

	if (!n_valid(r->desc, op->n))
		return -EINVAL;
	if (op->arg > r->desc->arg_max ||
	    (r->desc->arg_max && !op->arg && !r->desc->arg_zero))
		return -EINVAL;
	if (op->key_len > WEIR_KEY_MAX)
		return -EINVAL;
	if (!(op->flags & WEIR_OP_PTR))
		return op->key_len <= sizeof(op->key) &&
		       inline_tail_zero(op, op->key_len) ? 0 : -EINVAL;
	if (!inline_tail_zero(op, sizeof(op->ptr)))
		return -EINVAL;
	if (r->desc->kind == WEIR_KIND_ROSTER)
		return lease_get(r);
	return copy_from_user(r->data->bytes, u64_to_user_ptr(op->ptr), op->key_len) ?
	       -EFAULT : 0;
}

static int counter_op_check(struct weir_op_run *r)
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
	if (!inline_tail_zero(op, used))
		return -EINVAL;
	if (op->opcode == WEIR_OP_ADD && op->flags & WEIR_OP_PTR &&
	    copy_from_user(r->data->values, u64_to_user_ptr(op->ptr),
			   hweight64(op->arg) * sizeof(s64)))
		return -EFAULT;
	return 0;
}

/**
 * weir_op_check - what can be said of an op without its object
 * @r: the op; with WEIR_OP_PTR what it points to is copied in
 *
 * Context: may sleep. Return: 0, -EINVAL, -EFAULT.
 */
int weir_op_check(struct weir_op_run *r)
{
	struct weir_op *op = &r->op;

	r->desc = desc_find(op->opcode);
	if (!r->desc || op->flags & ~(WEIR_OP_PTR | r->desc->flags) ||
	    op->reserved[0] | op->reserved[1] | op->reserved[2])
		return -EINVAL;
	return r->desc->kind == WEIR_KIND_COUNTER ? counter_op_check(r) :
						    keyed_op_check(r);
}

static int values_get(struct weir_counter *c, bool take, u64 *values)
{
	int err = 0;

	rcu_read_lock();
	if (!weir_object_alive(&c->obj))
		err = -ENODEV;
	else if (take)
		weir_counter_take(c, values);
	else if (c->obj.type == WEIR_COUNTER_SEQUENCE)
		values[0] = weir_counter_read_one(c, 0);
	else
		weir_counter_read(c, values);
	rcu_read_unlock();
	return err;
}

/* Read or take a histogram, or give back what was taken. 0 or -ENODEV. */
static int histogram_do(struct weir_counter *c, struct weir_histogram *h,
			void (*act)(struct weir_counter *c, struct weir_histogram *h))
{
	/* it may sleep, but waits for nothing but others who do the same */
	if (!weir_object_live_get(&c->obj))
		return -ENODEV;
	act(c, h);
	weir_object_live_put(&c->obj);
	return 0;
}

static void histogram_give_back(struct weir_counter *c, struct weir_histogram *h)
{
	weir_counter_merge(c, h);
}

/* READ and TAKE of a histogram to where the op points. The header is held. */
static int read_histogram(struct weir_op_run *r, struct weir_counter *c)
{
	bool take = r->op.opcode == WEIR_OP_TAKE;
	void __user *to = u64_to_user_ptr(r->op.ptr);
	struct weir_histogram *h;
	int err;

	if (r->op.arg)
		return -EINVAL;
	if (r->op.n < WEIR_HISTOGRAM_WORDS)
		return -EMSGSIZE;
	if (!weir_object_alive(&c->obj))
		return -ENODEV;
	/* nothing may be taken that cannot be handed over */
	if (take && clear_user(to, sizeof(*h)))
		return -EFAULT;
	h = kmalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	if (!h)
		return -ENOMEM;
	err = histogram_do(c, h, take ? weir_counter_snapshot_take :
					weir_counter_snapshot);
	if (!err && copy_to_user(to, h, sizeof(*h))) {
		/* unmapped at this very moment */
		if (take)
			histogram_do(c, h, histogram_give_back);
		err = -EFAULT;
	}
	kfree(h);
	r->op.value = WEIR_HISTOGRAM_WORDS;
	return err;
}

/* READ and TAKE of all fields to where the op points. The header is held. */
static int read_many(struct weir_op_run *r, struct weir_counter *c)
{
	struct weir_op *op = &r->op;
	bool take = op->opcode == WEIR_OP_TAKE;
	void __user *to = u64_to_user_ptr(op->ptr);
	size_t size = c->nfields * sizeof(s64);
	int err;

	if (c->obj.type == WEIR_COUNTER_HISTOGRAM)
		return read_histogram(r, c);
	if (take && c->obj.type == WEIR_COUNTER_SEQUENCE)
		return -EOPNOTSUPP;
	if (op->arg)
		return -EINVAL;
	if (op->n < c->nfields)
		return -EMSGSIZE;
	if (!weir_object_alive(&c->obj))
		return -ENODEV;
	/* nothing may be taken that cannot be handed over */
	if (take && clear_user(to, size))
		return -EFAULT;
	err = values_get(c, take, (u64 *)r->data->values);
	if (err)
		return err;
	op->value = c->nfields;
	if (!copy_to_user(to, r->data->values, size))
		return 0;
	/* unmapped at this very moment: what was taken goes back */
	rcu_read_lock();
	if (take && weir_object_alive(&c->obj))
		weir_counter_add_many(c, GENMASK_ULL(c->nfields - 1, 0),
				      r->data->values);
	rcu_read_unlock();
	return -EFAULT;
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
		weir_counter_take(c, &value);
	} else {
		value = weir_counter_read_one(c, array_index_nospec(op->arg,
								    c->nfields));
	}
	op->value = value;
	return 0;
}

static int next_numbers(struct weir_op_run *r, struct weir_counter *c)
{
	struct weir_op *op = &r->op;
	u64 first;
	int err;

	if (op->flags || op->arg || op->n < 1 || op->n > NEXT_MAX)
		return -EINVAL;
	err = weir_counter_next(c, op->n, &first);
	if (!err)
		op->value = first;
	return err;
}

static int observe(struct weir_op_run *r, struct weir_counter *c)
{
	struct weir_op *op = &r->op;

	if (op->flags || op->n < 0 || op->arg > TIMES_MAX)
		return -EINVAL;
	weir_counter_observe(c, op->n, op->arg ?: 1);
	return 0;
}

/* One field: the amount is @n. Several: they are in the op, or where it points. */
static bool add_is_one(const struct weir_op *op)
{
	return !(op->flags & WEIR_OP_PTR) && !(op->arg & (op->arg - 1));
}

/**
 * weir_op_add_check - whether a counter takes this WEIR_OP_ADD
 * @r: checked
 * @c: the counter
 *
 * Context: any. Return: 0, -EOPNOTSUPP, -EINVAL.
 */
int weir_op_add_check(const struct weir_op_run *r, const struct weir_counter *c)
{
	const struct weir_op *op = &r->op;

	if (c->obj.type != WEIR_COUNTER_SUM)
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

/* What weir_op_add_check() found right. Context: RCU read side. */
void weir_op_add(const struct weir_op_run *r, struct weir_counter *c)
{
	const struct weir_op *op = &r->op;

	if (add_is_one(op))
		weir_counter_add_one(c, __ffs64(op->arg), op->n);
	else
		weir_counter_add_many(c, op->arg, op->flags & WEIR_OP_PTR ?
				      r->data->values : op->values);
}

static int add(struct weir_op_run *r, struct weir_counter *c)
{
	int err = weir_op_add_check(r, c);

	if (!err)
		weir_op_add(r, c);
	return err;
}

/* All that needs no user memory. Context: RCU read side. */
static int counter_op(struct weir_op_run *r, struct weir_counter *c)
{
	bool sequence = c->obj.type == WEIR_COUNTER_SEQUENCE;
	bool histogram = c->obj.type == WEIR_COUNTER_HISTOGRAM;

	switch (r->op.opcode) {
	case WEIR_OP_ADD:
		return add(r, c);
	case WEIR_OP_OBSERVE:
		return histogram ? observe(r, c) : -EOPNOTSUPP;
	case WEIR_OP_NEXT:
		return sequence ? next_numbers(r, c) : -EOPNOTSUPP;
	case WEIR_OP_TAKE:
		if (sequence)
			return -EOPNOTSUPP;
		fallthrough;
	default:
		if (r->op.flags & WEIR_OP_PTR)
			return WEIR_OP_SLOW;
		return histogram ? -EMSGSIZE : read_one(r, c);
	}
}

const u8 *weir_op_key_bytes(const struct weir_op_run *r)
{
	return r->data ? r->data->bytes : r->op.key;
}

static struct weir_op_lease *lease_of(const struct weir_op_run *r)
{
	return r->data ? &r->data->lease : NULL;
}

/* The key of a limiter's op. Context: RCU read side. Return: 0 or -EINVAL. */
static int op_key(struct weir_op_run *r, struct weir_limiter *l)
{
	return weir_limiter_key(l, weir_op_key_bytes(r), r->op.key_len, &r->key);
}

/*
 * All that needs no sleep, to an object from weir_op_object(). WEIR_OP_SLOW: nothing
 * was done, weir_op_dispatch() will. Context: RCU read side, the one in which the object
 * was found, and a limiter's key.
 */
int weir_op_quick(struct weir_client *c, struct weir_op_run *r, struct weir_object *o)
{
	if (likely(o->ops->kind == WEIR_KIND_LIMITER))
		return weir_limiter_op(weir_limiter(o), &r->op, &r->key);
	if (o->ops->kind == WEIR_KIND_COUNTER)
		return counter_op(r, weir_counter(o));
	if (o->ops->kind == WEIR_KIND_ROSTER)
		return weir_roster_quick(c, o, &r->op, weir_op_key_bytes(r), lease_of(r));
	return o->ops->quick ? o->ops->quick(o, &r->op, weir_op_key_bytes(r)) : WEIR_OP_SLOW;
}

/* Keep the object for op_sleeping(): WEIR_OP_SLOW, or it is gone. */
static int op_hold(struct weir_object *o)
{
	if (o->ops->kind == WEIR_KIND_COUNTER)
		return kref_get_unless_zero(&o->ref) ? WEIR_OP_SLOW : -EBADF;
	return weir_object_live_get(o) ? WEIR_OP_SLOW : -ENODEV;
}

/* The op may sleep: for a user's memory (counters), for ours, or for others. */
static int op_sleeping(struct weir_client *c, struct weir_op_run *r,
		       struct weir_object *o)
{
	int err;

	if (o->ops->kind == WEIR_KIND_COUNTER) {
		err = read_many(r, weir_counter(o));
		weir_object_put(o);
		return err;
	}
	if (o->ops->kind == WEIR_KIND_LIMITER)
		err = weir_limiter_op_slow(weir_limiter(o), &r->op, &r->key,
					   GFP_KERNEL);
	else if (o->ops->kind == WEIR_KIND_ROSTER)
		err = weir_roster_op(c, o, &r->op, weir_op_key_bytes(r), lease_of(r));
	else
		err = o->ops->op(c, o, &r->op, weir_op_key_bytes(r));
	weir_object_live_put(o);
	return err;
}

/**
 * weir_op_object - the object an op is about, if the op may be done to it
 * @h: its handle, or NULL
 * @r: checked; for a limiter the key is set
 *
 * Context: RCU read side, which keeps it.
 * Return: the object, or ERR_PTR(): -EBADF, -EOPNOTSUPP, -EACCES, -ENODEV, -EINVAL.
 */
struct weir_object *weir_op_object(const struct weir_handle *h,
				   struct weir_op_run *r)
{
	int err = 0;

	if (!h)
		return ERR_PTR(-EBADF);
	if (h->object->ops->kind != r->desc->kind)
		return ERR_PTR(-EOPNOTSUPP);
	if (!(h->rights & r->desc->right))
		return ERR_PTR(-EACCES);
	if (!weir_object_alive(h->object))
		return ERR_PTR(-ENODEV);
	if (r->desc->kind == WEIR_KIND_LIMITER)
		err = op_key(r, weir_limiter(h->object));
	return err ? ERR_PTR(err) : h->object;
}

/* Find the object and do it, under RCU alone if it can be done without sleep. */
int weir_op_dispatch(struct weir_client *c, struct weir_op_run *r)
{
	struct weir_object *o;
	int err;

	rcu_read_lock();
	o = weir_op_object(weir_handle_find(c, r->op.handle), r);
	err = IS_ERR(o) ? PTR_ERR(o) : weir_op_quick(c, r, o);
	if (err == WEIR_OP_SLOW)
		err = op_hold(o);
	rcu_read_unlock();
	if (err == WEIR_OP_SLOW)
		err = op_sleeping(c, r, o);
	if (unlikely(err == -ENODEV) && (r->op.opcode == WEIR_OP_ACQUIRE ||
					 r->op.opcode == WEIR_OP_CANCEL))
		weir_handle_told_dead(c, r->op.handle);
	return err;
}
