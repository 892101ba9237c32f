/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Build-time checks of the ABI: the size of every struct, and that there is no hole between its
 * members. Bytes in a hole would not be checked for zero.
 */
#ifndef _WEIR_ABI_H
#define _WEIR_ABI_H

#include <linux/build_bug.h>
#include <linux/stddef.h>

#include <uapi/linux/weir.h>

#ifndef CONFIG_64BIT
#error "weir needs a 64-bit kernel: its counters are 64 bits wide"
#endif

static inline void weir_abi_check(void)
{
#define SIZE(type, size) BUILD_BUG_ON(sizeof(struct type) != (size))
	SIZE(weir_info, 144);
	SIZE(weir_counter_config, 40);
	SIZE(weir_histogram, 7712);
	SIZE(weir_limiter_config, 216);
	SIZE(weir_limiter_stats, 112);
	SIZE(weir_gate_config, 32);
	SIZE(weir_gate_stats, 88);
	SIZE(weir_breaker_config, 152);
	SIZE(weir_breaker_stats, 88);
	SIZE(weir_roster_config, 32);
	SIZE(weir_roster_stats, 80);
	SIZE(weir_lease, 24);
	SIZE(weir_lease_info, 40);
	SIZE(weir_create, 120);
	SIZE(weir_open, 96);
	SIZE(weir_close, 8);
	SIZE(weir_set, 24);
	SIZE(weir_get, 24);
	SIZE(weir_delete, 8);
	SIZE(weir_object_info, 112);
	SIZE(weir_list, 40);
	SIZE(weir_entry_info, 40);
	SIZE(weir_dump, 40);
	SIZE(weir_op, 128);
	SIZE(weir_submit, 24);
	SIZE(weir_event, 120);
	SIZE(weir_rule, 20);
	SIZE(weir_rules, 24);
	SIZE(weir_load, 40);
	SIZE(weir_emit, 88);
	SIZE(weir_drop, 8);
	SIZE(weir_dup_client, 8);
	SIZE(weir_stream, 8);
	SIZE(weir_restrict, 16);
#undef SIZE

/* no hole: each member begins where the previous one ends */
#define NEXT(type, member, next)					\
	BUILD_BUG_ON(offsetofend(struct type, member) !=		\
		     offsetof(struct type, next))
	NEXT(weir_info, handles_max, keys_max);
	NEXT(weir_info, abi_version, features);
	NEXT(weir_counter_config, reserved, fields);
	NEXT(weir_counter_config, sub_bits, buckets);
	NEXT(weir_histogram, max, buckets);
	NEXT(weir_limiter_config, strikes, within);
	NEXT(weir_limiter_config, queue_max, ban);
	NEXT(weir_limiter_config, ban, ban_jitter);
	NEXT(weir_limiter_config, ban_jitter, candidate);
	NEXT(weir_gate_config, queue_max, max_keys);
	NEXT(weir_gate_config, prefix6, reserved);
	NEXT(weir_roster_config, prefix6, reserved);
	NEXT(weir_lease_info, tag, version);
	NEXT(weir_create, owner, config);
	NEXT(weir_create, reserved, name);
	NEXT(weir_open, owner, id);
	NEXT(weir_object_info, gid, id);
	NEXT(weir_object_info, owner, reserved);
	NEXT(weir_info, version, total_keys);
	NEXT(weir_entry_info, bans, remaining);
	NEXT(weir_op, plan, tag);
	NEXT(weir_op, tag, key);
	NEXT(weir_op, key, result);
	NEXT(weir_op, decided, value);
	NEXT(weir_op, banned_for, strikes);
	NEXT(weir_submit, done, ops);
	NEXT(weir_rules, count, rules);
	NEXT(weir_load, count, elapsed);
	NEXT(weir_event, data_len, name);
	NEXT(weir_emit, length, data);
	NEXT(weir_emit, seq, tag);
#undef NEXT
}

#endif /* _WEIR_ABI_H */
