// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_pages - every call waits for a page of its caller, and delays nobody
 *
 * The owner of a userfaultfd decides when a page is filled, or can be written, which may be
 * never. Each page that an ioctl or read() copies in or out is withheld in turn. While the call
 * waits, all other calls go on, those of the same client and on the same objects, too. Then the
 * page arrives and the call succeeds, or the process is killed and leaves nothing behind.
 */
#include "harness.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "gate.h"
#include "roster.h"

#define AREAS	3	/* the struct, what it points to, and what that points to */
#define AREA	4096
#define NAME	OURS "pages"

/* Objects of one run; a client that is made by DUP_CLIENT has the same handles. */
struct objects {
	__u32 counter, spare, limiter, gate, roster;
};

struct stage {
	int fd;
	struct objects at;
	char *area[AREAS];
	unsigned long request;
};

/* Shared with the process that makes the call. */
struct shared {
	_Atomic int waits;	/* 1: for the page; -1: the call has returned */
	_Atomic int give;
	_Atomic long ret;
};

#define IN(s, type)	((struct type *)(s)->area[0])

static void create(struct stage *s)
{
	struct weir_counter_config config = { .size = sizeof(config), .nfields = 2,
					      .type = WEIR_COUNTER_SUM,
					      .fields = address(s->area[2]) };
	struct weir_create create = create_make(WEIR_KIND_COUNTER, NAME "-new", s->area[1]);

	create.flags = WEIR_CREATE_EXISTING_OK;
	memcpy(s->area[0], &create, sizeof(create));
	memcpy(s->area[1], &config, sizeof(config));
	strcpy(s->area[2], "one");
	strcpy(s->area[2] + WEIR_NAME_SIZE, "two");
}

static void open_name(struct stage *s)
{
	struct weir_open open = open_make(WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_ALL);

	memcpy(s->area[0], &open, sizeof(open));
}

static void close_handle(struct stage *s)
{
	*IN(s, weir_close) = (struct weir_close){ .size = sizeof(struct weir_close),
						  .handle = s->at.spare };
}

static void delete(struct stage *s)
{
	*IN(s, weir_delete) = (struct weir_delete){ .size = sizeof(struct weir_delete),
						    .handle = s->at.spare };
}

static void set(struct stage *s)
{
	struct weir_gate_config config = gate_config(0, 9);

	*IN(s, weir_set) = (struct weir_set){ .size = sizeof(struct weir_set),
					      .handle = s->at.gate, .mask = WEIR_SET_PERMITS,
					      .config = address(s->area[1]) };
	memcpy(s->area[1], &config, sizeof(config));
}

static void get(struct stage *s)
{
	*IN(s, weir_get) = (struct weir_get){ .size = sizeof(struct weir_get),
					      .handle = s->at.limiter,
					      .config = address(s->area[1]),
					      .stats = address(s->area[2]) };
	*(__u32 *)s->area[1] = sizeof(struct weir_limiter_config);
	*(__u32 *)s->area[2] = sizeof(struct weir_limiter_stats);
}

static void get_fields(struct stage *s)
{
	struct weir_counter_config config = { .size = sizeof(config), .nfields = 2,
					      .fields = address(s->area[2]) };

	*IN(s, weir_get) = (struct weir_get){ .size = sizeof(struct weir_get),
					      .handle = s->at.counter,
					      .config = address(s->area[1]) };
	memcpy(s->area[1], &config, sizeof(config));
}

static void list(struct stage *s)
{
	*IN(s, weir_list) = (struct weir_list){ .size = sizeof(struct weir_list),
						.buffer = address(s->area[1]), .length = AREA,
						.owner = WEIR_OWNER_DEFAULT };
}

static void dump(struct stage *s)
{
	*IN(s, weir_dump) = (struct weir_dump){ .size = sizeof(struct weir_dump),
						.handle = s->at.limiter,
						.buffer = address(s->area[1]), .length = AREA };
}

