// SPDX-License-Identifier: GPL-2.0-only
/* roster - what rosters accept, answer and count */
#include "harness.h"

#include "roster.h"

FIXTURE(roster) {
	int fd, other;
	__u32 r, r2;		/* handles of the same roster, one in each file */
};

FIXTURE_SETUP(roster)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 4);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, roster_create(self->fd, OURS "roster", &config, &self->r));
	self->other = roster_enter(OURS "roster", &self->r2);
}

FIXTURE_TEARDOWN(roster)
{
	close(self->other);
	close(self->fd);
	objects_wipe();
}

/* ------------------------------------------------------------ the object */

TEST_F(roster, defaults)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_IP, 0);
	__u32 r;

	EXPECT_TRUE(info_get(self->fd).features & WEIR_FEATURE_ROSTER);
	ASSERT_EQ(0, roster_create(self->fd, OURS "defaults", &config, &r));
	ASSERT_EQ(0, roster_get(self->fd, r, &config));
	EXPECT_EQ(65536, config.max_keys);
	EXPECT_EQ(0, config.ttl);
	EXPECT_EQ(32, config.prefix4);
	EXPECT_EQ(64, config.prefix6);
	config = roster_config(WEIR_KEY_NONE, 0);
	ASSERT_EQ(0, roster_create(self->fd, OURS "plain", &config, &r));
	ASSERT_EQ(0, roster_get(self->fd, r, &config));
	EXPECT_EQ(1, config.max_keys);
}

TEST_F(roster, bad_config)
{
	struct weir_roster_config bad[] = {
		roster_config(4, 0), roster_config(WEIR_KEY_NONE, 2),
		roster_config(WEIR_KEY_TEXT, WEIR_KEYS_MAX + 1),
		roster_config(WEIR_KEY_TEXT, 0), roster_config(WEIR_KEY_TEXT, 0),
		roster_config(WEIR_KEY_TEXT, 0), roster_config(WEIR_KEY_TEXT, 0),
	};
	__u32 r;

	bad[3].ttl = 3650 * DAY + 1;
	bad[4].ttl = WEIR_NEVER;
	bad[5].prefix4 = 1;
	bad[6].reserved[5] = 1;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, roster_create(self->fd, OURS "bad", &bad[i], &r)) {
			TH_LOG("config %u", i);
		}
	}
	bad[3].ttl--;
	EXPECT_EQ(0, roster_create(self->fd, OURS "bad", &bad[3], &r));
}

TEST_F(roster, not_set)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 8);

	EXPECT_EQ(-EOPNOTSUPP, config_set(self->fd, self->r, WEIR_SET_MAX_KEYS, &config));
}

/* ------------------------------------------------------------ each operation */

TEST_F(roster, claim)
{
	struct weir_op op;
	__u64 first;

	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 0));
	first = op.version;
	EXPECT_EQ(1, first);
	EXPECT_EQ(0, op.length);
	EXPECT_EQ(WEIR_NEVER, op.left);
	EXPECT_EQ(getpid(), op.pid);
	EXPECT_EQ(geteuid(), op.uid);
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	/* for every caller, including the owner */
	ASSERT_EQ(-EEXIST, lease_run(self->other, &op, WEIR_OP_CLAIM, self->r2, "a", 0, 0));
	EXPECT_EQ(first, op.version);
	EXPECT_EQ(getpid(), op.pid);
	EXPECT_EQ(geteuid(), op.uid);
	EXPECT_EQ(WEIR_NEVER, op.left);
	EXPECT_EQ(0, op.out_flags);
	ASSERT_EQ(-EEXIST, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 0));
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	EXPECT_EQ(2, roster_stats(self->fd, self->r).refused);
	EXPECT_EQ(1, roster_stats(self->fd, self->r).claimed);
	EXPECT_EQ(1, roster_stats(self->fd, self->r).members);
}

