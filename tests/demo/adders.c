// SPDX-License-Identifier: GPL-2.0-only
/*
 * adders - many processes add 1 repeatedly, all at the same time
 *
 *	adders COUNTER PROCESSES ADDS
 *
 * Each process adds to a counter of weir. For comparison it also adds to two numbers in shared
 * memory, by reading them and writing them back plus one. The program prints these two; "weir
 * counter read COUNTER" prints the counter.
 */
#include <err.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir.h>

/* Each number has its own cache line, so that the two do not slow each other down. */
struct shared {
	alignas(64) volatile uint64_t at_once;	/* read and written back at once */
	alignas(64) volatile uint64_t later;	/* read, and written back after a system call */
};

static void add(struct weir_counter *counter, struct shared *shared)
{
	uint64_t seen = shared->later;

	if (weir_counter_add(counter, 0, 1) < 0)
		err(2, "add");
	shared->later = seen + 1;

	seen = shared->at_once;
	shared->at_once = seen + 1;
}

/* @gate is a pipe without writers: a read returns when its other end is closed. */
static void work(const char *name, struct shared *shared, unsigned int adds,
		 int gate)
{
	struct weir *weir = weir_open(0);
	struct weir_counter *counter;
	char byte;

	if (!weir)
		err(2, "/dev/weir");
	counter = weir_counter_open(weir, name, WEIR_RIGHT_USE);
	if (!counter)
		err(2, "counter '%s'", name);
	if (read(gate, &byte, 1) != 0)
		err(2, "gate");
	while (adds--)
		add(counter, shared);
	weir_counter_close(counter);
	weir_close(weir);
}

static void run(const char *name, struct shared *shared,
		unsigned int processes, unsigned int adds)
{
	int gate[2], status;
	pid_t pid;

	if (pipe(gate))
		err(2, "pipe");
	while (processes--) {
		pid = fork();
		if (pid < 0)
			err(2, "fork");
		if (pid == 0) {
			close(gate[1]);
			work(name, shared, adds, gate[0]);
			_exit(0);
		}
	}
	close(gate[0]);
	close(gate[1]);
	while (wait(&status) > 0)
		if (status)
			errx(2, "a process failed");
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > 100000)
		errx(2, "must be from 1 to 100000: '%s'", text);
	return (unsigned int)value;
}

int main(int argc, char **argv)
{
	struct shared *shared;

	if (argc != 4)
		errx(2, "usage: adders COUNTER PROCESSES ADDS");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(2, "mmap");
	run(argv[1], shared, number(argv[2]), number(argv[3]));
	printf("written back at once: %llu\n",
	       (unsigned long long)shared->at_once);
	printf("written back after a system call: %llu\n",
	       (unsigned long long)shared->later);
	return 0;
}
