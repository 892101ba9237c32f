// SPDX-License-Identifier: GPL-2.0-only
/* Histograms (src/counter/counter_histogram.c), used by one CPU, and by all CPUs at once. */

#include <kunit/test.h>
#include <linux/interrupt.h>
#include <linux/seqlock.h>
#include <linux/slab.h>

#include "crowd.h"
#include "point.h"

static struct points points;

/* a reader can be interrupted after each value that it reads */
#undef READ_ONCE
#define READ_ONCE(x)					\
({							\
	__auto_type _read = (x);			\
							\
	barrier();					\
	point_pass(&points);				\
	_read;						\
})

#include "../src/counter/counter_histogram.c"

#include "prng.h"

#define MEMBERS	4
#define ROUNDS	1000

/**
 * struct stage - a histogram and what was read of it
 * @c: the counter
 * @h: the last read
 * @taken: sum of everything taken
 */
struct stage {
	struct weir_counter c;
	struct weir_histogram h;
	struct weir_histogram taken;
};

static int counter_histogram_init(struct kunit *test)
{
	struct stage *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	test->priv = s;
	if (!s)
		return -ENOMEM;
	s->c.obj.type = WEIR_COUNTER_HISTOGRAM;
	return weir_counter_build(&s->c.obj);
}

static void counter_histogram_exit(struct kunit *test)
{
	struct stage *s = test->priv;

	if (s)
		weir_counter_release(&s->c.obj);
	test->priv = NULL;
}

static void merge(struct weir_histogram *to, const struct weir_histogram *from)
{
	u32 i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->sum += from->sum;
	weir_histogram_finish(to);
}

/*
 * The values observed here are lower bounds of buckets, so the buckets determine the sum. A
 * snapshot with only half of an observation does not add up.
 */
static bool is_whole(const struct weir_histogram *h)
{
	u64 sum = 0, count = 0;
	u32 i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		count += h->buckets[i];
		sum += h->buckets[i] * weir_histogram_low(i);
	}
	return h->count == count && h->sum == sum;
}

static u64 value_at(u32 n)
{
	return weir_histogram_low(n % WEIR_HISTOGRAM_BUCKETS);
}

/* Compare with the simplest model: an array of counts, and a sum modulo 2^64. */
static void histogram_counts(struct kunit *test)
{
	struct stage *s = test->priv;
	struct prng p = prng_seed(test, 0x5eed0b01);
	struct weir_histogram *wanted = &s->taken;
	u64 value, times;
	int i;

	for (i = 0; i < 2000; i++) {
		value = prng_next(&p) >> 1 >> prng_below(&p, 64);
		times = prng_chance(&p, 1, 2) ? 1 : prng_magnitude(&p, 1ULL << 32);
		weir_counter_observe(&s->c, value, times);
		wanted->buckets[weir_histogram_index(value)] += times;
		wanted->sum += value * times;
	}
	weir_histogram_finish(wanted);
	weir_counter_read(&s->c, &s->h, false);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&s->h, wanted, sizeof(s->h)));
	weir_counter_take(&s->c, &s->h, false);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&s->h, wanted, sizeof(s->h)));
	weir_counter_read(&s->c, &s->h, false);
	KUNIT_EXPECT_NULL(test, memchr_inv(&s->h, 0, sizeof(s->h)));
	/* what was taken can be merged back and taken again */
	weir_counter_merge(&s->c, wanted);
	weir_counter_observe(&s->c, 5, 1);
	wanted->buckets[5]++;
	wanted->sum += 5;
	weir_histogram_finish(wanted);
	weir_counter_take(&s->c, &s->h, false);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&s->h, wanted, sizeof(s->h)));
}

static void observe_at_point(void *arg)
{
	struct weir_counter *c = arg;
	u32 i;

	/* one observation in each group: in some before, in some after the reader's position */
	for (i = 0; i < WEIR_HISTOGRAM_GROUPS; i++)
		weir_counter_observe(c, value_at(i * SUBS + i % SUBS), 1);
}

