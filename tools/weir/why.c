// SPDX-License-Identifier: GPL-2.0-only
/* weir limiter show NAME KEY: the answer that the next check of a key would get, and why */

#include <stdio.h>
#include <time.h>

#include "cli.h"

/* The reason for the verdict of a check. */
enum why {
	FITS,
	ALLOW_RULE,
	UNTRACKED,
	DENY_RULE,
	BAN,
	QUEUE,
	TOKENS,
	FULL,
	COST,
};

static const char *const why_names[] = {
	[FITS] = "fits",
	[ALLOW_RULE] = "allow-rule",
	[UNTRACKED] = "untracked",
	[DENY_RULE] = "deny-rule",
	[BAN] = "ban",
	[QUEUE] = "queue",
	[TOKENS] = "tokens",
	[FULL] = "full",
	[COST] = "cost",
};

/* One key, and everything that decides its next check. */
struct question {
	const char *name;
	struct weir_key key;
	uint64_t cost;
	struct weir_limiter_config config;
	struct weir_answer answer;
	enum why why;
};

static enum why why_of(const struct weir_answer *answer)
{
	unsigned int verdict = answer_unshadowed(answer);

	if (answer->flags & WEIR_OUT_RULE)
		return verdict == WEIR_ALLOWED ? ALLOW_RULE : DENY_RULE;
	switch (verdict) {
	case WEIR_ALLOWED:
		return answer->flags & WEIR_OUT_UNTRACKED ? UNTRACKED : FITS;
	case WEIR_BANNED:
		return BAN;
	case WEIR_FULL:
		return FULL;
	}
	if (answer->flags & WEIR_OUT_QUEUED)
		return QUEUE;
	return answer->retry_after == WEIR_NEVER ? COST : TOKENS;
}

/* Number of strikes that lead to a ban; 0 if the limiter never bans by strikes. */
static uint32_t strikes_to_ban(const struct question *q)
{
	uint32_t most = q->config.strikes, now = q->answer.strikes;

	/* strikes of an address with a rule are not counted */
	if (!most || q->answer.flags & WEIR_OUT_RULE)
		return 0;
	/* if the threshold was lowered below the present strikes, one more strike bans */
	return now < most ? most - now : 1;
}

/* Length of the next ban, unless the ladder is reset before. */
static uint64_t next_ban(const struct question *q)
{
	uint32_t last = q->config.nbans - 1;

	return q->config.ban[q->answer.bans < last ? q->answer.bans : last];
}

/* ---- JSON --------------------------------------------------------------------- */

static void print_json(const struct question *q)
{
	json_t *json = answer_json(q->name, &q->key, &q->answer);
	uint32_t strikes = strikes_to_ban(q);

	json_add(json, "cost", json_u64(q->cost));
	json_add(json, "reason", json_string(why_names[q->why]));
	json_add(json, "would_be",
		 json_string(weir_verdict_name((int)answer_unshadowed(&q->answer))));
	json_add(json, "strikes_to_ban",
		 strikes ? json_integer(strikes) : json_null());
	json_add(json, "next_ban_ns",
		 strikes ? json_u64(next_ban(q)) : json_null());
	json_print(json);
}

/* ---- text --------------------------------------------------------------------- */

