// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_pages - every call waits for a page of its caller, and delays no other call
 *
 * The owner of a userfaultfd decides when a page is filled or becomes writable, which may be never.
 * Each page that an ioctl or read() copies in or out is withheld in turn. While the call waits, all
 * other calls must work, also by the same client and on the same objects. Then the page arrives and
 * the call succeeds, or the process is killed and leaves nothing behind.
 */
#include "harness.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "page_case.h"

/* Shared with the process that calls. */
struct shared {
	_Atomic int waits;	/* 1: it waits for the page; -1: the call has returned */
	_Atomic int give;
	_Atomic long ret;
};

/* ------------------------------------------------------------ the calling process */

/* Withhold the page with a userfaultfd: @missing: unmap it; otherwise make it unwritable. */
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
	int over[2];		/* a pipe that is closed when the call has returned */
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

/* ------------------------------------------------------------ all other processes */

FIXTURE(pages) {
	int fd, client;
	struct objects at;
	struct shared *shared;
	pid_t pid;
	__u64 before;		/* number of objects */
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

/* Make the objects, and a client that holds a permit and a lease. */
static void run_begin(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self,
		      const struct page_case *pc, int area, bool missing)
{
	struct caller c = { 0 };

	ASSERT_EQ(0, objects_make(self->fd, &self->at));
	self->client = holder_make(self->fd, &self->at);
	ASSERT_LE(0, self->client);
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

static void run_end(struct __test_metadata *_metadata, FIXTURE_DATA(pages) *self)
{
	EXPECT_EQ(0, objects_end(self->fd, &self->at));
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

/* Delete the objects that the call uses. Then kill the only process that has the client. */
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
			/* a kernel with all checks takes seconds for each page */
			if (is_small() && wanted++ % 10)
				continue;
			run_begin(_metadata, self, pc, at % AREAS, missing);
			EXPECT_EQ(1, self->shared->waits) {
				TH_LOG("%s did not wait for area %d", pc->name, at);
			}
			/*
			 * a call that waits for the withheld page hangs; the alarm ends the test
			 * then
			 */
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
