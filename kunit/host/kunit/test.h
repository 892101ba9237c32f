/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the kernel's <kunit/test.h> that the tests of the pure algorithms use, for user
 * space.
 */
#ifndef _WEIR_HOST_KUNIT_TEST_H
#define _WEIR_HOST_KUNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <linux/compiler.h>

#include "../../../src/lib/pure.h"

#define KUNIT_PARAM_DESC_SIZE	128
#define GFP_KERNEL		0
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define strscpy(to, from, size)	snprintf(to, size, "%s", from)

struct kunit_memory;

struct kunit {
	const char *name;
	const void *param_value;
	void *priv;
	bool failed;
	jmp_buf abort;
	struct kunit_memory *memory;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
	const void *(*generate)(const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);
void kunit_failed(struct kunit *test, bool fatal, const char *file, int line,
		  const char *format, ...);
void kunit_explain(const char *format, ...);

#define kunit_kcalloc(test, n, size, gfp)	kunit_kzalloc(test, (n) * (size), gfp)
#define kunit_info(test, format, ...)	\
	((void)(test), printf("# " format "\n", ##__VA_ARGS__))

/* The suites of all files are in one section; the linker defines these two symbols. */
extern struct kunit_suite *const __start_suites[], *const __stop_suites[];

#define kunit_test_suite(suite)							\
	static struct kunit_suite *const suite##_entry __section("suites") __used = &(suite)

#define KUNIT_CASE(test)		{ .run = (test), .name = #test }
#define KUNIT_CASE_PARAM(test, gen)	\
	{ .run = (test), .name = #test, .generate = (gen) }

#define KUNIT_ARRAY_PARAM(label, array, describe)				\
	static const void *label##_gen_params(const void *prev, char *desc)	\
	{									\
		typeof(&(array)[0]) next = prev;				\
										\
		next = next ? next + 1 : (array);				\
		if (next == (array) + ARRAY_SIZE(array))			\
			return NULL;						\
		describe(next, desc);						\
		return next;							\
	}

#define KUNIT_COMPARE(test, fatal, left, op, right, ...)			\
	do {									\
		const typeof(left) _left = (left);				\
		const typeof(right) _right = (right);				\
										\
		if (_left op _right)						\
			break;							\
		kunit_explain("" __VA_ARGS__);					\
		kunit_failed(test, fatal, __FILE__, __LINE__,			\
			     "%s %s %s, but %lld and %lld",			\
			     #left, #op, #right, (long long)_left,		\
			     (long long)_right);					\
	} while (0)

#define KUNIT_TRUTH(test, fatal, condition, wanted, ...)			\
	do {									\
		const bool _wanted = (wanted);					\
										\
		if ((bool)(condition) == _wanted)				\
			break;							\
		kunit_explain("" __VA_ARGS__);					\
		kunit_failed(test, fatal, __FILE__, __LINE__, "%s is not %s",	\
			     #condition, _wanted ? "true" : "false");		\
	} while (0)

#define KUNIT_EXPECT_EQ(t, l, r)		KUNIT_COMPARE(t, false, l, ==, r)
#define KUNIT_EXPECT_NE(t, l, r)		KUNIT_COMPARE(t, false, l, !=, r)
#define KUNIT_EXPECT_LT(t, l, r)		KUNIT_COMPARE(t, false, l, <, r)
#define KUNIT_EXPECT_LE(t, l, r)		KUNIT_COMPARE(t, false, l, <=, r)
#define KUNIT_EXPECT_GT(t, l, r)		KUNIT_COMPARE(t, false, l, >, r)
#define KUNIT_EXPECT_GE(t, l, r)		KUNIT_COMPARE(t, false, l, >=, r)
#define KUNIT_EXPECT_TRUE(t, c)			KUNIT_TRUTH(t, false, c, true)
#define KUNIT_EXPECT_FALSE(t, c)		KUNIT_TRUTH(t, false, c, false)
#define KUNIT_ASSERT_EQ(t, l, r)		KUNIT_COMPARE(t, true, l, ==, r)
#define KUNIT_ASSERT_NE(t, l, r)		KUNIT_COMPARE(t, true, l, !=, r)
#define KUNIT_ASSERT_LT(t, l, r)		KUNIT_COMPARE(t, true, l, <, r)
#define KUNIT_ASSERT_LE(t, l, r)		KUNIT_COMPARE(t, true, l, <=, r)
#define KUNIT_ASSERT_GT(t, l, r)		KUNIT_COMPARE(t, true, l, >, r)
#define KUNIT_ASSERT_GE(t, l, r)		KUNIT_COMPARE(t, true, l, >=, r)
#define KUNIT_ASSERT_TRUE(t, c)			KUNIT_TRUTH(t, true, c, true)
#define KUNIT_ASSERT_FALSE(t, c)		KUNIT_TRUTH(t, true, c, false)
#define KUNIT_ASSERT_NOT_NULL(t, p)		KUNIT_TRUTH(t, true, p, true)
#define KUNIT_EXPECT_EQ_MSG(t, l, r, ...)	\
	KUNIT_COMPARE(t, false, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(t, l, r, ...)	\
	KUNIT_COMPARE(t, true, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_LT_MSG(t, l, r, ...)	\
	KUNIT_COMPARE(t, true, l, <, r, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(t, c, ...)	\
	KUNIT_TRUTH(t, true, c, true, __VA_ARGS__)

#endif /* _WEIR_HOST_KUNIT_TEST_H */
