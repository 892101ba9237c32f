// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial_test - the checker itself, on histories that are written by hand
 *
 * Answers are computed here from the definition of the bucket, not by the model.
 */
#include <stdio.h>
#include <string.h>

#include "search.h"

#define INTERVAL	100000ULL
#define BURST		10000
#define START		1000000000ULL	/* when histories begin */
#define FULL		(START + (BURST - 6) * INTERVAL)	/* six tokens are left then */

static struct serial_history h;

static void history_begin(void)
{
	memset(&h, 0, sizeof(h));
	weir_rate_prepare(&h.policy.rate, WEIR_ALGORITHM_BUCKET, 10000, 1000000000, BURST,
			  NULL, 0);
	h.policy.score = weir_score_prepare(1000000000);
	h.start = (struct serial_state){ .word = FULL * WEIR_GCRA_SCALE, .limit = BURST };
}

/* An operation from @begin to @end, ns after START. */
static struct weir_op *add(u32 opcode, u64 n, u64 begin, u64 end)
{
	struct serial_op *o = &h.ops[h.n++];

	*o = (struct serial_op){ .begin = START + begin, .end = START + end,
				 .op = { .opcode = opcode, .n = n, .limit = BURST } };
	return &o->op;
}

/* Fill in the answer given at @at if the bucket is full again at FULL + @owed * INTERVAL. */
static void told(struct weir_op *op, u64 at, u64 owed, u32 verdict, u64 retry_after)
{
	u64 debt = FULL + owed * INTERVAL - START - at;

	op->verdict = verdict;
	op->reset_after = debt;
	op->remaining = (BURST * INTERVAL - debt) / INTERVAL;
	op->retry_after = retry_after;
}

static void allowed(struct weir_op *op, u64 at, u64 owed)
{
	told(op, at, owed, WEIR_ALLOWED, 0);
}

static void banned(struct weir_op *op, u64 at, u64 owed, u64 until)
{
	told(op, at, owed, WEIR_BANNED, until - at);
	op->banned_for = until - at;
}

/* A BAN at @at. */
static void ban(u64 begin, u64 end, u64 at, u64 owed, u64 length)
{
	struct weir_op *op = add(WEIR_OP_BAN, 0, begin, end);

	op->arg = length;
	banned(op, at, owed, at + length);
	op->out_flags = WEIR_OUT_BANNED_NOW;
}

static enum serial_found one_after_the_other(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 200), 150, 1);
	allowed(add(WEIR_OP_PEEK, 1, 300, 400), 350, 1);
	allowed(add(WEIR_OP_REFUND, 1, 500, 600), 550, 0);
	allowed(add(WEIR_OP_CHECK, 2, 700, 800), 750, 2);
	return serial_search(&h);
}

static enum serial_found outside_its_duration(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 200), 250, 1);
	return serial_search(&h);
}

static enum serial_found lost_charge(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 200), 150, 1);
	allowed(add(WEIR_OP_PEEK, 1, 300, 400), 350, 0);
	return serial_search(&h);
}

/* Six tokens and two that want four each, at once. */
static enum serial_found both_allowed(void)
{
	allowed(add(WEIR_OP_CHECK, 4, 100, 400), 150, 4);
	allowed(add(WEIR_OP_CHECK, 4, 100, 400), 160, 4);
	return serial_search(&h);
}

static enum serial_found one_allowed(void)
{
	allowed(add(WEIR_OP_CHECK, 4, 100, 400), 160, 4);
	told(add(WEIR_OP_CHECK, 4, 100, 400), 200, 4, WEIR_LIMITED, 2 * INTERVAL - 200);
	return serial_search(&h);
}

static enum serial_found peek_before(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 400), 250, 1);
	allowed(add(WEIR_OP_PEEK, 1, 100, 400), 240, 0);
	return serial_search(&h);
}

/* It has a later time than the check, and does not know of it. */
static enum serial_found peek_after(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 400), 250, 1);
	allowed(add(WEIR_OP_PEEK, 1, 100, 400), 260, 0);
	return serial_search(&h);
}

static enum serial_found check_before_ban(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 900), 150, 1);
	ban(200, 300, 250, 1, 10000);
	return serial_search(&h);
}

