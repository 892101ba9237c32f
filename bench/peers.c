// SPDX-License-Identifier: GPL-2.0-only
/* Parts of the kernel that programs use to count and limit. */

#include <semaphore.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "bench.h"

#define GROUP	"peer"
#define KNOWN	1024

int bench_bpf(int cmd, void *attr, unsigned int size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

static int map_make(enum bpf_map_type type)
{
	union bpf_attr attr = { 0 };

	attr.map_type = type;
	attr.key_size = 8;
	attr.value_size = 8;
	attr.max_entries = 65536;
	return bench_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* An update replaces the value. It does not add, and makes no decision. */
static void map_update(void *arg, uint64_t i)
{
	uint64_t key = i % KNOWN, values[64] = { i };
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)*(int *)arg;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)values;
	if (bench_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		bench_die("BPF_MAP_UPDATE_ELEM");
}

static void maps(void)
{
	int lru = map_make(BPF_MAP_TYPE_LRU_HASH);
	int percpu = map_make(BPF_MAP_TYPE_PERCPU_HASH);

	if (lru < 0 || percpu < 0)
		bench_die("BPF_MAP_CREATE");
	bench_row(GROUP, "BPF per-CPU hash map, update (not an add)", map_update,
		  &percpu, 1);
	bench_row(GROUP, "BPF LRU hash map, update (not an add)", map_update, &lru, 1);
	close(lru);
	close(percpu);
}

static void semop_pair(void *arg, uint64_t i)
{
	struct sembuf take = { .sem_op = -1, .sem_flg = SEM_UNDO };
	struct sembuf give = { .sem_op = 1, .sem_flg = SEM_UNDO };

	(void)i;
	if (semop(*(int *)arg, &take, 1) || semop(*(int *)arg, &give, 1))
		bench_die("semop");
}

static void futex_pair(void *arg, uint64_t i)
{
	(void)i;
	sem_wait(arg);
	sem_post(arg);
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	sem_t sem;

	if (id < 0 || semctl(id, 0, SETVAL, 1) || sem_init(&sem, 1, 1))
		bench_die("semaphore");
	bench_row(GROUP, "SysV semop pair with SEM_UNDO", semop_pair, &id, 1);
	bench_row(GROUP, "futex semaphore pair, free (lost if its holder dies)",
		  futex_pair, &sem, 1);
	semctl(id, 0, IPC_RMID);
	sem_destroy(&sem);
}

static void round_trip(void *arg, uint64_t i)
{
	char message[64] = { 0 };
	int fd = *(int *)arg;

	(void)i;
	if (write(fd, message, sizeof(message)) != sizeof(message) ||
	    read(fd, message, sizeof(message)) != sizeof(message))
		bench_die("socket");
}

static void echo(int fd)
{
	char message[64];

	while (read(fd, message, sizeof(message)) == sizeof(message))
		if (write(fd, message, sizeof(message)) != sizeof(message))
			break;
	_exit(0);
}

static void daemon_round_trip(void)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bench_die("socketpair");
	child = fork();
	if (!child) {
		close(pair[0]);
		echo(pair[1]);
	}
	close(pair[1]);
	bench_row(GROUP, "Unix socket, 64 bytes to another process and back",
		  round_trip, &pair[0], 1);
	close(pair[0]);
	waitpid(child, NULL, 0);
}

void bench_peers(void)
{
	maps();
	semaphores();
	daemon_round_trip();
}
