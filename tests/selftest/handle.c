// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle - a handle is valid in one open file, with the rights given to it
 *
 * A table lists every use of a handle, and the right it needs. The tests try each use with handles
 * that are closed, of another file, without the right, or whose object was deleted.
 */
#include "harness.h"

#include <pthread.h>

#include "client.h"

enum { SUM, SEQUENCE, LIMITER, OBJECTS };

struct use {
	const char *name;
	int object;
	__u32 right;
	unsigned long request;		/* 0: the use is an op */
	__u16 opcode;
	__s64 n;
	__u64 arg;
};

static const struct use uses[] = {
	{ "ADD", SUM, WEIR_RIGHT_USE, 0, WEIR_OP_ADD, 1, 1 },
	{ "READ", SUM, WEIR_RIGHT_OBSERVE, 0, WEIR_OP_READ, 0, 0 },
	{ "TAKE", SUM, WEIR_RIGHT_ADMIN, 0, WEIR_OP_TAKE, 0, 0 },
	{ "NEXT", SEQUENCE, WEIR_RIGHT_USE, 0, WEIR_OP_NEXT, 1, 0 },
	{ "READ", SEQUENCE, WEIR_RIGHT_OBSERVE, 0, WEIR_OP_READ, 0, 0 },
	{ "CHECK", LIMITER, WEIR_RIGHT_USE, 0, WEIR_OP_CHECK, 1, 0 },
	{ "PEEK", LIMITER, WEIR_RIGHT_OBSERVE, 0, WEIR_OP_PEEK, 1, 0 },
	{ "REFUND", LIMITER, WEIR_RIGHT_USE, 0, WEIR_OP_REFUND, 1, 0 },
	{ "STRIKE", LIMITER, WEIR_RIGHT_USE, 0, WEIR_OP_STRIKE, 1, 0 },
	{ "FORGIVE", LIMITER, WEIR_RIGHT_USE, 0, WEIR_OP_FORGIVE, 0, 0 },
	{ "BAN", LIMITER, WEIR_RIGHT_ADMIN, 0, WEIR_OP_BAN, 0, DAY },
	{ "LIFT", LIMITER, WEIR_RIGHT_ADMIN, 0, WEIR_OP_LIFT, 0, 0 },
	{ "FORGET", LIMITER, WEIR_RIGHT_ADMIN, 0, WEIR_OP_FORGET, 0, 0 },
	{ "GET", LIMITER, WEIR_RIGHT_OBSERVE, WEIR_IOC_GET, 0, 0, 0 },
	{ "GET", SUM, WEIR_RIGHT_OBSERVE, WEIR_IOC_GET, 0, 0, 0 },
	{ "SET", LIMITER, WEIR_RIGHT_ADMIN, WEIR_IOC_SET, 0, 0, 0 },
	{ "DUMP", LIMITER, WEIR_RIGHT_KEYS, WEIR_IOC_DUMP, 0, 0, 0 },
	{ "DELETE", SUM, WEIR_RIGHT_ADMIN, WEIR_IOC_DELETE, 0, 0, 0 },
	{ "DELETE", LIMITER, WEIR_RIGHT_ADMIN, WEIR_IOC_DELETE, 0, 0, 0 },
};

static const char *const names[OBJECTS] = {
	OURS "handle-sum", OURS "handle-sequence", OURS "handle-limiter",
};

static const __u32 kinds[OBJECTS] = {
	WEIR_KIND_COUNTER, WEIR_KIND_COUNTER, WEIR_KIND_LIMITER,
};

static const __u64 key = 99;

static int get_try(int fd, __u32 handle, bool limiter)
{
	struct weir_limiter_config config;
	char fields[2][WEIR_NAME_SIZE];
	struct weir_counter_config counter = { .size = sizeof(counter),
					       .nfields = 2 };
	struct weir_get get = { .size = sizeof(get), .handle = handle };

	if (limiter)
		return limiter_get(fd, handle, &config);
	counter.fields = address(fields);
	get.config = address(&counter);
	return call(fd, WEIR_IOC_GET, &get);
}

static int dump_try(int fd, __u32 handle)
{
	__u64 buffer[64];
	struct weir_dump dump = { .size = sizeof(dump), .handle = handle,
				  .buffer = address(buffer),
				  .length = sizeof(buffer) };

	return call(fd, WEIR_IOC_DUMP, &dump);
}

