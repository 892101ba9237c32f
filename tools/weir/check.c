// SPDX-License-Identifier: GPL-2.0-only
/* weir check */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* A limiter and one of its keys, named as "NAME:KEY". */
struct item {
	char *name;
	struct weir_limiter *limiter;
	struct weir_key key;
};

static void item_open(struct item *item, struct weir *weir, char *text)
{
	/* the first colon: names have none, and addresses may have several */
	char *colon = strchr(text, ':');
	int type;

	if (colon)
		*colon = '\0';
	item->name = text;
	item->limiter = limiter_open(weir, text,
				     WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	type = weir_limiter_key_type(item->limiter);
	if (colon && type == WEIR_KEY_NONE)
		die("limiter '%s': has no keys, but a key is given", text);
	if (!colon && type != WEIR_KEY_NONE)
		die("limiter '%s': a key is missing: %s:KEY", text, text);
	if (colon)
		key_parse(&item->key, type, colon + 1);
	else
		weir_key_none(&item->key);
}

static json_t *items_json(const struct item *items, const struct weir_op *ops,
			  int count, unsigned int decided)
{
	json_t *json = json_object(), *array = json_array();
	struct weir_answer answer;
	int i;

	for (i = 0; i < count; i++) {
		weir_op_answer(&ops[i], &answer);
		json_array_append_new(array, answer_json(items[i].name,
							 &items[i].key, &answer));
	}
	json_add(json, "verdict",
		 json_string(weir_verdict_name((int)ops[0].verdict)));
	json_add(json, "decided", ops[0].verdict == WEIR_ALLOWED ?
		 json_null() : json_integer((int)decided));
	json_add(json, "checks", array);
	return json;
}

static void items_print(const struct item *items, const struct weir_op *ops,
			int count, unsigned int decided)
{
	char shown[KEY_ROOM];
	struct weir_answer answer;
	int i;

	for (i = 0; i < count; i++) {
		if (ops[0].verdict != WEIR_ALLOWED && i != (int)decided)
			continue;
		weir_op_answer(&ops[i], &answer);
		printf("%s", items[i].name);
		if (items[i].key.type != WEIR_KEY_NONE)
			printf(":%s", key_show(&items[i].key, shown));
		printf(": ");
		answer_print(&answer, true);
	}
}

/* Several checks: all are charged or none is. */
static int run_all(const struct args *args, struct weir *weir, struct item *items,
		   uint64_t cost)
{
	struct weir_op ops[WEIR_TRANSACTION_CHECKS];
	struct weir_answer answer;
	unsigned int decided = 0;
	int i, verdict;

	for (i = 0; i < args->count; i++)
		if (weir_op_limiter(&ops[i], items[i].limiter, WEIR_OP_CHECK,
				    &items[i].key, cost) < 0)
			die_key(items[i].name, &items[i].key);
	verdict = weir_transaction(weir, ops, (unsigned int)args->count, &decided);
	if (verdict < 0)
		die_key(items[decided].name, &items[decided].key);
	if (args->json)
		json_print(items_json(items, ops, args->count, decided));
	weir_op_answer(&ops[decided], &answer);
	cost_check(items[decided].name, &answer, cost);
	if (!args->json)
		items_print(items, ops, args->count, decided);
	return verdict == WEIR_ALLOWED ? EXIT_YES : EXIT_NO;
}

static int run(const struct args *args)
{
	uint64_t cost = option_u64(args, "--cost", 1, TOKENS_MAX, 1);
	struct item items[WEIR_TRANSACTION_CHECKS];
	struct weir *weir;
	int i, status;

	if (args->count > WEIR_TRANSACTION_CHECKS)
		die_usage(args, "check: at most %d at a time",
			  WEIR_TRANSACTION_CHECKS);
	if (args->count > 1 && args_option(args, "--wait"))
		die_usage(args, "check: --wait takes one NAME[:KEY]");
	weir = client_open(0);
	for (i = 0; i < args->count; i++)
		item_open(&items[i], weir, args->operands[i]);
	if (args->count == 1)
		status = check_run(args, items[0].limiter, items[0].name,
				   &items[0].key, cost, false);
	else
		status = run_all(args, weir, items, cost);
	for (i = 0; i < args->count; i++)
		weir_limiter_close(items[i].limiter);
	weir_close(weir);
	return status;
}

static const struct command commands[] = {
	{
		.operands = "NAME[:KEY]...",
		.least = 1, .most = -1,
		.summary = "charge limiters, all or none, and print the verdict",
		.details = "The key follows the first colon. With one operand this is the same as 'weir limiter check NAME KEY'.\n\n"
			"With several operands (up to 16) either all limiters allow the check and all are charged, or none is charged, also with concurrent checks of the same keys. Each is charged --cost. If the check is refused, the line printed is that of the first limiter that refused; only that one counts the refusal and the strike.\n\n"
			WAIT_NOTE " --wait takes one NAME[:KEY] only.\n\n"
			"Exit status 0 if allowed, 1 if limited, banned or full.",
		.complete = "limiter", .prints = true,
		.options = limiter_check_options, .run = run,
	},
};

const struct object check_object = {
	.name = "check",
	.summary = "Check one limiter, or several in one step.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
