// SPDX-License-Identifier: GPL-2.0-only
/* weir roster: create, delete, and the table */

#include <errno.h>
#include <string.h>

#include "cli.h"

struct weir_roster *roster_open(struct weir *weir, const char *name,
				unsigned int rights)
{
	struct weir_roster *roster;

	arg_object("roster", name);
	roster = weir_roster_open(weir, name, rights);
	if (!roster)
		die_open("roster", name, rights);
	return roster;
}

uint64_t roster_ttl(const struct args *args)
{
	const char *text = args_option(args, "--ttl");

	if (!text)
		return 0;
	return strcmp(text, "never") ? arg_duration("--ttl", text, 1, 10 * YEAR) :
				       WEIR_NEVER;
}

/* ---- create, delete ---------------------------------------------------------- */

/* keys are text by default */
static void keys_take(const struct args *args, struct weir_roster_config *config)
{
	struct key_choice keys = key_choose(args, 0);

	config->key_type = args_option(args, "--key") ? keys.type : WEIR_KEY_TEXT;
	config->prefix4 = keys.prefix4;
	config->prefix6 = keys.prefix6;
	if (config->key_type == WEIR_KEY_NONE && config->max_keys > 1)
		die("--max: without keys there is one lease at most; see --key");
}

static int create_run(const struct args *args)
{
	struct weir_roster_config config = { .size = sizeof(config) };
	uint64_t ttl = roster_ttl(args);

	config.max_keys = arg_u64("--max", args_option(args, "--max"), 1, WEIR_KEYS_MAX);
	config.ttl = ttl == WEIR_NEVER ? 0 : ttl;
	keys_take(args, &config);
	return create_object(args, WEIR_KIND_ROSTER, &config);
}

static int delete_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_roster *roster = roster_open(weir, name, WEIR_RIGHT_ADMIN);

	if (weir_roster_delete(roster) < 0)
		die_object("roster", name);
	weir_roster_close(roster);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- the table --------------------------------------------------------------- */

#define TTL "--ttl", .value = "T"
#define VERSION "--version", .value = "N"

static const struct option create_options[] = {
	{ .name = "--max", .value = "N", .required = true,
	  .help = "leases at a time, 1 to 16777216" },
	{ .name = TTL,
	  .help = "default TTL of a lease, 1ns to 3650d; never (the default): until it is removed" },
	{ .name = "--key", .value = "TYPE", .words = "none u64 ip text",
	  .help = "type of the keys: text (the default), u64, ip or none" },
	{ .name = "--prefix", .value = "BITS[,BITS]",
	  .help = "leading bits of an IPv4 and of an IPv6 address that make the key; default 32,64" },
	{ .name = "--mode", .value = "MODE",
	  .help = "octal permissions, as of a file: r (observe), w (use) and x (list the members); most commands need r and w. Only the owner and root may administer. Default 0760" },
	{ .name = "--group", .value = "GROUP",
	  .help = "the group for --mode; default: yours" },
	{ .name = "--existing-ok",
	  .help = "succeed without a change if a roster of that name exists" },
	{ 0 }
};

static const struct option claim_options[] = {
	{ .name = TTL,
	  .help = "TTL of the lease, 1ns to 3650d, or never: until it is removed; default: the TTL of the roster" },
	{ 0 }
};

static const struct option claim_run_options[] = {
	{ .name = TTL,
	  .help = "TTL of the lease, 1ns to 3650d, or never: until it is removed; default: the TTL of the roster" },
	{ .name = "--on-loss", .value = "SIGNAL",
	  .help = "signal that COMMAND gets when the lease is lost or this command dies, such as TERM (the default) or KILL; ignore: none" },
	{ 0 }
};

static const struct option get_options[] = {
	{ .name = "--raw",
	  .help = "print the bytes of the value unchanged, without a newline" },
	{ 0 }
};

static const struct option replace_options[] = {
	{ .name = VERSION, .required = true,
	  .help = "the version that is replaced: 1 to 2^63-1" },
	{ 0 }
};

static const struct option touch_options[] = {
	{ .name = TTL,
	  .help = "new TTL, from now on, 1ns to 3650d, or never: until it is removed; default: the TTL of the roster" },
	{ .name = VERSION,
	  .help = "only if the lease has this version; then any process may do it" },
	{ 0 }
};

static const struct option remove_options[] = {
	{ .name = VERSION,
	  .help = "only if the lease has this version; then any process may do it" },
	{ 0 }
};

