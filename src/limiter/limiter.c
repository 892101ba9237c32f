// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions: check, peek, refund, strike, forgive, ban, lift, forget.
 *
 * A key's state is changed only under the entry's lock, with a clock that is read under it. All
 * operations on a key therefore have one order, which is that of their times. A PEEK, and a
 * CHECK that is refused after another refusal, take no lock and write no shared memory: they
 * read the state, the clock, and the state again.
 *
 * Cost of a check of a known key beyond the look-up: one lock and unlock of the entry, or none;
 * one clock reading; no allocation, no division.
 */

#include "limiter/candidate.h"
#include "limiter/limiter.h"
#include "limiter/reserve.h"

/* Decide a check of @cost as if it were the last in the queue: all waiters are charged first. */
static void state_peek(const struct weir_policy *p, const struct weir_entry *e,
		       u64 word, u64 now, u64 cost, struct weir_decision *d,
		       struct weir_op *op)
{
	weir_rate_peek(&p->rate, word, now, cost, d);
	if (!weir_entry_queued(e) || d->retry_after == WEIR_NEVER)
		return;
	op->out_flags |= WEIR_OUT_QUEUED;
	d->allowed = false;
	d->remaining = 0;
	d->retry_after = max(1ULL, weir_rate_wait(&p->rate, word, now,
						  weir_reserve_tokens(e) + cost));
}

/**
 * weir_limiter_state - fill in the answer that a check of @cost would get, without a charge
 * @p: the policy
 * @e: the entry, locked
 * @word: its word
 * @now: ns since the table's epoch
 * @cost: tokens
 * @op: its result half is filled in
 */
void weir_limiter_state(const struct weir_policy *p, const struct weir_entry *e,
			u64 word, u64 now, u64 cost, struct weir_op *op)
{
	struct weir_decision d;

	state_peek(p, e, word, now, cost, &d, op);
	weir_limiter_answer(op, p, &d, e->ban_until, now);
	op->strikes = weir_limiter_strikes(p, e, now);
	op->bans = e->bans;
}

/* Complete a CHECK: count it and its strike, and fill in the answer. Must hold the entry's lock. */
static void check_end(struct weir_limiter_call *call, struct weir_entry *e,
		      const struct weir_decision *d)
{
	struct weir_op *op = call->op;

	/* drop strikes that no longer count, so that the next check takes no lock */
	if (weir_entry_has_score(e) &&
	    weir_score_idle_at(&call->p->score, e->score, call->now) <= call->now)
		weir_entry_set_score(e, (struct weir_score){});
	weir_limiter_answer(op, call->p, d, e->ban_until, call->now);
	op->strikes = weir_limiter_strikes(call->p, e, call->now);
	op->bans = e->bans;
	weir_entry_flag(e, WEIR_CHANGE_REFUSED, !d->allowed || op->banned_for);
	weir_limiter_count(call->l, op);
}

/**
 * weir_limiter_check_locked - CHECK
 * @call: the operation
 * @e: its entry, locked
 * @word: its state
 *
 * Return: the new state.
 */
u64 weir_limiter_check_locked(struct weir_limiter_call *call,
			      struct weir_entry *e, u64 word)
{
	struct weir_decision d;

	if (e->ban_until > call->now || (weir_entry_queued(e) && !call->turn)) {
		state_peek(call->p, e, word, call->now, call->op->n, &d,
			   call->op);
		if (e->ban_until <= call->now && call->p->strikes)
			weir_limiter_strike(call, e, 1);
	} else {
		weir_rate_decide(&call->p->rate, word, call->now, call->op->n, &d);
		if (!d.allowed && call->p->strikes)
			weir_limiter_strike(call, e, 1);
		word = d.word;
	}
	check_end(call, e, &d);
	return word;
}

/**
 * weir_limiter_refuse_locked - refuse a CHECK that would fit alone
 * @call: the operation
 * @e: its entry, locked
 * @word: its state
 * @retry_after: ns until it fits together with the other checks of the same key
 */
void weir_limiter_refuse_locked(struct weir_limiter_call *call,
				struct weir_entry *e, u64 word, u64 retry_after)
{
	struct weir_decision d;

