#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# guest.sh [NAME PATH TIMEOUT_S NEEDS]...: runs tests one after the other inside a guest, each
# between two marked lines from which tests/run tells whose output it reads.
#
# NEEDS names what the kernel or the guest must have, or else the test is skipped, for that feature:
#   symbol:NAME   a kernel symbol         lsm:NAME       an active security module
#   path:PATH     a file                  command:NAME   a command

has() {
  case $1 in
    symbol:*) grep -qE "[ 	]${1#*:}([ 	]|\$)" /proc/kallsyms ;;
    lsm:*) tr , '\n' < /sys/kernel/security/lsm | grep -qx "${1#*:}" ;;
    path:*) [ -e "${1#*:}" ] ;;
    command:*) command -v "${1#*:}" > /dev/null ;;
    *) echo "Bail out! unknown need '$1'"; return 0 ;;
  esac
}

run() {
  for need in $3; do
    if ! has "$need"; then
      echo "1..0 # SKIP $(echo "$need" | tr : _): not in this guest"
      return 0
    fi
  done
  if [ -x "$1" ]; then
    timeout -s KILL "$2" "$1" 2>&1
  else
    timeout -s KILL "$2" sh "$1" 2>&1
  fi
}

while [ $# -ge 4 ]; do
  echo "#=# begin $1"
  run "$2" "$3" "$4"
  echo "#=# end $?"
  shift 4
done
