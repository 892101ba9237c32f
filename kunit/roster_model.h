/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of a roster as its header describes it, without regard to cost. Each key has a lease or
 * none, and a lease ends in the ns in which it expires. A list has all versions that have ended.
 * Each step is made on the model and on a real roster, and all results must be equal. There are two
 * real rosters: the algorithm alone, in user space too (roster_model_kunit.c), and the whole roster
 * (roster_kunit.c).
 */
#ifndef _WEIR_KUNIT_ROSTER_MODEL_H
#define _WEIR_KUNIT_ROSTER_MODEL_H

#include "lib/pure.h"
#include "prng.h"

#define ROSTER_KEYS	6
#define ROSTER_HOLDERS	4
#define ROSTER_NOBODY	ROSTER_HOLDERS
#define ROSTER_BYTES	8
#define ROSTER_ENDS	256
#define ROSTER_STEPS	200

struct roster_model;

struct roster_value {
	u32 length;
	u8 bytes[ROSTER_BYTES];
};

/**
 * struct roster_real - the code under test
 * @op: perform an operation of @holder on @key; @value is an input, for GET an output. 0 or
 *	an error.
 * @die: all leases of a holder end, unless they are detached
 * @go: advance the clock to @m->now
 * @sweep: drop expired leases
 * @members: number of leases, including expired ones that nothing has noticed yet
 */
struct roster_real {
	int (*op)(struct roster_model *m, u32 holder, u32 key, struct weir_op *op,
		  struct roster_value *value);
	void (*die)(struct roster_model *m, u32 holder);
	void (*go)(struct roster_model *m);
	void (*sweep)(struct roster_model *m);
	u64 (*members)(struct roster_model *m);
};

/**
 * struct roster_model_lease - the lease of one key
 * @there: the lease exists
 * @version: version that the real roster returned
 * @end: time at which it expires, or WEIR_NEVER
 * @owner: its holder, or ROSTER_NOBODY
 * @value: its value
 */
struct roster_model_lease {
	bool there;
	u64 version;
	u64 end;
	u32 owner;
	struct roster_value value;
};

/* A lost lease, the reason, and whether the real roster has reported it. */
struct roster_model_end {
	u64 version;
	u32 why;	/* enum weir_lost */
	bool told;
};

struct roster_model_totals {
	u64 claimed;
	u64 refused;
	u64 replaced;
	u64 removed;
	u64 lost;
	u64 expired;
	u64 full;
};

/**
 * struct roster_model - a roster
 * @test: the test
 * @real: the code under test
 * @priv: private data of @real
 * @max: maximum number of leases
 * @ttl: TTL of the roster in ns, or WEIR_NEVER
 * @now: current time, ns
 * @last: greatest version returned so far
 * @leases: the leases, by key
 * @totals: like &struct weir_roster_stats
 * @ends: leases that were lost
 * @nends: number of leases in @ends
 */
struct roster_model {
	struct kunit *test;
	const struct roster_real *real;
	void *priv;
	u32 max;
	u64 ttl;
	u64 now;
	u64 last;
	struct roster_model_lease leases[ROSTER_KEYS];
	struct roster_model_totals totals;
	struct roster_model_end ends[ROSTER_ENDS];
	u32 nends;
};

/* ------------------------------------------------------------ the model's answers */

static inline u32 roster_model_members(const struct roster_model *m)
{
	u32 i, n = 0;

	for (i = 0; i < ROSTER_KEYS; i++)
		n += m->leases[i].there;
	return n;
}

static inline void roster_model_lose(struct roster_model *m,
				     struct roster_model_lease *l, u32 why)
{
	KUNIT_ASSERT_LT(m->test, m->nends, (u32)ROSTER_ENDS);
	m->ends[m->nends++] = (struct roster_model_end){ .version = l->version, .why = why };
	m->totals.lost++;
	m->totals.expired += why == WEIR_LOST_EXPIRED;
	l->there = false;
}

/* Record an event LEASE_LOST. The lease must have ended for that reason, unreported so far. */
static inline void roster_model_told(struct roster_model *m, u64 version, u32 why)
{
	u32 i;

	for (i = 0; i < m->nends && m->ends[i].version != version; i++)
		;
	KUNIT_ASSERT_LT_MSG(m->test, i, m->nends, "version %llu was not lost",
			    (unsigned long long)version);
	KUNIT_ASSERT_EQ(m->test, m->ends[i].why, why);
	KUNIT_ASSERT_FALSE(m->test, m->ends[i].told);
	m->ends[i].told = true;
}

