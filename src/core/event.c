// SPDX-License-Identifier: GPL-2.0-only
/* The ring of events and its readers. See event.h. */

#include <linux/atomic.h>
#include <linux/bsearch.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/event.h"
#include "core/object.h"
#include "core/pollers.h"

#define RING_BITS	12
#define RING_SIZE	BIT_ULL(RING_BITS)

/**
 * struct event_slot - one record in the ring
 * @uid: owner of the object, or the emitter; this and the next two decide which readers may
 *	see it
 * @gid: group of the object
 * @mode: mode of the object
 * @event: the record
 * @data: its key, or the emitted text
 */
struct event_slot {
	kuid_t uid;
	kgid_t gid;
	u16 mode;
	struct weir_event event;
	u8 data[ALIGN(WEIR_KEY_MAX, 8)];
};

static struct event_slot *ring;		/* protected by ring_lock */
static u64 ring_next;			/* protected by ring_lock: number of the next event */
static DEFINE_SPINLOCK(ring_lock);	/* taken with interrupts disabled */
static DECLARE_WAIT_QUEUE_HEAD(readers);

static struct workqueue_struct *queue;

/*
 * Runs in a worker because there may be thousands of readers, and the writer holds a lock of
 * the table.
 */
static void readers_wake(struct work_struct *work)
{
	weir_pollers_wake(&readers, EPOLLIN | EPOLLRDNORM);
}

static DECLARE_WORK(readers_work, readers_wake);

static u64 ring_first(void)
{
	return ring_next > RING_SIZE ? ring_next - RING_SIZE : 0;
}

/* The next slot, with an event that has no object. Must hold ring_lock. */
static struct event_slot *slot_begin(u32 type, s64 value, s64 more)
{
	struct event_slot *slot = &ring[ring_next & (RING_SIZE - 1)];

	slot->event = (struct weir_event){
		.size = sizeof(slot->event),
		.type = type,
		.seq = ring_next,
		.time = ktime_get_boottime_ns(),
		.value = value,
		.more = more,
	};
	return slot;
}

static void slot_own(struct event_slot *slot, const struct weir_object *o)
{
	slot->uid = o->uid;
	slot->gid = o->gid;
	slot->mode = o->mode;
	slot->event.id = o->id;
	slot->event.kind = o->ops->kind;
	memcpy(slot->event.name, o->name, sizeof(slot->event.name));
}

/* Publish the event in @slot. This is the last step. */
static void slot_end(struct event_slot *slot, u32 key_type, const u8 *data,
		     unsigned int len)
{
	slot->event.key_type = key_type;
	slot->event.data_len = len;
	slot->event.size += ALIGN(len, 8);
	memset(slot->data, 0, sizeof(slot->data));
	memcpy(slot->data, data, len);
	WRITE_ONCE(ring_next, ring_next + 1);
}

static void readers_tell(void)
{
	/*
	 * wq_has_sleeper() has the barrier that pairs with set_current_state() of the waiters
	 * and with the barrier in weir_event_poll()
	 */
	if (wq_has_sleeper(&readers))
		queue_work(queue, &readers_work);
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
 * After the event of an object's deletion no event of it is emitted: a caller that still works
 * on it in an RCU read side comes too late.
 *
 * Context: any except NMI; any lock of the table may be held.
 */
void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
		    const u8 *key, unsigned int len, s64 value, s64 more)
{
	struct event_slot *slot;
	unsigned long flags;

	spin_lock_irqsave(&ring_lock, flags);
	/* @dead is set before ring_lock is taken for the event of the deletion */
	if (!READ_ONCE(o->dead) || type == WEIR_EVENT_DELETED) {
		slot = slot_begin(type, value, more);
		slot_own(slot, o);
		slot_end(slot, key_type, key, len);
	}
	spin_unlock_irqrestore(&ring_lock, flags);
	readers_tell();
}

void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more)
{
	weir_event_key(o, type, WEIR_KEY_NONE, NULL, 0, value, more);
}

