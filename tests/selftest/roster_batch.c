// SPDX-License-Identifier: GPL-2.0-only
/* roster_batch - the maximum number of claims in one submission: all or none */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "descriptor.h"
#include "roster.h"

#define MANY	WEIR_CLAIMS_MAX
#define ROUNDS	20

FIXTURE(batch) {
	int fd;
	__u32 r, r2;
	struct weir_op *ops;
};

FIXTURE_SETUP(batch)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_U64, 2 * MANY);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, roster_create(self->fd, OURS "batch", &config, &self->r));
	config.max_keys = MANY / 2;
	ASSERT_EQ(0, roster_create(self->fd, OURS "half", &config, &self->r2));
	self->ops = calloc(MANY + 1, sizeof(*self->ops));
	ASSERT_NE(NULL, self->ops);
}

FIXTURE_TEARDOWN(batch)
{
	free(self->ops);
	close(self->fd);
	objects_wipe();
}

static struct weir_op claim_make(__u32 roster, __u64 key)
{
	struct weir_op op = op_make(WEIR_OP_CLAIM, roster, 0);

	op_key(&op, &key, sizeof(key));
	return op;
}

/* Claims of keys from @first on, @step apart. */
static void claims_make(struct weir_op *ops, __u32 roster, __u64 first, __s64 step)
{
	for (unsigned int i = 0; i < MANY; i++)
		ops[i] = claim_make(roster, first + i * step);
}

static __u64 members(int fd, __u32 roster)
{
	return roster_stats(fd, roster).members;
}

TEST_F(batch, all)
{
	claims_make(self->ops, self->r, 1, 1);
	ASSERT_EQ(0, claims_run(self->fd, self->ops, MANY));
	for (unsigned int i = 0; i < MANY; i++)
		ASSERT_EQ(i + 1, self->ops[i].version);
	EXPECT_EQ(MANY, members(self->fd, self->r));
	EXPECT_EQ(MANY, roster_stats(self->fd, self->r).claimed);
	/* the same number again, and not one more */
	claims_make(self->ops, self->r, MANY + 1, 1);
	ASSERT_EQ(0, claims_run(self->fd, self->ops, MANY));
	claims_make(self->ops, self->r, 2 * MANY + 1, 1);
	EXPECT_EQ(-ENOSPC, claims_run(self->fd, self->ops, MANY));
	EXPECT_EQ(-ENOSPC, self->ops[0].result);
	EXPECT_EQ(2 * MANY, members(self->fd, self->r));
}

/* One key is taken, at any position: no lease is made. */
TEST_F(batch, none)
{
	const unsigned int at[] = { 0, 1, MANY / 2, MANY - 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		struct weir_op taken = claim_make(self->r, at[i] + 1);

		ASSERT_EQ(0, lease_op(self->fd, &taken));
		claims_make(self->ops, self->r, 1, 1);
		ASSERT_EQ(-EEXIST, claims_run(self->fd, self->ops, MANY));
		for (unsigned int k = 0; k < MANY; k++)
			ASSERT_EQ(k == at[i] ? -EEXIST : -ECANCELED, self->ops[k].result);
		ASSERT_EQ(1, members(self->fd, self->r));
		taken = op_make(WEIR_OP_REMOVE, self->r, 0);
		op_key(&taken, &(__u64){ at[i] + 1 }, sizeof(__u64));
		ASSERT_EQ(0, lease_op(self->fd, &taken));
	}
}

