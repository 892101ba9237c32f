// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve_async_race - concurrent grants, cancels, drops and closes of requests
 *
 * Tokens come back only once a day, so the process that is charged a token refunds it. At the end
 * the number of tokens is exact, and each answer was returned once.
 */
#include "harness.h"

#include "crowd.h"
#include "queued.h"
#include "random.h"

#define MEMBERS	6
#define TAGS	5
#define BURST	3
#define ROUNDS	3000
#define KEYS	2

FIXTURE(reserve_async_race) {
	int fd;
	__u32 l;
};

FIXTURE_SETUP(reserve_async_race)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	config.tokens = 1;
	config.burst = BURST;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "race", &config, &self->l));
}

FIXTURE_TEARDOWN(reserve_async_race)
{
	close(self->fd);
	objects_wipe();
}

struct member {
	int fd;
	__u32 l;
	struct seat *seat;
};

static struct weir_op op_of(const struct member *m, __u16 opcode, __u32 tag, __u64 key)
{
	struct weir_op op = op_make(opcode, m->l, opcode != WEIR_OP_RESERVE_CANCEL);

	if (opcode != WEIR_OP_REFUND)
		op.tag = tag;
	op_key(&op, &key, sizeof(key));
	return op;
}

/* Count a charged token. Refund it, except for the last key. */
static void got_one(struct member *m, __u64 key)
{
	struct weir_op op = op_of(m, WEIR_OP_REFUND, 0, key);

	m->seat->done++;
	if (key == KEYS)
		return;
	if (op_run(m->fd, &op))
		abort();
}

static void reserve(struct member *m, __u32 tag, __u64 key)
{
	struct weir_op op = op_of(m, WEIR_OP_RESERVE, tag, key);
	int ret;

	op.flags = WEIR_OP_ASYNC;
	op.arg = WEIR_NEVER;
	ret = op_run(m->fd, &op);
	if (ret && ret != -EEXIST)
		abort();
	if (!ret && op.verdict == WEIR_ALLOWED)
		got_one(m, key);
	else if (!ret && op.verdict != WEIR_QUEUED)
		abort();
}

static void collect_all(struct member *m)
{
	struct weir_op ops[8];
	int n;

	do {
		n = collect_run(m->fd, ops, 8);
		if (n < 0)
			abort();
		for (int i = 0; i < n; i++) {
			__u64 key;

			memcpy(&key, ops[i].key, sizeof(key));
			if (ops[i].result || ops[i].verdict != WEIR_ALLOWED)
				abort();
			got_one(m, key);
		}
	} while (n);
}

/* Cancel all requests. A request that cannot be cancelled has ended, and is collected. */
static void cancel_all(struct member *m)
{
	for (__u32 tag = 0; tag < TAGS; tag++) {
		for (__u64 key = 0; key < KEYS; key++) {
			struct weir_op op = op_of(m, WEIR_OP_RESERVE_CANCEL, tag, key);
			int ret = op_run(m->fd, &op);

			if (ret && ret != -ENOENT)
				abort();
		}
	}
	collect_all(m);
}

static int member_run(struct crowd *crowd, unsigned int me, void *arg)
{
	struct member m = { .seat = &crowd->seat[me], .fd = client_open(O_RDWR) };
	unsigned int seed = me + 1;

	(void)arg;
	if (object_open(m.fd, WEIR_KIND_LIMITER, OURS "race", WEIR_RIGHT_USE, &m.l))
		return 1;
	for (int i = 0; i < scaled(ROUNDS); i++) {
		unsigned int what = next(&seed) % 16;

		if (what < 9)
			reserve(&m, next(&seed) % TAGS, next(&seed) % KEYS);
		else if (what < 15)
			collect_all(&m);
		else
			cancel_all(&m);
	}
	cancel_all(&m);
	crowd->seat[me].begun = 1;
	/* the client is closed with requests that wait */
	for (__u32 tag = 0; tag < TAGS; tag++)
		reserve(&m, tag, KEYS);
	close(m.fd);
	return 0;
}

TEST_F_TIMEOUT(reserve_async_race, each_token_once, 300)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct crowd *crowd = crowd_make(MEMBERS);
	struct weir_limiter_stats stats;

	config.burst = BURST;
	crowd_spawn(crowd, member_run, NULL);
	crowd_start(crowd);
	/* each change decides again for all waiters */
	while (crowd_begun(crowd) < MEMBERS) {
		ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_BURST, &config));
		usleep(2000);
	}
	ASSERT_EQ(0, crowd_wait(crowd));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(stats.allowed, crowd_done(crowd));
	EXPECT_EQ(0, stats.limited);
	for (__u64 key = 0; key < KEYS; key++) {
		struct weir_op op;

		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_PEEK, self->l, 1, &key,
				     sizeof(key)));
		EXPECT_EQ(0, op.out_flags);
		EXPECT_EQ(BURST, op.remaining);
	}
	TH_LOG("%llu tokens", (unsigned long long)stats.allowed);
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