/**
 * weir_event_emit - put a record of the current user into the stream
 * @tag: a name, or empty; zero-filled to WEIR_NAME_SIZE
 * @data: the record
 * @len: its bytes, up to WEIR_RECORD_MAX
 *
 * Context: process. Return: its number.
 */
u64 weir_event_emit(const char *tag, const u8 *data, unsigned int len)
{
	kuid_t uid = current_euid();
	struct event_slot *slot;
	u64 seq;

	spin_lock_irq(&ring_lock);
	slot = slot_begin(WEIR_EVENT_RECORD, from_kuid(&init_user_ns, uid),
			  task_tgid_nr(current));
	/* readable as an event of an object of this user with mode 0600 */
	slot->uid = uid;
	slot->gid = INVALID_GID;
	slot->mode = 0400;
	memcpy(slot->event.name, tag, sizeof(slot->event.name));
	seq = slot->event.seq;
	slot_end(slot, WEIR_KEY_TEXT, data, len);
	spin_unlock_irq(&ring_lock);
	readers_tell();
	return seq;
}

/* Numbers of the oldest event kept, and of the next event. */
void weir_event_range(u64 *first, u64 *next)
{
	spin_lock_irq(&ring_lock);
	*first = ring_first();
	*next = ring_next;
	spin_unlock_irq(&ring_lock);
}

static int gid_compare(const void *key, const void *item)
{
	const kgid_t *a = key, *b = item;

	return gid_gt(*a, *b) ? 1 : gid_lt(*a, *b) ? -1 : 0;
}

static bool cred_in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;

	return gid_eq(cred->egid, gid) ||
	       bsearch(&gid, groups->gid, groups->ngroups, sizeof(gid), gid_compare);
}

/*
 * Whether the opener of the file may observe the event's object. A file that is passed on shows
 * no more than before; see weir_object_may().
 */
static bool slot_readable(const struct event_slot *slot, const struct cred *cred,
			  bool all)
{
	unsigned int bits = slot->mode;

	if (all)
		return true;
	if (uid_eq(cred->euid, slot->uid))
		bits >>= 6;
	else if (cred_in_group(cred, slot->gid))
		bits >>= 3;
	return bits & 4;
}

/* Copy the record at @cursor, or one that says how many were lost there. */
static bool ring_copy(u64 cursor, struct event_slot *out)
{
	bool found;

	spin_lock_irq(&ring_lock);
	found = cursor < ring_next;
	if (found && cursor >= ring_first())
		*out = ring[cursor & (RING_SIZE - 1)];
	else if (found)
		out->event = (struct weir_event){
			.size = sizeof(out->event),
			.type = WEIR_EVENT_LOST,
			.seq = cursor,
			.time = ktime_get_boottime_ns(),
			.value = ring_first() - cursor,
		};
	spin_unlock_irq(&ring_lock);
	return found;
}

/*
 * The next record that this reader may see. The cursor moves to it, past hidden records. The
 * lock is taken once for each record, because there may be thousands.
 */
