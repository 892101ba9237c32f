// SPDX-License-Identifier: GPL-2.0-only
/* event - the stream of state changes: whole, in order, numbered, losses counted */
#include "harness.h"

#include <poll.h>
#include <sys/uio.h>

#include "crowd.h"
#include "event.h"
#include "memory.h"
#include "verdict.h"

#define SOMEBODY	4501
#define KEPT		1024

TEST_F(event, of_objects)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	__u64 since = now_ns(), id;
	struct record r;
	__u32 c, l;

	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
	ASSERT_EQ(0, sum_create(self->fd, OURS "event-c", 2, &c));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "event-l", &config, &l));
	config.burst = 3;
	config.when_full = 1;
	ASSERT_EQ(0, limiter_set(self->fd, l, WEIR_SET_BURST |
				 WEIR_SET_WHEN_FULL, &config));
	ASSERT_EQ(0, object_delete(self->fd, c));

	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_CREATED, self->from,
			     OURS "event-c", WEIR_KIND_COUNTER));
	EXPECT_EQ(sizeof(r.event), r.event.size);
	EXPECT_EQ(0, r.event.value);
	EXPECT_EQ(0, r.event.more);
	EXPECT_EQ(0, r.event.data_len);
	EXPECT_EQ(0, r.event.key_type);
	EXPECT_LE(since, r.event.time);
	EXPECT_LE(r.event.time, now_ns());
	id = r.event.id;
	EXPECT_NE(0, id);

	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_CREATED, self->from + 1,
			     OURS "event-l", WEIR_KIND_LIMITER));
	EXPECT_EQ(id + 1, r.event.id);
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_CHANGED, self->from + 2,
			     OURS "event-l", WEIR_KIND_LIMITER));
	EXPECT_EQ(WEIR_SET_BURST | WEIR_SET_WHEN_FULL, (__u64)r.event.value);
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_DELETED, self->from + 3,
			     OURS "event-c", WEIR_KIND_COUNTER));
	EXPECT_EQ(id, r.event.id);
	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
}

/* A read at an offset fails with ESPIPE and consumes no event. */
TEST_F(event, no_offset)
{
	char buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	struct iovec part = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	struct record r;
	__u32 c;

	ASSERT_EQ(0, sum_create(self->fd, OURS "event-o", 1, &c));
	for (off_t offset = 0; offset <= 4096; offset += 2048) {
		EXPECT_EQ(-1, pread(self->reader, buffer, sizeof(buffer), offset));
		EXPECT_EQ(ESPIPE, errno);
		EXPECT_EQ(-1, preadv(self->reader, &part, 1, offset));
		EXPECT_EQ(ESPIPE, errno);
		EXPECT_EQ(-1, pwrite(self->fd, buffer, sizeof(buffer), offset));
		EXPECT_EQ(ESPIPE, errno);
	}
	EXPECT_EQ((off_t)self->from, lseek(self->reader, 0, SEEK_CUR));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_CREATED, self->from, OURS "event-o",
			     WEIR_KIND_COUNTER));
}

static int create_one(void *arg)
{
	int fd = client_open(O_RDWR);
	__u32 handle;

	return sum_create(fd, arg, 1, &handle);
}

TEST_F(event, tells_the_creator)
{
	struct record r;

	EXPECT_EQ(0, stream_choose(self->reader, SOMEBODY));
	ASSERT_EQ(0, person_run(SOMEBODY, SOMEBODY, create_one,
				OURS "event-p"));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_CREATED, 0, OURS "event-p",
			     WEIR_KIND_COUNTER));
	EXPECT_EQ(SOMEBODY, r.event.value);
	/* the event is not in root's stream */
	EXPECT_EQ(self->from, info_get(self->fd).event_next);
}

static __u32 banner_make(struct __test_metadata *_metadata, int fd, __u32 type,
			 const char *name)
{
	struct weir_limiter_config config = limiter_config(type);
	__u32 l;

	config.tokens = 1;
	config.max_keys = 4;
	config.strikes = 3;
	config.nbans = 2;
	config.ban[0] = DAY;
	config.ban[1] = 2 * DAY;
	ASSERT_EQ(0, limiter_create(fd, name, &config, &l));
	return l;
}

static int ban(int fd, __u32 l, const void *key, __u16 length, __u64 ns)
{
	struct weir_op op = op_make(WEIR_OP_BAN, l, 0);

	op.arg = ns;
	op_key(&op, key, length);
	return op_run(fd, &op);
}

