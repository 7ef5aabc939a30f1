#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# session_start.sh [KERNEL]...: what `holdfast run -- true` costs under the supervisor, and under lsm beside holdfastd, in
# millions of instructions, in a guest that counts them (7.3 and 6.1).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3 6.1

for kernel; do
  echo "Linux $kernel, millions of instructions for a run"
  tools/vm --kernel "$kernel" --icount --timeout 600 --file "$build/holdfastd" --file "$build/holdfast" \
    --file bench/session_start_guest.sh -- sh bench/session_start_guest.sh "$build/holdfastd" "$build/holdfast"
done
