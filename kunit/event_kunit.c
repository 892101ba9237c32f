// SPDX-License-Identifier: GPL-2.0-only
/* The event stream (src/core/event.c): order, numbers, lost events, and the right to see events. */

/* other tests use fakes of these two, so the real ones have another name here */
#define weir_event_key		real_event_key
#define weir_event_object	real_event_object
#define WEIR_FAKED
#include "fakes.h"

#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "../src/core/event.c"

#include "crowd.h"
#include "event_fixture.h"
#include "prng.h"

static void event_empty(struct kunit *test)
{
	struct stream *s = test->priv;
	u64 first, next;

	KUNIT_EXPECT_EQ(test, 0, stream_read(s, BUFFER_SIZE));
	KUNIT_EXPECT_EQ(test, 0, s->reader.next);
	KUNIT_EXPECT_EQ(test, 0, stream_poll(s));
	weir_event_range(&s->ns.events, &first, &next);
	KUNIT_EXPECT_EQ(test, 0, first);
	KUNIT_EXPECT_EQ(test, 0, next);
}

/* Every member has the value that it should have. The padding holds no byte of an older event. */
static void event_record(struct kunit *test)
{
	struct stream *s = test->priv;
	u8 key[WEIR_KEY_MAX];
	const struct weir_event *e;
	unsigned int len, i;

	memset(key, 0xff, sizeof(key));
	for (i = 0; i < RING_SIZE; i++)
		weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_TEXT, key,
			       sizeof(key), 1, 1);
	s->reader.next = RING_SIZE;
	for (len = 0; len <= WEIR_KEY_MAX; len++) {
		weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_TEXT, key,
			       len, 5000, 3);
		e = stream_next(s);
		KUNIT_ASSERT_NOT_NULL(test, e);
		KUNIT_ASSERT_EQ(test, sizeof(*e) + ALIGN(len, 8), e->size);
		KUNIT_ASSERT_LE(test, e->size, WEIR_EVENT_SIZE_MAX);
		KUNIT_ASSERT_EQ(test, RING_SIZE + len, e->seq);
		KUNIT_ASSERT_EQ(test, len, e->data_len);
		KUNIT_ASSERT_EQ(test, 0, memcmp(e->data, key, len));
		for (i = len; i < ALIGN(len, 8); i++)
			KUNIT_ASSERT_EQ(test, 0, e->data[i]);
	}
}

static void event_members(struct kunit *test)
{
	struct stream *s = test->priv;
	const struct weir_event *e;

	weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_U64, "12345678", 8,
		       5000, 3);
	KUNIT_EXPECT_EQ(test, EPOLLIN | EPOLLRDNORM,
			stream_poll(s));
	e = stream_next(s);
	KUNIT_ASSERT_NOT_NULL(test, e);
	KUNIT_EXPECT_EQ(test, WEIR_EVENT_BANNED, e->type);
	KUNIT_EXPECT_EQ(test, 777, e->time);
	KUNIT_EXPECT_EQ(test, 42, e->id);
	KUNIT_EXPECT_EQ(test, 5000, e->value);
	KUNIT_EXPECT_EQ(test, 3, e->more);
	KUNIT_EXPECT_EQ(test, WEIR_KIND_LIMITER, e->kind);
	KUNIT_EXPECT_EQ(test, WEIR_KEY_U64, e->key_type);
	KUNIT_EXPECT_STREQ(test, "login", e->name);
	KUNIT_EXPECT_NULL(test, stream_next(s));
	KUNIT_EXPECT_EQ(test, 0, stream_poll(s));
}

