// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_time - runs loops in the kernel, for bench/um: in user-mode Linux a system call takes
 * longer than the code to be timed
 *
 * Its limiters are called time-hot, time-many and time-new and have u64 keys. Written to its
 * parameters (/sys/module/weir_time/parameters/):
 *
 *	client	"FD HOT MANY": an open /dev/weir of the writer, and its handles of
 *		time-hot and time-many, for batches
 *	run	"LOOP COUNT": this many rounds of a loop
 *
 * Read from took: the ns of the last run. A check that is not allowed ends a loop with EPROTO,
 * because its time would be that of something else.
 */

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <linux/weir.h>

#define KEYS		1000000		/* number of known keys */
#define BATCH		256
#define OWN_KEYS	1024		/* keys of each of two CPUs */

static struct weir_limiter *hot, *many, *fresh;

/* ------------------------------------------------------------ keys */

static u64 seed = 88172645463325252ULL;

static __always_inline u64 key_same(void)
{
	return 0;
}

/* A random one of KEYS (xorshift). It need only be so random that no cache expects it. */
static __always_inline u64 key_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 32) * KEYS >> 32;
}

static u64 next_new, next_fill;

static __always_inline u64 key_new(void)
{
	return next_new++;
}

static __always_inline u64 key_fill(void)
{
	return next_fill++;
}

/* ------------------------------------------------------------ one at a time */

static __always_inline s64 repeat(u32 count, u64 (*key)(void), int (*op)(u64 key))
{
	u64 since = ktime_get_ns();
	int err;

	while (count--) {
		err = op(key());
		if (err)
			return err;
	}
	return ktime_get_ns() - since;
}

static __always_inline int check(struct weir_limiter *l, u64 key)
{
	int verdict = weir_limiter_check(l, &key, sizeof(key), 1, NULL);

	if (likely(verdict == WEIR_ALLOWED))
		return 0;
	return verdict < 0 ? verdict : -EPROTO;
}

static __always_inline int check_hot(u64 key)
{
	return check(hot, key);
}

static __always_inline int check_many(u64 key)
{
	return check(many, key);
}

static __always_inline int check_fresh(u64 key)
{
	return check(fresh, key);
}

static __always_inline int nothing(u64 key)
{
	OPTIMIZER_HIDE_VAR(key);
	return 0;
}

static __always_inline int clock(u64 key)
{
	key = ktime_get_boottime_ns();
	OPTIMIZER_HIDE_VAR(key);
	return 0;
}

static s64 run_empty(u32 count)
{
	return repeat(count, key_random, nothing);
}

static s64 run_clock(u32 count)
{
	return repeat(count, key_same, clock);
}

static s64 run_hot(u32 count)
{
	return repeat(count, key_same, check_hot);
}

static s64 run_random(u32 count)
{
	return repeat(count, key_random, check_many);
}

static s64 run_fill(u32 count)
{
	return repeat(count, key_fill, check_many);
}

static s64 run_new(u32 count)
{
	return repeat(count, key_new, check_fresh);
}

/* ------------------------------------------------------------ batches
 *
 * Batches go through the real ioctl, with ops in kernel memory; see direct.h.
 */

static struct file *client;
static u32 handle_hot, handle_many;
static struct weir_op ops[BATCH];

static void ops_prepare(u32 handle)
{
	unsigned int i;

	memset(ops, 0, sizeof(ops));
	for (i = 0; i < BATCH; i++) {
		ops[i].opcode = WEIR_OP_CHECK;
		ops[i].handle = handle;
		ops[i].n = 1;
		ops[i].key_len = sizeof(u64);
	}
}

static int batch_submit(struct weir_submit *submit)
{
	unsigned int i;
	long err;

	err = client->f_op->unlocked_ioctl(client, WEIR_IOC_SUBMIT,
					   (unsigned long)submit);
	if (err)
		return err;
	if (submit->done != BATCH)
		return -EPROTO;
	for (i = 0; i < BATCH; i++)
		if (ops[i].result || ops[i].verdict != WEIR_ALLOWED)
			return -EPROTO;
	return 0;
}

