// SPDX-License-Identifier: GPL-2.0-only
/* rules - blocks that are always allowed or denied, and shadow mode */
#include "harness.h"

#include <arpa/inet.h>

#include "client.h"
#include "crowd.h"
#include "verdict.h"

FIXTURE(rules) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
};

FIXTURE_SETUP(rules)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_IP);
	self->config.strikes = 2;
	self->config.nbans = 1;
	self->config.ban[0] = DAY;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "rules", &self->config,
				    &self->l));
}

FIXTURE_TEARDOWN(rules)
{
	close(self->fd);
	objects_wipe();
}

static struct weir_rule rule(const char *text, int prefix, int action)
{
	struct weir_rule rule = { .prefix = prefix, .action = action };

	rule.addr_len = strchr(text, ':') ? 16 : 4;
	inet_pton(rule.addr_len == 4 ? AF_INET : AF_INET6, text, rule.addr);
	return rule;
}

static int change(FIXTURE_DATA(rules) *self, const struct weir_rule *rules,
		  __u32 count, __u32 flags)
{
	struct weir_rules args = { .size = sizeof(args), .handle = self->l,
				   .flags = flags, .count = count,
				   .rules = address(rules) };

	return call(self->fd, WEIR_IOC_RULES, &args);
}

static int put(FIXTURE_DATA(rules) *self, const char *text, int prefix,
	       int action)
{
	struct weir_rule one = rule(text, prefix, action);

	return change(self, &one, 1, 0);
}

static int run(FIXTURE_DATA(rules) *self, struct weir_op *op, __u16 opcode,
	       __s64 n, const char *text)
{
	struct weir_rule r = rule(text, 0, 0);

	return key_run(self->fd, op, opcode, self->l, n, r.addr, r.addr_len);
}

static __u32 verdict(FIXTURE_DATA(rules) *self, const char *text)
{
	struct weir_op op;

	if (run(self, &op, WEIR_OP_CHECK, 1, text))
		abort();
	return op.verdict;
}

static struct weir_limiter_stats totals(FIXTURE_DATA(rules) *self)
{
	struct weir_limiter_stats stats;

	if (stats_get(self->fd, self->l, &stats))
		abort();
	return stats;
}

TEST_F(rules, allow)
{
	struct weir_op op;

	ASSERT_EQ(0, put(self, "192.0.2.0", 24, WEIR_RULE_ALLOW));
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(WEIR_ALLOWED, verdict(self, "192.0.2.255"));
	/* even if the cost is above the limit */
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1000, "192.0.2.1"));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_RULE, 10, 10, 0, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 5, "192.0.2.1"));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_RULE, 10, 10, 0, 0));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_REFUND, 5, "192.0.2.1"));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_PEEK, 5, "::ffff:192.0.2.1"));
	EXPECT_EQ(WEIR_OUT_RULE, op.out_flags);
	EXPECT_EQ(0, totals(self).keys);
	EXPECT_EQ(0, totals(self).strikes);
	EXPECT_EQ(101, totals(self).allowed);
	/* neighbouring addresses are limited as before */
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(WEIR_ALLOWED, verdict(self, "192.0.3.0"));
	EXPECT_EQ(WEIR_LIMITED, verdict(self, "192.0.3.0"));
	EXPECT_EQ(1, totals(self).keys);
}

TEST_F(rules, deny)
{
	struct weir_op op;

	ASSERT_EQ(0, put(self, "2001:db8::", 32, WEIR_RULE_DENY));
	ASSERT_EQ(0, run(self, &op, WEIR_OP_CHECK, 1, "2001:db8:ffff::1"));
	EXPECT_TRUE(answers(&op, WEIR_BANNED, WEIR_OUT_RULE, 10, 0, 0, 0));
	EXPECT_EQ(WEIR_NEVER, op.banned_for);
	EXPECT_EQ(WEIR_NEVER, op.retry_after);
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "2001:db9::1"));
	EXPECT_EQ(1, totals(self).banned);
	EXPECT_EQ(1, totals(self).keys);
	EXPECT_EQ(0, totals(self).strikes);
	/* a denied address does not wait */
	op = op_make(WEIR_OP_RESERVE, self->l, 1);
	op_key(&op, rule("2001:db8::1", 0, 0).addr, 16);
	op.arg = ~0ULL;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_BANNED, op.verdict);
}