static void print_ban_end(uint64_t left)
{
	struct timespec now;
	struct tm tm;
	char text[64];
	time_t end;

	clock_gettime(CLOCK_REALTIME, &now);
	/* rounded up, as durations are */
	end = now.tv_sec + (time_t)((left + (uint64_t)now.tv_nsec + 999999999) /
				    1000000000);
	localtime_r(&end, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("it is banned until %s", text);
}

static void print_why(const struct question *q)
{
	unsigned long long cost = q->cost, keys = q->config.max_keys;

	printf("why        %s", q->answer.flags & WEIR_OUT_SHADOW ?
	       "shadow mode allows all; but " : "");
	switch (q->why) {
	case FITS:
		printf("its cost of %llu fits", cost);
		break;
	case ALLOW_RULE:
		printf("a rule allows its address");
		break;
	case DENY_RULE:
		printf("a rule denies its address");
		break;
	case BAN:
		print_ban_end(q->answer.banned_for);
		break;
	case QUEUE:
		printf("others wait for its tokens, and come first");
		break;
	case TOKENS:
		printf("it costs %llu, and %llu of %llu tokens are left", cost,
		       (unsigned long long)q->answer.remaining,
		       (unsigned long long)q->answer.limit);
		break;
	case FULL:
	case UNTRACKED:
		printf("it is a new key, and all are in use: max-keys is %llu",
		       keys);
		break;
	case COST:
		printf("it costs %llu, and the limit is %llu", cost,
		       (unsigned long long)q->answer.limit);
		break;
	}
	putchar('\n');
}

/* Print the tokens that are left, the time until enough come back, and the time until all have. */
static void print_tokens(const struct question *q)
{
	const struct weir_answer *answer = &q->answer;
	bool later = q->why == TOKENS ||
		     (q->why == BAN && answer->retry_after > answer->banned_for);
	char text[HUMANE_MAX];

	if (q->why == QUEUE) {
		printf("queue      its turn comes in %s\n",
		       humane(answer->retry_after, text));
		return;
	}
	/* a key that is decided without its entry, or has no entry, has no tokens to show */
	if (q->why == ALLOW_RULE || q->why == DENY_RULE || q->why == FULL ||
	    q->why == UNTRACKED)
		return;
	printf("tokens     %llu of %llu left",
	       (unsigned long long)answer->remaining,
	       (unsigned long long)answer->limit);
	if (later)
		printf(", %llu in %s", (unsigned long long)q->cost,
		       humane(answer->retry_after, text));
	if (answer->reset_after)
		printf(", all in %s", humane(answer->reset_after, text));
	putchar('\n');
}

static void print_strikes(const struct question *q)
{
	uint32_t more = strikes_to_ban(q);

	printf("strikes    %u of %u", q->answer.strikes, q->config.strikes);
	if (q->why == BAN)
		printf("; they count again after the ban, and %u make%s the next one\n",
		       more, more == 1 ? "s" : "");
	else
		printf(", %u more make%s a ban\n", more, more == 1 ? "s" : "");
}

static void print_ladder(const struct question *q)
{
	uint32_t bans = q->answer.bans, steps = q->config.nbans;
	char next[WEIR_TEXT_MAX], first[WEIR_TEXT_MAX], forget[WEIR_TEXT_MAX];

	weir_format_duration(next_ban(q), next, sizeof(next));
	if (!bans) {
		printf("ladder     no ban by strikes so far; the next lasts %s\n",
		       next);
		return;
	}
	printf("ladder     step %u of %u, after %u ban%s by strikes; the next lasts %s",
	       bans < steps ? bans : steps, steps, bans, bans == 1 ? "" : "s",
	       next);
	weir_format_duration(q->config.ban[0], first, sizeof(first));
	weir_format_duration(q->config.forget_after, forget, sizeof(forget));
	if (next_ban(q) != q->config.ban[0])
		printf(", or %s if more than %s after the last", first, forget);
	putchar('\n');
}

static void print_text(const struct question *q)
{
	answer_print(&q->answer, false);
	print_why(q);
	print_tokens(q);
	if (!strikes_to_ban(q))
		return;
	print_strikes(q);
	print_ladder(q);
}

void why_run(const struct args *args, struct weir_limiter *limiter)
{
	struct question q = {
		.name = args->operands[0],
		.cost = option_u64(args, "--cost", 1, TOKENS_MAX, 1),
		.config.size = sizeof(q.config),
	};

	key_only(args, limiter, &q.key);
	if (weir_limiter_get_config(limiter, &q.config) < 0)
		die_object("limiter", q.name);
	if (weir_limiter_peek(limiter, &q.key, q.cost, &q.answer) < 0)
		die_key(q.name, &q.key);
	q.why = why_of(&q.answer);
	if (args->json)
		print_json(&q);
	else
		print_text(&q);
}
