/* SPDX-License-Identifier: GPL-2.0-only */
/* Limiters (src/limiter) for tests, in a registry of their own. */
#ifndef _WEIR_KUNIT_LIMITER_FIXTURE_H
#define _WEIR_KUNIT_LIMITER_FIXTURE_H

#include "table_fixture.h"
#include "limiter/limiter.h"

int limiter_fixture_init(struct kunit *test);
void limiter_fixture_exit(struct kunit *test);
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
	atomic64_add(ns, &fake_clock);
}

#endif /* _WEIR_KUNIT_LIMITER_FIXTURE_H */
