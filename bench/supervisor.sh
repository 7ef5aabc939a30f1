#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the supervisor backend costs, each call as a ratio against a floor of the same run: the same call notified and answered
# at once, and the same call without holdfast. ROUNDS: how many times each is started (7).
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 bench/supervisor.py "${HOLDFAST_BUILD:-$PWD/build}" "${ROUNDS:-7}"
