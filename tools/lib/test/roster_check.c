// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rosters of the library, with a live /dev/weir. Run by tests/cli/roster_library.sh. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "weir.h"

#define MEMBERS	3000
#define HOUR	3600000000000ULL

static struct weir *weir;

static struct weir_key text(const char *word)
{
	struct weir_key key;

	weir_key_text(&key, word, strlen(word));
	return key;
}

static const struct weir_roster_config of_text = {
	.size = sizeof(of_text), .key_type = WEIR_KEY_TEXT, .max_keys = 4, .ttl = HOUR,
};

static void test_object(void)
{
	struct weir_roster_config config = of_text;
	struct weir_create create = {
		.owner = WEIR_OWNER_DEFAULT,
		.size = sizeof(create), .kind = WEIR_KIND_ROSTER, .mode = 0600,
		.gid = WEIR_GID_DEFAULT, .rights = WEIR_RIGHT_USE,
		.flags = WEIR_CREATE_EXISTING_OK, .config = (uintptr_t)&config,
		.name = "lib.r",
	};
	struct weir_roster *roster, *other;

	ok(!weir_roster_open(weir, "lib.r", WEIR_RIGHT_USE) && errno == ENOENT,
	   "open fails without a roster");
	roster = weir_roster_ensure(weir, "lib.r", &config, 0600, WEIR_RIGHT_ALL);
	ok(roster && weir_roster_key_type(roster) == WEIR_KEY_TEXT, "ensure creates a roster");
	ok(!weir_roster_create(weir, "lib.r", &config, 0600) && errno == EEXIST,
	   "a second roster of that name is refused");
	ok(weir_create(weir, &create) == 0 && !create.created, "weir_create() opens a handle");
	other = weir_roster_adopt(weir, create.handle);
	ok(other && weir_roster_key_type(other) == -1 &&
	   weir_roster_handle(other) == create.handle,
	   "the handle is adopted; without OBSERVE the key type is unknown");
	ok(!weir_members_open(other) && errno == EACCES, "without KEYS the keys cannot be listed");
	ok(weir_roster_get(other, NULL, NULL, 0, NULL) < 0 && errno == EACCES,
	   "without OBSERVE leases cannot be read");
	weir_roster_close(other);
	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	ok(weir_roster_get_config(roster, &config) == 0 && config.max_keys == 4 &&
	   config.ttl == HOUR && config.key_type == WEIR_KEY_TEXT,
	   "the configuration is the one given");
	errno = ENOTEMPTY;
	weir_roster_close(roster);
	weir_roster_close(NULL);
	weir_members_close(NULL);
	ok(errno == ENOTEMPTY, "close does not change errno");
}

static void test_claim(struct weir_roster *roster)
{
	struct weir_key key = text("claim"), number;
	char value[WEIR_VALUE_MAX + 1] = "x";
	struct weir_roster_answer answer;

	weir_key_u64(&number, 1);
	ok(weir_roster_claim(roster, &number, NULL, 0, 0, 0, NULL) < 0 && errno == EINVAL,
	   "a key of another type is refused");
	ok(weir_roster_claim(roster, NULL, NULL, 0, 0, 0, NULL) < 0 && errno == EINVAL,
	   "a missing key is refused");
	ok(weir_roster_claim(roster, &key, value, sizeof(value), 0, 0, NULL) < 0 &&
	   errno == EINVAL, "a value of 256 bytes is refused");
	ok(weir_roster_claim(roster, &key, NULL, 0, 0, 2, NULL) < 0 && errno == EINVAL,
	   "unknown flags are refused");
	ok(weir_roster_get(roster, &key, value, 1, NULL) < 0 && errno == ENOENT,
	   "no refused call has made a lease");
	ok(weir_roster_claim(roster, &key, "mine", 4, 0, 0, &answer) == 0 &&
	   answer.mine && !answer.detached && answer.length == 4 && answer.version &&
	   answer.pid == (uint32_t)getpid() && answer.uid == geteuid() &&
	   answer.left <= HOUR && answer.left > HOUR / 2, "a claim has the TTL of the roster");
	memset(&answer, 0, sizeof(answer));
	ok(weir_roster_claim(roster, &key, NULL, 0, 0, 0, &answer) < 0 && errno == EEXIST &&
	   answer.mine && answer.length == 4, "a second claim is refused, with the owner");
	ok(weir_roster_get(roster, &key, value, sizeof(value), &answer) == 0 &&
	   answer.length == 4 && !memcmp(value, "mine", 4), "get returns the value");
	ok(weir_roster_get(roster, &key, value, 3, NULL) < 0 && errno == EMSGSIZE,
	   "a buffer of three bytes is too small for the value");
	ok(weir_roster_get(roster, &key, NULL, 0, &answer) == 0 && answer.length == 4,
	   "get works without a buffer");
}

