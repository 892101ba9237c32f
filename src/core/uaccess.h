/* SPDX-License-Identifier: GPL-2.0-only */
/* Copying structs that begin with their size from and to user memory. */
#ifndef _WEIR_UACCESS_H
#define _WEIR_UACCESS_H

#include <linux/types.h>

int weir_user_get(void *to, size_t size, u64 from, size_t min_size);
int weir_user_put(const void *from, size_t size, u64 to);

#endif /* _WEIR_UACCESS_H */
