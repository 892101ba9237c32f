// SPDX-License-Identifier: GPL-2.0-only
/* weir counter observe, and the output of histograms */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- observe ---------------------------------------------------------------- */

/* Values that are collected for one system call. */
struct observing {
	const char *name;
	struct weir *weir;
	struct weir_counter *counter;
	uint64_t times;
	unsigned long long counted;
	unsigned int pending;
	struct weir_op ops[WEIR_BATCH_MAX];
};

static void observing_flush(struct observing *o)
{
	unsigned int at = 0, i;
	int done;

	while (at < o->pending) {
		done = weir_submit(o->weir, o->ops + at, o->pending - at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			die_object("counter", o->name);
		for (i = at; i < at + (unsigned int)done; i++) {
			errno = -o->ops[i].result;
			if (errno)
				die_object("counter", o->name);
		}
		at += (unsigned int)done;
		o->counted += (unsigned long long)done;
	}
	o->pending = 0;
}

static void observing_add(struct observing *o, uint64_t value)
{
	if (o->pending == COUNT(o->ops))
		observing_flush(o);
	weir_op_observe(&o->ops[o->pending++], o->counter, value, o->times);
}

/* Parse one line without its newline. It must be a value. */
static void observing_line(struct observing *o, char *line, size_t length)
{
	uint64_t value;

	if (length && line[length - 1] == '\n')
		line[--length] = '\0';
	if (strlen(line) == length && !weir_parse_u64(line, &value) &&
	    value <= WEIR_HISTOGRAM_VALUE_MAX) {
		observing_add(o, value);
		return;
	}
	observing_flush(o);
	die("line %llu: '%s': not a whole number from 0 to %llu; the lines before it are counted",
	    o->counted + 1, printable(line), WEIR_HISTOGRAM_VALUE_MAX);
}

static void observing_input(struct observing *o)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, stdin)) >= 0)
		observing_line(o, line, (size_t)length);
	if (ferror(stdin))
		die("cannot read the input: %s", strerror(errno));
	free(line);
}

int counter_observe_run(const struct args *args)
{
	static struct observing o;
	int i;

	o.name = args->operands[0];
	o.times = option_u64(args, "--times", 1, 1ULL << 32, 1);
	o.weir = client_open(0);
	o.counter = counter_open(o.weir, o.name, WEIR_RIGHT_USE);
	if (args->count == 2 && !strcmp(args->operands[1], "-")) {
		observing_input(&o);
	} else {
		/* check all values before one is counted */
		for (i = 1; i < args->count; i++)
			arg_u64("N", args->operands[i], 0, WEIR_HISTOGRAM_VALUE_MAX);
		for (i = 1; i < args->count; i++)
			observing_add(&o, arg_u64("N", args->operands[i], 0,
						  WEIR_HISTOGRAM_VALUE_MAX));
	}
	observing_flush(&o);
	weir_counter_close(o.counter);
	weir_close(o.weir);
	return EXIT_YES;
}

const struct option counter_observe_options[] = {
	{ .name = "--times", .value = "N",
	  .help = "count each value N times, up to 4294967296" },
	{ 0 }
};

/* ---- statistics ---------------------------------------------------------------- */

/* Parse "p99.9": p and a percentage of up to four decimals. */
static bool percentile_parse(const char *text, uint32_t *ppm)
{
	uint64_t number = 0;
	int decimals = -1;

	if (*text++ != 'p' || !*text || *text == '.')
		return false;
	for (; *text; text++) {
		if (*text == '.' && decimals < 0) {
			decimals = 0;
			continue;
		}
		if (*text < '0' || *text > '9' || decimals == 4 ||
		    number > 100 * 10000)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
		decimals += decimals >= 0;
	}
	if (!decimals)
		return false;
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 4; decimals++)
		number *= 10;
	*ppm = (uint32_t)number;
	return number <= 1000000;
}

/* The number for @field; 0 if there are no values. Return: false if there is no such field. */
static bool number_get(const struct weir_histogram *h, const char *field,
		       uint64_t *number)
{
	uint32_t ppm;

	if (!strcmp(field, "count"))
		*number = h->count;
	else if (!strcmp(field, "sum"))
		*number = h->sum;
	else if (!strcmp(field, "min"))
		*number = h->min;
	else if (!strcmp(field, "max"))
		*number = h->max;
	else if (percentile_parse(field, &ppm))
		*number = weir_histogram_percentile(h, ppm);
	else
		return false;
	return true;
}

/* Get @field as text and as JSON, like number_get(). */
static bool field_get(const struct weir_histogram *h, const char *field, char *text,
		      size_t size, json_t **json)
{
	bool mean = !strcmp(field, "mean");
	uint64_t number = 0;

	if (!mean && !number_get(h, field, &number))
		return false;
	if (!h->count && strcmp(field, "count") && strcmp(field, "sum")) {
		snprintf(text, size, "-");
		*json = json_null();
	} else if (mean) {
		snprintf(text, size, "%.12g", weir_histogram_mean(h));
		*json = json_real(weir_histogram_mean(h));
	} else {
		snprintf(text, size, "%llu", (unsigned long long)number);
		*json = json_u64(number);
	}
	return true;
}

static void field_print(const char *name, const char *field,
			const struct weir_histogram *h, json_t *json)
{
	json_t *value = NULL;
	char text[64];

	if (!field_get(h, field, text, sizeof(text), &value))
		die("counter '%s': no such field: '%s'", name, printable(field));
	if (json) {
		json_add(json, field, value);
		return;
	}
	json_decref(value);
	puts(text);
}

static json_t *buckets_json(const struct weir_histogram *h)
{
	json_t *buckets = json_array(), *bucket;
	unsigned int i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		bucket = json_object();
		json_add(bucket, "low", json_u64(weir_histogram_bucket_low(i)));
		json_add(bucket, "high", json_u64(weir_histogram_bucket_high(i)));
		json_add(bucket, "count", json_u64(h->buckets[i]));
		json_array_append_new(buckets, bucket);
	}
	return buckets;
}

static void all_json(const char *name, const struct weir_histogram *h, json_t *json)
{
	static const char *const fields[] = { "count", "sum", "mean", "min", "max" };
	static const char *const percentiles[] = { "p50", "p90", "p99", "p99.9" };
	json_t *parts = json_object();
	int i;

	for (i = 0; i < COUNT(fields); i++)
		field_print(name, fields[i], h, json);
	for (i = 0; i < COUNT(percentiles); i++)
		field_print(name, percentiles[i], h, parts);
	json_add(json, "percentiles", parts);
	json_add(json, "buckets", buckets_json(h));
}

static void all_text(const struct weir_histogram *h)
{
	static const char *const fields[] = {
		"count", "sum", "mean", "min", "p50", "p90", "p99", "p99.9", "max",
	};
	json_t *json = NULL;
	char text[64];
	int i;

	for (i = 0; i < COUNT(fields); i++) {
		field_get(h, fields[i], text, sizeof(text), &json);
		json_decref(json);
		printf("%-5s  %s\n", fields[i], text);
	}
}

void histogram_print(const struct args *args, const char *name, const char *field,
		     const struct weir_histogram *h)
{
	json_t *json = args->json ? json_object() : NULL;

	if (json) {
		json_add(json, "name", json_string(name));
		json_add(json, "type", json_string("histogram"));
	}
	if (field)
		field_print(name, field, h, json);
	else if (json)
		all_json(name, h, json);
	else
		all_text(h);
	if (json)
		json_print(json);
}
