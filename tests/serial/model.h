/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * model - what the keys of limiters answer if operations come one at a time
 *
 * The arithmetic is that of the module's own pure headers; what an operation does with it
 * is written down here once more, without locks. All operations share one clock, in ns.
 *
 * An answer must tell the time at which it was made, to the ns, by its reset_after. So a
 * bucket's interval is a whole number of ns, and no bucket is ever full; windows tell the time
 * but for whole periods. Only a fixed window with nothing spent does not tell it: a key that
 * has one gets no BAN, whose end would be unknown.
 */
#ifndef _WEIR_SERIAL_MODEL_H
#define _WEIR_SERIAL_MODEL_H

#include "lib/rate.h"
#include "lib/score.h"

#define HISTORY_MAX	32	/* operations of one history */
#define KEYS_MAX	4
#define LIMITERS_MAX	2
#define TIMES_MAX	4	/* times that one answer may tell */

/* SET has no opcode of its own. */
#define SERIAL_SET	0xffff

/**
 * struct serial_policy - a configuration
 * @rate: prepared
 * @score: how strikes fade
 * @strikes: that make a ban, 0: never
 * @nbans: steps of @ban
 * @ban: ns
 * @forget_after: ns
 */
struct serial_policy {
	struct weir_rate rate;
	struct weir_score_config score;
	u32 strikes;
	u32 nbans;
	u64 ban[2];
	u64 forget_after;
};

/**
 * struct serial_limiter - a limiter
 * @policies: those that a SET chooses from
 * @epoch: when its windows begin
 */
struct serial_limiter {
	struct serial_policy policies[2];
	u64 epoch;
};

/**
 * struct serial_config - all that does not change during a history
 * @limiters: at least one
 * @limiter_of: a limiter's index for each key
 */
struct serial_config {
	struct serial_limiter limiters[LIMITERS_MAX];
	u8 limiter_of[KEYS_MAX];
};

/**
 * struct serial_op - an operation that was performed, and its answer
 * @items: as they were submitted, and what came back; of a transaction one for each key
 * @keys: the key of each
 * @nitems: number of @items
 * @transaction: WEIR_SUBMIT_ALL
 * @thread: that made it
 * @after: index of the one before it in its batch, or -1
 * @begin: clock before the call
 * @end: clock after it
 *
 * SET: @n of the only item is the limiter's index, @arg the policy's.
 */
struct serial_op {
	struct weir_op items[KEYS_MAX];
	u8 keys[KEYS_MAX];
	u8 nitems;
	bool transaction;
	u8 thread;
	__s8 after;
	u64 begin;
	u64 end;
};

/**
 * struct serial_key - state of a key
 * @word: of its rate
 * @ban_until: end of the last ban
 * @bans: steps of the ladder
 * @score: strikes
 * @nwaiting: RESERVEs that wait
 * @tokens: that they want
 * @waiting: their indexes in the history, in order of arrival
 */
struct serial_key {
	u64 word;
	u64 ban_until;
	u64 bans;
	struct weir_score score;
	u64 nwaiting;
	u64 tokens;
	u8 waiting[HISTORY_MAX];
};

/**
 * struct serial_state - of all
 * @now: time of the last operation
 * @policy: index of the policy in force, for each limiter
 * @keys: the keys
 */
struct serial_state {
	u64 now;
	u64 policy[LIMITERS_MAX];
	struct serial_key keys[KEYS_MAX];
};

/*
 * The times from @lo to @hi at which it may have been answered so, in ascending order. If the
 * answer does not tell, the first time restricts those that follow least. Return: number.
 */
u32 serial_model_times(const struct serial_config *c, const struct serial_state *s,
		       const struct serial_op *o, u64 lo, u64 hi, u64 times[TIMES_MAX]);

/*
 * One operation at a time, at @s->now. False: it would not have been answered so. @slack: of
 * struct serial_history.
 */
bool serial_model_step(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u64 slack);

/* A RESERVE, number @index, joins the queue. False: it would have been served at once. */
bool serial_model_join(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u32 index);

/* A RESERVE that waits has its answer. */
bool serial_model_serve(const struct serial_config *c, struct serial_state *s,
			const struct serial_op *o, u32 index, u64 slack);

#endif /* _WEIR_SERIAL_MODEL_H */
