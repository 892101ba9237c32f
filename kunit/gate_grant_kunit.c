// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants to the queue of a key (src/gate/gate_grant.c): the steps, and the checks of a request that
 * joins the queue of a gate that has changed since the caller looked at it.
 */

#include <linux/delay.h>

#include <kunit/test.h>

#include "../src/gate/gate_grant.c"

#include "core/grant.h"
#include "core/namespace.h"
#include "table_fixture.h"

#define WAITERS		130
#define STEP		64
#define SERVE_TRIES	5000	/* ms until the timer must have served the queue */

/**
 * struct grants - a gate with one key, and requests for it
 * @g: the gate
 * @client: the holders' client; each waiter has its own tag
 * @e: the entry of its only key
 * @word: state of the entry while it is locked
 */
struct grants {
	struct weir_gate g;
	struct weir_client client;
	struct weir_entry *e;
	u64 word;
};

u64 weir_gate_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word, u64 now)
{
	return WEIR_EXPIRY_NEVER;
}

/* ------------------------------------------------------------ the fixture */

static const struct weir_table_ops grants_table_ops = {
	.idle_at = weir_gate_idle_at,
};

static void entry_lock(struct grants *t)
{
	rcu_read_lock();
	weir_table_lock(&t->g.table, t->e, &t->word);
}

static void entry_unlock(struct grants *t)
{
	weir_gate_wake_unlock(&t->g, t->e, t->word);
	rcu_read_unlock();
}

static void client_init(struct kunit *test, struct weir_client *c)
{
	c->ns = weir_namespace_get(KUIDT_INIT(1));
	KUNIT_ASSERT_NOT_NULL(test, c->ns);
	spin_lock_init(&c->lock);
	c->grants = RB_ROOT;
	c->ended_tags = RB_ROOT;
	INIT_LIST_HEAD(&c->ended);
	init_waitqueue_head(&c->pollers);
}

/* A gate of @permits, all of them held, with one key. */
static struct grants *grants_make(struct kunit *test, u32 permits)
{
	struct grants *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct weir_key key = { .data = (const u8 *)key.words };
	struct weir_gate *g = &t->g;
	struct weir_entry *new;

	KUNIT_ASSERT_NOT_NULL(test, t);
	weir_object_init(&g->obj);
	g->permits = permits;
	KUNIT_ASSERT_EQ(test, 0, weir_table_init(&g->table, 1, &grants_table_ops));
	client_init(test, &t->client);
	test->priv = t;
	g->totals = alloc_percpu(struct weir_gate_totals);
	KUNIT_ASSERT_NOT_NULL(test, g->totals);
	weir_key_hash(&g->table, &key);
	new = weir_table_new(&g->table, &key, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(new));
	rcu_read_lock();
	t->e = weir_table_link(&g->table, &key, new, 0, &t->word);
	weir_gate_queue_init(&t->e->queue);
	t->e->queue.in_use = permits;
	entry_unlock(t);
	return t;
}

static int grants_init(struct kunit *test)
{
	return fixture_init(test) ?: weir_namespace_mod_init();
}

/* End all requests, free all grants, and everything else. */
static void grants_exit(struct kunit *test)
{
	struct grants *t = test->priv;

	if (t) {
		t->g.obj.dead = true;
		weir_gate_kick(&t->g);
		weir_grant_object_end(&t->g.obj);
		weir_request_close(&t->client);
		/* wake lists and deadlines may still have the client */
		synchronize_rcu();
		synchronize_rcu();
		weir_namespace_put(t->client.ns);
		weir_table_destroy(&t->g.table);
		free_percpu(t->g.totals);
	}
	test->priv = NULL;
	weir_namespace_mod_exit();
	fixture_exit(test);
}

