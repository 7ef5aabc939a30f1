#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast check --schema` fits the examples, and the documents list just its keys, values and defaults,
and the words of core/enums.def."""

import json
import os
import re
import subprocess
import sys
import tomllib

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
HOLDFAST = os.path.join(os.environ.get("HOLDFAST_BUILD", os.path.join(SOURCE, "build")), "holdfast")
SHORT = 12  # lists of words that are longer are the kernel's, and no document repeats them

number = 0


def check(name, problems):
    global number
    number += 1
    print(f"{'not ok' if problems else 'ok'} {number} - {name}")
    for problem in problems:
        print(f"# {problem}")


def skip(name, why):
    global number
    number += 1
    print(f"ok {number} - {name} # SKIP {why}")


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


class Key:
    """A key of the schema: the words that are values by themselves, those of its lists, the default."""

    def __init__(self, schema):
        self.words = set()
        self.listed = set()
        self.default = schema.get("default")
        self.is_table = schema.get("type") == "object"  # its values are of keys that the author names
        for part in schema.get("anyOf", [schema]):
            self.words |= {json.dumps(word) for word in part.get("enum", [])}
            if part.get("type") == "boolean":
                self.words |= {"true", "false"}
            items = part.get("items", {}).get("enum", [])
            if len(items) <= SHORT:
                self.listed |= set(items)

    def default_text(self):
        return None if self.default in (None, []) else json.dumps(self.default)


def keys_of(table, prefix=""):
    """{"namespaces.enter": Key}; the keys of a socket rule have no prefix, as in the documents."""
    found = {}
    for name, schema in table["properties"].items():
        if "properties" in schema:
            found |= keys_of(schema, f"{prefix}{name}.")
        elif "properties" in schema.get("items", {}):
            found |= keys_of(schema["items"])
        else:
            found[prefix + name] = Key(schema)
    return found


def names_in(text, quote):
    """The keys that a cell or a line names: `.maps` after `bpf.delegate.commands` is `bpf.delegate.maps`."""
    names = []
    for name in re.findall(re.escape(quote) + r"([\w.]+)" + re.escape(quote), text):
        names.append(names[-1].rpartition(".")[0] + name if name.startswith(".") else name)
    return names


def in_markdown(text):
    """(key, cell of values, cell of the default, section) of each row of a table of keys."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        for table in re.findall(r"^\| key \| value \| default \|.*\n((?:\|.*\n)+)", section, re.MULTILINE):
            for row in table.splitlines()[1:]:
                cells = [cell.strip() for cell in row.strip("|").split(" | ")]
                for name in names_in(cells[0], "`"):
                    yield name, cells[1], cells[2], section


def in_manual(text):
    """The same of the manual: a line *KEY* = VALUES, and what is indented below it."""
    for section in re.split(r"^##? ", text, flags=re.MULTILINE):
        for line, body in re.findall(r"^(\*[\w.]+\*.*)\n((?:\t.*\n)+)", section, re.MULTILINE):
            keys, _, values = line.partition(" = ")
            default = re.search(r"Default:? \*([^*]+)\*", body)
            for name in names_in(keys, "*"):
                if values or name not in ("mode", "log"):
                    yield name, values, default.group(1) if default else "", section


def compare(documented, keys, word, default):
    """Differences between a document and the schema. `word` and `default` read a cell."""
    problems = []
    seen = set()
    for name, values, fallback, section in documented:
        seen.add(name)
        key = keys.get(name)
        if key is None:
            problems.append(f"{name}: there is no such key")
            continue
        words = word(values)
        listed = {json.dumps(item) for item in key.listed}
        if not key.is_table and words - listed != key.words - listed:
            problems.append(f"{name}: values {sorted(words)} instead of {sorted(key.words)}")
        problems += [f"{name}: {item} is not listed" for item in sorted(key.listed)
                     if not re.search(rf"[`*\"]{re.escape(item)}[`*\"]", section)]
        if default(fallback) != key.default_text():
            problems.append(f"{name}: default {fallback} instead of {key.default_text()}")
    return problems + [f"{name}: is not documented" for name in sorted(set(keys) - seen)]


def documents(schema):
    keys = keys_of(schema["$defs"]["profile"])
    words = {word for key in keys.values() for word in key.words}

    def markdown_word(cell):
        return {text for text in re.findall(r"`([^`]+)`", cell) if text in words}

    def markdown_default(cell):
        text = re.fullmatch(r"`([^`]+)`", cell)
        return text.group(1) if text else None

    def manual_word(values):
        return {text for text in re.findall(r"\*([^*]+)\*", values) if text in words}

    def manual_default(text):
        if not text:
            return None
        return text if text in ("true", "false") else json.dumps(text)

    markdown = [row for row in in_markdown(read("docs/policy.md")) if row[0] != "version"]
    check("docs/policy.md lists the keys", compare(markdown, keys, markdown_word, markdown_default))
    manual = [row for row in in_manual(read("man/holdfast-policy.5.scd")) if row[0] != "version"]
    check("the manual lists the keys", compare(manual, keys, manual_word, manual_default))
    check("a word that is missing is found", [] if compare(
        [("mode", '`"enforce"`', '`"enforce"`', "")], {"mode": keys["mode"]}, markdown_word, markdown_default)
        else ["not found"])


