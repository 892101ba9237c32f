// SPDX-License-Identifier: GPL-2.0-only
/* Who holds what, and that it comes back. See hold.h. */

#include <linux/fdtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/client.h"
#include "core/hold.h"
#include "core/object.h"
#include "core/pending.h"

/* Memory for a hold that weir_hold_get() may need, or NULL. May sleep. */
struct weir_hold *weir_hold_new(void)
{
	return kmalloc(sizeof(struct weir_hold), GFP_KERNEL_ACCOUNT);
}

void weir_hold_discard(struct weir_hold *new)
{
	kfree(new);
}

/* The order of the tree: one holder's holds stand together. */
static int hold_compare(const struct weir_hold *h, const struct files_struct *files,
			const struct weir_object *o, const struct weir_entry *e)
{
	if (h->files != files)
		return h->files < files ? -1 : 1;
	if (h->object != o)
		return h->object < o ? -1 : 1;
	if (h->entry != e)
		return h->entry < e ? -1 : 1;
	return 0;
}

static struct weir_hold *hold_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct weir_hold, node);
}

static void hold_init(struct weir_hold *h, struct weir_client *c,
		      struct weir_object *o, struct weir_entry *e)
{
	/* somebody holds @o for this operation, so it is not 0 */
	kref_get(&o->ref);
	*h = (struct weir_hold){
		.client = c, .files = current->files, .object = o, .entry = e,
		.doubt = true,
	};
}

/* Out of the tree; who ends it in the entry's name finds that. */
static void hold_unlink(struct weir_client *c, struct weir_hold *h)
{
	lockdep_assert_held(&c->hold_lock);
	rb_erase(&h->node, &c->holds);
	RB_CLEAR_NODE(&h->node);
}

/* One that is unlinked, and has no users. */
static void hold_free(struct weir_hold *h)
{
	weir_object_put(h->object);
	if (READ_ONCE(h->n))
		kfree_rcu(h, rcu);
	else
		kfree(h);	/* no entry leads to it */
}

/**
 * weir_hold_get - the current task's hold of a key, which is made if there is none
 * @c: the client
 * @o: the object, held
 * @e: the key's entry, locked
 * @new: from weir_hold_new(); NULL goes there if it was used. With @new NULL, or NULL
 *	in it, none is made.
 *
 * Cost: a walk down a tree of all holds of the client, under its lock.
 * Return: the hold, for weir_hold_put(), or NULL.
 */
struct weir_hold *weir_hold_get(struct weir_client *c, struct weir_object *o,
				struct weir_entry *e, struct weir_hold **new)
{
	struct rb_node **link = &c->holds.rb_node, *parent = NULL;
	struct weir_hold *h = NULL;
	int order;

	spin_lock_bh(&c->hold_lock);
	while (*link) {
		parent = *link;
		h = hold_of(parent);
		order = hold_compare(h, current->files, o, e);
		if (!order)
			break;
		link = order < 0 ? &parent->rb_right : &parent->rb_left;
		h = NULL;
	}
	if (!h && new && *new) {
		h = *new;
		*new = NULL;
		hold_init(h, c, o, e);
		rb_link_node(&h->node, parent, link);
		rb_insert_color(&h->node, &c->holds);
	}
	if (h)
		h->users++;
	spin_unlock_bh(&c->hold_lock);
	return h;
}

/**
 * weir_hold_put - an operation is over
 * @c: the client
 * @h: from weir_hold_get()
 *
 * With no users left nobody but the next weir_hold_get() can change @n, or
 * weir_hold_drop(), under the same lock; or who gives to what is pending. What is held of
 * a dead object is nothing.
 */
void weir_hold_put(struct weir_client *c, struct weir_hold *h)
{
	bool last;

	spin_lock_bh(&c->hold_lock);
	last = !--h->users && !h->pending &&
	       (!READ_ONCE(h->n) || !weir_object_alive(h->object));
	if (last)
		hold_unlink(c, h);
	spin_unlock_bh(&c->hold_lock);
	if (last)
		hold_free(h);
}

