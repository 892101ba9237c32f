/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Breakers: whether a failing service is worth calling, plain or for each key.
 *
 * circuit.h decides, breaker.c finds the key's state and records its probes, breaker_object.c
 * creates and shows breakers, grant.h records which holder has which probes.
 */
#ifndef _WEIR_BREAKER_H
#define _WEIR_BREAKER_H

#include "lib/circuit.h"
#include "table/keyed.h"
#include "table/op.h"

/* ns: the longest time a breaker can be open, except for ever */
#define WEIR_BREAKER_OPEN_MAX	(10ULL * WEIR_NSEC_PER_YEAR)

/* Totals. Each CPU has a copy and adds only to its own. */
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
 * struct weir_breaker - a breaker; constant, except the totals and the table
 *
 * @circuit: the configuration, prepared
 * @config: as the user gave it, defaults filled in
 */
struct weir_breaker {
	/* private: the first members of every keyed object */
	WEIR_KEYED(struct weir_breaker_totals);
	/* public: */
	struct weir_circuit_config	circuit;
	struct weir_breaker_config	config;
};

WEIR_KEYED_ASSERT(weir_breaker);

int weir_breaker_try(struct weir_client *c, struct weir_object *o, struct weir_op_run *r);
int weir_breaker_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r);
void weir_breaker_give_back(struct weir_object *o, struct weir_grant *g);
u64 weir_breaker_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
			 u64 now);
u32 weir_breaker_state(struct weir_breaker *b);

extern const struct weir_kind_ops weir_breaker_ops;

static inline struct weir_breaker *weir_breaker(struct weir_object *o)
{
	return container_of(o, struct weir_breaker, obj);
}

#endif /* _WEIR_BREAKER_H */
