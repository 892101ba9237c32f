// SPDX-License-Identifier: GPL-2.0-only
/* The cost of entering the kernel and returning. */

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/weir.h>

#include "bench.h"

static void empty(void *arg, uint64_t i)
{
	(void)arg;
	(void)i;
	syscall(SYS_getppid);
}

static void small_ioctl(void *arg, uint64_t i)
{
	int bytes;

	(void)i;
	ioctl(*(int *)arg, FIONREAD, &bytes);
}

/* An unknown opcode: the same copies in and out as for any operation, with nothing in between. */
static void same_copies(void *arg, uint64_t i)
{
	struct weir_op op = { .opcode = 0xffff };
	struct weir_submit submit = { .size = sizeof(submit), .count = 1,
				      .ops = (uintptr_t)&op };

	(void)i;
	ioctl(*(int *)arg, WEIR_IOC_SUBMIT, &submit);
}

void bench_kernel(void)
{
	int pipes[2], fd = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || pipe(pipes))
		bench_die(WEIR_DEVICE);
	bench_row("kernel", "empty system call (getppid)", empty, NULL, 1);
	bench_row("kernel", "ioctl that copies an int out (FIONREAD)", small_ioctl,
		  pipes, 1);
	bench_row("kernel", "ioctl with the copies of a weir operation", same_copies,
		  &fd, 1);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}