/* @count checks, in whole batches. */
static __always_inline s64 batches(u32 count, u32 handle, u64 (*key)(void))
{
	struct weir_submit submit = { .size = sizeof(submit), .count = BATCH,
				      .ops = (uintptr_t)ops };
	unsigned int i;
	u64 since;
	int err;

	if (!client)
		return -EBADF;
	if (count % BATCH)
		return -EINVAL;
	ops_prepare(handle);
	since = ktime_get_ns();
	for (; count; count -= BATCH) {
		for (i = 0; i < BATCH; i++)
			*(u64 *)ops[i].key = key();
		err = batch_submit(&submit);
		if (err)
			return err;
	}
	return ktime_get_ns() - since;
}

static s64 run_batch_hot(u32 count)
{
	return batches(count, handle_hot, key_same);
}

static s64 run_batch_random(u32 count)
{
	return batches(count, handle_many, key_random);
}

/*
 * ------------------------------------------------------------ for comparison
 *
 * A minimal keyed limiter from the kernel's own parts: a rhashtable, a lock in each entry, a
 * token bucket. It never drops an entry, and counts nothing.
 */

struct peer {
	struct rhash_head node;
	u64 key;
	spinlock_t lock;	/* protects the other members */
	u64 credit;		/* ns */
	u64 last;
};

#define PEER_CAP	BIT_ULL(62)
#define PEER_COST	1000

static const struct rhashtable_params peer_params = {
	.key_len = sizeof(u64),
	.key_offset = offsetof(struct peer, key),
	.head_offset = offsetof(struct peer, node),
};

static struct rhashtable peers;
static bool peers_there;

static __always_inline int check_peer(u64 key)
{
	struct peer *p;
	bool allowed;
	u64 now;

	rcu_read_lock();
	p = rhashtable_lookup(&peers, &key, peer_params);
	if (!p) {
		rcu_read_unlock();
		return -ENOENT;
	}
	spin_lock_bh(&p->lock);
	now = ktime_get_boottime_ns();
	p->credit = min(p->credit + (now - p->last), PEER_CAP);
	p->last = now;
	allowed = p->credit >= PEER_COST;
	if (allowed)
		p->credit -= PEER_COST;
	spin_unlock_bh(&p->lock);
	rcu_read_unlock();
	return allowed ? 0 : -EPROTO;
}

static int peer_add(u64 key)
{
	struct peer *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	p->key = key;
	p->credit = PEER_CAP;
	spin_lock_init(&p->lock);
	err = rhashtable_insert_fast(&peers, &p->node, peer_params);
	if (err)
		kfree(p);
	return err;
}

static s64 run_peer_fill(u32 count)
{
	int err = 0;
	u64 key;

	for (key = 0; key < KEYS && !err; key++)
		err = peer_add(key);
	return err;
}

static s64 run_peer_hot(u32 count)
{
	return repeat(count, key_same, check_peer);
}

static s64 run_peer_random(u32 count)
{
	return repeat(count, key_random, check_peer);
}

static void peer_free(void *p, void *unused)
{
	kfree(p);
}

/* ------------------------------------------------------------ two processors */

struct crowd {
	atomic_t ready;
	unsigned int size;
	bool apart;
	u32 count;
	int err;
};

struct member {
	struct crowd *crowd;
	unsigned int number;
	u64 since, until;
	struct completion done;
};

static int member_run(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	u64 first = c->apart ? m->number * OWN_KEYS : 0;
	int err = 0;
	u32 i;

	atomic_inc(&c->ready);
	while (atomic_read(&c->ready) < c->size)
		cpu_relax();
	m->since = ktime_get_ns();
	for (i = 0; i < c->count && !err; i++)
		err = c->apart ? check(many, first + i % OWN_KEYS) : check(hot, 0);
	m->until = ktime_get_ns();
	if (err)
		WRITE_ONCE(c->err, err);
	complete(&m->done);
	return 0;
}

/*
 * The time from the start of the first thread to the end of the last one, for @count checks by
 * each.
 */