TEST_F(rules, longest_prefix)
{
	const struct weir_rule rules[] = {
		rule("0.0.0.0", 0, WEIR_RULE_DENY),
		rule("10.0.0.0", 8, WEIR_RULE_ALLOW),
		rule("10.1.0.0", 16, WEIR_RULE_DENY),
		rule("10.1.2.3", 32, WEIR_RULE_ALLOW),
		rule("255.255.255.255", 32, WEIR_RULE_ALLOW),
	};

	ASSERT_EQ(0, change(self, rules, 5, 0));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "0.0.0.0"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "9.255.255.255"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "10.0.0.0"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "10.0.255.255"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "10.1.0.0"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "10.1.2.2"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "10.1.2.3"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "10.1.2.4"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "10.2.0.0"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "11.0.0.0"));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "255.255.255.254"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "255.255.255.255"));
	/* the rule does not apply to the other address family */
	EXPECT_EQ(0, totals(self).keys);
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "::1"));
	EXPECT_EQ(1, totals(self).keys);
	/* a rule with a longer prefix than the limiter's decides for its address only */
	ASSERT_EQ(0, put(self, "2001:db8::7", 128, WEIR_RULE_DENY));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "2001:db8::7"));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "2001:db8::8"));
}

/* A ban is lifted if all addresses of the key are allowed. */
TEST_F(rules, lifts)
{
	static const char *const banned[] = { "192.0.2.1", "192.0.3.1",
					      "2001:db8::1", "2001:db9::1" };
	struct weir_op op;

	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, run(self, &op, WEIR_OP_STRIKE, 2, banned[i]));
		EXPECT_EQ(WEIR_BANNED, verdict(self, banned[i]));
	}
	ASSERT_EQ(0, put(self, "192.0.2.0", 24, WEIR_RULE_ALLOW));
	ASSERT_EQ(0, put(self, "2001:db8::", 32, WEIR_RULE_ALLOW));
	/* only one address of a /64 is allowed */
	ASSERT_EQ(0, put(self, "2001:db9::1", 128, WEIR_RULE_ALLOW));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, banned[0]));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0, banned[0]));
	EXPECT_EQ(-ENOENT, run(self, &op, WEIR_OP_LIFT, 0, banned[2]));
	EXPECT_EQ(WEIR_BANNED, verdict(self, banned[1]));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, banned[3]));
	EXPECT_EQ(WEIR_BANNED, verdict(self, "2001:db9::2"));
	EXPECT_EQ(0, run(self, &op, WEIR_OP_LIFT, 0, banned[3]));
}

static bool shows(FIXTURE_DATA(rules) *self, const struct weir_rule *wanted,
		  __u32 count)
{
	struct weir_rule seen[16];
	struct weir_rules args = { .size = sizeof(args), .handle = self->l,
				   .flags = WEIR_RULES_GET, .count = 16,
				   .rules = address(seen) };

	memset(seen, POISON, sizeof(seen));
	return !call(self->fd, WEIR_IOC_RULES, &args) && args.count == count &&
	       !memcmp(seen, wanted, count * sizeof(*wanted)) &&
	       *(unsigned char *)&seen[count] == POISON;
}

