/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * weir - counting and limiting, exactly, for every process on a host
 *
 * This header is the whole interface between programs and weir.ko. For most programs libweir
 * (<weir.h>) is easier to use.
 */
#ifndef _UAPI_LINUX_WEIR_H
#define _UAPI_LINUX_WEIR_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* the headers of Linux 6.1 do not define it */
#ifndef __aligned_s64
#define __aligned_s64	__s64 __attribute__((aligned(8)))
#endif

/**
 * DOC: Overview
 *
 * A program opens /dev/weir. That open file is a *client*. It creates or opens named *objects*
 * (counters, limiters, gates, breakers, rosters) and gets a *handle* for each. A handle is a number
 * that is valid in this open file only. Its rights are checked once, when it is made. Frequent
 * operations (add, check, strike...) are &struct weir_op records, of which WEIR_IOC_SUBMIT takes 1
 * to 1024 at a time. Reading the file returns &struct weir_event records. Closing it closes all
 * handles. A child of fork() shares the client, as it shares any open file, so it is the same
 * holder. (With libweir the child gets its own client.)
 *
 * DOC: Struct rules
 *
 * Every ioctl takes a pointer to a struct whose first member is its @size in bytes, set by the
 * caller to sizeof(). Structs only ever grow at the end, and an ioctl's number does not depend
 * on the size. A struct shorter than in the first version is refused (EINVAL). A struct longer
 * than the kernel knows is accepted if all the bytes that the kernel does not know are zero
 * (otherwise E2BIG; also if it is longer than a page). Members named reserved, unnamed bits of
 * flags, and padding must be zero (otherwise EINVAL). Members marked "out" are ignored on the
 * way in.
 *
 * All times and durations are in nanoseconds of CLOCK_BOOTTIME; a year has 365 days. Times (@now of
 * INFO, @time of an event, the deadlines of ACQUIRE and RESERVE) are read from that clock in the
 * time namespace of the calling task; everything else is a duration. The offset of the time
 * namespace affects only these numbers.
 *
 * All structs have the same layout in 32-bit and 64-bit programs.
 *
 * DOC: Errors
 *
 * A call that fails has changed nothing.
 *
 * ========== =================================================================
 * EACCES     the object's mode does not grant the rights asked for, the handle
 *            lacks the right the operation needs, the owner asked for is another
 *            user, or the file is not open for writing, which CREATE, EMIT and
 *            the rights USE and ADMIN need
 * EAGAIN     read of an empty stream of events with O_NONBLOCK; or, of an op with
 *            WEIR_OP_NOWAIT: memory is not available without waiting
 * EBADF      no such handle in this open file (never opened, or closed); or the open file
 *            is shut down (WEIR_IOC_SHUTDOWN)
 * E2BIG      non-zero bytes beyond the part of a struct that the kernel knows, or a
 *            struct longer than a page; or, of an op: more permits than the gate has
 * ECANCELED  another op of the same transaction (WEIR_SUBMIT_ALL) failed
 * EDEADLK    the holder would wait for what it holds itself, or queues for
 * EDQUOT     the owner's cap on objects or keys (module parameters
 *            max_objects_per_uid, max_keys_per_uid) is reached; or, of an op: the cap on
 *            grants of the user that opened the file (max_grants_per_uid)
 * EEXIST     the owner has an object of that kind and name; or, of an op: another one has the
 *            lease, or the holder has a request for the key that waits
 * EFAULT     a pointer leads to memory that cannot be read or written
 * EINTR      a signal came before anything was done
 * EINVAL     malformed: wrong size, unknown flag, opcode or value, non-zero
 *            padding, bad name, a number out of its documented range
 * EMFILE     the open file has as many handles, or requests, as it can have; or
 *            the process has as many descriptors
 * EMSGSIZE   the buffer is too small for even one record, or for all the values
 * ENODEV     the object was deleted; the handle can only be closed
 * ENOENT     no object of that kind and name, no entry for that key, fewer permits
 *            held, or no request that waits
 * ENOMEM     out of memory, or over the memory cgroup's limit
 * ENOSPC     the host's cap on objects or keys (module parameters max_objects,
 *            max_keys) is reached; or, of an op: no room for a new key
 * EPERM      the client was restricted (WEIR_IOC_RESTRICT)
 * ENOTTY     no such ioctl
 * EOPNOTSUPP valid, but not supported by this kind or type of object, or by this
 *            version of the module
 * EOVERFLOW  a sequence would exceed its largest number
 * ESTALE     the lease has another version
 * ERANGE     each number is in range, but their combination is not
 *            (a burst that takes years to refill, for example)
 * ========== =================================================================
 */

#define WEIR_DEVICE		"/dev/weir"
#define WEIR_IOC_MAGIC		0xDB

/** WEIR_ABI_VERSION: raised once per release that adds to this header. */
#define WEIR_ABI_VERSION	1

#define WEIR_NAME_SIZE		64	/* bytes of a name, final NUL included */
#define WEIR_KEY_MAX		255	/* bytes of the longest key */
#define WEIR_FIELDS_MAX		64	/* fields of a counter */
#define WEIR_BATCH_MAX		1024	/* ops of one WEIR_IOC_SUBMIT */
#define WEIR_KEYS_MAX		16777216ULL /* keys of one object */
#define WEIR_LADDER_MAX		8	/* steps of a ban ladder */
#define WEIR_PERMITS_MAX	1073741824 /* of one key of a gate */
#define WEIR_QUEUED_MAX		16384	/* a request is refused behind this many waiters */
#define WEIR_REQUESTS_MAX	16384	/* requests of one open file, including ended ones */
#define WEIR_VALUE_MAX		255	/* bytes of a lease's value */
#define WEIR_CLAIMS_MAX		64	/* CLAIMs in one transaction (WEIR_SUBMIT_ALL) */

/** WEIR_NEVER: a duration or number that means "never" or "no limit". */
#define WEIR_NEVER		0xffffffffffffffffULL

/**
 * enum weir_kind - kinds of object
 * @WEIR_KIND_ANY: every kind; in WEIR_IOC_LIST only
 * @WEIR_KIND_COUNTER: counter
 * @WEIR_KIND_LIMITER: limiter
 * @WEIR_KIND_GATE: gate
 * @WEIR_KIND_BREAKER: breaker
 * @WEIR_KIND_ROSTER: roster
 *
 * A name is unique within its kind and owner: 1 to 63 characters of A-Z a-z 0-9 . _ - ; the first
 * is a letter or digit.
 */
enum weir_kind {
	WEIR_KIND_ANY		= 0,
	WEIR_KIND_COUNTER	= 1,
	WEIR_KIND_LIMITER	= 2,
	WEIR_KIND_GATE		= 3,
	WEIR_KIND_BREAKER	= 4,
	WEIR_KIND_ROSTER	= 5,
};

/**
 * DOC: Owners
 *
 * Every user owns a namespace: the names of the objects in it, the caps on objects and keys, and a
 * stream of events. An owner is a user of the host. All ids of a user namespace that such a user
 * has made count as this user. If root has made the user namespace (for a container, for example),
 * its ids count as the host id that is root in it; if that is the host's root, each id is a
 * separate user.
 *
 * A client acts as the user that opened the file: the credentials are those of the open, whichever
 * process uses the file later. CAP_SYS_ADMIN counts in the initial user namespace only. Uids and
 * gids in structs are ids of the user namespace of the calling task; a user without an id there
 * reads as the overflow id (65534). Pids are those of the pid namespace of the calling task; 0: the
 * process is not in it.
 *
 * An @owner in a request is WEIR_OWNER_DEFAULT or a uid. By default a name means the opener's own
 * object or, if there is none, root's. CREATE puts the object into the opener's namespace. With
 * CAP_SYS_ADMIN it can be put into another.
 *
 * Caps: an owner has at most max_objects_per_uid objects and max_keys_per_uid keys, the host at
 * most max_objects and max_keys (module parameters). A sixteenth of the host's caps is reserved for
 * clients with CAP_SYS_ADMIN. The caps of an owner do not apply to these clients.
 *
 * The files that one owner has opened have at most max_grants_per_uid grants together. A grant is
 * what one holder (open file and tag) has of one key of a gate or breaker, permits or probes, or a
 * request of it that waits at a gate or limiter. A sleeping ACQUIRE counts as a grant too.
 */
#define WEIR_OWNER_DEFAULT	0xffffffffU

/**
 * DOC: Rights
 *
 * OBSERVE: read totals and states, peek, read the state of a known key. USE: add, check, strike and
 * all other operations of normal use. KEYS: see which keys there are, by DUMP and in events. ADMIN:
 * delete, set, ban, lift, forget; a handle with ADMIN has all rights. The object's mode works like
 * that of a file: owner, group and others may have r (OBSERVE), w (USE) and x (KEYS). The creator,
 * the owner of the namespace and CAP_SYS_ADMIN have ADMIN; CAP_SYS_ADMIN has all rights.
 */
#define WEIR_RIGHT_OBSERVE	0x1
#define WEIR_RIGHT_USE		0x2
#define WEIR_RIGHT_ADMIN	0x4
#define WEIR_RIGHT_KEYS		0x8
#define WEIR_RIGHT_ALL		0xf

/**
 * struct weir_info - WEIR_IOC_INFO: version, features and limits of the module
 * @size: sizeof(struct weir_info)
 * @abi_version: out: WEIR_ABI_VERSION of the module
 * @features: out: WEIR_FEATURE_* bits
 * @now: out: CLOCK_BOOTTIME, in the time namespace of the calling task
 * @batch_max: out: WEIR_BATCH_MAX of the module
 * @fields_max: out: WEIR_FIELDS_MAX of the module
 * @key_max: out: WEIR_KEY_MAX of the module
 * @handles_max: out: handles one open file can have
 * @keys_max: out: WEIR_KEYS_MAX of the module
 * @objects: out: objects that exist now
 * @objects_max: out: the host's cap on them
 * @event_first: out: number of the oldest event kept in the client's stream
 * @event_next: out: number that the next event of that stream will have
 * @version: out: the module's version, NUL-terminated
 * @total_keys: out: sum of max_keys over all keyed objects
 * @total_keys_max: out: the host's cap on that sum
 * @own_objects: out: objects in the opener's namespace
 * @own_objects_max: out: cap on them; with CAP_SYS_ADMIN the host's
 * @own_keys: out: sum of max_keys over them
 * @own_keys_max: out: cap on that sum; with CAP_SYS_ADMIN the host's
 */
struct weir_info {
	__u32		size;
	__u32		abi_version;
	__aligned_u64	features;
	__aligned_u64	now;
	__u32		batch_max;
	__u32		fields_max;
	__u32		key_max;
	__u32		handles_max;
	__aligned_u64	keys_max;
	__aligned_u64	objects;
	__aligned_u64	objects_max;
	__aligned_u64	event_first;
	__aligned_u64	event_next;
	char		version[16];
	__aligned_u64	total_keys;
	__aligned_u64	total_keys_max;
	__aligned_u64	own_objects;
	__aligned_u64	own_objects_max;
	__aligned_u64	own_keys;
	__aligned_u64	own_keys_max;
};

#define WEIR_FEATURE_COUNTER	0x1ULL
#define WEIR_FEATURE_LIMITER	0x2ULL
#define WEIR_FEATURE_EVENTS	0x4ULL
#define WEIR_FEATURE_TRANSACTION 0x8ULL
#define WEIR_FEATURE_HISTOGRAM	0x10ULL
#define WEIR_FEATURE_EMIT	0x20ULL
#define WEIR_FEATURE_GATE	0x100ULL
#define WEIR_FEATURE_BREAKER	0x200ULL
#define WEIR_FEATURE_ROSTER	0x400ULL

