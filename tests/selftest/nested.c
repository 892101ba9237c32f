// SPDX-License-Identifier: GPL-2.0-only
/*
 * nested - data that a struct points to: configurations, totals, buffers, names, ops
 *
 * The same rules apply as for the structs themselves. A pointer to invalid memory fails the call
 * before it has an effect.
 */
#include "harness.h"

#include "client.h"
#include "memory.h"

FIXTURE(nested) {
	int fd;
	__u32 counter, limiter;
	struct weir_info before;
	struct pane pane;
	char *room;
};

FIXTURE_SETUP(nested)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, sum_create(self->fd, OURS "nested-c", 3, &self->counter));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "nested-l", &config,
				    &self->limiter));
	self->before = info_get(self->fd);
	self->pane = pane_make();
	self->room = calloc(1, 8192);
}

FIXTURE_TEARDOWN(nested)
{
	close(self->fd);
	objects_wipe();
	pane_free(&self->pane);
	free(self->room);
}

static bool nothing_happened(FIXTURE_DATA(nested) *self)
{
	struct weir_info now = info_get(self->fd);

	return now.objects == self->before.objects &&
	       now.event_next == self->before.event_next;
}

static int create_with(FIXTURE_DATA(nested) *self, __u32 kind,
		       const void *config)
{
	struct weir_create create = create_make(kind, OURS "nested-new", config);
	int ret = call(self->fd, WEIR_IOC_CREATE, &create);

	if (!ret) {
		object_delete(self->fd, create.handle);
		handle_close(self->fd, create.handle);
		self->before = info_get(self->fd);
	}
	return ret;
}

/* Sizes of the structs in the first version of the ABI, which old programs use. */
#define COUNTER_CONFIG_FIRST	32
#define LIMITER_CONFIG_FIRST	144
#define LIMITER_STATS_FIRST	88

/*
 * @config of @size bytes in CREATE: the rules for sizes, and memory that ends at each multiple of
 * 8.
 */
static void config_rules(struct __test_metadata *_metadata,
			 FIXTURE_DATA(nested) *self, __u32 kind,
			 const void *config, size_t size, size_t first)
{
	static const __u32 short_of[] = { 0, 1, 4 };
	__u32 bent;

	for (size_t i = 0; i <= ARRAY_SIZE(short_of); i++) {
		memset(self->room, 0, 8192);
		memcpy(self->room, config, size);
		bent = i < ARRAY_SIZE(short_of) ? short_of[i] : first - 1;
		memcpy(self->room, &bent, sizeof(bent));
		EXPECT_EQ(-EINVAL, create_with(self, kind, self->room));
		EXPECT_TRUE(nothing_happened(self));
	}
	for (__u32 more = 1; more <= 1024; more *= 4) {
		memset(self->room, 0, 8192);
		memcpy(self->room, config, size);
		bent = size + more;
		memcpy(self->room, &bent, sizeof(bent));
		EXPECT_EQ(0, create_with(self, kind, self->room));
		self->room[bent - 1] = 1;
		EXPECT_EQ(-E2BIG, create_with(self, kind, self->room));
		EXPECT_TRUE(nothing_happened(self));
	}
	for (size_t bytes = 0; bytes < size; bytes += 8) {
		void *place = pane_lay(&self->pane, config, size, bytes,
				       PROT_NONE);

		EXPECT_EQ(-EFAULT, create_with(self, kind, place)) {
			TH_LOG("%zu of %zu bytes", bytes, size);
		}
		EXPECT_TRUE(nothing_happened(self));
	}
	memset(self->room, 0, 8192);
	memcpy(self->room, config, first);
	bent = first;
	memcpy(self->room, &bent, sizeof(bent));
	EXPECT_EQ(0, create_with(self, kind, pane_lay(&self->pane, self->room, first,
						      first, PROT_NONE)));
	/* read-only memory is enough for a configuration */
	EXPECT_EQ(0, create_with(self, kind,
				 pane_lay(&self->pane, config, size, 0,
					  PROT_READ)));
	EXPECT_EQ(-EFAULT, create_with(self, kind, NULL));
	EXPECT_TRUE(nothing_happened(self));
}

