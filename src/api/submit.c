// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_IOC_OP and WEIR_IOC_SUBMIT: operations from the user, one or many, and their results.
 *
 * Cost of a single op in addition to the operation: 64 bytes copied in, 64 bytes copied out, an
 * xarray look-up, and two stores that check whether the result can be written before anything is
 * done. SUBMIT also copies 24 bytes in, and writes the count twice.
 *
 * In a batch several ops form a group. The hash buckets are prefetched while the keys of the other
 * ops are hashed, and then the entries. So the memory latency is paid once for the group. The ops
 * of a group also share a look-up of the handle and an access window to user memory.
 */

#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core/handle.h"
#include "api/ioctl.h"
#include "api/ops.h"
#include "core/uaccess.h"
#include "table/keyed.h"

#define GROUP		8	/* ops in a group */

/**
 * struct group - ops of a batch that are performed together
 * @run: the ops
 * @object: the object of each, valid in the RCU read side in which it was found
 * @err: the result of each op so far
 * @count: number of ops
 */
struct group {
	struct weir_op_run	run[GROUP];
	struct weir_object	*object[GROUP];
	int			err[GROUP];
	unsigned int		count;
};

/* ------------------------------------------------------------ one by one */

static void op_perform(struct weir_client *c, struct weir_op_run *r)
{
	int err;

	weir_op_clear(r);
	err = weir_op_check(r);
	if (!err)
		err = weir_op_dispatch(c, r);
	if (err)
		weir_op_fail(r, err);
}

/* A separate function, so that other ops need not clear 528 bytes of stack. */
static noinline void op_perform_data(struct weir_client *c, struct weir_op_run *r)
{
	union weir_op_data data;

	r->data = &data;
	op_perform(c, r);
	if (!r->op.result && r->desc->kind->put && r->desc->kind->put(r))
		weir_op_fail(r, -EFAULT);
}

/* Perform one op. Return: 0; or -EFAULT or -ERESTARTNOHAND, and nothing was done. */
static int op_user(struct weir_client *c, struct weir_op __user *user, u32 index)
{
	/* each member is set before it is read */
	struct weir_op_run r __uninitialized;
	int err = weir_op_get(&r, user);

	if (err)
		return err;
	if (r.op.flags & WEIR_OP_PTR)
		op_perform_data(c, &r);
	else
		op_perform(c, &r);
	/* restart after a stop, but not after a signal handler, which may want to end the wait */
	if (r.op.result == -EINTR)
		return -ERESTARTNOHAND;
	r.op.decided = r.op.verdict ? index : 0;
	return weir_op_put(&r, user);
}

/**
 * weir_submit_op - handle WEIR_IOC_OP
 * @c: the client
 * @user: the user's op
 *
 * Context: may sleep.
 * Return: 0; -EINVAL, -EFAULT, -ERESTARTNOHAND: nothing was done, except as &struct weir_submit
 * says.
 */
int weir_submit_op(struct weir_client *c, struct weir_op __user *user)
{
	return (uintptr_t)user % sizeof(u64) ? -EINVAL : op_user(c, user, 0);
}

/* ------------------------------------------------------------ many */

/* Find the objects and keys of the ops, and prefetch the memory that the ops will need. */
static void group_find(struct weir_client *c, struct group *g)
{
	struct weir_handle *h = NULL;
	struct weir_object *o;
	struct weir_op_run *r;
	unsigned int i;

	for (i = 0; i < g->count; i++) {
		r = &g->run[i];
		g->object[i] = NULL;
		weir_op_clear(r);
		g->err[i] = weir_op_check(r);
		if (g->err[i])
			continue;
		if (!h || h->id != r->op.handle)
			h = weir_handle_find(c, r->op.handle);
		o = weir_op_object(h, r);
		if (IS_ERR(o)) {
			g->err[i] = PTR_ERR(o);
			continue;
		}
		g->object[i] = o;
		if (o->ops->key)
			weir_table_prefetch(&weir_keyed(o)->table, &r->key);
	}
	for (i = 0; i < g->count; i++) {
		o = g->object[i];
		if (o && o->ops->key)
			weir_table_prefetch_entry(&weir_keyed(o)->table, &g->run[i].key);
	}
}

/*
 * Perform the ops in order, under one RCU read side until one must sleep or this CPU must
 * reschedule. After that the objects must be looked up again. An invalid op stays invalid.
 */
