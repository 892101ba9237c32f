// SPDX-License-Identifier: GPL-2.0-only
/*
 * failnth - every allocation of every call fails once, and nothing is left
 *
 * /proc/self/fail-nth makes the n-th allocation (or user copy) of this thread
 * fail. Each call is made with n = 1, 2, 3... until one goes through without a
 * failure; after each that failed the world must be as it was. Leaks are for
 * kmemleak to find, which scans when the module is gone.
 */
#include <kselftest_harness.h>

#include <stdlib.h>
#include <sys/mount.h>

#include "client.h"

/* The longest path here has some dozens; a hundred times that is no path. */
#define STEPS_MAX	5000

static int nth = -1;

static bool knob_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Without these, allocations that may sleep and single pages never fail. */
static bool injection_open(void)
{
	nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		return false;
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	knob_write("/sys/kernel/debug/failslab/verbose", "0");
	knob_write("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	knob_write("/sys/kernel/debug/fail_usercopy/verbose", "0");
	knob_write("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	knob_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	return knob_write("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
}

static void fail_at(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	/* this is a user copy, too, and may be the one that fails */
	if (pwrite(nth, text, strlen(text), 0) < 0 &&
	    (errno != EFAULT || pwrite(nth, text, strlen(text), 0) < 0))
		abort();
}

/*
 * Steps left until something fails, 0 if it has; off afterwards. To ask is a copy
 * to user memory, too: if there was one step left, asking is what fails.
 */
static unsigned int steps_left(void)
{
	char text[16] = { 0 };
	unsigned int left = 1;

	if (pread(nth, text, sizeof(text) - 1, 0) > 0)
		left = atoi(text);
	else if (errno != EFAULT)
		abort();
	fail_at(0);
	return left;
}

FIXTURE(failnth) {
	int fd;
	__u32 counter, histogram, limiter, text;
	bool ready;
};

FIXTURE_SETUP(failnth)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->ready = injection_open();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, sum_create(self->fd, OURS "failnth", 1, &self->counter));
	ASSERT_EQ(0, counter_create(self->fd, OURS "failnth-h",
				    WEIR_COUNTER_HISTOGRAM, 0, &self->histogram));
	config.strikes = 3;
	config.nbans = 1;
	config.ban[0] = HOUR;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "failnth", &config,
				    &self->limiter));
	config.key_type = WEIR_KEY_TEXT;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "failnth-t", &config,
				    &self->text));
}

FIXTURE_TEARDOWN(failnth)
{
	close(self->fd);
	objects_wipe();
}

#define NEEDS_INJECTION()						\
	do {								\
		if (!self->ready)					\
			SKIP(return, "no fault injection in this kernel"); \
	} while (0)

struct state {
	__u64 objects, event_next, keys, text_keys, burst;
	char candidate[WEIR_NAME_SIZE];
	__s64 value;
};

static struct state state_get(FIXTURE_DATA(failnth) *self)
{
	struct weir_info info = info_get(self->fd);
	struct weir_limiter_config config;
	struct weir_limiter_stats stats;
	struct state state;

	memset(&state, 0, sizeof(state));
	state.objects = info.objects;
	state.event_next = info.event_next;
	stats_get(self->fd, self->limiter, &stats);
	state.keys = stats.keys;
	stats_get(self->fd, self->text, &stats);
	state.text_keys = stats.keys;
	limiter_get(self->fd, self->limiter, &config);
	state.burst = config.burst;
	memcpy(state.candidate, config.candidate, sizeof(state.candidate));
	counter_read(self->fd, self->counter, 0, &state.value);
	return state;
}

/**
 * struct sweep - a call that fails at each of its steps in turn
 * @call: gives an errno, and takes back itself what it did when it succeeded
 * @times: at each step. The allocator takes a step of its own now and then, in the
 *	place of ours: what must be met is tried more than once.
 * @failures: out: calls that failed
 * @no_memory: out: with ENOMEM
 * @no_copy: out: with EFAULT
 */
struct sweep {
	int (*call)(FIXTURE_DATA(failnth) *self);
	unsigned int times;
	unsigned int failures, no_memory, no_copy;
};

/* Fail at step @n, and see that it left nothing. False: there is no such step. */
static bool sweep_step(struct __test_metadata *_metadata,
		       FIXTURE_DATA(failnth) *self, struct sweep *sweep,
		       unsigned int n)
{
	struct state before = state_get(self), after;
	bool injected;
	int ret;

	fail_at(n);
	ret = sweep->call(self);
	injected = !steps_left();
	sweep->failures += ret != 0;
	sweep->no_memory += ret == -ENOMEM;
	sweep->no_copy += ret == -EFAULT;
	if (!injected)
		EXPECT_EQ(0, ret);
	if (ret && ret != -ENOMEM && ret != -EFAULT) {
		EXPECT_EQ(-ENOMEM, ret) {
			TH_LOG("step %u", n);
		}
	}
	if (!ret)
		return injected;
	after = state_get(self);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after))) {
		TH_LOG("step %u left something", n);
	}
	return injected;
}