TEST_F(nested, counter_config)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };

	config_rules(_metadata, self, WEIR_KIND_COUNTER, &config,
		     sizeof(config), COUNTER_CONFIG_FIRST);
}

TEST_F(nested, limiter_config)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_TEXT);

	config_rules(_metadata, self, WEIR_KIND_LIMITER, &config,
		     sizeof(config), LIMITER_CONFIG_FIRST);
}

TEST_F(nested, pointers_no_program_has)
{
	static const __u64 wild[] = {
		1, 0x7fffffffffffULL << 8, 0xdead000000000000ULL,
		0xffff888000000000ULL, 0xffffffff81000000ULL, ~0ULL - 7,
	};
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM,
					      .nfields = 1 };
	struct weir_create create;

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		create = create_make(WEIR_KIND_COUNTER, OURS "nested-new", NULL);
		create.config = wild[i];
		EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_CREATE, &create));
		config.fields = wild[i];
		EXPECT_EQ(-EFAULT, create_with(self, WEIR_KIND_COUNTER,
					       &config));
		EXPECT_TRUE(nothing_happened(self));
	}
}

TEST_F(nested, field_names)
{
	char names[3][WEIR_NAME_SIZE] = { "one", "two", "three" };
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM,
					      .nfields = 3 };

	for (size_t bytes = 0; bytes < sizeof(names); bytes += 8) {
		config.fields = address(pane_lay(&self->pane, names,
						 sizeof(names), bytes,
						 PROT_NONE));
		EXPECT_EQ(-EFAULT, create_with(self, WEIR_KIND_COUNTER,
					       &config));
		EXPECT_TRUE(nothing_happened(self));
	}
	config.fields = address(pane_lay(&self->pane, names, sizeof(names),
					 sizeof(names), PROT_NONE));
	EXPECT_EQ(0, create_with(self, WEIR_KIND_COUNTER, &config));
}

/* A GET whose struct of @size bytes has only @bytes of writable memory. */
static int get_into(FIXTURE_DATA(nested) *self, void *place, bool stats)
{
	struct weir_get get = { .size = sizeof(get), .handle = self->limiter };

	if (stats)
		get.stats = address(place);
	else
		get.config = address(place);
	return call(self->fd, WEIR_IOC_GET, &get);
}

static void output_rules(struct __test_metadata *_metadata,
			 FIXTURE_DATA(nested) *self, size_t size, size_t first,
			 bool stats)
{
	__u32 bent;

	for (__u32 more = 0; more <= 1024; more = more ? more * 4 : 1) {
		memset(self->room, 0, 8192);
		memset(self->room + size + more, POISON, 64);
		bent = size + more;
		memcpy(self->room, &bent, sizeof(bent));
		EXPECT_EQ(0, get_into(self, self->room, stats));
		for (__u32 b = 0; b < more; b++)
			ASSERT_EQ(0, self->room[size + b]);
		for (__u32 b = 0; b < 64; b++)
			ASSERT_EQ((char)POISON, self->room[size + more + b]);
	}
	memset(self->room, POISON, 8192);
	for (int i = 0; i < 2; i++) {
		bent = i ? first - 1 : 0;
		memcpy(self->room, &bent, sizeof(bent));
		EXPECT_EQ(-EINVAL, get_into(self, self->room, stats));
		ASSERT_EQ((char)POISON, self->room[8]);
	}
	memset(self->room, 0, first);
	bent = first;
	memcpy(self->room, &bent, sizeof(bent));
	EXPECT_EQ(0, get_into(self, self->room, stats));
	for (size_t b = first; b < size; b++)
		ASSERT_EQ((char)POISON, self->room[b]);
	memset(self->room, 0, 8192);
	bent = size;
	memcpy(self->room, &bent, sizeof(bent));
	for (size_t bytes = 0; bytes < size; bytes += 8) {
		void *place = pane_lay(&self->pane, self->room, size, bytes,
				       PROT_NONE);

		EXPECT_EQ(-EFAULT, get_into(self, place, stats));
		place = pane_lay(&self->pane, self->room, size, bytes,
				 PROT_READ);
		EXPECT_EQ(-EFAULT, get_into(self, place, stats));
	}
}

