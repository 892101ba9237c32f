/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests: operations that wait in a queue of an object. The caller sleeps until its request ends,
 * or collects the answer of an asynchronous request later.
 *
 * The life of a request:
 *
 *  1. It waits in a queue of the object, whose locks decide when the wait is over. An asynchronous
 *     request belongs to a grant (grant.h), which has at most one. While a request waits, a dying
 *     object keeps its storage (object.h): phase 1 does not end before all requests have ended.
 *  2. It ends, granted or not, and has its answer. From then on its grant and its object may be
 *     freed. The caller that sleeps is woken. An asynchronous request now belongs to the client
 *     only, and poll() on the client's file reports POLLOUT.
 *  3. The caller that slept frees the request. For an asynchronous request, WEIR_IOC_COLLECT writes
 *     the answer to the user and frees it. If the tag is dropped or the file is released before
 *     that, the request is freed without being collected.
 *
 * A request that waits can also be dropped: it leaves the queue without an answer.
 */
#ifndef _WEIR_REQUEST_H
#define _WEIR_REQUEST_H

#include <linux/list.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include <uapi/linux/weir.h>

struct llist_node;
struct task_struct;
struct weir_client;
struct weir_entry;
struct weir_grant;
struct weir_object;

/**
 * struct weir_request - a request; the first member of a larger struct, which is freed with it
 *
 * C: the client's lock. E: the entry's lock. I: constant once the request waits. O: the object's
 * grant_lock.
 *
 * @op:	I for the fields that the caller wrote; E for the answer, until the request ends
 * @client:	I: the holder's client
 * @task:	I: the caller that sleeps; NULL: the request is asynchronous
 * @object:	I: valid while the request waits
 * @entry:	I: the key's entry, valid while the request waits; NULL: no other task has seen the
 *	request
 * @grant:	I: the holder's grant, valid while the request waits; NULL: there is none, for a
 *	RESERVE that is not asynchronous
 * @done:	for a caller that sleeps: the request has ended; written last, with the entry locked
 * @asleep:	C: in @sleepers of the client, while the caller sleeps
 * @by_tag:	C: in @ended_tags of the client, once an asynchronous request has ended
 * @waiting:	O: in @waiting of the object while the request waits
 * @node:	C: in @ended of the client, once an asynchronous request has ended
 * @rcu:	delays the free: a task that found the request in a queue may still read it
 */
struct weir_request {
	struct weir_op		op;
	struct weir_client	*client;
	struct task_struct	*task;
	struct weir_object	*object;
	struct weir_entry	*entry;
	struct weir_grant	*grant;
	bool			done;
	struct list_head	waiting;
	union {
		struct list_head	asleep;
		struct rb_node		by_tag;
	};
	union {
		struct list_head	node;
		struct rcu_head		rcu;
	};
};

int weir_request_begin(struct weir_request *r, struct weir_object *o, struct weir_entry *e,
		       struct weir_grant *g);
void weir_request_end(struct weir_request *r, int err);
void weir_request_drop(struct weir_request *r);
int weir_request_sleep(struct weir_request *r);
void weir_request_free(struct weir_request *r);
void weir_request_kick_all(struct weir_object *o, void (*look)(struct weir_request *r));
int weir_request_collect(struct weir_client *c, struct weir_op __user *ops, u32 room);
void weir_request_drop_tag(struct weir_client *c, u32 tag);
void weir_request_shutdown(struct weir_client *c);
void weir_request_close(struct weir_client *c);
struct llist_node *weir_request_wake_list(void);
void weir_request_wake(struct llist_node *first);
__poll_t weir_request_poll(struct weir_client *c);

/* Whether the request of a caller that sleeps has ended and has its answer. */
static inline bool weir_request_has_ended(const struct weir_request *r)
{
	/* pairs with the release in sleeper_wake() */
	return smp_load_acquire(&r->done);
}

#endif /* _WEIR_REQUEST_H */