static inline u64 roster_model_until(const struct roster_model *m, u64 arg)
{
	u64 ns = arg ? arg : m->ttl;

	return ns == WEIR_NEVER ? WEIR_NEVER : m->now + ns;
}

/* The expected result of an operation. */
static inline int roster_model_decide(const struct roster_model *m, u32 holder, u32 key,
				      const struct weir_op *op)
{
	const struct roster_model_lease *l = &m->leases[key];
	bool mine = l->owner == holder || l->owner == ROSTER_NOBODY;

	switch (op->opcode) {
	case WEIR_OP_CLAIM:
	case WEIR_OP_PUT:
		if (!l->there)
			return roster_model_members(m) < m->max ? 0 : -ENOSPC;
		return op->opcode == WEIR_OP_PUT && mine ? 0 : -EEXIST;
	case WEIR_OP_LEASE_GET:
		return l->there ? 0 : -ENOENT;
	default:
		if (!l->there)
			return -ENOENT;
		if (op->n)
			return (u64)op->n == l->version ? 0 : -ESTALE;
		return mine ? 0 : -EEXIST;
	}
}

/* Apply an operation that succeeded. @version: the version that the real roster returned. */
static inline void roster_model_do(struct roster_model *m, u32 holder, u32 key,
				   const struct weir_op *op,
				   const struct roster_value *value, u64 version)
{
	struct roster_model_lease *l = &m->leases[key];

	switch (op->opcode) {
	case WEIR_OP_CLAIM:
	case WEIR_OP_PUT:
		if (l->there)
			m->totals.replaced++;
		else
			m->totals.claimed++;
		*l = (struct roster_model_lease){
			.there = true, .version = version, .value = *value,
			.end = roster_model_until(m, op->arg),
			.owner = op->flags & WEIR_OP_DETACHED ? ROSTER_NOBODY : holder,
		};
		break;
	case WEIR_OP_REPLACE:
		m->totals.replaced++;
		l->version = version;
		l->value = *value;
		break;
	case WEIR_OP_TOUCH:
		l->end = roster_model_until(m, op->arg);
		break;
	case WEIR_OP_REMOVE:
		m->totals.removed++;
		l->there = false;
		break;
	}
}

/* ------------------------------------------------------------ comparisons */

/* Compare the real roster's answer about a lease to @holder. */
static inline void roster_model_compare_lease(struct roster_model *m, u32 holder,
					      const struct roster_model_lease *l,
					      const struct weir_op *op)
{
	struct kunit *test = m->test;
	u32 flags = l->owner == ROSTER_NOBODY ? WEIR_OUT_DETACHED :
		    l->owner == holder ? WEIR_OUT_MINE : 0;

	KUNIT_ASSERT_EQ(test, l->version, (u64)op->version);
	KUNIT_ASSERT_EQ(test, l->end == WEIR_NEVER ? WEIR_NEVER : l->end - m->now,
			(u64)op->left);
	KUNIT_ASSERT_EQ(test, l->value.length, (u32)op->length);
	KUNIT_ASSERT_EQ(test, flags, (u32)op->out_flags);
}

/* Compare the lease of each key, as a caller sees it, and the number of leases. */
static inline void roster_model_compare(struct roster_model *m, u32 holder)
{
	struct kunit *test = m->test;
	struct roster_value value;
	struct weir_op op;
	u32 key;
	int err;

	for (key = 0; key < ROSTER_KEYS; key++) {
		op = (struct weir_op){ .opcode = WEIR_OP_LEASE_GET };
		memset(&value, 0, sizeof(value));
		err = m->real->op(m, holder, key, &op, &value);
		KUNIT_ASSERT_EQ(test, m->leases[key].there ? 0 : -ENOENT, err);
		if (err)
			continue;
		roster_model_compare_lease(m, holder, &m->leases[key], &op);
		KUNIT_ASSERT_EQ(test, 0, memcmp(m->leases[key].value.bytes, value.bytes,
						ROSTER_BYTES));
	}
	KUNIT_ASSERT_GE(test, m->real->members(m), (u64)roster_model_members(m));
	KUNIT_ASSERT_LE(test, m->real->members(m), (u64)m->max);
}

