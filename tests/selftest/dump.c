// SPDX-License-Identifier: GPL-2.0-only
/* dump - each entry of a limiter is returned exactly once, with its state */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "verdict.h"

#define STABLE	2000

FIXTURE(dump) {
	int fd;
	__u32 l;
	__u64 since;
};

FIXTURE_SETUP(dump)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.strikes = 5;
	config.nbans = 1;
	config.ban[0] = 3 * DAY;
	self->since = now_ns();
	ASSERT_EQ(0, limiter_create(self->fd, OURS "dump", &config, &self->l));
}

FIXTURE_TEARDOWN(dump)
{
	close(self->fd);
	objects_wipe();
}

/*
 * Dump the whole table with a buffer of @bytes, and call @see for each entry. Check the layout of
 * the records. Return: the number of entries, or an errno.
 */
static int dump_walk(int fd, __u32 handle, __u32 flags, size_t bytes,
		     void (*see)(const struct weir_entry_info *, void *),
		     void *arg)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = handle,
				  .flags = flags };
	char *buffer = aligned_alloc(8, bytes);
	int ret = 0, total = 0;

	while (!ret && dump.cursor != WEIR_NEVER) {
		size_t at = 0;

		memset(buffer, POISON, bytes);
		dump.buffer = address(buffer);
		dump.length = bytes;
		dump.count = POISON_U32;
		ret = call(fd, WEIR_IOC_DUMP, &dump);
		if (ret)
			break;
		for (__u32 i = 0; i < dump.count; i++) {
			struct weir_entry_info *info = (void *)(buffer + at);

			if (info->size % 8 || info->size !=
			    sizeof(*info) + (info->key_len + 7) / 8 * 8)
				ret = -EPROTO;
			see(info, arg);
			at += info->size;
			total++;
		}
		if (at != dump.length || dump.length > bytes)
			ret = -EPROTO;
		/* bytes beyond the records are not written */
		if (at < bytes && buffer[bytes - 1] != (char)POISON)
			ret = -EPROTO;
	}
	free(buffer);
	return ret ?: total;
}

static void nobody(const struct weir_entry_info *info, void *arg)
{
	(void)info;
	(void)arg;
}

struct one {
	struct weir_entry_info info;
	__u64 key;
};

static void one_keep(const struct weir_entry_info *info, void *arg)
{
	struct one *one = arg;

	one->info = *info;
	memcpy(&one->key, info->key, sizeof(one->key));
}

TEST_F(dump, of_nothing)
{
	EXPECT_EQ(0, dump_walk(self->fd, self->l, 0, 512, nobody, NULL));
	EXPECT_EQ(0, dump_walk(self->fd, self->l, WEIR_DUMP_BANNED, 512, nobody,
			       NULL));
}

TEST_F(dump, what_a_record_says)
{
	const __u64 key = 0x1122334455667788ULL;
	struct weir_op op;
	struct one one;

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 4, &key, 8));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->l, 2, &key, 8));
	ASSERT_EQ(1, dump_walk(self->fd, self->l, 0, 512, one_keep, &one));
	EXPECT_EQ(8, one.info.key_len);
	EXPECT_EQ(key, one.key);
	EXPECT_EQ(0, one.info.flags);
	EXPECT_EQ(2, one.info.strikes);
	EXPECT_EQ(0, one.info.bans);
	EXPECT_EQ(6, one.info.remaining);
	EXPECT_TRUE(lasts("reset", one.info.reset_after, 4 * (DAY / 10),
			  self->since));
	EXPECT_EQ(0, one.info.banned_for);
	EXPECT_EQ(0, dump_walk(self->fd, self->l, WEIR_DUMP_BANNED, 512, nobody,
			       NULL));

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->l, 3, &key, 8));
	ASSERT_EQ(1, dump_walk(self->fd, self->l, WEIR_DUMP_BANNED, 512,
			       one_keep, &one));
	EXPECT_EQ(WEIR_ENTRY_BANNED, one.info.flags);
	EXPECT_EQ(0, one.info.strikes);
	EXPECT_EQ(1, one.info.bans);
	EXPECT_EQ(6, one.info.remaining);
	EXPECT_TRUE(lasts("ban", one.info.banned_for, 3 * DAY, self->since));
}

