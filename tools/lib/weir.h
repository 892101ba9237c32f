/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libweir - counting and limiting exactly, for every process on a host
 *
 * cc program.c $(pkg-config --cflags --libs libweir)
 */
#ifndef LIBWEIR_H
#define LIBWEIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <linux/weir.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ---------------------------------------------------------------------------
 * The library in a minute
 *
 *	struct weir *weir = weir_open(0);
 *	struct weir_limiter *login = weir_limiter_open(weir, "login",
 *				WEIR_RIGHT_OBSERVE | WEIR_RIGHT_USE);
 *	struct weir_key key;
 *	struct weir_answer answer;
 *
 *	weir_key_ip(&key, "192.0.2.7");
 *	switch (weir_limiter_check(login, &key, 1, &answer)) {
 *	case WEIR_ALLOWED:	serve();			break;
 *	case WEIR_LIMITED:	come_back(answer.retry_after);	break;
 *	case WEIR_BANNED:	hang_up();			break;
 *	case WEIR_FULL:		too_many_clients();		break;
 *	case -1:		perror("login");		break;
 *	}
 *
 * A *client* (struct weir) is one open file of /dev/weir. It has any number of *objects*
 * (struct weir_counter, struct weir_limiter, struct weir_gate, struct weir_breaker, struct
 * weir_roster), each a handle with rights that were checked when it was opened. <linux/weir.h>
 * describes the objects; its structs, enums and constants are used here.
 *
 * Errors. On an error, a function that returns int returns -1, and a function that returns a
 *	pointer returns NULL. errno has the error, with the meaning that <linux/weir.h> gives it
 *	under "Errors". Errors of the library itself are named with the function. No function prints
 *	anything or exits. A call that fails has changed nothing.
 *
 * Ownership. The caller owns the result of *_open() and *_create() and passes it to the matching
 *	*_close(). A pointer from *_next() belongs to the iterator and is valid until the next call
 *	with that iterator. Strings and structs passed to a function are copied, or used during the
 *	call only. *_close(NULL) does nothing. No *_close() changes errno.
 *
 * Order of closing. A client and its objects may be closed in any order. The client's descriptor is
 *	closed when all of them are closed. Iterators over keys and leases must be closed before
 *	their object. An event stream has its own open file.
 *
 * Threads. Any number of threads may use one client and its objects at once: an
 *	object never changes after it was opened. Closing is the exception: no other thread may be
 *	using the object or client. An iterator (objects, entries, members, events) may be used by
 *	one thread at a time.
 *
 * fork() and exec(). A child of fork() gets a duplicate of each client and event stream, under the
 *	same descriptor number and with the same handles. The duplicate holds none of the parent's
 *	permits, probes and leases, and does not keep the parent's client open. If duplication fails
 *	(no descriptors, no memory, weir_shutdown()), calls in the child fail with EBADF.
 *	Descriptors made with dup(), and children made with clone(), which runs no pthread_atfork()
 *	handlers, share the parent's client. exec() closes the descriptor.
 *
 * Holders. Permits of a gate, queued requests for them, probes of a breaker and leases of a roster
 *	belong to a client and a tag: see <linux/weir.h>, "Holders". If several activities use one
 *	client, and one must not release the permits of another, each sets its own tag with
 *	weir_tag_set().
 *
 * Signals. Calls on objects are repeated when a signal interrupts them. They sleep only to get
 *	memory, or while another task changes the same object. weir_limiter_wait(),
 *	weir_gate_acquire() and weir_events_next() are different: they sleep up to their timeout,
 *	and a signal ends them with EINTR.
 *
 * Units. Durations and times are in nanoseconds. Times are CLOCK_BOOTTIME in the caller's time
 *	namespace. WEIR_NEVER stands for "never" and for "no limit".
 *
 * Structs with a size. A struct of <linux/weir.h> whose first member is @size
 *	is passed with size set to sizeof(the struct), also if the function fills it in. So
 *	programs, libraries and kernels of different versions work together. Set all other
 *	members to zero first:	struct weir_info info = { .size = sizeof(info) };
 */

#define LIBWEIR_VERSION		"0.2.0"

struct weir;			/* a client */
struct weir_counter;		/* a client's handle for a counter */
struct weir_limiter;		/* a client's handle for a limiter */
struct weir_gate;		/* a client's handle for a gate */
struct weir_breaker;		/* a client's handle for a breaker */
struct weir_roster;		/* a client's handle for a roster */
struct weir_objects;		/* iterates over objects */
struct weir_entries;		/* iterates over the keys of a limiter */
struct weir_members;		/* iterates over the leases of a roster */
struct weir_events;		/* the event stream */

/** weir_lib_version() - the version of the running library, such as "0.2.0" */
const char *weir_lib_version(void);

/*
 * ---------------------------------------------------------------------------
 * Clients
 */

/**
 * weir_open() - open /dev/weir
 * @flags: 0, or WEIR_OPEN_READONLY for a client that only observes
 *
 * The descriptor is close-on-exec.
 *
 * Return: a client for weir_close(), or NULL. ENOENT, ENXIO and ENODEV mean that the module
 *	is not loaded, EACCES that the caller is neither root nor in the device's group, EINVAL
 *	that @flags has unknown bits, ENOMEM.
 */
struct weir *weir_open(int flags);
#define WEIR_OPEN_READONLY	0x1

/**
 * weir_close() - close a client
 *
 * When all its objects are closed too, its handles are closed, and its permits, probes and leases
 * come back.
 */
void weir_close(struct weir *weir);

/**
 * weir_tag_set() - set the tag of this thread's operations
 * @tag: any number; it is 0 until it is set
 *
 * Client and tag make the holder. Each thread has its own tag, for all clients. weir_op_gate(),
 * weir_op_breaker() and weir_op_roster() put it into &weir_op.tag.
 *
 * Return: the previous tag.
 */
uint32_t weir_tag_set(uint32_t tag);

/**
 * weir_collect() - get the answers of asynchronous requests that have ended
 * @ops: filled in with the ops as they were submitted, and their answers:
 *	weir_op_gate_answer() translates them
 * @count: the number of ops that fit in @ops, 1..WEIR_BATCH_MAX
 *
 * Each request is returned once, to one caller. The call does not wait: weir_fd() is writable
 * (POLLOUT) while there are requests that have ended.
 *
 * Return: the number of requests returned, 0 or more; or -1.
 */
int weir_collect(struct weir *weir, struct weir_op *ops, unsigned int count);

/**
 * weir_shutdown() - end the work of all threads and processes that use the client
 *
 * For a thread that ends other threads. These may sleep in weir_limiter_wait() or
 * weir_gate_acquire(). Their calls, and all later ones on the client and its objects, fail with
 * EBADF. What the client holds comes back when it is closed: after this, end the threads, then
 * close the objects and the client. The duplicates that children of fork() have are not affected.
 *
 * Return: 0 or -1.
 */
int weir_shutdown(struct weir *weir);

/** weir_tag_drop() - take back everything that a client holds under @tag; 0 or -1 */
int weir_tag_drop(struct weir *weir, uint32_t tag);

/**
 * weir_fd() - a client's file descriptor, for poll() and for ioctls by the caller
 *
 * It belongs to the client. Reading it returns events, but see weir_events_open().
 */
int weir_fd(const struct weir *weir);

/**
 * weir_get_info() - version, features and limits of the module
 * @info: filled in; the caller sets its size
 *
 * Return: 0 or -1. ENOTTY: /dev/weir is not the device.
 */
int weir_get_info(struct weir *weir, struct weir_info *info);

/**
 * weir_restrict() - give up powers of a client for good
 * @powers: WEIR_RESTRICT_* bits
 *
 * Calls that need one of these powers fail with EPERM from then on, also in processes that
 * inherit the descriptor.
 *
 * Return: 0 or -1.
 */
int weir_restrict(struct weir *weir, unsigned int powers);

/**
 * weir_restrict_handle() - narrow the rights of a handle for good
 * @handle: the handle
 * @rights: the rights that it keeps, of those it has
 *
 * Return: 0 or -1 (EBADF).
 */
int weir_restrict_handle(struct weir *weir, uint32_t handle, unsigned int rights);

/**
 * weir_submit() - perform many operations with one system call
 * @ops: operations as described in <linux/weir.h>, see weir_op_limiter() and weir_op_add(); their
 *	second halves are filled in
 * @count: 1..WEIR_BATCH_MAX
 *
 * This is the plain ioctl. The @result of each op has its own outcome: 0 or a negative errno.
 *
 * Return: the number of operations performed, beginning with the first: @count, or fewer if a
 *	signal or a bad pointer ended the batch early. -1 if no operation was performed: EFAULT,
 *	EINVAL, EINTR.
 */
