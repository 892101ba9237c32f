/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event stream: the last 4096 transitions and user records, numbered without a gap.
 *
 * Writers put records into a ring under a spinlock. Transitions are rare, so this costs little;
 * and because writers hold the entry's lock, events have the order of the state changes they
 * report. Writers never wait for readers. Each reader keeps the number of its next record and
 * derives from it how many it has lost.
 */
#ifndef _WEIR_EVENT_H
#define _WEIR_EVENT_H

#include <linux/poll.h>
#include <linux/types.h>
#include <linux/wait.h>

struct cred;
struct weir_key;
struct weir_object;

/**
 * struct weir_event_poller - enqueues the pollers of one file for the next event
 * @wait: in the queue of readers after a poll for input, until the next event. A file that is
 *	not polled for input is not in the queue, and an event does nothing to it.
 * @pollers: woken by that event
 */
struct weir_event_poller {
	wait_queue_entry_t wait;
	wait_queue_head_t *pollers;
};

void weir_event_object(const struct weir_object *o, u32 type, s64 value,
		       s64 more);
void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
		    const u8 *key, unsigned int len, s64 value, s64 more);

u64 weir_event_emit(const char *tag, const u8 *data, unsigned int len);

void weir_event_range(u64 *first, u64 *next);
ssize_t weir_event_read(u64 *cursor, const struct cred *reader,
			char __user *buffer, size_t length);
int weir_event_wait(const u64 *cursor);
void weir_event_wake(void);
__poll_t weir_event_poll(struct file *file, poll_table *wait, u64 *cursor,
			 struct weir_event_poller *poller);
void weir_event_poller_init(struct weir_event_poller *p, wait_queue_head_t *pollers);
void weir_event_poller_end(struct weir_event_poller *p);

int weir_event_mod_init(void);
void weir_event_mod_exit(void);

#endif /* _WEIR_EVENT_H */
