#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test driver must not pass what did not run, whichever way a job cheats it."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests"))
sys.dont_write_bytecode = True

from driver import jobs, pace, tap  # noqa: E402  (found through the line above)

UNIT_PROGRAM = """#!/bin/sh
[ ! -e "$0.dies" ] || kill -ABRT $$
case='<testcase classname="A" name="b" status="run"/>'
echo "<testsuites><testsuite>$case</testsuite></testsuites>" > "${1#--gtest_output=xml:}"
"""

number = 0


def check(name, condition, explanation=""):
    global number
    number += 1
    print(f"{'ok' if condition else 'not ok'} {number} - {name}")
    if not condition and explanation:
        print(f"# {explanation}")


def counts(lines, status=0, skips=""):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(skips)
        file.flush()
        report = tap.Report("host/some", "host", tap.ExpectedSkips(file.name))
    for line in lines:
        report.feed(line + "\n")
    report.finish(status)
    return tuple(report.count(kind) for kind in ("passed", "failed", "skipped"))


def reading():
    for name, wanted, got in [
        ("a full run passes", (2, 0, 0), counts(["ok 1 - a", "ok 2 - b", "1..2"])),
        ("the plan may come first", (1, 0, 0), counts(["1..1", "ok 1 - a"])),
        ("a failure counts", (1, 1, 0), counts(["ok 1 - a", "not ok 2 - b", "1..2"], 1)),
        ("no output is a failure", (0, 1, 0), counts([])),
        ("a missing plan is a failure", (1, 1, 0), counts(["ok 1 - a"])),
        ("an unkept plan is a failure", (1, 1, 0), counts(["1..2", "ok 1 - a"])),
        ("more than planned is a failure", (2, 1, 0), counts(["1..1", "ok 1 - a", "ok 2 - b"])),
        ("a second plan is a failure", (1, 1, 0), counts(["1..1", "ok 1 - a", "1..2"])),
        ("a number out of turn is a failure", (1, 1, 0), counts(["ok 1 - a", "ok 1 - b", "1..2"])),
        ("a bad exit alone is a failure", (1, 1, 0), counts(["ok 1 - a", "1..1"], 3)),
        ("bailing out is a failure", (1, 1, 0), counts(["1..1", "ok 1 - a", "Bail out! no"])),
        ("an unlisted skip is a failure", (0, 1, 0), counts(["ok 1 - a # SKIP lsm: no", "1..1"])),
        ("a listed skip is a skip", (0, 0, 1),
         counts(["ok 1 - a b # SKIP lsm: no", "1..1"], skips="host/* host 'a *' lsm\n")),
        ("a skip for another feature is a failure", (0, 1, 0),
         counts(["ok 1 - a # SKIP btf: no", "1..1"], skips="* * * lsm")),
        ("an empty plan is a failure", (0, 1, 0), counts(["1..0"])),
        ("an empty plan with a listed reason is a skip", (0, 0, 1),
         counts(["1..0 # SKIP lsm: no"], skips="* * all lsm")),
        ("a skipped failure stays a failure", (0, 1, 0),
         counts(["not ok 1 - a # SKIP x: y", "1..1"], skips="* * * *")),
    ]:
        check(name, got == wanted, f"got {got}, wanted {wanted}")


def dying_unit_program():
    with tempfile.TemporaryDirectory() as build:
        program = os.path.join(build, "program")
        os.mkdir(os.path.join(build, "tests"))
        with open(os.path.join(build, "tests", "unit.list"), "w", encoding="utf-8") as unit_list:
            unit_list.write(program + "\n")
        with open(program, "w", encoding="utf-8") as script:
            script.write(UNIT_PROGRAM)
        os.chmod(program, 0o755)
        command = [os.path.join(SOURCE, "tests", "run"), "--build", build, "-k", "unit/"]
        first = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        check("a unit program's report is read",
              first.stdout.endswith("\n1 passed, 0 failed, 0 skipped\n"), first.stdout)
        with open(program + ".dies", "w", encoding="utf-8"):
            pass
        second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        check("one that dies does not pass with an old report",
              second.returncode == 1 and " 0 passed" not in second.stdout
              and second.stdout.endswith("\n0 passed, 1 failed, 0 skipped\n"), second.stdout)


