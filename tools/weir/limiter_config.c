// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter create, set, show: what a limiter is */

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

const struct option limiter_create_options[] = {
	{ .name = RATE, .required = true },
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

static void create_config(const struct args *args,
			  struct weir_limiter_config *config)
{
	const char *prefix = args_option(args, "--prefix");
	int number;

	config->size = sizeof(*config);
	config->algorithm = WEIR_ALGORITHM_BUCKET;
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
	config_check(args, config);
}

int limiter_create_run(const struct args *args)
{
	const char *name = arg_name("limiter", args->operands[0]);
	const char *mode = args_option(args, "--mode");
	const char *group = args_option(args, "--group");
	struct weir_limiter_config config = { 0 };
	struct weir_create create = { .size = sizeof(create) };
	struct weir *weir;

	create_config(args, &config);
	create.kind = WEIR_KIND_LIMITER;
	create.mode = mode ? arg_mode(mode) : 0660;
	create.gid = group ? arg_group(group) : WEIR_GID_DEFAULT;
	create.flags = args_option(args, "--existing-ok") ?
		       WEIR_CREATE_EXISTING_OK : 0;
	create.config = (uintptr_t)&config;
	strcpy(create.name, name);
	weir = client_open(0);
	if (weir_create(weir, &create) < 0)
		die_create("limiter", name);
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

int limiter_set_run(const struct args *args)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	const char *name = args->operands[0];
	unsigned int rights = WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN;
	struct weir_limiter *limiter;
	struct weir *weir;
	uint64_t mask;

	/* Before anything is opened: what was typed must make sense by itself. */
	mask = config_take(args, &config) | shadow_take(args, &config);
	if (!mask)
		die_usage(args, "limiter set: nothing to set");
	weir = client_open(0);
	limiter = limiter_open(weir, name, rights);
	/* Strikes and ladder go together; what is not given stays as it is. */
	if (weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", name);
	config_take(args, &config);
	shadow_take(args, &config);
	if (!config.strikes && !args_option(args, "--ban")) {
		config.nbans = 0;
		memset(config.ban, 0, sizeof(config.ban));
	}
	if (mask & WEIR_SET_STRIKES)
		ladder_check(&config);
	if (weir_limiter_set(limiter, mask, &config) < 0) {
		if (errno == ERANGE && mask == WEIR_SET_MAX_KEYS)
			die("limiter '%s': --max-keys cannot be raised beyond eight times what it was made with",
			    name);
		die_object("limiter", name);
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- show ------------------------------------------------------------------- */

static json_t *stats_json(const struct weir_limiter_stats *stats)
{
	json_t *json = json_object();

	json_add(json, "keys", json_u64(stats->keys));
	json_add(json, "allowed", json_u64(stats->allowed));
	json_add(json, "limited", json_u64(stats->limited));
	json_add(json, "banned", json_u64(stats->banned));
	json_add(json, "strikes", json_u64(stats->strikes));
	json_add(json, "bans", json_u64(stats->bans));
	json_add(json, "evicted", json_u64(stats->evicted));
	json_add(json, "expired", json_u64(stats->expired));
	json_add(json, "full", json_u64(stats->full));
	return json;
}

static json_t *word_json(const char *word)
{
	return word ? json_string(word) : json_null();
}

static void show_json(const char *name,
		      const struct weir_limiter_config *config,
		      const struct weir_limiter_stats *stats)
{
	bool ip = config->key_type == WEIR_KEY_IP;
	json_t *json = json_object(), *ladder = json_array();
	uint32_t i;

	for (i = 0; i < config->nbans && i < WEIR_LADDER_MAX; i++)
		json_array_append_new(ladder, json_u64(config->ban[i]));
	json_add(json, "name", json_string(name));
	json_add(json, "algorithm",
		 word_json(weir_algorithm_name((int)config->algorithm)));
	json_add(json, "tokens", json_u64(config->tokens));
	json_add(json, "period_ns", json_u64(config->period));
	json_add(json, "burst", json_u64(config->burst));
	json_add(json, "key_type",
		 word_json(weir_key_type_name((int)config->key_type)));
	json_add(json, "prefix4", ip ? json_integer(config->prefix4) :
		 json_null());
	json_add(json, "prefix6", ip ? json_integer(config->prefix6) :
		 json_null());
	json_add(json, "max_keys", json_u64(config->max_keys));
	json_add(json, "when_full",
		 word_json(weir_when_full_name((int)config->when_full)));
	json_add(json, "strikes", json_integer(config->strikes));
	json_add(json, "within_ns", json_u64(config->within));
	json_add(json, "ban_ns", ladder);
	json_add(json, "forget_after_ns", json_u64(config->forget_after));
	json_add(json, "ban_jitter_ns", json_u64(config->ban_jitter));
	json_add(json, "queue_max", json_integer(config->queue_max));
	json_add(json, "shadow",
		 json_boolean(config->flags & WEIR_LIMITER_SHADOW));
	json_add(json, "stats", stats_json(stats));
	json_print(json);
}

static void show_bans(const struct weir_limiter_config *config)
{
	char text[WEIR_TEXT_MAX];
	uint32_t i;

	if (!config->strikes) {
		puts("bans       by hand only");
		return;
	}
	weir_format_duration(config->within, text, sizeof(text));
	printf("bans       after %u strikes within %s, for", config->strikes,
	       text);
	for (i = 0; i < config->nbans && i < WEIR_LADDER_MAX; i++) {
		weir_format_duration(config->ban[i], text, sizeof(text));
		printf("%s%s", i ? "," : " ", text);
	}
	if (config->ban_jitter) {
		weir_format_duration(config->ban_jitter, text, sizeof(text));
		printf(" and up to %s more", text);
	}
	weir_format_duration(config->forget_after, text, sizeof(text));
	printf(", forgotten after %s\n", text);
}

static void show_text(const struct weir_limiter_config *config,
		      const struct weir_limiter_stats *stats)
{
	const char *algorithm = weir_algorithm_name((int)config->algorithm);
	const char *type = weir_key_type_name((int)config->key_type);
	const char *when = weir_when_full_name((int)config->when_full);
	char text[WEIR_TEXT_MAX];

	weir_format_rate(config->tokens, config->period, text, sizeof(text));
	printf("rate       %s, burst %llu, %s\n", text,
	       (unsigned long long)config->burst,
	       algorithm ? algorithm : "?");
	printf("keys       %s", type ? type : "?");
	if (config->key_type == WEIR_KEY_IP)
		printf("/%u,%u", config->prefix4, config->prefix6);
	printf(", %llu of %llu in use, %s when full\n",
	       (unsigned long long)stats->keys,
	       (unsigned long long)stats->max_keys, when ? when : "?");
	show_bans(config);
	if (config->flags & WEIR_LIMITER_SHADOW)
		puts("shadow     all is allowed, whatever is decided");
	if (config->queue_max)
		printf("queue      %u tokens of one key\n", config->queue_max);
	printf("allowed    %llu\n", (unsigned long long)stats->allowed);
	printf("limited    %llu\n", (unsigned long long)stats->limited);
	printf("banned     %llu\n", (unsigned long long)stats->banned);
	printf("full       %llu\n", (unsigned long long)stats->full);
	printf("strikes    %llu\n", (unsigned long long)stats->strikes);
	printf("bans laid  %llu\n", (unsigned long long)stats->bans);
	printf("dropped    %llu to make room, %llu in time\n",
	       (unsigned long long)stats->evicted,
	       (unsigned long long)stats->expired);
}

int limiter_show_run(const struct args *args)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	const char *name = args->operands[0];
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	struct weir_limiter *limiter = limiter_open(weir, name,
						    WEIR_RIGHT_OBSERVE);

	/* a limiter without keys has one state, and --cost asks for that */
	if (args->count > 1 || args_option(args, "--cost")) {
		why_run(args, limiter);
	} else {
		if (weir_limiter_get_config(limiter, &config) < 0 ||
		    weir_limiter_get_stats(limiter, &stats) < 0)
			die_object("limiter", name);
		if (args->json)
			show_json(name, &config, &stats);
		else
			show_text(&config, &stats);
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}
