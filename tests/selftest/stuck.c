// SPDX-License-Identifier: GPL-2.0-only
/*
 * stuck - a call that waits for a page of its caller keeps no object's memory
 *
 * The owner of a userfaultfd decides when a page is filled, which may be never. A call that needs
 * the page waits. Meanwhile the object is deleted. Its memory must be freed, and its name and its
 * part of the owner's cap must be free at once.
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
#define BEFORE	2	/* ordinary pages before the one that is missing */

FIXTURE(stuck) {
	int fd, uffd, ret;
	__u32 limiter, counter;
	void *page;
	size_t page_size;
	int (*call)(FIXTURE_DATA(stuck) *self);
	pthread_t thread;
	__u64 objects;
};

/* @uffd stays negative if the kernel has no userfaultfd. */
static int page_make(FIXTURE_DATA(stuck) *self)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	self->page_size = sysconf(_SC_PAGESIZE);
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0 || ioctl(self->uffd, UFFDIO_API, &api))
		return -errno;
	self->page = mmap(NULL, (BEFORE + 1) * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (self->page == MAP_FAILED)
		return -errno;
	self->page += BEFORE * self->page_size;
	area.range.start = (uintptr_t)self->page;
	area.range.len = self->page_size;
	return ioctl(self->uffd, UFFDIO_REGISTER, &area) ? -errno : 0;
}

/* Fill the page with zeros, so that the waiting call continues. */
static int page_give(FIXTURE_DATA(stuck) *self)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)self->page, .len = self->page_size },
	};

	return ioctl(self->uffd, UFFDIO_ZEROPAGE, &zero);
}

/* Wait until a call needs the page. Return: false if none did in ten seconds. */
static bool page_wanted(FIXTURE_DATA(stuck) *self)
{
	struct pollfd fd = { .fd = self->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&fd, 1, 10000) == 1 &&
	       read(self->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

/* Wait until no entry is in memory. Return: false if there still are some after ten seconds. */
static bool entries_gone(struct __test_metadata *_metadata)
{
	if (!slab_is_told()) {
		TH_LOG("this kernel does not tell what is in memory");
		return true;
	}
	for (int i = 0; i < 200 && slab_objects() > SLAB_SLACK; i++)
		usleep(50000);
	return slab_objects() <= SLAB_SLACK;
}

FIXTURE_SETUP(stuck)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_info info;
	struct weir_op op;
	int err = page_make(self);

	if (self->uffd < 0)
		SKIP(return, "no userfaultfd in this kernel");
	ASSERT_EQ(0, err);
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	/* entries of the previous test are freed after a grace period */
	ASSERT_TRUE(entries_gone(_metadata));
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
 * Let @call wait for the page, delete the object that it uses, check that nothing of the object is
 * left, and let the call continue: it must return @want.
 */
static void stuck_run(struct __test_metadata *_metadata,
		      FIXTURE_DATA(stuck) *self,
		      int (*call)(FIXTURE_DATA(stuck) *self), int want)
{
	struct weir_info info;
	__u32 again;

	self->call = call;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, thread_run, self));
	ASSERT_TRUE(page_wanted(self));
	EXPECT_EQ(0, object_delete(self->fd, self->limiter));
	EXPECT_EQ(0, object_delete(self->fd, self->counter));
	info = info_get(self->fd);
	EXPECT_EQ(self->objects, info.objects);
	EXPECT_TRUE(entries_gone(_metadata));
	EXPECT_EQ(0, sum_create(self->fd, OURS "stuck", 1, &again));
	EXPECT_EQ(0, page_give(self));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(want, self->ret);
}

static int dump(FIXTURE_DATA(stuck) *self)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->limiter,
				  .buffer = address(self->page), .length = self->page_size };

	return call(self->fd, WEIR_IOC_DUMP, &dump);
}

TEST_F(stuck, dump)
{
	/* a page of records is copied, then the deletion is noticed as the end */
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
	/* the size is read as 0 */
	stuck_run(_metadata, self, get_config, -EINVAL);
}

/* The size is in the ordinary page, the rest of the struct in the missing one. */
static int get_stats_across(FIXTURE_DATA(stuck) *self)
{
	struct weir_get get = { .size = sizeof(get), .handle = self->limiter };
	__u32 *size = self->page;

	size -= 2;
	*size = sizeof(struct weir_limiter_stats);
	get.stats = address(size);
	return call(self->fd, WEIR_IOC_GET, &get);
}

TEST_F(stuck, get_stats)
{
	stuck_run(_metadata, self, get_stats_across, -ENODEV);
}

