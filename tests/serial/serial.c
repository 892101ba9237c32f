// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial - every answer of a limiter is one that some serial order gives
 *
 * Rounds of a few dozen operations: threads of different priority operate on one key at
 * once, and each notes the clock before and after. Then an order is searched for that
 * explains all answers (search.h). Each round has a key of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../selftest/client.h"
#include "search.h"

#define THREADS		4
#define EACH		8		/* operations of one thread in a round */
#define INTERVAL	100000ULL	/* ns: of one token */
#define BURST		10000
#define MORE_BURST	10002		/* after a SET */
#define LEFT		6		/* tokens at the beginning of a round */
#define MS		1000000ULL

/* The probability of each operation in a round. */
struct mixture {
	const char *name;
	u32 strikes;
	u8 weight[9];	/* CHECK PEEK REFUND STRIKE FORGIVE BAN LIFT RESERVE SET */
};

static const u16 opcodes[] = {
	WEIR_OP_CHECK, WEIR_OP_PEEK, WEIR_OP_REFUND, WEIR_OP_STRIKE, WEIR_OP_FORGIVE,
	WEIR_OP_BAN, WEIR_OP_LIFT, WEIR_OP_RESERVE, SERIAL_SET,
};

static const struct mixture mixtures[] = {
	{ "checks and bans", 0, { 12, 6, 2, 0, 0, 4, 3, 0, 0 } },
	{ "strikes that ban", 3, { 12, 5, 2, 3, 1, 1, 3, 0, 0 } },
	{ "reservations", 0, { 8, 4, 3, 0, 0, 2, 2, 6, 0 } },
	{ "all of it", 4, { 8, 4, 2, 1, 1, 2, 2, 3, 1 } },
};

struct worker {
	pthread_t thread;
	u32 number;
	u64 random;
	u32 n;
	struct serial_op ops[EACH];
};

static struct {
	int fd;
	u32 limiter;
	u64 key;
	const struct mixture *mixture;
	struct weir_limiter_config config;
	pthread_barrier_t begin;
	pthread_barrier_t end;
	_Atomic bool over;
	_Atomic int failed;
	struct worker workers[THREADS];
} run;

static struct {
	u64 seed;
	u64 rounds;	/* of each mixture, 0: by time */
	u64 seconds;	/* for each mixture */
} options = { .seed = 1, .seconds = 8 };

static u64 clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static u64 next_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void nap(u64 ns)
{
	struct timespec t = { .tv_nsec = ns };

	nanosleep(&t, NULL);
}

/* ------------------------------------------------------------ operations */

static void op_perform(struct serial_op *o)
{
	struct weir_op *op = &o->op;
	int ret;

	op->handle = run.limiter;
	op->key_len = sizeof(run.key);
	memcpy(op->key, &run.key, sizeof(run.key));
	o->begin = clock_now();
	if (op->opcode == SERIAL_SET) {
		struct weir_limiter_config config = run.config;

		config.burst = op->arg;
		ret = limiter_set(run.fd, run.limiter, WEIR_SET_BURST, &config);
	} else {
		ret = op_run(run.fd, op);
	}
	o->end = clock_now();
	if (ret && !(op->opcode == WEIR_OP_LIFT && ret == -ENOENT)) {
		printf("# opcode %u: %s\n", op->opcode, strerror(-ret));
		run.failed = 1;
	}
}

