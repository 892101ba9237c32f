/* SPDX-License-Identifier: GPL-2.0-only */
/* Every suite of weir_kunit.ko; main.c registers them. */
#ifndef _WEIR_KUNIT_SUITES_H
#define _WEIR_KUNIT_SUITES_H

#include <kunit/test.h>

/* algorithms: run in user space, too (host/) */
extern struct kunit_suite weir_recip_suite;
extern struct kunit_suite weir_gcra_suite;
extern struct kunit_suite weir_gcra_live_suite;
extern struct kunit_suite weir_sliding_suite;
extern struct kunit_suite weir_window_suite;
extern struct kunit_suite weir_rate_suite;
extern struct kunit_suite weir_score_suite;
extern struct kunit_suite weir_circuit_suite;
extern struct kunit_suite weir_circuit_edge_suite;
extern struct kunit_suite weir_circuit_model_suite;
extern struct kunit_suite weir_gate_model_suite;
extern struct kunit_suite weir_roster_model_suite;
extern struct kunit_suite weir_cidr_suite;
extern struct kunit_suite weir_dump_order_suite;
extern struct kunit_suite weir_histogram_suite;

/* kernel code */
extern struct kunit_suite weir_expiry_suite;
extern struct kunit_suite weir_table_suite;
extern struct kunit_suite weir_table_race_suite;
extern struct kunit_suite weir_sweep_suite;
extern struct kunit_suite weir_counter_suite;
extern struct kunit_suite weir_counter_histogram_suite;
extern struct kunit_suite weir_event_suite;
extern struct kunit_suite weir_object_suite;
extern struct kunit_suite weir_registry_suite;
extern struct kunit_suite weir_limiter_config_suite;
extern struct kunit_suite weir_limiter_suite;
extern struct kunit_suite weir_ban_suite;
extern struct kunit_suite weir_roster_suite;

#endif /* _WEIR_KUNIT_SUITES_H */
