// SPDX-License-Identifier: Apache-2.0
/*
 * attack_accept HOW: accepts a connection from a socket that is labelled user.varlink=client, from
 * which nobody may.
 *
 *   ring | int80    by a ring; by the 32-bit entry
 *   fork | scm      another process does it, with a listener that it inherited or was sent
 *   gone            the client has sent its message and closed
 *   late            the client is labelled after it connected
 *   flight          the client is nowhere but in flight in a message
 *   dead            every way to read and write what was accepted, by this process and another
 *   threads         two threads accept, of labelled and other clients in turn
 *
 * Where nobody may accept on a listener with that label:
 *   swap            a thread swaps the descriptor between that listener and one that may
 */
#include "attack.h"

#include "race.h"
#include "ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

enum { number_fd = 300, swap_rounds = 500, clients = 100, accept4_of_32_bit = 364 };

static struct sockaddr_un address;
static socklen_t address_length;
static volatile int stop;

static void label(int fd) {
  if (fsetxattr(fd, "user.varlink", "client", 6, 0) != 0 && errno != EPERM && errno != EOPNOTSUPP)
    broken("label");
}

/* Bound to a name of the kernel's choice. */
static int new_listener(int flags) {
  int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
  address.sun_family = AF_UNIX;
  address_length = sizeof address;
  if (fd < 0 || bind(fd, (void*)&address, sizeof(sa_family_t)) != 0 || listen(fd, 4000) != 0)
    broken("listen");
  getsockname(fd, (void*)&address, &address_length);
  return fd;
}

static int new_client(bool labelled) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (labelled) label(fd);
  if (fd < 0 || connect(fd, (void*)&address, address_length) != 0) broken("connect");
  if (write(fd, labelled ? "c" : "o", 1) != 1) broken("write");
  return fd;
}

/* What a call returned that has to be refused. */
_Noreturn static void judge(long accepted) {
  char byte;
  if (accepted < 0) refused((int)-accepted);
  if (read((int)accepted, &byte, 1) == 1) escaped();
  if (errno == EPERM) refused(EPERM); /* a dead connection */
  finish(exit_usage, "broken", "a connection without its client's message");
}

static long try_accept(int fd) { return raw(SYS_accept4, fd, 0, 0, 0, 0); }

static void send_fd(int to, int fd) {
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec data = {"x", 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(int));
  if (sendmsg(to, &message, 0) != 1) broken("sendmsg");
}

_Noreturn static void by_other(int listener, bool scm) {
  struct shared_result* result = new_shared_result();
  int pair[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    if (scm) {
      close(listener);
      receive_fds(pair[1], &byte, 1, &listener, 1);
    }
    long accepted = try_accept(listener);
    result->inside = accepted >= 0 && read((int)accepted, &byte, 1) == 1;
    result->result = accepted < 0 ? accepted : result->inside || errno != EPERM ? 0 : -EPERM;
    result->done = 1;
    _exit(0);
  }
  if (scm) send_fd(pair[0], listener);
  int status = 0;
  waitpid(child, &status, 0);
  report(result, status);
}

