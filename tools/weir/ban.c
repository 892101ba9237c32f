// SPDX-License-Identifier: GPL-2.0-only
/* weir ban */

#include <errno.h>
#include <stdio.h>

#include "cli.h"

#define RIGHTS (WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN)

static int list_run(const struct args *args)
{
	return keys_list(args, args->operands[0], true, NULL, 0);
}

/* With one operand after NAME, either the duration or the key is missing. Report which one. */
static void add_check(const struct args *args, const struct weir_limiter *limiter)
{
	const char *text = args->operands[1];
	uint64_t ns;

	if (args->count == 2 && weir_limiter_key_type(limiter) != WEIR_KEY_NONE &&
	    weir_parse_duration(text, &ns) < 0)
		die_usage(args, "ban add: the duration is missing, as in: weir ban add %s %s 1h",
			  args->operands[0], printable(text));
}

static int add_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name, RIGHTS);
	struct weir_answer answer;
	char duration[HUMANE_MAX];
	struct weir_key key;
	uint64_t ns;
	int used = 1;

	add_check(args, limiter);
	used += key_take(limiter, args->count - 2, args->operands + 1, &key);
	if (args->count != used + 1)
		die_usage(args, "ban add: the limiter has no keys; expected NAME T");
	ns = arg_duration("T", args->operands[used], 1, 10 * YEAR);
	if (weir_limiter_ban(limiter, &key, ns, &answer) < 0)
		die_key(name, &key);
	if (args->json)
		json_print(answer_json(name, &key, &answer));
	else
		printf("%sbanned%s for %s\n", colour(RED), colour(PLAIN),
		       humane(answer.banned_for, duration));
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}

static int lift_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name, RIGHTS);
	struct weir_key key;
	int status = EXIT_YES;

	key_only(args, limiter, &key);
	if (weir_limiter_lift(limiter, &key, NULL) < 0) {
		if (errno != ENOENT)
			die_key(name, &key);
		say_absent(name, &key, "is not banned");
		status = EXIT_NO;
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	return status;
}

static const struct command commands[] = {
	{
		.verb = "list", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list the keys that are banned now",
		.details = "The same as 'weir limiter keys NAME --banned'.",
		.complete = "limiter", .prints = true,
		.run = list_run,
	},
	{
		.verb = "add", .operands = "NAME [KEY] T",
		.least = 2, .most = 3,
		.summary = "ban a key for the time T",
		.details = "A ban can only be extended: if the present ban lasts longer than T, it stays. T is a duration such as 10m or 24h, at most 3650d.",
		.complete = "limiter", .prints = true,
		.run = add_run,
	},
	{
		.verb = "lift", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "end a key's ban and reset its strikes",
		.details = "Exit status 1 if the key is not banned.",
		.complete = "limiter",
		.run = lift_run,
	},
};

const struct object ban_object = {
	.name = "ban",
	.summary = "Bans: keys whose checks are answered 'banned'.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
