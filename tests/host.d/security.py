#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast security` over a tree of cgroups and processes that is made here."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

HOLDFAST = os.path.abspath(os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast"))
POLICY = """version = 1
[profile.web]
unit = "nginx.service"
namespaces.create = []
namespaces.enter = "none"
cgroups.leave = []
cgroups.join = ["web"]
[profile.db]
unit = "db.service"
mode = "audit"
namespaces.create = []
[profile.user]
cgroup = "/user.slice"
namespaces.enter = "none"
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def process(root, pid, uid=0, caps=0x1ffffffffff, seccomp=0):
    write(f"{root}/proc/{pid}/status",
          f"Name:\tx\nUid:\t5\t{uid}\t0\t0\nCapEff:\t{caps:016x}\nSeccomp:\t{seccomp}\n")


def cgroup(root, path, *pids):
    write(f"{root}/sys/fs/cgroup{path}/cgroup.procs", "".join(f"{pid}\n" for pid in pids))


def security(root, *arguments):
    done = subprocess.run([HOLDFAST, "security", "--root", root, "-p", os.path.join(root, "policy.toml"), *arguments],
                          capture_output=True, text=True, check=False)
    return done


with tempfile.TemporaryDirectory() as base:
    write(os.path.join(base, "policy.toml"), POLICY)
    done = security(base)
    check("without a hierarchy nothing can be said", done.returncode == 77 and "unified hierarchy" in done.stderr, done.stderr)
    cgroup(base, "")
    cgroup(base, "/system.slice/nginx.service", 10)
    cgroup(base, "/system.slice/nginx.service/workers", 11, 12)
    cgroup(base, "/system.slice/db.service", 20)
    cgroup(base, "/system.slice/other.service", 30)
    cgroup(base, "/user.slice/user-1.slice/user@1.service/app.slice/shell.scope", 40)
    process(base, 10, uid=33, caps=0, seccomp=2)
    process(base, 11, uid=33, caps=0, seccomp=2)
    process(base, 20, uid=70, caps=0, seccomp=2)
    process(base, 30)
    process(base, 40, uid=1000, caps=0)
    done = security(base)
    lines = [line.split() for line in done.stdout.splitlines()]
    check("every unit has a line, the most exposed first", done.returncode == 0 and len(lines) == 8 and
          {line[0] for line in lines[2:5]} == {"db.service", "shell.scope", "user@1.service"} and
          lines[1][0] == "other.service" and lines[5][0] == "nginx.service" and
          [float(line[1]) for line in lines[1:6]] == sorted((float(line[1]) for line in lines[1:6]), reverse=True),
          done.stdout + done.stderr)
    check("with a word and its profile", lines[1][2:] == ["unsafe", "-"] and lines[5][2:] == ["ok", "web"], lines)
    units = {unit["unit"]: unit for unit in json.loads(security(base, "--json").stdout)["units"]}
    findings = {name: {one["id"]: one for one in unit["findings"]} for name, unit in units.items()}
    check("what a profile closes is closed", [findings["nginx.service"][key]["open"] for key in (
        "namespaces.create", "namespaces.enter", "cgroups.leave", "user", "capabilities", "seccomp")] == [0] * 6,
          findings["nginx.service"])
    check("a named mover is nearly closed", findings["nginx.service"]["cgroups.join"]["open"] == 0.2)
    check("the profile of the deepest cgroup counts", units["shell.scope"]["profile"] == "user" and
          units["nginx.service"]["profile"] == "web" and units["other.service"]["profile"] is None)
    check("audit closes nothing", findings["db.service"]["namespaces.create"]["open"] == 1 and
          "only reported" in findings["db.service"]["namespaces.create"]["why"])
    process(base, 12, uid=0)
    after = json.loads(security(base, "--json", "nginx").stdout)["units"]
    check("one process of a subtree that runs as root is enough", len(after) == 1 and
          [one["open"] for one in after[0]["findings"] if one["id"] in ("user", "capabilities", "seccomp")] == [1] * 3, after)
    done = security(base, "nginx.service")
    check("one unit: the reasons", "+ namespaces.enter" in done.stdout and "- socket" in done.stdout and
          "it has CAP_SYS_ADMIN" in done.stdout and "profile  web" in done.stdout, done.stdout)
    shown = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    total = next(line for line in done.stdout.splitlines() if line.startswith("exposure")).split()[1]
    check("and they add up", abs(sum(float(line[-1]) for line in shown) - float(total)) < 0.06 * len(shown), done.stdout)
    check("over the threshold it fails", security(base, "nginx", "--threshold", "1").returncode == 1 and
          security(base, "nginx", "--threshold", "9").returncode == 0)
    done = security(base, "gone")
    check("a unit that does not run", done.returncode == 0 and "does not run" in done.stdout and "10.0" in done.stdout,
          done.stdout)
    done = security(base, "a/b/../c.service")
    check("what is no unit", done.returncode == 2 and "is not a unit" in done.stderr, done.stderr)
    cgroup(base, "/system.slice/e\x1b[31m.service", 30)
    check("names are printed without control characters", "\x1b" not in security(base).stdout)
plan()
