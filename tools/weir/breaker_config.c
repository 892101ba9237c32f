// SPDX-License-Identifier: GPL-2.0-only
/* weir breaker create */

#include <string.h>

#include "cli.h"

#define FAILURES_MAX	65535
#define MINIMUM_MAX	1048576
#define PROBES_MAX	1073741824

const struct option breaker_create_options[] = {
	{ .name = "--failures", .value = "N", .required = true, .unless = "--percent",
	  .help = "so many failures within --within open it, 1 to 65535; in their place: --percent" },
	{ .name = "--percent", .value = "P",
	  .help = "so many of 100 calls within --within that failed open it, 1 to 100" },
	{ .name = "--minimum", .value = "N",
	  .help = "with --percent: if there were so many calls at least, 1 to 1048576; 10 unless given" },
	{ .name = "--within", .value = "T", .required = true,
	  .help = "the time in which failures count, 1ns to 100d" },
	{ .name = "--open", .value = "T[,T...]", .required = true,
	  .help = "how long it stays open, each time in turn, the last again and again: 1 to 8 durations, 1ns to 3650d" },
	{ .name = "--probes", .value = "N",
	  .help = "how many calls it admits half-open, 1 to 1073741824; 1 unless given" },
	{ .name = "--successes", .value = "N",
	  .help = "how many of them must succeed to close it; all unless given" },
	{ .name = "--forget-after", .value = "T",
	  .help = "how long after it closed it begins with the first step of --open again, 0s to 3650d; at once unless given" },
	{ .name = "--probe-within", .value = "T",
	  .help = "how long probes may take: longer, and they have failed; never: they are waited for; 1m unless given" },
	{ .name = "--lapse", .value = "T",
	  .help = "how long it stays half-open when nobody asks; then it closes; never unless given, but 1h if it has keys" },
	{ .name = "--slow", .value = "T",
	  .help = "a call that takes longer has failed, whatever is reported; however long unless given" },
	{ .name = KEY_OPTION },
	{ .name = PREFIX_OPTION },
	{ .name = "--max-keys", .value = "N",
	  .help = "keys that have anything to remember at a time, 1 to 16777216; 65536 unless given" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = EXISTING_OK_OPTION("breaker") },
	{ 0 }
};

/* A number that may not be given: then it is 0. */
static uint32_t number_take(const struct args *args, const char *name, uint64_t most)
{
	return (uint32_t)option_u64(args, name, 1, most, 0);
}

static uint64_t duration_or_never(const struct args *args, const char *name)
{
	const char *text = args_option(args, name);

	return text && !strcmp(text, "never") ? WEIR_NEVER :
	       option_duration(args, name, 1, 10 * YEAR, 0);
}

/* When it opens. */
static void trigger_take(const struct args *args, struct weir_breaker_config *config)
{
	config->failures = number_take(args, "--failures", FAILURES_MAX);
	config->percent = number_take(args, "--percent", 100);
	config->minimum = number_take(args, "--minimum", MINIMUM_MAX);
	config->within = option_duration(args, "--within", 1, 100 * DAY, 0);
	if (config->failures && config->percent)
		die("--percent: not with --failures");
	if (config->failures && config->minimum)
		die("--minimum: only with --percent");
}

/* How long it stays open. */
static void ladder_take(const struct args *args, struct weir_breaker_config *config)
{
	struct weir_limiter_config ladder = { 0 };

	arg_ladder("--open", args_option(args, "--open"), 1, "10s,1m,10m", &ladder);
	config->nopen = ladder.nbans;
	memcpy(config->open, ladder.ban, sizeof(config->open));
}

static void config_take(const struct args *args, struct weir_breaker_config *config)
{
	struct key_choice keys;

	trigger_take(args, config);
	ladder_take(args, config);
	config->probes = number_take(args, "--probes", PROBES_MAX);
	config->successes = number_take(args, "--successes",
					config->probes ? config->probes : 1);
	config->forget_after = option_duration(args, "--forget-after", 0, 10 * YEAR, 0);
	config->probe_within = duration_or_never(args, "--probe-within");
	config->lapse = duration_or_never(args, "--lapse");
	config->slow = option_duration(args, "--slow", 1, 10 * YEAR, 0);
	config->max_keys = max_keys_take(args, 0);
	keys = key_choose(args, config->max_keys);
	config->key_type = keys.type;
	config->prefix4 = keys.prefix4;
	config->prefix6 = keys.prefix6;
}

int breaker_create_run(const struct args *args)
{
	struct weir_breaker_config config = { .size = sizeof(config) };

	arg_name("breaker", args->operands[0]);
	config_take(args, &config);
	return create_object(args, WEIR_KIND_BREAKER, &config);
}
