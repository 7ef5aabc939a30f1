# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# race.sh BACKEND ATTEMPTS: four tasks on one processor against the policy, the counts as diagnostics.
. tests/tap.sh
bin=$HOLDFAST_BUILD/tests/bin
cat > /tmp/lock.toml <<'END'
version = 1
[profile.box]
namespaces.track = true
namespaces.enter = "lock"
log = "none"
END
diag "preemption: $(cat /sys/kernel/debug/sched/preempt 2> /dev/null || grep -o 'preempt=[a-z]*' /proc/cmdline || echo default)"
is "where nobody enforces, they get through" \
  "$("$bin/attack_outside" --unshare uts -- "$bin/attack_race" 4 20000 uts 2> /dev/null)" escaped
for type in uts net; do
  got=$("$bin/attack_outside" -- "$HOLDFAST_BUILD/holdfast" run --backend "$1" -p /tmp/lock.toml --unshare uts,net \
    --quiet -- "$bin/attack_race" 4 "$2" $type 2> /tmp/counts)
  is "four tasks against $type: 0 of $2 through, 0 false denials" "$got" "refused EPERM"
  diag "$(grep '^# ' /tmp/counts | cut -c3-)"
  case $got in refused*) ;; *) diag "$(cat /tmp/counts)" ;; esac
done
tap_end
