#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Deciding one target's seven days: processor time of one window and of all.
set -euo pipefail
"$HT_BUILD/bench/verdict_bench"
