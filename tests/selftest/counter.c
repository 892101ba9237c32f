// SPDX-License-Identifier: GPL-2.0-only
/* counter - sums of up to 64 fields, and sequences without gaps or repeated numbers */
#include <limits.h>

#include "harness.h"

#include "client.h"
#include "memory.h"

#define WIDE	WEIR_FIELDS_MAX

FIXTURE(counter) {
	int fd;
	__u32 one, four, wide, sequence;
};

FIXTURE_SETUP(counter)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, sum_create(self->fd, OURS "counter-one", 0, &self->one));
	ASSERT_EQ(0, sum_create(self->fd, OURS "counter-four", 4, &self->four));
	ASSERT_EQ(0, sum_create(self->fd, OURS "counter-wide", WIDE,
				&self->wide));
	ASSERT_EQ(0, counter_create(self->fd, OURS "counter-sequence",
				    WEIR_COUNTER_SEQUENCE, 0, &self->sequence));
}

FIXTURE_TEARDOWN(counter)
{
	close(self->fd);
	objects_wipe();
}

static int read_all(int fd, __u16 opcode, __u32 handle, __s64 *values,
		    __s64 room, struct weir_op *op)
{
	*op = op_make(opcode, handle, room);
	op->flags = WEIR_OP_PTR;
	op->ptr = address(values);
	return op_run(fd, op);
}

static int add_values(int fd, __u32 handle, __u64 mask, const __s64 *values,
		      int n)
{
	struct weir_op op = op_make(WEIR_OP_ADD, handle, 0);

	op.arg = mask;
	memcpy(op.values, values, n * sizeof(*values));
	return op_run(fd, &op);
}

static int add_array(int fd, __u32 handle, __u64 mask, const __s64 *values)
{
	struct weir_op op = op_make(WEIR_OP_ADD, handle, 0);

	op.arg = mask;
	op.flags = WEIR_OP_PTR;
	op.ptr = address(values);
	return op_run(fd, &op);
}

static bool all_zero(int fd, __u32 handle, __u32 nfields)
{
	__s64 values[WIDE];
	struct weir_op op;

	memset(values, POISON, sizeof(values));
	if (read_all(fd, WEIR_OP_READ, handle, values, WIDE, &op) ||
	    op.value != nfields)
		return false;
	for (__u32 i = 0; i < nfields; i++)
		if (values[i])
			return false;
	return true;
}

TEST_F(counter, begins_with_zeros)
{
	__s64 value;

	EXPECT_TRUE(all_zero(self->fd, self->one, 1));
	EXPECT_TRUE(all_zero(self->fd, self->four, 4));
	EXPECT_TRUE(all_zero(self->fd, self->wide, WIDE));
	EXPECT_EQ(0, counter_read(self->fd, self->sequence, 0, &value));
	EXPECT_EQ(0, value);
}

/* An ADD writes only @result; the rest of the result half is zero. */
TEST_F(counter, result_of_an_add)
{
	struct weir_op op = op_make(WEIR_OP_ADD, self->one, 5);

	op.arg = 1;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_NONE, op.verdict);
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(0, op.decided);
	EXPECT_EQ(0, op.remaining);
	EXPECT_EQ(0, op.retry_after);
	EXPECT_EQ(0, op.reset_after);
	EXPECT_EQ(0, op.banned_for);
	EXPECT_EQ(0, op.strikes);
	EXPECT_EQ(0, op.bans);
	EXPECT_EQ(5, op.n);
}

TEST_F(counter, each_field_by_itself)
{
	__s64 value;

	for (__u32 field = 0; field < WIDE; field++)
		ASSERT_EQ(0, counter_add(self->fd, self->wide, field,
					 1000 + field));
	for (__u32 field = 0; field < WIDE; field++) {
		ASSERT_EQ(0, counter_read(self->fd, self->wide, field, &value));
		EXPECT_EQ(1000 + field, value);
	}
}

TEST_F(counter, wraps_modulo_2_64)
{
	__s64 value;

	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, LLONG_MAX));
	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, 1));
	ASSERT_EQ(0, counter_read(self->fd, self->one, 0, &value));
	EXPECT_EQ(LLONG_MIN, value);
	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, LLONG_MIN));
	ASSERT_EQ(0, counter_read(self->fd, self->one, 0, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, -1));
	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, 0));
	ASSERT_EQ(0, counter_read(self->fd, self->one, 0, &value));
	EXPECT_EQ(-1, value);
}

/* Amounts are in the order of the fields, not at the indexes of the fields. */
TEST_F(counter, several_fields_in_the_op)
{
	static const __s64 amounts[4] = { 1, -20, 300, -4000 };
	__s64 values[4];
	struct weir_op op;

	for (__u64 mask = 3; mask < 16; mask++) {
		const int n = __builtin_popcountll(mask);
		int used = 0;

		if (n < 2)
			continue;
		ASSERT_EQ(0, add_values(self->fd, self->four, mask, amounts, n));
		ASSERT_EQ(0, read_all(self->fd, WEIR_OP_TAKE, self->four, values,
				      4, &op));
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(mask >> i & 1 ? amounts[used++] : 0,
				  values[i]);
	}
}