static bool ring_find(u64 *cursor, const struct cred *cred, struct event_slot *out)
{
	bool all = cap_raised(cred->cap_effective, CAP_SYS_ADMIN) &&
		   cred->user_ns == &init_user_ns;

	u64 end = READ_ONCE(ring_next);

	/* stop at @end: later events wake the waiters, and the loop must terminate */
	while (*cursor < end && ring_copy(*cursor, out)) {
		if (out->event.type == WEIR_EVENT_LOST ||
		    slot_readable(out, cred, all))
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
 * @cursor: number of the reader's next event; the caller serialises its users
 * @reader: credentials with which the file was opened
 * @buffer: destination
 * @length: at least WEIR_EVENT_SIZE_MAX
 *
 * Return: bytes copied, 0 if there are no events, or -EFAULT. A record that could not be
 *	copied stays unread.
 */
ssize_t weir_event_read(u64 *cursor, const struct cred *reader,
			char __user *buffer, size_t length)
{
	struct event_slot slot;
	size_t filled = 0;
	u64 at = READ_ONCE(*cursor);

	while (length - filled >= sizeof(slot.event) &&
	       ring_find(&at, reader, &slot) && slot.event.size <= length - filled) {
		/* in the slot, data follows event without a gap */
		if (copy_to_user(buffer + filled, &slot.event, slot.event.size))
			return filled ? filled : -EFAULT;
		filled += slot.event.size;
		at = record_end(&slot.event);
		WRITE_ONCE(*cursor, at);
		if (signal_pending(current))
			break;
	}
	if (!filled)
		WRITE_ONCE(*cursor, at);	/* skip records that this reader may not see */
	return filled;
}

/* Sleep until there may be an event at the cursor. Return: 0 or -ERESTARTSYS. */
int weir_event_wait(const u64 *cursor)
{
	return wait_event_interruptible(readers,
					READ_ONCE(*cursor) != READ_ONCE(ring_next));
}

/* A cursor was set back: wake its readers, because there may be an event for them. */
void weir_event_wake(void)
{
	weir_pollers_wake(&readers, EPOLLIN | EPOLLRDNORM);
}

/* Called with the lock of the queue: leave the queue, and wake the pollers. */
static int poller_wake(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct weir_event_poller *p = container_of(wait, struct weir_event_poller, wait);

	list_del_init(&wait->entry);
	weir_pollers_wake(p->pollers, EPOLLIN | EPOLLRDNORM);
	return 0;
}

static void poller_arm(struct weir_event_poller *p)
{
	spin_lock_irq(&readers.lock);
	if (list_empty(&p->wait.entry))
		__add_wait_queue(&readers, &p->wait);
	spin_unlock_irq(&readers.lock);
}

/**
 * weir_event_poll - whether a read would find an event
 * @file: the credentials of its opener decide
 * @wait: of poll()
 * @cursor: moved past records that this reader may not see, unless another thread moved it
 * @poller: of the file; the caller has called poll_wait() with its pollers. epoll polls again
 *	when the events it waits for are changed, so no poll for input is missed.
 */
__poll_t weir_event_poll(struct file *file, poll_table *wait, u64 *cursor,
			 struct weir_event_poller *poller)
{
	u64 old = READ_ONCE(*cursor), at = old;
	struct event_slot slot;
	bool found;

	if (!(poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM)))
		return 0;
	poller_arm(poller);
	/* enqueue first, then look; pairs with wq_has_sleeper() in weir_event_key() */
	smp_mb();
	found = ring_find(&at, file->f_cred, &slot);
	if (at != old)
		cmpxchg(cursor, old, at);
	return found ? EPOLLIN | EPOLLRDNORM : 0;
}

void weir_event_poller_init(struct weir_event_poller *p, wait_queue_head_t *pollers)
{
	init_waitqueue_func_entry(&p->wait, poller_wake);
	INIT_LIST_HEAD(&p->wait.entry);
	p->pollers = pollers;
}

/* Call when the file is closed. */
void weir_event_poller_end(struct weir_event_poller *p)
{
	spin_lock_irq(&readers.lock);
	list_del_init(&p->wait.entry);
	spin_unlock_irq(&readers.lock);
}

int weir_event_mod_init(void)
{
	BUILD_BUG_ON(offsetof(struct event_slot, data) !=
		     offsetofend(struct event_slot, event));
	BUILD_BUG_ON(sizeof(struct weir_event) +
		     sizeof_field(struct event_slot, data) != WEIR_EVENT_SIZE_MAX);
	BUILD_BUG_ON(sizeof_field(struct event_slot, data) < WEIR_RECORD_MAX);
	ring = kvcalloc(RING_SIZE, sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	queue = alloc_workqueue("weir_event", WQ_UNBOUND, 1);
	if (!queue) {
		kvfree(ring);
		return -ENOMEM;
	}
	return 0;
}

void weir_event_mod_exit(void)
{
	destroy_workqueue(queue);
	kvfree(ring);
}
