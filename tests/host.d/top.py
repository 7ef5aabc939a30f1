#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast top` on a pseudoterminal, with a holdfastd that this script is: what the screen shows, what the keys do,
and that the terminal is as before after every end."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socketserver
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

HOLDFAST = os.path.abspath(os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast"))
FACTOR = float(os.environ.get("HOLDFAST_WAIT_FACTOR", "1"))
WAIT_S = 10 * FACTOR


def event(count, profile="web", comm="nginx", verdict="deny", enforced=True, file="web.toml", repeats=0):
    return {"version": 1, "id": count, "time_ns": count, "generation": 1, "hook": "namespace_install", "way": "setns",
            "verdict": verdict, "enforced": enforced, "reason": "enter-none", "profile": profile,
            "rule": {"id": 1, "file": file, "line": 4, "column": 1, "key": "namespaces.enter", "text": '"none"'},
            "log": True, "pid": os.getpid(), "tid": os.getpid(), "uid": 0, "comm": comm, "source": 0, "target": 0,
            "repeats": repeats,
            "request": {"hook": "namespace_install", "way": "setns", "subject": profile, "ns_types": "net"}}


class Daemon(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path, refuses=None):
        self.calls = []
        self.monitors = []
        self.refuses = refuses
        self.path = path
        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def send(self, *events):
        for monitor in list(self.monitors):
            try:
                self.send_to(monitor, events)
            except OSError:  # that one has ended
                self.monitors.remove(monitor)

    @staticmethod
    def send_to(monitor, events):
        for one in events:
            monitor.sendall(json.dumps({"continues": True, "parameters": {"event": one}}).encode() + b"\0")

    def handle_error(self, request, client_address):
        pass  # a client that has ended

    def stop(self):
        self.shutdown()
        self.server_close()
        for monitor in self.monitors:
            try:
                monitor.shutdown(2)
            except OSError:
                pass
            monitor.close()
        os.remove(self.path)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        text = b""
        while True:
            while b"\0" not in text:
                more = self.request.recv(1 << 16)
                if not more:
                    return
                text += more
            line, text = text.split(b"\0", 1)
            call = json.loads(line)
            name = call["method"].rsplit(".", 1)[1]
            self.server.calls.append((name, call.get("parameters", {})))
            reply = {"parameters": {"generation": 2, "changed": True}}
            if name == self.server.refuses:
                reply = {"error": "org.varlink.service.PermissionDenied", "parameters": {}}
            elif name == "Monitor":
                self.server.monitors.append(self.request.dup())
                while self.request.recv(1 << 16):
                    pass
                return
            elif name == "Policy":
                source = {"name": "web.toml", "text": 'version = 1\n[profile.web]\ncgroup = "/web"\nnamespaces.enter = "none"\n'}
                reply = {"parameters": {"generation": 1, "sources": [source], "modes": [], "directories": []}}
            self.request.sendall(json.dumps(reply).encode() + b"\0")


# Runs a command as a job in the foreground, as a shell does, so that it can be stopped. Continues it on SIGUSR1.
JOB = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGUSR1, lambda *_: os.kill(pid, signal.SIGCONT))
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status) & 255)
    os.write(9, b"stopped")
