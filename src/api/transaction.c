// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_SUBMIT_ALL: several CHECKs (and ADDs), all or none. CLAIMs: see claims.c.
 *
 * All keys are locked (multi_lock.h). The first CHECK that would be refused is determined. Then
 * either all are charged or that one is refused, and all are unlocked. Observers therefore see
 * all of it or nothing. A key without an entry counts as fresh. It gets an entry if it is
 * charged or struck; memory and room for that are found with nothing locked, and then
 * everything begins again.
 *
 * Cost with known keys, beside the operations themselves: two copies to and from the user per
 * op, one lock and one unlock per key; no allocation up to four ops.
 */

#include <linux/err.h>
#include <linux/indirect_call_wrapper.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "limiter/candidate.h"
#include "core/handle.h"
#include "counter/counter.h"
#include "limiter/limiter.h"
#include "api/ops.h"
#include "roster/roster.h"
#include "table/multi_lock.h"

#define TX_AGAIN	1	/* an entry needs memory or room */
#define TX_TRIES	3	/* to reserve slots that other callers take first */
#define TX_SMALL	4	/* ops, that need no allocation */

/**
 * struct tx_item - one op of a transaction
 * @run: the op
 * @o: its object
 * @check: WEIR_OPF_CHECK; otherwise WEIR_OPF_JOIN
 * @held: @o's storage is held
 * @call: CHECK: arguments for the limiter
 * @k: CHECK: its key
 * @s: CHECK: state of the key while the transaction is decided
 * @retry_after: CHECK: ns until it fits together with the checks before it
 * @shadow: CHECK: refused by a limiter in shadow mode, which does not affect the others
 * @candidate: CHECK: the limiter's candidate, if that needs an entry for the key, too
 */
struct tx_item {
	struct weir_op_run	run;
	struct weir_object	*o;
	bool			check;
	bool			held;
	bool			shadow;
	struct weir_limiter_call call;
	struct weir_multi_key	*k;
	struct tx_key		*s;
	u64			retry_after;
	struct weir_limiter	*candidate;
};

/**
 * struct tx_key - what becomes of a key
 * @call: of one op about it
 * @after: its state with the ops so far
 * @asked: tokens that the ops so far want
 * @before: when it would be idle as it is
 * @tries: how often room was found for it
 * @full: there is no room for an entry
 */
struct tx_key {
	struct weir_limiter_call *call;
	u64			after;
	u64			asked;
	u64			before;
	u8			tries;
	bool			full;
};

/**
 * struct transaction - all ops of a submission
 * @client: the caller's client
 * @items: its ops
 * @states: one for each of @lock's keys
 * @lock: the keys, each once
 * @count: number of @items
 * @decider: index of the op that decided
 * @held: the storage of all objects is held, from the second attempt on
 * @mirror: a candidate needs an entry
 * @roomless: the key for which an attempt found no room, or NULL
 * @room: slots that its table must have for it and the keys before it
 */
struct transaction {
	struct weir_client	*client;
	struct tx_item		*items;
	struct tx_key		*states;
	struct weir_multi_lock	lock;
	unsigned int		count;
	unsigned int		decider;
	bool			held;
	bool			mirror;
	struct weir_multi_key	*roomless;
	unsigned int		room;
};

static struct tx_key *state_of(const struct transaction *tx, const struct weir_multi_key *k)
{
	return &tx->states[k - tx->lock.keys];
}

/* The failed op says why; the others were not performed because of it. */
static int fail(struct transaction *tx, unsigned int which, int err)
{
	unsigned int i;

	for (i = 0; i < tx->count; i++)
		weir_op_fail(&tx->items[i].run, i == which ? err : -ECANCELED);
	return err;
}

/* ------------------------------------------------------------ objects and keys */

static int item_locate(struct transaction *tx, struct tx_item *it)
{
	struct weir_object *o;
	struct weir_limiter *l;

	o = weir_op_object(weir_handle_find(tx->client, it->run.op.handle), &it->run);
	if (IS_ERR(o))
		return PTR_ERR(o);
	it->o = o;
	if (!it->check)
		return INDIRECT_CALL_1(o->ops->join_check, weir_counter_op_add_check,
				       &it->run, o);
	l = weir_limiter(o);
	it->call = (struct weir_limiter_call){
		.l = l,
		.op = &it->run.op,
		.key = &it->run.key,
	};
	it->k = weir_multi_add(&tx->lock, &l->table, &it->run.key);
	it->s = state_of(tx, it->k);
	it->s->call = &it->call;
	it->s->tries = 0;
	it->s->full = false;
	return 0;
}

