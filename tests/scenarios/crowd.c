// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(99);
}

void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

struct crowd *crowd_make(unsigned int size)
{
	size_t bytes = sizeof(struct crowd) + size * sizeof(struct seat);
	struct crowd *crowd = shared_memory(bytes);

	crowd->size = size;
	crowd->bytes = bytes;
	return crowd;
}

void crowd_free(struct crowd *crowd)
{
	munmap(crowd, crowd->bytes);
}

static void member_run(struct crowd *crowd, unsigned int me, crowd_work work,
		       void *arg)
{
	char byte = 'r';

	/* if the parent dies, its members die, because no process would read their counts */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(crowd->ready[0]);
	close(crowd->gate[1]);
	if (write(crowd->ready[1], &byte, 1) != 1)
		_exit(98);
	close(crowd->ready[1]);
	/* No byte ever comes: the read returns when the parent closes the gate. */
	if (read(crowd->gate[0], &byte, 1) != 0)
		_exit(97);
	close(crowd->gate[0]);
	_exit(work(crowd, me, arg));
}

void crowd_spawn(struct crowd *crowd, crowd_work work, void *arg)
{
	char byte;

	/* otherwise each child would print the contents of the buffer again */
	fflush(stdout);
	fflush(stderr);
	if (pipe(crowd->ready) || pipe(crowd->gate))
		die("pipe");
	for (unsigned int i = 0; i < crowd->size; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			member_run(crowd, i, work, arg);
		crowd->seat[i].pid = pid;
	}
	close(crowd->ready[1]);
	close(crowd->gate[0]);
	for (unsigned int i = 0; i < crowd->size; i++)
		if (read(crowd->ready[0], &byte, 1) != 1)
			die("a member died at the gate");
	close(crowd->ready[0]);
}

void crowd_start(struct crowd *crowd)
{
	close(crowd->gate[1]);
}

void crowd_kill(struct crowd *crowd, unsigned int member)
{
	/* the child is reaped in crowd_wait() only, so the pid is still that of the child */
	kill(crowd->seat[member].pid, SIGKILL);
}

unsigned int crowd_wait(struct crowd *crowd)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < crowd->size; i++) {
		struct seat *seat = &crowd->seat[i];

		while (waitpid(seat->pid, &seat->status, 0) < 0)
			if (errno != EINTR)
				die("waitpid");
		if (!WIFEXITED(seat->status) || WEXITSTATUS(seat->status))
			failed++;
	}
	return failed;
}

unsigned int crowd_run(struct crowd *crowd, crowd_work work, void *arg)
{
	crowd_spawn(crowd, work, arg);
	crowd_start(crowd);
	return crowd_wait(crowd);
}

uint64_t crowd_done(const struct crowd *crowd)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < crowd->size; i++)
		sum += crowd->seat[i].done;
	return sum;
}

uint64_t crowd_begun(const struct crowd *crowd)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < crowd->size; i++)
		sum += crowd->seat[i].begun;
	return sum;
}

uint64_t crowd_tally(const struct crowd *crowd, unsigned int index)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < crowd->size; i++)
		sum += crowd->seat[i].tally[index];
	return sum;
}

static void too_late(int signal)
{
	static const char words[] = "Bail out! not done before the deadline\n";

	(void)signal;
	if (write(STDOUT_FILENO, words, sizeof(words) - 1) < 0)
		_exit(96);
	kill(0, SIGKILL);
}

void deadline(unsigned int seconds)
{
	struct sigaction action = { .sa_handler = too_late };

	/* a new process group, so that the kill does not reach the process that started this one */
	setpgid(0, 0);
	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
}
