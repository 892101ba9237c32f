// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch - operations in one call have the same results as in one call each
 *
 * Two sets of objects get the same operations: one set in batches, the other in single calls of
 * WEIR_IOC_SUBMIT and of WEIR_IOC_OP. All results must be equal, for any mix and order of
 * operations, and also if the memory of the batch ends in an op.
 */
#include "harness.h"

#include "client.h"
#include "memory.h"

#define OPS	64
#define KEYS	6

enum { SUM, SEQUENCE, NUMBERS, TEXTS, OBSERVED, OBJECTS };

/* Handles of one set of objects. */
struct set {
	__u32 handle[OBJECTS];
};

FIXTURE(batch) {
	int fd;
	struct set many, each;
};

static int set_make(int fd, struct set *set, const char *const names[OBJECTS])
{
	struct weir_limiter_config numbers = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_config texts = limiter_config(WEIR_KEY_TEXT);
	__u32 *h = set->handle;

	numbers.max_keys = KEYS - 1;
	numbers.strikes = 5;
	numbers.nbans = 1;
	numbers.ban[0] = DAY;
	return sum_create(fd, names[SUM], 2, &h[SUM]) ?:
	       counter_create(fd, names[SEQUENCE], WEIR_COUNTER_SEQUENCE, 0,
			      &h[SEQUENCE]) ?:
	       limiter_create(fd, names[NUMBERS], &numbers, &h[NUMBERS]) ?:
	       limiter_create(fd, names[TEXTS], &texts, &h[TEXTS]) ?:
	       object_open(fd, WEIR_KIND_LIMITER, names[NUMBERS],
			   WEIR_RIGHT_OBSERVE, &h[OBSERVED]);
}

FIXTURE_SETUP(batch)
{
	static const char * const many[] = { OURS "sum", OURS "sequence", OURS "numbers",
			       OURS "texts", OURS "numbers" };
	static const char * const each[] = { OURS "sum-1", OURS "sequence-1", OURS "numbers-1",
			       OURS "texts-1", OURS "numbers-1" };

	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, set_make(self->fd, &self->many, many));
	ASSERT_EQ(0, set_make(self->fd, &self->each, each));
}

FIXTURE_TEARDOWN(batch)
{
	close(self->fd);
	objects_wipe();
}

/* An op whose object is given by index. */
struct wish {
	unsigned int object;
	struct weir_op op;
};

static char long_keys[KEYS][100];

static void wish_limiter(struct wish *w, unsigned int *seed)
{
	static const __u16 opcodes[] = {
		WEIR_OP_CHECK, WEIR_OP_CHECK, WEIR_OP_CHECK, WEIR_OP_PEEK,
		WEIR_OP_REFUND, WEIR_OP_STRIKE, WEIR_OP_FORGIVE, WEIR_OP_BAN,
		WEIR_OP_LIFT, WEIR_OP_FORGET, WEIR_OP_RESERVE,
	};
	__u16 opcode = opcodes[rand_r(seed) % ARRAY_SIZE(opcodes)];
	__u64 key = rand_r(seed) % KEYS;

	w->op = op_make(opcode, 0, opcode <= WEIR_OP_STRIKE ||
				   opcode == WEIR_OP_RESERVE);
	/* a deadline that has passed: RESERVE does not wait */
	w->op.arg = opcode == WEIR_OP_BAN ? DAY : opcode == WEIR_OP_RESERVE;
	if (w->object == TEXTS)
		op_key(&w->op, long_keys[key], key % 2 ? 5 : sizeof(long_keys[0]));
	else
		op_key(&w->op, &key, sizeof(key));
}

static struct wish wish_make(unsigned int *seed)
{
	struct wish w = { .object = rand_r(seed) % OBJECTS };

	switch (w.object) {
	case SUM:
		w.op = op_make(rand_r(seed) % 2 ? WEIR_OP_ADD : WEIR_OP_READ, 0, 0);
		if (w.op.opcode == WEIR_OP_ADD) {
			w.op.arg = 3;
			w.op.values[0] = rand_r(seed) % 10;
			w.op.values[1] = -1;
		}
		break;
	case SEQUENCE:
		w.op = op_make(WEIR_OP_NEXT, 0, 1 + rand_r(seed) % 3);
		break;
	default:
		wish_limiter(&w, seed);
		break;
	}
	switch (rand_r(seed) % 20) {	/* some ops are invalid */
	case 0:
		w.op.opcode = 0xffff;
		break;
	case 1:
		w.op.plan = 1;
		break;
	case 2:
		w.object = (w.object + 1) % OBJECTS;
		break;
	case 3:
		w.object = OBJECTS;
		break;
	}
	return w;
}

