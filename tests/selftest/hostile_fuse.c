// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_fuse - pages of callers that a FUSE server withholds, serves late, or never serves
 * because it dies
 *
 * An ordinary user can mount such a file system in a user namespace, where userfaultfd is often not
 * allowed. Each page that an ioctl or read() copies in or out is a page of such a file in turn.
 * While the call waits for the server, all other calls must work, also by the same client and on
 * the same objects.
 */
#include "harness.h"

#include "fuse.h"
#include "page_case.h"

/* Shared with the process that calls. */
struct shared {
	_Atomic int over;
	_Atomic long ret;
	_Atomic int result;	/* result of the first op */
};

FIXTURE(fuse) {
	int fd, client;
	struct objects at;
	struct fuse_server server;
	struct shared *shared;
	pid_t pid;
	__u64 before;		/* number of objects */
};

FIXTURE_SETUP(fuse)
{
	if (!fuse_exists())
		SKIP(return, "no FUSE in this kernel");
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->before = info_get(self->fd).objects;
	self->shared = shared_memory(sizeof(*self->shared));
}

FIXTURE_TEARDOWN(fuse)
{
	if (!self->shared)
		return;
	close(self->fd);
	objects_wipe();
}

/* ------------------------------------------------------------ the calling process */

static void caller_run(FIXTURE_DATA(fuse) *self, const struct page_case *pc, int area)
{
	struct stage s = { .fd = self->client, .at = self->at, .request = pc->request };
	long ret;

	close(self->fd);
	areas_make(&s);
	prepare(&s, pc);
	fuse_map(&self->server, s.area[area]);
	ret = s.request ? ioctl(s.fd, s.request, s.area[0]) : read(s.fd, s.area[0], AREA);
	self->shared->ret = ret < 0 ? -errno : ret;
	/* the ops themselves may be in the file */
	self->shared->result = area == 2 ? ((struct weir_op *)s.area[1])->result : 0;
	self->shared->over = 1;
	_exit(0);
}

/* Make the objects, a client that holds something, and a process that calls with this client. */
static void run_begin(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
		      const struct page_case *pc, int area)
{
	ASSERT_EQ(0, objects_make(self->fd, &self->at));
	self->client = holder_make(self->fd, &self->at);
	ASSERT_LE(0, self->client);
	memset(self->shared, 0, sizeof(*self->shared));
	self->server.shared->asked = 0;
	fflush(NULL);
	self->pid = fork();
	if (!self->pid)
		caller_run(self, pc, area);
	while (!self->server.shared->asked && !self->shared->over)
		usleep(200);
	EXPECT_EQ(0, self->shared->over) {
		TH_LOG("%s did not wait for area %d", pc->name, area);
	}
	/* a call that waits for the withheld page hangs; the alarm ends the test then */
	alarm(60);
}

static void run_end(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self)
{
	alarm(0);
	EXPECT_EQ(0, objects_end(self->fd, &self->at));
	EXPECT_EQ(self->before, info_get(self->fd).objects);
}

static int caller_wait(FIXTURE_DATA(fuse) *self)
{
	int status = -1;

	if (waitpid(self->pid, &status, 0) != self->pid)
		return -1;
	return status;
}

typedef void meanwhile_fn(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
			  const struct page_case *pc);

/* Run a case for one in @step of the pages that calls wait for. @wanted: where the count begins. */
static void each_page(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
		      unsigned int wanted, unsigned int step, meanwhile_fn *meanwhile)
{
	unsigned int waited = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int area = 0; area < AREAS; area++) {
			if (!(cases[i].missing & 1 << area) || wanted++ % step)
				continue;
			run_begin(_metadata, self, &cases[i], area);
			meanwhile(_metadata, self, &cases[i]);
			run_end(_metadata, self);
			ASSERT_TRUE(_metadata->exit_code == KSFT_PASS) {
				TH_LOG("%s, area %d", cases[i].name, area);
			}
			waited++;
		}
	TH_LOG("%u pages", waited);
}

