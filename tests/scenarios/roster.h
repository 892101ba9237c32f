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

/* value of @left, or of a TTL: for ever */
#define FOR_EVER	WEIR_NEVER

struct roster {
	struct weir *weir;	/* a client, another one in each process; NULL: there is none */
	int fd;			/* descriptor of the client, or -1 */
	uint32_t handle;
};

/* Make a roster of @max leases with TTL @ttl (0: for ever), and open it in a new client. */
struct roster roster_make(const char *name, uint64_t max, uint64_t ttl);
/* Open the roster in another client; fd -1: it does not exist. */
struct roster roster_enter(const char *name);
/* Close the client; its leases are lost. */
void roster_leave(struct roster *r);
/* Delete the roster and close the client. Return: whether this worked. */
bool roster_end(struct roster *r);
struct weir_roster_stats roster_stats(const struct roster *r);
/* The roster's number, which its events have. */
uint64_t roster_id(const char *name);

int lease_claim(const struct roster *r, const char *key, const void *value,
		unsigned int length, uint64_t ttl, struct weir_op *answer);
/* Make a detached lease, which stays when the process ends. */
int lease_post(const struct roster *r, const char *key, const void *value,
	       unsigned int length, uint64_t ttl, struct weir_op *answer);
int lease_put(const struct roster *r, const char *key, const void *value,
	      unsigned int length, uint64_t ttl, struct weir_op *answer);
/* @length: room at @value; 0: the value is not wanted. */
int lease_get(const struct roster *r, const char *key, void *value, unsigned int length,
	      struct weir_op *answer);
int lease_replace(const struct roster *r, const char *key, const void *value,
		  unsigned int length, uint64_t version, struct weir_op *answer);
/* @version: the lease must have this version, whichever its owner; 0: the caller's lease. */
int lease_touch(const struct roster *r, const char *key, uint64_t version, uint64_t ttl,
		struct weir_op *answer);
int lease_remove(const struct roster *r, const char *key, uint64_t version);

/* ---- several claims ------------------------------------------------------------------ */

/* A claim to be made. @value must stay valid until then. */
struct claim {
	char key[64];
	const void *value;
	unsigned int length;
	bool detached;
};

/*
 * Make all claims or none. Return: 0, or the error of the claim that failed; its index is stored in
 * *@which, which may be NULL. -EPROTO: the results of the others are not as documented.
 */
int leases_claim(const struct roster *r, const struct claim *claims, unsigned int count,
		 unsigned int *which);

/* ---- listing ------------------------------------------------------------------------- */

struct roster_list {
	uint64_t cursor, filled, at;
	const struct roster *roster;
	char buffer[16384] __attribute__((aligned(8)));
};

void roster_list_begin(struct roster_list *list, const struct roster *r);
/* The next lease, or NULL. It is valid until the next call. */
const struct weir_lease_info *roster_list_next(struct roster_list *list);

static inline const void *lease_value(const struct weir_lease_info *info)
{
	return info->data + (info->key_len + 7) / 8 * 8;
}

#endif /* _WEIR_SCENARIO_ROSTER_H */
