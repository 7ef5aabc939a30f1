# SPDX-License-Identifier: Apache-2.0
"""What Prometheus and Grafana are given: the rules and their tests by promtool, every query by Prometheus itself, and that
every metric in them is one of holdfastd's."""

import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

from fleet.engines import SOURCE, Prometheus, program, wait_for
from tap import check


def read(*names):
    with open(os.path.join(SOURCE, *names), encoding="utf-8") as file:
        return file.read()


def check_state(folder, _tls, _figures):
    os.makedirs(folder)
    shutil.copy(os.path.join(SOURCE, "packaging/fleet/prometheus-rules.yml"), folder)
    shutil.copy(os.path.join(SOURCE, "tests/fleet/prometheus-rules_test.yml"), folder)
    for words in (["check", "rules", "prometheus-rules.yml"], ["test", "rules", "prometheus-rules_test.yml"]):
        done = subprocess.run([program("promtool"), *words], cwd=folder, capture_output=True, text=True, check=False)
        check("promtool " + " ".join(words), done.returncode == 0, done.stdout + done.stderr)
    rules = read("packaging/fleet/prometheus-rules.yml")
    tested = read("tests/fleet/prometheus-rules_test.yml")
    alerts = re.findall(r"alert: (\w+)", rules)
    untested = [name for name in alerts if tested.count(f"alertname: {name}") < 2]
    check("each alert is tested with its cause and without", alerts and not untested, untested)

    board = json.loads(read("packaging/fleet/grafana-dashboard.json"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    numbers = [panel["id"] for panel in board["panels"]]
    check("the dashboard has panels with queries", len(queries) > 8 and len(set(numbers)) == len(numbers))
    made = set(re.findall(r'"(holdfast_\w+)"', read("src/daemon/metrics.cc")))
    used = set(re.findall(r"holdfast_\w+", rules + " ".join(queries)))
    check("every metric in them is one of holdfastd's", used <= made, used - made)
    check("and every metric of bundles is in the manual", all(
        name.replace("holdfast_bundle_record_damaged", "_record_damaged") in read("docs/daemon.md")
        for name in made if "bundle" in name or name == "holdfast_policy_info"))

    prometheus = Prometheus(folder + "/prometheus", f"rule_files: ['{folder}/prometheus-rules.yml']\n")
    try:
        base = f"http://127.0.0.1:{prometheus.port}/api/v1/"

        def ask(path):
            with urllib.request.urlopen(base + path, timeout=30) as answer:
                return json.load(answer)

        def ready():
            try:
                return ask("rules")["status"] == "success"
            except OSError:
                return False

        wait_for(ready, 30, "Prometheus does not start: " + prometheus.log())
        loaded = [rule["name"] for group in ask("rules")["data"]["groups"] for rule in group["rules"]]
        check("Prometheus loads the rules", loaded == alerts, loaded)
        wrong = []
        for query in queries:
            try:
                ask("query?query=" + urllib.parse.quote(query.replace("$instance", ".*")))
            except OSError as error:
                wrong.append(f"{query}: {error}")
        check("and takes every query of the dashboard", not wrong, "\n".join(wrong))
    finally:
        prometheus.stop()
