// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of a lock died, and its entry stayed: the lock could not be acquired until an
 * administrator cleaned up. If a child had inherited the owner's files, it stayed for as long
 * as the child did.
 *
 * A client registered itself and continued. Its first caller was told that there is no such client.
 *
 * Here the owner of a permit is killed. A process that waits for the owner's death can acquire the
 * permit at once, even if a child still has the same file open. The same holds for a lease: it is
 * gone, and the next claim succeeds. A process that is notified of a claim, in any way, finds the
 * lease.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "roster.h"
#include "service.h"
#include "tap.h"

#define GATE	"scenario-10-lock"
#define ROSTER	"scenario-10-clients"
#define LOOKERS	4
#define SLOTS	8

struct word {
	_Atomic int said;
};

/* ---- what the owner holds ----------------------------------------------------------- */

/* A client's view of the gate or of the roster. */
struct lock {
	bool leased;
	struct weir *weir;
	struct weir_gate *gate;
	struct roster roster;
};

static bool find(struct lock *lock)
{
	if (lock->leased) {
		lock->roster = roster_enter(ROSTER);
		return lock->roster.fd >= 0;
	}
	lock->weir = weir_open(0);
	lock->gate = lock->weir ? weir_gate_open(lock->weir, GATE, WEIR_RIGHT_ALL) : NULL;
	return lock->gate;
}

static bool take(struct lock *lock)
{
	if (lock->leased)
		return !lease_claim(&lock->roster, "lock", NULL, 0, 0, NULL);
	return weir_gate_try(lock->gate, NULL, 1, NULL) == WEIR_ALLOWED;
}

/* Whether the lock is held. All ways to read this must agree. */
static bool is_taken(struct lock *lock)
{
	if (lock->leased)
		return !lease_get(&lock->roster, "lock", NULL, 0, NULL) &&
		       lease_claim(&lock->roster, "lock", NULL, 0, 0, NULL) == -EEXIST;
	return weir_gate_try(lock->gate, NULL, 1, NULL) == WEIR_LIMITED;
}

static bool is_free(struct lock *lock)
{
	struct weir_gate_answer answer;

	if (lock->leased)
		return lease_get(&lock->roster, "lock", NULL, 0, NULL) == -ENOENT;
	return weir_gate_state(lock->gate, NULL, &answer) >= 0 && answer.remaining == 1;
}

static bool give_back(struct lock *lock)
{
	if (lock->leased)
		return !lease_remove(&lock->roster, "lock", 0);
	return !weir_gate_release(lock->gate, NULL, 1, NULL);
}

/* ---- the owner dies --------------------------------------------------------------- */

/*
 * Hold the lock until killed. With @with_child, a child that shares the file lives until @hold_on
 * is closed.
 */
static void own(struct word *word, bool leased, bool with_child, const int *hold_on)
{
	struct lock lock = { .leased = leased };
	char byte;

	if (!find(&lock) || !take(&lock)) {
		word->said = -1;
		_exit(1);
	}
	if (with_child && !fork()) {
		close(hold_on[1]);
		_exit(read(hold_on[0], &byte, 1) ? 1 : 0);
	}
	word->said = 1;
	for (;;)
		pause();
}

/*
 * The lock is held by that process only. When its death is known, the lock is free, and then held
 * by this process.
 */
static bool round_is_good(struct lock *lock, struct word *word, bool with_child,
			  const int *hold_on)
{
	bool taken, is_ours;
	pid_t pid;

	word->said = 0;
	pid = fork();
	if (!pid)
		own(word, lock->leased, with_child, hold_on);
	while (!word->said)
		usleep(100);
	taken = is_taken(lock);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is_ours = is_free(lock) && take(lock) && is_taken(lock);
	return give_back(lock) && taken && is_ours;
}

/* Number of rounds in which the next process had the lock at once. */
static unsigned int rounds_good(struct lock *lock, unsigned int rounds, bool with_child)
{
	struct word *word = shared_memory(sizeof(*word));
	unsigned int good = 0;
	int hold_on[2];

	if (pipe(hold_on))
		tap_bail("pipe");
	fflush(stdout);
	for (unsigned int i = 0; i < rounds; i++)
		good += round_is_good(lock, word, with_child, hold_on);
	close(hold_on[0]);
	close(hold_on[1]);
	return good;
}

