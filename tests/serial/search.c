// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

#define STATES_MAX	400000
#define MEMORY_BITS	20	/* hashes of states that lead nowhere */

/**
 * struct search - one under way
 * @h: the history
 * @memory: hashes
 * @gave_up: it has become too much
 */
struct search {
	struct serial_history *h;
	u64 *memory;
	bool gave_up;
};

/* A bit for each operation: whether it has been performed. */
struct progress {
	u32 done;
	u32 joined;	/* RESERVEs: in the queue */
};

static u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

static u64 hash_of(const struct progress *p, const struct serial_state *s)
{
	const u64 *words = (const u64 *)s;
	u64 hash = mix(1, (u64)p->done << 32 | p->joined);

	for (size_t i = 0; i < sizeof(*s) / sizeof(u64); i++)
		hash = mix(hash, words[i]);
	return hash ? hash : 1;
}

/* True: it was there already. */
static bool remember(struct search *x, u64 hash)
{
	u64 mask = (1ULL << MEMORY_BITS) - 1, i = hash & mask;

	for (; x->memory[i]; i = (i + 1) & mask)
		if (x->memory[i] == hash)
			return true;
	x->memory[i] = hash;
	return false;
}

/* Whether all that ended before it began are done. */
static bool is_eligible(const struct serial_history *h, const struct progress *p, u32 i)
{
	for (u32 j = 0; j < h->n; j++)
		if (!(p->done >> j & 1) && h->ops[j].end < h->ops[i].begin)
			return false;
	return true;
}

static bool go_on(struct search *x, struct progress p, const struct serial_state *s);

static void note_best(struct serial_history *h, const struct progress *p)
{
	u32 all = h->n == 32 ? ~0U : (1U << h->n) - 1;
	u32 n = __builtin_popcount(p->done);

	if (n < h->best)
		return;
	h->best = n;
	h->stuck = all & ~p->done;
}

/* Go on with operation @i, in each way it can be next. */
static bool try_op(struct search *x, struct progress p, const struct serial_state *s, u32 i)
{
	struct serial_history *h = x->h;
	const struct serial_op *o = &h->ops[i];
	u64 lo = max(s->now, o->begin - h->slack), hi = o->end + h->slack;
	struct serial_state next = *s;

	if (lo > hi)
		return false;
	if (p.joined >> i & 1) {
		p.done |= 1U << i;
		return serial_model_serve(&h->policy, &next, o, i, lo, hi, h->slack) &&
		       go_on(x, p, &next);
	}
	if (o->op.opcode == WEIR_OP_RESERVE &&
	    serial_model_join(&h->policy, &next, o, i, lo)) {
		p.joined |= 1U << i;
		if (go_on(x, p, &next))
			return true;
		p.joined &= ~(1U << i);
	}
	next = *s;
	p.done |= 1U << i;
	return serial_model_step(&h->policy, &next, o, lo, hi) && go_on(x, p, &next);
}

static bool go_on(struct search *x, struct progress p, const struct serial_state *s)
{
	struct serial_history *h = x->h;

	note_best(h, &p);
	if (h->best == h->n)
		return true;
	if (x->gave_up || remember(x, hash_of(&p, s)))
		return false;
	if (++h->states > STATES_MAX) {
		x->gave_up = true;
		return false;
	}
	for (u32 i = 0; i < h->n; i++)
		if (!(p.done >> i & 1) && is_eligible(h, &p, i) && try_op(x, p, s, i))
			return true;
	return false;
}

enum serial_found serial_search(struct serial_history *h)
{
	struct search x = { .h = h };
	struct progress none = {};
	bool found;

	x.memory = calloc(1ULL << MEMORY_BITS, sizeof(*x.memory));
	if (!x.memory)
		abort();
	h->best = 0;
	h->stuck = 0;
	h->states = 0;
	found = go_on(&x, none, &h->start);
	free(x.memory);
	return found ? SERIAL_EXPLAINED : x.gave_up ? SERIAL_GAVE_UP : SERIAL_UNEXPLAINED;
}

static const char *name_of(u32 opcode)
{
	switch (opcode) {
	case WEIR_OP_CHECK: return "CHECK";
	case WEIR_OP_PEEK: return "PEEK";
	case WEIR_OP_REFUND: return "REFUND";
	case WEIR_OP_STRIKE: return "STRIKE";
	case WEIR_OP_FORGIVE: return "FORGIVE";
	case WEIR_OP_BAN: return "BAN";
	case WEIR_OP_LIFT: return "LIFT";
	case WEIR_OP_RESERVE: return "RESERVE";
	default: return "SET";
	}
}

/* In the order of their beginnings; times are ns since the first. */
void serial_print(const struct serial_history *h)
{
	u64 zero = ~0ULL, last = 0, next;
	u32 printed = 0;

	for (u32 i = 0; i < h->n; i++)
		zero = min(zero, h->ops[i].begin);
	printf("# %u of %u explained; * is left over; times in ns, known to %llu ns\n",
	       h->best, h->n, (unsigned long long)h->slack);
	printf("# before: full again at %lld, banned until %lld, burst %llu\n",
	       (long long)(h->start.word / WEIR_GCRA_SCALE - zero),
	       (long long)(h->start.ban_until ? h->start.ban_until - zero : 0),
	       (unsigned long long)h->start.limit);
	for (; printed < h->n; last = next + 1) {
		next = ~0ULL;
		for (u32 i = 0; i < h->n; i++)
			if (h->ops[i].begin >= last)
				next = min(next, h->ops[i].begin);
		for (u32 i = 0; i < h->n; i++) {
			const struct serial_op *o = &h->ops[i];
			const struct weir_op *op = &o->op;

			if (o->begin != next)
				continue;
			printed++;
			printf("# %c %u %9llu..%-9llu %-7s n %lld arg %lld: result %d verdict %u flags %#x limit %llu remaining %llu retry %llu reset %llu banned %llu strikes %u bans %u\n",
			       h->stuck >> i & 1 ? '*' : ' ', o->thread,
			       (unsigned long long)(o->begin - zero),
			       (unsigned long long)(o->end - zero), name_of(op->opcode),
			       (long long)op->n,
			       (long long)(op->opcode == WEIR_OP_RESERVE ? op->arg - zero : op->arg),
			       op->result, op->verdict, op->out_flags,
			       (unsigned long long)op->limit,
			       (unsigned long long)op->remaining,
			       (unsigned long long)op->retry_after,
			       (unsigned long long)op->reset_after,
			       (unsigned long long)op->banned_for, op->strikes, op->bans);
		}
	}
}
