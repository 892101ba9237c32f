// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_poll_race - many clients queue and poll at the same time, and end while they are served
 *
 * At the end no permits are held and nothing waits. The number of grants is that of reported grants
 * plus those whose holder was killed before the report.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/resource.h>

#include "descriptor.h"
#include "queued.h"
#include "shoot.h"

#define MANY	1000
#define KEYS	3
#define PERMITS	5
#define STEADY	8
#define TURNS	scaled(400)
#define ROUNDS	scaled(1000)

struct account {
	_Atomic long held[KEYS];	/* permits held by processes that are not killed */
	_Atomic long granted, taken_back, late, too_many, bad;
	_Atomic long short_granted;
};

FIXTURE(poll_race) {
	int fd;
	__u32 gate;
	struct account *account;
};

FIXTURE_SETUP(poll_race)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.max_keys = KEYS;
	ASSERT_EQ(0, gate_create(self->fd, OURS "race", &config, &self->gate));
	self->account = shared_memory(sizeof(*self->account));
}

FIXTURE_TEARDOWN(poll_race)
{
	close(self->fd);
	objects_wipe();
}

/* At the end nothing may be held or queued. */
static void all_over(struct __test_metadata *_metadata, FIXTURE_DATA(poll_race) *self)
{
	struct weir_gate_stats s = gate_stats(self->fd, self->gate);

	EXPECT_EQ(0, s.in_use);
	EXPECT_EQ(0, s.waiting);
	for (__u64 key = 0; key < KEYS; key++) {
		struct weir_op op = gate_state(self->fd, self->gate, &key);

		EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, PERMITS, 0, 0));
	}
	/* the sweep drops the keys */
	while (gate_stats(self->fd, self->gate).keys)
		usleep(50000);
}

/* ------------------------------------------------------------ order */

/* A thousand requests, one thread, one epoll: each is reported in its turn, and none early. */
TEST_F(poll_race, a_thousand)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	struct rlimit files = { 4096, 4096 };
	static __u32 handle[MANY];
	static int fd[MANY];
	int epoll = epoll_make();
	__u32 gate;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &gate));
	gate_take(self->fd, gate, 1);
	for (int i = 0; i < MANY; i++) {
		fd[i] = gate_enter(&handle[i]);
		epoll_join(epoll, fd[i], EPOLLOUT);
		ASSERT_EQ(WEIR_QUEUED, queue(fd[i], handle[i], NULL, 1, WEIR_NEVER));
	}
	EXPECT_EQ(MANY, gate_stats(self->fd, gate).waiting);
	EXPECT_EQ(-1, epoll_told(epoll, 0));
	ASSERT_EQ(0, gate_release(self->fd, gate, NULL, 1));
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(fd[i], epoll_told(epoll, 10000));
		ASSERT_EQ(WEIR_ALLOWED, collect(fd[i]));
		ASSERT_EQ(-1, epoll_told(epoll, 0));
		/* by RELEASE, or by closing the file */
		if (i % 2)
			close(fd[i]);
		else
			ASSERT_EQ(0, gate_release(fd[i], handle[i], NULL, 1));
	}
	EXPECT_EQ(0, gate_in_use(self->fd, gate));
	EXPECT_EQ(MANY + 1, gate_stats(self->fd, gate).acquired);
	for (int i = 0; i < MANY; i += 2)
		close(fd[i]);
	close(epoll);
}

