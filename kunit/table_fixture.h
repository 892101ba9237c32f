/* SPDX-License-Identifier: GPL-2.0-only */
/* A keyed table (src/table) for tests. */
#ifndef _WEIR_KUNIT_TABLE_FIXTURE_H
#define _WEIR_KUNIT_TABLE_FIXTURE_H

#include "fakes.h"
#include "table/table.h"

#include <kunit/test.h>

/**
 * struct fixture - a table; the word of an entry is twice the time at which it becomes idle
 * @t: the table
 * @evicted: entries dropped to make room
 * @expired: entries dropped by sweeps
 * @harvest: every entry is idle at once, and its word is added to @harvested
 * @harvested: sum of the words of dropped entries
 * @word: word of the entry examined last
 * @examined: number of entries examined
 * @tick: ns by which the clock advances for each entry examined
 */
struct fixture {
	struct weir_table t;
	atomic_t evicted;
	atomic_t expired;
	bool harvest;
	atomic64_t harvested;
	u64 word;
	unsigned int examined;
	u64 tick;
};

void fixture_sweep(struct weir_table *t);
void fixture_scan(struct weir_table *t, unsigned int group);
struct fixture *fixture_new(struct kunit *test, u64 max_keys);
int fixture_suite_init(struct kunit_suite *suite);
void fixture_suite_exit(struct kunit_suite *suite);
int fixture_init(struct kunit *test);
void fixture_exit(struct kunit *test);
void fixture_key(const struct fixture *f, struct weir_key *key, const void *bytes,
		 unsigned int len);
void fixture_key_u64(const struct fixture *f, struct weir_key *key, u64 n);
struct weir_entry *fixture_insert(struct fixture *f, const struct weir_key *key,
				  u64 fresh, u64 *word, bool *created);
int fixture_add(struct fixture *f, const struct weir_key *key, u64 idle_at);
bool fixture_remove(struct fixture *f, const struct weir_key *key);
bool fixture_has(struct fixture *f, const struct weir_key *key);

static inline u64 fixture_word(u64 idle_at)
{
	return idle_at << 1;
}

#endif /* _WEIR_KUNIT_TABLE_FIXTURE_H */
