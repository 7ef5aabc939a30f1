// SPDX-License-Identifier: Apache-2.0
/*
 * attack_socket HOW: connects or sends with a socket that is labelled user.varlink=client, which
 * may not.
 *
 *   swap-thread     a thread swaps the descriptor between that socket and one that may, 2000 times
 *   swap-process    a process that shares the table of descriptors does
 *   scm             another process does it, with a descriptor that was sent to it
 *   fork            a child does it
 *   uring | aio     by a ring; by io_submit
 *   fastopen        by a message that connects
 *   int80           by the 32-bit call
 *   late            sends with a socket that was labelled after it was connected
 *   relabel         a thread sends with the socket all the time, while it is labelled otherwise and back:
 *                   sends once more after each time
 *   ring-worker     the same as late, by a worker of a ring that was made at the end of a write()
 *
 * Where no internet socket may send, and none of version 6 bind:
 *   family-CALL     a thread swaps the descriptor between an internet socket, which may not, and a unix
 *                   socket, which no rule is about: sendto, sendmsg, sendmmsg, write, writev, pwritev2,
 *                   sendfile, bind
 *   process-CALL    a process that shares the table of descriptors does
 *   cpu-CALL        a thread does, on the one processor that both may use
 *   family-int80    a send by the 32-bit call; family-uring, by a ring: without a swap
 *
 * Where nobody may send to one that is labelled so:
 *   redirect        a datagram that waits for another one, which then gives up its path
 *
 * Where it may not connect without a label:
 *   forge-HOW       labels the socket: fd, at, at-path, ring, other-user, or a path (doors)
 *   reuse           with the inode and address of a labelled one
 */
#include "attack.h"

#include "label_by.h"
#include "race.h"
#include "ring.h"

#include <linux/aio_abi.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

enum { number_fd = 300, rounds = 2000 };

/* Paths to a descriptor. */
static const struct {
  const char *name, *format;
} doors[] = {{"self", "/proc/self/fd/%d"},
             {"thread-self", "/proc/thread-self/fd/%d"},
             {"dev", "/dev/fd/%d"},
             {"root", "/proc/self/root/proc/self/fd/%d"},
             {"task", "/proc/self/task/../fd/%d"}};

static struct sockaddr_in address;
static int denied, allowed;
static volatile int stop;

static int new_socket(int type) {
  int fd = socket(AF_INET, type, 0);
  if (fd < 0) broken("socket");
  return fd;
}

static void label_as(int fd, const char* value) {
  if (label_by(fd, "user.varlink", value) != 0 && errno != EPERM && errno != EOPNOTSUPP)
    broken("label");
}

static void label(int fd) { label_as(fd, "client"); }

static int new_server(int type) {
  socklen_t length = sizeof address;
  int fd = new_socket(type);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (void*)&address, sizeof address) != 0) broken("bind");
  if (type == SOCK_STREAM && listen(fd, 4000) != 0) broken("listen");
  getsockname(fd, (void*)&address, &length);
  return fd;
}

static bool is_connected(int fd) {
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  return getpeername(fd, (void*)&peer, &length) == 0;
}

_Noreturn static void judge(long result) {
  if (is_connected(denied)) escaped();
  if (result >= 0) finish(exit_usage, "broken", "the call succeeded and connected nothing");
  refused((int)-result);
}

static long try_connect(int fd) {
  return raw(SYS_connect, fd, (long)&address, sizeof address, 0, 0);
}

