/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several kernel threads that do the same thing at the same time, spread over the CPUs. KUnit's
 * assertions work only in the test's own thread. Members of a crowd therefore store their results,
 * and the test checks them when all members have ended.
 */
#ifndef _WEIR_KUNIT_CROWD_H
#define _WEIR_KUNIT_CROWD_H

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include <kunit/test.h>

#define CROWD_MAX	8

struct crowd;

/**
 * struct crowd_member - one thread
 * @crowd: the crowd
 * @index: number of the member, from 0
 * @task: the thread
 */
struct crowd_member {
	struct crowd *crowd;
	unsigned int index;
	struct task_struct *task;
};

/**
 * struct crowd - threads that run at the same time
 * @work: called once in each
 * @arg: argument of @work
 * @waiting: threads that have not reached the start
 * @done: completed once by each thread
 * @member: the threads
 */
struct crowd {
	void (*work)(unsigned int index, void *arg);
	void *arg;
	atomic_t waiting;
	struct completion done;
	struct crowd_member member[CROWD_MAX];
};

static inline int crowd_thread(void *arg)
{
	struct crowd_member *m = arg;
	struct crowd *c = m->crowd;

	/* spin: all threads are to begin within as few cycles as possible */
	atomic_dec(&c->waiting);
	while (atomic_read(&c->waiting) > 0)
		cond_resched();
	c->work(m->index, c->arg);
	complete(&c->done);
	return 0;
}

/* The @i-th online CPU; after the last one the count begins again. */
static inline unsigned int crowd_cpu(unsigned int i)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);

	for (i %= num_online_cpus(); i; i--)
		cpu = cpumask_next(cpu, cpu_online_mask);
	return cpu;
}

/**
 * crowd_run - run @work in @n threads, and wait for all of them
 * @test: fails if the threads cannot be made
 * @n: up to CROWD_MAX
 * @work: called once in each thread, with its number
 * @arg: argument of @work
 */
static inline void crowd_run(struct kunit *test, unsigned int n,
			     void (*work)(unsigned int index, void *arg), void *arg)
{
	struct crowd c = { .work = work, .arg = arg };
	unsigned int i, made;

	init_completion(&c.done);
	for (made = 0; made < n; made++) {
		struct crowd_member *m = &c.member[made];

		m->crowd = &c;
		m->index = made;
		m->task = kthread_create(crowd_thread, m, "weir_crowd/%u", made);
		if (IS_ERR(m->task))
			break;
		get_task_struct(m->task);
		kthread_bind(m->task, crowd_cpu(made));
	}
	atomic_set(&c.waiting, made);
	for (i = 0; i < made; i++)
		wake_up_process(c.member[i].task);
	for (i = 0; i < made; i++)
		wait_for_completion(&c.done);
	for (i = 0; i < made; i++) {
		kthread_stop(c.member[i].task);
		put_task_struct(c.member[i].task);
	}
	KUNIT_ASSERT_EQ(test, n, made);
}

#endif /* _WEIR_KUNIT_CROWD_H */