TEST_F(dump, room_and_place)
{
	__u64 buffer[128];
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->l,
				  .buffer = address(buffer),
				  .length = 511 };
	__u32 counter;

	EXPECT_EQ(-EMSGSIZE, call(self->fd, WEIR_IOC_DUMP, &dump));
	dump.length = 0;
	EXPECT_EQ(-EMSGSIZE, call(self->fd, WEIR_IOC_DUMP, &dump));
	dump.length = 512;
	for (int shift = 1; shift < 8; shift++) {
		dump.buffer = address(buffer) + shift;
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_DUMP, &dump));
	}
	dump.buffer = address(buffer);
	EXPECT_EQ(512, dump.length);
	EXPECT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	EXPECT_EQ(WEIR_NEVER, dump.cursor);
	/* a dump beyond the end returns nothing, and no error */
	dump.length = 512;
	EXPECT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	EXPECT_EQ(0, dump.length);
	EXPECT_EQ(0, dump.count);
	EXPECT_EQ(WEIR_NEVER, dump.cursor);

	ASSERT_EQ(0, sum_create(self->fd, OURS "dump-c", 1, &counter));
	dump.handle = counter;
	dump.length = 512;
	EXPECT_EQ(-EOPNOTSUPP, call(self->fd, WEIR_IOC_DUMP, &dump));
}

static void stable_mark(const struct weir_entry_info *info, void *arg)
{
	__u8 *seen = arg;
	__u64 key;

	memcpy(&key, info->key, sizeof(key));
	if (key < STABLE && seen[key] < 255)
		seen[key]++;
}

static bool once_each(int fd, __u32 l, size_t bytes)
{
	__u8 seen[STABLE] = { 0 };
	int ret = dump_walk(fd, l, 0, bytes, stable_mark, seen);

	if (ret < STABLE) {
		printf("# dump: %d\n", ret);
		return false;
	}
	for (int i = 0; i < STABLE; i++)
		if (seen[i] != 1) {
			printf("# key %d seen %u times\n", i, seen[i]);
			return false;
		}
	return true;
}

static void stable_fill(struct __test_metadata *_metadata,
			FIXTURE_DATA(dump) *self)
{
	struct weir_op op;

	for (__u64 key = 0; key < STABLE; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->l, 1,
				     &key, sizeof(key)));
}

TEST_F(dump, in_pages_of_any_size)
{
	static const size_t sizes[] = { 512, 520, 1000, 4096, 4104, 65536,
					1 << 20 };

	stable_fill(_metadata, self);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_TRUE(once_each(self->fd, self->l, sizes[i]));
}

/* Keys above STABLE are added and removed all the time, ten thousand of them. */
static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd = client_open(O_RDWR);
	__u64 key = STABLE + me;
	struct weir_op op;
	__u32 l;

	(void)arg;
	if (object_open(fd, WEIR_KIND_LIMITER, OURS "dump", WEIR_RIGHT_ALL, &l))
		return 1;
	while (!crowd->flag) {
		if (key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key, sizeof(key)))
			return 2;
		key += crowd->size;
		if (key < STABLE + 2000 * crowd->size)
			continue;
		/* forget the oldest key */
		key -= 1000 * crowd->size;
		if (key_run(fd, &op, WEIR_OP_FORGET, l, 0, &key, sizeof(key)))
			return 3;
		key += 1000 * crowd->size;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(dump, once_each_while_others_come_and_go)
{
	static const size_t sizes[] = { 512, 4096, 30000 };
	struct crowd *crowd = crowd_make(3);

	stable_fill(_metadata, self);
	crowd_spawn(crowd, come_and_go, NULL);
	crowd_start(crowd);
	for (int round = 0; round < (is_small() ? 3 : 12); round++)
		EXPECT_TRUE(once_each(self->fd, self->l, sizes[round % 3]));
	crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	EXPECT_LT(0, crowd_done(crowd));
	crowd_free(crowd);
}

