// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter check, peek, refund, strike, forgive, forget: one key of a limiter */

#include <errno.h>
#include <stdio.h>

#include "cli.h"

#define USE (WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE)
#define ADMIN (WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN)

static int check_or_peek(const struct args *args, bool peek)
{
	uint64_t cost = option_u64(args, "--cost", 1, TOKENS_MAX, 1);
	const char *name = args->operands[0];
	struct weir *weir = client_open(peek ? WEIR_OPEN_READONLY : 0);
	struct weir_limiter *limiter = limiter_open(weir, name,
					peek ? WEIR_RIGHT_OBSERVE : USE);
	struct weir_key key;
	int status;

	key_only(args, limiter, &key);
	status = check_run(args, limiter, name, &key, cost, peek);
	weir_limiter_close(limiter);
	weir_close(weir);
	return status;
}

int limiter_check_run(const struct args *args)
{
	return check_or_peek(args, false);
}

int limiter_peek_run(const struct args *args)
{
	return check_or_peek(args, true);
}

static void answer_show(const struct args *args, const struct weir_key *key,
			const struct weir_answer *answer)
{
	if (args->json)
		json_print(answer_json(args->operands[0], key, answer));
	else
		answer_print(answer, true);
}

int limiter_refund_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name, USE);
	struct weir_answer answer;
	struct weir_key key;
	uint64_t tokens;
	int used = 1;

	used += key_take(limiter, args->count - 2, args->operands + 1, &key);
	if (args->count != used + 1)
		die_usage(args, "limiter refund: the limiter has no keys; expected NAME N");
	tokens = arg_u64("N", args->operands[used], 1, TOKENS_MAX);
	if (weir_limiter_refund(limiter, &key, tokens, &answer) < 0)
		die_key(name, &key);
	answer_show(args, &key, &answer);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}

int limiter_strike_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name, USE);
	struct weir_answer answer;
	struct weir_key key;
	uint64_t weight = 1;
	int used = 1;

	used += key_take(limiter, args->count - 1, args->operands + 1, &key);
	if (args->count > used)
		weight = arg_u64("N", args->operands[used++], 1, 1 << 20);
	if (args->count > used)
		die_usage(args, "limiter strike: the limiter has no keys; expected NAME [N]");
	if (weir_limiter_strike(limiter, &key, weight, &answer) < 0)
		die_key(name, &key);
	answer_show(args, &key, &answer);
	weir_limiter_close(limiter);
	weir_close(weir);
	return EXIT_YES;
}

/* If the key has no entry or no ban, there is nothing to do, and the exit status says so. */
static int entry_run(const struct args *args, unsigned int rights,
		     int (*change)(struct weir_limiter *limiter, const struct weir_key *key))
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_limiter *limiter = limiter_open(weir, name, rights);
	struct weir_key key;
	int status = EXIT_YES;

	key_only(args, limiter, &key);
	if (change(limiter, &key) < 0) {
		if (errno != ENOENT)
			die_key(name, &key);
		say_absent(name, &key, "no such entry");
		status = EXIT_NO;
	}
	weir_limiter_close(limiter);
	weir_close(weir);
	return status;
}

static int forgive(struct weir_limiter *limiter, const struct weir_key *key)
{
	return weir_limiter_forgive(limiter, key, NULL);
}

int limiter_forgive_run(const struct args *args)
{
	return entry_run(args, USE, forgive);
}

int limiter_forget_run(const struct args *args)
{
	return entry_run(args, ADMIN, weir_limiter_forget);
}

int limiter_keys_run(const struct args *args)
{
	return keys_list(args, args->operands[0],
			 !!args_option(args, "--banned"),
			 args_option(args, "--prefix"),
			 option_u64(args, "--top", 1, 100000, 0));
}
