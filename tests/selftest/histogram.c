// SPDX-License-Identifier: GPL-2.0-only
/* histogram - values counted by size: buckets, sum, snapshots, take, load */
#include <limits.h>

#include "harness.h"

#include "histogram.h"
#include "memory.h"

FIXTURE(histogram) {
	int fd;
	__u32 h, sum, sequence;
	struct weir_histogram seen, wanted;
};

FIXTURE_SETUP(histogram)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, histogram_create(self->fd, OURS "histogram", &self->h));
	ASSERT_EQ(0, sum_create(self->fd, OURS "histogram-sum", 1, &self->sum));
	ASSERT_EQ(0, counter_create(self->fd, OURS "histogram-sequence",
				    WEIR_COUNTER_SEQUENCE, 0, &self->sequence));
	memset(&self->wanted, 0, sizeof(self->wanted));
}

FIXTURE_TEARDOWN(histogram)
{
	close(self->fd);
	objects_wipe();
}

/* Count a value in the kernel's histogram and in the model. */
static int count(FIXTURE_DATA(histogram) *self, __u64 value, __u64 times)
{
	histogram_count(&self->wanted, value, times ? times : 1);
	return observe(self->fd, self->h, value, times);
}

static bool is_as_wanted(FIXTURE_DATA(histogram) *self)
{
	return !histogram_get(self->fd, WEIR_OP_READ, self->h, &self->seen) &&
	       histogram_same(&self->seen, &self->wanted);
}

TEST_F(histogram, begins_empty)
{
	EXPECT_TRUE(is_as_wanted(self));
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, self->h, &self->seen));
	EXPECT_TRUE(histogram_same(&self->seen, &self->wanted));
}

/* An OBSERVE writes only @result; the rest of the result half is zero. */
TEST_F(histogram, result)
{
	static const struct weir_op zero;
	struct weir_op op = op_make(WEIR_OP_OBSERVE, self->h, 7);

	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(0, memcmp(&op.result, &zero.result,
			    sizeof(op) - offsetof(struct weir_op, result)));
	EXPECT_EQ(7, op.n);
}

/* The two ends of each bucket, which include every power of two and its neighbours. */
TEST_F(histogram, every_bucket)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		ASSERT_EQ(i, bucket_of(bucket_low(i)));
		ASSERT_EQ(i, bucket_of(bucket_high(i)));
		if (i)
			ASSERT_EQ(bucket_high(i - 1) + 1, bucket_low(i));
		ASSERT_EQ(0, count(self, bucket_low(i), 1));
		ASSERT_EQ(0, count(self, bucket_high(i), i));
	}
	EXPECT_EQ((__u64)LLONG_MAX, bucket_high(BUCKETS - 1));
	EXPECT_TRUE(is_as_wanted(self));
	EXPECT_EQ(0, self->seen.min);
	EXPECT_EQ((__u64)LLONG_MAX, self->seen.max);
}

TEST_F(histogram, many_times)
{
	ASSERT_EQ(0, count(self, 1000, 1ULL << 32));
	ASSERT_EQ(0, count(self, 0, (1ULL << 32) - 1));
	ASSERT_EQ(0, count(self, 40, 0));
	EXPECT_TRUE(is_as_wanted(self));
	EXPECT_EQ(1ULL << 33, self->seen.count);
}

TEST_F(histogram, sum_is_modulo_2_64)
{
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, count(self, LLONG_MAX, i));
	ASSERT_EQ(0, count(self, LLONG_MAX - 12345, 1ULL << 32));
	EXPECT_TRUE(is_as_wanted(self));
	/* a take returns the same */
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, self->h, &self->seen));
	EXPECT_TRUE(histogram_same(&self->seen, &self->wanted));
	memset(&self->wanted, 0, sizeof(self->wanted));
	EXPECT_TRUE(is_as_wanted(self));
	ASSERT_EQ(0, count(self, 99, 1));
	EXPECT_TRUE(is_as_wanted(self));
}

/* A refused value is not counted. */
TEST_F(histogram, values_and_times)
{
	static const __s64 values[] = { -1, -2, LLONG_MIN, LLONG_MIN + 1 };
	static const __u64 times[] = { (1ULL << 32) + 1, 1ULL << 63, ~0ULL };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		EXPECT_EQ(-EINVAL, observe(self->fd, self->h, values[i], 1));
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		EXPECT_EQ(-EINVAL, observe(self->fd, self->h, 1, times[i]));
	EXPECT_TRUE(is_as_wanted(self));
}

