/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: all objects by owner, kind and name, and by number. Look-ups by number take
 * no lock. Creating, deleting and look-ups by name take one spinlock, which makes "exactly one
 * winner" and exact caps simple.
 *
 * LOCK ORDER, outer to inner (docs/locking.md says why):
 *
 *	object->set_lock	mutex		one live change at a time
 *	namespace->creating	mutex		an object of the owner is made (root: or deleted)
 *	(sysfs)					taken inside creating
 *	registry_lock		spinlock	names, numbers, caps
 *	namespaces' table	spinlock	namespaces by owner; a leaf
 *	expiry->lock		spinlock, BH	raising bounds
 *	stripe of a table	spinlock, BH	links and entries of its buckets; transactions
 *						hold several, in the order of their addresses
 *						(multi_lock.h)
 *	deadlines->lock		spinlock, BH	of an owner's requests; starts the timer; a leaf
 *	object->grant_lock	spinlock, BH	all grants and requests of one object
 *	client->lock		spinlock, BH	grants and requests of one open file
 *	counter->lock		spinlock	base values; outside all spinlocks, a leaf
 *	event ring		spinlock, IRQ	records; wakes readers when released
 *
 * No memory is allocated while one of them is held, except under set_lock and creating, and user
 * memory is not accessed. Nothing sleeps under a spinlock. No show function of sysfs takes a mutex,
 * so a folder can be removed under creating.
 */
#ifndef _WEIR_REGISTRY_H
#define _WEIR_REGISTRY_H

#include "core/object.h"

u64 weir_registry_number(void);
u64 weir_registry_objects(void);
int weir_registry_add(struct weir_object *o, bool admin);
int weir_registry_delete(struct weir_object *o);
struct weir_object *weir_registry_find(kuid_t owner, u32 kind, const char *name);
struct weir_object *weir_registry_resolve(kuid_t owner, u32 kind, const char *name);
struct weir_object *weir_registry_next(u64 *cursor);
int weir_registry_change(struct weir_object *o, u64 keys, u64 mask, bool admin);
void weir_registry_queue(struct rcu_work *work);
void weir_registry_assert_held(void);

int weir_registry_mod_init(void);
void weir_registry_mod_exit(void);

#endif /* _WEIR_REGISTRY_H */
