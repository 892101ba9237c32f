// SPDX-License-Identifier: GPL-2.0-only
/* The queues of RESERVE, and how they are served. See reserve.c. */

#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "limiter/reserve.h"
#include "limiter/reserve_queue.h"

#define BATCH		64	/* waiters served while an entry is locked once */

static struct rhashtable queues;

static const struct rhashtable_params queues_params = {
	.head_offset		= offsetof(struct weir_reserve_queue, node),
	.key_offset		= offsetof(struct weir_reserve_queue, e),
	.key_len		= sizeof_field(struct weir_reserve_queue, e),
	.automatic_shrinking	= true,
};

/* ------------------------------------------------------------ queues; entry locked */

struct weir_reserve_queue *weir_reserve_queue_find(const struct weir_entry *e)
{
	return rhashtable_lookup_fast(&queues, &e, queues_params);
}

static bool is_over(const struct weir_reserve_queue *q)
{
	return list_empty(&q->waiters);
}

static struct weir_reserve_waiter *first_of(struct weir_reserve_queue *q)
{
	return list_first_entry(&q->waiters, struct weir_reserve_waiter, node);
}

static struct weir_reserve_waiter *soonest_of(const struct weir_reserve_queue *q)
{
	return rb_entry(rb_first_cached(&q->deadlines), struct weir_reserve_waiter,
			by_deadline);
}

static bool is_sooner(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct weir_reserve_waiter, by_deadline)->deadline <
	       rb_entry(b, struct weir_reserve_waiter, by_deadline)->deadline;
}

/* Make the queue due. @at: CLOCK_BOOTTIME; 0: now */
static void look_at(struct weir_reserve_queue *q, u64 at)
{
	weir_deadline_move(&q->due, &first_of(q)->request.client->ns->deadlines, at);
}

/*
 * End a queue without waiters. A task that has found it by its deadline may still wait for the
 * entry's lock, under RCU.
 */
static void queue_end(struct weir_reserve_queue *q, struct weir_entry *e)
{
	weir_entry_flag(e, WEIR_CHANGE_QUEUED, false);
	rhashtable_remove_fast(&queues, &q->node, queues_params);
	weir_deadline_del(&q->due);
	kfree_rcu(q, rcu);
}

/* Take *@new over and insert it into the hash table. Return: the queue; NULL: no memory. */
static struct weir_reserve_queue *queue_begin(struct weir_reserve_queue **new,
					      const struct weir_reserve_waiter *w,
					      struct weir_entry *e)
{
	struct weir_reserve_queue *q = *new;

	q->e = e;
	q->l = w->call.l;
	q->hash = w->key.hash;
	if (rhashtable_insert_fast(&queues, &q->node, queues_params))
		return NULL;
	*new = NULL;
	weir_entry_flag(e, WEIR_CHANGE_QUEUED, true);
	return q;
}

/*
 * Take a waiter out of its queue. This ends the queue if no waiter is left; otherwise look_at()
 * must follow.
 */
static void dequeue(struct weir_reserve_waiter *w, struct weir_entry *e)
{
	struct weir_reserve_queue *q = w->queue;

	list_del(&w->node);
	rb_erase_cached(&w->by_deadline, &q->deadlines);
	q->tokens -= w->request.op.n;
	w->queue = NULL;
	if (is_over(q))
		queue_end(q, e);
}

/* Take a waiter out of its queue; the waiters behind it may be served. */
void weir_reserve_leave(struct weir_reserve_waiter *w, struct weir_entry *e)
{
	struct weir_reserve_queue *q = w->queue;

	dequeue(w, e);
	if (!is_over(q))
		look_at(q, 0);
}

/**
 * weir_reserve_kick - let the queue of a key that has changed be served
 * @e: the key's entry, which must be locked
 *
 * Context: process or softirq.
 */
void weir_reserve_kick(const struct weir_entry *e)
{
	struct weir_reserve_queue *q = weir_reserve_queue_find(e);

	if (q)
		look_at(q, 0);
}

/* Return: the number of tokens that waiters of the key wait for. @e must be locked. */
u64 weir_reserve_tokens(const struct weir_entry *e)
{
	struct weir_reserve_queue *q = weir_reserve_queue_find(e);

	return q ? q->tokens : 0;
}

/* ------------------------------------------------------------ deciding; entry locked */

/* Decide for a waiter. @first: no other waiter is before it. @d: the decision for @w->call.now */
enum weir_reserve_outcome weir_reserve_decide(const struct weir_reserve_waiter *w,
					      const struct weir_entry *e,
					      const struct weir_decision *d, bool first)
{
	const struct weir_limiter_call *call = &w->call;

	if (call->key->rule)	/* the rules have changed since it joined the queue */
		return WEIR_RESERVE_RULED;
	if (first && d->allowed && e->ban_until <= call->now)
		return WEIR_RESERVE_CHARGE;
	if (d->retry_after == WEIR_NEVER || weir_reserve_time(call) >= w->deadline ||
	    call->p->shadow)
		return WEIR_RESERVE_REFUSE;
	return WEIR_RESERVE_WAIT;
}

