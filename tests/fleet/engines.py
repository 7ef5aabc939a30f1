# SPDX-License-Identifier: Apache-2.0
"""The engines of a fleet on loopback, from the packages that tools/fleet-packages unpacks: PostgreSQL, rsyslog, etcd and
Prometheus. Each has a directory, and ends with stop()."""

import os
import signal
import socket
import subprocess
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FACTOR = float(os.environ.get("HOLDFAST_WAIT_FACTOR", "3"))


def unpacked():
    done = subprocess.run([os.path.join(SOURCE, "tools", "fleet-packages")], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


ROOT = unpacked()
LIBRARIES = os.path.join(ROOT, "usr/lib/x86_64-linux-gnu")
PG = os.path.join(ROOT, "usr/lib/postgresql/15/bin")
ENVIRONMENT = dict(os.environ, LD_LIBRARY_PATH=LIBRARIES, ETCDCTL_API="3",
                   PATH=":".join([os.path.join(ROOT, "usr/bin"), PG, os.environ["PATH"]]))


def program(name):
    for folder in ("usr/bin", "usr/sbin"):
        path = os.path.join(ROOT, folder, name)
        if os.path.exists(path):
            return path
    raise SystemExit(f"{name} is not in {ROOT}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(condition, limit_s, what):
    """The value of condition() once it is true. `limit_s` is for an idle machine."""
    end = time.monotonic() + limit_s * FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


class Process:
    def __init__(self, folder, name, words, **options):
        os.makedirs(folder, exist_ok=True)
        self.words, self.options, self.name = words, options, name
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=ENVIRONMENT, **self.options)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(timeout=60 * FACTOR)


class Postgres:
    """A database "fleet" with schema.sql, and the login role writer, who is a collector."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.data = os.path.join(folder, "data")
        os.makedirs(folder)
        self.as_user = []
        if os.geteuid() == 0:  # it refuses to run as root, and a cache in /root can be read by no other user
            self.as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        subprocess.run(self.as_user + [PG + "/initdb", "-D", self.data, "-A", "trust", "-U", "owner", "-E", "UTF8",
                                       "--no-locale", "-N"], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        self.server = Process(folder, "postgres", self.as_user + [
            PG + "/postgres", "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=", "-c", "max_connections=40", "-c", "fsync=off"], cwd=folder)
        self.url = f"postgresql://owner@127.0.0.1:{self.port}/postgres"
        wait_for(lambda: self.run("SELECT 1", check=False) == "1", 60, "PostgreSQL does not start: " + self.server.log())
        self.run("CREATE DATABASE fleet")
        self.url = f"postgresql://owner@127.0.0.1:{self.port}/fleet"
        for _ in range(2):  # it can be run again
            subprocess.run([PG + "/psql", "-q", "-v", "ON_ERROR_STOP=1", "-f",
                            os.path.join(SOURCE, "packaging/fleet/schema.sql"), self.url], check=True, env=ENVIRONMENT,
                           stderr=subprocess.DEVNULL)
        self.run("CREATE ROLE writer LOGIN; GRANT holdfast_collector TO writer")

    def run(self, query, check=True, url=None):
        done = subprocess.run([PG + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", query, url or self.url],
                              capture_output=True, text=True, check=False, env=ENVIRONMENT)
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip() if done.returncode == 0 else done.stderr

    def stop(self):
        self.server.stop(signal.SIGINT)


def configuration(name, changes):
    """A shipped configuration with other addresses, names and no TLS."""
    with open(os.path.join(SOURCE, "packaging/fleet", name), encoding="utf-8") as file:
        text = file.read()
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError(f"{name} has no {old}")
        text = text.replace(old, new)
    return text


class Rsyslog(Process):
    def __init__(self, folder, text):
        os.makedirs(folder)
        with open(folder + "/rsyslog.conf", "w", encoding="utf-8") as file:
            file.write(f'global(workDirectory="{folder}")\n' + text)
        super().__init__(folder, "rsyslogd", [program("rsyslogd"), "-n", "-f", folder + "/rsyslog.conf", "-i", folder + "/pid",
                                              "-M", LIBRARIES + "/rsyslog"])


def collector(folder, port, database_port, tls):
    return Rsyslog(folder, configuration("rsyslog-collector.conf", {
        'port="2514"': f'port="{port}"', "holdfast_writer@DATABASE": f"writer@127.0.0.1:{database_port}",
        "*.MACHINES": "machine", 'action.resumeInterval="5"': 'action.resumeInterval="1"', "/etc/holdfast/fleet": tls}))


def sender(folder, port, events, tls, address):
    """`address`: what it sends from."""
    return Rsyslog(folder, configuration("rsyslog-machine.conf", {
        'port="2514"': f'port="{port}" localClientIP="{address}"', 'target="COLLECTOR"': 'target="127.0.0.1"',
        '["COLLECTOR"]': '["collector"]', "/etc/holdfast/fleet": tls, "/var/lib/holdfast/events.jsonl*": events,
        'action.resumeInterval="5"': 'action.resumeInterval="1"'}))


def authority(folder, names):
    """A certificate authority, and NAME.pem and NAME.key for each name."""
    os.makedirs(folder)
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)  # noqa: E731
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key",
        "-out", "ca.pem", "-subj", "/CN=fleet", "-days", "2")
    for name in names:
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key",
            "-out", name + ".csr", "-subj", "/CN=" + name)
        with open(os.path.join(folder, "ext"), "w", encoding="utf-8") as file:
            file.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "ext", "-out", name + ".pem")


class Etcd(Process):
    """With TLS: clients need a certificate of the authority."""

    def __init__(self, folder, tls):
        self.port, peer = free_port(), free_port()
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.tls = tls
        super().__init__(folder, "etcd", [
            program("etcd"), "--data-dir", folder + "/data", "--listen-client-urls", self.endpoint,
            "--advertise-client-urls", self.endpoint, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}",
            "--client-cert-auth", "--trusted-ca-file", tls + "/ca.pem", "--cert-file", tls + "/etcd.pem",
            "--key-file", tls + "/etcd.key", "--log-level", "warn"])
        self.wait()

    def wait(self):
        wait_for(lambda: self.ctl("endpoint", "health").returncode == 0, 30, "etcd does not start: " + self.log())

    def flags(self, name="machine"):
        return ["--endpoints", self.endpoint, "--cacert", self.tls + "/ca.pem", "--cert", f"{self.tls}/{name}.pem",
                "--key", f"{self.tls}/{name}.key"]

    def ctl(self, *words, stdin=None):
        return subprocess.run([program("etcdctl"), *self.flags(), *words], capture_output=True, check=False, env=ENVIRONMENT,
                              input=stdin)


class Prometheus(Process):
    def __init__(self, folder, config):
        os.makedirs(folder)
        with open(folder + "/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(config)
        self.port = free_port()
        super().__init__(folder, "prometheus", [
            program("prometheus"), "--config.file", folder + "/prometheus.yml", "--storage.tsdb.path", folder + "/data",
            "--web.listen-address", f"127.0.0.1:{self.port}"])
