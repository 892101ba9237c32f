// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limiter's candidate: look-up by name, mirroring of operations, comparison.
 *
 * Cost for a limiter without a candidate: one branch. With one, each mirrored operation takes
 * the slow path, which holds the live limiter's storage by a count, and is performed twice.
 */

#include <linux/err.h>
#include <linux/string.h>

#include "core/client.h"
#include "core/namespace.h"
#include "limiter/candidate.h"
#include "core/registry.h"

/**
 * weir_candidate_get - the limiter that a configuration names as candidate
 * @c: the client; it must have the right USE on the candidate
 * @config: configuration from the client
 * @live: the live limiter; NULL: it does not exist yet
 * @key_type: key type of the live limiter
 *
 * The name is looked up among the objects of the owner of @live (or of the client), then among
 * root's.
 *
 * Context: may sleep.
 * Return: the limiter with a reference to its header; NULL: none is named; ERR_PTR(): -EINVAL (no
 * name, @live itself, or other keys), -ENOENT, -EACCES, -EPERM.
 */
struct weir_limiter *weir_candidate_get(const struct weir_client *c,
					const struct weir_limiter_config *config,
					const struct weir_limiter *live, u32 key_type)
{
	kuid_t owner = live ? live->obj.owner : c->ns->owner;
	struct weir_object *o;
	int err = 0;

	if (!memchr_inv(config->candidate, 0, sizeof(config->candidate)))
		return NULL;
	if (!weir_name_valid(config->candidate))
		return ERR_PTR(-EINVAL);
	if (weir_client_lacks(c, WEIR_RESTRICT_OPEN))
		return ERR_PTR(-EPERM);
	o = weir_registry_resolve(owner, WEIR_KIND_LIMITER, config->candidate);
	if (!o)
		return ERR_PTR(-ENOENT);
	if (!weir_object_may(o, c->cred, WEIR_RIGHT_USE))
		err = -EACCES;
	else if (weir_limiter(o) == live || weir_limiter(o)->spec.type != key_type)
		err = -EINVAL;
	if (!err)
		return weir_limiter(o);
	weir_object_put(o);
	return ERR_PTR(err);
}

/*
 * Drop the reference that a policy had, after the policy is gone or was never published. NULL is
 * ignored.
 */
void weir_candidate_put(struct weir_limiter *candidate)
{
	if (candidate)
		weir_object_put(&candidate->obj);
}

/* Count the difference between the two decisions, and flag it in the answer of the live limiter. */
static void compare(struct weir_limiter *candidate, const struct weir_op *its,
		    int err, struct weir_op *op)
{
	if (err == -ENOMEM)
		this_cpu_inc(candidate->totals->missed);
	if (err || its->opcode != WEIR_OP_CHECK ||
	    weir_limiter_allows(its) == weir_limiter_allows(op))
		return;
	op->out_flags |= WEIR_OUT_CANDIDATE;
	if (weir_limiter_allows(op))
		this_cpu_inc(candidate->totals->stricter);
	else
		this_cpu_inc(candidate->totals->looser);
}

/**
 * weir_candidate_hold - the candidate, if an operation of the live limiter is mirrored
 * @p: the live limiter's policy
 * @opcode: opcode of the operation
 * @err: its result. An operation for which the live limiter has no entry or no room is mirrored
 *	too, because the candidate may have both.
 *
 * Context: process or softirq, in an RCU read side.
 * Return: NULL, or the candidate, for weir_candidate_op().
 */
struct weir_limiter *weir_candidate_hold(const struct weir_policy *p, u32 opcode, int err)
{
	struct weir_limiter *candidate = p->candidate;

	if (!candidate || !weir_candidate_mirrors(opcode) ||
	    (err && err != -ENOENT && err != -ENOSPC) ||
	    !weir_object_alive(&candidate->obj))
		return NULL;
	/* the policy @p keeps the header of the candidate */
	return weir_object_live_get(&candidate->obj) ? candidate : NULL;
}

/**
 * weir_candidate_op - perform an operation of the live limiter on the candidate
 * @candidate: from weir_candidate_hold(), released here
 * @op: the operation, performed; WEIR_OUT_CANDIDATE may be added to its result
 * @key: its key; the raw bytes are used
 * @gfp: as for weir_limiter_op_slow()
 */
void weir_candidate_op(struct weir_limiter *candidate, struct weir_op *op,
		       const struct weir_key *key, gfp_t gfp)
{
	/* a RESERVE becomes a CHECK: the live limiter has waited already */
	struct weir_op its = {
		.opcode = op->opcode == WEIR_OP_RESERVE ? WEIR_OP_CHECK : op->opcode,
		.n = op->n,
	};
	struct weir_key own;
	int err;

	if (op->verdict == WEIR_QUEUED) {
		this_cpu_inc(candidate->totals->missed);
		weir_object_live_put(&candidate->obj);
		return;
	}
	rcu_read_lock();
	err = weir_limiter_key(candidate, key->raw, key->raw_len, &own) ?:
	      weir_limiter_op_alone(candidate, &its, &own);
	rcu_read_unlock();
	if (err == WEIR_OP_MUST_SLEEP)
		err = weir_limiter_op_new(candidate, &its, &own, gfp);
	compare(candidate, &its, err, op);
	weir_object_live_put(&candidate->obj);
}

/* Perform both steps for an operation of @l. Context: depends on @gfp. Return: @err. */
int weir_candidate_mirror(struct weir_limiter *l, struct weir_op *op,
			  const struct weir_key *key, gfp_t gfp, int err)
{
	struct weir_limiter *candidate;

	rcu_read_lock();
	candidate = weir_candidate_hold(rcu_dereference(l->policy), op->opcode, err);
	rcu_read_unlock();
	if (unlikely(candidate))
		weir_candidate_op(candidate, op, key, gfp);
	return err;
}