static void load(struct stage *s)
{
	struct weir_entry_info entry = { .size = sizeof(entry) + 8, .key_len = 4 };

	*IN(s, weir_load) = (struct weir_load){ .size = sizeof(struct weir_load),
						.handle = s->at.limiter,
						.buffer = address(s->area[1]),
						.length = entry.size };
	memcpy(s->area[1], &entry, sizeof(entry));
}

static void rules_flagged(struct stage *s, __u32 flags)
{
	struct weir_rule rule = { .addr_len = 4, .prefix = 32, .action = WEIR_RULE_DENY };

	*IN(s, weir_rules) = (struct weir_rules){ .size = sizeof(struct weir_rules),
						  .handle = s->at.limiter, .count = 1,
						  .flags = flags,
						  .rules = address(s->area[1]) };
	memcpy(s->area[1], &rule, sizeof(rule));
}

static void rules(struct stage *s)
{
	rules_flagged(s, 0);
}

static void rules_get(struct stage *s)
{
	rules_flagged(s, WEIR_RULES_GET);
}

static void emit(struct stage *s)
{
	*IN(s, weir_emit) = (struct weir_emit){ .size = sizeof(struct weir_emit), .length = 8,
						.data = address(s->area[1]) };
}

static struct weir_op *ops(struct stage *s, __u32 count, __u32 flags)
{
	*IN(s, weir_submit) = (struct weir_submit){ .size = sizeof(struct weir_submit),
						    .flags = flags, .count = count,
						    .ops = address(s->area[1]) };
	return (struct weir_op *)s->area[1];
}

static void op_values(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_ADD, s->at.counter, 0);
	op->arg = 3;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void op_read(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_READ, s->at.counter, 2);
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void op_key_at(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
	op->key_len = 4;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void batch(struct stage *s)
{
	struct weir_op *op = ops(s, 20, 0);

	for (__u32 i = 0; i < 20; i++) {
		op[i] = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
		op_key(&op[i], &i, sizeof(i));
	}
}

static void transaction(struct stage *s)
{
	struct weir_op *op = ops(s, 2, WEIR_SUBMIT_ALL);
	__u32 key = 1;

	op[0] = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
	op_key(&op[0], &key, sizeof(key));
	op[1] = op_make(WEIR_OP_ADD, s->at.counter, 1);
	op[1].arg = 1;
}

/* A lease with a value, of which area 2 has all parts. */
static void lease_at(struct stage *s, struct weir_op *op, __u16 opcode)
{
	struct weir_lease lease = { .size = sizeof(lease), .value_len = 8,
				    .key = address(s->area[2] + 256),
				    .value = address(s->area[2] + 512) };

	*op = op_make(opcode, s->at.roster, 0);
	op->key_len = 8;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
	memcpy(s->area[2], &lease, sizeof(lease));
}

static void claims(struct stage *s)
{
	struct weir_op *op = ops(s, 2, WEIR_SUBMIT_ALL);
	__u64 key = 77;

	lease_at(s, &op[0], WEIR_OP_CLAIM);
	op[1] = op_make(WEIR_OP_CLAIM, s->at.roster, 0);
	op_key(&op[1], &key, sizeof(key));
}

static void lease_get(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);
	__u64 key = 1;

	lease_at(s, op, WEIR_OP_LEASE_GET);
	memcpy(s->area[2] + 256, &key, sizeof(key));
}

