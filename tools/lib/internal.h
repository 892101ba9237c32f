/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Declarations that the files of libweir share. They are not exported.
 */
#ifndef LIBWEIR_INTERNAL_H
#define LIBWEIR_INTERNAL_H

#include "weir.h"

/* The library is built with -fvisibility=hidden; functions marked like this are exported. */
#define WEIR_API __attribute__((visibility("default")))

/*
 * An open file of the device. A child of fork() puts a duplicate in its place, under the same
 * number. If that fails, @fd is -1.
 */
struct weir__file {
	int fd;
	struct weir__file *next, **link;
};

/* A client is used by its objects, so it lives until the last of them is closed. */
struct weir {
	struct weir__file file;
	unsigned int uses;
};

struct weir_counter {
	struct weir *weir;
	uint32_t handle;
	int type;			/* 0: not known */
	unsigned int nfields;		/* 0: not known */
	char names[WEIR_FIELDS_MAX][WEIR_NAME_SIZE];
};

struct weir_limiter {
	struct weir *weir;
	uint32_t handle;
	int key_type;			/* -1: not known */
};

struct weir_gate {
	struct weir *weir;
	uint32_t handle;
	int key_type;			/* -1: not known */
};

struct weir_breaker {
	struct weir *weir;
	uint32_t handle;
	int key_type;			/* -1: not known */
};

struct weir_roster {
	struct weir *weir;
	uint32_t handle;
	int key_type;			/* -1: not known */
};

/* Add a file to the list of files that a child of fork() duplicates; 0, or -1 and errno. */
int weir__file_add(struct weir__file *file);
void weir__file_close(struct weir__file *file);

/* Take or drop a reference to a client. Dropping the last one frees it; errno stays. */
struct weir *weir__use(struct weir *weir);
void weir__unuse(struct weir *weir);

/* Free an object and drop its reference to the client; errno stays. */
void weir__free(struct weir *weir, void *object);

/* The tag of this thread's operations; see weir_tag_set(). */
extern __thread uint32_t weir__tag;

/* ioctl() that is repeated after a signal */
int weir__ioctl(int fd, unsigned long request, void *argument);

/* Perform one op. An error of the op itself is put into errno too. */
int weir__perform(int fd, struct weir_op *op);

/* Add @flags to the op's flags. EINVAL: @flags has bits that are not in @all. */
int weir__op_flags(struct weir_op *op, unsigned int flags, unsigned int all);

/* Like weir__perform(), but a signal ends it with EINTR. */
int weir__perform_once(int fd, struct weir_op *op);

/*
 * Put a key into an op, or a pointer to the key if it is too long. EINVAL: the key is not of
 * @key_type (-1: not known).
 */
int weir__op_key(struct weir_op *op, int key_type, const struct weir_key *key);

/* Create an object. If @flags say so, open an existing object with that name instead. */
int weir__create(struct weir *weir, struct weir_create *create,
		 enum weir_kind kind, const char *name, const void *config,
		 unsigned int mode);

/* Open an object by name. Return: 0 and its handle, or -1. */
int weir__open(struct weir *weir, enum weir_kind kind, const char *name,
	       unsigned int rights, uint32_t *handle);

/* Close a handle; errno stays. */
void weir__close_handle(int fd, uint32_t handle);

int weir__delete(int fd, uint32_t handle);

/* Read the configuration and the totals of an object; a NULL pointer skips that part. */
int weir__get(int fd, uint32_t handle, void *config, void *stats);

int weir__set(int fd, uint32_t handle, uint64_t mask, const void *config);

/* Read the next records of a keyed object and advance @cursor. Return: their bytes, or -1. */
long weir__dump(int fd, uint32_t handle, uint32_t flags, uint64_t *cursor,
		void *buffer, size_t size);

#endif /* LIBWEIR_INTERNAL_H */
