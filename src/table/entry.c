// SPDX-License-Identifier: GPL-2.0-only
/* Memory for entries. See entry.h. */

#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table/entry.h"
#include "table/table.h"

/* Slab classes by room for the key: an entry of 64, 128 and 320 bytes. */
static struct slab_class {
	const char *name;
	unsigned int size;
	struct kmem_cache *cache;
} classes[] = {
	{ "weir_entry_64", 64 },
	{ "weir_entry_128", 128 },
	{ "weir_entry_320", 320 },
};

static struct kmem_cache *cache_for(unsigned int key_len)
{
	size_t size = sizeof(struct weir_entry) + key_len;
	const struct slab_class *c = classes;

	while (c->size < size)
		c++;
	return c->cache;
}

/*
 * Keys are charged to the cgroup of the object's creator. If the cgroup is at its limit, the
 * allocation fails and does not invoke the OOM killer. Without sleeping, GFP_NOWAIT is used:
 * GFP_ATOMIC may exceed the cgroup's limit and uses reserves that the network needs.
 */
static gfp_t entry_gfp(gfp_t gfp)
{
	gfp |= __GFP_ACCOUNT | __GFP_NOWARN;
	return gfp | (gfpflags_allow_blocking(gfp) ? __GFP_RETRY_MAYFAIL :
						     __GFP_NOMEMALLOC);
}

/**
 * weir_entry_alloc - allocate an entry for a key, not linked yet
 * @memcg: the cgroup to charge, or NULL
 * @key: the key
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep
 *
 * Context: process, or softirq with GFP_NOWAIT.
 *
 * Return: the entry or NULL.
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

/* Free an entry that was never visible. */
void weir_entry_free(struct weir_entry *e)
{
	kmem_cache_free(cache_for(e->key_len), e);
}

static void free_rcu_callback(struct rcu_head *rcu)
{
	weir_entry_free(container_of(rcu, struct weir_entry, rcu));
}

/* Free a dead, unlinked entry after a grace period. */
void weir_entry_free_rcu(struct weir_entry *e)
{
	call_rcu(&e->rcu, free_rcu_callback);
}

int weir_entry_mod_init(void)
{
	struct slab_class *c;

	BUILD_BUG_ON(sizeof(struct weir_entry) + WEIR_KEY_INLINE != 64);
	BUILD_BUG_ON(sizeof(struct weir_entry) + WEIR_KEY_MAX > 320);
	for (c = classes; c < classes + ARRAY_SIZE(classes); c++) {
		/*
		 * the usercopy region prevents merging with other caches, so slabinfo shows the
		 * memory of keys
		 */
		c->cache = kmem_cache_create_usercopy(c->name, c->size, 64, SLAB_ACCOUNT,
						      sizeof(struct weir_entry),
						      c->size - sizeof(struct weir_entry),
						      NULL);
		if (!c->cache) {
			weir_entry_mod_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/* Context: no table exists; RCU callbacks of entries may be pending. */
void weir_entry_mod_exit(void)
{
	struct slab_class *c;

	rcu_barrier();
	for (c = classes; c < classes + ARRAY_SIZE(classes); c++) {
		kmem_cache_destroy(c->cache);
		c->cache = NULL;
	}
}
