// SPDX-License-Identifier: GPL-2.0-only
/* Accounts of what each user has. See quota.h. */

#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "quota.h"
#include "registry.h"

static ulong max_objects = 65536;
module_param(max_objects, ulong, 0644);
MODULE_PARM_DESC(max_objects, "objects on the host at most");

static ulong max_objects_per_uid = 4096;
module_param(max_objects_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_objects_per_uid, "objects of one user at most");

static ulong max_keys_per_uid = 64 << 20;
module_param(max_keys_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_keys_per_uid, "sum of max_keys over one user's limiters at most");

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

static struct weir_quota *account_find(kuid_t uid)
{
	struct weir_quota *q;

	list_for_each_entry(q, &accounts, list)
		if (uid_eq(q->uid, uid))
			return q;
	return NULL;
}

static struct weir_quota *account_get(kuid_t uid)
{
	struct weir_quota *q = account_find(uid);

	if (q)
		return q;
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return ERR_PTR(-ENOMEM);
	q->uid = uid;
	list_add(&q->list, &accounts);
	return q;
}

static void account_put(struct weir_quota *q)
{
	if (q->objects)
		return;
	list_del(&q->list);
	kfree(q);
}

static bool keys_fit(const struct weir_quota *q, u64 more)
{
	u64 max = READ_ONCE(max_keys_per_uid);

	return q->keys <= max && more <= max - q->keys;
}

/**
 * weir_quota_take - one object more
 * @uid: whose
 * @keys: its keys
 *
 * Return: the account, or an ERR_PTR(): -EDQUOT (the user's cap), -ENOSPC (the
 * host's), -ENOMEM.
 */
struct weir_quota *weir_quota_take(kuid_t uid, u64 keys)
{
	struct weir_quota *q;

	weir_registry_assert_held();
	if (objects >= READ_ONCE(max_objects))
		return ERR_PTR(-ENOSPC);
	q = account_get(uid);
	if (IS_ERR(q))
		return q;
	if (q->objects >= READ_ONCE(max_objects_per_uid) || !keys_fit(q, keys)) {
		account_put(q);
		return ERR_PTR(-EDQUOT);
	}
	q->objects++;
	q->keys += keys;
	WRITE_ONCE(objects, objects + 1);
	return q;
}

/* An object changes its number of keys: 0 or -EDQUOT. Less always works. */
int weir_quota_change(struct weir_quota *q, u64 from, u64 to)
{
	weir_registry_assert_held();
	if (to > from && !keys_fit(q, to - from))
		return -EDQUOT;
	q->keys += to - from;
	return 0;
}

void weir_quota_give(struct weir_quota *q, u64 keys)
{
	weir_registry_assert_held();
	q->objects--;
	q->keys -= keys;
	WRITE_ONCE(objects, objects - 1);
	account_put(q);
}

u64 weir_quota_objects(void)
{
	return READ_ONCE(objects);
}

u64 weir_quota_objects_max(void)
{
	return READ_ONCE(max_objects);
}
