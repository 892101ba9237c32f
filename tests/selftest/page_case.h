/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_case - every call that reads or writes memory of its caller, for tests that withhold it
 *
 * A case prepares the memory of one call in three areas of one page each. Its masks have the areas
 * in which a missing or an unwritable page makes the call wait.
 */
#ifndef _WEIR_SELFTEST_PAGE_CASE_H
#define _WEIR_SELFTEST_PAGE_CASE_H

#include <sys/mman.h>

#include "gate.h"
#include "roster.h"

#define AREAS	3	/* the struct, the data it points to, and the data this points to */
#define AREA	4096
#define NAME	OURS "pages"

/* Handles of the objects of one run. A client made by DUP_CLIENT has the same handles. */
struct objects {
	__u32 counter, spare, limiter, gate, roster;
};

struct stage {
	int fd;
	struct objects at;
	char *area[AREAS];
	unsigned long request;
};

#define IN(s, type)	((struct type *)(s)->area[0])

static void create(struct stage *s)
{
	struct weir_counter_config config = { .size = sizeof(config), .nfields = 2,
					      .type = WEIR_COUNTER_SUM,
					      .fields = address(s->area[2]) };
	struct weir_create create = create_make(WEIR_KIND_COUNTER, NAME "-new", s->area[1]);

	create.flags = WEIR_CREATE_EXISTING_OK;
	memcpy(s->area[0], &create, sizeof(create));
	memcpy(s->area[1], &config, sizeof(config));
	strcpy(s->area[2], "one");
	strcpy(s->area[2] + WEIR_NAME_SIZE, "two");
}

static void open_name(struct stage *s)
{
	struct weir_open open = open_make(WEIR_KIND_COUNTER, NAME, WEIR_RIGHT_ALL);

	memcpy(s->area[0], &open, sizeof(open));
}

static void close_handle(struct stage *s)
{
	*IN(s, weir_close) = (struct weir_close){ .size = sizeof(struct weir_close),
						  .handle = s->at.spare };
}

static void delete(struct stage *s)
{
	*IN(s, weir_delete) = (struct weir_delete){ .size = sizeof(struct weir_delete),
						    .handle = s->at.spare };
}

static void set(struct stage *s)
{
	struct weir_gate_config config = gate_config(0, 9);

	*IN(s, weir_set) = (struct weir_set){ .size = sizeof(struct weir_set),
					      .handle = s->at.gate, .mask = WEIR_SET_PERMITS,
					      .config = address(s->area[1]) };
	memcpy(s->area[1], &config, sizeof(config));
}

static void get(struct stage *s)
{
	*IN(s, weir_get) = (struct weir_get){ .size = sizeof(struct weir_get),
					      .handle = s->at.limiter,
					      .config = address(s->area[1]),
					      .stats = address(s->area[2]) };
	*(__u32 *)s->area[1] = sizeof(struct weir_limiter_config);
	*(__u32 *)s->area[2] = sizeof(struct weir_limiter_stats);
}

static void get_fields(struct stage *s)
{
	struct weir_counter_config config = { .size = sizeof(config), .nfields = 2,
					      .fields = address(s->area[2]) };

	*IN(s, weir_get) = (struct weir_get){ .size = sizeof(struct weir_get),
					      .handle = s->at.counter,
					      .config = address(s->area[1]) };
	memcpy(s->area[1], &config, sizeof(config));
}

static void list(struct stage *s)
{
	*IN(s, weir_list) = (struct weir_list){ .size = sizeof(struct weir_list),
						.buffer = address(s->area[1]), .length = AREA,
						.owner = WEIR_OWNER_DEFAULT };
}

static void dump(struct stage *s)
{
	*IN(s, weir_dump) = (struct weir_dump){ .size = sizeof(struct weir_dump),
						.handle = s->at.limiter,
						.buffer = address(s->area[1]), .length = AREA };
}

