// SPDX-License-Identifier: GPL-2.0-only
/*
 * limiter_config - the range of every number, and combinations that are out of range
 *
 * Each range is tested at both ends and one step beyond them. A year has 365 days.
 */
#include "harness.h"

#include "client.h"

#define YEAR	(365 * DAY)
#define MS	1000000ULL

FIXTURE(config) {
	int fd;
	struct weir_limiter_config c;
	struct weir_info before;
	__u64 max_keys;
};

FIXTURE_SETUP(config)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
	self->c = limiter_config(WEIR_KEY_U64);
	self->before = info_get(self->fd);
	self->max_keys = parameter_get("max_keys");
	parameter_set("max_keys", 2 * WEIR_KEYS_MAX);
}

FIXTURE_TEARDOWN(config)
{
	EXPECT_EQ(self->before.objects, info_get(self->fd).objects);
	parameter_set("max_keys", self->max_keys);
	close(self->fd);
	objects_wipe();
}

/*
 * Create a limiter with @c, read the configuration into @seen, delete it. Return: the errno of
 * CREATE.
 */
static int create_and_see(FIXTURE_DATA(config) *self,
			  const struct weir_limiter_config *c,
			  struct weir_limiter_config *seen)
{
	struct weir_info before = info_get(self->fd);
	__u32 handle;
	int ret = limiter_create(self->fd, OURS "config", c, &handle);

	if (ret)
		return info_get(self->fd).event_next == before.event_next ?
		       ret : -EPROTO;
	ret = limiter_get(self->fd, handle, seen);
	ret = ret ?: object_delete(self->fd, handle);
	return ret ?: handle_close(self->fd, handle);
}

static int create(FIXTURE_DATA(config) *self)
{
	struct weir_limiter_config seen;

	return create_and_see(self, &self->c, &seen);
}

#define EXPECT_RANGE(member, min, max, below)				\
	do {								\
		self->c.member = (min);					\
		EXPECT_EQ(0, create(self)) { TH_LOG("least " #member); }\
		self->c.member = (max);					\
		EXPECT_EQ(0, create(self)) { TH_LOG("most " #member); }	\
		self->c.member = (max) + 1;				\
		EXPECT_EQ(-EINVAL, create(self)) {			\
			TH_LOG("beyond most " #member);			\
		}							\
		self->c.member = (min) - 1;				\
		EXPECT_EQ(below, create(self)) {			\
			TH_LOG("below least " #member);			\
		}							\
	} while (0)

TEST_F(config, defaults_come_back)
{
	struct weir_limiter_config wanted = self->c, seen;

	wanted.burst = 10;
	wanted.max_keys = 65536;
	wanted.within = 600 * SECOND;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen)));

	self->c.key_type = wanted.key_type = WEIR_KEY_IP;
	wanted.prefix4 = 32;
	wanted.prefix6 = 64;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen)));

	self->c.key_type = wanted.key_type = WEIR_KEY_NONE;
	wanted.prefix4 = 0;
	wanted.prefix6 = 0;
	wanted.max_keys = 1;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen)));

	/* forget_after defaults to the last step of the ladder */
	self->c.strikes = wanted.strikes = 5;
	self->c.nbans = wanted.nbans = 2;
	self->c.ban[0] = wanted.ban[0] = SECOND;
	self->c.ban[1] = wanted.ban[1] = HOUR;
	wanted.forget_after = HOUR;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen)));

	self->c.algorithm = wanted.algorithm = WEIR_ALGORITHM_WINDOW;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen)));
}

TEST_F(config, all_members_come_back)
{
	struct weir_limiter_config seen;

	self->c = (struct weir_limiter_config){
		.size = sizeof(self->c), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_IP, .when_full = WEIR_FULL_ALLOW,
		.tokens = 12, .period = 34 * SECOND, .burst = 56, .max_keys = 78,
		.prefix4 = 9, .prefix6 = 10, .strikes = 11, .within = 12 * HOUR,
		.forget_after = 13 * DAY, .nbans = 8,
		.ban = { MS, 2, 3, 4, 5, 6, 7, 8 * DAY }, .ban_jitter = 14 * DAY,
	};
	for (int i = 1; i < 7; i++)
		self->c.ban[i] *= HOUR;
	ASSERT_EQ(0, create_and_see(self, &self->c, &seen));
	EXPECT_EQ(0, memcmp(&self->c, &seen, sizeof(seen)));
}

