// SPDX-License-Identifier: LGPL-2.1-or-later
/* Gates of the library, with a live /dev/weir. */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "device.h"

static void test_gate_object(void)
{
	struct weir_gate_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_TEXT, .permits = 3,
	};
	struct weir_create create = {
		.owner = WEIR_OWNER_DEFAULT,
		.size = sizeof(create), .kind = WEIR_KIND_GATE, .mode = 0600,
		.gid = WEIR_GID_DEFAULT, .rights = WEIR_RIGHT_USE,
		.flags = WEIR_CREATE_EXISTING_OK, .config = (uintptr_t)&config,
		.name = "lib.g",
	};
	struct weir_gate *gate, *other;

	ok(!weir_gate_open(weir, "lib.g", WEIR_RIGHT_USE) && errno == ENOENT,
	   "open fails without a gate");
	gate = weir_gate_ensure(weir, "lib.g", &config, 0600, WEIR_RIGHT_ALL);
	ok(gate && weir_gate_key_type(gate) == WEIR_KEY_TEXT, "ensure creates a gate");
	ok(!weir_gate_create(weir, "lib.g", &config, 0600) && errno == EEXIST,
	   "a second gate of that name is refused");
	config.permits = 0;
	ok(!weir_gate_create(weir, "lib.h", &config, 0600) && errno == EINVAL,
	   "a gate without permits is refused");
	config.permits = 3;
	ok(weir_create(weir, &create) == 0 && !create.created, "weir_create() opens a handle");
	other = weir_gate_adopt(weir, create.handle);
	ok(other && weir_gate_key_type(other) == -1 &&
	   weir_gate_handle(other) == create.handle,
	   "the handle is adopted; without OBSERVE the key type is unknown");
	weir_gate_close(other);
	ok(weir_gate_resize(gate, 5) == 0 &&
	   weir_gate_get_config(gate, &config) == 0 && config.permits == 5,
	   "set adds permits");
	weir_gate_close(gate);
	weir_gate_close(NULL);
}

static void test_gate(void)
{
	struct weir_gate *gate = weir_gate_open(weir, "lib.g", WEIR_RIGHT_ALL);
	struct weir_gate_stats stats = { .size = sizeof(stats) };
	struct weir_gate_answer answer;
	char text[WEIR_KEY_MAX];
	struct weir_key key, number;
	struct weir_op ops[2];

	memset(text, 'k', sizeof(text));
	weir_key_text(&key, text, sizeof(text));
	weir_key_u64(&number, 1);
	ok(weir_gate_try(gate, &number, 1, NULL) < 0 && errno == EINVAL,
	   "a key of another type is refused");
	ok(weir_gate_try(gate, NULL, 1, NULL) < 0 && errno == EINVAL, "a missing key is refused");
	ok(weir_gate_acquire(gate, &key, 2, WEIR_NEVER, &answer) == WEIR_ALLOWED &&
	   answer.held == 2 && answer.limit == 5 && answer.remaining == 3,
	   "2 of 5 permits are acquired");
	ok(weir_gate_acquire(gate, &key, 4, 1000000, &answer) == WEIR_LIMITED,
	   "tag 0: a request that needs its own holder's permits waits");
	ok(weir_gate_try(gate, &key, 4, &answer) == WEIR_LIMITED &&
	   answer.remaining == 3, "weir_gate_try() does not wait, and returns the state");
	ok(weir_gate_try(gate, &key, 6, NULL) < 0 && errno == E2BIG,
	   "more permits than the gate has are refused");
	ok(weir_gate_release(gate, &key, 3, NULL) < 0 && errno == ENOENT,
	   "releasing more than is held is refused");
	weir_op_gate(&ops[0], gate, WEIR_OP_ACQUIRE, &key, 3);
	weir_op_gate(&ops[1], gate, WEIR_OP_GATE_STATE, &key, 0);
	ok(weir_submit(weir, ops, 2) == 2 && !ops[0].result && !ops[1].result,
	   "a batch of two operations");
	weir_op_gate_answer(&ops[1], &answer);
	ok(answer.held == 5 && answer.remaining == 0 && answer.waiting == 0,
	   "the second operation sees the first");
	ok(weir_gate_release(gate, &key, 5, &answer) == 0 && answer.held == 0 &&
	   answer.verdict == WEIR_NONE, "all permits are released");
	ok(weir_gate_state(gate, &key, &answer) == 0 && answer.remaining == 5,
	   "all permits are free");
	ok(weir_gate_get_stats(gate, &stats) == 0 && stats.acquired == 2 &&
	   stats.in_use == 0 && stats.reclaimed == 0, "the totals are right");
	ok(weir_gate_delete(gate) == 0 && weir_gate_try(gate, &key, 1, NULL) < 0 &&
	   errno == ENODEV, "a deleted gate fails with ENODEV");
	weir_gate_close(gate);
}