TEST_F(histogram, what_an_observation_has_not)
{
	struct weir_op op = op_make(WEIR_OP_OBSERVE, self->h, 1);
	__s64 values[WORDS] = { 0 };

	op.flags = WEIR_OP_PTR;
	op.ptr = address(values);
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	for (size_t byte = 0; byte < sizeof(op.key); byte++) {
		op = op_make(WEIR_OP_OBSERVE, self->h, 1);
		op.key[byte] = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	for (int bit = 0; bit < 16; bit++) {
		op = op_make(WEIR_OP_OBSERVE, self->h, 1);
		op.key_len = 1U << bit;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
		op = op_make(WEIR_OP_OBSERVE, self->h, 1);
		op.flags = 1U << bit;
		if (op.flags != WEIR_OP_NOWAIT)
			EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	EXPECT_TRUE(is_as_wanted(self));
}

/* A transaction may have checks and adds only, and is refused as a whole. */
TEST_F(histogram, not_in_a_transaction)
{
	struct weir_op ops[2] = { op_make(WEIR_OP_ADD, self->sum, 1),
				  op_make(WEIR_OP_OBSERVE, self->h, 1) };
	struct weir_submit submit = { .size = sizeof(submit),
				      .flags = WEIR_SUBMIT_ALL, .count = 2,
				      .ops = address(ops) };
	__s64 value;

	ops[0].arg = 1;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(-ECANCELED, ops[0].result);
	EXPECT_EQ(-EINVAL, ops[1].result);
	EXPECT_EQ(0, counter_read(self->fd, self->sum, 0, &value));
	EXPECT_EQ(0, value);
	EXPECT_TRUE(is_as_wanted(self));
}

/* Each type of counter has its own operations. */
TEST_F(histogram, other_types)
{
	struct weir_op op = op_make(WEIR_OP_NEXT, self->h, 1);
	static const __s64 amounts[2] = { 1, 1 };

	EXPECT_EQ(-EOPNOTSUPP, op_run(self->fd, &op));
	EXPECT_EQ(-EOPNOTSUPP, counter_add(self->fd, self->h, 0, 1));
	op = op_make(WEIR_OP_ADD, self->h, 0);
	op.arg = 3;
	op.flags = WEIR_OP_PTR;
	op.ptr = address(amounts);
	EXPECT_EQ(-EOPNOTSUPP, op_run(self->fd, &op));
	EXPECT_EQ(-EOPNOTSUPP, observe(self->fd, self->sum, 1, 1));
	EXPECT_EQ(-EOPNOTSUPP, observe(self->fd, self->sequence, 1, 1));
	EXPECT_EQ(-EOPNOTSUPP, histogram_load(self->fd, self->sum, &self->wanted));
	EXPECT_EQ(-EOPNOTSUPP, histogram_load(self->fd, self->sequence,
					      &self->wanted));
	EXPECT_TRUE(is_as_wanted(self));
}

TEST_F(histogram, rights)
{
	__u32 observer, user;
	int fd;

	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER, OURS "histogram",
				 WEIR_RIGHT_OBSERVE, &observer));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER, OURS "histogram",
				 WEIR_RIGHT_USE, &user));
	EXPECT_EQ(-EACCES, observe(self->fd, observer, 1, 1));
	EXPECT_EQ(0, observe(self->fd, user, 1, 1));
	EXPECT_EQ(-EACCES, histogram_get(self->fd, WEIR_OP_READ, user, &self->seen));
	EXPECT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, observer, &self->seen));
	EXPECT_EQ(1, self->seen.count);
	EXPECT_EQ(-EACCES, histogram_get(self->fd, WEIR_OP_TAKE, user, &self->seen));
	EXPECT_EQ(-EACCES, histogram_get(self->fd, WEIR_OP_TAKE, observer,
					 &self->seen));
	EXPECT_EQ(-EACCES, histogram_load(self->fd, user, &self->wanted));
	EXPECT_EQ(-EBADF, observe(self->fd, 0x7fffffff, 1, 1));
	EXPECT_EQ(-EBADF, histogram_load(self->fd, 0x7fffffff, &self->wanted));
	fd = client_open(O_RDONLY);
	EXPECT_EQ(-EBADF, observe(fd, user, 1, 1));
	close(fd);
	ASSERT_EQ(0, object_delete(self->fd, self->h));
	EXPECT_EQ(-ENODEV, observe(self->fd, user, 1, 1));
	EXPECT_EQ(-ENODEV, histogram_get(self->fd, WEIR_OP_READ, observer,
					 &self->seen));
	EXPECT_EQ(-ENODEV, histogram_get(self->fd, WEIR_OP_TAKE, self->h,
					 &self->seen));
	EXPECT_EQ(-ENODEV, histogram_load(self->fd, self->h, &self->wanted));
}

