// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter show: configuration and totals of a limiter, and its candidate's differences */

#include <stdio.h>

#include "cli.h"

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
	json_add(json, "stricter", json_u64(stats->stricter));
	json_add(json, "looser", json_u64(stats->looser));
	json_add(json, "missed", json_u64(stats->missed));
	return json;
}

static struct key_choice keys_of(const struct weir_limiter_config *config)
{
	return (struct key_choice){ config->key_type, config->prefix4, config->prefix6 };
}

static json_t *word_json(const char *word)
{
	return word ? json_string(word) : json_null();
}

/* The results of a limiter's candidate, if the caller may observe it. */
struct candidate {
	const char *name;	/* "": no candidate */
	bool known;		/* the candidate exists, and the caller may observe it */
	struct weir_limiter_stats stats;
};

static void candidate_look(struct weir *weir, struct candidate *candidate)
{
	struct weir_limiter *limiter;

	candidate->stats.size = sizeof(candidate->stats);
	if (!*candidate->name)
		return;
	limiter = weir_limiter_open(weir, candidate->name, WEIR_RIGHT_OBSERVE);
	candidate->known = limiter &&
		weir_limiter_get_stats(limiter, &candidate->stats) == 0;
	weir_limiter_close(limiter);
}

static json_t *candidate_json(const struct candidate *candidate)
{
	json_t *json;

	if (!*candidate->name)
		return json_null();
	json = json_object();
	json_add(json, "name", json_string(candidate->name));
	json_add(json, "stats", candidate->known ?
		 stats_json(&candidate->stats) : json_null());
	return json;
}

static void show_json(const char *name,
		      const struct weir_limiter_config *config,
		      const struct weir_limiter_stats *stats,
		      const struct candidate *candidate)
{
	struct key_choice keys = keys_of(config);
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
	json_add_key_config(json, &keys, config->max_keys);
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
	json_add(json, "candidate", candidate_json(candidate));
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

static void show_candidate(const struct candidate *candidate)
{
	const struct weir_limiter_stats *stats = &candidate->stats;

	if (!*candidate->name)
		return;
	printf("candidate  %s", candidate->name);
	if (candidate->known) {
		printf(", stricter in %llu checks, looser in %llu",
		       (unsigned long long)stats->stricter,
		       (unsigned long long)stats->looser);
		if (stats->missed)
			printf(", missed %llu",
			       (unsigned long long)stats->missed);
	}
	putchar('\n');
}

static void show_text(const struct weir_limiter_config *config,
		      const struct weir_limiter_stats *stats,
		      const struct candidate *candidate)
{
	const char *algorithm = weir_algorithm_name((int)config->algorithm);
	struct key_choice keys = keys_of(config);
	const char *when = weir_when_full_name((int)config->when_full);
	char text[WEIR_TEXT_MAX];

	weir_format_rate(config->tokens, config->period, text, sizeof(text));
	printf("rate       %s, burst %llu, %s\n", text,
	       (unsigned long long)config->burst,
	       algorithm ? algorithm : "?");
	key_config_print(&keys, stats->keys, stats->max_keys);
	printf(", %s when full\n", when ? when : "?");
	show_bans(config);
	if (config->flags & WEIR_LIMITER_SHADOW)
		puts("shadow     every check is allowed, whatever the decision");
	if (config->queue_max)
		printf("queue      %u tokens of one key\n", config->queue_max);
	show_candidate(candidate);
	printf("allowed    %llu\n", (unsigned long long)stats->allowed);
	printf("limited    %llu\n", (unsigned long long)stats->limited);
	printf("banned     %llu\n", (unsigned long long)stats->banned);
	printf("full       %llu\n", (unsigned long long)stats->full);
	printf("strikes    %llu\n", (unsigned long long)stats->strikes);
	printf("bans total %llu\n", (unsigned long long)stats->bans);
	printf("dropped    %llu to make room, %llu in time\n",
	       (unsigned long long)stats->evicted,
	       (unsigned long long)stats->expired);
	if (stats->stricter || stats->looser || stats->missed)
		printf("as candidate stricter in %llu checks, looser in %llu, missed %llu\n",
		       (unsigned long long)stats->stricter,
		       (unsigned long long)stats->looser,
		       (unsigned long long)stats->missed);
}

int limiter_show_run(const struct args *args)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	struct weir_limiter_stats stats = { .size = sizeof(stats) };
	struct candidate candidate = { .name = config.candidate };
	const char *name = args->operands[0];
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	struct weir_limiter *limiter = limiter_open(weir, name,
						    WEIR_RIGHT_OBSERVE);

	/* a limiter without keys has one state; --cost selects it */
	if (args->count > 1 || args_option(args, "--cost")) {
		why_run(args, limiter);
	} else {
		if (weir_limiter_get_config(limiter, &config) < 0 ||
		    weir_limiter_get_stats(limiter, &stats) < 0)
			die_object("limiter", name);
		candidate_look(weir, &candidate);
		if (args->json)
			show_json(name, &config, &stats, &candidate);
		else
			show_text(&config, &stats, &candidate);
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}
