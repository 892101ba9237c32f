// SPDX-License-Identifier: GPL-2.0-only
/* weir roster show, list: configuration, totals and leases */

#include <errno.h>
#include <stdio.h>

#include "cli.h"

/* ---- show NAME --------------------------------------------------------------- */

static json_t *stats_json(const struct weir_roster_stats *stats)
{
	json_t *json = json_object();

	json_add(json, "members", json_u64(stats->members));
	json_add(json, "claimed", json_u64(stats->claimed));
	json_add(json, "refused", json_u64(stats->refused));
	json_add(json, "replaced", json_u64(stats->replaced));
	json_add(json, "removed", json_u64(stats->removed));
	json_add(json, "lost", json_u64(stats->lost));
	json_add(json, "expired", json_u64(stats->expired));
	json_add(json, "full", json_u64(stats->full));
	return json;
}

static void show_json(const char *name, const struct weir_roster_config *config,
		      const struct weir_roster_stats *stats)
{
	const char *type = weir_key_type_name((int)config->key_type);
	bool ip = config->key_type == WEIR_KEY_IP;
	json_t *json = json_object();

	json_add(json, "name", json_string(name));
	json_add(json, "max", json_u64(config->max_keys));
	json_add(json, "ttl_ns", config->ttl ? json_u64(config->ttl) : json_null());
	json_add(json, "key_type", type ? json_string(type) : json_null());
	json_add(json, "prefix4", ip ? json_integer(config->prefix4) : json_null());
	json_add(json, "prefix6", ip ? json_integer(config->prefix6) : json_null());
	json_add(json, "stats", stats_json(stats));
	json_print(json);
}

static void show_text(const struct weir_roster_config *config,
		      const struct weir_roster_stats *stats)
{
	const char *type = weir_key_type_name((int)config->key_type);
	char ttl[WEIR_TEXT_MAX];

	printf("leases     %llu of %llu\n", (unsigned long long)stats->members,
	       (unsigned long long)stats->max_keys);
	weir_format_duration(config->ttl ? config->ttl : WEIR_NEVER, ttl, sizeof(ttl));
	printf("ttl        %s\n", ttl);
	printf("keys       %s", type ? type : "?");
	if (config->key_type == WEIR_KEY_IP)
		printf("/%u,%u", config->prefix4, config->prefix6);
	printf("\nclaimed    %llu\n", (unsigned long long)stats->claimed);
	printf("refused    %llu\n", (unsigned long long)stats->refused);
	printf("replaced   %llu\n", (unsigned long long)stats->replaced);
	printf("removed    %llu\n", (unsigned long long)stats->removed);
	printf("lost       %llu, %llu of them expired\n",
	       (unsigned long long)stats->lost, (unsigned long long)stats->expired);
	printf("full       %llu\n", (unsigned long long)stats->full);
}

static int show_all(const struct args *args)
{
	struct weir_roster_config config = { .size = sizeof(config) };
	struct weir_roster_stats stats = { .size = sizeof(stats) };
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	const char *name = args->operands[0];
	struct weir_roster *roster = roster_open(weir, name, WEIR_RIGHT_OBSERVE);

	if (weir_roster_get_config(roster, &config) < 0 ||
	    weir_roster_get_stats(roster, &stats) < 0)
		die_object("roster", name);
	if (args->json)
		show_json(name, &config, &stats);
	else
		show_text(&config, &stats);
	weir_roster_close(roster);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- show NAME KEY ------------------------------------------------------------ */

static void lease_text(const struct weir_roster_answer *lease, const void *value)
{
	char shown[4 * WEIR_VALUE_MAX + 1], text[WHOSE_MAX];

	weir_text_format(value, lease->length, shown, sizeof(shown));
	printf("owner      %s\n", lease_whose(lease, text));
	printf("left       %s\n", lease->left == WEIR_NEVER ? "until it is removed" :
	       humane(lease->left, text));
	printf("version    %llu\n", (unsigned long long)lease->version);
	printf("value      %s\n", shown);
}

int roster_show_run(const struct args *args)
{
	struct weir_roster_answer answer;
	char value[WEIR_VALUE_MAX];
	struct lease_question q;
	int ret, status;

	if (args->count == 1)
		return show_all(args);
	lease_ask(&q, args, args->count, WEIR_OPEN_READONLY, 0);
	if (q.value)
		die("roster '%s': has no keys, but '%s' is given", q.name,
		    printable(q.value));
	ret = weir_roster_get(q.roster, &q.key, value, sizeof(value), &answer);
	status = lease_answer(&q, ret, &answer, value);
	if (status == EXIT_YES && !args->json)
		lease_text(&answer, value);
	weir_roster_close(q.roster);
	weir_close(q.weir);
	return status;
}

/* ---- list --------------------------------------------------------------------- */

static void member_json(const struct weir_member *member)
{
	const struct weir_roster_answer lease = {
		.version = member->version, .left = member->left,
		.detached = member->detached, .pid = member->pid, .uid = member->uid,
	};
	json_t *json = json_object();

	json_add_key(json, &member->key);
	json_add_bytes(json, "value", member->value, member->length);
	lease_json_add(json, &lease);
	json_array_add(json);
}

static void member_text(const struct weir_member *member)
{
	char key[KEY_ROOM], value[4 * WEIR_VALUE_MAX + 1], left[HUMANE_MAX] = "-";
	char pid[16] = "-", user[USER_MAX];

	weir_text_format(member->value, member->length, value, sizeof(value));
	if (!member->detached)
		snprintf(pid, sizeof(pid), "%u", member->pid);
	if (member->left != WEIR_NEVER)
		humane(member->left, left);
	printf("%8llu %9s %8s %-10s  %s%s%s\n", (unsigned long long)member->version, left,
	       pid, user_show(member->uid, user), key_show(&member->key, key),
	       *value ? "  " : "", value);
}

static void list_all(const struct args *args, const char *name,
		     struct weir_members *members, const struct key_filter *filter)
{
	const struct weir_member *member;
	int ret;

	while ((ret = weir_members_next(members, &member)) == 1) {
		if (!key_filter_has(filter, &member->key))
			continue;
		if (args->json)
			member_json(member);
		else
			member_text(member);
		if (ferror(stdout))
			output_flush();
	}
	if (ret < 0)
		die_object("roster", name);
}

int roster_list_run(const struct args *args)
{
	struct key_filter filter = { .text = args_option(args, "--prefix") };
	struct weir_roster_config config = { .size = sizeof(config) };
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	const char *name = args->operands[0];
	struct weir_members *members;
	struct weir_roster *roster;

	roster = roster_open(weir, name, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_KEYS);
	if (weir_roster_get_config(roster, &config) < 0)
		die_object("roster", name);
	key_filter_take(&filter, "roster", name, &(struct key_choice){
		.type = config.key_type,
		.prefix4 = config.prefix4,
		.prefix6 = config.prefix6,
	});
	members = weir_members_open(roster);
	if (!members)
		die_object("roster", name);
	if (args->json)
		json_array_begin();
	else
		printf("%s%8s %9s %8s %-10s  %s%s\n", colour(BOLD), "VERSION", "LEFT",
		       "PROCESS", "USER", "KEY  VALUE", colour(PLAIN));
	list_all(args, name, members, &filter);
	if (args->json)
		json_array_end();
	weir_members_close(members);
	weir_roster_close(roster);
	weir_close(weir);
	return EXIT_YES;
}
