// SPDX-License-Identifier: GPL-2.0-only
/* Requests, and the pollers that are woken when they end. See request.h. */

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include <uapi/linux/weir.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/pollers.h"
#include "core/request.h"

#define STEP	64	/* requests moved or freed while the client's lock is held once */

/*
 * The clients of the requests that have ended while an entry lock is held on this CPU. The list is
 * detached before the entry lock is dropped; the clients' pollers are woken afterwards. A client is
 * in one such list at a time: the task that wakes its pollers does so for all requests that have
 * ended by then.
 *
 * On PREEMPT_RT a task that holds an entry lock may be preempted by a task that holds the lock of
 * another entry. The second task then detaches the list with the clients of both, and wakes their
 * pollers. Therefore the list is lockless, and clients are freed after two grace periods: see
 * weir_client_close().
 */
static DEFINE_PER_CPU(struct llist_head, wake_list);

/**
 * weir_request_begin - let a request wait
 * @g: the holder's grant, which has no request
 * @r: the request, with its op and its client
 *
 * Context: the entry must be locked.
 * Return: 0; -EMFILE: the client has WEIR_REQUESTS_MAX requests.
 */
int weir_request_begin(struct weir_grant *g, struct weir_request *r)
{
	struct weir_client *c = r->client;
	bool full;

	spin_lock_bh(&c->lock);
	full = c->requests == WEIR_REQUESTS_MAX;
	if (!full)
		c->requests++;
	spin_unlock_bh(&c->lock);
	if (full)
		return -EMFILE;
	/* pairs with the acquire in grant_step() */
	smp_store_release(&g->request, r);
	return 0;
}

static u32 tag_of(const struct rb_node *node)
{
	return rb_entry(node, struct weir_request, by_tag)->op.tag;
}

static bool tag_is_less(struct rb_node *node, const struct rb_node *other)
{
	return tag_of(node) < tag_of(other);
}

static int tag_compare(const void *tag, const struct rb_node *node)
{
	u32 mine = *(const u32 *)tag, other = tag_of(node);

	return mine < other ? -1 : mine > other;
}

/**
 * weir_request_end - end a request, which has its answer and can now be collected
 * @g: the grant to which the request belongs; the request is in no queue and in no tree of
 *	deadlines any more
 *
 * The client's pollers are woken after the caller has dropped the entry lock, because there may be
 * many. From this call on the request may be freed, after a grace period of RCU.
 *
 * Context: the entry must be locked; RCU read side that ends after the unlock.
 */
void weir_request_end(struct weir_grant *g)
{
	struct weir_request *r = g->request;
	struct weir_client *c = r->client;

	spin_lock(&c->lock);
	list_add_tail(&r->node, &c->ended);
	rb_add(&r->by_tag, &c->ended_tags, tag_is_less);
	if (!c->in_wake_list) {
		c->in_wake_list = true;
		llist_add(&c->wake_node, this_cpu_ptr(&wake_list));
	}
	spin_unlock(&c->lock);
	/* pairs with the acquire in grant_step(): a client that closes finds @r in @ended */
	smp_store_release(&g->request, NULL);
}

/* Free a request that was cancelled and has left its queue. The entry must be locked. */
void weir_request_drop(struct weir_grant *g)
{
	struct weir_request *r = g->request;
	struct weir_client *c = r->client;

	WRITE_ONCE(g->request, NULL);
	spin_lock_bh(&c->lock);
	c->requests--;
	spin_unlock_bh(&c->lock);
	kfree_rcu(r, rcu);
}

/* ------------------------------------------------------------ ended requests */

/* Move up to @most requests, those that ended first, to @to. Return: their number. */
static u32 ended_take(struct weir_client *c, struct list_head *to, u32 most)
{
	struct weir_request *r;
	u32 n;

	spin_lock_bh(&c->lock);
	for (n = 0; n < most; n++) {
		r = list_first_entry_or_null(&c->ended, struct weir_request, node);
		if (!r)
			break;
		rb_erase(&r->by_tag, &c->ended_tags);
		list_move_tail(&r->node, to);
	}
	spin_unlock_bh(&c->lock);
	return n;
}

