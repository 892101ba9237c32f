/* SPDX-License-Identifier: GPL-2.0-only */
/* From the device's file operations to the objects. */
#ifndef _WEIR_IOCTL_H
#define _WEIR_IOCTL_H

#include <linux/compiler.h>
#include <linux/types.h>

struct file;
struct weir_client;
struct weir_object;
struct weir_op;
struct weir_submit;

long weir_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int weir_create_run(struct weir_client *c, struct weir_object *none, void *arg, u64 user);
int weir_submit_op(struct weir_client *c, struct weir_op __user *user);
int weir_submit_run(struct weir_client *c, struct weir_submit __user *user);

int weir_device_dup(struct weir_client *c, u32 flags);
int weir_device_mod_init(void);
void weir_device_mod_exit(void);

#endif /* _WEIR_IOCTL_H */
