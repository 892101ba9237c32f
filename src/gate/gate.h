/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gates: permits, for the whole gate or for each key, strictly first come, first served.
 *
 * gate_queue.h defines the order of the queue. gate.c acquires and releases permits. gate_grant.c
 * grants permits to the queues. gate_kapi.c serves other modules. gate_object.c creates, changes
 * and shows gates. grant.h records what each holder has.
 */
#ifndef _WEIR_GATE_H
#define _WEIR_GATE_H

#include "table/keyed.h"
#include "table/op.h"

/*
 * Totals. Each CPU has its own copy and is the only one that adds to it. Members in the order of
 * the stats.
 */
struct weir_gate_totals {
	u64 acquired;
	u64 refused;
	u64 timeouts;
	u64 reclaimed;
	u64 full;
	u64 in_use;	/* a difference: only the sum over all CPUs counts */
	u64 waiting;	/* a difference, too */
};

/**
 * struct weir_gate - a gate
 *
 * I: set at creation, then constant. W: written under @obj.set_lock with WRITE_ONCE().
 *
 * @permits: W: the permits of each key
 * @queue_max:	W: acquisitions that may wait for each key; 0: any number
 * @config: I: the configuration as the user gave it, with defaults filled in
 */
struct weir_gate {
	/* private: the first members of every keyed object */
	WEIR_KEYED(struct weir_gate_totals);
	/* public: */
	u32				permits;
	u32				queue_max;
	struct weir_gate_config		config;
};

WEIR_KEYED_ASSERT(weir_gate);

int weir_gate_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r);
void weir_gate_account_grant(struct weir_gate *g, u32 n);
void weir_gate_release_locked(struct weir_gate *g, struct weir_entry *e, u32 n);
void weir_gate_unlock(struct weir_gate *g, struct weir_entry *e, u64 hash, u64 word);
void weir_gate_give_back(struct weir_object *o, struct weir_grant *grant);
void weir_gate_kick(struct weir_gate *g);
u64 weir_gate_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
		      u64 now);

extern const struct weir_kind_ops weir_gate_ops;

static inline struct weir_gate *weir_gate(struct weir_object *o)
{
	return container_of(o, struct weir_gate, obj);
}

#endif /* _WEIR_GATE_H */
