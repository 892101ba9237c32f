// SPDX-License-Identifier: LGPL-2.1-or-later
/* Breakers: the objects, and operations on one key. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * Make a breaker object from a handle; close the handle on failure. The kernel returns the key type
 * only with OBSERVE. Without it only the length of keys is checked.
 */
static struct weir_breaker *breaker_new(struct weir *weir, uint32_t handle)
{
	struct weir_breaker_config config = { .size = sizeof(config) };
	struct weir_breaker *breaker = calloc(1, sizeof(*breaker));

	if (!breaker)
		return NULL;
	breaker->weir = weir__use(weir);
	breaker->handle = handle;
	breaker->key_type = -1;
	if (weir_breaker_get_config(breaker, &config) == 0) {
		breaker->key_type = (int)config.key_type;
	} else if (errno != EACCES) {
		int error = errno;

		weir__free(breaker->weir, breaker);
		errno = error;
		return NULL;
	}
	return breaker;
}

static struct weir_breaker *breaker_create(struct weir *weir, const char *name,
					   const struct weir_breaker_config *config,
					   unsigned int mode, unsigned int rights,
					   unsigned int flags)
{
	struct weir_create create = { .flags = flags, .rights = rights };
	struct weir_breaker *breaker;

	if (weir__create(weir, &create, WEIR_KIND_BREAKER, name, config, mode) < 0)
		return NULL;
	breaker = breaker_new(weir, create.handle);
	if (!breaker)
		weir__close_handle(weir->file.fd, create.handle);
	return breaker;
}

WEIR_API struct weir_breaker *
weir_breaker_create(struct weir *weir, const char *name,
		    const struct weir_breaker_config *config, unsigned int mode)
{
	return breaker_create(weir, name, config, mode, WEIR_RIGHT_ALL, 0);
}

WEIR_API struct weir_breaker *
weir_breaker_ensure(struct weir *weir, const char *name,
		    const struct weir_breaker_config *config, unsigned int mode,
		    unsigned int rights)
{
	return breaker_create(weir, name, config, mode, rights,
			      WEIR_CREATE_EXISTING_OK);
}

WEIR_API struct weir_breaker *weir_breaker_open(struct weir *weir, const char *name,
						unsigned int rights)
{
	struct weir_breaker *breaker;
	uint32_t handle;

	if (weir__open(weir, WEIR_KIND_BREAKER, name, rights, &handle) < 0)
		return NULL;
	breaker = breaker_new(weir, handle);
	if (!breaker)
		weir__close_handle(weir->file.fd, handle);
	return breaker;
}

WEIR_API struct weir_breaker *weir_breaker_adopt(struct weir *weir, uint32_t handle)
{
	return breaker_new(weir, handle);
}

WEIR_API void weir_breaker_close(struct weir_breaker *breaker)
{
	if (!breaker)
		return;
	weir__close_handle(breaker->weir->file.fd, breaker->handle);
	weir__free(breaker->weir, breaker);
}

WEIR_API int weir_breaker_delete(struct weir_breaker *breaker)
{
	return weir__delete(breaker->weir->file.fd, breaker->handle);
}

WEIR_API uint32_t weir_breaker_handle(const struct weir_breaker *breaker)
{
	return breaker->handle;
}

WEIR_API int weir_breaker_key_type(const struct weir_breaker *breaker)
{
	return breaker->key_type;
}

WEIR_API int weir_breaker_get_config(struct weir_breaker *breaker,
				     struct weir_breaker_config *config)
{
	return weir__get(breaker->weir->file.fd, breaker->handle, config, NULL);
}

WEIR_API int weir_breaker_get_stats(struct weir_breaker *breaker,
				    struct weir_breaker_stats *stats)
{
	return weir__get(breaker->weir->file.fd, breaker->handle, NULL, stats);
}

WEIR_API int weir_op_breaker(struct weir_op *op, const struct weir_breaker *breaker,
			     enum weir_opcode opcode, const struct weir_key *key,
			     uint64_t arg)
{
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = (uint16_t)opcode;
	op->handle = breaker->handle;
	op->arg = arg;
	if (opcode == WEIR_OP_ALLOW || opcode == WEIR_OP_REPORT)
		op->tag = weir__tag;
	return weir__op_key(op, breaker->key_type, key);
}

WEIR_API void weir_op_breaker_answer(const struct weir_op *op,
				     struct weir_breaker_answer *answer)
{
	answer->verdict = op->verdict;
	answer->state = op->state;
	answer->probe = !!(op->out_flags & WEIR_OUT_PROBE);
	answer->late = !!(op->out_flags & WEIR_OUT_LATE);
	answer->step = op->step;
	answer->reserved = 0;
	answer->ticket = op->ticket;
	answer->retry_after = op->retry_after;
	answer->calls = op->calls;
	answer->failures = op->failures;
}

/* Perform the op; 0 or -1. */
static int breaker_perform(struct weir_breaker *breaker, struct weir_op *op,
			   struct weir_breaker_answer *answer)
{
	if (weir__perform(breaker->weir->file.fd, op) < 0)
		return -1;
	if (answer)
		weir_op_breaker_answer(op, answer);
	return 0;
}

WEIR_API int weir_breaker_allow(struct weir_breaker *breaker,
				const struct weir_key *key, unsigned int flags,
				struct weir_breaker_answer *answer)
{
	struct weir_op op;

	if (weir_op_breaker(&op, breaker, WEIR_OP_ALLOW, key, 0) < 0 ||
	    weir__op_flags(&op, flags, WEIR_OP_DETACHED) < 0 ||
	    breaker_perform(breaker, &op, answer) < 0)
		return -1;
	return (int)op.verdict;
}

WEIR_API int weir_breaker_report(struct weir_breaker *breaker,
				 const struct weir_key *key, uint64_t ticket,
				 enum weir_call call,
				 struct weir_breaker_answer *answer)
{
	struct weir_op op;

	if (weir_op_breaker(&op, breaker, WEIR_OP_REPORT, key, ticket) < 0)
		return -1;
	op.n = call;
	if (breaker_perform(breaker, &op, answer) < 0)
		return -1;
	return op.out_flags & WEIR_OUT_LATE ? 1 : 0;
}

WEIR_API int weir_breaker_trip(struct weir_breaker *breaker,
			       const struct weir_key *key, uint64_t duration,
			       struct weir_breaker_answer *answer)
{
	struct weir_op op;

	if (weir_op_breaker(&op, breaker, WEIR_OP_TRIP, key, duration) < 0 ||
	    breaker_perform(breaker, &op, answer) < 0)
		return -1;
	return op.verdict == WEIR_LIMITED ? 1 : 0;
}

WEIR_API int weir_breaker_reset(struct weir_breaker *breaker,
				const struct weir_key *key,
				struct weir_breaker_answer *answer)
{
	struct weir_op op;

	if (weir_op_breaker(&op, breaker, WEIR_OP_RESET, key, 0) < 0)
		return -1;
	return breaker_perform(breaker, &op, answer);
}

WEIR_API int weir_breaker_state(struct weir_breaker *breaker,
				const struct weir_key *key,
				struct weir_breaker_answer *answer)
{
	struct weir_op op;

	if (weir_op_breaker(&op, breaker, WEIR_OP_BREAKER_STATE, key, 0) < 0)
		return -1;
	return breaker_perform(breaker, &op, answer);
}
