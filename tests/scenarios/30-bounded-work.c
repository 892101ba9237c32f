// SPDX-License-Identifier: GPL-2.0-only
/*
 * One large call stopped every other task of its CPU, because it processed a million keys, a queue
 * of thousands or a table of rules in one go.
 *
 * Here each row prepares the worst case that a caller can prepare, and makes one kind of call.
 * Meanwhile a real-time thread wakes up every 50 us. The longest delay of that thread is the
 * longest time in which the call neither lets another task run nor takes an interrupt: with a lock
 * held, with softirqs off, or in a loop without a reschedule point.
 *
 * In a machine whose clock counts instructions ("tests/vm/run --icount") a nanosecond is one
 * instruction, so the figure of a row does not depend on the host, and it must not exceed a cap. In
 * any other machine the calls are made, and the figures prove nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../selftest/client.h"
#include "../selftest/gate.h"
#include "stretch.h"
#include "tap.h"

#define KEYS		200000
#define LARGE		1048576	/* keys, the default cap of an owner; 8 bytes of buckets each */
#define QUEUED		4000
#define HELD		16000
#define OBJECTS		1000
#define TOGETHER	WEIR_TRANSACTION_CHECKS

/* ---- calls ------------------------------------------------------------------------ */

static int device;

static void need(int ret, const char *what)
{
	if (ret < 0)
		tap_bail("%s: %s", what, strerror(-ret));
}

static int client(void)
{
	int fd = client_open(O_RDWR);

	need(fd, "open");
	return fd;
}

static uint32_t handle_at(int fd, uint32_t kind, const char *name)
{
	uint32_t handle;

	need(object_open(fd, kind, name, WEIR_RIGHT_ALL, &handle), name);
	return handle;
}

/* One opcode for keys @first to @first + @count - 1, in batches of 1024. */
static void keys_run(int fd, uint32_t handle, uint16_t opcode, int64_t n, uint64_t arg,
		     uint64_t first, uint64_t count)
{
	static struct weir_op ops[WEIR_BATCH_MAX];
	uint32_t done, size;
	uint64_t key = first;

	while (key < first + count) {
		for (size = 0; size < WEIR_BATCH_MAX && key < first + count; size++, key++) {
			ops[size] = op_make(opcode, handle, n);
			ops[size].arg = arg;
			op_key(&ops[size], &key, sizeof(key));
		}
		need(submit(fd, ops, size, &done), "submit");
		if (done != size)
			tap_bail("%u of %u ops done", done, size);
	}
}

static uint32_t limiter_make(const char *name, uint32_t key_type, uint64_t max_keys)
{
	struct weir_limiter_config config = limiter_config(key_type);
	uint32_t handle;

	config.max_keys = max_keys;
	need(limiter_create(device, name, &config, &handle), name);
	return handle;
}

/* ---- limiters --------------------------------------------------------------------- */

static unsigned int keys;

static void row_checks(uint32_t limiter)
{
	row_begin();
	for (unsigned int i = 0; i < 20; i++)
		keys_run(device, limiter, WEIR_OP_CHECK, 1, 0, 0, 1);
	row_end("checks of one key");
	row_begin();
	keys_run(device, limiter, WEIR_OP_CHECK, 1, 0, 0, keys);
	row_end("batches of 1024 checks of new keys");
}

static void row_full(uint32_t limiter)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);

	row_begin();
	keys_run(device, limiter, WEIR_OP_CHECK, 1, 0, keys, 5000);
	row_end("checks of new keys in a full table");
	config.burst = 20;
	row_begin();
	need(limiter_set(device, limiter, WEIR_SET_BURST, &config), "set");
	row_end("SET of a full table's burst");
	row_begin();
	keys_run(device, limiter, WEIR_OP_CHECK, 1, 0, keys, 5000);
	row_end("checks of new keys after SET");
}

static void row_dump(uint32_t limiter, size_t room, const char *what)
{
	struct weir_dump dump = { .size = sizeof(dump), .handle = limiter };
	void *buffer = malloc(room);
	unsigned int seen = 0;

	row_begin();
	while (dump.cursor != WEIR_NEVER && seen < keys) {
		dump.buffer = address(buffer);
		dump.length = room;
		need(call(device, WEIR_IOC_DUMP, &dump), "dump");
		seen += dump.count;
	}
	row_end(what);
	free(buffer);
}

