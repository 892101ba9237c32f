// SPDX-License-Identifier: GPL-2.0-only
/* transaction - WEIR_SUBMIT_ALL: all ops or none, and the op that decided */
#include "harness.h"

#include "memory.h"
#include "transaction.h"
#include "verdict.h"

/* Nothing of @self has changed: no token, no count, no entry. */
static bool untouched(FIXTURE_DATA(transaction) *self)
{
	return left(self, self->address, ALICE) == 10 &&
	       left(self, self->user, ALICE) == 10 &&
	       left(self, self->all, 0) == 10 && !counted(self) &&
	       !totals(self, self->address).keys &&
	       !totals(self, self->user).keys && !totals(self, self->all).keys;
}

/* The checks of a login, in the order on which the tests rely. */
enum { ADDRESS, USER, ALL, COUNT, OPS };

static void login(FIXTURE_DATA(transaction) *self, struct weir_op *ops, __s64 n)
{
	ops[ADDRESS] = check_of(self->address, n, ALICE);
	ops[USER] = check_of(self->user, n, ALICE);
	ops[ALL] = op_make(WEIR_OP_CHECK, self->all, n);
	ops[COUNT] = add_of(self->counter, n);
}

TEST_F(transaction, all)
{
	struct weir_op ops[OPS];

	login(self, ops, 3);
	ASSERT_EQ(0, run(self, ops, OPS));
	EXPECT_EQ(OPS, self->done);
	for (int i = 0; i < OPS; i++) {
		EXPECT_EQ(0, ops[i].result);
		EXPECT_EQ(WEIR_ALLOWED, ops[i].verdict);
		EXPECT_EQ(i, ops[i].decided);
		EXPECT_EQ(i == COUNT ? 0 : 7, ops[i].remaining);
		EXPECT_EQ(i == COUNT ? 0 : 10, ops[i].limit);
	}
	EXPECT_EQ(7, left(self, self->address, ALICE));
	EXPECT_EQ(7, left(self, self->user, ALICE));
	EXPECT_EQ(7, left(self, self->all, 0));
	EXPECT_EQ(3, counted(self));
	EXPECT_EQ(1, totals(self, self->address).allowed);
	EXPECT_EQ(1, totals(self, self->all).allowed);
}

TEST_F(transaction, none)
{
	struct weir_op ops[OPS], op;
	__u64 alice = ALICE, since = now_ns();

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->user, 8, &alice,
			     sizeof(alice)));
	login(self, ops, 3);
	ASSERT_EQ(0, run(self, ops, OPS));
	EXPECT_EQ(OPS, self->done);
	for (int i = 0; i < OPS; i++) {
		EXPECT_EQ(0, ops[i].result);
		EXPECT_EQ(WEIR_LIMITED, ops[i].verdict);
		EXPECT_EQ(USER, ops[i].decided);
		EXPECT_EQ(i == USER, ops[i].strikes);
	}
	EXPECT_EQ(10, ops[ADDRESS].remaining);
	EXPECT_EQ(0, ops[ADDRESS].retry_after);
	EXPECT_EQ(2, ops[USER].remaining);
	EXPECT_TRUE(lasts("retry", ops[USER].retry_after, DAY / 10, since));
	EXPECT_EQ(10, ops[ALL].remaining);
	EXPECT_EQ(10, left(self, self->address, ALICE));
	EXPECT_EQ(2, left(self, self->user, ALICE));
	EXPECT_EQ(10, left(self, self->all, 0));
	EXPECT_EQ(0, counted(self));
	/* a check that did not decide is not counted, and leaves no entry */
	EXPECT_EQ(0, totals(self, self->address).allowed);
	EXPECT_EQ(0, totals(self, self->address).limited);
	EXPECT_EQ(0, totals(self, self->address).keys);
	EXPECT_EQ(1, totals(self, self->user).limited);
	EXPECT_EQ(1, totals(self, self->user).strikes);
	EXPECT_EQ(0, totals(self, self->all).keys);
}

