// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of object, one row each. A kind is described in its own folder, by its &struct
 * weir_kind_ops; nothing else lists the kinds.
 */

#include <linux/nospec.h>

#include "api/kinds.h"
#include "api/ops.h"
#include "breaker/breaker.h"
#include "core/sysfs.h"
#include "counter/counter.h"
#include "gate/gate.h"
#include "limiter/limiter.h"
#include "roster/roster.h"

static const struct weir_kind_ops *const kinds[WEIR_KINDS] = {
	[WEIR_KIND_COUNTER] = &weir_counter_ops,
	[WEIR_KIND_LIMITER] = &weir_limiter_ops,
	[WEIR_KIND_GATE] = &weir_gate_ops,
	[WEIR_KIND_BREAKER] = &weir_breaker_ops,
	[WEIR_KIND_ROSTER] = &weir_roster_ops,
};

/* The kind with a number from the user, or NULL. */
const struct weir_kind_ops *weir_kind_find(u32 kind)
{
	if (kind >= ARRAY_SIZE(kinds))
		return NULL;
	return kinds[array_index_nospec(kind, ARRAY_SIZE(kinds))];
}

int weir_kinds_mod_init(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++) {
		if (!kinds[i])
			continue;
		weir_ops_add(kinds[i]);
		err = weir_sysfs_kind_add(kinds[i]);
	}
	return err;
}
