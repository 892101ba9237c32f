// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "model.h"

#define NS(word)	((word) / WEIR_GCRA_SCALE)

/**
 * struct view - a key as an operation sees it
 * @p: the policy in force
 * @k: the key
 * @now: the time
 * @rate_now: the time since the limiter's windows began
 */
struct view {
	const struct serial_policy *p;
	struct serial_key *k;
	u64 now;
	u64 rate_now;
};

static struct view view_of(const struct serial_config *c, struct serial_state *s, u32 key)
{
	u32 limiter = c->limiter_of[key];
	const struct serial_limiter *l = &c->limiters[limiter];

	return (struct view){
		.p = &l->policies[s->policy[limiter]],
		.k = &s->keys[key],
		.now = s->now,
		.rate_now = s->now - l->epoch,
	};
}

/* ------------------------------------------------------------ one key */

static bool is_banned(const struct view *v)
{
	return v->k->ban_until > v->now;
}

static u32 strikes_of(const struct view *v)
{
	return weir_score_value(&v->p->score, v->k->score, v->now);
}

static void ban(struct view *v, struct weir_op *op, u64 length)
{
	u64 until = v->now + length;

	v->k->score = (struct weir_score){};
	if (until <= v->k->ban_until)
		return;
	v->k->ban_until = until;
	op->out_flags |= WEIR_OUT_BANNED_NOW;
}

static void strike(struct view *v, struct weir_op *op, u32 weight)
{
	const struct serial_policy *p = v->p;
	struct serial_key *k = v->k;
	u32 step;

	if (is_banned(v))
		return;
	k->score = weir_score_add(&p->score, k->score, v->now, weight);
	if (!p->strikes || strikes_of(v) < p->strikes)
		return;
	if (v->now > k->ban_until && v->now - k->ban_until > p->forget_after)
		k->bans = 0;
	step = k->bans < p->nbans ? k->bans : p->nbans - 1;
	k->bans++;
	ban(v, op, p->ban[step]);
}

/* The answer for the key alone, as if there were no waiters. */
static void peek_alone(const struct view *v, u64 cost, struct weir_decision *d)
{
	weir_rate_peek(&v->p->rate, v->k->word, v->rate_now, cost, d);
}

static u64 wait_of(const struct view *v, u64 tokens)
{
	return weir_rate_wait(&v->p->rate, v->k->word, v->rate_now, tokens);
}

static void peek(const struct view *v, struct weir_op *op, u64 cost, struct weir_decision *d)
{
	u64 wait;

	peek_alone(v, cost, d);
	if (!v->k->nwaiting || d->retry_after == WEIR_NEVER)
		return;
	op->out_flags |= WEIR_OUT_QUEUED;
	d->allowed = false;
	d->remaining = 0;
	wait = wait_of(v, v->k->tokens + cost);
	d->retry_after = wait ? wait : 1;
}

static void answer(const struct view *v, struct weir_op *op, const struct weir_decision *d)
{
	bool banned = is_banned(v);

	op->verdict = banned ? WEIR_BANNED : d->allowed ? WEIR_ALLOWED : WEIR_LIMITED;
	op->limit = v->p->rate.limit;
	op->remaining = d->remaining;
	op->retry_after = d->retry_after;
	op->reset_after = d->reset_after;
	op->banned_for = banned ? v->k->ban_until - v->now : 0;
	op->retry_after = max(op->retry_after, op->banned_for);
	op->strikes = strikes_of(v);
	op->bans = v->k->bans;
}

static void tell_state(const struct view *v, struct weir_op *op, u64 cost)
{
	struct weir_decision d;

	peek(v, op, cost, &d);
	answer(v, op, &d);
}

static void check_end(struct view *v, struct weir_op *op, const struct weir_decision *d)
{
	if (weir_score_idle_at(&v->p->score, v->k->score, v->now) <= v->now)
		v->k->score = (struct weir_score){};
	answer(v, op, d);
}

/* A check whose turn it is: no request waits before it. */
static bool fits(const struct view *v, const struct weir_op *op)
{
	struct weir_decision d;

	peek_alone(v, op->n, &d);
	return d.allowed && !is_banned(v);
}

static void check(struct view *v, struct weir_op *op, bool turn)
{
	struct weir_decision d;

	if (is_banned(v) || (v->k->nwaiting && !turn)) {
		peek(v, op, op->n, &d);
		if (!is_banned(v) && v->p->strikes)
			strike(v, op, 1);
	} else {
		weir_rate_decide(&v->p->rate, v->k->word, v->rate_now, op->n, &d);
		if (!d.allowed && v->p->strikes)
			strike(v, op, 1);
		v->k->word = d.word;
	}
	check_end(v, op, &d);
}

