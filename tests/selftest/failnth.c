// SPDX-License-Identifier: GPL-2.0-only
/* failnth - failures in calls about the device, counters and limiters */
#include "failnth.h"

static int open_device(FIXTURE_DATA(failnth) *self)
{
	int fd = client_open(O_RDWR);

	(void)self;
	if (fd < 0)
		return fd == -ENFILE ? -ENOMEM : fd;
	close(fd);
	return 0;
}

TEST_F(failnth, open)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, open_device);
}

static int create_sum(FIXTURE_DATA(failnth) *self)
{
	__u32 handle;
	int ret = sum_create(self->fd, OURS "failnth-new", 64, &handle);

	return then(self, ret, delete_and_close, handle);
}

TEST_F(failnth, create_sum)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_sum);
}

static int create_sequence(FIXTURE_DATA(failnth) *self)
{
	__u32 handle;
	int ret = counter_create(self->fd, OURS "failnth-new",
				 WEIR_COUNTER_SEQUENCE, 0, &handle);

	return then(self, ret, delete_and_close, handle);
}

TEST_F(failnth, create_sequence)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_sequence);
}

static int create_histogram(FIXTURE_DATA(failnth) *self)
{
	__u32 handle;
	int ret = counter_create(self->fd, OURS "failnth-new",
				 WEIR_COUNTER_HISTOGRAM, 0, &handle);

	return then(self, ret, delete_and_close, handle);
}

TEST_F(failnth, create_histogram)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_histogram);
}

static struct weir_histogram histogram;

static int load_histogram(FIXTURE_DATA(failnth) *self)
{
	struct weir_load load = { .size = sizeof(load),
				  .handle = self->histogram,
				  .buffer = address(&histogram),
				  .length = sizeof(histogram) };

	return call(self->fd, WEIR_IOC_LOAD, &load);
}

/* Loading a histogram of zeros changes nothing, so the load can be repeated after a failure. */
TEST_F(failnth, load_of_a_histogram)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, load_histogram);
}

static int read_or_take(FIXTURE_DATA(failnth) *self, __u16 opcode)
{
	struct weir_op op = op_make(opcode, self->histogram, WEIR_HISTOGRAM_WORDS);

	op.flags = WEIR_OP_PTR;
	op.ptr = address(&histogram);
	return op_run(self->fd, &op);
}

static int read_histogram(FIXTURE_DATA(failnth) *self)
{
	return read_or_take(self, WEIR_OP_READ);
}

TEST_F(failnth, read_of_a_histogram)
{
	struct sweep sweep = { .call = read_histogram, .times = 10 };

	NEEDS_INJECTION();
	sweep_run(_metadata, self, &sweep);
	EXPECT_LT(0, sweep.no_memory);
	EXPECT_LT(0, sweep.no_copy);
}

static int histogram_back(int fd, __u32 handle)
{
	struct weir_load load = { .size = sizeof(load), .handle = handle,
				  .buffer = address(&histogram),
				  .length = sizeof(histogram) };

	return call(fd, WEIR_IOC_LOAD, &load);
}

/* A take that fails takes nothing: each time the values are still there. */
static int take_histogram(FIXTURE_DATA(failnth) *self)
{
	int ret = read_or_take(self, WEIR_OP_TAKE);

	if (!ret && histogram.count != 3)
		abort();
	return then(self, ret, histogram_back, self->histogram);
}

TEST_F(failnth, take_of_a_histogram)
{
	struct weir_op op = op_make(WEIR_OP_OBSERVE, self->histogram, 1000);
	struct sweep sweep = { .call = take_histogram, .times = 10 };

	op.arg = 3;
	ASSERT_EQ(0, op_run(self->fd, &op));
	NEEDS_INJECTION();
	sweep_run(_metadata, self, &sweep);
	EXPECT_LT(0, sweep.no_memory);
	EXPECT_LT(0, sweep.no_copy);
	ASSERT_EQ(0, read_histogram(self));
	EXPECT_EQ(3, histogram.count);
	EXPECT_EQ(3000, histogram.sum);
}

static int emit_line(FIXTURE_DATA(failnth) *self)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 4,
				  .data = address("line"), .tag = "failnth" };

	return call(self->fd, WEIR_IOC_EMIT, &emit);
}

/* A line is emitted, or the call fails; both, only if the number cannot be copied out at the end. */
TEST_F(failnth, emit_a_line)
{
	unsigned int failures = 0, unsaid = 0;
	bool injected = true;

	NEEDS_INJECTION();
	ASSERT_EQ(0, emit_line(self));
	for (unsigned int n = 1; injected; n++) {
		__u64 before = info_get(self->fd).event_next, emitted;
		int ret;

		ASSERT_GT(STEPS_MAX, n);
		fail_at(n);
		ret = emit_line(self);
		injected = !steps_left();
		emitted = info_get(self->fd).event_next - before;
		failures += ret != 0;
		unsaid += ret == -EFAULT && emitted == 1;
		if (ret != -EFAULT)
			EXPECT_EQ(!ret, emitted);
	}
	EXPECT_LT(1, failures);
	EXPECT_EQ(1, unsaid);
}