static inline void roster_model_op(struct roster_model *m, u32 holder, u32 key,
				   struct weir_op *op, const struct roster_value *value)
{
	int wanted = roster_model_decide(m, holder, key, op), err;
	struct roster_value copy = *value;
	struct roster_model_lease before;
	struct kunit *test = m->test;

	err = m->real->op(m, holder, key, op, &copy);
	KUNIT_ASSERT_EQ_MSG(test, wanted, err, "opcode %x of holder %u, key %u",
			    (u32)op->opcode, holder, key);
	m->totals.full += err == -ENOSPC;
	m->totals.refused += err == -EEXIST && (op->opcode == WEIR_OP_CLAIM ||
						op->opcode == WEIR_OP_PUT);
	before = m->leases[key];
	if (!err)
		roster_model_do(m, holder, key, op, value, op->version);
	/* only a new value has a new version, and that version was never used before */
	if (!err && op->opcode != WEIR_OP_TOUCH && op->opcode != WEIR_OP_REMOVE) {
		KUNIT_ASSERT_GT(test, (u64)op->version, m->last);
		m->last = op->version;
	}
	if (op->opcode == WEIR_OP_REMOVE && !err)
		roster_model_compare_lease(m, holder, &before, op);
	else if (!err || err == -EEXIST || err == -ESTALE)
		roster_model_compare_lease(m, holder, &m->leases[key], op);
}

/* Advance the time to @now. */
static inline void roster_model_go(struct roster_model *m, u64 now)
{
	u32 i;

	m->now = now;
	for (i = 0; i < ROSTER_KEYS; i++)
		if (m->leases[i].there && m->leases[i].end <= now)
			roster_model_lose(m, &m->leases[i], WEIR_LOST_EXPIRED);
	m->real->go(m);
}

static inline void roster_model_die(struct roster_model *m, u32 holder)
{
	u32 i;

	for (i = 0; i < ROSTER_KEYS; i++)
		if (m->leases[i].there && m->leases[i].owner == holder)
			roster_model_lose(m, &m->leases[i], WEIR_LOST_HOLDER);
	m->real->die(m, holder);
}

/* After a sweep the real roster has no expired leases. */
static inline void roster_model_sweep(struct roster_model *m)
{
	u32 i;

	m->real->sweep(m);
	KUNIT_ASSERT_EQ(m->test, (u64)roster_model_members(m), m->real->members(m));
	for (i = 0; i < m->nends; i++)
		KUNIT_ASSERT_TRUE(m->test, m->ends[i].told);
}

static inline void roster_model_init(struct roster_model *m, struct kunit *test,
				     const struct roster_real *real, void *priv)
{
	memset(m, 0, sizeof(*m));
	m->test = test;
	m->real = real;
	m->priv = priv;
}

/* ------------------------------------------------------------ random series */

static inline u64 roster_draw_ttl(struct prng *p)
{
	switch (prng_below(p, 4)) {
	case 0:
		return 0;
	case 1:
		return WEIR_NEVER;
	default:
		return prng_between(p, 1, 60);
	}
}

/* A short time, the next ns that matters, a ns next to it, or a long time. */
static inline u64 roster_draw_time(struct prng *p, const struct roster_model *m)
{
	const struct roster_model_lease *l = &m->leases[prng_below(p, ROSTER_KEYS)];
	u64 t = l->end + prng_below(p, 3) - 1;

	switch (prng_below(p, 4)) {
	case 0:
		return m->now + prng_below(p, 10);
	case 1:
		return m->now + prng_below(p, 300);
	default:
		return l->there && l->end != WEIR_NEVER && t > m->now ? t : m->now + 1;
	}
}

