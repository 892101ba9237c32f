// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Open files across fork(). A child would share its parent's: it could release what the
 * parent holds, and would keep it when the parent dies. So a child duplicates each client,
 * with its handles and nothing that is held, and puts the new file in the place of the
 * shared one, under the same number.
 *
 * fork() returns in the parent when the child has done so: else a parent that is killed at
 * that moment would leave its file with the child. A child that does not run (it is
 * stopped, say) delays fork() by CHILD_WAIT at most.
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
static struct weir__file *files;	/* under the lock */
static int once_error;
static int done[2] = { -1, -1 };	/* a pipe from the child; under the lock */

/* In the child: what can be called from a signal handler, and nothing else. */
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

/* Wait until the child is done. After a failed fork(), poll() returns: the pipe is closed. */
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
	/* closed under the lock: no child shall replace a number that is another file's */
	pthread_mutex_lock(&lock);
	*file->link = file->next;
	if (file->next)
		file->next->link = file->link;
	if (file->fd >= 0)
		close(file->fd);
	pthread_mutex_unlock(&lock);
}
