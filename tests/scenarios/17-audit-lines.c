// SPDX-License-Identifier: GPL-2.0-only
/*
 * An audit trail created a new lock for each call. So there was no mutual exclusion, and lines of
 * different writers were mixed.
 *
 * Here ten writers emit ten thousand lines each, and two readers follow, one of them slow. Every
 * line that is read is whole and numbered, and each writer's lines keep their order. A reader gets
 * the exact number of lines that it missed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "service.h"
#include "tap.h"

#define TAG	"scenario-17-audit"
#define WRITERS	10
#define READERS	2

static unsigned int lines;

/* ------------------------------------------------ the lines */

/* Line @i of writer @me. The two numbers determine its length and its text. */
static size_t line_make(char *line, unsigned int me, unsigned int i)
{
	const size_t length = 24 + (me * 31 + i * 7) % (WEIR_RECORD_MAX - 23);
	int head = sprintf(line, "writer %u line %u ", me, i);

	memset(line + head, 'a' + (me + i) % 26, length - head);
	return length;
}

static bool line_is_whole(const char *line, size_t length, unsigned int *me,
			  unsigned int *i)
{
	char head[WEIR_RECORD_MAX + 1] = "", wanted[WEIR_RECORD_MAX + 1];

	memcpy(head, line, length);
	return sscanf(head, "writer %u line %u ", me, i) == 2 && *me < WRITERS &&
	       line_make(wanted, *me, *i) == length && !memcmp(line, wanted, length);
}

/* ------------------------------------------------ the broken pattern */

static int write_in_two(struct crowd *crowd, unsigned int me, void *arg)
{
	const char *path = arg;
	char line[WEIR_RECORD_MAX + 1];
	int fd = open(path, O_WRONLY | O_APPEND);

	for (unsigned int i = 0; i < 200; i++) {
		size_t length = line_make(line, me, i), half = length / 2;

		line[length++] = '\n';
		/* a lock that is not shared excludes no other process */
		if (write(fd, line, half) < 0)
			return 1;
		gap();
		if (write(fd, line + half, length - half) < 0)
			return 1;
		crowd->seat[me].done++;
	}
	return 0;
}

static void show_the_tangle(void)
{
	char path[] = "/tmp/scenario-17-XXXXXX", line[4096];
	struct crowd *crowd = crowd_make(WRITERS);
	unsigned int whole = 0, me, i;
	FILE *file;
	int fd = mkstemp(path);

	if (fd < 0)
		tap_bail("cannot make %s", path);
	crowd_run(crowd, write_in_two, path);
	file = fdopen(fd, "r");
	while (file && fgets(line, sizeof(line), file)) {
		size_t length = strcspn(line, "\n");

		whole += length <= WEIR_RECORD_MAX &&
			 line_is_whole(line, length, &me, &i);
	}
	tap_note("written in two steps: of %llu lines %llu are torn",
		 (unsigned long long)crowd_done(crowd),
		 (unsigned long long)crowd_done(crowd) - whole);
	if (file)
		fclose(file);
	unlink(path);
	crowd_free(crowd);
}

/* ------------------------------------------------ emit, and follow */

static int emit_lines(struct crowd *crowd, unsigned int me, void *arg)
{
	struct seat *seat = &crowd->seat[me];
	struct weir *weir = weir_open(0);
	char line[WEIR_RECORD_MAX + 1];
	uint64_t seq, last = 0;

	(void)arg;
	if (!weir)
		return 1;
	for (unsigned int i = 0; i < lines; i++) {
		size_t length = line_make(line, me, i);

		if (weir_emit(weir, TAG, line, length, &seq))
			return 2;
		/* a later line of a writer has a higher number */
		if (i && seq <= last)
			return 3;
		last = seq;
		seat->done++;
	}
	return 0;
}

/* results of a reader, in its tally */
enum { LOST, TORN, MISNUMBERED, DISORDERED };

