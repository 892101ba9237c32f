// SPDX-License-Identifier: GPL-2.0-only
/*
 * owner - names, caps and streams belong to their owner; a client belongs to the user that opened
 * it
 */
#include "owner.h"

#include <dirent.h>

#include "crowd.h"

/* An object of another user with the same name neither blocks nor hides objects. */
TEST_F(owner, squatting)
{
	struct found plain = { .name = OURS "login", .owner = WEIR_OWNER_DEFAULT };
	struct found lazy = plain;
	struct found roots = { .name = OURS "login", .owner = 0 };
	struct found hers = { .name = OURS "login", .owner = MALLORY };

	lazy.flags = WEIR_CREATE_EXISTING_OK;
	ASSERT_EQ(MADE(MALLORY), person_run(MALLORY, MALLORY, create_as, &plain));
	EXPECT_EQ(-ENOENT, open_as(&plain));
	EXPECT_EQ(-ENOENT, person_run(ALICE, ALICE, open_as, &plain));
	EXPECT_EQ(-ENOENT, open_as(&roots));
	EXPECT_EQ(MADE(0), create_as(&lazy));
	EXPECT_EQ(EXISTED(0), create_as(&lazy));
	EXPECT_EQ(-EEXIST, create_as(&plain));
	EXPECT_EQ(0, open_as(&plain));
	EXPECT_EQ(0, person_run(ALICE, ALICE, open_as, &plain));
	EXPECT_EQ(EXISTED(0), person_run(ALICE, ALICE, create_as, &lazy));
	EXPECT_EQ(MALLORY, person_run(MALLORY, MALLORY, open_as, &plain));
	EXPECT_EQ(EXISTED(MALLORY), person_run(MALLORY, MALLORY, create_as, &lazy));
	/* with the owner's number exactly that object is found */
	EXPECT_EQ(MALLORY, open_as(&hers));
	EXPECT_EQ(MALLORY, person_run(ALICE, ALICE, open_as, &hers));
	EXPECT_EQ(0, person_run(MALLORY, MALLORY, open_as, &roots));
	/* a user can create an object with the name of one of root's */
	EXPECT_EQ(MADE(ALICE), person_run(ALICE, ALICE, create_as, &plain));
	EXPECT_EQ(ALICE, person_run(ALICE, ALICE, open_as, &plain));
}

/* Only an administrator creates an object for another user. */
TEST_F(owner, made_for_another)
{
	struct found hers = { .name = OURS "gift", .owner = ALICE };
	struct found plain = { .name = OURS "gift", .owner = WEIR_OWNER_DEFAULT };
	struct found nobodys = { .name = OURS "gift", .owner = 0xfffffffe };

	EXPECT_EQ(-EACCES, person_run(MALLORY, MALLORY, create_as, &hers));
	EXPECT_EQ(MADE(ALICE), create_as(&hers));
	EXPECT_EQ(-EEXIST, create_as(&hers));
	EXPECT_EQ(-ENOENT, open_as(&plain));
	EXPECT_EQ(ALICE, person_run(ALICE, ALICE, open_as, &plain));
	EXPECT_EQ(-EEXIST, person_run(ALICE, ALICE, create_as, &plain));
	EXPECT_EQ(-ENOENT, open_as(&nobodys));
}

/* ------------------------------------------------------------ credentials at open */

struct passed {
	int fd;
	const char *name;
};

static int create_passed(void *arg)
{
	const struct passed *p = arg;

	return create_in(p->fd, p->name);
}

static int keep_open(void *arg)
{
	struct passed *p = arg;

	p->fd = client_open(O_RDWR);
	return p->fd;
}

/* Open the device with effective uid @uid; all other ids stay. */
static int open_for(uid_t uid)
{
	struct passed p = { .fd = -1 };

	if (seteuid(uid))
		return -errno;
	keep_open(&p);
	if (seteuid(0))
		abort();
	return p.fd;
}

/* Names, caps and rights are those of the user that opened the file, whichever user has it now. */
TEST_F(owner, file_that_is_passed_on)
{
	struct passed p = { .fd = open_for(MALLORY), .name = OURS "passed" };
	__u32 handle;

	ASSERT_LE(0, p.fd);
	/* the owner is not root, although root makes the call */
	EXPECT_EQ(MALLORY, create_in(p.fd, OURS "passed"));
	EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_COUNTER, OURS "passed",
				       WEIR_RIGHT_OBSERVE, &handle));
	p.name = OURS "passed-2";
	EXPECT_EQ(MALLORY, person_run(ALICE, ALICE, create_passed, &p));
	/* the file does not get root's rights */
	ASSERT_EQ(0, sum_create(self->fd, OURS "roots", 1, &handle));
	EXPECT_EQ(-EACCES, object_open(p.fd, WEIR_KIND_COUNTER, OURS "roots",
				       WEIR_RIGHT_OBSERVE, &handle));
	/* a file opened by root keeps root's rights in any process */
	close(p.fd);
	p.fd = self->fd;
	p.name = OURS "roots-2";
	EXPECT_EQ(0, person_run(MALLORY, MALLORY, create_passed, &p));
	EXPECT_EQ(0, object_open_of(self->fd, 0, WEIR_KIND_COUNTER, OURS "roots-2",
				    WEIR_RIGHT_ALL, &handle));
}