/* The same for a record: no byte of the slot's previous event is left. */
static void event_emitted(struct kunit *test)
{
	static const char tag[WEIR_NAME_SIZE] = "backup";
	struct stream *s = test->priv;
	u8 data[WEIR_RECORD_MAX];
	const struct weir_event *e;
	unsigned int len, i;

	memset(data, 0xff, sizeof(data));
	for (i = 0; i < RING_SIZE; i++)
		weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_TEXT, data,
			       sizeof(data), 1, 1);
	s->reader.next = RING_SIZE;
	for (len = 1; len <= WEIR_RECORD_MAX; len++) {
		KUNIT_ASSERT_EQ(test, RING_SIZE + len - 1,
				emit(s, tag, data, len));
		e = stream_next(s);
		KUNIT_ASSERT_NOT_NULL(test, e);
		KUNIT_ASSERT_EQ(test, WEIR_EVENT_RECORD, e->type);
		KUNIT_ASSERT_EQ(test, sizeof(*e) + ALIGN(len, 8), e->size);
		KUNIT_ASSERT_EQ(test, RING_SIZE + len - 1, e->seq);
		KUNIT_ASSERT_EQ(test, 777, e->time);
		KUNIT_ASSERT_EQ(test, 0, e->id);
		KUNIT_ASSERT_EQ(test, 0, e->kind);
		KUNIT_ASSERT_EQ(test, from_kuid(&init_user_ns, current_euid()), e->value);
		KUNIT_ASSERT_EQ(test, task_tgid_nr(current), e->more);
		KUNIT_ASSERT_EQ(test, WEIR_KEY_TEXT, e->key_type);
		KUNIT_ASSERT_EQ(test, len, e->data_len);
		KUNIT_ASSERT_EQ(test, 0, memcmp(e->name, tag, sizeof(tag)));
		KUNIT_ASSERT_EQ(test, 0, memcmp(e->data, data, len));
		for (i = len; i < ALIGN(len, 8); i++)
			KUNIT_ASSERT_EQ(test, 0, e->data[i]);
	}
}

/*
 * A record is seen by the user that emitted it, the owner and an administrator. Groups do not
 * matter.
 */
static void event_emitted_is_seen_by(struct kunit *test)
{
	static const char tag[WEIR_NAME_SIZE];
	struct stream *s = test->priv;

	emit(s, tag, "x", 1);
	KUNIT_EXPECT_NOT_NULL(test, stream_next(s));
	s->cred->cap_effective = CAP_EMPTY_SET;
	s->cred->egid = current_egid();
	s->cred->euid = KUIDT_INIT(STRANGER);
	s->reader.next = 0;
	KUNIT_EXPECT_NULL(test, stream_next(s));
	s->cred->euid = current_euid();
	s->reader.next = 0;
	KUNIT_EXPECT_NOT_NULL(test, stream_next(s));
	s->cred->euid = KUIDT_INIT(OWNER);
	s->reader.next = 0;
	KUNIT_EXPECT_NOT_NULL(test, stream_next(s));
}

/* A read returns as many whole events as fit; the next read returns the rest. */
static void event_small_buffer(struct kunit *test)
{
	const unsigned int fit = WEIR_EVENT_SIZE_MAX / sizeof(struct weir_event);
	struct stream *s = test->priv;
	const struct weir_event *e;
	unsigned int i;

	for (i = 0; i < 10 * fit; i++)
		tell(s, i);
	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, fit * sizeof(struct weir_event),
				stream_read(s, WEIR_EVENT_SIZE_MAX));
		e = (const struct weir_event *)s->buffer;
		KUNIT_ASSERT_EQ(test, i * fit, e[0].value);
		KUNIT_ASSERT_EQ(test, (i + 1) * fit - 1, e[fit - 1].value);
		KUNIT_ASSERT_EQ(test, (i + 1) * fit, s->reader.next);
	}
	KUNIT_EXPECT_EQ(test, 0, stream_read(s, WEIR_EVENT_SIZE_MAX));
}

/* An event that does not fit behind another one is returned by the next read. */
static void event_does_not_fit(struct kunit *test)
{
	struct stream *s = test->priv;
	u8 key[WEIR_KEY_MAX] = {};

	tell(s, 1);
	weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_TEXT, key, sizeof(key),
		       2, 0);
	KUNIT_EXPECT_EQ(test, sizeof(struct weir_event),
			stream_read(s, WEIR_EVENT_SIZE_MAX));
	KUNIT_EXPECT_EQ(test, 1, s->reader.next);
	KUNIT_EXPECT_EQ(test, sizeof(struct weir_event) + ALIGN(WEIR_KEY_MAX, 8),
			stream_read(s, WEIR_EVENT_SIZE_MAX));
	KUNIT_EXPECT_EQ(test, 2, ((struct weir_event *)s->buffer)->value);
	KUNIT_EXPECT_EQ(test, 2, s->reader.next);
}

