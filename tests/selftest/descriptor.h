/* SPDX-License-Identifier: GPL-2.0-only */
/* descriptor - an open file that is sent to another process, or kept through exec() */
#ifndef _WEIR_SELFTEST_DESCRIPTOR_H
#define _WEIR_SELFTEST_DESCRIPTOR_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Send without waiting. Return: whether the file was sent. */
static inline bool fd_send_try(int to, int fd)
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
	return sendmsg(to, &message, MSG_DONTWAIT) == 1;
}

static inline void fd_send(int to, int fd)
{
	if (!fd_send_try(to, fd))
		abort();
}

/* @flags: MSG_DONTWAIT or 0. Return: the descriptor; -1: there was none. */
static inline int fd_receive_flags(int from, int flags)
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
	int fd = -1;

	if (recvmsg(from, &message, flags) == 1 &&
	    message.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static inline int fd_receive(int from)
{
	int fd = fd_receive_flags(from, 0);

	if (fd < 0)
		abort();
	return fd;
}

/* Execute a program that sends a byte to @to and then sleeps. @keep: it inherits @fd. */
static inline void program_become(int to, int fd, bool keep)
{
	if (keep)
		fcntl(fd, F_SETFD, 0);
	dup2(to, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", "echo; exec sleep 1000", NULL);
	abort();
}

/* Wait until the program has sent its byte to @from. */
static inline void program_begun(int from)
{
	char byte = 0;

	if (recv(from, &byte, 1, 0) != 1 || byte != '\n')
		abort();
}

#endif /* _WEIR_SELFTEST_DESCRIPTOR_H */
