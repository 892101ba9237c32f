/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that other modules call: see include/linux/weir.h. Each kind with such functions
 * has them in its own file, such as limiter_kapi.c.
 *
 * A reference holds the object's header, as a handle does, and this module. The storage of a
 * deleted object is therefore freed after the grace period, even if references remain. An operation
 * detects the deletion under RCU, without a write to shared memory.
 */
#ifndef _WEIR_KAPI_H
#define _WEIR_KAPI_H

#include <linux/types.h>

struct weir_object;

struct weir_object *weir_kapi_get(u32 kind, const char *name);
void weir_kapi_put(struct weir_object *o);

#endif /* _WEIR_KAPI_H */
