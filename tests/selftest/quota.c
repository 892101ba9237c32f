// SPDX-License-Identifier: GPL-2.0-only
/* quota - caps on objects, keys and grants are exact with concurrent callers */
#include "harness.h"

#include "breaker.h"
#include "client.h"
#include "crowd.h"
#include "gate.h"
#include "person.h"
#include "queued.h"

#define SOMEBODY	4301
#define RACERS		16
#define CAP		100

FIXTURE(quota) {
	int fd;
	mode_t device;
	__u64 objects, objects_per_uid, keys_per_uid, grants_per_uid;
};

FIXTURE_SETUP(quota)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->objects = parameter_get("max_objects");
	self->objects_per_uid = parameter_get("max_objects_per_uid");
	self->keys_per_uid = parameter_get("max_keys_per_uid");
	self->grants_per_uid = parameter_get("max_grants_per_uid");
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(quota)
{
	close(self->fd);
	parameter_set("max_objects", self->objects);
	parameter_set("max_objects_per_uid", self->objects_per_uid);
	parameter_set("max_keys_per_uid", self->keys_per_uid);
	parameter_set("max_grants_per_uid", self->grants_per_uid);
	device_chmod(self->device);
	objects_wipe();
}

/* Create objects until the cap is reached, with the errno in @arg; then try twice more. */
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
			/* a creation succeeded although nothing was deleted */
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
		/* each deletion makes room for exactly one creation */
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

	/* with the sixteenth that is reserved for administrators */
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

/* Each user has its own cap. */
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

#define GRANTS	5

/* Create a gate with many permits, as the user. Return: the file, or -1. */
static int gate_make(__u32 *gate)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1000);
	int fd = client_open(O_RDWR);

	return gate_create(fd, OURS "quota-gate", &config, gate) ? -1 : fd;
}

static int gate_acquire(int fd, __u32 tag, __u32 gate, __u64 key)
{
	return gate_get_as(fd, tag, gate, &key, 1, 0);
}

/* Tags 1 to GRANTS acquire a permit of key 7 each. */
static bool gate_fill(int fd, __u32 gate)
{
	for (__u32 tag = 1; tag <= GRANTS; tag++)
		if (gate_acquire(fd, tag, gate, 7) != WEIR_ALLOWED)
			return false;
	return true;
}

/* Return the line number of the step that failed, or 0. */
#define STEP(condition) do { if (!(condition)) return __LINE__; } while (0)

static int grants_fill(void *arg)
{
	const __u64 key = 7, other = 8;
	struct weir_op op;
	__u32 gate;
	int fd = gate_make(&gate);

	(void)arg;
	STEP(fd >= 0 && gate_fill(fd, gate));
	/* a new holder is refused, at this key or another, waiting or not; nothing changes */
	STEP(gate_acquire(fd, 6, gate, key) == -EDQUOT);
	STEP(gate_acquire(fd, 1, gate, other) == -EDQUOT);
	STEP(gate_get_as(fd, 6, gate, &key, 996, WEIR_NEVER) == -EDQUOT);
	STEP(queue_as(fd, 6, gate, &key, 996, WEIR_NEVER) == -EDQUOT);
	op = gate_state(fd, gate, &key);
	STEP(op.remaining == 1000 - GRANTS && op.waiting == 0);
	STEP(gate_stats(fd, gate).keys == 1);
	/* a holder with a grant gets and releases more permits; the cap is not affected */
	STEP(gate_acquire(fd, 5, gate, key) == WEIR_ALLOWED);
	STEP(!gate_release_as(fd, 5, gate, &key, 1));
	STEP(gate_acquire(fd, 6, gate, key) == -EDQUOT);
	/* room for one grant: of a queued request or of a permit */
	STEP(!gate_release_as(fd, 5, gate, &key, 1));
	STEP(queue_as(fd, 6, gate, &key, 997, WEIR_NEVER) == WEIR_QUEUED);
	STEP(gate_acquire(fd, 7, gate, other) == -EDQUOT);
	STEP(!gate_run_as(fd, 6, &op, WEIR_OP_CANCEL, gate, &key, 0, 0));
	STEP(gate_acquire(fd, 7, gate, key) == WEIR_ALLOWED);
	STEP(gate_acquire(fd, 8, gate, key) == -EDQUOT);
	return 0;
}