#define WEIR_IOC_INFO		_IO(WEIR_IOC_MAGIC, 0x00)

/**
 * enum weir_counter_type - types of counter
 * @WEIR_COUNTER_SUM: 1 to 64 fields, signed 64-bit, arithmetic modulo 2^64
 * @WEIR_COUNTER_SEQUENCE: hands out 1, 2, 3... without gaps or repeated numbers
 * @WEIR_COUNTER_HISTOGRAM: counts values by their size; see &struct weir_histogram
 */
enum weir_counter_type {
	WEIR_COUNTER_SUM	= 1,
	WEIR_COUNTER_SEQUENCE	= 2,
	WEIR_COUNTER_HISTOGRAM	= 3,
};

/**
 * struct weir_counter_config - configuration of a counter
 * @size: sizeof(struct weir_counter_config)
 * @type: enum weir_counter_type
 * @nfields: number of names in @fields. CREATE: 0 means one field named "value", the only choice
 *	for a sequence; a histogram has no fields. GET: set it to the room in @fields; it is set to
 *	the number of fields of the counter (EMSGSIZE if they do not fit).
 * @reserved: 0
 * @fields: pointer to @nfields different names of WEIR_NAME_SIZE bytes each, NUL-terminated,
 *	by the rules of object names
 * @start: sequence, in CREATE: the number before the first one handed out, 0 to 2^63-2;
 *	otherwise 0
 * @sub_bits: histogram: WEIR_HISTOGRAM_SUB_BITS; 0 in CREATE means the same. Otherwise 0.
 * @buckets: histogram, in GET: WEIR_HISTOGRAM_BUCKETS; otherwise 0
 */
struct weir_counter_config {
	__u32		size;
	__u32		type;
	__u32		nfields;
	__u32		reserved;
	__aligned_u64	fields;
	__aligned_s64	start;
	__u32		sub_bits;
	__u32		buckets;
};

/**
 * DOC: Histograms
 *
 * A value is 0 to WEIR_HISTOGRAM_VALUE_MAX (2^63-1). Each value below 32 has a bucket of its
 * own. Above, each power of two is divided into 16 buckets (WEIR_HISTOGRAM_SUB_BITS is 4), so a
 * bucket is never wider than 1/16 of its lowest value. Let s be the number of bits of the value
 * minus 5, or 0 if it has fewer bits. Then the index of its bucket is
 *
 *	s * 16 + (value >> s)
 *
 * and bucket i, with s = i / 16 - 1 (0 for i below 16), has the values
 *
 *	(i - s * 16) << s	to	((i - s * 16 + 1) << s) - 1.
 *
 * A percentile, taken as the highest value of its bucket, is never too low, and too high by
 * less than 1/16.
 */
#define WEIR_HISTOGRAM_SUB_BITS	4
#define WEIR_HISTOGRAM_BUCKETS	960
#define WEIR_HISTOGRAM_VALUE_MAX 0x7fffffffffffffffULL

/**
 * struct weir_histogram - a snapshot of a histogram
 * @count: number of values: the sum of @buckets
 * @sum: sum of the values
 * @min: the lowest value of the lowest non-empty bucket; 0 if all are empty
 * @max: the highest value of the highest non-empty bucket; 0 if all are empty
 * @buckets: number of values in each bucket
 *
 * A snapshot contains each observation in all members, or in none. @min and @max are derived
 * from the buckets: no value is outside of them, and the least and the greatest value are in
 * the same buckets as they are (exact below 32, otherwise off by less than 1/16). @count, @sum
 * and @buckets are modulo 2^64; @sum may wrap if values are 2^32 or more. Snapshots of the same
 * layout can be merged by adding all members except @min and @max.
 */
struct weir_histogram {
	__aligned_u64	count;
	__aligned_u64	sum;
	__aligned_u64	min;
	__aligned_u64	max;
	__aligned_u64	buckets[WEIR_HISTOGRAM_BUCKETS];
};

/** WEIR_HISTOGRAM_WORDS: how many numbers &struct weir_histogram has, for READ and TAKE */
#define WEIR_HISTOGRAM_WORDS	(4 + WEIR_HISTOGRAM_BUCKETS)

/**
 * enum weir_algorithm - how a limiter decides
 * @WEIR_ALGORITHM_BUCKET: token bucket, implemented as GCRA (ITU-T I.371): @tokens per
 *	@period come back evenly; at most @burst are saved up
 * @WEIR_ALGORITHM_WINDOW: at most @tokens in each @period, counted from the limiter's
 *	creation (or from the last change of @period)
 * @WEIR_ALGORITHM_SLIDING: the same windows; tokens spent in the previous window also count,
 *	weighted by the part of it that is less than a @period old, rounded up. Any one @period
 *	therefore has at most @tokens if they were spent evenly, and always less than twice
 *	@tokens.
 */
enum weir_algorithm {
	WEIR_ALGORITHM_BUCKET	= 1,
	WEIR_ALGORITHM_WINDOW	= 2,
	WEIR_ALGORITHM_SLIDING	= 3,
};

/** enum weir_key_type - types of keys, and their form in &struct weir_op */
enum weir_key_type {
	WEIR_KEY_NONE		= 0,	/* no key: key_len 0 */
	WEIR_KEY_U64		= 1,	/* key_len 8, this machine's byte order */
	WEIR_KEY_IP		= 2,	/* key_len 4 or 16, network order */
	WEIR_KEY_TEXT		= 3,	/* key_len 1..255, any bytes */
};

/**
 * enum weir_when_full - answer for a new key when max_keys are in use
 * @WEIR_FULL_REFUSE: verdict "full"
 * @WEIR_FULL_ALLOW: allowed, not tracked, counted
 *
 * Entries that equal fresh ones are dropped to make room. Each search for such entries is short and
 * continues where the last search ended, so it may miss one.
 */
enum weir_when_full {
	WEIR_FULL_REFUSE	= 0,
	WEIR_FULL_ALLOW		= 1,
};

/**
 * struct weir_limiter_config - configuration of a limiter
 * @size: sizeof(struct weir_limiter_config)
 * @algorithm: enum weir_algorithm
 * @key_type: enum weir_key_type
 * @when_full: enum weir_when_full
 * @tokens: tokens per @period, 1..2^32-1 (window, sliding: 1..2^27-1). In a bucket at most
 *	one a nanosecond (ERANGE); the time of one token is rounded up to 1/12 ns. Sliding
 *	windows, whose state is two counts, allow fewer tokens when they are short (ERANGE):
 *	2^13-1 in 10 ms, 2^16-1 in a second, 2^19-1 in a minute, 2^22-1 in an hour, 2^24-1 in a
 *	day. These limits follow from the period at creation; a change to half that period or
 *	less may also fail with ERANGE.
 * @period: ns, 1..100 days (window, sliding: 10 ms..100 days)
 * @burst: tokens that a key can save up, 1..2^32-1; 0 means @tokens. For windows it is 0 or
 *	@tokens. @burst times @period / @tokens is at most two years (ERANGE).
 * @max_keys: maximum number of entries, 1..WEIR_KEYS_MAX; 0 means 65536. Charged to the
 *	creator's max_keys_per_uid while the limiter exists.
 * @prefix4: leading bits of an IPv4 address that make the key, 1..32; 0 means 32
 * @prefix6: leading bits of an IPv6 address that make the key, 1..128; 0 means 64. An
 *	IPv4-mapped address (::ffff:a.b.c.d) is taken as the IPv4 address.
 * @flags: WEIR_LIMITER_SHADOW or 0
 * @strikes: a key is banned when its strikes reach this number; 0 means never, and a limited check
 *	is then not a strike
 * @within: ns over which strikes fade, 1 ms..100 days; 0 means ten minutes. Strikes less
 *	than @within after the first one count in full. After that, strikes of the previous
 *	@within are weighted by the part of it that is less than @within old (a two-window
 *	count).
 * @forget_after: ns after a ban's end at which the next ban starts again at the ladder's
 *	first step; 0 means the length of the ladder's last step; at most 10 years
 * @nbans: steps in @ban, 1..8 if @strikes is not 0, otherwise 0
 * @queue_max: tokens of each key that RESERVEs may wait for in total; a RESERVE that would
 *	exceed this is answered "limited" at once. 0 means no limit.
 * @ban: ns of the first ban, the second, and so on, 1 ms..10 years each; the last step
 *	repeats. Members beyond @nbans are 0.
 * @ban_jitter: ns, 0..1 year: a ban by strikes is longer than its step by a random time up to this,
 *	each length equally likely, so that its end cannot be predicted. Does not apply to
 *	WEIR_OP_BAN.
 * @candidate: name of another limiter with the same key type, NUL-terminated, zero-filled to
 *	the end; "": none. The caller needs USE on it (EACCES). In GET it is also "" if that
 *	limiter was deleted. See &struct weir_limiter_stats.
 *
 * For key type NONE max_keys must be 0 or 1. Prefixes must be 0 unless the key type is IP.
 */
struct weir_limiter_config {
	__u32		size;
	__u32		algorithm;
	__u32		key_type;
	__u32		when_full;
	__aligned_u64	tokens;
	__aligned_u64	period;
	__aligned_u64	burst;
	__aligned_u64	max_keys;
	__u8		prefix4;
	__u8		prefix6;
	__u16		flags;
	__u32		strikes;
	__aligned_u64	within;
	__aligned_u64	forget_after;
	__u32		nbans;
	__u32		queue_max;
	__aligned_u64	ban[WEIR_LADDER_MAX];
	__aligned_u64	ban_jitter;
	char		candidate[WEIR_NAME_SIZE];
};

/**
 * WEIR_LIMITER_SHADOW: decide, count, strike and ban as usual, but answer "allowed", with
 * WEIR_OUT_SHADOW where the answer would have been different. The totals count the real
 * decisions.
 */
#define WEIR_LIMITER_SHADOW	0x1

/**
 * struct weir_limiter_stats - a limiter's totals since its creation
 * @size: sizeof(struct weir_limiter_stats)
 * @reserved: 0
 * @keys: entries now
 * @max_keys: maximum number of entries
 * @allowed: checks answered "allowed"
 * @limited: checks answered "limited"
 * @banned: checks answered "banned"
 * @strikes: strikes counted: one for each limited check if strikes are configured, and the weight
 *	of each WEIR_OP_STRIKE
 * @bans: bans, by strikes or by hand
 * @evicted: idle entries dropped to make room
 * @expired: idle entries dropped by the sweep
 * @full: operations that found no room for a new key
 * @stricter: as a candidate: checks that it refused and the live limiter allowed
 * @looser: as a candidate: checks that it allowed and the live limiter refused
 * @missed: as a candidate: operations that did not reach it: for lack of memory, or because they
 *	were answered "queued"
 *
 * The candidate of a limiter shows what another configuration would do with the same traffic. It is
 * a limiter like any other, with its own keys, totals and events. Each CHECK, REFUND, STRIKE and
 * FORGIVE of the live limiter is mirrored to it at once, with the same key. The candidate cuts the
 * key to its own prefix and applies its own rules; each RESERVE is mirrored as a CHECK when it is
 * answered, unless it is asynchronous and waits. Operations that a rule of the live limiter
 * decides, or for which it has no entry or no room, are mirrored too. Of a WEIR_SUBMIT_ALL, each
 * CHECK is mirrored if all were allowed, otherwise the one that decided. BAN, LIFT, FORGET, LOAD
 * and rules are not mirrored, and nothing is passed on to the candidate's own candidate.
 *
 * A candidate never changes the answer, except for WEIR_OUT_CANDIDATE, and never makes an
 * operation fail. If one of the two limiters is in shadow mode, its decision without shadow
 * mode is compared. One limiter may be the candidate of several, and two may be each other's.
 */