/* Passing one open file to many users does not help: all objects count for its opener. */
TEST_F(owner, passing_a_file_does_not_multiply_caps)
{
	struct passed p = { .fd = open_for(MALLORY) };
	int made = 0;

	ASSERT_LE(0, p.fd);
	parameter_set("max_objects_per_uid", 5);
	for (unsigned int i = 0; i < 16; i++) {
		char name[WEIR_NAME_SIZE];
		int ret;

		snprintf(name, sizeof(name), OURS "cap-%u", i);
		p.name = name;
		ret = person_run(ALICE + 100 + i, ALICE, create_passed, &p);
		if (ret == MALLORY)
			made++;
		else
			EXPECT_EQ(-EDQUOT, ret);
	}
	EXPECT_EQ(5, made);
	close(p.fd);
}

/* ------------------------------------------------------------ caps of the host */

static int create_many(void *arg)
{
	int fd = client_open(O_RDWR), made = 0, ret;

	do {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "many-%d", made);
		ret = create_in(fd, name);
		made += ret >= 0;
	} while (ret >= 0);
	return ret == *(int *)arg ? made : ret;
}

/* If users have everything that users can have, there is still room for root. */
TEST_F(owner, root_is_not_locked_out)
{
	const __u64 before = info_get(self->fd).objects;
	int quota = -EDQUOT, host = -ENOSPC;
	struct weir_info info;

	parameter_set("max_objects_per_uid", 35);
	parameter_set("max_objects", before + 64);
	EXPECT_EQ(35, person_run(MALLORY, MALLORY, create_many, &quota));
	EXPECT_EQ(64 - (int)(before + 64) / 16 - 35,
		  person_run(ALICE, ALICE, create_many, &host));
	/* the reserve of administrators, and more than the cap of one user */
	EXPECT_EQ((int)(before + 64) / 16, create_many(&host));
	info = info_get(self->fd);
	EXPECT_EQ(before + 64, info.objects);
	EXPECT_EQ(before + 64, info.own_objects_max);
	EXPECT_EQ(before + (before + 64) / 16, info.own_objects);
}

static int own_caps(void *arg)
{
	struct weir_info info = info_get(client_open(O_RDONLY));

	(void)arg;
	return info.own_objects_max * 100 + info.own_objects;
}

TEST_F(owner, info_tells_caps)
{
	struct found plain = { .name = OURS "one", .owner = WEIR_OWNER_DEFAULT };

	parameter_set("max_objects_per_uid", 30);
	EXPECT_EQ(3000, person_run(ALICE, ALICE, own_caps, NULL));
	ASSERT_EQ(MADE(ALICE), person_run(ALICE, ALICE, create_as, &plain));
	EXPECT_EQ(3001, person_run(ALICE, ALICE, own_caps, NULL));
	EXPECT_EQ(3000, person_run(MALLORY, MALLORY, own_caps, NULL));
}

/* ------------------------------------------------------------ sysfs */

static int sysfs_count(const char *prefix)
{
	DIR *dir = opendir("/sys/kernel/weir/counters");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += !strncmp(entry->d_name, prefix, strlen(prefix));
	if (dir)
		closedir(dir);
	return count;
}

TEST_F(owner, sysfs_shows_roots_alone)
{
	struct found plain = { .name = OURS "shown", .owner = WEIR_OWNER_DEFAULT };

	ASSERT_EQ(MADE(MALLORY), person_run(MALLORY, MALLORY, create_as, &plain));
	EXPECT_EQ(0, sysfs_count(OURS));
	ASSERT_EQ(MADE(0), create_as(&plain));
	EXPECT_EQ(1, sysfs_count(OURS "shown"));
	plain.owner = MALLORY;
	EXPECT_EQ(0, object_remove_of(self->fd, MALLORY, WEIR_KIND_COUNTER, OURS "shown"));
	EXPECT_EQ(1, sysfs_count(OURS "shown"));
	EXPECT_EQ(0, object_remove(self->fd, WEIR_KIND_COUNTER, OURS "shown"));
	EXPECT_EQ(0, sysfs_count(OURS));
}

/* ------------------------------------------------------------ event streams */

#define FLOOD	3000

static int emit_many(void *arg)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 4,
				  .data = address("spam") };
	int fd = client_open(O_RDWR);
	__u64 first = 0;

	(void)arg;
	for (int i = 0; i < FLOOD; i++) {
		if (call(fd, WEIR_IOC_EMIT, &emit))
			return 1;
		/* the stream may still belong to objects that are being freed */
		if (!i)
			first = emit.seq;
		if (emit.seq != first + i)
			return 1;
	}
	return 0;
}

