// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments: parsing a command line according to the table.
 *
 * getopt_long() is not used: it accepts any unambiguous abbreviation of an option, so a new option
 * could break old scripts, and it takes a key that begins with '-' for an option. Here an option
 * begins with two dashes and must be spelt in full. All other arguments are operands, as are all
 * arguments after "--".
 */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Whether @word is the option @name, with or without "=value". */
static bool option_matches(const char *word, const char *name,
			   const char **value)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length))
		return false;
	if (word[length] == '=') {
		*value = word + length + 1;
		return true;
	}
	*value = NULL;
	return !word[length];
}

/* Parse a flag that every command has, or every command that prints. */
static bool flag_take(struct args *args, const char *word)
{
	const char *value;

	if (option_matches(word, help_option.name, &value))
		args->help = true;
	else if (args->command->prints &&
		 option_matches(word, json_option.name, &value))
		args->json = true;
	else
		return false;
	if (value)
		die_usage(args, "%s takes no value", args->help ? "--help" :
			  "--json");
	return true;
}

/* Parse the option that begins at words[0]. Return: the number of words it takes. */
static int option_take(struct args *args, int count, char **words)
{
	const struct option *option = args->command->options;
	const char *value;
	int i;

	if (flag_take(args, words[0]))
		return 1;
	for (i = 0; option && option[i].name; i++) {
		int used = 1;

		if (!option_matches(words[0], option[i].name, &value))
			continue;
		if (args->values[i])
			die_usage(args, "%s is given twice", option[i].name);
		if (value && !option[i].value)
			die_usage(args, "%s takes no value", option[i].name);
		if (option[i].value && !value) {
			if (count < 2)
				die_usage(args, "%s needs a value: %s",
					  option[i].name, option[i].value);
			value = words[1];
			used = 2;
		}
		args->values[i] = value ? value : "";
		return used;
	}
	die_usage(args, "no such option: '%s'", printable(words[0]));
}

static void args_parse(struct args *args, int count, char **words)
{
	bool only_operands = false;
	int i = 0;

	args->operands = words;		/* overwritten from its beginning */
	while (i < count) {
		if (only_operands || strncmp(words[i], "--", 2)) {
			args->operands[args->count++] = words[i++];
		} else if (!strcmp(words[i], "--")) {
			only_operands = true;
			args->parted = true;
			args->before = args->count;
			i++;
		} else {
			i += option_take(args, count - i, words + i);
		}
	}
	if (!only_operands)
		args->before = args->count;
	/* terminate the operands, which are at the beginning now */
	words[args->count] = NULL;
}

