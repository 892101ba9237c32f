// SPDX-License-Identifier: LGPL-2.1-or-later
/* Counters. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Allocate a counter object. The caller sets its handle later. */
static struct weir_counter *counter_new(struct weir *weir)
{
	struct weir_counter *counter = calloc(1, sizeof(*counter));

	if (counter)
		counter->weir = weir__use(weir);
	return counter;
}

/*
 * Ask the kernel for the counter's configuration. Without OBSERVE the kernel refuses, and the
 * object has no field names.
 */
static int counter_learn(struct weir_counter *counter)
{
	struct weir_counter_config config = {
		.size = sizeof(config),
		.nfields = WEIR_FIELDS_MAX,
		.fields = (uintptr_t)counter->names,
	};
	unsigned int i;

	if (weir__get(counter->weir->file.fd, counter->handle, &config, NULL) < 0)
		return errno == EACCES ? 0 : -1;
	counter->type = (int)config.type;
	counter->nfields = config.nfields;
	for (i = 0; i < WEIR_FIELDS_MAX; i++)
		counter->names[i][WEIR_NAME_SIZE - 1] = '\0';
	return 0;
}

/* Like counter_learn(), for a counter that was just created, from the arguments of the call. */
static void counter_know(struct weir_counter *counter, enum weir_counter_type type,
			 unsigned int nfields)
{
	counter->type = type;
	counter->nfields = nfields;
	if (!nfields && type != WEIR_COUNTER_HISTOGRAM) {
		counter->nfields = 1;
		strcpy(counter->names[0], "value");
	}
}