/* One send, or bind, of this kind, by way of the number that is swapped. */
static long act_by(const char* call, int file) {
  struct iovec part = {"x", 1};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
  if (strcmp(call, "sendto") == 0) return raw(SYS_sendto, number_fd, (long)"x", 1, MSG_DONTWAIT, 0);
  if (strcmp(call, "sendmsg") == 0)
    return raw(SYS_sendmsg, number_fd, (long)&message.msg_hdr, MSG_DONTWAIT, 0, 0);
  if (strcmp(call, "sendmmsg") == 0)
    return raw(SYS_sendmmsg, number_fd, (long)&message, 1, MSG_DONTWAIT, 0);
  if (strcmp(call, "write") == 0) return raw(SYS_write, number_fd, (long)"x", 1, 0, 0);
  if (strcmp(call, "writev") == 0) return raw(SYS_writev, number_fd, (long)&part, 1, 0, 0);
  if (strcmp(call, "pwritev2") == 0) {
    long got = syscall(SYS_pwritev2, number_fd, &part, 1, -1L, 0L, 0);
    return got < 0 ? -errno : got;
  }
  if (strcmp(call, "bind") == 0) return raw(SYS_bind, number_fd, (long)&any, sizeof any, 0, 0);
  lseek(file, 0, SEEK_SET);
  return raw(SYS_sendfile, number_fd, file, 0, 1, 0);
}

static int inner, outer, swapped[2];

static void swap_families(void) {
  for (;;) {
    dup2(outer, number_fd);
    dup2(inner, number_fd);
  }
}

static void* swap_families_in_thread(void* unused) {
  swap_families();
  return unused;
}

static bool is_bound(int fd) {
  struct sockaddr_in6 own = {0};
  socklen_t length = sizeof own;
  return getsockname(fd, (void*)&own, &length) == 0 && own.sin6_port != 0;
}

/*
 * The unix socket's messages have to arrive, since no rule is about them; the internet socket's must
 * not. What is allowed and what is refused must both be seen, so that the swap has been judged.
 */
_Noreturn static void family(const char* how) {
  struct race race = {.rounds = rounds};
  pthread_t thread;
  const bool in_process = strncmp(how, "process-", 8) == 0;
  const char* call = strchr(how, '-') + 1;
  const bool binds = strcmp(call, "bind") == 0;
  int server = new_server(SOCK_DGRAM), file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  long pid = 0, refusals = 0, sent = 0;
  char got;
  bool through = false;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, swapped) != 0) broken("socketpair");
  inner = swapped[0], outer = binds ? socket(AF_INET6, SOCK_DGRAM, 0) : new_socket(SOCK_DGRAM);
  if (outer < 0) broken("socket");
  if (!binds && connect(outer, (void*)&address, sizeof address) != 0) broken("connect");
  if (strncmp(how, "cpu-", 4) == 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) broken("affinity");
  }
  dup2(inner, number_fd);
  if (in_process) {
    pid = raw(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) refused((int)-pid);
    if (pid == 0) swap_families();
  } else if (pthread_create(&thread, NULL, swap_families_in_thread, NULL) != 0) {
    broken("thread");
  }
  while (!through && race_goes_on(&race, refusals > 0 && sent > 0)) {
    const long result = act_by(call, file);
    if (result == -EPERM) refusals++;
    /* Of a unix socket: what is sent arrives, and a bind with another family's address is EINVAL. */
    if (read(swapped[1], &got, 1) == 1 || (binds && result == -EINVAL)) sent++;
    through = binds ? is_bound(outer) : recv(server, &got, 1, MSG_DONTWAIT) == 1;
  }
  if (pid > 0) kill((pid_t)pid, SIGKILL);
  if (through) escaped();
  if (sent == 0) finish(exit_usage, "broken", "no call on the unix socket was made");
  if (refusals == 0) finish(exit_usage, "broken", "the socket was never swapped");
  refused(EPERM);
}

/* An internet socket, by ways that no filter for 64-bit calls sees. */
_Noreturn static void family_by_other(const char* how) {
  int server = new_server(SOCK_DGRAM), sender = new_socket(SOCK_DGRAM);
  char got;
  if (connect(sender, (void*)&address, sizeof address) != 0) broken("connect");
  const struct io_uring_sqe operation = {
      .opcode = IORING_OP_SEND, .fd = sender, .addr = (unsigned long)"x", .len = 1};
  long result = 0;
  if (strcmp(how, "family-uring") == 0) {
    result = ring_do(&operation);
  } else {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) _exit(int80(369 /* sendto */, sender, (long)"x", 1) < 0);
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) refused_by_signal(WTERMSIG(status));
  }
  if (recv(server, &got, 1, MSG_DONTWAIT) == 1) escaped();
  refused(result < 0 ? (int)-result : EPERM);
}

