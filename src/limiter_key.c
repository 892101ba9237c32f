// SPDX-License-Identifier: GPL-2.0-only
/* Keys of limiters: from the bytes of an op, cut to the prefix, with their rule. */

#include <linux/string.h>

#include "limiter.h"
#include "rules.h"

/* The usual lengths without a call. */
static void bytes_copy(u64 *words, const u8 *data, unsigned int len)
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
	static const u8 wanted[] = {
		[WEIR_KEY_NONE] = 0, [WEIR_KEY_U64] = 8, [WEIR_KEY_IP] = 16,
	};
	const struct weir_rule_set *rules;
	bool v4 = false;

	key->rule = WEIR_RULE_NONE;
	if (l->key_type == WEIR_KEY_TEXT) {
		if (!len || len > WEIR_KEY_MAX)
			return -EINVAL;
	} else if (l->key_type == WEIR_KEY_IP && len == 4) {
		v4 = true;
	} else if (len != wanted[l->key_type]) {
		return -EINVAL;
	} else if (l->key_type == WEIR_KEY_IP &&
		   !memcmp(data, mapped, sizeof(mapped))) {
		v4 = true;
		data += sizeof(mapped);
		len = 4;
	}
	key->raw = data;
	key->raw_len = len;
	rules = rcu_dereference(l->rules);
	if (unlikely(rules))
		key->rule = weir_rules_find(rules, data, len);
	key->len = len;
	key->data = data;
	if (len <= WEIR_KEY_INLINE) {
		key->words[0] = 0;
		key->words[1] = 0;
		bytes_copy(key->words, data, len);
		if (v4) {
			key->words[0] &= l->mask4;
		} else if (l->key_type == WEIR_KEY_IP) {
			key->words[0] &= l->mask6[0];
			key->words[1] &= l->mask6[1];
		}
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
