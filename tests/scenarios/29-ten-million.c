// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody with ten million addresses asks once from each. Tables that grow meanwhile
 * stall; tables that forget the oldest forget those who owe something, so the flood
 * sets everybody else free.
 *
 * Here the table is as large as it will be, each of the ten million is kept while it
 * owes anything, at most 96 bytes for each, and those who come when it is full are
 * told so and put out nobody. What is over goes by itself.
 */
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "slab.h"
#include "tap.h"
#include "visit.h"

#define LIMITER	"scenario-29-addresses"
#define BURST	10
#define SAMPLE	100000		/* visits to see how fast this machine is */
#define FLOOD	200000U		/* visits of those who find it full */

/* How long all of them will take, by the time that some took. */
static uint64_t time_for(struct weir *weir, unsigned int keys)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 1, .period = DAY,
		.max_keys = SAMPLE,
	};
	struct weir_limiter *limiter = service_limiter(weir, LIMITER, &config);
	uint64_t since = now_ns(), took;

	visit(weir, limiter, 0, SAMPLE, WEIR_OP_CHECK, 1, WEIR_ALLOWED);
	took = now_ns() - since;
	limiter_end(limiter);
	return took * (keys / SAMPLE + 1);
}

/* All of them owe all their tokens, and it is full. */
static void flood(struct weir *weir, struct weir_limiter *limiter, unsigned int keys)
{
	const unsigned int count = keys < FLOOD ? keys : FLOOD;
	const uint64_t since = now_ns();
	struct weir_limiter_stats stats;

	tap_is(visit(weir, limiter, keys, count, WEIR_OP_CHECK, 1, WEIR_FULL), count,
	       "%u more find no room", count);
	tap_note("in %.1f s", (double)(now_ns() - since) / SECOND);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, keys, "nobody was put out for them");
	tap_is(stats.evicted + stats.expired, 0, "not for a moment");
	tap_is(stats.full, count, "and each was counted");
	tap_is(visit(weir, limiter, 0, SAMPLE, WEIR_OP_CHECK, BURST, WEIR_LIMITED),
	       SAMPLE, "those who owe are still held to it");
}

static void they_go(struct weir_limiter *limiter, unsigned int keys, uint64_t debt)
{
	struct weir_limiter_stats stats;
	const uint64_t end = now_ns() + debt;

	while (limiter_stats(limiter).keys && now_ns() < end)
		look_again_soon();
	wait_until_empty(limiter);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, 0, "when nothing is owed any more, not one is left");
	tap_is(stats.expired, keys, "each went by itself, once");
}

int main(void)
{
	const unsigned int keys = tap_scaled(10000000, 50);
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = BURST, .burst = BURST,
		.max_keys = keys,
	};
	struct weir_limiter *limiter;
	long at_start, before;
	uint64_t since, took;
	struct weir *weir;

	tap_begin("ten million addresses");
	deadline(580);
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	at_start = slab_objects();
	/* nobody's debt may be over before all of this is seen */
	config.period = 3 * time_for(weir, keys) + 20 * SECOND;
	memory_comes_back(at_start, "what tried it out is gone");
	before = kernel_bytes();
	limiter = service_limiter(weir, LIMITER, &config);
	since = now_ns();
	tap_is(visit(weir, limiter, 0, keys, WEIR_OP_CHECK, BURST, WEIR_ALLOWED), keys,
	       "%u addresses come, and spend all they have", keys);
	took = now_ns() - since;
	tap_note("in %.1f s; they owe for %.0f s", (double)took / SECOND,
		 (double)config.period / SECOND);
	cost_is_bounded(kernel_bytes() - before, keys);
	flood(weir, limiter, keys);
	they_go(limiter, keys, config.period);
	memory_comes_back(at_start, "nor their memory");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	weir_close(weir);
	return tap_end();
}
