#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_cost.sh [KERNEL]...: instructions that a loaded namespace policy adds to system calls (7.3 and 6.1), as
# ratios to the same call with no program, in the same boot.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3 6.1

for kernel; do
  lines=$(tools/vm --kernel "$kernel" --icount --timeout 300 --file "$build/holdfast" \
    --file "$build/bench/kernel_cost" --file "$build/bench/kernel_cost_empty" --file bench/kernel_cost_guest.sh -- \
    sh bench/kernel_cost_guest.sh "$build/holdfast" "$build/bench")
  echo "Linux $kernel: instructions a call; added to it, and as a ratio to no program"
  awk '
    { cost[$1, $2] = $3 / 2; if (!seen[$2]++) order[++count] = $2 }
    function added(situation, call,   base) {
      base = cost["none", call]
      return sprintf("%+8d %6.2f", cost[situation, call] - base, cost[situation, call] / base)
    }
    END {
      printf "%-10s %10s  %16s  %16s  %16s\n", "call", "no program", "empty programs", "unrelated task", "member"
      for (i = 1; i <= count; i++) {
        call = order[i]
        if (!(("member", call) in cost) || !(("unrelated", call) in cost)) { print call ": not measured"; bad = 1; continue }
        printf "%-10s %10d  %16s  %16s  %16s\n", call, cost["none", call], added("empty", call), added("unrelated", call),
          added("member", call)
      }
      exit bad || count == 0
    }' <<< "$lines"
done
