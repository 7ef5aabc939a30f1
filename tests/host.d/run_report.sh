#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What `holdfast run` reports: each refusal with its place, repeated ones folded and none lost.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/p.toml" <<'POLICY'
version = 1

[profile.box]
namespaces.create = ["user"]
namespaces.track = true
namespaces.visitors = "deny"
POLICY
hold() { "$HOLDFAST_BUILD/holdfast" run --backend supervisor --policy "$folder/p.toml" "$@"; }

hold --events "$folder/events" -- sh -c 'unshare --ipc true; exit 0' 2>"$folder/err"
err=$(cat "$folder/err")
like "a refusal names operation, place and rule" "$err" \
  "*denied  unshare(ipc) by unshare*:4:1 namespaces.create = *(event 1)*"
like "the summary counts" "$err" "*1 decision: 1 refused*:4:1*1 refused*"
like "a rule that cannot be enforced is named" "$err" "*namespaces.visitors*none: *"
like "the policy first in the file" "$(head -1 "$folder/events")" '{"version":1,"policy":{"digest":"*","sources":\[{"name":"*","text":"version = 1*'
is "then one event" "$(tail -n +2 "$folder/events" | wc -l)" 1
like "with its facts" "$(cat "$folder/events")" '{*"hook":"namespace_alloc"*"reason":"create"*}'

hold --events "$folder/events" -- sh -c 'for i in $(seq 200); do unshare --ipc true; done; true' \
  2>"$folder/err"
shown=$(grep -c '^holdfast: denied' "$folder/err")
check "200 refusals are folded: $shown lines" test "$shown" -lt 20
like "and all are counted" "$(cat "$folder/err")" "*200 decisions: 200 refused*"
is "and all are in the file" "$(tail -n +2 "$folder/events" | wc -l)" 200
folded=$(grep -o '[0-9]* more like it' "$folder/err" | awk '{ n += $1 } END { print n + 0 }')
is "the lines account for each" $((shown + folded)) 200

out=$(hold --mode audit -- sh -c 'unshare --user true && unshare --user --ipc true && echo made' 2>"$folder/err")
is "audit lets it through" "$out" made
like "and says what it would do" "$(cat "$folder/err")" "*would deny  unshare(ipc,user)*1 would be refused*"
hold --format json -- sh -c 'unshare --ipc true; true' 2>"$folder/err"
like "JSON on request" "$(grep '^{' "$folder/err")" '{*"verdict":"deny"*}'
tap_end
