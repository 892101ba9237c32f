// SPDX-License-Identifier: GPL-2.0-only
/* The keys of a limiter, all or those that are asked for, as they come or the worst. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static json_t *entry_json(const struct weir_entry *entry)
{
	json_t *json = json_object();

	json_add_key(json, &entry->key);
	json_add(json, "banned", json_boolean(entry->flags &
					      WEIR_ENTRY_BANNED));
	json_add(json, "banned_for_ns", json_u64(entry->banned_for));
	json_add(json, "strikes", json_integer(entry->strikes));
	json_add(json, "bans", json_integer(entry->bans));
	json_add(json, "remaining", json_u64(entry->remaining));
	json_add(json, "reset_after_ns", json_u64(entry->reset_after));
	return json;
}

static void entry_text(const struct weir_entry *entry)
{
	char shown[KEY_ROOM], banned[HUMANE_MAX] = "-", reset[HUMANE_MAX];
	bool is_banned = entry->flags & WEIR_ENTRY_BANNED;

	if (is_banned)
		humane(entry->banned_for, banned);
	printf("%10llu %9s %8u %5u %s%9s%s  %s\n",
	       (unsigned long long)entry->remaining,
	       humane(entry->reset_after, reset), entry->strikes, entry->bans,
	       is_banned ? colour(RED) : "", banned,
	       is_banned ? colour(PLAIN) : "", key_show(&entry->key, shown));
}

static void entry_print(const struct args *args, const struct weir_entry *entry)
{
	if (args->json)
		json_array_add(entry_json(entry));
	else
		entry_text(entry);
}

/* ---- --prefix ----------------------------------------------------------------- */

/*
 * The keys that are asked for: those of a block of addresses, or that begin so. They
 * are told from the others one by one as they come, so it takes no memory.
 */
struct prefix {
	const char *text;	/* as it was typed; NULL: all keys */
	unsigned int type;
	unsigned int length;	/* bytes of @text, or of an address of @block */
	unsigned int bits;	/* of an address, that must be the block's */
	struct weir_rule block;
};

/*
 * A key that the limiter has cut stands for all addresses that begin like it: it is
 * wanted if one of them lies in the block, so only bits that both have count.
 */
static void block_take(struct prefix *prefix, struct weir_limiter *limiter,
		       const char *name)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	unsigned int cut;

	if (weir_rule_parse(&prefix->block, prefix->text, WEIR_RULE_ALLOW) < 0)
		die("--prefix '%s': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
		    printable(prefix->text));
	if (weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", name);
	prefix->length = prefix->block.addr_len;
	cut = prefix->length == 4 ? config.prefix4 : config.prefix6;
	prefix->bits = prefix->block.prefix < cut ? prefix->block.prefix : cut;
}

static void prefix_take(struct prefix *prefix, struct weir_limiter *limiter,
			const char *name)
{
	size_t length = strlen(prefix->text);

	prefix->type = (unsigned int)weir_limiter_key_type(limiter);
	switch (prefix->type) {
	case WEIR_KEY_IP:
		block_take(prefix, limiter, name);
		break;
	case WEIR_KEY_TEXT:
		if (!length || length > WEIR_KEY_MAX)
			die("--prefix '%s': must have 1 to %d bytes",
			    printable(prefix->text), WEIR_KEY_MAX);
		prefix->length = (unsigned int)length;
		break;
	default:
		die("limiter '%s': --prefix is for keys of type ip or text, not %s",
		    name, weir_key_type_name((int)prefix->type));
	}
}

static bool prefix_has(const struct prefix *prefix, const struct weir_key *key)
{
	const uint8_t *addr = prefix->block.addr;
	unsigned int whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (!prefix->text)
		return true;
	if (prefix->type == WEIR_KEY_TEXT)
		return key->len >= prefix->length &&
		       !memcmp(key->bytes, prefix->text, prefix->length);
	if (key->len != prefix->length || memcmp(key->bytes, addr, whole))
		return false;
	return !rest || !((key->bytes[whole] ^ addr[whole]) >> (8 - rest));
}

/* ---- the top N ---------------------------------------------------------------- */

/*
 * The worst so far, worst first. Room for N of them is all it takes, however many
 * keys there are.
 */
struct top {
	struct weir_entry **entries;
	size_t count, room;
};

/* Who is worse: the longest ban, then the most strikes, then the most spent. */
static int worse(const struct weir_entry *a, const struct weir_entry *b)
{
	if (a->banned_for != b->banned_for)
		return a->banned_for > b->banned_for;
	if (a->strikes != b->strikes)
		return a->strikes > b->strikes;
	return a->reset_after > b->reset_after;
}

static void top_add(struct top *top, const struct weir_entry *entry)
{
	size_t low = 0, high = top->count;
	struct weir_entry *copy;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (worse(entry, top->entries[middle]))
			high = middle;
		else
			low = middle + 1;
	}
	if (low == top->room)
		return;
	if (top->count < top->room) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			die("out of memory");
		top->count++;
	} else {
		copy = top->entries[top->count - 1];
	}
	memmove(&top->entries[low + 1], &top->entries[low],
		(top->count - 1 - low) * sizeof(*top->entries));
	*copy = *entry;
	top->entries[low] = copy;
}

static void top_begin(struct top *top, uint64_t room)
{
	top->count = 0;
	top->room = (size_t)room;
	top->entries = calloc(top->room, sizeof(*top->entries));
	if (!top->entries)
		die("out of memory");
}

static void top_print(const struct args *args, struct top *top)
{
	size_t i;

	for (i = 0; i < top->count; i++) {
		entry_print(args, top->entries[i]);
		free(top->entries[i]);
	}
	free(top->entries);
}

/* ------------------------------------------------------------------------------- */

static void list_all(const struct args *args, const char *name,
		     struct weir_entries *entries, const struct prefix *prefix,
		     struct top *top)
{
	const struct weir_entry *entry;
	int ret;

	while ((ret = weir_entries_next(entries, &entry)) == 1) {
		if (!prefix_has(prefix, &entry->key))
			continue;
		if (top)
			top_add(top, entry);
		else
			entry_print(args, entry);
		if (ferror(stdout))
			output_flush();
	}
	if (ret < 0)
		die_object("limiter", name);
}

int keys_list(const struct args *args, const char *name, bool banned,
	      const char *prefix_text, uint64_t top_room)
{
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name,
				WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	struct prefix prefix = { .text = prefix_text };
	struct weir_entries *entries;
	struct top top;

	if (prefix_text)
		prefix_take(&prefix, limiter, name);
	entries = weir_entries_open(limiter, banned ? WEIR_DUMP_BANNED : 0);
	if (!entries)
		die_object("limiter", name);
	if (args->json)
		json_array_begin();
	else
		printf("%s%10s %9s %8s %5s %9s  %s%s\n", colour(BOLD),
		       "REMAINING", "RESET IN", "STRIKES", "BANS", "BANNED",
		       "KEY", colour(PLAIN));
	if (top_room)
		top_begin(&top, top_room);
	list_all(args, name, entries, &prefix, top_room ? &top : NULL);
	if (top_room)
		top_print(args, &top);
	if (args->json)
		json_array_end();
	weir_entries_close(entries);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}