TEST_F(quota, grants_of_one_user)
{
	parameter_set("max_grants_per_uid", GRANTS);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, grants_fill, NULL));
}

static int grants_reopen(void *arg)
{
	__u32 gate, again;
	int fd = gate_make(&gate), second = client_open(O_RDWR);

	(void)arg;
	STEP(fd >= 0 && gate_fill(fd, gate));
	/* another file of the same user has the same cap */
	STEP(!object_open(second, WEIR_KIND_GATE, OURS "quota-gate", WEIR_RIGHT_USE, &again));
	STEP(gate_acquire(second, 1, again, 7) == -EDQUOT);
	close(fd);
	STEP(gate_fill(second, again));
	STEP(gate_acquire(second, 6, again, 7) == -EDQUOT);
	/* the grants of a deleted gate are free before the file is closed */
	STEP(!object_remove(second, WEIR_KIND_GATE, OURS "quota-gate"));
	close(second);
	second = gate_make(&gate);
	STEP(second >= 0 && gate_fill(second, gate));
	return gate_acquire(second, 6, gate, 7) == -EDQUOT ? 0 : __LINE__;
}

TEST_F(quota, grants_end_with_the_file)
{
	parameter_set("max_grants_per_uid", GRANTS);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, grants_reopen, NULL));
}

/* Make a request to a limiter under a tag. Return: its verdict or errno. */
static int reserve_as(int fd, __u32 tag, __u32 limiter, __u16 opcode)
{
	struct weir_op op = op_make(opcode, limiter, opcode == WEIR_OP_RESERVE);
	__u64 key = 7;
	int ret;

	op.tag = tag;
	if (opcode == WEIR_OP_RESERVE) {
		op.flags = WEIR_OP_ASYNC;
		op.arg = WEIR_NEVER;
	}
	op_key(&op, &key, sizeof(key));
	ret = op_run(fd, &op);
	return ret ?: (int)op.verdict;
}

/* Requests that wait at a limiter count towards the cap; ended and refused requests do not. */
static int reserves_fill(void *arg)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int fd = client_open(O_RDWR);
	__u32 l;

	(void)arg;
	config.tokens = 1;
	config.burst = 1;
	STEP(!limiter_create(fd, OURS "quota-limiter", &config, &l));
	STEP(reserve_as(fd, 0, l, WEIR_OP_RESERVE) == WEIR_ALLOWED);
	for (int tag = 1; tag <= GRANTS; tag++)
		STEP(reserve_as(fd, tag, l, WEIR_OP_RESERVE) == WEIR_QUEUED);
	STEP(reserve_as(fd, GRANTS + 1, l, WEIR_OP_RESERVE) == -EDQUOT);
	STEP(reserve_as(fd, GRANTS + 1, l, WEIR_OP_RESERVE_CANCEL) == -ENOENT);
	STEP(reserve_as(fd, 2, l, WEIR_OP_RESERVE_CANCEL) == WEIR_NONE);
	STEP(reserve_as(fd, GRANTS + 1, l, WEIR_OP_RESERVE) == WEIR_QUEUED);
	STEP(reserve_as(fd, 2, l, WEIR_OP_RESERVE) == -EDQUOT);
	STEP(!object_delete(fd, l));
	STEP(!limiter_create(fd, OURS "quota-limiter", &config, &l));
	STEP(reserve_as(fd, 0, l, WEIR_OP_RESERVE) == WEIR_ALLOWED);
	STEP(reserve_as(fd, 2, l, WEIR_OP_RESERVE) == WEIR_QUEUED);
	return 0;
}

TEST_F(quota, requests_to_a_limiter)
{
	parameter_set("max_grants_per_uid", GRANTS);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, reserves_fill, NULL));
}

struct grants_file {
	int fd;
	__u32 gate;
};

static int grants_pass(void *arg)
{
	const struct grants_file *file = arg;

	return gate_acquire(file->fd, 6, file->gate, 7);
}

static int grants_passed(void *arg)
{
	struct grants_file file;
	int status = -1;

	(void)arg;
	file.fd = gate_make(&file.gate);
	STEP(file.fd >= 0 && gate_fill(file.fd, file.gate));
	/* a process that uses the file */
	fflush(NULL);
	if (!fork())
		_exit(grants_pass(&file) != -EDQUOT);
	wait(&status);
	return status;
}

