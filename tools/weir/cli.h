/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The weir command: declarations shared by its files.
 *
 * One table (commands.c, composed of one part per object) drives dispatch, option
 * parsing, --help, weir(1) and completion. A command exists if and only if it is in
 * the table.
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
#define EXIT_ERROR	2	/* usage, permission, no device, ... */
#define EXIT_LOST	124	/* roster claim: the lease was lost */
#define EXIT_CANNOT_RUN	126	/* run: the same numbers as those of env(1) */
#define EXIT_NOT_FOUND	127

/* ---- commands.c: the table ------------------------------------------------ */

#define OPTIONS_MAX 24

struct args;

struct option {
	const char *name;	/* "--rate" */
	const char *value;	/* "N/UNIT"; NULL: the option has no value */
	const char *help;
	const char *words;	/* "bucket window": all valid values */
	bool required;
	const char *unless;	/* an option that replaces this one; or NULL */
};

struct command {
	const char *verb;	/* NULL: the object's name alone is the command */
	const char *operands;	/* "NAME [KEY] N" */
	int least, most;	/* least and most operands; most -1: any number */
	const char *summary;	/* one line, no full stop */
	const char *details;	/* paragraphs, separated by an empty line; or NULL */
	const char *complete;	/* what each operand names, "limiter -"; or NULL */
	bool prints;		/* the command has --json */
	const struct option *options;	/* ended by one without a name; or NULL */
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
	counter_object, limiter_object, gate_object, breaker_object, roster_object,
	check_object, ban_object, save_object, restore_object;

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* The option of every command that prints, and the option of every command. */
extern const struct option json_option, help_option;

const struct object *object_find(const char *name);
const struct command *command_find(const struct object *object,
				   const char *verb);

/* ---- args.c: the parsed command line ---------------------------------------- */

struct args {
	const struct object *object;
	const struct command *command;
	int count;			/* operands */
	int before;			/* number of operands before a "--" */
	bool parted;			/* a "--" was given */
	char **operands;
	const char *values[OPTIONS_MAX];	/* in the order of the command's options */
	bool json;
	bool help;
};

int args_run(int argc, char **argv);

/* The value of an option of the command, or NULL if it was not given. */
const char *args_option(const struct args *args, const char *name);

/* A bit of a WEIR_SET_* mask and the option that sets it. An array ends with a NULL option. */
struct set_bit {
	const char *option;
	uint64_t bit;
};

uint64_t args_mask(const struct args *args, const struct set_bit *bits);

/* The command after "--". There must be a NAME before it. */
char **args_command(const struct args *args);

/* The value of an option, or @otherwise if the option was not given. */
uint64_t option_u64(const struct args *args, const char *name, uint64_t least,
		    uint64_t most, uint64_t otherwise);
uint64_t option_duration(const struct args *args, const char *name, uint64_t least,
			 uint64_t most, uint64_t otherwise);
/*
 * An option that must be one of the words that @parse accepts. @choices lists them in the error
 * message.
 */
int option_word(const struct args *args, const char *name,
		int (*parse)(const char *word), const char *choices, int otherwise);

/* Parse a number. @what names the argument in the error message. */
uint64_t arg_u64(const char *what, const char *text, uint64_t least,
		 uint64_t most);
int64_t arg_s64(const char *what, const char *text);
uint64_t arg_duration(const char *what, const char *text, uint64_t least,
		      uint64_t most);
/* A list of durations from @least to 3650d, as in @example, stored in nbans and ban of @ladder. */
void arg_ladder(const char *what, const char *text, uint64_t least,
		const char *example, struct weir_limiter_config *ladder);
uint32_t arg_mode(const char *text);
uint32_t arg_group(const char *text);
const char *arg_name(const char *kind, const char *name);

/* Split NAME or USER/NAME. Return: the name. *@owner: the owner, or WEIR_OWNER_DEFAULT. */
const char *arg_owned(const char *kind, const char *text, uint32_t *owner);

/* Die unless @text is a valid NAME or USER/NAME. libweir splits it later. */
void arg_object(const char *kind, const char *text);

/* A user's number as text; valid until the next call. */
const char *user_number(uint32_t uid);

/* A user's name, or the number if there is no name; valid until the next call. */
const char *user_name(uint32_t uid);

/* NAME for an object of the caller, USER/NAME for another owner's; valid until the next call. */
const char *full_name_of(uint32_t owner, const char *name);
const char *full_name(const struct weir_object_info *info);

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
/* Like die(), with a hint at --help of the command that was given, if any. */
void die_usage(const struct args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* "weir: limiter 'login': no such object", from errno */
void die_object(const char *kind, const char *name)
	__attribute__((noreturn));
/* Like die_object(), after a failed create. */
void die_create(const char *kind, const char *name)
	__attribute__((noreturn));
/* Like die_object(), after a failed open. Names the missing right. */
void die_open(const char *kind, const char *name, unsigned int rights)
	__attribute__((noreturn));
/* "weir: gate 'db': ..." or "weir: gate 'db': key 'bob': ..."; does not exit */
void say_key(const char *kind, const char *name, const struct weir_key *key,
	     const char *what);
/* "weir: cannot run 'make': ..."; returns the exit status */
int say_cannot_run(const char *command, int error);
/* "weir: limiter 'login': key 'bob': ..." , from errno */
void die_key(const char *name, const struct weir_key *key)
	__attribute__((noreturn));
/* Print the same message, but do not exit: the answer is "no". */
void say_absent(const char *name, const struct weir_key *key,
		const char *what);

/* @text made safe for a message; valid until the process exits. */
const char *printable(const char *text);

/* The message for an errno of the kernel. */
const char *reason(int error);

/* Open a client; exits on failure. */
struct weir *client_open(int flags);

/* ---- output.c ------------------------------------------------------------------------ */

enum colour { PLAIN, BOLD, GREEN, YELLOW, RED };

void output_begin(void);
int output_end(int status);
void output_flush(void);
/* Flush, and undo output_begin(), before the process executes another program. */
void output_leave(void);
const char *colour(enum colour colour);

void json_print(json_t *json);
void json_print_line(json_t *json);
/* A JSON array printed element by element, so that it may be larger than memory. */
void json_array_begin(void);
void json_array_add(json_t *json);
void json_array_end(void);

json_t *json_u64(uint64_t number);
void json_add(json_t *object, const char *name, json_t *value);
/* @name, and @name_hex if the bytes are not UTF-8 */
void json_add_bytes(json_t *object, const char *name, const void *bytes,
		    size_t length);
/* The same for "key". */
void json_add_key(json_t *object, const struct weir_key *key);

#define HUMANE_MAX 32
/* "11.9 s", rounded up; less exact than weir_format_duration() */
const char *humane(uint64_t ns, char *buffer);
#define KEY_ROOM WEIR_KEY_FORMAT_MAX
/* "-" for no key */
const char *key_show(const struct weir_key *key, char *buffer);

/* ---- create_options.c: options of create, for every kind -------------------------------- */

/* Each is for a row of the table: { .name = MODE_OPTION } */
#define MODE_OPTION "--mode", .value = "MODE", \
	.help = "octal permissions, as of a file: r (observe), w (use) and x (see which keys there are); most commands need r and w. Only the owner and root may administer. Default 0760"
#define GROUP_OPTION "--group", .value = "GROUP", \
	.help = "the group for --mode; default: yours"
#define EXISTING_OK_OPTION(kind) "--existing-ok", \
	.help = "succeed without a change if a " kind " of that name exists"

/* The common options of create, and the name in the first operand. Exits if one is wrong. */
struct weir_create create_take(const struct args *args, enum weir_kind kind,
			       const void *config);
/* Parse the common options and create the object. Return: the exit status. */
int create_object(const struct args *args, enum weir_kind kind, const void *config);

/* If the object existed already, print that and its owner. */
void say_existed(const struct args *args, const struct weir_create *create);

/* ---- key_config.c: the key type of an object ---------------------------------------------- */

#define KEY_OPTION "--key", .value = "TYPE", .words = "none u64 ip text", \
	.help = "type of the keys: none (the default), u64, ip or text"
#define PREFIX_OPTION "--prefix", .value = "BITS[,BITS]", \
	.help = "leading bits of an IPv4 and of an IPv6 address that make the key; default 32,64"

/* The values of --key and --prefix. */
struct key_choice {
	uint32_t type;
	uint8_t prefix4;
	uint8_t prefix6;
};

struct key_choice key_choose(const struct args *args, uint64_t max_keys);

/* The options of key_choose() one by one. Without the option the value is @otherwise, or stays. */
uint32_t key_type_take(const struct args *args, uint32_t otherwise);
uint64_t max_keys_take(const struct args *args, uint64_t otherwise);
void key_prefix_take(const struct args *args, uint8_t *prefix4, uint8_t *prefix6);
/* Check that the options fit together; exits if not. */
void key_check(const struct args *args, uint32_t type, uint64_t max_keys);
/* Report a set that failed with ERANGE. */
void die_max_keys(const char *kind, const char *name) __attribute__((noreturn));

/* "key_type", "prefix4", "prefix6" and "max_keys" */
void json_add_key_config(json_t *json, const struct key_choice *keys,
			 uint64_t max_keys);
/* "keys       ip/24,56, 0 of 100 in use", without a newline */
void key_config_print(const struct key_choice *keys, uint64_t used, uint64_t max_keys);

/* ---- answer.c: keys, and answers of limiters -------------------------------------------- */

struct weir_limiter *limiter_open(struct weir *weir, const char *name,
				  unsigned int rights);
/*
 * Parse the key at the front of the operands, if the limiter has keys. Return: number of
 * operands used.
 */
int key_take(struct weir_limiter *limiter, int count, char **operands,
	     struct weir_key *key);
/* All remaining operands must be the key. NULL: the object has no keys. */
void key_only(const struct args *args, struct weir_limiter *limiter,
	      struct weir_key *key);
/* Parse a key; exits if it is invalid. */
void key_parse(struct weir_key *key, int type, const char *text);

/* The key of an object with keys of @type: one operand, or none if the type is NONE. */
void key_operands(struct weir_key *key, const char *kind, const char *name, int type,
		  int count, char **operands);

/*
 * The keys that --prefix selects. Each key is tested when it is listed, so the filter needs no
 * memory.
 */
struct key_filter {
	const char *text;	/* the value of the option; NULL: all keys */
	unsigned int type;
	unsigned int length;	/* bytes of @text, or of an address in @block */
	unsigned int bits;	/* leading bits of an address that must equal those of the block */
	struct weir_rule block;
};

/*
 * Complete a filter whose text is set, for an object with keys of type @keys. Exits if the text is
 * invalid.
 */
void key_filter_take(struct key_filter *filter, const char *kind, const char *name,
		     const struct key_choice *keys);
bool key_filter_has(const struct key_filter *filter, const struct weir_key *key);

json_t *answer_json(const char *name, const struct weir_key *key,
		    const struct weir_answer *answer);
void answer_print(const struct weir_answer *answer, bool by_this);
/* The verdict as it would be without shadow mode. */
unsigned int answer_unshadowed(const struct weir_answer *answer);
/* Die if @cost is above the limit: waiting would never help. */
void cost_check(const char *name, const struct weir_answer *answer, uint64_t cost);
/* Check (with --wait, if given) or peek, and print the answer. Return: the exit status. */
int check_run(const struct args *args, struct weir_limiter *limiter,
	      const char *name, const struct weir_key *key, uint64_t cost,
	      bool peek);
#define WAIT_NOTE \
	"With --wait the command is refused at once if the tokens cannot be due within T. It does wait for a ban that lasts longer, because a ban may be lifted. While it waits, other checks of the key are limited. If it is interrupted, nothing is charged."

#define TOKENS_MAX	0xffffffffULL
#define DAY		86400000000000ULL
#define YEAR		(365 * DAY)

/* ---- histogram.c: pieces of counter.c's table ------------------------------------------ */

extern const struct option counter_observe_options[];

struct weir_counter *counter_open(struct weir *weir, const char *name,
				  unsigned int rights);
int counter_observe_run(const struct args *args);
/* Print the whole histogram, or only @field if it is not NULL. */
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

/* Print the answer that the next check of a key would get, and the reason. */
void why_run(const struct args *args, struct weir_limiter *limiter);

/* List the keys of a limiter; @prefix NULL: all keys; @top 0: all, unordered. */
int keys_list(const struct args *args, const char *name, bool banned,
	      const char *prefix, uint64_t top);

/* ---- breaker.c, breaker_config.c, breaker_show.c, breaker_run.c: parts of its table ------ */

extern const struct option breaker_create_options[], breaker_run_options[];

int breaker_create_run(const struct args *args);
int breaker_show_run(const struct args *args);
int breaker_run_run(const struct args *args);

struct weir_breaker *breaker_open(struct weir *weir, const char *name,
				  unsigned int rights);
/* "weir: breaker 'db': key 'bob': ...", from errno; does not exit */
void say_breaker(const char *name, const struct weir_key *key);
/* The reason for which a call is not admitted. */
#define REFUSAL_MAX 96
const char *breaker_refusal(const struct weir_breaker_answer *answer, char *buffer);

/* ---- roster.c, and roster_key.c, roster_claim.c, roster_show.c: pieces of its table ----- */

int roster_claim_run(const struct args *args);
int roster_put_run(const struct args *args);
int roster_get_run(const struct args *args);
int roster_replace_run(const struct args *args);
int roster_touch_run(const struct args *args);
int roster_remove_run(const struct args *args);
int roster_show_run(const struct args *args);
int roster_list_run(const struct args *args);

struct weir_roster *roster_open(struct weir *weir, const char *name,
				unsigned int rights);
/* The value of --ttl in ns; WEIR_NEVER for "never"; 0 if --ttl was not given */
uint64_t roster_ttl(const struct args *args);

/* A key of a roster, and a value if one was given. */
struct lease_question {
	const struct args *args;
	const char *name;
	struct weir *weir;
	struct weir_roster *roster;
	struct weir_key key;
	const char *value;	/* or NULL */
};

/* Parse the first @count operands; @flags as for client_open() */
void lease_ask(struct lease_question *q, const struct args *args, int count, int flags,
	       unsigned int rights);

struct lease_value {
	uint8_t bytes[WEIR_VALUE_MAX + 1];
	size_t length;
};

/* Take the value from @text, or from standard input if it is "-"; NULL: no value */
void lease_value_take(struct lease_value *value, const char *text);
int lease_claim_detached(struct lease_question *q);

/*
 * Print the reason, from errno, on standard error. Return: the exit status. @lease: the existing
 * lease.
 */
int lease_say(const struct lease_question *q, const struct weir_roster_answer *lease);
/* Print the outcome, with --json as JSON; on success with @value unless it is NULL. */
int lease_answer(struct lease_question *q, int ret,
		 const struct weir_roster_answer *answer, const void *value);
/* Add the members of a lease, without key and value, to a JSON object. */
void lease_json_add(json_t *json, const struct weir_roster_answer *lease);

#define USER_MAX 48
const char *user_show(uint32_t uid, char *buffer);
/* "process 12 of root has it" */
#define WHOSE_MAX 112
const char *lease_whose(const struct weir_roster_answer *lease, char *buffer);

#endif /* WEIR_CLI_H */