TEST_F(roster, value)
{
	char in[256], out[256];
	struct weir_op op;

	memset(in, 'v', sizeof(in));
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", in, 255, 0, 0));
	EXPECT_EQ(255, op.length);
	memset(out, 0, sizeof(out));
	ASSERT_EQ(0, lease_run_value(self->other, &op, WEIR_OP_LEASE_GET, self->r2, "a", out,
				     255, 0, 0));
	EXPECT_EQ(255, op.length);
	EXPECT_EQ(0, memcmp(in, out, 255));
	EXPECT_EQ(0, out[255]);
	EXPECT_EQ(-EMSGSIZE, lease_run_value(self->other, &op, WEIR_OP_LEASE_GET, self->r2, "a",
					     out, 254, 0, 0));
	/* no room for the value: it is not returned */
	ASSERT_EQ(0, lease_run_value(self->other, &op, WEIR_OP_LEASE_GET, self->r2, "a", NULL,
				     0, 0, 0));
	EXPECT_EQ(255, op.length);
	EXPECT_EQ(-EINVAL, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, "b", in, 256,
					   0, 0));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "b"));
}

TEST_F(roster, put)
{
	struct weir_op op;
	char out[8] = "";

	/* there is no lease */
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_PUT, self->r, "a", "one", 4, 0, 0));
	EXPECT_EQ(1, op.version);
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	/* the lease is the caller's: everything is replaced */
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_PUT, self->r, "a", "two", 4, 0,
				     HOUR));
	EXPECT_EQ(2, op.version);
	EXPECT_EQ(HOUR, op.left);
	/* the lease is another holder's */
	ASSERT_EQ(-EEXIST, lease_run_value(self->other, &op, WEIR_OP_PUT, self->r2, "a", "no", 3,
					   0, 0));
	EXPECT_EQ(2, op.version);
	/* the lease is detached now, so another holder may PUT it */
	ASSERT_EQ(0, lease_run_detached(self->fd, &op, WEIR_OP_PUT, self->r, "a", 0));
	EXPECT_EQ(3, op.version);
	EXPECT_EQ(WEIR_OUT_DETACHED, op.out_flags);
	EXPECT_EQ(WEIR_NEVER, op.left);
	ASSERT_EQ(0, lease_run_value(self->other, &op, WEIR_OP_PUT, self->r2, "a", "yes", 4, 0,
				     0));
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "a", out, 8, 0,
				     0));
	EXPECT_STREQ("yes", out);
	EXPECT_EQ(0, op.out_flags);
	EXPECT_EQ(4, op.version);
	EXPECT_EQ(1, roster_stats(self->fd, self->r).claimed);
	EXPECT_EQ(3, roster_stats(self->fd, self->r).replaced);
	EXPECT_EQ(1, roster_stats(self->fd, self->r).refused);
}

TEST_F(roster, replace)
{
	struct weir_op op;
	char out[8] = "";

	EXPECT_EQ(-ENOENT, lease_run(self->fd, &op, WEIR_OP_REPLACE, self->r, "a", 1, 0));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, HOUR));
	/* any caller may do this with the version; owner and TTL stay */
	ASSERT_EQ(0, lease_run_value(self->other, &op, WEIR_OP_REPLACE, self->r2, "a", "new", 4,
				     1, 0));
	EXPECT_EQ(2, op.version);
	EXPECT_EQ(0, op.out_flags);
	EXPECT_GT(HOUR, op.left);
	ASSERT_EQ(-ESTALE, lease_run_value(self->other, &op, WEIR_OP_REPLACE, self->r2, "a",
					   "no", 3, 1, 0));
	EXPECT_EQ(2, op.version);
	EXPECT_EQ(4, op.length);
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "a", out, 8, 0,
				     0));
	EXPECT_STREQ("new", out);
	EXPECT_EQ(WEIR_OUT_MINE, op.out_flags);
	/* they still end with their owner */
	close(self->fd);
	EXPECT_EQ(-ENOENT, lease_find(self->other, self->r2, "a"));
	self->fd = client_open(O_RDWR);
}

