// SPDX-License-Identifier: GPL-2.0-only
/*
 * prefix - WEIR_SET_PREFIX: keys cut anew, merged or dropped, member by member
 *
 * Every test follows a sentence of &struct weir_set.
 */
#include "prefix.h"

/* Nothing is known of it. */
static bool fresh(FIXTURE_DATA(prefix) *self, struct ip ip)
{
	struct weir_op op = peek(self, ip);

	return answers(&op, WEIR_ALLOWED, 0, 10, 10, 0, 0) && !op.reset_after;
}

/* The fewest tokens that one of them has: neither the sum nor the last. */
TEST_F(prefix, merges_tokens)
{
	spend(self, 4, v4(1, 1));
	spend(self, 7, v4(1, 2));
	spend(self, 1, v4(1, 200));
	spend(self, 2, v4(2, 1));	/* alone in its block */
	spend(self, 10, v6(1, 1, 1));
	spend(self, 3, v6(1, 2, 1));
	ASSERT_EQ(6, keys(self));
	ASSERT_EQ(0, set(self, 24, 48));
	EXPECT_EQ(3, keys(self));
	/* for all addresses of the block, those that never came included */
	for (int host = 0; host < 256; host += 51)
		EXPECT_TRUE(has(self, v4(1, host), 3, 0, 0));
	EXPECT_TRUE(has(self, v4(2, 9), 8, 0, 0));
	EXPECT_TRUE(fresh(self, v4(3, 1)));
	EXPECT_TRUE(has(self, v6(1, 77, 1), 0, 0, 0));
	EXPECT_TRUE(fresh(self, v6(2, 1, 1)));
	/* and it is one key from now on */
	spend(self, 2, v4(1, 1));
	spend(self, 1, v4(1, 2));
	EXPECT_EQ(WEIR_LIMITED, run(self, WEIR_OP_CHECK, 1, v4(1, 3)).verdict);
	EXPECT_EQ(3, keys(self));
	/* all the way: one of all */
	ASSERT_EQ(0, set(self, 1, 1));
	EXPECT_EQ(2, keys(self));
	EXPECT_EQ(0, peek(self, v4(9, 9)).remaining);
}

/* The more strikes, and they are not added up; the later end of a ban. */
TEST_F(prefix, merges_strikes_and_bans)
{
	struct weir_op op;

	run(self, WEIR_OP_STRIKE, 2, v4(1, 1));
	run(self, WEIR_OP_STRIKE, 4, v4(1, 2));
	run(self, WEIR_OP_STRIKE, 3, v4(1, 3));
	run(self, WEIR_OP_BAN, 2, v4(2, 1));
	run(self, WEIR_OP_BAN, 7, v4(2, 2));
	run(self, WEIR_OP_BAN, 3, v4(2, 3));
	/* a ban and strikes and tokens, each somebody else's */
	run(self, WEIR_OP_STRIKE, 3, v4(3, 1));
	run(self, WEIR_OP_BAN, 5, v4(3, 2));
	spend(self, 6, v4(3, 3));
	ASSERT_EQ(9, keys(self));
	ASSERT_EQ(0, set(self, 24, 64));
	EXPECT_EQ(3, keys(self));
	EXPECT_TRUE(has(self, v4(1, 9), 10, 4, 0));
	op = peek(self, v4(2, 9));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 10, 0, 0));
	EXPECT_TRUE(lasts("ban", op.banned_for, 7 * HOUR, self->since));
	op = peek(self, v4(3, 9));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 4, 3, 0));
	EXPECT_TRUE(lasts("ban", op.banned_for, 5 * HOUR, self->since));
	EXPECT_TRUE(lasts("reset", op.reset_after, 6 * TENTH, self->since));
	/* one more is the fifth of the one that had four */
	op = run(self, WEIR_OP_STRIKE, 1, v4(1, 1));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_BANNED_NOW, 10, 10, 0, 1));
	EXPECT_TRUE(lasts("first step", op.banned_for, HOUR, self->since));
}

