// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service numbered its messages by reading a counter and writing it back; under load two
 * messages got the same number.
 *
 * Here a hundred processes take ten thousand numbers each, one at a time or in blocks. Every
 * number is handed out once, and none is left out.
 */

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define SEQUENCE "scenario-16-messages"

static unsigned int processes, numbers;

/* for each number, how often it was drawn */
struct drawn {
	uint64_t size;
	uint64_t block;
	_Atomic uint8_t times[];
};

static struct drawn *drawn_make(uint64_t size, uint64_t block)
{
	struct drawn *drawn = shared_memory(sizeof(*drawn) + size + 1);

	drawn->size = size;
	drawn->block = block;
	return drawn;
}

struct broken {
	volatile uint64_t next;
	struct drawn *drawn;
};

static int read_then_write(struct crowd *crowd, unsigned int me, void *arg)
{
	struct broken *broken = arg;

	for (int i = 0; i < 100; i++) {
		uint64_t mine = broken->next + 1;

		gap();
		broken->next = mine;
		if (broken->drawn->times[mine]++)
			crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_doubles(void)
{
	struct broken *broken = shared_memory(sizeof(*broken));
	struct crowd *crowd = crowd_make(processes);

	broken->drawn = drawn_make((uint64_t)processes * 100, 1);
	crowd_run(crowd, read_then_write, broken);
	tap_note("read, then write: %llu of %llu numbers had been drawn before",
		 (unsigned long long)crowd_done(crowd),
		 (unsigned long long)broken->drawn->size);
	crowd_free(crowd);
}

static int draw(struct crowd *crowd, unsigned int me, void *arg)
{
	struct drawn *drawn = arg;
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_counter *sequence;
	uint64_t first, last = 0;

	if (!weir)
		return 1;
	sequence = weir_counter_open(weir, SEQUENCE, WEIR_RIGHT_USE);
	if (!sequence)
		return 2;
	for (unsigned int i = 0; i < numbers; i += drawn->block) {
		if (weir_counter_next(sequence, drawn->block, &first))
			return 3;
		/* the numbers of one process must rise */
		if (first <= last)
			return 4;
		last = first + drawn->block - 1;
		if (last > drawn->size)
			return 5;
		for (uint64_t n = first; n <= last; n++)
			if (drawn->times[n]++)
				seat->tally[0]++;
		seat->done += drawn->block;
	}
	return 0;
}

static void draw_all(struct weir *weir, uint64_t block)
{
	struct weir_counter *sequence = service_counter(weir, SEQUENCE,
							WEIR_COUNTER_SEQUENCE,
							NULL, 0);
	const uint64_t size = (uint64_t)processes * numbers;
	struct drawn *drawn = drawn_make(size, block);
	struct crowd *crowd = crowd_make(processes);
	uint64_t missing = 0;
	int64_t last = 0;

	tap_note("%u processes x %u numbers, %llu at a time", processes,
		 numbers, (unsigned long long)block);
	tap_is(crowd_run(crowd, draw, drawn), 0, "each drew rising numbers");
	tap_is(crowd_tally(crowd, 0), 0, "no number was drawn twice");
	for (uint64_t n = 1; n <= size; n++)
		missing += drawn->times[n] != 1;
	tap_is(missing, 0, "every number from 1 to %llu was drawn",
	       (unsigned long long)size);
	weir_counter_read_field(sequence, 0, &last);
	tap_is(last, size, "the last number handed out is the last one drawn");
	tap_ok(counter_end(sequence), "the sequence is gone");
	crowd_free(crowd);
}

int main(void)
{
	struct weir *weir;

	tap_begin("every number once: read-then-write against weir");
	weir = service_connect();
	processes = tap_scaled(100, 4);
	numbers = tap_scaled(10000, 4);
	show_the_doubles();
	draw_all(weir, 1);
	draw_all(weir, 10);
	weir_close(weir);
	return tap_end();
}
