// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limiter was asked in one call and charged in another. Between the two calls other callers
 * asked, and were admitted too. The first two callers each created its table.
 *
 * Here asking and charging are one call, made by many processes that do not know whether the
 * limiter exists. Asking first is possible (peek), and the scenario shows that it reserves
 * nothing.
 */
#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-20-uploads"
#define LIMIT	50

static const struct weir_limiter_config config = {
	.size = sizeof(config), .algorithm = WEIR_ALGORITHM_WINDOW,
	.key_type = WEIR_KEY_TEXT, .tokens = LIMIT, .period = DAY,
};

struct way {
	unsigned int attempts;
	bool ask_first;
};

static int upload(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct way *way = arg;
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	struct weir_limiter *limiter;
	struct weir_key key;
	int verdict;

	if (!weir || weir_key_text(&key, "tenant-1", 8))
		return 1;
	limiter = weir_limiter_ensure(weir, LIMITER, &config, 0660,
				      WEIR_RIGHT_USE | WEIR_RIGHT_OBSERVE);
	if (!limiter)
		return 2;
	for (unsigned int i = 0; i < way->attempts; i++) {
		if (way->ask_first) {
			/* the question is a peek, the charge is a check */
			verdict = weir_limiter_peek(limiter, &key, 1, NULL);
			gap();
			if (verdict == WEIR_ALLOWED &&
			    weir_limiter_check(limiter, &key, 1, NULL) < 0)
				return 3;
		} else {
			verdict = weir_limiter_check(limiter, &key, 1, NULL);
		}
		if (verdict != WEIR_ALLOWED && verdict != WEIR_LIMITED)
			return 4;
		seat->done += verdict == WEIR_ALLOWED;
		seat->tally[0] += verdict == WEIR_LIMITED;
	}
	return 0;
}

static struct crowd *uploads(unsigned int processes, struct way *way)
{
	struct crowd *crowd = crowd_make(processes);

	if (crowd_run(crowd, upload, way))
		tap_ok(false, "every call was answered");
	return crowd;
}

int main(void)
{
	const unsigned int processes = tap_scaled(100, 4);
	struct way asking = { .attempts = 10, .ask_first = true };
	struct way charging = { .attempts = 10 };
	struct weir_limiter_stats stats;
	struct weir_limiter *limiter;
	struct crowd *crowd;
	struct weir *weir;

	tap_begin("one call that asks and charges");
	weir = service_connect();
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	crowd = uploads(processes, &asking);
	tap_note("ask, then charge: %llu were admitted, %u were allowed",
		 (unsigned long long)crowd_done(crowd), LIMIT);
	crowd_free(crowd);
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);

	tap_note("%u processes x %u attempts, limit %u", processes,
		 charging.attempts, LIMIT);
	crowd = uploads(processes, &charging);
	tap_is(crowd_done(crowd), LIMIT, "exactly the limit was admitted");
	tap_is(crowd_tally(crowd, 0), processes * charging.attempts - LIMIT,
	       "all others were limited");
	tap_is(objects_named(weir, LIMITER), 1, "the limiter was made once");
	limiter = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
	if (!limiter)
		tap_bail("cannot open %s", LIMITER);
	stats = limiter_stats(limiter);
	tap_is(stats.allowed, LIMIT, "its totals have the same number of allowed checks");
	tap_is(stats.limited, processes * charging.attempts - LIMIT,
	       "and of limited checks");
	tap_is(stats.keys, 1, "and one key");
	tap_ok(limiter_end(limiter), "the limiter is gone");
	crowd_free(crowd);
	weir_close(weir);
	return tap_end();
}