int weir_submit(struct weir *weir, struct weir_op *ops, unsigned int count);

/**
 * weir_transaction() - perform operations with one system call, all or none
 * @ops: at most WEIR_TRANSACTION_CHECKS CHECKs, and ADDs
 * @count: 1..WEIR_TRANSACTION_MAX
 * @which: set to the index of the op that decided: the first CHECK that was refused, or the
 *	op that failed; may be NULL. Unchanged if the call itself fails.
 *
 * If every check is allowed, all are charged and all amounts are added, in one step for observers.
 * Otherwise nothing is charged or added. Only the check that decided is counted as refused and can
 * cause a strike. weir_op_answer() returns the answer of each key.
 *
 * @ops can also be at most WEIR_CLAIMS_MAX CLAIMs of rosters: all leases are made, in one step
 * for observers, or none. weir_op_roster_answer() returns the answer of each; if another holder
 * has a lease (EEXIST), it describes that lease.
 *
 * Return: WEIR_ALLOWED; the verdict of the check that was refused; 0: all leases were made;
 *	or -1, and nothing happened: the errno of the op that failed (EBADF, EACCES, EINVAL,
 *	ENODEV, EOPNOTSUPP, ENOMEM, EEXIST, ENOSPC), or of the call (EFAULT, EINVAL).
 */
int weir_transaction(struct weir *weir, struct weir_op *ops, unsigned int count,
		     unsigned int *which);

/*
 * ---------------------------------------------------------------------------
 * Objects of any kind
 */

/**
 * weir_create() - create an object, with all options
 * @create: as described in <linux/weir.h>, size included; filled in, also on EEXIST (@id and
 *	@owner of the object that has the name)
 *
 * This is the plain ioctl. weir_counter_create() and weir_limiter_create() are simpler;
 * weir_counter_adopt() and weir_limiter_adopt() make an object from the handle.
 *
 * Return: 0 or -1.
 */
int weir_create(struct weir *weir, struct weir_create *create);

/**
 * weir_objects_open() - begin to list the objects the caller may observe
 * @kind: WEIR_KIND_ANY or one kind
 * @user: the owner of the objects, by name or number; NULL: all owners
 *
 * Return: an iterator for weir_objects_close(), or NULL (ENOMEM, ENOENT: no such user).
 */
struct weir_objects *weir_objects_open(struct weir *weir, enum weir_kind kind,
				       const char *user);

/**
 * weir_objects_next() - the next object
 * @info: set to the object's description, which belongs to the iterator and is valid until
 *	the next call
 *
 * Objects are returned in the order of their creation. An object that exists during the whole
 * listing is returned exactly once.
 *
 * Return: 1 with an object, 0 at the end, -1 for an error.
 */
int weir_objects_next(struct weir_objects *objects,
		      const struct weir_object_info **info);

/** weir_objects_close() - end a listing */
void weir_objects_close(struct weir_objects *objects);

/*
 * ---------------------------------------------------------------------------
 * Counters
 */

/**
 * weir_counter_create() - make a counter
 * @name: 1 to 63 characters of A-Z a-z 0-9 . _ - ; the first is a letter or a digit
 * @type: WEIR_COUNTER_SUM, WEIR_COUNTER_SEQUENCE or WEIR_COUNTER_HISTOGRAM
 * @fields: names of the fields, by the rules of @name; may be NULL if @nfields is 0
 * @nfields: 0 to 64; 0 makes one field called "value", the only choice for a sequence. A
 *	histogram has no fields.
 * @mode: permission bits, like those of a file: r (4) observe, w (2) use; 0660 is usual. The group
 *	is the caller's.
 *
 * Return: the counter with all rights, for weir_counter_close(), or NULL: EEXIST if a
 *	counter has that name.
 */
struct weir_counter *weir_counter_create(struct weir *weir, const char *name,
					 enum weir_counter_type type,
					 const char *const *fields,
					 unsigned int nfields,
					 unsigned int mode);

/**
 * weir_counter_ensure() - open a counter, creating it if it does not exist
 * @rights: WEIR_RIGHT_* wanted
 *
 * Exactly one of several concurrent callers creates it, and all open the same one. An existing
 * counter is opened unchanged, whatever its fields are: check them with weir_counter_field().
 *
 * Return: as weir_counter_create(), but EACCES instead of EEXIST if the existing one does
 *	not grant @rights.
 */
struct weir_counter *weir_counter_ensure(struct weir *weir, const char *name,
					 enum weir_counter_type type,
					 const char *const *fields,
					 unsigned int nfields,
					 unsigned int mode, unsigned int rights);

/**
 * weir_counter_open() - open a counter
 * @rights: WEIR_RIGHT_* wanted, at least one; all are granted, or the call fails
 *
 * The library knows the names of fields only with WEIR_RIGHT_OBSERVE. Without it, fields are
 * accessed by number.
 *
 * Return: the counter, for weir_counter_close(), or NULL: ENOENT, EACCES, ...
 */
struct weir_counter *weir_counter_open(struct weir *weir, const char *name,
				       unsigned int rights);

/**
 * weir_counter_adopt() - make a counter object from a handle
 * @handle: of a counter, from weir_create() on the same client. The object owns it from now
 *	on; if the call fails, the caller still does.
 */
struct weir_counter *weir_counter_adopt(struct weir *weir, uint32_t handle);

/** weir_counter_close() - close the handle; the counter itself stays */
void weir_counter_close(struct weir_counter *counter);

/** weir_counter_delete() - delete the counter for all its users (ADMIN); close it afterwards */
int weir_counter_delete(struct weir_counter *counter);

/** weir_counter_handle() - the handle, for &struct weir_op */
uint32_t weir_counter_handle(const struct weir_counter *counter);

/** weir_counter_type() - WEIR_COUNTER_SUM..., or 0 if not known (no OBSERVE) */
int weir_counter_type(const struct weir_counter *counter);

/** weir_counter_fields() - number of its fields; 0: none, or not known (no OBSERVE) */
unsigned int weir_counter_fields(const struct weir_counter *counter);

/**
 * weir_counter_field_name() - name of field @index, which belongs to the counter; NULL if there
 * is none
 */
const char *weir_counter_field_name(const struct weir_counter *counter,
				    unsigned int index);

/** weir_counter_field() - number of the field called @name, or -1 (ENOENT) */
int weir_counter_field(const struct weir_counter *counter, const char *name);

/**
 * weir_counter_add() - add to one field
 * @index: 0 to 63, and below the number of fields (EINVAL)
 * @amount: any; sums are modulo 2^64
 *
 * Return: 0 or -1.
 */
int weir_counter_add(struct weir_counter *counter, unsigned int index,
		     int64_t amount);

/** weir_counter_add_named() - as weir_counter_add(), by the field's name (ENOENT) */
int weir_counter_add_named(struct weir_counter *counter, const char *field,
			   int64_t amount);

/**
 * weir_counter_add_many() - add to several fields in one step
 * @mask: bit i selects field i; at least one
 * @amounts: one number for each bit that is set, in the order of the bits
 *
 * A reader sees all of the amounts or none of them.
 *
 * Return: 0 or -1.
 */
int weir_counter_add_many(struct weir_counter *counter, uint64_t mask,
			  const int64_t *amounts);

/**
 * weir_counter_read() - a snapshot of all fields
 * @values: filled in
 * @room: size of @values in numbers; WEIR_FIELDS_MAX is always enough
 *
 * Return: the number of fields read, or -1: EMSGSIZE if @room is too small. A sequence has
 *	one value, the last number handed out (0: none yet).
 */
int weir_counter_read(struct weir_counter *counter, int64_t *values,
		      unsigned int room);

/** weir_counter_read_field() - read one field; returns 0 or -1 */
int weir_counter_read_field(struct weir_counter *counter, unsigned int index,
			    int64_t *value);

/**
 * weir_counter_take() - read all fields and reset them to zero (ADMIN)
 *
 * No concurrent add is lost. Parameters and result as for weir_counter_read().
 */
int weir_counter_take(struct weir_counter *counter, int64_t *values,
		      unsigned int room);

/**
 * weir_counter_next() - take the next numbers of a sequence
 * @count: how many, 1..2^32
 * @first: set to the first number; no other caller gets any of @first..@first + @count - 1
 *
 * Return: 0 or -1: EOVERFLOW when the numbers are exhausted, EOPNOTSUPP if it is not a
 *	sequence.
 */
int weir_counter_next(struct weir_counter *counter, uint64_t count,
		      uint64_t *first);

/**
 * weir_counter_observe() - count a value in a histogram
 * @value: 0..WEIR_HISTOGRAM_VALUE_MAX
 * @times: number of observations, 1..2^32
 *
 * Return: 0, or -1: EINVAL, EOPNOTSUPP if it is not a histogram.
 */
