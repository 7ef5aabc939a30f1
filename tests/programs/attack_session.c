// SPDX-License-Identifier: Apache-2.0
/*
 * A client of io.holdfast.Control by hand: calls, and sessions opened in ways that holdfast run never would.
 *
 *     attack_session call METHOD JSON              prints the reply; exit status 0
 *     attack_session open POLICY VARIANT [COMMAND...]
 *         has holdfastd prepare the file for its profile "box", makes a child, and has it be a member. Prints
 *         "opened", or the error of the reply. With a command, the child executes it, and each event is printed.
 *     attack_session prepare POLICY                prints the name that holdfastd gives to it
 *     attack_session fork COUNT                    makes so many children at one time; prints how many there were, and
 *                                                  the errno of the first that there was not (0: all)
 *     attack_session noise COUNT                   tries as often to make a user namespace
 *
 * Variants: nnp      as an ordinary user has to: no_new_privs is set, and the child waits
 *           plain    without no_new_privs
 *           threads  with a second thread
 *           dead     the child has ended
 *           parent   not a child, but the caller's own parent
 *           first    process 1
 *           hostnet  claims the network namespace, which it has not made
 *           caps     as root: caller and child become user 1000, and the child keeps its capabilities
 *           other    as root: the caller becomes user 1000, and the child 1001
 *           root     as root: the caller becomes user 1000, and the child stays root's
 *           gone     the caller is killed while it asks
 *           named    OpenSession of the policy of this name, without preparing one
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBytes = 1 << 20 };

static const char path[] = "/run/holdfast/io.holdfast.Control";
static char message[kBytes], reply[kBytes];
static size_t received;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int connect_control(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  strcpy(address.sun_path, path);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof(address)) != 0) fail("connect");
  return fd;
}

static void put(int fd) {
  size_t length = strlen(message) + 1, sent = 0;
  while (sent < length) {
    ssize_t n = send(fd, message + sent, length - sent, MSG_NOSIGNAL);
    if (n <= 0) fail("send");
    sent += (size_t)n;
  }
}

/* The next message, in `reply`. 0: there is none any more. */
static int get(int fd) {
  static char buffer[kBytes];
  for (;;) {
    char* end = memchr(buffer, 0, received);
    if (end) {
      size_t length = (size_t)(end - buffer) + 1;
      memcpy(reply, buffer, length);
      memmove(buffer, end + 1, received - length);
      received -= length;
      return 1;
    }
    ssize_t n = recv(fd, buffer + received, sizeof(buffer) - received, 0);
    if (n <= 0) return 0;
    received += (size_t)n;
  }
}

static int call(const char* method, const char* parameters) {
  int fd = connect_control();
  snprintf(message, sizeof(message), "{\"method\":\"io.holdfast.Control.%s\",\"parameters\":%s}",
           method, parameters);
  put(fd);
  puts(get(fd) ? reply : "closed");
  return 0;
}

/* The file as a JSON string. */
static void quote(const char* file, char* to) {
  FILE* text = fopen(file, "r");
  int c;
  if (!text) fail(file);
  *to++ = '"';
  while ((c = fgetc(text)) != EOF) {
    if (c == '\n') {
      *to++ = '\\';
      *to++ = 'n';
      continue;
    }
    if (c == '"' || c == '\\') *to++ = '\\';
    *to++ = (char)c;
  }
  *to++ = '"';
  *to = 0;
  fclose(text);
}

static void prepare(int fd, const char* file, char* name) {
  static char text[kBytes / 2];
  char* at;
  quote(file, text);
  snprintf(message, sizeof(message),
           "{\"method\":\"io.holdfast.Control.PrepareSession\",\"parameters\":{\"profile\":\"box\","
           "\"sources\":"
           "[{\"name\":\"%s\",\"text\":%s,\"drop_in\":false}]}}",
           file, text);
  put(fd);
  if (!get(fd)) {
    puts("closed");
    exit(0);
  }
  at = strstr(reply, "\"policy\":\"");
  if (!at || strstr(reply, "\"error\"")) {
    puts(reply);
    exit(0);
  }
  sscanf(at, "\"policy\":\"%63[^\"]", name);
}

