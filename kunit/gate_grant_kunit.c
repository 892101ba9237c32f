// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants to the queue of a key (src/gate/gate_grant.c): the steps, and the checks of a caller that
 * joins the queue of a gate that has changed since the caller looked at it.
 */

#include <kunit/test.h>

#include "../src/gate/gate_grant.c"

#include "table_fixture.h"

#define PLACES	130
#define STEP	64

/**
 * struct grants - a gate with one key, and places for its queue
 * @g: the gate
 * @e: the entry of its only key
 * @word: state of the entry while it is locked
 * @granted: number of places granted
 * @order: the places granted, in this order
 * @looked: number of requests that a kick looked at
 * @place: places of requests
 */
struct grants {
	struct weir_gate g;
	struct weir_entry *e;
	u64 word;
	unsigned int granted;
	unsigned int order[PLACES];
	unsigned int looked;
	struct weir_gate_place place[PLACES];
};

static struct grants *grants;

/* ------------------------------------------------------------ stand-ins for gate_async.c */

void weir_async_joined(struct weir_gate_place *p)
{
}

void weir_async_left(struct weir_gate_place *p)
{
}

void weir_async_granted(struct weir_gate *g, struct weir_gate_place *p)
{
	grants->order[grants->granted++] = p - grants->place;
}

int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_grant *grant)
{
	return -ENOENT;
}

unsigned int weir_async_look(struct weir_gate *g, struct weir_gate_place *p)
{
	grants->looked++;
	return 1;
}

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
	weir_table_unlock(&t->g.table, t->e, t->word);
	rcu_read_unlock();
}

/* A gate of @permits, all of them held, with one key. */
static struct grants *grants_make(struct kunit *test, u32 permits)
{
	struct grants *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct weir_key key = { .data = (const u8 *)key.words };
	struct weir_gate *g = &t->g;
	struct weir_entry *new;

	KUNIT_ASSERT_NOT_NULL(test, t);
	spin_lock_init(&g->lock);
	INIT_LIST_HEAD(&g->waiters);
	INIT_LIST_HEAD(&g->unserved);
	INIT_WORK(&g->serve, weir_gate_serve);
	g->permits = permits;
	KUNIT_ASSERT_EQ(test, 0, weir_table_init(&g->table, 1, &grants_table_ops));
	test->priv = t;
	grants = t;
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

static void grants_exit(struct kunit *test)
{
	struct grants *t = test->priv;

	if (t) {
		flush_work(&t->g.serve);
		weir_table_destroy(&t->g.table);
		free_percpu(t->g.totals);
	}
	test->priv = NULL;
	fixture_exit(test);
}

/* The entry must be locked. */
static int enqueue(struct grants *t, unsigned int i, u32 n)
{
	t->place[i].async = true;
	INIT_LIST_HEAD(&t->place[i].all);
	return weir_gate_enqueue(&t->g, &t->place[i], t->e, n);
}

static void enqueue_all(struct grants *t)
{
	unsigned int i;

	entry_lock(t);
	for (i = 0; i < PLACES; i++)
		enqueue(t, i, 1);
	entry_unlock(t);
}

/* ------------------------------------------------------------ the tests */

/* One hold of the lock grants to at most STEP places. The work item continues in order. */
static void grants_steps(struct kunit *test)
{
	struct grants *t = grants_make(test, PLACES);
	unsigned int i;

	enqueue_all(t);
	KUNIT_EXPECT_EQ(test, 0, t->granted);
	entry_lock(t);
	weir_gate_release_locked(&t->g, t->e, PLACES);
	KUNIT_EXPECT_EQ(test, STEP, t->granted);
	KUNIT_EXPECT_EQ(test, PLACES - STEP, t->e->queue.nwaiters);
	KUNIT_EXPECT_EQ(test, STEP, t->e->queue.in_use);
	entry_unlock(t);
	flush_work(&t->g.serve);
	KUNIT_EXPECT_EQ(test, PLACES, t->granted);
	KUNIT_EXPECT_EQ(test, PLACES, t->e->queue.in_use);
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	for (i = 0; i < PLACES; i++)
		KUNIT_EXPECT_EQ(test, i, t->order[i]);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.unserved));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.waiters));
}