/* READ and TAKE copy all numbers of a histogram, or none if the buffer is too small. */
TEST_F(histogram, room)
{
	static const __s64 rooms[] = { LLONG_MIN, -1, 0, 1, 4, WORDS - 1 };
	static const __u16 opcodes[] = { WEIR_OP_READ, WEIR_OP_TAKE };
	__u64 more[WORDS + 1];
	struct weir_op op;

	ASSERT_EQ(0, count(self, 77, 3));
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
			memset(more, POISON, sizeof(more));
			EXPECT_EQ(-EMSGSIZE, histogram_op(self->fd, opcodes[k],
							  self->h, more, rooms[i],
							  &op));
			EXPECT_EQ(POISON_U64, more[0]);
		}
		op = op_make(opcodes[k], self->h, 0);
		EXPECT_EQ(-EMSGSIZE, op_run(self->fd, &op));
		op = op_make(opcodes[k], self->h, WORDS);
		op.flags = WEIR_OP_PTR;
		op.ptr = address(more);
		op.arg = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	/* the buffer has more room than needed: the rest is not written */
	EXPECT_EQ(0, histogram_op(self->fd, WEIR_OP_READ, self->h, more, WORDS + 1,
				  &op));
	EXPECT_EQ(WORDS, op.value);
	EXPECT_EQ(0, memcmp(more, &self->wanted, sizeof(self->wanted)));
	EXPECT_EQ(POISON_U64, more[WORDS]);
}

/* A take whose result cannot be written takes nothing. */
TEST_F(histogram, bad_pointers)
{
	struct pane pane = pane_make();
	struct weir_op op;

	ASSERT_EQ(0, count(self, 4711, 5));
	for (int prot = PROT_NONE; prot <= PROT_READ; prot += PROT_READ) {
		pane_protect(&pane, prot);
		for (size_t bytes = 0; bytes < sizeof(self->seen); bytes += 8 * 67) {
			void *place = pane_before(&pane, bytes);

			EXPECT_EQ(-EFAULT, histogram_op(self->fd, WEIR_OP_READ,
							self->h, place, WORDS,
							&op));
			EXPECT_EQ(-EFAULT, histogram_op(self->fd, WEIR_OP_TAKE,
							self->h, place, WORDS,
							&op));
		}
	}
	EXPECT_TRUE(is_as_wanted(self));
	pane_protect(&pane, PROT_NONE);
	EXPECT_EQ(-EFAULT, histogram_load(self->fd, self->h, NULL));
	for (size_t bytes = 0; bytes < sizeof(self->wanted); bytes += 8 * 67)
		EXPECT_EQ(-EFAULT, histogram_load(self->fd, self->h,
				pane_lay(&pane, &self->wanted,
					 sizeof(self->wanted), bytes, PROT_NONE)));
	EXPECT_TRUE(is_as_wanted(self));
	/* read-only memory is enough for a load */
	EXPECT_EQ(0, histogram_load(self->fd, self->h,
				    pane_lay(&pane, &self->wanted,
					     sizeof(self->wanted), 64, PROT_READ)));
	pane_free(&pane);
}

/* Take, load back, take again, load into another histogram: the sums stay exact. */
TEST_F(histogram, taken_and_put_back)
{
	struct weir_histogram twice;
	__u32 other;

	for (unsigned int i = 0; i < BUCKETS; i += 7)
		ASSERT_EQ(0, count(self, bucket_low(i) + i % 2, i));
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, self->h, &self->seen));
	ASSERT_EQ(0, histogram_load(self->fd, self->h, &self->seen));
	EXPECT_TRUE(is_as_wanted(self));
	ASSERT_EQ(0, count(self, 123456, 1));
	EXPECT_TRUE(is_as_wanted(self));
	ASSERT_EQ(0, histogram_create(self->fd, OURS "histogram-2", &other));
	ASSERT_EQ(0, histogram_load(self->fd, other, &self->wanted));
	ASSERT_EQ(0, histogram_load(self->fd, other, &self->wanted));
	twice = self->wanted;
	histogram_merge(&twice, &self->wanted);
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_TAKE, other, &self->seen));
	EXPECT_TRUE(histogram_same(&self->seen, &twice));
	memset(&twice, 0, sizeof(twice));
	ASSERT_EQ(0, histogram_load(self->fd, other, &twice));
	ASSERT_EQ(0, histogram_get(self->fd, WEIR_OP_READ, other, &self->seen));
	EXPECT_TRUE(histogram_same(&self->seen, &twice));
}

static int load_with(FIXTURE_DATA(histogram) *self, __u64 *member, __u64 value)
{
	__u64 right = *member;
	int ret;

	*member = value;
	ret = histogram_load(self->fd, self->h, &self->wanted);
	*member = right;
	return ret;
}

