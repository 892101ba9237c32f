// SPDX-License-Identifier: GPL-2.0-only
/* owner - names, caps and streams belong to their owner; a client is of its opener */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>

#include "crowd.h"
#include "person.h"

#define ALICE	4601
#define MALLORY	4602
#define SUBIDS	16		/* of MALLORY's, from SUBID on */
#define SUBID	464600

static const struct weir_counter_config sum = {
	.size = sizeof(sum), .type = WEIR_COUNTER_SUM,
};

struct record {
	struct weir_event event;
	__u8 data[WEIR_EVENT_SIZE_MAX - sizeof(struct weir_event)];
};

/* The next event of a file that does not block: 0 or an error. */
static int record_read(int fd, struct record *r)
{
	if (read(fd, r, sizeof(*r)) < 0)
		return -errno;
	/* what else was read is read again */
	return lseek(fd, r->event.seq + 1, SEEK_SET) < 0 ? -errno : 0;
}

FIXTURE(owner) {
	int fd;
	mode_t device;
	__u64 objects_per_uid, objects, keys_per_uid;
};

FIXTURE_SETUP(owner)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->objects_per_uid = parameter_get("max_objects_per_uid");
	self->objects = parameter_get("max_objects");
	self->keys_per_uid = parameter_get("max_keys_per_uid");
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(owner)
{
	close(self->fd);
	parameter_set("max_objects_per_uid", self->objects_per_uid);
	parameter_set("max_objects", self->objects);
	parameter_set("max_keys_per_uid", self->keys_per_uid);
	device_chmod(self->device);
	objects_wipe();
}

/* What a CREATE or an OPEN of the plain name found: the owner, or an error. */
struct found {
	const char *name;
	__u32 flags;
	__u32 owner;		/* in and out */
	__u32 created;
};

static int create_as(void *arg)
{
	struct found *f = arg;
	struct weir_create create = create_make(WEIR_KIND_COUNTER, f->name, &sum);
	int fd = client_open(O_RDWR), ret;

	create.mode = 0666;
	create.flags = f->flags;
	create.rights = 0;
	create.owner = f->owner;
	ret = call(fd, WEIR_IOC_CREATE, &create);
	return ret ?: (int)(create.owner * 2 + create.created);
}

static int open_as(void *arg)
{
	struct found *f = arg;
	struct weir_open open = open_make(WEIR_KIND_COUNTER, f->name, WEIR_RIGHT_OBSERVE);
	int fd = client_open(O_RDWR);

	open.owner = f->owner;
	return call(fd, WEIR_IOC_OPEN, &open) ?: (int)open.owner;
}

#define MADE(uid)	((uid) * 2 + 1)
#define EXISTED(uid)	((uid) * 2)

/* A name taken by another user is in nobody's way, and misleads nobody. */
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
	/* by the owner's number it is exactly that one */
	EXPECT_EQ(MALLORY, open_as(&hers));
	EXPECT_EQ(MALLORY, person_run(ALICE, ALICE, open_as, &hers));
	EXPECT_EQ(0, person_run(MALLORY, MALLORY, open_as, &roots));
	/* one's own can be made beside root's */
	EXPECT_EQ(MADE(ALICE), person_run(ALICE, ALICE, create_as, &plain));
	EXPECT_EQ(ALICE, person_run(ALICE, ALICE, open_as, &plain));
}

/* Only an administrator makes an object for another user. */
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

/* ------------------------------------------------------------ credentials of the open */

static int create_in(int fd, const char *name)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, name, &sum);
	int ret;

	create.rights = 0;
	ret = call(fd, WEIR_IOC_CREATE, &create);
	return ret ?: (int)create.owner;
}

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

/* Open the device as @uid for this process: its effective uid alone is that. */
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

