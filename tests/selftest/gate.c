// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate - gates as objects: configuration, operations that do not wait, every errno
 *
 * gate_wait tests waiting, gate_owner tests holders.
 */
#include "harness.h"

#include <arpa/inet.h>

#include "gate.h"
#include "person.h"

#define PERMITS	5

FIXTURE(calls) {
	int fd;
	__u32 gate;		/* without keys */
	__u32 keyed;		/* keys are numbers, at most 3 */
};

FIXTURE_SETUP(calls)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	config = gate_config(WEIR_KEY_U64, PERMITS);
	config.max_keys = 3;
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &self->keyed));
}

FIXTURE_TEARDOWN(calls)
{
	close(self->fd);
	objects_wipe();
}

static const __u64 A = 1, B = 2, C = 3, D = 4;

TEST_F(calls, info)
{
	EXPECT_TRUE(info_get(self->fd).features & WEIR_FEATURE_GATE);
}

TEST_F(calls, defaults)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_IP, 7), seen;
	__u32 gate;

	ASSERT_EQ(0, gate_create(self->fd, OURS "ip", &config, &gate));
	ASSERT_EQ(0, gate_get(self->fd, gate, &seen));
	config.max_keys = 65536;
	config.prefix4 = 32;
	config.prefix6 = 64;
	EXPECT_EQ(0, memcmp(&seen, &config, sizeof(config)));
	config = gate_config(WEIR_KEY_NONE, PERMITS);
	config.max_keys = 1;
	ASSERT_EQ(0, gate_get(self->fd, self->gate, &seen));
	EXPECT_EQ(0, memcmp(&seen, &config, sizeof(config)));
}

TEST_F(calls, config_refused)
{
	struct weir_gate_config good = gate_config(WEIR_KEY_NONE, 1), bad;
	__u32 gate;

#define REFUSED(err, change)						\
	do {								\
		bad = good;						\
		change;							\
		EXPECT_EQ(-(err), gate_create(self->fd, OURS "bad", &bad, &gate)) \
			TH_LOG("%s", #change);				\
	} while (0)
	REFUSED(EINVAL, bad.permits = 0);
	REFUSED(EINVAL, bad.permits = WEIR_PERMITS_MAX + 1);
	REFUSED(EINVAL, bad.key_type = 4);
	REFUSED(EINVAL, bad.max_keys = 2);
	REFUSED(EINVAL, bad.prefix4 = 24);
	REFUSED(EINVAL, bad.prefix6 = 24);
	REFUSED(EINVAL, bad.reserved[0] = 1);
	REFUSED(EINVAL, bad.reserved[5] = 1);
	REFUSED(EINVAL, bad.size = offsetof(struct weir_gate_config, reserved) - 1);
	REFUSED(EINVAL, bad.size = 0);
	good.key_type = WEIR_KEY_IP;
	REFUSED(EINVAL, bad.prefix4 = 33);
	REFUSED(EINVAL, bad.prefix6 = 129);
	REFUSED(EINVAL, bad.max_keys = WEIR_KEYS_MAX + 1);
	EXPECT_EQ(-EFAULT, gate_create(self->fd, OURS "bad", NULL, &gate));
	EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_GATE, OURS "bad",
				       WEIR_RIGHT_USE, &gate));
	/* the ends of the ranges */
	good.permits = WEIR_PERMITS_MAX;
	good.queue_max = ~0U;
	good.prefix4 = 1;
	good.prefix6 = 128;
	good.max_keys = 1;
	EXPECT_EQ(0, gate_create(self->fd, OURS "bad", &good, &gate));
	EXPECT_EQ(WEIR_ALLOWED, ({
		struct weir_op op = op_make(WEIR_OP_ACQUIRE, gate, WEIR_PERMITS_MAX);

		op_key(&op, "\1\2\3\4", 4);
		op_run(self->fd, &op) ?: (int)op.verdict;
	}));
}

