// SPDX-License-Identifier: GPL-2.0-only
/*
 * abi - the rules that every ioctl obeys
 *
 * Each ioctl has a row in a table: how to make a valid call, and how to undo its effect. The tests
 * change one thing about the call (its size, its address, the memory of its struct) and check that
 * a refused call has changed nothing.
 *
 * Which program covers which errno of the table in <linux/weir.h>:
 *
 *	EACCES		handle (rights, modes, read-only files), registry
 *	EBADF		handle
 *	E2BIG		abi
 *	EDQUOT		registry (objects), limiter_config (keys)
 *	EEXIST		registry
 *	EFAULT		abi, counter, limiter
 *	EINTR		event_wait (a blocking read)
 *	EINVAL		abi, registry, counter, limiter, limiter_config, event
 *	EMFILE		handle
 *	EMSGSIZE	counter (values), registry (LIST), dump
 *	ENODEV		registry, handle
 *	ENOENT		registry (names), limiter (keys)
 *	ENOMEM		failnth and its kin
 *	ENOSPC		registry (objects), limiter (BAN and STRIKE when full)
 *	ENOTTY		abi
 *	EOPNOTSUPP	counter, limiter, dump
 *	EOVERFLOW	none: 2^31 calls away; the unit tests have it
 *	ERANGE		limiter_config
 */
#include "harness.h"

#include "client.h"
#include "memory.h"

_Static_assert(sizeof(struct weir_info) == 144, "weir_info");
_Static_assert(sizeof(struct weir_counter_config) == 40, "weir_counter_config");
_Static_assert(sizeof(struct weir_histogram) == 7712, "weir_histogram");
_Static_assert(sizeof(struct weir_histogram) == WEIR_HISTOGRAM_WORDS * 8, "all words");
_Static_assert(sizeof(struct weir_limiter_config) == 216, "weir_limiter_config");
_Static_assert(sizeof(struct weir_limiter_stats) == 112, "weir_limiter_stats");
_Static_assert(sizeof(struct weir_create) == 120, "weir_create");
_Static_assert(sizeof(struct weir_open) == 96, "weir_open");
_Static_assert(sizeof(struct weir_close) == 8, "weir_close");
_Static_assert(sizeof(struct weir_set) == 24, "weir_set");
_Static_assert(sizeof(struct weir_get) == 24, "weir_get");
_Static_assert(sizeof(struct weir_delete) == 8, "weir_delete");
_Static_assert(sizeof(struct weir_object_info) == 112, "weir_object_info");
_Static_assert(sizeof(struct weir_list) == 40, "weir_list");
_Static_assert(sizeof(struct weir_entry_info) == 40, "weir_entry_info");
_Static_assert(sizeof(struct weir_dump) == 40, "weir_dump");
_Static_assert(sizeof(struct weir_op) == 128, "weir_op");
_Static_assert(offsetof(struct weir_op, result) == 64, "weir_op.result");
_Static_assert(sizeof(struct weir_submit) == 24, "weir_submit");
_Static_assert(sizeof(struct weir_rule) == 20, "weir_rule");
_Static_assert(sizeof(struct weir_rules) == 24, "weir_rules");
_Static_assert(sizeof(struct weir_load) == 40, "weir_load");
_Static_assert(sizeof(struct weir_event) == 120, "weir_event");
_Static_assert(sizeof(struct weir_emit) == 88, "weir_emit");
_Static_assert(sizeof(struct weir_stream) == 8, "weir_stream");
_Static_assert(sizeof(struct weir_restrict) == 16, "weir_restrict");
_Static_assert(WEIR_EVENT_SIZE_MAX == sizeof(struct weir_event) + 256,
	       "the longest key, padded to 8, fits in the longest record");

/* enough for every struct of the ABI and a page behind it */
#define ARG_ROOM	8192

struct world {
	int fd;
	__u32 counter, limiter;		/* handles that the calls use */
	__u32 victim;			/* made for one call, which closes or deletes it */
	struct weir_limiter_config config;
	struct weir_counter_config fields;
	struct weir_op op;
	char buffer[4096] __attribute__((aligned(8)));
};

/* The state that a refused call must not change. */
struct state {
	__u64 objects, event_next, burst, keys;
	__s64 value;
	int victim;
};

