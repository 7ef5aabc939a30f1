#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# daemon_start_guest.sh HOLDFASTD HOLDFAST: in a guest whose time counts instructions of 2 ns, lines "WHAT MILLIONS".
holdfastd=$1 holdfast=$2
mount | grep -q 'type bpf' || mount -t bpf bpf /sys/fs/bpf
mkdir -p /sys/fs/cgroup/web

policy() { # NAME: the rules on standard input
  mkdir -p "/tmp/$1"
  { printf 'version = 1\n'; cat; } > "/tmp/$1/web.toml"
}
policy empty < /dev/null
policy cgroups << 'END'
[profile.web]
cgroup = "/web"
cgroups.leave = []
cgroups.join = []
END
policy namespaces << 'END'
[profile.web]
cgroup = "/web"
namespaces.create = ["net", "uts"]
END
policy lock << 'END'
[profile.web]
cgroup = "/web"
namespaces.track = true
namespaces.enter = "lock"
namespaces.visitors = "lock"
END

now() { cut -d ' ' -f 1 /proc/uptime | tr -d .; } # hundredths of a second: 5 million instructions each

live() { # WHAT OPTION...
  what=$1
  shift
  : > /tmp/said
  before=$(now)
  "$holdfastd" "$@" > /dev/null 2> /tmp/said &
  daemon=$!
  until grep -q 'is live' /tmp/said; do
    kill -0 $daemon || exit 1
    sleep 0.01
  done
  after=$(now)
  printf '%-40s %6d\n' "$what" $(((after - before) * 5))
}
for name in empty cgroups namespaces lock; do
  live "holdfastd --transient, $name" --transient --policy-dir /tmp/$name
  kill $daemon
  wait $daemon
done
for name in empty cgroups; do # the guard lets nobody end it, so it is left
  live "holdfastd with its guard, $name" --policy-dir /tmp/$name --state-dir /tmp/state-$name \
    --socket /tmp/$name.sock --pin-dir /sys/fs/bpf/$name
done
for name in namespaces lock; do
  sed '/cgroup = /d' /tmp/$name/web.toml > /tmp/run.toml
  before=$(now)
  "$holdfast" run --backend lsm --policy /tmp/run.toml --quiet --unshare uts -- true || exit 1
  after=$(now)
  printf '%-40s %6d\n' "run --backend lsm -- true, $name" $(((after - before) * 5))
done