/* A step for a place whose permits are no longer free grants nothing and is not repeated. */
static void grants_unserved_once(struct kunit *test)
{
	struct grants *t = grants_make(test, 1);

	entry_lock(t);
	KUNIT_EXPECT_EQ(test, 0, enqueue(t, 0, 1));
	entry_unlock(t);
	list_add(&t->place[0].unserved, &t->g.unserved);
	KUNIT_EXPECT_TRUE(test, serve_step(&t->g));
	KUNIT_EXPECT_FALSE(test, serve_step(&t->g));
	KUNIT_EXPECT_EQ(test, 0, t->granted);
	KUNIT_EXPECT_EQ(test, 1, t->e->queue.nwaiters);
}

/* A deleted gate grants nothing. */
static void grants_dead(struct kunit *test)
{
	struct grants *t = grants_make(test, PLACES);

	enqueue_all(t);
	t->g.obj.dead = true;
	entry_lock(t);
	weir_gate_release_locked(&t->g, t->e, PLACES);
	KUNIT_EXPECT_EQ(test, 0, weir_gate_grant_waiters(&t->g, t->e));
	entry_unlock(t);
	KUNIT_EXPECT_EQ(test, 0, t->granted);
	KUNIT_EXPECT_EQ(test, PLACES, t->e->queue.nwaiters);
}

/* The gate was deleted, or its configuration changed, since the caller looked at it. */
static void grants_joins_changed(struct kunit *test)
{
	struct grants *t = grants_make(test, 4);

	entry_lock(t);
	KUNIT_EXPECT_EQ(test, -E2BIG, enqueue(t, 0, 5));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.waiters));
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	/* there are more permits now: the request is granted at once */
	t->g.permits = 9;
	KUNIT_EXPECT_EQ(test, 0, enqueue(t, 0, 5));
	KUNIT_EXPECT_EQ(test, 1, t->granted);
	KUNIT_EXPECT_EQ(test, 9, t->e->queue.in_use);
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	t->g.obj.dead = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, enqueue(t, 1, 1));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->g.waiters));
	KUNIT_EXPECT_EQ(test, 0, t->e->queue.nwaiters);
	entry_unlock(t);
}

/* A kick looks at each request once and marks each sleeping caller. All of them stay queued. */
static void grants_kick(struct kunit *test)
{
	struct weir_gate_waiter w = { .task = current };
	struct grants *t = grants_make(test, PLACES);

	w.g = &t->g;
	enqueue_all(t);
	entry_lock(t);
	KUNIT_EXPECT_EQ(test, 0, weir_gate_enqueue(&t->g, &w.place, t->e, 1));
	entry_unlock(t);
	weir_gate_kick(&t->g);
	KUNIT_EXPECT_EQ(test, PLACES, t->looked);
	KUNIT_EXPECT_TRUE(test, w.kicked);
	KUNIT_EXPECT_PTR_EQ(test, t->g.waiters.next, &t->place[0].all);
	KUNIT_EXPECT_PTR_EQ(test, t->g.waiters.prev, &w.place.all);
	entry_lock(t);
	weir_gate_dequeue(&t->g, &w.place);
	KUNIT_EXPECT_EQ(test, PLACES, t->e->queue.nwaiters);
	KUNIT_EXPECT_PTR_EQ(test, t->g.waiters.prev, &t->place[PLACES - 1].all);
	entry_unlock(t);
}

static struct kunit_case gate_grant_cases[] = {
	KUNIT_CASE(grants_steps),
	KUNIT_CASE(grants_unserved_once),
	KUNIT_CASE(grants_dead),
	KUNIT_CASE(grants_joins_changed),
	KUNIT_CASE(grants_kick),
	{}
};

static struct kunit_suite weir_gate_grant_suite = {
	.name = "weir_gate_grant",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = fixture_init,
	.exit = grants_exit,
	.test_cases = gate_grant_cases,
};

kunit_test_suite(weir_gate_grant_suite);
