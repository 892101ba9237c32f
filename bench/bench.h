/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench - what one call costs
 *
 * Under "tests/vm/run --icount" a nanosecond of the clock is one instruction of the
 * machine, kernel and all processes together, so the figures are the same on every
 * host. A row is the least of several rounds: a round that a timer interrupt fell
 * into is not it.
 *
 * Where time is measured the host is as it is, so a row is what the least, the middle
 * and the most of many rounds were.
 */
#ifndef _WEIR_BENCH_H
#define _WEIR_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* One call, or as many as the row says; @i counts them. */
typedef void (*bench_call)(void *arg, uint64_t i);

/* Measure @call, which does @ops operations, and print a row. */
void bench_row(const char *group, const char *name, bench_call call, void *arg,
	       unsigned int ops);

/*
 * The same in instructions only, for what cannot be done twice: a round is BENCH_UNDONE
 * operations, after which @undo is called with the @i of each call, uncounted.
 */
#define BENCH_UNDONE	256
void bench_row_undone(const char *group, const char *name, bench_call call,
		      bench_call undo, void *arg, unsigned int ops);

/*
 * The mean of many calls, in instructions only. What the kernel does later, as freeing
 * memory, is in it; the round that is the least may go without.
 */
void bench_row_mean(const char *group, const char *name, bench_call call, void *arg);

/* What bench_row() prints. */
double bench_cost(bench_call call, void *arg, unsigned int ops);

/* CLOCK_MONOTONIC, in ns. */
uint64_t bench_now(void);

/* A row of time: least, median and most of @values, which are sorted. */
#define BENCH_TIMED_ROUNDS	300
void bench_spread(const char *group, const char *name, double *values,
		  unsigned int count);
void bench_three(const char *group, const char *name, double least, double median,
		 double most);

/* A row of any number. */
void bench_figure(const char *group, const char *name, double figure);

/* A row that cannot be measured here, and why. */
void bench_missing(const char *group, const char *name, const char *why);

/* Something a row needs failed: say so and end. */
void bench_die(const char *what) __attribute__((noreturn));

void bench_kernel(void);	/* empty system call, small ioctls */
void bench_weir(void);		/* counters, limiters, gates */
void bench_breakers(void);
void bench_rosters(void);
void bench_peers(void);		/* what the kernel has of the kind */
void bench_lock_files(void);
void bench_packet(void);	/* what the kernel has to limit packets by */
void bench_redis(void);
void bench_redis_lock(void);
void bench_scale(void);	/* few keys and ten million */
void bench_time_um(void);	/* loops of weir_time.ko, in user-mode Linux */
void bench_time_native(void);	/* what needs no module, on the host itself */

/* The same that keep a state for each key, now with this many. */
#define BENCH_KEYS	100000
void bench_memory(void);

/*
 * Packets to ourselves over the loopback device; a call is sent and received again, or
 * the program ends. packet_send() gives the @n-th of 2^24 source addresses.
 */
struct packets;
struct packets *packets_open(void);
void packets_close(struct packets *p);
void packet_send(struct packets *p, uint32_t n);

/* A limit of packets by source address. @set and @clear are shell commands. */
struct filter {
	const char *name;
	const char *set;
	const char *clear;
};

extern const struct filter filter_weir_slow, filter_nft_set, filter_hashlimit;

/* False: not available here. */
bool filter_set(const struct filter *f);
void filter_clear(const struct filter *f);

/* Redis: one server for as long as it takes, and a script in it that does GCRA. */
struct redis;
struct redis *redis_start(void);
void redis_stop(struct redis *r);
/* New keys, each with its state. */
void redis_fill(struct redis *r, unsigned int keys);
/* New keys, each a lock as a roster's lease is one. */
void redis_fill_locks(struct redis *r, unsigned int keys);
uint64_t redis_memory(struct redis *r);

/* The value of a lease or lock, if it has one, such as the name of its owner. */
#define BENCH_VALUE	"host-7:00012345"

int bench_bpf(int cmd, void *attr, unsigned int size);

#endif /* _WEIR_BENCH_H */
