// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several CHECKs, all or none. See table/transaction.h.
 *
 * With all keys locked, the first CHECK that would be refused is determined. Then either all are
 * charged or that one is refused. A key without an entry counts as fresh. It gets an entry if it is
 * charged or gets a strike.
 */

#include <linux/gfp.h>

#include "limiter/candidate.h"
#include "limiter/limiter.h"
#include "table/transaction.h"

/**
 * struct tx_key - the state of a key during a transaction
 * @call: the arguments of one of its ops
 * @after: its state after the ops so far
 * @asked: sum of the tokens of the ops so far
 * @before: when the unchanged entry would be idle
 * @full: there is no room for an entry
 */
struct tx_key {
	struct weir_limiter_call *call;
	u64			after;
	u64			asked;
	u64			before;
	bool			full;
};

/**
 * struct tx_check - a CHECK; private part of its &struct weir_tx_item
 * @call: arguments for the limiter
 * @s: state of the key while the transaction is decided
 * @retry_after: ns until it fits together with the checks before it
 * @shadow: refused by a limiter in shadow mode, which does not affect the others
 * @candidate: the limiter's candidate, if the op is mirrored
 * @own: @s of the first CHECK of a key
 */
struct tx_check {
	struct weir_limiter_call call;
	struct tx_key		*s;
	u64			retry_after;
	bool			shadow;
	struct weir_limiter	*candidate;
	struct tx_key		own;
};

static struct tx_check *check_of(struct weir_tx_item *it)
{
	BUILD_BUG_ON(sizeof(struct tx_check) > sizeof(it->private));
	return (struct tx_check *)it->private;
}

/* ------------------------------------------------------------ keys */

static void key_add(struct weir_tx *tx, struct weir_tx_item *it)
{
	struct weir_limiter *l = weir_limiter(it->o);
	struct tx_check *c = check_of(it);
	unsigned int before = tx->lock.count;

	c->call = (struct weir_limiter_call){ .l = l, .op = &it->run.op, .key = &it->run.key };
	c->candidate = NULL;
	it->k = weir_multi_add(&tx->lock, &l->table, &it->run.key);
	if (tx->lock.count > before) {
		it->k->owner = &c->own;
		c->own.call = &c->call;
		c->own.full = false;
	}
	c->s = it->k->owner;
}

/* In a new RCU read side there may be other rules. */
static void keys_add(struct weir_tx *tx)
{
	struct weir_tx_item *it;

	weir_tx_for_each(it, tx) {
		if (!it->decides)
			continue;
		if (tx->held)
			weir_limiter_key_rule(weir_limiter(it->o), &it->run.key);
		else
			key_add(tx, it);
	}
}

/* ------------------------------------------------------------ with all keys locked */

/*
 * Read the clock, and all policies at that time: see weir_limiter_now(). So CHECKs of one limiter
 * have one policy, even if it is changed meanwhile.
 */
static u64 clock_read(struct weir_tx *tx)
{
	struct weir_limiter_call *call;
	struct weir_tx_item *it;
	bool changed;
	u64 now;

	do {
		weir_tx_for_each(it, tx) {
			call = &check_of(it)->call;
			if (it->decides)
				call->p = rcu_dereference(call->l->policy);
		}
		smp_rmb();	/* pairs with the release in limiter_set() */
		now = ktime_get_boottime_ns();
		smp_rmb();	/* the same */
		changed = false;
		weir_tx_for_each(it, tx) {
			call = &check_of(it)->call;
			changed |= it->decides && rcu_access_pointer(call->l->policy) != call->p;
		}
	} while (unlikely(changed));
	return now;
}

/* Read the clock: the transaction takes effect at this moment. */
static void begin(struct weir_tx *tx)
{
	u64 now = clock_read(tx);
	struct weir_multi_key *k;
	struct weir_tx_item *it;
	struct tx_check *c;
	struct tx_key *s;

	weir_tx_for_each(it, tx) {
		if (!it->decides)
			continue;
		c = check_of(it);
		c->call.now = now - c->call.l->table.epoch;
		c->retry_after = 0;
		c->shadow = false;
	}
	weir_tx_for_each_key(k, tx) {
		s = k->owner;
		s->before = WEIR_EXPIRY_NEVER;
		if (k->e)
			s->before = weir_limiter_idle_at(k->t, k->e, k->word, s->call->now);
		else
			k->word = weir_rate_fresh(&s->call->p->rate, s->call->now);
		s->after = k->word;
		s->asked = 0;
	}
}