int weir_counter_observe(struct weir_counter *counter, uint64_t value,
			 uint64_t times);

/**
 * weir_counter_read_histogram() - a snapshot of a histogram
 *
 * The snapshot contains each observation as a whole or not at all.
 *
 * Return: 0, or -1: EOPNOTSUPP if it is not a histogram, EACCES without OBSERVE.
 */
int weir_counter_read_histogram(struct weir_counter *counter,
				struct weir_histogram *histogram);

/**
 * weir_counter_take_histogram() - a snapshot, and reset to zero (ADMIN and OBSERVE); no
 * concurrent observation is lost
 */
int weir_counter_take_histogram(struct weir_counter *counter,
				struct weir_histogram *histogram);

/**
 * weir_counter_load_histogram() - add a snapshot to a histogram, in one step (ADMIN)
 *
 * Return: 0, or -1: EINVAL if the snapshot is not consistent.
 */
int weir_counter_load_histogram(struct weir_counter *counter,
				const struct weir_histogram *histogram);

/** weir_op_observe() - fill in @op to count @value @times times, for weir_submit() */
void weir_op_observe(struct weir_op *op, const struct weir_counter *counter,
		     uint64_t value, uint64_t times);

/** weir_op_add() - fill in @op to add @amount to field @index, for weir_submit() */
void weir_op_add(struct weir_op *op, const struct weir_counter *counter,
		 unsigned int index, int64_t amount);

/*
 * ---------------------------------------------------------------------------
 * Histograms: statistics of a &struct weir_histogram. <linux/weir.h> describes its buckets.
 */

/** weir_histogram_bucket() - the bucket of a value, 0..WEIR_HISTOGRAM_VALUE_MAX */
unsigned int weir_histogram_bucket(uint64_t value);

/** weir_histogram_bucket_low() - the lowest value of a bucket */
uint64_t weir_histogram_bucket_low(unsigned int bucket);

/** weir_histogram_bucket_high() - the highest value of a bucket */
uint64_t weir_histogram_bucket_high(unsigned int bucket);

/**
 * weir_histogram_percentile() - the value at a percentile
 * @ppm: the percentile in millionths: 500000 is the median, 999000 the 99.9th percentile;
 *	more than 1000000 means 1000000
 *
 * Uses the nearest rank: of N values in ascending order, value number N * @ppm / 1000000, rounded
 * up; for 0 the first value.
 *
 * Return: the value, never below the exact one and less than 1/16 above it (exact below 32); 0 if
 *	there are no values.
 */
uint64_t weir_histogram_percentile(const struct weir_histogram *histogram,
				   uint32_t ppm);

/**
 * weir_histogram_mean() - the mean of all values; 0 if there are none
 *
 * Exact within the precision of a double, unless the values may have a sum of 2^64 or more:
 * then it is computed from the middles of the buckets, with an error of at most 1/32.
 */
double weir_histogram_mean(const struct weir_histogram *histogram);

/**
 * weir_histogram_up_to() - the number of values at or below a bound
 *
 * Exact if the bound is the highest value of its bucket (any value below 32, 2^n - 1...);
 * otherwise all values of its bucket are counted. Gives cumulative counts for monitoring
 * systems; a bound of WEIR_HISTOGRAM_VALUE_MAX or more counts all values.
 */
uint64_t weir_histogram_up_to(const struct weir_histogram *histogram, uint64_t bound);

/** weir_histogram_merge() - add @from to @to, as if all values had been counted in @to */
void weir_histogram_merge(struct weir_histogram *to, const struct weir_histogram *from);

/*
 * ---------------------------------------------------------------------------
 * Keys
 */

/**
 * struct weir_key - a key of a limiter, gate, breaker or roster
 * @type: enum weir_key_type
 * @len: number of bytes used in @bytes
 * @bytes: as in &struct weir_op: a u64 in this machine's byte order, an address in network
 *	order, or text without a NUL at the end. Bytes beyond @len are ignored.
 *
 * A key contains its bytes, so it can be copied and kept. Where a function takes a key, NULL
 * means the same as weir_key_none().
 */
struct weir_key {
	uint16_t	type;
	uint16_t	len;
	uint8_t		bytes[WEIR_KEY_MAX + 1];
};

/** weir_key_none() - the key of an object without keys */
void weir_key_none(struct weir_key *key);

/** weir_key_u64() - a number */
void weir_key_u64(struct weir_key *key, uint64_t number);

/**
 * weir_key_ip() - an address as text, "192.0.2.7" or "2001:db8::7"
 *
 * The key has the whole address; the object cuts it to its prefix. The zone of "fe80::7%eth0"
 * is dropped.
 *
 * Return: 0, or -1 (EINVAL) if @text is not a numeric address.
 */
int weir_key_ip(struct weir_key *key, const char *text);

/** weir_key_sockaddr() - the address in a sockaddr; -1 (EAFNOSUPPORT, EINVAL) */
int weir_key_sockaddr(struct weir_key *key, const struct sockaddr *address,
		      socklen_t length);

/** weir_key_text() - @length bytes of any value, 1..255; 0 or -1 (EINVAL) */
int weir_key_text(struct weir_key *key, const void *text, size_t length);

/**
 * weir_key_parse() - a key of @type from user input
 *
 * A u64 is decimal digits only, an address as for weir_key_ip(), a text is used byte for byte.
 * NONE takes only the empty string.
 *
 * Return: 0, or -1: EINVAL, or ERANGE for a number above 2^64 - 1.
 */
int weir_key_parse(struct weir_key *key, enum weir_key_type type,
		   const char *text);

/**
 * weir_key_format() - a key as printable text
 * @buffer: WEIR_KEY_FORMAT_MAX bytes are always enough
 *
 * Formats numbers in decimal and addresses in their usual form. Text is valid UTF-8 with these
 * exceptions, each byte of which becomes \xHH: control characters, characters that are
 * invisible or change the direction of writing, bytes that are not UTF-8, and a backslash that
 * would otherwise look like such an escape. The result is always valid UTF-8, safe on a
 * terminal, and different for different keys.
 *
 * Return: bytes written without the NUL, or -1 (EMSGSIZE).
 */
int weir_key_format(const struct weir_key *key, char *buffer, size_t size);
#define WEIR_KEY_FORMAT_MAX	(4 * WEIR_KEY_MAX + 1)

/**
 * weir_text_format() - like weir_key_format(), for @length bytes of any text; @buffer needs 4 *
 * length + 1 bytes
 */
int weir_text_format(const void *text, size_t length, char *buffer, size_t size);

/*
 * ---------------------------------------------------------------------------
 * Limiters
 */

/**
 * struct weir_answer - the answer to a check or another operation on a key
 * @verdict: enum weir_verdict
 * @flags: WEIR_OUT_* bits
 * @decided: index of the op that decided, within its submission
 * @strikes: strikes that count now
 * @bans: steps of the ban ladder used so far
 * @reserved: 0
 * @limit: tokens of a fresh key
 * @remaining: tokens that the key has now
 * @retry_after: ns after which the same check is allowed if no other caller spends tokens; 0: the
 *	check was allowed; WEIR_NEVER: it can never be allowed, or the verdict is WEIR_FULL
 * @reset_after: ns until all tokens are back
 * @banned_for: ns until the ban ends; 0 if there is none
 */
struct weir_answer {
	uint32_t	verdict;
	uint32_t	flags;
	uint32_t	decided;
	uint32_t	strikes;
	uint32_t	bans;
	uint32_t	reserved;
	uint64_t	limit;
	uint64_t	remaining;
	uint64_t	retry_after;
	uint64_t	reset_after;
	uint64_t	banned_for;
};

/**
 * weir_limiter_create() - make a limiter
 * @name: as for counters
 * @config: at least size, algorithm, tokens and period; zeros elsewhere select defaults.
 *	&struct weir_limiter_config has the ranges.
 * @mode: permission bits, like those of a file: r (4) observe, w (2) use, x (1) see which keys
 *	there are; 0760 is usual
 *
 * Return: the limiter with all rights, for weir_limiter_close(), or NULL: EEXIST, EINVAL (a
 *	number out of range), ERANGE (the numbers do not fit together).
 */
struct weir_limiter *weir_limiter_create(struct weir *weir, const char *name,
				const struct weir_limiter_config *config,
				unsigned int mode);

/**
 * weir_limiter_ensure() - open a limiter, creating it if it does not exist
 *
 * Exactly one of several concurrent callers creates it, and all open the same one. An existing
 * limiter is opened unchanged; @config is then ignored.
 */
struct weir_limiter *weir_limiter_ensure(struct weir *weir, const char *name,
				const struct weir_limiter_config *config,
				unsigned int mode, unsigned int rights);

