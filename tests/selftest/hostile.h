/* SPDX-License-Identifier: GPL-2.0-only */
/* hostile - the objects of hostile.c, and random ops for them */
#ifndef _WEIR_SELFTEST_HOSTILE_H
#define _WEIR_SELFTEST_HOSTILE_H

#include "breaker.h"
#include "queued.h"
#include "roster.h"
#include "verdict.h"

#define PAGES		48	/* pages of memory that calls get */
#define PAGE		4096
#define MS		1000000ULL
/* random ops use lower handles; from here on only act_exact() uses them */
#define EXACT_HANDLES	24U
#define QUOTA_TOKENS	100000000

/* DOOR, TALLY and QUOTA belong to root */
enum { DOOR = 1, GATE, PLAIN, LIMITER, ADDRESSES, ROSTER, BREAKER, COUNTER, TALLY, QUOTA, OBJECTS };

static const struct {
	__u32 kind;
	const char *name;
} objects[OBJECTS] = {
	[DOOR] = { WEIR_KIND_GATE, OURS "door" },
	[TALLY] = { WEIR_KIND_COUNTER, OURS "tally" },
	[QUOTA] = { WEIR_KIND_LIMITER, OURS "quota" },
	[GATE] = { WEIR_KIND_GATE, OURS "gate" },
	[PLAIN] = { WEIR_KIND_GATE, OURS "plain" },
	[LIMITER] = { WEIR_KIND_LIMITER, OURS "limiter" },
	[ADDRESSES] = { WEIR_KIND_LIMITER, OURS "addresses" },
	[ROSTER] = { WEIR_KIND_ROSTER, OURS "roster" },
	[BREAKER] = { WEIR_KIND_BREAKER, OURS "breaker" },
	[COUNTER] = { WEIR_KIND_COUNTER, OURS "counter" },
};

static char *good, *bad;	/* the same memory; pages at @bad are unmapped and mapped again */

static inline unsigned int below(unsigned int *seed, unsigned int n)
{
	unsigned int x = *seed;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*seed = x;
	return (x >> 3) % n;
}

static inline bool one_in(unsigned int *seed, unsigned int n)
{
	return !below(seed, n);
}

/* Behind the address there is room for everything that a call may write. */
static inline char *any_address(unsigned int *seed)
{
	return (one_in(seed, 2) ? good : bad) + below(seed, (PAGES - 10) * PAGE);
}

static inline struct weir_limiter_config limiter_config_of(int i)
{
	struct weir_limiter_config config = limiter_config(i == LIMITER ? WEIR_KEY_U64 :
							   WEIR_KEY_IP);

	if (i == QUOTA) {
		config = limiter_config(WEIR_KEY_NONE);
		config.algorithm = WEIR_ALGORITHM_WINDOW;
		config.tokens = QUOTA_TOKENS;
		config.period = 100 * DAY;
		return config;
	}
	config.queue_max = 100;
	config.tokens = 50;
	config.period = SECOND;
	config.burst = 5;
	config.max_keys = 64;
	return config;
}

/* Objects of root can be used by everybody. */
static inline int create_any(int fd, int i, bool root)
{
	struct weir_gate_config gate = gate_config(i == GATE ? WEIR_KEY_U64 : WEIR_KEY_NONE, 3);
	struct weir_limiter_config limiter = limiter_config_of(i);
	struct weir_roster_config roster = roster_config(WEIR_KEY_U64, 64);
	struct weir_breaker_config breaker = breaker_config(WEIR_KEY_U64);
	struct weir_counter_config counter = { .size = sizeof(counter),
					       .type = WEIR_COUNTER_SUM };
	const void *config[] = {
		[WEIR_KIND_COUNTER] = &counter, [WEIR_KIND_LIMITER] = &limiter,
		[WEIR_KIND_GATE] = &gate, [WEIR_KIND_BREAKER] = &breaker,
		[WEIR_KIND_ROSTER] = &roster,
	};
	struct weir_create create = create_make(objects[i].kind, objects[i].name,
						config[objects[i].kind]);

	gate.queue_max = 200;
	breaker.failures = 2;
	breaker.open[0] = 20 * MS;
	create.mode = root ? 0666 : 0700;
	create.flags = root ? 0 : WEIR_CREATE_EXISTING_OK;
	return call(fd, WEIR_IOC_CREATE, &create) ?: (int)create.handle;
}

static inline __u32 open_any(int fd, int i)
{
	__u32 handle;

	object_open_of(fd, 0, objects[i].kind, objects[i].name,
		       WEIR_RIGHT_USE | WEIR_RIGHT_OBSERVE, &handle);
	return handle;
}

/* A client with a handle for each object. Mostly, the handle's number is the object's. */
static inline int client_full(int flags)
{
	int fd = client_open(O_RDWR | flags);
	__u32 handle;

	if (fd < 0)
		return fd;
	open_any(fd, DOOR);
	for (int i = GATE; i < TALLY; i++)
		create_any(fd, i, false);
	for (int i = TALLY; i <= QUOTA; i++)
		do {
			handle = open_any(fd, i);
			if (handle && handle < EXACT_HANDLES + i)
				handle_close(fd, handle);
		} while (handle && handle < EXACT_HANDLES + i);
	return fd;
}

