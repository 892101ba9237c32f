// SPDX-License-Identifier: LGPL-2.1-or-later
/* Breakers of the library, with a live /dev/weir. */

#include <errno.h>
#include <string.h>

#include "device.h"

static const struct weir_breaker_config two_failures = {
	.size = sizeof(two_failures), .key_type = WEIR_KEY_TEXT, .failures = 2,
	.within = HOUR, .nopen = 1, .open = { HOUR },
};

static void test_breaker_object(void)
{
	struct weir_breaker_config config = two_failures;
	struct weir_create create = {
		.owner = WEIR_OWNER_DEFAULT,
		.size = sizeof(create), .kind = WEIR_KIND_BREAKER, .mode = 0600,
		.gid = WEIR_GID_DEFAULT, .rights = WEIR_RIGHT_USE,
		.flags = WEIR_CREATE_EXISTING_OK, .config = (uintptr_t)&config,
		.name = "lib.b",
	};
	struct weir_breaker *breaker, *other;

	ok(!weir_breaker_open(weir, "lib.b", WEIR_RIGHT_USE) && errno == ENOENT,
	   "open fails without a breaker");
	breaker = weir_breaker_ensure(weir, "lib.b", &config, 0600, WEIR_RIGHT_ALL);
	ok(breaker && weir_breaker_key_type(breaker) == WEIR_KEY_TEXT,
	   "ensure creates a breaker");
	ok(!weir_breaker_create(weir, "lib.b", &config, 0600) && errno == EEXIST,
	   "a second breaker of that name is refused");
	config.percent = 50;
	ok(!weir_breaker_create(weir, "lib.h", &config, 0600) && errno == EINVAL,
	   "failures and percent together are refused");
	config.percent = 0;
	ok(weir_create(weir, &create) == 0 && !create.created, "weir_create() opens a handle");
	other = weir_breaker_adopt(weir, create.handle);
	ok(other && weir_breaker_key_type(other) == -1 &&
	   weir_breaker_handle(other) == create.handle,
	   "the handle is adopted; without OBSERVE the key type is unknown");
	weir_breaker_close(other);
	ok(weir_breaker_get_config(breaker, &config) == 0 && config.failures == 2 &&
	   config.probes == 1 && config.successes == 1, "defaults are filled in");
	errno = ENOTEMPTY;
	weir_breaker_close(breaker);
	weir_breaker_close(NULL);
	ok(errno == ENOTEMPTY, "close does not change errno");
}

static void test_breaker(void)
{
	struct weir_breaker *breaker = weir_breaker_open(weir, "lib.b", WEIR_RIGHT_ALL);
	struct weir_breaker_answer answer;
	char text[WEIR_KEY_MAX];
	struct weir_key key, number;
	struct weir_op ops[2];
	uint64_t ticket;

	memset(text, 'k', sizeof(text));
	weir_key_text(&key, text, sizeof(text));
	weir_key_u64(&number, 1);
	ok(weir_breaker_allow(breaker, &number, 0, NULL) < 0 && errno == EINVAL,
	   "a key of another type is refused");
	ok(weir_breaker_allow(breaker, &key, 2, NULL) < 0 && errno == EINVAL,
	   "unknown flags are refused");
	ok(weir_breaker_allow(breaker, &key, 0, &answer) == WEIR_ALLOWED &&
	   answer.ticket && answer.state == WEIR_CLOSED && !answer.probe,
	   "a closed breaker admits");
	ticket = answer.ticket;
	ok(weir_breaker_report(breaker, &key, ticket, WEIR_CALL_FAILED, &answer) == 0 &&
	   answer.state == WEIR_CLOSED && !answer.late, "one failure counts");
	ok(weir_breaker_report(breaker, &key, ticket + 2 * HOUR, WEIR_CALL_OK, NULL) < 0 &&
	   errno == ENOENT, "a report with a future ticket is refused");
	ok(weir_breaker_report(breaker, &key, ticket, 4, NULL) < 0 && errno == EINVAL,
	   "an unknown outcome is refused");
	weir_op_breaker(&ops[0], breaker, WEIR_OP_REPORT, &key, 0);
	ops[0].n = WEIR_CALL_FAILED;
	weir_op_breaker(&ops[1], breaker, WEIR_OP_ALLOW, &key, 0);
	ok(weir_submit(weir, ops, 2) == 2 && !ops[0].result && !ops[1].result,
	   "a batch of two operations");
	weir_op_breaker_answer(&ops[1], &answer);
	ok(answer.verdict == WEIR_LIMITED && answer.state == WEIR_OPEN &&
	   !answer.ticket && answer.retry_after <= HOUR && answer.retry_after > HOUR / 2,
	   "the second failure opens the breaker");
	ok(weir_breaker_report(breaker, &key, ticket, WEIR_CALL_OK, &answer) == 1 &&
	   answer.late && answer.state == WEIR_OPEN, "a later report is late");
	ok(weir_breaker_state(breaker, &key, &answer) == 0 &&
	   answer.state == WEIR_OPEN && answer.verdict == WEIR_NONE, "the state is open");
	ok(weir_breaker_allow(breaker, NULL, 0, NULL) < 0 && errno == EINVAL,
	   "a missing key is refused");
	weir_breaker_close(breaker);
}

