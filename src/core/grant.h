/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants: what one holder has of one key.
 *
 * A holder is a client (an open file) and a tag. A grant exists while the holder has something
 * of the key or a request that waits for it. What the holder has ends in one of four ways:
 *
 * - the holder gives back the last of it;
 * - the object ends it, for example when a lease expires;
 * - its tag is dropped, or the last reference to the open file is gone: then
 *   &weir_kind_ops.give_back takes back what the holder has;
 * - its object is deleted: a worker ends all grants of the object before it frees the storage.
 *
 * A grant is in two places: in its client's tree, where its holder finds it, and in its object's
 * list. The task that removes it from that list frees it. If a walker over the tree has the grant
 * pinned at that time, the walker frees it instead.
 *
 * The number of grants of a user's files is capped (max_grants_per_uid): see weir_grant_charge().
 * Grants of leases do not count: each has a key, and keys are capped.
 */
#ifndef _WEIR_GRANT_H
#define _WEIR_GRANT_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct weir_client;
struct weir_entry;
struct weir_object;
struct weir_request;

/**
 * struct weir_grant - what one holder has of one key
 *
 * C: the client's lock. E: the entry's lock. O: the object's grant_lock. I: constant.
 *
 * @node:	C: node in the client's tree while @client is set
 * @client:	C to write: the client whose tree has the grant; NULL: the grant has left the tree.
 *	A client read here under RCU stays until the end of the read side.
 * @object:	I: valid while the grant is in the tree or the list, and under RCU after
 *	that
 * @entry:	I: the key's entry; valid under RCU while @object is alive or @request is set
 * @all:	O: node in the object's list of grants
 * @n:	E: what the holder has, in units of the object's kind
 * @tag:	I: the holder's tag
 * @pins:	C: number of walkers that use the grant
 * @charged:	C: the grant counts towards the cap of the client's namespace; before the grant is
 *		in the tree, the task that allocated it owns this field
 * @sleepers:	E: requests of the holder that wait while their callers sleep
 * @ticket:	E: for breakers: the ticket of the last probe
 * @request:	E to write, READ_ONCE() elsewhere: the asynchronous request that waits; or NULL
 */
struct weir_grant {
	struct rb_node		node;
	struct weir_client	*client;
	struct weir_object	*object;
	struct weir_entry	*entry;
	struct list_head	all;
	u32			n;
	u32			tag;
	u32			pins;
	bool			charged;
	u32			sleepers;
	u64			ticket;
	struct weir_request	*request;
};

struct weir_grant *weir_grant_new(gfp_t gfp);
int weir_grant_charge(struct weir_client *c, struct weir_grant *new);
void weir_grant_discard(struct weir_client *c, struct weir_grant *new);
struct weir_grant *weir_grant_find(struct weir_client *c, u32 tag,
				   const struct weir_object *o, const struct weir_entry *e);
struct weir_grant *weir_grant_get(struct weir_client *c, u32 tag, struct weir_object *o,
				  struct weir_entry *e, struct weir_grant **new);
void weir_grant_put(struct weir_grant *g);
void weir_grant_drop_tag(struct weir_client *c, u32 tag);
void weir_grant_close(struct weir_client *c);
void weir_grant_object_end(struct weir_object *o);

#endif /* _WEIR_GRANT_H */
