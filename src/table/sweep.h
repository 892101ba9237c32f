/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sweeping: a table's idle entries are dropped in the background, a group of
 * buckets at a time, only where expiry.h says there may be some.
 */
#ifndef _WEIR_SWEEP_H
#define _WEIR_SWEEP_H

#include <linux/types.h>

struct weir_table;

/* A search for room ends with the group in which it has seen so many entries... */
#define WEIR_ROOM_ENTRIES	64
/* ...or with so many groups. */
#define WEIR_ROOM_GROUPS	4

void weir_sweep_init(struct weir_table *t);
void weir_sweep_stop(struct weir_table *t);
void weir_sweep_kick(struct weir_table *t, u64 idle_at);

int weir_sweep_mod_init(void);
void weir_sweep_mod_exit(void);

#endif /* _WEIR_SWEEP_H */
