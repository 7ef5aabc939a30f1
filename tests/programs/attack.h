// SPDX-License-Identifier: Apache-2.0
/*
 * What the attack programs share: the world outside that attack_outside prepares, the ways into a
 * namespace's state, and the one line of result.
 *
 * attack_outside runs a program beside a task that stays outside, in the "host" namespaces, and a
 * second one in namespaces of its own, the "foreign" ones (another container). Descriptors of both
 * are inherited at fixed numbers, are under /proc/PID/ns, and are handed out over a Unix socket.
 */
#ifndef HOLDFAST_TESTS_ATTACK_H
#define HOLDFAST_TESTS_ATTACK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define NS_COUNT 8
enum { ns_mnt, ns_uts, ns_ipc, ns_user, ns_pid, ns_net, ns_cgroup, ns_time };
static const char* const ns_name[NS_COUNT] = {"mnt", "uts", "ipc",    "user",
                                              "pid", "net", "cgroup", "time"};
static const int ns_flag[NS_COUNT] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
                                      CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME};

/* Inherited descriptors. High, so that nothing that runs in between uses them by chance. */
enum {
  host_fd = 200,        /* + type */
  foreign_fd = 220,     /* + type */
  host_pidfd = 240,     /* the task outside */
  foreign_pidfd = 241,  /* the task in foreign namespaces */
  host_socket_fd = 242, /* an AF_INET socket of the host's network namespace */
  outside_last_fd = 242,
};

/* What one asks attack_outside for over its socket (HF_OUTSIDE_SOCKET), one packet each. */
enum {
  ask_fds = 'f', /* answer: descriptors of all host namespaces, in order */
  ask_reuse =
      'r', /* + uint64 inode number: answer: a UTS namespace made outside that got this number */
  ask_visit = 'v', /* the asker waits in the sandbox: a visitor is run; answer when it has ended */
  ask_kill = 'k',  /* kill what attack_outside started (the supervisor), with SIGKILL */
};

/* ---- results ------------------------------------------------------------------------------------
 */

enum { exit_refused = 0, exit_escaped = 1, exit_usage = 2, exit_impossible = 77 };

_Noreturn static inline void finish(int status, const char* word, const char* detail) {
  printf("%s%s%s\n", word, *detail ? " " : "", detail);
  fflush(stdout);
  _exit(status);
}
_Noreturn static inline void escaped(void) { finish(exit_escaped, "escaped", ""); }
_Noreturn static inline void refused(int error) {
  const char* name = strerrorname_np(error);
  finish(exit_refused, "refused", name ? name : "unknown");
}
_Noreturn static inline void refused_by_signal(int number) {
  finish(exit_refused, "refused",
         number == SIGSYS    ? "SIGSYS"
         : number == SIGKILL ? "SIGKILL"
                             : "signal");
}
_Noreturn static inline void impossible(const char* why) {
  finish(exit_impossible, "impossible", why);
}
/* The attack could not be set up: neither an escape nor a refusal, always a failed test. */
_Noreturn static inline void broken(const char* what) {
  char text[200];
  snprintf(text, sizeof text, "%s: %s", what, strerrorname_np(errno));
  finish(exit_usage, "broken", text);
}

/* ---- namespaces
 * ---------------------------------------------------------------------------------- */

static inline int type_of(const char* name) {
  for (int i = 0; i < NS_COUNT; i++)
    if (strcmp(name, ns_name[i]) == 0) return i;
  errno = EINVAL;
  broken(name);
}

/* "uts,net" to clone flags; "" and "none" to 0. */
static inline int flags_of(const char* list) {
  char copy[128];
  int flags = 0;
  if (strcmp(list, "none") == 0) return 0;
  snprintf(copy, sizeof copy, "%s", list);
  for (char* word = strtok(copy, ","); word; word = strtok(NULL, ","))
    flags |= ns_flag[type_of(word)];
  return flags;
}

/* The inode number of the calling thread's namespace; 0 when it cannot be read. */
static inline uint64_t ns_of_self(int type) {
  char path[64];
  struct stat st;
  const char* suffix = type == ns_pid || type == ns_time ? "_for_children" : "";
  snprintf(path, sizeof path, "/proc/thread-self/ns/%s%s", ns_name[type], suffix);
  return stat(path, &st) == 0 ? st.st_ino : 0;
}

