// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial_test - tests of the checker, with histories written by hand
 *
 * Answers are computed here from the definition of the bucket, not by the model.
 */
#include <stdio.h>
#include <string.h>

#include "search.h"

#define INTERVAL	100000ULL
#define BURST		10000
#define START		1000000000ULL	/* time at which histories begin */
#define FULL		(START + (BURST - 6) * INTERVAL)	/* six tokens are left at START */

static struct serial_history h;

static void history_begin(void)
{
	struct serial_policy *p = h.config.limiters[0].policies;

	memset(&h, 0, sizeof(h));
	for (u32 i = 0; i < 2; i++) {
		weir_rate_prepare(&p[i].rate, WEIR_ALGORITHM_BUCKET, 1, INTERVAL,
				  BURST + 2 * i, NULL, 0);
		p[i].score = weir_score_prepare(1000000000);
	}
	for (u32 i = 0; i < KEYS_MAX; i++)
		h.start.keys[i].word = FULL * WEIR_GCRA_SCALE;
}

/* An operation from @begin to @end, in ns after START. */
static struct weir_op *add(u32 opcode, u64 n, u64 begin, u64 end)
{
	struct serial_op *o = &h.ops[h.n++];

	*o = (struct serial_op){ .begin = START + begin, .end = START + end, .nitems = 1,
				 .after = -1 };
	o->items[0] = (struct weir_op){ .opcode = opcode, .n = n };
	o->items[0].limit = BURST;
	return &o->items[0];
}

/* An operation on key @key. */
static struct weir_op *add_to(u32 key, u32 opcode, u64 n, u64 begin, u64 end)
{
	struct weir_op *op = add(opcode, n, begin, end);

	h.ops[h.n - 1].keys[0] = key;
	return op;
}

/* CHECKs of the first two keys, all or none. Return: the two ops. */
static struct weir_op *add_both(u64 first, u64 second, u64 begin, u64 end)
{
	struct weir_op *ops = add(WEIR_OP_CHECK, first, begin, end);

	ops[1] = ops[0];
	ops[1].n = second;
	ops[1].decided = 1;
	h.ops[h.n - 1].transaction = true;
	h.ops[h.n - 1].nitems = 2;
	h.ops[h.n - 1].keys[1] = 1;
	return ops;
}

static void set(u32 policy, u64 begin, u64 end)
{
	add(SERIAL_SET, 0, begin, end)->arg = policy;
}

/* Fill in the answer given at @at, if the bucket is full again at FULL + @owed * INTERVAL. */
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

/* Six tokens, and two checks of four tokens at the same time. */
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

/* The peek is later than the check, but its answer does not show the check. */
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

/* There is no token before the ban, and when there is one, the key is banned. */
static enum serial_found check_by_an_old_ban(void)
{
	allowed(add(WEIR_OP_CHECK, 6, 10, 20), 15, 6);
	allowed(add(WEIR_OP_CHECK, 1, 100, 300000), 200000, 7);
	ban(200, 300, 250, 6, 1000000);
	return serial_search(&h);
}

/* The ban is later than the check, but all its numbers are from before the check. */
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

/* A FORGIVE that finds no entry, at that time after a CHECK of one token. */
static enum serial_found no_entry_at(u64 begin)
{
	allowed(add(WEIR_OP_CHECK, 1, 100, 200), 150, 1);
	add(WEIR_OP_FORGIVE, 0, begin, begin + 1000)->result = -2;
	return serial_search(&h);
}

static enum serial_found no_entry_although_charged(void)
{
	return no_entry_at(300);
}

static enum serial_found no_entry_when_idle(void)
{
	return no_entry_at((BURST - 5) * INTERVAL - 500);
}

/*
 * A RESERVE of eight tokens. The key has six at START, so it is due two intervals later. @at,
 * @owed: see told().
 */
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

/* Another check is allowed while the RESERVE waits. */
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

static enum serial_found refused_early(void)
{
	struct weir_op *op = add(WEIR_OP_RESERVE, 8, 100, 200);

	op->arg = START + 1000000;
	told(op, 150, 0, WEIR_LIMITED, 2 * INTERVAL - 150);
	return serial_search(&h);
}

static enum serial_found refused_for_good(void)
{
	struct weir_op *op = add(WEIR_OP_RESERVE, 8, 100, 200);

