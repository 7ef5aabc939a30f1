#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ordinary programs do under `holdfast run` what they do without it, unless a rule is about it. Each program
here runs bare and under a policy, as root and as an ordinary user, and has to say the same."""
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from tap import check, plan  # noqa: E402

POLICIES = {
    "none": "",
    "namespaces": """namespaces.create = ["user","mnt","pid","net","ipc","uts","cgroup"]
namespaces.enter = "own"
namespaces.track = true
""",
    # Refuses a label that no socket has.
    "sockets": """[[profile.app.socket]]
on = ["bind","listen","connect","send","accept"]
label = { "user.never" = "1" }
verdict = "deny"
[[profile.app.socket]]
on = ["connect","send","accept"]
family = ["unix"]
label = { "user.never" = false }
peer = { "user.never" = "1" }
verdict = "deny"
""",
    # Another family could be swapped in, so the calls of a program with threads are made for it.
    "inet6": """[[profile.app.socket]]
on = ["bind","listen","connect","send","accept"]
family = ["inet6"]
verdict = "deny"
""",
    # The same without a peer.
    "label": """[[profile.app.socket]]
on = ["bind","listen","connect","send","accept"]
label = { "user.never" = "1" }
verdict = "deny"
""",
    "cgroups": "cgroups.leave = []\n",
    "accepts": """[[profile.app.socket]]
on = ["connect","accept"]
family = ["unix"]
peer = { "user.never" = "1" }
verdict = "deny"
[profile.app.label]
inherit = true
""",
}

# What the programs begin with.
START = """
import ctypes, errno, os, resource, signal, socket, struct, sys, threading, time
c = ctypes.CDLL(None, use_errno=True)
c.syscall.restype = c.ptrace.restype = ctypes.c_long
c.ptrace.argtypes = [ctypes.c_long] * 4
def result(value): return "ok" if value >= 0 else errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
def say(what, act):
    try: act(); got = "ok"
    except OSError as error: got = errno.errorcode.get(error.errno, error.errno)
    print(what, got, flush=True)
"""

SHARED_TABLE = """
child = c.syscall(56, 0x400 | signal.SIGCHLD, 0, 0, 0, 0)   # clone(CLONE_FILES)
if child == 0: os._exit(0)
print("clone", result(child))
print("ended with", os.waitpid(child, 0)[1])
"""

LIMITS = """
def lower(pid):
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, hard))
child = os.fork()
if child == 0: time.sleep(30); os._exit(0)
say("own child", lambda: lower(child))
say("itself", lambda: lower(os.getpid()))
say("nobody", lambda: lower(4194303))
say("read init's", lambda: os.getuid() and time or resource.prlimit(1, resource.RLIMIT_CORE))
os.kill(child, 9)
"""

SUPERVISORS_LIMITS = """
say("the supervisor's", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0)))
say("its processor time", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1)))
say("its policy", lambda: os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0)))
say("its processors", lambda: os.sched_setaffinity(os.getppid(), {0}))
say("its priority", lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19))
say("all of the user", lambda: os.setpriority(os.PRIO_USER, 0, 19))
print("its disks", result(c.syscall(251, 1, os.getppid(), 3 << 13)))   # ioprio_set(idle)
"""

SCHEDULING = """
child = os.fork()
if child == 0: time.sleep(30); os._exit(0)
for name, pid in ("own", 0), ("by number", os.getpid()), ("child's", child), ("nobody's", 4194303):
    say(name + " policy", lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)))
    say(name + " processors", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(0)))
    say(name + " priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 1))
def of_thread(): say("a thread's priority", lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 2))
one = threading.Thread(target=of_thread); one.start(); one.join()
os.kill(child, 9)
"""

NOTHING_THERE = """
print("attach", result(c.ptrace(16, 4194303, 0, 0)), "continue", result(c.ptrace(7, 4194303, 0, 0)))
b = ctypes.create_string_buffer(8)
class Part(ctypes.Structure): _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
part = Part(ctypes.addressof(b), 8)
print("read", result(c.process_vm_readv(4194303, ctypes.byref(part), 1, ctypes.byref(part), 1, 0)))
print("no descriptor", result(c.syscall(438, 77, 0, 0)), "no pidfd", result(c.syscall(438, 1, 0, 0)))
child = os.fork()
if child == 0:
    c.ptrace(0, 0, 0, 0); os.kill(os.getpid(), signal.SIGSTOP); os._exit(0)
