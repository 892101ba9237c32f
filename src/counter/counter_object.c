// SPDX-License-Identifier: GPL-2.0-only
/* Counters as objects: configuration, sysfs. */

#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "counter/counter.h"
#include "core/sysfs.h"
#include "core/uaccess.h"

static int config_check(struct weir_counter_config *config)
{
	if (config->reserved)
		return -EINVAL;
	if (config->type != WEIR_COUNTER_SUM &&
	    config->type != WEIR_COUNTER_SEQUENCE &&
	    config->type != WEIR_COUNTER_HISTOGRAM)
		return -EOPNOTSUPP;
	if (config->nfields > WEIR_FIELDS_MAX)
		return -EINVAL;
	if (config->type != WEIR_COUNTER_SUM && config->nfields)
		return -EINVAL;
	if (config->buckets ||
	    (config->sub_bits && (config->type != WEIR_COUNTER_HISTOGRAM ||
				  config->sub_bits != WEIR_HISTOGRAM_SUB_BITS)))
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
	if (!c->nfields)
		return 0;
	if (!config->nfields) {
		strscpy(c->names[0], "value", sizeof(c->names[0]));
		return 0;
	}
	if (copy_from_user(c->names, u64_to_user_ptr(config->fields),
			   config->nfields * sizeof(*c->names)))
		return -EFAULT;
	return names_check(c->names, config->nfields);
}

static struct weir_object *counter_create(struct weir_client *client, void *arg)
{
	struct weir_counter_config *config = arg;
	struct weir_counter *c;
	unsigned int nfields;
	int err = config_check(config);

	if (err)
		return ERR_PTR(err);
	nfields = config->nfields ?: config->type != WEIR_COUNTER_HISTOGRAM;
	c = kzalloc(struct_size(c, names, nfields), GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->obj.type = config->type;
	c->nfields = nfields;
	atomic64_set(&c->last, config->start);
	err = names_fill(c, config);
	if (err) {
		kfree(c);
		return ERR_PTR(err);
	}
	return &c->obj;
}

/**
 * counter_load - &weir_kind_ops.load: add one snapshot to a histogram
 * @o: the counter
 * @args: the ioctl's struct; results are filled in
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EOPNOTSUPP, -EINVAL, -ENOMEM, -EFAULT, or -ENODEV: the counter is deleted.
 */
static int counter_load(struct weir_object *o, struct weir_load *args)
{
	struct weir_histogram *h;
	int err;

	if (o->type != WEIR_COUNTER_HISTOGRAM)
		return -EOPNOTSUPP;
	if (args->flags || args->elapsed || args->buffer % 8 ||
	    args->length != sizeof(*h))
		return -EINVAL;
	h = kmalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	if (!h)
		return -ENOMEM;
	if (copy_from_user(h, u64_to_user_ptr(args->buffer), sizeof(*h)))
		err = -EFAULT;
	else
		err = weir_histogram_sound(h) ? 0 : -EINVAL;
	if (!err && !weir_object_live_get(o))
		err = -ENODEV;
	if (!err) {
		weir_counter_merge(weir_counter(o), h);
		weir_object_live_put(o);
		args->count = 1;
	}
	kfree(h);
	return err;
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
	err = weir_user_get(&config, sizeof(config), user_config, o->ops->config.min_size);
	if (err)
		return err;
	if (config.reserved)
		return -EINVAL;
	room = config.nfields;
	config.type = o->type;
	config.nfields = c->nfields;
	config.start = 0;
	config.sub_bits = 0;
	config.buckets = 0;
	if (o->type == WEIR_COUNTER_HISTOGRAM) {
		config.sub_bits = WEIR_HISTOGRAM_SUB_BITS;
		config.buckets = WEIR_HISTOGRAM_BUCKETS;
	}
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

/* @index: of a word of the histogram; or a percentile in ppm, which is greater */
static ssize_t histogram_show(struct weir_object *o, unsigned int index, char *buffer)
{
	/* not charged to a cgroup: the removal of the folder waits for this function */
	struct weir_histogram *h = kmalloc(sizeof(*h), GFP_KERNEL);
	u64 value;
	ssize_t n;

	if (!h)
		return -ENOMEM;
	weir_counter_read(weir_counter(o), h, false);
	value = index < WEIR_HISTOGRAM_WORDS ? ((u64 *)h)[index] :
		weir_histogram_value(h, weir_histogram_rank(h->count, index));
	n = sysfs_emit(buffer, "%llu\n", value);
	kfree(h);
	return n;
}

#define HISTOGRAM_WORD(_member)							\
	WEIR_ATTRIBUTE(_member, histogram_show,					\
		       offsetof(struct weir_histogram, _member) / sizeof(u64))

static struct attribute *histogram_attrs[] = {
	HISTOGRAM_WORD(count),
	HISTOGRAM_WORD(sum),
	HISTOGRAM_WORD(min),
	HISTOGRAM_WORD(max),
	WEIR_ATTRIBUTE(p50, histogram_show, 500000),
	WEIR_ATTRIBUTE(p90, histogram_show, 900000),
	WEIR_ATTRIBUTE(p99, histogram_show, 990000),
	WEIR_ATTRIBUTE(p999, histogram_show, 999000),
	NULL
};

/* One file for each field; all histograms have the same files. */
static int counter_sysfs_add(struct weir_object *o)
{
	struct weir_counter *c = weir_counter(o);
	struct {
		struct attribute *list[WEIR_FIELDS_MAX + 1];
		struct weir_attribute attr[];
	} *attrs;
	unsigned int i;

	if (o->type == WEIR_COUNTER_HISTOGRAM) {
		o->node->group.attrs = histogram_attrs;
		return 0;
	}
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
	.config		= WEIR_ABI_STRUCT(weir_counter_config, start, NULL),
	.create		= counter_create,
	.build		= weir_counter_build,
	.release	= weir_counter_release,
	.get		= counter_get,
	.load		= counter_load,
	.sysfs_add	= counter_sysfs_add,
	.opcodes	= weir_counter_opcodes,
	.check		= weir_counter_op_check,
	.try		= weir_counter_op_try,
	.run		= weir_counter_op_run,
	.run_holds_header = true,
	.join_check	= weir_counter_op_add_check,
	.join		= weir_counter_op_add,
};
