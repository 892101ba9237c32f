// SPDX-License-Identifier: GPL-2.0-only
/* The keys that --prefix selects: addresses in a block, or text with this beginning. */

#include <string.h>

#include "cli.h"

/*
 * A key that was cut to a prefix covers several addresses. It matches if one of them is in the
 * block. So only the bits that both the key and the block have are compared.
 */
static void block_take(struct key_filter *filter, const struct key_choice *keys)
{
	unsigned int cut;

	if (weir_rule_parse(&filter->block, filter->text, WEIR_RULE_ALLOW) < 0)
		die("--prefix '%s': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
		    printable(filter->text));
	filter->length = filter->block.addr_len;
	cut = filter->length == 4 ? keys->prefix4 : keys->prefix6;
	filter->bits = filter->block.prefix < cut ? filter->block.prefix : cut;
}

void key_filter_take(struct key_filter *filter, const char *kind, const char *name,
		     const struct key_choice *keys)
{
	size_t length = filter->text ? strlen(filter->text) : 0;

	if (!filter->text)
		return;
	filter->type = keys->type;
	switch (filter->type) {
	case WEIR_KEY_IP:
		block_take(filter, keys);
		break;
	case WEIR_KEY_TEXT:
		if (!length || length > WEIR_KEY_MAX)
			die("--prefix '%s': must have 1 to %d bytes",
			    printable(filter->text), WEIR_KEY_MAX);
		filter->length = (unsigned int)length;
		break;
	default:
		die("%s '%s': --prefix is for keys of type ip or text, not %s", kind,
		    name, weir_key_type_name((int)filter->type));
	}
}

bool key_filter_has(const struct key_filter *filter, const struct weir_key *key)
{
	const uint8_t *addr = filter->block.addr;
	unsigned int whole = filter->bits / 8, rest = filter->bits % 8;

	if (!filter->text)
		return true;
	if (filter->type == WEIR_KEY_TEXT)
		return key->len >= filter->length &&
		       !memcmp(key->bytes, filter->text, filter->length);
	if (key->len != filter->length || memcmp(key->bytes, addr, whole))
		return false;
	return !rest || !((key->bytes[whole] ^ addr[whole]) >> (8 - rest));
}
