// SPDX-License-Identifier: Apache-2.0
/*
 * attack_connect_helper HOW: connects a unix socket, by path, to a server that is labelled
 * user.varlink=server, which nobody may, or gets at the process that makes such connects.
 *
 *   rename | link | address   a thread exchanges two files, a link, or the address in memory
 *   swap       a thread swaps the descriptor between a socket labelled user.varlink=client,
 *              which may not connect to any socket, and one that may
 *   relabel    the server is labelled when it has been connected to before
 *   number     by the path of a descriptor: /proc/self/fd/N
 *   root | task   by a link of /proc that is no path
 *   uid | gid | caps | chroot | mntns | userns   with other credentials, or from elsewhere
 *   mount      with a /proc of its own making mounted over the other (in its own namespaces)
 *   confined   to the other server, after it has forbidden itself to, by Landlock
 *
 *   ptrace | vm | mem | fd | getfd   looks into who made a connect that may be made
 *   kill | stop   ends or stops it, then connects
 */
#include "attack.h"

#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "label_by.h"
#include "race.h"

enum { race_rounds = 1000, number_fd = 300 };

static char folder[] = "/tmp/attack_connect_helper.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int denied, allowed; /* servers */
static volatile int stop;

static void set_path(struct sockaddr_un* at, const char* name) {
  snprintf(at->sun_path, sizeof at->sun_path, "%s/%s", folder, name);
}

static int serve(const char* name) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  set_path(&at, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (void*)&at, sizeof at) != 0 || listen(fd, 100) != 0) broken("server");
  if (chmod(at.sun_path, 0777) != 0) broken("chmod");
  return fd;
}

static void set_label(int fd, const char* value) {
  if (label_by(fd, "user.varlink", value) != 0 && errno != EPERM && errno != EOPNOTSUPP)
    broken("label");
}

/* Has a client come to the server that may not? */
static void look(void) {
  int fd = accept(denied, NULL, NULL);
  if (fd >= 0) escaped();
  while ((fd = accept(allowed, NULL, NULL)) >= 0) close(fd);
}

static int try_connect(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = connect(fd, (void*)&address, sizeof address) == 0 ? 0 : errno;
  look();
  close(fd);
  return error;
}

_Noreturn static void judge(int error) {
  if (error == 0) escaped();
  refused(error);
}

static char paths[3][128]; /* of both servers, and of what is connected to */

static void* exchange_files(void* unused) {
  while (!stop) {
    if (syscall(SYS_renameat2, AT_FDCWD, paths[0], AT_FDCWD, paths[1], 2 /* EXCHANGE */) != 0)
      broken("renameat2");
    sched_yield();
  }
  return unused;
}

static void* exchange_link(void* unused) {
  char next[128];
  snprintf(next, sizeof next, "%s/next", folder);
  for (int i = 0; !stop; i ^= 1) {
    if (symlink(paths[i], next) != 0 || rename(next, paths[2]) != 0) break;
    sched_yield();
  }
  return unused;
}

static void* exchange_address(void* unused) {
  for (int i = 0; !stop; i ^= 1) {
    memcpy(address.sun_path, paths[i], sizeof address.sun_path);
    sched_yield();
  }
  return unused;
}

_Noreturn static void race_with(void* (*exchange)(void*), const char* name) {
  struct race race = {.rounds = race_rounds};
  pthread_t thread;
  int last = 0;
  set_path(&address, name);
  if (exchange == exchange_link && symlink(paths[1], paths[2]) != 0) broken("symlink");
  if (pthread_create(&thread, NULL, exchange, NULL) != 0) broken("thread");
  while (race_goes_on(&race, last != 0)) {
    int error = try_connect();
    if (error == EPERM) last = error;
    if (error != 0 && error != EPERM && error != ENOENT) judge(error);
  }
  stop = 1;
  pthread_join(thread, NULL);
  if (last == 0) finish(exit_usage, "broken", "never refused");
  judge(last);
}

