// SPDX-License-Identifier: GPL-2.0-only
/* Requests, and the tasks that are woken when they end. See request.h. */

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include <uapi/linux/weir.h>

#include "core/client.h"
#include "core/grant.h"
#include "core/object.h"
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

/* ------------------------------------------------------------ waiting; entry locked */

/*
 * Add a request to the list of its object. The lock makes sure that weir_request_kick_all() finds
 * each request that has seen the object alive.
 */
static int waiting_add(struct weir_request *r)
{
	struct weir_object *o = r->object;
	int err = 0;

	spin_lock_bh(&o->grant_lock);
	if (weir_object_alive(o))
		list_add_tail(&r->waiting, &o->waiting);
	else
		err = -ENODEV;
	spin_unlock_bh(&o->grant_lock);
	return err;
}

static void waiting_del(struct weir_request *r)
{
	spin_lock_bh(&r->object->grant_lock);
	list_del(&r->waiting);
	spin_unlock_bh(&r->object->grant_lock);
}

/* Add a request to its client. */
static int client_add(struct weir_request *r)
{
	struct weir_client *c = r->client;
	int err = 0;

	spin_lock_bh(&c->lock);
	if (c->shut)
		err = -EBADF;
	else if (r->task)
		list_add(&r->asleep, &c->sleepers);
	else if (c->requests < WEIR_REQUESTS_MAX)
		c->requests++;
	else
		err = -EMFILE;
	spin_unlock_bh(&c->lock);
	return err;
}

static void client_del(struct weir_request *r)
{
	struct weir_client *c = r->client;

	spin_lock_bh(&c->lock);
	if (r->task)
		list_del(&r->asleep);
	else
		c->requests--;
	spin_unlock_bh(&c->lock);
}

/* Let the grant know of its request. */
static void grant_attach(struct weir_request *r)
{
	struct weir_grant *g = r->grant;

	if (!r->task)
		/* pairs with the acquire in grant_step() */
		smp_store_release(&g->request, r);
	else if (g)
		g->sleepers++;
}

static void grant_detach(struct weir_request *r)
{
	struct weir_grant *g = r->grant;

	if (!r->task)
		/* pairs with the acquire in grant_step(): a closing client finds it in @ended */
		smp_store_release(&g->request, NULL);
	else if (g)
		g->sleepers--;
}

/**
 * weir_request_begin - let a request wait
 * @r: the request, with its op, its client and the task that will sleep
 * @o: the object
 * @e: the key's entry, which must be locked
 * @g: the holder's grant; if the request is asynchronous, a grant without a request; otherwise it
 *	may be NULL
 *
 * The grant does not end while the request waits.
 *
 * Return: 0; -ENODEV: the object is dead; -EBADF: the client is shut down; -EMFILE: it has
 * WEIR_REQUESTS_MAX requests.
 */
int weir_request_begin(struct weir_request *r, struct weir_object *o, struct weir_entry *e,
		       struct weir_grant *g)
{
	int err;

