/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handles: a client's references to objects, each with rights that were checked once, at open.
 *
 * A handle takes 64 bytes, and 9 bytes of an array: with WEIR_HANDLES_MAX handles, 4.6 MiB for each
 * open file. As for open files, there is no cap per user. The memory is charged to the memory
 * cgroup of the task that opens the object. A handle also keeps the header of a deleted object,
 * which is charged to the cgroup of the task that created it.
 */
#ifndef _WEIR_HANDLE_H
#define _WEIR_HANDLE_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "core/client.h"

struct weir_object;

#define WEIR_HANDLES_MAX	65536

/**
 * struct weir_handle - a client's reference to an object
 * @object:	holds a reference to its header
 * @id:		its number
 * @rights:	WEIR_RIGHT_*, decided when the handle was made; bits are only ever cleared
 * @rcu:	operations look handles up without a lock
 */
struct weir_handle {
	struct weir_object *object;
	u32 id;
	u32 rights;
	struct rcu_head rcu;
};

struct weir_handle *weir_handle_reserve(struct weir_client *c, u32 rights);
void weir_handle_cancel(struct weir_client *c, struct weir_handle *h);
void weir_handle_bind(struct weir_client *c, struct weir_handle *h,
		      struct weir_object *o);
int weir_handle_narrow(struct weir_client *c, u32 id, u32 rights);
int weir_handle_close(struct weir_client *c, u32 id);
struct weir_object *weir_handle_object(struct weir_client *c, u32 id, u32 rights);
int weir_handle_copy(struct weir_client *to, struct weir_client *from);
void weir_handle_end(struct weir_client *c);

/* Context: RCU read side. */
static inline struct weir_handle *weir_handle_find(struct weir_client *c, u32 id)
{
	return xa_load(&c->handles, id);
}

#endif /* _WEIR_HANDLE_H */
