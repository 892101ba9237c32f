// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms: observing, and reading a slot. See counter.h; histogram.h defines the buckets.
 *
 * Memory: 60 groups of 16 buckets and a sum, 8168 bytes for each possible CPU, and 7712 for the
 * base.
 */

#include "counter/counter.h"

#define SUBS	WEIR_HISTOGRAM_SUBS
#define GROUP	WEIR_HISTOGRAM_GROUP

/**
 * weir_counter_observe - count a value
 * @c: the counter, of type histogram
 * @value: 0..2^63-1
 * @times: number of observations
 *
 * Context: process or softirq. Cost: three cache lines of this CPU, no division.
 */
void weir_counter_observe(struct weir_counter *c, u64 value, u64 times)
{
	unsigned int index = weir_histogram_index(value);
	unsigned int group = index / SUBS * GROUP;
	struct weir_slot *slot = weir_slot_begin(c);

	this_cpu_add(c->slots->value[group + index % SUBS], times);
	this_cpu_add(c->slots->value[group + SUBS], value * times);
	weir_slot_end(slot);
}

/* Add the slot of one CPU to @h; each observation is in the result as a whole or not at all. */
void weir_histogram_add_slot(struct weir_histogram *h, const struct weir_slot *slot)
{
	unsigned int group, i;
	u64 copy[GROUP];

	for (group = 0; group < WEIR_HISTOGRAM_GROUPS; group++) {
		weir_slot_copy(slot, group * GROUP, GROUP, copy);
		for (i = 0; i < SUBS; i++)
			h->buckets[group * SUBS + i] += copy[i];
		h->sum += copy[SUBS];
	}
}
