// SPDX-License-Identifier: GPL-2.0-only
/* Open files. See client.h. */

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/cred.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/handle.h"
#include "core/namespace.h"
#include "core/request.h"

struct weir_client *weir_client_open(struct file *file)
{
	struct weir_client *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->ns = weir_namespace_get(weir_cred_owner(file->f_cred));
	if (!c->ns) {
		kfree(c);
		return NULL;
	}
	c->cred = get_cred(file->f_cred);
	xa_init_flags(&c->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	mutex_init(&c->event_lock);
	spin_lock_init(&c->lock);
	c->grants = RB_ROOT;
	c->ended_tags = RB_ROOT;
	INIT_LIST_HEAD(&c->sleepers);
	INIT_LIST_HEAD(&c->ended);
	init_waitqueue_head(&c->pollers);
	c->file = file;
	c->writable = file->f_mode & FMODE_WRITE;
	c->events = &c->own_events;
	weir_event_reader_init(c->events, &c->ns->events, &c->pollers);
	return c;
}

/* Copy the positions in the event streams too. A stream chosen during the copy may be missed. */
static void client_copy_events(struct weir_client *to, struct weir_client *from)
{
	atomic_set(&to->restricted, atomic_read(&from->restricted));
	WRITE_ONCE(to->own_events.next, READ_ONCE(from->own_events.next));
	if (weir_client_reader(from) == &from->own_events)
		return;
	refcount_inc(&from->other_ns->ref);
	to->other_ns = from->other_ns;
	weir_event_reader_init(&to->other_events, from->other_events.stream, &to->pollers);
	to->other_events.next = READ_ONCE(from->other_events.next);
	to->events = &to->other_events;
}

/**
 * weir_client_copy - give a client the handles and the event position of another one
 * @to: new, not visible to other tasks yet
 * @from: the client
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOMEM, -EMFILE, -EINTR: some handles may have been copied.
 */
int weir_client_copy(struct weir_client *to, struct weir_client *from)
{
	client_copy_events(to, from);
	return weir_handle_copy(to, from);
}

/**
 * weir_client_events - choose the stream of events that a client reads
 * @c: the client
 * @owner: owner of the stream
 *
 * Context: may sleep.
 *
 * Return: 0, -EBUSY (another stream besides its own was chosen before), -ENOMEM, -ERESTARTSYS.
 */
int weir_client_events(struct weir_client *c, kuid_t owner)
{
	bool own = uid_eq(owner, c->ns->owner);
	struct weir_namespace *ns = NULL;
	int err = 0;

	if (!own) {
		ns = weir_namespace_get(owner);
		if (!ns)
			return -ENOMEM;
	}
	if (mutex_lock_interruptible(&c->event_lock)) {
		weir_namespace_put(ns);
		return -ERESTARTSYS;
	}
	if (!own && !c->other_ns) {
		weir_event_reader_init(&c->other_events, &ns->events, &c->pollers);
		swap(c->other_ns, ns);
	}
	if (own || uid_eq(c->other_ns->owner, owner))
		/* pairs with the acquire in weir_client_reader() */
		smp_store_release(&c->events, own ? &c->own_events : &c->other_events);
	else
		err = -EBUSY;
	mutex_unlock(&c->event_lock);
	weir_namespace_put(ns);
	return err;
}

static void client_free(struct rcu_head *rcu)
{
	struct weir_client *c = container_of(rcu, struct weir_client, rcu);

	kfree_rcu(c, rcu);
}

/*
 * The last reference to the file is gone, so no other task uses the client, but a wake list may
 * still contain it (request.c). Therefore it is freed after two grace periods. The RCU read side of
 * the task that added it to a wake list ends before the first is over. A task that has detached
 * that list by then is in a read side that may have begun later, but ends before the second is
 * over.
 */
void weir_client_close(struct weir_client *c)
{
	weir_grant_close(c);
	weir_request_close(c);
	weir_event_reader_end(&c->own_events);
	if (c->other_ns)
		weir_event_reader_end(&c->other_events);
	weir_handle_end(c);
	weir_namespace_put(c->other_ns);
	weir_namespace_put(c->ns);
	put_cred(c->cred);
	call_rcu(&c->rcu, client_free);
}
