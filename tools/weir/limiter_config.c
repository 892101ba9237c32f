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
	{ .name = "--key", .value = "TYPE", .words = "none u64 ip text",
	  .help = "what keys are: none (the default), u64, ip or text" },
	{ .name = "--prefix", .value = "BITS[,BITS]",
	  .help = "bits of an IPv4 and of an IPv6 address that make the key; 32,64 unless given" },
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
	{ .name = "--mode", .value = "MODE",
	  .help = "permissions in octal as of a file: r observe, w use, of which most commands need both; 0660 unless given. The rest is for the owner and root" },
	{ .name = "--group", .value = "GROUP",
	  .help = "the group that --mode speaks of; yours unless given" },
	{ .name = "--existing-ok",
	  .help = "if a limiter of that name exists, leave it as it is and succeed" },
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

/* A word out of those that the option has, as @parse understands them; or -1. */
static int word_take(const struct args *args, const char *name,
		     int (*parse)(const char *word), const char *choices)
{
	const char *word = args_option(args, name);
	int number;

	if (!word)
		return -1;
	number = parse(word);
	if (number < 0)
		die("%s '%s': must be %s", name, printable(word), choices);
	return number;
}

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

static void ladder_take(struct weir_limiter_config *config, const char *text)
{
	uint32_t i;

	if (weir_parse_ladder(text, config) < 0) {
		if (errno == ERANGE)
			die("--ban '%s': must be 1 to %d durations from 1ms to 3650d",
			    printable(text), WEIR_LADDER_MAX);
		die("--ban '%s': not durations such as 10m,1h,24h",
		    printable(text));
	}
	for (i = 0; i < config->nbans; i++)
		if (config->ban[i] < 1000000 || config->ban[i] > 10 * YEAR)
			die("--ban '%s': must be 1 to %d durations from 1ms to 3650d",
			    printable(text), WEIR_LADDER_MAX);
}

/*
 * The options that create and set have in common: which WEIR_SET_* bits were given.
 * What they say together is judged by the callers.
 */
static uint64_t config_take(const struct args *args,
			    struct weir_limiter_config *config)
{
	const char *text;
	uint64_t mask = 0;
	int number;

	text = args_option(args, "--rate");
	if (text) {
		rate_take(config, text);
		mask |= WEIR_SET_RATE;
	}
	text = args_option(args, "--burst");
	if (text) {
		config->burst = arg_u64("--burst", text, 1, TOKENS_MAX);
		mask |= WEIR_SET_BURST;
	}
	text = args_option(args, "--max-keys");
	if (text) {
		config->max_keys = arg_u64("--max-keys", text, 1,
					   WEIR_KEYS_MAX);
		mask |= WEIR_SET_MAX_KEYS;
	}
	number = word_take(args, "--when-full", weir_parse_when_full,
			   "refuse or allow");
	if (number >= 0) {
		config->when_full = (uint32_t)number;
		mask |= WEIR_SET_WHEN_FULL;
	}
	text = args_option(args, "--strikes");
	if (text) {
		config->strikes = (uint32_t)arg_u64("--strikes", text, 0,
						    UINT32_MAX);
		mask |= WEIR_SET_STRIKES;
	}
	text = args_option(args, "--ban");
	if (text) {
		ladder_take(config, text);
		mask |= WEIR_SET_STRIKES;
	}
	text = args_option(args, "--within");
	if (text) {
		config->within = arg_duration("--within", text, 1000000,
					      100 * DAY);
		mask |= WEIR_SET_WITHIN;
	}
	text = args_option(args, "--ban-jitter");
	if (text) {
		config->ban_jitter = arg_duration("--ban-jitter", text, 0, YEAR);
		mask |= WEIR_SET_BAN_JITTER;
	}
	text = args_option(args, "--forget-after");
	if (text) {
		config->forget_after = arg_duration("--forget-after", text, 0,
						    10 * YEAR);
		mask |= WEIR_SET_FORGET_AFTER;
	}
	text = args_option(args, "--queue-max");
	if (text) {
		config->queue_max = (uint32_t)arg_u64("--queue-max", text, 0,
						      UINT32_MAX);
		mask |= WEIR_SET_QUEUE_MAX;
	}
	return mask;
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
	if (config->key_type == WEIR_KEY_NONE && config->max_keys > 1)
		die("--max-keys: the limiter has no keys; see --key");
	if (config->key_type != WEIR_KEY_IP && args_option(args, "--prefix"))
		die("--prefix: only for --key ip");
}

