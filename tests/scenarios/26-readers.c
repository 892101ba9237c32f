// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health checks queued behind writers, because all used one lock or one process. When a writer was
 * preempted with the lock, the service looked dead to its watchers.
 *
 * Here writers keep all objects busy: they add, take, strike, ban, acquire, create, delete and
 * change configurations. Meanwhile a watcher reads counters, keys and gates without sleeping once,
 * and sysfs and the list return whole values. Then all writers are stopped at arbitrary points, and
 * the watcher continues.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define NAME	"scenario-26"
#define WRITERS	6
#define PERMITS	4

struct objects {
	struct weir *weir;
	struct weir_counter *counter;
	struct weir_limiter *limiter;
	struct weir_gate *gate;
	struct weir_key key;
};

static bool find(struct objects *o)
{
	o->weir = weir_open(0);
	if (!o->weir)
		return false;
	o->counter = weir_counter_open(o->weir, NAME, WEIR_RIGHT_ALL);
	o->limiter = weir_limiter_open(o->weir, NAME, WEIR_RIGHT_ALL);
	o->gate = weir_gate_open(o->weir, NAME, WEIR_RIGHT_ALL);
	weir_key_u64(&o->key, 1);
	return o->counter && o->limiter && o->gate;
}

/* ---- the broken pattern: the holder of a lock is stopped ----------------------------- */

static void show_a_lock(void)
{
	struct {
		pthread_mutex_t lock;
		_Atomic int held;
	} *shared = shared_memory(sizeof(*shared));
	pthread_mutexattr_t attr;
	unsigned int refused = 0;
	pid_t writer;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->lock, &attr);
	fflush(stdout);
	writer = fork();
	if (!writer) {
		pthread_mutex_lock(&shared->lock);
		shared->held = 1;
		raise(SIGSTOP);
		_exit(0);
	}
	while (!shared->held)
		usleep(100);
	for (int i = 0; i < 1000; i++)
		refused += pthread_mutex_trylock(&shared->lock) != 0;
	tap_note("behind a lock whose holder is stopped: %u of 1000 health checks had no answer",
		 refused);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
}

/* ---- writers ---------------------------------------------------------------------- */

static bool add_and_take(struct objects *o, unsigned int i)
{
	const int64_t step[2] = { 1, 10 };
	int64_t values[2];

	if (i % 64)
		return !weir_counter_add_many(o->counter, 3, step);
	return weir_counter_take(o->counter, values, 2) == 2;
}

static bool strike_and_ban(struct objects *o, unsigned int i)
{
	if (i % 2)
		return !weir_limiter_strike(o->limiter, &o->key, 1, NULL);
	return !weir_limiter_ban(o->limiter, &o->key, HOUR, NULL) &&
	       !weir_limiter_lift(o->limiter, &o->key, NULL);
}

static bool change(struct objects *o, unsigned int i)
{
	struct weir_limiter_config config = { .size = sizeof(config), .burst = 10 + i % 2 };

	return !weir_limiter_set(o->limiter, WEIR_SET_BURST, &config) &&
	       !weir_gate_resize(o->gate, PERMITS + i % 2);
}

static bool create_and_delete(struct objects *o, unsigned int i)
{
	struct weir_counter *counter;

	(void)i;
	counter = weir_counter_create(o->weir, NAME "-short", WEIR_COUNTER_SUM, NULL, 0, 0660);
	return counter && counter_end(counter);
}

static bool pass(struct objects *o, unsigned int i)
{
	(void)i;
	return weir_gate_acquire(o->gate, NULL, PERMITS, WEIR_NEVER, NULL) == WEIR_ALLOWED &&
	       !weir_gate_release(o->gate, NULL, PERMITS, NULL);
}

static int write_on(struct crowd *crowd, unsigned int me, void *arg)
{
	static bool (*const works[WRITERS])(struct objects *o, unsigned int i) = {
		add_and_take, strike_and_ban, change, create_and_delete, pass, pass,
	};
	struct objects o;

	(void)arg;
	if (!find(&o))
		return 1;
	for (unsigned int i = 0;; i++) {
		if (!works[me](&o, i))
			return 2;
		crowd->seat[me].done++;
	}
}

/* ---- the watcher ------------------------------------------------------------------ */