/* The higher place on the ladder: the next ban tells. */
TEST_F(prefix, merges_ladders)
{
	struct weir_op op;

	for (int host = 1; host <= 3; host++) {
		for (int i = 0; i < (host == 2 ? 2 : 1); i++) {
			run(self, WEIR_OP_STRIKE, 5, v4(1, host));
			run(self, WEIR_OP_LIFT, 0, v4(1, host));
		}
	}
	ASSERT_EQ(0, set(self, 24, 64));
	EXPECT_EQ(2, peek(self, v4(1, 9)).bans);
	op = run(self, WEIR_OP_STRIKE, 5, v4(1, 4));
	EXPECT_EQ(3, op.bans);
	EXPECT_TRUE(lasts("third step", op.banned_for, 3 * HOUR, self->since));
}

/* What is forgotten does not come back with another one's ban. */
TEST_F(prefix, merges_no_forgotten_ladder)
{
	struct weir_op op;

	spend(self, 1, v4(1, 1));	/* so that the entry stays */
	for (int i = 0; i < 2; i++) {
		run(self, WEIR_OP_STRIKE, 5, v4(1, 1));
		run(self, WEIR_OP_LIFT, 0, v4(1, 1));
	}
	self->config.forget_after = 1;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_FORGET_AFTER, &self->config));
	usleep(1000);
	run(self, WEIR_OP_BAN, 1, v4(1, 2));
	ASSERT_EQ(0, set(self, 24, 64));
	self->config.forget_after = DAY;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_FORGET_AFTER, &self->config));
	op = peek(self, v4(1, 9));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 9, 0, 0));
	run(self, WEIR_OP_LIFT, 0, v4(1, 1));
	op = run(self, WEIR_OP_STRIKE, 5, v4(1, 1));
	EXPECT_EQ(1, op.bans);
	EXPECT_TRUE(lasts("first step", op.banned_for, HOUR, self->since));
}

/* Longer: all of that family goes, bans too; nothing of the other, nor of the totals. */
TEST_F(prefix, splits_forget_the_family)
{
	struct weir_limiter_stats before, after;
	struct weir_op op;

	ASSERT_EQ(0, set(self, 24, 48));
	spend(self, 4, v4(1, 1));
	run(self, WEIR_OP_BAN, 7, v4(2, 1));
	run(self, WEIR_OP_STRIKE, 4, v4(3, 1));
	spend(self, 3, v6(1, 1, 1));
	run(self, WEIR_OP_BAN, 2, v6(2, 1, 1));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &before));
	ASSERT_EQ(5, before.keys);
	ASSERT_EQ(0, set(self, 25, 48));
	for (__u8 block = 1; block <= 3; block++) {
		EXPECT_TRUE(fresh(self, v4(block, 1)));
		EXPECT_TRUE(fresh(self, v4(block, 129)));
	}
	EXPECT_TRUE(has(self, v6(1, 9, 9), 7, 0, 0));
	op = peek(self, v6(2, 9, 9));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, 0, 10, 10, 0, 0));
	EXPECT_TRUE(lasts("ban", op.banned_for, 2 * HOUR, self->since));
	/* nowhere counted but among the keys */
	ASSERT_EQ(0, stats_get(self->fd, self->l, &after));
	EXPECT_EQ(2, after.keys);
	after.keys = before.keys;
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
}

/* One family splits and the other merges, in one change. */
TEST_F(prefix, each_family_its_own)
{
	ASSERT_EQ(0, set(self, 24, 64));
	spend(self, 4, v4(1, 1));
	spend(self, 5, v6(1, 1, 1));
	spend(self, 6, v6(1, 2, 1));
	ASSERT_EQ(0, set(self, 32, 48));
	EXPECT_EQ(1, keys(self));
	EXPECT_TRUE(fresh(self, v4(1, 1)));
	EXPECT_TRUE(has(self, v6(1, 3, 1), 4, 0, 0));
	spend(self, 4, v4(1, 1));
	spend(self, 3, v4(1, 2));
	ASSERT_EQ(0, set(self, 31, 49));
	EXPECT_EQ(2, keys(self));
	EXPECT_TRUE(has(self, v4(1, 0), 6, 0, 0));
	EXPECT_TRUE(has(self, v4(1, 3), 7, 0, 0));
	EXPECT_TRUE(fresh(self, v6(1, 1, 1)));
}