TEST_F(rules, all_or_nothing)
{
	const struct weir_rule two[] = {
		rule("10.0.0.0", 8, WEIR_RULE_ALLOW),
		rule("2001:db8::", 32, WEIR_RULE_DENY),
	};
	struct weir_rule many[4];
	struct weir_rules args = { .size = sizeof(args), .handle = self->l,
				   .flags = WEIR_RULES_GET, .count = 1 };

	ASSERT_EQ(0, change(self, two, 2, 0));
	EXPECT_TRUE(shows(self, two, 2));
	/* the last rule is invalid, in one of several ways */
	many[0] = rule("11.0.0.0", 8, WEIR_RULE_DENY);
	many[1] = rule("10.0.0.0", 8, WEIR_RULE_NONE);
	many[2] = rule("10.0.0.0", 9, WEIR_RULE_NONE);
	EXPECT_EQ(-ENOENT, change(self, many, 3, 0));
	EXPECT_EQ(-ENOENT, change(self, two + 1, 0, 0) ?: change(self, many + 2, 1, 0));
	many[2] = rule("10.0.0.1", 31, WEIR_RULE_DENY);		/* has host bits */
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	many[2] = rule("10.0.0.0", 33, WEIR_RULE_DENY);
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	many[2] = rule("10.0.0.0", 8, 3);
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	many[2] = rule("10.0.0.0", 8, WEIR_RULE_DENY);
	many[2].reserved = 1;
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	many[2].reserved = 0;
	many[2].addr[4] = 1;
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	many[2].addr[4] = 0;
	many[2].addr_len = 5;
	EXPECT_EQ(-EINVAL, change(self, many, 3, 0));
	EXPECT_EQ(-EFAULT, change(self, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, change(self, many, WEIR_RULES_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, change(self, many, 1, 4));
	EXPECT_EQ(-EINVAL, change(self, many, 1, WEIR_RULES_GET | WEIR_RULES_CLEAR));
	EXPECT_EQ(-EFAULT, call(self->fd, WEIR_IOC_RULES, &args));
	EXPECT_TRUE(shows(self, two, 2));
	/* the last rule for a block counts */
	many[0] = rule("10.0.0.0", 8, WEIR_RULE_NONE);
	many[1] = rule("10.0.0.0", 8, WEIR_RULE_DENY);
	many[2] = rule("10.0.0.0", 8, WEIR_RULE_ALLOW);
	ASSERT_EQ(0, change(self, many, 3, 0));
	EXPECT_TRUE(shows(self, two, 2));
	ASSERT_EQ(0, change(self, two + 1, 1, WEIR_RULES_CLEAR));
	EXPECT_TRUE(shows(self, two + 1, 1));
	ASSERT_EQ(0, change(self, NULL, 0, WEIR_RULES_CLEAR));
	EXPECT_TRUE(shows(self, NULL, 0));
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "2001:db8::1"));
}

TEST_F(rules, refused)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_rule one = rule("10.0.0.0", 8, WEIR_RULE_ALLOW);
	__u32 ours = self->l;

	ASSERT_EQ(0, object_open(self->fd, WEIR_KIND_LIMITER, OURS "rules",
				 WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE, &self->l));
	EXPECT_EQ(-EACCES, change(self, &one, 1, 0));
	self->l = 12345;
	EXPECT_EQ(-EBADF, change(self, &one, 1, 0));
	ASSERT_EQ(0, limiter_create(self->fd, OURS "u64", &config, &self->l));
	EXPECT_EQ(-EOPNOTSUPP, change(self, &one, 1, 0));
	self->l = ours;
	ASSERT_EQ(0, object_delete(self->fd, self->l));
	EXPECT_EQ(-ENODEV, change(self, &one, 1, 0));
}

