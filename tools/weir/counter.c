// SPDX-License-Identifier: GPL-2.0-only
/* weir counter */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct weir_counter *counter_open(struct weir *weir, const char *name,
				  unsigned int rights)
{
	struct weir_counter *counter;

	arg_object("counter", name);
	counter = weir_counter_open(weir, name, rights);
	if (!counter)
		die_open("counter", name, rights);
	return counter;
}

/* ---- create, delete --------------------------------------------------------- */

/* Copy field names into the ABI's array and refuse duplicates. */
static void fields_take(char (*fields)[WEIR_NAME_SIZE], int count,
			char **names)
{
	int i, j;

	if (count > WEIR_FIELDS_MAX)
		die("a counter has at most %d fields", WEIR_FIELDS_MAX);
	for (i = 0; i < count; i++) {
		strcpy(fields[i], arg_name("field", names[i]));
		for (j = 0; j < i; j++)
			if (!strcmp(fields[i], fields[j]))
				die("field '%s' is given twice", fields[i]);
	}
}

static int create_run(const struct args *args)
{
	char fields[WEIR_FIELDS_MAX][WEIR_NAME_SIZE] = { { 0 } };
	struct weir_counter_config config = { .size = sizeof(config) };
	int type;

	arg_object("counter", args->operands[0]);
	type = option_word(args, "--type", weir_parse_counter_type,
			   "sum, sequence or histogram", WEIR_COUNTER_SUM);
	if (type != WEIR_COUNTER_SUM && args->count > 1)
		die("a %s has no fields", args_option(args, "--type"));
	if (type != WEIR_COUNTER_SEQUENCE && args_option(args, "--first"))
		die("--first: only for --type sequence");
	config.start = (int64_t)option_u64(args, "--first", 1, INT64_MAX, 1) - 1;
	fields_take(fields, args->count - 1, args->operands + 1);
	config.type = (uint32_t)type;
	config.nfields = (uint32_t)args->count - 1;
	config.fields = config.nfields ? (uintptr_t)fields : 0;
	return create_object(args, WEIR_KIND_COUNTER, &config);
}

static int delete_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_counter *counter = counter_open(weir, name,
						    WEIR_RIGHT_ADMIN);

	if (weir_counter_delete(counter) < 0)
		die_object("counter", name);
	weir_counter_close(counter);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- add -------------------------------------------------------------------- */

/* Parse FIELD=N. Return: the index of the field; *@amount: N. */
static unsigned int pair_take(struct weir_counter *counter, const char *name,
			      const char *pair, int64_t *amount)
{
	const char *equals = strchr(pair, '=');
	char field[WEIR_NAME_SIZE];
	int index;

	if (!equals)
		die("'%s': not FIELD=N", printable(pair));
	if ((size_t)(equals - pair) >= sizeof(field))
		die("counter '%s': no such field: '%.*s...'", name, 20,
		    printable(pair));
	snprintf(field, sizeof(field), "%.*s", (int)(equals - pair), pair);
	index = weir_counter_field(counter, field);
	if (index < 0)
		die("counter '%s': no such field: '%s'", name,
		    printable(field));
	*amount = arg_s64(field, equals + 1);
	return (unsigned int)index;
}

/* Pairs may be in any order; the call needs the amounts in the order of the fields. */
static int add_pairs(struct weir_counter *counter, const char *name,
		     int count, char **pairs)
{
	int64_t by_field[WEIR_FIELDS_MAX] = { 0 }, amounts[WEIR_FIELDS_MAX];
	uint64_t mask = 0;
	int i, used = 0;

	for (i = 0; i < count; i++) {
		int64_t amount;
		unsigned int index = pair_take(counter, name, pairs[i],
					       &amount);

		if (mask & 1ULL << index)
			die("field '%s' is given twice",
			    weir_counter_field_name(counter, index));
		mask |= 1ULL << index;
		by_field[index] = amount;
	}
	for (i = 0; i < WEIR_FIELDS_MAX; i++)
		if (mask & 1ULL << i)
			amounts[used++] = by_field[i];
	return weir_counter_add_many(counter, mask, amounts);
}