/**
 * struct following - the lines that the readers must read
 * @from: number of the first line
 * @pids: pids of the writers
 */
struct following {
	uint64_t from;
	_Atomic uint32_t pids[WRITERS];
};

static void line_check(struct seat *seat, const struct weir_event *e, int64_t *last,
		       const struct following *f)
{
	unsigned int me, i;

	seat->done++;
	if (strcmp(e->name, TAG) ||
	    !line_is_whole((const char *)e->data, e->data_len, &me, &i) ||
	    e->more != f->pids[me]) {
		seat->tally[TORN]++;
		return;
	}
	seat->tally[DISORDERED] += i <= last[me];
	last[me] = i;
}

static int follow(struct crowd *crowd, unsigned int me, void *arg)
{
	const struct following *f = arg;
	struct weir_events *events = weir_events_open(NULL, f->from);
	const uint64_t end = f->from + (uint64_t)WRITERS * lines;
	struct seat *seat = &crowd->seat[me];
	uint64_t next = f->from;
	int64_t last[WRITERS];
	const struct weir_event *e;

	memset(last, -1, sizeof(last));
	if (!events)
		return 1;
	while (next < end) {
		if (weir_events_next(events, &e, -1) != 1)
			return 2;
		seat->tally[MISNUMBERED] += e->seq != next;
		if (e->type == WEIR_EVENT_LOST) {
			seat->tally[LOST] += e->value;
			next = e->seq + e->value;
			continue;
		}
		if (e->type != WEIR_EVENT_RECORD)
			return 3;
		line_check(seat, e, last, f);
		next = e->seq + 1;
		/* the second reader has more work with each line */
		if (me == 1 && !(next % 64))
			usleep(2000);
	}
	weir_events_close(events);
	return 0;
}

static void tell(const struct seat *seat, unsigned int reader)
{
	const uint64_t all = (uint64_t)WRITERS * lines;

	tap_note("reader %u: %llu lines read, %llu reported lost", reader,
		 (unsigned long long)seat->done,
		 (unsigned long long)seat->tally[LOST]);
	tap_ok(seat->done > 0, "reader %u read some lines", reader);
	tap_is(seat->tally[TORN], 0, "each of them was whole");
	tap_is(seat->tally[MISNUMBERED], 0, "gaps in the numbers equal the reported losses");
	tap_is(seat->tally[DISORDERED], 0, "each writer's lines were in order");
	tap_is(seat->done + seat->tally[LOST], all,
	       "lines read and lines reported lost add up to all lines");
}

int main(void)
{
	struct following *f = shared_memory(sizeof(*f));
	struct weir_info info = { .size = sizeof(info) };
	struct crowd *readers = crowd_make(READERS), *writers;
	struct weir *weir;

	tap_begin("audit lines: whole, numbered, in order, and every loss reported");
	weir = service_connect();
	lines = tap_scaled(10000, 10);
	show_the_tangle();
	weir_get_info(weir, &info);
	f->from = info.event_next;
	crowd_spawn(readers, follow, f);
	crowd_start(readers);
	writers = crowd_make(WRITERS);
	crowd_spawn(writers, emit_lines, NULL);
	for (unsigned int i = 0; i < WRITERS; i++)
		f->pids[i] = writers->seat[i].pid;
	tap_note("%u writers x %u lines, %u readers", WRITERS, lines, READERS);
	crowd_start(writers);
	tap_is(crowd_wait(writers), 0, "every writer wrote all its lines");
	tap_is(crowd_wait(readers), 0, "every reader came to their end");
	for (unsigned int i = 0; i < READERS; i++)
		tell(&readers->seat[i], i + 1);
	weir_get_info(weir, &info);
	tap_is(info.event_next, f->from + (uint64_t)WRITERS * lines,
	       "each line took one number");
	crowd_free(readers);
	crowd_free(writers);
	weir_close(weir);
	return tap_end();
}