/* Whether the rate would allow the check once the checks before it are charged. */
static bool rate_fits(struct weir_tx_item *it, struct tx_check *c)
{
	const struct weir_policy *p = c->call.p;
	struct weir_decision d = {};
	struct tx_key *s = c->s;

	weir_rate_decide(&p->rate, s->after, c->call.now, it->run.op.n, &d);
	s->after = d.word;
	if (d.allowed)
		s->asked += it->run.op.n;
	else	/* the time until all operations on this key fit together */
		weir_rate_peek(&p->rate, it->k->word, c->call.now, s->asked + it->run.op.n, &d);
	c->retry_after = d.retry_after;
	return d.allowed;
}

/*
 * Whether the check would be allowed once the checks before it are charged. If it sets
 * @tx->lock.roomless, the answer is invalid.
 */
static bool item_fits(struct weir_tx *tx, struct weir_tx_item *it, struct tx_check *c)
{
	const struct weir_policy *p = c->call.p;
	struct weir_entry *e = it->k->e;
	bool fits;

	if (it->run.key.rule)
		return it->run.key.rule == WEIR_RULE_ALLOW;
	if (!e && c->s->full)
		return (u64)it->run.op.n <= p->rate.limit &&
		       p->config.when_full == WEIR_FULL_ALLOW;
	/* waiters come first */
	if (e && (weir_entry_queued(e) || e->ban_until > c->call.now))
		return false;
	fits = rate_fits(it, c);
	if (fits || p->strikes)
		fits &= weir_multi_want(&tx->lock, it->k);
	return fits;
}

/* The first CHECK that would be refused, or NULL. */
static struct weir_tx_item *find_refused(struct weir_tx *tx)
{
	struct weir_tx_item *it;
	struct tx_check *c;

	weir_tx_for_each(it, tx) {
		c = check_of(it);
		if (!it->decides || item_fits(tx, it, c))
			continue;
		if (tx->lock.roomless || !c->call.p->shadow)
			return it;
		c->shadow = true;
	}
	return NULL;
}

/* Whether the key needs an entry; a refusal leaves at most a strike. */
static bool entry_is_wanted(const struct weir_multi_key *k, struct weir_tx_item *refused)
{
	if (refused && (refused->k != k || refused->run.key.rule ||
			!check_of(refused)->call.p->strikes))
		return false;
	return k->wanted;
}

/* Link new entries for the keys that need one. */
static bool entries_link(struct weir_tx *tx, struct weir_tx_item *refused)
{
	struct weir_multi_key *k;
	bool wanted = false;

	weir_tx_for_each_key(k, tx) {
		k->wanted = entry_is_wanted(k, refused);
		wanted |= k->wanted;
	}
	return !wanted || weir_multi_link(&tx->lock);
}

static void item_refuse(struct weir_tx_item *it, struct tx_check *c)
{
	struct weir_entry none = {};	/* without strikes, nothing is kept */

	if (it->run.key.rule) {
		weir_limiter_ruled_count(&c->call);
	} else if (!it->k->e && c->s->full) {
		weir_limiter_full_count(&c->call);
	} else {
		c->s->call = &c->call;	/* this may ban the key */
		weir_limiter_refuse_locked(&c->call, it->k->e ?: &none, it->k->word,
					   c->retry_after);
	}
}

/* The result of a CHECK that is refused because of another one: the state of its own key. */
static void fill_peer_result(struct weir_tx_item *it, struct tx_check *c)
{
	static const struct weir_entry none;

	if (it->run.key.rule)
		weir_limiter_ruled(&c->call);
	else
		weir_limiter_state(c->call.p, it->k->e ?: &none, it->k->word,
				   c->call.now, it->run.op.n, &it->run.op);
}

