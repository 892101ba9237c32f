// SPDX-License-Identifier: GPL-2.0-only
/*
 * flags - bits, values and reserved members without a meaning are refused
 *
 * Each bit is tested alone: a gap in a mask would accept a bit that a later version uses.
 */
#include "harness.h"

#include "client.h"

FIXTURE(flags) {
	int fd;
	__u32 counter, limiter;
	struct weir_info before;
};

FIXTURE_SETUP(flags)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, sum_create(self->fd, OURS "flags-c", 1, &self->counter));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "flags-l", &config,
				    &self->limiter));
	self->before = info_get(self->fd);
}

/* No call in this program succeeds, so nothing may have changed. */
FIXTURE_TEARDOWN(flags)
{
	struct weir_info now = info_get(self->fd);
	struct weir_limiter_stats stats;
	__s64 value;

	EXPECT_EQ(self->before.objects, now.objects);
	EXPECT_EQ(self->before.event_next, now.event_next);
	EXPECT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, stats_get(self->fd, self->limiter, &stats));
	EXPECT_EQ(0, stats.keys);
	EXPECT_EQ(0, stats.allowed + stats.limited + stats.banned + stats.full +
		     stats.strikes + stats.bans);
	close(self->fd);
	objects_wipe();
}

static struct weir_create counter_make(const struct weir_counter_config *config)
{
	return create_make(WEIR_KIND_COUNTER, OURS "flags-new", config);
}

TEST_F(flags, create)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct weir_create create;

	for (int bit = 0; bit < 32; bit++) {
		const __u32 one = 1U << bit;

		create = counter_make(&config);
		create.flags = one;
		if (one != WEIR_CREATE_EXISTING_OK)
			EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_CREATE,
						&create));
		create = counter_make(&config);
		create.rights = one;
		if (!(one & WEIR_RIGHT_ALL))
			EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_CREATE,
						&create));
		create = counter_make(&config);
		create.mode = one;
		if (!(one & 0777))
			EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_CREATE,
						&create));
		create = counter_make(&config);
		create.reserved = one;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_CREATE, &create));
	}
}

TEST_F(flags, create_kind)
{
	static const __u32 kinds[] = { WEIR_KIND_ROSTER + 1, 255, 0x80000000U, 0xffffffffU };
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct weir_create create = counter_make(&config);

	create.kind = WEIR_KIND_ANY;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_CREATE, &create));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		create = counter_make(&config);
		create.kind = kinds[i];
		EXPECT_EQ(-EOPNOTSUPP, call(self->fd, WEIR_IOC_CREATE, &create));
	}
}

TEST_F(flags, open)
{
	struct weir_open open;

	for (int bit = 0; bit < 32; bit++) {
		const __u32 one = 1U << bit;

		open = open_make(WEIR_KIND_COUNTER, OURS "flags-c",
				 WEIR_RIGHT_ALL);
		open.flags = one;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OPEN, &open));
		open.flags = 0;
		if (one & WEIR_RIGHT_ALL)
			continue;
		open.rights = one;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OPEN, &open));
		open.rights = WEIR_RIGHT_USE | one;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OPEN, &open));
	}
	open = open_make(WEIR_KIND_COUNTER, OURS "flags-c", 0);
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OPEN, &open));
	open = open_make(WEIR_KIND_ANY, OURS "flags-c", WEIR_RIGHT_USE);
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OPEN, &open));
	EXPECT_EQ(POISON_U32, open.handle);
	EXPECT_EQ(POISON_U64, open.id);
}

TEST_F(flags, set)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64), seen;

	config.burst = 99;
	for (int bit = 0; bit < 64; bit++) {
		const __u64 one = 1ULL << bit;

		if (!(one & SET_KNOWN))
			EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->limiter,
						       one | WEIR_SET_BURST,
						       &config));
	}
	for (int bit = 1; bit < 16; bit++) {
		config.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->limiter,
					       WEIR_SET_BURST, &config));
	}
	ASSERT_EQ(0, limiter_get(self->fd, self->limiter, &seen));
	EXPECT_EQ(10, seen.burst);
}

TEST_F(flags, list)
{
	struct weir_object_info found[8];
	struct weir_list list = { .size = sizeof(list),
				  .buffer = address(found),
				  .length = sizeof(found),
				  .count = POISON_U32,
				  .owner = WEIR_OWNER_DEFAULT };

	list.kind = 0x40000000;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_LIST, &list));
	EXPECT_EQ(POISON_U32, list.count);
	EXPECT_EQ(sizeof(found), list.length);
}

