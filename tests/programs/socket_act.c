// SPDX-License-Identifier: Apache-2.0
/*
 * socket_act STEP...: makes the socket operations of a conformance case, one after the other, and
 * prints the result of each on a line: 0, or the name of an errno. A step:
 *
 *   unix | unixdgram | unixseqpacket | inet | inet6 | udp | netlink
 *                                          the socket from here on is a new one; says nothing
 *   pair | pairdgram | pairseqpacket       it is one end of a pair, the other end its server
 *   bypath                                 what is bound from here on is to a path, not a name
 *   label:NAME=VALUE  unlabel:NAME  serverlabel:NAME=VALUE  serverunlabel:NAME
 *                                          says something only when it fails
 *   trylabel:NAME=VALUE  tryunlabel:NAME   by fsetxattr, fremovexattr: says what comes of it
 *   pathlabel:NAME=VALUE  atlabel:NAME=VALUE   by the path of the descriptor; by setxattrat
 *   get:NAME  getaccepted:NAME             the value, or the errno
 *   clientlabel:NAME=VALUE                 clients made from here on have this label
 *   clientgone                             clients made from here on have closed by the accept
 *   bind  connect  listen  accept          connect: to a server made for it; accept: a client made
 * for it send  sendmsg  sendmmsg  write  writehigh  writev  sendfile  splice  fastopen reconnect as
 * connect, on a new socket with the same labels; sendaccepted: on what was accepted, whose client
 * is gone
 *
 *   exec COMMAND...                        hands the socket over to a command
 *   inherited                              the socket from here on is the one handed over
 *   threads                                from here on the process has a second thread
 *
 * N* before a step makes it N times and prints how often it was 0 ("5 of 12"). The servers and
 * clients made for a step have no other labels.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "label_by.h"

enum { handed_fd = 199 };
static int subject = -1, server = -1, accepted = -1, family, type;
static bool bound, listening;
static bool client_gone, by_path;
static char kept_label[256];
static const char* client_label;
static char folder[] = "/tmp/act.XXXXXX";
static int paths; /* made in it */
static struct sockaddr_storage at;
static socklen_t at_length;

static long result(long value) { return value < 0 ? -errno : value; }
static const char* word(long value) { return value >= 0 ? "0" : strerrorname_np((int)-value); }
_Noreturn static void broken(const char* what) {
  printf("broken %s: %s\n", what, strerrorname_np(errno));
  exit(2);
}

