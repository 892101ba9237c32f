/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sweeping: a table's idle entries are dropped in the background, a group of
 * buckets at a time, only where expiry.h says there may be some.
 */
#ifndef _WEIR_SWEEP_H
#define _WEIR_SWEEP_H

#include <linux/types.h>

struct weir_table;

/* Groups a caller examines in search of room before it is told "full". */
#define WEIR_SWEEP_FOR_ROOM	64

void weir_sweep_init(struct weir_table *t);
void weir_sweep_stop(struct weir_table *t);
void weir_sweep_kick(struct weir_table *t, u64 idle_at);

int weir_sweep_mod_init(void);
void weir_sweep_mod_exit(void);

#endif /* _WEIR_SWEEP_H */
