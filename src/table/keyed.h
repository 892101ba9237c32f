/* SPDX-License-Identifier: GPL-2.0-only */
/* The common part of the kinds whose objects have a table of keys. */
#ifndef _WEIR_KEYED_H
#define _WEIR_KEYED_H

#include <linux/percpu.h>

#include "core/object.h"
#include "table/key.h"
#include "table/op.h"
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

/* Any keyed object: the first members that all have. */
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

/* The totals of a keyed object as users see them, up to the last total. */
struct weir_keyed_stats {
	u32	size;
	u32	reserved;
	u64	keys;
	u64	max_keys;
	u64	totals[];
};

/* Check that the members of &struct _totals follow, the first as _first, in &struct _stats. */
#define WEIR_KEYED_STATS_ASSERT(_stats, _totals, _first, _last)			\
	static_assert(offsetof(struct _stats, _first) ==			\
		      offsetof(struct weir_keyed_stats, totals) &&		\
		      offsetofend(struct _stats, _last) ==			\
		      offsetof(struct _stats, _first) + sizeof(struct _totals))

void *weir_keyed_new(size_t size, u32 key_type, u64 max_keys, unsigned int prefix4,
		     unsigned int prefix6);
int weir_keyed_build(struct weir_object *o);
void weir_keyed_release(struct weir_object *o);
int weir_keyed_op_key(struct weir_object *o, struct weir_op_run *r);
void weir_keyed_stats_read(struct weir_object *o, void *to);

static inline struct weir_keyed *weir_keyed(struct weir_object *o)
{
	return container_of(o, struct weir_keyed, obj);
}

#endif /* _WEIR_KEYED_H */
