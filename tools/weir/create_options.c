// SPDX-License-Identifier: GPL-2.0-only
/* The options of create that objects of all kinds have. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* keys can be addresses and names of people: the group sees them only if --mode permits it */
#define DEFAULT_MODE 0760

struct weir_create create_take(const struct args *args, enum weir_kind kind,
			       const void *config)
{
	struct weir_create create = { .size = sizeof(create), .kind = kind };
	const char *group = args_option(args, "--group");
	const char *mode = args_option(args, "--mode");

	create.mode = mode ? arg_mode(mode) : DEFAULT_MODE;
	create.gid = group ? arg_group(group) : WEIR_GID_DEFAULT;
	create.flags = args_option(args, "--existing-ok") ?
		       WEIR_CREATE_EXISTING_OK : 0;
	create.config = (uintptr_t)config;
	strcpy(create.name, arg_owned(args->object->name, args->operands[0],
				      &create.owner));
	return create;
}

void say_existed(const struct args *args, const struct weir_create *create)
{
	if (create->created)
		return;
	printf("%s '%s'", args->object->name, create->name);
	if (create->owner != geteuid())
		printf(" of %s", user_name(create->owner));
	printf(" existed; nothing was made\n");
}

int create_object(const struct args *args, enum weir_kind kind, const void *config)
{
	struct weir_create create = create_take(args, kind, config);
	struct weir *weir = client_open(0);

	if (weir_create(weir, &create) < 0)
		die_create(args->object->name, args->operands[0]);
	say_existed(args, &create);
	weir_close(weir);
	return EXIT_YES;
}
