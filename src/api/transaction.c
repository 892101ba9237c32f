// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_SUBMIT_ALL: several CHECKs (and ADDs), all or none. CLAIMs: see claims.c.
 *
 * The entries of all keys are locked, in the order of their addresses, the first
 * CHECK that would be refused is looked for, and then either all are charged or
 * that one is refused; then all are unlocked. So everybody sees all of it or
 * nothing. A key without an entry counts as fresh for a refusal; before it can be
 * charged it gets an entry, and everything begins again.
 *
 * Whoever holds one entry for another reason waits for no second one, and who
 * waits for an entry with a bucket locked is waited for by nobody here, for a
 * transaction takes no bucket's lock while it holds entries. So the order of
 * addresses is enough to exclude deadlock; lockdep is told by a map of its own.
 *
 * Cost with known keys, beside the operations themselves: two copies to and from
 * the user per op, one lock and one unlock per key; no allocation up to four ops.
 */

#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "limiter/candidate.h"
#include "core/client.h"
#include "counter/counter.h"
#include "limiter/limiter.h"
#include "api/ops.h"
#include "roster/roster.h"

#define TX_AGAIN	1	/* something came between: from the beginning */
#define TX_TRIES	3	/* to make an entry that others need room for */
#define TX_SMALL	4	/* ops, that need no allocation */

/**
 * struct tx_item - one op of a transaction
 * @run: the op
 * @counter: ADD: the counter
 * @call: CHECK: as the limiter wants it
 * @e: CHECK: the key's entry, or NULL
 * @retry_after: CHECK: ns until it fits together with those before it
 * @full: CHECK: there was no room for a new entry
 * @shadow: CHECK: refused, by a limiter in shadow mode: the others do not care
 * @tries: CHECK: how often an entry was made
 * @held: CHECK: the limiter's storage is held, to make an entry
 * @candidate: CHECK: the limiter's, if it needs an entry for the key, too
 */
struct tx_item {
	struct weir_op_run	run;
	struct weir_counter	*counter;
	struct weir_limiter_call call;
	struct weir_entry	*e;
	u64			retry_after;
	bool			full;
	bool			shadow;
	u8			tries;
	bool			held;
	struct weir_limiter	*candidate;
};

/**
 * struct tx_entry - an entry that is locked, or going to be
 * @e: it
 * @call: of one op about it
 * @word: its state
 * @after: its state with the ops so far
 * @asked: tokens that the ops so far want
 * @idle_at: when it would be idle as it is
 */
struct tx_entry {
	struct weir_entry	*e;
	struct weir_limiter_call *call;
	u64			word;
	u64			after;
	u64			asked;
	u64			idle_at;
};

/**
 * struct transaction - all of it
 * @client: whose
 * @items: its ops
 * @entries: each entry once, by address
 * @count: of @items
 * @nentries: of @entries
 * @decider: index of the op that decided
 * @map: lockdep's view of the right to hold several entries
 */
struct transaction {
	struct weir_client	*client;
	struct tx_item		*items;
	struct tx_entry		*entries;
	unsigned int		count;
	unsigned int		nentries;
	unsigned int		decider;
	struct lockdep_map	map;
};

static bool is_check(const struct tx_item *it)
{
	return it->run.op.opcode == WEIR_OP_CHECK;
}

static void entry_add(struct transaction *tx, struct tx_item *it)
{
	unsigned int i = tx->nentries, k;

	while (i && tx->entries[i - 1].e > it->e)
		i--;
	if (i && tx->entries[i - 1].e == it->e)
		return;
	for (k = tx->nentries++; k > i; k--)
		tx->entries[k] = tx->entries[k - 1];
	tx->entries[i] = (struct tx_entry){ .e = it->e, .call = &it->call };
}

static struct tx_entry *entry_of(struct transaction *tx, const struct tx_item *it)
{
	struct tx_entry *te = tx->entries;

	while (te->e != it->e)
		te++;
	return te;
}

/* One transaction goes by one policy of a limiter, whatever is set meanwhile. */
static const struct weir_policy *policy_of(const struct transaction *tx,
					   const struct tx_item *it,
					   struct weir_limiter *l)
{
	const struct tx_item *other;

	for (other = tx->items; other < it; other++)
		if (is_check(other) && other->call.l == l)
			return other->call.p;
	return rcu_dereference(l->policy);
}

static int item_locate(struct transaction *tx, struct tx_item *it)
{
	struct weir_object *o;
	struct weir_limiter *l;

	o = weir_op_object(weir_handle_find(tx->client, it->run.op.handle), &it->run);
	if (IS_ERR(o))
		return PTR_ERR(o);
	if (!is_check(it)) {
		it->counter = weir_counter(o);
		return weir_counter_op_add_check(&it->run, it->counter);
	}
	l = weir_limiter(o);
	it->call = (struct weir_limiter_call){
		.l = l,
		.p = policy_of(tx, it, l),
		.op = &it->run.op,
		.key = &it->run.key,
	};
	it->e = NULL;
	it->retry_after = 0;
	if (!it->run.key.rule)
		it->e = weir_table_find(&l->table, &it->run.key);
	if (it->e)
		entry_add(tx, it);
	return 0;
}

