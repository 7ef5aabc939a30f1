#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command line of holdfast in README, the documents, the manuals and the help is one that the program takes. Those
that need nothing but files are run. Each command has a manual, which has its options, and `doctor --fix` does what it
says."""

import glob
import html
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.abspath(os.environ.get("HOLDFAST_BUILD", os.path.join(SOURCE, "build")))
HOLDFAST = os.path.join(BUILD, "holdfast")
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/*.md", "man/*.scd", "examples/*.toml",
             "library/*/*.toml")
# What a document writes in the place of a value: `F…`, CMD, PROFILE. Such a line is a description.
PLACEHOLDER = re.compile(r"[…|<>\\[]|\b[A-Z]{3,}[A-Z0-9_]*\b|\b[FOPTND]\b|\.\.\.")
CODE = re.compile(r"^(?:[$#]|\s{4}[$#]?|\s*)\s*(?:sudo )?(holdfast [a-z-]+.*)$")
# They read and write only files that are named, and ask no kernel for more than a process.
RUNNABLE = {"check", "test", "why", "replay", "learn", "report", "help", "version"}


def run(*arguments, **options):
    return subprocess.run([HOLDFAST, *arguments], capture_output=True, text=True, check=False,
                          **{"stdin": subprocess.DEVNULL, **options})


def commands_in(path, text):
    """(place, command line) of each line of code that runs holdfast."""
    fenced = False
    for count, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("```"):
            fenced = not fenced
            continue
        is_code = path.endswith((".toml", ".help")) or fenced or line.startswith("    ") or line.startswith("\t\t")
        found = CODE.match(line) if is_code else None
        if found:
            yield f"{path}:{count}", found[1]


def words_of(line):
    """Without comments, redirections and what follows in the shell. None: it is a description, not a command."""
    line = re.sub(r"\s+#.*$", "", html.unescape(line)).rstrip("\\").strip()
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="<>;&|")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return None
    for i, word in enumerate(words):
        if re.fullmatch(r"\d?[<>;&|]+", word):
            words = words[:i]
            break
    if any(PLACEHOLDER.search(word) for word in words[:words.index("--") if "--" in words else None]
           if not word.startswith("{") and word not in ("EVENTS",)):
        return None
    return words[1:]


def subcommands(*words):
    text = run(*words, "--help").stdout
    groups = re.split(r"\n\n", text.partition("\nUsage: ")[2])
    found = []
    for group in groups:
        title, _, body = group.partition("\n")
        if title.endswith(":") and title not in ("Options:", "Arguments:", "Example:", "Examples:"):
            found += re.findall(r"^  ([a-z][a-z-]*)\b", body, re.MULTILINE)
    return found


def all_commands():
    for name in subcommands():
        yield (name,)
        for below in subcommands(name):
            yield (name, below)


def prepared(folder):
    """The files that documents name."""
    policy = """version = 1
