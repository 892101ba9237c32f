/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gate_poll - a gate whose permits are waited for with poll()
 *
 * The file of the test holds the permits in use. Other files are open in the same process and are
 * other holders.
 */
#ifndef _WEIR_SELFTEST_GATE_POLL_H
#define _WEIR_SELFTEST_GATE_POLL_H

#include "queued.h"

#define PERMITS	10

FIXTURE(gate_poll) {
	int fd, me;
	__u32 gate, mine;
	struct visitors *all;
};

FIXTURE_SETUP(gate_poll)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, PERMITS);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, gate_create(self->fd, OURS "gate", &config, &self->gate));
	self->me = gate_enter(&self->mine);
	self->all = shared_memory(sizeof(*self->all));
}

FIXTURE_TEARDOWN(gate_poll)
{
	for (int i = 0; i < 64; i++)
		if (self->all->visitor[i].pid)
			visitor_kill(self->all, i);
	close(self->me);
	close(self->fd);
	objects_wipe();
}

static inline void take(FIXTURE_DATA(gate_poll) *self, __s64 n)
{
	gate_take(self->fd, self->gate, n);
}

static inline void give(FIXTURE_DATA(gate_poll) *self, __s64 n)
{
	if (gate_release(self->fd, self->gate, NULL, n))
		abort();
}

static inline int mine(FIXTURE_DATA(gate_poll) *self, __s64 n)
{
	return queue(self->me, self->mine, NULL, n, WEIR_NEVER);
}

static inline __u32 waiting(FIXTURE_DATA(gate_poll) *self)
{
	__u32 n = gate_state(self->fd, self->gate, NULL).waiting;

	return n == gate_stats(self->fd, self->gate).waiting ? n : ~0U;
}

static inline __u64 later(FIXTURE_DATA(gate_poll) *self, __u64 ns)
{
	return info_get(self->fd).now + ns;
}

/* Make a gate with keys, and open it in both files. */
static inline int keyed_make(FIXTURE_DATA(gate_poll) *self, __u32 permits, __u64 max_keys,
		      __u32 *gate, __u32 *other)
{
	struct weir_gate_config config = gate_config(WEIR_KEY_U64, permits);

	config.max_keys = max_keys;
	return gate_create(self->fd, OURS "keyed", &config, gate) ?:
	       object_open(self->me, WEIR_KIND_GATE, OURS "keyed", WEIR_RIGHT_ALL, other);
}

static inline void sleeper(FIXTURE_DATA(gate_poll) *self, int i, __s64 n)
{
	visitor_wait(self->all, i, self->fd, self->gate, NULL, n);
}

#endif /* _WEIR_SELFTEST_GATE_POLL_H */
