// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of breakers: ALLOW, REPORT, TRIP, RESET and BREAKER_STATE.
 *
 * A key without an entry is closed, with no counted calls. An ALLOW of a closed or an open key,
 * and a report of success to a closed key that counts failures by number, take no lock and write
 * only a total. All other operations hold the entry's lock, and are one step for observers.
 *
 * A probe belongs to the holder that was admitted (grant.h), and fails when the holder is gone. A
 * detached probe has no holder, and lasts as long as the breaker waits for probes. The entry counts
 * the probes with a holder. Grants point to the entry, so it is not dropped before all of these
 * probes are reported or lost, even if they are late.
 */

#include <linux/err.h>
#include <linux/slab.h>

#include "breaker/breaker.h"
#include "core/client.h"
#include "core/event.h"
#include "core/grant.h"

#define AGAIN	2	/* another key took the slot; WEIR_OP_MUST_SLEEP is 1 */
#define NO_ENTRY 3	/* an entry must be made */

/**
 * struct breaker_call - one operation on one key
 * @b: the breaker
 * @op: the operation; its result half is filled in
 * @c: the caller's client
 * @key: hashed
 * @now: ns since the table's epoch, read with the entry locked
 * @new: memory for a grant
 * @grant: grant of the holder, or NULL; only while the entry is locked
 * @s: the key's state, while the entry is locked
 * @moves: the state changes made so far
 */
struct breaker_call {
	struct weir_breaker	*b;
	struct weir_op		*op;
	struct weir_client	*c;
	const struct weir_key	*key;
	u64			now;
	struct weir_grant	*new;
	struct weir_grant	*grant;
	struct weir_circuit	s;
	struct weir_circuit_moves moves;
};

/* ------------------------------------------------------------ state and entry */

static void state_get(struct weir_circuit *s, const struct weir_entry *e, u64 word)
{
	s->word = word;
	s->at = e->at;
	s->counts[0] = e->counts[0];
	s->counts[1] = e->counts[1];
	s->step = e->step;
}

static void state_put(const struct weir_circuit *s, struct weir_entry *e)
{
	/* pairs with the READ_ONCE() in word_read() */
	WRITE_ONCE(e->at, s->at);
	e->counts[0] = s->counts[0];
	e->counts[1] = s->counts[1];
	e->step = s->step;
}

static u64 idle_at(const struct weir_breaker *b, const struct weir_entry *e,
		   const struct weir_circuit *s, u64 now)
{
	if (e->held || b->spec.type == WEIR_KEY_NONE)
		return WEIR_EXPIRY_NEVER;
	return weir_circuit_idle_at(&b->circuit, *s, now);
}

/* Emit the events of the state changes, in order because the entry is locked, and count them. */
static void moves_tell(struct weir_breaker *b, const struct weir_entry *e,
		       const struct weir_circuit *s,
		       const struct weir_circuit_moves *moves, u64 now)
{
	static const u32 types[] = {
		[WEIR_CIRCUIT_CLOSED] = WEIR_EVENT_CLOSED,
		[WEIR_CIRCUIT_OPEN] = WEIR_EVENT_OPENED,
		[WEIR_CIRCUIT_HALF_OPEN] = WEIR_EVENT_HALF_OPEN,
	};
	s64 left;
	u32 i;

	for (i = 0; i < moves->n; i++) {
		left = 0;
		if (moves->to[i] == WEIR_CIRCUIT_OPEN) {
			this_cpu_inc(b->totals->opened);
			/* of several open periods, only the last one has not ended yet */
			if (i == moves->n - 1)
				left = s->at == WEIR_NEVER ? -1 :
				       s->at > now ? s->at - now : 0;
		}
		weir_event_key(&b->obj, types[moves->to[i]], b->spec.type, e->key,
			       e->key_len, left, s->step);
	}
}

/* Read the state of @e, which is locked, into @call->s. Return: when it would have been idle. */
static u64 entry_begin(struct breaker_call *call, const struct weir_entry *e, u64 word)
{
	call->now = weir_table_now(&call->b->table);
	state_get(&call->s, e, word);
	return idle_at(call->b, e, &call->s, call->now);
}

/* @before: result of entry_begin() */
static void entry_end(struct breaker_call *call, struct weir_entry *e, u64 hash,
		      u64 before)
{
	struct weir_breaker *b = call->b;
	u64 after = idle_at(b, e, &call->s, call->now);

	if (call->grant)
		weir_grant_put(call->grant);
	moves_tell(b, e, &call->s, &call->moves, call->now);
	state_put(&call->s, e);
	if (after < before)
		weir_table_update_expiry(&b->table, hash, after);
	weir_table_unlock(&b->table, e, call->s.word);
}

/* ------------------------------------------------------------ answers */