	state_peek(call->p, e, word, call->now, call->op->n, &d, call->op);
	d.allowed = false;
	d.retry_after = max(d.retry_after, retry_after);
	if (call->p->strikes && e->ban_until <= call->now)
		weir_limiter_strike(call, e, 1);
	check_end(call, e, &d);
}

/* Perform the operation on its locked entry. *@word: the new word. */
static int entry_op(struct weir_limiter_call *call, struct weir_entry *e, u64 *word)
{
	struct weir_op *op = call->op;
	int err = 0;

	switch (op->opcode) {
	case WEIR_OP_CHECK:
		*word = weir_limiter_check_locked(call, e, *word);
		return 0;
	case WEIR_OP_PEEK:
		weir_limiter_state(call->p, e, *word, call->now, op->n, op);
		return 0;
	case WEIR_OP_REFUND:
		*word = weir_rate_refund(&call->p->rate, *word, call->now, op->n);
		break;
	case WEIR_OP_STRIKE:
		weir_limiter_strike(call, e, op->n);
		break;
	case WEIR_OP_FORGIVE:
		weir_entry_set_score(e, (struct weir_score){});
		WRITE_ONCE(e->bans, 0);
		break;
	case WEIR_OP_BAN:
		weir_limiter_ban(call, e, op->arg, 0);
		break;
	case WEIR_OP_LIFT:
		err = weir_limiter_lift(call, e);
		break;
	}
	if (!err)
		weir_limiter_state(call->p, e, *word, call->now, 1, op);
	return err;
}

/*
 * Perform a PEEK, or a CHECK that is refused, without the lock and without a write to shared
 * memory: read the state, the clock, and the state again. If nothing has changed, this is the state
 * at that time. Return: false if the operation needs the lock.
 */
static bool answer_unlocked(struct weir_limiter_call *call, const struct weir_entry *e)
{
	/* pairs with the exchange in weir_entry_begin(): a change that is counted is seen below */
	u32 change = smp_load_acquire(&e->change), bans;
	/* pairs with the release in weir_entry_end() */
	u64 word = atomic64_read_acquire(&e->word), ban_until;
	struct weir_op *op = call->op;
	bool check = op->opcode == WEIR_OP_CHECK;
	struct weir_decision d;

	if (word & WEIR_ENTRY_LOCKED || change & WEIR_CHANGE_QUEUED ||
	    weir_entry_has_score(e))
		return false;
	ban_until = READ_ONCE(e->ban_until);
	bans = READ_ONCE(e->bans);
	/* a change that was seen has an earlier time: pairs with the release in weir_entry_end() */
	smp_rmb();
	weir_limiter_now(call);
	/* a later change is seen below: pairs with the exchange in weir_entry_begin() */
	smp_rmb();
	/* the count belongs to the word: pairs with the release in weir_entry_end() */
	if ((u64)atomic64_read_acquire(&e->word) != word || READ_ONCE(e->change) != change)
		return false;
	weir_rate_peek(&call->p->rate, word, call->now, op->n, &d);
	if (check && ban_until <= call->now && (d.allowed || call->p->strikes))
		return false;
	weir_limiter_answer(op, call->p, &d, ban_until, call->now);
	op->bans = bans;
	if (check)
		weir_limiter_count(call->l, op);
	return true;
}

/*
 * A CHECK of a key that has only tokens (no strikes, ban or waiters), and gets no strike. @e is
 * locked and is unlocked here. A charge only makes the idle time later, so no bound is lowered.
 * Return: false if nothing was done.
 */
static bool check_plain(struct weir_limiter_call *call, struct weir_entry *e, u64 word)
{
	struct weir_decision d;
	u64 ban_until = e->ban_until;
	u32 bans = e->bans;

	if (ban_until > call->now || weir_entry_queued(e) || weir_entry_has_score(e))
		return false;
	weir_rate_decide(&call->p->rate, word, call->now, call->op->n, &d);
	if (!d.allowed && call->p->strikes)
		return false;
	weir_entry_flag(e, WEIR_CHANGE_REFUSED, !d.allowed);
	weir_entry_changed(e);
	weir_table_unlock(&call->l->table, e, d.word);
	weir_limiter_answer(call->op, call->p, &d, ban_until, call->now);
	call->op->bans = bans;
	weir_limiter_count(call->l, call->op);
	return true;
}