TEST_F(roster, touch)
{
	struct weir_op op;

	EXPECT_EQ(-ENOENT, lease_run(self->fd, &op, WEIR_OP_TOUCH, self->r, "a", 0, HOUR));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, DAY));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_TOUCH, self->r, "a", 0, HOUR));
	EXPECT_EQ(1, op.version);
	EXPECT_EQ(HOUR, op.left);
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_TOUCH, self->r, "a", 0, WEIR_NEVER));
	EXPECT_EQ(WEIR_NEVER, op.left);
	EXPECT_EQ(-EEXIST, lease_run(self->other, &op, WEIR_OP_TOUCH, self->r2, "a", 0, HOUR));
	EXPECT_EQ(-ESTALE, lease_run(self->other, &op, WEIR_OP_TOUCH, self->r2, "a", 2, HOUR));
	EXPECT_EQ(0, lease_run(self->other, &op, WEIR_OP_TOUCH, self->r2, "a", 1, HOUR));
	EXPECT_EQ(HOUR, op.left);
	/* 0: the roster's default, which is "never" here */
	EXPECT_EQ(0, lease_run(self->fd, &op, WEIR_OP_TOUCH, self->r, "a", 0, 0));
	EXPECT_EQ(WEIR_NEVER, op.left);
}

TEST_F(roster, remove)
{
	struct weir_op op;

	EXPECT_EQ(-ENOENT, lease_remove(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_claim(self->fd, self->r, "a"));
	EXPECT_EQ(-EEXIST, lease_run(self->other, &op, WEIR_OP_REMOVE, self->r2, "a", 0, 0));
	EXPECT_EQ(1, op.version);
	EXPECT_EQ(-ESTALE, lease_run(self->other, &op, WEIR_OP_REMOVE, self->r2, "a", 9, 0));
	EXPECT_EQ(0, lease_find(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_REMOVE, self->r, "a", 0, 0));
	EXPECT_EQ(1, op.version);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(0, roster_stats(self->fd, self->r).members);
	/* versions are never reused: the old version has no effect on the new lease */
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 0));
	EXPECT_EQ(2, op.version);
	EXPECT_EQ(-ESTALE, lease_run(self->other, &op, WEIR_OP_REMOVE, self->r2, "a", 1, 0));
	EXPECT_EQ(0, lease_run(self->other, &op, WEIR_OP_REMOVE, self->r2, "a", 2, 0));
	EXPECT_EQ(2, roster_stats(self->fd, self->r).removed);
	EXPECT_EQ(0, roster_stats(self->fd, self->r).lost);
}

TEST_F(roster, bad_ops)
{
	static const struct { __u16 opcode; __s64 n; __u64 arg; } bad[] = {
		{ WEIR_OP_CLAIM, 2, 0 }, { WEIR_OP_CLAIM, -1, 0 },
		{ WEIR_OP_CLAIM, 0, 3650 * DAY + 1 }, { WEIR_OP_CLAIM, 0, WEIR_NEVER - 1 },
		{ WEIR_OP_PUT, 2, 0 }, { WEIR_OP_PUT, 0, 3650 * DAY + 1 },
		{ WEIR_OP_LEASE_GET, 1, 0 }, { WEIR_OP_LEASE_GET, 0, 1 },
		{ WEIR_OP_REPLACE, 0, 0 }, { WEIR_OP_REPLACE, -1, 0 }, { WEIR_OP_REPLACE, 1, 1 },
		{ WEIR_OP_TOUCH, -1, 0 }, { WEIR_OP_TOUCH, 0, 3650 * DAY + 1 },
		{ WEIR_OP_REMOVE, -1, 0 }, { WEIR_OP_REMOVE, 0, 1 },
		{ 0x46, 0, 0 }, { 0x3f, 0, 0 },
	};
	struct weir_lease lease;
	struct weir_op op;

	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 0));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, lease_run(self->fd, &op, bad[i].opcode, self->r, "a",
					     bad[i].n, bad[i].arg)) {
			TH_LOG("op %u", i);
		}
	}
	/* invalid keys */
	EXPECT_EQ(-EINVAL, lease_claim(self->fd, self->r, ""));
	/* invalid structs: their sizes, unknown members, and bad pointers */
	op = lease_make_value(WEIR_OP_CLAIM, self->r, "b", &lease, "v", 1, 0, 0);
	lease.size--;
	EXPECT_EQ(-EINVAL, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_TOUCH, self->r, "a", &lease, "v", 1, 0, 0);
	EXPECT_EQ(-EINVAL, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_REMOVE, self->r, "a", &lease, "v", 1, 0, 0);
	EXPECT_EQ(-EINVAL, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_CLAIM, self->r, "b", &lease, "v", 1, 0, 0);
	op.key[31] = 1;
	EXPECT_EQ(-EINVAL, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_CLAIM, self->r, "b", &lease, (void *)8, 1, 0, 0);
	EXPECT_EQ(-EFAULT, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_CLAIM, self->r, "b", &lease, "v", 1, 0, 0);
	lease.key = 8;
	EXPECT_EQ(-EFAULT, lease_op(self->fd, &op));
	op = lease_make_value(WEIR_OP_CLAIM, self->r, "b", &lease, "v", 1, 0, 0);
	op.ptr = 8;
	EXPECT_EQ(-EFAULT, lease_op(self->fd, &op));
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "b"));
	EXPECT_EQ(1, roster_stats(self->fd, self->r).members);
}

