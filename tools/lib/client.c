// SPDX-License-Identifier: LGPL-2.1-or-later
/* Clients: one open of /dev/weir, and the ioctls that concern no one object. */

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

	if (flags & ~WEIR_OPEN_READONLY) {
		errno = EINVAL;
		return NULL;
	}
	weir = malloc(sizeof(*weir));
	if (!weir)
		return NULL;
	weir->fd = open(WEIR_DEVICE, O_CLOEXEC |
			(flags & WEIR_OPEN_READONLY ? O_RDONLY : O_RDWR));
	if (weir->fd < 0) {
		int error = errno;

		free(weir);
		errno = error;
		return NULL;
	}
	return weir;
}

WEIR_API void weir_close(struct weir *weir)
{
	int error = errno;

	if (!weir)
		return;
	close(weir->fd);
	free(weir);
	errno = error;
}

WEIR_API int weir_fd(const struct weir *weir)
{
	return weir->fd;
}

WEIR_API int weir_get_info(struct weir *weir, struct weir_info *info)
{
	return weir__ioctl(weir->fd, WEIR_IOC_INFO, info);
}

WEIR_API int weir_submit(struct weir *weir, struct weir_op *ops,
			 unsigned int count)
{
	struct weir_submit submit = {
		.size = sizeof(submit),
		.count = count,
		.ops = (uintptr_t)ops,
	};

	if (ioctl(weir->fd, WEIR_IOC_SUBMIT, &submit) < 0)
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

	if (weir__ioctl(weir->fd, WEIR_IOC_SUBMIT, &submit) < 0)
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

int weir__perform_once(int fd, struct weir_op *op)
{
	struct weir_submit submit = {
		.size = sizeof(submit),
		.count = 1,
		.ops = (uintptr_t)op,
	};

	if (ioctl(fd, WEIR_IOC_SUBMIT, &submit) < 0)
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