/* A reader that has fallen behind gets one event with the exact number of lost events. */
static void event_overrun(struct kunit *test)
{
	struct stream *s = test->priv;
	struct prng p = prng_seed(test, 0x5eed0901);
	const struct weir_event *e;
	u64 told = 0, expected = 0, first, lost, n;
	int round;

	for (round = 0; round < 12; round++) {
		n = round < 4 ? RING_SIZE - 1 + round : prng_below(&p, 3 * RING_SIZE);
		for (lost = told + n; told < lost; told++)
			tell(s, told);
		weir_event_range(&s->ns.events, &first, &n);
		KUNIT_ASSERT_EQ(test, told, n);
		KUNIT_ASSERT_EQ(test, told > RING_SIZE ? told - RING_SIZE : 0, first);
		lost = expected < first ? first - expected : 0;
		if (lost) {
			e = stream_next(s);
			KUNIT_ASSERT_NOT_NULL(test, e);
			KUNIT_ASSERT_EQ(test, WEIR_EVENT_LOST, e->type);
			KUNIT_ASSERT_EQ(test, lost, e->value);
			KUNIT_ASSERT_EQ(test, expected, e->seq);
			KUNIT_ASSERT_EQ(test, 0, e->id);
			expected += lost;
		}
		while ((e = stream_next(s))) {
			KUNIT_ASSERT_EQ(test, WEIR_EVENT_CHANGED, e->type);
			KUNIT_ASSERT_EQ(test, expected, e->seq);
			KUNIT_ASSERT_EQ(test, expected, e->value);
			expected++;
		}
		KUNIT_ASSERT_EQ(test, told, expected);
	}
}

/* An event that could not be copied out is returned by the next read. */
static void event_fault(struct kunit *test)
{
	struct stream *s = test->priv;
	int i;

	for (i = 0; i < 10; i++)
		tell(s, i);
	fake_fault_in = 1;
	KUNIT_EXPECT_EQ(test, -EFAULT, stream_read(s, BUFFER_SIZE));
	KUNIT_EXPECT_EQ(test, 0, s->reader.next);
	fake_fault_in = 4;
	KUNIT_EXPECT_EQ(test, 3 * sizeof(struct weir_event), stream_read(s, BUFFER_SIZE));
	KUNIT_EXPECT_EQ(test, 3, s->reader.next);
	KUNIT_EXPECT_EQ(test, 7 * sizeof(struct weir_event), stream_read(s, BUFFER_SIZE));
	KUNIT_EXPECT_EQ(test, 3, ((struct weir_event *)s->buffer)->value);
	/* the event about the loss too */
	s->reader.next = 0;
	for (i = 0; i < RING_SIZE; i++)
		tell(s, i);
	fake_fault_in = 1;
	KUNIT_EXPECT_EQ(test, -EFAULT, stream_read(s, BUFFER_SIZE));
	KUNIT_EXPECT_EQ(test, 0, s->reader.next);
	KUNIT_EXPECT_GT(test, stream_read(s, BUFFER_SIZE), 0);
	KUNIT_EXPECT_EQ(test, WEIR_EVENT_LOST, ((struct weir_event *)s->buffer)->type);
	KUNIT_EXPECT_EQ(test, 10, ((struct weir_event *)s->buffer)->value);
}

/**
 * struct seer_row - which reader may see an object's events
 * @name: name of the row
 * @uid: user of the reader
 * @gid: group of the reader
 * @mode: mode of the object
 * @sees: whether the reader sees the event
 */
struct seer_row {
	const char *name;
	unsigned int uid;
	unsigned int gid;
	u16 mode;
	bool sees;
};