TEST_F(counter, many_fields_behind_the_pointer)
{
	const __u64 mask = 0xf0000000000000f3ULL;
	__s64 amounts[WIDE], values[WIDE];
	struct weir_op op;
	int used = 0;

	for (int i = 0; i < WIDE; i++)
		amounts[i] = 1LL << (i % 62);
	ASSERT_EQ(0, add_array(self->fd, self->wide, ~0ULL, amounts));
	ASSERT_EQ(0, add_array(self->fd, self->wide, mask, amounts));
	ASSERT_EQ(0, read_all(self->fd, WEIR_OP_READ, self->wide, values, WIDE,
			      &op));
	EXPECT_EQ(WIDE, op.value);
	for (int i = 0; i < WIDE; i++)
		EXPECT_EQ(amounts[i] + (mask >> i & 1 ? amounts[used++] : 0),
			  values[i]);
	/* two amounts may be behind the pointer too */
	ASSERT_EQ(0, add_array(self->fd, self->four, 0x5, amounts + 3));
	ASSERT_EQ(0, read_all(self->fd, WEIR_OP_READ, self->four, values, 4,
			      &op));
	EXPECT_EQ(8, values[0]);
	EXPECT_EQ(0, values[1]);
	EXPECT_EQ(16, values[2]);
}

TEST_F(counter, masks_that_are_refused)
{
	static const __s64 amounts[4] = { 1, 1, 1, 1 };

	/* an empty mask, and fields that the counter does not have */
	EXPECT_EQ(-EINVAL, add_values(self->fd, self->four, 0, amounts, 0));
	for (int bit = 4; bit < 64; bit++) {
		EXPECT_EQ(-EINVAL, add_values(self->fd, self->four,
					      1ULL << bit | 3, amounts, 3));
		EXPECT_EQ(-EINVAL, counter_add(self->fd, self->four, bit, 1));
	}
	/* more amounts than fit into the op */
	EXPECT_EQ(-EINVAL, add_values(self->fd, self->wide, 0x1f, amounts, 4));
	EXPECT_TRUE(all_zero(self->fd, self->four, 4));
	EXPECT_TRUE(all_zero(self->fd, self->wide, WIDE));
}

TEST_F(counter, amounts_where_they_do_not_belong)
{
	struct weir_op op = op_make(WEIR_OP_ADD, self->four, 1);

	op.arg = 3;		/* with several fields, n must be 0 */
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	op = op_make(WEIR_OP_ADD, self->four, 0);
	op.arg = 3;		/* two fields: a third amount must be 0 */
	op.values[2] = 1;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	EXPECT_TRUE(all_zero(self->fd, self->four, 4));
}

TEST_F(counter, bad_pointers)
{
	struct pane pane = pane_make();
	__s64 values[WIDE] = { 1, 1, 1, 1 };
	struct weir_op op;

	pane_protect(&pane, PROT_NONE);
	for (size_t bytes = 0; bytes < sizeof(values); bytes += 8) {
		void *place = pane_lay(&pane, values, sizeof(values), bytes,
				       PROT_NONE);

		EXPECT_EQ(-EFAULT, add_array(self->fd, self->wide, ~0ULL,
					     place));
		EXPECT_EQ(-EFAULT, read_all(self->fd, WEIR_OP_READ, self->wide,
					    place, WIDE, &op));
	}
	EXPECT_TRUE(all_zero(self->fd, self->wide, WIDE));
	pane_free(&pane);
}

/* A take whose result cannot be written takes nothing. */
TEST_F(counter, take_into_bad_memory)
{
	struct pane pane = pane_make();
	__s64 values[WIDE];
	struct weir_op op;

	for (int i = 0; i < WIDE; i++)
		ASSERT_EQ(0, counter_add(self->fd, self->wide, i, i + 1));
	for (int prot = PROT_NONE; prot <= PROT_READ; prot += PROT_READ) {
		pane_protect(&pane, prot);
		for (size_t bytes = 0; bytes < sizeof(values); bytes += 8)
			EXPECT_EQ(-EFAULT, read_all(self->fd, WEIR_OP_TAKE,
						    self->wide,
						    pane_before(&pane, bytes),
						    WIDE, &op));
	}
	ASSERT_EQ(0, read_all(self->fd, WEIR_OP_TAKE, self->wide, values, WIDE,
			      &op));
	for (int i = 0; i < WIDE; i++)
		EXPECT_EQ(i + 1, values[i]);
	EXPECT_TRUE(all_zero(self->fd, self->wide, WIDE));
	pane_free(&pane);
}

