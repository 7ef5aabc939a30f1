#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast run` inside `holdfast run`: a task is held by every level, as root and as an ordinary user."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

TYPES = {"ipc": 0x08000000, "uts": 0x04000000, "net": 0x40000000, "mnt": 0x00020000, "cgroup": 0x02000000}
# Level N forbids the Nth type.
LEVELS = list(TYPES)

START = """
import ctypes, errno, os, resource, signal, subprocess, sys, time
c = ctypes.CDLL(None, use_errno=True)
c.syscall.restype = ctypes.c_long
SETRLIMIT, PRLIMIT64, SECCOMP, LOCKS, ASK = 160, 302, 317, 10, 0x68666c64
def error(value): return "ok" if value >= 0 else errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
def make(flags):
    "Makes namespaces in a child, in a user namespace if there is no privilege."
    child = os.fork()
    if child == 0:
        got = c.unshare(flags | (0 if os.getuid() == 0 else 0x10000000))
        os._exit(0 if got == 0 else ctypes.get_errno())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "ok" if status == 0 else errno.errorcode[status]
"""

TRY_ALL = "".join(f"print('{name}', make({flag:#x}), flush=True)\n" for name, flag in TYPES.items())

# Every way to lose the limit by which a level is known. None may matter.
ATTACKS = """
class Limits(ctypes.Structure): _fields_ = [("soft", ctypes.c_ulonglong), ("hard", ctypes.c_ulonglong)]
def given(value): return ctypes.byref(Limits(value, value))
old = Limits()
def now(): return resource.prlimit(0, LOCKS)
before = now()
for value in (before[0] + 1, before[0] - 1, 0, 1 << 62, (1 << 64) - 1):
    for high in (0, 0xdead << 32):
        c.syscall(SETRLIMIT, ctypes.c_ulong(LOCKS | high), given(value))
        c.syscall(PRLIMIT64, 0, ctypes.c_ulong(LOCKS | high), given(value), None)
        c.syscall(PRLIMIT64, 0, ctypes.c_ulong(LOCKS | high), given(value), ctypes.byref(old))
        c.syscall(PRLIMIT64, os.getpid(), LOCKS, given(value), None)
        if os.fork() == 0:
            c.syscall(PRLIMIT64, os.getppid(), LOCKS, given(value), None)
            os._exit(0)
        os.wait()
print("the limit is the same", now() == before)
print("it can be read", c.syscall(PRLIMIT64, 0, LOCKS, None, ctypes.byref(old)) == 0 and old.soft == before[0])
# Joining what it may not join, and commands that there are not.
for command in range(6):
    for key in (0, 1, 7, 1 << 63):
        if command: c.syscall(SECCOMP, ASK, command, ctypes.c_ulong(key))
print("still the same", now() == before)
print("refused", make(0x08000000), flush=True)
"""

# What programs ask for when they look for filter flags.
PROBES = """
class Filter(ctypes.Structure): _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]
class Program(ctypes.Structure): _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]
for flags in (0, 1, 2, 4, 8, 9, 16, 17, 24, 25, 32, 40, 0x100, 0x108, 0x80000008):
    print(flags, error(c.syscall(SECCOMP, 1, flags, None)))
print("sizes", error(c.syscall(SECCOMP, 3, 0, ctypes.create_string_buffer(6))))
print("unknown operation", error(c.syscall(SECCOMP, 77, 0, None)))
"""

# The inner holdfast is killed from outside. What is left stays held.
ORPHAN = """
if os.fork(): time.sleep(60)
folder, parent = sys.argv[1], os.getppid()
os.setsid()
open(folder + "/ready", "w").close()
while os.getppid() == parent: time.sleep(0.01)   # the command dies with its holdfast
with open(folder + "/orphan.part", "w") as out:
    for flags in (0x08000000, 0x04000000, 0x40000000): out.write(make(flags) + "\\n")
os.rename(folder + "/orphan.part", folder + "/orphan")
"""
KILL = """cd "$1"; shift
"$@" & while [ ! -e ready ]; do sleep 0.01; done
kill -9 $!; while [ ! -e orphan ]; do sleep 0.01; done"""


class User:
    def __init__(self, name, folder, ordinary):
        self.name, self.folder, self.ordinary = name, folder, ordinary

    def holdfast(self, level, *options):
        return [f"{self.folder}/holdfast", "run", "--backend", "supervisor", "--policy",
                f"{self.folder}/{level}.toml", *options, "--"]

    def run(self, command):
        def become():
            if self.ordinary:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
        return subprocess.run(command, preexec_fn=become, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=120, cwd="/")

    def nested(self, depth, options=()):
        return [word for level in LEVELS[:depth] for word in self.holdfast(level, *options)]

    def python(self, program, *arguments):
        return ["/usr/bin/python3", "-c", START + program, self.folder, *arguments]