TEST_F(dump, the_banned_alone)
{
	__u8 seen[STABLE] = { 0 };
	struct weir_op op;

	stable_fill(_metadata, self);
	for (__u64 key = 0; key < STABLE; key += 3)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, self->l, 5,
				     &key, sizeof(key)));
	EXPECT_EQ((STABLE + 2) / 3,
		  dump_walk(self->fd, self->l, WEIR_DUMP_BANNED, 512,
			    stable_mark, seen));
	for (int key = 0; key < STABLE; key++)
		ASSERT_EQ(key % 3 == 0, seen[key]);
}

TEST_F(dump, of_texts)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_TEXT);
	char text[WEIR_KEY_MAX];
	struct weir_op op;
	__u32 l;

	ASSERT_EQ(0, limiter_create(self->fd, OURS "dump-t", &config, &l));
	memset(text, 't', sizeof(text));
	for (int length = 1; length <= WEIR_KEY_MAX; length++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, text,
				     length));
	EXPECT_EQ(WEIR_KEY_MAX, dump_walk(self->fd, l, 0, 512, nobody, NULL));
	EXPECT_EQ(WEIR_KEY_MAX, dump_walk(self->fd, l, 0, 8192, nobody, NULL));
}

/* One call with the smallest buffer. Return: the number of records, or an errno. */
static int dump_some(int fd, __u32 l, __u64 *cursor, __u64 *keys)
{
	__u64 buffer[512 / sizeof(__u64)];
	struct weir_dump dump = { .size = sizeof(dump), .handle = l, .cursor = *cursor,
				  .buffer = address(buffer), .length = sizeof(buffer) };
	struct weir_entry_info *info = (void *)buffer;
	int ret = call(fd, WEIR_IOC_DUMP, &dump);

	if (ret)
		return ret;
	for (__u32 i = 0; i < dump.count; i++) {
		memcpy(&keys[i], info->key, sizeof(*keys));
		info = (void *)info + info->size;
	}
	*cursor = dump.cursor;
	return dump.count;
}

static bool is_among(__u64 key, const __u64 *keys, int n)
{
	while (n--)
		if (keys[n] == key)
			return true;
	return false;
}

/*
 * If cursors were positions in the order of the dump, a slightly smaller cursor would return
 * records that were just returned, and cursors would grow from call to call. With random cursors
 * both happen by chance only.
 */
TEST_F(dump, cursors_tell_nothing)
{
	__u64 cursor = 0, before, near, keys[16], found[16];
	int calls = 0, grown = 0, hits = 0, n;

	stable_fill(_metadata, self);
	while (cursor != WEIR_NEVER) {
		before = cursor;
		n = dump_some(self->fd, self->l, &cursor, keys);
		ASSERT_LE(0, n);
		if (!n || cursor == WEIR_NEVER)
			continue;
		calls++;
		grown += cursor > before;
		/* less by twice the mean distance of two keys */
		near = cursor - 2 * (WEIR_NEVER / STABLE);
		if (dump_some(self->fd, self->l, &near, found) > 0)
			hits += is_among(found[0], keys, n);
	}
	ASSERT_LT(200, calls);
	/* 1 or 2 are expected */
	EXPECT_GT(20, hits);
	/* half of them are expected; the bounds are six standard deviations for 200 calls */
	EXPECT_LT(calls * 2 / 7, grown);
	EXPECT_GT(calls * 5 / 7, grown);
}

/* Every number is a valid cursor: a dump from there reaches the end. */
TEST_F(dump, any_number_is_a_cursor)
{
	static const __u64 cursors[] = { 1, 2, 0x7fffffff, 0x80000000, 1ULL << 63,
					 WEIR_NEVER - 1 };
	__u64 cursor, keys[16];
	int n, shown;

	stable_fill(_metadata, self);
	for (size_t i = 0; i < ARRAY_SIZE(cursors); i++) {
		cursor = cursors[i];
		for (shown = 0; cursor != WEIR_NEVER; shown += n) {
			n = dump_some(self->fd, self->l, &cursor, keys);
			ASSERT_LE(0, n);
		}
		EXPECT_GE(STABLE, shown);
	}
}

TEST_HARNESS_MAIN