struct command {
	const char *name;
	unsigned long request;
	size_t size;
	bool outputs;			/* the kernel writes into the struct */
	void (*prepare)(struct world *w, void *arg);
	void (*undo)(struct world *w, void *arg);
};

static void info_prepare(struct world *w, void *arg)
{
	struct weir_info info;

	(void)w;
	memset(&info, POISON, sizeof(info));
	info.size = sizeof(info);
	memcpy(arg, &info, sizeof(info));
}

static void create_prepare(struct world *w, void *arg)
{
	struct weir_create create = create_make(WEIR_KIND_COUNTER,
						OURS "abi-new", &w->fields);

	memcpy(arg, &create, sizeof(create));
}

static void create_undo(struct world *w, void *arg)
{
	struct weir_create create;

	memcpy(&create, arg, sizeof(create));
	object_delete(w->fd, create.handle);
	handle_close(w->fd, create.handle);
}

static void open_prepare(struct world *w, void *arg)
{
	struct weir_open open = open_make(WEIR_KIND_COUNTER, OURS "abi-counter",
					  WEIR_RIGHT_ALL);

	(void)w;
	memcpy(arg, &open, sizeof(open));
}

static void open_undo(struct world *w, void *arg)
{
	struct weir_open open;

	memcpy(&open, arg, sizeof(open));
	handle_close(w->fd, open.handle);
}

static void close_prepare(struct world *w, void *arg)
{
	struct weir_close close = { .size = sizeof(close) };

	if (!w->victim)
		object_open(w->fd, WEIR_KIND_COUNTER, OURS "abi-counter",
			    WEIR_RIGHT_ALL, &w->victim);
	close.handle = w->victim;
	memcpy(arg, &close, sizeof(close));
}

static void close_undo(struct world *w, void *arg)
{
	(void)arg;
	w->victim = 0;
}

static void set_prepare(struct world *w, void *arg)
{
	struct weir_set set = { .size = sizeof(set), .handle = w->limiter,
				.mask = WEIR_SET_BURST };

	w->config = limiter_config(WEIR_KEY_U64);
	w->config.burst = 20;
	set.config = address(&w->config);
	memcpy(arg, &set, sizeof(set));
}

static void set_undo(struct world *w, void *arg)
{
	(void)arg;
	w->config.burst = 10;
	limiter_set(w->fd, w->limiter, WEIR_SET_BURST, &w->config);
}

static void get_prepare(struct world *w, void *arg)
{
	struct weir_get get = { .size = sizeof(get), .handle = w->limiter,
				.stats = address(w->buffer) };
	struct weir_limiter_stats stats = { .size = sizeof(stats) };

	memcpy(w->buffer, &stats, sizeof(stats));
	memcpy(arg, &get, sizeof(get));
}

static void delete_prepare(struct world *w, void *arg)
{
	struct weir_delete del = { .size = sizeof(del) };

	if (!w->victim)
		sum_create(w->fd, OURS "abi-victim", 1, &w->victim);
	del.handle = w->victim;
	memcpy(arg, &del, sizeof(del));
}

static void delete_undo(struct world *w, void *arg)
{
	(void)arg;
	handle_close(w->fd, w->victim);
	w->victim = 0;
}

static void list_prepare(struct world *w, void *arg)
{
	struct weir_list list = { .size = sizeof(list),
				  .buffer = address(w->buffer),
				  .length = sizeof(w->buffer),
				  .count = POISON_U32,
				  .owner = WEIR_OWNER_DEFAULT };

	memcpy(arg, &list, sizeof(list));
}

static void dump_prepare(struct world *w, void *arg)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = w->limiter,
				  .buffer = address(w->buffer),
				  .length = sizeof(w->buffer),
				  .count = POISON_U32 };

	memcpy(arg, &dump, sizeof(dump));
}

static void submit_prepare(struct world *w, void *arg)
{
	struct weir_submit submit = { .size = sizeof(submit), .count = 1,
				      .done = POISON_U32,
				      .ops = address(&w->op) };

	w->op = op_make(WEIR_OP_ADD, w->counter, 1);
	w->op.arg = 1;
	memcpy(arg, &submit, sizeof(submit));
}