static int is_writable(struct weir *client)
{
	struct pollfd one = { .fd = weir_fd(client), .events = POLLOUT };

	return poll(&one, 1, 0) == 1;
}

/* The answer of the one request that has ended: its verdict, or -1 and errno. */
static int collect(struct weir *client, struct weir_gate_answer *answer)
{
	struct weir_op ops[2];
	int n = weir_collect(client, ops, 2);

	if (n != 1)
		return -2;
	weir_op_gate_answer(&ops[0], answer);
	errno = -ops[0].result;
	return ops[0].result ? -1 : (int)ops[0].verdict;
}

static void test_gate_queue(void)
{
	struct weir_gate_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_TEXT, .permits = 2,
	};
	struct weir *second = weir_open(0);
	struct weir_gate *gate = weir_gate_create(weir, "lib.q", &config, 0600);
	struct weir_gate *other = weir_gate_open(second, "lib.q", WEIR_RIGHT_ALL);
	struct weir_gate_answer answer;
	struct weir_key key, number;

	weir_key_text(&key, "k", 1);
	weir_key_u64(&number, 1);
	ok(weir_gate_queue(other, &number, 1, 0, NULL) < 0 && errno == EINVAL,
	   "a request with a key of another type is refused");
	ok(weir_gate_queue(gate, &key, 2, WEIR_NEVER, &answer) == WEIR_ALLOWED &&
	   answer.held == 2, "free permits are granted at once");
	ok(weir_gate_queue(other, &key, 1, 0, NULL) == WEIR_LIMITED,
	   "a timeout of 0: the request is refused at once");
	ok(weir_gate_queue(other, &key, 1, HOUR, &answer) == WEIR_QUEUED &&
	   answer.verdict == WEIR_QUEUED && answer.held == 0, "a request with a timeout is queued");
	ok(!is_writable(second) && weir_gate_state(gate, &key, &answer) == 0 &&
	   answer.waiting == 1, "the state counts the request");
	ok(weir_gate_queue(other, &key, 2, HOUR, NULL) < 0 && errno == EEXIST,
	   "a second request of the holder for the key is refused");
	ok(weir_gate_release(gate, &key, 1, NULL) == 0 && is_writable(second) &&
	   !is_writable(weir), "a granted request makes its client writable");
	ok(collect(second, &answer) == WEIR_ALLOWED && answer.held == 1 &&
	   !is_writable(second), "a request is collected once");
	ok(weir_gate_queue(other, &key, 1, 200000000, NULL) == WEIR_QUEUED,
	   "a request with a deadline of 200 ms is queued");
	while (!is_writable(second))
		;
	ok(collect(second, &answer) == WEIR_LIMITED, "the request ends at its deadline");
	ok(weir_gate_cancel(other, &key, NULL) < 0 && errno == ENOENT,
	   "cancel fails without a request");
	ok(weir_gate_queue(other, &key, 2, WEIR_NEVER, NULL) == WEIR_QUEUED &&
	   weir_gate_cancel(other, &key, &answer) == WEIR_NONE && answer.held == 1,
	   "a waiting request is cancelled");
	ok(weir_gate_queue(other, &key, 1, WEIR_NEVER, NULL) == WEIR_QUEUED &&
	   weir_gate_release(gate, &key, 1, NULL) == 0 &&
	   weir_gate_cancel(other, &key, &answer) < 0 && errno == ENOENT &&
	   collect(second, &answer) == WEIR_ALLOWED && answer.held == 2,
	   "a request that has ended cannot be cancelled");
	ok(weir_gate_queue(gate, &key, 1, WEIR_NEVER, NULL) == WEIR_QUEUED &&
	   weir_gate_delete(gate) == 0 && is_writable(weir) &&
	   weir_gate_cancel(gate, &key, NULL) < 0 && errno == ENODEV,
	   "a request ends when its gate is deleted");
	weir_gate_close(other);
	weir_gate_close(gate);
	ok(collect(weir, &answer) < 0 && errno == ENODEV && !is_writable(weir),
	   "ENODEV is collected after the gate is deleted and closed");
	weir_close(second);
}

void test_gates(void)
{
	test_gate_object();
	test_gate();
	test_gate_queue();
}
