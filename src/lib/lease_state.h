/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules for a lease: its version, when it expires, and its owner.
 *
 * A new value is a new lease with a new version. It keeps the owner and the end of its predecessor,
 * or gets new ones. So a version identifies one value, and of two leases of a roster, of any keys,
 * the later one has the higher version.
 *
 * A pure algorithm (pure.h), except for the number from which versions are taken. An entry points
 * to one lease at a time; the pointer changes only under the entry's lock. The only member of a
 * lease that changes is @expires.
 */
#ifndef _WEIR_LEASE_STATE_H
#define _WEIR_LEASE_STATE_H

#include <linux/atomic.h>
#include <linux/compiler.h>

#include "lib/pure.h"

#define WEIR_LEASE_FOREVER	U64_MAX

struct weir_grant;

/**
 * struct weir_lease_state - version, time and owner of a lease
 *
 * I: set before the entry points to the lease, then constant. E: written under the entry's
 * lock, read under RCU with READ_ONCE().
 *
 * @version:	I
 * @expires:	E: ns since the table's epoch, or WEIR_LEASE_FOREVER
 * @grant: I: grant of the owner, NULL for a detached lease. Valid under the entry's lock while the
 *	roster is alive.
 * @client: I: client of the owner; only compared, never dereferenced
 * @tag: I: tag of the owner
 */
struct weir_lease_state {
	u64			version;
	u64			expires;
	struct weir_grant	*grant;
	const void		*client;
	u32			tag;
};

/* The time at which the lease expires. */
static inline u64 weir_lease_expires(const struct weir_lease_state *s)
{
	/* pairs with the WRITE_ONCE() in weir_lease_touch() */
	return READ_ONCE(s->expires);
}

/* Whether the lease has not expired at @now. */
static inline bool weir_lease_lasts(const struct weir_lease_state *s, u64 now)
{
	return weir_lease_expires(s) > now;
}

/* ns until a lease with this end expires; WEIR_NEVER: it does not expire. */
static inline u64 weir_lease_left(u64 expires, u64 now)
{
	if (expires == WEIR_LEASE_FOREVER)
		return WEIR_NEVER;
	return expires > now ? expires - now : 0;
}

/* The end of a lease that begins at @now. @ttl: ns, WEIR_NEVER, or 0: use @usual. */
static inline u64 weir_lease_until(u64 ttl, u64 usual, u64 now)
{
	ttl = ttl ? ttl : usual;
	return ttl == WEIR_NEVER ? WEIR_LEASE_FOREVER : now + ttl;
}

/* Whether a client and a tag are the owner. */
static inline bool weir_lease_is_of(const struct weir_lease_state *s, const void *client,
				    u32 tag)
{
	return s->client && s->client == client && s->tag == tag;
}

/* Whether an operation makes a lease if there is none. */
static inline bool weir_lease_makes(u32 opcode)
{
	return opcode == WEIR_OP_CLAIM || opcode == WEIR_OP_PUT;
}

/**
 * weir_lease_admit - check whether an operation is allowed on a key
 * @s: live lease of the key; NULL: there is none
 * @opcode: CLAIM, PUT, REPLACE, TOUCH or REMOVE
 * @n: @n of the operation
 * @client: client of the caller
 * @tag: tag of the caller
 *
 * Return: 0, -ENOENT, -EEXIST: another holder has the lease, or -ESTALE: the lease has another
 *	version.
 */
static inline int weir_lease_admit(const struct weir_lease_state *s, u32 opcode, u64 n,
				   const void *client, u32 tag)
{
	if (!s)
		return weir_lease_makes(opcode) ? 0 : -ENOENT;
	if (opcode == WEIR_OP_CLAIM)
		return -EEXIST;
	if (opcode != WEIR_OP_PUT && n)
		return s->version == n ? 0 : -ESTALE;
	/* the owner may change it; if it is detached, any holder may */
	return !s->client || weir_lease_is_of(s, client, tag) ? 0 : -EEXIST;
}

/* Begin a lease with the next version; the caller has set the owner, if it has one. */
static inline void weir_lease_begin(struct weir_lease_state *s, atomic64_t *versions,
				    u64 until)
{
	s->version = atomic64_inc_return(versions);
	s->expires = until;
}

/* Begin a lease that replaces @old: only the version differs. */
static inline void weir_lease_succeed(struct weir_lease_state *s, atomic64_t *versions,
				      const struct weir_lease_state *old)
{
	*s = *old;
	s->version = atomic64_inc_return(versions);
}

/* Set the end of the lease. Return: whether it is earlier than before. */
static inline bool weir_lease_touch(struct weir_lease_state *s, u64 until)
{
	u64 before = s->expires;

	/* pairs with the READ_ONCE() in weir_lease_expires() */
	WRITE_ONCE(s->expires, until);
	return until < before;
}

#endif /* _WEIR_LEASE_STATE_H */
