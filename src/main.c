// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir: counting and limiting exactly, for every process on a host.
 *
 * This file lists the parts, from the bottom up. A part calls only parts below it.
 * docs/architecture.md has the reasons.
 */

#include <linux/init.h>
#include <linux/module.h>

#include "core/abi.h"
#include "table/entry.h"
#include "core/event.h"
#include "api/ioctl.h"
#include "api/kinds.h"
#include "core/namespace.h"
#include "core/registry.h"
#include "table/table.h"
#include "core/sysfs.h"
#include "limiter/reserve.h"

static const struct {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ weir_event_mod_init,		weir_event_mod_exit },
	{ weir_namespace_mod_init,	weir_namespace_mod_exit },
	{ weir_entry_mod_init,		weir_entry_mod_exit },
	{ weir_reserve_mod_init,	weir_reserve_mod_exit },
	{ weir_sweep_mod_init,		weir_sweep_mod_exit },
	{ weir_sysfs_mod_init,		weir_sysfs_mod_exit },
	{ weir_kinds_mod_init },	/* the folders are removed with sysfs */
	{ weir_registry_mod_init,	weir_registry_mod_exit },
	{ weir_device_mod_init,		weir_device_mod_exit },
};

static void parts_exit(unsigned int n)
{
	while (n--)
		if (parts[n].exit)
			parts[n].exit();
}

static int __init weir_mod_init(void)
{
	unsigned int i;
	int err;

	weir_abi_check();
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			parts_exit(i);
			return err;
		}
	}
	pr_info("version " WEIR_VERSION ", ABI %u\n", WEIR_ABI_VERSION);
	return 0;
}

static void __exit weir_mod_exit(void)
{
	parts_exit(ARRAY_SIZE(parts));
}

module_init(weir_mod_init);
module_exit(weir_mod_exit);
MODULE_DESCRIPTION("Exact counters and limiters for every process on a host");
MODULE_AUTHOR("The Weir developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(WEIR_VERSION);
