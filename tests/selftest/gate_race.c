// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate_race - many processes use a gate with few keys: never too many permits, and nothing left
 *
 * Half of the processes are killed and replaced again and again, at random points. The others
 * record the permits that they hold. The sum must never exceed the permits, and permits of dead
 * processes come back.
 */
#include "harness.h"

#include "gate.h"
#include "shoot.h"

#define KEYS	3
#define PERMITS	5
#define STEADY	8
#define TURNS	scaled(400)

struct account {
	_Atomic long held[KEYS];	/* permits held by processes that are not killed */
	_Atomic long granted, released, too_many, bad;
	_Atomic long short_granted;
	_Atomic int over;
};

FIXTURE(gate_race) {
	int fd;
	__u32 gate;
	struct account *account;
};

FIXTURE_SETUP(gate_race)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.max_keys = KEYS;
	ASSERT_EQ(0, gate_create(self->fd, OURS "race", &config, &self->gate));
	self->account = shared_memory(sizeof(*self->account));
}

FIXTURE_TEARDOWN(gate_race)
{
	close(self->fd);
	objects_wipe();
}

static __u64 until(int fd, unsigned int chance)
{
	switch (chance % 4) {
	case 0:
		return 0;
	case 1:
		return info_get(fd).now + 200000;
	default:
		return WEIR_NEVER;
	}
}

static int own_file(FIXTURE_DATA(gate_race) *self, unsigned int me, __u32 *gate)
{
	int fd;

	/* some processes have a duplicate of the test's client */
	*gate = self->gate;
	fd = me % 2 ? client_open(O_RDWR) : client_dup(self->fd, 0);
	if (me % 2 && object_open(fd, WEIR_KIND_GATE, OURS "race", WEIR_RIGHT_ALL, gate))
		_exit(9);
	return fd;
}

static int steady(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(gate_race) *self = arg;
	struct account *a = self->account;
	unsigned int seed = me + 1;
	struct weir_op op;
	__u32 gate;
	int fd = own_file(self, me, &gate);

	for (int i = 0; i < TURNS; i++) {
		__u64 key = next(&seed) % KEYS;
		long n = 1 + next(&seed) % PERMITS, held;
		int ret = gate_run(fd, &op, WEIR_OP_ACQUIRE, gate, &key, n,
				   until(fd, next(&seed)));

		crowd->seat[me].begun++;
		if (ret || op.verdict == WEIR_FULL) {
			a->bad++;
			continue;
		}
		if (op.verdict != WEIR_ALLOWED)
			continue;
		a->granted++;
		held = a->held[key] += n;
		if (held > PERMITS || op.held != n || op.remaining > (__u64)(PERMITS - n))
			a->too_many++;
		if (next(&seed) % 4 == 0)
			sched_yield();
		a->held[key] -= n;
		if (gate_release(fd, gate, &key, n))
			a->bad++;
		a->released++;
	}
	return 0;
}

/* Work until killed, and count the reported grants. */
static void short_lived(void *arg, unsigned int me, unsigned int seed)
{
	FIXTURE_DATA(gate_race) *self = arg;
	struct account *a = self->account;
	struct weir_op op;
	__u32 gate;
	int fd = own_file(self, me, &gate);

	for (;;) {
		__u64 key = next(&seed) % KEYS;
		long n = 1 + next(&seed) % PERMITS;

		if (gate_run(fd, &op, WEIR_OP_ACQUIRE, gate, &key, n,
			     until(fd, next(&seed))))
			_exit(1);
		if (op.verdict != WEIR_ALLOWED)
			continue;
		a->short_granted++;
		if (next(&seed) % 4 == 0)
			usleep(100);
		if (gate_release(fd, gate, &key, n))
			_exit(2);
	}
}

TEST_F_TIMEOUT(gate_race, storm, 400)
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
	EXPECT_EQ(0, s.in_use);
	EXPECT_EQ(0, s.waiting);
	for (__u64 key = 0; key < KEYS; key++) {
		struct weir_op op = gate_state(self->fd, self->gate, &key);

		EXPECT_TRUE(gate_answers(&op, WEIR_NONE, PERMITS, PERMITS, 0, 0));
		EXPECT_EQ(0, a->held[key]);
	}
	EXPECT_EQ(0, a->bad);
	EXPECT_EQ(0, a->too_many);
	EXPECT_EQ(a->granted, a->released);
	EXPECT_LT(0, a->granted);
	/* a killed process may have been granted permits that were not reported */
	EXPECT_LE(a->granted + a->short_granted, s.acquired);
	EXPECT_GE(a->granted + a->short_granted + shot, s.acquired);
	EXPECT_GE(shot * PERMITS, s.reclaimed);
	EXPECT_EQ(0, s.full);
	TH_LOG("%ld and %ld granted, %lu shot, %llu reclaimed, %llu in vain",
	       (long)a->granted, (long)a->short_granted, shot,
	       (unsigned long long)s.reclaimed, (unsigned long long)s.timeouts);
	/* the sweep drops the keys */
	while (gate_stats(self->fd, self->gate).keys)
		usleep(50000);
	crowd_free(crowd);
}

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
		struct weir_op op;
		int ret;

		create.flags = WEIR_CREATE_EXISTING_OK;
		if (call(fd, WEIR_IOC_CREATE, &create))
			return 1;
		ret = gate_run(fd, &op, WEIR_OP_ACQUIRE, create.handle, &key, 1,
			       WEIR_NEVER);
		if (ret && ret != -ENODEV)
			return 2;
		crowd->seat[me].done += !ret;
		/* with permits held and with waiters: both are gone */
		if (i % 2)
			object_delete(fd, create.handle);
		else
			gate_release(fd, create.handle, &key, 1);
		if (handle_close(fd, create.handle))
			return 3;
	}
	return 0;
}

TEST_F(gate_race, deletion)
{
	struct crowd *crowd = crowd_make(8);

	EXPECT_EQ(0, crowd_run(crowd, make_and_delete, self));
	EXPECT_LT(0, crowd_done(crowd));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