os.waitpid(child, 0); os.kill(child, 9)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print("ended:", result(c.ptrace(7, child, 0, 0)), result(c.ptrace(2, child, 0, 0)), result(c.ptrace(16, child, 0, 0)))
pidfd = os.pidfd_open(child)
print("pidfd of it", result(c.syscall(438, pidfd, 0, 0))); os.waitpid(child, 0)
print("reaped", result(c.syscall(438, pidfd, 0, 0)))
"""

THREADED_SOCKETS = """
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
os.chdir(sys.argv[1])
a, b = socket.socketpair()
say("socketpair send", lambda: a.send(b"x"))
say("socketpair write", lambda: os.write(a.fileno(), b"x"))
def descriptors():
    near, far = socket.socketpair(); r, w = os.pipe(); socket.send_fds(near, [b"ab"], [r, w])
    text, passed, _, _ = socket.recv_fds(far, 2, 2)
    os.write(passed[1], b"xyz"); print("passed:", text, os.read(r, 3))
say("socketpair descriptors", descriptors)
def credentials():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); far.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    own = struct.pack("iII", os.getpid(), os.getuid(), os.getgid())
    near.send(b"1"); near.sendmsg([b"2"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, own)])
    for _ in range(2):
        who = struct.unpack("iII", far.recvmsg(1, 100)[1][0][2])
        # An ordinary user can send for no other process, so there the peer sees the connect helper's number.
        print("sent by", who[1:], who[0] == os.getpid() or os.getuid() != 0)
say("credentials", credentials)
old = os.umask(0o037)
say("unix bind", lambda: server.bind("s")) if (server := socket.socket(socket.AF_UNIX)) else 0
print("mode %o" % os.stat("s").st_mode); os.umask(old)
say("unix listen", lambda: server.listen(4))
say("unix connect", lambda: socket.socket(socket.AF_UNIX).connect("s"))
say("abstract bind", lambda: socket.socket(socket.AF_UNIX).bind(b"\\0ordinary%d" % os.getpid()))
os.unlink("s")
say("if_nameindex", socket.if_nameindex)
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
say("netlink bind", lambda: link.bind((0, 0)))
print("number", link.getsockname()[0] == os.getpid())
say("netlink bind again", lambda: link.bind((0, 0)))
other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4); say("netlink connect", lambda: other.connect((0, 0)))
print("number", other.getsockname()[0] == os.getpid())
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(4)
near = socket.create_connection(listener.getsockname()); far = listener.accept()[0]
got = 0
def read():
    global got
    while got < 8 << 20: got += len(far.recv(1 << 20))
reader = threading.Thread(target=read); reader.start()
print("a blocking send of 8 MiB:", near.send(b"y" * (8 << 20))); reader.join()
near.setsockopt(socket.SOL_SOCKET, 60, 1)
say("MSG_ZEROCOPY", lambda: near.send(b"z" * 100, 0x4000000))
with open("/etc/passwd", "rb") as file:
    for out in near, a:
        say("sendfile", lambda: print(os.sendfile(out.fileno(), file.fileno(), 0, 100)))
        say("sendfile from the position", lambda: print(os.sendfile(out.fileno(), file.fileno(), None, 7), file.tell()))
        r, w = os.pipe(); os.write(w, b"0123456789")
        say("splice", lambda: print(os.splice(r, out.fileno(), 10)) if hasattr(os, "splice") else None)
        say("pwritev2", lambda: os.pwritev(out.fileno(), [b"x"], 0))