/* The answer that a fresh key would get. */
void weir_limiter_answer_fresh(struct weir_limiter_call *call, u64 cost)
{
	const struct weir_rate *rate = &call->p->rate;
	struct weir_decision d;

	weir_rate_peek(rate, weir_rate_fresh(rate, call->now), call->now, cost, &d);
	weir_limiter_answer(call->op, call->p, &d, 0, call->now);
}

/* A CHECK of a key without an entry: the key gets one, unless the check is refused without it. */
static int absent_check(struct weir_limiter_call *call)
{
	bool fits = (u64)call->op->n <= call->p->rate.limit;

	if (fits && weir_table_refuses(&call->l->table, call->key))
		return weir_limiter_full_count(call);
	if (fits || call->p->strikes)
		return WEIR_OP_MUST_SLEEP;
	/* the answer does not depend on the time */
	call->now = weir_table_now(&call->l->table);
	weir_limiter_answer_fresh(call, call->op->n);
	weir_limiter_count(call->l, call->op);
	return 0;
}

/* PEEK or REFUND of a key without an entry: the answer is that of a fresh key. */
static int absent_peek(struct weir_limiter_call *call, u64 cost)
{
	call->now = weir_table_now(&call->l->table);
	if (call->op->opcode == WEIR_OP_PEEK &&
	    weir_table_refuses(&call->l->table, call->key))
		return weir_limiter_full(call);
	weir_limiter_answer_fresh(call, cost);
	return 0;
}

static int absent_op(struct weir_limiter_call *call)
{
	switch (call->op->opcode) {
	case WEIR_OP_CHECK:
		return absent_check(call);
	case WEIR_OP_PEEK:
		return absent_peek(call, call->op->n);
	case WEIR_OP_REFUND:
		return absent_peek(call, 1);
	case WEIR_OP_STRIKE:
	case WEIR_OP_BAN:
		return WEIR_OP_MUST_SLEEP;
	default:
		return -ENOENT;
	}
}

/* FORGET. An entry with waiters is reset instead of dropped. */
static int forget(struct weir_limiter_call *call)
{
	struct weir_table *t = &call->l->table;
	struct weir_entry *e;
	u64 word;

	e = weir_table_find_locked(t, call->key, &word);
	if (!e)
		return -ENOENT;
	if (weir_entry_queued(e)) {
		weir_entry_set_score(e, (struct weir_score){});
		WRITE_ONCE(e->ban_until, 0);
		WRITE_ONCE(e->bans, 0);
		weir_limiter_now(call);
		/* not idle before the queue is empty; its idle time is recorded then */
		weir_limiter_unlock(call, e, weir_rate_fresh(&call->p->rate, call->now),
				    WEIR_EXPIRY_NEVER);
	} else {
		weir_table_drop(t, e);
	}
	weir_limiter_full_over(call->l, 0);
	return 0;
}

/* Read the clock. Return: when the locked entry is idle, for weir_limiter_unlock(). */
u64 weir_limiter_begin(struct weir_limiter_call *call, const struct weir_entry *e, u64 word)
{
	weir_limiter_now(call);
	return weir_limiter_idle_at(&call->l->table, e, word, call->now);
}

/**
 * weir_limiter_changed - update expiry, waiters and readers after a change of an entry
 * @call: the last operation on the entry
 * @e: the entry; it is and stays locked
 * @word: its new state
 * @before: when it would have been idle; WEIR_EXPIRY_NEVER if it is new
 */
void weir_limiter_changed(const struct weir_limiter_call *call,
			  struct weir_entry *e, u64 word, u64 before)
{
	struct weir_table *t = &call->l->table;
	u64 after = weir_limiter_idle_at(t, e, word, call->now);

	if (after < before)
		weir_table_update_expiry(t, call->key->hash, after);
	/* let the timer serve the first waiter again, unless the only change is a refusal */
	if (weir_entry_queued(e) && (!weir_limiter_decides(call->op->opcode) ||
				     call->op->out_flags & WEIR_OUT_BANNED_NOW))
		weir_reserve_kick(e);
	weir_entry_changed(e);
}

/* Like weir_limiter_changed(), and unlock the entry. */
void weir_limiter_unlock(const struct weir_limiter_call *call,
			 struct weir_entry *e, u64 word, u64 before)
{
	weir_limiter_changed(call, e, word, before);
	weir_table_unlock(&call->l->table, e, word);
}

