// SPDX-License-Identifier: GPL-2.0-only
/* Counters, limiters and gates, through libweir as programs use it. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir.h>

#include "bench.h"

#define DAY	86400000000000ULL
#define GROUP	"weir"
#define KNOWN	1024	/* keys that have an entry */

struct bench {
	struct weir *weir;
	struct weir_counter *counter, *histogram;
	struct weir_limiter *limiter, *strict, *all;
	struct weir_gate *gate, *by_key;
	struct weir_key keys[KNOWN];
};

static void add(void *arg, uint64_t i)
{
	(void)i;
	weir_counter_add(((struct bench *)arg)->counter, 0, 1);
}

static void add_three(void *arg, uint64_t i)
{
	static const int64_t amounts[3] = { 1, 2, 3 };

	(void)i;
	weir_counter_add_many(((struct bench *)arg)->counter, 7, amounts);
}

static void observe(void *arg, uint64_t i)
{
	weir_counter_observe(((struct bench *)arg)->histogram, i * 997, 1);
}

static void read_histogram(void *arg, uint64_t i)
{
	static struct weir_histogram h;

	(void)i;
	weir_counter_read_histogram(((struct bench *)arg)->histogram, &h);
}

static void read_one(void *arg, uint64_t i)
{
	int64_t value;

	(void)i;
	weir_counter_read_field(((struct bench *)arg)->counter, 0, &value);
}

static void check_is(struct weir_limiter *limiter, const struct weir_key *key,
		     int wanted)
{
	struct weir_answer answer;

	if (weir_limiter_check(limiter, key, 1, &answer) != wanted)
		bench_die("not the verdict of this row");
}

static void check_known(void *arg, uint64_t i)
{
	struct bench *b = arg;

	check_is(b->limiter, &b->keys[i % KNOWN], WEIR_ALLOWED);
}

static void check_limited(void *arg, uint64_t i)
{
	struct bench *b = arg;

	(void)i;
	check_is(b->strict, &b->keys[0], WEIR_LIMITED);
}

static void check_banned(void *arg, uint64_t i)
{
	struct bench *b = arg;

	(void)i;
	check_is(b->strict, &b->keys[1], WEIR_BANNED);
}

static void check_new(void *arg, uint64_t i)
{
	struct bench *b = arg;
	struct weir_key key;

	weir_key_u64(&key, 1000000 + i);
	check_is(b->limiter, &key, WEIR_ALLOWED);
}

static void wait_known(void *arg, uint64_t i)
{
	struct bench *b = arg;
	struct weir_answer answer;

	weir_limiter_wait(b->limiter, &b->keys[i % KNOWN], 1, 0, &answer);
}

static void pass(struct weir_gate *gate, const struct weir_key *key)
{
	if (weir_gate_acquire(gate, key, 1, 0, NULL) != WEIR_ALLOWED ||
	    weir_gate_release(gate, key, 1, NULL))
		bench_die("gate");
}

static void pass_gate(void *arg, uint64_t i)
{
	(void)i;
	pass(((struct bench *)arg)->gate, NULL);
}

static void pass_by_key(void *arg, uint64_t i)
{
	struct bench *b = arg;

	pass(b->by_key, &b->keys[i % KNOWN]);
}

static void three_calls(void *arg, uint64_t i)
{
	struct bench *b = arg;

	check_is(b->limiter, &b->keys[i % KNOWN], WEIR_ALLOWED);
	check_is(b->limiter, &b->keys[(i + 1) % KNOWN], WEIR_ALLOWED);
	check_is(b->all, NULL, WEIR_ALLOWED);
}

static void transaction(void *arg, uint64_t i)
{
	struct bench *b = arg;
	struct weir_op ops[3];

	weir_op_limiter(&ops[0], b->limiter, WEIR_OP_CHECK, &b->keys[i % KNOWN], 1);
	weir_op_limiter(&ops[1], b->limiter, WEIR_OP_CHECK,
			&b->keys[(i + 1) % KNOWN], 1);
	weir_op_limiter(&ops[2], b->all, WEIR_OP_CHECK, NULL, 1);
	if (weir_transaction(b->weir, ops, 3, NULL) != WEIR_ALLOWED)
		bench_die("transaction");
}