c1, c2 = socket.socketpair(); c2.close()
got = []
signal.signal(signal.SIGPIPE, lambda number, frame: got.append(number))
say("to a closed one", lambda: c1.send(b"x")); say("without a signal", lambda: c1.send(b"x", socket.MSG_NOSIGNAL))
time.sleep(0.1); print("SIGPIPE", len(got))
say("a long message", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].send(b"x" * (2 << 20)))
os._exit(0)
"""

MANY_CHILDREN = """
kids = []
for i in range(800):
    kids.append(os.fork())
    if kids[-1] == 0: signal.pause(); os._exit(0)
last = c.syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)   # clone(CLONE_NEWUSER)
if last == 0: signal.pause(); os._exit(0)
print("clone", result(last))
space = os.open("/proc/%d/ns/user" % last, os.O_RDONLY)
print("enter the namespace of one of 801 children:", result(c.syscall(308, space, 0)), flush=True)
for pid in kids + [last]: os.kill(pid, 9)
os._exit(0)
"""

# Threads wait in accept() while signals come in. Only EINTR and connections may come of that.
WAITING_THREADS = """
wrong = set()
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(64); fd = server.fileno()
def wait():
    while True:
        got = c.accept(fd, None, None)
        if got >= 0: os.close(got)
        elif ctypes.get_errno() != errno.EINTR: wrong.add(ctypes.get_errno())
signal.signal(signal.SIGUSR1, lambda *ignored: None); signal.siginterrupt(signal.SIGUSR1, False)
for _ in range(8): threading.Thread(target=wait, daemon=True).start()
pid = os.getpid()
if os.fork() == 0:
    for _ in range(100): os.kill(pid, signal.SIGUSR1); time.sleep(0.02)
    os._exit(0)
end = time.monotonic() + 2.5
while time.monotonic() < end:
    socket.create_connection(server.getsockname()).close(); time.sleep(0.01)
print("errors but EINTR:", sorted(wrong), flush=True)
os._exit(0)
"""

# More than 512, and each gets a connection.
MANY_ACCEPTS = """
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(64); fd = server.fileno()
threading.stack_size(65536)
got, lock = {}, threading.Lock()
def wait():
    value = c.accept(fd, None, None)
    name = "ok" if value >= 0 else errno.errorcode[ctypes.get_errno()]
    with lock: got[name] = got.get(name, 0) + 1
threads = [threading.Thread(target=wait) for _ in range(700)]
for thread in threads: thread.start()
near = [socket.create_connection(server.getsockname()) for _ in range(700)]
for thread in threads: thread.join()
print(got, flush=True)
"""

# Each connection is accepted once, however long that takes. Where one is lost, its accept takes the next one, and at
# the end the queue is empty.
ACCEPTS_IN_TURN = """
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(1); wrong = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    near = socket.create_connection(server.getsockname(), 30)
    far, at = server.accept()
    wrong += at != near.getsockname() or far.fileno() <= 2
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); near.close(); far.close()
print("accepted another:", wrong, flush=True)
"""

# The tree has all the processes that its user may have.
NO_THREAD = """
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
far = socket.socket(); far.bind(("127.0.0.1", 0)); far.listen(4)
kids = []
try:
    while True:
        pid = os.fork()
        if pid == 0: signal.pause(); os._exit(0)
        kids.append(pid)
except BlockingIOError: pass
try: socket.socket().connect(far.getsockname()); print("connected")
except OSError as error: print("connected" if error.errno == errno.EAGAIN else error)
for pid in kids: os.kill(pid, 9)
for pid in kids: os.waitpid(pid, 0)
say("afterwards", lambda: socket.socket().connect(far.getsockname()))
os._exit(0)
"""

# A second thread exists, and a socket is closed when close() returns.
CLOSED_SOCKETS = """
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
def again():
    one = socket.socket(); one.bind(("127.0.0.1", 0)); at = one.getsockname(); one.close()
    other = socket.socket(); other.bind(at); other.close()