static int fields_copy(struct weir_counter *counter, const char *const *fields,
		       unsigned int nfields)
{
	unsigned int i;

	if (nfields > WEIR_FIELDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	for (i = 0; i < nfields; i++) {
		if (!weir_name_valid(fields[i])) {
			errno = EINVAL;
			return -1;
		}
		strcpy(counter->names[i], fields[i]);
	}
	return 0;
}

static int counter_make(struct weir *weir, struct weir_counter *counter,
			struct weir_create *create, const char *name,
			enum weir_counter_type type, unsigned int nfields,
			unsigned int mode)
{
	struct weir_counter_config config = {
		.size = sizeof(config),
		.type = type,
		.nfields = nfields,
		.fields = nfields ? (uintptr_t)counter->names : 0,
	};

	if (weir__create(weir, create, WEIR_KIND_COUNTER, name, &config,
			 mode) < 0)
		return -1;
	counter->handle = create->handle;
	if (create->created) {
		counter_know(counter, type, nfields);
		return 0;
	}
	if (counter_learn(counter) < 0) {
		weir__close_handle(counter->weir->file.fd, counter->handle);
		return -1;
	}
	return 0;
}

static struct weir_counter *counter_create(struct weir *weir, const char *name,
					   enum weir_counter_type type,
					   const char *const *fields,
					   unsigned int nfields,
					   unsigned int mode,
					   unsigned int rights,
					   unsigned int flags)
{
	struct weir_create create = { .flags = flags, .rights = rights };
	struct weir_counter *counter = counter_new(weir);

	if (!counter)
		return NULL;
	if (fields_copy(counter, fields, nfields) < 0 ||
	    counter_make(weir, counter, &create, name, type, nfields,
			 mode) < 0) {
		int error = errno;

		weir__free(counter->weir, counter);
		errno = error;
		return NULL;
	}
	return counter;
}

WEIR_API struct weir_counter *weir_counter_create(struct weir *weir,
						  const char *name,
						  enum weir_counter_type type,
						  const char *const *fields,
						  unsigned int nfields,
						  unsigned int mode)
{
	return counter_create(weir, name, type, fields, nfields, mode,
			      WEIR_RIGHT_ALL, 0);
}

WEIR_API struct weir_counter *weir_counter_ensure(struct weir *weir,
						  const char *name,
						  enum weir_counter_type type,
						  const char *const *fields,
						  unsigned int nfields,
						  unsigned int mode,
						  unsigned int rights)
{
	return counter_create(weir, name, type, fields, nfields, mode, rights,
			      WEIR_CREATE_EXISTING_OK);
}

WEIR_API struct weir_counter *weir_counter_open(struct weir *weir,
						const char *name,
						unsigned int rights)
{
	struct weir_counter *counter = counter_new(weir);
	int error;

	if (!counter)
		return NULL;
	if (weir__open(weir, WEIR_KIND_COUNTER, name, rights,
		       &counter->handle) < 0)
		goto fail;
	if (counter_learn(counter) < 0) {
		weir__close_handle(counter->weir->file.fd, counter->handle);
		goto fail;
	}
	return counter;
fail:
	error = errno;
	weir__free(counter->weir, counter);
	errno = error;
	return NULL;
}

WEIR_API struct weir_counter *weir_counter_adopt(struct weir *weir,
						 uint32_t handle)
{
	struct weir_counter *counter = counter_new(weir);

	if (!counter)
		return NULL;
	counter->handle = handle;
	if (counter_learn(counter) < 0) {
		int error = errno;

		weir__free(counter->weir, counter);
		errno = error;
		return NULL;
	}
	return counter;
}

WEIR_API void weir_counter_close(struct weir_counter *counter)
{
	if (!counter)
		return;
	weir__close_handle(counter->weir->file.fd, counter->handle);
	weir__free(counter->weir, counter);
}

WEIR_API int weir_counter_delete(struct weir_counter *counter)
{
	return weir__delete(counter->weir->file.fd, counter->handle);
}

WEIR_API uint32_t weir_counter_handle(const struct weir_counter *counter)
{
	return counter->handle;
}

WEIR_API int weir_counter_type(const struct weir_counter *counter)
{
	return counter->type;
}

WEIR_API unsigned int weir_counter_fields(const struct weir_counter *counter)
{
	return counter->nfields;
}

WEIR_API const char *weir_counter_field_name(const struct weir_counter *counter,
					     unsigned int index)
{
	return index < counter->nfields ? counter->names[index] : NULL;
}

WEIR_API int weir_counter_field(const struct weir_counter *counter,
				const char *name)
{
	unsigned int i;

	for (i = 0; i < counter->nfields; i++)
		if (!strcmp(counter->names[i], name))
			return (int)i;
	errno = ENOENT;
	return -1;
}

WEIR_API void weir_op_add(struct weir_op *op, const struct weir_counter *counter,
			  unsigned int index, int64_t amount)
{
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = WEIR_OP_ADD;
	op->handle = counter->handle;
	op->n = amount;
	/* an index that is out of range selects no field, which the kernel refuses */
	op->arg = index < 64 ? 1ULL << index : 0;
}

WEIR_API int weir_counter_add(struct weir_counter *counter, unsigned int index,
			      int64_t amount)
{
	struct weir_op op;

	weir_op_add(&op, counter, index, amount);
	return weir__perform(counter->weir->file.fd, &op);
}

WEIR_API int weir_counter_add_named(struct weir_counter *counter,
				    const char *field, int64_t amount)
{
	int index = weir_counter_field(counter, field);

	if (index < 0)
		return -1;
	return weir_counter_add(counter, (unsigned int)index, amount);
}

WEIR_API int weir_counter_add_many(struct weir_counter *counter, uint64_t mask,
				   const int64_t *amounts)
{
	struct weir_op op = {
		.opcode = WEIR_OP_ADD,
		.handle = counter->handle,
		.arg = mask,
	};
	int count = __builtin_popcountll(mask);

	if (count == 1) {
		op.n = amounts[0];
	} else if (count <= 4) {
		memcpy(op.values, amounts, (size_t)count * sizeof(*amounts));
	} else {
		op.flags = WEIR_OP_PTR;
		op.ptr = (uintptr_t)amounts;
	}
	return weir__perform(counter->weir->file.fd, &op);
}

/* READ or TAKE all fields. Return: the number of fields, or -1. */
static int counter_fetch(struct weir_counter *counter, enum weir_opcode opcode,
			 int64_t *values, unsigned int room)
{
	struct weir_op op = {
		.opcode = opcode,
		.flags = WEIR_OP_PTR,
		.handle = counter->handle,
		.n = room,
		.ptr = (uintptr_t)values,
	};

	if (weir__perform(counter->weir->file.fd, &op) < 0)
		return -1;
	return (int)op.value;
}

WEIR_API int weir_counter_read(struct weir_counter *counter, int64_t *values,
			       unsigned int room)
{
	return counter_fetch(counter, WEIR_OP_READ, values, room);
}

WEIR_API int weir_counter_take(struct weir_counter *counter, int64_t *values,
			       unsigned int room)
{
	return counter_fetch(counter, WEIR_OP_TAKE, values, room);
}

WEIR_API int weir_counter_read_field(struct weir_counter *counter,
				     unsigned int index, int64_t *value)
{
	struct weir_op op = {
		.opcode = WEIR_OP_READ,
		.handle = counter->handle,
		.arg = index,
	};

	if (weir__perform(counter->weir->file.fd, &op) < 0)
		return -1;
	*value = op.value;
	return 0;
}

/* READ or TAKE a histogram. Return: 0 or -1. */
static int histogram_fetch(struct weir_counter *counter, enum weir_opcode opcode,
			   struct weir_histogram *histogram)
{
	struct weir_op op = {
		.opcode = opcode,
		.flags = WEIR_OP_PTR,
		.handle = counter->handle,
		.n = WEIR_HISTOGRAM_WORDS,
		.ptr = (uintptr_t)histogram,
	};

	/* on a sum this would succeed, but return no histogram */
	if (counter->type != WEIR_COUNTER_HISTOGRAM) {
		errno = counter->type ? EOPNOTSUPP : EACCES;
		return -1;
	}
	return weir__perform(counter->weir->file.fd, &op);
}

WEIR_API int weir_counter_read_histogram(struct weir_counter *counter,
					 struct weir_histogram *histogram)
{
	return histogram_fetch(counter, WEIR_OP_READ, histogram);
}

WEIR_API int weir_counter_take_histogram(struct weir_counter *counter,
					 struct weir_histogram *histogram)
{
	return histogram_fetch(counter, WEIR_OP_TAKE, histogram);
}

WEIR_API int weir_counter_load_histogram(struct weir_counter *counter,
					 const struct weir_histogram *histogram)
{
	struct weir_load load = {
		.size = sizeof(load),
		.handle = counter->handle,
		.buffer = (uintptr_t)histogram,
		.length = sizeof(*histogram),
	};

	return weir__ioctl(counter->weir->file.fd, WEIR_IOC_LOAD, &load);
}

WEIR_API void weir_op_observe(struct weir_op *op, const struct weir_counter *counter,
			      uint64_t value, uint64_t times)
{
	/* the kernel writes the second half and does not read it */
	memset(op, 0, offsetof(struct weir_op, result));
	op->opcode = WEIR_OP_OBSERVE;
	op->handle = counter->handle;
	op->n = (int64_t)value;
	/* pass 0 on as a number that the kernel refuses; in an op, 0 would mean once */
	op->arg = times ? times : UINT64_MAX;
}

WEIR_API int weir_counter_observe(struct weir_counter *counter, uint64_t value,
				  uint64_t times)
{
	struct weir_op op;

	weir_op_observe(&op, counter, value, times);
	return weir__perform(counter->weir->file.fd, &op);
}

WEIR_API int weir_counter_next(struct weir_counter *counter, uint64_t count,
			       uint64_t *first)
{
	struct weir_op op = {
		.opcode = WEIR_OP_NEXT,
		.handle = counter->handle,
		.n = (int64_t)count,
	};

	if (count > INT64_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (weir__perform(counter->weir->file.fd, &op) < 0)
		return -1;
	*first = (uint64_t)op.value;
	return 0;
}
