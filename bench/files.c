// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lock files, one for each key, as programs use them to run only once. They are in a tmpfs, like
 * /run, and exist before the measurement. Closing the descriptor releases the lock.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "bench.h"

#define GROUP	"peer"
#define KNOWN	1024

struct files {
	char folder[40];
	char path[KNOWN][56];
};

static int file_open(const struct files *f, uint64_t i)
{
	int fd = open(f->path[i % KNOWN], O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		bench_die("lock file");
	return fd;
}

static void flock_pair(void *arg, uint64_t i)
{
	int fd = file_open(arg, i);

	if (flock(fd, LOCK_EX | LOCK_NB))
		bench_die("flock");
	close(fd);
}

static void fcntl_pair(void *arg, uint64_t i)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = file_open(arg, i);

	if (fcntl(fd, F_SETLK, &lock))
		bench_die("fcntl");
	close(fd);
}

void bench_lock_files(void)
{
	static struct files f;

	snprintf(f.folder, sizeof(f.folder), "/dev/shm/weir-bench.XXXXXX");
	if (!mkdtemp(f.folder))
		bench_die(f.folder);
	for (unsigned int i = 0; i < KNOWN; i++) {
		snprintf(f.path[i], sizeof(f.path[i]), "%s/%u", f.folder, i);
		close(file_open(&f, i));
	}
	bench_row(GROUP, "lock file for each key: open, flock, close", flock_pair, &f, 1);
	bench_row(GROUP, "lock file for each key: open, fcntl, close", fcntl_pair, &f, 1);
	for (unsigned int i = 0; i < KNOWN; i++)
		unlink(f.path[i]);
	rmdir(f.folder);
}