TEST_F(config, tokens)
{
	EXPECT_RANGE(tokens, 1, 0xffffffffULL, -EINVAL);
	self->c.algorithm = WEIR_ALGORITHM_WINDOW;
	EXPECT_RANGE(tokens, 1, (1ULL << 27) - 1, -EINVAL);
	self->c.algorithm = WEIR_ALGORITHM_SLIDING;
	self->c.period = 60 * SECOND;
	self->c.tokens = (1ULL << 19) - 1;
	EXPECT_EQ(0, create(self));
	self->c.tokens++;
	EXPECT_EQ(-ERANGE, create(self));
	self->c.period = 100 * DAY;
	EXPECT_RANGE(tokens, 1, (1ULL << 27) - 1, -EINVAL);
}

TEST_F(config, period)
{
	self->c.tokens = 1;
	EXPECT_RANGE(period, 1, 100 * DAY, -EINVAL);
	self->c.algorithm = WEIR_ALGORITHM_WINDOW;
	EXPECT_RANGE(period, 10 * MS, 100 * DAY, -EINVAL);
	self->c.algorithm = WEIR_ALGORITHM_SLIDING;
	EXPECT_RANGE(period, 10 * MS, 100 * DAY, -EINVAL);
}

TEST_F(config, burst)
{
	/* 0 selects the default */
	self->c.tokens = 1000;
	self->c.period = SECOND;
	EXPECT_RANGE(burst, 1, 0xffffffffULL, 0);
	self->c.algorithm = WEIR_ALGORITHM_WINDOW;
	EXPECT_EQ(0, create(self));
	self->c.burst = 1000;
	EXPECT_EQ(0, create(self));
	self->c.burst = 999;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.burst = 1001;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(config, max_keys)
{
	EXPECT_RANGE(max_keys, 1, WEIR_KEYS_MAX, 0);
	self->c.key_type = WEIR_KEY_NONE;
	EXPECT_RANGE(max_keys, 1, 1, 0);
}

TEST_F(config, prefixes)
{
	self->c.key_type = WEIR_KEY_IP;
	EXPECT_RANGE(prefix4, 1, 32, 0);
	self->c.prefix4 = 255;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.prefix4 = 0;
	EXPECT_RANGE(prefix6, 1, 128, 0);
	self->c.prefix6 = 255;
	EXPECT_EQ(-EINVAL, create(self));
	for (int type = WEIR_KEY_NONE; type <= WEIR_KEY_TEXT; type++) {
		if (type == WEIR_KEY_IP)
			continue;
		self->c.key_type = type;
		self->c.prefix4 = 24;
		self->c.prefix6 = 0;
		EXPECT_EQ(-EINVAL, create(self));
		self->c.prefix4 = 0;
		self->c.prefix6 = 64;
		EXPECT_EQ(-EINVAL, create(self));
	}
}

TEST_F(config, enumerations)
{
	static const __u32 unknown[] = { 4, 3, 255, 0x80000000U, 0xffffffffU };

	/* an unknown algorithm is EOPNOTSUPP, not EINVAL */
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		if (unknown[i] == WEIR_ALGORITHM_SLIDING)
			continue;
		self->c.algorithm = unknown[i];
		EXPECT_EQ(-EOPNOTSUPP, create(self));
	}
	self->c.algorithm = WEIR_ALGORITHM_BUCKET;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		if (unknown[i] == WEIR_KEY_TEXT)
			continue;
		self->c.key_type = unknown[i];
		EXPECT_EQ(-EINVAL, create(self));
	}
	self->c.key_type = WEIR_KEY_U64;
	self->c.when_full = 1;
	EXPECT_EQ(0, create(self));
	self->c.when_full = 2;
	EXPECT_EQ(-EINVAL, create(self));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		self->c.when_full = unknown[i];
		EXPECT_EQ(-EINVAL, create(self));
	}
}

