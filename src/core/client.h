/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client: one open file of /dev/weir, with its handles (handle.h) and its place in the event
 * stream. Every process that has the file shares the client.
 */
#ifndef _WEIR_CLIENT_H
#define _WEIR_CLIENT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "core/cred.h"
#include "core/event.h"

struct cred;
struct file;

/**
 * struct weir_client - one open file
 *
 * @handles:	the handles by number; changed under the lock of this xarray, read under RCU
 * @next:	under the same lock: where the search for a free number begins. Numbers
 *		ascend, so the number of a closed handle is not reused soon.
 * @nr:		handles that exist or are reserved, at most WEIR_HANDLES_MAX
 * @shut:	@lock to write, READ_ONCE(): WEIR_IOC_SHUTDOWN was called
 * @writable:	the file was opened for writing; constant
 * @cred:	credentials of the open, by which all rights are decided; constant
 * @ns:		namespace of the user that opened the file; constant
 * @restricted:	WEIR_RESTRICT_* powers given up; bits are only ever set
 * @event_lock:	serializes readers of events
 * @own_events:	position in the stream of @ns
 * @other_events: position in another stream, if one was chosen; written under
 *		@event_lock. A poller may wait there until the file is released.
 * @other_ns:	namespace of that stream; written under @event_lock
 * @events:	the one of these two positions that is read; written under @event_lock
 * @file:	the open file; constant
 * @lock:	protects the members down to @in_wake_list, and members of grants and requests (see
 *		grant.h, request.h); taken inside an entry's lock
 * @grants:	the grants of its holders
 * @sleepers:	requests that are not asynchronous
 * @requests:	requests that are not collected, at most WEIR_REQUESTS_MAX
 * @ended:	the requests that have ended, in the order in which they ended; list_empty() is
 *		called without the lock
 * @ended_tags:	the same requests, by tag
 * @in_wake_list: the client is in a wake list, and its pollers will be woken
 * @wake_node:	node in the wake list
 * @pollers:	woken when a request has ended, by events, and by SHUTDOWN
 * @rcu:	a task that ends a grant or a request may still hold the lock
 */
struct weir_client {
	struct xarray handles;
	u32 next;
	atomic_t nr;
	bool shut;
	bool writable;
	const struct cred *cred;
	struct weir_namespace *ns;
	atomic_t restricted;
	struct mutex event_lock;	/* one reader at a time */
	struct weir_event_reader own_events;
	struct weir_event_reader other_events;
	struct weir_namespace *other_ns;
	struct weir_event_reader *events;
	struct file *file;
	spinlock_t lock;		/* grants, requests */
	struct rb_root grants;
	struct list_head sleepers;
	u32 requests;
	struct list_head ended;
	struct rb_root ended_tags;
	bool in_wake_list;
	struct llist_node wake_node;
	wait_queue_head_t pollers;
	struct rcu_head rcu;
};

struct weir_client *weir_client_open(struct file *file);
int weir_client_copy(struct weir_client *to, struct weir_client *from);
void weir_client_close(struct weir_client *c);
int weir_client_events(struct weir_client *c, kuid_t owner);

/* Whether the client has CAP_SYS_ADMIN. */
static inline bool weir_client_admin(const struct weir_client *c)
{
	return weir_cred_admin(c->cred);
}

/* The position in the stream that the client reads. */
static inline struct weir_event_reader *weir_client_reader(struct weir_client *c)
{
	/* pairs with the release in weir_client_events(): the members are initialized */
	return smp_load_acquire(&c->events);
}

/* Whether the client has given up a power. */
static inline bool weir_client_lacks(const struct weir_client *c, u32 powers)
{
	return atomic_read(&c->restricted) & powers;
}

#endif /* _WEIR_CLIENT_H */