static const struct option list_options[] = {
	{ .name = "--prefix", .value = "PREFIX",
	  .help = "only keys with this prefix; for addresses: a block such as 192.0.2.0/24, and keys that overlap it" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "make a roster",
		.details = "A roster has leases. A lease is a key with a value of 0 to 255 bytes, a version, an owner, and a time to live (TTL) or none.",
		.options = create_options, .run = create_run,
	},
	{
		.verb = "claim", .operands = "NAME [KEY] [VALUE] [-- COMMAND...]",
		.least = 1, .most = -1,
		.summary = "claim a key: make its lease if it has none, for good or while a command runs",
		.details = "KEY is given if and only if the roster has keys. Exactly one of several concurrent claims of a key succeeds. If the key has a lease already, the command prints its owner and exits with status 1; also if there is no room. VALUE is 0 to 255 bytes; '-' reads it from standard input.\n\n"
			"Without COMMAND the lease is detached: no process holds it, and it outlives this command. It ends when it is removed or when its TTL (--ttl, or the roster's) expires; without a TTL it lasts until it is removed.\n\n"
			"With COMMAND the lease belongs to this command, which waits for COMMAND, gives the lease back, and ends as COMMAND did. A lease with a TTL is renewed after each third of it.\n\n"
			"The lease is lost if another process removes it, or if this command is stopped (SIGSTOP) or gets no processor for longer than the TTL. That is noticed at the next renewal, after SIGCONT, or when COMMAND ends; without a TTL only when COMMAND ends. Then a message is printed, COMMAND gets the signal --on-loss, and the exit status is 124. With --on-loss ignore COMMAND runs on, and its status is the exit status.\n\n"
			"If this command is killed, even by SIGKILL, the lease ends at once, and COMMAND gets the signal --on-loss, unless it changed its user or is a setuid program. While this command is stopped COMMAND runs on, also without the lease: a COMMAND that must not do so compares versions where it writes.\n\n"
			"COMMAND has the version of the lease in its environment, WEIR_LEASE_VERSION: each later lease of the roster has a greater one. Signals that this command receives meanwhile (HUP, INT, QUIT, TERM, USR1, USR2, TSTP) are passed on, except signals from the terminal, which reach COMMAND anyway. If COMMAND cannot be run, the exit status is 126, or 127 if it is not found.",
		.complete = "roster", .prints = true,
		.options = claim_run_options, .run = roster_claim_run,
	},
	{
		.verb = "put", .operands = "NAME [KEY] VALUE",
		.least = 2, .most = 3,
		.summary = "make a detached lease, or give the present one a new value",
		.details = "Like claim without COMMAND, but an existing detached lease gets the new value, version and TTL, in one step. Exit status 1 if a process holds the lease.",
		.complete = "roster", .prints = true,
		.options = claim_options, .run = roster_put_run,
	},
	{
		.verb = "get", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "print the value of a lease",
		.details = "Unprintable bytes are escaped as in keys. Exit status 1 if there is no lease.",
		.complete = "roster", .prints = true,
		.options = get_options, .run = roster_get_run,
	},
	{
		.verb = "replace", .operands = "NAME [KEY] VALUE",
		.least = 2, .most = 3,
		.summary = "give a lease a new value if it has a given version",
		.details = "Any process may do this. The lease keeps its owner and its TTL. Exit status 1 if the lease has another version, or there is no lease.",
		.complete = "roster", .prints = true,
		.options = replace_options, .run = roster_replace_run,
	},
	{
		.verb = "touch", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "restart the TTL of a lease",
		.details = "Without --version the lease must be detached. Exit status 1 if a process holds it, if it has another version, or if there is no lease.",
		.complete = "roster", .prints = true,
		.options = touch_options, .run = roster_touch_run,
	},
	{
		.verb = "remove", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "end a lease",
		.details = "Without --version the lease must be detached. Exit status 1 if a process holds it, if it has another version, or if there is no lease.",
		.complete = "roster", .prints = true,
		.options = remove_options, .run = roster_remove_run,
	},
	{
		.verb = "list", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "list the leases, in no order",
		.details = "PROCESS is the process that holds the lease; '-' if it is detached. USER is the user that set the value.",
		.complete = "roster", .prints = true,
		.options = list_options, .run = roster_list_run,
	},
	{
		.verb = "show", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "show configuration and totals of a roster, or one lease",
		.complete = "roster", .prints = true,
		.run = roster_show_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "delete a roster with all its leases, for all its users",
		.complete = "roster",
		.run = delete_run,
	},
};

const struct object roster_object = {
	.name = "roster",
	.summary = "Rosters: leases by key that end with their holders.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
