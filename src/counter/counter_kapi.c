// SPDX-License-Identifier: GPL-2.0-only
/* Adds by other modules. See kapi.h. */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/string.h>

#include <linux/weir.h>

#include "core/kapi.h"
#include "counter/counter.h"

struct weir_counter *weir_counter_get(const char *name)
{
	struct weir_object *o = weir_kapi_get(WEIR_KIND_COUNTER, name);

	return IS_ERR(o) ? ERR_CAST(o) : weir_counter(o);
}
EXPORT_SYMBOL_GPL(weir_counter_get);

void weir_counter_put(struct weir_counter *counter)
{
	if (!IS_ERR_OR_NULL(counter))
		weir_kapi_put(&counter->obj);
}
EXPORT_SYMBOL_GPL(weir_counter_put);

int weir_counter_field(const struct weir_counter *counter, const char *name)
{
	unsigned int i;

	/* the names belong to the header, which the reference keeps */
	for (i = 0; i < counter->nfields; i++)
		if (!strcmp(counter->names[i], name))
			return i;
	return -ENOENT;
}
EXPORT_SYMBOL_GPL(weir_counter_field);

int weir_counter_add(struct weir_counter *counter, unsigned int field, s64 n)
{
	int err = -ENODEV;

	if (counter->obj.type != WEIR_COUNTER_SUM)
		return -EOPNOTSUPP;
	if (field >= counter->nfields)
		return -EINVAL;
	rcu_read_lock();
	if (weir_object_alive(&counter->obj)) {
		weir_counter_add_one(counter, field, n);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(weir_counter_add);
