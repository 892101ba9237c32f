/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests: what a holder has asked for without sleeping until it is granted.
 *
 * The life of a request:
 *
 *  1. It waits in a queue of the object, whose locks decide when the wait is over. It belongs to
 *     a grant (grant.h), which has at most one request. A cancelled request is freed.
 *  2. It ends, granted or not, and has its answer. From then on it belongs to the client only: its
 *     grant and its object may be freed. poll() on the client's file reports POLLOUT.
 *  3. WEIR_IOC_COLLECT writes the answer to the user and frees the request. If the tag is dropped
 *     or the file is released before that, the request is freed without being collected.
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
struct weir_client;
struct weir_grant;

/**
 * struct weir_request - a request; the first member of a larger struct, which is freed with it
 *
 * C: the client's lock. E: the entry's lock. I: constant.
 *
 * @op:	I for the fields that the caller wrote; E for the answer, until the request ends
 * @client:	I: the holder's client
 * @by_tag:	C: in @ended_tags of the client, once the request has ended
 * @node:	C: in @ended of the client, once the request has ended
 * @rcu:	delays the free: a task that found the request in a queue may still read it
 */
struct weir_request {
	struct weir_op		op;
	struct weir_client	*client;
	struct rb_node		by_tag;
	union {
		struct list_head	node;
		struct rcu_head		rcu;
	};
};

int weir_request_begin(struct weir_grant *g, struct weir_request *r);
void weir_request_end(struct weir_grant *g);
void weir_request_drop(struct weir_grant *g);
int weir_request_collect(struct weir_client *c, struct weir_op __user *ops, u32 room);
void weir_request_drop_tag(struct weir_client *c, u32 tag);
void weir_request_close(struct weir_client *c);
struct llist_node *weir_request_wake_list(void);
void weir_request_wake(struct llist_node *first);
__poll_t weir_request_poll(struct weir_client *c);

#endif /* _WEIR_REQUEST_H */