TEST_F(event, of_bans)
{
	__u32 l = banner_make(_metadata, self->fd, WEIR_KEY_TEXT,
			      OURS "event-b");
	__u64 since = now_ns();
	char key[255], zeros[8] = { 0 };
	struct weir_op op;
	struct record r;

	memset(key, 'k', sizeof(key));
	ASSERT_EQ(0, record_read(self->reader, &r));
	/* a strike that does not ban and a limited check emit no event */
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, key, 5));
	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, key, 5));
	EXPECT_EQ(WEIR_OUT_BANNED_NOW, op.out_flags);
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_BANNED, self->from + 1,
			     OURS "event-b", WEIR_KIND_LIMITER));
	EXPECT_EQ(sizeof(r.event) + 8, r.event.size);
	EXPECT_EQ(WEIR_KEY_TEXT, r.event.key_type);
	EXPECT_EQ(5, r.event.data_len);
	EXPECT_EQ(0, memcmp(r.data, "kkkkk\0\0\0", 8));
	EXPECT_EQ(DAY, (__u64)r.event.value);
	EXPECT_EQ(3, r.event.more);
	/* a check of a banned key emits no event, nor does a ban that changes nothing */
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1, key, 5));
	ASSERT_EQ(0, ban(self->fd, l, key, 5, HOUR));
	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));

	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_LIFT, l, 0, key, 5));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_LIFTED, self->from + 2,
			     OURS "event-b", WEIR_KIND_LIMITER));
	EXPECT_TRUE(lasts("left", r.event.value, DAY, since));
	EXPECT_EQ(5, r.event.data_len);

	/* a ban by hand of the longest key */
	ASSERT_EQ(0, ban(self->fd, l, key, 255, HOUR));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_TRUE(event_is(&r, WEIR_EVENT_BANNED, self->from + 3,
			     OURS "event-b", WEIR_KIND_LIMITER));
	EXPECT_EQ(WEIR_EVENT_SIZE_MAX, r.event.size);
	EXPECT_EQ(255, r.event.data_len);
	EXPECT_EQ(0, memcmp(r.data, key, 255));
	EXPECT_EQ(0, memcmp(r.data + 255, zeros, 1));
	EXPECT_EQ(HOUR, (__u64)r.event.value);
	EXPECT_EQ(0, r.event.more);
	/* a strike of weight 77 is reported with this weight */
	ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_STRIKE, l, 77, "x", 1));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_EQ(77, r.event.more);
	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
}

/* One event when the table becomes full, and another only after there was room. */
TEST_F(event, of_a_full_table)
{
	__u32 l = banner_make(_metadata, self->fd, WEIR_KEY_U64,
			      OURS "event-f");
	struct weir_op op;
	struct record r;
	__u64 key;

	ASSERT_EQ(0, record_read(self->reader, &r));
	for (int round = 0; round < 3; round++) {
		for (key = 0; key < 4; key++)
			ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1,
					     &key, sizeof(key)));
		EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
		for (key = 100; key < 110; key++)
			ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_CHECK, l, 1,
					     &key, sizeof(key)));
		ASSERT_EQ(0, record_read(self->reader, &r));
		EXPECT_TRUE(event_is(&r, WEIR_EVENT_TABLE_FULL,
				     self->from + 1 + round, OURS "event-f",
				     WEIR_KIND_LIMITER));
		EXPECT_EQ(4, r.event.value);
		EXPECT_EQ(0, r.event.data_len);
		EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
		key = 0;
		ASSERT_EQ(0, key_run(self->fd, &op, WEIR_OP_FORGET, l, 0, &key,
				     sizeof(key)));
	}
}

TEST_F(event, short_buffers)
{
	char buffer[WEIR_EVENT_SIZE_MAX];
	struct pane pane = pane_make();
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "event-s", 1, &handle));
	for (size_t size = 0; size < WEIR_EVENT_SIZE_MAX; size += 47) {
		EXPECT_EQ(-1, read(self->reader, buffer, size));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, read(self->reader, buffer, WEIR_EVENT_SIZE_MAX - 1));
	EXPECT_EQ(EINVAL, errno);
	/* a bad address: no event is consumed */
	pane_protect(&pane, PROT_NONE);
	EXPECT_EQ(-1, read(self->reader, pane.edge, WEIR_EVENT_SIZE_MAX));
	EXPECT_EQ(EFAULT, errno);
	pane_free(&pane);
	EXPECT_EQ(sizeof(struct weir_event),
		  read(self->reader, buffer, WEIR_EVENT_SIZE_MAX));
}