static void* swap_forever(void* unused) {
  while (!stop) {
    dup2(denied, number_fd);
    dup2(allowed, number_fd);
  }
  return unused;
}

_Noreturn static void swap(bool process) {
  struct race race = {.rounds = rounds};
  pthread_t thread;
  long pid = 0, last = 0;
  dup2(allowed, number_fd);
  if (process) {
    pid = raw(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) refused((int)-pid);
    if (pid == 0) {
      for (;;) {
        dup2(denied, number_fd);
        dup2(allowed, number_fd);
      }
    }
  } else if (pthread_create(&thread, NULL, swap_forever, NULL) != 0) {
    broken("thread");
  }
  while (!is_connected(denied) && race_goes_on(&race, last != 0)) {
    long result = try_connect(number_fd);
    if (result == -EPERM) last = result;
    /* A fresh one, under the same number. The server accepts none, and has room for those of the rounds. */
    if (is_connected(allowed) && !is_overtime(&race)) {
      struct sockaddr none = {.sa_family = AF_UNSPEC};
      connect(allowed, &none, sizeof none);
    }
  }
  stop = 1;
  if (pid > 0) kill((pid_t)pid, SIGKILL);
  judge(last);
}

_Noreturn static void by_other(bool scm) {
  struct shared_result* result = new_shared_result();
  int pair[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  pid_t child = fork();
  if (child == 0) {
    int fd = denied;
    if (scm) {
      char byte;
      close(denied);
      receive_fds(pair[1], &byte, 1, &fd, 1);
    }
    result->result = try_connect(fd);
    _exit(0);
  }
  if (scm) {
    union {
      char space[CMSG_SPACE(sizeof(int))];
      struct cmsghdr align;
    } control = {0};
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS,
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &denied, sizeof(int));
    if (sendmsg(pair[0], &message, 0) != 1) broken("sendmsg");
  }
  waitpid(child, NULL, 0);
  judge(result->result);
}

_Noreturn static void by_ring(void) {
  const struct io_uring_sqe operation = {
      .opcode = ring_connect, .fd = denied, .addr = (unsigned long)&address, .off = sizeof address};
  judge(ring_do(&operation));
}

/* It connects while it has no label, and is labelled then. */
static void* send_all_the_time(void* unused) {
  while (!stop) raw(SYS_sendto, denied, (long)"x", 1, MSG_DONTWAIT, 0);
  return unused;
}

/* What was decided under one label says nothing about the other. Both answers must be seen. */
_Noreturn static void relabel(void) {
  struct race race = {.rounds = rounds};
  pthread_t thread;
  long refusals = 0, sent = 0;
  new_server(SOCK_DGRAM);
  denied = new_socket(SOCK_DGRAM);
  if (try_connect(denied) < 0) broken("connect");
  if (pthread_create(&thread, NULL, send_all_the_time, NULL) != 0) broken("thread");
  while (race_goes_on(&race, refusals > 0 && sent > 0)) {
    label(denied);
    const long as_client = raw(SYS_sendto, denied, (long)"x", 1, MSG_DONTWAIT, 0);
    if (as_client == 1) escaped();
    if (as_client == -EPERM) refusals++;
    label_as(denied, "guest");
    if (raw(SYS_sendto, denied, (long)"x", 1, MSG_DONTWAIT, 0) == 1) sent++;
  }
  stop = 1;
  pthread_join(thread, NULL);
  if (refusals == 0 || sent == 0) broken("one of the answers was not seen");
  refused(EPERM);
}

_Noreturn static void label_late(void) {
  int late = new_socket(SOCK_STREAM);
  if (try_connect(late) < 0) broken("connect");
  label(late);
  long result = raw(SYS_sendto, late, (long)"x", 1, MSG_NOSIGNAL, 0);
  if (result >= 0) escaped();
  refused((int)-result);
}

static struct io_uring_sqe splice_one(int from, int to) {
  const struct io_uring_sqe splice = {.opcode = IORING_OP_SPLICE,
                                      .fd = to,
                                      .off = ~0ull,
                                      .splice_fd_in = from,
                                      .splice_off_in = ~0ull,
                                      .len = 1};
  return splice;
}