struct weir_limiter_stats {
	__u32		size;
	__u32		reserved;
	__aligned_u64	keys;
	__aligned_u64	max_keys;
	__aligned_u64	allowed;
	__aligned_u64	limited;
	__aligned_u64	banned;
	__aligned_u64	strikes;
	__aligned_u64	bans;
	__aligned_u64	evicted;
	__aligned_u64	expired;
	__aligned_u64	full;
	__aligned_u64	stricter;
	__aligned_u64	looser;
	__aligned_u64	missed;
};

/**
 * struct weir_gate_config - configuration of a gate
 * @size: sizeof(struct weir_gate_config)
 * @key_type: enum weir_key_type; NONE: a plain gate
 * @permits: number of permits of each key, 1..WEIR_PERMITS_MAX
 * @queue_max: number of acquisitions that may wait for each key; a further one is answered
 *	"limited" at once. 0 means no limit.
 * @max_keys: maximum number of keys with held permits or waiters, 1..WEIR_KEYS_MAX; 0 means
 *	65536. Charged to the creator's max_keys_per_uid while the gate exists.
 * @prefix4: as in &struct weir_limiter_config
 * @prefix6: as in &struct weir_limiter_config
 * @reserved: 0
 *
 * For key type NONE max_keys must be 0 or 1. Prefixes must be 0 unless the key type is IP.
 *
 * DOC: Holders
 *
 * A holder is an open file (a client) and a tag: a number in @tag of the op that the program
 * chooses, or 0 if it need not tell activities apart. Every process and thread that has the
 * file can act as each of its holders. What a holder has comes back when it is released, when
 * WEIR_IOC_DROP drops the tag, or when the last reference to the open file is gone, as a lock
 * of flock(2) does: descriptors made by dup(2) and fork(2), files registered with io_uring and
 * messages in flight keep it. A process that dies, by any signal, closes its descriptors before
 * its parent can reap it. What is held of a deleted object is gone with the object.
 *
 * A child of fork(2) that is to be a client of its own uses WEIR_IOC_DUP_CLIENT.
 *
 * Other kernel modules can hold permits, too. These count as in use, belong to no client, and
 * come back when a module releases them.
 *
 * DOC: Asynchronous requests
 *
 * A program that waits for many things by poll() needs no thread for each of them. With
 * WEIR_OP_ASYNC an ACQUIRE or a RESERVE does not sleep: if it cannot be served now, the request
 * joins the queue of the key, in which sleeping callers wait, too, and the answer is "queued"; that
 * of a RESERVE also has the other members that a CHECK would have. (O_NONBLOCK makes no
 * difference.) The request is served in its turn, as a sleeping caller is. From then on the holder
 * has the permits and may release them, or the tokens are charged.
 *
 * A request ends when it is served, when its deadline has passed, when it can never be served
 * because the object has changed, or when the object is deleted. Its answer is then that of a
 * sleeping op: "allowed", "limited", "banned", E2BIG, EDEADLK, ENODEV. poll() reports POLLOUT and
 * POLLWRNORM while the open file has requests that have ended and were not collected.
 * WEIR_IOC_COLLECT returns their answers, several with one call, and each answer once. A request
 * that ends wakes the pollers of its open file, and no others. Each process should have an open
 * file of its own, because poll() reports requests of all tags. Polling by aio, IOCB_CMD_POLL,
 * works as well.
 *
 * WEIR_OP_CANCEL and WEIR_OP_RESERVE_CANCEL end a request that waits; there is no answer to collect
 * then. A request belongs to the holder and not to the handle: CLOSE keeps it. When the tag is
 * dropped, and when the file is closed for the last time, requests that wait are cancelled, and the
 * answers of requests that have ended are discarded.
 *
 * A holder has at most one waiting request for each key (EEXIST); several tags can queue for one
 * key. A later ACQUIRE of the holder that sleeps waits behind the request. An ACQUIRE is answered
 * "limited" at once if queue_max or WEIR_QUEUED_MAX acquisitions already wait for the key. EMFILE:
 * the open file has WEIR_REQUESTS_MAX requests that wait or have not been collected. EDQUOT: a
 * holder with a request that waits has a grant, and the user that opened the file has
 * max_grants_per_uid grants.
 */
struct weir_gate_config {
	__u32		size;
	__u32		key_type;
	__u32		permits;
	__u32		queue_max;
	__aligned_u64	max_keys;
	__u8		prefix4;
	__u8		prefix6;
	__u8		reserved[6];
};

/**
 * struct weir_gate_stats - a gate's totals
 * @size: sizeof(struct weir_gate_stats)
 * @reserved: 0
 * @keys: keys with held permits or waiters, or with an entry that is still to be dropped; a plain
 *	gate has one key from its first use on
 * @max_keys: maximum number of keys
 * @acquired: acquisitions granted since the gate's creation
 * @refused: acquisitions answered "limited" or "full"
 * @timeouts: those of @refused that had waited
 * @reclaimed: permits taken back because their holder was gone
 * @full: acquisitions that found no room for a new key
 * @in_use: permits held, of all keys
 * @waiting: waiting acquisitions, of all keys
 * @permits: number of permits of each key
 *
 * @in_use and @waiting are exact if no operation is in progress.
 */
struct weir_gate_stats {
	__u32		size;
	__u32		reserved;
	__aligned_u64	keys;
	__aligned_u64	max_keys;
	__aligned_u64	acquired;
	__aligned_u64	refused;
	__aligned_u64	timeouts;
	__aligned_u64	reclaimed;
	__aligned_u64	full;
	__aligned_u64	in_use;
	__aligned_u64	waiting;
	__aligned_u64	permits;
};

/**
 * struct weir_breaker_config - configuration of a breaker
 * @size: sizeof(struct weir_breaker_config)
 * @key_type: enum weir_key_type; NONE: a plain breaker
 * @failures: failures within @within that open the breaker, 1..65535; 0: @percent is used
 * @percent: percentage of failed calls within @within that opens the breaker, 1..100; 0 with
 *	@failures
 * @minimum: number of calls within @within below which @percent does not open the breaker, 1..2^20;
 *	0 means 10; 0 with @failures
 * @probes: calls admitted while half-open, 1..2^30; 0 means 1
 * @successes: successful probes that close the breaker, 1..@probes; 0 means all
 * @nopen: number of steps in @open, 1..8
 * @open: ns of the first open period, the second, and so on, 1 ns to ten years each; the
 *	last step repeats. Members beyond @nopen are 0.
 * @within: ns, 1 ns to 100 days
 * @forget_after: ns after closing at which the ladder is reset, 0 to ten years; 0: at once
 * @probe_within: ns after the last admission at which unreported probes have failed, 1 ns to
 *	ten years; 0 means a minute; WEIR_NEVER: no limit
 * @lapse: ns after which a half-open breaker without outstanding probes and without calls closes by
 *	itself, 1 ns to ten years, or WEIR_NEVER; 0 means an hour, or WEIR_NEVER for a plain
 *	breaker. With WEIR_NEVER, a half-open key that is not used any more keeps its entry for
 *	ever.
 * @slow: ns: a call that took longer has failed, 0 to ten years; 0: no limit
 * @max_keys: maximum number of keys with an entry, 1..WEIR_KEYS_MAX; 0 means 65536. Charged
 *	to the creator's max_keys_per_uid while the breaker exists.
 * @prefix4: as in &struct weir_limiter_config
 * @prefix6: as in &struct weir_limiter_config
 * @reserved: 0
 *
 * For key type NONE max_keys must be 0 or 1. Prefixes must be 0 unless the key type is IP.
 *
 * DOC: How a breaker decides
 *
 * A closed breaker admits all calls and counts reports. An open breaker admits none. When the open
 * period ends, the breaker is half-open and admits exactly @probes calls, counted over all
 * processes. @successes successful probes close it. The first failed probe opens it for the next
 * step of the ladder.
 *
 * With @failures, the time that is counted may be too long by less than a seventh: the breaker
 * always opens if @failures failures were within @within, and never if they were not within 8/7 of
 * @within. With @percent, older calls fade as strikes do.
 *
 * An admitted call gets a ticket for its report. The report is late, and is ignored, if the
 * state has changed since the call was admitted, or if the call was admitted more than an hour
 * ago. State changes that time causes (the end of @open, @probe_within, @lapse) are made, and
 * their events sent, by the next operation on the key. There is no other visible difference.
 *
 * A probe belongs to its holder (see "Holders"): if the holder ends without a report, the probe has
 * failed. A detached probe has no holder.
 */
struct weir_breaker_config {
	__u32		size;
	__u32		key_type;
	__u32		failures;
	__u32		percent;
	__u32		minimum;
	__u32		probes;
	__u32		successes;
	__u32		nopen;
	__aligned_u64	open[WEIR_LADDER_MAX];
	__aligned_u64	within;
	__aligned_u64	forget_after;
	__aligned_u64	probe_within;
	__aligned_u64	lapse;
	__aligned_u64	slow;
	__aligned_u64	max_keys;
	__u8		prefix4;
	__u8		prefix6;
	__u8		reserved[6];
};

/**
 * struct weir_breaker_stats - a breaker's totals since its creation
 * @size: sizeof(struct weir_breaker_stats)
 * @reserved: 0
 * @keys: keys with an entry
 * @max_keys: maximum number of keys
 * @allowed: calls admitted, probes included
 * @rejected: calls not admitted
 * @succeeded: reports of success that counted
 * @failed: failures that counted, slow calls included; probes that are lost together count
 *	as one
 * @late: reports that came too late and were ignored
 * @lost: probes that failed because their holder ended without a report
 * @opened: number of times that any key opened
 * @full: reports, trips and resets that found no room for a new key
 */
struct weir_breaker_stats {
	__u32		size;
	__u32		reserved;
	__aligned_u64	keys;
	__aligned_u64	max_keys;
	__aligned_u64	allowed;
	__aligned_u64	rejected;
	__aligned_u64	succeeded;
	__aligned_u64	failed;
	__aligned_u64	late;
	__aligned_u64	lost;
	__aligned_u64	opened;
	__aligned_u64	full;
};

/**
 * struct weir_roster_config - configuration of a roster
 * @size: sizeof(struct weir_roster_config)
 * @key_type: enum weir_key_type; NONE: at most one lease
 * @max_keys: maximum number of leases, 1..WEIR_KEYS_MAX; 0 means 65536. Charged to the
 *	creator's max_keys_per_uid while the roster exists.
 * @ttl: default time to live of a lease, 1 ns to ten years; 0: until it is removed
 * @prefix4: as in &struct weir_limiter_config
 * @prefix6: as in &struct weir_limiter_config
 * @reserved: 0
 *
 * For key type NONE max_keys must be 0 or 1. Prefixes must be 0 unless the key type is IP.
 *
 * DOC: Holders of leases
 *
 * A lease is a key with a value, a version, and a time to live or none. It belongs to the
 * holder that claimed it (see "Holders") and ends with that holder. A detached lease belongs to
 * no holder; any caller with USE may put, touch and remove it.
 *
 * Exactly one of several concurrent CLAIMs of a key succeeds; the others get the owner of the
 * lease. A reader of a lease gets the whole lease. A version is never used twice in a roster, not
 * even for different keys; each new value gets a new, higher version. So a caller that passes the
 * version that it knows changes or ends that value or nothing.
 *
 * No call that begins after a lease has expired finds it. The event LEASE_LOST is sent once for
 * each lease that expired or whose holder ended. For an expired lease it is sent when the next
 * claim or the sweep finds the lease, which may be a second later or more. WEIR_OUT_MINE of a GET
 * shows whether the caller still holds the lease.
 */
