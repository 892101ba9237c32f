// SPDX-License-Identifier: GPL-2.0-only
/* Names, numbers and caps (src/core/registry.c, src/core/namespace.c). */

#include <kunit/test.h>
#include <linux/slab.h>

#include "crowd.h"
#include "prng.h"
#include "registry_fixture.h"

#define COUNTER	WEIR_KIND_COUNTER
#define LIMITER	WEIR_KIND_LIMITER
#define MEMBERS	4

static bool exists_of(unsigned int uid, u32 kind, const char *name)
{
	struct weir_object *o = weir_registry_find(KUIDT_INIT(uid), kind, name);

	if (o)
		weir_object_put(o);
	return o;
}

/* Look up a name of user 1, which owns most objects here. */
static bool exists(u32 kind, const char *name)
{
	return exists_of(1, kind, name);
}

static int delete_of(unsigned int uid, u32 kind, const char *name)
{
	struct weir_object *o = weir_registry_find(KUIDT_INIT(uid), kind, name);
	int err;

	if (!o)
		return -ENOENT;
	err = weir_registry_delete(o);
	weir_object_put(o);
	return err;
}

static int delete_by_name(u32 kind, const char *name)
{
	return delete_of(1, kind, name);
}

/* Number of objects of @kind that an iteration returns. *@in_order: their numbers rise. */
static unsigned int count(u32 kind, bool *in_order)
{
	struct weir_object *o;
	u64 cursor = 0, last = 0;
	unsigned int n = 0;

	*in_order = true;
	while ((o = weir_registry_next(&cursor))) {
		*in_order &= o->id > last && o->id == cursor;
		last = o->id;
		n += kind == WEIR_KIND_ANY || o->ops->kind == kind;
		weir_object_put(o);
		cursor++;
	}
	return n;
}

static void registry_names(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "b", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, -EEXIST, object_register(COUNTER, "a", 1, 0, NULL));
	/* a name is unique within its kind */
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "a", 1, 5, NULL));
	KUNIT_EXPECT_TRUE(test, exists(COUNTER, "a"));
	KUNIT_EXPECT_TRUE(test, exists(LIMITER, "a"));
	KUNIT_EXPECT_FALSE(test, exists(LIMITER, "b"));
	KUNIT_EXPECT_FALSE(test, exists(COUNTER, "aa"));
	KUNIT_EXPECT_EQ(test, 0, delete_by_name(COUNTER, "a"));
	KUNIT_EXPECT_FALSE(test, exists(COUNTER, "a"));
	KUNIT_EXPECT_TRUE(test, exists(LIMITER, "a"));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 3, weir_registry_objects());
}

/* The owner of the object that the name means to user @uid; 9999: there is none. */
static unsigned int meant(unsigned int uid, const char *name)
{
	struct weir_object *o = weir_registry_resolve(KUIDT_INIT(uid), COUNTER, name);
	unsigned int owner = 9999;

	if (o) {
		owner = __kuid_val(o->owner);
		weir_object_put(o);
	}
	return owner;
}

/* A name is unique within its owner. A user's own object comes before root's. */
static void registry_owners(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 1, meant(1, "a"));
	KUNIT_EXPECT_EQ(test, 9999, meant(2, "a"));
	KUNIT_EXPECT_EQ(test, 9999, meant(0, "a"));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_nodes));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 0, 0, NULL));
	KUNIT_EXPECT_EQ(test, -EEXIST, object_register(COUNTER, "a", 0, 0, NULL));
	/* sysfs shows root's objects only */
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake_nodes));
	KUNIT_EXPECT_EQ(test, 1, meant(1, "a"));
	KUNIT_EXPECT_EQ(test, 0, meant(2, "a"));
	KUNIT_EXPECT_EQ(test, 0, meant(0, "a"));
	KUNIT_EXPECT_EQ(test, 0, delete_by_name(COUNTER, "a"));
	KUNIT_EXPECT_EQ(test, 0, meant(1, "a"));
	KUNIT_EXPECT_EQ(test, 1, weir_registry_objects());
}

static void registry_delete_once(struct kunit *test)
{
	struct weir_object *o;

	KUNIT_ASSERT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, &o));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_delete(o));
	KUNIT_EXPECT_TRUE(test, o->dead);
	KUNIT_EXPECT_EQ(test, -ENODEV, weir_registry_delete(o));
	KUNIT_EXPECT_EQ(test, -ENODEV, weir_registry_change(o, 1, 0, false));
	weir_object_put(o);
}

