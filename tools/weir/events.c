// SPDX-License-Identifier: GPL-2.0-only
/* weir events */

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static const struct {
	uint64_t bit;
	const char *name;
} changes[] = {
	{ WEIR_SET_RATE, "rate" },
	{ WEIR_SET_BURST, "burst" },
	{ WEIR_SET_MAX_KEYS, "max-keys" },
	{ WEIR_SET_WHEN_FULL, "when-full" },
	{ WEIR_SET_STRIKES, "strikes" },
	{ WEIR_SET_WITHIN, "within" },
	{ WEIR_SET_FORGET_AFTER, "forget-after" },
	{ WEIR_SET_QUEUE_MAX, "queue-max" },
	{ WEIR_SET_CANDIDATE, "candidate" },
	{ WEIR_SET_BAN_JITTER, "ban-jitter" },
	{ WEIR_SET_FLAGS, "shadow" },
	{ WEIR_SET_PERMITS, "permits" },
	{ WEIR_SET_RULES, "rules" },
};

static void record_json(json_t *json, const struct weir_event *event,
			const struct weir_key *key)
{
	json_add(json, "tag", *event->name ? json_string(event->name) : json_null());
	json_add(json, "uid", json_u64((uint64_t)event->value));
	json_add(json, "pid", json_u64((uint64_t)event->more));
	json_add_bytes(json, "text", key->bytes, key->len);
	json_print_line(json);
}

/* The reason for which a lease was lost, as one of two phrases. */
static const char *lost_reason(const struct weir_event *event, const char *holder,
			       const char *expired)
{
	return event->more == WEIR_LOST_EXPIRED ? expired : holder;
}

static void event_json(const struct weir_event *event)
{
	const char *type = weir_event_type_name((int)event->type);
	const char *kind = weir_kind_name((int)event->kind);
	uint64_t value = (uint64_t)event->value;
	json_t *json = json_object(), *names;
	struct weir_key key;
	int i;

	json_add(json, "seq", json_u64(event->seq));
	json_add(json, "time_ns", json_u64(event->time));
	json_add(json, "type", type ? json_string(type) : json_null());
	if (event->type == WEIR_EVENT_LOST) {
		json_add(json, "lost", json_u64(value));
		json_print_line(json);
		return;
	}
	weir_events_key(event, &key);
	if (event->type == WEIR_EVENT_RECORD) {
		record_json(json, event, &key);
		return;
	}
	json_add(json, "kind", kind ? json_string(kind) : json_null());
	json_add(json, "name", json_string(event->name));
	json_add(json, "id", json_u64(event->id));
	switch (event->type) {
	case WEIR_EVENT_CREATED:
		json_add(json, "uid", json_u64(value));
		break;
	case WEIR_EVENT_CHANGED:
		names = json_array();
		for (i = 0; i < COUNT(changes); i++)
			if (value & changes[i].bit)
				json_array_append_new(names,
					json_string(changes[i].name));
		json_add(json, "changed", names);
		break;
	case WEIR_EVENT_BANNED:
		json_add_key(json, &key);
		json_add(json, "banned_for_ns", json_u64(value));
		json_add(json, "strikes", json_u64((uint64_t)event->more));
		break;
	case WEIR_EVENT_LIFTED:
		json_add_key(json, &key);
		json_add(json, "banned_for_ns", json_u64(value));
		break;
	case WEIR_EVENT_TABLE_FULL:
		json_add(json, "max_keys", json_u64(value));
		break;
	case WEIR_EVENT_OPENED:
		json_add_key(json, &key);
		json_add(json, "open_for_ns", json_u64(value));
		json_add(json, "step", json_u64((uint64_t)event->more));
		break;
	case WEIR_EVENT_HALF_OPEN:
	case WEIR_EVENT_CLOSED:
		json_add_key(json, &key);
		break;
	case WEIR_EVENT_LEASE_LOST:
		json_add_key(json, &key);
		json_add(json, "version", json_u64(value));
		json_add(json, "reason", json_string(lost_reason(event, "holder",
								 "expired")));
		break;
	}
	json_print_line(json);
}