static void load(struct stage *s)
{
	struct weir_entry_info entry = { .size = sizeof(entry) + 8, .key_len = 4 };

	*IN(s, weir_load) = (struct weir_load){ .size = sizeof(struct weir_load),
						.handle = s->at.limiter,
						.buffer = address(s->area[1]),
						.length = entry.size };
	memcpy(s->area[1], &entry, sizeof(entry));
}

static void rules_flagged(struct stage *s, __u32 flags)
{
	struct weir_rule rule = { .addr_len = 4, .prefix = 32, .action = WEIR_RULE_DENY };

	*IN(s, weir_rules) = (struct weir_rules){ .size = sizeof(struct weir_rules),
						  .handle = s->at.limiter, .count = 1,
						  .flags = flags,
						  .rules = address(s->area[1]) };
	memcpy(s->area[1], &rule, sizeof(rule));
}

static void rules(struct stage *s)
{
	rules_flagged(s, 0);
}

static void rules_get(struct stage *s)
{
	rules_flagged(s, WEIR_RULES_GET);
}

static void emit(struct stage *s)
{
	*IN(s, weir_emit) = (struct weir_emit){ .size = sizeof(struct weir_emit), .length = 8,
						.data = address(s->area[1]) };
}

static struct weir_op *ops(struct stage *s, __u32 count, __u32 flags)
{
	*IN(s, weir_submit) = (struct weir_submit){ .size = sizeof(struct weir_submit),
						    .flags = flags, .count = count,
						    .ops = address(s->area[1]) };
	return (struct weir_op *)s->area[1];
}

static void op_direct(struct stage *s)
{
	*IN(s, weir_op) = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
	op_key(IN(s, weir_op), &(__u32){ 1 }, sizeof(__u32));
}

static void op_values(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_ADD, s->at.counter, 0);
	op->arg = 3;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void op_read(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_READ, s->at.counter, 2);
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void op_key_at(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);

	*op = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
	op->key_len = 4;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
}

static void batch(struct stage *s)
{
	struct weir_op *op = ops(s, 20, 0);

	for (__u32 i = 0; i < 20; i++) {
		op[i] = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
		op_key(&op[i], &i, sizeof(i));
	}
}

static void transaction(struct stage *s)
{
	struct weir_op *op = ops(s, 2, WEIR_SUBMIT_ALL);
	__u32 key = 1;

	op[0] = op_make(WEIR_OP_CHECK, s->at.limiter, 1);
	op_key(&op[0], &key, sizeof(key));
	op[1] = op_make(WEIR_OP_ADD, s->at.counter, 1);
	op[1].arg = 1;
}

/* A lease whose key and value are in area 2. */
static void lease_at(struct stage *s, struct weir_op *op, __u16 opcode)
{
	struct weir_lease lease = { .size = sizeof(lease), .value_len = 8,
				    .key = address(s->area[2] + 256),
				    .value = address(s->area[2] + 512) };

	*op = op_make(opcode, s->at.roster, 0);
	op->key_len = 8;
	op->flags = WEIR_OP_PTR;
	op->ptr = address(s->area[2]);
	memcpy(s->area[2], &lease, sizeof(lease));
}

static void claims(struct stage *s)
{
	struct weir_op *op = ops(s, 2, WEIR_SUBMIT_ALL);
	__u64 key = 77;

	lease_at(s, &op[0], WEIR_OP_CLAIM);
	op[1] = op_make(WEIR_OP_CLAIM, s->at.roster, 0);
	op_key(&op[1], &key, sizeof(key));
}

static void lease_get(struct stage *s)
{
	struct weir_op *op = ops(s, 1, 0);
	__u64 key = 1;

	lease_at(s, op, WEIR_OP_LEASE_GET);
	memcpy(s->area[2] + 256, &key, sizeof(key));
}