/* An iteration returns objects by ascending number, of one kind or any, from any number on. */
static void registry_iterates(struct kunit *test)
{
	char name[WEIR_NAME_SIZE];
	struct weir_object *o;
	bool in_order;
	u64 cursor;
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "object-%d", i);
		KUNIT_ASSERT_EQ(test, 0, object_register(i % 3 ? COUNTER : LIMITER,
							 name, 1, 0, NULL));
	}
	KUNIT_EXPECT_EQ(test, 100, count(WEIR_KIND_ANY, &in_order));
	KUNIT_EXPECT_TRUE(test, in_order);
	KUNIT_EXPECT_EQ(test, 34, count(LIMITER, &in_order));
	KUNIT_EXPECT_TRUE(test, in_order);
	/* an object deleted during the iteration is not returned later; all others are */
	for (cursor = 0, i = 0; (o = weir_registry_next(&cursor)); cursor++) {
		if (o->ops->kind == LIMITER) {
			KUNIT_EXPECT_EQ(test, 0, weir_registry_delete(o));
			i++;
		}
		weir_object_put(o);
	}
	KUNIT_EXPECT_EQ(test, 34, i);
	KUNIT_EXPECT_EQ(test, 66, count(WEIR_KIND_ANY, &in_order));
	cursor = U64_MAX;
	KUNIT_EXPECT_NULL(test, weir_registry_next(&cursor));
}

static void registry_numbers_are_new(struct kunit *test)
{
	struct weir_object *o;
	u64 last = 0;
	int i;

	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, &o));
		KUNIT_EXPECT_GT(test, o->id, last);
		last = o->id;
		KUNIT_EXPECT_EQ(test, 0, weir_registry_delete(o));
		weir_object_put(o);
	}
}

/* A failure at any step leaves nothing behind; registry_fixture_exit() checks this too. */
static void registry_failure_undone(struct kunit *test)
{
	bool in_order;

	fake_sysfs_fails = true;
	KUNIT_EXPECT_EQ(test, -ENOMEM, object_register(COUNTER, "a", 0, 7, NULL));
	fake_sysfs_fails = false;
	fake_xarray_fails = true;
	KUNIT_EXPECT_EQ(test, -ENOMEM, object_register(COUNTER, "a", 1, 7, NULL));
	fake_xarray_fails = false;
	KUNIT_EXPECT_FALSE(test, exists(COUNTER, "a"));
	KUNIT_EXPECT_FALSE(test, exists_of(0, COUNTER, "a"));
	KUNIT_EXPECT_EQ(test, 0, count(WEIR_KIND_ANY, &in_order));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_objects());
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_nodes));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_events.count[WEIR_EVENT_CREATED]));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 7, NULL));
}

/* The storage stays until its last user is gone, the header until the last handle is closed. */
static void registry_phases_of_death(struct kunit *test)
{
	struct weir_object *o;

	KUNIT_ASSERT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, &o));
	KUNIT_ASSERT_TRUE(test, weir_object_live_get(o));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_delete(o));
	registry_settle();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&objects_released));
	rcu_read_lock();
	weir_object_live_put(o);
	KUNIT_EXPECT_FALSE(test, weir_object_live_get(o));
	/* a task that found the object under RCU earlier may still use the storage */
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&objects_released));
	rcu_read_unlock();
	registry_settle();
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&objects_released));
	KUNIT_EXPECT_EQ(test, 1, kref_read(&o->ref));
	KUNIT_EXPECT_STREQ(test, "a", o->name);
	weir_object_put(o);
}

static void quota_objects_of_user(struct kunit *test)
{
	char name[2] = "a";

	*fake_max_objects_per_uid.value = 3;
	for (; name[0] < 'd'; name[0]++)
		KUNIT_ASSERT_EQ(test, 0, object_register(COUNTER, name, 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(COUNTER, "x", 1, 0, NULL));
	/* the name is checked before the cap, and each user has its own cap */
	KUNIT_EXPECT_EQ(test, -EEXIST, object_register(COUNTER, "a", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "x", 2, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, delete_by_name(COUNTER, "a"));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, NULL));
	/* no objects at all: no namespace is made either */
	*fake_max_objects_per_uid.value = 0;
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(COUNTER, "z", 3, 0, NULL));
	KUNIT_EXPECT_EQ(test, 4, weir_registry_objects());
}

static void quota_objects_of_host(struct kunit *test)
{
	*fake_max_objects.value = 2;
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "a", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "b", 2, 0, NULL));
	KUNIT_EXPECT_EQ(test, -ENOSPC, object_register(COUNTER, "c", 3, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, delete_by_name(COUNTER, "a"));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "c", 3, 0, NULL));
	KUNIT_EXPECT_EQ(test, 2, weir_registry_objects());
}

static int register_as_admin(const char *name, unsigned int uid, u64 keys)
{
	struct weir_object *o = object_new(LIMITER, name, uid, keys);
	int err;

	if (!o)
		return -ENOMEM;
	err = weir_registry_add(o, true);
	if (err)
		object_drop(o);
	else
		weir_object_put(o);
	return err;
}

