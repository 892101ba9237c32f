// SPDX-License-Identifier: GPL-2.0-only
/* weir breaker run: run a command as a call through a breaker */

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "child.h"
#include "cli.h"

#define STATUS_MAX 255

const struct option breaker_run_options[] = {
	{ .name = "--ok", .value = "N[,N...]",
	  .help = "exit statuses that count as a success, besides 0; each 1 to 255" },
	{ 0 }
};

/* ---- exit statuses that are successes ------------------------------------------- */

static void statuses_take(const char *text, bool *is_ok)
{
	char word[WEIR_TEXT_MAX];
	size_t length;

	is_ok[0] = true;
	while (text) {
		length = strcspn(text, ",");
		if (length >= sizeof(word))
			die("--ok '%s': must be from 1 to %d", printable(text), STATUS_MAX);
		memcpy(word, text, length);
		word[length] = '\0';
		is_ok[arg_u64("--ok", word, 1, STATUS_MAX)] = true;
		text = text[length] ? text + length + 1 : NULL;
	}
}

/* ---- asking, running, reporting --------------------------------------------------- */

/* A late report is not an error: another process changed the state first. */
static void report(struct weir_breaker *breaker, const char *name,
		   const struct weir_key *key, uint64_t ticket, enum weir_call call)
{
	if (weir_breaker_report(breaker, key, ticket, call, NULL) < 0)
		say_breaker(name, key);
}

static int call(struct weir_breaker *breaker, const char *name,
		const struct weir_key *key, char **command, const bool *is_ok)
{
	struct weir_breaker_answer answer;
	struct child_signals signals;
	char text[REFUSAL_MAX];
	int verdict, status;
	pid_t child;

	child_signals_hold(&signals);
	verdict = weir_breaker_allow(breaker, key, 0, &answer);
	if (verdict != WEIR_ALLOWED) {
		if (verdict < 0)
			say_breaker(name, key);
		else
			say_key("breaker", name, key, breaker_refusal(&answer, text));
		return verdict < 0 ? EXIT_ERROR : EXIT_NO;
	}
	child = child_start(command, &signals, 0);
	if (child < 0) {
		status = say_cannot_run(command[0], errno);
		report(breaker, name, key, answer.ticket, WEIR_CALL_WITHDRAWN);
		return status;
	}
	status = child_await(child, &signals, NULL);
	report(breaker, name, key, answer.ticket,
	       WIFEXITED(status) && is_ok[WEXITSTATUS(status)] ? WEIR_CALL_OK :
								 WEIR_CALL_FAILED);
	return child_end_as(status);
}

int breaker_run_run(const struct args *args)
{
	const char *name = args->operands[0];
	bool is_ok[STATUS_MAX + 1] = { false };
	char **command = args_command(args);
	struct weir_breaker *breaker;
	struct weir_key key;
	struct weir *weir;
	int status;

	statuses_take(args_option(args, "--ok"), is_ok);
	weir = client_open(0);
	breaker = breaker_open(weir, name, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	key_operands(&key, "breaker", name, weir_breaker_key_type(breaker),
		     args->before - 1, args->operands + 1);
	status = call(breaker, name, &key, command, is_ok);
	weir_breaker_close(breaker);
	weir_close(weir);
	return status;
}