/**
 * weir_limiter_open() - open a limiter
 * @rights: WEIR_RIGHT_* wanted, at least one; all are granted, or the call fails
 *
 * With WEIR_RIGHT_OBSERVE the library knows the limiter's key type, and refuses keys of other
 * types with EINVAL. Without it only the kernel checks keys, and it can check the length only.
 */
struct weir_limiter *weir_limiter_open(struct weir *weir, const char *name,
				       unsigned int rights);

/** weir_limiter_adopt() - make a limiter object from a handle, as weir_counter_adopt() */
struct weir_limiter *weir_limiter_adopt(struct weir *weir, uint32_t handle);

/** weir_limiter_close() - close the handle; the limiter itself stays */
void weir_limiter_close(struct weir_limiter *limiter);

/** weir_limiter_delete() - delete the limiter for all its users (ADMIN); close it afterwards */
int weir_limiter_delete(struct weir_limiter *limiter);

/** weir_limiter_handle() - the handle, for &struct weir_op */
uint32_t weir_limiter_handle(const struct weir_limiter *limiter);

/** weir_limiter_key_type() - enum weir_key_type, or -1 if not known (no OBSERVE) */
int weir_limiter_key_type(const struct weir_limiter *limiter);

/** weir_limiter_get_config() - its configuration (OBSERVE), defaults filled in; 0 or -1 */
int weir_limiter_get_config(struct weir_limiter *limiter,
			    struct weir_limiter_config *config);

/** weir_limiter_get_stats() - its totals (OBSERVE); 0 or -1 */
int weir_limiter_get_stats(struct weir_limiter *limiter,
			   struct weir_limiter_stats *stats);

/**
 * weir_limiter_set() - change the configuration while the limiter is in use (ADMIN)
 * @mask: WEIR_SET_* bits: the members of @config to change
 *
 * Tokens spent, strikes and bans are kept. &struct weir_set describes the effect of each member.
 * The key type and the prefix cannot be changed.
 *
 * Return: 0 or -1: EINVAL, ERANGE, EDQUOT; for a candidate ENOENT (no such limiter), EACCES
 *	(no USE on it). When it returns, no check uses the old configuration.
 */
int weir_limiter_set(struct weir_limiter *limiter, uint64_t mask,
		     const struct weir_limiter_config *config);

/**
 * weir_limiter_dump() - the keys of a limiter as records (KEYS), for weir_limiter_load()
 * @cursor: 0 to begin; updated by each call, WEIR_NEVER at the end
 * @buffer: 8-aligned; filled with &struct weir_entry_info records
 * @size: size of @buffer in bytes, 512 or more
 *
 * To list keys one by one use weir_entries_open().
 *
 * Return: bytes filled, or -1.
 */
long weir_limiter_dump(struct weir_limiter *limiter, uint64_t *cursor,
		       void *buffer, size_t size);

/**
 * weir_limiter_load() - load records of weir_limiter_dump() (ADMIN)
 * @records: 8-aligned
 * @size: size of @records in bytes, a multiple of 8
 * @elapsed: ns since the dump
 *
 * &struct weir_load says what is kept.
 *
 * Return: 0, or -1: EINVAL (an invalid record, or a key that does not fit this limiter),
 *	ENOSPC (no room). The records before the failing one are loaded.
 */
int weir_limiter_load(struct weir_limiter *limiter, const void *records,
		      size_t size, uint64_t elapsed);

/**
 * weir_rule_parse() - a rule from text
 * @text: "192.0.2.7", "192.0.2.0/24" or "2001:db8::/32"; bits beyond the prefix must be 0. A
 *	block of IPv4-mapped addresses becomes an IPv4 block.
 * @action: WEIR_RULE_NONE removes the rule for that block
 *
 * Return: 0 or -1 (EINVAL).
 */
int weir_rule_parse(struct weir_rule *rule, const char *text,
		    enum weir_rule_action action);

/**
 * weir_rule_format() - the block of a rule as text; 64 bytes are enough. Returns as
 * weir_key_format().
 */
int weir_rule_format(const struct weir_rule *rule, char *buffer, size_t size);

/** weir_rule_action_name() - "allow", "deny", or NULL */
const char *weir_rule_action_name(int action);

/**
 * weir_limiter_change_rules() - change the rules of a limiter of addresses (ADMIN)
 * @rules: applied in this order
 * @count: 0..WEIR_RULES_MAX
 * @flags: 0, or WEIR_RULES_CLEAR: replace all present rules
 *
 * All changes are made or none. &struct weir_rules says what rules do.
 *
 * Return: 0 or -1: ENOENT (no such rule to remove), ENOSPC (too many), EOPNOTSUPP (its keys
 *	are not addresses), EINVAL.
 */
int weir_limiter_change_rules(struct weir_limiter *limiter,
			      const struct weir_rule *rules, unsigned int count,
			      unsigned int flags);

/**
 * weir_limiter_get_rules() - the rules of a limiter (ADMIN)
 * @room: size of @rules in rules; WEIR_RULES_MAX is always enough
 *
 * Return: the number of rules, which may exceed @room, or -1.
 */
int weir_limiter_get_rules(struct weir_limiter *limiter, struct weir_rule *rules,
			   unsigned int room);

/*
 * Operations on one key. Each is one system call and allocates no memory in the process.
 *
 * @key: of the limiter's type (EINVAL); NULL if it has no keys
 * @answer: filled in unless NULL or the call fails
 *
 * weir_limiter_check() and weir_limiter_peek() return the verdict or -1. No verdict is 0, so
 * compare it with WEIR_ALLOWED; do not only test whether it is 0. The other functions return 0 or
 * -1.
 */

/** weir_limiter_check() - charge @cost tokens if they fit (USE); 1..2^32-1 */
int weir_limiter_check(struct weir_limiter *limiter, const struct weir_key *key,
		       uint64_t cost, struct weir_answer *answer);

/**
 * weir_limiter_wait() - check, and wait until the tokens have come back (USE)
 * @timeout: ns to wait at most; 0 does not wait, but respects the queue
 *
 * Waiters of one key are served in order of arrival; meanwhile other checks of the key are
 * limited. Tokens are charged when they are due, not before. The call returns without waiting
 * if the tokens cannot be due in time. It does wait for a ban that lasts longer, because a ban
 * may be lifted.
 *
 * Return: as weir_limiter_check(): WEIR_ALLOWED if the tokens were charged, otherwise the verdict
 *	at the end of the wait. -1: EBADF, weir_shutdown(); EINTR, a signal ended the wait and
 *	nothing was charged; ENODEV, the limiter was deleted.
 */
int weir_limiter_wait(struct weir_limiter *limiter, const struct weir_key *key,
		      uint64_t cost, uint64_t timeout,
		      struct weir_answer *answer);

/**
 * weir_limiter_queue() - weir_limiter_wait() without sleeping (USE)
 * @cost: tokens, 1..2^32-1
 * @timeout: ns from now; WEIR_NEVER: no deadline
 *
 * For programs that wait by poll(); see <linux/weir.h>, "Asynchronous requests". After
 * WEIR_QUEUED the request waits in the queue of the key. When weir_fd() is writable (POLLOUT),
 * weir_collect() returns the requests that have ended, with their answers. A program that has
 * several requests at a time tells them apart by their tags (weir_tag_set()).
 *
 * Return: as weir_limiter_check(), or WEIR_QUEUED: then @answer says when the request is likely to
 *	be served (retry_after). -1: EEXIST, the holder has a request for the key that waits;
 *	EMFILE, the client has WEIR_REQUESTS_MAX requests; EDQUOT; ENODEV, the limiter was deleted.
 */
int weir_limiter_queue(struct weir_limiter *limiter, const struct weir_key *key,
		       uint64_t cost, uint64_t timeout,
		       struct weir_answer *answer);

/**
 * weir_limiter_cancel() - end a request of weir_limiter_queue() that waits (USE)
 *
 * Return: 0: it has left the queue, nothing was charged, and there is nothing to collect. -1:
 *	ENOENT, none waits: it may have ended, and weir_collect() returns it.
 */
int weir_limiter_cancel(struct weir_limiter *limiter, const struct weir_key *key);

/**
 * weir_limiter_peek() - the verdict that a check would give; charges and strikes nothing
 * (OBSERVE)
 */
int weir_limiter_peek(struct weir_limiter *limiter, const struct weir_key *key,
		      uint64_t cost, struct weir_answer *answer);

/** weir_limiter_refund() - give @tokens back, never above full (USE) */
int weir_limiter_refund(struct weir_limiter *limiter, const struct weir_key *key,
			uint64_t tokens, struct weir_answer *answer);

