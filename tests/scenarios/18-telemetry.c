// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telemetry counted calls, bytes and errors in one table each, by reading and
 * writing: 30 to 70 % were lost, and the bytes did not belong to the calls.
 *
 * Here 16 processes add to five fields in one step while a reader takes 100,000 snapshots. Each
 * call adds 1, 10, 100, 1000 and -1 to the fields, so a snapshot with only a part of a call is
 * recognised.
 */
#include <string.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define COUNTER	"scenario-18-telemetry"
#define FIELDS	5
#define WRITERS	16

static const char *const names[FIELDS] = {
	"calls", "requests", "bytes_in", "bytes_out", "credit",
};

static const int64_t step[FIELDS] = { 1, 10, 100, 1000, -1 };

static int read_then_write(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile int64_t *fields = arg;

	for (int i = 0; i < 2000; i++) {
		for (int f = 0; f < FIELDS; f++) {
			int64_t seen = fields[f];

			if (i % 8 == f)
				gap();
			fields[f] = seen + step[f];
		}
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_disagreement(void)
{
	int64_t *fields = shared_memory(FIELDS * sizeof(*fields));
	struct crowd *crowd = crowd_make(WRITERS);
	uint64_t made;

	crowd_run(crowd, read_then_write, fields);
	made = crowd_done(crowd);
	tap_note("read, then write: of %llu calls %lld were counted, with bytes for %lld",
		 (unsigned long long)made, (long long)fields[0],
		 (long long)fields[3] / step[3]);
	crowd_free(crowd);
}

static int add(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir *weir = weir_open(0);
	struct weir_counter *counter;

	(void)arg;
	if (!weir)
		return 1;
	counter = weir_counter_open(weir, COUNTER, WEIR_RIGHT_USE);
	if (!counter)
		return 2;
	while (!crowd->flag) {
		if (weir_counter_add_many(counter, 0x1f, step))
			return 3;
		crowd->seat[me].done++;
	}
	return 0;
}

static bool is_whole(const int64_t *values)
{
	for (int f = 0; f < FIELDS; f++)
		if (values[f] != values[0] * step[f])
			return false;
	return true;
}

int main(void)
{
	const unsigned int snapshots = tap_scaled(100000, 20);
	unsigned int torn = 0, backwards = 0, alike = 0;
	int64_t values[FIELDS] = { 0 }, last = 0;
	struct weir_counter *counter;
	struct crowd *crowd;
	struct weir *weir;

	tap_begin("five fields, one step: no snapshot shows half of it");
	weir = service_connect();
	show_the_disagreement();
	counter = service_counter(weir, COUNTER, WEIR_COUNTER_SUM, names, FIELDS);
	tap_note("%u writers, %u snapshots", WRITERS, snapshots);
	crowd = crowd_make(WRITERS);
	crowd_spawn(crowd, add, NULL);
	crowd_start(crowd);
	for (unsigned int i = 0; i < snapshots; i++) {
		if (weir_counter_read(counter, values, FIELDS) != FIELDS)
			tap_bail("cannot read %s", COUNTER);
		torn += !is_whole(values);
		backwards += values[0] < last;
		alike += values[0] == last;
		last = values[0];
	}
	crowd->flag = 1;
	tap_is(crowd_wait(crowd), 0, "every writer did its work");
	tap_is(torn, 0, "every snapshot was whole");
	tap_is(backwards, 0, "none was older than the one before");
	tap_ok(alike < snapshots - 1, "the writers worked meanwhile");
	weir_counter_read(counter, values, FIELDS);
	tap_note("%llu calls", (unsigned long long)crowd_done(crowd));
	tap_is(values[0], crowd_done(crowd), "every call was counted");
	tap_ok(is_whole(values), "and all amounts of each call");
	tap_ok(counter_end(counter), "the counter is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
