#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast report --html`: what the page shows, that no text of an event or a policy becomes markup, and how Chromium
sees it, where that is installed."""

import html
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan, skip  # noqa: E402

HOLDFAST = os.path.abspath(os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast"))
CHROMIUM = next((path for path in map(shutil.which, ("chromium-headless-shell", "chromium")) if path), None)
TAGS = set("html head meta title style body h1 h2 p div span b i br table thead tbody tr th td code svg g rect line path"
           " text defs marker".split())
ATTRIBUTES = set("lang charset http-equiv content name class id viewbox role aria-label x y width height rx x1 y1 x2 y2 d"
                 " text-anchor marker-end refx refy markerwidth markerheight orient".split())
EVIL = ("</title><script>document.title='owned'</script>", "\"><img src=x onerror=document.title='owned'>",
        "<svg/onload=document.title='owned'>", "'/><iframe src=//evil.example>", "&lt;script&gt;", "\u202e\x1b[31m\x07",
        "</style><style>*{display:none}", "]]></svg><a href=javascript:1>x</a>")
POLICY = """version = 1
[profile.web]
unit = "nginx.service"
namespaces.enter = "none"
namespaces.create = []
cgroups.leave = ["systemd"]
[profile.systemd]
cgroup = "/init.scope"
[profile.box]
namespaces.track = true
namespaces.visitors = "lock"
"""


class Page(html.parser.HTMLParser):
    """The elements of the page, and its text by the id of the element around it."""

    def __init__(self, text):
        super().__init__()
        self.strange = []
        self.texts = {}
        self.ids = []
        self.open = []
        self.feed(text)
        if self.open:
            self.strange.append(f"not closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        for key, value in attrs:
            if key not in ATTRIBUTES or (key == "marker-end" and value != "url(#tip)"):
                self.strange.append(f"{tag} {key}={value}")
        if tag not in TAGS:
            self.strange.append(tag)
        if tag in ("meta", "br"):
            return
        self.open.append(tag)
        self.ids.append(named.get("id"))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.strange.append(f"/{tag}")
        else:
            self.ids.pop()

    def handle_data(self, data):
        for one in {"page", *self.ids}:
            self.texts[one] = self.texts.get(one, "") + " " + data.strip()

    def text(self, one="page"):
        return re.sub(r"\s+", " ", self.texts.get(one, ""))


def event(count, seconds, verdict="deny", enforced=True, reason="enter-none", comm="nginx", profile="web", file="web.toml",
          text='"none"', repeats=0, **request):
    facts = {"hook": "namespace_install", "way": "setns", "subject": profile, "ns_types": "net", **request}
    return {"version": 1, "id": count, "time_ns": seconds * 10 ** 9, "generation": 1, "hook": facts["hook"],
            "way": facts["way"], "verdict": verdict, "enforced": enforced, "reason": reason, "profile": profile,
            "rule": {"id": 1, "file": file, "line": 4, "column": 1, "key": "namespaces.enter", "text": text},
            "log": True, "pid": 17, "tid": 17, "uid": 0, "comm": comm, "source": 0, "target": 0, "repeats": repeats,
            "request": {key: value for key, value in facts.items() if value is not None}}


def report(folder, events, *arguments, policy=None):
    source = os.path.join(folder, "events.jsonl")
    page = os.path.join(folder, "report.html")
    with open(source, "w", encoding="utf-8") as file:
        for one in events:
            file.write((one if isinstance(one, str) else json.dumps(one)) + "\n")
    if policy is not None:
        with open(os.path.join(folder, "policy.toml"), "w", encoding="utf-8") as file:
            file.write(policy)
        arguments += ("-p", os.path.join(folder, "policy.toml"))
    done = subprocess.run([HOLDFAST, "report", source, "--html", page, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return done, ""
    with open(page, encoding="utf-8") as file:
        return done, file.read()


def chromium(page, *arguments):
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
                               "--virtual-time-budget=2000", *arguments, f"file://{page}"], capture_output=True, text=True,
                              timeout=120, check=False).stdout


def colours(path):
    """The pixels of a PNG as a set of colours, without filters being undone where a line has none."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    step = 4 if colour == 6 else 3
    raw, previous, found = zlib.decompress(packed), bytearray(width * step), set()
    for row in range(height):
        line = bytearray(raw[row * (width * step + 1) + 1:(row + 1) * (width * step + 1)])
        kind = raw[row * (width * step + 1)]
        for i, value in enumerate(line):
            left = line[i - step] if i >= step else 0
            up = previous[i]
            corner = previous[i - step] if i >= step else 0
            if kind == 1:
                value += left
            elif kind == 2:
                value += up
            elif kind == 3:
                value += (left + up) // 2
            elif kind == 4:
                guess = left + up - corner
                value += min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            line[i] = value & 255
        previous = line
        found |= {bytes(line[i:i + 3]) for i in range(0, len(line), step)}
    return found


