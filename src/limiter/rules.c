// SPDX-License-Identifier: GPL-2.0-only
/* Sets of rules: construction and look-up. See rules.h; the algorithm is in cidr.h. */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "limiter/rules.h"

enum { IPV4, IPV6 };

/* A rule and its position among the changes, because sort() is not stable. */
struct ranked {
	struct weir_rule rule;
	u32 rank;
};

/* Reschedule if necessary after every 64 rules. */
static void breathe(unsigned int i)
{
	if (i % 64 == 63)
		cond_resched();
}

static struct weir_address address_number(const u8 *bytes, unsigned int len)
{
	__be64 words[2];
	__be32 v4;

	if (len == 4) {
		memcpy(&v4, bytes, sizeof(v4));
		return (struct weir_address){ .lo = be32_to_cpu(v4) };
	}
	memcpy(words, bytes, sizeof(words));
	return (struct weir_address){ be64_to_cpu(words[0]), be64_to_cpu(words[1]) };
}

/* The last address of a network. */
static struct weir_address network_last(const u8 *network, unsigned int len,
					unsigned int prefix)
{
	struct weir_address first = address_number(network, len);
	struct weir_address host = weir_address_host(prefix, len * 8);

	return (struct weir_address){ first.hi | host.hi, first.lo | host.lo };
}

static u32 ranges_cover(const struct weir_rule_set *set, unsigned int len,
			struct weir_address first, struct weir_address last)
{
	unsigned int family = len == 4 ? IPV4 : IPV6;

	return weir_cidr_covers(set->ranges[family], set->nranges[family], first,
				last);
}

/**
 * weir_rules_find - the rule for an address
 * @set: the rules
 * @address: the address, in network order
 * @len: 4 or 16
 *
 * Context: any.
 *
 * Return: enum weir_rule_action; WEIR_RULE_NONE if there is none.
 */
u32 weir_rules_find(const struct weir_rule_set *set, const u8 *address,
		    unsigned int len)
{
	struct weir_address a = address_number(address, len);

	return ranges_cover(set, len, a, a);
}

/* Like weir_rules_find() for all addresses of a network, if one rule applies to all of them. */
u32 weir_rules_cover(const struct weir_rule_set *set, const u8 *network,
		     unsigned int len, unsigned int prefix)
{
	return ranges_cover(set, len, address_number(network, len),
			    network_last(network, len, prefix));
}

static bool rule_valid(const struct weir_rule *rule)
{
	struct weir_address a, host;

	if ((rule->addr_len != 4 && rule->addr_len != 16) || rule->reserved ||
	    rule->prefix > rule->addr_len * 8 || rule->action > WEIR_RULE_DENY ||
	    memchr_inv(rule->addr + rule->addr_len, 0,
		       sizeof(rule->addr) - rule->addr_len))
		return false;
	a = address_number(rule->addr, rule->addr_len);
	host = weir_address_host(rule->prefix, rule->addr_len * 8);
	return !(a.hi & host.hi) && !(a.lo & host.lo);
}

static int block_cmp(const struct weir_rule *a, const struct weir_rule *b)
{
	int cmp = (int)a->addr_len - b->addr_len;

	if (!cmp)
		cmp = memcmp(a->addr, b->addr, sizeof(a->addr));
	return cmp ?: (int)a->prefix - b->prefix;
}

static int ranked_cmp(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int cmp = block_cmp(&x->rule, &y->rule);

	/* sort() takes milliseconds with the maximum number of rules */
	cond_resched();
	return cmp ?: x->rank < y->rank ? -1 : 1;
}

/*
 * Keep the last of several rules for one block. Return: the number of rules that remain; -ENOENT: a
 * change removes a rule that does not exist.
 */
static int ranked_reduce(struct ranked *all, unsigned int n)
{
	unsigned int i, left = 0;
	bool there;

	for (i = 0; i < n; i++) {
		breathe(i);
		there = left && !block_cmp(&all[left - 1].rule, &all[i].rule);
		if (all[i].rule.action == WEIR_RULE_NONE) {
			if (!there)
				return -ENOENT;
			left--;
		} else if (there) {
			all[left - 1] = all[i];
		} else {
			all[left++] = all[i];
		}
	}
	return left;
}

