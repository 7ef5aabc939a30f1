# SPDX-License-Identifier: Apache-2.0
"""Test Anything Protocol for Python scripts: check() for each point, then plan()."""
_number = 0
_failed = 0
_MOST_SHOWN = 3000  # characters


def check(what, good, got=""):
    """Prints the point, and the end of `got` if it is not good."""
    global _number, _failed
    _number += 1
    _failed += not good
    print(f"{'ok' if good else 'not ok'} {_number} - {what}", flush=True)
    if not good:
        for line in str(got)[-_MOST_SHOWN:].splitlines():
            print(f"# {line}")


def skip(what, feature, why):
    """A point that cannot be tried for want of `feature` (tests/expected-skips)."""
    global _number
    _number += 1
    print(f"ok {_number} - {what} # SKIP {feature}: {why}")


def failed():
    """How many points were not good."""
    return _failed


def plan():
    """Without it the job counts as failed."""
    print(f"1..{_number}")
