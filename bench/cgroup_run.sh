#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What cgroup rules add to the files of a supervised run: opens and writes, against a bare notification and against a
# run without such rules.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HOLDFAST_BUILD:-$PWD/build}
exec python3 - "$build" <<'PYTHON'
import statistics, subprocess, sys
build, = sys.argv[1:]
hold = [f"{build}/holdfast", "run", "-q", "--backend", "supervisor"]
protected = hold + ["--policy", "examples/cgroup-run.toml", "--"]
calls, floor = f"{build}/bench/file_calls", f"{build}/bench/notify_floor"
def ns(command):
    return [float(n) for n in subprocess.run(command, check=True, capture_output=True).stdout.split()]
rows = {"open for reading": "read", "open for writing": "write", "write of 1 byte": "short", "write of 4096": "long"}
found = {name: ([], []) for name in rows}
floors = []
for _ in range(7):
    floors.append(ns([floor])[1])
    for name, what in rows.items():
        found[name][0].extend(ns(hold + ["--", calls, what, "5000"]))
        found[name][1].extend(ns(protected + [calls, what, "5000"]))
bare = statistics.median(floors)
print(f"a bare notification: {bare:.0f} ns")
for name, (without, with_rules) in found.items():
    without, with_rules = statistics.median(without), statistics.median(with_rules)
    print(f"{name:<18} {without:8.0f} ns, with cgroup rules {with_rules:8.0f} ns: {with_rules / without:6.2f} x, "
          f"{with_rules / bare:5.2f} x the notification")
PYTHON
