#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# socket_cost_guest.sh HOLDFAST BENCH: in a guest, calls about sockets without a program, with empty ones, beside a run with a
# rule by label, by a member of it, and by a member of one with a rule by the peer's label, as lines "SITUATION CALL NS".
holdfast=$1 bench=$2
set -- connect send pass

cat > /tmp/own.toml <<'END'
version = 1
[profile.box]
log = "none"
[[profile.box.socket]]
on = ["connect", "send"]
label = { "user.varlink" = "client" }
verdict = "deny"
END
sed 's/^label/peer/' /tmp/own.toml > /tmp/peer.toml

label() { sed "s/^/$1 /"; }
hold() { policy=$1; shift; "$holdfast" run --backend lsm --policy "$policy" --quiet -- "$@"; }

ip link set lo up 2> /dev/null
"$bench/kernel_cost" "$@" | label none
"$bench/kernel_cost_empty" sockets "$bench/kernel_cost" "$@" | label empty
hold /tmp/own.toml "$bench/kernel_cost" "$@" | label member
hold /tmp/peer.toml "$bench/kernel_cost" "$@" | label peer
# shellcheck disable=SC2016  # the inner shell expands it
hold /tmp/own.toml sh -c 'echo ready > /tmp/ready; while [ ! -e /tmp/done ]; do sleep 0.1; done' &
while [ ! -e /tmp/ready ]; do sleep 0.1; done
"$bench/kernel_cost" "$@" | label unrelated
touch /tmp/done
wait
