// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limiter of addresses gets another prefix: its keys are cut anew.
 *
 * It is the one change that stops operations. While it goes on &weir_rules_moving stands
 * where the limiter's rules are, which whoever makes a key reads anyway, and finds that
 * there is no key to be had now. He sleeps until the change is over and begins again, or
 * is told so if he may not sleep. After a grace period nobody has a key, or an entry
 * found by one; then entries are taken out of the table and put back where they belong by
 * the new prefix, in place, and nobody can meet one on its way. Before operations
 * go on another grace period sees to it that all of them see all of it.
 *
 * Who had slept over the change, with a key in hand (to get memory, say, or in a queue),
 * sees by &weir_limiter.cut that it is of no use any more.
 *
 * Cost: two grace periods, and of each entry that moves two bucket locks. A check pays a
 * load and a store, both of lines it has at hand.
 */

#include <linux/sched.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "table/key.h"
#include "limiter/limiter.h"
#include "limiter/rules.h"
#include "table/wait.h"

#define BUCKETS_A_GO	1024	/* looked at before others may run */

struct weir_rule_set weir_rules_moving;

/* What becomes of the entries of a family. */
enum fate {
	STAY,	/* nothing */
	MERGE,	/* those that share a key now become one */
	GO,	/* they are dropped: nobody knows which address did what */
};

/**
 * struct move - a change under way
 * @l: the limiter, by its new prefix already
 * @p: its policy so far
 * @v4: of IPv4 entries
 * @v6: of the others
 * @key: the new key of the entry looked at last
 */
struct move {
	struct weir_limiter *l;
	const struct weir_policy *p;
	enum fate v4;
	enum fate v6;
	struct weir_key key;
};

static enum fate fate_of(u8 old, u8 new)
{
	return new < old ? MERGE : new > old ? GO : STAY;
}

/* Have keys cut as @config says. Context: nobody makes one. */
void weir_limiter_masks_set(struct weir_limiter *l,
			    const struct weir_limiter_config *config)
{
	weir_key_mask(&l->mask4, sizeof(u32), config->prefix4);
	weir_key_mask(l->mask6, sizeof(l->mask6), config->prefix6);
}

static bool is_moving(const struct weir_rule_set *rules)
{
	return rules == &weir_rules_moving;
}

/* Whether the prefix changes just now. Context: RCU read side, for which it is true. */
bool weir_limiter_moving(const struct weir_limiter *l)
{
	return is_moving(rcu_dereference(l->rules));
}

/**
 * weir_limiter_rest - sleep until the prefix changes no more
 * @l: the limiter, whose header is held
 *
 * Context: may sleep, as long as the change takes. Return: 0 or -EINTR.
 */
int weir_limiter_rest(struct weir_limiter *l)
{
	/* not for set_lock: who has that for another change may wait for memory */
	return wait_event_interruptible(l->rest, !is_moving(rcu_access_pointer(l->rules))) ?
	       -EINTR : 0;
}

/* Who waited for this key has left the queue, and comes back to another one. */
static void entry_unqueue(struct move *m, struct weir_entry *e)
{
	u64 word;

	if (WARN_ON_ONCE(!weir_table_lock(&m->l->table, e, &word)))
		return;
	WRITE_ONCE(e->queued, 0);
	weir_table_unlock(&m->l->table, e, word);
}

/* Whether the entry is in the wrong place now. Its bucket is locked. */
static bool entry_moves(void *arg, struct weir_entry *e)
{
	struct move *m = arg;
	enum fate fate = e->key_len == 4 ? m->v4 : m->v6;

	if (e->queued)
		entry_unqueue(m, e);
	if (fate != MERGE)
		return fate == GO;
	weir_limiter_key_cut(m->l, e->key, e->key_len, &m->key);
	return memcmp(m->key.words, e->key, sizeof(m->key.words));
}

/* An entry that was taken out goes where it belongs, or is dropped. */
static void entry_move(struct move *m, struct weir_entry *e)
{
	struct weir_table *t = &m->l->table;
	struct weir_entry *there;
	u64 word;

	if ((e->key_len == 4 ? m->v4 : m->v6) == MERGE) {
		there = weir_table_put(t, &m->key, e, &word);
		if (!there)
			return;
		word = weir_limiter_merge(m->p, there, word, e,
					  atomic64_read(&e->word),
					  weir_table_now(t));
		weir_table_unlock(t, there, word);
	}
	weir_table_scrap(t, e);
}

/**
 * weir_limiter_move - begin the change to the prefix of @config, if it is another one
 * @l: the limiter
 * @old: its policy so far
 * @config: with the new one
 *
 * Operations stop until weir_limiter_moved(). No memory is asked for.
 * Context: may sleep; set_lock is held.
 */
void weir_limiter_move(struct weir_limiter *l, const struct weir_policy *old,
		       const struct weir_limiter_config *config)
{
	struct move m = {
		.l = l,
		.p = old,
		.v4 = fate_of(old->config.prefix4, config->prefix4),
		.v6 = fate_of(old->config.prefix6, config->prefix6),
	};
	struct weir_entry *e;
	unsigned int i;

	lockdep_assert_held(&l->set_lock);
	if (m.v4 == STAY && m.v6 == STAY)
		return;
	rcu_assign_pointer(l->rules, &weir_rules_moving);
	/* then nobody has a key, and no bucket is looked into without its lock */
	synchronize_rcu();
	weir_wait_scatter(l);
	weir_limiter_masks_set(l, config);
	l->cut++;
	for (i = 0; i < l->table.nbuckets; i++) {
		while ((e = weir_table_take(&l->table, i, entry_moves, &m)))
			entry_move(&m, e);
		if (i % BUCKETS_A_GO == BUCKETS_A_GO - 1)
			cond_resched();
	}
}

/**
 * weir_limiter_moved - after weir_limiter_move(): operations go on if they had stopped
 * @l: the limiter
 * @rules: its rules
 *
 * Context: a grace period after that, and the table's bounds are reset; set_lock is held.
 */
void weir_limiter_moved(struct weir_limiter *l, struct weir_rule_set *rules)
{
	if (!is_moving(rcu_access_pointer(l->rules)))
		return;
	rcu_assign_pointer(l->rules, rules);
	wake_up_all(&l->rest);
}
