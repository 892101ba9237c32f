// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_kunit.ko: the unit tests, in a module of their own, because 6.1 runs a
 * module's suites before its init function.
 */

#include <linux/module.h>

#include "clock.h"
#include "suites.h"

atomic64_t kunit_clock;
struct points kunit_clock_points;

kunit_test_suites(&weir_recip_suite,
		  &weir_gcra_suite,
		  &weir_gcra_live_suite,
		  &weir_sliding_suite,
		  &weir_window_suite,
		  &weir_rate_suite,
		  &weir_score_suite,
		  &weir_circuit_suite,
		  &weir_circuit_edge_suite,
		  &weir_circuit_model_suite,
		  &weir_gate_model_suite,
		  &weir_roster_model_suite,
		  &weir_cidr_suite,
		  &weir_dump_order_suite,
		  &weir_histogram_suite,
		  &weir_expiry_suite,
		  &weir_table_suite,
		  &weir_table_race_suite,
		  &weir_sweep_suite,
		  &weir_counter_suite,
		  &weir_counter_histogram_suite,
		  &weir_event_suite,
		  &weir_object_suite,
		  &weir_registry_suite,
		  &weir_limiter_config_suite,
		  &weir_limiter_suite,
		  &weir_ban_suite,
		  &weir_roster_suite);

MODULE_DESCRIPTION("Unit tests of weir");
MODULE_LICENSE("GPL");
