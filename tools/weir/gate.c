// SPDX-License-Identifier: GPL-2.0-only
/* weir gate */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define HIGH_DESCRIPTOR	100	/* above the numbers that commands use for their own files */

static struct weir_gate *gate_open(struct weir *weir, const char *name,
				   unsigned int rights)
{
	struct weir_gate *gate;

	arg_object("gate", name);
	gate = weir_gate_open(weir, name, rights);
	if (!gate)
		die_open("gate", name, rights);
	return gate;
}

/* ---- create, set, resize, delete --------------------------------------------- */

#define PERMITS "--permits", .value = "N"
#define MAX_KEYS "--max-keys", .value = "N"
#define QUEUE_MAX "--queue-max", .value = "N"

static const struct set_bit set_bits[] = {
	{ "--permits", WEIR_SET_PERMITS },
	{ "--max-keys", WEIR_SET_MAX_KEYS },
	{ "--queue-max", WEIR_SET_QUEUE_MAX },
	{ 0 }
};

/* The options that create and set share. */
static struct weir_gate_config config_take(const struct args *args)
{
	struct weir_gate_config config = { .size = sizeof(config) };

	config.permits = (uint32_t)option_u64(args, "--permits", 1, WEIR_PERMITS_MAX, 0);
	config.max_keys = max_keys_take(args, 0);
	config.queue_max = (uint32_t)option_u64(args, "--queue-max", 0, UINT32_MAX, 0);
	return config;
}

static int create_run(const struct args *args)
{
	struct weir_gate_config config;
	struct key_choice keys;

	arg_object("gate", args->operands[0]);
	config = config_take(args);
	keys = key_choose(args, config.max_keys);
	config.key_type = keys.type;
	config.prefix4 = keys.prefix4;
	config.prefix6 = keys.prefix6;
	return create_object(args, WEIR_KIND_GATE, &config);
}

static int change(const char *name, uint64_t mask,
		  const struct weir_gate_config *config)
{
	struct weir *weir = client_open(0);
	struct weir_gate *gate = gate_open(weir, name, WEIR_RIGHT_ADMIN);

	if (weir_gate_set(gate, mask, config) < 0) {
		if (errno == ERANGE)
			die_max_keys("gate", name);
		die_object("gate", name);
	}
	weir_gate_close(gate);
	weir_close(weir);
	return EXIT_YES;
}

static int set_run(const struct args *args)
{
	struct weir_gate_config config = config_take(args);
	uint64_t mask = args_mask(args, set_bits);

	if (!mask)
		die_usage(args, "gate set: nothing to set");
	return change(args->operands[0], mask, &config);
}

static int resize_run(const struct args *args)
{
	struct weir_gate_config config = { .size = sizeof(config) };

	config.permits = (uint32_t)arg_u64("N", args->operands[1], 1,
					   WEIR_PERMITS_MAX);
	return change(args->operands[0], WEIR_SET_PERMITS, &config);
}

static int delete_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_gate *gate = gate_open(weir, name, WEIR_RIGHT_ADMIN);

	if (weir_gate_delete(gate) < 0)
		die_object("gate", name);
	weir_gate_close(gate);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- show -------------------------------------------------------------------- */

static struct key_choice keys_of(const struct weir_gate_config *config)
{
	return (struct key_choice){ config->key_type, config->prefix4, config->prefix6 };
}

static void show_json(const char *name, const struct weir_gate_config *config,
		      const struct weir_gate_stats *stats)
{
	struct key_choice keys = keys_of(config);
	json_t *json = json_object(), *totals = json_object();

	json_add(json, "name", json_string(name));
	json_add(json, "permits", json_integer(config->permits));
	json_add_key_config(json, &keys, config->max_keys);
	json_add(json, "queue_max", json_integer(config->queue_max));
	json_add(totals, "keys", json_u64(stats->keys));
	json_add(totals, "in_use", json_u64(stats->in_use));
	json_add(totals, "waiting", json_u64(stats->waiting));
	json_add(totals, "acquired", json_u64(stats->acquired));
	json_add(totals, "refused", json_u64(stats->refused));
	json_add(totals, "timeouts", json_u64(stats->timeouts));
	json_add(totals, "reclaimed", json_u64(stats->reclaimed));
	json_add(totals, "full", json_u64(stats->full));
	json_add(json, "stats", totals);
	json_print(json);
}

