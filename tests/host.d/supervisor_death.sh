#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The supervisor is killed at random moments, from before its child exists to the middle of decisions: the
# command dies with it, and what the command had started is refused every namespace call from then on.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
rounds=60
printf 'version = 1\n[profile.box]\nnamespaces.track = true\nnamespaces.enter = "lock"\n' >"$folder/p.toml"
if [ "$(id -u)" -eq 0 ]; then extra='' new=pid; else extra=user, new=user,pid; fi
hold() { exec "$HOLDFAST_BUILD/holdfast" run -q --backend supervisor --policy "$folder/p.toml" "$@"; }

# The command says which process it is, and leaves an orphan behind that tries to make namespaces.
cat >"$folder/work" <<'WORK'
echo $$ >"$1.command"
( (while :; do
    unshare --user true 2>/dev/null && echo made || echo refused
    sleep 0.01
  done >"$1.orphan") &)
while :; do sleep 0.05; done
WORK

# gone COMMAND...: waits up to two seconds for the command to fail.
gone() {
  local waited=0
  while "$@" >/dev/null 2>&1; do
    [ $((waited += 1)) -le $((40 * wait_factor)) ] || return 1
    sleep 0.05
  done
}
# A dead process stays in the table until its parent looks, which here is the first of the machine.
lives() { grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }
# kill_work TAG: every process that a round left
kill_work() { pgrep -f "sh $folder/work $1\$" | while read -r pid; do kill -KILL "$pid"; done 2>/dev/null; }

outlived=0 loose=0 started=0 orphans=0
for round in $(seq $rounds); do
  tag=$folder/r$round
  options=()
  [ $((round % 2)) -eq 0 ] || options=(--unshare "${extra}uts")
  hold "${options[@]}" -- sh "$folder/work" "$tag" 2>/dev/null &
  runner=$!
  # Up to 8 ms covers the start, up to 60 the work.
  sleep "0.$(printf %04d $((RANDOM % (round % 3 ? 80 : 600))))"
  kill -KILL $runner
  wait $runner 2>/dev/null
  if [ -s "$tag.command" ]; then
    started=$((started + 1))
    gone lives "$(cat "$tag.command")" || outlived=$((outlived + 1))
  elif [ ! -e "$tag.orphan" ]; then
    gone pgrep -f "sh $folder/work $tag\$" || outlived=$((outlived + 1))
  fi
  if [ -e "$tag.orphan" ]; then
    orphans=$((orphans + 1))
    sleep 0.02 # what was let through before the death has said so by now
    before=$(wc -l <"$tag.orphan")
    sleep 0.05
    tail -n +$((before + 1)) "$tag.orphan" | grep -q made && loose=$((loose + 1))
  fi
  kill_work "$tag"
done 2>/dev/null
diag "$started of $rounds commands had started, $orphans orphans were left"
is "the command never outlives its supervisor ($rounds rounds)" "$outlived" 0
is "nothing is allowed once the supervisor is dead" "$loose" 0

outlived=0
for round in $(seq 20); do
  tag=$folder/p$round
  hold --unshare "$new" -- sh "$folder/work" "$tag" 2>/dev/null &
  runner=$!
  sleep "0.$(printf %04d $((RANDOM % 600)))"
  kill -KILL $runner
  wait $runner 2>/dev/null
  gone pgrep -f "sh $folder/work $tag\$" || outlived=$((outlived + 1))
done 2>/dev/null
is "in a pid namespace nothing at all outlives it (20 rounds)" "$outlived" 0
# A child that the death caught before it was the command still has holdfast's command line.
gone pgrep -f "$folder/p.toml"
is "nothing is left of any round" "$(pgrep -fc "$folder/p.toml")" 0
tap_end