static inline __u64 any_deadline(unsigned int *seed, __u16 *flags)
{
	switch (below(seed, 6)) {
	case 0:
		return 0;
	case 1:
		return WEIR_NEVER;
	case 2:
		*flags |= WEIR_OP_RELATIVE;
		return below(seed, 3000) * 1000;
	case 3:
		return now_ns() + below(seed, 5000) * 1000;
	case 4:
		return now_ns() - below(seed, 5000) * 1000;
	default:
		*flags |= WEIR_OP_RELATIVE;
		return 20 * MS;
	}
}

static const __u16 opcodes[] = {
	WEIR_OP_ACQUIRE, WEIR_OP_ACQUIRE, WEIR_OP_ACQUIRE, WEIR_OP_ACQUIRE,
	WEIR_OP_RELEASE, WEIR_OP_RELEASE, WEIR_OP_CANCEL, WEIR_OP_GATE_STATE,
	WEIR_OP_RESERVE, WEIR_OP_RESERVE, WEIR_OP_CHECK, WEIR_OP_PEEK, WEIR_OP_REFUND,
	WEIR_OP_STRIKE, WEIR_OP_FORGIVE, WEIR_OP_BAN, WEIR_OP_LIFT, WEIR_OP_FORGET,
	WEIR_OP_ALLOW, WEIR_OP_REPORT, WEIR_OP_TRIP, WEIR_OP_RESET, WEIR_OP_BREAKER_STATE,
	WEIR_OP_CLAIM, WEIR_OP_CLAIM, WEIR_OP_PUT, WEIR_OP_LEASE_GET, WEIR_OP_REPLACE,
	WEIR_OP_TOUCH, WEIR_OP_REMOVE, WEIR_OP_READ, WEIR_OP_TAKE, WEIR_OP_ADD, WEIR_OP_OBSERVE,
};

static inline __u32 handle_for(unsigned int *seed, __u16 opcode)
{
	static const __u32 gates[] = { DOOR, GATE, GATE, PLAIN };

	if (one_in(seed, 12))
		return below(seed, EXACT_HANDLES);
	switch (opcode & 0xf0) {
	case 0x20:
		return gates[below(seed, 4)];
	case 0x10:
		return one_in(seed, 3) ? ADDRESSES : LIMITER;
	case 0x30:
		return BREAKER;
	case 0x40:
		return ROSTER;
	default:
		return COUNTER;
	}
}

static inline void numbers_any(unsigned int *seed, struct weir_op *op)
{
	switch (op->opcode) {
	case WEIR_OP_ACQUIRE:
		if (one_in(seed, 2))
			op->flags |= WEIR_OP_ASYNC;
		__attribute__((__fallthrough__));
	case WEIR_OP_RESERVE:
		op->arg = any_deadline(seed, &op->flags);
		__attribute__((__fallthrough__));
	case WEIR_OP_RELEASE:
		op->n = 1 + below(seed, 4);
		break;
	case WEIR_OP_BAN:
		op->n = 0;
		op->arg = one_in(seed, 3) ? WEIR_NEVER : below(seed, 50) * MS;
		break;
	case WEIR_OP_REPORT:
		op->n = 1 + below(seed, 3);
		op->arg = below(seed, 50);
		break;
	default:
		op->n = below(seed, 2);
	}
}

static inline void op_spoil(unsigned int *seed, struct weir_op *op)
{
	switch (below(seed, 24)) {
	case 0:
		op->flags ^= 1U << below(seed, 16);
		break;
	case 1:
		op->opcode = below(seed, 0x60);
		break;
	case 2:
		op->key_len = below(seed, 400);
		break;
	case 3:
		op->flags |= WEIR_OP_PTR;
		op->ptr = address(any_address(seed));
		break;
	case 4:
		op->n = (__s64)below(seed, 1 << 16) << below(seed, 50);
		break;
	case 5:
		op->arg = ~(__u64)below(seed, 100);
		break;
	case 6:
		op->flags |= WEIR_OP_PTR;
		op->ptr = ~0ULL << below(seed, 64);
	}
}

static inline void op_any(unsigned int *seed, struct weir_op *op)
{
	__u16 opcode = opcodes[below(seed, sizeof(opcodes) / sizeof(*opcodes))];
	__u32 handle = handle_for(seed, opcode);
	__u64 key = below(seed, 6);

	*op = op_make(opcode, handle, 1);
	/* operations on limiters and counters have no holder */
	if ((opcode & 0xf0) >= 0x20)
		op->tag = below(seed, 4);
	if (handle == GATE || handle == LIMITER || handle == ROSTER || handle == BREAKER)
		op_key(op, &key, sizeof(key));
	else if (handle == ADDRESSES)
		op_key(op, &key, 4);
	numbers_any(seed, op);
	op_spoil(seed, op);
}

#endif /* _WEIR_SELFTEST_HOSTILE_H */
