// SPDX-License-Identifier: GPL-2.0-only
/* Grants: what holders have, and how it is given back. See grant.h. */

#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "core/object.h"

/* Memory for a grant that weir_grant_get() may need, or NULL. May sleep. */
struct weir_grant *weir_grant_new(void)
{
	struct weir_grant *new = kmalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);

	if (new)
		new->charged = false;
	return new;
}

static void grant_uncharge(struct weir_client *c, struct weir_grant *g)
{
	if (!g->charged)
		return;
	g->charged = false;
	weir_namespace_grant_uncharge(c->ns);
}

/**
 * weir_grant_charge - have a new grant count for the cap of the client's owner
 * @c: the holder's client
 * @new: from weir_grant_new()
 *
 * Before weir_grant_get(), which uncharges what it does not need. Security modules are asked
 * for CAP_SYS_ADMIN at the cap only. Context: any.
 * Return: 0, also if it is charged already; -EDQUOT.
 */
int weir_grant_charge(struct weir_client *c, struct weir_grant *new)
{
	if (new->charged)
		return 0;
	if (!weir_namespace_grant_charge(c->ns, false) ||
	    (weir_client_admin(c) && !weir_namespace_grant_charge(c->ns, true)))
		new->charged = true;
	return new->charged ? 0 : -EDQUOT;
}

/* Free what weir_grant_get() did not use; NULL is none. */
void weir_grant_discard(struct weir_client *c, struct weir_grant *new)
{
	if (new)
		grant_uncharge(c, new);
	kfree(new);
}

/* Order of the tree: the grants of one tag are adjacent. */
static int grant_compare(const struct weir_grant *g, u32 tag, const struct weir_object *o,
			 const struct weir_entry *e)
{
	if (g->tag != tag)
		return g->tag < tag ? -1 : 1;
	if (g->object != o)
		return g->object < o ? -1 : 1;
	if (g->entry != e)
		return g->entry < e ? -1 : 1;
	return 0;
}

static struct weir_grant *grant_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct weir_grant, node);
}

/* The grant, or NULL; and where it is, or would be. */
static struct weir_grant *tree_find(struct weir_client *c, u32 tag,
				    const struct weir_object *o,
				    const struct weir_entry *e,
				    struct rb_node ***where, struct rb_node **parent)
{
	struct rb_node **link = &c->grants.rb_node;
	int order;

	lockdep_assert_held(&c->lock);
	*parent = NULL;
	while (*link) {
		*parent = *link;
		order = grant_compare(grant_of(*link), tag, o, e);
		if (!order)
			return grant_of(*link);
		link = order < 0 ? &(*link)->rb_right : &(*link)->rb_left;
	}
	*where = link;
	return NULL;
}

/**
 * weir_grant_find - what a holder has of a key, or NULL
 * @c: the holder's client
 * @tag: its tag
 * @o: the object
 * @e: the key's entry, locked
 *
 * Cost: a walk down a tree of all grants of the client, under its lock.
 * Return: the grant, good until the entry is unlocked.
 */
struct weir_grant *weir_grant_find(struct weir_client *c, u32 tag,
				   const struct weir_object *o, const struct weir_entry *e)
{
	struct rb_node **where, *parent;
	struct weir_grant *g;

	spin_lock_bh(&c->lock);
	g = tree_find(c, tag, o, e, &where, &parent);
	spin_unlock_bh(&c->lock);
	return g;
}

/**
 * weir_grant_get - the same, and create the grant if there is none
 * @c: the holder's client; the caller keeps it open
 * @tag: the holder's tag
 * @o: the object, alive
 * @e: the key's entry, locked
 * @new: from weir_grant_new(); set to NULL if it was used, uncharged if not
 *
 * Cannot fail. weir_grant_put() must follow under the same lock if nothing was granted.
 *
 * Return: the grant.
 */
struct weir_grant *weir_grant_get(struct weir_client *c, u32 tag, struct weir_object *o,
				  struct weir_entry *e, struct weir_grant **new)
{
	struct rb_node **where, *parent;
	struct weir_grant *g;

	spin_lock_bh(&c->lock);
	g = tree_find(c, tag, o, e, &where, &parent);
	if (g) {
		spin_unlock_bh(&c->lock);
		if (*new)
			grant_uncharge(c, *new);
		return g;
	}
	g = *new;
	*new = NULL;
	*g = (struct weir_grant){
		.client = c, .object = o, .entry = e, .tag = tag, .charged = g->charged,
	};
	rb_link_node(&g->node, parent, where);
	rb_insert_color(&g->node, &c->grants);
	spin_unlock_bh(&c->lock);
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

/* One that is off its object's list. */
static void grant_free(struct weir_grant *g)
{
	struct weir_client *c;
	bool pinned = false;

	/* a client that is closing leaves its grants of dead objects behind */
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
 * weir_grant_put - end a grant if its holder has nothing of the key any more
 * @g: the grant
 *
 * Context: the entry is locked.
 */
void weir_grant_put(struct weir_grant *g)
{
	struct weir_object *o = g->object;

	if (g->n || g->request)
		return;
	spin_lock_bh(&o->grant_lock);
	list_del(&g->all);
	spin_unlock_bh(&o->grant_lock);
	grant_free(g);
}

/**
 * weir_grant_drop - end a grant without a call of its holder
 * @g: the grant
 *
 * Context: the entry is locked; RCU read side in which the object is alive.
 */
void weir_grant_drop(struct weir_grant *g)
{
	WRITE_ONCE(g->n, 0);
	weir_grant_put(g);
}

/* ------------------------------------------------------------ a holder ends */

/* The first grant in the tree that is not before @from, pinned; or NULL. */
static struct weir_grant *grant_pin(struct weir_client *c, const struct weir_grant *from)
{
	struct weir_grant *g, *first = NULL;
	struct rb_node *node;

	spin_lock_bh(&c->lock);
	node = c->grants.rb_node;
	while (node) {
		g = grant_of(node);
		if (grant_compare(g, from->tag, from->object, from->entry) < 0) {
			node = node->rb_right;
		} else {
			first = g;
			node = node->rb_left;
		}
	}
	if (first)
		first->pins++;
	spin_unlock_bh(&c->lock);
	return first;
}

/* @leave: take the grant out of the tree, if it is there; the end of its object frees it. */
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
 * Take back one grant: the first one at or after @from, which advances. @all: of any tag;
 * otherwise of the tag of @from. Return: false if there is none.
 *
 * Nothing is given back to a dead object. But a request in a queue of it must leave the queue;
 * the storage of the object stays until it has.
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
 * weir_grant_drop_tag - take back all that one holder has or is queued for
 * @c: the client
 * @tag: the holder's
 *
 * What the holder gets meanwhile may stay. Context: may sleep.
 */
void weir_grant_drop_tag(struct weir_client *c, u32 tag)
{
	struct weir_grant from = { .tag = tag };

	while (grant_step(c, &from, false))
		cond_resched();
}

/* The file and all its holders are gone; no grant is added any more. Context: may sleep. */
void weir_grant_close(struct weir_client *c)
{
	struct weir_grant from = {};

	while (grant_step(c, &from, true))
		cond_resched();
}

/* ------------------------------------------------------------ an object ends */

/**
 * weir_grant_object_end - end all grants of an object
 * @o: the object, in phase 3 of its death: its storage is unused, and no request is queued
 *	there
 *
 * Only this function uses the object's list then, and only closing clients use the trees.
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