/* The maximum number of rules, looked up one by one. */
TEST_F(rules, most)
{
	struct weir_rule *many = calloc(WEIR_RULES_MAX + 1, sizeof(*many));
	unsigned int wrong = 0;
	char text[32];

	for (int i = 0; i <= WEIR_RULES_MAX; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.0", i >> 7, (i & 127) * 2);
		many[i] = rule(text, 24, i % 2 ? WEIR_RULE_ALLOW : WEIR_RULE_DENY);
	}
	ASSERT_EQ(0, change(self, many, WEIR_RULES_MAX, 0));
	for (int i = 0; i < WEIR_RULES_MAX; i += 7) {
		snprintf(text, sizeof(text), "10.%d.%d.77", i >> 7, (i & 127) * 2);
		wrong += verdict(self, text) != (i % 2 ? WEIR_ALLOWED : WEIR_BANNED);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(-ENOSPC, change(self, many + WEIR_RULES_MAX, 1, 0));
	EXPECT_EQ(0, totals(self).keys);
	EXPECT_EQ(WEIR_ALLOWED, verdict(self, "10.0.1.0"));
	free(many);
}

/* In a transaction, an allow rule leaves the decision to others; a deny rule refuses all. */
TEST_F(rules, transaction)
{
	struct weir_op ops[2];
	struct weir_submit submit = { .size = sizeof(submit), .count = 2,
				      .flags = WEIR_SUBMIT_ALL,
				      .ops = address(ops) };

	ASSERT_EQ(0, put(self, "10.0.0.0", 8, WEIR_RULE_ALLOW));
	ASSERT_EQ(0, put(self, "11.0.0.0", 8, WEIR_RULE_DENY));
	ops[0] = op_make(WEIR_OP_CHECK, self->l, 1);
	op_key(&ops[0], rule("12.0.0.1", 0, 0).addr, 4);
	ops[1] = op_make(WEIR_OP_CHECK, self->l, 100);
	op_key(&ops[1], rule("10.0.0.1", 0, 0).addr, 4);
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(9, ops[0].remaining);
	EXPECT_EQ(WEIR_OUT_RULE, ops[1].out_flags);
	op_key(&ops[1], rule("11.0.0.1", 0, 0).addr, 4);
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(WEIR_BANNED, ops[0].verdict);
	EXPECT_EQ(1, ops[0].decided);
	EXPECT_EQ(9, ops[0].remaining);
	EXPECT_EQ(WEIR_OUT_RULE, ops[1].out_flags);
}

/* Rules are added and removed while other processes check: each answer is by one set of rules. */
static int flip(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(rules) *self = arg;
	struct weir_rule sets[2][2] = {
		{ rule("10.0.0.0", 8, WEIR_RULE_ALLOW),
		  rule("10.1.0.0", 16, WEIR_RULE_DENY) },
		{ rule("10.0.0.0", 8, WEIR_RULE_DENY),
		  rule("10.1.0.0", 16, WEIR_RULE_ALLOW) },
	};

	for (int i = 0; !crowd->flag; i++)
		if (change(self, sets[i % 2], 2, WEIR_RULES_CLEAR))
			return 1;
	crowd->seat[me].done++;
	return 0;
}

static int look(struct crowd *crowd, unsigned int me, void *arg)
{
	FIXTURE_DATA(rules) *self = arg;
	struct weir_op op;

	for (int i = 0; i < 2000; i++) {
		if (run(self, &op, WEIR_OP_CHECK, 1, i % 2 ? "10.0.0.1" : "10.1.0.1"))
			return 1;
		if (!(op.out_flags & WEIR_OUT_RULE))
			return 2;
		crowd->seat[me].done++;
	}
	return 0;
}

TEST_F(rules, live)
{
	struct crowd *changer = crowd_make(1), *crowd = crowd_make(4);

	ASSERT_EQ(0, put(self, "10.0.0.0", 8, WEIR_RULE_ALLOW));
	crowd_spawn(changer, flip, self);
	crowd_start(changer);
	EXPECT_EQ(0, crowd_run(crowd, look, self));
	changer->flag = 1;
	EXPECT_EQ(0, crowd_wait(changer));
	EXPECT_EQ(0, totals(self).keys);
	EXPECT_EQ(4 * 2000, totals(self).allowed + totals(self).banned);
	crowd_free(crowd);
	crowd_free(changer);
}

FIXTURE(shadow) {
	int fd;
	__u32 l;
	struct weir_limiter_config config;
};

FIXTURE_SETUP(shadow)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->config = limiter_config(WEIR_KEY_U64);
	self->config.flags = WEIR_LIMITER_SHADOW;
	self->config.strikes = 2;
	self->config.nbans = 1;
	self->config.ban[0] = DAY;
	self->config.max_keys = 2;
	ASSERT_EQ(0, limiter_create(self->fd, OURS "shadow", &self->config,
				    &self->l));
}

FIXTURE_TEARDOWN(shadow)
{
	close(self->fd);
	objects_wipe();
}

