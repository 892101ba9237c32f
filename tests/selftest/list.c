// SPDX-License-Identifier: GPL-2.0-only
/* list - every object that the caller may observe, once, in ascending order of numbers */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "person.h"

#define SOMEBODY	4401
#define STABLE		300
#define RECORD		sizeof(struct weir_object_info)

FIXTURE(list) {
	int fd;
	mode_t device;
};

FIXTURE_SETUP(list)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(list)
{
	close(self->fd);
	device_chmod(self->device);
	objects_wipe();
}

/* Read the whole list with a buffer of @bytes. Call @see for each object of the selftests. */
static int list_walk(int fd, __u32 kind, size_t bytes,
		     void (*see)(const struct weir_object_info *, void *),
		     void *arg)
{
	__u64 cursor = 0, filled, last = 0;
	char *buffer = malloc(bytes);
	__u32 count;
	int ret;

	for (;;) {
		memset(buffer, POISON, bytes);
		ret = list_page(fd, kind, &cursor, buffer, bytes, &filled,
				&count);
		if (ret || !filled)
			break;
		ret = -EPROTO;
		if (filled != count * RECORD || filled > bytes)
			break;
		for (__u32 i = 0; i < count; i++) {
			const struct weir_object_info *info =
				(void *)(buffer + i * RECORD);

			if (info->size != RECORD || info->id <= last)
				goto out;
			last = info->id;
			if (!strncmp(info->name, OURS, strlen(OURS)))
				see(info, arg);
		}
	}
	if (!ret && count)
		ret = -EPROTO;
out:
	free(buffer);
	return ret;
}

static void one_keep(const struct weir_object_info *info, void *arg)
{
	memcpy(arg, info, sizeof(*info));
}

TEST_F(list, what_a_record_says)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_create create = create_make(WEIR_KIND_LIMITER,
						OURS "list-one", &config);
	struct weir_object_info seen = { 0 };
	struct weir_op op;

	create.mode = 0642;
	create.gid = SOMEBODY;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	for (__u64 key = 0; key < 3; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK,
				     create.handle, 1, &key, sizeof(key)));
	ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_ANY, 4096, one_keep, &seen));
	EXPECT_EQ(WEIR_KIND_LIMITER, seen.kind);
	EXPECT_EQ(WEIR_ALGORITHM_BUCKET, seen.type);
	EXPECT_EQ(0642, seen.mode);
	EXPECT_EQ(0, seen.uid);
	EXPECT_EQ(SOMEBODY, seen.gid);
	EXPECT_EQ(create.id, seen.id);
	EXPECT_EQ(3, seen.keys);
	EXPECT_EQ(0, memcmp(create.name, seen.name, sizeof(seen.name)));
}

static void one_count(const struct weir_object_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
}

TEST_F(list, by_kind)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_NONE);
	int counters = 0, limiters = 0, all = 0;
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "list-a", 1, &handle));
	ASSERT_EQ(0, sum_create(self->fd, OURS "list-b", 1, &handle));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "list-a", &config, &handle));
	ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_COUNTER, RECORD, one_count,
			       &counters));
	ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_LIMITER, RECORD, one_count,
			       &limiters));
	ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_ANY, RECORD, one_count,
			       &all));
	EXPECT_EQ(2, counters);
	EXPECT_EQ(1, limiters);
	EXPECT_EQ(3, all);
}

TEST_F(list, room_for_not_even_one)
{
	char buffer[RECORD];
	__u64 cursor, filled;
	__u32 handle, count;

	ASSERT_EQ(0, sum_create(self->fd, OURS "list-a", 1, &handle));
	for (size_t bytes = 0; bytes < RECORD; bytes += 8) {
		memset(buffer, POISON, sizeof(buffer));
		cursor = 0;
		EXPECT_EQ(-EMSGSIZE, list_page(self->fd, WEIR_KIND_COUNTER,
					       &cursor, buffer, bytes, &filled,
					       &count));
		EXPECT_EQ(0, cursor);
		EXPECT_EQ((char)POISON, buffer[0]);
	}
	cursor = 0;
	EXPECT_EQ(0, list_page(self->fd, WEIR_KIND_COUNTER, &cursor, buffer,
			       RECORD, &filled, &count));
	EXPECT_EQ(RECORD, filled);
	EXPECT_EQ(1, count);
}

/* The list is the same with every size of buffer. The unused part of the buffer is not written. */
TEST_F(list, in_pages_of_any_size)
{
	__u32 handle;

	for (int i = 0; i < 50; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "list-%d", i);
		ASSERT_EQ(0, sum_create(self->fd, name, 1, &handle));
	}
	for (size_t bytes = RECORD; bytes < 60 * RECORD; bytes += 72) {
		int count = 0;

		ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_ANY, bytes,
				       one_count, &count));
		EXPECT_EQ(50, count);
	}
}

static int count_as(void *arg)
{
	int fd = client_open(O_RDONLY), count = 0, ret;

	(void)arg;
	ret = list_walk(fd, WEIR_KIND_ANY, 4096, one_count, &count);
	return ret ?: count;
}

/* An object is listed to users with the right r; its owner needs that bit too. */
TEST_F(list, only_what_one_may_observe)
{
	static const __u32 modes[] = { 0600, 0060, 0006, 0444, 0222, 0640 };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct weir_counter_config config = {
			.size = sizeof(config), .type = WEIR_COUNTER_SUM,
		};
		struct weir_create create;
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "list-%zu", i);
		create = create_make(WEIR_KIND_COUNTER, name, &config);
		create.mode = modes[i];
		create.gid = SOMEBODY;
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	}
	EXPECT_EQ(6, count_as(NULL));
	/* members of the group see 0060, 0444, 0640 */
	EXPECT_EQ(3, person_run(SOMEBODY, SOMEBODY, count_as, NULL));
	/* others see 0006, 0444 */
	EXPECT_EQ(2, person_run(SOMEBODY, SOMEBODY + 1, count_as, NULL));
}

static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd = client_open(O_RDWR);
	__u32 handle;

	(void)arg;
	for (unsigned int i = 0; !crowd->flag; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "list-go-%u-%u", me, i % 7);
		if (sum_create(fd, name, 1, &handle) ||
		    object_delete(fd, handle) || handle_close(fd, handle))
			return 1;
		crowd->seat[me].done++;
	}
	return 0;
}

static void stable_mark(const struct weir_object_info *info, void *arg)
{
	__u8 *seen = arg;
	unsigned int i;

	if (sscanf(info->name, OURS "list-stay-%u", &i) == 1 && i < STABLE)
		seen[i]++;
}

TEST_F(list, once_each_while_others_come_and_go)
{
	struct crowd *crowd = crowd_make(4);
	__u8 seen[STABLE];
	__u32 handle;

	crowd_spawn(crowd, come_and_go, NULL);
	crowd_start(crowd);
	for (int i = 0; i < STABLE; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "list-stay-%d", i);
		ASSERT_EQ(0, sum_create(self->fd, name, 1, &handle));
	}
	for (int round = 0; round < 100; round++) {
		memset(seen, 0, sizeof(seen));
		ASSERT_EQ(0, list_walk(self->fd, WEIR_KIND_ANY,
				       RECORD * (1 + round % 5), stable_mark,
				       seen));
		for (int i = 0; i < STABLE; i++)
			ASSERT_EQ(1, seen[i]);
	}
	crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	EXPECT_LT(0, crowd_done(crowd));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
