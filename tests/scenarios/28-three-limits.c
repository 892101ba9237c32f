// SPDX-License-Identifier: GPL-2.0-only
/*
 * A login is limited by address, by user and in total. If the three limiters are called one after
 * the other, the first two are charged for logins that the third refuses. If the tokens are given
 * back later, too few logins are admitted meanwhile, or too many after a crash.
 *
 * Here the three checks are one submission, together with an add to a counter. All are charged or
 * none, with concurrent submissions that name them in different orders. A reader never sees more or
 * fewer logins than the tokens spent on them.
 */

#include <string.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define PREFIX		"scenario-28-"
#define USERS		8
#define ADDRESSES	64	/* in the first round each address belongs to one user */

enum { ADDRESS, USER, ALL, LIMITS };

static const char *const names[LIMITS] = {
	PREFIX "address", PREFIX "user", PREFIX "all",
};

/* Tokens that can be spent. None comes back during the run. */
struct limits {
	unsigned int of[LIMITS];
};

/* One client's handles of the three limiters and of the counter. */
struct login {
	struct weir *weir;
	struct weir_limiter *limiter[LIMITS];
	struct weir_counter *counter;
};

/* Shared by the crowd: logins by address and user, with their answers. */
struct book {
	struct limits limits;
	bool mixed;		/* second round: any address with any user */
	unsigned int tries;
	_Atomic uint64_t spent_address[ADDRESSES];
	_Atomic uint64_t spent_user[USERS];
	_Atomic uint64_t spent_all;
	_Atomic uint64_t logins;
};

static struct login login_open(void)
{
	struct login login = { .weir = service_connect() };

	for (int i = 0; i < LIMITS; i++) {
		login.limiter[i] = weir_limiter_open(login.weir, names[i],
						     WEIR_RIGHT_ALL);
		if (!login.limiter[i])
			tap_bail("cannot open %s", names[i]);
	}
	login.counter = weir_counter_open(login.weir, PREFIX "logins",
					  WEIR_RIGHT_ALL);
	if (!login.counter)
		tap_bail("cannot open the counter");
	return login;
}

static void login_close(struct login *login)
{
	for (int i = 0; i < LIMITS; i++)
		weir_limiter_close(login->limiter[i]);
	weir_counter_close(login->counter);
	weir_close(login->weir);
}

static void keys_of(unsigned int address, unsigned int user,
		    struct weir_key keys[LIMITS])
{
	weir_key_u64(&keys[ADDRESS], address);
	weir_key_u64(&keys[USER], user);
	weir_key_none(&keys[ALL]);
}

/* All checks or none, in the order that the caller chooses. */
static int login_try(struct login *login, unsigned int address,
		     unsigned int user, unsigned int cost, unsigned int order)
{
	struct weir_key keys[LIMITS];
	struct weir_op ops[LIMITS + 1];
	unsigned int i, which;

	keys_of(address, user, keys);
	for (i = 0; i < LIMITS; i++) {
		unsigned int k = (i + order) % LIMITS;

		if (weir_op_limiter(&ops[i], login->limiter[k], WEIR_OP_CHECK,
				    &keys[k], cost))
			return -1;
	}
	weir_op_add(&ops[i], login->counter, 0, cost);
	return weir_transaction(login->weir, ops, LIMITS + 1, &which);
}

static unsigned int next_random(unsigned int *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 16;
}

/* Many processes try to log in, with the same few keys, until each has made all its tries. */
static int crowd_login(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct login login = login_open();
	struct book *book = arg;
	unsigned int state = me * 2654435761U + 1;

	for (unsigned int i = 0; i < book->tries; i++) {
		unsigned int address = next_random(&state) % ADDRESSES;
		unsigned int user = book->mixed ? next_random(&state) % USERS :
						  address % USERS;
		unsigned int cost = book->mixed ? 1 + next_random(&state) % 3 : 1;
		int verdict = login_try(&login, address, user, cost,
					next_random(&state));

		seat->done++;
		if (verdict != WEIR_ALLOWED && verdict != WEIR_LIMITED)
			return 1;
		if (verdict != WEIR_ALLOWED)
			continue;
		book->spent_address[address] += cost;
		book->spent_user[user] += cost;
		book->spent_all += cost;
		book->logins++;
	}
	return 0;
}

