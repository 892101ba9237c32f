// SPDX-License-Identifier: GPL-2.0-only
/* Keys, and answers of limiters: code shared by several commands. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct weir_limiter *limiter_open(struct weir *weir, const char *name,
				  unsigned int rights)
{
	struct weir_limiter *limiter;

	arg_object("limiter", name);
	limiter = weir_limiter_open(weir, name, rights);
	if (!limiter)
		die_open("limiter", name, rights);
	return limiter;
}

void key_parse(struct weir_key *key, int type, const char *text)
{
	if (weir_key_parse(key, (enum weir_key_type)type, text) == 0)
		return;
	switch (type) {
	case WEIR_KEY_U64:
		die("key '%s': not a number from 0 to 2^64-1",
		    printable(text));
	case WEIR_KEY_IP:
		if (strchr(text, '/'))
			die("key '%s': not a single address; for blocks see 'weir limiter deny'",
			    printable(text));
		die("key '%s': not an IPv4 or IPv6 address", printable(text));
	default:
		die("key '%s': must have 1 to %d bytes", printable(text),
		    WEIR_KEY_MAX);
	}
}

int key_take(struct weir_limiter *limiter, int count, char **operands,
	     struct weir_key *key)
{
	int type = weir_limiter_key_type(limiter);

	if (type == WEIR_KEY_NONE) {
		weir_key_none(key);
		return 0;
	}
	if (!count)
		die("a key is missing: the limiter has keys of type %s",
		    weir_key_type_name(type));
	key_parse(key, type, operands[0]);
	return 1;
}

void key_only(const struct args *args, struct weir_limiter *limiter,
	      struct weir_key *key)
{
	int used = 1 + key_take(limiter, args->count - 1, args->operands + 1,
				key);

	if (args->count > used)
		die("key '%s': the limiter has no keys",
		    printable(args->operands[used]));
}

void key_operands(struct weir_key *key, const char *kind, const char *name, int type,
		  int count, char **operands)
{
	weir_key_none(key);
	if (type == WEIR_KEY_NONE && count)
		die("%s '%s': has no keys, but '%s' is given", kind, name,
		    printable(operands[0]));
	if (type == WEIR_KEY_NONE)
		return;
	if (!count)
		die("%s '%s': a key is missing: it has keys of type %s", kind, name,
		    weir_key_type_name(type));
	if (count > 1)
		die("%s '%s': more than one key, from '%s' on", kind, name,
		    printable(operands[1]));
	key_parse(key, type, operands[0]);
}

json_t *answer_json(const char *name, const struct weir_key *key,
		    const struct weir_answer *answer)
{
	const char *verdict = weir_verdict_name((int)answer->verdict);
	json_t *json = json_object();

	json_add(json, "name", json_string(name));
	json_add_key(json, key);
	json_add(json, "verdict", verdict ? json_string(verdict) :
		 json_null());
	json_add(json, "limit", json_u64(answer->limit));
	json_add(json, "remaining", json_u64(answer->remaining));
	json_add(json, "retry_after_ns", json_u64(answer->retry_after));
	json_add(json, "reset_after_ns", json_u64(answer->reset_after));
	json_add(json, "banned_for_ns", json_u64(answer->banned_for));
	json_add(json, "strikes", json_integer(answer->strikes));
	json_add(json, "bans", json_integer(answer->bans));
	json_add(json, "banned_now",
		 json_boolean(answer->flags & WEIR_OUT_BANNED_NOW));
	json_add(json, "untracked",
		 json_boolean(answer->flags & WEIR_OUT_UNTRACKED));
	json_add(json, "rule", json_boolean(answer->flags & WEIR_OUT_RULE));
	json_add(json, "shadow", json_boolean(answer->flags & WEIR_OUT_SHADOW));
	json_add(json, "queued", json_boolean(answer->flags & WEIR_OUT_QUEUED));
	json_add(json, "candidate_differs",
		 json_boolean(answer->flags & WEIR_OUT_CANDIDATE));
	return json;
}

unsigned int answer_unshadowed(const struct weir_answer *answer)
{
	if (!(answer->flags & WEIR_OUT_SHADOW))
		return answer->verdict;
	if (answer->banned_for)
		return WEIR_BANNED;
	/* a new key without room has no tokens, and none come back */
	if (answer->retry_after == WEIR_NEVER && !answer->remaining &&
	    !answer->reset_after && !(answer->flags & WEIR_OUT_QUEUED))
		return WEIR_FULL;
	return WEIR_LIMITED;
}

