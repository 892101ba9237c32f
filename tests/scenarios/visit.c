// SPDX-License-Identifier: GPL-2.0-only
/* Millions of addresses, and their cost in the kernel. See visit.h. */

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crowd.h"
#include "service.h"
#include "slab.h"
#include "tap.h"
#include "visit.h"

void look_again_soon(void)
{
	const struct timespec pause = { .tv_nsec = 50 * MS };

	nanosleep(&pause, NULL);
}

long kernel_bytes(void)
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

unsigned int visit(struct weir *weir, struct weir_limiter *limiter, uint32_t first,
		   unsigned int keys, enum weir_opcode opcode, uint64_t n,
		   unsigned int verdict)
{
	static struct weir_op ops[WEIR_BATCH_MAX];
	struct weir_key key = { .type = WEIR_KEY_IP, .len = 4 };
	unsigned int good = 0, batch = 0;

	for (uint32_t i = 0; i < keys; i++) {
		/* the same addresses on every machine */
		const uint32_t address = htole32(first + i);

		memcpy(key.bytes, &address, sizeof(address));
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

void wait_until_empty(struct weir_limiter *limiter)
{
	const uint64_t end = now_ns() + 300 * SECOND;

	while (limiter_stats(limiter).keys && now_ns() < end)
		look_again_soon();
}

void memory_comes_back(long at_start, const char *what)
{
	const long bound = SLAB_SLACK;
	long after = slab_objects();

	if (!slab_is_told()) {
		tap_skip("this kernel does not report it", what);
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

void cost_is_bounded(long bytes, unsigned int keys)
{
	tap_note("slab + vmalloc + per CPU: %.1f bytes a key", (double)bytes / keys);
	if (slab_is_told())
		tap_ok(bytes <= (long)keys * BYTES_A_KEY,
		       "a key costs at most %u bytes in all", BYTES_A_KEY);
	else
		tap_skip("this kernel pads allocations",
			 "a key costs at most 96 bytes in all");
}
