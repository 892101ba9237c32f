// SPDX-License-Identifier: GPL-2.0-only
/*
 * histogram_race - many observers, some readers and takers, and exact sums
 *
 * The tests are limited by counts, not by time. WEIR_SCALE=small divides the counts, for kernels
 * with debug checks.
 */
#include "harness.h"

#include "crowd.h"
#include "histogram.h"

#define NAME	OURS "histogram-race"
#define WRITERS	16

FIXTURE(histogram_race) {
	int fd;
	__u32 h;
	struct crowd *crowd;
	struct weir_histogram seen, wanted, taken;
};

FIXTURE_SETUP(histogram_race)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, histogram_create(self->fd, NAME, &self->h));
	self->crowd = crowd_make(WRITERS);
	memset(&self->wanted, 0, sizeof(self->wanted));
	memset(&self->taken, 0, sizeof(self->taken));
}

FIXTURE_TEARDOWN(histogram_race)
{
	crowd_free(self->crowd);
	close(self->fd);
	objects_wipe();
}

/* The value that member @me observes in round @i: known to all, and of any magnitude. */
static __u64 value_of(unsigned int me, unsigned int i)
{
	__u64 z = ((__u64)me << 32 | i) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 29) * 0xbf58476d1ce4e5b9ULL;
	z ^= z >> 32;
	return z >> 1 >> (z & 31);
}

/* The lowest value of the same bucket, so that the buckets determine the sum. */
static __u64 low_of(unsigned int me, unsigned int i)
{
	return bucket_low(bucket_of(value_of(me, i)));
}

struct work {
	__u64 (*value)(unsigned int me, unsigned int i);
	unsigned int count;	/* 0: until the flag is set */
};

static int observe_all(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct work *work = arg;
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);
	__u32 h;

	if (object_open(fd, WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_USE, &h))
		return 1;
	for (unsigned int i = 0; work->count ? i < work->count : !crowd->flag; i++) {
		seat->begun++;
		if (observe(fd, h, work->value(me, i), 1 + me % 3))
			return 2;
		seat->done++;
	}
	return 0;
}

/* More than all observations of any test here. A bucket that went below zero has more. */
#define ABSURD	0x10000000000ULL

static bool is_whole(const struct weir_histogram *h)
{
	struct weir_histogram copy = *h;
	__u64 sum = 0;

	histogram_finish(&copy);
	for (unsigned int i = 0; i < BUCKETS; i++) {
		sum += h->buckets[i] * bucket_low(i);
		if (h->buckets[i] >= ABSURD)
			return false;
	}
	return sum == h->sum && histogram_same(&copy, h);
}

#define BATCH	512

/* Observe without a pause until the flag is set. */
static int observe_batches(struct crowd *crowd, unsigned int me, void *arg)
{
	static struct weir_op ops[BATCH];
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);
	__u32 h, done;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_USE, &h))
		return 1;
	for (unsigned int i = 0; i < BATCH; i++)
		ops[i] = op_make(WEIR_OP_OBSERVE, h, low_of(me, i));
	while (!crowd->flag) {
		if (submit(fd, ops, BATCH, &done) || done != BATCH)
			return 2;
		seat->done += BATCH;
	}
	return 0;
}

/* No snapshot has a bucket without its part of the sum, or is older than the previous snapshot. */
TEST_F(histogram_race, snapshots_are_whole)
{
	const unsigned int snapshots = scaled(5000);
	unsigned int torn = 0, back = 0, alike = 0;
	__u64 last = 0;

	crowd_spawn(self->crowd, observe_batches, NULL);
	crowd_start(self->crowd);
	for (unsigned int i = 0; i < snapshots; i++) {
		ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h,
					   &self->seen));
		torn += !is_whole(&self->seen);
		back += self->seen.count < last;
		alike += self->seen.count == last;
		last = self->seen.count;
	}
	self->crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(self->crowd));
	EXPECT_EQ(0, torn);
	EXPECT_EQ(0, back);
	TH_LOG("%u snapshots, %u of them like the one before", snapshots, alike);
	EXPECT_LT(alike, snapshots - 1);
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	EXPECT_EQ(crowd_done(self->crowd), self->seen.count);
}

static bool running(const struct crowd *crowd, const struct work *work)
{
	return crowd_done(crowd) < (__u64)WRITERS * work->count;
}

