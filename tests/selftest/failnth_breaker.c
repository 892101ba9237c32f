// SPDX-License-Identifier: GPL-2.0-only
/* failnth_breaker - failures in calls about breakers */
#include "failnth.h"

static int create_breaker(FIXTURE_DATA(failnth) *self)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_IP);

	return create_new(self, WEIR_KIND_BREAKER, &config);
}

TEST_F(failnth, create_breaker)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_breaker);
}

static int withdraw(int fd, __u32 handle)
{
	return breaker_report(fd, handle, NULL, 0, WEIR_CALL_WITHDRAWN);
}

static int probe(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = breaker_run(self->fd, &op, WEIR_OP_ALLOW, self->breaker, NULL, 0, 0);

	if (!ret && op.out_flags != WEIR_OUT_PROBE)
		return -EPROTO;
	return op_outcome(self, ret, withdraw, self->breaker);
}

TEST_F(failnth, probe_of_a_breaker)
{
	NEEDS_INJECTION();
	ASSERT_EQ(0, breaker_half_open(self->fd, self->breaker, NULL));
	sweep(_metadata, self, probe);
}

/* Report a failure of a new key each time, so that an entry must be made. */
static int fail_new(FIXTURE_DATA(failnth) *self)
{
	static __u64 key;
	struct weir_op op;
	int ret;

	key++;
	ret = breaker_run(self->fd, &op, WEIR_OP_REPORT, self->breakers, &key,
			  WEIR_CALL_FAILED, 0);
	if (ret == -ENOMEM) {
		fail_at(0);
		if (breaker_look(self->fd, self->breakers, &key).failures)
			return -EPROTO;
	}
	return then(self, ret, NULL, 0);
}

TEST_F(failnth, report_of_a_new_key)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, fail_new);
}

TEST_HARNESS_MAIN