static int add_run(const struct args *args)
{
	const char *name = args->operands[0];
	struct weir *weir = client_open(0);
	struct weir_counter *counter;
	int ret;

	/* OBSERVE is needed for the names of fields */
	counter = counter_open(weir, name, WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
	if (weir_counter_type(counter) == WEIR_COUNTER_SEQUENCE)
		die("counter '%s': is a sequence: 'weir counter next' counts it",
		    name);
	if (weir_counter_type(counter) == WEIR_COUNTER_HISTOGRAM)
		die("counter '%s': is a histogram: 'weir counter observe' counts in it",
		    name);
	if (args->count == 2 && !strchr(args->operands[1], '=')) {
		int64_t amount = arg_s64("N", args->operands[1]);

		if (weir_counter_fields(counter) != 1)
			die("counter '%s': has %u fields: tell which, as FIELD=N",
			    name, weir_counter_fields(counter));
		ret = weir_counter_add(counter, 0, amount);
	} else {
		ret = add_pairs(counter, name, args->count - 1,
				args->operands + 1);
	}
	if (ret < 0)
		die_object("counter", name);
	weir_counter_close(counter);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- read, take ------------------------------------------------------------- */

static void values_json(struct weir_counter *counter, const char *name,
			const int64_t *values, int first, int end)
{
	const char *type = weir_counter_type_name(weir_counter_type(counter));
	json_t *fields = json_object();
	json_t *json = json_object();
	int i;

	for (i = first; i < end; i++)
		json_add(fields, weir_counter_field_name(counter,
							 (unsigned int)i),
			 json_integer(values[i]));
	json_add(json, "name", json_string(name));
	json_add(json, "type", type ? json_string(type) : json_null());
	json_add(json, "fields", fields);
	json_print(json);
}

static void values_text(struct weir_counter *counter, const int64_t *values,
			int count)
{
	int i, width = 0;

	for (i = 0; i < count; i++) {
		int length = (int)strlen(weir_counter_field_name(counter,
							(unsigned int)i));

		if (length > width)
			width = length;
	}
	for (i = 0; i < count; i++)
		printf("%-*s  %lld\n", width,
		       weir_counter_field_name(counter, (unsigned int)i),
		       (long long)values[i]);
}

static void values_print(const struct args *args, struct weir_counter *counter,
			 const char *field, const int64_t *values, int count)
{
	const char *name = args->operands[0];
	int first = 0, end = count;

	if (field) {
		first = weir_counter_field(counter, field);
		if (first < 0)
			die("counter '%s': no such field: '%s'", name,
			    printable(field));
		end = first + 1;
	}
	if (args->json)
		values_json(counter, name, values, first, end);
	else if (end - first == 1)
		printf("%lld\n", (long long)values[first]);
	else
		values_text(counter, values, count);
}

static void histogram_fetch(const struct args *args, struct weir_counter *counter,
			    const char *field, bool take)
{
	static struct weir_histogram h;
	const char *name = args->operands[0];
	int ret = take ? weir_counter_take_histogram(counter, &h) :
			 weir_counter_read_histogram(counter, &h);

	if (ret < 0)
		die_object("counter", name);
	histogram_print(args, name, field, &h);
}

static void values_fetch(const struct args *args, struct weir_counter *counter,
			 const char *field, bool take)
{
	int64_t values[WEIR_FIELDS_MAX];
	int count = take ? weir_counter_take(counter, values, WEIR_FIELDS_MAX) :
			   weir_counter_read(counter, values, WEIR_FIELDS_MAX);

	if (count < 0)
		die_object("counter", args->operands[0]);
	values_print(args, counter, field, values, count);
}

static int fetch(const struct args *args, struct weir *weir, unsigned int rights,
		 bool take)
{
	struct weir_counter *counter = counter_open(weir, args->operands[0], rights);
	const char *field = args->count > 1 ? args->operands[1] : NULL;

	if (weir_counter_type(counter) == WEIR_COUNTER_HISTOGRAM)
		histogram_fetch(args, counter, field, take);
	else
		values_fetch(args, counter, field, take);
	weir_counter_close(counter);
	weir_close(weir);
	return EXIT_YES;
}

static int read_run(const struct args *args)
{
	return fetch(args, client_open(WEIR_OPEN_READONLY), WEIR_RIGHT_OBSERVE,
		     false);
}

static int take_run(const struct args *args)
{
	return fetch(args, client_open(0), WEIR_RIGHT_OBSERVE | WEIR_RIGHT_ADMIN,
		     true);
}

/* ---- next ------------------------------------------------------------------- */

static int next_run(const struct args *args)
{
	const char *name = args->operands[0];
	uint64_t count = option_u64(args, "--count", 1, 1ULL << 32, 1);
	struct weir *weir = client_open(0);
	struct weir_counter *counter = counter_open(weir, name,
						    WEIR_RIGHT_USE);
	unsigned long long first, last;
	uint64_t number;

	if (weir_counter_next(counter, count, &number) < 0)
		die_object("counter", name);
	first = number;
	last = number + count - 1;
	if (args->json) {
		json_t *json = json_object();

		json_add(json, "name", json_string(name));
		json_add(json, "first", json_u64(first));
		json_add(json, "last", json_u64(last));
		json_print(json);
	} else if (args_option(args, "--count")) {
		printf("%llu %llu\n", first, last);
	} else {
		printf("%llu\n", first);
	}
	weir_counter_close(counter);
	weir_close(weir);
	return EXIT_YES;
}

/* ---- the table -------------------------------------------------------------- */

static const struct option create_options[] = {
	{ .name = "--type", .value = "TYPE",
	  .help = "sum (the default): signed sums; sequence: hands out 1, 2, 3... without gap or repeat; histogram: counts values by size, for percentiles",
	  .words = "sum sequence histogram" },
	{ .name = MODE_OPTION },
	{ .name = GROUP_OPTION },
	{ .name = "--first", .value = "N",
	  .help = "the first number of a sequence; default 1" },
	{ .name = EXISTING_OK_OPTION("counter") },
	{ 0 }
};

static const struct option next_options[] = {
	{ .name = "--count", .value = "N",
	  .help = "take a block of N numbers and print its first and last" },
	{ 0 }
};

static const struct command commands[] = {
	{
		.verb = "create", .operands = "NAME [FIELD...]",
		.least = 1, .most = -1,
		.summary = "make a counter",
		.details = "The counter has the named fields, at most 64, or one field called 'value'. Fields of a sequence or a histogram cannot be named. A histogram takes 8 KiB of memory for each possible CPU.",
		.options = create_options, .run = create_run,
	},
	{
		.verb = "add", .operands = "NAME N|FIELD=N...",
		.least = 2, .most = -1,
		.summary = "add to fields, in one step",
		.details = "N without FIELD is for a counter with one field. N may be negative. A reader sees all that one command adds, or nothing of it. A sum wraps around at 2^63.",
		.complete = "counter field",
		.run = add_run,
	},
	{
		.verb = "read", .operands = "NAME [FIELD]",
		.least = 1, .most = 2,
		.summary = "print the fields, all as of one moment",
		.details = "For a sequence the last number handed out is printed; 0 if there was none.\n\n"
			"A histogram prints the count and the sum of its values (modulo 2^64), mean, min, percentiles and max; or only FIELD: count, sum, mean, min, max, or p and a percentage, as in p50 or p99.9. A percentile is the highest value of its bucket: never too low, and too high by less than 1/16 (exact below 32). Min and max are the bounds of the lowest and the highest non-empty bucket, with the same accuracy. Without values '-' is printed instead.",
		.complete = "counter field", .prints = true,
		.run = read_run,
	},
	{
		.verb = "take", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "print the fields and reset them to zero",
		.details = "Nothing is lost: each add is in the numbers that one take prints, or in the counter afterwards.",
		.complete = "counter", .prints = true,
		.run = take_run,
	},
	{
		.verb = "observe", .operands = "NAME N...",
		.least = 2, .most = -1,
		.summary = "count values in a histogram",
		.details = "N is from 0 to 9223372036854775807, in a unit of your choice. '-' reads the values from standard input, one on each line. A line that is not a number is an error; the values before it have been counted.",
		.complete = "counter",
		.options = counter_observe_options, .run = counter_observe_run,
	},
	{
		.verb = "next", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "take the next number of a sequence, or a block of them",
		.complete = "counter", .prints = true,
		.options = next_options, .run = next_run,
	},
	{
		.verb = "delete", .operands = "NAME",
		.least = 1, .most = 1,
		.summary = "delete a counter, for all its users",
		.complete = "counter",
		.run = delete_run,
	},
};

const struct object counter_object = {
	.name = "counter",
	.summary = "Counters: sums, sequences and histograms that lose no update.",
	.commands = commands,
	.ncommands = COUNT(commands),
};
