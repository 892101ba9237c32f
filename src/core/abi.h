/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Build-time checks of the ABI: the size of every struct, and that there is no hole between its
 * members. Bytes in a hole would not be checked for zero. Include this before any other header that
 * includes the ABI.
 */
#ifndef _WEIR_ABI_H
#define _WEIR_ABI_H

#include <linux/build_bug.h>

#ifdef _UAPI_LINUX_WEIR_H
#error "the check for holes comes too late"
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include <uapi/linux/weir.h>
#pragma GCC diagnostic pop

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
	SIZE(weir_collect, 16);
#undef SIZE
}

#endif /* _WEIR_ABI_H */
