# SPDX-License-Identifier: Apache-2.0
"""holdfast-agent with a real etcd and TLS: rings, a policy that breaks health, a killed etcd, and what a lying etcd says. The
holdfastd of each machine is a pretended one; the bundles, the agents and the policies are real."""

import json
import os
import signal
import subprocess
import time

from fleet.engines import ENVIRONMENT, FACTOR, SOURCE, Etcd, program, wait_for
from fleet.pretended_holdfastd import Machine, Server
from tap import check

BUILD = os.path.abspath(os.environ.get("HOLDFAST_BUILD", "build"))
HOLDFAST = os.path.join(BUILD, "holdfast")
AGENT = os.path.join(SOURCE, "packaging/fleet/holdfast-agent")
MACHINES = int(os.environ.get("HOLDFAST_FLEET", "60"))
POLICY = 'version = 1\n[profile.web]\ncgroup = "/web"\nnamespaces.enter = "none"\n# {}\n'


class Fleet:
    def __init__(self, folder, tls):
        self.folder, self.tls = folder, tls
        for key in ("fleet", "other"):
            for words in (["genpkey", "-algorithm", "ed25519", "-out", f"{folder}/{key}.key"],
                          ["pkey", "-in", f"{folder}/{key}.key", "-pubout", "-out", f"{folder}/{key}.pub"]):
                subprocess.run(["openssl", *words], check=True, capture_output=True)
            os.chmod(f"{folder}/{key}.key", 0o600)
        os.makedirs(folder + "/vendor")
        os.makedirs(folder + "/checks")
        # The check looks at the policy of its machine, whose directory is in its environment.
        with open(folder + "/checks/web", "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nif grep -q BREAKS "$MACHINE"/policy.d/*.toml; then echo web is down >&2; exit 7; fi\n')
        os.chmod(folder + "/checks/web", 0o755)
        self.etcd = Etcd(folder + "/etcd", tls)
        self.server = Server()
        self.machines, self.agents = [], []
        for i in range(MACHINES):
            self.add(i)

    def add(self, i):
        root = f"{self.folder}/m{i}"
        os.makedirs(root + "/policy.d")
        with open(root + "/machine-id", "w", encoding="ascii") as file:
            file.write(f"{i:032x}\n")
        machine = Machine(root + "/policy.d")
        machine.root, machine.number = root, i * 100 // MACHINES + 1
        self.server.add(root + "/socket", machine)
        with open(root + "/agent.conf", "w", encoding="utf-8") as file:
            file.write(f"""[agent]
endpoints = {self.etcd.endpoint}
cacert = {self.tls}/ca.pem
cert = {self.tls}/machine.pem
key = {self.tls}/machine.key
etcdctl = {program("etcdctl")}
holdfast = {HOLDFAST}
machine_id = {root}/machine-id
number = {machine.number}
state_dir = {root}/agent
holdfast_state = {root}/state
policy_dirs = {root}/policy.d
trust = {self.folder}/fleet.pub
socket = {root}/socket
events = {root}/events.jsonl
checks_dir = {self.folder}/checks
health_s = 0
confirm_s = {int(120 * FACTOR)}
poll_s = 60
""")
        self.machines.append(machine)

    def start(self):
        for machine in self.machines:
            with open(machine.root + "/agent.log", "ab") as log:
                # pylint: disable-next=consider-using-with
                self.agents.append(subprocess.Popen([AGENT, machine.root + "/agent.conf"], stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=log, env=dict(ENVIRONMENT, MACHINE=machine.root)))

    def once(self, machine):
        done = subprocess.run([AGENT, "--once", machine.root + "/agent.conf"], capture_output=True, text=True, check=False,
                              env=dict(ENVIRONMENT, MACHINE=machine.root), stdin=subprocess.DEVNULL)
        return done.stderr

    def stop(self):
        for agent in self.agents:
            agent.send_signal(signal.SIGTERM)
        for agent in self.agents:
            agent.wait()
        self.agents = []
        self.etcd.stop()

    def bundle(self, name, text, ring=100, key="fleet"):
        source = f"{self.folder}/source-{name}-{key}"
        os.makedirs(source, exist_ok=True)
        with open(source + "/web.toml", "w", encoding="utf-8") as file:
            file.write(text)
        out = f"{self.folder}/{name}-{key}.bundle"
        subprocess.run([HOLDFAST, "bundle", "make", source, "--key", f"{self.folder}/{key}.key", "--name", name, "-o", out,
                        "--ring", str(ring), "--health", "web", "--policy-dir", self.folder + "/vendor"], check=True,
                       capture_output=True)
        with open(out, "rb") as file:
            return file.read()

    def put(self, data):
        done = self.etcd.ctl("put", "/holdfast/bundle", stdin=data)
        assert done.returncode == 0, done.stderr

    def reports(self):
        out = self.etcd.ctl("get", "/holdfast/reports/", "--prefix", "--print-value-only").stdout.decode()
        return [json.loads(line) for line in out.splitlines() if line]

    def states(self, bundle):
        found = {}
        for report in self.reports():
            if report.get("bundle") == bundle:
                found[report["state"]] = found.get(report["state"], 0) + 1
        return found

    def confirmed(self, text):
        return [machine for machine in self.machines if machine.confirmed.get("web.toml") == text]


def check_rollout(fleet, figures):
    in_ring = lambda ring: sum(machine.number <= ring for machine in fleet.machines)  # noqa: E731
    fleet.put(fleet.bundle("1", POLICY.format("one"), 10))
    begun = time.monotonic()
    fleet.start()
    wait_for(lambda: sum(fleet.states("1").values()) == MACHINES, 60, "no reports: " + str(fleet.states("1")))
    figures.append(f"{MACHINES} agents started, and the first tenth converged: {time.monotonic() - begun:.1f} s")
    check("a bundle for the first tenth is confirmed there, and nowhere else",
          fleet.states("1") == {"confirmed": in_ring(10), "for others": MACHINES - in_ring(10)} and
          [m.number for m in fleet.confirmed(POLICY.format("one"))] == [m.number for m in fleet.machines if m.number <= 10],
          fleet.states("1"))
    begun = time.monotonic()
    fleet.put(fleet.bundle("2", POLICY.format("two")))
    wait_for(lambda: fleet.states("2") == {"confirmed": MACHINES}, 60, "no convergence: " + str(fleet.states("2")))
    figures.append(f"{MACHINES} agents from one bundle to the next: {time.monotonic() - begun:.1f} s")
    check("a bundle for all is confirmed by all", len(fleet.confirmed(POLICY.format("two"))) == MACHINES)

    fleet.put(fleet.bundle("3", POLICY.format("BREAKS"), 10))
    wait_for(lambda: sum(fleet.states("3").values()) == MACHINES, 60, "no reports: " + str(fleet.states("3")))
    reports = [report for report in fleet.reports() if report.get("bundle") == "3"]
    why = {report["why"] for report in reports if report["state"] == "went back"}
    check("a policy that breaks health stops in its ring", fleet.states("3") == {
        "went back": in_ring(10), "for others": MACHINES - in_ring(10)}, fleet.states("3"))
    check("the machines went back by themselves, and say why", why == {"check web ended with 7: web is down"} and
          all(m.live.get("web.toml") == POLICY.format("two") and m.read() == m.live for m in fleet.machines), why)

    fleet.etcd.stop(signal.SIGKILL)
    time.sleep(3)
    before = [dict(machine.live) for machine in fleet.machines]
    check("while etcd is dead nothing changes", before == [machine.confirmed for machine in fleet.machines])
    fleet.etcd.start()
    fleet.etcd.wait()
    begun = time.monotonic()
    fleet.put(fleet.bundle("4", POLICY.format("four")))
    wait_for(lambda: fleet.states("4") == {"confirmed": MACHINES}, 120, "no convergence: " + str(fleet.states("4")))
    figures.append(f"{MACHINES} agents after etcd was killed and started again: {time.monotonic() - begun:.1f} s")
    check("after its restart all converge", len(fleet.confirmed(POLICY.format("four"))) == MACHINES)
    logs = []
    for machine in fleet.machines:
        with open(machine.root + "/agent.log", encoding="utf-8") as file:
            logs.append(file.read().count("etcd cannot be asked"))
    check("its death is said once", max(logs) <= 1, sorted(logs)[-5:])


def check_lies(fleet):
    """One machine, whose agent asks once, so that what it says is seen."""
    machine = fleet.machines[0]
    good = POLICY.format("four")
    for what, data, wanted in [
        ("a forged bundle", fleet.bundle("9", POLICY.format("forged"), key="other"), "no trusted key has signed it"),
        ("an old bundle", fleet.bundle("1", POLICY.format("one")), "was applied before, and is later"),
        ("no bundle", b"\0\xff" * 1000, "it is no bundle"),
        ("a single byte", b"\n", "it is no bundle")]:
        fleet.put(data)
        said = fleet.once(machine)
        check(f"a compromised etcd: {what} is refused, and nothing changes",
              wanted in said and machine.live["web.toml"] == good and machine.read()["web.toml"] == good, said)
        check("and it is not tried again", "nothing is new" in fleet.once(machine))
    fleet.put(fleet.bundle("10", POLICY.format("ring"), 1))
    said = fleet.once(fleet.machines[-1])
    check("a bundle for another ring is not applied", "for the first 1 %" in said and
          fleet.machines[-1].live["web.toml"] == good, said)
    event = {"version": 1, "id": 1, "time_ns": 1, "generation": 1, "hook": "namespace_install", "way": "setns", "type": "net",
             "verdict": "allow", "enforced": True, "reason": "default", "log": True, "pid": 1, "tid": 1, "uid": 0, "comm": "backup",
             "source": 0, "target": 0, "repeats": 0, "time": time.strftime("%Y-%m-%dT%H:%M:%S.0Z", time.gmtime()),
             "request": {"hook": "namespace_install", "way": "setns", "subject": "web", "ns_types": "net"}}
    with open(machine.root + "/events.jsonl", "w", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")
    fleet.put(fleet.bundle("11", POLICY.format("eleven")))
    said = fleet.once(machine)
    report = [one for one in fleet.reports() if one.get("bundle") == "11"]
    check("what the new policy would refuse of the last day is reported", "confirmed" in said and report and
          any("backup" in line for line in report[0]["would_refuse"]), said + str(report))
    fleet.etcd.stop(signal.SIGKILL)
    said = fleet.once(machine)
    check("a dead etcd changes nothing", "etcd cannot be asked" in said and machine.live["web.toml"] == POLICY.format("eleven"), said)
    fleet.etcd.start()
    fleet.etcd.wait()


def check_down(folder, tls, figures):
    os.makedirs(folder)
    fleet = Fleet(folder, tls)
    try:
        check_rollout(fleet, figures)
        for agent in fleet.agents:
            agent.send_signal(signal.SIGTERM)
        for agent in fleet.agents:
            agent.wait()
        fleet.agents = []
        check_lies(fleet)
    finally:
        fleet.stop()
