// SPDX-License-Identifier: GPL-2.0-only
/*
 * The time of checks inside the kernel, which runs as a process of the host (user-mode Linux).
 * The loops are in weir_time.ko: see bench/module/time.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir.h>

#include "bench.h"

#define PARAMETERS "/sys/module/weir_time/parameters/"
#define INSMOD	"insmod \"$WEIR_MODULES/weir_time.ko\""
#define DAY	86400000000000ULL
#define KEYS	1000000		/* the same number as in the module */
/*
 * checks in a round: a round takes a few milliseconds, so that on a busy host some rounds are not
 * interrupted
 */
#define CHECKS	(20 * 256)
#define NEW	1000
#define SIDE	10000		/* checks of each of two CPUs */

static void parameter_write(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	int failed = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (failed) {
		fprintf(stderr, "'%s': ", text);
		bench_die(name);
	}
	close(fd);
}

/* Time in ns of @count rounds of @loop. */
static double took(const char *loop, unsigned int count)
{
	char text[64];
	ssize_t n;
	int fd;

	snprintf(text, sizeof(text), "%s %u", loop, count);
	parameter_write(PARAMETERS "run", text);
	fd = open(PARAMETERS "took", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		bench_die(PARAMETERS "took");
	close(fd);
	text[n] = '\0';
	return strtod(text, NULL);
}

static void row(const char *group, const char *name, const char *loop,
		unsigned int count)
{
	double values[BENCH_TIMED_ROUNDS];

	took(loop, count);	/* the first run warms up */
	for (int i = 0; i < BENCH_TIMED_ROUNDS; i++)
		values[i] = took(loop, count) / count;
	bench_spread(group, name, values, BENCH_TIMED_ROUNDS);
}

/* In turns, so that a disturbance affects both. */
static void two_processors(void)
{
	double one[BENCH_TIMED_ROUNDS], two[BENCH_TIMED_ROUNDS];
	double same[BENCH_TIMED_ROUNDS];

	for (int i = 0; i < BENCH_TIMED_ROUNDS; i++) {
		one[i] = took("one", SIDE) / SIDE;
		two[i] = took("two", SIDE) / SIDE;
		same[i] = took("two-same", SIDE) / SIDE;
	}
	bench_spread("two", "one processor, 1,024 keys", one, BENCH_TIMED_ROUNDS);
	bench_spread("two", "two at once, 1,024 keys each, a check of each", two,
		     BENCH_TIMED_ROUNDS);
	bench_spread("two", "two at once, the same key, a check of each", same,
		     BENCH_TIMED_ROUNDS);
	bench_three("two", "checks of two in the time of one's (not ns)",
		    2 * one[0] / two[0],
		    2 * one[BENCH_TIMED_ROUNDS / 2] / two[BENCH_TIMED_ROUNDS / 2],
		    2 * one[BENCH_TIMED_ROUNDS - 1] / two[BENCH_TIMED_ROUNDS - 1]);
}

/* @tokens: per day */
static struct weir_limiter *limiter_make(struct weir *weir, const char *name,
					 uint64_t tokens, uint64_t burst,
					 uint64_t max_keys)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = tokens, .period = DAY,
		.burst = burst, .max_keys = max_keys,
	};
	struct weir_limiter *limiter = weir_limiter_create(weir, name, &config, 0600);

	if (!limiter)
		bench_die(name);
	return limiter;
}

static uint32_t handle_of(const struct weir_limiter *limiter)
{
	struct weir_key key;
	struct weir_op op;

	weir_key_u64(&key, 0);
	weir_op_limiter(&op, limiter, WEIR_OP_CHECK, &key, 1);
	return op.handle;
}

/*
 * A check of time-many leaves five minutes of debt on its key, so no key becomes idle and is
 * dropped before the end; the caller ensures that. time-hot has only one key.
 */
static struct weir_limiter *setup(struct weir *weir)
{
	struct weir_limiter *hot, *many;
	char text[64];

	hot = limiter_make(weir, "time-hot", 1000000000, 4000000000, 1024);
	many = limiter_make(weir, "time-many", 288, 200000, KEYS);
	limiter_make(weir, "time-new", 288, 200000, 1 << 20);
	if (system(INSMOD))
		bench_die(INSMOD);
	snprintf(text, sizeof(text), "%d %u %u", weir_fd(weir), handle_of(hot),
		 handle_of(many));
	parameter_write(PARAMETERS "client", text);
	took("fill", KEYS);
	took("peer-fill", 1);
	return many;
}

static void known_still(struct weir_limiter *many)
{
	struct weir_limiter_stats stats = { .size = sizeof(stats) };

	if (weir_limiter_get_stats(many, &stats) < 0)
		bench_die("stats");
	if (stats.keys == KEYS && !stats.evicted && !stats.expired)
		return;
	fprintf(stderr, "keys went meanwhile: this host is too slow\n");
	exit(2);
}

void bench_time_um(void)
{
	struct weir *weir = weir_open(0);
	struct weir_limiter *many;

	if (!weir)
		bench_die("weir");
	many = setup(weir);
	row("loop", "choosing a key at random", "empty", CHECKS);
	row("loop", "reading the clock (ktime_get_boottime_ns)", "clock", CHECKS);
	row("check", "one hot key", "hot", CHECKS);
	row("check", "of 1,000,000 keys at random", "random", CHECKS);
	row("check", "new key (the allocator blocks signals)", "new", NEW);
	row("batch", "of 256, one hot key, per check", "batch-hot", CHECKS);
	row("batch", "of 256, 1,000,000 keys at random, per check", "batch-random", CHECKS);
	row("peer", "rhashtable, lock, token bucket: one hot key", "peer-hot", CHECKS);
	row("peer", "the same, of 1,000,000 keys at random", "peer-random", CHECKS);
	two_processors();
	known_still(many);
	weir_close(weir);
}
