// SPDX-License-Identifier: GPL-2.0-only
/* weir save: all objects with their state, in one file that is replaced atomically */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "cli.h"
#include "state.h"

#define KEYS_ROOM 1048576

/* The file that is being written. */
struct saving {
	const char *name;
	char *temporary;	/* name of the file until it is complete */
	FILE *file;
	uLong crc;
};

static struct saving *unfinished;

static void unfinished_remove(void)
{
	if (unfinished)
		unlink(unfinished->temporary);
}

/* On a signal, remove the temporary file, and end as if there were no handler. */
static void on_signal(int number)
{
	unfinished_remove();
	signal(number, SIG_DFL);
	raise(number);
}

static void put(struct saving *s, const void *bytes, size_t length)
{
	if (length && fwrite(bytes, length, 1, s->file) != 1)
		die("%s: %s", s->temporary, strerror(errno));
	s->crc = crc32_z(s->crc, bytes, length);
}

static uint64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void put_section(struct saving *s, enum state_type type, size_t length)
{
	struct state_section section = {
		.type = type, .length = length, .time = wall_clock(),
	};

	put(s, &section, sizeof(section));
}

static struct state_object object_head(const struct weir_object_info *info)
{
	struct state_object head = {
		.type = info->type, .mode = info->mode,
		.uid = info->owner, .gid = info->gid,
	};

	memcpy(head.name, info->name, sizeof(head.name));
	return head;
}

static void save_rules(struct saving *s, struct weir_limiter *limiter,
		       const char *name)
{
	static struct weir_rule rules[WEIR_RULES_MAX + 1];
	int count = weir_limiter_get_rules(limiter, rules, WEIR_RULES_MAX);
	size_t length;

	if (count < 0)
		die_object("limiter", name);
	if (!count)
		return;
	/* a rule has 20 bytes; pad with zeros to a multiple of 8 */
	length = ((size_t)count * sizeof(*rules) + 7) / 8 * 8;
	memset(&rules[count], 0, sizeof(*rules));
	put_section(s, STATE_RULES, length);
	put(s, rules, length);
}

static void save_keys(struct saving *s, struct weir_limiter *limiter,
		      const char *name, void *buffer)
{
	uint64_t cursor = 0;
	long filled;

	while (cursor != WEIR_NEVER) {
		filled = weir_limiter_dump(limiter, &cursor, buffer, KEYS_ROOM);
		if (filled < 0)
			die_object("limiter", name);
		if (!filled)
			continue;
		put_section(s, STATE_KEYS, (size_t)filled);
		put(s, buffer, (size_t)filled);
	}
}