static void args_check(const struct args *args)
{
	const struct command *command = args->command;
	const struct option *option = command->options;
	int i;

	if (args->count < command->least)
		die_usage(args, "%s: too few arguments: expected %s",
			  command_path(args->object, command),
			  command->operands);
	if (command->most >= 0 && args->count > command->most)
		die_usage(args, "%s: too many arguments, from '%s' on",
			  command_path(args->object, command),
			  printable(args->operands[command->most]));
	for (i = 0; option && option[i].name; i++)
		if (option[i].required && !args->values[i] &&
		    !(option[i].unless && args_option(args, option[i].unless)))
			die_usage(args, "%s: %s is missing",
				  command_path(args->object, command),
				  option[i].name);
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

/*
 * Find the command in the first words. Return: the number of words it takes; 0: help was
 * printed.
 */
static int command_take(struct args *args, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : NULL;

	args->object = object_find(argv[0]);
	if (!args->object)
		die_usage(args, "no such command: '%s'", printable(argv[0]));
	args->command = command_find(args->object, verb);
	if (args->command)
		return args->command->verb ? 2 : 1;
	if (!verb)
		die_usage(args, "%s: a verb is missing",
			  args->object->name);
	if (is_help(verb) && argc == 2) {
		help_object(args->object);
		return 0;
	}
	die_usage(args, "%s: no such verb: '%s'", args->object->name,
		  printable(verb));
}

/* Print the help of a command: help COMMAND [VERB]. */
static int help_about(struct args *args, int argc, char **argv)
{
	args->object = object_find(argv[0]);
	if (!args->object)
		die_usage(args, "no such command: '%s'", printable(argv[0]));
	args->command = command_find(args->object, argc > 1 ? argv[1] : NULL);
	if (args->command)
		help_command(args->object, args->command);
	else if (argc > 1)
		die_usage(args, "%s: no such verb: '%s'", args->object->name,
			  printable(argv[1]));
	else
		help_object(args->object);
	return EXIT_YES;
}

int args_run(int argc, char **argv)
{
	struct args args = { .json = false };
	int used;

	if (!argc)
		die_usage(&args, "a command is missing");
	if (argc == 1 && is_help(argv[0])) {
		help_all();
		return EXIT_YES;
	}
	if (!strcmp(argv[0], "help"))
		return help_about(&args, argc - 1, argv + 1);
	if (argc == 1 && (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V"))) {
		printf("weir %s\n", weir_lib_version());
		return EXIT_YES;
	}
	/* Used by shell completion only, so it is not in the help. */
	if (!strcmp(argv[0], "--complete"))
		return complete(argc - 1, argv + 1);
	used = command_take(&args, argc, argv);
	if (!used)
		return EXIT_YES;
	args_parse(&args, argc - used, argv + used);
	if (args.help) {
		help_command(args.object, args.command);
		return EXIT_YES;
	}
	args_check(&args);
	return args.command->run(&args);
}

const char *args_option(const struct args *args, const char *name)
{
	const struct option *option = args->command->options;
	int i;

	for (i = 0; option && option[i].name; i++)
		if (!strcmp(option[i].name, name))
			return args->values[i];
	return NULL;
}

uint64_t args_mask(const struct args *args, const struct set_bit *bits)
{
	uint64_t mask = 0;

	for (; bits->option; bits++)
		if (args_option(args, bits->option))
			mask |= bits->bit;
	return mask;
}

char **args_command(const struct args *args)
{
	if (args->before == args->count)
		die_usage(args, "%s: a command is missing: -- COMMAND...",
			  command_path(args->object, args->command));
	if (args->before < 1)
		die_usage(args, "%s: NAME is missing before --",
			  command_path(args->object, args->command));
	/* the operands are the end of argv, and argv ends with NULL */
	return args->operands + args->before;
}

uint64_t option_u64(const struct args *args, const char *name, uint64_t least,
		    uint64_t most, uint64_t otherwise)
{
	const char *text = args_option(args, name);

	return text ? arg_u64(name, text, least, most) : otherwise;
}

uint64_t option_duration(const struct args *args, const char *name, uint64_t least,
			 uint64_t most, uint64_t otherwise)
{
	const char *text = args_option(args, name);

	return text ? arg_duration(name, text, least, most) : otherwise;
}

int option_word(const struct args *args, const char *name,
		int (*parse)(const char *word), const char *choices, int otherwise)
{
	const char *word = args_option(args, name);
	int number;

	if (!word)
		return otherwise;
	number = parse(word);
	if (number < 0)
		die("%s '%s': must be %s", name, printable(word), choices);
	return number;
}

uint64_t arg_u64(const char *what, const char *text, uint64_t least,
		 uint64_t most)
{
	uint64_t number;
	int ret = weir_parse_u64(text, &number);

	if (ret < 0 && errno == EINVAL)
		die("%s '%s': not a whole number", what, printable(text));
	if (ret < 0 || number < least || number > most)
		die("%s '%s': must be from %llu to %llu", what,
		    printable(text), (unsigned long long)least,
		    (unsigned long long)most);
	return number;
}

int64_t arg_s64(const char *what, const char *text)
{
	int64_t number;

	if (weir_parse_s64(text, &number) < 0)
		die("%s '%s': %s", what, printable(text), errno == ERANGE ?
		    "number too large" : "not a whole number");
	return number;
}

uint64_t arg_duration(const char *what, const char *text, uint64_t least,
		      uint64_t most)
{
	char from[WEIR_TEXT_MAX], to[WEIR_TEXT_MAX];
	uint64_t ns;
	int ret = weir_parse_duration(text, &ns);

	if (ret < 0 && errno == EINVAL)
		die("%s '%s': not a duration such as 250ms, 5s, 10m, 24h or 1h30m",
		    what, printable(text));
	if (ret < 0 || ns < least || ns > most) {
		weir_format_duration(least, from, sizeof(from));
		weir_format_duration(most, to, sizeof(to));
		die("%s '%s': must be from %s to %s", what, printable(text),
		    from, to);
	}
	return ns;
}

void arg_ladder(const char *what, const char *text, uint64_t least,
		const char *example, struct weir_limiter_config *ladder)
{
	char from[WEIR_TEXT_MAX], to[WEIR_TEXT_MAX];
	int ret = weir_parse_ladder(text, ladder);
	uint32_t i;

	if (ret < 0 && errno == EINVAL)
		die("%s '%s': not durations such as %s", what, printable(text), example);
	for (i = 0; !ret && i < ladder->nbans; i++)
		if (ladder->ban[i] < least || ladder->ban[i] > 10 * YEAR)
			ret = -1;
	if (ret < 0) {
		weir_format_duration(least, from, sizeof(from));
		weir_format_duration(10 * YEAR, to, sizeof(to));
		die("%s '%s': must be 1 to %d durations from %s to %s", what,
		    printable(text), WEIR_LADDER_MAX, from, to);
	}
}

uint32_t arg_mode(const char *text)
{
	size_t length = strspn(text, "01234567");
	unsigned long mode;

	if (!length || length > 4 || text[length])
		die("--mode '%s': not octal digits such as 0760",
		    printable(text));
	mode = strtoul(text, NULL, 8);
	if (mode & ~0777UL)
		die("--mode '%s': has only r (4), w (2) and x (1), as in 0764",
		    printable(text));
	return (uint32_t)mode;
}

uint32_t arg_group(const char *text)
{
	const struct group *group = getgrnam(text);
	uint64_t gid;

	if (group)
		return group->gr_gid;
	if (weir_parse_u64(text, &gid) < 0 || gid >= WEIR_GID_DEFAULT)
		die("--group '%s': no such group", printable(text));
	return (uint32_t)gid;
}

const char *arg_name(const char *kind, const char *name)
{
	if (!weir_name_valid(name))
		die("%s '%s': not a name: 1 to %d of A-Z a-z 0-9 . _ -, first a letter or digit",
		    kind, printable(name), WEIR_NAME_SIZE - 1);
	return name;
}