def settings():
    with tempfile.TemporaryDirectory() as source:
        os.makedirs(os.path.join(source, "tests", "vm.d"))
        headers = {"a": "# smp: 2", "b": "", "c": "# kernels: 6.1", "d": "# alone: yes", "e": "# native: yes",
                   "f": "# kernels: 6.1,7.3\n# mem: 1", "g": "# root: 7.3=debian13"}
        for name, text in headers.items():
            path = os.path.join(source, "tests", "vm.d", name + ".test")
            with open(path, "w", encoding="utf-8") as test:
                test.write(text + "\n")
        found = list(jobs.find_guest_jobs(source, "/b", None, lambda name: True, False))
        on_61 = sorted(job.parts for job in found if job.where == "6.1")
        check("tests with equal settings share a guest",
              on_61 == [["vm/a"], ["vm/b", "vm/c", "vm/e"], ["vm/d"], ["vm/f"]], on_61)
        on_73 = sorted(job.parts for job in found if job.where == "7.3")
        check("a test runs on its kernels alone", on_73 == [["vm/a"], ["vm/b", "vm/e"], ["vm/d"], ["vm/f"], ["vm/g"]],
              on_73)
        built_kernel(source)


def built_kernel(source):
    """A kernel that is built here has its share when it is in the cache, and all with --full."""
    def parts(full, kernel="7.4"):
        found = jobs.find_guest_jobs(source, "/b", None, lambda name: True, full)
        return sorted(job.parts for job in found if job.where == kernel)

    with tempfile.TemporaryDirectory() as cache:
        before = os.environ.get("HOLDFAST_CACHE")
        os.environ["HOLDFAST_CACHE"] = cache
        check("nothing runs on a kernel that was not built", parts(True) == [], parts(True))
        missing = list(jobs.find_missing_kernel_jobs(None, lambda name: True))
        check("which is said", [job.parts for job in missing] == [["vm/kernel_7.4"]], missing)
        check("unless something else is asked for", not list(jobs.find_missing_kernel_jobs(["6.1"], lambda name: True)))
        os.makedirs(os.path.join(cache, "kernels", "7.4"))
        with open(os.path.join(cache, "kernels", "7.4", "release"), "w", encoding="utf-8") as release:
            release.write("7.4\n")
        check("one that was built is not missing", not list(jobs.find_missing_kernel_jobs(None, lambda name: True)))
        check("its share runs on one that was", parts(False) == [["vm/e"]], parts(False))
        check("nothing runs on the proposed one", parts(False, "7.4-proposed") == [], parts(False, "7.4-proposed"))
        os.makedirs(os.path.join(cache, "kernels", "7.4-proposed"))
        with open(os.path.join(cache, "kernels", "7.4-proposed", "release"), "w", encoding="utf-8") as release:
            release.write("7.4-proposed\n")
        check("with --full the share runs on the proposed one", parts(True, "7.4-proposed") == [["vm/e"]],
              parts(True, "7.4-proposed"))
        check("and without it nothing", parts(False, "7.4-proposed") == [], parts(False, "7.4-proposed"))
        check("with --full all does that runs on the newest of Debian's",
              parts(True) == [["vm/a"], ["vm/b", "vm/e"], ["vm/d"], ["vm/f"], ["vm/g"]], parts(True))
        if before is None:
            del os.environ["HOLDFAST_CACHE"]
        else:
            os.environ["HOLDFAST_CACHE"] = before


def load_runner():
    loader = importlib.machinery.SourceFileLoader("tests_run", os.path.join(SOURCE, "tests", "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tests_run", loader))
    loader.exec_module(module)
    return module


def guest_of(names, script, remaining):
    job = jobs.Job(names, "7.3", jobs.fixed(["sh", "-c", script]), 10)
    job.remaining = remaining
    return job