static void test_versions(struct weir_roster *roster)
{
	struct weir_roster_answer old, answer;
	struct weir_key key = text("claim");
	char value[8];

	ok(weir_roster_get(roster, &key, NULL, 0, &old) == 0, "a lease with a version");
	ok(weir_roster_replace(roster, &key, old.version + 1, "no", 2, &answer) < 0 &&
	   errno == ESTALE && answer.version == old.version,
	   "replace with another version is refused");
	ok(weir_roster_replace(roster, &key, old.version, "new!", 4, &answer) == 0 &&
	   answer.version > old.version && answer.mine, "a new value has a new version");
	ok(weir_roster_touch(roster, &key, old.version, 0, &answer) < 0 &&
	   errno == ESTALE && answer.version > old.version, "the old version is refused");
	ok(weir_roster_touch(roster, &key, 0, WEIR_NEVER, &answer) == 0 &&
	   answer.left == WEIR_NEVER, "touch with WEIR_NEVER: the lease does not expire");
	ok(weir_roster_touch(roster, &key, answer.version, 2 * HOUR, &answer) == 0 &&
	   answer.left <= 2 * HOUR && answer.left > HOUR, "touch with a TTL");
	ok(weir_roster_get(roster, &key, value, sizeof(value), NULL) == 0 &&
	   !memcmp(value, "new!", 4), "touch keeps the value");
	ok(weir_roster_remove(roster, &key, old.version, NULL) < 0 && errno == ESTALE &&
	   weir_roster_remove(roster, &key, 0, &answer) == 0 && answer.length == 4 &&
	   weir_roster_remove(roster, &key, 0, NULL) < 0 && errno == ENOENT,
	   "a lease can be removed once");
}

/* In a child: use a lease of the parent, and a detached lease. Return: the exit status. */
static int child_tries(struct weir_roster *roster)
{
	struct weir_key key = text("claim"), free_one = text("detached");
	struct weir_roster_answer answer;

	if (weir_roster_claim(roster, &key, NULL, 0, 0, 0, &answer) == 0 ||
	    errno != EEXIST || answer.mine || answer.pid != (uint32_t)getppid())
		return 1;
	if (weir_roster_put(roster, &key, NULL, 0, 0, 0, NULL) == 0 || errno != EEXIST)
		return 2;
	if (weir_roster_touch(roster, &key, 0, 0, NULL) == 0 || errno != EEXIST)
		return 3;
	if (weir_roster_remove(roster, &key, 0, NULL) == 0 || errno != EEXIST)
		return 4;
	if (weir_roster_put(roster, &free_one, "child", 5, 0, 0, &answer) || !answer.mine)
		return 5;
	return 0;
}

