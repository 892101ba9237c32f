// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_RULES: change and read the rules of a limiter; decisions by a rule. */

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "limiter/limiter.h"
#include "core/registry.h"
#include "limiter/rules.h"
#include "limiter/reserve.h"

#define BUCKETS_A_GO	64	/* buckets between two reschedule points */
#define COPY_STEP	64	/* rules copied between two reschedule points */

/* Whether a rule decides the op, so that the key's entry is not affected. */
bool weir_limiter_by_rule(const struct weir_key *key, u32 opcode)
{
	if (weir_limiter_decides(opcode))
		return key->rule != WEIR_RULE_NONE;
	return key->rule == WEIR_RULE_ALLOW &&
	       (opcode == WEIR_OP_STRIKE || opcode == WEIR_OP_REFUND);
}

/**
 * weir_limiter_ruled - fill in the answer of a rule
 * @call: the operation, of a key with a rule
 *
 * Context: RCU read side.
 */
void weir_limiter_ruled(struct weir_limiter_call *call)
{
	struct weir_op *op = call->op;

	op->limit = call->p->rate.limit;
	op->out_flags |= WEIR_OUT_RULE;
	if (call->key->rule == WEIR_RULE_ALLOW) {
		op->verdict = WEIR_ALLOWED;
		op->remaining = op->limit;
	} else {
		op->verdict = WEIR_BANNED;
		op->retry_after = WEIR_NEVER;
		op->banned_for = WEIR_NEVER;
	}
	weir_limiter_shadow(call->p, op);
}

/* Like weir_limiter_ruled(), and count the decision. */
void weir_limiter_ruled_count(struct weir_limiter_call *call)
{
	weir_limiter_ruled(call);
	weir_limiter_count(call->l, call->op);
}

static void entry_lift(struct weir_limiter *l, struct weir_entry *e, u64 hash)
{
	struct weir_op op = { .opcode = WEIR_OP_LIFT };
	struct weir_key key = { .hash = hash, .len = e->key_len, .data = e->key };
	struct weir_limiter_call call = { .l = l, .op = &op, .key = &key };
	u64 word, before;

	if (!weir_table_lock(&l->table, e, &word))
		return;
	before = weir_limiter_begin(&call, e, word);
	weir_limiter_lift(&call, e);
	weir_limiter_unlock(&call, e, word, before);
}

/* End the bans of keys in one bucket whose addresses are all allowed now. Under RCU. */
static void bucket_lift(struct weir_limiter *l, const struct weir_rule_set *set,
			unsigned int bucket)
{
	const struct weir_limiter_config *c = &rcu_dereference(l->policy)->config;
	u64 now = weir_table_now(&l->table);
	struct weir_entry *e;

	for (e = rcu_dereference(l->table.buckets[bucket]); e; e = rcu_dereference(e->next))
		if (READ_ONCE(e->ban_until) > now &&
		    weir_rules_cover(set, e->key, e->key_len, e->key_len == 4 ?
				     c->prefix4 : c->prefix6) == WEIR_RULE_ALLOW)
			entry_lift(l, e, weir_table_hash_of(&l->table, e));
}

/* Lift the present bans of keys that the new rules allow. */
static void lift_allowed(struct weir_limiter *l, const struct weir_rule_set *set)
{
	unsigned int i;

	lockdep_assert_held(&l->obj.set_lock);
	for (i = 0; i < l->table.nbuckets; i++) {
		rcu_read_lock();
		bucket_lift(l, set, i);
		rcu_read_unlock();
		if (i % BUCKETS_A_GO == BUCKETS_A_GO - 1)
			cond_resched();
	}
}

static int rules_set(struct weir_limiter *l, const struct weir_rules *args,
		     struct weir_rule *changes)
{
	struct weir_rule_set *old, *set;
	int err;

	old = rcu_dereference_protected(l->rules, lockdep_is_held(&l->obj.set_lock));
	set = weir_rules_change(args->flags & WEIR_RULES_CLEAR ? NULL : old,
				changes, args->count);
	if (IS_ERR(set))
		return PTR_ERR(set);
	err = weir_registry_change(&l->obj, l->obj.quota_keys, WEIR_SET_RULES, false);
	if (err) {
		weir_rules_free(set);
		return err;
	}
	rcu_assign_pointer(l->rules, set);
	/* after this no caller uses the old rules */
	synchronize_rcu();
	weir_rules_free(old);
	weir_reserve_kick_all(l);
	if (set)
		lift_allowed(l, set);
	return 0;
}

/* Copy in the user's changes, for kvfree(). NULL: there are none. */
static struct weir_rule *changes_get(const struct weir_rules *args)
{
	const struct weir_rule __user *from = u64_to_user_ptr(args->rules);
	struct weir_rule *changes;
	unsigned int i, n;

	if (args->count > WEIR_RULES_MAX)
		return ERR_PTR(-EINVAL);
	if (!args->count)
		return NULL;
	changes = kvmalloc_array(args->count, sizeof(*changes), GFP_KERNEL_ACCOUNT);
	if (!changes)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < args->count; i += n) {
		n = min_t(unsigned int, args->count - i, COPY_STEP);
		if (copy_from_user(changes + i, from + i, n * sizeof(*changes))) {
			kvfree(changes);
			return ERR_PTR(-EFAULT);
		}
		cond_resched();
	}
	return changes;
}

/* User memory is accessed without holding the storage, as in rules_show(). */
static int rules_change(struct weir_limiter *l, const struct weir_rules *args)
{
	struct weir_rule *changes = changes_get(args);
	int err;

	if (IS_ERR(changes))
		return PTR_ERR(changes);
	err = weir_object_set_begin(&l->obj);
	if (!err) {
		err = rules_set(l, args, changes);
		weir_object_set_end(&l->obj);
	}
	kvfree(changes);
	return err;
}

/* Copy out the rules that fit, and report their total number. */
static int rules_show(struct weir_limiter *l, struct weir_rules *args)
{
	const struct weir_rule_set *set;
	struct weir_rule *copy = NULL;
	unsigned int n, fit;
	int err = weir_object_set_begin(&l->obj);

	if (err)
		return err;
	set = rcu_dereference_protected(l->rules, lockdep_is_held(&l->obj.set_lock));
	n = set ? set->nrules : 0;
	fit = min(n, args->count);
	if (fit) {
		copy = kvmalloc_array(fit, sizeof(*copy), GFP_KERNEL_ACCOUNT);
		if (copy)
			memcpy(copy, set->rules, fit * sizeof(*copy));
	}
	weir_object_set_end(&l->obj);
	if (fit && !copy)
		return -ENOMEM;
	if (copy_to_user(u64_to_user_ptr(args->rules), copy, fit * sizeof(*copy)))
		err = -EFAULT;
	kvfree(copy);
	args->count = n;
	return err;
}

/**
 * weir_limiter_rules - handle WEIR_IOC_RULES
 * @o: the limiter; the header is held
 * @args: the struct
 *
 * Context: may sleep.
 * Return: 0, or an error listed at &struct weir_rules.
 */
int weir_limiter_rules(struct weir_object *o, struct weir_rules *args)
{
	struct weir_limiter *l = weir_limiter(o);

	if (args->flags & ~(WEIR_RULES_CLEAR | WEIR_RULES_GET) ||
	    args->flags == (WEIR_RULES_CLEAR | WEIR_RULES_GET))
		return -EINVAL;
	if (l->spec.type != WEIR_KEY_IP && !(args->flags & WEIR_RULES_GET))
		return -EOPNOTSUPP;
	return args->flags & WEIR_RULES_GET ? rules_show(l, args) :
					      rules_change(l, args);
}
