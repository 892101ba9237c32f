/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The weir command: what its files share.
 *
 * One table (commands.c, made of one piece for each object) drives everything:
 * dispatch, option parsing, --help, weir(1) and completion. A command that is not in
 * there does not exist, and one that is cannot be forgotten anywhere.
 */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "weir.h"

/* Exit status */
#define EXIT_YES	0	/* allowed, found, done */
#define EXIT_NO		1	/* limited, banned, full, absent */
#define EXIT_ERROR	2	/* usage, permission, no device... */

/* ---- commands.c: the table ------------------------------------------------ */

#define OPTIONS_MAX 24

struct args;

struct option {
	const char *name;	/* "--rate" */
	const char *value;	/* "N/UNIT", or NULL if it takes none */
	const char *help;
	const char *words;	/* "bucket window": all the values there are */
	bool required;
	const char *unless;	/* but not if this other one is given; or NULL */
};

struct command {
	const char *verb;	/* NULL if the object's name is the command */
	const char *operands;	/* "NAME [KEY] N" */
	int least, most;	/* how many; most -1: any number */
	const char *summary;	/* one line, no full stop */
	const char *details;	/* paragraphs, parted by an empty line; or NULL */
	const char *complete;	/* what each operand names: "limiter -", or NULL */
	bool prints;		/* has --json */
	const struct option *options;	/* the last one has no name; or NULL */
	int (*run)(const struct args *args);
};

struct object {
	const char *name;
	const char *summary;
	const struct command *commands;
	int ncommands;
};

extern const struct object *const objects[];
extern const int nobjects;

extern const struct object status_object, list_object, events_object, emit_object,
	counter_object, limiter_object, check_object, ban_object,
	save_object, restore_object;

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* The option of every command that prints, and of every command at all. */
extern const struct option json_option, help_option;

const struct object *object_find(const char *name);
const struct command *command_find(const struct object *object,
				   const char *verb);

/* ---- args.c: a command line, understood ------------------------------------- */

struct args {
	const struct object *object;
	const struct command *command;
	int count;			/* operands */
	char **operands;
	const char *values[OPTIONS_MAX];	/* by the command's options */
	bool json;
	bool help;
};

int args_run(int argc, char **argv);

/* The value of an option that the command has, or NULL if it was not given. */
const char *args_option(const struct args *args, const char *name);

/* Numbers out of words. @what names the argument in the message if they fail. */
uint64_t arg_u64(const char *what, const char *text, uint64_t least,
		 uint64_t most);
int64_t arg_s64(const char *what, const char *text);
uint64_t arg_duration(const char *what, const char *text, uint64_t least,
		      uint64_t most);
uint32_t arg_mode(const char *text);
uint32_t arg_group(const char *text);
const char *arg_name(const char *kind, const char *name);

/* ---- help.c, complete.c -------------------------------------------------------- */

void help_all(void);
void help_object(const struct object *object);
void help_command(const struct object *object, const struct command *command);

/* "limiter create NAME --rate N/UNIT [OPTION...]" */
void usage_line(char *buffer, size_t size, const struct object *object,
		const struct command *command);
const char *command_path(const struct object *object,
			 const struct command *command);

int complete(int count, char **words);

/* ---- error.c: failing with a message --------------------------------------------- */