TEST_F(batch, twice)
{
	const unsigned int at[][2] = { { 0, 1 }, { 0, MANY - 1 }, { MANY / 2, MANY - 2 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		claims_make(self->ops, self->r, 1, 1);
		self->ops[at[i][1]] = self->ops[at[i][0]];
		ASSERT_EQ(-EINVAL, claims_run(self->fd, self->ops, MANY));
		EXPECT_EQ(-EINVAL, self->ops[at[i][1]].result);
		EXPECT_EQ(-ECANCELED, self->ops[at[i][0]].result);
	}
	/* with the keys in two rosters */
	claims_make(self->ops, self->r, 1, 1);
	self->ops[MANY - 1] = claim_make(self->r2, 1);
	EXPECT_EQ(0, claims_run(self->fd, self->ops, MANY));
	claims_make(self->ops, self->r, 1, 1);
	self->ops[MANY] = self->ops[MANY - 1];
	EXPECT_EQ(-EINVAL, claims_run(self->fd, self->ops, MANY + 1));
}

/* If the second roster is full, slots reserved in the first one are released. */
TEST_F(batch, two_rosters)
{
	for (unsigned int i = 0; i < MANY; i++)
		self->ops[i] = claim_make(i & 1 ? self->r2 : self->r, i);
	ASSERT_EQ(0, claims_run(self->fd, self->ops, MANY));
	EXPECT_EQ(MANY / 2, members(self->fd, self->r));
	EXPECT_EQ(MANY / 2, members(self->fd, self->r2));
	for (unsigned int i = 0; i < MANY; i++)
		self->ops[i] = claim_make(i == MANY - 3 ? self->r2 : self->r, MANY + i);
	EXPECT_EQ(-ENOSPC, claims_run(self->fd, self->ops, MANY));
	EXPECT_EQ(-ENOSPC, self->ops[MANY - 3].result);
	EXPECT_EQ(MANY / 2, members(self->fd, self->r));
	self->ops[MANY - 3] = claim_make(self->r, MANY + MANY - 3);
	for (unsigned int i = 0; i < MANY; i++)
		self->ops[i].result = 0;
	EXPECT_EQ(0, claims_run(self->fd, self->ops, MANY));
	EXPECT_EQ(MANY + MANY / 2, members(self->fd, self->r));
}

/* All leases end when the owner dies, each with one event. */
TEST_F(batch, owner_dies)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		__u32 r;
		int fd = roster_enter(OURS "batch", &r);

		claims_make(self->ops, r, 1, 1);
		byte = claims_run(fd, self->ops, MANY) ? 'n' : 'y';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ('y', byte);
	EXPECT_EQ(MANY, members(self->fd, self->r));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, members(self->fd, self->r));
	EXPECT_EQ(MANY, roster_stats(self->fd, self->r).lost);
	claims_make(self->ops, self->r, 1, 1);
	EXPECT_EQ(0, claims_run(self->fd, self->ops, MANY));
	close(ready[0]);
	close(ready[1]);
}

/* Claim and remove a key in the smaller roster until told to stop. */
static int churn(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_op claim, remove;
	__u64 key = 1000000;
	__u32 r;
	int fd = roster_enter(OURS "half", &r);

	(void)me;
	(void)arg;
	while (!crowd->flag) {
		claim = claim_make(r, key);
		remove = op_make(WEIR_OP_REMOVE, r, 0);
		op_key(&remove, &key, sizeof(key));
		if (lease_op(fd, &claim) || lease_op(fd, &remove))
			return 1;
	}
	close(fd);
	return 0;
}

/* A submission that can never fit is refused, even if others make room meanwhile. */
TEST_F(batch, never_fits)
{
	struct crowd *crowd = crowd_make(1);

	crowd_spawn(crowd, churn, NULL);
	crowd_start(crowd);
	for (int i = 0; i < scaled(50); i++) {
		claims_make(self->ops, self->r2, 1, 1);
		ASSERT_EQ(-ENOSPC, claims_run(self->fd, self->ops, MANY));
	}
	crowd->flag = 1;
	EXPECT_EQ(0, crowd_wait(crowd));
	crowd_free(crowd);
}

/**
 * struct closer - a thread that closes a descriptor in use
 * @fd: the descriptor
 * @spin: how long it waits before it closes
 * @go: start
 */
struct closer {
	int fd;
	unsigned int spin;
	_Atomic int go;
};

static void *close_one(void *arg)
{
	struct closer *closer = arg;

	while (!closer->go)
		;
	for (volatile unsigned int i = 0; i < closer->spin; i++)
		;
	close(closer->fd);
	return NULL;
}

