/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: all objects by kind and name, and by number. Look-ups take no
 * lock. Creating and deleting take one mutex, which makes "exactly one winner"
 * and exact caps simple.
 *
 * LOCK ORDER, outer to inner (docs/locking.md says why):
 *
 *	limiter->set_lock	mutex		one live change at a time
 *	registry mutex		mutex		names, numbers, accounts, sysfs nodes
 *	(sysfs, memory)				taken inside it by the kernel
 *	expiry->lock		spinlock, BH	raising bounds
 *	bucket			bit lock, BH	links of one chain
 *	entry			bit lock, BH	one key's state
 *	counter->lock		spinlock, BH	base values; outside all of these
 *	event ring		spinlock, IRQ	records; wakes readers when released
 *
 * Nothing sleeps, allocates, frees by itself or touches user memory below the
 * mutexes. No show function of sysfs takes any lock but counter->lock's
 * sequence count, so a node can be removed under the registry mutex.
 */
#ifndef _WEIR_REGISTRY_H
#define _WEIR_REGISTRY_H

#include "object.h"

int weir_registry_add(struct weir_object *o);
int weir_registry_delete(struct weir_object *o);
struct weir_object *weir_registry_find(u32 kind, const char *name);
struct weir_object *weir_registry_next(u64 *cursor, u32 kind);
int weir_registry_change(struct weir_object *o, u64 keys, u64 mask);
void weir_registry_queue(struct work_struct *work);
void weir_registry_assert_held(void);

int weir_registry_mod_init(void);
void weir_registry_mod_exit(void);

#endif /* _WEIR_REGISTRY_H */
