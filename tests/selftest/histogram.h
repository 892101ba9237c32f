/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * histogram - raw calls on counters of type histogram, and checks of their results
 *
 * The bucket of a value is computed here from <linux/weir.h>, in another way than in the module.
 */
#ifndef _WEIR_SELFTEST_HISTOGRAM_H
#define _WEIR_SELFTEST_HISTOGRAM_H

#include "client.h"

#define BUCKETS	WEIR_HISTOGRAM_BUCKETS
#define WORDS	WEIR_HISTOGRAM_WORDS

/* Number of low bits in which the values of one bucket differ. */
static inline unsigned int bucket_bits(__u64 value)
{
	unsigned int s = 0;

	while (value >> s >= 32)
		s++;
	return s;
}

static inline unsigned int bucket_of(__u64 value)
{
	unsigned int s = bucket_bits(value);

	return s * 16 + (value >> s);
}

/* The lowest value of a bucket, by search, so that only one formula is used. */
static inline __u64 bucket_low(unsigned int bucket)
{
	unsigned int s = 0;

	while (bucket >= (s + 2) * 16)
		s++;
	return (__u64)(bucket - s * 16) << s;
}

static inline __u64 bucket_high(unsigned int bucket)
{
	__u64 low = bucket_low(bucket);

	return low + (1ULL << bucket_bits(low)) - 1;
}

static inline int histogram_create(int fd, const char *name, __u32 *handle)
{
	return counter_create(fd, name, WEIR_COUNTER_HISTOGRAM, 0, handle);
}

static inline int observe(int fd, __u32 handle, __s64 value, __u64 times)
{
	struct weir_op op = op_make(WEIR_OP_OBSERVE, handle, value);

	op.arg = times;
	return op_run(fd, &op);
}

static inline int histogram_op(int fd, __u16 opcode, __u32 handle, void *to, __s64 room,
			       struct weir_op *op)
{
	*op = op_make(opcode, handle, room);
	op->flags = WEIR_OP_PTR;
	op->ptr = address(to);
	return op_run(fd, op);
}

static inline int histogram_get(int fd, __u16 opcode, __u32 handle,
				struct weir_histogram *h)
{
	struct weir_op op;
	int ret;

	memset(h, POISON, sizeof(*h));
	ret = histogram_op(fd, opcode, handle, h, WORDS, &op);
	return !ret && op.value != WORDS ? -EPROTO : ret;
}

static inline int histogram_load(int fd, __u32 handle, const struct weir_histogram *h)
{
	struct weir_load load = { .size = sizeof(load), .handle = handle,
				  .buffer = address(h), .length = sizeof(*h) };

	return call(fd, WEIR_IOC_LOAD, &load);
}

/* Set count, minimum and maximum for the buckets, and the given sum. */
static inline void histogram_finish(struct weir_histogram *h)
{
	h->count = 0;
	h->min = 0;
	h->max = 0;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		if (!h->count)
			h->min = bucket_low(i);
		h->count += h->buckets[i];
		h->max = bucket_high(i);
	}
}

static inline void histogram_count(struct weir_histogram *h, __u64 value, __u64 times)
{
	h->buckets[bucket_of(value)] += times;
	h->sum += value * times;
	histogram_finish(h);
}

static inline void histogram_merge(struct weir_histogram *to,
				   const struct weir_histogram *from)
{
	for (unsigned int i = 0; i < BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->sum += from->sum;
	histogram_finish(to);
}

static inline bool histogram_same(const struct weir_histogram *a,
				  const struct weir_histogram *b)
{
	if (!memcmp(a, b, sizeof(*a)))
		return true;
	printf("# count %llu %llu, sum %llu %llu, min %llu %llu, max %llu %llu\n",
	       (unsigned long long)a->count, (unsigned long long)b->count,
	       (unsigned long long)a->sum, (unsigned long long)b->sum,
	       (unsigned long long)a->min, (unsigned long long)b->min,
	       (unsigned long long)a->max, (unsigned long long)b->max);
	for (unsigned int i = 0; i < BUCKETS; i++)
		if (a->buckets[i] != b->buckets[i])
			printf("# bucket %u: %llu %llu\n", i,
			       (unsigned long long)a->buckets[i],
			       (unsigned long long)b->buckets[i]);
	return false;
}

#endif /* _WEIR_SELFTEST_HISTOGRAM_H */
