/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's test harness, with patience: how long a test takes is not what it is
 * about, and a machine that others use, too, takes its time. What hangs ends all the
 * same, before tests/guest loses its own patience with the program.
 */
#ifndef _WEIR_HARNESS_H
#define _WEIR_HARNESS_H

#include <kselftest_harness.h>

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#endif /* _WEIR_HARNESS_H */
