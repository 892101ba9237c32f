// SPDX-License-Identifier: GPL-2.0-only
/* References of other modules to objects. See kapi.h. */

#include <linux/err.h>
#include <linux/module.h>
#include <linux/string.h>

#include "core/kapi.h"
#include "core/registry.h"

/* The object of that name, with references to its header and to this module. */
struct weir_object *weir_kapi_get(u32 kind, const char *name)
{
	char padded[WEIR_NAME_SIZE];
	struct weir_object *o;

	if (strscpy_pad(padded, name, sizeof(padded)) < 0 ||
	    !weir_name_valid(padded))
		return ERR_PTR(-EINVAL);
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	/* only root's objects: an object of another user must not be found here */
	o = weir_registry_find(GLOBAL_ROOT_UID, kind, padded);
	if (o)
		return o;
	module_put(THIS_MODULE);
	return ERR_PTR(-ENOENT);
}

void weir_kapi_put(struct weir_object *o)
{
	weir_object_put(o);
	/* last: the caller depends on this module, so its own reference still exists */
	module_put(THIS_MODULE);
}