struct weir_roster_config {
	__u32		size;
	__u32		key_type;
	__aligned_u64	max_keys;
	__aligned_u64	ttl;
	__u8		prefix4;
	__u8		prefix6;
	__u8		reserved[6];
};

/**
 * struct weir_roster_stats - a roster's totals since its creation
 * @size: sizeof(struct weir_roster_stats)
 * @reserved: 0
 * @members: present leases, including expired ones that have not been found yet; never more than
 *	@max_keys
 * @max_keys: maximum number of leases
 * @claimed: leases made, by CLAIM, or by PUT of a key that had none
 * @refused: CLAIMs and PUTs of a key that had another holder's lease
 * @replaced: new values by REPLACE or PUT
 * @removed: leases removed
 * @lost: leases that expired or whose holder ended; each has an event LEASE_LOST
 * @expired: those of @lost that expired
 * @full: CLAIMs and PUTs that found no room for a new key
 */
struct weir_roster_stats {
	__u32		size;
	__u32		reserved;
	__aligned_u64	members;
	__aligned_u64	max_keys;
	__aligned_u64	claimed;
	__aligned_u64	refused;
	__aligned_u64	replaced;
	__aligned_u64	removed;
	__aligned_u64	lost;
	__aligned_u64	expired;
	__aligned_u64	full;
};

/**
 * struct weir_lease - key and value of a roster's op, at its @ptr with WEIR_OP_PTR
 * @size: sizeof(struct weir_lease)
 * @value_len: size of @value in bytes. CLAIM, PUT and REPLACE: the new value, 0..255. GET: the
 *	room, any number; 0: the value is not wanted; EMSGSIZE if the value is longer. TOUCH and
 *	REMOVE: 0.
 * @key: pointer to the key; its length is in the op
 * @value: pointer to the value; GET writes it, other ops read it
 *
 * Without WEIR_OP_PTR the op contains the key, and the value is empty or not wanted.
 */
struct weir_lease {
	__u32		size;
	__u32		value_len;
	__aligned_u64	key;
	__aligned_u64	value;
};

/**
 * struct weir_create - WEIR_IOC_CREATE: make an object, get a handle for it
 * @size: sizeof(struct weir_create)
 * @flags: WEIR_CREATE_* bits
 * @kind: enum weir_kind
 * @mode: permission bits, 0..0777; see Rights
 * @gid: the object's group, one of the caller's (any for CAP_SYS_ADMIN);
 *	WEIR_GID_DEFAULT: the caller's effective one
 * @rights: WEIR_RIGHT_* wanted in the handle; 0: no handle is made
 * @handle: out: the handle, or 0
 * @config: pointer to the kind's config struct
 * @id: out: the object's number, never used again; also set on EEXIST, where it
 *	is the number of the object that has the name
 * @owner: WEIR_OWNER_DEFAULT: the opener's namespace; otherwise the uid of an owner, which without
 *	CAP_SYS_ADMIN must be the opener. out: the owner of the object's namespace; also set on
 *	EEXIST
 * @created: out: 1 if this call made the object, 0 if it existed
 * @reserved: 0
 * @name: NUL-terminated, zero-filled to the end
 *
 * With WEIR_CREATE_EXISTING_OK an existing object is opened in the way of OPEN: by default the
 * opener's own, or else root's. Without it, only an object of the same owner causes EEXIST.
 *
 * Exactly one of several concurrent calls for one name and owner makes the object. The others wait
 * for it, because the objects of one owner are made one after the other. An object is complete
 * before any call finds it; the sysfs folder of an object of root may appear a moment earlier.
 * After an error other than EEXIST the out members are 0 or unchanged.
 *
 * Errors: EACCES (file not open for writing; a @gid the opener is not in; another
 * @owner; EXISTING_OK, and the existing object does not grant the rights; no USE on a candidate),
 * EPERM, EEXIST, ENOENT (no such candidate), EDQUOT, ENOSPC, EMFILE, ENOMEM, EINVAL, EINTR, ERANGE,
 * EFAULT, E2BIG, EOPNOTSUPP (a kind or type this module does not know).
 */
struct weir_create {
	__u32		size;
	__u32		flags;
	__u32		kind;
	__u32		mode;
	__u32		gid;
	__u32		rights;
	__u32		handle;
	__u32		owner;
	__aligned_u64	config;
	__aligned_u64	id;
	__u32		created;
	__u32		reserved;
	char		name[WEIR_NAME_SIZE];
};

/** WEIR_CREATE_EXISTING_OK: if an object has the name, open it unchanged. */
#define WEIR_CREATE_EXISTING_OK	0x1
#define WEIR_GID_DEFAULT	0xffffffffU

#define WEIR_IOC_CREATE		_IO(WEIR_IOC_MAGIC, 0x01)

/**
 * struct weir_open - WEIR_IOC_OPEN: get a handle for an existing object
 * @size: sizeof(struct weir_open)
 * @flags: 0
 * @kind: enum weir_kind
 * @rights: WEIR_RIGHT_* wanted, at least one; all or none are granted
 * @handle: out: the handle, never 0
 * @owner: WEIR_OWNER_DEFAULT: the opener's own object of that name, or else root's; otherwise the
 *	uid of the owner. out: the owner of the object's namespace
 * @id: out: the object's number
 * @name: NUL-terminated, zero-filled to the end
 *
 * Errors: ENOENT, EACCES, EPERM, EMFILE, ENOMEM, EINVAL, EFAULT, E2BIG.
 */
struct weir_open {
	__u32		size;
	__u32		flags;
	__u32		kind;
	__u32		rights;
	__u32		handle;
	__u32		owner;
	__aligned_u64	id;
	char		name[WEIR_NAME_SIZE];
};

#define WEIR_IOC_OPEN		_IO(WEIR_IOC_MAGIC, 0x02)

/**
 * struct weir_close - WEIR_IOC_CLOSE: close a handle
 * @size: sizeof(struct weir_close)
 * @handle: the handle
 *
 * Errors: EBADF, EINVAL, EFAULT, E2BIG.
 */
struct weir_close {
	__u32		size;
	__u32		handle;
};

#define WEIR_IOC_CLOSE		_IO(WEIR_IOC_MAGIC, 0x03)

/**
 * struct weir_set - WEIR_IOC_SET: change an object's configuration while in use
 * @size: sizeof(struct weir_set)
 * @handle: handle with ADMIN
 * @mask: WEIR_SET_* bits: the members of the config to change
 * @config: pointer to &struct weir_limiter_config or &struct weir_gate_config; members
 *	outside @mask are ignored, reserved members must be zero
 *
 * Concurrent checks use the old or the new configuration, never a mix. When the call returns, no
 * check uses the old configuration, and waiters (RESERVE) have been re-evaluated and keep their
 * places. Totals and rules are kept. The list says for each member which state of a key is kept:
 *
 * RATE: in a bucket the time until it is full: four tokens spent at ten a day become eight
 *	at twenty a day. The burst does not change. In a window the tokens spent; but a changed
 *	period starts a new window, with nothing spent.
 * BURST: the tokens spent. Tokens above the new burst are owed.
 * MAX_KEYS: all entries. If they are more, new keys are refused until there is room. It can
 *	be raised to at least eight times the value at creation, and to at least 512; beyond that
 *	is ERANGE.
 * WHEN_FULL: all entries. Untracked keys have none.
 * STRIKES: the strikes, the present ban, and the step of the ladder: the next ban is the next step
 *	of the new ladder, or its last. The change itself bans no key; a key that has reached the
 *	new number is banned by its next strike. With 0, a limited check is no longer a strike, and
 *	the strikes are kept.
 * WITHIN: the strikes and their times; they fade by the new time. The present ban keeps its
 *	end.
 * FORGET_AFTER: the step of the ladder and the end of the last ban. The next ban applies the
 *	new time.
 * QUEUE_MAX: all present waiters, even above the new limit.
 * CANDIDATE: everything, of both limiters. An operation in progress may still reach the
 *	previous candidate. EINVAL also if it is this limiter itself or has another key type;
 *	ENOENT if no limiter has that name; EACCES without USE on it.
 * BAN_JITTER: the present ban keeps its end.
 * FLAGS: everything. When shadow mode begins, waiters get the answer of a check, "allowed" with
 *	WEIR_OUT_SHADOW, and are not charged.
 *
 * For a gate, PERMITS, MAX_KEYS and QUEUE_MAX can be changed:
 *
 * PERMITS: all held permits. New permits are granted to the waiters, in order. If there are
 *	fewer now, none is granted until enough have come back. A waiter that asks for more than
 *	the new number fails (E2BIG, EDEADLK).
 * QUEUE_MAX: all present waiters, even above the new limit.
 *
 * Errors: EBADF, EACCES, ENODEV, ENOENT, EINVAL, EINTR, ERANGE, EDQUOT, ENOSPC, ENOMEM,
 *	EFAULT, E2BIG, EOPNOTSUPP (a counter, a breaker, a roster).
 */
struct weir_set {
	__u32		size;
	__u32		handle;
	__aligned_u64	mask;
	__aligned_u64	config;
};

#define WEIR_SET_RATE		0x1ULL	/* tokens, period */
#define WEIR_SET_BURST		0x2ULL	/* burst */
#define WEIR_SET_MAX_KEYS	0x4ULL	/* max_keys */
#define WEIR_SET_WHEN_FULL	0x8ULL	/* when_full */
#define WEIR_SET_STRIKES	0x10ULL	/* strikes, nbans, ban */
#define WEIR_SET_WITHIN		0x20ULL	/* within */
#define WEIR_SET_FORGET_AFTER	0x40ULL	/* forget_after */
#define WEIR_SET_QUEUE_MAX	0x80ULL	/* queue_max */
#define WEIR_SET_FLAGS		0x100ULL	/* flags */
#define WEIR_SET_CANDIDATE	0x400ULL	/* candidate */
#define WEIR_SET_BAN_JITTER	0x800ULL	/* ban_jitter */
#define WEIR_SET_PERMITS	0x2000ULL /* a gate's permits */
/** WEIR_SET_RULES: not for WEIR_IOC_SET: the event CHANGED of WEIR_IOC_RULES has this bit */
#define WEIR_SET_RULES		0x10000ULL

#define WEIR_IOC_SET		_IO(WEIR_IOC_MAGIC, 0x04)

/**
 * struct weir_get - WEIR_IOC_GET: an object's configuration and totals
 * @size: sizeof(struct weir_get)
 * @handle: handle with OBSERVE
 * @config: pointer to the kind's config struct, its size set; 0: not wanted
 * @stats: pointer to &struct weir_limiter_stats, &struct weir_gate_stats, &struct
 *	weir_breaker_stats or &struct weir_roster_stats, its size set; 0: not wanted. Counters
 *	have none (EOPNOTSUPP): read them.
 *
 * Structs longer than the kernel knows are zero-filled at the end. Configs of limiters, gates,
 * breakers and rosters have all defaults filled in.
 *
 * Errors: EBADF, EACCES, ENODEV, EINVAL, EMSGSIZE (no room for all fields), EFAULT, E2BIG,
 *	EOPNOTSUPP.
 */
struct weir_get {
	__u32		size;
	__u32		handle;
	__aligned_u64	config;
	__aligned_u64	stats;
};

#define WEIR_IOC_GET		_IO(WEIR_IOC_MAGIC, 0x05)

