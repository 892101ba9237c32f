// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_crowd - a gate with 100,000 waiters
 *
 * Eight clients queue under many tags for seven keys, so that neighbours in a queue belong to
 * different clients. Permits are released, requests cancelled from the middle, a client is
 * closed, and the gate deleted. The queues stay strictly first come, first served; each request
 * ends exactly once; its memory belongs to the cgroup of the task that queued it, and is freed.
 */
#include "harness.h"

#include <sys/stat.h>

#include "queued.h"
#include "verdict.h"

#define FILES		8
#define KEYS		7
#define WAITERS		scaled(100000)
#define BATCH		WEIR_BATCH_MAX
#define GROUP		"/sys/fs/cgroup/weir-crowd"
#define LEAST		128	/* bytes of slab that a request takes */

FIXTURE(crowd) {
	int fd, file[FILES];
	__u32 gate, handle[FILES];
	struct weir_op *ops;
};

/* Waiter @i: its file, key and tag. Waiters queue in the order of their numbers. */
static int file_of(unsigned int i)
{
	return i % FILES;
}

static __u64 key_of(unsigned int i)
{
	return i / FILES % KEYS;
}

FIXTURE_SETUP(crowd)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->ops = calloc(BATCH, sizeof(*self->ops));
	config.max_keys = KEYS;
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	for (__u64 key = 0; key < KEYS; key++)
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &key, 1));
	for (int i = 0; i < FILES; i++)
		self->file[i] = gate_enter(&self->handle[i]);
}

FIXTURE_TEARDOWN(crowd)
{
	close(self->fd);
	for (int i = 0; i < FILES; i++)
		if (self->file[i] >= 0)
			close(self->file[i]);
	objects_wipe();
	free(self->ops);
}

/* One waiter at a time, since the files take turns. */
static void all_queue(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	for (int i = 0; i < WAITERS; i++) {
		__u64 key = key_of(i);

		if (queue_as(self->file[file_of(i)], i, self->handle[file_of(i)], &key, 1,
			     WEIR_NEVER) == WEIR_QUEUED)
			continue;
		ASSERT_EQ(0, i) {
			TH_LOG("waiter %d is not queued", i);
		}
	}
	ASSERT_EQ(WAITERS, gate_stats(self->fd, self->gate).waiting);
}

static int waiter_cancel(FIXTURE_DATA(crowd) *self, unsigned int i)
{
	__u64 key = key_of(i);
	struct weir_op op = op_make(WEIR_OP_CANCEL, self->handle[file_of(i)], 0);

	op.tag = i;
	op_key(&op, &key, sizeof(key));
	return op_run(self->file[file_of(i)], &op);
}

/* The holder of @key's permit gives it back, and @i gets it: all others are still queued. */
static bool waiter_served(FIXTURE_DATA(crowd) *self, unsigned int i, int holder, __u32 handle,
			  __u32 tag)
{
	__u64 key = key_of(i);
	struct weir_op op;

	return !gate_release_as(holder, tag, handle, &key, 1) &&
	       collect_run(self->file[file_of(i)], &op, 1) == 1 && !op.result &&
	       op.verdict == WEIR_ALLOWED && op.tag == i;
}

static unsigned int collect_all(FIXTURE_DATA(crowd) *self, int fd, int result)
{
	unsigned int all = 0;
	int n;

	while ((n = collect_run(fd, self->ops, BATCH)) > 0) {
		for (int i = 0; i < n; i++)
			if (self->ops[i].result != result)
				abort();
		all += n;
	}
	return all;
}

TEST_F(crowd, strictly_in_order)
{
	int left = WAITERS, served = 0, cancelled = 0, closed = 0, ended = 0;
	/* of each key: the next waiter, and the one that has the permit; -1: the fixture */
	int at[KEYS], holder[KEYS];

	all_queue(_metadata, self);
	/* from the middle to the end, every fifth */
	for (int i = WAITERS / 2; i < WAITERS; i += 5) {
		ASSERT_EQ(0, waiter_cancel(self, i));
		cancelled++;
	}
	/* file 3, which has an eighth of those that are left */
	for (int i = 0; i < WAITERS; i++)
		closed += file_of(i) == 3 && (i < WAITERS / 2 || (i - WAITERS / 2) % 5);
	close(self->file[3]);
	self->file[3] = -1;
	left -= cancelled + closed;
	EXPECT_EQ(left, (int)gate_stats(self->fd, self->gate).waiting);
	for (int k = 0; k < KEYS; k++) {
		at[k] = k * FILES;
		holder[k] = -1;
	}
	/* a third of the rest, all keys in turn */
	while (served < left / 3) {
		int k = served % KEYS, i = at[k], h = holder[k];

		while (file_of(i) == 3 || (i >= WAITERS / 2 && !((i - WAITERS / 2) % 5)))
			i++;
		ASSERT_EQ(k, (int)key_of(i));
		ASSERT_TRUE(waiter_served(self, i, h < 0 ? self->fd : self->file[file_of(h)],
					  h < 0 ? self->gate : self->handle[file_of(h)],
					  h < 0 ? 0 : h)) {
			TH_LOG("waiter %d is not the next one of key %d", i, k);
		}
		holder[k] = i;
		at[k] = (i + 1) % FILES ? i + 1 : i + 1 + (KEYS - 1) * FILES;
		served++;
	}
	left -= served;
	EXPECT_EQ(left, (int)gate_stats(self->fd, self->gate).waiting);
	EXPECT_EQ(KEYS, gate_stats(self->fd, self->gate).in_use);
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	for (int i = 0; i < FILES; i++)
		if (self->file[i] >= 0)
			ended += collect_all(self, self->file[i], -ENODEV);
	EXPECT_EQ(left, ended);
	TH_LOG("%d cancelled, %d closed, %d served, %d ended by DELETE", cancelled, closed,
	       served, ended);
}

