#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# machine_cost_guest.sh HOLDFASTD BENCH: in a guest, the calls without a program, with empty ones, and under holdfastd by a
# task of no profile and by a member of one, as lines "SITUATION CALL NS". "namespaces": a task of no profile, under a policy
# about namespaces alone.
holdfastd=$1 bench=$2
set -- getppid stat open read fork exec move setns unshare

web=/sys/fs/cgroup/web
mkdir -p /tmp/policy $web /sys/fs/cgroup/free
cat > /tmp/policy/web.toml <<'END'
version = 1
[profile.web]
cgroup = "/web"
cgroups.leave = []
cgroups.join = []
namespaces.create = ["net", "uts"]
END

label() { sed "s/^/$1 /"; }

start() { # DIRECTORY
  : > /tmp/said
  "$holdfastd" --transient --policy-dir "$1" > /dev/null 2> /tmp/said &
  daemon=$!
  until grep -q 'is live' /tmp/said; do sleep 0.1; done
}

"$bench/kernel_cost" -c /sys/fs/cgroup/free "$@" | label none
mkdir -p /tmp/namespaces
sed '/cgroups/d' /tmp/policy/web.toml > /tmp/namespaces/web.toml
start /tmp/namespaces
"$bench/kernel_cost" -c /sys/fs/cgroup/free "$@" | label namespaces
kill $daemon
wait $daemon
"$bench/kernel_cost_empty" machine "$bench/kernel_cost" -c /sys/fs/cgroup/free "$@" | label empty
# A member from the start: nobody may join.
(
  echo 0 > $web/cgroup.procs
  while [ ! -e /tmp/go ]; do sleep 0.1; done
  "$bench/kernel_cost" -c $web "$@" > /tmp/member
) &
member=$!
start /tmp/policy
"$bench/kernel_cost" -c /sys/fs/cgroup/free "$@" | label unrelated
touch /tmp/go
wait $member
label member < /tmp/member
kill $daemon
wait $daemon
