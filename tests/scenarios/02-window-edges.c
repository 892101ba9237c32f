// SPDX-License-Identifier: GPL-2.0-only
/*
 * An authentication service allowed ten attempts in a window. Two callers read "nine so far" at
 * the same moment, and both passed. With enough concurrent callers, brute force succeeded.
 *
 * Here fifty processes check one key without pause over many windows. The window of each attempt is
 * known exactly: the answer has the time until the window ends (reset_after), the caller reads the
 * clock before and after the call, and window ends are one period apart. The same processes then
 * use a token bucket, a sliding window, and a limiter that bans.
 */
#include <string.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define LIMITER	"scenario-02-login"
#define LIMIT	10
#define PERIOD	(200 * MS)
#define WINDOWS_MAX 512
#define PROCESSES 50

/* ------------------------------------------------ the broken pattern */

struct attempts {
	volatile uint32_t used[WINDOWS_MAX];
	unsigned int windows;
	unsigned int each;
};

static int read_then_write(struct crowd *crowd, unsigned int me, void *arg)
{
	struct attempts *attempts = arg;

	for (unsigned int w = 0; w < attempts->windows; w++) {
		for (unsigned int i = 0; i < attempts->each; i++) {
			uint32_t seen = attempts->used[w];

			if (seen >= LIMIT)
				continue;
			gap();
			attempts->used[w] = seen + 1;
			crowd->seat[me].done++;
		}
	}
	return 0;
}

static void show_the_hole(unsigned int windows)
{
	struct attempts *attempts = shared_memory(sizeof(*attempts));
	struct crowd *crowd = crowd_make(PROCESSES);

	attempts->windows = windows;
	attempts->each = 1000 / PROCESSES;
	crowd_run(crowd, read_then_write, attempts);
	tap_note("read, then write: %llu attempts passed in %u windows of %u",
		 (unsigned long long)crowd_done(crowd), windows, LIMIT);
	crowd_free(crowd);
}

/* ------------------------------------------------ windows */

/* Verdicts of the crowd by window. Window 0 is that of the calibration. */
struct windows {
	uint64_t end_low, end_high;	/* the end of window 0 is between these times */
	uint64_t stop_at;
	_Atomic uint32_t allowed[WINDOWS_MAX];
	_Atomic uint32_t limited[WINDOWS_MAX];
	_Atomic uint32_t places[WINDOWS_MAX];	/* a bit for each "remaining" answered */
	_Atomic uint32_t twice;			/* the same value was answered twice */
	_Atomic uint32_t unsure;		/* allowed, but the window is not known */
	_Atomic uint32_t unsure_limited;
};

static struct weir_limiter *limiter_join(struct weir_key *key)
{
	struct weir *weir = weir_open(0);

	if (!weir || weir_key_text(key, "alice", 5))
		return NULL;
	return weir_limiter_open(weir, LIMITER, WEIR_RIGHT_USE |
				 WEIR_RIGHT_OBSERVE);
}

/*
 * The windows whose end agrees with an answer: end_0 + k * PERIOD is in [before + reset, after +
 * reset]. This is one window, unless the caller was preempted for long.
 */
static int64_t window_of(const struct windows *w, uint64_t before,
			 uint64_t after, uint64_t reset)
{
	int64_t low = (int64_t)(before + reset) - (int64_t)w->end_high;
	int64_t high = (int64_t)(after + reset) - (int64_t)w->end_low;
	int64_t first = low <= 0 ? 0 : (low + (int64_t)PERIOD - 1) / (int64_t)PERIOD;
	int64_t last = high < 0 ? -1 : high / (int64_t)PERIOD;

	return first == last ? first : -1;
}

static void attempt_log(struct windows *w, int verdict, int64_t k,
			uint64_t remaining)
{
	const uint32_t place = 1U << remaining;

	if (k < 0 || k >= WINDOWS_MAX) {
		if (verdict == WEIR_ALLOWED)
			w->unsure++;
		else
			w->unsure_limited++;
		return;
	}
	if (verdict != WEIR_ALLOWED) {
		w->limited[k]++;
		return;
	}
	w->allowed[k]++;
	if (atomic_fetch_or(&w->places[k], place) & place)
		w->twice++;
}

