// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_DUMP of a limiter. */

#include <linux/string.h>

#include "table/dump.h"
#include "limiter/limiter.h"

/* Append one entry's record, unless it is dead or filtered out. */
static void record_fill(struct weir_dump_walk *d, struct weir_entry *e)
{
	struct weir_entry_info *info = (void *)(d->chunk + d->filled);
	struct weir_limiter *l = weir_limiter(d->o);
	struct weir_table *t = d->t;
	struct weir_op op = {};
	u64 word;

	if (!weir_table_lock(t, e, &word))
		return;
	weir_limiter_state(rcu_dereference(l->policy), e, word,
			   weir_table_now(t), 1, &op);
	weir_table_unlock(t, e, word);
	if (d->flags & WEIR_DUMP_BANNED && !op.banned_for)
		return;
	*info = (struct weir_entry_info){
		.size = sizeof(*info) + ALIGN(e->key_len, 8),
		.key_len = e->key_len,
		.flags = op.banned_for ? WEIR_ENTRY_BANNED : 0,
		.strikes = op.strikes,
		.bans = op.bans,
		.remaining = op.remaining,
		.reset_after = op.reset_after,
		.banned_for = op.banned_for,
	};
	memset(info->key, 0, ALIGN(e->key_len, 8));
	memcpy(info->key, e->key, e->key_len);
	d->filled += info->size;
	d->count++;
}

#define RECORD_MAX	(sizeof(struct weir_entry_info) + ALIGN(WEIR_KEY_MAX, 8))
#define LEAST		512

static_assert(RECORD_MAX <= LEAST);

const struct weir_dump_desc weir_limiter_dump_desc = {
	.flags = WEIR_DUMP_BANNED,
	.record_max = RECORD_MAX,
	.least = LEAST,
	.fill = record_fill,
};
