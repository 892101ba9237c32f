/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a command, pass signals on to it, and exit as it does. For weir commands that hold a
 * probe or a lease while another command runs, and must act on it meanwhile.
 */
#ifndef WEIR_CHILD_H
#define WEIR_CHILD_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* Signal state that the command gets back unchanged. */
struct child_signals {
	sigset_t mask;
	struct sigaction on_child;
	sigset_t waited;	/* the signals that are waited for */
};

/**
 * struct child_chore - work to be done while the command runs
 * @after: ns until the first run; 0: never
 * @run: does the work and returns the ns until the next run; 0: never
 * @arg: argument of @run
 */
struct child_chore {
	uint64_t after;
	uint64_t (*run)(void *arg);
	void *arg;
};

/*
 * Block signals from here on until they are waited for, so that none ends this process between
 * acquiring and running the command.
 */
void child_signals_hold(struct child_signals *signals);

/*
 * Start the command. Return: its pid, or -1 and errno if it cannot be run. It inherits no
 * close-on-exec descriptors, and has the signal state from before child_signals_hold(). If
 * this process dies, the command gets the signal @orphaned; 0: none.
 */
pid_t child_start(char **command, const struct child_signals *signals, int orphaned);

/* Wait until the command ends. Return: its status, as from waitpid(). @chore may be NULL. */
int child_await(pid_t child, const struct child_signals *signals,
		const struct child_chore *chore);

/*
 * The exit status for a command that ended with @status; if a signal ended it, this process
 * ends itself by the same signal.
 */
int child_end_as(int status);

#endif /* WEIR_CHILD_H */
