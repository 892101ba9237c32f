// SPDX-License-Identifier: GPL-2.0-only
/*
 * One operation on one key of a roster.
 *
 * A look-up of a lease, and an operation that is refused because of a lease, take no lock and write
 * only a total. A lease is changed or ended with its entry locked. Memory is allocated before that,
 * and only for an operation that has not been refused.
 */

#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/grant.h"
#include "roster/roster.h"

#define AGAIN	2	/* another operation came between: try again; WEIR_OP_MUST_SLEEP is 1 */
#define NO_ENTRY 3	/* an entry must be made */

/* The value, or where it is to be stored; NULL: there is none. */
static struct weir_op_lease *lease_of(const struct weir_op_run *run)
{
	return run->data ? &run->data->lease : NULL;
}

/* ------------------------------------------------------------ without the lock */

/**
 * struct glance - the result of a look-up without the lock
 * @l: the lease, if it has not expired at @now; or NULL
 * @until: when it expires, as read at @now
 * @now: ns since the table's epoch
 */
struct glance {
	struct weir_roster_lease *l;
	u64			until;
	u64			now;
};

/*
 * Read the lease, the clock, and the lease again. If nothing has changed, all of it is the state at
 * @now. A lease is not freed or reused within an RCU read side. Return: false if the entry is
 * locked or dead, or was changed.
 */
static bool lease_read(struct weir_roster *r, const struct weir_entry *e,
		       struct glance *g)
{
	struct weir_roster_lease *l;

	/* pairs with the release of the entry's lock */
	if (atomic64_read_acquire(&e->word) & WEIR_ENTRY_LOCKED)
		return false;
	/* pairs with the release in lease_put(): other entries of a submission are visible */
	l = smp_load_acquire(&e->lease);
	g->until = l ? weir_lease_expires(&l->state) : 0;
	/* a change that was seen has an earlier time: pairs with the release in weir_entry_end() */
	smp_rmb();
	g->now = weir_table_now(&r->table);
	/* a later change is seen below: pairs with the exchange in weir_entry_begin() */
	smp_rmb();
	/*
	 * the word is read before the lease that belongs to it: pairs with the release in
	 * weir_entry_end()
	 */
	if (atomic64_read_acquire(&e->word) & WEIR_ENTRY_LOCKED ||
	    READ_ONCE(e->lease) != l || (l && weir_lease_expires(&l->state) != g->until))
		return false;
	g->l = g->until > g->now ? l : NULL;
	return true;
}

static int get(struct weir_op *op, const struct weir_roster_lease *l, u64 now,
	       const struct weir_client *c, struct weir_op_lease *lease)
{
	if (lease && lease->length) {
		if (l->length > lease->length)
			return -EMSGSIZE;
		memcpy(lease->value, l->value, l->length);
	}
	weir_lease_answer(op, l, now, c);
	return 0;
}

/*
 * Check whether a modifying op is allowed on lease @l (NULL: there is no live lease). Fill in the
 * answer if it is not.
 */
static int admit(struct weir_roster *r, struct weir_op *op,
		 const struct weir_roster_lease *l, u64 now,
		 const struct weir_client *c)
{
	int err = weir_lease_admit(l ? &l->state : NULL, op->opcode, op->n, c,
				   op->tag);

	if (!err || !l)
		return err;
	weir_lease_answer(op, l, now, c);
	if (weir_lease_makes(op->opcode))
		this_cpu_inc(r->totals->refused);
	return err;
}

/* ------------------------------------------------------------ with the entry locked */

/* The live lease of a locked entry, or NULL. */
static struct weir_roster_lease *lasting(const struct weir_entry *e, u64 now)
{
	struct weir_roster_lease *l = e->lease;

	return weir_lease_is_live(l, now) ? l : NULL;
}

/* Perform TOUCH, REMOVE, or a GET that found the entry locked. Return: AGAIN: the entry is dead. */
static int lease_op(struct weir_roster *r, struct weir_op *op, struct weir_client *c,
		    struct weir_entry *e, u64 hash, struct weir_op_lease *lease)
{
	struct weir_roster_lease *l;
	u64 word, now, until;
	int err;

	if (!weir_table_lock(&r->table, e, &word))
		return AGAIN;
	now = weir_table_now(&r->table);
	l = lasting(e, now);
	if (op->opcode == WEIR_OP_LEASE_GET)
		err = l ? get(op, l, now, c, lease) : -ENOENT;
	else
		err = admit(r, op, l, now, c);
	if (!err && op->opcode == WEIR_OP_TOUCH) {
		until = weir_lease_until(op->arg, r->ttl, now);
		if (weir_lease_touch(&l->state, until))
			weir_table_update_expiry(&r->table, hash, until);
	}
	if (!err && op->opcode != WEIR_OP_LEASE_GET)
		weir_lease_answer(op, l, now, c);
	if (!err && op->opcode == WEIR_OP_REMOVE) {
		weir_lease_end(r, l);
		this_cpu_inc(r->totals->removed);
		weir_table_drop(&r->table, e);
	} else {
		weir_table_unlock(&r->table, e, word);
	}
	return err;
}

/* ------------------------------------------------------------ operations that need no memory */

/* Answer for a key without an entry. */
static int absent(struct weir_roster *r, const struct weir_op *op,
		  const struct weir_key *key)
{
	if (!weir_lease_makes(op->opcode))
		return -ENOENT;
	if (!weir_table_refuses(&r->table, key))
		return WEIR_OP_MUST_SLEEP;
	this_cpu_inc(r->totals->full);
	return -ENOSPC;
}

