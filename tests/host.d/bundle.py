#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast bundle` and `holdfastd --apply-bundle`: what is made, what is refused, kills in the middle, and a full disk.
The holdfastd that makes files live is a pretended one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TESTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..")
sys.path.insert(0, TESTS)
from fleet.pretended_holdfastd import Machine, Server  # noqa: E402
from tap import check, plan, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("HOLDFAST_BUILD", "build"))
HOLDFAST, HOLDFASTD = os.path.join(BUILD, "holdfast"), os.path.join(BUILD, "holdfastd")
FACTOR = float(os.environ.get("HOLDFAST_WAIT_FACTOR", "1"))
GOOD = 'version = 1\n[profile.web]\ncgroup = "/web"\nnamespaces.enter = "none"\n'


def run(*words, program=HOLDFAST, **options):
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    done.all = done.stdout + done.stderr
    return done


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def read(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


class Fleet:
    """Keys, and a machine with directories of its own."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("fleet", "other"):
            self.key(name)
        self.vendor = os.path.join(folder, "vendor")
        os.makedirs(self.vendor)
        self.number = 0
        self.server = Server()
        self.machine()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def key(self, name):
        for words in (["genpkey", "-algorithm", "ed25519", "-out", self.path(name + ".key")],
                      ["pkey", "-in", self.path(name + ".key"), "-pubout", "-out", self.path(name + ".pub")]):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        os.chmod(self.path(name + ".key"), 0o600)
        os.chmod(self.path(name + ".pub"), 0o644)

    def machine(self, **options):
        self.number += 1
        root = self.path(f"machine{self.number}")
        self.policy, self.state, self.socket = (os.path.join(root, name) for name in ("policy.d", "state", "socket"))
        os.makedirs(self.policy)
        self.daemon = Machine(self.policy, **options)
        self.server.add(self.socket, self.daemon)

    def make(self, name, files, *more, key="fleet"):
        source = self.path("source", name)
        shutil.rmtree(source, ignore_errors=True)
        os.makedirs(source)
        for path, text in files.items():
            write(os.path.join(source, path), text)
        out = self.path(name + ".bundle")
        done = run("bundle", "make", source, "--key", self.path(key + ".key"), "--name", name, "-o", out, *more)
        assert done.returncode == 0, done.all
        return out

    def apply(self, file, *more, program=HOLDFAST, **options):
        words = ["--trust", self.path("fleet.pub"), "--policy-dir", self.policy, "--state-dir", self.state, *more]
        if program == HOLDFASTD:
            return run("--apply-bundle", file, "--allow-unenforced", *words, program=program, **options)
        return run("bundle", "apply", file, "--socket", self.socket, *words, **options)

    def show(self, *words):
        return run("bundle", "show", "--policy-dir", self.policy, "--state-dir", self.state, *words)


def check_make(fleet):
    first = fleet.make("2026-11-28.1", {"web.toml": GOOD, "web.toml.d/x.toml": "version = 1\n"}, "--health", "http")
    trust = ["--trust", fleet.path("fleet.pub")]
    done = run("bundle", "verify", first, *trust)
    check("a bundle is verified", done.returncode == 0 and "bundle 2026-11-28.1, signed by fleet.pub" in done.stdout, done.all)
    done = run("bundle", "show", "--json", first, *trust)
    shown = json.loads(done.stdout)
    check("and shown", [file["path"] for file in shown["files"]] == ["web.toml", "web.toml.d/x.toml"] and
          shown["checks"] == ["http"] and shown["ring"] == 100, done.all)
    with open(first, "rb") as file:
        bytes_of_first = file.read()
    fleet.make("2026-11-28.1", {"web.toml": GOOD, "web.toml.d/x.toml": "version = 1\n"}, "--health", "http")
    with open(first, "rb") as file:
        check("the same arguments give the same bytes", file.read() == bytes_of_first)
    # The format is what docs/fleet.md says: OpenSSL alone can verify it.
    lines = bytes_of_first.split(b"\n", 2)
    write(fleet.path("signed"), "")
    with open(fleet.path("signed"), "wb") as file:
        file.write(lines[0] + b"\n" + lines[2])
    subprocess.run(["openssl", "base64", "-d", "-A", "-out", fleet.path("signature")], input=lines[1], check=True)
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", fleet.path("fleet.pub"), "-rawin",
                           "-in", fleet.path("signed"), "-sigfile", fleet.path("signature")], capture_output=True, check=False)
    check("OpenSSL verifies the signature", done.returncode == 0, done)

    source = fleet.path("bad")
    for what, text in {"x.toml": 'version = 1\nx = 1\n'}.items():
        write(os.path.join(source, what), text)
    done = run("bundle", "make", source, "--key", fleet.path("fleet.key"), "--name", "1", "-o", fleet.path("bad.bundle"))
    check("a policy with mistakes makes no bundle", done.returncode == 2 and "x.toml:2:1" in done.stderr and
          not os.path.exists(fleet.path("bad.bundle")), done.all)
    shutil.rmtree(source)
    for what, prepare, wanted in [
        ("a symbolic link", lambda path: os.symlink("/etc/hostname", path + "/l.toml"), "symbolic link"),
        ("a FIFO", lambda path: os.mkfifo(path + "/f.toml"), "no regular file"),
        ("a huge file", lambda path: write(path + "/h.toml", "#" * 2000000), "File too large"),
        ("another name", lambda path: write(path + "/README.md", ""), "no name of a policy file"),
        ("an empty directory", lambda path: None, "no policy files")]:
        os.makedirs(source)
        prepare(source)
        done = run("bundle", "make", source, "--key", fleet.path("fleet.key"), "--name", "1", timeout=20 * FACTOR)
        check(f"{what} makes no bundle", done.returncode == 1 and wanted in done.stderr, done.all)
        shutil.rmtree(source)
    os.chmod(fleet.path("other.key"), 0o644)
    write(os.path.join(source, "x.toml"), GOOD)
    done = run("bundle", "make", source, "--key", fleet.path("other.key"), "--name", "1")
    check("a key that others may read is not used", done.returncode == 1 and "chmod 600" in done.stderr, done.all)
    os.chmod(fleet.path("other.key"), 0o600)
    done = run("bundle", "make", source, "--key", fleet.path("fleet.key"), "--name", "../1")
    check("a name is numbers", done.returncode == 2 and "is no name of a bundle" in done.stderr, done.all)


def check_attacks(fleet):
    good = fleet.make("5", {"web.toml": GOOD})
    forged = fleet.make("6", {"web.toml": GOOD + "\n"}, key="other")
    trust = ["--trust", fleet.path("fleet.pub")]
    fleet.apply(good)

    def refused(what, file, wanted, *more, program=HOLDFAST):
        before = (read(os.path.join(fleet.policy, "web.toml")), read(os.path.join(fleet.state, "bundle.json")))
        done = fleet.apply(file, *more, program=program)
        after = (read(os.path.join(fleet.policy, "web.toml")), read(os.path.join(fleet.state, "bundle.json")))
        check(what + " is refused, and nothing changes",
              done.returncode == 1 and wanted in done.stderr and before == after, done.all)

    for program in (HOLDFAST, HOLDFASTD):
        name = os.path.basename(program)
        refused(f"{name}: a bundle of another key", forged, "no trusted key has signed it", program=program)
        refused(f"{name}: an old bundle", fleet.make("4", {"web.toml": GOOD}), "was applied before, and is later", program=program)
        refused(f"{name}: another bundle of the same name", fleet.make("5", {"web.toml": GOOD + "#"}), "a name is used once",
                program=program)
    good = fleet.make("5", {"web.toml": GOOD})
    with open(good, "rb") as file:
        text = file.read()
    for what, changed in [("data after the end", text + b"x"), ("a cut bundle", text[:-1]),
                          ("a byte of the policy", text[:-3] + b"X" + text[-2:]),
                          ("a manifest that names a file outside", text.replace(b'"web.toml"', b'"../../x.toml"'))]:
        with open(fleet.path("changed.bundle"), "wb") as file:
            file.write(changed)
        refused(what, fleet.path("changed.bundle"), "no trusted key has signed it")
    os.mkfifo(fleet.path("fifo.bundle"))
    refused("a FIFO", fleet.path("fifo.bundle"), "a FIFO")
    refused("a device", "/dev/zero", "a device")
    with open(fleet.path("huge.bundle"), "wb") as file:
        file.truncate(1 << 40)
    refused("a huge file", fleet.path("huge.bundle"), "File too large")
    newer = fleet.make("7", {"web.toml": GOOD, "own.toml": "version = 1\n"})
    write(os.path.join(fleet.policy, "own.toml"), "version = 1\n# mine\n")
    refused("a bundle that would replace a file of the machine", newer, "it is a file of this machine")
    os.remove(os.path.join(fleet.policy, "own.toml"))
    os.symlink(fleet.path("outside"), os.path.join(fleet.policy, "own.toml"))
    refused("a link in place of a file", newer, "symbolic link", "--replace")
    check("and nothing is written through it", not os.path.exists(fleet.path("outside")))
    os.remove(os.path.join(fleet.policy, "own.toml"))
    os.chmod(fleet.path("fleet.pub"), 0o666)
    refused("a key that others may write", good, "may write")
    os.chmod(fleet.path("fleet.pub"), 0o644)
    done = run("bundle", "verify", good, "--trust", fleet.path("nowhere"))
    check("without a key nothing is verified", done.returncode == 1, done.all)
    done = run("bundle", "verify", forged, *trust)
    check("verify refuses a foreign key", done.returncode == 1 and "no trusted key" in done.stderr, done.all)
    write(os.path.join(fleet.state, "bundle.json"), "{}")
    refused("any bundle with a damaged record", newer, "record of bundles is damaged")


def check_apply(fleet):
    fleet.machine()
    done = fleet.apply(fleet.make("8", {"web.toml": GOOD, "old.toml": "version = 1\n"}))
    check("a bundle becomes live", done.returncode == 0 and "policy generation 2 is live" in done.stdout and
          fleet.daemon.live["web.toml"] == GOOD, done.all)
    check("files waited meanwhile", fleet.daemon.calls[:3] == ["Status", "Stage", "Reload"], fleet.daemon.calls)
    done = fleet.apply(fleet.make("9", {"web.toml": GOOD + "# 9\n"}), "--confirm", "600s")
    check("with --confirm it waits", done.returncode == 0 and "unless confirmed" in done.stdout, done.all)
    check("a file that the new bundle has not is removed", not os.path.exists(os.path.join(fleet.policy, "old.toml")))
    done = fleet.show()
    check("show says what is applied", done.returncode == 0 and "bundle 9 is applied" in done.stdout, done.all)
    done = fleet.apply(fleet.make("10", {"web.toml": GOOD + "# 10\n"}))
    check("while a policy waits no other is applied", done.returncode == 1 and "waits to be confirmed" in done.stderr, done.all)
    run("rollback", "--socket", fleet.socket)
    done = run("bundle", "revert", "--policy-dir", fleet.policy, "--state-dir", fleet.state, "--socket", fleet.socket)
    check("revert puts the files back", done.returncode == 0 and read(os.path.join(fleet.policy, "web.toml")) == GOOD and
          os.path.exists(os.path.join(fleet.policy, "old.toml")), done.all)
    write(os.path.join(fleet.policy, "web.toml"), GOOD + "# by hand\n")
    done = fleet.show("--json")
    check("show names files that were changed", done.returncode == 1 and json.loads(done.stdout)["changed"] == ["web.toml"],
          done.all)
    write(os.path.join(fleet.policy, "web.toml"), GOOD)
    fleet.daemon.refuses = "web.toml:1:1: error: no\n"
    done = fleet.apply(fleet.make("11", {"web.toml": GOOD + "# 11\n"}))
    check("what holdfastd refuses is taken back", done.returncode == 2 and "web.toml:1:1" in done.stderr and
          read(os.path.join(fleet.policy, "web.toml")) == GOOD and "those of before" in done.stderr, done.all)
    fleet.machine(sealed=True)
    done = fleet.apply(fleet.make("12", {"web.toml": GOOD}))
    check("a sealed machine changes nothing", done.returncode == 1 and "sealed" in done.stderr and not os.listdir(fleet.policy),
          done.all)
    fleet.socket += ".gone"
    done = fleet.apply(fleet.make("13", {"web.toml": GOOD}))
    check("without holdfastd the files wait for its start", done.returncode == 0 and "when it starts" in done.stdout, done.all)
    done = fleet.apply(fleet.make("14", {"web.toml": GOOD + "# 14\n"}), program=HOLDFASTD)
    check("holdfastd applies one, too", done.returncode == 0 and read(os.path.join(fleet.policy, "web.toml")).endswith("# 14\n"),
          done.all)
    done = run("--revert-bundle", "--allow-unenforced", "--policy-dir", fleet.policy, "--state-dir", fleet.state, program=HOLDFASTD)
    check("and reverts it", done.returncode == 0 and read(os.path.join(fleet.policy, "web.toml")) == GOOD, done.all)


def check_kills(fleet):
    """A killed application leaves the files of before or, after the next one, those of the bundle: never a mixture."""
    fleet.machine()
    files = {f"f{i}.toml": f"version = 1\n# old {i}\n" for i in range(40)}
    assert fleet.apply(fleet.make("20", files), "--files-only").returncode == 0
    new = fleet.make("21", {name: text.replace("old", "new") for name, text in files.items()})
    outcomes, mixed, ended = set(), [], 0
    kept = fleet.path("kept")
    shutil.copytree(os.path.dirname(fleet.policy), kept, ignore=lambda _, names: [n for n in names if n == "socket"])
    begun = time.monotonic()
    subprocess.run([HOLDFAST, "bundle", "apply", new, "--files-only", "--trust", fleet.path("fleet.pub"),
                    "--policy-dir", fleet.policy, "--state-dir", fleet.state], check=True, capture_output=True)
    whole_s = time.monotonic() - begun
    for step in range(60):
        for part in ("policy.d", "state"):
            target = os.path.join(os.path.dirname(fleet.policy), part)
            shutil.rmtree(target)
            shutil.copytree(os.path.join(kept, part), target)
        with subprocess.Popen([HOLDFAST, "bundle", "apply", new, "--files-only", "--trust", fleet.path("fleet.pub"),
                               "--policy-dir", fleet.policy, "--state-dir", fleet.state],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole_s * step / 50)
            process.send_signal(signal.SIGKILL)
        unfinished = json.loads(read(os.path.join(fleet.state, "bundle.json")))["to_rename"] != []
        ended += unfinished
        if unfinished:  # the next application ends it before it does anything else
            done = fleet.apply(fleet.make("19", {"x.toml": "version = 1\n"}), "--files-only")
            assert done.returncode == 1 and "is later" in done.stderr, done.all
        texts = {read(os.path.join(fleet.policy, name)).split()[4] for name in files}
        if len(texts) != 1:
            mixed.append((step, unfinished, sorted(texts)))
        outcomes |= texts
    check("after 60 kills the files are never a mixture", not mixed, mixed)
    check("and the kills came at different times", outcomes == {"old", "new"} and ended > 0, f"{outcomes} {ended}")


def check_full_disk(fleet):
    fleet.machine()
    small = fleet.path("small")
    os.makedirs(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], capture_output=True, check=False).returncode:
        skip("a full disk changes nothing", "mount", "no filesystem can be mounted here")
        return
    try:
        fleet.policy, fleet.state = os.path.join(small, "policy.d"), os.path.join(small, "state")
        assert fleet.apply(fleet.make("30", {"web.toml": GOOD}), "--files-only").returncode == 0
        before = (read(os.path.join(fleet.policy, "web.toml")), read(os.path.join(fleet.state, "bundle.json")))
        done = fleet.apply(fleet.make("31", {"web.toml": GOOD, "big.toml": "version = 1\n" + "#" * 300000}), "--files-only")
        after = (read(os.path.join(fleet.policy, "web.toml")), read(os.path.join(fleet.state, "bundle.json")))
        check("a full disk changes nothing", done.returncode == 1 and "No space left" in done.stderr and before == after and
              sorted(os.listdir(fleet.policy)) == ["web.toml"], done.all + str(os.listdir(fleet.policy)))
    finally:
        subprocess.run(["umount", small], check=False)


with tempfile.TemporaryDirectory() as made:
    the_fleet = Fleet(made)
    check_make(the_fleet)
    check_attacks(the_fleet)
    check_apply(the_fleet)
    check_kills(the_fleet)
    check_full_disk(the_fleet)
plan()
