// SPDX-License-Identifier: GPL-2.0-only
/* Handles: numbers that lead to objects. See handle.h. */

#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/handle.h"
#include "core/object.h"

/**
 * weir_handle_reserve - reserve a handle and its number, without an object yet
 * @c: the client
 * @rights: WEIR_RIGHT_* of the handle; ADMIN implies all
 *
 * Everything that can fail is done here, before an object becomes visible.
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

/* Bind a reserved handle to @o. The handle takes over the caller's reference. */
void weir_handle_bind(struct weir_client *c, struct weir_handle *h,
		      struct weir_object *o)
{
	h->object = o;
	/* the slot exists already, so this allocates nothing and cannot fail */
	WARN_ON_ONCE(xa_is_err(xa_store(&c->handles, h->id, h, 0)));
}

/* Limit the rights of a handle to @rights. Return: 0 or -EBADF. */
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

	/* a reserved handle belongs to another call and must not be closed */
	xa_lock(&c->handles);
	if (xa_load(&c->handles, id))
		h = __xa_erase(&c->handles, id);
	xa_unlock(&c->handles);
	if (!h)
		return -EBADF;
	atomic_dec(&c->nr);
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
 * Return: the object, which was alive at the look-up, with a reference to its header for
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
		o = ERR_PTR(-EBADF);	/* another thread has just closed it */
	else
		o = h->object;
	rcu_read_unlock();
	return o;
}

/* The next handle at *@id or after it: a copy, with a reference to its object; or NULL. */
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
	if (h)
		*new = (struct weir_handle){
			.object = h->object, .id = h->id, .rights = READ_ONCE(h->rights),
		};
	rcu_read_unlock();
	if (h)
		return new;
	kfree(new);
	return NULL;
}

/* Copy the handles of another client to a new client. See weir_client_copy(). */
int weir_handle_copy(struct weir_client *to, struct weir_client *from)
{
	unsigned long id = 0;
	struct weir_handle *h;
	int err = 0;

	to->next = READ_ONCE(from->next);
	while (!err) {
		h = handle_copy(from, &id);
		if (IS_ERR_OR_NULL(h))
			return PTR_ERR_OR_ZERO(h);
		/* @from may have closed handles that are copied already, and opened others */
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

/* The file is released: close all its handles. Context: may sleep. */
void weir_handle_end(struct weir_client *c)
{
	struct weir_handle *h;
	unsigned long id;

	xa_for_each(&c->handles, id, h) {
		weir_object_put(h->object);
		kfree_rcu(h, rcu);
		cond_resched();
	}
	xa_destroy(&c->handles);
}