/* Whatever user has the file now: names, caps and rights are the opener's. */
TEST_F(owner, file_that_is_passed_on)
{
	struct passed p = { .fd = open_for(MALLORY), .name = OURS "passed" };
	__u32 handle;

	ASSERT_LE(0, p.fd);
	/* not root's, though root does it */
	EXPECT_EQ(MALLORY, create_in(p.fd, OURS "passed"));
	EXPECT_EQ(-ENOENT, object_open(self->fd, WEIR_KIND_COUNTER, OURS "passed",
				       WEIR_RIGHT_OBSERVE, &handle));
	p.name = OURS "passed-2";
	EXPECT_EQ(MALLORY, person_run(ALICE, ALICE, create_passed, &p));
	/* root's rights are not those of the file */
	ASSERT_EQ(0, sum_create(self->fd, OURS "roots", 1, &handle));
	EXPECT_EQ(-EACCES, object_open(p.fd, WEIR_KIND_COUNTER, OURS "roots",
				       WEIR_RIGHT_OBSERVE, &handle));
	/* and a file of root's is root's wherever it goes */
	close(p.fd);
	p.fd = self->fd;
	p.name = OURS "roots-2";
	EXPECT_EQ(0, person_run(MALLORY, MALLORY, create_passed, &p));
	EXPECT_EQ(0, object_open_of(self->fd, 0, WEIR_KIND_COUNTER, OURS "roots-2",
				    WEIR_RIGHT_ALL, &handle));
}

/* Passing one open file to many users buys nothing: the opener pays for all. */
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

/* ------------------------------------------------------------ subordinate ids */

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * A child of user @owner in a user namespace of its own, in which 0 is @first and 1.. are
 * the ids from SUBID on, as newuidmap sets it up. Runs @work there.
 */
static int namespace_run(uid_t owner, unsigned int first, int (*work)(void *arg), void *arg)
{
	int *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int made[2], mapped[2], seen, status;
	char path[64], map[128];
	pid_t pid;

	*result = PERSON_FAILED;
	if (pipe(made) || pipe(mapped))
		return PERSON_FAILED;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		char c = 0;

		if (owner && person_become(owner, owner))
			_exit(1);
		if (unshare(CLONE_NEWUSER) || write(made[1], &c, 1) != 1 ||
		    read(mapped[0], &c, 1) != 1)
			_exit(2);
		if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
			_exit(3);
		*result = work(arg);
		_exit(0);
	}
	if (read(made[0], map, 1) == 1) {
		snprintf(map, sizeof(map), "0 %u 1\n1 %u %u\n", first, SUBID, SUBIDS);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		if (file_write(path, map))
			perror("# uid_map");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		if (file_write(path, map))
			perror("# gid_map");
		if (write(mapped[1], "x", 1) != 1)
			perror("# pipe");
	}
	close(made[0]);
	close(made[1]);
	close(mapped[0]);
	close(mapped[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		printf("# child: status %#x\n", status);
	seen = *result;
	munmap(result, sizeof(*result));
	return seen;
}

/* As each id of the namespace in turn; how many objects could be made. */
static int create_as_each(void *arg)
{
	int made = 0, status;

	(void)arg;
	for (unsigned int id = 0; id <= SUBIDS; id++) {
		pid_t pid = fork();

		if (!pid) {
			char name[WEIR_NAME_SIZE];
			int fd, ret;

			if (id && setresuid(id, id, id))
				_exit(3);
			snprintf(name, sizeof(name), OURS "sub-%u", id);
			fd = client_open(O_RDWR);
			if (fd < 0)
				_exit(4);
			ret = create_in(fd, name);
			/* the owner is the user whose namespace this is: 0 in here */
			_exit(!ret ? 0 : ret == -EDQUOT ? 1 : 2);
		}
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) > 1)
			return -1000 - WEXITSTATUS(status);
		made += !WEXITSTATUS(status);
	}
	return made;
}

struct listed {
	__u32 owner, uids, count;
};

static struct listed list_of(int fd, __u32 owner)
{
	struct weir_object_info found[64];
	struct weir_list list = { .size = sizeof(list), .buffer = address(found),
				  .length = sizeof(found), .owner = owner };
	struct listed listed = { 0 };

