/* SPDX-License-Identifier: GPL-2.0-only */
/* The common part of the kinds that are a table of keys. */
#ifndef _WEIR_KEYED_H
#define _WEIR_KEYED_H

#include "core/object.h"
#include "table/key.h"
#include "table/table.h"

/*
 * The first members of every keyed object:
 *
 * @obj:	the common header
 * @spec:	set at creation, then constant: what keys are
 * @totals:	set at creation, then constant: one copy per CPU, of u64 members that are
 *		only ever added to on that CPU
 * @table:	the entries
 */
#define WEIR_KEYED(_totals)						\
	struct weir_object		obj;				\
	struct weir_key_spec		spec;				\
	_totals __percpu		*totals;			\
	struct weir_table		table

/* Any keyed object: the first members of each. */
struct weir_keyed {
	WEIR_KEYED(u64);
};

/* Check that &struct _type begins as &struct weir_keyed does. */
#define WEIR_KEYED_ASSERT(_type)						\
	static_assert(offsetof(struct _type, obj) == 0 &&			\
		      offsetof(struct _type, spec) ==				\
		      offsetof(struct weir_keyed, spec) &&			\
		      offsetof(struct _type, totals) ==				\
		      offsetof(struct weir_keyed, totals) &&			\
		      offsetof(struct _type, table) ==				\
		      offsetof(struct weir_keyed, table))

void *weir_keyed_new(size_t size, u32 key_type, u64 max_keys, unsigned int prefix4,
		     unsigned int prefix6);
int weir_keyed_build(struct weir_object *o);
void weir_keyed_release(struct weir_object *o);
u64 weir_keyed_keys(struct weir_object *o);
void weir_keyed_sum(struct weir_object *o, void *sums);

static inline struct weir_keyed *weir_keyed(struct weir_object *o)
{
	return container_of(o, struct weir_keyed, obj);
}

#endif /* _WEIR_KEYED_H */