static int load(FIXTURE_DATA(stuck) *self)
{
	struct weir_load load = { .size = sizeof(load), .handle = self->limiter,
				  .buffer = address(self->page),
				  .length = self->page_size };

	return call(self->fd, WEIR_IOC_LOAD, &load);
}

TEST_F(stuck, load)
{
	stuck_run(_metadata, self, load, -ENODEV);
}

static int load_histogram(FIXTURE_DATA(stuck) *self)
{
	struct weir_load load = { .size = sizeof(load), .handle = self->counter,
				  .buffer = address(self->page),
				  .length = sizeof(struct weir_histogram) };

	/* the records are longer than a page, so they begin before the missing page */
	load.buffer -= (load.length / 2) & ~7UL;
	return call(self->fd, WEIR_IOC_LOAD, &load);
}

TEST_F(stuck, load_histogram)
{
	const struct weir_counter_config config = {
		.size = sizeof(config), .type = WEIR_COUNTER_HISTOGRAM,
	};
	struct weir_create create = create_make(WEIR_KIND_COUNTER, OURS "stuck", &config);

	ASSERT_EQ(0, object_delete(self->fd, self->counter));
	create.rights = WEIR_RIGHT_ALL;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	self->counter = create.handle;
	stuck_run(_metadata, self, load_histogram, -ENODEV);
}

/* Replace the limiter by one of addresses, with one rule and as many entries. */
static void ip_limiter(struct __test_metadata *_metadata, FIXTURE_DATA(stuck) *self)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_IP);
	const struct weir_rule rule = { .addr_len = 4, .prefix = 32,
					.action = WEIR_RULE_DENY };
	struct weir_rules rules = { .size = sizeof(rules), .count = 1,
				    .rules = address(&rule) };
	struct weir_op op;

	ASSERT_EQ(0, object_delete(self->fd, self->limiter));
	config.max_keys = KEYS;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "stuck", &config, &self->limiter));
	for (__u32 key = 1; key <= KEYS; key++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter,
				     1, &key, sizeof(key)));
	rules.handle = self->limiter;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
}

static int rules_run(FIXTURE_DATA(stuck) *self, __u32 flags)
{
	struct weir_rules rules = { .size = sizeof(rules), .handle = self->limiter,
				    .flags = flags, .count = 1,
				    .rules = address(self->page) };

	return call(self->fd, WEIR_IOC_RULES, &rules);
}

static int rules_change(FIXTURE_DATA(stuck) *self)
{
	return rules_run(self, 0);
}

TEST_F(stuck, rules_change)
{
	ip_limiter(_metadata, self);
	stuck_run(_metadata, self, rules_change, -ENODEV);
}

static int rules_get(FIXTURE_DATA(stuck) *self)
{
	return rules_run(self, WEIR_RULES_GET);
}

TEST_F(stuck, rules_get)
{
	ip_limiter(_metadata, self);
	/* the rules from before the deletion are copied */
	stuck_run(_metadata, self, rules_get, 0);
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
	/* nothing was taken from the deleted counter */
	stuck_run(_metadata, self, take_all, -ENODEV);
}

/* The first key has been read when the page of the second one is accessed. */
static int claim_two(FIXTURE_DATA(stuck) *self)
{
	struct weir_op ops[2];
	__u64 key = KEYS;

	ops[0] = op_make(WEIR_OP_CLAIM, self->limiter, 0);
	ops[0].flags = WEIR_OP_DETACHED;
	ops[1] = ops[0];
	op_key(&ops[0], &key, sizeof(key));
	ops[1].flags |= WEIR_OP_PTR;
	ops[1].key_len = sizeof(key);
	ops[1].ptr = address(self->page);
	return claims_run(self->fd, ops, 2);
}

TEST_F(stuck, claims)
{
	struct weir_roster_config config = roster_config(WEIR_KEY_U64, KEYS + 2);
	struct weir_op op;

	/* use a roster instead of the limiter */
	ASSERT_EQ(0, object_delete(self->fd, self->limiter));
	ASSERT_EQ(0, roster_create(self->fd, OURS "stuck", &config, &self->limiter));
	for (__u64 key = 0; key < KEYS; key++) {
		op = op_make(WEIR_OP_CLAIM, self->limiter, 0);
		op.flags = WEIR_OP_DETACHED;
		op_key(&op, &key, sizeof(key));
		ASSERT_EQ(0, op_run(self->fd, &op));
	}
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
	/* another caller can create an object with that name */
	EXPECT_EQ(0, sum_create(self->fd, OURS "stuck", 1, &self->counter));
	EXPECT_EQ(0, page_give(self));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EINVAL, self->ret);
}

TEST_HARNESS_MAIN
