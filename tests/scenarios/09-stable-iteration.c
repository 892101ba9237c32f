// SPDX-License-Identifier: GPL-2.0-only
/*
 * A registry was changed while it was listed: some entries were missed, others appeared twice.
 *
 * Here eight processes insert and drop keys and leases, and create and delete objects, while a
 * reader lists all of them. Everything that exists during the whole listing appears exactly once,
 * also leases whose values are replaced meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-09-clients"
#define ROSTER	"scenario-09-members"
#define STAYS	"scenario-09-stays-"
#define GOES	"scenario-09-goes-"
#define STABLE	5000
#define OBJECTS	200
#define WRITERS	8
#define BEHIND	(500 * WRITERS)	/* insertions before the first removal */

static void lease_key(char *key, size_t size, uint64_t number)
{
	snprintf(key, size, "member-%llu", (unsigned long long)number);
}

/* The number in the record of a lease. Its key has no final zero. */
static uint64_t lease_number(const struct weir_lease_info *info)
{
	char key[32];

	snprintf(key, sizeof(key), "%.*s", info->key_len, (const char *)info->data);
	return strtoull(key + strlen("member-"), NULL, 10);
}

/* Make one lease, remove another, and replace the value of a stable lease. */
static bool leases_change(const struct roster *r, uint64_t next)
{
	char key[32];

	lease_key(key, sizeof(key), next);
	if (lease_post(r, key, &next, sizeof(next), 0, NULL))
		return false;
	lease_key(key, sizeof(key), next % STABLE);
	if (lease_put(r, key, &next, sizeof(next), 0, NULL))
		return false;
	if (next < STABLE + BEHIND)
		return true;
	lease_key(key, sizeof(key), next - BEHIND);
	return !lease_remove(r, key, 0);
}

static int come_and_go(struct crowd *crowd, unsigned int me, void *arg)
{
	struct weir *weir = weir_open(0);
	struct roster r = roster_enter(ROSTER);
	struct weir_limiter *clients;
	struct weir_counter *counter;
	char name[WEIR_NAME_SIZE];
	struct weir_key key;
	uint64_t next = STABLE + me;

	(void)arg;
	if (!weir)
		return 1;
	clients = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
	if (!clients)
		return 2;
	for (; !crowd->flag; next += WRITERS) {
		weir_key_u64(&key, next);
		if (weir_limiter_check(clients, &key, 1, NULL) != WEIR_ALLOWED)
			return 3;
		if (!leases_change(&r, next))
			return 6;
		crowd->seat[me].done++;
		if (next < STABLE + BEHIND)
			continue;
		weir_key_u64(&key, next - BEHIND);
		if (weir_limiter_forget(clients, &key))
			return 4;
		if (next / WRITERS % 16)
			continue;
		snprintf(name, sizeof(name), GOES "%u", me);
		counter = weir_counter_create(weir, name, WEIR_COUNTER_SUM,
					      NULL, 0, 0660);
		if (!counter || !counter_end(counter))
			return 5;
		crowd->seat[me].tally[0]++;
	}
	return 0;
}

/* The number of stable keys that did not appear exactly once. */
static unsigned int keys_walk(struct weir_limiter *clients, unsigned int *others)
{
	static uint8_t seen[STABLE];
	struct weir_entries *entries = weir_entries_open(clients, 0);
	const struct weir_entry *entry;
	unsigned int wrong = 0;
	uint64_t key;
	int ret;

	memset(seen, 0, sizeof(seen));
	if (!entries)
		tap_bail("cannot list keys");
	while ((ret = weir_entries_next(entries, &entry)) == 1) {
		memcpy(&key, entry->key.bytes, sizeof(key));
		if (key >= STABLE)
			++*others;
		else if (seen[key] < 255)
			seen[key]++;
	}
	weir_entries_close(entries);
	if (ret)
		tap_bail("the list of keys ended with an error");
	for (unsigned int i = 0; i < STABLE; i++)
		wrong += seen[i] != 1;
	return wrong;
}

static unsigned int leases_walk(const struct roster *r, unsigned int *others)
{
	static struct roster_list list;
	static uint8_t seen[STABLE];
	const struct weir_lease_info *info;
	unsigned int wrong = 0;
	uint64_t number;

	memset(seen, 0, sizeof(seen));
	roster_list_begin(&list, r);
	while ((info = roster_list_next(&list))) {
		number = lease_number(info);
		if (number >= STABLE)
			++*others;
		else if (seen[number] < 255)
			seen[number]++;
	}
	for (unsigned int i = 0; i < STABLE; i++)
		wrong += seen[i] != 1;
	return wrong;
}

