/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry (src/core/registry.c, src/core/namespace.c, src/core/object.c) for tests, and
 * objects without storage.
 */
#ifndef _WEIR_KUNIT_REGISTRY_FIXTURE_H
#define _WEIR_KUNIT_REGISTRY_FIXTURE_H

#include "fakes.h"
#include "core/object.h"
#include "core/namespace.h"
#include "core/registry.h"

#include <kunit/test.h>

/* Number of objects from object_new() whose storage was freed. */
extern atomic_t objects_released;

int registry_fixture_init(struct kunit *test);
void registry_fixture_end(struct kunit *test);
void registry_fixture_exit(struct kunit *test);
void registry_settle(void);
int object_init(struct weir_object *o, const char *name, unsigned int uid);
struct weir_object *object_new(u32 kind, const char *name, unsigned int uid,
			       u64 keys);
void object_drop(struct weir_object *o);
int object_register(u32 kind, const char *name, unsigned int uid, u64 keys,
		    struct weir_object **made);

#endif /* _WEIR_KUNIT_REGISTRY_FIXTURE_H */
