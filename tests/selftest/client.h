/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * client - raw calls on /dev/weir
 *
 * The selftests use the ABI without libweir, because the library would repair or hide faults. Each
 * function returns 0 or a negative errno. Everything that the kernel writes is poisoned before the
 * call, so a test cannot pass because of zeros that were there.
 */
#ifndef _WEIR_SELFTEST_CLIENT_H
#define _WEIR_SELFTEST_CLIENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/weir.h>

#define POISON		0xcc
#define POISON_U32	0xccccccccU
#define POISON_U64	0xccccccccccccccccULL

#define SECOND		1000000000ULL
#define HOUR		(3600 * SECOND)
#define DAY		(24 * HOUR)

/* All bits that WEIR_IOC_SET knows. */
#define SET_KNOWN	((2 * WEIR_SET_BAN_JITTER - 1) & ~0x200ULL)

/* The names of all objects of the selftests begin like this; objects_wipe() deletes them. */
#define OURS		"st-"

static inline __u64 address(const void *pointer)
{
	return (uintptr_t)pointer;
}

static inline int call(int fd, unsigned long request, const void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static inline int client_open(int flags)
{
	int fd = open(WEIR_DEVICE, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int client_dup(int fd, __u32 flags)
{
	struct weir_dup_client dup = { .size = sizeof(dup), .flags = flags };

	return call(fd, WEIR_IOC_DUP_CLIENT, &dup);
}

static inline int tag_drop(int fd, __u32 tag)
{
	struct weir_drop drop = { .size = sizeof(drop), .tag = tag };

	return call(fd, WEIR_IOC_DROP, &drop);
}

/*
 * In a child of fork(): duplicate the client @fd, and close all other files, so that the child
 * keeps no permit of another process.
 */
static inline int client_alone(int fd)
{
	int own = client_dup(fd, WEIR_DUP_CLOEXEC);

	if (own < 0 || (own > 3 && syscall(SYS_close_range, 3, own - 1, 0)) ||
	    syscall(SYS_close_range, own + 1, ~0U, 0)) {
		printf("# no client of one's own\n");
		abort();
	}
	return own;
}

/* WEIR_SCALE=small: the kernel checks every access and is slow, so tests do less. */
static inline bool is_small(void)
{
	const char *scale = getenv("WEIR_SCALE");

	return scale && !strcmp(scale, "small");
}

/* Reduce a number of rounds. */
static inline int scaled(int count)
{
	return is_small() ? count / 10 : count;
}

static inline struct weir_info info_get(int fd)
{
	struct weir_info info;
	int ret;

	memset(&info, POISON, sizeof(info));
	info.size = sizeof(info);
	ret = call(fd, WEIR_IOC_INFO, &info);
	if (ret) {
		printf("# INFO: %s\n", strerror(-ret));
		abort();
	}
	return info;
}

/* A valid CREATE. The caller changes what it wants to test. */
static inline struct weir_create create_make(__u32 kind, const char *name,
					     const void *config)
{
	struct weir_create create;

	memset(&create, 0, sizeof(create));
	create.size = sizeof(create);
	create.kind = kind;
	create.mode = 0600;
	create.gid = WEIR_GID_DEFAULT;
	create.rights = WEIR_RIGHT_ALL;
	create.config = address(config);
	create.handle = POISON_U32;
	create.owner = WEIR_OWNER_DEFAULT;
	create.created = POISON_U32;
	create.id = POISON_U64;
	snprintf(create.name, sizeof(create.name), "%s", name);
	return create;
}

static inline struct weir_open open_make(__u32 kind, const char *name,
					 __u32 rights)
{
	struct weir_open open;

	memset(&open, 0, sizeof(open));
	open.size = sizeof(open);
	open.kind = kind;
	open.rights = rights;
	open.handle = POISON_U32;
	open.owner = WEIR_OWNER_DEFAULT;
	open.id = POISON_U64;
	snprintf(open.name, sizeof(open.name), "%s", name);
	return open;
}

/* Open the object with that name that @owner has. */
static inline int object_open_of(int fd, __u32 owner, __u32 kind, const char *name,
				 __u32 rights, __u32 *handle)
{
	struct weir_open open = open_make(kind, name, rights);
	int ret;

	open.owner = owner;
	ret = call(fd, WEIR_IOC_OPEN, &open);

	*handle = ret ? 0 : open.handle;
	return ret;
}

static inline int object_open(int fd, __u32 kind, const char *name, __u32 rights,
			      __u32 *handle)
{
	return object_open_of(fd, WEIR_OWNER_DEFAULT, kind, name, rights, handle);
}

/* Open the device, and the object with that name. */
static inline int object_enter(__u32 kind, const char *name, __u32 *handle)
{
	int fd = client_open(O_RDWR);

	if (fd < 0 || object_open(fd, kind, name, WEIR_RIGHT_ALL, handle)) {
		printf("# cannot open %s\n", name);
		abort();
	}
	return fd;
}

static inline int object_create(int fd, __u32 kind, const char *name, const void *config,
				__u32 *handle)
{
	struct weir_create create = create_make(kind, name, config);
	int ret = call(fd, WEIR_IOC_CREATE, &create);

	*handle = ret ? 0 : create.handle;
	return ret;
}

/* Poison a struct whose first member is its size. */
static inline void sized_poison(void *sized, __u32 size)
{
	memset(sized, POISON, size);
	memcpy(sized, &size, sizeof(size));
}

static inline int config_get(int fd, __u32 handle, void *config, __u32 size)
{
	struct weir_get get = { .size = sizeof(get), .handle = handle,
				.config = address(config) };

	sized_poison(config, size);
	return call(fd, WEIR_IOC_GET, &get);
}

static inline int config_set(int fd, __u32 handle, __u64 mask, const void *config)
{
	struct weir_set set = { .size = sizeof(set), .handle = handle, .mask = mask,
				.config = address(config) };

	return call(fd, WEIR_IOC_SET, &set);
}

static inline int totals_get(int fd, __u32 handle, void *stats, __u32 size)
{
	struct weir_get get = { .size = sizeof(get), .handle = handle,
				.stats = address(stats) };

	sized_poison(stats, size);
	return call(fd, WEIR_IOC_GET, &get);
}

/* Like totals_get(), but the call must succeed. */
static inline void totals_need(int fd, __u32 handle, void *stats, __u32 size)
{
	if (totals_get(fd, handle, stats, size)) {
		printf("# no totals of handle %u\n", handle);
		abort();
	}
}

static inline int handle_close(int fd, __u32 handle)
{
	struct weir_close close = { .size = sizeof(close), .handle = handle };

	return call(fd, WEIR_IOC_CLOSE, &close);
}

static inline int object_delete(int fd, __u32 handle)
{
	struct weir_delete del = { .size = sizeof(del), .handle = handle };

	return call(fd, WEIR_IOC_DELETE, &del);
}

/* Delete an object by name: open it with ADMIN, delete it, close the handle. */
static inline int object_remove_of(int fd, __u32 owner, __u32 kind, const char *name)
{
	__u32 handle;
	int ret = object_open_of(fd, owner, kind, name, WEIR_RIGHT_ADMIN, &handle);

	if (ret)
		return ret;
	ret = object_delete(fd, handle);
	handle_close(fd, handle);
	return ret;
}

static inline int object_remove(int fd, __u32 kind, const char *name)
{
	return object_remove_of(fd, WEIR_OWNER_DEFAULT, kind, name);
}

static inline int counter_create(int fd, const char *name, __u32 type,
				 __u32 nfields, __u32 *handle)
{
	static char names[WEIR_FIELDS_MAX + 1][WEIR_NAME_SIZE];
	struct weir_counter_config config = { .size = sizeof(config) };

	for (__u32 i = 0; i < nfields && i <= WEIR_FIELDS_MAX; i++)
		snprintf(names[i], sizeof(names[i]), "field%u", i);
	config.type = type;
	config.nfields = nfields;
	config.fields = nfields ? address(names) : 0;
	return object_create(fd, WEIR_KIND_COUNTER, name, &config, handle);
}

static inline int sum_create(int fd, const char *name, __u32 nfields,
			     __u32 *handle)
{
	return counter_create(fd, name, WEIR_COUNTER_SUM, nfields, handle);
}

/* Ten tokens a day: none comes back while a test runs. */
static inline struct weir_limiter_config limiter_config(__u32 key_type)
{
	struct weir_limiter_config config;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.algorithm = WEIR_ALGORITHM_BUCKET;
	config.key_type = key_type;
	config.tokens = 10;
	config.period = DAY;
	return config;
}

static inline int limiter_create(int fd, const char *name,
				 const struct weir_limiter_config *config,
				 __u32 *handle)
{
	return object_create(fd, WEIR_KIND_LIMITER, name, config, handle);
}

static inline int limiter_get(int fd, __u32 handle,
			      struct weir_limiter_config *config)
{
	return config_get(fd, handle, config, sizeof(*config));
}

static inline int limiter_set(int fd, __u32 handle, __u64 mask,
			      const struct weir_limiter_config *config)
{
	return config_set(fd, handle, mask, config);
}

static inline int stats_get(int fd, __u32 handle,
			    struct weir_limiter_stats *stats)
{
	return totals_get(fd, handle, stats, sizeof(*stats));
}

/* A valid op whose result half is poisoned. */
static inline struct weir_op op_make(__u16 opcode, __u32 handle, __s64 n)
{
	struct weir_op op;

	memset(&op, 0, sizeof(op));
	memset(&op.result, POISON, sizeof(op) - offsetof(struct weir_op, result));
	op.opcode = opcode;
	op.handle = handle;
	op.n = n;
	return op;
}

/* Put the key into the op, or a pointer to it if it is too long. */
static inline void op_key(struct weir_op *op, const void *key, __u16 length)
{
	op->key_len = length;
	if (length <= sizeof(op->key)) {
		memcpy(op->key, key, length);
	} else {
		op->flags |= WEIR_OP_PTR;
		op->ptr = address(key);
	}
}

static inline int submit(int fd, struct weir_op *ops, __u32 count, __u32 *done)
{
	struct weir_submit submit = { .size = sizeof(submit), .count = count,
				      .done = POISON_U32, .ops = address(ops) };
	int ret = call(fd, WEIR_IOC_SUBMIT, &submit);

	*done = submit.done;
	return ret;
}

/* Whether the result half of an op has only zeros after @result. */
static inline bool op_blank(const struct weir_op *op)
{
	static const struct weir_op zero;
	size_t rest = offsetof(struct weir_op, verdict);

	return !memcmp((char *)op + rest, (char *)&zero + rest, sizeof(*op) - rest);
}

/*
 * Perform one op. Return: the errno of the call, or of the op. EPROTO, which the module never
 * returns, means that a failed op left something in its result half.
 */
static inline int op_run(int fd, struct weir_op *op)
{
	int ret = call(fd, WEIR_IOC_OP, op);

	if (ret)
		return ret;
	if (op->result > 0)
		return -EPROTO;
	if (op->result && !op_blank(op))
		return -EPROTO;
	return op->result;
}

/* Perform an op on a key that is a number, or on an object without keys (NULL), as holder @tag. */
static inline int number_run_as(int fd, __u32 tag, struct weir_op *op, __u16 opcode,
				__u32 handle, const __u64 *key, __s64 n, __u64 arg)
{
	*op = op_make(opcode, handle, n);
	op->arg = arg;
	op->tag = tag;
	if (key)
		op_key(op, key, sizeof(*key));
	return op_run(fd, op);
}

static inline int number_run(int fd, struct weir_op *op, __u16 opcode, __u32 handle,
			     const __u64 *key, __s64 n, __u64 arg)
{
	return number_run_as(fd, 0, op, opcode, handle, key, n, arg);
}

static inline int counter_add(int fd, __u32 handle, __u32 field, __s64 n)
{
	struct weir_op op = op_make(WEIR_OP_ADD, handle, n);

	op.arg = 1ULL << field;
	return op_run(fd, &op);
}

static inline int counter_read(int fd, __u32 handle, __u32 field, __s64 *value)
{
	struct weir_op op = op_make(WEIR_OP_READ, handle, 0);
	int ret;

	op.arg = field;
	ret = op_run(fd, &op);
	*value = op.value;
	return ret;
}

/* Perform an op on a key of a limiter. The result stays in @op. */
static inline int key_run(int fd, struct weir_op *op, __u16 opcode,
			  __u32 handle, __s64 n, const void *key, __u16 length)
{
	*op = op_make(opcode, handle, n);
	op_key(op, key, length);
	return op_run(fd, op);
}

static inline int list_page(int fd, __u32 kind, __u64 *cursor, void *buffer,
			    __u64 length, __u64 *filled, __u32 *count)
{
	struct weir_list list = { .size = sizeof(list), .kind = kind,
				  .cursor = *cursor, .buffer = address(buffer),
				  .length = length, .count = POISON_U32,
				  .owner = WEIR_OWNER_DEFAULT };
	int ret = call(fd, WEIR_IOC_LIST, &list);

	*cursor = list.cursor;
	*filled = list.length;
	*count = list.count;
	return ret;
}

/* Read the events of @owner, beginning with the next one. */
static inline int stream_choose(int fd, __u32 owner)
{
	struct weir_stream stream = { .size = sizeof(stream), .owner = owner };

	return call(fd, WEIR_IOC_STREAM, &stream);
}

/* Delete all objects that an aborted test may have left. */
static inline void objects_wipe(void)
{
	struct weir_object_info found[64];
	__u64 cursor = 0, filled;
	__u32 count;
	int fd = client_open(O_RDWR);

	while (!list_page(fd, WEIR_KIND_ANY, &cursor, found, sizeof(found),
			  &filled, &count) && filled)
		for (__u32 i = 0; i < count; i++)
			if (!strncmp(found[i].name, OURS, strlen(OURS)))
				object_remove_of(fd, found[i].owner, found[i].kind,
						 found[i].name);
	close(fd);
}

/* A module parameter that can be changed at run time. */
static inline __u64 parameter_get(const char *name)
{
	char path[128];
	unsigned long long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/weir/parameters/%s", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &value) != 1) {
		printf("# cannot read %s\n", path);
		abort();
	}
	fclose(file);
	return value;
}

static inline void parameter_set(const char *name, __u64 value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/weir/parameters/%s", name);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%llu", (unsigned long long)value) < 0 ||
	    fclose(file)) {
		printf("# cannot write %s\n", path);
		abort();
	}
}

#endif /* _WEIR_SELFTEST_CLIENT_H */