/**
 * struct weir_delete - WEIR_IOC_DELETE: delete an object
 * @size: sizeof(struct weir_delete)
 * @handle: handle with ADMIN
 *
 * The name is free when the call returns. From then on all handles of the object, including
 * this one, return ENODEV. Of two concurrent calls one succeeds, the other fails with ENODEV.
 *
 * Errors: EBADF, EACCES, ENODEV, EINVAL, EFAULT, E2BIG.
 */
struct weir_delete {
	__u32		size;
	__u32		handle;
};

#define WEIR_IOC_DELETE		_IO(WEIR_IOC_MAGIC, 0x06)

/**
 * struct weir_object_info - one object in WEIR_IOC_LIST
 * @size: bytes of this record; the next one starts there
 * @kind: enum weir_kind
 * @type: enum weir_counter_type or enum weir_algorithm
 * @mode: permission bits
 * @uid: the user that created it
 * @gid: group
 * @id: its number; objects are listed in this order
 * @keys: entries now (0 for a counter)
 * @name: NUL-terminated
 * @owner: the owner of its namespace
 * @reserved: 0
 */
struct weir_object_info {
	__u32		size;
	__u32		kind;
	__u32		type;
	__u32		mode;
	__u32		uid;
	__u32		gid;
	__aligned_u64	id;
	__aligned_u64	keys;
	char		name[WEIR_NAME_SIZE];
	__u32		owner;
	__u32		reserved;
};

/**
 * struct weir_list - WEIR_IOC_LIST: the objects the caller may observe
 * @size: sizeof(struct weir_list)
 * @kind: enum weir_kind; ANY for all
 * @cursor: 0 to begin; out: where the next call continues
 * @buffer: pointer to room for &struct weir_object_info records
 * @length: size of @buffer in bytes; out: bytes filled, 0 at the end
 * @count: out: records filled
 * @owner: WEIR_OWNER_DEFAULT: all owners; otherwise the uid of one
 *
 * An object that exists from the first call to the last is listed exactly once.
 *
 * Errors: EINVAL, EPERM, EMSGSIZE, EFAULT, E2BIG, EINTR.
 */
struct weir_list {
	__u32		size;
	__u32		kind;
	__aligned_u64	cursor;
	__aligned_u64	buffer;
	__aligned_u64	length;
	__u32		count;
	__u32		owner;
};

#define WEIR_IOC_LIST		_IO(WEIR_IOC_MAGIC, 0x07)

/**
 * struct weir_entry_info - one key in WEIR_IOC_DUMP
 * @size: bytes of this record, key and padding to 8 included
 * @key_len: bytes in @key
 * @flags: WEIR_ENTRY_* bits
 * @strikes: strikes that count now
 * @bans: steps of the ladder used so far
 * @remaining: tokens that the key has now
 * @reset_after: ns until all tokens are back
 * @banned_for: ns until the ban ends; 0 if there is none
 * @key: as in &struct weir_op
 */
struct weir_entry_info {
	__u32		size;
	__u16		key_len;
	__u16		flags;
	__u32		strikes;
	__u32		bans;
	__aligned_u64	remaining;
	__aligned_u64	reset_after;
	__aligned_u64	banned_for;
	__u8		key[];
};

#define WEIR_ENTRY_BANNED	0x1

/**
 * struct weir_lease_info - one lease of a roster in WEIR_IOC_DUMP
 * @size: bytes of this record, key, value and padding of each to 8 included
 * @key_len: bytes of the key
 * @value_len: bytes of the value
 * @flags: WEIR_LEASE_DETACHED, or 0
 * @tag: tag of the owner
 * @version: version of the lease
 * @left: ns until the lease expires; WEIR_NEVER: it lasts until it is removed
 * @pid: process that made it, as a pid in the pid namespace of the reading task; 0: it is not in it
 * @uid: the user of the client that made it
 * @data: the key as in &struct weir_op, padding to 8, the value
 */
struct weir_lease_info {
	__u32		size;
	__u16		key_len;
	__u16		value_len;
	__u32		flags;
	__u32		tag;
	__aligned_u64	version;
	__aligned_u64	left;
	__u32		pid;
	__u32		uid;
	__u8		data[];
};

/** WEIR_LEASE_DETACHED: the lease has no holder */
#define WEIR_LEASE_DETACHED	0x1

/**
 * struct weir_dump - WEIR_IOC_DUMP: the entries of a keyed object
 * @size: sizeof(struct weir_dump)
 * @handle: handle with KEYS, because keys can be addresses and names of people
 * @flags: WEIR_DUMP_BANNED: only keys that are banned now (limiters)
 * @count: out: records filled
 * @cursor: 0 to begin; out: where the next call continues, WEIR_NEVER at the end. It is opaque: a
 *	number that no call returned begins at an arbitrary place
 * @buffer: pointer to room for &struct weir_entry_info records, at least 512 bytes, 8-aligned; for
 *	a roster &struct weir_lease_info, at least 1024 bytes
 * @length: size of @buffer in bytes; out: bytes filled. It may be 0 before the end, if many entries
 *	in a row do not match; only @cursor shows the end.
 *
 * A key that has an entry from the first call to the last is returned exactly once, whichever other
 * entries are made and dropped meanwhile. A lease that gets a new value meanwhile counts as the
 * same entry. The order is undefined.
 *
 * Errors: EBADF, EACCES, ENODEV, EINVAL, EMSGSIZE, EFAULT, E2BIG, ENOMEM,
 * EOPNOTSUPP (a counter, a gate, a breaker).
 */
struct weir_dump {
	__u32		size;
	__u32		handle;
	__u32		flags;
	__u32		count;
	__aligned_u64	cursor;
	__aligned_u64	buffer;
	__aligned_u64	length;
};

#define WEIR_DUMP_BANNED	0x1

#define WEIR_IOC_DUMP		_IO(WEIR_IOC_MAGIC, 0x08)

/**
 * struct weir_load - WEIR_IOC_LOAD: load the records of a DUMP
 * @size: sizeof(struct weir_load)
 * @handle: handle with ADMIN
 * @flags: 0
 * @count: out: records loaded
 * @elapsed: ns since the DUMP; tokens that have come back and bans that have ended in this time are
 *	taken into account
 * @buffer: pointer to &struct weir_entry_info records, 8-aligned
 * @length: size of @buffer in bytes, a multiple of 8; out: the bytes of the records loaded
 *
 * If a key has an entry already, the stricter of both counts, member by member. Tokens that were
 * spent in a window count as spent in the present window. A score of strikes begins to fade now; it
 * is dropped if @elapsed is at least @within of the limiter. The time until the ladder is reset
 * starts again. No events are sent.
 *
 * The call succeeds if at least one record was loaded: a signal, an invalid record or a key without
 * room ends it early, and @length has the position.
 *
 * One &struct weir_histogram from READ or TAKE can be loaded into a histogram: it is added in one
 * step. It is refused (EINVAL) if @length differs or @elapsed is not 0, or if it is inconsistent:
 * @count, @min and @max do not follow from @buckets, or values in those buckets cannot have that
 * @sum.
 *
 * Errors, of the first record: EINVAL (invalid record, or not a key of this limiter), ENOSPC
 * (no room), ENOMEM, EFAULT, EINTR; of the call: EBADF, EACCES, ENODEV, EINVAL, E2BIG,
 * EOPNOTSUPP (a sum or a sequence).
 */
struct weir_load {
	__u32		size;
	__u32		handle;
	__u32		flags;
	__u32		count;
	__aligned_u64	elapsed;
	__aligned_u64	buffer;
	__aligned_u64	length;
};

#define WEIR_IOC_LOAD		_IO(WEIR_IOC_MAGIC, 0x0b)

/**
 * enum weir_rule_action - the action of a rule
 * @WEIR_RULE_NONE: remove the rule for this block; there must be one
 * @WEIR_RULE_ALLOW: checks are always allowed
 * @WEIR_RULE_DENY: checks are always answered "banned"
 */
enum weir_rule_action {
	WEIR_RULE_NONE		= 0,
	WEIR_RULE_ALLOW		= 1,
	WEIR_RULE_DENY		= 2,
};

/**
 * struct weir_rule - a rule for a block of addresses (CIDR)
 * @addr: the first address of the block, network order; bytes beyond @addr_len are zero
 * @addr_len: 4 or 16
 * @prefix: number of leading bits of @addr that count, 0..32 or 0..128; the others are zero
 * @action: enum weir_rule_action
 * @reserved: 0
 */
struct weir_rule {
	__u8		addr[16];
	__u8		addr_len;
	__u8		prefix;
	__u8		action;
	__u8		reserved;
};

/**
 * struct weir_rules - WEIR_IOC_RULES: change or show the rules of a limiter
 * @size: sizeof(struct weir_rules)
 * @handle: handle with ADMIN. A limiter whose key type is not IP has no rules, and can get
 *	none (EOPNOTSUPP).
 * @flags: WEIR_RULES_CLEAR: remove all present rules first; WEIR_RULES_GET: copy the rules to
 *	@rules and change nothing
 * @count: number of rules at @rules, 0..WEIR_RULES_MAX. With GET: the room there; out: number of
 *	rules of the limiter, of which as many were written as fit
 * @rules: pointer to &struct weir_rule
 *
 * A change is made as a whole or not at all. Changes are applied in order: a later rule for the
 * same block replaces an earlier one. When the call returns, no check uses the old rules, and
 * the present bans of keys all of whose addresses are allowed have been lifted.
 *
 * If several rules match an address, the one with the longest prefix decides, whatever the prefix
 * of the limiter is. The answer has WEIR_OUT_RULE. An address that is allowed is not charged and
 * gets no strikes, and a ban of its key does not apply to it. An address that is denied is "banned"
 * for ever. Neither makes an entry.
 *
 * Errors: EBADF, EACCES, ENODEV, EOPNOTSUPP, EINVAL, EFAULT, E2BIG, ENOMEM, EINTR;
 * ENOENT: there is no such rule to remove; ENOSPC: more than WEIR_RULES_MAX.
 */
struct weir_rules {
	__u32		size;
	__u32		handle;
	__u32		flags;
	__u32		count;
	__aligned_u64	rules;
};

#define WEIR_RULES_CLEAR	0x1
#define WEIR_RULES_GET		0x2
#define WEIR_RULES_MAX		16384

#define WEIR_IOC_RULES		_IO(WEIR_IOC_MAGIC, 0x0a)

