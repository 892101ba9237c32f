// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rosters: the objects, and operations on one key. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * Make a roster object from a handle; close the handle on failure. The kernel returns the key type
 * only with OBSERVE. Without it only the length of keys is checked.
 */
static struct weir_roster *roster_new(struct weir *weir, uint32_t handle)
{
	struct weir_roster_config config = { .size = sizeof(config) };
	struct weir_roster *roster = calloc(1, sizeof(*roster));

	if (!roster)
		return NULL;
	roster->weir = weir__use(weir);
	roster->handle = handle;
	roster->key_type = -1;
	if (weir_roster_get_config(roster, &config) == 0) {
		roster->key_type = (int)config.key_type;
	} else if (errno != EACCES) {
		int error = errno;

		weir__free(roster->weir, roster);
		errno = error;
		return NULL;
	}
	return roster;
}

static struct weir_roster *roster_create(struct weir *weir, const char *name,
					 const struct weir_roster_config *config,
					 unsigned int mode, unsigned int rights,
					 unsigned int flags)
{
	struct weir_create create = { .flags = flags, .rights = rights };
	struct weir_roster *roster;

	if (weir__create(weir, &create, WEIR_KIND_ROSTER, name, config, mode) < 0)
		return NULL;
	roster = roster_new(weir, create.handle);
	if (!roster)
		weir__close_handle(weir->file.fd, create.handle);
	return roster;
}

WEIR_API struct weir_roster *weir_roster_create(struct weir *weir, const char *name,
						const struct weir_roster_config *config,
						unsigned int mode)
{
	return roster_create(weir, name, config, mode, WEIR_RIGHT_ALL, 0);
}

WEIR_API struct weir_roster *weir_roster_ensure(struct weir *weir, const char *name,
						const struct weir_roster_config *config,
						unsigned int mode, unsigned int rights)
{
	return roster_create(weir, name, config, mode, rights,
			     WEIR_CREATE_EXISTING_OK);
}

WEIR_API struct weir_roster *weir_roster_open(struct weir *weir, const char *name,
					      unsigned int rights)
{
	struct weir_roster *roster;
	uint32_t handle;

	if (weir__open(weir, WEIR_KIND_ROSTER, name, rights, &handle) < 0)
		return NULL;
	roster = roster_new(weir, handle);
	if (!roster)
		weir__close_handle(weir->file.fd, handle);
	return roster;
}

WEIR_API struct weir_roster *weir_roster_adopt(struct weir *weir, uint32_t handle)
{
	return roster_new(weir, handle);
}

WEIR_API void weir_roster_close(struct weir_roster *roster)
{
	if (!roster)
		return;
	weir__close_handle(roster->weir->file.fd, roster->handle);
	weir__free(roster->weir, roster);
}

WEIR_API int weir_roster_delete(struct weir_roster *roster)
{
	return weir__delete(roster->weir->file.fd, roster->handle);
}

WEIR_API uint32_t weir_roster_handle(const struct weir_roster *roster)
{
	return roster->handle;
}

WEIR_API int weir_roster_key_type(const struct weir_roster *roster)
{
	return roster->key_type;
}

static int roster_get(struct weir_roster *roster, void *config, void *stats)
{
	struct weir_get get = {
		.size = sizeof(get),
		.handle = roster->handle,
		.config = (uintptr_t)config,
		.stats = (uintptr_t)stats,
	};

	return weir__ioctl(roster->weir->file.fd, WEIR_IOC_GET, &get);
}

WEIR_API int weir_roster_get_config(struct weir_roster *roster,
				    struct weir_roster_config *config)
{
	return roster_get(roster, config, NULL);
}

WEIR_API int weir_roster_get_stats(struct weir_roster *roster,
				   struct weir_roster_stats *stats)
{
	return roster_get(roster, NULL, stats);
}

/* ---- one operation ------------------------------------------------------------ */

/*
 * The op points to @lease if it needs one. Otherwise a short key is in the op itself. The op of a
 * roster cannot point to a key alone, as the ops of other objects can.
 */