def check_content(folder):
    events = [event(1, 100), event(2, 160, repeats=4), event(3, 400, enforced=False, comm="sh"),
              event(4, 500, verdict="allow", reason="default"),
              event(5, 3700, verdict="lock", reason="lock-on-entry", profile="box", comm="nsenter", subject=None,
                    target_owner="box", target_set=9),
              event(6, 3700, hook="cgroup_attach", way="cgroup.procs", reason="leave", subject=None, ns_types=None,
                    object="web", src_chain=["web"], comm="bash")]
    done, text = report(folder, events, policy=POLICY)
    page = Page(text)
    check("a report is written", done.returncode == 0 and done.stderr == "", done.stderr)
    check("it has no strange element or attribute", page.strange == [], page.strange)
    check("it forbids scripts and loads nothing", "default-src 'none'" in text and
          not re.search(r"\b(src|href)=|@import|url\((?!#tip\))|https?:", text))
    check("totals", "6 events about 10 decisions in 1 h 0 min" in page.text() and
          re.search(r"7 denied 1 would deny 0 limited 1 locked 1 allowed", page.text()), page.text())
    check("the timeline has each decision once", re.findall(r"first event: ([^<]*)<", text) and sum(
        int(count) for found in re.findall(r"first event: ([^<]*)<", text)
        for count in re.findall(r"(\d+) (?:denied|would|locked|allowed)", found)) == 10, text)
    check("who was refused what by which line", re.search(
        r"6 nginx setns\(net\) may not enter any namespace web web.toml:4:1 namespaces.enter = \"none\" events 1, 2",
        page.text("refusals")) and re.search(r"1 bash cgroup.procs", page.text("refusals")), page.text("refusals"))
    check("a refusal of audit is in its column", '<td class="n denied"></td><td class="n reported">1</td><td>sh</td>' in text)
    graph = page.text("graph")
    check("the graph has profiles, movers and sandboxes", all(word in graph for word in (
        "movers", "systemd may take tasks out of web", "enforce, /system.slice/nginx.serv", "visitors: lock, 1 seen",
        "tasks without a profile -&gt; box: 0 refused, 1 locked in".replace("&gt;", ">"),
        "tasks without a profile -> web: 1 refused, 0 locked in")), graph)
    check("strengths of the rules", re.search(r"namespaces.enter .*enforced", page.text("strengths")) and
          "supervisor lsm run service" in page.text("strengths"), page.text("strengths"))
    check("what no profile holds", "nsenter setns(net) 1 locked" in page.text("unprofiled") and
          re.search(r"systemd enforce open open open open", page.text("coverage")), page.text("unprofiled"))
    done, text = report(folder, events)
    check("without the policy the report says so", done.returncode == 0 and "give it with --policy" in text)
    subprocess.run([HOLDFAST, "run", "-q", "--backend", "supervisor", "-p", os.path.join(folder, "policy.toml"),
                          "--profile", "web", "--events", os.path.join(folder, "own.jsonl"), "--", "unshare", "-n", "true"],
                         capture_output=True, check=False)
    done = subprocess.run([HOLDFAST, "report", os.path.join(folder, "own.jsonl"), "--html", "-"], capture_output=True,
                          text=True, check=False)
    check("a run's own policy is shown, on standard output", done.returncode == 0 and Page(done.stdout).strange == [] and
          "The policy: the run's, as it was" in html.unescape(done.stdout), done.stderr)
    done, text = report(folder, [])
    check("no events", done.returncode == 0 and "There are no events" in text)
    done, text = report(folder, ["{}"])
    check("a line that is no event is named", done.returncode == 2 and "events.jsonl: line 1: " in done.stderr, done.stderr)
    done, text = report(folder, [event(1, 1)], "--html", "/nonexistent/x.html")
    check("a file that cannot be written", done.returncode in (1, 2) and done.stderr != "", done.stderr)


