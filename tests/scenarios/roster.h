/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * roster - rosters of text keys, with calls for the scenarios
 *
 *	struct roster sessions = roster_make("scenario-00", 100, HOUR);
 *	...
 *	struct roster mine = roster_enter("scenario-00");
 *	if (lease_claim(&mine, "key", &value, sizeof(value), 0, NULL) == -EEXIST)
 *
 * Every call about one lease returns 0 or a negative errno. @answer, which may be NULL, gets
 * the description of the lease: version, length, left, pid, uid, out_flags of struct weir_op.
 */
#ifndef _WEIR_SCENARIO_ROSTER_H
#define _WEIR_SCENARIO_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include <weir.h>

/* Of a lease's @left, or as its ttl: for ever. */
#define FOR_EVER	WEIR_NEVER

struct roster {
	struct weir *weir;	/* a client, of each process its own; NULL if there is none */
	int fd;			/* its descriptor, or -1 */
	uint32_t handle;
};

/* Make a roster of @max leases that last @ttl (0: for ever), with a client of its own. */
struct roster roster_make(const char *name, uint64_t max, uint64_t ttl);
/* The same roster, with another client; fd -1: there is none. */
struct roster roster_enter(const char *name);
/* Close the client: what it has is lost. */
void roster_leave(struct roster *r);
/* Delete it and leave; true if that worked. */
bool roster_end(struct roster *r);
struct weir_roster_stats roster_stats(const struct roster *r);
/* Its number, which its events have. */
uint64_t roster_id(const char *name);

int lease_claim(const struct roster *r, const char *key, const void *value,
		unsigned int length, uint64_t ttl, struct weir_op *answer);
/* Make a detached lease: it stays when the process ends. */
int lease_post(const struct roster *r, const char *key, const void *value,
	       unsigned int length, uint64_t ttl, struct weir_op *answer);
int lease_put(const struct roster *r, const char *key, const void *value,
	      unsigned int length, uint64_t ttl, struct weir_op *answer);
/* @length: room at @value, 0: not wanted. */
int lease_get(const struct roster *r, const char *key, void *value, unsigned int length,
	      struct weir_op *answer);
int lease_replace(const struct roster *r, const char *key, const void *value,
		  unsigned int length, uint64_t version, struct weir_op *answer);
/* @version: only that one, whatever its owner; 0: the caller's lease. */
int lease_touch(const struct roster *r, const char *key, uint64_t version, uint64_t ttl,
		struct weir_op *answer);
int lease_remove(const struct roster *r, const char *key, uint64_t version);

/* ---- several at once ---------------------------------------------------------------- */

/* A claim that is not made yet; @value must stay until then. */
struct claim {
	char key[64];
	const void *value;
	unsigned int length;
	bool detached;
};

/*
 * All claims or none: 0, or the error of the claim that failed, whose index is stored in
 * *@which (may be NULL). -EPROTO: the results of the others are not as documented.
 */
int leases_claim(const struct roster *r, const struct claim *claims, unsigned int count,
		 unsigned int *which);

/* ---- all there are ------------------------------------------------------------------ */

struct roster_list {
	uint64_t cursor, filled, at;
	const struct roster *roster;
	char buffer[16384] __attribute__((aligned(8)));
};

void roster_list_begin(struct roster_list *list, const struct roster *r);
/* The next one, or NULL; what it leads to is good until the next call. */
const struct weir_lease_info *roster_list_next(struct roster_list *list);

static inline const void *lease_value(const struct weir_lease_info *info)
{
	return info->data + (info->key_len + 7) / 8 * 8;
}

#endif /* _WEIR_SCENARIO_ROSTER_H */