/* Event times are relative to boot. Print them by the wall clock. */
static void print_time(uint64_t boottime)
{
	struct timespec boot, real;
	char text[32];
	struct tm tm;
	int64_t ns;
	time_t seconds;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	ns = (real.tv_sec - boot.tv_sec) * 1000000000LL + real.tv_nsec -
	     boot.tv_nsec + (int64_t)boottime;
	seconds = ns / 1000000000;
	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03d", text, (int)(ns % 1000000000 / 1000000));
}

static void print_user(uint64_t uid)
{
	const struct passwd *user = getpwuid((uid_t)uid);

	if (user)
		printf(" by %s", user->pw_name);
	else
		printf(" by user %llu", (unsigned long long)uid);
}

/* The text of a record is untrusted. Escape it in the way of keys. */
static void print_record(const struct weir_event *event)
{
	char shown[KEY_ROOM];
	struct weir_key key;

	weir_events_key(event, &key);
	if (*event->name)
		printf(" %s", event->name);
	print_user((uint64_t)event->value);
	weir_text_format(key.bytes, key.len, shown, sizeof(shown));
	printf(" (%lld): %s\n", (long long)event->more, shown);
}

/* An event about a breaker's key. */
static void print_move(const struct weir_event *event, const struct weir_key *key)
{
	char shown[KEY_ROOM], duration[HUMANE_MAX];

	if (key->type != WEIR_KEY_NONE)
		printf(" key %s", key_show(key, shown));
	if (event->type != WEIR_EVENT_OPENED)
		return;
	if (event->value < 0)
		printf(" until it is reset");
	else
		printf(" for %s", humane((uint64_t)event->value, duration));
}

static void print_details(const struct weir_event *event)
{
	uint64_t value = (uint64_t)event->value;
	char shown[KEY_ROOM], duration[HUMANE_MAX];
	struct weir_key key;
	int i, listed = 0;

	weir_events_key(event, &key);
	switch (event->type) {
	case WEIR_EVENT_CREATED:
		print_user(value);
		break;
	case WEIR_EVENT_CHANGED:
		for (i = 0; i < COUNT(changes); i++)
			if (value & changes[i].bit)
				printf("%s%s", listed++ ? ", " : ": ",
				       changes[i].name);
		break;
	case WEIR_EVENT_BANNED:
		printf(" key %s for %s", key_show(&key, shown),
		       humane(value, duration));
		if (event->more)
			printf(" after %lld strikes", (long long)event->more);
		else
			printf(" by hand");
		break;
	case WEIR_EVENT_LIFTED:
		printf(" key %s, %s before its end", key_show(&key, shown),
		       humane(value, duration));
		break;
	case WEIR_EVENT_TABLE_FULL:
		printf(": all %llu keys are in use",
		       (unsigned long long)value);
		break;
	case WEIR_EVENT_OPENED:
	case WEIR_EVENT_HALF_OPEN:
	case WEIR_EVENT_CLOSED:
		print_move(event, &key);
		break;
	case WEIR_EVENT_LEASE_LOST:
		if (key.type != WEIR_KEY_NONE)
			printf(" key %s", key_show(&key, shown));
		printf(" version %llu: %s", (unsigned long long)value,
		       lost_reason(event, "its owner is gone", "it expired"));
		break;
	}
}

static void event_text(const struct weir_event *event)
{
	const char *type = weir_event_type_name((int)event->type);
	const char *kind = weir_kind_name((int)event->kind);

	print_time(event->time);
	printf(" #%llu %s%s%s", (unsigned long long)event->seq,
	       colour(event->type == WEIR_EVENT_BANNED ||
		      event->type == WEIR_EVENT_OPENED ? RED : BOLD),
	       type ? type : "?", colour(PLAIN));
	if (event->type == WEIR_EVENT_LOST) {
		printf(" %llu events: they came faster than they were read\n",
		       (unsigned long long)event->value);
		return;
	}
	if (event->type == WEIR_EVENT_RECORD) {
		print_record(event);
		return;
	}
	printf(" %s %s", kind ? kind : "?", event->name);
	print_details(event);
	putchar('\n');
}

