// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making leases and ending them. The entry is locked, and all memory has been allocated. The step
 * that ends a lease decides under that lock whether the lease is lost, so this is decided once.
 */

#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/client.h"
#include "core/event.h"
#include "core/grant.h"
#include "roster/roster.h"

/* Allocate a lease, charged to the same cgroup as the entry. Return: NULL: no memory. */
static struct weir_roster_lease *lease_new(struct weir_roster *r, const struct weir_client *c,
					   const struct weir_op_lease *lease, gfp_t gfp)
{
	u32 length = lease ? lease->length : 0;
	struct weir_roster_lease *l;
	struct mem_cgroup *old;

	old = set_active_memcg(r->table.memcg);
	l = kmalloc(struct_size(l, value, length), gfp | __GFP_ACCOUNT |
		    __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	set_active_memcg(old);
	if (!l)
		return NULL;
	*l = (struct weir_roster_lease){
		.pid = get_pid(task_tgid(current)),
		.uid = c->cred->euid,
		.length = length,
	};
	if (length)
		memcpy(l->value, lease->value, length);
	return l;
}

/* Free a lease that no entry ever pointed to. NULL is ignored. */
static void lease_free(struct weir_roster_lease *l)
{
	if (!l)
		return;
	put_pid(l->pid);
	kfree(l);
}

static void lease_free_callback(struct rcu_head *rcu)
{
	lease_free(container_of(rcu, struct weir_roster_lease, rcu));
}

/* Free a lease that no entry points to any more. */
static void lease_free_rcu(struct weir_roster_lease *l)
{
	call_rcu(&l->rcu, lease_free_callback);
}

/* Fill in the answer for a lease that is live at @now. Under RCU. */
void weir_lease_answer(struct weir_op *op, const struct weir_roster_lease *l, u64 now,
		       const struct weir_client *c)
{
	op->version = l->state.version;
	op->length = l->length;
	op->left = weir_lease_left(weir_lease_expires(&l->state), now);
	op->pid = pid_vnr(l->pid);
	op->uid = from_kuid_munged(current_user_ns(), l->uid);
	op->owner_tag = l->state.tag;
	if (!l->state.client)
		op->out_flags |= WEIR_OUT_DETACHED;
	else if (weir_lease_is_of(&l->state, c, op->tag))
		op->out_flags |= WEIR_OUT_MINE;
}

/* Make the entry point to the lease. */
static void lease_put(struct weir_roster_lease *new, struct weir_entry *e)
{
	/* pairs with the acquire in lease_read() */
	smp_store_release(&e->lease, new);
}

/* End a lease. No entry points to it any more, or will when this entry is unlocked. Under RCU. */
void weir_lease_end(struct weir_roster *r, struct weir_roster_lease *old)
{
	/* all grants of a dead roster end at once: see weir_grant_object_end() */
	if (old->state.grant && weir_object_alive(&r->obj)) {
		WRITE_ONCE(old->state.grant->n, 0);
		weir_grant_put(old->state.grant);
	}
	lease_free_rcu(old);
}

/* Like weir_lease_end(), with an event. Events of a key are in order: the entry is locked. */
void weir_lease_lost(struct weir_roster *r, struct weir_entry *e,
		     struct weir_roster_lease *old, u64 now)
{
	bool expired = !weir_lease_is_live(old, now);

	this_cpu_inc(r->totals->lost);
	if (expired)
		this_cpu_inc(r->totals->expired);
	weir_event_key(&r->obj, WEIR_EVENT_LEASE_LOST, r->spec.type, e->key, e->key_len,
		       old->state.version, expired ? WEIR_LOST_EXPIRED : WEIR_LOST_HOLDER);
	weir_lease_end(r, old);
}

/**
 * weir_claim_prepare - allocate the memory for a lease
 * @claim: roster, op and client are set
 * @lease: its value; NULL: the value is empty
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM; weir_claim_discard() in both cases.
 */
int weir_claim_prepare(struct weir_claim *claim, const struct weir_op_lease *lease)
{
	claim->new = lease_new(claim->r, claim->c, lease, weir_op_gfp(claim->op));
	if (!claim->new)
		return -ENOMEM;
	if (!weir_lease_makes(claim->op->opcode) || claim->op->flags & WEIR_OP_DETACHED)
		return 0;
	claim->memory = weir_grant_new(weir_op_gfp(claim->op));
	return claim->memory ? 0 : -ENOMEM;
}

/* Free the memory that was not used. */
void weir_claim_discard(struct weir_claim *claim)
{
	lease_free(claim->new);
	weir_grant_discard(claim->c, claim->memory);
}

/* Make the caller the owner of the new lease. */
static void claim_grant(struct weir_claim *claim, struct weir_entry *e)
{
	struct weir_lease_state *new = &claim->new->state;

	new->client = claim->c;
	new->tag = claim->op->tag;
	new->grant = weir_grant_get(claim->c, new->tag, &claim->r->obj, e, &claim->memory);
	WRITE_ONCE(new->grant->n, 1);
}

/**
 * weir_claim_make - make the lease
 * @claim: prepared; @now is set
 * @e: the key's entry, locked; it has no lease, an expired lease, or a lease that the caller may
 *	replace
 * @linked: the entry is new
 *
 * Cannot fail. Context: RCU read side, in which the roster is alive.
 */
void weir_claim_make(struct weir_claim *claim, struct weir_entry *e, bool linked)
{
	struct weir_roster_lease *new = claim->new, *old = e->lease;
	struct weir_roster *r = claim->r;
	u64 before = WEIR_EXPIRY_NEVER;

	if (old && weir_lease_is_live(old, claim->now)) {
		before = old->state.expires;
		weir_lease_end(r, old);
		this_cpu_inc(r->totals->replaced);
	} else {
		if (old)
			weir_lease_lost(r, e, old, claim->now);
		this_cpu_inc(r->totals->claimed);
	}
	if (!(claim->op->flags & WEIR_OP_DETACHED))
		claim_grant(claim, e);
	weir_lease_begin(&new->state, &r->version,
			 weir_lease_until(claim->op->arg, r->ttl, claim->now));
	lease_put(new, e);
	claim->new = NULL;
	if (linked || new->state.expires < before)
		weir_table_update_expiry(&r->table, claim->key->hash, new->state.expires);
	weir_lease_answer(claim->op, new, claim->now, claim->c);
}

/* Give the live lease of @e, which is locked, a new value; owner and end stay. Cannot fail. */
void weir_claim_replace(struct weir_claim *claim, struct weir_entry *e)
{
	struct weir_roster_lease *new = claim->new, *old = e->lease;
	struct weir_roster *r = claim->r;

	weir_lease_succeed(&new->state, &r->version, &old->state);
	put_pid(new->pid);
	new->pid = get_pid(old->pid);
	new->uid = old->uid;
	lease_put(new, e);
	claim->new = NULL;
	lease_free_rcu(old);
	this_cpu_inc(r->totals->replaced);
	weir_lease_answer(claim->op, new, claim->now, claim->c);
}
