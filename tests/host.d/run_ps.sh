#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `holdfast ps`: who is held by which run, and in which of its sandbox's namespaces each is.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'version = 1\n[profile.box]\nnamespaces.enter = "lock"\n[profile.free]\n' >"$folder/p.toml"
if [ "$(id -u)" -eq 0 ]; then new=pid,net; else new=user,pid,net; fi
types=${new//,/ }

# The command waits for the end of its standard input, so nothing here waits for a time to pass.
mkfifo "$folder/in" "$folder/in2"
"$HOLDFAST_BUILD/holdfast" run -q --backend supervisor --policy "$folder/p.toml" --profile box --unshare "$new" \
  -- sh -c 'echo begun; sh -c "read word; true"; true' <"$folder/in" >"$folder/out" &
run=$!
exec 5>"$folder/in"
tries=0
while [ ! -s "$folder/out" ] && [ $tries -lt $((200 * wait_factor)) ]; do sleep 0.05; tries=$((tries + 1)); done
tries=0
while ! "$HOLDFAST_BUILD/holdfast" ps 2>/dev/null | grep -q '^      [0-9]*  sh' && [ $tries -lt $((100 * wait_factor)) ]; do
  sleep 0.05
  tries=$((tries + 1))
done

shown=$("$HOLDFAST_BUILD/holdfast" ps 2>"$folder/err")
is "ps" $? 0
like "it says that nobody holds the machine" "$(cat "$folder/err")" "*holdfastd does not run*"
of_run=$(echo "$shown" | awk -v head="run $run: box, supervisor" '$0 == head { on = 1; next } /^run/ { on = 0 } on')
like "the run, its profile and backend" "$shown" "*run $run: box, supervisor*"
is "its tree, a level below the one above" "$(echo "$of_run" | sed 's/[0-9][0-9]*/PID/; s/   *locked.*//')" "  PID  holdfast
    PID  sh
      PID  sh"
is "each is in the namespaces of the sandbox" "$(echo "$of_run" | grep -c "  locked in.* ${types/user /}$")" 3

cat >"$folder/look.py" <<'END'
import json, os, sys
run = [r for r in json.load(sys.stdin)["runs"] if r["pid"] == int(sys.argv[1])][0]
assert (run["profile"], run["backend"], run["enter"]) == (sys.argv[2], "supervisor", sys.argv[3]), run
pids = {task["pid"] for task in run["tasks"] if not task["visitor"]}
print(len(pids), sum(task["visitor"] for task in run["tasks"]))
for task in run["tasks"]:
    assert task["visitor"] or task["parent"] in pids | {run["pid"]}, task
    for name, inode in task["namespaces"].items():
        assert os.readlink(f"/proc/{task['pid']}/ns/{name}") == f"{name}:[{inode}]", task
END
look() { "$HOLDFAST_BUILD/holdfast" ps --format json 2>/dev/null | python3 "$folder/look.py" "$@"; }
is "as JSON, with the kernel's numbers" "$(look "$run" box lock)" "3 0"

# A process that comes in from outside is no part of the tree.
member=$(echo "$of_run" | awk 'NR == 2 { print $1 }')
if [ "$(id -u)" -eq 0 ]; then inside=(--net); else inside=(--user --preserve-credentials --net); fi
nsenter --target "$member" "${inside[@]}" sh -c 'echo inside; read word' <"$folder/in2" >"$folder/out2" &
exec 6>"$folder/in2"
tries=0
while [ ! -s "$folder/out2" ] && [ $tries -lt $((200 * wait_factor)) ]; do sleep 0.05; tries=$((tries + 1)); done
is "a visitor is counted" "$(look "$run" box lock)" "3 1"
like "a visitor is shown as one" "$("$HOLDFAST_BUILD/holdfast" ps 2>/dev/null)" "*sh  *visits*net*"
exec 6>&-

# shellcheck disable=SC2016  # the inner shell expands them
"$HOLDFAST_BUILD/holdfast" run -q --backend supervisor --policy "$folder/p.toml" --profile free -- \
  sh -c 'holdfast=$1; shift; "$holdfast" ps --format json 2>/dev/null | python3 "$@"' sh "$HOLDFAST_BUILD/holdfast" \
  "$folder/look.py" "$run" box lock >"$folder/nested"
is "seen from within another run" "$(cut -d' ' -f1 "$folder/nested")" 3

kill -9 "$run"
wait "$run" 2>/dev/null
exec 5>&-
is "a run that was killed is gone" "$("$HOLDFAST_BUILD/holdfast" ps 2>/dev/null | grep -c "^run $run:")" 0
tap_end
