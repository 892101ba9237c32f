// SPDX-License-Identifier: GPL-2.0-only
/* Keys of limiters: from the bytes of an op, cut to the prefix, with their rule. */

#include <linux/string.h>

#include "limiter.h"
#include "rules.h"

/* Cut the address to the limiter's prefix. */
static inline void key_cut(const struct weir_limiter *l, struct weir_key *key)
{
	if (key->len == 4) {
		key->words[0] &= l->mask4;
	} else {
		key->words[0] &= l->mask6[0];
		key->words[1] &= l->mask6[1];
	}
}

/* Whether that many bytes make a key of that type. */
static inline bool length_fits(u32 type, unsigned int len)
{
	switch (type) {
	case WEIR_KEY_IP:
		return len == 4 || len == 16;
	case WEIR_KEY_U64:
		return len == 8;
	case WEIR_KEY_TEXT:
		return len && len <= WEIR_KEY_MAX;
	default:
		return !len;
	}
}

/* The usual lengths without a call. */
static inline void bytes_copy(u64 *words, const u8 *data, unsigned int len)
{
	if (len == 4)
		memcpy(words, data, 4);
	else if (len == 8)
		memcpy(words, data, 8);
	else
		memcpy(words, data, len);
}

/**
 * weir_limiter_key - the key that bytes stand for, hashed
 * @l: the limiter
 * @data: the bytes; must stay while the key is used
 * @len: their number
 * @key: out
 *
 * Context: RCU read side. Return: 0, or -EINVAL: not a key of this limiter's type.
 */
int weir_limiter_key(const struct weir_limiter *l, const u8 *data,
		     unsigned int len, struct weir_key *key)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct weir_rule_set *rules;

	if (unlikely(!length_fits(l->key_type, len)))
		return -EINVAL;
	if (l->key_type == WEIR_KEY_IP && len == 16 &&
	    !memcmp(data, mapped, sizeof(mapped))) {
		data += sizeof(mapped);
		len = 4;
	}
	key->raw = data;
	key->raw_len = len;
	key->rule = WEIR_RULE_NONE;
	rules = rcu_dereference(l->rules);
	if (unlikely(rules))
		key->rule = weir_rules_find(rules, data, len);
	key->len = len;
	key->data = data;
	if (len <= WEIR_KEY_INLINE) {
		key->words[0] = 0;
		key->words[1] = 0;
		bytes_copy(key->words, data, len);
		if (l->key_type == WEIR_KEY_IP)
			key_cut(l, key);
		key->data = (const u8 *)key->words;
	}
	weir_key_hash(&l->table, key);
	return 0;
}

/* Look for the key's rule again: the rules may be others now. Under RCU. */
void weir_limiter_rule(struct weir_limiter *l, struct weir_key *key)
{
	const struct weir_rule_set *set;

	if (l->key_type != WEIR_KEY_IP)
		return;
	set = rcu_dereference(l->rules);
	key->rule = set ? weir_rules_find(set, key->raw, key->raw_len) :
			  WEIR_RULE_NONE;
}
