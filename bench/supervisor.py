#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""supervisor.py BUILD ROUNDS [REGEX]: the measurements of supervisor.sh, or those whose row matches."""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

BUILD, ROUNDS = sys.argv[1], int(sys.argv[2])
WANTED = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
CALLS = f"{BUILD}/bench/supervised_calls"

POLICIES = {
    "create": 'namespaces.create = ["user"]\nlog = "none"\n',
    "namespaces": """namespaces.create = ["user","mnt","pid","net","ipc","uts","cgroup"]
namespaces.enter = "own"
namespaces.track = true
log = "none"
""",
    "connect": """log = "none"
[[profile.app.socket]]
on = ["connect", "accept"]
label = { "user.bench" = "denied" }
verdict = "deny"
""",
    "send": """log = "none"
[[profile.app.socket]]
on = ["send"]
label = { "user.bench" = "denied" }
verdict = "deny"
""",
    "peer": """log = "none"
[[profile.app.socket]]
on = ["connect"]
family = ["unix"]
peer = { "user.bench" = "denied" }
verdict = "deny"
""",
    "inherit": "[profile.app.label]\ninherit = true\n",
    "cgroups": "cgroups.leave = []\n",
    "none": "",
}

# Name, call, policy, and what it is compared with.
ROWS = [
    ("namespace call that no rule is about", "unshare", "none", "floor"),
    ("namespace call, refused by namespaces.create", "unshare", "create", "floor"),
    ("setns, decided", "setns", "namespaces", "floor"),
    ("connect, decided by the own label", "connect", "connect", "floor"),
    ("connect by path, by the peer's label", "path", "peer", "floor"),
    ("accept, made for the caller", "accept", "inherit", "floor"),
    ("send of a byte, decided by the own label", "send", "send", "floor"),
    ("write of a byte, rules about send", "write", "send", "floor"),
    ("write of a byte, rules about send", "write", "send", "bare"),
    ("write of a byte, rules about cgroups", "write", "cgroups", "floor"),
    ("write of a byte, rules about cgroups", "write", "cgroups", "bare"),
    ("getxattr of a file by path, no policy", "getxattr", "none", "bare"),
    ("getxattr of a file by path, rules about connect", "getxattr", "connect", "bare"),
    ("fgetxattr of a file, no policy", "fgetxattr", "none", "bare"),
]


REDIS = """d=$(mktemp -d); cd $d; redis-server --port 0 --unixsocket s --save '' --appendonly no >/dev/null & sleep 0.5
redis-benchmark -s s -q -n 20000 -t get >/dev/null; redis-cli -s s shutdown nosave; wait; rm -r $d"""
GIT = """d=$(mktemp -d); cd $d; git init -q; for i in $(seq 300); do echo $i >f$i; done; git add .; for i in 1 2 3 4 5; do git status >/dev/null; done
rm -rf $d"""
# Name, program it needs, script, policies: processor time of all its processes and of holdfast.
PROGRAMS = [
    ("ls -lR", "ls", "ls -lR /usr/share/doc >/dev/null", ("none", "connect", "namespaces")),
    ("dd bs=16", "dd", "dd if=/dev/zero of=/dev/null bs=16 count=100000 2>/dev/null", ("none", "send", "cgroups")),
    ("redis, GET", "redis-server", REDIS, ("none", "namespaces", "connect", "send", "cgroups")),
    ("git status", "git", GIT, ("none", "namespaces", "connect", "cgroups")),
]


def processor_s(command):
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{command}: status {status}")
    return usage.ru_utime + usage.ru_stime


def measure_programs(held):
    for name, program, script, policies in PROGRAMS:
        if not WANTED.search(name) or shutil.which(program) is None:
            continue
        bare, took = [], {policy: [] for policy in policies}
        for _ in range(ROUNDS):
            bare.append(processor_s(["bash", "-c", script]))
            for policy in policies:
                took[policy].append(processor_s([*held(policy), "bash", "-c", script]))
        ratios = ", ".join(f"{policy} {statistics.median(found) / statistics.median(bare):.2f}" for policy, found in took.items())
        print(f"processor time of {name}: {statistics.median(bare):.2f} s; held by the policy, as a ratio: {ratios}", flush=True)


def ns(command):
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    rows = [row for row in ROWS if WANTED.search(row[0])]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in POLICIES.items():
            with open(os.path.join(folder, name + ".toml"), "w", encoding="ascii") as file:
                file.write("version = 1\n[profile.app]\n" + text)
        def held_by(policy):
            return [f"{BUILD}/holdfast", "run", "-q", "--backend", "supervisor", "--policy", os.path.join(folder, policy + ".toml"),
                    "--profile", "app", "--"]

        took = {row: ([], []) for row in rows}
        for _ in range(ROUNDS):
            for row in rows:
                _, call, policy, against = row
                floor = [CALLS, call, "2000"] + (["floor"] if against == "floor" else [])
                took[row][0].append(ns(floor))
                took[row][1].append(ns([*held_by(policy), CALLS, call, "2000"]))
        print_calls(took)
        measure_programs(held_by)


def print_calls(took):
    if not took:
        return
    print(f"{'':<50} {'held':>9} {'floor':>9}   ratio  least ratio")
    for row, (floor, held) in took.items():
        median, least = statistics.median, min
        against = "a notification" if row[3] == "floor" else "no holdfast"
        print(f"{row[0]:<50} {median(held):6.0f} ns {median(floor):6.0f} ns  {median(held) / median(floor):6.2f}  "
              f"{least(held) / least(floor):6.2f}  x {against}", flush=True)


if __name__ == "__main__":
    main()
