// SPDX-License-Identifier: GPL-2.0-only
/* weir restore: create the objects of a saved file, with their state */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "cli.h"
#include "state.h"

/* the longest file that is read; 50 million keys take about half of it */
#define SAVED_MAX (8ULL << 30)

/**
 * struct saved - a private copy of a file, so that the data that was checked is restored even if
 * the file changes meanwhile
 */
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

/* Read the file. If it has become shorter since it was opened, its end is missing. */
static void saved_read(struct saved *file)
{
	int fd = open(file->name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	unsigned char *bytes;
	size_t filled = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &status))
		die("%s: %s", file->name, strerror(errno));
	if (!S_ISREG(status.st_mode) ||
	    status.st_size < (off_t)sizeof(struct state_head))
		refuse_damaged(file, "it is too short");
	if ((uint64_t)status.st_size > SAVED_MAX)
		refuse_damaged(file, "it is too long");
	bytes = malloc((size_t)status.st_size);
	if (!bytes)
		die("%s: out of memory", file->name);
	while (filled < (size_t)status.st_size) {
		n = read(fd, bytes + filled, (size_t)status.st_size - filled);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: %s", file->name, strerror(errno));
		if (!n)
			refuse_damaged(file, "it became shorter");
		filled += (size_t)n;
	}
	close(fd);
	file->bytes = bytes;
	file->length = filled;
}

/* Return the section at @at; advance @at past its payload. */
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

/* size of the oldest configuration; a newer tool may have saved more members */
#define CONFIG_MIN offsetof(struct weir_limiter_config, ban_jitter)

/* Get a limiter's configuration. Members that the file does not have become 0. */
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

/* Size of a counter's section without its head. */
static size_t counter_room(const struct state_object *head)
{
	if (head->type == WEIR_COUNTER_HISTOGRAM)
		return sizeof(struct weir_histogram);
	return head->nfields * (WEIR_NAME_SIZE + sizeof(int64_t));
}

/* Size of the configuration if the section has nothing else, otherwise 0. */
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

/* Check that an object's section is complete and that its name is valid. */
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

