// SPDX-License-Identifier: GPL-2.0-only
/* Operations on keys without an entry: make one, or handle a full table. */

#include <linux/err.h>
#include <linux/gfp.h>

#include "limiter/candidate.h"
#include "core/event.h"
#include "limiter/limiter.h"

/* after losing the last slot this often, a caller that may not sleep is answered "full" */
#define ATOMIC_TRIES	4

/**
 * weir_limiter_full - the answer to a new key without room
 * @call: the operation
 *
 * Return: 0 if the operation has a verdict for this; otherwise -ENOSPC.
 */
int weir_limiter_full(struct weir_limiter_call *call)
{
	struct weir_op *op = call->op;

	if (!weir_limiter_decides(op->opcode))
		return -ENOSPC;
	if ((u64)op->n > call->p->rate.limit) {	/* exceeds the limit in any case */
		weir_limiter_answer_fresh(call, op->n);
		return 0;
	}
	op->limit = call->p->rate.limit;
	if (call->p->config.when_full == WEIR_FULL_ALLOW) {
		op->verdict = WEIR_ALLOWED;
		op->out_flags |= WEIR_OUT_UNTRACKED;
		op->remaining = op->limit;
	} else {
		op->verdict = WEIR_FULL;
		op->retry_after = WEIR_NEVER;
	}
	weir_limiter_shadow(call->p, op);
	return 0;
}

/* Like weir_limiter_full(); the answer is counted and may cause an event. */
int weir_limiter_full_count(struct weir_limiter_call *call)
{
	struct weir_limiter *l = call->l;
	int err = weir_limiter_full(call);

	this_cpu_inc(l->totals->full);
	if (!err && (call->op->out_flags & WEIR_OUT_UNTRACKED ||
		     (u64)call->op->n > call->op->limit))
		weir_limiter_count(l, call->op);
	if (!READ_ONCE(l->full_told) && !xchg(&l->full_told, 1))
		weir_event_object(&l->obj, WEIR_EVENT_TABLE_FULL,
				  READ_ONCE(l->table.max_keys), 0);
	return err;
}

/* Like weir_limiter_full_count(), at the present time. Context: may be called under RCU. */
int weir_limiter_full_now(struct weir_limiter_call *call)
{
	int err;

	rcu_read_lock();
	weir_limiter_now(call);
	err = weir_limiter_full_count(call);
	rcu_read_unlock();
	return err;
}

/*
 * Link @new, or use the entry that another CPU has linked, and perform the operation. @new is
 * linked or freed. Must hold rcu_read_lock(). Return: WEIR_OP_MUST_SLEEP if there is no free slot.
 */
static int new_op(struct weir_limiter_call *call, struct weir_entry *new)
{
	struct weir_table *t = &call->l->table;
	struct weir_entry *e;
	u64 word;

	e = weir_table_link(t, call->key, new, 0, &word);
	if (!e)
		return WEIR_OP_MUST_SLEEP;
	/*
	 * Read the clock after the entry is in place. An earlier entry of this key, full again and
	 * dropped meanwhile, may have been charged at a time later than an earlier clock reading.
	 */
	weir_limiter_now(call);
	if (e == new)
		word = weir_rate_fresh(&call->p->rate, call->now);
	return weir_limiter_op_locked(call, e, word, e == new);
}

/* Return: WEIR_OP_MUST_SLEEP if there was a slot for the key, but another key took it. */
static int slow_op(struct weir_limiter_call *call, gfp_t gfp)
{
	struct weir_limiter *l = call->l;
	struct weir_entry *new = weir_table_new(&l->table, call->key, gfp);
	bool ruled;
	int err;

	rcu_read_lock();
	/* the key may have a rule by now */
	weir_limiter_key_rule(l, call->key);
	ruled = weir_limiter_by_rule(call->key, call->op->opcode);
	if (!ruled && new == ERR_PTR(-ENOSPC))
		err = weir_limiter_full_now(call);
	else if (!ruled && !IS_ERR(new))
		err = new_op(call, new);
	else	/* otherwise another CPU may have had memory for the entry */
		err = weir_limiter_op_alone(l, call->op, call->key);
	rcu_read_unlock();
	if (!IS_ERR(new) && ruled)
		weir_entry_free(new);
	return err == WEIR_OP_MUST_SLEEP && IS_ERR(new) ? PTR_ERR(new) : err;
}

/* weir_limiter_op_slow() without the candidate. */
int weir_limiter_op_new(struct weir_limiter *l, struct weir_op *op,
			struct weir_key *key, gfp_t gfp)
{
	struct weir_limiter_call call = { .l = l, .op = op, .key = key };
	bool may_sleep = gfpflags_allow_blocking(gfp);
	unsigned int lost = 0;
	int err;

	do {
		err = slow_op(&call, gfp);
	} while (err == WEIR_OP_MUST_SLEEP && (may_sleep || ++lost < ATOMIC_TRIES));
	return err == WEIR_OP_MUST_SLEEP ? weir_limiter_full_now(&call) : err;
}

/**
 * weir_limiter_op_slow - perform an operation that may need a new entry
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep, and search a full table for a bounded time only.
 *
 * Call it after weir_limiter_op() has returned WEIR_OP_MUST_SLEEP. The operation is then mirrored
 * to the candidate, if the limiter has one.
 *
 * Context: GFP_KERNEL: may sleep; weir_object_live_get() holds the storage.
 * GFP_NOWAIT: also softirq; in the same RCU read side, or weir_object_live_get() holds the storage.
 * Return: 0, -ENOENT, -ENOMEM, -ENOSPC.
 */
int weir_limiter_op_slow(struct weir_limiter *l, struct weir_op *op,
			 struct weir_key *key, gfp_t gfp)
{
	bool makes_none = op->opcode == WEIR_OP_REFUND || op->opcode == WEIR_OP_FORGIVE;
	int err = WEIR_OP_MUST_SLEEP;

	rcu_read_lock();
	/* weir_limiter_op() has returned only because there is, or was, a candidate */
	if (makes_none || rcu_dereference(l->policy)->candidate) {
		weir_limiter_key_rule(l, key);
		err = weir_limiter_op_alone(l, op, key);
	}
	rcu_read_unlock();
	if (err == WEIR_OP_MUST_SLEEP)
		err = weir_limiter_op_new(l, op, key, gfp);
	return weir_candidate_mirror(l, op, key, gfp, err);
}

/**
 * weir_limiter_entry_make - ensure that a key has an entry
 * @l: the limiter
 * @key: hashed
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep
 *
 * A fresh entry counts as idle, so it may be dropped again at once.
 *
 * Context: process; weir_object_live_get() holds the storage.
 * Return: 0: look the entry up; -ENOSPC: there is no room; -ENOMEM.
 */
int weir_limiter_entry_make(struct weir_limiter *l, struct weir_key *key, gfp_t gfp)
{
	struct weir_op op = { .opcode = WEIR_OP_PEEK, .n = 1 };
	struct weir_limiter_call call = { .l = l, .op = &op, .key = key };
	struct weir_entry *new;
	int err;

	new = weir_table_new(&l->table, key, gfp);
	if (IS_ERR(new))
		return PTR_ERR(new);
	rcu_read_lock();
	err = new_op(&call, new);
	rcu_read_unlock();
	return err == WEIR_OP_MUST_SLEEP ? 0 : err;
}