/*
 * Two workers are needed, since the first blocks on an empty pipe. Who notices is the first, and
 * has the task that owns the ring make the second at the end of whichever call that is in: its
 * registers are those of a write().
 */
static long splice_by_worker(int to, int nowhere) {
  int empty[2], full[2], sink[2];
  struct ring ring = {0};
  if (pipe(empty) != 0 || pipe(full) != 0 || pipe(sink) != 0 || write(full[1], "x", 1) != 1)
    broken("pipe");
  struct io_uring_sqe both[] = {splice_one(empty[0], sink[1]), splice_one(full[0], to)};
  both[1].user_data = 1;
  const long begun = ring_begin(&ring, both, 2);
  if (begun < 0) return begun;
  for (int i = 0; i < 1000000 && ring_done(&ring) == 0; i++)
    if (write(nowhere, "x", 1) != 1) broken("write");
  if (ring_done(&ring) == 0 || ring.done[0].user_data != 1) broken("the worker");
  return ring.done[0].res;
}

_Noreturn static void by_ring_worker(void) {
  struct shared_result* result = new_shared_result();
  int late = new_socket(SOCK_STREAM), nowhere = open("/dev/null", O_WRONLY);
  if (nowhere < 0 || try_connect(late) < 0) broken("connect");
  label(late);
  for (int i = 0; i < 60 && !result->inside; i++) { /* the next is made by another task */
    pid_t child = fork();
    if (child == 0) {
      result->result = splice_by_worker(late, nowhere);
      result->done = 1;
      if (result->result > 0) result->inside = 1;
      _exit(0);
    }
    waitpid(child, NULL, 0);
    if (result->result == -ENOSYS) break;
  }
  report(result, 0);
}