def listener():
    one = socket.socket(); one.bind(("127.0.0.1", 0)); one.listen(1); one.setblocking(False)
    try: one.accept()
    except BlockingIOError: pass
    at = one.getsockname(); one.close()
    try: socket.socket().connect(at); return "connected"
    except OSError as error: return errno.errorcode[error.errno]
for _ in range(50): again()
print("a closed listener:", sorted({listener() for _ in range(50)}), flush=True)
os._exit(0)
"""

# As ssh-agent and browsers are. The /proc of an ordinary user's undumpable process is root's.
UNDUMPABLE = """
os.chdir(sys.argv[1])
name = "attributes.%d" % os.getpid(); open(name, "w").close()
c.prctl(4, 0, 0, 0, 0)
say("list", lambda: os.listxattr(name))
file = os.open(name, os.O_RDWR)
say("list by descriptor", lambda: os.listxattr(file))
say("set", lambda: os.setxattr(file, "user.x", b"y"))
say("write", lambda: os.write(file, b"x"))
a, b = socket.socketpair()
say("send", lambda: a.send(b"x"))
say("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(1)
near = socket.socket(); near.connect(server.getsockname())
say("accept", server.accept)
os.unlink(name)
child = os.fork()
if child == 0: os._exit(errno.EPERM if c.unshare(0x10000000) < 0 else 0)
print("unshare(user)", os.waitpid(child, 0)[1], flush=True)
"""

# A page of userfaultfd that never comes has the path of an open for writing.
STALLED_PATH = """
import fcntl
c.mmap.restype = ctypes.c_void_p
page = c.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
faults = c.syscall(323, 0o2000000)
fcntl.ioctl(faults, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0))
fcntl.ioctl(faults, 0xc020aa00, struct.pack("QQQQ", page, 4096, 1, 0))
for _ in range(3): threading.Thread(target=lambda: c.open(ctypes.c_void_p(page), os.O_WRONLY), daemon=True).start()
time.sleep(0.5)
begin = time.monotonic()
for _ in range(20): open("/dev/null", "w").close()
print("another open is answered:", time.monotonic() - begin < 10, flush=True)
os._exit(0)
"""

# In a /proc of its own where it has a new pid namespace.
WRITES_PROC = """
def adjust():
    with open("/proc/self/oom_score_adj", "w") as file: file.write("500")
say("oom_score_adj", adjust)
child = os.fork()
if child == 0:
    user = os.getuid()
    if c.unshare(0x10000000) < 0: os._exit(1)
    try: open("/proc/self/setgroups", "w").write("deny"); open("/proc/self/uid_map", "w").write("0 %d 1" % user)
    except OSError as error: print("map", error); os._exit(2)
    os._exit(0)
print("unshare -r", os.waitpid(child, 0)[1], flush=True)
"""

# A cgroup is frozen while its task waits in an accept.
FROZEN = """
with open("/proc/self/mountinfo") as mounts:
    points = [line.split()[4] for line in mounts if " - cgroup2 " in line and line.split()[3] == "/"]
folder = points[0] + "/ordinary-%d" % os.getpid() if points else None
def put(name, text):
    with open(folder + "/" + name, "w") as file: file.write(text)
if folder:
    os.mkdir(folder)
    server = socket.socket(socket.AF_UNIX); server.bind(b"\\0" + folder.encode()); server.listen(1)
    child = os.fork()
    if child == 0: server.accept(); os._exit(0)
    put("cgroup.procs", str(child)); time.sleep(1.5); put("cgroup.freeze", "1")
    def state():
        with open(folder + "/cgroup.events") as file: return "frozen 1" in file.read()
    end = time.monotonic() + 20
    while not state() and time.monotonic() < end: time.sleep(0.1)
    print("frozen:", state(), flush=True)
    put("cgroup.freeze", "0"); time.sleep(0.3)
    near = socket.socket(socket.AF_UNIX); near.connect(b"\\0" + folder.encode())
    print("accepted:", os.waitpid(child, 0)[1], flush=True); os.rmdir(folder)