static int hammer(struct crowd *crowd, unsigned int me, void *arg)
{
	struct windows *w = arg;
	struct weir_answer answer;
	struct weir_key key;
	struct weir_limiter *login = limiter_join(&key);
	uint64_t before, after;
	int verdict;

	if (!login)
		return 1;
	do {
		before = now_ns();
		verdict = weir_limiter_check(login, &key, 1, &answer);
		after = now_ns();
		if (verdict != WEIR_ALLOWED && verdict != WEIR_LIMITED)
			return 2;
		if (answer.limit != LIMIT || answer.remaining >= LIMIT)
			return 3;
		attempt_log(w, verdict, window_of(w, before, after,
						  answer.reset_after),
			    answer.remaining);
		crowd->seat[me].done++;
	} while (after < w->stop_at);
	return 0;
}

/* Determine the end of window 0, with a key of this process only. */
static void calibrate(struct windows *w, struct weir_limiter *login)
{
	struct weir_answer answer;
	struct weir_key key;

	weir_key_text(&key, "calibration", 11);
	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t low = now_ns(), high;

		if (weir_limiter_check(login, &key, 1, &answer) < 0)
			tap_bail("check");
		high = now_ns() + answer.reset_after;
		low += answer.reset_after;
		if (!w->end_low) {
			w->end_low = low;
			w->end_high = high;
			continue;
		}
		/* the same in later windows, a whole number of periods later */
		while (low > w->end_high) {
			low -= PERIOD;
			high -= PERIOD;
		}
		if (high - low > PERIOD / 4 || high < w->end_low)
			continue;
		if (low > w->end_low)
			w->end_low = low;
		if (high < w->end_high)
			w->end_high = high;
	}
	tap_note("window ends are known to %llu ns",
		 (unsigned long long)(w->end_high - w->end_low));
}

static void windows_judge(struct windows *w)
{
	unsigned int seen = 0, over = 0, under = 0, least = ~0U, places = 0;

	for (unsigned int k = 0; k < WINDOWS_MAX; k++) {
		const uint32_t attempts = w->allowed[k] + w->limited[k];

		if (!attempts)
			continue;
		seen++;
		over += w->allowed[k] > LIMIT;
		/* a limited attempt proves that all ten were given out */
		if (w->limited[k] && w->allowed[k] < LIMIT)
			under += LIMIT - w->allowed[k];
		places += w->allowed[k] == LIMIT &&
			  w->places[k] != (1U << LIMIT) - 1;
		if (w->limited[k] && attempts < least)
			least = attempts;
	}
	tap_note("%u windows, at least %u attempts in each, %u of them in an unknown window",
		 seen, least, w->unsure + w->unsure_limited);
	tap_is(over, 0, "no window allowed more than %u", LIMIT);
	tap_is(w->twice, 0, "no two callers got the same place");
	tap_is(places, 0, "ten callers got ten different answers");
	/* an allowed attempt in an unknown window fills one gap at most */
	tap_ok(under <= w->unsure,
	       "no window denied before it allowed %u", LIMIT);
}