static void answer_allowed(struct breaker_call *call, u32 is, u64 ticket)
{
	call->op->verdict = WEIR_ALLOWED;
	call->op->ticket = ticket;
	call->op->state = is;
	this_cpu_inc(call->b->totals->allowed);
}

static void answer_rejected(struct breaker_call *call, u32 is, u64 retry_after)
{
	call->op->verdict = WEIR_LIMITED;
	call->op->retry_after = retry_after;
	call->op->state = is;
	this_cpu_inc(call->b->totals->rejected);
}

static void answer_view(struct weir_op *op, const struct weir_circuit_view *view)
{
	op->state = view->is;
	op->step = view->step;
	op->calls = view->calls;
	op->failures = view->failures;
	op->retry_after = view->left;
	if (view->is == WEIR_CIRCUIT_HALF_OPEN) {
		op->calls = view->admitted;
		op->failures = view->succeeded;
	}
}

/* Fill in the answer to a report that needed no entry. */
static void answer_counted(struct breaker_call *call, enum weir_circuit_call what, u32 is)
{
	call->op->state = is;
	if (what == WEIR_CIRCUIT_OK)
		this_cpu_inc(call->b->totals->succeeded);
	else if (what == WEIR_CIRCUIT_FAILED)
		this_cpu_inc(call->b->totals->failed);
}

/* ------------------------------------------------------------ without the lock */

static enum weir_circuit_call call_of(const struct weir_op *op)
{
	return op->n - WEIR_CALL_OK;
}

/*
 * Perform an operation that needs no lock, on a state read at @call->now: ALLOW of a closed or an
 * open key, or a REPORT that changes nothing. Return: 0, or WEIR_OP_MUST_SLEEP.
 */
static int state_op(struct breaker_call *call, u64 word, u64 at)
{
	u64 ticket = weir_circuit_ticket(word, call->now);
	struct weir_op *op = call->op;

	if (op->opcode == WEIR_OP_REPORT &&
	    weir_circuit_is_moot(&call->b->circuit, word, call->now, op->arg ?: ticket,
				 call_of(op))) {
		answer_counted(call, call_of(op), WEIR_CIRCUIT_CLOSED);
		return 0;
	}
	if (op->opcode != WEIR_OP_ALLOW)
		return WEIR_OP_MUST_SLEEP;
	if (weir_circuit_is_closed(word)) {
		answer_allowed(call, WEIR_CIRCUIT_CLOSED, ticket);
		return 0;
	}
	if (weir_circuit_is(word) != WEIR_CIRCUIT_OPEN || at <= call->now)
		return WEIR_OP_MUST_SLEEP;
	answer_rejected(call, WEIR_CIRCUIT_OPEN, at == WEIR_NEVER ? at : at - call->now);
	return 0;
}

/*
 * Perform the operation on a key without an entry, which is closed. The clock was read before the
 * look-up. RESET needs an entry too, because reports of earlier calls must be late.
 */
static int absent_op(struct breaker_call *call)
{
	struct weir_circuit_view view;
	struct weir_op *op = call->op;

	/* no entry is made for an invalid ticket */
	if (op->opcode == WEIR_OP_REPORT && op->arg &&
	    !weir_circuit_is_ticket(0, call->now, op->arg))
		return -ENOENT;
	if (op->opcode == WEIR_OP_BREAKER_STATE) {
		weir_circuit_look(&call->b->circuit, (struct weir_circuit){}, call->now,
				  &view);
		answer_view(op, &view);
		return 0;
	}
	return state_op(call, 0, 0) ? NO_ENTRY : 0;
}

/*
 * Read the word and the end of `open`, the clock, and both again. If both are the same, this is the
 * state at that time: no word recurs, and while the word stays the same, the end only moves later.
 * Return: false if the entry is locked or dead, or was changed.
 */
static bool word_read(struct breaker_call *call, const struct weir_entry *e, u64 *word,
		      u64 *at)
{
	/* pairs with the release of the entry's lock: the end belongs to the word */
	*word = atomic64_read_acquire(&e->word);
	*at = READ_ONCE(e->at);
	/* a change that was seen has an earlier time: pairs with the release in weir_entry_end() */
	smp_rmb();
	call->now = weir_table_now(&call->b->table);
	/* a later change is seen below: pairs with the exchange in weir_entry_begin() */
	smp_rmb();
	/*
	 * the word is read before the end that belongs to it: pairs with the release in
	 * weir_entry_end()
	 */
	return !(*word & WEIR_ENTRY_LOCKED) &&
	       (u64)atomic64_read_acquire(&e->word) == *word && READ_ONCE(e->at) == *at;
}

