// SPDX-License-Identifier: GPL-2.0-only
/* Help: the table printed as text. */

#include <stdio.h>
#include <string.h>

#include "cli.h"

#define WIDTH 79

const char *command_path(const struct object *object,
			 const struct command *command)
{
	static char path[64];

	if (!command || !command->verb)
		return object->name;
	snprintf(path, sizeof(path), "%s %s", object->name, command->verb);
	return path;
}

/* The position of another command in " -- COMMAND..." or " [-- COMMAND...]", or NULL. */
static const char *command_begin(const char *operands)
{
	const char *must = strstr(operands, " -- ");

	return must ? must : strstr(operands, " [-- ");
}

void usage_line(char *buffer, size_t size, const struct object *object,
		const struct command *command)
{
	const struct option *option = command->options;
	/* no options can follow this, because it belongs to another command */
	const char *last = command_begin(command->operands);
	bool optional = command->prints;
	size_t used;
	int i;

	used = (size_t)snprintf(buffer, size, "%s", command_path(object,
								 command));
	if (*command->operands)
		used += (size_t)snprintf(buffer + used, size - used, " %.*s",
					 last ? (int)(last - command->operands) :
						(int)strlen(command->operands),
					 command->operands);
	for (i = 0; option && option[i].name; i++) {
		if (!option[i].required)
			optional = true;
		else
			used += (size_t)snprintf(buffer + used, size - used,
						 " %s %s", option[i].name,
						 option[i].value);
	}
	if (optional)
		used += (size_t)snprintf(buffer + used, size - used, " [OPTION...]");
	if (last)
		snprintf(buffer + used, size - used, "%s", last);
}

/* Print words from @column on. Further lines are indented to that column. */
static void wrap(const char *text, int column)
{
	int at = column;
	bool first = true;

	while (*text) {
		int length = (int)strcspn(text, " \n");

		if (!first && at + 1 + length > WIDTH) {
			printf("\n%*s", column, "");
			at = column;
			first = true;
		}
		printf("%s%.*s", first ? "" : " ", length, text);
		at += length + !first;
		first = false;
		text += length;
		/* An empty line separates paragraphs; a single newline is a blank. */
		if (text[0] == '\n' && text[1] == '\n') {
			printf("\n\n%*s", column, "");
			at = column;
			first = true;
			text++;
		}
		if (*text)
			text++;
	}
	putchar('\n');
}

static void list_command(const struct object *object,
			 const struct command *command)
{
	char usage[256];

	usage_line(usage, sizeof(usage), object, command);
	printf("  weir %s\n      ", usage);
	wrap(command->summary, 6);
}

void help_all(void)
{
	int i, j;

	puts("Usage: weir COMMAND [ARGUMENT...] [OPTION...]\n\n"
	     "Count and limit, exactly, for every process on this host.\n");
	for (i = 0; i < nobjects; i++)
		for (j = 0; j < objects[i]->ncommands; j++)
			list_command(objects[i], &objects[i]->commands[j]);
	puts("\n  weir --help, -h, help [COMMAND [VERB]]\n      print this help, or that of a command\n"
	     "  weir --version, -V\n      print the version\n\n"
	     "NAME means an object of yours, or else of root; USER/NAME an object of that user.\n"
	     "'weir COMMAND --help' lists the options of a command; weir(1) describes all of it.");
}

void help_object(const struct object *object)
{
	int i;

	printf("Usage: weir %s VERB [ARGUMENT...] [OPTION...]\n\n",
	       object->name);
	wrap(object->summary, 0);
	putchar('\n');
	for (i = 0; i < object->ncommands; i++)
		list_command(object, &object->commands[i]);
}

static void help_option_line(const struct option *option)
{
	char name[64];
	int length = snprintf(name, sizeof(name), "%s%s%s", option->name,
			      option->value ? " " : "",
			      option->value ? option->value : "");

	if (length > 20)
		printf("  %s\n%*s", name, 24, "");
	else
		printf("  %-20s  ", name);
	wrap(option->help, 24);
}

void help_command(const struct object *object, const struct command *command)
{
	const struct option *option = command->options;
	char usage[256];
	int i;

	usage_line(usage, sizeof(usage), object, command);
	printf("Usage: weir %s\n\n", usage);
	wrap(command->summary, 0);
	if (command->details) {
		putchar('\n');
		wrap(command->details, 0);
	}
	puts("\nOptions:");
	for (i = 0; option && option[i].name; i++)
		help_option_line(&option[i]);
	if (command->prints)
		help_option_line(&json_option);
	help_option_line(&help_option);
}
