// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter create, set: the configuration of a limiter */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define RATE "--rate", .value = "N/UNIT", \
	.help = "N tokens per UNIT: 5/s, 100/m, 30/60s; period up to 100 days"
#define BURST "--burst", .value = "N", \
	.help = "tokens a key can save up; default at creation: the N of --rate"
#define MAX_KEYS "--max-keys", .value = "N", \
	.help = "maximum number of entries, 1 to 16777216; default at creation 65536"
#define WHEN_FULL "--when-full", .value = "WHAT", .words = "refuse allow", \
	.help = "answer for a new key when all entries are in use: refuse (verdict full), or allow it untracked; default at creation: refuse"
#define STRIKES "--strikes", .value = "N", \
	.help = "ban a key when its strikes reach N; 0: never"
#define WITHIN "--within", .value = "T", \
	.help = "a strike counts in full for this time, then fades over the same time again, 1ms to 100d; default at creation 10m"
#define BAN "--ban", .value = "T[,T...]", \
	.help = "length of the first ban, the second, and so on; the last step repeats; up to 8 steps, 1ms to 3650d each"
#define FORGET_AFTER "--forget-after", .value = "T", \
	.help = "if a key's last ban ended longer ago than this, its next ban is the first step again; default at creation: the length of the last step"
#define BAN_JITTER "--ban-jitter", .value = "T", \
	.help = "add a random time up to this to each ban by strikes, so that its end cannot be predicted; up to 365d; default at creation 0"
#define QUEUE_MAX "--queue-max", .value = "N", \
	.help = "tokens of one key that callers of check --wait may wait for in total; 0: any number"
#define SHADOW "--shadow"
#define CANDIDATE "--candidate"

const struct option limiter_create_options[] = {
	{ .name = RATE, .required = true, .unless = "--candidate-of" },
	{ .name = BURST },
	{ .name = "--algorithm", .value = "ALGORITHM",
	  .words = "bucket window sliding",
	  .help = "bucket (the default): tokens come back evenly; window: N in each fixed period; sliding: N in a period, where the previous period counts with a decreasing weight" },
	{ .name = KEY_OPTION },
	{ .name = PREFIX_OPTION },
	{ .name = MAX_KEYS },
	{ .name = WHEN_FULL },
	{ .name = STRIKES },
	{ .name = WITHIN },
	{ .name = BAN },
	{ .name = BAN_JITTER },
	{ .name = FORGET_AFTER },
	{ .name = QUEUE_MAX },
	{ .name = SHADOW,
	  .help = "shadow mode: decide and count, but answer allowed" },
	{ .name = "--candidate-of", .value = "LIVE",
	  .help = "copy the configuration of LIVE, change it by the options given, and make the new limiter LIVE's candidate, replacing an earlier one" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = EXISTING_OK_OPTION("limiter") },
	{ 0 }
};

/* Appended to the help of an option: what is kept of a key's state */
#define KEEPS(what) ". Kept: " what

const struct option limiter_set_options[] = {
	{ .name = RATE KEEPS("the time until a key's bucket is full; the tokens spent in a window, unless the period changes: then a new window starts") },
	{ .name = BURST KEEPS("the tokens spent; tokens above the new burst are owed") },
	{ .name = MAX_KEYS KEEPS("all entries; if they are more than N, new keys are refused until there is room") },
	{ .name = WHEN_FULL KEEPS("all entries; untracked keys have none") },
	{ .name = STRIKES KEEPS("the strikes; a key that already has N is banned by its next strike") },
	{ .name = WITHIN KEEPS("the strikes and their times; they fade by the new time") },
	{ .name = BAN KEEPS("present bans, and the step of each key: its next ban is the next step of the new ladder, or the last one") },
	{ .name = BAN_JITTER KEEPS("present bans") },
	{ .name = FORGET_AFTER KEEPS("the step of each key, until its next ban applies the new time") },
	{ .name = QUEUE_MAX KEEPS("all present waiters, even above N") },
	{ .name = SHADOW, .value = "WHAT", .words = "on off",
	  .help = "on: decide and count, but answer allowed; off: normal" KEEPS("everything; with on, callers that wait with check --wait are allowed at once, uncharged") },
	{ .name = CANDIDATE, .value = "OTHER",
	  .help = "a limiter with the same key type that becomes the candidate of this one; 'limiter show' counts their differences; none: no candidate" KEEPS("the state of both") },
	{ 0 }
};

