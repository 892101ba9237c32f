// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules for leases (src/lib/lease_state.h), compared with the model of a roster after each
 * step. An array of places is used in place of a table; roster_kunit.c tests with a table.
 */

#include <kunit/test.h>

#include "lib/lease_state.h"
#include "kunit/roster_model.h"

/**
 * struct place - stands for the entry of a key
 * @taken: the key has a lease, which may have expired
 * @state: state of the lease
 * @value: value of the lease
 * @held: for each holder, whether it has the lease; the address stands for the grant
 */
struct place {
	bool taken;
	struct weir_lease_state state;
	struct roster_value value;
	u8 held[ROSTER_HOLDERS];
};

struct row {
	atomic64_t versions;
	struct place places[ROSTER_KEYS];
};

/* Two clients with two tags each. */
static const char clients[2];

static const void *client_of(u32 holder)
{
	return &clients[holder / 2];
}

static u32 tag_of(u32 holder)
{
	return holder % 2;
}

static u64 row_members(struct roster_model *m)
{
	struct row *row = m->priv;
	u32 i, n = 0;

	for (i = 0; i < ROSTER_KEYS; i++)
		n += row->places[i].taken;
	return n;
}

static void answer(struct roster_model *m, u32 holder, struct weir_op *op,
		   const struct place *p)
{
	op->version = p->state.version;
	op->length = p->value.length;
	op->left = weir_lease_left(weir_lease_expires(&p->state), m->now);
	if (!p->state.client)
		op->out_flags |= WEIR_OUT_DETACHED;
	else if (weir_lease_is_of(&p->state, client_of(holder), tag_of(holder)))
		op->out_flags |= WEIR_OUT_MINE;
}

/* Like weir_lease_end(). */
static void end(struct place *p)
{
	if (p->state.grant)
		*(u8 *)p->state.grant = 0;
	p->taken = false;
}

static void lost(struct roster_model *m, struct place *p)
{
	roster_model_told(m, p->state.version, weir_lease_lasts(&p->state, m->now) ?
			  WEIR_LOST_HOLDER : WEIR_LOST_EXPIRED);
	end(p);
}

static void row_sweep(struct roster_model *m)
{
	struct row *row = m->priv;
	u32 i;

	for (i = 0; i < ROSTER_KEYS; i++)
		if (row->places[i].taken && row->places[i].state.expires <= m->now)
			lost(m, &row->places[i]);
}

/* Whether there is room for a new key, maybe by dropping an expired lease. */
static bool has_room(struct roster_model *m)
{
	if (row_members(m) == m->max)
		row_sweep(m);
	return row_members(m) < m->max;
}

/* Like weir_claim_make(). */
static void make(struct roster_model *m, u32 holder, struct weir_op *op, struct place *p,
		 const struct roster_value *value)
{
	struct row *row = m->priv;
	struct weir_lease_state new = {};

	if (p->taken && weir_lease_lasts(&p->state, m->now))
		end(p);
	else if (p->taken)
		lost(m, p);
	if (!(op->flags & WEIR_OP_DETACHED)) {
		p->held[holder] = 1;
		new.grant = (void *)&p->held[holder];
		new.client = client_of(holder);
		new.tag = tag_of(holder);
	}
	weir_lease_begin(&new, &row->versions, weir_lease_until(op->arg, m->ttl, m->now));
	p->state = new;
	p->value = *value;
	p->taken = true;
}

static void replace(struct roster_model *m, struct place *p,
		    const struct roster_value *value)
{
	struct row *row = m->priv;
	struct weir_lease_state new;

	weir_lease_succeed(&new, &row->versions, &p->state);
	p->state = new;
	p->value = *value;
}

static int row_op(struct roster_model *m, u32 holder, u32 key, struct weir_op *op,
		  struct roster_value *value)
{
	struct place *p = &((struct row *)m->priv)->places[key];
	bool lasts = p->taken && weir_lease_lasts(&p->state, m->now);
	int err = lasts ? 0 : -ENOENT;
	u64 until;