static void rules_prepare(struct world *w, void *arg)
{
	struct weir_rules rules = { .size = sizeof(rules), .handle = w->limiter,
				    .flags = WEIR_RULES_GET,
				    .rules = address(w->buffer) };

	memcpy(arg, &rules, sizeof(rules));
}

static void emit_prepare(struct world *w, void *arg)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 5,
				  .data = address(w->buffer), .seq = POISON_U64,
				  .tag = "abi" };

	memcpy(arg, &emit, sizeof(emit));
}

static void stream_prepare(struct world *w, void *arg)
{
	struct weir_stream stream = { .size = sizeof(stream),
				      .owner = WEIR_OWNER_DEFAULT };

	(void)w;
	memcpy(arg, &stream, sizeof(stream));
}

static void restrict_prepare(struct world *w, void *arg)
{
	struct weir_restrict restriction = { .size = sizeof(restriction) };

	(void)w;
	memcpy(arg, &restriction, sizeof(restriction));
}

static void collect_prepare(struct world *w, void *arg)
{
	struct weir_collect collect = { .size = sizeof(collect), .count = 1,
					.ops = address(&w->op) };

	memcpy(arg, &collect, sizeof(collect));
}

static void nothing_undo(struct world *w, void *arg)
{
	(void)w;
	(void)arg;
}

#define ROW(NAME, name, outputs, undo)					\
	{ #NAME, WEIR_IOC_##NAME, sizeof(struct weir_##name), outputs,	\
	  name##_prepare, undo }

static const struct command commands[] = {
	ROW(INFO, info, true, nothing_undo),
	ROW(CREATE, create, true, create_undo),
	ROW(OPEN, open, true, open_undo),
	ROW(CLOSE, close, false, close_undo),
	ROW(SET, set, false, set_undo),
	ROW(GET, get, false, nothing_undo),
	ROW(DELETE, delete, false, delete_undo),
	ROW(LIST, list, true, nothing_undo),
	ROW(DUMP, dump, true, nothing_undo),
	ROW(SUBMIT, submit, true, nothing_undo),
	ROW(RULES, rules, true, nothing_undo),
	ROW(EMIT, emit, true, nothing_undo),
	ROW(STREAM, stream, false, nothing_undo),
	ROW(RESTRICT, restrict, false, nothing_undo),
	ROW(COLLECT, collect, true, nothing_undo),
};

FIXTURE(abi) {
	struct world w;
	const struct command *c;
	char *arg, *before;
	struct state state;
};

FIXTURE_VARIANT(abi) {
	int row;
};

#define VARIANT(name, index) \
	FIXTURE_VARIANT_ADD(abi, name) { .row = index }

VARIANT(info, 0);
VARIANT(create, 1);
VARIANT(open, 2);
VARIANT(close, 3);
VARIANT(set, 4);
VARIANT(get, 5);
VARIANT(delete, 6);
VARIANT(list, 7);
VARIANT(dump, 8);
VARIANT(submit, 9);
VARIANT(rules, 10);
VARIANT(emit, 11);
VARIANT(stream, 12);
VARIANT(restrict, 13);
VARIANT(collect, 14);

static struct state state_get(struct world *w)
{
	struct weir_info info = info_get(w->fd);
	struct weir_limiter_config config;
	struct weir_limiter_stats stats;
	struct state state;

	memset(&state, 0, sizeof(state));
	limiter_get(w->fd, w->limiter, &config);
	stats_get(w->fd, w->limiter, &stats);
	state.objects = info.objects;
	state.event_next = info.event_next;
	state.burst = config.burst;
	state.keys = stats.keys;
	counter_read(w->fd, w->counter, 0, &state.value);
	if (w->victim) {
		__s64 value;

		state.victim = counter_read(w->fd, w->victim, 0, &value);
	}
	return state;
}

FIXTURE_SETUP(abi)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct world *w = &self->w;

	objects_wipe();
	memset(w, 0, sizeof(*w));
	self->c = &commands[variant->row];
	self->arg = calloc(1, ARG_ROOM);
	self->before = calloc(1, ARG_ROOM);
	w->fd = client_open(O_RDWR);
	ASSERT_LE(0, w->fd);
	w->fields.size = sizeof(w->fields);
	w->fields.type = WEIR_COUNTER_SUM;
	ASSERT_EQ(0, sum_create(w->fd, OURS "abi-counter", 1, &w->counter));
	ASSERT_EQ(0, limiter_create(w->fd, OURS "abi-limiter", &config,
				    &w->limiter));
}

