// SPDX-License-Identifier: GPL-2.0-only
/* load - WEIR_IOC_LOAD loads the records of a DUMP */
#include "harness.h"

#include "client.h"
#include "memory.h"
#include "verdict.h"

#define KEYS	300

struct record {
	struct weir_entry_info info;
	__u64 key;
};

FIXTURE(load) {
	int fd;
	__u32 from, to;
	struct weir_limiter_config config;
	struct record records[KEYS + 16];	/* enough room for the longest record */
	__u32 count, loaded;
	__u64 length;
};

FIXTURE_VARIANT(load) {
	__u32 algorithm;
};

FIXTURE_VARIANT_ADD(load, bucket) { .algorithm = WEIR_ALGORITHM_BUCKET };
FIXTURE_VARIANT_ADD(load, window) { .algorithm = WEIR_ALGORITHM_WINDOW };
FIXTURE_VARIANT_ADD(load, sliding) { .algorithm = WEIR_ALGORITHM_SLIDING };

FIXTURE_SETUP(load)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.algorithm = variant->algorithm;
	self->config.strikes = 5;
	self->config.nbans = 2;
	self->config.ban[0] = HOUR;
	self->config.ban[1] = DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "from", &self->config,
				    &self->from));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "to", &self->config, &self->to));
}

FIXTURE_TEARDOWN(load)
{
	close(self->fd);
	objects_wipe();
}

static int run(FIXTURE_DATA(load) *self, struct weir_op *op, __u32 l, __u16 opcode,
	       __s64 n, __u64 key)
{
	return key_run(self->fd, op, opcode, l, n, &key, sizeof(key));
}

static int dump(FIXTURE_DATA(load) *self, __u32 l)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = l,
				  .buffer = address(self->records),
				  .length = sizeof(self->records) };
	int ret = call(self->fd, WEIR_IOC_DUMP, &dump);

	self->count = dump.count;
	return ret ?: dump.cursor == WEIR_NEVER ? 0 : -EMSGSIZE;
}

static int load(FIXTURE_DATA(load) *self, __u64 elapsed, const void *records,
		__u64 length)
{
	struct weir_load load = { .size = sizeof(load), .handle = self->to,
				  .count = POISON_U32, .elapsed = elapsed,
				  .buffer = address(records), .length = length };
	int ret = call(self->fd, WEIR_IOC_LOAD, &load);

	self->loaded = load.count;
	self->length = load.length;
	return ret;
}

static int load_all(FIXTURE_DATA(load) *self, __u64 elapsed)
{
	return load(self, elapsed, self->records,
		    self->count * sizeof(*self->records));
}

static struct weir_op peek(FIXTURE_DATA(load) *self, __u32 l, __u64 key)
{
	struct weir_op op;

	if (run(self, &op, l, WEIR_OP_PEEK, 1, key))
		abort();
	return op;
}

/* A record that is loaded later has its durations end that much later. */
static bool near(__u64 a, __u64 b, __u64 since)
{
	return (a > b ? a - b : b - a) <= now_ns() - since;
}

/* Key @key has the same state in both limiters, apart from the time that the test takes. */
static bool same(FIXTURE_DATA(load) *self, __u64 key, __u64 since, bool windows)
{
	struct weir_op a = peek(self, self->from, key);
	struct weir_op b = peek(self, self->to, key);

	return a.verdict == b.verdict && a.remaining == b.remaining &&
	       a.strikes == b.strikes && a.bans == b.bans &&
	       (windows || near(b.reset_after, a.reset_after, since)) &&
	       near(b.banned_for, a.banned_for, since);
}

TEST_F(load, exact)
{
	__u64 since = now_ns();
	struct weir_op op;

	for (__u64 key = 0; key < KEYS; key++) {
		ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_CHECK,
				 1 + key % 10, key));
		if (key % 3 == 1)
			ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_STRIKE,
					 1 + key % 7, key));
	}
	ASSERT_EQ(0, dump(self, self->from));
	ASSERT_EQ(KEYS, self->count);
	ASSERT_EQ(0, load_all(self, 0));
	EXPECT_EQ(KEYS, self->loaded);
	EXPECT_EQ(KEYS * sizeof(*self->records), self->length);
	for (__u64 key = 0; key < KEYS; key++)
		EXPECT_TRUE(same(self, key, since,
				 variant->algorithm != WEIR_ALGORITHM_BUCKET));
	/* loading once more changes nothing */
	ASSERT_EQ(0, load_all(self, 0));
	for (__u64 key = 0; key < KEYS; key++)
		EXPECT_TRUE(same(self, key, since,
				 variant->algorithm != WEIR_ALGORITHM_BUCKET));
}

/* Tokens that came back and bans that ended since the dump are taken into account. */
TEST_F(load, elapsed)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_CHECK, 5, 1));
	ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_STRIKE, 5, 2));
	ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_STRIKE, 3, 3));
	ASSERT_EQ(0, dump(self, self->from));
	ASSERT_EQ(3, self->count);
	/* the strikes, which last ten minutes, are forgotten; half an hour of the ban is left */
	ASSERT_EQ(0, load_all(self, HOUR / 2));
	op = peek(self, self->to, 1);
	EXPECT_EQ(5, op.remaining);
	op = peek(self, self->to, 2);
	EXPECT_EQ(WEIR_BANNED, op.verdict);
	EXPECT_GE(HOUR / 2, op.banned_for);
	EXPECT_LT(HOUR / 2 - 60 * SECOND, op.banned_for);
	op = peek(self, self->to, 3);
	EXPECT_EQ(0, op.strikes);
	ASSERT_EQ(0, stats_get(self->fd, self->to, &stats));
	EXPECT_EQ(2, stats.keys);
	/* after a year no record needs an entry */
	ASSERT_EQ(0, run(self, &op, self->to, WEIR_OP_FORGET, 0, 1));
	ASSERT_EQ(0, run(self, &op, self->to, WEIR_OP_FORGET, 0, 2));
	ASSERT_EQ(0, load_all(self, 365 * DAY));
	EXPECT_EQ(3, self->loaded);
	ASSERT_EQ(0, stats_get(self->fd, self->to, &stats));
	EXPECT_EQ(0, stats.keys);
}