TEST_F(calls, acquire_and_release)
{
	struct weir_op op;

	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_GATE_STATE, self->gate, NULL, 0, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, PERMITS, 0, 0));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 2, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 3, 0, 2));
	/* a deadline in the future makes no difference if there is no need to wait */
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 3,
			      WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 0, 0, 5));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 0, 0, 5));
	/* a deadline that has passed */
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1, 1));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 0, 0, 5));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_RELEASE, self->gate, NULL, 4, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, 4, 0, 1));
	EXPECT_EQ(-ENOENT, gate_release(self->fd, self->gate, NULL, 2));
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(-ENOENT, gate_release(self->fd, self->gate, NULL, 1));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_GATE_STATE, self->gate, NULL, 0, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, PERMITS, 0, 0));
}

TEST_F(calls, stats)
{
	struct weir_gate_stats s;
	struct weir_op op;

	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 2));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &B, 5));
	EXPECT_EQ(WEIR_LIMITED, gate_try(self->fd, self->keyed, &B, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &C, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, self->keyed, &D, 1));
	EXPECT_EQ(-E2BIG, gate_try(self->fd, self->keyed, &A, 6));
	EXPECT_EQ(0, gate_release(self->fd, self->keyed, &A, 1));
	s = gate_stats(self->fd, self->keyed);
	EXPECT_EQ(0, s.reserved);
	EXPECT_EQ(PERMITS, s.permits);
	EXPECT_EQ(8, s.in_use);
	EXPECT_EQ(0, s.waiting);
	EXPECT_EQ(4, s.acquired);
	EXPECT_EQ(2, s.refused);
	EXPECT_EQ(0, s.timeouts);
	EXPECT_EQ(0, s.reclaimed);
	EXPECT_EQ(3, s.keys);
	EXPECT_EQ(3, s.max_keys);
	EXPECT_EQ(1, s.full);
	/* a wait that times out, for permits that another file holds */
	close(self->fd);
	self->fd = client_open(O_RDWR);
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
				 &self->keyed));
	s = gate_stats(self->fd, self->keyed);
	EXPECT_EQ(0, s.in_use);
	EXPECT_EQ(8, s.reclaimed);
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 5));
	EXPECT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 1, self->keyed, &B, 5, 0));
	EXPECT_EQ(-EDEADLK, gate_run_as(self->fd, 1, &op, WEIR_OP_ACQUIRE, self->keyed, &B,
					1, WEIR_NEVER));
	s = gate_stats(self->fd, self->keyed);
	EXPECT_EQ(6, s.acquired);
	EXPECT_EQ(2, s.refused);
}

