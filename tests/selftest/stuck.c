// SPDX-License-Identifier: GPL-2.0-only
/*
 * stuck - a call that waits for a page of its caller's keeps nothing alive
 *
 * A page of a userfaultfd is there when its owner says so, which may be never. A
 * call that stumbles over one waits. Meanwhile the object is deleted: its memory
 * must be freed all the same, its name and its owner's account be free at once.
 */
#include "harness.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "roster.h"
#include "slab.h"

#define KEYS	10000
#define PAGE	4096

FIXTURE(stuck) {
	int fd, uffd, ret;
	__u32 limiter, counter;
	void *page;
	int (*call)(FIXTURE_DATA(stuck) *self);
	pthread_t thread;
	long before;
	__u64 objects;
};

static bool page_make(FIXTURE_DATA(stuck) *self)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0 || ioctl(self->uffd, UFFDIO_API, &api))
		return false;
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (uintptr_t)self->page;
	area.range.len = PAGE;
	return self->page != MAP_FAILED &&
	       !ioctl(self->uffd, UFFDIO_REGISTER, &area);
}

/* Say what is in the page: whoever waits for it goes on. */
static int page_give(FIXTURE_DATA(stuck) *self, const void *bytes)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)self->page, .len = PAGE,
				    .src = (uintptr_t)bytes };

	return ioctl(self->uffd, UFFDIO_COPY, &copy);
}

/* Somebody waits for the page: true, unless none does for ten seconds. */
static bool page_wanted(FIXTURE_DATA(stuck) *self)
{
	struct pollfd fd = { .fd = self->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&fd, 1, 10000) == 1 &&
	       read(self->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

FIXTURE_SETUP(stuck)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_info info;
	struct weir_op op;

	if (!page_make(self))
		SKIP(return, "no userfaultfd in this kernel");
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->before = slab_objects();
	info = info_get(self->fd);
	self->objects = info.objects;
	config.max_keys = KEYS;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "stuck", &config,
				    &self->limiter));
	ASSERT_EQ(0, sum_create(self->fd, OURS "stuck", 64, &self->counter));
	for (__u64 key = 0; key < KEYS; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter,
				     1, &key, sizeof(key)));
}

FIXTURE_TEARDOWN(stuck)
{
	if (!self->fd)
		return;
	close(self->fd);
	objects_wipe();
}

static void *thread_run(void *arg)
{
	FIXTURE_DATA(stuck) *self = arg;

	self->ret = self->call(self);
	return NULL;
}

/*
 * Let @call wait for the page, delete what it works on, see that nothing is left
 * of that, and let it go on: it must say @want.
 */
static void stuck_run(struct __test_metadata *_metadata,
		      FIXTURE_DATA(stuck) *self,
		      int (*call)(FIXTURE_DATA(stuck) *self), int want)
{
	static const char zeros[PAGE];
	struct weir_info info;
	__u32 again;

	self->call = call;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, thread_run, self));
	ASSERT_TRUE(page_wanted(self));
	EXPECT_EQ(0, object_delete(self->fd, self->limiter));
	EXPECT_EQ(0, object_delete(self->fd, self->counter));
	info = info_get(self->fd);
	EXPECT_EQ(self->objects, info.objects);
	if (slab_is_told()) {
		long after = slab_objects();

		for (int i = 0; i < 200 && after > self->before + SLAB_SLACK; i++) {
			usleep(50000);
			after = slab_objects();
		}
		EXPECT_GE(self->before + SLAB_SLACK, after);
	} else {
		TH_LOG("this kernel does not tell what is in memory");
	}
	EXPECT_EQ(0, sum_create(self->fd, OURS "stuck", 1, &again));
	EXPECT_EQ(0, page_give(self, zeros));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(want, self->ret);
}

static int dump(FIXTURE_DATA(stuck) *self)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->limiter,
				  .buffer = address(self->page), .length = PAGE };

	return call(self->fd, WEIR_IOC_DUMP, &dump);
}

