// SPDX-License-Identifier: GPL-2.0-only
/* Keys of objects, from the bytes of an op. See key.h. */

#include <linux/kernel.h>
#include <linux/string.h>

#include "table/key.h"

#define MAX_KEYS_DEFAULT 65536

/* Set the first @bits bits of @size bytes, in memory order, and clear the rest. */
void weir_key_mask(void *mask, size_t size, unsigned int bits)
{
	u8 *byte = mask;
	size_t i;

	for (i = 0; i < size; i++, bits -= min(bits, 8U))
		byte[i] = bits >= 8 ? 0xff : ~(0xff >> bits);
}

/**
 * weir_key_config - check a user's configuration of keys, and fill in the defaults
 * @type: enum weir_key_type
 * @max_keys: 0 for the default; 1 if @type is NONE
 * @prefix4: 0 for the default; for key type IP only
 * @prefix6: as @prefix4
 *
 * Return: 0 or -EINVAL.
 */
int weir_key_config(u32 type, u64 *max_keys, u8 *prefix4, u8 *prefix6)
{
	bool plain = type == WEIR_KEY_NONE;

	if (type > WEIR_KEY_TEXT)
		return -EINVAL;
	if (!*max_keys)
		*max_keys = plain ? 1 : MAX_KEYS_DEFAULT;
	if (*max_keys > (plain ? 1 : WEIR_KEYS_MAX))
		return -EINVAL;
	if (type != WEIR_KEY_IP)
		return *prefix4 || *prefix6 ? -EINVAL : 0;
	if (!*prefix4)
		*prefix4 = 32;
	if (!*prefix6)
		*prefix6 = 64;
	return *prefix4 > 32 || *prefix6 > 128 ? -EINVAL : 0;
}

/* @prefix4, @prefix6: for key type IP, otherwise 0. */
void weir_key_spec_init(struct weir_key_spec *spec, u32 type, unsigned int prefix4,
			unsigned int prefix6)
{
	*spec = (struct weir_key_spec){ .type = type };
	weir_key_mask(&spec->mask4, 4, prefix4);
	weir_key_mask(spec->mask6, sizeof(spec->mask6), prefix6);
}

/* Copy; the usual lengths need no call. */
static __always_inline void bytes_copy(u64 *words, const u8 *data, unsigned int len)
{
	if (len == 4)
		memcpy(words, data, 4);
	else if (len == 8)
		memcpy(words, data, 8);
	else
		memcpy(words, data, len);
}

/**
 * weir_key_make - make a hashed key from bytes
 * @spec: the type of the object's keys
 * @t: the table it is for
 * @data: the bytes; they must stay valid while the key is used
 * @len: their number
 * @key: out
 *
 * Context: any.
 *
 * Return: 0, or -EINVAL: not a key of that type.
 */
int weir_key_make(const struct weir_key_spec *spec, const struct weir_table *t,
		  const u8 *data, unsigned int len, struct weir_key *key)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (unlikely(!weir_key_length_fits(spec->type, len)))
		return -EINVAL;
	if (spec->type == WEIR_KEY_IP && len == 16 &&
	    !memcmp(data, mapped, sizeof(mapped))) {
		data += sizeof(mapped);
		len = 4;
	}
	key->len = len;
	key->data = data;
	key->raw = data;
	key->raw_len = len;
	if (len <= WEIR_KEY_INLINE) {
		key->words[0] = 0;
		key->words[1] = 0;
		bytes_copy(key->words, data, len);
		if (spec->type == WEIR_KEY_IP) {
			key->words[0] &= len == 4 ? spec->mask4 : spec->mask6[0];
			key->words[1] &= spec->mask6[1];
		}
		key->data = (const u8 *)key->words;
	}
	weir_key_hash(t, key);
	return 0;
}
