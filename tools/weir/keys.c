// SPDX-License-Identifier: GPL-2.0-only
/* The keys of a limiter: all or a selection, in no order or the worst first. */

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

/* ---- the top N ---------------------------------------------------------------- */

/* The N worst keys so far, worst first. The memory does not depend on the number of keys. */
struct top {
	struct weir_entry **entries;
	size_t count, room;
};

/* Compare by length of the ban, then strikes, then tokens spent. */
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
		     struct weir_entries *entries, const struct key_filter *filter,
		     struct top *top)
{
	const struct weir_entry *entry;
	int ret;

	while ((ret = weir_entries_next(entries, &entry)) == 1) {
		if (!key_filter_has(filter, &entry->key))
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
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	struct weir_limiter *limiter = limiter_open(weir, name,
				WEIR_RIGHT_OBSERVE | WEIR_RIGHT_KEYS);
	struct weir_limiter_config config = { .size = sizeof(config) };
	struct key_filter filter = { .text = prefix_text };
	struct weir_entries *entries;
	struct top top;

	if (weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", name);
	key_filter_take(&filter, "limiter", name, &(struct key_choice){
		.type = config.key_type,
		.prefix4 = config.prefix4,
		.prefix6 = config.prefix6,
	});
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
	list_all(args, name, entries, &filter, top_room ? &top : NULL);
	if (top_room)
		top_print(args, &top);
	if (args->json)
		json_array_end();
	weir_entries_close(entries);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}