static long sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* One round of reads that never sleep. Return: 0 if all values were whole. */
static unsigned int look(struct objects *o)
{
	struct weir_gate_answer gate;
	struct weir_answer answer;
	int64_t values[2];
	unsigned int odd = 0;

	odd += weir_counter_read(o->counter, values, 2) != 2 || values[1] != 10 * values[0];
	odd += weir_limiter_peek(o->limiter, &o->key, 1, &answer) < 0 ||
	       answer.limit < 10 || answer.limit > 11;
	odd += weir_gate_state(o->gate, NULL, &gate) < 0 || gate.limit < PERMITS ||
	       gate.limit > PERMITS + 1 || gate.remaining > gate.limit;
	return odd;
}

static bool number_at(const char *file)
{
	char path[128], text[32], *end;
	FILE *f;
	bool good;

	snprintf(path, sizeof(path), "/sys/kernel/weir/%s", file);
	f = fopen(path, "r");
	good = f && fgets(text, sizeof(text), f) && (strtoull(text, &end, 10), *end == '\n');
	if (f)
		fclose(f);
	return good;
}

/* One round of reading sysfs and the list. All objects that exist throughout are there. */
static unsigned int look_around(struct objects *o)
{
	unsigned int odd = 0;

	odd += !number_at("counters/" NAME "/requests");
	odd += !number_at("limiters/" NAME "/banned");
	odd += !number_at("gates/" NAME "/in_use");
	odd += objects_named(o->weir, NAME) != 3;
	return odd;
}

static void watch(struct objects *o, unsigned int rounds, const char *when)
{
	unsigned int odd = 0, around = 0;
	long before, slept;

	/* load all pages of the program now, because a page fault is a sleep */
	mlockall(MCL_CURRENT);
	odd += look(o);
	before = sleeps();
	for (unsigned int i = 0; i < rounds; i++)
		odd += look(o);
	slept = sleeps() - before;
	for (unsigned int i = 0; i < rounds / 10; i++)
		around += look_around(o);
	tap_is(odd, 0, "%u reads of counter, key and gate %s: each whole", rounds, when);
	tap_is(slept, 0, "none of them slept");
	tap_is(around, 0, "%u reads of sysfs and the list: each whole", rounds / 10);
}

/* Each writer has worked, so it may be at any point of its work. */
static void until_all_work(struct crowd *crowd)
{
	for (unsigned int i = 0; i < WRITERS; i++)
		for (uint64_t from = crowd->seat[i].done; crowd->seat[i].done == from;)
			usleep(100);
}

int main(void)
{
	static const char *const fields[] = { "requests", "bytes" };
	const unsigned int rounds = tap_scaled(20000, 20);
	struct weir_limiter_config limiter = {
		.size = sizeof(limiter), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 10, .period = DAY,
		.strikes = 1000000, .nbans = 1, .ban = { HOUR },
	};
	struct weir_gate_config gate = { .size = sizeof(gate), .permits = PERMITS };
	struct crowd *crowd = crowd_make(WRITERS);
	struct objects o;
	struct weir *weir;

	tap_begin("readers wait for no writer");
	show_a_lock();
	weir = service_connect();
	service_remove(weir, WEIR_KIND_COUNTER, NAME "-short");
	weir_counter_close(service_counter(weir, NAME, WEIR_COUNTER_SUM, fields, 2));
	weir_limiter_close(service_limiter(weir, NAME, &limiter));
	weir_gate_close(service_gate(weir, NAME, &gate));
	if (!find(&o))
		tap_bail("cannot open the objects");
	tap_note("%u writers, %u rounds", WRITERS, rounds);
	crowd_spawn(crowd, write_on, NULL);
	crowd_start(crowd);
	until_all_work(crowd);
	watch(&o, rounds, "while all writers run");
	until_all_work(crowd);
	for (unsigned int i = 0; i < WRITERS; i++)
		kill(crowd->seat[i].pid, SIGSTOP);
	watch(&o, rounds, "while all writers are stopped");
	for (unsigned int i = 0; i < WRITERS; i++)
		crowd_kill(crowd, i);
	crowd_wait(crowd);
	tap_is(gate_stats(o.gate).in_use, 0, "their permits are back");
	service_remove(weir, WEIR_KIND_COUNTER, NAME "-short");
	tap_ok(counter_end(o.counter) && limiter_end(o.limiter) && gate_end(o.gate),
	       "all objects are gone");
	crowd_free(crowd);
	weir_close(o.weir);
	weir_close(weir);
	return tap_end();
}
