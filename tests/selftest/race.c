// SPDX-License-Identifier: GPL-2.0-only
/*
 * race - concurrent operations of all sorts, with exact sums at the end
 *
 * Each test is limited by counts, not by time. The sums must be right whatever the order of
 * operations. No object, handle or open file may be left.
 */
#include "harness.h"

#include <pthread.h>
#include <signal.h>

#include "client.h"
#include "crowd.h"
#include "memory.h"

#define CROWD	12

FIXTURE(race) {
	int fd;
	__u64 objects;
};

FIXTURE_SETUP(race)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->objects = info_get(self->fd).objects;
}

FIXTURE_TEARDOWN(race)
{
	objects_wipe();
	EXPECT_EQ(self->objects, info_get(self->fd).objects);
	close(self->fd);
}

static __s64 value_of(int fd, __u32 handle)
{
	__s64 value = -1;

	return counter_read(fd, handle, 0, &value) ? -1 : value;
}

/*
 * Open the device, open objects, add, and close in one of three orders: handles first, the file
 * first, or a duplicate.
 */
static int open_close(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];

	(void)arg;
	for (unsigned int i = 0; i < 200; i++) {
		int fd = client_open(O_RDWR), copy = dup(fd);
		__u32 handle;

		if (object_open(fd, WEIR_KIND_COUNTER, OURS "race",
				WEIR_RIGHT_ALL, &handle))
			return 1;
		seat->done += !counter_add(fd, handle, 0, 1);
		if (i % 3 == 0 && handle_close(fd, handle))
			return 2;
		if (i % 3 == 1)
			close(fd);
		seat->done += !counter_add(copy, handle, 0, 1);
		close(copy);
		if (i % 3 != 1)
			close(fd);
	}
	return 0;
}

TEST_F(race, open_and_close)
{
	struct crowd *crowd = crowd_make(CROWD);
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 1, &handle));
	EXPECT_EQ(0, crowd_run(crowd, open_close, NULL));
	/* every third process closes its handle before the second add */
	EXPECT_EQ(CROWD * (400 - 67), crowd_done(crowd));
	EXPECT_EQ(crowd_done(crowd), value_of(self->fd, handle));
	crowd_free(crowd);
}

/* Get or create, use and delete an object; all use one name. */
static int create_delete(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);

	(void)arg;
	for (int i = 0; i < 300; i++) {
		struct weir_create create = create_make(WEIR_KIND_COUNTER,
							OURS "race", &config);
		int ret;

		create.flags = WEIR_CREATE_EXISTING_OK;
		if (call(fd, WEIR_IOC_CREATE, &create))
			return 1;
		seat->tally[0] += create.created;
		ret = counter_add(fd, create.handle, 0, 1);
		if (ret && ret != -ENODEV)
			return 2;
		ret = object_delete(fd, create.handle);
		if (ret && ret != -ENODEV)
			return 3;
		seat->done += !ret;
		if (handle_close(fd, create.handle))
			return 4;
	}
	return 0;
}

TEST_F(race, create_and_delete)
{
	struct crowd *crowd = crowd_make(CROWD);

	EXPECT_EQ(0, crowd_run(crowd, create_delete, NULL));
	/* each process deletes the object, or gets an error because another process did */
	EXPECT_EQ(crowd_tally(crowd, 0), crowd_done(crowd));
	EXPECT_LT(0, crowd_done(crowd));
	EXPECT_EQ(self->objects, info_get(self->fd).objects);
	crowd_free(crowd);
}

#define SLOTS	8

struct shared {
	int fd;
	_Atomic __u32 *handles;
};

/* Many processes use one client: handles are opened and closed while others add. */
static int one_client(struct crowd *crowd, unsigned int me, void *arg)
{
	struct shared *shared = arg;
	struct seat *seat = &crowd->seat[me];

	for (unsigned int i = 0; i < 2000; i++) {
		_Atomic __u32 *slot = &shared->handles[(me + i) % SLOTS];
		__u32 fresh, old;
		int ret;

		ret = counter_add(shared->fd, *slot, 0, 1);
		if (ret && ret != -EBADF)
			return 1;
		seat->done += !ret;
		if (i % 4)
			continue;
		if (object_open(shared->fd, WEIR_KIND_COUNTER, OURS "race",
				WEIR_RIGHT_ALL, &fresh))
			return 2;
		old = atomic_exchange(slot, fresh);
		/* the handle is closed by the process that took it out of the slot */
		if (old && handle_close(shared->fd, old))
			return 3;
	}
	return 0;
}