/* A malformed op is refused before anything is done. */
TEST_F(calls, op_refused)
{
	struct weir_op good = op_make(WEIR_OP_ACQUIRE, self->gate, 1), bad;

#define BAD(err, change)						\
	do {								\
		bad = good;						\
		change;							\
		EXPECT_EQ(-(err), op_run(self->fd, &bad))		\
			TH_LOG("%s", #change);				\
	} while (0)
	for (__u16 opcode = WEIR_OP_ACQUIRE; opcode <= WEIR_OP_RELEASE; opcode++) {
		good.opcode = opcode;
		BAD(EINVAL, bad.n = 0);
		BAD(EINVAL, bad.n = -1);
		BAD(EINVAL, bad.n = 1LL << 32);
		BAD(EINVAL, bad.flags = 8);
		BAD(EINVAL, bad.plan = 1);
		BAD(EINVAL, bad.key[31] = 1);
		BAD(EINVAL, op_key(&bad, &A, 8));
		BAD(EINVAL, bad.key_len = WEIR_KEY_MAX + 1);
		BAD(EBADF, bad.handle = 4711);
		BAD(EINVAL, bad.handle = self->keyed);
		BAD(EINVAL, op_key(&bad, &A, 4); bad.handle = self->keyed);
		BAD(EFAULT, bad.flags = WEIR_OP_PTR; bad.ptr = 1; bad.key_len = 8;
		    bad.handle = self->keyed);
	}
	BAD(EINVAL, bad.arg = 1);			/* RELEASE */
	BAD(EINVAL, bad.flags = WEIR_OP_ASYNC);
	good.n = 0;
	for (__u16 opcode = WEIR_OP_GATE_STATE; opcode <= WEIR_OP_CANCEL; opcode++) {
		good.opcode = opcode;
		BAD(EINVAL, bad.n = 1);
		BAD(EINVAL, bad.arg = 1);
		BAD(EINVAL, bad.flags = WEIR_OP_ASYNC);
		BAD(EINVAL, op_key(&bad, &A, 8));
	}
	good = op_make(WEIR_OP_CHECK, self->gate, 1);
	BAD(EOPNOTSUPP, (void)0);
	good.opcode = WEIR_OP_RESERVE;
	BAD(EOPNOTSUPP, bad.arg = 1);
	good.opcode = WEIR_OP_CANCEL + 1;
	BAD(EINVAL, (void)0);
	EXPECT_EQ(PERMITS, gate_free(self->fd, self->gate, NULL));
}

/* Requests that can never be granted. */
TEST_F(calls, impossible)
{
	struct weir_op op;

	EXPECT_EQ(-E2BIG, gate_try(self->fd, self->gate, NULL, PERMITS + 1));
	EXPECT_EQ(-E2BIG, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL,
				   0xffffffff, WEIR_NEVER));
	/* such a request makes no entry */
	EXPECT_EQ(-E2BIG, gate_try(self->fd, self->keyed, &A, PERMITS + 1));
	EXPECT_EQ(0, gate_stats(self->fd, self->keyed).keys);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).keys);
	EXPECT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 1, self->gate, NULL, 3, 0));
	EXPECT_EQ(-EDEADLK, gate_run_as(self->fd, 1, &op, WEIR_OP_ACQUIRE, self->gate, NULL,
					3, WEIR_NEVER));
	/* a request that does not wait is answered "limited" */
	EXPECT_EQ(WEIR_LIMITED, gate_get_as(self->fd, 1, self->gate, NULL, 3, 0));
	EXPECT_EQ(2, gate_free(self->fd, self->gate, NULL));
}

TEST_F(calls, other_kinds)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_NONE);
	struct weir_op op;
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->gate,
				  .buffer = address(buffer), .length = sizeof(buffer) };
	struct weir_rules rules = { .size = sizeof(rules), .handle = self->gate };
	struct weir_submit all = { .size = sizeof(all), .flags = WEIR_SUBMIT_ALL,
				   .count = 1, .ops = address(&op) };
	__u32 other;

	EXPECT_EQ(-EOPNOTSUPP, call(self->fd, WEIR_IOC_DUMP, &dump));
	EXPECT_EQ(-EOPNOTSUPP, call(self->fd, WEIR_IOC_RULES, &rules));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "gate", &config, &other));
	EXPECT_EQ(-EOPNOTSUPP, gate_try(self->fd, other, NULL, 1));
	EXPECT_EQ(-EOPNOTSUPP, gate_release(self->fd, other, NULL, 1));
	ASSERT_EQ(0, sum_create(self->fd, OURS "gate", 1, &other));
	EXPECT_EQ(-EOPNOTSUPP, gate_try(self->fd, other, NULL, 1));
	/* a transaction has checks and adds only */
	op = op_make(WEIR_OP_ACQUIRE, self->gate, 1);
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &all));
	EXPECT_EQ(-EINVAL, op.result);
	EXPECT_EQ(PERMITS, gate_free(self->fd, self->gate, NULL));
}