/* ------------------------------------------------------------ actions of the server */

static void arrives_at_last(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
			    const struct page_case *pc)
{
	(void)pc;
	EXPECT_EQ(0, others_work(self->fd, &self->at));
	EXPECT_EQ(0, others_work(self->client, &self->at));
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	EXPECT_EQ(0, self->shared->over);
	self->server.shared->give = 1;
	EXPECT_EQ(0, caller_wait(self));
	EXPECT_LE(0, self->shared->ret);
	EXPECT_NE(-EFAULT, self->shared->result);
	close(self->client);
}

TEST_F(fuse, answers_late)
{
	ASSERT_EQ(0, fuse_begin(&self->server, false));
	each_page(_metadata, self, 0, 3, arrives_at_last);
	fuse_end(&self->server);
}

/* Delete the objects that the call uses. Then kill the only process that has the client. */
static void killed_meanwhile(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
			     const struct page_case *pc)
{
	(void)pc;
	EXPECT_EQ(0, object_delete(self->fd, self->at.counter));
	EXPECT_EQ(0, object_delete(self->fd, self->at.limiter));
	EXPECT_EQ(self->before + 3, info_get(self->fd).objects);
	close(self->client);
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	kill(self->pid, SIGKILL);
	EXPECT_EQ(SIGKILL, caller_wait(self));
	EXPECT_EQ(0, gate_in_use(self->fd, self->at.gate));
	/* end the READ of the killed process, so that the server can be used again */
	self->server.shared->give = 1;
}

TEST_F(fuse, never_answers)
{
	ASSERT_EQ(0, fuse_begin(&self->server, false));
	each_page(_metadata, self, 1, 3, killed_meanwhile);
	fuse_end(&self->server);
}

/* The call fails, and the client continues to work. */
static void server_dies(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
			const struct page_case *pc)
{
	EXPECT_EQ(0, others_work(self->client, &self->at));
	fuse_kill(&self->server);
	EXPECT_EQ(0, caller_wait(self));
	EXPECT_EQ(-EFAULT, self->shared->ret ?: self->shared->result) {
		TH_LOG("%s: %ld, %d", pc->name, self->shared->ret, self->shared->result);
	}
	EXPECT_EQ(0, others_work(self->client, &self->at));
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	close(self->client);
	fuse_end(&self->server);
	ASSERT_EQ(0, fuse_begin(&self->server, false));
}

TEST_F(fuse, dies)
{
	ASSERT_EQ(0, fuse_begin(&self->server, false));
	each_page(_metadata, self, 2, 3, server_dies);
	fuse_end(&self->server);
}

/*
 * Without readahead, the kernel itself waits for the answer to a READ that the server has received,
 * also in a task that is killed. This applies to any system call; the wait ends with the server.
 */
static void cannot_die(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
		       const struct page_case *pc)
{
	(void)pc;
	kill(self->pid, SIGKILL);
	usleep(20000);
	EXPECT_EQ(0, waitpid(self->pid, NULL, WNOHANG));
	EXPECT_EQ(0, others_work(self->fd, &self->at));
	EXPECT_EQ(0, others_work(self->client, &self->at));
	EXPECT_EQ(0, object_delete(self->fd, self->at.counter));
	EXPECT_EQ(0, object_delete(self->fd, self->at.limiter));
	EXPECT_EQ(self->before + 3, info_get(self->fd).objects);
	close(self->client);
	EXPECT_EQ(1, gate_in_use(self->fd, self->at.gate));
	fuse_kill(&self->server);
	EXPECT_EQ(SIGKILL, caller_wait(self));
	EXPECT_EQ(0, gate_in_use(self->fd, self->at.gate));
	fuse_end(&self->server);
	ASSERT_EQ(0, fuse_begin(&self->server, true));
}

TEST_F(fuse, never_lets_die)
{
	ASSERT_EQ(0, fuse_begin(&self->server, true));
	each_page(_metadata, self, 0, 6, cannot_die);
	fuse_end(&self->server);
}

TEST_HARNESS_MAIN
