/* SPDX-License-Identifier: GPL-2.0-only */
/* owner - objects of several users, and the objects that one user gets of another */
#ifndef _WEIR_SELFTEST_OWNER_H
#define _WEIR_SELFTEST_OWNER_H

#include "harness.h"

#include <fcntl.h>

#include "person.h"

#define ALICE	4601
#define MALLORY	4602

static const struct weir_counter_config sum = {
	.size = sizeof(sum), .type = WEIR_COUNTER_SUM,
};

struct record {
	struct weir_event event;
	__u8 data[WEIR_EVENT_SIZE_MAX - sizeof(struct weir_event)];
};

/* Read the next event, without blocking. Return: 0 or an error. */
static inline int record_read(int fd, struct record *r)
{
	if (read(fd, r, sizeof(*r)) < 0)
		return -errno;
	/* set the position back, so that other events of this read are read again */
	return lseek(fd, r->event.seq + 1, SEEK_SET) < 0 ? -errno : 0;
}

FIXTURE(owner) {
	int fd;
	mode_t device;
	__u64 objects_per_uid, objects, keys_per_uid;
};

FIXTURE_SETUP(owner)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->objects_per_uid = parameter_get("max_objects_per_uid");
	self->objects = parameter_get("max_objects");
	self->keys_per_uid = parameter_get("max_keys_per_uid");
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(owner)
{
	close(self->fd);
	parameter_set("max_objects_per_uid", self->objects_per_uid);
	parameter_set("max_objects", self->objects);
	parameter_set("max_keys_per_uid", self->keys_per_uid);
	device_chmod(self->device);
	objects_wipe();
}

/* The result of a CREATE or an OPEN by plain name: the owner, or an error. */
struct found {
	const char *name;
	__u32 flags;
	__u32 owner;		/* input and output */
	__u32 created;
};

static inline int create_as(void *arg)
{
	struct found *f = arg;
	struct weir_create create = create_make(WEIR_KIND_COUNTER, f->name, &sum);
	int fd = client_open(O_RDWR), ret;

	create.mode = 0666;
	create.flags = f->flags;
	create.rights = 0;
	create.owner = f->owner;
	ret = call(fd, WEIR_IOC_CREATE, &create);
	return ret ?: (int)(create.owner * 2 + create.created);
}

static inline int open_as(void *arg)
{
	struct found *f = arg;
	struct weir_open open = open_make(WEIR_KIND_COUNTER, f->name, WEIR_RIGHT_OBSERVE);
	int fd = client_open(O_RDWR);

	open.owner = f->owner;
	return call(fd, WEIR_IOC_OPEN, &open) ?: (int)open.owner;
}

#define MADE(uid)	((uid) * 2 + 1)
#define EXISTED(uid)	((uid) * 2)

static inline int create_in(int fd, const char *name)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, name, &sum);
	int ret;

	create.rights = 0;
	ret = call(fd, WEIR_IOC_CREATE, &create);
	return ret ?: (int)create.owner;
}

#endif /* _WEIR_SELFTEST_OWNER_H */