static void windows_hold(struct weir *weir, unsigned int windows)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_WINDOW,
		.key_type = WEIR_KEY_TEXT, .tokens = LIMIT, .period = PERIOD,
	};
	struct weir_limiter *login = service_limiter(weir, LIMITER, &config);
	struct windows *w = shared_memory(sizeof(*w));
	struct crowd *crowd = crowd_make(PROCESSES);

	tap_note("%u processes try one key without pause in %u windows of %llu ms",
		 PROCESSES, windows, (unsigned long long)(PERIOD / MS));
	calibrate(w, login);
	crowd_spawn(crowd, hammer, w);
	w->stop_at = now_ns() + windows * PERIOD;
	crowd_start(crowd);
	tap_is(crowd_wait(crowd), 0, "every call was answered");
	windows_judge(w);
	tap_ok(limiter_end(login), "the limiter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ bucket */

#define BURST	1000
#define INTERVAL (10 * MS)

struct bucket {
	uint64_t stop_at;
	_Atomic uint64_t first_begun, first_known, last_known, last_denied;
};

static void lower(_Atomic uint64_t *bound, uint64_t value)
{
	uint64_t seen = *bound;

	while ((!seen || value < seen) &&
	       !atomic_compare_exchange_weak(bound, &seen, value))
		;
}

static void raise_to(_Atomic uint64_t *bound, uint64_t value)
{
	uint64_t seen = *bound;

	while (value > seen && !atomic_compare_exchange_weak(bound, &seen, value))
		;
}

static int drain(struct crowd *crowd, unsigned int me, void *arg)
{
	struct bucket *b = arg;
	struct weir_answer answer;
	struct weir_key key;
	struct weir_limiter *login = limiter_join(&key);
	uint64_t before, after;

	if (!login)
		return 1;
	do {
		int verdict;

		before = now_ns();
		verdict = weir_limiter_check(login, &key, 1, &answer);
		after = now_ns();
		if (verdict == WEIR_ALLOWED) {
			crowd->seat[me].done++;
			lower(&b->first_begun, before);
			lower(&b->first_known, after);
			raise_to(&b->last_known, after);
		} else if (verdict == WEIR_LIMITED) {
			raise_to(&b->last_denied, before);
		} else {
			return 2;
		}
	} while (after < b->stop_at);
	return 0;
}

/*
 * A bucket of 1,000 that gains one token every 10 ms. In any order, at most burst + elapsed /
 * interval checks can be allowed. The last refusal proves that all tokens of the time before it
 * were spent, because a bucket with a token does not refuse. (Without callers the bucket is full
 * after 10 s.)
 */
static void bucket_holds(struct weir *weir)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_TEXT, .tokens = 1, .period = INTERVAL,
		.burst = BURST,
	};
	struct weir_limiter *login = service_limiter(weir, LIMITER, &config);
	struct bucket *b = shared_memory(sizeof(*b));
	struct crowd *crowd = crowd_make(20);
	uint64_t allowed, most, least;

	crowd_spawn(crowd, drain, b);
	b->stop_at = now_ns() + 2 * SECOND;
	crowd_start(crowd);
	tap_is(crowd_wait(crowd), 0, "every call was answered");
	allowed = crowd_done(crowd);
	most = BURST + (b->last_known - b->first_begun) / INTERVAL;
	least = b->last_denied ? BURST - 1 +
		(b->last_denied - b->first_known) / INTERVAL : 0;
	tap_note("bucket of %u, one each %llu ms: %llu allowed, serially %llu to %llu",
		 BURST, (unsigned long long)(INTERVAL / MS),
		 (unsigned long long)allowed, (unsigned long long)least,
		 (unsigned long long)most);
	tap_ok(b->last_denied != 0, "the bucket was emptied");
	tap_ok(allowed <= most, "no more were allowed than tokens came back");
	tap_ok(allowed >= least, "and no fewer: no check was refused while there was a token");
	tap_ok(limiter_end(login), "the limiter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ the sliding window */

/*
 * A hundred in 200 ms, sliding. No window allows more, whatever was left of the previous one. If
 * all refusals were correct, a key has spent at least its whole first window.
 */
static void sliding_holds(struct weir *weir)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_SLIDING,
		.key_type = WEIR_KEY_TEXT, .tokens = 100, .period = PERIOD,
	};
	struct weir_limiter *login = service_limiter(weir, LIMITER, &config);
	struct bucket *b = shared_memory(sizeof(*b));
	struct crowd *crowd = crowd_make(20);
	uint64_t allowed, windows;

	crowd_spawn(crowd, drain, b);
	b->stop_at = now_ns() + 2 * SECOND;
	crowd_start(crowd);
	tap_is(crowd_wait(crowd), 0, "every call was answered");
	allowed = crowd_done(crowd);
	/* the windows that this time can overlap */
	windows = (b->last_known - b->first_begun) / PERIOD + 2;
	tap_note("sliding window of 100: %llu allowed in at most %llu windows",
		 (unsigned long long)allowed, (unsigned long long)windows);
	tap_ok(b->last_denied != 0, "the limiter refused some checks");
	tap_ok(allowed <= 100 * windows, "no window admitted more than its limit");
	tap_ok(allowed >= 100, "and one of them was used up");
	tap_ok(limiter_end(login), "the limiter is gone");
	crowd_free(crowd);
}

