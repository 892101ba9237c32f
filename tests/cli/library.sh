#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# libweir: functions that the weir command does not use

root=$(cd "$(dirname "$0")/../.." && pwd)
exec "${WEIR_BUILD:-$root/build}/tools/obj/test/device_check"