TEST_F(histogram, load_of_what_cannot_be)
{
	struct weir_histogram *w = &self->wanted;

	ASSERT_EQ(0, count(self, 0, 2));
	ASSERT_EQ(0, count(self, 1000, 3));
	EXPECT_EQ(-EINVAL, load_with(self, &w->count, 4));
	EXPECT_EQ(-EINVAL, load_with(self, &w->count, 6));
	EXPECT_EQ(-EINVAL, load_with(self, &w->min, 1));
	EXPECT_EQ(-EINVAL, load_with(self, &w->max, 1000));
	EXPECT_EQ(-EINVAL, load_with(self, &w->max, 0));
	EXPECT_EQ(-EINVAL, load_with(self, &w->buckets[3], 1));
	EXPECT_EQ(-EINVAL, load_with(self, &w->buckets[bucket_of(1000)], ~0ULL));
	/* three values from 992 to 1023 cannot have this sum */
	EXPECT_EQ(-EINVAL, load_with(self, &w->sum, 3 * 992 - 1));
	EXPECT_EQ(-EINVAL, load_with(self, &w->sum, 3 * 1023 + 1));
	EXPECT_EQ(-EINVAL, load_with(self, &w->sum, 0));
	EXPECT_TRUE(is_as_wanted(self));
	EXPECT_EQ(0, load_with(self, &w->sum, 3 * 992));
	EXPECT_EQ(0, load_with(self, &w->sum, 3 * 1023));
}

TEST_F(histogram, load_rules)
{
	const struct weir_load good = { .size = sizeof(good), .handle = self->h,
					.buffer = address(&self->wanted),
					.length = sizeof(self->wanted) };
	struct weir_load load;

	for (int bit = 0; bit < 64; bit++) {
		load = good;
		load.elapsed = 1ULL << bit;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LOAD, &load));
		load = good;
		load.length ^= 1ULL << bit;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LOAD, &load));
		load = good;
		load.flags = 1U << bit % 32;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LOAD, &load));
	}
	for (int off = 1; off < 8; off++) {
		load = good;
		load.buffer += off;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LOAD, &load));
	}
	load = good;
	load.count = POISON_U32;
	EXPECT_EQ(0, call(self->fd, WEIR_IOC_LOAD, &load));
	EXPECT_EQ(1, load.count);
	EXPECT_EQ(sizeof(self->wanted), load.length);
	EXPECT_TRUE(is_as_wanted(self));
}

static int create_with(int fd, struct weir_counter_config config)
{
	struct weir_create create;

	config.size = sizeof(config);
	create = create_make(WEIR_KIND_COUNTER, OURS "histogram-new", &config);
	create.rights = 0;
	return call(fd, WEIR_IOC_CREATE, &create);
}

TEST_F(histogram, config)
{
	static const char names[1][WEIR_NAME_SIZE] = { "one" };
	struct weir_counter_config good = { .type = WEIR_COUNTER_HISTOGRAM }, c;

	for (__u32 bits = 1; bits < 64; bits++) {
		c = good;
		c.sub_bits = bits;
		if (bits != WEIR_HISTOGRAM_SUB_BITS)
			EXPECT_EQ(-EINVAL, create_with(self->fd, c));
		c.type = WEIR_COUNTER_SUM;
		EXPECT_EQ(-EINVAL, create_with(self->fd, c));
		c.type = WEIR_COUNTER_SEQUENCE;
		EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	}
	c = good;
	c.buckets = BUCKETS;
	EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	c = good;
	c.nfields = 1;
	c.fields = address(names);
	EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	c.nfields = 0;
	EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	c = good;
	c.start = 1;
	EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	c = good;
	c.reserved = 1;
	EXPECT_EQ(-EINVAL, create_with(self->fd, c));
	c = good;
	c.type = 4;
	EXPECT_EQ(-EOPNOTSUPP, create_with(self->fd, c));
	c = good;
	c.sub_bits = WEIR_HISTOGRAM_SUB_BITS;
	EXPECT_EQ(0, create_with(self->fd, c));
}

TEST_F(histogram, layout_is_told)
{
	struct weir_counter_config config;
	struct weir_get get = { .size = sizeof(get), .handle = self->h,
				.config = address(&config) };

	memset(&config, POISON, sizeof(config));
	config.size = sizeof(config);
	config.reserved = 0;
	config.nfields = 0;
	config.fields = 0;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_GET, &get));
	EXPECT_EQ(WEIR_COUNTER_HISTOGRAM, config.type);
	EXPECT_EQ(0, config.nfields);
	EXPECT_EQ(WEIR_HISTOGRAM_SUB_BITS, config.sub_bits);
	EXPECT_EQ(BUCKETS, config.buckets);
	EXPECT_EQ(0, config.start);
	get.handle = self->sequence;
	EXPECT_EQ(-EMSGSIZE, call(self->fd, WEIR_IOC_GET, &get));
	EXPECT_EQ(0, config.sub_bits);
	EXPECT_EQ(0, config.buckets);
	EXPECT_NE(0, info_get(self->fd).features & WEIR_FEATURE_HISTOGRAM);
}

TEST_HARNESS_MAIN
