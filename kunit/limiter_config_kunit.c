// SPDX-License-Identifier: GPL-2.0-only
/* Checks and changes of a limiter's configuration (src/limiter/limiter_config.c). */

#include <kunit/test.h>

#include "limiter_fixture.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define DAY	WEIR_NSEC_PER_DAY
#define YEAR	WEIR_NSEC_PER_YEAR

__diag_push();
__diag_ignore_all("-Woverride-init", "rows name the members that differ from BASE");

/* The smallest valid configuration. Rows override members of it. */
#define BASE	.algorithm = WEIR_ALGORITHM_BUCKET, .key_type = WEIR_KEY_U64,	\
		.tokens = 10, .period = SECOND, .max_keys = 100
#define WINDOW	.algorithm = WEIR_ALGORITHM_WINDOW, .key_type = WEIR_KEY_U64,	\
		.tokens = 10, .period = SECOND, .max_keys = 100
#define LADDER	.strikes = 3, .nbans = 2, .ban = { SECOND, 2 * SECOND }

/**
 * struct config_row - a configuration and the error it causes
 * @name: name of the row
 * @err: expected error; 0: the configuration is valid
 * @config: the configuration
 */
struct config_row {
	const char *name;
	int err;
	struct weir_limiter_config config;
};

static const struct config_row config_rows[] = {
	{ "plain", 0, { BASE } },
	{ "window", 0, { WINDOW } },
	{ "algorithm 0", -EOPNOTSUPP, { BASE, .algorithm = 0 } },
	{ "algorithm 4", -EOPNOTSUPP, { BASE, .algorithm = 4 } },
	{ "key type 4", -EINVAL, { BASE, .key_type = 4 } },
	{ "when full 2", -EINVAL, { BASE, .when_full = 2 } },
	{ "shadow", 0, { BASE, .flags = WEIR_LIMITER_SHADOW } },
	{ "flags", -EINVAL, { BASE, .flags = 2 } },
	{ "queue", 0, { BASE, .queue_max = U32_MAX } },
	{ "no tokens", -EINVAL, { BASE, .tokens = 0 } },
	{ "most tokens", 0, { BASE, .tokens = U32_MAX, .period = 100 * SECOND } },
	{ "one too many", -EINVAL, { BASE, .tokens = U32_MAX + 1ULL } },
	{ "window, most tokens", 0, { WINDOW, .tokens = WEIR_WINDOW_LIMIT_MAX } },
	{ "window, one too many", -EINVAL,
	  { WINDOW, .tokens = WEIR_WINDOW_LIMIT_MAX + 1 } },
	{ "no period", -EINVAL, { BASE, .period = 0 } },
	{ "longest period", 0, { BASE, .period = 100 * DAY, .burst = 1 } },
	{ "a ns too long", -EINVAL, { BASE, .period = 100 * DAY + 1, .burst = 1 } },
	{ "shortest period", 0, { BASE, .period = 1, .tokens = 1 } },
	{ "window, shortest", 0, { WINDOW, .period = 10 * NSEC_PER_MSEC } },
	{ "window, too short", -EINVAL, { WINDOW, .period = 10 * NSEC_PER_MSEC - 1 } },
	{ "burst", 0, { BASE, .tokens = 1000, .burst = U32_MAX } },
	{ "burst too large", -EINVAL, { BASE, .burst = U32_MAX + 1ULL } },
	{ "window, burst is the limit", 0, { WINDOW, .burst = 10 } },
	{ "window, another burst", -EINVAL, { WINDOW, .burst = 11 } },
	{ "two years to fill", 0, { BASE, .tokens = 1, .period = DAY, .burst = 730 } },
	{ "more", -ERANGE, { BASE, .tokens = 1, .period = DAY, .burst = 731 } },
	{ "most keys", -EINVAL, { BASE, .max_keys = WEIR_KEYS_MAX + 1 } },
	{ "no key", 0, { BASE, .key_type = WEIR_KEY_NONE, .max_keys = 1 } },
	{ "no key, two of them", -EINVAL,
	  { BASE, .key_type = WEIR_KEY_NONE, .max_keys = 2 } },
	{ "prefix without addresses", -EINVAL, { BASE, .prefix4 = 24 } },
	{ "prefixes", 0, { BASE, .key_type = WEIR_KEY_IP, .prefix4 = 32, .prefix6 = 128 } },
	{ "prefix4 too long", -EINVAL, { BASE, .key_type = WEIR_KEY_IP, .prefix4 = 33 } },
	{ "prefix6 too long", -EINVAL, { BASE, .key_type = WEIR_KEY_IP, .prefix6 = 129 } },
	{ "ladder", 0, { BASE, LADDER } },
	{ "strikes without bans", -EINVAL, { BASE, .strikes = 3 } },
	{ "bans without strikes", -EINVAL, { BASE, LADDER, .strikes = 0 } },
	{ "a step too many", -EINVAL, { BASE, LADDER, .nbans = 9 } },
	{ "a step missing", -EINVAL, { BASE, LADDER, .nbans = 3 } },
	{ "a step beyond", -EINVAL, { BASE, LADDER, .nbans = 1 } },
	{ "shortest ban", 0, { BASE, .strikes = 1, .nbans = 1, .ban = { NSEC_PER_MSEC } } },
	{ "too short", -EINVAL,
	  { BASE, .strikes = 1, .nbans = 1, .ban = { NSEC_PER_MSEC - 1 } } },
	{ "longest ban", 0, { BASE, .strikes = 1, .nbans = 1, .ban = { 10 * YEAR } } },
	{ "too long", -EINVAL,
	  { BASE, .strikes = 1, .nbans = 1, .ban = { 10 * YEAR + 1 } } },
	{ "shortest within", 0, { BASE, .within = NSEC_PER_MSEC } },
	{ "within too short", -EINVAL, { BASE, .within = NSEC_PER_MSEC - 1 } },
	{ "longest within", 0, { BASE, .within = 100 * DAY } },
	{ "within too long", -EINVAL, { BASE, .within = 100 * DAY + 1 } },
	{ "longest memory", 0, { BASE, LADDER, .forget_after = 10 * YEAR } },
	{ "longest jitter", 0, { BASE, .ban_jitter = YEAR } },
	{ "jitter too long", -EINVAL, { BASE, .ban_jitter = YEAR + 1 } },
	{ "memory too long", -EINVAL, { BASE, LADDER, .forget_after = 10 * YEAR + 1 } },
};

