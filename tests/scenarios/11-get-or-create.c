// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of one service shared a limiter by "get it, or create it". Some of them each created one,
 * used an orphan from then on, and did not back off when the others had to.
 *
 * Here 200 processes get or create one limiter at the same time, and each spends 1 of 100.
 */
#include <errno.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-11-back-off"
#define TOKENS	100

static int get_or_create(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct weir_limiter_config *config = arg;
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_limiter *shared;

	if (!weir)
		return 1;
	shared = weir_limiter_ensure(weir, LIMITER, config, 0660,
				     WEIR_RIGHT_USE);
	if (!shared)
		return 2;
	switch (weir_limiter_check(shared, NULL, 1, NULL)) {
	case WEIR_ALLOWED:
		seat->done++;
		return 0;
	case WEIR_LIMITED:
		seat->tally[0]++;
		return 0;
	case WEIR_FULL:
		/* a limiter without keys cannot be full */
		seat->tally[1]++;
		return 0;
	}
	return 3;
}

static void round_of(struct weir *weir, struct weir_limiter_config *config,
		     unsigned int processes)
{
	struct crowd *crowd = crowd_make(processes);
	const unsigned int tokens = config->tokens;
	struct weir_limiter *shared;

	tap_is(crowd_run(crowd, get_or_create, config), 0,
	       "every process has the limiter, and an answer");
	tap_is(crowd_tally(crowd, 1), 0, "no check was answered full");
	tap_is(crowd_done(crowd), tokens, "exactly %u were allowed", tokens);
	tap_is(crowd_tally(crowd, 0), processes - tokens,
	       "exactly %u were limited", processes - tokens);
	tap_is(objects_named(weir, LIMITER), 1, "there is one limiter");
	shared = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
	tap_is(limiter_stats(shared).allowed, tokens, "it counted all checks");
	tap_ok(limiter_end(shared), "the limiter is gone");
	crowd_free(crowd);
}

int main(void)
{
	const unsigned int processes = tap_scaled(200, 4);
	const unsigned int rounds = tap_scaled(5, 2);
	struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.tokens = tap_scaled(TOKENS, 4), .period = DAY,
	};
	struct weir *weir;

	tap_begin("get or create: all get the same limiter");
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	tap_note("%u processes x 1 of %llu tokens, %u times", processes,
		 (unsigned long long)config.tokens, rounds);
	for (unsigned int i = 0; i < rounds; i++)
		round_of(weir, &config, processes);
	weir_close(weir);
	return tap_end();
}
