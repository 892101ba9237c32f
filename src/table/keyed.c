// SPDX-License-Identifier: GPL-2.0-only
/* Creation, totals and release of keyed objects. See keyed.h. */

#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table/keyed.h"

/**
 * weir_keyed_new - a keyed object without its storage, for &weir_kind_ops.create
 * @size: size of the kind's struct, which begins with WEIR_KEYED()
 * @key_type: enum weir_key_type
 * @max_keys: maximum number of entries
 * @prefix4: prefix of IPv4 addresses; 0 for other key types
 * @prefix6: prefix of IPv6 addresses; 0 for other key types
 *
 * Context: may sleep.
 *
 * Return: the object, or NULL.
 */
void *weir_keyed_new(size_t size, u32 key_type, u64 max_keys, unsigned int prefix4,
		     unsigned int prefix6)
{
	struct weir_keyed *k = kzalloc(size, GFP_KERNEL_ACCOUNT);

	if (!k)
		return NULL;
	k->obj.quota_keys = max_keys;
	weir_key_spec_init(&k->spec, key_type, prefix4, prefix6);
	return k;
}

/* &weir_kind_ops.build */
int weir_keyed_build(struct weir_object *o)
{
	struct weir_keyed *k = weir_keyed(o);

	k->totals = __alloc_percpu_gfp(o->ops->totals_size, sizeof(u64),
				       GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!k->totals)
		return -ENOMEM;
	return weir_table_init(&k->table, o->quota_keys, o->ops->table_ops);
}

/* &weir_kind_ops.release */
void weir_keyed_release(struct weir_object *o)
{
	struct weir_keyed *k = weir_keyed(o);

	weir_table_destroy(&k->table);
	free_percpu(k->totals);
}

/* &weir_kind_ops.key */
int weir_keyed_op_key(struct weir_object *o, struct weir_op_run *r)
{
	struct weir_keyed *k = weir_keyed(o);

	return weir_key_make(&k->spec, &k->table, weir_op_key_bytes(r), r->op.key_len, &r->key);
}

/* &weir_kind_ops.stats: keys and totals; each is exact, but they may be from different moments */
void weir_keyed_stats_read(struct weir_object *o, void *to)
{
	struct weir_keyed *k = weir_keyed(o);
	size_t i, n = o->ops->totals_size / sizeof(u64);
	struct weir_keyed_stats *stats = to;
	u64 *sum = stats->totals;
	int cpu;

	stats->reserved = 0;
	stats->keys = weir_table_keys(&k->table);
	stats->max_keys = READ_ONCE(k->table.max_keys);
	/*
	 * an entry that no longer counts in @keys counts in the totals: pairs with the
	 * barrier in weir_table_release_slots()
	 */
	smp_rmb();
	memset(sum, 0, n * sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const u64 *t = per_cpu_ptr(k->totals, cpu);

		for (i = 0; i < n; i++)
			sum[i] += READ_ONCE(t[i]);
	}
}
