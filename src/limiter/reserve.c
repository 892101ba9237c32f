// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_OP_RESERVE: a check that waits for its turn. Its caller sleeps, or the check waits as a
 * request.
 *
 * The waiters of a key are in a queue, in order of arrival. A flag in the entry says that there is
 * a queue: a check that finds the flag is refused, because it would overtake the waiters. The queue
 * has a deadline (core/deadline.h): the time at which the tokens of the first waiter are due or the
 * deadline of a waiter passes. Then the first waiter is charged, its answer is written, and it is
 * woken; then the next waiter follows. So a waiter whose task does not run does not delay the
 * others, and each waiter is woken once. Other operations that change the key (refund, lift,
 * forget) make the queue due at once. After a new configuration, new rules, or the limiter's end,
 * the task that made the change decides again for all waiters.
 *
 * At most 64 waiters are served in one hold of the entry's lock.
 *
 * A queue exists while it has waiters, and its entry is not dropped meanwhile. A hash table maps
 * entries to queues.
 *
 * Cost: memory for a waiter and for a queue, a walk down the tree of the owner's deadlines, one
 * sleep, one wake-up. An operation on a key without waiters needs one additional load, of a cache
 * line that it uses anyway.
 */

#include <linux/sched.h>
#include <linux/slab.h>

#include "core/grant.h"
#include "limiter/reserve.h"
#include "limiter/reserve_queue.h"

/**
 * struct weir_reserve_arrival - a RESERVE in progress, on the caller's stack
 * @op: the caller's op
 * @w: the waiter; NULL once it belongs to the client
 * @memory: the memory that the waiter may need
 */
struct weir_reserve_arrival {
	struct weir_op			*op;
	struct weir_reserve_waiter	*w;
	struct weir_reserve_memory	memory;
};

/* Return: true if a new waiter cannot be served in time, or too many tokens are waited for. */
static bool is_hopeless(const struct weir_reserve_waiter *w, const struct weir_entry *e,
			const struct weir_reserve_queue *q, u64 word)
{
	const struct weir_limiter_call *call = &w->call;
	u64 tokens = (q ? q->tokens : 0) + call->op->n, wait;
	u32 most = call->p->config.queue_max;

	if (most && tokens > most)
		return true;
	if (e->ban_until > call->now)
		return false;	/* the ban may be lifted at any time */
	wait = weir_rate_wait(&call->p->rate, word, call->now, tokens);
	return wait > w->deadline - min(w->deadline, weir_reserve_time(call));
}

/* ------------------------------------------------------------ arriving */

/* Results of a look-up of the key. */
#define WAITS		1	/* the waiter is in the queue */
#define NO_ENTRY	2	/* allocate an entry */
#define NO_QUEUE	3	/* allocate a queue */

/* Return: true if the holder has a request for the key already. The entry must be locked. */
static bool has_request(const struct weir_reserve_waiter *w, const struct weir_entry *e)
{
	return !weir_reserve_sleeps(w) &&
	       weir_grant_find(w->request.client, w->request.op.tag, &w->call.l->obj, e);
}

/* Join the queue. A caller that does not sleep gets the answer of a check made now. */
static int queue_join(struct weir_reserve_arrival *a, struct weir_reserve_queue *q,
		      struct weir_entry *e, u64 word, const struct weir_decision *d)
{
	struct weir_reserve_waiter *w = a->w;
	int err;

	if (!q && !a->memory.queue)
		return NO_QUEUE;
	if (!weir_reserve_sleeps(w)) {
		weir_limiter_state(w->call.p, e, word, w->call.now, a->op->n, a->op);
		a->op->verdict = WEIR_QUEUED;
	}
	err = weir_reserve_join(w, q, e, d, &a->memory);
	if (err)
		return err;
	if (!weir_reserve_sleeps(w))
		a->w = NULL;
	return WAITS;
}

