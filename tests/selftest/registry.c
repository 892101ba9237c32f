// SPDX-License-Identifier: GPL-2.0-only
/* registry - objects by name: one creator for each name, exact caps, complete lists */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "person.h"

#define SOMEBODY	4201

FIXTURE(registry) {
	int fd;
	mode_t device;
};

FIXTURE_SETUP(registry)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(registry)
{
	close(self->fd);
	device_chmod(self->device);
	objects_wipe();
}

static const struct weir_counter_config sum = {
	.size = sizeof(sum), .type = WEIR_COUNTER_SUM,
};

static bool name_may_begin(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

static bool name_may_go_on(int c)
{
	return name_may_begin(c) || c == '.' || c == '_' || c == '-';
}

static int create_bytes(int fd, const char *name)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, "x", &sum);
	int ret;

	memcpy(create.name, name, sizeof(create.name));
	ret = call(fd, WEIR_IOC_CREATE, &create);
	if (!ret) {
		object_delete(fd, create.handle);
		handle_close(fd, create.handle);
	}
	return ret;
}

TEST_F(registry, each_byte_in_a_name)
{
	char name[WEIR_NAME_SIZE] = { 0 };

	for (int c = 1; c < 256; c++) {
		memset(name, 0, sizeof(name));
		name[0] = c;
		name[1] = 't';
		EXPECT_EQ(name_may_begin(c) ? 0 : -EINVAL,
			  create_bytes(self->fd, name)) {
			TH_LOG("byte %#x first", c);
		}
		name[0] = 't';
		name[1] = c;
		EXPECT_EQ(name_may_go_on(c) ? 0 : -EINVAL,
			  create_bytes(self->fd, name)) {
			TH_LOG("byte %#x second", c);
		}
		/* all bytes after the NUL must be zero */
		name[1] = 0;
		name[2 + c % 62] = c;
		EXPECT_EQ(-EINVAL, create_bytes(self->fd, name));
	}
}

TEST_F(registry, length_of_a_name)
{
	struct weir_open open;
	char name[WEIR_NAME_SIZE] = { 0 };

	EXPECT_EQ(-EINVAL, create_bytes(self->fd, name));
	for (size_t length = 1; length <= WEIR_NAME_SIZE; length++) {
		name[length - 1] = 'n';
		EXPECT_EQ(length < WEIR_NAME_SIZE ? 0 : -EINVAL,
			  create_bytes(self->fd, name));
		open = open_make(WEIR_KIND_COUNTER, "x", WEIR_RIGHT_USE);
		memcpy(open.name, name, sizeof(name));
		EXPECT_EQ(length < WEIR_NAME_SIZE ? -ENOENT : -EINVAL,
			  call(self->fd, WEIR_IOC_OPEN, &open));
	}
}

static int create_fields(int fd, const void *fields, __u32 nfields, __u32 type)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = type, .nfields = nfields,
					      .fields = address(fields) };
	struct weir_create create = create_make(WEIR_KIND_COUNTER,
						OURS "registry-f", &config);
	int ret = call(fd, WEIR_IOC_CREATE, &create);

	if (!ret) {
		object_delete(fd, create.handle);
		handle_close(fd, create.handle);
	}
	return ret;
}

TEST_F(registry, names_of_fields)
{
	char names[WEIR_FIELDS_MAX + 1][WEIR_NAME_SIZE] = { 0 };

	for (int i = 0; i <= WEIR_FIELDS_MAX; i++)
		snprintf(names[i], WEIR_NAME_SIZE, "f%d", i);
	EXPECT_EQ(0, create_fields(self->fd, names, 64, WEIR_COUNTER_SUM));
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 65, WEIR_COUNTER_SUM));
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 2,
					 WEIR_COUNTER_SEQUENCE));
	EXPECT_EQ(-EOPNOTSUPP, create_fields(self->fd, NULL, 0, 4));
	/* no two names may be equal, at any position */
	strcpy(names[63], "f0");
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 64, WEIR_COUNTER_SUM));
	EXPECT_EQ(0, create_fields(self->fd, names, 63, WEIR_COUNTER_SUM));
	strcpy(names[1], "-f");
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 2, WEIR_COUNTER_SUM));
	names[1][0] = 0;
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 2, WEIR_COUNTER_SUM));
	memset(names[1], 'f', WEIR_NAME_SIZE);
	EXPECT_EQ(-EINVAL, create_fields(self->fd, names, 2, WEIR_COUNTER_SUM));
}

