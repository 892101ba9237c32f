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
	   "no roster yet");
	roster = weir_roster_ensure(weir, "lib.r", &config, 0600, WEIR_RIGHT_ALL);
	ok(roster && weir_roster_key_type(roster) == WEIR_KEY_TEXT, "a roster is made");
	ok(!weir_roster_create(weir, "lib.r", &config, 0600) && errno == EEXIST,
	   "there is no second one");
	ok(weir_create(weir, &create) == 0 && !create.created, "a handle by hand");
	other = weir_roster_adopt(weir, create.handle);
	ok(other && weir_roster_key_type(other) == -1 &&
	   weir_roster_handle(other) == create.handle,
	   "is adopted; without OBSERVE keys are not known");
	ok(!weir_members_open(other) && errno == EACCES, "nor can they be listed");
	ok(weir_roster_get(other, NULL, NULL, 0, NULL) < 0 && errno == EACCES,
	   "nor can leases be looked at");
	weir_roster_close(other);
	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	ok(weir_roster_get_config(roster, &config) == 0 && config.max_keys == 4 &&
	   config.ttl == HOUR && config.key_type == WEIR_KEY_TEXT, "it is what it was to be");
	errno = ENOTEMPTY;
	weir_roster_close(roster);
	weir_roster_close(NULL);
	weir_members_close(NULL);
	ok(errno == ENOTEMPTY, "closing changes no errno");
}

static void test_claim(struct weir_roster *roster)
{
	struct weir_key key = text("claim"), number;
	char value[WEIR_VALUE_MAX + 1] = "x";
	struct weir_roster_answer answer;

	weir_key_u64(&number, 1);
	ok(weir_roster_claim(roster, &number, NULL, 0, 0, 0, NULL) < 0 && errno == EINVAL,
	   "a key of another type is none");
	ok(weir_roster_claim(roster, NULL, NULL, 0, 0, 0, NULL) < 0 && errno == EINVAL,
	   "no key is none");
	ok(weir_roster_claim(roster, &key, value, sizeof(value), 0, 0, NULL) < 0 &&
	   errno == EINVAL, "256 bytes are no value");
	ok(weir_roster_claim(roster, &key, NULL, 0, 0, 2, NULL) < 0 && errno == EINVAL,
	   "nor are flags that have no name");
	ok(weir_roster_get(roster, &key, value, 1, NULL) < 0 && errno == ENOENT,
	   "none of it made a lease");
	ok(weir_roster_claim(roster, &key, "mine", 4, 0, 0, &answer) == 0 &&
	   answer.mine && !answer.detached && answer.length == 4 && answer.version &&
	   answer.pid == (uint32_t)getpid() && answer.uid == geteuid() &&
	   answer.left <= HOUR && answer.left > HOUR / 2, "a claim, as the roster says");
	memset(&answer, 0, sizeof(answer));
	ok(weir_roster_claim(roster, &key, NULL, 0, 0, 0, &answer) < 0 && errno == EEXIST &&
	   answer.mine && answer.length == 4, "there is one, and it is told whose");
	ok(weir_roster_get(roster, &key, value, sizeof(value), &answer) == 0 &&
	   answer.length == 4 && !memcmp(value, "mine", 4), "it has its value");
	ok(weir_roster_get(roster, &key, value, 3, NULL) < 0 && errno == EMSGSIZE,
	   "three bytes are too few for it");
	ok(weir_roster_get(roster, &key, NULL, 0, &answer) == 0 && answer.length == 4,
	   "but it need not be had");
}

