/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * failnth - every allocation in every call fails once, and leaves nothing behind
 *
 * /proc/self/fail-nth makes the n-th allocation (or user copy) of this thread fail. Each call is
 * made with n = 1, 2, 3... until nothing fails any more. After each failed call the state of all
 * objects must be the same as before. kmemleak searches for leaks when the module is unloaded.
 */
#ifndef _WEIR_SELFTEST_FAILNTH_H
#define _WEIR_SELFTEST_FAILNTH_H

#include "harness.h"

#include <stdlib.h>
#include <sys/mount.h>

#include "breaker.h"
#include "gate.h"
#include "roster.h"

/* the longest path has some dozens of steps, so this many mean that it never ends */
#define STEPS_MAX	5000

static int nth = -1;

static inline bool knob_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Without these settings, allocations that may sleep, and of single pages, never fail. */
static inline bool injection_open(void)
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

static inline void fail_at(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	/* this write is a user copy too, and may be the one that fails */
	if (pwrite(nth, text, strlen(text), 0) < 0 &&
	    (errno != EFAULT || pwrite(nth, text, strlen(text), 0) < 0))
		abort();
}

/*
 * Return: the number of steps left until one fails; 0: one has failed. Injection is off afterwards.
 * The read copies to user memory: if one step was left, the read fails.
 */
static inline unsigned int steps_left(void)
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
	__u32 counter, histogram, limiter, text, gate, breaker, breakers,
	      roster;
	bool ready;
};

FIXTURE_SETUP(failnth)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_gate_config keyed = gate_config(WEIR_KEY_U64, 5);
	struct weir_breaker_config plain = breaker_config(WEIR_KEY_NONE);
	struct weir_breaker_config each = breaker_config(WEIR_KEY_U64);
	struct weir_roster_config leases = roster_config(WEIR_KEY_TEXT, 16);

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
	keyed.max_keys = 1;
	ASSERT_EQ(0, gate_create(self->fd, OURS "failnth", &keyed, &self->gate));
	ASSERT_EQ(0, breaker_create(self->fd, OURS "failnth", &plain, &self->breaker));
	ASSERT_EQ(0, breaker_create(self->fd, OURS "failnth-b", &each, &self->breakers));
	ASSERT_EQ(0, roster_create(self->fd, OURS "failnth", &leases, &self->roster));
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
	__u64 objects, event_next, keys, text_keys, burst, in_use, gate_full, permits;
	__u64 waiting;
	__u64 probes, members;
	char candidate[WEIR_NAME_SIZE];
	__s64 value;
};

static inline struct state state_get(FIXTURE_DATA(failnth) *self)
{
	struct weir_info info = info_get(self->fd);
	struct weir_limiter_config config;
	struct weir_limiter_stats stats;
	struct weir_gate_stats gate;
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
	gate = gate_stats(self->fd, self->gate);
	state.in_use = gate.in_use;
	state.waiting = gate.waiting;
	state.gate_full = gate.full;
	state.permits = gate.permits;
	state.probes = breaker_look(self->fd, self->breaker, NULL).calls;
	state.members = roster_stats(self->fd, self->roster).members;
	return state;
}

/**
 * struct sweep - a call that fails at each of its steps in turn
 * @call: returns an errno; on success it undoes its own effect
 * @times: number of tries for each step. The allocator sometimes has a step of its own in place of
 *	the one meant, so a step that must be hit is tried more than once.
 * @failures: result: calls that failed
 * @no_memory: result: calls that failed with ENOMEM
 * @no_copy: result: calls that failed with EFAULT
 */
struct sweep {
	int (*call)(FIXTURE_DATA(failnth) *self);
	unsigned int times;
	unsigned int failures, no_memory, no_copy;
};

/* Fail at step @n, and check that this changed nothing. Return: false if there is no such step. */
static inline bool sweep_step(struct __test_metadata *_metadata,
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

/* A failed allocation is ENOMEM, a failed copy EFAULT. */
static inline void sweep_run(struct __test_metadata *_metadata,
			     FIXTURE_DATA(failnth) *self, struct sweep *sweep)
{
	unsigned int n, i;
	bool injected = true;

	/* once without a failure, so that everything allocated at first use exists */
	ASSERT_EQ(0, sweep->call(self));
	for (n = 1; injected; n++) {
		ASSERT_GT(STEPS_MAX, n);
		injected = false;
		for (i = 0; i < sweep->times; i++)
			injected |= sweep_step(_metadata, self, sweep, n);
	}
	TH_LOG("%u steps, %u failures", n - 1, sweep->failures);
	/* if no call failed, nothing was injected */
	EXPECT_LT(0, sweep->failures);
}

static inline void sweep(struct __test_metadata *_metadata,
			 FIXTURE_DATA(failnth) *self,
			 int (*call)(FIXTURE_DATA(failnth) *self))
{
	struct sweep sweep = { .call = call, .times = 1 };

	sweep_run(_metadata, self, &sweep);
}

/* Stop the injection while the effect is undone. */
static inline int then(FIXTURE_DATA(failnth) *self, int ret, int (*undo)(int, __u32),
		       __u32 handle)
{
	unsigned int left;

	if (ret)
		return ret;
	left = steps_left();
	if (undo)
		ret = undo(self->fd, handle);
	/* restore the count for sweep_step(); its read is one more copy, and a 1 would fail it */
	if (left)
		fail_at(left + 1);
	return ret;
}

static inline int delete_and_close(int fd, __u32 handle)
{
	return object_delete(fd, handle) ?: handle_close(fd, handle);
}

/* Create an object of @kind, and delete it. */
static inline int create_new(FIXTURE_DATA(failnth) *self, __u32 kind, const void *config)
{
	__u32 handle;
	int ret = object_create(self->fd, kind, OURS "failnth-new", config, &handle);

	return then(self, ret, delete_and_close, handle);
}

/*
 * An op whose result could not be copied out has been performed: the one exception in the ABI. So
 * it is undone after EFAULT too.
 */
static inline int op_outcome(FIXTURE_DATA(failnth) *self, int ret,
			     int (*undo)(int, __u32), __u32 handle)
{
	if (ret == -EFAULT) {
		fail_at(0);
		undo(self->fd, handle);
		return ret;
	}
	return then(self, ret, undo, handle);
}

#endif /* _WEIR_SELFTEST_FAILNTH_H */