/**
 * weir_hold_drop - what is held has ended, by no doing of the holder
 * @h: the hold that the entry leads to; may be freed
 *
 * Context: RCU read side in which the object was alive; the entry is locked. So neither
 * hold nor client has gone before that ends, though the object may die meanwhile, and
 * the client with it: then the hold is in no tree any more.
 */
void weir_hold_drop(struct weir_hold *h)
{
	struct weir_client *c = h->client;
	bool last = false;

	spin_lock_bh(&c->hold_lock);
	if (!RB_EMPTY_NODE(&h->node)) {
		WRITE_ONCE(h->n, 0);
		last = !h->users;
		if (last)
			hold_unlink(c, h);
	}
	spin_unlock_bh(&c->hold_lock);
	if (last)
		hold_free(h);
}

static int is_file(const void *wanted, struct file *file, unsigned int fd)
{
	return file == wanted ? fd + 1 : 0;
}

/*
 * Whether the current task's table has a descriptor for the client.
 * Cost: a lock and one look, while it is where it was; else a look at each there is.
 */
static bool has_descriptor(struct weir_client *c)
{
	int found = iterate_fd(current->files, READ_ONCE(c->fd), is_file, c->file) ?:
		    iterate_fd(current->files, 0, is_file, c->file);

	if (found && READ_ONCE(c->fd) != found - 1)
		WRITE_ONCE(c->fd, found - 1);
	return found;
}

/* Whether no other thread or process is the same holder as the current task. */
bool weir_hold_alone(void)
{
	return atomic_read(&current->files->count) == 1;
}

static bool doubt_set(struct weir_client *c, struct weir_hold *h, bool doubt)
{
	bool before;

	spin_lock_bh(&c->hold_lock);
	before = h->doubt;
	h->doubt = doubt;
	spin_unlock_bh(&c->hold_lock);
	return before;
}

/**
 * weir_hold_gone - whether the holder has gone while he got something
 * @c: the client
 * @h: from weir_hold_get(), before he got it
 *
 * Another thread may close the descriptor under the feet of an operation. One that
 * began before that and made its hold after it is found out here alone, and so is one
 * that uses a hold so made, even if he who made it has given up since. And where there
 * is a doubt the holder may have a descriptor again, which came over a socket, say: who
 * looks takes the doubt away first, so that whoever closes that one casts it anew.
 *
 * That nobody shares the table now says nothing: he may have closed it, and ended.
 */
bool weir_hold_gone(struct weir_client *c, struct weir_hold *h)
{
	if (!doubt_set(c, h, false) || has_descriptor(c))
		return false;
	/* others who use it and saw no doubt have got theirs: it is given back with ours */
	doubt_set(c, h, true);
	return true;
}

/* The first hold of a holder that is to be given back; with a user. */
static struct weir_hold *hold_next(struct weir_client *c,
				   const struct files_struct *files)
{
	struct weir_hold *h, *first = NULL;
	struct rb_node *node;

	spin_lock_bh(&c->hold_lock);
	node = c->holds.rb_node;
	while (node) {
		h = hold_of(node);
		if (h->files < files) {
			node = node->rb_right;
			continue;
		}
		if (h->files == files)
			first = h;
		node = node->rb_left;
	}
	/* those that are in doubt already stay for who uses them to see to */
	while (first && first->doubt) {
		first = hold_of(rb_next(&first->node));
		if (first && first->files != files)
			first = NULL;
	}
	if (first) {
		first->doubt = true;
		first->users++;
	}
	spin_unlock_bh(&c->hold_lock);
	return first;
}

/* All that a hold has or waits for. It has a user. */
static void hold_end(struct weir_hold *h)
{
	struct weir_object *o = h->object;

	rcu_read_lock();
	/* what is dead has nothing to be given back to, but who waits is in its way still */
	if (weir_object_alive(o) || weir_pending_waits(READ_ONCE(h->pending)))
		o->ops->give_back(o, h);
	rcu_read_unlock();
	if (!weir_object_alive(o))
		weir_pending_forget(h);
}

