/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys made from the bytes of an op: checked against the type, addresses cut to a prefix. */
#ifndef _WEIR_KEY_H
#define _WEIR_KEY_H

#include "table/table.h"

/**
 * struct weir_key_spec - the type of an object's keys
 * @type: enum weir_key_type
 * @mask4: the bits of an IPv4 key that count, as &weir_key.words
 * @mask6: the bits of an IPv6 key that count
 */
struct weir_key_spec {
	u32 type;
	u64 mask4;
	u64 mask6[2];
};

void weir_key_mask(void *mask, size_t size, unsigned int bits);
int weir_key_config(u32 type, u64 *max_keys, u8 *prefix4, u8 *prefix6);
void weir_key_spec_init(struct weir_key_spec *spec, u32 type, unsigned int prefix4,
			unsigned int prefix6);
int weir_key_make(const struct weir_key_spec *spec, const struct weir_table *t,
		  const u8 *data, unsigned int len, struct weir_key *key);

/* Whether a key of that type can have that many bytes. */
static inline bool weir_key_length_fits(u32 type, unsigned int len)
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

#endif /* _WEIR_KEY_H */