def tests(user):
    for depth in range(1, len(LEVELS) + 1):
        done = user.run(user.nested(depth) + user.python(TRY_ALL))
        want = "".join(f"{name} {'EPERM' if at < depth else 'ok'}\n" for at, name in enumerate(LEVELS))
        check(f"{depth} deep, every level refuses its own, {user.name}", done.stdout == want, done)
        named = [level for level in LEVELS if f"{user.folder}/{level}.toml:3:1" in done.stderr]
        check("each names its line", named == LEVELS[:depth], done.stderr)
        check("and nothing else is said", all("denied" in line for line in done.stderr.splitlines()), done.stderr)

    done = user.run(user.holdfast("ipc") + ["sh", "-c", " ".join(
        ["'" + word.replace("'", "'\\''") + "'" for word in user.holdfast("uts") + user.python(TRY_ALL)]) + "; " +
        " ".join("'" + word.replace("'", "'\\''") + "'" for word in user.python(TRY_ALL))])
    check(f"the outer run's tasks are not held by the inner policy, {user.name}", done.stdout.splitlines() ==
          ["ipc EPERM", "uts EPERM", "net ok", "mnt ok", "cgroup ok", "ipc EPERM", "uts ok", "net ok", "mnt ok",
           "cgroup ok"], done)

    done = user.run(user.holdfast("net") + user.holdfast("ipc", "-q") + user.python(ATTACKS))
    check(f"no task changes its level, {user.name}", done.stdout.splitlines() ==
          ["the limit is the same True", "it can be read True", "still the same True", "refused EPERM"], done)
    bare, held = user.run(user.python(PROBES)), user.run(user.holdfast("ipc", "-q") + user.python(PROBES))
    check(f"probes for filter flags are answered as without holdfast, {user.name}", bare.stdout == held.stdout,
          bare.stdout + held.stdout)

    done = user.run(user.nested(4) + ["sh", "-c", "exit 9"])
    check(f"the status passes through 4 levels, {user.name}", done.returncode == 9, done)
    done = user.run(user.nested(4) + ["sh", "-c", "kill -TERM $$"])
    check("and a signal", done.returncode == -signal.SIGTERM, done)
    pid = "pid,mnt" if os.getuid() == 0 and not user.ordinary else "user,pid,mnt"
    done = user.run(user.holdfast("ipc", "--unshare", pid) + user.holdfast("uts", "--unshare", pid) +
                    user.python(TRY_ALL))
    check(f"each in a pid namespace of its own, {user.name}", done.stdout.startswith("ipc EPERM\nuts EPERM\n") and
          done.returncode == 0, done)

    # A namespace that the outer run made is not the inner run's own.
    enter = """
print("enter the outer one", error(c.syscall(308, 7, 0x40000000)))
"""
    if not user.ordinary:
        done = user.run(user.holdfast("any", "--unshare", "net") + ["sh", "-c",
                        "exec 7</proc/self/ns/net; \"$@\"", "sh", *user.holdfast("own", "--unshare", "net"),
                        *user.python(enter)])
        check("`own` of the inner run is its own alone", "enter the outer one EPERM" in done.stdout, done)

    user.run(user.holdfast("ipc", "-q") + ["sh", "-c", KILL, "sh", user.folder, *user.holdfast("uts", "-q"),
             *user.python(ORPHAN)])
    with open(f"{user.folder}/orphan", encoding="ascii") as orphan:
        got = orphan.read().split()
    check(f"what outlives an inner holdfast stays held by both, {user.name}", got == ["EPERM", "EPERM", "ok"], got)
    for name in ("ready", "orphan"):
        os.unlink(f"{user.folder}/{name}")

    done = user.run(user.holdfast("ipc") + user.holdfast("sockets") + ["true"])
    check(f"rules that an inner run cannot have are refused, {user.name}", done.returncode == 77 and
          "rules about namespaces" in done.stderr, done)
    many = "\n".join(["print(sum(subprocess.run(sys.argv[2:] + ['true'], stderr=subprocess.DEVNULL).returncode == 0",
                      "    for _ in range(80)))"])
    done = user.run(user.holdfast("ipc") + user.python(many, *user.holdfast("uts")))
    check(f"80 inner runs, one after the other, {user.name}", done.stdout == "80\n", done)


def main():
    built = os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast")
    root = os.getuid() == 0
    with tempfile.TemporaryDirectory(prefix="nested.", dir="/tmp") as folder:
        os.chmod(folder, 0o1777)
        shutil.copy(built, f"{folder}/holdfast")
        os.chmod(f"{folder}/holdfast", 0o755)
        texts = {name: "namespaces.create = [{}]".format(", ".join(
            f'"{other}"' for other in ["user", "pid", *TYPES] if other != name)) for name in TYPES}
        texts["any"] = ""
        texts["own"] = 'namespaces.enter = "own"\nnamespaces.track = true'
        texts["sockets"] = '[[profile.app.socket]]\non = ["connect"]\nfamily = ["inet"]\nverdict = "deny"'
        for name, text in texts.items():
            with open(f"{folder}/{name}.toml", "w", encoding="ascii") as file:
                file.write(f"version = 1\n[profile.app]\n{text}\n")
            os.chmod(f"{folder}/{name}.toml", 0o644)
        if root:
            tests(User("as root", folder, False))
        tests(User("as an ordinary user", folder, True) if root else User("as an ordinary user", folder, False))
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
