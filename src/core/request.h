/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests: what a holder has asked for without sleeping until it is granted.
 *
 * A request belongs to a grant (grant.h), which has at most one. Its life:
 *
 *  1. It waits, in a queue of the object, whose locks decide when that is over. It may be
 *     cancelled: then it is gone without a report.
 *  2. It has ended, granted or not: poll() on the client's file reports POLLOUT.
 *  3. It is collected through its grant, or goes with the grant. If its object dies first, it
 *     is freed, but counts as ended until the handle that it was made with is closed.
 */
#ifndef _WEIR_REQUEST_H
#define _WEIR_REQUEST_H

#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct llist_node;
struct weir_client;
struct weir_grant;
struct weir_handle;

/**
 * struct weir_request - a request; first in a larger struct, which is freed with it
 *
 * E: the entry's lock. I: constant.
 *
 * @client:	I
 * @handle:	I: number of the handle that the request was made with
 * @ended: E to write, once; READ_ONCE()
 * @rcu:	a task that found the request in a queue may still look at it
 */
struct weir_request {
	struct weir_client	*client;
	u32			handle;
	bool			ended;
	struct rcu_head		rcu;
};

int weir_request_begin(struct weir_client *c, u32 handle, struct weir_grant *g,
		       struct weir_request *r);
void weir_request_end(struct weir_request *r);
void weir_request_drop(struct weir_grant *g);
void weir_request_orphan(struct weir_grant *g);
void weir_request_handle_closed(struct weir_client *c, const struct weir_handle *h);
struct llist_node *weir_request_wake_list(void);
void weir_request_wake(struct llist_node *first);
__poll_t weir_request_poll(struct weir_client *c);

/* Whether @r has not ended. Context: the RCU read side in which it was found. */
static inline bool weir_request_waits(const struct weir_request *r)
{
	return r && !READ_ONCE(r->ended);
}

#endif /* _WEIR_REQUEST_H */
