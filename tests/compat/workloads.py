# SPDX-License-Identifier: Apache-2.0
"""The workloads of tests/compat/run: programs of Debian that nobody here wrote. Each is a shell script that runs in an
empty directory of its own, ends by itself, uses no network but the loopback device, and prints the same each time."""
from dataclasses import dataclass, field

ROOT, USER = "root", "user"


@dataclass
class Workload:
    name: str
    packages: list  # of Debian
    script: str
    users: tuple = (ROOT, USER)
    # What holdfast changes, by the held mode (see run): the reason, as a sentence. An unlisted difference fails.
    reasons: dict = field(default_factory=dict)
    timeout_s: int = 300


MOUNTS = "Under rules about cgroups `mount` is refused, so a program that mounts does not run."


def cpython(*tests):
    """What each test of these modules and classes of CPython said."""
    names = " ".join(f"test.{test}" for test in tests)
    return f"""/usr/bin/python3.11 -W ignore -m unittest -v {names} 2>&1 |
sed -n -E 's/ \\.\\.\\. (ok|FAIL|ERROR|skipped|expected failure).*/ \\1/p' | sort"""


WORKLOADS = [
    Workload("gcc and make", ["gcc", "make"], """
printf 'all: a b c d\\n\\t./a && ./b && ./c && ./d\\n%%: %%.c\\n\\tgcc -O2 -o $@ $<\\n' >Makefile
for n in a b c d; do printf '#include <stdio.h>\\nint main(void){puts("%s");return 0;}\\n' $n >$n.c; done
make -j4 | sort"""),
    Workload("AddressSanitizer with leak check", ["gcc"], """
printf 'int main(void){return 0;}\\n' >a.c; gcc -fsanitize=address a.c -o a && ./a && echo clean
printf '#include <stdlib.h>\\nint main(void){malloc(7);return 0;}\\n' >b.c; gcc -O0 -fsanitize=address b.c -o b
./b 2>log; echo $?; grep -c 'Direct leak' log"""),
    Workload("git", ["git"], """
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q -b main r; cd r
git config user.email a@b; git config user.name n; for i in 1 2 3 4 5; do echo $i >f$i; done
git add .; git commit -qm one; git checkout -q -b x; echo y >>f1; git commit -qam two; git checkout -q main
git merge -q x; git gc -q; git clone -q . ../s; git -C ../s log --format=%s; git status --short; git fsck"""),
    Workload("tar, gzip, find, sort and xargs", ["coreutils", "tar", "gzip", "findutils"], """
mkdir d; seq 2000 | split -l 50 - d/f; tar czf a.tgz d; mkdir o; tar xzf a.tgz -C o
find o -type f -print0 | xargs -0 -P4 cat | sort -n | sha256sum; cp -a --preserve=all d e; diff -r d e && echo same
setfattr -n user.x -v y d/faa 2>/dev/null; ls -lR d | wc -l"""),
    Workload("bash: jobs, pipes, traps, process substitution", ["bash"], """
set -m; (sleep 0.1; echo one) & wait; trap 'echo usr1' USR1; kill -USR1 $$; diff <(seq 5) <(seq 5) && echo same
for i in $(seq 40); do echo $i | cat | cat; done | tail -1; coproc cat; echo x >&${COPROC[1]}; read -ru ${COPROC[0]} y; echo $y
sleep 30 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?"""),
    Workload("unshare, nsenter, lsns", ["util-linux"], """
unshare -Ur sh -c 'id -u; readlink /proc/self/ns/user | cut -c1-5; lsns -n -t user | wc -l >/dev/null; echo ok'
unshare -Urn sh -c 'ls /sys/class/net >/dev/null; unshare -m true; echo $?'
unshare -Urpf --mount-proc sh -c 'echo $$'
unshare -Urn sleep 20 & sleep 1; nsenter -t $! -U -n --preserve-credentials sh -c 'id -u; ls /sys/class/net'; echo $?; kill $!""",
             reasons={"cgroups": MOUNTS}),
    Workload("bubblewrap", ["bubblewrap"], """
bwrap --unshare-all --dev-bind / / sh -c 'echo $$ >/dev/null; echo in; ls /proc | wc -l >/dev/null'; echo $?
bwrap --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --unshare-user --unshare-pid sh -c 'touch /tmp/x && echo made; touch /etc/x 2>/dev/null || echo refused'; echo $?""",
             reasons={"cgroups": MOUNTS}),
    Workload("tmux", ["tmux"], """
export TMUX_TMPDIR=$PWD TERM=xterm SHELL=/bin/sh; tmux -f /dev/null new-session -d -s a 'echo hello >said; sleep 5'; tmux new-window -t a 'sleep 5'
sleep 0.5; tmux list-windows -t a -F '#I'; cat said; tmux kill-server; echo $?"""),
    Workload("screen", ["screen"], """
export SCREENDIR=$PWD/s; mkdir -m 700 s; screen -dmS a sh -c 'echo hello >said; sleep 5'; sleep 1; cat said
screen -S a -X quit; echo $?"""),
    Workload("strace", ["strace"], """
strace -f -o log sh -c 'true; /bin/true | cat'; echo $?; grep -q exit_group log && echo seen; strace -c -o log2 true; echo $?""",),
    Workload("gdb", ["gdb", "gcc"], """
printf '#include <pthread.h>\\nvoid*f(void*p){return p;}\\nint main(void){pthread_t t;pthread_create(&t,0,f,0);pthread_join(t,0);return 7;}\\n' >a.c
gcc -g a.c -o a; HOME=$PWD gdb -q -nx -batch -ex 'break f' -ex run -ex 'bt 1' -ex continue ./a 2>/dev/null | grep -E '^#0|^.Inferior' | sed 's/p=0x[0-9a-f]*/p/; s/(p.*//'"""),
    Workload("valgrind", ["valgrind", "gcc"], """
printf '#include <stdlib.h>\\nint main(void){malloc(3);return 0;}\\n' >a.c; gcc -g a.c -o a; valgrind -q --leak-check=full --error-exitcode=9 ./a 2>/dev/null; echo $?"""),
    Workload("ssh and sshd", ["openssh-server", "openssh-client"], """
ssh-keygen -q -t ed25519 -N '' -f k; ssh-keygen -q -t ed25519 -N '' -f h; cp k.pub a
printf 'Port 2%s\\nListenAddress 127.0.0.1\\nHostKey %s/h\\nAuthorizedKeysFile %s/a\\nStrictModes no\\nPidFile %s/pid\\nUsePAM no\\nSubsystem sftp internal-sftp\\n' "$((RANDOM % 9000 + 1000))" $PWD $PWD $PWD >c
mkdir -p /run/sshd 2>/dev/null; p=$(sed -n 's/^Port //p' c); /usr/sbin/sshd -D -e -f c 2>log & sleep 1.5
ssh -F none -p $p -i k -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes 127.0.0.1 'echo through; seq 100000 | sha256sum'; echo $?
seq 100000 >f; scp -F none -q -P $p -i k -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR f 127.0.0.1:$PWD/g; cmp f g && echo same; kill %1; wait""", users=(ROOT,)),
    Workload("ssh-agent", ["openssh-client"], """
eval "$(ssh-agent -a $PWD/s)" >/dev/null; ssh-keygen -q -t ed25519 -N '' -f k; ssh-add -q k; ssh-add -l | wc -l; ssh-agent -k >/dev/null; echo $?"""),
    Workload("redis-server and redis-benchmark", ["redis-server", "redis-tools"], """
redis-server --port 0 --unixsocket $PWD/s --save '' --appendonly no --daemonize no >log 2>&1 & sleep 1
redis-cli -s s set a b; redis-cli -s s get a; redis-benchmark -s s -q -n 2000 -t get,set >/dev/null; echo $?; redis-cli -s s shutdown nosave; wait; echo $?"""),
    Workload("nginx", ["nginx-light", "python3"], """
p=2$((RANDOM % 9000 + 1000)); mkdir -p w l; seq 1000 >w/i
printf 'daemon off; pid %s/p; error_log %s/l/e; worker_processes 2;\\nevents {}\\nhttp { access_log off; client_body_temp_path %s/l/b; proxy_temp_path %s/l/c; fastcgi_temp_path %s/l/f; uwsgi_temp_path %s/l/u; scgi_temp_path %s/l/s; server { listen 127.0.0.1:%s; root %s/w; } }\\n' $PWD $PWD $PWD $PWD $PWD $PWD $PWD $p $PWD >c
chmod -R a+rwX . ; /usr/sbin/nginx -e l/e -c $PWD/c & sleep 1
python3 -c "
import urllib.request as u, hashlib
print({hashlib.sha256(u.urlopen('http://127.0.0.1:$p/i').read()).hexdigest() for _ in range(200)})"
kill %1; wait; echo $?""", users=(ROOT,)),
    Workload("node", ["nodejs"], """
cat >a.js <<'S'
const net = require('net'), cp = require('child_process'), fs = require('fs');
const s = net.createServer(c => c.pipe(c)).listen(process.cwd() + '/s', () => {
  const c = net.connect(process.cwd() + '/s', () => c.write('hello'));
  c.on('data', d => { console.log(String(d)); c.end(); s.close(); });
});
cp.exec('echo child', (e, o) => console.log(o.trim()));
fs.promises.writeFile('f', 'x'.repeat(1 << 20)).then(() => console.log(fs.statSync('f').size));
S
node a.js | sort"""),
    Workload("su and sudo", ["util-linux", "sudo"], """
su nobody -s /bin/sh -c 'id -un'; echo $?; sudo -n -u nobody id -un; echo $?""", users=(ROOT,)),
    Workload("a program of 32 bits", ["libc6-i386", "gcc"], """
printf '.globl _start\\n_start: mov $1,%%eax\\n mov $5,%%ebx\\n int $0x80\\n' >a.s; as --32 a.s -o a.o && ld -m elf_i386 a.o -o a; ./a; echo $?""",
             reasons={mode: "Calls of another architecture pass no rule, so the process is killed."
                      for mode in ("none", "namespaces", "sockets", "families", "cgroups")}),
    Workload("CPython's tests: sockets", ["libpython3.11-testsuite"], cpython(
        *(f"test_socket.{name}" for name in (
            "BasicTCPTest", "BasicUDPTest", "BasicSocketPairTest", "NonBlockingTCPTests", "TestUnixDomain", "SendmsgTCPTest",
            "RecvmsgSCMRightsStreamTest", "SendfileUsingSendfileTest", "InheritanceTest", "SendRecvFdsTests")),
        "test_socketserver")),
    Workload("CPython's tests: select, poll and pty", ["libpython3.11-testsuite"], cpython(
        "test_selectors", "test_select", "test_poll", "test_pty")),
    Workload("CPython's tests: subprocess and os", ["libpython3.11-testsuite"], cpython(
        "test_subprocess.POSIXProcessTestCase", "test_os.SpawnTests", "test_os.PidTests", "test_os.ExtendedAttributeTests",
        "test_signal.WakeupSignalTests", "test_signal.PendingSignalsTests")),
    Workload("CPython's tests: asyncio", ["libpython3.11-testsuite"], cpython(
        "test_asyncio.test_subprocess", "test_asyncio.test_unix_events", "test_asyncio.test_streams")),
    Workload("postgresql and pgbench", ["postgresql-15", "postgresql-contrib"], """
b=/usr/lib/postgresql/15/bin; $b/initdb -D d -A trust --no-sync >/dev/null; echo $?
$b/pg_ctl -D d -o "-k $PWD -c listen_addresses= -c fsync=off" -l log -w start >/dev/null; echo $?; export PGHOST=$PWD PGDATABASE=postgres
psql -Atc "create table t(i int); insert into t select generate_series(1,1000); select sum(i) from t"
$b/pgbench -qi >/dev/null 2>&1; echo $?; $b/pgbench -S -c 2 -j 2 -t 100 2>/dev/null | grep processed; $b/pg_ctl -D d -w stop >/dev/null; echo $?""", users=(USER,)),
    Workload("java", ["openjdk-17-jdk-headless"], """
cat >A.java <<'S'
import java.net.*; import java.io.*; import java.util.concurrent.*;
public class A { public static void main(String[] a) throws Exception {
  ServerSocket s = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
  ExecutorService e = Executors.newFixedThreadPool(4);
  e.submit(() -> { for (int i = 0; i < 20; i++) { Socket c = s.accept(); e.submit(() -> { c.getInputStream().transferTo(c.getOutputStream()); c.close(); return 0; }); } return 0; });
  int sum = 0;
  for (int i = 0; i < 20; i++) { Socket c = new Socket(s.getInetAddress(), s.getLocalPort()); c.getOutputStream().write(i); c.shutdownOutput(); sum += c.getInputStream().read(); c.close(); }
  System.out.println(sum); e.shutdown(); System.out.println(new ProcessBuilder("echo", "child").start().waitFor()); } }
S
java -Xshare:auto -XX:TieredStopAtLevel=1 A.java; echo $?"""),
    Workload("crun", ["crun", "busybox-static"], """
mkdir -p r/bin r/proc r/dev r/sys; cp /bin/busybox r/bin/sh; crun spec $([ $(id -u) = 0 ] || echo --rootless)
python3 - <<'S'
import json
c = json.load(open("config.json")); c["process"]["terminal"] = False; c["root"]["path"] = "r"
c["process"]["args"] = ["sh", "-c", "echo $$ in; ls /proc/self/ns | wc -l; cat /etc/x || echo none"]
json.dump(c, open("config.json", "w"))
S
crun --root $PWD/s --cgroup-manager disabled run c$$ 2>&1 | sed "s/c$$/c/g"; echo ${PIPESTATUS[0]}""",
             reasons={"cgroups": MOUNTS}),
    Workload("apt and dpkg", ["apt", "dpkg"], """
apt-get check -qq; echo $?; apt-get -s -qq install bash | tail -1; apt-cache policy bash | head -1; dpkg -S /bin/bash
mkdir -p p/DEBIAN; printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n' >p/DEBIAN/control
dpkg-deb --root-owner-group -b p p.deb >/dev/null; echo $?; dpkg-deb -f p.deb Package"""),
    Workload("cmake and ninja", ["cmake", "ninja-build", "gcc"], """
printf 'cmake_minimum_required(VERSION 3.20)\nproject(a C)\nadd_executable(a a.c)\n' >CMakeLists.txt
printf 'int main(void){return 3;}\n' >a.c; cmake -G Ninja -B b . >/dev/null; ninja -C b >/dev/null; b/a; echo $?"""),
    Workload("dbus-daemon", ["dbus"], """
dbus-run-session -- sh -c 'dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep -c string' 2>/dev/null; echo $?"""),
    Workload("sqlite3", ["sqlite3"], """
for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' d 'create table if not exists t(i); insert into t values(1);' & done; wait; sqlite3 d 'select sum(i) from t'"""),
    Workload("curl and an HTTP server", ["curl", "python3"], """
seq 5000 >f; python3 -c "
import http.server, functools
class H(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H); print(s.server_port, file=open('p', 'w'), flush=True); s.serve_forever()" & sleep 1.5
for i in 1 2 3 4 5; do curl -s http://127.0.0.1:$(cat p)/f | cmp - f && echo same; done; kill %1; wait; echo $?"""),
    Workload("man", ["man-db"], """
printf '.TH A 1\n.SH NAME\na - b\n' >a.1; man -l a.1 | cat | head -3; echo $?"""),
    Workload("lsof, ps, ss and prlimit", ["lsof", "procps", "iproute2", "util-linux"], """
sleep 30 & lsof -p $! >/dev/null; echo $?; ps -o comm= -p $!; prlimit --pid $! --core=0; prlimit --pid $! --core -o SOFT --noheadings
renice -n 5 -p $! >/dev/null; echo $?; taskset -p $! >/dev/null; echo $?; ss -xl >/dev/null; echo $?; kill $!"""),
    Workload("perl: sockets and forks", ["perl"], """
perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Listen=>5,LocalAddr=>"127.0.0.1") or die; if(!fork){my $c=IO::Socket::INET->new(PeerAddr=>"127.0.0.1",PeerPort=>$s->sockport) or die; print $c "hi\\n"; exit} $a=$s->accept; print scalar <$a>; wait; print "$?\\n"'"""),
]