/* Refuse a RESERVE that is given up, or the check that refuses a transaction. */
static void refuse(struct view *v, struct weir_op *op)
{
	struct weir_decision d, alone;

	peek_alone(v, op->n, &alone);
	peek(v, op, op->n, &d);
	d.allowed = false;
	d.retry_after = max(d.retry_after, alone.retry_after);
	if (v->p->strikes && !is_banned(v))
		strike(v, op, 1);
	check_end(v, op, &d);
}

/* Perform the operation. The answer replaces the one in @op. */
static void perform(struct view *v, struct weir_op *op)
{
	struct serial_key *k = v->k;

	op->out_flags = 0;
	switch (op->opcode) {
	case WEIR_OP_CHECK:
		check(v, op, false);
		return;
	case WEIR_OP_PEEK:
		tell_state(v, op, op->n);
		return;
	case WEIR_OP_REFUND:
		k->word = weir_rate_refund(&v->p->rate, k->word, v->rate_now, op->n);
		break;
	case WEIR_OP_STRIKE:
		strike(v, op, op->n);
		break;
	case WEIR_OP_FORGIVE:
		k->score = (struct weir_score){};
		k->bans = 0;
		break;
	case WEIR_OP_BAN:
		ban(v, op, op->arg);
		break;
	case WEIR_OP_LIFT:
		k->ban_until = v->now;
		k->score = (struct weir_score){};
		break;
	}
	tell_state(v, op, 1);
}

static bool same(const struct weir_op *a, const struct weir_op *b)
{
	return a->verdict == b->verdict && a->out_flags == b->out_flags &&
	       a->limit == b->limit && a->remaining == b->remaining &&
	       a->retry_after == b->retry_after && a->reset_after == b->reset_after &&
	       a->banned_for == b->banned_for && a->strikes == b->strikes &&
	       a->bans == b->bans;
}

/* When the key equals a fresh one. From then on its entry may be dropped. */
static u64 idle_at(const struct view *v)
{
	const struct serial_key *k = v->k;
	u64 rate = weir_rate_idle_at(&v->p->rate, k->word, v->rate_now) - v->rate_now;
	u64 at = max(v->now + rate, weir_score_idle_at(&v->p->score, k->score, v->now));

	return max(at, k->bans ? k->ban_until + v->p->forget_after + 1 : k->ban_until);
}

/* LIFT finds no ban, or FORGIVE no entry. */
static bool finds_nothing(const struct weir_op *op)
{
	return op->result && (op->opcode == WEIR_OP_LIFT || op->opcode == WEIR_OP_FORGIVE);
}

/* Whether an operation that finds nothing is right. */
static bool nothing_there(struct view *v, const struct weir_op *op)
{
	if (op->opcode == WEIR_OP_LIFT)
		return !is_banned(v);
	if (idle_at(v) > v->now)
		return false;
	v->k->bans = 0;
	return true;
}

/* ------------------------------------------------------------ several keys */

/* Index of the first item that would be refused, or the number of items. */
static u32 find_refused(const struct serial_config *c, struct serial_state *s,
			const struct serial_op *o)
{
	struct view v;
	u32 i;

	for (i = 0; i < o->nitems; i++) {
		v = view_of(c, s, o->keys[i]);
		if (v.k->nwaiting || !fits(&v, &o->items[i]))
			break;
	}
	return i;
}

