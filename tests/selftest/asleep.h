/* SPDX-License-Identifier: GPL-2.0-only */
/* asleep - whether another task sleeps in a call, for tests of wake-ups */
#ifndef _WEIR_SELFTEST_ASLEEP_H
#define _WEIR_SELFTEST_ASLEEP_H

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Wait until /proc has shown several times in a row that the process sleeps. */
static inline void until_asleep(pid_t pid)
{
	char path[64], state = 0, line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int quiet = 0; quiet < 3; usleep(2000)) {
		file = fopen(path, "r");
		if (file && fgets(line, sizeof(line), file))
			state = strrchr(line, ')')[2];
		if (file)
			fclose(file);
		quiet = state == 'S' ? quiet + 1 : 0;
	}
}

/* How often a thread went to sleep. A spurious wake-up adds one. -1: there is no such thread. */
static inline long sleep_count(pid_t tid)
{
	char path[64], line[256];
	long n = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (file)
		fclose(file);
	return n;
}

#endif /* _WEIR_SELFTEST_ASLEEP_H */