	op->arg = START + 100000;
	told(op, 150, 0, WEIR_LIMITED, 2 * INTERVAL - 150);
	return serial_search(&h);
}

/* ------------------------------------------------------------ several keys, SET */

static enum serial_found charged_together(void)
{
	struct weir_op *ops = add_both(2, 3, 100, 400);

	allowed(&ops[0], 200, 2);
	allowed(&ops[1], 200, 3);
	allowed(add_to(0, WEIR_OP_PEEK, 1, 100, 400), 210, 2);
	allowed(add_to(1, WEIR_OP_PEEK, 1, 100, 400), 220, 3);
	allowed(add_to(1, WEIR_OP_PEEK, 1, 100, 400), 190, 0);
	return serial_search(&h);
}

static enum serial_found charged_at_two_times(void)
{
	struct weir_op *ops = add_both(2, 3, 100, 400);

	allowed(&ops[0], 200, 2);
	allowed(&ops[1], 201, 3);
	return serial_search(&h);
}

/* The first key is charged and the second is not, a moment later. */
static enum serial_found half_seen(void)
{
	struct weir_op *ops = add_both(2, 3, 100, 400);

	allowed(&ops[0], 200, 2);
	allowed(&ops[1], 200, 3);
	allowed(add_to(0, WEIR_OP_PEEK, 1, 100, 400), 210, 2);
	allowed(add_to(1, WEIR_OP_PEEK, 1, 100, 400), 220, 0);
	return serial_search(&h);
}

static struct weir_op *refused_together(u64 owed)
{
	struct weir_op *ops = add_both(1, 8, 100, 400);

	told(&ops[0], 200, owed, WEIR_LIMITED, 0);
	told(&ops[1], 200, 0, WEIR_LIMITED, 2 * INTERVAL - 200);
	ops[0].decided = 1;
	return ops;
}

static enum serial_found none_charged(void)
{
	refused_together(0);
	allowed(add_to(0, WEIR_OP_PEEK, 1, 500, 600), 550, 0);
	return serial_search(&h);
}

static enum serial_found one_charged(void)
{
	refused_together(1);
	allowed(add_to(0, WEIR_OP_PEEK, 1, 500, 600), 550, 1);
	return serial_search(&h);
}

static enum serial_found wrong_decider(void)
{
	refused_together(0)[0].decided = 0;
	return serial_search(&h);
}

/* Two PEEKs in one call: the answer for the second key is from an earlier time. */
static enum serial_found batch(u64 first, u64 second)
{
	allowed(add_to(0, WEIR_OP_PEEK, 1, 100, 400), first, 0);
	allowed(add_to(1, WEIR_OP_PEEK, 1, 100, 400), second, 0);
	h.ops[1].after = 0;
	return serial_search(&h);
}

static enum serial_found batch_in_order(void)
{
	return batch(200, 210);
}

static enum serial_found batch_out_of_order(void)
{
	return batch(210, 200);
}

static enum serial_found set_at_once(u64 before, u64 after)
{
	struct weir_op *op;

	set(1, 100, 400);
	allowed(add_to(0, WEIR_OP_PEEK, 1, 50, 500), before, 0);
	op = add_to(1, WEIR_OP_PEEK, 1, 50, 500);
	allowed(op, after, 0);
	op->limit += 2;
	op->remaining += 2;
	return serial_search(&h);
}

static enum serial_found set_between(void)
{
	return set_at_once(200, 210);
}

/* The new burst is seen first, and the old burst later. */
static enum serial_found set_and_back(void)
{
	return set_at_once(210, 200);
}

static enum serial_found old_after_set(void)
{
	set(1, 100, 400);
	allowed(add(WEIR_OP_PEEK, 1, 450, 500), 460, 0);
	return serial_search(&h);
}

/* ------------------------------------------------------------ windows */

#define PERIOD	10000000ULL	/* a window ends at START + PERIOD */

/* Window or sliding: of 128 tokens, 6 are left. */
static void windows(u32 algorithm)
{
	struct serial_limiter *l = &h.config.limiters[0];

	weir_rate_prepare(&l->policies[0].rate, algorithm, 128, PERIOD, 128, NULL, 0);
	l->epoch = START - PERIOD;
	h.start.keys[0].word = weir_window_pack(&l->policies[0].rate.window, 1, 122, 0);
}

static void window_told(struct weir_op *op, u64 remaining, u64 reset_after)
{
	op->verdict = WEIR_ALLOWED;
	op->limit = 128;
	op->remaining = remaining;
	op->reset_after = reset_after;
}