/* The maximum number of requests queue for a key, and one more is refused. All are granted. */
TEST_F(poll_race, the_most)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	struct rlimit files = { WEIR_QUEUED_MAX + 64, WEIR_QUEUED_MAX + 64 };
	static int fd[WEIR_QUEUED_MAX + 1];
	static __u32 handle[WEIR_QUEUED_MAX + 1];
	__u32 gate;

	if (is_small())
		SKIP(return, "a kernel that checks everything takes minutes to close them");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &gate));
	gate_take(self->fd, gate, 1);
	for (int i = 0; i < WEIR_QUEUED_MAX; i++) {
		fd[i] = gate_enter(&handle[i]);
		ASSERT_EQ(WEIR_QUEUED, queue(fd[i], handle[i], NULL, 1, WEIR_NEVER));
	}
	fd[WEIR_QUEUED_MAX] = gate_enter(&handle[WEIR_QUEUED_MAX]);
	EXPECT_EQ(WEIR_LIMITED, queue(fd[WEIR_QUEUED_MAX], handle[WEIR_QUEUED_MAX], NULL, 1,
				      WEIR_NEVER));
	EXPECT_EQ(WEIR_QUEUED_MAX, gate_stats(self->fd, gate).waiting);
	EXPECT_EQ(1, gate_stats(self->fd, gate).refused);
	EXPECT_EQ(WEIR_NONE, queue_cancel(fd[0], handle[0], NULL));
	EXPECT_EQ(WEIR_QUEUED, queue(fd[WEIR_QUEUED_MAX], handle[WEIR_QUEUED_MAX], NULL, 1,
				     WEIR_NEVER));
	EXPECT_EQ(WEIR_LIMITED, queue(fd[0], handle[0], NULL, 1, WEIR_NEVER));
	config.permits = WEIR_QUEUED_MAX + 1;
	ASSERT_EQ(0, gate_set(self->fd, gate, WEIR_SET_PERMITS, &config));
	EXPECT_EQ(WEIR_QUEUED_MAX + 1, gate_in_use(self->fd, gate));
	EXPECT_FALSE(told(fd[0]));
	for (int i = 1; i <= WEIR_QUEUED_MAX; i++) {
		ASSERT_TRUE(told(fd[i]));
		ASSERT_EQ(WEIR_ALLOWED, collect(fd[i]));
	}
	for (int i = 0; i <= WEIR_QUEUED_MAX; i++)
		close(fd[i]);
	EXPECT_EQ(1, gate_in_use(self->fd, gate));
}

/*
 * One file has requests for a thousand keys. One descriptor reports them all, and one call collects
 * them.
 */
TEST_F(poll_race, a_thousand_keys)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 1);
	static struct weir_op ops[MANY];
	__u32 gate, other;
	int me = client_open(O_RDWR), collected;

	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &gate));
	ASSERT_EQ(0, object_open(me, WEIR_KIND_GATE, OURS "gate", WEIR_RIGHT_ALL, &other));
	for (__u64 i = 0; i < MANY; i++) {
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &i, 1));
		ASSERT_EQ(WEIR_QUEUED, queue(me, other, &i, 1, WEIR_NEVER));
	}
	for (__u64 i = 0; i < MANY; i += 2)
		ASSERT_EQ(0, gate_release(self->fd, gate, &i, 1));
	EXPECT_TRUE(told(me));
	collected = collect_run(me, ops, MANY);
	ASSERT_EQ(MANY / 2, collected);
	for (__u64 i = 0; i < MANY / 2; i++) {
		EXPECT_EQ(WEIR_ALLOWED, ops[i].verdict);
		EXPECT_EQ(2 * i, *(__u64 *)ops[i].key);
	}
	EXPECT_FALSE(told(me));
	close(me);
	EXPECT_EQ(MANY / 2, gate_stats(self->fd, gate).reclaimed);
	EXPECT_EQ(MANY / 2, gate_stats(self->fd, gate).in_use);
	EXPECT_EQ(0, gate_stats(self->fd, gate).waiting);
}

/* ------------------------------------------------------------ all at once */

static int own_file(FIXTURE_DATA(poll_race) *self, unsigned int me, __u32 *gate)
{
	int fd;

	/* some processes have a duplicate of the test's client */
	*gate = self->gate;
	fd = me % 2 ? client_open(O_RDWR) : client_dup(self->fd, 0);
	if (me % 2 && object_open(fd, WEIR_KIND_GATE, OURS "race", WEIR_RIGHT_ALL, gate))
		_exit(9);
	return fd;
}

static __u64 until(int fd, unsigned int chance)
{
	return chance % 3 ? WEIR_NEVER : info_get(fd).now + 20000 + chance % 16 * 20000;
}