/* All keys differ, so no item is affected by another one. */
static bool transaction(const struct serial_config *c, struct serial_state *s,
			const struct serial_op *o)
{
	u32 refused = find_refused(c, s, o), i, decided;
	bool all = refused == o->nitems;
	struct weir_op ops[KEYS_MAX];
	struct view v;

	for (i = 0; i < o->nitems; i++) {
		v = view_of(c, s, o->keys[i]);
		ops[i] = o->items[i];
		ops[i].out_flags = 0;
		if (all)
			check(&v, &ops[i], false);
		else if (i == refused)
			refuse(&v, &ops[i]);
		else
			tell_state(&v, &ops[i], ops[i].n);
	}
	for (i = 0; i < o->nitems; i++) {
		decided = all ? i : refused;
		if (!all)
			ops[i].verdict = ops[refused].verdict;
		if (!same(&ops[i], &o->items[i]) || o->items[i].decided != decided)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------ times */

/* @time, if it is between @lo and @hi. */
static u32 only(u64 time, u64 lo, u64 hi, u64 *times)
{
	times[0] = time;
	return time >= lo && time <= hi;
}

/*
 * A bucket is full again at reset_after from the answer: at the time in the word that the operation
 * left.
 */
static u64 bucket_time(const struct view *v, const struct weir_op *op)
{
	u64 word = v->k->word, interval = v->p->rate.gcra.interval.d;
	bool charges = op->opcode == WEIR_OP_CHECK || op->opcode == WEIR_OP_RESERVE;

	if (charges && op->verdict == WEIR_ALLOWED)
		word += op->n * interval;
	else if (op->opcode == WEIR_OP_REFUND)
		word -= op->n * interval;
	return NS(word) - op->reset_after;
}

/* A window ends at reset_after from the answer, or a period earlier. */
static u32 window_times(const struct view *v, u64 epoch, const struct weir_op *op,
			u64 lo, u64 hi, u64 *times)
{
	u64 period = v->p->rate.window.period.d, past = (lo - epoch + op->reset_after) % period;
	u64 time = past ? lo + period - past : lo;
	u32 n = 0;

	if (!op->reset_after && past) {
		/* nothing is spent: the time is now, or, if a window has ended, later */
		if (lo > hi)
			return 0;
		times[n++] = lo;
	}
	for (; time <= hi && n < TIMES_MAX; time += period)
		times[n++] = time;
	return n;
}

u32 serial_model_times(const struct serial_config *c, const struct serial_state *s,
		       const struct serial_op *o, u64 lo, u64 hi, u64 times[TIMES_MAX])
{
	const struct weir_op *op = &o->items[0];
	struct serial_state copy = *s;
	struct view v;

	if (op->opcode == SERIAL_SET)
		return only(lo, lo, hi, times);
	v = view_of(c, &copy, o->keys[0]);
	if (finds_nothing(op))
		return only(max(lo, op->opcode == WEIR_OP_LIFT ? v.k->ban_until : idle_at(&v)),
			    lo, hi, times);
	if (v.p->rate.algorithm == WEIR_ALGORITHM_BUCKET)
		return only(bucket_time(&v, op), lo, hi, times);
	return window_times(&v, c->limiters[c->limiter_of[o->keys[0]]].epoch, op, lo, hi, times);
}

/* ------------------------------------------------------------ steps */

/* Refused at once: it is not the request's turn, and will not be before its deadline. */
static bool is_hopeless(const struct view *v, const struct weir_op *op, u64 slack)
{
	u64 left = op->arg > v->now + slack ? op->arg - v->now - slack : 0;

	if (!v->k->nwaiting && fits(v, op))
		return false;
	return !left || (!is_banned(v) && wait_of(v, v->k->tokens + op->n) > left);
}

bool serial_model_step(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u64 slack)
{
	struct weir_op op = o->items[0];
	struct view v;

	if (op.opcode == SERIAL_SET) {
		s->policy[op.n] = op.arg;
		return true;
	}
	if (o->transaction)
		return transaction(c, s, o);
	v = view_of(c, s, o->keys[0]);
	if (finds_nothing(&op))
		return nothing_there(&v, &op);
	if (op.opcode == WEIR_OP_LIFT && !is_banned(&v))
		return false;
	op.out_flags = 0;
	if (op.opcode != WEIR_OP_RESERVE)
		perform(&v, &op);
	else if (op.verdict == WEIR_ALLOWED)
		check(&v, &op, false);
	else if (is_hopeless(&v, &op, slack))
		refuse(&v, &op);
	else
		return false;
	return same(&op, &o->items[0]);
}

bool serial_model_join(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u32 index)
{
	struct view v = view_of(c, s, o->keys[0]);
	struct serial_key *k = v.k;

	if (!k->nwaiting && fits(&v, &o->items[0]))
		return false;
	k->waiting[k->nwaiting++] = index;
	k->tokens += o->items[0].n;
	return true;
}

bool serial_model_serve(const struct serial_config *c, struct serial_state *s,
			const struct serial_op *o, u32 index, u64 slack)
{
	struct view v = view_of(c, s, o->keys[0]);
	struct weir_op op = o->items[0];
	struct serial_key *k = v.k;
	u64 place = 0;

	while (k->waiting[place] != index)
		place++;
	if (op.verdict == WEIR_ALLOWED ? place : s->now + slack < op.arg)
		return false;
	if (op.verdict != WEIR_ALLOWED && !place && fits(&v, &op))
		return false;
	k->nwaiting--;
	k->tokens -= op.n;
	memmove(&k->waiting[place], &k->waiting[place + 1], k->nwaiting - place);
	k->waiting[k->nwaiting] = 0;
	op.out_flags = 0;
	if (op.verdict == WEIR_ALLOWED)
		check(&v, &op, true);
	else
		refuse(&v, &op);
	return same(&op, &o->items[0]);
}
