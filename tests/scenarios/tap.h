/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tap - results on standard output, in the Test Anything Protocol
 *
 *	tap_begin("subject of the scenario");
 *	tap_note("100 processes x %u strikes", n);
 *	tap_is(seen, wanted, "every strike is counted");
 *	return tap_end();
 *
 * The plan is printed last: a program that dies half-way prints none, and fails.
 */
#ifndef _WEIR_TAP_H
#define _WEIR_TAP_H

#include <stdbool.h>
#include <stdint.h>

void tap_begin(const char *story);
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool tap_ok(bool good, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool tap_is(uint64_t seen, uint64_t wanted, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tap_skip(const char *why, const char *what);
int tap_end(void);

/* The environment is not what the scenario needs: neither pass nor fail. */
void tap_bail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/*
 * @count, or, with WEIR_SCALE=small in the environment (for kernels with debug checks), @count
 * divided by @by, at least 1.
 */
unsigned int tap_scaled(unsigned int count, unsigned int by);

/* Duration of a race without a natural end: 10 s; 60 s with WEIR_SCALE=full, 2 s with small. */
unsigned int tap_seconds(void);

#endif /* _WEIR_TAP_H */
