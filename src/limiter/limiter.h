/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limiters: a table of rate states by key, with strikes and bans.
 *
 * limiter_config.c creates and changes them, limiter.c decides, limiter_dump.c and
 * limiter_sysfs.c show them.
 */
#ifndef _WEIR_LIMITER_H
#define _WEIR_LIMITER_H

#include "lib/rate.h"
#include "limiter/rules.h"
#include "table/keyed.h"
#include "table/op.h"

#define WEIR_BAN_MAX	(10 * WEIR_NSEC_PER_YEAR)

struct weir_limiter;
struct weir_tx;

/**
 * struct weir_policy - a limiter's configuration, prepared
 *
 * Constant once it is published: a live change publishes another one. The members that every
 * check reads come first.
 *
 * @rate: algorithm and numbers
 * @strikes: threshold of a ban, 0 for never
 * @shadow: decide and count, but answer "allowed"
 * @candidate: the limiter that mirrors this one, or NULL; see candidate.h
 * @score: how strikes fade
 * @config: as the user gave it, defaults filled in, except @candidate
 */
struct weir_policy {
	struct weir_rate		rate;
	u32				strikes;
	bool				shadow;
	struct weir_limiter		*candidate;
	struct weir_score_config	score;
	struct weir_limiter_config	config;
};

/* Totals. Each CPU has a copy and adds only to its own. */
struct weir_limiter_totals {
	u64 allowed;
	u64 limited;
	u64 banned;
	u64 strikes;
	u64 bans;
	u64 evicted;
	u64 expired;
	u64 full;
	u64 stricter;
	u64 looser;
	u64 missed;
};

/**
 * struct weir_limiter - a limiter
 *
 * S: written under @obj.set_lock, read under RCU.
 *
 * @policy:	S
 * @rules:	S: NULL if there are none
 * @full_told:	the event TABLE_FULL was sent; xchg() and WRITE_ONCE()
 */
struct weir_limiter {
	/* private: the first members of every keyed object */
	WEIR_KEYED(struct weir_limiter_totals);
	/* public: */
	struct weir_policy __rcu	*policy;
	struct weir_rule_set __rcu	*rules;
	int				full_told;
};

WEIR_KEYED_ASSERT(weir_limiter);

/**
 * struct weir_limiter_call - one operation on one key
 * @l: the limiter
 * @p: its policy as of @now, valid under RCU
 * @op: the operation; its result half is filled in
 * @key: the key
 * @now: ns since the table's epoch, read after the key's state
 * @turn: CHECK: the caller is at the head of the queue, so waiters do not refuse it
 */
struct weir_limiter_call {
	struct weir_limiter *l;
	const struct weir_policy *p;
	struct weir_op *op;
	struct weir_key *key;
	u64 now;
	bool turn;
};

int weir_limiter_op(struct weir_limiter *l, struct weir_op *op,
		    struct weir_key *key);
int weir_limiter_op_alone(struct weir_limiter *l, struct weir_op *op,
			  struct weir_key *key);
int weir_limiter_op_new(struct weir_limiter *l, struct weir_op *op,
			struct weir_key *key, gfp_t gfp);
int weir_limiter_op_slow(struct weir_limiter *l, struct weir_op *op,
			 struct weir_key *key, gfp_t gfp);

u64 weir_limiter_check_locked(struct weir_limiter_call *call,
			      struct weir_entry *e, u64 word);
void weir_limiter_refuse_locked(struct weir_limiter_call *call,
				struct weir_entry *e, u64 word, u64 retry_after);
u32 weir_limiter_bans(const struct weir_policy *p, const struct weir_entry *e, u64 now);
u32 weir_limiter_strikes(const struct weir_policy *p, const struct weir_entry *e,
			 u64 now);
void weir_limiter_strike(struct weir_limiter_call *call, struct weir_entry *e,
			 u32 weight);
void weir_limiter_ban(struct weir_limiter_call *call, struct weir_entry *e,
		      u64 length, u32 strikes);
int weir_limiter_lift(struct weir_limiter_call *call, struct weir_entry *e);
void weir_limiter_answer_fresh(struct weir_limiter_call *call, u64 cost);
int weir_limiter_full(struct weir_limiter_call *call);
int weir_limiter_full_count(struct weir_limiter_call *call);
int weir_limiter_full_now(struct weir_limiter_call *call);
int weir_limiter_entry_make(struct weir_limiter *l, struct weir_key *key, gfp_t gfp);
u64 weir_limiter_begin(struct weir_limiter_call *call, const struct weir_entry *e, u64 word);
void weir_limiter_changed(const struct weir_limiter_call *call,
			  struct weir_entry *e, u64 word, u64 before);
void weir_limiter_unlock(const struct weir_limiter_call *call,
			 struct weir_entry *e, u64 word, u64 before);
void weir_limiter_full_over(struct weir_limiter *l, unsigned int leaving);
u64 weir_limiter_idle_at(struct weir_table *t, const struct weir_entry *e,
			 u64 word, u64 now);
