/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Breakers: whether calls to something that fails are worth making, plain or of each key.
 *
 * circuit.h decides, breaker.c finds the key's state and keeps the books,
 * breaker_object.c makes and shows breakers, hold.h knows who has probes.
 */
#ifndef _WEIR_BREAKER_H
#define _WEIR_BREAKER_H

#include <linux/percpu.h>

#include "lib/circuit.h"
#include "table/key.h"
#include "core/object.h"

/* ns: the longest that one can be open, but for ever. */
#define WEIR_BREAKER_OPEN_MAX	(10ULL * WEIR_NSEC_PER_YEAR)

/* Totals; one copy per CPU, only ever added to on that CPU. */
struct weir_breaker_totals {
	u64 allowed;
	u64 rejected;
	u64 succeeded;
	u64 failed;
	u64 late;
	u64 lost;
	u64 opened;
	u64 full;
};

/**
 * struct weir_breaker - a breaker; all of it is constant but the totals and the table
 *
 * @circuit: the numbers, prepared
 * @config: as the user gave it, defaults filled in
 * @spec: what keys are
 * @totals: per CPU
 * @table: the keys that have something to remember
 */
struct weir_breaker {
	struct weir_object		obj;
	struct weir_circuit_config	circuit;
	struct weir_breaker_config	config;
	struct weir_key_spec		spec;
	struct weir_breaker_totals __percpu *totals;
	struct weir_table		table;
};

int weir_breaker_quick(struct weir_object *o, struct weir_op *op, const u8 *bytes);
int weir_breaker_op(struct weir_client *c, struct weir_object *o, struct weir_op *op,
		    const u8 *bytes);
void weir_breaker_give_back(struct weir_object *o, struct weir_hold *h);
u64 weir_breaker_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
			 u64 now);
void weir_breaker_stats_read(struct weir_breaker *b, struct weir_breaker_stats *stats);
u32 weir_breaker_state(struct weir_breaker *b);

extern const struct weir_kind_ops weir_breaker_ops;

static inline struct weir_breaker *weir_breaker(struct weir_object *o)
{
	return container_of(o, struct weir_breaker, obj);
}

#endif /* _WEIR_BREAKER_H */