static void wish_grant(const struct wish *w, const struct set *set,
		       struct weir_op *op)
{
	*op = w->op;
	op->handle = w->object < OBJECTS ? set->handle[w->object] : 0xdead;
}

/* Compare all members that do not depend on time. */
static bool same(const struct weir_op *a, const struct weir_op *b)
{
	return a->result == b->result && a->verdict == b->verdict &&
	       a->out_flags == b->out_flags && a->value == b->value &&
	       a->remaining == b->remaining && a->strikes == b->strikes &&
	       a->bans == b->bans && !a->retry_after == !b->retry_after &&
	       !a->reset_after == !b->reset_after &&
	       !a->banned_for == !b->banned_for;
}

/*
 * The sweep drops entries that equal fresh ones. It may have done so in one set only. Only these
 * ops show the difference.
 */
static bool swept(const struct weir_op *a, const struct weir_op *b)
{
	return (a->opcode == WEIR_OP_FORGET || a->opcode == WEIR_OP_FORGIVE) &&
	       ((!a->result && b->result == -ENOENT) ||
		(!b->result && a->result == -ENOENT));
}

TEST_F(batch, as_one_by_one)
{
	struct weir_op many[OPS], one;
	struct wish wishes[OPS];
	unsigned int seed = 1, count, i, good = 0, bad = 0;
	__u32 done;

	for (i = 0; i < KEYS; i++)
		memset(long_keys[i], 'a' + i, sizeof(long_keys[i]));
	for (int round = 0; round < 500; round++) {
		count = 1 + rand_r(&seed) % OPS;
		for (i = 0; i < count; i++) {
			wishes[i] = wish_make(&seed);
			wish_grant(&wishes[i], &self->many, &many[i]);
		}
		ASSERT_EQ(0, submit(self->fd, many, count, &done));
		ASSERT_EQ(count, done);
		for (i = 0; i < count; i++) {
			wish_grant(&wishes[i], &self->each, &one);
			ASSERT_EQ(0, i % 2 ? call(self->fd, WEIR_IOC_OP, &one) :
					     submit(self->fd, &one, 1, &done));
			ASSERT_TRUE(same(&many[i], &one) || swept(&many[i], &one))
				TH_LOG("round %d, op %u of %u, opcode 0x%x: %d/%u, alone %d/%u",
				       round, i, count, one.opcode, many[i].result,
				       many[i].verdict, one.result, one.verdict);
			EXPECT_EQ(many[i].verdict ? i : 0, many[i].decided);
			good += !one.result;
			bad += !!one.result;
		}
	}
	EXPECT_LT(0, good);
	EXPECT_LT(0, bad);
}

/* A batch ends before the first op that cannot be read or whose result cannot be written. */
TEST_F(batch, ends_with_the_memory)
{
	static const int protections[] = { PROT_NONE, PROT_READ };
	struct pane pane = pane_make();
	struct weir_op *ops;
	unsigned int p, n;
	__s64 value;
	__u32 done;
	int ret;

	for (p = 0; p < ARRAY_SIZE(protections); p++) {
		for (n = 0; n <= 20; n++) {
			pane_protect(&pane, PROT_READ | PROT_WRITE);
			ops = pane_before(&pane, n * sizeof(*ops));
			for (unsigned int i = 0; i < 24; i++) {
				ops[i] = op_make(WEIR_OP_ADD, self->many.handle[SUM], 1);
				ops[i].arg = 1;
			}
			pane_protect(&pane, protections[p]);
			ret = submit(self->fd, ops, 24, &done);
			EXPECT_EQ(n ? 0 : -EFAULT, ret);
			EXPECT_EQ(n, done);
			for (unsigned int i = 0; i < n; i++)
				EXPECT_EQ(0, ops[i].result);
		}
	}
	ASSERT_EQ(0, counter_read(self->fd, self->many.handle[SUM], 0, &value));
	EXPECT_EQ(2 * 20 * 21 / 2, value);
	pane_free(&pane);
}

TEST_HARNESS_MAIN