static int both[2];
static volatile int swaps;
static void* exchange_descriptors(void* unused) {
  for (int i = 0; !stop; i ^= 1) {
    dup2(both[i], number_fd);
    swaps++;
    sched_yield();
  }
  return unused;
}

_Noreturn static void swap(void) {
  struct race race = {.rounds = race_rounds};
  pthread_t thread;
  int last = 0;
  set_path(&address, "allowed");
  for (int i = 0; race_goes_on(&race, last != 0); i++) {
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    stop = 0, swaps = 0;
    both[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    both[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_label(both[0], "client");
    dup2(both[1], number_fd);
    if (pthread_create(&thread, NULL, exchange_descriptors, NULL) != 0) broken("thread");
    while (swaps < 2 + i % 2) sched_yield(); /* on one processor it is in between now */
    if (connect(number_fd, (void*)&address, sizeof address) != 0) last = errno;
    stop = 1;
    pthread_join(thread, NULL);
    if (getpeername(both[0], (void*)&peer, &length) == 0) escaped();
    look();
    close(both[0]), close(both[1]), close(number_fd);
  }
  if (last == 0) finish(exit_usage, "broken", "never refused");
  judge(last);
}

_Noreturn static void by_number(void) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  set_path(&at, "denied");
  int fd = open(at.sun_path, O_PATH | O_CLOEXEC);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", fd);
  judge(try_connect());
}

_Noreturn static void by_link(const char* prefix) {
  const char* end = stpcpy(address.sun_path, prefix);
  strcpy(address.sun_path + (end - address.sun_path), paths[0]);
  judge(try_connect());
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data) != 0) broken("capset");
}

_Noreturn static void as_other(const char* how) {
  set_path(&address, "denied");
  if (strcmp(how, "uid") == 0 && syscall(SYS_setresuid, 65534, 65534, 65534) != 0)
    broken("setresuid");
  if (strcmp(how, "gid") == 0 && syscall(SYS_setresgid, 65534, 65534, 65534) != 0)
    broken("setresgid");
  if (strcmp(how, "caps") == 0) drop_capabilities();
  if (strcmp(how, "mntns") == 0 && unshare(CLONE_NEWNS) != 0) broken("unshare");
  if (strcmp(how, "userns") == 0 && unshare(CLONE_NEWUSER) != 0) broken("unshare");
  if (strcmp(how, "chroot") == 0) {
    if (chroot(folder) != 0 || chdir("/") != 0) broken("chroot");
    strcpy(address.sun_path, "/denied");
  }
  judge(try_connect());
}

_Noreturn static void confined(void) {
  struct {
    uint64_t fs, net, scoped;
  } rules = {1u << 16 /* LANDLOCK_ACCESS_FS_RESOLVE_UNIX */, 0, 0};
  int fd = (int)syscall(444 /* landlock_create_ruleset */, &rules, sizeof rules, 0);
  if (fd < 0) impossible("no Landlock rules about unix sockets");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(446 /* landlock_restrict_self */, fd, 0) != 0)
    broken("landlock_restrict_self");
  set_path(&address, "allowed");
  judge(try_connect());
}

/* Each number that a descriptor may have leads to the server that nobody may connect to. */
_Noreturn static void fake_proc(void) {
  char at[128];
  if (mount("none", "/proc", "tmpfs", 0, NULL) != 0) broken("mount");
  if (mkdir("/proc/self", 0755) != 0 || mkdir("/proc/self/fd", 0755) != 0) broken("mkdir");
  for (int i = 0; i < 100; i++) {
    snprintf(at, sizeof at, "/proc/self/fd/%d", i);
    if (symlink(paths[0], at) != 0) broken("symlink");
  }
  set_path(&address, "allowed");
  for (int i = 0; i < 100; i++)
    if (try_connect() != 0) broken("connect");
  puts("held");
  fflush(stdout);
  _exit(0);
}