/** weir_limiter_strike() - count @strikes, 1..2^20; may cause a ban (USE) */
int weir_limiter_strike(struct weir_limiter *limiter, const struct weir_key *key,
			uint64_t strikes, struct weir_answer *answer);

/**
 * weir_limiter_forgive() - reset strikes and ladder, but not a ban (USE); ENOENT if there is no
 * entry
 */
int weir_limiter_forgive(struct weir_limiter *limiter, const struct weir_key *key,
			 struct weir_answer *answer);

/** weir_limiter_ban() - ban for @duration ns from now; a longer ban stays (ADMIN) */
int weir_limiter_ban(struct weir_limiter *limiter, const struct weir_key *key,
		     uint64_t duration, struct weir_answer *answer);

/** weir_limiter_lift() - end the ban and reset the strikes (ADMIN); ENOENT if there is no ban */
int weir_limiter_lift(struct weir_limiter *limiter, const struct weir_key *key,
		      struct weir_answer *answer);

/** weir_limiter_forget() - drop the key's entry (ADMIN); ENOENT if there is none */
int weir_limiter_forget(struct weir_limiter *limiter, const struct weir_key *key);

/**
 * weir_op_limiter() - fill in @op, for weir_submit()
 * @opcode: WEIR_OP_CHECK to WEIR_OP_RESERVE_CANCEL. For RESERVE set the deadline in @op->arg; add
 *	to @op->flags WEIR_OP_RELATIVE if it is ns from now, WEIR_OP_ASYNC not to sleep
 * @n: tokens, strikes, or the ns of a BAN; otherwise 0
 *
 * A key longer than 32 bytes is not copied: @key must stay valid until the submission has
 * returned.
 *
 * Return: 0, or -1 (EINVAL): the key is not of the limiter's type.
 */
int weir_op_limiter(struct weir_op *op, const struct weir_limiter *limiter,
		    enum weir_opcode opcode, const struct weir_key *key,
		    uint64_t n);

/** weir_op_answer() - get the answer from an op that was submitted */
void weir_op_answer(const struct weir_op *op, struct weir_answer *answer);

/**
 * struct weir_entry - one key of a limiter
 * @key: the key; an address is cut to the limiter's prefix
 * @flags: WEIR_ENTRY_* bits
 * @strikes: strikes that count now
 * @bans: steps of the ban ladder used so far
 * @remaining: tokens that the key has now
 * @reset_after: ns until all tokens are back
 * @banned_for: ns until the ban ends; 0 if there is none
 */
struct weir_entry {
	struct weir_key	key;
	uint32_t	flags;
	uint32_t	strikes;
	uint32_t	bans;
	uint64_t	remaining;
	uint64_t	reset_after;
	uint64_t	banned_for;
};

/**
 * weir_entries_open() - begin to list the keys of a limiter (OBSERVE and KEYS)
 * @flags: 0, or WEIR_DUMP_BANNED for banned keys only
 *
 * The iterator uses the limiter until it is closed. It holds one buffer of fixed
 * size, however many keys there are.
 *
 * Return: an iterator for weir_entries_close(), or NULL: ENOMEM, EACCES without OBSERVE. Without
 *	KEYS, weir_entries_next() fails with EACCES.
 */
struct weir_entries *weir_entries_open(struct weir_limiter *limiter,
				       unsigned int flags);

/**
 * weir_entries_next() - the next key
 * @entry: set to the key's entry, which belongs to the iterator and is valid until the next
 *	call
 *
 * A key that has an entry during the whole listing is returned exactly once. The order is
 * undefined.
 *
 * Return: 1 with an entry, 0 at the end, -1 for an error (EACCES, ENODEV...).
 */
int weir_entries_next(struct weir_entries *entries,
		      const struct weir_entry **entry);

/** weir_entries_close() - end a listing of keys */
void weir_entries_close(struct weir_entries *entries);

/*
 * ---------------------------------------------------------------------------
 * Gates
 *
 * Permits belong to this client and the thread's tag: <linux/weir.h>, "Holders". A child of
 * fork() has none of them. Permits that are not released come back when the client is closed, or
 * the process ends in any way.
 */

/**
 * weir_gate_create() - make a gate
 * @config: size and permits; other members as needed; 0 selects a default
 * @mode: as for weir_limiter_create(): observe to read its state, use to acquire
 *
 * Return: the gate with all rights, for weir_gate_close(), or NULL: EEXIST...
 */
struct weir_gate *weir_gate_create(struct weir *weir, const char *name,
				   const struct weir_gate_config *config,
				   unsigned int mode);

/** weir_gate_ensure() - open a gate, creating it if it does not exist; see weir_counter_ensure() */
struct weir_gate *weir_gate_ensure(struct weir *weir, const char *name,
				   const struct weir_gate_config *config,
				   unsigned int mode, unsigned int rights);

/** weir_gate_open() - open a gate; NULL: ENOENT, EACCES... */
struct weir_gate *weir_gate_open(struct weir *weir, const char *name,
				 unsigned int rights);

/** weir_gate_adopt() - make a gate object from a handle, as weir_counter_adopt() */
struct weir_gate *weir_gate_adopt(struct weir *weir, uint32_t handle);

/** weir_gate_close() - close the handle; permits belong to the client and are kept */
void weir_gate_close(struct weir_gate *gate);

/** weir_gate_delete() - delete the gate for all its users (ADMIN); waiters get ENODEV */
int weir_gate_delete(struct weir_gate *gate);

/** weir_gate_handle() - the handle, for &struct weir_op */
uint32_t weir_gate_handle(const struct weir_gate *gate);

/** weir_gate_key_type() - WEIR_KEY_*, or -1 if not known (no OBSERVE) */
int weir_gate_key_type(const struct weir_gate *gate);

/** weir_gate_get_config() - its configuration, defaults filled in (OBSERVE) */
int weir_gate_get_config(struct weir_gate *gate, struct weir_gate_config *config);

/** weir_gate_get_stats() - its totals (OBSERVE) */
int weir_gate_get_stats(struct weir_gate *gate, struct weir_gate_stats *stats);

/**
 * weir_gate_set() - change the configuration while the gate is in use (ADMIN)
 * @mask: WEIR_SET_PERMITS, WEIR_SET_MAX_KEYS, WEIR_SET_QUEUE_MAX: the members of @config to
 *	change
 *
 * &struct weir_set describes the effect on holders and waiters.
 */
int weir_gate_set(struct weir_gate *gate, uint64_t mask,
		  const struct weir_gate_config *config);

/** weir_gate_resize() - set the number of permits, 1..WEIR_PERMITS_MAX; see weir_gate_set() */
int weir_gate_resize(struct weir_gate *gate, uint32_t permits);

/**
 * struct weir_gate_answer - the state of a key of a gate
 * @verdict: of an acquisition: WEIR_ALLOWED, WEIR_LIMITED, WEIR_FULL or WEIR_QUEUED;
 *	otherwise WEIR_NONE
 * @held: permits that this holder has
 * @waiting: waiting acquisitions; only from weir_gate_state(), otherwise 0
 * @reserved: 0
 * @limit: number of permits of the key
 * @remaining: free permits
 */
struct weir_gate_answer {
	uint32_t	verdict;
	uint32_t	held;
	uint32_t	waiting;
	uint32_t	reserved;
	uint64_t	limit;
	uint64_t	remaining;
};

/* Operations on one key; @key and @answer as for limiters. */

/**
 * weir_gate_acquire() - acquire permits, waiting for them if necessary (USE)
 * @permits: 1..2^32-1
 * @timeout: ns to wait at most; 0: do not wait; WEIR_NEVER: wait for ever
 *
 * Strictly first come, first served, and all or nothing: a caller never overtakes the waiters
 * of the key.
 *
 * Return: WEIR_ALLOWED: the permits are this holder's. WEIR_LIMITED: not in time, or too many
 *	waiters; WEIR_FULL: the key is new, and max_keys are in use. -1: E2BIG, the gate has fewer
 *	permits; EDEADLK, with a tag other than 0: it would wait for permits of the same tag; EINTR,
 *	a signal ended the wait; EBADF, weir_shutdown(); ENODEV, the gate was deleted. On error
 *	nothing was acquired.
 */
int weir_gate_acquire(struct weir_gate *gate, const struct weir_key *key,
		      uint32_t permits, uint64_t timeout,
		      struct weir_gate_answer *answer);

/** weir_gate_try() - the same with timeout 0 (USE) */
int weir_gate_try(struct weir_gate *gate, const struct weir_key *key,
		  uint32_t permits, struct weir_gate_answer *answer);

