// SPDX-License-Identifier: GPL-2.0-only
/* Grants: what each holder has, and how it is given back. See grant.h. */

#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "core/object.h"

/*
 * Allocate memory for a grant that weir_grant_get() may need. May sleep, unless @gfp says
 * otherwise. Return: the memory; or NULL.
 */
struct weir_grant *weir_grant_new(gfp_t gfp)
{
	struct weir_grant *new = kmalloc(sizeof(*new), gfp | __GFP_ACCOUNT);

	if (new)
		new->charged = false;
	return new;
}

static void grant_uncharge(struct weir_client *c, struct weir_grant *g)
{
	if (g->charged)
		atomic_long_dec(&c->ns->grants);
	g->charged = false;
}

/**
 * weir_grant_charge - count a new grant towards the cap of the client's owner
 * @c: the holder's client
 * @new: from weir_grant_new()
 *
 * Call this before weir_grant_get(), which uncharges a grant that it does not need. Context: any.
 * Return: 0, also if the grant is charged already; -EDQUOT at the cap.
 */
int weir_grant_charge(struct weir_client *c, struct weir_grant *new)
{
	if (!new->charged)
		new->charged = weir_namespace_grant_charge(c->ns, c->cred);
	return new->charged ? 0 : -EDQUOT;
}

/* Free a grant that weir_grant_get() did not use; @new may be NULL. */
void weir_grant_discard(struct weir_client *c, struct weir_grant *new)
{
	if (new)
		grant_uncharge(c, new);
	kfree(new);
}

/* Order of the tree: the grants of one tag are adjacent. */
static int grant_compare(const struct weir_grant *a, const struct weir_grant *b)
{
	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	if (a->entry != b->entry)
		return a->entry < b->entry ? -1 : 1;
	return 0;
}

static struct weir_grant *grant_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct weir_grant, node);
}

static int key_compare(const void *key, const struct rb_node *node)
{
	return grant_compare(key, rb_entry(node, struct weir_grant, node));
}

static int node_compare(struct rb_node *node, const struct rb_node *other)
{
	return key_compare(grant_of(node), other);
}

/**
 * weir_grant_find - find the grant of a holder for a key
 * @c: the holder's client
 * @tag: the holder's tag
 * @o: the object
 * @e: the key's entry, locked
 *
 * Cost: a walk down a tree of all grants of the client, under its lock.
 * Return: the grant, valid until the entry is unlocked; or NULL.
 */
struct weir_grant *weir_grant_find(struct weir_client *c, u32 tag,
				   const struct weir_object *o, const struct weir_entry *e)
{
	struct weir_grant key, *g;

	key.tag = tag;
	key.object = (struct weir_object *)o;
	key.entry = (struct weir_entry *)e;
	spin_lock_bh(&c->lock);
	g = grant_of(rb_find(&key, &c->grants, key_compare));
	spin_unlock_bh(&c->lock);
	return g;
}

/**
 * weir_grant_get - find the grant of a holder for a key, or create it
 * @c: the holder's client; the caller keeps it open
 * @tag: the holder's tag
 * @o: the object, which must be alive
 * @e: the key's entry, locked
 * @new: from weir_grant_new(); set to NULL if it was used, uncharged if not
 *
 * Cannot fail. If nothing is granted, the caller must call weir_grant_put() before it unlocks the
 * entry.
 *
 * Return: the grant.
 */
struct weir_grant *weir_grant_get(struct weir_client *c, u32 tag, struct weir_object *o,
				  struct weir_entry *e, struct weir_grant **new)
{
	struct weir_grant *g = *new;

	*g = (struct weir_grant){
		.client = c, .object = o, .entry = e, .tag = tag, .charged = g->charged,
	};
	spin_lock_bh(&c->lock);
	g = grant_of(rb_find_add(&g->node, &c->grants, node_compare));
	spin_unlock_bh(&c->lock);
	if (g) {
		grant_uncharge(c, *new);
		return g;
	}
	g = *new;
	*new = NULL;
	spin_lock_bh(&o->grant_lock);
	list_add_tail(&g->all, &o->grants);
	spin_unlock_bh(&o->grant_lock);
	return g;
}

static void tree_erase(struct weir_client *c, struct weir_grant *g)
{
	lockdep_assert_held(&c->lock);
	rb_erase(&g->node, &c->grants);
	grant_uncharge(c, g);
	/* pairs with the acquire in grant_free() */
	smp_store_release(&g->client, NULL);
}