/* Windows: the count, and of sliding ones that of the window before as well. */
static void windows(struct __test_metadata *_metadata, FIXTURE_DATA(prefix) *self,
		    __u32 algorithm)
{
	struct weir_op op;

	self->config.algorithm = algorithm;
	self->config.burst = 0;
	self->config.period = 100 * DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "window", &self->config, &self->l));
	spend(self, 4, v4(1, 1));
	spend(self, 7, v4(1, 2));
	spend(self, 5, v4(1, 3));
	ASSERT_EQ(0, set(self, 24, 64));
	op = peek(self, v4(1, 9));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 3, 0, 0));
	spend(self, 3, v4(1, 1));
	EXPECT_EQ(WEIR_LIMITED, run(self, WEIR_OP_CHECK, 1, v4(1, 2)).verdict);
	EXPECT_EQ(1, keys(self));
}

TEST_F(prefix, merges_windows)
{
	windows(_metadata, self, WEIR_ALGORITHM_WINDOW);
}

TEST_F(prefix, merges_sliding_windows)
{
	windows(_metadata, self, WEIR_ALGORITHM_SLIDING);
}

/* With other members in one SET: merged by the old numbers, then as those say. */
TEST_F(prefix, together_with_the_rate)
{
	spend(self, 4, v4(1, 1));
	spend(self, 2, v4(1, 2));
	self->config.prefix4 = 24;
	self->config.prefix6 = 0;	/* as at creation: 64 */
	self->config.tokens = 20;
	self->config.burst = 30;
	ASSERT_EQ(0, limiter_set(self->fd, self->l,
				 WEIR_SET_PREFIX | WEIR_SET_RATE | WEIR_SET_BURST,
				 &self->config));
	/* four tenths of a day are eight tokens now */
	EXPECT_EQ(22, peek(self, v4(1, 9)).remaining);
	ASSERT_EQ(0, limiter_get(self->fd, self->l, &self->config));
	EXPECT_EQ(24, self->config.prefix4);
	EXPECT_EQ(64, self->config.prefix6);
	EXPECT_EQ(1, keys(self));
}

TEST_F(prefix, refused)
{
	static const __u8 bad[][2] = { { 33, 64 }, { 255, 64 }, { 32, 129 }, { 24, 255 } };
	static const __u32 types[] = { WEIR_KEY_NONE, WEIR_KEY_U64, WEIR_KEY_TEXT };
	struct weir_limiter_config seen, other;
	__u64 events;
	__u32 l;

	spend(self, 4, v4(1, 1));
	events = info_get(self->fd).event_next;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, set(self, bad[i][0], bad[i][1]));
	/* together with what would be right by itself */
	self->config.burst = 5;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, self->l, WEIR_SET_PREFIX |
				       WEIR_SET_BURST, &self->config));
	EXPECT_EQ(events, info_get(self->fd).event_next);
	EXPECT_TRUE(has(self, v4(1, 1), 6, 0, 0));
	ASSERT_EQ(0, limiter_get(self->fd, self->l, &seen));
	EXPECT_EQ(32, seen.prefix4);
	EXPECT_EQ(64, seen.prefix6);
	EXPECT_EQ(10, seen.burst);
	/* 0 is the default; keys that are no addresses have none */
	ASSERT_EQ(0, set(self, 24, 56));
	ASSERT_EQ(0, set(self, 0, 0));
	ASSERT_EQ(0, limiter_get(self->fd, self->l, &seen));
	EXPECT_EQ(32, seen.prefix4);
	EXPECT_EQ(64, seen.prefix6);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		char name[WEIR_NAME_SIZE];

		snprintf(name, sizeof(name), OURS "type%zu", i);
		other = limiter_config(types[i]);
		ASSERT_EQ(0, limiter_create(self->fd, name, &other, &l));
		EXPECT_EQ(-EINVAL, limiter_set(self->fd, l, WEIR_SET_PREFIX, &other));
		other.prefix4 = 24;
		EXPECT_EQ(-EINVAL, limiter_set(self->fd, l, WEIR_SET_PREFIX, &other));
	}
}

