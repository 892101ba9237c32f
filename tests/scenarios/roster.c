// SPDX-License-Identifier: GPL-2.0-only
/* Rosters for the scenarios: raw calls on clients of the library. See roster.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "roster.h"
#include "tap.h"

static uint64_t address(const void *pointer)
{
	return (uintptr_t)pointer;
}

static int call(const struct roster *r, unsigned long request, void *arg)
{
	return ioctl(r->fd, request, arg) < 0 ? -errno : 0;
}

/* ------------------------------------------------------------ the roster itself */

static bool roster_connect(struct roster *r)
{
	r->weir = weir_open(0);
	r->fd = r->weir ? weir_fd(r->weir) : -1;
	return r->weir;
}

static int roster_open(struct roster *r, const char *name, uint64_t *id)
{
	struct weir_open args = { .size = sizeof(args), .kind = WEIR_KIND_ROSTER,
				  .rights = WEIR_RIGHT_ALL,
				  .owner = WEIR_OWNER_DEFAULT };
	int ret;

	if (!roster_connect(r))
		return -errno;
	snprintf(args.name, sizeof(args.name), "%s", name);
	ret = call(r, WEIR_IOC_OPEN, &args);
	r->handle = args.handle;
	*id = args.id;
	if (ret)
		roster_leave(r);
	return ret;
}

struct roster roster_enter(const char *name)
{
	struct roster r;
	uint64_t id;

	roster_open(&r, name, &id);
	return r;
}

uint64_t roster_id(const char *name)
{
	struct roster r;
	uint64_t id;

	if (roster_open(&r, name, &id))
		tap_bail("cannot open roster %s", name);
	roster_leave(&r);
	return id;
}

void roster_leave(struct roster *r)
{
	weir_close(r->weir);
	r->weir = NULL;
	r->fd = -1;
}

bool roster_end(struct roster *r)
{
	struct weir_delete args = { .size = sizeof(args), .handle = r->handle };
	int ret = call(r, WEIR_IOC_DELETE, &args);

	roster_leave(r);
	return !ret;
}

struct roster roster_make(const char *name, uint64_t max, uint64_t ttl)
{
	struct weir_roster_config config = { .size = sizeof(config), .max_keys = max,
					     .key_type = WEIR_KEY_TEXT, .ttl = ttl };
	struct weir_create args = { .size = sizeof(args), .kind = WEIR_KIND_ROSTER,
				    .mode = 0660, .gid = WEIR_GID_DEFAULT,
				    .rights = WEIR_RIGHT_ALL,
				    .owner = WEIR_OWNER_DEFAULT,
				    .config = address(&config) };
	struct roster r = roster_enter(name);

	if (r.fd >= 0 && !roster_end(&r))
		tap_bail("cannot delete the old roster %s", name);
	snprintf(args.name, sizeof(args.name), "%s", name);
	if (!roster_connect(&r) || call(&r, WEIR_IOC_CREATE, &args))
		tap_bail("cannot create roster %s", name);
	r.handle = args.handle;
	return r;
}

struct weir_roster_stats roster_stats(const struct roster *r)
{
	struct weir_roster_stats stats = { .size = sizeof(stats) };
	struct weir_get args = { .size = sizeof(args), .handle = r->handle,
				 .stats = address(&stats) };

	if (call(r, WEIR_IOC_GET, &args))
		tap_bail("cannot read a roster's totals");
	return stats;
}

/* ------------------------------------------------------------ one lease */

/* Key and value stay with the caller; @lease points to them. */
static struct weir_op op_make(const struct roster *r, uint16_t opcode, const char *key,
			      struct weir_lease *lease)
{
	lease->size = sizeof(*lease);
	lease->key = address(key);
	return (struct weir_op){ .opcode = opcode, .flags = WEIR_OP_PTR,
				 .handle = r->handle, .key_len = strlen(key),
				 .ptr = address(lease) };
}

static int run(const struct roster *r, struct weir_op *op, struct weir_op *answer)
{
	struct weir_submit args = { .size = sizeof(args), .count = 1, .ops = address(op) };
	int ret = call(r, WEIR_IOC_SUBMIT, &args);

	if (answer)
		*answer = *op;
	return ret ? ret : op->result;
}

/* Operations that set a value: CLAIM, PUT and REPLACE. */
static int give(const struct roster *r, uint16_t opcode, const char *key, const void *value,
		unsigned int length, int64_t n, uint64_t ttl, struct weir_op *answer)
{
	struct weir_lease lease = { .value_len = length, .value = address(value) };
	struct weir_op op = op_make(r, opcode, key, &lease);

	op.n = n;
	op.arg = ttl;
	return run(r, &op, answer);
}