/* Here a socket without a label may not connect, and nobody may label one. */
_Noreturn static void forge(const char* how) {
  const struct {
    unsigned long value;
    unsigned size, flags;
  } arguments = {(unsigned long)"server", 6, 0};
  const struct io_uring_sqe operation = {.opcode = ring_fsetxattr,
                                         .fd = allowed,
                                         .addr = (unsigned long)"user.varlink",
                                         .addr2 = (unsigned long)"server",
                                         .len = 6};
  char path[64];
  if (strcmp(how, "fd") == 0) fsetxattr(allowed, "user.varlink", "server", 6, 0);
  if (strcmp(how, "at") == 0)
    syscall(463 /* setxattrat */, allowed, "", AT_EMPTY_PATH, "user.varlink", &arguments,
            sizeof arguments);
  if (strcmp(how, "ring") == 0) ring_do(&operation);
  for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
    if (strcmp(how, doors[i].name) != 0) continue;
    snprintf(path, sizeof path, doors[i].format, allowed);
    setxattr(path, "user.varlink", "server", 6, 0);
  }
  if (strcmp(how, "at-path") == 0) {
    snprintf(path, sizeof path, "%d", allowed);
    int folder = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    syscall(463 /* setxattrat */, folder, path, 0, "user.varlink", &arguments, sizeof arguments);
  }
  if (strcmp(how, "other-user") == 0) {
    pid_t child = fork();
    if (child == 0) {
      if (setuid(65534) != 0) _exit(1);
      fsetxattr(allowed, "user.varlink", "server", 6, 0);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  long result = try_connect(allowed);
  if (result >= 0) escaped();
  refused((int)-result);
}

static int bind_path(const char* path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  strcpy(at.sun_path, path);
  if (fd < 0 || bind(fd, (void*)&at, sizeof at) != 0) broken("bind path");
  return fd;
}

/*
 * A datagram waits for room at a socket without a label. That goes, and a labelled one is bound to
 * the path: the kernel looks the path up again.
 */
_Noreturn static void redirect(void) {
  struct shared_result* result = new_shared_result();
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/attack_socket.first"};
  char byte;
  unlink(at.sun_path);
  int first = bind_path(at.sun_path), sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  while (sendto(sender, "x", 1, MSG_DONTWAIT, (void*)&at, sizeof at) == 1) continue;
  pid_t child = fork();
  if (child == 0) {
    close(first);
    result->result = syscall(SYS_sendto, sender, "y", 1, 0, &at, sizeof at) < 0 ? -errno : 0;
    _exit(0);
  }
  usleep(300000);
  unlink(at.sun_path);
  int second = bind_path(at.sun_path);
  if (label_by(second, "user.varlink", "client") != 0 && errno != EPERM) broken("label");
  close(first);
  waitpid(child, NULL, 0);
  unlink(at.sun_path);
  if (recv(second, &byte, 1, MSG_DONTWAIT) == 1) escaped();
  if (result->result >= 0) finish(exit_usage, "broken", "sent to nobody");
  refused((int)-result->result);
}

/* A labelled socket is closed; the next one may get its number, its inode and its address. */
_Noreturn static void reuse(void) {
  long result = -EPERM;
  for (int i = 0; i < rounds; i++) {
    int fd = new_socket(SOCK_STREAM);
    if (fsetxattr(fd, "user.varlink", "server", 6, 0) != 0 && errno != EPERM) broken("label");
    close(fd);
    fd = new_socket(SOCK_STREAM);
    result = try_connect(fd);
    if (result >= 0) escaped();
    if (result != -EPERM) break;
    close(fd);
  }
  refused((int)-result);
}

_Noreturn static void by_aio(void) {
  aio_context_t context = 0;
  int server = new_server(SOCK_DGRAM), sender = new_socket(SOCK_DGRAM);
  char got;
  if (connect(sender, (void*)&address, sizeof address) != 0) broken("connect");
  label(sender);
  long result = raw(SYS_io_setup, 4, (long)&context, 0, 0, 0);
  if (result < 0) refused((int)-result);
  struct iocb block = {.aio_lio_opcode = IOCB_CMD_PWRITE,
                       .aio_fildes = (unsigned)sender,
                       .aio_buf = (unsigned long)"x",
                       .aio_nbytes = 1};
  struct iocb* blocks[] = {&block};
  result = raw(SYS_io_submit, (long)context, 1, (long)blocks, 0, 0);
  if (result < 0) refused((int)-result);
  struct io_event event;
  raw(SYS_io_getevents, (long)context, 1, 1, (long)&event, 0);
  if (recv(server, &got, 1, MSG_DONTWAIT) == 1) escaped();
  refused((int)-event.res);
}

/* A network namespace of an ordinary user's begins with its loopback device down. */
static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
}

int main(int argc, char** argv) {
  loopback_up();
  const char* how = argc > 1 ? argv[1] : "";
  denied = new_socket(SOCK_STREAM), allowed = new_socket(SOCK_STREAM);
  new_server(SOCK_STREAM);
  label(denied);
  if (strcmp(how, "swap-thread") == 0) swap(false);
  if (strcmp(how, "swap-process") == 0) swap(true);
  if (strcmp(how, "family-uring") == 0 || strcmp(how, "family-int80") == 0) family_by_other(how);
  if (strncmp(how, "family-", 7) == 0 || strncmp(how, "process-", 8) == 0 ||
      strncmp(how, "cpu-", 4) == 0)
    family(how);
  if (strcmp(how, "scm") == 0) by_other(true);
  if (strcmp(how, "fork") == 0) by_other(false);
  if (strcmp(how, "uring") == 0) by_ring();
  if (strcmp(how, "late") == 0) label_late();
  if (strcmp(how, "relabel") == 0) relabel();
  if (strcmp(how, "ring-worker") == 0) by_ring_worker();
  if (strcmp(how, "reuse") == 0) reuse();
  if (strcmp(how, "redirect") == 0) redirect();
  if (strncmp(how, "forge-", 6) == 0) forge(how + 6);
  if (strcmp(how, "aio") == 0) by_aio();
  if (strcmp(how, "int80") == 0)
    judge(int80(362 /* connect */, denied, (long)&address, sizeof address));
  if (strcmp(how, "fastopen") == 0)
    judge(sendto(denied, "x", 1, MSG_FASTOPEN, (void*)&address, sizeof address) < 0 ? -errno : 0);
  errno = EINVAL;
  broken(how);
}
