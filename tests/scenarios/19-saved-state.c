// SPDX-License-Identifier: GPL-2.0-only
/*
 * State was kept in memory and on disk, and written in two steps: after a crash
 * between them the copies disagreed, or the file ended in the middle.
 *
 * Here the tool is killed repeatedly while it saves, at any moment. Each time all of the old state
 * or all of the new state is restored.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define COUNTER	"scenario-19-counter"
#define LIMITER	"scenario-19-limiter"
#define FOLDER	"/tmp/scenario-19"
#define FILE_NAME FOLDER "/state"

static pid_t weir_start(const char *verb)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!freopen("/dev/null", "w", stdout))
		_exit(126);
	execlp("weir", "weir", verb, FILE_NAME,
	       strcmp(verb, "save") ? "--existing-ok" : NULL, NULL);
	_exit(127);
}

static int weir_run(const char *verb)
{
	int status = 0;

	waitpid(weir_start(verb), &status, 0);
	return status;
}

static struct weir_counter *counter_make(struct weir *weir)
{
	static const char *const fields[] = { "one", "other" };

	return service_counter(weir, COUNTER, WEIR_COUNTER_SUM, fields, 2);
}

static struct weir_limiter *limiter_make(struct weir *weir, unsigned int keys)
{
	const struct weir_limiter_config config = {
		.size = sizeof(config), .algorithm = WEIR_ALGORITHM_BUCKET,
		.key_type = WEIR_KEY_U64, .tokens = 10, .period = DAY,
		.max_keys = keys,
	};

	return service_limiter(weir, LIMITER, &config);
}

static void bans_lay(struct weir_limiter *limiter, unsigned int keys)
{
	struct weir_key key;

	for (unsigned int i = 0; i < keys; i++) {
		weir_key_u64(&key, i);
		if (weir_limiter_ban(limiter, &key, DAY, NULL))
			tap_bail("cannot ban");
	}
}

/* The value in the file, if both fields have the same; otherwise -1. */
static int64_t saved_value(struct weir *weir)
{
	struct weir_counter *counter;
	int64_t values[2] = { -1, -2 };

	service_remove(weir, WEIR_KIND_COUNTER, COUNTER);
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	if (weir_run("restore"))
		return -1;
	counter = weir_counter_open(weir, COUNTER, WEIR_RIGHT_ALL);
	if (!counter || weir_counter_read(counter, values, 2) != 2)
		return -1;
	weir_counter_close(counter);
	return values[0] == values[1] ? values[0] : -1;
}

static unsigned int files_left(void)
{
	FILE *list = popen("ls -A " FOLDER " | wc -l", "r");
	unsigned int count = 0;

	if (!list || fscanf(list, "%u", &count) != 1)
		tap_bail("cannot list " FOLDER);
	pclose(list);
	return count;
}

/* Save state number @i, and kill the tool after a while. Return: how it ended. */
static int save_and_kill(struct weir *weir, int64_t i, unsigned int after)
{
	const int64_t both[2] = { i, i };
	struct weir_counter *counter = counter_make(weir);
	int status;
	pid_t pid;

	if (weir_counter_add_many(counter, 3, both))
		tap_bail("cannot add");
	weir_counter_close(counter);
	pid = weir_start("save");
	usleep(after);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* @usual: microseconds that a save takes */
static void killed_savers(struct weir *weir, unsigned int rounds,
			  unsigned int usual)
{
	unsigned int old = 0, new = 0, wrong = 0, whole = 0;
	int64_t last = 0, value;

	for (unsigned int i = 1; i <= rounds; i++) {
		/* from before the save begins to long after it has ended */
		int status = save_and_kill(weir, i, i * 619ULL % 1000 * usual / 700);

		value = saved_value(weir);
		old += value == last;
		new += value == i;
		wrong += value != last && value != i;
		if (!status) {
			whole++;
			wrong += value != i;
		}
		if (value == i)
			last = i;
	}
	tap_note("a save takes %u us", usual);
	tap_note("%u saves: %u killed before, %u after the new file existed, %u not killed",
		 rounds, old, new - whole, whole);
	tap_is(wrong, 0, "the restored state is the old or the new one, never a mixture");
}

static void many_bans(struct weir *weir, unsigned int keys)
{
	struct weir_limiter *limiter = limiter_make(weir, keys);
	uint64_t since;

	bans_lay(limiter, keys);
	weir_limiter_close(limiter);
	tap_is((uint64_t)weir_run("save"), 0, "%u bans are saved", keys);
	service_remove(weir, WEIR_KIND_LIMITER, LIMITER);
	since = now_ns();
	tap_is((uint64_t)weir_run("restore"), 0, "and restored");
	tap_note("in %llu ms of this machine's time",
		 (unsigned long long)((now_ns() - since) / MS));
	limiter = weir_limiter_open(weir, LIMITER, WEIR_RIGHT_ALL);
	if (!limiter)
		tap_bail("the limiter does not exist");
	tap_is(limiter_stats(limiter).keys, keys, "all bans are restored");
	for (unsigned int i = 0, wrong = 0; i < keys; i += keys / 10) {
		struct weir_key key;

		weir_key_u64(&key, i);
		wrong += weir_limiter_check(limiter, &key, 1, NULL) != WEIR_BANNED;
		if (i + keys / 10 >= keys)
			tap_is(wrong, 0, "the keys are banned");
	}
	tap_ok(limiter_end(limiter), "the limiter is gone");
}

int main(void)
{
	const unsigned int keys = tap_scaled(100000, 50);
	struct weir *weir;
	uint64_t since;

	tap_begin("state is replaced as a whole");
	weir = service_connect();
	if (system("rm -rf " FOLDER " && mkdir " FOLDER))
		tap_bail("cannot make " FOLDER);
	weir_counter_close(counter_make(weir));
	since = now_ns();
	tap_is((uint64_t)weir_run("save"), 0, "the first state is saved");
	killed_savers(weir, tap_scaled(40, 4), (now_ns() - since) / 1000);
	tap_note("%u files of killed savers are left", files_left() - 1);
	service_remove(weir, WEIR_KIND_COUNTER, COUNTER);
	many_bans(weir, keys);
	service_remove(weir, WEIR_KIND_COUNTER, COUNTER);
	weir_close(weir);
	return tap_end();
}
