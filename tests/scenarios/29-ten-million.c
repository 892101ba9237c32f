// SPDX-License-Identifier: GPL-2.0-only
/*
 * An attacker with ten million addresses makes one call from each. A table that grows during this
 * stalls. A table that drops its oldest entries drops entries that owe tokens, so the flood resets
 * all other clients.
 *
 * Here the table has its final size from the start. Each of the ten million entries is kept while
 * it owes tokens, with at most 96 bytes each. A new key in a full table is answered "full", and no
 * other entry is dropped for it. The keys can be listed without memory for all of them. Idle
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
#define SAMPLE	100000		/* number of these keys that are checked again */
#define ROOM	(64U << 20)	/* memory limit of the process that lists keys */
#define FLOOD	200000U		/* checks that find the table full */

/* The table is full, and all keys owe all their tokens. */
static void flood(struct weir *weir, struct weir_limiter *limiter, unsigned int keys)
{
	const unsigned int count = keys < FLOOD ? keys : FLOOD;
	struct weir_limiter_stats stats;

	tap_is(visit(weir, limiter, keys, count, WEIR_OP_CHECK, 1, WEIR_FULL), count,
	       "%u more find no room", count);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, keys, "no entry was dropped for them");
	tap_is(stats.evicted + stats.expired, 0, "at no time");
	tap_is(stats.full, count, "and each was counted");
	tap_is(visit(weir, limiter, 0, SAMPLE, WEIR_OP_CHECK, BURST, WEIR_LIMITED),
	       SAMPLE, "keys that owe tokens still owe them");
}

/* List the keys of one block, from all of them, with a tool that has little memory. */
static void they_are_told(unsigned int keys)
{
	/* visit() counts up the first byte of the address, then the second */
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
	tap_is(others, 1, "and nothing else but the header line");
}

/* All tokens are refunded: each key equals a fresh one. */
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
	       "%u addresses come, and spend all their tokens", keys);
	cost_is_bounded(kernel_bytes() - before, keys);
	flood(weir, limiter, keys);
	they_are_told(keys);
	they_go(weir, limiter, keys);
	memory_comes_back(at_start, "their memory is freed");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	weir_close(weir);
	return tap_end();
}
