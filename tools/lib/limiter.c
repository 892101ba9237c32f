// SPDX-License-Identifier: LGPL-2.1-or-later
/* Limiters: the objects, and operations on one key. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct weir_limiter *limiter_new(struct weir *weir)
{
	struct weir_limiter *limiter = calloc(1, sizeof(*limiter));

	if (limiter) {
		limiter->weir = weir__use(weir);
		limiter->key_type = -1;
	}
	return limiter;
}

/*
 * Ask the kernel for the key type. Without OBSERVE the kernel refuses, and only the length of keys
 * is checked.
 */
static int limiter_learn(struct weir_limiter *limiter)
{
	struct weir_limiter_config config = { .size = sizeof(config) };

	if (weir_limiter_get_config(limiter, &config) < 0)
		return errno == EACCES ? 0 : -1;
	limiter->key_type = (int)config.key_type;
	return 0;
}

static struct weir_limiter *limiter_create(struct weir *weir, const char *name,
				const struct weir_limiter_config *config,
				unsigned int mode, unsigned int rights,
				unsigned int flags)
{
	struct weir_create create = { .flags = flags, .rights = rights };
	struct weir_limiter *limiter = limiter_new(weir);
	int error;

	if (!limiter)
		return NULL;
	if (weir__create(weir, &create, WEIR_KIND_LIMITER, name, config,
			 mode) < 0)
		goto fail;
	limiter->handle = create.handle;
	if (create.created) {
		limiter->key_type = (int)config->key_type;
	} else if (limiter_learn(limiter) < 0) {
		weir__close_handle(limiter->weir->file.fd, limiter->handle);
		goto fail;
	}
	return limiter;
fail:
	error = errno;
	weir__free(limiter->weir, limiter);
	errno = error;
	return NULL;
}

WEIR_API struct weir_limiter *weir_limiter_create(struct weir *weir,
				const char *name,
				const struct weir_limiter_config *config,
				unsigned int mode)
{
	return limiter_create(weir, name, config, mode, WEIR_RIGHT_ALL, 0);
}

WEIR_API struct weir_limiter *weir_limiter_ensure(struct weir *weir,
				const char *name,
				const struct weir_limiter_config *config,
				unsigned int mode, unsigned int rights)
{
	return limiter_create(weir, name, config, mode, rights,
			      WEIR_CREATE_EXISTING_OK);
}

WEIR_API struct weir_limiter *weir_limiter_open(struct weir *weir,
						const char *name,
						unsigned int rights)
{
	struct weir_limiter *limiter = limiter_new(weir);
	int error;

	if (!limiter)
		return NULL;
	if (weir__open(weir, WEIR_KIND_LIMITER, name, rights,
		       &limiter->handle) < 0)
		goto fail;
	if (limiter_learn(limiter) < 0) {
		weir__close_handle(limiter->weir->file.fd, limiter->handle);
		goto fail;
	}
	return limiter;
fail:
	error = errno;
	weir__free(limiter->weir, limiter);
	errno = error;
	return NULL;
}

WEIR_API struct weir_limiter *weir_limiter_adopt(struct weir *weir,
						 uint32_t handle)
{
	struct weir_limiter *limiter = limiter_new(weir);

	if (!limiter)
		return NULL;
	limiter->handle = handle;
	if (limiter_learn(limiter) < 0) {
		int error = errno;

		weir__free(limiter->weir, limiter);
		errno = error;
		return NULL;
	}
	return limiter;
}

WEIR_API void weir_limiter_close(struct weir_limiter *limiter)
{
	if (!limiter)
		return;
	weir__close_handle(limiter->weir->file.fd, limiter->handle);
	weir__free(limiter->weir, limiter);
}

WEIR_API int weir_limiter_delete(struct weir_limiter *limiter)
{
	return weir__delete(limiter->weir->file.fd, limiter->handle);
}

WEIR_API uint32_t weir_limiter_handle(const struct weir_limiter *limiter)
{
	return limiter->handle;
}

WEIR_API int weir_limiter_key_type(const struct weir_limiter *limiter)
{
	return limiter->key_type;
}

WEIR_API int weir_limiter_get_config(struct weir_limiter *limiter,
				     struct weir_limiter_config *config)
{
	return weir__get(limiter->weir->file.fd, limiter->handle, config, NULL);
}

WEIR_API int weir_limiter_get_stats(struct weir_limiter *limiter,
				    struct weir_limiter_stats *stats)
{
	return weir__get(limiter->weir->file.fd, limiter->handle, NULL, stats);
}

WEIR_API int weir_limiter_set(struct weir_limiter *limiter, uint64_t mask,
			      const struct weir_limiter_config *config)
{
	return weir__set(limiter->weir->file.fd, limiter->handle, mask, config);
}

