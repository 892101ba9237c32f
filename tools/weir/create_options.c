// SPDX-License-Identifier: GPL-2.0-only
/* The options of create that all kinds share. */

#include <string.h>

#include "cli.h"

struct weir_create create_take(const struct args *args, enum weir_kind kind,
			       const void *config)
{
	const char *name = arg_name(args->object->name, args->operands[0]);
	struct weir_create create = { .size = sizeof(create), .kind = kind };
	const char *group = args_option(args, "--group");
	const char *mode = args_option(args, "--mode");

	create.mode = mode ? arg_mode(mode) : 0660;
	create.gid = group ? arg_group(group) : WEIR_GID_DEFAULT;
	create.flags = args_option(args, "--existing-ok") ?
		       WEIR_CREATE_EXISTING_OK : 0;
	create.config = (uintptr_t)config;
	strcpy(create.name, name);
	return create;
}

int create_object(const struct args *args, enum weir_kind kind, const void *config)
{
	struct weir_create create = create_take(args, kind, config);
	struct weir *weir = client_open(0);

	if (weir_create(weir, &create) < 0)
		die_create(args->object->name, create.name);
	weir_close(weir);
	return EXIT_YES;
}
