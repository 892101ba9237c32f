// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir limiter: the table of its verbs. They are implemented in limiter_config.c (create, set),
 * limiter_show.c (show), why.c (show of a key), limiter_key.c (check, peek, ...), keys.c and
 * rules.c.
 */

#include <stddef.h>

#include "cli.h"

static int delete_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name,
						    WEIR_RIGHT_ADMIN);

	if (weir_limiter_delete(limiter) < 0)
		die_object("limiter", name);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}

const struct option limiter_cost_options[] = {
	{ .name = "--cost", .value = "N",
	  .help = "tokens that the check costs, all or nothing; default 1" },
	{ 0 }
};

const struct option limiter_show_options[] = {
	{ .name = "--cost", .value = "N",
	  .help = "tokens that the check would cost; default 1" },
	{ 0 }
};

const struct option limiter_check_options[] = {
	{ .name = "--cost", .value = "N",
	  .help = "tokens that the check costs, all or nothing; default 1" },
	{ .name = "--wait", .value = "T",
	  .help = "wait in order of arrival for the tokens, or for the end of a ban, at most T" },
	{ 0 }
};

const struct option limiter_keys_options[] = {
	{ .name = "--banned", .help = "only those that are banned now" },
	{ .name = "--prefix", .value = "PREFIX",
	  .help = "of addresses, only those in this block, such as 10.0.0.0/8; of text keys, only those that begin with PREFIX" },
	{ .name = "--top", .value = "N",
	  .help = "only the N worst keys, worst first: by length of the ban, then by strikes, then by the time until all tokens are back; N up to 100000" },
	{ 0 }
};

#define RULE_NOTE \
	"Only for limiters of addresses. If an address is in several blocks, the smallest block decides. A new rule replaces the rule of the same block. An allowed address is not charged and gets no strikes; a denied address makes no entry. All blocks change in one step, 16384 at most. '-' reads blocks from standard input, with comments after #."
#define KEY_NOTE "KEY is given if and only if the limiter has keys."
#define STATUS_NOTE "Exit status 0 if allowed, 1 if limited, banned or full."

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "make a limiter",
		.details = "Each key has tokens as --rate and --burst say. A check with too few tokens left is answered 'limited' and, with --strikes, counts as a strike. A strike is one violation; 'weir limiter strike' counts others, such as a wrong password. Enough strikes ban the key.\n\n"
			"--candidate-of copies the configuration of LIVE, except --mode and --group, and makes the new limiter LIVE's candidate. A candidate sees each check, refund, strike and forgive of LIVE, but no bans by hand and no rules. It has keys, bans and events of its own, and changes no answer. 'weir limiter show' of either prints how many checks the candidate would have decided more strictly or more loosely, and check reports each difference.\n\n"
			"Durations are written 250ms, 5s, 10m, 24h, 7d or 1h30m.",
		.options = limiter_create_options, .run = limiter_create_run,
	},
	{
		.verb = "set", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "change a limiter while it is in use",
		.details = "Options that are not given keep their values; --burst, too, when --rate changes. Entries, totals and rules are kept; each option below says what it keeps of a key's state. All given options change in one step. When the command returns, no check uses the old values, and callers that wait with check --wait have been re-evaluated; they keep their places. --strikes needs --ban and the other way round, unless the limiter has both already; --strikes 0 ends bans by strikes. --max-keys can be raised to at least eight times the value at creation, and to at least 512.",
		.complete = "limiter",
		.options = limiter_set_options, .run = limiter_set_run,
	},
	{
		.verb = "show", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "show configuration and totals of a limiter, or the state of one key",
		.details = "With KEY it prints what the next check would answer, and why: a rule, a ban and its step on the ladder, waiting callers, too few tokens, a full table, a cost above the limit, or shadow mode; then the strikes, and how many more lead to a ban. Nothing is charged. For a limiter without keys, --cost prints the same.\n\n"
			"The exit status is 0 whatever the answer; use 'weir limiter peek' for a status that depends on it.",
		.complete = "limiter", .prints = true,
		.options = limiter_show_options, .run = limiter_show_run,
	},
	{
		.verb = "keys", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list the keys that have an entry",
		.details = "The order is undefined unless --top is given. A key without an entry is equal to a fresh one. Unprintable bytes of a text key are printed as \\xHH.\n\n"
			"A key that covers several addresses is listed if one of them is in the block of --prefix. The memory used does not depend on the number of keys.",
		.complete = "limiter", .prints = true,
		.options = limiter_keys_options, .run = limiter_keys_run,
	},
	{
		.verb = "check", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "charge a key if it has the tokens, and print the verdict",
		.details = KEY_NOTE " " STATUS_NOTE "\n\n" WAIT_NOTE,
		.complete = "limiter", .prints = true,
		.options = limiter_check_options, .run = limiter_check_run,
	},
	{
		.verb = "peek", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "print what check would answer, and charge nothing",
		.details = KEY_NOTE " " STATUS_NOTE,
		.complete = "limiter", .prints = true,
		.options = limiter_cost_options, .run = limiter_peek_run,
	},
	{
		.verb = "refund", .operands = "NAME [KEY] N",
		.least = 2, .most = 3,
		.summary = "give N tokens back to a key, never above full",
		.details = KEY_NOTE,
		.complete = "limiter", .prints = true,
		.run = limiter_refund_run,
	},
	{
		.verb = "strike", .operands = "NAME [KEY] [N]",
		.least = 1, .most = 3,
		.summary = "count one strike, or N, against a key",
		.details = KEY_NOTE " If that makes enough strikes, the key is banned in the same step.",
		.complete = "limiter", .prints = true,
		.run = limiter_strike_run,
	},
	{
		.verb = "forgive", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "reset a key's strikes and its ladder; a present ban stays",
		.details = KEY_NOTE " Exit status 1 if the key has no entry.",
		.complete = "limiter",
		.run = limiter_forgive_run,
	},
	{
		.verb = "forget", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "drop a key's entry, ban included: the key is fresh again",
		.details = KEY_NOTE " Exit status 1 if the key has no entry.",
		.complete = "limiter",
		.run = limiter_forget_run,
	},
	{
		.verb = "allow", .operands = "NAME CIDR...",
		.least = 2, .most = -1,
		.summary = "always allow these addresses or blocks; their bans are lifted",
		.details = RULE_NOTE,
		.complete = "limiter",
		.run = limiter_allow_run,
	},
	{
		.verb = "deny", .operands = "NAME CIDR...",
		.least = 2, .most = -1,
		.summary = "always ban these addresses or blocks",
		.details = RULE_NOTE,
		.complete = "limiter",
		.run = limiter_deny_run,
	},
	{
		.verb = "unlist", .operands = "NAME CIDR...",
		.least = 2, .most = -1,
		.summary = "remove rules made by allow or deny",
		.details = "Each must be a block as it was given to allow or deny; otherwise nothing is changed, and the exit status is 1. '-' reads blocks from standard input.",
		.complete = "limiter",
		.run = limiter_unlist_run,
	},
	{
		.verb = "rules", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list the rules made by allow and deny",
		.complete = "limiter", .prints = true,
		.run = limiter_rules_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "delete a limiter, for all its users",
		.complete = "limiter",
		.run = delete_run,
	},
};

const struct object limiter_object = {
	.name = "limiter",
	.summary = "Limiters: how much each key may do in a period, and which keys are banned.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
