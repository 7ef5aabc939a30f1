#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents have short sentences, no retired metaphors, few terms, and name only paths and headings that exist."""

import glob
import os
import re
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
MOST_WORDS = 35
MOST_TERMS = 25
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md")
MANUALS = ("man/*.scd",)
HELP = ("src/cli/*.cc", "src/daemon/main.cc")
# Each retired word, and the plain word for it.
METAPHORS = {
    "door": "the connect helper, or the supervisor's copy of a cgroup file",
    "wall": "the Landlock domain",
    "canary": "self-test", "unheld": "unenforced",
    "fold": "aggregate", "folded": "aggregated", "folder": "directory, or event aggregator",
    "meter": "counter",
    "desk": "handler", "office": "handler", "errand": "request",
    "voice": "whether a decision is reported", "haste": "the time that is left", "scene": "state",
}
RETIRED = re.compile(r"\b(" + "|".join(METAPHORS) + r")s?\b", re.IGNORECASE)
PATH = re.compile(r"(?<![\w/.])((?:src|docs|tests|include|examples|bench|cmake|tools|man|packaging)/[\w./@*<>{},-]*\w)")
LINK = re.compile(r"\]\((?![a-z]+:)([^)#]*)(?:#([^)]*))?\)")
NAMED_IN = re.compile(r"`(?:\w+::)*(\w+)(?:\(\))?`\s+(?:in|\(|\(in)\s*`(src/[\w./-]+\.(?:cc|h|c|def))`")
TERM = re.compile(r"^(?:\| \*\*|- \*\*|\*\*)([^*]+)\*\*", re.MULTILINE)
BLOCK_START = re.compile(r"\s*(?:[-*+] |\d+\. )")


def units(text):
    """(line number, text) of each paragraph, item of a list and cell of a table; no code and no headings."""
    fenced, listed, start, words = False, False, 0, []
    for number, line in enumerate(text.splitlines() + [""], 1):
        bare = line.strip()
        fence = bare.startswith("```")
        code = fenced or fence or (line.startswith("    ") and not words and not listed)
        table = bare.startswith("|")
        item = bool(BLOCK_START.match(line))
        if words and (code or table or item or not bare or bare.startswith("#")):
            yield start, " ".join(words)
            words = []
        if fence:
            fenced = not fenced
        if bare and not line.startswith(" ") and not item:
            listed = listed and bool(words)
        if code or bare.startswith(("#", "<!--")):
            continue
        if table:
            for cell in re.split(r"(?<!\\)\|", bare.strip("|")):
                yield number, cell
        elif bare:
            listed = listed or item
            start = start if words else number
            words.append(BLOCK_START.sub("", line, count=1) if item else bare)


