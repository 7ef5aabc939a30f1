#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a manual for each command of holdfast: holdfast-COMMAND.1.

    man/pages.py HOLDFAST man/holdfast.1.scd DIRECTORY

Names, arguments, options, exit codes and examples are those that the program prints as help. The description is that of
the command in holdfast.1.scd. scdoc makes the pages.
"""

import os
import re
import subprocess
import sys


def escaped(text):
    text = re.sub(r"([\\_*~])", r"\\\1", text)
    return re.sub(r"^([#`|\[\]-])", r"\\\1", text)


class Help:
    """What `holdfast COMMAND --help` prints."""

    def __init__(self, holdfast, words):
        text = subprocess.run([holdfast, *words, "--help"], capture_output=True, text=True, check=True).stdout
        self.words = words
        head, _, rest = text.partition("\nUsage: ")
        self.what = " ".join(head.split()).rstrip(".")
        self.usage, _, rest = rest.partition("\n")
        self.sections = {}  # by title: (term, explanation)
        self.paragraphs = []
        for part in re.split(r"\n\n+", rest.strip("\n")):
            title, _, body = part.partition("\n")
            if body.startswith("  ") and title.endswith(":") and not title.startswith("Example"):
                self.sections[title[:-1]] = self.terms(body)
            else:
                self.paragraphs.append(part)

    @staticmethod
    def terms(body):
        found = []
        for line in body.splitlines():
            term = re.match(r"  {0,6}(\S.*?)(?:  +(\S.*))?$", line)
            if term and not line.startswith(" " * 20):
                found.append([term[1], term[2] or ""])
            elif found:
                found[-1][1] = (found[-1][1] + " " + line.strip()).strip()
        return found

    def examples(self):
        return [part.split("\n", 1)[1] for part in self.paragraphs if part.startswith("Example")]

    def exit_codes(self):
        return [part.split(":", 1)[1] for part in self.paragraphs if part.startswith("Exit codes:")]

    def explanations(self):
        return [part for part in self.paragraphs if not re.match(r"Exit codes:|Examples?:|holdfast help", part)]


def descriptions(manual):
    """The text below each entry of COMMANDS, by the first words of the entry: "run", "policy list"."""
    with open(manual, encoding="utf-8") as file:
        commands = file.read().split("\n# COMMANDS\n")[1].split("\n# ")[0]
    found = {}
    for block in re.split(r"\n(?=\*)", commands):
        title, _, body = block.strip("\n").partition("\n")
        if not title.startswith("*"):
            continue
        for entry in title.split(", "):
            word = re.sub(r"[*_]", "", entry).split(" [")[0]
            names = re.match(r"([a-z-]+)(?: ([a-z|]+))?", word)
            for last in (names[2] or "").split("|"):
                name = f"{names[1]} {last}".strip()
                found.setdefault(name, []).append(re.sub(r"^\t", "", body, flags=re.MULTILINE))
    return found


def page(holdfast, name, described):
    top = Help(holdfast, [name])
    parts = [top]
    for term, _ in top.sections.get("Commands", []):
        parts.append(Help(holdfast, [name, term]))
    out = [f"holdfast-{name}(1)", "", "# NAME", "", f"holdfast-{name} - {escaped(top.what[0].lower() + top.what[1:])}", "",
           "# SYNOPSIS", ""]
    for part in parts[1:] or parts:
        out += ["*" + " ".join(["holdfast", *part.words]) + "*" + escaped(part.usage.split(part.words[-1], 1)[1]), ""]
    out += ["# DESCRIPTION", ""]
    for part in parts:
        key = " ".join(part.words)
        if len(parts) > 1 and part is not top:
            out += [f"## {' '.join(part.words)}", "", escaped(part.what) + ".", ""]
        texts = described.get(key, [])
        if texts:
            out += ["\n\n".join(dict.fromkeys(texts)), ""]
        else:
            out += [line for text in part.explanations() for line in (escaped(" ".join(text.split())), "")]
        if len(parts) == 1:
            out += ["# OPTIONS", ""]
        for title in ("Arguments", "Options"):
            for term, what in part.sections.get(title, []):
                out += [f"*{escaped(term)}*", f"\t{escaped(what)}", ""]
    codes = [(part, text) for part in parts for text in part.exit_codes()]
    if codes:
        out += ["# EXIT STATUS", ""]
        for part, text in codes:
            out += [escaped(f"{' '.join(part.words)}: " if len(parts) > 1 else "") + escaped(" ".join(text.split())), ""]
    examples = [text for part in parts for text in part.examples()]
    if examples:
        out += ["# EXAMPLES", ""]
        for text in dict.fromkeys(examples):
            out += ["```", re.sub(r"^  ", "", text, flags=re.MULTILINE), "```", ""]
    out += ["# SEE ALSO", "", "*holdfast*(1), *holdfast-policy*(5), *holdfastd*(8)", ""]
    return "\n".join(out)


def main():
    holdfast, manual, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    described = descriptions(manual)
    sections = Help(holdfast, []).sections
    names = [term for title, terms in sections.items() if title != "Options" for term, _ in terms]
    for name in names:
        text = page(os.path.abspath(holdfast), name, described)
        made = subprocess.run(["scdoc"], input=text, capture_output=True, text=True, check=False)
        if made.returncode:
            sys.exit(f"holdfast-{name}.1: {made.stderr}\n{text}")
        with open(os.path.join(directory, f"holdfast-{name}.1"), "w", encoding="utf-8") as file:
            file.write(made.stdout)


if __name__ == "__main__":
    main()
