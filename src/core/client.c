// SPDX-License-Identifier: GPL-2.0-only
/* Open files and their handles. See client.h. */

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/cred.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "core/object.h"
#include "core/request.h"

/**
 * weir_handle_reserve - a handle whose number leads nowhere yet
 * @c: the client
 * @rights: that it will have; ADMIN implies all
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
	*h = (struct weir_handle){
		.rights = rights & WEIR_RIGHT_ADMIN ? WEIR_RIGHT_ALL : rights,
	};
	INIT_LIST_HEAD(&h->requests);
	if (!atomic_add_unless(&c->nr, 1, WEIR_HANDLES_MAX)) {
		err = -EMFILE;
		goto err_free;
	}
	/* a return value of 1 only means that numbers have wrapped */
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

/* Bind a reserved handle to @o; the caller's reference goes to the handle. */
void weir_handle_bind(struct weir_client *c, struct weir_handle *h,
		      struct weir_object *o)
{
	h->object = o;
	/* the slot exists already, so this allocates nothing and cannot fail */
	WARN_ON_ONCE(xa_is_err(xa_store(&c->handles, h->id, h, 0)));
}

/* Keep of a handle's rights no more than @rights: 0 or -EBADF. */
int weir_handle_narrow(struct weir_client *c, u32 id, u32 rights)
{
	struct weir_handle *h;

	xa_lock(&c->handles);
	h = xa_load(&c->handles, id);
	if (h)
		WRITE_ONCE(h->rights, h->rights & rights);
	xa_unlock(&c->handles);
	return h ? 0 : -EBADF;
}

int weir_handle_close(struct weir_client *c, u32 id)
{
	struct weir_handle *h = NULL;
	LIST_HEAD(told);

	/* a reserved handle belongs to another call and must not be closed */
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
 * @rights: rights that the call needs
 *
 * Return: the object, alive a moment ago, with a reference to its header for
 *	weir_object_put(); or an ERR_PTR(): -EBADF, -EACCES, -ENODEV.
 */
struct weir_object *weir_handle_object(struct weir_client *c, u32 id, u32 rights)
{
	struct weir_object *o;
	struct weir_handle *h;

	rcu_read_lock();
	h = weir_handle_find(c, id);
	if (!h)
		o = ERR_PTR(-EBADF);
	else if (rights & ~READ_ONCE(h->rights))
		o = ERR_PTR(-EACCES);
	else if (!weir_object_alive(h->object))
		o = ERR_PTR(-ENODEV);
	else if (!kref_get_unless_zero(&h->object->ref))
		o = ERR_PTR(-EBADF);	/* closed by another thread just now */
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
	init_waitqueue_head(&c->pollers);
	c->file = file;
	c->writable = file->f_mode & FMODE_WRITE;
	c->events = &c->own_events;
	weir_event_reader_init(c->events, &c->ns->events, &c->pollers);
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
		/* a handle that is being closed may have lost its object already */
	} while (h && !kref_get_unless_zero(&h->object->ref) && ++*id);
	if (h) {
		*new = (struct weir_handle){
			.object = h->object, .id = h->id, .rights = READ_ONCE(h->rights),
		};
		INIT_LIST_HEAD(&new->requests);
	}
	rcu_read_unlock();
	if (h)
		return new;
	kfree(new);
	return NULL;
}

/* The places in the streams, too; a choice that is made meanwhile may be missed. */
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
	unsigned long id = 0;
	struct weir_handle *h;
	int err = 0;

	to->next = READ_ONCE(from->next);
	client_copy_events(to, from);
	while (!err) {
		h = handle_copy(from, &id);
		if (IS_ERR_OR_NULL(h))
			return PTR_ERR_OR_ZERO(h);
		/* @from may have got rid of many that are copied already, and opened others */
		err = atomic_add_unless(&to->nr, 1, WEIR_HANDLES_MAX) ?
		      xa_insert(&to->handles, h->id, h, GFP_KERNEL_ACCOUNT) : -EMFILE;
		if (err) {
			weir_object_put(h->object);
			kfree(h);
		}
		id++;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* Choose @ns, of which the caller has a reference, unless another was chosen before. */
static int other_events_set(struct weir_client *c, struct weir_namespace *ns)
{
	if (c->other_ns)
		return c->other_ns == ns ? -EEXIST : -EBUSY;
	weir_event_reader_init(&c->other_events, &ns->events, &c->pollers);
	c->other_ns = ns;
	return 0;
}

/**
 * weir_client_events - choose the stream of events that a client reads
 * @c: the client
 * @owner: of the stream
 *
 * Context: may sleep.
 *
 * Return: 0, -EBUSY (another one beside its own was chosen before),
 * -ENOMEM, -ERESTARTSYS.
 */
int weir_client_events(struct weir_client *c, kuid_t owner)
{
	struct weir_event_reader *r = &c->own_events;
	struct weir_namespace *ns = NULL;
	int err = 0;

	if (!uid_eq(owner, c->ns->owner)) {
		r = &c->other_events;
		ns = weir_namespace_get(owner);
		if (!ns)
			return -ENOMEM;
	}
	if (mutex_lock_interruptible(&c->event_lock)) {
		weir_namespace_put(ns);
		return -ERESTARTSYS;
	}
	if (ns)
		err = other_events_set(c, ns);
	if (err != -EBUSY)
		/* pairs with the acquire in weir_client_reader() */
		smp_store_release(&c->events, r);
	mutex_unlock(&c->event_lock);
	if (err)
		weir_namespace_put(ns);
	return err == -EBUSY ? err : 0;
}

/* The last reference to the file is gone, so no other task uses the client. */
void weir_client_close(struct weir_client *c)
{
	struct weir_handle *h;
	unsigned long id;
	LIST_HEAD(told);

	weir_grant_close(c);
	weir_event_reader_end(&c->own_events);
	if (c->other_ns)
		weir_event_reader_end(&c->other_events);
	xa_for_each(&c->handles, id, h) {
		weir_request_told_dead(c, h, &told);
		weir_object_put(h->object);
		kfree_rcu(h, rcu);
		cond_resched();
	}
	weir_request_free(&told);
	xa_destroy(&c->handles);
	weir_namespace_put(c->other_ns);
	weir_namespace_put(c->ns);
	put_cred(c->cred);
	kfree_rcu(c, rcu);
}
