// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "search.h"

#define MEMORY_SIZE	1048576U	/* hashes of states that do not lead to a solution */

/**
 * struct search - one under way
 * @h: the history
 * @number: number of the search, a part of its hashes
 * @gave_up: there are too many states
 */
struct search {
	struct serial_history *h;
	u64 number;
	bool gave_up;
};

static u64 memory[MEMORY_SIZE];
static u64 remembered;

/* A bit for each operation: whether it has been performed. */
struct progress {
	u32 done;
	u32 joined;	/* RESERVEs that are in the queue */
};

static u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

static u64 hash_of(const struct search *x, const struct progress *p,
		   const struct serial_state *s)
{
	const u64 *words = (const u64 *)s;
	u64 hash = mix(x->number, (u64)p->done << 32 | p->joined);

	for (size_t i = 0; i < sizeof(*s) / sizeof(u64); i++)
		hash = mix(hash, words[i]);
	return hash ? hash : 1;
}

/* Return: true if the hash was there already. */
static bool remember(u64 hash)
{
	u64 i = hash % MEMORY_SIZE;

	for (; memory[i]; i = (i + 1) % MEMORY_SIZE)
		if (memory[i] == hash)
			return true;
	memory[i] = hash;
	remembered++;
	return false;
}

/*
 * Whether all operations that ended before this one began are performed, and the previous one in
 * its batch.
 */
static bool is_eligible(const struct serial_history *h, const struct progress *p, u32 i)
{
	const struct serial_op *o = &h->ops[i];

	if (o->after >= 0 && !(p->done >> o->after & 1))
		return false;
	for (u32 j = 0; j < h->n; j++)
		if (!(p->done >> j & 1) && h->ops[j].end < o->begin)
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

/* Let operation @i join its queue next. */
static bool try_join(struct search *x, struct progress p, const struct serial_state *s,
		     u32 i, u64 lo)
{
	struct serial_state next = *s;

	next.now = lo;
	p.joined |= 1U << i;
	return serial_model_join(&x->h->config, &next, &x->h->ops[i], i) && go_on(x, p, &next);
}

/* Let operation @i be answered next, at @now. */
static bool try_answer(struct search *x, struct progress p, const struct serial_state *s,
		       u32 i, u64 now)
{
	struct serial_history *h = x->h;
	struct serial_state next = *s;
	bool fits;

	next.now = now;
	p.done |= 1U << i;
	if (p.joined >> i & 1)
		fits = serial_model_serve(&h->config, &next, &h->ops[i], i, h->slack);
	else
		fits = serial_model_step(&h->config, &next, &h->ops[i], h->slack);
	return fits && go_on(x, p, &next);
}

/* Continue with operation @i, in each way in which it can be next. */
static bool try_op(struct search *x, struct progress p, const struct serial_state *s, u32 i)
{
	struct serial_history *h = x->h;
	const struct serial_op *o = &h->ops[i];
	u64 lo = max(s->now, o->begin - h->slack), times[TIMES_MAX];
	u32 n;

	if (lo > o->end)
		return false;
	if (o->items[0].opcode == WEIR_OP_RESERVE && !(p.joined >> i & 1) &&
	    try_join(x, p, s, i, lo))
		return true;
	n = serial_model_times(&h->config, s, o, lo, o->end, times);
	for (u32 k = 0; k < n; k++)
		if (try_answer(x, p, s, i, times[k]))
			return true;
	return false;
}

static bool go_on(struct search *x, struct progress p, const struct serial_state *s)
{
	struct serial_history *h = x->h;

	note_best(h, &p);
	if (h->best == h->n)
		return true;
	if (x->gave_up || remember(hash_of(x, &p, s)))
		return false;
	if (++h->states > (h->states_max ? h->states_max : STATES_MAX)) {
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
	static u64 searches;
	struct search x = { .h = h, .number = ++searches };
	struct progress none = {};
	bool found;

	if (remembered > MEMORY_SIZE / 4) {
		memset(memory, 0, sizeof(memory));
		remembered = 0;
	}
	h->best = 0;
	h->stuck = 0;
	h->states = 0;
	found = go_on(&x, none, &h->start);
	return found ? SERIAL_EXPLAINED : x.gave_up ? SERIAL_UNDECIDED : SERIAL_UNEXPLAINED;
}

/* ------------------------------------------------------------ printing */

static const char *name_of(const struct serial_op *o)
{
	if (o->transaction)
		return "ALL";
	switch (o->items[0].opcode) {
	case WEIR_OP_CHECK:
		return "CHECK";
	case WEIR_OP_PEEK:
		return "PEEK";
	case WEIR_OP_REFUND:
		return "REFUND";
	case WEIR_OP_STRIKE:
		return "STRIKE";
	case WEIR_OP_FORGIVE:
		return "FORGIVE";
	case WEIR_OP_BAN:
		return "BAN";
	case WEIR_OP_LIFT:
		return "LIFT";
	case WEIR_OP_RESERVE:
		return "RESERVE";
	default:
		return "SET";
	}
}

static void op_print(const struct serial_history *h, u32 i, u64 zero)
{
	const struct serial_op *o = &h->ops[i];

	for (u32 k = 0; k < o->nitems; k++) {
		const struct weir_op *op = &o->items[k];
		bool deadline = op->opcode == WEIR_OP_RESERVE;

		printf("# %c %2u%c thread %u %9lld..%-9lld %-7s key %u n %lld arg %lld: result %d verdict %u flags %#x limit %llu remaining %llu retry %llu reset %llu banned %llu strikes %u bans %u\n",
		       h->stuck >> i & 1 ? '*' : ' ', i, o->after >= 0 ? '+' : ' ', o->thread,
		       (long long)(o->begin - zero), (long long)(o->end - zero),
		       k ? "" : name_of(o), o->keys[k], (long long)op->n,
		       (long long)(deadline ? op->arg - zero : op->arg), op->result,
		       op->verdict, op->out_flags, (unsigned long long)op->limit,
		       (unsigned long long)op->remaining, (unsigned long long)op->retry_after,
		       (unsigned long long)op->reset_after,
		       (unsigned long long)op->banned_for, op->strikes, op->bans);
	}
}

/* Print the operations in the order of their beginnings. Times are ns since the first. */
void serial_print(const struct serial_history *h)
{
	u64 zero = ~0ULL;
	u32 printed = 0, next;

	for (u32 i = 0; i < h->n; i++)
		zero = min(zero, h->ops[i].begin);
	printf("# %u of %u explained; * is left over, + follows in its batch; times in ns, known to %llu ns\n",
	       h->best, h->n, (unsigned long long)h->slack);
	for (u32 i = 0; i < h->n; i++) {
		next = HISTORY_MAX;
		for (u32 k = 0; k < h->n; k++)
			if (!(printed >> k & 1) &&
			    (next == HISTORY_MAX || h->ops[k].begin < h->ops[next].begin))
				next = k;
		printed |= 1U << next;
		op_print(h, next, zero);
	}
}
