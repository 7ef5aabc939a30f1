#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Socket labels under the supervisor backend: what an emulated set and get cost against a bare notification, what a
# decision adds to connect and send, what it takes to have a unix socket connected by the connect helper, and reads of the store against a map under a lock.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HOLDFAST_BUILD:-$PWD/build}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/p.toml" <<'EOF'
version = 1
[[profile.box.socket]]
on = ["connect", "send"]
label = { "user.varlink" = "client" }
verdict = "deny"
EOF
cat >"$folder/peer.toml" <<'EOF'
version = 1
[[profile.box.socket]]
on = ["connect"]
family = ["unix"]
peer = { "user.varlink" = "nobody" }
verdict = "deny"
EOF

python3 - "$build" "$folder/p.toml" "$folder/peer.toml" <<'PYTHON'
import statistics, subprocess, sys
build, policy, by_peer = sys.argv[1:]
hold = [f"{build}/holdfast", "run", "-q", "--backend", "supervisor"]
calls, floor = f"{build}/bench/label_calls", f"{build}/bench/notify_floor"
def ns(command):
    return [float(n) for n in subprocess.run(command, check=True, capture_output=True).stdout.split()]
rounds = "5000"
rows = {"emulated set": (hold, "set"), "emulated get": (hold, "get"),
        "connect, decided": (hold + ["--policy", policy], "connect"),
        "send, decided": (hold + ["--policy", policy], "send"),
        "path, decided": (hold + ["--policy", policy], "path"),
        "path, by the peer": (hold + ["--policy", by_peer], "path"),
        "connect, no rule": (hold, "connect"), "send, no rule": (hold, "send")}
found = {name: [] for name in rows}
bare = {name: [] for name in rows}
floors = []
for _ in range(7):
    floors.append(ns([floor])[1])
    for name, (run, what) in rows.items():
        bare[name] += ns([calls, what, rounds])
        found[name] += ns(run + ["--", calls, what, rounds])
print(f"a bare notification: {statistics.median(floors):.0f} ns")
for name in rows:
    took, alone = statistics.median(found[name]), statistics.median(bare[name])
    print(f"{name:<20} {took:8.0f} ns   {took / statistics.median(floors):5.2f} x the notification   alone {alone:6.0f} ns")
PYTHON
echo
exec "$build/bench/label_store"
