/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prefix - a limiter of addresses whose keys are cut anew, and what it knows of them
 *
 * Tokens come back so slowly that none does while a test runs. Addresses are
 * 10.0.BLOCK.HOST, and 2001:db8:NET:BLOCK::HOST.
 */
#ifndef _WEIR_SELFTEST_PREFIX_H
#define _WEIR_SELFTEST_PREFIX_H

#include "harness.h"

#include "client.h"
#include "verdict.h"

#define TENTH	(DAY / 10)	/* in which one of ten tokens a day comes back */

/* An address, of 4 or 16 bytes. */
struct ip {
	__u8 bytes[16];
	__u16 len;
};

FIXTURE(prefix) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
	__u64 since;
};

FIXTURE_SETUP(prefix)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_IP);
	self->config.burst = 10;
	self->config.strikes = 5;
	self->config.within = HOUR;
	self->config.nbans = 3;
	self->config.ban[0] = HOUR;
	self->config.ban[1] = 2 * HOUR;
	self->config.ban[2] = 3 * HOUR;
	self->config.forget_after = DAY;
	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "prefix", &self->config, &self->l));
}

FIXTURE_TEARDOWN(prefix)
{
	close(self->fd);
	objects_wipe();
}

static inline struct ip v4(__u8 block, __u8 host)
{
	return (struct ip){ { 10, 0, block, host }, 4 };
}

static inline struct ip v6(__u8 net, __u8 block, __u8 host)
{
	return (struct ip){ { 0x20, 0x01, 0x0d, 0xb8, 0, net, 0, block,
			      [15] = host }, 16 };
}

static inline int set(FIXTURE_DATA(prefix) *self, __u8 prefix4, __u8 prefix6)
{
	self->config.prefix4 = prefix4;
	self->config.prefix6 = prefix6;
	return limiter_set(self->fd, self->l, WEIR_SET_PREFIX, &self->config);
}

static inline struct weir_op run(FIXTURE_DATA(prefix) *self, __u16 opcode, __s64 n,
				 struct ip ip)
{
	struct weir_op op = op_make(opcode, self->l, n);
	int ret;

	if (opcode == WEIR_OP_BAN) {
		op.arg = n * HOUR;
		op.n = 0;
	}
	op_key(&op, ip.bytes, ip.len);
	ret = op_run(self->fd, &op);
	if (ret) {
		printf("# opcode %u: %d\n", opcode, ret);
		fflush(stdout);
		abort();
	}
	return op;
}

static inline struct weir_op spend(FIXTURE_DATA(prefix) *self, __s64 n, struct ip ip)
{
	struct weir_op op = run(self, WEIR_OP_CHECK, n, ip);

	if (op.verdict != WEIR_ALLOWED) {
		printf("# verdict %u, remaining %llu, retry_after %llu\n", op.verdict,
		       (unsigned long long)op.remaining,
		       (unsigned long long)op.retry_after);
		fflush(stdout);
		abort();
	}
	return op;
}

static inline struct weir_op peek(FIXTURE_DATA(prefix) *self, struct ip ip)
{
	return run(self, WEIR_OP_PEEK, 1, ip);
}

static inline __u64 keys(FIXTURE_DATA(prefix) *self)
{
	struct weir_limiter_stats stats;

	return stats_get(self->fd, self->l, &stats) ? WEIR_NEVER : stats.keys;
}

static inline bool has(FIXTURE_DATA(prefix) *self, struct ip ip, __u64 remaining,
		       __u32 strikes, __u32 bans)
{
	struct weir_op op = peek(self, ip);

	return answers(&op, remaining ? WEIR_ALLOWED : WEIR_LIMITED, 0, 10, remaining,
		       strikes, bans) &&
	       lasts("reset", op.reset_after, (10 - remaining) * TENTH, self->since);
}

#endif /* _WEIR_SELFTEST_PREFIX_H */
