# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Test Anything Protocol for shell tests, here and in guests (POSIX sh, busybox included):
#
#   . tests/tap.sh
#   check "the file is gone" test ! -e /file    # passes when the command succeeds
#   is "exit status" "$status" 1                 # passes when both are equal
#   skip "socket labels" sock_xattr "this kernel has no user xattrs on sockets"
#   tap_end                                      # the plan; without it the job counts as failed

# A script that waits for something counts its tries, and allows this many times more of them than the
# reference machine needs: tests/run says how much slower this machine is.
# shellcheck disable=SC2034  # for those who read this file
wait_factor=${HOLDFAST_WAIT_FACTOR:-1}

# repeats FULL SHORT: how often to repeat what one try might not show. FULL in `make test-full`, else SHORT.
repeats() { if [ -n "${HOLDFAST_FULL:-}" ]; then echo "$1"; else echo "$2"; fi; }

tap_number=0

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() {
  tap_number=$((tap_number + 1))
  echo "ok $tap_number - $1"
}

# fail NAME [EXPLANATION]
fail() {
  tap_number=$((tap_number + 1))
  echo "not ok $tap_number - $1"
  [ $# -lt 2 ] || diag "$2"
}

# check NAME COMMAND...: the command's output is shown when it fails.
check() {
  tap_name=$1
  shift
  if tap_output=$("$@" 2>&1); then
    pass "$tap_name"
  else
    fail "$tap_name" "failed with status $?: $*
$tap_output"
  fi
}

# is NAME GOT WANTED
is() {
  if [ "$2" = "$3" ]; then
    pass "$1"
  else
    fail "$1" "got:    $2
wanted: $3"
  fi
}

# like NAME GOT PATTERN: a shell pattern
like() {
  # shellcheck disable=SC2254  # the pattern is meant as one
  case $2 in
    $3) pass "$1" ;;
    *) fail "$1" "got:         $2
wanted like: $3" ;;
  esac
}

# skip NAME FEATURE WHY: the feature is what tests/expected-skips lists.
skip() {
  tap_number=$((tap_number + 1))
  echo "ok $tap_number - $1 # SKIP $2: $3"
}

# Runs a GoogleTest program and gives each of its tests as one of ours. A skip's message has to be
# "feature: why".
tap_gtest() {
  tap_output=$("$@" --gtest_color=no 2>&1)
  tap_status=$?
  tap_converted=$(printf '%s\n' "$tap_output" | awk -v n="$tap_number" '
    /^\[ RUN      \] / { running = $4; said = ""; next }
    running == "" { next }
    /^\[       OK \] / { print "ok " ++n " - " running; running = ""; next }
    /^\[  FAILED  \] / { print "not ok " ++n " - " running; printf "%s", said; running = ""; next }
    /^\[  SKIPPED \] / { print "ok " ++n " - " running " # SKIP " why; running = ""; next }
    { said = said "# " $0 "\n"; why = $0 }
    END { if (running != "") { print "not ok " ++n " - " running; printf "%s# died here\n", said } }')
  [ -z "$tap_converted" ] || printf '%s\n' "$tap_converted"
  tap_number=$((tap_number + $(printf '%s\n' "$tap_converted" | grep -c 'ok [0-9]')))
  case $tap_status,$tap_converted in
    0,?* | 1,*"not ok"*) ;;
    *) fail "$1 runs to its end" "status $tap_status
$tap_output" ;;
  esac
}

tap_end() { echo "1..$tap_number"; }
