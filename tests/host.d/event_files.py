#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""learn, replay and why read event files of any size in constant memory, with progress, and learn --interactive
changes the policy as it was told to."""

import json
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

HOLDFAST = os.path.abspath(os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast"))
MB = 1_000_000
SMALL, LARGE = 4 * MB, 60 * MB  # the larger file is read with the memory that the smaller one needs
MAY_GROW_KB = 3000
POLICY = """version = 1
mode = "audit"
log = "all"
# kept: a comment
[profile.web]
namespaces.create = [
  "user",  # kept: one type
]
namespaces.enter = "none"  # kept: nothing else

[[profile.web.socket]]
on = ["connect"]
verdict = "deny"
"""


def event(number, pid=17, sandbox=1, types="net", verdict="deny", hook="namespace_alloc", way="unshare", **request):
    facts = {"hook": hook, "way": way, "subject": "web", "subject_set": sandbox, **request}
    if hook.startswith("namespace"):
        facts["ns_types"] = types
    return {"version": 1, "id": number, "time_ns": 1000 * number, "generation": 1, "hook": hook, "way": way,
            "verdict": verdict, "enforced": False, "reason": "create", "profile": "web", "log": True,
            "pid": pid, "tid": pid, "uid": 0, "comm": "worker", "source": 0, "target": 0, "repeats": 0,
            "request": facts}


def connect(number, family="inet"):
    return event(number, hook="socket", way="connect", sock_op="connect", sock_family=family)


def write_events(path, size):
    """Events of which no two have the same process and sandbox, and which come from a few kinds of requests."""
    line = json.dumps(event(1), separators=(",", ":"))
    before, middle, after = line.replace('"id":1,', '"id":@,').partition('"pid":17')
    kinds = [after.replace('"subject_set":1', '"subject_set":%d').replace('"net"', f'"{types}"')
             for types in ("net", "uts", "ipc", "user")]
    written, count = 0, 0
    with open(path, "w", encoding="utf-8") as file:
        while written < size:
            count += 1
            text = before.replace("@", str(count)) + f'"pid":{count + 1000}' + kinds[count % 4] % (count + 7) + "\n"
            written += file.write(text)
    return count


def run(arguments, answers="", **options):
    return subprocess.run([HOLDFAST, *arguments], input=answers, capture_output=True, text=True, check=False, **options)


def peak_kb(arguments):
    """The status and the peak of resident memory."""
    process = subprocess.Popen([HOLDFAST, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


def check_size(folder, policy):
    small, large = os.path.join(folder, "small"), os.path.join(folder, "large")
    write_events(small, SMALL)
    count = write_events(large, LARGE)
    looser = os.path.join(folder, "looser.toml")
    with open(looser, "w", encoding="utf-8") as file:
        file.write(POLICY.replace('"user",', '"user", "net",'))
    for command in (["learn", "@"], ["replay", "@", "-p", looser], ["why", str(SMALL // 1000), "--events", "@", "-p", policy]):
        few = peak_kb([small if word == "@" else word for word in command])
        many = peak_kb([large if word == "@" else word for word in command])
        check(f"{command[0]}: a file of {LARGE // MB} MB needs no more memory than one of {SMALL // MB} MB",
              few[0] == many[0] != 2 and many[1] < few[1] + MAY_GROW_KB, f"{few} {many}")
    got = run(["learn", large])
    check("learn: all events count", f"and {count // 4 - 5} more" in got.stdout, got.stdout)
    got = run(["replay", large, "-p", looser])
    check("replay: all events count", f"of {count} decisions differ" in got.stdout, got.stdout + got.stderr)
    check("without a terminal there is no progress", got.stderr == "", got.stderr)
    got = run(["learn", large, "--progress", "always"])
    shown = re.findall(r"holdfast learn: (\d+)% of 60 MB", got.stderr)
    check("progress goes up, and is erased at the end", len(shown) > 1 and shown == sorted(shown, key=int) and
          got.stderr.count("note:") == 1 and "\n\x1b[Kholdfast learn: note:" in got.stderr, repr(got.stderr[-300:]))
    with open(small, "rb") as file:
        got = subprocess.run(f"cat | {HOLDFAST} learn /dev/stdin", shell=True, stdin=file, capture_output=True,
                             text=True, check=False)
    check("a pipe is read too", got.returncode == 0 and "namespaces.create" in got.stdout, got.stdout + got.stderr)


def check_places(folder):
    path = os.path.join(folder, "places")

    def read(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return run(["learn", path])

    line = json.dumps(event(1))
    got = read(f"{line}\n{line}\n{{}}\n")
    check("a line that is no event is named", got.returncode == 2 and f"{path}: line 3: " in got.stderr, got.stderr)
    got = read(line + "\n" + line.replace('"pid": 17', '"pid": "17"') + "\n")
    check("so is one with the facts of another, and a wrong field", got.returncode == 2 and "line 2" in got.stderr,
          got.stderr)
    got = read(f"{line}\n{line[:50]}")
    check("an incomplete last line is left out, and that is said",
          got.returncode == 0 and "the last line is incomplete" in got.stderr, got.stderr)
    got = read(line + "\n" + " " * (65 << 20) + "\n")
    check("a line without end is refused", got.returncode == 2 and "line 2 has more than" in got.stderr, got.stderr)
    got = run(["learn", folder])
    check("a directory is refused", got.returncode == 2 and "Is a directory" in got.stderr, got.stderr)
    os.rename(path, path + ".1")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{}\n")
    with open(path + ".1", "w", encoding="utf-8") as file:
        file.write(line + "\n")
    got = run(["learn", path])
    check("the place is in the right one of two files", f"{path}: line 1: " in got.stderr, got.stderr)
    os.remove(path + ".1")
    os.symlink(path, path + ".1")
    with open(path, "w", encoding="utf-8") as file:
        file.write(line + "\n")
    got = run(["learn", path])
    check("a file that has two names is read once", "# event 1\n" in got.stdout, got.stdout)
    os.remove(path + ".1")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_interactive(folder, policy):
    events = os.path.join(folder, "asked.jsonl")
    write(events, "".join(json.dumps(one) + "\n" for one in (
        event(1), event(2, pid=99, sandbox=5), event(3, types="ipc"), connect(4), event(5, types="user"))))
    ask = ["learn", events, "--interactive", "-p", policy]

    got = run(ask, "n\nn\nn\n")
    check("each kind of refusal is shown once, with its change",
          re.search(r"would deny  unshare\(net\).*  events 1, 2\n  change  \S*policy.toml:6:1  namespaces.create = "
                    r'\["user", "net"\] in profile web\n', got.stdout) is not None and
          got.stdout.count("Allow it?") == 3 and "0 changes accepted, 3 refusals stay" in got.stdout, got.stdout)
    check("without an accepted change nothing is written", read(policy) == POLICY and got.returncode == 0)
    run(ask, "y\ny\nq\n")
    check("quit writes nothing", read(policy) == POLICY)
    run(ask, "y\n")
    check("the end of the input writes nothing", read(policy) == POLICY)

    got = run(ask, "y\nn\ny\n")
    changed = read(policy)
    check("what was accepted is written, and the rest of the file is kept",
          got.returncode == 0 and f"wrote {policy}" in got.stdout and
          'namespaces.create = ["user", "net"]\nnamespaces.enter = "none"  # kept: nothing else\n' in changed and
          "# kept: a comment\n" in changed, got.stdout + changed)
    check("a socket gets a rule of its own, before the one that refused it",
          '[[profile.web.socket]]\non = ["connect"]\nfamily = ["inet"]\nverdict = "allow"\n\n[[profile.web.socket]]\n'
          in changed, changed)
    got = run(["replay", events, "-p", policy])
    check("the written policy refuses what was not accepted, and nothing else",
          "4 of 5 decisions differ" in got.stdout and "unshare(ipc)" not in got.stdout, got.stdout)
    got = run(ask, "n\n")
    check("what is allowed now is not asked again", got.stdout.count("Allow it?") == 1, got.stdout)
    write(policy, POLICY)
    got = run(ask, "y\nd\n")
    check("done writes what was accepted until then", '"net"]' in read(policy) and "1 changes accepted" in got.stdout)

    got = run(["learn", events, "-i", "-p", policy, "-p", policy])
    check("two files are refused", got.returncode == 2 and "changes one file" in got.stderr, got.stderr)


class Daemon(socketserver.ThreadingUnixStreamServer):
    """A holdfastd that answers each call, and remembers it with the drop-in as it was then."""
    daemon_threads = True

    def __init__(self, path, drop_in, error=None):
        self.calls = []
        self.drop_in = drop_in
        self.error = error
        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        text = b""
        while not text.endswith(b"\0"):
            more = self.request.recv(1 << 16)
            if not more:
                return
            text += more
        call = json.loads(text[:-1])
        name = call["method"].rsplit(".", 1)[1]
        has_drop_in = os.path.exists(self.server.drop_in)
        self.server.calls.append((name, call.get("parameters", {}), has_drop_in))
        reply = {"parameters": {"generation": 7, "changed": True}}
        if name == self.server.error:
            reply = {"error": "io.holdfast.Control.Failed", "parameters": {"message": "no"}}
        if name == "Policy":
            reply = {"error": "org.varlink.service.MethodNotFound"}
        self.request.sendall(json.dumps(reply).encode() + b"\0")


def check_machine(folder):
    events = os.path.join(folder, "asked.jsonl")
    directory = os.path.join(folder, "policy.d")
    drop_in = os.path.join(directory, "web.toml.d", "zz-learned.toml")
    write(os.path.join(directory, "web.toml"), POLICY)
    os.chmod(folder, 0o755)
    socket = os.path.join(folder, "control")
    ask = ["learn", events, "-i", "--policy-dir", directory, "--socket", socket]
    got = run(ask, "y\nn\ny\n")
    check("without a daemon the machine's policy gets a drop-in", got.returncode == 0 and f"wrote {drop_in}" in got.stdout,
          got.stdout + got.stderr)
    check("and its file stays as it was", read(os.path.join(directory, "web.toml")) == POLICY)
    got = run(["policy", "show", "--files", "--policy-dir", directory, "web"])
    check("the drop-in is in force", '["user", "net"]' in got.stdout, got.stdout)
    got = run(ask, "y\nn\n")
    text = read(drop_in)
    check("a second time changes the same drop-in", text.count("namespaces.create") == 1 and
          '["user", "net", "ipc"]' in text, text)

    for answer, end, stays in (("y", "Confirm", True), ("n", "Rollback", False), ("", "Rollback", False)):
        os.remove(drop_in) if os.path.exists(drop_in) else None
        with Daemon(socket, drop_in) as daemon:
            got = run(ask, f"y\nn\nn\n{answer}\n" if answer else "y\nn\nn\n")
            calls = [call for call in daemon.calls if call[0] != "Policy"]
            daemon.shutdown()
        os.remove(socket)
        check(f"with a daemon, and the answer '{answer}': {end}",
              [call[0] for call in calls] == ["Stage", "Reload", end] and [call[2] for call in calls] ==
              [False, True, stays] and calls[1][1] == {"confirm_ms": 60000} and os.path.exists(drop_in) == stays,
              f"{calls}\n{got.stdout}{got.stderr}")
    os.remove(drop_in) if os.path.exists(drop_in) else None
    with Daemon(socket, drop_in, "Reload") as daemon:
        got = run(ask, "y\nn\nn\n")
        daemon.shutdown()
    os.remove(socket)
    check("a daemon that refuses the policy: the files are as before",
          got.returncode == 1 and not os.path.exists(drop_in), got.stdout + got.stderr)


with tempfile.TemporaryDirectory() as base:
    toml = os.path.join(base, "policy.toml")
    write(toml, POLICY)
    check_size(base, toml)
    check_places(base)
    check_interactive(base, toml)
    check_machine(base)
plan()
sys.exit(0)