static void any_address(void) {
  memset(&at, 0, sizeof at);
  at.ss_family = (sa_family_t)family;
  at_length = sizeof(sa_family_t);
  if (family == AF_INET) {
    ((struct sockaddr_in*)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at_length = sizeof(struct sockaddr_in);
  } else if (family == AF_INET6) {
    ((struct sockaddr_in6*)&at)->sin6_addr = in6addr_loopback;
    at_length = sizeof(struct sockaddr_in6);
  } else if (family == AF_NETLINK) {
    at_length = sizeof(struct sockaddr_nl);
  } else if (family == AF_UNIX && by_path) {
    struct sockaddr_un* path = (void*)&at;
    if (paths == 0 && !mkdtemp(folder)) broken("mkdtemp");
    snprintf(path->sun_path, sizeof path->sun_path, "%s/%d", folder, ++paths);
    at_length = sizeof *path;
  }
}

static void new_subject(int new_family, int new_type) {
  if (subject >= 0) close(subject);
  family = new_family, type = new_type, bound = listening = false;
  subject = socket(family, type | SOCK_CLOEXEC, family == AF_NETLINK ? NETLINK_USERSOCK : 0);
  if (subject < 0) broken("socket");
}

static void need_server(void) {
  if (server >= 0) return;
  server = socket(family, type, 0);
  any_address();
  if (server < 0 || bind(server, (void*)&at, at_length) != 0) broken("server");
  if (type != SOCK_DGRAM && type != SOCK_RAW && listen(server, 200) != 0) broken("server listens");
}

static void address_of(int fd) {
  at_length = sizeof at;
  if (getsockname(fd, (void*)&at, &at_length) != 0) broken("getsockname");
}

static void remove_paths(void) {
  char path[64];
  for (; paths > 0; paths--) {
    snprintf(path, sizeof path, "%s/%d", folder, paths);
    unlink(path);
    if (paths == 1) rmdir(folder);
  }
}

static long label(int fd, const char* text, const char* how) {
  char name[256];
  snprintf(name, sizeof name, "%s", text);
  char* value = strchr(name, '=');
  if (!value) return result(label_by(fd, name, NULL));
  *value++ = 0;
  if (fd == subject && text != kept_label) snprintf(kept_label, sizeof kept_label, "%s", text);
  if (strcmp(how, "path") == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return result(setxattr(path, name, value, strlen(value), 0));
  }
  if (strcmp(how, "at") == 0) {
    struct {
      unsigned long value;
      unsigned size, flags;
    } a = {(unsigned long)value, (unsigned)strlen(value), 0};
    return result(syscall(463 /* setxattrat */, fd, "", AT_EMPTY_PATH, name, &a, sizeof a));
  }
  return result(label_by(fd, name, value));
}

static long do_bind(void) {
  any_address();
  long done = result(bind(subject, (void*)&at, at_length));
  if (done == 0) bound = true;
  return done;
}
static long do_listen(void) {
  long done = result(listen(subject, 200));
  if (done == 0) bound = listening = true;
  return done;
}
static long do_connect(void) {
  need_server();
  address_of(server);
  return result(connect(subject, (void*)&at, at_length));
}
static long do_reconnect(void) {
  new_subject(family, type);
  if (*kept_label && label(subject, kept_label, "") != 0) broken("label again");
  return do_connect();
}
static long do_accept(void) {
  int client = socket(family, type, 0);
  if (!listening) {
    if ((!bound && do_bind() != 0) || listen(subject, 200) != 0) broken("listen");
    bound = listening = true;
  }
  address_of(subject);
  if (client_label && label(client, client_label, "") != 0) broken("label a client");
  if (connect(client, (void*)&at, at_length) != 0) broken("client");
  if (client_gone) close(client), client = -1;
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  accepted = accept4(subject, (void*)&from, &length, SOCK_CLOEXEC);
  if (accepted >= 0 && (fcntl(accepted, F_GETFD) != FD_CLOEXEC || length < sizeof(sa_family_t)))
    return -EPROTO;
  if (accepted < 0) { /* take the client away, so that the next call does not get this one */
    long error = result(-1);
    close(client);
    return error;
  }
  close(client);
  /* Where the kernel cannot refuse an accept any more, the connection is dead. */
  char byte;
  if (recv(accepted, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EPERM) return result(-1);
  return 0;
}

static struct msghdr message(struct iovec* data) {
  struct msghdr m = {.msg_iov = data, .msg_iovlen = 1};
  data->iov_base = "x", data->iov_len = 1;
  if (type == SOCK_DGRAM && server >= 0) {
    address_of(server);
    m.msg_name = &at, m.msg_namelen = at_length;
  }
  return m;
}
static void need_route(void) {
  if (type != SOCK_DGRAM || server >= 0) return;
  need_server();
  address_of(server);
  if (connect(subject, (void*)&at, at_length) != 0) broken("connect");
}
static long do_send(void) {
  need_route();
  return result(send(subject, "x", 1, MSG_NOSIGNAL));
}
static long do_sendmsg(void) {
  struct iovec data;
  need_route();
  struct msghdr m = message(&data);
  return result(sendmsg(subject, &m, MSG_NOSIGNAL));
}
static long do_sendmmsg(void) {
  struct iovec data[3];
  need_route();
  struct mmsghdr all[3] = {{message(&data[0]), 0}, {message(&data[1]), 0}, {message(&data[2]), 0}};
  long sent = result(sendmmsg(subject, all, 3, MSG_NOSIGNAL));
  return sent < 0 ? sent : sent == 3 && all[2].msg_len == 1 ? 0 : -EPROTO;
}
static long do_write(void) {
  need_route();
  return result(write(subject, "x", 1));
}
/* By a number whose upper half the kernel's entry drops. */
static long do_writehigh(void) {
  need_route();
  return result(syscall(SYS_write | 0x7eadbeef00000000, subject, "x", 1));
}
static long do_writev(void) {
  struct iovec data[2] = {{"x", 1}, {"y", 1}};
  need_route();
  return result(writev(subject, data, 2));
}
static long do_sendfile(void) {
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  need_route();
  long sent = result(sendfile(subject, file, NULL, 1));
  close(file);
  return sent;
}
static long do_splice(void) {
  int ends[2];
  need_route();
  if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1) broken("pipe");
  long sent = result(splice(ends[0], NULL, subject, NULL, 1, 0));
  close(ends[0]), close(ends[1]);
  return sent;
}
static long do_sendaccepted(void) { return result(send(accepted, "x", 1, MSG_NOSIGNAL)); }
static long do_fastopen(void) {
  need_server();
  address_of(server);
  return result(sendto(subject, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (void*)&at, at_length));
}

static const struct {
  const char* name;
  long (*make)(void);
} operations[] = {
    {"bind", do_bind},       {"connect", do_connect},     {"reconnect", do_reconnect},
    {"listen", do_listen},   {"accept", do_accept},       {"send", do_send},
    {"sendmsg", do_sendmsg}, {"sendmmsg", do_sendmmsg},   {"write", do_write},
    {"writev", do_writev},   {"writehigh", do_writehigh}, {"sendfile", do_sendfile},
    {"splice", do_splice},   {"fastopen", do_fastopen},   {"sendaccepted", do_sendaccepted}};

static const struct {
  const char* name;
  int family, type;
} kinds[] = {{"unix", AF_UNIX, SOCK_STREAM},
             {"unixdgram", AF_UNIX, SOCK_DGRAM},
             {"unixseqpacket", AF_UNIX, SOCK_SEQPACKET},
             {"inet", AF_INET, SOCK_STREAM},
             {"inet6", AF_INET6, SOCK_STREAM},
             {"udp", AF_INET, SOCK_DGRAM},
             {"netlink", AF_NETLINK, SOCK_RAW}};

static void* wait_forever(void* unused) {
  for (;;) pause();
  return unused;
}

static bool starts(char** step, const char* prefix) {
  size_t length = strlen(prefix);
  if (strncmp(*step, prefix, length) != 0) return false;
  *step += length;
  return true;
}

static void say_label(int fd, const char* name) {
  char value[256];
  long length = result(fgetxattr(fd, name, value, sizeof value - 1));
  if (length >= 0) value[length] = 0;
  puts(length < 0 ? word(length) : value);
}

static void quiet(long value, const char* what) {
  if (value < 0) printf("%s %s\n", what, word(value));
}

static void step(char* text) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(text, kinds[i].name) == 0) {
      if (server >= 0) close(server);
      server = -1, kept_label[0] = 0;
      return new_subject(kinds[i].family, kinds[i].type);
    }
  if (strncmp(text, "pair", 4) == 0) {
    int ends[2];
    family = AF_UNIX;
    type = strcmp(text, "pairdgram") == 0       ? SOCK_DGRAM
           : strcmp(text, "pairseqpacket") == 0 ? SOCK_SEQPACKET
                                                : SOCK_STREAM;
    if (socketpair(AF_UNIX, type, 0, ends) != 0) broken("socketpair");
    subject = ends[0], server = ends[1];
    return;
  }
  if (strcmp(text, "inherited") == 0) {
    struct sockaddr own;
    socklen_t length = sizeof own, type_length = sizeof type;
    if (getsockname(handed_fd, &own, &length) != 0) broken("getsockname");
    getsockopt(handed_fd, SOL_SOCKET, SO_TYPE, &type, &type_length);
    subject = handed_fd, family = own.sa_family;
    return;
  }
  if (starts(&text, "label:")) return quiet(label(subject, text, ""), "label");
  if (starts(&text, "serverlabel:")) {
    need_server();
    return quiet(label(server, text, ""), "label");
  }
  if (starts(&text, "serverunlabel:")) return quiet(label(server, text, ""), "unlabel");
  if (starts(&text, "clientlabel:")) {
    client_label = text;
    return;
  }
  if (strcmp(text, "bypath") == 0) {
    by_path = true;
    return;
  }
  if (strcmp(text, "clientgone") == 0) {
    client_gone = true;
    return;
  }
  if (starts(&text, "unlabel:")) return quiet(label(subject, text, ""), "unlabel");
  if (starts(&text, "trylabel:") || starts(&text, "tryunlabel:"))
    return (void)puts(word(label(subject, text, "")));
  if (starts(&text, "pathlabel:")) return (void)puts(word(label(subject, text, "path")));
  if (starts(&text, "atlabel:")) return (void)puts(word(label(subject, text, "at")));
  if (starts(&text, "get:")) return say_label(subject, text);
  if (starts(&text, "getaccepted:")) return say_label(accepted, text);
  if (strcmp(text, "threads") == 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_forever, NULL) != 0) broken("thread");
    return;
  }
  char* times_end;
  long times = strtol(text, &times_end, 10), good = 0;
  if (*times_end == '*') text = times_end + 1;
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    if (strcmp(text, operations[i].name) != 0) continue;
    if (*times_end != '*') return (void)puts(word(operations[i].make()));
    for (long n = 0; n < times; n++) good += operations[i].make() >= 0;
    printf("%ld of %ld\n", good, times);
    return;
  }
  errno = EINVAL;
  broken(text);
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
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "exec") == 0) {
      dup2(subject, handed_fd);
      execv(argv[i + 1], argv + i + 1);
      broken("exec");
    }
    step(argv[i]);
  }
  fflush(stdout);
  remove_paths();
  _exit(0);
}