static void show_text(const struct weir_gate_config *config,
		      const struct weir_gate_stats *stats)
{
	struct key_choice keys = keys_of(config);

	printf("permits    %u%s\n", config->permits,
	       config->key_type == WEIR_KEY_NONE ? "" : " of each key");
	key_config_print(&keys, stats->keys, stats->max_keys);
	putchar('\n');
	if (config->queue_max)
		printf("queue      %u for one key\n", config->queue_max);
	printf("in use     %llu\n", (unsigned long long)stats->in_use);
	printf("waiting    %llu\n", (unsigned long long)stats->waiting);
	printf("acquired   %llu\n", (unsigned long long)stats->acquired);
	printf("refused    %llu, %llu of them after a wait\n",
	       (unsigned long long)stats->refused,
	       (unsigned long long)stats->timeouts);
	printf("reclaimed  %llu\n", (unsigned long long)stats->reclaimed);
	printf("full       %llu\n", (unsigned long long)stats->full);
}

static void show_key(const struct args *args, struct weir_gate *gate)
{
	const char *name = args->operands[0];
	struct weir_gate_answer answer;
	struct weir_key key;
	json_t *json;

	key_operands(&key, "gate", name, weir_gate_key_type(gate), args->count - 1,
		     args->operands + 1);
	if (weir_gate_state(gate, &key, &answer) < 0)
		die_object("gate", name);
	if (!args->json) {
		printf("%llu of %llu free, %u waiting\n",
		       (unsigned long long)answer.remaining,
		       (unsigned long long)answer.limit, answer.waiting);
		return;
	}
	json = json_object();
	json_add(json, "name", json_string(name));
	json_add_key(json, &key);
	json_add(json, "permits", json_u64(answer.limit));
	json_add(json, "free", json_u64(answer.remaining));
	json_add(json, "waiting", json_integer(answer.waiting));
	json_print(json);
}

