/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stretch - the longest time in which a call lets no other task of its CPU run
 *
 * A real-time thread wakes up every 50 us; its longest delay in a row is compared with the cap of
 * the row. Use row_begin(), make the calls, row_end().
 */
#ifndef _WEIR_TEST_STRETCH_H
#define _WEIR_TEST_STRETCH_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define PERIOD		50000	/* ns between two wake-ups of the watcher */
#define CAP		100000	/* instructions: 64 entries at 1,500 each */
#define FREED_CAP	350000	/* of kfree_rcu(): 500 objects at a stretch */
#define PAGE_COST	250	/* of the page allocator, for a page taken or returned */

static struct {
	pthread_t thread;
	_Atomic int on, stop;
	_Atomic uint64_t worst;
	uint64_t base;
} watch;

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static inline uint64_t clock_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static inline void *watch_run(void *unused)
{
	struct timespec t;
	uint64_t due, late;

	(void)unused;
	while (!watch.stop) {
		due = clock_ns() + PERIOD;
		t.tv_sec = due / 1000000000ULL;
		t.tv_nsec = due % 1000000000ULL;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		late = clock_ns() - due;
		if (watch.on && late > watch.worst)
			watch.worst = late;
	}
	return NULL;
}

static inline void watch_begin(void)
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	if (pthread_create(&watch.thread, &attr, watch_run, NULL))
		tap_bail("cannot start a real-time thread");
}

static inline void watch_end(void)
{
	watch.stop = 1;
	pthread_join(watch.thread, NULL);
}

static inline bool clock_counts(void)
{
	const char *icount = getenv("WEIR_ICOUNT");

	return icount && !strcmp(icount, "1");
}

static inline void row_begin(void)
{
	watch.worst = 0;
	watch.on = 1;
}

/* What the kernel does after the call (workers, RCU callbacks) belongs to the row. */
static inline void row_end_cap(const char *what, unsigned int cap)
{
	uint64_t worst;

	usleep(200000);
	watch.on = 0;
	worst = watch.worst > watch.base ? watch.worst - watch.base : 0;
	if (clock_counts())
		tap_ok(worst <= cap, "%s: %lu instructions in a row, at most %u", what,
		       (unsigned long)worst, cap);
	else
		tap_ok(true, "%s: done", what);
}

/*
 * @pages: what the call takes or returns. The page allocator does not reschedule within one
 * vmalloc(), nor while it returns the free pages of a CPU.
 */
static inline void row_end_pages(const char *what, unsigned int pages)
{
	row_end_cap(what, CAP + pages * PAGE_COST);
}

static inline void row_end(const char *what)
{
	row_end_cap(what, CAP);
}

/*
 * What earlier rows left to kfree_rcu(): the kernel frees it within five seconds, about 500
 * objects at a stretch.
 */
static inline void row_freed(const char *what)
{
	row_begin();
	sleep(6);
	row_end_cap(what, FREED_CAP);
}

static inline unsigned int pages_of(uint64_t bytes)
{
	return bytes / 4096;
}

#endif /* _WEIR_TEST_STRETCH_H */
