/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of object. */
#ifndef _WEIR_KINDS_H
#define _WEIR_KINDS_H

#include <linux/types.h>

struct weir_kind_ops;

const struct weir_kind_ops *weir_kind_find(u32 kind);

int weir_kinds_mod_init(void);

#endif /* _WEIR_KINDS_H */