	/* all set before weir_request_kick_all() can find it */
	r->object = o;
	r->grant = g;
	r->entry = e;
	err = waiting_add(r);
	if (err)
		return err;
	err = client_add(r);
	if (err) {
		waiting_del(r);
		return err;
	}
	grant_attach(r);
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

/*
 * Hand an asynchronous request over to its client. The client's pollers are woken after the caller
 * has dropped the entry lock, because there may be many.
 */
static void ended_add(struct weir_request *r)
{
	struct weir_client *c = r->client;

	spin_lock_bh(&c->lock);
	list_add_tail(&r->node, &c->ended);
	rb_add(&r->by_tag, &c->ended_tags, tag_is_less);
	if (!c->in_wake_list) {
		c->in_wake_list = true;
		llist_add(&c->wake_node, this_cpu_ptr(&wake_list));
	}
	spin_unlock_bh(&c->lock);
}

static void sleeper_wake(struct weir_request *r)
{
	struct task_struct *task = r->task;

	get_task_struct(task);
	/* pairs with the acquire in weir_request_has_ended() */
	smp_store_release(&r->done, true);
	wake_up_process(task);
	put_task_struct(task);
}

/**
 * weir_request_end - end a request
 * @r: the request, in no queue and in no tree of deadlines any more; if @err is 0, its op has the
 *	answer
 * @err: 0, or the errno that is its result
 *
 * From this call on the request may be freed, after a grace period of RCU. Its grant ends if the
 * holder has nothing of the key.
 *
 * Context: the entry must be locked; RCU read side that ends after the unlock.
 */
void weir_request_end(struct weir_request *r, int err)
{
	struct weir_object *o = r->object;
	struct weir_grant *g = r->grant;

	r->op.result = err;
	/*
	 * One step for weir_request_kick_all() and the end of an object: a request in the list of
	 * its object cannot be collected and freed, and a grant has no other request.
	 */
	spin_lock_bh(&o->grant_lock);
	if (r->task)
		client_del(r);
	else
		ended_add(r);
	grant_detach(r);
	list_del(&r->waiting);
	spin_unlock_bh(&o->grant_lock);
	if (g)
		weir_grant_put(g);
	if (r->task)
		sleeper_wake(r);
}

/**
 * weir_request_drop - end a request without an answer
 * @r: the request, in no queue and in no tree of deadlines any more. An asynchronous request is
 *	freed.
 *
 * Context: the entry must be locked. The caller ends the grant with weir_grant_put().
 */
void weir_request_drop(struct weir_request *r)
{
	grant_detach(r);
	waiting_del(r);
	client_del(r);
	if (!r->task)
		kfree_rcu(r, rcu);
}

/* ------------------------------------------------------------ waiting; from outside */

/**
 * weir_request_sleep - sleep until a request has ended or must be withdrawn
 * @r: the caller's request
 *
 * Return: 0: it has ended; otherwise the reason to withdraw it if it has not ended meanwhile:
 * -EBADF, the client is shut down, or -EINTR, the caller has a signal.
 */
int weir_request_sleep(struct weir_request *r)
{
	int err = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(r->client->shut))
			err = -EBADF;
		else if (signal_pending(current))
			err = -EINTR;
		if (err || READ_ONCE(r->done))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return weir_request_has_ended(r) ? 0 : err;
}

/* Refuse new requests of a client, and wake the callers that sleep. Context: may sleep. */
void weir_request_shutdown(struct weir_client *c)
{
	struct weir_request *r;
	LIST_HEAD(all);

	spin_lock_bh(&c->lock);
	WRITE_ONCE(c->shut, true);
	list_splice_init(&c->sleepers, &all);
	do {
		r = list_first_entry_or_null(&all, struct weir_request, asleep);
		if (r) {
			list_move(&r->asleep, &c->sleepers);
			wake_up_process(r->task);
		}
		spin_unlock_bh(&c->lock);
		cond_resched();
		spin_lock_bh(&c->lock);
	} while (r);
	spin_unlock_bh(&c->lock);
	weir_pollers_wake(&c->pollers, EPOLLHUP);
}

/* Free a request that belongs to its caller. */
void weir_request_free(struct weir_request *r)
{
	if (r->entry)
		kfree_rcu(r, rcu);
	else
		kfree(r);
}

/**
 * weir_request_kick_all - check all requests that wait at an object
 * @o: the object, which has changed or is dead
 * @look: checks one request and ends it if necessary. The request and its entry exist, because
 *	@look is called in the RCU read side in which the request was found in the list of the
 *	object; but it may have ended meanwhile.
 *
 * Context: process; may sleep. The caller keeps the object.
 */
void weir_request_kick_all(struct weir_object *o, void (*look)(struct weir_request *r))
{
	struct weir_request *r;
	LIST_HEAD(all);

	/* requests may end while they are in @all; a request that begins now has seen the change */
	spin_lock_bh(&o->grant_lock);
	list_splice_init(&o->waiting, &all);
	spin_unlock_bh(&o->grant_lock);
	do {
		rcu_read_lock();
		spin_lock_bh(&o->grant_lock);
		r = list_first_entry_or_null(&all, struct weir_request, waiting);
		if (r)
			list_move_tail(&r->waiting, &o->waiting);
		spin_unlock_bh(&o->grant_lock);
		if (r)
			look(r);
		rcu_read_unlock();
		cond_resched();
	} while (r);
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
 * Free the ended requests of a client that has no holder left and that no other task uses. Context:
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
 * Return: the events of a client that has something to collect or is shut down. The caller must
 * have joined the queue of pollers before: the lock of that queue pairs with weir_request_wake().
 */
__poll_t weir_request_poll(struct weir_client *c)
{
	return (!list_empty(&c->ended) ? EPOLLOUT | EPOLLWRNORM : 0) |
	       (READ_ONCE(c->shut) ? EPOLLHUP : 0);
}