/**
 * enum weir_opcode - the operation of a &struct weir_op
 *
 * Counters:
 *
 * @WEIR_OP_ADD: (USE) add to fields in one step: no snapshot shows half of it. Bit i of @arg
 *	selects field i. With one bit the amount is @n. With several, the amounts are in @values
 *	in the order of the fields (up to 4; @n is 0), or with WEIR_OP_PTR in an array of __s64
 *	at @ptr.
 * @WEIR_OP_READ: (OBSERVE) a snapshot. Without WEIR_OP_PTR: field number @arg is returned in
 *	@value. With it: all fields are written to the array of @n __s64 at @ptr (EMSGSIZE if
 *	they do not fit), and their number to @value. For a sequence: the last number handed out.
 *	For a histogram: only with WEIR_OP_PTR (otherwise EMSGSIZE), a &struct weir_histogram,
 *	which has WEIR_HISTOGRAM_WORDS numbers.
 * @WEIR_OP_TAKE: (ADMIN) as READ, and reset to zero. No add is lost: each is in the result
 *	of one TAKE, or in the counter afterwards. Without WEIR_OP_PTR @arg must be 0 and the
 *	counter must have one field (otherwise EMSGSIZE). Not for sequences (EOPNOTSUPP).
 * @WEIR_OP_NEXT: (USE) hand out @n numbers of a sequence (1..2^32); the first of them is
 *	returned in @value
 * @WEIR_OP_OBSERVE: (USE) count the value @n in a histogram (0..2^63-1), @arg times
 *	(0..2^32; 0 means once)
 *
 * Limiters; @key according to the limiter's key type. All operations except FORGET fill in the
 * verdict members of the result:
 *
 * @WEIR_OP_CHECK: (USE) charge @n tokens (1..2^32-1) if they fit. A cost above the limit is
 *	answered "limited" with retry_after WEIR_NEVER.
 * @WEIR_OP_PEEK: (OBSERVE) the verdict that CHECK would have now; charges nothing and counts no
 *	strike. For a new key in a full table it may be WEIR_FULL although the next CHECK would find
 *	room.
 * @WEIR_OP_REFUND: (USE) give @n tokens back (1..2^32-1), never above full. In a window only
 *	tokens charged in the current window come back.
 * @WEIR_OP_STRIKE: (USE) count @n strikes (1..2^20); bans the key if they reach the
 *	configured number. A banned key collects no strikes towards its next ban; the limiter's
 *	total counts them.
 * @WEIR_OP_FORGIVE: (USE) reset the key's strikes and its ladder; a present ban stays.
 *	ENOENT without an entry.
 * @WEIR_OP_BAN: (ADMIN) ban for @arg ns from now, 1 ns..10 years; a longer ban stays
 * @WEIR_OP_LIFT: (ADMIN) end the ban and reset the strikes; ENOENT if there is no ban
 * @WEIR_OP_FORGET: (ADMIN) drop the entry; ENOENT if there is none
 * @WEIR_OP_RESERVE: (USE) like CHECK, but wait until the tokens have come back or the ban is over,
 *	up to the time @arg (CLOCK_BOOTTIME, ns; 1 or more; with WEIR_OP_RELATIVE ns from now;
 *	WEIR_NEVER: for ever). The waiters of one key are served in order of arrival, as soon as
 *	their tokens are due, even if a waiter gets no CPU time. Until then all other operations on
 *	the key are answered "limited" with nothing remaining. Tokens are charged when they are due,
 *	not earlier. The answer is "limited" or "banned" at once if the tokens cannot be due in
 *	time, if the cost is above the limit, or if too many tokens are waited for (queue_max);
 *	otherwise when the deadline has passed. A ban may be lifted, so a RESERVE waits for it even
 *	if it lasts longer than the deadline. A RESERVE is counted, and can be a strike, like a
 *	CHECK. Waiters are re-evaluated at once when tokens are refunded, when a ban ends, and when
 *	the limiter or its rules change. If the limiter is deleted, the wait ends with ENODEV. A
 *	signal ends it without a charge and without a result: the submission ends before this op,
 *	with EINTR if it is the first, with or without SA_RESTART. A waiter that is stopped and
 *	continued keeps waiting at the end of the queue, and a relative deadline starts again.
 *	With WEIR_OP_ASYNC it does not sleep: see "Asynchronous requests".
 * @WEIR_OP_RESERVE_CANCEL: (USE) end the holder's request for the key that waits; nothing is
 *	charged, and there is no answer to collect. ENOENT: none waits; it may have ended, and then
 *	its answer can be collected.
 *
 * Gates; @key according to the gate's key type. The results have limit (permits of the key),
 * remaining (free permits) and held (permits of this holder):
 *
 * @WEIR_OP_ACQUIRE: (USE) acquire @n permits (1..2^32-1): "allowed", or "limited" if they are not
 *	free by the time @arg (CLOCK_BOOTTIME, ns; with WEIR_OP_RELATIVE ns from now; 0 or past:
 *	now; WEIR_NEVER: for ever; if the file has O_NONBLOCK: as 0). Strictly first come, first
 *	served: a caller never overtakes the waiters of the key, even if enough permits for it are
 *	free. A waiter is woken once, when it has its permits. "full" if the key is new and max_keys
 *	are in use. E2BIG if the gate has fewer permits in all, also for a waiter when the gate
 *	loses them. EDEADLK, instead of a wait, if only the holder itself could end the wait,
 *	because it holds or has queued for too much; never for tag 0, which several activities may
 *	share. (Nothing else is checked: two holders may wait for each other.) EDQUOT if the holder
 *	has no grant for the key, that is, no permits of it and no ACQUIRE that waits, and the user
 *	that opened the file has max_grants_per_uid grants. ENODEV if the gate is deleted. A signal
 *	ends the wait as for RESERVE. With WEIR_OP_ASYNC it does not sleep: see "Asynchronous
 *	requests".
 * @WEIR_OP_RELEASE: (USE) release @n permits (1..2^32-1). ENOENT if this holder has fewer.
 * @WEIR_OP_CANCEL: (USE) end the holder's waiting request for the key; there is no answer to
 *	collect then. ENOENT: no request waits. If it has ended, its answer can be collected.
 * @WEIR_OP_GATE_STATE: (OBSERVE) the members above, and waiting: the number of acquisitions that
 *	wait, including asynchronous requests
 *
 * Breakers; @key according to the breaker's key type. The results have state (enum
 * weir_breaker_state, after the operation):
 *
 * @WEIR_OP_ALLOW: (USE) ask whether to make a call: "allowed", with the ticket for the
 *	report, or "limited", with retry_after: ns until the answer can change if nothing else
 *	happens; WEIR_NEVER: only a report or a reset can change it. WEIR_OUT_PROBE: the call is
 *	a probe, which must be reported; otherwise it has failed after probe_within, or when its
 *	holder goes. WEIR_OP_DETACHED: a probe has no holder, and any client may report it.
 *	ENOMEM; EDQUOT: a probe of a holder without one, while the user that opened
 *	the file has max_grants_per_uid grants.
 * @WEIR_OP_REPORT: (USE) report the outcome of a call. @n: enum weir_call. @arg: its ticket;
 *	0: a call made now without asking. WEIR_OUT_LATE: the call was admitted in an earlier
 *	generation, or more than an hour ago, and the report is ignored. ENOENT if the ticket was
 *	never given out; while half-open also if there is no outstanding probe of this holder and
 *	no detached one. ENOSPC if the key is new and max_keys are in use.
 * @WEIR_OP_TRIP: (ADMIN) open the breaker. @arg: for how many ns, up to ten years; 0: for
 *	the next step of the ladder, which advances; WEIR_NEVER: until a reset. An open breaker
 *	can only be kept open for longer; otherwise the verdict is "limited", and nothing
 *	changes. ENOSPC as for REPORT. Results as for BREAKER_STATE.
 * @WEIR_OP_RESET: (ADMIN) close the breaker. All counts and the ladder are reset; reports of
 *	earlier calls are late. ENOSPC as for REPORT. Results as for BREAKER_STATE.
 * @WEIR_OP_BREAKER_STATE: (OBSERVE) state; step: the next step of the ladder, from 0;
 *	retry_after: ns until the state changes by itself, or WEIR_NEVER. Closed: failures that
 *	count, and, by percentage, calls that count. Half-open: calls is the number of probes
 *	admitted, failures the number of those that succeeded.
 *
 * Rosters; @key according to the roster's key type; with WEIR_OP_PTR there is a &struct
 * weir_lease at @ptr. The results describe the lease after the operation (REMOVE: before it):
 * version, length (bytes of its value), left (ns until it expires, or WEIR_NEVER), pid and uid
 * (of the owner, or of the maker of a detached lease), owner_tag, WEIR_OUT_MINE (of this open
 * file and @tag), WEIR_OUT_DETACHED. The errors EEXIST and ESTALE have these results, too:
 *
 * @WEIR_OP_CLAIM: (USE) make a lease if the key has none. WEIR_OP_DETACHED: without
 *	a holder. @arg: ns until it expires, up to ten years; 0: the roster's default;
 *	WEIR_NEVER: until it is removed. EEXIST: the key has a lease, which the results describe.
 *	ENOSPC: max_keys have leases; an expired one may be missed (see enum weir_when_full).
 *	ENOMEM.
 * @WEIR_OP_PUT: (USE) as CLAIM; but a lease of the caller, or a detached one, gets the new
 *	value, version, time and owner, in one step. EEXIST: another holder has the lease.
 * @WEIR_OP_LEASE_GET: (OBSERVE) read the lease, with its value if wanted. ENOENT.
 * @WEIR_OP_REPLACE: (USE) set a new value if the lease has version @n; owner and time stay.
 *	ESTALE: it has another version. ENOENT, ENOMEM.
 * @WEIR_OP_TOUCH: (USE) let the lease last @arg from now (as in CLAIM), longer or shorter;
 *	value and version stay. @n: only if it has this version (ESTALE), whatever its owner; 0:
 *	only a lease of the caller, or a detached one (otherwise EEXIST). ENOENT: no lease, or it
 *	has expired.
 * @WEIR_OP_REMOVE: (USE) end the lease. @n as in TOUCH. ENOENT.
 */
enum weir_opcode {
	WEIR_OP_ADD		= 0x01,
	WEIR_OP_READ		= 0x02,
	WEIR_OP_TAKE		= 0x03,
	WEIR_OP_NEXT		= 0x04,
	WEIR_OP_OBSERVE		= 0x05,

	WEIR_OP_CHECK		= 0x10,
	WEIR_OP_PEEK		= 0x11,
	WEIR_OP_REFUND		= 0x12,
	WEIR_OP_STRIKE		= 0x13,
	WEIR_OP_FORGIVE		= 0x14,
	WEIR_OP_BAN		= 0x15,
	WEIR_OP_LIFT		= 0x16,
	WEIR_OP_FORGET		= 0x17,
	WEIR_OP_RESERVE		= 0x18,
	WEIR_OP_RESERVE_CANCEL	= 0x19,

	WEIR_OP_ACQUIRE		= 0x20,
	WEIR_OP_RELEASE		= 0x21,
	WEIR_OP_GATE_STATE	= 0x22,
	WEIR_OP_CANCEL		= 0x23,

	WEIR_OP_ALLOW		= 0x30,
	WEIR_OP_REPORT		= 0x31,
	WEIR_OP_TRIP		= 0x32,
	WEIR_OP_RESET		= 0x33,
	WEIR_OP_BREAKER_STATE	= 0x34,

	WEIR_OP_CLAIM		= 0x40,
	WEIR_OP_PUT		= 0x41,
	WEIR_OP_LEASE_GET	= 0x42,
	WEIR_OP_REPLACE		= 0x43,
	WEIR_OP_TOUCH		= 0x44,
	WEIR_OP_REMOVE		= 0x45,
};

/**
 * enum weir_call - the outcome of a call
 * @WEIR_CALL_OK: it succeeded
 * @WEIR_CALL_FAILED: it failed
 * @WEIR_CALL_WITHDRAWN: it was not made; a probe's slot is free again
 */
enum weir_call {
	WEIR_CALL_OK		= 1,
	WEIR_CALL_FAILED	= 2,
	WEIR_CALL_WITHDRAWN	= 3,
};

/**
 * enum weir_breaker_state - see "How a breaker decides"
 * @WEIR_CLOSED: calls are admitted
 * @WEIR_OPEN: calls are rejected
 * @WEIR_HALF_OPEN: only probes are admitted
 */
enum weir_breaker_state {
	WEIR_CLOSED		= 0,
	WEIR_OPEN		= 1,
	WEIR_HALF_OPEN		= 2,
};

