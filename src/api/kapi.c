// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that other modules call: include/linux/weir.h.
 *
 * A reference holds the object's header, as a handle does, and this module. The memory of a
 * deleted object is therefore freed after the grace period, whatever references remain. A check
 * detects the deletion under RCU, without a write to shared memory.
 */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/string.h>

#include <linux/weir.h>

#include "counter/counter.h"
#include "gate/gate.h"
#include "limiter/limiter.h"
#include "core/registry.h"

/* The object of that name, with references to its header and to this module. */
static struct weir_object *object_get(u32 kind, const char *name)
{
	char padded[WEIR_NAME_SIZE];
	struct weir_object *o;

	if (strscpy_pad(padded, name, sizeof(padded)) < 0 ||
	    !weir_name_valid(padded))
		return ERR_PTR(-EINVAL);
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	/* root's alone: a name that a user takes must mean nothing here */
	o = weir_registry_find(GLOBAL_ROOT_UID, kind, padded);
	if (o)
		return o;
	module_put(THIS_MODULE);
	return ERR_PTR(-ENOENT);
}

static void object_put(struct weir_object *o)
{
	weir_object_put(o);
	/* last: the caller is linked with this module, so its own reference still exists */
	module_put(THIS_MODULE);
}

struct weir_limiter *weir_limiter_get(const char *name)
{
	struct weir_object *o = object_get(WEIR_KIND_LIMITER, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_limiter(o);
}
EXPORT_SYMBOL_GPL(weir_limiter_get);

void weir_limiter_put(struct weir_limiter *limiter)
{
	if (!IS_ERR_OR_NULL(limiter))
		object_put(&limiter->obj);
}
EXPORT_SYMBOL_GPL(weir_limiter_put);

/* RCU is enough here, because nothing sleeps. */
static __always_inline int limiter_op(struct weir_limiter *l, struct weir_op *op,
				      const void *bytes, unsigned int len)
{
	struct weir_key key;
	int err;

	if (!weir_object_alive(&l->obj))
		return -ENODEV;
	err = weir_limiter_key(l, bytes, len, &key) ?: weir_limiter_op(l, op, &key);
	return err == WEIR_OP_MUST_SLEEP ? weir_limiter_op_slow(l, op, &key, GFP_NOWAIT) :
				     err;
}

static void answer_fill(struct weir_answer *answer, const struct weir_op *op)
{
	*answer = (struct weir_answer){
		.verdict = op->verdict,
		.flags = op->out_flags,
		.strikes = op->strikes,
		.bans = op->bans,
		.limit = op->limit,
		.remaining = op->remaining,
		.retry_after = op->retry_after,
		.reset_after = op->reset_after,
		.banned_for = op->banned_for,
	};
}

int weir_limiter_check(struct weir_limiter *limiter, const void *key,
		       unsigned int key_len, u32 cost, struct weir_answer *answer)
{
	struct weir_op op = { .opcode = WEIR_OP_CHECK, .n = cost };
	int err;

	if (!cost)
		return -EINVAL;
	rcu_read_lock();
	err = limiter_op(limiter, &op, key, key_len);
	rcu_read_unlock();
	if (err)
		return err;
	if (answer)
		answer_fill(answer, &op);
	return op.verdict;
}
EXPORT_SYMBOL_GPL(weir_limiter_check);

/* ------------------------------------------------------------ gates */

struct weir_gate *weir_gate_get(const char *name)
{
	struct weir_object *o = object_get(WEIR_KIND_GATE, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_gate(o);
}
EXPORT_SYMBOL_GPL(weir_gate_get);

void weir_gate_put(struct weir_gate *gate)
{
	if (!IS_ERR_OR_NULL(gate))
		object_put(&gate->obj);
}
EXPORT_SYMBOL_GPL(weir_gate_put);

/* As limiter_op(): performs @act on the key, under RCU. */
static __always_inline int gate_op(struct weir_gate *g, const void *bytes,
				   unsigned int len, u32 permits,
				   int (*act)(struct weir_gate *g,
					      const struct weir_key *key, u32 n))
{
	struct weir_key key;
	int ret = -ENODEV;

	if (!permits)
		return -EINVAL;
	rcu_read_lock();
	if (weir_object_alive(&g->obj))
		ret = weir_key_make(&g->spec, &g->table, bytes, len, &key) ?:
		      act(g, &key, permits);
	rcu_read_unlock();
	return ret;
}

int weir_gate_try_acquire(struct weir_gate *gate, const void *key,
			  unsigned int key_len, u32 permits)
{
	return gate_op(gate, key, key_len, permits, weir_gate_take);
}
EXPORT_SYMBOL_GPL(weir_gate_try_acquire);

int weir_gate_release(struct weir_gate *gate, const void *key, unsigned int key_len,
		      u32 permits)
{
	return gate_op(gate, key, key_len, permits, weir_gate_give);
}
EXPORT_SYMBOL_GPL(weir_gate_release);

/* ------------------------------------------------------------ counters */

struct weir_counter *weir_counter_get(const char *name)
{
	struct weir_object *o = object_get(WEIR_KIND_COUNTER, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_counter(o);
}
EXPORT_SYMBOL_GPL(weir_counter_get);

void weir_counter_put(struct weir_counter *counter)
{
	if (!IS_ERR_OR_NULL(counter))
		object_put(&counter->obj);
}
EXPORT_SYMBOL_GPL(weir_counter_put);

int weir_counter_field(const struct weir_counter *counter, const char *name)
{
	unsigned int i;

	/* the names belong to the header, which the reference keeps */
	for (i = 0; i < counter->nfields; i++)
		if (!strcmp(counter->names[i], name))
			return i;
	return -ENOENT;
}
EXPORT_SYMBOL_GPL(weir_counter_field);

int weir_counter_add(struct weir_counter *counter, unsigned int field, s64 n)
{
	int err = -ENODEV;

	if (counter->obj.type != WEIR_COUNTER_SUM)
		return -EOPNOTSUPP;
	if (field >= counter->nfields)
		return -EINVAL;
	rcu_read_lock();
	if (weir_object_alive(&counter->obj)) {
		weir_counter_add_one(counter, field, n);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(weir_counter_add);
