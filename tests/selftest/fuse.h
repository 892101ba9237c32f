/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuse - a file of one page, which a process of the caller serves when the test says so
 *
 * The server is a process that speaks the protocol of /dev/fuse. It answers a READ when @give is
 * set, and all other requests at once.
 */
#ifndef _WEIR_SELFTEST_FUSE_H
#define _WEIR_SELFTEST_FUSE_H

#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"
#include "crowd.h"

#define FUSE_DIR	"/tmp/weir-fuse"
#define FUSE_PAGE	4096
#define FUSE_FILE	2	/* number of the file */

/* Shared with the server. */
struct fuse_shared {
	_Atomic int asked;	/* number of READs received */
	_Atomic int give;	/* READs are answered */
	char content[FUSE_PAGE];
};

struct fuse_server {
	struct fuse_shared *shared;
	pid_t pid;
	bool sync;		/* the kernel waits for a READ, not for the page */
};

static inline struct fuse_attr fuse_attr_of(__u64 node)
{
	struct fuse_attr attr = { .ino = node, .nlink = 1, .blksize = FUSE_PAGE };

	attr.mode = node == FUSE_FILE ? S_IFREG | 0666 : S_IFDIR | 0755;
	attr.size = node == FUSE_FILE ? FUSE_PAGE : 0;
	return attr;
}

/*
 * Write the answer to a request to @to. Return: its size; 1: there is no answer; or a negative
 * errno.
 */
static inline int fuse_answer(struct fuse_server *server, const struct fuse_in_header *in,
			      void *to)
{
	const struct fuse_init_in *wish = (const void *)(in + 1);

	switch (in->opcode) {
	case FUSE_INIT:
		*(struct fuse_init_out *)to = (struct fuse_init_out){
			.major = FUSE_KERNEL_VERSION, .minor = 31,
			.max_readahead = server->sync ? 0 : wish->max_readahead,
			.flags = server->sync ? 0 : FUSE_ASYNC_READ,
			.max_background = 16, .congestion_threshold = 12,
			.max_write = FUSE_PAGE, .time_gran = 1,
		};
		return sizeof(struct fuse_init_out);
	case FUSE_LOOKUP:
		*(struct fuse_entry_out *)to = (struct fuse_entry_out){
			.nodeid = FUSE_FILE, .entry_valid = 1000, .attr_valid = 1000,
			.attr = fuse_attr_of(FUSE_FILE),
		};
		return sizeof(struct fuse_entry_out);
	case FUSE_GETATTR:
		*(struct fuse_attr_out *)to = (struct fuse_attr_out){
			.attr_valid = 1000, .attr = fuse_attr_of(in->nodeid),
		};
		return sizeof(struct fuse_attr_out);
	case FUSE_OPEN:
		/* without FOPEN_KEEP_CACHE the page is read again after each open() */
		*(struct fuse_open_out *)to = (struct fuse_open_out){ .fh = 1 };
		return sizeof(struct fuse_open_out);
	case FUSE_READ:
		server->shared->asked++;
		while (!server->shared->give)
			usleep(200);
		memcpy(to, server->shared->content, FUSE_PAGE);
		return FUSE_PAGE;
	case FUSE_RELEASE:
		return 0;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 1;
	default:
		return -EOPNOTSUPP;
	}
}

static inline void fuse_serve(struct fuse_server *server, int fd)
{
	static char request[8 * FUSE_PAGE], answer[2 * FUSE_PAGE];
	struct fuse_in_header *in = (void *)request;
	struct fuse_out_header *out = (void *)answer;
	int size;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, request, sizeof(request)) > 0 || errno == ENOENT) {
		size = fuse_answer(server, in, out + 1);
		if (size == 1)
			continue;
		out->unique = in->unique;
		out->error = size < 0 ? size : 0;
		out->len = sizeof(*out) + (size < 0 ? 0 : size);
		/* ENOENT: the caller is gone */
		if (write(fd, answer, out->len) < 0 && errno != ENOENT)
			break;
	}
	_exit(0);
}

/* Whether this kernel has FUSE. */
static inline bool fuse_exists(void)
{
	if (access("/dev/fuse", F_OK) && system("modprobe -q fuse 2>/dev/null"))
		return false;
	return !access("/dev/fuse", F_OK);
}

/* Mount the file system and start its server. Return: 0 or a negative errno. */
static inline int fuse_begin(struct fuse_server *server, bool sync)
{
	char options[64];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	server->sync = sync;
	server->shared = shared_memory(sizeof(*server->shared));
	mkdir(FUSE_DIR, 0755);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("weir", FUSE_DIR, "fuse", MS_NOSUID | MS_NODEV, options)) {
		close(fd);
		return -errno;
	}
	fflush(NULL);
	server->pid = fork();
	if (!server->pid)
		fuse_serve(server, fd);
	/* only the server has the file: when it dies, the kernel ends all requests */
	close(fd);
	return 0;
}

/* Kill the server: all requests fail from now on. */
static inline void fuse_kill(struct fuse_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

static inline void fuse_end(struct fuse_server *server)
{
	if (server->pid)
		fuse_kill(server);
	umount2(FUSE_DIR, MNT_DETACH);
	rmdir(FUSE_DIR);
	munmap(server->shared, sizeof(*server->shared));
}

/* Replace @page by the file, with the same contents. The page is not read yet. */
static inline void fuse_map(struct fuse_server *server, char *page)
{
	int fd = open(FUSE_DIR "/page", O_RDWR | O_CLOEXEC);

	memcpy(server->shared->content, page, FUSE_PAGE);
	server->shared->asked = 0;
	server->shared->give = 0;
	if (fd < 0 || mmap(page, FUSE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
			   fd, 0) != page)
		abort();
	close(fd);
}

#endif /* _WEIR_SELFTEST_FUSE_H */