/**
 * weir_gate_queue() - acquire permits, or a place in the queue, without sleeping (USE)
 * @permits: 1..2^32-1
 * @timeout: ns from now; WEIR_NEVER: no deadline
 *
 * For programs that wait by poll(); see <linux/weir.h>, "Asynchronous requests". After WEIR_QUEUED
 * the request waits in the queue. When weir_fd() is writable (POLLOUT), weir_collect() returns the
 * requests that have ended, with their answers. A program with several requests at a time can tell
 * them apart by their tags (weir_tag_set()).
 *
 * Return: WEIR_ALLOWED: the permits are this holder's. WEIR_QUEUED: not yet. WEIR_LIMITED: too many
 *	waiters; WEIR_FULL: the key is new, and max_keys are in use. -1: E2BIG, the gate has fewer
 *	permits; EEXIST, the holder has a waiting request for the key; EDEADLK, as
 *	weir_gate_acquire(); EMFILE, the client has WEIR_REQUESTS_MAX requests; ENODEV, the gate was
 *	deleted.
 */
int weir_gate_queue(struct weir_gate *gate, const struct weir_key *key,
		    uint32_t permits, uint64_t timeout,
		    struct weir_gate_answer *answer);

/**
 * weir_gate_cancel() - cancel a request of weir_gate_queue() that waits (USE)
 *
 * Return: 0: the request has left the queue, and there is nothing to collect. -1: ENOENT, no
 *	request waits. If it has ended, weir_collect() returns it.
 */
int weir_gate_cancel(struct weir_gate *gate, const struct weir_key *key,
		     struct weir_gate_answer *answer);

/** weir_gate_release() - release @permits (USE); 0 or -1: ENOENT, the holder has fewer */
int weir_gate_release(struct weir_gate *gate, const struct weir_key *key,
		      uint32_t permits, struct weir_gate_answer *answer);

/** weir_gate_state() - the state of a key (OBSERVE); 0 or -1 */
int weir_gate_state(struct weir_gate *gate, const struct weir_key *key,
		    struct weir_gate_answer *answer);

/**
 * weir_op_gate() - fill in @op, for weir_submit()
 * @opcode: WEIR_OP_ACQUIRE (set the deadline in @op->arg; add to @op->flags WEIR_OP_RELATIVE if
 *	that is ns from now, WEIR_OP_ASYNC not to sleep); WEIR_OP_RELEASE; WEIR_OP_CANCEL and
 *	WEIR_OP_GATE_STATE, with @permits 0
 *
 * As weir_op_limiter(). Return: 0, or -1 (EINVAL): the key is not of the gate's type.
 */
int weir_op_gate(struct weir_op *op, const struct weir_gate *gate,
		 enum weir_opcode opcode, const struct weir_key *key,
		 uint32_t permits);

/** weir_op_gate_answer() - get the answer from an op that was submitted */
void weir_op_gate_answer(const struct weir_op *op, struct weir_gate_answer *answer);

/*
 * ---------------------------------------------------------------------------
 * Breakers
 *
 * Before a program makes a call that may fail, it asks the breaker. After the call it reports the
 * outcome:
 *
 *	switch (weir_breaker_allow(db, NULL, 0, &answer)) {
 *	case WEIR_ALLOWED:
 *		call = query() ? WEIR_CALL_OK : WEIR_CALL_FAILED;
 *		weir_breaker_report(db, NULL, answer.ticket, call, NULL);
 *		break;
 *	case WEIR_LIMITED:	come_back(answer.retry_after);	break;
 *	case -1:		perror("db");			break;
 *	}
 *
 * <linux/weir.h>, "How a breaker decides", says when a breaker opens and closes. A probe
 * belongs to this client and the thread's tag, as a permit does: it has failed when the client
 * is closed, or the process ends, without a report.
 */

/**
 * weir_breaker_create() - make a breaker
 * @config: size; failures or percent; within; open and nopen; other members as needed; 0
 *	selects a default
 * @mode: as for weir_limiter_create(): observe to read its state, use for allow and report
 *
 * Return: the breaker with all rights, for weir_breaker_close(), or NULL: EEXIST...
 */
struct weir_breaker *weir_breaker_create(struct weir *weir, const char *name,
					 const struct weir_breaker_config *config,
					 unsigned int mode);

/**
 * weir_breaker_ensure() - open a breaker, creating it if it does not exist; see
 * weir_counter_ensure()
 */
struct weir_breaker *weir_breaker_ensure(struct weir *weir, const char *name,
					 const struct weir_breaker_config *config,
					 unsigned int mode, unsigned int rights);

/** weir_breaker_open() - get a handle for a breaker in any state; NULL: ENOENT, EACCES... */
struct weir_breaker *weir_breaker_open(struct weir *weir, const char *name,
				       unsigned int rights);

/** weir_breaker_adopt() - make a breaker object from a handle, as weir_counter_adopt() */
struct weir_breaker *weir_breaker_adopt(struct weir *weir, uint32_t handle);

/** weir_breaker_close() - close the handle; probes belong to the client and are kept */
void weir_breaker_close(struct weir_breaker *breaker);

/** weir_breaker_delete() - delete the breaker for all its users (ADMIN) */
int weir_breaker_delete(struct weir_breaker *breaker);

/** weir_breaker_handle() - the handle, for &struct weir_op */
uint32_t weir_breaker_handle(const struct weir_breaker *breaker);

/** weir_breaker_key_type() - WEIR_KEY_*, or -1 if not known (no OBSERVE) */
int weir_breaker_key_type(const struct weir_breaker *breaker);

/** weir_breaker_get_config() - its configuration, defaults filled in (OBSERVE) */
int weir_breaker_get_config(struct weir_breaker *breaker,
			    struct weir_breaker_config *config);

/** weir_breaker_get_stats() - its totals (OBSERVE) */
int weir_breaker_get_stats(struct weir_breaker *breaker,
			   struct weir_breaker_stats *stats);

/**
 * struct weir_breaker_answer - the answer of a breaker about a key
 * @verdict: allow: WEIR_ALLOWED or WEIR_LIMITED; trip: WEIR_LIMITED if the breaker is already open
 *	for longer; otherwise WEIR_NONE
 * @state: WEIR_CLOSED, WEIR_OPEN or WEIR_HALF_OPEN, after the operation
 * @probe: allow: 1 if the call is a probe, which must be reported; otherwise 0
 * @late: report: 1 if it was late and ignored; otherwise 0
 * @step: trip, reset and state: the next step of the ladder, from 0
 * @reserved: 0
 * @ticket: allow: the ticket for the report; 0 if not admitted
 * @retry_after: ns. Refused allow: time until the answer can change if nothing else happens; trip,
 *	reset and state: time until the state changes by itself. WEIR_NEVER: only a report or a
 *	reset changes it. Otherwise 0.
 * @calls: trip, reset and state: closed, by percentage: calls that count; half-open: probes
 *	admitted
 * @failures: trip, reset and state: closed: failures that count; half-open: probes that
 *	succeeded
 */
struct weir_breaker_answer {
	uint32_t	verdict;
	uint32_t	state;
	uint32_t	probe;
	uint32_t	late;
	uint32_t	step;
	uint32_t	reserved;
	uint64_t	ticket;
	uint64_t	retry_after;
	uint64_t	calls;
	uint64_t	failures;
};

/* Operations on one key; @key and @answer as for limiters. */

/**
 * weir_breaker_allow() - ask whether to make a call (USE)
 * @flags: 0, or WEIR_OP_DETACHED: a probe has no holder, so it outlives this client, and
 *	any client may report it
 *
 * While the breaker is closed this takes no lock and writes nothing but a total.
 *
 * Return: WEIR_ALLOWED: make the call, and report with the ticket. WEIR_LIMITED: do not make it.
 *	-1: ENODEV, the breaker was deleted; ENOMEM.
 */
int weir_breaker_allow(struct weir_breaker *breaker, const struct weir_key *key,
		       unsigned int flags, struct weir_breaker_answer *answer);

/**
 * weir_breaker_report() - report the outcome of a call (USE)
 * @ticket: from the answer to allow; 0: the call was made without asking
 * @call: WEIR_CALL_OK, WEIR_CALL_FAILED, or WEIR_CALL_WITHDRAWN: the call was not made
 *
 * Return: 0: the report counts. 1: it is late and ignored, because the breaker has changed its
 *	state since the ticket, or the ticket is more than an hour old. -1: ENOENT, no such ticket
 *	was given, or the breaker is half-open and this holder has no probe to report; ENOSPC, the
 *	key is new, and max_keys are in use; ENODEV; ENOMEM.
 */
int weir_breaker_report(struct weir_breaker *breaker, const struct weir_key *key,
			uint64_t ticket, enum weir_call call,
			struct weir_breaker_answer *answer);

