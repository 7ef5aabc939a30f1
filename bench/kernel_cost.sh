#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_cost.sh [KERNEL]...: instructions that holdfast adds to system calls (7.3 and 6.1), as ratios to the same call
# with no program in the same boot: by a loaded namespace policy of a run, and by the rules of holdfastd.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
[ $# -gt 0 ] || set -- 7.3 6.1

guest() { # KERNEL SCRIPT PROGRAM
  tools/vm --kernel "$1" --icount --timeout 300 --file "$3" --file "$build/holdfastd" --file "$build/bench/kernel_cost" \
    --file "$build/bench/kernel_cost_empty" --file "bench/$2" -- sh "bench/$2" "$3" "$build/bench"
}
for kernel; do
  echo "Linux $kernel, a run under the lsm backend: instructions a call; added to it, and as a ratio to no program"
  guest "$kernel" kernel_cost_guest.sh "$build/holdfast" | awk -v columns=empty,unrelated,member -f bench/kernel_cost.awk
  echo "Linux $kernel, a run under the lsm backend with a socket rule"
  guest "$kernel" socket_cost_guest.sh "$build/holdfast" | awk -v columns=empty,unrelated,member,peer -f bench/kernel_cost.awk
  echo "Linux $kernel, holdfastd with rules about cgroups and namespaces"
  guest "$kernel" machine_cost_guest.sh "$build/holdfastd" | awk -v columns=empty,namespaces,unrelated,member -f bench/kernel_cost.awk
  echo "Linux $kernel, holdfastd without and with rules about sockets"
  guest "$kernel" machine_sockets_guest.sh "$build/holdfastd" | awk -v columns=empty,idle,unrelated,member,rate -f bench/kernel_cost.awk
done
