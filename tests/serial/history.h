/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * history - threads operate on a few keys at the same time, and their answers are recorded
 *
 * Threads of different priority share two CPUs. Those with the higher priority are woken while the
 * others are in the middle of an operation. Each thread reads the clock before and after its calls.
 * Each history has new keys.
 */
#ifndef _WEIR_SERIAL_HISTORY_H
#define _WEIR_SERIAL_HISTORY_H

#include "../selftest/client.h"
#include "search.h"

/* The operations of threads. The last ones are not opcodes. */
enum serial_kind {
	KIND_CHECK,
	KIND_PEEK,
	KIND_REFUND,
	KIND_STRIKE,
	KIND_FORGIVE,
	KIND_BAN,
	KIND_LIFT,
	KIND_RESERVE,
	KIND_TRANSACTION,	/* CHECKs of two keys or more, all or none */
	KIND_BATCH,		/* two or three of the first three kinds, in one call */
	KIND_SET,
	KINDS
};

/**
 * struct serial_mixture - the operations of histories
 * @name: name, for output
 * @strikes: strikes that cause a ban, 0: never; one more after a SET
 * @nkeys: number of keys
 * @algorithm: of each key; keys of one algorithm share a limiter, at most two are different
 * @weight: probability of each operation, in 1/100
 */
struct serial_mixture {
	const char *name;
	u32 strikes;
	u32 nkeys;
	u8 algorithm[KEYS_MAX];
	u8 weight[KINDS];
};

void histories_begin(u64 seed);
void histories_mix(const struct serial_mixture *m);
bool history_make(struct serial_history *h);
u32 history_interrupted(const struct serial_history *h);
void histories_unmix(void);
void histories_end(void);

u64 clock_now(void);

#endif /* _WEIR_SERIAL_HISTORY_H */
