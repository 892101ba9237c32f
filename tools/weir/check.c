// SPDX-License-Identifier: GPL-2.0-only
/* weir check */

#include <stdio.h>
#include <string.h>

#include "cli.h"

static int run(const struct args *args)
{
	const char *costs = args_option(args, "--cost");
	uint64_t cost = costs ? arg_u64("--cost", costs, 1, TOKENS_MAX) : 1;
	char *item = args->operands[0];
	struct weir_limiter *limiter;
	struct weir_key key;
	struct weir *weir;
	char *colon;
	int type, status;

	if (args->count > 1)
		die("check: only one NAME[:KEY] at a time in this version");
	/* The first one: names have none, and addresses have many. */
	colon = strchr(item, ':');
	if (colon)
		*colon = '\0';
	weir = client_open(0);
	limiter = limiter_open(weir, item, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	type = weir_limiter_key_type(limiter);
	if (colon && type == WEIR_KEY_NONE)
		die("limiter '%s': has no keys, but a key is given", item);
	if (!colon && type != WEIR_KEY_NONE)
		die("limiter '%s': a key is missing: %s:KEY", item, item);
	if (colon)
		key_parse(&key, type, colon + 1);
	else
		weir_key_none(&key);
	status = check_run(args, limiter, item, &key, cost, false);
	weir_limiter_close(limiter);
	weir_close(weir);
	return status;
}

static const struct command commands[] = {
	{
		.operands = "NAME[:KEY]",
		.least = 1, .most = -1,
		.summary = "charge a limiter, and tell the verdict",
		.details = "The same as 'weir limiter check NAME KEY'. What follows the first colon is the key.\n\n"
			"Exit status 0 if allowed, 1 if limited, banned or full.",
		.complete = "limiter", .prints = true,
		.options = limiter_cost_options, .run = run,
	},
};

const struct object check_object = {
	.name = "check",
	.summary = "Check a limiter.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