/* Print the events that the kernel keeps now. */
static void print_present(const struct args *args, struct weir_events *events)
{
	const struct weir_event *event;
	int ret;

	while ((ret = weir_events_next(events, &event, 0)) == 1) {
		if (args->json)
			event_json(event);
		else
			event_text(event);
		if (ferror(stdout))
			output_flush();
	}
	if (ret < 0)
		die("cannot read the events: %s", reason(errno));
	output_flush();
}

/*
 * A descriptor for the signals that end --follow. A handler would miss a signal that arrives just
 * before poll(). Signals that the caller ignores (nohup) stay ignored.
 */
static int end_signals_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t ends;
	int fd, i;

	sigemptyset(&ends);
	for (i = 0; i < COUNT(signals); i++)
		if (!sigaction(signals[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&ends, signals[i]);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	fd = signalfd(-1, &ends, SFD_CLOEXEC);
	if (fd < 0)
		die("cannot wait for signals: %s", reason(errno));
	return fd;
}

/* The loop ends as soon as the reader of the output closes the pipe. */
static void follow(const struct args *args, struct weir_events *events)
{
	struct pollfd files[3] = {
		{ .fd = weir_events_fd(events), .events = POLLIN },
		{ .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};

	files[1].fd = end_signals_open();
	do {
		print_present(args, events);
		if (poll(files, 3, -1) < 0 && errno != EINTR)
			die("cannot wait for events: %s", reason(errno));
		if (files[2].revents & (POLLERR | POLLNVAL)) {
			errno = EPIPE;
			die("cannot write the output: %s", reason(errno));
		}
	} while (!files[1].revents);
	close(files[1].fd);
}

static int events_run(const struct args *args)
{
	const char *start = args_option(args, "--from");
	const char *user = args_option(args, "--user");
	bool following = args_option(args, "--follow");
	uint64_t from = following ? WEIR_EVENTS_NOW : WEIR_EVENTS_OLDEST;
	struct weir_events *events;

	if (start)
		from = arg_u64("--from", start, 0, INT64_MAX);
	/* its error message is printed if there is no device */
	weir_close(client_open(WEIR_OPEN_READONLY));
	events = weir_events_open(user, from);
	if (!events && user && errno == ENOENT)
		die("--user '%s': no such user", printable(user));
	if (!events && errno == EINVAL)
		die("--from '%s': that event is yet to come; 'weir status' tells how many there were",
		    start);
	if (!events)
		die("cannot open the events: %s", reason(errno));
	if (following)
		follow(args, events);
	else
		print_present(args, events);
	weir_events_close(events);
	return EXIT_YES;
}

static const struct option options[] = {
	{ .name = "--follow",
	  .help = "print new events as they happen, until Ctrl-C; starts with the next event unless --from is given" },
	{ .name = "--user", .value = "USER",
	  .help = "of another user's objects, by name or number; your own unless given" },
	{ .name = "--from", .value = "SEQ",
	  .help = "start with event number SEQ, to continue an earlier run" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.operands = "",
		.summary = "print events: bans, breakers that open and close, lost leases, created, changed and deleted objects, and records",
		.details = "Every user has a stream of events, of which the kernel keeps the last 1024. The stream exists while the user has objects, or programs that use /dev/weir. This command prints the events that are kept, oldest first, and exits. In another user's stream you see the events of objects that you may observe, with the key if the mode gives you x, too. Records are shown to the user that emitted them and to root.\n\n"
			"If events were dropped before they could be read, an event 'lost' says how many, with the number of the first; also if --from names an event that is gone. A program that remembers the number of the last event it has handled, and continues with the next one, therefore misses no event unnoticed.",
		.prints = true,
		.options = options,
		.run = events_run,
	},
};

const struct object events_object = {
	.name = "events",
	.summary = "The event stream.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
