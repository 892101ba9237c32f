// SPDX-License-Identifier: GPL-2.0-only
/*
 * A circuit breaker looked for its name, found none, and registered itself; two processes did
 * so at the same time. Both then counted failures, one of them in an orphan that no other
 * process could find.
 *
 * Here a hundred processes create one name. Exactly one of them creates the object; all others
 * get its owner, and all get the same object.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define NAME	"scenario-03-breaker"

struct table {
	volatile uint32_t registered;
	volatile uint32_t orphans;
};

static int look_then_register(struct crowd *crowd, unsigned int me, void *arg)
{
	struct table *table = arg;

	if (table->registered)
		return 0;
	gap();
	crowd->seat[me].done++;
	table->registered = getpid();
	return 0;
}

static void show_the_orphans(unsigned int processes, unsigned int rounds)
{
	struct table *table = shared_memory(sizeof(*table));
	unsigned int orphans = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		struct crowd *crowd = crowd_make(processes);

		table->registered = 0;
		crowd_run(crowd, look_then_register, table);
		orphans += crowd_done(crowd) - 1;
		crowd_free(crowd);
	}
	tap_note("look, then register: %u orphans in %u rounds of %u processes",
		 orphans, rounds, processes);
}

static int create(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.tokens = me + 1, .period = DAY,
	};
	struct weir_create create = {
		.owner = WEIR_OWNER_DEFAULT,
		.size = sizeof(create), .kind = WEIR_KIND_LIMITER,
		.mode = 0660, .gid = WEIR_GID_DEFAULT,
		.rights = WEIR_RIGHT_ALL, .config = (uintptr_t)&config,
		.name = NAME,
	};
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);

	(void)arg;
	if (!weir)
		return 1;
	if (!weir_create(weir, &create)) {
		seat->done = 1;
		/* the configuration that the object must have */
		seat->tally[2] = config.tokens;
	} else if (errno == EEXIST) {
		seat->tally[0] = 1;
	} else {
		return 2;
	}
	seat->tally[1] = create.id;
	return create.owner == getuid() ? 0 : 3;
}

static void race(struct weir *weir, unsigned int processes)
{
	struct crowd *crowd = crowd_make(processes);
	struct weir_limiter_config config = { .size = sizeof(config) };
	struct weir_limiter *winner;
	unsigned int others = 0;

	tap_is(crowd_run(crowd, create, NULL), 0, "every call was answered");
	tap_is(crowd_done(crowd), 1, "one process made the object");
	tap_is(crowd_tally(crowd, 0), processes - 1, "all others found the object");
	for (unsigned int i = 1; i < processes; i++)
		others += crowd->seat[i].tally[1] != crowd->seat[0].tally[1];
	tap_is(others, 0, "all got the same number");
	tap_is(objects_named(weir, NAME), 1, "there is one object");
	winner = weir_limiter_open(weir, NAME, WEIR_RIGHT_ALL);
	if (!winner || weir_limiter_get_config(winner, &config))
		tap_bail("cannot look at %s", NAME);
	tap_is(config.tokens, crowd_tally(crowd, 2),
	       "it has the configuration of the process that made it");
	tap_ok(limiter_end(winner), "the object is deleted");
	tap_is(objects_named(weir, NAME), 0, "nothing is left");
	crowd_free(crowd);
}

int main(void)
{
	const unsigned int processes = tap_scaled(100, 4);
	const unsigned int rounds = tap_scaled(5, 2);
	struct weir *weir;

	tap_begin("one name, one object: look-then-register against weir");
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, NAME);
	show_the_orphans(processes, rounds);
	tap_note("%u processes create one name, %u times", processes, rounds);
	for (unsigned int i = 0; i < rounds; i++)
		race(weir, processes);
	weir_close(weir);
	return tap_end();
}
