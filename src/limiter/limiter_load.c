// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_LOAD: restore the state recorded by a DUMP, adjusted to the present time. */

#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "lib/jitter.h"
#include "limiter/limiter.h"

/* A record with room for its key. */
union record {
	struct weir_entry_info info;
	u8 bytes[sizeof(struct weir_entry_info) + ALIGN(WEIR_KEY_MAX, 8)];
};

static u64 less(u64 duration, u64 elapsed)
{
	return duration > elapsed ? duration - elapsed : 0;
}

/* Copy in and check the record at @from, which takes at most @room bytes. */
static int record_get(union record *r, const u8 __user *from, u64 room)
{
	const struct weir_entry_info *info = &r->info;
	size_t keys;

	if (room < sizeof(*info))
		return -EINVAL;
	if (copy_from_user(r->bytes, from, sizeof(*info)))
		return -EFAULT;
	keys = ALIGN(info->key_len, 8);
	if (info->key_len > WEIR_KEY_MAX || info->size != sizeof(*info) + keys ||
	    info->size > room || info->flags & ~WEIR_ENTRY_BANNED || info->bans > U16_MAX ||
	    info->banned_for > WEIR_BAN_MAX + WEIR_JITTER_MAX)
		return -EINVAL;
	if (copy_from_user(r->bytes + sizeof(*info), from + sizeof(*info), keys))
		return -EFAULT;
	return memchr_inv(info->key + info->key_len, 0, keys - info->key_len) ? -EINVAL : 0;
}

/* Fill in the entry from the record, of @elapsed ns ago. Return: the word. */
static u64 record_state(const struct weir_policy *p, u64 now, u64 elapsed,
			const struct weir_entry_info *info, struct weir_entry *e)
{
	u64 reset_after = less(info->reset_after, elapsed);
	u64 banned_for = less(info->banned_for, elapsed);

	*e = (struct weir_entry){};
	if (p->config.nbans)
		e->bans = info->bans;
	/* the record does not have the end of the last ban: assume the present time */
	if (banned_for || e->bans)
		e->ban_until = now + banned_for;
	if (elapsed < p->score.within)
		e->score = weir_score_add(&p->score, e->score, now, info->strikes);
	return weir_rate_restore(&p->rate, now, info->remaining, reset_after);
}

/*
 * The score with more strikes. Two scores that fade at different times cannot be combined into one,
 * so the result begins to fade now. The strikes then never count for less time than in either
 * score.
 */
static struct weir_score score_merge(const struct weir_policy *p,
				     const struct weir_entry *a,
				     const struct weir_entry *b, u64 now)
{
	u32 strikes = weir_limiter_strikes(p, a, now);
	u32 others = weir_limiter_strikes(p, b, now);

	if (!others)
		return a->score;
	if (!strikes)
		return b->score;
	return weir_score_add(&p->score, (struct weir_score){}, now,
			      max(strikes, others));
}

/*
 * Make the locked entry @e as strict as @other is with @other_word: it gets the later end of the
 * ban, the more strikes, the higher step of the ladder, and the fewer tokens. There is no event.
 * Return: the new word of @e.
 */
static u64 state_merge(const struct weir_policy *p, struct weir_entry *e, u64 word,
		       const struct weir_entry *other, u64 other_word, u64 now)
{
	/* computed before the end of the ban is changed, because it depends on that */
	u16 bans = max(weir_limiter_bans(p, e, now), weir_limiter_bans(p, other, now));

	weir_entry_set_score(e, score_merge(p, e, other, now));
	WRITE_ONCE(e->bans, bans);
	if (other->ban_until > e->ban_until)
		WRITE_ONCE(e->ban_until, other->ban_until);
	return weir_rate_stricter(&p->rate, word, other_word, now);
}

/*
 * Merge the record into an existing entry: 0, or -EAGAIN if there is none. Must hold
 * rcu_read_lock().
 */
static int entry_load(struct weir_limiter *l, u64 elapsed, struct weir_key *key,
		      const struct weir_entry_info *info)
{
	struct weir_op op = { .opcode = WEIR_OP_REFUND };
	struct weir_limiter_call call = { .l = l, .op = &op, .key = key };
	struct weir_entry *e, told;
	u64 word, before, told_word;

	e = weir_table_find_locked(&l->table, key, &word);
	if (!e)
		return -EAGAIN;
	before = weir_limiter_begin(&call, e, word);
	told_word = record_state(call.p, call.now, elapsed, info, &told);
	word = state_merge(call.p, e, word, &told, told_word, call.now);
	weir_limiter_unlock(&call, e, word, before);
	return 0;
}

/* Whether nothing in the record matters any more. Must hold rcu_read_lock(). */
static bool record_over(const struct weir_limiter *l, u64 elapsed,
			const struct weir_entry_info *info)
{
	const struct weir_policy *p = rcu_dereference(l->policy);

	return elapsed >= info->reset_after && elapsed >= info->banned_for &&
	       (!info->strikes || elapsed >= p->score.within) &&
	       (!info->bans || elapsed - info->banned_for >= p->config.forget_after);
}

static int record_load(struct weir_limiter *l, u64 elapsed,
		       const struct weir_entry_info *info)
{
	struct weir_key key;
	bool over;
	int err;

	rcu_read_lock();
	err = weir_limiter_key(l, info->key, info->key_len, &key);
	over = record_over(l, elapsed, info);
	rcu_read_unlock();
	while (!err && !over) {
		err = weir_limiter_entry_make(l, &key, GFP_KERNEL);
		if (err)
			break;
		rcu_read_lock();
		err = entry_load(l, elapsed, &key, info);
		rcu_read_unlock();
		if (!err)
			return 0;
		/* a fresh entry may have been dropped meanwhile to make room */
		err = fatal_signal_pending(current) ? -EINTR : 0;
	}
	return err;
}

/**
 * weir_limiter_load - &weir_kind_ops.load
 * @o: the limiter
 * @args: the ioctl's struct; results are filled in
 *
 * Loads records up to the first that fails.
 *
 * Context: may sleep; the header is held.
 * Return: 0 if any were loaded; -EINVAL, -EFAULT, -ENOMEM, -ENODEV, -ENOSPC, -EINTR.
 */
int weir_limiter_load(struct weir_object *o, struct weir_load *args)
{
	const u8 __user *from = u64_to_user_ptr(args->buffer);
	u64 length = args->length;
	union record r;
	int err = 0;

	if (args->flags || args->buffer % 8 || length % 8 || !length)
		return -EINVAL;
	args->length = 0;
	args->count = 0;
	while (args->length < length) {
		err = record_get(&r, from + args->length, length - args->length);
		/* held for one record, and never while user memory is accessed */
		if (!weir_object_live_get(o)) {
			err = -ENODEV;
			break;
		}
		err = err ?: record_load(weir_limiter(o), args->elapsed, &r.info);
		weir_object_live_put(o);
		if (err)
			break;
		args->length += r.info.size;
		args->count++;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return args->count ? 0 : err;
}