TEST_F(calls, rights)
{
	__u32 gate;
	struct weir_op op;

	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_GATE, OURS "gate",
				 WEIR_RIGHT_OBSERVE, &gate));
	EXPECT_EQ(-EACCES, gate_try(self->fd, gate, NULL, 1));
	EXPECT_EQ(-EACCES, gate_release(self->fd, gate, NULL, 1));
	EXPECT_EQ(-EACCES, gate_resize(self->fd, gate, 1));
	EXPECT_EQ(0, gate_run(self->fd, &op, WEIR_OP_GATE_STATE, gate, NULL, 0, 0));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_USE,
				 &gate));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, NULL, 1));
	EXPECT_EQ(-EACCES, gate_run(self->fd, &op, WEIR_OP_GATE_STATE, gate, NULL, 0, 0));
	EXPECT_EQ(-EACCES, gate_resize(self->fd, gate, 1));
	/* permits belong to the client, not to the handle */
	EXPECT_EQ(0, handle_close(self->fd, gate));
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
}

TEST_F(calls, keys_of_addresses)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_IP, 2);
	static const char *const same[][2] = {
		{ "192.0.2.7", "192.0.2.200" },
		{ "192.0.2.7", "::ffff:192.0.2.9" },
		{ "2001:db8:0:100::7", "2001:db8:0:1ff::1" },
	};
	unsigned char key[2][16];
	struct weir_op op;
	__u32 gate;

	config.prefix4 = 24;
	config.prefix6 = 56;
	ASSERT_EQ(0, gate_create(self->fd, OURS "ip", &config, &gate));
	for (unsigned int i = 0; i < 3; i++) {
		for (int j = 0; j < 2; j++) {
			bool six = strchr(same[i][j], ':');

			inet_pton(six ? AF_INET6 : AF_INET, same[i][j], key[j]);
			op = op_make(j ? WEIR_OP_GATE_STATE : WEIR_OP_ACQUIRE, gate, !j);
			op_key(&op, key[j], six ? 16 : 4);
			ASSERT_EQ(0, op_run(self->fd, &op));
		}
		EXPECT_EQ(i == 1 ? 2 : 1, op.held);
	}
	inet_pton(AF_INET6, "2001:db8:0:200::7", key[0]);
	op = op_make(WEIR_OP_GATE_STATE, gate, 0);
	op_key(&op, key[0], 16);
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, 2, 2, 0, 0));
	EXPECT_EQ(2, gate_stats(self->fd, gate).keys);
}

TEST_F(calls, keys_of_text)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_TEXT, 2);
	static const __u16 lengths[] = { 1, 16, 17, 32, 33, 255 };
	char text[2][255];
	struct weir_op op;
	__u32 gate;

	ASSERT_EQ(0, gate_create(self->fd, OURS "text", &config, &gate));
	memset(text[0], 'x', 255);
	memset(text[1], 'x', 255);
	for (unsigned int i = 0; i < 6; i++) {
		for (int j = 0; j < 2; j++) {
			op = op_make(WEIR_OP_ACQUIRE, gate, 1);
			op_key(&op, text[j], lengths[i]);
			ASSERT_EQ(0, op_run(self->fd, &op));
			EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, 2, 1 - j, 0, 1 + j));
		}
	}
	EXPECT_EQ(6, gate_stats(self->fd, gate).keys);
	op = op_make(WEIR_OP_ACQUIRE, gate, 1);
	EXPECT_EQ(-EINVAL, op_run(self->fd, &op));
}

/* A full table accepts a new key when another key has no permits held any more. */
TEST_F(calls, full)
{
	const __u64 *const keys[] = { &A, &B, &C };
	struct weir_op op;

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, keys[i], 1));
	for (__u64 key = 10; key < 200; key++) {
		ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->keyed, &key,
				      1, WEIR_NEVER));
		EXPECT_TRUE(gate_answers(&op, WEIR_FULL, PERMITS, PERMITS, 0, 0));
		EXPECT_EQ(0, gate_release(self->fd, self->keyed, keys[key % 3], 1));
		EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &key, 1));
		EXPECT_EQ(3, gate_stats(self->fd, self->keyed).keys);
		EXPECT_EQ(0, gate_release(self->fd, self->keyed, &key, 1));
		EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, keys[key % 3], 1));
	}
	/* keys with an entry are served in a full table */
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 1));
}

