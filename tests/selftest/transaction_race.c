// SPDX-License-Identifier: GPL-2.0-only
/* transaction_race - concurrent transactions, and changes of the objects that they charge */
#include "harness.h"

#include "crowd.h"
#include "transaction.h"
#include "verdict.h"

/* Change, fill, delete and create a limiter that the transactions of others use. */
static int nuisance(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(transaction) *self = arg;
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	__u64 key = me % 4;

	for (int i = 0; !crowd->flag; i++) {
		key_run(self->fd, &op, WEIR_OP_FORGET, self->user, 0, &key, 8);
		config.tokens = 10 + i % 5;
		if (limiter_set(self->fd, self->address, WEIR_SET_RATE, &config))
			return 1;
		key_run(self->fd, &op, WEIR_OP_BAN, self->address, 0, &key, 8);
		op = op_make(WEIR_OP_BAN, self->address, 0);
		op.arg = 1000;
		op_key(&op, &key, 8);
		op_run(self->fd, &op);
		key_run(self->fd, &op, WEIR_OP_LIFT, self->address, 0, &key, 8);
		crowd->seat[me].done++;
	}
	return 0;
}

/* Locks of entries are taken in each possible order, while entries are created and dropped. */
static int orders(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(transaction) *self = arg;
	struct weir_op ops[5];

	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int a = (me + i) % 4, b = i / 4 % 4;

		ops[0] = check_of(self->user, 1, a);
		ops[1] = check_of(self->address, 1, b);
		ops[2] = check_of(self->user, 1, b);
		ops[3] = check_of(self->address, 1, a);
		ops[4] = add_of(self->counter, 1);
		if (run(self, ops, 5) || ops[4].result ||
		    ops[4].verdict < WEIR_ALLOWED ||
		    ops[4].verdict > WEIR_BANNED)
			return 1;
		crowd->seat[me].tally[0] += ops[4].verdict == WEIR_ALLOWED;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(transaction, no_deadlock)
{
	struct crowd *crowd = crowd_make(4), *others = crowd_make(2);

	/* forgotten keys are fresh again, so some checks are allowed all the time */
	crowd_spawn(others, nuisance, self);
	crowd_start(others);
	EXPECT_EQ(0, crowd_run(crowd, orders, self));
	others->flag = 1;
	EXPECT_EQ(0, crowd_wait(others));
	EXPECT_EQ(4 * 2000, crowd_done(crowd));
	EXPECT_EQ(crowd_tally(crowd, 0), counted(self));
	crowd_free(others);
	crowd_free(crowd);
}

/*
 * Two keys have room for one caller at a time, and callers refund their charges. So there is always
 * a race for the last token. A charge of only one of the keys would never come back.
 */
static int last_token(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(transaction) *self = arg;
	__u64 keys[2] = { ALICE, BOB };
	struct weir_op ops[3], op;

	for (unsigned int i = 0; i < 5000; i++) {
		ops[0] = check_of(self->address, 10, keys[(me + i) % 2]);
		ops[1] = check_of(self->address, 10, keys[(me + i + 1) % 2]);
		ops[2] = add_of(self->counter, 1);
		if (run(self, ops, 3))
			return 1;
		crowd->seat[me].done++;
		if (ops[2].verdict != WEIR_ALLOWED)
			continue;
		crowd->seat[me].tally[0]++;
		for (int k = 0; k < 2; k++)
			if (key_run(self->fd, &op, WEIR_OP_REFUND, self->address,
				    10, &keys[k], sizeof(keys[k])))
				return 2;
	}
	return 0;
}

TEST_F(transaction, last_token)
{
	struct crowd *crowd = crowd_make(4);

	EXPECT_EQ(0, crowd_run(crowd, last_token, self));
	EXPECT_EQ(4 * 5000, crowd_done(crowd));
	EXPECT_LT(0, crowd_tally(crowd, 0));
	EXPECT_EQ(crowd_tally(crowd, 0), counted(self));
	EXPECT_EQ(crowd_tally(crowd, 0), totals(self, self->address).allowed / 2);
	EXPECT_EQ(10, left(self, self->address, ALICE));
	EXPECT_EQ(10, left(self, self->address, BOB));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
