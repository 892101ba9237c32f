// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measurements of time without the module, on the host itself: the text functions of libweir, and
 * Redis.
 */

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <weir.h>

#include "bench.h"

#define GROUP	"library"

static void must(int result, const char *what)
{
	if (result < 0)
		bench_die(what);
}

static void system_call(void *arg, uint64_t i)
{
	(void)arg;
	(void)i;
	syscall(SYS_getppid);
}

static void clock_read(void *arg, uint64_t i)
{
	struct timespec t;

	(void)arg;
	(void)i;
	clock_gettime(CLOCK_BOOTTIME, &t);
}

static void duration_parse(void *arg, uint64_t i)
{
	uint64_t ns;

	(void)i;
	must(weir_parse_duration(arg, &ns), "weir_parse_duration");
}

static void duration_format(void *arg, uint64_t i)
{
	char text[WEIR_TEXT_MAX];

	(void)i;
	must(weir_format_duration(*(uint64_t *)arg, text, sizeof(text)),
	     "weir_format_duration");
}

static void rate_parse(void *arg, uint64_t i)
{
	struct weir_limiter_config config;

	(void)i;
	must(weir_parse_rate(arg, &config), "weir_parse_rate");
}

static void ip_parse(void *arg, uint64_t i)
{
	struct weir_key key;

	(void)i;
	must(weir_key_parse(&key, WEIR_KEY_IP, arg), "weir_key_parse");
}

static void ip_format(void *arg, uint64_t i)
{
	char text[WEIR_TEXT_MAX];

	(void)i;
	must(weir_key_format(arg, text, sizeof(text)), "weir_key_format");
}

static void library(void)
{
	char duration[] = "1h30m", rate[] = "100/m";
	char ip4[] = "203.0.113.66", ip6[] = "2001:db8:1f:2a::42";
	uint64_t ns = 5400000000000ULL;
	struct weir_key key;

	bench_row(GROUP, "weir_parse_duration, \"1h30m\"", duration_parse, duration, 1);
	bench_row(GROUP, "weir_format_duration, \"1h30m\"", duration_format, &ns, 1);
	bench_row(GROUP, "weir_parse_rate, \"100/m\"", rate_parse, rate, 1);
	bench_row(GROUP, "weir_key_parse, IPv4", ip_parse, ip4, 1);
	bench_row(GROUP, "weir_key_parse, IPv6", ip_parse, ip6, 1);
	must(weir_key_parse(&key, WEIR_KEY_IP, ip6), "weir_key_parse");
	bench_row(GROUP, "weir_key_format, IPv6", ip_format, &key, 1);
}

void bench_time_native(void)
{
	bench_row("host", "empty system call (getppid)", system_call, NULL, 1);
	bench_row("host", "clock reading (CLOCK_BOOTTIME)", clock_read, NULL, 1);
	library();
	bench_redis();
}
