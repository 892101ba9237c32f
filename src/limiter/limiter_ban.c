// SPDX-License-Identifier: GPL-2.0-only
/* Strikes and bans of one key. All functions must hold the entry's lock. */

#include <linux/random.h>

#include "core/event.h"
#include "lib/jitter.h"
#include "limiter/limiter.h"

/* The strikes that count now. */
u32 weir_limiter_strikes(const struct weir_policy *p, const struct weir_entry *e,
			 u64 now)
{
	return weir_score_value(&p->score, e->score, now);
}

static void tell(const struct weir_limiter_call *call, u32 type, s64 value,
		 s64 more)
{
	weir_event_key(&call->l->obj, type, call->l->spec.type, call->key->data,
		       call->key->len, value, more);
}

/* Ban the key, or extend its ban, and reset the score. Must hold the entry's lock. */
void weir_limiter_ban(struct weir_limiter_call *call, struct weir_entry *e,
		      u64 length, u32 strikes)
{
	u64 until = call->now + length;

	weir_entry_set_score(e, (struct weir_score){});
	if (until <= e->ban_until)
		return;
	/* pairs with the READ_ONCE() in answer_unlocked() */
	WRITE_ONCE(e->ban_until, until);
	call->op->out_flags |= WEIR_OUT_BANNED_NOW;
	this_cpu_inc(call->l->totals->bans);
	tell(call, WEIR_EVENT_BANNED, length, strikes);
}

/* Steps of the ladder that are still remembered: none if the last ban ended too long ago. */
u32 weir_limiter_bans(const struct weir_policy *p, const struct weir_entry *e, u64 now)
{
	return now > e->ban_until && now - e->ban_until > p->config.forget_after ? 0 : e->bans;
}

/* The next ban of the ladder. */
static void ban_next(struct weir_limiter_call *call, struct weir_entry *e,
		     u32 strikes)
{
	const struct weir_limiter_config *config = &call->p->config;
	u32 bans = weir_limiter_bans(call->p, e, call->now);
	u64 length = config->ban[min(bans, config->nbans - 1)];

	WRITE_ONCE(e->bans, min_t(u32, bans + 1, U16_MAX));
	if (config->ban_jitter)
		length = weir_jitter_add(length, config->ban_jitter,
					 get_random_u64());
	weir_limiter_ban(call, e, length, strikes);
}

/*
 * Count strikes. The call that reaches the threshold bans the key. A banned key collects no
 * strikes: calls that were in flight when the ban began must not cause the next one. Must hold the
 * entry's lock.
 */
void weir_limiter_strike(struct weir_limiter_call *call, struct weir_entry *e,
			 u32 weight)
{
	struct weir_score score;
	u32 strikes;

	this_cpu_add(call->l->totals->strikes, weight);
	if (e->ban_until > call->now)
		return;
	score = weir_score_add(&call->p->score, e->score, call->now, weight);
	weir_entry_set_score(e, score);
	if (!call->p->strikes)
		return;
	strikes = weir_score_value(&call->p->score, score, call->now);
	if (strikes >= call->p->strikes)
		ban_next(call, e, strikes);
}

/* End a ban before its time. Return: 0, or -ENOENT. Must hold the entry's lock. */
int weir_limiter_lift(struct weir_limiter_call *call, struct weir_entry *e)
{
	u64 left;

	if (e->ban_until <= call->now)
		return -ENOENT;
	left = e->ban_until - call->now;
	/* not 0: the ladder is reset @forget_after the end of the ban */
	WRITE_ONCE(e->ban_until, call->now);
	weir_entry_set_score(e, (struct weir_score){});
	tell(call, WEIR_EVENT_LIFTED, left, 0);
	return 0;
}
