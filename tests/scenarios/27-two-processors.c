// SPDX-License-Identifier: GPL-2.0-only
/*
 * All writes went through one process, so that a second processor was of no use.
 *
 * Here two writers on two processors check keys of their own and count what they did.
 * They get at least 1.7 times as much done as the better of them alone. What else runs
 * on the machine may take a round away from them, so rounds of one, of the other and of
 * both go on until the best of each says so; whatever is written by both would hold
 * them back in every round. And each call counts, of both.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define NAME	"scenario-27"
#define WRITERS	2
#define KEYS	64
#define BLOCK	16	/* calls between two looks at the flag */
#define ROUND	(100 * MS)
#define WANTED	170	/* hundredths of what one gets done */

/* in the crowd's flag: bit N: writer N is to work */
#define BOTH	((1u << WRITERS) - 1)
#define OVER	(1u << WRITERS)

/* Calls a second in the best round of one writer alone, and of both. */
struct best {
	uint64_t one;
	uint64_t both;
};

/* One with as many calls as there are in BLOCK; false if one of them failed. */
typedef bool (*block_of)(unsigned int me, void *arg);

static void stay_on(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("processor %u is not to be had", processor);
}

/* Blocks while the flag has his bit, until it says that all is over. */
static int work(struct crowd *crowd, unsigned int me, block_of block, void *arg)
{
	uint32_t flag;

	stay_on(me);
	while (!((flag = crowd->flag) & OVER)) {
		if (!(flag & 1u << me)) {
			usleep(500);
			continue;
		}
		if (!block(me, arg))
			return 2;
		crowd->seat[me].done += BLOCK;
	}
	return 0;
}

/* ---- rounds ----------------------------------------------------------------------- */

/* Calls a second of those named in @who, in one round. */
static uint64_t round_of(struct crowd *crowd, uint32_t who)
{
	uint64_t from, done;

	crowd->flag = who;
	usleep(5000);
	from = now_ns();
	done = crowd_done(crowd);
	usleep(ROUND / 1000);
	done = crowd_done(crowd) - done;
	done = done * SECOND / (now_ns() - from);
	crowd->flag = 0;
	usleep(1000);
	return done;
}

static uint64_t better(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t hundredths(const struct best *best)
{
	return best->one ? best->both * 100 / best->one : 0;
}

/* At least @least rounds, and at most @most while both do not get on well enough. */
static struct best measure(struct crowd *crowd, unsigned int least, unsigned int most)
{
	struct best best = {};

	for (unsigned int i = 0; i < most; i++) {
		if (i >= least && hundredths(&best) >= WANTED)
			break;
		for (unsigned int me = 0; me < WRITERS; me++)
			best.one = better(best.one, round_of(crowd, 1u << me));
		best.both = better(best.both, round_of(crowd, BOTH));
	}
	crowd->flag = OVER;
	return best;
}

/* ---- the broken pattern: one process that writes for all -------------------------- */

static bool ask(unsigned int me, void *arg)
{
	int (*pairs)[2] = arg;
	uint64_t key = me;

	for (unsigned int i = 0; i < BLOCK; i++)
		if (write(pairs[me][1], &key, sizeof(key)) != sizeof(key) ||
		    read(pairs[me][1], &key, sizeof(key)) != sizeof(key))
			return false;
	return true;
}

static int ask_on(struct crowd *crowd, unsigned int me, void *arg)
{
	return work(crowd, me, ask, arg);
}

/* Counts for whoever asks, until it is killed. */
static pid_t start_server(int (*pairs)[2])
{
	uint64_t counts[WRITERS] = {}, key;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	for (;;) {
		for (unsigned int i = 0; i < WRITERS; i++) {
			if (recv(pairs[i][0], &key, sizeof(key), MSG_DONTWAIT) < 0)
				continue;
			counts[i]++;
			if (write(pairs[i][0], &counts[i], sizeof(counts[i])) < 0)
				_exit(1);
		}
		sched_yield();
	}
}

static void show_one_process(void)
{
	struct crowd *crowd = crowd_make(WRITERS);
	int pairs[WRITERS][2];
	struct best best;
	pid_t server;

	for (unsigned int i = 0; i < WRITERS; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]))
			tap_bail("no sockets");
	server = start_server(pairs);
	crowd_spawn(crowd, ask_on, pairs);
	crowd_start(crowd);
	best = measure(crowd, 5, 5);
	crowd_wait(crowd);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	for (unsigned int i = 0; i < WRITERS; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	tap_note("through one process: two get %llu.%02llu times as much done as one",
		 (unsigned long long)hundredths(&best) / 100,
		 (unsigned long long)hundredths(&best) % 100);
	crowd_free(crowd);
}

/* ---- and with weir ---------------------------------------------------------------- */

struct objects {
	struct weir *weir;
	struct weir_counter *counter;
	struct weir_limiter *limiter;
	uint64_t next;
};

static bool check_and_count(unsigned int me, void *arg)
{
	struct objects *o = arg;
	struct weir_key key;
	int64_t step = 1;

	for (unsigned int i = 0; i < BLOCK; i++) {
		weir_key_u64(&key, me * KEYS + o->next++ % KEYS);
		if (weir_limiter_check(o->limiter, &key, 1, NULL) != WEIR_ALLOWED ||
		    weir_counter_add(o->counter, 0, step))
			return false;
	}
	return true;
}

static int write_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct objects o = { .weir = weir_open(0) };

	(void)arg;
	if (!o.weir)
		return 1;
	o.counter = weir_counter_open(o.weir, NAME, WEIR_RIGHT_USE);
	o.limiter = weir_limiter_open(o.weir, NAME, WEIR_RIGHT_USE);
	if (!o.counter || !o.limiter)
		return 1;
	return work(crowd, me, check_and_count, &o);
}

static void judge(const struct best *best)
{
	tap_note("with weir: two get %llu.%02llu times as much done as one, %llu calls a second",
		 (unsigned long long)hundredths(best) / 100,
		 (unsigned long long)hundredths(best) % 100,
		 (unsigned long long)best->both);
	/* kernels that check everything do so in one place for all */
	if (tap_scaled(2, 2) == 1)
		tap_skip("what such a kernel itself writes for all holds both back",
			 "two get 1.7 times as much done as one");
	else
		tap_ok(hundredths(best) >= WANTED,
		       "two get 1.7 times as much done as one");
}

int main(void)
{
	static const char *const fields[] = { "calls" };
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 1000000000, .period = SECOND,
	};
	struct crowd *crowd = crowd_make(WRITERS);
	struct weir_counter *counter;
	struct weir_limiter *limiter;
	struct best best;
	int64_t value;
	struct weir *weir;

	tap_begin("two processors are worth two");
	if (sysconf(_SC_NPROCESSORS_ONLN) < WRITERS)
		tap_bail("there are not %u processors", WRITERS);
	show_one_process();
	weir = service_connect();
	counter = service_counter(weir, NAME, WEIR_COUNTER_SUM, fields, 1);
	limiter = service_limiter(weir, NAME, &config);
	crowd_spawn(crowd, write_on, NULL);
	crowd_start(crowd);
	best = measure(crowd, tap_scaled(20, 4), tap_scaled(400, 100));
	tap_is(crowd_wait(crowd), 0, "every call was allowed and counted");
	judge(&best);
	tap_ok(weir_counter_read(counter, &value, 1) == 1, "the counter is read");
	tap_is(value, crowd_done(crowd), "it has each call of both");
	tap_is(limiter_stats(limiter).allowed, crowd_done(crowd), "and so has the limiter");
	tap_ok(counter_end(counter) && limiter_end(limiter), "all is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
