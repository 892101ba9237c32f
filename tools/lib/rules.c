// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rules: address blocks that a limiter always allows or always denies. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define MAPPED_BITS 96	/* ::ffff:0:0/96 is IPv4 */

static int invalid(void)
{
	errno = EINVAL;
	return -1;
}

/* Whether an address has a bit set beyond its first @prefix bits. */
static bool host_bits(const struct weir_rule *rule)
{
	unsigned int bit;

	for (bit = rule->prefix; bit < rule->addr_len * 8U; bit++)
		if (rule->addr[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

static void mapped_to_ipv4(struct weir_rule *rule)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (rule->addr_len != 16 || rule->prefix < MAPPED_BITS ||
	    memcmp(rule->addr, mapped, sizeof(mapped)) != 0)
		return;
	memmove(rule->addr, rule->addr + sizeof(mapped), 4);
	memset(rule->addr + 4, 0, sizeof(rule->addr) - 4);
	rule->addr_len = 4;
	rule->prefix -= MAPPED_BITS;
}

WEIR_API int weir_rule_parse(struct weir_rule *rule, const char *text,
			     enum weir_rule_action action)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct weir_key key;
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t prefix;

	if (length >= sizeof(address))
		return invalid();
	memcpy(address, text, length);
	address[length] = '\0';
	if (strchr(address, '%') || weir_key_ip(&key, address) < 0)
		return invalid();
	prefix = key.len * 8U;
	if (slash && (weir_parse_u64(slash + 1, &prefix) < 0 ||
		      prefix > key.len * 8U))
		return invalid();
	memset(rule, 0, sizeof(*rule));
	memcpy(rule->addr, key.bytes, key.len);
	rule->addr_len = (uint8_t)key.len;
	rule->prefix = (uint8_t)prefix;
	rule->action = (uint8_t)action;
	if (host_bits(rule))
		return invalid();
	mapped_to_ipv4(rule);
	return 0;
}

WEIR_API int weir_rule_format(const struct weir_rule *rule, char *buffer,
			      size_t size)
{
	char text[INET6_ADDRSTRLEN];
	int length;

	if (rule->addr_len != 4 && rule->addr_len != 16)
		return invalid();
	inet_ntop(rule->addr_len == 4 ? AF_INET : AF_INET6, rule->addr, text,
		  sizeof(text));
	if (rule->prefix == rule->addr_len * 8)
		length = snprintf(buffer, size, "%s", text);
	else
		length = snprintf(buffer, size, "%s/%u", text, rule->prefix);
	if (length >= 0 && (size_t)length < size)
		return length;
	errno = EMSGSIZE;
	return -1;
}

WEIR_API const char *weir_rule_action_name(int action)
{
	switch (action) {
	case WEIR_RULE_ALLOW:
		return "allow";
	case WEIR_RULE_DENY:
		return "deny";
	}
	return NULL;
}

static int rules_call(struct weir_limiter *limiter, const struct weir_rule *rules,
		      unsigned int count, unsigned int flags)
{
	struct weir_rules args = {
		.size = sizeof(args),
		.handle = limiter->handle,
		.flags = flags,
		.count = count,
		.rules = (uintptr_t)rules,
	};

	if (weir__ioctl(limiter->weir->file.fd, WEIR_IOC_RULES, &args) < 0)
		return -1;
	return (int)args.count;
}

WEIR_API int weir_limiter_change_rules(struct weir_limiter *limiter,
				       const struct weir_rule *rules,
				       unsigned int count, unsigned int flags)
{
	if (flags & ~(unsigned int)WEIR_RULES_CLEAR)
		return invalid();
	return rules_call(limiter, rules, count, flags) < 0 ? -1 : 0;
}

WEIR_API int weir_limiter_get_rules(struct weir_limiter *limiter,
				    struct weir_rule *rules, unsigned int room)
{
	return rules_call(limiter, rules, room, WEIR_RULES_GET);
}
