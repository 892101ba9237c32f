// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile - random calls with random arguments, by processes that are killed at random
 *
 * Processes of an ordinary user share open files by fork(), SCM_RIGHTS and DUP_CLIENT. They close
 * files, or dup2() over them, while other threads use them. They pass memory that other threads
 * unmap or change, and create and delete objects that others use. Three objects belong to root, so
 * that user cannot delete them. They show at the end that each operation was counted once and that
 * all permits are back. WEIR_SECONDS: how long the test runs. WEIR_SEED: chooses the calls.
 */
#include "harness.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "descriptor.h"
#include "hostile.h"
#include "person.h"
#include "slab.h"

#define PERSON		1001
#define PROCESSES	5
#define THREADS		5
#define FILES		12	/* descriptors that the threads of a process share */
#define FILE_FIRST	100
#define TELL		(10 * SECOND)

/* Shared by all processes. */
struct ledger {
	_Atomic long asked, added;	/* to TALLY: counted before the call and after it */
	_Atomic long tried, allowed;	/* of QUOTA: in the same way */
	_Atomic long acts, files, granted;
	_Atomic long wrong;		/* impossible answers */
};

static struct ledger *ledger;
static int ends[2];		/* a socket pair that holds files in flight to any process */
static int memory;		/* a memfd, mapped at @good and @bad */

static int any_file(unsigned int *seed)
{
	return FILE_FIRST + below(seed, FILES);
}

/* Replace any file by @fd. */
static void file_place(unsigned int *seed, int fd)
{
	if (fd < 0)
		return;
	ledger->files++;
	dup2(fd, any_file(seed));
	close(fd);
}

/* ------------------------------------------------------------ random actions */

static void act_ops(unsigned int *seed, int fd)
{
	__u32 count = 1 + (one_in(seed, 4) ? below(seed, 200) : below(seed, 8));
	size_t at = below(seed, PAGES * PAGE - count * sizeof(struct weir_op)) & ~7UL;
	struct weir_op *ops = (struct weir_op *)(good + at);
	struct weir_submit s = { .size = sizeof(s), .count = count, .done = POISON_U32 };
	bool claims = at & 8;

	for (__u32 i = 0; i < count; i++)
		op_any(seed, &ops[i]);
	if (one_in(seed, 5)) {
		s.flags = WEIR_SUBMIT_ALL;
		for (__u32 i = 0; i < count && !one_in(seed, 8); i++) {
			__u64 key = below(seed, 100);

			ops[i] = op_make(claims ? WEIR_OP_CLAIM : WEIR_OP_CHECK,
					 claims ? ROSTER : LIMITER, !claims);
			op_key(&ops[i], &key, sizeof(key));
		}
	}
	s.ops = address(one_in(seed, 3) ? bad + at : good + at);
	if (!call(fd, WEIR_IOC_SUBMIT, &s) && (!s.done || s.done > count))
		ledger->wrong++;
}

/* An acknowledged operation was counted; a failed one was not; of a killed caller it is unknown. */
static void act_exact(unsigned int *seed, int fd)
{
	struct weir_op op = op_make(WEIR_OP_ADD, EXACT_HANDLES + TALLY, 1 + below(seed, 9));
	long n = op.n;

	op.arg = 1;
	ledger->asked += n;
	if (!op_run(fd, &op))
		ledger->added += n;
	else
		ledger->asked -= n;
	op = op_make(WEIR_OP_CHECK, EXACT_HANDLES + QUOTA, 1);
	ledger->tried++;
	if (op_run(fd, &op))
		ledger->tried--;
	else if (op.verdict == WEIR_ALLOWED)
		ledger->allowed++;
	else
		ledger->wrong++;
}

/* An op in memory of this thread only, so that its answer can be checked. */
static void act_judged(unsigned int *seed, int fd)
{
	struct weir_op op = op_make(WEIR_OP_ACQUIRE, DOOR, 1);
	int ret;

	op.tag = below(seed, 3);
	op.flags = WEIR_OP_RELATIVE | (one_in(seed, 2) ? WEIR_OP_ASYNC : 0);
	op.arg = below(seed, 4000) * 1000;
	ret = op_run(fd, &op);
	if (ret == -EPROTO || (!ret && op.verdict != WEIR_ALLOWED &&
			       op.verdict != WEIR_LIMITED && op.verdict != WEIR_QUEUED))
		ledger->wrong++;
	if (ret)
		return;
	/* root gives the gate 1 to 9 permits */
	if (op.limit > 9 || op.remaining > op.limit)
		ledger->wrong++;
	ledger->granted += op.verdict == WEIR_ALLOWED;
	if (one_in(seed, 2))
		collect(fd);
	if (below(seed, 4))
		gate_release_as(fd, op.tag, DOOR, NULL, 1);
}

