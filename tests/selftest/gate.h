/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gate - helpers for tests of gates, and processes that wait at one
 *
 * A key is a pointer to a number; NULL: the gate has no keys.
 */
#ifndef _WEIR_SELFTEST_GATE_H
#define _WEIR_SELFTEST_GATE_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "asleep.h"
#include "client.h"
#include "crowd.h"

static inline struct weir_gate_config gate_config(__u32 key_type, __u32 permits)
{
	struct weir_gate_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.key_type = key_type;
	config.permits = permits;
	return config;
}

static inline int gate_create(int fd, const char *name,
			      const struct weir_gate_config *config, __u32 *gate)
{
	return object_create(fd, WEIR_KIND_GATE, name, config, gate);
}

static inline int gate_get(int fd, __u32 gate, struct weir_gate_config *config)
{
	return config_get(fd, gate, config, sizeof(*config));
}

static inline int gate_set(int fd, __u32 gate, __u64 mask,
			   const struct weir_gate_config *config)
{
	return config_set(fd, gate, mask, config);
}

static inline int gate_resize(int fd, __u32 gate, __u32 permits)
{
	struct weir_gate_config config = gate_config(0, permits);

	return gate_set(fd, gate, WEIR_SET_PERMITS, &config);
}

static inline struct weir_gate_stats gate_stats(int fd, __u32 gate)
{
	struct weir_gate_stats stats;

	totals_need(fd, gate, &stats, sizeof(stats));
	return stats;
}

static inline int gate_run(int fd, struct weir_op *op, __u16 opcode, __u32 gate,
			   const __u64 *key, __s64 n, __u64 until)
{
	return number_run(fd, op, opcode, gate, key, n, until);
}

static inline int gate_run_as(int fd, __u32 tag, struct weir_op *op, __u16 opcode, __u32 gate,
			      const __u64 *key, __s64 n, __u64 until)
{
	return number_run_as(fd, tag, op, opcode, gate, key, n, until);
}

/* Acquire with deadline @until. Return: the verdict, or a negative errno. */
static inline int gate_get_as(int fd, __u32 tag, __u32 gate, const __u64 *key, __s64 n,
			      __u64 until)
{
	struct weir_op op;
	int ret = gate_run_as(fd, tag, &op, WEIR_OP_ACQUIRE, gate, key, n, until);

	return ret ?: (int)op.verdict;
}

static inline int gate_release_as(int fd, __u32 tag, __u32 gate, const __u64 *key, __s64 n)
{
	struct weir_op op;

	return gate_run_as(fd, tag, &op, WEIR_OP_RELEASE, gate, key, n, 0);
}

static inline __u32 gate_held_as(int fd, __u32 tag, __u32 gate, const __u64 *key)
{
	struct weir_op op;

	if (gate_run_as(fd, tag, &op, WEIR_OP_GATE_STATE, gate, key, 0, 0))
		abort();
	return op.held;
}

/* Acquire without waiting. Return: the verdict, or a negative errno. */
static inline int gate_try(int fd, __u32 gate, const __u64 *key, __s64 n)
{
	struct weir_op op;
	int ret = gate_run(fd, &op, WEIR_OP_ACQUIRE, gate, key, n, 0);

	return ret ?: (int)op.verdict;
}

static inline int gate_release(int fd, __u32 gate, const __u64 *key, __s64 n)
{
	struct weir_op op;

	return gate_run(fd, &op, WEIR_OP_RELEASE, gate, key, n, 0);
}

static inline struct weir_op gate_state(int fd, __u32 gate, const __u64 *key)
{
	struct weir_op op;

	if (gate_run(fd, &op, WEIR_OP_GATE_STATE, gate, key, 0, 0)) {
		printf("# no state of the gate\n");
		abort();
	}
	return op;
}

static inline __u64 gate_free(int fd, __u32 gate, const __u64 *key)
{
	return gate_state(fd, gate, key).remaining;
}

