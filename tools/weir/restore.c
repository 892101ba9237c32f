// SPDX-License-Identifier: GPL-2.0-only
/* weir restore: make the objects of a saved file again, with what they had */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "cli.h"
#include "state.h"

/* A file, whole and checked. */
struct saved {
	const char *name;
	const unsigned char *bytes;
	size_t length;
};

static void refuse_damaged(const struct saved *file, const char *how)
{
	die("%s: damaged, or not made by weir save: %s; nothing was restored",
	    file->name, how);
}

static void map(struct saved *file)
{
	int fd = open(file->name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *bytes;

	if (fd < 0 || fstat(fd, &status))
		die("%s: %s", file->name, strerror(errno));
	file->length = (size_t)status.st_size;
	if (!S_ISREG(status.st_mode) || file->length < sizeof(struct state_head))
		refuse_damaged(file, "it is too short");
	bytes = mmap(NULL, file->length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		die("%s: %s", file->name, strerror(errno));
	file->bytes = bytes;
	close(fd);
}

/* The section at @at, whose payload follows; @at moves to the next. */
static const struct state_section *section_next(const struct saved *file,
						size_t *at)
{
	const struct state_section *section;

	if (file->length - *at < sizeof(*section))
		refuse_damaged(file, "it has no end");
	section = (const void *)(file->bytes + *at);
	*at += sizeof(*section);
	if (section->length > file->length - *at || section->length % 8)
		refuse_damaged(file, "a section is cut off");
	*at += section->length;
	return section;
}

static const void *payload(const struct state_section *section)
{
	return section + 1;
}

/* The least that a configuration has; the tool of another day may have saved more. */
#define CONFIG_MIN offsetof(struct weir_limiter_config, ban_jitter)

/* A limiter's configuration, with zeros for what was not known when it was saved. */
static bool config_get(const struct state_section *section,
		       struct weir_limiter_config *config)
{
	size_t head = sizeof(struct state_object);
	size_t length = section->length < head ? 0 : section->length - head;

	memset(config, 0, sizeof(*config));
	if (length < CONFIG_MIN || length > sizeof(*config))
		return false;
	memcpy(config, (const char *)payload(section) + head, length);
	if (config->size != length ||
	    !memchr(config->candidate, '\0', sizeof(config->candidate)))
		return false;
	config->size = sizeof(*config);
	return true;
}

/* Bytes of a section about a counter, behind its head. */
static size_t counter_room(const struct state_object *head)
{
	if (head->type == WEIR_COUNTER_HISTOGRAM)
		return sizeof(struct weir_histogram);
	return head->nfields * (WEIR_NAME_SIZE + sizeof(int64_t));
}

/* The configuration that is all a file has of an object: its bytes; 0: it has more. */
static size_t config_alone(const struct state_section *section)
{
	switch (section->type) {
	case STATE_GATE:
		return sizeof(struct weir_gate_config);
	case STATE_BREAKER:
		return sizeof(struct weir_breaker_config);
	case STATE_ROSTER:
		return sizeof(struct weir_roster_config);
	default:
		return 0;
	}
}

/* What a section says of an object is complete, and names it well. */
static void object_check(const struct saved *file,
			 const struct state_section *section)
{
	const struct state_object *head = payload(section);
	size_t length = sizeof(*head);
	struct weir_limiter_config config;
	bool whole;

	if (section->length < length ||
	    !memchr(head->name, '\0', sizeof(head->name)) ||
	    !weir_name_valid(head->name) || head->nfields > WEIR_FIELDS_MAX)
		refuse_damaged(file, "an object has no name");
	if (section->type == STATE_LIMITER)
		whole = config_get(section, &config);
	else if (config_alone(section))
		whole = section->length == length + config_alone(section);
	else
		whole = section->length == length + counter_room(head);
	if (!whole)
		refuse_damaged(file, "an object is incomplete");
}

/* Look at everything before anything is made. How many objects there are. */
static unsigned int check(const struct saved *file)
{
	const struct state_head *head = (const void *)file->bytes;
	const struct state_section *section;
	const struct state_end *end;
	unsigned int count = 0;
	size_t at = sizeof(*head);

	if (memcmp(head->magic, STATE_MAGIC, sizeof(head->magic)) != 0)
		refuse_damaged(file, "it begins otherwise");
	if (head->order != STATE_ORDER)
		die("%s: made on a machine of another byte order", file->name);
	if (head->version != STATE_VERSION)
		die("%s: of format %u; this weir knows %u", file->name,
		    head->version, STATE_VERSION);
	for (;;) {
		section = section_next(file, &at);
		if (section->type == STATE_END)
			break;
		if (state_is_object(section->type)) {
			object_check(file, section);
			count++;
		} else if (!count || section->type > STATE_ROSTER) {
			refuse_damaged(file, "a section is of no known type");
		}
	}
	end = payload(section);
	if (section->length != sizeof(*end) || at != file->length ||
	    end->crc != (uint32_t)crc32_z(crc32_z(0, NULL, 0), file->bytes,
					  file->length - sizeof(*end)))
		refuse_damaged(file, "its checksum is wrong");
	return count;
}

static enum weir_kind kind_of(const struct state_section *section)
{
	switch (section->type) {
	case STATE_LIMITER:
		return WEIR_KIND_LIMITER;
	case STATE_GATE:
		return WEIR_KIND_GATE;
	case STATE_BREAKER:
		return WEIR_KIND_BREAKER;
	case STATE_ROSTER:
		return WEIR_KIND_ROSTER;
	default:
		return WEIR_KIND_COUNTER;
	}
}

/*
 * Create it as whoever owned it, if we may: who has it is decided by who makes it.
 * The number of the error, or 0.
 */
static int create_as_owner(struct weir *weir, struct weir_create *create,
			   const struct state_object *head)
{
	bool root = geteuid() == 0;
	int error = 0;

	if (root && (setegid(head->gid) || seteuid(head->uid)))
		die("cannot be user %u: %s", head->uid, strerror(errno));
	if (weir_create(weir, create) < 0)
		error = errno;
	if (root && (seteuid(0) || setegid(0)))
		die("cannot be root again: %s", strerror(errno));
	return error;
}

static void create(struct weir *weir, enum weir_kind kind,
		   const struct state_object *head, const void *config)
{
	struct weir_create args = {
		.size = sizeof(args), .kind = kind, .mode = (uint16_t)head->mode,
		.gid = geteuid() ? WEIR_GID_DEFAULT : head->gid,
		.config = (uintptr_t)config,
	};

	memcpy(args.name, head->name, sizeof(args.name));
	errno = create_as_owner(weir, &args, head);
	if (errno)
		die_create(weir_kind_name((int)kind), head->name);
}

static struct weir_limiter *restore_limiter(struct weir *weir,
					    const struct state_section *section)
{
	const struct state_object *head = payload(section);
	struct weir_limiter_config config;
	struct weir_limiter *limiter;

	config_get(section, &config);
	/* it may not be there yet: see restore_candidate() */
	memset(config.candidate, 0, sizeof(config.candidate));
	create(weir, WEIR_KIND_LIMITER, head, &config);
	limiter = weir_limiter_open(weir, head->name,
				    WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	if (!limiter)
		die_object("limiter", head->name);
	return limiter;
}

/* When all limiters are there: make the other one its candidate again. */
static void restore_candidate(struct weir *weir, const struct state_section *section)
{
	const struct state_object *head = payload(section);
	struct weir_limiter_config config;
	struct weir_limiter *limiter;

	config_get(section, &config);
	if (!*config.candidate)
		return;
	limiter = weir_limiter_open(weir, head->name, WEIR_RIGHT_ADMIN);
	if (!limiter)
		die_object("limiter", head->name);
	if (weir_limiter_set(limiter, WEIR_SET_CANDIDATE, &config) < 0)
		die("limiter '%s': all is restored, but '%s' cannot be its candidate: %s",
		    head->name, config.candidate, reason(errno));
	weir_limiter_close(limiter);
}

static void restore_histogram(struct weir *weir, const struct state_object *head)
{
	const struct weir_counter_config config = {
		.size = sizeof(config), .type = head->type,
	};
	struct weir_histogram histogram;
	struct weir_counter *counter;

	memcpy(&histogram, head + 1, sizeof(histogram));
	create(weir, WEIR_KIND_COUNTER, head, &config);
	counter = weir_counter_open(weir, head->name, WEIR_RIGHT_ADMIN);
	if (!counter || weir_counter_load_histogram(counter, &histogram) < 0)
		die_object("counter", head->name);
	weir_counter_close(counter);
}

static void restore_fields(struct weir *weir, const struct state_object *head)
{
	const unsigned char *names = (const void *)(head + 1);
	struct weir_counter_config config = {
		.size = sizeof(config), .type = head->type,
	};
	int64_t values[WEIR_FIELDS_MAX];
	struct weir_counter *counter;
	uint64_t all;

	memcpy(values, names + head->nfields * WEIR_NAME_SIZE,
	       head->nfields * sizeof(*values));
	if (head->type == WEIR_COUNTER_SEQUENCE) {
		config.start = values[0];
	} else {
		config.nfields = head->nfields;
		config.fields = (uintptr_t)names;
	}
	create(weir, WEIR_KIND_COUNTER, head, &config);
	if (head->type == WEIR_COUNTER_SEQUENCE)
		return;
	counter = weir_counter_open(weir, head->name, WEIR_RIGHT_USE);
	all = head->nfields == 64 ? ~0ULL : (1ULL << head->nfields) - 1;
	if (!counter || weir_counter_add_many(counter, all, values) < 0)
		die_object("counter", head->name);
	weir_counter_close(counter);
}

static void restore_counter(struct weir *weir,
			    const struct state_section *section)
{
	const struct state_object *head = payload(section);

	if (head->type == WEIR_COUNTER_HISTOGRAM)
		restore_histogram(weir, head);
	else
		restore_fields(weir, head);
}

/* A gate, a breaker or a roster. */
static void restore_config(struct weir *weir, const struct state_section *section)
{
	const struct state_object *head = payload(section);

	create(weir, kind_of(section), head, head + 1);
}

static uint64_t since(uint64_t time)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return ns > time ? ns - time : 0;
}

static void restore_part(struct weir_limiter *limiter,
			 const struct state_section *section, const char *name)
{
	int ret = 0;

	if (section->type == STATE_RULES)
		ret = weir_limiter_change_rules(limiter, payload(section),
			(unsigned int)(section->length / sizeof(struct weir_rule)),
			WEIR_RULES_CLEAR);
	else if (section->type == STATE_KEYS)
		ret = weir_limiter_load(limiter, payload(section),
					section->length, since(section->time));
	if (ret < 0 && errno == ENOSPC)
		die("limiter '%s': the saved keys do not fit", name);
	if (ret < 0)
		die_object("limiter", name);
}

/* Whether an object of that name is there. */
static bool exists(struct weir *weir, const struct state_section *section)
{
	const struct state_object *head = payload(section);
	struct weir_objects *all = weir_objects_open(weir, kind_of(section));
	const struct weir_object_info *info;
	bool found = false;

	if (!all)
		die("out of memory");
	while (!found && weir_objects_next(all, &info) > 0)
		found = !strcmp(info->name, head->name);
	weir_objects_close(all);
	return found;
}

static void refuse_existing(struct weir *weir, const struct saved *file)
{
	const struct state_section *section;
	const struct state_object *head;
	size_t at = sizeof(struct state_head);

	while ((section = section_next(file, &at))->type != STATE_END) {
		if (!state_is_object(section->type) || !exists(weir, section))
			continue;
		head = payload(section);
		die("%s '%s' exists; nothing was restored (--existing-ok leaves such as they are)",
		    weir_kind_name((int)kind_of(section)), head->name);
	}
}

/* The objects, @count of them, one by one; how many were made. */
static unsigned int restore(struct weir *weir, const struct saved *file,
			    unsigned int count)
{
	const struct state_section *section, **limiters;
	struct weir_limiter *limiter = NULL;
	const char *name = "";
	size_t at = sizeof(struct state_head);
	unsigned int made = 0, nlimiters = 0, i;

	limiters = calloc(count + 1, sizeof(*limiters));
	if (!limiters)
		die("out of memory");
	while ((section = section_next(file, &at))->type != STATE_END) {
		if (!state_is_object(section->type)) {
			if (limiter)
				restore_part(limiter, section, name);
			continue;
		}
		weir_limiter_close(limiter);
		limiter = NULL;
		if (exists(weir, section))
			continue;
		made++;
		name = ((const struct state_object *)payload(section))->name;
		if (section->type == STATE_LIMITER) {
			limiter = restore_limiter(weir, section);
			limiters[nlimiters++] = section;
		} else if (config_alone(section)) {
			restore_config(weir, section);
		} else {
			restore_counter(weir, section);
		}
	}
	weir_limiter_close(limiter);
	for (i = 0; i < nlimiters; i++)
		restore_candidate(weir, limiters[i]);
	free(limiters);
	return made;
}

static int run(const struct args *args)
{
	struct saved file = { .name = args->operands[0] };
	unsigned int count, made;
	struct weir *weir;

	map(&file);
	count = check(&file);
	weir = client_open(0);
	if (!args_option(args, "--existing-ok"))
		refuse_existing(weir, &file);
	made = restore(weir, &file, count);
	if (args->json)
		json_print(json_pack("{s:i,s:i}", "restored", (int)made,
				     "objects", (int)count));
	else
		printf("restored %u of %u object%s\n", made, count,
		       count == 1 ? "" : "s");
	weir_close(weir);
	return EXIT_YES;
}

static const struct option options[] = {
	{ .name = "--existing-ok",
	  .help = "leave objects that exist as they are, and restore the others" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.operands = "FILE",
		.least = 1, .most = 1,
		.summary = "make the objects of a saved file again, with their state",
		.details = "The file is checked as a whole first; a damaged one is refused. Limiters are linked with their candidates again when all are there. What flowed back and which bans ended since it was saved is reckoned by the wall clock. Windows begin anew: what was spent counts as spent in the present one. As root, objects get their owners and groups back; else they are yours.",
		.prints = true, .options = options, .run = run,
	},
};

const struct object restore_object = {
	.name = "restore",
	.summary = "Put back what save kept.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