/* Free a grant that was removed from its object's list, unless a walker has it pinned. */
static void grant_free(struct weir_grant *g)
{
	struct weir_client *c;
	bool pinned = false;

	/* a client that closes removes the grants of dead objects from its tree */
	rcu_read_lock();
	/* pairs with the release in tree_erase() */
	c = smp_load_acquire(&g->client);
	if (c) {
		spin_lock_bh(&c->lock);
		if (g->client)
			tree_erase(c, g);
		pinned = g->pins;
		spin_unlock_bh(&c->lock);
	}
	rcu_read_unlock();
	if (!pinned)
		kfree(g);
}

/**
 * weir_grant_put - end a grant if its holder has nothing of the key, and no request that waits
 * @g: the grant
 *
 * Context: the entry must be locked.
 */
void weir_grant_put(struct weir_grant *g)
{
	struct weir_object *o = g->object;

	if (g->n || g->request || g->sleepers)
		return;
	spin_lock_bh(&o->grant_lock);
	list_del(&g->all);
	spin_unlock_bh(&o->grant_lock);
	grant_free(g);
}

/* ------------------------------------------------------------ a holder ends */

/* For rb_find_first(): each node that is not before the key equals it. */
static int before_compare(const void *key, const struct rb_node *node)
{
	return key_compare(key, node) > 0;
}

/* Pin the first grant of the tree that is not before @from. Return: the grant; or NULL. */
static struct weir_grant *grant_pin(struct weir_client *c, const struct weir_grant *from)
{
	struct weir_grant *first;

	spin_lock_bh(&c->lock);
	first = grant_of(rb_find_first(from, &c->grants, before_compare));
	if (first)
		first->pins++;
	spin_unlock_bh(&c->lock);
	return first;
}

/* @leave: remove the grant from the tree, if it is there; the end of its object then frees it. */
static void grant_unpin(struct weir_client *c, struct weir_grant *g, bool leave)
{
	bool last;

	spin_lock_bh(&c->lock);
	last = !--g->pins && !g->client;
	if (leave && g->client)
		tree_erase(c, g);
	spin_unlock_bh(&c->lock);
	if (last)
		kfree(g);
}

/*
 * Take back one grant: the first one at or after @from. @from is advanced past it. @all: take back
 * the grants of every tag; otherwise only those of the tag of @from.
 *
 * Permits or leases of a dead object are not given back. But a request that waits in a queue of the
 * dead object must leave the queue; the storage of the object stays until then.
 *
 * Return: false if there is no such grant.
 */
static bool grant_step(struct weir_client *c, struct weir_grant *from, bool all)
{
	struct weir_grant *g;
	bool found;

	rcu_read_lock();
	g = grant_pin(c, from);
	found = g && (all || g->tag == from->tag);
	if (found) {
		from->tag = g->tag;
		from->object = g->object;
		from->entry = (void *)g->entry + 1;
		/* pairs with the releases in request.c */
		if (weir_object_alive(g->object) || smp_load_acquire(&g->request))
			g->object->ops->give_back(g->object, g);
	}
	if (g)
		grant_unpin(c, g, all);
	rcu_read_unlock();
	return found;
}

/**
 * weir_grant_drop_tag - take back everything that one holder has or is queued for
 * @c: the client
 * @tag: the holder's tag
 *
 * Grants that the holder gets during the call may stay. Context: may sleep.
 */
void weir_grant_drop_tag(struct weir_client *c, u32 tag)
{
	struct weir_grant from = { .tag = tag };

	while (grant_step(c, &from, false))
		cond_resched();
}

/*
 * Take back all grants of a client whose file is released: no new grant can be added. Context: may
 * sleep.
 */
void weir_grant_close(struct weir_client *c)
{
	struct weir_grant from = {};

	while (grant_step(c, &from, true))
		cond_resched();
}

/* ------------------------------------------------------------ an object ends */

/**
 * weir_grant_object_end - end all grants of an object
 * @o: the object, in phase 3 of its death: no other task uses its storage, and no request is queued
 *	there
 *
 * In this phase only this function uses the object's list, and only clients that close still have
 * its grants in their trees.
 *
 * Context: may sleep.
 */
void weir_grant_object_end(struct weir_object *o)
{
	struct weir_grant *g, *next;

	list_for_each_entry_safe(g, next, &o->grants, all) {
		grant_free(g);
		cond_resched();
	}
	INIT_LIST_HEAD(&o->grants);
}