/* Decide for a new waiter. The entry must be locked. Return: 0, WAITS, NO_QUEUE, or an errno. */
static int reserve_locked(struct weir_reserve_arrival *a, struct weir_entry *e, u64 *word)
{
	struct weir_reserve_queue *q = weir_entry_queued(e) ? weir_reserve_queue_find(e) : NULL;
	struct weir_reserve_waiter *w = a->w;
	enum weir_reserve_outcome outcome;
	struct weir_decision d;

	if (!weir_object_alive(&w->call.l->obj))
		return -ENODEV;
	if (q && has_request(w, e))
		return -EEXIST;
	weir_reserve_peek(w, *word, &d);
	outcome = weir_reserve_decide(w, e, &d, !q);
	if (outcome == WEIR_RESERVE_WAIT && is_hopeless(w, e, q, *word))
		outcome = WEIR_RESERVE_REFUSE;
	if (outcome == WEIR_RESERVE_WAIT)
		return queue_join(a, q, e, *word, &d);
	weir_reserve_answer(w, e, word, outcome, &d);
	return 0;
}

/*
 * Look the key up once and decide, under RCU, which keeps the waiter. Return: as reserve_locked(),
 * or NO_ENTRY.
 */
static int reserve_once(struct weir_reserve_arrival *a)
{
	struct weir_limiter_call *call = &a->w->call;
	struct weir_entry *e;
	u64 word, before;
	int ret;

	weir_limiter_key_rule(call->l, call->key);
	if (call->key->rule) {
		weir_limiter_now(call);
		weir_limiter_ruled_count(call);
		return 0;
	}
	e = weir_table_find_locked(&call->l->table, call->key, &word);
	if (!e)		/* a key without an entry has no waiters */
		return NO_ENTRY;
	before = weir_limiter_begin(call, e, word);
	ret = reserve_locked(a, e, &word);
	weir_limiter_unlock(call, e, word, before);
	return ret;
}

/* ------------------------------------------------------------ sleeping */

/* Withdraw the caller's waiter. Return: false if it has its answer. */
static bool withdrawn(struct weir_reserve_waiter *w)
{
	struct weir_limiter_call *call = &w->call;
	struct weir_entry *e = w->request.entry;
	bool waits = false;
	u64 word;

	/* the entry exists as long as the waiter is in the queue; a dead entry has no queue */
	rcu_read_lock();
	if (!weir_request_has_ended(&w->request) &&
	    weir_table_lock(&call->l->table, e, &word)) {
		waits = w->queue;
		if (waits) {
			weir_reserve_leave(w, e);
			weir_request_drop(&w->request);
		}
		weir_limiter_now(call);
		weir_limiter_unlock(call, e, word, WEIR_EXPIRY_NEVER);
	}
	rcu_read_unlock();
	return waits;
}

/* Sleep until the waiter has its answer, at the latest at its deadline, or must be withdrawn. */
static int sleep_until_done(struct weir_reserve_waiter *w)
{
	int err = weir_request_sleep(&w->request);

	if (err && withdrawn(w))
		return err;
	return w->request.op.result;
}

/* ------------------------------------------------------------ operations */

static int reserve(struct weir_reserve_arrival *a)
{
	gfp_t gfp = weir_op_gfp(a->op);
	int ret;

	do {
		rcu_read_lock();
		ret = reserve_once(a);
		rcu_read_unlock();
		if (ret == NO_ENTRY) {
			ret = weir_limiter_entry_make(a->w->call.l, a->w->call.key, gfp);
			if (ret == -ENOSPC)
				return weir_limiter_full_now(&a->w->call);
			ret = ret ?: NO_ENTRY;
		} else if (ret == NO_QUEUE) {
			a->memory.queue = weir_reserve_queue_new(gfp);
			if (!a->memory.queue)
				return -ENOMEM;
		}
	} while (ret == NO_ENTRY || ret == NO_QUEUE);
	if (ret == WAITS)
		ret = a->w ? sleep_until_done(a->w) : 0;
	return ret;
}