/* The second refusal is the second strike, and bans in the same call. */
TEST_F(transaction, ban)
{
	struct weir_op ops[OPS];

	login(self, ops, 3);
	ops[USER].n = 11;
	ASSERT_EQ(0, run(self, ops, OPS));
	EXPECT_EQ(WEIR_LIMITED, ops[USER].verdict);
	EXPECT_EQ(WEIR_NEVER, ops[USER].retry_after);
	EXPECT_EQ(1, ops[USER].strikes);
	login(self, ops, 3);
	ops[USER].n = 11;
	ASSERT_EQ(0, run(self, ops, OPS));
	for (int i = 0; i < OPS; i++) {
		EXPECT_EQ(WEIR_BANNED, ops[i].verdict);
		EXPECT_EQ(USER, ops[i].decided);
		EXPECT_EQ(i == USER ? WEIR_OUT_BANNED_NOW : 0, ops[i].out_flags);
		EXPECT_EQ(i == USER ? DAY : 0, ops[i].banned_for);
	}
	login(self, ops, 1);
	ASSERT_EQ(0, run(self, ops, OPS));
	EXPECT_EQ(WEIR_BANNED, ops[ADDRESS].verdict);
	EXPECT_EQ(USER, ops[ADDRESS].decided);
	EXPECT_EQ(0, ops[USER].out_flags);
	EXPECT_EQ(1, totals(self, self->user).bans);
	EXPECT_EQ(10, left(self, self->address, ALICE));
	EXPECT_EQ(0, counted(self));
}

/* If several checks refuse, the first one decides, and the others are not counted. */
TEST_F(transaction, first_decides)
{
	struct weir_op ops[OPS];

	login(self, ops, 11);
	ASSERT_EQ(0, run(self, ops, OPS));
	EXPECT_EQ(ADDRESS, ops[USER].decided);
	EXPECT_EQ(1, totals(self, self->address).limited);
	EXPECT_EQ(0, totals(self, self->user).limited);
	EXPECT_EQ(0, totals(self, self->user).strikes);
	EXPECT_EQ(0, totals(self, self->all).limited);
}

TEST_F(transaction, one_key_twice)
{
	__u64 since = now_ns();
	struct weir_op ops[3] = {
		check_of(self->user, 6, ALICE), check_of(self->user, 5, BOB),
		check_of(self->user, 5, ALICE),
	};

	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_LIMITED, ops[0].verdict);
	EXPECT_EQ(2, ops[0].decided);
	EXPECT_EQ(10, ops[2].remaining);
	/* a cost of 11 never fits into a limit of 10 */
	EXPECT_EQ(WEIR_NEVER, ops[2].retry_after);
	EXPECT_EQ(1, ops[2].strikes);
	EXPECT_EQ(10, left(self, self->user, ALICE));
	ops[0] = check_of(self->user, 6, ALICE);
	ops[2] = check_of(self->user, 4, ALICE);
	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(4, ops[0].remaining);
	EXPECT_EQ(0, ops[2].remaining);
	EXPECT_EQ(0, left(self, self->user, ALICE));
	EXPECT_EQ(5, left(self, self->user, BOB));
	/* 3 + 2 of the 5 tokens left fit; 3 + 4 fit when 2 have come back */
	ops[0] = check_of(self->user, 3, BOB);
	ops[1] = check_of(self->user, 4, BOB);
	ASSERT_EQ(0, run(self, ops, 2));
	EXPECT_EQ(1, ops[0].decided);
	EXPECT_TRUE(lasts("retry", ops[1].retry_after, 2 * (DAY / 10), since));
}

