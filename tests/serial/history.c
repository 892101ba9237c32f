// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history.h"

#define THREADS		4
#define EACH		(HISTORY_MAX / THREADS)	/* operations of one thread */
#define MS		1000000ULL
#define SPREAD		10000ULL	/* ns; how far apart the steps of the two CPUs are */
#define LEFT		6		/* tokens left at the beginning of a history */
#define BUCKET_INTERVAL	250000ULL	/* interval of one token, ns */
#define BUCKET_BURST	10000
#define WINDOW_TOKENS	128		/* LEFT plus more than a history can give back */
#define WINDOW_PERIOD	(10 * MS)
#define SLIDING_PERIOD	(60 * MS)
#define WITHIN		SECOND		/* no strike fades and no ladder is reset meanwhile */

/**
 * struct worker - a thread
 * @thread: the thread
 * @number: odd: on the second CPU; 2 and 3 have a higher priority than 0 and 1
 * @random: state of its random numbers
 * @turn: higher priority: posted for each operation
 * @steps: lower priority: calls so far
 * @n: operations so far
 * @ops: the operations
 */
struct worker {
	pthread_t thread;
	u32 number;
	u64 random;
	sem_t turn;
	_Atomic u32 steps;
	u32 n;
	struct serial_op ops[EACH];
};

/**
 * struct limiter - a limiter under test
 * @handle: its handle
 * @configs: the configurations from which a SET chooses
 * @changed: the second configuration may be in force
 */
struct limiter {
	u32 handle;
	struct weir_limiter_config configs[2];
	_Atomic bool changed;
};

static struct {
	int fd;
	const struct serial_mixture *mixture;
	struct serial_config config;
	struct limiter limiters[LIMITERS_MAX];
	u32 nlimiters;
	u64 key;	/* the first key of this history */
	pthread_barrier_t begin;
	pthread_barrier_t end;
	_Atomic bool over;
	struct worker workers[THREADS];
} run;

static const u16 opcodes[KINDS] = {
	[KIND_CHECK] = WEIR_OP_CHECK, [KIND_PEEK] = WEIR_OP_PEEK,
	[KIND_REFUND] = WEIR_OP_REFUND, [KIND_STRIKE] = WEIR_OP_STRIKE,
	[KIND_FORGIVE] = WEIR_OP_FORGIVE, [KIND_BAN] = WEIR_OP_BAN,
	[KIND_LIFT] = WEIR_OP_LIFT, [KIND_RESERVE] = WEIR_OP_RESERVE,
};

