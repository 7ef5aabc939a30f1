#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What it costs to start a command held, against fork and exec alone and against tools that make the same
# namespaces, alternating in one run; then a notified call against a bare notification. What other load there is shows in
# the medians, hardly in the least.
set -euo pipefail
cd "$(dirname "$0")/.."
holdfast=${HOLDFAST_BUILD:-$PWD/build}/holdfast
floor=${HOLDFAST_BUILD:-$PWD/build}/bench/notify_floor
policy=examples/lock-on-entry.toml
rounds=${ROUNDS:-50}

python3 - "$holdfast" "$floor" "$policy" "$rounds" <<'PYTHON'
import os, statistics, subprocess, sys, time
holdfast, floor, policy, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
hold = [holdfast, "run", "-q", "--backend", "supervisor", "--policy", policy]
true = "/bin/true"
ways = {
    "fork+exec": [true],
    "holdfast run": hold + ["--", true],
    "holdfast run, 5 namespaces": hold + ["--unshare", "mnt,uts,ipc,pid,cgroup", "--", true],
    "unshare, 5 namespaces": ["unshare", "-m", "-u", "-i", "-p", "-C", "-f", "--mount-proc", true],
    "bwrap, 5 namespaces": ["bwrap", "--unshare-uts", "--unshare-ipc", "--unshare-pid", "--unshare-cgroup",
                            "--bind", "/", "/", "--proc", "/proc", true],
}
times = {name: [] for name in ways}
for _ in range(rounds):
    for name, command in ways.items():
        begin = time.monotonic_ns()
        # vfork and exec: the floor is not the size of this interpreter
        pid = os.posix_spawnp(command[0], command, os.environ)
        _, status = os.waitpid(pid, 0)
        times[name].append(time.monotonic_ns() - begin)
        if status != 0:
            sys.exit(f"{name}: status {status}")
floors = [function(times["fork+exec"]) for function in (statistics.median, min)]
print(f"{'':<28} {'median':>19} {'least':>19}")
for name, found in times.items():
    figures = [f"{took / 1e6:9.2f} ms {took / floor:5.1f} x"
               for took, floor in zip((statistics.median(found), min(found)), floors)]
    print(f"{name:<28}", *figures)

def run(command):
    return [float(n) for n in subprocess.run(command, check=True, capture_output=True).stdout.split()]
found = [(*run([floor]), *run(hold + ["--", floor, "call"])) for _ in range(5)]
bare, notified, held = (statistics.median(column) for column in zip(*found))
print(f"unshare(0) bare {bare:.0f} ns, notified {notified:.0f} ns, under holdfast {held:.0f} ns: "
      f"{held / notified:.2f} x the notification")
PYTHON