/* Two new keys and one free entry: there is not enough room, now or later. */
TEST_F(transaction, one_place)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op ops[2], op;
	__u64 key = 3;
	__u32 small;

	config.max_keys = 2;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &config, &small));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, small, 1, &key, 8));
	for (int i = 0; i < 3; i++) {
		ops[0] = check_of(small, 1, 1);
		ops[1] = check_of(small, 1, 2);
		ASSERT_EQ(0, run(self, ops, 2));
		EXPECT_EQ(WEIR_FULL, ops[0].verdict);
		/* refused checks leave no entry behind */
		EXPECT_EQ(1, totals(self, small).keys);
	}
	/* each of them fits alone */
	ASSERT_EQ(0, run(self, ops, 1));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	ASSERT_EQ(0, run(self, ops, 2));
	EXPECT_EQ(WEIR_FULL, ops[0].verdict);
	EXPECT_EQ(1, ops[0].decided);
	EXPECT_EQ(9, ops[0].remaining);
}

/* Room for many new keys is made of idle entries, not of each other's entries. */
TEST_F(transaction, room_for_many)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op ops[WEIR_TRANSACTION_CHECKS], op;
	__u64 key = 0;
	__u32 small;

	config.period = 10000000;	/* all entries are idle 10 ms later */
	config.max_keys = WEIR_TRANSACTION_CHECKS;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &config, &small));
	for (; key < WEIR_TRANSACTION_CHECKS; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, small, 1, &key, 8));
	for (int round = 0; round < 20; round++) {
		usleep(20000);
		for (int i = 0; i < WEIR_TRANSACTION_CHECKS; i++)
			ops[i] = check_of(small, 10, key++);
		ASSERT_EQ(0, run(self, ops, WEIR_TRANSACTION_CHECKS));
		ASSERT_EQ(WEIR_ALLOWED, ops[0].verdict);
		ASSERT_GE(WEIR_TRANSACTION_CHECKS, totals(self, small).keys);
	}
}

/* If another limit refuses, new keys get no entry. */
TEST_F(transaction, refused_makes_no_entry)
{
	struct weir_op ops[2], op;

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->all, 10, NULL, 0));
	for (__u64 key = 0; key < 1000; key++) {
		ops[0] = check_of(self->user, 1, key);
		ops[1] = op_make(WEIR_OP_CHECK, self->all, 1);
		ASSERT_EQ(0, run(self, ops, 2));
		ASSERT_EQ(WEIR_LIMITED, ops[0].verdict);
	}
	EXPECT_EQ(0, totals(self, self->user).keys);
	EXPECT_EQ(0, totals(self, self->user).evicted + totals(self, self->user).expired);
}

TEST_F(transaction, largest)
{
	struct weir_op ops[WEIR_TRANSACTION_MAX + 1];
	__u32 i;

	for (i = 0; i < WEIR_TRANSACTION_CHECKS; i++)
		ops[i] = check_of(i % 2 ? self->user : self->address, 1, 100 + i);
	for (; i <= WEIR_TRANSACTION_MAX; i++)
		ops[i] = add_of(self->counter, 1);
	EXPECT_EQ(-EINVAL, run(self, ops, i));
	EXPECT_EQ(0, self->done);
	EXPECT_EQ(-EINVAL, run(self, ops, 0));
	EXPECT_EQ(0, counted(self));
	ASSERT_EQ(0, run(self, ops, i - 1));
	EXPECT_EQ(WEIR_TRANSACTION_MAX, self->done);
	EXPECT_EQ(WEIR_TRANSACTION_MAX - WEIR_TRANSACTION_CHECKS, counted(self));
	EXPECT_EQ(8, totals(self, self->user).allowed);
	EXPECT_EQ(8, totals(self, self->user).keys);
	ops[WEIR_TRANSACTION_CHECKS] = check_of(self->user, 1, 1);
	EXPECT_EQ(-EINVAL, run(self, ops, WEIR_TRANSACTION_CHECKS + 1));
	EXPECT_EQ(0, self->done);
	EXPECT_EQ(8, totals(self, self->user).allowed);
}

