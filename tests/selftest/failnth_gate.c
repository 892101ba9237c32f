// SPDX-License-Identifier: GPL-2.0-only
/* failnth_gate - failures in calls about gates */
#include "failnth.h"
#include "queued.h"

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

/* One of two keys in turn. There is room for one, so each time an entry must be made. */
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

/* A second holder; the first one has all permits. */
static int second;
static __u32 seconds;
static __u64 in_an_hour;

static bool begin_behind(FIXTURE_DATA(failnth) *self)
{
	second = client_open(O_RDWR);
	guest = 7;
	in_an_hour = info_get(second).now + HOUR;
	return gate_try(self->fd, self->gate, &guest, 5) == WEIR_ALLOWED &&
	       !object_open(second, WEIR_KIND_GATE, OURS "failnth", WEIR_RIGHT_ALL,
			    &seconds);
}

static int leave_queue(int fd, __u32 handle)
{
	(void)fd;
	(void)handle;
	return queue_cancel(second, seconds, &guest);
}

static int join_queue(FIXTURE_DATA(failnth) *self)
{
	struct weir_op op;
	int ret = queue_run(second, &op, seconds, &guest, 2, in_an_hour);

	if (!ret && op.verdict != WEIR_QUEUED)
		return -EPROTO;
	return op_outcome(self, ret, leave_queue, 0);
}

TEST_F_TIMEOUT(failnth, queue, 300)
{
	NEEDS_INJECTION();
	ASSERT_TRUE(begin_behind(self));
	sweep(_metadata, self, join_queue);
	EXPECT_FALSE(told(second));
	close(second);
}

/* Collecting a request that has ended allocates no memory. */
TEST_F_TIMEOUT(failnth, collect, 300)
{
	unsigned int failures = 0;

	NEEDS_INJECTION();
	ASSERT_TRUE(begin_behind(self));
	for (int n = 1; n < 40; n++) {
		struct weir_op op;
		int ret;

		ASSERT_EQ(WEIR_QUEUED, queue(second, seconds, &guest, 2, WEIR_NEVER));
		ASSERT_EQ(0, gate_release(self->fd, self->gate, &guest, 2));
		ASSERT_TRUE(told(second));
		fail_at(n);
		ret = collect_run(second, &op, 1);
		failures += !steps_left();
		if (ret != -EFAULT)
			ASSERT_EQ(1, ret);
		if (ret == 1)
			ASSERT_EQ(WEIR_ALLOWED, op.verdict);
		/* the number may be what was lost; else it was not collected */
		if (ret < 0 && told(second))
			ASSERT_EQ(WEIR_ALLOWED, collect(second));
		ASSERT_FALSE(told(second));
		ASSERT_EQ(2, gate_state(second, seconds, &guest).held);
		ASSERT_EQ(0, gate_release(second, seconds, &guest, 2));
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &guest, 2));
	}
	/* the copies of the struct in and, before and after the op, out */
	EXPECT_EQ(4, failures);
	close(second);
}

TEST_HARNESS_MAIN
