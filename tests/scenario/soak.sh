#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The soak of tests/unit/test_soak.c, longer than make check has time for.
# HT_SOAK_SAMPLES: how many samples (500).
# Limit: 900 s
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HT_SOAK_SAMPLES=${HT_SOAK_SAMPLES:-500}
ok "a busy target of 64 threads never notices $HT_SOAK_SAMPLES samples" "$HT_BUILD/tests/test_soak"
export HT_FIRE_THREADS=64
ok "64 threads at full speed: every mode adds up, and says what it is not sure of" \
	"$HT_BUILD/tests/test_fire"
plan