static enum serial_found window_ends(void)
{
	windows(WEIR_ALGORITHM_WINDOW);
	window_told(add(WEIR_OP_CHECK, 4, 100, 200), 2, PERIOD - 150);
	window_told(add(WEIR_OP_PEEK, 1, PERIOD - 400, PERIOD + 400), 128, 0);
	window_told(add(WEIR_OP_CHECK, 4, PERIOD - 400, PERIOD + 400), 124, PERIOD - 10);
	return serial_search(&h);
}

static enum serial_found window_ends_early(void)
{
	windows(WEIR_ALGORITHM_WINDOW);
	window_told(add(WEIR_OP_PEEK, 1, PERIOD - 400, PERIOD - 1), 128, 0);
	return serial_search(&h);
}

/* Half a period after the end of the window, half of its 122 tokens count. */
static enum serial_found slides(u64 remaining)
{
	windows(WEIR_ALGORITHM_SLIDING);
	window_told(add(WEIR_OP_CHECK, 1, PERIOD, 2 * PERIOD), remaining, PERIOD / 2 + PERIOD);
	return serial_search(&h);
}

static enum serial_found slides_by_half(void)
{
	return slides(128 - 61 - 1);
}

static enum serial_found slides_by_less(void)
{
	return slides(128 - 60 - 1);
}

/* Ten states are not enough. */
static enum serial_found too_many(void)
{
	for (u32 i = 0; i < 8; i++)
		set(i % 2, 100, 400);
	allowed(add(WEIR_OP_CHECK, 1, 500, 600), 550, 2);
	h.states_max = 10;
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
	{ "a peek after a check that it does not see", peek_after, SERIAL_UNEXPLAINED },
	{ "a check before a ban", check_before_ban, SERIAL_EXPLAINED },
	{ "a later clock with an older ban", check_by_an_old_ban, SERIAL_UNEXPLAINED },
	{ "a ban that does not see the check before it", ban_uncharged, SERIAL_UNEXPLAINED },
	{ "a LIFT finds no ban although there is one", no_ban_to_lift, SERIAL_UNEXPLAINED },
	{ "a LIFT finds no ban when it is over", ban_is_over, SERIAL_EXPLAINED },
	{ "a FORGIVE finds no entry although a token is missing", no_entry_although_charged,
	  SERIAL_UNEXPLAINED },
	{ "a FORGIVE finds no entry when all tokens are back", no_entry_when_idle,
	  SERIAL_EXPLAINED },
	{ "a reservation in its turn", waits_its_turn, SERIAL_EXPLAINED },
	{ "a reservation that is overtaken", overtaken, SERIAL_UNEXPLAINED },
	{ "a reservation refused that would be in time", refused_early, SERIAL_UNEXPLAINED },
	{ "a reservation refused that would be late", refused_for_good, SERIAL_EXPLAINED },
	{ "a transaction that is seen as a whole", charged_together, SERIAL_EXPLAINED },
	{ "a transaction at two times", charged_at_two_times, SERIAL_UNEXPLAINED },
	{ "a transaction of which half is seen", half_seen, SERIAL_UNEXPLAINED },
	{ "a refused transaction", none_charged, SERIAL_EXPLAINED },
	{ "a refused transaction that charges a key", one_charged, SERIAL_UNEXPLAINED },
	{ "a refused transaction with the wrong decider", wrong_decider, SERIAL_UNEXPLAINED },
	{ "a batch in order", batch_in_order, SERIAL_EXPLAINED },
	{ "a batch out of order", batch_out_of_order, SERIAL_UNEXPLAINED },
	{ "a SET between two answers", set_between, SERIAL_EXPLAINED },
	{ "the old configuration after the new one", set_and_back, SERIAL_UNEXPLAINED },
	{ "the old configuration after SET has returned", old_after_set, SERIAL_UNEXPLAINED },
	{ "a fixed window that ends", window_ends, SERIAL_EXPLAINED },
	{ "a fixed window that ends early", window_ends_early, SERIAL_UNEXPLAINED },
	{ "a sliding window", slides_by_half, SERIAL_EXPLAINED },
	{ "a sliding window with a token too many", slides_by_less, SERIAL_UNEXPLAINED },
	{ "no result within the states allowed", too_many, SERIAL_UNDECIDED },
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
