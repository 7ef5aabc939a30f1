# SPDX-License-Identifier: Apache-2.0
"""Finds the jobs: unit test programs, host scripts, and batches of tests per guest and kernel."""

import math
import os
import re
import shlex
import xml.etree.ElementTree

KERNELS = ["6.1", "6.12", "6.18", "7.2", "7.3"]
BUILT_KERNELS = ["7.4", "7.4-proposed"]  # by tools/kernel-7.4; tests run on them when they are in the cache
EXPECTED_KERNEL = "7.4"  # of these, the one whose absence is said
SHARE_ONLY = "7.4-proposed"  # runs no more than what is marked `# native: yes`
HOST_TIMEOUT_S = 600
GUEST_TEST_TIMEOUT_S = 60
GUEST_BOOT_S = 60
EMULATOR_FAULT = 123  # exit status of tools/vm: the guest's end says nothing about the tests
MARK = "#=#"  # opens a line of the guest that says which test begins or ends


class Job:
    """One process. Its output belongs to one or more reports, named in order by `parts`.

    `make_command(slowness)` is its command line on a machine that is so many times slower than the reference machine
    (driver/pace.py), for which `timeout_s` is meant."""

    def __init__(self, parts, where, make_command, timeout_s, xml_path=None):
        self.parts = parts
        self.where = where
        self.make_command = make_command
        self.timeout_s = timeout_s
        self.xml_path = xml_path  # GoogleTest's report, for a unit test program
        self.in_guest = where != "host"
        self.remaining = None  # of a guest: remaining(names) is the job of only these parts


def wait_factor(slowness):
    """For tests/tap.sh, whose arithmetic has whole numbers. Twice as much as measured: what is waited for is one step
    of a job, and one step may be hit harder than the whole."""
    return math.ceil(2 * slowness)


def fixed(command):
    """A command line that is the same on every machine."""
    return lambda slowness: command


def find_unit_jobs(build, logs):
    """One job for each program that CMake lists in BUILD/tests/unit.list."""
    with open(os.path.join(build, "tests", "unit.list"), encoding="utf-8") as paths:
        programs = [line.strip() for line in paths if line.strip()]
    for program in programs:
        name = "unit/" + os.path.basename(program)
        xml_path = os.path.join(logs, name.replace("/", ".") + ".xml")
        command = [program, f"--gtest_output=xml:{xml_path}", "--gtest_color=no"]
        yield Job([name], "host", fixed(command), HOST_TIMEOUT_S, xml_path=xml_path)