class FixedSpeed(pace.Speed):
    """Says these numbers one after the other, the last one for ever."""

    def __init__(self, said):
        super().__init__(1)
        self.said = list(said)

    def slowness(self, fresh=False):
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def make_runner(found, logs, speed):
    progress = pace.Progress(found, 1, os.path.join(logs, "durations.json"), False)
    return load_runner().Runner("/b", logs, tap.ExpectedSkips(os.devnull), speed, progress, False)


def time_limits():
    def outcome(script, timeout_s, said):
        with tempfile.TemporaryDirectory() as logs:
            job = jobs.Job(["host/x"], "host", jobs.fixed(["sh", "-c", script]), timeout_s)
            runner = make_runner([job], logs, FixedSpeed(said))
            with contextlib.redirect_stdout(io.StringIO()):
                runner.run(job)
            return tuple(runner.reports[0].count(kind) for kind in ("passed", "failed"))

    slow = "sleep 0.8; echo ok 1 - x; echo 1..1"
    check("a job over its limit is killed", outcome(slow, 0.2, [1.0]) == (0, 1))
    check("a machine that is slower gives it more time", outcome(slow, 0.2, [8.0]) == (1, 0))
    check("one that has become slower since it began, too", outcome(slow, 0.2, [1.0, 8.0]) == (1, 0))
    check("one that hangs is killed there all the same", outcome("sleep 60", 0.1, [1.0, 2.0, 2.0]) == (0, 1))
    with tempfile.TemporaryDirectory() as source:
        os.makedirs(os.path.join(source, "tests", "vm.d"))
        with open(os.path.join(source, "tests", "vm.d", "a.test"), "w", encoding="utf-8") as test:
            test.write("# kernels: 6.1\n# timeout: 100\n")
        job = next(jobs.find_guest_jobs(source, "/b", None, lambda name: True, False))
        limits = [[word for word in job.make_command(slowness) if word in ("100", "160", "400", "640")]
                  for slowness in (1.0, 4.0)]
        check("so does a guest, and each test in it", limits == [["160", "100"], ["640", "400"]], limits)
    os.environ["HOLDFAST_SLOWNESS"] = "3.5"
    check("HOLDFAST_SLOWNESS is believed", pace.Speed(1).slowness() == 3.5)
    del os.environ["HOLDFAST_SLOWNESS"]
    measured = pace.Speed(1).slowness()
    check("what is measured has bounds", 1.0 <= measured <= pace.MOST, measured)


def long_form():
    """--full reaches what repeats things, in a guest and here."""
    script = '. tests/tap.sh; [ "$(repeats 100 2)" = 2 ] && echo ok 1 - x; echo 1..1'
    with tempfile.TemporaryDirectory() as logs:
        for full, passed in (False, 1), (True, 0):
            job = jobs.Job(["host/x"], "host", jobs.fixed(["sh", "-c", script]), 10)
            progress = pace.Progress([job], 1, os.path.join(logs, "durations.json"), False)
            runner = load_runner().Runner("/b", logs, tap.ExpectedSkips(os.devnull), FixedSpeed([1.0]), progress, full)
            with contextlib.redirect_stdout(io.StringIO()):
                runner.run(job)
            check(f"a test {'repeats all with' if full else 'repeats less without'} --full",
                  runner.reports[0].count("passed") == passed)
        with open(os.path.join(logs, "host.x@host.log"), encoding="utf-8") as log:
            check("the log has the time of the job", " s of processor time\n" in log.read())
    with tempfile.TemporaryDirectory() as source:
        os.makedirs(os.path.join(source, "tests", "vm.d"))
        with open(os.path.join(source, "tests", "vm.d", "a.test"), "w", encoding="utf-8") as test:
            test.write("# kernels: 6.1\n")
        told = ["HOLDFAST_FULL=1" in next(jobs.find_guest_jobs(source, "/b", None, lambda name: True, full)).make_command(1.0)
                for full in (False, True)]
        check("a guest is told of --full", told == [False, True], told)