/* GET fails if the value cannot be written, and changes nothing. */
TEST_F(roster, get_fault)
{
	struct weir_op op;

	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", "abc", 3, 0,
				     0));
	EXPECT_EQ(-EFAULT, lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, "a",
					   (void *)8, 3, 0, 0));
	EXPECT_EQ(0, lease_find(self->fd, self->r, "a"));
}

TEST_F(roster, rights)
{
	struct weir_op op;
	__u32 see, use, keys;
	char buffer[1024] __attribute__((aligned(8)));
	struct weir_dump dump = { .size = sizeof(dump), .buffer = address(buffer),
				  .length = sizeof(buffer) };

	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_ROSTER, OURS "roster", WEIR_RIGHT_OBSERVE,
				 &see));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_ROSTER, OURS "roster", WEIR_RIGHT_USE,
				 &use));
	for (__u16 opcode = WEIR_OP_CLAIM; opcode <= WEIR_OP_REMOVE; opcode++) {
		bool get = opcode == WEIR_OP_LEASE_GET, makes = opcode < WEIR_OP_LEASE_GET;
		__s64 n = opcode == WEIR_OP_REPLACE;

		EXPECT_EQ(get ? -ENOENT : -EACCES,
			  lease_run(self->fd, &op, opcode, see, "b", n, 0));
		EXPECT_EQ(get ? -EACCES : makes ? 0 : -ENOENT,
			  lease_run(self->fd, &op, opcode, use, "b", n, 0)) {
			TH_LOG("opcode %#x", opcode);
		}
		lease_remove(self->fd, use, "b");
	}
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_ROSTER, OURS "roster", WEIR_RIGHT_KEYS,
				 &keys));
	dump.handle = see;
	EXPECT_EQ(-EACCES, call(self->fd, WEIR_IOC_DUMP, &dump));
	dump.handle = keys;
	EXPECT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	dump.handle = use;
	dump.length = sizeof(buffer);
	EXPECT_EQ(-EACCES, call(self->fd, WEIR_IOC_DUMP, &dump));
	EXPECT_EQ(-EBADF, lease_claim(self->fd, 999, "a"));
}

TEST_F(roster, full)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	struct weir_op op;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, lease_claim(self->fd, self->r, keys[i]));
	EXPECT_EQ(-ENOSPC, lease_claim(self->fd, self->r, "e"));
	EXPECT_EQ(-ENOSPC, lease_run(self->fd, &op, WEIR_OP_PUT, self->r, "e", 0, 0));
	EXPECT_EQ(2, roster_stats(self->fd, self->r).full);
	EXPECT_EQ(4, roster_stats(self->fd, self->r).members);
	/* in a full roster an existing lease can still be replaced */
	EXPECT_EQ(0, lease_run(self->fd, &op, WEIR_OP_PUT, self->r, "a", 0, 0));
	EXPECT_EQ(-EEXIST, lease_claim(self->other, self->r2, "b"));
	ASSERT_EQ(0, lease_remove(self->fd, self->r, "c"));
	EXPECT_EQ(0, lease_claim(self->fd, self->r, "e"));
}

static void sleep_ns(__u64 ns)
{
	usleep(ns / 1000 + 1);
}