/**
 * enum weir_verdict - the answer of a check
 * @WEIR_NONE: the operation has no verdict
 * @WEIR_ALLOWED: charged, go ahead
 * @WEIR_LIMITED: not charged; try again after retry_after
 * @WEIR_BANNED: not charged; the key is banned for banned_for
 * @WEIR_FULL: not charged; the key is new, and max_keys are in use
 * @WEIR_QUEUED: not served yet: the request is in the queue of the key
 */
enum weir_verdict {
	WEIR_NONE		= 0,
	WEIR_ALLOWED		= 1,
	WEIR_LIMITED		= 2,
	WEIR_BANNED		= 3,
	WEIR_FULL		= 4,
	WEIR_QUEUED		= 5,
};

/**
 * struct weir_op - one operation on one object, and its result
 * @opcode: enum weir_opcode
 * @flags: WEIR_OP_PTR: @ptr points to the key, to the values of a counter, or to the &struct
 *	weir_lease of a roster. WEIR_OP_ASYNC: an ACQUIRE or RESERVE does not sleep, see
 *	"Asynchronous requests". WEIR_OP_RELATIVE: @arg of an ACQUIRE or RESERVE is ns from the
 *	beginning of the op. WEIR_OP_DETACHED: the probe of an ALLOW, or the lease of a CLAIM or
 *	PUT, has no holder. WEIR_OP_NOWAIT: the op does not sleep, not even for kernel memory:
 *	EAGAIN, if there is none at once. An ACQUIRE or RESERVE without WEIR_OP_ASYNC is then
 *	answered as if its deadline had passed. Only an access to the caller's own memory may still
 *	sleep, and a memory cgroup above memory.high may delay the return. EINVAL with
 *	WEIR_SUBMIT_ALL
 * @handle: the object
 * @n: see enum weir_opcode; otherwise 0
 * @arg: see enum weir_opcode; otherwise 0
 * @key_len: bytes of the key; 0 for counters
 * @plan: 0
 * @tag: the tag of the holder, see "Holders"; 0 for counters, TRIP, RESET, BREAKER_STATE, and
 *	for limiters except RESERVE and RESERVE_CANCEL
 * @key: the key, if it has at most 32 bytes; the rest is zero
 * @ptr: pointer, with WEIR_OP_PTR
 * @values: amounts of a WEIR_OP_ADD
 *
 * The kernel writes all bytes of the second half and reads none:
 *
 * @result: 0, or a negative errno; then nothing has changed, and the rest is zero (except with
 *	EEXIST and ESTALE)
 * @verdict: enum weir_verdict
 * @out_flags: WEIR_OUT_* bits
 * @decided: index of the op that decided the verdict, within the submission
 * @value: counters: see enum weir_opcode
 * @limit: tokens a fresh key can spend at once
 * @remaining: tokens that the key can spend after this operation
 * @retry_after: ns after which the same check is allowed if no other caller spends tokens; 0: the
 *	check was allowed; WEIR_NEVER: it can never be allowed, or the verdict is "full"
 * @reset_after: ns until all tokens are back
 * @banned_for: ns until the ban ends; 0 if there is none
 * @owner_tag: rosters: tag of the owner
 * @strikes: strikes that count now
 * @bans: steps of the ban ladder used, up to the last ban, whether the ladder has been reset since
 *	or not
 * @waiting: GATE_STATE: acquisitions that wait for the key
 * @held: gates: permits of the key that this holder has
 * @calls: BREAKER_STATE: see there
 * @failures: BREAKER_STATE: see there
 * @ticket: ALLOW: ticket for the REPORT; 0 if not admitted
 * @state: breakers: enum weir_breaker_state
 * @step: BREAKER_STATE: see there
 * @version: rosters: version of the lease
 * @length: rosters: size of its value in bytes
 * @left: rosters: ns until the lease expires, or WEIR_NEVER. It is counted from the time at which
 *	the call read the clock. If the lease was made or touched later, it is too long by the
 *	difference
 * @pid: rosters: process that made it, as a pid in the pid namespace of the calling task; 0: it is
 *	not in it
 * @uid: rosters: the user of the client that made it
 *
 * All durations are rounded up. Errors in @result: EBADF, EACCES, ENODEV, EINVAL,
 * EFAULT, EOPNOTSUPP, ENOENT, ENOMEM, EAGAIN (instead of ENOMEM, with WEIR_OP_NOWAIT), EMSGSIZE,
 * EOVERFLOW, E2BIG, EDEADLK, EEXIST, ESTALE;
 * EDQUOT: ACQUIRE, ALLOW or an asynchronous RESERVE would make a grant beyond
 * max_grants_per_uid; EMFILE: an asynchronous op, see "Asynchronous requests";
 * ENOSPC: BAN, STRIKE, REPORT, TRIP, RESET, CLAIM or PUT for a new key while max_keys are in use;
 * ECANCELED: another op of the same WEIR_SUBMIT_ALL failed.
 */
struct weir_op {
	__u16		opcode;
	__u16		flags;
	__u32		handle;
	__aligned_s64	n;
	__aligned_u64	arg;
	__u16		key_len;
	__u16		plan;
	__u32		tag;
	union {
		__u8		key[32];
		__aligned_u64	ptr;
		__aligned_s64	values[4];
	};

	__s32		result;
	__u32		verdict;
	__u32		out_flags;
	__u32		decided;
	union {
		__aligned_s64	value;
		__aligned_u64	limit;
		__aligned_u64	calls;
		__aligned_u64	version;
	};
	union {
		__aligned_u64	remaining;
		__aligned_u64	failures;
		__aligned_u64	length;
	};
	union {
		__aligned_u64	retry_after;
		__aligned_u64	left;
	};
	union {
		__aligned_u64	reset_after;
		__aligned_u64	ticket;
	};
	union {
		__aligned_u64	banned_for;
		__aligned_u64	owner_tag;
	};
	union {
		__u32	strikes;
		__u32	waiting;
		__u32	state;
		__u32	pid;
	};
	union {
		__u32	bans;
		__u32	held;
		__u32	step;
		__u32	uid;
	};
};

#define WEIR_OP_PTR		0x1
#define WEIR_OP_ASYNC		0x2
#define WEIR_OP_RELATIVE	0x4
#define WEIR_OP_DETACHED	0x8
#define WEIR_OP_NOWAIT		0x10

/** WEIR_OUT_BANNED_NOW: this operation caused the ban. */
#define WEIR_OUT_BANNED_NOW	0x1
/** WEIR_OUT_UNTRACKED: allowed only because the table is full (FULL_ALLOW). */
#define WEIR_OUT_UNTRACKED	0x2
/** WEIR_OUT_RULE: decided by a rule for the address, see &struct weir_rules. */
#define WEIR_OUT_RULE		0x4
/** WEIR_OUT_SHADOW: allowed only because the limiter has WEIR_LIMITER_SHADOW. */
#define WEIR_OUT_SHADOW		0x8
/**
 * WEIR_OUT_QUEUED: callers of RESERVE wait for this key and come before a check. That is why
 * nothing remains; retry_after is the time until the check's turn would come.
 */
#define WEIR_OUT_QUEUED		0x10
/** WEIR_OUT_CANDIDATE: the limiter's candidate would have decided differently. */
#define WEIR_OUT_CANDIDATE	0x20
/** WEIR_OUT_PROBE: ALLOW: the call is a probe and must be reported. */
#define WEIR_OUT_PROBE		0x40
/** WEIR_OUT_LATE: REPORT: the call is of an earlier generation; nothing changed. */
#define WEIR_OUT_LATE		0x80
/** WEIR_OUT_MINE: rosters: the lease is the caller's. */
#define WEIR_OUT_MINE		0x100
/** WEIR_OUT_DETACHED: rosters: the lease is detached. */
#define WEIR_OUT_DETACHED	0x200

/**
 * struct weir_submit - WEIR_IOC_SUBMIT: perform operations, in order
 * @size: sizeof(struct weir_submit)
 * @flags: WEIR_SUBMIT_ALL or 0
 * @count: ops, 1..1024; with WEIR_SUBMIT_ALL 1..32, or 1..64 if they are CLAIMs
 * @done: out: ops performed, whose result halves are written
 * @ops: pointer to @count &struct weir_op, 8-aligned
 *
 * Each op succeeds or fails by itself; see its result. The call succeeds if at least one op was
 * performed: a signal, or memory that cannot be read or written, ends a batch early, and @done
 * tells where. If the result of an op could not be written, the op was not performed, unless
 * another thread of the caller unmapped that memory during the call.
 *
 * With WEIR_SUBMIT_ALL all ops are performed or none. They are either CHECKs and ADDs, or
 * CLAIMs.
 *
 * CLAIMs: at most WEIR_CLAIMS_MAX, of one or several rosters, each key once (EINVAL). If all
 * keys are free, and there is room, all leases are made: a reader that finds one of them finds the
 * others, until they end (a concurrent DUMP may be past their positions). Otherwise none is made,
 * and one op has the reason: the first op whose key is taken or, if no key is taken, an op without
 * room.
 *
 * CHECKs and ADDs: at most WEIR_TRANSACTION_CHECKS CHECKs. If every CHECK is allowed, all are
 * charged and the ADDs are made. A reader of those keys, and of the counter if there is one ADD,
 * sees all of this or nothing. (Several ADDs are one step each.) Otherwise nothing is charged or
 * added, and the first CHECK in order that is not allowed decides. Only that CHECK is counted as
 * limited, banned or full, and can be a strike, as if it were submitted alone.
 *
 * Every op then has the common verdict. If that is not "allowed", @decided is the index of the
 * deciding op; otherwise it is the op's own index. The rest of an answer describes the key of the
 * op; a key without an entry is described as fresh. Several CHECKs of one key must fit together; if
 * one does not, its retry_after is the time until they do.
 *
 * If an op fails, its result has the reason, and the results of the others are -ECANCELED.
 * @done is @count, unless the call fails.
 *
 * Errors: EINVAL, EFAULT, E2BIG, EINTR (a first RESERVE or ACQUIRE; WEIR_SUBMIT_ALL); with
 *	WEIR_SUBMIT_ALL also ENOMEM.
 */
struct weir_submit {
	__u32		size;
	__u32		flags;
	__u32		count;
	__u32		done;
	__aligned_u64	ops;
};

/** WEIR_SUBMIT_ALL: all ops or none; see &struct weir_submit */
#define WEIR_SUBMIT_ALL		0x1
#define WEIR_TRANSACTION_MAX	32
#define WEIR_TRANSACTION_CHECKS	16

#define WEIR_IOC_SUBMIT		_IO(WEIR_IOC_MAGIC, 0x09)

/*
 * WEIR_IOC_OP: perform one operation. The argument is a pointer to a &struct weir_op, 8-aligned.
 * The same as WEIR_IOC_SUBMIT with @count 1, at less cost: if the call succeeds, the op was
 * performed and its result half is written, also when @result is an errno.
 *
 * Errors: EINVAL (not aligned), EFAULT, EINTR (RESERVE or ACQUIRE).
 */
#define WEIR_IOC_OP		_IO(WEIR_IOC_MAGIC, 0x13)