/* A transaction of adds cannot be refused. */
TEST_F(transaction, adds)
{
	struct weir_op ops[2] = {
		add_of(self->counter, 5), op_make(WEIR_OP_ADD, self->counter, 0),
	};
	__s64 value;

	ops[1].arg = 3;
	ops[1].values[0] = 10;
	ops[1].values[1] = -20;
	ASSERT_EQ(0, run(self, ops, 2));
	EXPECT_EQ(WEIR_ALLOWED, ops[1].verdict);
	EXPECT_EQ(15, counted(self));
	EXPECT_EQ(0, counter_read(self->fd, self->counter, 1, &value));
	EXPECT_EQ(-20, value);
}

/* Keys and values behind the pointer of the op. */
TEST_F(transaction, pointers)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_TEXT);
	__s64 values[2] = { 7, 8 };
	char name[WEIR_KEY_MAX];
	struct weir_op ops[2], op;
	__u32 text;

	memset(name, 'x', sizeof(name));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "text", &config, &text));
	ops[0] = op_make(WEIR_OP_CHECK, text, 4);
	op_key(&ops[0], name, sizeof(name));
	ops[1] = op_make(WEIR_OP_ADD, self->counter, 0);
	ops[1].arg = 3;
	ops[1].flags = WEIR_OP_PTR;
	ops[1].ptr = address(values);
	ASSERT_EQ(0, run(self, ops, 2));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(7, counted(self));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, text, 1, name,
			     sizeof(name)));
	EXPECT_EQ(6, op.remaining);
	ops[1].ptr = 8;
	ASSERT_EQ(0, run(self, ops, 2));
	EXPECT_EQ(-ECANCELED, ops[0].result);
	EXPECT_EQ(-EFAULT, ops[1].result);
	EXPECT_EQ(7, counted(self));
}

/* One bad op, first or last, has its error; the others are cancelled. */
static bool fails(FIXTURE_DATA(transaction) *self, struct weir_op bad, int err)
{
	static const struct weir_op zero;
	const size_t from = offsetof(struct weir_op, verdict);
	struct weir_op ops[OPS + 1];

	for (int at = 0; at <= OPS; at += OPS) {
		login(self, at ? ops : ops + 1, 1);
		ops[at] = bad;
		if (run(self, ops, OPS + 1) || self->done != OPS + 1)
			return false;
		for (int i = 0; i <= OPS; i++)
			if (ops[i].result != (i == at ? err : -ECANCELED) ||
			    memcmp((char *)&ops[i] + from, (char *)&zero + from,
				   sizeof(zero) - from))
				return false;
	}
	return untouched(self);
}

TEST_F(transaction, failures)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	__u32 handle, sequence;
	struct weir_op bad;

	EXPECT_TRUE(fails(self, check_of(self->user + 100, 1, 1), -EBADF));
	EXPECT_TRUE(fails(self, check_of(self->counter, 1, 1), -EOPNOTSUPP));
	EXPECT_TRUE(fails(self, add_of(self->user, 1), -EOPNOTSUPP));
	EXPECT_TRUE(fails(self, check_of(self->user, 0, 1), -EINVAL));
	EXPECT_TRUE(fails(self, check_of(self->user, 1LL << 32, 1), -EINVAL));
	EXPECT_TRUE(fails(self, check_of(self->all, 1, 1), -EINVAL));
	bad = check_of(self->user, 1, 1);
	bad.key_len = 7;
	EXPECT_TRUE(fails(self, bad, -EINVAL));
	bad = check_of(self->user, 1, 1);
	bad.plan = 1;
	EXPECT_TRUE(fails(self, bad, -EINVAL));
	bad = check_of(self->user, 1, 1);
	bad.flags = 2;
	EXPECT_TRUE(fails(self, bad, -EINVAL));
	bad = add_of(self->counter, 1);
	bad.arg = 4;
	EXPECT_TRUE(fails(self, bad, -EINVAL));
	bad.arg = 0;
	EXPECT_TRUE(fails(self, bad, -EINVAL));
	ASSERT_EQ(0, counter_create(self->fd, OURS "sequence",
				    WEIR_COUNTER_SEQUENCE, 0, &sequence));
	EXPECT_TRUE(fails(self, add_of(sequence, 1), -EOPNOTSUPP));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_LIMITER, OURS "user",
				 WEIR_RIGHT_OBSERVE, &handle));
	EXPECT_TRUE(fails(self, check_of(handle, 1, 1), -EACCES));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "dead", &config, &handle));
	ASSERT_EQ(0, object_delete(self->fd, handle));
	EXPECT_TRUE(fails(self, check_of(handle, 1, 1), -ENODEV));
}

