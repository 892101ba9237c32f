// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The library with a live /dev/weir: functions that the command does not use. Run by
 * tests/cli/library.sh. Gates and breakers have their own files.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

#define OBJECTS 400
#define KEYS 5000

struct weir *weir;

static const struct weir_limiter_config slow = {
	.size = sizeof(slow),
	.algorithm = WEIR_ALGORITHM_BUCKET,
	.key_type = WEIR_KEY_U64,
	.tokens = 10,
	.period = 2400 * HOUR,
	.max_keys = 2 * KEYS,
	.strikes = 3,
	.within = HOUR,
	.nbans = 1,
	.ban = { HOUR },
};

static void test_client(void)
{
	struct weir_info info = { .size = sizeof(info) };
	struct weir *other;

	ok(!weir_open(~0) && errno == EINVAL, "unknown flags are refused");
	ok(!weir_get_info(weir, &info) && info.abi_version >= 1, "weir_get_info()");
	info.size = 4;
	ok(weir_get_info(weir, &info) == -1 && errno == EINVAL,
	   "a struct that is too small is refused");
	other = weir_open(WEIR_OPEN_READONLY);
	ok(other && weir_fd(other) >= 0, "a second client is opened read-only");
	ok(!weir_counter_create(other, "lib.c", WEIR_COUNTER_SUM, NULL, 0, 0600) &&
	   errno == EACCES, "a read-only client cannot create");
	errno = ENOTEMPTY;
	weir_close(other);
	weir_close(NULL);
	weir_counter_close(NULL);
	weir_limiter_close(NULL);
	weir_events_close(NULL);
	weir_objects_close(NULL);
	weir_entries_close(NULL);
	ok(errno == ENOTEMPTY, "close does not change errno");
}

