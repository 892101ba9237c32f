/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds: what one holder has of one key, to be given back when he is gone.
 *
 * A holder is an open file (a client) in one table of descriptors: the threads of a
 * process share it, a forked child has another. He is gone when that table has no
 * descriptor for the file any more: closed by hand, by exec, or because the process
 * died, by whatever signal, which is before its parent can reap it (the kernel
 * closes the files of a process before it tells of its death). When the file
 * itself goes all that is left is given back: then nobody has a descriptor.
 *
 * Several descriptors of one file in one table are one holder; giving back comes
 * with the last of them.
 *
 * An object may end a hold itself (weir_hold_drop()), if it remembers which one a key
 * has: one that leads to it does so as long as the entry says so, under its lock.
 */
#ifndef _WEIR_HOLD_H
#define _WEIR_HOLD_H

#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct files_struct;
struct weir_client;
struct weir_entry;
struct weir_object;
struct weir_pending;

/**
 * struct weir_hold - what a holder has of a key
 *
 * C: the client's hold_lock. E: the entry's lock. I: constant.
 *
 * @node:	C: in the client's tree, until it goes
 * @client:	I: whose tree
 * @files:	I: the holder's table of descriptors; compared, never followed
 * @object:	I: a reference to its header
 * @entry:	I: the key's; good under RCU while @object is alive and @n is not 0, or
 *		with @users or @pending; as long as that waits though @object is dead
 * @users:	C: operations that use this hold now; who sleeps is one
 * @doubt:	C: nobody has looked for the holder's descriptor since this was made, or
 *		since one was closed; so whoever gets something has to
 * @n:		E: what he holds, in units of the kind of object
 * @ticket:	E: breakers: of the last probe he was admitted as
 * @pending:	C to write; while @object is alive E, too: what he has asked for, and not
 *		collected; READ_ONCE()
 * @rcu:	of one that goes though something is held: its object is dead, and who saw
 *		it alive may look at this still
 */
struct weir_hold {
	struct rb_node		node;
	struct weir_client	*client;
	struct files_struct	*files;
	struct weir_object	*object;
	struct weir_entry	*entry;
	u32			users : 31;
	u32			doubt : 1;
	u32			n;
	u64			ticket;
	struct weir_pending	*pending;
	struct rcu_head		rcu;
};

struct weir_hold *weir_hold_new(void);
void weir_hold_discard(struct weir_hold *new);
struct weir_hold *weir_hold_get(struct weir_client *c, struct weir_object *o,
				struct weir_entry *e, struct weir_hold **new);
void weir_hold_put(struct weir_client *c, struct weir_hold *h);
void weir_hold_drop(struct weir_hold *h);
bool weir_hold_alone(void);
bool weir_hold_gone(struct weir_client *c, struct weir_hold *h);
void weir_hold_flush(struct weir_client *c, struct files_struct *files);
void weir_hold_forget(struct weir_client *c, struct weir_object *o,
		      const struct files_struct *files);
void weir_hold_close(struct weir_client *c);

#endif /* _WEIR_HOLD_H */
