/* SPDX-License-Identifier: GPL-2.0-only */
/* visit - addresses by the million, and what they cost the kernel */
#ifndef _WEIR_SCENARIO_VISIT_H
#define _WEIR_SCENARIO_VISIT_H

#include <stdint.h>

#include <weir.h>

/* The most that one address may cost in total. */
#define BYTES_A_KEY 96

/* Bytes of memory the kernel has taken for itself: slab, vmalloc, per CPU. */
long kernel_bytes(void);

/*
 * One op for each of the addresses @first to @first + @keys - 1, many in a call.
 * Returns how many were told @verdict.
 */
unsigned int visit(struct weir *weir, struct weir_limiter *limiter, uint32_t first,
		   unsigned int keys, enum weir_opcode opcode, uint64_t n,
		   unsigned int verdict);

/* Until all entries have gone by themselves, a minute at most. */
void wait_until_empty(struct weir_limiter *limiter);

/* A pause between two reads of state that the kernel changes in the background. */
void look_again_soon(void);

/*
 * Check that no more entries are in memory than @at_start, slab_objects() of before. They
 * are freed after a grace period and by a worker: a matter of moments.
 */
void memory_comes_back(long at_start, const char *what);

/* Check that @keys keys take no more than BYTES_A_KEY each. */
void cost_is_bounded(long bytes, unsigned int keys);

#endif /* _WEIR_SCENARIO_VISIT_H */