/* The failed op says why; the others were not performed because of it. */
static int fail(struct transaction *tx, unsigned int which, int err)
{
	unsigned int i;

	for (i = 0; i < tx->count; i++)
		weir_op_fail(&tx->items[i].run, i == which ? err : -ECANCELED);
	return err;
}

/* Under RCU: keep the limiter until its key has an entry. */
static int item_hold(struct transaction *tx, struct tx_item *it)
{
	if (!weir_object_live_get(&it->call.l->obj))
		return fail(tx, it - tx->items, -ENODEV);
	it->held = true;
	return TX_AGAIN;
}

static int locate(struct transaction *tx)
{
	unsigned int i;
	int err;

	tx->nentries = 0;
	for (i = 0; i < tx->count; i++) {
		err = item_locate(tx, &tx->items[i]);
		if (err)
			return fail(tx, i, err);
	}
	return 0;
}

/* The first @n entries, from which nothing was taken. */
static void entries_release(struct transaction *tx, unsigned int n)
{
	struct tx_entry *te;

	while (n--) {
		te = &tx->entries[n];
		weir_table_unlock(&te->call->l->table, te->e, te->word);
	}
	lock_map_release(&tx->map);
}

/* False, and nothing locked, if an entry died. */
static bool entries_lock(struct transaction *tx)
{
	struct tx_entry *te;
	unsigned int i;

	lock_map_acquire(&tx->map);
	for (i = 0; i < tx->nentries; i++) {
		te = &tx->entries[i];
		if (!weir_table_lock_nested(&te->call->l->table, te->e,
					    &tx->map, &te->word)) {
			entries_release(tx, i);
			return false;
		}
	}
	return true;
}

/*
 * An entry that is made and not charged yet is idle, and goes when another needs its
 * place, were it one of this very transaction. There is no room for all of them then.
 */
static bool crowded_out(const struct tx_item *it)
{
	const struct weir_table *t = &it->call.l->table;

	return it->tries >= TX_TRIES && weir_table_keys(t) >= READ_ONCE(t->max_keys);
}

/*
 * With all entries locked: the keys that had none have none still, so that there
 * is a moment at which everything is as it was found. And that moment is now.
 */
static bool moment(struct transaction *tx)
{
	u64 now = ktime_get_boottime_ns();
	struct tx_entry *te;
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (!is_check(it))
			continue;
		if (!it->e && !it->run.key.rule &&
		    weir_table_find(&it->call.l->table, it->call.key))
			return false;
		/* or another policy has been published before the clock was read */
		if (rcu_access_pointer(it->call.l->policy) != it->call.p)
			return false;
		it->call.now = now - it->call.l->table.epoch;
		if (!it->e && crowded_out(it))
			it->full = true;
	}
	for (te = tx->entries; te < tx->entries + tx->nentries; te++) {
		te->after = te->word;
		te->asked = 0;
		te->idle_at = weir_limiter_idle_at(&te->call->l->table, te->e,
						   te->word, te->call->now);
	}
	return true;
}

/* Would it be allowed, after those before it? */
static bool item_fits(struct transaction *tx, struct tx_item *it)
{
	const struct weir_policy *p = it->call.p;
	struct weir_decision d = {};
	struct tx_entry *te;

	if (it->run.key.rule)
		return it->run.key.rule == WEIR_RULE_ALLOW;
	if (!it->e && it->full)
		return (u64)it->run.op.n <= p->rate.limit &&
		       p->config.when_full == WEIR_FULL_ALLOW;
	if (!it->e) {
		weir_rate_decide(&p->rate, weir_rate_fresh(&p->rate, it->call.now),
				 it->call.now, it->run.op.n, &d);
	} else if (weir_entry_queued(it->e)) {	/* who waits comes first */
		return false;
	} else if (it->e->ban_until <= it->call.now) {
		te = entry_of(tx, it);
		weir_rate_decide(&p->rate, te->after, it->call.now,
				 it->run.op.n, &d);
		te->after = d.word;
		if (d.allowed)
			te->asked += it->run.op.n;
		else	/* when would all of them fit that want this key? */
			weir_rate_peek(&p->rate, te->word, it->call.now,
				       te->asked + it->run.op.n, &d);
	}
	it->retry_after = d.retry_after;
	return d.allowed;
}