/* Keys without held permits are dropped in the background. */
TEST_F(calls, swept)
{
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &B, 1));
	EXPECT_EQ(0, gate_release(self->fd, self->keyed, &A, 1));
	while (gate_stats(self->fd, self->keyed).keys != 1)
		usleep(50000);
	EXPECT_EQ(4, gate_free(self->fd, self->keyed, &B));
	EXPECT_EQ(0, gate_release(self->fd, self->keyed, &B, 1));
	while (gate_stats(self->fd, self->keyed).keys)
		usleep(50000);
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &B, 5));
}

TEST_F(calls, set)
{
	struct weir_gate_config c = gate_config(WEIR_KEY_U64, 2), seen;
	struct weir_op op;

	/* members outside the mask are ignored */
	c.key_type = 99;
	c.max_keys = ~0ULL;
	c.prefix4 = 77;
	ASSERT_EQ(0, gate_set(self->fd, self->keyed, WEIR_SET_PERMITS, &c));
	ASSERT_EQ(0, gate_get(self->fd, self->keyed, &seen));
	EXPECT_EQ(2, seen.permits);
	EXPECT_EQ(3, seen.max_keys);
	EXPECT_EQ(WEIR_KEY_U64, seen.key_type);
	c.max_keys = 4;
	c.queue_max = 9;
	ASSERT_EQ(0, gate_set(self->fd, self->keyed,
			      WEIR_SET_MAX_KEYS | WEIR_SET_QUEUE_MAX, &c));
	ASSERT_EQ(0, gate_get(self->fd, self->keyed, &seen));
	EXPECT_EQ(4, seen.max_keys);
	EXPECT_EQ(9, seen.queue_max);
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed, 0, &c));
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed, WEIR_SET_RATE, &c));
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed,
				    WEIR_SET_PERMITS | WEIR_SET_RULES, &c));
	c.reserved[3] = 1;
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed, WEIR_SET_PERMITS, &c));
	c.reserved[3] = 0;
	c.permits = 0;
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed, WEIR_SET_PERMITS, &c));
	c.permits = WEIR_PERMITS_MAX + 1;
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->keyed, WEIR_SET_PERMITS, &c));
	c.max_keys = 513;
	EXPECT_EQ(-ERANGE, gate_set(self->fd, self->keyed, WEIR_SET_MAX_KEYS, &c));
	c.max_keys = 512;
	EXPECT_EQ(0, gate_set(self->fd, self->keyed, WEIR_SET_MAX_KEYS, &c));
	c.max_keys = 2;
	EXPECT_EQ(-EINVAL, gate_set(self->fd, self->gate, WEIR_SET_MAX_KEYS, &c));
	EXPECT_EQ(-EBADF, gate_set(self->fd, 4711, WEIR_SET_PERMITS, &c));
	/* fewer permits than are held: the change takes effect as permits come back */
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, NULL, 4));
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 2));
	op = gate_state(self->fd, self->gate, NULL);
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, 2, 0, 0, 4));
	EXPECT_EQ(WEIR_LIMITED, gate_try(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(-E2BIG, gate_try(self->fd, self->gate, NULL, 3));
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 2));
	EXPECT_EQ(WEIR_LIMITED, gate_try(self->fd, self->gate, NULL, 1));
	ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).in_use);
}