/* Observations interrupt a read at any point: each is in the result as a whole or not at all. */
static void histogram_read_interrupted(struct kunit *test)
{
	struct stage *s = test->priv;
	struct prng p = prng_seed(test, 0x5eed0b02);
	const unsigned int reads = WEIR_HISTOGRAM_SLOT * num_possible_cpus();
	u64 before = 0;
	int i;

	points.work = observe_at_point;
	points.arg = &s->c;
	for (i = 0; i < 200; i++) {
		points.left = prng_between(&p, 1, reads);
		weir_counter_read(&s->c, &s->h, false);
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, is_whole(&s->h));
		KUNIT_ASSERT_GE(test, s->h.count, before);
		before += WEIR_HISTOGRAM_GROUPS;
		KUNIT_ASSERT_LE(test, s->h.count, before);
	}
	weir_counter_read(&s->c, &s->h, false);
	KUNIT_EXPECT_EQ(test, before, s->h.count);
}

static void take_at_point(void *arg)
{
	struct stage *s = arg;

	weir_counter_take(&s->c, &s->taken, false);
}

/* A take interrupts a read at any point: the read returns the values before or after the take. */
static void histogram_read_interrupted_by_take(struct kunit *test)
{
	struct stage *s = test->priv;
	struct prng p = prng_seed(test, 0x5eed0b03);
	const unsigned int reads = WEIR_HISTOGRAM_SLOT * num_possible_cpus();
	int i;

	points.work = take_at_point;
	points.arg = s;
	for (i = 0; i < 200; i++) {
		weir_counter_take(&s->c, &s->taken, false);
		observe_at_point(&s->c);
		points.left = prng_between(&p, 1, reads);
		weir_counter_read(&s->c, &s->h, false);
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, is_whole(&s->h));
		KUNIT_ASSERT_TRUE(test, !s->h.count ||
				  s->h.count == WEIR_HISTOGRAM_GROUPS);
	}
}

/* Observations interrupt a take at any point: each is in the result or still in the histogram. */
static void histogram_take_interrupted(struct kunit *test)
{
	struct stage *s = test->priv;
	struct prng p = prng_seed(test, 0x5eed0b04);
	const unsigned int reads = WEIR_HISTOGRAM_SLOT * num_possible_cpus();
	int i;

	points.work = observe_at_point;
	points.arg = &s->c;
	for (i = 0; i < 200; i++) {
		observe_at_point(&s->c);
		points.left = prng_between(&p, 1, reads);
		weir_counter_take(&s->c, &s->taken, false);
		points.left = 0;
		KUNIT_ASSERT_TRUE(test, is_whole(&s->taken));
		weir_counter_take(&s->c, &s->h, false);
		KUNIT_ASSERT_TRUE(test, is_whole(&s->h));
		KUNIT_ASSERT_EQ(test, 2ULL * WEIR_HISTOGRAM_GROUPS,
				s->taken.count + s->h.count);
	}
}

/**
 * struct tally - what the members of a crowd observed and read
 * @s: the histogram
 * @observed: values observed, by member
 * @taken: values taken, by member, added up
 * @h: the last read of each member
 * @wrong: impossible snapshots, by member
 */
struct tally {
	struct stage *s;
	struct weir_histogram observed[MEMBERS];
	struct weir_histogram taken[MEMBERS];
	struct weir_histogram h[MEMBERS];
	unsigned int wrong[MEMBERS];
};

static void take_and_tally(struct tally *t, unsigned int index)
{
	weir_counter_take(&t->s->c, &t->h[index], false);
	t->wrong[index] += !is_whole(&t->h[index]);
	merge(&t->taken[index], &t->h[index]);
}

/* Member 0 reads, 1 takes, 2 takes and merges back; all observe. */
static void crowd_work(unsigned int index, void *arg)
{
	struct tally *t = arg;
	struct prng p = { .state = index };
	u64 value;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		value = value_at(prng_next(&p));
		weir_counter_observe(&t->s->c, value, 1 + index);
		t->observed[index].buckets[weir_histogram_index(value)] += 1 + index;
		t->observed[index].sum += value * (1 + index);
		if (i % 8)
			continue;
		if (index == 0) {
			weir_counter_read(&t->s->c, &t->h[0], false);
			t->wrong[0] += !is_whole(&t->h[0]);
		} else if (index == 1) {
			take_and_tally(t, 1);
		} else if (index == 2) {
			weir_counter_take(&t->s->c, &t->h[2], false);
			weir_counter_merge(&t->s->c, &t->h[2]);
		}
	}
}

