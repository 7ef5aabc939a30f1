#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals under `holdfast run`, as docs/signals.md says: the command gets each once, holdfast ends as the command
ended, and a terminal's shell sees the command stop."""
import os
import pty
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

HOLDFAST = os.path.abspath(os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast"))
FACTOR = float(os.environ.get("HOLDFAST_WAIT_FACTOR", "1"))
RUN = [HOLDFAST, "run", "-q", "--backend", "supervisor", "--"]
IN_PID_NAMESPACE = RUN[:-1] + ["--unshare", "pid" if os.getuid() == 0 else "user,pid", "--"]
# Counts each signal until SIGUSR2 comes.
COUNTER = """
import collections, os, signal, time
got = collections.Counter()
def count(number, frame): got[number] += 1
for number in range(1, 65):
    if number not in (9, 19, 32, 33): signal.signal(number, count)
print("ready", flush=True)
end = time.monotonic() + 60
while signal.SIGUSR2 not in got and time.monotonic() < end: time.sleep(0.01)
del got[signal.SIGUSR2]
print(" ".join("%d*%d" % (number, got[number]) for number in sorted(got)))
"""
FORWARDED = [1, 2, 3, 5, 6, 10, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 35, 40, 64]


def count(prefix, send):
    """What the counter got of the signals that send(pid) sends to it, or to its group."""
    with subprocess.Popen(prefix + ["/usr/bin/python3", "-c", COUNTER], stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, start_new_session=True) as process:
        process.stdout.readline()
        send(process.pid)
        time.sleep(0.3 * FACTOR)
        os.kill(process.pid, signal.SIGUSR2)
        return process.stdout.readline().strip()


def send_each(pid):
    for one in FORWARDED:
        os.kill(pid, one)
        time.sleep(0.005 * FACTOR)


def send_group(pid):
    for one in (1, 2, 15, 28):
        os.killpg(pid, one)
        time.sleep(0.05 * FACTOR)


def end_of(prefix, program):
    with subprocess.Popen(prefix + ["/usr/bin/python3", "-c", program], stderr=subprocess.DEVNULL) as process:
        return process.wait(60)


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "PROMPT> "
            os.execv("/bin/bash", ["bash", "--norc"] + arguments)
        self.text = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, wanted, seconds=8):
        """Reads until the text has this in it. Returns whether it came, and forgets what came up to it."""
        end = time.monotonic() + seconds * FACTOR
        while wanted not in self.text and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    break
        found = wanted in self.text
        if found:
            self.text = self.text.split(wanted, 1)[1]
        return found

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return status


def quoted(prefix):
    return " ".join(f"'{word}'" for word in prefix)


def test_stop(prefix, name):
    """A program that stops itself, or its group, gives the terminal back, and fg continues it."""
    for kind, act in (("its group", "os.kill(0, signal.SIGTSTP)"), ("itself", "os.kill(os.getpid(), signal.SIGTSTP)"),
                      ("itself by SIGSTOP", "os.kill(os.getpid(), signal.SIGSTOP)")):
        shell = Terminal(["-i"])
        shell.until("PROMPT> ")
        shell.type(f"{quoted(prefix)} /usr/bin/python3 -c 'import os, signal; print(\"R\" + \"UN\", flush=True); {act}; "
                   "print(\"BA\" + \"CK\", flush=True)'\n")
        ran = shell.until("RUN")
        stopped = shell.until("Stopped")
        shell.type("echo SHELL''BACK\n")
        shell_back = shell.until("SHELLBACK")
        shell.type("fg\n")
        check(f"a program stops {kind}{name}", ran and stopped and shell_back and shell.until("BACK"),
              f"{ran} {stopped} {shell_back} {shell.text}")
        shell.close()


def test_terminal():
    shell = Terminal(["-c", f"while :; do {quoted(RUN)} sh -c 'echo REA''DY; exec sleep 30'; echo NE''XT; exit 9; done"])
    ready = shell.until("READY")
    shell.type("\x03")
    went_on = shell.until("NEXT", 3)
    status = shell.close()
    check("Ctrl-C ends the script as well as the command",
          ready and not went_on and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT,
          f"{ready} {went_on} {status}")

    shell = Terminal(["-i"])
    shell.until("PROMPT> ")
    shell.type(f"{quoted(RUN)} sleep 30\n")
    time.sleep(1 * FACTOR)
    shell.type("\x1a")
    stopped = shell.until("Stopped")
    shell.type("bg\n")
    running = shell.until("&")
    shell.type("jobs; kill %1; wait %1; echo en''ded $?\n")
    check("^Z, bg, kill", stopped and running and shell.until("Running") and shell.until("ended 143"),
          f"{stopped} {running} {shell.text}")
    shell.close()

    # holdfast prints a refusal while another group has the terminal.
    shell = Terminal(["-i"])
    shell.until("PROMPT> ")
    shell.type(f"{HOLDFAST} run --backend supervisor -- env PS1='INNER> ' /bin/bash --norc -i\n")
    inner = shell.until("INNER> ")
    shell.type("stty tostop\n")
    shell.until("INNER> ")
    shell.type("python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\")'; echo DO''NE\n")
    done = shell.until("DONE")
    shell.type("echo ALI''VE\n")
    check("stty tostop does not stop holdfast", inner and done and shell.until("ALIVE"), shell.text)
    shell.close()


def main():
    wanted = " ".join(f"{one}*1" for one in FORWARDED)
    for prefix, name in ((RUN, ""), (IN_PID_NAMESPACE, ", in a pid namespace")):
        got = count(prefix, send_each)
        check(f"each signal to holdfast reaches the command once{name}", got == wanted, f"{got}\n{wanted}")
        got = count(prefix, send_group)
        check(f"a signal to the group arrives once{name}", got == "1*1 2*1 15*1 28*1", got)
    got = count(RUN, lambda pid: os.kill(pid, 34))
    check("SIGRTMIN does nothing", got == "", got)
    for one in (1, 2, 3, 6, 9, 11, 15, 30, 40):
        got = end_of(RUN, f"import os, signal; {one} in (2,) and signal.signal({one}, 0); os.kill(os.getpid(), {one})")
        check(f"holdfast dies of signal {one} as the command did", got == -one, got)
    got = end_of(RUN, "import os; os._exit(143)")
    check("an exit status above 128 stays one", got == 143, got)
    test_stop(RUN, "")
    test_terminal()
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
