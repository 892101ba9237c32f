// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deciding: check, peek, refund, strike, forgive, ban, lift, forget.
 *
 * What a check of a known key costs beyond finding it: nothing shared is written
 * by one that is denied, unless it strikes; one compare-and-exchange of the
 * entry's word by one that is allowed; no allocation, no division. Everything
 * else happens under the entry's lock, and so in one step for whoever looks.
 */

#include "limiter/candidate.h"
#include "limiter/limiter.h"
#include "table/wait.h"

/* What a check of @cost finds, who stands behind all that wait already. */
static void state_peek(const struct weir_policy *p, const struct weir_entry *e,
		       u64 word, u64 now, u64 cost, struct weir_decision *d,
		       struct weir_op *op)
{
	weir_rate_peek(&p->rate, word, now, cost, d);
	if (!e->queued || d->retry_after == WEIR_NEVER)
		return;
	op->out_flags |= WEIR_OUT_QUEUED;
	d->allowed = false;
	d->remaining = 0;
	d->retry_after = max(1ULL, weir_rate_wait(&p->rate, word, now,
						  e->queued + cost));
}

/**
 * weir_limiter_state - fill in what a check of @cost would say, charging nothing
 * @p: the policy
 * @e: the entry, locked
 * @word: its word
 * @now: ns since the table's epoch
 * @cost: tokens
 * @op: its result half
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

/* What a CHECK has to say, after what it did. Entry locked. */
static void check_end(struct weir_limiter_call *call, struct weir_entry *e,
		      const struct weir_decision *d)
{
	struct weir_op *op = call->op;

	/* without strikes that count no more, the next check takes no lock */
	if (weir_entry_has_score(e) &&
	    weir_score_idle_at(&call->p->score, e->score, call->now) <= call->now)
		weir_entry_set_score(e, (struct weir_score){});
	weir_limiter_answer(op, call->p, d, e->ban_until, call->now);
	op->strikes = weir_limiter_strikes(call->p, e, call->now);
	op->bans = e->bans;
	weir_limiter_count(call->l, op);
}

