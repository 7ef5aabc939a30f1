# SPDX-License-Identifier: Apache-2.0
"""Reads the Test Anything Protocol strictly: a stream that ends without its plan is a failure."""

import fnmatch
import re
import shlex

RESULT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?(.*?)(?:\s+# (SKIP)\b\s*(.*))?$", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)(?:\s*# SKIP\s*(.*))?\s*$", re.IGNORECASE)
CONTEXT_LINES = 40


class Case:
    def __init__(self, name, outcome, feature="", diagnostics=()):
        self.name = name
        self.outcome = outcome  # "passed", "failed" or "skipped"
        self.feature = feature
        self.diagnostics = list(diagnostics)


class Report:
    """The cases of one job. feed() takes lines as they come, finish() the exit status."""

    def __init__(self, job_name, where, expected_skips):
        self.job_name = job_name
        self.where = where
        self.expected_skips = expected_skips
        self.cases = []
        self.planned = None
        self.bailed_out = None
        self.last_lines = []

    def feed(self, line):
        line = line.rstrip("\n")
        self.last_lines = (self.last_lines + [line])[-CONTEXT_LINES:]
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            self._plan(int(plan[1]), plan[2])
        elif result:
            self._result(result)
        elif line.startswith("Bail out!"):
            self.bailed_out = line
        elif line.startswith("#") and self.cases:
            self.cases[-1].diagnostics.append(line)

    def finish(self, status, ending=""):
        """status: the process's exit status, 0 for success; ending: how it ended, if it matters."""
        if self.bailed_out:
            self.fail("the job runs to its end", [self.bailed_out])
        elif self.planned is None:
            self.fail("the job prints its plan", [f"exit status {status} {ending}"], context=True)
        elif self.planned != len(self.cases):
            told = f"{self.planned} planned, {len(self.cases)} seen, exit status {status} {ending}"
            self.fail("the job keeps to its plan", [told], context=True)
        if status != 0 and self.count("failed") == 0:
            self.fail("the job ends with success", [f"exit status {status} {ending}"], context=True)

    def fail(self, name, diagnostics, context=False):
        lines = [f"# {text}" for text in diagnostics]
        if context:
            lines += [f"#   {line}" for line in self.last_lines]
        self.cases.append(Case(name, "failed", diagnostics=lines))

    def count(self, outcome):
        return sum(case.outcome == outcome for case in self.cases)

    def failures(self):
        return [case for case in self.cases if case.outcome == "failed"]

    def _plan(self, count, skip_reason):
        if self.planned is not None:
            self.bailed_out = "a second plan line"
            return
        self.planned = count
        if count == 0:
            if skip_reason is None:
                self.fail("the job tests something", ["its plan is 1..0 without a SKIP reason"])
            else:
                self._skip("all", skip_reason)
            self.planned = len(self.cases)

    def _result(self, match):
        failed, number, name, skip, reason = match.groups()
        wanted_number = len(self.cases) + 1
        if number is not None and int(number) != wanted_number:
            self.fail(name, [f"numbered {number}, but {wanted_number} is next"])
        elif failed:
            self.cases.append(Case(name, "failed"))
        elif skip:
            self._skip(name, reason)
        else:
            self.cases.append(Case(name, "passed"))

    def _skip(self, name, reason):
        feature = reason.partition(":")[0].strip()
        if self.expected_skips.match(self.job_name, self.where, name, feature):
            self.cases.append(Case(name, "skipped", feature))
        else:
            self.fail(name, [f"unexpected skip: {reason}"])


class ExpectedSkips:
    """tests/expected-skips: four glob patterns a line, JOB WHERE TEST FEATURE; # comments."""

    def __init__(self, path):
        self.patterns = []
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                fields = shlex.split(line, comments=True)
                if not fields:
                    continue
                if len(fields) != 4:
                    raise SystemExit(f"{path}:{number}: wanted are JOB WHERE TEST FEATURE")
                self.patterns.append(fields)

    def match(self, *values):
        return any(
            all(fnmatch.fnmatchcase(value, pattern) for value, pattern in zip(values, patterns))
            for patterns in self.patterns
        )
