// SPDX-License-Identifier: GPL-2.0-only
/* weir breaker: allow, report, trip, reset, delete, and the table */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct weir_breaker *breaker_open(struct weir *weir, const char *name,
				  unsigned int rights)
{
	struct weir_breaker *breaker;

	arg_object("breaker", name);
	breaker = weir_breaker_open(weir, name, rights);
	if (!breaker)
		die_open("breaker", name, rights);
	return breaker;
}

void say_breaker(const char *name, const struct weir_key *key)
{
	/* these two errors have another meaning for a key than for an object */
	if (errno == ENOENT)
		say_key("breaker", name, key,
			"no such ticket was given, or there is no probe to report");
	else if (errno == ENOSPC)
		say_key("breaker", name, key, "no room for a new key");
	else
		say_key("breaker", name, key, reason(errno));
}

const char *breaker_refusal(const struct weir_breaker_answer *answer, char *buffer)
{
	bool open = answer->state == WEIR_OPEN;
	char duration[HUMANE_MAX];

	humane(answer->retry_after, duration);
	if (answer->retry_after == WEIR_NEVER)
		strcpy(buffer, open ? "open until it is reset" :
				      "half-open, all probes are in use");
	else if (open)
		snprintf(buffer, REFUSAL_MAX, "open, try again in %s", duration);
	else
		snprintf(buffer, REFUSAL_MAX,
			 "half-open, all probes are in use; try again in %s at the latest",
			 duration);
	return buffer;
}

/* Open the breaker, and parse the key, that the first @count operands name. */
static struct weir_breaker *key_open(struct weir *weir, const struct args *args,
				     int count, unsigned int rights,
				     struct weir_key *key)
{
	const char *name = args->operands[0];
	struct weir_breaker *breaker;

	breaker = breaker_open(weir, name, WEIR_RIGHT_OBSERVE | rights);
	key_operands(key, "breaker", name, weir_breaker_key_type(breaker), count - 1,
		     args->operands + 1);
	return breaker;
}

static int leave(struct weir *weir, struct weir_breaker *breaker, int status)
{
	weir_breaker_close(breaker);
	weir_close(weir);
	return status;
}

/* ---- allow ------------------------------------------------------------------- */

static void allow_json(const char *name, const struct weir_key *key,
		       const struct weir_breaker_answer *answer)
{
	const char *state = weir_breaker_state_name((int)answer->state);
	json_t *json = json_object();
	char ticket[24];

	/* a string, because some JSON readers store numbers as doubles and would round it */
	snprintf(ticket, sizeof(ticket), "%llu", (unsigned long long)answer->ticket);
	json_add(json, "name", json_string(name));
	json_add_key(json, key);
	json_add(json, "verdict",
		 json_string(weir_verdict_name((int)answer->verdict)));
	json_add(json, "state", state ? json_string(state) : json_null());
	json_add(json, "probe", json_boolean(answer->probe));
	json_add(json, "ticket", answer->ticket ? json_string(ticket) : json_null());
	json_add(json, "retry_after_ns", json_u64(answer->retry_after));
	json_print(json);
}

static int allow_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_breaker_answer answer;
	struct weir_breaker *breaker;
	char text[REFUSAL_MAX];
	struct weir_key key;
	int verdict;

	breaker = key_open(weir, args, args->count, WEIR_RIGHT_USE, &key);
	verdict = weir_breaker_allow(breaker, &key, WEIR_OP_DETACHED, &answer);
	if (verdict < 0) {
		say_breaker(name, &key);
		return EXIT_ERROR;
	}
	if (args->json)
		allow_json(name, &key, &answer);
	else if (verdict == WEIR_ALLOWED)
		printf("%sallowed%s%s, ticket %llu\n", colour(GREEN), colour(PLAIN),
		       answer.probe ? " as a probe" : "",
		       (unsigned long long)answer.ticket);
	else
		puts(breaker_refusal(&answer, text));
	return leave(weir, breaker, verdict == WEIR_ALLOWED ? EXIT_YES : EXIT_NO);
}

/* ---- report ------------------------------------------------------------------ */

static int report_run(const struct args *args)
{
	const char *word = args->operands[args->count - 1];
	uint64_t ticket = option_u64(args, "--ticket", 1, UINT64_MAX, 0);
	const char *name = args->operands[0];
	int call = weir_parse_call(word), late;
	struct weir_breaker *breaker;
	struct weir_key key;
	struct weir *weir;

	if (call < 0)
		die("'%s': must be ok, failed or withdrawn", printable(word));
	weir = client_open(0);
	breaker = key_open(weir, args, args->count - 1, WEIR_RIGHT_USE, &key);
	late = weir_breaker_report(breaker, &key, ticket, (enum weir_call)call, NULL);
	if (late < 0)
		say_breaker(name, &key);
	else if (late)
		say_key("breaker", name, &key, "too late, ignored");
	return leave(weir, breaker, late < 0 ? EXIT_ERROR : late ? EXIT_NO : EXIT_YES);
}

/* ---- trip, reset, delete ----------------------------------------------------- */

