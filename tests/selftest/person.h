/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * person - run a function as another user
 *
 * A child takes the ids of the user, which drops all capabilities. It runs a function that returns
 * an errno or a count; the parent gets that number.
 */
#ifndef _WEIR_SELFTEST_PERSON_H
#define _WEIR_SELFTEST_PERSON_H

#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"

#define PERSON_FAILED	(-9999)

static inline int person_become(uid_t uid, gid_t gid)
{
	return setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	       setresuid(uid, uid, uid);
}

static inline int person_run(uid_t uid, gid_t gid, int (*work)(void *arg),
			     void *arg)
{
	int *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int seen, status;
	pid_t pid;

	*result = PERSON_FAILED;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (!person_become(uid, gid))
			*result = work(arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		*result = PERSON_FAILED;
	seen = *result;
	munmap(result, sizeof(*result));
	return seen;
}

/* Let every user open the device during a test. Return: the old mode. */
static inline mode_t device_chmod(mode_t mode)
{
	struct stat before;

	if (stat(WEIR_DEVICE, &before) || chmod(WEIR_DEVICE, mode)) {
		perror("# chmod " WEIR_DEVICE);
		abort();
	}
	return before.st_mode & 07777;
}

#endif /* _WEIR_SELFTEST_PERSON_H */