/**
 * weir_breaker_trip() - open the breaker by hand (ADMIN)
 * @duration: ns; 0: for the next step of the ladder, which advances; WEIR_NEVER: until a
 *	reset
 *
 * Return: 0: done; 1: nothing changed, because the breaker is already open for longer. -1: ENOSPC
 *	as above, ...
 */
int weir_breaker_trip(struct weir_breaker *breaker, const struct weir_key *key,
		      uint64_t duration, struct weir_breaker_answer *answer);

/**
 * weir_breaker_reset() - close the breaker, and reset failures and ladder (ADMIN)
 *
 * Reports of earlier calls are late. Return: 0, or -1: ENOSPC as above, ...
 */
int weir_breaker_reset(struct weir_breaker *breaker, const struct weir_key *key,
		       struct weir_breaker_answer *answer);

/** weir_breaker_state() - the state of a key; changes nothing (OBSERVE); 0 or -1 */
int weir_breaker_state(struct weir_breaker *breaker, const struct weir_key *key,
		       struct weir_breaker_answer *answer);

/**
 * weir_op_breaker() - fill in @op, for weir_submit()
 * @opcode: WEIR_OP_ALLOW to WEIR_OP_BREAKER_STATE; for a REPORT set the enum weir_call in
 *	@op->n; for an ALLOW with a detached probe add WEIR_OP_DETACHED to @op->flags
 * @arg: ticket or ns as above; otherwise 0
 *
 * As weir_op_limiter(). Return: 0, or -1 (EINVAL): the key is not of the breaker's type.
 */
int weir_op_breaker(struct weir_op *op, const struct weir_breaker *breaker,
		    enum weir_opcode opcode, const struct weir_key *key,
		    uint64_t arg);

/** weir_op_breaker_answer() - get the answer from an op that was submitted */
void weir_op_breaker_answer(const struct weir_op *op,
			    struct weir_breaker_answer *answer);

/*
 * ---------------------------------------------------------------------------
 * Rosters
 *
 * A program claims a key to be the only one that runs, or to be found by other programs:
 *
 *	if (weir_roster_claim(jobs, &key, "host7", 5, 0, 0, &answer) == 0)
 *		lead();
 *	else if (errno == EEXIST)
 *		follow(answer.pid);
 *	else
 *		perror("jobs");
 *
 * A lease belongs to this client and the thread's tag, as a permit does: it ends when the
 * client is closed, or when the process ends in any way. A detached lease has no holder. See
 * <linux/weir.h>, "Holders of leases".
 */

/**
 * weir_roster_create() - make a roster
 * @config: size, key_type, max_keys; other members as needed; 0 selects a default
 * @mode: as for weir_limiter_create(): observe to read leases, use to claim
 *
 * Return: the roster with all rights, for weir_roster_close(), or NULL: EEXIST...
 */
struct weir_roster *weir_roster_create(struct weir *weir, const char *name,
				       const struct weir_roster_config *config,
				       unsigned int mode);

/**
 * weir_roster_ensure() - open a roster, creating it if it does not exist; see
 * weir_counter_ensure()
 */
struct weir_roster *weir_roster_ensure(struct weir *weir, const char *name,
				       const struct weir_roster_config *config,
				       unsigned int mode, unsigned int rights);

/** weir_roster_open() - open a roster; NULL: ENOENT, EACCES... */
struct weir_roster *weir_roster_open(struct weir *weir, const char *name,
				     unsigned int rights);

/** weir_roster_adopt() - make a roster object from a handle, as weir_counter_adopt() */
struct weir_roster *weir_roster_adopt(struct weir *weir, uint32_t handle);

/** weir_roster_close() - close the handle; leases belong to the client and are kept */
void weir_roster_close(struct weir_roster *roster);

/** weir_roster_delete() - delete the roster with all its leases, for all its users (ADMIN) */
int weir_roster_delete(struct weir_roster *roster);

/** weir_roster_handle() - the handle, for &struct weir_op */
uint32_t weir_roster_handle(const struct weir_roster *roster);

/** weir_roster_key_type() - WEIR_KEY_*, or -1 if not known (no OBSERVE) */
int weir_roster_key_type(const struct weir_roster *roster);

/** weir_roster_get_config() - its configuration, defaults filled in (OBSERVE) */
int weir_roster_get_config(struct weir_roster *roster,
			   struct weir_roster_config *config);

/** weir_roster_get_stats() - its totals (OBSERVE) */
int weir_roster_get_stats(struct weir_roster *roster,
			  struct weir_roster_stats *stats);

/**
 * struct weir_roster_answer - the lease of a key, after an operation (of a removal: before)
 * @version: its version; never used twice in a roster
 * @left: ns until it expires, or WEIR_NEVER
 * @length: bytes of its value, 0..WEIR_VALUE_MAX
 * @mine: 1 if the lease is this holder's, otherwise 0
 * @detached: 1 if the lease is detached, otherwise 0
 * @pid: process that made the lease, as a pid in the caller's pid namespace; 0: it is not in it
 * @uid: the user of the client that made the lease
 * @reserved: 0
 */
struct weir_roster_answer {
	uint64_t	version;
	uint64_t	left;
	uint32_t	length;
	uint32_t	mine;
	uint32_t	detached;
	uint32_t	pid;
	uint32_t	uid;
	uint32_t	reserved;
};

/*
 * Operations on one key. Each is one system call and returns 0 or -1.
 *
 * @key: as for limiters
 * @value: @length bytes, 0..WEIR_VALUE_MAX (EINVAL); may be NULL if that is 0
 * @ttl: ns until it expires, up to ten years; 0: the roster's default; WEIR_NEVER: until it
 *	is removed
 * @answer: filled in unless NULL or the call fails; with EEXIST and ESTALE it describes the
 *	existing lease
 *
 * All may fail with ENODEV: the roster was deleted. Those that make a lease or a value may fail
 * with ENOMEM.
 */

/**
 * weir_roster_claim() - make a lease if the key has none (USE)
 * @flags: 0: the lease ends with its holder; WEIR_OP_DETACHED: it does not
 *
 * Exactly one of several concurrent callers succeeds.
 *
 * Errors: EEXIST: the key has a lease, maybe the caller's; ENOSPC: max_keys keys have leases.
 */
int weir_roster_claim(struct weir_roster *roster, const struct weir_key *key,
		      const void *value, size_t length, uint64_t ttl,
		      unsigned int flags, struct weir_roster_answer *answer);

/**
 * weir_roster_put() - make a lease, or replace a lease that is this holder's or detached (USE)
 *
 * An existing lease gets the new value, version, time and owner in one step: a reader gets the
 * old or the new one.
 *
 * Errors: EEXIST: another holder has the lease; ENOSPC.
 */
int weir_roster_put(struct weir_roster *roster, const struct weir_key *key,
		    const void *value, size_t length, uint64_t ttl,
		    unsigned int flags, struct weir_roster_answer *answer);

/**
 * weir_roster_get() - find a lease (OBSERVE)
 * @value: filled in; size @room. WEIR_VALUE_MAX bytes are always enough; with @room 0 no value is
 *	returned
 *
 * Takes no lock. @answer->length is the number of bytes written to @value.
 *
 * Errors: ENOENT: there is no lease; EMSGSIZE: its value is longer than @room.
 */
int weir_roster_get(struct weir_roster *roster, const struct weir_key *key,
		    void *value, size_t room, struct weir_roster_answer *answer);

/**
 * weir_roster_replace() - set a new value if the lease has version @version (USE)
 * @version: 1 or more; any holder may own the lease
 *
 * Owner and TTL stay. Errors: ESTALE: the lease has another version; ENOENT: there is no lease.
 */
int weir_roster_replace(struct weir_roster *roster, const struct weir_key *key,
			uint64_t version, const void *value, size_t length,
			struct weir_roster_answer *answer);

/**
 * weir_roster_touch() - let a lease last @ttl from now, longer or shorter (USE)
 * @version: the lease must have this version, whichever holder owns it; 0: the lease must be this
 *	holder's, or detached
 *
 * Errors: ENOENT: there is no lease any more; ESTALE: the lease has another version; EEXIST, with
 *	@version 0: another holder has the lease.
 */
int weir_roster_touch(struct weir_roster *roster, const struct weir_key *key,
		      uint64_t version, uint64_t ttl,
		      struct weir_roster_answer *answer);

/** weir_roster_remove() - end a lease (USE); @version and errors as for weir_roster_touch() */
int weir_roster_remove(struct weir_roster *roster, const struct weir_key *key,
		       uint64_t version, struct weir_roster_answer *answer);