FIXTURE_TEARDOWN(abi)
{
	close(self->w.fd);
	objects_wipe();
	free(self->arg);
	free(self->before);
}

/* Make a valid call in self->arg, and store the state that a refusal must not change. */
static void call_prepare(FIXTURE_DATA(abi) *self)
{
	memset(self->arg, 0, ARG_ROOM);
	self->c->prepare(&self->w, self->arg);
	memcpy(self->before, self->arg, ARG_ROOM);
	self->state = state_get(&self->w);
}

static void size_write(void *arg, __u32 size)
{
	memcpy(arg, &size, sizeof(size));
}

/* Whether the call has changed neither its struct at @arg nor anything else. */
static bool unchanged(FIXTURE_DATA(abi) *self, const void *arg)
{
	struct state now = state_get(&self->w);

	if (memcmp(&now, &self->state, sizeof(now))) {
		printf("# %s: the state changed\n", self->c->name);
		return false;
	}
	if (arg && memcmp((char *)arg + 4, self->before + 4,
			  self->c->size - 4)) {
		printf("# %s: the struct changed\n", self->c->name);
		return false;
	}
	return true;
}

TEST_F(abi, exact)
{
	call_prepare(self);
	EXPECT_EQ(0, call(self->w.fd, self->c->request, self->arg));
	self->c->undo(&self->w, self->arg);
}

TEST_F(abi, too_short)
{
	static const __u32 sizes[] = { 0, 1, 3, 4 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		call_prepare(self);
		size_write(self->arg, sizes[i]);
		EXPECT_EQ(-EINVAL, call(self->w.fd, self->c->request, self->arg));
		EXPECT_TRUE(unchanged(self, self->arg));
	}
	call_prepare(self);
	size_write(self->arg, self->c->size - 1);
	EXPECT_EQ(-EINVAL, call(self->w.fd, self->c->request, self->arg));
	EXPECT_TRUE(unchanged(self, self->arg));
}

TEST_F(abi, longer_with_zeros)
{
	static const __u32 more[] = { 1, 7, 8, 100, 1024 };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		call_prepare(self);
		size_write(self->arg, self->c->size + more[i]);
		EXPECT_EQ(0, call(self->w.fd, self->c->request, self->arg)) {
			TH_LOG("%u more bytes", more[i]);
		}
		/* members that the kernel does not know stay unchanged or become zero */
		for (__u32 b = 0; b < more[i]; b++)
			ASSERT_EQ(0, self->arg[self->c->size + b]);
		self->c->undo(&self->w, self->arg);
	}
}

TEST_F(abi, longer_with_more)
{
	static const __u32 more[] = { 1, 8, 9, 1024, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		__u32 size = self->c->size + more[i];
		size_t last = self->c->size;

		if (more[i] == 0xffffffff)
			size = more[i];
		else
			last = size - 1;
		call_prepare(self);
		size_write(self->arg, size);
		self->arg[last] = 0x5a;
		EXPECT_EQ(-E2BIG, call(self->w.fd, self->c->request, self->arg)) {
			TH_LOG("size %u", size);
		}
		EXPECT_TRUE(unchanged(self, self->arg));
		EXPECT_EQ(0x5a, self->arg[last]);
	}
}

TEST_F(abi, bad_pointer)
{
	struct pane pane = pane_make();
	void *const bad[] = { NULL, (void *)8, pane.edge, (void *)(-4096L) };

	pane_protect(&pane, PROT_NONE);
	call_prepare(self);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT, call(self->w.fd, self->c->request, bad[i]));
		EXPECT_TRUE(unchanged(self, NULL));
	}
	pane_free(&pane);
}

