// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rosters, through libweir as programs use it: leases of a process, with a value and a TTL.
 */

#include <weir.h>

#include "bench.h"

#define DAY	86400000000000ULL
#define GROUP	"weir"
#define KNOWN	1024	/* keys that have leases */
#define FREE	BENCH_UNDONE	/* keys without a lease, as many as a round claims */
#define BATCH	WEIR_CLAIMS_MAX

static const char value[] = BENCH_VALUE;

#define LENGTH	(sizeof(value) - 1)

struct bench {
	struct weir *weir;
	struct weir_roster *roster;
	struct weir_key known[KNOWN], free[FREE];
};

static void must(int ret, const char *what)
{
	if (ret)
		bench_die(what);
}

static void claim(void *arg, uint64_t i)
{
	struct bench *b = arg;

	must(weir_roster_claim(b->roster, &b->free[i % FREE], value, LENGTH, DAY, 0, NULL),
	     "claim");
}

static void remove_one(void *arg, uint64_t i)
{
	struct bench *b = arg;

	must(weir_roster_remove(b->roster, &b->free[i % FREE], 0, NULL), "remove");
}

static void claim_and_remove(void *arg, uint64_t i)
{
	claim(arg, i);
	remove_one(arg, i);
}

static void touch(void *arg, uint64_t i)
{
	struct bench *b = arg;

	must(weir_roster_touch(b->roster, &b->known[i % KNOWN], 0, DAY, NULL), "touch");
}

static void get(void *arg, uint64_t i)
{
	struct weir_roster_answer answer;
	char found[WEIR_VALUE_MAX];
	struct bench *b = arg;

	must(weir_roster_get(b->roster, &b->known[i % KNOWN], found, sizeof(found),
			     &answer), "get");
	if (answer.length != LENGTH)
		bench_die("not the value of this row");
}

static void put(void *arg, uint64_t i)
{
	struct bench *b = arg;

	must(weir_roster_put(b->roster, &b->known[i % KNOWN], value, LENGTH, DAY, 0, NULL),
	     "put");
}

static void taken(void *arg, uint64_t i)
{
	struct weir_roster_answer answer;
	struct bench *b = arg;

	if (!weir_roster_claim(b->roster, &b->known[i % KNOWN], value, LENGTH, DAY, 0,
			       &answer))
		bench_die("a key was free");
}

static struct weir_op *claims(struct bench *b, uint64_t i)
{
	static struct weir_lease leases[BATCH];
	static struct weir_op ops[BATCH];

	for (unsigned int k = 0; k < BATCH; k++) {
		weir_op_roster(&ops[k], &leases[k], b->roster, WEIR_OP_CLAIM,
			       &b->free[(i * BATCH + k) % FREE], value, LENGTH);
		ops[k].arg = DAY;
	}
	return ops;
}

static void claim_batch(void *arg, uint64_t i)
{
	struct bench *b = arg;
	struct weir_op *ops = claims(b, i);

	must(weir_submit(b->weir, ops, BATCH) != BATCH, "submit");
	for (unsigned int k = 0; k < BATCH; k++)
		must(ops[k].result, "claim of a batch");
}

static void claim_all(void *arg, uint64_t i)
{
	struct bench *b = arg;

	must(weir_transaction(b->weir, claims(b, i), BATCH, NULL), "transaction");
}

static void remove_batch(void *arg, uint64_t i)
{
	for (unsigned int k = 0; k < BATCH; k++)
		remove_one(arg, i * BATCH + k);
}

static void setup(struct bench *b)
{
	const struct weir_roster_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_U64, .max_keys = 1 << 20,
	};

	b->weir = weir_open(0);
	if (!b->weir)
		bench_die("weir");
	b->roster = weir_roster_create(b->weir, "bench", &config, 0600);
	if (!b->roster)
		bench_die("roster");
	for (unsigned int i = 0; i < KNOWN; i++) {
		weir_key_u64(&b->known[i], i);
		put(b, i);
	}
	for (unsigned int i = 0; i < FREE; i++)
		weir_key_u64(&b->free[i], KNOWN + i);
}

/* Everything else is undone; otherwise the rows measured something else. */
static void known_alone(struct weir_roster *roster)
{
	struct weir_roster_stats stats = { .size = sizeof(stats) };

	if (weir_roster_get_stats(roster, &stats) < 0 || stats.members != KNOWN)
		bench_die("there are other leases");
}

void bench_rosters(void)
{
	struct bench b;

	setup(&b);
	bench_row(GROUP, "roster get", get, &b, 1);
	bench_row(GROUP, "roster touch", touch, &b, 1);
	bench_row(GROUP, "roster claim, taken (refused)", taken, &b, 1);
	bench_row(GROUP, "roster put, known key", put, &b, 1);
	bench_row_mean(GROUP, "the same, the mean, with memory freed later", put, &b);
	bench_row_undone(GROUP, "roster claim", claim, remove_one, &b, 1);
	bench_row(GROUP, "roster claim and remove, two calls", claim_and_remove, &b, 1);
	bench_row_mean(GROUP, "the same, the mean, with memory freed later",
		       claim_and_remove, &b);
	bench_row_undone(GROUP, "batch of 64 claims, per claim", claim_batch,
			 remove_batch, &b, BATCH);
	bench_row_undone(GROUP, "batch of 64 claims, all or none, per claim", claim_all,
			 remove_batch, &b, BATCH);
	known_alone(b.roster);
	weir_close(b.weir);
}
