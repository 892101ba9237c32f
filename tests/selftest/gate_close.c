// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_close - a descriptor is closed under the feet of one who acquires
 *
 * The file lives on in a message, so nothing comes back by its end: whatever a thread
 * gets after its table has lost the file must be found out and given back.
 */
#include "harness.h"

#include <dirent.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "descriptor.h"
#include "gate.h"

#define PERMITS	10
#define ROUNDS	1000
#define PAGE	4096

FIXTURE(close) {
	int fd;
	__u32 gate;
	int pair[2];		/* what is sent here stays under way */
};

FIXTURE_SETUP(close)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair));
}

FIXTURE_TEARDOWN(close)
{
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->fd);
	objects_wipe();
}

struct thread {
	int fd;
	__u32 gate;
	__u64 until;
	_Atomic pid_t tid;
	_Atomic int go;
	int result;
	__u32 verdict;
};

static void *acquire_one(void *arg)
{
	struct thread *t = arg;
	struct weir_op op;

	t->tid = syscall(SYS_gettid);
	while (!t->go)
		;
	t->result = gate_run(t->fd, &op, WEIR_OP_ACQUIRE, t->gate, NULL, 1, t->until);
	t->verdict = op.verdict;
	return NULL;
}

/* Closed under the feet of one who waits: he gets nothing when his turn comes. */
TEST_F(close, while_waiting)
{
	struct thread t = { .until = WEIR_NEVER, .go = 1 };
	pthread_t thread;

	gate_take(self->fd, self->gate, PERMITS);
	t.fd = gate_enter(&t.gate);
	fd_send(self->pair[0], t.fd);	/* or the file would go, and all with it */
	ASSERT_EQ(0, pthread_create(&thread, NULL, acquire_one, &t));
	while (!t.tid)
		usleep(100);
	until_asleep(t.tid);
	close(t.fd);
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 2));
	pthread_join(thread, NULL);
	EXPECT_EQ(-EBADF, t.result);
	EXPECT_EQ(8, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).reclaimed);
}

/* The same, but the file has come back by another way: then it is his again. */
TEST_F(close, and_received)
{
	struct thread t = { .until = WEIR_NEVER, .go = 1 };
	pthread_t thread;
	int fd;

	gate_take(self->fd, self->gate, PERMITS);
	t.fd = gate_enter(&t.gate);
	fd_send(self->pair[0], t.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, acquire_one, &t));
	while (!t.tid)
		usleep(100);
	until_asleep(t.tid);
	close(t.fd);
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 2));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.result);
	EXPECT_EQ(WEIR_ALLOWED, t.verdict);
	EXPECT_EQ(WEIR_ALLOWED, gate_try(fd, t.gate, NULL, 1));
	EXPECT_EQ(10, gate_in_use(self->fd, self->gate));
	close(fd);
	EXPECT_EQ(8, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(2, gate_stats(self->fd, self->gate).reclaimed);
}

/*
 * One thread acquires while another closes: whoever is first, nothing stays behind. The
 * pause between them is steered to where both happen.
 */
TEST_F(close, while_acquiring)
{
	unsigned int refused = 0, late = 0, pause = 1000;
	__u32 gate;
	int fd = gate_enter(&gate);

	for (int i = 0; i < ROUNDS; i++) {
		__u64 before = gate_stats(self->fd, self->gate).acquired;
		struct thread t = { .fd = fd, .gate = gate };
		pthread_t thread;

		fd_send(self->pair[0], fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, acquire_one, &t));
		while (!t.tid)
			sched_yield();
		t.go = 1;
		for (volatile unsigned int spin = 0; spin < pause; spin++)
			;
		close(fd);
		pthread_join(thread, NULL);
		if (t.result)
			ASSERT_EQ(-EBADF, t.result);
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate)) {
			TH_LOG("round %d, result %d", i, t.result);
		}
		refused += t.result != 0;
		late += t.result && gate_stats(self->fd, self->gate).acquired > before;
		pause = t.result ? pause + pause / 8 + 1 : pause - pause / 8;
		/* the file itself was under way all the while */
		fd = fd_receive(self->pair[1]);
	}
	TH_LOG("%u of %u refused, of which %u had got it", refused, ROUNDS, late);
	close(fd);
}

struct stuck {
	int fd, uffd;
	__u32 gate, other;
	__u64 until;
	void *page;
	int result;
	_Atomic int close;
};

/* The key is in a page that comes when its owner likes. */
static void *acquire_by_page(void *arg)
{
	struct stuck *s = arg;
	struct weir_op op = op_make(WEIR_OP_ACQUIRE, s->other, 1);

	op.flags = WEIR_OP_PTR;
	op.key_len = 8;
	op.ptr = address(s->page);
	op.arg = s->until;
	s->result = op_run(s->fd, &op);
	return NULL;
}

/* False: no userfaultfd. */
static bool page_make(struct stuck *s)
{
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	s->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	area.range.start = address(s->page);
	area.range.len = PAGE;
	return s->uffd >= 0 && !ioctl(s->uffd, UFFDIO_API, &api) &&
	       !ioctl(s->uffd, UFFDIO_REGISTER, &area);
}