/* "weir: ..." on standard error, exit status 2 */
void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
/* The same with a hint on --help of the command that was typed, if any. */
void die_usage(const struct args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* "weir: limiter 'login': no such object", from errno */
void die_object(const char *kind, const char *name)
	__attribute__((noreturn));
/* The same after a failed create. */
void die_create(const char *kind, const char *name)
	__attribute__((noreturn));
/* The same after a failed open: tells what right was missing. */
void die_open(const char *kind, const char *name, unsigned int rights)
	__attribute__((noreturn));
/* "weir: limiter 'login': key 'bob': ..." , from errno */
void die_key(const char *name, const struct weir_key *key)
	__attribute__((noreturn));
/* The same message, and no exit: the answer is no. */
void say_absent(const char *name, const struct weir_key *key,
		const char *what);

/* @text fit to stand in a message, until exit */
const char *printable(const char *text);

/* What an errno of the kernel means here. */
const char *reason(int error);

/* The client; exits if there is none. */
struct weir *client_open(int flags);

/* ---- output.c ------------------------------------------------------------------------ */

enum colour { PLAIN, BOLD, GREEN, YELLOW, RED };

void output_begin(void);
int output_end(int status);
void output_flush(void);
const char *colour(enum colour colour);

void json_print(json_t *json);
void json_print_line(json_t *json);
/* An array printed element by element, so that it may be larger than memory. */
void json_array_begin(void);
void json_array_add(json_t *json);
void json_array_end(void);

json_t *json_u64(uint64_t number);
void json_add(json_t *object, const char *name, json_t *value);
/* @name, and @name_hex if the bytes are not UTF-8 */
void json_add_bytes(json_t *object, const char *name, const void *bytes,
		    size_t length);
/* "key" in that way */
void json_add_key(json_t *object, const struct weir_key *key);

#define HUMANE_MAX 32
/* "11.9 s", rounded up; for people, where weir_format_duration() is exact */
const char *humane(uint64_t ns, char *buffer);
#define KEY_ROOM WEIR_KEY_FORMAT_MAX
/* "-" for no key */
const char *key_show(const struct weir_key *key, char *buffer);

/* ---- answer.c: limiters and keys, for limiter, check and ban --------------------------- */

struct weir_limiter *limiter_open(struct weir *weir, const char *name,
				  unsigned int rights);
/*
 * Take the key off the front of the operands, if the limiter has keys: how many
 * operands that took.
 */
int key_take(struct weir_limiter *limiter, int count, char **operands,
	     struct weir_key *key);
/* The whole rest must be the key; NULL if there is none. */
void key_only(const struct args *args, struct weir_limiter *limiter,
	      struct weir_key *key);
/* A key from text; exits if it is none. */
void key_parse(struct weir_key *key, int type, const char *text);

json_t *answer_json(const char *name, const struct weir_key *key,
		    const struct weir_answer *answer);
void answer_print(const struct weir_answer *answer, bool by_this);
/* The verdict as it would be without shadow mode. */
unsigned int answer_unshadowed(const struct weir_answer *answer);
/* Check (with --wait, if it was given) or peek, print, and tell the exit status. */
int check_run(const struct args *args, struct weir_limiter *limiter,
	      const char *name, const struct weir_key *key, uint64_t cost,
	      bool peek);
#define WAIT_NOTE \
	"With --wait it answers at once if it cannot be due in time (but a ban, which may be lifted, is waited for); until it is due, others who check the key are limited. Interrupted, it has charged nothing."

#define TOKENS_MAX	0xffffffffULL
#define DAY		86400000000000ULL
#define YEAR		(365 * DAY)

/* ---- histogram.c: pieces of counter.c's table ------------------------------------------ */

extern const struct option counter_observe_options[];

struct weir_counter *counter_open(struct weir *weir, const char *name,
				  unsigned int rights);
int counter_observe_run(const struct args *args);
/* All that it holds, or what @field (may be NULL) asks for. */
void histogram_print(const struct args *args, const char *name, const char *field,
		     const struct weir_histogram *h);
#define HISTOGRAM_FIELDS "count sum mean min max p50 p90 p99 p99.9"

/* ---- limiter_config.c, limiter_show.c, limiter_key.c, keys.c, rules.c, why.c: pieces of limiter.c's table ---------- */

extern const struct option limiter_create_options[], limiter_set_options[],
	limiter_show_options[], limiter_keys_options[],
	limiter_cost_options[], limiter_check_options[];

int limiter_create_run(const struct args *args);
int limiter_set_run(const struct args *args);
int limiter_show_run(const struct args *args);
int limiter_keys_run(const struct args *args);
int limiter_allow_run(const struct args *args);
int limiter_deny_run(const struct args *args);
int limiter_unlist_run(const struct args *args);
int limiter_rules_run(const struct args *args);
int limiter_check_run(const struct args *args);
int limiter_peek_run(const struct args *args);
int limiter_refund_run(const struct args *args);
int limiter_strike_run(const struct args *args);
int limiter_forgive_run(const struct args *args);
int limiter_forget_run(const struct args *args);

/* Tell what the next check of a key would be told, and why. */
void why_run(const struct args *args, struct weir_limiter *limiter);

/* List the keys of a limiter; @prefix NULL: of any; @top 0: all, in no order. */
int keys_list(const struct args *args, const char *name, bool banned,
	      const char *prefix, uint64_t top);

#endif /* WEIR_CLI_H */
