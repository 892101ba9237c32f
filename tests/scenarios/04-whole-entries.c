// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task was put into a table, then its timer was set, then its owner. A reader in between saw a
 * task without a timer and without an owner.
 *
 * Here four processes claim 100,000 leases and replace values, while two readers read single leases
 * and the list. No lease is seen without its whole value, its owner and its TTL, and no value with
 * the version of another value.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-04-tasks"
#define WRITERS	4
#define READERS	2
#define SLOTS	8	/* keys of each writer */
#define WORDS	31

static unsigned int each;

/* ---- the broken pattern: three steps, visible between any two --------------------- */

struct slot {
	volatile uint32_t there, timer, owner;
};

static int insert_then_set(struct crowd *crowd, unsigned int me, void *arg)
{
	struct slot *slot = arg;

	for (unsigned int i = 0; i < 2000; i++) {
		slot->there = 1;
		gap();
		slot->timer = 1;
		slot->owner = 1;
		gap();
		slot->there = 0;
		slot->timer = 0;
		slot->owner = 0;
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_half_made(void)
{
	struct slot *slot = shared_memory(sizeof(*slot));
	struct crowd *crowd = crowd_make(1);
	unsigned int half = 0, seen = 0;

	crowd_spawn(crowd, insert_then_set, slot);
	crowd_start(crowd);
	while (crowd_done(crowd) < 2000) {
		if (slot->there) {
			seen++;
			half += !slot->timer || !slot->owner;
		}
		gap();
	}
	crowd_wait(crowd);
	tap_note("insert, then set the timer: %u of %u tasks were seen without one", half,
		 seen);
	crowd_free(crowd);
}

/* ---- writers ---------------------------------------------------------------------- */

/* A value from which a reader can check its key, its number, and that it is whole. */
struct task {
	uint32_t writer, slot;
	uint64_t serial;
	uint32_t pid, fill[WORDS];
};

static void task_fill(struct task *task, unsigned int writer, unsigned int slot,
		      uint64_t serial, uint32_t pid)
{
	*task = (struct task){ .writer = writer, .slot = slot, .serial = serial,
			       .pid = pid };
	for (unsigned int i = 0; i < WORDS; i++)
		task->fill[i] = serial * WORDS + i;
}

static void key_make(char *key, size_t size, unsigned int writer, unsigned int slot)
{
	snprintf(key, size, "task-%u-%u", writer, slot);
}

/* A claim, one or two new values, and the removal. */
static int claim_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	uint64_t serial = 0;
	struct task task;
	char key[32];

	(void)arg;
	for (unsigned int i = 0; i < each; i++) {
		key_make(key, sizeof(key), me, i % SLOTS);
		if (i >= SLOTS && lease_remove(&r, key, 0))
			return 1;
		task_fill(&task, me, i % SLOTS, ++serial, getpid());
		if (lease_claim(&r, key, &task, sizeof(task), HOUR, NULL))
			return 2;
		crowd->seat[me].done++;
		task_fill(&task, me, i % SLOTS, ++serial, getpid());
		if (i % 3 == 0 && lease_put(&r, key, &task, sizeof(task), HOUR, NULL))
			return 3;
	}
	return 0;
}

/* ---- readers ---------------------------------------------------------------------- */

/* results of a reader, in its tally */
enum { TORN, MET, LISTED, OLD };

/* the last version seen of each key */
struct seen {
	uint64_t version, serial;
};

/*
 * All parts of the lease are there and are from one writer. A later version of a key has a later
 * value.
 */
static void judge(struct seat *seat, struct seen *seen, const struct task *task, uint64_t length,
		  uint64_t version, bool timed, uint32_t pid, uint32_t uid)
{
	struct task wanted;
	struct seen *before;

	if (length != sizeof(*task) || task->writer >= WRITERS || task->slot >= SLOTS) {
		seat->tally[TORN]++;
		return;
	}
	task_fill(&wanted, task->writer, task->slot, task->serial, task->pid);
	if (memcmp(&wanted, task, sizeof(wanted)) || pid != task->pid || uid != geteuid() ||
	    !timed)
		seat->tally[TORN]++;
	before = &seen[task->writer * SLOTS + task->slot];
	if (version == before->version)
		seat->tally[OLD] += task->serial != before->serial;
	else
		seat->tally[OLD] += version < before->version ||
				    task->serial <= before->serial;
	before->version = version;
	before->serial = task->serial;
}

/* The lease may have been made after the clock was read for its remaining time. */
static bool is_timed(uint64_t left, uint64_t since)
{
	return left && left <= HOUR + now_ns() - since;
}

static void look_at_one(const struct roster *r, struct seat *seat, struct seen *seen,
			unsigned int i)
{
	unsigned int writer = i % WRITERS, slot = i / WRITERS % SLOTS;
	uint64_t since = now_ns();
	struct weir_op op;
	struct task task;
	char key[32];

	key_make(key, sizeof(key), writer, slot);
	if (lease_get(r, key, &task, sizeof(task), &op))
		return;
	seat->tally[MET]++;
	seat->tally[TORN] += task.writer != writer || task.slot != slot;
	judge(seat, seen, &task, op.length, op.version, is_timed(op.left, since),
	      op.pid, op.uid);
}

static void look_at_all(const struct roster *r, struct seat *seat, struct seen *seen)
{
	static struct roster_list list;
	uint64_t since = now_ns();
	const struct weir_lease_info *info;
	const struct task *task;
	char key[32];

	roster_list_begin(&list, r);
	while ((info = roster_list_next(&list))) {
		task = lease_value(info);
		key_make(key, sizeof(key), task->writer, task->slot);
		seat->tally[LISTED]++;
		seat->tally[TORN] += info->key_len != strlen(key) ||
				     memcmp(info->data, key, info->key_len);
		judge(seat, seen, task, info->value_len, info->version,
		      is_timed(info->left, since), info->pid, info->uid);
	}
}

static int look_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seen seen[WRITERS * SLOTS] = { 0 };
	struct roster r = roster_enter(ROSTER);

	(void)arg;
	for (unsigned int i = 0; !crowd->flag; i++) {
		look_at_one(&r, &crowd->seat[me], seen, i);
		if (i % 64 == 0)
			look_at_all(&r, &crowd->seat[me], seen);
	}
	return 0;
}

