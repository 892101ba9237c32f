/* SPDX-License-Identifier: GPL-2.0-only */
/* descriptor - an open file that is passed on, or kept through exec */
#ifndef _WEIR_SELFTEST_DESCRIPTOR_H
#define _WEIR_SELFTEST_DESCRIPTOR_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void fd_send(int to, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(to, &message, 0) != 1)
		abort();
}

static inline int fd_receive(int from)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(from, &message, 0) != 1)
		abort();
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* Becomes a program that says one byte to @to when it runs, and then stays; @keep: with @fd. */
static inline void program_become(int to, int fd, bool keep)
{
	if (keep)
		fcntl(fd, F_SETFD, 0);
	dup2(to, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", "echo; exec sleep 1000", NULL);
	abort();
}

/* Until it has said it, to the other end @from. */
static inline void program_begun(int from)
{
	char byte = 0;

	if (recv(from, &byte, 1, 0) != 1 || byte != '\n')
		abort();
}

#endif /* _WEIR_SELFTEST_DESCRIPTOR_H */
