// SPDX-License-Identifier: GPL-2.0-only
/* Output: text for people, JSON for programs. A failed write is an error. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static bool coloured;
static void (*on_pipe)(int);

void output_begin(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	coloured = isatty(STDOUT_FILENO) && !(no_colour && *no_colour) &&
		   terminal && strcmp(terminal, "dumb");
	/* a pipe closed by its reader is reported like any other failed write; see output_end() */
	on_pipe = signal(SIGPIPE, SIG_IGN);
}

static void output_failed(void)
{
	fprintf(stderr, "weir: cannot write the output: %s\n",
		strerror(errno));
	/* exit() would try to write the rest again */
	_exit(EXIT_ERROR);
}

void output_flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		output_failed();
}

void output_leave(void)
{
	output_flush();
	signal(SIGPIPE, on_pipe);
}

int output_end(int status)
{
	errno = EIO;	/* an earlier write may have failed without a check */
	output_flush();
	return status;
}

const char *colour(enum colour wanted)
{
	static const char *const codes[] = {
		[PLAIN] = "\033[0m",
		[BOLD] = "\033[1m",
		[GREEN] = "\033[32m",
		[YELLOW] = "\033[33m",
		[RED] = "\033[31m",
	};

	return coloured ? codes[wanted] : "";
}

/*
 * ASCII only: then strings cannot control a terminal or change the direction of writing, and mean
 * the same in every locale.
 */
#define JSON_FLAGS (JSON_ENSURE_ASCII | JSON_ENCODE_ANY)

static void json_write(json_t *json, size_t flags)
{
	if (!json)
		die("out of memory");
	if (json_dumpf(json, stdout, flags) < 0)
		output_failed();
	json_decref(json);
}

void json_print(json_t *json)
{
	json_write(json, JSON_FLAGS | JSON_INDENT(2));
	putchar('\n');
}

void json_print_line(json_t *json)
{
	json_write(json, JSON_FLAGS | JSON_COMPACT);
	putchar('\n');
}

static bool array_started;

void json_array_begin(void)
{
	array_started = false;
	putchar('[');
}

void json_array_add(json_t *json)
{
	fputs(array_started ? ",\n " : "\n ", stdout);
	array_started = true;
	json_write(json, JSON_FLAGS);
	/* stop a long list as soon as its reader has gone */
	if (ferror(stdout))
		output_flush();
}

void json_array_end(void)
{
	puts(array_started ? "\n]" : "]");
}

/*
 * The JSON library has signed integers. The only larger number is WEIR_NEVER, which is printed as
 * null.
 */
json_t *json_u64(uint64_t number)
{
	return number > INT64_MAX ? json_null() :
	       json_integer((json_int_t)number);
}

void json_add(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		die("out of memory");
}

void json_add_bytes(json_t *object, const char *name, const void *bytes,
		    size_t length)
{
	char shown[KEY_ROOM], hex[2 * WEIR_KEY_MAX + 1], member[32];
	json_t *text = json_stringn(bytes, length);
	size_t i;

	if (text) {
		json_add(object, name, text);
		return;
	}
	weir_text_format(bytes, length, shown, sizeof(shown));
	json_add(object, name, json_string(shown));
	for (i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
	snprintf(member, sizeof(member), "%s_hex", name);
	json_add(object, member, json_string(hex));
}

void json_add_key(json_t *object, const struct weir_key *key)
{
	char shown[KEY_ROOM];

	if (key->type == WEIR_KEY_NONE) {
		json_add(object, "key", json_null());
	} else if (key->type == WEIR_KEY_TEXT) {
		json_add_bytes(object, "key", key->bytes, key->len);
	} else {
		weir_key_format(key, shown, sizeof(shown));
		json_add(object, "key", json_string(shown));
	}
}

const char *key_show(const struct weir_key *key, char *buffer)
{
	if (key->type == WEIR_KEY_NONE)
		return strcpy(buffer, "-");
	weir_key_format(key, buffer, KEY_ROOM);
	return buffer;
}

static uint64_t round_up(uint64_t ns, uint64_t unit)
{
	return ns / unit + (ns % unit != 0);
}

/* Print "3h12m", or "3h". */
static void two_units(char *buffer, uint64_t count, unsigned int per,
		      char large, char small)
{
	unsigned long long many = count / per, few = count % per;

	if (few)
		snprintf(buffer, HUMANE_MAX, "%llu%c%llu%c", many, large, few,
			 small);
	else
		snprintf(buffer, HUMANE_MAX, "%llu%c", many, large);
}

const char *humane(uint64_t ns, char *buffer)
{
	uint64_t tenths = round_up(ns, 100000000);
	uint64_t seconds = round_up(ns, 1000000000);
	uint64_t minutes = round_up(ns, 60000000000);

	if (ns == WEIR_NEVER)
		strcpy(buffer, "never");
	else if (ns < 1000000000)
		snprintf(buffer, HUMANE_MAX, "%llu ms",
			 (unsigned long long)round_up(ns, 1000000));
	else if (tenths < 600)
		snprintf(buffer, HUMANE_MAX, "%llu.%llu s",
			 (unsigned long long)tenths / 10,
			 (unsigned long long)tenths % 10);
	else if (seconds < 3600)
		two_units(buffer, seconds, 60, 'm', 's');
	else if (minutes < 24 * 60)
		two_units(buffer, minutes, 60, 'h', 'm');
	else
		two_units(buffer, round_up(ns, 3600000000000), 24, 'd', 'h');
	return buffer;
}