static void save_limiter(struct saving *s, struct weir *weir,
			 const struct weir_object_info *info, void *buffer)
{
	struct weir_limiter_config config = { .size = sizeof(config) };
	struct state_object head = object_head(info);
	struct weir_limiter *limiter;

	limiter = weir_limiter_open(weir, full_name(info),
				    WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	if (!limiter && errno == ENOENT)
		return;		/* another process has deleted it */
	if (!limiter || weir_limiter_get_config(limiter, &config) < 0)
		die_object("limiter", full_name(info));
	put_section(s, STATE_LIMITER, sizeof(head) + sizeof(config));
	put(s, &head, sizeof(head));
	put(s, &config, sizeof(config));
	save_rules(s, limiter, full_name(info));
	save_keys(s, limiter, full_name(info), buffer);
	weir_limiter_close(limiter);
}

static void save_histogram(struct saving *s, struct weir_counter *counter,
			   const struct weir_object_info *info)
{
	struct state_object head = object_head(info);
	static struct weir_histogram histogram;

	if (weir_counter_read_histogram(counter, &histogram) < 0)
		die_object("counter", full_name(info));
	put_section(s, STATE_COUNTER, sizeof(head) + sizeof(histogram));
	put(s, &head, sizeof(head));
	put(s, &histogram, sizeof(histogram));
}

static void save_fields(struct saving *s, struct weir_counter *counter,
			const struct weir_object_info *info)
{
	struct state_object head = object_head(info);
	char names[WEIR_FIELDS_MAX][WEIR_NAME_SIZE] = { "" };
	int64_t values[WEIR_FIELDS_MAX];
	unsigned int i, n;

	if (weir_counter_read(counter, values, WEIR_FIELDS_MAX) < 0)
		die_object("counter", full_name(info));
	n = weir_counter_fields(counter);
	for (i = 0; i < n; i++)
		snprintf(names[i], sizeof(names[i]), "%s",
			 weir_counter_field_name(counter, i));
	head.nfields = n;
	put_section(s, STATE_COUNTER, sizeof(head) + n * sizeof(*names) +
		    n * sizeof(*values));
	put(s, &head, sizeof(head));
	put(s, names, n * sizeof(*names));
	put(s, values, n * sizeof(*values));
}

static void save_counter(struct saving *s, struct weir *weir,
			 const struct weir_object_info *info)
{
	struct weir_counter *counter;

	counter = weir_counter_open(weir, full_name(info), WEIR_RIGHT_OBSERVE);
	if (!counter && errno == ENOENT)
		return;
	if (!counter)
		die_object("counter", full_name(info));
	if (info->type == WEIR_COUNTER_HISTOGRAM)
		save_histogram(s, counter, info);
	else
		save_fields(s, counter, info);
	weir_counter_close(counter);
}

/* Save the configuration only: permits belong to processes. */
static void save_gate(struct saving *s, struct weir *weir,
		      const struct weir_object_info *info)
{
	struct weir_gate_config config = { .size = sizeof(config) };
	struct state_object head = object_head(info);
	struct weir_gate *gate;

	gate = weir_gate_open(weir, full_name(info), WEIR_RIGHT_OBSERVE);
	if (!gate && errno == ENOENT)
		return;
	if (!gate || weir_gate_get_config(gate, &config) < 0)
		die_object("gate", full_name(info));
	put_section(s, STATE_GATE, sizeof(head) + sizeof(config));
	put(s, &head, sizeof(head));
	put(s, &config, sizeof(config));
	weir_gate_close(gate);
}

/* Save the configuration only: failures are short-lived, and probes belong to processes. */
static void save_breaker(struct saving *s, struct weir *weir,
			 const struct weir_object_info *info)
{
	struct weir_breaker_config config = { .size = sizeof(config) };
	struct state_object head = object_head(info);
	struct weir_breaker *breaker;

	breaker = weir_breaker_open(weir, full_name(info), WEIR_RIGHT_OBSERVE);
	if (!breaker && errno == ENOENT)
		return;
	if (!breaker || weir_breaker_get_config(breaker, &config) < 0)
		die_object("breaker", full_name(info));
	put_section(s, STATE_BREAKER, sizeof(head) + sizeof(config));
	put(s, &head, sizeof(head));
	put(s, &config, sizeof(config));
	weir_breaker_close(breaker);
}

/* Save the configuration only: leases belong to processes, and detached ones are short-lived. */
static void save_roster(struct saving *s, struct weir *weir,
			const struct weir_object_info *info)
{
	struct weir_roster_config config = { .size = sizeof(config) };
	struct state_object head = object_head(info);
	struct weir_roster *roster;

	roster = weir_roster_open(weir, full_name(info), WEIR_RIGHT_OBSERVE);
	if (!roster && errno == ENOENT)
		return;
	if (!roster || weir_roster_get_config(roster, &config) < 0)
		die_object("roster", full_name(info));
	put_section(s, STATE_ROSTER, sizeof(head) + sizeof(config));
	put(s, &head, sizeof(head));
	put(s, &config, sizeof(config));
	weir_roster_close(roster);
}

static void begin(struct saving *s)
{
	struct state_head head = {
		.order = STATE_ORDER, .version = STATE_VERSION,
	};
	int fd;

	memcpy(head.magic, STATE_MAGIC, sizeof(head.magic));
	if (asprintf(&s->temporary, "%s.XXXXXX", s->name) < 0)
		die("out of memory");
	fd = mkostemp(s->temporary, O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", s->name, strerror(errno));
	unfinished = s;
	atexit(unfinished_remove);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	s->file = fdopen(fd, "w");
	if (!s->file)
		die("%s: %s", s->temporary, strerror(errno));
	s->crc = crc32_z(0, NULL, 0);
	put(s, &head, sizeof(head));
}

/* Rename the file after all of it is on disk. */
static void finish(struct saving *s)
{
	struct state_end end = { 0 };
	char *copy = strdup(s->name);
	int folder;

	put_section(s, STATE_END, sizeof(end));
	end.crc = (uint32_t)s->crc;
	put(s, &end, sizeof(end));
	if (fflush(s->file) || fsync(fileno(s->file)) || fclose(s->file))
		die("%s: %s", s->temporary, strerror(errno));
	if (rename(s->temporary, s->name))
		die("%s: %s", s->name, strerror(errno));
	unfinished = NULL;
	folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (folder < 0 || fsync(folder))
		die("%s: cannot make sure that it is on the disk: %s", s->name,
		    strerror(errno));
	close(folder);
	free(copy);
}

static int run(const struct args *args)
{
	struct saving s = { .name = args->operands[0] };
	struct weir *weir = client_open(0);
	const char *own = user_number(geteuid());
	struct weir_objects *all = weir_objects_open(weir, WEIR_KIND_ANY, geteuid() ? own : NULL);
	const struct weir_object_info *info;
	unsigned int count = 0;
	void *buffer = aligned_alloc(8, KEYS_ROOM);
	int ret;

	if (!all || !buffer)
		die("out of memory");
	begin(&s);
	while ((ret = weir_objects_next(all, &info)) > 0) {
		if (info->kind == WEIR_KIND_LIMITER)
			save_limiter(&s, weir, info, buffer);
		else if (info->kind == WEIR_KIND_GATE)
			save_gate(&s, weir, info);
		else if (info->kind == WEIR_KIND_BREAKER)
			save_breaker(&s, weir, info);
		else if (info->kind == WEIR_KIND_ROSTER)
			save_roster(&s, weir, info);
		else
			save_counter(&s, weir, info);
		count++;
	}
	if (ret < 0)
		die("cannot list objects: %s", reason(errno));
	finish(&s);
	if (args->json)
		json_print(json_pack("{s:i}", "objects", (int)count));
	else
		printf("saved %u object%s\n", count, count == 1 ? "" : "s");
	weir_objects_close(all);
	weir_close(weir);
	free(buffer);
	return EXIT_YES;
}

static const struct command commands[] = {
	{
		.operands = "FILE",
		.least = 1, .most = 1,
		.summary = "write objects and their state to a file",
		.details = "Saves your own objects (root: those of all users): counters with their values; limiters with rules, the name of their candidate, and tokens, strikes and ban of each key; gates without held permits; breakers without state (a restored breaker is closed); rosters without their leases, even detached ones. FILE is replaced when the new file is complete and on disk; if the command is interrupted, the old file stays. Each counter and each key is saved as of one moment, but not all as of the same moment.",
		.prints = true, .run = run,
	},
};

const struct object save_object = {
	.name = "save",
	.summary = "Save all objects, for example over a reboot.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
