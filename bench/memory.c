// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for each of BENCH_KEYS keys: the growth of kernel memory in /proc/meminfo (slab, vmalloc
 * and per-CPU areas, including the tables of the entries), or the memory that Redis reports.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <weir.h>

#include "bench.h"

#define GROUP	"memory"

/* Kernel memory in bytes. */
static double kernel_memory(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "w");
	char line[128], name[32];
	unsigned long long kb, sum = 0;

	/* the counts that CPUs keep for themselves are added up */
	if (file) {
		fprintf(file, "1");
		fclose(file);
	}
	file = fopen("/proc/meminfo", "r");
	if (!file)
		bench_die("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%31[^:]: %llu", name, &kb) == 2 &&
		    (!strcmp(name, "Slab") || !strcmp(name, "VmallocUsed") ||
		     !strcmp(name, "Percpu")))
			sum += kb;
	fclose(file);
	return sum * 1024.0;
}

static void row(const char *name, double bytes)
{
	printf("%s|%s|%.1f\n", GROUP, name, bytes / BENCH_KEYS);
	fflush(stdout);
}

/* Send a packet from each address, so that there is a state for it. */
static void filter_row(const struct filter *f, const char *name)
{
	struct packets *p = packets_open();
	double before;

	/* once before: memory allocated at first use, and modules, belong to no key */
	if (!filter_set(f)) {
		bench_missing(GROUP, name, "not to be had here");
		packets_close(p);
		return;
	}
	packet_send(p, 0);
	filter_clear(f);
	sleep(3);
	before = kernel_memory();
	filter_set(f);
	for (uint32_t n = 0; n < BENCH_KEYS; n++)
		packet_send(p, n);
	/* growing tables do so in the background, and free the old table late */
	sleep(3);
	row(name, kernel_memory() - before);
	filter_clear(f);
	sleep(3);
	packets_close(p);
}

/* 4 bytes of key and 8 of state: enough for a bucket without bans. */
static void map_row(void)
{
	double before = kernel_memory();
	union bpf_attr attr = { 0 };
	int map;

	attr.map_type = BPF_MAP_TYPE_LRU_HASH;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = BENCH_KEYS;
	map = bench_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (map < 0)
		bench_die("BPF_MAP_CREATE");
	row("BPF LRU hash map, 8 bytes of state (all taken at once)",
	    kernel_memory() - before);
	close(map);
}

/* An object with @keys keys, each with an entry. */
struct object {
	void *(*make)(struct weir *weir, unsigned int keys);
	void (*end)(void *object);
};

static void address_make(struct weir_key *key, uint32_t n)
{
	const uint32_t address = htonl(0x7f010000 + n);

	key->type = WEIR_KEY_IP;
	key->len = sizeof(address);
	memcpy(key->bytes, &address, sizeof(address));
}

static void *roster_make(struct weir *weir, unsigned int keys, uint64_t flags)
{
	const struct weir_roster_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_IP, .max_keys = 131072,
	};
	struct weir_roster *roster = weir_roster_create(weir, "bench-memory", &config,
							0600);
	struct weir_key key;

	for (unsigned int n = 0; roster && n < keys; n++) {
		address_make(&key, n);
		if (weir_roster_claim(roster, &key, BENCH_VALUE, strlen(BENCH_VALUE),
				      WEIR_NEVER, flags, NULL))
			bench_die("claim");
	}
	if (!roster)
		bench_die("roster");
	return roster;
}

static void *leases_make(struct weir *weir, unsigned int keys)
{
	return roster_make(weir, keys, 0);
}

static void *detached_make(struct weir *weir, unsigned int keys)
{
	return roster_make(weir, keys, WEIR_OP_DETACHED);
}

static void roster_end(void *roster)
{
	weir_roster_delete(roster);
	weir_roster_close(roster);
}

/* A key without a failure has no entry, so each key fails once. */
static void *breaker_make(struct weir *weir, unsigned int keys)
{
	const struct weir_breaker_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_IP, .failures = 5,
		.within = 86400000000000ULL, .open = { 1000000000 }, .nopen = 1,
		.max_keys = 131072,
	};
	struct weir_breaker *breaker = weir_breaker_create(weir, "bench-memory",
							   &config, 0600);
	struct weir_key key;

	for (unsigned int n = 0; breaker && n < keys; n++) {
		address_make(&key, n);
		if (weir_breaker_report(breaker, &key, 0, WEIR_CALL_FAILED, NULL))
			bench_die("report");
	}
	if (!breaker)
		bench_die("breaker");
	return breaker;
}

static void breaker_end(void *breaker)
{
	weir_breaker_delete(breaker);
	weir_breaker_close(breaker);
}

static void object_row(const char *name, const struct object *o)
{
	struct weir *weir = weir_open(0);
	double before;
	void *object;

	if (!weir)
		bench_die("weir");
	o->end(o->make(weir, 1));	/* once before, as in filter_row() */
	sleep(3);
	before = kernel_memory();
	object = o->make(weir, BENCH_KEYS);
	sleep(3);
	row(name, kernel_memory() - before);
	o->end(object);
	sleep(3);
	weir_close(weir);
}

/*
 * Enter a memory cgroup, as on any machine with systemd. From the first memory cgroup on, an object
 * whose memory can be charged has one more word, which names its cgroup.
 */
static void cgroup_make(void)
{
	FILE *file = fopen("/sys/fs/cgroup/cgroup.subtree_control", "w");

	if (!file || fprintf(file, "+memory") < 0 || fclose(file) ||
	    (mkdir("/sys/fs/cgroup/weir-bench", 0755) && errno != EEXIST))
		bench_die("a memory cgroup");
}

void bench_memory(void)
{
	static const struct object leases = { leases_make, roster_end };
	static const struct object detached = { detached_make, roster_end };
	static const struct object breaker = { breaker_make, breaker_end };
	struct redis *r;
	uint64_t before;

	cgroup_make();
	filter_row(&filter_weir_slow, "weir, a limiter by address, with its ban state");
	object_row("weir, a breaker by address", &breaker);
	object_row("weir, a roster by address, 15 bytes of value", &leases);
	object_row("weir, the same, the leases detached", &detached);
	filter_row(&filter_nft_set, "nft, a set with a limit for each address");
	filter_row(&filter_hashlimit, "xt_hashlimit, by address");
	map_row();
	r = redis_start();
	before = redis_memory(r);
	redis_fill(r, BENCH_KEYS);
	row("Redis, GCRA in Lua, a key that expires", redis_memory(r) - before);
	redis_stop(r);
	r = redis_start();
	before = redis_memory(r);
	redis_fill_locks(r, BENCH_KEYS);
	row("Redis, SET NX PX, 15 bytes of value", redis_memory(r) - before);
	redis_stop(r);
}