/* ------------------------------------------------------------ what it costs */

#define SAMPLE		500	/* operations of each kind */

/* Instructions of one operation on average: @first and the SAMPLE - 1 after it. */
static __u64 cost_of(FIXTURE_DATA(crowd) *self, unsigned int first,
		     int (*act)(FIXTURE_DATA(crowd) *self, unsigned int i))
{
	__u64 begun = now_ns();

	for (unsigned int i = first; i < first + SAMPLE; i++)
		if (act(self, i))
			abort();
	return (now_ns() - begun) / SAMPLE;
}

static int waiter_queue(FIXTURE_DATA(crowd) *self, unsigned int i)
{
	__u64 key = key_of(i);

	return queue_as(self->file[file_of(i)], i, self->handle[file_of(i)], &key, 1,
			WEIR_NEVER) - WEIR_QUEUED;
}

/* Release the permit that @i gets by that, and its predecessor has. */
static int waiter_release(FIXTURE_DATA(crowd) *self, unsigned int i)
{
	__u64 key = key_of(i);
	bool first = i < KEYS * FILES && !(i % FILES);
	unsigned int last = i % FILES ? i - 1 : i - 1 - (KEYS - 1) * FILES;

	return gate_release_as(first ? self->fd : self->file[file_of(last)], first ? 0 : last,
			       first ? self->gate : self->handle[file_of(last)], &key, 1);
}

/* Each operation costs as much with many waiters as with few, but for the depth of trees. */
TEST_F(crowd, costs_little_more_than_few)
{
	const char *icount = getenv("WEIR_ICOUNT");
	/* twice few: the first time the kernel takes pages for its caches */
	static const unsigned int waiters[] = { 2000, 2000, 100000 };
	__u64 queue[3], cancel[3], release[3];

	if (!icount || strcmp(icount, "1"))
		SKIP(return, "no clock that counts instructions");
	for (int many = 0; many < 3; many++) {
		const unsigned int all = waiters[many];

		for (unsigned int i = 0; i < all - SAMPLE; i++)
			ASSERT_EQ(0, waiter_queue(self, i));
		queue[many] = cost_of(self, all - SAMPLE, waiter_queue);
		cancel[many] = cost_of(self, all / 2, waiter_cancel);
		release[many] = cost_of(self, 0, waiter_release);
		for (int i = 0; i < FILES; i++) {
			close(self->file[i]);
			self->file[i] = gate_enter(&self->handle[i]);
		}
		for (__u64 key = 0; key < KEYS; key++)
			if (!gate_held_as(self->fd, 0, self->gate, &key))
				ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &key, 1));
	}
	TH_LOG("instructions, 2000 and 100000 waiters: queue %llu, %llu", queue[1], queue[2]);
	TH_LOG("cancel %llu, %llu; release %llu, %llu", cancel[1], cancel[2], release[1],
	       release[2]);
	EXPECT_GT(queue[1] * 3 / 2, queue[2]);
	EXPECT_GT(cancel[1] * 5 / 4, cancel[2]);
	EXPECT_GT(release[1] * 5 / 4, release[2]);
}

/* ------------------------------------------------------------ whose memory */

static int group_put(const char *file, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", *file == '/' ? "" : GROUP "/", file);
	f = fopen(path, "w");
	if (!f)
		return -1;
	return (fputs(text, f) < 0) | fclose(f);
}

/* Bytes of slab in the cgroup. */
static long slab_of_group(void)
{
	char line[256];
	long bytes = -1;
	FILE *f = fopen(GROUP "/memory.stat", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "slab %ld", &bytes);
	if (f)
		fclose(f);
	return bytes;
}

TEST_F(crowd, belongs_to_the_cgroup_of_its_waiters)
{
	long before, with, after;
	char pid[16];

	group_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	before = slab_of_group();
	if (before < 0 || group_put("cgroup.procs", pid)) {
		rmdir(GROUP);
		SKIP(return, "no memory cgroups");
	}
	all_queue(_metadata, self);
	with = slab_of_group();
	for (int i = 0; i < FILES; i++) {
		close(self->file[i]);
		self->file[i] = -1;
	}
	/* freed after a grace period */
	after = slab_of_group();
	for (int i = 0; i < 100 && after > with / 50; i++) {
		usleep(100000);
		after = slab_of_group();
	}
	TH_LOG("slab: %ld bytes, %ld with %d waiters, then %ld", before, with, WAITERS, after);
	EXPECT_LE((long)WAITERS * LEAST, with - before);
	EXPECT_GE(with / 50, after);
	group_put("/sys/fs/cgroup/cgroup.procs", pid);
	rmdir(GROUP);
}

TEST_HARNESS_MAIN
