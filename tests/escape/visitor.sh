# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# visitor.sh HOLDFAST BIN: who is taken for a task of the run, so that the namespace that it sits in is taken for the
# sandbox's? An accomplice outside, as root, tries; a locked task of the run then enters that namespace, or does not.
. tests/tap.sh
holdfast=$1 bin=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'version = 1\n[profile.box]\nnamespaces.track = true\nnamespaces.enter = "lock"\n' > "$folder/lock.toml"

# inside COMMAND...: what the task of the run says
inside() {
  timeout 60 "$@" "$bin/attack_visit" inside "$folder/socket" 2> "$folder/err" > "$folder/out"
}
# attempt WAY UNSHARE: as in attack_visit. What becomes a child of holdfast's process was there before.
attempt() {
  rm -f "$folder/socket" "$folder/events"
  before=$1
  [ "$1" = child ] || [ "$1" = grandchild ] || before=
  [ -n "$before" ] || "$bin/attack_visit" "$1" "$folder/socket" 2>&1 | sed 's/^/# /' &
  # shellcheck disable=SC2016  # the inner shell expands it
  timeout 60 sh -c '[ -z "$1" ] || "$2" "$1" "$3" & shift 3; exec "$@"' sh "$before" "$bin/attack_visit" "$folder/socket" \
    "$holdfast" run --backend supervisor --policy "$folder/lock.toml" --events "$folder/events" --unshare "$2" -- \
    "$bin/attack_visit" inside "$folder/socket" > "$folder/out" 2> "$folder/err"
  is "$1: a locked task does not enter the namespace" "$(cat "$folder/out")" "refused EPERM"
  check "and an event says so" grep -q \
    '"hook":"namespace_install","way":"setns","type":"net","verdict":"deny".*"reason":"locked"' "$folder/events"
  diag "$(cat "$folder/events")"
  wait
}

"$bin/attack_visit" orphan "$folder/socket" 2>&1 | sed 's/^/# /' &
inside unshare -p -f
is "bare: it enters" "$(cat "$folder/out")" entered
wait
attempt outside uts
attempt orphan pid,uts
attempt child uts
attempt grandchild uts
tap_end
