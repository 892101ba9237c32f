/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rosters: leases by key, each with a value, a version, an owner and a time to live.
 *
 * An entry points to its lease, which is constant except for the time of its expiry: a new value is
 * a new lease. So a reader finds a whole lease under RCU alone. An entry without a lease exists
 * only while it is locked, or when the table is freed.
 *
 * lease_state.h has the rules for operations on a lease; roster_lease.c makes and ends leases,
 * roster.c performs one operation, roster_transaction.c several claims as one, roster_object.c
 * creates and shows rosters, grant.h records the owners of leases.
 */
#ifndef _WEIR_ROSTER_H
#define _WEIR_ROSTER_H

#include "table/keyed.h"
#include "table/op.h"
#include "lib/lease_state.h"

#define WEIR_TTL_MAX	(10ULL * WEIR_NSEC_PER_YEAR)

/* Totals. Each CPU has a copy and adds only to its own. */
struct weir_roster_totals {
	u64 claimed;
	u64 refused;
	u64 replaced;
	u64 removed;
	u64 lost;
	u64 expired;
	u64 full;
};

/**
 * struct weir_roster - a roster; all of it is constant but versions, totals and table
 *
 * @ttl: ns that leases last, or WEIR_NEVER
 * @config: as the user gave it, defaults filled in
 * @version: the last version given out
 */
struct weir_roster {
	/* private: the first members of every keyed object */
	WEIR_KEYED(struct weir_roster_totals);
	/* public: */
	u64				ttl;
	struct weir_roster_config	config;
	atomic64_t			version;
};

WEIR_KEYED_ASSERT(weir_roster);

/**
 * struct weir_roster_lease - a lease; an entry points to it
 *
 * I: set before the entry points to it, then constant.
 *
 * @state:	version, time and owner
 * @pid:	I: the process that made it; a reference
 * @uid:	I: the user of the client that made it
 * @rcu:	to free it when no entry points to it any more
 * @length:	I: bytes of @value
 * @value:	I
 */
struct weir_roster_lease {
	struct weir_lease_state	state;
	struct pid		*pid;
	kuid_t			uid;
	struct rcu_head		rcu;
	u32			length;
	u8			value[];
};

/**
 * struct weir_claim - a lease to be made
 * @r: the roster
 * @op: the operation; its result half is filled in
 * @c: the caller's client
 * @key: the key, hashed
 * @now: ns since the table's epoch, read with the entry locked
 * @new: the lease, NULL once an entry points to it
 * @memory: memory for a grant; NULL for a detached lease, or once it is used
 */
struct weir_claim {
	struct weir_roster	*r;
	struct weir_op		*op;
	struct weir_client	*c;
	const struct weir_key	*key;
	u64			now;
	struct weir_roster_lease *new;
	struct weir_grant	*memory;
};

int weir_roster_try(struct weir_client *c, struct weir_object *o, struct weir_op_run *run);
int weir_roster_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *run);
void weir_roster_give_back(struct weir_object *o, struct weir_grant *g);
u64 weir_roster_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
			u64 now);
void weir_roster_dropped(struct weir_table *t, struct weir_entry *e);

int weir_claim_prepare(struct weir_claim *claim, const struct weir_op_lease *lease);
void weir_claim_make(struct weir_claim *claim, struct weir_entry *e, bool linked);
void weir_claim_replace(struct weir_claim *claim, struct weir_entry *e);
void weir_claim_discard(struct weir_claim *claim);
void weir_lease_end(struct weir_roster *r, struct weir_roster_lease *old);
void weir_lease_lost(struct weir_roster *r, struct weir_entry *e,
		     struct weir_roster_lease *old, u64 now);
void weir_lease_answer(struct weir_op *op, const struct weir_roster_lease *l, u64 now,
		       const struct weir_client *c);

int weir_roster_op_check(struct weir_op_run *r);
int weir_roster_op_put(const struct weir_op_run *r);

extern const struct weir_op_desc weir_roster_opcodes[];
extern const struct weir_tx_ops weir_roster_tx;
extern const struct weir_kind_ops weir_roster_ops;

static inline struct weir_roster *weir_roster(struct weir_object *o)
{
	return container_of(o, struct weir_roster, obj);
}

/* Whether the lease has not expired at @now. */
static inline bool weir_lease_is_live(const struct weir_roster_lease *l, u64 now)
{
	return l && weir_lease_lasts(&l->state, now);
}

#endif /* _WEIR_ROSTER_H */