#define SIZE_ONLY(type)							\
	static void type##_any(struct stage *s)				\
	{								\
		*(__u32 *)s->area[0] = sizeof(struct weir_##type);	\
	}

SIZE_ONLY(info)
SIZE_ONLY(drop)
SIZE_ONLY(dup_client)
SIZE_ONLY(stream)
SIZE_ONLY(restrict)

static void nothing(struct stage *s)
{
	(void)s;
}

/* In which areas a missing page, or one that cannot be written, makes the call wait. */
static const struct page_case {
	const char *name;
	unsigned long request;	/* 0: read() */
	void (*prepare)(struct stage *s);
	unsigned int missing, fixed;
} cases[] = {
	{ "INFO", WEIR_IOC_INFO, info_any, 1, 1 },
	{ "CREATE", WEIR_IOC_CREATE, create, 7, 1 },
	{ "OPEN", WEIR_IOC_OPEN, open_name, 1, 1 },
	{ "CLOSE", WEIR_IOC_CLOSE, close_handle, 1, 0 },
	{ "SET", WEIR_IOC_SET, set, 3, 0 },
	{ "GET", WEIR_IOC_GET, get, 7, 6 },
	{ "GET of fields", WEIR_IOC_GET, get_fields, 7, 6 },
	{ "DELETE", WEIR_IOC_DELETE, delete, 1, 0 },
	{ "LIST", WEIR_IOC_LIST, list, 3, 3 },
	{ "DUMP", WEIR_IOC_DUMP, dump, 3, 3 },
	{ "RULES", WEIR_IOC_RULES, rules, 3, 0 },
	{ "RULES GET", WEIR_IOC_RULES, rules_get, 3, 3 },
	{ "LOAD", WEIR_IOC_LOAD, load, 3, 1 },
	{ "EMIT", WEIR_IOC_EMIT, emit, 3, 1 },
	{ "DROP", WEIR_IOC_DROP, drop_any, 1, 0 },
	{ "DUP_CLIENT", WEIR_IOC_DUP_CLIENT, dup_client_any, 1, 0 },
	{ "STREAM", WEIR_IOC_STREAM, stream_any, 1, 0 },
	{ "RESTRICT", WEIR_IOC_RESTRICT, restrict_any, 1, 0 },
	{ "ADD of values", WEIR_IOC_SUBMIT, op_values, 7, 3 },
	{ "READ", WEIR_IOC_SUBMIT, op_read, 7, 7 },
	{ "CHECK of a key", WEIR_IOC_SUBMIT, op_key_at, 7, 3 },
	{ "batch", WEIR_IOC_SUBMIT, batch, 3, 3 },
	{ "transaction", WEIR_IOC_SUBMIT, transaction, 3, 3 },
	{ "claims", WEIR_IOC_SUBMIT, claims, 7, 3 },
	{ "LEASE_GET", WEIR_IOC_SUBMIT, lease_get, 7, 7 },
	{ "read()", 0, nothing, 1, 1 },
};

static void prepare(struct stage *s, const struct page_case *pc)
{
	memset(s->area[0], 0, AREA);
	pc->prepare(s);
}

/* ------------------------------------------------------------ the process that calls */

static char *areas_make(struct stage *s)
{
	char *all = mmap(NULL, AREAS * AREA, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (all == MAP_FAILED)
		abort();
	for (int i = 0; i < AREAS; i++)
		s->area[i] = memset(all + i * AREA, 0, AREA);
	return all;
}

/* A userfaultfd that keeps the page at @page: it goes, or cannot be written. */
static int page_withhold(char *page, bool missing)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { .start = (uintptr_t)page, .len = AREA },
		.mode = missing ? UFFDIO_REGISTER_MODE_MISSING : UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect fix = { .range = area.range,
					   .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &area))
		abort();
	if (missing ? madvise(page, AREA, MADV_DONTNEED) : ioctl(uffd, UFFDIO_WRITEPROTECT, &fix))
		abort();
	return uffd;
}

static void page_give(int uffd, char *page, const char *content, bool missing)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)page, .src = (uintptr_t)content,
				    .len = AREA };
	struct uffdio_writeprotect fix = { .range = { .start = (uintptr_t)page, .len = AREA } };

	if (missing ? ioctl(uffd, UFFDIO_COPY, &copy) : ioctl(uffd, UFFDIO_WRITEPROTECT, &fix))
		abort();
}

struct caller {
	struct stage s;
	int over[2];		/* a pipe: closed when the call has returned */
	long ret;
};

static void *caller_call(void *arg)
{
	struct caller *c = arg;

	c->ret = c->s.request ? ioctl(c->s.fd, c->s.request, c->s.area[0]) :
				read(c->s.fd, c->s.area[0], AREA);
	if (c->ret < 0)
		c->ret = -errno;
	close(c->over[1]);
	return NULL;
}

