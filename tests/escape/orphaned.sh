#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# orphaned.sh HOLDFAST BACKEND BIN ROUNDS [OPTION of attack_outside]: the supervisor is killed while the workload
# is at its calls. Nobody arrives outside, neither then nor after, and no second listener helps.
. tests/tap.sh
holdfast=$1 backend=$2 bin=$3 rounds=$4
shift 4
work=$(mktemp -d /tmp/orphaned.XXXXXX)
trap 'rm -rf "$work"' EXIT
cat > "$work/lock.toml" <<'END'
version = 1
[profile.box]
namespaces.track = true
namespaces.enter = "lock"
END

: > "$work/bare"
"$bin/attack_outside" "$@" --unshare uts -- "$bin/attack_orphaned" attack "$work/bare" 3 > /dev/null 2>&1
is "where nobody enforces, the attack works" "$("$bin/attack_orphaned" judge "$work/bare")" escaped

round=0 repeats=0
while [ $round -lt "$rounds" ]; do
  round=$((round + 1))
  : > "$work/mark"
  : > "$work/events"
  "$bin/attack_outside" "$@" -- "$holdfast" run --backend "$backend" -p "$work/lock.toml" --unshare uts --quiet \
    --events "$work/events" -- "$bin/attack_orphaned" attack "$work/mark" 4 > "$work/out" 2>&1
  # On a busy machine death may come before the first call: that round shows nothing, so again.
  if [ ! -s "$work/events" ] && [ $repeats -lt 10 ]; then
    round=$((round - 1)) repeats=$((repeats + 1))
    continue
  fi
  verdict=$("$bin/attack_orphaned" judge "$work/mark")
  like "killed supervisor, round $round" "$verdict" "refused*"
  case $verdict in refused*) ;; *) diag "$(cat "$work/out" "$work/mark")" ;; esac
  diag "$verdict"
  if grep -q '"reason":"locked"' "$work/events"; then
    pass "the calls before the death were refused by the policy, round $round"
  else
    fail "the calls before the death were refused by the policy, round $round" "$(head -c 600 "$work/events" "$work/out")"
  fi
done
tap_end
