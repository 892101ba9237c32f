// SPDX-License-Identifier: GPL-2.0-only
/* Checks by other modules. See kapi.h. */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>

#include <linux/weir.h>

#include "core/kapi.h"
#include "limiter/limiter.h"

struct weir_limiter *weir_limiter_get(const char *name)
{
	struct weir_object *o = weir_kapi_get(WEIR_KIND_LIMITER, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_limiter(o);
}
EXPORT_SYMBOL_GPL(weir_limiter_get);

void weir_limiter_put(struct weir_limiter *limiter)
{
	if (!IS_ERR_OR_NULL(limiter))
		weir_kapi_put(&limiter->obj);
}
EXPORT_SYMBOL_GPL(weir_limiter_put);

static void answer_fill(struct weir_answer *answer, const struct weir_op *op)
{
	*answer = (struct weir_answer){
		.verdict = op->verdict,
		.flags = op->out_flags,
		.strikes = op->strikes,
		.bans = op->bans,
		.limit = op->limit,
		.remaining = op->remaining,
		.retry_after = op->retry_after,
		.reset_after = op->reset_after,
		.banned_for = op->banned_for,
	};
}

int weir_limiter_check(struct weir_limiter *limiter, const void *key,
		       unsigned int key_len, u32 cost, struct weir_answer *answer)
{
	struct weir_op op = { .opcode = WEIR_OP_CHECK, .n = cost };
	struct weir_key hashed;
	int err = -ENODEV;

	if (!cost)
		return -EINVAL;
	/* RCU is enough here, because nothing sleeps */
	rcu_read_lock();
	if (weir_object_alive(&limiter->obj))
		err = weir_limiter_key(limiter, key, key_len, &hashed) ?:
		      weir_limiter_op(limiter, &op, &hashed);
	if (err == WEIR_OP_MUST_SLEEP)
		err = weir_limiter_op_slow(limiter, &op, &hashed, GFP_NOWAIT);
	rcu_read_unlock();
	if (err)
		return err;
	if (answer)
		answer_fill(answer, &op);
	return op.verdict;
}
EXPORT_SYMBOL_GPL(weir_limiter_check);