"""


class Screen:
    """holdfast top on a terminal of its own."""

    def __init__(self, socket, rows=24, columns=100, job=None, **environment):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.rows = rows
        self.process = subprocess.Popen(
            (["/usr/bin/python3", "-c", JOB] if job else []) + [HOLDFAST, "top", "--socket", socket], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=dict(os.environ, LANG="C.UTF-8", LC_ALL="C.UTF-8", TERM="xterm", **environment), start_new_session=True,
            pass_fds=(job,) if job else (),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode(errors="replace")

    def lines(self):
        """What the last whole screen has."""
        frames = self.text.split("\x1b[H")
        frame = next((one for one in reversed(frames) if one.endswith("\x1b[J") or "\x1b[J" in one), "")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame.split("\x1b[J")[0])
        return plain.replace("\r\r\n", "\r\n").split("\r\n")

    def wait(self, pattern):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            self.read()
            if re.search(pattern, "\n".join(self.lines()), re.DOTALL):
                return True
            if self.process.poll() is not None:
                break
        return False

    def key(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """The exit status; None: it goes on."""
        limit = time.monotonic() + WAIT_S
        while self.process.poll() is None and time.monotonic() < limit:
            self.read()
        self.read()
        return self.process.poll()

    def is_restored(self):
        after = termios.tcgetattr(self.slave)
        return (after == self.before and self.text.rfind("\x1b[?1049l") > self.text.rfind("\x1b[?1049h") and
                self.text.rfind("\x1b[?25h") > self.text.rfind("\x1b[?25l"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            try:
                os.close(fd)
            except OSError:
                pass


def check_screen(path):
    daemon = Daemon(path)
    screen = Screen(path)
    check("it begins with nothing", screen.wait("Nothing has been refused"), screen.text)
    raw = termios.tcgetattr(screen.slave)
    check("keys are read one by one, without being shown", not raw[3] & (termios.ICANON | termios.ECHO))
    daemon.send(event(1), event(2, repeats=8), event(3, "db", "psql", file="db.toml", enforced=False),
                event(4, verdict="allow"), event(5, "e\x1b]0;owned\x07", "x\x1b[2J"))
    check("refusals are counted by profile", screen.wait(r"PROFILE +1 s.*\nweb +[0-9.]+ +[0-9.]+ +10 +0") and
          screen.wait(r"\ndb +[0-9.]+ +[0-9.]+ +0 +1 ") and screen.wait("12 since the start"), "\n".join(screen.lines()))
    check("and a second", screen.wait(r"[1-9]\.[0-9] refusals a second") or screen.wait(r"0\.[1-9] refusals"), screen.lines())
    check("names cannot write to the terminal", "\x1b]0;" not in screen.text and "\x1b[2J" not in screen.text and
          screen.wait(r"e\\x1b]0;owned"))
    check("no line is longer than the terminal, and none is missing", all(len(line) <= 100 for line in screen.lines()) and
          len(screen.lines()) == 24, screen.lines())
    screen.key("r")
    check("by rule", screen.wait(r'RULE .*\nweb.toml:4:1 namespaces.enter = "none"'), screen.lines())
    screen.key("u")
    check("by unit", screen.wait(r"UNIT +1 s.*\n\S+.*12"), screen.lines())
    screen.key("p")
    screen.wait("PROFILE")
    screen.key("w")
    check("w explains the last refusal of the row", screen.wait(
        r"denied  setns\(net\) by nginx.*deny \(EPERM\).*web.toml:4:1.*change .*any key goes back"), screen.lines())
    screen.key("x")
    check("any key goes back", screen.wait("PROFILE"), screen.lines())
    screen.key("a")
    check("a asks", screen.wait(r"Set the mode of profile web to audit\? \[y/N\]"), screen.lines())
    screen.key("n")
    screen.wait("PROFILE")
    check("another answer than y changes nothing", all(call[0] != "SetMode" for call in daemon.calls))
    screen.key("ay")
    check("y sets the mode", screen.wait("profile web is in mode audit") and
          ("SetMode", {"profile": "web", "mode": "audit"}) in daemon.calls, daemon.calls)
    screen.key("\x1b[Be")
    check("down selects the next row, and e enforces", screen.wait(r"Set the mode of profile (db|e\\x1b\S*) to enforce"),
          screen.lines())
    screen.key("n")
    fcntl.ioctl(screen.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
    os.kill(screen.process.pid, signal.SIGWINCH)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and len(screen.lines()) != 10:
        screen.read()
    check("another size of the terminal is followed", len(screen.lines()) == 10 and
          all(len(line) <= 40 for line in screen.lines()), screen.lines())
    screen.key("q")
    check("q ends it", screen.end() == 0, screen.process.poll())
    check("after q the terminal is as before", screen.is_restored(), repr(screen.text[-200:]))
    screen.close()
    daemon.stop()


def check_ends(path):
    def begun(**environment):
        screen = Screen(path, **environment)
        screen.wait("Nothing has been refused|refusals a second")
        return screen

    daemon = Daemon(path)
    for name in ("INT", "TERM", "HUP", "QUIT"):
        screen = begun()
        os.kill(screen.process.pid, getattr(signal, "SIG" + name))
        status = screen.end()
        check(f"SIG{name} ends it by that signal, and the terminal is as before",
              status == -getattr(signal, "SIG" + name) and screen.is_restored(), f"{status} {screen.text[-200:]!r}")
        screen.close()
    screen = begun()
    screen.key("\x03")
    check("so does the key Ctrl-C", screen.end() == -signal.SIGINT and screen.is_restored(), repr(screen.text[-200:]))
    screen.close()
    for name in ("SEGV", "ABRT"):
        screen = begun()
        os.kill(screen.process.pid, getattr(signal, "SIG" + name))
        check(f"SIG{name}, as by a mistake of the program", screen.end() == -getattr(signal, "SIG" + name) and
              screen.is_restored(), repr(screen.text[-200:]))
        screen.close()
    told, tells = os.pipe()
    os.dup2(tells, 9)
    screen = begun(job=9)
    screen.key("\x1a")
    stopped = False
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and not stopped:
        screen.read()
        stopped = bool(select.select([told], [], [], 0)[0])
    screen.read()
    check("Ctrl-Z stops it, and then the terminal is as before", stopped and screen.is_restored(), repr(screen.text[-200:]))
    os.kill(screen.process.pid, signal.SIGUSR1)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and screen.text.count("\x1b[?1049h") != 2:
        screen.read()
    check("and then it goes on", screen.wait("refusals a second") and screen.text.count("\x1b[?1049h") == 2 and
          not termios.tcgetattr(screen.slave)[3] & termios.ECHO, repr(screen.text[-200:]))
    screen.key("q")
    check("until it is ended", screen.end() == 0 and screen.is_restored())
    screen.close()

    screen = begun()
    daemon.send(event(1))
    screen.wait("1 since the start")
    daemon.stop()
    check("when holdfastd ends, that is shown", screen.wait("trying again"), screen.lines())
    daemon = Daemon(path)
    check("and it connects again", screen.wait("connected again"), screen.lines())
    screen.close()

    screen = begun(NO_COLOR="1")
    daemon.send(event(1))
    screen.wait("web")
    check("NO_COLOR is obeyed", "\x1b[7m" not in screen.text and "\x1b[3" not in screen.text)
    screen.close()
    daemon.stop()

    daemon = Daemon(path, "Monitor")
    screen = Screen(path)
    check("who may not see events is told", screen.end() == 1 and "only root may do this" in screen.text and
          screen.is_restored(), repr(screen.text[-300:]))
    screen.close()
    daemon.stop()
    screen = Screen(path)
    check("without holdfastd the screen is not touched", screen.end() == 1 and "is holdfastd running?" in screen.text and
          "\x1b" not in screen.text, screen.text)
    screen.close()
    done = subprocess.run([HOLDFAST, "top", "--socket", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    check("into a pipe it refuses", done.returncode == 2 and "must be a terminal" in done.stderr, done.stderr)


with tempfile.TemporaryDirectory() as base:
    check_screen(os.path.join(base, "control"))
    check_ends(os.path.join(base, "control"))
plan()
