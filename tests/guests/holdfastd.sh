# SPDX-License-Identifier: Apache-2.0
#
# Sourced: a holdfastd without a policy, under which `holdfast run --backend lsm` is a session.
# start_holdfastd [OPTION]...; sessions_opened: how many it has held.
start_holdfastd() {
  mkdir -p /tmp/no-policy
  mount | grep -q 'type bpf' || mount -t bpf bpf /sys/fs/bpf
  "$HOLDFAST_BUILD/holdfastd" --policy-dir /tmp/no-policy "$@" >>/tmp/holdfastd.out 2>/tmp/holdfastd.err &
  daemon=$!
  tries=0
  until grep -q 'is live' /tmp/holdfastd.err 2>/dev/null && "$HOLDFAST_BUILD/holdfast" metrics >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt $((600 * ${HOLDFAST_WAIT_FACTOR:-1})) ] || ! kill -0 $daemon 2>/dev/null; then
      echo "Bail out! holdfastd is not up: $(cat /tmp/holdfastd.err)"
      exit 1
    fi
    sleep 0.3
  done
}
metric() { "$HOLDFAST_BUILD/holdfast" metrics | sed -n "s/^$1 //p"; }
sessions_opened() { metric holdfast_sessions_opened_total; }
