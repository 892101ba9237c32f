// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of a gate (src/lib/gate_queue.h), compared with its model after each step: in long
 * random series, and for all orders of a few events.
 */

#include <kunit/test.h>

#include "gate_model.h"

#define STEPS	200

#ifdef __KERNEL__
#define DEPTH	4
#else
#define DEPTH	6
#endif

/* A random waiter, one that was kicked if @kicked. Return: NULL if there is none. */
static struct gate_model_call *draw_waiter(struct prng *p, struct gate_model *m,
					   bool kicked)
{
	struct gate_model_call *chosen = NULL;
	u32 i, n = 0;

	for (i = 0; i < m->ncalls; i++)
		if (m->calls[i].fate == GATE_WAITS && (!kicked || m->calls[i].kicked) &&
		    !prng_below(p, ++n))
			chosen = &m->calls[i];
	return chosen;
}

/* Few permits, many, all, or one more than there are. */
static u32 draw_weight(struct prng *p, const struct gate_model *m)
{
	switch (prng_below(p, 8)) {
	case 0:
		return m->permits;
	case 1:
		return m->permits + 1;
	case 2:
	case 3:
		return 1;
	default:
		return prng_between(p, 1, m->permits);
	}
}

static void give_back(struct prng *p, struct gate_model *m, u32 holder)
{
	u32 held = m->held[holder];

	/* the only thread of a holder makes no request while it waits */
	if (!held || (gate_model_is_alone(holder) && gate_model_holder_waits(m, holder)))
		return;
	gate_model_back(m, holder, prng_chance(p, 1, 2) ? held : prng_between(p, 1, held));
}

static void look(struct prng *p, struct gate_model *m, bool kicked, u32 why)
{
	struct gate_model_call *call = draw_waiter(p, m, kicked);

	if (call)
		gate_model_look(m, call, why);
}

static void step(struct prng *p, struct gate_model *m, u32 hi)
{
	u32 what = prng_below(p, 100), holder = prng_below(p, GATE_HOLDERS);

	if (what < 35)
		gate_model_ask(m, holder, draw_weight(p, m), true);
	else if (what < 45)
		gate_model_ask(m, holder, draw_weight(p, m), false);
	else if (what < 70)
		give_back(p, m, holder);
	else if (what < 80)
		look(p, m, true, GATE_WAITS);
	else if (what < 84)
		look(p, m, false, GATE_WAITS);	/* woken without a reason */
	else if (what < 90)
		look(p, m, false, GATE_REFUSED);
	else if (what < 93)
		look(p, m, false, GATE_GONE);
	else if (what < 96)
		gate_model_die(m, holder);
	else
		gate_model_resize(m, prng_magnitude(p, hi));
}

/* How often each event happened in a series. */
struct tally {
	u32 fates[GATE_GONE + 1];
	u32 queued;
};

static void count(const struct gate_model *m, struct tally *tally)
{
	u32 i;

	for (i = 0; i < m->ncalls; i++) {
		tally->fates[m->calls[i].fate]++;
		tally->queued += m->calls[i].turn.n != 0;
	}
}

/* All holders go. The gate must equal a fresh one, and each waiter has exactly one answer. */
static void end(struct prng *p, struct gate_model *m)
{
	u32 first = prng_below(p, GATE_HOLDERS), i;

	for (i = 0; i < GATE_HOLDERS; i++)
		gate_model_die(m, (first + i) % GATE_HOLDERS);
	KUNIT_ASSERT_EQ(m->test, 0U, gate_model_waiting(m));
	KUNIT_ASSERT_EQ(m->test, 0U, m->real.in_use);
	KUNIT_ASSERT_EQ(m->test, 0U, m->real.nwaiters);
	KUNIT_ASSERT_TRUE(m->test, weir_gate_queue_is_idle(&m->real));
	for (i = 0; i < m->ncalls; i++)
		KUNIT_ASSERT_FALSE(m->test, m->calls[i].queued);
}

static void series(struct kunit *test, u64 seed, u32 hi)
{
	struct gate_model *m = gate_model_alloc(test);
	struct prng p = prng_seed(test, seed);
	struct tally tally = {};
	u32 i, j;

	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		gate_model_init(m, prng_between(&p, 1, hi),
				prng_chance(&p, 1, 3) ? prng_between(&p, 1, 6) : 0);
		for (j = 0; j < STEPS; j++)
			step(&p, m, hi);
		end(&p, m);
		count(m, &tally);
	}
	/* each outcome must be frequent, and most grants must come after a wait */
	for (j = GATE_GRANTED; j <= GATE_GONE; j++)
		KUNIT_EXPECT_GT(test, tally.fates[j], i);
	KUNIT_EXPECT_GT(test, tally.queued, i * 10);
}

static void gate_agrees_with_model(struct kunit *test)
{
	series(test, 0x5eed0801, 7);
}

static void gate_agrees_at_the_most(struct kunit *test)
{
	series(test, 0x5eed0802, WEIR_PERMITS_MAX);
}

/* ------------------------------------------------------------ every order */

enum event {
	ASK_ONE,
	ASK_TWO,
	ASK_ALL,
	ASK_AGAIN,	/* a request that could be granted, by a holder with one thread */
	TRY_ONE,
	BACK_ONE,
	DIE,
	FIRST_LEAVES,
	LAST_LEAVES,
	SHRINK,
	GROW,
	LAST_LOOKS,
	EVENTS,
};

