// SPDX-License-Identifier: GPL-2.0-only
/* weir breaker show: configuration, state and totals of a breaker */

#include <errno.h>
#include <stdio.h>

#include "cli.h"

static struct key_choice keys_of(const struct weir_breaker_config *config)
{
	return (struct key_choice){ config->key_type, config->prefix4, config->prefix6 };
}

/* ---- JSON -------------------------------------------------------------------- */

static json_t *number_or_null(uint64_t number)
{
	return number ? json_u64(number) : json_null();
}

/* "state" and "now" as text and numbers; null if the breaker has keys, which have a state each. */
static void add_state(json_t *json, const struct weir_breaker_config *config,
		      const struct weir_breaker_answer *now)
{
	const char *state = now ? weir_breaker_state_name((int)now->state) : NULL;
	bool closed = now && now->state == WEIR_CLOSED;
	bool half = now && now->state == WEIR_HALF_OPEN;
	json_t *details;

	json_add(json, "state", state ? json_string(state) : json_null());
	if (!now) {
		json_add(json, "now", json_null());
		return;
	}
	details = json_object();
	json_add(details, "left_ns", json_u64(now->retry_after));
	json_add(details, "step", json_integer(now->step));
	json_add(details, "calls", closed && config->percent ? json_u64(now->calls) :
							      json_null());
	json_add(details, "failures", closed ? json_u64(now->failures) : json_null());
	json_add(details, "admitted", half ? json_u64(now->calls) : json_null());
	json_add(details, "succeeded", half ? json_u64(now->failures) : json_null());
	json_add(json, "now", details);
}

static json_t *stats_json(const struct weir_breaker_stats *stats)
{
	json_t *json = json_object();

	json_add(json, "keys", json_u64(stats->keys));
	json_add(json, "allowed", json_u64(stats->allowed));
	json_add(json, "rejected", json_u64(stats->rejected));
	json_add(json, "succeeded", json_u64(stats->succeeded));
	json_add(json, "failed", json_u64(stats->failed));
	json_add(json, "late", json_u64(stats->late));
	json_add(json, "lost", json_u64(stats->lost));
	json_add(json, "opened", json_u64(stats->opened));
	json_add(json, "full", json_u64(stats->full));
	return json;
}

static void show_json(const char *name, const struct weir_breaker_config *config,
		      const struct weir_breaker_answer *now,
		      const struct weir_breaker_stats *stats)
{
	struct key_choice keys = keys_of(config);
	json_t *json = json_object(), *ladder = json_array();
	uint32_t i;

	for (i = 0; i < config->nopen && i < WEIR_LADDER_MAX; i++)
		json_array_append_new(ladder, json_u64(config->open[i]));
	json_add(json, "name", json_string(name));
	json_add(json, "failures", number_or_null(config->failures));
	json_add(json, "percent", number_or_null(config->percent));
	json_add(json, "minimum", number_or_null(config->minimum));
	json_add(json, "within_ns", json_u64(config->within));
	json_add(json, "open_ns", ladder);
	json_add(json, "probes", json_integer(config->probes));
	json_add(json, "successes", json_integer(config->successes));
	json_add(json, "forget_after_ns", json_u64(config->forget_after));
	json_add(json, "probe_within_ns", json_u64(config->probe_within));
	json_add(json, "lapse_ns", json_u64(config->lapse));
	json_add(json, "slow_ns", number_or_null(config->slow));
	json_add_key_config(json, &keys, config->max_keys);
	add_state(json, config, now);
	json_add(json, "stats", stats_json(stats));
	json_print(json);
}

/* ---- text -------------------------------------------------------------------- */

static void print_closed(const struct weir_breaker_config *config,
			 const struct weir_breaker_answer *now)
{
	printf("%sclosed%s, ", colour(GREEN), colour(PLAIN));
	if (config->failures)
		printf("%llu of %u failures", (unsigned long long)now->failures,
		       config->failures);
	else
		printf("%llu of %llu calls failed", (unsigned long long)now->failures,
		       (unsigned long long)now->calls);
}

static void print_half_open(const struct weir_breaker_config *config,
			    const struct weir_breaker_answer *now)
{
	char duration[HUMANE_MAX];

	printf("%shalf-open%s, %llu of %u probes admitted, %llu of %u successes",
	       colour(YELLOW), colour(PLAIN), (unsigned long long)now->calls,
	       config->probes, (unsigned long long)now->failures, config->successes);
	if (now->retry_after != WEIR_NEVER)
		printf("; %s in %s if nothing happens",
		       now->calls > now->failures ? "open again" : "closed",
		       humane(now->retry_after, duration));
}