static int key_find(int fd, __u32 roster, __u64 key)
{
	struct weir_op op = op_make(WEIR_OP_LEASE_GET, roster, 0);

	op_key(&op, &key, sizeof(key));
	return lease_op(fd, &op);
}

/*
 * Another thread closes the last descriptor during the call. The leases end with the call, except
 * the detached one. If the call found no file, there are none.
 */
TEST_F(batch, closed_meanwhile)
{
	unsigned int all = 0, late = 0;

	for (int i = 0; i < scaled(3000); i++) {
		struct closer closer = { .spin = i * 37 % 4000 };
		struct weir_op ops[2], remove;
		pthread_t thread;
		int fd, ret;
		__u32 r;

		fd = closer.fd = roster_enter(OURS "batch", &r);
		ops[0] = claim_make(r, 1);
		ops[1] = claim_make(r, 2);
		ops[1].flags |= WEIR_OP_DETACHED;
		ASSERT_EQ(0, pthread_create(&thread, NULL, close_one, &closer));
		closer.go = 1;
		ret = claims_run(fd, ops, 2);
		pthread_join(thread, NULL);
		ASSERT_EQ(-ENOENT, key_find(self->fd, self->r, 1));
		ASSERT_EQ(ret ? -ENOENT : 0, key_find(self->fd, self->r, 2));
		if (ret) {
			ASSERT_EQ(-EBADF, ret);
			late++;
		} else {
			all++;
			remove = op_make(WEIR_OP_REMOVE, self->r, 0);
			op_key(&remove, &(__u64){ 2 }, sizeof(__u64));
			ASSERT_EQ(0, lease_op(self->fd, &remove));
		}
	}
	EXPECT_LT(0, all);
	TH_LOG("%u made, %u too late", all, late);
}

/**
 * struct shared - results of all processes
 * @made: submissions that made their leases
 * @not_made: submissions refused because of leases of others
 * @bad: any other outcome
 */
struct shared {
	_Atomic long made, not_made, bad;
};

/* Claim keys that others claim too, from either end. All of them are claimed or none. */
static int racer(struct crowd *crowd, unsigned int me, void *arg)
{
	static struct weir_op ops[MANY];
	struct shared *s = arg;
	__u32 r;
	int fd = roster_enter(OURS "batch", &r);

	(void)crowd;
	for (int round = 0; round < scaled(ROUNDS); round++) {
		__u64 first = (me + round) % 4 * (MANY / 4);
		int ret;

		if (me & 1)
			claims_make(ops, r, first + MANY - 1, -1);
		else
			claims_make(ops, r, first, 1);
		ret = claims_run(fd, ops, MANY);
		if (ret == -EEXIST) {
			s->not_made++;
			continue;
		}
		if (ret) {
			s->bad++;
			continue;
		}
		s->made++;
		for (unsigned int i = 0; i < MANY; i++) {
			struct weir_op op = op_make(WEIR_OP_REMOVE, r, 0);
			__u64 key = first + i;

			op_key(&op, &key, sizeof(key));
			if (lease_op(fd, &op))
				s->bad++;
		}
	}
	close(fd);
	return 0;
}

TEST_F(batch, race)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct crowd *crowd = crowd_make(4);
	struct weir_roster_stats stats;

	ASSERT_NE(MAP_FAILED, s);
	EXPECT_EQ(0, crowd_run(crowd, racer, s));
	stats = roster_stats(self->fd, self->r);
	EXPECT_EQ(0, s->bad);
	EXPECT_LT(0, s->made);
	EXPECT_EQ(4 * scaled(ROUNDS), s->made + s->not_made);
	EXPECT_EQ(s->made * MANY, stats.claimed);
	EXPECT_EQ(stats.claimed, stats.removed);
	EXPECT_EQ(s->not_made, stats.refused);
	EXPECT_EQ(0, stats.members);
	TH_LOG("%ld made, %ld not", (long)s->made, (long)s->not_made);
	crowd_free(crowd);
	munmap(s, sizeof(*s));
}

TEST_HARNESS_MAIN
