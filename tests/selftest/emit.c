// SPDX-License-Identifier: GPL-2.0-only
/* emit - records of programs in the event stream: whole, numbered, with their author */
#include "harness.h"

#include <poll.h>

#include "crowd.h"
#include "memory.h"
#include "person.h"

#define ALICE	4501
#define BOB	4502
#define KEPT	1024
#define MOST	WEIR_RECORD_MAX

FIXTURE(emit) {
	int fd;
	int reader;		/* position: the next event */
	__u64 from;
	mode_t device;
};

FIXTURE_SETUP(emit)
{
	self->device = device_chmod(0666);
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->reader = client_open(O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->reader);
	self->from = info_get(self->fd).event_next;
}

FIXTURE_TEARDOWN(emit)
{
	close(self->fd);
	close(self->reader);
	device_chmod(self->device);
}

static struct weir_emit emit_make(const void *data, __u32 length)
{
	struct weir_emit emit = { .size = sizeof(emit), .length = length,
				  .data = address(data), .seq = POISON_U64 };

	return emit;
}

static int emit(int fd, const void *data, __u32 length, __u64 *seq)
{
	struct weir_emit emit = emit_make(data, length);
	int ret = call(fd, WEIR_IOC_EMIT, &emit);

	*seq = emit.seq;
	return ret;
}

static bool nothing_came(FIXTURE_DATA(emit) *self)
{
	return info_get(self->fd).event_next == self->from;
}

struct record {
	struct weir_event event;
	char data[MOST];
};

/* Read the event with number @seq, as root. */
static int record_at(int fd, __u64 seq, struct record *record)
{
	char buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	const struct weir_event *e = (void *)buffer;
	ssize_t got;

	if (lseek(fd, seq, SEEK_SET) < 0)
		return -errno;
	memset(buffer, POISON, sizeof(buffer));
	got = read(fd, buffer, sizeof(buffer));
	if (got < 0)
		return -errno;
	if (e->size > (size_t)got || e->size > sizeof(*record) || e->seq != seq)
		return -EPROTO;
	memset(record, 0, sizeof(*record));
	memcpy(record, buffer, e->size);
	return 0;
}

/* A record of every length, with every byte value. */
TEST_F(emit, whole)
{
	static const struct weir_event zero;
	__u64 since, seq;
	char data[MOST];
	struct record r;

	for (unsigned int length = 1; length <= MOST; length++) {
		for (unsigned int i = 0; i < length; i++)
			data[i] = length * 7 + i * 3;
		since = info_get(self->fd).now;
		ASSERT_EQ(0, emit(self->fd, data, length, &seq));
		ASSERT_EQ(self->from + length - 1, seq);
		ASSERT_EQ(0, record_at(self->reader, seq, &r));
		EXPECT_EQ(WEIR_EVENT_RECORD, r.event.type);
		EXPECT_EQ(sizeof(r.event) + (length + 7) / 8 * 8, r.event.size);
		EXPECT_EQ(length, r.event.data_len);
		EXPECT_EQ(0, memcmp(r.data, data, length));
		EXPECT_EQ(0, memcmp(r.data + length, zero.name, -length & 7));
		EXPECT_EQ(WEIR_KEY_TEXT, r.event.key_type);
		EXPECT_EQ(0, r.event.kind);
		EXPECT_EQ(0, r.event.id);
		EXPECT_EQ(0, r.event.value);
		EXPECT_EQ(getpid(), r.event.more);
		EXPECT_EQ(0, memcmp(r.event.name, zero.name, sizeof(zero.name)));
		EXPECT_LE(since, r.event.time);
		EXPECT_LE(r.event.time, info_get(self->fd).now);
	}
}

TEST_F(emit, lengths_that_are_refused)
{
	static const __u32 lengths[] = { 0, MOST + 1, 255, 256, 4096, 1U << 31,
					 0xffffffff };
	char data[8192] = { 0 };
	__u64 seq;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_EQ(-EINVAL, emit(self->fd, data, lengths[i], &seq));
		EXPECT_EQ(POISON_U64, seq);
	}
	EXPECT_TRUE(nothing_came(self));
}

