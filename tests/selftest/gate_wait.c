// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_wait - waiting for permits: the order, the ends of a wait, and which waiters wake
 *
 * Waiters are processes with their own files, so each is a separate holder. To show that a waiter
 * is not served, the test checks that it sleeps in the call after the operation that might have
 * served it.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "gate.h"
#include "verdict.h"

#define PERMITS	10
#define MS	1000000ULL

FIXTURE(gate_wait) {
	int fd;
	__u32 gate;
	struct visitors *all;
};

FIXTURE_SETUP(gate_wait)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	self->all = shared_memory(sizeof(*self->all));
}

FIXTURE_TEARDOWN(gate_wait)
{
	for (int i = 0; i < 64; i++)
		if (self->all->visitor[i].pid)
			visitor_kill(self->all, i);
	close(self->fd);
	objects_wipe();
}

static void take(FIXTURE_DATA(gate_wait) *self, __s64 n)
{
	if (gate_try(self->fd, self->gate, NULL, n) != WEIR_ALLOWED)
		abort();
}

static void give(FIXTURE_DATA(gate_wait) *self, __s64 n)
{
	if (gate_release(self->fd, self->gate, NULL, n))
		abort();
}

static void begin(FIXTURE_DATA(gate_wait) *self, int i, __s64 n)
{
	visitor_wait(self->all, i, self->fd, self->gate, NULL, n);
}

static struct visitor *served(FIXTURE_DATA(gate_wait) *self, int i)
{
	return visitor_served(self->all, i);
}

static void leave(FIXTURE_DATA(gate_wait) *self, int i)
{
	visitor_end(self->all, i);
	self->all->visitor[i].pid = 0;
}

static bool is_asleep(FIXTURE_DATA(gate_wait) *self, int i)
{
	until_asleep(self->all->visitor[i].pid);
	return !self->all->visitor[i].done;
}

static __u32 waiting(FIXTURE_DATA(gate_wait) *self)
{
	__u32 n = gate_state(self->fd, self->gate, NULL).waiting;

	/* the total is exact if no operation is in progress */
	return n == gate_stats(self->fd, self->gate).waiting ? n : ~0U;
}

/*
 * Permits are granted in order of arrival. A large request at the head is not overtaken. Each
 * waiter is woken once.
 */
TEST_F(gate_wait, order)
{
	static const __s64 wants[] = { 3, 10, 1, 2, 7, 1 };
	static const __u64 remaining[] = { 0, 0, 9, 7, 0, 0 };
	struct visitor *v;

	take(self, PERMITS);
	for (int i = 0; i < 6; i++)
		begin(self, i, wants[i]);
	EXPECT_EQ(6, waiting(self));
	give(self, 2);
	for (int i = 0; i < 6; i++)
		EXPECT_TRUE(is_asleep(self, i));
	give(self, 1);
	served(self, 0);
	leave(self, 0);
	/* 3 are free: enough for the third and the fourth request, but they are not first */
	for (int i = 1; i < 6; i++)
		EXPECT_TRUE(is_asleep(self, i));
	EXPECT_EQ(3, gate_free(self->fd, self->gate, NULL));
	EXPECT_EQ(5, waiting(self));
	give(self, 7);
	served(self, 1);
	for (int i = 2; i < 6; i++)
		EXPECT_TRUE(is_asleep(self, i));
	leave(self, 1);
	/* 1, 2 and 7 are granted at once; the last 1 continues to wait */
	for (int i = 2; i < 5; i++)
		served(self, i);
	EXPECT_TRUE(is_asleep(self, 5));
	leave(self, 2);
	served(self, 5);
	for (int i = 0; i < 6; i++) {
		v = &self->all->visitor[i];
		EXPECT_EQ(0, v->result);
		EXPECT_TRUE(gate_answers(&v->op, WEIR_ALLOWED, PERMITS, remaining[i], 0,
					 wants[i]));
		/* one sleep; two if the scheduler interrupted it */
		EXPECT_GE(2, v->sleeps);
	}
	EXPECT_EQ(0, waiting(self));
	EXPECT_EQ(7, gate_stats(self->fd, self->gate).acquired);
}

