/* SPDX-License-Identifier: GPL-2.0-only */
/* The device that &struct class.devnode gets is const from 6.2 on. */
#ifndef _WEIR_COMPAT_CLASS_H
#define _WEIR_COMPAT_CLASS_H

#include <linux/device/class.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 2, 0) <= LINUX_VERSION_CODE
#define WEIR_DEVNODE_DEVICE	const struct device
#else
#define WEIR_DEVNODE_DEVICE	struct device
#endif

#endif /* _WEIR_COMPAT_CLASS_H */
