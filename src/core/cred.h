/* SPDX-License-Identifier: GPL-2.0-only */
/* The owner of credentials, their groups, and CAP_SYS_ADMIN. */
#ifndef _WEIR_CRED_H
#define _WEIR_CRED_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct cred;

kuid_t weir_cred_owner(const struct cred *cred);
kuid_t weir_owner_named(u32 uid, kuid_t usual);
bool weir_cred_in_group(const struct cred *cred, kgid_t gid);
bool weir_cred_admin(const struct cred *cred);

#endif /* _WEIR_CRED_H */
