// SPDX-License-Identifier: GPL-2.0-only
/* Rings of events and their readers. See event.h. */

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/cred.h"
#include "core/event.h"
#include "core/namespace.h"
#include "core/object.h"
#include "core/pollers.h"
#include "core/user_time.h"

#define RING_BITS	10
#define RING_SIZE	BIT_ULL(RING_BITS)

/**
 * struct event_slot - one record kept
 * @uid: the user that made the object, or that emitted the record
 * @owner: owner of the stream; it, the next two members and @uid decide which readers may see the
 *	event
 * @gid: group of the object
 * @mode: mode of the object
 * @pid: the process that emitted it, or NULL
 * @event: the event; uids and pids in it are translated for each reader
 * @data: the key, or the record
 */
struct event_slot {
	kuid_t uid;
	kuid_t owner;
	kgid_t gid;
	u16 mode;
	struct pid *pid;
	struct weir_event event;
	u8 data[ALIGN(WEIR_KEY_MAX, 8)];
};

static struct workqueue_struct *queue;

static void readers_wake(struct work_struct *work)
{
	struct weir_event_stream *s = container_of(work, struct weir_event_stream, wake);

	weir_pollers_wake(&s->readers, EPOLLIN | EPOLLRDNORM);
}

void weir_event_stream_init(struct weir_event_stream *s)
{
	spin_lock_init(&s->lock);
	init_waitqueue_head(&s->readers);
	INIT_WORK(&s->wake, readers_wake);
}

/**
 * weir_event_stream_begin - allocate the ring of a stream
 * @s: the stream
 *
 * Call it before the first event is put into the stream. Context: may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int weir_event_stream_begin(struct weir_event_stream *s)
{
	struct event_slot *ring;

	/* pairs with the cmpxchg() below */
	if (smp_load_acquire(&s->ring))
		return 0;
	ring = kvcalloc(RING_SIZE, sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return -ENOMEM;
	if (cmpxchg(&s->ring, NULL, ring))
		kvfree(ring);
	return 0;
}

/* Context: may sleep; neither writers nor readers are left. */
void weir_event_stream_exit(struct weir_event_stream *s)
{
	unsigned int i;

	cancel_work_sync(&s->wake);
	for (i = 0; s->ring && i < RING_SIZE; i++)
		put_pid(s->ring[i].pid);
	kvfree(s->ring);
}

static u64 ring_first(const struct weir_event_stream *s)
{
	return s->next > RING_SIZE ? s->next - RING_SIZE : 0;
}

static struct event_slot *slot_at(const struct weir_event_stream *s, u64 seq)
{
	return &s->ring[seq & (RING_SIZE - 1)];
}

/*
 * The next slot, prepared for an event without an object. Must hold the lock. The caller drops the
 * reference *@old after it has released the lock.
 */
static struct event_slot *slot_begin(struct weir_event_stream *s, u32 type, s64 value,
				     s64 more, struct pid **old)
{
	struct event_slot *slot = slot_at(s, s->next);

	*old = slot->pid;
	slot->pid = NULL;
	slot->event = (struct weir_event){
		.size = sizeof(slot->event),
		.type = type,
		.seq = s->next,
		.time = ktime_get_boottime_ns(),
		.value = value,
		.more = more,
	};
	return slot;
}

static void slot_own(struct event_slot *slot, const struct weir_object *o)
{
	slot->uid = o->uid;
	slot->owner = o->owner;
	slot->gid = o->gid;
	slot->mode = o->mode;
	slot->event.id = o->id;
	slot->event.kind = o->ops->kind;
	memcpy(slot->event.name, o->name, sizeof(slot->event.name));
}

/* Publish the event in @slot. This is the last step. */
static void slot_end(struct weir_event_stream *s, struct event_slot *slot, u32 key_type,
		     const u8 *data, unsigned int len)
{
	slot->event.key_type = key_type;
	slot->event.data_len = len;
	slot->event.size += ALIGN(len, 8);
	memset(slot->data, 0, sizeof(slot->data));
	memcpy(slot->data, data, len);
	WRITE_ONCE(s->next, s->next + 1);
}

static void readers_tell(struct weir_event_stream *s)
{
	/* wq_has_sleeper() has the barrier that pairs with the one in reader_behind() */
	if (wq_has_sleeper(&s->readers))
		queue_work(queue, &s->wake);
}

/**
 * weir_event_key - emit an event about one key
 * @o: the object
 * @type: enum weir_event_type
 * @key_type: enum weir_key_type
 * @key: its bytes
 * @len: their number
 * @value: see enum weir_event_type
 * @more: see enum weir_event_type
 *
 * After the event of an object's deletion no other event of the object is emitted, although an
 * operation may still use the object in an RCU read side.
 *
 * Context: any but NMI, any lock of the table held; RCU read side, or the storage is held.
 */