static uint64_t spent(struct weir_limiter *limiter, const struct weir_key *key)
{
	struct weir_answer answer;

	if (weir_limiter_peek(limiter, key, 1, &answer) < 0)
		tap_bail("peek failed");
	return answer.limit - answer.remaining;
}

static uint64_t spent_number(struct weir_limiter *limiter, unsigned int number)
{
	struct weir_key key;

	weir_key_u64(&key, number);
	return spent(limiter, &key);
}

static uint64_t spent_users(struct login *login)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < USERS; i++)
		sum += spent_number(login->limiter[USER], i);
	return sum;
}

static int64_t logins_counted(struct login *login)
{
	int64_t value;

	if (weir_counter_read_field(login->counter, 0, &value))
		tap_bail("the counter cannot be read");
	return value;
}

/*
 * Read while others log in. The value that is read first can only be less than the value read after
 * it, in either order, because both change in one step.
 */
static int watch(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct login login = login_open();
	uint64_t first;

	(void)arg;
	do {
		first = spent_users(&login);
		if (first > spent(login.limiter[ALL], NULL))
			return 1;
		first = spent(login.limiter[ALL], NULL);
		if (first > spent_users(&login))
			return 2;
		first = (uint64_t)logins_counted(&login);
		if (first > spent(login.limiter[ALL], NULL))
			return 3;
		first = spent(login.limiter[ALL], NULL);
		if (first > (uint64_t)logins_counted(&login))
			return 4;
		seat->done++;
	} while (!crowd->flag);
	return 0;
}

static void account(struct login *login, struct book *book)
{
	unsigned int wrong = 0, i;

	for (i = 0; i < ADDRESSES; i++)
		wrong += spent_number(login->limiter[ADDRESS], i) !=
			 book->spent_address[i];
	tap_is(wrong, 0, "each address has spent the cost of its logins");
	for (i = 0, wrong = 0; i < USERS; i++)
		wrong += spent_number(login->limiter[USER], i) !=
			 book->spent_user[i];
	tap_is(wrong, 0, "each user has spent the cost of its logins");
	tap_is(spent(login->limiter[ALL], NULL), book->spent_all,
	       "the total is the cost of all logins");
	tap_is((uint64_t)logins_counted(login), book->spent_all,
	       "the counter has the same number of logins");
	tap_is(limiter_stats(login->limiter[ALL]).allowed, book->logins,
	       "refused logins are not counted as allowed");
}

/*
 * Each address belongs to one user, so the limits are nested. The number of logins that fit then
 * does not depend on their order.
 */
static unsigned int serial_model(const struct limits *limits)
{
	unsigned int user = ADDRESSES / USERS * limits->of[ADDRESS];
	unsigned int all;

	if (user > limits->of[USER])
		user = limits->of[USER];
	all = USERS * user;
	return all < limits->of[ALL] ? all : limits->of[ALL];
}

/* Continue one by one from the state that the crowd left, and compare with a model. */
static void serially(struct login *login, struct book *book)
{
	unsigned int wrong = 0, allowed = 0, state = 7;

	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int address = next_random(&state) % ADDRESSES;
		unsigned int user = next_random(&state) % USERS;
		unsigned int cost = 1 + next_random(&state) % 3;
		bool fits = book->spent_address[address] + cost <=
				    book->limits.of[ADDRESS] &&
			    book->spent_user[user] + cost <=
				    book->limits.of[USER] &&
			    book->spent_all + cost <= book->limits.of[ALL];

		wrong += login_try(login, address, user, cost, i) !=
			 (fits ? WEIR_ALLOWED : WEIR_LIMITED);
		if (!fits)
			continue;
		book->spent_address[address] += cost;
		book->spent_user[user] += cost;
		book->spent_all += cost;
		book->logins++;
		allowed++;
	}
	tap_is(wrong, 0, "then 1000 more, one by one: equal to a model (%u allowed)",
	       allowed);
}

