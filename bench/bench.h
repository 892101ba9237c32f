/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench - what one call costs
 *
 * Under "tests/vm/run --icount" a nanosecond of the clock is one instruction of the
 * machine, kernel and all processes together, so the figures are the same on every
 * host. A row is the least of several rounds: a round that a timer interrupt fell
 * into is not it.
 */
#ifndef _WEIR_BENCH_H
#define _WEIR_BENCH_H

#include <stdint.h>

/* One call, or as many as the row says; @i counts them. */
typedef void (*bench_call)(void *arg, uint64_t i);

/* Measure @call, which does @ops operations, and print a row. */
void bench_row(const char *group, const char *name, bench_call call, void *arg,
	       unsigned int ops);

/* A row that cannot be measured here, and why. */
void bench_missing(const char *group, const char *name, const char *why);

/* Something a row needs failed: say so and end. */
void bench_die(const char *what) __attribute__((noreturn));

void bench_kernel(void);	/* empty system call, small ioctls */
void bench_weir(void);
void bench_peers(void);		/* what the kernel has of the kind */
void bench_redis(void);
void bench_scale(void);	/* few keys and ten million */

#endif /* _WEIR_BENCH_H */