/* A newcomer does not overtake waiters, whether it is willing to wait or not. */
TEST_F(gate_wait, no_barging)
{
	struct weir_op op;

	take(self, 6);
	begin(self, 0, 5);
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1, 0));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 4, 0, 6));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1,
			      info_get(self->fd).now + 50 * MS));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 4, 0, 6));
	EXPECT_TRUE(is_asleep(self, 0));
	EXPECT_EQ(1, waiting(self));
	give(self, 1);
	EXPECT_EQ(0, served(self, 0)->result);
	EXPECT_EQ(WEIR_LIMITED, gate_try(self->fd, self->gate, NULL, 1));
}

TEST_F(gate_wait, deadline)
{
	__u64 since = now_ns();
	struct weir_gate_stats s;
	struct weir_op op;

	take(self, 4);
	begin(self, 0, 7);
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 2,
			      info_get(self->fd).now + 100 * MS));
	EXPECT_LE(100 * MS, now_ns() - since);
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 6, 0, 4));
	EXPECT_EQ(1, waiting(self));
	s = gate_stats(self->fd, self->gate);
	EXPECT_EQ(1, s.timeouts);
	EXPECT_EQ(1, s.refused);
	EXPECT_EQ(4, s.in_use);
}

/* When the first waiter times out, the waiters behind it may be granted. */
TEST_F(gate_wait, deadline_of_the_first)
{
	take(self, 4);
	visitor_begin(self->all, 0, self->fd, self->gate, NULL, 8,
		      info_get(self->fd).now + 1500 * MS);
	until_asleep(self->all->visitor[0].pid);
	begin(self, 1, 3);
	begin(self, 2, 3);
	begin(self, 3, 1);
	EXPECT_EQ(WEIR_LIMITED, served(self, 0)->op.verdict);
	EXPECT_EQ(0, served(self, 0)->result);
	EXPECT_EQ(0, served(self, 1)->result);
	EXPECT_EQ(0, served(self, 2)->result);
	EXPECT_TRUE(is_asleep(self, 3));
	EXPECT_EQ(0, gate_free(self->fd, self->gate, NULL));
}

TEST_F(gate_wait, signals)
{
	take(self, 7);
	begin(self, 0, 5);
	begin(self, 1, 4);
	begin(self, 2, 1);
	begin(self, 3, 2);
	/* a waiter in the middle leaves: no other is granted */
	kill(self->all->visitor[1].pid, SIGUSR1);
	EXPECT_EQ(-EINTR, served(self, 1)->result);
	EXPECT_TRUE(is_asleep(self, 0));
	EXPECT_TRUE(is_asleep(self, 2));
	EXPECT_EQ(3, waiting(self));
	/* the first waiter is killed */
	visitor_kill(self->all, 0);
	self->all->visitor[0].pid = 0;
	EXPECT_EQ(0, served(self, 2)->result);
	EXPECT_EQ(0, served(self, 3)->result);
	leave(self, 1);
	leave(self, 2);
	leave(self, 3);
	/* waiters that left have acquired nothing */
	EXPECT_EQ(7, gate_stats(self->fd, self->gate).in_use);
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
	EXPECT_EQ(0, waiting(self));
}

/* A waiter that is stopped and continued keeps waiting, at the end of the queue. */
TEST_F(gate_wait, stopped)
{
	int status;

	take(self, PERMITS);
	begin(self, 0, 1);
	begin(self, 1, 1);
	kill(self->all->visitor[0].pid, SIGSTOP);
	waitpid(self->all->visitor[0].pid, &status, WUNTRACED);
	kill(self->all->visitor[0].pid, SIGCONT);
	EXPECT_TRUE(is_asleep(self, 0));
	while (waiting(self) != 2)
		usleep(1000);
	give(self, 1);
	EXPECT_EQ(0, served(self, 1)->result);
	EXPECT_TRUE(is_asleep(self, 0));
	give(self, 1);
	EXPECT_EQ(0, served(self, 0)->result);
}

/* The ops of a batch before the signal are performed. */
static void *interrupt(void *arg)
{
	until_asleep(*(pid_t *)arg);
	kill(getpid(), SIGUSR1);
	return NULL;
}