/* Check the whole file before anything is created. Return: the number of objects. */
static unsigned int check(const struct saved *file)
{
	const struct state_head *head = (const void *)file->bytes;
	const struct state_section *section;
	const struct state_end *end;
	unsigned int count = 0;
	size_t at = sizeof(*head);

	if (memcmp(head->magic, STATE_MAGIC, sizeof(head->magic)) != 0)
		refuse_damaged(file, "it does not begin like a saved file");
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
			refuse_damaged(file, "a section has an unknown type");
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

/* The name by which the object is created: USER/NAME for its owner, or NAME for the caller. */
static const char *owned_name(const struct state_object *head)
{
	return full_name_of(geteuid() ? geteuid() : head->uid, head->name);
}

/* Return: false if an object with that name exists. */
static bool create(struct weir *weir, enum weir_kind kind,
		   const struct state_object *head, const void *config)
{
	struct weir_create args = {
		.size = sizeof(args), .kind = kind, .mode = (uint16_t)head->mode,
		.gid = geteuid() ? WEIR_GID_DEFAULT : head->gid,
		.owner = geteuid() ? WEIR_OWNER_DEFAULT : head->uid,
		.config = (uintptr_t)config,
	};

	memcpy(args.name, head->name, sizeof(args.name));
	if (weir_create(weir, &args) == 0)
		return true;
	if (errno != EEXIST)
		die_create(weir_kind_name((int)kind), head->name);
	return false;
}

/* Return: NULL if an object with that name exists. */
static struct weir_limiter *restore_limiter(struct weir *weir,
					    const struct state_section *section)
{
	const struct state_object *head = payload(section);
	struct weir_limiter_config config;
	struct weir_limiter *limiter;

	config_get(section, &config);
	/* the candidate may not exist yet; see restore_candidate() */
	memset(config.candidate, 0, sizeof(config.candidate));
	if (!create(weir, WEIR_KIND_LIMITER, head, &config))
		return NULL;
	limiter = weir_limiter_open(weir, owned_name(head),
				    WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	if (!limiter)
		die_object("limiter", head->name);
	return limiter;
}

/* Connect a limiter with its candidate again. All limiters must exist by now. */
static void restore_candidate(struct weir *weir, const struct state_section *section)
{
	const struct state_object *head = payload(section);
	struct weir_limiter_config config;
	struct weir_limiter *limiter;

	config_get(section, &config);
	if (!*config.candidate)
		return;
	limiter = weir_limiter_open(weir, owned_name(head), WEIR_RIGHT_ADMIN);
	if (!limiter)
		die_object("limiter", head->name);
	if (weir_limiter_set(limiter, WEIR_SET_CANDIDATE, &config) < 0)
		die("limiter '%s': restored, but '%s' cannot be its candidate: %s",
		    head->name, config.candidate, reason(errno));
	weir_limiter_close(limiter);
}

static bool restore_histogram(struct weir *weir, const struct state_object *head)
{
	const struct weir_counter_config config = {
		.size = sizeof(config), .type = head->type,
	};
	struct weir_histogram histogram;
	struct weir_counter *counter;

	memcpy(&histogram, head + 1, sizeof(histogram));
	if (!create(weir, WEIR_KIND_COUNTER, head, &config))
		return false;
	counter = weir_counter_open(weir, owned_name(head), WEIR_RIGHT_ADMIN);
	if (!counter || weir_counter_load_histogram(counter, &histogram) < 0)
		die_object("counter", head->name);
	weir_counter_close(counter);
	return true;
}

static bool restore_fields(struct weir *weir, const struct state_object *head)
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
	if (!create(weir, WEIR_KIND_COUNTER, head, &config))
		return false;
	if (head->type == WEIR_COUNTER_SEQUENCE)
		return true;
	counter = weir_counter_open(weir, owned_name(head), WEIR_RIGHT_USE);
	all = head->nfields == 64 ? ~0ULL : (1ULL << head->nfields) - 1;
	if (!counter || weir_counter_add_many(counter, all, values) < 0)
		die_object("counter", head->name);
	weir_counter_close(counter);
	return true;
}

static bool restore_counter(struct weir *weir,
			    const struct state_section *section)
{
	const struct state_object *head = payload(section);

	if (head->type == WEIR_COUNTER_HISTOGRAM)
		return restore_histogram(weir, head);
	return restore_fields(weir, head);
}

/* Restore a gate, a breaker or a roster. */
static bool restore_config(struct weir *weir, const struct state_section *section)
{
	const struct state_object *head = payload(section);

	return create(weir, kind_of(section), head, head + 1);
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

/* Delete an object that this process created. */
static void delete(struct weir *weir, const struct state_section *section)
{
	const char *name = owned_name(payload(section));
	const unsigned int rights = WEIR_RIGHT_ADMIN;
	int ret = -1;

#define DELETE(_kind)								\
	do {									\
		struct weir_##_kind *o = weir_##_kind##_open(weir, name, rights); \
										\
		ret = o ? weir_##_kind##_delete(o) : -1;			\
	} while (0)

	switch (kind_of(section)) {
	case WEIR_KIND_LIMITER:
		DELETE(limiter);
		break;
	case WEIR_KIND_GATE:
		DELETE(gate);
		break;
	case WEIR_KIND_BREAKER:
		DELETE(breaker);
		break;
	case WEIR_KIND_ROSTER:
		DELETE(roster);
		break;
	default:
		DELETE(counter);
		break;
	}
#undef DELETE
	/* another process may have deleted it first */
	if (ret < 0 && errno != ENOENT && errno != ENODEV)
		die_object(weir_kind_name((int)kind_of(section)), name);
}

/**
 * struct restoring - the state of a restore
 * @made: sections of the objects created so far
 * @nmade: number of objects created so far
 * @limiter: the limiter that was created last, if its rules and keys are the next sections; or NULL
 * @name: name of @limiter
 */
struct restoring {
	struct weir *weir;
	const struct state_section **made;
	unsigned int nmade;
	struct weir_limiter *limiter;
	const char *name;
};

/* The object of @section exists: delete the objects created so far, and report this. */
static void refuse_existing(struct restoring *r, const struct state_section *section)
{
	const struct state_object *head = payload(section);

	while (r->nmade)
		delete(r->weir, r->made[--r->nmade]);
	die("%s '%s' exists; nothing was restored (--existing-ok skips existing objects)",
	    weir_kind_name((int)kind_of(section)), head->name);
}

/* Create an object, and load what its own section has. Return: false if the object exists. */
static bool restore_one(struct restoring *r, const struct state_section *section)
{
	weir_limiter_close(r->limiter);
	r->limiter = NULL;
	if (section->type == STATE_LIMITER) {
		r->name = ((const struct state_object *)payload(section))->name;
		r->limiter = restore_limiter(r->weir, section);
		return r->limiter;
	}
	if (config_alone(section))
		return restore_config(r->weir, section);
	return restore_counter(r->weir, section);
}

/* Restore the @count objects of a file, one by one. Return: how many were created. */
static unsigned int restore(struct weir *weir, const struct saved *file,
			    unsigned int count, bool existing_ok)
{
	struct restoring r = { .weir = weir };
	const struct state_section *section;
	size_t at = sizeof(struct state_head);
	unsigned int i;

	r.made = calloc(count + 1UL, sizeof(*r.made));
	if (!r.made)
		die("out of memory");
	while ((section = section_next(file, &at))->type != STATE_END) {
		if (!state_is_object(section->type)) {
			if (r.limiter)
				restore_part(r.limiter, section, r.name);
		} else if (restore_one(&r, section)) {
			r.made[r.nmade++] = section;
		} else if (!existing_ok) {
			refuse_existing(&r, section);
		}
	}
	weir_limiter_close(r.limiter);
	for (i = 0; i < r.nmade; i++) {
		if (r.made[i]->type == STATE_LIMITER)
			restore_candidate(weir, r.made[i]);
	}
	free(r.made);
	return r.nmade;
}

static int run(const struct args *args)
{
	struct saved file = { .name = args->operands[0] };
	unsigned int count, made;
	struct weir *weir;

	saved_read(&file);
	count = check(&file);
	weir = client_open(0);
	made = restore(weir, &file, count, args_option(args, "--existing-ok"));
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
	  .help = "leave existing objects as they are, and restore the others" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.operands = "FILE",
		.least = 1, .most = 1,
		.summary = "restore the objects of a saved file, with their state",
		.details = "The whole file is read and checked first; a damaged file is refused. If an object exists, the objects created before it are deleted again. Tokens that have come back and bans that have ended since the save are computed by the wall clock. Windows start anew: tokens that were spent count as spent in the present window. Limiters get their candidates back. For root, objects get their former owners and groups; for other users, their own.",
		.prints = true, .options = options, .run = run,
	},
};

const struct object restore_object = {
	.name = "restore",
	.summary = "Restore a saved file.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
