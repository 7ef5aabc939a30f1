#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rate of a run is the run's, in whatever cgroup its tasks are. As root, which may make cgroups."""
import os
import subprocess
import sys
import tempfile

POLICY = """version = 1
[[profile.app.socket]]
on = ["send"]
family = ["inet"]
rate = "3/h"
"""
SENDER = """
import os, socket, sys
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
near.bind(("127.0.0.1", 0))
near.connect(near.getsockname())
def drain():
    sent = 0
    try:
        while sent < 100: sent += near.send(b"x")
    except BlockingIOError: pass
    return sent
print(drain())
for folder in sys.argv[1:]:
    for name in ("one", "one/below", "two"):
        path = os.path.join(folder, name)
        os.mkdir(path)
        with open(os.path.join(path, "cgroup.procs"), "w") as procs: procs.write(str(os.getpid()))
        print(name, drain())
    with open(os.path.join(folder, "cgroup.procs"), "w") as procs: procs.write(str(os.getpid()))
    for name in ("one/below", "one", "two"): os.rmdir(os.path.join(folder, name))
"""


def unified():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)


def run(folder, *places):
    holdfast = os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast")
    command = [holdfast, "run", "-q", "--backend", "supervisor", "--policy", f"{folder}/p.toml", "--", "python3", "-c", SENDER]
    return subprocess.run([*command, *places], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
                          timeout=60).stdout.split("\n")[:-1]


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/p.toml", "w", encoding="ascii") as policy:
            policy.write(POLICY)
        print("ok" if run(folder) == ["3"] else "not ok", "1 - three messages an hour", flush=True)
        mount = unified()
        if os.getuid() != 0 or mount is None:
            print("ok 2 - a new cgroup # SKIP cgroup2: cannot make one")
        else:
            place = os.path.join(mount, f"rates.{os.getpid()}")
            os.mkdir(place)
            got = run(folder, place)
            with open(os.path.join(mount, "cgroup.procs"), "w", encoding="ascii") as procs:
                procs.write(str(os.getpid()))
            os.rmdir(place)
            print("ok" if got == ["3", "one 0", "one/below 0", "two 0"] else "not ok", "2 - a new cgroup has no full bucket")
            print("#", got)
    print("1..2")
    return 0


if __name__ == "__main__":
    sys.exit(main())
