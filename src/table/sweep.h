/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sweep: drops idle entries of a table in the background, one group at a time, and only in
 * groups that have idle entries according to expiry.h.
 */
#ifndef _WEIR_SWEEP_H
#define _WEIR_SWEEP_H

#include <linux/types.h>

struct weir_table;

/* a search for room ends with the group in which it has examined this many entries... */
#define WEIR_ROOM_ENTRIES	64
/* ...or after this many steps */
#define WEIR_ROOM_GROUPS	8

void weir_sweep_init(struct weir_table *t);
void weir_sweep_stop(struct weir_table *t);
void weir_sweep_kick(struct weir_table *t, u64 idle_at);

int weir_sweep_mod_init(void);
void weir_sweep_mod_exit(void);

#endif /* _WEIR_SWEEP_H */
