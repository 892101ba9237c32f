// SPDX-License-Identifier: GPL-2.0-only
/* All objects, by name and by number. See registry.h. */

#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "core/event.h"
#include "core/quota.h"
#include "core/registry.h"
#include "core/sysfs.h"

#define REGISTRY_BITS 12
#define NURSERIES 64

/* How long a creator lets another one of the same name go first. */
#define COURTESY	HZ

/*
 * M: mutex held to write. Readers of by_name and by_id are in an RCU read side.
 */
static DEFINE_MUTEX(mutex);
static DEFINE_HASHTABLE(by_name, REGISTRY_BITS);	/* M */
static DEFINE_XARRAY_FLAGS(by_id, XA_FLAGS_ACCOUNT);	/* M; places: its own lock */
static atomic64_t last_id = ATOMIC64_INIT(0);
static u64 nr_visible;					/* M; WRITE_ONCE() */
static siphash_key_t hash_key __ro_after_init;

/**
 * struct nursery - objects under construction, of some names
 * @list: M: them
 * @left: M: how many have left it; WRITE_ONCE(), READ_ONCE()
 * @wait: for one to leave
 */
struct nursery {
	struct hlist_head list;
	unsigned long left;
	wait_queue_head_t wait;
};

static struct nursery nurseries[NURSERIES];
static struct workqueue_struct *queue;

void weir_registry_assert_held(void)
{
	lockdep_assert_held(&mutex);
}

/* Run phase 3 of an object's death in a worker: it may sleep and take long. */
void weir_registry_queue(struct work_struct *work)
{
	queue_work(queue, work);
}

static u32 name_hash(u32 kind, const char *name)
{
	return siphash(name, strlen(name), &hash_key) + kind;
}

static struct weir_object *name_find(u32 kind, const char *name)
{
	struct weir_object *o;

	hash_for_each_possible_rcu(by_name, o, hash, name_hash(kind, name),
				   lockdep_is_held(&mutex))
		if (o->ops->kind == kind && !strcmp(o->name, name))
			return o;
	return NULL;
}

/**
 * weir_registry_find - an object by name
 * @kind: enum weir_kind
 * @name: a valid one
 *
 * Return: with a reference to its header, or NULL.
 */
struct weir_object *weir_registry_find(u32 kind, const char *name)
{
	struct weir_object *o;

	rcu_read_lock();
	o = name_find(kind, name);
	if (o && !kref_get_unless_zero(&o->ref))
		o = NULL;
	rcu_read_unlock();
	return o;
}

/**
 * weir_registry_next - iterate over objects in the order of their numbers
 * @cursor: number to begin with; out: the number of the returned object
 * @kind: enum weir_kind, or WEIR_KIND_ANY
 *
 * Numbers are never reused, so an object that exists throughout is returned once.
 *
 * Return: the object with a reference to its header, or NULL at the end.
 */
struct weir_object *weir_registry_next(u64 *cursor, u32 kind)
{
	unsigned long id = *cursor;
	struct weir_object *o;

	rcu_read_lock();
	xa_for_each_start(&by_id, id, o, *cursor) {
		if (kind && o->ops->kind != kind)
			continue;
		if (kref_get_unless_zero(&o->ref)) {
			*cursor = id;
			break;
		}
	}
	rcu_read_unlock();
	return o;
}

static bool name_is(const struct weir_object *o, const struct weir_object *as)
{
	return o->ops->kind == as->ops->kind && !strcmp(o->name, as->name);
}

static struct nursery *nursery_of(const struct weir_object *o)
{
	return &nurseries[name_hash(o->ops->kind, o->name) % NURSERIES];
}

/* Another object of that name under construction, or, if asked for, at its end. */
static bool has_rival(const struct weir_object *o, bool claimed)
{
	struct weir_object *rival;

	hlist_for_each_entry(rival, &nursery_of(o)->list, hash)
		if (rival != o && name_is(rival, o) &&
		    (rival->claimed || !claimed))
			return true;
	return false;
}

/*
 * With the mutex, until no object of that name is under construction; at most
 * @ticks. Return: what is left of them, 0 if there is one still, or -ERESTARTSYS.
 */
static long rival_wait(const struct weir_object *o, bool claimed, long ticks)
{
	struct nursery *n = nursery_of(o);
	unsigned long seen;

	while (ticks > 0 && has_rival(o, claimed)) {
		seen = n->left;
		mutex_unlock(&mutex);
		ticks = wait_event_interruptible_timeout(n->wait,
							 READ_ONCE(n->left) != seen,
							 ticks);
		mutex_lock(&mutex);
	}
	return ticks;
}

static int account_take(struct weir_object *o, struct weir_quota **spare)
{
	struct weir_quota *q;

	if (rival_wait(o, false, COURTESY) < 0)
		return -ERESTARTSYS;
	if (name_find(o->ops->kind, o->name))
		return -EEXIST;
	q = weir_quota_take(spare, o->quota_keys);
	if (IS_ERR(q))
		return PTR_ERR(q);
	o->quota = q;
	hlist_add_head(&o->hash, &nursery_of(o)->list);
	return 0;
}

/* A number for a new object, never used before or again. */
u64 weir_registry_number(void)
{
	return atomic64_inc_return(&last_id);
}

/**
 * weir_registry_begin - an object is about to be built
 * @o: the object, with name, owner and number
 *
 * Charges the owner's account. Of many who want one name the first builds, and the
 * others wait here for what comes of it: nobody builds what he cannot keep. But
 * who builds may be slow, or made slow by the limits of his cgroup, so they wait
 * for a second only; then it is a race again, which weir_registry_publish()
 * decides.
 *
 * Context: may sleep.
 * Return: 0: weir_registry_publish() or weir_registry_abandon() must follow.
 * -EEXIST, -EDQUOT, -ENOSPC, -ENOMEM, -ERESTARTSYS: nothing has changed.
 */