/* No version, the present one, an earlier one of this or another key, or one that never existed. */
static inline u64 roster_draw_version(struct prng *p, const struct roster_model *m, u32 key)
{
	switch (prng_below(p, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return m->last ? prng_between(p, 1, m->last) : 1;
	case 3:
		return m->leases[key].version > 1 ? m->leases[key].version - 1 : 1;
	case 4:
		return m->last + 1;
	default:
		return m->leases[key].version;
	}
}

static inline void roster_draw_value(struct prng *p, struct roster_value *value)
{
	u32 i;

	memset(value, 0, sizeof(*value));
	value->length = prng_below(p, ROSTER_BYTES + 1);
	for (i = 0; i < value->length; i++)
		value->bytes[i] = prng_next(p);
}

static inline void roster_draw_op(struct prng *p, struct roster_model *m, u32 opcode)
{
	u32 holder = prng_below(p, ROSTER_HOLDERS), key = prng_below(p, ROSTER_KEYS);
	struct weir_op op = { .opcode = opcode };
	struct roster_value value = {};

	if (opcode == WEIR_OP_CLAIM || opcode == WEIR_OP_PUT) {
		op.flags = prng_chance(p, 1, 3) ? WEIR_OP_DETACHED : 0;
	} else {
		op.n = roster_draw_version(p, m, key);
		/* ops.c refuses it without a version */
		if (opcode == WEIR_OP_REPLACE && !op.n)
			op.n = 1;
	}
	if (opcode != WEIR_OP_REMOVE && opcode != WEIR_OP_REPLACE)
		op.arg = roster_draw_ttl(p);
	if (opcode != WEIR_OP_REMOVE && opcode != WEIR_OP_TOUCH)
		roster_draw_value(p, &value);
	roster_model_op(m, holder, key, &op, &value);
}

static inline void roster_model_step(struct prng *p, struct roster_model *m)
{
	u32 what = prng_below(p, 100);

	if (what < 28)
		roster_draw_op(p, m, WEIR_OP_CLAIM);
	else if (what < 42)
		roster_draw_op(p, m, WEIR_OP_PUT);
	else if (what < 60)
		roster_draw_op(p, m, WEIR_OP_REPLACE);
	else if (what < 70)
		roster_draw_op(p, m, WEIR_OP_TOUCH);
	else if (what < 80)
		roster_draw_op(p, m, WEIR_OP_REMOVE);
	else if (what < 84)
		roster_model_die(m, prng_below(p, ROSTER_HOLDERS));
	else if (what < 97)
		roster_model_go(m, roster_draw_time(p, m));
	else
		roster_model_sweep(m);
	roster_model_compare(m, prng_below(p, ROSTER_HOLDERS));
}

/* When all holders are gone and detached leases are removed, nothing is left. */
static inline void roster_model_finish(struct roster_model *m)
{
	struct roster_value value = {};
	struct weir_op op;
	u32 i;

	for (i = 0; i < ROSTER_HOLDERS; i++)
		roster_model_die(m, i);
	for (i = 0; i < ROSTER_KEYS; i++) {
		op = (struct weir_op){ .opcode = WEIR_OP_REMOVE };
		roster_model_op(m, 0, i, &op, &value);
	}
	roster_model_compare(m, 0);
	roster_model_sweep(m);
	KUNIT_ASSERT_EQ(m->test, 0ULL, m->real->members(m));
}

/* Run one series with a new roster. The totals are added to @sum. */
static inline void roster_model_series(struct prng *p, struct roster_model *m,
				       struct roster_model_totals *sum)
{
	u32 i;

	for (i = 0; i < ROSTER_STEPS; i++)
		roster_model_step(p, m);
	roster_model_finish(m);
	sum->claimed += m->totals.claimed;
	sum->refused += m->totals.refused;
	sum->replaced += m->totals.replaced;
	sum->removed += m->totals.removed;
	sum->lost += m->totals.lost;
	sum->expired += m->totals.expired;
	sum->full += m->totals.full;
}

/* Each event must have happened many times in @n series. */
static inline void roster_model_check_sum(struct kunit *test,
					  const struct roster_model_totals *sum, u64 n)
{
	KUNIT_EXPECT_GT(test, sum->claimed, 5 * n);
	KUNIT_EXPECT_GT(test, sum->refused, 5 * n);
	KUNIT_EXPECT_GT(test, sum->replaced, 5 * n);
	KUNIT_EXPECT_GT(test, sum->removed, n);
	KUNIT_EXPECT_GT(test, sum->lost, 3 * n);
	KUNIT_EXPECT_GT(test, sum->expired, n);
	KUNIT_EXPECT_GT(test, sum->lost - sum->expired, n);
	KUNIT_EXPECT_GT(test, sum->full, n);
}

#endif /* _WEIR_KUNIT_ROSTER_MODEL_H */