static int create_limiter(FIXTURE_DATA(failnth) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_IP);

	return create_new(self, WEIR_KIND_LIMITER, &config);
}

TEST_F(failnth, create_limiter)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_limiter);
}

static int open_object(FIXTURE_DATA(failnth) *self)
{
	__u32 handle;
	int ret = object_open(self->fd, WEIR_KIND_COUNTER, OURS "failnth",
			      WEIR_RIGHT_ALL, &handle);

	return then(self, ret, handle_close, handle);
}

TEST_F(failnth, open_object)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, open_object);
}

static int burst_back(int fd, __u32 handle)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	config.burst = 10;
	return limiter_set(fd, handle, WEIR_SET_BURST, &config);
}

static int set(FIXTURE_DATA(failnth) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int ret;

	config.burst = 20;
	ret = limiter_set(self->fd, self->limiter, WEIR_SET_BURST, &config);
	return then(self, ret, burst_back, self->limiter);
}

TEST_F(failnth, set)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, set);
}

static int candidate_none(int fd, __u32 handle)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	return limiter_set(fd, handle, WEIR_SET_CANDIDATE, &config);
}

static int set_candidate(FIXTURE_DATA(failnth) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int ret;

	strcpy(config.candidate, OURS "failnth-c");
	ret = limiter_set(self->fd, self->limiter, WEIR_SET_CANDIDATE, &config);
	return then(self, ret, candidate_none, self->limiter);
}

static int create_with_candidate(FIXTURE_DATA(failnth) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	strcpy(config.candidate, OURS "failnth-c");
	return create_new(self, WEIR_KIND_LIMITER, &config);
}

TEST_F(failnth, candidate)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	__u32 handle;

	NEEDS_INJECTION();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "failnth-c", &config, &handle));
	sweep(_metadata, self, set_candidate);
	sweep(_metadata, self, create_with_candidate);
}

static int list(FIXTURE_DATA(failnth) *self)
{
	struct weir_object_info found[8];
	__u64 cursor = 0, filled;
	__u32 count;

	return list_page(self->fd, WEIR_KIND_ANY, &cursor, found, sizeof(found),
			 &filled, &count);
}

TEST_F(failnth, list)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, list);
}

static int dump(FIXTURE_DATA(failnth) *self)
{
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump),
				  .handle = self->limiter,
				  .buffer = address(buffer),
				  .length = sizeof(buffer) };

	return call(self->fd, WEIR_IOC_DUMP, &dump);
}

TEST_F(failnth, dump)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, dump);
}

static const __u64 number = 77;
static const char text[255] = { "a key as long as a key may be" };

static int forget_number(int fd, __u32 handle)
{
	struct weir_op op;

	return key_run(fd, &op, WEIR_OP_FORGET, handle, 0, &number,
		       sizeof(number));
}

static int forget_text(int fd, __u32 handle)
{
	struct weir_op op;

	return key_run(fd, &op, WEIR_OP_FORGET, handle, 0, text, sizeof(text));
}

static int check_number(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1,
			  &number, sizeof(number));

	return op_outcome(self, ret, forget_number, self->limiter);
}

TEST_F(failnth, check_of_a_new_key)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, check_number);
}

/*
 * The live limiter has an entry for the key, the candidate gets none: the answer is unchanged, and
 * the miss is counted.
 */
TEST_F(failnth, candidate_missed)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_stats before, after;
	__u64 missed = 0;
	bool injected = true;
	struct weir_op op;
	__u32 its;

	NEEDS_INJECTION();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "failnth-c", &config, &its));
	strcpy(config.candidate, OURS "failnth-c");
	ASSERT_EQ(0, limiter_set(self->fd, self->limiter, WEIR_SET_CANDIDATE, &config));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1, &number,
			     sizeof(number)));
	for (unsigned int n = 1; injected; n++) {
		int ret;

		ASSERT_GT(STEPS_MAX, n);
		forget_number(self->fd, its);
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_REFUND, self->limiter, 1,
				     &number, sizeof(number)));
		ASSERT_EQ(0, stats_get(self->fd, its, &before));
		fail_at(n);
		ret = key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1, &number,
			      sizeof(number));
		injected = !steps_left();
		ASSERT_EQ(0, stats_get(self->fd, its, &after));
		if (ret == -EFAULT)
			continue;
		ASSERT_EQ(0, ret);
		EXPECT_EQ(WEIR_ALLOWED, op.verdict);
		EXPECT_EQ(0, op.out_flags);
		EXPECT_EQ(before.allowed + before.missed + 1,
			  after.allowed + after.missed);
		missed += after.missed - before.missed;
	}
	EXPECT_LT(0, missed);
}

static int strike_text(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = key_run(self->fd, &op, WEIR_OP_STRIKE, self->text, 1, text,
			  sizeof(text));

	return op_outcome(self, ret, forget_text, self->text);
}

TEST_F(failnth, strike_of_a_new_text)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, strike_text);
}

TEST_HARNESS_MAIN