def rows_of(macro):
    """The strings of each row of core/enums.def that begins with the macro."""
    text = read("src/core/enums.def").split("#endif\n\n")[-1]
    return [re.findall(r'"([^"]*)"', row) for row in re.findall(rf"^{macro}\([^)\n]*\)", text, re.MULTILINE)]


def enumerations():
    policy = read("docs/policy.md")
    for word, macro in (("hook", "HF_OP"), ("way", "HF_VIA"), ("flags", "HF_REQ")):
        row = re.search(rf"^\| `{word}=` \|(.*)\|$", policy, re.MULTILINE).group(1)
        listed, wanted = re.findall(r"`([^`]+)`", row), [strings[0] for strings in rows_of(macro)]
        check(f"docs/policy.md lists the words of {word}=", [] if listed == wanted and wanted else
              [f"{sorted(set(listed) ^ set(wanted))}"])
    reasons = re.search(r"^\| reason \| text \|\n.*\n((?:\|.*\n)+)", policy, re.MULTILINE).group(1)
    listed = re.findall(r"^\| `([^`]+)` \| (.*) \|$", reasons, re.MULTILINE)
    wanted = [tuple(strings) for strings in rows_of("HF_REASON")]
    check("docs/policy.md lists the reasons", [f"{row}" for row in sorted(set(listed) ^ set(wanted))] or
          ([] if wanted else ["core/enums.def has none"]))


def policies():
    """(name, tables) of each file that the language accepts."""
    folder = os.path.join(SOURCE, "examples")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".toml"):
            yield name, tomllib.loads(read(os.path.join("examples", name)))
    for count, block in enumerate(re.findall(r"```toml\n(.*?)```", read("docs/policy.md"), re.DOTALL), 1):
        yield f"example {count} of docs/policy.md", tomllib.loads(block)


MISTAKES = [
    "version = 1\n[sessions]\nusers = \"alice\"",
    "version = 1\n[sessions]\nusers = [\"1000\"]",
    "version = 1\n[sessions]\nusers = [0]",
    "version = 1\n[sessions]\nusers = [\"@\"]",
    "version = 1\n[sessions]\nsessions = 0",
    "version = 1\n[sessions]\nmembers = 16385",
    "version = 1\n[sessions]\nuser = []",
    "[profile.a]",
    "version = 2",
    "version = 1\nprofil = {}",
    "version = 1\n[profile.a]\nnamespaces.entr = \"none\"",
    "version = 1\n[profile.a]\nnamespaces.enter = \"nine\"",
    "version = 1\n[profile.a]\nnamespaces.create = [\"nett\"]",
    "version = 1\n[profile.a]\nnamespaces.track = 1",
    "version = 1\n[profile.a]\ncgroups.leave = \"manager\"",
    "version = 1\n[profile.a]\ncgroup = []",
    "version = 1\n[profile.a]\nbpf.delegate.maps = [\"hsh\"]",
    "version = 1\n[profile.a]\nbpf.quota.maps = -1",
    "version = 1\n[profile.a]\nbpf.quota.memory = \"16\"",
    "version = 1\n[profile.a]\nlabel.set = [\"varlink\"]",
    "version = 1\n[profile.any]",
    "version = 1\n[[profile.a.socket]]\nverdict = \"deny\"",
    "version = 1\n[[profile.a.socket]]\non = []\nverdict = \"deny\"",
    "version = 1\n[[profile.a.socket]]\non = [\"bind\"]",
    "version = 1\n[[profile.a.socket]]\non = [\"bind\"]\nverdict = \"deny\"\nrate = \"1/s\"",
    "version = 1\n[[profile.a.socket]]\non = [\"bind\"]\nlabel = { x = \"y\" }\nverdict = \"deny\"",
]


def refused_by_holdfast(text):
    return subprocess.run([HOLDFAST, "check", "/dev/stdin"], input=text, text=True, capture_output=True,
                          check=False).returncode == 2


def validate(schema):
    try:
        import jsonschema
    except ImportError:
        return skip("the schema accepts what the language accepts", "python3-jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    check("the schema accepts every example",
          [f"{name}: {error.message}" for name, tables in policies() for error in validator.iter_errors(tables)])
    check("the schema refuses mistakes", [text for text in MISTAKES if validator.is_valid(tomllib.loads(text))])


def main():
    done = subprocess.run([HOLDFAST, "check", "--schema"], capture_output=True, text=True, check=False)
    check("check --schema: status, and nothing on standard error",
          [] if done.returncode == 0 and not done.stderr else [f"{done.returncode} {done.stderr}"])
    schema = json.loads(done.stdout)
    profile = schema["$defs"]["profile"]
    check("no table of the schema takes keys that it does not know", [
        name for name, table in profile["properties"].items()
        if "properties" in table and table.get("additionalProperties") is not False])
    documents(schema)
    enumerations()
    check("what the schema is to refuse is a mistake", [text for text in MISTAKES if not refused_by_holdfast(text)])
    validate(schema)
    print(f"1..{number}")


if __name__ == "__main__":
    sys.exit(main())