static void caller_run(struct caller *c, const struct page_case *pc, int area, bool missing,
		       struct shared *shared)
{
	char content[AREA], *page;
	pthread_t thread;
	int uffd;

	areas_make(&c->s);
	c->s.request = pc->request;
	prepare(&c->s, pc);
	page = c->s.area[area];
	memcpy(content, page, AREA);
	uffd = page_withhold(page, missing);
	if (pipe(c->over) || pthread_create(&thread, NULL, caller_call, c))
		abort();
	struct pollfd fds[] = { { .fd = uffd, .events = POLLIN }, { .fd = c->over[0] } };

	if (poll(fds, 2, -1) < 1)
		abort();
	shared->waits = fds[0].revents ? 1 : -1;
	while (!shared->give)
		usleep(200);
	if (fds[0].revents)
		page_give(uffd, page, content, missing);
	pthread_join(thread, NULL);
	shared->ret = c->ret;
	_exit(0);
}

/* ------------------------------------------------------------ all others */

FIXTURE(pages) {
	int fd, client;
	struct objects at;
	struct shared *shared;
	pid_t pid;
	__u64 before;		/* objects */
};

FIXTURE_SETUP(pages)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0)
		SKIP(return, "no userfaultfd in this kernel");
	close(uffd);
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->before = info_get(self->fd).objects;
	self->shared = shared_memory(sizeof(*self->shared));
}

FIXTURE_TEARDOWN(pages)
{
	if (!self->shared)
		return;
	close(self->fd);
	objects_wipe();
}

/* Objects, and a client that holds a permit and a lease. */
static void run_begin(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self,
		      const struct page_case *pc, int area, bool missing)
{
	struct weir_limiter_config limiter = limiter_config(WEIR_KEY_IP);
	struct weir_gate_config gate = gate_config(WEIR_KEY_NONE, 9);
	struct weir_roster_config roster = roster_config(WEIR_KEY_U64, 16);
	const struct weir_rule rule = { .addr_len = 4, .prefix = 32,
					.action = WEIR_RULE_DENY };
	struct weir_rules rules = { .size = sizeof(rules), .count = 1,
				    .rules = address(&rule) };
	const __u64 key = 1;
	const struct weir_lease lease = { .size = sizeof(lease), .value_len = sizeof(key),
					  .key = address(&key), .value = address(&key) };
	struct caller c = { 0 };
	struct weir_op op;
	__u32 peer = 7;

	ASSERT_EQ(0, sum_create(self->fd, NAME, 2, &self->at.counter));
	ASSERT_EQ(0, sum_create(self->fd, NAME "-spare", 1, &self->at.spare));
	ASSERT_EQ(0, limiter_create(self->fd, NAME, &limiter, &self->at.limiter));
	ASSERT_EQ(0, gate_create(self->fd, NAME, &gate, &self->at.gate));
	ASSERT_EQ(0, roster_create(self->fd, NAME, &roster, &self->at.roster));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, self->at.limiter, 1, &peer, 4));
	rules.handle = self->at.limiter;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
	self->client = client_dup(self->fd, 0);
	ASSERT_LE(0, self->client);
	ASSERT_LE(0, lseek(self->client, 0, SEEK_SET));
	ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->client, 4, self->at.gate, NULL, 1, 0));
	op = op_make(WEIR_OP_CLAIM, self->at.roster, 0);
	op.flags = WEIR_OP_PTR;
	op.key_len = sizeof(key);
	op.ptr = address(&lease);
	ASSERT_EQ(0, op_run(self->client, &op));
	memset(self->shared, 0, sizeof(*self->shared));
	c.s.fd = self->client;
	c.s.at = self->at;
	fflush(NULL);
	self->pid = fork();
	if (!self->pid) {
		close(self->fd);
		caller_run(&c, pc, area, missing, self->shared);
	}
	while (!self->shared->waits)
		usleep(200);
}

