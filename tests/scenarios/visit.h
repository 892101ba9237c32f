/* SPDX-License-Identifier: GPL-2.0-only */
/* visit - millions of addresses, and their cost in the kernel */
#ifndef _WEIR_SCENARIO_VISIT_H
#define _WEIR_SCENARIO_VISIT_H

#include <stdint.h>

#include <weir.h>

/* the maximum total cost of one address */
#define BYTES_A_KEY 96

/* Bytes of memory that the kernel uses itself: slab, vmalloc, per CPU. */
long kernel_bytes(void);

/*
 * Check each of the addresses @first to @first + @keys - 1 once, many in a call. Return: how many
 * got @verdict.
 */
unsigned int visit(struct weir *weir, struct weir_limiter *limiter, uint32_t first,
		   unsigned int keys, enum weir_opcode opcode, uint64_t n,
		   unsigned int verdict);

/* Wait until all entries have been dropped by the sweep, for at most a minute. */
void wait_until_empty(struct weir_limiter *limiter);

/* Pause between two reads of state that the kernel changes in the background. */
void look_again_soon(void);

/*
 * Check that no more entries are in memory than @at_start, the result of slab_objects() at the
 * start. A worker frees them after a grace period, so this may take some moments.
 */
void memory_comes_back(long at_start, const char *what);

/* Check that @keys keys take no more than BYTES_A_KEY each. */
void cost_is_bounded(long bytes, unsigned int keys);

#endif /* _WEIR_SCENARIO_VISIT_H */