/* An expired lease is absent for all callers at once, even before it is dropped. */
TEST_F(roster, expiry)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	struct weir_op op;
	int events = client_open(O_RDONLY);

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, keys[i], 0,
				       50000000));
	sleep_ns(60000000);
	EXPECT_EQ(-ENOENT, lease_find(self->fd, self->r, "a"));
	EXPECT_EQ(-ENOENT, lease_run(self->fd, &op, WEIR_OP_TOUCH, self->r, "a", 0, HOUR));
	EXPECT_EQ(-ENOENT, lease_remove(self->fd, self->r, "a"));
	EXPECT_EQ(-ENOENT, lease_run(self->fd, &op, WEIR_OP_REPLACE, self->r, "a", 1, 0));
	/* a new lease of the same key, and one of another key that needs the room */
	EXPECT_EQ(0, lease_claim(self->other, self->r2, "a"));
	EXPECT_EQ(0, lease_claim(self->other, self->r2, "e"));
	/* the end of the old owner does not affect them */
	close(self->fd);
	EXPECT_EQ(0, lease_find(self->other, self->r2, "a"));
	EXPECT_EQ(0, lease_find(self->other, self->r2, "e"));
	EXPECT_EQ(2, roster_stats(self->other, self->r2).members);
	EXPECT_EQ(4, roster_stats(self->other, self->r2).lost);
	EXPECT_EQ(4, roster_stats(self->other, self->r2).expired);
	EXPECT_EQ(4, leases_lost(events, "", WEIR_LOST_EXPIRED));
	close(events);
	self->fd = client_open(O_RDWR);
}

/* The sweep drops expired leases that no call uses. */
TEST_F(roster, swept)
{
	int events = client_open(O_RDONLY);
	struct weir_op op;
	unsigned int lost = 0;

	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "a", 0, 1));
	ASSERT_EQ(0, lease_run_detached(self->fd, &op, WEIR_OP_CLAIM, self->r, "b", 1));
	while (lost < 2) {
		usleep(10000);
		lost += leases_lost(events, "", WEIR_LOST_EXPIRED);
	}
	EXPECT_EQ(2, lost);
	close(events);
}

TEST_F(roster, roster_ttl)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_TEXT, 0);
	struct weir_op op;
	__u32 r;

	config.ttl = HOUR;
	ASSERT_EQ(0, roster_create(self->fd, OURS "ttl", &config, &r));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, r, "a", 0, 0));
	EXPECT_EQ(HOUR, op.left);
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, r, "b", 0, WEIR_NEVER));
	EXPECT_EQ(WEIR_NEVER, op.left);
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_TOUCH, r, "b", 0, 0));
	EXPECT_EQ(HOUR, op.left);
}

TEST_F(roster, key_types)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_IP, 0);
	unsigned char v4[4] = { 10, 0, 0, 1 };
	struct weir_op op;
	__u32 r;

	config.prefix4 = 24;
	ASSERT_EQ(0, roster_create(self->fd, OURS "ip", &config, &r));
	EXPECT_EQ(0, key_run(self->fd, &op, WEIR_OP_CLAIM, r, 0, v4, 4));
	v4[3] = 2;
	op = op_make(WEIR_OP_CLAIM, r, 0);
	op_key(&op, v4, 4);
	EXPECT_EQ(-EEXIST, lease_op(self->fd, &op));
	EXPECT_EQ(-EINVAL, key_run(self->fd, &op, WEIR_OP_CLAIM, r, 0, v4, 3));
	config = roster_config(WEIR_KEY_NONE, 0);
	ASSERT_EQ(0, roster_create(self->fd, OURS "leader", &config, &r));
	EXPECT_EQ(0, lease_claim(self->fd, r, ""));
	EXPECT_EQ(-EEXIST, lease_claim(self->fd, r, ""));
	EXPECT_EQ(0, lease_remove(self->fd, r, ""));
	EXPECT_EQ(0, lease_claim(self->fd, r, ""));
	config = roster_config(WEIR_KEY_U64, 0);
	ASSERT_EQ(0, roster_create(self->fd, OURS "u64", &config, &r));
	EXPECT_EQ(0, lease_claim(self->fd, r, "12345678"));
	EXPECT_EQ(-EINVAL, lease_claim(self->fd, r, "1234567"));
}

/* The longest key. */
TEST_F(roster, long_key)
{
	char key[256], value[255], out[255];
	struct weir_op op;

	memset(key, 'k', 255);
	key[255] = 0;
	memset(value, 'v', sizeof(value));
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, key, value, 255, 0,
				     0));
	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_LEASE_GET, self->r, key, out, 255,
				     0, 0));
	EXPECT_EQ(0, memcmp(value, out, 255));
	EXPECT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_REMOVE, self->r, key, NULL, 0, 0, 0));
}