TEST_F(gate_wait, signal_in_a_batch)
{
	struct sigaction action = { .sa_handler = visitor_noted, .sa_flags = SA_RESTART };
	struct weir_op ops[3];
	pid_t me = syscall(SYS_gettid);
	sigset_t block;
	pthread_t thread;
	__u32 done;

	visitor_begin(self->all, 0, self->fd, self->gate, NULL, 6, WEIR_NEVER);
	served(self, 0);
	ops[0] = op_make(WEIR_OP_ACQUIRE, self->gate, 3);
	ops[1] = op_make(WEIR_OP_ACQUIRE, self->gate, 2);
	ops[1].arg = WEIR_NEVER;
	ops[2] = op_make(WEIR_OP_RELEASE, self->gate, 3);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, &me));
	pthread_sigmask(SIG_UNBLOCK, &block, NULL);
	EXPECT_EQ(0, submit(self->fd, ops, 3, &done));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, done);
	EXPECT_EQ(9, gate_stats(self->fd, self->gate).in_use);
	EXPECT_EQ(0, waiting(self));
}

TEST_F(gate_wait, nonblock)
{
	struct weir_op op;

	take(self, PERMITS - 1);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	/* the same for a request that cannot be granted */
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 2,
			      WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 1, 0, PERMITS - 1));
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).timeouts);
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1,
			      WEIR_NEVER));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
}

TEST_F(gate_wait, queue_max)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);
	struct weir_op op;

	config.queue_max = 2;
	ASSERT_EQ(0, gate_set(self->fd, self->gate, WEIR_SET_QUEUE_MAX, &config));
	begin(self, 9, PERMITS);	/* not by the test itself: that would be EDEADLK */
	served(self, 9);
	begin(self, 0, 1);
	begin(self, 1, 1);
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1,
			      WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_LIMITED, PERMITS, 0, 0, 0));
	EXPECT_EQ(2, waiting(self));
	/* present waiters stay, even above the new limit */
	config.queue_max = 1;
	ASSERT_EQ(0, gate_set(self->fd, self->gate, WEIR_SET_QUEUE_MAX, &config));
	EXPECT_EQ(2, waiting(self));
	leave(self, 9);
	EXPECT_EQ(0, served(self, 0)->result);
	EXPECT_EQ(0, served(self, 1)->result);
}

TEST_F(gate_wait, resize)
{
	take(self, PERMITS);
	begin(self, 0, 2);
	begin(self, 1, 9);
	begin(self, 2, 3);
	/* additional permits go to the waiters in order */
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 12));
	EXPECT_EQ(0, served(self, 0)->result);
	EXPECT_TRUE(is_asleep(self, 1));
	/* a request for more than the gate has fails; the waiter behind it moves up */
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 8));
	EXPECT_EQ(-E2BIG, served(self, 1)->result);
	EXPECT_TRUE(is_asleep(self, 2));
	EXPECT_EQ(1, waiting(self));
	/* 12 of 8 are held, and the waiter wants 3: it is granted when 7 are back */
	give(self, 6);
	EXPECT_TRUE(is_asleep(self, 2));
	EXPECT_EQ(2, gate_free(self->fd, self->gate, NULL));
	give(self, 1);
	EXPECT_EQ(0, served(self, 2)->result);
	EXPECT_EQ(0, gate_free(self->fd, self->gate, NULL));
	EXPECT_EQ(8, gate_stats(self->fd, self->gate).in_use);
}

/* The gate is deleted: all waiters end, also those that are not first. */
TEST_F(gate_wait, deletion)
{
	take(self, 8);
	begin(self, 0, 10);
	begin(self, 1, 1);
	begin(self, 2, 1);
	ASSERT_EQ(0, object_delete(self->fd, self->gate));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENODEV, served(self, i)->result);
}

/* A request that only its own holder could satisfy fails at once; with tag 0 it never does. */
TEST_F(gate_wait, deadlock)
{
	__u64 soon;

	ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 7, self->gate, NULL, 2, 0));
	ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 7, self->gate, NULL, 2, 0));
	EXPECT_EQ(-EDEADLK, gate_get_as(self->fd, 7, self->gate, NULL, 7, WEIR_NEVER));
	/* others hold the rest and may release it */
	begin(self, 0, 3);
	served(self, 0);
	soon = info_get(self->fd).now + 20 * MS;
	EXPECT_EQ(WEIR_LIMITED, gate_get_as(self->fd, 7, self->gate, NULL, 6, soon));
	/* permits of another tag of the same file do not count */
	EXPECT_EQ(WEIR_LIMITED, gate_get_as(self->fd, 8, self->gate, NULL, 7, soon));
	take(self, 3);
	EXPECT_EQ(WEIR_LIMITED, gate_get_as(self->fd, 0, self->gate, NULL, 8, soon));
	EXPECT_EQ(0, waiting(self));
}

