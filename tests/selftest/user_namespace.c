// SPDX-License-Identifier: GPL-2.0-only
/* user_namespace - caps, names and ids of users in user namespaces */
#include "owner.h"

#include <sched.h>
#include <sys/prctl.h>

#include "gate.h"

#define SUBIDS	16		/* ids of MALLORY, from SUBID on */
#define SUBID	464600

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * A child of user @owner in its own user namespace, in which 0 is @first and 1, 2... are the ids
 * from SUBID on, as newuidmap sets them up. Runs @work there.
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

/* Create objects as each id of the namespace in turn. Return: how many could be made. */
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
			/* the owner is the host user that has id 0 in this namespace */
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

/* The ids of a user in user namespaces share one cap, which is the user's. */
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
	/* the creators are listed with their host ids: MALLORY twice, and the first three ids */
	EXPECT_EQ(2 * MALLORY + 3 * SUBID + 0 + 1 + 2, listed.uids);
	plain.name = OURS "another";
	EXPECT_EQ(-EDQUOT, person_run(MALLORY, MALLORY, create_as, &plain));
}

/* A file that @id of the namespace has opened. */
static int client_of(unsigned int id)
{
	int fd;

	if (seteuid(id))
		return -errno;
	fd = client_open(O_RDWR);
	return seteuid(0) ? -errno : fd;
}

/* Create a limiter with 10 keys as each id. Return: how many could be made. */
static int keys_as_each(void *arg)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	char name[WEIR_NAME_SIZE];
	int made = 0, fd, ret;
	__u32 handle;

	(void)arg;
	config.max_keys = 10;
	for (unsigned int id = 0; id <= SUBIDS; id++) {
		snprintf(name, sizeof(name), OURS "keys-%u", id);
		fd = client_of(id);
		if (fd < 0)
			return fd;
		ret = limiter_create(fd, name, &config, &handle);
		if (ret && ret != -EDQUOT)
			return ret;
		made += !ret;
		close(fd);
	}
	return made;
}

TEST_F(owner, subordinate_ids_share_the_cap_on_keys)
{
	parameter_set("max_keys_per_uid", 35);
	EXPECT_EQ(3, namespace_run(MALLORY, MALLORY, keys_as_each, NULL));
	EXPECT_EQ(3, list_of(self->fd, MALLORY).count);
}

#define EACH	4	/* grants that each id tries to get */

/* Tags 1 to EACH acquire a permit each. Return: how many did. */
static int grants_get(int fd)
{
	__u32 gate;
	int got = 0, ret;

	if (fd < 0 || object_open(fd, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_USE, &gate))
		return -1000;
	for (__u32 tag = 1; tag <= EACH; tag++) {
		ret = gate_get_as(fd, tag, gate, NULL, 1, 0);
		if (ret != WEIR_ALLOWED && ret != -EDQUOT)
			return -1000;
		got += ret == WEIR_ALLOWED;
	}
	return got;
}

/* An id of the namespace makes a namespace of its own. */
static int grants_inside(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		/* dumpable: its own uid_map belongs to it */
		if (setresuid(5, 5, 5) || prctl(PR_SET_DUMPABLE, 1) ||
		    unshare(CLONE_NEWUSER) || file_write("/proc/self/uid_map", "0 5 1\n") ||
		    setresuid(0, 0, 0))
			_exit(100);
		status = grants_get(client_open(O_RDWR));
		_exit(status < 0 ? 101 : status);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 102;
}

/* Grants of files that are all open. Return: how many they have. */
static int grants_as_each(void *arg)
{
	int got = 0;

	(void)arg;
	for (unsigned int id = 0; id <= SUBIDS; id++)
		got += grants_get(client_of(id));
	return got + grants_inside();
}

TEST_F(owner, subordinate_ids_share_the_cap_on_grants)
{
	const __u64 before = parameter_get("max_grants_per_uid");
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1000);
	struct weir_create create = create_make(WEIR_KIND_GATE, OURS "gate", &config);

	create.mode = 0666;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	parameter_set("max_grants_per_uid", 2 * EACH + 2);
	EXPECT_EQ(2 * EACH + 2, namespace_run(MALLORY, MALLORY, grants_as_each, NULL));
	/* they are back: MALLORY's files are closed */
	EXPECT_EQ(0, gate_in_use(self->fd, create.handle));
	EXPECT_EQ(2 * EACH + 2, namespace_run(MALLORY, MALLORY, grants_as_each, NULL));
	parameter_set("max_grants_per_uid", before);
}

/*
 * Root of a namespace that root made for others is not the owner "root"; it could take root's
 * names.
 */
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

/*
 * In the namespace, a plain name means the caller's own object or that of the host's root. Ids are
 * those of the namespace.
 */
static int names_inside(void *arg)
{
	struct found plain = { .name = OURS "hosts", .owner = WEIR_OWNER_DEFAULT };
	struct found mine = { .name = OURS "sub-1", .owner = 0 };

	(void)arg;
	/* root of the host has no id in this namespace */
	if (open_as(&plain) != 65534)
		return 1;
	plain.owner = 0;
	if (open_as(&plain) != -ENOENT)
		return 2;
	if (create_as_each(NULL) != SUBIDS + 1)
		return 3;
	if (open_as(&mine) != 0)
		return 4;
	/* another id of the namespace has the same owner */
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

/* ------------------------------------------------------------ ids as the reader sees them */

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
	/* a process and a user outside have no number in this namespace */
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

TEST_HARNESS_MAIN
