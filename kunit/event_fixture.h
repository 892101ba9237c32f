/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream of events with its reader, for event_kunit.c, which includes the code under test. */
#ifndef _WEIR_KUNIT_EVENT_FIXTURE_H
#define _WEIR_KUNIT_EVENT_FIXTURE_H

#define BUFFER_SIZE	(16 * WEIR_EVENT_SIZE_MAX)
#define OWNER		1001
#define GROUP		1002
#define STRANGER	1003

/**
 * struct stream - a reader, and an object that causes events
 * @object: the object; mode 0600
 * @cred: credentials of an administrator
 * @file: opened with @cred
 * @ns: namespace of the object's owner
 * @reader: reader of the stream of @ns
 * @buffer: events that were read
 * @length: bytes in @buffer
 * @at: offset of the next event in @buffer
 * @end: ends a wait for events; always false
 */
struct stream {
	struct weir_object object;
	struct cred *cred;
	struct file file;
	struct weir_namespace ns;
	struct weir_event_reader reader;
	wait_queue_head_t pollers;
	u8 *buffer;
	ssize_t length;
	ssize_t at;
	bool end;
};

static const struct weir_kind_ops stream_kind = { .kind = WEIR_KIND_LIMITER };

static int event_kunit_init(struct kunit *test)
{
	struct stream *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	test->priv = NULL;
	if (!s || weir_event_mod_init())
		return -ENOMEM;
	test->priv = s;
	fakes_reset();
	atomic64_set(&fake_clock, 777);
	s->object.ops = &stream_kind;
	s->object.id = 42;
	s->object.uid = KUIDT_INIT(OWNER);
	s->object.gid = KGIDT_INIT(GROUP);
	s->object.owner = KUIDT_INIT(OWNER);
	s->object.ns = &s->ns;
	s->object.mode = 0600;
	s->ns.owner = KUIDT_INIT(OWNER);
	weir_event_stream_init(&s->ns.events);
	weir_event_reader_init(&s->reader, &s->ns.events, &s->pollers);
	strscpy(s->object.name, "login", sizeof(s->object.name));
	s->buffer = kunit_kzalloc(test, BUFFER_SIZE, GFP_KERNEL);
	s->cred = prepare_creds();
	if (!s->buffer || !s->cred || weir_event_stream_begin(&s->ns.events))
		return -ENOMEM;
	s->cred->cap_effective = CAP_FULL_SET;
	s->file.f_cred = s->cred;
	init_waitqueue_head(&s->pollers);
	return 0;
}

static void event_kunit_exit(struct kunit *test)
{
	struct stream *s = test->priv;

	if (!s)
		return;
	if (s->cred)
		put_cred(s->cred);
	if (s->reader.stream)
		weir_event_reader_end(&s->reader);
	weir_event_stream_exit(&s->ns.events);
	weir_event_mod_exit();
	test->priv = NULL;
}

static void tell(struct stream *s, s64 value)
{
	weir_event_object(&s->object, WEIR_EVENT_CHANGED, value, 0);
}

static ssize_t stream_read(struct stream *s, size_t length)
{
	s->at = 0;
	s->length = weir_event_read(&s->reader, s->cred, (char __user *)s->buffer,
				    length);
	return s->length;
}

static __poll_t stream_poll(struct stream *s)
{
	return weir_event_poll(&s->reader, s->cred, NULL);
}

/* Emit a record. Return: its number, or U64_MAX. */
static u64 emit(struct stream *s, const char *tag, const u8 *data, unsigned int len)
{
	u64 seq;

	return weir_event_emit(&s->ns, current_euid(), tag, data, len, &seq) ? U64_MAX : seq;
}

/* Return: the next event, or NULL. */
static const struct weir_event *stream_next(struct stream *s)
{
	const struct weir_event *e;

	if (s->at >= s->length && stream_read(s, BUFFER_SIZE) <= 0)
		return NULL;
	e = (const struct weir_event *)(s->buffer + s->at);
	s->at += e->size;
	return e;
}

#endif /* _WEIR_KUNIT_EVENT_FIXTURE_H */
