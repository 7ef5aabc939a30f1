#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `holdfast run` is a good parent: exit status, signals, descriptors, arguments, and what it says when
# something is wrong.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'version = 1\n[profile.box]\nnamespaces.enter = "none"\n' >"$folder/p.toml"
if [ "$(id -u)" -eq 0 ]; then new=pid; else new=user,pid; fi

hold() { "$HOLDFAST_BUILD/holdfast" run --backend supervisor --policy "$folder/p.toml" "$@"; }
# status NAME WANTED ARGUMENT...: the exit status of a quiet run
status() {
  local name=$1 wanted=$2
  shift 2
  hold -q "$@" >"$folder/out" 2>"$folder/err" </dev/null
  is "$name" "$?" "$wanted"
}

for where in here "in a pid namespace"; do
  options=()
  [ "$where" = here ] || options=(--unshare "$new")
  status "exit status 0, $where" 0 "${options[@]}" -- true
  status "exit status 7, $where" 7 "${options[@]}" -- sh -c 'exit 7'
  status "killed by TERM, $where" 143 "${options[@]}" -- sh -c 'kill -TERM $$'
  status "killed by KILL, $where" 137 "${options[@]}" -- sh -c 'kill -KILL $$'
  status "no such command, $where" 127 "${options[@]}" -- /nonexistent/command
  like "and says so" "$(cat "$folder/err")" "holdfast: /nonexistent/command: No such file*"
  status "no such command on PATH, $where" 127 "${options[@]}" -- nonexistent-command
  status "a command that is a directory, $where" 126 "${options[@]}" -- /usr
done

printf 'echo a script without an interpreter line: $1\n' >"$folder/script"
chmod +x "$folder/script"
is "a script without #!" "$(hold -q -- "$folder/script" it 2>&1)" "a script without an interpreter line: it"
printf 'x' >"$folder/plain"
status "a file that is not executable" 126 -- "$folder/plain"

status "a policy that is missing" 2 --policy "$folder/missing.toml" -- true
printf 'version = 1\n[profile.box]\nnamespaces.entr = "none"\n' >"$folder/bad.toml"
"$HOLDFAST_BUILD/holdfast" run --policy "$folder/bad.toml" -- touch "$folder/ran" 2>"$folder/err"
is "a policy with a mistake" "$?" 2
like "its place is named" "$(cat "$folder/err")" "*bad.toml:3:12: error:*"
check "and nothing ran" test ! -e "$folder/ran"
status "a profile that is missing" 2 --profile nobody -- true
status "a namespace type that does not exist" 2 --unshare disk -- true
status "an events file that cannot be written" 1 --events /nonexistent/events -- true

is "standard input arrives" "$(echo word | hold -q -- cat 2>&1)" word
is "closed standard input stays closed" \
  "$(hold -q -- sh -c 'test -e /proc/self/fd/0 && echo open || echo closed' <&- 2>&1)" closed
hold -q -- sh -c 'exit 5' <&- >&- 2>&-
is "all three closed" "$?" 5
# shellcheck disable=SC2016  # the inner shell expands it
is "a descriptor is inherited" "$(hold -q -- sh -c 'cat <&7' 7< <(echo seven))" seven
is "none of holdfast's own is" "$(hold -q -- sh -c 'ls /proc/self/fd | sort -n | tr "\n" " "' </dev/null 2>&1)" \
  "$(sh -c 'ls /proc/self/fd | sort -n | tr "\n" " "' </dev/null 2>&1)"
# shellcheck disable=SC2046
is "2000 arguments" "$(hold -q -- sh -c 'echo $#' sh $(seq 2000) 2>&1)" 2000
is "an argument of 100000 bytes" \
  "$(hold -q -- sh -c 'printf %s "$1" | wc -c' sh "$(head -c 100000 /dev/zero | tr '\0' x)" 2>&1)" 100000
is "the signal mask is as it was" "$(hold -q -- grep SigBlk /proc/self/status)" "$(grep SigBlk /proc/self/status)"

# A signal sent to holdfast reaches the command.
forwarded() {
  : > "$folder/out" # or the last command's word would count
  "$HOLDFAST_BUILD/holdfast" run -q --backend supervisor "$@" -- sh -c 'trap "echo got; exit 3" USR1; echo ready; while :; do sleep 0.05; done' \
    >"$folder/out" 2>/dev/null &
  local runner=$! waited=0
  until grep -q ready "$folder/out" || [ $((waited += 1)) -gt $((100 * wait_factor)) ]; do sleep 0.05; done
  kill -USR1 $runner
  wait $runner
}
forwarded
is "a signal is passed on" "$?$(tail -n1 "$folder/out")" 3got
forwarded --unshare "$new"
is "a signal is passed on through an init" "$?$(tail -n1 "$folder/out")" 3got

# The shell outside reads on from the terminal when the command has ended.
typist=$HOLDFAST_BUILD/tests/bin/attack_terminal
is "the command types into no terminal" \
  "$("$typist" shell "$HOLDFAST_BUILD/holdfast" run --backend supervisor -q --events "$folder/events" \
    --policy "$folder/p.toml" -- "$typist" typed 2>/dev/null)" "refused EPERM"
check "which is an event" grep -q '"guard":"terminal"' "$folder/events"
"$typist" shell "$HOLDFAST_BUILD/holdfast" run -v --backend supervisor --policy "$folder/p.toml" -- "$typist" typed \
  2>"$folder/err" >/dev/null
check "and in the summary" grep -q 'guard: 1 attempt refused that no policy allows' "$folder/err"

# Its own processor time, in ticks of 10 ms, after a second with nothing to decide.
# shellcheck disable=SC2016  # the inner shell expands it
ticks=$(hold -q -- sh -c 'sleep 1; cut -d" " -f14,15 /proc/$PPID/stat')
check "holdfast waits, it does not spin (${ticks/ / + } ticks)" [ $((${ticks/ /+})) -lt 20 ]

is "nothing is printed when nothing was refused" "$(hold -- true 2>&1)" ""
hold -v -- true 2>"$folder/err"
like "the summary names the backend" "$(cat "$folder/err")" "holdfast supervisor: 0 decisions*"
like "and the strength of each rule" "$(cat "$folder/err")" "*namespaces.enter*enforced*"
is "nothing when quiet" "$(hold -q -- true 2>&1)" ""
painted() { grep -q "$(printf '\033')" && echo painted || echo plain; }
is "no colours in a file" "$(hold -v -- true 2>&1 | painted)" plain
is "colours on request" "$(hold -v --color always -- true 2>&1 | painted)" painted
on_terminal() { script -qec "env $1 $HOLDFAST_BUILD/holdfast run --backend supervisor -v $2 -- true" /dev/null | painted; }
is "on a terminal" "$(on_terminal TERM=xterm "")" painted
is "not with NO_COLOR" "$(on_terminal "TERM=xterm NO_COLOR=1" "")" plain
is "not on a dumb terminal" "$(on_terminal TERM=dumb "")" plain
is "nor with --color never" "$(on_terminal TERM=xterm "--color never")" plain
tap_end