	if (call(fd, WEIR_IOC_LIST, &list))
		return listed;
	listed.count = list.count;
	listed.owner = owner;
	for (__u32 i = 0; i < list.count; i++) {
		if (found[i].owner != owner)
			listed.owner = found[i].owner;
		listed.uids += found[i].uid;
	}
	return listed;
}

/* However many ids a user has in a user namespace, they have one cap, which is the user's. */
TEST_F(owner, subordinate_ids_share_one_cap)
{
	struct found plain = { .name = OURS "mallorys", .owner = WEIR_OWNER_DEFAULT };
	struct listed listed;

	parameter_set("max_objects_per_uid", 5);
	ASSERT_EQ(MADE(MALLORY), person_run(MALLORY, MALLORY, create_as, &plain));
	EXPECT_EQ(4, namespace_run(MALLORY, MALLORY, create_as_each, NULL));
	listed = list_of(self->fd, MALLORY);
	EXPECT_EQ(5, listed.count);
	EXPECT_EQ(MALLORY, listed.owner);
	/* the makers are shown as they are: MALLORY twice, and the first three ids */
	EXPECT_EQ(2 * MALLORY + 3 * SUBID + 0 + 1 + 2, listed.uids);
	plain.name = OURS "another";
	EXPECT_EQ(-EDQUOT, person_run(MALLORY, MALLORY, create_as, &plain));
}

/* A namespace that root made for others is not root's: it could take root's names. */
TEST_F(owner, container_made_by_root)
{
	struct listed listed;

	parameter_set("max_objects_per_uid", 5);
	EXPECT_EQ(5, namespace_run(0, SUBID + 1000, create_as_each, NULL));
	listed = list_of(self->fd, SUBID + 1000);
	EXPECT_EQ(5, listed.count);
	EXPECT_EQ(SUBID + 1000, listed.owner);
	EXPECT_EQ(0, list_of(self->fd, 0).count);
}

/* Inside, a plain name means one's own or the host root's, and ids are those of inside. */
static int names_inside(void *arg)
{
	struct found plain = { .name = OURS "hosts", .owner = WEIR_OWNER_DEFAULT };
	struct found mine = { .name = OURS "sub-1", .owner = 0 };

	(void)arg;
	/* root of the host has no number here */
	if (open_as(&plain) != 65534)
		return 1;
	plain.owner = 0;
	if (open_as(&plain) != -ENOENT)
		return 2;
	if (create_as_each(NULL) != SUBIDS + 1)
		return 3;
	if (open_as(&mine) != 0)
		return 4;
	/* another id in here is of the same owner */
	mine.owner = 7;
	if (open_as(&mine) != 0)
		return 5;
	mine.owner = 999;
	return open_as(&mine) == -ENOENT ? 0 : 6;
}

TEST_F(owner, names_in_a_user_namespace)
{
	struct found hosts = { .name = OURS "hosts", .owner = WEIR_OWNER_DEFAULT };

	ASSERT_EQ(MADE(0), create_as(&hosts));
	EXPECT_EQ(0, namespace_run(MALLORY, MALLORY, names_inside, NULL));
}

/* ------------------------------------------------------------ the host's caps */

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

/* Users who fill all that users can have leave room for root. */
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
	/* the rest, and more than a user's cap if there were more */
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

/* ------------------------------------------------------------ streams */

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
		/* the stream may be that of objects which are being freed still */
		if (!i)
			first = emit.seq;
		if (emit.seq != first + i)
			return 1;
	}
	return 0;
}

/* One user's flood takes no room in another's stream. */
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