"""

IGNORED_CHILD = "print('SIGCHLD is ignored:', signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN); sys.exit(3)"
OPEN_FILES = "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0]); say('pipe', os.pipe)"
# What an open for writing returns, of files that are no business of any rule, and what it leaves behind.
OPENS = """
import fcntl, pty, stat, tempfile
folder = tempfile.mkdtemp(); os.chdir(folder)
def opened(what, path, flags, mode=0o666, **more):
    try:
        fd = os.open(path, flags, mode, **more)
        print(what, "ok", oct(fcntl.fcntl(fd, fcntl.F_GETFL)), "exec" if os.get_inheritable(fd) else "closed by exec",
              stat.filemode(os.fstat(fd).st_mode), os.fstat(fd).st_size)
        os.close(fd)
    except OSError as error: print(what, errno.errorcode.get(error.errno, error.errno))
def raw(path, flags, mode=0):
    fd = c.syscall(257, -100, path.encode(), flags, mode)
    got = "ok" if fd >= 0 else errno.errorcode.get(ctypes.get_errno())
    if fd >= 0: got += " %o" % fcntl.fcntl(fd, fcntl.F_GETFD); os.close(fd)
    return got
W = os.O_WRONLY; C = os.O_CREAT
for mask in (0, 0o22, 0o77, 0o777):
    os.umask(mask)
    for mode in (0, 0o600, 0o666, 0o4777, 0o2755): opened(f"mask {mask:o} mode {mode:o}", f"m{mask:o}-{mode:o}", W | C, mode)
os.umask(0o22)
opened("new", "new", W | C | os.O_EXCL); opened("again", "new", W | C | os.O_EXCL); opened("not there", "none", W)
opened("no folder", "none/new", W | C); opened("beneath a file", "new/x", W | C); opened("a folder", ".", W)
opened("a folder to write both", ".", os.O_RDWR); opened("a folder made", "new/", W | C); opened("empty name", "", W | C)
opened("too long", "n" * 256, W | C); opened("longest", "n" * 255, W | C); opened("long path", "./" * 2048 + "x", W | C)
open("full", "w").write("text"); opened("kept", "full", W); opened("appended", "full", W | os.O_APPEND)
opened("cut", "full", W | os.O_TRUNC); open("full", "w").write("text"); opened("cut to read", "full", os.O_RDONLY | os.O_TRUNC)
open("ro", "w").close(); os.chmod("ro", 0o444); opened("read-only", "ro", W); opened("other's", "/etc/passwd", W | os.O_APPEND)
os.mkdir("shut"); os.chmod("shut", 0); opened("shut folder", "shut/x", W | C); os.chmod("shut", 0o755)
os.symlink("full", "link"); os.symlink("nowhere", "dangling"); os.symlink("loop", "loop")
for name in ("link", "dangling", "loop"):
    opened(name + " not followed", name, W | os.O_NOFOLLOW); opened(name + " exclusive", name, W | C | os.O_EXCL)