TEST_F(race, one_client_for_all)
{
	struct crowd *crowd = crowd_make(CROWD);
	struct shared shared = { .fd = self->fd };
	__u32 handle;

	shared.handles = shared_memory(SLOTS * sizeof(__u32));
	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 1, &handle));
	EXPECT_EQ(0, crowd_run(crowd, one_client, &shared));
	EXPECT_EQ(crowd_done(crowd), value_of(self->fd, handle));
	for (int i = 0; i < SLOTS; i++)
		EXPECT_EQ(0, handle_close(self->fd, shared.handles[i]));
	crowd_free(crowd);
}

#define BATCH	256

/* Submit batches of adds until killed. @done counts acknowledged adds. */
static int add_batches(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_op ops[BATCH];
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);
	__u32 handle, done;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, OURS "race", WEIR_RIGHT_USE,
			&handle))
		return 1;
	/* members with an even number continue until they are killed */
	for (int round = 0; round < 400 || me % 2 == 0; round++) {
		for (int i = 0; i < BATCH; i++) {
			ops[i] = op_make(WEIR_OP_ADD, handle, 1);
			ops[i].arg = 1;
		}
		seat->begun += BATCH;
		if (submit(fd, ops, BATCH, &done))
			return 2;
		seat->done += done;
	}
	return 0;
}

TEST_F(race, killed_in_a_batch)
{
	struct crowd *crowd = crowd_make(CROWD);
	__u32 handle;
	__s64 value;

	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 1, &handle));
	crowd_spawn(crowd, add_batches, NULL);
	crowd_start(crowd);
	for (unsigned int i = 0; i < CROWD; i += 2) {
		while (crowd->seat[i].done < 10 * BATCH * (i + 1))
			;
		crowd_kill(crowd, i);
	}
	EXPECT_EQ(CROWD / 2, crowd_wait(crowd));
	value = value_of(self->fd, handle);
	EXPECT_LE(crowd_done(crowd), (__u64)value);
	EXPECT_LE((__u64)value, crowd_done(crowd) + CROWD / 2 * BATCH);
	EXPECT_LE((__u64)value, crowd_begun(crowd));
	for (int i = 1; i < CROWD; i += 2)
		EXPECT_EQ(400 * BATCH, crowd->seat[i].done);
	crowd_free(crowd);
}

/* Unmap and map the memory of the results, until told to stop. */
static void *come_and_go(void *arg)
{
	struct pane *pane = arg;

	while (*(volatile size_t *)&pane->page) {
		pane_protect(pane, PROT_READ);
		pane_protect(pane, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

#define STRADDLE	24

/*
 * A batch whose results are at the edge of such memory. An op whose result cannot be written ends
 * the batch, and is not repeated when the memory is mapped again.
 */
TEST_F(race, memory_comes_and_goes)
{
	struct pane pane = pane_make();
	struct weir_op *ops = pane_before(&pane, (STRADDLE / 2 + 1) * sizeof(*ops));
	unsigned int whole = 0, cut = 0;
	__s64 before, after;
	pthread_t thread;
	__u32 handle, done;

	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 1, &handle));
	for (int i = 0; i < STRADDLE; i++) {
		ops[i] = op_make(WEIR_OP_ADD, handle, 1);
		ops[i].arg = 1;
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, come_and_go, &pane));
	for (int round = 0; round < 20000; round++) {
		before = value_of(self->fd, handle);
		if (submit(self->fd, ops, STRADDLE, &done))
			done = 0;
		after = value_of(self->fd, handle);
		if (done == STRADDLE)
			EXPECT_EQ(before + STRADDLE, after);
		EXPECT_LE(before + done, after);
		EXPECT_LE(after, before + STRADDLE);
		whole += done == STRADDLE;
		cut += done < STRADDLE;
	}
	*(volatile size_t *)&pane.page = 0;
	pthread_join(thread, NULL);
	TH_LOG("%u whole, %u cut", whole, cut);
	EXPECT_LT(0, whole);
	EXPECT_LT(0, cut);
}