static int use_try(int fd, __u32 handle, const struct use *use)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;

	switch (use->request) {
	case WEIR_IOC_GET:
		return get_try(fd, handle, use->object == LIMITER);
	case WEIR_IOC_SET:
		config.burst = 10;
		return limiter_set(fd, handle, WEIR_SET_BURST, &config);
	case WEIR_IOC_DUMP:
		return dump_try(fd, handle);
	case WEIR_IOC_DELETE:
		return object_delete(fd, handle);
	}
	op = op_make(use->opcode, handle, use->n);
	op.arg = use->arg;
	if (use->object == LIMITER)
		op_key(&op, &key, sizeof(key));
	return op_run(fd, &op);
}

FIXTURE(handle) {
	int fd;
	__u32 all[OBJECTS];		/* handles with every right */
};

/* Make the objects with which every use in the table is valid, apart from the handle. */
static int world_make(int fd, __u32 *all)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_op op;
	int ret;

	ret = sum_create(fd, names[SUM], 1, &all[SUM]);
	ret = ret ?: counter_create(fd, names[SEQUENCE], WEIR_COUNTER_SEQUENCE,
				    0, &all[SEQUENCE]);
	ret = ret ?: limiter_create(fd, names[LIMITER], &config, &all[LIMITER]);
	if (ret)
		return ret;
	op = op_make(WEIR_OP_BAN, all[LIMITER], 0);
	op.arg = DAY;
	op_key(&op, &key, sizeof(key));
	return op_run(fd, &op);
}

FIXTURE_SETUP(handle)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, world_make(self->fd, self->all));
}

FIXTURE_TEARDOWN(handle)
{
	close(self->fd);
	objects_wipe();
}

/* A refused call has changed nothing. */
static bool untouched(FIXTURE_DATA(handle) *self)
{
	struct weir_limiter_stats stats;
	struct weir_op op;
	__s64 sum, number;

	return !counter_read(self->fd, self->all[SUM], 0, &sum) && !sum &&
	       !counter_read(self->fd, self->all[SEQUENCE], 0, &number) &&
	       !number &&
	       !stats_get(self->fd, self->all[LIMITER], &stats) &&
	       stats.keys == 1 && !stats.allowed && !stats.banned &&
	       !stats.strikes && stats.bans == 1 &&
	       !key_run(self->fd, &op, WEIR_OP_PEEK, self->all[LIMITER], 1,
			&key, sizeof(key)) &&
	       op.verdict == WEIR_BANNED;
}

static void all_uses_answer(struct __test_metadata *_metadata, int fd,
			    const __u32 *handles, int wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		EXPECT_EQ(wanted, use_try(fd, handles[uses[i].object],
					  &uses[i])) {
			TH_LOG("%s of %s", uses[i].name,
			       names[uses[i].object]);
		}
	}
}

TEST_F(handle, never_given_out)
{
	static const __u32 numbers[] = { 0, 0x7fffffff, 0x80000000U,
					 0xfffffffeU, 0xffffffffU };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const __u32 bad[OBJECTS] = { numbers[i], numbers[i],
					     numbers[i] };

		all_uses_answer(_metadata, self->fd, bad, -EBADF);
		EXPECT_EQ(-EBADF, handle_close(self->fd, numbers[i]));
	}
	EXPECT_TRUE(untouched(self));
}

TEST_F(handle, closed)
{
	__u32 gone[OBJECTS];

	for (int i = 0; i < OBJECTS; i++) {
		ASSERT_EQ(0, object_open(self->fd, kinds[i], names[i],
					 WEIR_RIGHT_ALL, &gone[i]));
		EXPECT_NE(0, gone[i]);
		ASSERT_EQ(0, handle_close(self->fd, gone[i]));
		EXPECT_EQ(-EBADF, handle_close(self->fd, gone[i]));
	}
	all_uses_answer(_metadata, self->fd, gone, -EBADF);
	EXPECT_TRUE(untouched(self));
}

/* The number of a closed handle is not given to the next handle. */
TEST_F(handle, closed_and_another_opened)
{
	__u32 old, fresh;

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, object_open(self->fd, kinds[SUM], names[SUM],
					 WEIR_RIGHT_ALL, &old));
		ASSERT_EQ(0, handle_close(self->fd, old));
		ASSERT_EQ(0, object_open(self->fd, kinds[SEQUENCE],
					 names[SEQUENCE], WEIR_RIGHT_ALL,
					 &fresh));
		ASSERT_NE(old, fresh);
		ASSERT_EQ(-EBADF, use_try(self->fd, old, &uses[0]));
		ASSERT_EQ(0, handle_close(self->fd, fresh));
	}
}

