/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * service - how every scenario starts and ends
 *
 * Objects of a scenario have its name; objects left behind by an earlier run are deleted first.
 * A failure here ends the scenario, because it is not its subject.
 */
#ifndef _WEIR_SERVICE_H
#define _WEIR_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir.h>

#define MS	1000000ULL
#define SECOND	1000000000ULL
#define MINUTE	(60 * SECOND)
#define HOUR	(3600 * SECOND)
#define DAY	(24 * HOUR)

struct weir *service_connect(void);

struct weir_counter *service_counter(struct weir *weir, const char *name,
				     enum weir_counter_type type,
				     const char *const *fields,
				     unsigned int nfields);
struct weir_limiter *service_limiter(struct weir *weir, const char *name,
				     const struct weir_limiter_config *config);

struct weir_gate *service_gate(struct weir *weir, const char *name,
			       const struct weir_gate_config *config);

/* Delete the counter and close it. Return: whether this worked. */
bool counter_end(struct weir_counter *counter);
bool limiter_end(struct weir_limiter *limiter);
bool gate_end(struct weir_gate *gate);

/* Delete the object of that kind and name, if it exists. */
void service_remove(struct weir *weir, enum weir_kind kind, const char *name);

/* Number of objects with that name. */
unsigned int objects_named(struct weir *weir, const char *name);

struct weir_limiter_stats limiter_stats(struct weir_limiter *limiter);
struct weir_gate_stats gate_stats(struct weir_gate *gate);

/* CLOCK_BOOTTIME, the clock of all times of weir */
uint64_t now_ns(void);

#endif /* _WEIR_SERVICE_H */