static int try_op(struct breaker_call *call)
{
	struct weir_entry *e;
	u64 word, at;

	/* read the clock before the look-up: a concurrent TRIP has a later time */
	call->now = weir_table_now(&call->b->table);
	e = weir_table_find(&call->b->table, call->key);
	if (!e)
		return absent_op(call);
	return word_read(call, e, &word, &at) ? state_op(call, word, at) : WEIR_OP_MUST_SLEEP;
}

/*
 * &weir_kind_ops.try: operations that need neither the lock nor memory. Cost in addition to finding
 * the key: two reads of the word and one of the clock.
 */
int weir_breaker_try(struct weir_client *c, struct weir_object *o, struct weir_op_run *r)
{
	struct breaker_call call = { .b = weir_breaker(o), .op = &r->op, .key = &r->key };
	int ret = try_op(&call);

	return ret == NO_ENTRY ? WEIR_OP_MUST_SLEEP : ret;
}

/* ------------------------------------------------------------ with the entry locked */

static void grant_set(struct weir_entry *e, struct weir_grant *g, u32 n)
{
	e->held += n - g->n;
	WRITE_ONCE(g->n, n);
}

/* The caller's probes of earlier generations no longer count: remove them from its grant. */
static void late_forget(struct breaker_call *call, struct weir_entry *e)
{
	struct weir_grant *g = call->grant;

	if (g && g->n && g->ticket <= weir_circuit_since(call->s.word))
		grant_set(e, g, 0);
}

/* Whether the holder has a grant, or can have one. */
static bool probe_charge(struct breaker_call *call, struct weir_entry *e)
{
	return weir_grant_find(call->c, call->op->tag, &call->b->obj, e) ||
	       !weir_grant_charge(call->c, call->new);
}

static int allow(struct breaker_call *call, struct weir_entry *e)
{
	bool detached = call->op->flags & WEIR_OP_DETACHED;
	struct weir_circuit_moves moves = call->moves;
	struct weir_circuit s = call->s;
	struct weir_circuit_answer a;
	u32 is;

	weir_circuit_allow(&call->b->circuit, &call->s, call->now, &a, &call->moves);
	is = weir_circuit_is(call->s.word);
	if (!a.admitted) {
		answer_rejected(call, is, a.retry_after);
		return 0;
	}
	if (a.probe && !detached && !probe_charge(call, e)) {
		call->s = s;
		call->moves = moves;
		return -EDQUOT;
	}
	answer_allowed(call, is, a.ticket);
	if (!a.probe)
		return 0;
	call->op->out_flags |= WEIR_OUT_PROBE;
	if (detached) {
		call->s.detached++;
		return 0;
	}
	call->grant = weir_grant_get(call->c, call->op->tag, &call->b->obj, e, &call->new);
	late_forget(call, e);
	grant_set(e, call->grant, call->grant->n + 1);
	call->grant->ticket = a.ticket;
	return 0;
}

/* Half-open: remove the reported probe from the holder's grant, or from the detached probes. */
static bool probe_take(struct breaker_call *call, struct weir_entry *e)
{
	if (call->grant && call->grant->n)
		grant_set(e, call->grant, call->grant->n - 1);
	else if (call->s.detached)
		call->s.detached--;
	else
		return false;
	return true;
}

static int report(struct breaker_call *call, struct weir_entry *e)
{
	const struct weir_circuit_config *c = &call->b->circuit;
	enum weir_circuit_call what = call_of(call->op);
	enum weir_circuit_heard heard;
	struct weir_circuit *s = &call->s;
	u64 ticket = call->op->arg;

	weir_circuit_settle(c, s, call->now, &call->moves);
	if (!ticket)
		ticket = weir_circuit_ticket(s->word, call->now);
	if (!weir_circuit_is_ticket(s->word, call->now, ticket))
		return -ENOENT;
	call->grant = weir_grant_find(call->c, call->op->tag, &call->b->obj, e);
	late_forget(call, e);
	if (weir_circuit_is(s->word) == WEIR_CIRCUIT_HALF_OPEN &&
	    ticket > weir_circuit_since(s->word) && !probe_take(call, e))
		return -ENOENT;
	if (what == WEIR_CIRCUIT_OK && weir_circuit_is_slow(c, call->now, ticket))
		what = WEIR_CIRCUIT_FAILED;
	heard = weir_circuit_report(c, s, call->now, ticket, what, &call->moves);
	if (heard == WEIR_CIRCUIT_COUNTED) {
		answer_counted(call, what, weir_circuit_is(s->word));
		return 0;
	}
	call->op->out_flags |= WEIR_OUT_LATE;
	call->op->state = weir_circuit_is(s->word);
	this_cpu_inc(call->b->totals->late);
	return 0;
}

