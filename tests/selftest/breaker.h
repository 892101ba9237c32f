/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breaker - helpers for tests of circuit breakers
 *
 * A key is a pointer to a number; NULL: the breaker has no keys. A time is either too long to pass
 * during a test, or the test waits for it.
 */
#ifndef _WEIR_SELFTEST_BREAKER_H
#define _WEIR_SELFTEST_BREAKER_H

#include <sys/wait.h>

#include "client.h"
#include "crowd.h"

/* Three failures within an hour open it for some hours; one probe. */
static inline struct weir_breaker_config breaker_config(__u32 key_type)
{
	struct weir_breaker_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.key_type = key_type;
	config.failures = 3;
	config.within = HOUR;
	config.nopen = 1;
	config.open[0] = HOUR;
	return config;
}

static inline int breaker_create(int fd, const char *name,
				 const struct weir_breaker_config *config, __u32 *breaker)
{
	return object_create(fd, WEIR_KIND_BREAKER, name, config, breaker);
}

static inline int breaker_get(int fd, __u32 breaker, struct weir_breaker_config *config)
{
	return config_get(fd, breaker, config, sizeof(*config));
}

static inline struct weir_breaker_stats breaker_stats(int fd, __u32 breaker)
{
	struct weir_breaker_stats stats;

	totals_need(fd, breaker, &stats, sizeof(stats));
	return stats;
}

static inline int breaker_run(int fd, struct weir_op *op, __u16 opcode, __u32 breaker,
			      const __u64 *key, __s64 n, __u64 arg)
{
	return number_run(fd, op, opcode, breaker, key, n, arg);
}

/* Return: the ticket; 0: not admitted; or a negative errno. */
static inline __s64 breaker_ask(int fd, __u32 breaker, const __u64 *key, __u16 flags)
{
	struct weir_op op = op_make(WEIR_OP_ALLOW, breaker, 0);
	int ret;

	op.flags = flags;
	if (key)
		op_key(&op, key, sizeof(*key));
	ret = op_run(fd, &op);
	if (ret)
		return ret;
	if (op.verdict == WEIR_ALLOWED ? !op.ticket : op.ticket)
		return -EPROTO;
	return (__s64)op.ticket;
}

static inline __s64 breaker_allow(int fd, __u32 breaker, const __u64 *key)
{
	return breaker_ask(fd, breaker, key, 0);
}

/* Return: 0: the report counts; 1: it is late; or a negative errno. */
static inline int breaker_report(int fd, __u32 breaker, const __u64 *key, __u64 ticket,
				 enum weir_call what)
{
	struct weir_op op;
	int ret = breaker_run(fd, &op, WEIR_OP_REPORT, breaker, key, what, ticket);

	return ret ?: !!(op.out_flags & WEIR_OUT_LATE);
}

static inline struct weir_op breaker_look(int fd, __u32 breaker, const __u64 *key)
{
	struct weir_op op;

	if (breaker_run(fd, &op, WEIR_OP_BREAKER_STATE, breaker, key, 0, 0)) {
		printf("# no state of the breaker\n");
		abort();
	}
	return op;
}

static inline __u32 breaker_state(int fd, __u32 breaker, const __u64 *key)
{
	return breaker_look(fd, breaker, key).state;
}

/* Open the breaker for 1 ns, so that it is half-open at the next call. */
static inline int breaker_half_open(int fd, __u32 breaker, const __u64 *key)
{
	struct weir_op op;

	return breaker_run(fd, &op, WEIR_OP_TRIP, breaker, key, 0, 1);
}

/* Compare all members of an answer of BREAKER_STATE, for EXPECT_TRUE(). */
static inline bool looks(const struct weir_op *op, __u32 state, __u64 calls,
			 __u64 failures, __u32 step)
{
	if (op->state == state && op->calls == calls && op->failures == failures &&
	    op->step == step && !op->ticket && !op->out_flags && !op->decided &&
	    !op->banned_for)
		return true;
	printf("# state %u calls %llu failures %llu step %u ticket %llu flags %#x\n",
	       op->state, (unsigned long long)op->calls,
	       (unsigned long long)op->failures, op->step,
	       (unsigned long long)op->ticket, op->out_flags);
	return false;
}

#endif /* _WEIR_SELFTEST_BREAKER_H */