/* Acquire in a random way. Return: the outcome, or a negative errno. */
static int visit(int fd, __u32 gate, const __u64 *key, long n, unsigned int *seed)
{
	int ret = queue(fd, gate, key, n, until(fd, next(seed)));

	switch (next(seed) % 4) {
	case 0:	/* cancelled at once, or a moment later */
		for (volatile unsigned int spin = next(seed) % 5000; spin; spin--)
			;
		if (ret == WEIR_QUEUED)
			ret = queue_cancel(fd, gate, key);
		/* too late: it has ended */
		return ret == -ENOENT ? collect(fd) : ret;
	case 1:	/* asked until it is there */
		if (ret != WEIR_QUEUED)
			return ret;
		do {
			ret = collect(fd);
		} while (ret == -EAGAIN);
		return ret;
	default:
		if (ret != WEIR_QUEUED)
			return ret;
		/* poll reports an end, and this holder has no other request */
		return told_in(fd, 60000) ? collect(fd) : -ETIME;
	}
}

static int steady(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(poll_race) *self = arg;
	struct account *a = self->account;
	unsigned int seed = me + 1;
	__u32 gate;
	int fd = own_file(self, me, &gate);

	for (int i = 0; i < TURNS; i++) {
		__u64 key = next(&seed) % KEYS;
		long n = 1 + next(&seed) % PERMITS, held;
		int ret = visit(fd, gate, &key, n, &seed);

		crowd->seat[me].begun++;
		if (ret == WEIR_LIMITED) {
			a->late++;
		} else if (ret == WEIR_NONE) {
			a->taken_back++;
		} else if (ret != WEIR_ALLOWED) {
			printf("# %d in turn %d of %u\n", ret, i, me);
			a->bad++;
		} else {
			a->granted++;
			held = a->held[key] += n;
			if (held > PERMITS || gate_state(fd, gate, &key).held != n)
				a->too_many++;
			if (next(&seed) % 4 == 0)
				sched_yield();
			a->held[key] -= n;
			if (gate_release(fd, gate, &key, n))
				a->bad++;
		}
	}
	return 0;
}

/* Work until killed, and count the reported grants. */
static void short_lived(void *arg, unsigned int me, unsigned int seed)
{
	FIXTURE_DATA(poll_race) *self = arg;
	struct account *a = self->account;
	__u32 gate;
	int fd = own_file(self, me, &gate);

	for (;;) {
		__u64 key = next(&seed) % KEYS;
		long n = 1 + next(&seed) % PERMITS;
		int ret = visit(fd, gate, &key, n, &seed);

		if (ret < 0)
			_exit(1);
		if (ret != WEIR_ALLOWED)
			continue;
		a->short_granted++;
		if (next(&seed) % 4 == 0)
			usleep(100);
		if (gate_release(fd, gate, &key, n))
			_exit(2);
	}
}

TEST_F_TIMEOUT(poll_race, storm, 400)
{
	struct account *a = self->account;
	struct crowd *crowd = crowd_make(STEADY);
	struct weir_gate_stats s;
	unsigned long shot;

	crowd_spawn(crowd, steady, self);
	crowd_start(crowd);
	shot = shoot_until(crowd, (uint64_t)STEADY * TURNS, short_lived, self, &a->bad);
	EXPECT_EQ(0, crowd_wait(crowd));
	/* all are dead and reaped, so their permits must be back */
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(0, a->bad);
	EXPECT_EQ(0, a->too_many);
	EXPECT_LT(0, a->granted);
	EXPECT_LT(0, a->taken_back);
	EXPECT_LT(0, a->late);
	EXPECT_EQ(STEADY * TURNS, a->granted + a->taken_back + a->late);
	/* a killed process may have been granted permits that were not reported */
	EXPECT_LE(a->granted + a->short_granted, s.acquired);
	EXPECT_GE(a->granted + a->short_granted + shot, s.acquired);
	EXPECT_GE(shot * PERMITS, s.reclaimed);
	EXPECT_LE(a->late, s.refused);
	EXPECT_EQ(0, s.full);
	TH_LOG("%ld and %ld granted, %ld taken back, %ld late, %lu shot, %llu reclaimed",
	       (long)a->granted, (long)a->short_granted, (long)a->taken_back,
	       (long)a->late, shot, (unsigned long long)s.reclaimed);
	all_over(_metadata, self);
	crowd_free(crowd);
}