/* To what it was: nothing happens, nobody waits; the event tells of it. */
TEST_F(prefix, to_the_same)
{
	__u64 events;

	spend(self, 4, v4(1, 1));
	spend(self, 5, v6(1, 1, 1));
	events = info_get(self->fd).event_next;
	ASSERT_EQ(0, set(self, 32, 64));
	EXPECT_EQ(events + 1, info_get(self->fd).event_next);
	EXPECT_TRUE(has(self, v4(1, 1), 6, 0, 0));
	EXPECT_TRUE(has(self, v6(1, 1, 1), 5, 0, 0));
	EXPECT_EQ(2, keys(self));
}

/* Rules are about addresses, not keys. */
TEST_F(prefix, rules_stay)
{
	struct weir_rule rule[2] = {
		{ .addr = { 10, 0, 1, 7 }, .addr_len = 4, .prefix = 32,
		  .action = WEIR_RULE_ALLOW },
		{ .addr = { 10, 0, 2 }, .addr_len = 4, .prefix = 24,
		  .action = WEIR_RULE_DENY },
	};
	struct weir_rules rules = { .size = sizeof(rules), .handle = self->l, .count = 2,
				    .rules = address(rule) };
	static const __u8 to[][2] = { { 24, 64 }, { 32, 48 }, { 16, 64 } };

	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		run(self, WEIR_OP_BAN, 1, v4(1, 1));
		ASSERT_EQ(0, set(self, to[i][0], to[i][1]));
		EXPECT_EQ(WEIR_ALLOWED, peek(self, v4(1, 7)).verdict);
		EXPECT_EQ(WEIR_OUT_RULE, peek(self, v4(1, 7)).out_flags);
		EXPECT_EQ(WEIR_BANNED, peek(self, v4(2, 7)).verdict);
		EXPECT_EQ(WEIR_OUT_RULE, peek(self, v4(2, 7)).out_flags);
		EXPECT_EQ(0, peek(self, v4(1, 1)).out_flags);
	}
	EXPECT_EQ(WEIR_BANNED, peek(self, v4(1, 1)).verdict);
	memset(rule, POISON, sizeof(rule));
	rules.flags = WEIR_RULES_GET;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_RULES, &rules));
	EXPECT_EQ(2, rules.count);
	EXPECT_EQ(7, rule[0].addr[3]);
	EXPECT_EQ(32, rule[0].prefix);
	EXPECT_EQ(24, rule[1].prefix);
}

/* Places that merged keys had are free, and just as many. */
TEST_F(prefix, places_come_back)
{
	self->config.max_keys = 8;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "small", &self->config, &self->l));
	for (__u8 host = 0; host < 8; host++)
		spend(self, 1 + host, v4(host / 4, host));
	EXPECT_EQ(WEIR_FULL, run(self, WEIR_OP_CHECK, 1, v4(9, 9)).verdict);
	ASSERT_EQ(0, set(self, 24, 64));
	EXPECT_EQ(2, keys(self));
	for (__u8 block = 2; block < 8; block++)
		spend(self, 1, v4(block, 1));
	EXPECT_EQ(WEIR_FULL, run(self, WEIR_OP_CHECK, 1, v4(9, 9)).verdict);
	EXPECT_EQ(8, keys(self));
	/* with fewer allowed than there are: those stay that there are */
	self->config.max_keys = 3;
	self->config.prefix4 = 23;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_PREFIX | WEIR_SET_MAX_KEYS,
				 &self->config));
	EXPECT_EQ(4, keys(self));
	EXPECT_TRUE(has(self, v4(0, 9), 2, 0, 0));
	EXPECT_EQ(WEIR_FULL, run(self, WEIR_OP_CHECK, 1, v4(9, 9)).verdict);
	ASSERT_EQ(0, set(self, 24, 64));
	EXPECT_EQ(0, keys(self));
	for (__u8 block = 0; block < 3; block++)
		spend(self, 1, v4(block, 1));
	EXPECT_EQ(WEIR_FULL, run(self, WEIR_OP_CHECK, 1, v4(9, 9)).verdict);
}