int lease_claim(const struct roster *r, const char *key, const void *value,
		unsigned int length, uint64_t ttl, struct weir_op *answer)
{
	return give(r, WEIR_OP_CLAIM, key, value, length, 0, ttl, answer);
}

int lease_post(const struct roster *r, const char *key, const void *value,
	       unsigned int length, uint64_t ttl, struct weir_op *answer)
{
	struct weir_lease lease = { .value_len = length, .value = address(value) };
	struct weir_op op = op_make(r, WEIR_OP_CLAIM, key, &lease);

	op.flags |= WEIR_OP_DETACHED;
	op.arg = ttl;
	return run(r, &op, answer);
}

int lease_put(const struct roster *r, const char *key, const void *value,
	      unsigned int length, uint64_t ttl, struct weir_op *answer)
{
	return give(r, WEIR_OP_PUT, key, value, length, 0, ttl, answer);
}

int lease_replace(const struct roster *r, const char *key, const void *value,
		  unsigned int length, uint64_t version, struct weir_op *answer)
{
	return give(r, WEIR_OP_REPLACE, key, value, length, version, 0, answer);
}

int lease_get(const struct roster *r, const char *key, void *value, unsigned int length,
	      struct weir_op *answer)
{
	struct weir_lease lease = { .value_len = length, .value = address(value) };
	struct weir_op op = op_make(r, WEIR_OP_LEASE_GET, key, &lease);

	return run(r, &op, answer);
}

int lease_touch(const struct roster *r, const char *key, uint64_t version, uint64_t ttl,
		struct weir_op *answer)
{
	struct weir_lease lease = { 0 };
	struct weir_op op = op_make(r, WEIR_OP_TOUCH, key, &lease);

	op.n = version;
	op.arg = ttl;
	return run(r, &op, answer);
}

int lease_remove(const struct roster *r, const char *key, uint64_t version)
{
	struct weir_lease lease = { 0 };
	struct weir_op op = op_make(r, WEIR_OP_REMOVE, key, &lease);

	op.n = version;
	return run(r, &op, NULL);
}

/* ------------------------------------------------------------ several claims */

/* At most one op has failed, and the results of the others agree with that. */
static int verdict(const struct weir_op *ops, unsigned int count, unsigned int *which)
{
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (!ops[i].result || ops[i].result == -ECANCELED)
			continue;
		if (ret)
			return -EPROTO;
		ret = ops[i].result;
		if (which)
			*which = i;
	}
	for (unsigned int i = 0; i < count; i++)
		if (ret ? !ops[i].result : ops[i].result)
			return -EPROTO;
	return ret;
}

int leases_claim(const struct roster *r, const struct claim *claims, unsigned int count,
		 unsigned int *which)
{
	static struct weir_lease leases[WEIR_BATCH_MAX];
	static struct weir_op ops[WEIR_BATCH_MAX];
	struct weir_submit args = { .size = sizeof(args), .flags = WEIR_SUBMIT_ALL,
				    .count = count, .ops = address(ops) };
	int ret;

	for (unsigned int i = 0; i < count; i++) {
		leases[i] = (struct weir_lease){ .value_len = claims[i].length,
						 .value = address(claims[i].value) };
		ops[i] = op_make(r, WEIR_OP_CLAIM, claims[i].key, &leases[i]);
		ops[i].flags |= claims[i].detached ? WEIR_OP_DETACHED : 0;
	}
	ret = call(r, WEIR_IOC_SUBMIT, &args);
	if (!ret && args.done != count)
		ret = -EPROTO;
	return ret ? ret : verdict(ops, count, which);
}

/* ------------------------------------------------------------ listing */

void roster_list_begin(struct roster_list *list, const struct roster *r)
{
	list->roster = r;
	list->cursor = 0;
	list->filled = 0;
	list->at = 0;
}

const struct weir_lease_info *roster_list_next(struct roster_list *list)
{
	const struct weir_lease_info *info;

	while (list->at == list->filled) {
		struct weir_dump args = { .size = sizeof(args),
					  .handle = list->roster->handle,
					  .cursor = list->cursor,
					  .buffer = address(list->buffer),
					  .length = sizeof(list->buffer) };

		if (list->cursor == WEIR_NEVER)
			return NULL;
		if (call(list->roster, WEIR_IOC_DUMP, &args))
			tap_bail("the list of leases ended with an error");
		list->cursor = args.cursor;
		list->filled = args.length;
		list->at = 0;
	}
	info = (const void *)(list->buffer + list->at);
	list->at += info->size;
	return info;
}
