// SPDX-License-Identifier: GPL-2.0-only
/* Errors: one line on standard error with the cause, and exit status 2. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void say(const char *format, va_list list)
{
	/* output printed before the error must appear before it on a terminal */
	fflush(stdout);
	fputs("weir: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
	exit(EXIT_ERROR);
}

void die_usage(const struct args *args, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
	if (args->object)
		fprintf(stderr, "Try 'weir %s --help'.\n",
			command_path(args->object, args->command));
	else
		fputs("Try 'weir --help'.\n", stderr);
	exit(EXIT_ERROR);
}

const char *printable(const char *text)
{
	size_t length = strlen(text);
	char *shown = malloc(4 * length + 1);

	if (!shown)
		die("out of memory");
	weir_text_format(text, length, shown, 4 * length + 1);
	return shown;
}

const char *reason(int error)
{
	switch (error) {
	case EACCES:
		return "permission denied";
	case EDEADLK:
		return "would wait for itself";
	case EDQUOT:
		return "the owner's cap on objects, keys or grants is reached";
	case EEXIST:
		return "exists already";
	case EINVAL:
		return "the kernel module refuses a value";
	case EMFILE:
		return "too many open objects";
	case ENODEV:
		return "was deleted meanwhile";
	case ENOENT:
		return "no such object";
	case ENOMEM:
		return "out of memory";
	case ENOSPC:
		return "the host's cap on objects is reached";
	case ENOTTY:
		return "the kernel module does not know this call";
	case EOPNOTSUPP:
		return "this type of object does not do that";
	case EOVERFLOW:
		return "the sequence is at its end";
	case EPERM:
		return "the client was restricted";
	case ERANGE:
		return "these numbers together cannot be kept exactly";
	default:
		return strerror(error);
	}
}

void die_object(const char *kind, const char *name)
{
	die("%s '%s': %s", kind, printable(name), reason(errno));
}

void die_create(const char *kind, const char *name)
{
	/* the call needs no rights, and the file is open for writing */
	if (errno == EACCES && strchr(name, '/'))
		die("%s '%s': permission denied: only root creates for another user",
		    kind, printable(name));
	if (errno == EACCES)
		die("%s '%s': permission denied: you are not in the group of --group",
		    kind, printable(name));
	die_object(kind, name);
}

static const char *rights_needed(unsigned int rights)
{
	if (rights & WEIR_RIGHT_ADMIN)
		return "needs to be its owner or root";
	if (rights & WEIR_RIGHT_KEYS)
		return "needs r and x in its mode";
	switch (rights & (WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE)) {
	case WEIR_RIGHT_OBSERVE:
		return "needs r in its mode";
	case WEIR_RIGHT_USE:
		return "needs w in its mode";
	default:
		return "needs r and w in its mode";
	}
}

void die_open(const char *kind, const char *name, unsigned int rights)
{
	if (errno == EACCES)
		die("%s '%s': permission denied: %s", kind, printable(name),
		    rights_needed(rights));
	die_object(kind, name);
}

void say_key(const char *kind, const char *name, const struct weir_key *key,
	     const char *what)
{
	char shown[KEY_ROOM];

	fflush(stdout);
	if (key->type == WEIR_KEY_NONE)
		fprintf(stderr, "weir: %s '%s': %s\n", kind, printable(name), what);
	else
		fprintf(stderr, "weir: %s '%s': key '%s': %s\n", kind,
			printable(name), key_show(key, shown), what);
}

void say_absent(const char *name, const struct weir_key *key,
		const char *what)
{
	say_key("limiter", name, key, what);
}

int say_cannot_run(const char *command, int error)
{
	fprintf(stderr, "weir: cannot run '%s': %s\n", printable(command),
		strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

void die_key(const char *name, const struct weir_key *key)
{
	/* these two errors have another meaning for a key than for an object */
	if (errno == ENOSPC)
		say_key("limiter", name, key, "no room for a new key");
	else if (errno == ENOENT)
		say_key("limiter", name, key, "no such entry");
	else
		say_key("limiter", name, key, reason(errno));
	exit(EXIT_ERROR);
}

struct weir *client_open(int flags)
{
	struct weir *weir = weir_open(flags);

	if (weir)
		return weir;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		die("cannot open " WEIR_DEVICE ": no such device; is the module loaded? (modprobe weir)");
	case EACCES:
	case EPERM:
		die("cannot open " WEIR_DEVICE ": permission denied; it takes root or group weir");
	default:
		die("cannot open " WEIR_DEVICE ": %s", strerror(errno));
	}
}
