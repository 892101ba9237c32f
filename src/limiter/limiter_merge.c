// SPDX-License-Identifier: GPL-2.0-only
/* Merge two states of one key into the stricter of both, member by member. */

#include <linux/minmax.h>

#include "limiter/limiter.h"

/* Steps of the ladder that are still remembered. */
static u16 climbed(const struct weir_policy *p, const struct weir_entry *e, u64 now)
{
	if (now > e->ban_until && now - e->ban_until > p->forget_after)
		return 0;
	return e->bans;
}

/*
 * The score with more strikes. Two scores that fade at different times cannot be combined into
 * one, so the result begins to fade now; the strikes then never count for less time than in
 * either score.
 */
static struct weir_score score_merge(const struct weir_policy *p,
				     const struct weir_entry *a,
				     const struct weir_entry *b, u64 now)
{
	u32 strikes = weir_limiter_strikes(p, a, now);
	u32 others = weir_limiter_strikes(p, b, now);

	if (!others)
		return a->score;
	if (!strikes)
		return b->score;
	return weir_score_add(&p->score, (struct weir_score){}, now,
			      max(strikes, others));
}

/**
 * weir_limiter_merge - make a key's state as strict as another one
 * @p: the policy under which both were made
 * @e: the entry, locked
 * @word: its state
 * @other: the other state; private to the caller, need not be in a table
 * @other_word: its word
 * @now: ns since the table's epoch
 *
 * Afterwards @e refuses whatever one of the two would refuse: it has the later end of the ban,
 * the more strikes, the higher step of the ladder, and the fewer tokens. There is no event.
 *
 * Return: the new word of @e.
 */
u64 weir_limiter_merge(const struct weir_policy *p, struct weir_entry *e, u64 word,
		       const struct weir_entry *other, u64 other_word, u64 now)
{
	/* computed before the end of the ban is changed, which it depends on */
	u16 bans = max(climbed(p, e, now), climbed(p, other, now));

	weir_entry_set_score(e, score_merge(p, e, other, now));
	WRITE_ONCE(e->bans, bans);
	if (other->ban_until > e->ban_until)
		WRITE_ONCE(e->ban_until, other->ban_until);
	return weir_rate_stricter(&p->rate, word, other_word, now);
}