static int trip_run(const struct args *args)
{
	const char *text = args_option(args, "--for");
	const char *name = args->operands[0];
	struct weir_breaker *breaker;
	uint64_t duration = 0;
	struct weir_key key;
	struct weir *weir;
	int less;

	if (text && !strcmp(text, "ever"))
		duration = WEIR_NEVER;
	else if (text)
		duration = arg_duration("--for", text, 1, 10 * YEAR);
	weir = client_open(0);
	breaker = key_open(weir, args, args->count, WEIR_RIGHT_ADMIN, &key);
	less = weir_breaker_trip(breaker, &key, duration, NULL);
	if (less < 0)
		say_breaker(name, &key);
	else if (less)
		say_key("breaker", name, &key, "is already open for longer");
	return leave(weir, breaker, less < 0 ? EXIT_ERROR : less ? EXIT_NO : EXIT_YES);
}

static int reset_run(const struct args *args)
{
	struct weir *weir = client_open(0);
	struct weir_breaker *breaker;
	struct weir_key key;
	int ret;

	breaker = key_open(weir, args, args->count, WEIR_RIGHT_ADMIN, &key);
	ret = weir_breaker_reset(breaker, &key, NULL);
	if (ret < 0)
		say_breaker(args->operands[0], &key);
	return leave(weir, breaker, ret < 0 ? EXIT_ERROR : EXIT_YES);
}

static int delete_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_breaker *breaker = breaker_open(weir, name, WEIR_RIGHT_ADMIN);

	if (weir_breaker_delete(breaker) < 0)
		die_object("breaker", name);
	return leave(weir, breaker, EXIT_YES);
}

/* ---- the table --------------------------------------------------------------- */

static const struct option report_options[] = {
	{ .name = "--ticket", .value = "N",
	  .help = "the ticket that allow printed; without it, the report is for a call made now without asking" },
	{ 0 }
};

static const struct option trip_options[] = {
	{ .name = "--for", .value = "T",
	  .help = "how long, 1ns to 3650d, or ever (until a reset); default: the next step of --open" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "make a breaker",
		.details = "A closed breaker admits all calls. Too many failures open it: it rejects all calls for the duration of the next step of --open. Then it is half-open and admits --probes calls (probes), counted over all processes. If the probes succeed, it closes; the first probe that fails opens it again, for the next step.",
		.options = breaker_create_options, .run = breaker_create_run,
	},
	{
		.verb = "run", .operands = "NAME [KEY] -- COMMAND...",
		.least = 1, .most = -1,
		.summary = "ask, run a command if it is admitted, and report its outcome",
		.details = "KEY is given if and only if the breaker has keys. If the call is not admitted, a reason is printed and the exit status is 1.\n\n"
			"The call succeeds if COMMAND exits with status 0 or one of --ok; any other status, or a signal, is a failure. weir waits for COMMAND and exits with its status. Signals that weir receives meanwhile (HUP, INT, QUIT, TERM, USR1, USR2, TSTP) are passed on to COMMAND, except signals from the terminal, which reach COMMAND anyway.\n\n"
			"A probe is held by this weir process: if the process is killed before it reports, the probe has failed, even if COMMAND goes on.\n\n"
			"If COMMAND cannot be run, the call is withdrawn, and the exit status is 126, or 127 if the command is not found.",
		.complete = "breaker",
		.options = breaker_run_options, .run = breaker_run_run,
	},
	{
		.verb = "allow", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "ask whether to make a call, and print its ticket",
		.details = "For scripts that run more than one command. Exit status 0: make the call, then report its outcome; 1: do not make it. A probe that was admitted this way is detached: no process holds it. If it is not reported, it has failed after --probe-within.",
		.complete = "breaker", .prints = true,
		.run = allow_run,
	},
	{
		.verb = "report", .operands = "NAME [KEY] OUTCOME",
		.least = 2, .most = 3,
		.summary = "report the outcome of a call",
		.details = "OUTCOME is ok, failed or withdrawn (the call was not made). Exit status 0: the report counts; 1: it is late and ignored, because the breaker has changed its state since the call was admitted, or the call was admitted more than an hour ago.",
		.complete = "breaker outcome outcome",
		.options = report_options, .run = report_run,
	},
	{
		.verb = "trip", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "open a breaker by hand",
		.details = "An open breaker can only be kept open for longer. If it is already open for that long, nothing changes and the exit status is 1.",
		.complete = "breaker",
		.options = trip_options, .run = trip_run,
	},
	{
		.verb = "reset", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "close a breaker by hand and reset its failures",
		.details = "Reports of earlier calls are late and ignored.",
		.complete = "breaker",
		.run = reset_run,
	},
	{
		.verb = "show", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "show configuration, state and totals of a breaker, or the state of one key",
		.complete = "breaker", .prints = true,
		.run = breaker_show_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "delete a breaker, for all its users",
		.complete = "breaker",
		.run = delete_run,
	},
};

const struct object breaker_object = {
	.name = "breaker",
	.summary = "Breakers: whether a service that fails is worth calling.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
