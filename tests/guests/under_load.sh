# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# under_load KILLS POLICY CGROUP: while two attackers move nginx's worker to CGROUP, and a third tries to end holdfastd,
# the package is upgraded, then holdfastd is frozen, starved and killed by process 1 KILLS times, each time after ten
# swaps of POLICY. Needs tests/tap.sh, worker() and fetch().

attacker() {
  through=0 tried=0
  while [ ! -e /root/enough ]; do
    tried=$((tried + 1))
    pid=$(worker)
    if [ -n "$pid" ] && echo "$pid" 2> /dev/null > "$elsewhere/cgroup.procs"; then through=$((through + 1)); fi
  done
  echo "$tried $through" >> /root/attacks
}
# Root, but not process 1. What is not refused counts while holdfastd lives on: process 1 may have killed it between the
# look and the attempt, which then is about no holdfastd any more. Whether another process killed it, the number of
# restarts says.
lives() { [ "$(cat "/proc/$1/comm" 2> /dev/null)" = holdfastd ] && ! grep -q '^State:.[ZX]' "/proc/$1/status"; }
ender() {
  ended=0 service=/sys/fs/cgroup/system.slice/holdfastd.service
  while [ ! -e /root/enough ]; do
    pid=$(systemctl show -P MainPID holdfastd)
    # Between an exec of systemd's and the one of holdfastd, the process is not holdfastd's yet.
    if [ "$pid" != 0 ] && lives "$pid"; then
      for attempt in "echo 1 > $service/cgroup.freeze" "echo 1 > $service/cgroup.kill" "echo $pid > $elsewhere/cgroup.procs" \
        "kill -9 $pid"; do
        if lives "$pid" && sh -c "$attempt" 2> /dev/null && lives "$pid"; then ended=$((ended + 1)); fi
      done
      # A freeze that came when there was no holdfastd would keep the next one from starting.
      sh -c "echo 0 > $service/cgroup.freeze" 2> /dev/null
    fi
    sleep 0.2
  done
  echo $ended > /root/ended
}
# For a moment; attackers go on. What was done is undone also where the service manager was too busy to say that it was.
again() { tries=0; until "$@" || [ $((tries += 1)) -gt $((20 * ${wait_factor:-1})) ]; do sleep 0.5; done; }
starve() {
  systemctl freeze holdfastd
  frozen=$?
  sleep 0.2
  again systemctl thaw holdfastd
  systemctl set-property --runtime holdfastd MemoryHigh=1 CPUQuota=1%
  limited=$?
  sleep 0.2
  again systemctl set-property --runtime holdfastd MemoryHigh=infinity CPUQuota=
  [ $frozen = 0 ] && [ $limited = 0 ]
}
under_load() {
  kills=$1 swapped=$2 elsewhere=$3
  attacker & attacker & ender &
  check "the package is upgraded" dpkg --force-confold -i /root/holdfast.deb
  is "the daemon runs" "$(systemctl is-active holdfastd)" active
  killed=0 swaps=0 starved=0 before=$(systemctl show -P NRestarts holdfastd)
  while [ $killed -lt "$kills" ]; do
    pid=$(systemctl show -P MainPID holdfastd)
    for swap in 1 2 3 4 5 6 7 8 9 10; do
      sed -i "s/^# swap.*//; \$a# swap $killed $swap" "$swapped"
      holdfast reload > /dev/null 2>&1 && swaps=$((swaps + 1))
    done
    starve && starved=$((starved + 1))
    systemctl kill --signal=KILL holdfastd && killed=$((killed + 1))
    tries=0
    until new=$(systemctl show -P MainPID holdfastd) && [ "$new" != 0 ] && [ "$new" != "$pid" ] && holdfast status > /dev/null 2>&1 ||
      [ $((tries += 1)) -gt $((300 * ${wait_factor:-1})) ]; do sleep 0.1; done
  done
  touch /root/enough
  sleep 2
  is "it was frozen and starved by process 1" $starved "$killed"
  is "and frozen, signalled or moved by nobody else" "$(cat /root/ended)" 0
  is "nor killed" "$(($(systemctl show -P NRestarts holdfastd) - before))" "$killed"
  is "attackers: none through" "$(awk '{ n += $2 } END { print n + 0 }' /root/attacks)" 0
  check "after attempts, $(awk '{ n += $1 } END { print n }' /root/attacks), $killed kills, $swaps swaps" \
    test "$(awk '{ n += $1 } END { print n }' /root/attacks)" -gt 20
  check "policies were swapped" test $swaps -ge $((kills * 8))
  status=$(holdfast status)
  diag "$status"
  like "no decision is unaccounted" "$status" "*, 0 errors, 0 events lost*"
  is "nginx serves" "$(fetch)" 200
}
