// SPDX-License-Identifier: GPL-2.0-only
/* weir list */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* Gates, breakers and rosters have no type. */
static bool has_type(const struct weir_object_info *info)
{
	return info->kind != WEIR_KIND_GATE && info->kind != WEIR_KIND_BREAKER &&
	       info->kind != WEIR_KIND_ROSTER;
}

static const char *type_name(const struct weir_object_info *info)
{
	const char *name = NULL;

	if (!has_type(info))
		return "-";
	if (info->kind == WEIR_KIND_COUNTER)
		name = weir_counter_type_name((int)info->type);
	else if (info->kind == WEIR_KIND_LIMITER)
		name = weir_algorithm_name((int)info->type);
	return name ? name : "?";
}

static const char *kind_name(const struct weir_object_info *info)
{
	const char *name = weir_kind_name((int)info->kind);

	return name ? name : "?";
}

static json_t *info_json(const struct weir_object_info *info)
{
	json_t *json = json_object();
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", info->mode);
	json_add(json, "kind", json_string(kind_name(info)));
	json_add(json, "name", json_string(info->name));
	json_add(json, "type", has_type(info) ? json_string(type_name(info)) :
						json_null());
	json_add(json, "id", json_u64(info->id));
	json_add(json, "mode", json_string(mode));
	json_add(json, "owner", json_integer(info->owner));
	json_add(json, "uid", json_integer(info->uid));
	json_add(json, "gid", json_integer(info->gid));
	json_add(json, "keys", info->kind == WEIR_KIND_COUNTER ? json_null() :
		 json_u64(info->keys));
	return json;
}

static void info_text(const struct weir_object_info *info)
{
	const struct group *group = getgrgid(info->gid);
	char number[12], keys[24] = "-";

	snprintf(number, sizeof(number), "%u", info->gid);
	if (info->kind != WEIR_KIND_COUNTER)
		snprintf(keys, sizeof(keys), "%llu",
			 (unsigned long long)info->keys);
	printf("%-8s %-9s %04o %-10s %-10s %8s  ", kind_name(info),
	       type_name(info), info->mode, user_name(info->owner),
	       group ? group->gr_name : number, keys);
	puts(full_name(info));
}

static int list_run(const struct args *args)
{
	enum weir_kind kind = WEIR_KIND_ANY;
	const struct weir_object_info *info;
	struct weir_objects *list;
	struct weir *weir;
	int ret;

	if (args->count) {
		ret = weir_parse_kind(args->operands[0]);
		if (ret < 0)
			die_usage(args, "no such kind of object: '%s'",
				  printable(args->operands[0]));
		kind = (enum weir_kind)ret;
	}
	weir = client_open(WEIR_OPEN_READONLY);
	list = weir_objects_open(weir, kind, NULL);
	if (!list)
		die("%s", reason(errno));
	if (args->json)
		json_array_begin();
	else
		printf("%s%-8s %-9s %-4s %-10s %-10s %8s  %s%s\n", colour(BOLD),
		       "KIND", "TYPE", "MODE", "OWNER", "GROUP", "KEYS", "NAME",
		       colour(PLAIN));
	while ((ret = weir_objects_next(list, &info)) == 1) {
		if (args->json)
			json_array_add(info_json(info));
		else
			info_text(info);
	}
	if (ret < 0)
		die("cannot list the objects: %s", reason(errno));
	if (args->json)
		json_array_end();
	weir_objects_close(list);
	weir_close(weir);
	return EXIT_YES;
}

static const struct command commands[] = {
	{
		.operands = "[KIND]",
		.least = 0, .most = 1,
		.summary = "list the objects you may observe",
		.details = "KIND is counter, limiter, gate, breaker or roster; without it, all kinds are listed. The order is that of creation. OWNER is the user in whose namespace an object is. An object of another user is shown as USER/NAME; other commands take that as its name.",
		.complete = "kind",
		.prints = true,
		.run = list_run,
	},
};

const struct object list_object = {
	.name = "list",
	.summary = "All objects.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
