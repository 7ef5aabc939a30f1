#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# session_start_guest.sh HOLDFASTD HOLDFAST: in a guest whose time counts instructions of 2 ns, lines "WHAT MILLIONS".
holdfastd=$1 holdfast=$2
mount | grep -q 'type bpf' || mount -t bpf bpf /sys/fs/bpf
mkdir -p /tmp/none
cat > /tmp/box.toml << 'END'
version = 1
[profile.box]
namespaces.create = ["uts"]
namespaces.enter = "lock"
namespaces.track = true
END
now() { cut -d ' ' -f 1 /proc/uptime | tr -d .; } # hundredths of a second: 5 million instructions each

runs() { # WHAT HOW_MANY OPTION...
  what=$1 many=$2
  shift 2
  "$holdfast" run -q "$@" --policy /tmp/box.toml -- true || exit 1 # what only the first one pays
  before=$(now)
  i=0
  while [ $i -lt "$many" ]; do
    "$holdfast" run -q "$@" --policy /tmp/box.toml -- true
    i=$((i + 1))
  done
  took=$((($(now) - before) * 5))
  echo "$what $((took / many)).$((took * 10 / many % 10))"
}
runs "supervisor" 40 --backend supervisor
"$holdfastd" --policy-dir /tmp/none > /dev/null 2> /tmp/said &
until grep -q 'is live' /tmp/said && "$holdfast" metrics > /dev/null 2>&1; do sleep 0.05; done
runs "lsm, session of holdfastd" 40 --backend lsm
