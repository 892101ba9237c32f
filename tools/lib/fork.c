// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Open files across fork(). A child that shared the open file of its parent could release the
 * parent's permits, and would keep them from coming back when the parent dies. So the child
 * duplicates each client. The duplicate has the handles, but no permits, probes and leases. It
 * replaces the shared file under the same descriptor number.
 *
 * In the parent, fork() returns after the child has done this. Otherwise the child of a parent that
 * is killed at that moment would keep the parent's file open. A child that does not run, because it
 * is stopped for example, delays fork() by at most CHILD_WAIT.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define CHILD_WAIT	1000	/* ms */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weir__file *files;	/* protected by lock */
static int once_error;
static int done[2] = { -1, -1 };	/* a pipe from the child; protected by lock */

/* Runs in the child, and calls only functions that a signal handler may call. */
static void file_replace(struct weir__file *file)
{
	struct weir_dup_client dup = { .size = sizeof(dup), .flags = WEIR_DUP_CLOEXEC };
	int flags = fcntl(file->fd, F_GETFD);
	int fd = flags < 0 ? -1 : ioctl(file->fd, WEIR_IOC_DUP_CLIENT, &dup);

	if (fd >= 0 && dup3(fd, file->fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) >= 0) {
		close(fd);
		return;
	}
	/* every call fails with EBADF: the child must not act as its parent */
	if (fd >= 0)
		close(fd);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static void done_forget(void)
{
	done[0] = -1;
	done[1] = -1;
}

static void before_fork(void)
{
	int error = errno;

	pthread_mutex_lock(&lock);
	if (files && pipe2(done, O_CLOEXEC) < 0)
		done_forget();
	errno = error;
}

/*
 * Wait until the child has replaced its files. If fork() failed, the pipe is closed, so poll()
 * returns.
 */
static void after_fork(void)
{
	struct pollfd child = { .fd = done[0], .events = POLLIN };
	int error = errno;

	if (done[0] >= 0) {
		close(done[1]);
		while (poll(&child, 1, CHILD_WAIT) < 0 && errno == EINTR)
			;
		close(done[0]);
		done_forget();
	}
	pthread_mutex_unlock(&lock);
	errno = error;
}

static void in_child(void)
{
	struct weir__file *file;
	int error = errno;

	for (file = files; file; file = file->next)
		file_replace(file);
	if (done[0] >= 0) {
		(void)!write(done[1], "", 1);
		close(done[0]);
		close(done[1]);
		done_forget();
	}
	pthread_mutex_unlock(&lock);
	errno = error;
}

static void handlers_add(void)
{
	once_error = pthread_atfork(before_fork, after_fork, in_child);
}

int weir__file_add(struct weir__file *file)
{
	pthread_once(&once, handlers_add);
	if (once_error) {
		errno = once_error;
		return -1;
	}
	pthread_mutex_lock(&lock);
	file->next = files;
	file->link = &files;
	if (files)
		files->link = &file->next;
	files = file;
	pthread_mutex_unlock(&lock);
	return 0;
}

void weir__file_close(struct weir__file *file)
{
	/* close under the lock, so that no child duplicates onto a number that is reused */
	pthread_mutex_lock(&lock);
	*file->link = file->next;
	if (file->next)
		file->next->link = file->link;
	if (file->fd >= 0)
		close(file->fd);
	pthread_mutex_unlock(&lock);
}