/* GET returns the names of the fields, if there is room. */
TEST_F(registry, fields_come_back)
{
	char names[4][WEIR_NAME_SIZE];
	struct weir_counter_config config = { .size = sizeof(config),
					      .nfields = 4,
					      .fields = address(names) };
	struct weir_get get = { .size = sizeof(get), .config = address(&config) };

	memset(names, POISON, sizeof(names));
	ASSERT_EQ(0, sum_create(self->fd, OURS "registry-g", 3, &get.handle));
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_GET, &get));
	EXPECT_EQ(WEIR_COUNTER_SUM, config.type);
	EXPECT_EQ(3, config.nfields);
	EXPECT_STREQ("field0", names[0]);
	EXPECT_STREQ("field1", names[1]);
	EXPECT_STREQ("field2", names[2]);
	EXPECT_EQ((char)POISON, names[3][0]);
	memset(names, POISON, sizeof(names));
	config.nfields = 2;
	EXPECT_EQ(-EMSGSIZE, call(self->fd, WEIR_IOC_GET, &get));
	EXPECT_EQ((char)POISON, names[0][0]);
	/* a counter has no totals and no configuration to set */
	get.config = 0;
	get.stats = address(names);
	EXPECT_EQ(-EOPNOTSUPP, call(self->fd, WEIR_IOC_GET, &get));
	{
		struct weir_limiter_config limiter = limiter_config(0);

		EXPECT_EQ(-EOPNOTSUPP, limiter_set(self->fd, get.handle,
						   WEIR_SET_BURST, &limiter));
	}
}

TEST_F(registry, exists)
{
	struct weir_create first = create_make(WEIR_KIND_COUNTER,
					       OURS "registry-e", &sum);
	struct weir_create second = first;
	struct weir_limiter_config limiter = limiter_config(WEIR_KEY_NONE);
	struct weir_info before;
	__u32 handle;

	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &first));
	EXPECT_EQ(1, first.created);
	EXPECT_EQ(0, first.owner);
	EXPECT_NE(0, first.handle);
	EXPECT_NE(0, first.id);
	before = info_get(self->fd);
	EXPECT_EQ(-EEXIST, call(self->fd, WEIR_IOC_CREATE, &second));
	EXPECT_EQ(first.id, second.id);
	EXPECT_EQ(0, second.owner);
	EXPECT_EQ(before.objects, info_get(self->fd).objects);
	EXPECT_EQ(before.event_next, info_get(self->fd).event_next);
	/* an object of another kind may have the same name */
	EXPECT_EQ(0, limiter_create(self->fd, OURS "registry-e", &limiter,
				    &handle));
	EXPECT_EQ(before.objects + 1, info_get(self->fd).objects);
}

TEST_F(registry, existing_ok)
{
	struct weir_create first = create_make(WEIR_KIND_COUNTER,
					       OURS "registry-o", &sum);
	struct weir_create second;
	__s64 value;

	first.flags = WEIR_CREATE_EXISTING_OK;
	second = first;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &first));
	EXPECT_EQ(1, first.created);
	ASSERT_EQ(0, counter_add(self->fd, first.handle, 0, 9));
	second.rights = WEIR_RIGHT_OBSERVE;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &second));
	EXPECT_EQ(0, second.created);
	EXPECT_EQ(first.id, second.id);
	EXPECT_NE(first.handle, second.handle);
	EXPECT_EQ(0, counter_read(self->fd, second.handle, 0, &value));
	EXPECT_EQ(9, value);
	EXPECT_EQ(-EACCES, counter_add(self->fd, second.handle, 0, 1));
	/* without rights no handle is made */
	second.rights = 0;
	second.handle = POISON_U32;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &second));
	EXPECT_EQ(0, second.handle);
}

static int existing_ok_try(void *arg)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, arg, &sum);
	int fd = client_open(O_RDWR);

	create.flags = WEIR_CREATE_EXISTING_OK;
	create.rights = WEIR_RIGHT_USE;
	return call(fd, WEIR_IOC_CREATE, &create);
}

/* If the user has no object of that name, root's is opened, and its mode decides. */
TEST_F(registry, existing_object_of_root)
{
	char name[] = OURS "registry-p";
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, name, 1, &handle));
	EXPECT_EQ(-EACCES, person_run(SOMEBODY, SOMEBODY, existing_ok_try,
				      name));
	ASSERT_EQ(0, object_delete(self->fd, handle));
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, existing_ok_try, name));
	EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_COUNTER, name,
				       WEIR_RIGHT_USE, &handle));
	EXPECT_EQ(0, object_open_of(self->fd, SOMEBODY, WEIR_KIND_COUNTER, name,
				    WEIR_RIGHT_USE, &handle));
	/* the user's own object comes before root's */
	ASSERT_EQ(0, sum_create(self->fd, name, 1, &handle));
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, existing_ok_try, name));
}

