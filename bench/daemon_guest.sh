#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# daemon_guest.sh: in a guest with two processors, what holdfastd costs while it runs, as lines for bench/daemon.sh's
# reader. holdfastd, holdfast and daemon_load are in PATH.
cgroups=/sys/fs/cgroup
web=$cgroups/web
seconds=${1:-8}
mkdir -p /policy $web $cgroups/free $cgroups/daemon
mount | grep -q 'type bpf' || mount -t bpf bpf /sys/fs/bpf
i=0
targets=
while [ $i -lt 2000 ]; do
  mkdir $cgroups/t$i
  targets="$targets $cgroups/t$i/cgroup.procs"
  i=$((i + 1))
done
small='version = 1\n[profile.web]\ncgroup = "/web"\ncgroups.leave = []\n'
# shellcheck disable=SC2059
printf "$small" > /policy/web.toml

cpu_ms() { awk '{ printf "%d", $1 / 1000000 }' /proc/$daemon/schedstat; }
rss_kib() { awk '/^VmRSS/ { r = $2 } /^RssAnon/ { a = $2 } END { print r, a }' /proc/$daemon/status; }
# As decided by the programs, and as the log and the count of lost events tell.
denied() { holdfast status | sed -n 's/.* \([0-9]*\) denied,.*/\1/p'; }
lost() { holdfast status | sed -n 's/.* \([0-9]*\) events lost.*/\1/p'; }
told() { cat /var/lib/holdfast/events.jsonl.1 /var/lib/holdfast/events.jsonl 2> /dev/null |
  sed -n 's/.*"repeats":\([0-9]*\).*/\1/p' | awk '{ n += 1 + $1 } END { print n + 0 }'; }
start() {
  holdfastd --no-guard --log-size 1000000000 --policy-dir /policy > /dev/null 2> /said &
  daemon=$!
  until [ -S /run/holdfast/io.holdfast.Control ]; do sleep 0.1; done
}
stop() {
  kill -TERM $daemon
  wait $daemon
  holdfastd --stop-enforcing 2> /dev/null
  rm -rf /var/lib/holdfast
}
load() { sh -c "echo \$\$ > $web/cgroup.procs; exec daemon_load $seconds $*"; }

hammer() { # NAME FILE...
  name=$1
  shift
  start
  # A member from the start, in the background: nobody may leave.
  before=$(cpu_ms)
  said=$(load "$*")
  sleep 3 # what was folded is told
  after=$(cpu_ms)
  echo "$name $said daemon_cpu_ms $((after - before)) denied $(denied) told $(told) lost $(lost)"
  stop
}

# The floor: the same writes with no program, each to the other of two cgroups.
echo "none $(daemon_load "$seconds" $cgroups/free/cgroup.procs $cgroups/t0/cgroup.procs) daemon_cpu_ms 0 denied 0 told 0 lost 0"
start
sleep 2
before=$(cpu_ms)
sleep 10
echo "idle daemon_cpu_ms $(($(cpu_ms) - before)) of_ms 10000 rss_kib,anon $(rss_kib)"
stop
hammer one $cgroups/free/cgroup.procs
# shellcheck disable=SC2086
hammer many $targets

# Swaps.
start
since() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
timed() { # NAME COMMAND...
  name=$1
  shift
  begin=$(since)
  i=0
  while [ $i -lt 5 ]; do
    "$@" > /dev/null || echo "failed: $*"
    i=$((i + 1))
  done
  echo "$name ms $((($(since) - begin) / 5))"
}
timed reload_1 holdfast reload
timed check_1 holdfast check /policy/web.toml
awk 'BEGIN { print "version = 1\n"; for (i = 0; i < 10000; i++)
  printf "%s\"/many/c%d.service\"%s\n", i ? "" : "[profile.many]\ncgroups.leave = []\ncgroup = [\n", i, i < 9999 ? "," : "\n]" }' > /policy/many.toml
timed check_10000 holdfast check /policy/many.toml
sleep 1
timed reload_10000 holdfast reload
echo "rss_10000 rss_kib,anon $(rss_kib)"
rm /policy/many.toml
timed reload_back holdfast reload
echo "rss_back rss_kib,anon $(rss_kib)"
stop
