/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limiters (src/limiter*.c) for tests: over the table of table_copy.h, with
 * configurations in kernel memory, and events that are kept for a look.
 */
#ifndef _WEIR_KUNIT_LIMITER_COPY_H
#define _WEIR_KUNIT_LIMITER_COPY_H

#include "table_copy.h"
#include "../src/limiter/limiter.h"

/**
 * struct limiter_copy - state that a test can read and set
 * @events: number of events emitted, by type
 * @type: of the last event
 * @value: of the last event
 * @more: of the last event
 * @quota: the account's answer to a change of max_keys
 */
struct limiter_copy {
	atomic_t events[8];
	u32 type;
	s64 value;
	s64 more;
	int quota;
};

extern struct limiter_copy limiter_copy;

int limiter_copy_init(struct kunit *test);
void limiter_copy_exit(struct kunit *test);
int limiter_try(const struct weir_limiter_config *config, struct weir_limiter **l);
struct weir_limiter *limiter_new(struct kunit *test,
				 const struct weir_limiter_config *config);
int limiter_set_config(struct weir_limiter *l,
		       const struct weir_limiter_config *config, u64 mask);
const struct weir_limiter_config *limiter_config(struct weir_limiter *l);
int limiter_do(struct weir_limiter *l, struct weir_op *op, const void *key,
	       unsigned int len);
int limiter_op(struct weir_limiter *l, struct weir_op *op, u16 opcode, u64 key,
	       s64 n);
int limiter_ban(struct weir_limiter *l, struct weir_op *op, u64 key, u64 length);

static inline void clock_forward(u64 ns)
{
	atomic64_add(ns, &kunit_clock);
}

#endif /* _WEIR_KUNIT_LIMITER_COPY_H */
