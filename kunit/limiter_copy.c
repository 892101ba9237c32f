// SPDX-License-Identifier: GPL-2.0-only
/* The limiter under test, and what tests do with it again and again. */

#include "limiter_copy.h"

#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../src/core/client.h"
#include "../src/core/event.h"
#include "../src/core/registry.h"

#define weir_event_key			limiter_copy_event_key
#define weir_event_object		limiter_copy_event
#define weir_registry_change		limiter_copy_change
#define weir_registry_resolve		limiter_copy_resolve
#undef copy_to_user
#define copy_to_user(to, from, n)	(memcpy((__force void *)(to), from, n), 0)

static void weir_event_key(const struct weir_object *o, u32 type, u32 key_type,
			   const u8 *key, unsigned int len, s64 value, s64 more)
{
	atomic_inc(&limiter_copy.events[type]);
	WRITE_ONCE(limiter_copy.type, type);
	WRITE_ONCE(limiter_copy.value, value);
	WRITE_ONCE(limiter_copy.more, more);
}

static void weir_event_object(const struct weir_object *o, u32 type, s64 value,
			      s64 more)
{
	weir_event_key(o, type, WEIR_KEY_NONE, NULL, 0, value, more);
}

static int weir_registry_change(struct weir_object *o, u64 keys, u64 mask, bool admin)
{
	if (!limiter_copy.quota)
		weir_event_object(o, WEIR_EVENT_CHANGED, mask, 0);
	return limiter_copy.quota;
}

/* candidates are for the selftests */
static struct weir_object *weir_registry_resolve(kuid_t owner, u32 kind, const char *name)
{
	return NULL;
}

struct attribute *weir_limiter_attrs[1];

struct limiter_copy limiter_copy;

#include "../src/limiter/candidate.c"
#include "../src/table/key.c"
#include "../src/limiter/limiter.c"
#include "../src/limiter/limiter_ban.c"
/* loads are for the selftests */
int weir_limiter_load(struct weir_object *o, struct weir_load *args)
{
	return -EOPNOTSUPP;
}

#include "../src/limiter/limiter_config.c"
#include "../src/table/dump.c"
#include "../src/limiter/limiter_dump.c"
#include "../src/limiter/limiter_key.c"
#include "../src/limiter/limiter_merge.c"
#include "../src/limiter/limiter_new.c"
#include "../src/limiter/limiter_ops.c"
#include "../src/limiter/limiter_rules.c"
#include "../src/limiter/rules.c"
#include "../src/table/op.c"
#include "../src/limiter/reserve.c"
#include "../src/limiter/reserve_queue.c"

/* A client of the current task's; candidates are not asked for. */
static struct weir_client *copy_client(void)
{
	static struct weir_namespace ns;
	static struct weir_client client = { .ns = &ns };

	client.cred = current_cred();
	return &client;
}

int limiter_try(const struct weir_limiter_config *config, struct weir_limiter **l)
{
	struct weir_limiter_config copy = *config;
	struct weir_object *o = limiter_create(copy_client(), &copy);
	int err;

	if (IS_ERR(o))
		return PTR_ERR(o);
	o->ops = &weir_limiter_ops;
	refcount_set(&o->live, 1);
	*l = weir_limiter(o);
	err = limiter_build(o);
	if (err) {
		limiter_release(o);
		kfree(*l);
	}
	return err;
}

struct weir_limiter *limiter_new(struct kunit *test,
				 const struct weir_limiter_config *config)
{
	struct weir_limiter *l = NULL;

	KUNIT_ASSERT_EQ(test, 0, limiter_try(config, &l));
	test->priv = l;
	return l;
}

int limiter_copy_init(struct kunit *test)
{
	test->priv = NULL;
	atomic64_set(&kunit_clock, NSEC_PER_SEC);
	atomic_set(&copy_fail_in, 0);
	memset(&limiter_copy, 0, sizeof(limiter_copy));
	return 0;
}

void limiter_copy_exit(struct kunit *test)
{
	struct weir_limiter *l = test->priv;

	if (l) {
		limiter_release(&l->obj);
		kfree(l);
	}
	test->priv = NULL;
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&copy_live));
}

int limiter_set_config(struct weir_limiter *l,
		       const struct weir_limiter_config *config, u64 mask)
{
	return limiter_set(copy_client(), &l->obj, mask, config);
}

const struct weir_limiter_config *limiter_config(struct weir_limiter *l)
{
	return &rcu_dereference_protected(l->policy, true)->config;
}

/* As ops.c does it; opcode, n and arg are set, the result half is not. */
int limiter_do(struct weir_limiter *l, struct weir_op *op, const void *bytes,
	       unsigned int len)
{
	struct weir_key key;
	int err;

	memset((u8 *)op + offsetof(struct weir_op, result), 0,
	       sizeof(*op) - offsetof(struct weir_op, result));
	rcu_read_lock();
	err = weir_limiter_key(l, bytes, len, &key) ?: weir_limiter_op(l, op, &key);
	rcu_read_unlock();
	return err == WEIR_OP_MUST_SLEEP ? weir_limiter_op_slow(l, op, &key, GFP_KERNEL) :
				     err;
}

int limiter_op(struct weir_limiter *l, struct weir_op *op, u16 opcode, u64 key,
	       s64 n)
{
	*op = (struct weir_op){ .opcode = opcode, .n = n };
	return limiter_do(l, op, &key, sizeof(key));
}

int limiter_ban(struct weir_limiter *l, struct weir_op *op, u64 key, u64 length)
{
	*op = (struct weir_op){ .opcode = WEIR_OP_BAN, .arg = length };
	return limiter_do(l, op, &key, sizeof(key));
}
