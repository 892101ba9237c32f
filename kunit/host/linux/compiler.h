/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the kernel's <linux/compiler.h> that the pure algorithms use. */
#ifndef _WEIR_HOST_LINUX_COMPILER_H
#define _WEIR_HOST_LINUX_COMPILER_H

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)

#define __section(name)		__attribute__((section(name)))
#define __used			__attribute__((used))

#endif /* _WEIR_HOST_LINUX_COMPILER_H */