/* Some takes are loaded back. Together with the rest they equal the observations. */
TEST_F(histogram_race, takes_lose_nothing)
{
	struct work work = { .value = low_of, .count = scaled(20000) };
	unsigned int takes = 0, torn = 0;

	crowd_spawn(self->crowd, observe_all, &work);
	crowd_start(self->crowd);
	while (running(self->crowd, &work) && !torn) {
		ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, self->h,
					   &self->seen));
		torn += !is_whole(&self->seen);
		if (takes++ % 3)
			histogram_merge(&self->taken, &self->seen);
		else
			ASSERT_EQ(0, histogram_load(self->fd, self->h, &self->seen));
	}
	EXPECT_EQ(0, crowd_wait(self->crowd));
	EXPECT_EQ(0, torn);
	TH_LOG("%u takes", takes);
	EXPECT_LT(1, takes);
	for (unsigned int me = 0; me < WRITERS; me++)
		for (unsigned int i = 0; i < work.count; i++) {
			__u64 value = low_of(me, i);

			self->wanted.buckets[bucket_of(value)] += 1 + me % 3;
			self->wanted.sum += value * (1 + me % 3);
		}
	histogram_finish(&self->wanted);
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	histogram_merge(&self->taken, &self->seen);
	EXPECT_TRUE(histogram_same(&self->taken, &self->wanted));
}

#define MIXED	8

/**
 * struct mixed - all kinds of work at once
 * @times: rounds of each process
 * @torn: inconsistent snapshots
 * @taken: sum of each process's takes
 */
struct mixed {
	unsigned int times;
	_Atomic unsigned int torn;
	struct weir_histogram taken[MIXED];
};

/* Half of the processes observe; two take, one takes and loads back, and one reads. */
static int do_mixed(struct crowd *crowd, unsigned int me, void *arg)
{
	static struct weir_histogram h;
	struct mixed *mixed = arg;
	int fd = client_open(O_RDWR);
	__u32 handle;

	if (object_open(fd, WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_ALL, &handle))
		return 1;
	for (unsigned int i = 0; i < mixed->times; i++) {
		if (me < MIXED / 2) {
			/* so many that a reader is likely to run at the same time */
			for (int k = 0; k < 10; k++)
				if (observe(fd, handle, low_of(me, 10 * i + k), 1))
					return 2;
			continue;
		}
		if (histogram_get(fd, me == MIXED - 1 ? WEIR_OP_READ : WEIR_OP_TAKE,
				  handle, &h))
			return 3;
		mixed->torn += !is_whole(&h);
		if (me < MIXED - 2)
			histogram_merge(&mixed->taken[me], &h);
		else if (me == MIXED - 2 && histogram_load(fd, handle, &h))
			return 4;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(histogram_race, takers_among_each_other)
{
	struct mixed *mixed = shared_memory(sizeof(*mixed));
	struct crowd *crowd = crowd_make(MIXED);

	mixed->times = scaled(2000);
	EXPECT_EQ(0, crowd_run(crowd, do_mixed, mixed));
	EXPECT_EQ(0, mixed->torn);
	for (unsigned int me = 0; me < MIXED / 2; me++)
		for (unsigned int i = 0; i < 10 * mixed->times; i++) {
			__u64 value = low_of(me, i);

			self->wanted.buckets[bucket_of(value)]++;
			self->wanted.sum += value;
		}
	histogram_finish(&self->wanted);
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	for (unsigned int me = 0; me < MIXED; me++)
		histogram_merge(&self->seen, &mixed->taken[me]);
	EXPECT_TRUE(histogram_same(&self->seen, &self->wanted));
	crowd_free(crowd);
}

static int by_size(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All observed values in ascending order, each as often as it was observed. */
static __u64 *sorted_values(unsigned int each, size_t *count)
{
	__u64 *values = malloc(3UL * WRITERS * each * sizeof(*values));

	*count = 0;
	for (unsigned int me = 0; me < WRITERS; me++)
		for (unsigned int i = 0; i < each; i++)
			for (unsigned int k = 0; k < 1 + me % 3; k++)
				values[(*count)++] = value_of(me, i);
	qsort(values, *count, sizeof(*values), by_size);
	return values;
}

/* Values of any magnitude: every thousandth rank is compared with the exact value. */
TEST_F(histogram_race, percentiles)
{
	struct work work = { .value = value_of, .count = scaled(10000) };
	__u64 *values, rank = 0;
	size_t count, at = 0;

	EXPECT_EQ(0, crowd_run(self->crowd, observe_all, &work));
	values = sorted_values(work.count, &count);
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	ASSERT_EQ(count, self->seen.count);
	for (unsigned int i = 0; i < BUCKETS; i++) {
		/* any rank in a bucket is reported as its upper bound, which is this much higher */
		for (rank += self->seen.buckets[i]; at < rank; at++) {
			__u64 told = bucket_high(i);

			ASSERT_LE(values[at], told);
			if (told != values[at])
				ASSERT_LT(told - values[at], values[at] / 16);
		}
	}
	EXPECT_EQ(count, at);
	EXPECT_EQ(bucket_low(bucket_of(values[0])), self->seen.min);
	EXPECT_EQ(bucket_high(bucket_of(values[count - 1])), self->seen.max);
	free(values);
}

/* Each process has its own bucket, so that each observation can be attributed. */
static __u64 own_value(unsigned int me, unsigned int i)
{
	(void)i;
	return bucket_low(100 + me);
}

/* Half of the processes are killed. Every acknowledged observation is counted, with its sum. */
TEST_F(histogram_race, killed)
{
	struct work work = { .value = own_value };
	__u64 least = scaled(2000);

	crowd_spawn(self->crowd, observe_all, &work);
	crowd_start(self->crowd);
	for (unsigned int i = 0; i < WRITERS; i += 2) {
		while (self->crowd->seat[i].done < least)
			;
		crowd_kill(self->crowd, i);
	}
	self->crowd->flag = 1;
	EXPECT_EQ(WRITERS / 2, crowd_wait(self->crowd));
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	EXPECT_TRUE(is_whole(&self->seen));
	for (unsigned int i = 0; i < WRITERS; i++) {
		const struct seat *seat = &self->crowd->seat[i];
		const __u64 counted = self->seen.buckets[100 + i] / (1 + i % 3);

		EXPECT_EQ(0, self->seen.buckets[100 + i] % (1 + i % 3));
		EXPECT_LE(seat->done, counted);
		EXPECT_LE(counted, seat->begun);
		if (i % 2)
			EXPECT_EQ(seat->done, counted);
	}
}

static bool cpu1_write(const char *word)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	bool good = fd >= 0 && write(fd, word, 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

/* A CPU is unplugged and plugged in while all processes observe. */
TEST_F(histogram_race, unplugged_processor)
{
	struct work work = { .value = own_value };
	__u64 before;

	if (!cpu1_write("1"))
		SKIP(return, "cpu1 cannot be taken out here");
	crowd_spawn(self->crowd, observe_all, &work);
	crowd_start(self->crowd);
	for (int i = 0; i < 5; i++) {
		before = crowd_done(self->crowd);
		EXPECT_TRUE(cpu1_write("0"));
		ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, self->h,
					   &self->seen));
		histogram_merge(&self->taken, &self->seen);
		EXPECT_TRUE(cpu1_write("1"));
		while (crowd_done(self->crowd) < before + 100)
			;
	}
	self->crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(self->crowd));
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen));
	histogram_merge(&self->taken, &self->seen);
	EXPECT_TRUE(is_whole(&self->taken));
	for (unsigned int i = 0; i < WRITERS; i++)
		EXPECT_EQ(self->crowd->seat[i].done * (1 + i % 3),
			  self->taken.buckets[100 + i]);
}