/* A keyed gate, in the test's file and in one of its own; false: no userfaultfd. */
static bool stuck_make(FIXTURE_DATA(close) *self, struct stuck *s)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, PERMITS);

	if (!page_make(s))
		return false;
	s->fd = client_open(O_RDWR);
	return !gate_create(self->fd, OURS "keyed", &config, &s->gate) &&
	       !object_open(s->fd, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL,
			    &s->other);
}

/* Somebody waits for the page. */
static bool page_wanted(const struct stuck *s)
{
	struct pollfd ready = { .fd = s->uffd, .events = POLLIN };

	return poll(&ready, 1, 10000) == 1;
}

static int page_give(const struct stuck *s)
{
	static char bytes[PAGE];
	struct uffdio_copy copy = { .dst = address(s->page), .len = PAGE,
				    .src = address(bytes) };

	return ioctl(s->uffd, UFFDIO_COPY, &copy);
}

static void came_to_nothing(struct __test_metadata *_metadata,
			    FIXTURE_DATA(close) *self, const struct stuck *s)
{
	struct weir_gate_stats stats = gate_stats(self->fd, s->gate);

	EXPECT_EQ(-EBADF, s->result);
	EXPECT_EQ(1, stats.acquired);
	EXPECT_EQ(1, stats.reclaimed);
	EXPECT_EQ(0, stats.in_use);
}

/* Closed before there was anything that could have been marked. */
TEST_F(close, before_it_looked)
{
	struct stuck s = { .close = 0 };
	pthread_t thread;

	if (!stuck_make(self, &s))
		SKIP(return, "no userfaultfd in this kernel");
	fd_send(self->pair[0], s.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, acquire_by_page, &s));
	ASSERT_TRUE(page_wanted(&s));
	close(s.fd);
	ASSERT_EQ(0, page_give(&s));
	pthread_join(thread, NULL);
	came_to_nothing(_metadata, self, &s);
}

/* Until so many wait for key 0. */
static void until_waiting(int fd, __u32 gate, __u32 n)
{
	const __u64 key = 0;

	while (gate_state(fd, gate, &key).waiting != n)
		usleep(500);
}

/*
 * Two that are stuck while the descriptor is closed. The first makes the hold that the
 * second uses, too, and is interrupted before it has got anything: so the second alone
 * can find out.
 */
TEST_F(close, behind_one_who_gave_up)
{
	struct sigaction noted = { .sa_handler = visitor_noted };
	struct stuck first = { .until = WEIR_NEVER }, second;
	struct weir_gate_stats stats;
	const __u64 key = 0;
	pthread_t a, b;

	if (!stuck_make(self, &first))
		SKIP(return, "no userfaultfd in this kernel");
	second = first;
	ASSERT_TRUE(page_make(&second));
	ASSERT_EQ(0, sigaction(SIGUSR1, &noted, NULL));
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, first.gate, &key, PERMITS));
	fd_send(self->pair[0], first.fd);
	ASSERT_EQ(0, pthread_create(&a, NULL, acquire_by_page, &first));
	ASSERT_EQ(0, pthread_create(&b, NULL, acquire_by_page, &second));
	ASSERT_TRUE(page_wanted(&first));
	ASSERT_TRUE(page_wanted(&second));
	close(first.fd);
	ASSERT_EQ(0, page_give(&first));
	until_waiting(self->fd, first.gate, 1);
	ASSERT_EQ(0, page_give(&second));
	until_waiting(self->fd, first.gate, 2);
	pthread_kill(a, SIGUSR1);
	pthread_join(a, NULL);
	EXPECT_EQ(-EINTR, first.result);
	EXPECT_EQ(0, gate_release(self->fd, first.gate, &key, 2));
	pthread_join(b, NULL);
	EXPECT_EQ(-EBADF, second.result);
	stats = gate_stats(self->fd, first.gate);
	EXPECT_EQ(PERMITS - 2, stats.in_use);
	EXPECT_EQ(1, stats.reclaimed);
}

static void *close_when_told(void *arg)
{
	struct stuck *s = arg;

	while (!s->close)
		usleep(100);
	close(s->fd);
	return NULL;
}

static unsigned int tasks(pid_t pid)
{
	unsigned int n = 0;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2;	/* less . and .. */
}

/* Another process: has the page wanted, the file closed, its closer gone; then gives it. */
static void arrange(struct stuck *s)
{
	if (!page_wanted(s))
		_exit(1);
	s->close = 1;
	while (tasks(getppid()) != 1)
		usleep(100);
	_exit(page_give(s) ? 2 : 0);
}

/* And by one who has gone since: that nobody else is there is no excuse. */
TEST_F(close, by_one_who_is_gone)
{
	struct stuck *s = shared_memory(sizeof(*s));
	pthread_t thread;
	int status;
	pid_t pid;

	if (!stuck_make(self, s))
		SKIP(return, "no userfaultfd in this kernel");
	fd_send(self->pair[0], s->fd);
	fflush(NULL);
	pid = fork();
	if (!pid)
		arrange(s);
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_when_told, s));
	acquire_by_page(s);
	pthread_join(thread, NULL);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	came_to_nothing(_metadata, self, s);
}

TEST_HARNESS_MAIN
