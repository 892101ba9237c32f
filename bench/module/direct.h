/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What weir.ko is compiled with for bench/um: without what user-mode Linux does in a
 * roundabout way, so that what is timed is ours.
 *
 * It blocks and unblocks signals by system calls around what the processor does in one
 * instruction, adding to memory of its own: here an addition is just that. No interrupt
 * adds to the same while loops are timed.
 *
 * And it walks the page tables for every word it copies from or to a program, which
 * takes longer than a check does: for src/api/submit.c and src/api/op_user.c, operations
 * lie in the kernel's own memory. A program's own WEIR_IOC_SUBMIT ends such a kernel.
 *
 * So this build is for nothing else.
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

/* What the functions of <linux/uaccess.h> come down to in user-mode Linux. */
#undef access_ok
#undef __get_user
#undef __put_user
#undef put_user

#define access_ok(ptr, size)	((void)(ptr), (void)(size), true)

/* None is left out as useless: with a program's memory it could not be either. */
#define __get_user(x, ptr)	({ (x) = READ_ONCE(*(ptr)); 0; })
#define __put_user(x, ptr)	({ WRITE_ONCE(*(ptr), x); 0; })
#define put_user(x, ptr)	__put_user(x, ptr)

#endif
#endif /* _BENCH_DIRECT_H */