TEST_F(counter, room_for_the_values)
{
	__s64 values[WIDE + 1];
	struct weir_op op;

	for (__s64 room = 0; room < 4; room++) {
		memset(values, POISON, sizeof(values));
		EXPECT_EQ(-EMSGSIZE, read_all(self->fd, WEIR_OP_READ, self->four,
					      values, room, &op));
		EXPECT_EQ(-EMSGSIZE, read_all(self->fd, WEIR_OP_TAKE, self->four,
					      values, room, &op));
		EXPECT_EQ(POISON_U64, (__u64)values[0]);
	}
	/* the buffer has more room than there are fields: the rest is not written */
	EXPECT_EQ(0, read_all(self->fd, WEIR_OP_READ, self->four, values, 5,
			      &op));
	EXPECT_EQ(4, op.value);
	EXPECT_EQ(0, values[3]);
	EXPECT_EQ(POISON_U64, (__u64)values[4]);
}

TEST_F(counter, read_rules)
{
	__s64 value;

	EXPECT_EQ(-EINVAL, counter_read(self->fd, self->one, 1, &value));
	EXPECT_EQ(-EINVAL, counter_read(self->fd, self->four, 4, &value));
	EXPECT_EQ(-EINVAL, counter_read(self->fd, self->wide, 64, &value));
	EXPECT_EQ(-EINVAL, counter_read(self->fd, self->four, 0xffffffff,
					&value));
	EXPECT_EQ(0, counter_read(self->fd, self->wide, 63, &value));
}

TEST_F(counter, take_rules)
{
	struct weir_op op = op_make(WEIR_OP_TAKE, self->one, 0);

	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, 42));
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(42, op.value);
	EXPECT_TRUE(all_zero(self->fd, self->one, 1));
	op = op_make(WEIR_OP_TAKE, self->four, 0);
	EXPECT_EQ(-EMSGSIZE, op_run(self->fd, &op));
	op = op_make(WEIR_OP_TAKE, self->one, 0);
	op.arg = 1;
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
	op = op_make(WEIR_OP_TAKE, self->sequence, 0);
	EXPECT_EQ(-EOPNOTSUPP, op_run(self->fd, &op));
	/* after a take, adds start from zero */
	ASSERT_EQ(0, counter_add(self->fd, self->one, 0, 3));
	op = op_make(WEIR_OP_TAKE, self->one, 0);
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(3, op.value);
}

static int next(int fd, __u32 handle, __s64 n, __s64 *first)
{
	struct weir_op op = op_make(WEIR_OP_NEXT, handle, n);
	int ret = op_run(fd, &op);

	*first = op.value;
	return ret;
}

TEST_F(counter, sequence_counts_from_one)
{
	__s64 value;

	for (__s64 i = 1; i <= 100; i++) {
		ASSERT_EQ(0, next(self->fd, self->sequence, 1, &value));
		EXPECT_EQ(i, value);
	}
	ASSERT_EQ(0, counter_read(self->fd, self->sequence, 0, &value));
	EXPECT_EQ(100, value);
	ASSERT_EQ(0, next(self->fd, self->sequence, 1000, &value));
	EXPECT_EQ(101, value);
	ASSERT_EQ(0, next(self->fd, self->sequence, 1, &value));
	EXPECT_EQ(1101, value);
}

TEST_F(counter, sequence_rules)
{
	struct weir_op op;
	__s64 value;

	EXPECT_EQ(-EINVAL, next(self->fd, self->sequence, 0, &value));
	EXPECT_EQ(-EINVAL, next(self->fd, self->sequence, -1, &value));
	EXPECT_EQ(-EINVAL, next(self->fd, self->sequence, (1LL << 32) + 1,
				&value));
	EXPECT_EQ(-EOPNOTSUPP, next(self->fd, self->one, 1, &value));
	EXPECT_EQ(-EOPNOTSUPP, counter_add(self->fd, self->sequence, 0, 1));
	EXPECT_EQ(0, read_all(self->fd, WEIR_OP_READ, self->sequence, &value, 1,
			      &op));
	EXPECT_EQ(0, value);
	EXPECT_EQ(1, op.value);
}

/*
 * EOVERFLOW needs 2^31 calls with the largest step, so only the unit tests check it. This test
 * checks that large steps are exact.
 */
TEST_F(counter, sequence_in_large_steps)
{
	__s64 value;

	for (__s64 i = 0; i < 1000; i++) {
		ASSERT_EQ(0, next(self->fd, self->sequence, 1LL << 32, &value));
		EXPECT_EQ((i << 32) + 1, value);
	}
}

/* These ops are valid, but a counter has no keys. */
TEST_F(counter, ops_of_other_kinds)
{
	for (__u16 opcode = WEIR_OP_CHECK; opcode <= WEIR_OP_FORGET; opcode++) {
		struct weir_op op = op_make(opcode, self->one,
					    opcode <= WEIR_OP_STRIKE);

		if (opcode == WEIR_OP_BAN)
			op.arg = SECOND;
		EXPECT_EQ(-EOPNOTSUPP, op_run(self->fd, &op)) {
			TH_LOG("opcode %#x", opcode);
		}
	}
}

TEST_HARNESS_MAIN