static void test_versions(struct weir_roster *roster)
{
	struct weir_roster_answer old, answer;
	struct weir_key key = text("claim");
	char value[8];

	ok(weir_roster_get(roster, &key, NULL, 0, &old) == 0, "a lease with a version");
	ok(weir_roster_replace(roster, &key, old.version + 1, "no", 2, &answer) < 0 &&
	   errno == ESTALE && answer.version == old.version, "another one is told of it");
	ok(weir_roster_replace(roster, &key, old.version, "new!", 4, &answer) == 0 &&
	   answer.version > old.version && answer.mine, "a new value has a new one");
	ok(weir_roster_touch(roster, &key, old.version, 0, &answer) < 0 &&
	   errno == ESTALE && answer.version > old.version, "the old one is no more");
	ok(weir_roster_touch(roster, &key, 0, WEIR_NEVER, &answer) == 0 &&
	   answer.left == WEIR_NEVER, "for ever");
	ok(weir_roster_touch(roster, &key, answer.version, 2 * HOUR, &answer) == 0 &&
	   answer.left <= 2 * HOUR && answer.left > HOUR, "or as long as it is said");
	ok(weir_roster_get(roster, &key, value, sizeof(value), NULL) == 0 &&
	   !memcmp(value, "new!", 4), "with the value it had");
	ok(weir_roster_remove(roster, &key, old.version, NULL) < 0 && errno == ESTALE &&
	   weir_roster_remove(roster, &key, 0, &answer) == 0 && answer.length == 4 &&
	   weir_roster_remove(roster, &key, 0, NULL) < 0 && errno == ENOENT,
	   "and it ends once");
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
	   answer.length == 3, "put, and put again");
	ok(weir_roster_put(roster, &free_one, NULL, 0, WEIR_NEVER, WEIR_LEASE_DETACHED,
			   &answer) == 0 && answer.detached && !answer.mine,
	   "a lease that is nobody's");
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(child_tries(roster));
	waitpid(pid, &status, 0);
	ok(status == 0, "a child has none of ours, and can take what is nobody's");
	if (status)
		printf("# it came to step %d\n", WEXITSTATUS(status));
	ok(weir_roster_get(roster, &free_one, NULL, 0, NULL) < 0 && errno == ENOENT,
	   "which goes with it");
	ok(weir_roster_remove(roster, &key, 0, NULL) == 0, "ours stayed");
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
	ok(good, "keys of 31, 32, 33 and 255 bytes, values of 255 and of none");
}

static void test_together(struct weir_roster *roster)
{
	struct weir_key a = text("a"), b = text("b"), c = text("claim");
	struct weir_roster_answer answer;
	struct weir_lease leases[3];
	unsigned int which = 99;
	struct weir_op ops[3];

	ok(weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_CLAIM, &a, "x", 256) < 0 &&
	   errno == EINVAL, "no op with too long a value");
	weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_CLAIM, &a, "one", 3);
	weir_op_roster(&ops[1], &leases[1], roster, WEIR_OP_CLAIM, &c, NULL, 0);
	weir_op_roster(&ops[2], &leases[2], roster, WEIR_OP_CLAIM, &b, "three", 5);
	ok(weir_roster_claim(roster, &c, NULL, 0, 0, 0, NULL) == 0 &&
	   weir_transaction(weir, ops, 3, &which) == -1 && errno == EEXIST && which == 1,
	   "of three claims one cannot be");
	weir_op_roster_answer(&ops[1], &answer);
	ok(answer.mine && answer.pid == (uint32_t)getpid(), "and tells whose it is");
	ok(weir_roster_get(roster, &a, NULL, 0, NULL) < 0 && errno == ENOENT &&
	   weir_roster_get(roster, &b, NULL, 0, NULL) < 0 && errno == ENOENT,
	   "so none is made");
	ok(weir_roster_remove(roster, &c, 0, NULL) == 0 &&
	   weir_transaction(weir, ops, 3, &which) == 0, "then all are");
	weir_op_roster_answer(&ops[2], &answer);
	ok(answer.mine && answer.length == 5, "each with its value");
	weir_op_roster(&ops[0], &leases[0], roster, WEIR_OP_REMOVE, &a, NULL, 0);
	weir_op_roster(&ops[1], &leases[1], roster, WEIR_OP_REMOVE, &b, NULL, 0);
	weir_op_roster(&ops[2], &leases[2], roster, WEIR_OP_REMOVE, &c, NULL, 0);
	ok(weir_submit(weir, ops, 3) == 3 && !ops[0].result && !ops[1].result &&
	   !ops[2].result, "and with one call ended");
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
	ok(i == 4 && errno == ENOSPC, "the fifth of four finds no room");
	ok(weir_roster_get_stats(roster, &stats) == 0 && stats.members == 4 &&
	   stats.max_keys == 4 && stats.full == 1 && stats.lost == 1 &&
	   stats.expired == 0, "which is counted");
	ok(weir_roster_delete(roster) == 0 &&
	   weir_roster_get(roster, &key, NULL, 0, NULL) < 0 && errno == ENODEV,
	   "no roster any more");
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

	ok(roster, "a roster of numbers");
	for (i = 0; i < MEMBERS; i++) {
		weir_key_u64(&key, i);
		memset(value, (int)i, sizeof(value));
		good += !weir_roster_claim(roster, &key, value, i % 256, i % 3 ? HOUR : 0,
					   i % 2, NULL);
	}
	ok(good == MEMBERS, "full of leases");
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
	   "each is listed once, and whole");
	weir_members_close(members);
	weir_roster_delete(roster);
	members = weir_members_open(roster);
	ok(members && weir_members_next(members, &member) == -1 && errno == ENODEV,
	   "none of a roster that is no more");
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
