#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The store under a year's load in short: ingest with upkeep, disk, reading.
# STORE_SAMPLES=3150000 is the whole year of one process at 10 s.
set -euo pipefail
# shellcheck source=bench/lib.sh disable=SC1091,SC2154
. "$(dirname "$0")/lib.sh"
printf '## Store: ingest, upkeep, disk and reading back\n\n'
# shellcheck disable=SC2154 # work: lib.sh
"$HT_BUILD/bench/store_bench" "$work/bench.db" "${STORE_SAMPLES:-60000}"
