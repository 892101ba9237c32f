/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench - the cost of one call
 *
 * Under "tests/vm/run --icount" a nanosecond of the clock is one instruction of the machine, of the
 * kernel and all processes together. So the figures are the same on every host. A row is the
 * minimum of several rounds, which excludes rounds with a timer interrupt.
 *
 * Measurements of time depend on the load of the host, so a row has the minimum, the median and the
 * maximum of many rounds.
 */
#ifndef _WEIR_BENCH_H
#define _WEIR_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* One call, or as many as the row says. @i is the number of the call. */
typedef void (*bench_call)(void *arg, uint64_t i);

/* Measure @call, which performs @ops operations, and print a row. */
void bench_row(const char *group, const char *name, bench_call call, void *arg,
	       unsigned int ops);

/*
 * Like bench_row(), in instructions only, for calls that cannot be repeated. A round is
 * BENCH_UNDONE operations. After it, @undo is called with the @i of each call; this is not counted.
 */
#define BENCH_UNDONE	256
void bench_row_undone(const char *group, const char *name, bench_call call,
		      bench_call undo, void *arg, unsigned int ops);

/*
 * The mean of many calls, in instructions only. It includes work that the kernel does later, such
 * as freeing memory, which the fastest round may not have.
 */
void bench_row_mean(const char *group, const char *name, bench_call call, void *arg);

/* The value that bench_row() prints. */
double bench_cost(bench_call call, void *arg, unsigned int ops);

/* CLOCK_MONOTONIC, in ns. */
uint64_t bench_now(void);

/* A row of time: minimum, median and maximum of @values, which must be sorted. */
#define BENCH_TIMED_ROUNDS	300
void bench_spread(const char *group, const char *name, double *values,
		  unsigned int count);
void bench_three(const char *group, const char *name, double least, double median,
		 double most);

/* A row of any number. */
void bench_figure(const char *group, const char *name, double figure);

/* A row that cannot be measured here, with the reason. */
void bench_missing(const char *group, const char *name, const char *why);

/* Something that a row needs has failed: print it and exit. */
void bench_die(const char *what) __attribute__((noreturn));

void bench_kernel(void);	/* an empty system call, small ioctls */
void bench_weir(void);		/* counters, limiters, gates */
void bench_breakers(void);
void bench_rosters(void);
void bench_peers(void);		/* comparable parts of the kernel */
void bench_lock_files(void);
void bench_packet(void);	/* packet filters of the kernel */
void bench_redis(void);
void bench_redis_lock(void);
void bench_scale(void);	/* few keys and ten million */
void bench_time_um(void);	/* loops of weir_time.ko, in user-mode Linux */
void bench_time_native(void);	/* measurements without the module, on the host itself */

/* Comparisons with a state for each key use this number of keys. */
#define BENCH_KEYS	100000
void bench_memory(void);

/*
 * UDP packets over the loopback device. A call sends a packet and receives it; otherwise the
 * program ends. packet_send() sends from source address number @n of 2^24.
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

/* Return: false if the filter is not available here. */
bool filter_set(const struct filter *f);
void filter_clear(const struct filter *f);

/* A Redis server that runs until redis_stop(), with a script that does GCRA. */
struct redis;
struct redis *redis_start(void);
void redis_stop(struct redis *r);
/* Make new keys, each with its state. */
void redis_fill(struct redis *r, unsigned int keys);
/* Make new keys, each a lock, to compare with leases of a roster. */
void redis_fill_locks(struct redis *r, unsigned int keys);
uint64_t redis_memory(struct redis *r);

/* the value of a lease or lock, such as the name of its owner */
#define BENCH_VALUE	"host-7:00012345"

int bench_bpf(int cmd, void *attr, unsigned int size);

#endif /* _WEIR_BENCH_H */