static void rate_take(struct weir_limiter_config *config, const char *text)
{
	int ret = weir_parse_rate(text, config);

	if (ret < 0 && errno == EINVAL)
		die("--rate '%s': not a rate such as 5/s, 100/m or 30/60s",
		    printable(text));
	if (ret < 0 || config->tokens > TOKENS_MAX ||
	    config->period > 100 * DAY)
		die("--rate '%s': must be 1 to 4294967295 tokens in at most 100 days",
		    printable(text));
}

static const struct set_bit set_bits[] = {
	{ "--rate", WEIR_SET_RATE },
	{ "--burst", WEIR_SET_BURST },
	{ "--max-keys", WEIR_SET_MAX_KEYS },
	{ "--when-full", WEIR_SET_WHEN_FULL },
	{ "--strikes", WEIR_SET_STRIKES },
	{ "--ban", WEIR_SET_STRIKES },
	{ "--within", WEIR_SET_WITHIN },
	{ "--ban-jitter", WEIR_SET_BAN_JITTER },
	{ "--forget-after", WEIR_SET_FORGET_AFTER },
	{ "--queue-max", WEIR_SET_QUEUE_MAX },
	{ SHADOW, WEIR_SET_FLAGS },
	{ CANDIDATE, WEIR_SET_CANDIDATE },
	{ 0 }
};

/*
 * The options that create and set share. An option that is not given changes nothing. The callers
 * check whether the options fit together.
 */
static void config_take(const struct args *args, struct weir_limiter_config *config)
{
	const char *rate = args_option(args, "--rate");
	const char *ban = args_option(args, "--ban");

	if (rate)
		rate_take(config, rate);
	config->burst = option_u64(args, "--burst", 1, TOKENS_MAX, config->burst);
	key_prefix_take(args, &config->prefix4, &config->prefix6);
	config->max_keys = max_keys_take(args, config->max_keys);
	config->when_full = (uint32_t)option_word(args, "--when-full", weir_parse_when_full,
						  "refuse or allow", (int)config->when_full);
	config->strikes = (uint32_t)option_u64(args, "--strikes", 0, UINT32_MAX,
					       config->strikes);
	if (ban)
		arg_ladder("--ban", ban, 1000000, "10m,1h,24h", config);
	config->within = option_duration(args, "--within", 1000000, 100 * DAY,
					 config->within);
	config->ban_jitter = option_duration(args, "--ban-jitter", 0, YEAR,
					     config->ban_jitter);
	config->forget_after = option_duration(args, "--forget-after", 0, 10 * YEAR,
					       config->forget_after);
	config->queue_max = (uint32_t)option_u64(args, "--queue-max", 0, UINT32_MAX,
						 config->queue_max);
}

static void ladder_check(const struct weir_limiter_config *config)
{
	if (config->strikes && !config->nbans)
		die("--strikes needs --ban: how long is the ban?");
	if (!config->strikes && config->nbans)
		die("--ban needs --strikes: how many of them lead to it?");
}

/* ---- create ----------------------------------------------------------------- */

static void config_check(const struct args *args,
			 const struct weir_limiter_config *config)
{
	const char *rate = args_option(args, "--rate");

	ladder_check(config);
	if (args_option(args, "--within") && !config->strikes)
		die("--within needs --strikes: how many of them lead to a ban?");
	if (config->algorithm != WEIR_ALGORITHM_BUCKET) {
		if (config->tokens >= 1 << 27 || config->period < 10000000)
			die("--rate '%s': a window has 1 to 134217727 tokens in at least 10ms",
			    printable(rate));
		if (config->burst && config->burst != config->tokens)
			die("--burst: a window has none");
	}
	key_check(args, config->key_type, config->max_keys);
}

/*
 * Options that are not given change nothing in @config. It has the defaults, or the configuration
 * of LIVE without members that depend on given options.
 */
static void create_config(const struct args *args,
			  struct weir_limiter_config *config)
{
	if (args_option(args, "--algorithm"))
		config->burst = 0;
	config->algorithm = (uint32_t)option_word(args, "--algorithm", weir_parse_algorithm,
						  "bucket, window or sliding",
						  (int)config->algorithm);
	config->key_type = key_type_take(args, config->key_type);
	if (args_option(args, SHADOW))
		config->flags = WEIR_LIMITER_SHADOW;
	config_take(args, config);
	if (config->algorithm != WEIR_ALGORITHM_BUCKET && !args_option(args, "--burst"))
		config->burst = 0;
	if (!config->strikes && !args_option(args, "--ban")) {
		config->nbans = 0;
		memset(config->ban, 0, sizeof(config->ban));
	}
	config_check(args, config);
}