static int do_key(FIXTURE_DATA(shadow) *self, struct weir_op *op, __u16 opcode,
		  __s64 n, __u64 key)
{
	return key_run(self->fd, op, opcode, self->l, n, &key, sizeof(key));
}

/* Everything is allowed, and counted as it would have been decided. */
TEST_F(shadow, counts)
{
	struct weir_limiter_stats stats;
	struct weir_op op;

	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 10, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, 0, 10, 0, 0, 0));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_SHADOW, 10, 0, 1, 0));
	EXPECT_LT(0, op.retry_after);
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED,
			    WEIR_OUT_SHADOW | WEIR_OUT_BANNED_NOW, 10, 0, 0, 1));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_ALLOWED, WEIR_OUT_SHADOW, 10, 0, 0, 1));
	EXPECT_LT(0, op.banned_for);
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_PEEK, 1, 1));
	EXPECT_EQ(WEIR_OUT_SHADOW, op.out_flags);
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 2));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 3));	/* the table is full */
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	EXPECT_EQ(WEIR_OUT_SHADOW, op.out_flags);
	/* RESERVE does not wait in shadow mode */
	op = op_make(WEIR_OP_RESERVE, self->l, 10);
	op_key(&op, &(__u64){ 2 }, 8);
	op.arg = ~0ULL;
	ASSERT_EQ(0, op_run(self->fd, &op));
	EXPECT_EQ(WEIR_OUT_SHADOW, op.out_flags);
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(2, stats.allowed);
	EXPECT_EQ(2 + 1, stats.limited + stats.banned - 1);
	EXPECT_EQ(1, stats.full);
	EXPECT_EQ(1, stats.bans);
}

/* Shadow mode is switched on and off while in use; the tokens spent stay. */
TEST_F(shadow, set)
{
	struct weir_limiter_config config = self->config;
	struct weir_op op;

	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 10, 1));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 1, 1));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
	config.flags = 0;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_FLAGS, &config));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_PEEK, 1, 1));
	EXPECT_TRUE(answers(&op, WEIR_LIMITED, 0, 10, 0, 1, 0));
	config.flags = WEIR_LIMITER_SHADOW;
	ASSERT_EQ(0, limiter_set(self->fd, self->l, WEIR_SET_FLAGS, &config));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_PEEK, 1, 1));
	EXPECT_EQ(WEIR_ALLOWED, op.verdict);
}

/* In a transaction, a limiter in shadow mode refuses nothing and is charged with the others. */
TEST_F(shadow, transaction)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_stats stats;
	struct weir_op ops[2], op;
	struct weir_submit submit = { .size = sizeof(submit), .count = 2,
				      .flags = WEIR_SUBMIT_ALL,
				      .ops = address(ops) };
	__u64 key = 1;
	__u32 real;

	ASSERT_EQ(0, limiter_create(self->fd, OURS "real", &config, &real));
	ASSERT_EQ(0, do_key(self, &op, WEIR_OP_CHECK, 9, key));
	ops[0] = op_make(WEIR_OP_CHECK, self->l, 4);
	op_key(&ops[0], &key, sizeof(key));
	ops[1] = op_make(WEIR_OP_CHECK, real, 4);
	op_key(&ops[1], &key, sizeof(key));
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(WEIR_ALLOWED, ops[0].verdict);
	EXPECT_EQ(WEIR_OUT_SHADOW, ops[0].out_flags);
	EXPECT_EQ(1, ops[0].remaining);
	EXPECT_EQ(0, ops[1].out_flags);
	EXPECT_EQ(6, ops[1].remaining);
	ops[1].n = 7;
	ASSERT_EQ(0, call(self->fd, WEIR_IOC_SUBMIT, &submit));
	EXPECT_EQ(WEIR_LIMITED, ops[0].verdict);
	EXPECT_EQ(1, ops[0].decided);
	ASSERT_EQ(0, stats_get(self->fd, self->l, &stats));
	EXPECT_EQ(1, stats.limited);
}

TEST_HARNESS_MAIN
