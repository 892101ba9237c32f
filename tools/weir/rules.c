// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter allow, deny, unlist, rules: rules for address blocks */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define RULE_ROOM 64
#define LINE_ROOM 256

/* Rules from the command line, which are changed in one step. */
struct gathered {
	struct weir_rule *rules;
	unsigned int count;
};

/* If only host bits are wrong in @text, suggest the block that contains the address. */
static void refuse_host_bits(const char *text)
{
	char shown[RULE_ROOM], address[RULE_ROOM];
	const char *slash = strchr(text, '/');
	struct weir_rule rule;
	uint64_t prefix;
	unsigned int bit;

	if (!slash || snprintf(address, sizeof(address), "%.*s", (int)(slash - text),
			       text) >= (int)sizeof(address))
		return;
	if (weir_rule_parse(&rule, address, WEIR_RULE_DENY) < 0 ||
	    weir_parse_u64(slash + 1, &prefix) < 0 || prefix > rule.addr_len * 8U)
		return;
	rule.prefix = (uint8_t)prefix;
	for (bit = rule.prefix; bit < rule.addr_len * 8U; bit++)
		rule.addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	weir_rule_format(&rule, shown, sizeof(shown));
	die("'%s': has bits set beyond its prefix; the block is %s", printable(text), shown);
}

static void gather(struct gathered *all, const char *text,
		   enum weir_rule_action action)
{
	if (all->count == WEIR_RULES_MAX)
		die("more than %d blocks at a time", WEIR_RULES_MAX);
	if (weir_rule_parse(&all->rules[all->count], text, action) < 0) {
		refuse_host_bits(text);
		die("'%s': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
		    printable(text));
	}
	all->count++;
}

/* Read one block from each line; comments begin with #. */
static void gather_input(struct gathered *all, enum weir_rule_action action)
{
	char line[LINE_ROOM], *word, *rest;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "#\n")] = '\0';
		for (word = strtok_r(line, " \t\r", &rest); word;
		     word = strtok_r(NULL, " \t\r", &rest))
			gather(all, word, action);
	}
	if (ferror(stdin))
		die("cannot read standard input: %s", strerror(errno));
}

static int put(const struct args *args, enum weir_rule_action action)
{
	struct gathered all = {
		.rules = calloc(WEIR_RULES_MAX, sizeof(*all.rules)),
	};
	const char *name = args->operands[0];
	struct weir_limiter *limiter;
	struct weir *weir;
	int i, status = EXIT_YES;

	if (!all.rules)
		die("out of memory");
	for (i = 1; i < args->count; i++) {
		if (!strcmp(args->operands[i], "-"))
			gather_input(&all, action);
		else
			gather(&all, args->operands[i], action);
	}
	weir = client_open(0);
	limiter = limiter_open(weir, name, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	if (weir_limiter_change_rules(limiter, all.rules, all.count, 0) < 0) {
		if (errno == EOPNOTSUPP)
			die("limiter '%s': its keys are not addresses; see --key ip",
			    name);
		if (errno == ENOSPC)
			die("limiter '%s': more than %d blocks", name,
			    WEIR_RULES_MAX);
		if (errno != ENOENT || action != WEIR_RULE_NONE)
			die_object("limiter", name);
		fprintf(stderr, "weir: limiter '%s': no such block; nothing was changed\n",
			name);
		status = EXIT_NO;
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	free(all.rules);
	return status;
}

int limiter_allow_run(const struct args *args)
{
	return put(args, WEIR_RULE_ALLOW);
}

int limiter_deny_run(const struct args *args)
{
	return put(args, WEIR_RULE_DENY);
}

int limiter_unlist_run(const struct args *args)
{
	return put(args, WEIR_RULE_NONE);
}

static void rule_print(const struct args *args, const struct weir_rule *rule)
{
	const char *action = weir_rule_action_name(rule->action);
	char text[RULE_ROOM];
	json_t *json;

	if (weir_rule_format(rule, text, sizeof(text)) < 0 || !action)
		die("the kernel returned an invalid rule");
	if (!args->json) {
		printf("%-5s  %s\n", action, text);
		return;
	}
	json = json_object();
	json_add(json, "action", json_string(action));
	json_add(json, "block", json_string(text));
	json_array_add(json);
}

int limiter_rules_run(const struct args *args)
{
	struct weir_rule *rules = calloc(WEIR_RULES_MAX, sizeof(*rules));
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name,
				WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN);
	int i, count;

	if (!rules)
		die("out of memory");
	count = weir_limiter_get_rules(limiter, rules, WEIR_RULES_MAX);
	if (count < 0)
		die_object("limiter", name);
	if (args->json)
		json_array_begin();
	for (i = 0; i < count; i++)
		rule_print(args, &rules[i]);
	if (args->json)
		json_array_end();
	weir_limiter_close(limiter);
	weir_close(weir);
	free(rules);
	return EXIT_YES;
}
