// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "model.h"

#define NS(word)	((word) / WEIR_GCRA_SCALE)

/* The policy with the burst in force. */
static struct weir_rate rate_of(const struct serial_policy *p, const struct serial_state *s)
{
	struct weir_rate rate = p->rate;

	rate.limit = s->limit;
	rate.gcra.tau = s->limit * rate.gcra.interval.d;
	return rate;
}

static u32 strikes_of(const struct serial_policy *p, const struct serial_state *s)
{
	return weir_score_value(&p->score, s->score, s->now);
}

static void ban(struct serial_state *s, struct weir_op *op, u64 length)
{
	u64 until = s->now + length;

	s->score = (struct weir_score){};
	if (until <= s->ban_until)
		return;
	s->ban_until = until;
	op->out_flags |= WEIR_OUT_BANNED_NOW;
}

static void strike(const struct serial_policy *p, struct serial_state *s,
		   struct weir_op *op, u32 weight)
{
	u32 step;

	if (s->ban_until > s->now)
		return;
	s->score = weir_score_add(&p->score, s->score, s->now, weight);
	if (!p->strikes || strikes_of(p, s) < p->strikes)
		return;
	if (s->now > s->ban_until && s->now - s->ban_until > p->forget_after)
		s->bans = 0;
	step = s->bans < p->nbans ? s->bans : p->nbans - 1;
	s->bans++;
	ban(s, op, p->ban[step]);
}

static void peek(const struct serial_policy *p, const struct serial_state *s,
		 struct weir_op *op, u64 cost, struct weir_decision *d)
{
	struct weir_rate rate = rate_of(p, s);
	u64 wait;

	weir_rate_peek(&rate, s->word, s->now, cost, d);
	if (!s->nwaiting || d->retry_after == WEIR_NEVER)
		return;
	op->out_flags |= WEIR_OUT_QUEUED;
	d->allowed = false;
	d->remaining = 0;
	wait = weir_rate_wait(&rate, s->word, s->now, s->tokens + cost);
	d->retry_after = wait ? wait : 1;
}

static void answer(const struct serial_policy *p, const struct serial_state *s,
		   struct weir_op *op, const struct weir_decision *d)
{
	bool banned = s->ban_until > s->now;

	op->verdict = banned ? WEIR_BANNED : d->allowed ? WEIR_ALLOWED : WEIR_LIMITED;
	op->limit = s->limit;
	op->remaining = d->remaining;
	op->retry_after = d->retry_after;
	op->reset_after = d->reset_after;
	op->banned_for = banned ? s->ban_until - s->now : 0;
	op->retry_after = max(op->retry_after, op->banned_for);
	op->strikes = strikes_of(p, s);
	op->bans = s->bans;
}

static void state(const struct serial_policy *p, const struct serial_state *s,
		  struct weir_op *op, u64 cost)
{
	struct weir_decision d;

	peek(p, s, op, cost, &d);
	answer(p, s, op, &d);
}

static void check_end(const struct serial_policy *p, struct serial_state *s,
		      struct weir_op *op, const struct weir_decision *d)
{
	if (weir_score_idle_at(&p->score, s->score, s->now) <= s->now)
		s->score = (struct weir_score){};
	answer(p, s, op, d);
}

static void check(const struct serial_policy *p, struct serial_state *s,
		  struct weir_op *op, bool turn)
{
	struct weir_rate rate = rate_of(p, s);
	struct weir_decision d;

	if (s->ban_until > s->now || (s->nwaiting && !turn)) {
		peek(p, s, op, op->n, &d);
		if (s->ban_until <= s->now && p->strikes)
			strike(p, s, op, 1);
	} else {
		weir_rate_decide(&rate, s->word, s->now, op->n, &d);
		if (!d.allowed && p->strikes)
			strike(p, s, op, 1);
		s->word = d.word;
	}
	check_end(p, s, op, &d);
}

/* A RESERVE that is given up. */
static void refuse(const struct serial_policy *p, struct serial_state *s,
		   struct weir_op *op)
{
	struct weir_rate rate = rate_of(p, s);
	struct weir_decision d, alone;

	weir_rate_peek(&rate, s->word, s->now, op->n, &alone);
	peek(p, s, op, op->n, &d);
	d.allowed = false;
	d.retry_after = max(d.retry_after, alone.retry_after);
	if (p->strikes && s->ban_until <= s->now)
		strike(p, s, op, 1);
	check_end(p, s, op, &d);
}

