#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The process that connects unix sockets for a command: stopped or killed from outside, nothing gets
past it, nobody else waits for it, and it is no member of the run."""
import json
import os
import signal
import subprocess
import sys
import tempfile

POLICY = """version = 1
[[profile.box.socket]]
on = ["connect"]
family = ["unix"]
peer = { "user.varlink" = "server" }
verdict = "deny"
"""
# Says what came of each connect, and whether a call that is answered meanwhile waited.
COMMAND = """
import os, socket, struct, sys, threading, time
os.chdir(sys.argv[1])
labelled = socket.socket(socket.AF_UNIX); os.setxattr(labelled.fileno(), "user.varlink", b"server")  # so a rule may match
server = socket.socket(socket.AF_UNIX); server.bind("server"); server.listen(50)
def connect():
    try: socket.socket(socket.AF_UNIX).connect("server"); return "0"
    except OSError as error: return os.strerror(error.errno)
def other():
    longest = 0
    for _ in range(20):
        begin = time.monotonic()
        socket.socketpair()[0].getsockname(); os.listxattr(server.fileno())
        longest = max(longest, time.monotonic() - begin)
        time.sleep(0.02)
    others.append("at once" if longest < 0.8 else "late")
said = connect(); accepted, _ = server.accept()
print(said, struct.unpack("iii", accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0], flush=True)
for line in sys.stdin:
    others = []
    thread = threading.Thread(target=other); thread.start()
    said = connect(); thread.join()
    print(said, others[0], sep="; ", flush=True)
"""

number = 0


def check(what, good, got=""):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {what}")
    if not good:
        print(f"# got {got!r}")


def main():
    holdfast = os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast")
    with tempfile.TemporaryDirectory(prefix="connect.") as folder:
        policy, events = (os.path.join(folder, name) for name in ("p.toml", "events"))
        with open(policy, "w", encoding="ascii") as file:
            file.write(POLICY)
        run = subprocess.Popen(
            [holdfast, "run", "-q", "--backend", "supervisor", "--policy", policy, "--events", events, "--",
             sys.executable, "-c", COMMAND, folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def again():
            run.stdin.write("\n")
            run.stdin.flush()
            return run.stdout.readline().strip()

        said, helper = run.stdout.readline().split()
        helper = int(helper)
        check("it connects", said == "0", said)
        check("it is not who runs holdfast", helper != run.pid)
        with open(f"/proc/{helper}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        check("it may gain no rights", status["NoNewPrivs"] == "1", status["NoNewPrivs"])
        shown = subprocess.run([holdfast, "ps"], capture_output=True, text=True).stdout
        check("it is no member of the run", str(helper) not in shown.split() and f"run {run.pid}:" in shown, shown)
        os.kill(helper, signal.SIGSTOP)
        got = again()
        check("stopped: refused, and nobody else waits", got == "Operation not permitted; at once", got)
        os.kill(helper, signal.SIGCONT)
        got = again()
        check("going on: connected", got == "0; at once", got)
        os.kill(helper, signal.SIGKILL)
        for what in "killed: refused", "and again":
            got = again()
            check(what, got == "Operation not permitted; at once", got)
        run.stdin.close()
        errors = run.stderr.read()
        run.wait()
        check("that it is gone is said once", errors.count("is gone or stopped") == 1, errors)
        with open(events, encoding="ascii") as file:
            refused = sum(1 + event.get("repeats", 0) for event in map(json.loads, file)
                          if event.get("reason") == "facts-missing" and event["enforced"])
        check("each refusal is an event", refused == 3, refused)
    print(f"1..{number}")


main()
