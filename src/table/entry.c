// SPDX-License-Identifier: GPL-2.0-only
/* Memory for entries. See entry.h. */

#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table/entry.h"
#include "table/table.h"

/* Slab classes by room for the key: an entry of 64, 128 and 320 bytes. */
static const struct {
	const char *name;
	unsigned int size;
} classes[] = {
	{ "weir_entry_64", 64 },
	{ "weir_entry_128", 128 },
	{ "weir_entry_320", 320 },
};

static struct kmem_cache *caches[ARRAY_SIZE(classes)];

static struct kmem_cache *cache_for(unsigned int key_len)
{
	size_t size = sizeof(struct weir_entry) + key_len;
	unsigned int class = 0;

	while (classes[class].size < size)
		class++;
	return caches[class];
}

/*
 * Other people's keys must not get the owner's cgroup killed: they fail instead.
 * Nor may they, where nothing can be waited for, take what GFP_ATOMIC can: that goes
 * past the cgroup's limit, and into reserves that the network itself needs.
 */
static gfp_t entry_gfp(gfp_t gfp)
{
	gfp |= __GFP_ACCOUNT | __GFP_NOWARN;
	return gfp | (gfpflags_allow_blocking(gfp) ? __GFP_RETRY_MAYFAIL :
						     __GFP_NOMEMALLOC);
}

/**
 * weir_entry_alloc - an entry for a key, linked nowhere
 * @memcg: charged for it, or NULL
 * @key: the key
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep
 *
 * Context: process or softirq, as @gfp says. Return: the entry or NULL.
 */
struct weir_entry *weir_entry_alloc(struct mem_cgroup *memcg,
				    const struct weir_key *key, gfp_t gfp)
{
	struct weir_entry *e;
	struct mem_cgroup *old;

	old = set_active_memcg(memcg);
	e = kmem_cache_alloc(cache_for(key->len), entry_gfp(gfp));
	set_active_memcg(old);
	if (!e)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->key_len = key->len;
	if (key->len <= WEIR_KEY_INLINE)
		memcpy(e->key, key->words, sizeof(key->words));
	else
		memcpy(e->key, key->data, key->len);
	return e;
}

/* One that nobody can see. */
void weir_entry_free(struct weir_entry *e)
{
	kmem_cache_free(cache_for(e->key_len), e);
}

static void free_rcu_callback(struct rcu_head *rcu)
{
	weir_entry_free(container_of(rcu, struct weir_entry, rcu));
}

/* One that is dead and unlinked, when no reader can stand on it any more. */
void weir_entry_free_rcu(struct weir_entry *e)
{
	call_rcu(&e->rcu, free_rcu_callback);
}

int weir_entry_mod_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(sizeof(struct weir_entry) + WEIR_KEY_INLINE != 64);
	BUILD_BUG_ON(sizeof(struct weir_entry) + WEIR_KEY_MAX > 320);
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		/*
		 * The copyable region is there because it keeps the cache from
		 * being merged with others: users want to see what keys cost.
		 */
		caches[i] = kmem_cache_create_usercopy(classes[i].name,
						       classes[i].size, 64,
						       SLAB_ACCOUNT,
						       sizeof(struct weir_entry),
						       classes[i].size -
						       sizeof(struct weir_entry),
						       NULL);
		if (!caches[i]) {
			weir_entry_mod_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/* Context: no table is left, but entries may be on their way out. */
void weir_entry_mod_exit(void)
{
	unsigned int i;

	rcu_barrier();
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		kmem_cache_destroy(caches[i]);
		caches[i] = NULL;
	}
}
