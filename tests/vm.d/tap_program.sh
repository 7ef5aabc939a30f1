# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Programs that print TAP themselves, as one result each.

# tap_program NAME COMMAND...: the results of a program that prints TAP, as ours.
tap_program() {
  tap_name=$1
  shift
  tap_output=$("$@" 2>&1)
  tap_status=$?
  echo "$tap_output" | grep -q '^1\.\.[1-9]' || fail "$tap_name: runs to its end" "$tap_output"
  failed=$(echo "$tap_output" | grep -A1 '^not ok')
  if [ -z "$failed" ] && [ $tap_status -eq 0 ]; then
    pass "$tap_name: $(echo "$tap_output" | grep -c '^ok') checks"
    echo "$tap_output" | grep '^# '
  else
    fail "$tap_name" "exit status $tap_status
$(echo "$tap_output" | grep -v '^ok')"
  fi
}