/* A read returns as many whole records as fit, and the next read the rest. */
TEST_F(event, several_at_once)
{
	const size_t one = sizeof(struct weir_event);
	char buffer[8 * sizeof(struct weir_event)];
	__u64 wanted = self->from;
	ssize_t got;
	__u32 handle;

	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, sum_create(self->fd, OURS "event-m", 1, &handle));
		ASSERT_EQ(0, object_delete(self->fd, handle));
	}
	/* 20 records: 3 in 376 bytes, 8 in 8 x 120; of the rest, one fewer than 8 in a byte less */
	for (int i = 0; i < 3; i++) {
		const size_t sizes[] = { WEIR_EVENT_SIZE_MAX, 8 * one,
					 8 * one - 1 };

		got = read(self->reader, buffer, sizes[i]);
		EXPECT_EQ((ssize_t)(sizes[i] / one * one), got);
		for (ssize_t at = 0; at < got; at += one) {
			struct weir_event *e = (void *)(buffer + at);

			EXPECT_EQ(wanted++, e->seq);
		}
	}
}

TEST_F(event, seeking)
{
	struct weir_info info;
	struct record r;
	__u32 handle;

	ASSERT_EQ(0, sum_create(self->fd, OURS "event-k", 1, &handle));
	ASSERT_EQ(0, object_delete(self->fd, handle));
	info = info_get(self->fd);
	ASSERT_EQ(self->from + 2, info.event_next);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ((off_t)self->from + 1, lseek(self->reader,
						       self->from + 1,
						       SEEK_SET));
		ASSERT_EQ(0, record_read(self->reader, &r));
		EXPECT_EQ(self->from + 1, r.event.seq);
		EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
	}
	EXPECT_EQ(-1, lseek(self->reader, info.event_next + 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->reader, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ((off_t)info.event_next, lseek(self->reader, info.event_next,
						SEEK_SET));
	EXPECT_EQ(-EAGAIN, record_read(self->reader, &r));
	/* the oldest event that is kept is returned; the one before it is lost */
	EXPECT_EQ((off_t)info.event_first, lseek(self->reader, info.event_first,
						 SEEK_SET));
	ASSERT_EQ(0, record_read(self->reader, &r));
	EXPECT_EQ(info.event_first, r.event.seq);
	EXPECT_NE(WEIR_EVENT_LOST, r.event.type);
}

/* Emit @n events quickly: each ban is longer than the one before. */
static void events_make(struct __test_metadata *_metadata, int fd, __u32 l,
			unsigned int n)
{
	static __u64 length = HOUR;
	struct weir_op *ops = calloc(1024, sizeof(*ops));
	__u64 key = 7;
	__u32 done;

	while (n) {
		__u32 count = n < 1024 ? n : 1024;

		for (__u32 i = 0; i < count; i++) {
			ops[i] = op_make(WEIR_OP_BAN, l, 0);
			length += SECOND;
			ops[i].arg = length;
			op_key(&ops[i], &key, sizeof(key));
		}
		ASSERT_EQ(0, submit(fd, ops, count, &done));
		ASSERT_EQ(count, done);
		n -= count;
	}
	free(ops);
}

TEST_F(event, losses_are_counted)
{
	__u32 l = banner_make(_metadata, self->fd, WEIR_KEY_U64,
			      OURS "event-o");
	struct weir_info info;
	struct record r;

	/* exactly as many as the kernel keeps: none is lost */
	ASSERT_EQ(0, record_read(self->reader, &r));
	events_make(_metadata, self->fd, l, KEPT);
	for (__u64 i = 0; i < KEPT; i++) {
		ASSERT_EQ(0, record_read(self->reader, &r));
		ASSERT_TRUE(event_is(&r, WEIR_EVENT_BANNED, self->from + 1 + i,
				     OURS "event-o", WEIR_KIND_LIMITER));
	}
	ASSERT_EQ(-EAGAIN, record_read(self->reader, &r));

	for (unsigned int lost = 1; lost < 3 * KEPT; lost += 477) {
		__u64 first = info_get(self->fd).event_next;

		events_make(_metadata, self->fd, l, KEPT + lost);
		info = info_get(self->fd);
		EXPECT_EQ(first + KEPT + lost, info.event_next);
		EXPECT_EQ(first + lost, info.event_first);
		ASSERT_EQ(0, record_read(self->reader, &r));
		EXPECT_EQ(WEIR_EVENT_LOST, r.event.type);
		EXPECT_EQ(first, r.event.seq);
		EXPECT_EQ(lost, r.event.value);
		EXPECT_EQ(0, r.event.id);
		for (__u64 i = 0; i < KEPT; i++) {
			ASSERT_EQ(0, record_read(self->reader, &r));
			ASSERT_TRUE(event_is(&r, WEIR_EVENT_BANNED,
					     first + lost + i, OURS "event-o",
					     WEIR_KIND_LIMITER));
		}
		ASSERT_EQ(-EAGAIN, record_read(self->reader, &r));
	}
}

/*
 * Poll from a position. Return: 1 for "readable", plus 10 for each event that the position has
 * moved.
 */
static int polled_as(void *arg)
{
	__u64 from = *(__u64 *)arg;
	struct pollfd p = { .events = POLLIN };
	int readable;

	p.fd = client_open(O_RDONLY | O_NONBLOCK);
	if (p.fd < 0 || stream_choose(p.fd, 0) || lseek(p.fd, from, SEEK_SET) < 0)
		return PERSON_FAILED;
	readable = poll(&p, 1, 0);
	return readable + 10 * (int)(lseek(p.fd, 0, SEEK_CUR) - from);
}

TEST_F(event, poll_of_what_one_may_not_observe)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };
	struct weir_create create;
	__u32 handle;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, sum_create(self->fd, OURS "event-h", 1, &handle));
		ASSERT_EQ(0, object_delete(self->fd, handle));
	}
	EXPECT_EQ(1, polled_as(&self->from));
	EXPECT_EQ(60, person_run(SOMEBODY, SOMEBODY, polled_as, &self->from));
	create = create_make(WEIR_KIND_COUNTER, OURS "event-v", &config);
	create.mode = 0444;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	EXPECT_EQ(61, person_run(SOMEBODY, SOMEBODY, polled_as, &self->from));
}