static void refuse(struct weir_tx *tx, struct weir_tx_item *refused)
{
	struct weir_tx_item *it;
	u32 verdict;

	item_refuse(refused, check_of(refused));
	verdict = refused->run.op.verdict;
	weir_tx_for_each(it, tx) {
		if (it->decides && it != refused)
			fill_peer_result(it, check_of(it));
		if (verdict != WEIR_ALLOWED)
			it->run.op.out_flags &= ~WEIR_OUT_SHADOW;
		it->run.op.verdict = verdict;
		it->run.op.decided = refused - tx->items;
	}
}

static void item_charge(struct weir_tx_item *it, struct tx_check *c)
{
	if (c->shadow)
		item_refuse(it, c);
	else if (it->run.key.rule)
		weir_limiter_ruled_count(&c->call);
	else if (it->k->e)
		it->k->word = weir_limiter_check_locked(&c->call, it->k->e, it->k->word);
	else
		weir_limiter_full_count(&c->call);
}

static void charge(struct weir_tx *tx)
{
	struct weir_tx_item *it;

	weir_tx_for_each(it, tx) {
		if (it->decides) {
			item_charge(it, check_of(it));
			it->run.op.decided = it - tx->items;
		} else {
			weir_tx_join(tx, it);
		}
	}
}

/* Return: 0; or WEIR_TX_AGAIN, and nothing has changed. *@refused: the deciding CHECK, or NULL. */
static int decide(struct weir_tx *tx, struct weir_tx_item **refused)
{
	struct weir_multi_key *k;
	struct tx_key *s;

	begin(tx);
	*refused = find_refused(tx);
	if (tx->lock.roomless || !entries_link(tx, *refused))
		return WEIR_TX_AGAIN;
	if (*refused)
		refuse(tx, *refused);
	else
		charge(tx);
	weir_tx_for_each_key(k, tx) {
		s = k->owner;
		if (k->e)
			weir_limiter_changed(s->call, k->e, k->word, s->before);
	}
	return 0;
}

/* ------------------------------------------------------------ the whole transaction */

/*
 * Hold the candidates to which CHECKs are mirrored: all CHECKs, or the one that was refused. Must
 * hold rcu_read_lock().
 */
static void mirror_hold(struct weir_tx *tx, struct weir_tx_item *refused)
{
	struct weir_tx_item *it;
	struct tx_check *c;

	weir_tx_for_each(it, tx) {
		c = check_of(it);
		if (!it->decides || likely(!c->call.p->candidate) || (refused && it != refused))
			continue;
		c->candidate = weir_candidate_hold(c->call.p, WEIR_OP_CHECK, 0);
		tx->finish |= !!c->candidate;
	}
}

/* &weir_tx_ops.attempt */
int weir_limiter_transact(struct weir_tx *tx)
{
	struct weir_tx_item *refused;
	int err;

	keys_add(tx);
	weir_multi_lock(&tx->lock);
	err = decide(tx, &refused);
	weir_multi_unlock(&tx->lock);
	if (!err)
		mirror_hold(tx, refused);
	return err;
}

/* &weir_tx_ops.no_room: the limiter decides by its when_full. */
static int no_room(struct weir_tx *tx)
{
	struct tx_key *s = tx->lock.roomless->owner;

	s->full = true;
	return 0;
}

/* &weir_tx_ops.finish */
static void mirror(struct weir_tx *tx)
{
	struct weir_tx_item *it;
	struct tx_check *c;

	weir_tx_for_each(it, tx) {
		c = check_of(it);
		if (it->decides && c->candidate)
			weir_candidate_op(c->candidate, &it->run.op, &it->run.key, GFP_KERNEL);
	}
}

const struct weir_tx_ops weir_limiter_tx = {
	.max		= WEIR_TRANSACTION_CHECKS,
	.max_ops	= WEIR_TRANSACTION_MAX,
	.attempt	= weir_limiter_transact,
	.no_room	= no_room,
	.finish		= mirror,
};