/* Allocate a waiter. Return: the waiter; NULL: no memory. */
static struct weir_reserve_waiter *waiter_new(struct weir_client *c, struct weir_limiter *l,
					      const struct weir_op *op,
					      const struct weir_key *key)
{
	struct weir_reserve_waiter *w = kzalloc(sizeof(*w), weir_op_gfp(op) | __GFP_ACCOUNT);

	if (!w)
		return NULL;
	w->request.op = *op;
	w->request.client = c;
	w->call.l = l;
	w->call.op = &w->request.op;
	w->call.key = &w->key;
	w->key = *key;
	if (key->len <= WEIR_KEY_INLINE) {
		memcpy(w->address, key->raw, key->raw_len);
		w->key.data = (const u8 *)w->key.words;
		w->key.raw = w->address;
	}
	w->deadline = weir_op_deadline(op);
	w->request.task = op->flags & WEIR_OP_ASYNC ? NULL : current;
	return w;
}

/**
 * weir_reserve_run - perform a WEIR_OP_RESERVE
 * @c: the client
 * @l: the limiter
 * @op: the op, checked and with its result half zeroed; gets the answer
 * @key: hashed
 *
 * Context: may sleep, until the deadline; weir_object_live_get() holds the storage.
 * Return: 0, -EINTR, -EBADF, -ENODEV, -ENOMEM; with WEIR_OP_ASYNC also -EEXIST, -EDQUOT, -EMFILE.
 * After an error nothing has changed.
 */
int weir_reserve_run(struct weir_client *c, struct weir_limiter *l, struct weir_op *op,
		     struct weir_key *key)
{
	struct weir_reserve_arrival a = { .op = op, .w = waiter_new(c, l, op, key) };
	int err = -ENOMEM;

	if (op->flags & WEIR_OP_ASYNC)
		a.memory.grant = weir_grant_new(weir_op_gfp(op));
	if (a.w && (weir_reserve_sleeps(a.w) || a.memory.grant))
		err = reserve(&a);
	weir_grant_discard(c, a.memory.grant);
	kfree(a.memory.queue);
	if (a.w) {
		if (!err)
			*op = a.w->request.op;
		weir_request_free(&a.w->request);
	}
	return err;
}

/**
 * weir_reserve_cancel - perform a WEIR_OP_RESERVE_CANCEL
 * @c: the client
 * @l: the limiter
 * @op: the op, checked and with its result half zeroed; gets the answer
 * @key: hashed
 *
 * Context: process.
 * Return: 0; -ENOENT: the holder has no waiting request for the key.
 */
int weir_reserve_cancel(struct weir_client *c, struct weir_limiter *l, struct weir_op *op,
			struct weir_key *key)
{
	struct weir_entry *e;
	struct weir_grant *g;
	int err = -ENOENT;
	u64 word;

	rcu_read_lock();
	e = weir_table_find_locked(&l->table, key, &word);
	if (e) {
		g = weir_grant_find(c, op->tag, &l->obj, e);
		if (g) {
			op->verdict = WEIR_NONE;
			weir_reserve_withdraw(g, e, word);
			err = 0;
		} else {
			weir_table_unlock(&l->table, e, word);
		}
	}
	rcu_read_unlock();
	return err;
}

/* &weir_kind_ops.give_back */
void weir_reserve_give_back(struct weir_object *o, struct weir_grant *g)
{
	struct weir_limiter *l = weir_limiter(o);
	struct weir_entry *e = g->entry;
	u64 word;

	/* if the request has ended meanwhile, and the grant with it, the entry may be gone */
	if (!weir_table_lock(&l->table, e, &word))
		return;
	if (g->request)
		weir_reserve_withdraw(g, e, word);
	else
		weir_table_unlock(&l->table, e, word);
}
