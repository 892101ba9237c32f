/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part that is common to objects of all kinds.
 *
 * An object dies in phases:
 *
 *  1. unlinked (registry.c): dead is set, the name is free, the sysfs folder is removed, and
 *     all waiters have left their queues (&weir_kind_ops.on_delete). Look-ups by handle answer
 *     ENODEV.
 *  2. the registry's count in live is dropped. Operations that allocate hold a count, too;
 *     other operations are in an RCU read side. No operation accesses user memory while it
 *     holds a count: a user that controls paging could keep the storage for ever.
 *  3. live is 0 and a grace period is over: the storage is unused. A worker frees it, which
 *     may take seconds for millions of keys.
 *  4. the last handle is closed: the header is freed.
 */
#ifndef _WEIR_OBJECT_H
#define _WEIR_OBJECT_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include <uapi/linux/weir.h>

struct attribute;
struct weir_object;
struct weir_dump_desc;
struct weir_namespace;
struct weir_sysfs_node;
struct cred;
struct weir_client;
struct weir_grant;
struct weir_op_desc;
struct weir_table_ops;
struct weir_tx_ops;
struct weir_op_run;

/* Nothing was done: perform the operation again from a context that may sleep. */
#define WEIR_OP_MUST_SLEEP	1

/* greater than the number of every kind */
#define WEIR_KINDS	8

#define WEIR_ABI_STRUCT_WORDS	32	/* maximum size of one of these structs */

/**
 * struct weir_abi_struct - a struct of the ABI by which users configure or read an object
 * @size: its size; its first member is a __u32 with the user's size
 * @min_size: its size in the first version of the ABI
 * @read: fill in all of it but the size; NULL: &weir_kind_ops.get does that. Context: RCU read
 *	side, alive; or a show function of sysfs.
 */
struct weir_abi_struct {
	size_t	size;
	size_t	min_size;
	void	(*read)(struct weir_object *o, void *to);
};

/* The first version of &struct _struct ends with _last. */
#define WEIR_ABI_STRUCT(_struct, _last, _read) {				\
	.size = sizeof(struct _struct) +					\
		BUILD_BUG_ON_ZERO(sizeof(struct _struct) >			\
				  WEIR_ABI_STRUCT_WORDS * sizeof(u64)),		\
	.min_size = offsetofend(struct _struct, _last),				\
	.read = _read,								\
}

/**
 * struct weir_kind_ops - one kind of object
 * @kind: enum weir_kind
 * @dir: folder in sysfs
 * @attrs: files of an object's folder (sysfs.h)
 * @sysfs_add: say which files the folder of this object has; NULL: @attrs. May sleep.
 * @config: the struct that configures an object (abi_struct.c)
 * @stats: the struct with its totals (abi_struct.c)
 * @create: allocate an object for @config's struct, without its large parts. Sets type and
 *	quota_keys; the caller sets the rest of the common part. May change the struct. May
 *	sleep. Error pointer on failure.
 * @table_ops: keyed objects: the functions of their table (table/keyed.h)
 * @totals_size: keyed objects: size of the kind's struct of totals
 * @build: allocate the large parts, after the owner's namespace was charged. May sleep. 0 or
 *	-ENOMEM.
 * @release: free the storage: phase 3 above, or all parts of an object that never was
 *	visible. May sleep.
 * @set: WEIR_IOC_SET, with @config's struct; NULL for EOPNOTSUPP. The storage and the object's
 *	set_lock are held.
 * @get: WEIR_IOC_GET, for a kind whose @config or @stats has no read function; or NULL. Only the
 *	header is held: see weir_object_alive().
 * @dump: WEIR_IOC_DUMP (table/dump.h); NULL for EOPNOTSUPP
 * @rules: WEIR_IOC_RULES; NULL for EOPNOTSUPP
 * @load: WEIR_IOC_LOAD; NULL for EOPNOTSUPP
 * @on_delete: the object is dead: end all requests that wait; NULL if there can be none. Ends
 *	phase 1. May sleep.
 * @opcodes: a row for each operation of the kind, and an empty one at the end (table/op.h)
 * @check: check the members of an operation for which its row has no rule, before its object
 *	is known. With WEIR_OP_PTR, copy in the data at the pointer. May sleep. 0, -EINVAL,
 *	-EFAULT.
 * @key: make the key of an operation on a keyed object (table/keyed.h); NULL: the kind has no
 *	keys. Context: RCU read side, alive. 0, -EINVAL.
 * @try: perform an operation without sleeping: 0, an error, or WEIR_OP_MUST_SLEEP; NULL: each
 *	operation may sleep. Context: RCU read side, alive.
 * @run: perform an operation for which @try returned WEIR_OP_MUST_SLEEP. May sleep; live
 *	is held.
 * @run_holds_header: @run waits for user memory, so only the header is held for it
 * @tx: how opcodes with WEIR_OPF_DECIDES decide together (table/transaction.h)
 * @join_check: for an opcode with WEIR_OPF_JOIN: make all checks that need the object; after
 *	that @join cannot fail. Context: as @try. 0, -EOPNOTSUPP, -EINVAL.
 * @join: perform the operation. Context: as @try, with keys locked.
 * @put: copy the data of a successful operation out to the user; NULL: no operation has
 *	any. 0 or -EFAULT.
 * @give_back: a holder is gone: take back what it had, and end the grant unless that was done
 *	before (grant.h). Context: RCU read side; alive, or a request is queued.
 * @settle: before totals are read: one bounded step of the work that is due; false: no step
 *	is left. NULL: there is no such work. Context: RCU read side, alive.
 */