static void act_config(unsigned int *seed, int fd)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	static const __u64 masks[] = { WEIR_SET_RATE, WEIR_SET_BURST, WEIR_SET_MAX_KEYS,
		WEIR_SET_WHEN_FULL, WEIR_SET_STRIKES, WEIR_SET_QUEUE_MAX, WEIR_SET_FLAGS,
		WEIR_SET_CANDIDATE };
	__u32 handle = below(seed, OBJECTS + 4);
	char room[512];

	switch (below(seed, 4)) {
	case 0:
		gate_resize(fd, GATE + below(seed, 2), 1 + below(seed, 9));
		break;
	case 1:
		totals_get(fd, handle, room, 104);
		config_get(fd, handle, room, sizeof(struct weir_limiter_config));
		break;
	default:
		config.tokens = 1 + below(seed, 100);
		config.period = (1 + below(seed, 1000)) * MS;
		config.burst = below(seed, 20);
		config.max_keys = 1 + below(seed, 64);
		config.queue_max = below(seed, 100);
		config.strikes = below(seed, 3);
		config.within = SECOND;
		config.nbans = config.strikes ? 1 : 0;
		config.ban[0] = config.strikes ? 30 * MS : 0;
		if (one_in(seed, 2))
			strcpy(config.candidate, objects[ADDRESSES].name);
		limiter_set(fd, LIMITER + below(seed, 2), masks[below(seed, 8)], &config);
	}
}

static void act_delete(unsigned int *seed, int fd)
{
	__u32 i = GATE + below(seed, TALLY - GATE);

	if (one_in(seed, 20))
		object_delete(fd, i);
	if (one_in(seed, 10))
		handle_close(fd, i);
	create_any(fd, i, false);
}

static void rules_write(unsigned int *seed, char *at, __u32 count)
{
	struct weir_rule rule = { .addr_len = 4, .prefix = 32 };

	if (at < good || at >= good + PAGES * PAGE)
		return;
	for (__u32 i = 0; i < count; i++) {
		rule.action = 1 + (i & 1);
		rule.addr[3] = below(seed, 256);
		memcpy(at + i * sizeof(rule), &rule, sizeof(rule));
	}
}

/* Call DUMP, LOAD or RULES. */
static void act_table(unsigned int *seed, int fd)
{
	char *at = (char *)((uintptr_t)any_address(seed) & ~7UL);
	struct weir_dump dump = { .size = sizeof(dump), .handle = GATE + below(seed, 6),
				  .buffer = address(at), .length = below(seed, 9 * PAGE) };
	struct weir_load load = { .size = sizeof(load), .handle = LIMITER + below(seed, 2),
				  .buffer = address(at), .length = dump.length };
	struct weir_rules rules = { .size = sizeof(rules), .handle = ADDRESSES,
				    .flags = below(seed, 3), .count = below(seed, 200),
				    .rules = address(at) };

	if (one_in(seed, 2))
		dump.cursor = (__u64)below(seed, 1 << 28) << below(seed, 60);
	switch (below(seed, 3)) {
	case 0:
		for (int i = 0; i < 20 && !call(fd, WEIR_IOC_DUMP, &dump) &&
		     dump.cursor != WEIR_NEVER; i++)
			dump.length = PAGE;
		load.length = dump.length;
		__attribute__((__fallthrough__));
	case 1:
		call(fd, WEIR_IOC_LOAD, &load);
		break;
	default:
		rules_write(seed, at, rules.count);
		call(fd, WEIR_IOC_RULES, &rules);
	}
}

static void act_events(unsigned int *seed, int fd)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = 1 + below(seed, 160),
				  .data = address(any_address(seed)) };
	struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epoll;

	switch (below(seed, 6)) {
	case 0:
		call(fd, WEIR_IOC_EMIT, &emit);
		break;
	case 1:
		if (poll(&one, 1, 0) > 0 && read(fd, any_address(seed), 2 * PAGE) < 0)
			errno = 0;
		break;
	case 2:
		lseek(fd, below(seed, 2000), SEEK_SET);
		break;
	case 3:
		stream_choose(fd, one_in(seed, 2) ? WEIR_OWNER_DEFAULT : 0);
		break;
	case 4:
		poll(&one, 1, below(seed, 5));
		break;
	default:
		epoll = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		epoll_wait(epoll, &event, 1, below(seed, 5));
		close(epoll);
	}
}

