// SPDX-License-Identifier: GPL-2.0-only
/* The key type of an object: options of create and set, and output of show. */

#include <stdio.h>

#include "cli.h"

uint32_t key_type_take(const struct args *args, uint32_t otherwise)
{
	return (uint32_t)option_word(args, "--key", weir_parse_key_type,
				     "none, u64, ip or text", (int)otherwise);
}

uint64_t max_keys_take(const struct args *args, uint64_t otherwise)
{
	return option_u64(args, "--max-keys", 1, WEIR_KEYS_MAX, otherwise);
}

/* the number for IPv6 is optional */
void key_prefix_take(const struct args *args, uint8_t *prefix4, uint8_t *prefix6)
{
	const char *text = args_option(args, "--prefix");
	struct weir_limiter_config prefixes = { 0 };

	if (!text)
		return;
	if (weir_parse_prefixes(text, &prefixes) < 0)
		die("--prefix '%s': must be 1 to 32, or that and 1 to 128, as in 24,56",
		    printable(text));
	*prefix4 = prefixes.prefix4;
	if (prefixes.prefix6)
		*prefix6 = prefixes.prefix6;
}

void key_check(const struct args *args, uint32_t type, uint64_t max_keys)
{
	if (type == WEIR_KEY_NONE && max_keys > 1)
		die("--max-keys: the %s has no keys; see --key", args->object->name);
	if (type != WEIR_KEY_IP && args_option(args, "--prefix"))
		die("--prefix: only for --key ip");
}

struct key_choice key_choose(const struct args *args, uint64_t max_keys)
{
	struct key_choice keys = { .type = key_type_take(args, WEIR_KEY_NONE) };

	key_check(args, keys.type, max_keys);
	key_prefix_take(args, &keys.prefix4, &keys.prefix6);
	return keys;
}

void die_max_keys(const char *kind, const char *name)
{
	die("%s '%s': --max-keys cannot be raised beyond eight times its value at creation",
	    kind, name);
}

void json_add_key_config(json_t *json, const struct key_choice *keys, uint64_t max_keys)
{
	const char *type = weir_key_type_name((int)keys->type);
	bool ip = keys->type == WEIR_KEY_IP;

	json_add(json, "key_type", type ? json_string(type) : json_null());
	json_add(json, "prefix4", ip ? json_integer(keys->prefix4) : json_null());
	json_add(json, "prefix6", ip ? json_integer(keys->prefix6) : json_null());
	json_add(json, "max_keys", json_u64(max_keys));
}

void key_config_print(const struct key_choice *keys, uint64_t used, uint64_t max_keys)
{
	const char *type = weir_key_type_name((int)keys->type);

	printf("keys       %s", type ? type : "?");
	if (keys->type == WEIR_KEY_IP)
		printf("/%u,%u", keys->prefix4, keys->prefix6);
	printf(", %llu of %llu in use", (unsigned long long)used,
	       (unsigned long long)max_keys);
}