/**
 * DOC: Events
 *
 * read() returns whole &struct weir_event records, oldest first, as many as fit. If there is none
 * it waits for one (EAGAIN with O_NONBLOCK). poll() reports POLLIN; POLLOUT is not about events,
 * see "Asynchronous requests". A buffer shorter than WEIR_EVENT_SIZE_MAX is refused (EINVAL).
 * Events are numbered from 0 without gap for as long as the stream exists. The file position is the
 * number of the next event to read: it starts at the next event to come, and lseek() with SEEK_SET
 * moves it (EINVAL beyond the next event to come); pread() fails with ESPIPE. Two threads reading
 * one open file each get different events.
 *
 * Every namespace has its own stream. A client reads the stream of the opener, or the stream chosen
 * with WEIR_IOC_STREAM. A stream exists as long as the namespace has objects or clients; root's
 * always exists.
 *
 * The kernel keeps the last 1024 events of each stream. A reader that fell behind gets one record
 * of type WEIR_EVENT_LOST with the number of lost events, including those that it may not see. Then
 * it continues with the oldest event kept. A reader without CAP_SYS_ADMIN sees only events of
 * objects that it may observe, with the key only if it has KEYS too (otherwise @data_len is 0), and
 * only records that its own user emitted. The numbers of all other events are skipped.
 *
 * An event is a change of state, not a single violation. The end of a ban by time has no event; the
 * event of the ban has its length. The other events are records that programs emit: see &struct
 * weir_emit.
 */
enum weir_event_type {
	WEIR_EVENT_LOST		= 1,	/* value: events lost; seq: the first */
	WEIR_EVENT_CREATED	= 2,	/* name; value: uid of the creator */
	WEIR_EVENT_CHANGED	= 3,	/* name; value: WEIR_SET_* mask */
	WEIR_EVENT_DELETED	= 4,	/* name */
	/* name, key; value: ns of the ban, more: strikes that led to it, or 0 */
	WEIR_EVENT_BANNED	= 5,
	WEIR_EVENT_LIFTED	= 6,	/* name, key; value: ns that the ban would have lasted */
	/* name; value: max_keys. Sent once; again only after an eighth was free */
	WEIR_EVENT_TABLE_FULL	= 7,
	/*
	 * data; value: uid of the emitting client, more: the emitting process, or 0 if it
	 * is not in the reader's pid namespace; name: the tag, or none
	 */
	WEIR_EVENT_RECORD	= 8,
	/* name, key; value: ns it stays open, -1: until it is reset; more: its step */
	WEIR_EVENT_OPENED	= 9,
	WEIR_EVENT_HALF_OPEN	= 10,	/* name, key */
	WEIR_EVENT_CLOSED	= 11,	/* name, key */
	/* name, key; value: the lease's version, more: enum weir_lost */
	WEIR_EVENT_LEASE_LOST	= 12,
};

/**
 * enum weir_lost - why a lease was lost
 * @WEIR_LOST_HOLDER: its holder is gone
 * @WEIR_LOST_EXPIRED: its time to live has passed
 */
enum weir_lost {
	WEIR_LOST_HOLDER	= 1,
	WEIR_LOST_EXPIRED	= 2,
};

/**
 * struct weir_event - one record of the event stream
 * @size: bytes of this record, data and padding to 8 included
 * @type: enum weir_event_type
 * @seq: its number
 * @time: CLOCK_BOOTTIME in ns, in the time namespace of the reading task
 * @id: number of the object; 0 for LOST and RECORD
 * @value: see enum weir_event_type
 * @more: see enum weir_event_type
 * @kind: enum weir_kind of the object; 0 for LOST and RECORD
 * @key_type: enum weir_key_type of @data; TEXT for a RECORD
 * @data_len: bytes in @data
 * @name: of the object, NUL-terminated
 * @data: the key, or the bytes emitted; zeroed up to @size
 */
struct weir_event {
	__u32		size;
	__u32		type;
	__aligned_u64	seq;
	__aligned_u64	time;
	__aligned_u64	id;
	__aligned_s64	value;
	__aligned_s64	more;
	__u32		kind;
	__u16		key_type;
	__u16		data_len;
	char		name[WEIR_NAME_SIZE];
	__u8		data[];
};

/** WEIR_EVENT_SIZE_MAX: bytes of the longest record. */
#define WEIR_EVENT_SIZE_MAX	376

#define WEIR_RECORD_MAX		160	/* bytes of the longest record emitted */

/**
 * struct weir_emit - WEIR_IOC_EMIT: put a record into the event stream
 * @size: sizeof(struct weir_emit)
 * @length: bytes of the record, 1..WEIR_RECORD_MAX
 * @data: pointer to the record; any bytes
 * @seq: out: the number of the event
 * @tag: a name by the rules of object names, zero-filled to the end, or all zero
 *
 * The record goes into the stream of the opener's namespace. Readers of the same user, and readers
 * with CAP_SYS_ADMIN, get a WEIR_EVENT_RECORD: the whole record with the client's uid and the
 * caller's pid. The order is that of the numbers: a record emitted after another call has returned
 * has a higher number. The call does not wait for readers, and the memory of the stream does not
 * grow: slow readers of this stream lose events and get the number of lost events. Other streams
 * are not affected.
 *
 * Errors: EINVAL, EACCES (file not open for writing), EPERM, ENOMEM, EFAULT, E2BIG. After EFAULT
 * the record was not emitted, unless another thread of the caller unmapped the struct during the
 * call.
 */
struct weir_emit {
	__u32		size;
	__u32		length;
	__aligned_u64	data;
	__aligned_u64	seq;
	char		tag[WEIR_NAME_SIZE];
};

#define WEIR_IOC_EMIT		_IO(WEIR_IOC_MAGIC, 0x0c)

/**
 * struct weir_drop - WEIR_IOC_DROP: end everything that one holder has
 * @size: sizeof(struct weir_drop)
 * @tag: tag of the holder; may be 0
 *
 * Its permits are released, its probes count as failed, and its leases are lost. Its requests are
 * cancelled or, if they have ended, discarded. All this is as if its open file were closed. Permits
 * that another thread acquires under the same tag meanwhile may stay, as may an answer that another
 * thread is collecting, and a thread that sleeps in ACQUIRE continues to sleep.
 *
 * Errors: EINVAL, EFAULT, E2BIG.
 */
struct weir_drop {
	__u32		size;
	__u32		tag;
};

#define WEIR_IOC_DROP		_IO(WEIR_IOC_MAGIC, 0x0d)

/**
 * struct weir_dup_client - WEIR_IOC_DUP_CLIENT: a new open file, with the same handles
 * @size: sizeof(struct weir_dup_client)
 * @flags: 0 or WEIR_DUP_CLOEXEC
 *
 * The call returns a descriptor of a new client. It has the mode of this file and the credentials
 * with which this file was opened. Its handles have the same numbers and rights, and it reads
 * events from the same position. It has no permits, probes, leases and requests. A handle
 * that another thread opens or closes meanwhile may be among the handles or not.
 *
 * Errors: EINVAL, EFAULT, E2BIG, EMFILE (of the process; or so many handles are opened and
 *	closed meanwhile that the copy would have too many), ENFILE, ENOMEM.
 */
struct weir_dup_client {
	__u32		size;
	__u32		flags;
};

/** WEIR_DUP_CLOEXEC: the descriptor is close-on-exec */
#define WEIR_DUP_CLOEXEC	0x1

#define WEIR_IOC_DUP_CLIENT	_IO(WEIR_IOC_MAGIC, 0x0e)

/**
 * struct weir_stream - WEIR_IOC_STREAM: choose the stream of events to read
 * @size: sizeof(struct weir_stream)
 * @owner: WEIR_OWNER_DEFAULT: the opener's own stream; otherwise the uid of an owner
 *
 * From then on read(), lseek(), poll() and INFO use that stream. The file position is the next
 * event to come; when the client returns to the opener's stream, it is the position that it had
 * there. A client can choose one stream besides the opener's. A concurrent read() or poll() may use
 * either stream. The right to see an event is checked for each event.
 *
 * Errors: EBUSY (another stream was chosen before), ENOENT (no such user here), EPERM,
 * ENOMEM, EINVAL, EFAULT, E2BIG.
 */
struct weir_stream {
	__u32		size;
	__u32		owner;
};

#define WEIR_IOC_STREAM		_IO(WEIR_IOC_MAGIC, 0x0f)

/**
 * struct weir_restrict - WEIR_IOC_RESTRICT: give up powers of the client for good
 * @size: sizeof(struct weir_restrict)
 * @flags: WEIR_RESTRICT_* bits of the powers to give up, in addition to those given up before
 * @handle: 0, or a handle whose rights are narrowed
 * @rights: WEIR_RIGHT_* that @handle keeps of those it has; 0 without a handle
 *
 * With this call a client can be passed to a less trusted process: a call that needs a power that
 * was given up fails with EPERM. It cannot be undone. All descriptors of the open file, and clients
 * that are made from it with WEIR_IOC_DUP_CLIENT, have the same restriction.
 *
 * Errors: EBADF, EINVAL, EFAULT, E2BIG.
 */
struct weir_restrict {
	__u32		size;
	__u32		flags;
	__u32		handle;
	__u32		rights;
};

/** WEIR_RESTRICT_CREATE: no CREATE */
#define WEIR_RESTRICT_CREATE	0x1
/** WEIR_RESTRICT_OPEN: no OPEN, and no candidate by name in SET */
#define WEIR_RESTRICT_OPEN	0x2
/** WEIR_RESTRICT_LIST: no LIST */
#define WEIR_RESTRICT_LIST	0x4
/** WEIR_RESTRICT_EVENTS: no read(), lseek() and STREAM; poll() does not report events */
#define WEIR_RESTRICT_EVENTS	0x8
/** WEIR_RESTRICT_EMIT: no EMIT */
#define WEIR_RESTRICT_EMIT	0x10
#define WEIR_RESTRICT_ALL	0x1f

#define WEIR_IOC_RESTRICT	_IO(WEIR_IOC_MAGIC, 0x10)

/**
 * struct weir_collect - WEIR_IOC_COLLECT: the answers of requests that have ended
 * @size: sizeof(struct weir_collect)
 * @count: ops that @ops has room for, 1..WEIR_BATCH_MAX; out: ops written, 0: none has ended
 * @ops: pointer to an array of &struct weir_op, 8-aligned
 *
 * Each op is written as it was submitted, with its result half: @handle, @tag, @n and the key, or
 * @ptr, identify the request. Each request is returned once, in the order in which requests ended.
 * The call does not wait: use poll() to wait. See "Asynchronous requests".
 *
 * Errors: EINVAL, EFAULT, E2BIG. After EFAULT nothing was collected, unless another thread of
 * the caller unmapped the struct at that moment.
 */
struct weir_collect {
	__u32		size;
	__u32		count;
	__aligned_u64	ops;
};

#define WEIR_IOC_COLLECT	_IO(WEIR_IOC_MAGIC, 0x11)

/**
 * struct weir_shutdown - WEIR_IOC_SHUTDOWN: end the waits of an open file, and refuse later calls
 * @size: sizeof(struct weir_shutdown)
 * @reserved: 0
 *
 * For a thread that ends other threads. These may sleep in calls on the same open file. As with
 * shutdown(2) of a socket, the file stays open, for all descriptors of it. ACQUIRE and RESERVE that
 * sleep end with EBADF and without effect, and so does a read(2) that waits for events. From now on
 * all ioctls, read(2) and lseek(2) fail with EBADF, and poll(2) reports POLLHUP. A call that
 * began before this one returned, and need not sleep, may still succeed. What the
 * client's holders have, and asynchronous requests that wait, stay until the file is closed for the
 * last time. Clients made by WEIR_IOC_DUP_CLIENT are not affected.
 *
 * Errors: EINVAL, EFAULT, E2BIG.
 */
struct weir_shutdown {
	__u32		size;
	__u32		reserved;
};

#define WEIR_IOC_SHUTDOWN	_IO(WEIR_IOC_MAGIC, 0x12)

#endif /* _UAPI_LINUX_WEIR_H */