static void owner_dies(struct lock *lock, unsigned int rounds, const char *what)
{
	tap_is(rounds_good(lock, rounds, false), rounds,
	       "%s: the owner is killed and reaped %u times, the next process has it at once",
	       what, rounds);
	tap_is(rounds_good(lock, rounds, true), rounds,
	       "also with a child that has the same file");
}

/* ---- a lease can be found as soon as it is claimed ---------------------------------- */

struct word_of_mouth {
	_Atomic uint64_t claimed;	/* number of claims, written after the claim has returned */
	_Atomic uint64_t kept;		/* claims from this one on have not been removed yet */
};

/* Each process searches for a lease as soon as it is notified. */
static int look_for_the_newest(struct crowd *crowd, unsigned int me, void *arg)
{
	struct roster r = roster_enter(ROSTER);
	struct seat *seat = &crowd->seat[me];
	struct word_of_mouth *told = arg;
	uint64_t last = 0, value;
	char key[32];

	while (!crowd->flag) {
		uint64_t newest = told->claimed;
		bool found;

		if (newest == last)
			continue;
		last = newest;
		snprintf(key, sizeof(key), "client-%llu", (unsigned long long)newest);
		found = !lease_get(&r, key, &value, sizeof(value), NULL) && value == newest;
		/* leases that may have been removed meanwhile do not count */
		seat->done += found;
		seat->tally[0] += !found && newest >= told->kept;
	}
	return 0;
}

static void claimed_is_found(struct roster *r, unsigned int claims)
{
	struct word_of_mouth *told = shared_memory(sizeof(*told));
	struct crowd *lookers = crowd_make(LOOKERS);
	unsigned int failed = 0;
	char key[32];

	crowd_spawn(lookers, look_for_the_newest, told);
	crowd_start(lookers);
	for (uint64_t i = 1; i <= claims; i++) {
		if (i > SLOTS) {
			told->kept = i - SLOTS + 1;
			snprintf(key, sizeof(key), "client-%llu",
				 (unsigned long long)i - SLOTS);
			failed += lease_remove(r, key, 0) != 0;
		}
		snprintf(key, sizeof(key), "client-%llu", (unsigned long long)i);
		failed += lease_claim(r, key, &i, sizeof(i), 0, NULL) != 0;
		told->claimed = i;
		if (i % 16 == 0)
			gap();
	}
	lookers->flag = 1;
	tap_is(crowd_wait(lookers) + failed, 0, "%u clients register, %u others are notified",
	       claims, LOOKERS);
	tap_note("they were in time %llu times", (unsigned long long)crowd_done(lookers));
	tap_is(crowd_tally(lookers, 0), 0, "a notified process finds the lease");
	tap_ok(crowd_done(lookers) > 0, "some were in time");
	crowd_free(lookers);
}

int main(void)
{
	const unsigned int rounds = tap_scaled(200, 5), claims = tap_scaled(20000, 20);
	struct weir_gate_config config = { .size = sizeof(config), .permits = 1 };
	struct lock gate = { 0 }, lease = { .leased = true };
	struct weir_gate_stats stats;
	struct weir_roster_stats leases;
	struct roster r;

	tap_begin("the owner dies: its permits and leases are free when its death is known");
	gate.weir = service_connect();
	gate.gate = service_gate(gate.weir, GATE, &config);
	owner_dies(&gate, rounds, "a permit");
	stats = gate_stats(gate.gate);
	tap_is(stats.reclaimed, 2 * rounds, "each permit came back once");
	tap_is(stats.in_use, 0, "none is left");
	tap_ok(gate_end(gate.gate), "the gate is gone");
	weir_close(gate.weir);

	r = roster_make(ROSTER, SLOTS, 0);
	if (!find(&lease))
		tap_bail("cannot enter the roster");
	owner_dies(&lease, rounds, "a lease");
	leases = roster_stats(&r);
	tap_is(leases.lost, 2 * rounds, "each lease was lost once");
	tap_is(leases.members, 0, "none is left");
	claimed_is_found(&r, claims);
	roster_leave(&lease.roster);
	tap_ok(roster_end(&r), "the roster is gone");
	return tap_end();
}