static void row_load(void)
{
	uint32_t limiter = limiter_make(OURS "load", WEIR_KEY_U64, keys);
	const unsigned int count = keys < 65536 ? keys : 65536;
	struct weir_load load = { .size = sizeof(load), .handle = limiter };
	struct record {
		struct weir_entry_info info;
		uint64_t key;
	} *records = calloc(count, sizeof(*records));

	for (unsigned int i = 0; i < count; i++) {
		records[i].info.size = sizeof(*records);
		records[i].info.key_len = sizeof(uint64_t);
		records[i].key = i;
	}
	load.buffer = address(records);
	load.length = count * sizeof(*records);
	row_begin();
	need(call(device, WEIR_IOC_LOAD, &load), "load");
	row_end("LOAD of as many records as one call takes");
	need(object_delete(device, limiter), "delete");
	free(records);
}

/* Each key is banned; then one rule lifts all bans. */
static void row_rules(void)
{
	uint32_t limiter = limiter_make(OURS "rules", WEIR_KEY_IP, keys);
	struct weir_rules args = { .size = sizeof(args), .handle = limiter };
	struct weir_rule *rules = calloc(WEIR_RULES_MAX, sizeof(*rules));
	struct weir_op op;
	uint32_t addr;

	for (unsigned int i = 0; i < WEIR_RULES_MAX; i++) {
		rules[i].addr[0] = 10;
		rules[i].addr[1] = i >> 8;
		rules[i].addr[2] = i;
		rules[i].addr_len = 4;
		rules[i].prefix = 24;
		rules[i].action = WEIR_RULE_DENY;
	}
	args.rules = address(rules);
	args.count = WEIR_RULES_MAX;
	row_begin();
	need(call(device, WEIR_IOC_RULES, &args), "rules");
	row_end_pages("RULES, the maximum number", pages_of(2 * sizeof(*rules) * args.count));
	for (unsigned int i = 0; i < keys / 8; i++) {
		addr = htobe32(0xc0000000 + i);
		op = op_make(WEIR_OP_BAN, limiter, 0);
		op.arg = HOUR;
		op_key(&op, &addr, sizeof(addr));
		need(op_run(device, &op), "ban");
	}
	memset(rules, 0, sizeof(*rules));
	rules->addr_len = 4;
	rules->action = WEIR_RULE_ALLOW;
	args.count = 1;
	args.flags = WEIR_RULES_CLEAR;
	row_begin();
	need(call(device, WEIR_IOC_RULES, &args), "rules");
	row_end("RULES that lifts every ban");
	need(object_delete(device, limiter), "delete");
	free(rules);
}

static void row_together(uint32_t limiter)
{
	struct weir_op ops[TOGETHER];
	struct weir_submit args = { .size = sizeof(args), .flags = WEIR_SUBMIT_ALL,
				    .ops = address(ops) };

	row_begin();
	for (uint64_t round = 0; round < 50; round++) {
		for (uint64_t i = 0, key; i < TOGETHER; i++) {
			key = round * TOGETHER + i;
			ops[i] = op_make(WEIR_OP_CHECK, limiter, 1);
			op_key(&ops[i], &key, sizeof(key));
		}
		args.count = TOGETHER;
		need(call(device, WEIR_IOC_SUBMIT, &args), "submit");
	}
	row_end("a transaction with the maximum number of checks");
}

static void limiters(void)
{
	uint32_t limiter = limiter_make(OURS "keys", WEIR_KEY_U64, keys);

	row_checks(limiter);
	row_full(limiter);
	row_together(limiter);
	row_dump(limiter, 65536, "DUMP, 64 KiB at a time");
	row_dump(limiter, 512, "DUMP, 512 bytes at a time");
	row_begin();
	need(object_delete(device, limiter), "delete");
	row_end_pages("DELETE of a full table", pages_of(keys * (8 + 64UL)));
	row_begin();
	limiter = limiter_make(OURS "large", WEIR_KEY_U64, LARGE);
	row_end_pages("CREATE with room for a million keys", pages_of(LARGE * 8UL));
	row_begin();
	need(object_delete(device, limiter), "delete");
	row_end_pages("DELETE of it", pages_of(LARGE * 8UL));
	row_load();
	row_rules();
}

/* ---- gates ------------------------------------------------------------------------ */

static int *waiters;
static unsigned int queued;

static uint32_t gate_make(uint32_t key_type)
{
	struct weir_gate_config config = gate_config(key_type, 1);
	uint32_t gate;

	config.max_keys = key_type ? 4 * HELD : 0;
	need(gate_create(device, OURS "gate", &config, &gate), "gate");
	return gate;
}

static void waiters_open(void)
{
	for (unsigned int i = 0; i < queued; i++) {
		waiters[i] = client();
		handle_at(waiters[i], WEIR_KIND_GATE, OURS "gate");
	}
}