/* max_keys of a gate counts for the cap of its owner. */
TEST_F(calls, quota)
{
	__u64 before = parameter_get("max_keys");
	struct weir_gate_config c = gate_config(WEIR_KEY_U64, 2);
	__u32 gate;

	/* root is limited by the cap of the host only */
	parameter_set("max_keys", 10);
	c.max_keys = 7;		/* the objects of the fixture have 4 */
	EXPECT_EQ(-ENOSPC, gate_create(self->fd, OURS "quota", &c, &gate));
	c.max_keys = 6;
	EXPECT_EQ(0, gate_create(self->fd, OURS "quota", &c, &gate));
	c.max_keys = 7;
	EXPECT_EQ(-ENOSPC, gate_set(self->fd, gate, WEIR_SET_MAX_KEYS, &c));
	parameter_set("max_keys", before);
	EXPECT_EQ(0, gate_set(self->fd, gate, WEIR_SET_MAX_KEYS, &c));
}

/* After a delete the name is free, and the permits of the gate are gone. */
TEST_F(calls, deleted)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	__u32 gate;

	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, NULL, 2));
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	EXPECT_EQ(-ENODEV, gate_try(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(-ENODEV, gate_release(self->fd, self->gate, NULL, 1));
	EXPECT_EQ(-ENODEV, gate_resize(self->fd, self->gate, 1));
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &gate));
	EXPECT_EQ(1, gate_free(self->fd, gate, NULL));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, NULL, 1));
	ASSERT_EQ(0, object_delete(self->fd, gate));
	/* one handle is closed, the other is not; then the file is closed */
	EXPECT_EQ(0, handle_close(self->fd, gate));
}

static __u64 file_read(const char *name)
{
	unsigned long long value = ~0ULL;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/weir/gates/" OURS "keyed/%s", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &value) != 1)
		printf("# cannot read %s\n", path);
	if (file)
		fclose(file);
	return value;
}

TEST_F(calls, sysfs)
{
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &A, 3));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &B, 1));
	EXPECT_EQ(WEIR_LIMITED, gate_try(self->fd, self->keyed, &A, 3));
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->keyed, &C, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, self->keyed, &D, 1));
	EXPECT_EQ(5, file_read("permits"));
	EXPECT_EQ(5, file_read("in_use"));
	EXPECT_EQ(0, file_read("waiting"));
	EXPECT_EQ(3, file_read("acquired"));
	EXPECT_EQ(2, file_read("refused"));
	EXPECT_EQ(0, file_read("timeouts"));
	EXPECT_EQ(0, file_read("reclaimed"));
	EXPECT_EQ(3, file_read("keys"));
	EXPECT_EQ(3, file_read("max_keys"));
	EXPECT_EQ(1, file_read("full"));
}

/* In a batch an acquisition is performed on its own, in its place. */
TEST_F(calls, batch)
{
	struct weir_op ops[4];
	__u32 done;

	ops[0] = op_make(WEIR_OP_ACQUIRE, self->gate, 2);
	ops[1] = op_make(WEIR_OP_GATE_STATE, self->gate, 0);
	ops[2] = op_make(WEIR_OP_RELEASE, self->gate, 1);
	ops[3] = op_make(WEIR_OP_ACQUIRE, self->gate, 5);
	ASSERT_EQ(0, submit(self->fd, ops, 4, &done));
	EXPECT_EQ(4, done);
	EXPECT_EQ(2, ops[0].held);
	EXPECT_EQ(3, ops[1].remaining);
	EXPECT_EQ(1, ops[2].held);
	EXPECT_EQ(WEIR_LIMITED, ops[3].verdict);
	EXPECT_EQ(3, ops[3].decided);
}

static int others_open(void *arg)
{
	__u32 gate;
	int fd = client_open(O_RDWR);

	(void)arg;
	return fd < 0 ? fd : object_open(fd, WEIR_KIND_GATE, OURS "gate",
					 WEIR_RIGHT_USE, &gate);
}

TEST_F(calls, mode)
{
	mode_t before = device_chmod(0666);

	EXPECT_EQ(-EACCES, person_run(1234, 1234, others_open, NULL));
	device_chmod(before);
}

TEST_HARNESS_MAIN
