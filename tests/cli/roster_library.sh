#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# libweir: rosters

root=$(cd "$(dirname "$0")/../.." && pwd)
exec "${WEIR_BUILD:-$root/build}/tools/obj/test/roster_check"
