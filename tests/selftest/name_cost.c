// SPDX-License-Identifier: GPL-2.0-only
/*
 * name_cost - names that a user chooses do not make look-ups of names dear
 *
 * An ordinary user measures how long OPEN takes to find that there is no such name, and makes
 * objects of the names for which it took longest. In a hash table, however secret the hash,
 * these names share a chain, and all look-ups in that chain get dearer with each of them.
 * With WEIR_ICOUNT=1 the clock counts instructions. Without it nothing can be said.
 */
#include "harness.h"

#include "client.h"
#include "person.h"
#include "verdict.h"

#define PERSON		1001
#define MADE		64	/* names of no particular cost */
#define TRIES		300000
#define CHOSEN		40	/* dear names that are made */
#define NOISE		20	/* of the clock, in instructions */
#define MORE		1500	/* instructions: the dearest look-up beside one of no names */

/* OPEN of a name that does not exist. */
static __u64 cost_once(int fd, const char *name)
{
	struct weir_open open = open_make(WEIR_KIND_COUNTER, name, WEIR_RIGHT_OBSERVE);
	__u64 begun;

	open.owner = PERSON;
	begun = now_ns();
	if (call(fd, WEIR_IOC_OPEN, &open) != -ENOENT)
		abort();
	return now_ns() - begun;
}

/* An interrupt may come in between. */
static __u64 cost(int fd, const char *name)
{
	__u64 least = cost_once(fd, name), again;

	for (int i = 0; i < 8; i++) {
		again = cost_once(fd, name);
		if (again < least)
			least = again;
	}
	return least;
}

static void name_make(char *name, unsigned int n)
{
	snprintf(name, WEIR_NAME_SIZE, OURS "%08u", n);
}

static void object_make(int fd, const char *name)
{
	struct weir_counter_config config = { .size = sizeof(config),
					      .type = WEIR_COUNTER_SEQUENCE };
	__u32 handle;

	if (object_create(fd, WEIR_KIND_COUNTER, name, &config, &handle) ||
	    handle_close(fd, handle))
		abort();
}

/* By how many instructions the dearest look-up is dearer than one in an empty namespace. */
static int dearest(void *unused)
{
	__u64 none, most = 0, now;
	unsigned int n = 0, chosen = 0;
	int fd = client_open(O_RDWR);
	char name[WEIR_NAME_SIZE];

	(void)unused;
	name_make(name, 0);
	none = cost(fd, name);
	while (n < MADE) {
		name_make(name, n++);
		object_make(fd, name);
	}
	for (unsigned int i = 0; i < TRIES && chosen < CHOSEN; i++) {
		name_make(name, n++);
		if (cost_once(fd, name) + NOISE < most)
			continue;
		now = cost(fd, name);
		if (now + NOISE < most)
			continue;
		most = now;
		/* the first ones show what is dear */
		if (i < TRIES / 50)
			continue;
		object_make(fd, name);
		chosen++;
		/* so that it is dearer still for the next one in the same place */
		most += 2 * NOISE;
	}
	printf("# %u names chosen; OPEN: %llu and %llu instructions\n", chosen, none, most);
	return most - none;
}

TEST(chosen_names)
{
	const char *icount = getenv("WEIR_ICOUNT");
	mode_t device;
	int more;

	if (!icount || strcmp(icount, "1"))
		SKIP(return, "no clock that counts instructions");
	objects_wipe();
	device = device_chmod(0666);
	more = person_run(PERSON, PERSON, dearest, NULL);
	device_chmod(device);
	objects_wipe();
	EXPECT_LT(0, more);
	EXPECT_GE(MORE, more);
}

TEST_HARNESS_MAIN
