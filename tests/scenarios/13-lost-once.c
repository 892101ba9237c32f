// SPDX-License-Identifier: GPL-2.0-only
/*
 * The death of a background task was reported twice, because two watchers noticed it, or never,
 * because the watcher died first.
 *
 * Here every task has a lease, and a thousand tasks are killed, some of them when their lease is
 * about to expire. Each of them causes exactly one event, and tasks that end normally cause none.
 * Monitors follow the events and are killed too, at any point. The next monitor continues at the
 * position of the last one and misses no event.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-13-tasks"
#define TASKS	50	/* at the same time */
#define ROUNDS	20
#define ALL	(TASKS * ROUNDS)

/* ---- the broken pattern: check whether it was reported, then report ----------------- */

struct report {
	volatile uint8_t reported;
	_Atomic unsigned int reports;
};

static int watch_and_report(struct crowd *crowd, unsigned int me, void *arg)
{
	struct report *tasks = arg;

	for (unsigned int i = 0; i < ALL; i++) {
		if (tasks[i].reported)
			continue;
		tasks[i].reported = 1;
		gap();
		/* it dies between the mark and the report, and the others see the mark */
		if (me == 0 && i % 100 == 99)
			raise(SIGKILL);
		tasks[i].reports++;
		crowd->seat[me].done++;
	}
	return 0;
}

