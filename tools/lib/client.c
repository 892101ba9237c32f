// SPDX-License-Identifier: LGPL-2.1-or-later
/* Clients: open files of /dev/weir, and the ioctls that do not concern one object. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

int weir__ioctl(int fd, unsigned long request, void *argument)
{
	int ret;

	do {
		ret = ioctl(fd, request, argument);
	} while (ret < 0 && errno == EINTR);
	return ret;
}

WEIR_API const char *weir_lib_version(void)
{
	return LIBWEIR_VERSION;
}

WEIR_API struct weir *weir_open(int flags)
{
	struct weir *weir;
	int error;

	if (flags & ~WEIR_OPEN_READONLY) {
		errno = EINVAL;
		return NULL;
	}
	weir = malloc(sizeof(*weir));
	if (!weir)
		return NULL;
	weir->uses = 1;
	weir->file.fd = open(WEIR_DEVICE, O_CLOEXEC |
			     (flags & WEIR_OPEN_READONLY ? O_RDONLY : O_RDWR));
	if (weir->file.fd >= 0 && weir__file_add(&weir->file) == 0)
		return weir;
	error = errno;
	if (weir->file.fd >= 0)
		close(weir->file.fd);
	free(weir);
	errno = error;
	return NULL;
}

struct weir *weir__use(struct weir *weir)
{
	__atomic_add_fetch(&weir->uses, 1, __ATOMIC_RELAXED);
	return weir;
}

void weir__unuse(struct weir *weir)
{
	int error = errno;

	if (__atomic_sub_fetch(&weir->uses, 1, __ATOMIC_ACQ_REL))
		return;
	weir__file_close(&weir->file);
	free(weir);
	errno = error;
}

void weir__free(struct weir *weir, void *object)
{
	int error = errno;

	free(object);
	weir__unuse(weir);
	errno = error;
}

WEIR_API void weir_close(struct weir *weir)
{
	if (weir)
		weir__unuse(weir);
}

WEIR_API int weir_fd(const struct weir *weir)
{
	return weir->file.fd;
}

__thread uint32_t weir__tag;

WEIR_API uint32_t weir_tag_set(uint32_t tag)
{
	uint32_t before = weir__tag;

	weir__tag = tag;
	return before;
}

WEIR_API int weir_shutdown(struct weir *weir)
{
	struct weir_shutdown shutdown = { .size = sizeof(shutdown) };

	return weir__ioctl(weir->file.fd, WEIR_IOC_SHUTDOWN, &shutdown);
}

WEIR_API int weir_tag_drop(struct weir *weir, uint32_t tag)
{
	struct weir_drop drop = { .size = sizeof(drop), .tag = tag };

	return weir__ioctl(weir->file.fd, WEIR_IOC_DROP, &drop);
}

WEIR_API int weir_collect(struct weir *weir, struct weir_op *ops, unsigned int count)
{
	struct weir_collect collect = { .size = sizeof(collect), .count = count,
					.ops = (uintptr_t)ops };

	return weir__ioctl(weir->file.fd, WEIR_IOC_COLLECT, &collect) < 0 ? -1 :
	       (int)collect.count;
}

WEIR_API int weir_get_info(struct weir *weir, struct weir_info *info)
{
	return weir__ioctl(weir->file.fd, WEIR_IOC_INFO, info);
}

static int client_restrict(struct weir *weir, unsigned int powers, uint32_t handle,
			   unsigned int rights)
{
	struct weir_restrict restriction = {
		.size = sizeof(restriction),
		.flags = powers,
		.handle = handle,
		.rights = rights,
	};

	return weir__ioctl(weir->file.fd, WEIR_IOC_RESTRICT, &restriction);
}

WEIR_API int weir_restrict(struct weir *weir, unsigned int powers)
{
	return client_restrict(weir, powers, 0, 0);
}

WEIR_API int weir_restrict_handle(struct weir *weir, uint32_t handle, unsigned int rights)
{
	return client_restrict(weir, 0, handle, rights);
}

WEIR_API int weir_submit(struct weir *weir, struct weir_op *ops,
			 unsigned int count)
{
	struct weir_submit submit = {
		.size = sizeof(submit),
		.count = count,
		.ops = (uintptr_t)ops,
	};

	if (ioctl(weir->file.fd, WEIR_IOC_SUBMIT, &submit) < 0)
		return -1;
	return (int)submit.done;
}

WEIR_API int weir_transaction(struct weir *weir, struct weir_op *ops,
			      unsigned int count, unsigned int *which)
{
	struct weir_submit submit = {
		.size = sizeof(submit),
		.flags = WEIR_SUBMIT_ALL,
		.count = count,
		.ops = (uintptr_t)ops,
	};
	unsigned int i;

	if (weir__ioctl(weir->file.fd, WEIR_IOC_SUBMIT, &submit) < 0)
		return -1;
	for (i = 0; i < count && (!ops[i].result || ops[i].result == -ECANCELED);)
		i++;
	if (which)
		*which = i < count ? i : ops[0].decided;
	if (i == count)
		return (int)ops[0].verdict;
	errno = -ops[i].result;
	return -1;
}

int weir__op_flags(struct weir_op *op, unsigned int flags, unsigned int all)
{
	if (flags & ~all) {
		errno = EINVAL;
		return -1;
	}
	op->flags |= (uint16_t)flags;
	return 0;
}

int weir__perform_once(int fd, struct weir_op *op)
{
	if (ioctl(fd, WEIR_IOC_OP, op) < 0)
		return -1;
	if (op->result < 0) {
		errno = -op->result;
		return -1;
	}
	return 0;
}

int weir__perform(int fd, struct weir_op *op)
{
	int ret;

	do
		ret = weir__perform_once(fd, op);
	while (ret < 0 && errno == EINTR);
	return ret;
}
