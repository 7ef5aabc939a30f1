#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rooms under src/ include only what CMakeLists.txt allows them, and keep the rules of the house."""

import os
import re
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KERNEL_LICENCE = "GPL-2.0-only OR BSD-2-Clause"
ERRNO = re.compile(r"(?<![\w.>])errno\b(?!\()")
# Who else may: libholdfast-hooks and its commands, which are libbpf's convention; the self-tests, which try the
# forbidden calls themselves; and the one file of policy/ that opens files, since policy/ stands on no kernel.
MAY_READ_ERRNO = ("kernel/", "hooks/", "cli/hooks.cc", "cli/self_test.cc", "backend/lsm/run/self_test.cc", "policy/load.cc")


NAMED_FILE = re.compile(r"(?<![\w/.<$*{-])((?:[\w-]+/)*\w[\w.-]*\.(?:h|hpp|cc|c|py|sh|md|test|cases))(?![\w*-])")
KERNEL_SOURCES = ("fs/", "include/", "kernel/bpf/", "kernel/cgroup/", "lib/", "linux/", "net/", "uapi/")
# A function that is defined there. Macros, and programs (BPF_PROG), have capital letters.
C_FUNCTION = re.compile(r"^[a-z_][\w *]*[ *]([a-z][a-z0-9_]*)\((?!.*;$)", re.MULTILINE)
PARTS = ("src", "include", "docs", "tests", "tools", "bench", "cmake")


def rooms(cmake):
    """{room: the rooms it may include}, from the holdfast_room() lines."""
    found = {}
    for line in re.findall(r"^holdfast_room\(([^)]*)\)", cmake, re.MULTILINE):
        room, *used = line.split()
        found[room] = set(used) | {room}
    return found


def room_of(path, names):
    """The deepest room that a path below src/ lies in: backend/lsm before backend."""
    inside = [name for name in names if path.startswith(name + "/")]
    return max(inside, key=len, default=None)