int main(void)
{
	struct crowd *writers = crowd_make(WRITERS), *readers = crowd_make(READERS);
	struct weir_roster_stats stats;
	struct roster r;

	tap_begin("a task is seen whole or not at all");
	each = tap_scaled(100000 / WRITERS, 50);
	show_the_half_made();
	r = roster_make(ROSTER, WRITERS * SLOTS, 0);
	tap_note("%u writers claim %u leases each, %u readers read", WRITERS, each, READERS);
	crowd_spawn(readers, look_on, NULL);
	crowd_start(readers);
	tap_is(crowd_run(writers, claim_on, NULL), 0, "every claim succeeded");
	readers->flag = 1;
	tap_is(crowd_wait(readers), 0, "the readers did their work");
	tap_note("%llu leases were read one by one, %llu in lists",
		 (unsigned long long)crowd_tally(readers, MET),
		 (unsigned long long)crowd_tally(readers, LISTED));
	tap_is(crowd_tally(readers, TORN), 0,
	       "each had all of its value, its owner and its TTL");
	tap_is(crowd_tally(readers, OLD), 0, "each had the value of its version");
	tap_ok(crowd_tally(readers, MET) && crowd_tally(readers, LISTED),
	       "some leases were read");
	stats = roster_stats(&r);
	tap_is(stats.claimed, (uint64_t)WRITERS * each, "each claim was counted");
	tap_is(stats.removed + stats.lost, stats.claimed, "each removal was counted");
	tap_is(stats.members, 0, "nothing is left");
	tap_ok(roster_end(&r), "the roster is gone");
	crowd_free(writers);
	crowd_free(readers);
	return tap_end();
}