static void collect_none(struct stage *s)
{
	struct weir_collect c = { .size = sizeof(c), .count = 1,
				  .ops = address(s->area[1]) };

	memcpy(s->area[0], &c, sizeof(c));
}

#define SIZE_ONLY(type)							\
	static void type##_any(struct stage *s)				\
	{								\
		*(__u32 *)s->area[0] = sizeof(struct weir_##type);	\
	}

SIZE_ONLY(info)
SIZE_ONLY(drop)
SIZE_ONLY(dup_client)
SIZE_ONLY(stream)
SIZE_ONLY(restrict)

static void nothing(struct stage *s)
{
	(void)s;
}

/* The areas in which a missing or unwritable page makes the call wait. */
static const struct page_case {
	const char *name;
	unsigned long request;	/* 0: read() */
	void (*prepare)(struct stage *s);
	unsigned int missing, fixed;
} cases[] = {
	{ "INFO", WEIR_IOC_INFO, info_any, 1, 1 },
	{ "CREATE", WEIR_IOC_CREATE, create, 7, 1 },
	{ "OPEN", WEIR_IOC_OPEN, open_name, 1, 1 },
	{ "CLOSE", WEIR_IOC_CLOSE, close_handle, 1, 0 },
	{ "SET", WEIR_IOC_SET, set, 3, 0 },
	{ "GET", WEIR_IOC_GET, get, 7, 6 },
	{ "GET of fields", WEIR_IOC_GET, get_fields, 7, 6 },
	{ "DELETE", WEIR_IOC_DELETE, delete, 1, 0 },
	{ "LIST", WEIR_IOC_LIST, list, 3, 3 },
	{ "DUMP", WEIR_IOC_DUMP, dump, 3, 3 },
	{ "RULES", WEIR_IOC_RULES, rules, 3, 0 },
	{ "RULES GET", WEIR_IOC_RULES, rules_get, 3, 3 },
	{ "LOAD", WEIR_IOC_LOAD, load, 3, 1 },
	{ "EMIT", WEIR_IOC_EMIT, emit, 3, 1 },
	{ "DROP", WEIR_IOC_DROP, drop_any, 1, 0 },
	{ "DUP_CLIENT", WEIR_IOC_DUP_CLIENT, dup_client_any, 1, 0 },
	{ "STREAM", WEIR_IOC_STREAM, stream_any, 1, 0 },
	{ "RESTRICT", WEIR_IOC_RESTRICT, restrict_any, 1, 0 },
	{ "COLLECT", WEIR_IOC_COLLECT, collect_none, 1, 1 },
	{ "OP", WEIR_IOC_OP, op_direct, 1, 1 },
	{ "ADD of values", WEIR_IOC_SUBMIT, op_values, 7, 3 },
	{ "READ", WEIR_IOC_SUBMIT, op_read, 7, 7 },
	{ "CHECK of a key", WEIR_IOC_SUBMIT, op_key_at, 7, 3 },
	{ "batch", WEIR_IOC_SUBMIT, batch, 3, 3 },
	{ "transaction", WEIR_IOC_SUBMIT, transaction, 3, 3 },
	{ "claims", WEIR_IOC_SUBMIT, claims, 7, 3 },
	{ "LEASE_GET", WEIR_IOC_SUBMIT, lease_get, 7, 7 },
	{ "read()", 0, nothing, 1, 1 },
};

static void prepare(struct stage *s, const struct page_case *pc)
{
	memset(s->area[0], 0, AREA);
	pc->prepare(s);
}

static char *areas_make(struct stage *s)
{
	char *all = mmap(NULL, AREAS * AREA, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (all == MAP_FAILED)
		abort();
	for (int i = 0; i < AREAS; i++)
		s->area[i] = memset(all + i * AREA, 0, AREA);
	return all;
}

static int objects_make(int fd, struct objects *at)
{
	struct weir_limiter_config limiter = limiter_config(WEIR_KEY_IP);
	struct weir_gate_config gate = gate_config(WEIR_KEY_NONE, 9);
	struct weir_roster_config roster = roster_config(WEIR_KEY_U64, 16);
	const struct weir_rule rule = { .addr_len = 4, .prefix = 32,
					.action = WEIR_RULE_DENY };
	struct weir_rules rules = { .size = sizeof(rules), .count = 1,
				    .rules = address(&rule) };
	struct weir_op op;
	__u32 peer = 7;
	int ret;

	ret = sum_create(fd, NAME, 2, &at->counter) ?:
	      sum_create(fd, NAME "-spare", 1, &at->spare) ?:
	      limiter_create(fd, NAME, &limiter, &at->limiter) ?:
	      gate_create(fd, NAME, &gate, &at->gate) ?:
	      roster_create(fd, NAME, &roster, &at->roster) ?:
	      key_run(fd, &op, WEIR_OP_CHECK, at->limiter, 1, &peer, 4);
	rules.handle = at->limiter;
	return ret ?: call(fd, WEIR_IOC_RULES, &rules);
}

/* A client with these handles that holds a permit and a lease, and reads all events. */
static int holder_make(int fd, const struct objects *at)
{
	const __u64 key = 1;
	const struct weir_lease lease = { .size = sizeof(lease), .value_len = sizeof(key),
					  .key = address(&key), .value = address(&key) };
	struct weir_op op = op_make(WEIR_OP_CLAIM, at->roster, 0);
	int client = client_dup(fd, 0);

	op.flags = WEIR_OP_PTR;
	op.key_len = sizeof(key);
	op.ptr = address(&lease);
	if (client < 0 || lseek(client, 0, SEEK_SET) < 0 ||
	    gate_get_as(client, 4, at->gate, NULL, 1, 0) != WEIR_ALLOWED ||
	    op_run(client, &op))
		return -EPROTO;
	return client;
}

/*
 * The permits and leases of the holder must be back. Delete the objects and close the handles of
 * @fd. Return: 0 or an errno.
 */
static int objects_end(int fd, struct objects *at)
{
	int ret = 0;

	if (gate_in_use(fd, at->gate) || roster_stats(fd, at->roster).members)
		ret = -EBUSY;
	objects_wipe();
	for (__u32 *handle = &at->counter; handle <= &at->roster; handle++)
		ret = ret ?: handle_close(fd, *handle);
	return ret;
}

/* Make every kind of call on these objects, by a client that must not wait. */
static int others_work(int fd, const struct objects *at)
{
	struct stage s = { .fd = fd, .at = *at };
	char *all = areas_make(&s);
	__u32 handle;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(cases) / sizeof(*cases); i++) {
		/* skip calls that change the objects or the client, and reads of single events */
		if (!cases[i].request || cases[i].prepare == delete ||
		    cases[i].prepare == close_handle || cases[i].prepare == claims ||
		    cases[i].prepare == create || cases[i].request == WEIR_IOC_STREAM)
			continue;
		prepare(&s, &cases[i]);
		ret = call(fd, cases[i].request, s.area[0]);
		if (cases[i].request == WEIR_IOC_DUP_CLIENT && ret >= 0)
			ret = close(ret);
		else if (cases[i].prepare == open_name)
			ret = ret ?: handle_close(fd, ((struct weir_open *)s.area[0])->handle);
		if (ret)
			printf("# %s: %d\n", cases[i].name, ret);
	}
	munmap(all, AREAS * AREA);
	if (!ret)
		ret = sum_create(fd, NAME "-other", 1, &handle) ?: object_delete(fd, handle) ?:
		      handle_close(fd, handle);
	if (!ret && gate_get_as(fd, 3, at->gate, NULL, 2, 0) != WEIR_ALLOWED)
		ret = -EPROTO;
	return ret ?: gate_release_as(fd, 3, at->gate, NULL, 2);
}

#endif /* _WEIR_SELFTEST_PAGE_CASE_H */
