// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole roster (src/roster/roster.c, src/roster/roster_lease.c, src/core/grant.c), with a clock
 * that the test sets. Leases, cap and grants are compared with the model after each step.
 */

#include <kunit/test.h>

#include "table_fixture.h"

#include <linux/slab.h>

#include <linux/cred.h>

#include "core/client.h"
#include "core/event.h"
#include "core/grant.h"
#include "roster/roster.h"
#include "roster_model.h"

#define TOLD	64	/* more than the events of one step */

/**
 * struct real - the roster under test
 * @r: the roster
 * @clients: clients of the holders, two tags each
 * @told: leases lost in this step: enum weir_lost, by version
 * @ntold: number of lost leases in this step
 * @data: lease of the current operation
 */
struct real {
	struct weir_roster r;
	struct weir_client clients[DIV_ROUND_UP(ROSTER_HOLDERS, 2)];
	struct {
		u64 version;
		u32 why;
	} told[TOLD];
	u32 ntold;
	union weir_op_data data;
};

static struct real *real;

/* Called with the entry locked, so the arguments are only stored and compared later. */
static void real_told(u32 type, s64 value, s64 more)
{
	if (type != WEIR_EVENT_LEASE_LOST || real->ntold == TOLD)
		return;
	real->told[real->ntold].version = value;
	real->told[real->ntold++].why = more;
}

static void real_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
}

static const struct weir_table_ops real_table_ops = {
	.idle_at = weir_roster_idle_at,
	.evicted = real_evicted,
	.dropped = weir_roster_dropped,
};

static const struct weir_kind_ops real_kind_ops = {
	.kind = WEIR_KIND_ROSTER,
	.give_back = weir_roster_give_back,
};

/* ------------------------------------------------------------ the real roster */

/* Compare the events of the last operation with those of the model. Context: no locks. */
static void real_tell(struct roster_model *m)
{
	u32 i;

	KUNIT_ASSERT_LT(m->test, real->ntold, (u32)TOLD);
	for (i = 0; i < real->ntold; i++)
		roster_model_told(m, real->told[i].version, real->told[i].why);
	real->ntold = 0;
}

/* Like ops.c. */
static int real_op(struct roster_model *m, u32 holder, u32 key, struct weir_op *op,
		   struct roster_value *value)
{
	struct weir_client *c = &real->clients[holder / 2];
	struct weir_object *o = &real->r.obj;
	struct weir_op_run run = {};
	struct weir_op_lease *lease;
	u64 bytes = key;
	int err;

	c->cred = current_cred();
	op->key_len = sizeof(bytes);
	op->tag = holder % 2;
	memcpy(op->key, &bytes, sizeof(bytes));
	run.op = *op;
	lease = &real->data.lease;
	if (op->opcode != WEIR_OP_TOUCH && op->opcode != WEIR_OP_REMOVE) {
		run.data = &real->data;
		memcpy(lease->key, &bytes, sizeof(bytes));
		lease->length = op->opcode == WEIR_OP_LEASE_GET ? ROSTER_BYTES :
								  value->length;
		memcpy(lease->value, value->bytes, ROSTER_BYTES);
	}
	rcu_read_lock();
	err = weir_keyed_op_key(o, &run) ?: weir_roster_try(c, o, &run);
	rcu_read_unlock();
	if (err == WEIR_OP_MUST_SLEEP)
		err = weir_roster_run(c, o, &run);
	*op = run.op;
	if (!err && op->opcode == WEIR_OP_LEASE_GET)
		memcpy(value->bytes, lease->value, op->length);
	real_tell(m);
	return err;
}

static void real_die(struct roster_model *m, u32 holder)
{
	struct weir_client *c = &real->clients[holder / 2];
	struct rb_node *node;

	weir_grant_drop_tag(c, holder % 2);
	for (node = rb_first(&c->grants); node; node = rb_next(node))
		KUNIT_ASSERT_NE(m->test, rb_entry(node, struct weir_grant, node)->tag, holder % 2);
	real_tell(m);
}