static unsigned int objects_walk(struct weir *weir)
{
	static uint8_t seen[OBJECTS];
	struct weir_objects *objects = weir_objects_open(weir, WEIR_KIND_COUNTER, NULL);
	const struct weir_object_info *info;
	unsigned int wrong = 0, i;

	memset(seen, 0, sizeof(seen));
	if (!objects)
		tap_bail("cannot list objects");
	while (weir_objects_next(objects, &info) == 1)
		if (sscanf(info->name, STAYS "%u", &i) == 1 && i < OBJECTS)
			seen[i]++;
	weir_objects_close(objects);
	for (i = 0; i < OBJECTS; i++)
		wrong += seen[i] != 1;
	return wrong;
}

/* The leases are detached, because all writers replace their values. */
static void stable_leases_make(const struct roster *r)
{
	char key[32];

	for (uint64_t i = 0; i < STABLE; i++) {
		lease_key(key, sizeof(key), i);
		if (lease_post(r, key, &i, sizeof(i), 0, NULL))
			tap_bail("cannot post the stable leases");
	}
}

static void stable_make(struct weir *weir, struct weir_limiter *clients)
{
	static struct weir_op ops[WEIR_BATCH_MAX];
	char name[WEIR_NAME_SIZE];
	struct weir_key key;
	unsigned int n = 0;

	for (uint64_t i = 0; i < STABLE; i++) {
		weir_key_u64(&key, i);
		if (weir_op_limiter(&ops[n++], clients, WEIR_OP_CHECK, &key, 1))
			tap_bail("op");
		if (n < WEIR_BATCH_MAX && i + 1 < STABLE)
			continue;
		if (weir_submit(weir, ops, n) != (int)n)
			tap_bail("cannot insert the stable keys");
		n = 0;
	}
	for (unsigned int i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), STAYS "%u", i);
		weir_counter_close(service_counter(weir, name, WEIR_COUNTER_SUM,
						   NULL, 0));
	}
}

static void objects_remove(struct weir *weir)
{
	char name[WEIR_NAME_SIZE];

	for (unsigned int i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), STAYS "%u", i);
		service_remove(weir, WEIR_KIND_COUNTER, name);
	}
	for (unsigned int i = 0; i < WRITERS; i++) {
		snprintf(name, sizeof(name), GOES "%u", i);
		service_remove(weir, WEIR_KIND_COUNTER, name);
	}
}

int main(void)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 10, .period = DAY,
	};
	const unsigned int rounds = tap_scaled(30, 3);
	unsigned int keys = 0, objects = 0, leases = 0, others = 0, other_leases = 0;
	struct weir_limiter *clients;
	struct roster members;
	struct crowd *crowd;
	struct weir *weir;

	tap_begin("objects that exist throughout are listed once");
	weir = service_connect();
	clients = service_limiter(weir, LIMITER, &config);
	objects_remove(weir);
	stable_make(weir, clients);
	members = roster_make(ROSTER, 0, 0);
	stable_leases_make(&members);
	tap_note("%u stable keys, as many leases, %u objects, %u writers, %u walks", STABLE,
		 OBJECTS, WRITERS, rounds);
	crowd = crowd_make(WRITERS);
	crowd_spawn(crowd, come_and_go, NULL);
	crowd_start(crowd);
	for (unsigned int i = 0; i < rounds; i++) {
		keys += keys_walk(clients, &others);
		leases += leases_walk(&members, &other_leases);
		objects += objects_walk(weir);
	}
	crowd->flag = 1;
	tap_is(crowd_wait(crowd), 0, "every writer did its work");
	tap_note("%llu keys and leases and %llu objects were made meanwhile, %u and %u were listed",
		 (unsigned long long)crowd_done(crowd),
		 (unsigned long long)crowd_tally(crowd, 0), others, other_leases);
	tap_is(keys, 0, "every stable key came exactly once in each walk");
	tap_is(leases, 0, "every stable lease came exactly once, whatever its value");
	tap_is(objects, 0, "every stable object came exactly once");
	tap_ok(others > 0 && other_leases > 0,
	       "the walks returned some keys and leases of the writers");
	objects_remove(weir);
	tap_ok(limiter_end(clients), "the limiter is gone");
	tap_ok(roster_end(&members), "the roster is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
