// SPDX-License-Identifier: GPL-2.0-only
/*
 * A rate limiter counted violations by looking up a number and inserting it
 * again, one higher. Of 100,000 updates from many workers 88.86 % were lost.
 *
 * Here the workers count with weir: strikes on one key, adds to one counter, adds by workers that
 * are killed at any point, and adds while a CPU is unplugged.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-01-violations"
#define COUNTER	"scenario-01-requests"

static unsigned int workers, updates;

/* ------------------------------------------------ the broken pattern */

static int look_up_then_insert(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile uint64_t *violations = arg;

	for (unsigned int i = 0; i < updates; i++) {
		uint64_t seen = *violations;

		/* in a table, time passes between look-up and insert */
		gap();
		*violations = seen + 1;
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_loss(void)
{
	uint64_t *violations = shared_memory(sizeof(*violations));
	struct crowd *crowd = crowd_make(workers);
	uint64_t made;

	crowd_run(crowd, look_up_then_insert, violations);
	made = crowd_done(crowd);
	tap_note("look up, then insert: %llu of %llu updates were lost (%.2f %%)",
		 (unsigned long long)(made - *violations),
		 (unsigned long long)made,
		 100.0 * (made - *violations) / made);
	crowd_free(crowd);
}

/* ------------------------------------------------ strikes on one key */

static int strike(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir *weir = weir_open(0);
	struct weir_limiter *limiter;
	struct weir_key key;

	(void)arg;
	if (!weir)
		return 1;
	limiter = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_USE);
	if (!limiter || weir_key_ip(&key, "192.0.2.7"))
		return 2;
	for (unsigned int i = 0; i < updates; i++) {
		if (weir_limiter_strike(limiter, &key, 1, NULL))
			return 3;
		crowd->seat[me].done++;
	}
	return 0;
}

static void strikes_on_one_key(struct weir *weir)
{
	/* strikes do not fade for a hundred days, and no key is banned */
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 10, .period = MINUTE,
		.within = 100 * DAY,
	};
	struct weir_limiter *limiter = service_limiter(weir, LIMITER, &config);
	struct crowd *crowd = crowd_make(workers);
	const uint64_t wanted = (uint64_t)workers * updates;
	struct weir_answer answer = { 0 };
	struct weir_key key;

	tap_note("%u processes x %u strikes on one key", workers, updates);
	tap_is(crowd_run(crowd, strike, NULL), 0, "every worker did its work");
	weir_key_ip(&key, "192.0.2.7");
	weir_limiter_peek(limiter, &key, 1, &answer);
	tap_is(answer.strikes, wanted, "the key has every strike");
	tap_is(limiter_stats(limiter).strikes, wanted, "so has the total");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ adds on one counter */

struct adding {
	unsigned int times;	/* 0: until the flag is set, or for ever */
};

static int add(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct adding *adding = arg;
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_counter *counter;

	if (!weir)
		return 1;
	counter = weir_counter_open(weir, COUNTER, WEIR_RIGHT_USE);
	if (!counter)
		return 2;
	for (unsigned int i = 0; adding->times ? i < adding->times : !crowd->flag;
	     i++) {
		seat->begun++;
		if (weir_counter_add(counter, 0, 1))
			return 3;
		seat->done++;
	}
	return 0;
}

static uint64_t total(struct weir_counter *counter)
{
	int64_t value;

	if (weir_counter_read_field(counter, 0, &value))
		tap_bail("cannot read %s", COUNTER);
	return value;
}

static void adds_on_one_counter(struct weir *weir)
{
	struct weir_counter *counter = service_counter(weir, COUNTER,
						       WEIR_COUNTER_SUM, NULL, 0);
	struct adding adding = { .times = tap_scaled(1000, 10) };
	struct crowd *crowd = crowd_make(tap_scaled(1000, 10));

	tap_note("%u processes x %u adds on one counter", crowd->size,
		 adding.times);
	tap_is(crowd_run(crowd, add, &adding), 0, "every worker did its work");
	tap_is(total(counter), (uint64_t)crowd->size * adding.times,
	       "the counter has every add");
	tap_ok(counter_end(counter), "the counter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ writers are killed */

static void killed_writers(struct weir *weir)
{
	struct weir_counter *counter = service_counter(weir, COUNTER,
						       WEIR_COUNTER_SUM, NULL, 0);
	struct adding adding = { .times = 0 };
	struct crowd *crowd = crowd_make(tap_scaled(100, 4));
	unsigned int killed = 0;
	uint64_t seen, done;

	crowd_spawn(crowd, add, &adding);
	crowd_start(crowd);
	srand(4711);
	while (killed < crowd->size / 2) {
		unsigned int victim = rand() % crowd->size;
		struct seat *seat = &crowd->seat[victim];

		/* tally 3 marks the members to be killed; they are killed at work, not before it */
		if (seat->tally[3] || !seat->done)
			continue;
		seat->tally[3] = 1;
		crowd_kill(crowd, victim);
		killed++;
	}
	crowd->flag = 1;
	tap_is(crowd_wait(crowd), killed, "%u of %u writers were killed",
	       killed, crowd->size);
	seen = total(counter);
	done = crowd_done(crowd);
	tap_note("%llu adds acknowledged, %llu counted",
		 (unsigned long long)done, (unsigned long long)seen);
	tap_ok(seen >= done, "no acknowledged add was lost");
	tap_ok(seen <= crowd_begun(crowd) && seen <= done + killed,
	       "at most one more for each that was killed in the middle of it");
	tap_ok(counter_end(counter), "the counter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ a CPU is unplugged */

static bool cpu1_write(const char *word)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	bool good = fd >= 0 && write(fd, word, 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

static void unplugged_processor(struct weir *weir)
{
	const unsigned int times = tap_scaled(20, 4);
	struct weir_counter *counter;
	struct adding adding = { .times = 0 };
	struct crowd *crowd;
	uint64_t taken = 0, before;
	unsigned int toggles = 0;
	int64_t value;

	if (!cpu1_write("1")) {
		tap_skip("this machine cannot unplug cpu1",
			 "adds while a CPU is unplugged and plugged in");
		return;
	}
	counter = service_counter(weir, COUNTER, WEIR_COUNTER_SUM, NULL, 0);
	crowd = crowd_make(8);
	crowd_spawn(crowd, add, &adding);
	crowd_start(crowd);
	for (unsigned int i = 0; i < times; i++) {
		before = crowd_done(crowd);
		toggles += cpu1_write("0");
		if (weir_counter_take(counter, &value, 1) == 1)
			taken += value;
		toggles += cpu1_write("1");
		/* wait until the writers have worked meanwhile */
		while (crowd_done(crowd) < before + 1000)
			;
	}
	crowd->flag = 1;
	tap_is(crowd_wait(crowd), 0, "every writer did its work");
	tap_is(toggles, 2 * times, "cpu1 was unplugged and plugged in %u times", times);
	tap_is(taken + total(counter), crowd_done(crowd),
	       "the amounts taken and left add up to all adds");
	tap_ok(counter_end(counter), "the counter is gone");
	crowd_free(crowd);
}

int main(void)
{
	struct weir *weir;

	tap_begin("no update is lost: look-up-then-insert against weir");
	weir = service_connect();
	workers = tap_scaled(100, 4);
	updates = tap_scaled(1000, 4);
	show_the_loss();
	strikes_on_one_key(weir);
	adds_on_one_counter(weir);
	killed_writers(weir);
	unplugged_processor(weir);
	weir_close(weir);
	return tap_end();
}
