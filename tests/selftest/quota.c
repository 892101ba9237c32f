// SPDX-License-Identifier: GPL-2.0-only
/* quota - caps on objects and keys are exact with concurrent creators */
#include "harness.h"

#include "client.h"
#include "crowd.h"
#include "person.h"

#define SOMEBODY	4301
#define RACERS		16
#define CAP		100

FIXTURE(quota) {
	int fd;
	mode_t device;
	__u64 objects, objects_per_uid, keys_per_uid;
};

FIXTURE_SETUP(quota)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->objects = parameter_get("max_objects");
	self->objects_per_uid = parameter_get("max_objects_per_uid");
	self->keys_per_uid = parameter_get("max_keys_per_uid");
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(quota)
{
	close(self->fd);
	parameter_set("max_objects", self->objects);
	parameter_set("max_objects_per_uid", self->objects_per_uid);
	parameter_set("max_keys_per_uid", self->keys_per_uid);
	device_chmod(self->device);
	objects_wipe();
}

/* Create until the cap is met, @arg says with which errno; then twice more. */
static int create_until(struct crowd *crowd, unsigned int me, void *arg)
{
	const int wanted = *(int *)arg;
	struct seat *seat = &crowd->seat[me];
	int fd, refusals = 0;
	__u32 handle;

	if (person_become(SOMEBODY, SOMEBODY))
		return 1;
	fd = client_open(O_RDWR);
	for (int i = 0; i < 2 * CAP; i++) {
		char name[WEIR_NAME_SIZE];
		int ret;

		snprintf(name, sizeof(name), OURS "quota-%u-%d", me, i);
		ret = sum_create(fd, name, 1, &handle);
		if (!ret) {
			seat->done++;
			/* room came back although nothing was deleted */
			if (refusals)
				return 2;
		} else if (ret != wanted) {
			return 3;
		} else if (++refusals == 3) {
			return 0;
		}
	}
	return 4;
}

static int remove_all(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd;

	(void)arg;
	if (person_become(SOMEBODY, SOMEBODY))
		return 1;
	fd = client_open(O_RDWR);
	for (int i = 0; i < 2 * CAP; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "quota-%u-%d", me, i);
		if (object_remove(fd, WEIR_KIND_COUNTER, name))
			return 0;
		crowd->seat[me].done++;
	}
	return 1;
}

static void race_for_objects(struct __test_metadata *_metadata,
			     FIXTURE_DATA(quota) *self, int wanted)
{
	struct weir_info before = info_get(self->fd);
	struct crowd *crowd;

	for (int round = 0; round < 3; round++) {
		crowd = crowd_make(RACERS);
		EXPECT_EQ(0, crowd_run(crowd, create_until, &wanted));
		EXPECT_EQ(CAP, crowd_done(crowd));
		EXPECT_EQ(before.objects + CAP, info_get(self->fd).objects);
		crowd_free(crowd);
		/* what is deleted can be had again, exactly as often */
		crowd = crowd_make(RACERS);
		EXPECT_EQ(0, crowd_run(crowd, remove_all, NULL));
		EXPECT_EQ(CAP, crowd_done(crowd));
		EXPECT_EQ(before.objects, info_get(self->fd).objects);
		crowd_free(crowd);
	}
}

TEST_F(quota, objects_of_one_user)
{
	parameter_set("max_objects_per_uid", CAP);
	race_for_objects(_metadata, self, -EDQUOT);
}

TEST_F(quota, objects_of_the_host)
{
	const __u64 wanted = info_get(self->fd).objects + CAP;
	__u64 max = wanted;

	/* with the sixteenth that is kept for administrators */
	while (max - max / 16 < wanted)
		max++;
	parameter_set("max_objects", max);
	EXPECT_EQ(max, info_get(self->fd).objects_max);
	race_for_objects(_metadata, self, -ENOSPC);
}

static int create_one(void *arg)
{
	__u32 handle;
	int fd = client_open(O_RDWR);

	return sum_create(fd, arg, 1, &handle);
}

/* One user's cap is not another's. */
TEST_F(quota, each_user_has_his_own)
{
	parameter_set("max_objects_per_uid", 1);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, create_one,
				OURS "quota-a"));
	EXPECT_EQ(-EDQUOT, person_run(SOMEBODY, SOMEBODY, create_one,
				      OURS "quota-b"));
	EXPECT_EQ(0, person_run(SOMEBODY + 1, SOMEBODY, create_one,
				OURS "quota-c"));
	EXPECT_EQ(0, object_remove_of(self->fd, SOMEBODY, WEIR_KIND_COUNTER,
				      OURS "quota-a"));
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, create_one,
				OURS "quota-b"));
}

struct keys_wanted {
	const char *name;
	__u64 max_keys;
};

static int limiter_create_as(void *arg)
{
	const struct keys_wanted *wanted = arg;
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int fd = client_open(O_RDWR);
	__u32 handle;

	config.max_keys = wanted->max_keys;
	return limiter_create(fd, wanted->name, &config, &handle);
}

static int limiter_set_as(void *arg)
{
	const struct keys_wanted *wanted = arg;
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int fd = client_open(O_RDWR), ret;
	__u32 handle;

	config.max_keys = wanted->max_keys;
	ret = object_open(fd, WEIR_KIND_LIMITER, wanted->name,
			  WEIR_RIGHT_ADMIN, &handle);
	return ret ?: limiter_set(fd, handle, WEIR_SET_MAX_KEYS, &config);
}

static int as_somebody(int (*work)(void *), const char *name, __u64 max_keys)
{
	struct keys_wanted wanted = { .name = name, .max_keys = max_keys };

	return person_run(SOMEBODY, SOMEBODY, work, &wanted);
}

TEST_F(quota, keys_of_one_user)
{
	parameter_set("max_keys_per_uid", 1000);
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_create_as, OURS "quota-k", 1001));
	EXPECT_EQ(0, as_somebody(limiter_create_as, OURS "quota-k", 600));
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_create_as, OURS "quota-l", 401));
	EXPECT_EQ(0, as_somebody(limiter_create_as, OURS "quota-l", 400));
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_create_as, OURS "quota-m", 1));
	/* a change is charged the difference */
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_set_as, OURS "quota-k", 601));
	EXPECT_EQ(0, as_somebody(limiter_set_as, OURS "quota-k", 500));
	EXPECT_EQ(0, as_somebody(limiter_set_as, OURS "quota-k", 600));
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_set_as, OURS "quota-k", 601));
	EXPECT_EQ(0, object_remove_of(self->fd, SOMEBODY, WEIR_KIND_LIMITER,
				      OURS "quota-k"));
	EXPECT_EQ(0, as_somebody(limiter_create_as, OURS "quota-m", 600));
	EXPECT_EQ(-EDQUOT, as_somebody(limiter_create_as, OURS "quota-k", 1));
}

TEST_HARNESS_MAIN