static void histogram_loses_nothing(struct kunit *test)
{
	struct tally *t = kvzalloc(sizeof(*t), GFP_KERNEL);
	struct stage *s = test->priv;
	unsigned int i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->s = s;
	crowd_run(test, MEMBERS, crowd_work, t);
	weir_counter_read(&s->c, &s->h, false);
	wrong += !is_whole(&s->h);
	for (i = 0; i < MEMBERS; i++) {
		wrong += t->wrong[i];
		merge(&s->taken, &t->observed[i]);
		merge(&s->h, &t->taken[i]);
	}
	kvfree(t);
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, ROUNDS * (1 + 2 + 3 + 4), s->taken.count);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&s->h, &s->taken, sizeof(s->h)));
}

/**
 * struct softirq_observer - a tasklet that observes
 * @tasklet: the tasklet
 * @c: the counter
 * @runs: number of runs
 */
struct softirq_observer {
	struct tasklet_struct tasklet;
	struct weir_counter *c;
	unsigned int runs;
};

static void softirq_observe(struct tasklet_struct *tasklet)
{
	struct softirq_observer *o = container_of(tasklet, struct softirq_observer,
						  tasklet);

	weir_counter_observe(o->c, 48, 1);
	o->runs++;
}

/* A task and a tasklet observe on the same CPU. */
static void histogram_in_softirq(struct kunit *test)
{
	struct stage *s = test->priv;
	struct softirq_observer o = { .c = &s->c };
	int i;

	tasklet_setup(&o.tasklet, softirq_observe);
	for (i = 0; i < ROUNDS; i++) {
		tasklet_schedule(&o.tasklet);
		weir_counter_observe(&s->c, 48, 1);
	}
	tasklet_kill(&o.tasklet);
	weir_counter_read(&s->c, &s->h, false);
	KUNIT_EXPECT_GT(test, o.runs, 0);
	KUNIT_EXPECT_EQ(test, (u64)ROUNDS + o.runs, s->h.count);
	KUNIT_EXPECT_TRUE(test, is_whole(&s->h));
}

/**
 * struct patience - a histogram; one task holds its lock while another task waits to take
 * @c: the counter
 * @h: what is taken
 * @held: the lock is held
 * @taking: the take has begun
 * @other_ran: a task on the CPU of the take has run since
 * @in_time: this was before the lock was released
 */
struct patience {
	struct weir_counter *c;
	struct weir_histogram *h;
	atomic_t held;
	atomic_t taking;
	atomic_t other_ran;
	bool in_time;
};

/* Member 0 holds the lock, members 1 and 3 share a CPU: 1 takes, 3 wants to run meanwhile. */
static void patience_work(unsigned int index, void *arg)
{
	const u64 until = ktime_get_ns() + 2 * NSEC_PER_SEC;
	struct patience *p = arg;

	if (index == 0) {
		spin_lock(&p->c->lock);
		atomic_set(&p->held, 1);
		while (!atomic_read(&p->other_ran) && ktime_get_ns() < until)
			cpu_relax();
		p->in_time = atomic_read(&p->other_ran);
		spin_unlock(&p->c->lock);
	} else if (index == 1) {
		while (!atomic_read(&p->held))
			cond_resched();
		atomic_set(&p->taking, 1);
		weir_counter_take(p->c, p->h, true);
	} else if (index == 3) {
		while (!atomic_read(&p->taking))
			cond_resched();
		atomic_set(&p->other_ran, 1);
	}
}

/* A task that waits for the lock leaves its CPU to others. */
static void histogram_take_yields(struct kunit *test)
{
	struct stage *s = test->priv;
	struct patience p = { .c = &s->c, .h = &s->h };

	if (num_online_cpus() != 2)
		kunit_skip(test, "needs two CPUs");
	weir_counter_observe(&s->c, 48, 1);
	crowd_run(test, 4, patience_work, &p);
	KUNIT_EXPECT_TRUE(test, p.in_time);
	KUNIT_EXPECT_EQ(test, 1, s->h.count);
}

static struct kunit_case counter_histogram_cases[] = {
	KUNIT_CASE(histogram_counts),
	KUNIT_CASE(histogram_read_interrupted),
	KUNIT_CASE(histogram_read_interrupted_by_take),
	KUNIT_CASE(histogram_take_interrupted),
	KUNIT_CASE(histogram_loses_nothing),
	KUNIT_CASE(histogram_in_softirq),
	KUNIT_CASE(histogram_take_yields),
	{}
};

static struct kunit_suite weir_counter_histogram_suite = {
	.name = "weir_counter_histogram",
	.init = counter_histogram_init,
	.exit = counter_histogram_exit,
	.test_cases = counter_histogram_cases,
};

kunit_test_suite(weir_counter_histogram_suite);