TEST_F(config, reserved)
{
	for (int bit = 1; bit < 16; bit++) {
		self->c.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, create(self));
	}
}

TEST_F(config, queue_max)
{
	self->c.queue_max = 0xffffffff;
	EXPECT_EQ(0, create(self));
}

TEST_F(config, within)
{
	EXPECT_RANGE(within, MS, 100 * DAY, -EINVAL);
	self->c.within = 1;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.within = 0;
	EXPECT_EQ(0, create(self));
}

TEST_F(config, ladder)
{
	/* strikes and ladder are given both or not at all */
	self->c.strikes = 1;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.strikes = 0;
	self->c.nbans = 1;
	self->c.ban[0] = HOUR;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.strikes = 0xffffffff;
	EXPECT_EQ(0, create(self));
	for (__u32 n = 1; n <= WEIR_LADDER_MAX; n++) {
		self->c.ban[n - 1] = n * HOUR;
		self->c.nbans = n;
		EXPECT_EQ(0, create(self));
		/* unused steps must be zero */
		self->c.nbans = n - 1;
		EXPECT_EQ(-EINVAL, create(self));
	}
	self->c.nbans = WEIR_LADDER_MAX + 1;
	EXPECT_EQ(-EINVAL, create(self));
	for (int i = 0; i < WEIR_LADDER_MAX; i++) {
		self->c.nbans = WEIR_LADDER_MAX;
		EXPECT_RANGE(ban[i], MS, 10 * YEAR, -EINVAL);
		self->c.ban[i] = HOUR;
	}
	EXPECT_RANGE(forget_after, 1, 10 * YEAR, 0);
	self->c.forget_after = WEIR_NEVER;
	EXPECT_EQ(-EINVAL, create(self));
	self->c.forget_after = 0;
	EXPECT_RANGE(ban_jitter, 0, YEAR, -EINVAL);
}

TEST_F(config, out_of_range_together)
{
	/* a key may take two years to become full, and not a nanosecond more */
	self->c.tokens = 1;
	self->c.period = 73 * DAY;
	self->c.burst = 10;
	EXPECT_EQ(0, create(self));
	self->c.period++;
	EXPECT_EQ(-ERANGE, create(self));
	self->c.period--;
	self->c.burst++;
	EXPECT_EQ(-ERANGE, create(self));
	self->c.burst = 0xffffffff;
	EXPECT_EQ(-ERANGE, create(self));
	/* more than one token per nanosecond cannot be kept */
	self->c.tokens = 0xffffffff;
	self->c.period = 1;
	self->c.burst = 0;
	EXPECT_EQ(-ERANGE, create(self));
	/* these two limits do not apply to a window */
	self->c.algorithm = WEIR_ALGORITHM_WINDOW;
	self->c.tokens = (1 << 27) - 1;
	self->c.period = 10 * MS;
	EXPECT_EQ(0, create(self));
	self->c.period = 100 * DAY;
	EXPECT_EQ(0, create(self));
}

/*
 * SET changes the members in its mask and no others. All members of the new configuration differ
 * here.
 */
