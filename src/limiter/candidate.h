/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Candidates: another limiter that is asked what the live one is asked, to see what it
 * would say. See WEIR_SET_CANDIDATE in uapi/linux/weir.h for what is done to it.
 *
 * The link is in the live one's policy, and so is changed with it, under RCU. It holds
 * the candidate's header, as a handle does: not its storage. Whoever follows it does so
 * in an RCU read side, and only if the candidate is alive; who must sleep for it counts
 * himself in obj.live meanwhile. So two limiters may be each other's candidates and
 * both go when they are deleted; and a mirrored operation is never mirrored again.
 */
#ifndef _WEIR_CANDIDATE_H
#define _WEIR_CANDIDATE_H

#include "limiter/limiter.h"

struct weir_limiter *weir_candidate_get(const struct weir_client *c,
					const struct weir_limiter_config *config,
					const struct weir_limiter *live, u32 key_type);
void weir_candidate_put(struct weir_limiter *candidate);
void weir_candidate_tell(const struct weir_policy *p,
			 struct weir_limiter_config *config);
struct weir_limiter *weir_candidate_op(const struct weir_policy *p,
				       struct weir_op *op,
				       const struct weir_key *key, int err);
void weir_candidate_op_slow(struct weir_limiter *candidate, struct weir_op *op,
			    const struct weir_key *key, gfp_t gfp);

/* Whether what is done to a limiter is done to its candidate as well. */
static inline bool weir_candidate_mirrors(u32 opcode)
{
	switch (opcode) {
	case WEIR_OP_CHECK:
	case WEIR_OP_RESERVE:
	case WEIR_OP_REFUND:
	case WEIR_OP_STRIKE:
	case WEIR_OP_FORGIVE:
		return true;
	default:
		return false;
	}
}

#endif /* _WEIR_CANDIDATE_H */
