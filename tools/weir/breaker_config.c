// SPDX-License-Identifier: GPL-2.0-only
/* weir breaker create */

#include <string.h>

#include "cli.h"

#define FAILURES_MAX	65535
#define MINIMUM_MAX	1048576
#define PROBES_MAX	1073741824

const struct option breaker_create_options[] = {
	{ .name = "--failures", .value = "N", .required = true, .unless = "--percent",
	  .help = "failures within --within that open the breaker, 1 to 65535; or give --percent instead" },
	{ .name = "--percent", .value = "P",
	  .help = "percentage of failed calls within --within that opens the breaker, 1 to 100" },
	{ .name = "--minimum", .value = "N",
	  .help = "with --percent: calls within --within below which the breaker stays closed, 1 to 1048576; default 10" },
	{ .name = "--within", .value = "T", .required = true,
	  .help = "the time during which a failure counts, 1ns to 100d" },
	{ .name = "--open", .value = "T[,T...]", .required = true,
	  .help = "how long the breaker stays open the first time, the second time, and so on; the last step repeats; 1 to 8 durations, 1ns to 3650d each" },
	{ .name = "--probes", .value = "N",
	  .help = "calls that are admitted while half-open, 1 to 1073741824; default 1" },
	{ .name = "--successes", .value = "N",
	  .help = "probes that must succeed to close the breaker; default: all" },
	{ .name = "--forget-after", .value = "T",
	  .help = "how long the breaker must have been closed before --open starts at its first step again, 0s to 3650d; default 0s" },
	{ .name = "--probe-within", .value = "T",
	  .help = "a probe that is not reported within T has failed; never: no limit; default 1m" },
	{ .name = "--lapse", .value = "T",
	  .help = "a half-open breaker without outstanding probes closes if no call asks for T; default: 1h with keys, otherwise never" },
	{ .name = "--slow", .value = "T",
	  .help = "a call that takes longer than T has failed, whatever is reported; default: no limit" },
	{ .name = KEY_OPTION },
	{ .name = PREFIX_OPTION },
	{ .name = "--max-keys", .value = "N",
	  .help = "keys with an entry at a time, 1 to 16777216; default 65536" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = EXISTING_OK_OPTION("breaker") },
	{ 0 }
};

/* The value of an optional number; 0 if it was not given. */
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

/* The options for when the breaker opens. */
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

/* The options for how long the breaker stays open. */
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

	arg_object("breaker", args->operands[0]);
	config_take(args, &config);
	return create_object(args, WEIR_KIND_BREAKER, &config);
}