static void act_file(unsigned int *seed, int fd)
{
	struct weir_restrict r = { .size = sizeof(r), .flags = 1U << below(seed, 5),
				   .handle = below(seed, 14), .rights = below(seed, 16) };
	char info[sizeof(struct weir_object_info) * 4];
	__u64 cursor = 0, filled;
	__u32 count;

	switch (below(seed, 10)) {
	case 0:
	case 1:
		file_place(seed, client_full(one_in(seed, 2) ? O_NONBLOCK : 0));
		break;
	case 2:
		file_place(seed, client_dup(fd, below(seed, 2)));
		break;
	case 3:
		close(any_file(seed));
		break;
	case 4:
		dup2(fd, any_file(seed));
		break;
	case 5:
		fd_send_try(ends[0], fd);
		break;
	case 6:
		file_place(seed, fd_receive_flags(ends[1], MSG_DONTWAIT));
		break;
	case 7:
		if (one_in(seed, 8))
			call(fd, WEIR_IOC_RESTRICT, &r);
		break;
	case 8:
		list_page(fd, 0, &cursor, info, sizeof(info), &filled, &count);
		break;
	default:
		tag_drop(fd, below(seed, 4));
	}
}

/* Unmap or change memory that others use. */
static void act_memory(unsigned int *seed)
{
	size_t at = below(seed, PAGES - 6) * PAGE, n = (1 + below(seed, 6)) * PAGE;

	if (one_in(seed, 2))
		mprotect(bad + at, n, one_in(seed, 2) ? PROT_NONE : PROT_READ);
	else
		munmap(bad + at, n);
	mmap(bad + at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, at);
	good[below(seed, PAGES * PAGE)] ^= 1U << below(seed, 8);
}

/* Any ioctl, with a struct of random numbers. */
static void act_raw(unsigned int *seed, int fd)
{
	/* the kernel zeroes the part of a longer struct that it does not know */
	__u32 words[2 * PAGE / sizeof(__u32)] = { 0 };

	for (int i = 0; i < 64; i++)
		words[i] = one_in(seed, 3) ? below(seed, 1 << 29) : below(seed, 12);
	words[0] = one_in(seed, 3) ? below(seed, 5000) : 8 * (1 + below(seed, 31));
	call(fd, _IO(WEIR_IOC_MAGIC, below(seed, 0x12)),
	     one_in(seed, 3) ? (void *)any_address(seed) : words);
}