static long module_users(void)
{
	long users = -1;
	FILE *file = fopen("/sys/module/weir/refcnt", "r");

	if (file && fscanf(file, "%ld", &users) != 1)
		users = -1;
	if (file)
		fclose(file);
	return users;
}

/* fork() and exec() with an open client: the client ends with the old program. */
static int fork_exec(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd = client_open(O_RDWR), status;
	__u32 handle;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, OURS "race", WEIR_RIGHT_USE,
			&handle))
		return 1;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			if (counter_add(fd, handle, 0, 1))
				_exit(1);
			execl("/bin/true", "true", NULL);
			_exit(2);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return 2;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(race, fork_and_exec)
{
	struct crowd *crowd = crowd_make(CROWD);
	long before = module_users();
	__u32 handle;

	ASSERT_LE(1, before);
	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 1, &handle));
	EXPECT_EQ(0, crowd_run(crowd, fork_exec, NULL));
	EXPECT_EQ(20 * CROWD, crowd_done(crowd));
	EXPECT_EQ(20 * CROWD, value_of(self->fd, handle));
	EXPECT_EQ(before, module_users());
	crowd_free(crowd);
}

/* Half of the processes add 1 and 10 in one step, half take: no take sees half of a step. */
static int add_and_take(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);
	struct weir_op op;
	__s64 values[2];
	__u32 handle;

	(void)arg;
	if (object_open(fd, WEIR_KIND_COUNTER, OURS "race", WEIR_RIGHT_ALL,
			&handle))
		return 1;
	for (int i = 0; i < 5000; i++) {
		op = op_make(me % 2 ? WEIR_OP_TAKE : WEIR_OP_ADD, handle, 0);
		if (me % 2) {
			op.flags = WEIR_OP_PTR;
			op.ptr = address(values);
			op.n = 2;
		} else {
			op.arg = 3;
			op.values[0] = 1;
			op.values[1] = 10;
		}
		if (op_run(fd, &op))
			return 2;
		if (!(me % 2)) {
			seat->done++;
			continue;
		}
		if (values[1] != 10 * values[0] || values[0] < 0)
			return 3;
		seat->tally[0] += values[0];
	}
	return 0;
}

TEST_F(race, add_and_take)
{
	struct crowd *crowd = crowd_make(CROWD);
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "race", 2, &handle));
	EXPECT_EQ(0, crowd_run(crowd, add_and_take, NULL));
	EXPECT_EQ(CROWD / 2 * 5000, crowd_done(crowd));
	EXPECT_EQ(crowd_done(crowd),
		  crowd_tally(crowd, 0) + value_of(self->fd, handle));
	crowd_free(crowd);
}

#define KEYS	16
#define ROOM	10

/* All operations of a limiter, on a few keys, which are more than there is room for. */
static int limiter_storm(struct crowd *crowd, unsigned int me, void *arg)
{
	static const __u16 opcodes[] = {
		WEIR_OP_CHECK, WEIR_OP_CHECK, WEIR_OP_STRIKE, WEIR_OP_CHECK,
		WEIR_OP_PEEK, WEIR_OP_REFUND, WEIR_OP_BAN, WEIR_OP_CHECK,
		WEIR_OP_LIFT, WEIR_OP_FORGIVE, WEIR_OP_FORGET,
	};
	struct seat *seat = &crowd->seat[me];
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_stats stats;
	int fd = client_open(O_RDWR), ret;
	unsigned int seed = me + 1;
	__u32 l;

	(void)arg;
	if (object_open(fd, WEIR_KIND_LIMITER, OURS "race", WEIR_RIGHT_ALL, &l))
		return 1;
	for (int i = 0; i < 4000; i++) {
		__u16 opcode = opcodes[rand_r(&seed) % ARRAY_SIZE(opcodes)];
		struct weir_op op = op_make(opcode, l,
					    opcode <= WEIR_OP_STRIKE);
		__u64 key = rand_r(&seed) % KEYS;

		op.arg = opcode == WEIR_OP_BAN ? HOUR : 0;
		op_key(&op, &key, sizeof(key));
		ret = op_run(fd, &op);
		if (ret && ret != -ENOENT && ret != -ENOSPC)
			return 2;
		if (!ret && opcode == WEIR_OP_CHECK)
			seat->tally[op.verdict - 1]++;
		if (!ret && op.out_flags & WEIR_OUT_BANNED_NOW)
			seat->done++;
		if (i % 500)
			continue;
		config.burst = 5 + i % 7;
		if (limiter_set(fd, l, WEIR_SET_BURST, &config))
			return 3;
		if (stats_get(fd, l, &stats) || stats.keys > ROOM)
			return 4;
	}
	return 0;
}