TEST_F(emit, bad_pointers)
{
	struct pane pane = pane_make();
	struct weir_emit good = emit_make("x", 1);
	char data[MOST] = { 0 };
	__u64 seq;

	for (unsigned int bytes = 0; bytes < MOST; bytes++)
		EXPECT_EQ(-EFAULT, emit(self->fd,
					pane_lay(&pane, data, MOST, bytes, PROT_NONE),
					MOST, &seq));
	EXPECT_EQ(-EFAULT, emit(self->fd, NULL, 1, &seq));
	/* if the number cannot be written back, no record is emitted */
	for (unsigned int bytes = 0; bytes < sizeof(good); bytes += 8) {
		EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_EMIT,
					pane_lay(&pane, &good, sizeof(good), bytes,
						 PROT_NONE)));
		if (bytes >= offsetof(struct weir_emit, tag))
			continue;
		EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_EMIT,
					pane_lay(&pane, &good, sizeof(good), bytes,
						 PROT_READ)));
	}
	EXPECT_TRUE(nothing_came(self));
	/* read-only memory is enough for the record itself */
	EXPECT_EQ(0, emit(self->fd, pane_lay(&pane, data, MOST, 8, PROT_READ), MOST,
			  &seq));
	pane_free(&pane);
}

TEST_F(emit, needs_to_write)
{
	int fd = client_open(O_RDONLY);
	__u64 seq;

	EXPECT_EQ(-EACCES, emit(fd, "x", 1, &seq));
	close(fd);
	EXPECT_TRUE(nothing_came(self));
	fd = client_open(O_WRONLY);
	EXPECT_EQ(0, emit(fd, "x", 1, &seq));
	close(fd);
}

TEST_F(emit, tags)
{
	static const char *const bad[] = { ".x", "-", "a b", "a/b", "\xc3\xa4", "a\n" };
	struct weir_emit emit = emit_make("x", 1);
	struct record r;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(emit.tag, 0, sizeof(emit.tag));
		strcpy(emit.tag, bad[i]);
		EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_EMIT, &emit));
	}
	/* a tag without a final zero, and a tag with bytes after its zero */
	memset(emit.tag, 'a', sizeof(emit.tag));
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_EMIT, &emit));
	memset(emit.tag, 0, sizeof(emit.tag));
	emit.tag[63] = 'a';
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_EMIT, &emit));
	emit.tag[0] = 'a';
	EXPECT_EQ(-EINVAL, call(self->fd, WEIR_IOC_EMIT, &emit));
	EXPECT_TRUE(nothing_came(self));
	memset(emit.tag, 'a', 63);
	emit.tag[63] = 0;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_EMIT, &emit));
	ASSERT_EQ(0, record_at(self->reader, emit.seq, &r));
	EXPECT_EQ(0, memcmp(r.event.name, emit.tag, sizeof(emit.tag)));
}

static int emit_as(void *arg)
{
	int fd = arg ? *(int *)arg : client_open(O_RDWR);
	__u64 seq;

	return emit(fd, "mine", 4, &seq) ?: getpid();
}

/* The user is the one that opened the file; the process is the one that emits. */
TEST_F(emit, by_whom)
{
	struct record r;
	int pid;

	EXPECT_EQ(0, stream_choose(self->reader, ALICE));
	pid = person_run(ALICE, ALICE, emit_as, NULL);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, record_at(self->reader, 0, &r));
	EXPECT_EQ(ALICE, r.event.value);
	EXPECT_EQ(pid, r.event.more);
	EXPECT_TRUE(nothing_came(self));
	pid = person_run(BOB, BOB, emit_as, &self->fd);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, stream_choose(self->reader, WEIR_OWNER_DEFAULT));
	ASSERT_EQ(0, record_at(self->reader, self->from, &r));
	EXPECT_EQ(0, r.event.value);
	EXPECT_EQ(pid, r.event.more);
}

struct seer {
	__u32 owner;
	__u64 from;
};

