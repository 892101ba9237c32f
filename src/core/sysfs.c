// SPDX-License-Identifier: GPL-2.0-only
/* Folders of /sys/kernel/weir; the kinds provide the files. See sysfs.h. */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core/object.h"
#include "core/sysfs.h"

static struct kobject *root;
static struct kobject *dirs[WEIR_KINDS];

/*
 * Number of nodes whose memory is not freed yet, plus one for the module. Their release function is
 * in the module's text, so the module must stay until all are gone.
 */
static atomic_t nodes = ATOMIC_INIT(1);
static DECLARE_COMPLETION(nodes_gone);

static void node_count_put(void)
{
	if (atomic_dec_and_test(&nodes))
		complete(&nodes_gone);
}

static struct weir_sysfs_node *node_of(struct kobject *kobj)
{
	return container_of(kobj, struct weir_sysfs_node, kobj);
}

static void node_release(struct kobject *kobj)
{
	struct weir_sysfs_node *node = node_of(kobj);

	kfree(node->attrs);
	kfree(node);
	node_count_put();
}

static ssize_t node_show(struct kobject *kobj, struct attribute *attr,
			 char *buffer)
{
	struct weir_attribute *a = container_of(attr, struct weir_attribute, attr);

	return a->show(node_of(kobj)->object, a->index, buffer);
}

static const struct sysfs_ops node_sysfs_ops = {
	.show = node_show,
};

static const struct kobj_type node_type = {
	.release = node_release,
	.sysfs_ops = &node_sysfs_ops,
};

/* If others may not observe the object, only root can read its files. */
static umode_t node_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	return node_of(kobj)->object->mode & 0004 ? 0444 : 0400;
}

/**
 * weir_sysfs_add - make an object's folder
 * @o: the object
 *
 * Context: may sleep; the name is claimed.
 *
 * Return: 0, or -ENOMEM and nothing was made.
 */
int weir_sysfs_add(struct weir_object *o)
{
	struct weir_sysfs_node *node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
	int err;

	if (!node)
		return -ENOMEM;
	node->object = o;
	node->group.is_visible = node_visible;
	o->node = node;
	atomic_inc(&nodes);
	kobject_init(&node->kobj, &node_type);
	node->group.attrs = o->ops->attrs;
	err = o->ops->sysfs_add ? o->ops->sysfs_add(o) : 0;
	if (!err)
		err = kobject_add(&node->kobj, dirs[o->ops->kind], "%s", o->name);
	if (!err)
		err = sysfs_create_group(&node->kobj, &node->group);
	if (err)
		weir_sysfs_remove(o);
	return err;
}

/* Remove an object's folder; waits for running show functions. Context: namespace->creating. */
void weir_sysfs_remove(struct weir_object *o)
{
	struct weir_sysfs_node *node = o->node;

	o->node = NULL;
	kobject_del(&node->kobj);
	kobject_put(&node->kobj);
}

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buffer)
{
	return sysfs_emit(buffer, "%s\n", THIS_MODULE->version);
}

static ssize_t abi_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buffer)
{
	return sysfs_emit(buffer, "%u\n", WEIR_ABI_VERSION);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute abi_attr = __ATTR_RO(abi);

static const struct attribute *root_attrs[] = {
	&version_attr.attr,
	&abi_attr.attr,
	NULL,
};

/* Make the folder of a kind. Return: 0 or -ENOMEM. */
int weir_sysfs_kind_add(const struct weir_kind_ops *ops)
{
	dirs[ops->kind] = kobject_create_and_add(ops->dir, root);
	return dirs[ops->kind] ? 0 : -ENOMEM;
}

int weir_sysfs_mod_init(void)
{
	int err;

	root = kobject_create_and_add("weir", kernel_kobj);
	if (!root)
		return -ENOMEM;
	err = sysfs_create_files(root, root_attrs);
	if (err)
		weir_sysfs_mod_exit();
	return err;
}

/* Removes the folders of the kinds too. Context: no object is left. */
void weir_sysfs_mod_exit(void)
{
	unsigned int i;

	/*
	 * delete before put: a task that holds a folder open must not call a show function after
	 * this
	 */
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		kobject_del(dirs[i]);
		kobject_put(dirs[i]);
		dirs[i] = NULL;
	}
	sysfs_remove_files(root, root_attrs);
	kobject_del(root);
	kobject_put(root);
	node_count_put();
	wait_for_completion(&nodes_gone);
}