static void real_go(struct roster_model *m)
{
	atomic64_set(&fake_clock, real->r.table.epoch + m->now);
}

static void real_sweep(struct roster_model *m)
{
	while (weir_table_step(&real->r.table))
		;
	real_tell(m);
}

static u64 real_members(struct roster_model *m)
{
	return weir_table_keys(&real->r.table);
}

static const struct roster_real whole_roster = {
	.op = real_op,
	.die = real_die,
	.go = real_go,
	.sweep = real_sweep,
	.members = real_members,
};

/* ------------------------------------------------------------ the tests */

static void real_free(void)
{
	if (!real)
		return;
	if (real->r.table.buckets)
		weir_table_destroy(&real->r.table);
	free_percpu(real->r.totals);
	rcu_barrier();
	kfree(real);
	real = NULL;
}

static void real_new(struct kunit *test, u64 max, u64 ttl)
{
	u32 i;

	real = kzalloc(sizeof(*real), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, real);
	fake_events.told = real_told;
	real->r.ttl = ttl;
	real->r.obj.ops = &real_kind_ops;
	weir_object_init(&real->r.obj);
	weir_key_spec_init(&real->r.spec, WEIR_KEY_U64, 0, 0);
	for (i = 0; i < ARRAY_SIZE(real->clients); i++) {
		spin_lock_init(&real->clients[i].lock);
		real->clients[i].grants = RB_ROOT;
	}
	real->r.totals = alloc_percpu(struct weir_roster_totals);
	KUNIT_ASSERT_NOT_NULL(test, real->r.totals);
	KUNIT_ASSERT_EQ(test, 0, weir_table_init(&real->r.table, max, &real_table_ops));
}

/* The totals equal those of the model. */
static void check_totals(struct roster_model *m)
{
	struct weir_roster_totals sum = {}, *t;
	struct kunit *test = m->test;
	int cpu;

	for_each_possible_cpu(cpu) {
		t = per_cpu_ptr(real->r.totals, cpu);
		sum.claimed += t->claimed;
		sum.refused += t->refused;
		sum.replaced += t->replaced;
		sum.removed += t->removed;
		sum.lost += t->lost;
		sum.expired += t->expired;
		sum.full += t->full;
	}
	KUNIT_ASSERT_EQ(test, m->totals.claimed, sum.claimed);
	KUNIT_ASSERT_EQ(test, m->totals.refused, sum.refused);
	KUNIT_ASSERT_EQ(test, m->totals.replaced, sum.replaced);
	KUNIT_ASSERT_EQ(test, m->totals.removed, sum.removed);
	KUNIT_ASSERT_EQ(test, m->totals.lost, sum.lost);
	KUNIT_ASSERT_EQ(test, m->totals.expired, sum.expired);
	KUNIT_ASSERT_EQ(test, m->totals.full, sum.full);
}

static void roster_whole_agrees_with_model(struct kunit *test)
{
	struct roster_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct prng p = prng_seed(test, 0x5eed0902);
	struct roster_model_totals sum = {};
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < 30; i++) {
		roster_model_init(m, test, &whole_roster, NULL);
		m->max = prng_between(&p, 1, ROSTER_KEYS);
		m->ttl = prng_chance(&p, 1, 3) ? WEIR_NEVER : prng_between(&p, 1, 60);
		real_new(test, m->max, m->ttl);
		roster_model_series(&p, m, &sum);
		check_totals(m);
		/* only the test has a reference to the header now */
		KUNIT_ASSERT_EQ(test, 1U, kref_read(&real->r.obj.ref));
		real_free();
		KUNIT_ASSERT_EQ(test, 0, atomic_read(&fake_live));
	}
	roster_model_check_sum(test, &sum, i);
}

static void roster_exit(struct kunit *test)
{
	real_free();
}

static struct kunit_case roster_cases[] = {
	KUNIT_CASE(roster_whole_agrees_with_model),
	{}
};

static struct kunit_suite weir_roster_suite = {
	.name = "weir_roster",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = fixture_init,
	.exit = roster_exit,
	.test_cases = roster_cases,
};

kunit_test_suite(weir_roster_suite);
