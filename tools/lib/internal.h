/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libweir share, and nobody outside sees.
 */
#ifndef LIBWEIR_INTERNAL_H
#define LIBWEIR_INTERNAL_H

#include "weir.h"

/* The library is built with -fvisibility=hidden; this much is public. */
#define WEIR_API __attribute__((visibility("default")))

struct weir {
	int fd;
};

/*
 * Objects remember the descriptor rather than the client: that is all they need,
 * and saves a load for each operation.
 */
struct weir_counter {
	int fd;
	uint32_t handle;
	int type;			/* 0: not known */
	unsigned int nfields;		/* 0: not known */
	char names[WEIR_FIELDS_MAX][WEIR_NAME_SIZE];
};

struct weir_limiter {
	int fd;
	uint32_t handle;
	int key_type;			/* -1: not known */
};

/* ioctl() that starts anew after a signal */
int weir__ioctl(int fd, unsigned long request, void *argument);

/* Perform one op; a failure of the op itself becomes errno, too. */
int weir__perform(int fd, struct weir_op *op);

/* The same, but a signal may end it: EINTR. */
int weir__perform_once(int fd, struct weir_op *op);

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

#endif /* LIBWEIR_INTERNAL_H */