/* Delete the limiter that was just created; preserves errno. */
static void create_undo(struct weir *weir, const char *name)
{
	int error = errno;
	struct weir_limiter *limiter = weir_limiter_open(weir, name,
							 WEIR_RIGHT_ADMIN);

	if (limiter)
		weir_limiter_delete(limiter);
	weir_limiter_close(limiter);
	errno = error;
}

static void create_as_candidate(struct weir *weir, struct weir_limiter *live,
				const char *name, bool made)
{
	struct weir_limiter_config config = { .size = sizeof(config) };

	strcpy(config.candidate, name);
	if (weir_limiter_set(live, WEIR_SET_CANDIDATE, &config) == 0)
		return;
	if (made)
		create_undo(weir, name);
	die("limiter '%s': cannot become the candidate: %s", name, reason(errno));
}

int limiter_create_run(const struct args *args)
{
	const char *of = args_option(args, "--candidate-of");
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
	};
	struct weir_limiter *live = NULL;
	struct weir_create create;
	struct weir *weir = NULL;

	if (of && args_option(args, "--key"))
		die_usage(args, "limiter create: --key: the candidate has the keys of '%s'",
			  printable(of));
	if (of) {
		weir = client_open(0);
		live = limiter_open(weir, of, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
		if (weir_limiter_get_config(live, &config) < 0)
			die_object("limiter", of);
		memset(config.candidate, 0, sizeof(config.candidate));
	}
	create_config(args, &config);
	create = create_take(args, WEIR_KIND_LIMITER, &config);
	if (!weir)
		weir = client_open(0);
	if (weir_create(weir, &create) < 0)
		die_create("limiter", args->operands[0]);
	if (live)
		create_as_candidate(weir, live, create.name, create.created);
	say_existed(args, &create);
	weir_limiter_close(live);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- set -------------------------------------------------------------------- */

static void shadow_take(const struct args *args, struct weir_limiter_config *config)
{
	const char *text = args_option(args, SHADOW);

	if (!text)
		return;
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		die("--shadow '%s': must be on or off", printable(text));
	config->flags = strcmp(text, "on") ? 0 : WEIR_LIMITER_SHADOW;
}

static void candidate_take(const struct args *args, struct weir_limiter_config *config)
{
	const char *text = args_option(args, CANDIDATE);

	if (!text)
		return;
	memset(config->candidate, 0, sizeof(config->candidate));
	if (strcmp(text, "none") != 0)
		strcpy(config->candidate, arg_name("limiter", text));
}

/* Print why the kernel refused the change. */
static void set_failed(const char *name, uint64_t mask,
		       const struct weir_limiter_config *config)
	__attribute__((noreturn));

static void set_failed(const char *name, uint64_t mask,
		       const struct weir_limiter_config *config)
{
	if (errno == ERANGE && mask == WEIR_SET_MAX_KEYS)
		die_max_keys("limiter", name);
	if (mask & WEIR_SET_CANDIDATE) {
		if (errno == ENOENT)
			die("limiter '%s': no such object", config->candidate);
		if (errno == EACCES)
			die("limiter '%s': permission denied: needs w in its mode",
			    config->candidate);
		if (errno == EINVAL && mask == WEIR_SET_CANDIDATE)
			die("limiter '%s': its candidate must be another limiter with the same type of keys",
			    name);
	}
	die_object("limiter", name);
}

/* The options of set. */
static void set_take(const struct args *args, struct weir_limiter_config *config)
{
	config_take(args, config);
	shadow_take(args, config);
	candidate_take(args, config);
}

int limiter_set_run(const struct args *args)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	uint64_t mask = args_mask(args, set_bits);
	const char *name = args->operands[0];
	unsigned int rights = WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN;
	struct weir_limiter *limiter;
	struct weir *weir;

	/* check the command line before anything is opened */
	set_take(args, &config);
	if (!mask)
		die_usage(args, "limiter set: nothing to set");
	weir = client_open(0);
	limiter = limiter_open(weir, name, rights);
	/* the kernel changes strikes and ladder together: read the one that is not given */
	if (weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", name);
	set_take(args, &config);
	if (!config.strikes && !args_option(args, "--ban")) {
		config.nbans = 0;
		memset(config.ban, 0, sizeof(config.ban));
	}
	if (mask & WEIR_SET_STRIKES)
		ladder_check(&config);
	if (weir_limiter_set(limiter, mask, &config) < 0)
		set_failed(name, mask, &config);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}