static void config_describe(const struct config_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(config, config_rows, config_describe);

static void config_is_checked(struct kunit *test)
{
	const struct config_row *row = test->param_value;
	struct weir_limiter *l;
	int err = limiter_try(&row->config, &l);

	KUNIT_EXPECT_EQ(test, row->err, err);
}

/* A change is checked like a creation. The resulting configuration must be valid. */
static void config_change_is_checked(struct kunit *test)
{
	const struct config_row *row = test->param_value;
	struct weir_limiter_config base = { BASE };
	struct weir_limiter *l;
	int err;

	base.algorithm = row->config.algorithm;
	base.key_type = row->config.key_type;
	base.prefix4 = row->config.prefix4;
	base.prefix6 = row->config.prefix6;
	if (row->config.key_type == WEIR_KEY_NONE)
		base.max_keys = 1;
	if (limiter_try(&base, &l))
		return;	/* the error is in a member that cannot be changed */
	base = *limiter_config(l);
	err = limiter_set_config(l, &row->config, WEIR_SET_RATE | WEIR_SET_BURST |
				 WEIR_SET_MAX_KEYS | WEIR_SET_WHEN_FULL |
				 WEIR_SET_STRIKES | WEIR_SET_WITHIN |
				 WEIR_SET_FORGET_AFTER | WEIR_SET_BAN_JITTER);
	KUNIT_EXPECT_EQ(test, row->err, err);
	if (err)
		KUNIT_EXPECT_EQ(test, 0, memcmp(&base, limiter_config(l), sizeof(base)));
}

static void config_defaults(struct kunit *test)
{
	const struct weir_limiter_config *c;
	struct weir_limiter *l;

	l = limiter_new(test, &(struct weir_limiter_config){
		BASE, LADDER, .key_type = WEIR_KEY_IP, .max_keys = 0 });
	c = limiter_config(l);
	KUNIT_EXPECT_EQ(test, 10, c->burst);
	KUNIT_EXPECT_EQ(test, 65536, c->max_keys);
	KUNIT_EXPECT_EQ(test, 32, c->prefix4);
	KUNIT_EXPECT_EQ(test, 64, c->prefix6);
	KUNIT_EXPECT_EQ(test, 600 * SECOND, c->within);
	KUNIT_EXPECT_EQ(test, 2 * SECOND, c->forget_after);
	KUNIT_EXPECT_EQ(test, 65536, l->table.max_keys);
}

/* Only members named in the mask are changed. */
static void config_mask(struct kunit *test)
{
	struct weir_limiter_config new = { BASE, .tokens = 77, .burst = 88,
					   .within = 99 * SECOND };
	const struct weir_limiter_config *c;
	struct weir_limiter *l;

	l = limiter_new(test, &(struct weir_limiter_config){ BASE, .burst = 20 });
	KUNIT_EXPECT_EQ(test, 0, limiter_set_config(l, &new, WEIR_SET_BURST));
	c = limiter_config(l);
	KUNIT_EXPECT_EQ(test, 10, c->tokens);
	KUNIT_EXPECT_EQ(test, 88, c->burst);
	KUNIT_EXPECT_EQ(test, 600 * SECOND, c->within);
	KUNIT_EXPECT_EQ(test, 0, limiter_set_config(l, &new, WEIR_SET_RATE));
	c = limiter_config(l);
	KUNIT_EXPECT_EQ(test, 77, c->tokens);
	KUNIT_EXPECT_EQ(test, 88, c->burst);
	KUNIT_EXPECT_EQ(test, -EINVAL, limiter_set_config(l, &new, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, limiter_set_config(l, &new, WEIR_SET_RULES));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&fake_events.count[WEIR_EVENT_CHANGED]));
	KUNIT_EXPECT_EQ(test, WEIR_SET_RATE, fake_events.value);
}

