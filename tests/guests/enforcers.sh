# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests that try the ways of tests/escape/enforcers.txt. The one who is attacked is in $enforcers_cgroup. Needs
# tests/tap.sh, and a guest whose process 1 takes orders (tools/vm.d/vmexit.c).
enforcers_cgroup=/sys/fs/cgroup/enforcers
enforcers_rows=$PWD/tests/escape/enforcers.txt
attack=$HOLDFAST_BUILD/tests/bin/attack_enforcer
export HF_CGROUP=$enforcers_cgroup HF_OTHER_CGROUP=/sys/fs/cgroup/elsewhere HF_CGROUP1=/v1/elsewhere HF_OLD_FD=9

# What only process 1 may do.
order() { echo "$*" > /run/init; }

# The cgroups, with the controllers that there are, and a descriptor from before.
prepare_enforcers() {
  tr ' ' '\n' < /sys/fs/cgroup/cgroup.controllers | while read -r controller; do
    echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
  done
  mkdir -p $enforcers_cgroup $HF_OTHER_CGROUP /v1
  mount -t cgroup -o freezer freezer /v1
  mkdir -p $HF_CGROUP1
  exec 9> $enforcers_cgroup/cgroup.freeze
}
forget_enforcers() {
  exec 9>&-
  echo > /sys/kernel/tracing/uprobe_events
  rmdir $HF_CGROUP1 $enforcers_cgroup $HF_OTHER_CGROUP
  umount /v1
}

# Ways that this kernel cannot do since it was built without the option, into /absent. Only a kernel of tools/kernel-7.4 says
# how it was built, so on every other each way counts.
find_absent_rows() {
  : > /absent
  [ -e /proc/config.gz ] || return 0
  zcat /proc/config.gz > /config
  while read -r option rows; do
    grep -qx "$option=y" /config || echo "$rows" | tr ' ' '\n' >> /absent
  done << 'END'
CONFIG_DNOTIFY dnotify
CONFIG_NUMA migrate move-pages
CONFIG_CFS_BANDWIDTH cpu-max
CONFIG_BLK_DEV_THROTTLING io-max
END
  diag "not in this kernel: $(tr '\n' ' ' < /absent)"
}
is_absent() { grep -qx "$1" /absent; }

# attack_rows PID > FILE: a line for each way
attack_rows() {
  grep -v '^#' "$enforcers_rows" | while read -r row rest; do
    [ -z "$row" ] || "$attack" "$1" "$row"
  done
}

# Each way works on a process that nobody protects, or fails for the kernel's own reasons.
try_unprotected() {
  find_absent_rows
  sh -c "echo \$\$ > $enforcers_cgroup/cgroup.procs; exec sleep 1000" & unprotected=$!
  until grep -q enforcers /proc/$unprotected/cgroup; do sleep 0.1; done
  attack_rows $unprotected > /bare
  echo 1 > /proc/sys/kernel/cad_pid
  echo > /sys/kernel/tracing/uprobe_events
  echo $unprotected > /v1/cgroup.procs 2> /dev/null # frozen or killed
  echo THAWED > $HF_CGROUP1/freezer.state
  sh -c "echo \$\$ > $enforcers_cgroup/cgroup.procs; exec sleep 1000" & killed=$!
  until grep -q enforcers /proc/$killed/cgroup; do sleep 0.1; done
  "$attack" $killed cgroup-kill > /dev/null
  wait $killed
  is "nobody protects: cgroup.kill kills" $? 137
  for row in sigio thread-sigio; do
    sleep 1000 & killed=$!
    HF_SIGNAL=9 "$attack" $killed $row > /dev/null
    wait $killed
    is "nobody protects: $row kills" $? 137
  done
  kill -9 $unprotected
  compare_rows "nobody protects" /bare 2
}

# compare_rows WHAT FILE COLUMN: what the ways said, with that column of the table. After try_unprotected().
compare_rows() {
  grep -v '^#' "$enforcers_rows" | while read -r row bare daemon word; do
    [ -n "$row" ] || continue
    ! is_absent "$row" || continue
    case $3 in 2) wanted=$bare ;; *) wanted=$daemon ;; esac
    said=$(awk -v row="$row" '$1 == row { print $2 }' "$2")
    [ "$said" = "$wanted" ] || echo "$row: said $said, wanted $wanted"
  done > /differs
  is "$1: $(grep -c . "$2") ways, as the table says" "$(cat /differs)" ""
}

# compare_events WHAT FILE EVENTS: and the event that each made
compare_events() {
  grep -v '^#' "$enforcers_rows" | while read -r row bare daemon wanted; do
    [ -n "$row" ] || continue
    ! is_absent "$row" || continue
    pid=$(awk -v row="$row" '$1 == row { print $3 }' "$2")
    said=$(grep -F '"guard":' "$3" | grep -F "\"pid\":$pid," | sed 's/.*"guard":"\([^"]*\)".*/\1/' | sort -u | tr '\n' ' ')
    [ "${said:-- }" = "$wanted " ] || echo "$row: event $said, wanted $wanted"
  done > /differs
  is "$1: an event for each that was refused" "$(cat /differs)" ""
}