/* No token before the ban; when there is one, the key is banned. */
static enum serial_found check_by_an_old_ban(void)
{
	allowed(add(WEIR_OP_CHECK, 6, 10, 20), 15, 6);
	allowed(add(WEIR_OP_CHECK, 1, 100, 300000), 200000, 7);
	ban(200, 300, 250, 6, 1000000);
	return serial_search(&h);
}

/* The same, and all numbers are those of a check before the ban. */
static enum serial_found ban_uncharged(void)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 900), 150, 1);
	ban(200, 300, 250, 0, 10000);
	return serial_search(&h);
}

static enum serial_found no_ban_to_lift(void)
{
	ban(100, 200, 150, 0, 10000);
	add(WEIR_OP_LIFT, 0, 300, 400)->result = -2;
	return serial_search(&h);
}

static enum serial_found ban_is_over(void)
{
	ban(100, 200, 150, 0, 10000);
	add(WEIR_OP_LIFT, 0, 300, 10400)->result = -2;
	return serial_search(&h);
}

/* A RESERVE of eight tokens that there are two intervals later. */
static struct weir_op *reservation(u64 at, u64 owed)
{
	struct weir_op *op = add(WEIR_OP_RESERVE, 8, 100, 400000);

	op->arg = START + 1000000;
	allowed(op, at, owed);
	return op;
}

static enum serial_found waits_its_turn(void)
{
	struct weir_op *op;

	reservation(200000, 8);
	op = add(WEIR_OP_CHECK, 1, 500, 600);
	told(op, 550, 0, WEIR_LIMITED, 3 * INTERVAL - 550);
	op->remaining = 0;
	op->out_flags = WEIR_OUT_QUEUED;
	return serial_search(&h);
}

/* The same, but another check is allowed while it waits. */
static enum serial_found overtaken(void)
{
	struct weir_op *op;

	reservation(300000, 9);
	op = add(WEIR_OP_CHECK, 1, 500, 600);
	told(op, 550, 0, WEIR_LIMITED, 3 * INTERVAL - 550);
	op->remaining = 0;
	op->out_flags = WEIR_OUT_QUEUED;
	allowed(add(WEIR_OP_CHECK, 1, 700, 800), 750, 1);
	return serial_search(&h);
}

static const struct {
	const char *name;
	enum serial_found (*run)(void);
	enum serial_found found;
} tests[] = {
	{ "one after the other", one_after_the_other, SERIAL_EXPLAINED },
	{ "a time outside its duration", outside_its_duration, SERIAL_UNEXPLAINED },
	{ "a lost charge", lost_charge, SERIAL_UNEXPLAINED },
	{ "both allowed, tokens for one", both_allowed, SERIAL_UNEXPLAINED },
	{ "one allowed, tokens for one", one_allowed, SERIAL_EXPLAINED },
	{ "a peek just before a check", peek_before, SERIAL_EXPLAINED },
	{ "a peek after a check it does not see", peek_after, SERIAL_UNEXPLAINED },
	{ "a check before a ban", check_before_ban, SERIAL_EXPLAINED },
	{ "a later clock with an older ban", check_by_an_old_ban, SERIAL_UNEXPLAINED },
	{ "a ban that does not see the check before it", ban_uncharged, SERIAL_UNEXPLAINED },
	{ "no ban to lift while there is one", no_ban_to_lift, SERIAL_UNEXPLAINED },
	{ "no ban to lift when it is over", ban_is_over, SERIAL_EXPLAINED },
	{ "a reservation in its turn", waits_its_turn, SERIAL_EXPLAINED },
	{ "a reservation that is overtaken", overtaken, SERIAL_UNEXPLAINED },
};

int main(void)
{
	unsigned int n = sizeof(tests) / sizeof(*tests), failed = 0;

	printf("1..%u\n", n);
	for (unsigned int i = 0; i < n; i++) {
		history_begin();
		bool ok = tests[i].run() == tests[i].found;

		if (!ok)
			serial_print(&h);
		printf("%s %u - serial order: %s\n", ok ? "ok" : "not ok", i + 1, tests[i].name);
		failed += !ok;
	}
	return failed != 0;
}