/* GET, or an operation that would make a lease, on an entry that is not locked. */
static int glance_op(struct weir_client *c, struct weir_roster *r, struct weir_op *op,
		     const struct glance *g, struct weir_op_lease *lease)
{
	int ret;

	if (op->opcode == WEIR_OP_LEASE_GET)
		ret = g->l ? get(op, g->l, g->now, c, lease) : -ENOENT;
	else
		ret = admit(r, op, g->l, g->now, c) ?: WEIR_OP_MUST_SLEEP;
	/* the version may be of another time by now */
	if (op->version)
		op->left = weir_lease_left(g->until, g->now);
	return ret;
}

static int try_op(struct weir_client *c, struct weir_roster *r, struct weir_op *op,
		  const struct weir_key *key, struct weir_op_lease *lease)
{
	struct weir_entry *e = weir_table_find(&r->table, key);
	struct glance g;

	if (!e)
		return absent(r, op, key);
	if (op->opcode != WEIR_OP_TOUCH && op->opcode != WEIR_OP_REMOVE) {
		if (lease_read(r, e, &g))
			return glance_op(c, r, op, &g, lease);
		if (op->opcode != WEIR_OP_LEASE_GET)
			return WEIR_OP_MUST_SLEEP;
	}
	return lease_op(r, op, c, e, key->hash, lease);
}

/*
 * &weir_kind_ops.try: operations that need no memory. Cost in addition to finding the key: one
 * clock reading, and the lease's cache line.
 */
int weir_roster_try(struct weir_client *c, struct weir_object *o, struct weir_op_run *run)
{
	struct weir_roster *r = weir_roster(o);
	int ret;

	do
		ret = try_op(c, r, &run->op, &run->key, lease_of(run));
	while (ret == AGAIN);
	return ret;
}

/* ------------------------------------------------------------ operations that need memory */

/*
 * Perform the operation on a locked entry. @linked: the entry is new and has no lease. Return: 0 or
 * an error.
 */
static int entry_op(struct weir_claim *claim, struct weir_entry *e, bool linked)
{
	struct weir_op *op = claim->op;
	struct weir_roster_lease *l;
	int err;

	claim->now = weir_table_now(&claim->r->table);
	l = lasting(e, claim->now);
	err = admit(claim->r, op, l, claim->now, claim->c);
	if (err)
		return err;
	if (op->opcode == WEIR_OP_REPLACE)
		weir_claim_replace(claim, e);
	else
		weir_claim_make(claim, e, linked);
	return 0;
}

/*
 * Perform the operation once, under RCU. @new: memory for an entry, linked or freed here; or NULL.
 * Return: 0, an error, NO_ENTRY or AGAIN.
 */
static int look(struct weir_claim *claim, struct weir_entry *new)
{
	struct weir_table *t = &claim->r->table;
	struct weir_entry *e;
	u64 word;
	int ret;

	if (!weir_object_alive(&claim->r->obj)) {
		if (new)
			weir_entry_free(new);
		return -ENODEV;
	}
	e = new ? weir_table_link(t, claim->key, new, 0, &word) :
		  weir_table_find_locked(t, claim->key, &word);
	if (!e && new)
		return AGAIN;
	if (!e)
		return weir_lease_makes(claim->op->opcode) ? NO_ENTRY : -ENOENT;
	/* a new entry has its lease before it is unlocked */
	ret = entry_op(claim, e, e == new);
	weir_table_unlock(t, e, word);
	return ret;
}

static int perform(struct weir_claim *claim)
{
	struct weir_entry *new = NULL;
	int ret;

	do {
		rcu_read_lock();
		ret = look(claim, new);
		rcu_read_unlock();
		new = ret == NO_ENTRY ? weir_table_new(&claim->r->table, claim->key,
						       weir_op_gfp(claim->op)) : NULL;
		if (new == ERR_PTR(-ENOSPC))
			this_cpu_inc(claim->r->totals->full);
		if (IS_ERR(new))
			return PTR_ERR(new);
	} while (ret > 0);
	return ret;
}

/* &weir_kind_ops.run */
int weir_roster_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *run)
{
	struct weir_claim claim = {
		.r = weir_roster(o), .op = &run->op, .c = c, .key = &run->key,
	};
	int ret = weir_claim_prepare(&claim, lease_of(run)) ?: perform(&claim);

	weir_claim_discard(&claim);
	return ret;
}

/* ------------------------------------------------------------ the end of leases */

/* &weir_kind_ops.give_back */
void weir_roster_give_back(struct weir_object *o, struct weir_grant *g)
{
	struct weir_roster *r = weir_roster(o);
	struct weir_entry *e = g->entry;
	struct weir_roster_lease *l;
	u64 word;

	/* a lease that ended meanwhile may have let the entry be dropped */
	if (!weir_table_lock(&r->table, e, &word))
		return;
	l = e->lease;
	/* or another lease may have begun */
	if (!g->n || l->state.grant != g) {
		weir_table_unlock(&r->table, e, word);
		return;
	}
	weir_lease_lost(r, e, l, weir_table_now(&r->table));
	weir_table_drop(&r->table, e);
}

/* &weir_table_ops.idle_at: an entry whose lease has expired equals none */
u64 weir_roster_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
			u64 now)
{
	BUILD_BUG_ON(WEIR_LEASE_FOREVER != WEIR_EXPIRY_NEVER);
	return e->lease->state.expires;
}

/* &weir_table_ops.dropped */
void weir_roster_dropped(struct weir_table *t, struct weir_entry *e)
{
	struct weir_roster *r = container_of(t, struct weir_roster, table);

	weir_lease_lost(r, e, e->lease, weir_table_now(t));
}
