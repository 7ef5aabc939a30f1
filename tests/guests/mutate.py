#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutate.py GOOD TARGET COUNT: damages a policy in COUNT ways, and asks holdfastd to make each live.

Prints how many were refused, and how many of those with a place in the file. A change that leaves a good policy
is not counted; another takes its turn.
"""

import random
import re
import subprocess
import sys

BAD_WORDS = ["namespace", "enterr", "[", "]", "=", '"', "[[", "99", "true", "\x00", "profile.web", "ü", "{", "}", ","]


def damage(text, turn):
    lines = text.splitlines()
    at = turn.randrange(len(lines))
    how = turn.randrange(5)
    if how == 0:
        place = turn.randrange(len(text))
        return text[:place] + turn.choice(BAD_WORDS) + text[place:]
    if how == 1:
        place = turn.randrange(len(text))
        return text[:place] + text[place + 1:]
    if how == 2:
        return "\n".join(lines[:at] + [lines[at], lines[at]] + lines[at + 1:]) + "\n"
    if how == 3:
        return text[:turn.randrange(1, len(text))]
    return text.replace(turn.choice(["systemd", "web", "none", "cgroups", "mnt"]), turn.choice(BAD_WORDS))


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    good, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(good, encoding="utf-8") as file:
        text = file.read()
    turn = random.Random(1)
    refused = placed = tried = 0
    strange = []
    while tried < count:
        with open(target, "w", encoding="utf-8") as file:
            file.write(damage(text, turn))
        if run("holdfast", "check", target).returncode == 0:
            continue
        tried += 1
        answer = run("holdfast", "reload")
        refused += answer.returncode != 0
        # As the place of the mistake, or as that of what another file contradicts.
        if re.search(r"(^|first at )" + re.escape(target) + r":\d+:\d+(: error: |$)", answer.stdout + answer.stderr,
                     re.MULTILINE):
            placed += 1
        else:
            strange.append(answer.stdout + answer.stderr)
    print(f"{refused} refused, {placed} with a place", *strange[:3])


main()
