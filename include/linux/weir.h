/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * weir - the API for other modules
 *
 * A module looks up an object by name once, in a context that may sleep. It then uses the object
 * any number of times, in process or softirq context, and drops its reference at last.
 * <uapi/linux/weir.h> describes the objects. An administrator or a program creates, changes and
 * deletes them. An object's owner and mode restrict programs, not the kernel.
 *
 * A reference keeps weir.ko from being unloaded, but does not keep the object alive: a user
 * with the right to delete it can do so, and its memory is freed. From then on every call
 * returns -ENODEV, for as long as the reference is held. An object created later under the same
 * name is a different one.
 *
 * Functions are named weir_KIND_VERB(). None sleeps unless its "Context:" says so. A call that
 * returns an error has changed nothing.
 *
 * "make install" puts this file below /usr/src/weir-api, where a module's Kbuild finds it with
 *
 *	ccflags-y += -I/usr/src/weir-api
 *
 * and beside it, for each kernel it was run for, the Module.symvers for KBUILD_EXTRA_SYMBOLS.
 */
#ifndef _LINUX_WEIR_H
#define _LINUX_WEIR_H

#include <linux/types.h>

#include <uapi/linux/weir.h>

struct weir_counter;
struct weir_gate;
struct weir_limiter;

/**
 * struct weir_answer - the answer to a check, in addition to the verdict
 * @verdict: enum weir_verdict
 * @flags: WEIR_OUT_* bits
 * @strikes: strikes of the key that count now
 * @bans: steps of the ban ladder used so far
 * @limit: tokens of a fresh key
 * @remaining: tokens that the key has now
 * @retry_after: ns after which the same check is allowed if no other caller spends tokens; 0: the
 *	check was allowed; WEIR_NEVER: it can never be allowed, or the verdict is WEIR_FULL
 * @reset_after: ns until all tokens are back
 * @banned_for: ns until the ban ends; 0 if there is none
 *
 * All ns are of CLOCK_BOOTTIME.
 */
struct weir_answer {
	u32 verdict;
	u32 flags;
	u32 strikes;
	u32 bans;
	u64 limit;
	u64 remaining;
	u64 retry_after;
	u64 reset_after;
	u64 banned_for;
};

/**
 * weir_limiter_get - get a reference to a limiter
 * @name: its name
 *
 * Context: process; may sleep.
 * Return: the reference, for weir_limiter_put(); or an ERR_PTR(): -EINVAL, not a valid name;
 *	-ENOENT, no limiter has that name; -ENODEV, weir.ko is being unloaded.
 */
struct weir_limiter *weir_limiter_get(const char *name);

/**
 * weir_limiter_put - drop a reference
 * @limiter: from weir_limiter_get(); NULL or an ERR_PTR() is ignored
 *
 * The caller must ensure that the reference is no longer in use: for example, the hook is
 * unregistered and the tasklet is killed.
 *
 * Context: process; may sleep.
 */
void weir_limiter_put(struct weir_limiter *limiter);

/**
 * weir_limiter_check - charge tokens to a key if they fit
 * @limiter: a reference
 * @key: the key's bytes, of the limiter's type (enum weir_key_type): an IP address in network
 *	order, a u64 in this machine's byte order, or any text; NULL if the limiter has no keys
 * @key_len: number of bytes of @key
 * @cost: tokens, 1 or more
 * @answer: filled in, or NULL; unchanged if the call fails
 *
 * Like WEIR_OP_CHECK, but memory for a new key is allocated without waiting (GFP_NOWAIT), within
 * the memory cgroup of the limiter's creator. The same is true for the limiter's candidate, which
 * is checked too and affects only a flag of the answer.
 *
 * Context: process or softirq; not hard interrupts, nor with them disabled. Any number
 * of callers at once.
 * Return: the verdict, which is never 0 (enum weir_verdict; in shadow mode
 * WEIR_ALLOWED); or -EINVAL: not a key of this limiter's type, or @cost is 0; -ENODEV:
 * the limiter was deleted; -ENOMEM: no memory for a new key.
 */
