// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server registered its name, then its configuration, then its groups. A failure in between
 * left a name without configuration, unwatched, in the wrong groups.
 *
 * Here the five parts are claimed in one submission. Each of them is taken in turn, the table has
 * room for fewer, each allocation fails in turn, and a hundred clients are killed at random times
 * while they register. Either all five exist or none, also for concurrent readers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define ROSTER	"scenario-06-servers"
#define PARTS	5
#define MOST	400	/* registrations of one client */

static const char *const parts[PARTS] = { "name", "config", "group-a", "group-b", "group-c" };

/* ---- the broken pattern: one after the other -------------------------------------- */

static int five_steps(struct crowd *crowd, unsigned int me, void *arg)
{
	volatile uint8_t (*there)[PARTS] = arg;

	for (unsigned int i = 0; i < MOST; i++) {
		for (unsigned int part = 0; part < PARTS; part++) {
			there[i][part] = 1;
			gap();
		}
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_half_made(unsigned int clients)
{
	uint8_t (*there)[PARTS] = shared_memory(MOST * sizeof(*there));
	unsigned int half = 0;

	for (unsigned int i = 0; i < clients; i++) {
		struct crowd *crowd = crowd_make(1);

		memset(there, 0, MOST * sizeof(*there));
		crowd_spawn(crowd, five_steps, there);
		crowd_start(crowd);
		while (!crowd->seat[0].done)
			gap();
		crowd_kill(crowd, 0);
		crowd_wait(crowd);
		for (unsigned int k = 0; k < MOST; k++)
			half += there[k][0] && !there[k][PARTS - 1];
		crowd_free(crowd);
	}
	tap_note("five steps: %u of %u clients killed left a half-made registration", half,
		 clients);
}

/* ---- registration ------------------------------------------------------------------ */

static void key_make(char *key, size_t size, unsigned int serial, unsigned int part)
{
	snprintf(key, size, "%u-%s", serial, parts[part]);
}

/* Claim all five parts. The value of each is the number of the registration. */
static int enlist(const struct roster *r, const uint32_t *serial, bool detached,
		  unsigned int *which)
{
	struct claim claims[PARTS];

	for (unsigned int part = 0; part < PARTS; part++) {
		claims[part] = (struct claim){ .value = serial, .length = sizeof(*serial),
					       .detached = detached };
		key_make(claims[part].key, sizeof(claims[part].key), *serial, part);
	}
	return leases_claim(r, claims, PARTS, which);
}

/* How many of the five parts exist, with their value. */
static unsigned int found(const struct roster *r, unsigned int serial)
{
	unsigned int good = 0;
	uint32_t value;
	char key[32];

	for (unsigned int part = 0; part < PARTS; part++) {
		key_make(key, sizeof(key), serial, part);
		good += !lease_get(r, key, &value, sizeof(value), NULL) && value == serial;
	}
	return good;
}

static void strike_out(const struct roster *r, unsigned int serial)
{
	char key[32];

	for (unsigned int part = 0; part < PARTS; part++) {
		key_make(key, sizeof(key), serial, part);
		lease_remove(r, key, 0);
	}
}

/* ---- registrations that must fail -------------------------------------------------- */

/* Each of the five parts is taken by another process, in turn. */
static void one_is_taken(void)
{
	struct roster r = roster_make(ROSTER, 100, 0), other = roster_enter(ROSTER);
	unsigned int right = 0, left = 0, which;
	uint32_t serial = 1;
	char key[32];

	for (unsigned int part = 0; part < PARTS; part++) {
		key_make(key, sizeof(key), serial, part);
		if (lease_claim(&other, key, NULL, 0, 0, NULL))
			tap_bail("cannot claim %s", key);
		which = PARTS;
		right += enlist(&r, &serial, false, &which) == -EEXIST && which == part;
		left += roster_stats(&r).members - 1;
		if (lease_remove(&other, key, 0))
			tap_bail("cannot remove %s", key);
	}
	tap_is(right, PARTS, "each of the five is taken in turn, and the error names it");
	tap_is(left, 0, "none of the other four was made");
	tap_is(enlist(&r, &serial, false, NULL), 0, "when none is taken, all five are made");
	tap_is(found(&r, serial), PARTS, "with their values");
	roster_leave(&other);
	roster_end(&r);
}

/* Rosters with room for one, two, three and four parts. */
static void no_room(void)
{
	unsigned int right = 0, left = 0;
	uint32_t serial = 1;

	for (unsigned int room = 1; room < PARTS; room++) {
		struct roster r = roster_make(ROSTER, room, 0);

		right += enlist(&r, &serial, false, NULL) == -ENOSPC;
		left += roster_stats(&r).members;
		roster_end(&r);
	}
	tap_is(right, PARTS - 1, "with room for one to four of them the error says so");
	tap_is(left, 0, "no part was made");
}

/* ---- each allocation fails in turn ------------------------------------------------ */

static bool knob_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Whether this kernel can let the n-th allocation of this thread fail. */
static int injection_open(void)
{
	int fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	knob_write("/sys/kernel/debug/failslab/verbose", "0");
	knob_write("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	knob_write("/sys/kernel/debug/fail_usercopy/verbose", "0");
	knob_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	if (fd >= 0 && !knob_write("/sys/kernel/debug/failslab/ignore-gfp-wait", "N")) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Setting and reading the number are user copies, which may be what fails. 0 switches the injection
 * off.
 */
static bool fail_at(int fd, unsigned int n)
{
	char text[16] = { 0 };
	bool failed = pread(fd, text, sizeof(text) - 1, 0) <= 0 || !atoi(text);

	snprintf(text, sizeof(text), "%u", n);
	if (pwrite(fd, text, strlen(text), 0) < 0 && pwrite(fd, text, strlen(text), 0) < 0)
		tap_bail("fail-nth");
	return failed;
}

/* If the answer could not be written, all parts may exist, but not some of them. */
static bool is_right(int ret, unsigned int there)
{
	if (ret == -EFAULT)
		return there == 0 || there == PARTS;
	return (!ret && there == PARTS) || (ret == -ENOMEM && !there);
}

/* Continue until one registration succeeds without a failure. */
static void each_allocation_fails(void)
{
	struct roster r = roster_make(ROSTER, 100, 0);
	unsigned int n, refused = 0, halves = 0, there;
	bool injected = true;
	uint32_t serial = 1;
	int fd = injection_open(), ret;

	if (fd < 0) {
		tap_skip("no fault injection in this kernel", "each allocation fails in turn");
		roster_end(&r);
		return;
	}
	for (n = 1; injected && n < 5000; n++) {
		fail_at(fd, n);
		ret = enlist(&r, &serial, false, NULL);
		injected = fail_at(fd, 0);
		there = roster_stats(&r).members;
		refused += ret != 0;
		halves += !is_right(ret, there);
		strike_out(&r, serial);
	}
	tap_note("%u steps, of which %u failed", n - 1, refused);
	tap_ok(refused > 0 && !injected, "each allocation failed in turn");
	tap_is(halves, 0, "after each failure all five or none existed");
	close(fd);
	roster_end(&r);
}

/* ---- killed at random ------------------------------------------------------------- */

static int enlist_on(struct crowd *crowd, unsigned int me, void *arg)
{
	const bool *detached = arg;
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];

	for (uint32_t serial = 0; serial < MOST; serial++) {
		seat->begun++;
		if (enlist(&r, &serial, *detached, NULL))
			return 1;
		seat->done++;
	}
	for (;;)
		pause();
}

/* results of a reader, in its tally */
enum { MET, HALF };

/*
 * A reader that finds one part of the newest registration finds the others, because none of them is
 * removed.
 */
static int look_on(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct crowd *client = arg;
	struct seat *seat = &crowd->seat[me];
	uint32_t value;
	char key[32];

	for (unsigned int i = me; !crowd->flag; i++) {
		unsigned int serial = client->seat[0].begun - 1;

		key_make(key, sizeof(key), serial, i % PARTS);
		if (!client->seat[0].begun || lease_get(&r, key, &value, sizeof(value), NULL))
			continue;
		seat->tally[MET]++;
		seat->tally[HALF] += found(&r, serial) != PARTS;
	}
	return 0;
}

struct tally {
	uint64_t made, halves, lost, met, seen_half;
};

/* Count the leases left by a client that had completed @done registrations. */
static void count_up(struct tally *t, const struct roster *r, uint64_t done, bool detached)
{
	const uint64_t kept = detached ? done : 0;
	uint64_t made = 0;

	for (unsigned int serial = 0; serial < done + 2; serial++) {
		unsigned int n = found(r, serial);

		t->halves += n != 0 && n != PARTS;
		t->lost += n != PARTS && serial < kept;
		made += n == PARTS;
	}
	/* the last registration may have been made but not reported */
	t->lost += made > (detached ? done + 1 : 0);
	t->lost += roster_stats(r).members != made * PARTS;
	t->made += done;
}

/* One client is killed at a random moment, with a concurrent reader. */
static void kill_one(struct tally *t, bool detached)
{
	struct roster r = roster_make(ROSTER, MOST * PARTS, 0);
	struct crowd *client = crowd_make(1), *reader = crowd_make(1);

	crowd_spawn(reader, look_on, client);
	crowd_start(reader);
	crowd_spawn(client, enlist_on, &detached);
	crowd_start(client);
	while (!client->seat[0].begun)
		gap();
	usleep(random() % 5000);
	/* leases of a dead owner end one by one, and a reader may see this */
	reader->flag = !detached;
	if (!detached)
		crowd_wait(reader);
	crowd_kill(client, 0);
	crowd_wait(client);
	count_up(t, &r, client->seat[0].done, detached);
	reader->flag = 1;
	if (detached)
		crowd_wait(reader);
	t->met += crowd_tally(reader, MET);
	t->seen_half += crowd_tally(reader, HALF);
	crowd_free(client);
	crowd_free(reader);
	roster_end(&r);
}

static void killed_at_random(unsigned int clients)
{
	struct tally stay = { 0 }, go = { 0 };

	for (unsigned int i = 0; i < clients; i++)
		kill_one(&stay, true);
	tap_note("killed clients had reported %llu registrations; %llu were found",
		 (unsigned long long)stay.made, (unsigned long long)stay.met);
	tap_is(stay.halves, 0, "%u clients killed at random: all five or none", clients);
	tap_is(stay.lost, 0, "all reported registrations exist, and at most one more for each client");
	tap_is(stay.seen_half, 0, "a reader that found one part found the other four");
	tap_ok(stay.met > 0, "a reader found one");
	for (unsigned int i = 0; i < clients; i++)
		kill_one(&go, false);
	tap_is(go.halves + go.lost, 0, "%u clients that own their leases: nothing is left",
	       clients);
	tap_is(go.seen_half, 0, "all five existed as long as their client lived");
}

int main(void)
{
	const unsigned int clients = tap_scaled(100, 10);

	tap_begin("name, configuration and three groups: five or none");
	srandom(6);
	show_the_half_made(clients);
	one_is_taken();
	no_room();
	each_allocation_fails();
	killed_at_random(clients);
	return tap_end();
}
