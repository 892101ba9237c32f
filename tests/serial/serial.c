// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial - every answer of a limiter is one that a serial order of the operations would give
 *
 * Threads make histories of 32 operations on one to three keys (history.h). For each history,
 * search.h searches for an order that explains every number of every answer. Each operation has a
 * moment within its own duration, by CLOCK_BOOTTIME.
 *
 * Covered: CHECK, PEEK, REFUND, STRIKE, FORGIVE, BAN, LIFT and RESERVE of one key; CHECKs of
 * several keys, of one limiter or of two, with WEIR_SUBMIT_ALL, as one operation; batches, whose
 * operations follow one another; SET of rate, burst, tokens and strikes; buckets, fixed and
 * sliding windows; bans by strikes, and the ladder. The lock-free answers are among these.
 *
 * Not covered: keys without an entry, FORGET, entries that are dropped, full tables; the other
 * members of SET, a window's period among them; rules, shadow mode, candidates, LOAD; ADD in a
 * transaction, and several CHECKs of one key; strikes that fade, the ladder that is reset; a
 * RESERVE that a signal interrupts; how soon a RESERVE is served (that it is not overtaken is
 * covered); totals and events; calls of other kernel modules; the other kinds of object.
 *
 * A search without a result is an error. A history that took so long that some answers do not show
 * when they were made is left out. The number of these is printed; not all histories may be left
 * out.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "history.h"

#define BUCKET	WEIR_ALGORITHM_BUCKET
#define WINDOW	WEIR_ALGORITHM_WINDOW
#define SLIDING	WEIR_ALGORITHM_SLIDING

static const struct serial_mixture mixtures[] = {
	/*                                            CHECK PEEK REFUND STRIKE FORGIVE BAN LIFT RESERVE ALL BATCH SET */
	{ "checks and bans", 0, 1, { BUCKET },       { 42, 22,  7,  0, 0, 15, 11,  0,  0, 3, 0 } },
	{ "strikes that ban", 3, 1, { BUCKET },      { 42, 19,  7, 11, 4,  4, 10,  0,  0, 3, 0 } },
	{ "reservations", 0, 1, { BUCKET },          { 32, 16, 12,  0, 0,  8,  8, 22,  0, 2, 0 } },
	{ "transactions", 3, 3, { BUCKET, BUCKET, BUCKET },
						     { 18, 18,  8,  4, 2,  4,  4,  0, 30, 12, 0 } },
	{ "sliding windows", 4, 2, { SLIDING, SLIDING },
						     { 24, 18,  8,  4, 2,  5,  5, 12, 14, 6, 2 } },
	{ "fixed windows", 0, 3, { WINDOW, WINDOW, WINDOW },
						     { 24, 20, 16,  0, 0,  0,  0,  0, 26, 12, 2 } },
	{ "buckets and sliding windows", 4, 3, { BUCKET, SLIDING, SLIDING },
						     { 20, 16,  7,  3, 2,  4,  4, 12, 20, 9, 3 } },
};

#define MIXTURES	(sizeof(mixtures) / sizeof(*mixtures))

static struct {
	u64 seed;
	u64 histories;	/* histories of each mixture; 0: limited by time */
	u64 seconds;	/* seconds in all */
	int only;	/* number of the only mixture, or -1 */
} options = { .seed = 1, .seconds = 16, .only = -1 };

static const char *const found_names[] = {
	[SERIAL_EXPLAINED] = "is explained",
	[SERIAL_UNEXPLAINED] = "is explained by no serial order",
	[SERIAL_UNDECIDED] = "has too many possible orders",
};

/* Run one mixture. Return: whether all its histories are explained. */
static bool mixture_run(const struct serial_mixture *m)
{
	static struct serial_history h;
	u64 made = 0, left_out = 0, interrupted = 0, most = 0, until;
	enum serial_found found = SERIAL_EXPLAINED;

	until = clock_now() + options.seconds * SECOND / (options.only < 0 ? MIXTURES : 1);
	histories_mix(m);
	while (found == SERIAL_EXPLAINED &&
	       (options.histories ? made < options.histories : clock_now() < until)) {
		made++;
		if (!history_make(&h)) {
			left_out++;
			continue;
		}
		interrupted += history_interrupted(&h);
		found = serial_search(&h);
		most = max(most, h.states);
	}
	printf("# %s: %llu histories, %llu left out; %llu operations interrupted by others; at most %llu states\n",
	       m->name, (unsigned long long)made, (unsigned long long)left_out,
	       (unsigned long long)interrupted, (unsigned long long)most);
	if (found != SERIAL_EXPLAINED) {
		printf("# history %llu of seed %llu %s\n", (unsigned long long)made,
		       (unsigned long long)options.seed, found_names[found]);
		serial_print(&h);
	}
	histories_unmix();
	return found == SERIAL_EXPLAINED && left_out < made;
}

static void usage(void)
{
	puts("Usage: serial [--seed N] [--seconds N | --histories N] [--only N]\n"
	     "\n"
	     "Threads operate on a few keys of limiters at once; then an order of the operations is\n"
	     "searched for that explains every answer. This is repeated with several mixtures of\n"
	     "operations and algorithms. Prints TAP; of a history that no order explains, the\n"
	     "operations.\n"
	     "\n"
	     "  --seed N       chooses the operations (1), but not when they run\n"
	     "  --seconds N    for all mixtures together (16)\n"
	     "  --histories N  of each mixture, instead\n"
	     "  --only N       mixture N only");
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "histories", required_argument, NULL, 'n' },
		{ "only", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			options.seconds = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			options.histories = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			options.only = strtoull(optarg, NULL, 0) - 1;
			if (options.only >= 0 && options.only < (int)MIXTURES)
				break;
			exit(2);
		case 'h':
			usage();
			exit(0);
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	u32 planned, number = 0;
	bool ok, all = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	planned = options.only < 0 ? MIXTURES : 1;
	histories_begin(options.seed);
	printf("1..%u\n", planned);
	for (int i = 0; i < (int)MIXTURES; i++) {
		if (options.only >= 0 && options.only != i)
			continue;
		ok = mixture_run(&mixtures[i]);
		printf("%s %u - %s\n", ok ? "ok" : "not ok", ++number, mixtures[i].name);
		all &= ok;
	}
	histories_end();
	return all ? 0 : 1;
}