static int op_fill(struct weir_op *op, struct weir_lease *lease,
		   const struct weir_roster *roster, enum weir_opcode opcode,
		   const struct weir_key *key, uintptr_t value, size_t length)
{
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = (uint16_t)opcode;
	op->handle = roster->handle;
	op->tag = weir__tag;
	if (weir__op_key(op, roster->key_type, key) < 0)
		return -1;
	*lease = (struct weir_lease){
		.size = sizeof(*lease),
		.value_len = (uint32_t)length,
		.key = key ? (uintptr_t)key->bytes : 0,
		.value = value,
	};
	if (!length && !(op->flags & WEIR_OP_PTR))
		return 0;
	memset(op->key, 0, sizeof(op->key));
	op->flags = WEIR_OP_PTR;
	op->ptr = (uintptr_t)lease;
	return 0;
}

WEIR_API int weir_op_roster(struct weir_op *op, struct weir_lease *lease,
			    const struct weir_roster *roster,
			    enum weir_opcode opcode, const struct weir_key *key,
			    const void *value, size_t length)
{
	if (length > WEIR_VALUE_MAX) {
		errno = EINVAL;
		return -1;
	}
	return op_fill(op, lease, roster, opcode, key, (uintptr_t)value, length);
}

WEIR_API void weir_op_roster_answer(const struct weir_op *op,
				    struct weir_roster_answer *answer)
{
	answer->version = op->version;
	answer->left = op->left;
	answer->length = (uint32_t)op->length;
	answer->mine = !!(op->out_flags & WEIR_OUT_MINE);
	answer->detached = !!(op->out_flags & WEIR_OUT_DETACHED);
	answer->pid = op->pid;
	answer->uid = op->uid;
	answer->reserved = 0;
}

/* Perform the op; 0 or -1. With EEXIST and ESTALE there is an answer too. */
static int roster_perform(struct weir_roster *roster, struct weir_op *op,
			  struct weir_roster_answer *answer)
{
	int ret = weir__perform(roster->weir->file.fd, op);

	if (answer && (ret == 0 || errno == EEXIST || errno == ESTALE))
		weir_op_roster_answer(op, answer);
	return ret;
}

WEIR_API int weir_roster_claim(struct weir_roster *roster, const struct weir_key *key,
			       const void *value, size_t length, uint64_t ttl,
			       unsigned int flags, struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	if (weir_op_roster(&op, &lease, roster, WEIR_OP_CLAIM, key, value, length) < 0 ||
	    weir__op_flags(&op, flags, WEIR_OP_DETACHED) < 0)
		return -1;
	op.arg = ttl;
	return roster_perform(roster, &op, answer);
}

WEIR_API int weir_roster_put(struct weir_roster *roster, const struct weir_key *key,
			     const void *value, size_t length, uint64_t ttl,
			     unsigned int flags, struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	if (weir_op_roster(&op, &lease, roster, WEIR_OP_PUT, key, value, length) < 0 ||
	    weir__op_flags(&op, flags, WEIR_OP_DETACHED) < 0)
		return -1;
	op.arg = ttl;
	return roster_perform(roster, &op, answer);
}

WEIR_API int weir_roster_get(struct weir_roster *roster, const struct weir_key *key,
			     void *value, size_t room,
			     struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	/* no value is longer than this */
	if (room > WEIR_VALUE_MAX)
		room = WEIR_VALUE_MAX;
	if (op_fill(&op, &lease, roster, WEIR_OP_LEASE_GET, key, (uintptr_t)value,
		    room) < 0)
		return -1;
	return roster_perform(roster, &op, answer);
}

WEIR_API int weir_roster_replace(struct weir_roster *roster,
				 const struct weir_key *key, uint64_t version,
				 const void *value, size_t length,
				 struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	if (weir_op_roster(&op, &lease, roster, WEIR_OP_REPLACE, key, value, length) < 0)
		return -1;
	op.n = (int64_t)version;
	return roster_perform(roster, &op, answer);
}

WEIR_API int weir_roster_touch(struct weir_roster *roster, const struct weir_key *key,
			       uint64_t version, uint64_t ttl,
			       struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	if (weir_op_roster(&op, &lease, roster, WEIR_OP_TOUCH, key, NULL, 0) < 0)
		return -1;
	op.n = (int64_t)version;
	op.arg = ttl;
	return roster_perform(roster, &op, answer);
}

WEIR_API int weir_roster_remove(struct weir_roster *roster, const struct weir_key *key,
				uint64_t version, struct weir_roster_answer *answer)
{
	struct weir_lease lease;
	struct weir_op op;

	if (weir_op_roster(&op, &lease, roster, WEIR_OP_REMOVE, key, NULL, 0) < 0)
		return -1;
	op.n = (int64_t)version;
	return roster_perform(roster, &op, answer);
}