def prose(text):
    """Without inline code, and of a link what it shows."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "", text))


def long_sentences(path, text):
    for number, unit in units(text):
        for sentence in re.split(r"(?<=[.!?])[)*\"]*\s+", prose(unit)):
            count = len([word for word in sentence.split() if re.search(r"\w", word)])
            if count > MOST_WORDS:
                yield f"{path}:{number}: {count} words: {sentence.strip()[:60]}"


def metaphors(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for word in RETIRED.findall(line):
            yield f"{path}:{number}: '{word}' is retired: {METAPHORS[word.lower()]}"


def help_texts(text):
    """The string literals of a C++ file, each on its line, without paths of includes."""
    text = re.sub(r"^\s*#\s*include[^\n]*|//[^\n]*", "", text, flags=re.MULTILINE)
    return "\n".join(" ".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', line)) for line in text.splitlines())


def gone_paths(path, text, source):
    for number, line in enumerate(text.splitlines(), 1):
        for name in PATH.findall(re.sub(r"\]\([^)]*\)", "]", line)):
            pattern = re.sub(r"<[^>]*>|\bNAME\b", "*", name)
            tried = [pattern]
            if braces := re.match(r"(.*)\{([^}]*)\}(.*)", pattern):
                tried = [braces[1] + part + braces[3] for part in braces[2].split(",")]
            for one in tried:
                if not glob.glob(os.path.join(source, one)):
                    yield f"{path}:{number}: there is no {one}"


def gone_names(path, text, source):
    """Functions and the like that a document looks for in a file that does not have them."""
    for match in NAMED_IN.finditer(text):
        name, file = match.groups()
        if not os.path.isfile(os.path.join(source, file)):
            continue  # gone_paths() tells of it
        with open(os.path.join(source, file), encoding="utf-8") as named:
            if not re.search(rf"\b{name}\b", named.read()):
                number = text.count("\n", 0, match.start()) + 1
                yield f"{path}:{number}: there is no {name} in {file}"


def slug(heading):
    return re.sub(r"[^\w -]", "", prose(heading.replace("`", "")).strip().lower()).replace(" ", "-")


def dead_links(path, text, source):
    for number, line in enumerate(text.splitlines(), 1):
        for target, anchor in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            file = os.path.join(source, os.path.dirname(path), target) if target else os.path.join(source, path)
            if not os.path.exists(file):
                yield f"{path}:{number}: the link leads to no file: {target}"
            elif anchor:
                with open(file, encoding="utf-8") as linked:
                    headings = re.findall(r"^#+ (.*)", linked.read(), re.MULTILINE)
                if anchor not in map(slug, headings):
                    yield f"{path}:{number}: the link leads to no heading: {target}#{anchor}"


def read(source, patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(source, pattern))):
            with open(path, encoding="utf-8") as file:
                yield os.path.relpath(path, source), file.read()


def faults(source):
    for path, text in read(source, DOCUMENTS):
        yield from long_sentences(path, text)
        yield from metaphors(path, re.sub(r"`[^`\n]*`", "", text))
        yield from gone_paths(path, text, source)
        yield from gone_names(path, text, source)
        yield from dead_links(path, text, source)
        terms = len(TERM.findall(text))
        if path == "docs/glossary.md" and not 0 < terms <= MOST_TERMS:
            yield f"{path}: {terms} terms, {MOST_TERMS} at most"
    for path, text in read(source, MANUALS):
        yield from metaphors(path, text)
    for path, text in read(source, HELP):
        yield from metaphors(path, help_texts(text))


number = 0


def check(name, condition, explanation=""):
    global number
    number += 1
    print(f"{'ok' if condition else 'not ok'} {number} - {name}")
    if not condition and explanation:
        print("\n".join(f"# {line}" for line in explanation.splitlines()))


def planted():
    """Each rule finds the fault that was made for it, and nothing in what is allowed."""
    many, enough = " ".join(["word"] * 36), " ".join(["word"] * 35)
    for name, path, text, wanted in [
        ("a long sentence", "README.md", f"Short. {many}.\n", "36 words"),
        ("a long sentence over two lines", "docs/a.md", f"word\n{enough}\n", "36 words"),
        ("a long item of a list", "docs/a.md", f"- short\n- {enough}\n  word\n", "36 words"),
        ("a long cell of a table", "SECURITY.md", f"| a | b |\n|---|---|\n| c | {many} |\n", "36 words"),
        ("a long sentence in a link", "docs/a.md", f"[{many}](a.md)\n", "36 words"),
        ("a long sentence after a short one", "docs/a.md", f"Short. {many}.\n", "36 words"),
        ("a metaphor in a document", "docs/a.md", "It is folded.\n", "'folded' is retired"),
        ("a metaphor in a manual", "man/a.1.scd", "The door opens.\n", "'door' is retired"),
        ("a metaphor in a help text", "src/cli/main.cc", 'add("--x", "A canary");\n', "'canary' is retired"),
        ("a glossary of 26 terms", "docs/glossary.md", "".join(f"- **t{i}**: x.\n" for i in range(26)), "26 terms"),
        ("a path that is gone", "docs/a.md", "See `src/gone.cc`.\n", "there is no src/gone.cc"),
        ("a function that is not in the file", "docs/a.md",
         "`no_such()` in\n`src/some.h` decides.\n", "no no_such in src/some.h"),
        ("a link to no file", "docs/a.md", "See [b](b.md).\n", "no file: b.md"),
        ("a link to no heading", "docs/a.md", "# A\nSee [b](#b).\n", "no heading: #b"),
    ]:
        found = faults_of(path, text)
        check(f"{name} is found", len(found) == 1 and wanted in found[0], "\n".join(found))
    for name, path, text in [
        ("a function that is in the file", "docs/a.md", "`some()` (`src/some.h`) decides.\n"),
        ("a sentence of 35 words", "README.md", f"{enough}.\n"),
        ("two sentences", "docs/a.md", f"{enough}. {enough}.\n"),
        ("cells of 35 words each", "docs/a.md", f"| {enough} | {enough} |\n"),
        ("a block of code", "docs/a.md", f"Like this:\n\n    {many}\n\n```\n{many}\n```\n"),
        ("inline code", "docs/a.md", f"{enough} `{many} door`.\n"),
        ("a heading", "docs/a.md", f"# {many}\n"),
        ("a link to a heading", "docs/a.md", "# The `x` of 1\n[b](a.md#the-x-of-1)\n"),
        ("a file that exists, and a pattern", "docs/a.md", "See `docs/a.md` and `docs/*.md`.\n"),
        ("a name in the code of a help file", "src/cli/main.cc", "int door = 0;  // the door\n"),
    ]:
        found = faults_of(path, text)
        check(f"{name} is no fault", not found, "\n".join(found))


def faults_of(path, text):
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(os.path.join(tree, os.path.dirname(path)), exist_ok=True)
        os.makedirs(os.path.join(tree, "src"), exist_ok=True)
        for name, content in ("src/some.h", "int some(void);\n"), (path, text):
            with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
                file.write(content)
        return list(faults(tree))


def main():
    found = list(faults(SOURCE))
    check("sentences are short, words are plain, paths and headings exist", not found, "\n".join(found))
    planted()
    print(f"1..{number}")


if __name__ == "__main__":
    sys.exit(main())