/* A sixteenth of the host's caps is reserved for administrators. */
static void quota_reserve(struct kunit *test)
{
	char name[WEIR_NAME_SIZE];
	unsigned int i;

	*fake_max_objects.value = 32;
	*fake_max_keys.value = 64;
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		KUNIT_ASSERT_EQ(test, 0, object_register(LIMITER, name, i, 2, NULL));
	}
	KUNIT_EXPECT_EQ(test, -ENOSPC, object_register(COUNTER, "x", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, register_as_admin("x", 0, 4));
	KUNIT_EXPECT_EQ(test, -ENOSPC, register_as_admin("y", 0, 1));
	KUNIT_EXPECT_EQ(test, 0, register_as_admin("y", 7, 0));
	KUNIT_EXPECT_EQ(test, -ENOSPC, register_as_admin("z", 0, 0));
	KUNIT_EXPECT_EQ(test, 0, delete_by_name(LIMITER, "name-1"));
	/* a user cannot use the reserve, even after an administrator has deleted an object */
	KUNIT_EXPECT_EQ(test, -ENOSPC, object_register(COUNTER, "x", 1, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, register_as_admin("z", 0, 2));
	/* the cap per user does not limit an administrator */
	*fake_max_objects.value = 1000;
	*fake_max_keys.value = 1000;
	*fake_max_objects_per_uid.value = 0;
	*fake_max_keys_per_uid.value = 0;
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(LIMITER, "a", 1, 1, NULL));
	KUNIT_EXPECT_EQ(test, 0, register_as_admin("a", 1, 100));
}

static void quota_keys(struct kunit *test)
{
	struct weir_object *o;

	*fake_max_keys_per_uid.value = 100;
	KUNIT_ASSERT_EQ(test, 0, object_register(LIMITER, "a", 1, 60, &o));
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(LIMITER, "b", 1, 41, NULL));
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(LIMITER, "b", 1, U64_MAX, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "b", 1, 40, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "c", 2, 100, NULL));
	KUNIT_EXPECT_EQ(test, -EDQUOT, weir_registry_change(o, 61, 0, false));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_change(o, 10, 0, false));
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "d", 1, 50, NULL));
	KUNIT_EXPECT_EQ(test, -EDQUOT, weir_registry_change(o, 11, 0, false));
	/* after the cap was lowered, an object can shrink but not grow, and nothing wraps */
	*fake_max_keys_per_uid.value = 5;
	KUNIT_EXPECT_EQ(test, 0, weir_registry_change(o, 9, 0, false));
	KUNIT_EXPECT_EQ(test, -EDQUOT, weir_registry_change(o, 10, 0, false));
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(LIMITER, "e", 3, U64_MAX, NULL));
	weir_object_put(o);
}

static void quota_keys_of_host(struct kunit *test)
{
	struct weir_object *o;

	*fake_max_keys.value = 106;	/* 6 of which are reserved */
	KUNIT_ASSERT_EQ(test, 0, object_register(LIMITER, "a", 1, 60, &o));
	KUNIT_EXPECT_EQ(test, -ENOSPC, object_register(LIMITER, "b", 2, 41, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "b", 2, 40, NULL));
	KUNIT_EXPECT_EQ(test, -ENOSPC, weir_registry_change(o, 61, 0, false));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_change(o, 59, 0, false));
	KUNIT_EXPECT_EQ(test, 0, object_register(LIMITER, "c", 3, 1, NULL));
	KUNIT_EXPECT_EQ(test, 0, delete_of(2, LIMITER, "b"));
	KUNIT_EXPECT_EQ(test, 0, weir_registry_change(o, 99, 0, false));
	/* objects without keys are not refused when the cap is lowered */
	*fake_max_keys.value = 5;
	*fake_max_keys_per_uid.value = 5;
	KUNIT_EXPECT_EQ(test, -EDQUOT, object_register(LIMITER, "d", 1, 1, NULL));
	KUNIT_EXPECT_EQ(test, -ENOSPC, object_register(LIMITER, "d", 9, 1, NULL));
	KUNIT_EXPECT_EQ(test, 0, object_register(COUNTER, "d", 1, 0, NULL));
	weir_object_put(o);
}

/**
 * struct rivals - a crowd that creates or deletes the same names
 * @won: number of successes, by member
 * @wrong: impossible answers, by member
 * @round: number of the current round
 */
struct rivals {
	unsigned int won[MEMBERS];
	unsigned int wrong[MEMBERS];
	unsigned int round;
};

static unsigned int total(const unsigned int *of)
{
	unsigned int i, n = 0;

	for (i = 0; i < MEMBERS; i++)
		n += of[i];
	return n;
}

