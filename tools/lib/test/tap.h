/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Minimal support for tests that print TAP. */
#ifndef LIBWEIR_TAP_H
#define LIBWEIR_TAP_H

#include <stdio.h>

/* weak, so that all files of a program share one copy */
int tap_count __attribute__((weak)), tap_failed __attribute__((weak));

#define ok(condition, ...) do {						\
	int ok_ = !!(condition);					\
									\
	tap_count++;							\
	tap_failed += !ok_;						\
	printf("%sok %d ", ok_ ? "" : "not ", tap_count);		\
	printf(__VA_ARGS__);						\
	putchar('\n');							\
	if (!ok_)							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);	\
} while (0)

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif /* LIBWEIR_TAP_H */