static void print_verdict(const struct weir_answer *answer)
{
	bool banned = answer->verdict == WEIR_BANNED;
	char duration[HUMANE_MAX];

	if (answer->flags & WEIR_OUT_RULE) {
		printf("%s%s%s%s", colour(banned ? RED : GREEN),
		       banned ? "banned" : "allowed", colour(PLAIN),
		       answer->flags & WEIR_OUT_SHADOW ? "" : ", by a rule");
		return;
	}
	switch (answer->verdict) {
	case WEIR_ALLOWED:
		printf("%sallowed%s, ", colour(GREEN), colour(PLAIN));
		if (answer->flags & WEIR_OUT_UNTRACKED)
			printf("not tracked: all keys are in use");
		else
			printf("%llu of %llu left",
			       (unsigned long long)answer->remaining,
			       (unsigned long long)answer->limit);
		break;
	case WEIR_LIMITED:
		printf("%slimited%s, ", colour(YELLOW), colour(PLAIN));
		if (answer->retry_after == WEIR_NEVER)
			printf("and always: the limit is %llu",
			       (unsigned long long)answer->limit);
		else
			printf("try again in %s",
			       humane(answer->retry_after, duration));
		break;
	case WEIR_BANNED:
		printf("%sbanned%s for %s", colour(RED), colour(PLAIN),
		       humane(answer->banned_for, duration));
		break;
	case WEIR_FULL:
		printf("%sfull%s, all keys are in use", colour(RED),
		       colour(PLAIN));
		break;
	default:
		printf("%llu of %llu left",
		       (unsigned long long)answer->remaining,
		       (unsigned long long)answer->limit);
	}
}

void answer_print(const struct weir_answer *answer, bool by_this)
{
	print_verdict(answer);
	if (by_this && (answer->flags & WEIR_OUT_BANNED_NOW))
		printf(", from now on");
	if (answer->flags & WEIR_OUT_SHADOW)
		printf("; in shadow mode, else %s%s",
		       weir_verdict_name((int)answer_unshadowed(answer)),
		       answer->flags & WEIR_OUT_RULE ? " by a rule" : "");
	if (answer->flags & WEIR_OUT_CANDIDATE)
		printf("; the candidate would have %s",
		       answer_unshadowed(answer) == WEIR_ALLOWED ? "refused" :
								   "allowed it");
	if (answer->strikes)
		printf(", %u strike%s", answer->strikes,
		       answer->strikes == 1 ? "" : "s");
	putchar('\n');
}

void cost_check(const char *name, const struct weir_answer *answer, uint64_t cost)
{
	if (answer->verdict == WEIR_LIMITED && cost > answer->limit)
		die("limiter '%s': --cost %llu is never allowed: the limit is %llu", name,
		    (unsigned long long)cost, (unsigned long long)answer->limit);
}

int check_run(const struct args *args, struct weir_limiter *limiter,
	      const char *name, const struct weir_key *key, uint64_t cost,
	      bool peek)
{
	const char *wait = peek ? NULL : args_option(args, "--wait");
	struct weir_answer answer;
	int verdict;

	if (wait)
		verdict = weir_limiter_wait(limiter, key, cost,
					    arg_duration("--wait", wait, 0, YEAR),
					    &answer);
	else if (peek)
		verdict = weir_limiter_peek(limiter, key, cost, &answer);
	else
		verdict = weir_limiter_check(limiter, key, cost, &answer);
	if (verdict < 0)
		die_key(name, key);
	if (args->json)
		json_print(answer_json(name, key, &answer));
	cost_check(name, &answer, cost);
	if (!args->json)
		answer_print(&answer, true);
	return verdict == WEIR_ALLOWED ? EXIT_YES : EXIT_NO;
}