static int look_and_report(struct crowd *crowd, unsigned int me, void *arg)
{
	struct report *tasks = arg;

	for (unsigned int i = 0; i < ALL; i++) {
		if (tasks[i].reported)
			continue;
		gap();
		tasks[i].reports++;
		tasks[i].reported = 1;
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_reports(crowd_work work, const char *how)
{
	struct report *tasks = shared_memory(ALL * sizeof(*tasks));
	struct crowd *crowd = crowd_make(2);
	unsigned int twice = 0, never = 0;

	crowd_run(crowd, work, tasks);
	for (unsigned int i = 0; i < ALL; i++) {
		twice += tasks[i].reports > 1;
		never += !tasks[i].reports;
	}
	tap_note("%s: of %u deaths %u were reported twice, %u never", how, ALL, twice, never);
	crowd_free(crowd);
}

/* ---- tasks ------------------------------------------------------------------------ */

/* State of each task, by number. */
struct ledger {
	_Atomic uint64_t version[ALL];	/* version of its lease; 0: no lease */
	_Atomic uint64_t event[ALL];	/* number of the event that a monitor read */
	_Atomic uint32_t odd;		/* impossible events */
	_Atomic uint32_t twice;		/* second events of a task */
	_Atomic uint64_t at;		/* position of the monitors */
	_Atomic uint64_t roster;	/* number of the roster */
	unsigned int round;
};

/* Every fifth task ends by itself, normally. Every third of the others is about to expire. */
static bool ends_well(unsigned int task)
{
	return task % 5 == 4;
}

static bool is_brief(unsigned int task)
{
	return !ends_well(task) && task % 3 == 0;
}

static int work(struct crowd *crowd, unsigned int me, void *arg)
{
	struct ledger *ledger = arg;
	const unsigned int task = ledger->round * TASKS + me;
	struct roster r = roster_enter(ROSTER);
	uint64_t ttl = is_brief(task) ? 5 * MS + me * 3 * MS : 0;
	struct weir_op op;
	char key[32];

	snprintf(key, sizeof(key), "%u", task);
	if (lease_claim(&r, key, NULL, 0, ttl, &op))
		return 1;
	ledger->version[task] = op.version;
	crowd->seat[me].done++;
	if (ends_well(task))
		return lease_remove(&r, key, 0) ? 2 : 0;
	for (;;)
		pause();
}

/* One round: all tasks start, and all that do not end by themselves are killed. */
static unsigned int kill_all(struct ledger *ledger)
{
	struct crowd *crowd = crowd_make(TASKS);
	unsigned int failed;

	crowd_spawn(crowd, work, ledger);
	crowd_start(crowd);
	while (crowd_done(crowd) < TASKS)
		usleep(100);
	for (unsigned int i = 0; i < TASKS; i++)
		if (!ends_well(ledger->round * TASKS + i))
			crowd_kill(crowd, i);
	failed = crowd_wait(crowd);
	crowd_free(crowd);
	return failed;
}

/* ---- monitors --------------------------------------------------------------------- */

static void note_the_loss(struct ledger *ledger, const struct weir_event *e)
{
	uint64_t task, before = 0;
	char key[32];

	if (e->type != WEIR_EVENT_LEASE_LOST || e->id != ledger->roster)
		return;
	snprintf(key, sizeof(key), "%.*s", e->data_len, (const char *)e->data);
	task = strtoul(key, NULL, 10);
	/* the lease may have expired before its owner stored the version */
	while (task < ALL && !ledger->version[task])
		gap();
	if (task >= ALL || ends_well(task) || (uint64_t)e->value != ledger->version[task] ||
	    (e->more != WEIR_LOST_HOLDER && !is_brief(task))) {
		ledger->odd++;
		return;
	}
	/* a monitor that reads an event again recognises its number */
	if (!atomic_compare_exchange_strong(&ledger->event[task], &before, e->seq))
		ledger->twice += before != e->seq;
}

/* Follow the events from the last position, until killed. */
static int monitor(struct crowd *crowd, unsigned int me, void *arg)
{
	struct ledger *ledger = arg;
	struct weir_events *events = weir_events_open(NULL, ledger->at);
	const struct weir_event *e;

	if (!events)
		return 1;
	while (weir_events_next(events, &e, -1) == 1) {
		if (e->type == WEIR_EVENT_LOST)
			return 2;
		note_the_loss(ledger, e);
		gap();
		ledger->at = e->seq + 1;
		crowd->seat[me].done++;
	}
	return 3;
}

/* Start a monitor for each round. It is killed before the round ends. */
static unsigned int rounds_run(struct ledger *ledger, unsigned int rounds)
{
	unsigned int failed = 0;

	for (ledger->round = 0; ledger->round < rounds; ledger->round++) {
		struct crowd *watcher = crowd_make(1);

		crowd_spawn(watcher, monitor, ledger);
		crowd_start(watcher);
		failed += kill_all(ledger);
		crowd_kill(watcher, 0);
		crowd_wait(watcher);
		crowd_free(watcher);
	}
	return failed;
}

/* The last monitor: read the remaining events, up to the present end. */
static void catch_up(struct ledger *ledger, uint64_t end)
{
	struct weir_events *events = weir_events_open(NULL, ledger->at);
	const struct weir_event *e;

	while (events && ledger->at < end) {
		if (weir_events_next(events, &e, -1) != 1 || e->type == WEIR_EVENT_LOST)
			tap_bail("the stream of events ended with an error");
		note_the_loss(ledger, e);
		ledger->at = e->seq + 1;
	}
	weir_events_close(events);
}

int main(void)
{
	const unsigned int rounds = tap_scaled(ROUNDS, 5), all = rounds * TASKS;
	struct ledger *ledger = shared_memory(sizeof(*ledger));
	struct weir_info info = { .size = sizeof(info) };
	unsigned int reported = 0, killed = 0;
	struct weir_roster_stats stats;
	struct weir *weir;
	struct roster r;

	tap_begin("the death of a task is reported once");
	show_the_reports(look_and_report, "look, report, mark");
	show_the_reports(watch_and_report, "look, mark, report");
	weir = service_connect();
	r = roster_make(ROSTER, ALL, 0);
	ledger->roster = roster_id(ROSTER);
	weir_get_info(weir, &info);
	ledger->at = info.event_next;
	for (unsigned int i = 0; i < all; i++)
		killed += !ends_well(i);
	tap_note("%u tasks, %u of them killed, and %u monitors", all, killed, rounds);
	tap_is(rounds_run(ledger, rounds), killed, "all tasks ended well, except the killed ones");
	stats = roster_stats(&r);
	tap_is(stats.members, 0, "when the last task is reaped, no lease is left");
	weir_get_info(weir, &info);
	tap_note("the monitors had read up to event %llu of %llu",
		 (unsigned long long)ledger->at, (unsigned long long)info.event_next);
	catch_up(ledger, info.event_next);
	for (unsigned int i = 0; i < all; i++)
		reported += ledger->event[i] != 0;
	tap_is(reported, killed, "each killed task has one event");
	tap_is(ledger->twice, 0, "no task has two events");
	tap_is(ledger->odd, 0, "no other task has an event");
	tap_is(stats.lost, killed, "the totals say so");
	tap_note("%llu of their leases had expired when they were killed",
		 (unsigned long long)stats.expired);
	tap_is(stats.removed, all - killed, "the others ended well");
	tap_ok(roster_end(&r), "the roster is gone");
	weir_close(weir);
	return tap_end();
}
