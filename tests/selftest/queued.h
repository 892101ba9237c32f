/* SPDX-License-Identifier: GPL-2.0-only */
/* queued - asynchronous requests, and poll() for their ends */
#ifndef _WEIR_SELFTEST_QUEUED_H
#define _WEIR_SELFTEST_QUEUED_H

#include <poll.h>
#include <sys/epoll.h>

#include "gate.h"

#define WRITABLE	(POLLOUT | POLLWRNORM)
#define MS		1000000ULL

static inline int queue_run_as(int fd, __u32 tag, struct weir_op *op, __u32 gate,
			       const __u64 *key, __s64 n, __u64 until)
{
	*op = op_make(WEIR_OP_ACQUIRE, gate, n);
	op->tag = tag;
	op->arg = until;
	op->flags = WEIR_OP_ASYNC;
	if (key)
		op_key(op, key, sizeof(*key));
	return op_run(fd, op);
}

static inline int queue_run(int fd, struct weir_op *op, __u32 gate, const __u64 *key,
			    __s64 n, __u64 until)
{
	return queue_run_as(fd, 0, op, gate, key, n, until);
}

/* Return: the verdict, or a negative errno. */
static inline int queue_as(int fd, __u32 tag, __u32 gate, const __u64 *key, __s64 n,
			   __u64 until)
{
	struct weir_op op;
	int ret = queue_run_as(fd, tag, &op, gate, key, n, until);

	return ret ?: (int)op.verdict;
}

static inline int queue(int fd, __u32 gate, const __u64 *key, __s64 n, __u64 until)
{
	return queue_as(fd, 0, gate, key, n, until);
}

static inline int queue_cancel(int fd, __u32 gate, const __u64 *key)
{
	struct weir_op op;
	int ret = gate_run(fd, &op, WEIR_OP_CANCEL, gate, key, 0, 0);

	return ret ?: (int)op.verdict;
}

/* Collect up to @room ended requests: their number, or a negative errno. */
static inline int collect_run(int fd, struct weir_op *ops, __u32 room)
{
	struct weir_collect collect = { .size = sizeof(collect), .count = room,
					.ops = address(ops) };
	int ret = call(fd, WEIR_IOC_COLLECT, &collect);

	return ret ?: (int)collect.count;
}

/* The answer of the request that ended first: its verdict or errno; -EAGAIN: none has ended. */
static inline int collect(int fd)
{
	struct weir_op op;
	int n = collect_run(fd, &op, 1);

	return n < 0 ? n : !n ? -EAGAIN : op.result ?: (int)op.verdict;
}

/* As collect(), of a request for that key, or that tag: it must be the first. */
static inline int collect_key(int fd, __u64 key)
{
	struct weir_op op;
	int n = collect_run(fd, &op, 1);

	if (n == 1 && memcmp(op.key, &key, sizeof(key))) {
		printf("# another key was collected\n");
		abort();
	}
	return n < 0 ? n : !n ? -EAGAIN : op.result ?: (int)op.verdict;
}

static inline int collect_tag(int fd, __u32 tag)
{
	struct weir_op op;
	int n = collect_run(fd, &op, 1);

	if (n == 1 && op.tag != tag) {
		printf("# tag %u was collected instead of %u\n", op.tag, tag);
		abort();
	}
	return n < 0 ? n : !n ? -EAGAIN : op.result ?: (int)op.verdict;
}

/* What poll() reports about requests within that time: both of its bits, or neither. */
static inline bool told_in(int fd, int ms)
{
	struct pollfd one = { .fd = fd, .events = WRITABLE };

	if (poll(&one, 1, ms) < 0 || (one.revents && one.revents != WRITABLE)) {
		printf("# poll: %#x\n", (unsigned int)one.revents);
		abort();
	}
	return one.revents;
}

static inline bool told(int fd)
{
	return told_in(fd, 0);
}

static inline void told_wait(int fd)
{
	if (!told_in(fd, 30000)) {
		printf("# nothing came\n");
		abort();
	}
}

static inline int epoll_make(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static inline void epoll_join(int epoll, int fd, __u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		abort();
}

/* The file that epoll reports; -1: none; -2: several. */
static inline int epoll_told(int epoll, int ms)
{
	struct epoll_event event[2];
	int n = epoll_wait(epoll, event, 2, ms);

	return n == 1 ? event[0].data.fd : n > 1 ? -2 : -1;
}

#endif /* _WEIR_SELFTEST_QUEUED_H */