static s64 crowd_run(u32 count, unsigned int size, bool apart)
{
	struct crowd c = { .size = size, .apart = apart, .count = count };
	struct task_struct *tasks[2];
	struct member m[2] = { };
	unsigned int i;

	if (num_online_cpus() < size)
		return -ENXIO;
	for (i = 0; i < size; i++) {
		m[i].crowd = &c;
		m[i].number = i;
		init_completion(&m[i].done);
		tasks[i] = kthread_create(member_run, &m[i], "weir_time/%u", i);
		if (IS_ERR(tasks[i])) {
			while (i--) {
				kthread_stop(tasks[i]);
				put_task_struct(tasks[i]);
			}
			return -ENOMEM;
		}
		kthread_bind(tasks[i], i);
		/* wait until the thread has left the code of this module */
		get_task_struct(tasks[i]);
	}
	for (i = 0; i < size; i++)
		wake_up_process(tasks[i]);
	for (i = 0; i < size; i++) {
		wait_for_completion(&m[i].done);
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
	if (c.err)
		return c.err;
	return max(m[0].until, m[size - 1].until) - min(m[0].since, m[size - 1].since);
}

static s64 run_one(u32 count)
{
	return crowd_run(count, 1, true);
}

static s64 run_two(u32 count)
{
	return crowd_run(count, 2, true);
}

static s64 run_two_same(u32 count)
{
	return crowd_run(count, 2, false);
}

/* ------------------------------------------------------------ the parameters */

static const struct loop {
	const char *name;
	s64 (*run)(u32 count);	/* ns, or an errno */
} loops[] = {
	{ "empty", run_empty }, { "clock", run_clock }, { "fill", run_fill },
	{ "hot", run_hot }, { "random", run_random }, { "new", run_new },
	{ "batch-hot", run_batch_hot }, { "batch-random", run_batch_random },
	{ "peer-fill", run_peer_fill }, { "peer-hot", run_peer_hot },
	{ "peer-random", run_peer_random }, { "one", run_one }, { "two", run_two },
	{ "two-same", run_two_same },
};

static unsigned long took;
module_param(took, ulong, 0400);
MODULE_PARM_DESC(took, "ns of the last loop");

static int run_set(const char *text, const struct kernel_param *kp)
{
	unsigned int i;
	char name[16];
	u32 count;
	s64 ns;

	if (sscanf(text, "%15s %u", name, &count) != 2 || !count)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(loops); i++) {
		if (strcmp(loops[i].name, name))
			continue;
		ns = loops[i].run(count);
		if (ns < 0)
			return ns;
		took = ns;
		return 0;
	}
	return -ENOENT;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "LOOP COUNT: what to run");

static int client_set(const char *text, const struct kernel_param *kp)
{
	unsigned int fd;
	struct file *file;

	if (sscanf(text, "%u %u %u", &fd, &handle_hot, &handle_many) != 3)
		return -EINVAL;
	file = fget(fd);
	if (!file)
		return -EBADF;
	if (client)
		fput(client);
	client = file;
	return 0;
}

static const struct kernel_param_ops client_ops = { .set = client_set };
module_param_cb(client, &client_ops, NULL, 0200);
MODULE_PARM_DESC(client, "FD HOT MANY: an open /dev/weir and two handles of it");

/* ------------------------------------------------------------ the module */

static void let_go(void)
{
	if (client)
		fput(client);
	if (peers_there)
		rhashtable_free_and_destroy(&peers, peer_free, NULL);
	weir_limiter_put(fresh);
	weir_limiter_put(many);
	weir_limiter_put(hot);
}

static int __init loops_init(void)
{
	int err;

	hot = weir_limiter_get("time-hot");
	many = weir_limiter_get("time-many");
	fresh = weir_limiter_get("time-new");
	err = PTR_ERR_OR_ZERO(hot) ?: PTR_ERR_OR_ZERO(many) ?: PTR_ERR_OR_ZERO(fresh);
	if (!err)
		err = rhashtable_init(&peers, &peer_params);
	peers_there = !err;
	if (err)
		let_go();
	return err;
}

static void __exit loops_exit(void)
{
	let_go();
}

module_init(loops_init);
module_exit(loops_exit);
MODULE_DESCRIPTION("Runs loops of checks, for measurements");
MODULE_AUTHOR("The Weir developers");
MODULE_LICENSE("GPL");