opened("link", "link", W); opened("loop", "loop", W); opened("dangling", "dangling", W | C); print(os.path.exists("nowhere"))
opened("nameless", ".", W | os.O_TMPFILE); opened("nameless in no folder", "full", W | os.O_TMPFILE)
opened("direct", "full", W | os.O_DIRECT); opened("sync", "full", W | os.O_SYNC); opened("path only", "full", os.O_PATH | W)
opened("both bits", "full", 3); opened("zero", "/dev/zero", W); opened("full device", "/dev/full", os.O_RDWR); opened("no tty", "/dev/tty", W)
os.mkfifo("fifo"); opened("fifo, nobody", "fifo", W | os.O_NONBLOCK); opened("fifo, both", "fifo", os.O_RDWR)
reader = threading.Timer(0.3, lambda: os.close(os.open("fifo", os.O_RDONLY))); reader.start()
begun = time.monotonic(); opened("fifo, later", "fifo", W); print("it waited", time.monotonic() - begun > 0.25); reader.join()
signal.signal(signal.SIGALRM, lambda *_: 1 / 0); signal.setitimer(signal.ITIMER_REAL, 0.2)
try: os.open("fifo", W)
except ZeroDivisionError: print("a signal ends the wait")
one = socket.socket(socket.AF_UNIX); one.bind("socket"); opened("socket", "socket", W)
running = os.path.join(folder, "program")
open(running, "wb").write(open("/bin/sleep", "rb").read()); os.chmod(running, 0o755)
child = os.posix_spawn(running, ["sleep", "60"], {}); opened("running program", running, W); os.kill(child, 9); os.waitpid(child, 0)
master, slave = pty.openpty(); name = os.ttyname(slave)
child = os.fork()
if child == 0:
    os.setsid()
    os.close(os.open(name, os.O_RDWR | os.O_NOCTTY)); opened("no terminal yet", "/dev/tty", W)
    fd = os.open(name, os.O_RDWR); opened("terminal", "/dev/tty", W); os._exit(0)
os.waitpid(child, 0)
at = os.open(".", os.O_PATH); opened("beside", "full", W, dir_fd=at); opened("no descriptor", "full", W, dir_fd=999)
opened("beside a file", "x", W | C, dir_fd=os.open("full", 0))
print("flags", raw("full", W), raw("full", W | os.O_CLOEXEC), raw("full", W | 0x8000000000000000 >> 32))
how = (ctypes.c_uint64 * 4)(W, 0, 0, 0)
def openat2(flags, mode, resolve, size=24, path=b"full"):
    how[0], how[1], how[2] = flags, mode, resolve
    fd = c.syscall(437, -100, path, how, size)
    return "ok" if fd >= 0 and os.close(fd) is None else errno.errorcode.get(ctypes.get_errno())
print("openat2", openat2(W, 0, 0), openat2(W, 0o644, 0), openat2(W | 1 << 40, 0, 0), openat2(W, 0, 1 << 40), openat2(W, 0, 0, 8),
      openat2(W, 0, 0, 32), openat2(W, 0, 8, 24, b"/etc/passwd"), openat2(W, 0, 4, 24, b"link"), openat2(W | C, 0o600, 8, 24, b"made"))
print("bad memory", errno.errorcode.get((c.syscall(257, -100, 8, W, 0), ctypes.get_errno())[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (16, hard)); held = []
try:
    while True: held.append(os.open("full", W))
except OSError as error: print("then", errno.errorcode[error.errno], held[-1])
opened("and no file is made", "unmade", W | C); print(os.path.exists("unmade"))
for fd in held: os.close(fd)
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4)); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
fd = os.open("full", W); print(os.write(fd, b"longer")); say("beyond the limit", lambda: os.write(fd, b"x"))
os.chdir("/"); os.system("rm -rf " + folder)
"""

PLAIN = "print('runs'); say('attributes', lambda: os.listxattr('/etc/passwd'))"


class User:
    """Runs programs, bare or held, as one user."""

    def __init__(self, name, folder, holdfast, ordinary):
        self.name, self.folder, self.holdfast, self.ordinary = name, folder, holdfast, ordinary

    def run(self, policy, program, options=(), before=None, timeout=120):
        """What it says and its exit status. Bare where `policy` is None."""
        prefix = []
        if policy is not None:
            prefix = [self.holdfast, "run", "-q", "--backend", "supervisor", "--policy",
                      os.path.join(self.folder, policy + ".toml"), *options, "--"]

        def prepare():
            if self.ordinary:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            if before:
                before()

        try:
            done = subprocess.run(prefix + ["/usr/bin/python3", "-c", START + program, self.folder], timeout=timeout,
                                  preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False, cwd="/")
        except subprocess.TimeoutExpired:
            return "it hangs"
        return done.stdout.decode() + f"status {done.returncode}"

    def same(self, what, policies, program, options=(), before=None):
        bare = self.run(None, program, before=before)
        for policy in policies:
            got = self.run(policy, program, options, before)
            check(f"{what}, {policy}, {self.name}", got == bare, f"bare:\n{bare}\nheld:\n{got}")


def leave_few_processes():
    """60 more than the user's threads now, in whatever test."""
    count = 60
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            pass
    resource.setrlimit(resource.RLIMIT_NPROC, (count, count))