/* A request becomes impossible while it waits. */
static void holds_and_wants(FIXTURE_DATA(gate_wait) *self, __s64 has)
{
	struct visitor *v = &self->all->visitor[0];
	pid_t pid = fork();

	if (!pid) {
		int fd = client_alone(self->fd);

		if (gate_get_as(fd, 5, self->gate, NULL, has, 0) != WEIR_ALLOWED)
			abort();
		v->ready = 1;
		v->result = gate_get_as(fd, 5, self->gate, NULL, 3, WEIR_NEVER);
		v->done = 1;
		for (;;)
			pause();
	}
	v->pid = pid;
	while (!v->ready)
		usleep(100);
	until_asleep(pid);
}

TEST_F(gate_wait, deadlock_by_resize)
{
	take(self, 6);
	holds_and_wants(self, 3);
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 6));
	EXPECT_TRUE(is_asleep(self, 0));
	ASSERT_EQ(0, gate_resize(self->fd, self->gate, 5));
	EXPECT_EQ(-EDEADLK, served(self, 0)->result);
	EXPECT_EQ(9, gate_stats(self->fd, self->gate).in_use);
}

struct thread {
	FIXTURE_DATA(gate_wait) *self;
	_Atomic pid_t tid;
	_Atomic int stage, result;
};

static void *two_then_six(void *arg)
{
	struct thread *t = arg;
	struct weir_op op;

	t->tid = syscall(SYS_gettid);
	take(t->self, 2);
	t->stage = 1;
	t->result = gate_run(t->self->fd, &op, WEIR_OP_ACQUIRE, t->self->gate, NULL, 6,
			     WEIR_NEVER) ?: (int)op.verdict;
	t->stage = 2;
	return NULL;
}

/* With tag 0 the threads of a process share their permits: another thread may release. */
TEST_F(gate_wait, threads_are_no_deadlock)
{
	struct thread t = { .self = self };
	pthread_t thread;

	take(self, 4);
	ASSERT_EQ(0, pthread_create(&thread, NULL, two_then_six, &t));
	while (!t.stage)
		usleep(100);
	until_asleep(t.tid);
	EXPECT_EQ(1, t.stage);
	/* this thread can release what the other one acquired */
	give(self, 2);
	pthread_join(thread, NULL);
	EXPECT_EQ(WEIR_ALLOWED, t.result);
	give(self, PERMITS);
}

static void *release_later(void *arg)
{
	struct thread *t = arg;

	until_asleep(t->tid);
	give(t->self, 1);
	return NULL;
}

/* No deadlock either if one thread acquires all permits and others release them. */
TEST_F(gate_wait, threads_release_for_another)
{
	struct thread t = { .self = self, .tid = syscall(SYS_gettid) };
	struct weir_op op;
	pthread_t thread;

	take(self, PERMITS);
	ASSERT_EQ(0, pthread_create(&thread, NULL, release_later, &t));
	ASSERT_EQ(0, gate_run(self->fd, &op, WEIR_OP_ACQUIRE, self->gate, NULL, 1,
			      WEIR_NEVER));
	EXPECT_TRUE(gate_answers(&op, WEIR_ALLOWED, PERMITS, 0, 0, PERMITS));
	pthread_join(thread, NULL);
	/* the thread is alone again, which makes no difference */
	EXPECT_EQ(WEIR_LIMITED, gate_get_as(self->fd, 0, self->gate, NULL, 1,
					    info_get(self->fd).now + 10 * MS));
}