static void limiters_make(struct weir *weir, struct weir_limiter **limiters,
			  const struct limits *limits)
{
	static const enum weir_key_type types[LIMITS] = {
		WEIR_KEY_U64, WEIR_KEY_U64, WEIR_KEY_NONE,
	};

	for (int i = 0; i < LIMITS; i++) {
		const struct weir_limiter_config config = {
			.size = sizeof(config), .key_type = types[i],
			.algorithm = WEIR_ALGORITHM_BUCKET,
			.tokens = limits->of[i], .period = 100 * DAY,
			.burst = limits->of[i],
		};

		limiters[i] = service_limiter(weir, names[i], &config);
	}
}

static void round_run(struct weir *weir, const char *story, struct limits limits,
		      bool mixed)
{
	const unsigned int callers = tap_scaled(1000, 20);
	static const char *const fields[] = { "cost" };
	struct crowd *crowd = crowd_make(callers), *watchers = crowd_make(2);
	struct book *book = shared_memory(sizeof(*book));
	struct weir_limiter *limiters[LIMITS];
	struct weir_counter *counter;
	struct login login;

	tap_note("%u callers: %s", callers, story);
	book->limits = limits;
	book->mixed = mixed;
	book->tries = tap_scaled(40, 1);
	limiters_make(weir, limiters, &limits);
	counter = service_counter(weir, PREFIX "logins", WEIR_COUNTER_SUM,
				  fields, 1);
	login = login_open();
	crowd_spawn(watchers, watch, NULL);
	crowd_start(watchers);
	tap_is(crowd_run(crowd, crowd_login, book), 0,
	       "every answer was \"allowed\" or \"limited\"");
	watchers->flag = 1;
	tap_is(crowd_wait(watchers), 0, "no reader saw a part of one login");
	tap_note("they read %llu times",
		 (unsigned long long)crowd_done(watchers));
	account(&login, book);
	if (mixed)
		serially(&login, book);
	else
		tap_is(book->logins, serial_model(&limits),
		       "as many logins as if they were made one by one");
	login_close(&login);
	for (int i = 0; i < LIMITS; i++)
		tap_ok(limiter_end(limiters[i]), "%s is gone", names[i]);
	tap_ok(counter_end(counter), "the counter is gone");
	crowd_free(watchers);
	crowd_free(crowd);
}

/* Three calls, one after the other, as it is usually done. */
static int crowd_one_by_one(struct crowd *crowd, unsigned int me, void *arg)
{
	struct login login = login_open();
	struct weir_key keys[LIMITS];
	unsigned int i, state = me + 1, address;

	(void)arg;
	for (int n = 0; n < 10; n++) {
		address = next_random(&state) % ADDRESSES;
		keys_of(address, address % USERS, keys);
		for (i = 0; i < LIMITS; i++)
			if (weir_limiter_check(login.limiter[i], &keys[i], 1,
					       NULL) != WEIR_ALLOWED)
				break;
		if (i < LIMITS)
			crowd->seat[me].tally[0] += i;	/* charged although the login is refused */
	}
	return 0;
}

static void show_one_by_one(struct weir *weir)
{
	const struct limits limits = { { 6, 40, 200 } };
	struct crowd *crowd = crowd_make(tap_scaled(100, 4));
	struct weir_limiter *limiters[LIMITS];
	struct weir_counter *counter;
	static const char *const fields[] = { "cost" };

	limiters_make(weir, limiters, &limits);
	counter = service_counter(weir, PREFIX "logins", WEIR_COUNTER_SUM,
				  fields, 1);
	crowd_run(crowd, crowd_one_by_one, NULL);
	tap_note("one after the other: %llu tokens were spent on refused logins",
		 (unsigned long long)crowd_tally(crowd, 0));
	for (int i = 0; i < LIMITS; i++)
		limiter_end(limiters[i]);
	counter_end(counter);
	crowd_free(crowd);
}

int main(void)
{
	const unsigned int tries = tap_scaled(1000, 20) * tap_scaled(40, 1);
	struct weir *weir;

	tap_begin("three limits, all or none");
	weir = service_connect();
	show_one_by_one(weir);
	round_run(weir, "each address belongs to one user; the limits of users are reached",
		  (struct limits){ { tries / ADDRESSES / 4, tries / USERS / 8,
				     tries } }, false);
	round_run(weir, "any address with any user, costs of 1 to 3; all limits are reached",
		  (struct limits){ { tries / ADDRESSES, tries / USERS,
				     tries - tries / 8 } }, true);
	weir_close(weir);
	return tap_end();
}