static void waiters_queue(void)
{
	struct weir_op op;

	for (unsigned int i = 0; i < queued; i++) {
		op = op_make(WEIR_OP_ACQUIRE, 1, 1);
		op.flags = WEIR_OP_ASYNC;
		op.arg = WEIR_NEVER;
		need(op_run(waiters[i], &op), "acquire");
	}
}

static void waiters_close(void)
{
	for (unsigned int i = 0; i < queued; i++)
		close(waiters[i]);
}

static void row_gate_resize(void)
{
	uint32_t gate = gate_make(WEIR_KEY_NONE);

	need(gate_try(device, gate, NULL, 1) - WEIR_ALLOWED, "acquire");
	waiters_open();
	waiters_queue();
	row_begin();
	need(gate_resize(device, gate, queued + 1), "resize");
	row_end("SET of a gate's permits that serves a whole queue");
	row_begin();
	waiters_close();
	/* a file, a client, a handle and a grant for each */
	row_end_pages("close of clients that hold a permit each", pages_of(queued * 1024UL));
	need(object_delete(device, gate), "delete");
}

static void row_gate_release(void)
{
	uint32_t gate = gate_make(WEIR_KEY_NONE);

	need(gate_resize(device, gate, queued), "resize");
	need(gate_try(device, gate, NULL, queued) - WEIR_ALLOWED, "acquire");
	waiters_open();
	waiters_queue();
	row_begin();
	need(gate_release(device, gate, NULL, queued), "release");
	row_end("RELEASE that serves a whole queue");
	waiters_close();
	need(object_delete(device, gate), "delete");
}

static void row_gate_delete(void)
{
	uint32_t gate = gate_make(WEIR_KEY_NONE);

	need(gate_try(device, gate, NULL, 1) - WEIR_ALLOWED, "acquire");
	waiters_open();
	waiters_queue();
	row_begin();
	need(object_delete(device, gate), "delete");
	row_end("DELETE of a gate with a long queue");
	waiters_close();
}

/* One client queues under many tags, at @gates gates, until the same moment. */
static void row_gate_deadline(unsigned int gates, const char *what)
{
	__u64 until = clock_boot_ns() + 20 * SECOND;
	struct weir_gate_config config = gate_config(WEIR_KEY_NONE, 1);
	char name[WEIR_NAME_SIZE];
	struct weir_op op;
	__u32 gate;
	int fd = client();

	for (unsigned int i = 0; i < gates; i++) {
		snprintf(name, sizeof(name), OURS "gate-%u", i);
		need(gate_create(fd, name, &config, &gate), name);
		need(gate_try(device, handle_at(device, WEIR_KIND_GATE, name), NULL, 1) -
		     WEIR_ALLOWED, "acquire");
		for (unsigned int tag = 0; tag < queued / gates; tag++) {
			op = op_make(WEIR_OP_ACQUIRE, gate, 1);
			op.flags = WEIR_OP_ASYNC;
			op.tag = tag;
			op.arg = until;
			need(op_run(fd, &op), "acquire");
			if (op.verdict != WEIR_QUEUED)
				tap_bail("not queued: the deadline is too near");
		}
	}
	row_begin();
	while (clock_boot_ns() < until + SECOND / 10)
		usleep(10000);
	row_end(what);
	for (__u32 i = 1; i <= gates; i++) {
		if (gate_stats(fd, i).timeouts != queued / gates)
			tap_bail("%llu timeouts", gate_stats(fd, i).timeouts);
		need(object_delete(fd, i), "delete");
	}
	close(fd);
}

/* One client waits without sleeping for tokens of many banned keys, until the same moment. */
static void row_reserve_deadline(void)
{
	struct weir_limiter_config config = limiter_config(WEIR_KEY_U64);
	struct weir_limiter_stats stats;
	__u64 until;
	struct weir_op op;
	__u32 limiter;
	int fd = client();

	need(limiter_create(fd, OURS "waited", &config, &limiter), "create");
	for (__u64 key = 0; key < queued; key++) {
		op = op_make(WEIR_OP_BAN, limiter, 0);
		op.arg = 1000 * SECOND;
		op_key(&op, &key, sizeof(key));
		need(op_run(fd, &op), "ban");
	}
	until = clock_boot_ns() + 20 * SECOND;
	for (__u64 key = 0; key < queued; key++) {
		op = op_make(WEIR_OP_RESERVE, limiter, 1);
		op.flags = WEIR_OP_ASYNC;
		op.arg = until;
		op_key(&op, &key, sizeof(key));
		need(op_run(fd, &op), "reserve");
		if (op.verdict != WEIR_QUEUED)
			tap_bail("not queued: the deadline was too early");
	}
	row_begin();
	while (clock_boot_ns() < until + SECOND / 10)
		usleep(10000);
	row_end("a deadline of the waiters of many keys");
	need(stats_get(fd, limiter, &stats), "stats");
	if (stats.banned != queued)
		tap_bail("%llu were answered", (unsigned long long)stats.banned);
	need(object_delete(fd, limiter), "delete");
	close(fd);
}

