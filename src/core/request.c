// SPDX-License-Identifier: GPL-2.0-only
/* Queued requests, and the pollers that are woken when they end. See request.h. */

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <uapi/linux/weir.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/handle.h"
#include "core/pollers.h"
#include "core/request.h"

/*
 * Clients with requests that have ended under an entry lock that is held on this CPU. The list
 * is detached before the lock is dropped. A client is in one such list at a time: the task that
 * wakes it counts all requests that have ended by then.
 *
 * On PREEMPT_RT a holder may be preempted by the holder of another entry's lock, which then
 * detaches, and wakes, the clients of both. So the list is lockless; and a client there stays
 * for its RCU read side too, because the first holder has not dropped its entry lock.
 */
static DEFINE_PER_CPU(struct llist_head, wake_list);

/**
 * weir_request_begin - a request waits from now on
 * @c: the client
 * @handle: the handle it is made with
 * @g: the holder's grant, which has no request
 * @r: the request
 *
 * Context: the entry is locked.
 * Return: 0; -EMFILE: the client has WEIR_REQUESTS_MAX.
 */
int weir_request_begin(struct weir_client *c, u32 handle, struct weir_grant *g,
		       struct weir_request *r)
{
	bool full;

	spin_lock_bh(&c->lock);
	full = c->requests == WEIR_REQUESTS_MAX;
	if (!full)
		c->requests++;
	spin_unlock_bh(&c->lock);
	if (full)
		return -EMFILE;
	r->client = c;
	r->handle = handle;
	r->ended = false;
	/* pairs with the acquire in grant_step() */
	smp_store_release(&g->request, r);
	return 0;
}

/**
 * weir_request_end - a request has ended, and waits to be collected
 * @r: in no queue any more
 *
 * The client's pollers are woken when the caller drops the lock: there may be many.
 * (A request that ends as it begins wakes them for nothing.)
 *
 * Context: the entry is locked; RCU read side beyond it.
 */
void weir_request_end(struct weir_request *r)
{
	struct weir_client *c = r->client;

	WRITE_ONCE(r->ended, true);
	spin_lock(&c->lock);
	WRITE_ONCE(c->ended, c->ended + 1);
	if (!c->in_wake_list) {
		c->in_wake_list = true;
		llist_add(&c->wake_node, this_cpu_ptr(&wake_list));
	}
	spin_unlock(&c->lock);
}

static void request_forget(struct weir_client *c, const struct weir_request *r)
{
	lockdep_assert_held(&c->lock);
	c->requests--;
	if (r->ended)
		WRITE_ONCE(c->ended, c->ended - 1);
}

/* The request is collected, or cancelled: it is in no queue any more. Entry locked. */
void weir_request_drop(struct weir_grant *g)
{
	struct weir_request *r = g->request;
	struct weir_client *c = r->client;

	WRITE_ONCE(g->request, NULL);
	spin_lock_bh(&c->lock);
	request_forget(c, r);
	spin_unlock_bh(&c->lock);
	kfree_rcu(r, rcu);
}

/**
 * weir_request_orphan - the object is dead, and its storage will be freed
 * @g: the grant, whose request has ended
 *
 * What is left of the request is that it counts, until its handle is closed. Closing removes
 * the handle before it locks the client: a request of a closed handle does not count.
 *
 * Context: the entry is locked; RCU read side.
 */
void weir_request_orphan(struct weir_grant *g)
{
	struct weir_request *r = g->request;
	struct weir_client *c = r->client;
	struct weir_handle *h;

	spin_lock_bh(&c->lock);
	h = weir_handle_find(c, r->handle);
	if (h)
		h->requests++;
	else
		request_forget(c, r);
	spin_unlock_bh(&c->lock);
	/* pairs with the acquire in grant_step() */
	smp_store_release(&g->request, NULL);
	kfree_rcu(r, rcu);
}

/* The handle is closed, and so its requests are collected whose object is gone. */
void weir_request_handle_closed(struct weir_client *c, const struct weir_handle *h)
{
	spin_lock_bh(&c->lock);
	c->requests -= h->requests;
	WRITE_ONCE(c->ended, c->ended - h->requests);
	spin_unlock_bh(&c->lock);
}

/* Detach this CPU's wake list; call before dropping the entry lock. */
struct llist_node *weir_request_wake_list(void)
{
	struct llist_head *list = this_cpu_ptr(&wake_list);

	return llist_empty(list) ? NULL : llist_del_all(list);
}

/* Context: the RCU read side in which requests ended, which keeps the clients; no locks. */
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
 * Whether the client has something to collect. The caller has joined the queue of
 * pollers: pairs, by its lock, with weir_request_wake().
 */
__poll_t weir_request_poll(struct weir_client *c)
{
	return READ_ONCE(c->ended) ? EPOLLOUT | EPOLLWRNORM : 0;
}
