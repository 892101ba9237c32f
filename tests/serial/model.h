/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * model - the answers of limiters if operations are made one at a time
 *
 * The arithmetic is in the pure headers of the module. The operations are implemented again here,
 * without locks. All operations share one clock, in ns.
 *
 * The reset_after of an answer must show the time at which it was made, to the ns. So a bucket's
 * interval is a whole number of ns, and no bucket is ever full. A window shows the time except for
 * whole periods. Only a fixed window in which nothing is spent does not show the time; a key with
 * one gets no BAN, because its end would be unknown.
 */
#ifndef _WEIR_SERIAL_MODEL_H
#define _WEIR_SERIAL_MODEL_H

#include "lib/rate.h"
#include "lib/score.h"

#define HISTORY_MAX	32	/* operations of one history */
#define KEYS_MAX	4
#define LIMITERS_MAX	2
#define TIMES_MAX	4	/* number of times that one answer may be consistent with */

/* SET has no opcode */
#define SERIAL_SET	0xffff

/**
 * struct serial_policy - a configuration
 * @rate: prepared rate
 * @score: how strikes fade
 * @strikes: strikes that cause a ban, 0: never
 * @nbans: steps of @ban
 * @ban: length of each ban, ns
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
 * @policies: the configurations from which a SET chooses
 * @epoch: time at which its windows begin
 */
struct serial_limiter {
	struct serial_policy policies[2];
	u64 epoch;
};

/**
 * struct serial_config - everything that does not change during a history
 * @limiters: at least one
 * @limiter_of: index of the limiter of each key
 */
struct serial_config {
	struct serial_limiter limiters[LIMITERS_MAX];
	u8 limiter_of[KEYS_MAX];
};

/**
 * struct serial_op - an operation that was performed, and its answer
 * @items: the ops with their answers; of a transaction one for each key
 * @keys: the key of each item
 * @nitems: number of @items
 * @transaction: WEIR_SUBMIT_ALL
 * @thread: the thread that made it
 * @after: index of the previous operation in its batch, or -1
 * @begin: clock reading before the call
 * @end: clock reading after it
 *
 * SET: @n of the only item is the index of the limiter, @arg that of the policy.
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
 * @word: word of its rate
 * @ban_until: end of the last ban
 * @bans: steps of the ladder
 * @score: strikes
 * @nwaiting: RESERVEs that wait
 * @tokens: tokens that they want in total
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
 * struct serial_state - state of all keys
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
 * The times from @lo to @hi at which the operation may have had its answer, in ascending order. If
 * the answer does not show the time, the first one restricts later operations least. Return: their
 * number.
 */
u32 serial_model_times(const struct serial_config *c, const struct serial_state *s,
		       const struct serial_op *o, u64 lo, u64 hi, u64 times[TIMES_MAX]);

/*
 * Perform one operation at @s->now. Return: false if it would have another answer. @slack: see
 * struct serial_history.
 */
bool serial_model_step(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u64 slack);

/* The RESERVE @index joins the queue. Return: false if it would have been served at once. */
bool serial_model_join(const struct serial_config *c, struct serial_state *s,
		       const struct serial_op *o, u32 index);

/* A RESERVE that waits is answered. */
bool serial_model_serve(const struct serial_config *c, struct serial_state *s,
			const struct serial_op *o, u32 index, u64 slack);

#endif /* _WEIR_SERIAL_MODEL_H */
