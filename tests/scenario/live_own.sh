#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 540 s
# Alone: its verdicts rest on samples taken in time
# The workloads of the set "own": programs that no threshold was fitted to.
exec bash "$HT_TOP/tests/scenario/live.sh" own