/*
 * What is not given stays as it is in @config: the defaults, or the configuration of the
 * limiter whose candidate this will be, without what follows from what is given.
 */
static void create_config(const struct args *args,
			  struct weir_limiter_config *config)
{
	const char *prefix = args_option(args, "--prefix");
	int number;

	if (args_option(args, "--algorithm"))
		config->burst = 0;
	number = word_take(args, "--algorithm", weir_parse_algorithm,
			   "bucket, window or sliding");
	if (number >= 0)
		config->algorithm = (uint32_t)number;
	number = word_take(args, "--key", weir_parse_key_type,
			   "none, u64, ip or text");
	if (number >= 0)
		config->key_type = (uint32_t)number;
	if (prefix && weir_parse_prefixes(prefix, config) < 0)
		die("--prefix '%s': must be 1 to 32, or that and 1 to 128, as in 24,56",
		    printable(prefix));
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
	const char *mode = args_option(args, "--mode");
	const char *group = args_option(args, "--group");
	const char *of = args_option(args, "--candidate-of");
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
	};
	struct weir_create create = { .size = sizeof(create) };
	struct weir_limiter *live = NULL;
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
	create.kind = WEIR_KIND_LIMITER;
	create.mode = mode ? arg_mode(mode) : 0660;
	create.gid = group ? arg_group(group) : WEIR_GID_DEFAULT;
	create.flags = args_option(args, "--existing-ok") ?
		       WEIR_CREATE_EXISTING_OK : 0;
	create.config = (uintptr_t)&config;
	strcpy(create.name, name);
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

static uint64_t shadow_take(const struct args *args,
			    struct weir_limiter_config *config)
{
	const char *text = args_option(args, SHADOW);

	if (!text)
		return 0;
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		die("--shadow '%s': must be on or off", printable(text));
	config->flags = strcmp(text, "on") ? 0 : WEIR_LIMITER_SHADOW;
	return WEIR_SET_FLAGS;
}

static uint64_t candidate_take(const struct args *args,
			       struct weir_limiter_config *config)
{
	const char *text = args_option(args, CANDIDATE);

	if (!text)
		return 0;
	memset(config->candidate, 0, sizeof(config->candidate));
	if (strcmp(text, "none") != 0)
		strcpy(config->candidate, arg_name("limiter", text));
	return WEIR_SET_CANDIDATE;
}

/* Why the kernel refused it. */
static void set_failed(const char *name, uint64_t mask,
		       const struct weir_limiter_config *config)
	__attribute__((noreturn));

static void set_failed(const char *name, uint64_t mask,
		       const struct weir_limiter_config *config)
{
	if (errno == ERANGE && mask == WEIR_SET_MAX_KEYS)
		die("limiter '%s': --max-keys cannot be raised beyond eight times what it was made with",
		    name);
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

int limiter_set_run(const struct args *args)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	const char *name = args->operands[0];
	unsigned int rights = WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN;
	struct weir_limiter *limiter;
	struct weir *weir;
	uint64_t mask;

	/* Before anything is opened: what was typed must make sense by itself. */
	mask = config_take(args, &config) | shadow_take(args, &config) |
	       candidate_take(args, &config);
	if (!mask)
		die_usage(args, "limiter set: nothing to set");
	weir = client_open(0);
	limiter = limiter_open(weir, name, rights);
	/* Strikes and ladder go together; what is not given stays as it is. */
	if (weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", name);
	config_take(args, &config);
	shadow_take(args, &config);
	candidate_take(args, &config);
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