/* Write the answer of a waiter that is in no queue. */
void weir_reserve_answer(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
			 enum weir_reserve_outcome outcome,
			 const struct weir_decision *d)
{
	w->call.turn = outcome == WEIR_RESERVE_CHARGE;
	if (outcome == WEIR_RESERVE_RULED)
		weir_limiter_ruled_count(&w->call);
	else if (outcome == WEIR_RESERVE_CHARGE)
		*word = weir_limiter_check_locked(&w->call, e, *word);
	else
		weir_limiter_refuse_locked(&w->call, e, *word, d->retry_after);
}

/*
 * Return: the time at which the queue is due next, CLOCK_BOOTTIME. The first waiter cannot be
 * served now.
 */
static u64 next_due(const struct weir_reserve_queue *q, const struct weir_entry *e,
		    const struct weir_reserve_waiter *first, const struct weir_decision *d)
{
	u64 wait = d->retry_after, now = first->call.now, due;

	if (e->ban_until > now)
		wait = max(wait, e->ban_until - now);
	if (check_add_overflow(weir_reserve_time(&first->call), wait, &due))
		due = U64_MAX;
	return min(due, soonest_of(q)->deadline);
}

/* ------------------------------------------------------------ joining; entry locked */

/*
 * Let the waiter's request wait. The entry keeps the bytes of a long key; those of the op are the
 * caller's.
 */
static int request_begin(struct weir_reserve_waiter *w, struct weir_entry *e,
			 struct weir_grant **new)
{
	struct weir_client *c = w->request.client;
	struct weir_object *o = &w->call.l->obj;
	struct weir_grant *grant = NULL;
	int err;

	if (w->key.len > WEIR_KEY_INLINE) {
		w->key.data = e->key;
		w->key.raw = e->key;
	}
	if (!weir_reserve_sleeps(w)) {
		err = weir_grant_charge(c, *new);
		if (err)
			return err;
		grant = weir_grant_get(c, w->request.op.tag, o, e, new);
	}
	err = weir_request_begin(&w->request, o, e, grant);
	if (err && grant)
		weir_grant_put(grant);
	return err;
}

/**
 * weir_reserve_join - join the queue of a key
 * @w: the waiter, which waits for nothing yet; after this an asynchronous waiter belongs to the
 *	client
 * @q: the queue; NULL: there is none
 * @e: the entry, which must be locked
 * @d: the decision for @w->call.now, which does not admit the waiter
 * @memory: includes a queue if there is none
 *
 * Return: 0, -ENODEV, -EBADF, -ENOMEM; asynchronous: -EDQUOT, -EMFILE.
 */
int weir_reserve_join(struct weir_reserve_waiter *w, struct weir_reserve_queue *q,
		      struct weir_entry *e, const struct weir_decision *d,
		      struct weir_reserve_memory *memory)
{
	bool is_first = !q;
	int err;

	if (is_first) {
		q = queue_begin(&memory->queue, w, e);
		if (!q)
			return -ENOMEM;
	}
	err = request_begin(w, e, &memory->grant);
	if (err) {
		if (is_first)
			queue_end(q, e);
		return err;
	}
	w->queue = q;
	list_add_tail(&w->node, &q->waiters);
	rb_add_cached(&w->by_deadline, &q->deadlines, is_sooner);
	q->tokens += w->request.op.n;
	if (is_first)
		look_at(q, next_due(q, e, w, d));
	else if (soonest_of(q) == w)
		look_at(q, 0);	/* the queue is due for a later deadline */
	return 0;
}

/* ------------------------------------------------------------ serving; entry locked */

/* Take a waiter out of its queue and answer it. look_at() must follow, unless the queue is over. */
static void serve(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
		  enum weir_reserve_outcome outcome, const struct weir_decision *d)
{
	dequeue(w, e);
	weir_reserve_answer(w, e, word, outcome, d);
	weir_request_end(&w->request, 0);
}

/*
 * Serve one waiter: the first if its turn has come, otherwise one whose deadline has passed.
 * Return: false if there is none; the queue is then due later.
 */
static bool serve_one(struct weir_reserve_queue *q, struct weir_entry *e, u64 *word)
{
	struct weir_reserve_waiter *first = first_of(q), *w = first;
	struct weir_decision d;
	enum weir_reserve_outcome outcome;
	u64 due;

	weir_limiter_now(&w->call);
	weir_reserve_peek(w, *word, &d);
	outcome = weir_reserve_decide(w, e, &d, true);
	if (outcome == WEIR_RESERVE_WAIT) {
		due = next_due(q, e, w, &d);
		if (due > weir_reserve_time(&w->call)) {
			look_at(q, due);
			return false;
		}
		w = soonest_of(q);
		/* at the same moment as above: at a later one the first waiter might be admitted */
		w->call.p = first->call.p;
		w->call.now = first->call.now;
		weir_reserve_peek(w, *word, &d);
		outcome = WEIR_RESERVE_REFUSE;
	}
	serve(w, e, word, outcome, &d);
	return true;
}