static const struct seer_row seer_rows[] = {
	{ "owner may", OWNER, STRANGER, 0600, true },
	{ "owner may not", OWNER, GROUP, 0066, false },
	{ "group may", STRANGER, GROUP, 0640, true },
	{ "group may not", STRANGER, GROUP, 0604, false },
	{ "others may", STRANGER, STRANGER, 0604, true },
	{ "others may not", STRANGER, STRANGER, 0660, false },
	{ "to write is not to read", STRANGER, STRANGER, 0622, false },
};

static void seer_describe(const struct seer_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(seer, seer_rows, seer_describe);

static void event_is_seen_by(struct kunit *test)
{
	const struct seer_row *row = test->param_value;
	struct stream *s = test->priv;

	s->cred->cap_effective = CAP_EMPTY_SET;
	s->cred->euid = KUIDT_INIT(row->uid);
	s->cred->egid = KGIDT_INIT(row->gid);
	s->object.mode = row->mode;
	tell(s, 1);
	tell(s, 2);
	KUNIT_EXPECT_EQ(test, row->sees ? EPOLLIN | EPOLLRDNORM : 0,
			stream_poll(s));
	KUNIT_EXPECT_EQ(test, row->sees ? 0 : 2, s->reader.next);
	KUNIT_EXPECT_EQ(test, row->sees ? 2 * sizeof(struct weir_event) : 0,
			stream_read(s, BUFFER_SIZE));
	/* the reader skips events that it may not see */
	KUNIT_EXPECT_EQ(test, 2, s->reader.next);
}

/* Without the right to see keys, an event is returned without its key. */
static void event_shows_key(struct kunit *test)
{
	struct stream *s = test->priv;
	const struct weir_event *e;
	unsigned int mode;

	s->cred->cap_effective = CAP_EMPTY_SET;
	s->cred->euid = KUIDT_INIT(STRANGER);
	s->cred->egid = KGIDT_INIT(STRANGER);
	for (mode = 0; mode < 8; mode++) {
		s->object.mode = mode;
		weir_event_key(&s->object, WEIR_EVENT_BANNED, WEIR_KEY_U64, "12345678", 8,
			       5000, 3);
		e = stream_next(s);
		KUNIT_ASSERT_EQ(test, !!(mode & 4), !!e);
		if (!e)
			continue;
		KUNIT_EXPECT_EQ(test, 5000, e->value);
		KUNIT_EXPECT_EQ(test, WEIR_KEY_U64, e->key_type);
		KUNIT_EXPECT_EQ(test, mode & 1 ? 8 : 0, e->data_len);
		KUNIT_EXPECT_EQ(test, sizeof(*e) + (mode & 1 ? 8 : 0), e->size);
	}
}

/*
 * A reader sees an event if one of its supplementary groups is the group of the object; it may be
 * the first or the last of many.
 */
static void event_is_seen_by_group(struct kunit *test)
{
	struct stream *s = test->priv;
	struct group_info *groups = groups_alloc(7);
	unsigned int gid;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, groups);
	for (i = 0; i < 7; i++)
		groups->gid[i] = KGIDT_INIT(GROUP + 2 * (6 - i));
	groups_sort(groups);
	set_groups(s->cred, groups);
	put_group_info(groups);
	s->cred->cap_effective = CAP_EMPTY_SET;
	s->cred->euid = KUIDT_INIT(STRANGER);
	s->cred->egid = KGIDT_INIT(1);
	s->object.mode = 0640;
	for (gid = GROUP - 1; gid < GROUP + 15; gid++) {
		s->object.gid = KGIDT_INIT(gid);
		tell(s, gid);
		KUNIT_EXPECT_EQ(test, gid >= GROUP && gid <= GROUP + 12 && !(gid % 2),
				stream_read(s, BUFFER_SIZE) > 0);
	}
}

/* No event of an object is emitted after the event of its deletion. */
static void event_ends(struct kunit *test)
{
	struct stream *s = test->priv;

	tell(s, 1);
	s->object.dead = true;
	tell(s, 2);
	weir_event_object(&s->object, WEIR_EVENT_DELETED, 0, 0);
	tell(s, 3);
	KUNIT_EXPECT_EQ(test, WEIR_EVENT_CHANGED, stream_next(s)->type);
	KUNIT_EXPECT_EQ(test, WEIR_EVENT_DELETED, stream_next(s)->type);
	KUNIT_EXPECT_NULL(test, stream_next(s));
	KUNIT_EXPECT_EQ(test, 2, s->reader.next);
}

