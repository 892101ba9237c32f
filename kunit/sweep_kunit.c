// SPDX-License-Identifier: GPL-2.0-only
/* Sweeps, which drop idle entries (src/table/sweep.c). The tests call them directly. */

#include <kunit/test.h>
#include <linux/jiffies.h>

#include "table_fixture.h"
#include "table/table.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define HOUR	(3600 * SECOND)

static void add(struct kunit *test, struct fixture *f, u64 n, u64 idle_at)
{
	struct weir_key key;

	fixture_key_u64(f, &key, n);
	KUNIT_ASSERT_EQ(test, 1, fixture_add(f, &key, idle_at));
}

static long delay_of(u64 ns)
{
	return nsecs_to_jiffies(ns) + 1;
}

/*
 * A sweep is requested for the time at which the first entry becomes idle. A later entry does not
 * change the request.
 */
static void sweep_is_asked_for(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);

	KUNIT_EXPECT_EQ(test, -1, fake_sweep_delay);
	add(test, f, 1, 60 * SECOND);
	KUNIT_EXPECT_EQ(test, delay_of(60 * SECOND), fake_sweep_delay);
	fake_sweep_delay = -1;
	add(test, f, 2, 70 * SECOND);
	KUNIT_EXPECT_EQ(test, -1, fake_sweep_delay);
	add(test, f, 3, 20 * SECOND);
	KUNIT_EXPECT_EQ(test, delay_of(20 * SECOND), fake_sweep_delay);
	/* the delay is at least a second, so that one sweep drops many entries */
	add(test, f, 4, 1);
	KUNIT_EXPECT_EQ(test, delay_of(SECOND), fake_sweep_delay);
}

static void sweep_drops_in_time(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 1000);
	u64 i;

	for (i = 1; i <= 100; i++)
		add(test, f, i, i * 10 * SECOND);
	for (i = 1; i <= 100; i++) {
		atomic64_set(&fake_clock, f->t.epoch + i * 10 * SECOND - 1);
		fixture_sweep(&f->t);
		KUNIT_ASSERT_EQ(test, 100 - (i - 1), weir_table_keys(&f->t));
		atomic64_add(1, &fake_clock);
		fixture_sweep(&f->t);
		KUNIT_ASSERT_EQ(test, 100 - i, weir_table_keys(&f->t));
		/* the next sweep is requested for the next idle time */
		KUNIT_ASSERT_EQ(test, i < 100 ? delay_of(10 * SECOND) : -1,
				fake_sweep_delay);
	}
	KUNIT_EXPECT_EQ(test, 100, atomic_read(&f->expired));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->evicted));
}

/*
 * Even if all idle times are far away, a sweep runs each minute, because a bound may have been
 * missed.
 */
static void sweep_waits_a_minute_at_most(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);

	add(test, f, 1, 100 * HOUR);
	KUNIT_EXPECT_EQ(test, delay_of(HOUR / 60), fake_sweep_delay);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, delay_of(HOUR / 60), fake_sweep_delay);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
}

/* Drop idle entries and keep one that is not idle; examining each takes @tick. */
static void sweep_slowly(struct kunit *test, struct fixture *f, u64 tick)
{
	u64 i;

	for (i = 0; i < 1000; i++)
		add(test, f, i, i ? 1 : HOUR);
	atomic64_set(&fake_clock, f->t.epoch + SECOND);
	f->tick = tick;
	fixture_sweep(&f->t);
	f->tick = 0;
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
	fake_sweep_delay = -1;
	add(test, f, 1, 1);
}

/* A long run is followed by a rest of twenty times its length... */
static void sweep_takes_a_small_share(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 1000);

	sweep_slowly(test, f, SECOND / 5000);
	KUNIT_EXPECT_EQ(test, SECOND + SECOND / 5 + 4 * SECOND, f->t.sweep_after);
	KUNIT_EXPECT_EQ(test, delay_of(4 * SECOND), fake_sweep_delay);
}

/* ...but of ten seconds at most, because the run may have waited for other tasks. */
static void sweep_rests_ten_seconds_at_most(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 1000);

	sweep_slowly(test, f, SECOND / 100);
	KUNIT_EXPECT_EQ(test, delay_of(10 * SECOND), fake_sweep_delay);
}

/*
 * The entry was charged after its bound was set: the sweep keeps it, and the next one comes in
 * time.
 */
static void sweep_after_charges(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);
	struct weir_key key;

	add(test, f, 1, 10 * SECOND);
	fixture_key_u64(f, &key, 1);
	rcu_read_lock();
	atomic64_set(&weir_table_find(&f->t, &key)->word, fixture_word(30 * SECOND));
	rcu_read_unlock();
	atomic64_set(&fake_clock, f->t.epoch + 10 * SECOND);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
	KUNIT_EXPECT_EQ(test, delay_of(20 * SECOND), fake_sweep_delay);
	atomic64_set(&fake_clock, f->t.epoch + 30 * SECOND);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, 0, weir_table_keys(&f->t));
}

/* After a live change entries may become idle sooner than their bounds say. */
static void sweep_after_live_change(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 4096);
	struct weir_key key;
	u64 i;

	for (i = 0; i < 1000; i++)
		add(test, f, i, HOUR);
	for (i = 0; i < 1000; i += 2) {
		fixture_key_u64(f, &key, i);
		rcu_read_lock();
		atomic64_set(&weir_table_find(&f->t, &key)->word, fixture_word(1));
		rcu_read_unlock();
	}
	atomic64_set(&fake_clock, f->t.epoch + 1);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, 1000, weir_table_keys(&f->t));
	weir_table_reconfigured(&f->t);
	KUNIT_EXPECT_EQ(test, delay_of(SECOND), fake_sweep_delay);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, 500, weir_table_keys(&f->t));
	KUNIT_EXPECT_EQ(test, HOUR, weir_expiry_root(&f->t.expiry));
}

static void sweep_stops_when_dying(struct kunit *test)
{
	struct fixture *f = fixture_new(test, 64);

	add(test, f, 1, 1);
	weir_sweep_stop(&f->t);
	fake_sweep_delay = -1;
	weir_sweep_kick(&f->t, 1);
	KUNIT_EXPECT_EQ(test, -1, fake_sweep_delay);
	atomic64_add(SECOND, &fake_clock);
	fixture_sweep(&f->t);
	KUNIT_EXPECT_EQ(test, -1, fake_sweep_delay);
	KUNIT_EXPECT_EQ(test, 1, weir_table_keys(&f->t));
}

static struct kunit_case sweep_cases[] = {
	KUNIT_CASE(sweep_is_asked_for),
	KUNIT_CASE(sweep_drops_in_time),
	KUNIT_CASE(sweep_waits_a_minute_at_most),
	KUNIT_CASE(sweep_takes_a_small_share),
	KUNIT_CASE(sweep_rests_ten_seconds_at_most),
	KUNIT_CASE(sweep_after_charges),
	KUNIT_CASE(sweep_after_live_change),
	KUNIT_CASE(sweep_stops_when_dying),
	{}
};

static struct kunit_suite weir_sweep_suite = {
	.name = "weir_sweep",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = sweep_cases,
};

kunit_test_suite(weir_sweep_suite);