/* In another RCU read side than before: is the object alive, and what rule is there now? */
static int item_relocate(struct tx_item *it)
{
	if (!weir_object_alive(it->o))
		return -ENODEV;
	if (it->check)
		weir_limiter_key_rule(it->call.l, &it->run.key);
	return 0;
}

static int locate(struct transaction *tx)
{
	unsigned int i;
	int err;

	for (i = 0; i < tx->count; i++) {
		err = tx->held ? item_relocate(&tx->items[i]) :
				 item_locate(tx, &tx->items[i]);
		if (err)
			return fail(tx, i, err);
	}
	return 0;
}

/* Keep all objects beyond this RCU read side. */
static int hold(struct transaction *tx)
{
	unsigned int i;

	if (tx->held)
		return TX_AGAIN;
	tx->held = true;
	for (i = 0; i < tx->count; i++) {
		tx->items[i].held = weir_object_live_get(tx->items[i].o);
		if (!tx->items[i].held)
			return fail(tx, i, -ENODEV);
	}
	return TX_AGAIN;
}

static void release(struct transaction *tx)
{
	unsigned int i;

	if (!tx->held)
		return;
	weir_multi_discard(&tx->lock);
	for (i = 0; i < tx->count; i++)
		if (tx->items[i].held)
			weir_object_live_put(tx->items[i].o);
}

/* A transaction uses one policy of each limiter, even if it is changed meanwhile. */
static const struct weir_policy *policy_of(const struct transaction *tx,
					   const struct tx_item *it)
{
	const struct tx_item *other;

	for (other = tx->items; other < it; other++)
		if (other->check && other->call.l == it->call.l)
			return other->call.p;
	return rcu_dereference(it->call.l->policy);
}

/* ------------------------------------------------------------ with all keys locked */

/* Read the clock, and all policies of that moment: see weir_limiter_now(). */
static u64 clock_read(struct transaction *tx)
{
	struct tx_item *it;
	bool changed;
	u64 now;

	do {
		for (it = tx->items; it < tx->items + tx->count; it++)
			if (it->check)
				it->call.p = policy_of(tx, it);
		smp_rmb();	/* pairs with the release in limiter_change() */
		now = ktime_get_boottime_ns();
		smp_rmb();	/* the same */
		changed = false;
		for (it = tx->items; it < tx->items + tx->count; it++)
			changed |= it->check &&
				   rcu_access_pointer(it->call.l->policy) != it->call.p;
	} while (unlikely(changed));
	return now;
}

/* Read the clock: the transaction takes effect at this moment. */
static void begin(struct transaction *tx)
{
	u64 now = clock_read(tx);
	struct weir_multi_key *k;
	struct tx_item *it;
	struct tx_key *s;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (!it->check)
			continue;
		it->call.now = now - it->call.l->table.epoch;
		it->retry_after = 0;
		it->shadow = false;
	}
	for (k = tx->lock.keys, s = tx->states; k < tx->lock.keys + tx->lock.count; k++, s++) {
		s->before = WEIR_EXPIRY_NEVER;
		if (k->e)
			s->before = weir_limiter_idle_at(k->t, k->e, k->word, s->call->now);
		else
			k->word = weir_rate_fresh(&s->call->p->rate, s->call->now);
		s->after = k->word;
		s->asked = 0;
	}
	tx->roomless = NULL;
}

/* A key is going to be charged or struck: is there an entry, or room for one? */
static bool entry_want(struct transaction *tx, struct weir_multi_key *k)
{
	if (k->e || k->wanted)
		return true;
	if (!weir_multi_has_room(&tx->lock, k)) {
		tx->roomless = k;
		tx->room = weir_multi_wanted(&tx->lock, k->t) + 1;
		return false;
	}
	k->wanted = true;
	return true;
}

