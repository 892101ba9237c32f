// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir limiter: the table of its verbs. What they do stands in limiter_config.c
 * (create, set), limiter_show.c (show), why.c (show of a key), limiter_key.c (check and its kin),
 * keys.c and rules.c.
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
	  .help = "tokens it costs, all or nothing; 1 unless given" },
	{ 0 }
};

const struct option limiter_show_options[] = {
	{ .name = "--cost", .value = "N",
	  .help = "tokens that the check in question costs; 1 unless given" },
	{ 0 }
};

const struct option limiter_check_options[] = {
	{ .name = "--cost", .value = "N",
	  .help = "tokens it costs, all or nothing; 1 unless given" },
	{ .name = "--wait", .value = "T",
	  .help = "wait for the tokens, or for the end of a ban, T at most; in order of arrival" },
	{ 0 }
};

const struct option limiter_keys_options[] = {
	{ .name = "--banned", .help = "only those that are banned now" },
	{ .name = "--prefix", .value = "PREFIX",
	  .help = "only those of a block of addresses, as in 10.0.0.0/8; or, of text, that begin so" },
	{ .name = "--top", .value = "N",
	  .help = "only the N worst, worst first: the longest ban, then the most strikes, then the longest time until all tokens are back; N up to 100000" },
	{ 0 }
};

#define RULE_NOTE \
	"Only for limiters of addresses. Of the blocks an address is in, the smallest decides; a block that has a rule gets the new one. What is allowed is charged nothing and collects no strikes; what is denied makes no entry. All blocks are put in one step, 16384 at most. - reads them from standard input, with comments after #."
#define KEY_NOTE "KEY is given if and only if the limiter has keys."
#define STATUS_NOTE "Exit status 0 if allowed, 1 if limited, banned or full."

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "make a limiter",
		.details = "Each key may spend the tokens of --rate and --burst. A check that finds too few of them is answered 'limited' and, if --strikes is given, counts as a strike; enough strikes ban the key.\n\n"
			"With --candidate-of the new limiter is made as another one is, and asked whatever that is asked, beside it: 'weir limiter show' of either then tells in how many checks it was stricter, or looser, and check tells when. It changes no answer. Each check, refund, strike and forgive is done to it too, with keys, bans and events of its own; bans by hand and rules are not. --mode and --group are not taken from the other one.\n\n"
			"Durations are written 250ms, 5s, 10m, 24h, 7d or 1h30m.",
		.options = limiter_create_options, .run = limiter_create_run,
	},
	{
		.verb = "set", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "change a limiter while it is in use",
		.details = "What is not given stays as it is, a bucket's --burst with a new --rate too. Entries, totals and rules stay; of what is known of each key, the options say what is kept. What is given together changes in one step, and when the command returns nobody decides by what was before; who waits with check --wait looks again, and keeps the place. --strikes and --ban need each other, unless the limiter has both already; --strikes 0 ends banning by strikes. --max-keys can be raised to eight times what the limiter was made with at least, and to 512 at least.",
		.complete = "limiter",
		.options = limiter_set_options, .run = limiter_set_run,
	},
	{
		.verb = "show", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "show what a limiter is and its totals, or how one key stands",
		.details = "Of a key it tells what the next check would be answered, and why: a rule, a ban and its place on the ladder, others who wait, too few tokens, a full table, a cost above the limit, or shadow mode; how many strikes there are, and how many more make a ban. Nothing is charged. For a limiter without keys, give --cost to be told this.\n\n"
			"Exit status 0 whatever the answer; that of 'weir limiter peek' tells it.",
		.complete = "limiter", .prints = true,
		.options = limiter_show_options, .run = limiter_show_run,
	},
	{
		.verb = "keys", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list the keys that have an entry",
		.details = "They come in no order unless --top is given. A key without an entry is as good as fresh. Unprintable bytes of a text key are shown as \\xHH.\n\n"
			"Keys that the limiter has cut to a prefix of their own are in the block of --prefix if one of their addresses is. However many keys there are, it takes no more memory.",
		.complete = "limiter", .prints = true,
		.options = limiter_keys_options, .run = limiter_keys_run,
	},
	{
		.verb = "check", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "charge a key if the tokens are there, and tell the verdict",
		.details = KEY_NOTE " " STATUS_NOTE "\n\n" WAIT_NOTE,
		.complete = "limiter", .prints = true,
		.options = limiter_check_options, .run = limiter_check_run,
	},
	{
		.verb = "peek", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "tell what check would, and charge nothing",
		.details = KEY_NOTE " " STATUS_NOTE,
		.complete = "limiter", .prints = true,
		.options = limiter_cost_options, .run = limiter_peek_run,
	},
	{
		.verb = "refund", .operands = "NAME [KEY] N",
		.least = 2, .most = 3,
		.summary = "give a key N tokens back, never above full",
		.details = KEY_NOTE,
		.complete = "limiter", .prints = true,
		.run = limiter_refund_run,
	},
	{
		.verb = "strike", .operands = "NAME [KEY] [N]",
		.least = 1, .most = 3,
		.summary = "count one strike against a key, or N of them",
		.details = KEY_NOTE " The key is banned in that moment if it has enough of them.",
		.complete = "limiter", .prints = true,
		.run = limiter_strike_run,
	},
	{
		.verb = "forgive", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "forget a key's strikes and earlier bans; a present ban stays",
		.details = KEY_NOTE " Exit status 1 if it has no entry.",
		.complete = "limiter",
		.run = limiter_forgive_run,
	},
	{
		.verb = "forget", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "drop a key's entry, so that it is as good as fresh",
		.details = KEY_NOTE " Exit status 1 if it has no entry.",
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
		.summary = "take rules of allow or deny away",
		.details = "Each must be a block as it was given to allow or deny; else nothing is changed, and the exit status is 1. - reads blocks from standard input.",
		.complete = "limiter",
		.run = limiter_unlist_run,
	},
	{
		.verb = "rules", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list what was given to allow and deny",
		.complete = "limiter", .prints = true,
		.run = limiter_rules_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "end a limiter, for everybody who uses it",
		.complete = "limiter",
		.run = delete_run,
	},
};

const struct object limiter_object = {
	.name = "limiter",
	.summary = "Limiters: how much each key may do in what time, and who is banned.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