static void test_owner(struct weir_roster *roster)
{
	struct weir_key key = text("claim"), free_one = text("detached");
	struct weir_roster_answer answer;
	int status;
	pid_t pid;

	ok(weir_roster_put(roster, &key, NULL, 0, 0, 0, NULL) == 0 &&
	   weir_roster_put(roster, &key, "two", 3, 0, 0, &answer) == 0 &&
	   answer.length == 3, "put replaces the caller's own lease");
	ok(weir_roster_put(roster, &free_one, NULL, 0, WEIR_NEVER, WEIR_OP_DETACHED,
			   &answer) == 0 && answer.detached && !answer.mine,
	   "a detached lease is made");
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(child_tries(roster));
	waitpid(pid, &status, 0);
	ok(status == 0, "a child does not own its parent's lease, and can take a detached one");
	if (status)
		printf("# the child failed in step %d\n", WEXITSTATUS(status));
	ok(weir_roster_get(roster, &free_one, NULL, 0, NULL) < 0 && errno == ENOENT,
	   "the child's lease ends with the child");
	ok(weir_roster_remove(roster, &key, 0, NULL) == 0, "the parent's lease stayed");
}

static void test_long_keys(struct weir_roster *roster)
{
	char longest[WEIR_KEY_MAX], value[WEIR_VALUE_MAX], found[WEIR_VALUE_MAX];
	struct weir_roster_answer answer;
	struct weir_key key;
	int length, good = 1;

	memset(longest, 'k', sizeof(longest));
	memset(value, '\0', sizeof(value));
	value[254] = '\xff';
	for (length = 31; length <= WEIR_KEY_MAX; length += 1 + 221 * (length == 33)) {
		weir_key_text(&key, longest, (size_t)length);
		good &= weir_roster_claim(roster, &key, value, sizeof(value), 0, 0, NULL) == 0 &&
			weir_roster_get(roster, &key, found, sizeof(found), &answer) == 0 &&
			answer.length == sizeof(value) &&
			!memcmp(found, value, sizeof(value)) &&
			weir_roster_touch(roster, &key, 0, 0, NULL) == 0 &&
			weir_roster_replace(roster, &key, answer.version, NULL, 0, &answer) == 0 &&
			!answer.length && weir_roster_get(roster, &key, found, 0, NULL) == 0 &&
			weir_roster_remove(roster, &key, answer.version, NULL) == 0;
	}
	ok(good, "keys of 31, 32, 33 and 255 bytes, values of 255 and 0 bytes");
}

static void test_together(struct weir_roster *roster)
{
	struct weir_key a = text("a"), b = text("b"), c = text("claim");
	struct weir_roster_answer answer;
	struct weir_lease leases[3];
	unsigned int which = 99;
	struct weir_op ops[3];

	ok(weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_CLAIM, &a, "x", 256) < 0 &&
	   errno == EINVAL, "an op with a value that is too long is refused");
	weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_CLAIM, &a, "one", 3);
	weir_op_roster(&ops[1], &leases[1], roster, WEIR_OP_CLAIM, &c, NULL, 0);
	weir_op_roster(&ops[2], &leases[2], roster, WEIR_OP_CLAIM, &b, "three", 5);
	ok(weir_roster_claim(roster, &c, NULL, 0, 0, 0, NULL) == 0 &&
	   weir_transaction(weir, ops, 3, &which) == -1 && errno == EEXIST && which == 1,
	   "one of three claims is refused");
	weir_op_roster_answer(&ops[1], &answer);
	ok(answer.mine && answer.pid == (uint32_t)getpid(), "the refused claim names the owner");
	ok(weir_roster_get(roster, &a, NULL, 0, NULL) < 0 && errno == ENOENT &&
	   weir_roster_get(roster, &b, NULL, 0, NULL) < 0 && errno == ENOENT,
	   "none of the three leases is made");
	ok(weir_roster_remove(roster, &c, 0, NULL) == 0 &&
	   weir_transaction(weir, ops, 3, &which) == 0, "all three claims succeed together");
	weir_op_roster_answer(&ops[2], &answer);
	ok(answer.mine && answer.length == 5, "each lease has its value");
	weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_REMOVE, &a, NULL, 0);
	weir_op_roster(&ops[1], &leases[1], roster, WEIR_OP_REMOVE, &b, NULL, 0);
	weir_op_roster(&ops[2], &leases[2], roster, WEIR_OP_REMOVE, &c, NULL, 0);
	ok(weir_submit(weir, ops, 3) == 3 && !ops[0].result && !ops[1].result &&
	   !ops[2].result, "one batch removes the leases");
}