TEST_F(abi, straddling_pointer)
{
	struct pane pane = pane_make();

	/* the 4 bytes of the size alone, then every step of 8 */
	for (size_t bytes = 4; bytes < self->c->size;
	     bytes = bytes == 4 ? 8 : bytes + 8) {
		void *arg;

		call_prepare(self);
		arg = pane_lay(&pane, self->arg, self->c->size, bytes, PROT_NONE);
		EXPECT_EQ(-EFAULT, call(self->w.fd, self->c->request, arg)) {
			TH_LOG("%zu of %zu bytes", bytes, self->c->size);
		}
		EXPECT_TRUE(unchanged(self, NULL));
	}
	/* the whole struct, up to the last byte of the page, is accepted */
	call_prepare(self);
	pane_protect(&pane, PROT_NONE);
	memcpy(pane_before(&pane, self->c->size), self->arg, self->c->size);
	EXPECT_EQ(0, call(self->w.fd, self->c->request,
			  pane_before(&pane, self->c->size)));
	self->c->undo(&self->w, pane_before(&pane, self->c->size));
	pane_free(&pane);
}

/* A struct that the kernel does not write may be in read-only memory; any other gives EFAULT. */
TEST_F(abi, read_only_struct)
{
	struct pane pane = pane_make();
	void *arg;

	call_prepare(self);
	arg = pane_lay(&pane, self->arg, self->c->size, 0, PROT_READ);
	if (self->c->outputs) {
		EXPECT_EQ(-EFAULT, call(self->w.fd, self->c->request, arg));
		EXPECT_TRUE(unchanged(self, arg));
	} else {
		EXPECT_EQ(0, call(self->w.fd, self->c->request, arg));
		self->c->undo(&self->w, arg);
	}
	pane_free(&pane);
}

/* The request number has neither a size nor a direction; the size is in the struct. */
TEST_F(abi, request_with_direction)
{
	const unsigned int nr = _IOC_NR(self->c->request);
	const unsigned long requests[] = {
		_IOC(_IOC_READ, WEIR_IOC_MAGIC, nr, self->c->size),
		_IOC(_IOC_WRITE, WEIR_IOC_MAGIC, nr, self->c->size),
		_IOC(_IOC_READ | _IOC_WRITE, WEIR_IOC_MAGIC, nr, self->c->size),
		_IOC(_IOC_NONE, WEIR_IOC_MAGIC, nr, self->c->size),
		_IO(WEIR_IOC_MAGIC ^ 1, nr),
	};

	call_prepare(self);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		EXPECT_EQ(-ENOTTY, call(self->w.fd, requests[i], self->arg));
		EXPECT_TRUE(unchanged(self, self->arg));
	}
}

TEST(unknown_ioctls)
{
	int fd = client_open(O_RDWR);
	char arg[256] = { 0 };
	struct weir_info before;

	ASSERT_LE(0, fd);
	before = info_get(fd);
	size_write(arg, sizeof(arg));
	for (unsigned int nr = _IOC_NR(WEIR_IOC_OP) + 1; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY, call(fd, _IO(WEIR_IOC_MAGIC, nr), arg));
	EXPECT_EQ(before.event_next, info_get(fd).event_next);
	close(fd);
}

TEST(info)
{
	int fd = client_open(O_RDONLY);
	struct weir_info first, second;

	ASSERT_LE(0, fd);
	first = info_get(fd);
	second = info_get(fd);
	EXPECT_EQ(sizeof(first), first.size);
	EXPECT_EQ(WEIR_ABI_VERSION, first.abi_version);
	EXPECT_EQ(WEIR_FEATURE_COUNTER | WEIR_FEATURE_LIMITER |
		  WEIR_FEATURE_EVENTS | WEIR_FEATURE_TRANSACTION |
		  WEIR_FEATURE_HISTOGRAM | WEIR_FEATURE_EMIT |
		  WEIR_FEATURE_GATE | WEIR_FEATURE_BREAKER |
		  WEIR_FEATURE_ROSTER, first.features);
	EXPECT_EQ(WEIR_BATCH_MAX, first.batch_max);
	EXPECT_EQ(WEIR_FIELDS_MAX, first.fields_max);
	EXPECT_EQ(WEIR_KEY_MAX, first.key_max);
	EXPECT_EQ(WEIR_KEYS_MAX, first.keys_max);
	EXPECT_LT(0, first.handles_max);
	EXPECT_EQ(parameter_get("max_objects"), first.objects_max);
	EXPECT_LE(first.event_first, first.event_next);
	EXPECT_LE(first.now, second.now);
	EXPECT_NE(NULL, memchr(first.version, 0, sizeof(first.version)));
	EXPECT_NE(0, first.version[0]);
	close(fd);
}

TEST_HARNESS_MAIN
