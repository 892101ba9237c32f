// SPDX-License-Identifier: GPL-2.0-only
/* Owners of objects: USER/NAME, in arguments and in output. */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* room for the name or number of a user, and the name of an object */
#define FULL_ROOM	(256 + WEIR_NAME_SIZE)

const char *arg_owned(const char *kind, const char *text, uint32_t *owner)
{
	const char *slash = strchr(text, '/');
	char user[256];

	*owner = WEIR_OWNER_DEFAULT;
	if (!slash)
		return arg_name(kind, text);
	snprintf(user, sizeof(user), "%.*s", (int)(slash - text), text);
	if (weir_parse_user(user, owner) < 0)
		die("%s '%s': no such user: '%s'", kind, printable(text), user);
	arg_name(kind, slash + 1);
	return slash + 1;
}

void arg_object(const char *kind, const char *text)
{
	uint32_t owner;

	arg_owned(kind, text, &owner);
}

const char *user_number(uint32_t uid)
{
	static char text[12];

	snprintf(text, sizeof(text), "%u", uid);
	return text;
}

const char *user_name(uint32_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? user->pw_name : user_number(uid);
}

const char *full_name_of(uint32_t owner, const char *name)
{
	static char text[FULL_ROOM];

	if (owner == geteuid())
		return name;
	snprintf(text, sizeof(text), "%s/%s", user_name(owner), name);
	return text;
}

const char *full_name(const struct weir_object_info *info)
{
	return full_name_of(info->owner, info->name);
}
