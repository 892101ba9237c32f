/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-user and global caps on objects and keys. All accounts are kept under the
 * registry's mutex, which makes the caps exact.
 */
#ifndef _WEIR_QUOTA_H
#define _WEIR_QUOTA_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct weir_quota;

struct weir_quota *weir_quota_new(kuid_t uid);
void weir_quota_free(struct weir_quota *q);
struct weir_quota *weir_quota_take(struct weir_quota **spare, u64 keys);
int weir_quota_change(struct weir_quota *q, u64 from, u64 to);
void weir_quota_give(struct weir_quota *q, u64 keys);
u64 weir_quota_objects_max(void);

#endif /* _WEIR_QUOTA_H */