/* Read, take and load until the histogram is deleted; then each call fails with ENODEV. */
static int use_until_gone(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR), ret = 0;
	static struct weir_histogram h;
	__u32 handle;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_ALL, &handle))
		return 1;
	for (unsigned int i = 0; !ret; i++) {
		switch ((me + i) % 4) {
		case 0:
			ret = histogram_get(fd, WEIR_OP_READ, handle, &h);
			break;
		case 1:
			ret = histogram_get(fd, WEIR_OP_TAKE, handle, &h);
			ret = ret ?: histogram_load(fd, handle, &h);
			break;
		default:
			ret = observe(fd, handle, value_of(me, i), 1);
		}
		seat->done += !ret;
	}
	return ret == -ENODEV ? 0 : 2;
}

TEST_F(histogram_race, deleted_in_use)
{
	for (int round = 0; round < 10; round++) {
		struct crowd *crowd = crowd_make(6);

		crowd_spawn(crowd, use_until_gone, NULL);
		crowd_start(crowd);
		for (int i = 0; i < 6; i++)
			while (crowd->seat[i].done < 20)
				;
		EXPECT_EQ(0, object_delete(self->fd, self->h));
		EXPECT_EQ(0, crowd_wait(crowd));
		EXPECT_EQ(0, handle_close(self->fd, self->h));
		ASSERT_EQ(0, histogram_create(self->fd, NAME, &self->h));
		crowd_free(crowd);
	}
}

TEST_HARNESS_MAIN