static void test_breaker_moves(void)
{
	struct weir_breaker *breaker = weir_breaker_open(weir, "lib.b", WEIR_RIGHT_ALL);
	struct weir_breaker_stats stats = { .size = sizeof(stats) };
	struct weir_breaker_answer answer;
	struct weir_key key;

	weir_key_text(&key, "other", 5);
	ok(weir_breaker_trip(breaker, &key, 2 * HOUR, &answer) == 0 &&
	   answer.state == WEIR_OPEN, "trip opens the breaker");
	ok(weir_breaker_trip(breaker, &key, HOUR, &answer) == 1 &&
	   answer.verdict == WEIR_LIMITED && answer.retry_after > HOUR,
	   "trip extends the time, and never shortens it");
	ok(weir_breaker_trip(breaker, &key, WEIR_NEVER, &answer) == 0 &&
	   answer.retry_after == WEIR_NEVER, "trip opens the breaker for ever");
	ok(weir_breaker_reset(breaker, &key, &answer) == 0 &&
	   answer.state == WEIR_CLOSED && !answer.failures, "reset closes the breaker");
	/* the 1 ns has passed by the next call */
	ok(weir_breaker_trip(breaker, &key, 1, NULL) == 0 &&
	   weir_breaker_allow(breaker, &key, 0, &answer) == WEIR_ALLOWED &&
	   answer.probe && answer.state == WEIR_HALF_OPEN, "half-open: a probe");
	ok(weir_breaker_allow(breaker, &key, 0, NULL) == WEIR_LIMITED,
	   "half-open: a second probe is refused");
	ok(weir_breaker_report(breaker, &key, answer.ticket, WEIR_CALL_WITHDRAWN, NULL) == 0 &&
	   weir_breaker_allow(breaker, &key, WEIR_OP_DETACHED, &answer) == WEIR_ALLOWED &&
	   answer.probe, "after a withdrawn probe another one is admitted");
	ok(weir_breaker_state(breaker, &key, &answer) == 0 && answer.calls == 1 &&
	   answer.failures == 0, "the state counts the outstanding probe");
	ok(weir_breaker_report(breaker, &key, 0, WEIR_CALL_OK, &answer) == 0 &&
	   answer.state == WEIR_CLOSED, "the success of the probe closes the breaker");
	ok(weir_breaker_get_stats(breaker, &stats) == 0 && stats.allowed == 3 &&
	   stats.rejected == 2 && stats.succeeded == 1 && stats.failed == 2 &&
	   stats.late == 1 && stats.lost == 0, "the totals are right");
	ok(weir_breaker_delete(breaker) == 0 &&
	   weir_breaker_allow(breaker, &key, 0, NULL) < 0 && errno == ENODEV,
	   "a deleted breaker fails with ENODEV");
	weir_breaker_close(breaker);
}

void test_breakers(void)
{
	test_breaker_object();
	test_breaker();
	test_breaker_moves();
}