static void batch(struct bench *b, uint64_t i, unsigned int count)
{
	static struct weir_op ops[256];

	for (unsigned int k = 0; k < count; k++)
		weir_op_limiter(&ops[k], b->limiter, WEIR_OP_CHECK,
				&b->keys[(i * count + k) % KNOWN], 1);
	if (weir_submit(b->weir, ops, count) != (int)count)
		bench_die("submit");
}

static void batch_16(void *arg, uint64_t i)
{
	batch(arg, i, 16);
}

static void batch_256(void *arg, uint64_t i)
{
	batch(arg, i, 256);
}

static struct weir_limiter *limiter_make(struct bench *b, const char *name,
					 enum weir_key_type type, uint64_t tokens,
					 bool bans)
{
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = type, .tokens = tokens, .period = DAY,
		.strikes = bans, .nbans = bans, .ban = { bans ? DAY : 0 },
		.max_keys = type == WEIR_KEY_NONE ? 1 : 1 << 20,
	};
	struct weir_limiter *limiter = weir_limiter_create(b->weir, name, &config,
							   0600);

	if (!limiter)
		bench_die(name);
	return limiter;
}

static struct weir_gate *gate_make(struct bench *b, const char *name,
				   enum weir_key_type type)
{
	struct weir_gate_config config = {
		.size = sizeof(config), .key_type = type, .permits = 4,
	};
	struct weir_gate *gate = weir_gate_create(b->weir, name, &config, 0600);

	if (!gate)
		bench_die(name);
	return gate;
}

static void setup(struct bench *b)
{
	static const char *const fields[] = { "a", "b", "c" };

	b->weir = weir_open(0);
	if (!b->weir)
		bench_die("weir");
	b->counter = weir_counter_create(b->weir, "bench", WEIR_COUNTER_SUM, fields, 3,
					 0600);
	b->histogram = weir_counter_create(b->weir, "bench-histogram",
					   WEIR_COUNTER_HISTOGRAM, NULL, 0, 0600);
	if (!b->counter || !b->histogram)
		bench_die("counter");
	b->limiter = limiter_make(b, "bench", WEIR_KEY_U64, 100000000, false);
	b->strict = limiter_make(b, "bench-strict", WEIR_KEY_U64, 1, false);
	b->all = limiter_make(b, "bench-all", WEIR_KEY_NONE, 100000000, false);
	for (unsigned int i = 0; i < KNOWN; i++) {
		weir_key_u64(&b->keys[i], i);
		check_is(b->limiter, &b->keys[i], WEIR_ALLOWED);
	}
	b->gate = gate_make(b, "bench", WEIR_KEY_NONE);
	b->by_key = gate_make(b, "bench-key", WEIR_KEY_U64);
	check_is(b->strict, &b->keys[0], WEIR_ALLOWED);
	weir_limiter_ban(b->strict, &b->keys[1], DAY, NULL);
}

void bench_weir(void)
{
	struct bench b;

	setup(&b);
	bench_row(GROUP, "counter add, one field", add, &b, 1);
	bench_row(GROUP, "counter add, three fields in one step", add_three, &b, 1);
	bench_row(GROUP, "counter read, one field", read_one, &b, 1);
	bench_row(GROUP, "histogram observe", observe, &b, 1);
	bench_row(GROUP, "histogram read", read_histogram, &b, 1);
	bench_row(GROUP, "check, known key, allowed", check_known, &b, 1);
	bench_row(GROUP, "check, known key, limited", check_limited, &b, 1);
	bench_row(GROUP, "check, known key, banned", check_banned, &b, 1);
	bench_row(GROUP, "check, new key", check_new, &b, 1);
	bench_row(GROUP, "wait, tokens are there", wait_known, &b, 1);
	bench_row(GROUP, "gate acquire and release, two calls", pass_gate, &b, 1);
	bench_row(GROUP, "gate by key, the same", pass_by_key, &b, 1);
	bench_row(GROUP, "three checks, a call each", three_calls, &b, 1);
	bench_row(GROUP, "three checks, all or none", transaction, &b, 1);
	bench_row(GROUP, "batch of 16 checks, per check", batch_16, &b, 16);
	bench_row(GROUP, "batch of 256 checks, per check", batch_256, &b, 256);
	weir_close(b.weir);
}
