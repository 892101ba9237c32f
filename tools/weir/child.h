/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command that is waited for: it gets the signals that its waiter gets, and its waiter
 * ends as it does. For commands that hold something while another one runs, and have to
 * see to it themselves.
 */
#ifndef WEIR_CHILD_H
#define WEIR_CHILD_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* What the command gets back as it was. */
struct child_signals {
	sigset_t mask;
	struct sigaction on_child;
	sigset_t waited;	/* for which we wait */
};

/**
 * struct child_chore - what is to be done while the command runs
 * @after: in how many ns for the first time; 0: never
 * @run: does it, and tells in how many ns the next time; 0: never
 * @arg: of @run
 */
struct child_chore {
	uint64_t after;
	uint64_t (*run)(void *arg);
	void *arg;
};

/*
 * From here on signals wait until they are waited for, so that none can end us between
 * taking what we are going to hold and running the command.
 */
void child_signals_hold(struct child_signals *signals);

/*
 * Start it: its process, or -1 and errno, if it cannot be run. It has none of our
 * descriptors that exec() closes, and signals as they were before they were held.
 */
pid_t child_start(char **command, const struct child_signals *signals);

/* Wait until it ends: its status, as of waitpid(). @chore may be NULL. */
int child_await(pid_t child, const struct child_signals *signals,
		const struct child_chore *chore);

/* The exit status for one that ended so; or this ends likewise, by the same signal. */
int child_end_as(int status);

#endif /* WEIR_CHILD_H */
