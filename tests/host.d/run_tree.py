#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a command leaves behind when it ends: the run goes on for it, or kills it. As root and as an ordinary
user, with and without a pid namespace."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

POLICY = """version = 1
[profile.app]
namespaces.create = ["user","net"]
[[profile.app.socket]]
on = ["bind"]
label = { "user.never" = "1" }
verdict = "deny"
"""
# A daemon: it waits until a line comes in, makes calls that the run decides, says what came of them, and ends.
DAEMON = """
import ctypes, os, socket, sys
c = ctypes.CDLL(None, use_errno=True)
with open(sys.argv[1] + "/go") as go: go.readline()
def say(what, act):
    try: act(); print(what, "ok", flush=True)
    except OSError as error: print(what, error.errno, flush=True)
say("attributes", lambda: os.listxattr("/etc/passwd"))
say("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
print("refused namespace", c.unshare(0x04000000) and ctypes.get_errno(), flush=True)
"""
EXPECTED = "attributes ok\nbind ok\nrefused namespace 1\n"
WAITS = "holdfast: the command has ended; the run goes on for 1 process that it left behind (--kill-tree kills them)"


def lives(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            return not any(line.startswith("State:") and line.split()[1] in "ZX" for line in status)
    except OSError:
        return False


class User:
    def __init__(self, name, folder, holdfast, ordinary, options):
        self.name, self.folder, self.ordinary, self.options = name, folder, ordinary, options
        self.holdfast = holdfast

    def start(self, command, *options):
        """A run whose command is a shell's `command`. The daemon is $D."""
        for name in ("go", "said"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                os.unlink(path)
        os.mkfifo(os.path.join(self.folder, "go"))
        os.chmod(os.path.join(self.folder, "go"), 0o666)
        prefix = [self.holdfast, "run", "--backend", "supervisor", "--policy", os.path.join(self.folder, "p.toml"),
                  *self.options, *options, "--"]

        def become():
            if self.ordinary:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)

        environment = dict(os.environ, F=self.folder)
        daemon = f"exec setsid python3 {self.folder}/daemon.py {self.folder} >{self.folder}/said 2>&1 </dev/null"
        # One more fork, so that the daemon's parent is gone.
        script = f"leave() {{ ( ({daemon}) 2>/dev/null & ) }}\n{command}"
        return subprocess.Popen(prefix + ["sh", "-c", script], preexec_fn=become, env=environment, cwd="/",
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def let_go(self):
        with open(os.path.join(self.folder, "go"), "w", encoding="ascii") as go:
            go.write("go\n")

    def said(self):
        with open(os.path.join(self.folder, "said"), encoding="ascii") as said:
            return said.read()


def first_line(run):
    """Waits for the first line of the run's stderr."""
    return run.stderr.readline().rstrip("\n")


def tests(user, pid_namespace):
    run = user.start("leave; echo done; exit 7")
    line = first_line(run)
    check(f"it says that the run goes on, {user.name}", line == WAITS, line)
    check("a reader of the output does not wait for the daemon", run.stdout.read() == "done\n")
    check("the run goes on", run.poll() is None)
    user.let_go()
    rest = run.stderr.read()
    check("it ends with the command's status", run.wait() == 7, run.returncode)
    check("the daemon's calls are decided", user.said() == EXPECTED, user.said())
    check("its refusals are reported", "denied" in rest and "p.toml:3" in rest, rest)

    run = user.start("leave; exit 0", "-q", "--wait-tree")
    run.stdout.read()
    user.let_go()
    check(f"with -q the run says nothing of it, {user.name}", "goes on" not in run.stderr.read())
    check("and waits", run.wait() == 0 and user.said() == EXPECTED, user.said())

    run = user.start("leave; kill -TERM $$")
    first_line(run)
    user.let_go()
    run.stderr.read()
    want = 143 if pid_namespace else -signal.SIGTERM
    check(f"a signal that killed the command is the run's end, {user.name}", run.wait() == want, run.returncode)

    # Two processes that wait for nothing but a signal. Their parent ends first.
    idle = "( (setsid sleep 1000 & setsid sleep 1000 &) ); "
    run = user.start(idle + "exit 3", "--kill-tree")
    error = run.stderr.read()
    check(f"--kill-tree ends with the command, {user.name}", run.wait() == 3, run.returncode)
    if not pid_namespace:
        check("and says what it killed", "holdfast: killed 2 processes that the command left behind" in error, error)

    run = user.start(idle + "exit 3")
    line = first_line(run)
    check(f"two are counted, {user.name}", "for 2 processes" in line, line)
    left = []
    walk = [run.pid]
    while walk:
        at = walk.pop()
        try:
            with open(f"/proc/{at}/task/{at}/children", encoding="ascii") as children:
                found = [int(child) for child in children.read().split()]
        except OSError:
            continue
        walk += found
        for child in found:
            with open(f"/proc/{child}/comm", encoding="ascii") as name:
                if name.read() == "sleep\n":
                    left.append(child)
    run.terminate()
    run.stderr.read()
    check("a signal to holdfast ends what is left", run.wait() == 3 and len(left) == 2 and
          not any(lives(pid) for pid in left), (run.returncode, left))

    run = user.start("exit 5")
    check(f"nothing is left: nothing is said, {user.name}", run.stderr.read() == "" and run.wait() == 5)


def main():
    built = os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast")
    root = os.getuid() == 0
    for ordinary in ([False, True] if root else [True]):
        for pid_namespace in (False, True):
            with tempfile.TemporaryDirectory(prefix="tree.", dir="/tmp") as folder:
                os.chmod(folder, 0o1777)
                holdfast = os.path.join(folder, "holdfast")
                shutil.copy(built, holdfast)
                os.chmod(holdfast, 0o755)
                for name, text in (("p.toml", POLICY), ("daemon.py", DAEMON)):
                    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                        file.write(text)
                    os.chmod(os.path.join(folder, name), 0o644)
                options = ["--unshare", "user,pid" if ordinary else "pid"] if pid_namespace else []
                name = "as an ordinary user" if ordinary else "as root"
                name += ", in a pid namespace" if pid_namespace else ""
                tests(User(name, folder, holdfast, ordinary and root, options), pid_namespace)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
