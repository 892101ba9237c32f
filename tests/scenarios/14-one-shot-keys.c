// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debounce state was kept for ever for each session, and the buckets of clients
 * that never came back were never dropped: a service grew until it died.
 *
 * Here a million banned addresses, which must be kept, show what one costs: at
 * most 96 bytes, all told. Then a million clients come once each. Their entries
 * go when they are equal to fresh ones, and the memory with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crowd.h"
#include "service.h"
#include "slab.h"
#include "tap.h"

#define LIMITER	"scenario-14-clients"
#define BYTES_A_KEY 96

static long at_start;	/* slab_objects() before anything was done */

/* A pause between looks at what the kernel does by itself. */
static void look_again_soon(void)
{
	const struct timespec pause = { .tv_nsec = 50 * MS };

	nanosleep(&pause, NULL);
}

/* Bytes of memory the kernel has taken for itself: slab, vmalloc, per CPU. */
static long kernel_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[256], name[64];
	long kib, sum = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^:]: %ld", name, &kib) == 2 &&
		    (!strcmp(name, "SUnreclaim") || !strcmp(name, "Percpu") ||
		     !strcmp(name, "VmallocUsed")))
			sum += kib * 1024;
	if (file)
		fclose(file);
	return sum;
}

/* One op for each of @keys addresses, 1024 a call; those with that verdict. */
static unsigned int visit(struct weir *weir, struct weir_limiter *limiter,
			  unsigned int keys, enum weir_opcode opcode, uint64_t n,
			  unsigned int verdict)
{
	static struct weir_op ops[WEIR_BATCH_MAX];
	struct weir_key key = { .type = WEIR_KEY_IP, .len = 4 };
	unsigned int good = 0, batch = 0;

	for (uint32_t i = 0; i < keys; i++) {
		memcpy(key.bytes, &i, sizeof(i));
		if (weir_op_limiter(&ops[batch++], limiter, opcode, &key, n))
			tap_bail("op");
		if (batch < WEIR_BATCH_MAX && i + 1 < keys)
			continue;
		if (weir_submit(weir, ops, batch) != (int)batch)
			tap_bail("submit");
		for (unsigned int j = 0; j < batch; j++)
			good += !ops[j].result && ops[j].verdict == verdict &&
				!(ops[j].out_flags & WEIR_OUT_UNTRACKED);
		batch = 0;
	}
	return good;
}

/* The entries go by themselves; nobody has to ask. */
static void wait_until_empty(struct weir_limiter *limiter)
{
	const uint64_t end = now_ns() + 60 * SECOND;

	while (limiter_stats(limiter).keys && now_ns() < end)
		look_again_soon();
}

/* Freed after a grace period and by a worker: a matter of moments. */
static void memory_comes_back(const char *what)
{
	const long bound = SLAB_SLACK;
	long after = slab_objects();

	if (!slab_is_told()) {
		tap_skip("this kernel does not tell", what);
		return;
	}
	for (int i = 0; i < 400 && after > at_start + bound; i++) {
		look_again_soon();
		after = slab_objects();
	}
	tap_note(SLAB_ENTRIES ": %ld objects at the start, %ld now, bound %ld more",
		 at_start, after, bound);
	tap_ok(after <= at_start + bound, "%s", what);
}

static void one_shot_keys(struct weir *weir, unsigned int keys)
{
	/* one token a millisecond: who has come once is new after that */
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .tokens = 1, .period = MS,
		.burst = 10, .max_keys = keys,
	};
	struct weir_limiter *limiter = service_limiter(weir, LIMITER, &config);
	struct weir_limiter_stats stats;

	tap_note("%u clients come once each", keys);
	tap_is(visit(weir, limiter, keys, WEIR_OP_CHECK, 1, WEIR_ALLOWED), keys,
	       "every client was let in");
	wait_until_empty(limiter);
	stats = limiter_stats(limiter);
	tap_is(stats.keys, 0, "not one entry is left of them");
	tap_is(stats.expired + stats.evicted, keys, "each was dropped once");
	memory_comes_back("their memory is given back");
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
	tap_is(visit(weir, limiter, keys, WEIR_OP_BAN, DAY, WEIR_BANNED), keys,
	       "%u addresses are banned", keys);
	tap_is(limiter_stats(limiter).keys, keys, "and all of them are kept");
	after = kernel_bytes();
	tap_note("slab + vmalloc + per CPU: %.1f bytes a key",
		 (double)(after - before) / keys);
	if (slab_is_told())
		tap_ok(after - before <= (long)keys * BYTES_A_KEY,
		       "one costs at most %u bytes, all told", BYTES_A_KEY);
	else
		tap_skip("this kernel pads what it allocates",
			 "one costs at most 96 bytes, all told");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	memory_comes_back("a deleted limiter gives its memory back");
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