/* Where a refused accept gives a connection, nothing comes or goes by it. */
static int leaks(int fd) {
  char byte = 'x';
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  struct mmsghdr messages = {.msg_hdr = message};
  const struct io_uring_sqe receives = {
      .opcode = IORING_OP_RECV, .fd = fd, .addr = (unsigned long)&byte, .len = 1};
  const struct io_uring_sqe sends = {
      .opcode = IORING_OP_SEND, .fd = fd, .addr = (unsigned long)&byte, .len = 1};
  int ends[2], zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (pipe(ends) != 0 || zero < 0) broken("pipe");
  if (write(ends[1], "x", 1) != 1) broken("pipe");
  return read(fd, &byte, 1) > 0 || readv(fd, &data, 1) > 0 || recv(fd, &byte, 1, MSG_PEEK) > 0 ||
         recvmsg(fd, &message, MSG_DONTWAIT) > 0 ||
         recvmmsg(fd, &messages, 1, MSG_DONTWAIT, NULL) > 0 ||
         splice(fd, NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK) > 0 || ring_do(&receives) > 0 ||
         write(fd, &byte, 1) > 0 || writev(fd, &data, 1) > 0 ||
         send(fd, &byte, 1, MSG_NOSIGNAL) > 0 || sendmsg(fd, &message, MSG_NOSIGNAL) > 0 ||
         sendmmsg(fd, &messages, 1, MSG_NOSIGNAL) > 0 || sendfile(fd, zero, NULL, 1) > 0 ||
         splice(ends[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK) > 0 || ring_do(&sends) > 0;
}

_Noreturn static void dead(int listener) {
  struct shared_result* result = new_shared_result();
  int status = 0;
  pid_t child;
  long accepted = try_accept(listener);
  if (accepted < 0) refused((int)-accepted);
  if (leaks((int)accepted)) escaped();
  child = fork();
  if (child == 0) {
    result->inside = leaks((int)accepted);
    result->result = -EPERM;
    result->done = 1;
    _exit(0);
  }
  waitpid(child, &status, 0);
  report(result, status);
}

static struct tally {
  int listener;
  int labelled, others, refusals, strange;
} tallies[2];

static void* accept_many(void* of) {
  struct tally* tally = of;
  for (;;) {
    char byte = 0;
    long fd = try_accept(tally->listener);
    if (fd == -EAGAIN) return NULL;
    if (fd < 0) {
      if (fd == -EPERM)
        tally->refusals++;
      else
        tally->strange++;
      continue;
    }
    long got = read((int)fd, &byte, 1);
    if (got < 0 && errno == EPERM)
      tally->refusals++; /* a dead connection */
    else if (got == 1 && byte == 'c')
      tally->labelled++;
    else
      tally->others++;
    close((int)fd);
  }
}

_Noreturn static void by_threads(void) {
  pthread_t threads[2];
  int listener = new_listener(SOCK_NONBLOCK);
  for (int i = 0; i < clients; i++) new_client(i % 2);
  for (int i = 0; i < 2; i++) {
    tallies[i].listener = listener;
    if (pthread_create(&threads[i], NULL, accept_many, &tallies[i]) != 0) broken("thread");
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  const struct tally *a = &tallies[0], *b = &tallies[1];
  if (a->labelled + b->labelled > 0) escaped();
  if (a->strange + b->strange > 0 || a->others + b->others != clients / 2 ||
      a->refusals + b->refusals != clients / 2)
    finish(exit_usage, "broken", "not each connection was accepted or refused once");
  refused(EPERM);
}

static int denied, allowed;
static void* swap_forever(void* unused) {
  while (!stop) {
    dup2(denied, number_fd);
    dup2(allowed, number_fd);
  }
  return unused;
}

_Noreturn static void swap(void) {
  struct sockaddr_un denied_address, got;
  pthread_t thread;
  struct race race = {.rounds = swap_rounds};
  long last = 0;
  int others = 0, client = -1;
  denied = new_listener(SOCK_NONBLOCK);
  label(denied);
  denied_address = address;
  int waiting = new_client(false);
  allowed = new_listener(SOCK_NONBLOCK);
  dup2(allowed, number_fd);
  if (pthread_create(&thread, NULL, swap_forever, NULL) != 0) broken("thread");
  while (race_goes_on(&race, others > 0 && last != 0)) {
    socklen_t length = sizeof got;
    if (client < 0) client = new_client(false);
    long fd = try_accept(number_fd);
    if (fd == -EPERM) last = fd;
    memset(&got, 0, sizeof got);
    if (fd >= 0) getsockname((int)fd, (void*)&got, &length);
    if (fd >= 0 && memcmp(&got, &denied_address, sizeof got) == 0) escaped();
    others += fd >= 0;
    if (fd < 0 && fd != -EAGAIN) continue; /* it still waits */
    if (fd >= 0) close((int)fd);
    close(client);
    client = -1;
  }
  stop = 1;
  close(waiting);
  if (others == 0 || last == 0) finish(exit_usage, "broken", "nothing was swapped");
  refused((int)-last);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "threads") == 0) by_threads();
  if (strcmp(how, "swap") == 0) swap();
  int listener = new_listener(0);
  if (strcmp(how, "late") == 0) {
    label(new_client(false));
    judge(try_accept(listener));
  }
  int client = new_client(true);
  if (strcmp(how, "gone") == 0) {
    close(client);
    judge(try_accept(listener));
  }
  if (strcmp(how, "flight") == 0) {
    int pair[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    send_fd(pair[0], client);
    close(client);
    judge(try_accept(listener));
  }
  if (strcmp(how, "ring") == 0) {
    const struct io_uring_sqe operation = {.opcode = IORING_OP_ACCEPT, .fd = listener};
    long accepted = ring_do(&operation);
    judge(accepted);
  }
  if (strcmp(how, "int80") == 0) {
    struct shared_result* result = new_shared_result();
    pid_t child = fork();
    if (child == 0) {
      char byte;
      long accepted = int80(accept4_of_32_bit, listener, 0, 0);
      result->inside = accepted >= 0 && read((int)accepted, &byte, 1) == 1;
      result->result = accepted < 0 ? accepted : result->inside || errno != EPERM ? 0 : -EPERM;
      result->done = 1;
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (result->done && result->result == -ENOSYS) impossible("no 32-bit calls");
    report(result, status);
  }
  if (strcmp(how, "dead") == 0) dead(listener);
  if (strcmp(how, "fork") == 0) by_other(listener, false);
  if (strcmp(how, "scm") == 0) by_other(listener, true);
  errno = EINVAL;
  broken(how);
}
