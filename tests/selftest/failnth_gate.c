// SPDX-License-Identifier: GPL-2.0-only
/* failnth_gate - what fails in calls about gates */
#include "failnth.h"

static int create_gate(FIXTURE_DATA(failnth) *self)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_IP, 3);

	return create_new(self, WEIR_KIND_GATE, &config);
}

TEST_F(failnth, create_gate)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, create_gate);
}

static int permits_back(int fd, __u32 handle)
{
	return gate_resize(fd, handle, 5);
}

static int resize(FIXTURE_DATA(failnth) *self)
{
	int ret = gate_resize(self->fd, self->gate, 6);

	return then(self, ret, permits_back, self->gate);
}

TEST_F(failnth, resize_of_a_gate)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, resize);
}

/* Of two keys in turn, for which there is one place: each time one must be made. */
static __u64 guest;

static int leave_gate(int fd, __u32 handle)
{
	return gate_release(fd, handle, &guest, 2);
}

static int enter_gate(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret;

	guest = !guest;
	ret = gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, &guest, 2, 0);
	if (!ret && op.verdict != WEIR_ALLOWED)
		return -EPROTO;
	return op_outcome(self, ret, leave_gate, self->gate);
}

TEST_F(failnth, acquire_of_a_new_key)
{
	NEEDS_INJECTION();
	sweep(_metadata, self, enter_gate);
}

TEST_HARNESS_MAIN
