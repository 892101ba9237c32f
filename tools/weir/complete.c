// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion: words that are possible at the cursor. The shell script (packaging/completion/weir)
 * runs "weir --complete WORD...". The last word is the one being typed, and may be empty.
 */

#include <stdio.h>
#include <string.h>

#include "cli.h"

static void offer(const char *candidate, const char *typed)
{
	if (!strncmp(candidate, typed, strlen(typed)))
		puts(candidate);
}

/* Offer each of @words, which are separated by blanks. */
static void offer_words(const char *words, const char *typed)
{
	char word[64];

	while (*words) {
		size_t length = strcspn(words, " ");

		snprintf(word, sizeof(word), "%.*s", (int)length, words);
		offer(word, typed);
		words += length + (words[length] == ' ');
	}
}

/* Offer names of existing objects; none if they cannot be listed. */
static void offer_names(enum weir_kind kind, const char *typed)
{
	struct weir *weir = weir_open(WEIR_OPEN_READONLY);
	const struct weir_object_info *info;
	struct weir_objects *list;

	if (!weir)
		return;
	list = weir_objects_open(weir, kind, NULL);
	while (list && weir_objects_next(list, &info) == 1)
		offer(full_name(info), typed);
	weir_objects_close(list);
	weir_close(weir);
}

static void offer_fields(const char *name, const char *typed)
{
	struct weir *weir = weir_open(WEIR_OPEN_READONLY);
	struct weir_counter *counter;
	unsigned int i;

	if (!weir)
		return;
	counter = weir_counter_open(weir, name, WEIR_RIGHT_OBSERVE);
	if (counter && weir_counter_type(counter) == WEIR_COUNTER_HISTOGRAM)
		offer_words(HISTOGRAM_FIELDS, typed);
	for (i = 0; counter && i < weir_counter_fields(counter); i++)
		offer(weir_counter_field_name(counter, i), typed);
	weir_counter_close(counter);
	weir_close(weir);
}

/* Offer words for operand number @index. @first is the first operand, a name. */
static void offer_operand(const struct command *command, int index,
			  const char *first, const char *typed)
{
	const char *what = command->complete;

	for (; what && index; index--) {
		what = strchr(what, ' ');
		if (what)
			what++;
	}
	if (!what)
		return;
	if (!strncmp(what, "counter", 7))
		offer_names(WEIR_KIND_COUNTER, typed);
	else if (!strncmp(what, "limiter", 7))
		offer_names(WEIR_KIND_LIMITER, typed);
	else if (!strncmp(what, "gate", 4))
		offer_names(WEIR_KIND_GATE, typed);
	else if (!strncmp(what, "breaker", 7))
		offer_names(WEIR_KIND_BREAKER, typed);
	else if (!strncmp(what, "roster", 6))
		offer_names(WEIR_KIND_ROSTER, typed);
	else if (!strncmp(what, "outcome", 7))
		offer_words("ok failed withdrawn", typed);
	else if (!strncmp(what, "field", 5))
		offer_fields(first, typed);
	else if (!strncmp(what, "kind", 4))
		offer_words("counter limiter gate breaker roster", typed);
}

static void offer_options(const struct command *command, const char *typed)
{
	const struct option *option = command->options;
	int i;

	for (i = 0; option && option[i].name; i++)
		offer(option[i].name, typed);
	if (command->prints)
		offer(json_option.name, typed);
	offer(help_option.name, typed);
}

/* The option that the value after @word belongs to, or NULL. */
static const struct option *option_of(const struct command *command,
				      const char *word)
{
	const struct option *option = command->options;
	int i;

	for (i = 0; option && option[i].name; i++)
		if (option[i].value && !strcmp(option[i].name, word))
			return &option[i];
	return NULL;
}

static void complete_command(const struct command *command, int count,
			     char **words)
{
	const char *typed = words[count - 1];
	const char *first = "";
	int operands = 0;
	int i;

	for (i = 0; i < count - 1; i++) {
		const struct option *option = option_of(command, words[i]);

		if (option && i == count - 2) {
			offer_words(option->words ? option->words : "", typed);
			return;
		}
		if (option)
			i++;
		else if (strncmp(words[i], "--", 2) && !operands++)
			first = words[i];
	}
	if (!strncmp(typed, "--", 2))
		offer_options(command, typed);
	else
		offer_operand(command, operands, first, typed);
}

int complete(int count, char **words)
{
	const struct object *object;
	const struct command *command;
	int i;

	if (count < 1)
		return EXIT_ERROR;
	if (count == 1) {
		for (i = 0; i < nobjects; i++)
			offer(objects[i]->name, words[0]);
		offer_words("--help --version", words[0]);
		return EXIT_YES;
	}
	object = object_find(words[0]);
	if (!object)
		return EXIT_NO;
	if (count == 2 && object->commands[0].verb) {
		for (i = 0; i < object->ncommands; i++)
			offer(object->commands[i].verb, words[1]);
		offer(help_option.name, words[1]);
		return EXIT_YES;
	}
	command = command_find(object, words[1]);
	if (!command)
		return EXIT_NO;
	i = command->verb ? 2 : 1;
	complete_command(command, count - i, words + i);
	return EXIT_YES;
}