TEST_F(race, limiter)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct crowd *crowd = crowd_make(CROWD);
	struct weir_limiter_stats stats;
	__u32 l;

	config.max_keys = ROOM;
	config.strikes = 20;
	config.nbans = 1;
	config.ban[0] = HOUR;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "race", &config, &l));
	EXPECT_EQ(0, crowd_run(crowd, limiter_storm, NULL));
	/* the totals equal the verdicts that were returned */
	ASSERT_EQ(0, stats_get(self->fd, l, &stats));
	EXPECT_EQ(crowd_tally(crowd, WEIR_ALLOWED - 1), stats.allowed);
	EXPECT_EQ(crowd_tally(crowd, WEIR_LIMITED - 1), stats.limited);
	EXPECT_EQ(crowd_tally(crowd, WEIR_BANNED - 1), stats.banned);
	EXPECT_EQ(crowd_done(crowd), stats.bans);
	EXPECT_LE(crowd_tally(crowd, WEIR_FULL - 1), stats.full);
	EXPECT_GE(ROOM, stats.keys);
	crowd_free(crowd);
}

#define PAIR	2
#define MEETINGS	20000

/* All meet at each key in turn, and spend one of its two tokens. */
static int spend_one_each(struct crowd *crowd, unsigned int me, void *arg)
{
	_Atomic __u32 *arrived = arg;
	struct seat *seat = &crowd->seat[me];
	int fd = client_open(O_RDWR);
	struct weir_op op;
	__u64 key;
	__u32 l;

	if (object_open(fd, WEIR_KIND_LIMITER, OURS "race", WEIR_RIGHT_USE, &l))
		return 1;
	for (key = 0; key < MEETINGS; key++) {
		(*arrived)++;
		while (*arrived < PAIR * (key + 1))
			;
		if (key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key, sizeof(key)))
			return 2;
		seat->done += op.verdict == WEIR_ALLOWED;
	}
	return 0;
}

/*
 * A burst of two is enough for two concurrent callers, even if one of them reads the clock before
 * the other one creates the entry.
 */
TEST_F(race, burst_is_enough)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct crowd *crowd = crowd_make(PAIR);
	_Atomic __u32 *arrived = shared_memory(sizeof(*arrived));
	__u32 l;

	config.burst = PAIR;
	config.max_keys = MEETINGS;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "race", &config, &l));
	EXPECT_EQ(0, crowd_run(crowd, spend_one_each, arrived));
	EXPECT_EQ(PAIR * MEETINGS, crowd_done(crowd));
	crowd_free(crowd);
}

/* Insert new keys all the time. The limiter is deleted meanwhile. */
static int insert_until_gone(struct crowd *crowd, unsigned int me, void *arg)
{
	int fd = client_open(O_RDWR), ret = 0;
	__u64 key = (__u64)me << 32;
	struct weir_op op;
	__u32 l;

	(void)arg;
	if (object_open(fd, WEIR_KIND_LIMITER, OURS "race", WEIR_RIGHT_USE, &l))
		return 1;
	while (!ret) {
		key++;
		ret = key_run(fd, &op, WEIR_OP_CHECK, l, 1, &key, sizeof(key));
		crowd->seat[me].done += !ret;
	}
	return ret == -ENODEV ? 0 : 2;
}

TEST_F(race, delete_while_keys_come)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	__u32 l;

	for (int round = 0; round < 10; round++) {
		struct crowd *crowd = crowd_make(4);

		ASSERT_EQ(0, limiter_create(self->fd, OURS "race", &config, &l));
		crowd_spawn(crowd, insert_until_gone, NULL);
		crowd_start(crowd);
		for (int i = 0; i < 4; i++)
			while (crowd->seat[i].done < 200)
				;
		EXPECT_EQ(0, object_delete(self->fd, l));
		EXPECT_EQ(0, crowd_wait(crowd));
		EXPECT_EQ(0, handle_close(self->fd, l));
		crowd_free(crowd);
	}
}

TEST_HARNESS_MAIN
