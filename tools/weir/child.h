/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a command, pass signals on to it, and exit with its status. For weir commands that hold a
 * probe or a lease, and must act on it, while another command runs.
 */
#ifndef WEIR_CHILD_H
#define WEIR_CHILD_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* The signal state that the command gets back unchanged. */
struct child_signals {
	sigset_t mask;
	struct sigaction on_child;
	sigset_t waited;	/* the signals to wait for */
};

/* struct child_chore - work to be done while the command runs */
struct child_chore {
	uint64_t after;
	uint64_t (*run)(void *arg);
	void *arg;
};

/*
 * Block the signals until they are waited for. So no signal ends this process between the
 * acquisition and the start of the command.
 */
void child_signals_hold(struct child_signals *signals);

/*
 * Start the command. Return: its pid, or -1 and errno if it cannot be run. It inherits no
 * close-on-exec descriptors, and has the signal state from before child_signals_hold(). If
 * this process dies, the command gets the signal @orphaned; 0: none.
 */
pid_t child_start(char **command, const struct child_signals *signals, int orphaned);

/* Wait until the command ends. Return: its status, like that of waitpid(). @chore may be NULL. */
int child_await(pid_t child, const struct child_signals *signals,
		const struct child_chore *chore);

/*
 * Return the exit status for a command that ended with @status. If a signal ended the command, end
 * this process by the same signal.
 */
int child_end_as(int status);

#endif /* WEIR_CHILD_H */
