#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# daemon.sh [KERNEL]...: what holdfastd costs while it runs (7.3): events it keeps up with, its processor time for them,
# idle, its memory, and how long a swap takes; each beside a floor of the same boot.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3
for kernel; do
  echo "Linux $kernel, two processors"
  tools/vm --kernel "$kernel" --smp 2 --mem 1024 --timeout 600 --file "$build/holdfastd" --file "$build/holdfast" \
    --file "$build/bench/daemon_load" --file bench/daemon_guest.sh -- \
    sh -c "PATH=$build:$build/bench:\$PATH sh bench/daemon_guest.sh" | awk '
    { for (i = 2; i < NF; i += 2) v[$1, $i] = $(i + 1); print "  " $0 }
    function ratio(name) { return (v[name, "attempts"] / v[name, "ms"]) / (v["none", "attempts"] / v["none", "ms"]) }
    function each(name) { # processor time of holdfastd for an event, over that of the floor for a move
      return (v[name, "daemon_cpu_ms"] / v[name, "told"]) / (v["none", "cpu_ms"] / v["none", "attempts"]) }
    END {
      printf "refused moves for each move of the floor, in the same time: one kind %.2f, 2000 kinds %.2f\n", ratio("one"), ratio("many")
      printf "processor time of holdfastd for an event, over that of a move: one kind %.2f, 2000 kinds %.2f\n", each("one"), each("many")
      printf "unaccounted: %d and %d\n", v["one", "refused"] - v["one", "told"] - v["one", "lost"],
        v["many", "refused"] - v["many", "told"] - v["many", "lost"]
      printf "reload over check: 1 binding %.2f, 10,000 bindings %.2f\n", v["reload_1", "ms"] / v["check_1", "ms"],
        v["reload_10000", "ms"] / v["check_10000", "ms"]
    }'
done
