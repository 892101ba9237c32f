// SPDX-License-Identifier: GPL-2.0-only
/* weir emit */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/*
 * The bytes of a record or of a line, with room for one byte more to detect a line that is too
 * long.
 */
struct record {
	char bytes[WEIR_RECORD_MAX + 1];
	size_t length;
};

static void record_add(struct record *record, const char *bytes, size_t length)
{
	size_t room = sizeof(record->bytes) - record->length;

	if (length > room)
		length = room;
	memcpy(record->bytes + record->length, bytes, length);
	record->length += length;
}

static void record_emit(struct weir *weir, const char *tag,
			const struct record *record)
{
	if (weir_emit(weir, tag, record->bytes, record->length, NULL) < 0)
		die("cannot emit: %s", reason(errno));
}

/* Emit each line as soon as it is read, because the next line may depend on it. */
static void emit_lines(struct weir *weir, const char *tag)
{
	struct record record = { .length = 0 };
	unsigned long long lines = 1;
	char byte;
	int c;

	do {
		c = getchar();
		if (c != '\n' && c != EOF) {
			byte = (char)c;
			record_add(&record, &byte, 1);
			if (record.length <= WEIR_RECORD_MAX)
				continue;
			die("line %llu: has more than %d bytes; the lines before it were emitted",
			    lines, WEIR_RECORD_MAX);
		}
		if (record.length)
			record_emit(weir, tag, &record);
		record.length = 0;
		lines++;
	} while (c != EOF);
	if (ferror(stdin))
		die("cannot read the input: %s", strerror(errno));
}

static int emit_run(const struct args *args)
{
	const char *tag = args_option(args, "--tag");
	bool lines = args->count == 1 && !strcmp(args->operands[0], "-");
	struct record record = { .length = 0 };
	struct weir *weir;
	int i;

	if (tag)
		arg_name("tag", tag);
	for (i = 0; i < args->count; i++) {
		if (i)
			record_add(&record, " ", 1);
		record_add(&record, args->operands[i], strlen(args->operands[i]));
	}
	if (!record.length)
		die("nothing to emit");
	if (record.length > WEIR_RECORD_MAX)
		die("a record has at most %d bytes", WEIR_RECORD_MAX);
	weir = client_open(0);
	if (lines)
		emit_lines(weir, tag);
	else
		record_emit(weir, tag, &record);
	weir_close(weir);
	return EXIT_YES;
}

static const struct option options[] = {
	{ .name = "--tag", .value = "NAME",
	  .help = "a name that groups records, shown with them: 1 to 63 of A-Z a-z 0-9 . _ -" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.operands = "TEXT...",
		.least = 1, .most = -1,
		.summary = "put a record into the event stream",
		.details = "The record is the arguments, joined by blanks, at most 160 bytes. With '-' each line of standard input becomes a record as soon as it is read; empty lines are skipped, and a line that is too long is an error.\n\n"
			"A record is whole and numbered, and carries your user and process id. Your own processes and root can read it with 'weir events'. The kernel keeps the last 1024 events of each user.",
		.options = options,
		.run = emit_run,
	},
};

const struct object emit_object = {
	.name = "emit",
	.summary = "Records in the event stream.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