/* Enqueue a request. The entry must be locked. */
static int enqueue(struct kunit *test, struct weir_gate_waiter *w, struct weir_grant *new)
{
	struct grants *t = test->priv;
	struct weir_grant *grant;
	int err;

	grant = weir_grant_get(&t->client, w->request.op.tag, &t->g.obj, t->e, &new);
	err = weir_gate_enqueue(&t->g, w, t->e, grant);
	if (err)
		weir_grant_put(grant);
	return err;
}

/* Let an asynchronous request for @n permits wait. Return: as weir_gate_enqueue(). */
static int request(struct kunit *test, u32 tag, u32 n)
{
	struct weir_op op = { .flags = WEIR_OP_ASYNC, .tag = tag, .n = n };
	struct grants *t = test->priv;
	struct weir_grant *new = weir_grant_new(GFP_KERNEL);
	struct weir_gate_waiter *w = weir_gate_waiter_new(&t->client, &op, WEIR_NEVER);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, new);
	KUNIT_ASSERT_NOT_NULL(test, w);
	entry_lock(t);
	err = enqueue(test, w, new);
	entry_unlock(t);
	if (err)
		weir_request_free(&w->request);
	return err;
}

static void request_all(struct kunit *test)
{
	u32 i;

	for (i = 0; i < WAITERS; i++)
		KUNIT_ASSERT_EQ(test, 0, request(test, i + 1, 1));
}

/* Wait until the timer has served the queue. */
static void wait_until_served(struct grants *t)
{
	unsigned int i;

	for (i = 0; i < SERVE_TRIES && READ_ONCE(t->e->queue.nwaiters); i++)
		usleep_range(1000, 2000);
}

/* The number of requests that have ended, all with the result @result. */
static unsigned int ended(struct kunit *test, int result)
{
	struct grants *t = test->priv;
	struct weir_request *r;
	unsigned int n = 0;

	list_for_each_entry(r, &t->client.ended, node) {
		KUNIT_EXPECT_EQ(test, result, r->op.result);
		n++;
	}
	return n;
}

/* ------------------------------------------------------------ the tests */

/* One hold of the lock grants to at most STEP waiters. The timer continues in order. */
static void grants_steps(struct kunit *test)
{
	struct grants *t = grants_make(test, WAITERS);
	struct weir_request *r;
	u32 tag = 0;

	request_all(test);
	KUNIT_EXPECT_EQ(test, 0, ended(test, 0));
	entry_lock(t);
	weir_gate_release_locked(&t->g, t->e, WAITERS);
	KUNIT_EXPECT_EQ(test, STEP, ended(test, 0));
	KUNIT_EXPECT_EQ(test, WAITERS - STEP, t->e->queue.nwaiters);
	KUNIT_EXPECT_EQ(test, STEP, t->e->queue.in_use);
	entry_unlock(t);
	wait_until_served(t);
	KUNIT_EXPECT_EQ(test, WAITERS, t->e->queue.in_use);
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	list_for_each_entry(r, &t->client.ended, node)
		KUNIT_EXPECT_EQ(test, ++tag, r->op.tag);
	KUNIT_EXPECT_EQ(test, WAITERS, tag);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.obj.waiting));
}

/* A waiter that is due although its permits are not free stays, and is not due again. */
static void grants_due_once(struct kunit *test)
{
	struct grants *t = grants_make(test, 1);
	struct weir_gate_waiter *w;

	KUNIT_ASSERT_EQ(test, 0, request(test, 1, 1));
	w = weir_gate_waiter_of(list_first_entry(&t->g.obj.waiting, struct weir_request,
						 waiting));
	entry_lock(t);
	w->due.until = 0;
	entry_unlock(t);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, 1, waiter_due(&w->due));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 0, ended(test, 0));
	KUNIT_EXPECT_EQ(test, 1, t->e->queue.nwaiters);
	KUNIT_EXPECT_EQ(test, WEIR_NEVER, w->due.until);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&w->due.node));
}

