/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/kernel/weir: the objects and their totals, one value in each file.
 *
 * The folder of an object is a separate node, not a part of the object, because sysfs may keep it
 * for a while after its removal. No show function runs after weir_sysfs_remove() has returned, so
 * show functions may use the object. They take no mutex.
 */
#ifndef _WEIR_SYSFS_H
#define _WEIR_SYSFS_H

#include <linux/kobject.h>
#include <linux/sysfs.h>

struct weir_kind_ops;
struct weir_object;

/**
 * struct weir_sysfs_node - an object's folder
 * @kobj: its kobject
 * @object: not NULL while the folder is visible
 * @group: its files
 * @attrs: for kinds whose files differ between objects; freed with the node
 */
struct weir_sysfs_node {
	struct kobject kobj;
	struct weir_object *object;
	struct attribute_group group;
	void *attrs;
};

/**
 * struct weir_attribute - a file whose value comes from the object
 * @attr: name and mode of the file
 * @show: print the value
 * @index: argument of @show
 */
struct weir_attribute {
	struct attribute attr;
	ssize_t (*show)(struct weir_object *o, unsigned int index, char *buffer);
	unsigned int index;
};

/* An element of a list of attributes: a file. */
#define WEIR_ATTRIBUTE(_name, _show, _index)				\
	(&((struct weir_attribute){					\
		.attr = { .name = #_name, .mode = 0444 },		\
		.show = _show,						\
		.index = _index,					\
	}).attr)

/* The same for a total, a u64 member of the kind's struct of totals. */
#define WEIR_STAT(_name, _struct, _member)				\
	WEIR_ATTRIBUTE(_name, weir_stat_show, offsetof(struct _struct, _member))

int weir_sysfs_add(struct weir_object *o);
void weir_sysfs_remove(struct weir_object *o);
ssize_t weir_stat_show(struct weir_object *o, unsigned int offset, char *buffer);
int weir_sysfs_kind_add(const struct weir_kind_ops *ops);
int weir_sysfs_mod_init(void);
void weir_sysfs_mod_exit(void);

#endif /* _WEIR_SYSFS_H */
