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
like "strength: every enforcer and every stated kind" "$out" "*supervisor*lsm run*service*namespaces.create*namespaces.enter*trace*"

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
like "why of an event: by which policy" "$out" "*policy  the run's, as it was"
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
like "replay as JSON" "$out" '{"ids":\[1\],"events":1,"decisions":1,"was":"denied","now":"allowed","event":{*}}'
run_it "$holdfast" replay "$folder/good.toml" --policy "$folder/good.toml"
is "replay of no events: status" "$status" 2
like "replay of no events: where" "$err" "*good.toml: line 1: *not a JSON object*"

run_it "$holdfast" learn "$folder/events" --policy "$folder/good.toml"
is "learn: status" "$status" 0
like "learn: what it needs, and for which event" "$out" '*cgroup = \["/web"\]  # from *"ipc",  # event 1*"user",  # the policy that recorded allows it*enter = "none"*'
like "learn: says that the events are not all" "$err" '*note: profile web was recorded without log = "all"*'
echo "$out" >"$folder/learned.toml"
run_it "$holdfast" replay "$folder/events" --policy "$folder/learned.toml"
like "learn: allows what was seen" "$out" "denied -> allowed*1 of 1 decisions differ"

# An event is explained by the policy that decided it, whatever became of the files.
cat >"$folder/a.toml" <<'POLICY'
version = 1
mode = "audit"
log = "all"
[profile.service]
namespaces.create = ["user", "net"]
POLICY
printf 'version = 1\n[profile.other]\ncgroup = "/other"\ncgroups.leave = ["service"]\n' >"$folder/b.toml"
"$holdfast" run -q --backend supervisor -p "$folder/a.toml" -p "$folder/b.toml" --profile service --events "$folder/two" \
  -- sh -c 'unshare --user true; unshare --ipc true; true' 2>"$folder/err"
refused=$(sed -n 's/^{"version":1,"id":\([0-9]*\),.*"reason":"create".*/\1/p' "$folder/two" | head -1)
allowed=$(sed -n 's/^{"version":1,"id":\([0-9]*\),.*"verdict":"allow".*/\1/p' "$folder/two" | head -1)
is "the policy stands once in the events" "$(grep -c '^{"version":1,"policy":{' "$folder/two")" 1
run_it "$holdfast" why "$refused" --events "$folder/two"
is "why with two files, one naming the other's profile: status" "$status" 0
like "why with two files: the rule" "$out" "*would deny  unshare(ipc)*a.toml:5:1*change*policy  the run's, as it was"
run_it "$holdfast" why "$allowed" --events "$folder/two"
is "why of an event without a rule: status" "$status" 0
like "why of an event without a rule" "$out" "allowed *service*allow*policy  the run's, as it was"
printf 'version = 1\n\n\n[profile.other]\nnamespaces.create = ["mnt"]\n[profile.service]\nnamespaces.enter = "none"\n' >"$folder/a.toml"
run_it "$holdfast" why "$refused" --events "$folder/two"
is "why after an edit: status" "$status" 0
like "why after an edit: the line that decided" "$out" \
  "*would deny*a.toml:5:1 namespaces.create*rule *a.toml:5:1  namespaces.create = *(profile service)*a.toml has changed since"
run_it "$holdfast" why "$refused" --events "$folder/two" -p "$folder/a.toml"
like "why by files that are named: says that they are others" "$err" "*not the policy that decided event $refused*"
like "and tells the event as it was" "$out" "would deny *a.toml:5:1 namespaces.create*"
rm "$folder/a.toml" "$folder/b.toml"
run_it "$holdfast" why "$refused" --events "$folder/two"
is "why without the files: status" "$status" 0
like "why without the files" "$out" "*a.toml:5:1  namespaces.create*a.toml cannot be read now*"
grep -v '"policy":{' "$folder/two" >"$folder/lost"
run_it "$holdfast" why "$refused" --events "$folder/lost"
is "why when the policy is lost: status" "$status" 1
like "why when the policy is lost: what was recorded" "$out" "would deny  unshare(ipc)*a.toml:5:1 namespaces.create = *(event $refused)"
like "why when the policy is lost: says so" "$err" "*the policy that decided it, generation *, is not kept: neither in $folder/lost nor in $folder/generations*"

# holdfastd's log: generations beside it, each with its modes, and the log that was rotated away.
mkdir -p "$folder/state/generations"
cp "$folder/good.toml" "$folder/was.toml"
"$holdfast" run -q --backend supervisor -p "$folder/was.toml" --events "$folder/run" -- sh -c 'unshare --ipc true; true' 2>"$folder/err"
echo '# edited' >>"$folder/was.toml"
as_generation() { grep -v '"policy":{' "$folder/run" | sed "s/\"generation\":[0-9]*/\"generation\":$1/; s/\"id\":1,/\"id\":$2,/"; }
as_generation 7 1 | sed 's/"enforced":true/"enforced":false/' >"$folder/state/events.jsonl.1"
as_generation 8 2 >"$folder/state/events.jsonl"
grep '"policy":{' "$folder/run" |
  sed 's/.*"sources":/{"generation":7,"sources":/; s/"modes":{}}}$/"modes":{"web":"audit"}}/' >"$folder/state/generations/7.json"
run_it "$holdfast" why 1 --events "$folder/state/events.jsonl"
is "why of an event that was rotated away: status" "$status" 0
like "why by a generation, in its mode" "$out" \
  "would deny *only audited*policy  generation 7, as it was; profile web was set to audit; $folder/was.toml has changed since"
run_it "$holdfast" why 2 --events "$folder/state/events.jsonl"
is "why of a generation that was pruned: status" "$status" 1
like "why of a generation that was pruned: says so" "$err" "*generation 8, is not kept: neither in $folder/state/events.jsonl nor in $folder/state/generations*"
sed 's/"generation":7/"generation":8/; s/user/uts/' "$folder/state/generations/7.json" >"$folder/state/generations/8.json"
run_it "$holdfast" why 2 --events "$folder/state/events.jsonl"
like "why never takes another policy of the same number" "$err" "*generation 8, is not kept*"
run_it "$holdfast" replay "$folder/state/events.jsonl" --policy "$folder/looser.toml"
like "replay has what was rotated away, and what decided then" "$out" \
  "would deny -> allowed *event 1   was $folder/was.toml:4:1 namespaces.create = *denied -> allowed *event 2 *2 of 2 decisions differ"
run_it "$holdfast" replay "$folder/state/events.jsonl" --policy "$folder/looser.toml" --format json
like "replay as JSON: what decided then" "$out" '*"was_rule":{"file":"*was.toml","line":4,"column":1,"key":"namespaces.create",*'
tap_end