/* No process dies, so each grant is reported: to a caller that collects or to one that cancels. */
TEST_F(poll_race, cancel_while_granted)
{
	struct account *a = self->account;
	struct crowd *crowd = crowd_make(STEADY);
	struct weir_gate_stats s;

	EXPECT_EQ(0, crowd_run(crowd, steady, self));
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(0, a->bad);
	EXPECT_EQ(0, a->too_many);
	EXPECT_EQ(a->granted, s.acquired);
	EXPECT_EQ(a->late, s.refused);
	EXPECT_EQ(0, s.reclaimed);
	EXPECT_LT(0, a->taken_back);
	all_over(_metadata, self);
	crowd_free(crowd);
}

/* ------------------------------------------------------------ close */

struct thread {
	int fd;
	__u32 gate;
	_Atomic int here, go;
	int result;
};

static const __u64 key;

static void *queue_one(void *arg)
{
	struct thread *t = arg;

	t->here = 1;
	while (!t->go)
		;
	t->result = queue(t->fd, t->gate, &key, 1, WEIR_NEVER);
	return NULL;
}

static void *release_one(void *arg)
{
	struct thread *t = arg;

	t->here = 1;
	while (!t->go)
		;
	t->result = gate_release(t->fd, t->gate, &key, 1);
	return NULL;
}

static pthread_t thread_begin(struct thread *t, void *(*run)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, t))
		abort();
	while (!t->here)
		sched_yield();
	t->go = 1;
	return thread;
}

static void spin(unsigned int n)
{
	for (volatile unsigned int i = 0; i < n; i++)
		;
}

/*
 * A file is closed while its request is granted: before or after, the permits come back once. The
 * pause is adjusted so that both happen.
 */
TEST_F(poll_race, close_while_granted)
{
	unsigned int granted = 0, pause = 1000;
	struct weir_gate_stats s;

	for (int i = 0; i < ROUNDS; i++) {
		struct thread t = { .fd = self->fd, .gate = self->gate };
		__u64 before = gate_stats(self->fd, self->gate).reclaimed, back;
		pthread_t thread;
		__u32 gate;
		int fd = client_open(O_RDWR);

		ASSERT_EQ(0, object_open(fd, WEIR_KIND_GATE, OURS "race", WEIR_RIGHT_ALL,
					 &gate));
		ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &key, PERMITS));
		ASSERT_EQ(WEIR_QUEUED, queue(fd, gate, &key, 1, WEIR_NEVER));
		thread = thread_begin(&t, release_one);
		spin(pause);
		close(fd);
		pthread_join(thread, NULL);
		ASSERT_EQ(0, t.result);
		s = gate_stats(self->fd, self->gate);
		ASSERT_EQ(PERMITS - 1, s.in_use);
		ASSERT_EQ(0, s.waiting);
		back = s.reclaimed - before;
		ASSERT_GE(1, back);
		granted += back;
		pause = back ? pause - pause / 8 : pause + pause / 8 + 1;
		ASSERT_EQ(0, gate_release(self->fd, self->gate, &key, PERMITS - 1));
	}
	TH_LOG("%u of %u granted before", granted, ROUNDS);
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(ROUNDS + granted, s.acquired);
	all_over(_metadata, self);
}

