/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry (src/core/registry.c, src/core/namespace.c, src/core/object.c) for tests: without
 * sysfs, with events that are counted, and steps that can be made to fail.
 */
#ifndef _WEIR_KUNIT_REGISTRY_COPY_H
#define _WEIR_KUNIT_REGISTRY_COPY_H

#include "../src/core/object.h"
#include "../src/core/namespace.h"
#include "../src/core/registry.h"

#include <kunit/test.h>

/**
 * struct registry_copy - what a test can set, and look at
 * @sysfs_fails: weir_sysfs_add() does
 * @xarray_fails: to keep a place for the number does
 * @nodes: folders that sysfs would have
 * @created: events
 * @deleted: events
 * @released: objects whose storage was freed
 * @max_objects: the module's parameters
 * @max_objects_per_uid: the same
 * @max_keys: the same
 * @max_keys_per_uid: the same
 */
struct registry_copy {
	bool sysfs_fails;
	bool xarray_fails;
	atomic_t nodes;
	atomic_t created;
	atomic_t deleted;
	atomic_t released;
	unsigned long *max_objects;
	unsigned long *max_objects_per_uid;
	unsigned long *max_keys;
	unsigned long *max_keys_per_uid;
};

extern struct registry_copy registry_copy;

int registry_copy_init(struct kunit *test);
void registry_copy_exit(struct kunit *test);
void registry_settle(void);
bool registry_has_owners(void);
struct weir_object *object_new(u32 kind, const char *name, unsigned int uid,
			       u64 keys);
void object_drop(struct weir_object *o);
int object_register(u32 kind, const char *name, unsigned int uid, u64 keys,
		    struct weir_object **made);

#endif /* _WEIR_KUNIT_REGISTRY_COPY_H */
