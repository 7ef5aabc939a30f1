#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# kernel_cost_guest.sh HOLDFAST BENCH: in a guest, the calls in four situations, as lines "SITUATION CALL NS".
holdfast=$1 bench=$2
set -- getppid stat open connect fork setns unshare

cat > /tmp/bench.toml <<'END'
version = 1
[profile.box]
namespaces.track = true
namespaces.enter = "lock"
namespaces.visitors = "lock"
log = "none"
END

label() { sed "s/^/$1 /"; }
hold() { "$holdfast" run --backend lsm --policy /tmp/bench.toml --unshare uts,pid --quiet -- "$@"; }

"$bench/kernel_cost" "$@" | label none
"$bench/kernel_cost_empty" run "$bench/kernel_cost" "$@" | label empty
hold "$bench/kernel_cost" "$@" | label member
# shellcheck disable=SC2016  # the inner shell expands it
hold sh -c 'echo ready > /tmp/ready; while [ ! -e /tmp/done ]; do sleep 0.1; done' &
while [ ! -e /tmp/ready ]; do sleep 0.1; done
"$bench/kernel_cost" "$@" | label unrelated
touch /tmp/done
wait
