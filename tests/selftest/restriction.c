// SPDX-License-Identifier: GPL-2.0-only
/* restriction - powers and rights that an open file gives up */
#include "owner.h"

static int restrict_to(int fd, __u32 flags, __u32 handle, __u32 rights)
{
	struct weir_restrict r = { .size = sizeof(r), .flags = flags, .handle = handle,
				   .rights = rights };

	return call(fd, WEIR_IOC_RESTRICT, &r);
}

/* One bit for each power that the client has. */
static __u32 powers(int fd)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, OURS "power", &sum);
	struct weir_object_info info;
	struct weir_list list = { .size = sizeof(list), .buffer = address(&info),
				  .length = sizeof(info), .owner = WEIR_OWNER_DEFAULT };
	struct weir_emit emit = { .size = sizeof(emit), .length = 1, .data = address("x") };
	struct record r;
	__u32 has = 0, handle;

	create.flags = WEIR_CREATE_EXISTING_OK;
	if (call(fd, WEIR_IOC_CREATE, &create) != -EPERM)
		has |= WEIR_RESTRICT_CREATE;
	if (object_open(fd, WEIR_KIND_COUNTER, OURS "power", WEIR_RIGHT_USE, &handle) != -EPERM)
		has |= WEIR_RESTRICT_OPEN;
	if (call(fd, WEIR_IOC_LIST, &list) != -EPERM)
		has |= WEIR_RESTRICT_LIST;
	if (call(fd, WEIR_IOC_EMIT, &emit) != -EPERM)
		has |= WEIR_RESTRICT_EMIT;
	if (record_read(fd, &r) != -EPERM && stream_choose(fd, WEIR_OWNER_DEFAULT) != -EPERM &&
	    (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EPERM))
		has |= WEIR_RESTRICT_EVENTS;
	return has;
}

TEST_F(owner, restriction)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_NONE);
	__u32 limiter, other;
	int fd;

	for (__u32 flag = 1; flag <= WEIR_RESTRICT_ALL; flag <<= 1) {
		fd = client_open(O_RDWR | O_NONBLOCK);
		EXPECT_EQ(WEIR_RESTRICT_ALL, powers(fd));
		EXPECT_EQ(0, restrict_to(fd, flag, 0, 0));
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(fd));
		/* a restriction cannot be undone */
		EXPECT_EQ(0, restrict_to(fd, 0, 0, 0));
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(fd));
		EXPECT_EQ(0, restrict_to(fd, WEIR_RESTRICT_ALL, 0, 0));
		EXPECT_EQ(0, powers(fd));
		close(fd);
	}
	EXPECT_EQ(-EINVAL, restrict_to(self->fd, WEIR_RESTRICT_ALL + 1, 0, 0));
	EXPECT_EQ(-EINVAL, restrict_to(self->fd, 0, 0, WEIR_RIGHT_USE));
	EXPECT_EQ(-EINVAL, restrict_to(self->fd, 0, 1, WEIR_RIGHT_ALL + 1));
	EXPECT_EQ(-EBADF, restrict_to(self->fd, WEIR_RESTRICT_ALL, 999, 0));
	EXPECT_EQ(WEIR_RESTRICT_ALL & ~WEIR_RESTRICT_EVENTS,
		  powers(self->fd) & ~WEIR_RESTRICT_EVENTS);
	/* setting a candidate opens an object by name */
	fd = client_open(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, limiter_create(fd, OURS "live", &config, &limiter));
	ASSERT_EQ(0, limiter_create(fd, OURS "other", &config, &other));
	strcpy(config.candidate, OURS "other");
	EXPECT_EQ(0, limiter_set(fd, limiter, WEIR_SET_CANDIDATE, &config));
	EXPECT_EQ(0, restrict_to(fd, WEIR_RESTRICT_OPEN, 0, 0));
	EXPECT_EQ(-EPERM, limiter_set(fd, limiter, WEIR_SET_CANDIDATE, &config));
	close(fd);
}

