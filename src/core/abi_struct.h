/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of the structs with which users configure and read objects (object.h). */
#ifndef _WEIR_ABI_STRUCT_H
#define _WEIR_ABI_STRUCT_H

#include "core/object.h"

int weir_abi_struct_copy_in(const struct weir_abi_struct *s, u64 *to, u64 user);
int weir_object_copy_out(struct weir_object *o, u64 user_config, u64 user_stats);

#endif /* _WEIR_ABI_STRUCT_H */
