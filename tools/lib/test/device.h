/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations that the files of device_check share. */
#ifndef LIBWEIR_DEVICE_H
#define LIBWEIR_DEVICE_H

#include "tap.h"
#include "weir.h"

#define HOUR 3600000000000ULL

/* The client of all tests. */
extern struct weir *weir;

void test_gates(void);
void test_breakers(void);
void test_fork(void);

#endif /* LIBWEIR_DEVICE_H */