u64 clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static u64 next_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void broken(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

/* ------------------------------------------------------------ calls */

/* Whether the operation did what it can do: LIFT may find no ban, FORGIVE no entry. */
static bool succeeded(const struct weir_op *op)
{
	return !op->result ||
	       (op->result == -ENOENT &&
		(op->opcode == WEIR_OP_LIFT || op->opcode == WEIR_OP_FORGIVE));
}

/* Make one call. All operations must succeed. */
static void submit_timed(struct weir_op *ops, u32 n, u32 flags, u64 *begin, u64 *end)
{
	struct weir_submit submit = { .size = sizeof(submit), .flags = flags, .count = n,
				      .ops = address(ops) };
	int ret;

	*begin = clock_now();
	ret = call(run.fd, WEIR_IOC_SUBMIT, &submit);
	*end = clock_now();
	if (ret || submit.done != n)
		broken("a call failed");
	for (u32 i = 0; i < n; i++)
		if (!succeeded(&ops[i])) {
			printf("# opcode %#x: errno %d\n", ops[i].opcode, -ops[i].result);
			broken("an operation failed");
		}
}

static u64 set_mask(const struct limiter *l)
{
	return WEIR_SET_RATE | (l->configs[0].strikes ? WEIR_SET_STRIKES : 0) |
	       (l->configs[0].algorithm == WEIR_ALGORITHM_BUCKET ? WEIR_SET_BURST : 0);
}

static void set_timed(struct serial_op *o)
{
	struct limiter *l = &run.limiters[o->items[0].n];
	int ret;

	l->changed = true;
	o->begin = clock_now();
	ret = limiter_set(run.fd, l->handle, set_mask(l), &l->configs[o->items[0].arg]);
	o->end = clock_now();
	if (ret)
		broken("SET failed");
}

static struct weir_op op_of(u16 opcode, u32 key, s64 n)
{
	struct weir_op op = { .opcode = opcode, .n = n };
	u64 number = run.key + key;

	op.handle = run.limiters[run.config.limiter_of[key]].handle;
	op_key(&op, &number, sizeof(number));
	return op;
}

/* ------------------------------------------------------------ threads */

static void item_choose(struct worker *w, struct serial_op *o, enum serial_kind kind, u32 key)
{
	struct weir_op op = op_of(opcodes[kind], key, 0);

	switch (kind) {
	case KIND_CHECK:
	case KIND_PEEK:
	case KIND_REFUND:
	case KIND_RESERVE:
		op.n = 1 + next_random(&w->random) % 3;
		break;
	case KIND_STRIKE:
		op.n = 1;
		break;
	case KIND_BAN:
		op.arg = 50000 + next_random(&w->random) % MS;
		break;
	default:
		break;
	}
	if (kind == KIND_RESERVE)
		op.arg = clock_now() + next_random(&w->random) % (3 * MS);
	o->keys[o->nitems] = key;
	o->items[o->nitems++] = op;
}

static void transaction_choose(struct worker *w, struct serial_op *o)
{
	u32 left_out = next_random(&w->random) % (run.mixture->nkeys + 1);
	u32 first = next_random(&w->random) % run.mixture->nkeys, key;

	o->transaction = true;
	for (u32 i = 0; i < run.mixture->nkeys; i++) {
		key = (first + i) % run.mixture->nkeys;
		if (key != left_out || run.mixture->nkeys < 3)
			item_choose(w, o, KIND_CHECK, key);
	}
}

static void set_choose(struct worker *w, struct serial_op *o)
{
	o->nitems = 1;
	o->items[0] = (struct weir_op){ .opcode = SERIAL_SET };
	o->items[0].n = next_random(&w->random) % run.nlimiters;
	o->items[0].arg = next_random(&w->random) % 2;
}

/* Make a call with several operations. Each is one operation of the history. */
static void batch_perform(struct worker *w)
{
	u32 first = w->n, room = EACH - first, n = 2 + next_random(&w->random) % 2;
	struct weir_op ops[3];
	u64 begin, end;

	n = min(n, room);
	for (u32 i = 0; i < n; i++) {
		struct serial_op *o = &w->ops[w->n++];

		*o = (struct serial_op){ .thread = w->number, .after = i ? first + i - 1 : -1 };
		item_choose(w, o, next_random(&w->random) % (KIND_REFUND + 1),
			    next_random(&w->random) % run.mixture->nkeys);
		ops[i] = o->items[0];
	}
	submit_timed(ops, n, 0, &begin, &end);
	for (u32 i = 0; i < n; i++) {
		w->ops[first + i].items[0] = ops[i];
		w->ops[first + i].begin = begin;
		w->ops[first + i].end = end;
	}
}

static void op_perform(struct worker *w, enum serial_kind kind)
{
	struct serial_op *o = &w->ops[w->n++];

	*o = (struct serial_op){ .thread = w->number, .after = -1 };
	if (kind == KIND_SET) {
		set_choose(w, o);
		set_timed(o);
		return;
	}
	if (kind == KIND_TRANSACTION)
		transaction_choose(w, o);
	else
		item_choose(w, o, kind, next_random(&w->random) % run.mixture->nkeys);
	submit_timed(o->items, o->nitems, o->transaction ? WEIR_SUBMIT_ALL : 0,
		     &o->begin, &o->end);
}

static enum serial_kind kind_choose(struct worker *w)
{
	const u8 *weight = run.mixture->weight;
	u32 chosen = next_random(&w->random) % 100;

	for (u32 i = 0; i < KINDS; i++) {
		if (chosen < weight[i])
			/*
			 * one thread makes the live changes, because their answers do not show how
			 * they overlap
			 */
			return i == KIND_SET && w->number ? KIND_CHECK : i;
		chosen -= weight[i];
	}
	return KIND_CHECK;
}

/*
 * Each CPU has one thread of lower and one of higher priority. A thread of lower priority calls
 * this before each operation: it waits until the lower thread of the other CPU has made as many
 * steps, then wakes the higher thread there, which may preempt the lower one within an operation.
 * The wait is short, because the other lower thread may sleep until tokens are due, or have no CPU.
 */
static void step(struct worker *w)
{
	struct worker *other = &run.workers[!w->number];
	u64 now = clock_now(), end = now + MS / 5, until;

	while (other->steps < w->steps && clock_now() < end)
		;
	w->steps++;
	/*
	 * the thread that is woken runs some us later; with about this distance both CPUs operate
	 * at the same time
	 */
	until = clock_now() + next_random(&w->random) % SPREAD;
	while (clock_now() < until)
		;
	sem_post(&run.workers[other->number + 2].turn);
}

/* The thread has no more steps: post the steps that it did not need for @EACH operations. */
static void steps_end(struct worker *w)
{
	for (; w->steps < EACH; w->steps++)
		sem_post(&run.workers[!w->number + 2].turn);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	bool higher = w->number >= 2;
	struct sched_param param = { .sched_priority = higher ? 5 : 0 };
	enum serial_kind kind;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->number % 2, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_setschedparam(pthread_self(), higher ? SCHED_FIFO : SCHED_OTHER, &param);
	for (;;) {
		pthread_barrier_wait(&run.begin);
		if (run.over)
			return NULL;
		for (w->n = 0; w->n < EACH;) {
			if (higher)
				sem_wait(&w->turn);
			else
				step(w);
			kind = kind_choose(w);
			if (kind == KIND_BATCH)
				batch_perform(w);
			else
				op_perform(w, kind);
		}
		if (!higher)
			steps_end(w);
		pthread_barrier_wait(&run.end);
	}
}

/* ------------------------------------------------------------ limiters */

static void config_make(struct weir_limiter_config *c, u32 algorithm, u32 strikes, bool second)
{
	*c = limiter_config(WEIR_KEY_U64);
	c->algorithm = algorithm;
	c->max_keys = 65536;
	if (algorithm == WEIR_ALGORITHM_BUCKET) {
		c->tokens = 1;
		c->period = BUCKET_INTERVAL + 10 * second;
		c->burst = BUCKET_BURST + 2 * second;
	} else {
		c->tokens = WINDOW_TOKENS + 2 * second;
		c->period = algorithm == WEIR_ALGORITHM_SLIDING ? SLIDING_PERIOD : WINDOW_PERIOD;
	}
	if (!strikes)
		return;
	c->strikes = strikes + second;
	c->within = WITHIN;
	c->nbans = 2;
	c->ban[0] = MS;
	c->ban[1] = 3 * MS;
	c->forget_after = WITHIN;
}

static void policy_make(struct serial_policy *p, const struct weir_limiter_config *c,
			const struct serial_policy *old)
{
	*p = (struct serial_policy){
		.score = weir_score_prepare(c->within ? c->within : 600 * SECOND),
		.strikes = c->strikes,
		.nbans = c->nbans,
		.ban = { c->ban[0], c->ban[1] },
		.forget_after = c->forget_after,
	};
	if (weir_rate_prepare(&p->rate, c->algorithm, c->tokens, c->period,
			      c->burst ? c->burst : c->tokens, old ? &old->rate : NULL, 0))
		broken("a rate that cannot be");
}

static void limiter_make(u32 i, u32 algorithm)
{
	struct limiter *l = &run.limiters[i];
	struct serial_policy *p = run.config.limiters[i].policies;

	config_make(&l->configs[0], algorithm, run.mixture->strikes, false);
	config_make(&l->configs[1], algorithm, run.mixture->strikes, true);
	policy_make(&p[0], &l->configs[0], NULL);
	policy_make(&p[1], &l->configs[1], &p[0]);
	l->changed = false;
	if (limiter_create(run.fd, i ? OURS "serial2" : OURS "serial", &l->configs[0], &l->handle))
		broken("cannot create a limiter");
}

/* Make the limiters of a mixture. */
void histories_mix(const struct serial_mixture *m)
{
	run.mixture = m;
	memset(&run.config, 0, sizeof(run.config));
	run.nlimiters = 0;
	run.key = 0;
	for (u32 i = 0; i < m->nkeys; i++) {
		run.config.limiter_of[i] = m->algorithm[i] != m->algorithm[0];
		if (run.config.limiter_of[i] == run.nlimiters)
			limiter_make(run.nlimiters++, m->algorithm[i]);
	}
}

void histories_unmix(void)
{
	for (u32 i = 0; i < run.nlimiters; i++) {
		object_delete(run.fd, run.limiters[i].handle);
		handle_close(run.fd, run.limiters[i].handle);
	}
}

/* ------------------------------------------------------------ histories */

/*
 * When the transaction @o was made. The clock was read before and after it, and each PEEK gives a
 * known time before the moment. Return: the earliest time; *@slack: how much later it may have
 * been.
 */
static u64 moment_of(const struct serial_op *o, u64 *slack)
{
	u64 least = o->begin, most = o->end, begin, end;
	struct weir_op op;

	for (int i = 0; i < 12; i++) {
		op = op_of(WEIR_OP_PEEK, 0, 1);
		submit_timed(&op, 1, 0, &begin, &end);
		if (!op.reset_after)	/* a fixed window has ended */
			break;
		least = max(least, begin + op.reset_after - o->items[0].reset_after);
		most = min(most, end + op.reset_after - o->items[0].reset_after);
	}
	*slack = most - least;
	return most >= least ? least : 0;
}

/*
 * The state that the first transaction, made at @time, leaves. Return: false if its answers do not
 * agree.
 */
static bool state_make(struct serial_history *h, const struct serial_op *o, u64 time)
{
	struct weir_decision d;

	h->config = run.config;
	h->start = (struct serial_state){ .now = time };
	for (u32 i = 0; i < o->nitems; i++) {
		struct serial_limiter *l = &h->config.limiters[h->config.limiter_of[i]];
		const struct weir_rate *rate = &l->policies[0].rate;

		/* a transaction spends, so reset_after ends with a window, whatever its length */
		if (rate->algorithm != WEIR_ALGORITHM_BUCKET)
			l->epoch = time + o->items[i].reset_after - 4 * rate->window.period.d;
		weir_rate_decide(rate, weir_rate_fresh(rate, time - l->epoch), time - l->epoch,
				 o->items[i].n, &d);
		h->start.keys[i].word = d.word;
		if (o->items[i].verdict != WEIR_ALLOWED || !d.allowed ||
		    o->items[i].reset_after != d.reset_after ||
		    o->items[i].remaining != d.remaining)
			return false;
	}
	return true;
}

/* Spend all but a few tokens of new keys, of all keys at the same moment. */
static bool history_start(struct serial_history *h)
{
	struct serial_op o = { .nitems = run.mixture->nkeys };
	u64 time;

	run.key += KEYS_MAX;
	for (u32 i = 0; i < run.nlimiters; i++) {
		struct limiter *l = &run.limiters[i];

		if (l->changed && limiter_set(run.fd, l->handle, set_mask(l), &l->configs[0]))
			broken("SET failed");
		l->changed = false;
	}
	for (u32 i = 0; i < o.nitems; i++) {
		bool bucket = run.mixture->algorithm[i] == WEIR_ALGORITHM_BUCKET;

		o.items[i] = op_of(WEIR_OP_CHECK, i,
				   (bucket ? BUCKET_BURST : WINDOW_TOKENS) - LEFT);
	}
	submit_timed(o.items, o.nitems, WEIR_SUBMIT_ALL, &o.begin, &o.end);
	time = moment_of(&o, &h->slack);
	return time && state_make(h, &o, time);
}

/* No bucket was full, and no window ended twice; otherwise an answer may not show its time. */
static bool is_told(const struct serial_history *h)
{
	u64 longest = SECOND / 2, end = 0;

	for (u32 i = 0; i < run.mixture->nkeys; i++)
		if (run.mixture->algorithm[i] == WEIR_ALGORITHM_SLIDING)
			longest = min(longest, SLIDING_PERIOD);
		else if (run.mixture->algorithm[i] == WEIR_ALGORITHM_WINDOW)
			longest = min(longest, 3 * WINDOW_PERIOD);
	for (u32 i = 0; i < h->n; i++)
		end = max(end, h->ops[i].end);
	return end - h->start.now < longest;
}

/* Number of operations during which another thread has performed an operation. */
u32 history_interrupted(const struct serial_history *h)
{
	u32 n = 0;

	for (u32 i = 0; i < h->n; i++)
		for (u32 k = 0; k < h->n; k++)
			if (h->ops[i].items[0].opcode != WEIR_OP_RESERVE &&
			    h->ops[i].begin < h->ops[k].begin && h->ops[k].end < h->ops[i].end) {
				n++;
				break;
			}
	return n;
}

/**
 * history_make - have the threads make a history
 * @h: result: ready for serial_search()
 *
 * Return: false if it took too long, so that some answers may not show when they were made.
 */
bool history_make(struct serial_history *h)
{
	memset(h, 0, sizeof(*h));
	if (run.key > 60000) {
		histories_unmix();
		histories_mix(run.mixture);
	}
	if (!history_start(h))
		broken("new keys are not answered as new ones");
	for (u32 i = 0; i < THREADS; i++) {
		run.workers[i].steps = 0;
		sem_init(&run.workers[i].turn, 0, 0);
	}
	pthread_barrier_wait(&run.begin);
	pthread_barrier_wait(&run.end);
	for (u32 i = 0; i < THREADS; i++) {
		u32 first = h->n;

		for (u32 k = 0; k < run.workers[i].n; k++) {
			h->ops[h->n] = run.workers[i].ops[k];
			if (h->ops[h->n].after >= 0)
				h->ops[h->n].after += first;
			h->n++;
		}
	}
	return is_told(h);
}

/* A SET waits for a grace period, and a history waits for the SET: make grace periods short. */
static void expedite(bool on)
{
	FILE *file = fopen("/sys/kernel/rcu_expedited", "w");

	if (!file)
		return;
	fprintf(file, "%d\n", on);
	fclose(file);
}

/* Start the threads. */
void histories_begin(u64 seed)
{
	expedite(true);
	objects_wipe();
	run.fd = client_open(O_RDWR);
	if (run.fd < 0)
		broken("cannot open " WEIR_DEVICE);
	pthread_barrier_init(&run.begin, NULL, THREADS + 1);
	pthread_barrier_init(&run.end, NULL, THREADS + 1);
	for (u32 i = 0; i < THREADS; i++) {
		run.workers[i].number = i;
		run.workers[i].random = seed * 1000003 + i;
		if (pthread_create(&run.workers[i].thread, NULL, work, &run.workers[i]))
			abort();
	}
}

void histories_end(void)
{
	run.over = true;
	pthread_barrier_wait(&run.begin);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(run.workers[i].thread, NULL);
	close(run.fd);
	expedite(false);
}
