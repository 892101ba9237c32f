// SPDX-License-Identifier: LGPL-2.1-or-later
/* Gates: the objects, and operations on one key. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * Make a gate object from a handle; close the handle on failure. The kernel returns the key type
 * only with OBSERVE. Without it only the length of keys is checked.
 */
static struct weir_gate *gate_new(struct weir *weir, uint32_t handle)
{
	struct weir_gate_config config = { .size = sizeof(config) };
	struct weir_gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return NULL;
	gate->weir = weir__use(weir);
	gate->handle = handle;
	gate->key_type = -1;
	if (weir_gate_get_config(gate, &config) == 0) {
		gate->key_type = (int)config.key_type;
	} else if (errno != EACCES) {
		int error = errno;

		weir__free(gate->weir, gate);
		errno = error;
		return NULL;
	}
	return gate;
}

static struct weir_gate *gate_create(struct weir *weir, const char *name,
				     const struct weir_gate_config *config,
				     unsigned int mode, unsigned int rights,
				     unsigned int flags)
{
	struct weir_create create = { .flags = flags, .rights = rights };
	struct weir_gate *gate;

	if (weir__create(weir, &create, WEIR_KIND_GATE, name, config, mode) < 0)
		return NULL;
	gate = gate_new(weir, create.handle);
	if (!gate)
		weir__close_handle(weir->file.fd, create.handle);
	return gate;
}

WEIR_API struct weir_gate *weir_gate_create(struct weir *weir, const char *name,
					    const struct weir_gate_config *config,
					    unsigned int mode)
{
	return gate_create(weir, name, config, mode, WEIR_RIGHT_ALL, 0);
}

WEIR_API struct weir_gate *weir_gate_ensure(struct weir *weir, const char *name,
					    const struct weir_gate_config *config,
					    unsigned int mode, unsigned int rights)
{
	return gate_create(weir, name, config, mode, rights,
			   WEIR_CREATE_EXISTING_OK);
}

WEIR_API struct weir_gate *weir_gate_open(struct weir *weir, const char *name,
					  unsigned int rights)
{
	struct weir_gate *gate;
	uint32_t handle;

	if (weir__open(weir, WEIR_KIND_GATE, name, rights, &handle) < 0)
		return NULL;
	gate = gate_new(weir, handle);
	if (!gate)
		weir__close_handle(weir->file.fd, handle);
	return gate;
}

WEIR_API struct weir_gate *weir_gate_adopt(struct weir *weir, uint32_t handle)
{
	return gate_new(weir, handle);
}

WEIR_API void weir_gate_close(struct weir_gate *gate)
{
	if (!gate)
		return;
	weir__close_handle(gate->weir->file.fd, gate->handle);
	weir__free(gate->weir, gate);
}

WEIR_API int weir_gate_delete(struct weir_gate *gate)
{
	return weir__delete(gate->weir->file.fd, gate->handle);
}

WEIR_API uint32_t weir_gate_handle(const struct weir_gate *gate)
{
	return gate->handle;
}

WEIR_API int weir_gate_key_type(const struct weir_gate *gate)
{
	return gate->key_type;
}

WEIR_API int weir_gate_get_config(struct weir_gate *gate,
				  struct weir_gate_config *config)
{
	return weir__get(gate->weir->file.fd, gate->handle, config, NULL);
}

WEIR_API int weir_gate_get_stats(struct weir_gate *gate,
				 struct weir_gate_stats *stats)
{
	return weir__get(gate->weir->file.fd, gate->handle, NULL, stats);
}

WEIR_API int weir_gate_set(struct weir_gate *gate, uint64_t mask,
			   const struct weir_gate_config *config)
{
	return weir__set(gate->weir->file.fd, gate->handle, mask, config);
}

WEIR_API int weir_gate_resize(struct weir_gate *gate, uint32_t permits)
{
	struct weir_gate_config config = {
		.size = sizeof(config),
		.permits = permits,
	};

	return weir_gate_set(gate, WEIR_SET_PERMITS, &config);
}