static int show_run(const struct args *args)
{
	struct weir_gate_config config = { .size = sizeof(config) };
	struct weir_gate_stats stats = { .size = sizeof(stats) };
	const char *name = args->operands[0];
	struct weir *weir = client_open(WEIR_OPEN_READONLY);
	struct weir_gate *gate = gate_open(weir, name, WEIR_RIGHT_OBSERVE);

	if (args->count > 1) {
		show_key(args, gate);
	} else {
		if (weir_gate_get_config(gate, &config) < 0 ||
		    weir_gate_get_stats(gate, &stats) < 0)
			die_object("gate", name);
		if (args->json)
			show_json(name, &config, &stats);
		else
			show_text(&config, &stats);
	}
	weir_gate_close(gate);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- run --------------------------------------------------------------------- */

/*
 * Acquire the permits. Return: true on success; otherwise the reason was printed, and *@status is
 * the exit status.
 */
static bool enter(const struct args *args, struct weir_gate *gate,
		  const struct weir_key *key, int *status)
{
	uint32_t permits = (uint32_t)option_u64(args, "--permits", 1, WEIR_PERMITS_MAX,
						1);
	uint64_t timeout = option_duration(args, "--wait", 0, 10 * YEAR, WEIR_NEVER);
	struct weir_gate_answer answer = { 0 };
	const char *name = args->operands[0];
	int verdict = weir_gate_acquire(gate, key, permits, timeout, &answer);
	char text[96];

	*status = verdict < 0 ? EXIT_ERROR : EXIT_NO;
	if (verdict == WEIR_ALLOWED)
		return true;
	if (verdict < 0 && errno == E2BIG)
		snprintf(text, sizeof(text), "has fewer than %u permits", permits);
	else if (verdict < 0)
		snprintf(text, sizeof(text), "%s", reason(errno));
	else if (verdict == WEIR_FULL)
		snprintf(text, sizeof(text), "full, all keys are in use");
	else
		snprintf(text, sizeof(text), "%s: %llu of %llu permits are free",
			 timeout ? "not in time, or too many wait" : "not now",
			 (unsigned long long)answer.remaining,
			 (unsigned long long)answer.limit);
	say_key("gate", name, key, text);
	return false;
}

/*
 * The permits belong to the open file. The command inherits a descriptor of it, with a number above
 * those that scripts choose for their own files. Processes that the command leaves behind inherit
 * it too and keep the permits, as they keep a lock of flock(1).
 */
static void keep_open(const struct weir *weir)
{
	if (fcntl(weir_fd(weir), F_DUPFD, HIGH_DESCRIPTOR) < 0 &&
	    fcntl(weir_fd(weir), F_SETFD, 0) < 0)
		die("cannot keep " WEIR_DEVICE " open: %s", strerror(errno));
}

/* The inherited file keeps the permits, but has no rights: the command gains no access. */
static void give_up_powers(struct weir *weir, struct weir_gate *gate)
{
	if (weir_restrict(weir, WEIR_RESTRICT_ALL) < 0 ||
	    weir_restrict_handle(weir, weir_gate_handle(gate), 0) < 0)
		die("cannot restrict the descriptor of " WEIR_DEVICE ": %s", reason(errno));
}

static int run_run(const struct args *args)
{
	const char *name = args->operands[0];
	char **command = args_command(args);
	struct weir_gate *gate;
	struct weir_key key;
	struct weir *weir;
	int status;

	weir = client_open(0);
	gate = gate_open(weir, name, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	key_operands(&key, "gate", name, weir_gate_key_type(gate), args->before - 1,
		     args->operands + 1);
	if (!enter(args, gate, &key, &status))
		return status;
	give_up_powers(weir, gate);
	keep_open(weir);
	output_leave();
	execvp(command[0], command);
	return say_cannot_run(command[0], errno);
}

/* ---- the table --------------------------------------------------------------- */

static const struct option create_options[] = {
	{ .name = PERMITS, .required = true,
	  .help = "number of permits, of each key: 1 to 1073741824" },
	{ .name = KEY_OPTION },
	{ .name = PREFIX_OPTION },
	{ .name = MAX_KEYS,
	  .help = "keys that are held or waited for at a time, 1 to 16777216; default 65536" },
	{ .name = QUEUE_MAX,
	  .help = "waiters for one key at a time; more are refused at once; 0 (the default): any number" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = EXISTING_OK_OPTION("gate") },
	{ 0 }
};

static const struct option set_options[] = {
	{ .name = PERMITS,
	  .help = "as resize does. Kept: all held permits, even if they are more than N" },
	{ .name = MAX_KEYS,
	  .help = "keys in use at a time. Kept: all keys; if they are more than N, new keys are refused until there is room" },
	{ .name = QUEUE_MAX,
	  .help = "waiters for one key. Kept: all present waiters" },
	{ 0 }
};

static const struct option run_options[] = {
	{ .name = PERMITS,
	  .help = "number of permits, all or none; default 1" },
	{ .name = "--wait", .value = "T",
	  .help = "wait at most T; 0s: not at all; default: for ever" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "make a gate",
		.details = "The gate has N permits, or N for each key. Callers wait for them strictly first come, first served.",
		.options = create_options, .run = create_run,
	},
	{
		.verb = "run", .operands = "NAME [KEY] -- COMMAND...",
		.least = 1, .most = -1,
		.summary = "acquire permits, and run a command that holds them",
		.details = "KEY is given if and only if the gate has keys. A caller never overtakes the waiters of its key, even if its smaller request would fit.\n\n"
			"COMMAND replaces this command and has its process, signals and exit status. The permits belong to an open file that COMMAND and its children inherit. They come back when each of these processes has ended or closed the file, and before the parent of the last one can reap it. A process that COMMAND leaves behind therefore keeps the permits, as it would keep a lock of flock(1).\n\n"
			"If the permits are not free in time, a reason is printed and the exit status is 1; if they can never be granted, it is 2; if COMMAND cannot be run, it is 126, or 127 if the command is not found. Otherwise the exit status is that of COMMAND.",
		.complete = "gate",
		.options = run_options, .run = run_run,
	},
	{
		.verb = "show", .operands = "NAME [KEY]",
		.least = 1, .most = 2,
		.summary = "show configuration and totals of a gate, or the state of one key",
		.complete = "gate", .prints = true,
		.run = show_run,
	},
	{
		.verb = "resize", .operands = "NAME N",
		.least = 2, .most = 2,
		.summary = "change the number of permits, of each key",
		.details = "New permits are granted to waiters at once. A smaller number takes effect as permits come back; holders keep theirs. A waiter that asks for more than the new number is refused.",
		.complete = "gate",
		.run = resize_run,
	},
	{
		.verb = "set", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "change a gate while it is in use",
		.details = "Options that are not given keep their values. --max-keys can be raised to at least eight times the value at creation, and to at least 512.",
		.complete = "gate",
		.options = set_options, .run = set_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "delete a gate, for all holders and waiters",
		.complete = "gate",
		.run = delete_run,
	},
};

const struct object gate_object = {
	.name = "gate",
	.summary = "Gates: how many callers may be inside at a time, first come, first served.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
