// SPDX-License-Identifier: GPL-2.0-only
/* Keys of limiters: made from the bytes of an op, cut to the prefix, with their rule. */

#include <linux/string.h>

#include "table/key.h"
#include "limiter/limiter.h"
#include "limiter/rules.h"

/* Cut the address to the limiter's prefix. */
static inline void key_cut(const struct weir_limiter *l, struct weir_key *key)
{
	if (key->len == 4) {
		key->words[0] &= l->spec.mask4;
	} else {
		key->words[0] &= l->spec.mask6[0];
		key->words[1] &= l->spec.mask6[1];
	}
}

/* Copy without a call for the usual lengths. */
static __always_inline void bytes_copy(u64 *words, const u8 *data,
				       unsigned int len)
{
	if (len == 4)
		memcpy(words, data, 4);
	else if (len == 8)
		memcpy(words, data, 8);
	else
		memcpy(words, data, len);
}

/* The rule for the whole address. Must hold rcu_read_lock(). */
static inline u32 key_rule(const struct weir_limiter *l, const struct weir_key *key)
{
	const struct weir_rule_set *rules = rcu_dereference(l->rules);

	if (likely(!rules))
		return WEIR_RULE_NONE;
	return weir_rules_find(rules, key->raw, key->raw_len);
}

/* Make the hashed key from the bytes at @key->raw. */
static __always_inline void key_make(const struct weir_limiter *l,
				     struct weir_key *key)
{
	key->len = key->raw_len;
	key->data = key->raw;
	if (key->len <= WEIR_KEY_INLINE) {
		key->words[0] = 0;
		key->words[1] = 0;
		bytes_copy(key->words, key->raw, key->len);
		if (l->spec.type == WEIR_KEY_IP)
			key_cut(l, key);
		key->data = (const u8 *)key->words;
	}
	weir_key_hash(&l->table, key);
}

/**
 * weir_limiter_key - make a hashed key from bytes
 * @l: the limiter
 * @data: the bytes; must stay valid while the key is used
 * @len: their number
 * @key: out
 *
 * @key->rule is valid in this RCU read side; weir_limiter_key_rule() renews it.
 *
 * Context: RCU read side.
 *
 * Return: 0, or -EINVAL: not a key of this limiter's type.
 */
int weir_limiter_key(const struct weir_limiter *l, const u8 *data,
		     unsigned int len, struct weir_key *key)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (unlikely(!weir_key_length_fits(l->spec.type, len)))
		return -EINVAL;
	if (l->spec.type == WEIR_KEY_IP && len == 16 &&
	    !memcmp(data, mapped, sizeof(mapped))) {
		data += sizeof(mapped);
		len = 4;
	}
	key->raw = data;
	key->raw_len = len;
	key->rule = key_rule(l, key);
	key_make(l, key);
	return 0;
}

/**
 * weir_limiter_key_rule - look up the rule of a key again, in a new RCU read side
 * @l: the limiter
 * @key: from weir_limiter_key(); its rule is set
 *
 * Context: RCU read side.
 */
void weir_limiter_key_rule(const struct weir_limiter *l, struct weir_key *key)
{
	if (l->spec.type == WEIR_KEY_IP)
		key->rule = key_rule(l, key);
}
