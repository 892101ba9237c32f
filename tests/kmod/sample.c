// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_sample - a module that uses weir's API, for the tests and to read
 *
 * Written to its parameters (/sys/module/weir_sample/parameters/):
 *
 *	limiter		a name: get that limiter, dropping the one before; "": drop it
 *	run		"CONTEXT FIRST KEYS ROUNDS COST": check the keys FIRST to FIRST +
 *			KEYS - 1 (numbers), ROUNDS times each, on every CPU at once;
 *			CONTEXT is process, softirq or both
 *
 * Read from run: what the checks of the last one were answered, as "NAME NUMBER" lines.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <linux/weir.h>

/* Checks in one go: a softirq that takes long holds up all that comes after it. */
#define CHUNK	64

enum answer {
	ALLOWED, LIMITED, BANNED, FULL, INVALID, DELETED, NO_MEMORY, OTHERS,
	BANNED_NOW, IN_SOFTIRQ, ANSWERS
};

static const char *const names[ANSWERS] = {
	[ALLOWED] = "allowed", [LIMITED] = "limited", [BANNED] = "banned",
	[FULL] = "full", [INVALID] = "EINVAL", [DELETED] = "ENODEV",
	[NO_MEMORY] = "ENOMEM", [OTHERS] = "other",
	/* of these, so many: */
	[BANNED_NOW] = "banned-now", [IN_SOFTIRQ] = "in-softirq",
};

/**
 * struct progress - how far one context of one CPU has come
 * @done: checks
 * @tasklet: in softirq: makes the next ones
 * @finished: in softirq: all are made
 */
struct progress {
	u64 done;
	struct tasklet_struct tasklet;
	struct completion finished;
};

/* All of it under the lock of the module's parameters, but the counts. */
static struct weir_limiter *limiter;
static char limiter_name[WEIR_NAME_SIZE];
static atomic64_t counts[ANSWERS];
static DEFINE_PER_CPU(struct progress, in_process);
static DEFINE_PER_CPU(struct progress, in_softirq);
static DEFINE_PER_CPU(struct work_struct, works);
static bool ready;
static struct {
	bool process;
	bool softirq;
	u64 first;
	u64 keys;
	u64 rounds;
	u32 cost;
} run;

static enum answer answer_of(int ret)
{
	switch (ret) {
	case WEIR_ALLOWED: return ALLOWED;
	case WEIR_LIMITED: return LIMITED;
	case WEIR_BANNED: return BANNED;
	case WEIR_FULL: return FULL;
	case -EINVAL: return INVALID;
	case -ENODEV: return DELETED;
	case -ENOMEM: return NO_MEMORY;
	default: return OTHERS;
	}
}

static void check(u64 key)
{
	struct weir_answer answer = { .verdict = WEIR_NONE };
	int ret = weir_limiter_check(limiter, &key, sizeof(key), run.cost, &answer);

	atomic64_inc(&counts[answer_of(ret)]);
	/* the answer goes with the verdict, or was not touched */
	if (answer.verdict != (ret > 0 ? ret : WEIR_NONE))
		atomic64_inc(&counts[OTHERS]);
	if (answer.flags & WEIR_OUT_BANNED_NOW)
		atomic64_inc(&counts[BANNED_NOW]);
	if (in_serving_softirq())
		atomic64_inc(&counts[IN_SOFTIRQ]);
}

/* Some of the checks; true if there are more. */
static bool chunk(struct progress *p)
{
	u64 all = run.keys * run.rounds;
	unsigned int i;

	for (i = 0; i < CHUNK && p->done < all; i++)
		check(run.first + p->done++ % run.keys);
	return p->done < all;
}

static void softirq_work(struct tasklet_struct *t)
{
	struct progress *p = from_tasklet(p, t, tasklet);

	if (chunk(p))
		tasklet_schedule(t);
	else
		complete(&p->finished);
}

/* On one CPU, in process context. */
static void cpu_work(struct work_struct *work)
{
	struct progress *process = this_cpu_ptr(&in_process);
	struct progress *softirq = this_cpu_ptr(&in_softirq);

	process->done = 0;
	softirq->done = 0;
	reinit_completion(&softirq->finished);
	if (run.softirq)
		tasklet_schedule(&softirq->tasklet);
	while (run.process && chunk(process))
		cond_resched();
	if (run.softirq)
		wait_for_completion(&softirq->finished);
}

static void run_all(void)
{
	int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		schedule_work_on(cpu, per_cpu_ptr(&works, cpu));
	for_each_online_cpu(cpu)
		flush_work(per_cpu_ptr(&works, cpu));
	cpus_read_unlock();
}

static int run_set(const char *value, const struct kernel_param *param)
{
	char context[16];
	unsigned int i;

	if (sscanf(value, "%15s %llu %llu %llu %u", context, &run.first, &run.keys,
		   &run.rounds, &run.cost) != 5 || !run.keys)
		return -EINVAL;
	run.process = strcmp(context, "softirq");
	run.softirq = strcmp(context, "process");
	if (run.process && run.softirq && strcmp(context, "both"))
		return -EINVAL;
	if (!limiter)
		return -ENOENT;
	for (i = 0; i < ANSWERS; i++)
		atomic64_set(&counts[i], 0);
	run_all();
	return 0;
}

static int run_get(char *buffer, const struct kernel_param *param)
{
	int i, length = 0;

	for (i = 0; i < ANSWERS; i++)
		length += sysfs_emit_at(buffer, length, "%s %lld\n", names[i],
					atomic64_read(&counts[i]));
	return length;
}

static int limiter_set(const char *value, const struct kernel_param *param)
{
	char copy[2 * WEIR_NAME_SIZE], *name;
	struct weir_limiter *l = NULL;

	/* were it given to insmod, and that failed, nobody would drop it */
	if (!ready || strscpy(copy, value, sizeof(copy)) < 0)
		return -EINVAL;
	name = strim(copy);
	if (*name) {
		l = weir_limiter_get(name);
		if (IS_ERR(l))
			return PTR_ERR(l);
	}
	/* no run is under way: it would have the parameters' lock */
	weir_limiter_put(limiter);
	limiter = l;
	strscpy(limiter_name, name, sizeof(limiter_name));
	return 0;
}

static int limiter_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", limiter_name);
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = run_get };
static const struct kernel_param_ops limiter_ops = {
	.set = limiter_set, .get = limiter_get,
};

module_param_cb(limiter, &limiter_ops, NULL, 0600);
MODULE_PARM_DESC(limiter, "name of the limiter to ask");
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "CONTEXT FIRST KEYS ROUNDS COST");

static int __init sample_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct progress *p = per_cpu_ptr(&in_softirq, cpu);

		tasklet_setup(&p->tasklet, softirq_work);
		init_completion(&p->finished);
		INIT_WORK(per_cpu_ptr(&works, cpu), cpu_work);
	}
	ready = true;
	return 0;
}

static void __exit sample_exit(void)
{
	weir_limiter_put(limiter);
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_DESCRIPTION("A user of weir's API for other modules");
MODULE_AUTHOR("The Weir developers");
MODULE_LICENSE("GPL");