/* Which records a reader sees, one bit for each number from @from on. Poll and read must agree. */
static int seen_as(void *arg)
{
	char buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	const struct weir_event *e = (void *)buffer;
	const struct seer *seer = arg;
	struct pollfd p = { .events = POLLIN };
	int seen = 0;
	ssize_t got;

	p.fd = client_open(O_RDONLY | O_NONBLOCK);
	if (p.fd < 0 || stream_choose(p.fd, seer->owner) ||
	    lseek(p.fd, seer->from, SEEK_SET) < 0)
		return PERSON_FAILED;
	while (poll(&p, 1, 0) == 1) {
		got = read(p.fd, buffer, sizeof(buffer));
		if (got < (ssize_t)sizeof(*e))
			return PERSON_FAILED;
		for (ssize_t at = 0; at < got; at += e->size) {
			e = (void *)(buffer + at);
			seen |= 1 << (e->seq - seer->from);
		}
		e = (void *)buffer;
	}
	return read(p.fd, buffer, sizeof(buffer)) < 0 && errno == EAGAIN ?
	       seen : PERSON_FAILED;
}

/* Each user has a stream. Only an administrator sees records in the stream of another user. */
TEST_F(emit, who_sees_it)
{
	struct seer roots = { .owner = 0, .from = self->from };
	struct seer alices = { .owner = ALICE };
	struct seer own = { .owner = WEIR_OWNER_DEFAULT };
	__u64 seq;

	/* a reader keeps the stream of ALICE */
	EXPECT_EQ(0, stream_choose(self->reader, ALICE));
	ASSERT_EQ(0, emit(self->fd, "root's", 6, &seq));
	ASSERT_LT(0, person_run(ALICE, ALICE, emit_as, NULL));
	ASSERT_LT(0, person_run(BOB, ALICE, emit_as, NULL));
	ASSERT_LT(0, person_run(ALICE, BOB, emit_as, NULL));
	EXPECT_EQ(0x1, seen_as(&roots));
	EXPECT_EQ(0x3, seen_as(&alices));
	/* the group of the reader does not matter */
	EXPECT_EQ(0x3, person_run(ALICE, BOB, seen_as, &alices));
	EXPECT_EQ(0x3, person_run(ALICE, ALICE, seen_as, &own));
	EXPECT_EQ(0, person_run(ALICE, BOB, seen_as, &roots));
	EXPECT_EQ(0, person_run(BOB, ALICE, seen_as, &alices));
	EXPECT_EQ(0, person_run(BOB, ALICE, seen_as, &roots));
	/* the namespace of BOB was freed with its last user */
	EXPECT_EQ(0, person_run(BOB, ALICE, seen_as, &own));
}

/* A record wakes a sleeping reader. */
TEST_F(emit, wakes)
{
	char buffer[WEIR_EVENT_SIZE_MAX];
	int status;
	__u64 seq;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		int fd = client_open(O_RDONLY);

		pid = fork();
		if (!pid)
			_exit(read(fd, buffer, sizeof(buffer)) != 128);
		if (i % 2)
			usleep(1000);
		ASSERT_EQ(0, emit(self->fd, "wake up", 7, &seq));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		close(fd);
	}
}

/* One writer overruns the ring. A late reader gets the exact number of lost events. */
TEST_F(emit, losses_are_counted)
{
	char buffer[WEIR_EVENT_SIZE_MAX] __attribute__((aligned(8)));
	const struct weir_event *e = (void *)buffer;
	const unsigned int lost = 77;
	struct record r;
	__u64 seq = 0;

	for (unsigned int i = 0; i < KEPT + lost; i++)
		ASSERT_EQ(0, emit(self->fd, &i, sizeof(i), &seq));
	EXPECT_EQ(self->from + KEPT + lost - 1, seq);
	ASSERT_LE((ssize_t)sizeof(*e), read(self->reader, buffer, sizeof(buffer)));
	EXPECT_EQ(WEIR_EVENT_LOST, e->type);
	EXPECT_EQ(self->from, e->seq);
	EXPECT_EQ(lost, e->value);
	for (unsigned int i = lost; i < KEPT + lost; i++) {
		ASSERT_EQ(0, record_at(self->reader, self->from + i, &r));
		ASSERT_EQ(0, memcmp(r.data, &i, sizeof(i)));
	}
}

TEST_HARNESS_MAIN
