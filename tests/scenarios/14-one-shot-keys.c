// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debounce state was kept for ever for each session, and the buckets of clients that never came
 * back were never dropped: a service grew until it died.
 *
 * Here a million banned addresses, which must be kept, show the memory for each: at most 96 bytes
 * in total. Then a million clients come once each. Their entries are dropped when they equal fresh
 * ones, and their memory is freed.
 */
#include "service.h"
#include "slab.h"
#include "tap.h"
#include "visit.h"

#define LIMITER	"scenario-14-clients"

static long at_start;	/* slab_objects() at the start */

static void one_shot_keys(struct weir *weir, unsigned int keys)
{
	/* one token per millisecond: after that a client is fresh again */
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 1, .period = MS,
		.burst = 10, .max_keys = keys,
	};
	struct weir_limiter *limiter = service_limiter(weir, LIMITER, &config);
	struct weir_limiter_stats stats;

	tap_note("%u clients come once each", keys);
	tap_is(visit(weir, limiter, 0, keys, WEIR_OP_CHECK, 1, WEIR_ALLOWED), keys,
	       "every client was allowed");
	wait_until_empty(limiter);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, 0, "not one entry is left of them");
	tap_is(stats.expired + stats.evicted, keys, "each was dropped once");
	memory_comes_back(at_start, "their memory is freed");
	tap_ok(limiter_end(limiter), "the limiter is gone");
}

static void cost_of_a_key(struct weir *weir, unsigned int keys)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 10, .period = MINUTE,
		.max_keys = keys, .strikes = 5, .nbans = 1, .ban = { DAY },
	};
	struct weir_limiter *limiter;
	long before, after;

	before = kernel_bytes();
	limiter = service_limiter(weir, LIMITER, &config);
	tap_is(visit(weir, limiter, 0, keys, WEIR_OP_BAN, DAY, WEIR_BANNED), keys,
	       "%u addresses are banned", keys);
	tap_is(limiter_stats(limiter).keys, keys, "and all of them are kept");
	after = kernel_bytes();
	cost_is_bounded(after - before, keys);
	tap_ok(limiter_end(limiter), "the limiter is gone");
	memory_comes_back(at_start, "the memory of a deleted limiter is freed");
}

int main(void)
{
	const unsigned int keys = tap_scaled(1000000, 20);
	struct weir *weir;

	tap_begin("clients that never come back cost nothing");
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	at_start = slab_objects();
	cost_of_a_key(weir, keys);
	one_shot_keys(weir, keys);
	weir_close(weir);
	return tap_end();
}
