/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A limiter's rules: address blocks that are always allowed or always denied. A set is
 * immutable; a change makes another one (rules.c).
 */
#ifndef _WEIR_RULES_H
#define _WEIR_RULES_H

#include "lib/cidr.h"

/**
 * struct weir_rule_set - all rules of a limiter
 * @nrules: number of @rules
 * @nranges: number of @ranges, for IPv4 and IPv6
 * @ranges: the rules, converted for look-ups
 * @rules: as the user gave them, IPv4 first, by address, then from the longest block to the
 *	shortest
 */
struct weir_rule_set {
	unsigned int		nrules;
	unsigned int		nranges[2];
	struct weir_range	*ranges[2];
	struct weir_rule	rules[];
};

u32 weir_rules_find(const struct weir_rule_set *set, const u8 *address,
		    unsigned int len);
u32 weir_rules_cover(const struct weir_rule_set *set, const u8 *network,
		     unsigned int len, unsigned int prefix);
struct weir_rule_set *weir_rules_change(const struct weir_rule_set *old,
					struct weir_rule *changes,
					unsigned int count);
void weir_rules_free(struct weir_rule_set *set);

#endif /* _WEIR_RULES_H */