/* A CHECK that a rule decides, counted. */
void weir_limiter_ruled_count(struct weir_limiter_call *call)
{
	weir_limiter_ruled(call);
	weir_limiter_count(call->l, call->op);
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

	if (e->ban_until > call->now || (e->queued && !call->turn)) {
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
 * weir_limiter_refuse_locked - CHECK that is refused, though it might fit by itself
 * @call: the operation
 * @e: its entry, locked
 * @word: its state
 * @retry_after: ns until it fits together with others of the same key
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

/* The operation on its entry, which is locked. The new word in *@word. */
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
 * CHECK and PEEK without the lock. False if it takes one: the entry is locked or
 * dead, has strikes to tell of, somebody waits, or the check must strike.
 *
 * The ban is read before the word is exchanged: a ban that comes between is one
 * that came after this check. The clock is read after the word: by an earlier time
 * than it was charged at, a bucket that has the token would seem to lack it.
 */
static bool check_unlocked(struct weir_limiter_call *call, struct weir_entry *e)
{
	s64 word = atomic64_read(&e->word);
	struct weir_op *op = call->op;
	bool check = op->opcode == WEIR_OP_CHECK;
	struct weir_decision d;
	u64 ban_until;

	do {
		if (word & WEIR_ENTRY_LOCKED || weir_entry_has_score(e) ||
		    READ_ONCE(e->queued))
			return false;
		ban_until = READ_ONCE(e->ban_until);
		/* pairs with the cmpxchg below, whose word was made of a time */
		smp_rmb();
		call->now = weir_table_now(&call->l->table);
		if (!check || ban_until > call->now) {
			weir_rate_peek(&call->p->rate, word, call->now, op->n, &d);
			break;
		}
		weir_rate_decide(&call->p->rate, word, call->now, op->n, &d);
		if (!d.allowed && call->p->strikes)
			return false;
	} while (d.allowed && !atomic64_try_cmpxchg(&e->word, &word, d.word));
	weir_limiter_answer(op, call->p, &d, ban_until, call->now);
	op->bans = READ_ONCE(e->bans);
	if (check)
		weir_limiter_count(call->l, op);
	return true;
}

/* A CHECK of a key that has no entry: it gets one, unless it is refused without. */
static int absent_check(struct weir_limiter_call *call)
{
	struct weir_decision d;
	bool fits = (u64)call->op->n <= call->p->rate.limit;

	call->now = weir_table_now(&call->l->table);
	if (fits && weir_table_refuses_at_once(&call->l->table, call->key, call->now))
		return weir_limiter_full_count(call);
	if (fits || call->p->strikes)
		return WEIR_OP_MUST_SLEEP;
	weir_rate_peek(&call->p->rate, weir_rate_fresh(&call->p->rate, call->now),
		       call->now, call->op->n, &d);
	weir_limiter_answer(call->op, call->p, &d, 0, call->now);
	weir_limiter_count(call->l, call->op);
	return 0;
}

/* PEEK or REFUND of a key that has no entry, which is to say a fresh one. */
static int absent_peek(struct weir_limiter_call *call, u64 cost)
{
	struct weir_decision d;

	call->now = weir_table_now(&call->l->table);
	if (call->op->opcode == WEIR_OP_PEEK && !weir_table_room(&call->l->table))
		return weir_limiter_full(call);
	weir_rate_peek(&call->p->rate, weir_rate_fresh(&call->p->rate, call->now),
		       call->now, cost, &d);
	weir_limiter_answer(call->op, call->p, &d, 0, call->now);
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

/* An entry somebody waits for: as good as a fresh one. -EAGAIN: it is none any more. */
static int forget_queued(struct weir_limiter_call *call)
{
	struct weir_table *t = &call->l->table;
	struct weir_entry *e = weir_table_find(t, call->key);
	u64 word;

	if (!e || !weir_table_lock(t, e, &word))
		return -EAGAIN;
	if (!e->queued) {
		weir_table_unlock(t, e, word);
		return -EAGAIN;
	}
	weir_entry_set_score(e, (struct weir_score){});
	WRITE_ONCE(e->ban_until, 0);
	WRITE_ONCE(e->bans, 0);
	call->now = weir_table_now(t);
	/* it is not idle before the queue is empty, and then that is settled */
	weir_limiter_unlock(call, e, weir_rate_fresh(&call->p->rate, call->now),
			    WEIR_EXPIRY_NEVER);
	return 0;
}

static int forget(struct weir_limiter_call *call)
{
	int err;

	do {
		err = weir_table_remove(&call->l->table, call->key);
		if (err == -EBUSY)
			err = forget_queued(call);
	} while (err == -EAGAIN);
	if (!err)
		weir_limiter_full_over(call->l, 0);
	return err;
}

/* May make room for those who wait, or take it from them. */
static bool changes_more(u32 opcode)
{
	return opcode != WEIR_OP_CHECK && opcode != WEIR_OP_PEEK &&
	       opcode != WEIR_OP_RESERVE;
}

/**
 * weir_limiter_unlock - let go of an entry that may have been changed
 * @call: the last operation on it
 * @e: the entry, locked
 * @word: its new state
 * @before: when it would have been idle; WEIR_EXPIRY_NEVER if it is new
 */
void weir_limiter_unlock(const struct weir_limiter_call *call,
			 struct weir_entry *e, u64 word, u64 before)
{
	struct weir_table *t = &call->l->table;
	u64 after = weir_limiter_idle_at(t, e, word, call->now);

	if (after < before)
		weir_table_settle(t, call->key->hash, after);
	/* the first who waits must look again, unless all that is new is a refusal */
	if (e->queued && (changes_more(call->op->opcode) ||
			  call->op->out_flags & WEIR_OUT_BANNED_NOW))
		weir_wait_kick(call->l, call->key);
	weir_table_unlock(t, e, word);
}

/**
 * weir_limiter_op_locked - perform an operation on its entry
 * @call: the operation
 * @e: the entry, locked; it is let go of
 * @word: its state
 * @is_new: it is
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

/* An operation that a rule decides. */
int weir_limiter_op_ruled(struct weir_limiter_call *call)
{
	u32 opcode = call->op->opcode;

	if (opcode == WEIR_OP_CHECK || opcode == WEIR_OP_RESERVE)
		weir_limiter_ruled_count(call);
	else
		weir_limiter_ruled(call);
	return 0;
}

static __always_inline int op_alone(struct weir_limiter_call *call)
{
	struct weir_table *t = &call->l->table;
	u32 opcode = call->op->opcode;
	struct weir_entry *e;
	u64 word;

	if (unlikely(call->key->rule) && weir_limiter_by_rule(call->key, opcode))
		return weir_limiter_op_ruled(call);
	if (opcode == WEIR_OP_FORGET)
		return forget(call);
	if (opcode == WEIR_OP_RESERVE)
		return WEIR_OP_MUST_SLEEP;
	do {
		e = weir_table_find(t, call->key);
		if (!e)
			return absent_op(call);
		if ((opcode == WEIR_OP_CHECK || opcode == WEIR_OP_PEEK) &&
		    check_unlocked(call, e))
			return 0;
	} while (!weir_table_lock(t, e, &word));
	call->now = weir_table_now(t);
	return weir_limiter_op_locked(call, e, word, false);
}

/**
 * weir_limiter_op_alone - weir_limiter_op(), but never mind the candidate
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
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

	return op_alone(&call);
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
	struct weir_limiter_call call = {
		.l = l,
		.p = rcu_dereference(l->policy),
		.op = op,
		.key = key,
	};

	if (unlikely(call.p->candidate) && weir_candidate_mirrors(op->opcode))
		return WEIR_OP_MUST_SLEEP;
	return op_alone(&call);
}

/* &weir_table_ops.idle_at */
u64 weir_limiter_idle_at(struct weir_table *t, const struct weir_entry *e,
			 u64 word, u64 now)
{
	const struct weir_policy *p = rcu_dereference(weir_limiter_of(t)->policy);
	u64 idle_at = max(weir_rate_idle_at(&p->rate, word, now),
			  weir_score_idle_at(&p->score, e->score, now));

	if (e->queued)
		return WEIR_EXPIRY_NEVER;
	idle_at = max(idle_at, e->ban_until);
	if (e->bans)
		idle_at = max(idle_at, e->ban_until + p->forget_after + 1);
	return idle_at;
}