/* A flood of events of one user displaces no events of another user. */
TEST_F(owner, flood_of_events)
{
	int reader = client_open(O_RDONLY | O_NONBLOCK);
	struct record r;
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "precious", 1, &handle));
	EXPECT_EQ(0, person_run(MALLORY, MALLORY, emit_many, NULL));
	ASSERT_EQ(0, object_delete(self->fd, handle));
	EXPECT_EQ(-EAGAIN, record_read(reader, &r) == 0 &&
			   r.event.type == WEIR_EVENT_CREATED &&
			   record_read(reader, &r) == 0 &&
			   r.event.type == WEIR_EVENT_DELETED ?
			   record_read(reader, &r) : -EPROTO);
	close(reader);
}

/* A reader of a user's stream without events. An old stream stays until its objects are freed. */
static int new_stream_open(__u32 uid)
{
	for (;;) {
		int fd = client_open(O_RDONLY | O_NONBLOCK);

		if (fd < 0 || stream_choose(fd, uid))
			abort();
		if (!info_get(fd).event_next)
			return fd;
		close(fd);
		usleep(1000);
	}
}

TEST_F(owner, choice_of_a_stream)
{
	int reader = new_stream_open(ALICE);
	struct record r;

	EXPECT_EQ(0, stream_choose(reader, ALICE));
	EXPECT_EQ(-EBUSY, stream_choose(reader, MALLORY));
	EXPECT_EQ(0, stream_choose(reader, 0));
	EXPECT_EQ(-EBUSY, stream_choose(reader, MALLORY));
	ASSERT_LE(0, create_in(self->fd, OURS "seen"));
	ASSERT_EQ(0, record_read(reader, &r));
	EXPECT_EQ(WEIR_EVENT_CREATED, r.event.type);
	EXPECT_EQ(0, stream_choose(reader, ALICE));
	EXPECT_EQ(-EAGAIN, record_read(reader, &r));
	EXPECT_EQ(0, info_get(reader).event_next);
	close(reader);
}

/* ------------------------------------------------------------ keys */

struct spy {
	__u64 from;
	__u32 wanted;		/* the WEIR_RIGHT_* that the mode gives */
};

/* The keys of root's objects that a user gets, in any way. */
static int spy_as(void *arg)
{
	const struct spy *spy = arg;
	int fd = client_open(O_RDONLY | O_NONBLOCK), seen = 0;
	char buffer[1024] __attribute__((aligned(8)));
	struct weir_dump dump = { .size = sizeof(dump), .buffer = address(buffer),
				  .length = sizeof(buffer) };
	struct record r;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "secret", spy->wanted, &dump.handle))
		return -EPROTO;
	if (!call(fd, WEIR_IOC_DUMP, &dump))
		seen += dump.count;
	dump.flags = WEIR_DUMP_BANNED;
	dump.cursor = 0;
	dump.length = sizeof(buffer);
	if (!call(fd, WEIR_IOC_DUMP, &dump))
		seen += 10 * dump.count;
	if (stream_choose(fd, 0) || lseek(fd, spy->from, SEEK_SET) < 0)
		return -EPROTO;
	while (!record_read(fd, &r))
		if (r.event.type == WEIR_EVENT_BANNED)
			seen += r.event.data_len ? 100 : 1000;
	return seen;
}

/* The right to observe does not show keys: not in a dump, not in a list of bans, not in events. */
TEST_F(owner, keys_take_a_right)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_TEXT);
	struct spy spy = { .from = info_get(self->fd).event_next };
	struct weir_create create;

	for (int x = 0; x < 2; x++) {
		struct weir_op op = op_make(WEIR_OP_BAN, 0, 0);

		create = create_make(WEIR_KIND_LIMITER, OURS "secret", &config);
		create.mode = x ? 0605 : 0604;
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
		op.handle = create.handle;
		op.arg = DAY;
		op_key(&op, "10.0.0.1", 8);
		ASSERT_EQ(0, op_run(self->fd, &op));
		spy.wanted = WEIR_RIGHT_OBSERVE | (x ? WEIR_RIGHT_KEYS : 0);
		EXPECT_EQ(x ? 111 : 1000, person_run(ALICE, ALICE, spy_as, &spy));
		spy.wanted = WEIR_RIGHT_ALL;
		ASSERT_EQ(0, object_delete(self->fd, create.handle));
		spy.from = info_get(self->fd).event_next;
	}
}

/* ------------------------------------------------------------ races */

#define RACERS	8
#define ROUNDS	40

/*
 * Half of the processes run as one user, half as another. Each name is created once by each user.
 * The cap has room for exactly these, so a charge for a loser would show.
 */
static int create_race(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	int fd, ret;
	__u32 handle;

	(void)arg;
	if (person_become(me % 2 ? ALICE : MALLORY, 1))
		return 1;
	fd = client_open(O_RDWR);
	config.max_keys = 1000;
	for (int i = 0; i < ROUNDS; i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "race-%d", i);
		ret = limiter_create(fd, name, &config, &handle);
		crowd->seat[me].done += !ret;
		if (ret && ret != -EEXIST)
			return 2;
	}
	return 0;
}

TEST_F(owner, one_winner_of_each)
{
	struct crowd *crowd = crowd_make(RACERS);

	parameter_set("max_keys_per_uid", 1000 * ROUNDS);
	EXPECT_EQ(0, crowd_run(crowd, create_race, NULL));
	EXPECT_EQ(2 * ROUNDS, crowd_done(crowd));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