/**
 * weir_op_roster() - fill in @op, for weir_submit() and weir_transaction()
 * @lease: filled in; @op may point to it
 * @opcode: WEIR_OP_CLAIM to WEIR_OP_REMOVE. Set a version in @op->n, ns in @op->arg;
 *	add WEIR_OP_DETACHED to @op->flags for a detached lease
 * @value: for CLAIM, PUT or REPLACE; otherwise NULL, and @length 0
 *
 * @lease, @key and @value are not copied: they must stay valid until the submission has
 * returned.
 *
 * Return: 0, or -1 (EINVAL): the key is not of the roster's type, or the value is too long.
 */
int weir_op_roster(struct weir_op *op, struct weir_lease *lease,
		   const struct weir_roster *roster, enum weir_opcode opcode,
		   const struct weir_key *key, const void *value, size_t length);

/** weir_op_roster_answer() - get the answer from an op that was submitted */
void weir_op_roster_answer(const struct weir_op *op,
			   struct weir_roster_answer *answer);

/**
 * struct weir_member - one lease of a roster
 * @key: the key; an address is cut to the roster's prefix
 * @version: this and the next members as in &struct weir_roster_answer
 * @left: ns until it expires, or WEIR_NEVER
 * @detached: 1 if it is detached, otherwise 0
 * @pid: process that made the lease
 * @uid: the user of the client that made the lease
 * @length: bytes of @value
 * @value: bytes beyond @length are undefined
 */
struct weir_member {
	struct weir_key	key;
	uint64_t	version;
	uint64_t	left;
	uint32_t	detached;
	uint32_t	pid;
	uint32_t	uid;
	uint32_t	length;
	uint8_t		value[WEIR_VALUE_MAX + 1];
};

/**
 * weir_members_open() - begin to list the leases of a roster (OBSERVE and KEYS)
 *
 * The iterator uses the roster until it is closed. It has one buffer of fixed size, whatever
 * the number of leases.
 *
 * Return: an iterator for weir_members_close(), or NULL: ENOMEM, EACCES without OBSERVE. Without
 *	KEYS, weir_members_next() fails with EACCES.
 */
struct weir_members *weir_members_open(struct weir_roster *roster);

/**
 * weir_members_next() - the next lease
 * @member: set to the lease, which belongs to the iterator and is valid until the next call
 *
 * A key that has a lease during the whole listing is returned exactly once. The order is
 * undefined.
 *
 * Return: 1 with a lease, 0 at the end, -1 for an error (ENODEV...).
 */
int weir_members_next(struct weir_members *members,
		      const struct weir_member **member);

/** weir_members_close() - end a listing of leases */
void weir_members_close(struct weir_members *members);

/*
 * ---------------------------------------------------------------------------
 * Events
 */

/**
 * weir_events_open() - open a stream of events
 * @user: the owner whose events are read, by name or number; NULL: the caller
 * @from: number of the first event wanted, WEIR_EVENTS_OLDEST for the oldest that is
 *	kept, or WEIR_EVENTS_NOW for the next to come
 *
 * If events from @from on are no longer kept, the first event is WEIR_EVENT_LOST and has their
 * number.
 *
 * Return: a stream for weir_events_close(), or NULL: EINVAL if @from lies beyond
 *	the next event to come, otherwise as weir_open().
 */
struct weir_events *weir_events_open(const char *user, uint64_t from);
#define WEIR_EVENTS_OLDEST	0xfffffffffffffffeULL
#define WEIR_EVENTS_NOW		0xffffffffffffffffULL

/**
 * weir_events_next() - the next event
 * @event: set to the event, which belongs to the stream and is valid until the next call
 * @timeout: ms to wait for one; 0: not at all, -1: for ever
 *
 * Return: 1 with an event, 0 if none came in time, -1 for an error (EINTR when a signal
 *	handler ran).
 */
int weir_events_next(struct weir_events *events, const struct weir_event **event,
		     int timeout);

/**
 * weir_events_fd() - the descriptor, for poll()
 *
 * Before polling, call weir_events_next() with timeout 0 until it returns 0: events are read in
 * blocks, and the descriptor is not readable for events that are read already.
 */
int weir_events_fd(const struct weir_events *events);

/**
 * weir_events_key() - the key of an event; type NONE if it has none
 *
 * For a WEIR_EVENT_RECORD: the record, as a key of type TEXT.
 */
void weir_events_key(const struct weir_event *event, struct weir_key *key);

/** weir_events_close() - close the stream */
void weir_events_close(struct weir_events *events);

/**
 * weir_emit() - put a record into the event stream
 * @tag: a name for this kind of record, by the rules of object names, or NULL
 * @bytes: the record: @length bytes of any value, 1..WEIR_RECORD_MAX
 * @seq: set to its number; may be NULL
 *
 * Readers of the same user, and readers with CAP_SYS_ADMIN, get the whole record with the caller's
 * uid and pid, in ascending order of numbers. The call does not wait for readers.
 *
 * Return: 0, or -1: EINVAL, EACCES if the client is WEIR_OPEN_READONLY.
 */
int weir_emit(struct weir *weir, const char *tag, const void *bytes, size_t length,
	      uint64_t *seq);

/*
 * ---------------------------------------------------------------------------
 * Text to numbers and back
 *
 * A parser accepts the whole string or nothing: no blanks, signs, fractions or trailing
 * characters unless the form has them. It returns 0, or -1: EINVAL if the text does not have
 * the form, ERANGE if a number is out of range; the result is then unchanged. A formatter
 * writes a final NUL and returns the number of bytes before it, or -1 (EMSGSIZE); WEIR_TEXT_MAX
 * bytes are always enough. A parser reads the output of its formatter as the same number.
 */
#define WEIR_TEXT_MAX		64

/** weir_parse_u64() - decimal digits, 0..2^64-1 */
int weir_parse_u64(const char *text, uint64_t *number);

/** weir_parse_s64() - decimal digits, optionally after a '-' */
int weir_parse_s64(const char *text, int64_t *number);

/**
 * weir_parse_duration() - "250ms", "5s", "10m", "24h", "7d", "1h30m"
 *
 * Units: ns us ms s m h d. Several can be combined from large to small, each at most once.
 * There is no default unit.
 */
int weir_parse_duration(const char *text, uint64_t *ns);

/** weir_format_duration() - "1h30m", exactly; "0s", and "never" for WEIR_NEVER */
int weir_format_duration(uint64_t ns, char *buffer, size_t size);

/**
 * weir_parse_rate() - "5/s", "100/m", "30/60s": tokens per period, neither 0
 * @config: tokens and period are set
 */
int weir_parse_rate(const char *text, struct weir_limiter_config *config);

/** weir_format_rate() - "5/s" */
int weir_format_rate(uint64_t tokens, uint64_t period, char *buffer, size_t size);

/**
 * weir_parse_prefixes() - "24", for IPv4 alone, or "24,56"
 * @config: prefix4 and prefix6 (0 if not given) are set
 */
int weir_parse_prefixes(const char *text, struct weir_limiter_config *config);

/**
 * weir_parse_ladder() - "10m,1h,24h": the durations of successive bans
 * @config: ban and nbans are set; more than WEIR_LADDER_MAX durations: ERANGE
 */
int weir_parse_ladder(const char *text, struct weir_limiter_config *config);

/** weir_name_valid() - 1 if @name can be the name of an object or field, else 0 */
int weir_name_valid(const char *name);

/*
 * Words for numbers, as the weir command and sysfs use them ("limiter", "sum", "bucket", "ip",
 * "refuse", "allowed", "half-open", "banned"). weir_kind_name(), weir_counter_type_name(),
 * weir_algorithm_name(), weir_key_type_name(), weir_when_full_name(), weir_verdict_name(),
 * weir_breaker_state_name() and weir_event_type_name() return the word; NULL if the number has
 * none.
 */
const char *weir_kind_name(int kind);
const char *weir_counter_type_name(int type);
const char *weir_algorithm_name(int algorithm);
const char *weir_key_type_name(int key_type);
const char *weir_when_full_name(int when_full);
const char *weir_verdict_name(int verdict);
const char *weir_breaker_state_name(int state);
const char *weir_event_type_name(int type);

/*
 * Numbers for words. weir_parse_kind(), weir_parse_counter_type(), weir_parse_algorithm(),
 * weir_parse_key_type(), weir_parse_when_full() and weir_parse_call() (enum weir_call: "ok",
 * "failed", "withdrawn") return the number; -1 (EINVAL) if there is no such word.
 */
int weir_parse_kind(const char *name);

/**
 * weir_parse_user() - the number of a user
 * @user: a name or a number
 * @uid: set to the number
 *
 * Return: 0, or -1: ENOENT (no such user), or an error of getpwnam_r().
 */
int weir_parse_user(const char *user, uint32_t *uid);
int weir_parse_counter_type(const char *name);
int weir_parse_algorithm(const char *name);
int weir_parse_key_type(const char *name);
int weir_parse_when_full(const char *name);
int weir_parse_call(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* LIBWEIR_H */
