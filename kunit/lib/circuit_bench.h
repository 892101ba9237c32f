/* SPDX-License-Identifier: GPL-2.0-only */
/* A circuit breaker (src/lib/circuit.h) for tests, with its last answer. */
#ifndef _WEIR_KUNIT_CIRCUIT_BENCH_H
#define _WEIR_KUNIT_CIRCUIT_BENCH_H

#include "lib/circuit.h"

#define BEGIN	1000ULL		/* ns at which the table's states are set up */
#define WIDTH	1000ULL		/* ns of a bucket */

static const struct weir_circuit_config three = {
	.failures = 3, .probes = 3, .successes = 2,
	.steps = 3, .open = { 100, 200, 400 },
	.forget_after = 500, .probe_within = 50, .lapse = 10000,
};

/**
 * struct bench - a circuit under test
 * @c: its configuration
 * @s: its state
 * @now: ns
 * @ticket: ticket of the present generation
 * @late: ticket of an earlier generation
 * @a: the last answer
 * @moves: state changes of the last operation
 */
struct bench {
	struct weir_circuit_config c;
	struct weir_circuit s;
	u64 now;
	u64 ticket;
	u64 late;
	struct weir_circuit_answer a;
	struct weir_circuit_moves moves;
};

static inline struct bench bench_make(const struct weir_circuit_config *c, u64 within)
{
	struct bench b = { .c = *c, .now = BEGIN };

	weir_circuit_prepare(&b.c, within);
	return b;
}

static inline bool allow(struct bench *b)
{
	b->moves.n = 0;
	weir_circuit_allow(&b->c, &b->s, b->now, &b->a, &b->moves);
	if (b->a.admitted)
		b->ticket = b->a.ticket;
	return b->a.admitted;
}

static inline u32 report(struct bench *b, u64 ticket, enum weir_circuit_call call)
{
	b->moves.n = 0;
	return weir_circuit_report(&b->c, &b->s, b->now, ticket, call, &b->moves);
}

static inline bool died(struct bench *b, u64 ticket)
{
	b->moves.n = 0;
	return weir_circuit_died(&b->c, &b->s, b->now, ticket, &b->moves);
}

static inline bool trip(struct bench *b, u64 length)
{
	b->moves.n = 0;
	return weir_circuit_trip(&b->c, &b->s, b->now, length, &b->moves);
}

static inline void reset(struct bench *b)
{
	b->moves.n = 0;
	weir_circuit_reset(&b->c, &b->s, b->now, &b->moves);
}

static inline struct weir_circuit_view look(const struct bench *b)
{
	struct weir_circuit_view v;

	weir_circuit_look(&b->c, b->s, b->now, &v);
	return v;
}

/* One call that fails at @now. Return: whether it opened the circuit. */
static inline bool fails(struct bench *b, u64 now)
{
	b->now = now;
	if (!allow(b))
		return false;
	report(b, b->ticket, WEIR_CIRCUIT_FAILED);
	return look(b).is == WEIR_CIRCUIT_OPEN;
}

#endif /* _WEIR_KUNIT_CIRCUIT_BENCH_H */
