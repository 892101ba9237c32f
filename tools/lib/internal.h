/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Declarations shared by the files of libweir, not exported.
 */
#ifndef LIBWEIR_INTERNAL_H
#define LIBWEIR_INTERNAL_H

#include "weir.h"

/* The library is built with -fvisibility=hidden; this much is public. */
#define WEIR_API __attribute__((visibility("default")))

/*
 * An open file of the device. In a child of fork() it is replaced by one of the child's own
 * under the same number; if that fails @fd is -1.
 */
struct weir__file {
	int fd;
	struct weir__file *next, **link;
};

/* Objects use their client, so it lives until the last of them is closed. */
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

/* Add a file to the list of files that a child of fork() replaces; 0, or -1 and errno. */
int weir__file_add(struct weir__file *file);
void weir__file_close(struct weir__file *file);

/* One more, and one fewer, user of a client; the last one frees it, leaving errno alone. */
struct weir *weir__use(struct weir *weir);
void weir__unuse(struct weir *weir);

/* Free an object, and stop using its client; errno stays. */
void weir__free(struct weir *weir, void *object);

/* The holder that this thread's operations act for; see weir_tag_set(). */
extern __thread uint32_t weir__tag;

/* ioctl() that starts anew after a signal */
int weir__ioctl(int fd, unsigned long request, void *argument);

/* Perform one op; a failure of the op itself becomes errno, too. */
int weir__perform(int fd, struct weir_op *op);

/* The same, but a signal may end it: EINTR. */
int weir__perform_once(int fd, struct weir_op *op);

/*
 * Put a key into an op, or point the op to it if it is too long for that. EINVAL: not of
 * @key_type, if that is known.
 */
int weir__op_key(struct weir_op *op, int key_type, const struct weir_key *key);

/* Make an object, or open the one that has the name if @flags say so. */
int weir__create(struct weir *weir, struct weir_create *create,
		 enum weir_kind kind, const char *name, const void *config,
		 unsigned int mode);

/* Open an object by name: 0 and its handle, or -1. */
int weir__open(struct weir *weir, enum weir_kind kind, const char *name,
	       unsigned int rights, uint32_t *handle);

/* Give a handle back, leaving errno alone. */
void weir__close_handle(int fd, uint32_t handle);

int weir__delete(int fd, uint32_t handle);

/* Read the configuration and the totals of an object; NULL: not wanted. */
int weir__get(int fd, uint32_t handle, void *config, void *stats);

int weir__set(int fd, uint32_t handle, uint64_t mask, const void *config);

/* The next records of a keyed object: their bytes, or -1. @cursor moves on. */
long weir__dump(int fd, uint32_t handle, uint32_t flags, uint64_t *cursor,
		void *buffer, size_t size);

#endif /* LIBWEIR_INTERNAL_H */
