/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client: one open of /dev/weir, with its handles and its place in the event
 * stream. Threads and forked children that share the file share the client.
 */
#ifndef _WEIR_CLIENT_H
#define _WEIR_CLIENT_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct file;
struct weir_object;

#define WEIR_HANDLES_MAX	65536

/**
 * struct weir_handle - a client's reference to an object
 * @object:	holds a reference to its header
 * @id:		its number
 * @rights:	WEIR_RIGHT_*, decided when the handle was made
 * @rcu:	operations look handles up without a lock
 */
struct weir_handle {
	struct weir_object *object;
	u32 id;
	u32 rights;
	struct rcu_head rcu;
};

/**
 * struct weir_client - one open file
 *
 * @handles:	by number; its own lock to change, RCU to look up
 * @next:	under that lock: where the next number is looked for. Numbers are
 *		handed out upwards and so one closed is long unused.
 * @nr:		handles there are or are about to be, at most WEIR_HANDLES_MAX
 * @writable:	the file was opened for writing; constant
 * @event_lock:	one reader at a time
 * @event_next:	number of the next event to read; written under @event_lock with
 *		WRITE_ONCE(), and by poll() with cmpxchg(), which moves it past
 *		what this reader may not see
 * @file:	constant; there as long as the client is
 * @fd:		a descriptor that it had in some table: where to look first
 * @hold_lock:	the trees, and what hold.h and pending.h say; inside an entry's lock
 * @holds:	what its holders have, see hold.h
 * @ended:	what they have to collect, see pending.h
 * @is_told:	it is in a list of those whose pollers are to be woken; @hold_lock
 * @told_next:	the next one there; his who has put it there
 * @pollers:	who polls; woken for that
 * @rcu:	who ends a hold may still be at its lock
 */
struct weir_client {
	struct xarray handles;
	u32 next;
	atomic_t nr;
	bool writable;
	struct mutex event_lock;	/* one reader at a time */
	u64 event_next;
	const struct file *file;
	unsigned int fd;
	spinlock_t hold_lock;		/* holds, ended */
	struct rb_root holds;
	struct rb_root ended;
	bool is_told;
	struct weir_client *told_next;
	wait_queue_head_t pollers;
	struct rcu_head rcu;
};

struct weir_client *weir_client_open(struct file *file);
void weir_client_close(struct weir_client *c);

struct weir_handle *weir_handle_reserve(struct weir_client *c, u32 rights);
void weir_handle_cancel(struct weir_client *c, struct weir_handle *h);
void weir_handle_bind(struct weir_client *c, struct weir_handle *h,
		      struct weir_object *o);
int weir_handle_close(struct weir_client *c, u32 id);
void weir_handle_told_dead(struct weir_client *c, u32 id);
bool weir_handle_leads_to(struct weir_client *c, const struct weir_object *o);
struct weir_object *weir_handle_object(struct weir_client *c, u32 id, u32 rights);

/* Context: RCU read side. */
static inline struct weir_handle *weir_handle_find(struct weir_client *c, u32 id)
{
	return xa_load(&c->handles, id);
}

#endif /* _WEIR_CLIENT_H */