void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
		    const u8 *key, unsigned int len, s64 value, s64 more)
{
	struct weir_event_stream *s = &o->ns->events;
	struct event_slot *slot;
	struct pid *old = NULL;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	/* @dead is set before the lock is taken for the event of the deletion */
	if (!READ_ONCE(o->dead) || type == WEIR_EVENT_DELETED) {
		slot = slot_begin(s, type, value, more, &old);
		slot_own(slot, o);
		slot_end(s, slot, key_type, key, len);
	}
	spin_unlock_irqrestore(&s->lock, flags);
	put_pid(old);
	readers_tell(s);
}

void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more)
{
	weir_event_key(o, type, WEIR_KEY_NONE, NULL, 0, value, more);
}

/**
 * weir_event_emit - put a record of a user into a stream
 * @ns: namespace of the user
 * @uid: the user
 * @tag: a name, or empty; zero-filled to WEIR_NAME_SIZE
 * @data: the record
 * @len: its length, up to WEIR_RECORD_MAX
 * @seq: out: its number
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int weir_event_emit(struct weir_namespace *ns, kuid_t uid, const char *tag,
		    const u8 *data, unsigned int len, u64 *seq)
{
	struct weir_event_stream *s = &ns->events;
	struct event_slot *slot;
	struct pid *old;
	int err;

	err = weir_event_stream_begin(s);
	if (err)
		return err;
	spin_lock_irq(&s->lock);
	slot = slot_begin(s, WEIR_EVENT_RECORD, 0, 0, &old);
	/* readers see it like an event of an object of this user with mode 0500 */
	slot->uid = uid;
	slot->owner = ns->owner;
	slot->gid = INVALID_GID;
	slot->mode = 0500;
	slot->pid = get_pid(task_tgid(current));
	memcpy(slot->event.name, tag, sizeof(slot->event.name));
	*seq = slot->event.seq;
	slot_end(s, slot, WEIR_KEY_TEXT, data, len);
	spin_unlock_irq(&s->lock);
	put_pid(old);
	readers_tell(s);
	return 0;
}

/* Numbers of the oldest event kept and of the next one to come. */
void weir_event_range(struct weir_event_stream *s, u64 *first, u64 *next)
{
	spin_lock_irq(&s->lock);
	*first = ring_first(s);
	*next = s->next;
	spin_unlock_irq(&s->lock);
}

/*
 * Whether a reader may see the event. If the reader may not see keys, the key is removed. This is
 * decided by the credentials of the open, so that a file that is passed on shows the same to every
 * process; see weir_object_may().
 */
static bool slot_show(struct event_slot *slot, const struct cred *cred)
{
	u32 rights = weir_rights_by_mode(slot->uid, slot->owner, slot->gid, slot->mode,
					 cred);

	if ((~rights & (WEIR_RIGHT_OBSERVE | WEIR_RIGHT_KEYS)) && weir_cred_admin(cred))
		return true;
	if (!(rights & WEIR_RIGHT_OBSERVE))
		return false;
	if (!(rights & WEIR_RIGHT_KEYS)) {
		slot->event.size = sizeof(slot->event);
		slot->event.data_len = 0;
	}
	return true;
}

/* Translate the ids and the time to the reader's namespaces. */
static void slot_translate(struct event_slot *slot)
{
	struct weir_event *e = &slot->event;

	e->time = weir_user_time(e->time);
	if (e->type == WEIR_EVENT_CREATED || e->type == WEIR_EVENT_RECORD)
		e->value = from_kuid_munged(current_user_ns(), slot->uid);
	if (e->type == WEIR_EVENT_RECORD)
		e->more = pid_vnr(slot->pid);
}

/* Copy the event at @cursor. If it was overwritten, make one with the number of lost events. */
static bool ring_copy(struct weir_event_stream *s, u64 cursor, struct event_slot *out)
{
	bool found;

	spin_lock_irq(&s->lock);
	found = cursor < s->next;
	if (found && cursor >= ring_first(s)) {
		*out = *slot_at(s, cursor);
	} else if (found) {
		out->event = (struct weir_event){
			.size = sizeof(out->event),
			.type = WEIR_EVENT_LOST,
			.seq = cursor,
			.time = ktime_get_boottime_ns(),
			.value = ring_first(s) - cursor,
		};
	}
	if (found)
		slot_translate(out);
	spin_unlock_irq(&s->lock);
	return found;
}

/*
 * Find the next event that this reader may see. The cursor moves past hidden events. The lock is
 * taken for one event at a time, because there may be hundreds.
 */
static bool ring_find(struct weir_event_stream *s, u64 *cursor, const struct cred *cred,
		      struct event_slot *out)
{
	u64 end = READ_ONCE(s->next);

	/* stop at @end: later events wake the waiters, and the loop must end */
	while (*cursor < end && ring_copy(s, *cursor, out)) {
		if (out->event.type == WEIR_EVENT_LOST || slot_show(out, cred))
			return true;
		(*cursor)++;
		cond_resched();
	}
	return false;
}

static u64 record_end(const struct weir_event *e)
{
	return e->seq + (e->type == WEIR_EVENT_LOST ? e->value : 1);
}

