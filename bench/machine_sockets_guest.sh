#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# machine_sockets_guest.sh HOLDFASTD BENCH: in a guest, calls about sockets without a program, with empty ones, under holdfastd
# without rules about sockets ("idle"), and with them by a task of no profile, by a member and by one of the rule with a
# rate, as lines "SITUATION CALL NS".
holdfastd=$1 bench=$2
set -- connect send pass

mkdir -p /tmp/policy /sys/fs/cgroup/web /sys/fs/cgroup/rate
cat > /tmp/idle.toml <<'END'
version = 1
[profile.web]
cgroup = "/web"
namespaces.create = ["net"]
END
cat > /tmp/rules.toml <<'END'
version = 1
[profile.web]
cgroup = "/web"
log = "none"
[[profile.web.socket]]
on = ["connect", "send"]
label = { "user.varlink" = "client" }
verdict = "deny"
[profile.rate]
cgroup = "/rate"
log = "none"
[[profile.rate.socket]]
on = ["connect", "send"]
rate = "1000000/s burst 1000000"
END

label() { sed "s/^/$1 /"; }
start() { # POLICY
  cp "$1" /tmp/policy/web.toml
  : > /tmp/said
  "$holdfastd" --transient --policy-dir /tmp/policy > /dev/null 2> /tmp/said &
  daemon=$!
  until grep -q 'is live' /tmp/said; do sleep 0.1; done
}
stop() {
  kill $daemon
  wait $daemon
}
# shellcheck disable=SC2016  # the inner shell expands it
inside() { sh -c 'echo 0 > "/sys/fs/cgroup/$1/cgroup.procs" && shift && exec "$@"' sh "$@"; }

ip link set lo up 2> /dev/null
"$bench/kernel_cost" "$@" | label none
"$bench/kernel_cost_empty" sockets "$bench/kernel_cost" "$@" | label empty
start /tmp/idle.toml
"$bench/kernel_cost" "$@" | label idle
stop
start /tmp/rules.toml
"$bench/kernel_cost" "$@" | label unrelated
inside web "$bench/kernel_cost" "$@" | label member
inside rate "$bench/kernel_cost" "$@" | label rate
stop