void weir_limiter_state(const struct weir_policy *p, const struct weir_entry *e,
			u64 word, u64 now, u64 cost, struct weir_op *op);

int weir_limiter_op_locked(struct weir_limiter_call *call, struct weir_entry *e,
			   u64 word, bool is_new);
bool weir_limiter_by_rule(const struct weir_key *key, u32 opcode);
void weir_limiter_ruled(struct weir_limiter_call *call);
void weir_limiter_ruled_count(struct weir_limiter_call *call);
int weir_limiter_rules(struct weir_object *o, struct weir_rules *args);
int weir_limiter_load(struct weir_object *o, struct weir_load *args);

int weir_limiter_op_key(struct weir_object *o, struct weir_op_run *r);
int weir_limiter_op_try(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r);
int weir_limiter_op_run(struct weir_client *c, struct weir_object *o,
			struct weir_op_run *r);

int weir_limiter_transact(struct weir_tx *tx);

extern struct attribute *weir_limiter_attrs[];
extern const struct weir_dump_desc weir_limiter_dump_desc;
extern const struct weir_op_desc weir_limiter_opcodes[];
extern const struct weir_tx_ops weir_limiter_tx;
extern const struct weir_kind_ops weir_limiter_ops;

static inline struct weir_limiter *weir_limiter(struct weir_object *o)
{
	return container_of(o, struct weir_limiter, obj);
}

static inline struct weir_limiter *weir_limiter_of(struct weir_table *t)
{
	return container_of(t, struct weir_limiter, table);
}

/* Whether the operation answers with a verdict. Others can make room for waiters, or take it. */
static inline bool weir_limiter_decides(u32 opcode)
{
	return opcode == WEIR_OP_CHECK || opcode == WEIR_OP_PEEK || opcode == WEIR_OP_RESERVE;
}

/* Look up the rule of a key. It is valid in this RCU read side. */
static inline void weir_limiter_key_rule(const struct weir_limiter *l, struct weir_key *key)
{
	const struct weir_rule_set *rules = rcu_dereference(l->rules);

	key->rule = WEIR_RULE_NONE;
	if (unlikely(rules))
		key->rule = weir_rules_find(rules, key->raw, key->raw_len);
}

/* Like weir_key_make(), and sets the key's rule. Context: RCU read side. */
static inline int weir_limiter_key(const struct weir_limiter *l, const u8 *data,
				   unsigned int len, struct weir_key *key)
{
	int err = weir_key_make(&l->spec, &l->table, data, len, key);

	if (!err)
		weir_limiter_key_rule(l, key);
	return err;
}

/*
 * Read the clock, and the policy at that time. Context: RCU read side, in which policies are not
 * freed; the entry is locked, or is read again after this.
 */
static inline void weir_limiter_now(struct weir_limiter_call *call)
{
	do {
		call->p = rcu_dereference(call->l->policy);
		smp_rmb();	/* pairs with the release in limiter_set() */
		call->now = weir_table_now(&call->l->table);
		smp_rmb();	/* the same */
	} while (unlikely(rcu_access_pointer(call->l->policy) != call->p));
}

/* In shadow mode the verdict is "allowed". The other members keep the decision. */
static inline void weir_limiter_shadow(const struct weir_policy *p, struct weir_op *op)
{
	if (!p->shadow || op->verdict == WEIR_ALLOWED)
		return;
	op->verdict = WEIR_ALLOWED;
	op->out_flags |= WEIR_OUT_SHADOW;
}

/* Fill in the result half from a decision and the key's ban. */
static inline void weir_limiter_answer(struct weir_op *op,
				       const struct weir_policy *p,
				       const struct weir_decision *d,
				       u64 ban_until, u64 now)
{
	bool banned = ban_until > now;

	op->verdict = banned ? WEIR_BANNED :
		      d->allowed ? WEIR_ALLOWED : WEIR_LIMITED;
	op->limit = p->rate.limit;
	op->remaining = d->remaining;
	op->retry_after = d->retry_after;
	op->reset_after = d->reset_after;
	op->banned_for = 0;
	op->strikes = 0;
	op->bans = 0;
	if (banned) {
		op->banned_for = ban_until - now;
		op->retry_after = max(op->retry_after, op->banned_for);
	}
	weir_limiter_shadow(p, op);
}

/* The decision; in shadow mode, the real one. */
static inline bool weir_limiter_allows(const struct weir_op *op)
{
	return op->verdict == WEIR_ALLOWED && !(op->out_flags & WEIR_OUT_SHADOW);
}

/* Count the decision. */
static inline void weir_limiter_count(struct weir_limiter *l, const struct weir_op *op)
{
	if (weir_limiter_allows(op))
		this_cpu_inc(l->totals->allowed);
	else if (op->banned_for)
		this_cpu_inc(l->totals->banned);
	else
		this_cpu_inc(l->totals->limited);
}

#endif /* _WEIR_LIMITER_H */