/**
 * weir_limiter_op_locked - perform an operation on its entry
 * @call: the operation
 * @e: the entry, locked; this function unlocks it
 * @word: its state
 * @is_new: the entry is new
 *
 * Return: 0, -ENOENT.
 */
int weir_limiter_op_locked(struct weir_limiter_call *call, struct weir_entry *e,
			   u64 word, bool is_new)
{
	u64 before = WEIR_EXPIRY_NEVER;
	int err;

	if (!is_new)
		before = weir_limiter_idle_at(&call->l->table, e, word, call->now);
	err = entry_op(call, e, &word);
	weir_limiter_unlock(call, e, word, before);
	return err;
}

/* Whether to try without the lock. A CHECK is probably refused if the last one was refused. */
static bool may_be_unlocked(u32 opcode, const struct weir_entry *e)
{
	return opcode == WEIR_OP_PEEK ||
	       (opcode == WEIR_OP_CHECK && READ_ONCE(e->change) & WEIR_CHANGE_REFUSED);
}

/*
 * Whether the policy is still in force, so that a key that was not found had no entry under it.
 * Return: false: look the key up again, with the new policy.
 */
static bool policy_lasts(struct weir_limiter_call *call)
{
	const struct weir_policy *before = call->p;

	smp_rmb();	/* pairs with the release in limiter_set() */
	call->p = rcu_dereference(call->l->policy);
	return call->p == before;
}

/**
 * weir_limiter_op_alone - weir_limiter_op() without the candidate
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
 *
 * Return: as for weir_limiter_op().
 */
int weir_limiter_op_alone(struct weir_limiter *l, struct weir_op *op,
			  struct weir_key *key)
{
	struct weir_limiter_call call = {
		.l = l,
		.p = rcu_dereference(l->policy),
		.op = op,
		.key = key,
	};
	u32 opcode = op->opcode;
	struct weir_entry *e;
	u64 word;

	if (unlikely(key->rule) && weir_limiter_by_rule(key, opcode)) {
		if (opcode == WEIR_OP_CHECK || opcode == WEIR_OP_RESERVE)
			weir_limiter_ruled_count(&call);
		else
			weir_limiter_ruled(&call);
		return 0;
	}
	if (opcode == WEIR_OP_FORGET)
		return forget(&call);
	if (opcode == WEIR_OP_RESERVE || opcode == WEIR_OP_RESERVE_CANCEL)
		return WEIR_OP_MUST_SLEEP;
	do {
		while (unlikely(!(e = weir_table_find(&l->table, key))))
			if (policy_lasts(&call))
				return absent_op(&call);
		if (may_be_unlocked(opcode, e) && answer_unlocked(&call, e))
			return 0;
	} while (!weir_table_lock(&l->table, e, &word));
	weir_limiter_now(&call);
	if (opcode == WEIR_OP_CHECK && check_plain(&call, e, word))
		return 0;
	return weir_limiter_op_locked(&call, e, word, false);
}

/**
 * weir_limiter_op - perform an operation, if it can be done without sleeping
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
 *
 * Context: process or softirq, in an RCU read side.
 * Return: 0, -ENOENT, or WEIR_OP_MUST_SLEEP, nothing happened: the key needs an entry, or
 * there is a candidate.
 */
int weir_limiter_op(struct weir_limiter *l, struct weir_op *op,
		    struct weir_key *key)
{
	if (unlikely(rcu_dereference(l->policy)->candidate) &&
	    weir_candidate_mirrors(op->opcode))
		return WEIR_OP_MUST_SLEEP;
	return weir_limiter_op_alone(l, op, key);
}

/* &weir_table_ops.idle_at */
u64 weir_limiter_idle_at(struct weir_table *t, const struct weir_entry *e,
			 u64 word, u64 now)
{
	const struct weir_policy *p = rcu_dereference(weir_limiter_of(t)->policy);
	u64 idle_at = max(weir_rate_idle_at(&p->rate, word, now),
			  weir_score_idle_at(&p->score, e->score, now));

	if (weir_entry_queued(e))
		return WEIR_EXPIRY_NEVER;
	idle_at = max(idle_at, e->ban_until);
	if (e->bans)
		idle_at = max(idle_at, e->ban_until + p->config.forget_after + 1);
	return idle_at;
}
