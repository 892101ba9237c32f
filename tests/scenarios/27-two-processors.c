// SPDX-License-Identifier: GPL-2.0-only
/*
 * All writes went through one process, so a second processor did not help.
 *
 * Here two writers on two CPUs check different keys and count their calls. Together they complete
 * at least 1.7 times as many calls as the faster of them alone. Other load on the machine may
 * disturb a round. Therefore rounds of one writer, of the other, and of both continue until the
 * best rounds show this ratio. Memory written by both would slow down every round. Rounds of
 * independent work in between show whether two CPUs are available at all. Every call of both
 * writers must be counted.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define NAME	"scenario-27"
#define WRITERS	2
#define KEYS	64
#define BLOCK	16	/* calls between two reads of the flag */
#define ROUND	(40 * MS)
#define WANTED	170	/* percent of the calls of one writer */
#define FREE	185	/* the same for independent work, on an idle machine */

/* bits of the crowd's flag: bit N: writer N works; the kind of work; the end */
#define BOTH	0x3
#define CONTROL	0x4
#define OVER	0x8

/* Calls per second in the best round of each writer alone, and of both. */
struct best {
	uint64_t one;
	uint64_t both;
};

/* Make BLOCK calls. Return: false if one of them failed. */
typedef bool (*block_of)(unsigned int me, void *arg);

static void stay_on(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("cannot run on CPU %u", processor);
}

/* A system call that touches only memory of the caller. */
static void ask_nobody(void)
{
	for (unsigned int i = 0; i < BLOCK; i++)
		syscall(SYS_getppid);
}

/* Work in blocks while the flag has this member's bit, until the flag has the end bit. */
static int work(struct crowd *crowd, unsigned int me, block_of block, void *arg)
{
	uint32_t flag;

	stay_on(me);
	while (!((flag = crowd->flag) & OVER)) {
		if (!(flag & 1u << me)) {
			usleep(500);
			continue;
		}
		if (flag & CONTROL) {
			ask_nobody();
			crowd->seat[me].tally[0] += BLOCK;
			continue;
		}
		if (!block(me, arg))
			return 2;
		crowd->seat[me].done += BLOCK;
	}
	return 0;
}

/* ---- rounds ----------------------------------------------------------------------- */

static uint64_t calls_of(const struct crowd *crowd, uint32_t flag)
{
	return flag & CONTROL ? crowd_tally(crowd, 0) : crowd_done(crowd);
}

/* Calls per second of the members in @flag, in one round. */
static uint64_t round_of(struct crowd *crowd, uint32_t flag)
{
	uint64_t from, calls;

	crowd->flag = flag;
	usleep(2000);
	from = now_ns();
	calls = calls_of(crowd, flag);
	usleep(ROUND / 1000);
	calls = calls_of(crowd, flag) - calls;
	calls = calls * SECOND / (now_ns() - from);
	crowd->flag = 0;
	usleep(1000);
	return calls;
}

static uint64_t better(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t hundredths(const struct best *best)
{
	return best->one ? best->both * 100 / best->one : 0;
}

static void rounds_of(struct crowd *crowd, uint32_t control, struct best *best)
{
	for (unsigned int me = 0; me < WRITERS; me++)
		best->one = better(best->one, round_of(crowd, control | 1u << me));
	best->both = better(best->both, round_of(crowd, control | BOTH));
}

/* Run at least @least rounds. Then continue for up to @longest while the ratio is too low. */
static void measure(struct crowd *crowd, unsigned int least, uint64_t longest,
		    struct best *best, struct best *control)
{
	const uint64_t begun = now_ns();

	for (unsigned int i = 0; i < least || now_ns() - begun < longest; i++) {
		if (i >= least && hundredths(best) >= WANTED)
			break;
		rounds_of(crowd, 0, best);
		rounds_of(crowd, CONTROL, control);
	}
	crowd->flag = OVER;
}

/* ---- the broken pattern: one process writes for all ---------------------------------- */

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

/* Start a process that counts for its clients until it is killed. */
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
	struct best best = {}, control = {};
	int pairs[WRITERS][2];
	pid_t server;

	for (unsigned int i = 0; i < WRITERS; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]))
			tap_bail("no sockets");
	server = start_server(pairs);
	crowd_spawn(crowd, ask_on, pairs);
	crowd_start(crowd);
	measure(crowd, 5, 0, &best, &control);
	crowd_wait(crowd);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	for (unsigned int i = 0; i < WRITERS; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	tap_note("through one process: two clients get %llu.%02llu times as much done as one",
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

static void judge(const struct best *best, const struct best *control)
{
	static const char what[] = "two writers complete 1.7 times as many calls as one";

	tap_note("with weir: %llu.%02llu times as many calls as one, %llu calls per second",
		 (unsigned long long)hundredths(best) / 100,
		 (unsigned long long)hundredths(best) % 100,
		 (unsigned long long)best->both);
	tap_note("with independent work: %llu.%02llu times",
		 (unsigned long long)hundredths(control) / 100,
		 (unsigned long long)hundredths(control) % 100);
	if (tap_scaled(2, 2) == 1)
		tap_skip("debug checks with shared data slow both writers down",
			 what);
	else if (hundredths(best) < WANTED && hundredths(control) < FREE)
		tap_skip("the machine is busy: two CPUs are not available",
			 what);
	else
		tap_ok(hundredths(best) >= WANTED, "%s", what);
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
	struct best best = {}, control = {};
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
	measure(crowd, tap_scaled(10, 2), tap_scaled(60, 20) * SECOND, &best, &control);
	tap_is(crowd_wait(crowd), 0, "every call was allowed and counted");
	judge(&best, &control);
	tap_ok(weir_counter_read(counter, &value, 1) == 1, "the counter is read");
	tap_is(value, crowd_done(crowd), "the counter has each call of both");
	tap_is(limiter_stats(limiter).allowed, crowd_done(crowd),
	       "the limiter has each call of both");
	tap_ok(counter_end(counter) && limiter_end(limiter), "all objects are gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