/* Perform it at @s->now; the answer replaces the one in @op. */
static void perform(const struct serial_policy *p, struct serial_state *s, struct weir_op *op)
{
	struct weir_rate rate = rate_of(p, s);

	op->out_flags = 0;
	switch (op->opcode) {
	case WEIR_OP_CHECK:
		check(p, s, op, false);
		return;
	case WEIR_OP_PEEK:
		state(p, s, op, op->n);
		return;
	case WEIR_OP_REFUND:
		s->word = weir_rate_refund(&rate, s->word, s->now, op->n);
		break;
	case WEIR_OP_STRIKE:
		strike(p, s, op, op->n);
		break;
	case WEIR_OP_FORGIVE:
		s->score = (struct weir_score){};
		s->bans = 0;
		break;
	case WEIR_OP_BAN:
		ban(s, op, op->arg);
		break;
	case WEIR_OP_LIFT:
		s->ban_until = s->now;
		s->score = (struct weir_score){};
		break;
	}
	state(p, s, op, 1);
}

static bool same(const struct weir_op *a, const struct weir_op *b)
{
	return a->verdict == b->verdict && a->out_flags == b->out_flags &&
	       a->limit == b->limit && a->remaining == b->remaining &&
	       a->retry_after == b->retry_after && a->reset_after == b->reset_after &&
	       a->banned_for == b->banned_for && a->strikes == b->strikes &&
	       a->bans == b->bans;
}

/* The time at which the answer was made: that of its reset_after. */
static u64 time_of(const struct serial_policy *p, const struct serial_state *s,
		   const struct weir_op *op)
{
	u64 word = s->word, interval = p->rate.gcra.interval.d;
	bool charges = op->opcode == WEIR_OP_CHECK || op->opcode == WEIR_OP_RESERVE;

	if (charges && op->verdict == WEIR_ALLOWED)
		word += op->n * interval;
	else if (op->opcode == WEIR_OP_REFUND)
		word -= op->n * interval;
	return NS(word) - op->reset_after;
}

static bool at(struct serial_state *s, u64 now, u64 lo, u64 hi)
{
	if (now < lo || now > hi)
		return false;
	s->now = now;
	return true;
}

bool serial_model_step(const struct serial_policy *p, struct serial_state *s,
		       const struct serial_op *o, u64 lo, u64 hi)
{
	struct weir_op op = o->op;

	if (op.opcode == SERIAL_SET) {
		s->limit = op.arg;
		return at(s, lo, lo, hi);
	}
	/* the earliest time at which it is answered so restricts the others least */
	if (op.opcode == WEIR_OP_LIFT && op.result)
		return at(s, max(lo, s->ban_until), lo, hi);
	if (!at(s, time_of(p, s, &op), lo, hi))
		return false;
	if (op.opcode == WEIR_OP_LIFT && s->ban_until <= s->now)
		return false;
	op.out_flags = 0;
	if (op.opcode == WEIR_OP_RESERVE && op.verdict != WEIR_ALLOWED)
		refuse(p, s, &op);
	else if (op.opcode == WEIR_OP_RESERVE)
		check(p, s, &op, false);
	else
		perform(p, s, &op);
	return same(&op, &o->op);
}

bool serial_model_join(const struct serial_policy *p, struct serial_state *s,
		       const struct serial_op *o, u32 index, u64 lo)
{
	struct weir_rate rate = rate_of(p, s);
	struct weir_decision d;

	s->now = lo;
	weir_rate_peek(&rate, s->word, s->now, o->op.n, &d);
	if (d.allowed && !s->nwaiting && s->ban_until <= s->now)
		return false;
	s->waiting[s->nwaiting++] = index;
	s->tokens += o->op.n;
	return true;
}

bool serial_model_serve(const struct serial_policy *p, struct serial_state *s,
			const struct serial_op *o, u32 index, u64 lo, u64 hi, u64 slack)
{
	struct weir_op op = o->op;
	u64 place = 0;

	while (s->waiting[place] != index)
		place++;
	if (!at(s, time_of(p, s, &op), lo, hi))
		return false;
	if (op.verdict == WEIR_ALLOWED ? place : s->now + slack < op.arg)
		return false;
	s->nwaiting--;
	s->tokens -= op.n;
	memmove(&s->waiting[place], &s->waiting[place + 1], s->nwaiting - place);
	s->waiting[s->nwaiting] = 0;
	op.out_flags = 0;
	if (op.verdict == WEIR_ALLOWED)
		check(p, s, &op, true);
	else
		refuse(p, s, &op);
	return same(&op, &o->op);
}