TEST_F(stuck, dump)
{
	/* what there was is copied: a page of records, then the end is learnt */
	stuck_run(_metadata, self, dump, 0);
}

static int get_config(FIXTURE_DATA(stuck) *self)
{
	struct weir_get get = { .size = sizeof(get), .handle = self->limiter,
				.config = address(self->page) };

	return call(self->fd, WEIR_IOC_GET, &get);
}

TEST_F(stuck, get_config)
{
	/* a size of 0 */
	stuck_run(_metadata, self, get_config, -EINVAL);
}

/* The size is there, its neighbours are in the page that is not. */
static int get_stats_across(FIXTURE_DATA(stuck) *self)
{
	struct weir_get get = { .size = sizeof(get), .handle = self->limiter };
	__u32 *size = mmap(self->page - PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (size == MAP_FAILED)
		return -ENOMEM;
	size += PAGE / sizeof(*size) - 2;
	*size = sizeof(struct weir_limiter_stats);
	get.stats = address(size);
	return call(self->fd, WEIR_IOC_GET, &get);
}

TEST_F(stuck, get_stats)
{
	stuck_run(_metadata, self, get_stats_across, -ENODEV);
}

static int set(FIXTURE_DATA(stuck) *self)
{
	struct weir_set set = { .size = sizeof(set), .handle = self->limiter,
				.mask = WEIR_SET_BURST,
				.config = address(self->page) };

	return call(self->fd, WEIR_IOC_SET, &set);
}

TEST_F(stuck, set)
{
	stuck_run(_metadata, self, set, -EINVAL);
}

static int take_all(FIXTURE_DATA(stuck) *self)
{
	struct weir_op op = op_make(WEIR_OP_TAKE, self->counter, 64);

	op.flags = WEIR_OP_PTR;
	op.ptr = address(self->page);
	return op_run(self->fd, &op);
}

TEST_F(stuck, take)
{
	/* nothing was taken of what is no more */
	stuck_run(_metadata, self, take_all, -ENODEV);
}

/* The first key is known when the second one's page is asked for. */
static int claim_two(FIXTURE_DATA(stuck) *self)
{
	struct weir_op ops[2];
	__u64 key = KEYS;

	ops[0] = op_make(WEIR_OP_CLAIM, self->limiter, WEIR_LEASE_DETACHED);
	ops[1] = ops[0];
	op_key(&ops[0], &key, sizeof(key));
	ops[1].flags = WEIR_OP_PTR;
	ops[1].key_len = sizeof(key);
	ops[1].ptr = address(self->page);
	return claims_run(self->fd, ops, 2);
}

TEST_F(stuck, claims)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_U64, KEYS + 2);
	struct weir_op op;

	/* a roster instead of the limiter */
	ASSERT_EQ(0, object_delete(self->fd, self->limiter));
	ASSERT_EQ(0, roster_create(self->fd, OURS "stuck", &config, &self->limiter));
	for (__u64 key = 0; key < KEYS; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CLAIM, self->limiter,
				     WEIR_LEASE_DETACHED, &key, sizeof(key)));
	stuck_run(_metadata, self, claim_two, -EINVAL);
}

static int create(FIXTURE_DATA(stuck) *self)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER, OURS "stuck",
						self->page);

	return call(self->fd, WEIR_IOC_CREATE, &create);
}

TEST_F(stuck, create_keeps_no_name)
{
	ASSERT_EQ(0, object_delete(self->fd, self->counter));
	self->counter = 0;
	self->call = create;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, thread_run, self));
	ASSERT_TRUE(page_wanted(self));
	/* who is not stuck gets it */
	EXPECT_EQ(0, sum_create(self->fd, OURS "stuck", 1, &self->counter));
	EXPECT_EQ(0, page_give(self, &(struct { char zeros[PAGE]; }){ 0 }));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EINVAL, self->ret);
}

TEST_HARNESS_MAIN
