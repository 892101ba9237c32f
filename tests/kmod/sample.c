// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_sample - a module that uses Weir's API, for the tests and as an example
 *
 * Written to its parameters (/sys/module/weir_sample/parameters/):
 *
 *	limiter		NAME: get a reference to that limiter, and drop the previous one; "":
 *			only drop it
 *	gate		the same for a gate
 *	counter		the same for a counter, whose field "value" is used
 *	run		"CONTEXT FIRST KEYS ROUNDS N [WHAT]": do WHAT to each of the keys FIRST to
 *			FIRST + KEYS - 1 (numbers), ROUNDS times, on every CPU at once. CONTEXT is
 *			process, softirq or both; or here: in process context on the caller's CPU
 *			alone. WHAT is
 *			check	check the limiter with cost N (the default)
 *			take	acquire N permits of the gate
 *			give	release N permits
 *			turn	acquire N permits, and release them if they were granted
 *			plain	as turn, at a gate without keys
 *			add	add N to the counter
 *	addresses	1: the keys of the limiter are IPv4 addresses; the numbers are their last
 *			bytes
 *
 * A read of run returns the number of each answer in the last run, as lines "NAME NUMBER".
 */

#include <asm/byteorder.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <linux/weir.h>

/* number of checks in one softirq: a long softirq delays everything after it */
#define CHUNK	64

enum answer {
	ALLOWED, LIMITED, BANNED, FULL, INVALID, DELETED, NO_MEMORY, OTHERS,
	BANNED_NOW, IN_SOFTIRQ, DONE, ABSENT, TOO_BIG, MOST_HELD, ANSWERS
};

static const char *const names[ANSWERS] = {
	[ALLOWED] = "allowed", [LIMITED] = "limited", [BANNED] = "banned",
	[FULL] = "full", [INVALID] = "EINVAL", [DELETED] = "ENODEV",
	[NO_MEMORY] = "ENOMEM", [OTHERS] = "other",
	/* answers with that flag, and answers given in softirq; counted in addition */
	[BANNED_NOW] = "banned-now", [IN_SOFTIRQ] = "in-softirq",
	/* answers of gates and counters */
	[DONE] = "done", [ABSENT] = "ENOENT", [TOO_BIG] = "E2BIG",
	/* the greatest number of permits of all keys that turns held at the same time */
	[MOST_HELD] = "most-held",
};

/**
 * struct progress - how far one context of one CPU has come
 * @done: checks made
 * @tasklet: in softirq context: makes the next checks
 * @finished: in softirq context: completed when all checks are made
 */
struct progress {
	u64 done;
	struct tasklet_struct tasklet;
	struct completion finished;
};

/* All of this is under the lock of the module's parameters, except the counts. */
static struct weir_limiter *limiter;
static struct weir_gate *gate;
static struct weir_counter *counter;
static int field;
static char limiter_name[WEIR_NAME_SIZE], gate_name[WEIR_NAME_SIZE],
	counter_name[WEIR_NAME_SIZE];
static atomic64_t counts[ANSWERS];
static atomic64_t held;
static DEFINE_PER_CPU(struct progress, in_process);
static DEFINE_PER_CPU(struct progress, in_softirq);
static DEFINE_PER_CPU(struct work_struct, works);
static bool ready;
static bool addresses;
static struct {
	bool process;
	bool softirq;
	u64 first;
	u64 keys;
	u64 rounds;
	u32 n;
	void (*act)(u64 key);
} run;

static enum answer answer_of(int ret)
{
	switch (ret) {
	case 0: return DONE;
	case WEIR_ALLOWED: return ALLOWED;
	case WEIR_LIMITED: return LIMITED;
	case WEIR_BANNED: return BANNED;
	case WEIR_FULL: return FULL;
	case -EINVAL: return INVALID;
	case -ENODEV: return DELETED;
	case -ENOMEM: return NO_MEMORY;
	case -ENOENT: return ABSENT;
	case -E2BIG: return TOO_BIG;
	default: return OTHERS;
	}
}

static void count(int ret)
{
	atomic64_inc(&counts[answer_of(ret)]);
	if (in_serving_softirq())
		atomic64_inc(&counts[IN_SOFTIRQ]);
}

static void check(u64 key)
{
	struct weir_answer answer = { .verdict = WEIR_NONE };
	__be32 address = cpu_to_be32(key);
	int ret;

	if (addresses)
		ret = weir_limiter_check(limiter, &address, sizeof(address), run.n,
					 &answer);
	else
		ret = weir_limiter_check(limiter, &key, sizeof(key), run.n, &answer);
	count(ret);
	/* on an error the answer must be unchanged, otherwise it must have the verdict */
	if (answer.verdict != (ret > 0 ? ret : WEIR_NONE))
		atomic64_inc(&counts[OTHERS]);
	if (answer.flags & WEIR_OUT_BANNED_NOW)
		atomic64_inc(&counts[BANNED_NOW]);
}

static void take(u64 key)
{
	count(weir_gate_try_acquire(gate, &key, sizeof(key), run.n));
}

static void give(u64 key)
{
	count(weir_gate_release(gate, &key, sizeof(key), run.n));
}

static void turn_of(const void *key, unsigned int key_len)
{
	int ret = weir_gate_try_acquire(gate, key, key_len, run.n);
	s64 now, most;

	count(ret);
	if (ret != WEIR_ALLOWED)
		return;
	now = atomic64_add_return(run.n, &held);
	most = atomic64_read(&counts[MOST_HELD]);
	while (most < now && !atomic64_try_cmpxchg(&counts[MOST_HELD], &most, now))
		;
	/* let other CPUs and softirqs run meanwhile */
	ndelay(500);
	atomic64_sub(run.n, &held);
	ret = weir_gate_release(gate, key, key_len, run.n);
	if (ret)
		atomic64_inc(&counts[OTHERS]);
}