/* The first CHECK that would be refused, or NULL. */
static struct tx_item *refuser(struct transaction *tx)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		it->shadow = false;
		if (!is_check(it) || item_fits(tx, it))
			continue;
		if (!it->call.p->shadow)
			return it;
		it->shadow = true;
	}
	return NULL;
}

/* A CHECK that has no entry, nor needs one: there was no room, or there is a rule. */
static void entryless(struct tx_item *it)
{
	if (it->run.key.rule)
		weir_limiter_ruled_count(&it->call);
	else
		weir_limiter_full_count(&it->call);
}

/* A CHECK that is refused, with its entry locked. */
static void item_refuse(struct tx_item *it, struct tx_entry *te, u64 word)
{
	te->call = &it->call;	/* who may lay a ban */
	weir_limiter_refuse_locked(&it->call, it->e, word, it->retry_after);
}

/* A CHECK that is refused because another one is: what its own key has. */
static void bystander(struct transaction *tx, struct tx_item *it)
{
	static const struct weir_entry none;
	const struct weir_policy *p = it->call.p;
	u64 word = it->e ? entry_of(tx, it)->word :
			   weir_rate_fresh(&p->rate, it->call.now);

	if (it->run.key.rule)
		weir_limiter_ruled(&it->call);
	else
		weir_limiter_state(p, it->e ?: &none, word, it->call.now,
				   it->run.op.n, &it->run.op);
}

static void refuse(struct transaction *tx, struct tx_item *decider)
{
	struct tx_entry *te;
	struct tx_item *it;
	u32 verdict;

	tx->decider = decider - tx->items;
	if (decider->e) {
		te = entry_of(tx, decider);
		item_refuse(decider, te, te->word);
	} else {
		entryless(decider);
	}
	verdict = decider->run.op.verdict;
	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (is_check(it) && it != decider)
			bystander(tx, it);
		if (verdict != WEIR_ALLOWED)
			it->run.op.out_flags &= ~WEIR_OUT_SHADOW;
		it->run.op.verdict = verdict;
		it->run.op.decided = tx->decider;
	}
}

static void charge(struct transaction *tx)
{
	struct tx_entry *te;
	struct tx_item *it;

	for (te = tx->entries; te < tx->entries + tx->nentries; te++)
		te->after = te->word;
	for (it = tx->items; it < tx->items + tx->count; it++) {
		if (!is_check(it)) {
			weir_counter_op_add(&it->run, it->counter);
			it->run.op.verdict = WEIR_ALLOWED;
		} else if (it->shadow && it->e) {
			te = entry_of(tx, it);
			item_refuse(it, te, te->after);
		} else if (it->e) {
			te = entry_of(tx, it);
			te->after = weir_limiter_check_locked(&it->call, it->e,
							      te->after);
		} else {
			entryless(it);
		}
		it->run.op.decided = it - tx->items;
	}
}

/* Let go of what was charged, or refused. */
static void entries_unlock(struct transaction *tx, bool charged)
{
	struct tx_entry *te = tx->entries + tx->nentries;

	while (te-- > tx->entries)
		weir_limiter_unlock(te->call, te->e,
				    charged ? te->after : te->word, te->idle_at);
	lock_map_release(&tx->map);
}

/* To the candidates what was done: each CHECK, or the one that was refused. Under RCU. */
static void mirror(struct transaction *tx, const struct tx_item *decider)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++)
		if (is_check(it) && unlikely(it->call.p->candidate) &&
		    (!decider || it == decider))
			it->candidate = weir_candidate_op(it->call.p, &it->run.op,
							  &it->run.key, 0);
}

/* To those of them for which that must sleep. */
static void mirror_slow(struct transaction *tx)
{
	struct tx_item *it;

	for (it = tx->items; it < tx->items + tx->count; it++)
		if (unlikely(it->candidate))
			weir_candidate_op_slow(it->candidate, &it->run.op,
					       &it->run.key, GFP_KERNEL);
}

static bool needs_entry(const struct tx_item *it)
{
	return !it->e && !it->full && !it->run.key.rule;
}

/* Hold what must have an entry: the refuser's key, or if there is none all. */
static int entries_want(struct transaction *tx, struct tx_item *decider)
{
	struct tx_item *it;
	int err = 0;

	if (decider)
		return needs_entry(decider) ? item_hold(tx, decider) : 0;
	for (it = tx->items; it < tx->items + tx->count && err >= 0; it++)
		if (is_check(it) && needs_entry(it))
			err = item_hold(tx, it);
	return err;
}

