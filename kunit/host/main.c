// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the suites of the pure algorithms in user space and prints TAP. With an argument, only the
 * cases run whose "suite.case" contains it.
 */

#include <stdlib.h>
#include <string.h>

#include <kunit/test.h>

struct kunit_memory {
	struct kunit_memory *next;
	max_align_t room[];
};

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	struct kunit_memory *m = calloc(1, sizeof(*m) + size);

	(void)gfp;
	if (!m)
		return NULL;
	m->next = test->memory;
	test->memory = m;
	return m->room;
}

void kunit_explain(const char *format, ...)
{
	va_list args;

	if (!*format)
		return;
	va_start(args, format);
	fputs("# ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void kunit_failed(struct kunit *test, bool fatal, const char *file, int line,
		  const char *format, ...)
{
	va_list args;

	test->failed = true;
	va_start(args, format);
	printf("# %s:%d: expected ", file, line);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	if (fatal)
		longjmp(test->abort, 1);
}

static void run_once(const struct kunit_suite *suite,
		     const struct kunit_case *c, struct kunit *test)
{
	struct kunit_memory *m;

	if (!setjmp(test->abort)) {
		if (!suite->init || !suite->init(test))
			c->run(test);
		else
			test->failed = true;
	}
	if (suite->exit)
		suite->exit(test);
	while ((m = test->memory)) {
		test->memory = m->next;
		free(m);
	}
}

static bool run_case(const struct kunit_suite *suite,
		     const struct kunit_case *c)
{
	struct kunit test = { .name = c->name };
	char desc[KUNIT_PARAM_DESC_SIZE];
	const void *param = NULL;
	bool failed = false;

	if (!c->generate) {
		run_once(suite, c, &test);
		return !test.failed;
	}
	while ((param = c->generate(param, desc))) {
		test.param_value = param;
		test.failed = false;
		run_once(suite, c, &test);
		if (test.failed)
			printf("# failed with: %s\n", desc);
		failed |= test.failed;
	}
	return !failed;
}

static bool is_chosen(const char *name, const char *word)
{
	return !word || strstr(name, word);
}

/* Count the chosen cases. Run them if @failures is not NULL. */
static unsigned int visit(const char *word, unsigned int *failures)
{
	struct kunit_suite *const *suite;
	const struct kunit_case *c;
	unsigned int n = 0;
	char name[256];
	bool ok;

	for (suite = __start_suites; suite < __stop_suites; suite++) {
		for (c = (*suite)->test_cases; c->run; c++) {
			snprintf(name, sizeof(name), "%s.%s", (*suite)->name, c->name);
			if (!is_chosen(name, word))
				continue;
			n++;
			if (!failures)
				continue;
			ok = run_case(*suite, c);
			printf("%s %u %s\n", ok ? "ok" : "not ok", n, name);
			*failures += !ok;
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	unsigned int failures = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", visit(word, NULL));
	visit(word, &failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