/* Convert the rules of one family, those from @from to before @to, to ranges. */
static int family_cut(struct weir_rule_set *set, unsigned int family,
		      unsigned int from, unsigned int to)
{
	struct weir_cut *cut;
	unsigned int i;

	if (from == to)
		return 0;
	cut = kvzalloc(sizeof(*cut), GFP_KERNEL_ACCOUNT);
	if (!cut)
		return -ENOMEM;
	cut->ranges = kvmalloc_array(2 * (to - from), sizeof(struct weir_range),
				     GFP_KERNEL_ACCOUNT);
	set->ranges[family] = cut->ranges;
	for (i = from; i < to && cut->ranges; i++) {
		breathe(i);
		weir_cut_add(cut, &(struct weir_block){
			.first = address_number(set->rules[i].addr, set->rules[i].addr_len),
			.last = network_last(set->rules[i].addr, set->rules[i].addr_len,
					     set->rules[i].prefix),
			.action = set->rules[i].action,
		});
	}
	weir_cut_end(cut);
	set->nranges[family] = cut->n;
	kvfree(cut);
	return set->ranges[family] ? 0 : -ENOMEM;
}

static struct weir_rule_set *set_make(const struct ranked *all, unsigned int n)
{
	struct weir_rule_set *set;
	unsigned int i, v4 = 0;

	set = kvzalloc(struct_size(set, rules, n), GFP_KERNEL_ACCOUNT);
	if (!set)
		return ERR_PTR(-ENOMEM);
	set->nrules = n;
	for (i = 0; i < n; i++) {
		breathe(i);
		set->rules[i] = all[i].rule;
		v4 += all[i].rule.addr_len == 4;
	}
	if (family_cut(set, IPV4, 0, v4) || family_cut(set, IPV6, v4, n)) {
		weir_rules_free(set);
		return ERR_PTR(-ENOMEM);
	}
	return set;
}

/**
 * weir_rules_change - make a changed copy of a set
 * @old: the present set, or NULL for none
 * @changes: applied in this order; unchecked
 * @count: 0..WEIR_RULES_MAX
 *
 * Context: may sleep.
 *
 * Return: the new set, for weir_rules_free(); NULL if it has no rule; or
 *	ERR_PTR(): -EINVAL, -ENOENT, -ENOSPC (too many), -ENOMEM.
 */
struct weir_rule_set *weir_rules_change(const struct weir_rule_set *old,
					struct weir_rule *changes,
					unsigned int count)
{
	unsigned int before = old ? old->nrules : 0, i;
	struct weir_rule_set *set;
	struct ranked *all;
	int n;

	for (i = 0; i < count; i++) {
		breathe(i);
		if (!rule_valid(&changes[i]))
			return ERR_PTR(-EINVAL);
	}
	if (!(before + count))
		return NULL;
	all = kvmalloc_array(before + count, sizeof(*all), GFP_KERNEL_ACCOUNT);
	if (!all)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < before + count; i++) {
		breathe(i);
		all[i].rule = i < before ? old->rules[i] : changes[i - before];
		all[i].rank = i;
	}
	sort(all, before + count, sizeof(*all), ranked_cmp, NULL);
	n = ranked_reduce(all, before + count);
	if (n < 0)
		set = ERR_PTR(n);
	else if (n > WEIR_RULES_MAX)
		set = ERR_PTR(-ENOSPC);
	else
		set = n ? set_make(all, n) : NULL;
	kvfree(all);
	return set;
}

/* The set must be unreachable; NULL is allowed. Context: may sleep. */
void weir_rules_free(struct weir_rule_set *set)
{
	if (!set)
		return;
	kvfree(set->ranges[IPV4]);
	kvfree(set->ranges[IPV6]);
	kvfree(set);
}