int weir_limiter_check(struct weir_limiter *limiter, const void *key,
		       unsigned int key_len, u32 cost, struct weir_answer *answer);

/**
 * weir_gate_get - get a reference to a gate
 * @name: its name
 *
 * Context: process; may sleep.
 * Return: as for weir_limiter_get().
 */
struct weir_gate *weir_gate_get(const char *name);

/**
 * weir_gate_put - drop a reference
 * @gate: from weir_gate_get(); NULL or an ERR_PTR() is ignored
 *
 * This releases no permits: see weir_gate_try_acquire().
 *
 * Context: as weir_limiter_put().
 */
void weir_gate_put(struct weir_gate *gate);

/**
 * weir_gate_try_acquire - acquire permits of a key if they are free now
 * @gate: a reference
 * @key: as in weir_limiter_check()
 * @key_len: as in weir_limiter_check()
 * @permits: how many, 1 or more
 *
 * Like WEIR_OP_ACQUIRE without a wait: if the key has waiters, the answer is WEIR_LIMITED, even if
 * the permits are free. Memory for a new key, and the search for room in a full table, are as in
 * weir_limiter_check().
 *
 * Permits of modules belong to no client. All modules together are one holder, so a module can
 * release permits that another module has acquired. Only weir_gate_release() releases them; the end
 * of a process or weir_gate_put() does not. If the gate is deleted, its permits are gone, and there
 * is nothing to release.
 *
 * Context: process or softirq; not hard interrupts, nor with them disabled. Any number of
 *	concurrent callers.
 * Return: WEIR_ALLOWED, WEIR_LIMITED, or WEIR_FULL: the key is new, and max_keys are in use;
 *	or -EINVAL: not a key of this gate's type, or @permits is 0; -E2BIG: the gate has fewer
 *	permits; -ENODEV: it was deleted; -ENOMEM: no memory for a new key.
 */
int weir_gate_try_acquire(struct weir_gate *gate, const void *key,
			  unsigned int key_len, u32 permits);

/**
 * weir_gate_release - release permits of a key
 * @gate: a reference
 * @key: as in weir_limiter_check()
 * @key_len: as in weir_limiter_check()
 * @permits: how many, 1 or more
 *
 * The permits are granted to waiters in order of arrival, and these are woken.
 *
 * Context: as weir_gate_try_acquire().
 * Return: 0; -EINVAL: not a key of this gate's type, or @permits is 0; -ENOENT: modules hold
 *	fewer; -ENODEV: the gate was deleted.
 */
int weir_gate_release(struct weir_gate *gate, const void *key, unsigned int key_len,
		      u32 permits);

/**
 * weir_counter_get - get a reference to a counter
 * @name: its name
 *
 * Context: process; may sleep.
 * Return: as for weir_limiter_get().
 */
struct weir_counter *weir_counter_get(const char *name);

/**
 * weir_counter_put - drop a reference
 * @counter: from weir_counter_get(); NULL or an ERR_PTR() is ignored
 *
 * Context: as weir_limiter_put().
 */
void weir_counter_put(struct weir_counter *counter);

/**
 * weir_counter_field - the index of a field
 * @counter: a reference
 * @name: the name of the field
 *
 * Also works for a deleted counter.
 *
 * Context: any.
 * Return: 0 or more, for weir_counter_add(); -ENOENT: no such field. A sequence has the field
 *	"value"; a histogram has no fields.
 */
int weir_counter_field(const struct weir_counter *counter, const char *name);

/**
 * weir_counter_add - add to a field
 * @counter: a reference
 * @field: its index
 * @n: the amount, modulo 2^64
 *
 * Cost: one instruction on this CPU's cache line, and the check that the counter exists.
 *
 * Context: process, softirq, hard interrupts; not NMI.
 * Return: 0; -EINVAL: no such field; -EOPNOTSUPP: a sequence or a histogram; -ENODEV: the
 *	counter was deleted.
 */
int weir_counter_add(struct weir_counter *counter, unsigned int field, s64 n);

#endif /* _LINUX_WEIR_H */
