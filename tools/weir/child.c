// SPDX-License-Identifier: GPL-2.0-only
/* Run a command and wait for it: pass signals on to it, and exit with its status. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

#define SECOND	1000000000ULL

/* Signals for the command that arrive at this process. */
static const int handed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP,
};

/* ---- signals -------------------------------------------------------------------- */

/* If SIGCHLD is ignored, the kernel reaps children and their status is lost. */
void child_signals_hold(struct child_signals *signals)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	int i;

	sigemptyset(&signals->waited);
	sigaddset(&signals->waited, SIGCHLD);
	for (i = 0; i < COUNT(handed_on); i++)
		sigaddset(&signals->waited, handed_on[i]);
	sigaction(SIGCHLD, &action, &signals->on_child);
	sigprocmask(SIG_BLOCK, &signals->waited, &signals->mask);
}

static void signals_restore(const struct child_signals *signals)
{
	sigaction(SIGCHLD, &signals->on_child, NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

/*
 * Stop like the default action of SIGTSTP. Do not stop if it is ignored, or if no process could
 * continue this one.
 */
static void stop(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * The kernel sends Ctrl-C, Ctrl-Z and a hang-up to all processes in the terminal's foreground,
 * including the command. So signals sent by the kernel are not passed on.
 */
static void hand_on(pid_t child, int number, const siginfo_t *info)
{
	bool is_terminals = info->si_code == SI_KERNEL;

	if (!is_terminals)
		kill(child, number);
	if (number != SIGTSTP)
		return;
	stop();
	if (!is_terminals)
		kill(child, SIGCONT);
}

/* ---- the command ---------------------------------------------------------------- */

/* In the child: get @orphaned when @parent dies, or now if @parent is dead already. */
static void follow(pid_t parent, int orphaned)
{
	if (!orphaned)
		return;
	prctl(PR_SET_PDEATHSIG, orphaned);
	if (getppid() != parent)
		raise(orphaned);
}

/* In the child: execute the command, or report the error to the parent. */
static void become(char **command, const struct child_signals *signals, int told)
{
	int error;

	signals_restore(signals);
	output_leave();
	execvp(command[0], command);
	error = errno;
	(void)!write(told, &error, sizeof(error));
	_exit(EXIT_NOT_FOUND);
}

/*
 * exec() closes the client and the pipe in the child. Until then the child holds nothing, because
 * libweir's fork handler gave it its own client.
 */
pid_t child_start(char **command, const struct child_signals *signals, int orphaned)
{
	int error = 0, told[2];
	pid_t child, parent = getpid();

	if (pipe2(told, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		follow(parent, orphaned);
		become(command, signals, told[1]);
	}
	if (child < 0)
		error = errno;
	close(told[1]);
	/* read() returns 0 if exec() succeeded */
	if (child > 0 && read(told[0], &error, sizeof(error)) > 0) {
		waitpid(child, NULL, 0);
		child = -1;
	}
	close(told[0]);
	errno = error;
	return child;
}

/* ---- waiting for the command ---------------------------------------------------- */

/* The clock by which leases expire. It continues while the machine is suspended. */
static uint64_t boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t due_in(uint64_t ns)
{
	return ns ? boottime() + ns : 0;
}

/* The next signal; -1: call again. Returns at @due; 0: no limit. */
static int signal_wait(const struct child_signals *signals, uint64_t due,
		       siginfo_t *info)
{
	struct timespec time = { 0 };
	uint64_t now;

	if (!due)
		return sigwaitinfo(&signals->waited, info);
	now = boottime();
	if (now < due) {
		time.tv_sec = (time_t)((due - now) / SECOND);
		time.tv_nsec = (long)((due - now) % SECOND);
	}
	return sigtimedwait(&signals->waited, info, &time);
}

int child_await(pid_t child, const struct child_signals *signals,
		const struct child_chore *chore)
{
	uint64_t due = chore ? due_in(chore->after) : 0;
	int number, status;
	siginfo_t info;
	pid_t ended;

	for (;;) {
		if (due && boottime() >= due)
			due = due_in(chore->run(chore->arg));
		number = signal_wait(signals, due, &info);
		if (number < 0)
			continue;	/* stopped and continued, or @due has come */
		if (number != SIGCHLD) {
			hand_on(child, number, &info);
			continue;
		}
		ended = waitpid(child, &status, WNOHANG);
		if (ended < 0)
			die("cannot wait for the command: %s", strerror(errno));
		if (ended == child)
			return status;
	}
}

int child_end_as(int status)
{
	int number = WTERMSIG(status);
	sigset_t set;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	output_flush();
	/* the command has dumped its own core; ours would be of no use */
	prctl(PR_SET_DUMPABLE, 0);
	sigemptyset(&set);
	sigaddset(&set, number);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + number;
}