/* Once from the beginning: 0, TX_AGAIN, or an errno, which the results tell. */
static int attempt(struct transaction *tx)
{
	struct tx_item *decider;
	int err = locate(tx);

	if (err)
		return err;
	if (!entries_lock(tx))
		return TX_AGAIN;
	if (!moment(tx)) {
		entries_release(tx, tx->nentries);
		return TX_AGAIN;
	}
	decider = refuser(tx);
	err = entries_want(tx, decider);
	if (err) {
		entries_release(tx, tx->nentries);
		return err;
	}
	if (decider)
		refuse(tx, decider);
	else
		charge(tx);
	entries_unlock(tx, !decider);
	mirror(tx, decider);
	return 0;
}

/* Make the entries that were wanted, and let go of their limiters. */
static int entries_make(struct transaction *tx)
{
	struct tx_item *it;
	int err = 0, made;

	for (it = tx->items; it < tx->items + tx->count; it++) {
		it->full = false;
		if (!it->held)
			continue;
		it->tries += it->tries < TX_TRIES;
		made = err ? 0 : weir_limiter_entry_make(it->call.l, it->call.key);
		if (made == -ENOSPC)
			it->full = true;
		else if (made)
			err = fail(tx, it - tx->items, made);
		weir_object_live_put(&it->call.l->obj);
		it->held = false;
	}
	return err;
}

/* 0: the results tell all. Or -ERESTARTSYS, and nothing happened. */
static int perform(struct transaction *tx)
{
	int err;

	for (;;) {
		rcu_read_lock();
		err = attempt(tx);
		rcu_read_unlock();
		if (!err)
			mirror_slow(tx);
		if (entries_make(tx) || err != TX_AGAIN)
			return 0;
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
}

static int item_get(struct tx_item *it, struct weir_op __user *user)
{
	*it = (struct tx_item){};
	if (weir_op_get(&it->run, user))
		return -EFAULT;
	weir_op_clear(&it->run);
	if (!(it->run.op.flags & WEIR_OP_PTR))
		return 0;
	it->run.data = kmalloc(sizeof(*it->run.data), GFP_KERNEL_ACCOUNT);
	return it->run.data ? 0 : -ENOMEM;
}

/* What can be said without the objects. */
static int items_check(struct transaction *tx)
{
	unsigned int i;
	int err;

	for (i = 0; i < tx->count; i++) {
		err = weir_op_check(&tx->items[i].run);
		if (!err && !is_check(&tx->items[i]) &&
		    tx->items[i].run.op.opcode != WEIR_OP_ADD)
			err = -EINVAL;
		if (err)
			return fail(tx, i, err);
	}
	return 0;
}

static int run(struct transaction *tx, struct weir_op __user *ops)
{
	unsigned int i, got, checks = 0;
	int err = 0;

	for (got = 0; got < tx->count && !err; got++) {
		err = item_get(&tx->items[got], ops + got);
		checks += is_check(&tx->items[got]);
	}
	if (!err && checks > WEIR_TRANSACTION_CHECKS)
		err = -EINVAL;
	if (!err && !items_check(tx))
		err = perform(tx);
	for (i = 0; i < got; i++) {
		if (!err)
			err = weir_op_put(&tx->items[i].run, ops + i);
		kfree(tx->items[i].run.data);
	}
	return err ?: tx->count;
}

/* Apart, so that nobody else has its stack to carry. */
static noinline int run_small(struct transaction *tx, struct weir_op __user *ops)
{
	struct tx_item items[TX_SMALL];
	struct tx_entry entries[TX_SMALL];

	tx->items = items;
	tx->entries = entries;
	return run(tx, ops);
}

static int run_large(struct transaction *tx, struct weir_op __user *ops)
{
	int ret = -ENOMEM;

	tx->items = kmalloc_array(tx->count, sizeof(*tx->items),
				  GFP_KERNEL_ACCOUNT);
	tx->entries = kmalloc_array(tx->count, sizeof(*tx->entries),
				    GFP_KERNEL_ACCOUNT);
	if (tx->items && tx->entries)
		ret = run(tx, ops);
	kfree(tx->entries);
	kfree(tx->items);
	return ret;
}

/**
 * weir_transaction_run - perform ops, all or none
 * @c: the client
 * @ops: the user's
 * @count: of them, 1 or more
 *
 * Context: may sleep.
 * Return: @count; -EINVAL: too many, or too many CHECKs; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int weir_transaction_run(struct weir_client *c, struct weir_op __user *ops,
			 u32 count)
{
	static struct lock_class_key class;
	struct transaction tx = { .client = c, .count = count };
	u16 opcode;

	/* whoever changes it meanwhile is told so by those who look again */
	if (get_user(opcode, &ops->opcode))
		return -EFAULT;
	if (opcode == WEIR_OP_CLAIM)
		return weir_claims_run(c, ops, count);
	if (count > WEIR_TRANSACTION_MAX)
		return -EINVAL;
	lockdep_init_map(&tx.map, "weir_transaction", &class, 0);
	return count <= TX_SMALL ? run_small(&tx, ops) : run_large(&tx, ops);
}
