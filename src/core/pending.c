// SPDX-License-Identifier: GPL-2.0-only
/* What nobody sleeps for, and who is told when it has ended. See pending.h. */

#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/client.h"
#include "core/hold.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/pollers.h"

/*
 * The clients who are to be told of what has ended under the entry's lock that this
 * processor holds; it holds one at a time, with softirqs off, and takes the list away
 * before it lets go. Each stands in one such list at a time: who finds him in another's
 * need not tell him, for what he has to collect is in @ended before that one looks.
 */
static DEFINE_PER_CPU(struct weir_client *, told);

/* The order of the tree: those of one holder stand together. */
static bool before(struct rb_node *node, const struct rb_node *other)
{
	return rb_entry(node, struct weir_pending, node)->files <
	       rb_entry(other, struct weir_pending, node)->files;
}

static int compare(const void *files, const struct rb_node *node)
{
	const struct files_struct *other = rb_entry(node, struct weir_pending, node)->files;

	return files == other ? 0 : files < (const void *)other ? -1 : 1;
}

/**
 * weir_pending_begin - it waits from now on
 * @h: of the current task, in use; has none yet
 * @p: all but @ended and @next is set here
 *
 * Context: the object's lock is held that says when it ends.
 */
void weir_pending_begin(struct weir_hold *h, struct weir_pending *p)
{
	p->client = h->client;
	p->files = h->files;
	p->object = h->object;
	p->ended = false;
	spin_lock_bh(&h->client->hold_lock);
	/* hold_end() looks at @ended without locks: pairs with its dependency */
	smp_store_release(&h->pending, p);
	spin_unlock_bh(&h->client->hold_lock);
}

/**
 * weir_pending_end - it has ended, and waits to be collected
 * @p: in no queue any more
 *
 * Its holder's pollers are woken when the caller's lock is released: they may be
 * thousands. (Who began it and ended it at once wakes them for nothing.)
 *
 * Context: that lock, softirqs off; RCU read side beyond it.
 */
void weir_pending_end(struct weir_pending *p)
{
	struct weir_client *c = p->client;

	spin_lock(&c->hold_lock);
	WRITE_ONCE(p->ended, true);
	rb_add(&p->node, &c->ended, before);
	if (!c->is_told) {
		c->is_told = true;
		c->told_next = this_cpu_read(told);
		this_cpu_write(told, c);
	}
	spin_unlock(&c->hold_lock);
}

static void pending_remove(struct weir_hold *h, bool waiting)
{
	struct weir_client *c = h->client;
	struct weir_pending *p;

	spin_lock_bh(&c->hold_lock);
	p = h->pending;
	if (p && (p->ended || waiting)) {
		if (p->ended)
			rb_erase(&p->node, &c->ended);
		WRITE_ONCE(h->pending, NULL);
	} else {
		p = NULL;
	}
	spin_unlock_bh(&c->hold_lock);
	if (p)
		kfree_rcu(p, rcu);
}

/* It is collected, or taken back: it is in no queue any more. Locked as for its end. */
void weir_pending_drop(struct weir_hold *h)
{
	pending_remove(h, true);
}

/* If it has ended nobody will collect it: the object is dead, and this hold done with. */
void weir_pending_forget(struct weir_hold *h)
{
	pending_remove(h, false);
}

/* Whose has ended under the lock that is to be released; for weir_pending_wake(). */
struct weir_client *weir_pending_told(void)
{
	struct weir_client *first = this_cpu_read(told);

	if (first)
		this_cpu_write(told, NULL);
	return first;
}

/* Context: the RCU read side in which they ended, which keeps the clients; no locks. */
void weir_pending_wake(struct weir_client *c)
{
	struct weir_client *next;

	for (; c; c = next) {
		spin_lock_bh(&c->hold_lock);
		next = c->told_next;
		c->is_told = false;
		spin_unlock_bh(&c->hold_lock);
		weir_pollers_wake(&c->pollers, EPOLLOUT | EPOLLWRNORM);
	}
}

/* What has ended and is the current task's to collect; a reference to its object. */
static struct weir_object *object_ended(struct weir_client *c)
{
	struct weir_object *o = NULL;
	struct rb_node *node;

	spin_lock_bh(&c->hold_lock);
	node = rb_find(current->files, &c->ended, compare);
	if (node) {
		o = rb_entry(node, struct weir_pending, node)->object;
		kref_get(&o->ref);
	}
	spin_unlock_bh(&c->hold_lock);
	return o;
}

/**
 * weir_pending_poll - whether the current task has something to collect
 * @c: the client
 *
 * Pairs, by the lock of the queue of pollers, with weir_pending_wake(): the caller has
 * joined before he asks.
 *
 * Context: may sleep.
 */
__poll_t weir_pending_poll(struct weir_client *c)
{
	struct weir_object *o;
	bool lost = true;

	while (lost && !RB_EMPTY_ROOT(&c->ended)) {
		o = object_ended(c);
		if (!o)
			break;
		/* of one that is deleted nobody can ask any more who has no handle */
		lost = !weir_object_alive(o) && !weir_handle_leads_to(c, o);
		if (lost)
			weir_hold_forget(c, o, current->files);
		weir_object_put(o);
	}
	return lost ? 0 : EPOLLOUT | EPOLLWRNORM;
}
