// SPDX-License-Identifier: GPL-2.0-only
/*
 * All waiters polled a semaphore every two milliseconds: 110,685 wake-ups to admit 500. The task
 * that polled at the right moment was admitted next, not the first in line. A task that wanted a
 * second permit while it held one waited for itself.
 *
 * Here 500 processes wait for 10 permits. They sleep until their turn, are woken once, and are
 * served in order of arrival, including those that want all ten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define GATE	"scenario-15-gate"
#define PERMITS	10
#define BIG	5	/* every fifth process wants all permits */

struct place {
	pid_t pid;
	_Atomic int result;
	_Atomic unsigned int turn;
	_Atomic long sleeps;
};

struct hall {
	_Atomic unsigned int turns;
	_Atomic long free, asked;
	struct place place[];
};

/* ------------------------------------------------------------ the broken pattern */

static int poll_semaphore(struct crowd *crowd, unsigned int me, void *arg)
{
	struct hall *hall = arg;
	long seen;

	(void)crowd;
	(void)me;
	for (;;) {
		hall->asked++;
		seen = hall->free;
		if (seen > 0 && atomic_compare_exchange_strong(&hall->free, &seen, seen - 1))
			break;
		usleep(2000);
	}
	usleep(2000);
	hall->free++;
	return 0;
}

static void show_the_polling(struct hall *hall, unsigned int waiters)
{
	struct crowd *crowd = crowd_make(waiters);

	hall->free = PERMITS;
	crowd_run(crowd, poll_semaphore, hall);
	tap_note("asked every 2 ms: %ld questions to let %u in", (long)hall->asked, waiters);
	crowd_free(crowd);
}

/* ------------------------------------------------------------ the gate */

static uint32_t wants(unsigned int i)
{
	return i % BIG == BIG - 1 ? PERMITS : 1 + i % 3;
}

static void wait_and_pass(struct hall *hall, unsigned int i)
{
	struct weir *weir = weir_open(0);
	struct weir_gate *gate = weir ? weir_gate_open(weir, GATE, WEIR_RIGHT_ALL) : NULL;
	struct place *place = &hall->place[i];
	struct rusage before, after;

	if (!gate)
		_exit(1);
	getrusage(RUSAGE_SELF, &before);
	place->result = weir_gate_acquire(gate, NULL, wants(i), WEIR_NEVER, NULL);
	getrusage(RUSAGE_SELF, &after);
	place->sleeps = after.ru_nvcsw - before.ru_nvcsw;
	/*
	 * recorded while the permits are held, so before the next process that wants all is
	 * admitted
	 */
	place->turn = hall->turns++;
	_exit(weir_gate_release(gate, NULL, wants(i), NULL) ? 2 : 0);
}

static unsigned int waiting(struct weir_gate *gate)
{
	struct weir_gate_answer answer = { 0 };

	if (weir_gate_state(gate, NULL, &answer))
		tap_bail("cannot see the gate");
	return answer.waiting;
}

/* One after the other: each process is in the queue before the next one starts. */
static void line_up(struct hall *hall, struct weir_gate *gate, unsigned int waiters)
{
	pid_t pid;

	fflush(stdout);
	for (unsigned int i = 0; i < waiters; i++) {
		pid = fork();
		if (pid < 0)
			tap_bail("fork");
		if (!pid)
			wait_and_pass(hall, i);
		hall->place[i].pid = pid;
		while (waiting(gate) != i + 1)
			if (waitpid(pid, NULL, WNOHANG))
				tap_bail("waiter %u died", i);
	}
}

/* Number of context switches of a task: voluntary and involuntary ones. */
static unsigned long switches(pid_t pid)
{
	unsigned long sum = 0, n;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
			sum += n;
	if (file)
		fclose(file);
	return sum;
}

static unsigned long all_switches(const struct hall *hall, unsigned int waiters)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < waiters; i++)
		sum += switches(hall->place[i].pid);
	return sum;
}

/*
 * Wait until all sleep, that is until none was scheduled for a second. From then on none may be
 * scheduled.
 */
static void costs_nothing(const struct hall *hall, unsigned int waiters)
{
	unsigned long before, after = all_switches(hall, waiters);

	do {
		before = after;
		sleep(1);
		after = all_switches(hall, waiters);
	} while (before != after);
	sleep(2);
	after = all_switches(hall, waiters);
	tap_ok(before > 0, "they have run before");
	tap_is(after - before, 0, "in two seconds none of %u waiters ran", waiters);
}

static void judge(const struct hall *hall, unsigned int waiters)
{
	unsigned int failed = 0, wrong = 0, early = 0;
	long sleeps = 0, most = 0;

	for (unsigned int i = 0; i < waiters; i++) {
		const struct place *place = &hall->place[i];
		int status;

		waitpid(place->pid, &status, 0);
		failed += status || place->result != WEIR_ALLOWED;
		/*
		 * process i gets all permits only after each of the i earlier processes has had its
		 * permits, and before any later one has: exactly i processes have recorded that
		 */
		wrong += wants(i) == PERMITS && place->turn != i;
		/* PERMITS - 1 earlier processes at most hold permits and have not recorded it yet */
		early += place->turn + PERMITS - 1 < i;
		sleeps += place->sleeps;
		if (place->sleeps > most)
			most = place->sleeps;
	}
	tap_is(failed, 0, "all %u were admitted", waiters);
	tap_is(wrong, 0, "requests for all permits are granted exactly in order");
	tap_is(early, 0, "and no request before one that came ten places earlier");
	tap_note("%ld sleeps in all, %ld at most", sleeps, most);
	tap_ok(most <= 3, "each slept at most three times");
	tap_ok((unsigned long)sleeps <= 2UL * waiters, "and on average at most twice");
}

/* A request that can never be granted fails at once. */
static void impossible(struct weir_gate *gate)
{
	tap_is(weir_gate_acquire(gate, NULL, PERMITS + 1, WEIR_NEVER, NULL) < 0 &&
	       errno == E2BIG, 1, "a request for more permits than there are is refused at once");
	tap_is(weir_gate_acquire(gate, NULL, PERMITS, WEIR_NEVER, NULL) < 0 &&
	       errno == EDEADLK, 1, "so is a request that only its own permits block");
}

int main(void)
{
	const unsigned int waiters = tap_scaled(500, 10);
	struct weir_gate_config config = { .size = sizeof(config), .permits = PERMITS };
	struct hall *hall = shared_memory(sizeof(*hall) + waiters * sizeof(hall->place[0]));
	struct weir_gate_stats stats;
	struct weir_gate *gate;
	struct weir *weir;

	tap_begin("a fair gate: in order of arrival, one wake-up each");
	show_the_polling(hall, waiters);
	/* with a tag, the gate knows that no other task could release this process's permits */
	weir_tag_set(1);
	weir = service_connect();
	gate = service_gate(weir, GATE, &config);
	if (weir_gate_try(gate, NULL, PERMITS, NULL) != WEIR_ALLOWED)
		tap_bail("the gate is not free");
	impossible(gate);
	line_up(hall, gate, waiters);
	costs_nothing(hall, waiters);
	tap_ok(!weir_gate_release(gate, NULL, PERMITS, NULL), "the gate's permits are released");
	judge(hall, waiters);
	stats = gate_stats(gate);
	tap_is(stats.in_use, 0, "nothing is in use");
	tap_is(stats.waiting, 0, "there are no waiters");
	tap_is(stats.acquired, waiters + 1, "each request was granted once");
	tap_is(stats.reclaimed, 0, "all released their permits");
	tap_ok(gate_end(gate), "the gate is gone");
	weir_close(weir);
	return tap_end();
}
