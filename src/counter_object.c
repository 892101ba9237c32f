// SPDX-License-Identifier: GPL-2.0-only
/* Counters as objects: configuration, sysfs. */

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "counter.h"
#include "sysfs.h"
#include "user.h"

static int config_check(struct weir_counter_config *config)
{
	if (config->reserved)
		return -EINVAL;
	if (config->type != WEIR_COUNTER_SUM &&
	    config->type != WEIR_COUNTER_SEQUENCE)
		return -EOPNOTSUPP;
	if (config->nfields > WEIR_FIELDS_MAX)
		return -EINVAL;
	if (config->type == WEIR_COUNTER_SEQUENCE && config->nfields)
		return -EINVAL;
	if (!config->nfields && config->fields)
		return -EINVAL;
	if (config->start < 0 || config->start == S64_MAX ||
	    (config->start && config->type != WEIR_COUNTER_SEQUENCE))
		return -EINVAL;
	return 0;
}

static int names_check(char (*names)[WEIR_NAME_SIZE], unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		if (!weir_name_valid(names[i]))
			return -EINVAL;
		for (j = 0; j < i; j++)
			if (!strcmp(names[i], names[j]))
				return -EINVAL;
	}
	return 0;
}

static int names_fill(struct weir_counter *c,
		      const struct weir_counter_config *config)
{
	if (!config->nfields) {
		strscpy(c->names[0], "value", sizeof(c->names[0]));
		return 0;
	}
	if (copy_from_user(c->names, u64_to_user_ptr(config->fields),
			   config->nfields * sizeof(*c->names)))
		return -EFAULT;
	return names_check(c->names, config->nfields);
}

static struct weir_object *counter_create(u64 user_config)
{
	struct weir_counter_config config;
	struct weir_counter *c;
	unsigned int nfields;
	int err;

	err = weir_user_get(&config, sizeof(config), user_config,
			    offsetofend(struct weir_counter_config, start));
	if (!err)
		err = config_check(&config);
	if (err)
		return ERR_PTR(err);
	nfields = config.nfields ?: 1;
	c = kzalloc(struct_size(c, names, nfields), GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->obj.type = config.type;
	c->nfields = nfields;
	atomic64_set(&c->last, config.start);
	err = names_fill(c, &config);
	if (err) {
		kfree(c);
		return ERR_PTR(err);
	}
	return &c->obj;
}

static int counter_build(struct weir_object *o)
{
	return weir_counter_init(weir_counter(o));
}

static void counter_release(struct weir_object *o)
{
	weir_counter_free(weir_counter(o));
}

static int counter_get(struct weir_object *o, u64 user_config, u64 stats)
{
	struct weir_counter *c = weir_counter(o);
	struct weir_counter_config config;
	unsigned int room;
	int err;

	if (stats)
		return -EOPNOTSUPP;
	if (!user_config)
		return 0;
	err = weir_user_get(&config, sizeof(config), user_config,
			    offsetofend(struct weir_counter_config, start));
	if (err)
		return err;
	if (config.reserved)
		return -EINVAL;
	room = config.nfields;
	config.type = o->type;
	config.nfields = c->nfields;
	config.start = 0;
	err = weir_user_put(&config, sizeof(config), user_config);
	if (err)
		return err;
	if (room < c->nfields)
		return -EMSGSIZE;
	if (copy_to_user(u64_to_user_ptr(config.fields), c->names,
			 c->nfields * sizeof(*c->names)))
		return -EFAULT;
	return 0;
}

static ssize_t field_show(struct weir_object *o, unsigned int index, char *buffer)
{
	return sysfs_emit(buffer, "%lld\n",
			  (s64)weir_counter_read_one(weir_counter(o), index));
}

/* One file a field. */
static int counter_sysfs_add(struct weir_object *o)
{
	struct weir_counter *c = weir_counter(o);
	struct {
		struct attribute *list[WEIR_FIELDS_MAX + 1];
		struct weir_attribute attr[];
	} *attrs;
	unsigned int i;

	attrs = kzalloc(struct_size(attrs, attr, c->nfields), GFP_KERNEL_ACCOUNT);
	if (!attrs)
		return -ENOMEM;
	for (i = 0; i < c->nfields; i++) {
		sysfs_attr_init(&attrs->attr[i].attr);
		attrs->attr[i].attr.name = c->names[i];
		attrs->attr[i].attr.mode = 0444;
		attrs->attr[i].show = field_show;
		attrs->attr[i].index = i;
		attrs->list[i] = &attrs->attr[i].attr;
	}
	o->node->attrs = attrs;
	o->node->group.attrs = attrs->list;
	return 0;
}

const struct weir_kind_ops weir_counter_ops = {
	.kind		= WEIR_KIND_COUNTER,
	.dir		= "counters",
	.create		= counter_create,
	.build		= counter_build,
	.release	= counter_release,
	.get		= counter_get,
	.sysfs_add	= counter_sysfs_add,
};