WEIR_API int weir_op_gate(struct weir_op *op, const struct weir_gate *gate,
			  enum weir_opcode opcode, const struct weir_key *key,
			  uint32_t permits)
{
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = (uint16_t)opcode;
	op->handle = gate->handle;
	op->n = permits;
	op->tag = weir__tag;
	return weir__op_key(op, gate->key_type, key);
}

WEIR_API void weir_op_gate_answer(const struct weir_op *op,
				  struct weir_gate_answer *answer)
{
	answer->verdict = op->verdict;
	answer->held = op->held;
	answer->waiting = op->waiting;
	answer->reserved = 0;
	answer->limit = op->limit;
	answer->remaining = op->remaining;
}

/* Convert the result of weir__perform() or weir__perform_once() to the verdict, or -1. */
static int gate_told(const struct weir_op *op, int ret,
		     struct weir_gate_answer *answer)
{
	if (ret < 0)
		return -1;
	if (answer)
		weir_op_gate_answer(op, answer);
	return (int)op->verdict;
}

/* An acquisition with its deadline: 0 or -1. */
static int gate_acquisition(struct weir_op *op, struct weir_gate *gate,
			    const struct weir_key *key, uint32_t permits,
			    uint64_t timeout)
{
	if (weir_op_gate(op, gate, WEIR_OP_ACQUIRE, key, permits) < 0)
		return -1;
	op->flags |= WEIR_OP_RELATIVE;
	op->arg = timeout;
	return 0;
}

WEIR_API int weir_gate_acquire(struct weir_gate *gate, const struct weir_key *key,
			       uint32_t permits, uint64_t timeout,
			       struct weir_gate_answer *answer)
{
	struct weir_op op;

	if (gate_acquisition(&op, gate, key, permits, timeout) < 0)
		return -1;
	/* a signal is reported to the caller, which may want to stop */
	return gate_told(&op, weir__perform_once(gate->weir->file.fd, &op), answer);
}

WEIR_API int weir_gate_queue(struct weir_gate *gate, const struct weir_key *key,
			     uint32_t permits, uint64_t timeout,
			     struct weir_gate_answer *answer)
{
	struct weir_op op;

	if (gate_acquisition(&op, gate, key, permits, timeout) < 0)
		return -1;
	op.flags |= WEIR_OP_ASYNC;
	return gate_told(&op, weir__perform_once(gate->weir->file.fd, &op), answer);
}

WEIR_API int weir_gate_cancel(struct weir_gate *gate, const struct weir_key *key,
			      struct weir_gate_answer *answer)
{
	struct weir_op op;

	if (weir_op_gate(&op, gate, WEIR_OP_CANCEL, key, 0) < 0)
		return -1;
	return gate_told(&op, weir__perform(gate->weir->file.fd, &op), answer);
}

WEIR_API int weir_gate_try(struct weir_gate *gate, const struct weir_key *key,
			   uint32_t permits, struct weir_gate_answer *answer)
{
	return weir_gate_acquire(gate, key, permits, 0, answer);
}

WEIR_API int weir_gate_release(struct weir_gate *gate, const struct weir_key *key,
			       uint32_t permits, struct weir_gate_answer *answer)
{
	struct weir_op op;

	if (weir_op_gate(&op, gate, WEIR_OP_RELEASE, key, permits) < 0)
		return -1;
	return gate_told(&op, weir__perform(gate->weir->file.fd, &op), answer) < 0 ? -1 : 0;
}

WEIR_API int weir_gate_state(struct weir_gate *gate, const struct weir_key *key,
			     struct weir_gate_answer *answer)
{
	struct weir_op op;

	if (weir_op_gate(&op, gate, WEIR_OP_GATE_STATE, key, 0) < 0)
		return -1;
	return gate_told(&op, weir__perform(gate->weir->file.fd, &op), answer) < 0 ? -1 : 0;
}
