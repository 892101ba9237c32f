/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replacements with which weir.ko is compiled for bench/um. They avoid detours of user-mode Linux,
 * so that only the module's own time is measured.
 *
 * User-mode Linux blocks and unblocks signals by system calls around per-CPU additions, which are
 * one instruction on a real CPU. Here they are plain additions. No interrupt adds to the same
 * memory while loops are timed.
 *
 * It also walks the page tables for every word that is copied from or to a program, which takes
 * longer than a check. So for src/api/submit.c and src/api/op_user.c, operations are in kernel
 * memory. A WEIR_IOC_SUBMIT by a program crashes such a kernel.
 *
 * This build has no other use.
 */
#ifndef _BENCH_DIRECT_H
#define _BENCH_DIRECT_H

#include <linux/compiler.h>
#include <linux/percpu-defs.h>

#undef this_cpu_add
#undef this_cpu_inc
#define this_cpu_add(pcp, val)	raw_cpu_add(pcp, val)
#define this_cpu_inc(pcp)	raw_cpu_inc(pcp)

#ifdef BENCH_DIRECT_SUBMIT

#include <linux/uaccess.h>

/* These are the functions of <linux/uaccess.h> as user-mode Linux implements them in the end. */
#undef access_ok
#undef __get_user
#undef __put_user
#undef put_user

#define access_ok(ptr, size)	((void)(ptr), (void)(size), true)

/*
 * READ_ONCE() prevents the compiler from dropping a copy, as it cannot drop a copy from user
 * memory.
 */
#define __get_user(x, ptr)	({ (x) = READ_ONCE(*(ptr)); 0; })
#define __put_user(x, ptr)	({ WRITE_ONCE(*(ptr), x); 0; })
#define put_user(x, ptr)	__put_user(x, ptr)

#endif
#endif /* _BENCH_DIRECT_H */
