/* SPDX-License-Identifier: GPL-2.0-only */
/* event - a reader of the event stream, and checks of events */
#ifndef _WEIR_SELFTEST_EVENT_H
#define _WEIR_SELFTEST_EVENT_H

#include "harness.h"

#include "client.h"
#include "person.h"

FIXTURE(event) {
	int fd;			/* client that causes events */
	int reader;		/* position: the next event */
	__u64 from;
	mode_t device;
};

FIXTURE_SETUP(event)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->reader = client_open(O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->reader);
	self->from = info_get(self->fd).event_next;
}

FIXTURE_TEARDOWN(event)
{
	close(self->fd);
	close(self->reader);
	device_chmod(self->device);
	objects_wipe();
}

/* A record and its key. */
struct record {
	struct weir_event event;
	char data[256];
};

/* Read one record. A read returns as many as fit, so the file is set back to the next one. */
static inline int record_read(int fd, struct record *record)
{
	char buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	struct weir_event *e = &record->event;
	ssize_t got;
	off_t next;

	memset(buffer, POISON, sizeof(buffer));
	memset(record, 0, sizeof(*record));
	got = read(fd, buffer, sizeof(buffer));
	if (got < 0)
		return -errno;
	memcpy(e, buffer, sizeof(*e));
	if (e->size < sizeof(*e) || e->size > (size_t)got)
		return -EPROTO;
	memcpy(record, buffer, e->size);
	next = e->seq + (e->type == WEIR_EVENT_LOST ? (__u64)e->value : 1);
	if (e->size < (size_t)got && lseek(fd, next, SEEK_SET) != next)
		return -EPROTO;
	return 0;
}

/* The members of an event that a test can predict. */
static inline bool event_is(const struct record *r, __u32 type, __u64 seq,
			    const char *name, __u32 kind)
{
	const struct weir_event *e = &r->event;

	if (e->type == type && e->seq == seq && e->kind == kind &&
	    !strncmp(e->name, name, WEIR_NAME_SIZE))
		return true;
	printf("# event type %u seq %llu kind %u name %s\n", e->type,
	       (unsigned long long)e->seq, e->kind, e->name);
	return false;
}

#endif /* _WEIR_SELFTEST_EVENT_H */