static inline uint64_t ns_of_fd(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

enum place { place_host, place_foreign };

static inline enum place place_of(const char* word) {
  return strcmp(word, "foreign") == 0 ? place_foreign : place_host;
}

/* The inode number of a namespace outside, as attack_outside saw it. */
static inline uint64_t ns_outside(enum place place, int type) {
  char name[32];
  snprintf(name, sizeof name, "HF_%s_%s", place == place_host ? "HOST" : "FOREIGN", ns_name[type]);
  const char* value = getenv(name);
  return value ? strtoull(value, NULL, 10) : 0;
}

static inline bool is_outside(enum place place, int type) {
  uint64_t self = ns_of_self(type);
  return self != 0 && self == ns_outside(place, type);
}

/* A descriptor of a namespace outside: inherited, or through /proc where it was closed on the way.
 */
static inline int outside_ns_fd(enum place place, int type) {
  int fd = (place == place_host ? host_fd : foreign_fd) + type;
  char path[64];
  if (fcntl(fd, F_GETFD) >= 0) return fd;
  const char* pid = getenv(place == place_host ? "HF_OUTSIDE_PID" : "HF_FOREIGN_PID");
  snprintf(path, sizeof path, "/proc/%s/ns/%s", pid ? pid : "1", ns_name[type]);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- asking attack_outside
 * --------------------------------------------------------------------------- */

static inline int ask_connect(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const char* path = getenv("HF_OUTSIDE_SOCKET");
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path ? path : "");
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0)
    broken("connect to attack_outside");
  return fd;
}

/* Receives one packet; its descriptors into fds (at most count). Returns the packet's length. */
static inline ssize_t receive_fds(int socket_fd, void* data, size_t length, int* fds, int count) {
  union {
    char space[CMSG_SPACE(sizeof(int) * 16)];
    struct cmsghdr align;
  } control;
  struct iovec iov = {data, length};
  struct msghdr message = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr* header = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
  for (int i = 0; i < count; i++) fds[i] = -1;
  if (header && header->cmsg_type == SCM_RIGHTS) {
    int have = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(header), sizeof(int) * (size_t)(have < count ? have : count));
  }
  return got;
}

/* ---- results across tasks
 * --------------------------------------------------------------------------------- */

/* Shared between the tasks of one attack. */
struct shared_result {
  volatile int done;
  volatile int inside;  /* the attempt's own look: is it outside the sandbox now? */
  volatile long result; /* 0 or -errno of the attempt */
};

static inline struct shared_result* new_shared_result(void) {
  void* at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) broken("mmap");
  return at;
}

_Noreturn static inline void report(const struct shared_result* r, int wait_status) {
  if (r->done && r->inside) escaped();
  if (r->done && r->result == 0)
    finish(exit_usage, "broken", "the call succeeded and changed nothing");
  if (r->done) refused((int)-r->result);
  if (WIFSIGNALED(wait_status)) refused_by_signal(WTERMSIG(wait_status));
  finish(exit_usage, "broken", "the attempt was never made");
}

/* ---- system calls
 * ---------------------------------------------------------------------------------------------- */

/*
 * Bits of a system call's number that the kernel's entry drops and the saved registers keep: added
 * to each number below. An attack has them by its name: "fd+high", "unshare+sign".
 */
static long number_bits;

/* The length of the attack's name without such an ending. */
static inline size_t cut_number_bits(const char* name) {
  const char* plus = strchr(name, '+');
  if (!plus) return strlen(name);
  number_bits = strcmp(plus, "+sign") == 0 ? (long)0xffffffff00000000 : 0x7eadbeef00000000;
  return (size_t)(plus - name);
}

static inline bool is_attack(const char* known, const char* name, size_t length) {
  return strlen(known) == length && strncmp(known, name, length) == 0;
}

static inline long raw(long number, long a, long b, long c, long d, long e) {
  long result = syscall(number | number_bits, a, b, c, d, e);
  return result < 0 ? -errno : result;
}

/* The 32-bit entry of a 64-bit process. Pointers have to be below 4 GiB. */
static inline long int80(long number, long a, long b, long c) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number | number_bits), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
#else
  (void)number, (void)a, (void)b, (void)c;
  return -ENOSYS;
#endif
}

#endif  // HOLDFAST_TESTS_ATTACK_H