/* A child that shares all files, and ends by a signal, by exit or by executing another program. */
static void act_process(unsigned int *seed, int fd)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 20; i++)
			act_ops(seed, any_file(seed));
		if (one_in(seed, 2)) {
			fcntl(fd, F_SETFD, 0);
			execl("/bin/true", "true", NULL);
		}
		_exit(0);
	}
	if (pid > 0) {
		usleep(below(seed, 3000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void act_any(unsigned int *seed)
{
	unsigned int what = below(seed, 100);
	int fd = any_file(seed);

	ledger->acts++;
	if (what < 40)
		act_ops(seed, fd);
	else if (what < 50)
		act_exact(seed, fd);
	else if (what < 60)
		act_judged(seed, fd);
	else if (what < 66)
		act_config(seed, fd);
	else if (what < 69)
		act_delete(seed, fd);
	else if (what < 74)
		act_table(seed, fd);
	else if (what < 79)
		act_events(seed, fd);
	else if (what < 92)
		act_file(seed, fd);
	else if (what < 96)
		act_memory(seed);
	else if (what < 99)
		act_raw(seed, fd);
	else if (one_in(seed, 4))
		act_process(seed, fd);
}

/* ------------------------------------------------------------ processes */

static void *thread_run(void *arg)
{
	unsigned int seed = (uintptr_t)arg;

	for (;;)
		act_any(&seed);
	return NULL;
}

static void noted(int sig)
{
	(void)sig;
}

static void process_run(unsigned int seed)
{
	struct sigaction action = { .sa_handler = noted };
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	if (person_become(PERSON, PERSON))
		abort();
	memory = memfd_create("hostile", MFD_CLOEXEC);
	if (ftruncate(memory, PAGES * PAGE))
		abort();
	good = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	bad = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	for (int i = 0; i < FILES; i++)
		file_place(&seed, client_full(i & 1 ? O_NONBLOCK : 0));
	for (unsigned long i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, thread_run, (void *)(seed * 31UL + i * 7919));
	thread_run((void *)(seed * 31UL + 1));
}

static pid_t process_begin(unsigned int seed)
{
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, 0);
		process_run(seed | 1);
	}
	setpgid(pid, pid);
	return pid;
}

static void tell(unsigned int seconds)
{
	printf("# %u s: %ld acts, %ld files; %ld added, %ld allowed, %ld granted; %ld wrong\n",
	       seconds, ledger->acts, ledger->files, ledger->added, ledger->allowed,
	       ledger->granted, ledger->wrong);
	fflush(stdout);
}

/* Until the time is up, resize the gate, and interrupt or kill processes and start others. */
static void processes_run(int fd, __u32 door, unsigned int seconds, unsigned int seed)
{
	__u64 begun = now_ns(), told = 0;
	pid_t pid[PROCESSES];

	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++)
		pid[i] = process_begin(seed + i * 2);
	while (now_ns() - begun < seconds * SECOND) {
		int i = below(&seed, PROCESSES);

		usleep(below(&seed, 60000));
		gate_resize(fd, door, 1 + below(&seed, 9));
		if (now_ns() - begun - told > TELL) {
			told = now_ns() - begun;
			tell(told / SECOND);
		}
		if (below(&seed, 6)) {
			kill(pid[i], SIGUSR1);
			continue;
		}
		kill(-pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		pid[i] = process_begin(seed);
	}
	for (int i = 0; i < PROCESSES; i++)
		kill(-pid[i], SIGKILL);
	for (int i = 0; i < PROCESSES; i++)
		waitpid(pid[i], NULL, 0);
	tell(seconds);
}

/* ------------------------------------------------------------ checks at the end */

FIXTURE(hostile)
{
	int fd;
	mode_t device;
	__u32 door, tally, quota;
	struct weir_info before;
};

FIXTURE_SETUP(hostile)
{
	objects_wipe();
	self->device = device_chmod(0666);
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->before = info_get(self->fd);
	self->door = create_any(self->fd, DOOR, true);
	self->tally = create_any(self->fd, TALLY, true);
	self->quota = create_any(self->fd, QUOTA, true);
	ledger = shared_memory(sizeof(*ledger));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
}

FIXTURE_TEARDOWN(hostile)
{
	device_chmod(self->device);
	objects_wipe();
	close(self->fd);
}

/* Nothing of the gate may be held or waited for. Grandchildren may still be dying. */
static void gate_left(struct __test_metadata *_metadata, int fd, __u32 gate)
{
	struct weir_gate_stats stats;

	for (int i = 0; i < 1000; i++) {
		stats = gate_stats(fd, gate);
		if (!stats.in_use && !stats.waiting)
			break;
		usleep(10000);
	}
	EXPECT_EQ(0, stats.in_use);
	EXPECT_EQ(0, stats.waiting);
}

static void gates_left(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	struct weir_op state;
	__u32 handle;

	gate_left(_metadata, self->fd, self->door);
	state = gate_state(self->fd, self->door, NULL);
	EXPECT_EQ(0, state.waiting);
	EXPECT_EQ(state.limit, state.remaining);
	EXPECT_LE(ledger->granted, (long)gate_stats(self->fd, self->door).acquired);
	for (int i = GATE; i <= PLAIN; i++)
		if (!object_open_of(self->fd, PERSON, WEIR_KIND_GATE, objects[i].name,
				    WEIR_RIGHT_ALL, &handle))
			gate_left(_metadata, self->fd, handle);
}

static void exact_check(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	struct weir_limiter_stats stats;
	struct weir_op op;
	__s64 value;

	ASSERT_EQ(0, counter_read(self->fd, self->tally, 0, &value));
	EXPECT_LT(0, ledger->added);
	EXPECT_LE(ledger->added, value);
	EXPECT_LE(value, ledger->asked);
	ASSERT_EQ(0, stats_get(self->fd, self->quota, &stats));
	EXPECT_LT(0, ledger->allowed);
	EXPECT_LE(ledger->allowed, (long)stats.allowed);
	EXPECT_LE((long)stats.allowed, ledger->tried);
	EXPECT_EQ(0, stats.limited);
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->quota, 1, "", 0));
	EXPECT_EQ(QUOTA_TOKENS - stats.allowed, op.remaining);
}

/* Delete the objects of the user; everything charged for them must be free again. */
static void nothing_left(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	struct weir_info info;

	objects_wipe();
	info = info_get(self->fd);
	EXPECT_EQ(self->before.objects, info.objects);
	EXPECT_EQ(self->before.total_keys, info.total_keys);
	EXPECT_EQ(0, info.own_objects);
	EXPECT_EQ(0, info.own_keys);
	if (!slab_is_told())
		return;
	for (int i = 0; i < 200 && slab_objects() > SLAB_SLACK; i++)
		usleep(50000);
	EXPECT_GE(SLAB_SLACK, slab_objects());
}

TEST_F_TIMEOUT(hostile, everything_at_once, 100000)
{
	unsigned int seconds = getenv("WEIR_SECONDS") ? atoi(getenv("WEIR_SECONDS")) : 5;
	unsigned int seed = getenv("WEIR_SEED") ? atoi(getenv("WEIR_SEED")) : time(NULL);

	printf("# seed %u\n", seed);
	processes_run(self->fd, self->door, seconds, seed | 1);
	/* and so close the files in flight */
	close(ends[0]);
	close(ends[1]);
	EXPECT_EQ(0, ledger->wrong);
	gates_left(_metadata, self);
	exact_check(_metadata, self);
	nothing_left(_metadata, self);
}

TEST_HARNESS_MAIN