WEIR_API int weir_op_limiter(struct weir_op *op,
			     const struct weir_limiter *limiter,
			     enum weir_opcode opcode,
			     const struct weir_key *key, uint64_t n)
{
	if (n > INT64_MAX) {
		errno = EINVAL;
		return -1;
	}
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = (uint16_t)opcode;
	op->handle = limiter->handle;
	if (opcode == WEIR_OP_BAN)
		op->arg = n;
	else
		op->n = (int64_t)n;
	return weir__op_key(op, limiter->key_type, key);
}

WEIR_API void weir_op_answer(const struct weir_op *op,
			     struct weir_answer *answer)
{
	answer->verdict = op->verdict;
	answer->flags = op->out_flags;
	answer->decided = op->decided;
	answer->strikes = op->strikes;
	answer->bans = op->bans;
	answer->reserved = 0;
	answer->limit = op->limit;
	answer->remaining = op->remaining;
	answer->retry_after = op->retry_after;
	answer->reset_after = op->reset_after;
	answer->banned_for = op->banned_for;
}

/* Perform one op on one key. Return: its verdict (NONE if it has none), or -1. */
static int limiter_perform(struct weir_limiter *limiter, enum weir_opcode opcode,
			   const struct weir_key *key, uint64_t n,
			   struct weir_answer *answer)
{
	struct weir_op op;

	if (weir_op_limiter(&op, limiter, opcode, key, n) < 0 ||
	    weir__perform(limiter->weir->file.fd, &op) < 0)
		return -1;
	if (answer)
		weir_op_answer(&op, answer);
	return (int)op.verdict;
}

WEIR_API int weir_limiter_check(struct weir_limiter *limiter,
				const struct weir_key *key, uint64_t cost,
				struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_CHECK, key, cost, answer);
}

/* A RESERVE, with its deadline @timeout ns from now; 0: now. */
static int limiter_reserve(struct weir_limiter *limiter, const struct weir_key *key,
			   uint64_t cost, uint64_t timeout, uint16_t flags,
			   struct weir_answer *answer)
{
	struct weir_op op;

	if (weir_op_limiter(&op, limiter, WEIR_OP_RESERVE, key, cost) < 0)
		return -1;
	op.flags |= WEIR_OP_RELATIVE | flags;
	op.arg = timeout ?: 1;
	/* a signal is reported to the caller, which may want to stop */
	if (weir__perform_once(limiter->weir->file.fd, &op) < 0)
		return -1;
	if (answer)
		weir_op_answer(&op, answer);
	return (int)op.verdict;
}

WEIR_API int weir_limiter_wait(struct weir_limiter *limiter,
			       const struct weir_key *key, uint64_t cost,
			       uint64_t timeout, struct weir_answer *answer)
{
	return limiter_reserve(limiter, key, cost, timeout, 0, answer);
}

WEIR_API int weir_limiter_queue(struct weir_limiter *limiter,
				const struct weir_key *key, uint64_t cost,
				uint64_t timeout, struct weir_answer *answer)
{
	return limiter_reserve(limiter, key, cost, timeout, WEIR_OP_ASYNC, answer);
}

WEIR_API int weir_limiter_cancel(struct weir_limiter *limiter, const struct weir_key *key)
{
	struct weir_op op;

	if (weir_op_limiter(&op, limiter, WEIR_OP_RESERVE_CANCEL, key, 0) < 0)
		return -1;
	return weir__perform(limiter->weir->file.fd, &op);
}

WEIR_API int weir_limiter_peek(struct weir_limiter *limiter,
			       const struct weir_key *key, uint64_t cost,
			       struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_PEEK, key, cost, answer);
}

WEIR_API int weir_limiter_refund(struct weir_limiter *limiter,
				 const struct weir_key *key, uint64_t tokens,
				 struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_REFUND, key, tokens,
			       answer) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_strike(struct weir_limiter *limiter,
				 const struct weir_key *key, uint64_t strikes,
				 struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_STRIKE, key, strikes,
			       answer) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_forgive(struct weir_limiter *limiter,
				  const struct weir_key *key,
				  struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_FORGIVE, key, 0,
			       answer) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_ban(struct weir_limiter *limiter,
			      const struct weir_key *key, uint64_t duration,
			      struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_BAN, key, duration,
			       answer) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_lift(struct weir_limiter *limiter,
			       const struct weir_key *key,
			       struct weir_answer *answer)
{
	return limiter_perform(limiter, WEIR_OP_LIFT, key, 0,
			       answer) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_forget(struct weir_limiter *limiter,
				 const struct weir_key *key)
{
	return limiter_perform(limiter, WEIR_OP_FORGET, key, 0,
			       NULL) < 0 ? -1 : 0;
}