static void test_counter(void)
{
	static const char *const fields[] = { "a", "b", "c", "d", "e", "f" };
	const int64_t amounts[] = { 1, 2, 3, 4, 5, 6 };
	struct weir_counter *counter, *same;
	int64_t values[WEIR_FIELDS_MAX], value = 0;
	uint64_t first;

	counter = weir_counter_create(weir, "lib.c", WEIR_COUNTER_SUM, fields,
				      6, 0600);
	ok(counter, "a counter is created");
	if (!counter)
		return;
	ok(weir_counter_type(counter) == WEIR_COUNTER_SUM &&
	   weir_counter_fields(counter) == 6 &&
	   !strcmp(weir_counter_field_name(counter, 5), "f") &&
	   !weir_counter_field_name(counter, 6), "the counter has the names of its fields");
	ok(!weir_counter_create(weir, "lib.c", WEIR_COUNTER_SUM, fields, 6,
				0600) && errno == EEXIST,
				   "a second counter of that name is refused");
	same = weir_counter_ensure(weir, "lib.c", WEIR_COUNTER_SUM, NULL, 0,
				   0600, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	ok(same && weir_counter_fields(same) == 6,
	   "ensure opens the existing counter");
	ok(weir_counter_field(same, "c") == 2 &&
	   weir_counter_field(same, "x") == -1 && errno == ENOENT,
	   "fields are found by name");
	ok(!weir_counter_add(same, 5, 10) &&
	   !weir_counter_add_named(counter, "a", -3) &&
	   weir_counter_add_named(counter, "x", 1) == -1 && errno == ENOENT,
	   "add to one field");
	ok(weir_counter_add(counter, 6, 1) == -1 && errno == EINVAL &&
	   weir_counter_add(counter, 64, 1) == -1 && errno == EINVAL &&
	   weir_counter_add(counter, 4000000000U, 1) == -1 && errno == EINVAL,
	   "add to a field that does not exist is refused");
	ok(!weir_counter_add_many(counter, 0x3f, amounts) &&
	   !weir_counter_add_many(counter, 0x0f, amounts) &&
	   !weir_counter_add_many(counter, 0x20, amounts), "add to several fields");
	ok(weir_counter_add_many(counter, 0, amounts) == -1 &&
	   errno == EINVAL, "add to no field is refused");
	ok(weir_counter_read(same, values, WEIR_FIELDS_MAX) == 6 &&
	   values[0] == -1 && values[1] == 4 && values[2] == 6 &&
	   values[3] == 8 && values[4] == 5 && values[5] == 17, "read all fields");
	ok(weir_counter_read(same, values, 5) == -1 && errno == EMSGSIZE,
	   "room for five fields is too small");
	ok(!weir_counter_read_field(same, 5, &value) && value == 17,
	   "read one field");
	ok(weir_counter_take(same, values, 6) == -1 && errno == EACCES,
	   "take without the right is refused");
	ok(weir_counter_take(counter, values, 6) == 6 && values[5] == 17 &&
	   !weir_counter_read_field(counter, 5, &value) && !value, "take resets the counter");
	ok(weir_counter_next(counter, 1, &first) == -1 && errno == EOPNOTSUPP,
	   "next of a sum is refused");
	ok(!weir_counter_delete(counter) &&
	   weir_counter_add(same, 0, 1) == -1 && errno == ENODEV,
	   "a deleted counter fails with ENODEV for all handles");
	weir_counter_close(counter);
	weir_counter_close(same);
	ok(!weir_counter_open(weir, "lib.c", WEIR_RIGHT_USE) &&
	   errno == ENOENT, "a deleted counter cannot be opened");
}

static void test_adopt(void)
{
	struct weir_counter_config config = {
		.size = sizeof(config), .type = WEIR_COUNTER_SEQUENCE,
	};
	struct weir_create create = {
		.owner = WEIR_OWNER_DEFAULT,
		.size = sizeof(create), .kind = WEIR_KIND_COUNTER,
		.mode = 0600, .gid = WEIR_GID_DEFAULT,
		.rights = WEIR_RIGHT_ALL, .config = (uintptr_t)&config,
		.name = "lib.seq",
	};
	struct weir_counter *counter;
	uint64_t first = 0;

	ok(!weir_create(weir, &create) && create.created && create.handle,
	   "weir_create() creates a sequence");
	counter = weir_counter_adopt(weir, create.handle);
	ok(counter && weir_counter_type(counter) == WEIR_COUNTER_SEQUENCE &&
	   weir_counter_handle(counter) == create.handle, "the handle of the sequence is adopted");
	ok(!weir_counter_next(counter, 5, &first) && first == 1 &&
	   !weir_counter_next(counter, 1, &first) && first == 6, "next of the sequence");
	ok(weir_counter_next(counter, 0, &first) == -1 && errno == EINVAL &&
	   weir_counter_next(counter, UINT64_MAX, &first) == -1 &&
	   errno == EINVAL, "next of 0 or of too many numbers is refused");
	ok(!weir_counter_adopt(weir, 12345) && errno == EBADF,
	   "an unknown handle is not adopted");
	weir_counter_delete(counter);
	weir_counter_close(counter);
}

static void test_histogram(void)
{
	static struct weir_histogram h, taken;
	struct weir_counter *counter, *user, *sum;
	struct weir_op op;

	counter = weir_counter_create(weir, "lib.h", WEIR_COUNTER_HISTOGRAM, NULL, 0,
				      0600);
	user = weir_counter_open(weir, "lib.h", WEIR_RIGHT_USE);
	sum = weir_counter_create(weir, "lib.sum", WEIR_COUNTER_SUM, NULL, 0, 0600);
	ok(counter && user && sum, "a histogram is created");
	if (!counter || !user || !sum)
		return;
	ok(weir_counter_type(counter) == WEIR_COUNTER_HISTOGRAM &&
	   !weir_counter_fields(counter), "a histogram has no fields");
	weir_op_observe(&op, user, 30, 1);
	ok(!weir_counter_observe(user, 10, 1) && !weir_counter_observe(user, 20, 2) &&
	   weir_submit(weir, &op, 1) == 1 && !op.result, "observe values");
	ok(weir_counter_observe(user, 1, 0) == -1 && errno == EINVAL &&
	   weir_counter_observe(user, 1ULL << 63, 1) == -1 && errno == EINVAL &&
	   weir_counter_observe(sum, 1, 1) == -1 && errno == EOPNOTSUPP,
	   "observe 0 times, beyond the range, or in a sum is refused");
	ok(!weir_counter_read_histogram(counter, &h) && h.count == 4 && h.sum == 80 &&
	   h.min == 10 && h.max == 30 && weir_histogram_percentile(&h, 750000) == 20 &&
	   weir_histogram_mean(&h) == 20, "read a histogram");
	ok(!weir_counter_add(sum, 0, 7) &&
	   weir_counter_take_histogram(sum, &taken) == -1 && errno == EOPNOTSUPP &&
	   weir_counter_read_histogram(user, &taken) == -1 && errno == EACCES,
	   "read of a sum, or without the right, is refused");
	ok(!weir_counter_take_histogram(counter, &taken) &&
	   !memcmp(&taken, &h, sizeof(h)) &&
	   !weir_counter_read_histogram(counter, &h) && !h.count, "take a histogram");
	ok(!weir_counter_load_histogram(counter, &taken) &&
	   !weir_counter_load_histogram(counter, &taken) &&
	   !weir_counter_read_histogram(counter, &h) && h.count == 8,
	   "load the taken values twice");
	weir_histogram_merge(&taken, &taken);
	ok(!memcmp(&taken, &h, sizeof(h)), "the loaded values are twice those taken");
	taken.count++;
	ok(weir_counter_load_histogram(counter, &taken) == -1 && errno == EINVAL,
	   "impossible values are not loaded");
	weir_counter_delete(counter);
	weir_counter_delete(sum);
	weir_counter_close(counter);
	weir_counter_close(user);
	weir_counter_close(sum);
}

static void test_emit(void)
{
	struct weir_events *events = weir_events_open(NULL, WEIR_EVENTS_NOW);
	struct weir *reader = weir_open(WEIR_OPEN_READONLY);
	char bytes[WEIR_RECORD_MAX + 1] = "a line";
	const struct weir_event *event;
	struct weir_key key;
	uint64_t seq = 0;

	ok(weir_emit(weir, "a b", bytes, 6, NULL) == -1 && errno == EINVAL &&
	   weir_emit(weir, NULL, bytes, 0, NULL) == -1 && errno == EINVAL &&
	   weir_emit(weir, NULL, bytes, sizeof(bytes), NULL) == -1 && errno == EINVAL &&
	   weir_emit(weir, NULL, bytes, SIZE_MAX, NULL) == -1 && errno == EINVAL &&
	   weir_emit(reader, NULL, bytes, 6, NULL) == -1 && errno == EACCES,
	   "invalid records are refused");
	ok(!weir_emit(weir, "lib", bytes, 6, &seq) &&
	   !weir_emit(weir, NULL, bytes, WEIR_RECORD_MAX, NULL), "records are emitted");
	ok(weir_events_next(events, &event, 0) == 1 &&
	   event->type == WEIR_EVENT_RECORD && event->seq == seq &&
	   event->more == getpid() && !strcmp(event->name, "lib"),
	   "the record is in the event stream");
	weir_events_key(event, &key);
	ok(key.type == WEIR_KEY_TEXT && key.len == 6 && !memcmp(key.bytes, bytes, 6),
	   "the record has its bytes");
	ok(weir_events_next(events, &event, 0) == 1 && event->data_len == 160 &&
	   !*event->name && weir_events_next(events, &event, 0) == 0,
	   "the longest record follows, and no other event");
	weir_events_close(events);
	weir_close(reader);
}

/* Waiting for tokens by poll(): one of 10 comes back in ten days. */
static void test_limiter_queue(struct weir_limiter *limiter)
{
	struct pollfd one = { .fd = weir_fd(weir), .events = POLLOUT };
	struct weir_answer answer;
	struct weir_key key;
	struct weir_op op;

	weir_key_u64(&key, 2);
	ok(weir_limiter_queue(limiter, &key, 10, WEIR_NEVER, &answer) == WEIR_ALLOWED &&
	   answer.remaining == 0, "a request is served at once if its tokens are available");
	ok(weir_limiter_queue(limiter, &key, 1, HOUR, NULL) == WEIR_LIMITED &&
	   weir_limiter_wait(limiter, &key, 1, 0, NULL) == WEIR_LIMITED,
	   "a request that cannot be served in time is refused at once");
	ok(weir_limiter_queue(limiter, &key, 1, WEIR_NEVER, &answer) == WEIR_QUEUED &&
	   answer.retry_after > 200 * HOUR && answer.retry_after <= 240 * HOUR,
	   "a request that must wait is queued, with the time");
	ok(weir_limiter_queue(limiter, &key, 1, WEIR_NEVER, NULL) == -1 && errno == EEXIST,
	   "a second request of the tag for the key is refused");
	ok(!weir_limiter_cancel(limiter, &key) &&
	   weir_limiter_cancel(limiter, &key) == -1 && errno == ENOENT,
	   "a request can be cancelled once");
	ok(weir_limiter_queue(limiter, &key, 3, WEIR_NEVER, NULL) == WEIR_QUEUED &&
	   !weir_limiter_refund(limiter, &key, 4, NULL) && poll(&one, 1, 10000) == 1,
	   "a request is served when tokens come back");
	ok(weir_collect(weir, &op, 1) == 1 && op.opcode == WEIR_OP_RESERVE && op.n == 3 &&
	   op.verdict == WEIR_ALLOWED && op.remaining == 1, "the answer is collected");
	ok(!poll(&one, 1, 0) && !weir_collect(weir, &op, 1), "the answer is collected only once");
	ok(!weir_limiter_forget(limiter, &key), "the key is forgotten");
}

static void test_limiter(struct weir_limiter *limiter)
{
	struct weir_answer answer;
	struct weir_key key, text;
	struct weir_op ops[64];
	int i, good = 0;

	weir_key_u64(&key, 1);
	weir_key_text(&text, "12345678", 8);
	ok(weir_limiter_key_type(limiter) == WEIR_KEY_U64, "the key type of the limiter");
	ok(weir_limiter_check(limiter, &key, 4, &answer) == WEIR_ALLOWED &&
	   answer.verdict == WEIR_ALLOWED && answer.remaining == 6 &&
	   answer.limit == 10, "check charges tokens");
	ok(weir_limiter_check(limiter, &text, 1, NULL) == -1 &&
	   errno == EINVAL, "a text key of eight bytes is not a number");
	ok(weir_limiter_check(limiter, NULL, 1, NULL) == -1 &&
	   errno == EINVAL, "a missing key is refused");
	ok(weir_limiter_check(limiter, &key, 0, NULL) == -1 &&
	   errno == EINVAL, "a cost of 0 is refused");
	ok(weir_limiter_check(limiter, &key, UINT64_MAX, NULL) == -1 &&
	   errno == EINVAL, "a cost that is too large is refused");
	ok(weir_limiter_peek(limiter, &key, 7, NULL) == WEIR_LIMITED,
	   "the answer may be NULL");
	ok(!weir_limiter_refund(limiter, &key, 1, &answer) &&
	   answer.remaining == 7, "refund gives tokens back");
	ok(!weir_limiter_strike(limiter, &key, 2, &answer) &&
	   answer.strikes == 2, "strike counts strikes");
	ok(!weir_limiter_forgive(limiter, &key, &answer) &&
	   answer.strikes == 0, "forgive resets the strikes");
	ok(!weir_limiter_ban(limiter, &key, 2 * HOUR, &answer) &&
	   answer.banned_for == 2 * HOUR &&
	   answer.flags & WEIR_OUT_BANNED_NOW, "ban bans the key");
	ok(!weir_limiter_lift(limiter, &key, NULL) &&
	   weir_limiter_lift(limiter, &key, NULL) == -1 && errno == ENOENT,
	   "a ban can be lifted once");
	ok(!weir_limiter_forget(limiter, &key) &&
	   weir_limiter_forget(limiter, &key) == -1 && errno == ENOENT,
	   "a key can be forgotten once");

	for (i = 0; i < 64; i++)
		good += !weir_op_limiter(&ops[i], limiter, WEIR_OP_CHECK, &key,
					 1);
	ok(good == 64 && weir_submit(weir, ops, 64) == 64, "a batch of 64 checks");
	for (i = 0, good = 0; i < 64; i++) {
		weir_op_answer(&ops[i], &answer);
		good += !ops[i].result && answer.verdict == WEIR_ALLOWED;
	}
	ok(good == 10, "10 checks of the batch are allowed");
	ok(weir_submit(weir, ops, 0) == -1 && errno == EINVAL &&
	   weir_submit(weir, ops, WEIR_BATCH_MAX + 1) == -1 &&
	   errno == EINVAL, "a batch of 0 ops, or of too many, is refused");
	ok(weir_submit(weir, NULL, 1) == -1 && errno == EFAULT,
	   "a batch at NULL is refused");
	ok(weir_op_limiter(&ops[0], limiter, WEIR_OP_CHECK, &text, 1) == -1 &&
	   errno == EINVAL, "an invalid op is refused when it is filled in");
}

static void test_long_keys(void)
{
	struct weir_limiter_config config = slow;
	struct weir_limiter *limiter;
	unsigned char text[255];
	struct weir_key key;
	const struct weir_entry *entry;
	struct weir_entries *entries;
	int length, allowed = 0, seen[256] = { 0 }, good = 0;

	config.key_type = WEIR_KEY_TEXT;
	limiter = weir_limiter_ensure(weir, "lib.text", &config, 0600,
				      WEIR_RIGHT_ALL);
	for (length = 0; length < 255; length++)
		text[length] = (unsigned char)length;
	for (length = 1; length <= 255; length++) {
		weir_key_text(&key, text, (size_t)length);
		allowed += weir_limiter_check(limiter, &key, 1, NULL) ==
			   WEIR_ALLOWED;
	}
	ok(allowed == 255, "text keys of every length");
	entries = weir_entries_open(limiter, 0);
	while (weir_entries_next(entries, &entry) == 1)
		seen[entry->key.len] += entry->key.type == WEIR_KEY_TEXT &&
			!memcmp(entry->key.bytes, text, entry->key.len);
	weir_entries_close(entries);
	for (length = 1; length <= 255; length++)
		good += seen[length] == 1;
	ok(good == 255, "each text key is listed once");
	weir_limiter_delete(limiter);
	weir_limiter_close(limiter);
}

static void test_entries(struct weir_limiter *limiter)
{
	static unsigned char seen[KEYS];
	const struct weir_entry *entry;
	struct weir_entries *entries;
	struct weir_key key;
	uint64_t number;
	int ret, once = 0, banned = 0;

	for (number = 0; number < KEYS; number++) {
		weir_key_u64(&key, number);
		weir_limiter_check(limiter, &key, 1, NULL);
		if (number % 100 == 0)
			weir_limiter_ban(limiter, &key, HOUR, NULL);
	}
	entries = weir_entries_open(limiter, 0);
	while ((ret = weir_entries_next(entries, &entry)) == 1) {
		memcpy(&number, entry->key.bytes, sizeof(number));
		if (number < KEYS)
			seen[number]++;
	}
	ok(ret == 0, "the iterator over the keys ends");
	ok(weir_entries_next(entries, &entry) == 0, "an iterator that has ended stays at the end");
	weir_entries_close(entries);
	for (number = 0; number < KEYS; number++)
		once += seen[number] == 1;
	ok(once == KEYS, "each of %d keys is listed once", KEYS);
	entries = weir_entries_open(limiter, WEIR_DUMP_BANNED);
	while (weir_entries_next(entries, &entry) == 1)
		banned += entry->flags & WEIR_ENTRY_BANNED &&
			  entry->banned_for > 0;
	weir_entries_close(entries);
	/* and number 1, which the previous test left banned */
	ok(banned == KEYS / 100 + 1, "each banned key is listed once");
}

static void test_objects(void)
{
	const struct weir_object_info *info;
	struct weir_objects *objects;
	char name[WEIR_NAME_SIZE];
	int i, ret, seen = 0, ordered = 1;
	uint64_t last = 0;

	for (i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), "lib.many%d", i);
		weir_counter_close(weir_counter_create(weir, name,
						       WEIR_COUNTER_SUM, NULL,
						       0, 0600));
	}
	objects = weir_objects_open(weir, WEIR_KIND_COUNTER, NULL);
	while ((ret = weir_objects_next(objects, &info)) == 1) {
		ordered &= info->id > last;
		last = info->id;
		seen += !strncmp(info->name, "lib.many", 8);
	}
	weir_objects_close(objects);
	ok(ret == 0 && seen == OBJECTS, "%d objects are listed", OBJECTS);
	ok(ordered, "objects are listed in order");
	for (i = 0; i < OBJECTS; i++) {
		struct weir_counter *counter;

		snprintf(name, sizeof(name), "lib.many%d", i);
		counter = weir_counter_open(weir, name, WEIR_RIGHT_ADMIN);
		if (counter)
			weir_counter_delete(counter);
		weir_counter_close(counter);
	}
}

