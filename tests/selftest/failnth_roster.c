// SPDX-License-Identifier: GPL-2.0-only
/* failnth_roster - failures in calls about rosters */
#include "failnth.h"

static int create_roster(FIXTURE_DATA(failnth) *self)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_IP, 0);

	return create_new(self, WEIR_KIND_ROSTER, &config);
}

TEST_F(failnth, create_roster)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_roster);
}

static const char *const five[] = { "name", "config", "group1", "group2", "group3" };

static int remove_five(int fd, __u32 roster)
{
	for (int i = 0; i < 5; i++)
		lease_remove(fd, roster, five[i]);
	return 0;
}

#define VALUE "a value that is to be copied"

static int claim_one(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->roster, five[0], VALUE,
				  sizeof(VALUE), 0, 0);

	return op_outcome(self, ret, remove_five, self->roster);
}

static int claim_five(FIXTURE_DATA(failnth) *self)
{
	struct weir_lease lease[5];
	struct weir_op ops[5];
	unsigned int there = 0;
	int ret;

	for (int i = 0; i < 5; i++)
		ops[i] = lease_make_value(WEIR_OP_CLAIM, self->roster, five[i], &lease[i],
					  VALUE, sizeof(VALUE), 0, 0);
	ret = claims_run(self->fd, ops, 5);
	if (ret == -EFAULT) {
		/* if only the answer was lost, all leases may exist, but not some of them */
		fail_at(0);
		for (int i = 0; i < 5; i++)
			there += !lease_find(self->fd, self->roster, five[i]);
		if (there % 5)
			abort();
	}
	return op_outcome(self, ret, remove_five, self->roster);
}

static int replace_one(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;

	if (lease_run(self->fd, &op, WEIR_OP_LEASE_GET, self->roster, "stays", 0, 0))
		return -EFAULT;
	return lease_run_value(self->fd, &op, WEIR_OP_REPLACE, self->roster, "stays", VALUE,
			       sizeof(VALUE), op.version, 0);
}

/* All five leases or none, whichever step fails. */
TEST_F(failnth, leases)
{
	struct sweep five_of = { .call = claim_five, .times = 3 };

	NEEDS_INJECTION();
	sweep(_metadata, self, claim_one);
	sweep_run(_metadata, self, &five_of);
	EXPECT_LT(0, five_of.no_memory);
	EXPECT_LT(0, five_of.no_copy);
	ASSERT_EQ(0, lease_claim(self->fd, self->roster, "stays"));
	sweep(_metadata, self, replace_one);
}

TEST_HARNESS_MAIN