TEST_F(registry, name_is_free_after_delete)
{
	struct weir_create old, fresh;
	__u32 handle;

	for (int i = 0; i < 100; i++) {
		old = create_make(WEIR_KIND_COUNTER, OURS "registry-d", &sum);
		fresh = old;
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &old));
		ASSERT_EQ(0, object_delete(self->fd, old.handle));
		EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_COUNTER,
					       OURS "registry-d",
					       WEIR_RIGHT_USE, &handle));
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &fresh));
		EXPECT_LT(old.id, fresh.id);
		EXPECT_EQ(-ENODEV, counter_add(self->fd, old.handle, 0, 1));
		EXPECT_EQ(0, counter_add(self->fd, fresh.handle, 0, 1));
		EXPECT_EQ(-ENODEV, object_delete(self->fd, old.handle));
		ASSERT_EQ(0, object_delete(self->fd, fresh.handle));
		EXPECT_EQ(0, handle_close(self->fd, old.handle));
		EXPECT_EQ(0, handle_close(self->fd, fresh.handle));
	}
}

#define RACERS	16
#define ROUNDS	50

static int create_race(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct weir_create create;
		char name[WEIR_NAME_SIZE];
		int ret;

		snprintf(name, sizeof(name), OURS "registry-r%d", i);
		create = create_make(WEIR_KIND_COUNTER, name, &sum);
		ret = call(fd, WEIR_IOC_CREATE, &create);
		seat->done += !ret;
		seat->tally[0] += ret == -EEXIST;
		/* all callers must get the same number */
		seat->tally[1] += create.id;
	}
	return 0;
}

TEST_F(registry, one_winner)
{
	struct crowd *crowd = crowd_make(RACERS);
	struct weir_info before = info_get(self->fd);

	EXPECT_EQ(0, crowd_run(crowd, create_race, NULL));
	EXPECT_EQ(ROUNDS, crowd_done(crowd));
	EXPECT_EQ(ROUNDS * (RACERS - 1), crowd_tally(crowd, 0));
	for (int i = 1; i < RACERS; i++)
		EXPECT_EQ(crowd->seat[0].tally[1], crowd->seat[i].tally[1]);
	EXPECT_EQ(before.objects + ROUNDS, info_get(self->fd).objects);
	crowd_free(crowd);
}

static int delete_race(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		char name[WEIR_NAME_SIZE];
		__u32 handle;
		int ret;

		snprintf(name, sizeof(name), OURS "registry-r%d", i);
		ret = object_open(fd, WEIR_KIND_COUNTER, name, WEIR_RIGHT_ALL,
				  &handle);
		if (ret) {
			seat->tally[0] += ret == -ENOENT;
			continue;
		}
		ret = object_delete(fd, handle);
		seat->done += !ret;
		seat->tally[0] += ret == -ENODEV;
		seat->tally[1] += counter_add(fd, handle, 0, 1) != -ENODEV;
	}
	return 0;
}

TEST_F(registry, one_deleter)
{
	struct crowd *crowd = crowd_make(RACERS);
	struct weir_info before = info_get(self->fd);
	__u32 handle;

	for (int i = 0; i < ROUNDS; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "registry-r%d", i);
		ASSERT_EQ(0, sum_create(self->fd, name, 1, &handle));
	}
	EXPECT_EQ(0, crowd_run(crowd, delete_race, NULL));
	EXPECT_EQ(ROUNDS, crowd_done(crowd));
	EXPECT_EQ(ROUNDS * (RACERS - 1), crowd_tally(crowd, 0));
	EXPECT_EQ(0, crowd_tally(crowd, 1));
	EXPECT_EQ(before.objects, info_get(self->fd).objects);
	crowd_free(crowd);
}

/* Use an object until it is deleted: successes, then ENODEV, and nothing else. */
static int use_until_gone(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR), ret;
	__u32 handle;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, OURS "registry-u",
			WEIR_RIGHT_USE, &handle))
		return 1;
	seat->tally[0] = 1;
	while (!(ret = counter_add(fd, handle, 0, 1)))
		seat->done++;
	if (ret != -ENODEV)
		return 2;
	for (int i = 0; i < 1000; i++)
		if (counter_add(fd, handle, 0, 1) != -ENODEV)
			return 3;
	return handle_close(fd, handle) ? 4 : 0;
}

TEST_F(registry, deleted_while_in_use)
{
	struct crowd *crowd = crowd_make(4);
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "registry-u", 1, &handle));
	crowd_spawn(crowd, use_until_gone, NULL);
	crowd_start(crowd);
	for (int i = 0; i < 4; i++)
		while (crowd->seat[i].done < 100)
			;
	EXPECT_EQ(0, object_delete(self->fd, handle));
	EXPECT_EQ(0, crowd_wait(crowd));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
