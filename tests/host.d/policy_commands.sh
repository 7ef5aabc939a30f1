#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `holdfast check` and `holdfast why`: output, exit codes, and where each goes.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
holdfast=$HOLDFAST_BUILD/holdfast
cat >"$folder/good.toml" <<'POLICY'
version = 1
[profile.web]
cgroup = "/web"
namespaces.create = ["user"]
namespaces.enter = "none"
POLICY
sed 's/none/nine/; s/create/craete/' "$folder/good.toml" >"$folder/bad.toml"

# run_it COMMAND...: its output in $out and $err, its exit status in $status
run_it() {
  "$@" >"$folder/out" 2>"$folder/err"
  status=$?
  out=$(cat "$folder/out")
  err=$(cat "$folder/err")
}

run_it "$holdfast" check "$folder/good.toml"
is "a good policy: status" "$status" 0
is "a good policy: nothing on standard error" "$err" ""
is "a good policy: one line for each profile" "$out" "profile web: enforce, 2 restrictions, members: /web"

run_it "$holdfast" check "$folder/bad.toml"
is "a bad policy: status" "$status" 2
is "a bad policy: nothing on standard output" "$out" ""
like "a bad policy: every mistake" "$err" "*bad.toml:4:12: error: unknown key 'craete'*did you mean 'create'?*:5:20: error: *'nine'*"

run_it "$holdfast" check "$folder/good.toml" "$folder/missing.toml"
is "a missing file: status" "$status" 2
like "a missing file: named" "$err" "*missing.toml: No such file or directory*"

run_it "$holdfast" check --strength "$folder/good.toml"
is "strength: status" "$status" 0
like "strength: both backends and every stated kind" "$out" "*lsm*supervisor*namespaces.create*namespaces.enter*trace*"

run_it "$holdfast" why 'profile=web way=unshare type=net' --policy "$folder/good.toml"
is "why: status" "$status" 0
like "why: verdict, place and change" "$out" \
  "*deny (EPERM)*good.toml:4:1  namespaces.create = *change *:4:1  namespaces.create = \\[\"user\", \"net\"\\] *"
run_it "$holdfast" why 'profile=web way=unshare tpye=net' --policy "$folder/good.toml"
is "why, a wrong word: status" "$status" 2
like "why, a wrong word: a hint" "$err" "*unknown key 'tpye'; did you mean 'type'?*"
run_it "$holdfast" why 'profile=web way=unshare type=net'
is "why without a policy: status" "$status" 2

"$holdfast" run --backend supervisor --policy "$folder/good.toml" --events "$folder/events" -- \
  sh -c 'unshare --ipc true; true' 2>"$folder/err"
run_it "$holdfast" why 1 --events "$folder/events"
is "why of an event: status" "$status" 0
like "why of an event: from the file it names" "$out" "*denied  unshare(ipc) by unshare*change *\"ipc\"*"
run_it "$holdfast" why 4711 --events "$folder/events"
is "why of an event that is not there: status" "$status" 2

run_it "$holdfast" replay "$folder/events" --policy "$folder/good.toml"
is "replay under the same policy: status" "$status" 0
is "replay under the same policy: nothing differs" "$out" "0 of 1 decisions differ"
sed 's/\["user"\]/["user", "ipc"]/' "$folder/good.toml" >"$folder/looser.toml"
run_it "$holdfast" replay "$folder/events" --policy "$folder/looser.toml"
is "replay under a looser one: status" "$status" 1
like "replay under a looser one: which, and by what line" "$out" \
  "denied -> allowed  unshare(ipc) by unshare*looser.toml:4:1 *event 1*1 of 1 decisions differ"
run_it "$holdfast" replay "$folder/events" --policy "$folder/looser.toml" --format json
like "replay as JSON" "$out" '{"ids":\[1\],"decisions":1,"was":"denied","now":"allowed","event":{*}}'
run_it "$holdfast" replay "$folder/good.toml" --policy "$folder/good.toml"
is "replay of no events: status" "$status" 2
like "replay of no events: where" "$err" "*good.toml: line 1: *not a JSON object*"

run_it "$holdfast" learn "$folder/events" --policy "$folder/good.toml"
is "learn: status" "$status" 0
like "learn: what it needs, and for which event" "$out" '*cgroup = \["/web"\]  # from *"ipc",  # event 1*enter = "none"*'
echo "$out" >"$folder/learned.toml"
run_it "$holdfast" replay "$folder/events" --policy "$folder/learned.toml"
like "learn: allows what was seen" "$out" "denied -> allowed*1 of 1 decisions differ"
tap_end
