/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What decides about a lease: its version, until when it lasts, and whose it is.
 *
 * A new value is a new lease with a new version, and its predecessor's owner and time or
 * ones of its own. So who names a version names one value, and of two of a roster, of
 * whatever keys, the later one has the greater version.
 *
 * A pure algorithm (pure.h), but for the number that versions are counted by. An entry
 * leads to one lease at a time, and whoever changes that has it locked: so a term is
 * constant but for @expires.
 */
#ifndef _WEIR_TERM_H
#define _WEIR_TERM_H

#include <linux/atomic.h>
#include <linux/compiler.h>

#include "lib/pure.h"

#define WEIR_TERM_FOREVER	U64_MAX

struct weir_grant;

/**
 * struct weir_term - of a lease
 *
 * I: set before the entry leads to it, then constant. E: written under the entry's lock,
 * read under RCU with READ_ONCE().
 *
 * @version:	I
 * @expires:	E: ns since the table's epoch, or WEIR_TERM_FOREVER
 * @grant:	I: the owner's, NULL of a detached one. Good under the entry's lock while the
 *		roster is alive.
 * @client:	I: the owner's, to be compared and never followed
 * @tag:	I: the owner's
 */
struct weir_term {
	u64			version;
	u64			expires;
	struct weir_grant	*grant;
	const void		*client;
	u32			tag;
};

/* When it runs out. */
static inline u64 weir_term_expires(const struct weir_term *t)
{
	/* pairs with the WRITE_ONCE() in weir_term_touch() */
	return READ_ONCE(t->expires);
}

/* Whether it has not run out at @now. */
static inline bool weir_term_lasts(const struct weir_term *t, u64 now)
{
	return weir_term_expires(t) > now;
}

/* How long one lasts still that runs out then; WEIR_NEVER: until it is given up. */
static inline u64 weir_term_left(u64 expires, u64 now)
{
	if (expires == WEIR_TERM_FOREVER)
		return WEIR_NEVER;
	return expires > now ? expires - now : 0;
}

/* When one ends that begins at @now. @ttl: ns, WEIR_NEVER, or 0: as @usual. */
static inline u64 weir_term_until(u64 ttl, u64 usual, u64 now)
{
	ttl = ttl ? ttl : usual;
	return ttl == WEIR_NEVER ? WEIR_TERM_FOREVER : now + ttl;
}

/* Whether a client and a tag are the owner. */
static inline bool weir_term_is_of(const struct weir_term *t, const void *client,
				   u32 tag)
{
	return t->client && t->client == client && t->tag == tag;
}

/* Whether they may do with it what only its owner may. */
static inline bool weir_term_is_open_to(const struct weir_term *t, const void *client,
					u32 tag)
{
	return !t->client || weir_term_is_of(t, client, tag);
}

/* Whether an operation makes a lease where there is none. */
static inline bool weir_term_makes(u32 opcode)
{
	return opcode == WEIR_OP_CLAIM || opcode == WEIR_OP_PUT;
}

/**
 * weir_term_admit - whether an operation may be done to a key
 * @t: of the key's lease, which lasts; NULL: it has none
 * @opcode: CLAIM, PUT, REPLACE, TOUCH or REMOVE
 * @n: the operation's
 * @client: the caller's
 * @tag: the caller's
 *
 * Return: 0, -ENOENT, -EEXIST: it is another one's, or -ESTALE: it is of another version.
 */
static inline int weir_term_admit(const struct weir_term *t, u32 opcode, u64 n,
				  const void *client, u32 tag)
{
	if (!t)
		return weir_term_makes(opcode) ? 0 : -ENOENT;
	if (opcode == WEIR_OP_CLAIM)
		return -EEXIST;
	if (opcode != WEIR_OP_PUT && n)
		return t->version == n ? 0 : -ESTALE;
	return weir_term_is_open_to(t, client, tag) ? 0 : -EEXIST;
}

/* A lease begins, that of the next version; its owner is set, if it has one. */
static inline void weir_term_begin(struct weir_term *t, atomic64_t *versions, u64 until)
{
	t->version = atomic64_inc_return(versions);
	t->expires = until;
}

/* It begins in place of @old: only the version is another one. */
static inline void weir_term_succeed(struct weir_term *t, atomic64_t *versions,
				     const struct weir_term *old)
{
	*t = *old;
	t->version = atomic64_inc_return(versions);
}

/* Let it last until then: whether that is earlier than it was. */
static inline bool weir_term_touch(struct weir_term *t, u64 until)
{
	u64 before = t->expires;

	/* pairs with the READ_ONCE() in weir_term_expires() */
	WRITE_ONCE(t->expires, until);
	return until < before;
}

#endif /* _WEIR_TERM_H */
