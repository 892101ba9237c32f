// SPDX-License-Identifier: LGPL-2.1-or-later
/* Events: the stream of transitions of objects and keys, and of records. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define EVENTS_BUFFER 16384

struct weir_events {
	struct weir__file file;
	size_t filled;
	size_t at;
	_Alignas(8) unsigned char buffer[EVENTS_BUFFER];
};

/* Choose the stream, and move to the first event wanted. */
static int events_begin(int fd, uint32_t owner, uint64_t from)
{
	struct weir_stream stream = { .size = sizeof(stream), .owner = owner };

	if (owner != WEIR_OWNER_DEFAULT && weir__ioctl(fd, WEIR_IOC_STREAM, &stream) < 0)
		return -1;
	if (from == WEIR_EVENTS_NOW)
		return 0;
	if (from == WEIR_EVENTS_OLDEST) {
		struct weir_info info = { .size = sizeof(info) };

		if (weir__ioctl(fd, WEIR_IOC_INFO, &info) < 0)
			return -1;
		from = info.event_first;
	}
	if (from > INT64_MAX) {
		errno = EINVAL;
		return -1;
	}
	return lseek(fd, (off_t)from, SEEK_SET) < 0 ? -1 : 0;
}

WEIR_API struct weir_events *weir_events_open(const char *user, uint64_t from)
{
	uint32_t owner = WEIR_OWNER_DEFAULT;
	struct weir_events *events;

	if (user && weir_parse_user(user, &owner) < 0)
		return NULL;
	events = malloc(sizeof(*events));
	if (!events)
		return NULL;
	events->filled = 0;
	events->at = 0;
	events->file.fd = open(WEIR_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (events->file.fd < 0 || events_begin(events->file.fd, owner, from) < 0 ||
	    weir__file_add(&events->file) < 0) {
		int error = errno;

		if (events->file.fd >= 0)
			close(events->file.fd);
		free(events);
		errno = error;
		return NULL;
	}
	return events;
}

/* Take the next record from the buffer. Return: 1 or -1. */
static int events_take(struct weir_events *events,
		       const struct weir_event **event)
{
	size_t room = events->filled - events->at;
	struct weir_event *record = (void *)(events->buffer + events->at);

	if (room < sizeof(*record) || record->size < sizeof(*record) ||
	    record->size > room ||
	    record->data_len > record->size - sizeof(*record)) {
		errno = EPROTO;
		return -1;
	}
	record->name[WEIR_NAME_SIZE - 1] = '\0';
	events->at += record->size;
	*event = record;
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until @deadline (ms; -1: for ever). Return: 1 readable, 0 timed out, -1 error. */
static int events_wait(struct weir_events *events, int64_t deadline)
{
	struct pollfd pollfd = { .fd = events->file.fd, .events = POLLIN };
	int64_t left = -1;
	int ret;

	if (deadline >= 0) {
		left = deadline - now_ms();
		if (left <= 0)
			return 0;
	}
	ret = poll(&pollfd, 1, (int)left);
	if (ret < 0)
		return -1;
	/* poll() may return slightly early: check the deadline again. */
	return 1;
}

WEIR_API int weir_events_next(struct weir_events *events,
			      const struct weir_event **event, int timeout)
{
	int64_t deadline = timeout > 0 ? now_ms() + timeout : timeout;

	while (events->at >= events->filled) {
		ssize_t got = read(events->file.fd, events->buffer,
				   sizeof(events->buffer));
		int ret;

		if (got > 0) {
			events->filled = (size_t)got;
			events->at = 0;
			break;
		}
		if (got == 0) {
			errno = EPROTO;
			return -1;
		}
		if (errno != EAGAIN)
			return -1;
		ret = events_wait(events, deadline);
		if (ret <= 0)
			return ret;
	}
	return events_take(events, event);
}

WEIR_API int weir_events_fd(const struct weir_events *events)
{
	return events->file.fd;
}

WEIR_API void weir_events_key(const struct weir_event *event,
			      struct weir_key *key)
{
	uint16_t length = event->data_len;

	if (length > WEIR_KEY_MAX)
		length = WEIR_KEY_MAX;
	key->type = length ? event->key_type : WEIR_KEY_NONE;
	key->len = length;
	memcpy(key->bytes, event->data, length);
}

WEIR_API int weir_emit(struct weir *weir, const char *tag, const void *bytes,
		       size_t length, uint64_t *seq)
{
	struct weir_emit emit = {
		.size = sizeof(emit),
		.length = length > WEIR_RECORD_MAX ? 0 : (uint32_t)length,
		.data = (uintptr_t)bytes,
	};

	if (tag && !weir_name_valid(tag)) {
		errno = EINVAL;
		return -1;
	}
	if (tag)
		strcpy(emit.tag, tag);
	if (weir__ioctl(weir->file.fd, WEIR_IOC_EMIT, &emit) < 0)
		return -1;
	if (seq)
		*seq = emit.seq;
	return 0;
}

WEIR_API void weir_events_close(struct weir_events *events)
{
	int error = errno;

	if (!events)
		return;
	weir__file_close(&events->file);
	free(events);
	errno = error;
}
