// SPDX-License-Identifier: GPL-2.0-only
/* mode - owner, group and mode decide which rights an open gets, like those of a file */
#include "harness.h"

#include "client.h"
#include "person.h"

#define OWNER	4001
#define MEMBER	4002
#define OTHER	4003
#define GROUP	4100

FIXTURE(mode) {
	mode_t device;
};

FIXTURE_SETUP(mode)
{
	objects_wipe();
	self->device = device_chmod(0666);
}

FIXTURE_TEARDOWN(mode)
{
	objects_wipe();
	device_chmod(self->device);
}

static void mode_name(char *name, int mode)
{
	snprintf(name, WEIR_NAME_SIZE, OURS "handle-mode-%o", mode);
}

static int modes_create(void *arg)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	int fd = client_open(O_RDWR);
	char name[WEIR_NAME_SIZE];

	(void)arg;
	for (int i = 0; i < 512; i++) {
		struct weir_create create;
		int ret;

		mode_name(name, i);
		create = create_make(WEIR_KIND_COUNTER, name, &config);
		create.mode = i;
		create.rights = 0;
		ret = call(fd, WEIR_IOC_CREATE, &create);
		if (ret || create.handle || create.owner != OWNER)
			return ret ?: -EPROTO;
	}
	close(fd);
	return 0;
}

struct class {
	int shift;		/* shift of the class's bits in a mode */
	bool owner, god;
};

/* Number of opens with another outcome than the mode says. */
static int modes_open(void *arg)
{
	const struct class *class = arg;
	int fd = client_open(O_RDWR), wrong = 0;
	char name[WEIR_NAME_SIZE];
	__u32 handle;

	for (int i = 0; i < 512; i++) {
		const __u32 bits = i >> class->shift & 7;
		__u32 granted = 0;

		mode_name(name, i);
		if (bits & 4 || class->god)
			granted |= WEIR_RIGHT_OBSERVE;
		if (bits & 2 || class->god)
			granted |= WEIR_RIGHT_USE;
		if (bits & 1 || class->god)
			granted |= WEIR_RIGHT_KEYS;
		if (class->owner || class->god)
			granted |= WEIR_RIGHT_ADMIN;
		for (__u32 wanted = 1; wanted <= WEIR_RIGHT_ALL; wanted++) {
			int ret = object_open_of(fd, OWNER, WEIR_KIND_COUNTER, name,
						 wanted, &handle);

			if (!ret)
				handle_close(fd, handle);
			if (ret == (wanted & ~granted ? -EACCES : 0))
				continue;
			printf("# mode %o rights %u: %d\n", i, wanted,
			       ret);
			wrong++;
		}
	}
	close(fd);
	return wrong;
}

TEST_F(mode, decides_as_for_a_file)
{
	struct class owner = { .shift = 6, .owner = true };
	struct class member = { .shift = 3 };
	struct class other = { .shift = 0 };
	struct class god = { .god = true };

	ASSERT_EQ(0, person_run(OWNER, GROUP, modes_create, NULL));
	EXPECT_EQ(0, person_run(OWNER, GROUP, modes_open, &owner));
	EXPECT_EQ(0, person_run(MEMBER, GROUP, modes_open, &member));
	EXPECT_EQ(0, person_run(OTHER, OTHER, modes_open, &other));
	EXPECT_EQ(0, modes_open(&god));
}

static int create_for_group(void *arg)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct weir_create create = create_make(WEIR_KIND_COUNTER,
						OURS "handle-gid", &config);
	int fd = client_open(O_RDWR);

	create.gid = *(__u32 *)arg;
	return call(fd, WEIR_IOC_CREATE, &create);
}

/* The group of the object may be any of the caller's groups. */
TEST_F(mode, group_of_the_object)
{
	int fd = client_open(O_RDWR);
	__u32 group = MEMBER;

	EXPECT_EQ(-EACCES, person_run(OWNER, GROUP, create_for_group, &group));
	EXPECT_EQ(-ENOENT, object_remove_of(fd, OWNER, WEIR_KIND_COUNTER,
					    OURS "handle-gid"));
	group = GROUP;
	EXPECT_EQ(0, person_run(OWNER, GROUP, create_for_group, &group));
	EXPECT_EQ(0, object_remove_of(fd, OWNER, WEIR_KIND_COUNTER,
				      OURS "handle-gid"));
	group = MEMBER;
	EXPECT_EQ(0, create_for_group(&group));
	close(fd);
}

TEST_HARNESS_MAIN
