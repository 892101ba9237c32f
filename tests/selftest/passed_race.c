// SPDX-License-Identifier: GPL-2.0-only
/*
 * passed_race - clients are sent to other processes while they are closed, duplicated and inherited
 * by programs
 *
 * Processes send clients to each other. They acquire permits with the clients that they receive,
 * and close them, dup2() over them, or let a program that they execute inherit them. Permits that a
 * process has acquired and not released are held as long as the process has a descriptor, whatever
 * others do with theirs. Each permit comes back exactly once.
 */
#include "harness.h"

#include <sys/socket.h>

#include "descriptor.h"
#include "gate.h"
#include "random.h"

#define PROCESSES	4
#define ROUNDS		scaled(1500)
#define PERMITS		1000000
#define PLACES		3	/* descriptors of a process that can be sent */
#define PLACE		100	/* number of the first such descriptor */

struct shared {
	_Atomic long acquired, kept;	/* permits; kept: not released before the client ended */
	_Atomic long wrong, received, executed;
};

FIXTURE(passed) {
	int fd, pair[2];
	__u32 gate;
	struct shared *shared;
};

FIXTURE_SETUP(passed)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, self->pair));
	self->shared = shared_memory(sizeof(*self->shared));
}

FIXTURE_TEARDOWN(passed)
{
	close(self->fd);
	objects_wipe();
}

/* A program that inherits @fd for a moment and nothing else. The caller may close its own. */
static pid_t program_leave(struct shared *s, int fd)
{
	pid_t pid = fork();

	if (!pid) {
		dup2(fd, 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	s->executed++;
	return pid;
}

/* Acquire as holder @tag, which only this process is, maybe lose descriptors, and release. */
static void use(struct shared *s, unsigned int *seed, int place, __u32 gate, __u32 tag)
{
	int n = 1 + next(seed) % 3, fd = place;

	if (gate_get_as(fd, tag, gate, NULL, n, 0) != WEIR_ALLOWED) {
		s->wrong++;
		return;
	}
	s->acquired += n;
	if (next(seed) % 2) {
		fd = dup(place);
		close(place);
	}
	if (gate_held_as(fd, tag, gate, NULL) < (__u32)n)
		s->wrong++;
	if (!(next(seed) % 8))
		s->kept += n;
	else if (gate_release_as(fd, tag, gate, NULL, n))
		s->wrong++;
	if (fd != place) {
		dup2(fd, place);
		close(fd);
	}
}

static void round_run(FIXTURE_DATA(passed) *self, unsigned int *seed, __u32 tag)
{
	int place = PLACE + next(seed) % PLACES, fd;
	struct shared *s = self->shared;
	__u32 gate;
	pid_t pid = 0;

	switch (next(seed) % 5) {
	case 0:
		fd = gate_enter(&gate);
		dup2(fd, place);
		close(fd);
		break;
	case 1:
		fd = fd_receive_flags(self->pair[1], MSG_DONTWAIT);
		if (fd < 0)
			break;
		s->received++;
		dup2(fd, place);
		close(fd);
		break;
	case 2:
		if (fcntl(place, F_GETFD) >= 0 && !fd_send_try(self->pair[0], place))
			break;
		if (next(seed) % 2)
			close(place);
		break;
	case 3:
		if (!(next(seed) % 4) && fcntl(place, F_GETFD) >= 0)
			pid = program_leave(s, place);
		if (pid)
			close(place);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		break;
	default:
		if (fcntl(place, F_GETFD) >= 0)
			use(s, seed, place, 1, tag);
	}
}

TEST_F(passed, around)
{
	struct weir_gate_stats stats;
	struct shared *s = self->shared;
	pid_t pid[PROCESSES];
	int fd, status;

	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		unsigned int seed = i + 1;

		pid[i] = fork();
		if (pid[i])
			continue;
		close(self->fd);
		for (int round = 0; round < ROUNDS; round++)
			round_run(self, &seed, i + 1);
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	while ((fd = fd_receive_flags(self->pair[1], MSG_DONTWAIT)) >= 0)
		close(fd);
	stats = gate_stats(self->fd, self->gate);
	EXPECT_EQ(0, s->wrong);
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(s->kept, stats.reclaimed);
	EXPECT_LT(0, s->kept);
	TH_LOG("%ld acquired, %ld kept, %ld received, %ld executed", s->acquired, s->kept,
	       s->received, s->executed);
}

/* A message that refers only to itself: the kernel frees it some time after the last close. */
TEST_F(passed, in_a_cycle_of_sockets)
{
	int fd, other[2];
	__u32 gate;

	fd = gate_enter(&gate);
	gate_take(fd, gate, 3);
	ASSERT_TRUE(fd_send_try(self->pair[0], fd));
	ASSERT_TRUE(fd_send_try(self->pair[0], self->pair[0]));
	ASSERT_TRUE(fd_send_try(self->pair[0], self->pair[1]));
	close(fd);
	EXPECT_EQ(3, gate_in_use(self->fd, self->gate));
	close(self->pair[0]);
	close(self->pair[1]);
	for (int i = 0; i < 1000 && gate_in_use(self->fd, self->gate); i++) {
		/* the kernel looks for such messages when a socket is closed */
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
		close(other[0]);
		close(other[1]);
		usleep(10000);
	}
	EXPECT_EQ(0, gate_in_use(self->fd, self->gate));
	EXPECT_EQ(3, gate_stats(self->fd, self->gate).reclaimed);
}

TEST_HARNESS_MAIN
