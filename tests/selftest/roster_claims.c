// SPDX-License-Identifier: GPL-2.0-only
/* roster_claims - several CLAIMs in one submission: all of them, or none */
#include "harness.h"

#include "roster.h"

FIXTURE(claims) {
	int fd;
	__u32 r;
};

FIXTURE_SETUP(claims)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 4);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, roster_create(self->fd, OURS "claims", &config, &self->r));
}

FIXTURE_TEARDOWN(claims)
{
	close(self->fd);
	objects_wipe();
}

TEST_F(claims, all_or_none)
{
	struct weir_op ops[3] = {
		lease_make(WEIR_OP_CLAIM, self->r, "a", 0, 0),
		lease_make_detached(WEIR_OP_CLAIM, self->r, "b", HOUR),
		lease_make(WEIR_OP_CLAIM, self->r, "c", 0, 0),
	};
	struct weir_op again[3];

	memcpy(again, ops, sizeof(ops));
	ASSERT_EQ(0, claims_run(self->fd, ops, 3));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, ops[i].result);
		EXPECT_EQ(i + 1, ops[i].version);
		EXPECT_EQ(i == 1 ? WEIR_OUT_DETACHED : WEIR_OUT_MINE, ops[i].out_flags);
	}
	/* one key has a lease: no lease is made */
	ASSERT_EQ(0, lease_remove(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_remove(self->fd, self->r, "b"));
	ASSERT_EQ(-EEXIST, claims_run(self->fd, again, 3));
	EXPECT_EQ(-ECANCELED, again[0].result);
	EXPECT_EQ(0, again[0].version);
	EXPECT_EQ(-ECANCELED, again[1].result);
	EXPECT_EQ(-EEXIST, again[2].result);
	EXPECT_EQ(3, again[2].version);
	EXPECT_EQ(getpid(), again[2].pid);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "b"));
	EXPECT_EQ(1, roster_stats(self->fd, self->r).members);
}

TEST_F(claims, room)
{
	struct weir_op ops[5], op;
	static const char *const keys[] = { "a", "b", "c", "d", "e" };

	for (int i = 0; i < 5; i++)
		ops[i] = lease_make(WEIR_OP_CLAIM, self->r, keys[i], 0, 0);
	ASSERT_EQ(-ENOSPC, claims_run(self->fd, ops, 5));
	EXPECT_EQ(-ENOSPC, ops[0].result);
	EXPECT_EQ(0, roster_stats(self->fd, self->r).members);
	EXPECT_EQ(1, roster_stats(self->fd, self->r).full);
	/* expired leases make room: one of the same key, two of other keys */
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 1));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "x", 0, 1));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "y", 0, 1));
	ASSERT_EQ(0, claims_run(self->fd, ops, 4));
	EXPECT_EQ(4, roster_stats(self->fd, self->r).members);
	EXPECT_EQ(3, roster_stats(self->fd, self->r).expired);
}

TEST_F(claims, refused)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 1);
	struct weir_op ops[16], bad;
	char key[2] = "a";
	__u32 small;

	/* the same key twice; another opcode; two rosters, one of which is full */
	ops[0] = lease_make(WEIR_OP_CLAIM, self->r, "a", 0, 0);
	ops[1] = lease_make(WEIR_OP_CLAIM, self->r, "a", 0, 0);
	EXPECT_EQ(-EINVAL, claims_run(self->fd, ops, 2));
	EXPECT_EQ(-ECANCELED, ops[0].result);
	ops[1] = lease_make(WEIR_OP_PUT, self->r, "b", 0, 0);
	EXPECT_EQ(-EINVAL, claims_run(self->fd, ops, 2));
	bad = ops[0];
	ops[0] = ops[1];
	ops[1] = bad;
	EXPECT_EQ(-EINVAL, claims_run(self->fd, ops, 2));
	for (int i = 0; i < 16; i++, key[0]++)
		ops[i] = lease_make(WEIR_OP_CLAIM, self->r, key, 0, 0);
	EXPECT_EQ(-ENOSPC, claims_run(self->fd, ops, 16));
	ASSERT_EQ(0, roster_create(self->fd, OURS "small", &config, &small));
	ops[1].handle = small;
	ASSERT_EQ(0, claims_run(self->fd, ops, 2));
	ops[2].handle = small;
	EXPECT_EQ(-ENOSPC, claims_run(self->fd, ops + 2, 2));
	EXPECT_EQ(-ENOSPC, ops[2].result);
	EXPECT_EQ(-ECANCELED, ops[3].result);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "d"));
	EXPECT_EQ(1, roster_stats(self->fd, self->r).members);
	/* in the other order, the slots that were reserved first are released */
	EXPECT_EQ(-ENOSPC, claims_run(self->fd, (struct weir_op[]){ ops[3], ops[2] }, 2));
	EXPECT_EQ(1, roster_stats(self->fd, self->r).members);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, lease_claim(self->fd, self->r, (char[]){ 'x' + i, 0 }));
	EXPECT_EQ(-ENOSPC, lease_claim(self->fd, self->r, "w"));
}

TEST_HARNESS_MAIN
