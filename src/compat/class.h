/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device that &struct class.devnode gets is const from 6.2 on. class_create() has no owner from
 * 6.4 on.
 */
#ifndef _WEIR_COMPAT_CLASS_H
#define _WEIR_COMPAT_CLASS_H

#include <linux/device/class.h>
#include <linux/export.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 2, 0) <= LINUX_VERSION_CODE
#define WEIR_DEVNODE_DEVICE	const struct device
#else
#define WEIR_DEVNODE_DEVICE	struct device
#endif

static inline struct class *weir_class_create(const char *name)
{
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
	return class_create(name);
#else
	return class_create(THIS_MODULE, name);
#endif
}

#endif /* _WEIR_COMPAT_CLASS_H */
