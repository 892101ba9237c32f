/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * model - what one key of a limiter answers if operations come one at a time
 *
 * The arithmetic is that of the module's own pure headers; what an operation does with it
 * is written down here once more, without locks. Times are ns of one clock that all
 * operations share. Only buckets whose interval is a whole number of ns, and that are
 * never full: then each answer tells the time at which it was made, to the ns.
 */
#ifndef _WEIR_SERIAL_MODEL_H
#define _WEIR_SERIAL_MODEL_H

#include "lib/rate.h"
#include "lib/score.h"

#define HISTORY_MAX	32	/* operations of one history */

/**
 * struct serial_policy - a limiter's configuration
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
 * struct serial_op - an operation that was performed, and its answer
 * @op: as it was submitted, and what came back. SET: @op.arg is the new burst.
 * @begin: clock before the call
 * @end: clock after it
 * @thread: that made it
 */
struct serial_op {
	struct weir_op op;
	u64 begin;
	u64 end;
	u32 thread;
};

/* SET has no opcode of its own. */
#define SERIAL_SET	0xffff

/**
 * struct serial_state - of a key
 * @word: of the bucket
 * @ban_until: end of the last ban
 * @bans: steps of the ladder
 * @score: strikes
 * @now: time of the last operation
 * @limit: burst
 * @nwaiting: RESERVEs that wait
 * @waiting: their indexes in the history, in order of arrival
 * @tokens: that they want
 */
struct serial_state {
	u64 word;
	u64 ban_until;
	u64 bans;
	struct weir_score score;
	u64 now;
	u64 limit;
	u64 nwaiting;
	u8 waiting[HISTORY_MAX];
	u64 tokens;
};

/* One operation at a time. False: it would not have been answered so at any time from @lo to @hi. */
bool serial_model_step(const struct serial_policy *p, struct serial_state *s,
		       const struct serial_op *o, u64 lo, u64 hi);

/* A RESERVE, number @index, joins the queue. False: it would have been served at once. */
bool serial_model_join(const struct serial_policy *p, struct serial_state *s,
		       const struct serial_op *o, u32 index, u64 lo);

/* A RESERVE that waits has its answer. @slack: as of struct serial_history. */
bool serial_model_serve(const struct serial_policy *p, struct serial_state *s,
			const struct serial_op *o, u32 index, u64 lo, u64 hi, u64 slack);

#endif /* _WEIR_SERIAL_MODEL_H */