/*
 * A duplicate begins with the powers that the client has left. Later restrictions affect only one
 * of them.
 */
TEST_F(owner, restricted_duplicate)
{
	int fd, copy, again;

	for (__u32 flag = 1; flag <= WEIR_RESTRICT_ALL; flag <<= 1) {
		fd = client_open(O_RDWR | O_NONBLOCK);
		ASSERT_EQ(0, restrict_to(fd, flag, 0, 0));
		copy = client_dup(fd, 0);
		ASSERT_LE(0, copy);
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(copy));
		EXPECT_EQ(0, restrict_to(copy, 0, 0, 0));
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(copy));
		again = client_dup(copy, 0);
		ASSERT_LE(0, again);
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(again));
		EXPECT_EQ(0, restrict_to(copy, WEIR_RESTRICT_ALL, 0, 0));
		EXPECT_EQ(0, powers(copy));
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(fd));
		EXPECT_EQ(WEIR_RESTRICT_ALL & ~flag, powers(again));
		close(again);
		close(copy);
		close(fd);
	}
}

/* The same for the rights of handles. */
TEST_F(owner, narrowed_handles_of_a_duplicate)
{
	__u32 handle;
	__s64 value;
	int copy;

	ASSERT_EQ(0, sum_create(self->fd, OURS "narrow", 1, &handle));
	ASSERT_EQ(0, restrict_to(self->fd, 0, handle, WEIR_RIGHT_USE | WEIR_RIGHT_OBSERVE));
	copy = client_dup(self->fd, 0);
	ASSERT_LE(0, copy);
	EXPECT_EQ(-EACCES, object_delete(copy, handle));
	/* not even the user that opened the client gets more */
	EXPECT_EQ(0, restrict_to(copy, 0, handle, WEIR_RIGHT_ALL));
	EXPECT_EQ(-EACCES, object_delete(copy, handle));
	EXPECT_EQ(0, counter_add(copy, handle, 0, 1));
	EXPECT_EQ(0, restrict_to(copy, 0, handle, WEIR_RIGHT_OBSERVE));
	EXPECT_EQ(-EACCES, counter_add(copy, handle, 0, 1));
	EXPECT_EQ(0, counter_add(self->fd, handle, 0, 1));
	EXPECT_EQ(0, counter_read(copy, handle, 0, &value));
	EXPECT_EQ(2, value);
	close(copy);
}

TEST_F(owner, narrowed_handles)
{
	__u32 handle, whole;
	__s64 value;

	ASSERT_EQ(0, sum_create(self->fd, OURS "narrow", 1, &handle));
	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER, OURS "narrow", WEIR_RIGHT_ALL,
				 &whole));
	EXPECT_EQ(0, restrict_to(self->fd, 0, handle, WEIR_RIGHT_USE | WEIR_RIGHT_OBSERVE));
	EXPECT_EQ(-EACCES, object_delete(self->fd, handle));
	EXPECT_EQ(0, counter_add(self->fd, handle, 0, 1));
	EXPECT_EQ(0, counter_read(self->fd, handle, 0, &value));
	EXPECT_EQ(0, restrict_to(self->fd, 0, handle, WEIR_RIGHT_USE | WEIR_RIGHT_ADMIN));
	EXPECT_EQ(0, counter_add(self->fd, handle, 0, 1));
	EXPECT_EQ(-EACCES, counter_read(self->fd, handle, 0, &value));
	EXPECT_EQ(-EACCES, object_delete(self->fd, handle));
	EXPECT_EQ(0, restrict_to(self->fd, 0, handle, 0));
	EXPECT_EQ(-EACCES, counter_add(self->fd, handle, 0, 1));
	/* other handles are unchanged */
	EXPECT_EQ(0, object_delete(self->fd, whole));
}

TEST_HARNESS_MAIN