/* A deleted gate grants nothing. */
static void grants_dead(struct kunit *test)
{
	struct grants *t = grants_make(test, WAITERS);

	request_all(test);
	t->g.obj.dead = true;
	entry_lock(t);
	weir_gate_release_locked(&t->g, t->e, WAITERS);
	KUNIT_EXPECT_EQ(test, 0, serve(&t->g, t->e, GRANT_STEP));
	entry_unlock(t);
	KUNIT_EXPECT_EQ(test, 0, ended(test, 0));
	KUNIT_EXPECT_EQ(test, WAITERS, t->e->queue.nwaiters);
	weir_gate_kick(&t->g);
	KUNIT_EXPECT_EQ(test, WAITERS, ended(test, -ENODEV));
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
}

/* The gate was deleted, or its configuration changed, since the caller looked at it. */
static void grants_joins_changed(struct kunit *test)
{
	struct grants *t = grants_make(test, 4);

	KUNIT_EXPECT_EQ(test, 0, request(test, 1, 5));
	KUNIT_EXPECT_EQ(test, 1, ended(test, -E2BIG));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.obj.waiting));
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	weir_request_drop_tag(&t->client, 1);
	/* there are more permits now: the request is granted at once */
	t->g.permits = 9;
	KUNIT_EXPECT_EQ(test, 0, request(test, 1, 5));
	KUNIT_EXPECT_EQ(test, 1, ended(test, 0));
	KUNIT_EXPECT_EQ(test, 9, t->e->queue.in_use);
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	t->g.obj.dead = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, request(test, 2, 1));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.obj.waiting));
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	KUNIT_EXPECT_EQ(test, 1, t->client.requests);
}

/* A refused request may have been found by a kick: it is freed after a grace period. */
static void grants_refused(struct kunit *test)
{
	struct grants *t = grants_make(test, 1);
	struct weir_op op = { .flags = WEIR_OP_ASYNC, .n = 1 };
	struct weir_gate_waiter *w = weir_gate_waiter_new(&t->client, &op, WEIR_NEVER);
	struct weir_grant *new = weir_grant_new(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_NOT_NULL(test, new);
	t->client.requests = WEIR_REQUESTS_MAX;
	entry_lock(t);
	KUNIT_EXPECT_EQ(test, -EMFILE, enqueue(test, w, new));
	KUNIT_EXPECT_PTR_EQ(test, t->e, w->request.entry);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.obj.waiting));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.obj.grants));
	entry_unlock(t);
	/* as that kick does */
	rcu_read_lock();
	request_check(&w->request);
	rcu_read_unlock();
	weir_request_free(&w->request);
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	t->client.requests = 0;
}

/* A kick looks at each request once. Those that can still be served stay queued, in order. */
static void grants_kick(struct kunit *test)
{
	struct grants *t = grants_make(test, WAITERS);
	struct weir_request *r;
	u32 tag = 0;

	request_all(test);
	KUNIT_ASSERT_EQ(test, 0, request(test, WAITERS + 1, WAITERS));
	t->g.permits = WAITERS - 1;
	weir_gate_kick(&t->g);
	KUNIT_EXPECT_EQ(test, 1, ended(test, -E2BIG));
	KUNIT_EXPECT_EQ(test, WAITERS, t->e->queue.nwaiters);
	list_for_each_entry(r, &t->g.obj.waiting, waiting)
		KUNIT_EXPECT_EQ(test, ++tag, r->op.tag);
	KUNIT_EXPECT_EQ(test, WAITERS, tag);
}

static struct kunit_case gate_grant_cases[] = {
	KUNIT_CASE(grants_steps),
	KUNIT_CASE(grants_due_once),
	KUNIT_CASE(grants_dead),
	KUNIT_CASE(grants_joins_changed),
	KUNIT_CASE(grants_refused),
	KUNIT_CASE(grants_kick),
	{}
};

static struct kunit_suite weir_gate_grant_suite = {
	.name = "weir_gate_grant",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = grants_init,
	.exit = grants_exit,
	.test_cases = gate_grant_cases,
};

kunit_test_suite(weir_gate_grant_suite);
