// SPDX-License-Identifier: GPL-2.0-only
/* The ring of events and its readers. See event.h. */

#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "event.h"
#include "object.h"

#define RING_BITS	12
#define RING_SIZE	BIT_ULL(RING_BITS)

/**
 * struct event_slot - one record kept
 * @uid: owner of the object; this and the next two decide who may read it
 * @gid: its group
 * @mode: its mode
 * @event: the record
 * @data: its key
 */
struct event_slot {
	kuid_t uid;
	kgid_t gid;
	u16 mode;
	struct weir_event event;
	u8 data[ALIGN(WEIR_KEY_MAX, 8)];
};

static struct event_slot *ring;		/* L: the lock */
static u64 ring_next;			/* L: number of the next event */
static DEFINE_SPINLOCK(ring_lock);	/* taken with interrupts off */
static DECLARE_WAIT_QUEUE_HEAD(readers);

static u64 ring_first(void)
{
	return ring_next > RING_SIZE ? ring_next - RING_SIZE : 0;
}

static void slot_fill(struct event_slot *slot, const struct weir_object *o,
		      u32 type, s64 value, s64 more)
{
	slot->uid = o->uid;
	slot->gid = o->gid;
	slot->mode = o->mode;
	slot->event = (struct weir_event){
		.size = sizeof(slot->event),
		.type = type,
		.seq = ring_next,
		.time = ktime_get_boottime_ns(),
		.id = o->id,
		.value = value,
		.more = more,
		.kind = o->ops->kind,
	};
	memcpy(slot->event.name, o->name, sizeof(slot->event.name));
}

/**
 * weir_event_key - tell of a transition of one key
 * @o: the object
 * @type: enum weir_event_type
 * @key_type: enum weir_key_type
 * @key: its bytes
 * @len: their number
 * @value: see enum weir_event_type
 * @more: see there
 *
 * Context: any but NMI, any lock of the table held.
 */
void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
		    const u8 *key, unsigned int len, s64 value, s64 more)
{
	struct event_slot *slot;
	unsigned long flags;

	spin_lock_irqsave(&ring_lock, flags);
	slot = &ring[ring_next & (RING_SIZE - 1)];
	slot_fill(slot, o, type, value, more);
	slot->event.key_type = key_type;
	slot->event.data_len = len;
	slot->event.size += ALIGN(len, 8);
	memset(slot->data, 0, sizeof(slot->data));
	memcpy(slot->data, key, len);
	WRITE_ONCE(ring_next, ring_next + 1);
	spin_unlock_irqrestore(&ring_lock, flags);
	/* wq_has_sleeper() has the barrier that pairs with set_current_state() */
	if (wq_has_sleeper(&readers))
		wake_up_interruptible_poll(&readers, EPOLLIN | EPOLLRDNORM);
}

void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more)
{
	weir_event_key(o, type, WEIR_KEY_NONE, NULL, 0, value, more);
}

/* Numbers of the oldest event kept and of the next one to come. */
void weir_event_range(u64 *first, u64 *next)
{
	spin_lock_irq(&ring_lock);
	*first = ring_first();
	*next = ring_next;
	spin_unlock_irq(&ring_lock);
}

static bool cred_in_group(const struct cred *cred, kgid_t gid)
{
	int i;

	if (gid_eq(cred->egid, gid))
		return true;
	for (i = 0; i < cred->group_info->ngroups; i++)
		if (gid_eq(cred->group_info->gid[i], gid))
			return true;
	return false;
}

/*
 * The right to observe, by the credentials of who opened the file, so that a
 * file passed on shows no more than before; see weir_object_rights().
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

/*
 * Copy the next record for this reader into @out and move the cursor behind it.
 * False if there is none, or it is longer than @room.
 */
static bool ring_take(u64 *cursor, const struct cred *cred, bool all,
		      size_t room, struct event_slot *out)
{
	bool found = false;
	u64 lost;

	spin_lock_irq(&ring_lock);
	if (*cursor < ring_first()) {
		lost = ring_first() - *cursor;
		out->event = (struct weir_event){
			.size = sizeof(out->event),
			.type = WEIR_EVENT_LOST,
			.seq = *cursor,
			.time = ktime_get_boottime_ns(),
			.value = lost,
		};
		*cursor += lost;
		found = true;
	}
	while (!found && *cursor < ring_next) {
		const struct event_slot *slot = &ring[*cursor & (RING_SIZE - 1)];

		found = slot_readable(slot, cred, all);
		if (found && slot->event.size > room) {
			found = false;
			break;
		}
		(*cursor)++;
		if (found)
			*out = *slot;
	}
	spin_unlock_irq(&ring_lock);
	return found;
}

/**
 * weir_event_read - copy records to a user
 * @cursor: number of the reader's next event; the caller serialises its users
 * @reader: credentials the file was opened with
 * @buffer: where to
 * @length: at least WEIR_EVENT_SIZE_MAX
 *
 * Return: bytes copied, 0 if there is nothing, -EFAULT. A record that could not
 * be copied is still to be read.
 */
ssize_t weir_event_read(u64 *cursor, const struct cred *reader,
			char __user *buffer, size_t length)
{
	bool all = cap_raised(reader->cap_effective, CAP_SYS_ADMIN) &&
		   reader->user_ns == &init_user_ns;
	struct event_slot slot;
	size_t filled = 0;
	u64 at = *cursor;

	while (length - filled >= sizeof(slot.event) &&
	       ring_take(&at, reader, all, length - filled, &slot)) {
		/* data follows event in the slot, without a gap */
		if (copy_to_user(buffer + filled, &slot.event, slot.event.size))
			return filled ? filled : -EFAULT;
		filled += slot.event.size;
		WRITE_ONCE(*cursor, at);
		if (signal_pending(current))
			break;
	}
	if (!filled)
		WRITE_ONCE(*cursor, at);	/* past what this reader may not see */
	return filled;
}

/* Sleep until there may be something at the cursor: 0 or -ERESTARTSYS. */
int weir_event_wait(const u64 *cursor)
{
	return wait_event_interruptible(readers,
					READ_ONCE(*cursor) != READ_ONCE(ring_next));
}

__poll_t weir_event_poll(struct file *file, poll_table *wait, u64 cursor)
{
	poll_wait(file, &readers, wait);
	return cursor != READ_ONCE(ring_next) ? EPOLLIN | EPOLLRDNORM : 0;
}

int weir_event_mod_init(void)
{
	BUILD_BUG_ON(offsetof(struct event_slot, data) !=
		     offsetofend(struct event_slot, event));
	BUILD_BUG_ON(sizeof(struct weir_event) +
		     sizeof_field(struct event_slot, data) != WEIR_EVENT_SIZE_MAX);
	ring = kvcalloc(RING_SIZE, sizeof(*ring), GFP_KERNEL);
	return ring ? 0 : -ENOMEM;
}

void weir_event_mod_exit(void)
{
	kvfree(ring);
}