static void become(uid_t uid) {
  if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) fail("become a user");
}

static void* idle(void* unused) {
  pause();
  return unused;
}

static int is(const char* one, const char* other) { return strcmp(one, other) == 0; }

/* Returns its pid. It reads a byte from `go` before it executes the command. */
static pid_t make_child(const char* variant, const int* ready, const int* go, char** command) {
  pid_t child = fork();
  char byte = 0;
  if (child != 0) return child;
  close(ready[0]);
  close(go[1]); /* so that it ends with the caller, who may have no right to kill it */
  if (is(variant, "caps")) {
    prctl(PR_SET_KEEPCAPS, 1);
    become(1000);
  }
  if (is(variant, "other")) become(1001);
  if (!is(variant, "plain")) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (is(variant, "dead")) _exit(0);
  if (is(variant, "threads")) {
    pthread_t thread;
    pthread_create(&thread, 0, idle, 0);
  }
  if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(0);
  if (*command) execvp(*command, command);
  _exit(0);
}

static int open_session(const char* file, const char* variant, char** command) {
  int ready[2], go[2], fd;
  char name[64] = "", byte;
  pid_t child, pid;
  const int as_root = is(variant, "caps") || is(variant, "other") || is(variant, "root");
  if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0) fail("pipe");
  child = make_child(variant, ready, go, command);
  if (as_root) become(1000);
  close(ready[1]);
  if (read(ready[0], &byte, 1) < 0) fail("wait for the child");
  if (is(variant, "dead")) waitpid(child, 0, 0);
  pid = is(variant, "parent") ? getppid() : is(variant, "first") ? 1 : child;
  /* What changes its ids is not dumpable, which would hide it from nobody but other users. */
  fd = connect_control();
  if (is(variant, "named"))
    snprintf(name, sizeof(name), "%s", file);
  else
    prepare(fd, file, name);
  snprintf(message, sizeof(message),
           "{\"method\":\"io.holdfast.Control.OpenSession\",\"more\":true,\"parameters\":{"
           "\"policy\":\"%s\",\"pid\":%d,"
           "\"namespaces\":[%s]}}",
           name, pid, is(variant, "hostnet") ? "\"net\"" : "");
  put(fd);
  if (is(variant, "gone")) kill(getpid(), SIGKILL);
  if (!get(fd)) {
    puts("closed");
    return 0;
  }
  if (strstr(reply, "\"error\"")) {
    puts(reply);
    kill(child, SIGKILL);
    return 0;
  }
  puts("opened");
  fflush(stdout);
  if (write(go[1], "", 1) != 1) fail("start");
  close(go[1]);
  if (!*command) return 0;
  waitpid(child, 0, 0);
  return 0;
}

static int fork_many(int count) {
  int made = 0, error = 0;
  for (; made < count; made++) {
    pid_t child = fork();
    if (child < 0) {
      error = errno;
      break;
    }
    if (child == 0) {
      pause();
      _exit(0);
    }
  }
  printf("%d %d\n", made, error);
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(0) > 0) continue;
  return 0;
}

static int make_noise(int count) {
  int refused = 0;
  for (int i = 0; i < count; i++)
    if (unshare(CLONE_NEWUSER) != 0 && errno == EPERM) refused++;
  printf("%d\n", refused);
  return 0;
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 4 && is(argv[1], "call")) return call(argv[2], argv[3]);
  if (argc >= 4 && is(argv[1], "open")) return open_session(argv[2], argv[3], argv + 4);
  if (argc == 3 && is(argv[1], "prepare")) {
    char name[64] = "";
    prepare(connect_control(), argv[2], name);
    return puts(name) < 0;
  }
  if (argc == 3 && is(argv[1], "fork")) return fork_many(atoi(argv[2]));
  if (argc == 3 && is(argv[1], "noise")) return make_noise(atoi(argv[2]));
  fprintf(stderr, "usage: attack_session call|open|fork|noise ...\n");
  return 2;
}