/* The cap is that of the user that opened the file, whichever process uses it. */
TEST_F(quota, grants_of_a_passed_file)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1000);
	struct grants_file file = { .fd = client_open(O_RDWR) };
	const __u64 key = 7;

	parameter_set("max_grants_per_uid", GRANTS);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, grants_passed, NULL));
	/* a file of an administrator has no cap, in any process */
	ASSERT_EQ(0, gate_create(file.fd, OURS "quota-root", &config, &file.gate));
	ASSERT_TRUE(gate_fill(file.fd, file.gate));
	EXPECT_EQ(WEIR_ALLOWED, person_run(SOMEBODY, SOMEBODY, grants_pass, &file));
	EXPECT_EQ(6, gate_stats(file.fd, file.gate).in_use);
	EXPECT_EQ(0, gate_release_as(file.fd, 6, file.gate, &key, 1));
	close(file.fd);
}

/* Acquire permits of one key with tags that no other process uses, until the cap is reached. */
static int grants_until(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1000000);
	struct seat *seat = &crowd->seat[me];
	char name[WEIR_NAME_SIZE];
	__u32 gate;
	int fd, ret;

	(void)arg;
	if (person_become(SOMEBODY, SOMEBODY))
		return 1;
	fd = client_open(O_RDWR);
	snprintf(name, sizeof(name), OURS "quota-%u", me);
	if (gate_create(fd, name, &config, &gate))
		return 2;
	for (__u32 tag = 1; tag <= 2 * CAP; tag++) {
		ret = gate_get_as(fd, tag, gate, NULL, 1, 0);
		if (ret == WEIR_ALLOWED)
			seat->done++;
		else if (ret != -EDQUOT)
			return 3;
	}
	/* the files stay open until all processes have reached the cap */
	while (crowd_done(crowd) < CAP)
		usleep(1000);
	sleep(1);
	return 0;
}

TEST_F(quota, grants_of_racing_files)
{
	struct crowd *crowd = crowd_make(RACERS);

	parameter_set("max_grants_per_uid", CAP);
	EXPECT_EQ(0, crowd_run(crowd, grants_until, NULL));
	EXPECT_EQ(CAP, crowd_done(crowd));
	crowd_free(crowd);
}

/* A probe that exceeds the cap is refused before the breaker changes. */
static int probes_fill(void *arg)
{
	struct weir_breaker_config config = breaker_config(WEIR_KEY_NONE);
	__u32 gate, breaker;
	int fd = gate_make(&gate);
	struct weir_op op;
	const __u64 key = 7;

	(void)arg;
	STEP(fd >= 0 && !breaker_create(fd, OURS "quota-b", &config, &breaker));
	STEP(gate_fill(fd, gate));
	/* a closed breaker makes no grants */
	STEP(breaker_allow(fd, breaker, NULL) > 0);
	STEP(!breaker_half_open(fd, breaker, NULL));
	STEP(breaker_run(fd, &op, WEIR_OP_ALLOW, breaker, NULL, 0, 0) == -EDQUOT);
	op = breaker_look(fd, breaker, NULL);
	STEP(op.state == WEIR_HALF_OPEN && op.calls == 0);
	STEP(!gate_release_as(fd, 5, gate, &key, 1));
	STEP(!breaker_run(fd, &op, WEIR_OP_ALLOW, breaker, NULL, 0, 0));
	STEP(op.verdict == WEIR_ALLOWED && (op.out_flags & WEIR_OUT_PROBE));
	STEP(gate_acquire(fd, 5, gate, key) == -EDQUOT);
	STEP(!breaker_report(fd, breaker, NULL, op.ticket, WEIR_CALL_OK));
	STEP(gate_acquire(fd, 5, gate, key) == WEIR_ALLOWED);
	return 0;
}

TEST_F(quota, grants_of_probes)
{
	parameter_set("max_grants_per_uid", GRANTS);
	EXPECT_EQ(0, person_run(SOMEBODY, SOMEBODY, probes_fill, NULL));
}

TEST_HARNESS_MAIN