int weir_registry_begin(struct weir_object *o)
{
	struct weir_quota *spare = weir_quota_new(o->uid);
	int err;

	if (!spare)
		return -ENOMEM;
	err = xa_reserve(&by_id, o->id, GFP_KERNEL_ACCOUNT);
	if (!err) {
		mutex_lock(&mutex);
		err = account_take(o, &spare);
		mutex_unlock(&mutex);
		if (err)
			xa_release(&by_id, o->id);
	}
	weir_quota_free(spare);
	return err;
}

static void nursery_leave(struct weir_object *o)
{
	struct nursery *n = nursery_of(o);

	lockdep_assert_held(&mutex);
	hlist_del(&o->hash);
	WRITE_ONCE(n->left, n->left + 1);
	wake_up_all(&n->wait);
}

/* Give up what was begun: of @o nothing was ever seen. */
void weir_registry_abandon(struct weir_object *o)
{
	mutex_lock(&mutex);
	nursery_leave(o);
	weir_quota_give(o->quota, o->quota_keys);
	o->quota = NULL;
	mutex_unlock(&mutex);
	xa_release(&by_id, o->id);
}

/* Make the name this object's: 0, -EEXIST or -ERESTARTSYS. */
static int name_claim(struct weir_object *o)
{
	int err = 0;

	mutex_lock(&mutex);
	if (rival_wait(o, true, MAX_SCHEDULE_TIMEOUT) < 0)
		err = -ERESTARTSYS;
	else if (name_find(o->ops->kind, o->name))
		err = -EEXIST;
	else
		o->claimed = true;
	mutex_unlock(&mutex);
	return err;
}

/**
 * weir_registry_publish - make an object visible
 * @o: complete; its references are the caller's until then
 *
 * Its folder in sysfs comes a moment before the object itself. The name is claimed
 * for as long as it takes to make that.
 *
 * Context: may sleep. Return: 0: the registry has its own reference, the caller
 * keeps his. -EEXIST: somebody was faster; -ENOMEM, -ERESTARTSYS: nothing was seen
 * of it. After an error weir_registry_abandon() must follow.
 */
int weir_registry_publish(struct weir_object *o)
{
	int err = name_claim(o);

	if (!err)
		err = weir_sysfs_add(o);
	if (err)
		return err;
	mutex_lock(&mutex);
	nursery_leave(o);
	/* its place is there already: this allocates nothing, and so cannot fail */
	WARN_ON_ONCE(xa_is_err(xa_store(&by_id, o->id, o, 0)));
	/* first the event: what others do to the object comes after it */
	weir_event_object(o, WEIR_EVENT_CREATED,
			  from_kuid(&init_user_ns, o->uid), 0);
	hash_add_rcu(by_name, &o->hash, name_hash(o->ops->kind, o->name));
	WRITE_ONCE(nr_visible, nr_visible + 1);
	mutex_unlock(&mutex);
	return 0;
}

/* The number of existing objects; those under construction are charged but do not count. */
u64 weir_registry_objects(void)
{
	return READ_ONCE(nr_visible);
}

/* Phase 1 of an object's death. */
static void object_unlink(struct weir_object *o)
{
	lockdep_assert_held(&mutex);
	WRITE_ONCE(o->dead, true);
	hash_del_rcu(&o->hash);
	xa_erase(&by_id, o->id);
	WRITE_ONCE(nr_visible, nr_visible - 1);
	weir_sysfs_remove(o);
	weir_quota_give(o->quota, o->quota_keys);
	o->quota = NULL;
	weir_event_object(o, WEIR_EVENT_DELETED, 0, 0);
}

/**
 * weir_registry_delete - delete an object
 * @o: the object; the caller has a reference
 *
 * Return: 0, or -ENODEV if another caller was first.
 */
int weir_registry_delete(struct weir_object *o)
{
	bool first;

	mutex_lock(&mutex);
	first = !o->dead;
	if (first)
		object_unlink(o);
	mutex_unlock(&mutex);
	if (!first)
		return -ENODEV;
	/* not in the mutex: there may be many that wait */
	if (o->ops->on_delete)
		o->ops->on_delete(o);
	weir_object_live_put(o);
	return 0;
}

/*
 * An object is about to change: charge another number of keys to its owner, and
 * tell readers. 0, -EDQUOT, -ENOSPC or -ENODEV.
 */
int weir_registry_change(struct weir_object *o, u64 keys, u64 mask)
{
	int err = -ENODEV;

	mutex_lock(&mutex);
	if (!o->dead)
		err = weir_quota_change(o->quota, o->quota_keys, keys);
	if (!err) {
		o->quota_keys = keys;
		weir_event_object(o, WEIR_EVENT_CHANGED, mask, 0);
	}
	mutex_unlock(&mutex);
	return err;
}

int weir_registry_mod_init(void)
{
	unsigned int i;

	for (i = 0; i < NURSERIES; i++)
		init_waitqueue_head(&nurseries[i].wait);
	get_random_bytes(&hash_key, sizeof(hash_key));
	queue = alloc_workqueue("weir_release", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

/* Context: no file is open any more, so nothing else creates or deletes. */
void weir_registry_mod_exit(void)
{
	struct weir_object *o;
	unsigned long id;

	xa_for_each(&by_id, id, o) {
		weir_registry_delete(o);
		cond_resched();
	}
	rcu_barrier();			/* phase 2 to 3 */
	destroy_workqueue(queue);	/* phase 3 */
	xa_destroy(&by_id);
}
