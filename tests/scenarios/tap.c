// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "tap.h"

static unsigned int tests, failures;

static bool scale_is(const char *word)
{
	const char *scale = getenv("WEIR_SCALE");

	return scale && !strcmp(scale, word);
}

static bool scale_small(void)
{
	return scale_is("small");
}

unsigned int tap_scaled(unsigned int count, unsigned int by)
{
	if (!scale_small())
		return count;
	return count / by ? count / by : 1;
}

unsigned int tap_seconds(void)
{
	return scale_small() ? 2 : scale_is("full") ? 60 : 10;
}

void tap_begin(const char *story)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	deadline(scale_small() ? 300 : 170);
	printf("TAP version 13\n");
	tap_note("%s", story);
}

void tap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static bool report(bool good, const char *format, va_list args)
{
	tests++;
	failures += !good;
	printf("%sok %u - ", good ? "" : "not ", tests);
	vprintf(format, args);
	printf("\n");
	return good;
}

bool tap_ok(bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(good, format, args);
	va_end(args);
	return good;
}

bool tap_is(uint64_t seen, uint64_t wanted, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!report(seen == wanted, format, args))
		tap_note("  seen %llu, wanted %llu", (unsigned long long)seen,
			 (unsigned long long)wanted);
	va_end(args);
	return seen == wanted;
}

void tap_skip(const char *why, const char *what)
{
	printf("ok %u - %s # SKIP %s\n", ++tests, what, why);
}

int tap_end(void)
{
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}

void tap_bail(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	printf("Bail out! ");
	vprintf(format, args);
	printf(" (%s)\n", strerror(error));
	va_end(args);
	exit(2);
}