TEST_F(handle, of_another_file)
{
	int other = client_open(O_RDWR);

	ASSERT_LE(0, other);
	all_uses_answer(_metadata, other, self->all, -EBADF);
	for (int i = 0; i < OBJECTS; i++)
		EXPECT_EQ(-EBADF, handle_close(other, self->all[i]));
	close(other);
	EXPECT_TRUE(untouched(self));
}

/* Each use is tried with each set of rights that lacks the right it needs. */
TEST_F(handle, short_of_rights)
{
	for (__u32 rights = 1; rights <= WEIR_RIGHT_ALL; rights++) {
		__u32 handles[OBJECTS];

		for (int i = 0; i < OBJECTS; i++)
			ASSERT_EQ(0, object_open(self->fd, kinds[i], names[i],
						 rights, &handles[i]));
		for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
			if (rights & (uses[i].right | WEIR_RIGHT_ADMIN))
				continue;
			EXPECT_EQ(-EACCES, use_try(self->fd,
						   handles[uses[i].object],
						   &uses[i])) {
				TH_LOG("%s with rights %u", uses[i].name,
				       rights);
			}
		}
		for (int i = 0; i < OBJECTS; i++)
			EXPECT_EQ(0, handle_close(self->fd, handles[i]));
		EXPECT_TRUE(untouched(self));
	}
}

/* For each use, the one right that it needs is enough. */
TEST_F(handle, with_the_one_right)
{
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		const int object = uses[i].object;
		__u32 handle;

		ASSERT_EQ(0, object_open(self->fd, kinds[object], names[object],
					 uses[i].right, &handle));
		EXPECT_EQ(0, use_try(self->fd, handle, &uses[i])) {
			TH_LOG("%s of %s", uses[i].name, names[object]);
		}
		/* start again: some uses end what the next one needs */
		close(self->fd);
		objects_wipe();
		self->fd = client_open(O_RDWR);
		ASSERT_EQ(0, world_make(self->fd, self->all));
	}
}

TEST_F(handle, of_a_deleted_object)
{
	struct weir_info before, after;

	for (int i = 0; i < OBJECTS; i++)
		ASSERT_EQ(0, object_remove(self->fd, kinds[i], names[i]));
	before = info_get(self->fd);
	all_uses_answer(_metadata, self->fd, self->all, -ENODEV);
	after = info_get(self->fd);
	EXPECT_EQ(before.event_next, after.event_next);
	for (int i = 0; i < OBJECTS; i++) {
		EXPECT_EQ(0, handle_close(self->fd, self->all[i]));
		EXPECT_EQ(-EBADF, handle_close(self->fd, self->all[i]));
	}
}

/* A file opened for reading can observe, and can change nothing. */
TEST_F(handle, read_only_file)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct weir_create create = create_make(WEIR_KIND_COUNTER,
						OURS "handle-new", &config);
	int fd = client_open(O_RDONLY);
	__u32 handle;
	__s64 value;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, call(fd, WEIR_IOC_CREATE, &create));
	create.flags = WEIR_CREATE_EXISTING_OK;
	EXPECT_EQ(-EACCES, call(fd, WEIR_IOC_CREATE, &create));
	for (int i = 0; i < OBJECTS; i++) {
		EXPECT_EQ(-EACCES, object_open(fd, kinds[i], names[i],
					       WEIR_RIGHT_USE, &handle));
		EXPECT_EQ(-EACCES, object_open(fd, kinds[i], names[i],
					       WEIR_RIGHT_ADMIN, &handle));
		EXPECT_EQ(0, object_open(fd, kinds[i], names[i],
					 WEIR_RIGHT_KEYS, &handle));
		EXPECT_EQ(0, object_open(fd, kinds[i], names[i],
					 WEIR_RIGHT_OBSERVE, &handle));
		if (i == SUM)
			EXPECT_EQ(0, counter_read(fd, handle, 0, &value));
		EXPECT_EQ(0, handle_close(fd, handle));
	}
	close(fd);
	EXPECT_TRUE(untouched(self));
}

/* A child of fork() shares the client: changes of a handle affect both. */
TEST_F(handle, shared_by_fork)
{
	__s64 value;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(counter_add(self->fd, self->all[SUM], 0, 5) ||
		      handle_close(self->fd, self->all[SEQUENCE]));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, counter_read(self->fd, self->all[SUM], 0, &value));
	EXPECT_EQ(5, value);
	EXPECT_EQ(-EBADF, handle_close(self->fd, self->all[SEQUENCE]));
}