/* ------------------------------------------------------------ list, files, deletion */

TEST_F(roster, dump)
{
	char buffer[2048] __attribute__((aligned(8)));
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->r,
				  .buffer = address(buffer), .length = sizeof(buffer) };
	struct weir_lease_info *info;
	unsigned int seen = 0;
	struct weir_op op;

	ASSERT_EQ(0, lease_run_value(self->fd, &op, WEIR_OP_CLAIM, self->r, "owned", "val", 3, 0,
				     HOUR));
	ASSERT_EQ(0, lease_run_detached(self->fd, &op, WEIR_OP_CLAIM, self->r, "free", 0));
	ASSERT_EQ(0, lease_run(self->fd, &op, WEIR_OP_CLAIM, self->r, "gone", 0, 1));
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	EXPECT_EQ(2, dump.count);
	EXPECT_EQ(WEIR_NEVER, dump.cursor);
	for (__u64 at = 0; at < dump.length; at += info->size) {
		info = (struct weir_lease_info *)(buffer + at);
		EXPECT_EQ(getpid(), info->pid);
		EXPECT_EQ(geteuid(), info->uid);
		if (info->key_len == 5) {
			EXPECT_EQ(0, memcmp(info->data, "owned\0\0\0val\0\0\0\0\0", 16));
			EXPECT_EQ(3, info->value_len);
			EXPECT_EQ(56, info->size);
			EXPECT_EQ(1, info->version);
			EXPECT_GT(HOUR, info->left);
			EXPECT_LT(0, info->left);
			EXPECT_EQ(0, info->flags);
			seen |= 1;
		} else {
			EXPECT_EQ(0, memcmp(info->data, "free\0\0\0\0", 8));
			EXPECT_EQ(0, info->value_len);
			EXPECT_EQ(2, info->version);
			EXPECT_EQ(WEIR_NEVER, info->left);
			EXPECT_EQ(WEIR_LEASE_DETACHED, info->flags);
			seen |= 2;
		}
	}
	EXPECT_EQ(3, seen);
	dump.cursor = 0;
	dump.length = 1023;
	EXPECT_EQ(-EMSGSIZE, call(self->fd, WEIR_IOC_DUMP, &dump));
	dump.length = sizeof(buffer);
	dump.flags = WEIR_DUMP_BANNED;
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_DUMP, &dump));
}

static unsigned long long file_read(const char *name)
{
	unsigned long long value = ~0ULL;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/weir/rosters/" OURS "roster/%s", name);
	file = fopen(path, "r");
	if (file && fscanf(file, "%llu", &value) != 1)
		value = ~0ULL;
	if (file)
		fclose(file);
	return value;
}

TEST_F(roster, sysfs)
{
	ASSERT_EQ(0, lease_claim(self->fd, self->r, "a"));
	ASSERT_EQ(-EEXIST, lease_claim(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_claim(self->other, self->r2, "b"));
	close(self->other);
	EXPECT_EQ(1, file_read("members"));
	EXPECT_EQ(4, file_read("max"));
	EXPECT_EQ(2, file_read("claimed"));
	EXPECT_EQ(1, file_read("refused"));
	EXPECT_EQ(1, file_read("lost"));
	EXPECT_EQ(0, file_read("expired"));
	EXPECT_EQ(0, file_read("replaced"));
	EXPECT_EQ(0, file_read("removed"));
	EXPECT_EQ(0, file_read("full"));
}

TEST_F(roster, delete)
{
	int events = client_open(O_RDONLY);

	ASSERT_EQ(0, lease_claim(self->fd, self->r, "a"));
	ASSERT_EQ(0, lease_claim(self->other, self->r2, "b"));
	ASSERT_EQ(0, object_delete(self->fd, self->r));
	EXPECT_EQ(-ENODEV, lease_claim(self->fd, self->r, "c"));
	EXPECT_EQ(-ENODEV, lease_find(self->other, self->r2, "a"));
	/* the deletion has one event, and the leases have none */
	EXPECT_EQ(0, handle_close(self->fd, self->r));
	EXPECT_EQ(0, leases_lost(events, "", 0));
	close(events);
}

TEST_HARNESS_MAIN