static int entry_op(struct breaker_call *call, struct weir_entry *e)
{
	const struct weir_circuit_config *c = &call->b->circuit;
	struct weir_circuit_view view;
	struct weir_op *op = call->op;
	bool longer = true;

	switch (op->opcode) {
	case WEIR_OP_ALLOW:
		return allow(call, e);
	case WEIR_OP_REPORT:
		return report(call, e);
	case WEIR_OP_TRIP:
		longer = weir_circuit_trip(c, &call->s, call->now, op->arg, &call->moves);
		break;
	case WEIR_OP_RESET:
		weir_circuit_reset(c, &call->s, call->now, &call->moves);
		break;
	}
	weir_circuit_look(c, call->s, call->now, &view);
	answer_view(op, &view);
	op->verdict = longer ? WEIR_NONE : WEIR_LIMITED;
	return 0;
}

/*
 * Perform the operation once, under RCU. @new: memory for an entry, linked or freed here; or NULL.
 * Return: 0, an error, NO_ENTRY or AGAIN.
 */
static int look(struct breaker_call *call, struct weir_entry *new)
{
	struct weir_table *t = &call->b->table;
	struct weir_entry *e;
	u64 word, before;
	int ret;

	e = new ? weir_table_link(t, call->key, new, 0, &word) :
		  weir_table_find_locked(t, call->key, &word);
	if (!e)
		return new ? AGAIN : NO_ENTRY;
	before = entry_begin(call, e, word);
	ret = entry_op(call, e);
	entry_end(call, e, call->key->hash, e == new ? WEIR_EXPIRY_NEVER : before);
	return ret;
}

/* Perform the operation once; if it needs an entry, make one first. */
static int perform(struct breaker_call *call)
{
	struct weir_entry *new = NULL;
	int ret;

	do {
		rcu_read_lock();
		ret = look(call, new);
		if (ret == NO_ENTRY)
			ret = try_op(call);
		rcu_read_unlock();
		new = ret == NO_ENTRY ? weir_table_new(&call->b->table, call->key,
						       weir_op_gfp(call->op)) : NULL;
		if (new == ERR_PTR(-ENOSPC))
			this_cpu_inc(call->b->totals->full);
		if (IS_ERR(new))
			return PTR_ERR(new);
	} while (ret > 0);
	return ret;
}

/* &weir_kind_ops.run */
int weir_breaker_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r)
{
	struct weir_op *op = &r->op;
	struct breaker_call call = { .b = weir_breaker(o), .op = op, .c = c, .key = &r->key };
	int ret;

	if (op->opcode == WEIR_OP_TRIP && op->arg > WEIR_BREAKER_OPEN_MAX &&
	    op->arg != WEIR_NEVER)
		return -EINVAL;
	if (op->opcode == WEIR_OP_ALLOW && !(op->flags & WEIR_OP_DETACHED)) {
		call.new = weir_grant_new(weir_op_gfp(op));
		if (!call.new)
			return -ENOMEM;
	}
	ret = perform(&call);
	weir_grant_discard(c, call.new);
	return ret;
}

/* &weir_kind_ops.give_back */
void weir_breaker_give_back(struct weir_object *o, struct weir_grant *g)
{
	struct breaker_call call = { .b = weir_breaker(o) };
	struct weir_breaker_totals __percpu *totals = call.b->totals;
	struct weir_entry *e = g->entry;
	u64 word, before;

	/* a grant that ended meanwhile may have let the entry be dropped */
	if (!weir_table_lock(&call.b->table, e, &word))
		return;
	before = entry_begin(&call, e, word);
	if (g->n) {
		if (weir_circuit_died(&call.b->circuit, &call.s, call.now, g->ticket,
				      &call.moves)) {
			this_cpu_add(totals->lost, g->n);
			this_cpu_inc(totals->failed);
		}
		grant_set(e, g, 0);
		call.grant = g;
	}
	entry_end(&call, e, weir_table_hash_of(&call.b->table, e), before);
}

/* &weir_table_ops.idle_at */
u64 weir_breaker_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
			 u64 now)
{
	struct weir_circuit s;

	state_get(&s, e, word);
	return idle_at(container_of(t, struct weir_breaker, table), e, &s, now);
}

/* The present state of a breaker without keys. Context: alive, as for sysfs. */
u32 weir_breaker_state(struct weir_breaker *b)
{
	struct weir_op op = { .opcode = WEIR_OP_BREAKER_STATE };
	struct weir_key key;
	struct breaker_call call = { .b = b, .op = &op, .key = &key };
	int ret;

	weir_key_make(&b->spec, &b->table, NULL, 0, &key);
	rcu_read_lock();
	ret = look(&call, NULL);
	rcu_read_unlock();
	return ret ? WEIR_CIRCUIT_CLOSED : op.state;
}