	if (op->opcode != WEIR_OP_LEASE_GET)
		err = weir_lease_admit(lasts ? &p->state : NULL, op->opcode, op->n,
				       client_of(holder), tag_of(holder));
	if (!err && !p->taken && !has_room(m))
		return -ENOSPC;
	if (err && !lasts)
		return err;
	if (err || op->opcode == WEIR_OP_REMOVE)
		answer(m, holder, op, p);
	if (err)
		return err;
	switch (op->opcode) {
	case WEIR_OP_LEASE_GET:
		*value = p->value;
		break;
	case WEIR_OP_REPLACE:
		replace(m, p, value);
		break;
	case WEIR_OP_TOUCH:
		until = p->state.expires;
		KUNIT_ASSERT_EQ(m->test, weir_lease_until(op->arg, m->ttl, m->now) < until,
				weir_lease_touch(&p->state, weir_lease_until(op->arg, m->ttl,
									     m->now)));
		break;
	case WEIR_OP_REMOVE:
		end(p);
		return 0;
	default:
		make(m, holder, op, p, value);
	}
	answer(m, holder, op, p);
	return 0;
}

/* Like weir_roster_give_back(), for each grant. */
static void row_die(struct roster_model *m, u32 holder)
{
	struct row *row = m->priv;
	struct place *p;

	for (p = row->places; p < row->places + ROSTER_KEYS; p++) {
		if (!p->held[holder])
			continue;
		KUNIT_ASSERT_TRUE(m->test, p->taken);
		KUNIT_ASSERT_TRUE(m->test, p->state.grant == (void *)&p->held[holder]);
		lost(m, p);
	}
}

static void row_go(struct roster_model *m)
{
}

static const struct roster_real row_real = {
	.op = row_op,
	.die = row_die,
	.go = row_go,
	.sweep = row_sweep,
	.members = row_members,
};

static struct roster_model *model_new(struct kunit *test, struct row **row)
{
	struct roster_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	*row = kunit_kzalloc(test, sizeof(**row), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_NOT_NULL(test, *row);
	return m;
}

static void roster_agrees_with_model(struct kunit *test)
{
	struct roster_model_totals sum = {};
	struct prng p = prng_seed(test, 0x5eed0901);
	struct row *row;
	struct roster_model *m = model_new(test, &row);
	u32 i;

	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		memset(row, 0, sizeof(*row));
		roster_model_init(m, test, &row_real, row);
		m->max = prng_between(&p, 1, ROSTER_KEYS);
		m->ttl = prng_chance(&p, 1, 3) ? WEIR_NEVER : prng_between(&p, 1, 60);
		m->now = prng_magnitude(&p, 30 * WEIR_NSEC_PER_YEAR);
		roster_model_series(&p, m, &sum);
	}
	roster_model_check_sum(test, &sum, i);
}

/* A version from before a key was removed has no effect on later leases. */
static void roster_versions_outlive_keys(struct kunit *test)
{
	static const u16 opcodes[] = { WEIR_OP_REPLACE, WEIR_OP_TOUCH, WEIR_OP_REMOVE };
	struct weir_op claim = { .opcode = WEIR_OP_CLAIM }, op;
	struct roster_value value = { .length = 1, .bytes = { 1 } };
	struct row *row;
	struct roster_model *m = model_new(test, &row);
	u64 old;
	u32 i;

	roster_model_init(m, test, &row_real, row);
	m->max = ROSTER_KEYS;
	m->ttl = 100;
	m->now = 1000;
	for (i = 0; i < 3; i++) {
		claim = (struct weir_op){ .opcode = WEIR_OP_CLAIM };
		roster_model_op(m, 0, 0, &claim, &value);
		old = claim.version;
		/* given up, expired, or lost because its holder is gone */
		op = (struct weir_op){ .opcode = WEIR_OP_REMOVE };
		if (i == 0)
			roster_model_op(m, 0, 0, &op, &value);
		else if (i == 1)
			roster_model_go(m, m->now + 100);
		else
			roster_model_die(m, 0);
		roster_model_compare(m, 0);
		claim = (struct weir_op){ .opcode = WEIR_OP_CLAIM };
		roster_model_op(m, 0, 0, &claim, &value);
		KUNIT_EXPECT_GT(test, (u64)claim.version, old);
		op = (struct weir_op){ .opcode = opcodes[i], .n = old };
		KUNIT_EXPECT_EQ(test, -ESTALE, row_op(m, 0, 0, &op, &value));
		roster_model_compare(m, 0);
		op = (struct weir_op){ .opcode = WEIR_OP_REMOVE, .n = claim.version };
		roster_model_op(m, 1, 0, &op, &value);
	}
	roster_model_finish(m);
}

static struct kunit_case roster_model_cases[] = {
	KUNIT_CASE(roster_agrees_with_model),
	KUNIT_CASE(roster_versions_outlive_keys),
	{}
};

static struct kunit_suite weir_roster_model_suite = {
	.name = "weir_roster_model",
	.test_cases = roster_model_cases,
};

kunit_test_suite(weir_roster_model_suite);
