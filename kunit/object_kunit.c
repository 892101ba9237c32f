// SPDX-License-Identifier: GPL-2.0-only
/* Names and rights (src/core/object.c). */

#include <kunit/test.h>
#include <linux/cred.h>

#include "registry_fixture.h"

#define OWNER		1001
#define GROUP		1002
#define STRANGER	1003
#define NAMESPACE	1004

#define OBSERVE	WEIR_RIGHT_OBSERVE
#define USE	WEIR_RIGHT_USE
#define ADMIN	WEIR_RIGHT_ADMIN
#define KEYS	WEIR_RIGHT_KEYS

/**
 * struct name_row - a name, and whether it is valid
 * @name: padded with zeros, unless the row is about the padding
 * @valid: the name is valid
 */
struct name_row {
	char name[WEIR_NAME_SIZE];
	bool valid;
};

static const struct name_row name_rows[] = {
	{ "a", true },
	{ "Login.ssh_22-x", true },
	{ "0", true },
	{ "9.9", true },
	{ "123456789012345678901234567890123456789012345678901234567890123", true },
	{ "", false },
	{ ".", false },
	{ "..", false },
	{ ".hidden", false },
	{ "-x", false },
	{ "_x", false },
	{ "a b", false },
	{ "a/b", false },
	{ "a\n", false },
	{ "a\x7f", false },
	{ "\xc3\xa4", false },
	{ "a\0b", false },
};

static void name_describe(const struct name_row *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d: %*pE", (int)(row - name_rows),
		 (int)strnlen(row->name, WEIR_NAME_SIZE), row->name);
}

KUNIT_ARRAY_PARAM(name, name_rows, name_describe);

static void object_name(struct kunit *test)
{
	const struct name_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, row->valid, weir_name_valid(row->name));
}

static void object_name_must_end(struct kunit *test)
{
	char name[WEIR_NAME_SIZE];

	memset(name, 'a', sizeof(name));
	KUNIT_EXPECT_FALSE(test, weir_name_valid(name));
	memset(name, 0, sizeof(name));
	name[0] = 'a';
	name[WEIR_NAME_SIZE - 1] = 'b';
	KUNIT_EXPECT_FALSE(test, weir_name_valid(name));
}

/**
 * struct right_row - a user, and its rights to an object
 * @name: name of the row
 * @uid: the user
 * @gid: group of the user
 * @mode: mode of the object
 * @capable: the user has CAP_SYS_ADMIN
 * @rights: expected rights
 */
struct right_row {
	const char *name;
	unsigned int uid;
	unsigned int gid;
	u16 mode;
	bool capable;
	u32 rights;
};

static const struct right_row right_rows[] = {
	{ "owner", OWNER, STRANGER, 0600, false, OBSERVE | USE | ADMIN },
	{ "owner reads", OWNER, STRANGER, 0400, false, OBSERVE | ADMIN },
	{ "owner writes", OWNER, STRANGER, 0200, false, USE | ADMIN },
	{ "owner without bits has only admin", OWNER, GROUP, 0066, false, ADMIN },
	{ "group", STRANGER, GROUP, 0060, false, OBSERVE | USE },
	{ "group reads", STRANGER, GROUP, 0640, false, OBSERVE },
	{ "group is not others", STRANGER, GROUP, 0606, false, 0 },
	{ "others", STRANGER, STRANGER, 0666, false, OBSERVE | USE },
	{ "others write", STRANGER, STRANGER, 0602, false, USE },
	{ "others see keys", STRANGER, STRANGER, 0665, false, OBSERVE | KEYS },
	{ "owner sees keys", OWNER, STRANGER, 0700, false, WEIR_RIGHT_ALL },
	{ "owner of the namespace", NAMESPACE, STRANGER, 0700, false, WEIR_RIGHT_ALL },
	{ "others nothing", STRANGER, STRANGER, 0660, false, 0 },
	{ "administrator", STRANGER, STRANGER, 0000, true, WEIR_RIGHT_ALL },
};

static void right_describe(const struct right_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(right, right_rows, right_describe);

static void object_rights(struct kunit *test)
{
	const struct right_row *row = test->param_value;
	struct weir_object *o = object_new(WEIR_KIND_COUNTER, "a", OWNER, 0);
	struct cred *cred = prepare_creds();
	u32 right;

	KUNIT_ASSERT_NOT_NULL(test, o);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	o->owner = KUIDT_INIT(NAMESPACE);
	o->gid = KGIDT_INIT(GROUP);
	o->mode = row->mode;
	cred->euid = KUIDT_INIT(row->uid);
	cred->egid = KGIDT_INIT(row->gid);
	cred->fsgid = cred->egid;
	cred->cap_effective = row->capable ? CAP_FULL_SET : CAP_EMPTY_SET;
	for (right = 1; right <= WEIR_RIGHT_ALL; right++)
		KUNIT_EXPECT_EQ(test, !(right & ~row->rights),
				weir_object_may(o, cred, right));
	put_cred(cred);
	object_drop(o);
}

static struct kunit_case object_cases[] = {
	KUNIT_CASE_PARAM(object_name, name_gen_params),
	KUNIT_CASE(object_name_must_end),
	KUNIT_CASE_PARAM(object_rights, right_gen_params),
	{}
};

static struct kunit_suite weir_object_suite = {
	.name = "weir_object",
	.init = registry_fixture_init,
	.exit = registry_fixture_exit,
	.test_cases = object_cases,
};

kunit_test_suite(weir_object_suite);