def check_attack(folder):
    """Hostile text wherever an event or a policy has text."""
    events = []
    for i, evil in enumerate(EVIL):
        events.append(event(10 * i, i, comm=evil, profile=evil, file=evil, text=evil))
        events.append({**event(10 * i + 1, i, comm=evil, hook="cgroup_attach", way="cgroup.procs", reason="leave",
                               ns_types=None, object=evil, src_chain=[evil], subject=None),
                       "object": {"pid": 5, "tid": 5, "uid": 0, "comm": evil}, "source_path": evil, "target_path": evil})
        events.append(event(10 * i + 2, i, hook="socket", way="connect", ns_types=None, sock_op="connect", sock_family="unix",
                            own_labels={evil: evil}))
        events.append({"version": 1, "guard": evil, "id": 10 * i + 3, "time_ns": i, "comm": evil, "verdict": "deny"})
    # The guard's lines are told by their first bytes.
    lines = [json.dumps(one, separators=(",", ":")) for one in events]
    names = [evil for evil in EVIL if "\x1b" not in evil]
    quoted = [json.dumps(evil, ensure_ascii=False) for evil in names]
    policy = 'version = 1\n' + "".join(
        f"[profile.{name}]\ncgroup = {json.dumps('/' + evil.replace('/', '-'))}\nnamespaces.track = true\n"
        f"cgroups.leave = [{quoted[0]}]\n" for name, evil in zip(quoted, names))
    checked, text = report(folder, lines, policy=policy)
    if checked.returncode:
        policy = POLICY
        checked, text = report(folder, lines, policy=policy)
    page = Page(text)
    check("hostile text makes no element and no attribute", checked.returncode == 0 and page.strange == [],
          checked.stderr + str(page.strange))
    check("hostile text is shown as text", EVIL[0][:15] in page.text() and "\\x1b[31m" in page.text(), page.text()[:2000])
    check("no control character is left, nor one that reverses text",
          not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text) and "\\u202e" in text)
    many = [event(i, i, comm=f"c{i}") for i in range(7000)]
    checked, text = report(folder, many)
    check("many kinds of refusals: some are listed, all are counted", checked.returncode == 0 and
          "6 500 more refusals" in Page(text).text() and len(text) < 400_000, len(text))
    checked, text = report(folder, lines, policy=policy)
    return os.path.join(folder, "report.html")


with tempfile.TemporaryDirectory() as base:
    check_content(base)
    attacked = check_attack(base)
    if CHROMIUM is None:
        skip("Chromium shows the report", "chromium", "it is not installed")
    else:
        dom = chromium(attacked, "--dump-dom")
        check("in Chromium hostile text makes no element either", "</html>" in dom and "<h2>" in dom and
              Page(dom).strange == [], str(Page(dom).strange) + dom)
        check("and no script runs", "<title>owned" not in dom)
        report(base, [event(1, 100), event(2, 400, verdict="allow", reason="default"),
                      event(3, 900, enforced=False, comm="sh")], policy=POLICY)
        picture = os.path.join(base, "report.png")
        chromium(attacked, f"--screenshot={picture}", "--window-size=1200,900", "--hide-scrollbars",
                 "--force-color-profile=srgb")
        seen = colours(picture)
        wanted = {"denied": "c22f2f", "would deny": "d98613", "allowed": "4f9a5b"}
        check("the picture has the bars of the timeline", all(bytes.fromhex(rgb) in seen for rgb in wanted.values()),
              sorted(colour.hex() for colour in seen)[:80])
plan()