/* Its number, as the server is told. In a child, so that it is another process in any case. */
static pid_t connector(void) {
  struct ucred who = {0, 0, 0};
  socklen_t length = sizeof who;
  set_path(&address, "allowed");
  if (fork() == 0) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (void*)&address, sizeof address) != 0) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  struct pollfd wait = {allowed, POLLIN, 0};
  if (poll(&wait, 1, 10000) != 1) broken("nobody came");
  int fd = accept(allowed, NULL, NULL);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 || who.pid <= 0)
    broken("SO_PEERCRED");
  if (who.uid != getuid() || who.gid != getgid())
    finish(exit_usage, "broken", "another client came");
  return who.pid;
}

_Noreturn static void look_into(const char* how) {
  pid_t pid = connector();
  char path[64], byte[8];
  long result = -1;
  if (strcmp(how, "ptrace") == 0) result = ptrace(PTRACE_SEIZE, pid, 0, 0);
  if (strcmp(how, "vm") == 0) {
    struct iovec own = {byte, sizeof byte}, theirs = {(void*)set_path, sizeof byte};
    result = process_vm_readv(pid, &own, 1, &theirs, 1, 0);
    if (result < 0 && errno == EFAULT) result = 0;
  }
  if (strcmp(how, "mem") == 0) {
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    result = open(path, O_RDWR);
  }
  if (strcmp(how, "fd") == 0) {
    snprintf(path, sizeof path, "/proc/%d/fd/3", pid);
    result = open(path, O_PATH);
  }
  if (strcmp(how, "getfd") == 0) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) broken("pidfd_open");
    result = syscall(438 /* pidfd_getfd */, pidfd, 3, 0);
  }
  judge(result < 0 ? errno : 0);
}

_Noreturn static void disturb(int signal) {
  pid_t pid = connector();
  if (kill(pid, signal) != 0) judge(errno);
  usleep(100000);
  set_path(&address, "denied");
  int error = try_connect();
  if (error == 0) judge(0);
  set_path(&address, "allowed"); /* by whom? */
  if ((error = try_connect()) == 0) finish(exit_usage, "broken", "connected without it");
  judge(error);
}

static void tidy_up(void) {
  static const char* const names[] = {"denied", "allowed", "target", "next"};
  char path[128];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

int main(int argc, char** argv) {
  const char* how = argc == 2 ? argv[1] : "";
  int status = 0;
  if (!mkdtemp(folder) || chmod(folder, 0777) != 0) broken("mkdtemp");
  pid_t child = fork(); /* who is what it was made to be cannot tidy up */
  if (child != 0) {
    waitpid(child, &status, 0);
    tidy_up();
    return WIFEXITED(status) ? WEXITSTATUS(status) : exit_usage;
  }
  denied = serve("denied"), allowed = serve("allowed");
  for (int i = 0; i < 3; i++)
    snprintf(paths[i], sizeof paths[i], "%s/%s", folder,
             i == 0   ? "denied"
             : i == 1 ? "allowed"
                      : "target");
  if (strcmp(how, "relabel") == 0) {
    set_path(&address, "denied");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (void*)&address, sizeof address) != 0) broken("connect before");
    close(accept(denied, NULL, NULL));
  }
  set_label(denied, "server");
  if (strcmp(how, "relabel") == 0) judge(try_connect());
  if (strcmp(how, "rename") == 0) race_with(exchange_files, "denied");
  if (strcmp(how, "link") == 0) race_with(exchange_link, "target");
  if (strcmp(how, "address") == 0) race_with(exchange_address, "allowed");
  if (strcmp(how, "swap") == 0) swap();
  if (strcmp(how, "number") == 0) by_number();
  if (strcmp(how, "root") == 0) by_link("/proc/self/root");
  if (strcmp(how, "task") == 0) by_link("/proc/thread-self/root");
  if (strcmp(how, "mount") == 0) fake_proc();
  if (strcmp(how, "confined") == 0) confined();
  if (strcmp(how, "kill") == 0) disturb(SIGKILL);
  if (strcmp(how, "stop") == 0) disturb(SIGSTOP);
  for (const char* const* one = (const char* const[]){"ptrace", "vm", "mem", "fd", "getfd", NULL};
       *one; one++)
    if (strcmp(how, *one) == 0) look_into(how);
  as_other(how);
}
