#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# libweir: what the weir command does not use of it

root=$(cd "$(dirname "$0")/../.." && pwd)
exec "${WEIR_BUILD:-$root/build}/tools/obj/test/device_check"