[profile.box]
namespaces.track = true
namespaces.create = []
namespaces.enter = "lock"
[profile.web]
namespaces.create = []
[profile.nginx]
namespaces.enter = "none"
[[test]]
request = "profile=web way=unshare type=net"
expect = "deny"
"""
    for name in ("box", "web", "audit", "new", "p", "service"):
        with open(os.path.join(folder, name + ".toml"), "w", encoding="utf-8") as file:
            file.write(policy)
    run("run", "-q", "--backend", "supervisor", "-p", os.path.join(folder, "web.toml"), "--profile", "web", "--events",
        os.path.join(folder, "events.jsonl"), "--", "sh", "-c", "for i in $(seq 20); do unshare -n true; done; true")
    with open(os.path.join(folder, "events.jsonl"), encoding="utf-8") as file:
        lines = [line for line in file if '"policy":{' not in line]
    with open(os.path.join(folder, "events.jsonl"), "a", encoding="utf-8") as file:
        for i in range(2, 40):  # equal refusals are counted, so the file may have one
            file.write(re.sub(r'"id":\d+', f'"id":{i}', lines[0]))
    for name in ("events.json", "events"):
        os.symlink("events.jsonl", os.path.join(folder, name))
    os.symlink(os.path.join(SOURCE, "examples"), os.path.join(folder, "examples"))
    os.symlink(os.path.join(SOURCE, "tests"), os.path.join(folder, "tests"))


def check_documents():
    lines = []
    for pattern in DOCUMENTS:
        for path in sorted(glob.glob(os.path.join(SOURCE, pattern))):
            with open(path, encoding="utf-8") as file:
                lines += commands_in(os.path.relpath(path, SOURCE), file.read())
    for words in all_commands():
        lines += commands_in(" ".join(words) + ".help", run(*words, "--help").stdout)
    bad, ran, failed = [], 0, []
    checked = set()
    with tempfile.TemporaryDirectory() as folder:
        prepared(folder)
        config = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"))
        os.makedirs(os.path.join(folder, "config", "holdfast"))
        os.symlink(os.path.join(SOURCE, "library", "profiles"), os.path.join(folder, "config", "holdfast", "profiles"))
        for place, line in lines:
            words = words_of(line)
            if words is None or tuple(words) in checked:
                continue
            checked.add(tuple(words))
            parsed = run("__parse", *words)
            if parsed.returncode:
                bad.append(f"{place}: {line}: {parsed.stderr}")
                continue
            if words[0] not in RUNNABLE or any("/var/" in word or "/etc/" in word or word.startswith("postgresql:") for word in words) or \
                    (words[0] in ("why",) and not any(word in ("-p", "--policy", "--events") for word in words)) or \
                    (words[0] == "test" and len(words) == 1):
                continue
            done = run(*words, cwd=folder, env=config, timeout=120)
            ran += 1
            # The shared definitions are in /usr/lib, which this machine need not have.
            if done.returncode not in (0, 1) and "is not defined" not in done.stderr:
                failed.append(f"{place}: {line}: {done.returncode} {done.stdout[-200:]}{done.stderr}")
    check(f"{len(checked)} documented command lines are taken", not bad and len(checked) > 60, "\n".join(bad))
    check(f"{ran} of them were run, and none is wrong", not failed and ran > 12, "\n".join(failed))
    wrong = run("__parse", "why", "--polcy", "x")
    check("a wrong line would be found", wrong.returncode == 2 and "did you mean" in wrong.stderr, wrong.stderr)


def check_manuals():
    missing, lacking = [], []
    with open(os.path.join(SOURCE, "man", "holdfast.1.scd"), encoding="utf-8") as file:
        overview = file.read()
    for words in all_commands():
        path = os.path.join(BUILD, "man", "commands", f"holdfast-{words[0]}.1")
        if not os.path.exists(path):
            missing.append(path)
            continue
        with open(path, encoding="utf-8") as file:
            page = file.read().replace("\\-", "-").replace("\\_", "_")
        if "DESCRIPTION" not in page or "SYNOPSIS" not in page:
            lacking.append(f"{path}: no description")
        lacking += [f"{path}: {option}" for option in re.findall(r"^ {2,6}(?:-\w, )?(--[a-z-]+)", run(*words, "--help").stdout,
                                                                re.MULTILINE) if option not in page]
        if not re.search(rf"^\*(?:holdfast )?[^\n]*\b{re.escape(words[-1])}\b", overview, re.MULTILINE):
            lacking.append(f"holdfast.1 does not name {' '.join(words)}")
    check("each command has a manual", not missing, "\n".join(missing))
    check("and it has all options, as has the overview all commands", not lacking, "\n".join(lacking))
    pages = sorted(glob.glob(os.path.join(BUILD, "man", "commands", "*.1")) + glob.glob(os.path.join(BUILD, "man", "*.[158]")))
    wrong = [done.stderr for done in (subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page],
                                                      capture_output=True, text=True, check=False) for page in pages)
             if done.stderr]
    check("man formats every page without a warning", not wrong, "\n".join(wrong))


def on_terminal(*arguments, environment):
    master, slave = pty.openpty()
    with subprocess.Popen([HOLDFAST, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment,
                          start_new_session=True) as process:
        os.close(slave)
        text = b""
        while select.select([master], [], [], 20)[0]:
            try:
                data = os.read(master, 1 << 16)
            except OSError:
                break
            if not data:
                break
            text += data
    os.close(master)
    return process.returncode, text.decode(errors="replace")


def check_help():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "man1"))
        for page in glob.glob(os.path.join(BUILD, "man", "commands", "*.1")):
            os.symlink(page, os.path.join(folder, "man1", os.path.basename(page)))
        with_pages = dict(os.environ, MANPATH=folder, PAGER="cat", MANPAGER="cat", TERM="dumb")
        status, text = on_terminal("help", "learn", environment=with_pages)
        check("on a terminal help opens the manual", status == 0 and "General Commands Manual" in text, text)
        status, text = on_terminal("help", "--text", "learn", environment=with_pages)
        check("with --text it prints the help", status == 0 and "Usage: holdfast learn" in text, text)
        status, text = on_terminal("help", "learn", environment=dict(with_pages, MANPATH="/nonexistent"))
        check("without the manual too", status == 0 and "Usage: holdfast learn" in text and "No manual" not in text, text)
    done = run("help", "learn")
    check("into a pipe too", done.returncode == 0 and "Usage: holdfast learn" in done.stdout, done.stderr)
    done = run("help", "lern")
    check("help of what is no command", done.returncode == 2 and "learn" in done.stderr, done.stderr)


def check_fix():
    def system(folder, **files):
        root = tempfile.mkdtemp(dir=folder)
        for path, text in {"sys/kernel/security/lsm": "capability,landlock,yama", "proc/cmdline": "quiet",
                           "proc/sys/kernel/ftrace_enabled": "1", **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return root

    def read(root, path):
        path = os.path.join(root, path)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as file:
            return file.read()

    grub = {"etc/default/grub": "GRUB_TIMEOUT=1", "usr/sbin/update-grub": ""}
    config = "etc/default/grub.d/60-holdfast.cfg"
    with tempfile.TemporaryDirectory() as folder:
        root = system(folder, **grub)
        done = run("doctor", "--fix", "--root", root, stdin=None, input="n\n")
        check("doctor --fix asks, and no changes nothing", done.returncode == 1 and read(root, config) is None and
              "Do it? [y/N]" in done.stdout and "lsm=landlock,yama,bpf" in done.stdout, done.stdout)
        done = run("doctor", "--fix", "--root", root)
        check("no answer is no", done.returncode == 1 and read(root, config) is None)
        done = run("doctor", "--fix", "--root", root, stdin=None, input="y\n")
        check("yes adds BPF to the modules that are active", done.returncode == 0 and
              'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX lsm=landlock,yama,bpf"\n' in (read(root, config) or "") and
              "run: update-grub" in done.stdout and "Restart" in done.stdout, done.stdout)
        done = run("doctor", "--fix", "--root", system(folder, **{"sys/kernel/security/lsm": "capability,bpf"}))
        check("where all is well there is nothing to fix", done.returncode == 0 and "nothing to fix" in done.stdout, done.stdout)
        root = system(folder, **{"sys/kernel/security/lsm": "capability,bpf", "proc/sys/kernel/ftrace_enabled": "0",
                                 "proc/sys/user/max_user_namespaces": "0"})
        done = run("doctor", "--fix", "--root", root, stdin=None, input="y\nn\n")
        check("each sysctl has a question of its own", done.returncode == 1 and
              "kernel.ftrace_enabled = 1" in (read(root, "etc/sysctl.d/60-holdfast-ftrace_enabled.conf") or "") and
              read(root, "etc/sysctl.d/60-holdfast-max_user_namespaces.conf") is None, done.stdout)
        root = system(folder, **{"etc/kernel/cmdline": "root=/dev/vda1 quiet", "sys/fs/cgroup/unified/x": ""})
        done = run("doctor", "--fix", "--yes", "--root", root)
        check("systemd-boot, and a hybrid hierarchy", read(root, "etc/kernel/cmdline") ==
              "root=/dev/vda1 quiet lsm=landlock,yama,bpf systemd.unified_cgroup_hierarchy=1\n", done.stdout)
        done = run("doctor", "--fix", "--yes", "--root", system(folder, **{"proc/cmdline": "quiet holdfast=off"}))
        check("what it cannot change it says", done.returncode == 1 and "remove it there" in done.stdout and
              "No known boot loader" in done.stdout and "add lsm=landlock,yama,bpf to" in done.stdout, done.stdout)


check_documents()
check_manuals()
check_help()
check_fix()
plan()