def gtest_as_tap(xml_path):
    """GoogleTest's XML report as TAP lines; nothing when the program died before writing it."""
    try:
        root = xml.etree.ElementTree.parse(xml_path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return
    number = 0
    for case in root.iter("testcase"):
        if case.get("status") == "notrun":
            continue  # disabled in the source, or filtered out
        number += 1
        name = f"{case.get('classname')}.{case.get('name')}"
        failures, skipped = case.findall("failure"), case.find("skipped")
        if failures:
            yield f"not ok {number} - {name}"
            for failure in failures:
                yield from (f"#   {line}" for line in failure.get("message", "").splitlines())
        elif skipped is not None:
            why = skipped.get("message", "").strip().splitlines()[-1:] or ["no reason given"]
            yield f"ok {number} - {name} # SKIP {why[0]}"
        else:
            yield f"ok {number} - {name}"
    yield f"1..{number}"


def find_host_jobs(source):
    folder = os.path.join(source, "tests", "host.d")
    for file in sorted(os.listdir(folder)):
        if file.endswith((".sh", ".py")):
            name = "host/" + file.rpartition(".")[0]
            yield Job([name], "host", fixed([os.path.join(folder, file)]), HOST_TIMEOUT_S)


class GuestTest:
    """tests/vm.d/NAME.test, with the settings of its header comments, `# key: value`."""

    DEFAULTS = {
        "kernels": "all", "files": "", "smp": "1", "mem": "768", "module": "", "append": "",
        "timeout": str(GUEST_TEST_TIMEOUT_S), "needs": "", "icount": "no", "alone": "no", "full": "", "root": "",
        "native": "no",
    }

    def __init__(self, source, file, build):
        self.name = "vm/" + file.rpartition(".")[0]
        self.path = os.path.join("tests", "vm.d", file)
        self.settings = dict(self.DEFAULTS)
        with open(os.path.join(source, self.path), encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith("#"):
                    break
                setting = re.match(r"# ([a-z]+): *(.*?)\s*$", line)
                if setting:
                    self._set(*setting.groups())
        self.timeout_s = int(self.settings["timeout"])
        files = self.settings["files"].replace("${BUILD}", shlex.quote(build))
        self.files = [self.path, "tests/tap.sh", "tests/driver/guest.sh"] + shlex.split(files)

    def _set(self, key, value):
        if key not in self.settings:
            known = ", ".join(self.DEFAULTS)
            raise SystemExit(f"{self.path}: unknown setting '{key}'; there are {known}")
        self.settings[key] = value

    def roots(self):
        """`# root: 6.1=debian12 7.3=debian13`: a whole system on each of these kernels."""
        roots = dict(pair.split("=") for pair in self.settings["root"].split())
        if KERNELS[-1] in roots:
            roots.setdefault(EXPECTED_KERNEL, roots[KERNELS[-1]])
        return roots

    def kernels(self):
        """Whatever runs on the newest of Debian's kernels also runs on the one that is built."""
        if self.settings["root"]:
            return list(self.roots())
        listed = self.settings["kernels"]
        if listed == "all":
            return KERNELS + BUILT_KERNELS
        listed = listed.replace(",", " ").split()
        return listed + [EXPECTED_KERNEL] if KERNELS[-1] in listed else listed

    def is_wanted(self, kernel, full):
        """`# full: all` or a list: kernels on which only `tests/run --full` runs it. Of the kernels that are built here
        these are all, unless `# native: yes`; on the last of them --full runs only such."""
        if kernel in BUILT_KERNELS:
            in_share = self.settings["native"] == "yes"
            return full and in_share if kernel == SHARE_ONLY else full or in_share
        listed = self.settings["full"].replace(",", " ").split()
        return full or not (kernel in listed or listed == ["all"])

    def batch_key(self):
        """Tests with the same key may share a guest."""
        machine = tuple(self.settings[key] for key in ("smp", "mem", "module", "append", "icount", "root"))
        return machine + ((self.name,) if self.settings["alone"] == "yes" else ())


def guest_job(tests, kernel, build, full):
    timeout_s = sum(test.timeout_s for test in tests) + GUEST_BOOT_S
    job = Job([test.name for test in tests], kernel,
              lambda slowness: guest_command(tests, kernel, build, full, timeout_s, slowness), timeout_s + GUEST_BOOT_S)
    job.remaining = lambda left: guest_job([test for test in tests if test.name in left], kernel, build, full)
    return job


def guest_command(tests, kernel, build, full, timeout_s, slowness):
    settings = tests[0].settings
    command = ["tools/vm", "--kernel", kernel, "--timeout", str(round(timeout_s * slowness))]
    command += ["--smp", settings["smp"], "--mem", settings["mem"]]
    if settings["root"]:
        command += ["--root", tests[0].roots()[kernel]]
    if settings["module"]:
        command += ["--module", settings["module"].replace(" ", ",")]
    if settings["append"]:
        command += ["--append", settings["append"]]
    if settings["icount"] == "yes":
        command += ["--icount"]
    for file in dict.fromkeys(file for test in tests for file in test.files):
        command += ["--file", file]
    command += ["--env", f"HOLDFAST_BUILD={build}", "--env", f"HOLDFAST_WAIT_FACTOR={wait_factor(slowness)}"]
    if full:
        command += ["--env", "HOLDFAST_FULL=1"]
    command += ["--", "sh", "tests/driver/guest.sh"]
    for test in tests:
        command += [test.name, test.path, str(round(test.timeout_s * slowness)), test.settings["needs"]]
    return command


def is_in_cache(kernel):
    """As tools/vm looks for it."""
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/root"), ".cache")
    cache = os.environ.get("HOLDFAST_CACHE") or os.path.join(user_cache, "holdfast")
    return os.path.exists(os.path.join(cache, "kernels", kernel, "release"))


def find_missing_kernel_jobs(kernels, wanted):
    """A skip for the kernel that tools/kernel-7.4 builds, when it did not."""
    name = f"vm/kernel_{EXPECTED_KERNEL}"
    asked = kernels is None or EXPECTED_KERNEL in kernels
    if asked and wanted(name) and not is_in_cache(EXPECTED_KERNEL):
        plan = f"1..0 # SKIP built_kernel: tools/kernel-7.4 puts Linux {EXPECTED_KERNEL} into the cache"
        yield Job([name], "host", fixed(["echo", plan]), HOST_TIMEOUT_S)


def find_guest_jobs(source, build, kernels, wanted, full):
    """kernels: restrict to these, None for all; wanted(name): is this test asked for?"""
    folder = os.path.join(source, "tests", "vm.d")
    files = sorted(file for file in os.listdir(folder) if file.endswith(".test"))
    tests = [GuestTest(source, file, build) for file in files]
    for kernel in KERNELS + [kernel for kernel in BUILT_KERNELS if is_in_cache(kernel)]:
        batches = {}
        for test in tests:
            if kernel in test.kernels() and test.is_wanted(kernel, full) and wanted(test.name):
                batches.setdefault(test.batch_key(), []).append(test)
        if kernels is None or kernel in kernels:
            for batch in batches.values():
                yield guest_job(batch, kernel, build, full)