def left_to_full():
    """What runs nowhere in `make test` is in the list of docs/hacking.md, and nothing else is."""
    with open(os.path.join(SOURCE, "docs", "hacking.md"), encoding="utf-8") as file:
        begin, end = "leaves these to `make test-full`", "`full` in a test's header"
        listed = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", file.read().partition(begin)[2].partition(end)[0])))
    tests = [jobs.GuestTest(SOURCE, file, "/b") for file in os.listdir(os.path.join(SOURCE, "tests", "vm.d"))
             if file.endswith(".test")]
    left = {test.name.removeprefix("vm/") for test in tests
            if not any(test.is_wanted(kernel, False) for kernel in test.kernels() if kernel in jobs.KERNELS)}
    check("docs/hacking.md lists the suites that make test leaves out", left and listed == left, sorted(listed ^ left))
    without = [test.name for test in tests for kernel in re.split("[ ,]+", test.settings["full"])
               if kernel not in ("", "all") and kernel not in test.kernels()]
    check("no suite leaves a kernel to test-full that it never runs on", not without, sorted(set(without)))


def progress_line():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "durations.json")
        some = [jobs.Job([name], "host", jobs.fixed(["true"]), 600) for name in ("host/a", "host/b")]
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"host/a@host": 300, "host/b@host": 120}')
        progress = pace.Progress(some, 1, path, False)
        check("what is left is known from the last run", progress.left_s() == 420, progress.left_s())
        progress.begin(some[0])
        check("the line says what runs and how long it may take",
              progress.line() == "0 of 2 jobs done, about 7 min left; running: host/a (0 s)", progress.line())
        progress.end(some[0])
        progress.begin(some[1])
        check("and how many are done", progress.line().startswith("1 of 2 jobs done, about 2 min left"), progress.line())
        with open(path, "w", encoding="utf-8") as file:
            file.write("[1")
        check("a torn file of durations is no matter", pace.Progress(some, 1, path, False).left_s() == 2 * pace.Progress.GUESS_HOST_S)


def emulator_faults():
    def test(name):
        return f"echo '#=# begin {name}'; echo ok 1 - x; echo 1..1; echo '#=# end 0';"

    def outcome(job, logs):
        os.mkdir(logs)
        runner = make_runner([job], logs, FixedSpeed([1.0]))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runner.run(job)
        results = [(report.job_name, report.count("passed"), report.count("failed")) for report in runner.reports]
        return results, printed.getvalue()

    fault = f"exit {jobs.EMULATOR_FAULT}"
    with tempfile.TemporaryDirectory() as folder:
        asked = []

        def rest(names):
            asked.append(list(names))
            return guest_of(names, "".join(map(test, names)), None)

        begun = test("vm/a") + "echo '#=# begin vm/b'; echo ok 1 - x;"
        job = guest_of(["vm/a", "vm/b", "vm/c"], begun + fault, rest)
        results, printed = outcome(job, os.path.join(folder, "once"))
        check("what a fault of the emulator kept from its end runs again, and only that",
              asked == [["vm/b", "vm/c"]] and results == [("vm/a", 1, 0), ("vm/b", 1, 0), ("vm/c", 1, 0)],
              f"{asked} {results}")
        check("and the run says so", "vm/b, vm/c on 7.3: a fault of the emulator; once more" in printed, printed)

        def always(names):
            return guest_of(names, fault, always)

        results, _ = outcome(always(["vm/a"]), os.path.join(folder, "always"))
        check("a third fault is a failure", results == [("vm/a", 0, 1)], results)
        results, _ = outcome(guest_of(["vm/a", "vm/b"], begun + "exit 125", rest), os.path.join(folder, "crash"))
        check("any other crash is a failure at once", results == [("vm/a", 1, 0), ("vm/b", 1, 1)], results)


reading()
dying_unit_program()
settings()
time_limits()
long_form()
left_to_full()
progress_line()
emulator_faults()
print(f"1..{number}")