static struct gate_model_call *last_waiter(struct gate_model *m)
{
	u32 i;

	for (i = m->ncalls; i-- > 0;)
		if (m->calls[i].fate == GATE_WAITS)
			return &m->calls[i];
	return NULL;
}

static void leave(struct gate_model *m, struct gate_model_call *call, u32 why)
{
	if (call)
		gate_model_look(m, call, why);
}

static void happen(struct gate_model *m, u32 event)
{
	switch (event) {
	case ASK_ONE:
		gate_model_ask(m, 0, 1, true);
		break;
	case ASK_TWO:
		gate_model_ask(m, 2, 2, true);
		break;
	case ASK_ALL:
		gate_model_ask(m, 4, 3, true);
		break;
	case ASK_AGAIN:
		gate_model_ask(m, 1, 2, true);
		break;
	case TRY_ONE:
		gate_model_ask(m, 0, 1, false);
		break;
	case BACK_ONE:
		if (m->held[0])
			gate_model_back(m, 0, 1);
		break;
	case DIE:
		gate_model_die(m, 2);
		break;
	case FIRST_LEAVES:
		leave(m, gate_model_first(m), GATE_REFUSED);
		break;
	case LAST_LEAVES:
		leave(m, last_waiter(m), GATE_REFUSED);
		break;
	case SHRINK:
		gate_model_resize(m, 1);
		break;
	case GROW:
		gate_model_resize(m, 4);
		break;
	case LAST_LOOKS:
		leave(m, last_waiter(m), GATE_WAITS);
		break;
	}
}

/* A gate of three permits, one of which is held. */
static void gate_every_order(struct kunit *test)
{
	struct gate_model *m = gate_model_alloc(test);
	u32 n, left, i, orders = 1;

	for (i = 0; i < DEPTH; i++)
		orders *= EVENTS;
	for (n = 0; n < orders; n++) {
		gate_model_init(m, 3, 0);
		gate_model_ask(m, 0, 1, true);
		for (i = 0, left = n; i < DEPTH; i++, left /= EVENTS)
			happen(m, left % EVENTS);
	}
}

/* ------------------------------------------------------------ by hand */

static void gate_big_is_not_starved(struct kunit *test)
{
	struct gate_model *m = gate_model_alloc(test);
	u32 i;

	gate_model_init(m, 4, 0);
	gate_model_ask(m, 0, 2, true);
	gate_model_ask(m, 2, 4, true);
	KUNIT_ASSERT_EQ(test, (u32)GATE_WAITS, m->calls[1].fate);
	/* two permits are free, and none of these calls gets one */
	for (i = 2; i < 8; i++) {
		gate_model_ask(m, 4, 1, i & 1);
		KUNIT_EXPECT_EQ(test, i & 1 ? (u32)GATE_WAITS : (u32)GATE_REFUSED,
				m->calls[i].fate);
	}
	KUNIT_EXPECT_EQ(test, 4U, m->real.nwaiters);
	KUNIT_EXPECT_EQ(test, 2U, m->real.in_use);
	gate_model_back(m, 0, 1);
	KUNIT_EXPECT_EQ(test, 4U, m->real.nwaiters);
	gate_model_back(m, 0, 1);
	KUNIT_EXPECT_EQ(test, (u32)GATE_GRANTED, m->calls[1].fate);
	KUNIT_EXPECT_EQ(test, 3U, m->real.nwaiters);
	KUNIT_EXPECT_EQ(test, 4U, m->real.in_use);
	/* the release grants to all three small calls at once */
	gate_model_back(m, 2, 4);
	KUNIT_EXPECT_EQ(test, 0U, m->real.nwaiters);
	KUNIT_EXPECT_EQ(test, 3U, m->real.in_use);
}

/* The sum of permits in use and permits requested may exceed 32 bits. It is not truncated. */
static void gate_sums_do_not_wrap(struct kunit *test)
{
	struct weir_gate_queue q = { .in_use = U32_MAX - 1 };

	weir_gate_queue_init(&q);
	KUNIT_EXPECT_FALSE(test, weir_gate_queue_fits(&q, U32_MAX - 1, 1));
	KUNIT_EXPECT_TRUE(test, weir_gate_queue_fits(&q, U32_MAX, 1));
	KUNIT_EXPECT_FALSE(test, weir_gate_queue_fits(&q, U32_MAX, 2));
	KUNIT_EXPECT_FALSE(test, weir_gate_queue_fits(&q, U32_MAX, U32_MAX));
	KUNIT_EXPECT_FALSE(test, weir_gate_queue_fits(&q, 1, U32_MAX));
	KUNIT_EXPECT_EQ(test, 0U, weir_gate_queue_free(&q, 1));
	KUNIT_EXPECT_EQ(test, 1U, weir_gate_queue_free(&q, U32_MAX));
}

static struct kunit_case gate_model_cases[] = {
	KUNIT_CASE(gate_agrees_with_model),
	KUNIT_CASE(gate_agrees_at_the_most),
	KUNIT_CASE(gate_every_order),
	KUNIT_CASE(gate_big_is_not_starved),
	KUNIT_CASE(gate_sums_do_not_wrap),
	{}
};

static struct kunit_suite weir_gate_model_suite = {
	.name = "weir_gate_model",
	.test_cases = gate_model_cases,
};

kunit_test_suite(weir_gate_model_suite);