/* Every kind of call on these objects, by a client that is not to wait for anything. */
static int others_work(int fd, const struct objects *at)
{
	struct stage s = { .fd = fd, .at = *at };
	char *all = areas_make(&s);
	__u32 handle;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(cases) / sizeof(*cases); i++) {
		/* not what changes the objects or the client, or reads events one by one */
		if (!cases[i].request || cases[i].prepare == delete ||
		    cases[i].prepare == close_handle || cases[i].prepare == claims ||
		    cases[i].prepare == create || cases[i].request == WEIR_IOC_STREAM)
			continue;
		prepare(&s, &cases[i]);
		ret = call(fd, cases[i].request, s.area[0]);
		if (cases[i].request == WEIR_IOC_DUP_CLIENT && ret >= 0)
			ret = close(ret);
		else if (cases[i].prepare == open_name)
			ret = ret ?: handle_close(fd, ((struct weir_open *)s.area[0])->handle);
		if (ret)
			printf("# %s: %d\n", cases[i].name, ret);
	}
	munmap(all, AREAS * AREA);
	if (!ret)
		ret = sum_create(fd, NAME "-other", 1, &handle) ?: object_delete(fd, handle) ?:
		      handle_close(fd, handle);
	if (!ret && gate_get_as(fd, 3, at->gate, NULL, 2, 0) != WEIR_ALLOWED)
		ret = -EPROTO;
	return ret ?: gate_release_as(fd, 3, at->gate, NULL, 2);
}

static void run_end(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self)
{
	EXPECT_EQ(0, gate_in_use(self->fd, self->at.gate));
	EXPECT_EQ(0, roster_stats(self->fd, self->at.roster).members);
	objects_wipe();
	for (__u32 *handle = &self->at.counter; handle <= &self->at.roster; handle++)
		EXPECT_EQ(0, handle_close(self->fd, *handle));
	EXPECT_EQ(self->before, info_get(self->fd).objects);
}

static void arrives_at_last(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self)
{
	int status;

	EXPECT_EQ(0, others_work(self->fd, &self->at));
	EXPECT_EQ(0, others_work(self->client, &self->at));
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	self->shared->give = 1;
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_LE(0, self->shared->ret);
	close(self->client);
}

/* What the call works on is deleted; then the only process that has the client is killed. */
static void killed_meanwhile(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self)
{
	int status;

	EXPECT_EQ(self->before + 5, info_get(self->fd).objects);
	EXPECT_EQ(0, object_delete(self->fd, self->at.counter));
	EXPECT_EQ(0, object_delete(self->fd, self->at.limiter));
	EXPECT_EQ(self->before + 3, info_get(self->fd).objects);
	close(self->client);
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	kill(self->pid, SIGKILL);
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);
}

static void each_page(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self,
		      void (*meanwhile)(struct __test_metadata *_metadata,
					FIXTURE_DATA(pages) *self))
{
	unsigned int wanted = 0, waited = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int at = 0; at < 2 * AREAS; at++) {
			const struct page_case *pc = &cases[i];
			bool missing = at < AREAS;
			unsigned int want = missing ? pc->missing : pc->fixed;

			if (!(want & 1 << at % AREAS))
				continue;
			/* a kernel that checks everything takes seconds for each page */
			if (is_small() && wanted++ % 10)
				continue;
			run_begin(_metadata, self, pc, at % AREAS, missing);
			EXPECT_EQ(1, self->shared->waits) {
				TH_LOG("%s did not wait for area %d", pc->name, at);
			}
			/* a call that waits for this one hangs: then this ends the test */
			alarm(60);
			meanwhile(_metadata, self);
			alarm(0);
			run_end(_metadata, self);
			ASSERT_TRUE(_metadata->exit_code == KSFT_PASS) {
				TH_LOG("%s, area %d", pc->name, at);
			}
			waited++;
		}
	TH_LOG("%u pages", waited);
}

TEST_F(pages, arrive_at_last)
{
	each_page(_metadata, self, arrives_at_last);
}

TEST_F(pages, never_arrive)
{
	each_page(_metadata, self, killed_meanwhile);
}

TEST_HARNESS_MAIN
