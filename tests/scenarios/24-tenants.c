// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service ran its users' tasks without a limit. One tenant that started a thousand tasks occupied
 * all workers. A counter that was read and then written did not prevent this.
 *
 * Here 50 tenants share a gate with 4 permits for each. One of them starts ten times as many
 * workers as the others, and some of its workers are killed. Never more than four workers of a
 * tenant are inside, and every worker of every tenant does all its work.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define GATE	"scenario-24-tenants"
#define EACH	4
#define TENANTS	50
#define GREEDY	40	/* workers of tenant 0; the other tenants have GENTLE */
#define GENTLE	6

struct office {
	_Atomic int inside[TENANTS], most[TENANTS], counted;
	unsigned int tenants, jobs;
};

static unsigned int tenant_of(unsigned int me)
{
	return me < GREEDY ? 0 : 1 + (me - GREEDY) / GENTLE;
}

static void come_in(struct office *office, unsigned int tenant)
{
	int now = ++office->inside[tenant], most = office->most[tenant];

	while (now > most &&
	       !atomic_compare_exchange_weak(&office->most[tenant], &most, now))
		;
}

/* "fewer than four?" and "one more" are two steps */
static int count_beside(struct crowd *crowd, unsigned int me, void *arg)
{
	struct office *office = arg;

	(void)crowd;
	(void)me;
	for (int i = 0; i < 50; i++) {
		int seen = office->counted;

		if (seen >= EACH) {
			gap();
			continue;
		}
		gap();
		office->counted = seen + 1;
		come_in(office, 0);
		gap();
		office->inside[0]--;
		office->counted--;
	}
	return 0;
}

static void show_the_count(void)
{
	struct office *office = shared_memory(sizeof(*office));
	struct crowd *crowd = crowd_make(GREEDY);

	crowd_run(crowd, count_beside, office);
	tap_note("a count read and then written: %d of one tenant inside at once",
		 office->most[0]);
	crowd_free(crowd);
}

/* Workers of tenant 0 with an odd number are killed. Their work is not counted. */
static bool is_prey(unsigned int me)
{
	return me < GREEDY && me % 2;
}

static int work(struct crowd *crowd, unsigned int me, void *arg)
{
	struct office *office = arg;
	unsigned int tenant = tenant_of(me);
	struct weir *weir = weir_open(0);
	struct weir_gate *gate = weir ? weir_gate_open(weir, GATE, WEIR_RIGHT_ALL) : NULL;
	struct weir_key key;

	if (!gate)
		return 1;
	weir_key_u64(&key, tenant);
	for (unsigned int i = 0; is_prey(me) || i < office->jobs; i++) {
		if (weir_gate_acquire(gate, &key, 1, WEIR_NEVER, NULL) != WEIR_ALLOWED)
			return 2;
		if (!is_prey(me))
			come_in(office, tenant);
		gap();
		if (!is_prey(me))
			office->inside[tenant]--;
		if (weir_gate_release(gate, &key, 1, NULL))
			return 3;
		crowd->seat[me].done++;
	}
	return 0;
}

static void shoot(struct crowd *crowd)
{
	for (unsigned int i = 1; i < GREEDY; i += 2) {
		/* each has worked, so it may be at any point of its work */
		while (!crowd->seat[i].done)
			usleep(100);
		crowd_kill(crowd, i);
	}
}

static void judge(const struct office *office, const struct crowd *crowd)
{
	unsigned int over = 0, full = 0, starved = 0;

	for (unsigned int t = 0; t < office->tenants; t++) {
		over += office->most[t] > EACH;
		full += office->most[t] == EACH;
	}
	for (unsigned int i = 0; i < crowd->size; i++)
		starved += !is_prey(i) && crowd->seat[i].done != office->jobs;
	tap_is(over, 0, "never more than %d of one tenant were inside", EACH);
	tap_note("%u of %u tenants had %d inside at some time", full, office->tenants, EACH);
	tap_is(starved, 0, "every worker did all its work");
}

int main(void)
{
	struct weir_gate_config config = {
		.size = sizeof(config), .key_type = WEIR_KEY_U64, .permits = EACH,
		.max_keys = TENANTS,
	};
	struct office *office = shared_memory(sizeof(*office));
	struct weir_gate_stats stats;
	struct weir_gate *gate;
	struct crowd *crowd;
	struct weir *weir;

	tap_begin("tenants: at most four each, under any load");
	show_the_count();
	office->tenants = tap_scaled(TENANTS, 5);
	office->jobs = tap_scaled(50, 5);
	weir = service_connect();
	gate = service_gate(weir, GATE, &config);
	crowd = crowd_make(GREEDY + GENTLE * (office->tenants - 1));
	tap_note("%u workers of %u tenants, %u jobs each", crowd->size, office->tenants,
		 office->jobs);
	crowd_spawn(crowd, work, office);
	crowd_start(crowd);
	shoot(crowd);
	tap_is(crowd_wait(crowd), GREEDY / 2, "only killed workers failed");
	judge(office, crowd);
	stats = gate_stats(gate);
	tap_is(stats.in_use, 0, "permits of killed workers are back");
	tap_is(stats.waiting, 0, "there are no waiters");
	tap_is(stats.refused, 0, "and nothing was refused: there was room for every tenant");
	tap_ok(stats.acquired >= crowd_done(crowd) &&
	       stats.acquired <= crowd_done(crowd) + GREEDY / 2,
	       "each job was admitted once, except unreported jobs of killed workers");
	tap_ok(gate_end(gate), "the gate is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
