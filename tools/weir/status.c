// SPDX-License-Identifier: GPL-2.0-only
/* weir status */

#include <errno.h>
#include <stdio.h>

#include "cli.h"

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ WEIR_FEATURE_COUNTER, "counter" },
	{ WEIR_FEATURE_LIMITER, "limiter" },
	{ WEIR_FEATURE_EVENTS, "events" },
	{ WEIR_FEATURE_TRANSACTION, "transaction" },
	{ WEIR_FEATURE_HISTOGRAM, "histogram" },
	{ WEIR_FEATURE_EMIT, "emit" },
	{ WEIR_FEATURE_GATE, "gate" },
	{ WEIR_FEATURE_BREAKER, "breaker" },
	{ WEIR_FEATURE_ROSTER, "roster" },
};

static json_t *features_json(uint64_t bits)
{
	json_t *names = json_array();
	int i;

	for (i = 0; i < COUNT(features); i++)
		if (bits & features[i].bit)
			json_array_append_new(names,
					      json_string(features[i].name));
	return names;
}

static void status_json(const struct weir_info *info)
{
	json_t *json = json_object();

	json_add(json, "version", json_string(info->version));
	json_add(json, "abi_version", json_integer(info->abi_version));
	json_add(json, "library_version", json_string(weir_lib_version()));
	json_add(json, "features", features_json(info->features));
	json_add(json, "objects", json_u64(info->objects));
	json_add(json, "objects_max", json_u64(info->objects_max));
	json_add(json, "total_keys", json_u64(info->total_keys));
	json_add(json, "total_keys_max", json_u64(info->total_keys_max));
	json_add(json, "own_objects", json_u64(info->own_objects));
	json_add(json, "own_objects_max", json_u64(info->own_objects_max));
	json_add(json, "own_keys", json_u64(info->own_keys));
	json_add(json, "own_keys_max", json_u64(info->own_keys_max));
	json_add(json, "event_first", json_u64(info->event_first));
	json_add(json, "event_next", json_u64(info->event_next));
	json_add(json, "now_ns", json_u64(info->now));
	json_add(json, "batch_max", json_integer(info->batch_max));
	json_add(json, "fields_max", json_integer(info->fields_max));
	json_add(json, "key_max", json_integer(info->key_max));
	json_add(json, "keys_max", json_u64(info->keys_max));
	json_add(json, "handles_max", json_integer(info->handles_max));
	json_print(json);
}

static void status_text(const struct weir_info *info)
{
	int i;

	printf("module    %s, ABI %u\n", info->version, info->abi_version);
	printf("library   %s\n", weir_lib_version());
	printf("features ");
	for (i = 0; i < COUNT(features); i++)
		if (info->features & features[i].bit)
			printf(" %s", features[i].name);
	printf("\nobjects   %llu of %llu\n",
	       (unsigned long long)info->objects,
	       (unsigned long long)info->objects_max);
	printf("keys      %llu of %llu\n", (unsigned long long)info->total_keys,
	       (unsigned long long)info->total_keys_max);
	printf("yours     %llu of %llu objects, %llu of %llu keys\n",
	       (unsigned long long)info->own_objects,
	       (unsigned long long)info->own_objects_max,
	       (unsigned long long)info->own_keys,
	       (unsigned long long)info->own_keys_max);
	printf("events    %llu so far, %llu kept\n",
	       (unsigned long long)info->event_next,
	       (unsigned long long)(info->event_next - info->event_first));
	printf("limits    %llu keys a limiter, %u bytes a key, %u fields a counter,\n"
	       "          %u handles an open file, %u operations a call\n",
	       (unsigned long long)info->keys_max, info->key_max,
	       info->fields_max, info->handles_max, info->batch_max);
}

static int status_run(const struct args *args)
{
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	struct weir_info info = { .size = sizeof(info) };

	if (weir_get_info(weir, &info) < 0)
		die("cannot ask " WEIR_DEVICE ": %s", reason(errno));
	weir_close(weir);
	info.version[sizeof(info.version) - 1] = '\0';
	if (args->json)
		status_json(&info);
	else
		status_text(&info);
	return EXIT_YES;
}

static const struct command commands[] = {
	{
		.operands = "",
		.summary = "show version, features and limits of the kernel module",
		.prints = true,
		.run = status_run,
	},
};

const struct object status_object = {
	.name = "status",
	.summary = "The kernel module.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
