/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Definitions for the pure algorithms of this folder, for the kernel and for tests in user space. A
 * pure algorithm takes the time as an argument and accesses only its arguments: no lock, no clock,
 * no memory allocation.
 */
#ifndef _WEIR_PURE_H
#define _WEIR_PURE_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/time64.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define U32_MAX			UINT32_MAX
#define U64_MAX			UINT64_MAX
#define NSEC_PER_USEC		1000L
#define NSEC_PER_MSEC		1000000L
#define NSEC_PER_SEC		1000000000L
#define max(a, b) ({			\
	__typeof__(a) _a = (a);		\
	__typeof__(b) _b = (b);		\
	_a > _b ? _a : _b; })
#define min(a, b) ({			\
	__typeof__(a) _a = (a);		\
	__typeof__(b) _b = (b);		\
	_a < _b ? _a : _b; })
#define div64_u64(a, b)		((a) / (b))
#define check_mul_overflow(a, b, d)	__builtin_mul_overflow(a, b, d)
#define check_add_overflow(a, b, d)	__builtin_add_overflow(a, b, d)

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (u64)(((__uint128_t)a * b) >> shift);
}
#endif

#include <uapi/linux/weir.h>

#define WEIR_NSEC_PER_DAY	(86400ULL * NSEC_PER_SEC)
#define WEIR_NSEC_PER_YEAR	(365ULL * WEIR_NSEC_PER_DAY)

#endif /* _WEIR_PURE_H */
