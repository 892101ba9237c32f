// SPDX-License-Identifier: LGPL-2.1-or-later
/* Entries: iterating over the keys of a limiter. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ENTRIES_BUFFER 65536

struct weir_entries {
	const struct weir_limiter *limiter;
	uint32_t flags;
	uint64_t cursor;
	size_t filled;
	size_t at;
	struct weir_entry entry;
	_Alignas(8) unsigned char buffer[ENTRIES_BUFFER];
};

WEIR_API struct weir_entries *weir_entries_open(struct weir_limiter *limiter,
						unsigned int flags)
{
	struct weir_entries *entries;

	/* Without the key type, the bytes of a key cannot be interpreted. */
	if (limiter->key_type < 0) {
		errno = EACCES;
		return NULL;
	}
	entries = malloc(sizeof(*entries));
	if (!entries)
		return NULL;
	entries->limiter = limiter;
	entries->flags = flags;
	entries->cursor = 0;
	entries->filled = 0;
	entries->at = 0;
	return entries;
}

long weir__dump(int fd, uint32_t handle, uint32_t flags, uint64_t *cursor,
		void *buffer, size_t size)
{
	struct weir_dump dump = {
		.size = sizeof(dump),
		.handle = handle,
		.flags = flags,
		.cursor = *cursor,
		.buffer = (uintptr_t)buffer,
		.length = size,
	};

	if (weir__ioctl(fd, WEIR_IOC_DUMP, &dump) < 0)
		return -1;
	*cursor = dump.cursor;
	return (long)dump.length;
}

/* Fetch the next records. Return: 1 (there may be none: call again), 0 at the end, or -1. */
static int entries_fill(struct weir_entries *entries)
{
	const struct weir_limiter *limiter = entries->limiter;
	long filled;

	if (entries->cursor == WEIR_NEVER)
		return 0;
	filled = weir__dump(limiter->weir->file.fd, limiter->handle, entries->flags,
			    &entries->cursor, entries->buffer,
			    sizeof(entries->buffer));
	if (filled < 0)
		return -1;
	entries->filled = (size_t)filled;
	entries->at = 0;
	return 1;
}

static int entry_set(struct weir_entries *entries,
		     const struct weir_entry_info *info, size_t room)
{
	struct weir_entry *entry = &entries->entry;

	if (room < sizeof(*info) || info->size < sizeof(*info) ||
	    info->size > room || info->key_len > info->size - sizeof(*info) ||
	    info->key_len > WEIR_KEY_MAX) {
		errno = EPROTO;
		return -1;
	}
	entry->key.type = (uint16_t)entries->limiter->key_type;
	entry->key.len = info->key_len;
	memcpy(entry->key.bytes, info->key, info->key_len);
	entry->flags = info->flags;
	entry->strikes = info->strikes;
	entry->bans = info->bans;
	entry->remaining = info->remaining;
	entry->reset_after = info->reset_after;
	entry->banned_for = info->banned_for;
	return 0;
}

WEIR_API int weir_entries_next(struct weir_entries *entries,
			       const struct weir_entry **entry)
{
	const struct weir_entry_info *info;

	while (entries->at >= entries->filled) {
		int ret = entries_fill(entries);

		if (ret <= 0)
			return ret;
	}
	info = (const void *)(entries->buffer + entries->at);
	if (entry_set(entries, info, entries->filled - entries->at) < 0)
		return -1;
	entries->at += info->size;
	*entry = &entries->entry;
	return 1;
}

WEIR_API void weir_entries_close(struct weir_entries *entries)
{
	free(entries);
}

WEIR_API long weir_limiter_dump(struct weir_limiter *limiter, uint64_t *cursor,
				void *buffer, size_t size)
{
	return weir__dump(limiter->weir->file.fd, limiter->handle, 0, cursor, buffer, size);
}

WEIR_API int weir_limiter_load(struct weir_limiter *limiter, const void *records,
			       size_t size, uint64_t elapsed)
{
	size_t done = 0;

	while (done < size) {
		struct weir_load load = {
			.size = sizeof(load),
			.handle = limiter->handle,
			.elapsed = elapsed,
			.buffer = (uintptr_t)records + done,
			.length = size - done,
		};

		if (weir__ioctl(limiter->weir->file.fd, WEIR_IOC_LOAD, &load) < 0)
			return -1;
		done += load.length;
	}
	return 0;
}
