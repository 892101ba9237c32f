/* SPDX-License-Identifier: GPL-2.0-only */
/* sample - load tests/kmod/sample.c, a module that calls Weir's API, and make it call */
#ifndef _WEIR_SELFTEST_SAMPLE_H
#define _WEIR_SELFTEST_SAMPLE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

#define MODULE		"weir_sample"
#define PARAMETERS	"/sys/module/" MODULE "/parameters/"

/* Results of a run. */
struct sums {
	unsigned long long allowed, limited, banned, full, einval, enodev, enomem,
		other, banned_now, in_softirq, done, enoent, e2big, most_held;
};

static inline int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static inline int module_load(void)
{
	const char *dir = getenv("WEIR_MODULES");
	char path[512];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", dir ? dir : ".", MODULE);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static inline int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* @what: limiter, gate or counter; "": drop the references */
static inline int sample_get(const char *what, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), PARAMETERS "%s", what);
	return text_write(path, *name ? name : "\n");
}

/* Drop references of the sample module that an earlier test may have left. */
static inline int sample_reset(void)
{
	return sample_get("limiter", "") ?: sample_get("gate", "") ?:
	       sample_get("counter", "") ?: text_write(PARAMETERS "addresses", "0");
}

static pid_t sample_owner;

/* For atexit(): the process that loaded the module unloads it. Forked tests do not. */
static inline void sample_unload(void)
{
	if (getpid() != sample_owner || !module_unload(MODULE))
		return;
	printf("Bail out! " MODULE " cannot be unloaded: %s\n", strerror(errno));
	fflush(stdout);
	_exit(1);
}

/*
 * main() of the tests: load the sample module, run the tests, unload the module. It is loaded once,
 * because loading and unloading take seconds on kernels with debug checks. test_harness_run() ends
 * the process.
 */
#define SAMPLE_HARNESS_MAIN						\
	int main(int argc, char **argv)					\
	{								\
		bool ready = getenv("WEIR_MODULES");			\
		int err = ready ? module_load() : 0;			\
									\
		if (err) {						\
			printf("Bail out! " MODULE " cannot be loaded: %s\n", strerror(-err)); \
			return 1;					\
		}							\
		if (ready) {						\
			sample_owner = getpid();			\
			atexit(sample_unload);				\
		}							\
		return test_harness_run(argc, argv);			\
	}

/* Make the sample module perform @what on each key. */
static inline int sample_do(const char *what, const char *context, __u64 first,
			    __u64 keys, __u64 rounds, __u32 n)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %llu %llu %llu %u %s", context,
		 (unsigned long long)first, (unsigned long long)keys,
		 (unsigned long long)rounds, n, what);
	return text_write(PARAMETERS "run", text);
}

static inline int sample_run(const char *context, __u64 first, __u64 keys, __u64 rounds,
			     __u32 cost)
{
	return sample_do("check", context, first, keys, rounds, cost);
}

static inline struct sums sums_get(void)
{
	struct sums s;
	FILE *file = fopen(PARAMETERS "run", "r");

	if (!file || fscanf(file, "allowed %llu limited %llu banned %llu full %llu "
			    "EINVAL %llu ENODEV %llu ENOMEM %llu other %llu "
			    "banned-now %llu in-softirq %llu done %llu ENOENT %llu "
			    "E2BIG %llu most-held %llu", &s.allowed, &s.limited,
			    &s.banned, &s.full, &s.einval, &s.enodev, &s.enomem,
			    &s.other, &s.banned_now, &s.in_softirq, &s.done, &s.enoent,
			    &s.e2big, &s.most_held) != 14)
		abort();
	fclose(file);
	return s;
}

#define NEEDS_MODULE()							\
	do {								\
		if (!self->ready)					\
			SKIP(return, "WEIR_MODULES does not say where it is"); \
	} while (0)

#endif /* _WEIR_SELFTEST_SAMPLE_H */
