// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals were pushed to all subscribers without back-pressure. The mailbox of a stopped subscriber
 * grew until memory was exhausted.
 *
 * Here a reader follows the events and is stopped, and four writers flood the stream. The kernel's
 * memory does not grow, and no writer sleeps. When the reader continues, it gets the number of
 * events that it missed, and then the last events.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"
#include "visit.h"

#define WRITERS	4
#define KEPT	1024
#define ROOM	(2L << 20)	/* variation of the kernel's memory from other causes */

static unsigned int each;

/* ------------------------------------------------ the flood */

/* Fill a record so that a reader can check its writer, its number and that it is whole. */
static void record_fill(uint32_t *record, unsigned int me, unsigned int i)
{
	for (unsigned int word = 0; word < WEIR_RECORD_MAX / 4; word += 2) {
		record[word] = me;
		record[word + 1] = i;
	}
}

static long slept(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* results of a writer, in its tally */
enum { SLEPT };

static int flood(struct crowd *crowd, unsigned int me, void *arg)
{
	uint32_t record[WEIR_RECORD_MAX / 4];
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	long before;

	(void)arg;
	if (!weir)
		return 1;
	/* load all pages of the program now, because a page fault is a sleep */
	mlockall(MCL_CURRENT);
	before = slept();
	for (unsigned int i = 0; i < each; i++) {
		record_fill(record, me, i);
		if (weir_emit(weir, NULL, record, sizeof(record), NULL))
			return 2;
		seat->done++;
	}
	seat->tally[SLEPT] = slept() - before;
	/* stay until the memory was measured, so that this process's exit does not change it */
	while (!crowd->flag)
		usleep(10000);
	weir_close(weir);
	return 0;
}

/* ------------------------------------------------ the reader */

/* results of the reader, in its tally */
enum { LOST, FIRST_LOST, BROKEN, NUMBER };

static bool record_is_whole(const struct weir_event *e, uint32_t *next)
{
	uint32_t wanted[WEIR_RECORD_MAX / 4], me, i;

	if (e->type != WEIR_EVENT_RECORD || e->data_len != sizeof(wanted))
		return false;
	memcpy(&me, e->data, 4);
	memcpy(&i, e->data + 4, 4);
	if (me >= WRITERS || i >= each || i < next[me])
		return false;
	record_fill(wanted, me, i);
	next[me] = i + 1;
	return !memcmp(e->data, wanted, sizeof(wanted));
}

/* Read up to @end. The reader is stopped before its first read. */
static int follow(struct crowd *crowd, unsigned int me, void *arg)
{
	const uint64_t from = *(uint64_t *)arg;
	const uint64_t end = from + (uint64_t)WRITERS * each;
	struct weir_events *events = weir_events_open(NULL, from);
	struct seat *seat = &crowd->seat[me];
	uint32_t next[WRITERS] = { 0 };
	const struct weir_event *e;
	uint64_t at = from;

	if (!events)
		return 1;
	seat->begun = 1;
	/* the process stops itself, so it is not stopped in a read */
	raise(SIGSTOP);
	while (at < end) {
		if (weir_events_next(events, &e, -1) != 1)
			return 2;
		if (e->type == WEIR_EVENT_LOST) {
			seat->tally[LOST] += e->value;
			seat->tally[FIRST_LOST] = e->seq;
			seat->tally[NUMBER]++;
			at = e->seq + e->value;
			continue;
		}
		seat->tally[BROKEN] += e->seq != at || !record_is_whole(e, next);
		seat->done++;
		at = e->seq + 1;
	}
	weir_events_close(events);
	return 0;
}

static struct crowd *stopped_reader(uint64_t *from)
{
	struct crowd *reader = crowd_make(1);
	int status;

	crowd_spawn(reader, follow, from);
	crowd_start(reader);
	if (waitpid(reader->seat[0].pid, &status, WUNTRACED) < 0 ||
	    !WIFSTOPPED(status))
		tap_bail("the reader did not stop");
	return reader;
}

/* ------------------------------------------------ flood and check */

static void flood_and_look(void)
{
	struct crowd *writers = crowd_make(WRITERS);
	const uint64_t all = (uint64_t)WRITERS * each;
	long before, after;
	uint64_t most = 0;

	crowd_spawn(writers, flood, NULL);
	before = kernel_bytes();
	crowd_start(writers);
	while (crowd_done(writers) < all)
		usleep(10000);
	after = kernel_bytes();
	writers->flag = 1;
	tap_is(crowd_wait(writers), 0, "every writer emitted all its records");
	for (unsigned int i = 0; i < WRITERS; i++)
		if (writers->seat[i].tally[SLEPT] > most)
			most = writers->seat[i].tally[SLEPT];
	tap_note("%llu events of %u bytes; the kernel's memory moved by %ld KiB",
		 (unsigned long long)all, WEIR_RECORD_MAX, (after - before) / 1024);
	tap_note("a writer slept %llu times at most", (unsigned long long)most);
	tap_ok(after - before < ROOM, "the kernel's memory did not grow");
	if (access("/sys/kernel/realtime", F_OK))
		tap_ok(most <= each / 1000, "no writer waited for the reader");
	else
		tap_skip("with PREEMPT_RT, writers sleep for each other's lock",
			 "no writer waited for the reader");
	crowd_free(writers);
}

int main(void)
{
	struct weir_info info = { .size = sizeof(info) };
	struct crowd *reader;
	struct weir *weir;
	struct seat *seat;
	uint64_t all, from;

	tap_begin("a flood of events, and a stopped reader");
	weir = service_connect();
	each = tap_scaled(50000, 10);
	all = (uint64_t)WRITERS * each;
	weir_get_info(weir, &info);
	from = info.event_next;
	reader = stopped_reader(&from);
	seat = &reader->seat[0];
	tap_is(seat->begun, 1, "the reader follows, and is stopped");
	flood_and_look();
	kill(seat->pid, SIGCONT);
	tap_is(crowd_wait(reader), 0, "the reader continues to the end");
	tap_is(seat->tally[NUMBER], 1, "the loss is reported once");
	tap_is(seat->tally[FIRST_LOST], from, "beginning with the first lost event");
	tap_is(seat->tally[LOST], all - KEPT, "with the exact number");
	tap_is(seat->done, KEPT, "and the reader got the last %u", KEPT);
	tap_is(seat->tally[BROKEN], 0, "which were whole, numbered and in order");
	crowd_free(reader);
	weir_close(weir);
	return tap_end();
}