static void test_stats(struct weir_roster *roster)
{
	struct weir_roster_stats stats = { .size = sizeof(stats) };
	struct weir_key key;
	uint32_t i;
	char word[8];

	for (i = 0; i < 5; i++) {
		snprintf(word, sizeof(word), "m%u", i);
		key = text(word);
		if (weir_roster_claim(roster, &key, NULL, 0, 0, 0, NULL))
			break;
	}
	ok(i == 4 && errno == ENOSPC, "a fifth lease in a roster for four is refused");
	ok(weir_roster_get_stats(roster, &stats) == 0 && stats.members == 4 &&
	   stats.max_keys == 4 && stats.full == 1 && stats.lost == 1 &&
	   stats.expired == 0, "the refusal is counted");
	ok(weir_roster_delete(roster) == 0 &&
	   weir_roster_get(roster, &key, NULL, 0, NULL) < 0 && errno == ENODEV,
	   "a deleted roster fails with ENODEV");
}

/* More leases than one call to the kernel returns: each is listed once and whole. */
static void test_members(void)
{
	const struct weir_roster_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_U64, .max_keys = MEMBERS,
	};
	struct weir_roster *roster = weir_roster_create(weir, "lib.m", &config, 0600);
	static unsigned char seen[MEMBERS];
	const struct weir_member *member;
	struct weir_members *members;
	unsigned int good = 0;
	struct weir_key key;
	char value[WEIR_VALUE_MAX];
	uint64_t i;

	ok(roster, "a roster with u64 keys is created");
	for (i = 0; i < MEMBERS; i++) {
		weir_key_u64(&key, i);
		memset(value, (int)i, sizeof(value));
		good += !weir_roster_claim(roster, &key, value, i % 256, i % 3 ? HOUR : 0,
					   i % 2 ? WEIR_OP_DETACHED : 0, NULL);
	}
	ok(good == MEMBERS, "the roster is filled with leases");
	members = weir_members_open(roster);
	good = 0;
	while (weir_members_next(members, &member) == 1) {
		memcpy(&i, member->key.bytes, sizeof(i));
		memset(value, (int)i, sizeof(value));
		good += member->key.len == 8 && i < MEMBERS && !seen[i]++ &&
			member->length == i % 256 && member->detached == i % 2 &&
			(member->left == WEIR_NEVER) == !(i % 3) && member->version &&
			member->pid == (uint32_t)getpid() &&
			!memcmp(member->value, value, member->length);
	}
	ok(good == MEMBERS && weir_members_next(members, &member) == 0,
	   "each lease is listed once, with its value");
	weir_members_close(members);
	weir_roster_delete(roster);
	members = weir_members_open(roster);
	ok(members && weir_members_next(members, &member) == -1 && errno == ENODEV,
	   "listing a deleted roster fails");
	weir_members_close(members);
	weir_roster_close(roster);
}

int main(void)
{
	struct weir_roster *roster;

	weir = weir_open(0);
	if (!weir) {
		printf("1..0 # SKIP no /dev/weir: %s\n", strerror(errno));
		return 0;
	}
	test_object();
	roster = weir_roster_open(weir, "lib.r", WEIR_RIGHT_ALL);
	if (roster) {
		test_claim(roster);
		test_versions(roster);
		test_owner(roster);
		test_long_keys(roster);
		test_together(roster);
		test_stats(roster);
	}
	weir_roster_close(roster);
	test_members();
	weir_close(weir);
	return tap_done();
}
