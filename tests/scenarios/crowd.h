/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crowd - many processes that start at the same moment, with exact counts
 *
 * A crowd is N children, each with a seat in memory shared by all of them and the parent. Children
 * wait at a pipe; closing it starts them all. A child stores each result in its seat at once, so a
 * child that is killed leaves a correct count.
 *
 *	struct crowd *crowd = crowd_make(100);
 *	crowd_spawn(crowd, work, arg);
 *	crowd_start(crowd);
 *	... crowd_kill(crowd, 7) ...
 *	failed = crowd_wait(crowd);
 */
#ifndef _WEIR_CROWD_H
#define _WEIR_CROWD_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct seat {
	_Atomic uint64_t	begun;	/* calls begun */
	_Atomic uint64_t	done;	/* calls that returned success */
	_Atomic uint64_t	tally[4];	/* other counts */
	pid_t			pid;	/* written by the parent */
	int			status;	/* from waitpid(), written by the parent */
} __attribute__((aligned(64)));

struct crowd {
	unsigned int		size;
	_Atomic uint32_t	flag;	/* for messages from the parent to the children */
	size_t			bytes;
	int			ready[2];
	int			gate[2];
	struct seat		seat[];
};

/* The work of one member. It returns the exit status, 0 for success. */
typedef int (*crowd_work)(struct crowd *crowd, unsigned int me, void *arg);

struct crowd *crowd_make(unsigned int size);
void crowd_free(struct crowd *crowd);

/* Fork the members; returns when all of them wait at the pipe. */
void crowd_spawn(struct crowd *crowd, crowd_work work, void *arg);
void crowd_start(struct crowd *crowd);
void crowd_kill(struct crowd *crowd, unsigned int member);

/* Wait for all members. Return: how many did not exit with status 0, killed ones included. */
unsigned int crowd_wait(struct crowd *crowd);

/* The three calls above. Return: how many members failed. */
unsigned int crowd_run(struct crowd *crowd, crowd_work work, void *arg);

uint64_t crowd_done(const struct crowd *crowd);
uint64_t crowd_begun(const struct crowd *crowd);
uint64_t crowd_tally(const struct crowd *crowd, unsigned int index);

/*
 * Time passes between two calls of a broken pattern: let other tasks run. In a real service a
 * message or a table access is between them.
 */
static inline void gap(void)
{
	sched_yield();
}

/* Zeroed memory that children of fork() share with their parent. */
void *shared_memory(size_t bytes);

/* Set a time limit: after @seconds this process and all its children are killed. */
void deadline(unsigned int seconds);

#endif /* _WEIR_CROWD_H */