/* Whether the rate would allow the check once the checks before it are charged. */
static bool rate_fits(struct tx_item *it)
{
	const struct weir_policy *p = it->call.p;
	struct tx_key *s = it->s;
	struct weir_decision d = {};

	weir_rate_decide(&p->rate, s->after, it->call.now, it->run.op.n, &d);
	s->after = d.word;
	if (d.allowed)
		s->asked += it->run.op.n;
	else	/* the time until all operations on this key fit together */
		weir_rate_peek(&p->rate, it->k->word, it->call.now,
			       s->asked + it->run.op.n, &d);
	it->retry_after = d.retry_after;
	return d.allowed;
}

/*
 * Whether the check would be allowed once the checks before it are charged. Invalid if it sets
 * @tx->roomless.
 */
static bool item_fits(struct transaction *tx, struct tx_item *it)
{
	const struct weir_policy *p = it->call.p;
	struct weir_entry *e = it->k->e;
	bool fits;

	if (it->run.key.rule)
		return it->run.key.rule == WEIR_RULE_ALLOW;
	if (!e && it->s->full)
		return (u64)it->run.op.n <= p->rate.limit &&
		       p->config.when_full == WEIR_FULL_ALLOW;
	/* waiters come first */
	if (e && (weir_entry_queued(e) || e->ban_until > it->call.now))
		return false;
	fits = rate_fits(it);
	if (fits || p->strikes)
		fits &= entry_want(tx, it->k);
	return fits;
}

/* The first CHECK that would be refused, or NULL. */
static struct tx_item *find_refused(struct transaction *tx)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (!it->check || item_fits(tx, it))
			continue;
		if (tx->roomless || !it->call.p->shadow)
			return it;
		it->shadow = true;
	}
	return NULL;
}

/* Whether the key needs an entry; a refusal leaves at most a strike. */
static bool entry_is_wanted(const struct weir_multi_key *k, const struct tx_item *refused)
{
	if (refused && (refused->k != k || refused->run.key.rule || !refused->call.p->strikes))
		return false;
	return k->wanted;
}

/* Link new entries for the keys that are wanted. */
static int entries_link(struct transaction *tx, const struct tx_item *refused)
{
	struct weir_multi_key *k, *end = tx->lock.keys + tx->lock.count;
	bool wanted = false, ready = true;

	for (k = tx->lock.keys; k < end; k++) {
		k->wanted = entry_is_wanted(k, refused);
		wanted |= k->wanted;
		ready &= !k->wanted || k->new;
	}
	if (!wanted)
		return 0;
	if (!ready)
		return TX_AGAIN;
	tx->roomless = weir_multi_reserve(&tx->lock);
	if (tx->roomless) {
		tx->room = weir_multi_wanted(&tx->lock, tx->roomless->t);
		return TX_AGAIN;
	}
	for (k = tx->lock.keys; k < end; k++)
		if (k->wanted)
			weir_multi_link(k);
	return 0;
}

/* Refuse a CHECK. @word: its key's state. */
static void item_refuse(struct tx_item *it, u64 word)
{
	struct weir_entry none = {};	/* without strikes nothing is kept of it */

	if (it->run.key.rule) {
		weir_limiter_ruled_count(&it->call);
	} else if (!it->k->e && it->s->full) {
		weir_limiter_full_count(&it->call);
	} else {
		it->s->call = &it->call;	/* which may lay a ban */
		weir_limiter_refuse_locked(&it->call, it->k->e ?: &none, word,
					   it->retry_after);
	}
}

/* The result of a CHECK that is refused because another one is: the state of its own key. */
static void fill_peer_result(struct tx_item *it)
{
	static const struct weir_entry none;

	if (it->run.key.rule)
		weir_limiter_ruled(&it->call);
	else
		weir_limiter_state(it->call.p, it->k->e ?: &none, it->k->word,
				   it->call.now, it->run.op.n, &it->run.op);
}

static void refuse(struct transaction *tx, struct tx_item *refused)
{
	struct tx_item *it;
	u32 verdict;

	tx->decider = refused - tx->items;
	item_refuse(refused, refused->k->word);
	verdict = refused->run.op.verdict;
	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (it->check && it != refused)
			fill_peer_result(it);
		if (verdict != WEIR_ALLOWED)
			it->run.op.out_flags &= ~WEIR_OUT_SHADOW;
		it->run.op.verdict = verdict;
		it->run.op.decided = tx->decider;
	}
}

