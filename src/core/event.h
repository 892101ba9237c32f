/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event streams, one for each namespace: the last 1024 transitions of its objects and
 * records of its user, numbered without gap.
 *
 * Writers put events into a ring under a spinlock. State changes are rare, so this costs little.
 * Writers hold the entry's lock, so events are in the order of the state changes. Writers never
 * wait for readers. Each reader keeps the number of its next event, and computes from it how many
 * events it has lost.
 */
#ifndef _WEIR_EVENT_H
#define _WEIR_EVENT_H

#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct cred;
struct event_slot;
struct weir_namespace;
struct weir_object;

/**
 * struct weir_event_stream - a ring of records
 *
 * @lock:	taken with interrupts off
 * @ring:	set once, before the first record; NULL: there is none
 * @next:	number of the next record; written under @lock
 * @readers:	files with tasks that wait
 * @wake:	the work that wakes these tasks; the writer may hold a lock of a table
 */
struct weir_event_stream {
	spinlock_t lock;	/* the ring */
	struct event_slot *ring;
	u64 next;
	wait_queue_head_t readers;
	struct work_struct wake;
};

/**
 * struct weir_event_reader - a position in a stream
 * @stream: constant
 * @next: number of the next record to read. read() and lseek(), one at a time, set it with
 *	WRITE_ONCE(); poll() moves it with cmpxchg() past events that this reader may not see.
 * @wait: in the queue of the stream's readers after a poll for input, or while a read() waits,
 *	until the next event. While it is not in the queue, events do not touch the file.
 * @pollers: the file's tasks that wait; woken by that event, and by lseek()
 */
struct weir_event_reader {
	struct weir_event_stream *stream;
	u64 next;
	wait_queue_entry_t wait;
	wait_queue_head_t *pollers;
};

void weir_event_stream_init(struct weir_event_stream *s);
int weir_event_stream_begin(struct weir_event_stream *s);
void weir_event_stream_exit(struct weir_event_stream *s);

void weir_event_object(const struct weir_object *o, u32 type, s64 value,
		       s64 more);
void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
		    const u8 *key, unsigned int len, s64 value, s64 more);

int weir_event_emit(struct weir_namespace *ns, kuid_t uid, const char *tag,
		    const u8 *data, unsigned int len, u64 *seq);

void weir_event_range(struct weir_event_stream *s, u64 *first, u64 *next);
void weir_event_reader_init(struct weir_event_reader *r, struct weir_event_stream *s,
			    wait_queue_head_t *pollers);
void weir_event_reader_end(struct weir_event_reader *r);
ssize_t weir_event_read(struct weir_event_reader *r, const struct cred *cred,
			char __user *buffer, size_t length);
int weir_event_wait(struct weir_event_reader *r, const bool *end);
void weir_event_seek(struct weir_event_reader *r, u64 next);
__poll_t weir_event_poll(struct weir_event_reader *r, const struct cred *cred,
			 poll_table *wait);

int weir_event_mod_init(void);
void weir_event_mod_exit(void);

#endif /* _WEIR_EVENT_H */
