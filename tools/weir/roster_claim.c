// SPDX-License-Identifier: GPL-2.0-only
/* weir roster claim: make a lease, and run a command while the lease lasts */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "cli.h"

#define RENEWALS	3		/* renewals in one TTL */
#define AT_ONCE		1000000		/* ns; the shortest time between renewals */

/**
 * struct held - the lease, while the command runs
 * @q: the roster and the key
 * @ttl: as given on the command line
 * @version: the last version known
 * @on_loss: signal that the command gets when the lease is lost; 0: none
 * @child: the command; 0: not running
 * @lost: the lease is lost, and this was reported
 */
struct held {
	const struct lease_question *q;
	uint64_t ttl;
	uint64_t version;
	int on_loss;
	pid_t child;
	bool lost;
};

/* A signal by name, with or without SIG. Return: 0 for "ignore". */
static int on_loss_take(const struct args *args)
{
	const char *text = args_option(args, "--on-loss"), *name = text, *known;
	int number;

	if (!text)
		return SIGTERM;
	if (!strcmp(text, "ignore"))
		return 0;
	if (!strncmp(name, "SIG", 3))
		name += 3;
	for (number = 1; number < NSIG; number++) {
		known = sigabbrev_np(number);
		if (known && !strcmp(known, name))
			return number;
	}
	die("--on-loss '%s': must be ignore, or a signal such as TERM or KILL",
	    printable(text));
}

/* Report once that the lease is lost, with the reason from errno, and signal the command. */
static void say_lost(struct held *held, const struct weir_roster_answer *answer)
{
	char whose[WHOSE_MAX], text[WHOSE_MAX + 32];

	held->lost = true;
	if (errno == ENOENT)
		snprintf(text, sizeof(text), "the lease is lost: it was removed, or expired");
	else if (errno == ESTALE)
		snprintf(text, sizeof(text), "the lease is lost: %s",
			 lease_whose(answer, whose));
	else
		snprintf(text, sizeof(text), "the lease is lost: %s", reason(errno));
	say_key("roster", held->q->name, &held->q->key, text);
	if (held->child && held->on_loss)
		kill(held->child, held->on_loss);
}

/*
 * Touch or remove the lease by its version. Without the version, the lease of another process, made
 * after this one was lost, could be taken for this one. If a process (the command, for example) has
 * set a new value, the lease has a new version; then try again with that version.
 */
static bool held_do(struct held *held, bool end, struct weir_roster_answer *answer)
{
	const struct lease_question *q = held->q;
	int ret;

	if (held->lost)
		return false;
	do {
		ret = end ? weir_roster_remove(q->roster, &q->key, held->version, answer) :
			    weir_roster_touch(q->roster, &q->key, held->version,
					      held->ttl, answer);
		if (ret == 0)
			return true;
		held->version = answer->version;
	} while (errno == ESTALE && answer->mine);
	say_lost(held, answer);
	return false;
}

/* Time in ns after which a lease with @left ns must be renewed; 0: never. */
static uint64_t renew_after(uint64_t left)
{
	if (left == WEIR_NEVER)
		return 0;
	return left / RENEWALS > AT_ONCE ? left / RENEWALS : AT_ONCE;
}

/* &child_chore.run */
static uint64_t renew(void *arg)
{
	struct weir_roster_answer answer = { 0 };

	return held_do(arg, false, &answer) ? renew_after(answer.left) : 0;
}

/*
 * Run the command while the lease is held. Return: the exit status; if a signal ended the command,
 * this process ends itself by the same signal. A lost lease has its own status, because the command
 * may have run without the lease.
 */
static int held_run(struct held *held, char **command, uint64_t left,
		    const struct child_signals *signals)
{
	struct child_chore chore = {
		.after = renew_after(left), .run = renew, .arg = held,
	};
	struct weir_roster_answer answer = { 0 };
	char version[24];
	int status;
	pid_t child;

	snprintf(version, sizeof(version), "%llu", (unsigned long long)held->version);
	if (setenv("WEIR_LEASE_VERSION", version, 1))
		die("out of memory");
	child = child_start(command, signals, held->on_loss);
	if (child < 0) {
		status = say_cannot_run(command[0], errno);
		held_do(held, true, &answer);
		return status;
	}
	held->child = child;
	status = child_await(child, signals, &chore);
	held->child = 0;
	held_do(held, true, &answer);
	return held->lost && held->on_loss ? EXIT_LOST : child_end_as(status);
}

static int claim_and_run(struct lease_question *q, char **command)
{
	struct held held = {
		.q = q, .ttl = roster_ttl(q->args), .on_loss = on_loss_take(q->args),
	};
	struct weir_roster_answer answer;
	struct child_signals signals;
	struct lease_value value;

	lease_value_take(&value, q->value);
	child_signals_hold(&signals);
	if (weir_roster_claim(q->roster, &q->key, value.bytes, value.length, held.ttl, 0,
			      &answer) < 0)
		return lease_say(q, &answer);
	held.version = answer.version;
	return held_run(&held, command, answer.left, &signals);
}

int roster_claim_run(const struct args *args)
{
	struct lease_question q;
	int status;

	if (args->parted && args->before == args->count)
		die_usage(args, "roster claim: a command is missing behind --");
	if (args->before < 1)
		die_usage(args, "roster claim: NAME is missing before --");
	if (args->parted && args->json)
		die_usage(args, "roster claim: --json is for a claim without a command");
	if (!args->parted && args_option(args, "--on-loss"))
		die_usage(args, "roster claim: --on-loss is for a claim with a command");
	/* check the command line before anything is opened */
	roster_ttl(args);
	on_loss_take(args);
	lease_ask(&q, args, args->before, 0, WEIR_RIGHT_USE);
	if (!args->parted)
		return lease_claim_detached(&q);
	/* the operands are the end of argv, and argv ends with NULL */
	status = claim_and_run(&q, args->operands + args->before);
	weir_roster_close(q.roster);
	weir_close(q.weir);
	return status;
}
