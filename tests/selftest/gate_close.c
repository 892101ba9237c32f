// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_close - descriptors are closed while other threads acquire
 *
 * An operation keeps the open file, so its permits belong to the file when it returns. No permit
 * may vanish while there is a reference, and none may stay when the last one is gone.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/socket.h>

#include "descriptor.h"
#include "gate.h"
#include "random.h"

#define PERMITS	10
#define ROUNDS	scaled(2000)

FIXTURE(close) {
	int fd;
	__u32 gate;
	int pair[2];		/* files sent here stay in flight */
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
	int delay;
	_Atomic pid_t tid;
	_Atomic int go;
	int result;
	__u32 verdict, held;
};

static void spin(int turns)
{
	for (volatile int i = 0; i < turns; i++)
		;
}

static void *acquire_one(void *arg)
{
	struct thread *t = arg;
	struct weir_op op;

	t->tid = syscall(SYS_gettid);
	while (!t->go)
		;
	spin(t->delay);
	t->result = gate_run(t->fd, &op, WEIR_OP_ACQUIRE, t->gate, NULL, 1, t->until);
	t->verdict = op.verdict;
	t->held = op.held;
	return NULL;
}

static void *close_it(void *arg)
{
	struct thread *t = arg;

	while (!t->go)
		;
	spin(t->delay);
	close(t->fd);
	return NULL;
}

/*
 * A waiter is granted after the last descriptor was closed: its permits come back when the call
 * returns.
 */
TEST_F(close, while_waiting)
{
	struct thread t = { .until = WEIR_NEVER, .go = 1 };
	pthread_t thread;

	gate_take(self->fd, self->gate, PERMITS);
	t.fd = gate_enter(&t.gate);
	ASSERT_EQ(0, pthread_create(&thread, NULL, acquire_one, &t));
	while (!t.tid)
		usleep(100);
	until_asleep(t.tid);
	close(t.fd);
	EXPECT_EQ(1, gate_state(self->fd, self->gate, NULL).waiting);
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 2));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.result);
	EXPECT_EQ(WEIR_ALLOWED, t.verdict);
	EXPECT_EQ(1, t.held);
	EXPECT_EQ(8, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(1, gate_stats(self->fd, self->gate).reclaimed);
}

/* The same, but a message in flight has the file: the permits stay. */
TEST_F(close, while_waiting_with_a_message_under_way)
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
	EXPECT_EQ(0, gate_release(self->fd, self->gate, NULL, 2));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.result);
	EXPECT_EQ(9, gate_in_use(self->fd, self->gate));
	fd = fd_receive(self->pair[1]);
	EXPECT_EQ(1, gate_state(fd, t.gate, NULL).held);
	EXPECT_EQ(0, gate_release(fd, t.gate, NULL, 1));
	close(fd);
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).reclaimed);
}

/* One thread acquires, another closes the descriptor: permits that were reported are held. */
TEST_F(close, told_is_had)
{
	unsigned int late = 0, seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		struct thread a = { .delay = next(&seed) % 3000 }, b;
		pthread_t one, two;
		int fd, held;

		a.fd = gate_enter(&a.gate);
		gate_take(a.fd, a.gate, 1);
		fd_send(self->pair[0], a.fd);
		b = a;
		b.delay = next(&seed) % 3000;
		ASSERT_EQ(0, pthread_create(&one, NULL, acquire_one, &a));
		ASSERT_EQ(0, pthread_create(&two, NULL, close_it, &b));
		a.go = 1;
		b.go = 1;
		pthread_join(one, NULL);
		pthread_join(two, NULL);
		fd = fd_receive(self->pair[1]);
		held = gate_state(fd, a.gate, NULL).held;
		if (a.result) {
			/* the system call found no file */
			ASSERT_EQ(-EBADF, a.result);
			ASSERT_EQ(1, held);
			late++;
		} else {
			ASSERT_EQ(2, a.held);
			ASSERT_EQ(2, held) {
				TH_LOG("round %d", i);
			}
		}
		ASSERT_EQ(held, gate_in_use(self->fd, self->gate));
		close(fd);
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate));
	}
	TH_LOG("%u of %u found no file", late, ROUNDS);
}

/* One thread closes the last descriptor. Another has received the file and acquires. */
TEST_F(close, received_again)
{
	unsigned int seed = 2;

	for (int i = 0; i < ROUNDS; i++) {
		struct thread t = { .delay = next(&seed) % 3000 };
		pthread_t thread;
		int fd;

		t.fd = gate_enter(&t.gate);
		gate_take(t.fd, t.gate, 1);
		fd_send(self->pair[0], t.fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, close_it, &t));
		t.go = 1;
		spin(next(&seed) % 3000);
		fd = fd_receive(self->pair[1]);
		gate_take(fd, t.gate, 2);
		pthread_join(thread, NULL);
		ASSERT_EQ(3, gate_state(fd, t.gate, NULL).held) {
			TH_LOG("round %d", i);
		}
		ASSERT_EQ(3, gate_in_use(self->fd, self->gate));
		close(fd);
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate));
	}
}

/*
 * Two threads acquire through two descriptors, and one descriptor is closed: no permits of the
 * other are lost.
 */
TEST_F(close, two_acquire)
{
	unsigned int seed = 3;

	for (int i = 0; i < ROUNDS; i++) {
		struct thread a = { .delay = next(&seed) % 3000 }, b, c;
		pthread_t one, two, three;
		unsigned int got;

		a.fd = gate_enter(&a.gate);
		b = a;
		b.fd = dup(a.fd);
		b.delay = next(&seed) % 3000;
		c = a;
		c.delay = next(&seed) % 3000;
		ASSERT_EQ(0, pthread_create(&one, NULL, acquire_one, &a));
		ASSERT_EQ(0, pthread_create(&two, NULL, acquire_one, &b));
		ASSERT_EQ(0, pthread_create(&three, NULL, close_it, &c));
		a.go = 1;
		b.go = 1;
		c.go = 1;
		pthread_join(one, NULL);
		pthread_join(two, NULL);
		pthread_join(three, NULL);
		ASSERT_EQ(0, b.result);
		got = 1 + !a.result;
		ASSERT_EQ(got, gate_state(b.fd, b.gate, NULL).held);
		ASSERT_EQ(0, gate_release(b.fd, b.gate, NULL, got));
		ASSERT_EQ(0, gate_in_use(self->fd, self->gate));
		close(b.fd);
	}
	EXPECT_EQ(0, gate_stats(self->fd, self->gate).reclaimed);
}

/* One thread drops its tag repeatedly, another acquires: each permit comes back once. */
static void *drop_often(void *arg)
{
	struct thread *t = arg;

	while (!t->go)
		tag_drop(t->fd, 9);
	return NULL;
}

TEST_F(close, drop_meanwhile)
{
	struct thread t = { .fd = self->fd };
	unsigned int had = 0, lost = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, drop_often, &t));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(WEIR_ALLOWED, gate_get_as(self->fd, 9, self->gate, NULL, 2, 0));
		gate_take(self->fd, self->gate, 3);
		if (gate_release_as(self->fd, 9, self->gate, NULL, 2))
			lost++;
		else
			had++;
		ASSERT_EQ(0, gate_release(self->fd, self->gate, NULL, 3));
	}
	t.go = 1;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(2 * lost, gate_stats(self->fd, self->gate).reclaimed);
	TH_LOG("%u released, %u dropped", had, lost);
}

TEST_HARNESS_MAIN