static void holder_gone(struct weir_client *c, const struct files_struct *files)
{
	struct weir_hold *h;

	while ((h = hold_next(c, files))) {
		hold_end(h);
		weir_hold_put(c, h);
		cond_resched();
	}
}

/**
 * weir_hold_flush - a descriptor for the client is being closed
 * @c: the client
 * @files: the table of descriptors that had it
 *
 * When a table goes as a whole it is not the current task's any more, and the
 * descriptors may still stand in it.
 * Context: may sleep.
 */
void weir_hold_flush(struct weir_client *c, struct files_struct *files)
{
	bool none;

	/* whoever makes a hold after this finds that the descriptor is gone */
	spin_lock_bh(&c->hold_lock);
	none = RB_EMPTY_ROOT(&c->holds);
	spin_unlock_bh(&c->hold_lock);
	if (none)
		return;
	if (files == current->files && has_descriptor(c))
		return;
	holder_gone(c, files);
}

/* The first hold in the tree that is not before @cursor, or NULL. */
static struct weir_hold *hold_from(struct weir_client *c, const struct weir_hold *cursor)
{
	struct rb_node *node = c->holds.rb_node;
	struct weir_hold *h, *first = NULL;

	while (node) {
		h = hold_of(node);
		if (hold_compare(h, cursor->files, cursor->object, cursor->entry) < 0) {
			node = node->rb_right;
		} else {
			first = h;
			node = node->rb_left;
		}
	}
	return first;
}

/*
 * One step from @cursor on, which moves: a hold of its object to *@taken, with a user; or
 * go on to the next table, if it is not for @files alone. False: that was the last.
 */
static bool forget_step(struct weir_client *c, const struct files_struct *files,
			struct weir_hold *cursor, struct weir_hold **taken)
{
	struct weir_hold *h = hold_from(c, cursor);

	lockdep_assert_held(&c->hold_lock);
	*taken = NULL;
	if (!h || (files && h->files != files))
		return false;
	if (h->object == cursor->object) {
		cursor->files = h->files;
		cursor->entry = (void *)h->entry + 1;
		h->users++;
		*taken = h;
	} else {
		cursor->files = h->files == cursor->files ? (void *)h->files + 1 :
							    h->files;
		cursor->entry = NULL;
	}
	return true;
}

/**
 * weir_hold_forget - a client has done with an object that is dead
 * @c: the client
 * @o: the object
 * @files: the holder; NULL: all of them
 *
 * Or one who made, used and deleted objects all his life would keep what he held of
 * them until its end. Those in use go with their last user.
 * Cost: a walk down the tree for each hold of @o, and for each table there is.
 */
void weir_hold_forget(struct weir_client *c, struct weir_object *o,
		      const struct files_struct *files)
{
	struct weir_hold cursor = { .object = o, .files = (void *)files }, *taken;
	bool more;

	do {
		spin_lock_bh(&c->hold_lock);
		more = forget_step(c, files, &cursor, &taken);
		spin_unlock_bh(&c->hold_lock);
		if (taken) {
			hold_end(taken);
			weir_hold_put(c, taken);
		}
		cond_resched();
	} while (more);
}

/* One who holds something, or NULL. */
static const struct files_struct *holder_first(struct weir_client *c)
{
	const struct files_struct *files = NULL;

	spin_lock_bh(&c->hold_lock);
	if (!RB_EMPTY_ROOT(&c->holds))
		files = hold_of(rb_first(&c->holds))->files;
	spin_unlock_bh(&c->hold_lock);
	return files;
}

/* The file has gone, and with it all holders. Nobody else is here but weir_hold_drop(). */
void weir_hold_close(struct weir_client *c)
{
	const struct files_struct *files;

	while ((files = holder_first(c)))
		holder_gone(c, files);
}