static void op_choose(struct worker *w, struct serial_op *o)
{
	const struct mixture *m = run.mixture;
	u32 total = 0, i = 0, chosen;

	for (i = 0; i < sizeof(m->weight); i++)
		total += m->weight[i];
	chosen = next_random(&w->random) % total;
	for (i = 0; chosen >= m->weight[i]; i++)
		chosen -= m->weight[i];
	/* one thread makes the live changes, so that they are known to be different */
	if (opcodes[i] == SERIAL_SET && w->number)
		i = 0;
	*o = (struct serial_op){ .thread = w->number };
	o->op.opcode = opcodes[i];
	switch (opcodes[i]) {
	case WEIR_OP_CHECK:
	case WEIR_OP_PEEK:
	case WEIR_OP_REFUND:
		o->op.n = 1 + next_random(&w->random) % 3;
		break;
	case WEIR_OP_RESERVE:
		o->op.n = 1 + next_random(&w->random) % 3;
		o->op.arg = clock_now() + next_random(&w->random) % (3 * MS);
		break;
	case WEIR_OP_STRIKE:
		o->op.n = 1;
		break;
	case WEIR_OP_BAN:
		o->op.arg = 50000 + next_random(&w->random) % MS;
		break;
	case SERIAL_SET:
		o->op.arg = next_random(&w->random) % 2 ? BURST : MORE_BURST;
		break;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sched_param param = { .sched_priority = w->number / 2 ? 5 : 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->number % 2, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_setschedparam(pthread_self(),
			      param.sched_priority ? SCHED_FIFO : SCHED_OTHER, &param);
	for (;;) {
		pthread_barrier_wait(&run.begin);
		if (run.over)
			return NULL;
		for (w->n = 0; w->n < EACH; w->n++) {
			op_choose(w, &w->ops[w->n]);
			/* it wakes in the middle of what another one does */
			if (param.sched_priority)
				nap(1 + next_random(&w->random) % 300000);
			op_perform(&w->ops[w->n]);
		}
		pthread_barrier_wait(&run.end);
	}
}

/* ------------------------------------------------------------ rounds */

static void limiter_make(const struct mixture *m)
{
	struct weir_limiter_config *c = &run.config;

	*c = limiter_config(WEIR_KEY_U64);
	c->tokens = SECOND / INTERVAL;
	c->period = SECOND;
	c->burst = BURST;
	c->max_keys = 65536;
	if (m->strikes) {
		c->strikes = m->strikes;
		c->within = SECOND;
		c->nbans = 2;
		c->ban[0] = MS;
		c->ban[1] = 3 * MS;
		c->forget_after = SECOND;
	}
	if (limiter_create(run.fd, OURS "serial", c, &run.limiter))
		abort();
}

static void policy_make(struct serial_policy *p, const struct mixture *m)
{
	const struct weir_limiter_config *c = &run.config;

	memset(p, 0, sizeof(*p));
	if (weir_rate_prepare(&p->rate, WEIR_ALGORITHM_BUCKET, c->tokens, c->period,
			      c->burst, NULL, 0))
		abort();
	p->score = weir_score_prepare(c->within ? c->within : 600 * SECOND);
	p->strikes = m->strikes;
	p->nbans = c->nbans;
	p->ban[0] = c->ban[0];
	p->ban[1] = c->ban[1];
	p->forget_after = c->forget_after;
}

/*
 * Spend all but a few tokens, and find out when the bucket would be full again: by each
 * PEEK it is reset_after from a time between two readings of the clock.
 */
static bool round_start(struct serial_history *h)
{
	struct serial_op o = { .op = { .opcode = WEIR_OP_CHECK, .n = BURST - LEFT } };
	u64 least = 0, most = ~0ULL;
	int i;

	/* the burst may have been changed by the last round */
	if (limiter_set(run.fd, run.limiter, WEIR_SET_BURST, &run.config))
		abort();
	op_perform(&o);
	if (o.op.verdict != WEIR_ALLOWED)
		return false;
	for (i = 0; i < 12; i++) {
		o = (struct serial_op){ .op = { .opcode = WEIR_OP_PEEK, .n = 1 } };
		op_perform(&o);
		least = max(least, o.begin + o.op.reset_after);
		most = min(most, o.end + o.op.reset_after);
	}
	h->slack = most - least;
	h->start = (struct serial_state){ .word = least * WEIR_GCRA_SCALE, .limit = BURST };
	return most >= least;
}

/* The bucket was never full: else an answer does not tell its time. */
static bool round_counts(const struct serial_history *h)
{
	for (u32 i = 0; i < h->n; i++)
		if (h->ops[i].end > h->start.word / WEIR_GCRA_SCALE - 50 * MS)
			return false;
	return true;
}

static enum serial_found round_run(struct serial_history *h)
{
	run.key++;
	if (!round_start(h))
		return SERIAL_GAVE_UP;
	pthread_barrier_wait(&run.begin);
	pthread_barrier_wait(&run.end);
	h->n = 0;
	for (u32 i = 0; i < THREADS; i++)
		for (u32 k = 0; k < run.workers[i].n; k++)
			h->ops[h->n++] = run.workers[i].ops[k];
	return round_counts(h) ? serial_search(h) : SERIAL_GAVE_UP;
}

/* One mixture. Whether all is explained. */
static bool mixture_run(u32 number)
{
	static struct serial_history h;
	u64 rounds = 0, gave_up = 0, most = 0, until = clock_now() + options.seconds * SECOND;
	enum serial_found found = SERIAL_EXPLAINED;

	run.mixture = &mixtures[number];
	limiter_make(run.mixture);
	memset(&h, 0, sizeof(h));
	policy_make(&h.policy, run.mixture);
	for (u32 i = 0; i < THREADS; i++)
		run.workers[i].random = options.seed * 1000003 + number * 1009 + i;
	while ((options.rounds ? rounds < options.rounds : clock_now() < until) &&
	       run.key % 65000 != 64999 && !run.failed) {
		found = round_run(&h);
		rounds++;
		gave_up += found == SERIAL_GAVE_UP;
		most = max(most, h.states);
		if (found == SERIAL_UNEXPLAINED)
			break;
		if (rounds % 10000 == 0)
			fprintf(stderr, "%s: %llu rounds\n", run.mixture->name,
				(unsigned long long)rounds);
	}
	printf("# %s: %llu rounds of %u operations, %llu without a result, at most %llu states\n",
	       run.mixture->name, (unsigned long long)rounds, THREADS * EACH,
	       (unsigned long long)gave_up, (unsigned long long)most);
	if (found == SERIAL_UNEXPLAINED) {
		printf("# no serial order explains round %llu of seed %llu\n",
		       (unsigned long long)rounds, (unsigned long long)options.seed);
		serial_print(&h);
	}
	object_delete(run.fd, run.limiter);
	handle_close(run.fd, run.limiter);
	run.key = 0;
	return found != SERIAL_UNEXPLAINED && !run.failed && gave_up * 10 <= rounds;
}

static void usage(void)
{
	puts("Usage: serial [--seed N] [--seconds N | --rounds N]\n"
	     "\n"
	     "Threads operate on one key of a limiter at once, round after round; after each an\n"
	     "order of the operations is searched for that explains every answer. Prints TAP;\n"
	     "of a round that no order explains, the operations.\n"
	     "\n"
	     "  --seed N     chooses the operations (1); when they run is not in its power\n"
	     "  --seconds N  for each of the mixtures of operations (8)\n"
	     "  --rounds N   so many instead");
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			options.seconds = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			options.rounds = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			usage();
			exit(0);
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	u32 n = sizeof(mixtures) / sizeof(*mixtures);
	bool ok, all = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getenv("WEIR_SERIAL_SECONDS"))
		options.seconds = strtoull(getenv("WEIR_SERIAL_SECONDS"), NULL, 0);
	parse(argc, argv);
	objects_wipe();
	run.fd = client_open(O_RDWR);
	if (run.fd < 0) {
		printf("Bail out! cannot open %s\n", WEIR_DEVICE);
		return 1;
	}
	pthread_barrier_init(&run.begin, NULL, THREADS + 1);
	pthread_barrier_init(&run.end, NULL, THREADS + 1);
	for (u32 i = 0; i < THREADS; i++) {
		run.workers[i].number = i;
		if (pthread_create(&run.workers[i].thread, NULL, work, &run.workers[i]))
			abort();
	}
	printf("1..%u\n", n);
	for (u32 i = 0; i < n; i++) {
		ok = mixture_run(i);
		printf("%s %u - %s\n", ok ? "ok" : "not ok", i + 1, mixtures[i].name);
		all &= ok;
	}
	run.over = true;
	pthread_barrier_wait(&run.begin);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(run.workers[i].thread, NULL);
	return all ? 0 : 1;
}