#define WRITERS	3
#define TOLD	3000

/**
 * struct flow - events that a crowd emits and reads
 * @s: the reader
 * @writing: number of members that still emit
 * @seen: events read
 * @lost: events reported as lost
 * @wrong: number of violations
 * @last: value of the last event that was read, by writer
 */
struct flow {
	struct stream *s;
	atomic_t writing;
	u64 seen;
	u64 lost;
	unsigned int wrong;
	s64 last[WRITERS];
};

static void flow_read(struct flow *f, const struct weir_event *e, u64 *expected)
{
	f->wrong += e->seq != *expected;
	if (e->type == WEIR_EVENT_LOST) {
		f->lost += e->value;
		*expected += e->value;
		return;
	}
	f->seen++;
	(*expected)++;
	/* the events of one writer stay in order */
	f->wrong += e->more < 0 || e->more >= WRITERS || e->value <= f->last[e->more];
	f->last[e->more % WRITERS] = e->value;
}

static void flow_work(unsigned int index, void *arg)
{
	struct flow *f = arg;
	const struct weir_event *e;
	u64 expected = 0;
	int i;

	if (index < WRITERS) {
		for (i = 1; i <= TOLD; i++)
			weir_event_object(&f->s->object, WEIR_EVENT_CHANGED, i, index);
		atomic_dec(&f->writing);
		return;
	}
	do {
		i = atomic_read(&f->writing);
		while ((e = stream_next(f->s)))
			flow_read(f, e, &expected);
		cond_resched();
	} while (i);
}

/*
 * Several members emit, one reads. Events are whole and in order, and the number of lost events is
 * exact.
 */
static void event_crowd(struct kunit *test)
{
	struct flow *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->s = test->priv;
	atomic_set(&f->writing, WRITERS);
	crowd_run(test, WRITERS + 1, flow_work, f);
	KUNIT_EXPECT_EQ(test, 0, f->wrong);
	KUNIT_EXPECT_EQ(test, WRITERS * TOLD, f->seen + f->lost);
}

#define WAKES	50

/*
 * Member 0 sleeps until there is an event. Member 1 emits the next one when the previous one was
 * read. A read may return two events, so the loop looks at the reader's position.
 */
static void wake_work(unsigned int index, void *arg)
{
	struct stream *s = arg;
	int i;

	if (!index) {
		while (s->reader.next < WAKES) {
			weir_event_wait(&s->reader, &s->end);
			stream_read(s, BUFFER_SIZE);
		}
		return;
	}
	for (i = 1; i <= WAKES; i++) {
		tell(s, i);
		while (READ_ONCE(s->reader.next) < i)
			cond_resched();
	}
}

static void event_wakes_sleeper(struct kunit *test)
{
	struct stream *s = test->priv;

	crowd_run(test, 2, wake_work, s);
	KUNIT_EXPECT_EQ(test, WAKES, s->reader.next);
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE(event_empty),
	KUNIT_CASE(event_record),
	KUNIT_CASE(event_members),
	KUNIT_CASE(event_emitted),
	KUNIT_CASE(event_emitted_is_seen_by),
	KUNIT_CASE(event_small_buffer),
	KUNIT_CASE(event_does_not_fit),
	KUNIT_CASE(event_overrun),
	KUNIT_CASE(event_fault),
	KUNIT_CASE_PARAM(event_is_seen_by, seer_gen_params),
	KUNIT_CASE(event_shows_key),
	KUNIT_CASE(event_is_seen_by_group),
	KUNIT_CASE(event_ends),
	KUNIT_CASE(event_crowd),
	KUNIT_CASE(event_wakes_sleeper),
	{}
};

static struct kunit_suite weir_event_suite = {
	.name = "weir_event",
	.init = event_kunit_init,
	.exit = event_kunit_exit,
	.test_cases = event_cases,
};

kunit_test_suite(weir_event_suite);
