// SPDX-License-Identifier: LGPL-2.1-or-later
/* Members: iterating over the leases of a roster. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MEMBERS_BUFFER 65536

struct weir_members {
	const struct weir_roster *roster;
	uint64_t cursor;
	size_t filled;
	size_t at;
	struct weir_member member;
	_Alignas(8) unsigned char buffer[MEMBERS_BUFFER];
};

WEIR_API struct weir_members *weir_members_open(struct weir_roster *roster)
{
	struct weir_members *members;

	/* Without the key type, the bytes of a key cannot be interpreted. */
	if (roster->key_type < 0) {
		errno = EACCES;
		return NULL;
	}
	members = malloc(sizeof(*members));
	if (!members)
		return NULL;
	members->roster = roster;
	members->cursor = 0;
	members->filled = 0;
	members->at = 0;
	return members;
}

/* Fetch the next records. Return: 1 (there may be none: call again), 0 at the end, or -1. */
static int members_fill(struct weir_members *members)
{
	const struct weir_roster *roster = members->roster;
	long filled;

	if (members->cursor == WEIR_NEVER)
		return 0;
	filled = weir__dump(roster->weir->file.fd, roster->handle, 0, &members->cursor,
			    members->buffer, sizeof(members->buffer));
	if (filled < 0)
		return -1;
	members->filled = (size_t)filled;
	members->at = 0;
	return 1;
}

static size_t padded(size_t length)
{
	return (length + 7) / 8 * 8;
}

/* Whether a record and its key and value fit into @room. */
static int is_whole(const struct weir_lease_info *info, size_t room)
{
	return room >= sizeof(*info) && info->size <= room &&
	       info->key_len <= WEIR_KEY_MAX && info->value_len <= WEIR_VALUE_MAX &&
	       info->size >= sizeof(*info) + padded(info->key_len) +
			     padded(info->value_len);
}

static void member_set(struct weir_members *members,
		       const struct weir_lease_info *info)
{
	struct weir_member *member = &members->member;

	member->key.type = (uint16_t)members->roster->key_type;
	member->key.len = info->key_len;
	memcpy(member->key.bytes, info->data, info->key_len);
	member->version = info->version;
	member->left = info->left;
	member->detached = !!(info->flags & WEIR_LEASE_DETACHED);
	member->pid = info->pid;
	member->uid = info->uid;
	member->length = info->value_len;
	memcpy(member->value, info->data + padded(info->key_len), info->value_len);
}

WEIR_API int weir_members_next(struct weir_members *members,
			       const struct weir_member **member)
{
	const struct weir_lease_info *info;

	while (members->at >= members->filled) {
		int ret = members_fill(members);

		if (ret <= 0)
			return ret;
	}
	info = (const void *)(members->buffer + members->at);
	if (!is_whole(info, members->filled - members->at)) {
		errno = EPROTO;
		return -1;
	}
	member_set(members, info);
	members->at += info->size;
	*member = &members->member;
	return 1;
}

WEIR_API void weir_members_close(struct weir_members *members)
{
	free(members);
}