static void turn(u64 key)
{
	turn_of(&key, sizeof(key));
}

static void turn_plain(u64 key)
{
	turn_of(NULL, 0);
}

static void add(u64 key)
{
	count(weir_counter_add(counter, field, run.n));
}

/* The function for the last word of a run; NULL: an unknown word, or there is no object for it. */
static void (*act_of(const char *what))(u64 key)
{
	if (!strcmp(what, "check"))
		return limiter ? check : NULL;
	if (!strcmp(what, "add"))
		return counter ? add : NULL;
	if (!gate)
		return NULL;
	if (!strcmp(what, "take"))
		return take;
	if (!strcmp(what, "give"))
		return give;
	if (!strcmp(what, "turn"))
		return turn;
	return strcmp(what, "plain") ? NULL : turn_plain;
}

/* Make some of the calls. Return: true if there are more. */
static bool chunk(struct progress *p)
{
	u64 all = run.keys * run.rounds;
	unsigned int i;

	for (i = 0; i < CHUNK && p->done < all; i++)
		run.act(run.first + p->done++ % run.keys);
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

/* Make all calls of one CPU, in process context. */
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
	static struct progress alone;
	char context[16], what[16] = "check";
	bool here;
	unsigned int i;

	if (sscanf(value, "%15s %llu %llu %llu %u %15s", context, &run.first, &run.keys,
		   &run.rounds, &run.n, what) < 5 || !run.keys)
		return -EINVAL;
	here = !strcmp(context, "here");
	run.process = strcmp(context, "softirq");
	run.softirq = strcmp(context, "process");
	if (run.process && run.softirq && !here && strcmp(context, "both"))
		return -EINVAL;
	run.act = act_of(what);
	if (!run.act)
		return -ENOENT;
	for (i = 0; i < ANSWERS; i++)
		atomic64_set(&counts[i], 0);
	alone.done = 0;
	while (here && chunk(&alone))
		cond_resched();
	if (!here)
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

/* The name that was written, of at most @size bytes. NULL: not a valid name. */
static const char *name_of(char *copy, size_t size, const char *value)
{
	/* not during insmod: if insmod failed, the reference would never be dropped */
	return ready && strscpy(copy, value, size) >= 0 ? strim(copy) : NULL;
}

static int limiter_set(const char *value, const struct kernel_param *param)
{
	char copy[2 * WEIR_NAME_SIZE];
	const char *name = name_of(copy, sizeof(copy), value);
	struct weir_limiter *l = NULL;

	if (!name)
		return -EINVAL;
	if (*name)
		l = weir_limiter_get(name);
	if (IS_ERR(l))
		return PTR_ERR(l);
	/* no run is in progress, because it would hold the lock of the parameters */
	weir_limiter_put(limiter);
	limiter = l;
	strscpy(limiter_name, name, sizeof(limiter_name));
	return 0;
}

static int gate_set(const char *value, const struct kernel_param *param)
{
	char copy[2 * WEIR_NAME_SIZE];
	const char *name = name_of(copy, sizeof(copy), value);
	struct weir_gate *g = NULL;

	if (!name)
		return -EINVAL;
	if (*name)
		g = weir_gate_get(name);
	if (IS_ERR(g))
		return PTR_ERR(g);
	weir_gate_put(gate);
	gate = g;
	strscpy(gate_name, name, sizeof(gate_name));
	return 0;
}

static int counter_set(const char *value, const struct kernel_param *param)
{
	char copy[2 * WEIR_NAME_SIZE];
	const char *name = name_of(copy, sizeof(copy), value);
	struct weir_counter *c = NULL;

	if (!name)
		return -EINVAL;
	if (*name)
		c = weir_counter_get(name);
	if (IS_ERR(c))
		return PTR_ERR(c);
	/* a counter without that field gets an index that no counter has */
	field = c ? weir_counter_field(c, "value") : 0;
	weir_counter_put(counter);
	counter = c;
	strscpy(counter_name, name, sizeof(counter_name));
	return 0;
}

static int name_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", (const char *)param->arg);
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = run_get };
static const struct kernel_param_ops limiter_ops = { .set = limiter_set, .get = name_get };
static const struct kernel_param_ops gate_ops = { .set = gate_set, .get = name_get };
static const struct kernel_param_ops counter_ops = { .set = counter_set, .get = name_get };

module_param_cb(limiter, &limiter_ops, limiter_name, 0600);
MODULE_PARM_DESC(limiter, "name of the limiter to ask");
module_param_cb(gate, &gate_ops, gate_name, 0600);
MODULE_PARM_DESC(gate, "name of the gate to use");
module_param_cb(counter, &counter_ops, counter_name, 0600);
MODULE_PARM_DESC(counter, "name of the counter to add to");
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "CONTEXT FIRST KEYS ROUNDS N [WHAT]");
module_param(addresses, bool, 0600);
MODULE_PARM_DESC(addresses, "keys are IPv4 addresses");

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
	weir_counter_put(counter);
	weir_gate_put(gate);
	weir_limiter_put(limiter);
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_DESCRIPTION("A user of weir's API for other modules");
MODULE_AUTHOR("The Weir developers");
MODULE_LICENSE("GPL");
