#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# label_cost.sh [KERNEL]: instructions that reading a label adds to a connect(), by the kernel's function and from the
# kernel's list of the socket's labels, in the same boot (7.3, which has both). The label is the last of the list.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOLDFAST_BUILD:-build}")
kernel=${1:-7.3}

echo "Linux $kernel: instructions"
tools/vm --kernel "$kernel" --icount --timeout 300 --file "$build/tests/bin/label_walk:/label_walk" -- \
  /label_walk --cost | awk '
    { cost[$1, $2] = $3 / 2; if (!($2 in seen) && $1 ~ /^by_/) { seen[$2] = 1; labels[++count] = $2 } }
    END {
      if (!(("none", 0) in cost)) { print "not measured"; exit 1 }
      none = cost["none", 0]
      printf "connect: %d; a program that reads nothing %+d\n", none, cost["no_read", 0] - none
      for (i = 1; i <= count; i++) {
        n = labels[i]
        printf "%3d labels   by the kernel %+6d   from the list %+6d   ratio %.2f\n", n,
          cost["by_kernel", n] - none, cost["by_walk", n] - none,
          (cost["by_walk", n] - none) / (cost["by_kernel", n] - none)
      }
      printf "  8 labels with names alike: by the kernel %+d, from the list %+d\n",
        cost["by_kernel_alike", 8] - none, cost["by_walk_alike", 8] - none
    }'