static void test_events(struct weir_limiter *limiter)
{
	struct weir_events *events = weir_events_open(NULL, WEIR_EVENTS_NOW);
	const struct weir_event *event;
	struct weir_key key, told;
	struct pollfd pollfd;
	struct timespec before, after;
	uint64_t seq;
	int64_t waited;

	ok(events, "an event stream is opened at the next event");
	ok(weir_events_next(events, &event, 0) == 0, "there is no event yet");
	clock_gettime(CLOCK_MONOTONIC, &before);
	ok(weir_events_next(events, &event, 200) == 0, "no event within the timeout");
	clock_gettime(CLOCK_MONOTONIC, &after);
	waited = (after.tv_sec - before.tv_sec) * 1000 +
		 (after.tv_nsec - before.tv_nsec) / 1000000;
	ok(waited >= 199, "the timeout has passed");
	weir_key_u64(&key, 77);
	weir_limiter_ban(limiter, &key, HOUR, NULL);
	weir_limiter_lift(limiter, &key, NULL);
	pollfd = (struct pollfd){ .fd = weir_events_fd(events),
				  .events = POLLIN };
	ok(poll(&pollfd, 1, 0) == 1 && pollfd.revents == POLLIN,
	   "poll() reports an event");
	ok(weir_events_next(events, &event, -1) == 1 &&
	   event->type == WEIR_EVENT_BANNED &&
	   event->value == (int64_t)HOUR && !strcmp(event->name, "lib.l"),
	   "the event of a ban");
	weir_events_key(event, &told);
	ok(told.type == WEIR_KEY_U64 && told.len == 8 &&
	   !memcmp(told.bytes, key.bytes, 8), "the event has the banned key");
	seq = event->seq;
	ok(weir_events_next(events, &event, 0) == 1 &&
	   event->type == WEIR_EVENT_LIFTED && event->seq == seq + 1,
	   "the event of the lift");
	weir_events_close(events);
	events = weir_events_open(NULL, seq);
	ok(events && weir_events_next(events, &event, 0) == 1 &&
	   event->seq == seq, "a stream can begin at a number");
	weir_events_close(events);
	ok(!weir_events_open(NULL, seq + 100) && errno == EINVAL,
	   "a stream cannot begin at a future number");
	events = weir_events_open(NULL, WEIR_EVENTS_OLDEST);
	ok(events && weir_events_next(events, &event, 0) == 1 &&
	   event->type != WEIR_EVENT_LOST, "a stream can begin at the oldest event kept");
	weir_events_close(events);
}

