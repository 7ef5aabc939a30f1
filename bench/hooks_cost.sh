#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# hooks_cost.sh [KERNEL]...: instructions that an empty bridged program adds to setns() and to a cgroup move, beside
# those that an empty LSM program on the hook that enforces it adds, in the same boot (7.3 and 6.1).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3 6.1

for kernel; do
  echo "Linux $kernel: instructions"
  tools/vm --kernel "$kernel" --icount --timeout 300 -- "$build/tests/bin/thirdparty_cost" | awk '
    { cost[$1, $2] = $3 / 2 }
    END {
      for (call = 1; call <= 2; call++) {
        name = call == 1 ? "setns" : "move"
        if (!((name, "bridged") in cost)) { print name ": not measured"; exit 1 }
        none = cost[name, "none"]
        printf "%-6s no program %6d   empty LSM program %+6d   bridged %+6d\n", name, none,
          cost[name, "floor"] - none, cost[name, "bridged"] - none
      }
    }'
done
