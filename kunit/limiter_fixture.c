// SPDX-License-Identifier: GPL-2.0-only
/* Limiters in the registry, and steps that several tests share. */

#include "limiter_fixture.h"

#include <linux/cred.h>

#include "core/client.h"
#include "registry_fixture.h"

/* Without CAP_SYS_ADMIN. */
static struct weir_client client;

int limiter_try(const struct weir_limiter_config *config, struct weir_limiter **l)
{
	struct weir_limiter_config copy = *config;
	struct weir_object *o = weir_limiter_ops.create(&client, &copy);
	char name[sizeof(o->name)];
	static u64 limiters;
	int err;

	if (IS_ERR(o))
		return PTR_ERR(o);
	*l = weir_limiter(o);
	o->ops = &weir_limiter_ops;
	snprintf(name, sizeof(name), "%llu", ++limiters);
	err = object_init(o, name, 1);
	if (err)
		return err;
	err = weir_registry_add(o, false);
	if (!err) {
		weir_object_put(o);
	} else {
		o->ops->release(o);
		object_drop(o);
	}
	return err;
}

struct weir_limiter *limiter_new(struct kunit *test,
				 const struct weir_limiter_config *config)
{
	struct weir_limiter *l = NULL;

	KUNIT_ASSERT_EQ(test, 0, limiter_try(config, &l));
	return l;
}

int limiter_fixture_init(struct kunit *test)
{
	struct cred *cred = prepare_creds();
	int err = registry_fixture_init(test);

	client.cred = cred;
	client.ns = err ? NULL : weir_namespace_get(KUIDT_INIT(1));
	if (!cred || !client.ns)
		return -ENOMEM;
	cap_clear(cred->cap_effective);
	*fake_max_keys.value = ULONG_MAX;
	*fake_max_keys_per_uid.value = ULONG_MAX;
	return 0;
}

void limiter_fixture_exit(struct kunit *test)
{
	weir_namespace_put(client.ns);
	registry_fixture_end(test);
	put_cred(client.cred);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_live));
}

int limiter_set_config(struct weir_limiter *l,
		       const struct weir_limiter_config *config, u64 mask)
{
	int err = weir_object_set_begin(&l->obj);

	if (!err) {
		err = weir_limiter_ops.set(&client, &l->obj, mask, config);
		weir_object_set_end(&l->obj);
	}
	return err;
}

const struct weir_limiter_config *limiter_config(struct weir_limiter *l)
{
	return &rcu_dereference_protected(l->policy, true)->config;
}

/* Like ops.c: the caller sets opcode, n and arg; the result half need not be cleared. */
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