/* ------------------------------------------------ the ban */

#define STRIKES	5

static int attack(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir_answer answer;
	struct weir_key key;
	struct weir_limiter *login = limiter_join(&key);

	(void)arg;
	if (!login)
		return 1;
	for (int i = 0; i < 20; i++) {
		int verdict = weir_limiter_check(login, &key, 1, &answer);

		if (verdict < 0)
			return 2;
		seat->done += verdict == WEIR_ALLOWED;
		seat->tally[0] += verdict == WEIR_LIMITED;
		seat->tally[1] += !!(answer.flags & WEIR_OUT_BANNED_NOW);
		/* after the ban, every answer must be "banned" */
		if (seat->tally[2] && verdict != WEIR_BANNED)
			return 3;
		seat->tally[2] += verdict == WEIR_BANNED;
	}
	return 0;
}

static unsigned int ban_events(struct weir_events *events, uint64_t *strikes)
{
	const struct weir_event *event;
	unsigned int bans = 0;

	while (weir_events_next(events, &event, 0) == 1) {
		if (event->type != WEIR_EVENT_BANNED ||
		    strcmp(event->name, LIMITER))
			continue;
		bans++;
		*strikes = event->more;
	}
	return bans;
}

static void one_ban(struct weir *weir, unsigned int processes)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_WINDOW,
		.key_type = WEIR_KEY_TEXT, .tokens = LIMIT, .period = DAY,
		.strikes = STRIKES, .nbans = 1, .ban = { HOUR },
	};
	struct weir_limiter *login = service_limiter(weir, LIMITER, &config);
	struct weir_events *events = weir_events_open(NULL, WEIR_EVENTS_NOW);
	struct crowd *crowd = crowd_make(processes);
	struct weir_limiter_stats stats;
	uint64_t strikes = 0;

	if (!events)
		tap_bail("cannot open the events");
	tap_note("%u attackers x 20 attempts, banned at %u strikes", processes,
		 STRIKES);
	tap_is(crowd_run(crowd, attack, NULL), 0, "a banned caller stays banned");
	tap_is(crowd_done(crowd), LIMIT, "exactly the window's attempts passed");
	tap_is(crowd_tally(crowd, 1), 1, "one call caused the ban");
	tap_is(crowd_tally(crowd, 0), STRIKES - 1,
	       "it was the one that reached the threshold");
	tap_is(ban_events(events, &strikes), 1, "there is one ban event");
	tap_is(strikes, STRIKES, "it has the number of strikes");
	stats = limiter_stats(login);
	tap_is(stats.strikes, STRIKES, "no strike was counted after the ban");
	tap_is(stats.bans, 1, "one ban in the totals");
	weir_events_close(events);
	tap_ok(limiter_end(login), "the limiter is gone");
	crowd_free(crowd);
}

int main(void)
{
	const unsigned int windows = tap_scaled(50, 5);
	struct weir *weir;

	tap_begin("ten attempts in a window are ten, also at its edges");
	weir = service_connect();
	show_the_hole(windows);
	windows_hold(weir, windows);
	bucket_holds(weir);
	sliding_holds(weir);
	one_ban(weir, tap_scaled(100, 4));
	weir_close(weir);
	return tap_end();
}
