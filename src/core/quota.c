// SPDX-License-Identifier: GPL-2.0-only
/* Accounts of what each user has. See quota.h. */

#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core/quota.h"
#include "core/registry.h"

static ulong max_objects = 65536;
module_param(max_objects, ulong, 0644);
MODULE_PARM_DESC(max_objects, "objects on the host at most");

static ulong max_objects_per_uid = 4096;
module_param(max_objects_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_objects_per_uid, "objects of one user at most");

static ulong max_keys = 256 << 20;
module_param(max_keys, ulong, 0644);
MODULE_PARM_DESC(max_keys, "sum of max_keys over all keyed objects at most");

static ulong max_keys_per_uid = 64 << 20;
module_param(max_keys_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_keys_per_uid, "sum of max_keys over one user's keyed objects at most");

/**
 * struct weir_quota - one user's account; it exists while he has objects
 * @list: all accounts
 * @uid: whose
 * @objects: he has
 * @keys: sum of their max_keys
 */
struct weir_quota {
	struct list_head list;
	kuid_t uid;
	u64 objects;
	u64 keys;
};

/* All under the registry's mutex. Users with objects are few: a list does. */
static LIST_HEAD(accounts);
static u64 objects;
static u64 keys_sum;

static struct weir_quota *account_find(kuid_t uid)
{
	struct weir_quota *q;

	list_for_each_entry(q, &accounts, list)
		if (uid_eq(q->uid, uid))
			return q;
	return NULL;
}

/**
 * weir_quota_new - an account, should the user have none
 * @uid: whose
 *
 * Context: may sleep, no lock. Return: for weir_quota_take(), or NULL.
 */
struct weir_quota *weir_quota_new(kuid_t uid)
{
	struct weir_quota *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);

	if (q)
		q->uid = uid;
	return q;
}

/* One that was not needed. */
void weir_quota_free(struct weir_quota *q)
{
	kfree(q);
}

static bool fits(u64 have, u64 more, u64 max)
{
	return !more || (have <= max && more <= max - have);
}

/* 0, -EDQUOT (the user's cap) or -ENOSPC (the host's). */
static int keys_check(const struct weir_quota *q, u64 more)
{
	if (!fits(q->keys, more, READ_ONCE(max_keys_per_uid)))
		return -EDQUOT;
	return fits(keys_sum, more, READ_ONCE(max_keys)) ? 0 : -ENOSPC;
}

/**
 * weir_quota_take - one object more
 * @spare: an account in the user's name; set to NULL if it is his now
 * @keys: the object's
 *
 * Return: the user's account, or an ERR_PTR(): -EDQUOT (the user's cap), -ENOSPC
 * (the host's); then nothing has changed.
 */
struct weir_quota *weir_quota_take(struct weir_quota **spare, u64 keys)
{
	struct weir_quota *q;
	int err;

	weir_registry_assert_held();
	q = account_find((*spare)->uid) ?: *spare;
	if (objects >= READ_ONCE(max_objects))
		return ERR_PTR(-ENOSPC);
	err = q->objects >= READ_ONCE(max_objects_per_uid) ? -EDQUOT :
							     keys_check(q, keys);
	if (err)
		return ERR_PTR(err);
	if (q == *spare) {
		list_add(&q->list, &accounts);
		*spare = NULL;
	}
	q->objects++;
	q->keys += keys;
	keys_sum += keys;
	objects++;
	return q;
}

/* An object changes its number of keys: 0, -EDQUOT, -ENOSPC. Less always works. */
int weir_quota_change(struct weir_quota *q, u64 from, u64 to)
{
	int err;

	weir_registry_assert_held();
	err = to > from ? keys_check(q, to - from) : 0;
	if (err)
		return err;
	q->keys += to - from;
	keys_sum += to - from;
	return 0;
}

void weir_quota_give(struct weir_quota *q, u64 keys)
{
	weir_registry_assert_held();
	q->objects--;
	q->keys -= keys;
	keys_sum -= keys;
	objects--;
	if (q->objects)
		return;
	list_del(&q->list);
	kfree(q);
}

u64 weir_quota_objects_max(void)
{
	return READ_ONCE(max_objects);
}