static void create_work(unsigned int index, void *arg)
{
	struct rivals *r = arg;
	char name[WEIR_NAME_SIZE];
	int i, err;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		err = object_register(COUNTER, name, 1, 0, NULL);
		r->won[index] += !err;
		r->wrong[index] += err && err != -EEXIST;
		/* whichever task was first, the object exists now */
		r->wrong[index] += !exists(COUNTER, name);
	}
}

static void delete_work(unsigned int index, void *arg)
{
	struct rivals *r = arg;
	char name[WEIR_NAME_SIZE];
	int i, err;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		err = delete_by_name(COUNTER, name);
		r->won[index] += !err;
		r->wrong[index] += err && err != -ENODEV && err != -ENOENT;
		r->wrong[index] += exists(COUNTER, name);
	}
}

static void registry_one_winner(struct kunit *test)
{
	struct rivals *made = kunit_kzalloc(test, sizeof(*made), GFP_KERNEL);
	struct rivals *gone = kunit_kzalloc(test, sizeof(*gone), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, made);
	KUNIT_ASSERT_NOT_NULL(test, gone);
	crowd_run(test, MEMBERS, create_work, made);
	KUNIT_EXPECT_EQ(test, 300, total(made->won));
	KUNIT_EXPECT_EQ(test, 0, total(made->wrong));
	crowd_run(test, MEMBERS, delete_work, gone);
	KUNIT_EXPECT_EQ(test, 300, total(gone->won));
	KUNIT_EXPECT_EQ(test, 0, total(gone->wrong));
	registry_settle();
	KUNIT_EXPECT_EQ(test, 300, atomic_read(&objects_released));
}

static void cap_work(unsigned int index, void *arg)
{
	struct rivals *r = arg;
	char name[WEIR_NAME_SIZE];
	int i, err;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "name-%u-%d", index, i);
		err = object_register(LIMITER, name, 1, 10, NULL);
		r->won[index] += !err;
		r->wrong[index] += err && err != -EDQUOT;
		r->wrong[index] += weir_registry_objects() > 123;
	}
}

static void quota_is_exact(struct kunit *test)
{
	struct rivals *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	*fake_max_keys_per_uid.value = 1239;
	crowd_run(test, MEMBERS, cap_work, r);
	KUNIT_EXPECT_EQ(test, 123, total(r->won));
	KUNIT_EXPECT_EQ(test, 0, total(r->wrong));
}

/*
 * Some members create and delete names. The others find only complete objects, and each permanent
 * object once.
 */
static void churn_work(unsigned int index, void *arg)
{
	struct rivals *r = arg;
	struct prng p = { .state = index };
	char name[WEIR_NAME_SIZE];
	struct weir_object *o;
	unsigned int n;
	u64 cursor;
	int i;

	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "name-%d", (int)prng_below(&p, 8));
		if (index == 0) {
			for (n = 0, cursor = 0;
			     (o = weir_registry_next(&cursor)); cursor++) {
				n += o->ops->kind == LIMITER;
				weir_object_put(o);
			}
			r->wrong[index] += n != 20;
		} else if (index == 1) {
			o = weir_registry_find(KUIDT_INIT(1), COUNTER, name);
			r->wrong[index] += o && strcmp(o->name, name);
			if (o)
				weir_object_put(o);
		} else if (prng_chance(&p, 1, 2)) {
			object_register(COUNTER, name, 1, 0, NULL);
		} else {
			delete_by_name(COUNTER, name);
		}
	}
}

static void registry_churn(struct kunit *test)
{
	struct rivals *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	char name[WEIR_NAME_SIZE];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "staying-%d", i);
		KUNIT_ASSERT_EQ(test, 0, object_register(LIMITER, name, 1, 1, NULL));
	}
	crowd_run(test, MEMBERS, churn_work, r);
	KUNIT_EXPECT_EQ(test, 0, total(r->wrong));
}

static struct kunit_case registry_cases[] = {
	KUNIT_CASE(registry_names),
	KUNIT_CASE(registry_owners),
	KUNIT_CASE(registry_delete_once),
	KUNIT_CASE(registry_iterates),
	KUNIT_CASE(registry_numbers_are_new),
	KUNIT_CASE(registry_failure_undone),
	KUNIT_CASE(registry_phases_of_death),
	KUNIT_CASE(quota_objects_of_user),
	KUNIT_CASE(quota_objects_of_host),
	KUNIT_CASE(quota_reserve),
	KUNIT_CASE(quota_keys),
	KUNIT_CASE(quota_keys_of_host),
	KUNIT_CASE(registry_one_winner),
	KUNIT_CASE(quota_is_exact),
	KUNIT_CASE(registry_churn),
	{}
};

static struct kunit_suite weir_registry_suite = {
	.name = "weir_registry",
	.init = registry_fixture_init,
	.exit = registry_fixture_exit,
	.test_cases = registry_cases,
};

kunit_test_suite(weir_registry_suite);