static void group_perform(struct weir_client *c, struct group *g)
{
	unsigned int i;
	int err;

	rcu_read_lock();
	group_find(c, g);
	for (i = 0; i < g->count; i++) {
		if (g->err[i])
			continue;
		if (need_resched())
			break;
		err = weir_op_try(c, &g->run[i], g->object[i]);
		if (err == WEIR_OP_MUST_SLEEP)
			break;
		g->err[i] = err;
	}
	/* an op that must sleep has done nothing yet, so it can be started again */
	rcu_read_unlock();
	for (; i < g->count; i++) {
		cond_resched();
		if (!g->err[i])
			g->err[i] = weir_op_dispatch(c, &g->run[i]);
		/* a signal: this op and the following ops were not performed */
		if (g->err[i] == -EINTR)
			g->count = i;
	}
}

/*
 * Perform those of the ops from @index on that can be performed together, @room at most, and write
 * their results to @user. Return: number of ops performed whose results were written; 0: the op at
 * @index must be performed alone; or -EFAULT.
 */
static int group_user(struct weir_client *c, struct group *g,
		      struct weir_op __user *user, u32 index, u32 room)
{
	struct weir_op_run *r;
	unsigned int i;

	g->count = weir_op_get_group(g->run, user, min_t(u32, room, GROUP));
	if (g->count)
		group_perform(c, g);
	if (!g->count)
		return 0;
	for (i = 0; i < g->count; i++) {
		r = &g->run[i];
		if (g->err[i])
			weir_op_fail(r, g->err[i]);
		r->op.decided = r->op.verdict ? index + i : 0;
	}
	return weir_op_put_group(g->run, user, g->count);
}

/* Perform a batch in order. Return: number of ops performed, or an errno. */
static int batch_user(struct weir_client *c, struct weir_op __user *ops, u32 count)
{
	/* without memory for a group, ops are performed one by one */
	struct group *g = kmalloc(sizeof(*g), GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	int done = 0, n;
	bool whole;

	do {
		n = g ? group_user(c, g, ops + done, done, count - done) : 0;
		/*
		 * an op whose result could not be written has been performed and must not be
		 * repeated
		 */
		whole = n <= 0 || n == g->count;
		if (!n)
			n = op_user(c, ops + done, done) ?: 1;
		if (n < 0)
			break;
		done += n;
		cond_resched();
	} while (whole && done < count && !signal_pending(current) && !READ_ONCE(c->shut));
	kfree(g);
	return done ?: n;
}

static __always_inline bool submit_valid(const struct weir_submit *args)
{
	return !(args->flags & ~WEIR_SUBMIT_ALL) && args->count &&
	       !(args->ops % sizeof(u64)) && args->count <= WEIR_BATCH_MAX;
}

/*
 * Read the usual form of the struct in one access window. Return: -EAGAIN: read it in the general
 * way.
 */
static int submit_get(struct weir_submit *args, struct weir_submit __user *user)
{
	if (!user_access_begin(user, sizeof(*user)))
		return -EAGAIN;
	unsafe_get_user(args->size, &user->size, again);
	unsafe_get_user(args->flags, &user->flags, again);
	unsafe_get_user(args->count, &user->count, again);
	unsafe_get_user(args->ops, &user->ops, again);
	if (args->size != sizeof(*args) || !submit_valid(args))
		goto again;
	unsafe_put_user(0, &user->done, again);
	user_access_end();
	return 0;
again:
	user_access_end();
	return -EAGAIN;
}

static int submit_get_any(struct weir_submit *args, struct weir_submit __user *user)
{
	int err = weir_user_get(args, sizeof(*args), (uintptr_t)user,
				offsetofend(struct weir_submit, ops));

	if (err)
		return err;
	if (!submit_valid(args))
		return -EINVAL;
	return put_user(0, &user->done) ? -EFAULT : 0;
}

/**
 * weir_submit_run - handle WEIR_IOC_SUBMIT
 * @c: the client
 * @user: the user's struct
 *
 * Context: may sleep.
 * Return: 0, or an error listed at &struct weir_submit.
 */
int weir_submit_run(struct weir_client *c, struct weir_submit __user *user)
{
	struct weir_submit args;
	struct weir_op __user *ops;
	int done, err = submit_get(&args, user);

	if (err)
		err = submit_get_any(&args, user);
	if (err)
		return err;
	ops = u64_to_user_ptr(args.ops);
	if (args.flags)
		done = weir_transaction_run(c, ops, args.count);
	else if (args.count == 1)
		done = op_user(c, ops, 0) ?: 1;
	else
		done = batch_user(c, ops, args.count);
	if (done < 0)
		return done;
	return put_user(done, &user->done) ? -EFAULT : 0;
}
