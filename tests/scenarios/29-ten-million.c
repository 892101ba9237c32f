// SPDX-License-Identifier: GPL-2.0-only
/*
 * An attacker with ten million addresses asks once from each. Tables that grow meanwhile stall.
 * Tables that drop the oldest entries drop entries that owe tokens, so the flood resets all
 * other clients.
 *
 * Here the table has its final size from the start. Each of the ten million entries is kept
 * while it owes anything, with at most 96 bytes each; a new key that finds the table full is
 * answered so, and drops no other. The keys can be listed without memory for all of them. Idle
 * entries are dropped in the background.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "crowd.h"
#include "service.h"
#include "slab.h"
#include "tap.h"
#include "visit.h"

#define LIMITER	"scenario-29-addresses"
#define BURST	10
#define SAMPLE	100000		/* of them */
#define ROOM	(64U << 20)	/* memory limit of the process that lists keys */
#define FLOOD	200000U		/* checks that find the table full */

/* All of them owe all their tokens, and it is full. */
static void flood(struct weir *weir, struct weir_limiter *limiter, unsigned int keys)
{
	const unsigned int count = keys < FLOOD ? keys : FLOOD;
	struct weir_limiter_stats stats;

	tap_is(visit(weir, limiter, keys, count, WEIR_OP_CHECK, 1, WEIR_FULL), count,
	       "%u more find no room", count);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, keys, "no entry was dropped for them");
	tap_is(stats.evicted + stats.expired, 0, "not for a moment");
	tap_is(stats.full, count, "and each was counted");
	tap_is(visit(weir, limiter, 0, SAMPLE, WEIR_OP_CHECK, BURST, WEIR_LIMITED),
	       SAMPLE, "those who owe are still held to it");
}

/* The keys of one block, picked out of them all by a tool that has little room. */
static void they_are_told(unsigned int keys)
{
	/* visit() counts up the first byte of the address, and then the next */
	const unsigned int block = 7, wanted = (keys - block + 255) / 256;
	const struct rlimit little = { .rlim_cur = ROOM, .rlim_max = RLIM_INFINITY };
	const struct rlimit much = { RLIM_INFINITY, RLIM_INFINITY };
	char line[256];
	unsigned int first = 0, others = 0;
	FILE *told;

	setrlimit(RLIMIT_AS, &little);
	told = popen("weir limiter keys " LIMITER " --prefix 7.0.0.0/8", "r");
	setrlimit(RLIMIT_AS, &much);
	while (told && fgets(line, sizeof(line), told))
		if (strstr(line, "  7."))
			first++;
		else
			others++;
	tap_ok(told && !pclose(told), "a tool with %u MiB lists a block of them",
	       ROOM >> 20);
	tap_is(first, wanted, "all keys of the block are listed");
	tap_is(others, 1, "and nothing else but a heading");
}

/* They are given back what they owe: each is like one that never came. */
static void they_go(struct weir *weir, struct weir_limiter *limiter, unsigned int keys)
{
	struct weir_limiter_stats stats;

	tap_is(visit(weir, limiter, 0, keys, WEIR_OP_REFUND, BURST, WEIR_ALLOWED), keys,
	       "each gets its tokens back");
	wait_until_empty(limiter);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, 0, "idle keys are not kept");
	tap_is(stats.expired, keys, "each was dropped by the sweep, once");
}

int main(void)
{
	const unsigned int keys = tap_scaled(10000000, 50);
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = BURST, .period = DAY,
		.max_keys = keys,
	};
	struct weir_limiter *limiter;
	long at_start, before;
	struct weir *weir;

	tap_begin("ten million addresses");
	deadline(580);
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	at_start = slab_objects();
	before = kernel_bytes();
	limiter = service_limiter(weir, LIMITER, &config);
	tap_is(visit(weir, limiter, 0, keys, WEIR_OP_CHECK, BURST, WEIR_ALLOWED), keys,
	       "%u addresses come, and spend all they have", keys);
	cost_is_bounded(kernel_bytes() - before, keys);
	flood(weir, limiter, keys);
	they_are_told(keys);
	they_go(weir, limiter, keys);
	memory_comes_back(at_start, "nor their memory");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	weir_close(weir);
	return tap_end();
}
