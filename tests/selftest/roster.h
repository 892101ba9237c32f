/* SPDX-License-Identifier: GPL-2.0-only */
/* roster - helpers for tests of rosters */
#ifndef _WEIR_SELFTEST_ROSTER_H
#define _WEIR_SELFTEST_ROSTER_H

#include "client.h"
#include "crowd.h"

static inline struct weir_roster_config roster_config(__u32 key_type, __u64 max)
{
	struct weir_roster_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.key_type = key_type;
	config.max_keys = max;
	return config;
}

static inline int roster_create(int fd, const char *name,
				const struct weir_roster_config *config, __u32 *roster)
{
	return object_create(fd, WEIR_KIND_ROSTER, name, config, roster);
}

/* Open the device, and the roster with that name. */
static inline int roster_enter(const char *name, __u32 *roster)
{
	return object_enter(WEIR_KIND_ROSTER, name, roster);
}

static inline int roster_get(int fd, __u32 roster, struct weir_roster_config *config)
{
	return config_get(fd, roster, config, sizeof(*config));
}

static inline struct weir_roster_stats roster_stats(int fd, __u32 roster)
{
	struct weir_roster_stats stats;

	totals_need(fd, roster, &stats, sizeof(stats));
	return stats;
}

/*
 * Perform the op. A failed op must have nothing else in its result half, except with EEXIST and
 * ESTALE.
 */
static inline int lease_op(int fd, struct weir_op *op)
{
	__u32 done;
	int ret = submit(fd, op, 1, &done);

	if (ret)
		return ret;
	if (done != 1 || op->result > 0 || op->verdict || op->decided)
		return -EPROTO;
	if (op->result && op->result != -EEXIST && op->result != -ESTALE && !op_blank(op))
		return -EPROTO;
	return op->result;
}

/* An op with a text key and without a value. */
static inline struct weir_op lease_make(__u16 opcode, __u32 roster, const char *key,
					__s64 n, __u64 arg)
{
	struct weir_op op = op_make(opcode, roster, n);

	op.arg = arg;
	op.key_len = strlen(key);
	memcpy(op.key, key, op.key_len);
	return op;
}

static inline int lease_run(int fd, struct weir_op *op, __u16 opcode, __u32 roster,
			    const char *key, __s64 n, __u64 arg)
{
	*op = lease_make(opcode, roster, key, n, arg);
	return lease_op(fd, op);
}

/* A CLAIM or PUT of a detached lease. */
static inline struct weir_op lease_make_detached(__u16 opcode, __u32 roster, const char *key,
						 __u64 arg)
{
	struct weir_op op = lease_make(opcode, roster, key, 0, arg);

	op.flags |= WEIR_OP_DETACHED;
	return op;
}

static inline int lease_run_detached(int fd, struct weir_op *op, __u16 opcode, __u32 roster,
				     const char *key, __u64 arg)
{
	*op = lease_make_detached(opcode, roster, key, arg);
	return lease_op(fd, op);
}

/* An op with a value; for GET with room for one. */
static inline struct weir_op lease_make_value(__u16 opcode, __u32 roster, const char *key,
					      struct weir_lease *lease, void *value,
					      __u32 length, __s64 n, __u64 arg)
{
	struct weir_op op = op_make(opcode, roster, n);

	*lease = (struct weir_lease){ .size = sizeof(*lease), .value_len = length,
				      .key = address(key), .value = address(value) };
	op.arg = arg;
	op.flags = WEIR_OP_PTR;
	op.key_len = strlen(key);
	op.ptr = address(lease);
	return op;
}

static inline int lease_run_value(int fd, struct weir_op *op, __u16 opcode, __u32 roster,
				  const char *key, void *value, __u32 length, __s64 n,
				  __u64 arg)
{
	struct weir_lease lease;

	*op = lease_make_value(opcode, roster, key, &lease, value, length, n, arg);
	return lease_op(fd, op);
}

static inline int lease_claim(int fd, __u32 roster, const char *key)
{
	struct weir_op op;

	return lease_run(fd, &op, WEIR_OP_CLAIM, roster, key, 0, 0);
}

static inline int lease_remove(int fd, __u32 roster, const char *key)
{
	struct weir_op op;

	return lease_run(fd, &op, WEIR_OP_REMOVE, roster, key, 0, 0);
}

/* Return: 0 or -ENOENT; any other outcome is an error. */
static inline int lease_find(int fd, __u32 roster, const char *key)
{
	struct weir_op op;

	return lease_run(fd, &op, WEIR_OP_LEASE_GET, roster, key, 0, 0);
}

/* Submit CLAIMs, all or none. Return: the errno of the call, or of the op that failed. */
static inline int claims_run(int fd, struct weir_op *ops, __u32 count)
{
	struct weir_submit submit = { .size = sizeof(submit), .flags = WEIR_SUBMIT_ALL,
				      .count = count, .ops = address(ops) };
	int ret = call(fd, WEIR_IOC_SUBMIT, &submit);

	if (ret)
		return ret;
	if (submit.done != count)
		return -EPROTO;
	for (__u32 i = 0; i < count; i++)
		if (ops[i].result && ops[i].result != -ECANCELED)
			return ops[i].result;
	return ops[0].result;
}

/* Count LEASE_LOST events of keys that begin with @prefix, from the position of @fd on. */
static inline unsigned int leases_lost(int fd, const char *prefix, __s64 more)
{
	static char buffer[65536] __attribute__((aligned(8)));
	unsigned int found = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + n;) {
			struct weir_event *e = (struct weir_event *)at;

			if (e->type == WEIR_EVENT_LOST)
				abort();
			if (e->type == WEIR_EVENT_LEASE_LOST && (!more || e->more == more) &&
			    !strncmp((char *)e->data, prefix, strlen(prefix)))
				found++;
			at += e->size;
		}
	return found;
}

#endif /* _WEIR_SELFTEST_ROSTER_H */
