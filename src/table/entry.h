/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An entry: the state that a keyed object has for one key, in one cache line for keys of up to 16
 * bytes.
 *
 * The lock of its stripe (table.h) protects an entry. To change an entry, a task locks the stripe,
 * sets bit 0 of the word, which is clear in every state, reads the clock, and stores the new word.
 * A reader without the lock reads the word, the clock, and the word again.
 *
 * Life: an entry is linked with bit 0 set, so that its state is not read before the operation that
 * made it has ended. It is used, killed with the stripe locked by setting the word to
 * WEIR_ENTRY_DEAD, unlinked, and freed after an RCU grace period. A task that finds a dead word
 * looks the key up again.
 */
#ifndef _WEIR_ENTRY_H
#define _WEIR_ENTRY_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/rcupdate.h>

#include "lib/gate_queue.h"
#include "lib/score.h"

#define WEIR_ENTRY_LOCKED	1ULL
#define WEIR_ENTRY_DEAD		U64_MAX

struct weir_roster_lease;

/**
 * struct weir_entry - the state of one key
 *
 * Letters tell what protects a member:
 *   I: set before the entry is visible, then constant
 *   B: written with the stripe locked, read under RCU
 *   E: stripe lock
 *   A: atomic; written with the stripe locked
 *   R: written with the stripe locked, read under RCU with READ_ONCE()
 *
 * @next:	B: next in the bucket
 * @key_len:	I: bytes of @key
 * @stripe:	I: number of the lock that protects it
 * @bans:	E: steps of the ban ladder climbed
 * @step:	E: breakers: of the ladder, the next one
 * @change:	R: limiters: counts changes under the lock; WEIR_CHANGE_QUEUED and _REFUSED
 * @module_permits:	E: gates: of those in use, those that other modules have
 * @held:	E: breakers: outstanding probes that have a holder
 * @word:	A: state, and whether an operation is under way; gates do not use the state
 * @ban_until:	R: when the last ban ends or ended, 0 for never banned
 * @score:	E: strikes; @counts is also R: tells whether there are any
 * @at:		R: breakers: see &weir_circuit.at
 * @counts:	E: breakers: see &weir_circuit.counts
 * @queue:	E: gates: permits that are held, and the waiters for them
 * @lease:	E: rosters: the lease; published by a release, read under RCU by an acquire
 * @rcu:	takes the place of @score, @counts and @queue.waiters once the entry is dead
 *		and unlinked
 * @key:	I: the key; in the smallest class zero-filled to 16 bytes
 *
 * Times are ns since the table's epoch.
 */
struct weir_entry {
	struct weir_entry __rcu	*next;
	u8			key_len;
	u8			stripe;
	union {
		u16		bans;
		u16		step;
	};
	union {
		u32		change;
		u32		module_permits;
		u32		held;
	};
	atomic64_t		word;
	union {
		struct {
			u64			ban_until;
			struct weir_score	score;
		};
		struct {
			u64			at;
			u64			counts[2];
		};
		struct weir_gate_queue		queue;
		struct {
			struct weir_roster_lease *lease;
			struct rcu_head		rcu;
		};
	};
	u8			key[] __aligned(8);
};

/*
 * &weir_entry.change: two flags, and a counter in units of WEIR_CHANGE_ONE. REFUSED is a hint: the
 * next CHECK first tries without the lock.
 */
#define WEIR_CHANGE_QUEUED	1U	/* RESERVEs wait for the key */
#define WEIR_CHANGE_REFUSED	2U	/* the last CHECK was refused */
#define WEIR_CHANGE_ONE		4U

struct mem_cgroup;
struct weir_key;

struct weir_entry *weir_entry_alloc(struct mem_cgroup *memcg,
				    const struct weir_key *key, gfp_t gfp);
void weir_entry_free(struct weir_entry *e);
void weir_entry_free_rcu(struct weir_entry *e);
int weir_entry_mod_init(void);
void weir_entry_mod_exit(void);

/*
 * Reads both counts of the score in one load. A checker without the lock only needs to know whether
 * both are zero.
 */
static inline bool weir_entry_has_score(const struct weir_entry *e)
{
	BUILD_BUG_ON(offsetof(struct weir_score, prev) !=
		     offsetof(struct weir_score, cur) + 4);
	return READ_ONCE(*(const u64 *)&e->score.cur) != 0;
}

static inline void weir_entry_set_score(struct weir_entry *e, struct weir_score s)
{
	e->score.since = s.since;
	/* pairs with the READ_ONCE() in weir_entry_has_score() */
	WRITE_ONCE(*(u64 *)&e->score.cur, *(u64 *)&s.cur);
}

static inline bool weir_entry_queued(const struct weir_entry *e)
{
	return READ_ONCE(e->change) & WEIR_CHANGE_QUEUED;
}

/* Set or clear a flag of &weir_entry.change. The entry must be locked. */
static inline void weir_entry_flag(struct weir_entry *e, u32 flag, bool on)
{
	WRITE_ONCE(e->change, on ? e->change | flag : e->change & ~flag);
}

/* Show readers without the lock that the entry has changed. The entry must be locked. */
static inline void weir_entry_changed(struct weir_entry *e)
{
	WRITE_ONCE(e->change, e->change + WEIR_CHANGE_ONE);
}

/*
 * Mark a live entry as locked, for readers without the lock. Context: its stripe is locked. Return:
 * its state.
 */
static inline u64 weir_entry_begin(struct weir_entry *e)
{
	/*
	 * Fully ordered, for readers without the lock: they see the mark before they see later
	 * changes, and the clock is read after the mark is set.
	 */
	return atomic64_xchg(&e->word, WEIR_ENTRY_LOCKED);
}

/* Publish the new state of an entry, or WEIR_ENTRY_DEAD. Context: its stripe locked. */
static inline void weir_entry_end(struct weir_entry *e, u64 word)
{
	/* pairs with the reads of the word without the lock */
	atomic64_set_release(&e->word, word);
}

#endif /* _WEIR_ENTRY_H */