TEST_F(config, set_each_member)
{
	const struct weir_limiter_config first = {
		.size = sizeof(first), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .when_full = WEIR_FULL_REFUSE,
		.tokens = 10, .period = DAY, .burst = 20, .max_keys = 30,
		.strikes = 4, .within = 5 * HOUR, .forget_after = 6 * HOUR,
		.nbans = 1, .ban = { 7 * HOUR },
	};
	const struct weir_limiter_config second = {
		.size = sizeof(second), .algorithm = WEIR_ALGORITHM_WINDOW,
		.key_type = WEIR_KEY_TEXT, .when_full = WEIR_FULL_ALLOW,
		.tokens = 11, .period = 2 * DAY, .burst = 21, .max_keys = 31,
		.prefix4 = 1, .prefix6 = 1,
		.strikes = 5, .within = 6 * HOUR, .forget_after = 7 * HOUR,
		.nbans = 2, .ban = { 8 * HOUR, 9 * HOUR },
	};

	for (__u64 mask = 1; mask < 2 * WEIR_SET_FORGET_AFTER; mask++) {
		struct weir_limiter_config wanted = first, seen;
		__u32 handle;

		if (mask & WEIR_SET_RATE) {
			wanted.tokens = second.tokens;
			wanted.period = second.period;
		}
		if (mask & WEIR_SET_BURST)
			wanted.burst = second.burst;
		if (mask & WEIR_SET_MAX_KEYS)
			wanted.max_keys = second.max_keys;
		if (mask & WEIR_SET_WHEN_FULL)
			wanted.when_full = second.when_full;
		if (mask & WEIR_SET_STRIKES) {
			wanted.strikes = second.strikes;
			wanted.nbans = second.nbans;
			memcpy(wanted.ban, second.ban, sizeof(wanted.ban));
		}
		if (mask & WEIR_SET_WITHIN)
			wanted.within = second.within;
		if (mask & WEIR_SET_FORGET_AFTER)
			wanted.forget_after = second.forget_after;
		ASSERT_EQ(0, limiter_create(self->fd, OURS "config-set", &first,
					    &handle));
		EXPECT_EQ(0, limiter_set(self->fd, handle, mask, &second)) {
			TH_LOG("mask %#llx", (unsigned long long)mask);
		}
		ASSERT_EQ(0, limiter_get(self->fd, handle, &seen));
		EXPECT_EQ(0, memcmp(&wanted, &seen, sizeof(seen))) {
			TH_LOG("mask %#llx", (unsigned long long)mask);
		}
		ASSERT_EQ(0, object_delete(self->fd, handle));
		ASSERT_EQ(0, handle_close(self->fd, handle));
	}
}

/* A refused SET changes nothing and emits no event. */
TEST_F(config, set_refused)
{
	struct weir_limiter_config before, seen, bad;
	struct weir_info info;
	__u32 handle;

	ASSERT_EQ(0, limiter_create(self->fd, OURS "config-set", &self->c,
				    &handle));
	ASSERT_EQ(0, limiter_get(self->fd, handle, &before));
	info = info_get(self->fd);
	bad = self->c;
	bad.tokens = 0;
	bad.burst = 77;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle,
				       WEIR_SET_RATE | WEIR_SET_BURST, &bad));
	/* members outside the mask are ignored */
	bad.burst = 10;
	EXPECT_EQ(0, limiter_set(self->fd, handle, WEIR_SET_BURST, &bad));
	EXPECT_EQ(info.event_next + 1, info_get(self->fd).event_next);
	bad.burst = 0xffffffff;
	EXPECT_EQ(-ERANGE, limiter_set(self->fd, handle, WEIR_SET_BURST, &bad));
	bad = self->c;
	bad.max_keys = WEIR_KEYS_MAX + 1;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_MAX_KEYS,
				       &bad));
	bad.strikes = 3;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_STRIKES,
				       &bad));
	bad.within = MS - 1;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_WITHIN, &bad));
	bad.when_full = 2;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_WHEN_FULL,
				       &bad));
	bad.forget_after = 10 * YEAR + 1;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_FORGET_AFTER,
				       &bad));
	bad.ban_jitter = YEAR + 1;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_BAN_JITTER,
				       &bad));
	/* the mask has no bit for the key type or the prefix */
	bad = self->c;
	bad.prefix4 = 24;
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, 0x200, &bad));
	EXPECT_EQ(-EINVAL, limiter_set(self->fd, handle, WEIR_SET_RATE | 0x200, &bad));
	parameter_set("max_keys", 65536);
	bad.max_keys = 65537;
	EXPECT_EQ(-ENOSPC, limiter_set(self->fd, handle, WEIR_SET_MAX_KEYS,
				       &bad));
	ASSERT_EQ(0, limiter_get(self->fd, handle, &seen));
	EXPECT_EQ(0, memcmp(&before, &seen, sizeof(seen)));
	EXPECT_EQ(info.event_next + 1, info_get(self->fd).event_next);
	ASSERT_EQ(0, object_delete(self->fd, handle));
}

TEST_HARNESS_MAIN