/* Keys are independent. */
TEST_F(gate_wait, keys)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, 2);
	static const __u64 a = 1, b = 2;
	struct weir_op op;
	__u32 gate;

	config.max_keys = 2;
	ASSERT_EQ(0, gate_create(self->fd, OURS "keyed", &config, &gate));
	ASSERT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &a, 1));
	visitor_wait(self->all, 0, self->fd, gate, &a, 2);
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &b, 2));
	op = gate_state(self->fd, gate, &a);
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, 2, 1, 1, 1));
	op = gate_state(self->fd, gate, &b);
	EXPECT_TRUE(gate_answers(&op, WEIR_NONE, 2, 0, 0, 2));
	ASSERT_EQ(0, gate_release(self->fd, gate, &b, 2));
	EXPECT_TRUE(is_asleep(self, 0));
	/* a key with waiters is not dropped to make room; a key without both is */
	EXPECT_EQ(WEIR_ALLOWED, gate_try(self->fd, gate, &(__u64){ 3 }, 1));
	EXPECT_EQ(WEIR_FULL, gate_try(self->fd, gate, &b, 1));
	ASSERT_EQ(0, gate_release(self->fd, gate, &a, 1));
	EXPECT_EQ(0, served(self, 0)->result);
	EXPECT_TRUE(gate_answers(&self->all->visitor[0].op, WEIR_ALLOWED, 2, 0, 0, 2));
}

/* ------------------------------------------------------------ comparison with a model */

enum { ABSENT, WAITS, HAS, TOO_BIG };

struct model {
	__u32 permits, in_use;
	int state[16], queue[16], length;
	__s64 n[16];
};

/* Grant to the first request while its permits are free. If it can never fit, it fails. */
static void model_serve(struct model *m)
{
	int kept = 0;

	for (int i = 0; i < m->length; i++) {
		int who = m->queue[i];

		if (m->n[who] > m->permits)
			m->state[who] = TOO_BIG;
		else
			m->queue[kept++] = who;
	}
	m->length = kept;
	while (m->length && m->in_use + m->n[m->queue[0]] <= m->permits) {
		m->state[m->queue[0]] = HAS;
		m->in_use += m->n[m->queue[0]];
		memmove(m->queue, m->queue + 1, --m->length * sizeof(*m->queue));
	}
}

static void model_drop(struct model *m, int who)
{
	int kept = 0;

	for (int i = 0; i < m->length; i++)
		if (m->queue[i] != who)
			m->queue[kept++] = m->queue[i];
	m->length = kept;
	if (m->state[who] == HAS)
		m->in_use -= m->n[who];
	m->state[who] = ABSENT;
	model_serve(m);
}

static void step(FIXTURE_DATA(gate_wait) *self, struct model *m)
{
	int who = rand() % 16;

	if (rand() % 12 == 0) {
		m->permits = 1 + rand() % PERMITS;
		if (gate_resize(self->fd, self->gate, m->permits))
			abort();
		model_serve(m);
	} else if (m->state[who] == ABSENT) {
		m->n[who] = 1 + rand() % m->permits;
		visitor_begin(self->all, who, self->fd, self->gate, NULL, m->n[who],
			      WEIR_NEVER);
		m->state[who] = WAITS;
		m->queue[m->length++] = who;
		model_serve(m);
	} else {
		visitor_kill(self->all, who);
		self->all->visitor[who].pid = 0;
		model_drop(m, who);
	}
}

static bool agrees(FIXTURE_DATA(gate_wait) *self, const struct model *m)
{
	struct weir_op op;

	for (int i = 0; i < 16; i++) {
		if (m->state[i] == WAITS && !is_asleep(self, i))
			return false;
		if (m->state[i] == HAS && served(self, i)->result)
			return false;
		if (m->state[i] == TOO_BIG && served(self, i)->result != -E2BIG)
			return false;
	}
	op = gate_state(self->fd, self->gate, NULL);
	return op.limit == m->permits && op.waiting == (__u32)m->length &&
	       op.remaining == m->permits - (m->in_use < m->permits ? m->in_use :
							      m->permits) &&
	       gate_stats(self->fd, self->gate).in_use == m->in_use;
}

TEST_F(gate_wait, model)
{
	struct model m = { .permits = PERMITS };

	srand(1);
	for (int i = 0; i < scaled(150); i++) {
		step(self, &m);
		ASSERT_TRUE(agrees(self, &m)) {
			TH_LOG("step %d", i);
		}
	}
}

TEST_HARNESS_MAIN
