// SPDX-License-Identifier: GPL-2.0-only
/* weir roster put, get, replace, touch, remove, and claim without a command: one key */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* ---- arguments ---------------------------------------------------------------- */

/* Parse the key, the first operand, if the roster has keys. Return: number of operands used. */
static int key_front(struct weir_key *key, const char *name, int type, int count,
		     char **operands)
{
	int used = type == WEIR_KEY_NONE ? 0 : count > 1 ? 1 : count;

	key_operands(key, "roster", name, type, used, operands);
	return used;
}

void lease_ask(struct lease_question *q, const struct args *args, int count, int flags,
	       unsigned int rights)
{
	int used, rest;

	q->args = args;
	q->name = args->operands[0];
	q->weir = client_open(flags);
	q->roster = roster_open(q->weir, q->name, WEIR_RIGHT_OBSERVE | rights);
	used = 1 + key_front(&q->key, q->name, weir_roster_key_type(q->roster), count - 1,
			     args->operands + 1);
	rest = count - used;
	q->value = rest ? args->operands[used] : NULL;
	if (rest > 1)
		die("roster '%s': too many arguments, from '%s' on", q->name,
		    printable(args->operands[used + 1]));
}

/* Parse a command line without a value. */
static void key_ask(struct lease_question *q, const struct args *args, int flags,
		    unsigned int rights)
{
	lease_ask(q, args, args->count, flags, rights);
	if (q->value)
		die("roster '%s': has no keys, but '%s' is given", q->name,
		    printable(q->value));
}

/* Parse a command line with a value. */
static void value_ask(struct lease_question *q, const struct args *args)
{
	lease_ask(q, args, args->count, 0, WEIR_RIGHT_USE);
	if (!q->value)
		die("roster '%s': a value is missing", q->name);
}

void lease_value_take(struct lease_value *value, const char *text)
{
	value->length = text ? strlen(text) : 0;
	if (text && !strcmp(text, "-")) {
		value->length = fread(value->bytes, 1, sizeof(value->bytes), stdin);
		if (ferror(stdin))
			die("cannot read the value: %s", strerror(errno));
	} else if (value->length < sizeof(value->bytes)) {
		memcpy(value->bytes, text ? text : "", value->length);
	}
	if (value->length > WEIR_VALUE_MAX)
		die("a value has at most %d bytes", WEIR_VALUE_MAX);
}

static uint64_t version_take(const struct args *args)
{
	const char *text = args_option(args, "--version");

	return text ? arg_u64("--version", text, 1, INT64_MAX) : 0;
}

static int leave(struct lease_question *q, int status)
{
	weir_roster_close(q->roster);
	weir_close(q->weir);
	return status;
}

/* ---- answers ------------------------------------------------------------------ */

const char *user_show(uint32_t uid, char *buffer)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(buffer, USER_MAX, "%s", user->pw_name);
	else
		snprintf(buffer, USER_MAX, "user %u", uid);
	return buffer;
}

const char *lease_whose(const struct weir_roster_answer *lease, char *buffer)
{
	char user[USER_MAX];

	snprintf(buffer, WHOSE_MAX, lease->detached ?
		 "detached, set by process %u of %s" : "process %u of %s has it",
		 lease->pid, user_show(lease->uid, user));
	return buffer;
}

/* The reason for an error that means "no". */
static const char *refusal(int error, const struct weir_roster_answer *lease,
			   char *buffer, size_t size)
{
	char whose[WHOSE_MAX], left[HUMANE_MAX];

	switch (error) {
	case ENOENT:
		return "there is no lease";
	case ENOSPC:
		return "full, there is no room for another lease";
	case ESTALE:
		snprintf(buffer, size, "has version %llu; %s",
			 (unsigned long long)lease->version, lease_whose(lease, whose));
		return buffer;
	}
	lease_whose(lease, whose);
	if (lease->left == WEIR_NEVER)
		snprintf(buffer, size, "%s", whose);
	else
		snprintf(buffer, size, "%s, %s left", whose, humane(lease->left, left));
	return buffer;
}

int lease_say(const struct lease_question *q, const struct weir_roster_answer *lease)
{
	int error = errno;
	bool no = error == EEXIST || error == ESTALE || error == ENOENT ||
		  error == ENOSPC;
	char text[WHOSE_MAX + HUMANE_MAX + 32];

	say_key("roster", q->name, &q->key,
		no ? refusal(error, lease, text, sizeof(text)) : reason(error));
	return no ? EXIT_NO : EXIT_ERROR;
}

void lease_json_add(json_t *json, const struct weir_roster_answer *lease)
{
	json_add(json, "version", json_u64(lease->version));
	json_add(json, "left_ns", json_u64(lease->left));
	json_add(json, "detached", json_boolean(lease->detached));
	json_add(json, "pid", json_integer(lease->pid));
	json_add(json, "uid", json_integer(lease->uid));
}

