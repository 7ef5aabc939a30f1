# SPDX-License-Identifier: Apache-2.0
"""Events of machines, over rsyslog into PostgreSQL: each one once, through killed collectors; a machine that claims to be
another; and `holdfast replay --from`."""

import json
import os
import signal
import subprocess
import time

from fleet.engines import ENVIRONMENT, FACTOR, Postgres, collector, free_port, sender, wait_for
from tap import check

HOLDFAST = os.path.join(os.path.abspath(os.environ.get("HOLDFAST_BUILD", "build")), "holdfast")
MACHINES = ["a" * 32, "b" * 32]
EACH = 1000


def event(machine, sequence, verdict="deny", **more):
    return {"version": 1, "id": sequence, "time_ns": sequence, "generation": 1, "policy": "00000000000000aa",
            "hook": "namespace_install", "way": "setns", "type": "net", "verdict": verdict, "enforced": True, "errno": "EPERM",
            "reason": "enter-none", "profile": "web",
            "rule": {"id": 1, "file": "web.toml", "line": 4, "column": 1, "key": "namespaces.enter", "text": '"none"'},
            "log": True, "pid": 10, "tid": 10, "uid": 0, "comm": "it's a \"test\" \\ '); --", "source": 0, "target": 0,
            "repeats": 0, "request": {"hook": "namespace_install", "way": "setns", "subject": "web", "ns_types": "net"},
            "schema": 1, "machine": machine, "boot": "b1", "sequence": sequence,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime()), "policy_name": "2026-11-28.1",
            "cgroup": "/system.slice/nginx.service", "unit": "nginx.service", **more}


def write(path, lines):
    with open(path, "a", encoding="utf-8") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))) + "\n")


def settle(count, wanted):
    """Waits until there are as many as wanted, or none came for a while."""
    now, since = count(), time.monotonic()
    while now < wanted and time.monotonic() - since < 20 * FACTOR:
        time.sleep(0.2)
        before, now = now, count()
        if now != before:
            since = time.monotonic()