def tests(user, root):
    user.same("a clone that shares descriptors", ["none", "namespaces", "sockets"], SHARED_TABLE)
    user.same("limits of the own processes", ["none", "namespaces"], LIMITS)
    got = user.run("none", SUPERVISORS_LIMITS)
    check(f"limits of the supervisor, {user.name}",
          [line for line in got.splitlines() if not line.startswith("holdfast: denied  limits of holdfast")] ==
          ["the supervisor's EPERM", "its processor time EPERM", "its policy EPERM", "its processors EPERM",
           "its priority EPERM", "all of the user EPERM", "its disks EPERM", "status 0"], got)
    user.same("how the own processes are scheduled", ["none", "namespaces"], SCHEDULING)
    user.same("tracing what is not there", ["namespaces"], NOTHING_THERE)
    user.same("sockets of a program with threads", ["sockets", "inet6"], THREADED_SOCKETS)
    user.same("an undumpable process", ["none", "label"], UNDUMPABLE)
    user.same("sockets that are closed", ["inet6", "accepts"], CLOSED_SOCKETS)
    user.same("a parent of 800 children", ["namespaces"], MANY_CHILDREN)
    user.same("threads that wait while signals come in", ["sockets", "accepts"], WAITING_THREADS)

    user.same("accepts in turn", ["accepts"], ACCEPTS_IN_TURN)
    user.same("700 threads that wait for connections", ["accepts"], MANY_ACCEPTS)
    if user.ordinary:
        user.same("a tree that fills the limit of processes", ["inet6"], NO_THREAD, before=leave_few_processes)

    user.same("files that are opened for writing", ["none", "cgroups"], OPENS)
    user.same("writes to its /proc", ["none", "cgroups"], WRITES_PROC)
    user.same("the same in a pid namespace", ["none", "cgroups"], WRITES_PROC,
              options=["--unshare", "pid,mnt" if root and not user.ordinary else "user,pid,mnt"])
    if root and not user.ordinary:
        user.same("a cgroup that is frozen", ["accepts"], FROZEN)
        user.same("a path that cannot be read", ["cgroups", "none"], STALLED_PATH)

    def ignore_children():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    user.same("a caller that ignores SIGCHLD", ["none"], IGNORED_CHILD, before=ignore_children)
    user.same("the same in a pid namespace", ["none"], IGNORED_CHILD, before=ignore_children,
              options=["--unshare", "pid" if root and not user.ordinary else "user,pid"])
    user.same("a soft limit of 16 descriptors", ["none", "sockets"], OPEN_FILES,
              before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                (16, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    if root and not user.ordinary:
        user.same("a thousand groups", ["none", "namespaces", "sockets"], PLAIN,
                  before=lambda: os.setgroups(range(1000000000, 1000001000)))


def main():
    built = os.path.join(os.environ.get("HOLDFAST_BUILD", "build"), "holdfast")
    root = os.getuid() == 0
    with tempfile.TemporaryDirectory(prefix="ordinary.", dir="/tmp") as folder:
        os.chmod(folder, 0o1777)
        holdfast = os.path.join(folder, "holdfast")
        shutil.copy(built, holdfast)
        os.chmod(holdfast, 0o755)
        for name, text in POLICIES.items():
            path = os.path.join(folder, name + ".toml")
            with open(path, "w", encoding="ascii") as file:
                file.write("version = 1\n[profile.app]\n" + text)
            os.chmod(path, 0o644)
        if root:
            tests(User("as root", folder, holdfast, False), root)
        tests(User("as an ordinary user", folder, holdfast, root), root)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
