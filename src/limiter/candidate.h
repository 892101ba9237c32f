/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Candidates: a second limiter that sees the operations of the live one, to compare their
 * decisions. See WEIR_SET_CANDIDATE in uapi/linux/weir.h for the operations that are mirrored.
 *
 * The link is in the live limiter's policy, so it changes with it, under RCU. It holds the
 * candidate's header, as a handle does, but not its storage. It may be followed only in an RCU read
 * side. A mirrored operation holds the storage by obj.live. So two limiters can be each other's
 * candidates, and both are freed when they are deleted. A mirrored operation is never mirrored
 * again.
 */
#ifndef _WEIR_CANDIDATE_H
#define _WEIR_CANDIDATE_H

#include "limiter/limiter.h"

struct weir_limiter *weir_candidate_get(const struct weir_client *c,
					const struct weir_limiter_config *config,
					const struct weir_limiter *live, u32 key_type);
void weir_candidate_put(struct weir_limiter *candidate);
struct weir_limiter *weir_candidate_hold(const struct weir_policy *p, u32 opcode, int err);
void weir_candidate_op(struct weir_limiter *candidate, struct weir_op *op,
		       const struct weir_key *key, gfp_t gfp);
int weir_candidate_mirror(struct weir_limiter *l, struct weir_op *op,
			  const struct weir_key *key, gfp_t gfp, int err);

/* Whether an operation of a limiter is mirrored to its candidate. */
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