def check_up(folder, tls, figures):
    os.makedirs(folder)
    database = Postgres(folder + "/postgres")
    port = free_port()
    receiver = collector(folder + "/collector", port, database.port, tls)
    logs = [f"{folder}/events{i}.jsonl" for i in range(2)]
    senders = []
    count = lambda what: int(database.run(f"SELECT count(*) FROM holdfast.{what}"))  # noqa: E731
    try:
        for i, log in enumerate(logs):
            write(log, [event(MACHINES[i], 1)])
            senders.append(sender(f"{folder}/sender{i}", port, log, tls, f"127.0.1.{i + 1}"))
        wait_for(lambda: count("events") == 2, 60, "the first events do not arrive: " + receiver.log() + senders[0].log())
        check("events of two machines arrive over RELP with TLS", True)
        line = database.run("SELECT body->>'comm' FROM holdfast.events LIMIT 1")
        check("and are what was sent, whatever quotes they have", line == "it's a \"test\" \\ '); --", line)

        begun = time.monotonic()
        for i, log in enumerate(logs):
            write(log, [event(MACHINES[i], 2 + n) for n in range(EACH)])
        # The collector is killed three times, the database is stopped once, and a sender is killed.
        for step in range(3):
            time.sleep(0.5)
            receiver.stop(signal.SIGKILL)
            os.path.exists(folder + "/collector/pid") and os.remove(folder + "/collector/pid")
            time.sleep(0.5)
            receiver.start()
            if step == 1:
                senders[0].stop(signal.SIGKILL)
                os.path.exists(folder + "/sender0/pid") and os.remove(folder + "/sender0/pid")
                senders[0].start()
            if step == 2:
                database.server.stop(signal.SIGINT)
                time.sleep(1)
                database.server.start()
                wait_for(lambda: database.run("SELECT 1", check=False) == "1", 60, "PostgreSQL does not start again")
        total = 2 + 2 * EACH
        settle(lambda: count("events"), total)
        took = time.monotonic() - begun
        missing = total - count("events")
        check("after killed collectors, a killed sender and a stopped database no event is lost", missing == 0,
              f"{missing} of {total} missing; {receiver.log()[-1500:]} {senders[0].log()[-1500:]}")
        twice = int(database.run("SELECT count(*) - count(DISTINCT (machine, sequence)) FROM holdfast.events"))
        check("and none is there twice", twice == 0, twice)
        figures.append(f"events with kills: {total} in {took:.1f} s, {missing} lost, {twice} twice")
        begun = time.monotonic()
        for i, log in enumerate(logs):
            write(log, [event(MACHINES[i], 100000 + n) for n in range(EACH)])
        settle(lambda: count("events"), total + 2 * EACH)
        took = time.monotonic() - begun
        figures.append(f"events without: {2 * EACH / took:.0f} a second from two machines")

        # Machine a sends what machine b would: the address does not fit.
        write(logs[0], [event(MACHINES[1], 999999), "no event", '{"machine":1}', event("c" * 31, 5),
                        event(MACHINES[0], 999999, time="1999-01-01T00:00:00Z"), {**event(MACHINES[0], 0), "sequence": "x"}])
        wait_for(lambda: count("rejected") >= 6, 60, "nothing is rejected: " + database.run("SELECT why FROM holdfast.rejected"))
        why = database.run("SELECT why FROM holdfast.rejected ORDER BY why")
        check("a machine that claims to be another is rejected", f"machine {MACHINES[1]} is at 127.0.1.2" in why, why)
        check("and so is what is no event", why.count("it is no event") == 4 and "too far" in why, why)
        check("they stop nobody", count("events") == total + 2 * EACH and int(database.run(
            "SELECT count(*) FROM holdfast.events WHERE sequence = 999999")) == 0)
        row = database.run("SELECT unit, line, machines, decisions FROM holdfast.refusals")
        check("a view says which unit was refused by which line, on how many machines",
              row == f"nginx.service|web.toml:4|2|{total + 2 * EACH}", row)
        row = database.run("SELECT policy_name, count(*) FROM holdfast.last_policies GROUP BY 1")
        check("and another the policy of each machine", row == "2026-11-28.1|2", row)
        check("the collector's role may only call take()", "permission denied" in database.run(
            "SELECT count(*) FROM holdfast.events", check=False, url=database.url.replace("owner@", "writer@")))
        check_replay(folder, database)
    finally:
        for process in [*senders, receiver]:
            process.stop(signal.SIGKILL)
        database.stop()


def check_replay(folder, database):
    policy = folder + "/new.toml"
    write(policy, ['version = 1\n[profile.web]\ncgroup = "/web"\n'])

    def replay(*words):
        done = subprocess.run([HOLDFAST, "replay", "--from", *words, "-p", policy], capture_output=True, text=True, check=False,
                              env=ENVIRONMENT)
        return done.returncode, done.stdout, done.stderr

    every = int(database.run("SELECT count(*) FROM holdfast.events"))
    status, out, err = replay(database.url)
    check("replay --from tries a policy on the events of all machines",
          status == 1 and f"{every} of {every} decisions differ" in out and "denied -> allowed" in out, out + err)
    status, out, err = replay(database.url, "--machine", MACHINES[0])
    check("or of one machine", status == 1 and f"{every // 2} of {every // 2} decisions" in out, out + err)
    status, out, err = replay(database.url, "--until", "2020-01-01")
    check("or of some days", status == 0 and "0 of 0" in out, out + err)
    status, out, err = replay(database.url, "--machine", "x'; DROP")
    check("a machine is no SQL", status == 2 and "32 hexadecimal digits" in err, out + err)
    status, out, err = replay("postgresql://owner@127.0.0.1:1/fleet")
    check("a database that does not answer is no empty one", status == 2 and "psql ended with 2" in err, out + err)