/* Serve up to BATCH waiters. Return: their number. */
static unsigned int serve_batch(struct weir_reserve_queue *q, struct weir_entry *e, u64 *word)
{
	unsigned int served = 0;

	while (!is_over(q) && served < BATCH && serve_one(q, e, word))
		served++;
	if (!is_over(q) && served == BATCH)
		look_at(q, 0);
	return served;
}

/* Unlock the entry, and wake pollers. The entry was not idle as long as it had waiters. */
static void unlock(struct weir_limiter_call *call, struct weir_entry *e, u64 word)
{
	struct llist_node *ended = weir_request_wake_list();

	/* other tasks rely on this one to wake the clients in the list: no preemption until then */
	local_bh_disable();
	weir_limiter_unlock(call, e, word, WEIR_EXPIRY_NEVER);
	weir_request_wake(ended);
	local_bh_enable();
}

/* &weir_deadline.expire. A queue whose deadline is in a tree has waiters. */
static unsigned int queue_due(struct weir_deadline *due)
{
	struct weir_reserve_queue *q = container_of(due, struct weir_reserve_queue, due);
	struct weir_op op = { .opcode = WEIR_OP_RESERVE };
	struct weir_key key = { .hash = q->hash };
	struct weir_limiter_call call = { .l = q->l, .op = &op, .key = &key };
	struct weir_entry *e = q->e;
	unsigned int served;
	u64 word;

	/* a dead entry has no queue, so its queue has no deadline */
	if (!weir_table_lock(&q->l->table, e, &word))
		return 1;
	if (is_over(q)) {
		weir_table_unlock(&q->l->table, e, word);
		return 1;
	}
	served = serve_batch(q, e, &word);
	weir_limiter_now(&call);
	unlock(&call, e, word);
	return served + 1;
}

/* Allocate a queue that a waiter may need. Return: the queue; NULL: no memory. */
struct weir_reserve_queue *weir_reserve_queue_new(gfp_t gfp)
{
	struct weir_reserve_queue *q = kzalloc(sizeof(*q), gfp | __GFP_ACCOUNT);

	if (!q)
		return NULL;
	INIT_LIST_HEAD(&q->waiters);
	q->deadlines = RB_ROOT_CACHED;
	weir_deadline_init(&q->due, queue_due);
	return q;
}

/**
 * weir_reserve_withdraw - end a holder's request without an answer
 * @g: the holder's grant, which has a request
 * @e: the entry, which must be locked; this function unlocks it
 * @word: the entry's word
 *
 * Context: RCU read side.
 */
void weir_reserve_withdraw(struct weir_grant *g, struct weir_entry *e, u64 word)
{
	struct weir_reserve_waiter *w = weir_reserve_of(g->request);

	weir_reserve_leave(w, e);
	weir_request_drop(&w->request);
	weir_grant_put(g);
	weir_limiter_now(&w->call);
	unlock(&w->call, e, word);
}

/* ------------------------------------------------------------ all of a limiter */

/* Decide again for a waiter. See weir_request_kick_all(). */
static void request_check(struct weir_request *r)
{
	struct weir_reserve_waiter *w = weir_reserve_of(r);
	enum weir_reserve_outcome outcome;
	struct weir_limiter *l = w->call.l;
	struct weir_reserve_queue *q;
	struct weir_entry *e = r->entry;
	struct weir_decision d;
	u64 word;

	if (!weir_table_lock(&l->table, e, &word))
		return;
	q = w->queue;
	if (!q) {
		weir_table_unlock(&l->table, e, word);
		return;
	}
	weir_limiter_now(&w->call);
	weir_limiter_key_rule(l, &w->key);
	weir_reserve_peek(w, word, &d);
	outcome = weir_reserve_decide(w, e, &d, first_of(q) == w);
	if (!weir_object_alive(&l->obj)) {
		dequeue(w, e);
		weir_request_end(r, -ENODEV);
	} else if (outcome != WEIR_RESERVE_WAIT) {
		serve(w, e, &word, outcome, &d);
	}
	if (!is_over(q))
		look_at(q, 0);
	unlock(&w->call, e, word);
}

/**
 * weir_reserve_kick_all - decide again for all waiters of a limiter
 * @l: the limiter, which is dead or has changed; no operation uses its old configuration or rules
 *	any more
 *
 * Context: process; may sleep. The caller keeps the limiter.
 */
void weir_reserve_kick_all(struct weir_limiter *l)
{
	weir_request_kick_all(&l->obj, request_check);
}

int weir_reserve_mod_init(void)
{
	return rhashtable_init(&queues, &queues_params);
}

/* Context: no waiter is left, because no file is open. */
void weir_reserve_mod_exit(void)
{
	WARN_ON_ONCE(atomic_read(&queues.nelems));
	rhashtable_destroy(&queues);
}