/* A change that exceeds the owner's cap is refused and changes nothing. */
static void config_over_quota(struct kunit *test)
{
	struct weir_limiter_config new = { BASE, .max_keys = 101, .burst = 30 };
	struct weir_limiter *l = limiter_new(test, &(struct weir_limiter_config){ BASE });

	*fake_max_keys_per_uid.value = 100;
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			limiter_set_config(l, &new, WEIR_SET_MAX_KEYS | WEIR_SET_BURST));
	KUNIT_EXPECT_EQ(test, 100, l->table.max_keys);
	KUNIT_EXPECT_EQ(test, 10, limiter_config(l)->burst);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_events.count[WEIR_EVENT_CHANGED]));
}

__diag_pop();

static struct kunit_case limiter_config_cases[] = {
	KUNIT_CASE_PARAM(config_is_checked, config_gen_params),
	KUNIT_CASE_PARAM(config_change_is_checked, config_gen_params),
	KUNIT_CASE(config_defaults),
	KUNIT_CASE(config_mask),
	KUNIT_CASE(config_over_quota),
	{}
};

static struct kunit_suite weir_limiter_config_suite = {
	.name = "weir_limiter_config",
	.suite_init = fixture_suite_init,
	.suite_exit = fixture_suite_exit,
	.init = limiter_fixture_init,
	.exit = limiter_fixture_exit,
	.test_cases = limiter_config_cases,
};

kunit_test_suite(weir_limiter_config_suite);