TEST_F(handle, survives_in_a_duplicate)
{
	__s64 value;
	int copy = dup(self->fd);

	ASSERT_LE(0, copy);
	close(self->fd);
	self->fd = copy;
	EXPECT_EQ(0, counter_add(copy, self->all[SUM], 0, 7));
	EXPECT_EQ(0, counter_read(copy, self->all[SUM], 0, &value));
	EXPECT_EQ(7, value);
}

FIXTURE(full) {
	int fd;
	__u32 handle;
};

FIXTURE_SETUP(full)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, sum_create(self->fd, OURS "handle-full", 1, &self->handle));
}

FIXTURE_TEARDOWN(full)
{
	close(self->fd);
	objects_wipe();
}

/*
 * Exactly handles_max handles. Calls that failed because the answer could not be written do not
 * count.
 */
TEST_F(full, exhaustion)
{
	const __u32 max = info_get(self->fd).handles_max;
	struct weir_open *locked = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u32 handle, last = 0;
	__s64 value;

	*locked = open_make(WEIR_KIND_COUNTER, OURS "handle-full",
			    WEIR_RIGHT_ALL);
	ASSERT_EQ(0, mprotect(locked, 4096, PROT_READ));
	for (__u32 i = 1; i < max; i++) {
		if (i < 1000)
			ASSERT_EQ(-EFAULT, call(self->fd, WEIR_IOC_OPEN,
						locked));
		ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER,
					 OURS "handle-full", WEIR_RIGHT_ALL,
					 &handle)) {
			TH_LOG("handle %u of %u", i + 1, max);
		}
		last = handle;
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EMFILE, object_open(self->fd, WEIR_KIND_COUNTER,
					       OURS "handle-full",
					       WEIR_RIGHT_ALL, &handle));
	EXPECT_EQ(-EMFILE, sum_create(self->fd, OURS "handle-more", 1, &handle));
	/* the object of the failed CREATE does not exist either */
	EXPECT_EQ(0, handle_close(self->fd, last));
	EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_COUNTER,
				       OURS "handle-more", WEIR_RIGHT_ALL,
				       &handle));
	EXPECT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER,
				 OURS "handle-full", WEIR_RIGHT_ALL, &handle));
	EXPECT_EQ(0, counter_read(self->fd, handle, 0, &value));
	munmap(locked, 4096);
}

struct moving {
	int fd;
	__u32 lowest;
	bool stop;
};

/* Close the handle with the lowest number, and open another one with a number above all others. */
static void *move_on(void *arg)
{
	struct moving *m = arg;
	__u32 handle;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED))
		if (!handle_close(m->fd, m->lowest++) &&
		    object_open(m->fd, WEIR_KIND_COUNTER, OURS "handle-full",
				WEIR_RIGHT_ALL, &handle))
			abort();
	return NULL;
}

/*
 * A duplicate has at most handles_max handles, or is not made, even if handles are opened and
 * closed meanwhile.
 */
TEST_F(full, duplicate)
{
	const __u32 max = info_get(self->fd).handles_max;
	struct moving m = { .fd = self->fd, .lowest = self->handle };
	unsigned int n;
	pthread_t mover;
	__u32 handle;
	int copy;

	for (__u32 i = 1; i < max; i++)
		ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_COUNTER, OURS "handle-full",
					 WEIR_RIGHT_OBSERVE, &handle));
	copy = client_dup(self->fd, 0);
	ASSERT_LE(0, copy);
	EXPECT_EQ(-EMFILE, object_open(copy, WEIR_KIND_COUNTER, OURS "handle-full",
				       WEIR_RIGHT_OBSERVE, &handle));
	close(copy);
	ASSERT_EQ(0, pthread_create(&mover, NULL, move_on, &m));
	for (int i = 0; i < (is_small() ? 1 : 5); i++) {
		copy = client_dup(self->fd, 0);
		if (copy < 0) {
			EXPECT_EQ(-EMFILE, copy);
			continue;
		}
		for (n = 0, handle = 1; handle < 10 * max; handle++)
			n += !handle_close(copy, handle);
		EXPECT_GE(max, n);
		close(copy);
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(mover, NULL);
}

TEST_HARNESS_MAIN
