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
is "one line for one refusal, and one for a rule that cannot be enforced" "$(grep -c '^holdfast: ' "$folder/err")" 2
like "which is named" "$(tail -n1 "$folder/err")" "holdfast: supervisor does not enforce namespaces.visitors here*"
hold -v --events "$folder/events" -- sh -c 'unshare --ipc true; exit 0' 2>"$folder/err"
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
like "200 refusals are counted in one line" "$(tail -n2 "$folder/err")" "holdfast: 200 refused (-v shows more)*"
hold -v --events "$folder/events" -- sh -c 'for i in $(seq 200); do unshare --ipc true; done; true' \
  2>"$folder/err"
shown=$(grep -c '^holdfast: denied' "$folder/err")
check "200 refusals are folded: $shown lines" test "$shown" -lt 20
like "and all are counted" "$(cat "$folder/err")" "*200 decisions: 200 refused*"
is "and all are in the file" "$(tail -n +2 "$folder/events" | wc -l)" 200
folded=$(grep -o '[0-9]* more like it' "$folder/err" | awk '{ n += $1 } END { print n + 0 }')
is "the lines account for each" $((shown + folded)) 200

# A process for each, and no two with one name: the file grows to a bound, and its last line says how many more there were.
hold -q --events "$folder/events" -- python3 -c '
import ctypes, os
libc = ctypes.CDLL(None)
for i in range(3000):
    if os.fork() == 0:
        libc.prctl(15, b"noise%d" % i)
        os._exit(0 if libc.unshare(0x08000000) else 1)
    os.wait()
' 2>/dev/null
lines=$(wc -l <"$folder/events")
check "a flood of refusals is cut off: $lines lines" test "$lines" -le 1026
like "by one that counts the others" "$(tail -1 "$folder/events")" '{*"repeats":1975,"repeats_differ":true*}'
is "and accounts for each" \
  "$(sed -n 's/.*"repeats":\([0-9]*\).*/\1/p' "$folder/events" | awk '{ n += 1 + $1 } END { print n }')" 3000
like "replay says what it cannot decide again" \
  "$("$HOLDFAST_BUILD/holdfast" replay "$folder/events" --policy "$folder/p.toml")" "0 of 1025 decisions differ
1975 more are in the events as a number alone*"

out=$(hold -v --mode audit -- sh -c 'unshare --user true && unshare --user --ipc true && echo made' 2>"$folder/err")
is "audit lets it through" "$out" made
like "and says what it would do" "$(cat "$folder/err")" "*would deny  unshare(ipc,user)*1 would be refused*"
hold --format json -- sh -c 'unshare --ipc true; true' 2>"$folder/err"
like "JSON on request" "$(grep '^{' "$folder/err")" '{*"verdict":"deny"*}'
# What has no event is counted all the same.
silent=$("$HOLDFAST_BUILD/holdfast" run --backend supervisor -- python3 -c '
import ctypes
libc = ctypes.CDLL(None)
for _ in range(3): libc.syscall(425, 8, 0)         # io_uring_setup()
libc.syscall(317, 1, 8, ctypes.create_string_buffer(16))  # seccomp() for a listener
libc.syscall(317, 1, 8, None)                       # a question whether there are any
' 2>&1)
is "calls that are not there" "$silent" "holdfast: io_uring was asked for 3 times and is not there; a seccomp listener was asked \
for once, and there can be no second one (-v shows more)"
tap_end