/* Put requests that could not be written to the user back: they can be collected again. */
static void ended_return(struct weir_client *c, struct list_head *from)
{
	struct weir_request *r;

	spin_lock_bh(&c->lock);
	list_for_each_entry(r, from, node)
		rb_add(&r->by_tag, &c->ended_tags, tag_is_less);
	list_splice(from, &c->ended);
	spin_unlock_bh(&c->lock);
	weir_pollers_wake(&c->pollers, EPOLLOUT | EPOLLWRNORM);
}

/*
 * Write the ops of the requests at @taken to the user. Free the requests that were written. Return:
 * their number.
 */
static u32 hand_out(struct list_head *taken, struct weir_op __user *ops)
{
	struct weir_request *r, *next;
	u32 n = 0;

	list_for_each_entry_safe(r, next, taken, node) {
		if (copy_to_user(&ops[n], &r->op, sizeof(r->op)))
			break;
		list_del(&r->node);
		kfree_rcu(r, rcu);
		n++;
	}
	return n;
}

/**
 * weir_request_collect - write the requests that have ended to the user
 * @c: the client
 * @ops: the user's array
 * @room: the number of ops that fit in the array
 *
 * Context: may sleep, but only to access the user's memory.
 * Return: the number of ops written; -EFAULT: none could be written.
 */
int weir_request_collect(struct weir_client *c, struct weir_op __user *ops, u32 room)
{
	u32 done = 0, taken, written;
	LIST_HEAD(list);

	do {
		taken = ended_take(c, &list, min_t(u32, room - done, STEP));
		written = hand_out(&list, ops + done);
		done += written;
		spin_lock_bh(&c->lock);
		c->requests -= written;
		spin_unlock_bh(&c->lock);
		cond_resched();
	} while (taken && written == taken && done < room);
	if (written < taken) {
		ended_return(c, &list);
		return done ?: -EFAULT;
	}
	return done;
}

/* Free the ended requests of one holder. Context: may sleep. */
void weir_request_drop_tag(struct weir_client *c, u32 tag)
{
	struct weir_request *r;
	struct rb_node *node;
	unsigned int n;

	do {
		spin_lock_bh(&c->lock);
		for (n = 0; n < STEP; n++) {
			node = rb_find(&tag, &c->ended_tags, tag_compare);
			if (!node)
				break;
			r = rb_entry(node, struct weir_request, by_tag);
			rb_erase(&r->by_tag, &c->ended_tags);
			list_del(&r->node);
			c->requests--;
			kfree_rcu(r, rcu);
		}
		spin_unlock_bh(&c->lock);
		cond_resched();
	} while (n == STEP);
}

/*
 * Free the ended requests of a client that has no holder left and that nobody else uses. Context:
 * may sleep.
 */
void weir_request_close(struct weir_client *c)
{
	struct weir_request *r, *next;

	list_for_each_entry_safe(r, next, &c->ended, node) {
		kfree_rcu(r, rcu);
		cond_resched();
	}
}

/* ------------------------------------------------------------ pollers */

/* Detach this CPU's wake list. To be called before the entry lock is dropped. */
struct llist_node *weir_request_wake_list(void)
{
	struct llist_head *list = this_cpu_ptr(&wake_list);

	return llist_empty(list) ? NULL : llist_del_all(list);
}

/*
 * Wake the pollers of the clients in a list. Context: the RCU read side in which the requests
 * ended, which keeps the clients; no locks held.
 */
void weir_request_wake(struct llist_node *first)
{
	struct weir_client *c, *next;

	llist_for_each_entry_safe(c, next, first, wake_node) {
		spin_lock_bh(&c->lock);
		c->in_wake_list = false;
		spin_unlock_bh(&c->lock);
		weir_pollers_wake(&c->pollers, EPOLLOUT | EPOLLWRNORM);
	}
}

/*
 * Return: the events of a client that has something to collect; or 0. The caller must have joined
 * the queue of pollers before: the lock of that queue pairs with weir_request_wake().
 */
__poll_t weir_request_poll(struct weir_client *c)
{
	return !list_empty(&c->ended) ? EPOLLOUT | EPOLLWRNORM : 0;
}