TEST_F(nested, config_comes_back)
{
	output_rules(_metadata, self, sizeof(struct weir_limiter_config),
		     LIMITER_CONFIG_FIRST, false);
}

TEST_F(nested, stats_come_back)
{
	output_rules(_metadata, self, sizeof(struct weir_limiter_stats),
		     LIMITER_STATS_FIRST, true);
}

/* A GET of config and stats, one of which has a bad size, fails and writes neither. */
TEST_F(nested, get_of_nothing)
{
	struct weir_get get = { .size = sizeof(get), .handle = self->limiter };

	EXPECT_EQ(0, call(self->fd, WEIR_IOC_GET, &get));
}

TEST_F(nested, set_config)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64), seen;
	__u32 size = sizeof(config);

	config.burst = 77;
	for (size_t bytes = 0; bytes < size; bytes += 8) {
		void *place = pane_lay(&self->pane, &config, size, bytes,
				       PROT_NONE);

		EXPECT_EQ(-EFAULT, limiter_set(self->fd, self->limiter,
					       WEIR_SET_BURST, place));
	}
	config.size = LIMITER_CONFIG_FIRST - 1;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->limiter, WEIR_SET_BURST,
				       &config));
	memcpy(self->room, &config, size);
	size += 1;
	memcpy(self->room, &size, sizeof(size));
	self->room[size - 1] = 1;
	EXPECT_EQ(-E2BIG, limiter_set(self->fd, self->limiter, WEIR_SET_BURST,
				      (void *)self->room));
	ASSERT_EQ(0, limiter_get(self->fd, self->limiter, &seen));
	EXPECT_EQ(10, seen.burst);
	EXPECT_TRUE(nothing_happened(self));
	self->room[size - 1] = 0;
	EXPECT_EQ(0, limiter_set(self->fd, self->limiter, WEIR_SET_BURST,
				 (void *)self->room));
	ASSERT_EQ(0, limiter_get(self->fd, self->limiter, &seen));
	EXPECT_EQ(77, seen.burst);
}

#define OPS 4

static void adds_fill(struct weir_op *ops, __u32 counter)
{
	for (int i = 0; i < OPS; i++) {
		ops[i] = op_make(WEIR_OP_ADD, counter, 1);
		ops[i].arg = 1;
	}
}

/*
 * Four adds, of which only the first @bytes bytes are valid memory: exactly the ops that are wholly
 * in valid memory are performed.
 */
static void ops_rules(struct __test_metadata *_metadata,
		      FIXTURE_DATA(nested) *self, int prot)
{
	struct weir_op ops[OPS];
	__s64 value, wanted = 0;
	__u32 done;

	for (size_t bytes = 0; bytes <= sizeof(ops); bytes += 8) {
		__u32 whole = bytes / sizeof(ops[0]);
		struct weir_op *place;
		int ret;

		adds_fill(ops, self->counter);
		place = pane_lay(&self->pane, ops, sizeof(ops), bytes, prot);
		ret = submit(self->fd, place, OPS, &done);
		EXPECT_EQ(whole ? 0 : -EFAULT, ret) {
			TH_LOG("%zu bytes", bytes);
		}
		EXPECT_EQ(whole, done) {
			TH_LOG("%zu bytes", bytes);
		}
		wanted += whole;
		for (__u32 i = 0; i < whole; i++)
			EXPECT_EQ(0, place[i].result);
		ASSERT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
		ASSERT_EQ(wanted, value) {
			TH_LOG("%zu bytes", bytes);
		}
	}
}

TEST_F(nested, ops_before_unmapped_memory)
{
	ops_rules(_metadata, self, PROT_NONE);
}