TEST_F(flags, dump)
{
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump),
				  .handle = self->limiter,
				  .buffer = address(buffer),
				  .length = sizeof(buffer) };

	for (int bit = 0; bit < 32; bit++) {
		dump.flags = 1U << bit;
		if (dump.flags != WEIR_DUMP_BANNED)
			EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_DUMP, &dump));
	}
}

TEST_F(flags, submit)
{
	struct weir_op op = op_make(WEIR_OP_ADD, self->counter, 1);
	struct weir_submit submit = { .size = sizeof(submit), .count = 1,
				      .done = POISON_U32,
				      .ops = address(&op) };

	op.arg = 1;
	for (int bit = 0; bit < 32; bit++) {
		submit.flags = 1U << bit;
		if (submit.flags == WEIR_SUBMIT_ALL)
			continue;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_SUBMIT, &submit));
		EXPECT_EQ(POISON_U32, submit.done);
	}
	submit.flags = 0;
	submit.count = 0;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	submit.count = WEIR_BATCH_MAX + 1;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	submit.count = 0xffffffff;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(POISON_U32, (__u32)op.result);
}

TEST_F(flags, op_flags)
{
	__u64 key = 1;

	for (int bit = 0; bit < 16; bit++) {
		struct weir_op add = op_make(WEIR_OP_ADD, self->counter, 1);
		struct weir_op check = op_make(WEIR_OP_CHECK, self->limiter, 1);

		if (1U << bit == WEIR_OP_PTR || 1U << bit == WEIR_OP_NOWAIT)
			continue;
		add.arg = 1;
		add.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &add));
		op_key(&check, &key, sizeof(key));
		check.flags |= 1U << bit;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &check));
	}
}

/* @plan must be 0, and ops that give nothing to a holder must have tag 0. */
TEST_F(flags, op_plan_and_tag)
{
	__u64 key = 1;

	for (int bit = 0; bit < 48; bit++) {
		struct weir_op op[2] = { op_make(WEIR_OP_ADD, self->counter, 1),
					 op_make(WEIR_OP_CHECK, self->limiter, 1) };

		op[0].arg = 1;
		op_key(&op[1], &key, sizeof(key));
		for (int i = 0; i < 2; i++) {
			if (bit < 16)
				op[i].plan = 1U << bit;
			else
				op[i].tag = 1U << (bit - 16);
			EXPECT_EQ(-EINVAL, op_run(self->fd, &op[i]));
		}
	}
}

/* Bytes after a short key, or after the pointer, must be zero. */
TEST_F(flags, op_key_padding)
{
	__u64 key = 1;

	for (size_t byte = sizeof(key); byte < 32; byte++) {
		struct weir_op op = op_make(WEIR_OP_CHECK, self->limiter, 1);

		op_key(&op, &key, sizeof(key));
		op.key[byte] = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
		op = op_make(WEIR_OP_CHECK, self->limiter, 1);
		op.flags = WEIR_OP_PTR;
		op.key_len = sizeof(key);
		op.ptr = address(&key);
		op.key[byte] = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
}

TEST_F(flags, op_counter_padding)
{
	struct weir_op op;

	/* with one field the amount is in n, so @values must be 0 */
	for (int i = 0; i < 4; i++) {
		op = op_make(WEIR_OP_ADD, self->counter, 1);
		op.arg = 1;
		op.values[i] = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
		op = op_make(WEIR_OP_READ, self->counter, 0);
		op.values[i] = 1;
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	}
	op = op_make(WEIR_OP_ADD, self->counter, 1);
	op.arg = 1;
	op.key_len = 1;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	op = op_make(WEIR_OP_READ, self->counter, 1);
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
}

/* n and arg must be 0 if the opcode does not use them. */
TEST_F(flags, op_unused_numbers)
{
	static const struct { __u16 opcode; __s64 n; __u64 arg; } rows[] = {
		{ WEIR_OP_CHECK, 1, 1 }, { WEIR_OP_PEEK, 1, 1 },
		{ WEIR_OP_REFUND, 1, 1 }, { WEIR_OP_STRIKE, 1, 1 },
		{ WEIR_OP_FORGIVE, 1, 0 }, { WEIR_OP_FORGIVE, 0, 1 },
		{ WEIR_OP_BAN, 1, SECOND }, { WEIR_OP_LIFT, 1, 0 },
		{ WEIR_OP_LIFT, 0, 1 }, { WEIR_OP_FORGET, 1, 0 },
		{ WEIR_OP_FORGET, 0, 1 },
	};
	__u64 key = 1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct weir_op op = op_make(rows[i].opcode, self->limiter,
					    rows[i].n);

		op.arg = rows[i].arg;
		op_key(&op, &key, sizeof(key));
		EXPECT_EQ(-EINVAL, op_run(self->fd, &op)) {
			TH_LOG("row %zu", i);
		}
	}
}