TEST_F(owner, choice_of_a_stream)
{
	int reader = client_open(O_RDONLY | O_NONBLOCK);
	struct record r;

	EXPECT_EQ(0, stream_choose(reader, ALICE));
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

/* ------------------------------------------------------------ ids as the reader has them */

static int ids_inside(void *arg)
{
	int fd = client_open(O_RDWR), reader = client_open(O_RDONLY | O_NONBLOCK), status;
	struct weir_emit emit = { .size = sizeof(emit), .length = 1, .data = address("x") };
	struct weir_roster_config config = { .size = sizeof(config), .max_keys = 4,
					     .key_type = WEIR_KEY_TEXT };
	struct weir_object_info info;
	struct weir_list list = { .size = sizeof(list), .kind = WEIR_KIND_ROSTER,
				  .buffer = address(&info), .length = sizeof(info),
				  .owner = 0 };
	struct weir_op op;
	struct record r;
	__u32 roster, theirs;
	pid_t pid;

	(void)arg;
	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (pid) {
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
			return 2;
		return WEXITSTATUS(status);
	}
	/* process 1 of user 0 */
	if (call(fd, WEIR_IOC_EMIT, &emit) || record_read(reader, &r) ||
	    r.event.value != 0 || r.event.more != 1)
		_exit(10);
	if (object_create(fd, WEIR_KIND_ROSTER, OURS "inside", &config, &roster) ||
	    record_read(reader, &r) || r.event.value != 0)
		_exit(11);
	if (key_run(fd, &op, WEIR_OP_CLAIM, roster, 0, "me", 2) || op.pid != 1 || op.uid != 0)
		_exit(12);
	if (call(fd, WEIR_IOC_LIST, &list) || list.count != 1 || info.uid || info.owner)
		_exit(13);
	/* a process and a user outside have no number here */
	if (object_open(fd, WEIR_KIND_ROSTER, OURS "outside", WEIR_RIGHT_OBSERVE, &theirs) ||
	    key_run(fd, &op, WEIR_OP_LEASE_GET, theirs, 0, "host", 4) ||
	    op.pid != 0 || op.uid != 65534)
		_exit(14);
	_exit(0);
}

TEST_F(owner, ids_in_other_namespaces)
{
	struct weir_roster_config config = { .size = sizeof(config), .max_keys = 4,
					     .key_type = WEIR_KEY_TEXT };
	struct weir_create create = create_make(WEIR_KIND_ROSTER, OURS "outside", &config);
	struct weir_op op;

	create.mode = 0644;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CLAIM, create.handle, 0, "host", 4));
	EXPECT_EQ((__u32)getpid(), op.pid);
	EXPECT_EQ(0, namespace_run(MALLORY, MALLORY, ids_inside, NULL));
}

/* ------------------------------------------------------------ keys */

struct spy {
	__u64 from;
	__u32 wanted;		/* WEIR_RIGHT_* that the mode gives */
};

/* The keys that a user sees of root's objects, by any way there is. */
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

/* To observe is not to see keys: not in a dump, not in a list of bans, not in events. */
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

/* ------------------------------------------------------------ restriction */

static int restrict_to(int fd, __u32 flags, __u32 handle, __u32 rights)
{
	struct weir_restrict r = { .size = sizeof(r), .flags = flags, .handle = handle,
				   .rights = rights };

	return call(fd, WEIR_IOC_RESTRICT, &r);
}

/* One bit for each power that is there. */
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
		/* there is no way back */
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
	/* a candidate is opened by name */
	fd = client_open(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, limiter_create(fd, OURS "live", &config, &limiter));
	ASSERT_EQ(0, limiter_create(fd, OURS "other", &config, &other));
	strcpy(config.candidate, OURS "other");
	EXPECT_EQ(0, limiter_set(fd, limiter, WEIR_SET_CANDIDATE, &config));
	EXPECT_EQ(0, restrict_to(fd, WEIR_RESTRICT_OPEN, 0, 0));
	EXPECT_EQ(-EPERM, limiter_set(fd, limiter, WEIR_SET_CANDIDATE, &config));
	close(fd);
}

/* A duplicate has what the client has left, and giving up more is its own matter. */
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

/* The same of its handles. */
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
	/* not even the client's opener gets more */
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
	/* other handles are as they were */
	EXPECT_EQ(0, object_delete(self->fd, whole));
}

/* ------------------------------------------------------------ races */

#define RACERS	8
#define ROUNDS	40

/*
 * Half of them are of one user, half of another: each name has one winner of each. There
 * is room in the cap for one of each name, so a loser that were charged would show.
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
