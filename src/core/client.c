// SPDX-License-Identifier: GPL-2.0-only
/* Open files and their handles. See client.h. */

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/object.h"
#include "core/request.h"

/**
 * weir_handle_reserve - a handle whose number leads nowhere yet
 * @c: the client
 * @rights: that it will have
 *
 * So that what can fail has failed before an object becomes visible.
 * Return: the handle, to be bound or cancelled; -EMFILE, -ENOMEM.
 */
struct weir_handle *weir_handle_reserve(struct weir_client *c, u32 rights)
{
	struct weir_handle *h = kmalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	int err;

	if (!h)
		return ERR_PTR(-ENOMEM);
	*h = (struct weir_handle){ .rights = rights };
	INIT_LIST_HEAD(&h->requests);
	if (!atomic_add_unless(&c->nr, 1, WEIR_HANDLES_MAX)) {
		err = -EMFILE;
		goto err_free;
	}
	/* 1 only says that numbers wrapped */
	err = xa_alloc_cyclic(&c->handles, &h->id, NULL, XA_LIMIT(1, INT_MAX),
			      &c->next, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		goto err_nr;
	return h;

err_nr:
	atomic_dec(&c->nr);
err_free:
	kfree(h);
	return ERR_PTR(err);
}

void weir_handle_cancel(struct weir_client *c, struct weir_handle *h)
{
	xa_release(&c->handles, h->id);
	atomic_dec(&c->nr);
	kfree(h);
}

/* Let a reserved handle lead to @o, whose reference goes to it. */
void weir_handle_bind(struct weir_client *c, struct weir_handle *h,
		      struct weir_object *o)
{
	h->object = o;
	/* its place is there already: this allocates nothing, and so cannot fail */
	WARN_ON_ONCE(xa_is_err(xa_store(&c->handles, h->id, h, 0)));
}

int weir_handle_close(struct weir_client *c, u32 id)
{
	struct weir_handle *h = NULL;
	LIST_HEAD(told);

	/* one that is reserved leads nowhere: it is not this caller's to close */
	xa_lock(&c->handles);
	if (xa_load(&c->handles, id))
		h = __xa_erase(&c->handles, id);
	xa_unlock(&c->handles);
	if (!h)
		return -EBADF;
	atomic_dec(&c->nr);
	weir_request_told_dead(c, h, &told);
	weir_request_free(&told);
	weir_object_put(h->object);
	kfree_rcu(h, rcu);
	return 0;
}

/**
 * weir_handle_object - the object of a handle, for a call that may sleep
 * @c: the client
 * @id: the handle
 * @rights: that the call needs
 *
 * Return: it, not dead a moment ago, with a reference to its header, to be given
 * back by weir_object_put(); or an ERR_PTR(): -EBADF, -EACCES, -ENODEV.
 */
struct weir_object *weir_handle_object(struct weir_client *c, u32 id, u32 rights)
{
	struct weir_object *o;
	struct weir_handle *h;

	rcu_read_lock();
	h = weir_handle_find(c, id);
	if (!h)
		o = ERR_PTR(-EBADF);
	else if (rights & ~h->rights)
		o = ERR_PTR(-EACCES);
	else if (!weir_object_alive(h->object))
		o = ERR_PTR(-ENODEV);
	else if (!kref_get_unless_zero(&h->object->ref))
		o = ERR_PTR(-EBADF);	/* closed at this very moment */
	else
		o = h->object;
	rcu_read_unlock();
	return o;
}

/**
 * weir_handle_told_dead - an operation is answered ENODEV
 * @c: the client
 * @id: the handle
 *
 * What the caller had to collect of the object is collected by that. Context: may sleep.
 */
void weir_handle_told_dead(struct weir_client *c, u32 id)
{
	struct weir_handle *h;
	LIST_HEAD(told);

	rcu_read_lock();
	h = weir_handle_find(c, id);
	if (h && !weir_object_alive(h->object))
		weir_request_told_dead(c, h, &told);
	rcu_read_unlock();
	weir_request_free(&told);
}

struct weir_client *weir_client_open(struct file *file)
{
	struct weir_client *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	u64 first;

	if (!c)
		return NULL;
	xa_init_flags(&c->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	mutex_init(&c->event_lock);
	spin_lock_init(&c->lock);
	c->grants = RB_ROOT;
	init_waitqueue_head(&c->pollers);
	weir_event_poller_init(&c->event_poller, &c->pollers);
	c->file = file;
	c->writable = file->f_mode & FMODE_WRITE;
	weir_event_range(&first, &c->event_next);
	return c;
}

/* The next handle at *@id or after it, copied, with a reference to its object; or NULL. */
static struct weir_handle *handle_copy(struct weir_client *from, unsigned long *id)
{
	struct weir_handle *h, *new = kmalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);

	if (!new)
		return ERR_PTR(-ENOMEM);
	rcu_read_lock();
	do {
		h = xa_find(&from->handles, id, INT_MAX, XA_PRESENT);
		/* one that is closed at this very moment may have no object any more */
	} while (h && !kref_get_unless_zero(&h->object->ref) && ++*id);
	if (h) {
		*new = (struct weir_handle){
			.object = h->object, .id = h->id, .rights = h->rights,
		};
		INIT_LIST_HEAD(&new->requests);
	}
	rcu_read_unlock();
	if (h)
		return new;
	kfree(new);
	return NULL;
}

/**
 * weir_client_copy - give a client another one's handles and place in the event stream
 * @to: new, and nobody else's yet
 * @from: the client
 *
 * Context: may sleep. Return: 0; -ENOMEM, -EINTR: some handles may be there.
 */
int weir_client_copy(struct weir_client *to, struct weir_client *from)
{
	unsigned long id = 0;
	struct weir_handle *h;
	int err = 0;

	to->next = READ_ONCE(from->next);
	to->event_next = READ_ONCE(from->event_next);
	while (!err) {
		h = handle_copy(from, &id);
		if (IS_ERR_OR_NULL(h))
			return PTR_ERR_OR_ZERO(h);
		err = xa_insert(&to->handles, h->id, h, GFP_KERNEL_ACCOUNT);
		if (err) {
			weir_object_put(h->object);
			kfree(h);
		} else {
			atomic_inc(&to->nr);
		}
		id++;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* The last reference to the file has gone: nobody else is here. */
void weir_client_close(struct weir_client *c)
{
	struct weir_handle *h;
	unsigned long id;
	LIST_HEAD(told);

	weir_grant_close(c);
	weir_event_poller_end(&c->event_poller);
	xa_for_each(&c->handles, id, h) {
		weir_request_told_dead(c, h, &told);
		weir_object_put(h->object);
		kfree_rcu(h, rcu);
		cond_resched();
	}
	weir_request_free(&told);
	xa_destroy(&c->handles);
	kfree_rcu(c, rcu);
}