/* A file is closed while a request of it queues or is granted at once: nothing is left. */
TEST_F(poll_race, close_while_queueing)
{
	unsigned int refused = 0, pause = 1000;

	for (int i = 0; i < ROUNDS; i++) {
		bool full = i % 2;
		struct thread t = { .fd = client_open(O_RDWR) };
		pthread_t thread;

		ASSERT_EQ(0, object_open(t.fd, WEIR_KIND_GATE, OURS "race", WEIR_RIGHT_ALL,
					 &t.gate));
		if (full)
			ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, self->gate, &key,
							 PERMITS));
		thread = thread_begin(&t, queue_one);
		spin(pause);
		close(t.fd);
		pthread_join(thread, NULL);
		/* the file was closed before the call, or the request went with it */
		if (t.result != -EBADF)
			ASSERT_EQ(full ? WEIR_QUEUED : WEIR_ALLOWED, t.result);
		ASSERT_EQ(full ? PERMITS : 0, gate_stats(self->fd, self->gate).in_use);
		ASSERT_EQ(0, gate_stats(self->fd, self->gate).waiting);
		refused += t.result < 0;
		pause = t.result < 0 ? pause + pause / 8 + 1 : pause - pause / 8;
		if (full)
			ASSERT_EQ(0, gate_release(self->fd, self->gate, &key, PERMITS));
	}
	TH_LOG("%u of %u refused", refused, ROUNDS);
	all_over(_metadata, self);
}

/* ------------------------------------------------------------ deletion */

/* A gate with one name is created, used and deleted repeatedly while others use it. */
static int make_and_delete(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 2);
	int fd = client_open(O_RDWR);

	(void)arg;
	for (int i = 0; i < scaled(300); i++) {
		struct weir_create create = create_make(WEIR_KIND_GATE, OURS "brief",
							&config);
		__u64 key = i % 3;
		int ret;

		create.flags = WEIR_CREATE_EXISTING_OK;
		if (call(fd, WEIR_IOC_CREATE, &create))
			return 1;
		ret = queue(fd, create.handle, &key, 1, i % 4 ? WEIR_NEVER :
			    info_get(fd).now + 1000000);
		if (ret == WEIR_QUEUED)
			ret = told_in(fd, 60000) ? collect(fd) : -ETIME;
		if (ret < 0 && ret != -ENODEV)
			return 2;
		crowd->seat[me].done += ret == WEIR_ALLOWED;
		/* with permits held and with waiters: both are gone */
		if (i % 2)
			object_delete(fd, create.handle);
		else if (ret == WEIR_ALLOWED)
			gate_release(fd, create.handle, &key, 1);
		if (handle_close(fd, create.handle))
			return 3;
	}
	/* nothing is left to report */
	return told(fd) ? 5 : 0;
}

TEST_F(poll_race, deletion)
{
	struct crowd *crowd = crowd_make(8);

	EXPECT_EQ(0, crowd_run(crowd, make_and_delete, self));
	EXPECT_LT(0, crowd_done(crowd));
	crowd_free(crowd);
}

/*
 * One process changes the number of permits all the time. Requests that can no longer be granted
 * fail.
 */
static int squeeze(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(poll_race) *self = arg;
	struct account *a = self->account;
	unsigned int seed = me + 1;
	__u32 gate;
	int fd = own_file(self, me, &gate);

	for (int i = 0; i < TURNS; i++) {
		__u64 key = next(&seed) % KEYS;
		long n = 1 + next(&seed) % PERMITS;
		int ret;

		if (!me) {
			if (gate_resize(fd, gate, i == TURNS - 1 ? PERMITS : n))
				return 1;
			usleep(500);
			continue;
		}
		ret = visit(fd, gate, &key, n, &seed);
		if (ret == WEIR_ALLOWED) {
			a->granted++;
			if (gate_release(fd, gate, &key, n))
				return 2;
		} else if (ret == -E2BIG) {
			crowd->seat[me].done++;
		} else if (ret != WEIR_LIMITED && ret != WEIR_NONE) {
			return 3;
		}
	}
	return 0;
}

TEST_F(poll_race, resize)
{
	struct crowd *crowd = crowd_make(STEADY);

	EXPECT_EQ(0, crowd_run(crowd, squeeze, self));
	EXPECT_LT(0, crowd_done(crowd));
	EXPECT_EQ(self->account->granted, gate_stats(self->fd, self->gate).acquired);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).reclaimed);
	all_over(_metadata, self);
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