/* One bit for each object below that the user may observe. */
static int seen_as(void *arg)
{
	int fd = client_open(O_RDONLY | O_NONBLOCK), seen = 0;
	struct record r;
	unsigned int i;

	if (stream_choose(fd, 0) || lseek(fd, *(__u64 *)arg, SEEK_SET) < 0)
		return -errno;
	while (!record_read(fd, &r))
		if (sscanf(r.event.name, OURS "event-see-%u", &i) == 1)
			seen |= 1 << i;
	return seen;
}

TEST_F(event, only_of_what_one_may_observe)
{
	static const __u32 modes[] = { 0600, 0060, 0006, 0444, 0222, 0640 };
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SUM };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct weir_create create;
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "event-see-%zu", i);
		create = create_make(WEIR_KIND_COUNTER, name, &config);
		create.mode = modes[i];
		create.gid = SOMEBODY;
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_CREATE, &create));
	}
	EXPECT_EQ(0x3f, seen_as(&self->from));
	/* a member of the group sees 0060, 0444, 0640 */
	EXPECT_EQ(0x2a, person_run(SOMEBODY, SOMEBODY, seen_as, &self->from));
	/* other users see 0006, 0444 */
	EXPECT_EQ(0x0c, person_run(SOMEBODY, SOMEBODY + 1, seen_as,
				   &self->from));
}

#define SHARED	1000

static int shared_read(struct crowd *crowd, unsigned int me, void *arg)
{
	char buffer[3 * WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	int fd = *(int *)arg;
	ssize_t got, at;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < got;) {
			const struct weir_event *e = (void *)(buffer + at);

			if (e->type != WEIR_EVENT_BANNED)
				return 1;
			crowd->seat[me].done++;
			crowd->seat[me].tally[0] += e->seq;
			at += e->size;
		}
	}
	return got < 0 && errno == EAGAIN ? 0 : 2;
}

/* Readers of one open file share its position: each event is returned to one of them. */
TEST_F(event, each_once_to_those_who_share_a_file)
{
	__u32 l = banner_make(_metadata, self->fd, WEIR_KEY_U64,
			      OURS "event-r");
	struct crowd *crowd = crowd_make(4);
	const __u64 first = self->from + 1;
	struct record r;

	ASSERT_EQ(0, record_read(self->reader, &r));
	events_make(_metadata, self->fd, l, SHARED);
	EXPECT_EQ(0, crowd_run(crowd, shared_read, &self->reader));
	EXPECT_EQ(SHARED, crowd_done(crowd));
	EXPECT_EQ(SHARED * first + (__u64)SHARED * (SHARED - 1) / 2,
		  crowd_tally(crowd, 0));
	crowd_free(crowd);
}

TEST_HARNESS_MAIN