/**
 * weir_event_read - copy records to a user
 * @r: the reader; the caller serialises calls for it
 * @cred: credentials the file was opened with
 * @buffer: user buffer
 * @length: at least WEIR_EVENT_SIZE_MAX
 *
 * Return: bytes copied, 0 if there are no events, or -EFAULT. A record that could not be
 *	copied stays unread.
 */
ssize_t weir_event_read(struct weir_event_reader *r, const struct cred *cred,
			char __user *buffer, size_t length)
{
	struct event_slot slot;
	size_t filled = 0;
	u64 at = READ_ONCE(r->next);

	while (length - filled >= sizeof(slot.event) &&
	       ring_find(r->stream, &at, cred, &slot) &&
	       slot.event.size <= length - filled) {
		/* data follows event in the slot, without a gap */
		if (copy_to_user(buffer + filled, &slot.event, slot.event.size))
			return filled ? filled : -EFAULT;
		filled += slot.event.size;
		at = record_end(&slot.event);
		WRITE_ONCE(r->next, at);
		if (signal_pending(current))
			break;
		cond_resched();
	}
	if (!filled)
		WRITE_ONCE(r->next, at);	/* past events that this reader may not see */
	return filled;
}

/* Called with the queue's lock held: leave the queue, and wake the tasks of this file. */
static int poller_wake(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct weir_event_reader *r = container_of(wait, struct weir_event_reader, wait);

	list_del_init(&wait->entry);
	weir_pollers_wake(r->pollers, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* Begin with the next event to come. @pollers: those of the file. */
void weir_event_reader_init(struct weir_event_reader *r, struct weir_event_stream *s,
			    wait_queue_head_t *pollers)
{
	u64 first;

	r->stream = s;
	r->pollers = pollers;
	init_waitqueue_func_entry(&r->wait, poller_wake);
	INIT_LIST_HEAD(&r->wait.entry);
	weir_event_range(s, &first, &r->next);
}

static void reader_arm(struct weir_event_reader *r)
{
	wait_queue_head_t *readers = &r->stream->readers;

	spin_lock_irq(&readers->lock);
	if (list_empty(&r->wait.entry))
		__add_wait_queue(readers, &r->wait);
	spin_unlock_irq(&readers->lock);
}

/*
 * Whether there are events after the position, whether visible or not. If not, the next event wakes
 * the file's pollers.
 */
static bool reader_behind(struct weir_event_reader *r)
{
	reader_arm(r);
	/* enqueue before the check; pairs with wq_has_sleeper() in readers_tell() */
	smp_mb();
	return READ_ONCE(r->next) != READ_ONCE(r->stream->next);
}

/*
 * Sleep until there may be an event for the reader, or @end is true and the reader's pollers are
 * woken. Return: 0 or -ERESTARTSYS.
 */
int weir_event_wait(struct weir_event_reader *r, const bool *end)
{
	return wait_event_interruptible(*r->pollers, reader_behind(r) || READ_ONCE(*end));
}

/*
 * Move the reader to @next, and wake the tasks that wait with this file, because there may be
 * events for them now.
 */
void weir_event_seek(struct weir_event_reader *r, u64 next)
{
	WRITE_ONCE(r->next, next);
	weir_pollers_wake(r->pollers, EPOLLIN | EPOLLRDNORM);
}

/**
 * weir_event_poll - check whether a read would return an event
 * @r: the reader; moved past events that it may not see, unless another caller has moved it
 * @cred: credentials the file was opened with
 * @wait: argument of poll()
 *
 * The caller has called poll_wait() with the reader's pollers. epoll polls again when the
 * events it waits for are changed, so no poll for input is missed.
 *
 * Return: EPOLLIN | EPOLLRDNORM, or 0.
 */
__poll_t weir_event_poll(struct weir_event_reader *r, const struct cred *cred,
			 poll_table *wait)
{
	u64 old = READ_ONCE(r->next), at = old;
	struct event_slot slot;
	bool found;

	if (!(poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM)))
		return 0;
	found = reader_behind(r) && ring_find(r->stream, &at, cred, &slot);
	if (at != old)
		cmpxchg(&r->next, old, at);
	return found ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Call when the file is released. */
void weir_event_reader_end(struct weir_event_reader *r)
{
	spin_lock_irq(&r->stream->readers.lock);
	list_del_init(&r->wait.entry);
	spin_unlock_irq(&r->stream->readers.lock);
}

int weir_event_mod_init(void)
{
	BUILD_BUG_ON(offsetof(struct event_slot, data) !=
		     offsetofend(struct event_slot, event));
	BUILD_BUG_ON(sizeof(struct weir_event) +
		     sizeof_field(struct event_slot, data) != WEIR_EVENT_SIZE_MAX);
	BUILD_BUG_ON(sizeof_field(struct event_slot, data) < WEIR_RECORD_MAX);
	queue = alloc_workqueue("weir_event", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

void weir_event_mod_exit(void)
{
	destroy_workqueue(queue);
}
