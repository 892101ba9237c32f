/* SPDX-License-Identifier: GPL-2.0-only */
/* transaction - limiters and a counter for tests of transactions */
#ifndef _WEIR_SELFTEST_TRANSACTION_H
#define _WEIR_SELFTEST_TRANSACTION_H

#include "client.h"

#define ALICE	1
#define BOB	2

FIXTURE(transaction) {
	int fd;
	__u32 address, user, all, counter;
	__u32 done;
};

FIXTURE_SETUP(transaction)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limiter_create(self->fd, OURS "address", &config,
				    &self->address));
	config.strikes = 2;
	config.nbans = 1;
	config.ban[0] = DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "user", &config, &self->user));
	config = limiter_config(WEIR_KEY_NONE);
	ASSERT_EQ(0, limiter_create(self->fd, OURS "all", &config, &self->all));
	ASSERT_EQ(0, sum_create(self->fd, OURS "counter", 2, &self->counter));
}

FIXTURE_TEARDOWN(transaction)
{
	close(self->fd);
	objects_wipe();
}

static inline struct weir_op check_of(__u32 handle, __s64 n, __u64 key)
{
	struct weir_op op = op_make(WEIR_OP_CHECK, handle, n);

	op_key(&op, &key, sizeof(key));
	return op;
}

static inline struct weir_op add_of(__u32 handle, __s64 n)
{
	struct weir_op op = op_make(WEIR_OP_ADD, handle, n);

	op.arg = 1;
	return op;
}

static inline int run(FIXTURE_DATA(transaction) *self, struct weir_op *ops, __u32 count)
{
	struct weir_submit submit = { .size = sizeof(submit), .count = count,
				      .flags = WEIR_SUBMIT_ALL,
				      .done = POISON_U32, .ops = address(ops) };
	int ret = call(self->fd, WEIR_IOC_SUBMIT, &submit);

	self->done = submit.done;
	return ret;
}

/* Tokens that a key can spend. */
static inline __u64 left(FIXTURE_DATA(transaction) *self, __u32 handle, __u64 key)
{
	struct weir_op op;

	if (key_run(self->fd, &op, WEIR_OP_PEEK, handle, 1, &key,
		    handle == self->all ? 0 : sizeof(key)))
		abort();
	return op.remaining;
}

static inline __s64 counted(FIXTURE_DATA(transaction) *self)
{
	__s64 value;

	if (counter_read(self->fd, self->counter, 0, &value))
		abort();
	return value;
}

static inline struct weir_limiter_stats totals(FIXTURE_DATA(transaction) *self,
					__u32 handle)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, handle, &stats))
		abort();
	return stats;
}

#endif /* _WEIR_SELFTEST_TRANSACTION_H */
