// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkman - print weir(1) from the table that also drives --help and completion
 *
 * usage: mkman INCLUDE
 *
 * INCLUDE has the sections that are not in the table, in roff.
 */

#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Print text, with characters that are special in roff escaped. */
static void roff(const char *text)
{
	bool line_begins = true;

	for (; *text; text++) {
		if (line_begins && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\'')
			fputs("\\(aq", stdout);
		else if (text[0] == '\n' && text[1] == '\n')
			fputs("\n.PP", stdout);
		else
			putchar(*text);
		line_begins = *text == '\n';
	}
}

/* Print a usage: literal parts in bold, placeholders in italics. */
static void usage(const char *text)
{
	bool italic = false;

	fputs("\\fB", stdout);
	for (; *text; text++) {
		bool upper = *text >= 'A' && *text <= 'Z';
		bool plain = !!strchr("[]|.,:", *text);

		if (upper != italic && !plain && *text != ' ') {
			fputs(upper ? "\\fI" : "\\fB", stdout);
			italic = upper;
		}
		if (plain)
			printf("\\fR%c%s", *text, italic ? "\\fI" : "\\fB");
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
	fputs("\\fR\n", stdout);
}

static void option(const struct option *option)
{
	fputs(".TP\n", stdout);
	printf("\\fB");
	roff(option->name);
	printf("\\fR");
	if (option->value) {
		printf(" \\fI");
		roff(option->value);
		printf("\\fR");
	}
	putchar('\n');
	roff(option->help);
	fputs(".\n", stdout);
}

static void command(const struct object *object, const struct command *command)
{
	const struct option *options = command->options;
	char line[256], full[300];
	int i;

	usage_line(line, sizeof(line), object, command);
	snprintf(full, sizeof(full), "weir %s", line);
	fputs(".PP\n", stdout);
	usage(full);
	fputs(".RS 4\n", stdout);
	/* summaries begin in lower case, for --help */
	printf("%c", command->summary[0] - 'a' + 'A');
	roff(command->summary + 1);
	fputs(".\n", stdout);
	if (command->details) {
		roff(command->details);
		putchar('\n');
	}
	for (i = 0; options && options[i].name; i++)
		option(&options[i]);
	if (command->prints)
		option(&json_option);
	fputs(".RE\n", stdout);
}

static void synopsis(const struct object *object)
{
	char line[256], full[300];

	fputs(".br\n", stdout);
	if (object->commands[0].verb) {
		printf("\\fBweir %s\\fR \\fIVERB\\fR [\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n",
		       object->name);
		return;
	}
	usage_line(line, sizeof(line), object, &object->commands[0]);
	snprintf(full, sizeof(full), "weir %s", line);
	usage(full);
}

static int include(const char *path)
{
	FILE *file = fopen(path, "r");
	int c;

	if (!file) {
		perror(path);
		return 1;
	}
	while ((c = getc(file)) != EOF)
		putchar(c);
	fclose(file);
	return 0;
}

int main(int argc, char **argv)
{
	int i, j;

	if (argc != 2) {
		fputs("usage: mkman INCLUDE\n", stderr);
		return 2;
	}
	printf(".\\\" made by mkman out of tools/weir; do not edit\n"
	       ".TH WEIR 1 \"\" \"weir %s\" \"Weir\"\n"
	       ".nh\n"
	       ".SH NAME\nweir \\- count and limit, exactly, for every process on a host\n"
	       ".SH SYNOPSIS\n", weir_lib_version());
	for (i = 0; i < nobjects; i++)
		synopsis(objects[i]);
	printf(".br\n\\fBweir\\fR [\\fICOMMAND\\fR] \\fB\\-\\-help\\fR\n"
	       ".br\n\\fBweir \\-\\-version\\fR\n"
	       ".SH DESCRIPTION\n"
	       "Creates, uses and shows the objects of the Weir kernel module. "
	       "The module is described in \\fBweir\\fR(4), and how programs use it in \\fBlibweir\\fR(3).\n"
	       ".PP\n"
	       "Commands, verbs and options are spelt in full. "
	       "Options begin with two dashes and may be anywhere after the command; their value "
	       "is the next argument, or follows an equals sign. After \\fB\\-\\-\\fR "
	       "there are no options, so that a key may begin with two dashes. "
	       "An argument with a single dash is an operand, except in \\fBweir\\fR [\\fICOMMAND\\fR] "
	       "\\fB\\-h\\fR and \\fBweir \\-V\\fR, which are short for \\fB\\-\\-help\\fR and "
	       "\\fB\\-\\-version\\fR. \\fBweir help\\fR [\\fICOMMAND\\fR [\\fIVERB\\fR]] prints the same as "
	       "\\fB\\-\\-help\\fR.\n"
	       ".SH COMMANDS\n"
	       "Each of them has the option \\fB\\-\\-help\\fR.\n");
	for (i = 0; i < nobjects; i++) {
		printf(".SS weir %s\n", objects[i]->name);
		roff(objects[i]->summary);
		putchar('\n');
		for (j = 0; j < objects[i]->ncommands; j++)
			command(objects[i], &objects[i]->commands[j]);
	}
	return include(argv[1]);
}