static void item_charge(struct tx_item *it)
{
	if (it->shadow)
		item_refuse(it, it->k->word);
	else if (it->run.key.rule)
		weir_limiter_ruled_count(&it->call);
	else if (it->k->e)
		it->k->word = weir_limiter_check_locked(&it->call, it->k->e, it->k->word);
	else
		weir_limiter_full_count(&it->call);
}

static void charge(struct transaction *tx)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (it->check) {
			item_charge(it);
		} else {
			INDIRECT_CALL_1(it->o->ops->join, weir_counter_op_add, &it->run, it->o);
			it->run.op.verdict = WEIR_ALLOWED;
		}
		it->run.op.decided = it - tx->items;
	}
}

/*
 * Return: 0, or TX_AGAIN: nothing has changed. *@refused: out: the item that is refused, or
 * NULL.
 */
static int decide(struct transaction *tx, struct tx_item **refused)
{
	struct weir_multi_key *k;
	struct tx_key *s;

	begin(tx);
	*refused = find_refused(tx);
	if (tx->roomless || entries_link(tx, *refused))
		return TX_AGAIN;
	if (*refused)
		refuse(tx, *refused);
	else
		charge(tx);
	for (k = tx->lock.keys, s = tx->states; k < tx->lock.keys + tx->lock.count; k++, s++) {
		if (k->e)
			weir_limiter_changed(s->call, k->e, k->word, s->before);
	}
	return 0;
}

/* ------------------------------------------------------------ all of it */

/*
 * Mirror to the candidates the CHECKs that were performed, or the one that was refused. Must hold
 * rcu_read_lock().
 */
static void mirror(struct transaction *tx, const struct tx_item *refused)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++)
		if (it->check && unlikely(it->call.p->candidate) &&
		    (!refused || it == refused)) {
			it->candidate = weir_candidate_op(it->call.p, &it->run.op,
							  &it->run.key, 0);
			tx->mirror |= !!it->candidate;
		}
}

/* Mirror to those candidates that need a context which may sleep. */
static void mirror_slow(struct transaction *tx)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++)
		if (it->candidate)
			weir_candidate_op_slow(it->candidate, &it->run.op,
					       &it->run.key, GFP_KERNEL);
}

/*
 * One attempt from the beginning: 0, TX_AGAIN, or an errno, which the results have. Must hold
 * rcu_read_lock().
 */
static int attempt(struct transaction *tx)
{
	struct tx_item *refused;
	int err = locate(tx);

	if (err)
		return err;
	weir_multi_lock(&tx->lock);
	err = decide(tx, &refused);
	weir_multi_unlock(&tx->lock);
	if (err)
		return hold(tx);
	mirror(tx, refused);
	return 0;
}

static unsigned int item_with(const struct transaction *tx, const struct weir_multi_key *k)
{
	unsigned int i = 0;

	while (tx->items[i].k != k)
		i++;
	return i;
}

/* Find the room, or get the memory, that was missing. 0 or -ENOMEM. */
static int prepare(struct transaction *tx)
{
	struct weir_multi_key *k = tx->roomless;
	struct tx_key *s;

	if (k) {
		s = state_of(tx, k);
		s->full = !weir_table_room(k->t, tx->room) || ++s->tries > TX_TRIES;
		return 0;
	}
	for (k = tx->lock.keys; k < tx->lock.keys + tx->lock.count; k++) {
		if (!k->wanted || k->new)
			continue;
		k->new = weir_entry_alloc(k->t->memcg, k->key, GFP_KERNEL);
		if (!k->new)
			return fail(tx, item_with(tx, k), -ENOMEM);
	}
	return 0;
}