TEST_F(nested, ops_before_read_only_memory)
{
	ops_rules(_metadata, self, PROT_READ);
}

/* WEIR_IOC_OP on an op that ends beyond the edge of what can be read and written. */
static void op_rules(struct __test_metadata *_metadata, FIXTURE_DATA(nested) *self,
		     int protection)
{
	__s64 value;

	for (size_t inside = 8; inside <= sizeof(struct weir_op); inside += 8) {
		struct weir_op op = op_make(WEIR_OP_ADD, self->counter, 1);
		void *at;

		op.arg = 1;
		at = pane_lay(&self->pane, &op, sizeof(op), inside, protection);
		EXPECT_EQ(inside == sizeof(op) ? 0 : -EFAULT, call(self->fd, WEIR_IOC_OP, at));
	}
	ASSERT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
	EXPECT_EQ(1, value);
}

TEST_F(nested, op_before_unmapped_memory)
{
	op_rules(_metadata, self, PROT_NONE);
	EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_OP, NULL));
}

TEST_F(nested, op_before_read_only_memory)
{
	op_rules(_metadata, self, PROT_READ);
}

/* Like ops_rules(), with so many ops that the kernel copies them in several parts. */
TEST_F(nested, full_batch_before_the_edge)
{
	const __u32 count = WEIR_BATCH_MAX, good = 777;
	struct weir_op *ops = (struct weir_op *)
		pane_before(&self->pane, good * sizeof(*ops) + 64);
	__s64 value;
	__u32 done;

	ASSERT_LT(count * sizeof(*ops), PANE_PAGES * self->pane.page);
	for (__u32 i = 0; i < count; i++) {
		ops[i] = op_make(WEIR_OP_ADD, self->counter, 1);
		ops[i].arg = 1;
	}
	pane_protect(&self->pane, PROT_NONE);
	EXPECT_EQ(0, submit(self->fd, ops, count, &done));
	EXPECT_EQ(good, done);
	ASSERT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
	EXPECT_EQ(good, value);
}

TEST_F(nested, ops_alignment)
{
	struct weir_op ops[OPS];
	__s64 value;
	__u32 done;

	for (int shift = 1; shift < 8; shift++) {
		adds_fill(ops, self->counter);
		memcpy(self->room + shift, ops, sizeof(ops));
		EXPECT_EQ(-EINVAL, submit(self->fd, (void *)(self->room + shift),
					  1, &done));
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_OP, self->room + shift));
	}
	ASSERT_EQ(0, counter_read(self->fd, self->counter, 0, &value));
	EXPECT_EQ(0, value);
}

TEST_F(nested, list_buffer)
{
	__u64 cursor, filled;
	__u32 count;

	for (size_t bytes = 0; bytes < sizeof(struct weir_object_info);
	     bytes += 8) {
		void *place = pane_before(&self->pane, bytes);

		for (int prot = PROT_NONE; prot <= PROT_READ; prot += PROT_READ) {
			pane_protect(&self->pane, prot);
			cursor = 0;
			EXPECT_EQ(-EFAULT, list_page(self->fd, WEIR_KIND_ANY,
						     &cursor, place, 4096,
						     &filled, &count));
			EXPECT_EQ(0, cursor);
			EXPECT_EQ(4096, filled);
			EXPECT_EQ(POISON_U32, count);
		}
	}
}

TEST_F(nested, dump_buffer)
{
	struct weir_dump dump = { .size = sizeof(dump),
				  .handle = self->limiter };
	struct weir_dump before;
	struct weir_op op;
	__u64 key = 7;

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->limiter, 1,
			     &key, sizeof(key)));
	dump.length = 512;
	dump.count = POISON_U32;
	for (int prot = PROT_NONE; prot <= PROT_READ; prot += PROT_READ) {
		pane_protect(&self->pane, prot);
		dump.buffer = address(self->pane.edge);
		before = dump;
		EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_DUMP, &dump));
		EXPECT_EQ(0, memcmp(&before, &dump, sizeof(dump)));
	}
}

TEST_HARNESS_MAIN