/* What a merged entry owes is noticed when it is paid: nothing keeps it for ever. */
TEST_F(prefix, merged_keys_expire)
{
	struct weir_limiter_stats stats;

	self->config.period = SECOND;
	self->config.burst = 10;
	self->config.max_keys = 4;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "soon", &self->config, &self->l));
	for (__u8 host = 0; host < 4; host++)
		spend(self, 10, v4(host / 2, host));
	ASSERT_EQ(0, set(self, 24, 64));
	usleep(1100 * 1000);
	/* all have come back: two go to make room, or went before */
	for (__u8 block = 2; block < 6; block++)
		spend(self, 10, v4(block, 1));
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(4, stats.keys);
	EXPECT_EQ(2, stats.evicted + stats.expired);
	EXPECT_EQ(0, stats.full);
}

/* CHECKs of two addresses, all or none; the verdict. */
static __u32 both(FIXTURE_DATA(prefix) *self, __s64 n)
{
	struct weir_op ops[2];
	struct weir_submit submit = { .size = sizeof(submit), .count = 2,
				      .flags = WEIR_SUBMIT_ALL, .ops = address(ops) };

	for (int i = 0; i < 2; i++) {
		struct ip ip = v4(1, i);

		ops[i] = op_make(WEIR_OP_CHECK, self->l, n);
		op_key(&ops[i], ip.bytes, ip.len);
	}
	if (call(self->fd, WEIR_IOC_SUBMIT, &submit) || ops[0].result || ops[1].result)
		abort();
	return ops[0].verdict;
}

/* In a transaction two addresses are two keys, or one. */
TEST_F(prefix, transaction)
{
	ASSERT_EQ(WEIR_ALLOWED, both(self, 3));
	ASSERT_EQ(0, set(self, 24, 64));
	EXPECT_TRUE(has(self, v4(1, 9), 7, 0, 0));
	EXPECT_EQ(WEIR_LIMITED, both(self, 4));
	EXPECT_TRUE(has(self, v4(1, 9), 7, 1, 0));
	EXPECT_EQ(WEIR_ALLOWED, both(self, 3));
	EXPECT_TRUE(has(self, v4(1, 9), 1, 1, 0));
	ASSERT_EQ(0, set(self, 32, 64));
	EXPECT_EQ(WEIR_ALLOWED, both(self, 10));
	EXPECT_EQ(2, keys(self));
}

/* Records of before are cut as addresses are: a LOAD merges them, too. */
TEST_F(prefix, load_of_longer_keys)
{
	__u64 buffer[512];
	struct weir_dump dump = { .size = sizeof(dump), .handle = self->l,
				  .buffer = address(buffer), .length = sizeof(buffer) };
	struct weir_load load = { .size = sizeof(load), .handle = self->l,
				  .buffer = address(buffer) };

	spend(self, 4, v4(1, 1));
	spend(self, 7, v4(1, 2));
	run(self, WEIR_OP_STRIKE, 2, v4(1, 3));
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	ASSERT_EQ(3, dump.count);
	for (__u8 host = 1; host <= 3; host++)
		run(self, WEIR_OP_FORGET, 0, v4(1, host));
	ASSERT_EQ(0, set(self, 24, 64));
	ASSERT_EQ(0, keys(self));
	load.length = dump.length;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_LOAD, &load));
	EXPECT_EQ(3, load.count);
	EXPECT_EQ(1, keys(self));
	EXPECT_TRUE(has(self, v4(1, 9), 3, 2, 0));
}

TEST_HARNESS_MAIN
