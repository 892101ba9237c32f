// SPDX-License-Identifier: GPL-2.0-only
/* Commands: the table of all commands, and the search by exact words. */

#include <stddef.h>
#include <string.h>

#include "cli.h"

const struct object *const objects[] = {
	&status_object,
	&list_object,
	&events_object,
	&emit_object,
	&counter_object,
	&limiter_object,
	&gate_object,
	&breaker_object,
	&roster_object,
	&check_object,
	&ban_object,
	&save_object,
	&restore_object,
};

const int nobjects = COUNT(objects);

const struct option json_option = {
	.name = "--json",
	.help = "print JSON; the members are described in weir(1), \"JSON\"",
};

const struct option help_option = {
	.name = "--help",
	.help = "print this help, and do nothing",
};

const struct object *object_find(const char *name)
{
	int i;

	for (i = 0; i < nobjects; i++)
		if (!strcmp(objects[i]->name, name))
			return objects[i];
	return NULL;
}

/* @verb may be NULL, for a command without a verb. */
const struct command *command_find(const struct object *object,
				   const char *verb)
{
	int i;

	for (i = 0; i < object->ncommands; i++) {
		const struct command *command = &object->commands[i];

		if (!command->verb)
			return command;
		if (verb && !strcmp(command->verb, verb))
			return command;
	}
	return NULL;
}
