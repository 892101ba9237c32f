// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "tap.h"
#include "service.h"

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

struct weir *service_connect(void)
{
	struct weir *weir = weir_open(0);

	if (!weir)
		tap_bail("cannot open %s", WEIR_DEVICE);
	return weir;
}

bool counter_end(struct weir_counter *counter)
{
	int ret = weir_counter_delete(counter);

	weir_counter_close(counter);
	return !ret;
}

bool limiter_end(struct weir_limiter *limiter)
{
	int ret = weir_limiter_delete(limiter);

	weir_limiter_close(limiter);
	return !ret;
}

bool gate_end(struct weir_gate *gate)
{
	int ret = weir_gate_delete(gate);

	weir_gate_close(gate);
	return !ret;
}

void service_remove(struct weir *weir, enum weir_kind kind, const char *name)
{
	struct weir_counter *counter;
	struct weir_limiter *limiter;
	struct weir_gate *gate;

	if (kind == WEIR_KIND_COUNTER) {
		counter = weir_counter_open(weir, name, WEIR_RIGHT_ADMIN);
		if (counter && !counter_end(counter))
			tap_bail("cannot delete the old counter %s", name);
	} else if (kind == WEIR_KIND_GATE) {
		gate = weir_gate_open(weir, name, WEIR_RIGHT_ADMIN);
		if (gate && !gate_end(gate))
			tap_bail("cannot delete the old gate %s", name);
	} else {
		limiter = weir_limiter_open(weir, name, WEIR_RIGHT_ADMIN);
		if (limiter && !limiter_end(limiter))
			tap_bail("cannot delete the old limiter %s", name);
	}
}

struct weir_counter *service_counter(struct weir *weir, const char *name,
				     enum weir_counter_type type,
				     const char *const *fields,
				     unsigned int nfields)
{
	struct weir_counter *counter;

	service_remove(weir, WEIR_KIND_COUNTER, name);
	counter = weir_counter_create(weir, name, type, fields, nfields, 0660);
	if (!counter)
		tap_bail("cannot create counter %s", name);
	return counter;
}

struct weir_limiter *service_limiter(struct weir *weir, const char *name,
				     const struct weir_limiter_config *config)
{
	struct weir_limiter *limiter;

	service_remove(weir, WEIR_KIND_LIMITER, name);
	limiter = weir_limiter_create(weir, name, config, 0660);
	if (!limiter)
		tap_bail("cannot create limiter %s", name);
	return limiter;
}

struct weir_gate *service_gate(struct weir *weir, const char *name,
			       const struct weir_gate_config *config)
{
	struct weir_gate *gate;

	service_remove(weir, WEIR_KIND_GATE, name);
	gate = weir_gate_create(weir, name, config, 0660);
	if (!gate)
		tap_bail("cannot create gate %s", name);
	return gate;
}

unsigned int objects_named(struct weir *weir, const char *name)
{
	struct weir_objects *objects = weir_objects_open(weir, WEIR_KIND_ANY, NULL);
	const struct weir_object_info *info;
	unsigned int count = 0;

	if (!objects)
		tap_bail("cannot list objects");
	while (weir_objects_next(objects, &info) == 1)
		count += !strcmp(info->name, name);
	weir_objects_close(objects);
	return count;
}

struct weir_limiter_stats limiter_stats(struct weir_limiter *limiter)
{
	struct weir_limiter_stats stats = { .size = sizeof(stats) };

	if (weir_limiter_get_stats(limiter, &stats))
		tap_bail("cannot read a limiter's totals");
	return stats;
}

struct weir_gate_stats gate_stats(struct weir_gate *gate)
{
	struct weir_gate_stats stats = { .size = sizeof(stats) };

	if (weir_gate_get_stats(gate, &stats))
		tap_bail("cannot read a gate's totals");
	return stats;
}
