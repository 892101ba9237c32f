// SPDX-License-Identifier: LGPL-2.1-or-later
/* Objects of any kind: creating, opening, deleting and listing them. */

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Set @uid for a user name or number. On failure errno is ENOENT or an error of getpwnam_r(). */
WEIR_API int weir_parse_user(const char *user, uint32_t *uid)
{
	char buffer[1024], *end;
	struct passwd entry, *found;
	unsigned long number;
	int error;

	if (user[0] >= '0' && user[0] <= '9') {
		errno = 0;
		number = strtoul(user, &end, 10);
		if (!*end && !errno && number < WEIR_OWNER_DEFAULT) {
			*uid = (uint32_t)number;
			return 0;
		}
	}
	error = getpwnam_r(user, &entry, buffer, sizeof(buffer), &found);
	if (!found) {
		errno = error ? error : ENOENT;
		return -1;
	}
	*uid = found->pw_uid;
	return 0;
}

/*
 * Copy NAME or USER/NAME into the fields of the ABI. The name is padded with zeros; the kernel
 * checks its letters.
 */
static int name_copy(char *to, uint32_t *owner, const char *name)
{
	const char *slash = strchr(name, '/');
	char user[256];
	size_t length;

	*owner = WEIR_OWNER_DEFAULT;
	if (slash) {
		length = (size_t)(slash - name);
		if (!length || length >= sizeof(user)) {
			errno = EINVAL;
			return -1;
		}
		memcpy(user, name, length);
		user[length] = '\0';
		if (weir_parse_user(user, owner) < 0)
			return -1;
		name = slash + 1;
	}
	length = strlen(name);

	if (length >= WEIR_NAME_SIZE) {
		errno = EINVAL;
		return -1;
	}
	memset(to, 0, WEIR_NAME_SIZE);
	memcpy(to, name, length);
	return 0;
}

WEIR_API int weir_create(struct weir *weir, struct weir_create *create)
{
	return weir__ioctl(weir->file.fd, WEIR_IOC_CREATE, create);
}

int weir__create(struct weir *weir, struct weir_create *create,
		 enum weir_kind kind, const char *name, const void *config,
		 unsigned int mode)
{
	create->size = sizeof(*create);
	create->kind = kind;
	create->mode = mode;
	create->gid = WEIR_GID_DEFAULT;
	create->config = (uintptr_t)config;
	if (name_copy(create->name, &create->owner, name) < 0)
		return -1;
	return weir_create(weir, create);
}

int weir__open(struct weir *weir, enum weir_kind kind, const char *name,
	       unsigned int rights, uint32_t *handle)
{
	struct weir_open open = {
		.size = sizeof(open),
		.kind = kind,
		.rights = rights,
	};

	if (name_copy(open.name, &open.owner, name) < 0)
		return -1;
	if (weir__ioctl(weir->file.fd, WEIR_IOC_OPEN, &open) < 0)
		return -1;
	*handle = open.handle;
	return 0;
}

void weir__close_handle(int fd, uint32_t handle)
{
	struct weir_close close = { .size = sizeof(close), .handle = handle };
	int error = errno;

	weir__ioctl(fd, WEIR_IOC_CLOSE, &close);
	errno = error;
}

int weir__delete(int fd, uint32_t handle)
{
	struct weir_delete del = { .size = sizeof(del), .handle = handle };

	return weir__ioctl(fd, WEIR_IOC_DELETE, &del);
}

int weir__get(int fd, uint32_t handle, void *config, void *stats)
{
	struct weir_get get = {
		.size = sizeof(get),
		.handle = handle,
		.config = (uintptr_t)config,
		.stats = (uintptr_t)stats,
	};

	return weir__ioctl(fd, WEIR_IOC_GET, &get);
}

int weir__set(int fd, uint32_t handle, uint64_t mask, const void *config)
{
	struct weir_set set = {
		.size = sizeof(set),
		.handle = handle,
		.mask = mask,
		.config = (uintptr_t)config,
	};

	return weir__ioctl(fd, WEIR_IOC_SET, &set);
}

#define OBJECTS_BUFFER 16384

struct weir_objects {
	struct weir *weir;
	uint32_t kind;
	uint32_t owner;
	uint64_t cursor;
	size_t filled;
	size_t at;
	_Alignas(8) unsigned char buffer[OBJECTS_BUFFER];
};

WEIR_API struct weir_objects *weir_objects_open(struct weir *weir,
						enum weir_kind kind,
						const char *user)
{
	uint32_t owner = WEIR_OWNER_DEFAULT;
	struct weir_objects *objects;

	if (user && weir_parse_user(user, &owner) < 0)
		return NULL;
	objects = malloc(sizeof(*objects));
	if (!objects)
		return NULL;
	objects->owner = owner;
	objects->weir = weir__use(weir);
	objects->kind = kind;
	objects->cursor = 0;
	objects->filled = 0;
	objects->at = 0;
	return objects;
}

/* Fetch the next records. Return: 1, 0 at the end, or -1. */
static int objects_fill(struct weir_objects *objects)
{
	struct weir_list list = {
		.size = sizeof(list),
		.kind = objects->kind,
		.cursor = objects->cursor,
		.buffer = (uintptr_t)objects->buffer,
		.length = sizeof(objects->buffer),
		.owner = objects->owner,
	};

	if (weir__ioctl(objects->weir->file.fd, WEIR_IOC_LIST, &list) < 0)
		return -1;
	objects->cursor = list.cursor;
	objects->filled = list.length;
	objects->at = 0;
	return list.length > 0;
}

WEIR_API int weir_objects_next(struct weir_objects *objects,
			       const struct weir_object_info **info)
{
	struct weir_object_info *record;

	if (objects->at >= objects->filled) {
		int ret = objects_fill(objects);

		if (ret <= 0)
			return ret;
	}
	record = (void *)(objects->buffer + objects->at);
	if (objects->filled - objects->at < sizeof(*record) ||
	    record->size < sizeof(*record) ||
	    record->size > objects->filled - objects->at) {
		errno = EPROTO;
		return -1;
	}
	record->name[WEIR_NAME_SIZE - 1] = '\0';
	objects->at += record->size;
	*info = record;
	return 1;
}

WEIR_API void weir_objects_close(struct weir_objects *objects)
{
	if (!objects)
		return;
	weir__free(objects->weir, objects);
}