/* Which flags each opcode takes. With a bad handle, an op that is well-formed fails with EBADF. */
TEST_F(flags, op_flags_by_opcode)
{
	static const struct { __u16 opcode, flags; __s64 n; __u64 arg; } rows[] = {
		{ WEIR_OP_CHECK, 0, 1, 0 }, { WEIR_OP_PEEK, 0, 1, 0 },
		{ WEIR_OP_REFUND, 0, 1, 0 }, { WEIR_OP_STRIKE, 0, 1, 0 },
		{ WEIR_OP_FORGIVE, 0, 0, 0 }, { WEIR_OP_BAN, 0, 0, SECOND },
		{ WEIR_OP_LIFT, 0, 0, 0 }, { WEIR_OP_FORGET, 0, 0, 0 },
		{ WEIR_OP_RESERVE, WEIR_OP_ASYNC | WEIR_OP_RELATIVE, 1, 1 },
		{ WEIR_OP_RESERVE_CANCEL, 0, 0, 0 },
		{ WEIR_OP_ACQUIRE, WEIR_OP_ASYNC | WEIR_OP_RELATIVE, 1, 1 },
		{ WEIR_OP_RELEASE, 0, 1, 0 }, { WEIR_OP_CANCEL, 0, 0, 0 },
		{ WEIR_OP_GATE_STATE, 0, 0, 0 },
		{ WEIR_OP_ALLOW, WEIR_OP_DETACHED, 0, 0 },
		{ WEIR_OP_REPORT, 0, 1, 0 }, { WEIR_OP_BREAKER_STATE, 0, 0, 0 },
		{ WEIR_OP_CLAIM, WEIR_OP_DETACHED, 0, 0 },
		{ WEIR_OP_PUT, WEIR_OP_DETACHED, 0, 0 },
		{ WEIR_OP_LEASE_GET, 0, 0, 0 }, { WEIR_OP_REPLACE, 0, 1, 0 },
		{ WEIR_OP_TOUCH, 0, 0, 0 }, { WEIR_OP_REMOVE, 0, 0, 0 },
	};
	__u64 key = 1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int bit = -1; bit < 16; bit++) {
			struct weir_op op = op_make(rows[i].opcode, 0xdead, rows[i].n);
			__u16 flag = bit < 0 ? 0 : 1U << bit;

			if (flag == WEIR_OP_PTR)
				continue;
			op.arg = rows[i].arg;
			op.flags = flag;
			op_key(&op, &key, sizeof(key));
			EXPECT_EQ(flag & ~(rows[i].flags | WEIR_OP_NOWAIT) ? -EINVAL : -EBADF,
				  op_run(self->fd, &op)) {
				TH_LOG("row %zu, flags %#x", i, flag);
			}
		}
	}
}

TEST_F(flags, unknown_opcodes)
{
	/* the first and the last opcode of each kind */
	static const __u16 known[][2] = {
		{ WEIR_OP_ADD, WEIR_OP_OBSERVE },
		{ WEIR_OP_CHECK, WEIR_OP_RESERVE },
		{ WEIR_OP_ACQUIRE, WEIR_OP_CANCEL },
		{ WEIR_OP_ALLOW, WEIR_OP_BREAKER_STATE },
		{ WEIR_OP_CLAIM, WEIR_OP_REMOVE },
	};
	__u64 key = 1;

	for (__u32 opcode = 0; opcode < 0x10000; opcode++) {
		struct weir_op op = op_make(opcode, self->limiter, 1);
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			is_known |= opcode >= known[i][0] && opcode <= known[i][1];
		if (is_known)
			continue;
		op_key(&op, &key, sizeof(key));
		ASSERT_EQ(-EINVAL, op_run(self->fd, &op)) {
			TH_LOG("opcode %#x", opcode);
		}
	}
}

/* An op that fails does not affect the others of its batch. */
TEST_F(flags, one_bad_op_among_good)
{
	struct weir_op ops[3];
	__u32 done;
	__s64 value;

	for (int i = 0; i < 3; i++) {
		ops[i] = op_make(WEIR_OP_ADD, self->counter, i == 2 ? -1 : 1);
		ops[i].arg = 1;
	}
	ops[1].plan = 1;
	EXPECT_EQ(0, submit(self->fd, ops, 3, &done));
	EXPECT_EQ(3, done);
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(-EINVAL, ops[1].result);
	EXPECT_EQ(0, ops[2].result);
	EXPECT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
	EXPECT_EQ(0, value);
}

TEST_HARNESS_MAIN