/* The stricter of the present state and the loaded state counts. */
TEST_F(load, stricter)
{
	struct weir_op op;

	ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_CHECK, 5, 1));
	ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_CHECK, 5, 2));
	ASSERT_EQ(0, run(self, &op, self->to, WEIR_OP_CHECK, 7, 1));
	ASSERT_EQ(0, run(self, &op, self->to, WEIR_OP_CHECK, 3, 2));
	ASSERT_EQ(0, run(self, &op, self->to, WEIR_OP_STRIKE, 2, 2));
	ASSERT_EQ(0, dump(self, self->from));
	ASSERT_EQ(0, load_all(self, 0));
	op = peek(self, self->to, 1);
	EXPECT_EQ(3, op.remaining);
	op = peek(self, self->to, 2);
	EXPECT_EQ(5, op.remaining);
	EXPECT_EQ(2, op.strikes);
}

TEST_F(load, refused)
{
	struct weir_limiter_stats stats;
	struct record bad, *r = self->records;
	struct weir_op op;
	__u32 ours = self->to, handle;

	for (__u64 key = 0; key < 3; key++)
		ASSERT_EQ(0, run(self, &op, self->from, WEIR_OP_CHECK, 1, key));
	ASSERT_EQ(0, dump(self, self->from));
	EXPECT_EQ(-EINVAL, load(self, 0, r, 0));
	EXPECT_EQ(-EINVAL, load(self, 0, r, sizeof(*r) - 4));
	EXPECT_EQ(-EINVAL, load(self, 0, (char *)r + 4, sizeof(*r)));
	EXPECT_EQ(-EINVAL, load(self, 0, r, sizeof(*r) - 8));
	EXPECT_EQ(-EFAULT, load(self, 0, NULL, sizeof(*r)));
#define BAD(member, value) do {						\
	bad = *r;							\
	bad.info.member = value;					\
	EXPECT_EQ(-EINVAL, load(self, 0, &bad, sizeof(bad)));		\
} while (0)
	BAD(size, 0);
	BAD(size, sizeof(bad) + 8);
	BAD(size, 0xffffffff);
	BAD(key_len, 7);
	BAD(key_len, 9);
	BAD(key_len, 0xffff);
	BAD(flags, 0x8000);
	BAD(bans, 0x10000);
	BAD(banned_for, ~0ULL);
#undef BAD
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_LIMITER, OURS "to",
				 WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE, &self->to));
	EXPECT_EQ(-EACCES, load_all(self, 0));
	ASSERT_EQ(0, sum_create(self->fd, OURS "counter", 1, &self->to));
	EXPECT_EQ(-EOPNOTSUPP, load_all(self, 0));
	self->to = ours;
	ASSERT_EQ(0, stats_get(self->fd, self->to, &stats));
	EXPECT_EQ(0, stats.keys);
	/* records before an invalid one are loaded and counted */
	r[1].info.bans = 0x10000;
	ASSERT_EQ(0, load_all(self, 0));
	EXPECT_EQ(1, self->loaded);
	EXPECT_EQ(sizeof(*r), self->length);
	/* there is no room */
	self->config.max_keys = 1;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &self->config, &handle));
	self->to = handle;
	r[1].info.bans = 0;
	ASSERT_EQ(0, load_all(self, 0));
	EXPECT_EQ(1, self->loaded);
	EXPECT_EQ(-ENOSPC, load(self, 0, r + 1, sizeof(*r)));
	ASSERT_EQ(0, object_delete(self->fd, handle));
	EXPECT_EQ(-ENODEV, load_all(self, 0));
}

/* A sequence continues from its start number. */
TEST(start)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SEQUENCE,
					      .start = 41 };
	struct weir_create create;
	struct weir_op op;
	int fd = client_open(O_RDWR);

	objects_wipe();
	create = create_make(WEIR_KIND_COUNTER, OURS "sequence", &config);
	ASSERT_EQ(0, call(fd, WEIR_IOC_CREATE, &create));
	op = op_make(WEIR_OP_NEXT, create.handle, 1);
	ASSERT_EQ(0, op_run(fd, &op));
	EXPECT_EQ(42, op.value);
	config.start = -1;
	create = create_make(WEIR_KIND_COUNTER, OURS "other", &config);
	EXPECT_EQ(-EINVAL, call(fd, WEIR_IOC_CREATE, &create));
	config.start = INT64_MAX;
	EXPECT_EQ(-EINVAL, call(fd, WEIR_IOC_CREATE, &create));
	config.start = INT64_MAX - 1;
	EXPECT_EQ(0, call(fd, WEIR_IOC_CREATE, &create));
	op = op_make(WEIR_OP_NEXT, create.handle, 2);
	EXPECT_EQ(-EOVERFLOW, op_run(fd, &op));
	op = op_make(WEIR_OP_NEXT, create.handle, 1);
	EXPECT_EQ(0, op_run(fd, &op));
	EXPECT_EQ(INT64_MAX, op.value);
	config.type = WEIR_COUNTER_SUM;
	create = create_make(WEIR_KIND_COUNTER, OURS "sum", &config);
	EXPECT_EQ(-EINVAL, call(fd, WEIR_IOC_CREATE, &create));
	close(fd);
	objects_wipe();
}

TEST_HARNESS_MAIN
