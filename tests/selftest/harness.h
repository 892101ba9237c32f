/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's test harness, with a longer timeout. A test does not measure its own duration, and
 * the machine may be shared and slow. A test that hangs still ends before the time limit of
 * tests/guest.
 */
#ifndef _WEIR_HARNESS_H
#define _WEIR_HARNESS_H

#include <kselftest_harness.h>

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#endif /* _WEIR_HARNESS_H */