static void row_holder(void)
{
	uint32_t gate = gate_make(WEIR_KEY_U64);
	int fd = client();

	handle_at(fd, WEIR_KIND_GATE, OURS "gate");
	for (__u64 key = 0; key < tap_scaled(HELD, 10); key++)
		need(gate_try(fd, 1, &key, 1) - WEIR_ALLOWED, "acquire");
	row_begin();
	close(fd);
	row_end("close of a client that holds permits of many keys");
	need(object_delete(device, gate), "delete");
}

static void gates(void)
{
	queued = tap_scaled(QUEUED, 10);
	waiters = calloc(queued, sizeof(*waiters));
	row_gate_resize();
	row_gate_release();
	row_gate_delete();
	row_gate_deadline(1, "a deadline of a whole queue");
	row_gate_deadline(QUEUED / 10, "the same deadline of many queues");
	row_reserve_deadline();
	row_holder();
	free(waiters);
	row_freed("what requests and permits leave behind is freed");
}

/* ---- other calls ---------------------------------------------------------------------- */

static void row_claims(void)
{
	struct weir_roster_config config = { .size = sizeof(config),
					     .key_type = WEIR_KEY_U64 };
	static struct weir_op ops[WEIR_CLAIMS_MAX];
	struct weir_submit args = { .size = sizeof(args), .flags = WEIR_SUBMIT_ALL,
				    .ops = address(ops), .count = WEIR_CLAIMS_MAX };
	uint32_t roster;
	int fd = client();

	need(object_create(fd, WEIR_KIND_ROSTER, OURS "roster", &config, &roster), "roster");
	for (uint64_t i = 0; i < WEIR_CLAIMS_MAX; i++) {
		ops[i] = op_make(WEIR_OP_CLAIM, roster, 0);
		op_key(&ops[i], &i, sizeof(i));
	}
	row_begin();
	need(call(fd, WEIR_IOC_SUBMIT, &args), "submit");
	row_end("the maximum number of claims in one submission");
	if (ops[0].result)
		tap_bail("claims: %s", strerror(-ops[0].result));
	row_begin();
	need(object_delete(fd, roster), "delete");
	row_end("DELETE of a roster with leases");
	close(fd);
}

static void row_objects(void)
{
	static char buffer[65536];
	unsigned int count = tap_scaled(OBJECTS, 10), seen = 0;
	uint32_t *handles = calloc(count, sizeof(*handles));
	__u64 cursor = 0, filled;
	char name[WEIR_NAME_SIZE];
	__u32 n;

	row_begin();
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), OURS "object-%u", i);
		need(sum_create(device, name, 4, &handles[i]), name);
	}
	row_end("CREATE of many counters");
	row_begin();
	do {
		need(list_page(device, WEIR_KIND_ANY, &cursor, buffer, sizeof(buffer),
			       &filled, &n), "list");
		seen += n;
	} while (n);
	row_end("LIST");
	if (seen < count)
		tap_bail("%u of %u objects listed", seen, count);
	row_begin();
	for (unsigned int i = 0; i < count; i++)
		need(object_delete(device, handles[i]), "delete");
	row_end("DELETE of many counters");
	row_begin();
	while (read(device, buffer, sizeof(buffer)) > 0)
		;
	row_end("read of all events");
	free(handles);
}

/* The watcher's delay with calls that do nothing. */
static void base_measure(void)
{
	row_begin();
	for (unsigned int i = 0; i < 100000; i++)
		getppid();
	usleep(200000);
	watch.on = 0;
	watch.base = watch.worst;
	tap_note("with getppid() the watcher is late by %lu ns at most",
		 (unsigned long)watch.base);
}

int main(void)
{
	struct rlimit files = { 65536, 65536 };

	tap_begin("no call occupies a CPU for more than a fixed amount of work");
	keys = tap_scaled(KEYS, 10);
	if (setrlimit(RLIMIT_NOFILE, &files))
		tap_bail("cannot have 65536 descriptors");
	device = client_open(O_RDWR | O_NONBLOCK);
	need(device, "open");
	watch_begin();
	base_measure();
	limiters();
	gates();
	row_claims();
	row_objects();
	watch_end();
	close(device);
	return tap_end();
}