def without_comments(text):
    text = re.sub(r'^\s*#\s*include.*|"(\\.|[^"\\\n])*"', "", text, flags=re.MULTILINE)
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def comments_of(text):
    """(line number, text) of each line of a comment, without what is indented as an example."""
    for match in re.finditer(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', text, re.DOTALL):
        if match.group().startswith("/"):
            first = text.count("\n", 0, match.start()) + 1
            for number, line in enumerate(match.group().splitlines(), first):
                words = re.sub(r"^\s*(//+|/?\*+)", "", line)
                if not words.startswith("    "):
                    yield number, words


def gone_files(path, text, files):
    """Files that a comment names and that are neither in the tree nor the kernel's."""
    for number, words in comments_of(text):
        for name in NAMED_FILE.findall(words):
            if not name.startswith(KERNEL_SOURCES) and not any(("/" + file).endswith("/" + name) for file in files):
                yield f"{path}:{number}: there is no {name}"


def faults_in(path, text, allowed):
    room = room_of(path, allowed)
    if room is None:
        yield f"{path}: lies in no room"
        return
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        used = include and room_of(include.group(1), allowed)
        if used and used not in allowed[room]:
            yield f"{path}:{number}: {room} may not include {used}"
    licence = KERNEL_LICENCE if room in ("core", "bpf") else "Apache-2.0"
    if f"SPDX-License-Identifier: {licence}" not in text[:200]:
        yield f"{path}: does not begin with the licence {licence}"
    elif not re.match(rf"(// |/\* )SPDX-License-Identifier: {licence}( \*/)?\n", text):
        yield f"{path}: the licence has no line of its own"
    if not path.startswith(MAY_READ_ERRNO) and ERRNO.search(without_comments(text)):
        yield f"{path}: reads errno, which is for kernel/ to do"


def prefix_faults(path, text):
    """hf_ is the prefix of what core and bpf/lib offer to several objects, and no other function in C has one."""
    if not path.startswith(("core/", "bpf/")):
        return
    shared = path.startswith(("core/", "bpf/lib/"))
    for match in C_FUNCTION.finditer(text):
        if match.group(1).startswith("hf_") != shared:
            number = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: {match.group(1)}() is {'' if shared else 'not '}for several objects"


def faults(source):
    with open(os.path.join(source, "CMakeLists.txt"), encoding="utf-8") as file:
        allowed = rooms(file.read())
    tree = [os.path.relpath(os.path.join(folder, name), source) for part in PARTS
            for folder, _, names in os.walk(os.path.join(source, part)) for name in names]
    for path in sorted(tree):
        if not path.startswith(("src/", "include/")) or not path.endswith((".c", ".h", ".hpp", ".cc")):
            continue
        with open(os.path.join(source, path), encoding="utf-8") as file:
            text = file.read()
        if path.startswith("src/"):
            yield from faults_in(path.removeprefix("src/"), text, allowed)
            yield from prefix_faults(path.removeprefix("src/"), text)
        yield from gone_files(path, text, tree)


def cycle(allowed):
    """A room that can reach itself through its arrows, or None."""
    def reach(room, seen):
        for used in allowed[room] - {room}:
            if used not in seen:
                seen.add(used)
                reach(used, seen)
        return seen
    return next((room for room in allowed if room in reach(room, set())), None)


number = 0


def check(name, condition, explanation=""):
    global number
    number += 1
    print(f"{'ok' if condition else 'not ok'} {number} - {name}")
    if not condition and explanation:
        print("\n".join(f"# {line}" for line in explanation.splitlines()))


def planted():
    """Each rule finds the fault that was made for it."""
    with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
        cmake = file.read()
    apache = "// SPDX-License-Identifier: Apache-2.0\n"
    for name, path, text, wanted in [
        ("an arrow that is not there", "core/a.h", f"/* SPDX-License-Identifier: {KERNEL_LICENCE} */\n"
         '#include "base/fd.h"\n', "core may not include base"),
        ("one backend in the other", "backend/lsm/a.cc", apache + '#include "backend/supervisor/session.h"\n',
         "backend/lsm may not include backend/supervisor"),
        ("an include with spaces", "policy/a.cc", apache + '  #  include "kernel/proc/proc.h"\n',
         "policy may not include kernel"),
        ("a file in no room", "stray.cc", apache, "lies in no room"),
        ("another licence", "bpf/a.bpf.c", apache, "does not begin with the licence"),
        ("a comment in the line of the licence", "base/a.cc", apache[:-1] + " Reads files.\n", "no line of its own"),
        ("a comment about a file that is gone", "base/a.cc", apache + "// see kernel/gone.h\n", "there is no kernel/gone.h"),
        ("the prefix of shared functions on another one", "bpf/guard/a.bpf.h",
         f"/* SPDX-License-Identifier: {KERNEL_LICENCE} */\nstatic int hf_f(void) {{ return 0; }}\n", "not for several"),
        ("a shared function without it", "bpf/lib/a.bpf.h",
         f"/* SPDX-License-Identifier: {KERNEL_LICENCE} */\nstatic int f(int n) {{ return n; }}\n", "for several"),
        ("errno read elsewhere", "run/a.cc", apache + "int f() { return errno; }\n", "reads errno"),
    ]:
        with tempfile.TemporaryDirectory() as tree:
            os.makedirs(os.path.join(tree, "src", os.path.dirname(path)))
            with open(os.path.join(tree, "CMakeLists.txt"), "w", encoding="utf-8") as file:
                file.write(cmake)
            with open(os.path.join(tree, "src", path), "w", encoding="utf-8") as file:
                file.write(text)
            found = list(faults(tree))
        check(f"{name} is found", len(found) == 1 and wanted in found[0], "\n".join(found))


def main():
    with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
        allowed = rooms(file.read())
    with open(os.path.join(SOURCE, "docs/architecture.md"), encoding="utf-8") as file:
        picture = file.read()
    found = list(faults(SOURCE))
    check("every include follows an arrow, every file keeps the rules", not found, "\n".join(found))
    check("every room has files", all(os.path.isdir(os.path.join(SOURCE, "src", room)) for room in allowed))
    check("the arrows make no circle", cycle(allowed) is None, str(cycle(allowed)))
    missing = [room for room in allowed if f"`{room}/`" not in picture and f"`{room}`" not in picture]
    check("docs/architecture.md draws every room", not missing, " ".join(missing))
    planted()
    print(f"1..{number}")


if __name__ == "__main__":
    sys.exit(main())
