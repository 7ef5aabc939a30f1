# SPDX-License-Identifier: Apache-2.0
"""How slow is this machine now, and how long will the rest take?

Time limits are written for the reference machine, two quiet cores. Here they are multiplied by the time that a fixed
piece of work takes, in as many processes as jobs run at a time, divided by the time that it takes there. So a limit
says how much a test may do, not how fast the machine has to be.
"""

import json
import os
import subprocess
import sys
import threading
import time

WORK = "n = 0\nfor i in range(3_000_000):\n    n = (n * 31 + i) & 0xffffffff\n"
REFERENCE_S = 0.35  # what WORK takes on the reference machine, interpreter included
MOST = 20.0  # slower than that, something is wrong with the machine, and a limit has to hold all the same
FRESH_S = 60.0  # a measurement is used for that long
REPORT_EVERY_S = 30.0  # where the output is no terminal


class Speed:
    """Threads may call slowness() at the same time; one of them measures, the others wait for it."""

    def __init__(self, processes):
        self.processes = processes
        self.forced = os.environ.get("HOLDFAST_SLOWNESS")  # a number: nothing is measured
        self.lock = threading.Lock()
        self.measured = 1.0
        self.measured_at_s = None

    def slowness(self, fresh=False):
        """1.0 on the reference machine and on any faster one; 4.0 on one four times slower, up to MOST."""
        if self.forced:
            return float(self.forced)
        with self.lock:
            now_s = time.monotonic()
            if fresh or self.measured_at_s is None or now_s - self.measured_at_s > FRESH_S:
                self.measured = min(MOST, max(1.0, self._work_s() / REFERENCE_S))
                self.measured_at_s = time.monotonic()
            return self.measured

    def _work_s(self):
        started_s = time.monotonic()
        workers = [subprocess.Popen([sys.executable, "-S", "-E", "-c", WORK]) for _ in range(self.processes)]
        for worker in workers:
            worker.wait()
        return time.monotonic() - started_s


class Progress:
    """Says what runs and how long it may still take: on a terminal in one line that is written anew, else in a line
    now and then. How long a job takes is known from the last run in this build directory, or guessed."""

    # What a job takes that has not run here yet.
    GUESS_UNIT_S = 1.0
    GUESS_HOST_S = 12.0
    GUESS_GUEST = 0.13  # of its time limit

    def __init__(self, found, slots, path, terminal):
        self.path = path
        self.slots = slots
        self.terminal = terminal
        self.lock = threading.Lock()
        self.known = self._load()
        self.waiting = list(found)
        self.running = {}  # job -> when it began
        self.total = len(found)
        self.reported_s = time.monotonic()

    def _load(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                return {str(key): float(value) for key, value in json.load(file).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    @staticmethod
    def key(job):
        return f"{job.parts[0]}@{job.where}"

    def expected_s(self, job):
        if job.xml_path is not None:
            guess_s = self.GUESS_UNIT_S
        else:
            guess_s = job.timeout_s * self.GUESS_GUEST if job.in_guest else self.GUESS_HOST_S
        return self.known.get(self.key(job), guess_s)

    def begin(self, job):
        with self.lock:
            if job in self.waiting:
                self.waiting.remove(job)
            self.running[job] = time.monotonic()

    def end(self, job):
        with self.lock:
            began_s = self.running.pop(job, None)
            if began_s is not None:
                self.known[self.key(job)] = round(time.monotonic() - began_s, 1)

    def save(self):
        with self.lock, open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.known, file, indent=0, sort_keys=True)

    def left_s(self):
        now_s = time.monotonic()
        left = [max(0.0, self.expected_s(job) - (now_s - began)) for job, began in self.running.items()]
        work_s = sum(map(self.expected_s, self.waiting)) + sum(left)
        return max([work_s / self.slots, *left])

    def line(self):
        with self.lock:
            now_s = time.monotonic()
            names = ", ".join(f"{job.parts[0]}{'' if job.where == 'host' else ' on ' + job.where} "
                              f"({now_s - began:.0f} s)" for job, began in self.running.items())
            minutes = self.left_s() / 60
            left = f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
            done = self.total - len(self.waiting) - len(self.running)
            return f"{max(0, done)} of {self.total} jobs done, {left}; running: {names}"

    def is_due(self):
        """Is it time for another line? Only where the output is no terminal."""
        with self.lock:
            if self.terminal or time.monotonic() - self.reported_s < REPORT_EVERY_S:
                return False
            self.reported_s = time.monotonic()
            return True