/* Return: 0, and the results are complete; or -ERESTARTSYS, and nothing happened. */
static int perform(struct transaction *tx)
{
	int err;

	for (;;) {
		rcu_read_lock();
		err = attempt(tx);
		rcu_read_unlock();
		if (!err && unlikely(tx->mirror))
			mirror_slow(tx);
		if (err != TX_AGAIN || prepare(tx))
			return 0;
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
}

static int item_get(struct tx_item *it, struct weir_op __user *user)
{
	/* one by one: the rest is set before it is read, and there is much of it */
	it->run.data = NULL;
	it->o = NULL;
	it->held = false;
	it->k = NULL;
	it->candidate = NULL;
	if (weir_op_get(&it->run, user))
		return -EFAULT;
	weir_op_clear(&it->run);
	if (!(it->run.op.flags & WEIR_OP_PTR))
		return 0;
	it->run.data = kmalloc(sizeof(*it->run.data), GFP_KERNEL_ACCOUNT);
	return it->run.data ? 0 : -ENOMEM;
}

/* Check the ops as far as that is possible without their objects. Return: errno or 0. */
static int items_check(struct transaction *tx, unsigned int *checks)
{
	struct tx_item *it;
	unsigned int i;
	int err;

	for (i = 0; i < tx->count; i++) {
		it = &tx->items[i];
		err = weir_op_check(&it->run);
		if (!err && !(it->run.desc->traits & (WEIR_OPF_CHECK | WEIR_OPF_JOIN)))
			err = -EINVAL;
		if (err)
			return fail(tx, i, err);
		it->check = it->run.desc->traits & WEIR_OPF_CHECK;
		*checks += it->check;
	}
	return 0;
}

static int run(struct transaction *tx, struct weir_op __user *ops)
{
	unsigned int i, got, checks = 0;
	int err = 0;

	for (got = 0; got < tx->count && !err; got++)
		err = item_get(&tx->items[got], ops + got);
	if (!err && !items_check(tx, &checks)) {
		err = checks > WEIR_TRANSACTION_CHECKS ? -EINVAL : perform(tx);
		release(tx);
	}
	for (i = 0; i < got; i++) {
		if (!err)
			err = weir_op_put(&tx->items[i].run, ops + i);
		kfree(tx->items[i].run.data);
	}
	return err ?: tx->count;
}

/* A separate function, so that other callers do not need its stack. */
static noinline int run_small(struct transaction *tx, struct weir_op __user *ops)
{
	struct tx_item items[TX_SMALL];
	struct weir_multi_key keys[TX_SMALL];
	struct tx_key states[TX_SMALL];

	tx->items = items;
	tx->states = states;
	weir_multi_init(&tx->lock, keys);
	return run(tx, ops);
}

static int run_large(struct transaction *tx, struct weir_op __user *ops)
{
	struct weir_multi_key *keys;
	int ret = -ENOMEM;

	tx->items = kmalloc_array(tx->count, sizeof(*tx->items),
				  GFP_KERNEL_ACCOUNT);
	tx->states = kmalloc_array(tx->count, sizeof(*tx->states),
				   GFP_KERNEL_ACCOUNT);
	keys = kmalloc_array(tx->count, sizeof(*keys), GFP_KERNEL_ACCOUNT);
	weir_multi_init(&tx->lock, keys);
	if (tx->items && tx->states && keys)
		ret = run(tx, ops);
	kfree(keys);
	kfree(tx->states);
	kfree(tx->items);
	return ret;
}

/**
 * weir_transaction_run - perform ops, all or none
 * @c: the client
 * @ops: the user's ops
 * @count: their number, 1 or more
 *
 * Context: may sleep.
 * Return: @count; -EINVAL: too many, or too many CHECKs; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int weir_transaction_run(struct weir_client *c, struct weir_op __user *ops,
			 u32 count)
{
	const struct weir_op_desc *desc;
	struct transaction tx;
	u16 opcode;

	BUILD_BUG_ON(WEIR_TRANSACTION_MAX > WEIR_MULTI_MAX);
	/* if another thread changes it meanwhile, the later checks fail */
	if (get_user(opcode, &ops->opcode))
		return -EFAULT;
	desc = weir_op_desc(opcode);
	if (desc && desc->traits & WEIR_OPF_CLAIM)
		return weir_claims_run(c, ops, count);
	if (count > WEIR_TRANSACTION_MAX)
		return -EINVAL;
	tx.client = c;
	tx.count = count;
	tx.held = false;
	tx.mirror = false;
	return count <= TX_SMALL ? run_small(&tx, ops) : run_large(&tx, ops);
}
