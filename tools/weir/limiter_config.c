// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter create, set: what a limiter shall be */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define RATE "--rate", .value = "N/UNIT", \
	.help = "N tokens per UNIT: 5/s, 100/m, 30/60s; period up to 100 days"
#define BURST "--burst", .value = "N", \
	.help = "tokens a key can save up; created without, as many as in --rate"
#define MAX_KEYS "--max-keys", .value = "N", \
	.help = "entries at most, 1 to 16777216; created without, 65536"
#define WHEN_FULL "--when-full", .value = "WHAT", .words = "refuse allow", \
	.help = "what a new key meets when all entries are in use: refuse, or allow, untracked; created without, refuse"
#define STRIKES "--strikes", .value = "N", \
	.help = "ban a key whose strikes reach N; 0: never"
#define WITHIN "--within", .value = "T", \
	.help = "strikes count in full for this time, then fade for as long, 1ms to 100d; created without, 10m"
#define BAN "--ban", .value = "T[,T...]", \
	.help = "how long the first ban lasts, the second, and so on; the last one repeats; up to 8, 1ms to 3650d each"
#define FORGET_AFTER "--forget-after", .value = "T", \
	.help = "the time from a ban's end after which the next begins at the first step again; created without, the last step's length"
#define BAN_JITTER "--ban-jitter", .value = "T", \
	.help = "a ban by strikes lasts up to this much longer, as chance will have it, so that nobody can tell when to come back; up to 365d, created without, 0"
#define QUEUE_MAX "--queue-max", .value = "N", \
	.help = "tokens that check --wait may wait for at a time, of one key; 0: any number"
#define SHADOW "--shadow"
#define CANDIDATE "--candidate"

const struct option limiter_create_options[] = {
	{ .name = RATE, .required = true, .unless = "--candidate-of" },
	{ .name = BURST },
	{ .name = "--algorithm", .value = "ALGORITHM",
	  .words = "bucket window sliding",
	  .help = "bucket (the default): tokens flow in evenly; window: N in each period; sliding: N in each, where those of the one before fade slowly" },
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
	  .help = "decide and count, but allow everything" },
	{ .name = "--candidate-of", .value = "LIVE",
	  .help = "make it as LIVE is but for the options given, and LIVE's candidate, in the place of the one before" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = EXISTING_OK_OPTION("limiter") },
	{ 0 }
};

/* Behind the help of an option: what becomes of the keys there are. */
#define KEEPS(what) ". Kept: " what

const struct option limiter_set_options[] = {
	{ .name = RATE KEEPS("the time a key's bucket still needs to be full; what was spent in a window, but a new period starts a new one") },
	{ .name = BURST KEEPS("what was spent, and if that is more than the new burst holds, it is owed") },
	{ .name = MAX_KEYS KEEPS("all entries; if they are more than N, new ones are refused until there is room") },
	{ .name = WHEN_FULL KEEPS("all entries; nothing is known of keys that were allowed untracked") },
	{ .name = STRIKES KEEPS("the strikes counted; who has as many already is banned by the next one") },
	{ .name = WITHIN KEEPS("the strikes and when they were; they fade by the new time") },
	{ .name = BAN KEEPS("present bans as they are, and a key's place on the ladder: the next ban is the next step of the new one, or its last") },
	{ .name = BAN_JITTER KEEPS("present bans as they are") },
	{ .name = FORGET_AFTER KEEPS("a key's place on the ladder, until its next ban looks how long ago the last one ended") },
	{ .name = QUEUE_MAX KEEPS("those who wait already, however many tokens that is") },
	{ .name = SHADOW, .value = "WHAT", .words = "on off",
	  .help = "on: decide and count, but allow everything; off: as ever" KEEPS("everything; with on, who waits with check --wait is allowed at once, uncharged") },
	{ .name = CANDIDATE, .value = "OTHER",
	  .help = "a limiter with the same type of keys, to be asked whatever this one is asked, so that 'limiter show' tells how it would differ; none: no more" KEEPS("everything, of both") },
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
 * The options that create and set have in common; what is not given stays as it is. What
 * they say together is judged by the callers.
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
 * What is not given stays as it is in @config: the defaults, or the configuration of the
 * limiter whose candidate this will be, without what follows from what is given.
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

/* Delete what was made for nothing; the errno that told so stays. */
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
	const char *name = arg_name("limiter", args->operands[0]);
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
		die_create("limiter", name);
	if (live)
		create_as_candidate(weir, live, name, create.created);
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

/* Why the kernel refused it. */
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

/* What set was given. */
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

	/* Before anything is opened: what was typed must make sense by itself. */
	set_take(args, &config);
	if (!mask)
		die_usage(args, "limiter set: nothing to set");
	weir = client_open(0);
	limiter = limiter_open(weir, name, rights);
	/* Strikes and ladder go together; what is not given stays as it is. */
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
