/* SPDX-License-Identifier: GPL-2.0-only */
/* shoot - kill processes at arbitrary points, while other processes work */
#ifndef _WEIR_SELFTEST_SHOOT_H
#define _WEIR_SELFTEST_SHOOT_H

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "crowd.h"
#include "random.h"

#define SHORT	8	/* number of short-lived processes at a time */

/**
 * shoot_until - kill processes until a crowd has begun @turns calls
 * @crowd: the members that work
 * @turns: calls of all members together
 * @life: what process @me of SHORT does until it is killed; must not return; an exit indicates an
 *	error
 * @arg: argument of @life
 * @bad: counts processes that exited
 *
 * Return: number of processes killed. All are reaped.
 */
static inline unsigned long shoot_until(struct crowd *crowd, uint64_t turns,
					void (*life)(void *arg, unsigned int me,
						     unsigned int seed),
					void *arg, _Atomic long *bad)
{
	pid_t pid[SHORT] = { 0 };
	unsigned int seed = 99;
	unsigned long shot = 0;
	int status;

	while (crowd_begun(crowd) < turns) {
		unsigned int i = next(&seed) % SHORT;

		if (pid[i]) {
			kill(pid[i], SIGKILL);
			waitpid(pid[i], &status, 0);
			if (!WIFSIGNALED(status))
				++*bad;
			shot++;
		}
		fflush(NULL);
		pid[i] = fork();
		if (!pid[i])
			life(arg, i, seed);
		usleep(next(&seed) % 3000);
	}
	for (int i = 0; i < SHORT; i++) {
		if (!pid[i])
			continue;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
		if (!WIFSIGNALED(status))
			++*bad;
		shot++;
	}
	return shot;
}

#endif /* _WEIR_SELFTEST_SHOOT_H */