/* Print the state of a key, and the next open period if the ladder has several steps. */
static void print_state(const struct weir_breaker_config *config,
			const struct weir_breaker_answer *now)
{
	char text[WEIR_TEXT_MAX];
	uint32_t step = now->step;

	switch (now->state) {
	case WEIR_CLOSED:
		print_closed(config, now);
		break;
	case WEIR_HALF_OPEN:
		print_half_open(config, now);
		break;
	case WEIR_OPEN:
		printf("%sopen%s", colour(RED), colour(PLAIN));
		if (now->retry_after == WEIR_NEVER)
			printf(" until it is reset");
		else
			printf(", half-open in %s", humane(now->retry_after, text));
	}
	if (config->nopen > 1 && config->nopen <= WEIR_LADDER_MAX) {
		if (step >= config->nopen)
			step = config->nopen - 1;
		weir_format_duration(config->open[step], text, sizeof(text));
		printf("; the next time it opens for %s", text);
	}
	putchar('\n');
}

static const char *duration(uint64_t ns)
{
	static char text[WEIR_TEXT_MAX];

	weir_format_duration(ns, text, sizeof(text));
	return text;
}

static void print_config(const struct weir_breaker_config *config)
{
	uint32_t i;

	if (config->failures)
		printf("opens      at %u failures", config->failures);
	else
		printf("opens      if %u%% of %u calls or more failed", config->percent,
		       config->minimum);
	printf(" within %s, for", duration(config->within));
	for (i = 0; i < config->nopen && i < WEIR_LADDER_MAX; i++)
		printf("%s%s", i ? "," : " ", duration(config->open[i]));
	if (config->forget_after)
		printf(", forgotten after %s", duration(config->forget_after));
	printf("\nprobes     %u, %u of them must succeed", config->probes,
	       config->successes);
	if (config->probe_within != WEIR_NEVER)
		printf(", within %s", duration(config->probe_within));
	if (config->lapse != WEIR_NEVER)
		printf("\nlapses     after %s half-open without a call",
		       duration(config->lapse));
	if (config->slow)
		printf("\nslow       above %s, which is a failure",
		       duration(config->slow));
	putchar('\n');
}

static void show_text(const struct weir_breaker_config *config,
		      const struct weir_breaker_answer *now,
		      const struct weir_breaker_stats *stats)
{
	struct key_choice keys = keys_of(config);

	if (now) {
		printf("state      ");
		print_state(config, now);
	}
	print_config(config);
	key_config_print(&keys, stats->keys, stats->max_keys);
	putchar('\n');
	printf("allowed    %llu\n", (unsigned long long)stats->allowed);
	printf("rejected   %llu\n", (unsigned long long)stats->rejected);
	printf("reported   %llu succeeded, %llu failed, %llu too late\n",
	       (unsigned long long)stats->succeeded, (unsigned long long)stats->failed,
	       (unsigned long long)stats->late);
	printf("lost       %llu probes whose holder was gone\n",
	       (unsigned long long)stats->lost);
	printf("opened     %llu\n", (unsigned long long)stats->opened);
	printf("full       %llu\n", (unsigned long long)stats->full);
}

/* ------------------------------------------------------------------------------- */

static void show_key(const struct args *args, struct weir_breaker *breaker,
		     const struct weir_breaker_config *config)
{
	const char *name = args->operands[0];
	struct weir_breaker_answer now;
	struct weir_key key;
	json_t *json;

	key_operands(&key, "breaker", name, (int)config->key_type, args->count - 1,
		     args->operands + 1);
	if (weir_breaker_state(breaker, &key, &now) < 0)
		die_object("breaker", name);
	if (!args->json) {
		print_state(config, &now);
		return;
	}
	json = json_object();
	json_add(json, "name", json_string(name));
	json_add_key(json, &key);
	add_state(json, config, &now);
	json_print(json);
}

static void show_all(const struct args *args, struct weir_breaker *breaker,
		     const struct weir_breaker_config *config)
{
	struct weir_breaker_stats stats = { .size = sizeof(stats) };
	bool plain = config->key_type == WEIR_KEY_NONE;
	const char *name = args->operands[0];
	struct weir_breaker_answer now;

	if (weir_breaker_get_stats(breaker, &stats) < 0 ||
	    (plain && weir_breaker_state(breaker, NULL, &now) < 0))
		die_object("breaker", name);
	if (args->json)
		show_json(name, config, plain ? &now : NULL, &stats);
	else
		show_text(config, plain ? &now : NULL, &stats);
}

int breaker_show_run(const struct args *args)
{
	struct weir_breaker_config config = { .size = sizeof(config) };
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	const char *name = args->operands[0];
	struct weir_breaker *breaker;

	breaker = breaker_open(weir, name, WEIR_RIGHT_OBSERVE);
	if (weir_breaker_get_config(breaker, &config) < 0)
		die_object("breaker", name);
	if (args->count > 1)
		show_key(args, breaker, &config);
	else
		show_all(args, breaker, &config);
	weir_breaker_close(breaker);
	weir_close(weir);
	return EXIT_YES;
}
