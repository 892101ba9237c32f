/* SPDX-License-Identifier: GPL-2.0-only */
/* slab - number of the module's entries in memory */
#ifndef _WEIR_TEST_SLAB_H
#define _WEIR_TEST_SLAB_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries with keys of up to 16 bytes. */
#define SLAB_ENTRIES	"weir_entry_64"
/* objects that a partly used slab page or the list of a CPU may keep allocated */
#define SLAB_SLACK	1024

/* Number of objects in use in that slab; -1: this kernel does not report it. */
static inline long slab_objects(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	FILE *shrink = fopen("/sys/kernel/slab/" SLAB_ENTRIES "/shrink", "w");
	char line[512], name[64];
	long active, found = -1;

	/* objects in per-CPU lists count as in use */
	if (shrink) {
		fprintf(shrink, "1");
		fclose(shrink);
	}
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", name, &active) == 2 &&
		    !strcmp(name, SLAB_ENTRIES))
			found = active;
	if (file)
		fclose(file);
	return found;
}

/* False with KASAN: it keeps freed objects in quarantine, so memory use cannot be measured. */
static inline bool slab_is_told(void)
{
	const char *kernel = getenv("WEIR_KERNEL");

	return slab_objects() >= 0 && !(kernel && !strcmp(kernel, "debug"));
}

#endif /* _WEIR_TEST_SLAB_H */