/* A transaction may have only checks and adds, because only these can be undone. */
TEST_F(transaction, opcodes)
{
	struct weir_op bad;

	for (__u16 opcode = 0; opcode < 0x40; opcode++) {
		if (opcode == WEIR_OP_CHECK || opcode == WEIR_OP_ADD)
			continue;
		bad = check_of(self->user, 1, 1);
		bad.opcode = opcode;
		EXPECT_TRUE(fails(self, bad, -EINVAL)) {
			printf("# opcode %#x\n", opcode);
		}
	}
}

TEST_F(transaction, bad_memory)
{
	struct pane pane = pane_make();
	struct weir_op *ops = pane_before(&pane, OPS * sizeof(*ops));
	struct weir_op copy[OPS];

	login(self, copy, 1);
	/* memory ends in the input of the last op first, then in its output */
	for (size_t gone = 8; gone <= sizeof(*ops); gone += 8) {
		ops = (void *)((char *)pane_before(&pane, sizeof(copy)) + gone);
		pane_protect(&pane, PROT_READ | PROT_WRITE);
		memcpy(ops, copy, sizeof(copy));
		pane_protect(&pane, PROT_NONE);
		EXPECT_EQ(-EFAULT, run(self, ops, OPS));
		pane_protect(&pane, PROT_READ);
		EXPECT_EQ(-EFAULT, run(self, ops, OPS));
	}
	EXPECT_TRUE(untouched(self));
	pane_free(&pane);
}

/* There is no room for one of the keys. */
TEST_F(transaction, full)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op ops[3], op;
	__u64 key = 1;
	__u32 small;

	config.max_keys = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &config, &small));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, small, 1, &key, 8));
	ops[0] = check_of(self->user, 1, ALICE);
	ops[1] = check_of(small, 1, 2);
	ops[2] = add_of(self->counter, 1);
	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_FULL, ops[0].verdict);
	EXPECT_EQ(1, ops[2].decided);
	EXPECT_EQ(WEIR_NEVER, ops[1].retry_after);
	EXPECT_EQ(10, left(self, self->user, ALICE));
	EXPECT_EQ(0, counted(self));
	EXPECT_EQ(1, totals(self, small).full);
	EXPECT_EQ(1, totals(self, small).keys);
	/* a key that has an entry is charged nevertheless */
	ops[1] = check_of(small, 1, 1);
	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(8, ops[1].remaining);

	config.when_full = WEIR_FULL_ALLOW;
	ASSERT_EQ(0, limiter_set(self->fd, small, WEIR_SET_WHEN_FULL, &config));
	ops[1] = check_of(small, 1, 2);
	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_ALLOWED, ops[1].verdict);
	EXPECT_EQ(WEIR_OUT_UNTRACKED, ops[1].out_flags);
	EXPECT_EQ(2, counted(self));
	EXPECT_EQ(8, left(self, self->user, ALICE));
	/* an untracked check is not counted if another check refuses */
	key = totals(self, small).allowed;
	ops[0] = check_of(small, 1, 2);
	ops[1] = check_of(self->user, 11, ALICE);
	ASSERT_EQ(0, run(self, ops, 3));
	EXPECT_EQ(WEIR_LIMITED, ops[0].verdict);
	EXPECT_EQ(0, ops[0].out_flags);
	EXPECT_EQ(key, totals(self, small).allowed);
}

TEST_HARNESS_MAIN