/*
 * @error: 0, or an error that means "no". @value: the value of a lease that was found;
 *	otherwise NULL.
 */
static void print_json(const struct lease_question *q, int error,
		       const struct weir_roster_answer *answer, const void *value)
{
	const char *why = error == ENOENT ? "absent" : error == ENOSPC ? "full" :
			  error == ESTALE ? "version" : error ? "held" : NULL;
	json_t *json = json_object(), *lease = NULL;

	if (error != ENOENT && error != ENOSPC) {
		lease = json_object();
		if (value)
			json_add_bytes(lease, "value", value, answer->length);
		lease_json_add(lease, answer);
	}
	json_add(json, "name", json_string(q->name));
	json_add_key(json, &q->key);
	json_add(json, "done", json_boolean(!error));
	json_add(json, "reason", why ? json_string(why) : json_null());
	json_add(json, "lease", lease ? lease : json_null());
	json_print(json);
}

int lease_answer(struct lease_question *q, int ret,
		 const struct weir_roster_answer *answer, const void *value)
{
	int error = ret ? errno : 0;

	if (!q->args->json)
		return ret ? lease_say(q, answer) : EXIT_YES;
	if (error && error != EEXIST && error != ESTALE && error != ENOENT &&
	    error != ENOSPC)
		return lease_say(q, answer);
	print_json(q, error, answer, value);
	return error ? EXIT_NO : EXIT_YES;
}

/* Like lease_answer(); on success print the version and the TTL of the lease too. */
static int finish(struct lease_question *q, int ret,
		  const struct weir_roster_answer *answer)
{
	int status = lease_answer(q, ret, answer, NULL);
	char left[HUMANE_MAX];

	if (status != EXIT_YES || q->args->json)
		return leave(q, status);
	printf("version %llu, ", (unsigned long long)answer->version);
	if (answer->left == WEIR_NEVER)
		puts("until it is removed");
	else
		printf("%s left\n", humane(answer->left, left));
	return leave(q, status);
}

/* ---- the commands ------------------------------------------------------------ */

int lease_claim_detached(struct lease_question *q)
{
	uint64_t ttl = roster_ttl(q->args);
	struct weir_roster_answer answer;
	struct lease_value value;

	lease_value_take(&value, q->value);
	return finish(q, weir_roster_claim(q->roster, &q->key, value.bytes, value.length,
					   ttl, WEIR_OP_DETACHED, &answer), &answer);
}

int roster_put_run(const struct args *args)
{
	uint64_t ttl = roster_ttl(args);
	struct weir_roster_answer answer;
	struct lease_question q;
	struct lease_value value;

	value_ask(&q, args);
	lease_value_take(&value, q.value);
	return finish(&q, weir_roster_put(q.roster, &q.key, value.bytes, value.length, ttl,
					  WEIR_OP_DETACHED, &answer), &answer);
}

int roster_get_run(const struct args *args)
{
	char shown[4 * WEIR_VALUE_MAX + 1], value[WEIR_VALUE_MAX];
	struct weir_roster_answer answer;
	struct lease_question q;
	int ret, status;

	if (args->json && args_option(args, "--raw"))
		die_usage(args, "roster get: --raw and --json are two ways to print it");
	key_ask(&q, args, WEIR_OPEN_READONLY, 0);
	ret = weir_roster_get(q.roster, &q.key, value, sizeof(value), &answer);
	status = lease_answer(&q, ret, &answer, value);
	if (status == EXIT_YES && args_option(args, "--raw")) {
		fwrite(value, 1, answer.length, stdout);
	} else if (status == EXIT_YES && !args->json) {
		weir_text_format(value, answer.length, shown, sizeof(shown));
		puts(shown);
	}
	return leave(&q, status);
}

int roster_replace_run(const struct args *args)
{
	uint64_t version = version_take(args);
	struct weir_roster_answer answer;
	struct lease_question q;
	struct lease_value value;

	value_ask(&q, args);
	lease_value_take(&value, q.value);
	return finish(&q, weir_roster_replace(q.roster, &q.key, version, value.bytes,
					      value.length, &answer), &answer);
}

int roster_touch_run(const struct args *args)
{
	uint64_t version = version_take(args), ttl = roster_ttl(args);
	struct weir_roster_answer answer;
	struct lease_question q;

	key_ask(&q, args, 0, WEIR_RIGHT_USE);
	return finish(&q, weir_roster_touch(q.roster, &q.key, version, ttl, &answer),
		      &answer);
}

int roster_remove_run(const struct args *args)
{
	uint64_t version = version_take(args);
	struct weir_roster_answer answer;
	struct lease_question q;
	int ret;

	key_ask(&q, args, 0, WEIR_RIGHT_USE);
	ret = weir_roster_remove(q.roster, &q.key, version, &answer);
	return leave(&q, lease_answer(&q, ret, &answer, NULL));
}