/* Memory that fails is ENOMEM, a copy EFAULT. */
static void sweep_run(struct __test_metadata *_metadata,
		      FIXTURE_DATA(failnth) *self, struct sweep *sweep)
{
	unsigned int n, i;
	bool injected = true;

	/* once without, so that what is made on first use is there */
	ASSERT_EQ(0, sweep->call(self));
	for (n = 1; injected; n++) {
		ASSERT_GT(STEPS_MAX, n);
		injected = false;
		for (i = 0; i < sweep->times; i++)
			injected |= sweep_step(_metadata, self, sweep, n);
	}
	TH_LOG("%u steps, %u failures", n - 1, sweep->failures);
	/* a call that cannot be made to fail at all was not injected into */
	EXPECT_LT(0, sweep->failures);
}

static void sweep(struct __test_metadata *_metadata,
		  FIXTURE_DATA(failnth) *self,
		  int (*call)(FIXTURE_DATA(failnth) *self))
{
	struct sweep sweep = { .call = call, .times = 1 };

	sweep_run(_metadata, self, &sweep);
}

/* The taking back must not be what fails. */
static int then(FIXTURE_DATA(failnth) *self, int ret, int (*undo)(int, __u32),
		__u32 handle)
{
	unsigned int left;

	if (ret)
		return ret;
	left = steps_left();
	if (undo)
		ret = undo(self->fd, handle);
	/* as it was, for the sweep to see, which is a copy more; 1 would fail it */
	if (left)
		fail_at(left + 1);
	return ret;
}

static int delete_and_close(int fd, __u32 handle)
{
	return object_delete(fd, handle) ?: handle_close(fd, handle);
}

static int open_device(FIXTURE_DATA(failnth) *self)
{
	int fd = client_open(O_RDWR);

	(void)self;
	if (fd < 0)
		return fd == -ENFILE ? -ENOMEM : fd;
	close(fd);
	return 0;
}

TEST_F_TIMEOUT(failnth, open, 300)
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

TEST_F_TIMEOUT(failnth, create_sum, 300)
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

TEST_F_TIMEOUT(failnth, create_sequence, 300)
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

TEST_F_TIMEOUT(failnth, create_histogram, 300)
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

/* What is there, 0 of it, comes to the same again. */
TEST_F_TIMEOUT(failnth, load_of_a_histogram, 300)
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

TEST_F_TIMEOUT(failnth, read_of_a_histogram, 300)
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

/* A take that fails has taken nothing: what it held is there each time. */
static int take_histogram(FIXTURE_DATA(failnth) *self)
{
	int ret = read_or_take(self, WEIR_OP_TAKE);

	if (!ret && histogram.count != 3)
		abort();
	return then(self, ret, histogram_back, self->histogram);
}

TEST_F_TIMEOUT(failnth, take_of_a_histogram, 300)
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

TEST_F_TIMEOUT(failnth, emit_a_line, 300)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, emit_line);
}

static int create_limiter(FIXTURE_DATA(failnth) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_IP);
	__u32 handle;
	int ret = limiter_create(self->fd, OURS "failnth-new", &config, &handle);

	return then(self, ret, delete_and_close, handle);
}

TEST_F_TIMEOUT(failnth, create_limiter, 300)
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

TEST_F_TIMEOUT(failnth, open_object, 300)
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

TEST_F_TIMEOUT(failnth, set, 300)
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
	__u32 handle;
	int ret;

	strcpy(config.candidate, OURS "failnth-c");
	ret = limiter_create(self->fd, OURS "failnth-new", &config, &handle);
	return then(self, ret, delete_and_close, handle);
}

TEST_F_TIMEOUT(failnth, candidate, 300)
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

TEST_F_TIMEOUT(failnth, list, 300)
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

TEST_F_TIMEOUT(failnth, dump, 300)
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

/*
 * An op whose answer was lost to a failing copy is performed all the same: the
 * one exception the ABI makes. So it is undone after EFAULT, too.
 */
static int op_outcome(FIXTURE_DATA(failnth) *self, int ret,
		      int (*undo)(int, __u32), __u32 handle)
{
	if (ret == -EFAULT) {
		fail_at(0);
		undo(self->fd, handle);
		return ret;
	}
	return then(self, ret, undo, handle);
}

static int check_number(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1,
			  &number, sizeof(number));

	return op_outcome(self, ret, forget_number, self->limiter);
}

TEST_F_TIMEOUT(failnth, check_of_a_new_key, 300)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, check_number);
}

/*
 * The live one has its entry, the candidate gets none: the answer is as ever, and that is
 * counted.
 */
TEST_F_TIMEOUT(failnth, candidate_missed, 300)
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

TEST_F_TIMEOUT(failnth, strike_of_a_new_text, 300)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, strike_text);
}

TEST_HARNESS_MAIN