struct weir_kind_ops {
	enum weir_kind kind;
	const char *dir;
	struct attribute **attrs;
	int (*sysfs_add)(struct weir_object *o);
	struct weir_abi_struct config;
	struct weir_abi_struct stats;
	struct weir_object *(*create)(struct weir_client *c, void *config);
	const struct weir_table_ops *table_ops;
	size_t totals_size;
	int (*build)(struct weir_object *o);
	void (*release)(struct weir_object *o);
	int (*set)(struct weir_client *c, struct weir_object *o, u64 mask,
		   const void *config);
	int (*get)(struct weir_object *o, u64 config, u64 stats);
	const struct weir_dump_desc *dump;
	int (*rules)(struct weir_object *o, struct weir_rules *args);
	int (*load)(struct weir_object *o, struct weir_load *args);
	void (*on_delete)(struct weir_object *o);
	const struct weir_op_desc *opcodes;
	int (*check)(struct weir_op_run *r);
	int (*key)(struct weir_object *o, struct weir_op_run *r);
	int (*try)(struct weir_client *c, struct weir_object *o, struct weir_op_run *r);
	int (*run)(struct weir_client *c, struct weir_object *o, struct weir_op_run *r);
	bool run_holds_header;
	const struct weir_tx_ops *tx;
	int (*join_check)(const struct weir_op_run *r, struct weir_object *o);
	void (*join)(const struct weir_op_run *r, struct weir_object *o);
	int (*put)(const struct weir_op_run *r);
	void (*give_back)(struct weir_object *o, struct weir_grant *g);
	bool (*settle)(struct weir_object *o);
};

/**
 * struct weir_object - the common header
 *
 * I: set before the object is visible, then constant. L: registry_lock.
 * LR: written under registry_lock, read under RCU. A: atomic.
 *
 * @ops:	I: the kind
 * @type:	I: enum weir_counter_type or weir_algorithm
 * @mode:	I: permission bits
 * @uid:	I: the user that made it
 * @owner:	I: of its namespace; in most cases @uid
 * @gid:	I: group
 * @id:		I: number, never used again
 * @dead:	LR: phase 1 has begun; WRITE_ONCE(), READ_ONCE()
 * @live:	A: uses of the storage, see above
 * @ref:	A: uses of the header: one while live is not 0, and one for each handle
 * @by_name:	L: in &weir_namespace.names
 * @set_lock:	serializes live changes, see weir_object_set_begin()
 * @grant_lock:	inside an entry's lock
 * @grants:	@grant_lock: what holders have of it, until phase 3
 * @waiting:	@grant_lock: the requests that wait (request.h)
 * @ns:		I: the owner's namespace, a reference until phase 3
 * @quota_keys: L: keys for which the namespace is charged until phase 1, or will be charged when
 *		the object becomes visible
 * @node:	its folder in sysfs, if it is root's: made before the object is visible,
 *		removed in phase 1, both under @ns->creating
 * @release:	phases 2 and 3
 * @free_rcu:	phase 4
 * @name:	I
 */
struct weir_object {
	const struct weir_kind_ops *ops;
	u32			type;
	u16			mode;
	bool			dead;
	kuid_t			uid;
	kuid_t			owner;
	kgid_t			gid;
	u64			id;
	refcount_t		live;
	struct kref		ref;
	struct rb_node		by_name;
	struct mutex		set_lock;	/* one live change at a time */
	spinlock_t		grant_lock;	/* grants, waiting */
	struct list_head	grants;
	struct list_head	waiting;
	struct weir_namespace	*ns;
	u64			quota_keys;
	struct weir_sysfs_node	*node;
	union {
		struct rcu_work		release;
		struct rcu_head		free_rcu;
	};
	char			name[WEIR_NAME_SIZE];
};

void weir_object_init(struct weir_object *o);
void weir_object_put(struct weir_object *o);
void weir_object_live_put(struct weir_object *o);
int weir_object_set_begin(struct weir_object *o);
void weir_object_set_end(struct weir_object *o);
u32 weir_rights_by_mode(kuid_t uid, kuid_t owner, kgid_t gid, unsigned int mode,
			const struct cred *cred);
bool weir_object_may(const struct weir_object *o, const struct cred *cred, u32 rights);
bool weir_name_valid(const char *name);
int weir_object_copy_out(struct weir_object *o, u64 user_config, u64 user_stats);

/* Hold the storage, so that the caller may sleep. Return: false if phase 3 has begun. */
static inline bool weir_object_live_get(struct weir_object *o)
{
	return refcount_inc_not_zero(&o->live);
}

/* Whether the object is alive; then its storage stays until the caller's RCU read side ends. */
static inline bool weir_object_alive(const struct weir_object *o)
{
	return !READ_ONCE(o->dead);
}

#endif /* _WEIR_OBJECT_H */
