#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# daemon_start.sh [KERNEL]...: the instructions, in millions, from the start of holdfastd until a policy is live, and of a
# run under the lsm backend, in a guest that counts them (7.3 and 6.1). One processor, so the kernel's own work is in it.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3 6.1

for kernel; do
  echo "Linux $kernel, millions of instructions until it is live"
  tools/vm --kernel "$kernel" --icount --timeout 600 --file "$build/holdfastd" --file "$build/holdfast" \
    --file bench/daemon_start_guest.sh -- sh bench/daemon_start_guest.sh "$build/holdfastd" "$build/holdfast"
done