/* Compare every member of an answer, for EXPECT_TRUE(). */
static inline bool gate_answers(const struct weir_op *op, __u32 verdict, __u64 limit,
				__u64 remaining, __u32 waiting, __u32 held)
{
	if (op->verdict == verdict && op->limit == limit &&
	    op->remaining == remaining && op->waiting == waiting && op->held == held &&
	    !op->out_flags && !op->decided && !op->retry_after && !op->reset_after &&
	    !op->banned_for)
		return true;
	printf("# verdict %u limit %llu remaining %llu waiting %u held %u\n", op->verdict,
	       (unsigned long long)op->limit, (unsigned long long)op->remaining,
	       op->waiting, op->held);
	printf("# wanted  %u limit %llu remaining %llu waiting %u held %u\n", verdict,
	       (unsigned long long)limit, (unsigned long long)remaining, waiting, held);
	return false;
}

/* All permits in use at a gate without keys. No operation may be in progress. */
static inline __u64 gate_in_use(int fd, __u32 gate)
{
	struct weir_op op = gate_state(fd, gate, NULL);

	/* the totals must have the same number */
	if (gate_stats(fd, gate).in_use != op.limit - op.remaining)
		return ~0ULL;
	return op.limit - op.remaining;
}

/* Open the device, and the gate that tests call "gate". */
static inline int gate_enter(__u32 *gate)
{
	return object_enter(WEIR_KIND_GATE, OURS "gate", gate);
}

static inline void gate_take(int fd, __u32 gate, __s64 n)
{
	if (gate_try(fd, gate, NULL, n) != WEIR_ALLOWED)
		abort();
}

/* ------------------------------------------------------------ waiters */

/* A process that acquires, and its results, in shared memory. */
struct visitor {
	_Atomic int ready, done, leave;
	int result;		/* errno of the call, or of the op */
	struct weir_op op;
	int turn;		/* position in the order of service */
	long sleeps;		/* voluntary context switches in the call */
	pid_t pid;
};

struct visitors {
	_Atomic int turns;
	struct visitor visitor[64];
};

static inline void visitor_noted(int sig)
{
	(void)sig;
}

/* Acquire, store the result, and hold the permits until @leave is set. */
static inline void visitor_visit(struct visitors *all, int i, int fd, __u32 gate,
				 const __u64 *key, __s64 n, __u64 until)
{
	struct sigaction action = { .sa_handler = visitor_noted,
				    .sa_flags = SA_RESTART };
	struct visitor *v = &all->visitor[i];
	struct rusage before, after;

	sigaction(SIGUSR1, &action, NULL);
	getrusage(RUSAGE_SELF, &before);
	v->ready = 1;
	v->result = gate_run(fd, &v->op, WEIR_OP_ACQUIRE, gate, key, n, until);
	getrusage(RUSAGE_SELF, &after);
	v->sleeps = after.ru_nvcsw - before.ru_nvcsw;
	v->turn = all->turns++;
	v->done = 1;
	while (!v->leave)
		usleep(500);
	_exit(0);
}

/* Start a process with its own client and the same handles. Returns when the process runs. */
static inline void visitor_begin(struct visitors *all, int i, int fd, __u32 gate,
				 const __u64 *key, __s64 n, __u64 until)
{
	struct visitor *v = &all->visitor[i];
	pid_t pid;

	fflush(NULL);
	memset(v, 0, sizeof(*v));
	pid = fork();
	if (!pid)
		visitor_visit(all, i, client_alone(fd), gate, key, n, until);
	v->pid = pid;
	while (!v->ready)
		usleep(100);
}

/* Like visitor_begin(), and wait until the process sleeps in the call. */
static inline void visitor_wait(struct visitors *all, int i, int fd, __u32 gate,
				const __u64 *key, __s64 n)
{
	visitor_begin(all, i, fd, gate, key, n, WEIR_NEVER);
	until_asleep(all->visitor[i].pid);
}

/* Wait until the call of the process has returned. */
static inline struct visitor *visitor_served(struct visitors *all, int i)
{
	while (!all->visitor[i].done)
		usleep(500);
	return &all->visitor[i];
}

/* End the process; its permits are back when this returns. */
static inline void visitor_end(struct visitors *all, int i)
{
	all->visitor[i].leave = 1;
	waitpid(all->visitor[i].pid, NULL, 0);
}

static inline void visitor_kill(struct visitors *all, int i)
{
	kill(all->visitor[i].pid, SIGKILL);
	waitpid(all->visitor[i].pid, NULL, 0);
}

#endif /* _WEIR_SELFTEST_GATE_H */