static void *spend(void *limiter)
{
	struct weir_key key;
	long allowed = 0;
	int i;

	weir_key_u64(&key, 99);
	for (i = 0; i < 1000; i++)
		allowed += weir_limiter_check(limiter, &key, 1, NULL) ==
			   WEIR_ALLOWED;
	return (void *)allowed;
}

/* Several threads share a client and an object. */
static void test_threads(void)
{
	struct weir_limiter_config config = slow;
	struct weir_limiter *limiter;
	pthread_t threads[8];
	long allowed = 0;
	void *result;
	int i;

	config.tokens = 500;
	config.strikes = 0;
	config.nbans = 0;
	config.ban[0] = 0;
	limiter = weir_limiter_create(weir, "lib.threads", &config, 0600);
	for (i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, spend, limiter);
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], &result);
		allowed += (long)result;
	}
	ok(allowed == 500, "8 threads share 500 tokens: %ld allowed", allowed);
	weir_limiter_delete(limiter);
	weir_limiter_close(limiter);
}

int main(void)
{
	struct weir_limiter *limiter;

	weir = weir_open(0);
	if (!weir) {
		printf("1..0 # SKIP no /dev/weir: %s\n", strerror(errno));
		return 0;
	}
	test_client();
	test_counter();
	test_adopt();
	test_histogram();
	test_emit();
	limiter = weir_limiter_create(weir, "lib.l", &slow, 0600);
	ok(limiter, "a limiter is created");
	if (limiter) {
		test_limiter(limiter);
		test_limiter_queue(limiter);
		test_entries(limiter);
		test_events(limiter);
		weir_limiter_delete(limiter);
		weir_limiter_close(limiter);
	}
	test_long_keys();
	test_objects();
	test_threads();
	test_gates();
	test_breakers();
	test_fork();
	weir_close(weir);
	return tap_done();
}
